/* SPDX-License-Identifier: MIT */
/* fork, vfork, execve and exit, as the address space sees them; personality. */
#include "abi.h"

#include <sys/auxv.h>

#ifndef MAP_ABOVE4G
#define MAP_ABOVE4G 0
#endif

/* ---- fork ---- */

BEHAVIOUR(fork_copies_the_map, "fork copies mappings")
{
	char *p = abi_map(8, RW);
	int fd = abi_file(2 * page);
	pid_t pid;

	mprotect(p + page, page, PROT_READ);
	munmap(p + 2 * page, page);
	abi_ptr("file", mmap(p + 3 * page, page, RW, MAP_SHARED | MAP_FIXED, fd, page));
	abi_ptr("shared", mmap(p + 4 * page, page, RW, SHM | MAP_FIXED, -1, 0));
	abi_ptr("growing", mmap(p + 6 * page, page, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
	pid = abi_fork();
	if (!pid) {
		abi_maps(p, 8);
		_exit(0);
	}
	abi_wait(pid);
	abi_maps(p, 8);
}

BEHAVIOUR(parent_written_after_fork, "fork copy-on-write")
{
	char *p = abi_map(3, RW);
	pid_t pid;
	int ends[2];
	char byte;

	abi_fill(p, 2, 1);
	abi_must("pipe", pipe(ends));
	pid = abi_fork();
	if (!pid) {
		abi_must("read", read(ends[0], &byte, 1));
		abi_pages("child", p, 3);
		_exit(0);
	}
	abi_fill(p, 3, 0x11);
	abi_must("write", write(ends[1], "", 1));
	abi_wait(pid);
}

BEHAVIOUR(one_of_many_children_writes, "fork copy-on-write")
{
	char *p = abi_map(1, RW);
	int i;
	pid_t pid;

	abi_store("parent", p, 1);
	for (i = 0; i < 4; i++) {
		pid = abi_fork();
		if (!pid) {
			if (i == 2)
				abi_store("third child", p, 0x33);
			abi_load("child", p);
			_exit(i);
		}
		abi_wait(pid);
	}
	abi_load("parent", p);
}

BEHAVIOUR(system_calls_store_copies_on_write, "fork copy-on-write by a system call")
{
	int fd = abi_file(page);
	char *p = abi_map(1, RW);
	pid_t pid;

	abi_store("parent", p, 0x77);
	pid = abi_fork();
	if (!pid) {
		abi_ret("pread", pread(fd, p, 4, 0));
		abi_load("child", p);
		_exit(0);
	}
	abi_wait(pid);
	abi_load("parent", p);
}

BEHAVIOUR(zero_page_through_fork, "fork of what was only read")
{
	char *p = abi_map(1, RW);
	pid_t pid;

	abi_load("parent", p);
	pid = abi_fork();
	if (!pid) {
		abi_store("child", p, 1);
		_exit(0);
	}
	abi_wait(pid);
	abi_load("parent", p);
}

BEHAVIOUR(private_file_copies_through_fork, "fork of private file copies")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);
	pid_t pid;

	abi_store("parent", p, 0x21);
	pid = abi_fork();
	if (!pid) {
		abi_store("child", p + 1, 0x22);
		abi_bytes("child", p, 3);
		_exit(0);
	}
	abi_wait(pid);
	abi_bytes("parent", p, 3);
	abi_file_bytes("file", fd, 0, 3);
}

BEHAVIOUR(locks_are_not_inherited, "fork drops memory locks")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	TRY(mlock(p, 2 * page));
	abi_status("VmLck");
	pid = abi_fork();
	if (!pid) {
		abi_status("VmLck");
		abi_vmflags("child", p);
		_exit(0);
	}
	abi_wait(pid);
	abi_vmflags("parent", p);
}

BEHAVIOUR(locked_future_is_not_inherited, "fork drops MCL_FUTURE")
{
	pid_t pid;
	char *p;

	TRY(mlockall(MCL_FUTURE));
	pid = abi_fork();
	if (!pid) {
		p = abi_map(1, RW);
		abi_vmflags("child", p);
		_exit(0);
	}
	abi_wait(pid);
	p = abi_map(1, RW);
	abi_vmflags("parent", p);
}

