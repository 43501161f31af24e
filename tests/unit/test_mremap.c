/* SPDX-License-Identifier: MIT */
/* mremap: shrink, grow, move with each flag; the bytes come along; every refusal leaves all as it
 * was. */
#include "tests/unit/canvas.h"

#define MAYMOVE   MMK_MREMAP_MAYMOVE
#define TO        (MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED)
#define DONTUNMAP (MMK_MREMAP_MAYMOVE | MMK_MREMAP_DONTUNMAP)

/* Byte i+1 into page i. */
static void number(struct world *w, unsigned page, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		store(w, at(page + i), i + 1);
}

static void numbered(struct world *w, unsigned page, unsigned first, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		assert_int_equal(load(w, at(page + i)), first + i);
}

static void shrinks_in_place(void **state)
{
	struct world *w = *state;

	put(w, 0, 4, RW);
	number(w, 0, 4);
	assert_int_equal(w_mremap(w, at(0), 4 * PAGE, 2 * PAGE, 0, 0), at(0));
	drawn(w, "AA..");
	numbered(w, 0, 1, 2);
	/* The part that goes may reach over other mappings. */
	put(w, 3, 1, R);
	assert_int_equal(w_mremap(w, at(0), 4 * PAGE, PAGE, 0, 0), at(0));
	drawn(w, "A...");
}

static void grows_in_place_and_joins_the_next(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	number(w, 0, 2);
	put(w, 4, 1, RW);
	assert_int_equal(w_mremap(w, at(0), 2 * PAGE, 3 * PAGE, 0, 0), at(0));
	drawn(w, "AAA.B");
	assert_int_equal(w_mremap(w, at(0), 3 * PAGE, 4 * PAGE, 0, 0), at(0));
	drawn(w, "AAAAB"); /* A has pages, B has not: Linux 6.12 keeps them apart */
	numbered(w, 0, 1, 2);
	assert_int_equal(load(w, at(3)), 0);
	put(w, 8, 1, RW);
	put(w, 10, 1, RW);
	assert_int_equal(w_mremap(w, at(8), PAGE, 2 * PAGE, 0, 0), at(8));
	assert_string_equal(world_draw(w, at(8), 3), "AAA");
}

static void moves_when_it_must(void **state)
{
	struct world *w = *state;
	unsigned long a;

	put(w, 0, 2, RW);
	put(w, 2, 1, R);
	number(w, 0, 2);
	refusal(w, w_mremap(w, at(0), 2 * PAGE, 3 * PAGE, 0, 0), MMK_ENOMEM,
	        MMK_REASON_MREMAP_IN_PLACE);
	a = w_mremap(w, at(0), 2 * PAGE, 3 * PAGE, MAYMOVE, 0);
	assert_true(a < -4095ul && a != at(0));
	drawn(w, "..A");
	assert_int_equal(load(w, a), 1);
	assert_int_equal(load(w, a + PAGE), 2);
	assert_int_equal(load(w, a + 2 * PAGE), 0);
	assert_string_equal(world_draw(w, a, 3), "AAA");
}

static void moves_out_of_the_middle(void **state)
{
	struct world *w = *state;

	put(w, 0, 5, RW);
	number(w, 0, 5);
	assert_int_equal(w_mremap(w, at(1), 2 * PAGE, 2 * PAGE, TO, at(8)), at(8));
	drawn(w, "A..BB...CC");
	numbered(w, 8, 2, 2);
	numbered(w, 3, 4, 2);
}

static void fixed_replaces_and_resizes(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, RW);
	number(w, 0, 3);
	put(w, 6, 4, R);
	assert_int_equal(w_mremap(w, at(0), 3 * PAGE, 2 * PAGE, TO, at(7)), at(7));
	drawn(w, "......ABBC");
	numbered(w, 7, 1, 2);
	assert_int_equal(w_mremap(w, at(7), 2 * PAGE, 4 * PAGE, TO, at(0)), at(0));
	drawn(w, "AAAA..B..C");
	numbered(w, 0, 1, 2);
	assert_int_equal(load(w, at(3)), 0);
}

static void within_one_mapping(void **state)
{
	struct world *w = *state;

	put(w, 0, 6, RW);
	number(w, 0, 6);
	assert_int_equal(w_mremap(w, at(0), PAGE, PAGE, TO, at(3)), at(3));
	drawn(w, ".AABCC");
	numbered(w, 1, 2, 2);
	assert_int_equal(load(w, at(3)), 1);
	numbered(w, 4, 5, 2);
}

static void untouched_memory_merges_where_it_arrives(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	put(w, 4, 2, RW);
	assert_int_equal(w_mremap(w, at(4), 2 * PAGE, 2 * PAGE, TO, at(2)), at(2));
	drawn(w, "AAAA..");
	/* Next to itself: the old VMA is the one it merges with. */
	assert_int_equal(w_mremap(w, at(2), 2 * PAGE, 2 * PAGE, TO, at(4)), at(4));
	drawn(w, "AA..BB");
	put(w, 2, 2, RW);
	drawn(w, "AAAAAA");
	assert_int_equal(w_mremap(w, at(4), 2 * PAGE, 2 * PAGE, TO, at(6)), at(6));
	drawn(w, "AAAA..BB");
}

