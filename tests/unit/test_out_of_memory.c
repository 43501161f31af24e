/* SPDX-License-Identifier: MIT */
/* Frames that run out: what is dropped, what is kept in reserve, who is asked, what a victim gives.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/frame_cache.h"
#include "harness.h"

#define SMALL (2ull << 20)

struct oom {
	struct world *w;
	struct mmk_task victim;
	unsigned asked;
	enum mmk_oom answer;
	bool reap;
};

static enum mmk_oom asked(void *arg)
{
	struct oom *o = arg;

	o->asked++;
	if (!o->reap || o->asked > 1)
		return o->answer;
	assert_true(mmk_mm_reap(o->victim.mm));
	return MMK_OOM_RETRY;
}

static struct world *small_world(struct oom *o, enum mmk_oom answer)
{
	struct hosted_config config = {.ram_size = SMALL};
	struct world *w = world_new(&config);

	*o = (struct oom){.w = w, .answer = answer};
	hosted_on_oom(w->h, asked, o);
	return w;
}

/* Touch pages of [p, p + n pages) until one is refused; how many went. */
static unsigned long touch(struct world *w, struct mmk_task *t, unsigned long p, unsigned long n,
                           struct mmk_fault *f)
{
	uint8_t one = 1;
	unsigned long i;

	*f = (struct mmk_fault){0};
	for (i = 0; i < n; i++)
		if (hosted_store(w->h, t, p + i * PAGE, &one, 1, f))
			break;
	return i;
}

static void the_reserve_is_not_for_programs(void **state)
{
	struct oom o;
	struct world *w = small_world(&o, MMK_OOM_NONE);
	unsigned long p = must_mmap(w, 0, SMALL, RW, ANON_PRIVATE | MMK_MAP_NORESERVE, -1, 0);
	struct mmk_fault f;

	touch(w, &w->task, p, SMALL / PAGE, &f);
	assert_int_equal(f.signo, UNIT_SIGKILL);
	assert_int_equal(o.asked, 1);
	assert_true(frames_free(w->sys) >= w->sys->nr_min);
	/* What cannot wait gets it. */
	for (uint64_t i = 0; i < w->sys->nr_min / 2; i++) {
		struct page *page = alloc_pages(w->sys, 0, PAGE_KERNEL);

		assert_non_null(page);
		put_page(w->sys, page);
	}
	assert_int_equal(w_munmap(w, p, SMALL), 0);
	world_end(w);
}

static void who_is_to_end_may_have_it(void **state)
{
	struct oom o;
	struct world *w = small_world(&o, MMK_OOM_DYING);
	unsigned long p = must_mmap(w, 0, SMALL, RW, ANON_PRIVATE | MMK_MAP_NORESERVE, -1, 0);
	struct mmk_fault f;

	touch(w, &w->task, p, SMALL / PAGE, &f);
	assert_int_equal(f.signo, UNIT_SIGKILL);
	assert_true(o.asked > w->sys->nr_min / 2);
	assert_int_equal(frames_free(w->sys), 0);
	assert_int_equal(w_munmap(w, p, SMALL), 0);
	world_end(w);
}

static void a_victims_memory_comes_back_before_its_end(void **state)
{
	struct oom o;
	struct world *w = small_world(&o, MMK_OOM_NONE);
	unsigned long mine, its, got;
	struct mmk_fault f;
	uint8_t byte;

	assert_int_equal(w_fork(w, &o.victim), 0);
	its = mmk_sys_mmap(&o.victim, 0, SMALL / 2, RW, ANON_PRIVATE, -1, 0);
	assert_int_equal(touch(w, &o.victim, its, SMALL / 2 / PAGE, &f), SMALL / 2 / PAGE);
	assert_true(mmk_mm_badness(o.victim.mm) > SMALL / 2 / PAGE);
	o.reap = true;
	mine = must_mmap(w, 0, SMALL, RW, ANON_PRIVATE | MMK_MAP_NORESERVE, -1, 0);
	got = touch(w, &w->task, mine, SMALL / PAGE, &f);
	assert_true(got > SMALL / 2 / PAGE);
	assert_int_equal(o.asked, 2);
	assert_true(mmk_mm_badness(o.victim.mm) < 8);
	/* It shall not go on with zeros where its bytes were. */
	assert_int_equal(hosted_load(w->h, &o.victim, its, &byte, 1, &f), UNIT_SIGBUS);
	hosted_exit(w->h, &o.victim);
	assert_int_equal(w_munmap(w, mine, SMALL), 0);
	world_end(w);
}

static void what_a_victim_shares_stays(void **state)
{
	struct world *w = *state;
	int fd = hosted_memfd(w->h, "m", 2 * PAGE);
	unsigned long p = must_mmap(w, 0, 2 * PAGE, RW, MMK_MAP_SHARED, fd, 0);
	struct mmk_task victim;

	store(w, p, 5);
	assert_int_equal(w_fork(w, &victim), 0);
	store_of(w, &victim, p + PAGE, 6);
	assert_true(mmk_mm_reap(victim.mm));
	assert_int_equal(load(w, p), 5);
	assert_int_equal(load(w, p + PAGE), 6);
	hosted_exit(w->h, &victim);
}

static void a_locked_address_space_is_not_reaped(void **state)
{
	struct world *w = *state;

	mmap_write_lock(w->task.mm);
	assert_false(mmk_mm_reap(w->task.mm));
	mmap_write_unlock(w->task.mm);
}

