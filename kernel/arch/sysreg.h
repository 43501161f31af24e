/* SPDX-License-Identifier: MIT */
/*
 * System register values that assembler and C both need (Arm ARM DDI 0487, chapter D17), and
 * accessors.
 */
#ifndef KERNEL_ARCH_SYSREG_H
#define KERNEL_ARCH_SYSREG_H

/* MAIR_EL1: the memory types, by index. The core's PTEs use the same indices. */
#define MT_NORMAL        0
#define MT_NORMAL_NC     1
#define MT_DEVICE_nGnRE  2
#define MT_NORMAL_TAGGED 3
#define MAIR_EL1_VALUE   0x000444ff
#define MAIR_EL1_TAGGED  0xf0000000 /* or-ed in where FEAT_MTE2 gives the encoding a meaning */

/* Stage 1 descriptors, as far as the kernel's own half needs them. */
#define PTE_VALID   (1 << 0)
#define PTE_TABLE   (3 << 0)
#define PTE_PAGE    (3 << 0)
#define PTE_BLOCK   (1 << 0)
#define PTE_ATTR(n) ((n) << 2)
#define PTE_AP_RO   (1 << 7)
#define PTE_SH_IS   (3 << 8)
#define PTE_AF      (1 << 10)
#define PTE_PXN     (1 << 53)
#define PTE_UXN     (1 << 54)

/* TCR_EL1: 48 bits on both sides, 4 KiB granule, walks inner shareable write-back, TBI for users.
 */
#define TCR_T0SZ     (16 << 0)
#define TCR_T1SZ     (16 << 16)
#define TCR_WALK0    ((1 << 8) | (1 << 10) | (3 << 12))
#define TCR_WALK1    ((1 << 24) | (1 << 26) | (3 << 28))
#define TCR_TG1_4K   (2 << 30)
#define TCR_IPS_POS  32
#define TCR_AS_POS   36
#define TCR_TBI0_POS 37

/*
 * SCTLR_EL1. RES1 here: what ARMv8.0 fixes to 1, which later extensions give names to (EOS, TSCXT,
 * EIS, nTLSMD, LSMAOE). SPAN: an exception leaves PAN as it is.
 */
#define SCTLR_M      (1 << 0)
#define SCTLR_C      (1 << 2)
#define SCTLR_SA     (1 << 3)
#define SCTLR_SA0    (1 << 4)
#define SCTLR_SED    (1 << 8)
#define SCTLR_I      (1 << 12)
#define SCTLR_DZE    (1 << 14)
#define SCTLR_UCT    (1 << 15)
#define SCTLR_nTWI   (1 << 16)
#define SCTLR_nTWE   (1 << 18)
#define SCTLR_SPAN   (1 << 23)
#define SCTLR_UCI    (1 << 26)
#define SCTLR_RES1   ((1 << 11) | (1 << 20) | (1 << 22) | (1 << 28) | (1 << 29))
#define SCTLR_MMUOFF (SCTLR_RES1 | SCTLR_SPAN)
#define SCTLR_MMUON                                                                                \
	(SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_SA0 | SCTLR_SED | SCTLR_I | SCTLR_DZE | \
	 SCTLR_UCT | SCTLR_nTWI | SCTLR_nTWE | SCTLR_SPAN | SCTLR_UCI)

#define CPACR_FPEN (3 << 20)

/*
 * CNTKCTL_EL1: users read the virtual counter, no timer; an event every 2^13 ticks so that WFE
 * never waits for ever.
 */
#define CNTKCTL_VALUE ((1 << 1) | (1 << 2) | (12 << 4))

#define MDSCR_SS   (1 << 0)
#define MDSCR_TDCC (1 << 12)

/* ESR_ELx.EC */
#define ESR_EC_SHIFT     26
#define ESR_EC_UNKNOWN   0x00
#define ESR_EC_WFX       0x01
#define ESR_EC_FP        0x07
#define ESR_EC_ILLEGAL   0x0e
#define ESR_EC_SVC64     0x15
#define ESR_EC_SYS64     0x18
#define ESR_EC_SVE       0x19
#define ESR_EC_IABT_LOW  0x20
#define ESR_EC_IABT_CUR  0x21
#define ESR_EC_PC_ALIGN  0x22
#define ESR_EC_DABT_LOW  0x24
#define ESR_EC_DABT_CUR  0x25
#define ESR_EC_SP_ALIGN  0x26
#define ESR_EC_FP_EXC64  0x2c
#define ESR_EC_SERROR    0x2f
#define ESR_EC_BREAK_LOW 0x30
#define ESR_EC_STEP_LOW  0x32
#define ESR_EC_WATCH_LOW 0x34
#define ESR_EC_BRK64     0x3c

#ifndef __ASSEMBLER__

#include "kernel/lib/types.h"

#define read_sysreg(reg)                                                                           \
	({                                                                                         \
		u64 _v;                                                                            \
		__asm__ volatile("mrs %0, " #reg : "=r"(_v)::"memory");                            \
		_v;                                                                                \
	})
#define write_sysreg(v, reg) __asm__ volatile("msr " #reg ", %0" : : "r"((u64)(v)) : "memory")

static inline void isb(void)
{
	__asm__ volatile("isb" ::: "memory");
}

/* VAAE1IS: at EL1, whatever the ASID, on all CPUs (DDI 0487, D8.14). */
#define tlbi_kernel_page(va)                                                                       \
	__asm__ volatile("tlbi vaae1is, %0" : : "r"((va) >> 12 & 0xfffffffffff) : "memory")
#define dsb(scope) __asm__ volatile("dsb " #scope ::: "memory")
#define dmb(scope) __asm__ volatile("dmb " #scope ::: "memory")
#define smp_mb()   dmb(ish)
#define smp_rmb()  dmb(ishld)
#define smp_wmb()  dmb(ishst)
/* Against a device that takes part in coherency. */
#define dma_rmb() dmb(oshld)
#define dma_wmb() dmb(oshst)

#endif
#endif
