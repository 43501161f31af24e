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

/*
 * One load or store, in no order; and one load of a pointer, before all that is read through it (Arm ARM
 * B2.3.2).
 */
#ifdef MMK_HW_ARM64
#define one_access(p)	    (*(volatile __typeof__(__atomic_load_n(p, __ATOMIC_RELAXED)) *)(p))
#define load_relaxed(p)	    one_access(p)
#define load_dependent(p)   one_access(p)
#define store_relaxed(p, v) ((void)(one_access(p) = (v)))
#else
#define load_relaxed(p)	    __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_dependent(p)   __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#endif

/* Two words that lie behind each other, each by a load in no order. */
#ifdef MMK_HW_ARM64
#define load_two_relaxed(p, a, b)                                                                  \
	__asm__ volatile("ldp	%0, %1, %2" : "=r"(a), "=r"(b) : "Ump"(*(const uint64_t(*)[2])(p)))
#else
#define load_two_relaxed(p, a, b)                                                                  \
	((a) = __atomic_load_n((const uint64_t *)(p), __ATOMIC_RELAXED),                           \
	 (b) = __atomic_load_n((const uint64_t *)(p) + 1, __ATOMIC_RELAXED))
#endif
/* The address is formed once and not of its parts at each use. */
#define formed_once(p) __asm__("" : "+r"(p))

/* *v becomes one more, unless it is 0: then false. Acquire. */
#ifdef MMK_HW_ARM64
static inline bool inc_unless_zero(_Atomic uint32_t *v)
{
	uint32_t n, failed;

	/* A jump where it is 0, else callers would ask again what is known here. */
	__asm__ goto("1:	ldaxr	%w[n], %[v]\n"
		     "	cbz	%w[n], %l[zero]\n"
		     "	add	%w[n], %w[n], #1\n"
		     "	stxr	%w[failed], %w[n], %[v]\n"
		     "	cbnz	%w[failed], 1b"
		     : [n] "=&r"(n), [failed] "=&r"(failed), [v] "+Q"(*v)
		     :
		     : "memory"
		     : zero);
	return true;
zero:
	return false;
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
