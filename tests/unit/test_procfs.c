/* SPDX-License-Identifier: MIT */
/* What procfs shows of an mm beyond maps: smaps, clear_refs with soft-dirty, PAGEMAP_SCAN. */
#include "harness.h"

#include <mmkit/reason.h>

#define BASE  0x10000000ul
#define at(n) (BASE + (n)*PAGE)

#define PM_PRESENT    (1ull << 63)
#define PM_SOFT_DIRTY (1ull << 55)

static void put(struct world *w, unsigned page, unsigned n, unsigned long prot, unsigned long type)
{
	must_mmap(w, at(page), n * PAGE, prot, type | MMK_MAP_ANONYMOUS | FIXED, -1, 0);
}

/* The number behind `field` in the entry of smaps for addr; -1: none. */
static long smaps_kb(struct world *w, struct mmk_task *t, unsigned long addr, const char *field)
{
	static char text[1 << 16];
	char head[20], *p;
	uint64_t pos = addr;
	long n = mmk_proc_smaps(t, t->mm, &pos, text, sizeof(text));

	assert_true(n > 0);
	snprintf(head, sizeof(head), "%08lx-", addr);
	assert_int_equal(strncmp(text, head, strlen(head)), 0);
	p = strstr(text, field);
	return p ? strtol(p + strlen(field), NULL, 10) : -1;
}
#define kb(w, page, field) smaps_kb(w, &(w)->task, at(page), "\n" field ":")

static void pss_counts_a_shared_page_in_parts(void **state)
{
	struct world *w = *state;
	struct mmk_task child = w->task;

	put(w, 0, 4, RW, MMK_MAP_PRIVATE);
	store(w, at(0), 1);
	store(w, at(1), 1);
	assert_int_equal(load(w, at(2)), 0); /* the zero page is nobody's */
	assert_int_equal(kb(w, 0, "Size"), 16);
	assert_int_equal(kb(w, 0, "Rss"), 8);
	assert_int_equal(kb(w, 0, "Pss"), 8);
	assert_int_equal(kb(w, 0, "Private_Dirty"), 8);
	assert_int_equal(kb(w, 0, "Anonymous"), 8);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(kb(w, 0, "Rss"), 8);
	assert_int_equal(kb(w, 0, "Pss"), 4);
	assert_int_equal(kb(w, 0, "Shared_Dirty"), 8);
	store_of(w, &child, at(0), 2);
	assert_int_equal(kb(w, 0, "Pss"), 6);
	assert_int_equal(kb(w, 0, "Private_Dirty"), 4);
	hosted_exit(w->h, &child);
	assert_int_equal(kb(w, 0, "Pss"), 8);
}

static void smaps_shows_locked_memory_and_flags(void **state)
{
	struct world *w = *state;
	static char text[1 << 16];
	uint64_t pos = at(0);

	put(w, 0, 2, RW, MMK_MAP_PRIVATE);
	assert_int_equal(w_mlock(w, at(0), 2 * PAGE), 0);
	assert_int_equal(kb(w, 0, "Locked"), 8);
	assert_true(mmk_proc_smaps(&w->task, w->task.mm, &pos, text, sizeof(text)) > 0);
	assert_non_null(
	    strstr(text, "\nTHPeligible:           0\nVmFlags: rd wr mr mw me lo ac \n"));
	assert_int_equal(mmk_proc_smaps_rollup(&w->task, w->task.mm, text, 100), -MMK_EOVERFLOW);
	assert_true(mmk_proc_smaps_rollup(&w->task, w->task.mm, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, " ---p 00000000 00:00 0 "));
	assert_non_null(strstr(text, "[rollup]\nRss:                   8 kB\n"));
}

static void a_shared_hole_that_was_only_read_is_clean(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW, MMK_MAP_SHARED);
	assert_int_equal(load(w, at(0)), 0);
	store(w, at(1), 1);
	assert_int_equal(kb(w, 0, "Private_Clean"), 4);
	assert_int_equal(kb(w, 0, "Private_Dirty"), 4);
}

/* ---- clear_refs ---- */

static uint64_t pagemap(struct world *w, unsigned page)
{
	uint64_t entry;

	assert_int_equal(mmk_proc_pagemap(w->task.mm, at(page) / PAGE * 8, &entry, 8, true), 8);
	return entry;
}

static bool soft_dirty(struct world *w, unsigned page)
{
	return pagemap(w, page) & PM_SOFT_DIRTY;
}

static void clear(struct world *w, enum mmk_clear_refs how)
{
	assert_int_equal(CHECKED(w, mmk_proc_clear_refs(&w->task, w->task.mm, how)), 0);
}

