/* SPDX-License-Identifier: MIT */
/*
 * The slow ways of lock.h: spinning, and reader-writer semaphores.
 *
 * A semaphore's word says who has it. A writer that finds readers sets RWSEM_WAITING, which keeps
 * new readers out until a writer has had its turn; a writer that gives up takes the bit away again
 * and wakes everybody, so that nobody waits for one that will not come.
 */
#include "mm/internal.h"

void spin_lock_slow(const struct mmk_system *sys, spinlock_t *lock)
{
	do {
		while (spin_is_locked(lock))
			if (sys->port->relax)
				sys->port->relax(sys->ctx);
	} while (!spin_trylock(lock));
}

static int rwsem_wait(struct mmk_system *sys, struct rwsem *sem, uint32_t seen, unsigned flags)
{
	int err;

	atomic_fetch_add(&sem->waiters, 1);
	err = sys->port->wait(sys->ctx, (const uint32_t *)&sem->state, seen, flags);
	atomic_fetch_sub(&sem->waiters, 1);
	return err;
}

static void rwsem_wake(struct mmk_system *sys, struct rwsem *sem)
{
	if (unlikely(atomic_load(&sem->waiters)))
		sys->port->wake(sys->ctx, (const uint32_t *)&sem->state);
}

bool down_read_trylock(struct rwsem *sem)
{
	uint32_t s = atomic_load_explicit(&sem->state, memory_order_relaxed);

	while (!(s & ~RWSEM_READERS))
		if (atomic_compare_exchange_weak_explicit(
		        &sem->state, &s, s + 1, memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

static int down_read_flags(struct mmk_system *sys, struct rwsem *sem, unsigned flags)
{
	count_event(sys, locks_taken);
	while (!down_read_trylock(sem)) {
		uint32_t s = atomic_load(&sem->state);
		int err = (s & ~RWSEM_READERS) ? rwsem_wait(sys, sem, s, flags) : 0;

		if (err)
			return err;
	}
	return 0;
}

/* Taking the semaphore clears RWSEM_WAITING: other waiting writers set it again when they look. */
bool down_write_trylock(struct rwsem *sem)
{
	uint32_t s = atomic_load_explicit(&sem->state, memory_order_relaxed);

	while (!(s & ~RWSEM_WAITING))
		if (atomic_compare_exchange_weak_explicit(
		        &sem->state, &s, RWSEM_WRITER, memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

static int down_write_flags(struct mmk_system *sys, struct rwsem *sem, unsigned flags)
{
	count_event(sys, locks_taken);
	while (!down_write_trylock(sem)) {
		uint32_t s = atomic_load(&sem->state);
		int err;

		if (!(s & ~RWSEM_WAITING))
			continue;
		if (!(s & RWSEM_WAITING) &&
		    !atomic_compare_exchange_strong(&sem->state, &s, s | RWSEM_WAITING))
			continue;
		err = rwsem_wait(sys, sem, s | RWSEM_WAITING, flags);
		if (err) {
			atomic_fetch_and(&sem->state, ~RWSEM_WAITING);
			rwsem_wake(sys, sem);
			return err;
		}
	}
	return 0;
}

void down_read(struct mmk_system *sys, struct rwsem *sem)
{
	(void)down_read_flags(sys, sem, 0);
}

int down_read_killable(struct mmk_system *sys, struct rwsem *sem)
{
	return down_read_flags(sys, sem, MMK_WAIT_KILLABLE);
}

void down_write(struct mmk_system *sys, struct rwsem *sem)
{
	(void)down_write_flags(sys, sem, 0);
}

int down_write_killable(struct mmk_system *sys, struct rwsem *sem)
{
	return down_write_flags(sys, sem, MMK_WAIT_KILLABLE);
}

void up_read(struct mmk_system *sys, struct rwsem *sem)
{
	uint32_t old = atomic_fetch_sub(&sem->state, 1);

	MMK_BUG_ON(sys, !(old & RWSEM_READERS));
	if ((old & RWSEM_READERS) == 1)
		rwsem_wake(sys, sem);
}

void up_write(struct mmk_system *sys, struct rwsem *sem)
{
	uint32_t old = atomic_fetch_and(&sem->state, ~RWSEM_WRITER);

	MMK_BUG_ON(sys, !(old & RWSEM_WRITER));
	rwsem_wake(sys, sem);
}

void downgrade_write(struct mmk_system *sys, struct rwsem *sem)
{
	/* One step: from writer (the top bit) to one reader. */
	uint32_t old = atomic_fetch_sub(&sem->state, RWSEM_WRITER - 1);

	MMK_BUG_ON(sys, !(old & RWSEM_WRITER));
	rwsem_wake(sys, sem);
}
