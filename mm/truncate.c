/* SPDX-License-Identifier: MIT */
/*
 * Taking pages out of a file: truncation, hole punching, drop_caches, the end of an inode.
 *
 * Truncation against faults. The new i_size is there first; then mapped pages are taken away, in
 * one sweep over the VMAs; then each page leaves the cache. A fault that had its page before may
 * map it, or a private copy of it, until page->mapping is NULL: it looks at that under the lock of
 * the table. So a second sweep, after the last page has gone, finds whatever the first could not
 * see.
 *
 * A home that shrinks is to be shrunk after this returned: pages in flight to it are waited for
 * here.
 */
#include "mm/internal.h"
#include "mm/cache.h"

#define LAST_INDEX (~0ull)

static void remove_pages(struct address_space *m, uint64_t first, uint64_t last)
{
	uint64_t at, n = 0;
	struct page *page;

	while (first <= last && (page = filemap_next_locked(m, first, last, &at))) {
		filemap_remove(m, page);
		unlock_page(m->sys, page);
		put_page(m->sys, page);
		cond_resched_at(m->sys, ++n);
		first = at + 1;
	}
}

static void take_away(struct address_space *m, uint64_t first, uint64_t last, bool even_cows)
{
	unmap_mapping_range(m, first, last, even_cows);
	remove_pages(m, first, last);
	unmap_mapping_range(m, first, last, even_cows);
}

int mmk_mapping_truncate(struct mmk_mapping *m, uint64_t size)
{
	uint64_t old = mapping_size(m);

	if (size > (uint64_t)INT64_MAX)
		return -MMK_EFBIG;
	if (size > old)
		filemap_zero_tail(m); /* stores behind the old end do not become the file's */
	mapping_set_size(m, size);
	/* Also without a change: pages may be there behind the end (mmk_mapping_pin). */
	if (size <= old) {
		take_away(m, mapping_pages(m), LAST_INDEX, true);
		filemap_zero_tail(m);
	}
	return 0;
}

int mmk_mapping_punch(struct mmk_mapping *m, uint64_t start, uint64_t end)
{
	uint64_t first, last, off = start & ~PAGE_MASK;

	if (start >= end)
		return 0;
	first = start >> PAGE_SHIFT;
	last = end >> PAGE_SHIFT; /* not included */
	if (off) {
		uint64_t stop = first == last ? end & ~PAGE_MASK : PAGE_SIZE;

		filemap_zero_part(m, first++, off, stop);
	}
	if (first < last)
		take_away(m, first, last - 1, false);
	if (first <= last)
		filemap_zero_part(m, last, 0, end & ~PAGE_MASK);
	return 0;
}

uint64_t mmk_mapping_invalidate(struct mmk_mapping *m)
{
	uint64_t at, next = 0, dropped = 0, n = 0;
	struct page *page;

	if (!mapping_has_home(m))
		return 0;
	while ((page = filemap_next(m, next, LAST_INDEX, false, &at))) {
		if (trylock_page(page)) {
			if (page->mapping == m && filemap_remove_unused(m, page))
				dropped++;
			unlock_page(m->sys, page);
		}
		put_page(m->sys, page);
		cond_resched_at(m->sys, ++n);
		next = at + 1;
		if (!next)
			break;
	}
	return dropped;
}

void mmk_mapping_destroy(struct mmk_mapping *m)
{
	MMK_BUG_ON(m->sys, m->i_mmap);
	remove_pages(m, 0, LAST_INDEX);
	/* Whoever dropped the last page may still be about to let go of the lock. */
	i_pages_lock(m);
	MMK_BUG_ON(m->sys, m->i_pages || m->nrpages || m->nrdirty);
	i_pages_unlock(m);
	dirty_wait_idle(m);
}
