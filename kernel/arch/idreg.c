/* SPDX-License-Identifier: MIT */
/*
 * ID registers as EL0 sees them (HWCAP_CPUID): MRS of one traps, and is answered with the fields
 * that concern programs, the rest as on the least of CPUs. Linux's document "ARM64 CPU Feature
 * Registers" says which.
 */
#include "kernel/arch/cpufeature.h"
#include "kernel/arch/ptregs.h"
#include "kernel/arch/sysreg.h"

#define MRS_MASK  0xfff00000u
#define MRS_VALUE 0xd5300000u

/* op0 op1 CRn CRm op2 as they stand in the instruction, bits 20:5. */
#define ID_REG(crm, op2) (0xc000u | (crm) << 3 | (op2))

/* Four-bit fields are listed by their lowest bit. */
#define F(pos) (0xfull << (pos))

enum id_source {
	MIDR,
	MPIDR,
	REVIDR,
	A32_ISAR5,
	A32_ISAR6,
	MVFR0,
	MVFR1,
	A32_PFR2,
	PFR0,
	PFR1,
	ISAR0,
	ISAR1,
	ISAR2,
	MMFR0,
	MMFR1,
	MMFR2,
	NONE,
};

struct visible_reg {
	u16 encoding;
	u8 source;
	u64 shown; /* fields passed on */
	u64 fixed; /* what the others show */
};

static const struct visible_reg visible[] = {
    {ID_REG(0, 0), MIDR, ~0ull, 0},
    {ID_REG(0, 5), MPIDR, 0, 1ull << 31},
    {ID_REG(0, 6), REVIDR, ~0ull, 0},
    /* The 32-bit view: AES SHA1 SHA2 CRC32; DP FHM SB BF16 I8MM; FP and SIMD; SSBS */
    {ID_REG(2, 5), A32_ISAR5, F(4) | F(8) | F(12) | F(16), 0},
    {ID_REG(2, 7), A32_ISAR6, F(4) | F(8) | F(12) | F(20) | F(24), 0},
    {ID_REG(3, 0), MVFR0, F(8), 0},
    {ID_REG(3, 1), MVFR1, 0xffffff00, 0},
    {ID_REG(3, 4), A32_PFR2, F(4), 0},
    /* FP, AdvSIMD, DIT; EL0 and EL1 are 64-bit */
    {ID_REG(4, 0), PFR0, F(16) | F(20) | F(48), 0x11},
    /* BTI, SSBS */
    {ID_REG(4, 1), PFR1, F(0) | F(4), 0},
    /* debug architecture 8.0 */
    {ID_REG(5, 0), NONE, 0, 6},
    /* AES SHA1 SHA2 CRC32 Atomic RDM SHA3 SM3 SM4 DP FHM TS RNDR */
    {ID_REG(6, 0), ISAR0,
     F(4) | F(8) | F(12) | F(16) | F(20) | F(28) | F(32) | F(36) | F(40) | F(44) | F(48) | F(52) |
         F(60),
     0},
    /* DPB JSCVT FCMA LRCPC FRINTTS SB BF16 DGH I8MM */
    {ID_REG(6, 1), ISAR1, F(0) | F(12) | F(16) | F(20) | F(32) | F(36) | F(44) | F(48) | F(52), 0},
    /* RPRES */
    {ID_REG(6, 2), ISAR2, F(4), 0},
    /* ECV; no granule is promised */
    {ID_REG(7, 0), MMFR0, F(60), 0x111ff000000},
    /* AFP */
    {ID_REG(7, 1), MMFR1, F(44), 0},
    /* AT */
    {ID_REG(7, 2), MMFR2, F(32), 0},
};

static u64 read_source(enum id_source source)
{
	switch (source) {
	case MIDR:
		return read_sysreg(midr_el1);
	case REVIDR:
		return read_sysreg(revidr_el1);
	case A32_ISAR5:
		return read_sysreg(id_isar5_el1);
	case A32_ISAR6:
		return read_sysreg(S3_0_C0_C2_7);
	case MVFR0:
		return read_sysreg(mvfr0_el1);
	case MVFR1:
		return read_sysreg(mvfr1_el1);
	case A32_PFR2:
		return read_sysreg(S3_0_C0_C3_4);
	case PFR0:
		return read_sysreg(id_aa64pfr0_el1);
	case PFR1:
		return cpu_features.pfr1;
	case ISAR0:
		return read_sysreg(id_aa64isar0_el1);
	case ISAR1:
		return read_sysreg(id_aa64isar1_el1);
	case ISAR2:
		return read_sysreg(S3_0_C0_C6_2);
	case MMFR0:
		return read_sysreg(id_aa64mmfr0_el1);
	case MMFR1:
		return read_sysreg(id_aa64mmfr1_el1);
	case MMFR2:
		return read_sysreg(S3_0_C0_C7_2);
	default:
		return 0;
	}
}

static u64 sanitised(u32 encoding)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(visible); i++)
		if (visible[i].encoding == encoding)
			return (read_source(visible[i].source) & visible[i].shown) |
			       visible[i].fixed;
	return 0;
}

/* The space that is answered at all: op0 3, op1 0, CRn 0, CRm 0 (three registers) and 2 to 7. */
static bool in_id_space(u32 encoding)
{
	u32 crm = encoding >> 3 & 0xf, op2 = encoding & 7;

	if ((encoding & ~0x7fu) != 0xc000)
		return false;
	if (crm == 0)
		return op2 == 0 || op2 == 5 || op2 == 6;
	return crm >= 2 && crm <= 7;
}

bool cpu_emulate_mrs(struct pt_regs *regs, u32 insn)
{
	u32 encoding = insn >> 5 & 0xffff, rt = insn & 31;

	if ((insn & MRS_MASK) != MRS_VALUE || !in_id_space(encoding))
		return false;
	if (rt != 31)
		regs->x[rt] = sanitised(encoding);
	regs->pc += 4;
	regs->pstate &= ~(u64)PSTATE_BTYPE;
	return true;
}
