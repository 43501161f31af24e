/* SPDX-License-Identifier: MIT */
/*
 * The recorder, and the functions that compilers call for memory accesses under -fsanitize=thread
 * (GCC's tsan.def, LLVM's tsan_interface.h name them). Atomics do what they say and count as a
 * write, but for loads.
 */
#include "bench/conflicts/recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WATCHED 8

static struct {
	uintptr_t base;
	size_t size;
	uint64_t offset;
} watched[MAX_WATCHED];
static unsigned nr_watched;
static struct recording *current;

void recorder_forget(void)
{
	nr_watched = 0;
}

void recorder_watch(const void *base, size_t size)
{
	uint64_t offset = 0;

	if (nr_watched == MAX_WATCHED)
		abort();
	if (nr_watched)
		offset = watched[nr_watched - 1].offset + watched[nr_watched - 1].size;
	watched[nr_watched].base = (uintptr_t)base;
	watched[nr_watched].size = size;
	watched[nr_watched++].offset = (offset + LINE_SIZE - 1) / LINE_SIZE * LINE_SIZE;
}

void recorder_begin(struct recording *r)
{
	current = r;
}

static int by_offset(const void *a, const void *b)
{
	const struct touched_line *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

void recorder_end(void)
{
	qsort(current->lines, current->nr, sizeof(*current->lines), by_offset);
	current = NULL;
}

void recording_free(struct recording *r)
{
	free(r->lines);
	*r = (struct recording){0};
}

/* The most recent lines are the most likely ones. */
static struct touched_line *line_at(uint64_t offset)
{
	struct recording *r = current;

	for (size_t i = r->nr; i--;)
		if (r->lines[i].offset == offset)
			return &r->lines[i];
	if (r->nr == r->max) {
		r->max = r->max ? 2 * r->max : 256;
		r->lines = realloc(r->lines, r->max * sizeof(*r->lines));
		if (!r->lines)
			abort();
	}
	r->lines[r->nr] = (struct touched_line){.offset = offset};
	return &r->lines[r->nr++];
}

static void note_bytes(uint64_t offset, size_t n, bool write)
{
	while (n) {
		unsigned first = offset % LINE_SIZE;
		size_t here = n < LINE_SIZE - first ? n : LINE_SIZE - first;
		uint64_t mask = (here == LINE_SIZE ? ~0ull : (1ull << here) - 1) << first;
		struct touched_line *line = line_at(offset - first);

		*(write ? &line->written : &line->read) |= mask;
		offset += here;
		n -= here;
	}
}

static void note(const volatile void *p, size_t n, bool write)
{
	uintptr_t at = (uintptr_t)p;

	if (!current)
		return;
	for (unsigned i = 0; i < nr_watched; i++)
		if (at - watched[i].base < watched[i].size) {
			note_bytes(watched[i].offset + (at - watched[i].base), n, write);
			return;
		}
}

/* ---- plain accesses ---- */

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

#define PLAIN(name, size, write)                                                                   \
	void __tsan_##name(void *p);                                                               \
	void __tsan_##name(void *p)                                                                \
	{                                                                                          \
		note(p, size, write);                                                              \
	}
#define PLAIN_OF(size)                                                                             \
	PLAIN(read##size, size, false)                                                             \
	PLAIN(write##size, size, true)                                                             \
	PLAIN(unaligned_read##size, size, false)                                                   \
	PLAIN(unaligned_write##size, size, true)                                                   \
	PLAIN(volatile_read##size, size, false)                                                    \
	PLAIN(volatile_write##size, size, true)
PLAIN_OF(1)
PLAIN_OF(2)
PLAIN_OF(4)
PLAIN_OF(8)
PLAIN_OF(16)

void __tsan_read_range(void *p, size_t n);
void __tsan_read_range(void *p, size_t n)
{
	note(p, n, false);
}

void __tsan_write_range(void *p, size_t n);
void __tsan_write_range(void *p, size_t n)
{
	note(p, n, true);
}

/* ---- atomics ---- */

#define FETCH(bits, op)                                                                            \
	uint##bits##_t __tsan_atomic##bits##_fetch_##op(volatile uint##bits##_t *p,                \
	                                                uint##bits##_t v, int order);              \
	uint##bits##_t __tsan_atomic##bits##_fetch_##op(volatile uint##bits##_t *p,                \
	                                                uint##bits##_t v, int order)               \
	{                                                                                          \
		note(p, sizeof(*p), true);                                                         \
		return __atomic_fetch_##op(p, v, __ATOMIC_SEQ_CST);                                \
	}
#define EXCHANGE_IF_SAME(bits, kind)                                                               \
	int __tsan_atomic##bits##_compare_exchange_##kind(volatile uint##bits##_t *p,              \
	                                                  uint##bits##_t *seen, uint##bits##_t v,  \
	                                                  int good, int bad);                      \
	int __tsan_atomic##bits##_compare_exchange_##kind(                                         \
	    volatile uint##bits##_t *p, uint##bits##_t *seen, uint##bits##_t v, int good, int bad) \
	{                                                                                          \
		note(p, sizeof(*p), true);                                                         \
		return __atomic_compare_exchange_n(p, seen, v, false, __ATOMIC_SEQ_CST,            \
		                                   __ATOMIC_SEQ_CST);                              \
	}
#define ATOMIC(bits)                                                                               \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order);    \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order)     \
	{                                                                                          \
		note(p, sizeof(*p), false);                                                        \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                       \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order); \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order)  \
	{                                                                                          \
		note(p, sizeof(*p), true);                                                         \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                          \
	}                                                                                          \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *p,                  \
	                                              uint##bits##_t v, int order);                \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *p,                  \
	                                              uint##bits##_t v, int order)                 \
	{                                                                                          \
		note(p, sizeof(*p), true);                                                         \
		return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                \
	}                                                                                          \
	FETCH(bits, add)                                                                           \
	FETCH(bits, sub)                                                                           \
	FETCH(bits, and)                                                                           \
	FETCH(bits, or)                                                                            \
	FETCH(bits, xor)                                                                           \
	EXCHANGE_IF_SAME(bits, strong)                                                             \
	EXCHANGE_IF_SAME(bits, weak)
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- what C owes its compiler: the linker leads memset here (--wrap) ---- */

void *__real_memset(void *to, int byte, size_t n);
void *__wrap_memset(void *to, int byte, size_t n);
void *__wrap_memset(void *to, int byte, size_t n)
{
	note(to, n, true);
	return __real_memset(to, byte, n);
}

void *__real_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	note(from, n, false);
	note(to, n, true);
	return __real_memcpy(to, from, n);
}

void *__real_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n)
{
	note(from, n, false);
	note(to, n, true);
	return __real_memmove(to, from, n);
}
