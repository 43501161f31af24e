/* SPDX-License-Identifier: MIT */
/*
 * Exception table: instructions of the kernel that may fault on a user address, each with the place
 * to go on when the fault cannot be repaired. Both are kept as 32-bit distances from where they are
 * stored, so the table needs no relocation.
 */
#ifndef KERNEL_ARCH_EXTABLE_H
#define KERNEL_ARCH_EXTABLE_H

#ifdef __ASSEMBLER__

/* clang-format off */
	.macro	_asm_extable, insn, fixup
	.pushsection __ex_table, "a"
	.balign	4
	.long	(\insn) - .
	.long	(\fixup) - .
	.popsection
	.endm
/* clang-format on */

#else

#include "kernel/lib/types.h"

/* Where to continue when the instruction at @pc faulted for good; 0 when it must not fault. */
u64 extable_fixup(u64 pc);
/* At boot: panics when the table is not in the order that the search needs. */
void extable_check(void);

#endif
#endif
