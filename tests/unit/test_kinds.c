/* SPDX-License-Identifier: MIT */
/* The four kinds of mapping, right to the byte, and what the end of a file does to them. */
#include "tests/unit/harness.h"

#define SIZE (2 * PAGE + 100) /* two whole pages and a tail */
#define TAIL (2 * PAGE + 100) /* first byte beyond the end */

/* ---- private file ---- */

static void private_file_starts_as_the_file(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDONLY);
	unsigned long a = must_mmap(w, 0, SIZE, RW, MMK_MAP_PRIVATE, fd, 0);

	for (size_t i = 0; i < SIZE; i += 97)
		assert_int_equal(load(w, a + i), file_byte(i));
}

static void private_file_writes_stay_here(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDWR);
	unsigned long a = must_mmap(w, 0, SIZE, RW, MMK_MAP_PRIVATE, fd, 0);
	unsigned long b = must_mmap(w, 0, SIZE, R, MMK_MAP_SHARED, fd, 0);

	store(w, a + 5, 0);
	assert_int_equal(load(w, a + 5), 0);
	assert_int_equal(load(w, a + 4), file_byte(4));
	assert_int_equal(load(w, b + 5), file_byte(5));
	assert_int_equal(fd_byte(w, fd, 5), file_byte(5));
	assert_int_equal(w_msync(w, a, PAGE, MMK_MS_SYNC), 0);
	assert_int_equal(w_munmap(w, a, SIZE), 0);
	assert_int_equal(hosted_fsync(w->h, fd), 0);
	assert_int_equal(host_byte(w, "f", 5), file_byte(5));
}

static void private_file_sees_later_changes_until_copied(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDWR);
	unsigned long a = must_mmap(w, 0, SIZE, RW, MMK_MAP_PRIVATE, fd, 0);
	uint8_t zero = 0;

	assert_int_equal(load(w, a + 7), file_byte(7));
	store(w, a + PAGE, 1); /* the second page is copied */
	assert_int_equal(CHECKED(w, hosted_pwrite(w->h, fd, 7, &zero, 1)), 1);
	assert_int_equal(CHECKED(w, hosted_pwrite(w->h, fd, PAGE + 7, &zero, 1)), 1);
	assert_int_equal(load(w, a + 7), 0);
	assert_int_equal(load(w, a + PAGE + 7), file_byte(PAGE + 7));
}

/* ---- shared file ---- */

static void shared_file_is_what_read_sees(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDWR);
	unsigned long a = must_mmap(w, 0, SIZE, RW, MMK_MAP_SHARED, fd, 0);
	unsigned long b = must_mmap(w, 0, SIZE, R, MMK_MAP_SHARED, fd, 0);
	uint8_t byte = 77;

	store(w, a + PAGE + 3, 99);
	assert_int_equal(fd_byte(w, fd, PAGE + 3), 99);
	assert_int_equal(load(w, b + PAGE + 3), 99);
	assert_int_equal(CHECKED(w, hosted_pwrite(w->h, fd, 9, &byte, 1)), 1);
	assert_int_equal(load(w, a + 9), 77);
	assert_int_equal(load(w, b + 9), 77);
}

static void shared_file_reaches_the_host_by_msync(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDWR);
	unsigned long a = must_mmap(w, 0, SIZE, RW, MMK_MAP_SHARED, fd, 0);

	for (int round = 1; round <= 3;
	     round++) { /* after writeback the first store must fault again */
		store(w, a + PAGE, (uint8_t)(100 + round));
		assert_int_equal(w_msync(w, a, 2 * PAGE, MMK_MS_SYNC), 0);
		assert_int_equal(host_byte(w, "f", PAGE), 100 + round);
	}
	assert_int_equal(host_byte(w, "f", PAGE + 1), file_byte(PAGE + 1));
}

static void shared_file_reaches_the_host_by_unmap_and_close(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDWR);
	unsigned long a = must_mmap(w, 0, SIZE, RW, MMK_MAP_SHARED, fd, 0);

	store(w, a, 200);
	assert_int_equal(hosted_close(w->h, fd), 0);
	store(w, a + 1, 201);
	assert_int_equal(w_munmap(w, a, SIZE), 0);
	assert_int_equal(host_byte(w, "f", 0), 200);
	assert_int_equal(host_byte(w, "f", 1), 201);
}

static void two_opens_of_one_file_are_one_cache(void **state)
{
	struct world *w = *state;
	int one = host_file(w, "f", SIZE, O_RDONLY), two;
	char path[128];
	unsigned long a, b;

	snprintf(path, sizeof(path), "%s/f", w->dir);
	two = hosted_open(w->h, path, O_RDWR, 0);
	assert_true(two >= 0 && two != one);
	a = must_mmap(w, 0, SIZE, R, MMK_MAP_SHARED, one, 0);
	b = must_mmap(w, 0, SIZE, RW, MMK_MAP_SHARED, two, 0);
	store(w, b + 11, 3);
	assert_int_equal(load(w, a + 11), 3);
	assert_int_equal(fd_byte(w, one, 11), 3);
	assert_int_equal(hosted_fsync(w->h, two), 0);
	assert_int_equal(host_byte(w, "f", 11), 3);
}

