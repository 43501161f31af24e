/* SPDX-License-Identifier: MIT */
/* The kernel's side of the vDSO: its pages in a program, and what the data page says. */
#ifndef KERNEL_VDSO_VDSO_H
#define KERNEL_VDSO_VDSO_H

#include "kernel/lib/types.h"

struct mmk_task;

/* Maps [vvar] and [vdso] into the mm of a program that is being loaded: where the ELF object is,
 * and the code that returns from signal handlers. 0 or -errno. */
int vdso_map(struct mmk_task *loader, u64 *base, u64 *sigreturn);
/* realtime_boot_ns is this from now on. */
void vdso_set_realtime(u64 boot_ns);

#endif
