/* SPDX-License-Identifier: MIT */
/*
 * Dirty pages to their home.
 *
 * A run of dirty pages is locked in ascending order (the first waits, the rest only if they are
 * free), made clean - which takes the right to write from every PTE, so that the next store is seen
 * - and written with as many calls of ops->write as it takes. Pages stay locked meanwhile, so that
 * nobody writes, truncates or drops them, and no two transfers of one page run at once.
 *
 * Where the write fails the pages from there on are dirty again and stay; the error waits in wb_err
 * for the next one who asks, and is told once.
 *
 * Never written is what lies behind i_size: it is zeroed in the page first.
 */
#include "mm/internal.h"
#include "mm/cache.h"

struct wb_run {
	uint64_t first;
	unsigned n;
	struct page *pages[IO_BATCH];
};

static void note_error(struct address_space *m, int err)
{
	int32_t none = 0;

	__atomic_compare_exchange_n(&m->wb_err, &none, err, false, __ATOMIC_RELAXED,
	                            __ATOMIC_RELAXED);
}

/* Bytes of the run within the file; zeroes the rest of the page in which the file ends. */
static uint64_t bytes_to_write(struct address_space *m, const struct wb_run *run)
{
	uint64_t size = mapping_size(m), pos = run->first << PAGE_SHIFT;
	uint64_t all = (uint64_t)run->n << PAGE_SHIFT, n = size > pos ? size - pos : 0;

	if (n >= all)
		return all;
	if (n & ~PAGE_MASK)
		__builtin_memset((char *)page_address(m->sys, run->pages[n >> PAGE_SHIFT]) +
		                     (n & ~PAGE_MASK),
		                 0, PAGE_SIZE - (n & ~PAGE_MASK));
	return n;
}

/* One call of ops->write for bytes [done, want) of the run. */
static int64_t write_once(struct address_space *m, const struct wb_run *run, uint64_t done,
                          uint64_t want)
{
	struct mmk_iovec iov[IO_BATCH];
	unsigned n = 0;

	for (uint64_t at = done; at < want; n++) {
		uint64_t off = at & ~PAGE_MASK, len = PAGE_SIZE - off;

		if (len > want - at)
			len = want - at;
		iov[n].base = (char *)page_address(m->sys, run->pages[at >> PAGE_SHIFT]) + off;
		iov[n].len = len;
		at += len;
	}
	return m->ops->write(m, (run->first << PAGE_SHIFT) + done, iov, n);
}

/* The run's pages are locked. */
static void write_run(struct address_space *m, const struct wb_run *run)
{
	uint64_t want, done = 0;
	int64_t r = 0;

	for (unsigned i = 0; i < run->n; i++)
		page_clear_dirty_for_io(m, run->pages[i]);
	want = bytes_to_write(m, run);
	while (done < want) {
		r = m->ops->write ? write_once(m, run, done, want) : -MMK_EIO;
		if (r <= 0 || (uint64_t)r > want - done)
			break;
		done += (uint64_t)r;
	}
	stat_add(m->sys, pages_written, PAGE_ALIGN(done) >> PAGE_SHIFT);
	if (done == want)
		return;
	note_error(m, r < 0 ? (int)r : -MMK_EIO);
	for (uint64_t i = done >> PAGE_SHIFT; i < run->n; i++)
		set_page_dirty(m, run->pages[i]);
}

void writeback_page(struct address_space *m, struct page *page)
{
	struct wb_run run = {.first = page->index, .n = 1, .pages = {page}};

	write_run(m, &run);
}

/* Is this locked page one to write? */
static bool wanted(const struct address_space *m, const struct page *page)
{
	return page->mapping == m && page_test(page, PG_DIRTY);
}

static void drop_page(struct address_space *m, struct page *page)
{
	unlock_page(m->sys, page);
	put_page(m->sys, page);
}

/* The first dirty page of [first, last] and what follows it without a break. False: none. */
static bool gather_run(struct address_space *m, uint64_t first, uint64_t last, struct wb_run *run)
{
	struct page *page;
	uint64_t at;

	run->n = 0;
	while ((page = filemap_next(m, first, last, true, &run->first))) {
		lock_page(m->sys, page);
		if (wanted(m, page))
			break;
		drop_page(m, page); /* written or truncated while we waited */
	}
	if (!page)
		return false;
	run->pages[run->n++] = page;
	while (run->n < IO_BATCH && run->first + run->n <= last) {
		uint64_t next = run->first + run->n;

		page = filemap_next(m, next, next, true, &at);
		if (!page)
			break;
		if (!trylock_page(page)) {
			put_page(m->sys, page);
			break;
		}
		if (!wanted(m, page)) {
			drop_page(m, page);
			break;
		}
		run->pages[run->n++] = page;
	}
	return true;
}

/* Someone else may be writing a page of the range right now: it is clean, but not yet at home. */
static void wait_writers(struct address_space *m, uint64_t first, uint64_t last)
{
	struct page *page;
	uint64_t at;

	while (first <= last && (page = filemap_next(m, first, last, false, &at))) {
		if (page_test(page, PG_LOCKED)) {
			lock_page(m->sys, page);
			unlock_page(m->sys, page);
		}
		put_page(m->sys, page);
		first = at + 1;
	}
}

static void write_range(struct address_space *m, uint64_t first, uint64_t last)
{
	struct wb_run run;

	while (first <= last && gather_run(m, first, last, &run)) {
		write_run(m, &run);
		for (unsigned i = 0; i < run.n; i++)
			drop_page(m, run.pages[i]);
		first = run.first + run.n;
	}
}

int mmk_mapping_sync(struct mmk_mapping *m, uint64_t start, uint64_t end, bool durable)
{
	int err, sync_err = 0;

	if (!mapping_has_home(m) || start >= end)
		return 0;
	write_range(m, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	wait_writers(m, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	if (durable && m->ops->sync)
		sync_err = m->ops->sync(m);
	err = __atomic_exchange_n(&m->wb_err, 0, __ATOMIC_RELAXED);
	return err ? err : sync_err;
}