static int thread_like(void *arg)
{
	char *p = arg;

	abi_store("clone", p, 0x42);
	munmap(p + page, page);
	return 0;
}

BEHAVIOUR(clone_vm_shares_the_map, "clone CLONE_VM")
{
	char *p = abi_map(2, RW), *stack = abi_map(8, RW);
	pid_t pid = clone(thread_like, stack + 8 * page, CLONE_VM | SIGCHLD, p);

	abi_must("clone", pid);
	abi_wait(pid);
	abi_maps(p, 2);
	abi_load("caller", p);
}

BEHAVIOUR(vfork_shares_the_map, "vfork")
{
	char *p = abi_map(1, RW);
	pid_t pid = vfork();

	if (!pid) {
		p[0] = 0x55;
		_exit(3);
	}
	abi_load("parent", p);
	abi_wait(pid);
}

BEHAVIOUR(fork_beyond_the_overcommit_limit, "fork ENOMEM overcommit")
{
	char *p = abi_map_with(64 << 8, RW, ANON, -1, 0);
	pid_t pid;

	abi_knob("/proc/sys/vm/overcommit_ratio", "0");
	abi_knob("/proc/sys/vm/overcommit_memory", "2");
	pid = fork();
	if (!pid)
		_exit(0);
	abi_ret("fork", pid > 0 ? 0 : pid);
	abi_maps(p, 1);
}

BEHAVIOUR(fork_beyond_the_data_limit, "fork RLIMIT_DATA")
{
	pid_t pid;

	abi_limit(RLIMIT_DATA, 0);
	pid = fork();
	if (!pid)
		_exit(5);
	abi_must("fork", pid);
	abi_wait(pid);
}

BEHAVIOUR(fork_beyond_the_address_space_limit, "fork RLIMIT_AS")
{
	pid_t pid;

	abi_limit(RLIMIT_AS, 0);
	pid = fork();
	if (!pid)
		_exit(5);
	abi_must("fork", pid);
	abi_wait(pid);
}

BEHAVIOUR(exit_frees_what_a_child_had, "exit")
{
	pid_t pid = abi_fork();
	char *p;

	if (!pid) {
		p = abi_map(64, RW);
		abi_fill(p, 64, 1);
		_exit(0);
	}
	abi_wait(pid);
	p = abi_map(1, RW);
	abi_load("parent", p);
}

/* ---- execve ---- */

BEHAVIOUR(exec_begins_with_a_fresh_map, "execve fresh address space")
{
	char *p = abi_map(2, RW);

	if (!abi_again())
		abi_exec_again();
	abi_maps(p, 2);
	abi_store("new", p, 1);
}

BEHAVIOUR(exec_forgets_mappings, "execve fresh address space")
{
	char *p = abi_window(2);

	if (!abi_again()) {
		mmap(p, 2 * page, RW, SHM | MAP_FIXED, -1, 0);
		abi_fill(p, 2, 1);
		abi_exec_again();
	}
	abi_maps(p, 2);
	abi_load("old", p);
}

BEHAVIOUR(exec_drops_memory_locks, "execve drops memory locks")
{
	if (!abi_again()) {
		TRY(mlockall(MCL_CURRENT | MCL_FUTURE));
		abi_exec_again();
	}
	abi_status("VmLck");
	abi_vmflags("new", abi_map(1, RW));
}

BEHAVIOUR(exec_keeps_limits, "execve keeps limits")
{
	struct rlimit r;

	if (!abi_again()) {
		abi_limit(RLIMIT_DATA, 100 << 20);
		abi_exec_again();
	}
	getrlimit(RLIMIT_DATA, &r);
	abi_say("RLIMIT_DATA = %lu MiB", (unsigned long)r.rlim_cur >> 20);
}

BEHAVIOUR(program_s_own_mappings, "execve maps the program")
{
	char text[65536], *line;
	unsigned long start, end, off;
	char perms[8];
	int name = 0;

	abi_read_text("/proc/self/maps", text, sizeof(text));
	for (line = strtok(text, "\n"); line && name < 3; line = strtok(NULL, "\n"), name++) {
		if (sscanf(line, "%lx-%lx %7s %lx", &start, &end, perms, &off) != 4)
			break;
		abi_say("%s, offset 0: %d, program's: %d", perms, off == 0,
		        strstr(line, "fork_exec") != NULL);
	}
}

