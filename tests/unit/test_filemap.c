/* SPDX-License-Identifier: MIT */
/*
 * The page cache over a home of the test's own: bytes in an array, with short transfers, errors and
 * a count of calls. Reading, writing, writeback, truncation, holes, reclaim; no address space is
 * involved.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "harness.h"

#define HOME_MAX (1u << 20)

struct home {
	struct address_space m;
	unsigned char *bytes;
	uint64_t size;  /* of the home: what was written, or there at first */
	uint64_t chunk; /* a call moves at most this many bytes */
	unsigned reads, writes, syncs, mkwrites;
	int read_err, write_err, mkwrite_err;
	uint64_t write_err_from; /* bytes from here on fail */
};

static int64_t move(struct home *h, uint64_t pos, const struct mmk_iovec *iov, unsigned n,
                    uint64_t limit, bool write)
{
	uint64_t done = 0;

	for (unsigned i = 0; i < n; i++)
		for (size_t k = 0; k < iov[i].len; k++, done++) {
			unsigned char *mem = (unsigned char *)iov[i].base + k;

			if (done == h->chunk || pos + done >= limit)
				return (int64_t)done;
			if (write)
				h->bytes[pos + done] = *mem;
			else
				*mem = h->bytes[pos + done];
		}
	return (int64_t)done;
}

static int64_t home_read(struct address_space *m, uint64_t pos, const struct mmk_iovec *iov,
                         unsigned n)
{
	struct home *h = m->host;

	h->reads++;
	return h->read_err ? h->read_err : move(h, pos, iov, n, h->size, false);
}

static int64_t home_write(struct address_space *m, uint64_t pos, const struct mmk_iovec *iov,
                          unsigned n)
{
	struct home *h = m->host;
	uint64_t limit = h->write_err ? h->write_err_from : HOME_MAX;
	int64_t done;

	h->writes++;
	if (h->write_err && pos >= limit)
		return h->write_err;
	done = move(h, pos, iov, n, limit, true);
	if (pos + (uint64_t)done > h->size)
		h->size = pos + (uint64_t)done;
	return done;
}

static int home_sync(struct address_space *m)
{
	struct home *h = m->host;

	h->syncs++;
	return 0;
}

static const struct mmk_mapping_ops home_ops = {
    .read = home_read, .write = home_write, .sync = home_sync};

static int tmp_mkwrite(struct address_space *m, uint64_t index)
{
	struct home *h = m->host;

	h->mkwrites++;
	return h->mkwrite_err;
}

static const struct mmk_mapping_ops tmp_ops = {.page_mkwrite = tmp_mkwrite};

static const struct mmk_mapping_ops quick_ops = {
    .page_mkwrite = tmp_mkwrite, .page_mkwrite_nowait = true};

static struct home *new_home(struct world *w, uint64_t size, const struct mmk_mapping_ops *ops)
{
	struct home *h = calloc(1, sizeof(*h));

	h->bytes = calloc(1, HOME_MAX);
	h->chunk = ~0ull;
	h->size = ops->read ? size : 0;
	for (uint64_t i = 0; i < h->size; i++)
		h->bytes[i] = file_byte(i);
	mmk_mapping_init(w->sys, &h->m, ops, h, size);
	return h;
}

static void end_home(struct home *h)
{
	mmk_mapping_destroy(&h->m);
	free(h->bytes);
	free(h);
}

static int byte_at(struct home *h, uint64_t pos)
{
	unsigned char c;
	int64_t n = mmk_mapping_read(&h->m, pos, &c, 1);

	return n == 1 ? c : n == 0 ? -1000 : (int)n;
}

/* ---- reading ---- */

static void reading_gives_the_homes_bytes_whatever_the_chunks(void **state)
{
	static const uint64_t chunks[] = {~0ull, 1000, 4096, 5000, 1};
	struct world *w = *state;
	unsigned char *buf = malloc(200000);

	for (unsigned c = 0; c < 5; c++) {
		struct home *h = new_home(w, 150001, &home_ops);

		h->chunk = chunks[c];
		assert_int_equal(mmk_mapping_read(&h->m, 5, buf, 200000), 149996);
		for (unsigned i = 0; i < 149996; i++)
			assert_int_equal(buf[i], file_byte(i + 5));
		assert_int_equal(mmk_mapping_read(&h->m, 150001, buf, 10), 0);
		assert_int_equal(mmk_mapping_read(&h->m, ~0ull - 3, buf, 10), 0);
		end_home(h);
	}
	free(buf);
}

