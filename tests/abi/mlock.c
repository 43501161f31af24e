/* SPDX-License-Identifier: MIT */
/* mlock and its family: what is locked, what is in memory, what counts, and through which calls it
 * stays so. */
#include "abi.h"

static void count(void)
{
	abi_status("VmLck");
}

BEHAVIOUR(mlock_splits_and_brings_in, "mlock")
{
	char *p = abi_map(5, RW);

	TRY(mlock(p + page, 2 * page));
	abi_maps(p, 5);
	abi_mincore(p, 5);
	abi_vmflags("locked", p + page);
	count();
	TRY(mlock(p + page, 2 * page));
	count();
	TRY(munlock(p + page, 2 * page));
	abi_maps(p, 5);
	count();
}

BEHAVIOUR(mlock_rounds_outwards, "mlock alignment")
{
	char *p = abi_map(5, RW);

	TRY(mlock(p + page + 1, page));
	count();
	TRY(mlock(p + 10, 0));
	TRY(mlock(p + 4 * page, 1));
	count();
	TRY(munlock(p + 2 * page - 1, 2));
	count();
	abi_mincore(p, 5);
}

BEHAVIOUR(mlock_refuses_ranges, "mlock EINVAL")
{
	char *p = abi_map(2, RW);

	TRY(mlock(p, -1ul));
	TRY(mlock(p, -page));
	TRY(mlock(p, -2 * page));
	TRY(munlock(p, -page));
	TRY(mlock((void *)-page, page));
	TRY(mlock((void *)-page, 2 * page));
	count();
}

BEHAVIOUR(mlock_of_holes, "mlock ENOMEM hole")
{
	char *p = abi_map(5, RW);

	munmap(p + 2 * page, page);
	TRY(mlock(p, 5 * page));
	count();
	abi_maps(p, 5);
	abi_mincore(p, 2);
	TRY(mlock(p + 2 * page, page));
	TRY(munlock(p, 5 * page));
	count();
	TRY(munlock(p + 3 * page, 3 * page));
}

BEHAVIOUR(mlock_of_what_cannot_be_touched, "mlock ENOMEM PROT_NONE")
{
	char *p = abi_map(3, RW);

	mprotect(p + page, page, PROT_NONE);
	TRY(mlock(p, 3 * page));
	count();
	abi_mincore(p, 3);
	abi_vmflags("none", p + page);
}

