/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks: one word, taken by an exclusive pair with acquire, released by a store with release.
 * The waiter sleeps in WFE; the releasing store wakes it, as it clears the waiter's exclusive
 * monitor.
 *
 * A lock that an interrupt handler takes must always be taken with interrupts off (_irqsave, _irq).
 */
#ifndef KERNEL_SPINLOCK_H
#define KERNEL_SPINLOCK_H

#include "kernel/irq.h"
#include "kernel/lib/types.h"

struct spinlock {
	u32 locked;
};
typedef struct spinlock spinlock_t;

#define SPINLOCK_INIT                                                                              \
	{                                                                                          \
		0                                                                                  \
	}

static inline void spin_init(struct spinlock *l)
{
	l->locked = 0;
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	return READ_ONCE(l->locked) != 0;
}

static inline void spin_lock(struct spinlock *l)
{
	u32 seen, failed;

	__asm__ volatile("	b	1f\n"
	                 "0:	wfe\n"
	                 "1:	ldaxr	%w0, %2\n"
	                 "	cbnz	%w0, 0b\n"
	                 "	stxr	%w1, %w3, %2\n"
	                 "	cbnz	%w1, 1b\n"
	                 : "=&r"(seen), "=&r"(failed), "+Q"(l->locked)
	                 : "r"(1)
	                 : "memory");
}

static inline bool spin_trylock(struct spinlock *l)
{
	u32 seen, failed = 1;

	__asm__ volatile("1:	ldaxr	%w0, %2\n"
	                 "	cbnz	%w0, 2f\n"
	                 "	stxr	%w1, %w3, %2\n"
	                 "	cbnz	%w1, 1b\n"
	                 "2:\n"
	                 : "=&r"(seen), "+&r"(failed), "+Q"(l->locked)
	                 : "r"(1)
	                 : "memory");
	return !seen;
}

static inline void spin_unlock(struct spinlock *l)
{
	__asm__ volatile("stlr	wzr, %0" : "=Q"(l->locked) : : "memory");
}

static inline void spin_lock_irq(struct spinlock *l)
{
	local_irq_disable();
	spin_lock(l);
}

static inline void spin_unlock_irq(struct spinlock *l)
{
	spin_unlock(l);
	local_irq_enable();
}

static inline unsigned long spin_lock_irqsave(struct spinlock *l)
{
	unsigned long flags = local_irq_save();

	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags)
{
	spin_unlock(l);
	local_irq_restore(flags);
}

#endif