static void reading_along_takes_few_calls(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 96 * PAGE_SIZE, &home_ops);
	unsigned char buf[100];

	for (uint64_t pos = 0; pos < 96 * PAGE_SIZE; pos += 100)
		assert_true(mmk_mapping_read(&h->m, pos, buf, 100) > 0);
	assert_int_equal(h->reads, 3);
	end_home(h);
}

static void the_tail_of_the_last_page_is_zero(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, PAGE_SIZE + 10, &home_ops);
	struct page *p;
	bool major;
	unsigned char *va;

	h->size = 3 * PAGE_SIZE; /* the home has more than the file says */
	memset(h->bytes + PAGE_SIZE + 10, 0xee, PAGE_SIZE);
	assert_int_equal(filemap_get_page(&h->m, 1, false, &p, &major), 0);
	assert_true(major);
	va = page_address(w->sys, p);
	assert_int_equal(va[9], file_byte(PAGE_SIZE + 9));
	for (unsigned i = 10; i < PAGE_SIZE; i++)
		assert_int_equal(va[i], 0);
	put_page(w->sys, p);
	assert_int_equal(filemap_get_page(&h->m, 2, false, &p, &major), -MMK_ENOENT);
	assert_int_equal(filemap_get_page(&h->m, ~0ull, true, &p, &major), -MMK_ENOENT);
	end_home(h);
}

static void a_failed_read_is_tried_again(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 10 * PAGE_SIZE, &home_ops);

	h->read_err = -MMK_EIO;
	assert_int_equal(byte_at(h, 0), -MMK_EIO);
	assert_int_equal(h->m.nrpages, 0);
	h->read_err = 0;
	assert_int_equal(byte_at(h, 0), file_byte(0));
	end_home(h);
}

/* ---- writing ---- */

static void writes_are_seen_at_once_and_reach_the_home_by_sync(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 3 * PAGE_SIZE, &home_ops);
	struct mmk_stats s;

	assert_int_equal(mmk_mapping_write(&h->m, PAGE_SIZE - 2, "abcd", 4), 4);
	assert_int_equal(byte_at(h, PAGE_SIZE), 'c');
	assert_int_equal(h->bytes[PAGE_SIZE], file_byte(PAGE_SIZE));
	assert_int_equal(h->m.nrdirty, 2);
	mmk_stats(w->sys, &s);
	assert_int_equal(s.dirty, 2);
	assert_int_equal(mmk_mapping_sync(&h->m, 0, ~0ull, true), 0);
	assert_int_equal(h->m.nrdirty, 0);
	assert_int_equal(h->writes, 1);
	assert_int_equal(h->syncs, 1);
	assert_memory_equal(h->bytes + PAGE_SIZE - 2, "abcd", 4);
	assert_int_equal(h->bytes[PAGE_SIZE - 3], file_byte(PAGE_SIZE - 3));
	assert_int_equal(mmk_mapping_sync(&h->m, 0, ~0ull, false), 0);
	assert_int_equal(h->writes, 1);
	end_home(h);
}

static void whole_pages_are_written_without_reading_them(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 2 * PAGE_SIZE + 5, &home_ops);
	static unsigned char buf[3 * 4096];

	memset(buf, 'x', sizeof(buf));
	assert_int_equal(mmk_mapping_write(&h->m, 0, buf, 2 * PAGE_SIZE + 5), 2 * PAGE_SIZE + 5);
	assert_int_equal(h->reads, 0);
	assert_int_equal(mmk_mapping_write(&h->m, 5 * PAGE_SIZE + 7, "y", 1), 1);
	assert_int_equal(h->reads, 0);
	assert_int_equal(h->m.i_size, 5 * PAGE_SIZE + 8);
	assert_int_equal(byte_at(h, 2 * PAGE_SIZE + 4), 'x');
	assert_int_equal(byte_at(h, 2 * PAGE_SIZE + 5), 0);
	assert_int_equal(byte_at(h, 4 * PAGE_SIZE), 0);
	assert_int_equal(mmk_mapping_sync(&h->m, 0, ~0ull, false), 0);
	assert_int_equal(h->size, 5 * PAGE_SIZE + 8);
	end_home(h);
}