BEHAVIOUR(mlock_beyond_the_file, "mlock ENOMEM beyond the file")
{
	int fd = abi_file(page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	TRY(mlock(p, 3 * page));
	count();
	TRY(mlock(p, page));
	count();
}

BEHAVIOUR(mlock_of_private_files_copies, "mlock private file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);

	TRY(mlock(p, 2 * page));
	pwrite(fd, "x", 1, 0);
	abi_pages("pages", p, 2);
	p = abi_map_with(2, PROT_READ, MAP_PRIVATE, fd, 0);
	TRY(mlock(p, 2 * page));
	pwrite(fd, "y", 1, 0);
	abi_pages("read only", p, 2);
	TRY(mprotect(p, 2 * page, RW));
	pwrite(fd, "z", 1, 0);
	abi_pages("made writable", p, 2);
}

BEHAVIOUR(mlock2_on_fault, "mlock2 MLOCK_ONFAULT")
{
	char *p = abi_map(4, RW);

	TRY(mlock2(p, 4 * page, MLOCK_ONFAULT));
	abi_mincore(p, 4);
	count();
	p[page] = 1;
	abi_mincore(p, 4);
	abi_vmflags("on fault", p);
	TRY(mlock(p, page));
	abi_mincore(p, 4);
	abi_maps(p, 4);
	abi_vmflags("at once", p);
	TRY(mlock2(p, 4 * page, MLOCK_ONFAULT));
	abi_maps(p, 4);
	TRY(munlock(p, 4 * page));
	abi_vmflags("unlocked", p);
}

BEHAVIOUR(mlock2_flags, "mlock2 EINVAL")
{
	char *p = abi_map(1, RW);

	TRY(mlock2(p, page, 2));
	TRY(mlock2(p, page, -1));
	TRY(mlock2(p, page, 0));
	count();
}

BEHAVIOUR(mlock_limit, "mlock ENOMEM RLIMIT_MEMLOCK")
{
	char *p = abi_map(6, RW);

	abi_limit(RLIMIT_MEMLOCK, 3 * page);
	abi_nobody();
	TRY(mlock(p, 4 * page));
	TRY(mlock(p, 3 * page));
	TRY(mlock(p + page, 2 * page));
	TRY(mlock(p + page, 3 * page));
	TRY(munlock(p, page));
	TRY(mlock(p + page, 3 * page));
	count();
	abi_limit(RLIMIT_MEMLOCK, 0);
	TRY(mlock(p, page));
	TRY(munlock(p + page, page));
	TRY(mlockall(MCL_CURRENT));
	TRY(munlockall());
	count();
}

BEHAVIOUR(mlock_limit_in_bytes, "mlock RLIMIT_MEMLOCK")
{
	char *p = abi_map(6, RW);

	abi_limit(RLIMIT_MEMLOCK, 3 * page - 1);
	abi_nobody();
	TRY(mlock(p, 3 * page));
	TRY(mlock(p, 2 * page));
	abi_ptr("mmap 1", mmap(p + 4 * page, page, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0));
	abi_limit(RLIMIT_MEMLOCK, 1);
	TRY(mlock(p, page));
	TRY(mlock(p, 0));
}

BEHAVIOUR(mlockall_flags, "mlockall EINVAL")
{
	TRY(mlockall(0));
	TRY(mlockall(8));
	TRY(mlockall(-1));
	TRY(mlockall(MCL_ONFAULT));
	TRY(mlockall(MCL_ONFAULT | 8));
	TRY(mlockall(MCL_CURRENT | 8));
}

BEHAVIOUR(mlockall_current, "mlockall MCL_CURRENT")
{
	char *p = abi_map(3, RW), *n = abi_map(1, PROT_NONE);

	TRY(mlockall(MCL_CURRENT));
	abi_mincore(p, 3);
	abi_vmflags("p", p);
	abi_vmflags("none", n);
	p = abi_map(2, RW);
	abi_mincore(p, 2);
	abi_vmflags("later", p);
	TRY(munlockall());
	count();
}

BEHAVIOUR(mlockall_future, "mlockall MCL_FUTURE")
{
	char *before = abi_map(2, RW), *p;

	TRY(mlockall(MCL_FUTURE));
	abi_vmflags("before", before);
	p = abi_map(2, RW);
	abi_mincore(p, 2);
	abi_vmflags("later", p);
	p = abi_map(1, PROT_NONE);
	abi_vmflags("none", p);
	TRY(mprotect(p, page, RW));
	abi_mincore(p, 1);
	TRY(munlockall());
	p = abi_map(1, RW);
	abi_vmflags("after", p);
	count();
}

BEHAVIOUR(mlockall_on_fault, "mlockall MCL_ONFAULT")
{
	char *p = abi_map(2, RW), *q;

	TRY(mlockall(MCL_CURRENT | MCL_ONFAULT));
	abi_mincore(p, 2);
	abi_vmflags("current", p);
	q = abi_map(2, RW);
	abi_vmflags("later", q);
	TRY(mlockall(MCL_FUTURE | MCL_ONFAULT));
	abi_vmflags("current", p);
	q = abi_map(2, RW);
	abi_mincore(q, 2);
	abi_vmflags("future", q);
	TRY(mlockall(MCL_CURRENT | MCL_FUTURE));
	abi_vmflags("both", q);
	abi_mincore(q, 2);
	TRY(mlockall(MCL_CURRENT));
	q = abi_map(1, RW);
	abi_vmflags("no more future", q);
	TRY(munlockall());
}

BEHAVIOUR(mlockall_future_and_the_limit, "mlockall EAGAIN")
{
	char *w = abi_window(8);
	unsigned long brk = syscall(SYS_brk, 0);

	abi_limit(RLIMIT_MEMLOCK, 2 * page);
	abi_nobody();
	TRY(mlockall(MCL_CURRENT));
	TRY(mlockall(MCL_CURRENT | MCL_FUTURE));
	TRY(mlockall(MCL_FUTURE));
	abi_ptr("2 pages", mmap(w, 2 * page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("1 more", mmap(w + 4 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_say("brk grew %d", syscall(SYS_brk, brk + 4 * page) > (long)brk);
	count();
	munmap(w, page);
	abi_ptr("again", mmap(w + 4 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("replacing", mmap(w + 4 * page, page, RW, ANON | MAP_FIXED, -1, 0));
}

BEHAVIOUR(mlockall_future_and_brk, "mlockall brk")
{
	unsigned long brk;

	TRY(mlockall(MCL_FUTURE));
	brk = (syscall(SYS_brk, 0) + page - 1) & -page;
	abi_say("grew %d", syscall(SYS_brk, brk + 3 * page) == (long)(brk + 3 * page));
	abi_mincore((void *)brk, 3);
	abi_vmflags("heap", (void *)(brk + page));
	abi_say("shrank %d", syscall(SYS_brk, brk) == (long)brk);
}

BEHAVIOUR(locks_are_not_inherited, "mlock fork")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	abi_must("mlockall", mlockall(MCL_CURRENT | MCL_FUTURE));
	pid = abi_fork();
	if (!pid) {
		char *q = abi_map(2, RW);

		count();
		abi_vmflags("inherited", p);
		abi_vmflags("new", q);
		abi_mincore(q, 2);
		_exit(0);
	}
	abi_wait(pid);
	munlockall();
}

BEHAVIOUR(locks_go_with_munmap, "mlock munmap")
{
	char *p = abi_map(4, RW);

	TRY(mlock(p, 4 * page));
	TRY(munmap(p + page, page));
	count();
	mmap(p + 2 * page, page, RW, ANON | MAP_FIXED, -1, 0);
	count();
	abi_vmflags("replaced", p + 2 * page);
	mmap(p, page, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0);
	count();
	munmap(p, 4 * page);
	count();
}

BEHAVIOUR(locked_memory_and_mprotect, "mlock mprotect")
{
	char *p = abi_map(3, RW);

	TRY(mlock(p, 3 * page));
	TRY(mprotect(p + page, page, PROT_NONE));
	count();
	abi_maps(p, 3);
	TRY(mprotect(p + page, page, RW));
	abi_maps(p, 3);
	count();
}

BEHAVIOUR(locked_memory_and_dontneed, "mlock madvise")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(mlock(p, 2 * page));
	TRY(madvise(p, page, MADV_DONTNEED));
	TRY(madvise(p, page, MADV_DONTNEED_LOCKED));
	abi_mincore(p, 2);
	count();
	abi_pages("pages", p, 2);
}

BEHAVIOUR(locked_shared_memory, "mlock shared")
{
	char *p = abi_map_with(3, RW, SHM, -1, 0);
	int fd = abi_file(3 * page);
	char *f = abi_map_with(3, PROT_READ, MAP_SHARED, fd, 0);

	TRY(mlock(p, 3 * page));
	abi_mincore(p, 3);
	TRY(mlock(f, 3 * page));
	abi_mincore(f, 3);
	abi_smaps(f, "Locked");
	count();
}

BEHAVIOUR(locked_figure_of_smaps, "mlock smaps Locked")
{
	char *p = abi_map(4, RW);

	TRY(mlock2(p, 4 * page, MLOCK_ONFAULT));
	abi_smaps(p, "Locked");
	p[0] = 1;
	abi_smaps(p, "Locked");
	TRY(mlock(p, 4 * page));
	abi_smaps(p, "Locked");
}

BEHAVIOUR(map_locked, "mmap MAP_LOCKED")
{
	char *w = abi_window(8);

	abi_ptr("locked", mmap(w, 2 * page, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0));
	abi_mincore(w, 2);
	count();
	abi_ptr("locked none",
	        mmap(w + 4 * page, page, PROT_NONE, ANON | MAP_FIXED | MAP_LOCKED, -1, 0));
	count();
	abi_ptr("merges", mmap(w + 2 * page, page, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0));
	abi_maps(w, 5);
}

BEHAVIOUR(mlock_of_a_growing_stack, "mlock GROWSDOWN")
{
	char *w = abi_window(32), *p = w + 16 * page;

	mmap(p, page, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	TRY(mlock(p, page));
	count();
	abi_store("below", p - page, 1);
	count();
	abi_maps(w, 18);
}
