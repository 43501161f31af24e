/* SPDX-License-Identifier: MIT */
/* System V IPC: what the rest of the kernel sees of it. */
#ifndef KERNEL_IPC_IPC_H
#define KERNEL_IPC_IPC_H

#include <mmkit/mmkit.h>

#include "kernel/lib/types.h"

struct pseudo_ctx;
struct seq;

/* Flags of shmget and shmat beyond permissions. */
#define SHM_HUGETLB   04000u
#define SHM_NORESERVE 010000u
#define SHM_RDONLY    010000u
#define SHM_RND       020000u
#define SHM_REMAP     040000u
#define SHM_EXEC      0100000u

/* The last thread of a process ends, its memory is gone. */
void shm_process_exit(s32 tgid);
/* What marks the VMAs of attachments. */
extern const struct mmk_vm_ops shm_vm_ops;

/* /proc/sysvipc/shm; /proc/sys/kernel/shm*, by name. */
int shm_proc_show(const struct pseudo_ctx *c, struct seq *s);
int shm_knob_show(const struct pseudo_ctx *c, struct seq *s);
ssize_t shm_knob_write(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos);

long sys_shmget(u64 key, u64 size, u64 flags);
long sys_shmat(u64 id, u64 addr, u64 flags);
long sys_shmdt(u64 addr);
long sys_shmctl(u64 id, u64 cmd, u64 buf);

#endif
