/* SPDX-License-Identifier: MIT */
/*
 * The registers of an interrupted context, as entry.S stores them. For a user task they lie at the
 * very top of its kernel stack. Changing them changes what the task returns to. While an abort of user mode
 * is being repaired x20 to x27, orig_x0 and syscallno are not among them: who asks then asks too early, as
 * signals, tracers and system calls come to pt_regs only when all is there.
 */
#ifndef KERNEL_ARCH_PTREGS_H
#define KERNEL_ARCH_PTREGS_H

#define PT_REGS_SP      248
#define PT_REGS_PC      256
#define PT_REGS_PSTATE  264
#define PT_REGS_ORIG_X0 272
#define PT_REGS_SYSCALL 280
#define PT_REGS_SIZE    288

#define NO_SYSCALL (-1)

#ifndef __ASSEMBLER__

#include "kernel/lib/types.h"

struct pt_regs {
	u64 x[31];
	u64 sp;
	u64 pc;
	u64 pstate;
	u64 orig_x0;   /* x0 at the system call, for its restart */
	u64 syscallno; /* x8 at the system call; (u64)NO_SYSCALL after any other exception */
} __aligned(16);

#define PSTATE_MODE_MASK 0x1f
#define PSTATE_MODE_EL0  0x00
#define PSTATE_MODE_EL1H 0x05
#define PSTATE_F         (1u << 6)
#define PSTATE_I         (1u << 7)
#define PSTATE_A         (1u << 8)
#define PSTATE_D         (1u << 9)
#define PSTATE_BTYPE     (3u << 10)
#define PSTATE_SSBS      (1u << 12)
#define PSTATE_SS        (1u << 21)
#define PSTATE_TCO       (1u << 25)
/* What a user may choose of its pstate (sigreturn, ptrace): N Z C V, and the bits it can set
 * itself. */
#define PSTATE_USER_BITS (0xf0000000u | PSTATE_BTYPE | PSTATE_SSBS | (1u << 24) | PSTATE_TCO)

static inline bool user_mode(const struct pt_regs *regs)
{
	return (regs->pstate & 0xf) == PSTATE_MODE_EL0;
}

static inline bool in_syscall(const struct pt_regs *regs)
{
	return regs->syscallno != (u64)NO_SYSCALL;
}

_Static_assert(offsetof(struct pt_regs, sp) == PT_REGS_SP, "entry.S");
_Static_assert(offsetof(struct pt_regs, pc) == PT_REGS_PC, "entry.S");
_Static_assert(offsetof(struct pt_regs, pstate) == PT_REGS_PSTATE, "entry.S");
_Static_assert(offsetof(struct pt_regs, orig_x0) == PT_REGS_ORIG_X0, "entry.S");
_Static_assert(offsetof(struct pt_regs, syscallno) == PT_REGS_SYSCALL, "entry.S");
_Static_assert(sizeof(struct pt_regs) == PT_REGS_SIZE, "entry.S");

#endif
#endif
