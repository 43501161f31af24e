/* SPDX-License-Identifier: MIT */
/*
 * Faults on files without mmap_lock: that they do without it, and what comes between their look at
 * the VMA, at the cache, and the change of the entry. The test stands in three places: where the
 * fault asks for its CPU's number (it has found the VMA and not yet said that it looks at its file),
 * where it wants a frame for a private copy (it has found the page), and, in another thread, where
 * somebody waits for a lock or for the end of a look.
 */
#include <pthread.h>
#include <sched.h>
#include "mm/internal.h"
#include "mm/cache.h"
#include "harness.h"

#define PAGES 8

static struct intruder {
	struct world *w;
	struct mmk_task task; /* another thread of the program */
	int fd;
	unsigned long at;
	bool at_cpu, at_page;
	void (*act)(struct intruder *me);
	long result;
	unsigned acted;
} intruder;

static void intrude(bool here)
{
	void (*act)(struct intruder *) = intruder.act;

	if (!act || !here)
		return;
	intruder.act = NULL;
	act(&intruder);
	intruder.acted++;
}

static unsigned (*this_cpu)(void *ctx); /* the port's own */

static unsigned cpu_id(void *ctx)
{
	intrude(intruder.at_cpu);
	return this_cpu(ctx);
}

static bool want_page(void *ctx, enum mmk_fail_site site)
{
	intrude(intruder.at_page && site == MMK_FAIL_PAGE);
	return false;
}

static int never_wait(void *ctx, const uint32_t *word, uint32_t seen, unsigned flags)
{
	fail_msg("a fault waits");
	return 0;
}

static int tmpfs_file(struct world *w)
{
	int fd = hosted_memfd(w->h, "f", PAGES * PAGE);

	assert_true(fd >= 0);
	for (unsigned i = 0; i < PAGES; i++) {
		uint8_t byte = (uint8_t)(10 + i);

		assert_int_equal(hosted_pwrite(w->h, fd, i * PAGE, &byte, 1), 1);
	}
	return fd;
}

static int disk_file(struct world *w)
{
	int fd = host_file(w, "f", PAGES * PAGE, O_RDWR);
	char all[PAGES * PAGE];

	assert_int_equal(hosted_pread(w->h, fd, 0, all, sizeof(all)), sizeof(all));
	return fd;
}

/* The file at intruder.at, with tables, an anon_vma where it is private, and one page mapped. */
static struct world *begin(int (*file)(struct world *), unsigned long prot, unsigned long flags)
{
	struct hosted_config config = {.nr_cpus = 2};
	struct world *w = world_new(&config);

	assert_int_equal(mmk_sysctl_set(w->sys, "fault_around_bytes", PAGE), 0);
	intruder = (struct intruder){.w = w, .fd = file(w)};
	intruder.at = must_mmap(w, 0, PAGES * PAGE, prot, flags, intruder.fd, 0);
	intruder.task = w->task;
	if (prot & W)
		store(w, intruder.at, 1);
	else
		load(w, intruder.at);
	hosted_port(w->h)->should_fail = want_page;
	this_cpu = hosted_port(w->h)->cpu_id;
	hosted_port(w->h)->cpu_id = cpu_id;
	return w;
}

static void expect(void (*act)(struct intruder *), bool at_cpu)
{
	intruder.at_cpu = at_cpu;
	intruder.at_page = !at_cpu;
	intruder.act = act;
}

static void end(struct world *w)
{
	assert_null(intruder.act);
	assert_int_equal(intruder.result, 0);
	hosted_port(w->h)->cpu_id = this_cpu;
	world_end(w);
}

/* ---- they do without the lock ---- */

/* A reader has mmap_lock and a writer waits for it: whoever else wants it sleeps. */
static void hold_lock(struct world *w, bool hold)
{
	atomic_store(&w->task.mm->mmap_lock.state, hold ? RWSEM_WAITING | 1 : 0);
	hosted_port(w->h)->wait = never_wait;
}

