/* SPDX-License-Identifier: MIT */
/*
 * System V shared memory: segments. Each is a nameless tmpfs file and a record of who may use it;
 * an attachment is a mapping of that file whose VMAs are counted. segment.c keeps the segments,
 * shm.c holds the system calls, shm_proc.c what /proc shows and sets.
 */
#ifndef KERNEL_IPC_SHM_H
#define KERNEL_IPC_SHM_H

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/spinlock.h"

struct file;
struct process;

#define IPC_PRIVATE 0
#define IPC_CREAT   01000u
#define IPC_EXCL    02000u
#define SHM_DEST    01000u /* in mode: removed, goes with the last attachment */
#define SHM_LOCKED  02000u

#define IPC_SLOTS 32768u /* indexes; an id is an index and a sequence number above it */

struct segment {
	struct list_head node; /* by index, ascending */
	s32 id;
	s32 key;
	u32 mode; /* permissions, SHM_DEST, SHM_LOCKED */
	u32 uid, gid, cuid, cgid;
	u64 size; /* bytes */
	u64 pages;
	u64 charged; /* of them: promised by the commit limit */
	u64 nattch;  /* VMAs, and calls on their way to one */
	s64 atime, dtime, ctime;
	s32 cpid, lpid, creator; /* creator: 0 once it has ended */
	u32 lock_uid;            /* who pays for SHM_LOCKED */
	struct file *file;       /* [I] */
};

/* Everything of every segment but what is [I] is under this lock. */
extern struct spinlock shm_lock;
extern struct list_head shm_segments;
extern u64 shm_total_pages;
extern u32 shm_count;

/* Limits, as /proc/sys/kernel has them. */
extern u64 shm_max, shm_all;
extern u32 shm_mni, shm_rmid_forced;

/* With shm_lock held: by id, by key, by index; NULL where there is none. */
struct segment *shm_find(s32 id);
struct segment *shm_find_key(s32 key);
struct segment *shm_find_index(u32 index);
s32 shm_last_index(void); /* the highest in use, -1 without any */

/* A new one, on the list. Its id, or -ENOSPC, -ENOMEM. shm_lock not held. */
long shm_new(s32 key, u64 size, u32 flags);
/* An attachment that has been counted without a VMA goes; likewise the last one of a removed
 * segment. */
void shm_put(struct segment *seg);
/* Forget the key; gone at once, or with its last attachment. shm_lock held, released here. */
void shm_remove_unlock(struct segment *seg);
/* A file of the caller's own on the segment, for one attachment; NULL without memory. */
struct file *shm_attach_file(struct segment *seg, u32 open_flags);
/* With kernel.shm_rmid_forced: those go that nobody has attached and whose creator has ended. */
void shm_remove_orphans(void);

#endif
