/* SPDX-License-Identifier: MIT */
/* process_madvise: advice for another process's memory, by its pidfd. */
#include "abi.h"

static int pidfd_of(pid_t pid)
{
	return (int)abi_must("pidfd_open", syscall(SYS_pidfd_open, pid, 0));
}

static long advise(int fd, void *p, size_t len, int advice)
{
	struct iovec v = {p, len};

	return syscall(SYS_process_madvise, fd, &v, 1ul, advice, 0u);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

BEHAVIOUR(process_madvise_of_a_child, "process_madvise")
{
	char *p = abi_map(4, RW);
	pid_t pid;
	int fd;

	abi_fill(p, 4, 1);
	pid = abi_sleeper();
	fd = pidfd_of(pid);
	abi_say("COLD %ld pages", advise(fd, p, 4 * page, MADV_COLD) / (long)page);
	abi_say("PAGEOUT %ld pages", advise(fd, p, 4 * page, MADV_PAGEOUT) / (long)page);
	abi_say("WILLNEED %ld pages", advise(fd, p, 4 * page, MADV_WILLNEED) / (long)page);
	end(pid);
	abi_pages("pages", p, 4);
}

BEHAVIOUR(process_madvise_takes_what_a_child_has_freed, "process_madvise MADV_PAGEOUT")
{
	char *p = abi_map_with(3, RW, SHM, -1, 0);
	int fd;
	pid_t pid = abi_fork();

	if (!pid) {
		char *q = abi_map(4, RW);

		memset(q, 7, 4 * page);
		madvise(q, 4 * page, MADV_FREE);
		q[page] = 8;
		*(char **)p = q;
		p[page] = 1;
		while (!p[2 * page])
			sched_yield();
		abi_mincore(q, 4);
		abi_pages("child", q, 4);
		_exit(0);
	}
	fd = pidfd_of(pid);
	while (!*(volatile char *)(p + page))
		sched_yield();
	abi_say("PAGEOUT %ld pages", advise(fd, *(char **)p, 3 * page, MADV_PAGEOUT) / (long)page);
	p[2 * page] = 1;
	abi_wait(pid);
}

BEHAVIOUR(process_madvise_of_advice_that_is_not_for_others, "process_madvise EINVAL")
{
	static const int advice[] = {MADV_NORMAL,
	                             MADV_RANDOM,
	                             MADV_DONTNEED,
	                             MADV_FREE,
	                             MADV_REMOVE,
	                             MADV_DONTFORK,
	                             MADV_WIPEONFORK,
	                             MADV_POPULATE_READ,
	                             MADV_DONTDUMP,
	                             MADV_DONTNEED_LOCKED,
	                             -1,
	                             99};
	char *p = abi_map(2, RW);
	pid_t pid;
	int fd;

	abi_fill(p, 2, 1);
	pid = abi_sleeper();
	fd = pidfd_of(pid);
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		abi_say("advice %d", advice[i]);
		TRY(advise(fd, p, page, advice[i]));
	}
	end(pid);
}

BEHAVIOUR(process_madvise_of_oneself, "process_madvise oneself")
{
	char *p = abi_map(4, RW);
	int fd = pidfd_of(getpid());

	abi_fill(p, 4, 1);
	abi_say("COLD %ld pages", advise(fd, p, 4 * page, MADV_COLD) / (long)page);
	abi_pages("pages", p, 4);
	TRY(madvise(p, 2 * page, MADV_FREE));
	abi_say("PAGEOUT %ld pages", advise(fd, p, 4 * page, MADV_PAGEOUT) / (long)page);
	abi_pages("pages", p, 4);
}

BEHAVIOUR(process_madvise_flags, "process_madvise EINVAL")
{
	char *p = abi_map(2, RW);
	struct iovec v = {p, page};
	int fd = pidfd_of(getpid());

	TRY(syscall(SYS_process_madvise, fd, &v, 1ul, MADV_COLD, 1u));
	TRY(syscall(SYS_process_madvise, fd, &v, 1ul, MADV_COLD, ~0u));
	TRY(syscall(SYS_process_madvise, -1, &v, 1ul, MADV_COLD, 1u));
	TRY(syscall(SYS_process_madvise, fd, NULL, 1ul, MADV_COLD, 1u));
}

BEHAVIOUR(process_madvise_descriptors, "process_madvise EBADF")
{
	char *p = abi_map(2, RW);
	struct iovec v = {p, page};

	TRY(syscall(SYS_process_madvise, -1, &v, 1ul, MADV_COLD, 0u));
	TRY(syscall(SYS_process_madvise, 1000, &v, 1ul, MADV_COLD, 0u));
	TRY(syscall(SYS_process_madvise, abi_file(page), &v, 1ul, MADV_COLD, 0u));
	TRY(syscall(SYS_process_madvise, -1, &v, 1ul, MADV_NORMAL, 0u));
	TRY(syscall(SYS_process_madvise, -1, (void *)8, 1ul, MADV_COLD, 0u));
}

