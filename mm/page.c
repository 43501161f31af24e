/* SPDX-License-Identifier: MIT */
/*
 * One frame: its references, its lock, its bytes.
 *
 * A frame belongs to whoever holds a reference; the last one that goes gives it back to the buddy
 * allocator. The page lock is the PG_LOCKED bit; PG_WAITERS beside it says that somebody sleeps for
 * it, in the same word, so that giving the lock back is one atomic operation and no wake-up is
 * lost.
 */
#include "mm/internal.h"
#include "arch/arm64/pgtable.h"

void put_page(struct mmk_system *sys, struct page *page)
{
	uint32_t old = atomic_fetch_sub_explicit(&page->refcount, 1, memory_order_acq_rel);

	MMK_BUG_ON(sys, !old);
	if (old == 1)
		free_pages(sys, page);
}

bool trylock_page(struct page *page)
{
	return !(atomic_fetch_or_explicit(&page->flags, PG_LOCKED, memory_order_acquire) &
	         PG_LOCKED);
}

void lock_page(struct mmk_system *sys, struct page *page)
{
	count_event(sys, locks_taken);
	while (!trylock_page(page)) {
		uint32_t f = atomic_fetch_or(&page->flags, PG_WAITERS) | PG_WAITERS;

		/* Given back in between: the bit is set for nobody, which costs one idle wake. */
		if (f & PG_LOCKED)
			sys->port->wait(sys->ctx, (const uint32_t *)&page->flags, f, 0);
	}
}

void unlock_page(struct mmk_system *sys, struct page *page)
{
	uint32_t old = atomic_fetch_and(&page->flags, ~(PG_LOCKED | PG_WAITERS));

	MMK_BUG_ON(sys, !(old & PG_LOCKED));
	if (unlikely(old & PG_WAITERS))
		sys->port->wake(sys->ctx, (const uint32_t *)&page->flags);
}

void clear_page(void *kva)
{
	hw_clear_page(kva);
}

void copy_page(void *dst, const void *src)
{
	__builtin_memcpy(dst, src, PAGE_SIZE);
}

void *mmk_page_address(struct mmk_system *sys, struct mmk_page *page)
{
	return page_address(sys, page);
}

struct mmk_page *mmk_virt_to_page(struct mmk_system *sys, const void *va)
{
	return phys_to_page(sys, virt_to_phys(sys, va));
}

void mmk_page_get(struct mmk_page *page)
{
	get_page(page);
}

void mmk_page_put(struct mmk_system *sys, struct mmk_page *page)
{
	put_page(sys, page);
}
