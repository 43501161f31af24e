/* SPDX-License-Identifier: MIT */
/*
 * Tables that parent and child have in common after fork: that they are, what everybody sees and
 * counts meanwhile, every way to change what is in them, and every allocation of that failing.
 */
#include <pthread.h>
#include "mm/internal.h"
#include "arch/arm64/pgtable.h"
#include "tests/unit/harness.h"

#define BASE  0x40000000ul
#define SPAN  512u /* pages of one table */
#define TABLE (SPAN * PAGE)

static unsigned long at(unsigned page)
{
	return BASE + page * PAGE;
}

static uint8_t byte_of(unsigned page)
{
	return (uint8_t)(page % 250 + 1);
}

static uint64_t shared(struct world *w)
{
	struct mmk_stats s;

	mmk_stats(w->sys, &s);
	return s.tables_shared;
}

static uint64_t copied(struct world *w)
{
	struct mmk_stats s;

	mmk_stats(w->sys, &s);
	return s.tables_copied;
}

static uint64_t rss(struct mmk_task *t)
{
	struct mmk_mm_stats s;

	mmk_mm_stats(t->mm, &s);
	return s.rss_anon;
}

/* n pages from BASE on, each holding its byte. */
static void fill(struct world *w, unsigned n)
{
	must_mmap(w, BASE, n * PAGE, RW, ANON_PRIVATE | FIXED, -1, 0);
	for (unsigned i = 0; i < n; i++) {
		uint8_t b = byte_of(i);

		assert_int_equal(hosted_store(w->h, &w->task, at(i), &b, 1, NULL), 0);
	}
	world_check(w, __FILE__, __LINE__);
}

static void expect_bytes(struct world *w, struct mmk_task *t, unsigned first, unsigned end)
{
	uint8_t b;

	for (unsigned i = first; i < end; i++) {
		assert_int_equal(hosted_load(w->h, t, at(i), &b, 1, NULL), 0);
		assert_int_equal(b, byte_of(i));
	}
	world_check(w, __FILE__, __LINE__);
}

/* The number behind `field` in the entry of smaps for BASE. */
static long kb(struct mmk_task *t, const char *field)
{
	static char text[1 << 16];
	uint64_t pos = BASE;
	char *p;

	assert_true(mmk_proc_smaps(t, t->mm, &pos, text, sizeof(text)) > 0);
	p = strstr(text, field);
	return p ? strtol(p + strlen(field), NULL, 10) : -1;
}

/* What smaps says of `own` pages of one program and n that as many as `of` have. */
static long pss_kb(uint64_t own, uint64_t n, uint64_t of)
{
	return (long)((own * (PAGE << 12) + n * ((PAGE << 12) / of)) >> 12 >> 10);
}

static bool exclusive(struct mmk_task *t, unsigned page)
{
	uint64_t entry;

	assert_int_equal(mmk_proc_pagemap(t->mm, at(page) / PAGE * 8, &entry, 8, true), 8);
	return entry >> 56 & 1;
}

/* ---- that they are shared, and come apart ---- */

static void fork_shares_and_the_first_write_copies(void **state)
{
	struct world *w = *state;
	struct mmk_task child;

	fill(w, SPAN);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(shared(w), 1);
	expect_bytes(w, &child, 0, SPAN);
	expect_bytes(w, &w->task, 0, SPAN);
	assert_int_equal(rss(&child), SPAN);
	assert_int_equal(copied(w), 0);
	store_of(w, &child, at(7), 99);
	assert_int_equal(copied(w), 1);
	assert_int_equal(load(w, at(7)), byte_of(7));
	store(w, at(8), 77); /* the table is the parent's alone by now */
	assert_int_equal(copied(w), 1);
	assert_int_equal(load_of(w, &child, at(8)), byte_of(8));
	expect_bytes(w, &w->task, 9, SPAN);
	expect_bytes(w, &child, 9, SPAN);
	hosted_exit(w->h, &child);
	world_check(w, __FILE__, __LINE__);
	assert_int_equal(load(w, at(7)), byte_of(7));
}

