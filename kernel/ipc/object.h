/* SPDX-License-Identifier: MIT */
/*
 * What the objects of System V IPC - segments of memory, sets of semaphores, queues of messages -
 * have in common: a number by which they are known, a key by which they are found, an owner and
 * permissions. Each kind has a table of its own with one spinlock, which holds all that is in it.
 */
#ifndef KERNEL_IPC_OBJECT_H
#define KERNEL_IPC_OBJECT_H

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/sched/wait.h"
#include "kernel/spinlock.h"

#define IPC_PRIVATE 0
#define IPC_CREAT   01000u
#define IPC_EXCL    02000u
#define IPC_NOWAIT  04000u

enum { IPC_RMID = 0, IPC_SET = 1, IPC_STAT = 2, IPC_INFO = 3 };

#define IPC_R 0444u
#define IPC_W 0222u
#define IPC_X 0111u

#define IPC_SLOTS 32768u /* indexes; an id is an index and a sequence number above it */

/* All under the table's lock. */
struct ipc_object {
	struct list_head node; /* by index, ascending */
	s32 id;
	s32 key;
	u32 mode; /* permissions, and bits of the kind's own */
	u64 size; /* [I] bytes, semaphores; 0 for what has none */
	u32 uid, gid, cuid, cgid;
	s64 ctime;
};

struct ipc_table {
	struct spinlock lock;
	struct list_head objects; /* lock */
	u32 count;                /* lock */
	u32 last_index, sequence; /* lock; of the next id */
};

#define IPC_TABLE_INIT(name)                                                                       \
	{                                                                                          \
		.lock = SPINLOCK_INIT, .objects = LIST_HEAD_INIT((name).objects),                  \
		.last_index = IPC_SLOTS - 1, .sequence = 0x7fffffffu / IPC_SLOTS                   \
	}

/* As arm64 programs see it, at the head of what IPC_STAT and IPC_SET pass. */
struct abi_ipc_perm {
	s32 key;
	u32 uid, gid, cuid, cgid;
	u32 mode;
	u16 seq, pad;
	u64 unused[2];
};

s64 ipc_now(void); /* in seconds */

/* The caller's, with the permissions of @flags. */
void ipc_object_init(struct ipc_object *o, s32 key, u64 size, u32 flags);

/* With the lock held, by id; NULL where there is none. */
struct ipc_object *ipc_find(const struct ipc_table *t, s32 id);
/*
 * The same for a caller who wants to do what takes the permissions @wanted: 0 and the lock held;
 * -EINVAL, -EACCES and not held.
 */
int ipc_find_lock(struct ipc_table *t, s32 id, u32 wanted, struct ipc_object **o);
/* With the lock held. */
s32 ipc_last_index(const struct ipc_table *t); /* the highest in use, 0 without any */
/* 0, -ENOSPC: there are @max, or -EEXIST: there is one with that key. */
int ipc_add(struct ipc_table *t, struct ipc_object *o, u32 max);
void ipc_remove(struct ipc_table *t, struct ipc_object *o);

bool ipc_is_owner(const struct ipc_object *o);
/* wanted: permission bits in any of the three places. 0, -EACCES. */
int ipc_permission(const struct ipc_object *o, u32 wanted);

/*
 * What callers sleep on an object for. It stays until the last of them has looked at it again; the
 * one who lets it go frees it. All under the table's lock.
 */
struct ipc_waiting {
	struct wait_queue wq;
	u32 refs;    /* the table's, and of each who sleeps */
	u32 changes; /* counted: something is not as it was when somebody last looked */
	bool removed;
};
void ipc_waiting_init(struct ipc_waiting *w);
void ipc_changed(struct ipc_waiting *w);
/* Until it has changed. The lock is given back meanwhile. 0, -EIDRM, -ETIMEDOUT or -ERESTARTSYS. */
long ipc_sleep(struct ipc_table *t, struct ipc_waiting *w, u64 deadline);
/* One reference goes; true: it was the last. */
bool ipc_waiting_put(struct ipc_waiting *w);

/* Owner and permissions, under the lock. 0, -EINVAL. */
int ipc_set_perm(struct ipc_object *o, const struct abi_ipc_perm *p);

#define IPC_DS_MAX 120 /* bytes of the largest struct msqid_ds, semid_ds or shmid_ds */

/* How the calls that all kinds have differ. A struct *id_ds begins with a struct abi_ipc_perm. */
struct ipc_kind {
	struct ipc_table *table;
	u32 ds_size;  /* bytes of its struct *id_ds */
	s32 cmd_stat; /* the command *_STAT; *_STAT_ANY is two above it */
	/* The lock not held. The id of a new one, or -errno; -EEXIST: another was quicker. */
	long (*make)(s32 key, u64 size, u32 flags);
	/* All with the lock. What stands behind the permissions in a struct *id_ds of zeros; */
	void (*fill)(const struct ipc_object *o, void *ds);
	/* IPC_SET, 0 or -errno: all or nothing; NULL: the permissions are all. */
	int (*set)(struct ipc_object *o, const void *ds);
	/* IPC_RMID. It gives the lock back. */
	void (*remove_unlock)(struct ipc_object *o);
};

/*
 * msgget, semget, shmget: the id of the one that has the key, made if it is to be. -ENOENT,
 * -EEXIST, -EACCES, -EINVAL: it is smaller than @size; or what making it says.
 */
long ipc_get(const struct ipc_kind *k, s32 key, u64 size, u32 flags);
/* IPC_STAT, *_STAT, *_STAT_ANY, IPC_SET, IPC_RMID, and -EINVAL for any other command. */
long ipc_ctl(const struct ipc_kind *k, s32 id, s32 cmd, u64 ubuf);

#endif
