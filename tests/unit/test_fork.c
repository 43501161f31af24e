/* SPDX-License-Identifier: MIT */
/* fork and copy on write: who sees what, and how many copies are made. */
#include "tests/unit/harness.h"

static uint64_t copies(struct world *w)
{
	struct mmk_stats s;

	mmk_stats(w->sys, &s);
	return s.faults_cow_copy;
}

static void each_keeps_its_own(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 4 * PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_task child;

	store(w, a, 1);
	store(w, a + PAGE, 2);
	assert_int_equal(w_fork(w, &child), 0);
	store(w, a, 10);                       /* the parent writes first here */
	store_of(w, &child, a + PAGE, 20);     /* and the child there */
	store_of(w, &child, a + 2 * PAGE, 30); /* a page that was not there at the fork */
	assert_int_equal(load_of(w, &child, a), 1);
	assert_int_equal(load(w, a), 10);
	assert_int_equal(load(w, a + PAGE), 2);
	assert_int_equal(load_of(w, &child, a + PAGE), 20);
	assert_int_equal(load(w, a + 2 * PAGE), 0);
	hosted_exit(w->h, &child);
	assert_int_equal(load(w, a), 10);
	assert_int_equal(load(w, a + PAGE), 2);
}

static void the_last_owner_does_not_copy(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_task child;
	uint64_t before;

	store(w, a, 1);
	assert_int_equal(w_fork(w, &child), 0);
	before = copies(w);
	store_of(w, &child, a, 2);
	assert_int_equal(copies(w), before + 1);
	store(w, a, 3); /* sole owner by now */
	assert_int_equal(copies(w), before + 1);
	assert_int_equal(load_of(w, &child, a), 2);
	hosted_exit(w->h, &child);
	assert_int_equal(w_fork(w, &child), 0);
	hosted_exit(w->h, &child);
	store(w, a, 4);
	assert_int_equal(copies(w), before + 1);
}

static void three_generations(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 3 * PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_task child, grandchild;

	for (unsigned i = 0; i < 3; i++)
		store(w, a + i * PAGE, (uint8_t)(1 + i));
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(CHECKED(w, hosted_fork(w->h, &child, &grandchild)), 0);
	store_of(w, &child, a, 50);
	store_of(w, &grandchild, a + PAGE, 60);
	store(w, a + 2 * PAGE, 70);
	assert_int_equal(load(w, a), 1);
	assert_int_equal(load_of(w, &grandchild, a), 1);
	assert_int_equal(load(w, a + PAGE), 2);
	assert_int_equal(load_of(w, &child, a + PAGE), 2);
	assert_int_equal(load_of(w, &child, a + 2 * PAGE), 3);
	assert_int_equal(load_of(w, &grandchild, a + 2 * PAGE), 3);
	hosted_exit(w->h, &child); /* the one in the middle goes first */
	world_check(w, __FILE__, __LINE__);
	assert_int_equal(load_of(w, &grandchild, a + 2 * PAGE), 3);
	store_of(w, &grandchild, a + 2 * PAGE, 80);
	hosted_exit(w->h, &grandchild);
	assert_int_equal(load(w, a + 2 * PAGE), 70);
}

static void a_read_only_page_forks_too(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_task child;

	store(w, a, 1);
	assert_int_equal(w_mprotect(w, a, PAGE, R), 0);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(w_mprotect(w, a, PAGE, RW), 0);
	store(w, a, 2);
	assert_int_equal(load_of(w, &child, a), 1);
	hosted_exit(w->h, &child);
}

static void a_private_copy_of_a_file_forks(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDWR);
	unsigned long a = must_mmap(w, 0, 2 * PAGE, RW, MMK_MAP_PRIVATE, fd, 0);
	struct mmk_task child;

	store(w, a, 1);
	assert_int_equal(w_fork(w, &child), 0);
	store_of(w, &child, a, 2);
	store_of(w, &child, a + PAGE, 3);
	assert_int_equal(load(w, a), 1);
	assert_int_equal(load(w, a + PAGE), file_byte(PAGE));
	hosted_exit(w->h, &child);
}

static void a_shared_file_stays_shared(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDWR);
	unsigned long a = must_mmap(w, 0, 2 * PAGE, RW, MMK_MAP_SHARED, fd, 0);
	struct mmk_task child;

	store(w, a, 1);
	assert_int_equal(w_fork(w, &child), 0);
	store_of(w, &child, a, 2);
	store_of(w, &child, a + PAGE, 3);
	assert_int_equal(load(w, a), 2);
	assert_int_equal(load(w, a + PAGE), 3);
	hosted_exit(w->h, &child);
	assert_int_equal(w_msync(w, a, 2 * PAGE, MMK_MS_SYNC), 0);
	assert_int_equal(host_byte(w, "f", PAGE), 3);
}

static void the_zero_page_forks(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 2 * PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_task child;

	assert_int_equal(load(w, a), 0);
	assert_int_equal(w_fork(w, &child), 0);
	store(w, a, 1);
	assert_int_equal(load_of(w, &child, a), 0);
	store_of(w, &child, a, 2);
	assert_int_equal(load(w, a), 1);
	hosted_exit(w->h, &child);
}

static void the_parent_may_go_first(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 2 * PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_task child;

	store(w, a, 1);
	assert_int_equal(w_fork(w, &child), 0);
	hosted_exit(w->h, &w->task);
	w->task = child;
	assert_int_equal(load(w, a), 1);
	store(w, a, 2);
	assert_int_equal(w_munmap(w, a, 2 * PAGE), 0);
}

static void many_children_use_asids_up(void **state)
{
	struct hosted_config config = {.asid_bits = 8, .ram_size = 32 << 20};
	struct world *w = world_new(&config);
	unsigned long a = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_task child, sleeper;

	store(w, a, 1);
	assert_int_equal(w_fork(w, &sleeper), 0);
	store_of(w, &sleeper, a, 2);
	for (int i = 0; i < 600; i++) { /* more than twice what 8 bits give */
		assert_int_equal(hosted_fork(w->h, &w->task, &child), 0);
		if (i % 100 == 0) {
			store_of(w, &child, a, (uint8_t)i);
			assert_int_equal(load(w, a), 1);
			assert_int_equal(load_of(w, &sleeper, a), 2);
		} else {
			uint8_t byte = 9;

			assert_int_equal(hosted_store(w->h, &child, a, &byte, 1, NULL), 0);
		}
		hosted_exit(w->h, &child);
	}
	hosted_exit(w->h, &sleeper);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(each_keeps_its_own),
	    WORLD_TEST(the_last_owner_does_not_copy),
	    WORLD_TEST(three_generations),
	    WORLD_TEST(a_read_only_page_forks_too),
	    WORLD_TEST(a_private_copy_of_a_file_forks),
	    WORLD_TEST(a_shared_file_stays_shared),
	    WORLD_TEST(the_zero_page_forks),
	    WORLD_TEST(the_parent_may_go_first),
	    cmocka_unit_test(many_children_use_asids_up),
	};

	return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
