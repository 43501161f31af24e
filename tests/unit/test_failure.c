/* SPDX-License-Identifier: MIT */
/*
 * Every allocation and every I/O failed in turn, over a scenario that touches each call: what is
 * refused says ENOMEM (or EIO), nothing is lost, nothing is broken, and what was there before a
 * call that failed is there still.
 */
#include "tests/unit/harness.h"

#define PAGES                  4
#define LEN                    (PAGES * PAGE)
#define allow(s, result)       allow_at(s, result, __LINE__)
#define allow_again(s, result) allow_again_at(s, result, __LINE__)

struct scenario {
	struct world *w;
	int fd, memfd;
	unsigned long a;      /* anonymous, page i holding i + 1: made before anything fails */
	unsigned long mapped; /* of the file, shared; made before too */
	unsigned refused;
};

static void check_old(struct scenario *s)
{
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(load(s->w, s->a + i * PAGE + 1), i + 1);
}

/* The call may work, or be refused for want of memory or by a failing device; nothing else. */
static void allow_at(struct scenario *s, long result, int line)
{
	world_check(s->w, __FILE__, line);
	if (result >= 0 || (unsigned long)result < -4095ul)
		return;
	if (result != -MMK_ENOMEM && result != -MMK_EIO)
		fail_msg("the call of line %d was refused with %ld", line, result);
	s->refused++;
}

/* mlock and madvise say EAGAIN where memory is short. */
static void allow_again_at(struct scenario *s, long result, int line)
{
	allow_at(s, result == -MMK_EAGAIN ? -MMK_ENOMEM : result, line);
}

/* An access may work, kill (no memory) or give SIGBUS (no memory for, or no reading of, a file). */
static void allow_access(struct scenario *s, struct mmk_fault f)
{
	if (f.signo != 0 && f.signo != UNIT_SIGKILL && f.signo != UNIT_SIGBUS)
		fail_msg("signal %d", f.signo);
	s->refused += f.signo != 0;
}

static unsigned long try_mmap(struct scenario *s, unsigned long addr, unsigned long flags, int fd)
{
	long at = mmk_sys_mmap(&s->w->task, addr, LEN, RW, flags, fd, 0);

	allow(s, at);
	return at < 0 ? 0 : (unsigned long)at;
}

static void use(struct scenario *s, struct mmk_task *t, unsigned long at)
{
	for (unsigned i = 0; at && i < PAGES; i++) {
		allow_access(s, task_load(s->w, t, at + i * PAGE, NULL));
		allow_access(s, task_store(s->w, t, at + i * PAGE, 9));
	}
}

/* Names for three parts of it. */
static void name_parts(struct scenario *s, unsigned long at)
{
	struct mmk_task *t = &s->w->task;
	unsigned long arg[4] = {MMK_PR_SET_VMA_ANON_NAME, at, PAGE, at};

	for (char letter = 'a'; letter < 'd'; letter++, arg[1] += PAGE) {
		char name[2] = {letter, 0};

		if (mmk_access_vm(t, t->mm, at, name, 2, MMK_ACCESS_WRITE) == 2)
			allow_again(s, mmk_sys_prctl(t, MMK_PR_SET_VMA, arg));
	}
}

