/* SPDX-License-Identifier: MIT */
/* The kernel's one memory system, and short names for its allocator. */
#ifndef KERNEL_MM_H
#define KERNEL_MM_H

#include <mmkit/mmkit.h>

#include "kernel/lib/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define TASK_SIZE  (1ul << 48)

extern struct mmk_system *mm_sys; /* set by mm_init_system() */

/* Up to 128 KiB, 16-byte aligned; NULL when memory is short. */
static inline void *kmalloc(size_t n)
{
	return mmk_kmalloc(mm_sys, n);
}

static inline void *kzalloc(size_t n)
{
	return mmk_kzalloc(mm_sys, n);
}

/*
 * The same for whoever may wait: drops cached pages and kills before it refuses. Not with a spinlock
 * held, nor on the way of writing a page back.
 */
static inline void *kmalloc_wait(size_t n)
{
	return mmk_kmalloc_wait(mm_sys, n);
}

static inline void *kzalloc_wait(size_t n)
{
	return mmk_kzalloc_wait(mm_sys, n);
}

static inline void kfree(void *p)
{
	mmk_kfree(mm_sys, p);
}

/* What the memory system has done, in words, through `out` in pieces: for `run --report`. */
void mm_report(void (*out)(const char *text, size_t n));

#endif
