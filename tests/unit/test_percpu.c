/* SPDX-License-Identifier: MIT */
/*
 * What each CPU has for itself: counters, whose sums are the figures; free objects and frames, which
 * are nobody's and come back when memory runs short.
 */
#include "tests/unit/harness.h"
#include <pthread.h>
#include <signal.h>
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/frame_cache.h"
#include "mm/memory.h"

static struct world *begin(unsigned nr_cpus)
{
	struct hosted_config config = {.nr_cpus = nr_cpus};

	return world_new(&config);
}

static struct mmk_mm_stats figures_of(struct world *w)
{
	struct mmk_mm_stats s;

	mmk_mm_stats(w->task.mm, &s);
	return s;
}

/* Pages that one CPU maps, and another takes away. */
static void an_mm_has_the_sum_of_what_its_cpus_count(void **state)
{
	struct world *w = begin(2);
	unsigned long a = must_mmap(w, 0, 8 * PAGE, RW, ANON_PRIVATE, -1, 0);
	uint64_t faults = figures_of(w).min_flt;

	hosted_set_cpu(0);
	for (int i = 0; i < 4; i++)
		store(w, a + i * PAGE, 1);
	hosted_set_cpu(1);
	store(w, a + 4 * PAGE, 1);
	assert_int_equal(load(w, a + 5 * PAGE), 0);
	assert_int_equal(figures_of(w).rss_anon, 5);
	assert_int_equal(figures_of(w).min_flt - faults, 6);
	assert_int_equal(w_munmap(w, a, 3 * PAGE), 0);
	assert_true(w->task.mm->counts[1].rss[RSS_ANON] < 0);
	assert_int_equal(figures_of(w).rss_anon, 2);
	hosted_set_cpu(0);
	world_end(w);
}

/* Anonymous faults are counted where the mm has its figures; they stay when it has gone. */
static void the_system_counts_the_faults_of_programs_that_have_ended(void **state)
{
	struct world *w = begin(2);
	struct mmk_stats before, now;
	struct mmk_task other = {.pid = 2};
	long a;

	mmk_stats(w->sys, &before);
	assert_int_equal(hosted_spawn(w->h, &other), 0);
	a = mmk_sys_mmap(&other, 0, 4 * PAGE, RW, ANON_PRIVATE, -1, 0);
	assert_true(a > 0);
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		hosted_set_cpu(cpu);
		store_of(w, &other, a + 2 * cpu * PAGE, 1);
		assert_int_equal(load_of(w, &other, a + (2 * cpu + 1) * PAGE), 0);
	}
	for (int i = 0; i < 2; i++) {
		mmk_stats(w->sys, &now);
		assert_int_equal(now.faults_anon - before.faults_anon, 2);
		assert_int_equal(now.faults_anon_zero - before.faults_anon_zero, 2);
		assert_int_equal(now.faults - before.faults, 4);
		hosted_set_cpu(0);
		if (!i)
			hosted_exit(w->h, &other);
	}
	world_end(w);
}

static void populated_pages_are_faults_and_resident(void **state)
{
	struct world *w = begin(2);
	uint64_t faults = figures_of(w).min_flt;

	must_mmap(w, 0, 16 * PAGE, RW, ANON_PRIVATE | MMK_MAP_POPULATE, -1, 0);
	assert_int_equal(figures_of(w).min_flt - faults, 16);
	assert_int_equal(figures_of(w).rss_anon, 16);
	world_end(w);
}

/* Several CPUs look at each other's figures only now and then: never too high, a little too low. */
static void the_high_water_mark_is_exact_on_one_cpu_and_close_on_two(void **state)
{
	for (unsigned nr_cpus = 1; nr_cpus <= 2; nr_cpus++) {
		struct world *w = begin(nr_cpus);
		unsigned long a = must_mmap(w, 0, 200 * PAGE, RW, ANON_PRIVATE, -1, 0);

		for (int i = 0; i < 200; i++)
			store(w, a + i * PAGE, 1);
		for (int i = 0; i < 200; i++)
			assert_int_equal(mmk_sys_munmap(&w->task, a + i * PAGE, PAGE), 0);
		assert_int_equal(figures_of(w).rss_anon, 0);
		assert_in_range(figures_of(w).hiwater_rss, nr_cpus > 1 ? 200 - 31 : 200, 200);
		world_end(w);
	}
}

