/* SPDX-License-Identifier: MIT */
/* prctl: PR_SET_MM and what it shows in procfs; PR_SET_DUMPABLE and who may look. */
#include "abi.h"

/* Field N of /proc/self/stat, counted from 1 as man 5 proc_pid_stat does. */
static unsigned long stat_field(int n)
{
	char text[2048], *p;
	int i;

	if (!abi_read_text("/proc/self/stat", text, sizeof(text)))
		abi_fail("cannot read stat");
	p = strrchr(text, ')') + 2;
	for (i = 3; i < n; i++)
		p = strchr(p, ' ') + 1;
	return strtoul(p, NULL, 10);
}

static const char *const names[] = {
    "",          "START_CODE", "END_CODE",  "START_DATA", "END_DATA",  "START_STACK",
    "START_BRK", "BRK",        "ARG_START", "ARG_END",    "ENV_START", "ENV_END",
};

BEHAVIOUR(set_mm_needs_a_privilege, "prctl PR_SET_MM EPERM")
{
	unsigned long brk = (unsigned long)sbrk(0);

	abi_nobody();
	TRY(prctl(PR_SET_MM, PR_SET_MM_BRK, brk, 0, 0));
	TRY(prctl(PR_SET_MM, 99, brk, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_BRK, brk, 1, 0));
}

BEHAVIOUR(set_mm_arguments, "prctl PR_SET_MM EINVAL")
{
	unsigned long brk = (unsigned long)sbrk(0);

	TRY(prctl(PR_SET_MM, 0, brk, 0, 0));
	TRY(prctl(PR_SET_MM, 99, brk, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_BRK, brk, 1, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_BRK, brk, 0, 1));
	TRY(prctl(PR_SET_MM, PR_SET_MM_BRK, 0, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_BRK, ~0ul, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_BRK, 1ul << 48, 0, 0));
}

BEHAVIOUR(set_mm_moves_each_boundary, "prctl PR_SET_MM")
{
	/* In which field of stat it shows. */
	static const int field[] = {0, 26, 27, 45, 46, 28, 47, 0, 48, 49, 50, 51};
	int which;

	for (which = PR_SET_MM_START_CODE; which <= PR_SET_MM_ENV_END; which++) {
		unsigned long at = field[which] ? stat_field(field[which]) : (unsigned long)sbrk(0);

		if (which == PR_SET_MM_START_BRK || which == PR_SET_MM_BRK)
			abi_must("sbrk", (long)sbrk(0));
		abi_ret(names[which], prctl(PR_SET_MM, which, at + 1, 0, 0));
		if (field[which])
			abi_say("  moved by %ld", (long)(stat_field(field[which]) - at));
	}
}

BEHAVIOUR(set_mm_keeps_the_order, "prctl PR_SET_MM EINVAL")
{
	unsigned long end_code = stat_field(27), end_data = stat_field(46);
	unsigned long arg_end = stat_field(49), env_end = stat_field(51);

	TRY(prctl(PR_SET_MM, PR_SET_MM_START_CODE, end_code, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_START_CODE, end_code - 1, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_START_DATA, end_data, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_START_DATA, end_data + 1, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ARG_START, arg_end, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ARG_START, arg_end + 1, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ENV_START, env_end + 1, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_BRK, 1ul << 20, 0, 0));
}

BEHAVIOUR(set_mm_arguments_must_be_mapped, "prctl PR_SET_MM EFAULT")
{
	char *p = abi_window(4);

	/* Only that something is mapped there or above is looked at. */
	TRY(prctl(PR_SET_MM, PR_SET_MM_ARG_END, (1ul << 48) - page, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ENV_END, (1ul << 48) - page, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_START_STACK, (1ul << 48) - page, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_START_STACK, p, 0, 0));
}

BEHAVIOUR(set_mm_changes_the_command_line, "prctl PR_SET_MM cmdline")
{
	char *words = memcpy(abi_map(1, RW), "one\0two\0three", 14);
	char text[64];
	int fd, n;

	TRY(prctl(PR_SET_MM, PR_SET_MM_ARG_START, 65536, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ARG_END, words + 7, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ARG_START, words, 0, 0));
	fd = open("/proc/self/cmdline", O_RDONLY);
	n = read(fd, text, sizeof(text));
	abi_bytes("cmdline", text, n > 0 ? n : 0);
}

