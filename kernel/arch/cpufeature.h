/* SPDX-License-Identifier: MIT */
/*
 * What this CPU can do, and what of it user programs are told: HWCAPs and the sanitised ID
 * registers.
 */
#ifndef KERNEL_ARCH_CPUFEATURE_H
#define KERNEL_ARCH_CPUFEATURE_H

#include "kernel/lib/types.h"

struct pt_regs;

struct cpu_features {
	u64 midr;
	u64 pfr1;      /* ID_AA64PFR1_EL1 without what an erratum forbids to use */
	u32 asid_bits; /* 8 or 16; TCR_EL1.AS is set to match */
	bool bti;
	u64 hwcap;  /* AT_HWCAP */
	u64 hwcap2; /* AT_HWCAP2 */
};

extern struct cpu_features cpu_features;

void cpufeature_init(void);

/* What "Features" in /proc/cpuinfo lists for HWCAP bit @bit (of HWCAP2 when @second); NULL for
 * none. */
const char *hwcap_name(bool second, unsigned bit);

/*
 * If @insn reads an ID register of the feature space, puts the sanitised value into the register
 * that it names, steps over it and returns true.
 */
bool cpu_emulate_mrs(struct pt_regs *regs, u32 insn);

#endif