BEHAVIOUR(program_s_text_is_read_only, "execve maps the program")
{
	unsigned long at = (unsigned long)&abi_fork & -page;

	abi_origin("text", (void *)at, page);
	abi_store("text", (char *)at, 1);
	TRY(mprotect((void *)at, page, RWX));
	abi_vmflags("text, made writable", (void *)at);
}

BEHAVIOUR(auxiliary_vector, "execve auxiliary vector")
{
	abi_say("AT_PAGESZ = %lu", getauxval(AT_PAGESZ));
	abi_say("AT_SECURE = %lu", getauxval(AT_SECURE));
	abi_say("AT_CLKTCK = %lu", getauxval(AT_CLKTCK));
	abi_say("AT_RANDOM is set: %d", getauxval(AT_RANDOM) != 0);
	abi_say("AT_EXECFN ends in %s", strrchr((char *)getauxval(AT_EXECFN), '/'));
	abi_say("AT_FLAGS = %lu", getauxval(AT_FLAGS));
}

BEHAVIOUR(vdso_is_announced, "execve AT_SYSINFO_EHDR")
{
	abi_say("AT_SYSINFO_EHDR is set: %d", getauxval(AT_SYSINFO_EHDR) != 0);
}

BEHAVIOUR(write_to_a_running_program, "execve ETXTBSY")
{
	char path[256];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';
	abi_ret("open to write", open(path, O_WRONLY) < 0 ? -1 : 0);
	abi_ret("open to read and write", open(path, O_RDWR) < 0 ? -1 : 0);
	abi_ret("truncate", truncate(path, 0));
	abi_ret("open to read", open(path, O_RDONLY) < 0 ? -1 : 0);
}

static int copy_program(const char *to)
{
	int from = abi_must("open", open("/proc/self/exe", O_RDONLY)), fd;
	char buf[65536];
	ssize_t n;

	fd = abi_must("open", open(to, O_RDWR | O_CREAT, 0755));
	while ((n = read(from, buf, sizeof(buf))) > 0)
		abi_must("write", write(fd, buf, n));
	close(from);
	return fd;
}

BEHAVIOUR(exec_of_what_is_open_for_writing, "execve ETXTBSY")
{
	int fd = copy_program("copy");
	char *argv[] = {"copy", "-l", NULL};

	abi_ret("execv", execv("copy", argv));
	close(fd);
	abi_must("open", fd = open("copy", O_RDONLY));
	if (!abi_fork()) {
		dup2(open("/dev/null", O_WRONLY), 1);
		execv("copy", argv);
		_exit(9);
	}
	wait(&fd);
	abi_say("status %d", WEXITSTATUS(fd));
}

BEHAVIOUR(exec_of_a_file_with_a_shared_writable_mapping, "execve ETXTBSY")
{
	int fd = copy_program("copy");
	char *argv[] = {"copy", "-l", NULL};
	void *p = mmap(NULL, page, RW, MAP_SHARED, fd, 0);

	abi_must("mmap", p == MAP_FAILED ? -1 : 0);
	close(fd);
	abi_ret("execv", execv("copy", argv));
	munmap(p, page);
	if (!abi_fork()) {
		dup2(open("/dev/null", O_WRONLY), 1);
		execv("copy", argv);
		_exit(9);
	}
	wait(&fd);
	abi_say("status %d", WEXITSTATUS(fd));
}

BEHAVIOUR(exec_refusals, "execve refusals")
{
	char *argv[] = {"x", NULL};

	abi_ret("nothing there", execv("nothing", argv));
	close(abi_file_named("text", 100));
	abi_ret("not executable", execv("text", argv));
	chmod("text", 0755);
	abi_ret("no program", execv("text", argv));
	abi_ret("directory", execv(".", argv));
	close(abi_file_named("empty", 0));
	chmod("empty", 0755);
	abi_ret("empty", execv("empty", argv));
	abi_ret("path of nowhere", syscall(SYS_execve, (char *)1, argv, NULL));
	abi_ret("arguments of nowhere", syscall(SYS_execve, "/proc/self/exe", (char *)1, NULL));
}