static void what_lies_behind_the_end_never_reaches_the_file(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 100, &home_ops);
	struct page *p;
	void *va;

	/* As a program does that stores through a shared mapping behind the end. */
	assert_int_equal(mmk_mapping_pin(&h->m, 0, false, &p, &va), 0);
	memset((char *)va + 100, 0xee, PAGE_SIZE - 100);
	mmk_mapping_unpin(&h->m, p, true);
	assert_int_equal(mmk_mapping_sync(&h->m, 0, ~0ull, false), 0);
	assert_int_equal(h->size, 100);
	assert_int_equal(((unsigned char *)va)[100], 0);
	memset((char *)va + 100, 0xee, PAGE_SIZE - 100);
	assert_int_equal(mmk_mapping_write(&h->m, 200, "z", 1), 1);
	assert_int_equal(byte_at(h, 150), 0);
	memset((char *)va + 201, 0xee, PAGE_SIZE - 201);
	assert_int_equal(mmk_mapping_truncate(&h->m, 3000), 0);
	assert_int_equal(byte_at(h, 2000), 0);
	end_home(h);
}

static void a_failed_write_keeps_the_page_and_is_told_once(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 0, &home_ops);
	static unsigned char buf[4 * 4096];

	memset(buf, 'q', sizeof(buf));
	h->chunk = 3000; /* short writes are continued */
	h->write_err = -MMK_ENOSPC;
	h->write_err_from = PAGE_SIZE + 50;
	assert_int_equal(mmk_mapping_write(&h->m, 0, buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(mmk_mapping_sync(&h->m, 0, ~0ull, false), -MMK_ENOSPC);
	assert_int_equal(h->m.nrdirty, 3);
	assert_int_equal(h->m.nrpages, 4);
	h->write_err = 0;
	assert_int_equal(mmk_mapping_sync(&h->m, 0, ~0ull, false), 0);
	assert_int_equal(h->m.nrdirty, 0);
	assert_int_equal(h->size, sizeof(buf));
	for (unsigned i = 0; i < sizeof(buf); i++)
		assert_int_equal(h->bytes[i], 'q');
	end_home(h);
}

static void sync_of_a_range_writes_that_range(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 8 * PAGE_SIZE, &home_ops);

	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(mmk_mapping_write(&h->m, i * PAGE_SIZE, "!", 1), 1);
	assert_int_equal(mmk_mapping_sync(&h->m, 2 * PAGE_SIZE, 4 * PAGE_SIZE, false), 0);
	assert_int_equal(h->m.nrdirty, 6);
	assert_int_equal(h->bytes[3 * PAGE_SIZE], '!');
	assert_int_equal(h->bytes[4 * PAGE_SIZE], file_byte(4 * PAGE_SIZE));
	end_home(h); /* drops dirty pages */
}

static void too_large_a_file_is_efbig(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 0, &tmp_ops);
	struct page *p;
	void *va;

	assert_int_equal(mmk_mapping_write(&h->m, INT64_MAX, "a", 1), -MMK_EFBIG);
	assert_int_equal(mmk_mapping_write(&h->m, INT64_MAX - 1ull, "ab", 2), 1);
	assert_int_equal(h->m.i_size, INT64_MAX);
	assert_int_equal(byte_at(h, INT64_MAX - 1ull), 'a');
	assert_int_equal(byte_at(h, INT64_MAX - 2ull), 0);
	assert_int_equal(mmk_mapping_truncate(&h->m, 1ull << 63), -MMK_EFBIG);
	assert_int_equal(mmk_mapping_truncate(&h->m, INT64_MAX), 0);
	assert_int_equal(mmk_mapping_pin(&h->m, ~0ull >> 1, true, &p, &va), -MMK_EFBIG);
	end_home(h);
}

