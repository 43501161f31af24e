/* SPDX-License-Identifier: MIT */
/*
 * Writing back: whom errors are told, how many pages may be dirty and for how long, and that a
 * mapping does not go while its pages are on their way.
 */
#include <pthread.h>
#include <unistd.h>
#include "mm/internal.h"
#include "mm/cache.h"
#include "harness.h"

#define SECOND 1000000000ull

static uint64_t dirty_pages(struct world *w)
{
	struct mmk_stats s;

	mmk_stats(w->sys, &s);
	return s.dirty;
}

/* A world with little memory: size bytes of it. */
static struct world *small_world(uint64_t size)
{
	struct hosted_config config = {.ram_size = size};

	return world_new(&config);
}

/* ---- errors ---- */

static void an_error_is_told_once_to_each_open_file(void **state)
{
	struct world *w = *state;
	int a = host_file(w, "f", 3 * PAGE, O_RDWR), b = host_file(w, "f", 3 * PAGE, O_RDWR), c;

	assert_int_equal(hosted_pwrite(w->h, a, 10, "x", 1), 1);
	hosted_fail_io(w->h, 1, HOSTED_IO_EIO);
	assert_int_equal(CHECKED(w, hosted_fsync(w->h, a)), -MMK_EIO);
	assert_int_equal(dirty_pages(w), 1);
	assert_int_equal(fd_byte(w, a, 10), 'x');
	assert_int_equal(CHECKED(w, hosted_fsync(w->h, a)), 0);
	assert_int_equal(dirty_pages(w), 0);
	assert_int_equal(host_byte(w, "f", 10), 'x');
	c = host_file(w, "f", 3 * PAGE, O_RDWR);
	assert_int_equal(hosted_fsync(w->h, c), 0);
	assert_int_equal(hosted_fsync(w->h, b), -MMK_EIO);
	assert_int_equal(hosted_fsync(w->h, b), 0);
}

static void an_error_that_nobody_was_told_of_waits_for_the_next_opener(void **state)
{
	struct world *w = *state;
	int a = host_file(w, "f", PAGE, O_RDWR), b, c;

	hosted_pwrite(w->h, a, 0, "x", 1);
	hosted_fail_io(w->h, 1, HOSTED_IO_ENOSPC);
	assert_int_equal(flush_dirty(w->sys, 100, ~0ull), 0);
	b = host_file(w, "f", PAGE, O_RDWR);
	assert_int_equal(hosted_fsync(w->h, b), -MMK_ENOSPC);
	c = host_file(w, "f", PAGE, O_RDWR);
	assert_int_equal(hosted_fsync(w->h, c), 0);
	assert_int_equal(hosted_fsync(w->h, a), -MMK_ENOSPC);
	assert_int_equal(hosted_fsync(w->h, a), 0);
}

static void a_second_error_is_told_again(void **state)
{
	struct world *w = *state;
	int a = host_file(w, "f", PAGE, O_RDWR);

	for (int i = 0; i < 3; i++) {
		hosted_pwrite(w->h, a, 0, "x", 1);
		hosted_fail_io(w->h, 1, i == 1 ? HOSTED_IO_ENOSPC : HOSTED_IO_EIO);
		assert_int_equal(hosted_fsync(w->h, a), i == 1 ? -MMK_ENOSPC : -MMK_EIO);
		assert_int_equal(hosted_fsync(w->h, a), 0);
	}
}

static void msync_tells_it_too_and_the_page_is_kept(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDWR);
	unsigned long p = must_mmap(w, 0, 2 * PAGE, RW, MMK_MAP_SHARED, fd, 0);

	store(w, p + PAGE, 77);
	hosted_fail_io(w->h, 1, HOSTED_IO_ENOSPC);
	assert_int_equal(w_msync(w, p, 2 * PAGE, MMK_MS_SYNC), -MMK_ENOSPC);
	assert_reason(w, "ENOSPC");
	assert_int_equal(load(w, p + PAGE), 77);
	assert_int_equal(host_byte(w, "f", PAGE), file_byte(PAGE));
	assert_int_equal(w_msync(w, p, 2 * PAGE, MMK_MS_SYNC), 0);
	assert_int_equal(host_byte(w, "f", PAGE), 77);
}

static void short_writes_are_no_errors(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 4 * PAGE, O_RDWR);

	for (unsigned long i = 0; i < 4; i++)
		hosted_pwrite(w->h, fd, i * PAGE, "s", 1);
	hosted_fail_io(w->h, 1, HOSTED_IO_SHORT);
	assert_int_equal(CHECKED(w, hosted_fsync(w->h, fd)), 0);
	for (unsigned long i = 0; i < 4; i++)
		assert_int_equal(host_byte(w, "f", i * PAGE), 's');
}