static void faults_that_hit_the_cache_take_no_lock(void **state)
{
	static const struct {
		int (*file)(struct world *);
		unsigned long prot, flags;
	} kinds[] = {
	    {tmpfs_file, R, MMK_MAP_PRIVATE},  {tmpfs_file, R, MMK_MAP_SHARED},
	    {tmpfs_file, RW, MMK_MAP_PRIVATE}, {tmpfs_file, RW, MMK_MAP_SHARED},
	    {disk_file, R, MMK_MAP_PRIVATE},   {disk_file, R, MMK_MAP_SHARED},
	    {disk_file, RW, MMK_MAP_PRIVATE},  {disk_file, RW, MMK_MAP_SHARED},
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct world *w = begin(kinds[i].file, kinds[i].prot, kinds[i].flags);
		int (*wait)(void *, const uint32_t *, uint32_t, unsigned) = hosted_port(w->h)->wait;
		uint8_t byte = 77, got;

		hold_lock(w, true);
		assert_int_equal(hosted_load(w->h, &w->task, intruder.at + PAGE, &got, 1, NULL), 0);
		if (kinds[i].prot & W) {
			/* The mapped page, and one that is not mapped yet. */
			for (unsigned p = 1; p < 3; p++)
				assert_int_equal(hosted_store(w->h, &w->task,
							      intruder.at + p * PAGE, &byte, 1,
							      NULL),
						 0);
		}
		hold_lock(w, false);
		hosted_port(w->h)->wait = wait;
		assert_int_equal(got, kinds[i].file == disk_file ? file_byte(PAGE) : 11);
		if (kinds[i].prot & W)
			for (unsigned p = 1; p < 3; p++) {
				assert_int_equal(load(w, intruder.at + p * PAGE), 77);
				assert_int_equal(fd_byte(w, intruder.fd, p * PAGE) == 77,
						 kinds[i].flags == MMK_MAP_SHARED);
			}
		end(w);
	}
}

/* ---- what comes between ---- */

/* Also the last reference to the file goes: its memory is free. */
static void unmap_and_close(struct intruder *me)
{
	assert_int_equal(hosted_close(me->w->h, me->fd), 0);
	me->result = mmk_sys_munmap(&me->task, me->at, PAGES * PAGE);
}

static void munmap_and_close_come_between(void **state)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		struct world *w = begin(kind & 1 ? disk_file : tmpfs_file, RW,
					kind & 2 ? MMK_MAP_SHARED : MMK_MAP_PRIVATE);

		expect(unmap_and_close, true);
		assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
		end(w);
	}
}

static void protect(struct intruder *me)
{
	me->result = mmk_sys_mprotect(&me->task, me->at, PAGES * PAGE, R);
}

static void mprotect_comes_between(void **state)
{
	struct world *w = begin(tmpfs_file, RW, MMK_MAP_PRIVATE);

	expect(protect, false);
	assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_int_equal(load(w, intruder.at + PAGE), 11);
	end(w);
	w = begin(tmpfs_file, RW, MMK_MAP_SHARED);
	expect(protect, true);
	assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_int_equal(load(w, intruder.at + PAGE), 11);
	end(w);
}

/* The same addresses show another part of the file. */
static void shift(struct intruder *me)
{
	long at = mmk_sys_mmap(&me->task, me->at, PAGE * 2, RW, MMK_MAP_SHARED | FIXED, me->fd,
			       4 * PAGE);

	me->result = at == (long)me->at ? 0 : at;
}

static void another_mapping_comes_between(void **state)
{
	struct world *w = begin(tmpfs_file, R, MMK_MAP_SHARED);

	expect(shift, true);
	assert_int_equal(load(w, intruder.at + PAGE), 15);
	end(w);
}

static void truncate_all(struct intruder *me)
{
	me->result = hosted_ftruncate(me->w->h, me->fd, 0);
}

static void truncation_comes_between(void **state)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		struct world *w = begin(kind & 1 ? disk_file : tmpfs_file, RW, MMK_MAP_PRIVATE);

		expect(truncate_all, kind & 2);
		assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGBUS, MMK_BUS_ADRERR);
		assert_fault(w_load(w, intruder.at), UNIT_SIGBUS, MMK_BUS_ADRERR);
		end(w);
	}
}

static void truncation_comes_before_the_look_at_the_cache(void **state)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		struct world *w = begin(kind & 1 ? disk_file : tmpfs_file, kind & 2 ? RW : R,
					MMK_MAP_SHARED);

		expect(truncate_all, true);
		if (kind & 2)
			assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGBUS,
				     MMK_BUS_ADRERR);
		else
			assert_fault(w_load(w, intruder.at + PAGE), UNIT_SIGBUS, MMK_BUS_ADRERR);
		end(w);
	}
}

static void punch(struct intruder *me)
{
	me->result = hosted_punch(me->w->h, me->fd, 0, PAGES * PAGE);
}

/* The copy is of what is there when the entry is made, not of what was found at first. */
static void a_hole_comes_between(void **state)
{
	struct world *w = begin(tmpfs_file, RW, MMK_MAP_PRIVATE);

	expect(punch, false);
	store(w, intruder.at + PAGE + 1, 5);
	assert_int_equal(load(w, intruder.at + PAGE), 0);
	assert_int_equal(load(w, intruder.at + PAGE + 1), 5);
	end(w);
}