static void do_mappings(struct scenario *s)
{
	struct world *w = s->w;
	unsigned long anon = try_mmap(s, 0, ANON_PRIVATE, -1);
	unsigned long shared = try_mmap(s, 0, ANON_SHARED, -1);
	unsigned long file = try_mmap(s, 0, MMK_MAP_PRIVATE, s->fd);
	unsigned long tmp = try_mmap(s, 0, MMK_MAP_SHARED, s->memfd);
	unsigned long populated = try_mmap(s, 0, ANON_PRIVATE | MMK_MAP_POPULATE, -1);

	use(s, &w->task, anon);
	use(s, &w->task, shared);
	use(s, &w->task, file);
	use(s, &w->task, tmp);
	use(s, &w->task, populated);
	use(s, &w->task, s->mapped);
	if (anon) {
		name_parts(s, anon);
		allow(s, mmk_sys_mprotect(&w->task, anon + PAGE, PAGE, R));
		allow_again(s, mmk_sys_madvise(&w->task, anon, PAGE, MMK_MADV_DONTNEED));
		allow(s, mmk_sys_munmap(&w->task, anon + 2 * PAGE, PAGE));
		allow_again(s, mmk_sys_madvise(&w->task, anon, PAGE, MMK_MADV_FREE));
		allow_again(s, mmk_sys_madvise(&w->task, anon, PAGE, MMK_MADV_PAGEOUT));
		allow_again(s, mmk_sys_madvise(&w->task, anon, PAGE, MMK_MADV_GUARD_INSTALL));
		allow_again(s, mmk_sys_madvise(&w->task, anon, PAGE, MMK_MADV_GUARD_REMOVE));
		allow_again(s, mmk_sys_mlock(&w->task, anon, PAGE));
	}
	if (file)
		allow(s, mmk_sys_munmap(&w->task, file, LEN));
	allow(s, mmk_sys_msync(&w->task, s->mapped, LEN, MMK_MS_SYNC));
	allow_again(s, mmk_sys_madvise(&w->task, s->mapped, LEN, MMK_MADV_PAGEOUT));
	if (tmp)
		allow_again(s, mmk_sys_madvise(&w->task, tmp, PAGE, MMK_MADV_REMOVE));
}

/* A stack that cannot grow is SIGSEGV, whatever the reason. */
static void grow_stack(struct scenario *s, struct mmk_task *t, unsigned long to)
{
	struct mmk_fault f = task_store(s->w, t, to, 1);

	if (f.signo == UNIT_SIGSEGV)
		s->refused++;
	else
		allow_access(s, f);
}

static void do_programs(struct scenario *s)
{
	struct world *w = s->w;
	struct mmk_task child = w->task, fresh = w->task;
	unsigned long top;
	int err = hosted_fork(w->h, &w->task, &child);

	allow(s, err);
	if (!err) {
		use(s, &child, s->a);
		hosted_exit(w->h, &child);
	}
	err = hosted_spawn(w->h, &fresh);
	allow(s, err);
	if (err)
		return;
	top = mmk_mm_layout(&fresh, fresh.mm) & ~(PAGE - 1);
	err = mmk_mm_setup_stack(&fresh, fresh.mm, top, 2 * PAGE, false);
	allow(s, err);
	if (!err) {
		grow_stack(s, &fresh, top - LEN);
		mmk_access_vm(&w->task, fresh.mm, top - PAGE, &err, sizeof(err), MMK_ACCESS_WRITE);
	}
	allow(s, mmk_vm_brk(&fresh, 0x400000, PAGE, false));
	hosted_exit(w->h, &fresh);
}

static void do_files(struct scenario *s)
{
	struct world *w = s->w;
	unsigned long vec = s->a;
	uint8_t bytes[100] = {1}, read[100];

	allow(s, hosted_pread(w->h, s->fd, 10, read, sizeof(read)));
	allow(s, hosted_pwrite(w->h, s->fd, PAGE - 50, bytes, sizeof(bytes)));
	allow(s, hosted_pwrite(w->h, s->memfd, 9 * PAGE, bytes, sizeof(bytes)));
	allow(s, hosted_ftruncate(w->h, s->memfd, 100));
	allow(s, hosted_fsync(w->h, s->fd));
	allow(s, mmk_sys_mincore(&w->task, s->mapped, LEN, vec + 100));
}

