/* SPDX-License-Identifier: MIT */
/* Programs and who writes to them; mappings and locks. */
#include "abi.h"

/* A copy of this program, open for writing. */
static int copy_program(const char *name)
{
	int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_RDWR | O_CREAT, 0755);
	static char buf[65536];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, n) != n)
			abi_fail("write");
	close(from);
	return to;
}

static void run(const char *what, const char *name)
{
	pid_t pid = abi_fork();
	int status;

	if (!pid) {
		close(1);
		execl(name, name, "-l", (char *)NULL);
		_exit(100 + errno);
	}
	waitpid(pid, &status, 0);
	abi_say("%s: exit %d", what, WEXITSTATUS(status));
}

BEHAVIOUR(execve_of_a_file_open_for_writing, "execve ETXTBSY")
{
	int fd = copy_program("prog");

	run("open for writing", "./prog");
	close(fd);
	run("closed", "./prog");
	fd = open("prog", O_RDONLY);
	run("open for reading", "./prog");
}

BEHAVIOUR(execve_of_a_file_mapped_writable, "execve ETXTBSY mapped")
{
	int fd = copy_program("prog");
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	close(fd);
	run("mapped writable", "./prog");
	munmap(p, page);
	run("unmapped", "./prog");
}

BEHAVIOUR(writing_to_a_program_that_runs, "open ETXTBSY")
{
	TRY(open("/proc/self/exe", O_RDWR));
	TRY(open("/proc/self/exe", O_WRONLY | O_TRUNC));
	TRY(truncate("/proc/self/exe", 0));
}

BEHAVIOUR(denywrite_of_mmap_is_ignored, "mmap MAP_DENYWRITE")
{
	int fd = abi_file(page);

	abi_ptr("denywrite", mmap(abi_window(1), page, PROT_READ,
	                          MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, fd, 0));
	TRY(write(fd, "x", 1));
	abi_ptr("executable", mmap(abi_window(1), page, PROT_READ,
	                           MAP_PRIVATE | MAP_FIXED | MAP_EXECUTABLE, fd, 0));
	abi_say("opened to write %d", open("file", O_RDWR) >= 0);
}

BEHAVIOUR(advisory_locks_do_not_hinder_mappings, "mmap fcntl lock")
{
	int fd = abi_file(page), status;
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	pid_t pid;

	TRY(fcntl(fd, F_SETLK, &l));
	pid = abi_fork();
	if (!pid) {
		abi_ptr("shared", mmap(abi_window(1), page, RW, MAP_SHARED | MAP_FIXED, fd, 0));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	fchmod(fd, 02644);
	pid = abi_fork();
	if (!pid) {
		abi_ptr("mode 02644", mmap(abi_window(1), page, RW, MAP_SHARED | MAP_FIXED, fd, 0));
		_exit(0);
	}
	waitpid(pid, &status, 0);
}
