/* SPDX-License-Identifier: MIT */
/*
 * The page cache: (file, index) -> page. read(2), write(2) and faults all come here, so that they
 * see the same bytes.
 *
 * The radix tree holds one reference on each page. A page enters the tree locked and not up to
 * date; whoever finds it so waits for its lock and looks again. What may change it:
 *
 *   fill      under its lock, from ops->read or with zeros; then PG_UPTODATE, for good
 *   removal   under its lock and i_pages_lock: page->mapping becomes NULL (truncate.c, reclaim.c);
 *             a read that failed removes it too, so that the next reader tries again
 *   dirtying  under i_pages_lock: PG_DIRTY, the bit in the tree and the counts change together
 *
 * A miss reads a run of pages at once: IO_BATCH where the page before is cached (somebody reads
 * along), fewer where not. Pages of a run are locked in ascending order, all new: no deadlock.
 *
 * i_size is at most INT64_MAX, so page indexes of a file never come near wrapping.
 */
#include "mm/internal.h"
#include "mm/cache.h"

#define RANDOM_BATCH  8 /* pages read at once where nothing says that somebody reads along */
#define SIZE_MAX_FILE ((uint64_t)INT64_MAX)

void mapping_set_size(struct address_space *m, uint64_t size)
{
	__atomic_store_n(&m->i_size, size, __ATOMIC_RELEASE);
}

void mmk_mapping_init(struct mmk_system *sys, struct mmk_mapping *m,
                      const struct mmk_mapping_ops *ops, void *host, uint64_t size)
{
	__builtin_memset(m, 0, sizeof(*m));
	m->sys = sys;
	m->ops = ops;
	m->host = host;
	m->i_size = size;
	m->flags = mapping_has_home(m) ? 0 : MMK_MAPPING_SHMEM;
}

/* ---- looking up ---- */

static void set_page_mapping(struct page *page, struct address_space *m)
{
	__atomic_store_n(&page->mapping, m, __ATOMIC_RELEASE);
}

struct page *filemap_find(struct address_space *m, uint64_t index)
{
	struct page *page;

	i_pages_lock(m);
	page = radix_lookup(m->i_pages, index);
	if (page)
		get_page(page);
	i_pages_unlock(m);
	return page;
}

struct page *filemap_next(struct address_space *m, uint64_t first, uint64_t last, bool dirty,
                          uint64_t *at)
{
	struct page *page;

	i_pages_lock(m);
	page = radix_next(m->i_pages, first, last, dirty, at);
	if (page)
		get_page(page);
	i_pages_unlock(m);
	return page;
}

struct page *filemap_next_locked(struct address_space *m, uint64_t first, uint64_t last,
                                 uint64_t *at)
{
	struct page *page;

	while ((page = filemap_next(m, first, last, false, at))) {
		lock_page(m->sys, page);
		if (page->mapping == m)
			return page;
		unlock_page(m->sys, page); /* went while we waited: look again */
		put_page(m->sys, page);
	}
	return NULL;
}

struct page *filemap_peek(struct address_space *m, uint64_t index)
{
	struct page *page;

	if (index >= mapping_pages(m))
		return NULL;
	i_pages_lock(m);
	page = radix_lookup(m->i_pages, index);
	if (page && page_test(page, PG_UPTODATE))
		get_page(page);
	else
		page = NULL;
	i_pages_unlock(m);
	return page;
}

struct page *filemap_look(struct address_space *m, uint64_t index)
{
	void *const *slots;
	uint64_t used;
	struct page *page;

	radix_window(&m->i_pages, index, 1, &slots, &used);
	if (!used)
		return NULL;
	page = slot_get(slots);
	return page && cache_page_get(m, page, index, PG_UPTODATE) ? page : NULL;
}

/* ---- entering and leaving ---- */

/*
 * Put a new page, locked, at index, with a reference of its own for the cache. 0; or -EEXIST, -ENOMEM
 * with the page unlocked.
 */