static void cached_pages_go_before_anybody_is_asked(void **state)
{
	struct oom o;
	struct world *w = small_world(&o, MMK_OOM_NONE);
	const unsigned long cached = SMALL / 4 / PAGE, n = SMALL * 5 / 8 / PAGE;
	int fd = host_file(w, "f", cached * PAGE, O_RDWR);
	unsigned long p = must_mmap(w, 0, n * PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_fault f;
	struct mmk_stats s;

	for (unsigned long i = 0; i < cached; i++)
		fd_byte(w, fd, i * PAGE);
	assert_int_equal(touch(w, &w->task, p, n, &f), n);
	assert_int_equal(o.asked, 0);
	mmk_stats(w->sys, &s);
	assert_true(s.reclaimed > 0);
	assert_true(s.frames_file < cached);
	assert_int_equal(w_munmap(w, p, n * PAGE), 0);
	world_end(w);
}

static void a_mapped_page_that_is_used_is_spared_once(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDWR);
	unsigned long p = must_mmap(w, 0, 2 * PAGE, R, MMK_MAP_SHARED, fd, 0);
	unsigned char vec[2];

	mmk_sysctl_set(w->sys, "fault_around_bytes", PAGE);
	load(w, p);
	load(w, p + PAGE);
	reclaim_frames(w->sys, ~0ull, w->sys->nr_frames); /* takes the marks away */
	load(w, p);
	reclaim_frames(w->sys, ~0ull, w->sys->nr_frames);
	mincore_range(find_vma(w->task.mm, p), p, p + 2 * PAGE, vec);
	assert_int_equal(vec[0], 1);
	assert_int_equal(vec[1], 0);
	assert_int_equal(load(w, p + PAGE), file_byte(PAGE));
}

static void locked_pages_stay(void **state)
{
	struct world *w = *state;
	struct page *page;
	int fd = host_file(w, "f", 2 * PAGE, O_RDWR);
	unsigned long p = must_mmap(w, 0, 2 * PAGE, R, MMK_MAP_SHARED, fd, 0);

	assert_int_equal(w_mlock(w, p, PAGE), 0);
	load(w, p + PAGE);
	reclaim_frames(w->sys, ~0ull, 3 * w->sys->nr_frames);
	page = filemap_peek(hosted_file(w->h, fd)->f_mapping, 0);
	assert_non_null(page);
	put_page(w->sys, page);
	assert_null(filemap_peek(hosted_file(w->h, fd)->f_mapping, 1));
}

static void tables_are_counted_and_come_back(void **state)
{
	struct oom o;
	struct world *w = small_world(&o, MMK_OOM_NONE);
	uint64_t before = frames_free(w->sys);
	unsigned long at = 1ul << 40, n = 0;
	struct mmk_fault f;
	uint8_t one = 1;

	/* One page and one table each. */
	for (;; n++) {
		unsigned long a = at + n * (2ul << 20);

		if (mmk_sys_mmap(&w->task, a, PAGE, RW, ANON_PRIVATE | FIXED, -1, 0) < 0 ||
		    hosted_store(w->h, &w->task, a, &one, 1, &f))
			break;
	}
	assert_true(n > 50);
	assert_true(mmk_mm_badness(w->task.mm) >= 2 * n);
	/* One of the reserve may have become the slab of the last VMA. */
	assert_true(frames_free(w->sys) + 1 >= w->sys->nr_min);
	assert_int_equal(w_munmap(w, at, (n + 1) * (2ul << 20)), 0);
	slab_reap(w->sys);
	assert_true(frames_free(w->sys) + 8 >= before);
	world_end(w);
}

static void the_watermarks_follow_min_free_kbytes(void **state)
{
	struct world *w = *state;
	struct mmk_stats s;

	assert_int_equal(mmk_sysctl_set(w->sys, "min_free_kbytes", 400), 0);
	mmk_stats(w->sys, &s);
	assert_int_equal(s.frames_min, 100);
	assert_int_equal(s.frames_low, 125);
	assert_int_equal(s.frames_high, 150);
}

static void reading_ahead_does_not_eat_the_last_frames(void **state)
{
	struct oom o;
	struct world *w = small_world(&o, MMK_OOM_NONE);
	int fd = host_file(w, "f", 64 * PAGE, O_RDWR);
	struct page *list = NULL, *page;
	struct mmk_stats s;

	while (frames_free(w->sys) >= w->sys->nr_low &&
	       (page = alloc_pages(w->sys, 0, PAGE_KERNEL))) {
		page->next = list;
		list = page;
	}
	assert_int_equal(fd_byte(w, fd, 0), file_byte(0));
	mmk_stats(w->sys, &s);
	assert_int_equal(s.frames_file, 1);
	while ((page = list)) {
		list = page->next;
		put_page(w->sys, page);
	}
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_reserve_is_not_for_programs),
	    cmocka_unit_test(who_is_to_end_may_have_it),
	    cmocka_unit_test(a_victims_memory_comes_back_before_its_end),
	    WORLD_TEST(what_a_victim_shares_stays),
	    WORLD_TEST(a_locked_address_space_is_not_reaped),
	    cmocka_unit_test(cached_pages_go_before_anybody_is_asked),
	    WORLD_TEST(a_mapped_page_that_is_used_is_spared_once),
	    WORLD_TEST(locked_pages_stay),
	    cmocka_unit_test(tables_are_counted_and_come_back),
	    WORLD_TEST(the_watermarks_follow_min_free_kbytes),
	    cmocka_unit_test(reading_ahead_does_not_eat_the_last_frames),
	};

	return cmocka_run_group_tests_name("out_of_memory", tests, NULL, NULL);
}
