/* SPDX-License-Identifier: MIT */
/*
 * Which mappings become one, drawn: 'A' is the first VMA seen, 'B' the next, '.' a hole. All within
 * a fixed window of pages, so that neighbours are what the test makes them.
 */
#include "tests/unit/canvas.h"

static void like_neighbours_become_one(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	put(w, 3, 2, RW);
	drawn(w, "AA.BB.");
	put(w, 2, 1, RW); /* both sides */
	drawn(w, "AAAAA.");
	put(w, 5, 1, RW); /* before */
	drawn(w, "AAAAAA");
	assert_int_equal(w_munmap(w, at(0), PAGE), 0);
	put(w, 0, 1, RW); /* after */
	drawn(w, "AAAAAA");
}

static void unlike_neighbours_do_not(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	put(w, 2, 2, R);
	put(w, 4, 2, RW);
	drawn(w, "AABBCC");
	put(w, 2, 1, RW); /* over the lower part of B */
	drawn(w, "AAABCC");
	put(w, 3, 1, RW);
	drawn(w, "AAAAAA");
}

static void fixed_in_the_middle_of_the_same_kind(void **state)
{
	struct world *w = *state;

	put(w, 0, 5, RW);
	store(w, at(2), 7);
	put(w, 2, 1, RW); /* fresh zeros, and one VMA still */
	drawn(w, "AAAAA");
	assert_int_equal(load(w, at(2)), 0);
}

static void mprotect_merges_and_splits(void **state)
{
	struct world *w = *state;

	put(w, 0, 6, RW);
	assert_int_equal(w_mprotect(w, at(2), 2 * PAGE, R), 0);
	drawn(w, "AABBCC");
	assert_int_equal(w_mprotect(w, at(1), PAGE, R), 0); /* B grows down over A's end */
	drawn(w, "ABBBCC");
	assert_int_equal(w_mprotect(w, at(4), PAGE, R), 0); /* and up over C's start */
	drawn(w, "ABBBBC");
	assert_int_equal(w_mprotect(w, at(1), 4 * PAGE, RW), 0); /* all of B, both sides agree */
	drawn(w, "AAAAAA");
	assert_int_equal(w_mprotect(w, at(0), 3 * PAGE, NONE), 0);
	drawn(w, "AAABBB");
	assert_int_equal(w_mprotect(w, at(0), 6 * PAGE, R), 0);
	drawn(w, "AAAAAA");
}

static void a_faulted_neighbour_on_one_side(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	store(w, at(0), 1);
	put(w, 2, 2, RW); /* new memory joins touched memory */
	drawn(w, "AAAA");
	put(w, 6, 2, RW);
	store(w, at(6), 1);
	drawn(w, "AAAA..BB");
	/* Both sides have pages, each with a history of its own: the hole joins one. */
	put(w, 4, 2, RW);
	drawn(w, "AAAAAABB");
}

static void split_halves_find_together_again(void **state)
{
	struct world *w = *state;

	put(w, 0, 4, RW);
	store(w, at(0), 1);
	assert_int_equal(w_mprotect(w, at(2), 2 * PAGE, R), 0);
	drawn(w, "AABB");
	assert_int_equal(w_mprotect(w, at(2), 2 * PAGE, RW), 0);
	drawn(w, "AAAA");
}

static void neighbours_share_a_history(void **state)
{
	struct world *w = *state;

	/* Apart only by protection when they are first touched: they may become one later. */
	put(w, 0, 2, RW);
	put(w, 2, 2, RW | X);
	store(w, at(0), 1);
	store(w, at(2), 1);
	drawn(w, "AABB");
	assert_int_equal(w_mprotect(w, at(2), 2 * PAGE, RW), 0);
	drawn(w, "AAAA");
}

static void touched_memory_does_not_join_untouched(void **state)
{
	struct world *w = *state;

	/* Linux 6.12: the touched part may take in an untouched one, not the other way round. */
	put(w, 0, 2, RW);
	put(w, 2, 2, R);
	store(w, at(0), 1);
	assert_int_equal(w_mprotect(w, at(0), 2 * PAGE, R), 0);
	drawn(w, "AABB");
}

