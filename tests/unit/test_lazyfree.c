/* SPDX-License-Identifier: MIT */
/*
 * Pages that may be taken from their program: MADV_FREE, MAP_DROPPABLE, MADV_PAGEOUT; and holes
 * made with MADV_REMOVE.
 */
#include "tests/unit/canvas.h"
#include "mm/lazyfree.h"

#define DROPPABLE               (MMK_MAP_DROPPABLE | MMK_MAP_ANONYMOUS)
#define free_lazily(w, page, n) assert_int_equal(w_madvise(w, at(page), (n)*PAGE, MMK_MADV_FREE), 0)

static void fill(struct world *w, unsigned page, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		store(w, at(page + i), page + i + 1);
}

static uint64_t take(struct world *w, uint64_t want)
{
	return CHECKED(w, lazyfree_reclaim(w->sys, want));
}

static int64_t resident(struct world *w)
{
	struct mmk_mm_stats s;

	mmk_mm_stats(w->task.mm, &s);
	return (int64_t)s.rss_anon;
}

static void what_is_freed_stays_until_it_is_taken(void **state)
{
	struct world *w = *state;

	put(w, 0, 4, RW);
	fill(w, 0, 4);
	free_lazily(w, 1, 2);
	assert_int_equal(load(w, at(1)), 2);
	assert_int_equal(resident(w), 4);
	assert_int_equal(take(w, 100), 2);
	assert_int_equal(resident(w), 2);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(load(w, at(i)), i == 1 || i == 2 ? 0 : i + 1);
	assert_int_equal(take(w, 100), 0);
}

static void a_store_keeps_the_page(void **state)
{
	struct world *w = *state;

	put(w, 0, 4, RW);
	fill(w, 0, 4);
	free_lazily(w, 0, 4);
	store(w, at(2) + 5, 77);
	assert_int_equal(take(w, 100), 3);
	assert_int_equal(load(w, at(2)), 3);
	assert_int_equal(load(w, at(2) + 5), 77);
	free_lazily(w, 0, 4);
	assert_int_equal(take(w, 100), 1);
	assert_int_equal(load(w, at(2) + 5), 0);
}

static void no_more_is_taken_than_wanted(void **state)
{
	struct world *w = *state;

	put(w, 0, 1100, RW);
	fill(w, 0, 1100);
	free_lazily(w, 0, 1100);
	assert_int_equal(take(w, 1), 1);
	assert_int_equal(take(w, 600), 600);
	assert_int_equal(take(w, 1000), 499);
	assert_int_equal(take(w, 1), 0);
	assert_int_equal(resident(w), 0);
}

static void a_shared_page_is_not_taken(void **state)
{
	struct world *w = *state;
	struct mmk_task child = w->task, parent = w->task;

	put(w, 0, 2, RW);
	fill(w, 0, 2);
	free_lazily(w, 0, 1);
	assert_int_equal(w_fork(w, &child), 0);
	free_lazily(w, 1, 1); /* the parent's alone: the child has not given it up */
	assert_int_equal(take(w, 100), 0);
	assert_int_equal(load_of(w, &child, at(1)), 2);
	hosted_exit(w->h, &w->task);
	w->task = child;
	/* What was given up before the fork is given up in the child too. */
	assert_int_equal(take(w, 100), 1);
	assert_int_equal(load(w, at(0)), 0);
	assert_int_equal(load(w, at(1)), 2);
	(void)parent;
}

static void the_childs_store_after_fork_keeps_its_copy(void **state)
{
	struct world *w = *state;
	struct mmk_task child = w->task;

	put(w, 0, 2, RW);
	fill(w, 0, 2);
	free_lazily(w, 0, 2);
	assert_int_equal(w_fork(w, &child), 0);
	store_of(w, &child, at(0) + 1, 9);
	assert_int_equal(take(w, 100), 1); /* the parent's page 0 is its own again */
	assert_int_equal(load(w, at(0)), 0);
	assert_int_equal(load_of(w, &child, at(0)), 1);
	assert_int_equal(load_of(w, &child, at(0) + 1), 9);
	hosted_exit(w->h, &child);
	assert_int_equal(take(w, 100), 1);
}