static int cache_insert_locked(struct address_space *m, struct page *page, uint64_t index)
{
	int err;

	page->index = index;
	set_page_mapping(page, m);
	i_pages_lock(m);
	err = radix_insert(m->sys, &m->i_pages, index, page);
	if (!err) {
		get_page(page);
		m->nrpages++;
		if (m->flags & MMK_MAPPING_SHMEM) {
			page_set(page, PG_SHMEM);
			atomic_fetch_add_explicit(&m->sys->nr_shmem, 1, memory_order_relaxed);
		}
	}
	i_pages_unlock(m);
	if (err) {
		set_page_mapping(page, NULL);
		unlock_page(m->sys, page);
	}
	return err;
}

/* The same, and lock it: a scan of the frame table may hold it for a moment. */
static int cache_insert(struct address_space *m, struct page *page, uint64_t index)
{
	lock_page(m->sys, page);
	return cache_insert_locked(m, page, index);
}

/* i_pages_lock held: the page is dirty no more. */
static void account_clean(struct address_space *m, struct page *page)
{
	if (!page_test_clear(page, PG_DIRTY))
		return;
	radix_clear_dirty(m->i_pages, page->index);
	if (!--m->nrdirty)
		dirty_list_leave(m);
	atomic_fetch_sub_explicit(&m->sys->nr_dirty, 1, memory_order_relaxed);
}

/* i_pages_lock held. The caller drops the cache's reference when it has let go of the lock. */
static void cache_delete(struct address_space *m, struct page *page)
{
	account_clean(m, page);
	radix_delete(m->sys, &m->i_pages, page->index);
	m->nrpages--;
	set_page_mapping(page, NULL);
}

void filemap_remove(struct address_space *m, struct page *page)
{
	i_pages_lock(m);
	cache_delete(m, page);
	i_pages_unlock(m);
	put_page(m->sys, page);
}

/*
 * Two references (the cache's, the caller's) mean that nobody else has it. Nobody will, as others are
 * made under i_pages_lock, by those who hold one, or by who finds that there are any: so there are
 * none for a moment.
 */
bool filemap_remove_unused(struct address_space *m, struct page *page)
{
	uint32_t two = 2;
	bool unused;

	i_pages_lock(m);
	unused = !page_test(page, PG_DIRTY) &&
		 atomic_compare_exchange_strong(&page->refcount, &two, 0);
	if (unused) {
		cache_delete(m, page);
		atomic_store_explicit(&page->refcount, 1, memory_order_release);
	}
	i_pages_unlock(m);
	return unused;
}

/* ---- dirty state ---- */

/*
 * A homeless page has nowhere to be written, so it is never dirty, but what smaps shows. A page that
 * truncation has taken away meanwhile stays clean as well.
 */
void set_page_dirty(struct address_space *m, struct page *page)
{
	if (page_test(page, PG_DIRTY | PG_WRITTEN))
		return;
	if (!mapping_has_home(m)) {
		page_set(page, PG_WRITTEN);
		return;
	}
	i_pages_lock(m);
	if (page->mapping == m && !page_test_set(page, PG_DIRTY)) {
		radix_set_dirty(m->i_pages, page->index);
		if (!m->nrdirty++)
			dirty_list_enter(m);
		atomic_fetch_add_explicit(&m->sys->nr_dirty, 1, memory_order_relaxed);
	}
	i_pages_unlock(m);
}

/*
 * Page locked. The flag goes first and the PTEs' right to write second: a store through a PTE made
 * before is in the bytes that are about to be written, one after it faults and sets the flag again.
 */
bool page_clear_dirty_for_io(struct address_space *m, struct page *page)
{
	bool was;

	i_pages_lock(m);
	was = page_test(page, PG_DIRTY);
	account_clean(m, page);
	i_pages_unlock(m);
	if (page_mkclean(m, page))
		was = true;
	return was;
}

/* ---- filling ---- */

struct run {
	uint64_t first;
	unsigned n;
	struct page *pages[IO_BATCH]; /* locked, one reference of ours each */
};

/* Drop a page of ours that could not be filled. */
static void cache_abort(struct address_space *m, struct page *page)
{
	filemap_remove(m, page);
	unlock_page(m->sys, page);
	put_page(m->sys, page);
}

/*
 * Read `want` bytes from the home into the run, as often as it takes: a short answer is asked again
 * for the rest, 0 is the end. Returns how many bytes came; less than want with *err != 0: an error.
 */