BEHAVIOUR(set_mm_changes_the_environment, "prctl PR_SET_MM environ")
{
	char *words = memcpy(abi_map(1, RW), "A=1\0B=2", 8);
	char text[64];
	int fd, n;

	TRY(prctl(PR_SET_MM, PR_SET_MM_ENV_START, 65536, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ENV_END, words + 4, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ENV_START, words, 0, 0));
	fd = open("/proc/self/environ", O_RDONLY);
	n = read(fd, text, sizeof(text));
	abi_bytes("environ", text, n > 0 ? n : 0);
}

BEHAVIOUR(the_command_line_comes_from_anonymous_memory_only, "procfs cmdline")
{
	static char words[] = "one\0two\0three";
	char text[64];
	int fd, n;

	TRY(prctl(PR_SET_MM, PR_SET_MM_ARG_START, 65536, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ARG_END, words + 7, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ARG_START, words, 0, 0));
	fd = open("/proc/self/cmdline", O_RDONLY);
	n = read(fd, text, sizeof(text));
	abi_bytes("cmdline", text, n > 0 ? n : 0);
	TRY(prctl(PR_SET_MM, PR_SET_MM_ENV_START, 65536, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ENV_END, words + 7, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_ENV_START, words, 0, 0));
	fd = open("/proc/self/environ", O_RDONLY);
	TRY(read(fd, text, sizeof(text)));
}

/* Where the arguments are, and the environment right behind. */
static char *own_arguments(size_t args, size_t env)
{
	char *p = abi_map(2, RW);

	abi_must("ARG_START", prctl(PR_SET_MM, PR_SET_MM_ARG_START, 65536, 0, 0));
	abi_must("ARG_END", prctl(PR_SET_MM, PR_SET_MM_ARG_END, p + args, 0, 0));
	abi_must("ARG_START", prctl(PR_SET_MM, PR_SET_MM_ARG_START, p, 0, 0));
	abi_must("ENV_START", prctl(PR_SET_MM, PR_SET_MM_ENV_START, 65536, 0, 0));
	abi_must("ENV_END", prctl(PR_SET_MM, PR_SET_MM_ENV_END, p + args + env, 0, 0));
	abi_must("ENV_START", prctl(PR_SET_MM, PR_SET_MM_ENV_START, p + args, 0, 0));
	return p;
}

static void show_cmdline(const char *what)
{
	char text[64];
	int fd = open("/proc/self/cmdline", O_RDONLY), n = read(fd, text, sizeof(text));

	abi_bytes(what, text, n > 0 ? n : 0);
	n = pread(fd, text, sizeof(text), 2);
	abi_bytes("  from 2 on", text, n > 0 ? n : 0);
	close(fd);
}

BEHAVIOUR(a_title_may_go_on_over_the_environment, "procfs cmdline setproctitle")
{
	char *p = own_arguments(4, 6);

	memcpy(p, "abc\0X=1\0Y", 10);
	show_cmdline("arguments");
	memcpy(p, "a\0bc", 5);
	show_cmdline("no NUL at the end");
	memcpy(p, "a long title", 13);
	show_cmdline("title");
	memcpy(p, "ab\0\0", 4);
	show_cmdline("short again");
}

BEHAVIOUR(set_mm_auxv, "prctl PR_SET_MM_AUXV")
{
	unsigned long mine[] = {3, 5, 7, 9, 0, 0}, seen[64];
	int fd, n;

	TRY(prctl(PR_SET_MM, PR_SET_MM_AUXV, mine, sizeof(mine), 0));
	fd = open("/proc/self/auxv", O_RDONLY);
	n = read(fd, seen, sizeof(seen));
	abi_bytes("auxv", seen, n > 0 ? n : 0);
	TRY(prctl(PR_SET_MM, PR_SET_MM_AUXV, mine, 4096, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_AUXV, 8, sizeof(mine), 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_AUXV, mine, sizeof(mine), 1));
	TRY(prctl(PR_SET_MM, PR_SET_MM_AUXV, mine, 16, 0));
	n = pread(fd, seen, sizeof(seen), 0);
	abi_bytes("auxv", seen, n > 0 ? n : 0);
}

BEHAVIOUR(set_mm_map_size, "prctl PR_SET_MM_MAP")
{
	unsigned int size = 0;
	char small[104] = {0};

	TRY(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));
	abi_say("%u bytes", size);
	TRY(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, 8, 0, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_MAP, small, 8, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_MAP, 8, size, 0));
	TRY(prctl(PR_SET_MM, PR_SET_MM_MAP, small, size, 0));
}