/* An mm with so many counters does not fit into a slab. */
static void sixty_four_cpus(void **state)
{
	struct world *w = begin(MAX_CPUS);
	struct mmk_task child = {.pid = 2};
	unsigned long a = must_mmap(w, 0, MAX_CPUS * PAGE, RW, ANON_PRIVATE, -1, 0);

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		hosted_set_cpu(cpu);
		store(w, a + cpu * PAGE, 1);
	}
	hosted_set_cpu(0);
	assert_int_equal(figures_of(w).rss_anon, MAX_CPUS);
	assert_int_equal(w_fork(w, &child), 0);
	hosted_exit(w->h, &child);
	world_end(w);
}

#define NR_OBJECTS 300

/* Made on one CPU and freed on the other, in batches and to the last: as free as ever. */
static void objects_go_from_cpu_to_cpu(void **state)
{
	struct world *w = begin(2);
	struct slab_cache *cache = &w->sys->radix_cache;
	uint64_t before = slab_in_use(cache), frames;
	void *object[NR_OBJECTS];

	slab_reap(w->sys);
	frames = world_free_frames(w);
	for (int i = 0; i < NR_OBJECTS; i++) {
		object[i] = slab_alloc(cache);
		assert_non_null(object[i]);
		memset(object[i], i, cache->size);
		assert_int_equal(slab_in_use(cache) - before, i + 1);
	}
	hosted_set_cpu(1);
	for (int i = 0; i < NR_OBJECTS; i++) {
		for (unsigned at = 0; at < cache->size; at++)
			assert_int_equal(((uint8_t *)object[i])[at], (uint8_t)i);
		slab_free(cache, object[i]);
		assert_int_equal(slab_in_use(cache) - before, NR_OBJECTS - 1 - i);
	}
	hosted_set_cpu(0);
	world_check(w, __FILE__, __LINE__);
	assert_true(slab_reap(w->sys) > 0);
	assert_int_equal(world_free_frames(w), frames);
	world_end(w);
}

/* All frames of the machine, as a list. */
static struct page *take_all(struct world *w)
{
	struct page *all = NULL, *page;

	while ((page = alloc_page_reclaim(w->sys, PAGE_KERNEL))) {
		page->next = all;
		all = page;
	}
	return all;
}

static void free_all(struct world *w, struct page *all)
{
	struct page *next;

	for (; all; all = next) {
		next = all->next;
		all->mapping = NULL;
		free_pages(w->sys, all);
	}
}

/* What the other CPU keeps ready, frames and whole slabs of free objects, is there for who needs it. */
static void nothing_is_kept_back_when_frames_run_short(void **state)
{
	struct world *w = begin(2);
	void *object[NR_OBJECTS];
	struct page *all;
	struct mmk_stats before, short_of, now;

	slab_reap(w->sys);
	mmk_stats(w->sys, &before);
	hosted_set_cpu(1);
	for (int i = 0; i < NR_OBJECTS; i++) {
		object[i] = mmk_kmalloc(w->sys, 1024);
		assert_non_null(object[i]);
	}
	for (int i = 0; i < NR_OBJECTS; i++)
		mmk_kfree(w->sys, object[i]);
	mmk_stats(w->sys, &now);
	assert_true(now.frames_slab > before.frames_slab);
	hosted_set_cpu(0);
	all = take_all(w);
	mmk_stats(w->sys, &short_of);
	assert_int_equal(short_of.frames_free, 0);
	assert_true(short_of.frames_slab <= before.frames_slab);
	free_all(w, all);
	world_end(w);
}