static void a_childs_memory_stays_apart(void **state)
{
	struct world *w = *state;
	struct mmk_task parent = w->task, child = w->task;

	put(w, 0, 2, RW);
	store(w, at(0), 1);
	assert_int_equal(w_fork(w, &child), 0);
	w->task = child;
	put(w, 2, 2, RW); /* does not join what came from the parent */
	drawn(w, "AABB");
	hosted_exit(w->h, &w->task);
	w->task = parent;
	put(w, 2, 2, RW); /* for the parent it is its own */
	drawn(w, "AAAA");
}

static void files_merge_by_offset(void **state)
{
	struct world *w = *state;
	int f = host_file(w, "f", 8 * PAGE, O_RDWR), g = host_file(w, "g", 8 * PAGE, O_RDWR);
	unsigned long flags = MMK_MAP_SHARED | FIXED;

	must_mmap(w, at(0), 2 * PAGE, R, flags, f, 0);
	must_mmap(w, at(2), 2 * PAGE, R, flags, f, 2 * PAGE);
	drawn(w, "AAAA");
	must_mmap(w, at(4), PAGE, R, flags, f, 5 * PAGE); /* not the next page of the file */
	must_mmap(w, at(5), PAGE, R, flags, g, 6 * PAGE); /* another file */
	drawn(w, "AAAABC");
	must_mmap(w, at(4), PAGE, R, flags, f, 4 * PAGE);
	drawn(w, "AAAAAB");
	must_mmap(w, at(6), 2 * PAGE, R, MMK_MAP_PRIVATE | FIXED, g, 7 * PAGE);
	drawn(w, "AAAAABCC");
}

static void shared_anonymous_objects_stay_apart(void **state)
{
	struct world *w = *state;

	must_mmap(w, at(0), PAGE, RW, ANON_SHARED | FIXED, -1, 0);
	must_mmap(w, at(1), PAGE, RW, ANON_SHARED | FIXED, -1, 0);
	drawn(w, "AB");
}

static void locking_and_advice_split_and_merge(void **state)
{
	struct world *w = *state;

	put(w, 0, 5, RW);
	assert_int_equal(CHECKED(w, mmk_sys_mlock2(&w->task, at(1), 2 * PAGE, MMK_MLOCK_ONFAULT)),
	                 0);
	drawn(w, "ABBCC");
	assert_int_equal(w_munlock(w, at(0), 5 * PAGE), 0);
	drawn(w, "AAAAA");
	assert_int_equal(w_madvise(w, at(4), PAGE, MMK_MADV_DONTFORK), 0);
	drawn(w, "AAAAB");
	assert_int_equal(w_madvise(w, at(4), PAGE, MMK_MADV_DOFORK), 0);
	drawn(w, "AAAAA");
}

static void no_split_beyond_max_map_count(void **state)
{
	struct world *w = *state;

	put(w, 0, 5, RW);
	mmk_sysctl_set(w->sys, "max_map_count", world_nr_vmas(w) + 1);
	assert_int_equal(w_mprotect(w, at(1), PAGE, R), -MMK_ENOMEM); /* two more */
	assert_reason(w, "more mappings than vm.max_map_count");
	drawn(w, "AAAAA");
	assert_int_equal(w_mprotect(w, at(0), PAGE, R), 0); /* one more */
	drawn(w, "ABBBB");
	assert_int_equal(w_munmap(w, at(2), PAGE), -MMK_ENOMEM);
	drawn(w, "ABBBB");
	assert_int_equal(w_munmap(w, at(4), PAGE), 0); /* no split */
	drawn(w, "ABBB.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(like_neighbours_become_one),
	    WORLD_TEST(unlike_neighbours_do_not),
	    WORLD_TEST(fixed_in_the_middle_of_the_same_kind),
	    WORLD_TEST(mprotect_merges_and_splits),
	    WORLD_TEST(a_faulted_neighbour_on_one_side),
	    WORLD_TEST(split_halves_find_together_again),
	    WORLD_TEST(neighbours_share_a_history),
	    WORLD_TEST(touched_memory_does_not_join_untouched),
	    WORLD_TEST(a_childs_memory_stays_apart),
	    WORLD_TEST(files_merge_by_offset),
	    WORLD_TEST(shared_anonymous_objects_stay_apart),
	    WORLD_TEST(locking_and_advice_split_and_merge),
	    WORLD_TEST(no_split_beyond_max_map_count),
	};

	return cmocka_run_group_tests_name("merging", tests, NULL, NULL);
}
