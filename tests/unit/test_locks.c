/* SPDX-License-Identifier: MIT */
/*
 * The locks and the page cache with several threads at once. What is checked here is what must hold
 * whatever the order; run under ThreadSanitizer for the rest.
 */
#include <pthread.h>
#include "mm/internal.h"
#include "mm/cache.h"
#include "harness.h"

#define NR_THREADS 4

struct crowd {
	struct world *w;
	struct rwsem sem;
	spinlock_t spin;
	struct page *page;
	struct address_space m;
	unsigned char *home;
	pthread_mutex_t inode_lock; /* the embedder's: writers and truncation one at a time */
	uint64_t a, b, c, spun;
	_Atomic bool broken;
};

struct member {
	struct crowd *crowd;
	unsigned cpu;
	uint64_t seed;
};

static uint64_t rnd(struct member *me, uint64_t below)
{
	me->seed ^= me->seed << 13;
	me->seed ^= me->seed >> 7;
	me->seed ^= me->seed << 17;
	return (me->seed >> 11) % below;
}

static void run_crowd(struct crowd *crowd, void *(*fn)(void *))
{
	struct member members[NR_THREADS];
	pthread_t threads[NR_THREADS];

	for (unsigned i = 0; i < NR_THREADS; i++) {
		members[i] = (struct member){crowd, i, 88172645463325252ull + i};
		assert_int_equal(pthread_create(&threads[i], NULL, fn, &members[i]), 0);
	}
	for (unsigned i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_false(crowd->broken);
}

/* ---- semaphore, spinlock, page lock ---- */

static void bump_a(struct crowd *c)
{
	c->a++;
	c->b++;
}

static void *lock_member(void *arg)
{
	struct member *me = arg;
	struct crowd *c = me->crowd;
	struct mmk_system *sys = c->w->sys;

	hosted_set_cpu(me->cpu);
	for (int i = 0; i < 20000; i++) {
		switch (rnd(me, 4)) {
		case 0:
			down_write(sys, &c->sem);
			bump_a(c);
			if (rnd(me, 2)) {
				downgrade_write(sys, &c->sem);
				if (c->a != c->b)
					c->broken = true;
				up_read(sys, &c->sem);
			} else {
				up_write(sys, &c->sem);
			}
			break;
		case 1:
			down_read(sys, &c->sem);
			if (c->a != c->b)
				c->broken = true;
			up_read(sys, &c->sem);
			break;
		case 2:
			spin_lock(sys, &c->spin);
			c->spun++;
			spin_unlock(&c->spin);
			break;
		default:
			lock_page(sys, c->page);
			c->c++;
			unlock_page(sys, c->page);
		}
	}
	return NULL;
}

static void locks_exclude_and_nobody_sleeps_for_ever(void **state)
{
	struct crowd c = {.w = *state};

	c.page = alloc_pages(c.w->sys, 0, PAGE_KERNEL);
	run_crowd(&c, lock_member);
	assert_int_equal(c.a, c.b);
	assert_int_equal(atomic_load(&c.sem.state), 0);
	assert_int_equal(atomic_load(&c.sem.waiters), 0);
	put_page(c.w->sys, c.page);
}

static void *killed_writer(void *arg)
{
	struct member *me = arg;

	hosted_set_cpu(1);
	me->seed = (uint64_t)-down_write_killable(me->crowd->w->sys, &me->crowd->sem);
	return NULL;
}

static void a_killed_writer_lets_readers_in_again(void **state)
{
	struct crowd c = {.w = *state};
	struct member me = {.crowd = &c};
	pthread_t thread;

	down_read(c.w->sys, &c.sem);
	pthread_create(&thread, NULL, killed_writer, &me);
	while (!(atomic_load(&c.sem.state) & RWSEM_WAITING))
		sched_yield();
	assert_false(down_read_trylock(&c.sem));
	hosted_kill(c.w->h, 1, true);
	pthread_join(thread, NULL);
	hosted_kill(c.w->h, 1, false);
	assert_int_equal(me.seed, MMK_EINTR);
	assert_true(down_read_trylock(&c.sem));
	up_read(c.w->sys, &c.sem);
	up_read(c.w->sys, &c.sem);
	assert_int_equal(atomic_load(&c.sem.state), 0);
}

/* ---- frames and objects ---- */

static void *alloc_member(void *arg)
{
	struct member *me = arg;
	struct mmk_system *sys = me->crowd->w->sys;
	unsigned char *p[64] = {NULL};
	size_t size[64];

	hosted_set_cpu(me->cpu);
	for (int i = 0; i < 30000; i++) {
		unsigned k = (unsigned)rnd(me, 64);

		if (p[k]) {
			if (p[k][0] != (unsigned char)me->cpu || p[k][size[k] - 1] != me->cpu)
				me->crowd->broken = true;
			mmk_kfree(sys, p[k]);
			p[k] = NULL;
			continue;
		}
		size[k] = 1 + rnd(me, 20000);
		p[k] = mmk_kmalloc(sys, size[k]);
		if (p[k])
			p[k][0] = p[k][size[k] - 1] = (unsigned char)me->cpu;
	}
	for (unsigned k = 0; k < 64; k++)
		mmk_kfree(sys, p[k]);
	return NULL;
}

static void objects_of_several_threads_stay_apart(void **state)
{
	struct crowd c = {.w = *state};

	run_crowd(&c, alloc_member);
}

/* ---- the page cache ---- */

#define FILE_PAGES 64
#define RECORD     64 /* bytes; each is written whole with one value, within one page */

static int64_t move(struct address_space *m, uint64_t pos, const struct mmk_iovec *iov, unsigned n,
                    bool out)
{
	unsigned char *home = ((struct crowd *)m->host)->home;
	int64_t done = 0;

	for (unsigned i = 0; i < n; done += (int64_t)iov[i++].len) {
		unsigned char *at = home + pos + done;

		memcpy(out ? at : iov[i].base, out ? iov[i].base : at, iov[i].len);
	}
	return done;
}

static int64_t home_read(struct address_space *m, uint64_t pos, const struct mmk_iovec *iov,
                         unsigned n)
{
	return move(m, pos, iov, n, false);
}

static int64_t home_write(struct address_space *m, uint64_t pos, const struct mmk_iovec *iov,
                          unsigned n)
{
	return move(m, pos, iov, n, true);
}

static const struct mmk_mapping_ops crowd_ops = {.read = home_read, .write = home_write};

static void write_record(struct member *me)
{
	struct crowd *c = me->crowd;
	unsigned char rec[RECORD];
	uint64_t pos = rnd(me, FILE_PAGES * PAGE_SIZE / RECORD) * RECORD;

	memset(rec, 1 + (int)rnd(me, 255), RECORD);
	pthread_mutex_lock(&c->inode_lock);
	if (mmk_mapping_write(&c->m, pos, rec, RECORD) != RECORD)
		c->broken = true;
	pthread_mutex_unlock(&c->inode_lock);
}

static void shrink_and_grow(struct member *me)
{
	struct crowd *c = me->crowd;
	uint64_t size = rnd(me, FILE_PAGES * PAGE_SIZE / RECORD) * RECORD;

	pthread_mutex_lock(&c->inode_lock);
	mmk_mapping_truncate(&c->m, size);
	memset(c->home + size, 0, FILE_PAGES * PAGE_SIZE - size);
	if (mmk_mapping_read(&c->m, size, &(char){0}, 1) != 0)
		c->broken = true;
	mmk_mapping_truncate(&c->m, FILE_PAGES * PAGE_SIZE);
	pthread_mutex_unlock(&c->inode_lock);
}

static void *cache_member(void *arg)
{
	struct member *me = arg;
	struct crowd *c = me->crowd;

	hosted_set_cpu(me->cpu);
	for (int i = 0; i < 4000; i++) {
		switch (rnd(me, 8)) {
		case 0:
			if (mmk_mapping_sync(&c->m, 0, ~0ull, false))
				c->broken = true;
			break;
		case 1:
			reclaim_frames(c->w->sys, 1 + rnd(me, 20), c->w->sys->nr_frames);
			break;
		case 2:
			if (!rnd(me, 8))
				shrink_and_grow(me);
			break;
		default:
			write_record(me);
		}
	}
	return NULL;
}

/* Writing, writeback, truncation and reclaim at once; then cache and home agree. */
static void the_cache_keeps_every_write(void **state)
{
	struct crowd c = {.w = *state};
	unsigned char *seen = malloc(FILE_PAGES * PAGE_SIZE);

	c.home = calloc(1, FILE_PAGES * PAGE_SIZE);
	pthread_mutex_init(&c.inode_lock, NULL);
	mmk_mapping_init(c.w->sys, &c.m, &crowd_ops, &c, FILE_PAGES * PAGE_SIZE);
	run_crowd(&c, cache_member);
	assert_int_equal(mmk_mapping_read(&c.m, 0, seen, FILE_PAGES * PAGE_SIZE),
	                 FILE_PAGES * PAGE_SIZE);
	assert_int_equal(mmk_mapping_sync(&c.m, 0, ~0ull, false), 0);
	assert_int_equal(c.m.nrdirty, 0);
	assert_memory_equal(seen, c.home, FILE_PAGES * PAGE_SIZE);
	for (unsigned i = 0; i < FILE_PAGES * PAGE_SIZE; i += RECORD)
		for (unsigned k = 1; k < RECORD; k++)
			assert_int_equal(seen[i + k], seen[i]);
	mmk_mapping_destroy(&c.m);
	free(c.home);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(locks_exclude_and_nobody_sleeps_for_ever),
	    WORLD_TEST(a_killed_writer_lets_readers_in_again),
	    WORLD_TEST(objects_of_several_threads_stay_apart),
	    WORLD_TEST(the_cache_keeps_every_write),
	};

	return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