static void the_last_one_copies_nothing(void **state)
{
	struct world *w = *state;
	struct mmk_task child;
	struct mmk_stats before, after;

	fill(w, SPAN);
	assert_int_equal(w_fork(w, &child), 0);
	hosted_exit(w->h, &child);
	world_check(w, __FILE__, __LINE__);
	mmk_stats(w->sys, &before);
	for (unsigned i = 0; i < SPAN; i++) {
		uint8_t b = byte_of(i);

		assert_int_equal(hosted_store(w->h, &w->task, at(i), &b, 1, NULL), 0);
	}
	mmk_stats(w->sys, &after);
	assert_int_equal(after.faults_cow_copy, before.faults_cow_copy);
	assert_int_equal(after.faults_cow_reuse, before.faults_cow_reuse);
	assert_int_equal(copied(w), 0);
	expect_bytes(w, &w->task, 0, SPAN);
}

static void again_and_again(void **state)
{
	struct world *w = *state;
	struct mmk_task child;

	fill(w, SPAN);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(w_fork(w, &child), 0);
		assert_int_equal(shared(w), i + 1);
		if (i & 1)
			store(w, at(i), byte_of(i));
		if (i & 2)
			store_of(w, &child, at(i), 200);
		expect_bytes(w, &w->task, 0, SPAN);
		hosted_exit(w->h, &child);
		world_check(w, __FILE__, __LINE__);
	}
}

static void the_parent_may_go_first(void **state)
{
	struct world *w = *state;
	struct mmk_task child;

	fill(w, SPAN);
	assert_int_equal(w_fork(w, &child), 0);
	hosted_exit(w->h, &w->task);
	w->task = child;
	expect_bytes(w, &w->task, 0, SPAN);
	store(w, at(3), 5);
	assert_int_equal(copied(w), 0);
}

/* A child gets nothing of memory that was only read, so its zero pages keep a table from being shared. */
static void memory_that_was_only_read_is_not_handed_down(void **state)
{
	struct world *w = *state;
	struct mmk_task child;
	uint64_t entry;

	fill(w, 300);
	must_mmap(w, at(400), 10 * PAGE, MMK_PROT_READ, ANON_PRIVATE | FIXED, -1, 0);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(shared(w), 1); /* nothing of it is there yet */
	hosted_exit(w->h, &child);
	assert_int_equal(load(w, at(405)), 0);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(shared(w), 1);
	assert_int_equal(mmk_proc_pagemap(child.mm, at(405) / PAGE * 8, &entry, 8, true), 8);
	assert_int_equal(entry >> 63, 0);
	expect_bytes(w, &child, 0, 300);
	hosted_exit(w->h, &child);
}

static void zeros_and_holes_in_it_count_nothing(void **state)
{
	struct world *w = *state;
	struct mmk_task child;

	must_mmap(w, BASE, TABLE, RW, ANON_PRIVATE | FIXED, -1, 0);
	for (unsigned i = 0; i < 200; i++) {
		if (i & 1)
			store(w, at(i), byte_of(i));
		else
			assert_int_equal(load(w, at(i)), 0);
	}
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(shared(w), 1);
	assert_int_equal(rss(&child), 100);
	assert_int_equal(load_of(w, &child, at(300)), 0); /* a hole: the table changes */
	assert_int_equal(copied(w), 1);
	store(w, at(0), 3);
	assert_int_equal(load_of(w, &child, at(0)), 0);
	hosted_exit(w->h, &child);
}

static void few_entries_are_copied(void **state)
{
	struct world *w = *state;
	struct mmk_task child;

	fill(w, 16);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(shared(w), 0);
	expect_bytes(w, &child, 0, 16);
	hosted_exit(w->h, &child);
}

/* ---- what keeps a table from being shared ---- */

static void only_whole_tables_of_plain_memory_are_shared(void **state)
{
	static const int advice[] = {MMK_MADV_DONTFORK, MMK_MADV_WIPEONFORK,
	                             MMK_MADV_GUARD_INSTALL, MMK_MADV_FREE};
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);
	struct mmk_task child;

	for (unsigned i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		fill(w, SPAN);
		assert_int_equal(w_madvise(w, at(100), PAGE, advice[i]), 0);
		assert_int_equal(w_fork(w, &child), 0);
		assert_int_equal(shared(w), 0);
		expect_bytes(w, &child, 0, 100);
		hosted_exit(w->h, &child);
	}
	fill(w, SPAN);
	must_mmap(w, at(511), PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	store(w, at(511), 1);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(shared(w), 0);
	store_of(w, &child, at(511), 2);
	assert_int_equal(load(w, at(511)), 2);
	hosted_exit(w->h, &child);
}