static void moved_protected_and_inaccessible_pages_are_taken_too(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, RW);
	fill(w, 0, 3);
	free_lazily(w, 0, 3);
	assert_int_equal(w_mprotect(w, at(1), PAGE, R), 0);
	assert_int_equal(w_mprotect(w, at(2), PAGE, NONE), 0);
	assert_int_equal(
	    w_mremap(w, at(0), PAGE, PAGE, MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED, at(5000)),
	    at(5000));
	assert_int_equal(take(w, 100), 3);
	assert_int_equal(load(w, at(5000)), 0);
}

static void a_moved_page_is_not_lost_to_who_looks(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	fill(w, 0, 2);
	free_lazily(w, 0, 2);
	store(w, at(1), 3);
	assert_int_equal(take(w, 1), 1);
	free_lazily(w, 1, 1);
	assert_int_equal(
	    w_mremap(w, at(0), 2 * PAGE, 2 * PAGE, MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED, at(9000)),
	    at(9000));
	assert_int_equal(take(w, 100), 1);
}

static void locking_keeps_what_is_still_there(void **state)
{
	struct world *w = *state;

	put(w, 0, 4, RW);
	fill(w, 0, 4);
	free_lazily(w, 0, 4);
	assert_int_equal(w_mlock(w, at(0), PAGE), 0);
	assert_int_equal(CHECKED(w, mmk_sys_mlock2(&w->task, at(1), PAGE, MMK_MLOCK_ONFAULT)), 0);
	assert_int_equal(take(w, 100), 2);
	assert_int_equal(load(w, at(0)), 1);
	assert_int_equal(load(w, at(1)), 2);
	assert_int_equal(load(w, at(2)), 0);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_FREE), MMK_EINVAL, MMK_REASON_ADVICE_LOCKED);
}

static void a_debuggers_write_keeps_the_page(void **state)
{
	struct world *w = *state;
	uint8_t byte = 0x42;

	put(w, 0, 2, RW);
	fill(w, 0, 2);
	free_lazily(w, 0, 2);
	assert_int_equal(
	    CHECKED(w, mmk_access_vm(&w->task, w->task.mm, at(0) + 9, &byte, 1, MMK_ACCESS_WRITE)),
	    1);
	assert_int_equal(take(w, 100), 1);
	assert_int_equal(load(w, at(0)), 1);
	assert_int_equal(load(w, at(0) + 9), 0x42);
}

static void only_private_anonymous_memory_is_freed(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR), zero = hosted_open_zero(w->h);

	must_mmap(w, at(0), PAGE, RW, ANON_SHARED | FIXED, -1, 0);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_FREE), MMK_EINVAL,
	        MMK_REASON_ADVICE_NOT_ANON);
	must_mmap(w, at(1), PAGE, RW, MMK_MAP_PRIVATE | FIXED, fd, 0);
	refusal(w, w_madvise(w, at(1), PAGE, MMK_MADV_FREE), MMK_EINVAL,
	        MMK_REASON_ADVICE_NOT_ANON);
	must_mmap(w, at(2), PAGE, RW, MMK_MAP_PRIVATE | FIXED, zero, 0);
	assert_int_equal(w_madvise(w, at(2), PAGE, MMK_MADV_FREE), 0);
}

/* ---- when frames run short ---- */

static void freed_pages_are_taken_before_a_program_is_killed(void **state)
{
	struct hosted_config config = {.ram_size = 4 << 20};
	struct world *w = world_new(&config);
	unsigned pages = world_free_frames(w) * 3 / 4, kept = 0;

	(void)state;
	put(w, 0, pages, RW);
	w->unchecked = true; /* a check after each access takes a while */
	fill(w, 0, pages);
	assert_int_equal(mmk_sys_madvise(&w->task, at(0), pages * PAGE, MMK_MADV_FREE), 0);
	for (unsigned i = 0; i < pages; i += 16)
		store(w, at(i) + 1, 0x55);
	assert_int_equal(
	    mmk_sys_mmap(&w->task, at(20000), pages * PAGE, RW, ANON_PRIVATE | FIXED, -1, 0),
	    at(20000));
	for (unsigned i = 0; i < pages; i++)
		store(w, at(20000 + i), 1);
	w->unchecked = false;
	world_check(w, __FILE__, __LINE__);
	for (unsigned i = 0; i < pages; i++) {
		uint8_t byte = load(w, at(i));

		if (i % 16 == 0) {
			assert_int_equal(byte, (uint8_t)(i + 1));
			assert_int_equal(load(w, at(i) + 1), 0x55);
		} else {
			assert_true(byte == 0 || byte == (uint8_t)(i + 1));
			kept += byte != 0;
		}
		if (i > 64)
			w->unchecked = true;
	}
	assert_true(kept < pages / 2);
	world_end(w);
}