static void drop_caches(struct intruder *me)
{
	me->result = mmk_sysctl_set(me->w->sys, "drop_caches", 3);
	me->task.pid = (int)hosted_file(me->w->h, me->fd)->f_mapping->nrpages;
}

/* What the fault holds stays in the cache. */
static void dropping_the_cache_comes_between(void **state)
{
	struct world *w = begin(disk_file, RW, MMK_MAP_PRIVATE);

	expect(drop_caches, false);
	store(w, intruder.at + PAGE + 1, 5);
	assert_int_equal(intruder.task.pid, 1);
	assert_int_equal(load(w, intruder.at + PAGE), file_byte(PAGE));
	end(w);
}

/* And before it has looked, the page goes and is read again. */
static void dropping_the_cache_comes_before_the_look(void **state)
{
	struct world *w = begin(disk_file, R, MMK_MAP_SHARED);

	expect(drop_caches, true);
	assert_int_equal(load(w, intruder.at + PAGE), file_byte(PAGE));
	assert_int_equal(intruder.task.pid, 1); /* the one that was mapped */
	end(w);
}

/* Nodes of the index that a fault may be looking at are freed after it. */
static void nodes_of_the_index_outlive_the_look(void **state)
{
	struct world *w = begin(tmpfs_file, RW, MMK_MAP_PRIVATE);
	uint64_t before = slab_in_use(&w->sys->radix_cache);

	expect(truncate_all, true);
	assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGBUS, MMK_BUS_ADRERR);
	assert_int_equal(slab_in_use(&w->sys->radix_cache), before - 1);
	end(w);
}

/* ---- who takes the VMA away waits for the look ---- */

static atomic_uint relaxed, unmapped;
static unsigned relaxed_on_cpu;

static void relax(void *ctx)
{
	if (this_cpu(ctx) == relaxed_on_cpu)
		atomic_fetch_add(&relaxed, 1);
	sched_yield();
}

static void *unmap_on_other_cpu(void *arg)
{
	struct intruder *me = arg;

	hosted_set_cpu(1);
	me->result = mmk_sys_munmap(&me->task, me->at, PAGES * PAGE);
	atomic_store(&unmapped, 1);
	mmk_mm_deactivate(me->w->sys, 1);
	return NULL;
}

static pthread_t other;

/* Returns when the other CPU has begun to wait: the file must be there until the fault is over. */
static void start_unmap(struct intruder *me)
{
	assert_int_equal(hosted_close(me->w->h, me->fd), 0);
	assert_int_equal(pthread_create(&other, NULL, unmap_on_other_cpu, me), 0);
	while (!atomic_load(&relaxed) && !atomic_load(&unmapped))
		sched_yield();
	assert_false(atomic_load(&unmapped));
}

static void munmap_waits_for_the_look(void **state)
{
	for (unsigned kind = 0; kind < 2; kind++) {
		struct world *w = begin(kind ? disk_file : tmpfs_file, RW, MMK_MAP_PRIVATE);
		uint8_t byte = 1;

		hosted_port(w->h)->cpu_id = this_cpu;
		hosted_port(w->h)->relax = relax;
		atomic_store(&relaxed, 0);
		atomic_store(&unmapped, 0);
		relaxed_on_cpu = 1;
		expect(start_unmap, false);
		assert_int_equal(hosted_store(w->h, &w->task, intruder.at + PAGE, &byte, 1, NULL),
				 UNIT_SIGSEGV);
		assert_int_equal(pthread_join(other, NULL), 0);
		end(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(faults_that_hit_the_cache_take_no_lock),
	    cmocka_unit_test(munmap_and_close_come_between),
	    cmocka_unit_test(mprotect_comes_between),
	    cmocka_unit_test(another_mapping_comes_between),
	    cmocka_unit_test(truncation_comes_between),
	    cmocka_unit_test(truncation_comes_before_the_look_at_the_cache),
	    cmocka_unit_test(a_hole_comes_between),
	    cmocka_unit_test(dropping_the_cache_comes_between),
	    cmocka_unit_test(dropping_the_cache_comes_before_the_look),
	    cmocka_unit_test(nodes_of_the_index_outlive_the_look),
	    cmocka_unit_test(munmap_waits_for_the_look),
	};

	return cmocka_run_group_tests_name("file_faults", tests, NULL, NULL);
}
