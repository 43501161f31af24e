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
void sem_process_exit(s32 tgid);
/* What marks the VMAs of attachments. */
extern const struct mmk_vm_ops shm_vm_ops;

/* /proc/sysvipc; /proc/sys/kernel/shm* and msg*, by name. */
int msg_proc_show(const struct pseudo_ctx *c, struct seq *s);
int sem_proc_show(const struct pseudo_ctx *c, struct seq *s);
int shm_proc_show(const struct pseudo_ctx *c, struct seq *s);
int ipc_knob_show(const struct pseudo_ctx *c, struct seq *s);
ssize_t ipc_knob_write(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos);

/* Limits of message queues: bytes of a message, bytes of a queue, queues. */
extern u32 msg_max, msg_mnb, msg_mni;

long sys_shmget(u64 key, u64 size, u64 flags);
long sys_shmat(u64 id, u64 addr, u64 flags);
long sys_shmdt(u64 addr);
long sys_shmctl(u64 id, u64 cmd, u64 buf);
long sys_semget(u64 key, u64 nsems, u64 flags);
long sys_semop(u64 id, u64 ops, u64 nops);
long sys_semtimedop(u64 id, u64 ops, u64 nops, u64 timeout);
long sys_semctl(u64 id, u64 num, u64 cmd, u64 arg);
long sys_msgget(u64 key, u64 flags);
long sys_msgsnd(u64 id, u64 msg, u64 size, u64 flags);
long sys_msgrcv(u64 id, u64 msg, u64 size, u64 type, u64 flags);
long sys_msgctl(u64 id, u64 cmd, u64 buf);

#endif
