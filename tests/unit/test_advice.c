/* SPDX-License-Identifier: MIT */
/* madvise, mlock, msync, mincore, brk, the stack: rules, limits, each refusal with its reason. */
#include "tests/unit/canvas.h"

static struct mmk_mm_stats stats_of(struct world *w)
{
	struct mmk_mm_stats s;

	mmk_mm_stats(w->task.mm, &s);
	return s;
}

/* ---- madvise ---- */

static void refusals_of_madvise(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	refusal(w, w_madvise(w, at(0), PAGE, 99), MMK_EINVAL, MMK_REASON_ADVICE);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_COLLAPSE), MMK_EINVAL, MMK_REASON_ADVICE);
	refusal(w, w_madvise(w, at(0) + 1, PAGE, 0), MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED);
	refusal(w, w_madvise(w, at(0), ~0ul, 0), MMK_EINVAL, MMK_REASON_LENGTH_WRAPS);
	refusal(w, w_madvise(w, at(0), ~0ul & ~(PAGE - 1), 0), MMK_EINVAL, MMK_REASON_RANGE_WRAPS);
	assert_int_equal(w_madvise(w, at(5), 0, MMK_MADV_DONTNEED), 0);
	refusal(w, w_madvise(w, at(5), PAGE, MMK_MADV_DONTNEED), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	assert_int_equal(w_mlock(w, at(0), PAGE), 0);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_DONTNEED), MMK_EINVAL,
	        MMK_REASON_ADVICE_LOCKED);
	assert_int_equal(w_madvise(w, at(0), PAGE, MMK_MADV_DONTNEED_LOCKED), 0);
	must_mmap(w, at(4), PAGE, RW, ANON_SHARED | FIXED, -1, 0);
	refusal(w, w_madvise(w, at(4), PAGE, MMK_MADV_WIPEONFORK), MMK_EINVAL,
	        MMK_REASON_ADVICE_NOT_ANON);
}

static void a_hole_is_told_after_the_rest_is_done(void **state)
{
	struct world *w = *state;

	put(w, 0, 1, RW);
	put(w, 2, 1, RW);
	store(w, at(0), 1);
	store(w, at(2), 1);
	refusal(w, w_madvise(w, at(0), 3 * PAGE, MMK_MADV_DONTNEED), MMK_ENOMEM,
	        MMK_REASON_NOT_MAPPED);
	assert_int_equal(load(w, at(0)), 0);
	assert_int_equal(load(w, at(2)), 0);
}

static void a_split_without_memory_is_eagain(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, RW);
	hosted_fail_alloc(w->h, MMK_FAIL_SLAB, 1, false);
	assert_int_equal(w_madvise(w, at(1), PAGE, MMK_MADV_DONTFORK), -MMK_EAGAIN);
	drawn(w, "AAA");
}

static void populate_brings_pages_in_or_says_why_not(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	put(w, 0, 3, RW);
	assert_int_equal(w_madvise(w, at(0), 3 * PAGE, MMK_MADV_POPULATE_WRITE), 0);
	assert_int_equal(stats_of(w).rss_anon, 3);
	put(w, 4, 1, R);
	refusal(w, w_madvise(w, at(4), PAGE, MMK_MADV_POPULATE_WRITE), MMK_EINVAL,
	        MMK_REASON_POPULATE_PROT);
	assert_int_equal(w_madvise(w, at(4), PAGE, MMK_MADV_POPULATE_READ), 0);
	refusal(w, w_madvise(w, at(4), 2 * PAGE, MMK_MADV_POPULATE_READ), MMK_ENOMEM,
	        MMK_REASON_NOT_MAPPED);
	must_mmap(w, at(6), 2 * PAGE, R, MMK_MAP_PRIVATE | FIXED, fd, 0);
	refusal(w, w_madvise(w, at(6), 2 * PAGE, MMK_MADV_POPULATE_READ), MMK_EFAULT,
	        MMK_REASON_POPULATE_FAULT);
}