BEHAVIOUR(exec_of_many_arguments, "execve E2BIG")
{
	static char *argv[4097], word[4096];
	char *envp[] = {NULL};
	int i;

	memset(word, 'x', sizeof(word) - 1);
	for (i = 0; i < 4096; i++)
		argv[i] = word;
	abi_limit(RLIMIT_STACK, 8 << 20);
	abi_ret("16 MiB of arguments", syscall(SYS_execve, "/proc/self/exe", argv, envp));
}

BEHAVIOUR(exec_of_one_long_argument, "execve E2BIG")
{
	char *word = (char *)abi_map(40, RW), *argv[] = {"x", word, NULL}, *envp[] = {NULL};

	memset(word, 'x', 32 * page);
	abi_ret("128 KiB and a NUL", syscall(SYS_execve, "/proc/self/exe", argv, envp));
}

/* ---- personality ---- */

BEHAVIOUR(personality_tells_and_sets, "personality")
{
	TRY(personality(0xffffffff));
	TRY(personality(READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE));
	TRY(personality(0xffffffff));
	TRY(personality(0));
	TRY(personality(0xffffffff));
}

BEHAVIOUR(read_implies_exec, "personality READ_IMPLIES_EXEC")
{
	char *p = abi_window(8);
	int fd = abi_file(page);

	TRY(personality(READ_IMPLIES_EXEC));
	abi_ptr("r", mmap(p, page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	abi_ptr("rw", mmap(p + page, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("w", mmap(p + 2 * page, page, PROT_WRITE, ANON | MAP_FIXED, -1, 0));
	abi_ptr("none", mmap(p + 3 * page, page, PROT_NONE, ANON | MAP_FIXED, -1, 0));
	abi_ptr("file", mmap(p + 4 * page, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0));
	abi_ptr("shared", mmap(p + 5 * page, page, PROT_READ, SHM | MAP_FIXED, -1, 0));
	abi_maps(p, 6);
	TRY(mprotect(p + 3 * page, page, PROT_READ));
	TRY(mprotect(p + page, page, PROT_NONE));
	TRY(mprotect(p + page, page, RW));
	abi_maps(p, 6);
}

BEHAVIOUR(read_implies_exec_of_the_heap, "personality READ_IMPLIES_EXEC")
{
	char *p;

	TRY(personality(READ_IMPLIES_EXEC));
	p = (char *)((syscall(SYS_brk, 0) + page - 1) & -page);
	syscall(SYS_brk, p);
	syscall(SYS_brk, p + 2 * page);
	abi_maps(p, 2);
}

#ifdef __aarch64__
BEHAVIOUR(no_randomization_is_repeatable, "personality ADDR_NO_RANDOMIZE")
{
	unsigned long at = (unsigned long)&at, top = 1UL << 48, p;

	if (!abi_again()) {
		TRY(personality(ADDR_NO_RANDOMIZE));
		abi_exec_again();
	}
	TRY(personality(0xffffffff));
	p = (unsigned long)mmap(NULL, page, RW, ANON, -1, 0);
	abi_say("stack ends at the top of user space: %d", top - at < 1UL << 20);
	abi_say("mappings begin 128 MiB below: %d", top - p > 128UL << 20 && top - p < 130UL << 20);
	abi_say("heap follows the program: %d", (unsigned long)syscall(SYS_brk, 0) < (64UL << 20));
}
#endif

BEHAVIOUR(page_zero_is_mapped, "personality MMAP_PAGE_ZERO")
{
	if (!abi_again()) {
		TRY(personality(MMAP_PAGE_ZERO));
		abi_exec_again();
	}
	abi_load("page 0", (char *)8);
	abi_store("page 0", (char *)8, 1);
	abi_maps(NULL, 1);
}

BEHAVIOUR(personality_through_fork_and_exec, "personality is inherited")
{
	pid_t pid;

	if (!abi_again()) {
		TRY(personality(ADDR_NO_RANDOMIZE));
		pid = abi_fork();
		if (!pid)
			abi_exec_again();
		abi_wait(pid);
		return;
	}
	TRY(personality(0xffffffff));
}