static void writes_are_tracked_once_asked_for(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, RW, MMK_MAP_PRIVATE);
	store(w, at(0), 1);
	store(w, at(1), 1);
	assert_false(soft_dirty(w, 0)); /* nobody has asked yet */
	clear(w, MMK_CLEAR_REFS_SOFT_DIRTY);
	assert_false(soft_dirty(w, 0));
	assert_int_equal(load(w, at(0)), 1);
	store(w, at(1), 2);
	assert_false(soft_dirty(w, 0));
	assert_true(soft_dirty(w, 1));
	assert_false(soft_dirty(w, 2));
	put(w, 3, 1, RW,
	    MMK_MAP_PRIVATE); /* new: dirty as a whole, and so is what it merges with */
	assert_true(soft_dirty(w, 3));
	clear(w, MMK_CLEAR_REFS_SOFT_DIRTY);
	assert_false(soft_dirty(w, 1));
	assert_false(soft_dirty(w, 3));
}

static void protection_does_not_hide_a_tracked_write(void **state)
{
	struct world *w = *state;

	for (unsigned type = MMK_MAP_SHARED; type <= MMK_MAP_PRIVATE; type++) {
		put(w, 0, 2, RW, type);
		store(w, at(0), 1);
		clear(w, MMK_CLEAR_REFS_SOFT_DIRTY);
		assert_int_equal(w_mprotect(w, at(0), PAGE, R), 0);
		assert_int_equal(w_mprotect(w, at(0), PAGE, RW), 0);
		assert_false(soft_dirty(w, 0));
		store(w, at(0), 2);
		assert_true(soft_dirty(w, 0));
		assert_int_equal(w_munmap(w, at(0), 2 * PAGE), 0);
	}
}

static void a_debuggers_write_is_tracked_too(void **state)
{
	struct world *w = *state;
	char byte = 7;

	put(w, 0, 1, RW, MMK_MAP_PRIVATE);
	store(w, at(0), 1);
	clear(w, MMK_CLEAR_REFS_SOFT_DIRTY);
	assert_int_equal(mmk_access_vm(&w->task, w->task.mm, at(0), &byte, 1, MMK_ACCESS_WRITE), 1);
	assert_true(soft_dirty(w, 0));
}

static void references_are_forgotten(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW, MMK_MAP_PRIVATE);
	store(w, at(0), 1);
	store(w, at(1), 1);
	assert_int_equal(kb(w, 0, "Referenced"), 8);
	clear(w, MMK_CLEAR_REFS_MAPPED);
	assert_int_equal(kb(w, 0, "Referenced"), 8);
	clear(w, MMK_CLEAR_REFS_ANON);
	assert_int_equal(kb(w, 0, "Referenced"), 0);
	store(w, at(1), 2);
	assert_int_equal(kb(w, 0, "Referenced"), 4);
	clear(w, MMK_CLEAR_REFS_ALL);
	assert_int_equal(kb(w, 0, "Referenced"), 0);
	assert_int_equal(load(w, at(1)), 2);
	assert_int_equal(mmk_proc_clear_refs(&w->task, w->task.mm, 0), -MMK_EINVAL);
	assert_int_equal(mmk_proc_clear_refs(&w->task, w->task.mm, 6), -MMK_EINVAL);
}

static void the_high_water_mark_begins_anew(void **state)
{
	struct world *w = *state;
	struct mmk_mm_stats s;

	put(w, 0, 8, RW, MMK_MAP_PRIVATE);
	for (unsigned i = 0; i < 8; i++)
		store(w, at(i), 1);
	assert_int_equal(w_munmap(w, at(1), 7 * PAGE), 0);
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.hiwater_rss, 8);
	clear(w, MMK_CLEAR_REFS_HIWATER);
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.hiwater_rss, 1);
}

/* ---- PAGEMAP_SCAN ---- */

#define ARG_AT at(100)
#define VEC_AT (ARG_AT + 1024)

/* The call with its argument in the program's memory; the regions go to `out`. */
static long scan(struct world *w, struct mmk_pagemap_scan *arg, struct mmk_page_region *out)
{
	struct mmk_fault f;
	long n;

	arg->size = sizeof(*arg);
	put(w, 100, 1, RW, MMK_MAP_PRIVATE);
	assert_int_equal(hosted_store(w->h, &w->task, ARG_AT, arg, sizeof(*arg), &f), 0);
	n = CHECKED(w, mmk_proc_pagemap_scan(&w->task, w->task.mm, ARG_AT));
	assert_int_equal(hosted_load(w->h, &w->task, ARG_AT, arg, sizeof(*arg), &f), 0);
	if (n > 0)
		assert_int_equal(
		    hosted_load(w->h, &w->task, VEC_AT, out, (size_t)n * sizeof(*out), &f), 0);
	return n;
}

