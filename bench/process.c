/* SPDX-License-Identifier: MIT */
/* Rows: fork, and the copy-on-write faults that follow it. */
#define _GNU_SOURCE
#include "bench.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

static long bare_fork(void)
{
	return call6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
}

static void row_fork(long mib)
{
	char *p = mib ? map_aligned((size_t)mib * MIB) : NULL;
	int i, times = mib ? 3 : 20;

	if (p)
		touch(p, (size_t)mib * MIB);
	begin();
	for (i = 0; i < times; i++) {
		long pid = bare_fork();

		if (!pid)
			call6(SYS_exit_group, 0, 0, 0, 0, 0, 0);
		check(pid > 0 && call6(SYS_wait4, pid, 0, 0, 0, 0, 0) == pid, "fork and wait");
	}
	end((unsigned long)times);
	if (!p)
		return;
	check_touched(p, (size_t)mib * MIB);
	unmap(p, (size_t)mib * MIB);
}

/* A child that lives until the pipe it reads from is closed. */
static pid_t idle_child(int release[2])
{
	pid_t pid;
	char c;

	check(!pipe(release), "pipe");
	pid = fork();
	check(pid >= 0, "fork");
	if (pid)
		return pid;
	close(release[1]);
	if (read(release[0], &c, 1))
		_exit(1);
	_exit(0);
}

static void end_child(pid_t pid, const int release[2])
{
	int status;

	close(release[0]);
	close(release[1]);
	check(waitpid(pid, &status, 0) == pid && !status, "child");
}

/* sole: the child has gone before the first write. */
static void row_cow(long sole)
{
	char *p = map_aligned(2 * MIB);
	int release[2];
	pid_t pid;
	size_t i;

	touch(p, 2 * MIB);
	pid = idle_child(release);
	if (sole)
		end_child(pid, release);
	store(p, 1);
	begin();
	for (i = 1; i < 512; i++)
		store(p + i * page + 8, i);
	end(511);
	for (i = 1; i < 512; i++)
		check(load(p + i * page) == i + 1 && load(p + i * page + 8) == i, "copy");
	if (!sole)
		end_child(pid, release);
	unmap(p, 2 * MIB);
}

const struct row process_rows[] = {
    {"fork + exit + wait, little touched", row_fork, 0},
    {"fork + exit + wait, 16 MiB touched", row_fork, 16},
    {"fork + exit + wait, 64 MiB touched", row_fork, 64},
    {"copy-on-write fault after fork: copy", row_cow, 0},
    {"copy-on-write fault after fork: sole owner", row_cow, 1},
    {0},
};
