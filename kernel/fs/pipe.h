/* SPDX-License-Identifier: MIT */
/* A pipe from within, for what moves bytes between pipes and files: pipe.c and splice.c. */
#ifndef KERNEL_FS_PIPE_H
#define KERNEL_FS_PIPE_H

#include "kernel/lib/types.h"
#include "kernel/sched/wait.h"

struct file;

#define PIPE_BUF 4096u

struct pipe {
	struct mutex lock;
	struct wait_queue rd, wr;
	u32 readers, writers; /* lock for changing */
	u32 r_opens, w_opens; /* lock; how often, for open to see who came and went */
	u32 head, tail;       /* lock; bytes ever written and read, modulo 2^32 */
	u32 size;             /* lock; bytes that it holds: a power of two, of whole pages */
	char **page;          /* lock */
};

static inline u32 pipe_used(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

/* Bytes that still fit in. */
static inline u32 pipe_room(const struct pipe *p)
{
	u32 size = READ_ONCE(p->size);

	return size - min(size, pipe_used(p));
}

/* The pipe or fifo that f is an end of, or NULL. */
struct pipe *pipe_of(struct file *f);
/* With the lock: bytes from the front, which stay; their number. And bytes to the end: *err -ENOMEM
 * where not all went for want of it. */
size_t pipe_peek(const struct pipe *p, char *buf, size_t n);
size_t pipe_put(struct pipe *p, const char *buf, size_t n, int *err);
/* Somebody who waits for it (rd: for bytes, wr: for room) looks again. */
void pipe_changed(struct wait_queue *wq);

#endif
