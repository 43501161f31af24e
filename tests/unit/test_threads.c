/* SPDX-License-Identifier: MIT */
/*
 * Several CPUs at once in one address space: faults against mmap, munmap, mprotect, fork and
 * truncation. What each thread sees of its own memory is exact; what it sees of memory that another
 * takes away is the old, the new, or the signal that belongs to it. The strict TLB watches
 * throughout.
 */
#include <pthread.h>
#include <sched.h>
#include "mm/lazyfree.h"
#include "tests/unit/harness.h"

#define CPUS   4
#define ROUNDS 150

struct worker {
	struct world *w;
	struct mmk_task task; /* the same mm as all others */
	unsigned cpu;
	unsigned long shared; /* memory that somebody takes away and brings back */
	int fd;
	const char *wrong;
};

static void *own_memory(void *arg)
{
	struct worker *me = arg;
	struct hosted *h = me->w->h;

	hosted_set_cpu(me->cpu);
	for (unsigned i = 0; i < ROUNDS && !me->wrong; i++) {
		long a = mmk_sys_mmap(&me->task, 0, 8 * PAGE, RW, ANON_PRIVATE, -1, 0);
		uint8_t value = (uint8_t)(me->cpu * 50 + i % 50), got = 0;

		if (a < 0) {
			me->wrong = "mmap was refused";
			break;
		}
		for (unsigned p = 0; p < 8; p++)
			if (hosted_store(h, &me->task, (unsigned long)a + p * PAGE, &value, 1,
			                 NULL))
				me->wrong = "a store got a signal";
		if (mmk_sys_mprotect(&me->task, (unsigned long)a + PAGE, PAGE, R))
			me->wrong = "mprotect was refused";
		if (hosted_store(h, &me->task, (unsigned long)a + PAGE, &value, 1, NULL) !=
		    UNIT_SIGSEGV)
			me->wrong = "a store to a read-only page went through";
		for (unsigned p = 0; p < 8; p++)
			if (hosted_load(h, &me->task, (unsigned long)a + p * PAGE, &got, 1, NULL) ||
			    got != value)
				me->wrong = "a byte is not what was stored";
		if (mmk_sys_munmap(&me->task, (unsigned long)a, 8 * PAGE))
			me->wrong = "munmap was refused";
	}
	mmk_mm_deactivate(me->w->sys, me->cpu);
	return NULL;
}

static void *touch_shared(void *arg)
{
	struct worker *me = arg;

	hosted_set_cpu(me->cpu);
	for (unsigned i = 0; i < ROUNDS * 8 && !me->wrong; i++) {
		unsigned long va = me->shared + i % 8 * PAGE + me->cpu * 8;
		uint64_t value = me->cpu, got;
		int sig = i & 1 ? hosted_store(me->w->h, &me->task, va, &value, 8, NULL)
		                : hosted_load(me->w->h, &me->task, va, &got, 8, NULL);

		if (sig && sig != UNIT_SIGSEGV && sig != UNIT_SIGBUS)
			me->wrong = "a signal that nothing explains";
		if (!sig && !(i & 1) && got != 0 && got != me->cpu)
			me->wrong = "another one's bytes";
	}
	mmk_mm_deactivate(me->w->sys, me->cpu);
	return NULL;
}

static void *take_away(void *arg)
{
	struct worker *me = arg;

	hosted_set_cpu(me->cpu);
	for (unsigned i = 0; i < ROUNDS && !me->wrong; i++) {
		struct mmk_task child;

		if (mmk_sys_munmap(&me->task, me->shared + 2 * PAGE, 2 * PAGE))
			me->wrong = "munmap was refused";
		if (mmk_sys_mmap(&me->task, me->shared + PAGE, 4 * PAGE, RW, ANON_PRIVATE | FIXED,
		                 -1, 0) < 0)
			me->wrong = "mmap was refused";
		if (mmk_sys_mprotect(&me->task, me->shared, 3 * PAGE, i % 3 ? RW : R))
			me->wrong = "mprotect was refused";
		if (mmk_sys_madvise(&me->task, me->shared, 8 * PAGE, MMK_MADV_DONTNEED))
			me->wrong = "madvise was refused";
		if (i % 10 == 0) {
			if (hosted_fork(me->w->h, &me->task, &child))
				me->wrong = "fork was refused";
			else
				hosted_exit(me->w->h, &child);
		}
	}
	mmk_mm_deactivate(me->w->sys, me->cpu);
	return NULL;
}