#define ROUNDS 500000
#define TRIES  20 /* threads that have just begun meet best */

/* Two buddies: one that a CPU's cache has and has not, in turn, and one that is freed and taken again. */
struct buddies {
	struct world *w;
	struct page *cached, *freed;
	pthread_t interrupted;
	_Atomic bool done;
};

static void *takes_and_gives(void *arg)
{
	struct buddies *b = arg;

	hosted_set_cpu(0);
	while (!b->done) {
		assert_ptr_equal(frame_cache_take(b->w->sys, PAGE_ANON, 0), b->cached);
		free_pages(b->w->sys, b->cached);
	}
	return NULL;
}

/* Stands still for a moment, wherever it is. */
static void stand_still(int signo)
{
	for (volatile int i = 0; i < 100; i++)
		;
}

static void *interrupts(void *arg)
{
	struct buddies *b = arg;

	while (!b->done)
		pthread_kill(b->interrupted, SIGUSR1);
	return NULL;
}

/* Off the list, if it is on it. */
static bool take_off(struct page **all, const struct page *page)
{
	for (; *all; all = &(*all)->next)
		if (*all == page) {
			*all = page->next;
			return true;
		}
	return false;
}

static struct page *buddy_of(struct mmk_system *sys, const struct page *page)
{
	uint64_t base = sys->phys_base >> PAGE_SHIFT;

	return sys->mem_map + ((base + (uint64_t)(page - sys->mem_map)) ^ 1) - base;
}

static void free_beside_the_cache(struct buddies *b)
{
	struct mmk_system *sys = b->w->sys;
	pthread_t thread[2];
	struct page *page;

	b->done = false;
	assert_int_equal(pthread_create(&thread[0], NULL, takes_and_gives, b), 0);
	assert_int_equal(pthread_create(&thread[1], NULL, interrupts, b), 0);
	for (int round = 0; round < ROUNDS; round++) {
		spin_lock(sys, &sys->buddy_lock);
		buddy_give_block(sys, b->freed, 0);
		page = buddy_take_block(sys, 0);
		spin_unlock(&sys->buddy_lock);
		assert_ptr_equal(page, b->freed);
	}
	b->done = true;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

/*
 * A frame that lies in a CPU's cache is of no kind, and one just taken from it of order 0; who frees its
 * buddy meanwhile must not take it for a free block of order 0.
 */
static void what_comes_out_of_a_cache_is_no_free_buddy(void **state)
{
	struct world *w = begin(2);
	struct buddies b = {.w = w, .interrupted = pthread_self()};
	struct page *all = take_all(w);

	b.cached = all;
	b.freed = buddy_of(w->sys, all);
	assert_true(take_off(&all, b.cached) && take_off(&all, b.freed));
	free_pages(w->sys, b.cached);
	signal(SIGUSR1, stand_still);
	hosted_set_cpu(1);
	for (int i = 0; i < TRIES; i++)
		free_beside_the_cache(&b);
	signal(SIGUSR1, SIG_DFL);
	hosted_set_cpu(0);
	page_set(b.freed, PAGE_KERNEL << PG_KIND_SHIFT);
	b.freed->next = all;
	free_all(w, b.freed);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_mm_has_the_sum_of_what_its_cpus_count),
	    cmocka_unit_test(the_system_counts_the_faults_of_programs_that_have_ended),
	    cmocka_unit_test(populated_pages_are_faults_and_resident),
	    cmocka_unit_test(the_high_water_mark_is_exact_on_one_cpu_and_close_on_two),
	    cmocka_unit_test(sixty_four_cpus),
	    cmocka_unit_test(objects_go_from_cpu_to_cpu),
	    cmocka_unit_test(nothing_is_kept_back_when_frames_run_short),
	    cmocka_unit_test(what_comes_out_of_a_cache_is_no_free_buddy),
	};

	return cmocka_run_group_tests_name("percpu", tests, NULL, NULL);
}