static uint64_t read_home(struct address_space *m, struct run *run, uint64_t want, int *err)
{
	uint64_t pos = run->first << PAGE_SHIFT, done = 0;
	struct mmk_iovec iov[IO_BATCH];

	*err = 0;
	while (done < want) {
		unsigned n = 0;
		int64_t r;

		for (uint64_t at = done; at < want; n++) {
			uint64_t off = at & ~PAGE_MASK, len = PAGE_SIZE - off;
			struct page *page = run->pages[at >> PAGE_SHIFT];

			if (len > want - at)
				len = want - at;
			iov[n].base = (char *)page_address(m->sys, page) + off;
			iov[n].len = len;
			at += len;
		}
		r = m->ops->read(m, pos + done, iov, n);
		if (r <= 0 || (uint64_t)r > want - done) {
			*err = r == 0 ? 0 : r == -MMK_ENOMEM ? -MMK_ENOMEM : -MMK_EIO;
			break;
		}
		done += (uint64_t)r;
	}
	return done;
}

/* Fill the run, unlock what is good (the first page keeps our reference), remove what is not. */
static int fill_run(struct address_space *m, struct run *run)
{
	uint64_t size = mapping_size(m), pos = run->first << PAGE_SHIFT;
	uint64_t want = size > pos ? size - pos : 0, got, all = (uint64_t)run->n << PAGE_SHIFT;
	int err, first_err = 0;

	if (want > all)
		want = all;
	got = read_home(m, run, want, &err);
	for (unsigned i = 0; i < run->n; i++) {
		struct page *page = run->pages[i];
		uint64_t begin = (uint64_t)i << PAGE_SHIFT, end = begin + PAGE_SIZE;

		if (err && got < end) {
			first_err = i ? first_err : err;
			cache_abort(m, page);
			continue;
		}
		if (got < end) {
			uint64_t off = got > begin ? got - begin : 0;

			__builtin_memset((char *)page_address(m->sys, page) + off, 0,
			                 PAGE_SIZE - off);
		}
		page_set(page, PG_UPTODATE);
		stat_inc_rare(m->sys, pages_read);
		unlock_page(m->sys, page);
		if (i)
			put_page(m->sys, page);
	}
	return first_err;
}

/* Pages behind the first, as long as they are wanted, absent, and memory is there. */
static void extend_run(struct address_space *m, struct run *run)
{
	uint64_t end = mapping_pages(m), limit = RANDOM_BATCH;
	struct page *page;

	if (!run->first)
		limit = IO_BATCH;
	else if ((page = filemap_peek(m, run->first - 1))) {
		limit = IO_BATCH;
		put_page(m->sys, page);
	}
	while (run->n < limit && run->first + run->n < end) {
		page = alloc_page_spare(m->sys, PAGE_CACHE);
		if (!page)
			return;
		if (cache_insert(m, page, run->first + run->n)) {
			put_page(m->sys, page);
			return;
		}
		run->pages[run->n++] = page;
	}
}

/* A new locked page at index with our reference, not filled. 0, -EEXIST, -ENOMEM. */
static int add_page(struct address_space *m, uint64_t index, struct page **out)
{
	struct page *page = alloc_page_reclaim(m->sys, PAGE_CACHE);
	unsigned tries = 0;
	int err;

	if (!page)
		return -MMK_ENOMEM;
	do
		err = cache_insert(m, page, index);
	while (unlikely(err == -MMK_ENOMEM) && tries++ < RELIEF_TRIES && relieve_shortage(m->sys));
	if (err) {
		put_page(m->sys, page);
		return err;
	}
	*out = page;
	return 0;
}

/* Make the locked new page of a homeless mapping one of zeros; the embedder may refuse (ENOSPC). */
static int fill_hole(struct address_space *m, struct page *page)
{
	int err = 0;

	if (m->ops && m->ops->page_mkwrite)
		err = m->ops->page_mkwrite(m, page->index);
	if (err) {
		cache_abort(m, page);
		return err;
	}
	clear_page(page_address(m->sys, page));
	page_set(page, PG_UPTODATE);
	return 0;
}

