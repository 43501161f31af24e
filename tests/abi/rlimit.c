/* SPDX-License-Identifier: MIT */
/* Resource limits set while a program runs, by itself or by another; what getrusage tells. */
#include "abi.h"

static long limit_of(pid_t pid, int which, unsigned long cur, unsigned long max)
{
	struct rlimit l = {cur, max};

	return prlimit(pid, which, &l, NULL);
}

/* A child that does @work once the parent has done something to it. */
static void while_waiting(void (*prepare)(pid_t pid), void (*work)(void))
{
	int go[2];
	char byte = 0;
	pid_t pid;

	abi_must("pipe", pipe(go));
	pid = abi_fork();
	if (!pid) {
		(void)!read(go[0], &byte, 1);
		work();
		exit(0);
	}
	prepare(pid);
	(void)!write(go[1], &byte, 1);
	abi_wait(pid);
}

static void limit_as(pid_t pid)
{
	abi_ret("prlimit", limit_of(pid, RLIMIT_AS, 1 << 20, RLIM_INFINITY));
}

static void map_some(void)
{
	abi_ret("mmap", mmap(NULL, 4 << 20, RW, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("munmap", munmap(abi_window(1), page));
}

BEHAVIOUR(prlimit_of_another_counts_at_once, "prlimit RLIMIT_AS")
{
	while_waiting(limit_as, map_some);
	map_some();
}

static void limit_memlock(pid_t pid)
{
	abi_ret("prlimit", limit_of(pid, RLIMIT_MEMLOCK, 4 * page, RLIM_INFINITY));
}

static void lock_some(void)
{
	char *p = abi_map(8, RW);

	abi_nobody();
	TRY(mlock(p, 4 * page));
	TRY(mlock(p + 4 * page, 1));
	TRY(mlock(p, 5 * page));
	TRY(mlock(p + 1, page));
	TRY(munlock(p, page));
	TRY(mlock(p + 7 * page, page));
	abi_status("VmLck");
}

BEHAVIOUR(prlimit_of_locked_memory, "prlimit RLIMIT_MEMLOCK")
{
	while_waiting(limit_memlock, lock_some);
}

static void limit_stack(pid_t pid)
{
	abi_ret("prlimit", limit_of(pid, RLIMIT_STACK, 256 << 10, RLIM_INFINITY));
}

static void use_stack(void)
{
	volatile char *here = (volatile char *)__builtin_frame_address(0);

	abi_say("128 KiB down: %d", abi_writable(here - (128 << 10)));
	abi_say("512 KiB down: %d", abi_writable(here - (512 << 10)));
}

BEHAVIOUR(prlimit_of_the_stack_stops_its_growth, "prlimit RLIMIT_STACK")
{
	while_waiting(limit_stack, use_stack);
	use_stack();
}

static void limit_data(pid_t pid)
{
	abi_ret("prlimit", limit_of(pid, RLIMIT_DATA, 2 << 20, RLIM_INFINITY));
}

static void use_data(void)
{
	char *p = sbrk(0);

	abi_ret("brk by 8 MiB", brk(p + (8 << 20)));
	abi_ret("brk by 512 KiB", brk(p + (512 << 10)));
	abi_ret("mmap", mmap(NULL, 4 << 20, RW, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("mmap read-only",
	        mmap(NULL, 4 << 20, PROT_READ, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("mmap shared", mmap(NULL, 4 << 20, RW, SHM, -1, 0) == MAP_FAILED ? -1 : 0);
}

BEHAVIOUR(prlimit_of_data, "prlimit RLIMIT_DATA")
{
	while_waiting(limit_data, use_data);
}

BEHAVIOUR(prlimit_refuses, "prlimit EINVAL")
{
	struct rlimit l = {2, 1}, old;

	TRY(prlimit(0, RLIMIT_AS, &l, NULL));
	TRY(prlimit(0, 16, NULL, &old));
	TRY(prlimit(0, -1, NULL, &old));
	TRY(prlimit(1 << 22, RLIMIT_AS, NULL, &old));
	TRY(prlimit(-1, RLIMIT_AS, NULL, &old));
	TRY(syscall(SYS_prlimit64, 0, RLIMIT_AS, 8, NULL));
	TRY(syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, 8));
	TRY(prlimit(0, RLIMIT_AS, NULL, NULL));
}

BEHAVIOUR(hard_limits_only_fall_without_a_privilege, "prlimit EPERM")
{
	abi_nobody();
	TRY(limit_of(0, RLIMIT_AS, 1ul << 40, 1ul << 40));
	TRY(limit_of(0, RLIMIT_AS, 1ul << 39, 1ul << 40));
	TRY(limit_of(0, RLIMIT_AS, 1ul << 40, 1ul << 41));
	TRY(limit_of(0, RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY));
	TRY(limit_of(0, RLIMIT_AS, 1ul << 40, 1ul << 40));
}

static void sleep_well(void)
{
}

static void try_as_nobody(pid_t pid)
{
	pid_t child = abi_fork();

	if (!child) {
		struct rlimit old;

		abi_nobody();
		TRY(prlimit(pid, RLIMIT_AS, NULL, &old));
		TRY(limit_of(pid, RLIMIT_AS, 1ul << 40, 1ul << 40));
		exit(0);
	}
	waitpid(child, NULL, 0);
}

BEHAVIOUR(limits_of_roots_program_are_roots, "prlimit EPERM")
{
	while_waiting(try_as_nobody, sleep_well);
}

BEHAVIOUR(limits_are_inherited, "setrlimit fork")
{
	struct rlimit l = {0, 0};
	pid_t pid;

	abi_limit(RLIMIT_AS, 1ul << 36);
	pid = abi_fork();
	if (!pid) {
		getrlimit(RLIMIT_AS, &l);
		abi_say("0x%lx", (unsigned long)l.rlim_cur);
		exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(a_limit_below_what_is_used, "setrlimit RLIMIT_AS")
{
	char *p = abi_map(4, RW);
	pid_t pid;

	abi_limit(RLIMIT_AS, page);
	TRY(munmap(p, page));
	TRY(mprotect(p + page, page, PROT_READ));
	abi_store("store", p + 2 * page, 1);
	abi_ptr("mmap", mmap(p, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("replace", mmap(p + page, page, RW, ANON | MAP_FIXED, -1, 0));
	pid = fork();
	if (!pid)
		_exit(0);
	abi_ret("fork", pid < 0 ? -1 : 0);
	waitpid(pid, NULL, 0);
}

BEHAVIOUR(locked_mappings_and_the_limit, "mmap EAGAIN RLIMIT_MEMLOCK")
{
	abi_limit(RLIMIT_MEMLOCK, 4 * page);
	abi_nobody();
	abi_ret("5 pages",
	        mmap(NULL, 5 * page, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("4 pages",
	        mmap(NULL, 4 * page, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("1 more", mmap(NULL, page, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_limit(RLIMIT_MEMLOCK, 0);
	abi_ret("limit 0", mmap(NULL, page, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
	TRY(mlock(abi_map(1, RW), page));
	TRY(mlockall(MCL_CURRENT));
	TRY(mlockall(MCL_FUTURE));
}

BEHAVIOUR(a_limit_that_is_no_multiple_of_pages, "mlock RLIMIT_MEMLOCK")
{
	char *p = abi_map(4, RW);

	abi_limit(RLIMIT_MEMLOCK, 2 * page + 4000);
	abi_nobody();
	TRY(mlock(p, 3 * page));
	TRY(mlock(p, 2 * page));
}

BEHAVIOUR(root_is_above_the_limit, "mlock RLIMIT_MEMLOCK")
{
	abi_limit(RLIMIT_MEMLOCK, 0);
	TRY(mlock(abi_map(4, RW), 4 * page));
	TRY(mlockall(MCL_CURRENT));
	TRY(munlockall());
}

/* ---- getrusage ---- */

static long minor_faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_minflt;
}

BEHAVIOUR(faults_are_counted, "getrusage ru_minflt")
{
	char *p = abi_map(64, RW);
	long n;

	minor_faults();
	n = minor_faults();
	abi_fill(p, 64, 1);
	abi_say("first touch: %ld", minor_faults() - n);
	n = minor_faults();
	abi_fill(p, 64, 2);
	abi_say("again: %ld", minor_faults() - n);
	abi_must("mprotect", mprotect(p, 64 * page, PROT_READ));
	abi_must("mprotect", mprotect(p, 64 * page, RW));
	n = minor_faults();
	abi_fill(p, 64, 3);
	abi_say("after mprotect and back: %ld", minor_faults() - n);
	abi_must("madvise", madvise(p, 64 * page, MADV_DONTNEED));
	n = minor_faults();
	abi_fill(p, 64, 4);
	abi_say("after DONTNEED: %ld", minor_faults() - n);
}

BEHAVIOUR(faults_on_a_read_then_a_write, "getrusage ru_minflt")
{
	char *p = abi_map(32, RW);
	long n;
	int i;

	minor_faults();
	n = minor_faults();
	for (i = 0; i < 32; i++)
		(void)*(volatile char *)(p + i * page);
	abi_say("reads: %ld", minor_faults() - n);
	n = minor_faults();
	abi_fill(p, 32, 1);
	abi_say("writes: %ld", minor_faults() - n);
}

BEHAVIOUR(the_largest_resident_set, "getrusage ru_maxrss")
{
	struct rusage u;
	char *p = abi_map(4096, RW);

	abi_fill(p, 4096, 1);
	munmap(p, 4096 * page);
	getrusage(RUSAGE_SELF, &u);
	abi_say("at least 15 MiB: %d", u.ru_maxrss > 15000);
	abi_say("less than 24 MiB: %d", u.ru_maxrss < 24000);
}

BEHAVIOUR(the_largest_child, "getrusage RUSAGE_CHILDREN")
{
	struct rusage u;
	pid_t pid = abi_fork();

	if (!pid) {
		abi_fill(abi_map(4096, RW), 4096, 1);
		exit(0);
	}
	abi_wait(pid);
	getrusage(RUSAGE_CHILDREN, &u);
	abi_say("at least 15 MiB: %d", u.ru_maxrss > 15000);
	getrusage(RUSAGE_SELF, &u);
	abi_say("we are smaller: %d", u.ru_maxrss < 15000);
}
