/* SPDX-License-Identifier: MIT */
/*
 * What the CPU does in fewer instructions than compilers make of C11's atomics: they form the address
 * of each atomic access apart.
 */
#ifndef ARM64_ATOMIC_H
#define ARM64_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One load, in no order; and one of a pointer, before all that is read through it (Arm ARM B2.3.2). */
#ifdef MMK_HW_ARM64
#define load_relaxed(p)	  (*(volatile __typeof__(*(p)) *)(p))
#define load_dependent(p) load_relaxed(p)
#else
#define load_relaxed(p)	  __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_dependent(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#endif

/* *v becomes one more, unless it is 0: then false. Acquire. */
#ifdef MMK_HW_ARM64
static inline bool inc_unless_zero(_Atomic uint32_t *v)
{
	uint32_t old, new, failed;

	__asm__ volatile("1:	ldaxr	%w[old], %[v]\n"
			 "	cbz	%w[old], 2f\n"
			 "	add	%w[new], %w[old], #1\n"
			 "	stxr	%w[failed], %w[new], %[v]\n"
			 "	cbnz	%w[failed], 1b\n"
			 "2:"
			 : [old] "=&r"(old), [new] "=&r"(new), [failed] "=&r"(failed), [v] "+Q"(*v)
			 :
			 : "memory");
	return old;
}
#else
static inline bool inc_unless_zero(_Atomic uint32_t *v)
{
	uint32_t n = atomic_load_explicit(v, memory_order_relaxed);

	while (n)
		if (atomic_compare_exchange_weak_explicit(v, &n, n + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}
#endif

#endif