/* A page that was not there. 0; -EEXIST: it is there now; -ENOENT: a hole; or an error. */
static int fill_new(struct address_space *m, uint64_t index, bool create, struct page **out,
                    bool *major)
{
	struct run run;
	int err;

	if (!mapping_has_home(m) && !create)
		return -MMK_ENOENT;
	err = add_page(m, index, out);
	if (err)
		return err;
	if (!mapping_has_home(m)) {
		err = fill_hole(m, *out);
		if (!err)
			unlock_page(m->sys, *out);
		return err;
	}
	run.first = index;
	run.n = 1;
	run.pages[0] = *out;
	extend_run(m, &run);
	*major = true;
	return fill_run(m, &run);
}

struct page *filemap_make_nowait(struct address_space *m, uint64_t index)
{
	struct page *page;

	if (mapping_has_home(m) ||
	    (m->ops && m->ops->page_mkwrite && !m->ops->page_mkwrite_nowait))
		return NULL;
	page = alloc_page_nowait(m->sys, PAGE_CACHE);
	if (unlikely(!page))
		return NULL;
	if (unlikely(!trylock_page(page) || cache_insert_locked(m, page, index))) {
		put_page(m->sys, page);
		return NULL;
	}
	if (unlikely(fill_hole(m, page)))
		return NULL;
	unlock_page(m->sys, page);
	return page;
}

/* Wait until the page found is up to date. False: it went, look again. */
static bool wait_uptodate(struct address_space *m, struct page *page)
{
	bool good;

	if (likely(page_test(page, PG_UPTODATE)))
		return true;
	lock_page(m->sys, page);
	good = page->mapping == m && page_test(page, PG_UPTODATE);
	unlock_page(m->sys, page);
	return good;
}

/* filemap_get_page without the question of i_size. */
static int get_any_page(struct address_space *m, uint64_t index, bool create, struct page **out,
                        bool *major)
{
	struct page *page;
	int err;

	do {
		while ((page = filemap_find(m, index))) {
			if (wait_uptodate(m, page)) {
				*out = page;
				return 0;
			}
			put_page(m->sys, page);
		}
		err = fill_new(m, index, create, &page, major);
	} while (err == -MMK_EEXIST);
	if (!err)
		*out = page;
	return err;
}

int filemap_get_page(struct address_space *m, uint64_t index, bool create, struct page **out,
                     bool *major)
{
	struct page *page;
	int err;

	*major = false;
	if (index >= mapping_pages(m))
		return -MMK_ENOENT;
	err = get_any_page(m, index, create, &page, major);
	if (err)
		return err;
	if (unlikely(index >= mapping_pages(m))) {
		put_page(m->sys, page);
		return -MMK_ENOENT;
	}
	if (!page_test(page, PG_REFERENCED))
		page_set(page, PG_REFERENCED);
	*out = page;
	return 0;
}

/* ---- read(2) ---- */

int64_t mmk_mapping_read(struct mmk_mapping *m, uint64_t pos, void *buf, size_t len)
{
	size_t done = 0;

	if (len > SIZE_MAX_FILE)
		len = SIZE_MAX_FILE;
	while (done < len) {
		uint64_t size = mapping_size(m), at = pos + done;
		size_t off = at & ~PAGE_MASK, n = PAGE_SIZE - off;
		struct page *page;
		bool major;
		int err;

		if (at >= size || at < pos)
			break;
		if (n > len - done)
			n = len - done;
		if (n > size - at)
			n = size - at;
		err = filemap_get_page(m, at >> PAGE_SHIFT, false, &page, &major);
		if (err && err != -MMK_ENOENT)
			return done ? (int64_t)done : err;
		if (err) {
			if (at >= mapping_size(m))
				break; /* truncated meanwhile */
			__builtin_memset((char *)buf + done, 0, n);
		} else {
			__builtin_memcpy((char *)buf + done,
			                 (char *)page_address(m->sys, page) + off, n);
			put_page(m->sys, page);
		}
		done += n;
	}
	return (int64_t)done;
}

/* ---- write(2) ---- */

void filemap_zero_part(struct address_space *m, uint64_t index, uint64_t from, uint64_t to)
{
	struct page *page = from < to ? filemap_find(m, index) : NULL;

	if (!page)
		return;
	lock_page(m->sys, page);
	if (page->mapping == m && page_test(page, PG_UPTODATE)) {
		__builtin_memset((char *)page_address(m->sys, page) + from, 0, to - from);
		page_clear(page, PG_EXEC_CLEAN);
	}
	unlock_page(m->sys, page);
	put_page(m->sys, page);
}