static void touched_memory_goes_back_and_merges(void **state)
{
	struct world *w = *state;

	put(w, 0, 4, RW);
	number(w, 0, 4);
	assert_int_equal(w_mremap(w, at(1), PAGE, PAGE, TO, at(8)), at(8));
	drawn(w, "A.BB....C");
	assert_int_equal(w_mremap(w, at(8), PAGE, PAGE, TO, at(1)), at(1));
	drawn(w, "AAAA.....");
	numbered(w, 0, 1, 4);
}

static void a_file_keeps_its_offset(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 8 * PAGE, O_RDWR);

	must_mmap(w, at(0), 3 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, PAGE);
	assert_int_equal(load(w, at(1)), file_byte(2 * PAGE));
	assert_int_equal(w_mremap(w, at(1), 2 * PAGE, 3 * PAGE, TO, at(6)), at(6));
	drawn(w, "A.....BBB");
	assert_int_equal(load(w, at(6)), file_byte(2 * PAGE));
	assert_int_equal(load(w, at(8)), file_byte(4 * PAGE));
	store(w, at(8), 99);
	assert_int_equal(fd_byte(w, fd, 4 * PAGE), 99);
	assert_int_equal(hosted_ftruncate(w->h, fd, PAGE), 0);
	assert_fault(w_load(w, at(6)), UNIT_SIGBUS, MMK_BUS_ADRERR);
}

static void old_length_zero_doubles_a_shared_mapping(void **state)
{
	struct world *w = *state;
	unsigned long b;

	must_mmap(w, at(0), 2 * PAGE, RW, ANON_SHARED | FIXED, -1, 0);
	store(w, at(1), 5);
	b = w_mremap(w, at(0), 0, 2 * PAGE, MAYMOVE, 0);
	assert_true(b < -4095ul);
	assert_int_equal(load(w, b + PAGE), 5);
	store(w, b, 6);
	assert_int_equal(load(w, at(0)), 6);
	/* Over its own source there would be nothing to copy. */
	refusal(w, w_mremap(w, at(0), 0, 2 * PAGE, TO, at(0)), MMK_EFAULT,
	        MMK_REASON_MREMAP_OVERLAP);
	assert_int_equal(load(w, at(0)), 6);
	put(w, 4, 1, RW);
	refusal(w, w_mremap(w, at(4), 0, PAGE, MAYMOVE, 0), MMK_EINVAL, MMK_REASON_MREMAP_PRIVATE);
}

static void dontunmap_leaves_an_empty_mapping(void **state)
{
	struct world *w = *state;
	unsigned long b;

	put(w, 0, 3, RW);
	number(w, 0, 3);
	b = w_mremap(w, at(0), 3 * PAGE, 3 * PAGE, DONTUNMAP, 0);
	assert_true(b < -4095ul);
	assert_int_equal(load(w, b + 2 * PAGE), 3);
	assert_int_equal(load(w, at(2)), 0);
	drawn(w, "AAA");
	assert_int_equal(w_mremap(w, b, 3 * PAGE, 3 * PAGE, DONTUNMAP | TO, at(8)), at(8));
	numbered(w, 8, 1, 3);
}

static void dontunmap_of_locked_memory(void **state)
{
	struct world *w = *state;
	struct mmk_mm_stats s;

	put(w, 0, 3, RW);
	assert_int_equal(w_mlock(w, at(0), 3 * PAGE), 0);
	assert_int_equal(w_mremap(w, at(1), PAGE, PAGE, DONTUNMAP | TO, at(8)), at(8));
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.locked_vm, 1);
}

static void locked_memory_grows_locked(void **state)
{
	struct world *w = *state;
	struct mmk_mm_stats s;

	put(w, 0, 1, RW);
	assert_int_equal(w_mlock(w, at(0), PAGE), 0);
	w->rlim[MMK_RLIMIT_MEMLOCK].cur = 2 * PAGE;
	refusal(w, w_mremap(w, at(0), PAGE, 3 * PAGE, MAYMOVE, 0), MMK_EAGAIN,
	        MMK_REASON_MEMLOCK_LIMIT);
	assert_int_equal(w_mremap(w, at(0), PAGE, 2 * PAGE, 0, 0), at(0));
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.locked_vm, 2);
	assert_int_equal(s.rss_anon, 2);
	assert_int_equal(w_mremap(w, at(0), 2 * PAGE, 2 * PAGE, TO, at(8)), at(8));
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.locked_vm, 2);
}

static void charges_follow(void **state)
{
	struct world *w = *state;
	struct mmk_stats before, after;

	put(w, 0, 4, RW);
	put(w, 20, 4, RW);
	mmk_stats(w->sys, &before);
	assert_int_equal(w_mremap(w, at(0), 4 * PAGE, 2 * PAGE, TO, at(21)), at(21));
	mmk_stats(w->sys, &after);
	assert_int_equal(after.committed, before.committed - 4);
	assert_int_equal(w_mremap(w, at(21), 2 * PAGE, 6 * PAGE, TO, at(0)), at(0));
	mmk_stats(w->sys, &after);
	assert_int_equal(after.committed, before.committed);
}

