/* SPDX-License-Identifier: MIT */
/*
 * The locks of the core, all of one 32-bit word so that they fit into the structures they guard.
 *
 * - spinlock_t: C11 atomics; the waiter asks port->relax between looks. Never held while sleeping.
 * - struct rwsem: many readers or one writer, sleeps through port->wait (a futex). A waiting writer
 *   keeps new readers out, so no thread may take it twice for reading.
 * - the page lock: the PG_LOCKED bit of struct page.flags, sleeps; lock_page() in page.c.
 *
 * Sleeping never loses a wake-up: the waiter names the value that it saw, and whoever gives the
 * lock back changes that value before it looks for waiters.
 */
#ifndef MM_LOCK_H
#define MM_LOCK_H

#include <stdatomic.h>
#include "mm/mm_types.h"

/* Events that only a build with MMK_COUNTING counts; in every other one they cost nothing. */
#ifdef MMK_COUNTING
#define count_events(sys, field, n)                                                                \
	((void)__atomic_fetch_add((uint64_t *)&(sys)->cpus->count.field, (n), __ATOMIC_RELAXED))
#else
#define count_events(sys, field, n) ((void)(sys), (void)(n))
#endif
#define count_event(sys, field) count_events(sys, field, 1)

/* ---- spinlocks ---- */

void spin_lock_slow(const struct mmk_system *sys, spinlock_t *lock);

static inline void spin_lock_init(spinlock_t *lock)
{
	atomic_init(&lock->v, 0);
}

static inline bool spin_trylock(spinlock_t *lock)
{
	return !atomic_exchange_explicit(&lock->v, 1, memory_order_acquire);
}

static inline void spin_lock(const struct mmk_system *sys, spinlock_t *lock)
{
	count_event(sys, locks_taken);
	if (__builtin_expect(!spin_trylock(lock), 0))
		spin_lock_slow(sys, lock);
}

static inline void spin_unlock(spinlock_t *lock)
{
	atomic_store_explicit(&lock->v, 0, memory_order_release);
}

static inline bool spin_is_locked(const spinlock_t *lock)
{
	return atomic_load_explicit(&lock->v, memory_order_relaxed) != 0;
}

/* ---- reader-writer semaphores ---- */

#define RWSEM_WRITER  0x80000000u /* held for writing */
#define RWSEM_WAITING 0x40000000u /* a writer waits: no new readers */
#define RWSEM_READERS 0x3fffffffu

static inline void rwsem_init(struct rwsem *sem)
{
	atomic_init(&sem->state, 0);
	atomic_init(&sem->waiters, 0);
}

int down_read_slow(struct mmk_system *sys, struct rwsem *sem, unsigned flags);
int down_write_slow(struct mmk_system *sys, struct rwsem *sem, unsigned flags);
void rwsem_wake_slow(struct mmk_system *sys, struct rwsem *sem);
void rwsem_not_held(struct mmk_system *sys);
void downgrade_write(struct mmk_system *sys, struct rwsem *sem); /* writer becomes a reader */