void filemap_zero_tail(struct address_space *m)
{
	uint64_t size = mapping_size(m), off = size & ~PAGE_MASK;

	if (off)
		filemap_zero_part(m, size >> PAGE_SHIFT, off, PAGE_SIZE);
}

/* May a new page be written without reading it first? Nothing of the home would be left in it. */
static bool covers_page(const struct address_space *m, uint64_t pos, size_t n)
{
	uint64_t size = mapping_size(m), start = pos & PAGE_MASK;

	return start >= size || (pos == start && (n == PAGE_SIZE || pos + n >= size));
}

/* A page that is not cached: made without a read where that does. */
static int write_begin_new(struct address_space *m, uint64_t pos, size_t n, struct page **out,
                           bool *locked)
{
	bool major;
	int err;

	*locked = mapping_has_home(m) && covers_page(m, pos, n);
	if (!*locked)
		return get_any_page(m, pos >> PAGE_SHIFT, true, out, &major);
	err = add_page(m, pos >> PAGE_SHIFT, out);
	if (!err && n < PAGE_SIZE)
		clear_page(page_address(m->sys, *out));
	return err;
}

/* The page for n bytes at pos, locked, referenced, up to date but for what will be written. */
static int write_begin(struct address_space *m, uint64_t pos, size_t n, struct page **out)
{
	bool locked;
	int err;

	for (;;) {
		*out = filemap_find(m, pos >> PAGE_SHIFT);
		if (!*out) {
			err = write_begin_new(m, pos, n, out, &locked);
			if (err == -MMK_EEXIST)
				continue;
			if (err || locked)
				return err;
		}
		lock_page(m->sys, *out);
		if (likely((*out)->mapping == m && page_test(*out, PG_UPTODATE)))
			return 0;
		unlock_page(m->sys, *out);
		put_page(m->sys, *out);
	}
}

static int write_page(struct address_space *m, uint64_t pos, const void *src, size_t n)
{
	struct page *page;
	int err = write_begin(m, pos, n, &page);

	if (err)
		return err;
	__builtin_memcpy((char *)page_address(m->sys, page) + (pos & ~PAGE_MASK), src, n);
	page_clear(page, PG_EXEC_CLEAN);
	page_set(page, PG_UPTODATE | PG_REFERENCED);
	set_page_dirty(m, page);
	if (pos + n > mapping_size(m))
		mapping_set_size(m, pos + n);
	unlock_page(m->sys, page);
	put_page(m->sys, page);
	if (mapping_has_home(m))
		balance_dirty_pages(m->sys);
	return 0;
}

int64_t mmk_mapping_write(struct mmk_mapping *m, uint64_t pos, const void *buf, size_t len)
{
	size_t done = 0;

	if (!len)
		return 0;
	if (pos >= SIZE_MAX_FILE)
		return -MMK_EFBIG;
	if (len > SIZE_MAX_FILE - pos)
		len = SIZE_MAX_FILE - pos;
	/* What a shared mapping stored behind the end must not become part of the file. */
	if (pos + len > mapping_size(m))
		filemap_zero_tail(m);
	while (done < len) {
		size_t n = PAGE_SIZE - ((pos + done) & ~PAGE_MASK);
		int err;

		if (n > len - done)
			n = len - done;
		err = write_page(m, pos + done, (const char *)buf + done, n);
		if (err)
			return done ? (int64_t)done : err;
		done += n;
	}
	return (int64_t)done;
}

/* ---- pages for the embedder ---- */

int mmk_mapping_pin(struct mmk_mapping *m, uint64_t index, bool create, struct mmk_page **page,
                    void **kva)
{
	bool major;
	int err;

	if (index > SIZE_MAX_FILE >> PAGE_SHIFT)
		return -MMK_EFBIG;
	if (create)
		err = get_any_page(m, index, true, page, &major);
	else
		err = filemap_get_page(m, index, false, page, &major);
	if (!err)
		*kva = page_address(m->sys, *page);
	return err;
}

void mmk_mapping_unpin(struct mmk_mapping *m, struct mmk_page *page, bool dirty)
{
	if (dirty) {
		page_clear(page, PG_EXEC_CLEAN);
		set_page_dirty(m, page);
	}
	put_page(m->sys, page);
}