static void a_scan_tells_ranges_of_like_pages(void **state)
{
	struct world *w = *state;
	struct mmk_pagemap_scan arg = {
	    .start = at(0),
	    .end = at(20),
	    .vec = VEC_AT,
	    .vec_len = 8,
	    .category_mask = MMK_PAGE_IS_PRESENT,
	    .return_mask = MMK_PAGE_IS_PRESENT | MMK_PAGE_IS_FILE | MMK_PAGE_IS_PFNZERO,
	};
	struct mmk_page_region r[8];

	put(w, 0, 6, RW, MMK_MAP_PRIVATE);
	put(w, 6, 2, RW, MMK_MAP_SHARED);
	store(w, at(1), 1);
	store(w, at(2), 1);
	load(w, at(3));
	store(w, at(6), 1);
	assert_int_equal(scan(w, &arg, r), 3);
	assert_int_equal(r[0].start, at(1));
	assert_int_equal(r[0].end, at(3));
	assert_int_equal(r[0].categories, MMK_PAGE_IS_PRESENT);
	assert_int_equal(r[1].start, at(3));
	assert_int_equal(r[1].categories, MMK_PAGE_IS_PRESENT | MMK_PAGE_IS_PFNZERO);
	assert_int_equal(r[2].end, at(7));
	assert_int_equal(r[2].categories, MMK_PAGE_IS_PRESENT | MMK_PAGE_IS_FILE);
	assert_int_equal(arg.walk_end, at(20));
	arg.max_pages = 1;
	assert_int_equal(scan(w, &arg, r), 1);
	assert_int_equal(r[0].end, at(2));
	assert_int_equal(arg.walk_end, at(2));
	/* The contrary: what is mapped and has no page. */
	arg.max_pages = 0;
	arg.category_inverted = MMK_PAGE_IS_PRESENT;
	assert_int_equal(scan(w, &arg, r), 3);
	assert_int_equal(r[1].start, at(4));
	assert_int_equal(r[1].end, at(6));
}

static void a_scan_goes_on_where_the_vector_ended(void **state)
{
	struct world *w = *state;
	struct mmk_pagemap_scan arg = {
	    .start = at(0),
	    .end = at(20),
	    .vec = VEC_AT,
	    .vec_len = 2,
	    .category_mask = MMK_PAGE_IS_PRESENT,
	    .return_mask = MMK_PAGE_IS_PRESENT,
	};
	struct mmk_page_region r[2];

	put(w, 0, 20, RW, MMK_MAP_PRIVATE);
	for (unsigned i = 0; i < 20; i += 4)
		store(w, at(i), 1);
	assert_int_equal(scan(w, &arg, r), 2);
	assert_int_equal(r[1].start, at(4));
	assert_int_equal(arg.walk_end, at(8));
	arg.start = arg.walk_end;
	assert_int_equal(scan(w, &arg, r), 2);
	assert_int_equal(r[1].start, at(12));
	arg.flags = MMK_PM_SCAN_CHECK_WPASYNC;
	assert_int_equal(scan(w, &arg, r), -MMK_EPERM);
	arg.flags = 4;
	assert_int_equal(scan(w, &arg, r), -MMK_EINVAL);
}

/* ---- prctl ---- */

/* PR_SET_VMA_ANON_NAME with the name in the program's memory; NULL takes it away. */
static long set_name(struct world *w, unsigned page, unsigned n, const char *name)
{
	unsigned long arg[4] = {MMK_PR_SET_VMA_ANON_NAME, at(page), n * PAGE, name ? ARG_AT : 0};
	struct mmk_fault f;

	if (name) {
		put(w, 100, 1, RW, MMK_MAP_PRIVATE);
		assert_int_equal(
		    hosted_store(w->h, &w->task, ARG_AT, name, strlen(name) + 1, &f), 0);
	}
	return CHECKED(w, mmk_sys_prctl(&w->task, MMK_PR_SET_VMA, arg));
}

static long option(struct world *w, int option, unsigned long value)
{
	unsigned long arg[4] = {value};

	return CHECKED(w, mmk_sys_prctl(&w->task, option, arg));
}