/* ---- long calls ---- */

static unsigned nr_resched;
static bool is_killed;

static void count_resched(void *ctx)
{
	nr_resched++;
}

static bool killed(void *ctx)
{
	return is_killed && nr_resched > 1;
}

static unsigned resched_since(unsigned *before)
{
	unsigned n = nr_resched - *before;

	*before = nr_resched;
	return n;
}

#define TABLE_PAGES 512ul

static void long_calls_let_others_run(void **state)
{
	struct world *w = *state;
	unsigned long len = 3 * TABLE_PAGES * PAGE, a, to;
	struct mmk_task child = w->task;
	unsigned n = nr_resched;

	hosted_port(w->h)->resched = count_resched;
	a = must_mmap(w, 0, len, RW, ANON_PRIVATE | MMK_MAP_POPULATE, -1, 0);
	assert_true(resched_since(&n) >= 3);
	assert_int_equal(w_mprotect(w, a, len, R), 0);
	assert_true(resched_since(&n) >= 3);
	assert_int_equal(w_fork(w, &child), 0);
	assert_true(resched_since(&n) >= 3);
	hosted_exit(w->h, &child);
	assert_true(resched_since(&n) >= 3);
	to = must_mmap(w, 0, len, RW, ANON_PRIVATE, -1, 0);
	assert_int_equal(w_mremap(w, a, len, len, MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED, to), to);
	assert_true(resched_since(&n) >= 3);
	assert_int_equal(w_munmap(w, to, len), 0);
	assert_true(resched_since(&n) >= 3);
	a = must_mmap(w, 0, len, RW, ANON_PRIVATE | MMK_MAP_POPULATE, -1, 0);
	(void)resched_since(&n);
	assert_int_equal(w_madvise(w, a, len, MMK_MADV_DONTNEED), 0);
	assert_true(resched_since(&n) >= 2);
	assert_int_equal(w_munmap(w, a, len), 0);
}

/* A file's pages, in the cache and mapped nowhere. */
static void bring_in(struct world *w, int fd, unsigned long len)
{
	unsigned long a = must_mmap(w, 0, len, R, MMK_MAP_SHARED | MMK_MAP_POPULATE, fd, 0);

	assert_int_equal(w_munmap(w, a, len), 0);
}

static void who_takes_pages_out_of_a_file_lets_others_run(void **state)
{
	struct world *w = *state;
	unsigned long len = 2 * TABLE_PAGES * PAGE;
	int fd = host_file(w, "f", len, O_RDWR);
	unsigned n = 0;

	hosted_port(w->h)->resched = count_resched;
	bring_in(w, fd, len);
	(void)resched_since(&n);
	assert_true(mmk_mapping_invalidate(hosted_file(w->h, fd)->f_mapping) >= TABLE_PAGES);
	assert_true(resched_since(&n) >= 2);
	bring_in(w, fd, len);
	(void)resched_since(&n);
	assert_int_equal(mmk_sysctl_set(w->sys, "drop_caches", 1), 0);
	assert_true(resched_since(&n) >= 2);
	bring_in(w, fd, len);
	(void)resched_since(&n);
	assert_int_equal(hosted_ftruncate(w->h, fd, 0), 0);
	assert_true(resched_since(&n) >= 2);
}

static void a_killed_thread_brings_no_more_pages_in(void **state)
{
	struct world *w = *state;
	unsigned long len = 3 * TABLE_PAGES * PAGE, a;

	hosted_port(w->h)->resched = count_resched;
	hosted_port(w->h)->killed = killed;
	nr_resched = 0;
	is_killed = true;
	a = must_mmap(w, 0, len, R, ANON_SHARED, -1, 0);
	assert_int_equal(w_madvise(w, a, len, MMK_MADV_POPULATE_READ), -MMK_EINTR);
	assert_in_range(stats_of(w).rss_shmem, 1, TABLE_PAGES);
	nr_resched = 0;
	a = must_mmap(w, 0, len, RW, ANON_PRIVATE | MMK_MAP_POPULATE, -1, 0);
	assert_in_range(stats_of(w).rss_anon, 1, 2 * TABLE_PAGES + 256);
	is_killed = false;
}