static void droppable_pages_go_under_pressure_though_written(void **state)
{
	struct hosted_config config = {.ram_size = 4 << 20};
	struct world *w = world_new(&config);
	unsigned pages = world_free_frames(w) * 3 / 4, gone = 0;

	(void)state;
	must_mmap(w, at(0), pages * PAGE, RW, DROPPABLE | FIXED, -1, 0);
	put(w, 20000, pages, RW);
	w->unchecked = true;
	fill(w, 0, pages);
	for (unsigned i = 0; i < pages; i++)
		store(w, at(20000 + i), 1);
	for (unsigned i = 0; i < pages; i++)
		gone += load(w, at(i)) != (uint8_t)(i + 1);
	w->unchecked = false;
	world_check(w, __FILE__, __LINE__);
	assert_true(gone > pages / 4);
	world_end(w);
}

/* ---- MAP_DROPPABLE ---- */

static void droppable_memory_has_its_rules(void **state)
{
	struct world *w = *state;
	struct mmk_task child = w->task;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	refusal(w, w_mmap(w, at(0), PAGE, RW, DROPPABLE | MMK_MAP_LOCKED, -1, 0), MMK_EINVAL,
	        MMK_REASON_DROPPABLE_LOCKED);
	refusal(w, w_mmap(w, at(0), PAGE, RW, DROPPABLE | MMK_MAP_GROWSDOWN, -1, 0), MMK_EINVAL,
	        MMK_REASON_DROPPABLE_LOCKED);
	refusal(w, w_mmap(w, at(0), PAGE, RW, DROPPABLE | MMK_MAP_PRIVATE, -1, 0), MMK_EINVAL,
	        MMK_REASON_MAP_TYPE);
	refusal(w, w_mmap(w, at(0), PAGE, RW, MMK_MAP_DROPPABLE, fd, 0), MMK_EINVAL,
	        MMK_REASON_MAP_TYPE);
	must_mmap(w, at(0), 2 * PAGE, RW, DROPPABLE | FIXED, -1, 0);
	fill(w, 0, 2);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_DODUMP), MMK_EINVAL,
	        MMK_REASON_ADVICE_DROPPABLE);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_KEEPONFORK), MMK_EINVAL,
	        MMK_REASON_ADVICE_DROPPABLE);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(load_of(w, &child, at(0)), 0);
	store_of(w, &child, at(0), 4);
	assert_int_equal(take(w, 100), 3);
	assert_int_equal(load(w, at(0)), 0);
	assert_int_equal(load(w, at(1)), 0);
	hosted_exit(w->h, &child);
}

static void locking_droppable_memory_does_nothing(void **state)
{
	struct world *w = *state;
	struct mmk_mm_stats s;

	must_mmap(w, at(0), PAGE, RW, DROPPABLE | FIXED, -1, 0);
	assert_int_equal(w_mlock(w, at(0), PAGE), 0);
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.locked_vm, 0);
	assert_int_equal(s.rss_anon, 1);
	assert_int_equal(take(w, 100), 1);
}

/* ---- PAGEOUT and COLD ---- */

static void pageout_takes_freed_pages_at_once(void **state)
{
	struct world *w = *state;

	put(w, 0, 4, RW);
	fill(w, 0, 4);
	free_lazily(w, 0, 2);
	assert_int_equal(w_madvise(w, at(1), 3 * PAGE, MMK_MADV_PAGEOUT), 0);
	assert_int_equal(load(w, at(0)), 1);
	assert_int_equal(load(w, at(1)), 0);
	assert_int_equal(load(w, at(3)), 4);
}