/* What is stored after MADV_FREE stays, whoever takes frames back; what was there before, or zeros. */
static void *free_and_store(void *arg)
{
	struct worker *me = arg;
	struct hosted *h = me->w->h;
	unsigned long va = me->shared + 2 * me->cpu * PAGE;

	hosted_set_cpu(me->cpu);
	for (unsigned i = 0; i < ROUNDS * 4 && !me->wrong; i++) {
		uint8_t old = (uint8_t)(i | 1), fresh = (uint8_t)(i | 2), got;

		if (hosted_store(h, &me->task, va, &old, 1, NULL) ||
		    hosted_store(h, &me->task, va + PAGE, &old, 1, NULL))
			me->wrong = "a store got a signal";
		if (mmk_sys_madvise(&me->task, va, 2 * PAGE, MMK_MADV_FREE))
			me->wrong = "madvise was refused";
		if (hosted_store(h, &me->task, va + 8, &fresh, 1, NULL))
			me->wrong = "a store got a signal";
		sched_yield();
		if (hosted_load(h, &me->task, va + 8, &got, 1, NULL) || got != fresh)
			me->wrong = "a store after MADV_FREE is lost";
		if (hosted_load(h, &me->task, va + PAGE, &got, 1, NULL) || (got && got != old))
			me->wrong = "another byte than the old one, or zero";
	}
	mmk_mm_deactivate(me->w->sys, me->cpu);
	return NULL;
}

static void *take_frames(void *arg)
{
	struct worker *me = arg;
	struct mmk_task child;

	hosted_set_cpu(me->cpu);
	for (unsigned i = 0; i < ROUNDS * 4 && !me->wrong; i++) {
		lazyfree_reclaim(me->w->sys, 3);
		if (mmk_sys_madvise(&me->task, me->shared, 8 * PAGE, MMK_MADV_PAGEOUT))
			me->wrong = "PAGEOUT was refused";
		if (i % 20 == 0 && !hosted_fork(me->w->h, &me->task, &child))
			hosted_exit(me->w->h, &child);
	}
	mmk_mm_deactivate(me->w->sys, me->cpu);
	return NULL;
}

static void *truncate_file(void *arg)
{
	struct worker *me = arg;

	hosted_set_cpu(me->cpu);
	for (unsigned i = 0; i < ROUNDS && !me->wrong; i++) {
		if (hosted_ftruncate(me->w->h, me->fd, i % 2 ? 8 * PAGE : 3 * PAGE + 5))
			me->wrong = "ftruncate was refused";
		if (mmk_sys_msync(&me->task, me->shared, 8 * PAGE, MMK_MS_SYNC))
			me->wrong = "msync was refused";
	}
	mmk_mm_deactivate(me->w->sys, me->cpu);
	return NULL;
}

/* The mapping goes and comes, its file's last reference with it; the cache loses its pages. */
static void *replace_file(void *arg)
{
	struct worker *me = arg;
	struct hosted *h = me->w->h;
	char path[80];

	hosted_set_cpu(me->cpu);
	snprintf(path, sizeof(path), "%s/replaced", me->w->dir);
	for (unsigned i = 0; i < ROUNDS && !me->wrong; i++) {
		unsigned long flags = i & 1 ? MMK_MAP_SHARED : MMK_MAP_PRIVATE;
		int fd = i & 2 ? hosted_memfd(h, "m", 8 * PAGE)
		               : hosted_open(h, path, O_RDWR | O_CREAT, 0600);

		if (fd < 0 || hosted_ftruncate(h, fd, 8 * PAGE))
			me->wrong = "no file";
		if (mmk_sys_mmap(&me->task, me->shared, 8 * PAGE, RW, flags | FIXED, fd, 0) < 0)
			me->wrong = "mmap was refused";
		for (unsigned n = 0; n < 4; n++) {
			sched_yield();
			if (i & 2 && hosted_punch(h, fd, n * PAGE, 6 * PAGE))
				me->wrong = "a hole was refused";
			if (n == 2 && hosted_ftruncate(h, fd, 3 * PAGE + 5))
				me->wrong = "ftruncate was refused";
			if (mmk_sysctl_set(me->w->sys, "drop_caches", 1))
				me->wrong = "drop_caches was refused";
		}
		hosted_close(h, fd);
		if (i % 8 == 0 && mmk_sys_munmap(&me->task, me->shared, 8 * PAGE))
			me->wrong = "munmap was refused";
	}
	mmk_mm_deactivate(me->w->sys, me->cpu);
	return NULL;
}

static void run_all(struct world *w, unsigned long shared, int fd,
                    void *(*const body[CPUS])(void *))
{
	struct worker worker[CPUS];
	pthread_t thread[CPUS];

	for (unsigned i = 0; i < CPUS; i++) {
		worker[i] = (struct worker){w, w->task, i, shared, fd, NULL};
		assert_int_equal(pthread_create(&thread[i], NULL, body[i], &worker[i]), 0);
	}
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < CPUS; i++)
		if (worker[i].wrong)
			fail_msg("CPU %u: %s", i, worker[i].wrong);
	world_check(w, __FILE__, __LINE__);
}