static void willneed_reads_ahead(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 4 * PAGE, O_RDWR);
	uint64_t ios;

	must_mmap(w, at(0), 4 * PAGE, R, MMK_MAP_SHARED | FIXED, fd, 0);
	assert_int_equal(w_madvise(w, at(0), 4 * PAGE, MMK_MADV_WILLNEED), 0);
	ios = hosted_nr_ios(w->h);
	assert_true(ios > 0);
	assert_int_equal(load(w, at(3)), file_byte(3 * PAGE));
	assert_int_equal(hosted_nr_ios(w->h), ios);
	put(w, 6, 1, RW);
	assert_int_equal(w_madvise(w, at(6), PAGE, MMK_MADV_WILLNEED), 0);
}

static void advice_for_fork_is_followed(void **state)
{
	struct world *w = *state;
	struct mmk_task parent = w->task, child = w->task;

	put(w, 0, 3, RW);
	store(w, at(0), 1);
	store(w, at(1), 2);
	store(w, at(2), 3);
	assert_int_equal(w_madvise(w, at(0), PAGE, MMK_MADV_DONTFORK), 0);
	assert_int_equal(w_madvise(w, at(1), PAGE, MMK_MADV_WIPEONFORK), 0);
	assert_int_equal(w_mlock(w, at(2), PAGE), 0);
	assert_int_equal(w_fork(w, &child), 0);
	w->task = child;
	drawn(w, ".AB");
	assert_int_equal(load(w, at(1)), 0);
	assert_int_equal(load(w, at(2)), 3);
	assert_int_equal(stats_of(w).locked_vm, 0);
	hosted_exit(w->h, &w->task);
	w->task = parent;
	assert_int_equal(load(w, at(0)), 1);
	assert_int_equal(load(w, at(1)), 2);
}

/* ---- mlock ---- */