static void refusals(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, RW);
	put(w, 3, 1, R);
	number(w, 0, 3);
	refusal(w, w_mremap(w, at(0), PAGE, PAGE, 8, 0), MMK_EINVAL, MMK_REASON_MREMAP_FLAGS);
	refusal(w, w_mremap(w, at(0), PAGE, PAGE, MMK_MREMAP_FIXED, at(8)), MMK_EINVAL,
	        MMK_REASON_MREMAP_MAYMOVE);
	refusal(w, w_mremap(w, at(0), PAGE, PAGE, MMK_MREMAP_DONTUNMAP, 0), MMK_EINVAL,
	        MMK_REASON_MREMAP_MAYMOVE);
	refusal(w, w_mremap(w, at(0), PAGE, 2 * PAGE, DONTUNMAP, 0), MMK_EINVAL,
	        MMK_REASON_MREMAP_DONTUNMAP_LENGTH);
	refusal(w, w_mremap(w, at(0) + 1, PAGE, PAGE, 0, 0), MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED);
	refusal(w, w_mremap(w, at(0), PAGE, 0, 0, 0), MMK_EINVAL, MMK_REASON_LENGTH_ZERO);
	refusal(w, w_mremap(w, at(9), PAGE, PAGE, 0, 0), MMK_EFAULT, MMK_REASON_NOT_MAPPED);
	refusal(w, w_mremap(w, at(0), 4 * PAGE, 5 * PAGE, MAYMOVE, 0), MMK_EFAULT,
	        MMK_REASON_MREMAP_ACROSS);
	refusal(w, w_mremap(w, at(0), PAGE, PAGE, TO, at(8) + 1), MMK_EINVAL,
	        MMK_REASON_MREMAP_NEW_UNALIGNED);
	refusal(w, w_mremap(w, at(0), PAGE, PAGE, TO, 1ul << 48), MMK_EINVAL,
	        MMK_REASON_BEYOND_TASK_SIZE);
	refusal(w, w_mremap(w, at(0), 3 * PAGE, 3 * PAGE, TO, at(2)), MMK_EINVAL,
	        MMK_REASON_MREMAP_OVERLAP);
	refusal(w, w_mremap(w, at(0), PAGE, PAGE, TO, 0), MMK_EPERM,
	        MMK_REASON_BELOW_MIN_ADDR);
	mmk_sysctl_set(w->sys, "max_map_count", world_nr_vmas(w) + 4);
	refusal(w, w_mremap(w, at(0), PAGE, PAGE, TO, at(8)), MMK_ENOMEM, MMK_REASON_MAP_COUNT);
	drawn(w, "AAAB.....");
	numbered(w, 0, 1, 3);
}

/* Whatever allocation fails, old place and replaced place are as they were. */
static void every_allocation_of_a_move(void **state)
{
	struct world *w = *state;
	unsigned long far = BASE + (1ul << 32);
	unsigned failed = 0;

	put(w, 0, 4, RW);
	number(w, 0, 4);
	assert_int_equal(w_mmap(w, far, PAGE, RW, ANON_PRIVATE | FIXED, -1, 0), far);
	store(w, far, 77);
	for (unsigned nth = 1; nth < 20; nth++) {
		long ret;

		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, nth, false);
		ret = w_mremap(w, at(1), 2 * PAGE, 2 * PAGE, TO, far);
		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, 0, false);
		if (ret == (long)far)
			break;
		failed++;
		assert_int_equal(ret, -MMK_ENOMEM);
		drawn(w, "AAAA");
		numbered(w, 0, 1, 4);
		assert_int_equal(load(w, far), 77);
	}
	assert_true(failed >= 2 && failed < 19);
	assert_int_equal(load(w, far), 2);
	assert_int_equal(load(w, far + PAGE), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(shrinks_in_place),
	    WORLD_TEST(grows_in_place_and_joins_the_next),
	    WORLD_TEST(moves_when_it_must),
	    WORLD_TEST(moves_out_of_the_middle),
	    WORLD_TEST(fixed_replaces_and_resizes),
	    WORLD_TEST(within_one_mapping),
	    WORLD_TEST(untouched_memory_merges_where_it_arrives),
	    WORLD_TEST(touched_memory_goes_back_and_merges),
	    WORLD_TEST(a_file_keeps_its_offset),
	    WORLD_TEST(old_length_zero_doubles_a_shared_mapping),
	    WORLD_TEST(dontunmap_leaves_an_empty_mapping),
	    WORLD_TEST(dontunmap_of_locked_memory),
	    WORLD_TEST(locked_memory_grows_locked),
	    WORLD_TEST(charges_follow),
	    WORLD_TEST(refusals),
	    WORLD_TEST(every_allocation_of_a_move),
	};

	return cmocka_run_group_tests_name("mremap", tests, NULL, NULL);
}
