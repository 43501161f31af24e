/* SPDX-License-Identifier: MIT */
/*
 * System V shared memory: segments. Each is a nameless tmpfs file and a record of who may use it;
 * an attachment is a mapping of that file whose VMAs are counted. segment.c keeps the segments,
 * shm.c holds the system calls, shm_proc.c what /proc shows and sets.
 */
#ifndef KERNEL_IPC_SHM_H
#define KERNEL_IPC_SHM_H

#include "kernel/ipc/object.h"

struct file;
struct process;

#define SHM_DEST   01000u /* in mode: removed, goes with the last attachment */
#define SHM_LOCKED 02000u

struct segment {
	struct ipc_object ipc; /* first; mode: SHM_DEST and SHM_LOCKED too */
	u64 pages;
	u64 charged; /* of them: promised by the commit limit */
	u64 nattch;  /* VMAs, and calls on their way to one */
	s64 atime, dtime;
	s32 cpid, lpid, creator; /* creator: 0 once it has ended */
	u32 lock_uid;            /* who pays for SHM_LOCKED */
	struct file *file;       /* [I] */
};

/* Everything of every segment but what is [I] is under the table's lock. */
extern struct ipc_table shm_table;
extern u64 shm_total_pages; /* shm_table.lock */

/* Limits, as /proc/sys/kernel has them. */
extern u64 shm_max, shm_all;
extern u32 shm_mni, shm_rmid_forced;

/* A new one, on the list. Its id, or -EINVAL, -ENOSPC, -ENOMEM; -EEXIST with a key that is there.
 * The lock not held. */
long shm_new(s32 key, u64 size, u32 flags);
/* An attachment that has been counted without a VMA goes; likewise the last one of a removed
 * segment. */
void shm_put(struct segment *seg);
/* Forget the key; gone at once, or with its last attachment. The lock is held, released here. */
void shm_remove_unlock(struct ipc_object *seg);
/* A file of the caller's own on the segment, for one attachment; NULL without memory. */
struct file *shm_attach_file(struct segment *seg, u32 open_flags);
/* With kernel.shm_rmid_forced: those go that nobody has attached and whose creator has ended. */
void shm_remove_orphans(void);

#endif