/* ---- truncation and holes ---- */

static void truncation_takes_pages_and_zeroes_the_tail(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 10 * PAGE_SIZE, &home_ops);

	assert_int_equal(mmk_mapping_write(&h->m, 9 * PAGE_SIZE, "dirty", 5), 5);
	byte_at(h, 0);
	assert_int_equal(mmk_mapping_truncate(&h->m, PAGE_SIZE + 100), 0);
	assert_int_equal(h->m.nrpages, 2);
	assert_int_equal(h->m.nrdirty, 0);
	assert_int_equal(byte_at(h, PAGE_SIZE + 100), -1000);
	h->size = PAGE_SIZE + 100; /* the embedder shrinks its home afterwards */
	assert_int_equal(mmk_mapping_truncate(&h->m, 2 * PAGE_SIZE), 0);
	assert_int_equal(byte_at(h, PAGE_SIZE + 99), file_byte(PAGE_SIZE + 99));
	assert_int_equal(byte_at(h, PAGE_SIZE + 100), 0);
	end_home(h);
}

static void punched_bytes_read_zero(void **state)
{
	struct world *w = *state;

	for (unsigned k = 0; k < 60; k++) {
		struct home *h = new_home(w, 0, &tmp_ops);
		static unsigned char buf[6 * 4096], out[6 * 4096];
		unsigned start = k * 401, len = (k * k * 37) % 12000;

		memset(buf, 'p', sizeof(buf));
		mmk_mapping_write(&h->m, 0, buf, sizeof(buf));
		if (start > sizeof(buf))
			start = sizeof(buf);
		if (start + len > sizeof(buf))
			len = sizeof(buf) - start;
		memset(buf + start, 0, len);
		assert_int_equal(mmk_mapping_punch(&h->m, start, start + len), 0);
		assert_int_equal(mmk_mapping_read(&h->m, 0, out, sizeof(out)), sizeof(out));
		assert_memory_equal(out, buf, sizeof(out));
		end_home(h);
	}
}

static void holes_of_a_homeless_file_take_no_frames(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 1ull << 40, &tmp_ops);
	struct page *p;
	bool major;
	struct mmk_stats s;
	void *va;

	assert_int_equal(byte_at(h, 1ull << 39), 0);
	assert_int_equal(h->m.nrpages, 0);
	assert_int_equal(mmk_mapping_pin(&h->m, 77, false, &p, &va), -MMK_ENOENT);
	h->mkwrite_err = -MMK_ENOSPC;
	assert_int_equal(filemap_get_page(&h->m, 77, true, &p, &major), -MMK_ENOSPC);
	assert_int_equal(mmk_mapping_write(&h->m, 5, "x", 1), -MMK_ENOSPC);
	assert_int_equal(h->m.nrpages, 0);
	h->mkwrite_err = 0;
	assert_int_equal(filemap_get_page(&h->m, 77, true, &p, &major), 0);
	assert_false(major);
	put_page(w->sys, p);
	assert_int_equal(h->mkwrites, 3);
	assert_ptr_equal(filemap_peek(&h->m, 77), p);
	put_page(w->sys, p);
	mmk_stats(w->sys, &s);
	assert_int_equal(s.frames_shmem, 1);
	assert_int_equal(s.frames_file, 0);
	assert_int_equal(s.dirty, 0);
	end_home(h);
	mmk_stats(w->sys, &s);
	assert_int_equal(s.frames_shmem, 0);
}

static bool made_without_waiting(struct world *w, const struct mmk_mapping_ops *ops)
{
	struct home *h = new_home(w, PAGE_SIZE, ops);
	struct page *p = filemap_make_nowait(&h->m, 0);

	assert_int_equal(h->mkwrites, p ? 1 : 0);
	assert_int_equal(h->m.nrpages, p ? 1 : 0);
	if (p)
		put_page(w->sys, p);
	end_home(h);
	return p;
}