BEHAVIOUR(set_mm_map_needs_no_privilege, "prctl PR_SET_MM_MAP")
{
	struct prctl_mm_map m = {
	    .start_code = stat_field(26),
	    .end_code = stat_field(27),
	    .start_data = stat_field(45),
	    .end_data = stat_field(46),
	    .start_brk = stat_field(47),
	    .brk = (unsigned long)sbrk(0),
	    .start_stack = stat_field(28),
	    .arg_start = stat_field(48),
	    .arg_end = stat_field(49) - 1,
	    .env_start = stat_field(50),
	    .env_end = stat_field(51),
	    .exe_fd = -1,
	};

	abi_nobody();
	TRY(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0));
	abi_say("arg_end moved: %ld", (long)(stat_field(49) - m.arg_end));
	m.start_code = m.end_code;
	TRY(prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0));
}

BEHAVIOUR(set_mm_exe_file, "prctl PR_SET_MM_EXE_FILE")
{
	int fd = abi_file(page);

	TRY(prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, 99, 0, 0));
	TRY(fchmod(fd, 0755));
	TRY(prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0));
}

/* ---- PR_SET_DUMPABLE ---- */

BEHAVIOUR(dumpable_takes_0_and_1, "prctl PR_SET_DUMPABLE")
{
	TRY(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	TRY(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	TRY(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	TRY(prctl(PR_SET_DUMPABLE, 2, 0, 0, 0));
	TRY(prctl(PR_SET_DUMPABLE, -1, 0, 0, 0));
	TRY(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	TRY(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static void owner(const char *what, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		abi_say("%s: cannot stat", what);
	else
		abi_say("%s: %u:%u %o", what, st.st_uid, st.st_gid, st.st_mode);
}

BEHAVIOUR(files_of_a_program_that_hides_are_roots, "prctl PR_SET_DUMPABLE owner")
{
	abi_nobody();
	TRY(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	owner("directory", "/proc/self");
	owner("maps", "/proc/self/maps");
	owner("mem", "/proc/self/mem");
	TRY(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	owner("directory", "/proc/self");
	owner("maps", "/proc/self/maps");
	owner("mem", "/proc/self/mem");
	owner("fd", "/proc/self/fd");
	owner("task", "/proc/self/task");
	TRY(open("/proc/self/maps", O_RDONLY) >= 0 ? 0 : -1);
	TRY(open("/proc/self/mem", O_RDONLY) >= 0 ? 0 : -1);
	TRY(open("/proc/self/pagemap", O_RDONLY) >= 0 ? 0 : -1);
	TRY(open("/proc/self/environ", O_RDONLY) >= 0 ? 0 : -1);
}

/* Opens files of a child of the same user. */
static void look_at(pid_t pid)
{
	static const char *const files[] = {
	    "maps",    "smaps",     "smaps_rollup",    "numa_maps",  "pagemap", "mem",
	    "environ", "auxv",      "status",          "stat",       "statm",   "cmdline",
	    "limits",  "oom_score", "coredump_filter", "personality"};
	unsigned i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64], byte;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		fd = open(path, O_RDONLY);
		abi_ret(files[i], fd < 0 ? -1 : 0);
		if (fd >= 0 && strcmp(files[i], "mem") && strcmp(files[i], "pagemap"))
			abi_ret("  read", read(fd, &byte, 1));
		close(fd);
	}
}

static pid_t quiet_child(int dumpable)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	abi_must("pipe", pipe(ready));
	pid = abi_fork();
	if (!pid) {
		prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
		(void)!write(ready[1], &byte, 1);
		for (;;)
			pause();
	}
	abi_must("ready", read(ready[0], &byte, 1));
	return pid;
}

BEHAVIOUR(who_may_look_at_a_child_of_the_same_user, "procfs EACCES")
{
	pid_t pid;

	abi_nobody();
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	pid = quiet_child(1);
	look_at(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

BEHAVIOUR(who_may_look_at_a_child_that_hides, "procfs EACCES")
{
	pid_t pid;

	abi_nobody();
	pid = quiet_child(0);
	look_at(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

BEHAVIOUR(who_may_look_at_roots_program, "procfs EACCES")
{
	pid_t pid = quiet_child(1);

	abi_nobody();
	look_at(pid);
	kill(pid, SIGKILL);
}
