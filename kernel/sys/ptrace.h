/* SPDX-License-Identifier: MIT */
/* Who may look into another process: ptrace(2)'s access check, which many calls share. */
#ifndef KERNEL_SYS_PTRACE_H
#define KERNEL_SYS_PTRACE_H

#include "kernel/lib/types.h"

struct task;
struct mmk_mm;

/* By which of the caller's identities. */
#define PTRACE_REALCREDS 0u /* a system call that names a process */
#define PTRACE_FSCREDS   1u /* an access through a file in /proc */

/* May the calling thread look into and change @t? */
bool ptrace_may_access(struct task *t, u32 creds);
/* @t's mm with a reference if it may. 0, -EACCES, -ESRCH (it has none). */
int ptrace_get_mm(struct task *t, u32 creds, struct mmk_mm **mm);

#endif