static void a_hole_is_filled_without_waiting_where_nobody_may_wait(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 100 * PAGE_SIZE, &quick_ops);
	struct page *p;

	assert_false(made_without_waiting(w, &home_ops));
	assert_false(made_without_waiting(w, &tmp_ops));
	assert_true(made_without_waiting(w, &quick_ops));
	h->mkwrite_err = -MMK_ENOSPC;
	assert_null(filemap_make_nowait(&h->m, 77));
	assert_int_equal(h->m.nrpages, 0);
	h->mkwrite_err = 0;
	p = filemap_make_nowait(&h->m, 77);
	assert_non_null(p);
	assert_true(page_test(p, PG_UPTODATE));
	assert_false(page_test(p, PG_LOCKED));
	assert_int_equal(*(unsigned char *)page_address(w->sys, p), 0);
	assert_null(filemap_make_nowait(&h->m, 77)); /* it is there */
	assert_int_equal(h->m.nrpages, 1);
	put_page(w->sys, p);
	end_home(h);
}

static void peeking_finds_what_is_cached(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 0, &tmp_ops);

	mmk_mapping_write(&h->m, 63 * PAGE_SIZE, "a", 1);
	mmk_mapping_write(&h->m, 64 * PAGE_SIZE, "b", 1);
	mmk_mapping_write(&h->m, 66 * PAGE_SIZE, "c", 1);
	for (uint64_t i = 60; i < 76; i++) {
		bool there = i == 63 || i == 64 || i == 66;
		struct page *page = filemap_peek(&h->m, i);

		assert_int_equal(page != NULL, there);
		assert_ptr_equal(filemap_look(&h->m, i), page);
		if (there) {
			assert_int_equal(page->index, i);
			put_page(w->sys, page);
			put_page(w->sys, page);
		}
	}
	end_home(h);
}

/* ---- frames run short ---- */

static void clean_pages_are_dropped_on_demand(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 20 * PAGE_SIZE, &home_ops);

	for (unsigned i = 0; i < 20; i++)
		byte_at(h, i * PAGE_SIZE);
	mmk_mapping_write(&h->m, 3 * PAGE_SIZE, "dirty", 5);
	assert_int_equal(mmk_mapping_invalidate(&h->m), 19);
	assert_int_equal(h->m.nrpages, 1);
	assert_int_equal(mmk_sysctl_set(w->sys, "drop_caches", 3), 0);
	assert_int_equal(h->m.nrpages, 1);
	assert_int_equal(mmk_mapping_sync(&h->m, 0, ~0ull, false), 0);
	assert_int_equal(mmk_sysctl_set(w->sys, "drop_caches", 1), 0);
	assert_int_equal(h->m.nrpages, 0);
	assert_int_equal(mmk_sysctl_set(w->sys, "drop_caches", 9), -MMK_EINVAL);
	end_home(h);
}

static void when_frames_run_out_dirty_pages_are_written_and_dropped(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 100 * PAGE_SIZE, &home_ops);
	struct page *list = NULL, *p;
	uint64_t n = 0, dirty = 0;

	for (unsigned i = 0; i < 100; i++) {
		byte_at(h, i * PAGE_SIZE);
		if (i % 3 == 0)
			dirty += mmk_mapping_write(&h->m, i * PAGE_SIZE + 1, "D", 1) == 1;
	}
	while ((p = alloc_page_reclaim(w->sys, PAGE_ANON))) {
		p->next = list;
		list = p;
		n++;
	}
	assert_int_equal(h->m.nrpages, 0);
	for (unsigned i = 0; i < 100; i += 3)
		assert_int_equal(h->bytes[i * PAGE_SIZE + 1], 'D');
	assert_int_equal(dirty, 34);
	while ((p = list)) {
		list = p->next;
		put_page(w->sys, p);
	}
	assert_int_equal(byte_at(h, 3 * PAGE_SIZE + 1), 'D');
	end_home(h);
}