static void an_offset_maps_from_there(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDWR);
	unsigned long a = must_mmap(w, 0, PAGE, RW, MMK_MAP_SHARED, fd, PAGE);

	assert_int_equal(load(w, a + 1), file_byte(PAGE + 1));
	store(w, a + 1, 6);
	assert_int_equal(w_msync(w, a, PAGE, MMK_MS_SYNC), 0);
	assert_int_equal(host_byte(w, "f", PAGE + 1), 6);
}

/* ---- the end of a file ---- */

static void tail_reads_zero_and_is_never_written(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDWR);
	unsigned long a = must_mmap(w, 0, 3 * PAGE, RW, MMK_MAP_SHARED, fd, 0);
	uint8_t byte = 1;

	assert_int_equal(load(w, a + TAIL - 1), file_byte(TAIL - 1));
	assert_int_equal(load(w, a + TAIL), 0);
	assert_int_equal(load(w, a + 3 * PAGE - 1), 0);
	store(w, a + TAIL, 55);
	store(w, a + TAIL - 1, 44);
	assert_int_equal(w_msync(w, a, 3 * PAGE, MMK_MS_SYNC), 0);
	assert_int_equal(host_size(w, "f"), SIZE);
	assert_int_equal(host_byte(w, "f", TAIL - 1), 44);
	/* The file grows over it: what was stored there was never the file's. */
	assert_int_equal(CHECKED(w, hosted_ftruncate(w->h, fd, 3 * PAGE)), 0);
	assert_int_equal(fd_byte(w, fd, TAIL), 0);
	assert_int_equal(CHECKED(w, hosted_pwrite(w->h, fd, 3 * PAGE - 1, &byte, 1)), 1);
	assert_int_equal(hosted_fsync(w->h, fd), 0);
	assert_int_equal(host_byte(w, "f", TAIL), 0);
	assert_int_equal(host_byte(w, "f", 3 * PAGE - 1), 1);
}

static void a_page_past_the_end_is_sigbus(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDWR);
	unsigned long shared = must_mmap(w, 0, 5 * PAGE, RW, MMK_MAP_SHARED, fd, 0);
	unsigned long private = must_mmap(w, 0, 5 * PAGE, RW, MMK_MAP_PRIVATE, fd, 0);
	struct mmk_fault f = w_load(w, shared + 3 * PAGE + 17);

	assert_fault(f, UNIT_SIGBUS, MMK_BUS_ADRERR);
	assert_int_equal(f.addr, shared + 3 * PAGE + 17);
	assert_fault(w_store(w, shared + 4 * PAGE, 1), UNIT_SIGBUS, MMK_BUS_ADRERR);
	assert_fault(w_load(w, private + 3 * PAGE), UNIT_SIGBUS, MMK_BUS_ADRERR);
	assert_fault(w_store(w, private + 3 * PAGE, 1), UNIT_SIGBUS, MMK_BUS_ADRERR);
	/* It comes to be when the file grows. */
	assert_int_equal(CHECKED(w, hosted_ftruncate(w->h, fd, 4 * PAGE)), 0);
	assert_int_equal(load(w, shared + 3 * PAGE), 0);
	store(w, private + 3 * PAGE, 1);
}

static void truncation_takes_pages_away_private_copies_too(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", SIZE, O_RDWR);
	unsigned long shared = must_mmap(w, 0, SIZE, RW, MMK_MAP_SHARED, fd, 0);
	unsigned long private = must_mmap(w, 0, SIZE, RW, MMK_MAP_PRIVATE, fd, 0);

	store(w, shared + PAGE, 1);
	store(w, private + PAGE, 2); /* a copy */
	store(w, private, 3);
	assert_int_equal(CHECKED(w, hosted_ftruncate(w->h, fd, 10)), 0);
	assert_fault(w_load(w, shared + PAGE), UNIT_SIGBUS, MMK_BUS_ADRERR);
	assert_fault(w_load(w, private + PAGE), UNIT_SIGBUS, MMK_BUS_ADRERR);
	assert_int_equal(load(w, private), 3); /* within the file: the copy stays */
	assert_int_equal(load(w, shared + 9), file_byte(9));
	assert_int_equal(load(w, shared + 10), 0);
	assert_int_equal(host_size(w, "f"), 10);
	/* and what was beyond does not come back */
	assert_int_equal(CHECKED(w, hosted_ftruncate(w->h, fd, SIZE)), 0);
	assert_int_equal(load(w, shared + PAGE), 0);
	assert_int_equal(load(w, shared + 10), 0);
	assert_int_equal(load(w, private + PAGE), 0);
}