BEHAVIOUR(process_madvise_vectors, "process_madvise vectors")
{
	char *p = abi_map(4, RW);
	struct iovec v[4] = {{p, page}, {p + 2 * page, page}, {p + page, 0}, {p, 2 * page}};
	int fd = pidfd_of(getpid());

	abi_fill(p, 4, 1);
	abi_say("%ld pages", syscall(SYS_process_madvise, fd, v, 4ul, MADV_COLD, 0u) / (long)page);
	TRY(syscall(SYS_process_madvise, fd, v, 0ul, MADV_COLD, 0u));
	TRY(syscall(SYS_process_madvise, fd, NULL, 0ul, MADV_COLD, 0u));
	TRY(syscall(SYS_process_madvise, fd, v, 1025ul, MADV_COLD, 0u));
	TRY(syscall(SYS_process_madvise, fd, (void *)8, 1ul, MADV_COLD, 0u));
	v[0].iov_len = -1ul;
	TRY(syscall(SYS_process_madvise, fd, v, 1ul, MADV_COLD, 0u));
}

BEHAVIOUR(process_madvise_part_of_the_vector_fails, "process_madvise vectors")
{
	char *p = abi_map(5, RW);
	struct iovec v[3] = {{p, page}, {p + 2 * page, page}, {p + 4 * page, page}};
	int fd = pidfd_of(getpid());

	munmap(p + 2 * page, page);
	abi_say("%ld pages", syscall(SYS_process_madvise, fd, v, 3ul, MADV_COLD, 0u) / (long)page);
	TRY(syscall(SYS_process_madvise, fd, v + 1, 2ul, MADV_COLD, 0u));
	v[1].iov_base = p + 1;
	abi_say("%ld pages", syscall(SYS_process_madvise, fd, v, 3ul, MADV_COLD, 0u) / (long)page);
	TRY(syscall(SYS_process_madvise, fd, v + 1, 2ul, MADV_COLD, 0u));
	v[1] = (struct iovec){p + page, 5};
	abi_say("%ld bytes",
	        syscall(SYS_process_madvise, fd, v + 1, 1ul, MADV_COLD, 0u) % (long)page);
	v[1] = (struct iovec){p, 5 * page};
	TRY(syscall(SYS_process_madvise, fd, v + 1, 1ul, MADV_COLD, 0u));
}

BEHAVIOUR(process_madvise_of_kernel_addresses, "process_madvise vectors")
{
	struct iovec v = {(void *)-4096ul, 4096};
	int fd = pidfd_of(getpid());

	TRY(syscall(SYS_process_madvise, fd, &v, 1ul, MADV_COLD, 0u));
}

BEHAVIOUR(process_madvise_of_a_process_that_ended, "process_madvise ESRCH")
{
	char *p = abi_map(2, RW);
	pid_t pid = abi_fork();
	siginfo_t si;
	int fd;

	if (!pid)
		_exit(0);
	fd = pidfd_of(pid);
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	TRY(advise(fd, p, page, MADV_COLD));
	waitpid(pid, NULL, 0);
	TRY(advise(fd, p, page, MADV_COLD));
}

BEHAVIOUR(process_madvise_without_privilege, "process_madvise EPERM")
{
	char *p = abi_map(2, RW);
	pid_t pid = abi_sleeper();
	int fd = pidfd_of(pid), me;

	abi_nobody();
	TRY(advise(fd, p, page, MADV_COLD));
	me = pidfd_of(getpid());
	TRY(advise(me, p, page, MADV_COLD));
	TRY(advise(me, p, page, MADV_DONTNEED));
}

BEHAVIOUR(process_madvise_of_locked_memory, "process_madvise EINVAL")
{
	char *p = abi_map(4, RW);
	struct iovec v[2] = {{p, page}, {p + 2 * page, page}};
	int fd = pidfd_of(getpid());

	TRY(mlock(p + 2 * page, page));
	abi_say("%ld pages", syscall(SYS_process_madvise, fd, v, 2ul, MADV_COLD, 0u) / (long)page);
	TRY(syscall(SYS_process_madvise, fd, v + 1, 1ul, MADV_PAGEOUT, 0u));
}

/* ---- process_mrelease ---- */

BEHAVIOUR(mrelease_of_a_living_process, "process_mrelease EINVAL")
{
	pid_t pid = abi_sleeper();
	int fd = pidfd_of(pid);

	TRY(syscall(SYS_process_mrelease, fd, 0));
	TRY(syscall(SYS_process_mrelease, fd, 1));
	TRY(syscall(SYS_process_mrelease, -1, 0));
	TRY(syscall(SYS_process_mrelease, -1, 1));
	TRY(syscall(SYS_process_mrelease, abi_file(page), 0));
	TRY(syscall(SYS_process_mrelease, pidfd_of(getpid()), 0));
	end(pid);
}

BEHAVIOUR(mrelease_of_a_process_that_ended, "process_mrelease ESRCH")
{
	pid_t pid = abi_fork();
	siginfo_t si;
	int fd;

	if (!pid)
		_exit(0);
	fd = pidfd_of(pid);
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	TRY(syscall(SYS_process_mrelease, fd, 0));
	waitpid(pid, NULL, 0);
	TRY(syscall(SYS_process_mrelease, fd, 0));
}

BEHAVIOUR(mrelease_of_a_process_that_has_been_killed, "process_mrelease")
{
	char *p = abi_map(64, RW);
	pid_t pid;
	long r;
	int fd;

	abi_fill(p, 64, 1);
	pid = abi_sleeper();
	fd = pidfd_of(pid);
	kill(pid, SIGKILL);
	r = syscall(SYS_process_mrelease, fd, 0);
	/* It may have been quicker. */
	abi_say("released, or gone: %d", r == 0 || errno == ESRCH);
	abi_wait(pid);
	abi_say("ours is there: %d", p[63 * page] == 64);
}