static void every_failing_allocation_leaves_the_cache_whole(void **state)
{
	struct world *w = *state;
	static unsigned char buf[3 * 4096];

	memset(buf, 'f', sizeof(buf));
	for (unsigned nth = 1;; nth++) {
		struct home *h = new_home(w, 4 * PAGE_SIZE, &home_ops);
		int64_t wrote, got;

		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, nth, true);
		wrote = mmk_mapping_write(&h->m, 100, buf, sizeof(buf));
		got = mmk_mapping_read(&h->m, (1ull << 20), buf, 1);
		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, 0, false);
		assert_int_equal(got, 0);
		assert_true(wrote == -MMK_ENOMEM || wrote > 0);
		assert_int_equal(byte_at(h, 99), file_byte(99));
		if (wrote > 0)
			assert_int_equal(byte_at(h, 100), 'f');
		if (wrote > 0 && (uint64_t)wrote < sizeof(buf))
			assert_int_equal(byte_at(h, 100 + (uint64_t)wrote),
			                 file_byte(100 + (uint64_t)wrote));
		end_home(h);
		if (wrote == sizeof(buf))
			break;
	}
}

/* ---- the rest ---- */

static void writers_and_executions_exclude_each_other(void **state)
{
	struct world *w = *state;
	struct home *h = new_home(w, 0, &home_ops);

	assert_int_equal(mmk_mapping_get_write(&h->m), 0);
	assert_int_equal(mmk_mapping_get_write(&h->m), 0);
	assert_int_equal(mmk_mapping_deny_write(&h->m), -MMK_ETXTBSY);
	mmk_mapping_put_write(&h->m);
	mmk_mapping_put_write(&h->m);
	assert_int_equal(mmk_mapping_deny_write(&h->m), 0);
	assert_int_equal(mmk_mapping_get_write(&h->m), -MMK_ETXTBSY);
	mmk_mapping_allow_write(&h->m);
	assert_int_equal(mmk_mapping_get_write(&h->m), 0);
	mmk_mapping_put_write(&h->m);
	end_home(h);
}

static void a_shared_object_lives_as_long_as_its_references(void **state)
{
	struct world *w = *state;
	struct file *f = shmem_zero_file(w->sys, 3 * PAGE_SIZE, 0);
	struct page *p;
	bool major;

	assert_non_null(f);
	get_vma_file(w->sys, f);
	assert_int_equal(filemap_get_page(f->f_mapping, 2, true, &p, &major), 0);
	put_page(w->sys, p);
	put_vma_file(w->sys, f);
	assert_int_equal(f->f_mapping->nrpages, 1);
	put_vma_file(w->sys, f);
	/* The fixture's end counts frames. */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(reading_gives_the_homes_bytes_whatever_the_chunks),
	    WORLD_TEST(reading_along_takes_few_calls),
	    WORLD_TEST(the_tail_of_the_last_page_is_zero),
	    WORLD_TEST(a_failed_read_is_tried_again),
	    WORLD_TEST(writes_are_seen_at_once_and_reach_the_home_by_sync),
	    WORLD_TEST(whole_pages_are_written_without_reading_them),
	    WORLD_TEST(what_lies_behind_the_end_never_reaches_the_file),
	    WORLD_TEST(a_failed_write_keeps_the_page_and_is_told_once),
	    WORLD_TEST(sync_of_a_range_writes_that_range),
	    WORLD_TEST(too_large_a_file_is_efbig),
	    WORLD_TEST(truncation_takes_pages_and_zeroes_the_tail),
	    WORLD_TEST(punched_bytes_read_zero),
	    WORLD_TEST(holes_of_a_homeless_file_take_no_frames),
	    WORLD_TEST(a_hole_is_filled_without_waiting_where_nobody_may_wait),
	    WORLD_TEST(peeking_finds_what_is_cached),
	    WORLD_TEST(clean_pages_are_dropped_on_demand),
	    WORLD_TEST(when_frames_run_out_dirty_pages_are_written_and_dropped),
	    WORLD_TEST(every_failing_allocation_leaves_the_cache_whole),
	    WORLD_TEST(writers_and_executions_exclude_each_other),
	    WORLD_TEST(a_shared_object_lives_as_long_as_its_references),
	};

	return cmocka_run_group_tests_name("filemap", tests, NULL, NULL);
}