static void a_shared_one_may_have_to_be_copied_later(void **state)
{
	struct world *w = *state;
	struct mmk_task child, other;

	fill(w, SPAN);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(w_madvise(w, at(100), PAGE, MMK_MADV_DONTFORK), 0);
	assert_int_equal(w_fork(w, &other), 0);
	assert_int_equal(shared(w), 1);
	assert_int_equal(copied(w), 1);
	assert_fault(task_load(w, &other, at(100), NULL), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	expect_bytes(w, &other, 0, 100);
	expect_bytes(w, &child, 0, SPAN);
	store_of(w, &other, at(1), 9);
	expect_bytes(w, &w->task, 0, SPAN);
	hosted_exit(w->h, &other);
	hosted_exit(w->h, &child);
}

static void truncation_finds_nothing_in_it(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDWR);
	struct mmk_task child;

	fill(w, 500);
	assert_int_equal(w_fork(w, &child), 0);
	/* The file comes into the table's range after the fork, and is not looked at yet. */
	must_mmap(w, at(510), 2 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	assert_int_equal(CHECKED(w, hosted_ftruncate(w->h, fd, PAGE)), 0);
	assert_int_equal(copied(w), 0);
	store(w, at(510), 1);
	assert_int_equal(copied(w), 1);
	assert_int_equal(CHECKED(w, hosted_ftruncate(w->h, fd, 0)), 0);
	assert_fault(w_load(w, at(510)), UNIT_SIGBUS, MMK_BUS_ADRERR);
	expect_bytes(w, &child, 0, 500);
	expect_bytes(w, &w->task, 0, 500);
	hosted_exit(w->h, &child);
}

/* ---- who counts what ---- */

static void three_generations_count_exactly(void **state)
{
	struct world *w = *state;
	struct mmk_task child, grandchild;

	fill(w, 300);
	assert_true(exclusive(&w->task, 0));
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(kb(&w->task, "\nPss:"), 600);
	assert_int_equal(kb(&child, "\nShared_Dirty:"), 1200);
	assert_int_equal(kb(&child, "\nRss:"), 1200);
	assert_false(exclusive(&child, 5));
	assert_int_equal(CHECKED(w, hosted_fork(w->h, &child, &grandchild)), 0);
	assert_int_equal(shared(w), 2);
	assert_int_equal(kb(&w->task, "\nPss:"), pss_kb(0, 300, 3));
	store(w, at(0), 9); /* the parent gets a copy, two go on sharing */
	assert_int_equal(kb(&w->task, "\nPss:"), pss_kb(1, 299, 3));
	assert_in_range(kb(&child, "\nPss:"), pss_kb(0, 299, 3) + 1, pss_kb(0, 299, 3) + 2);
	assert_true(exclusive(&w->task, 0));
	assert_false(exclusive(&w->task, 1));
	hosted_exit(w->h, &child); /* leaves one that counts for each */
	world_check(w, __FILE__, __LINE__);
	assert_int_equal(kb(&grandchild, "\nPss:"), 299 * 2 + 4);
	assert_int_equal(kb(&w->task, "\nPss:"), 299 * 2 + 4);
	assert_true(exclusive(&grandchild, 0));
	store_of(w, &grandchild, at(0), 10);
	assert_int_equal(copied(w), 1);
	store_of(w, &grandchild, at(1), 10);
	assert_int_equal(load(w, at(1)), byte_of(1));
	hosted_exit(w->h, &grandchild);
	world_check(w, __FILE__, __LINE__);
	assert_int_equal(kb(&w->task, "\nPss:"), 1200);
	expect_bytes(w, &w->task, 1, 300);
}

static void a_mixed_table_comes_apart_for_each(void **state)
{
	struct world *w = *state;
	struct mmk_task child[3];

	fill(w, SPAN);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(w_fork(w, &child[i]), 0);
	assert_int_equal(kb(&child[2], "\nPss:"), SPAN);
	for (unsigned i = 0; i < 3; i++) {
		store_of(w, &child[i], at(i), 200);
		assert_int_equal(w_munmap(w, at(400 + i), PAGE), 0);
		assert_int_equal(copied(w), i ? 3 : 2); /* the last one keeps it */
	}
	for (unsigned i = 0; i < 3; i++) {
		expect_bytes(w, &child[i], 3, SPAN);
		hosted_exit(w->h, &child[i]);
		world_check(w, __FILE__, __LINE__);
	}
	expect_bytes(w, &w->task, 0, 400);
	assert_int_equal(kb(&w->task, "\nPss:"), 1600);
}

/* ---- every way to change it ---- */

static unsigned long moved_to; /* where mremap put it */

static long unmap_part(struct world *w, struct mmk_task *t)
{
	return mmk_sys_munmap(t, at(100), 10 * PAGE);
}

static long unmap_all(struct world *w, struct mmk_task *t)
{
	return mmk_sys_munmap(t, BASE, TABLE);
}

static long map_over(struct world *w, struct mmk_task *t)
{
	long a = mmk_sys_mmap(t, at(100), 10 * PAGE, RW, ANON_PRIVATE | FIXED, -1, 0);

	return a < 0 ? a : 0;
}

static long protect(struct world *w, struct mmk_task *t)
{
	return mmk_sys_mprotect(t, at(100), 10 * PAGE, R);
}

static long move(struct world *w, struct mmk_task *t)
{
	long a = mmk_sys_mremap(t, at(100), 10 * PAGE, 10 * PAGE,
	                        MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED, moved_to);

	return a < 0 ? a : 0;
}

static long move_into(struct world *w, struct mmk_task *t)
{
	long a = mmk_sys_mmap(t, 0, 10 * PAGE, RW, ANON_PRIVATE, -1, 0);

	if (a >= 0 && hosted_store(w->h, t, (unsigned long)a, "x", 1, NULL) == UNIT_SIGKILL)
		return -MMK_ENOMEM;
	if (a >= 0)
		a = mmk_sys_mremap(t, (unsigned long)a, 10 * PAGE, 10 * PAGE,
		                   MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED, at(100));
	return a < 0 ? a : 0;
}

static long shrink(struct world *w, struct mmk_task *t)
{
	long a = mmk_sys_mremap(t, BASE, TABLE, 100 * PAGE, 0, 0);

	return a < 0 ? a : 0;
}

static long dontneed(struct world *w, struct mmk_task *t)
{
	return mmk_sys_madvise(t, at(100), 10 * PAGE, MMK_MADV_DONTNEED);
}

static long dontneed_all(struct world *w, struct mmk_task *t)
{
	return mmk_sys_madvise(t, BASE, TABLE, MMK_MADV_DONTNEED);
}

static long lazyfree(struct world *w, struct mmk_task *t)
{
	return mmk_sys_madvise(t, at(100), 10 * PAGE, MMK_MADV_FREE);
}

static long guard(struct world *w, struct mmk_task *t)
{
	return mmk_sys_madvise(t, at(100), 10 * PAGE, MMK_MADV_GUARD_INSTALL);
}

static long unguard(struct world *w, struct mmk_task *t)
{
	return mmk_sys_madvise(t, at(100), 10 * PAGE, MMK_MADV_GUARD_REMOVE);
}

static long pageout(struct world *w, struct mmk_task *t)
{
	return mmk_sys_madvise(t, at(100), 10 * PAGE, MMK_MADV_PAGEOUT);
}

static long populate(struct world *w, struct mmk_task *t)
{
	return mmk_sys_madvise(t, at(100), 10 * PAGE, MMK_MADV_POPULATE_WRITE);
}

static long lock(struct world *w, struct mmk_task *t)
{
	long err = mmk_sys_mlock(t, at(100), 10 * PAGE);

	return err == -MMK_EAGAIN ? -MMK_ENOMEM : err;
}

static long track(struct world *w, struct mmk_task *t)
{
	return mmk_proc_clear_refs(t, t->mm, MMK_CLEAR_REFS_SOFT_DIRTY);
}

static long forget(struct world *w, struct mmk_task *t)
{
	return mmk_proc_clear_refs(t, t->mm, MMK_CLEAR_REFS_ALL);
}

static long poke(struct world *w, struct mmk_task *t)
{
	char text[] = "0123456789";
	size_t n = mmk_access_vm(t, t->mm, at(100), text, 10, MMK_ACCESS_WRITE);

	return n == 10 ? 0 : -MMK_ENOMEM;
}

static long peek(struct world *w, struct mmk_task *t)
{
	char text[10];

	return mmk_access_vm(t, t->mm, at(100), text, 10, 0) == 10 ? 0 : -MMK_ENOMEM;
}

static long reap(struct world *w, struct mmk_task *t)
{
	return mmk_mm_reap(t->mm) ? 0 : -MMK_EAGAIN;
}

static long fork_again(struct world *w, struct mmk_task *t)
{
	struct mmk_task other;
	long err = hosted_fork(w->h, t, &other);

	if (!err)
		hosted_exit(w->h, &other);
	return err;
}

struct change {
	const char *name;
	long (*make)(struct world *w, struct mmk_task *t);
	bool copies; /* the table has to be copied for it */
	bool small;  /* [100, 110) at most change */
};
static const struct change changes[] = {
    {"munmap of a part", unmap_part, true, true},
    {"munmap", unmap_all, false, false},
    {"mmap over a part", map_over, true, true},
    {"mprotect", protect, true, true},
    {"mremap away", move, true, true},
    {"mremap into it", move_into, true, true},
    {"mremap shrinks", shrink, true, false},
    {"DONTNEED of a part", dontneed, true, true},
    {"DONTNEED", dontneed_all, false, false},
    {"FREE", lazyfree, true, true},
    {"GUARD_INSTALL", guard, true, true},
    {"GUARD_REMOVE", unguard, false, true},
    {"PAGEOUT", pageout, false, true},
    {"POPULATE_WRITE", populate, true, true},
    {"mlock", lock, true, true},
    {"clear_refs, written", track, true, true},
    {"clear_refs, used", forget, true, true},
    {"writing from outside", poke, true, true},
    {"reading from outside", peek, false, true},
    {"reaping", reap, false, false},
    {"fork", fork_again, false, true},
};
#define NR_CHANGES (sizeof(changes) / sizeof(changes[0]))

/* What `c` did to t is not to be seen by `other`, nor where it did nothing. */
static void expect_after(struct world *w, const struct change *c, struct mmk_task *t,
                         struct mmk_task *other)
{
	expect_bytes(w, other, 0, SPAN);
	assert_int_equal(rss(other), SPAN);
	if (!c->small)
		return;
	expect_bytes(w, t, 0, 100);
	expect_bytes(w, t, 110, SPAN);
}

static void every_change_is_ones_own(void **state)
{
	for (unsigned i = 0; i < 2 * NR_CHANGES; i++) {
		const struct change *c = &changes[i / 2];
		struct world *w = world_new(NULL);
		struct mmk_task child, *t = i & 1 ? &child : &w->task;
		long err;

		fill(w, SPAN);
		moved_to = BASE + 4 * TABLE;
		assert_int_equal(w_fork(w, &child), 0);
		err = CHECKED(w, c->make(w, t));
		if (err || copied(w) != c->copies)
			fail_msg("%s: %ld, %u copied", c->name, err, (unsigned)copied(w));
		expect_after(w, c, t, i & 1 ? &w->task : &child);
		hosted_exit(w->h, &child);
		world_check(w, __FILE__, __LINE__);
		world_end(w);
	}
}

/* ENOMEM, and nothing has changed; or it worked without. */
static void make_failing(const struct change *c, uint64_t nth)
{
	struct world *w = world_new(NULL);
	struct mmk_task child;
	long err;

	fill(w, SPAN);
	moved_to = BASE + 4 * TABLE;
	assert_int_equal(w_fork(w, &child), 0);
	hosted_fail_alloc(w->h, HOSTED_ANY_SITE, nth, false);
	err = CHECKED(w, c->make(w, &child));
	hosted_fail_alloc(w->h, HOSTED_ANY_SITE, 0, false);
	if (err && err != -MMK_ENOMEM)
		fail_msg("%s: refused with %ld", c->name, err);
	if (err) {
		expect_bytes(w, &child, 0, SPAN);
		err = CHECKED(w, c->make(w, &child));
		if (err)
			fail_msg("%s: refused with %ld when there is memory again", c->name, err);
	}
	expect_after(w, c, &child, &w->task);
	hosted_exit(w->h, &child);
	world_end(w);
}

static void every_allocation_of_a_change_may_fail(void **state)
{
	for (unsigned i = 0; i < NR_CHANGES; i++)
		for (uint64_t nth = 1; nth <= 6; nth++)
			make_failing(&changes[i], nth);
}

static void every_allocation_of_fork_may_fail(void **state)
{
	struct world *w = *state;
	struct mmk_task child;
	uint64_t nth = 1;
	long err;

	fill(w, 3 * SPAN);
	must_mmap(w, at(3 * SPAN - 2), PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
	do {
		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, nth++, false);
		err = w_fork(w, &child);
		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, 0, false);
		expect_bytes(w, &w->task, 0, SPAN);
	} while (err == -MMK_ENOMEM);
	assert_int_equal(err, 0);
	assert_true(nth > 4);
	expect_bytes(w, &child, 0, 3 * SPAN - 2);
	hosted_exit(w->h, &child);
}