static void pageout_sends_a_files_pages_home(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 4 * PAGE, O_RDWR);
	struct mmk_mapping *m = hosted_file(w->h, fd)->f_mapping;

	must_mmap(w, at(0), 4 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	for (unsigned i = 0; i < 4; i++)
		load(w, at(i));
	store(w, at(1), 0x99);
	assert_int_equal(w_madvise(w, at(0), 3 * PAGE, MMK_MADV_COLD), 0);
	assert_int_equal(m->nrpages, 4);
	assert_int_equal(w_madvise(w, at(0), 3 * PAGE, MMK_MADV_PAGEOUT), 0);
	assert_int_equal(m->nrpages, 1);
	assert_int_equal(host_byte(w, "f", PAGE), 0x99);
	assert_int_equal(load(w, at(1)), 0x99);
	assert_int_equal(load(w, at(2)), file_byte(2 * PAGE));
}

static void pageout_leaves_what_others_map_or_could_not_write(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDWR), ro;
	char path[128];
	struct mmk_mapping *m = hosted_file(w->h, fd)->f_mapping;

	snprintf(path, sizeof(path), "%s/f", w->dir);
	ro = hosted_open(w->h, path, O_RDONLY, 0);
	must_mmap(w, at(0), PAGE, R, MMK_MAP_SHARED | FIXED, fd, 0);
	must_mmap(w, at(1), 2 * PAGE, R, MMK_MAP_SHARED | FIXED, ro, 0);
	load(w, at(0));
	load(w, at(1));
	load(w, at(2));
	assert_int_equal(w_madvise(w, at(0), PAGE, MMK_MADV_PAGEOUT), 0);
	assert_int_equal(w_madvise(w, at(2), PAGE, MMK_MADV_PAGEOUT), 0);
	assert_int_equal(m->nrpages, 2);
	hosted_set_caps(w->h, 1u << MMK_CAP_SYS_ADMIN);
	assert_int_equal(w_madvise(w, at(2), PAGE, MMK_MADV_PAGEOUT), 0);
	assert_int_equal(m->nrpages, 1);
	assert_int_equal(w_mlock(w, at(0), PAGE), 0);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_PAGEOUT), MMK_EINVAL,
	        MMK_REASON_ADVICE_LOCKED);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_COLD), MMK_EINVAL, MMK_REASON_ADVICE_LOCKED);
}