static void what_fails_in_the_middle_leaves_the_rest_dirty(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 100 * PAGE, O_RDWR);

	for (unsigned long i = 0; i < 100; i++)
		hosted_pwrite(w->h, fd, i * PAGE, "m", 1);
	hosted_fail_io(w->h, 2, HOSTED_IO_EIO);
	assert_int_equal(hosted_fsync(w->h, fd), -MMK_EIO);
	assert_int_equal(dirty_pages(w), IO_BATCH);
	assert_int_equal(hosted_fsync(w->h, fd), 0);
	for (unsigned long i = 0; i < 100; i++)
		assert_int_equal(host_byte(w, "f", i * PAGE), 'm');
}

static void the_word_counts_what_was_told(void **state)
{
	uint32_t word = 0, early = mmk_wb_err_sample(&word), late;

	assert_int_equal(mmk_wb_err_tell(&word, &early), 0);
	mmk_wb_err_note(&word, -MMK_EIO);
	late = mmk_wb_err_sample(&word);
	assert_int_equal(mmk_wb_err_tell(&word, &early), -MMK_EIO);
	assert_int_equal(mmk_wb_err_tell(&word, &early), 0);
	assert_int_equal(mmk_wb_err_tell(&word, &late), -MMK_EIO);
	mmk_wb_err_note(&word, -MMK_EIO);
	mmk_wb_err_note(&word, -MMK_ENOSPC);
	assert_int_equal(mmk_wb_err_tell(&word, &early), -MMK_ENOSPC);
	assert_int_equal(mmk_wb_err_tell(&word, &late), -MMK_ENOSPC);
	late = mmk_wb_err_sample(&word);
	assert_int_equal(mmk_wb_err_tell(&word, &late), 0);
}

/* ---- how many, how long ---- */

static void dirty_pages_go_home_when_they_are_old(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 4 * PAGE, O_RDWR);
	uint64_t due;

	hosted_set_clock(w->h, 100 * SECOND);
	assert_true(mmk_background_work(w->sys) == ~0ull);
	hosted_pwrite(w->h, fd, 0, "o", 1);
	assert_int_equal(hosted_nr_wakes(w->h), 1);
	hosted_set_clock(w->h, 110 * SECOND);
	hosted_pwrite(w->h, fd, PAGE, "o", 1);
	due = CHECKED(w, mmk_background_work(w->sys));
	assert_int_equal(due, 130 * SECOND);
	assert_int_equal(dirty_pages(w), 2);
	hosted_set_clock(w->h, due);
	assert_true(CHECKED(w, mmk_background_work(w->sys)) == ~0ull);
	assert_int_equal(dirty_pages(w), 0);
	assert_int_equal(host_byte(w, "f", PAGE), 'o');
}

static void a_page_that_fails_has_to_grow_old_again(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	hosted_set_clock(w->h, SECOND);
	hosted_pwrite(w->h, fd, 0, "o", 1);
	hosted_set_clock(w->h, 40 * SECOND);
	hosted_fail_io(w->h, 1, HOSTED_IO_EIO);
	assert_int_equal(mmk_background_work(w->sys), 70 * SECOND);
	assert_int_equal(dirty_pages(w), 1);
	hosted_set_clock(w->h, 70 * SECOND);
	mmk_background_work(w->sys);
	assert_int_equal(dirty_pages(w), 0);
}

static void without_an_interval_nothing_goes_for_its_age(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	assert_int_equal(mmk_sysctl_set(w->sys, "dirty_writeback_centisecs", 0), 0);
	hosted_pwrite(w->h, fd, 0, "o", 1);
	hosted_set_clock(w->h, 1000 * SECOND);
	assert_true(mmk_background_work(w->sys) == ~0ull);
	assert_int_equal(dirty_pages(w), 1);
}

static void the_worker_keeps_them_below_the_background_threshold(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 64 * PAGE, O_RDWR);
	uint64_t wakes;

	mmk_sysctl_set(w->sys, "dirty_bytes", 1000 * PAGE);
	mmk_sysctl_set(w->sys, "dirty_background_bytes", 10 * PAGE);
	wakes = hosted_nr_wakes(w->h);
	for (unsigned long i = 0; i < 64; i++)
		hosted_pwrite(w->h, fd, i * PAGE, "b", 1);
	assert_int_equal(dirty_pages(w), 64);
	assert_true(hosted_nr_wakes(w->h) > wakes);
	CHECKED(w, mmk_background_work(w->sys));
	assert_true(dirty_pages(w) <= 10);
}

static void who_makes_too_many_dirty_writes_them_himself(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 256 * PAGE, O_RDWR);
	unsigned long p = must_mmap(w, 0, 256 * PAGE, RW, MMK_MAP_SHARED, fd, 0);
	struct mmk_stats s;

	mmk_sysctl_set(w->sys, "dirty_bytes", 40 * PAGE);
	w->unchecked = true;
	for (unsigned long i = 0; i < 256; i++) {
		if (i % 2)
			hosted_pwrite(w->h, fd, i * PAGE, "t", 1);
		else
			store(w, p + i * PAGE, 't');
		assert_true(dirty_pages(w) <= 40);
	}
	w->unchecked = false;
	mmk_stats(w->sys, &s);
	assert_true(s.throttled > 3);
	assert_int_equal(w_msync(w, p, 256 * PAGE, MMK_MS_SYNC), 0);
	for (unsigned long i = 0; i < 256; i++)
		assert_int_equal(host_byte(w, "f", i * PAGE), 't');
}