static void names_part_and_join_mappings(void **state)
{
	struct world *w = *state;
	struct mmk_task parent = w->task, child = w->task;

	put(w, 0, 6, RW, MMK_MAP_PRIVATE);
	assert_int_equal(set_name(w, 1, 2, "one"), 0);
	assert_string_equal(world_draw(w, BASE, 6), "ABBCCC");
	assert_non_null(strstr(world_maps(w), "   [anon:one]\n"));
	assert_int_equal(set_name(w, 3, 1, "one"), 0);
	assert_string_equal(world_draw(w, BASE, 6), "ABBBCC");
	assert_int_equal(set_name(w, 3, 1, "two"), 0);
	assert_string_equal(world_draw(w, BASE, 6), "ABBCDD");
	assert_int_equal(w_munmap(w, at(2), PAGE), 0);
	assert_int_equal(w_fork(w, &child), 0);
	w->task = child;
	assert_non_null(strstr(world_maps(w), "[anon:two]"));
	hosted_exit(w->h, &w->task);
	w->task = parent;
	assert_int_equal(set_name(w, 0, 2, NULL), 0);
	assert_int_equal(set_name(w, 3, 1, NULL), 0);
	assert_string_equal(world_draw(w, BASE, 6), "AA.BBB");
}

static void refusals_of_names(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);
	char longest[81];

	memset(longest, 'x', sizeof(longest));
	longest[80] = 0;
	put(w, 0, 2, RW, MMK_MAP_PRIVATE);
	assert_int_equal(set_name(w, 0, 1, longest), -MMK_EINVAL);
	assert_reason(w, "at most 79");
	longest[79] = 0;
	assert_int_equal(set_name(w, 0, 1, longest), 0);
	assert_int_equal(set_name(w, 0, 1, "a$"), -MMK_EINVAL);
	assert_int_equal(set_name(w, 0, 1, "tab\t"), -MMK_EINVAL);
	must_mmap(w, at(2), PAGE, RW, MMK_MAP_PRIVATE | FIXED, fd, 0);
	assert_int_equal(set_name(w, 1, 2, "name"), -MMK_EBADF);
	assert_non_null(strstr(world_maps(w), "[anon:name]"));
	assert_int_equal(set_name(w, 0, 4, "x"), -MMK_EBADF);
	assert_int_equal(w_munmap(w, at(2), PAGE), 0);
	assert_int_equal(set_name(w, 0, 4, "x"), -MMK_ENOMEM);
	assert_string_equal(world_draw(w, BASE, 3), "AA.");
	put(w, 2, 1, RW, MMK_MAP_SHARED);
	assert_int_equal(set_name(w, 2, 1, "shm"), 0);
	assert_non_null(strstr(world_maps(w), "[anon_shmem:shm]"));
}

static void nothing_new_executes_under_mdwe(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW | X, MMK_MAP_PRIVATE);
	put(w, 2, 1, RX, MMK_MAP_PRIVATE);
	assert_int_equal(option(w, MMK_PR_GET_MDWE, 0), 0);
	assert_int_equal(option(w, MMK_PR_SET_MDWE, MMK_PR_MDWE_NO_INHERIT), -MMK_EINVAL);
	assert_int_equal(option(w, MMK_PR_SET_MDWE, 1), 0);
	assert_int_equal(option(w, MMK_PR_SET_MDWE, 3), -MMK_EPERM);
	assert_int_equal(option(w, MMK_PR_GET_MDWE, 0), 1);
	assert_int_equal(w_mmap(w, 0, PAGE, RW | X, ANON_PRIVATE, -1, 0), -MMK_EACCES);
	assert_reason(w, "PR_SET_MDWE");
	put(w, 3, 1, RX, MMK_MAP_PRIVATE);
	put(w, 4, 1, RW, MMK_MAP_PRIVATE);
	assert_int_equal(w_mprotect(w, at(4), PAGE, RX), -MMK_EACCES);
	assert_int_equal(w_mprotect(w, at(0), PAGE, RX), 0);
	assert_int_equal(w_mprotect(w, at(1), PAGE, RW | X), -MMK_EACCES);
	assert_int_equal(w_mprotect(w, at(2), PAGE, RW), 0);
	assert_int_equal(w_mprotect(w, at(2), PAGE, RX), -MMK_EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(pss_counts_a_shared_page_in_parts),
	    WORLD_TEST(smaps_shows_locked_memory_and_flags),
	    WORLD_TEST(a_shared_hole_that_was_only_read_is_clean),
	    WORLD_TEST(writes_are_tracked_once_asked_for),
	    WORLD_TEST(protection_does_not_hide_a_tracked_write),
	    WORLD_TEST(a_debuggers_write_is_tracked_too),
	    WORLD_TEST(references_are_forgotten),
	    WORLD_TEST(the_high_water_mark_begins_anew),
	    WORLD_TEST(a_scan_tells_ranges_of_like_pages),
	    WORLD_TEST(a_scan_goes_on_where_the_vector_ended),
	    WORLD_TEST(names_part_and_join_mappings),
	    WORLD_TEST(refusals_of_names),
	    WORLD_TEST(nothing_new_executes_under_mdwe),
	};

	return cmocka_run_group_tests_name("procfs", tests, NULL, NULL);
}
