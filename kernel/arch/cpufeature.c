/* SPDX-License-Identifier: MIT */
/*
 * The ID registers, read once at boot: what the kernel itself uses, and the HWCAP bits for
 * programs. Each HWCAP is one row: the field that must be at least so large (Linux's elf_hwcaps
 * document says which). What needs the kernel to save state that it does not save (SVE, SME,
 * pointer authentication, MTE) has no row.
 */
#include "kernel/arch/cpufeature.h"
#include "kernel/arch/sysreg.h"
#include "kernel/lib/string.h"

struct cpu_features cpu_features;

enum id_reg { ISAR0, ISAR1, ISAR2, PFR0, PFR1, MMFR0, MMFR1, MMFR2, NR_ID_REGS };

struct hwcap_row {
	const char *name;
	u8 second; /* AT_HWCAP2 */
	u8 bit;
	u8 reg;
	u8 pos; /* of the four-bit field */
	u8 least;
	u8 is_signed; /* 15 is -1: not there */
};

static const struct hwcap_row hwcaps[] = {
    {"fp", 0, 0, PFR0, 16, 0, 1},         {"asimd", 0, 1, PFR0, 20, 0, 1},
    {"aes", 0, 3, ISAR0, 4, 1, 0},        {"pmull", 0, 4, ISAR0, 4, 2, 0},
    {"sha1", 0, 5, ISAR0, 8, 1, 0},       {"sha2", 0, 6, ISAR0, 12, 1, 0},
    {"crc32", 0, 7, ISAR0, 16, 1, 0},     {"atomics", 0, 8, ISAR0, 20, 2, 0},
    {"fphp", 0, 9, PFR0, 16, 1, 1},       {"asimdhp", 0, 10, PFR0, 20, 1, 1},
    {"asimdrdm", 0, 12, ISAR0, 28, 1, 0}, {"jscvt", 0, 13, ISAR1, 12, 1, 0},
    {"fcma", 0, 14, ISAR1, 16, 1, 0},     {"lrcpc", 0, 15, ISAR1, 20, 1, 0},
    {"dcpop", 0, 16, ISAR1, 0, 1, 0},     {"sha3", 0, 17, ISAR0, 32, 1, 0},
    {"sm3", 0, 18, ISAR0, 36, 1, 0},      {"sm4", 0, 19, ISAR0, 40, 1, 0},
    {"asimddp", 0, 20, ISAR0, 44, 1, 0},  {"sha512", 0, 21, ISAR0, 12, 2, 0},
    {"asimdfhm", 0, 23, ISAR0, 48, 1, 0}, {"dit", 0, 24, PFR0, 48, 1, 0},
    {"uscat", 0, 25, MMFR2, 32, 1, 0},    {"ilrcpc", 0, 26, ISAR1, 20, 2, 0},
    {"flagm", 0, 27, ISAR0, 52, 1, 0},    {"ssbs", 0, 28, PFR1, 4, 2, 0},
    {"sb", 0, 29, ISAR1, 36, 1, 0},       {"dcpodp", 1, 0, ISAR1, 0, 2, 0},
    {"flagm2", 1, 7, ISAR0, 52, 2, 0},    {"frint", 1, 8, ISAR1, 32, 1, 0},
    {"i8mm", 1, 13, ISAR1, 52, 1, 0},     {"bf16", 1, 14, ISAR1, 44, 1, 0},
    {"dgh", 1, 15, ISAR1, 48, 1, 0},      {"rng", 1, 16, ISAR0, 60, 1, 0},
    {"bti", 1, 17, PFR1, 0, 1, 0},        {"ecv", 1, 19, MMFR0, 60, 1, 0},
    {"afp", 1, 20, MMFR1, 44, 1, 0},      {"rpres", 1, 21, ISAR2, 4, 1, 0},
};

#define HWCAP_EVTSTRM (1ull << 2)
#define HWCAP_CPUID   (1ull << 11)

static u64 field(u64 reg, unsigned pos)
{
	return reg >> pos & 0xf;
}

static bool row_holds(const struct hwcap_row *h, const u64 *regs)
{
	u64 v = field(regs[h->reg], h->pos);

	if (h->is_signed && v >= 8)
		return false;
	return v >= h->least;
}

static void find_hwcaps(const u64 *regs)
{
	unsigned i;

	/* cpu_setup() has switched the event stream on; cpu_emulate_mrs() answers ID registers. */
	cpu_features.hwcap = HWCAP_EVTSTRM | HWCAP_CPUID;
	cpu_features.hwcap2 = 0;
	for (i = 0; i < ARRAY_SIZE(hwcaps); i++) {
		const struct hwcap_row *h = &hwcaps[i];
		u64 *word = h->second ? &cpu_features.hwcap2 : &cpu_features.hwcap;

		if (row_holds(h, regs))
			*word |= 1ull << h->bit;
	}
}

const char *hwcap_name(bool second, unsigned bit)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(hwcaps); i++)
		if (hwcaps[i].second == second && hwcaps[i].bit == bit)
			return hwcaps[i].name;
	if (!second && bit == 2)
		return "evtstrm";
	return !second && bit == 11 ? "cpuid" : NULL;
}

/*
 * On these of Arm's cores a write of PSTATE.SSBS takes effect late (erratum 3194386 and its kin),
 * so that programs are not told of it.
 */
static bool ssbs_is_late(u64 midr)
{
	static const u16 parts[] = {0xd0b, 0xd0c, 0xd0d, 0xd40, 0xd41, 0xd44, 0xd47,
	                            0xd48, 0xd49, 0xd4b, 0xd4c, 0xd4d, 0xd4e, 0xd4f,
	                            0xd81, 0xd82, 0xd83, 0xd84, 0xd85, 0xd87, 0xd8e};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		if (midr >> 24 == 0x41 && (midr >> 4 & 0xfff) == parts[i])
			return true;
	return false;
}

void cpufeature_init(void)
{
	struct cpu_features *f = &cpu_features;
	u64 regs[NR_ID_REGS];

	f->midr = read_sysreg(midr_el1);
	regs[ISAR0] = read_sysreg(id_aa64isar0_el1);
	regs[ISAR1] = read_sysreg(id_aa64isar1_el1);
	regs[ISAR2] = read_sysreg(S3_0_C0_C6_2);
	regs[PFR0] = read_sysreg(id_aa64pfr0_el1);
	regs[PFR1] = read_sysreg(id_aa64pfr1_el1);
	if (ssbs_is_late(f->midr))
		regs[PFR1] &= ~(0xfull << 4);
	f->pfr1 = regs[PFR1];
	regs[MMFR0] = read_sysreg(id_aa64mmfr0_el1);
	regs[MMFR1] = read_sysreg(id_aa64mmfr1_el1);
	regs[MMFR2] = read_sysreg(S3_0_C0_C7_2);

	f->asid_bits = field(regs[MMFR0], 4) == 2 ? 16 : 8;
	f->bti = field(regs[PFR1], 0) >= 1;
	find_hwcaps(regs);
}