static void a_file_larger_than_memory_is_written_through_a_mapping(void **state)
{
	struct world *w = small_world(2 << 20);
	const unsigned long pages = 2048;
	int fd = host_file(w, "f", pages * PAGE, O_RDWR);
	unsigned long p = must_mmap(w, 0, pages * PAGE, RW, MMK_MAP_SHARED, fd, 0);

	w->unchecked = true;
	for (unsigned long i = 0; i < pages; i++)
		store(w, p + i * PAGE + i % PAGE, (uint8_t)(i * 7 + 1));
	w->unchecked = false;
	assert_int_equal(w_msync(w, p, pages * PAGE, MMK_MS_SYNC), 0);
	for (unsigned long i = 0; i < pages; i += 5)
		assert_int_equal(host_byte(w, "f", i * PAGE + i % PAGE), (uint8_t)(i * 7 + 1));
	world_end(w);
}

static void the_last_threshold_said_holds(void **state)
{
	struct world *w = *state;
	uint64_t v;

	assert_int_equal(mmk_sysctl_set(w->sys, "dirty_bytes", 2 * PAGE), 0);
	mmk_sysctl_get(w->sys, "dirty_ratio", &v);
	assert_int_equal(v, 0);
	assert_int_equal(mmk_sysctl_set(w->sys, "dirty_bytes", PAGE), -MMK_EINVAL);
	assert_int_equal(mmk_sysctl_set(w->sys, "dirty_ratio", 30), 0);
	mmk_sysctl_get(w->sys, "dirty_bytes", &v);
	assert_int_equal(v, 0);
}

/* ---- against the end of a file ---- */

struct race {
	struct world *w;
	_Atomic bool stop;
};

static _Thread_local bool flusher;

/* Asked for between the last page and letting go of the mapping: long enough for it to end. */
static uint64_t slow_clock(void *ctx)
{
	if (flusher)
		usleep(300);
	return 0;
}

static void *keep_flushing(void *arg)
{
	struct race *r = arg;

	hosted_set_cpu(1);
	flusher = true;
	while (!r->stop)
		flush_dirty(r->w->sys, ~0ull, ~0ull);
	return NULL;
}

static int64_t no_read(struct mmk_mapping *m, uint64_t pos, const struct mmk_iovec *iov, unsigned n)
{
	return 0;
}

static int64_t slow_write(struct mmk_mapping *m, uint64_t pos, const struct mmk_iovec *iov,
                          unsigned n)
{
	int64_t bytes = 0;

	usleep(100);
	while (n--)
		bytes += (int64_t)iov++->len;
	return bytes;
}

static void a_file_may_end_while_it_is_written_back(void **state)
{
	static const struct mmk_mapping_ops ops = {.read = no_read, .write = slow_write};
	struct hosted_config config = {.nr_cpus = 2};
	struct world *w = world_new(&config);
	struct race r = {.w = w};
	pthread_t thread;

	hosted_port(w->h)->now = slow_clock;
	assert_int_equal(pthread_create(&thread, NULL, keep_flushing, &r), 0);
	for (unsigned i = 0; i < 500; i++) {
		struct mmk_mapping *m = calloc(1, sizeof(*m));

		mmk_mapping_init(w->sys, m, &ops, NULL, 0);
		for (unsigned long k = 0; k < 4; k++)
			assert_int_equal(mmk_mapping_write(m, k * PAGE, "r", 1), 1);
		usleep(i % 7 * 20);
		mmk_mapping_destroy(m);
		free(m);
	}
	r.stop = true;
	pthread_join(thread, NULL);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(an_error_is_told_once_to_each_open_file),
	    WORLD_TEST(an_error_that_nobody_was_told_of_waits_for_the_next_opener),
	    WORLD_TEST(a_second_error_is_told_again),
	    WORLD_TEST(msync_tells_it_too_and_the_page_is_kept),
	    WORLD_TEST(short_writes_are_no_errors),
	    WORLD_TEST(what_fails_in_the_middle_leaves_the_rest_dirty),
	    cmocka_unit_test(the_word_counts_what_was_told),
	    WORLD_TEST(dirty_pages_go_home_when_they_are_old),
	    WORLD_TEST(a_page_that_fails_has_to_grow_old_again),
	    WORLD_TEST(without_an_interval_nothing_goes_for_its_age),
	    WORLD_TEST(the_worker_keeps_them_below_the_background_threshold),
	    WORLD_TEST(who_makes_too_many_dirty_writes_them_himself),
	    cmocka_unit_test(a_file_larger_than_memory_is_written_through_a_mapping),
	    WORLD_TEST(the_last_threshold_said_holds),
	    cmocka_unit_test(a_file_may_end_while_it_is_written_back),
	};

	return cmocka_run_group_tests_name("writeback", tests, NULL, NULL);
}