/* The calls that replace or split what is there; where they fail it must be whole. */
static void do_replacing(struct scenario *s)
{
	struct world *w = s->w;
	struct mmk_mm_bounds b = {.start_brk = 0x20000000, .brk = 0x20000000};
	long at;

	mmk_mm_set_bounds(w->task.mm, &b);
	if (mmk_sys_brk(&w->task, 0x20000000 + LEN) == 0x20000000 + LEN)
		use(s, &w->task, 0x20000000);
	at = mmk_sys_munmap(&w->task, s->a + PAGE, PAGE);
	allow(s, at);
	if (at < 0)
		check_old(s);
	else
		allow(s,
		      mmk_sys_mmap(&w->task, s->a + PAGE, PAGE, RW, ANON_PRIVATE | FIXED, -1, 0));
	at = mmk_sys_mmap(&w->task, s->a, LEN, RW, MMK_MAP_PRIVATE | FIXED, s->fd, 0);
	allow(s, at);
	if (at < 0)
		assert_int_equal(load(w, s->a + 1), 1);
}

static void do_moves_and_locks(struct scenario *s)
{
	struct world *w = s->w;
	struct mmk_task *t = &w->task;
	unsigned long from = try_mmap(s, 0, ANON_PRIVATE, -1), to = from;
	long at;

	use(s, t, from);
	if (from) {
		at = mmk_sys_mremap(t, from, LEN, 64 * PAGE, MMK_MREMAP_MAYMOVE, 0);
		allow(s, at);
		to = at < 0 ? from : (unsigned long)at;
		allow(s, mmk_sys_mremap(t, to, LEN, PAGE, 0, 0));
		allow(s, mmk_sys_mremap(t, to, PAGE, PAGE, MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED,
		                        to + 1024 * PAGE));
	}
	allow_again(s, mmk_sys_mlock2(t, s->mapped, PAGE, MMK_MLOCK_ONFAULT));
	allow_again(s, mmk_sys_mlockall(t, MMK_MCL_CURRENT | MMK_MCL_FUTURE));
	use(s, t, try_mmap(s, 0, ANON_PRIVATE, -1));
	allow(s, mmk_sys_munlock(t, s->mapped, PAGE));
	allow(s, mmk_sys_munlockall(t));
	allow_again(s, mmk_sys_madvise(t, s->mapped, LEN - PAGE, MMK_MADV_WILLNEED));
	allow_again(s, mmk_sys_madvise(t, s->mapped, LEN - PAGE, MMK_MADV_POPULATE_WRITE));
	allow_again(s, mmk_sys_madvise(t, s->a, PAGE, MMK_MADV_DONTFORK));
}

static void look(struct scenario *s)
{
	static char smaps[1 << 15];
	char text[600];
	uint64_t pos = 0;
	uint64_t entries[PAGES];
	struct mmk_task *t = &s->w->task;

	allow(s, mmk_proc_maps(t, t->mm, &pos, text, sizeof(text)));
	pos = 0;
	allow(s, mmk_proc_ptdump(t, t->mm, &pos, text, sizeof(text)));
	pos = 0;
	allow(s, mmk_proc_smaps(t, t->mm, &pos, smaps, sizeof(smaps)));
	allow(s, mmk_proc_clear_refs(t, t->mm, MMK_CLEAR_REFS_SOFT_DIRTY));
	allow(s, mmk_proc_pagemap(t->mm, s->a / PAGE * 8, entries, sizeof(entries), true));
}