static void a_dirty_page_that_cannot_go_home_stays(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	must_mmap(w, at(0), PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	store(w, at(0), 0x99);
	hosted_fail_io(w->h, 1, HOSTED_IO_EIO);
	assert_int_equal(w_madvise(w, at(0), PAGE, MMK_MADV_PAGEOUT), 0);
	assert_int_equal(load(w, at(0)), 0x99);
	refusal(w, w_msync(w, at(0), PAGE, MMK_MS_SYNC), MMK_EIO, MMK_REASON_WRITEBACK);
}

static void cachestat_counts_what_is_there(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 600 * PAGE, O_RDWR);
	struct mmk_mapping *m = hosted_file(w->h, fd)->f_mapping;
	struct mmk_cachestat s;

	must_mmap(w, at(0), 600 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	mmk_mapping_cachestat(m, 0, ~0ull, &s);
	assert_int_equal(s.cached, 0);
	for (unsigned i = 0; i < 600; i++)
		load(w, at(i));
	store(w, at(3), 1);
	store(w, at(400), 1);
	mmk_mapping_cachestat(m, 0, ~0ull, &s);
	assert_int_equal(s.cached, 600);
	assert_int_equal(s.dirty, 2);
	assert_int_equal(s.writeback, 0);
	mmk_mapping_cachestat(m, 4, 400, &s);
	assert_int_equal(s.cached, 397);
	assert_int_equal(s.dirty, 1);
	mmk_mapping_cachestat(m, 5, 4, &s);
	assert_int_equal(s.cached, 0);
	assert_int_equal(w_madvise(w, at(0), 600 * PAGE, MMK_MADV_PAGEOUT), 0);
	mmk_mapping_cachestat(m, 0, ~0ull, &s);
	assert_int_equal(s.cached, 0);
}

static void advice_for_another_process(void **state)
{
	struct world *w = *state;
	struct mmk_task child = w->task;

	put(w, 0, 2, RW);
	assert_int_equal(w_fork(w, &child), 0);
	store_of(w, &child, at(0), 1);
	store_of(w, &child, at(1), 2);
	assert_int_equal(CHECKED(w, mmk_sys_madvise(&child, at(0), PAGE, MMK_MADV_FREE)), 0);
	assert_int_equal(
	    CHECKED(w, mmk_madvise_of(&w->task, child.mm, at(0), 2 * PAGE, MMK_MADV_PAGEOUT)), 0);
	assert_int_equal(load_of(w, &child, at(0)), 0);
	assert_int_equal(load_of(w, &child, at(1)), 2);
	refusal(w, CHECKED(w, mmk_madvise_of(&w->task, child.mm, at(5), PAGE, MMK_MADV_COLD)),
	        MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	hosted_exit(w->h, &child);
}

/* ---- REMOVE ---- */

static void remove_makes_a_hole_in_the_object(void **state)
{
	struct world *w = *state;
	int fd = hosted_memfd(w->h, "m", 4 * PAGE);

	must_mmap(w, at(0), 4 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	must_mmap(w, at(4), 2 * PAGE, RW, ANON_SHARED | FIXED, -1, 0);
	must_mmap(w, at(8), PAGE, RW, MMK_MAP_SHARED | FIXED, fd, PAGE);
	fill(w, 0, 6);
	assert_int_equal(w_madvise(w, at(2), 3 * PAGE, MMK_MADV_REMOVE), 0);
	assert_int_equal(hosted_file(w->h, fd)->f_mapping->nrpages, 2);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(load(w, at(i)), i >= 2 && i < 5 ? 0 : i + 1);
	assert_int_equal(w_madvise(w, at(8), PAGE, MMK_MADV_REMOVE), 0);
	assert_int_equal(load(w, at(1)), 0);
}

static void refusals_of_remove(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDWR);

	put(w, 0, 1, RW);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_REMOVE), MMK_EINVAL,
	        MMK_REASON_ADVICE_NO_FILE);
	must_mmap(w, at(1), PAGE, RW, MMK_MAP_PRIVATE | FIXED, fd, 0);
	refusal(w, w_madvise(w, at(1), PAGE, MMK_MADV_REMOVE), MMK_EACCES,
	        MMK_REASON_ADVICE_NOT_SHARED);
	must_mmap(w, at(2), PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	refusal(w, w_madvise(w, at(2), PAGE, MMK_MADV_REMOVE), MMK_EOPNOTSUPP,
	        MMK_REASON_REMOVE_FAILED);
	must_mmap(w, at(3), PAGE, RW, ANON_SHARED | FIXED, -1, 0);
	assert_int_equal(w_mlock(w, at(3), PAGE), 0);
	refusal(w, w_madvise(w, at(3), PAGE, MMK_MADV_REMOVE), MMK_EINVAL,
	        MMK_REASON_ADVICE_LOCKED);
	refusal(w, w_madvise(w, at(7), PAGE, MMK_MADV_REMOVE), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(what_is_freed_stays_until_it_is_taken),
	    WORLD_TEST(a_store_keeps_the_page),
	    WORLD_TEST(no_more_is_taken_than_wanted),
	    WORLD_TEST(a_shared_page_is_not_taken),
	    WORLD_TEST(the_childs_store_after_fork_keeps_its_copy),
	    WORLD_TEST(moved_protected_and_inaccessible_pages_are_taken_too),
	    WORLD_TEST(a_moved_page_is_not_lost_to_who_looks),
	    WORLD_TEST(locking_keeps_what_is_still_there),
	    WORLD_TEST(a_debuggers_write_keeps_the_page),
	    WORLD_TEST(only_private_anonymous_memory_is_freed),
	    cmocka_unit_test(freed_pages_are_taken_before_a_program_is_killed),
	    cmocka_unit_test(droppable_pages_go_under_pressure_though_written),
	    WORLD_TEST(droppable_memory_has_its_rules),
	    WORLD_TEST(locking_droppable_memory_does_nothing),
	    WORLD_TEST(pageout_takes_freed_pages_at_once),
	    WORLD_TEST(pageout_sends_a_files_pages_home),
	    WORLD_TEST(pageout_leaves_what_others_map_or_could_not_write),
	    WORLD_TEST(a_dirty_page_that_cannot_go_home_stays),
	    WORLD_TEST(cachestat_counts_what_is_there),
	    WORLD_TEST(advice_for_another_process),
	    WORLD_TEST(remove_makes_a_hole_in_the_object),
	    WORLD_TEST(refusals_of_remove),
	};

	return cmocka_run_group_tests_name("lazily freed memory", tests, NULL, NULL);
}
