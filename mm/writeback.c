/* SPDX-License-Identifier: MIT */
/*
 * Dirty pages to their home.
 *
 * A run of dirty pages is locked in ascending order (the first waits, the rest only if they are
 * free), made clean - which takes the right to write from every PTE, so that the next store is seen
 * - and written with as many calls of ops->write as it takes. Pages stay locked meanwhile, so that
 * nobody writes, truncates or drops them, and no two transfers of one page run at once.
 *
 * Where the write fails the pages from there on are dirty again and stay, to be tried again later;
 * the error waits in wb_err for those who have the file open (wberr.c). A want of memory on the way
 * to the home is none of the file's errors: the pages are tried again, and nobody is told.
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

static void note_error(struct address_space *m, int err)
{
	if (err == -MMK_ENOMEM)
		return;
	mmk_wb_err_note(&m->wb_err, err);
	if (m->ops->write_error)
		m->ops->write_error(m, err);
}

/* While the pages are locked; the flag and the count are for who wants to know. */
static void begin_transfer(struct mmk_system *sys, const struct wb_run *run)
{
	for (unsigned i = 0; i < run->n; i++)
		page_set(run->pages[i], PG_WRITEBACK);
	atomic_fetch_add_explicit(&sys->nr_writeback, run->n, memory_order_relaxed);
}

static void end_transfer(struct mmk_system *sys, const struct wb_run *run)
{
	for (unsigned i = 0; i < run->n; i++)
		page_clear(run->pages[i], PG_WRITEBACK);
	atomic_fetch_sub_explicit(&sys->nr_writeback, run->n, memory_order_relaxed);
}

/* The run's pages are locked. 0, or why not all of it went home. */
static int write_run(struct address_space *m, const struct wb_run *run)
{
	struct mmk_system *sys = m->sys;
	uint64_t want, done = 0;
	int64_t r = 0;
	int err;

	for (unsigned i = 0; i < run->n; i++)
		page_clear_dirty_for_io(m, run->pages[i]);
	begin_transfer(sys, run);
	want = bytes_to_write(m, run);
	while (done < want) {
		r = m->ops->write ? write_once(m, run, done, want) : -MMK_EIO;
		if (r <= 0 || (uint64_t)r > want - done)
			break;
		done += (uint64_t)r;
	}
	end_transfer(sys, run);
	stat_add(sys, pages_written, PAGE_ALIGN(done) >> PAGE_SHIFT);
	if (done == want)
		return 0;
	err = r < 0 ? (int)r : -MMK_EIO;
	note_error(m, err);
	for (uint64_t i = done >> PAGE_SHIFT; i < run->n; i++)
		set_page_dirty(m, run->pages[i]);
	return err;
}

/* Is this locked page one to write? */
static bool wb_wanted(const struct address_space *m, const struct page *page)
{
	return page->mapping == m && page_test(page, PG_DIRTY);
}

static void drop_page(struct address_space *m, struct page *page)
{
	unlock_page(m->sys, page);
	put_page(m->sys, page);
}

/* Dirty pages behind the run, without a break, as long as no lock has to be waited for. */
static void wb_extend_run(struct address_space *m, struct wb_run *run, uint64_t last)
{
	struct page *page;
	uint64_t at;

	while (run->n < IO_BATCH && run->first + run->n <= last) {
		uint64_t next = run->first + run->n;

		page = filemap_next(m, next, next, true, &at);
		if (!page)
			break;
		if (!trylock_page(page)) {
			put_page(m->sys, page);
			break;
		}
		if (!wb_wanted(m, page)) {
			drop_page(m, page);
			break;
		}
		run->pages[run->n++] = page;
	}
}

/* The first dirty page of [first, last] and what follows it without a break. False: none. */
static bool gather_run(struct address_space *m, uint64_t first, uint64_t last, struct wb_run *run)
{
	struct page *page;

	run->n = 0;
	while ((page = filemap_next(m, first, last, true, &run->first))) {
		lock_page(m->sys, page);
		if (wb_wanted(m, page))
			break;
		drop_page(m, page); /* written or truncated while we waited */
	}
	if (!page)
		return false;
	run->pages[run->n++] = page;
	wb_extend_run(m, run, last);
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

uint64_t writeback_range(struct address_space *m, uint64_t first, uint64_t last, uint64_t want,
                         int *err)
{
	uint64_t written = 0;
	struct wb_run run;
	int e;

	while (first <= last && written < want && gather_run(m, first, last, &run)) {
		e = write_run(m, &run);
		if (e && !*err)
			*err = e;
		if (!e)
			written += run.n;
		for (unsigned i = 0; i < run.n; i++)
			drop_page(m, run.pages[i]);
		first = run.first + run.n;
	}
	return written;
}

void writeback_page(struct address_space *m, struct page *page)
{
	struct wb_run run = {.first = page->index, .n = 1, .pages = {page}};

	wb_extend_run(m, &run, ~0ull);
	write_run(m, &run);
	for (unsigned i = 1; i < run.n; i++)
		drop_page(m, run.pages[i]);
}

/* Everything dirty of the range goes home, and what others were writing has got there. */
static int write_and_wait(struct address_space *m, uint64_t start, uint64_t end)
{
	uint64_t first = start >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;
	int err = 0;

	writeback_range(m, first, last, ~0ull, &err);
	wait_writers(m, first, last);
	return err;
}

int mmk_mapping_sync(struct mmk_mapping *m, uint64_t start, uint64_t end, bool durable)
{
	int err, sync_err = 0;

	if (!mapping_has_home(m) || start >= end)
		return 0;
	err = write_and_wait(m, start, end);
	if (durable && m->ops->sync)
		sync_err = m->ops->sync(m);
	return err ? err : sync_err;
}

int mmk_file_sync(struct mmk_file *file, uint64_t start, uint64_t end, bool durable)
{
	struct address_space *m = file->f_mapping;
	int err, told, sync_err = 0;

	if (!m || !mapping_has_home(m) || start >= end)
		return 0;
	err = write_and_wait(m, start, end);
	if (durable && m->ops->sync)
		sync_err = m->ops->sync(m);
	told = mmk_wb_err_tell(&m->wb_err, &file->f_wb_err);
	if (told)
		return told;
	return err == -MMK_ENOMEM ? err : sync_err;
}

void mmk_file_opened(struct mmk_file *file)
{
	struct address_space *m = file->f_mapping;

	file->f_wb_err = m ? mmk_wb_err_sample(&m->wb_err) : 0;
}