static inline bool down_read_trylock(struct rwsem *sem)
{
	uint32_t s = atomic_load_explicit(&sem->state, memory_order_relaxed);

	while (!(s & ~RWSEM_READERS))
		if (atomic_compare_exchange_weak_explicit(
		        &sem->state, &s, s + 1, memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

/* Taking the semaphore clears RWSEM_WAITING: other waiting writers set it again when they look. */
static inline bool down_write_trylock(struct rwsem *sem)
{
	uint32_t s = 0; /* most of the time */

	if (__builtin_expect(atomic_compare_exchange_strong_explicit(&sem->state, &s, RWSEM_WRITER,
	                                                             memory_order_acquire,
	                                                             memory_order_relaxed),
	                     1))
		return true;
	while (!(s & ~RWSEM_WAITING))
		if (atomic_compare_exchange_weak_explicit(
		        &sem->state, &s, RWSEM_WRITER, memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

/* Between the parts of a long call, no spinlock held: see port->resched. */
static inline void cond_resched(const struct mmk_system *sys)
{
	if (sys->port->resched)
		sys->port->resched(sys->ctx);
}

/* The same in a walk page by page, i of which are behind it: now and then. */
static inline void cond_resched_at(const struct mmk_system *sys, uint64_t i)
{
	if (__builtin_expect(!(i % 256), 0))
		cond_resched(sys);
}

static inline void down_read(struct mmk_system *sys, struct rwsem *sem)
{
	count_event(sys, locks_taken);
	if (__builtin_expect(!down_read_trylock(sem), 0))
		(void)down_read_slow(sys, sem, 0);
}

/* 0, or -EINTR when the task has been killed while it waited. */
static inline int down_read_killable(struct mmk_system *sys, struct rwsem *sem)
{
	count_event(sys, locks_taken);
	if (__builtin_expect(down_read_trylock(sem), 1))
		return 0;
	return down_read_slow(sys, sem, MMK_WAIT_KILLABLE);
}

static inline void down_write(struct mmk_system *sys, struct rwsem *sem)
{
	count_event(sys, locks_taken);
	if (__builtin_expect(!down_write_trylock(sem), 0))
		(void)down_write_slow(sys, sem, 0);
}

/* 0, or -EINTR when the task has been killed while it waited. */
static inline int down_write_killable(struct mmk_system *sys, struct rwsem *sem)
{
	count_event(sys, locks_taken);
	if (__builtin_expect(down_write_trylock(sem), 1))
		return 0;
	return down_write_slow(sys, sem, MMK_WAIT_KILLABLE);
}

/* The state has changed: those who slept for it look again. */
static inline void rwsem_wake(struct mmk_system *sys, struct rwsem *sem)
{
	if (__builtin_expect(atomic_load(&sem->waiters), 0))
		rwsem_wake_slow(sys, sem);
}

static inline void up_read(struct mmk_system *sys, struct rwsem *sem)
{
	uint32_t readers = atomic_fetch_sub(&sem->state, 1) & RWSEM_READERS;

	if (__builtin_expect(!readers, 0))
		rwsem_not_held(sys);
	if (readers == 1)
		rwsem_wake(sys, sem);
}

static inline void up_write(struct mmk_system *sys, struct rwsem *sem)
{
	uint32_t old = atomic_fetch_and(&sem->state, ~RWSEM_WRITER);

	if (__builtin_expect(!(old & RWSEM_WRITER), 0))
		rwsem_not_held(sys);
	rwsem_wake(sys, sem);
}

static inline bool rwsem_is_locked(const struct rwsem *sem)
{
	return (atomic_load_explicit(&sem->state, memory_order_relaxed) & ~RWSEM_WAITING) != 0;
}

static inline bool rwsem_is_write_locked(const struct rwsem *sem)
{
	return (atomic_load_explicit(&sem->state, memory_order_relaxed) & RWSEM_WRITER) != 0;
}

/* ---- mm->mmap_lock ---- */

static inline void mmap_read_lock(struct mm_struct *mm)
{
	down_read(mm->sys, &mm->mmap_lock);
}

static inline int mmap_read_lock_killable(struct mm_struct *mm)
{
	return down_read_killable(mm->sys, &mm->mmap_lock);
}

static inline void mmap_read_unlock(struct mm_struct *mm)
{
	up_read(mm->sys, &mm->mmap_lock);
}

/*
 * mm->seq is odd while the lock is held for writing. Who looks without the lock notes an even value
 * first, and under the lock of the table that it is about to change compares it again: if it is the
 * same, no writer has begun, and one that begins now finds the change in the table.
 */
static inline void mmap_write_begin(struct mm_struct *mm)
{
	atomic_store_explicit(&mm->seq,
			      atomic_load_explicit(&mm->seq, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

static inline void mmap_write_end(struct mm_struct *mm)
{
	atomic_store_explicit(&mm->seq,
			      atomic_load_explicit(&mm->seq, memory_order_relaxed) + 1,
			      memory_order_release);
}

static inline uint32_t mmap_seq(const struct mm_struct *mm)
{
	return atomic_load_explicit(&mm->seq, memory_order_acquire);
}

static inline void mmap_write_lock(struct mm_struct *mm)
{
	down_write(mm->sys, &mm->mmap_lock);
	mmap_write_begin(mm);
}

static inline int mmap_write_lock_killable(struct mm_struct *mm)
{
	int err = down_write_killable(mm->sys, &mm->mmap_lock);

	if (__builtin_expect(!err, 1))
		mmap_write_begin(mm);
	return err;
}

static inline void mmap_write_unlock(struct mm_struct *mm)
{
	mmap_write_end(mm);
	up_write(mm->sys, &mm->mmap_lock);
}

static inline void mmap_write_downgrade(struct mm_struct *mm)
{
	mmap_write_end(mm);
	downgrade_write(mm->sys, &mm->mmap_lock);
}

#define mmap_assert_locked(mm)       MMK_BUG_ON((mm)->sys, !rwsem_is_locked(&(mm)->mmap_lock))
#define mmap_assert_write_locked(mm) MMK_BUG_ON((mm)->sys, !rwsem_is_write_locked(&(mm)->mmap_lock))

/* ---- the two spinlocks of a mapping (plain words there: the embedder sees that structure) ---- */

static inline void i_pages_lock(struct address_space *m)
{
	spin_lock(m->sys, (spinlock_t *)&m->i_pages_lock);
}

static inline void i_pages_unlock(struct address_space *m)
{
	spin_unlock((spinlock_t *)&m->i_pages_lock);
}

static inline void i_mmap_lock(struct address_space *m)
{
	spin_lock(m->sys, (spinlock_t *)&m->i_mmap_lock);
}

static inline void i_mmap_unlock(struct address_space *m)
{
	spin_unlock((spinlock_t *)&m->i_mmap_lock);
}

/* ---- PG_* bits: many write the word of flags, so each change is atomic ---- */

static inline bool page_test(const struct page *page, uint32_t bits)
{
	return (atomic_load_explicit(&page->flags, memory_order_acquire) & bits) != 0;
}

static inline void page_set(struct page *page, uint32_t bits)
{
	atomic_fetch_or_explicit(&page->flags, bits, memory_order_release);
}

static inline void page_clear(struct page *page, uint32_t bits)
{
	atomic_fetch_and_explicit(&page->flags, ~bits, memory_order_release);
}

/* Set or clear, and tell whether any of the bits was set before. */
static inline bool page_test_set(struct page *page, uint32_t bits)
{
	return (atomic_fetch_or(&page->flags, bits) & bits) != 0;
}

static inline bool page_test_clear(struct page *page, uint32_t bits)
{
	return (atomic_fetch_and(&page->flags, ~bits) & bits) != 0;
}

#endif