/* The embedder's own way in: files by pointer, pages of its own, pins, descriptors. */
static void do_embedder(struct scenario *s)
{
	struct world *w = s->w;
	struct mmk_task *t = &w->task;
	void *frame = mmk_alloc_frames(w->sys, 0, true), *kva;
	struct mmk_page *page;
	int fd, err;

	allow(s, mmk_vm_mmap(t, hosted_file(w->h, s->fd), 0, LEN, R, MMK_MAP_PRIVATE, 0));
	if (frame)
		allow(s, mmk_install_special_mapping(t, t->mm, 0, frame, "[vdso]"));
	else
		s->refused++;
	if (frame)
		allow(s, mmk_install_special_pair(t, t->mm, frame, "[vvar]", frame, "[vdso]"));
	err = mmk_mapping_pin(hosted_file(w->h, s->memfd)->f_mapping, 2, true, &page, &kva);
	allow(s, err);
	if (!err)
		mmk_mapping_unpin(hosted_file(w->h, s->memfd)->f_mapping, page, true);
	allow(s, hosted_punch(w->h, s->memfd, 100, 2 * PAGE));
	fd = hosted_open_zero(w->h);
	use(s, t, try_mmap(s, 0, MMK_MAP_SHARED, fd));
	hosted_close(w->h, fd);
	look(s);
	hosted_exit(w->h, t);
	if (frame)
		mmk_free_frames(w->sys, frame, 0);
}

static void begin(struct scenario *s)
{
	struct hosted_config config = {.ram_size = 16 << 20};
	struct world *w = world_new(&config);

	memset(s, 0, sizeof(*s));
	s->w = w;
	hosted_set_caps(w->h, 1u << MMK_CAP_IPC_LOCK);
	s->fd = host_file(w, "f", LEN - 100, O_RDWR);
	s->memfd = hosted_memfd(w->h, "m", LEN);
	assert_true(s->memfd >= 0);
	s->a = must_mmap(w, 0, LEN, RW, ANON_PRIVATE, -1, 0);
	s->mapped = must_mmap(w, 0, LEN, RW, MMK_MAP_SHARED, s->fd, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store(w, s->a + i * PAGE + 1, (uint8_t)(i + 1));
}

/* Runs it all; check_old in between sees that a failure has left the rest alone. */
static void run(struct scenario *s)
{
	do_mappings(s);
	do_programs(s);
	do_files(s);
	hosted_fail_alloc(s->w->h, HOSTED_ANY_SITE, 0, false);
	for (unsigned i = 2; i < PAGES; i++)
		assert_int_equal(load(s->w, s->a + i * PAGE + 1), i + 1);
}

static void run_rest(struct scenario *s)
{
	do_moves_and_locks(s);
	do_embedder(s);
}

static void run_replacing(struct scenario *s)
{
	do_replacing(s);
	hosted_fail_alloc(s->w->h, HOSTED_ANY_SITE, 0, false);
}

/* Once to count, then each in turn. */
static void fail_each_alloc(void (*body)(struct scenario *), bool on)
{
	struct scenario s;
	uint64_t from, all;

	begin(&s);
	from = hosted_nr_allocs(s.w->h);
	body(&s);
	all = hosted_nr_allocs(s.w->h) - from;
	assert_int_equal(s.refused, 0);
	world_end(s.w);
	assert_true(all > 5);
	for (uint64_t n = 1; n <= all; n++) {
		begin(&s);
		hosted_fail_alloc(s.w->h, HOSTED_ANY_SITE, n, on);
		body(&s);
		world_end(s.w); /* fails where a frame is missing */
	}
}

static void every_allocation_in_turn(void **state)
{
	fail_each_alloc(run, false);
}

static void every_allocation_from_one_on(void **state)
{
	fail_each_alloc(run, true);
}

static void every_allocation_of_the_rest(void **state)
{
	fail_each_alloc(run_rest, false);
	fail_each_alloc(run_rest, true);
}

static void every_allocation_of_what_replaces(void **state)
{
	fail_each_alloc(run_replacing, false);
	fail_each_alloc(run_replacing, true);
}

static void allocations_at_random(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct scenario s;

		begin(&s);
		hosted_fail_alloc_random(s.w->h, HOSTED_ANY_SITE, seed, 2 + seed % 10);
		run(&s);
		world_end(s.w);
	}
}