static void refusals_of_mlock(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, RW);
	refusal(w, CHECKED(w, mmk_sys_mlock2(&w->task, at(0), PAGE, 2)), MMK_EINVAL,
	        MMK_REASON_MLOCK_FLAGS);
	refusal(w, w_mlock(w, at(0), ~0ul - at(0) - PAGE), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	assert_int_equal(w_munlock(w, at(0), 3 * PAGE), 0);
	refusal(w, w_mlock(w, at(2), 2 * PAGE), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	assert_int_equal(stats_of(w).locked_vm, 1); /* what lies before the hole */
	w->rlim[MMK_RLIMIT_MEMLOCK].cur = 2 * PAGE;
	refusal(w, w_mlock(w, at(0), 3 * PAGE), MMK_ENOMEM, MMK_REASON_MEMLOCK_LIMIT);
	assert_int_equal(w_mlock(w, at(1) + 5, PAGE),
	                 0); /* two pages, one of them locked already */
	assert_int_equal(stats_of(w).locked_vm, 2);
	w->rlim[MMK_RLIMIT_MEMLOCK].cur = 0;
	refusal(w, w_mlock(w, at(0), PAGE), MMK_EPERM, MMK_REASON_MEMLOCK_ZERO);
	hosted_set_caps(w->h, 1u << MMK_CAP_IPC_LOCK);
	assert_int_equal(w_mlock(w, at(0), PAGE), 0);
	put(w, 5, 1, NONE);
	refusal(w, w_mlock(w, at(5), PAGE), MMK_ENOMEM, MMK_REASON_POPULATE_FAULT);
}

static void mlockall_now_and_later(void **state)
{
	struct world *w = *state;
	struct mmk_task *t = &w->task;

	refusal(w, CHECKED(w, mmk_sys_mlockall(t, 0)), MMK_EINVAL, MMK_REASON_MLOCK_FLAGS);
	refusal(w, CHECKED(w, mmk_sys_mlockall(t, MMK_MCL_ONFAULT)), MMK_EINVAL,
	        MMK_REASON_MLOCK_FLAGS);
	refusal(w, CHECKED(w, mmk_sys_mlockall(t, 8)), MMK_EINVAL, MMK_REASON_MLOCK_FLAGS);
	put(w, 0, 2, RW);
	w->rlim[MMK_RLIMIT_MEMLOCK].cur = PAGE;
	refusal(w, CHECKED(w, mmk_sys_mlockall(t, MMK_MCL_CURRENT)), MMK_ENOMEM,
	        MMK_REASON_MEMLOCK_LIMIT);
	w->rlim[MMK_RLIMIT_MEMLOCK].cur = MMK_RLIM_INFINITY;
	assert_int_equal(CHECKED(w, mmk_sys_mlockall(t, MMK_MCL_CURRENT)), 0);
	assert_int_equal(stats_of(w).locked_vm, stats_of(w).total_vm);
	assert_int_equal(stats_of(w).rss_anon, 2);
	put(w, 4, 2, RW);
	assert_int_equal(stats_of(w).rss_anon, 2);
	assert_int_equal(CHECKED(w, mmk_sys_mlockall(t, MMK_MCL_FUTURE)), 0);
	put(w, 6, 2, RW);
	assert_int_equal(stats_of(w).rss_anon, 4);
	assert_int_equal(CHECKED(w, mmk_sys_mlockall(t, MMK_MCL_FUTURE | MMK_MCL_ONFAULT)), 0);
	put(w, 8, 2, RW);
	assert_int_equal(stats_of(w).rss_anon, 4);
	assert_int_equal(CHECKED(w, mmk_sys_munlockall(t)), 0);
	assert_int_equal(stats_of(w).locked_vm, 0);
	put(w, 10, 2, RW);
	assert_int_equal(stats_of(w).locked_vm, 0);
}

/* ---- msync and mincore ---- */

static void refusals_of_msync(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 3 * PAGE, O_RDWR);

	must_mmap(w, at(0), PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	must_mmap(w, at(2), PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 2 * PAGE);
	refusal(w, w_msync(w, at(0), PAGE, 8), MMK_EINVAL, MMK_REASON_MSYNC_FLAGS);
	refusal(w, w_msync(w, at(0), PAGE, MMK_MS_SYNC | MMK_MS_ASYNC), MMK_EINVAL,
	        MMK_REASON_MSYNC_FLAGS);
	refusal(w, w_msync(w, at(0) + 1, PAGE, MMK_MS_SYNC), MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED);
	refusal(w, w_msync(w, at(0), ~0ul & ~(PAGE - 1), MMK_MS_SYNC), MMK_ENOMEM,
	        MMK_REASON_RANGE_WRAPS);
	assert_int_equal(w_msync(w, at(9), 0, MMK_MS_SYNC), 0);
	refusal(w, w_msync(w, at(9), PAGE, MMK_MS_SYNC), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	store(w, at(0), 1);
	store(w, at(2), 2);
	refusal(w, w_msync(w, at(0), 3 * PAGE, MMK_MS_SYNC), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	assert_int_equal(host_byte(w, "f", 0), 1); /* on both sides of the hole */
	assert_int_equal(host_byte(w, "f", 2 * PAGE), 2);
	assert_int_equal(w_mlock(w, at(0), PAGE), 0);
	refusal(w, w_msync(w, at(0), PAGE, MMK_MS_INVALIDATE), MMK_EBUSY, MMK_REASON_MSYNC_LOCKED);
	store(w, at(2), 3);
	hosted_fail_io(w->h, 1, HOSTED_IO_EIO);
	refusal(w, w_msync(w, at(2), PAGE, MMK_MS_SYNC), MMK_EIO, MMK_REASON_WRITEBACK);
}

static void refusals_of_mincore(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	store(w, at(1), 1);
	refusal(w, w_mincore(w, at(0) + 1, PAGE, at(1)), MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED);
	refusal(w, w_mincore(w, 1ul << 48, PAGE, at(1)), MMK_ENOMEM, MMK_REASON_BEYOND_TASK_SIZE);
	refusal(w, w_mincore(w, at(0), 3 * PAGE, at(1)), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	refusal(w, w_mincore(w, at(0), 2 * PAGE, at(7)), MMK_EFAULT, MMK_REASON_VEC);
	refusal(w, w_mincore(w, at(0), 2 * PAGE, 1ul << 48), MMK_EFAULT, MMK_REASON_VEC);
	assert_int_equal(w_mincore(w, at(0), 2 * PAGE, at(1)), 0);
	assert_int_equal(load(w, at(1)), 0);
	assert_int_equal(load(w, at(1) + 1), 1);
	assert_int_equal(w_mincore(w, at(9), 0, at(1)), 0);
}

/* ---- brk ---- */

static void set_heap(struct world *w, unsigned long start)
{
	struct mmk_mm_bounds b;

	mmk_mm_get_bounds(w->task.mm, &b);
	b.start_brk = b.brk = start;
	b.start_data = b.end_data = 0;
	mmk_mm_set_bounds(w->task.mm, &b);
}

#define stays(w, ask, end, why)                                                                    \
	do {                                                                                       \
		assert_int_equal(w_brk(w, ask), end);                                              \
		assert_int_equal((w)->task.reason.code, why);                                      \
	} while (0)

static void the_break_stays_where_it_cannot_move(void **state)
{
	struct world *w = *state;

	set_heap(w, at(0));
	stays(w, 0, at(0), MMK_REASON_NONE);
	stays(w, at(0) - 1, at(0), MMK_REASON_BRK_LOW);
	assert_int_equal(w_brk(w, at(2) + 5), at(2) + 5);
	drawn(w, "AAA.");
	assert_int_equal(w_brk(w, at(2) + 50), at(2) + 50);
	put(w, 6, 1, R);
	stays(w, at(6), at(2) + 50, MMK_REASON_BRK_IN_THE_WAY); /* a page stays free */
	assert_int_equal(w_brk(w, at(5)), at(5));
	drawn(w, "AAAAA.B");
	stays(w, ~0ul, at(5), MMK_REASON_BEYOND_TASK_SIZE);
	w->rlim[MMK_RLIMIT_DATA].cur = 3 * PAGE;
	assert_int_equal(w_brk(w, at(3)), at(3)); /* shrinking to within the limit */
	stays(w, at(4), at(3), MMK_REASON_RLIMIT_DATA);
	w->rlim[MMK_RLIMIT_DATA].cur = MMK_RLIM_INFINITY;
	w->rlim[MMK_RLIMIT_AS].cur = stats_of(w).total_vm * PAGE;
	stays(w, at(4), at(3), MMK_REASON_RLIMIT_AS);
	assert_int_equal(w_brk(w, at(0)), at(0));
	drawn(w, "......A");
}

static void the_heap_merges_and_is_named(void **state)
{
	struct world *w = *state;

	set_heap(w, at(0));
	assert_int_equal(w_brk(w, at(1)), at(1));
	store(w, at(0), 1);
	assert_int_equal(w_brk(w, at(3)), at(3));
	drawn(w, "AAA");
	assert_non_null(strstr(world_maps(w), "10000000-10003000 rw-p 00000000 00:00 0 "
	                                      "                                 [heap]\n"));
	assert_int_equal(w_munmap(w, at(2), PAGE), 0);
	stays(w, at(2), at(3), MMK_REASON_BRK_NO_HEAP);
}

/* ---- the stack ---- */

static void a_stack_keeps_off_and_says_why(void **state)
{
	struct world *w = *state;
	unsigned long top = BASE + (64ul << 20);

	assert_int_equal(CHECKED(w, mmk_mm_setup_stack(&w->task, w->task.mm, top, PAGE, false)), 0);
	refusal(w, CHECKED(w, mmk_mm_setup_stack(&w->task, w->task.mm, top, PAGE, false)),
	        MMK_EEXIST, MMK_REASON_NOREPLACE);
	assert_works(w_store(w, top - 3 * PAGE, 1));
	w->rlim[MMK_RLIMIT_STACK].cur = 4 * PAGE;
	assert_fault(w_store(w, top - 5 * PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_int_equal(w->task.reason.code, MMK_REASON_RLIMIT_STACK);
	w->rlim[MMK_RLIMIT_STACK].cur = MMK_RLIM_INFINITY;
	must_mmap(w, top - 300 * PAGE, PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
	assert_fault(w_store(w, top - 100 * PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_int_equal(w->task.reason.code, MMK_REASON_STACK_GUARD);
	assert_works(w_store(w, top - 40 * PAGE, 1));
	/* A PROT_NONE neighbour is the program's own guard. */
	assert_int_equal(w_mprotect(w, top - 300 * PAGE, PAGE, NONE), 0);
	assert_works(w_store(w, top - 299 * PAGE, 1));
}

static void the_search_leaves_the_guard_gap_free(void **state)
{
	struct world *w = *state;
	unsigned long low, a;

	/* Nothing free but below a growing mapping: its gap is not for others. */
	low = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE | MMK_MAP_GROWSDOWN, -1, 0);
	a = must_mmap(w, 0, PAGE, R, ANON_PRIVATE, -1, 0);
	assert_true(a + PAGE <= low - 256 * PAGE || a > low);
	/* Neither as a hint; but MAP_FIXED goes where it is told. */
	a = must_mmap(w, low - 2 * PAGE, PAGE, R, ANON_PRIVATE, -1, 0);
	assert_true(a != low - 2 * PAGE);
	must_mmap(w, low - 2 * PAGE, PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
}

/* ---- maps ---- */

static void maps_in_linuxs_format(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 3 * PAGE, O_RDWR);
	char small[60];
	uint64_t pos = 0;
	const char *maps;

	put(w, 0, 1, RW);
	must_mmap(w, at(1), PAGE, R, MMK_MAP_SHARED | FIXED, fd, 2 * PAGE);
	must_mmap(w, at(2), PAGE, RW, ANON_SHARED | FIXED, -1, 0);
	put(w, 3, 1, NONE);
	maps = world_maps(w);
	assert_non_null(strstr(maps, "10000000-10001000 rw-p 00000000 00:00 0 \n"));
	assert_non_null(strstr(maps, "10001000-10002000 r--s 00002000 "));
	assert_non_null(strstr(maps, "/f\n"));
	assert_non_null(strstr(maps, "10002000-10003000 rw-s 00000000 00:01 "));
	assert_non_null(strstr(maps, " /dev/zero (deleted)\n"));
	assert_non_null(strstr(maps, "10003000-10004000 ---p 00000000 00:00 0 \n"));
	assert_int_equal(strstr(maps, "/dev/zero") - strstr(maps, "10002000-"), 73);
	/* Whole lines only; a buffer for none is an error and not the end. */
	assert_int_equal(mmk_proc_maps(&w->task, w->task.mm, &pos, small, sizeof(small)), 41);
	pos = 0;
	assert_int_equal(mmk_proc_maps(&w->task, w->task.mm, &pos, small, 20), -MMK_EOVERFLOW);
}

static void a_special_mapping_is_shared_and_named(void **state)
{
	struct world *w = *state;
	struct mmk_task parent = w->task, child = w->task;
	uint8_t *kva = mmk_alloc_frames(w->sys, 0, true);
	long a;

	kva[5] = 42;
	a = CHECKED(w, mmk_install_special_mapping(&w->task, w->task.mm, 0, kva, "[vdso]"));
	assert_true(a > 0);
	assert_int_equal(load(w, a + 5), 42);
	assert_non_null(strstr(world_maps(w), "[vdso]\n"));
	assert_fault(w_store(w, a, 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	refusal(w, CHECKED(w, mmk_install_special_mapping(&w->task, w->task.mm, a, kva, "x")),
	        MMK_EEXIST, MMK_REASON_NOREPLACE);
	assert_int_equal(w_fork(w, &child), 0);
	w->task = child;
	assert_int_equal(load(w, a + 5), 42);
	hosted_exit(w->h, &w->task);
	w->task = parent;
	assert_int_equal(w_mprotect(w, a, PAGE, RW), 0);
	store(w, a, 9); /* a copy of its own */
	assert_int_equal(kva[0], 0);
	assert_int_equal(w_munmap(w, a, PAGE), 0);
	mmk_free_frames(w->sys, kva, 0);
}

/* Data before code: read but never written, not resident, and gone with the rest of the mm. */
static void a_special_pair_is_side_by_side(void **state)
{
	struct world *w = *state;
	struct mmk_task parent = w->task, child = w->task;
	uint8_t *data = mmk_alloc_frames(w->sys, 0, true), *code = mmk_alloc_frames(w->sys, 0, true);
	struct mmk_mm_stats before, after;
	long a;

	data[5] = 42;
	code[5] = 43;
	a = CHECKED(w, mmk_install_special_pair(&w->task, w->task.mm, data, "[vvar]", code, "[vdso]"));
	assert_true(a > 0);
	mmk_mm_stats(w->task.mm, &before);
	assert_int_equal(load(w, a - PAGE + 5), 42);
	mmk_mm_stats(w->task.mm, &after);
	assert_int_equal(before.rss_file, after.rss_file);
	assert_int_equal(load(w, a + 5), 43);
	data[5] = 44;
	assert_int_equal(load(w, a - PAGE + 5), 44);
	assert_non_null(strstr(world_maps(w), "[vvar]\n"));
	assert_fault(w_store(w, a - PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_int_equal(w_mprotect(w, a - PAGE, PAGE, RW), -MMK_EACCES);
	assert_int_equal(w_fork(w, &child), 0);
	w->task = child;
	assert_int_equal(load(w, a - PAGE + 5), 44);
	hosted_exit(w->h, &w->task);
	w->task = parent;
	assert_int_equal(w_munmap(w, a - PAGE, 2 * PAGE), 0);
	mmk_free_frames(w->sys, data, 0);
	mmk_free_frames(w->sys, code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(refusals_of_madvise),
	    WORLD_TEST(a_hole_is_told_after_the_rest_is_done),
	    WORLD_TEST(a_split_without_memory_is_eagain),
	    WORLD_TEST(populate_brings_pages_in_or_says_why_not),
	    WORLD_TEST(long_calls_let_others_run),
	    WORLD_TEST(who_takes_pages_out_of_a_file_lets_others_run),
	    WORLD_TEST(a_killed_thread_brings_no_more_pages_in),
	    WORLD_TEST(willneed_reads_ahead),
	    WORLD_TEST(advice_for_fork_is_followed),
	    WORLD_TEST(refusals_of_mlock),
	    WORLD_TEST(mlockall_now_and_later),
	    WORLD_TEST(refusals_of_msync),
	    WORLD_TEST(refusals_of_mincore),
	    WORLD_TEST(the_break_stays_where_it_cannot_move),
	    WORLD_TEST(the_heap_merges_and_is_named),
	    WORLD_TEST(a_stack_keeps_off_and_says_why),
	    WORLD_TEST(the_search_leaves_the_guard_gap_free),
	    WORLD_TEST(maps_in_linuxs_format),
	    WORLD_TEST(a_special_mapping_is_shared_and_named),
	    WORLD_TEST(a_special_pair_is_side_by_side),
	};

	return cmocka_run_group_tests_name("advice, locks, heap and stack", tests, NULL, NULL);
}