/* ---- anonymous ---- */

static void private_anonymous_is_zero_then_its_own(void **state)
{
	struct world *w = *state;
	uint64_t before = world_free_frames(w);
	unsigned long a = must_mmap(w, 0, 64 * PAGE, RW, ANON_PRIVATE, -1, 0);

	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(load(w, a + i * PAGE + i), 0);
	/* reading takes no frames but for tables: the zero page is shared */
	assert_in_range(before - world_free_frames(w), 0, 16);
	for (unsigned i = 0; i < 64; i++)
		store(w, a + i * PAGE, (uint8_t)(i + 1));
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(load(w, a + i * PAGE), i + 1);
		assert_int_equal(load(w, a + i * PAGE + 1), 0);
	}
	assert_true(before - world_free_frames(w) >= 64);
	assert_int_equal(w_munmap(w, a, 64 * PAGE), 0);
}

static void shared_anonymous_is_shared_over_fork(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 2 * PAGE, RW, ANON_SHARED, -1, 0);
	struct mmk_task child;

	store(w, a, 1);
	assert_int_equal(w_fork(w, &child), 0);
	store_of(w, &child, a + 1, 2);
	assert_int_equal(load(w, a + 1), 2);
	store(w, a + PAGE, 3); /* a page that neither had touched */
	assert_int_equal(load_of(w, &child, a + PAGE), 3);
	hosted_exit(w->h, &child);
	assert_int_equal(load(w, a + 1), 2);
}

static void dev_zero_is_anonymous_memory(void **state)
{
	struct world *w = *state;
	int fd = hosted_open_zero(w->h);
	unsigned long private, shared;
	struct mmk_task child;

	assert_true(fd >= 0);
	private = must_mmap(w, 0, PAGE, RW, MMK_MAP_PRIVATE, fd, 0);
	shared = must_mmap(w, 0, PAGE, RW, MMK_MAP_SHARED, fd, 0);
	assert_int_equal(load(w, private), 0);
	store(w, private, 1);
	store(w, shared, 2);
	assert_int_equal(w_fork(w, &child), 0);
	store_of(w, &child, private, 3);
	store_of(w, &child, shared, 4);
	assert_int_equal(load(w, private), 1);
	assert_int_equal(load(w, shared), 4);
	hosted_exit(w->h, &child);
}

static void tmpfs_file_holds_what_was_stored(void **state)
{
	struct world *w = *state;
	int fd = hosted_memfd(w->h, "m", 3 * PAGE);
	unsigned long a;

	assert_true(fd >= 0);
	a = must_mmap(w, 0, 3 * PAGE, RW, MMK_MAP_SHARED, fd, 0);
	assert_int_equal(load(w, a + PAGE), 0);
	store(w, a + PAGE, 8);
	assert_int_equal(w_munmap(w, a, 3 * PAGE), 0);
	assert_int_equal(fd_byte(w, fd, PAGE), 8);
	a = must_mmap(w, 0, 3 * PAGE, RW, MMK_MAP_PRIVATE, fd, 0);
	assert_int_equal(load(w, a + PAGE), 8);
	store(w, a + PAGE, 9);
	assert_int_equal(fd_byte(w, fd, PAGE), 8);
	assert_int_equal(CHECKED(w, hosted_punch(w->h, fd, PAGE, 2 * PAGE)), 0);
	assert_int_equal(fd_byte(w, fd, PAGE), 0);
	assert_int_equal(CHECKED(w, hosted_ftruncate(w->h, fd, 0)), 0);
	assert_fault(w_load(w, a), UNIT_SIGBUS, MMK_BUS_ADRERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(private_file_starts_as_the_file),
	    WORLD_TEST(private_file_writes_stay_here),
	    WORLD_TEST(private_file_sees_later_changes_until_copied),
	    WORLD_TEST(shared_file_is_what_read_sees),
	    WORLD_TEST(shared_file_reaches_the_host_by_msync),
	    WORLD_TEST(shared_file_reaches_the_host_by_unmap_and_close),
	    WORLD_TEST(two_opens_of_one_file_are_one_cache),
	    WORLD_TEST(an_offset_maps_from_there),
	    WORLD_TEST(tail_reads_zero_and_is_never_written),
	    WORLD_TEST(a_page_past_the_end_is_sigbus),
	    WORLD_TEST(truncation_takes_pages_away_private_copies_too),
	    WORLD_TEST(private_anonymous_is_zero_then_its_own),
	    WORLD_TEST(shared_anonymous_is_shared_over_fork),
	    WORLD_TEST(dev_zero_is_anonymous_memory),
	    WORLD_TEST(tmpfs_file_holds_what_was_stored),
	};

	return cmocka_run_group_tests_name("kinds", tests, NULL, NULL);
}