static uint64_t run_with_io(uint64_t n, enum hosted_io_failure how)
{
	struct scenario s;
	uint64_t from;

	begin(&s);
	from = hosted_nr_ios(s.w->h);
	hosted_fail_io(s.w->h, n, how);
	run(&s);
	from = hosted_nr_ios(s.w->h) - from;
	if (how == HOSTED_IO_SHORT || !n) {
		/* A short transfer is continued, and nobody notices; a sync has none: EIO. */
		hosted_fail_io(s.w->h, 0, how);
		assert_int_equal(hosted_fsync(s.w->h, s.fd) == 0 || how == HOSTED_IO_SHORT, 1);
		for (size_t i = 1; i < PAGE - 50; i++)
			assert_int_equal(host_byte(s.w, "f", i), file_byte(i));
		assert_int_equal(host_byte(s.w, "f", PAGE), 0);
		assert_int_equal(host_size(s.w, "f"), LEN - 100);
	}
	world_end(s.w);
	return from;
}

static void every_io_in_turn(void **state)
{
	uint64_t all = run_with_io(0, HOSTED_IO_EIO);

	assert_true(all >= 3);
	for (uint64_t n = 1; n <= all; n++)
		run_with_io(n, HOSTED_IO_EIO);
}

static void every_io_short_in_turn(void **state)
{
	uint64_t all = run_with_io(0, HOSTED_IO_EIO);

	for (uint64_t n = 1; n <= all; n++)
		run_with_io(n, HOSTED_IO_SHORT);
}

static void a_failed_read_is_sigbus_then_works(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", LEN, O_RDONLY);
	unsigned long a = must_mmap(w, 0, LEN, R, MMK_MAP_PRIVATE, fd, 0);

	hosted_fail_io(w->h, 1, HOSTED_IO_EIO);
	assert_fault(w_load(w, a), UNIT_SIGBUS, MMK_BUS_ADRERR);
	assert_int_equal(load(w, a), file_byte(0));
}

static void a_failed_writeback_is_told_once(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);
	unsigned long a = must_mmap(w, 0, PAGE, RW, MMK_MAP_SHARED, fd, 0);

	store(w, a, 1);
	hosted_fail_io(w->h, 1, HOSTED_IO_EIO);
	assert_int_equal(w_msync(w, a, PAGE, MMK_MS_SYNC), -MMK_EIO);
	assert_int_equal(load(w, a), 1);
	store(w, a, 2);
	assert_int_equal(w_msync(w, a, PAGE, MMK_MS_SYNC), 0);
	assert_int_equal(host_byte(w, "f", 0), 2);
}

static void memory_runs_out_for_real(void **state)
{
	struct hosted_config config = {.ram_size = 4 << 20};
	struct world *w = world_new(&config);
	unsigned long len = 16 << 20,
	              a = must_mmap(w, 0, len, RW, ANON_PRIVATE | MMK_MAP_NORESERVE, -1, 0);
	unsigned long i = 0;
	uint8_t byte = 5;

	while (i < len && hosted_store(w->h, &w->task, a + i, &byte, 1, NULL) == 0)
		i += PAGE;
	assert_true(i > 0 && i < len);
	assert_fault(w_store(w, a + i, 1), UNIT_SIGKILL, 0x80 /* SI_KERNEL */);
	assert_int_equal(load(w, a), 5);
	assert_int_equal(w_munmap(w, a, len), 0);
	a = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	store(w, a, 1);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_allocation_in_turn),
	    cmocka_unit_test(every_allocation_from_one_on),
	    cmocka_unit_test(every_allocation_of_the_rest),
	    cmocka_unit_test(every_allocation_of_what_replaces),
	    cmocka_unit_test(allocations_at_random),
	    cmocka_unit_test(every_io_in_turn),
	    cmocka_unit_test(every_io_short_in_turn),
	    WORLD_TEST(a_failed_read_is_sigbus_then_works),
	    WORLD_TEST(a_failed_writeback_is_told_once),
	    cmocka_unit_test(memory_runs_out_for_real),
	};

	return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