static struct world *world_of_cpus(void)
{
	struct hosted_config config = {.nr_cpus = CPUS};

	return world_new(&config);
}

static void each_in_its_own_memory(void **state)
{
	struct world *w = world_of_cpus();

	run_all(w, 0, -1,
	        (void *(*const[])(void *)){own_memory, own_memory, own_memory, own_memory});
	world_end(w);
}

static void all_in_the_same_memory(void **state)
{
	struct world *w = world_of_cpus();
	unsigned long a = must_mmap(w, 0, 8 * PAGE, RW, ANON_PRIVATE, -1, 0);

	run_all(w, a, -1,
	        (void *(*const[])(void *)){touch_shared, touch_shared, touch_shared, touch_shared});
	world_end(w);
}

static void faults_against_everything(void **state)
{
	struct world *w = world_of_cpus();
	unsigned long a = must_mmap(w, 0, 8 * PAGE, RW, ANON_PRIVATE, -1, 0);

	run_all(w, a, -1,
	        (void *(*const[])(void *)){take_away, touch_shared, touch_shared, own_memory});
	world_end(w);
}

static void stores_against_the_taking_of_freed_frames(void **state)
{
	struct world *w = world_of_cpus();
	unsigned long a = must_mmap(w, 0, 8 * PAGE, RW, ANON_PRIVATE, -1, 0);

	run_all(w, a, -1,
	        (void *(*const[])(void *)){free_and_store, free_and_store, take_frames,
	                                   take_frames});
	world_end(w);
}

static void faults_against_truncation(void **state)
{
	struct world *w = world_of_cpus();
	int fd = hosted_memfd(w->h, "m", 8 * PAGE);
	unsigned long a = must_mmap(w, 0, 8 * PAGE, RW, MMK_MAP_SHARED, fd, 0);

	run_all(
	    w, a, fd,
	    (void *(*const[])(void *)){truncate_file, touch_shared, touch_shared, touch_shared});
	world_end(w);
}

static void faults_against_the_end_of_the_file(void **state)
{
	struct world *w = world_of_cpus();
	unsigned long a = must_mmap(w, 0, 8 * PAGE, RW, ANON_PRIVATE, -1, 0);

	run_all(w, a, -1,
	        (void *(*const[])(void *)){replace_file, touch_shared, touch_shared, touch_shared});
	world_end(w);
}

/* ---- killed while waiting for mmap_lock ---- */

static struct {
	uint32_t inside, go; /* a driver's mmap holds the lock from `inside` until `go` */
	long result[3];
} held;

static int mmap_slowly(struct mmk_file *file, struct mmk_mmap_request *req)
{
	__atomic_store_n(&held.inside, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&held.go, __ATOMIC_ACQUIRE))
		sched_yield();
	return -MMK_ENODEV;
}

static void *wait_for_lock(void *arg)
{
	struct worker *me = arg;

	hosted_set_cpu(me->cpu);
	while (!__atomic_load_n(&held.inside, __ATOMIC_ACQUIRE))
		sched_yield();
	held.result[0] = mmk_sys_mmap(&me->task, 0, PAGE, R, ANON_PRIVATE, -1, 0);
	held.result[1] = mmk_sys_munmap(&me->task, me->shared, PAGE);
	held.result[2] = mmk_sys_mprotect(&me->task, me->shared, PAGE, R);
	__atomic_store_n(&held.go, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void a_killed_waiter_goes_with_eintr(void **state)
{
	static const struct mmk_file_ops slow = {.mmap = mmap_slowly};
	struct hosted_config config = {.nr_cpus = 2};
	struct world *w = world_new(&config);
	unsigned long a = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	int fd = hosted_open_special(w->h, &slow, MMK_FMODE_READ);
	struct worker waiter = {.w = w, .task = w->task, .cpu = 1, .shared = a};
	pthread_t thread;

	memset(&held, 0, sizeof(held));
	hosted_kill(w->h, 1, true); /* as good as killed while it waits, and no race */
	assert_int_equal(pthread_create(&thread, NULL, wait_for_lock, &waiter), 0);
	assert_int_equal(w_mmap(w, 0, PAGE, R, MMK_MAP_PRIVATE, fd, 0), -MMK_ENODEV);
	pthread_join(thread, NULL);
	hosted_kill(w->h, 1, false);
	assert_int_equal(held.inside, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(held.result[i], -MMK_EINTR);
	store(w, a, 1); /* nothing has happened to it */
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_in_its_own_memory),
	    cmocka_unit_test(all_in_the_same_memory),
	    cmocka_unit_test(faults_against_everything),
	    cmocka_unit_test(stores_against_the_taking_of_freed_frames),
	    cmocka_unit_test(faults_against_truncation),
	    cmocka_unit_test(faults_against_the_end_of_the_file),
	    cmocka_unit_test(a_killed_waiter_goes_with_eintr),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
