/* SPDX-License-Identifier: MIT */
/* /proc/sys/vm/memfd_noexec. */
#ifndef KERNEL_FS_MEMFD_H
#define KERNEL_FS_MEMFD_H

#include "kernel/fs/pseudo.h"

extern u32 memfd_noexec;
int memfd_knob_show(const struct pseudo_ctx *c, struct seq *s);
ssize_t memfd_knob_write(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos);

#endif