static void a_write_without_memory_kills_and_changes_nothing(void **state)
{
	struct world *w = *state;
	struct mmk_task child;

	fill(w, SPAN);
	assert_int_equal(w_fork(w, &child), 0);
	for (uint64_t nth = 1; nth <= 2; nth++) {
		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, nth, true);
		assert_int_equal(task_store(w, &child, at(1), 200).signo, UNIT_SIGKILL);
		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, 0, false);
		expect_bytes(w, &child, 0, SPAN);
		expect_bytes(w, &w->task, 0, SPAN);
	}
	hosted_exit(w->h, &child);
}

static void tables_of_several_mappings(void **state)
{
	struct world *w = *state;
	struct mmk_task child;

	fill(w, 3 * SPAN); /* A first table with three VMAs, a second half and half, a third whole */
	assert_int_equal(w_mprotect(w, at(100), PAGE, R), 0);
	assert_int_equal(w_munmap(w, at(200), 5 * PAGE), 0);
	assert_int_equal(w_mprotect(w, at(SPAN + 256), SPAN * PAGE, R), 0);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(shared(w), 3);
	assert_int_equal(rss(&child), rss(&w->task));
	assert_fault(task_store(w, &child, at(100), 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_int_equal(CHECKED(w, mmk_sys_munmap(&child, at(10), 2 * SPAN * PAGE)), 0);
	assert_int_equal(copied(w), 2);
	expect_bytes(w, &child, 0, 10);
	expect_bytes(w, &child, 2 * SPAN + 10, 3 * SPAN);
	expect_bytes(w, &w->task, 0, 200);
	expect_bytes(w, &w->task, 205, 3 * SPAN);
	hosted_exit(w->h, &child);
}

/*
 * Who looks at frames without a lock (reclaim, faults on files) may hold any of them for a moment, taking
 * it for what it was before. That makes nobody a sharer of a table.
 */
static void a_look_at_a_table_is_no_share_of_it(void **state)
{
	struct world *w = *state;
	struct mmk_task child;
	struct page *table;

	fill(w, SPAN);
	table = pte_table_find(w->task.mm, BASE);
	get_page(table);
	assert_int_equal(w_madvise(w, at(3), 4 * PAGE, MMK_MADV_DONTNEED), 0);
	assert_int_equal(load(w, at(4)), 0);
	assert_int_equal(w_fork(w, &child), 0);
	hosted_exit(w->h, &child);
	store(w, at(9), 1); /* the others have gone, so it is taken back and not copied */
	assert_int_equal(copied(w), 0);
	assert_int_equal(w_fork(w, &child), 0);
	hosted_exit(w->h, &w->task); /* its end gives the table up, the child's frees it */
	w->task = child;
	assert_int_equal(w_munmap(w, BASE, SPAN * PAGE), 0);
	put_page(w->sys, table);
}

/* ---- several CPUs ---- */

struct worker {
	struct world *w;
	struct mmk_task task;
	unsigned cpu;
	const char *wrong;
};

/* Writes into its own pages of tables that the other thread shares again and again. */
static void *writer(void *arg)
{
	struct worker *me = arg;
	struct hosted *h = me->w->h;

	hosted_set_cpu(me->cpu);
	for (unsigned i = 0; i < 400 && !me->wrong; i++) {
		unsigned long va = at(me->cpu + 8 * (i % 60));
		uint8_t value = (uint8_t)i, got = 0;

		if (hosted_store(h, &me->task, va, &value, 1, NULL) ||
		    hosted_load(h, &me->task, va, &got, 1, NULL))
			me->wrong = "an access got a signal";
		if (got != value)
			me->wrong = "a byte is not what was stored";
		if (i % 50 == 0 &&
		    mmk_sys_madvise(&me->task, at(me->cpu + 8 * 61), PAGE, MMK_MADV_DONTNEED))
			me->wrong = "madvise was refused";
	}
	mmk_mm_deactivate(me->w->sys, me->cpu);
	return NULL;
}

static void *forker(void *arg)
{
	struct worker *me = arg;
	struct hosted *h = me->w->h;

	hosted_set_cpu(me->cpu);
	for (unsigned i = 0; i < 40 && !me->wrong; i++) {
		uint8_t before, now, other = 1;
		struct mmk_task child;

		if (hosted_fork(h, &me->task, &child)) {
			me->wrong = "fork was refused";
			break;
		}
		if (hosted_load(h, &child, at(1), &before, 1, NULL))
			me->wrong = "a load got a signal";
		if ((i & 1) && hosted_store(h, &child, at(2), &other, 1, NULL))
			me->wrong = "a store got a signal";
		if (hosted_load(h, &child, at(1), &now, 1, NULL) || now != before)
			me->wrong = "the child sees what the parent writes";
		hosted_exit(h, &child);
	}
	mmk_mm_deactivate(me->w->sys, me->cpu);
	return NULL;
}

static void threads_write_while_one_forks(void **state)
{
	struct hosted_config config = {.nr_cpus = 4};
	struct world *w = world_new(&config);
	struct worker worker[4];
	pthread_t thread[4];

	fill(w, SPAN);
	for (unsigned i = 0; i < 4; i++) {
		worker[i] = (struct worker){.w = w, .task = w->task, .cpu = i};
		assert_int_equal(pthread_create(&thread[i], NULL, i ? writer : forker, &worker[i]),
		                 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		if (worker[i].wrong)
			fail_msg("CPU %u: %s", i, worker[i].wrong);
	}
	world_check(w, __FILE__, __LINE__);
	assert_true(shared(w) > 0);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(fork_shares_and_the_first_write_copies),
	    WORLD_TEST(the_last_one_copies_nothing),
	    WORLD_TEST(again_and_again),
	    WORLD_TEST(the_parent_may_go_first),
	    WORLD_TEST(memory_that_was_only_read_is_not_handed_down),
	    WORLD_TEST(zeros_and_holes_in_it_count_nothing),
	    WORLD_TEST(few_entries_are_copied),
	    WORLD_TEST(only_whole_tables_of_plain_memory_are_shared),
	    WORLD_TEST(a_shared_one_may_have_to_be_copied_later),
	    WORLD_TEST(truncation_finds_nothing_in_it),
	    WORLD_TEST(three_generations_count_exactly),
	    WORLD_TEST(a_mixed_table_comes_apart_for_each),
	    cmocka_unit_test(every_change_is_ones_own),
	    cmocka_unit_test(every_allocation_of_a_change_may_fail),
	    WORLD_TEST(every_allocation_of_fork_may_fail),
	    WORLD_TEST(a_write_without_memory_kills_and_changes_nothing),
	    WORLD_TEST(tables_of_several_mappings),
	    WORLD_TEST(a_look_at_a_table_is_no_share_of_it),
	    cmocka_unit_test(threads_write_while_one_forks),
	};

	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
