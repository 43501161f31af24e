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

void rwsem_wake_slow(struct mmk_system *sys, struct rwsem *sem)
{
	sys->port->wake(sys->ctx, (const uint32_t *)&sem->state);
}

void rwsem_not_held(struct mmk_system *sys)
{
	MMK_BUG_ON(sys, "a semaphore is given back that is not held");
}

int down_read_slow(struct mmk_system *sys, struct rwsem *sem, unsigned flags)
{
	while (!down_read_trylock(sem)) {
		uint32_t s = atomic_load(&sem->state);
		int err = (s & ~RWSEM_READERS) ? rwsem_wait(sys, sem, s, flags) : 0;

		if (err)
			return err;
	}
	return 0;
}

int down_write_slow(struct mmk_system *sys, struct rwsem *sem, unsigned flags)
{
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

void downgrade_write(struct mmk_system *sys, struct rwsem *sem)
{
	/* One step: from writer (the top bit) to one reader. */
	uint32_t old = atomic_fetch_sub(&sem->state, RWSEM_WRITER - 1);

	MMK_BUG_ON(sys, !(old & RWSEM_WRITER));
	rwsem_wake(sys, sem);
}
