/* SPDX-License-Identifier: MIT */
/* Out of memory: who is chosen, what dies with it, and the files that say so beforehand. */
#include "abi.h"

#include <sys/sysinfo.h>

#define SCORE     "/proc/self/oom_score"
#define SCORE_ADJ "/proc/self/oom_score_adj"
#define ADJ       "/proc/self/oom_adj"

static void show(const char *file)
{
	char text[64] = "?";

	abi_read_text(file, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	abi_say("%s is %s", strrchr(file, '/') + 1, text);
}

/* Writes @text; says what that returned, and what is there then. */
static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);
	char what[64];

	snprintf(what, sizeof(what), "\"%s\"", text);
	for (char *p = what; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = '~';
	if (fd < 0)
		abi_ret("open", fd);
	else
		abi_ret(what, write(fd, text, strlen(text)));
	if (fd >= 0)
		close(fd);
	show(file);
}

BEHAVIOUR(score_adj_is_zero_at_first, "oom_score_adj default")
{
	show(SCORE_ADJ);
	show(ADJ);
}

BEHAVIOUR(score_adj_takes_numbers, "oom_score_adj numbers")
{
	put(SCORE_ADJ, "500");
	put(SCORE_ADJ, " 17\n");
	put(SCORE_ADJ, "-3\n");
	put(SCORE_ADJ, "+4");
	put(SCORE_ADJ, "0x1f");
	put(SCORE_ADJ, "0X20");
	put(SCORE_ADJ, "011");
	put(SCORE_ADJ, "\t8");
	put(SCORE_ADJ, "1000");
	put(SCORE_ADJ, "-1000");
	put(SCORE_ADJ, "0");
}

BEHAVIOUR(score_adj_refuses_what_is_no_number, "oom_score_adj EINVAL")
{
	put(SCORE_ADJ, "1001");
	put(SCORE_ADJ, "-1001");
	put(SCORE_ADJ, "x");
	put(SCORE_ADJ, "5x");
	put(SCORE_ADJ, "1 2");
	put(SCORE_ADJ, "--5");
	put(SCORE_ADJ, "\n");
	put(SCORE_ADJ, "08");
	put(SCORE_ADJ, "0x");
	put(SCORE_ADJ, "99999999999");
	put(SCORE_ADJ, "2147483648");
	put(SCORE_ADJ, "2147483647");
}

BEHAVIOUR(score_adj_looks_at_twelve_characters, "oom_score_adj length")
{
	put(SCORE_ADJ, "100                                 ");
	put(SCORE_ADJ, "200         x");
	put(SCORE_ADJ, "            300");
	put(SCORE_ADJ, "00000000000400");
}

BEHAVIOUR(adj_of_old_is_scaled, "oom_adj scale")
{
	char text[16];

	for (int adj = -17; adj <= 15; adj += 4) {
		snprintf(text, sizeof(text), "%d", adj);
		put(ADJ, text);
		show(SCORE_ADJ);
	}
	put(ADJ, "15");
	show(SCORE_ADJ);
	put(ADJ, "14");
	show(SCORE_ADJ);
	put(ADJ, "16");
	put(ADJ, "-18");
	put(ADJ, "");
}

BEHAVIOUR(score_adj_shows_in_adj_of_old, "oom_adj shown")
{
	static const char *const values[] = {"-1000", "-999", "-1", "1", "58", "59", "999", "1000"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		put(SCORE_ADJ, values[i]);
		show(ADJ);
	}
}

BEHAVIOUR(who_has_no_privilege_cannot_go_below_what_root_set, "oom_score_adj EACCES")
{
	put(SCORE_ADJ, "100");
	abi_nobody();
	prctl(PR_SET_DUMPABLE, 1);
	put(SCORE_ADJ, "200");
	put(SCORE_ADJ, "150");
	put(SCORE_ADJ, "100");
	put(SCORE_ADJ, "99");
	put(SCORE_ADJ, "-1000");
}

BEHAVIOUR(adj_of_old_cannot_be_lowered_at_all, "oom_adj EACCES")
{
	put(SCORE_ADJ, "0");
	abi_nobody();
	prctl(PR_SET_DUMPABLE, 1);
	put(ADJ, "5");
	put(ADJ, "4");
	put(ADJ, "0");
	put(ADJ, "15");
	put(ADJ, "14");
	put(SCORE_ADJ, "0");
}

BEHAVIOUR(score_adj_goes_to_the_child_and_through_exec, "oom_score_adj fork")
{
	if (abi_again()) {
		show(SCORE_ADJ);
		return;
	}
	put(SCORE_ADJ, "123");
	if (!fork()) {
		show(SCORE_ADJ);
		put(SCORE_ADJ, "77");
		_exit(0);
	}
	wait(NULL);
	show(SCORE_ADJ);
	abi_exec_again();
}

BEHAVIOUR(the_floor_goes_to_the_child, "oom_score_adj fork")
{
	pid_t pid;

	put(SCORE_ADJ, "50");
	pid = abi_fork();
	if (!pid) {
		abi_nobody();
		prctl(PR_SET_DUMPABLE, 1);
		put(SCORE_ADJ, "60");
		put(SCORE_ADJ, "50");
		put(SCORE_ADJ, "49");
		_exit(0);
	}
	abi_wait(pid);
}

static int stack_space[4096];

static int sets_ninety(void *arg)
{
	int fd = open(SCORE_ADJ, O_WRONLY);

	if (write(fd, "90", 2) != 2)
		_exit(1);
	_exit(0);
}

BEHAVIOUR(who_shares_memory_shares_score_adj, "oom_score_adj CLONE_VM")
{
	pid_t pid = clone(sets_ninety, stack_space + 4096, CLONE_VM | SIGCHLD, NULL);

	abi_wait(pid);
	show(SCORE_ADJ);
	pid = clone(sets_ninety, stack_space + 4096, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	put(SCORE_ADJ, "1");
	abi_wait(pid);
	show(SCORE_ADJ);
}

static void show_rounded(const char *what)
{
	char text[64] = "";

	abi_read_text(SCORE, text, sizeof(text));
	abi_say("%s: oom_score about %ld", what, (strtol(text, NULL, 10) + 25) / 50 * 50);
}

BEHAVIOUR(score_follows_the_adjustment, "oom_score")
{
	put(SCORE_ADJ, "0");
	show_rounded("0");
	put(SCORE_ADJ, "1000");
	show_rounded("1000");
	put(SCORE_ADJ, "500");
	show_rounded("500");
	put(SCORE_ADJ, "-500");
	show_rounded("-500");
	put(SCORE_ADJ, "-999");
	show_rounded("-999");
	put(SCORE_ADJ, "-1000");
	show_rounded("-1000");
}

BEHAVIOUR(score_grows_with_memory, "oom_score")
{
	struct sysinfo si;
	size_t size;
	char *p;

	abi_must("sysinfo", sysinfo(&si));
	size = si.totalram / 10;
	p = mmap(NULL, size, RW, ANON | MAP_POPULATE, -1, 0);
	show_rounded("a tenth of all memory");
	munmap(p, size);
	show_rounded("none");
	p = mmap(NULL, size, RW, SHM | MAP_POPULATE, -1, 0);
	show_rounded("a tenth, shared");
	munmap(p, size);
}

BEHAVIOUR(score_files_modes, "oom_score modes")
{
	static const char *const names[] = {SCORE, SCORE_ADJ, ADJ};
	struct stat st;

	for (int i = 0; i < 3; i++) {
		abi_must("stat", stat(names[i], &st));
		abi_say("%s %o", strrchr(names[i], '/') + 1, st.st_mode);
	}
	put(SCORE, "1");
}

BEHAVIOUR(thread_has_the_files_too, "oom_score_adj thread")
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/oom_score_adj", getpid());
	put(path, "33");
	show(SCORE_ADJ);
}

/* ---- memory runs out ---- */

/*
 * Where there are huge pages, they take all but 240 MiB or so out of use, to save time. And the kernel
 * does not tell on the console, where the results go.
 */
static void little_memory(void)
{
	const char *huge = "/proc/sys/vm/nr_hugepages";
	struct sysinfo si;
	char text[32];
	int fd;

	abi_needs_own_machine();
	fd = open("/proc/sys/kernel/printk", O_WRONLY);
	if (fd >= 0 && write(fd, "1", 1) == 1)
		close(fd);
	abi_must("sysinfo", sysinfo(&si));
	snprintf(text, sizeof(text), "%lu", (unsigned long)((si.freeram >> 20) - 240) / 2);
	if (!access(huge, W_OK))
		abi_knob(huge, text);
}

/* Takes memory until there is none, in steps that no overcommit rule refuses. */
static void eat_all(int flags)
{
	for (;;)
		if (mmap(NULL, 4 << 20, RW, flags | MAP_POPULATE, -1, 0) == MAP_FAILED)
			_exit(3);
}

BEHAVIOUR(who_eats_all_memory_is_killed, "out of memory SIGKILL")
{
	pid_t pid;

	little_memory();
	pid = abi_fork();
	if (!pid)
		eat_all(ANON);
	abi_wait(pid);
	abi_say("the parent goes on");
}

BEHAVIOUR(who_eats_all_memory_shared_is_killed, "out of memory SIGKILL")
{
	pid_t pid;

	little_memory();
	pid = abi_fork();
	if (!pid)
		eat_all(SHM);
	abi_wait(pid);
}

BEHAVIOUR(a_handler_does_not_help, "out of memory SIGKILL")
{
	pid_t pid;

	little_memory();
	pid = abi_fork();
	if (!pid) {
		for (int s = 1; s < 32; s++)
			signal(s, SIG_IGN);
		eat_all(ANON);
	}
	abi_wait(pid);
}

BEHAVIOUR(the_adjustment_chooses, "out of memory oom_score_adj")
{
	pid_t marked, eater;

	little_memory();
	marked = abi_fork();
	if (!marked) {
		char *p = mmap(NULL, 8 << 20, RW, ANON | MAP_POPULATE, -1, 0);

		p[0] = 1;
		put(SCORE_ADJ, "1000");
		for (;;)
			pause();
	}
	while (1) {
		char path[64], text[16] = "";

		snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", marked);
		abi_read_text(path, text, sizeof(text));
		if (!strcmp(text, "1000\n"))
			break;
		usleep(1000);
	}
	eater = abi_fork();
	if (!eater)
		eat_all(ANON);
	abi_wait(marked); /* the first to go */
	abi_wait(eater);  /* as it did not stop */
}

BEHAVIOUR(a_process_at_minus_1000_is_spared, "out of memory oom_score_adj")
{
	pid_t spared, eater;
	int fds[2];
	char c;

	little_memory();
	abi_must("pipe", pipe(fds));
	spared = abi_fork();
	if (!spared) {
		size_t size = 60 << 20;
		char *p = mmap(NULL, size, RW, ANON | MAP_POPULATE, -1, 0);

		put(SCORE_ADJ, "-1000");
		if (write(fds[1], p, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	if (read(fds[0], &c, 1) != 1)
		abi_fail("the child has not started");
	eater = abi_fork();
	if (!eater)
		eat_all(ANON);
	abi_wait(eater);
	abi_say("spared is there: %d", kill(spared, 0));
	kill(spared, SIGTERM);
	abi_wait(spared);
}

static int waits(void *arg)
{
	while (pause())
		;
	return 0;
}

BEHAVIOUR(who_shares_the_memory_dies_too, "out of memory CLONE_VM")
{
	pid_t pid;

	little_memory();
	pid = abi_fork();
	if (!pid) {
		pid_t other = clone(waits, stack_space + 4096, CLONE_VM | SIGCHLD, NULL);
		char text[16];
		int fd = open("other", O_WRONLY | O_CREAT, 0600);

		snprintf(text, sizeof(text), "%d", other);
		if (write(fd, text, strlen(text)) < 0)
			_exit(1);
		eat_all(ANON);
	}
	abi_wait(pid);
	for (int i = 0; i < 2000; i++) {
		char text[16] = "", path[64], stat[256] = "";

		abi_read_text("other", text, sizeof(text));
		snprintf(path, sizeof(path), "/proc/%s/stat", text);
		if (!abi_read_text(path, stat, sizeof(stat)) || strstr(stat, ") Z ")) {
			abi_say("so does the other");
			return;
		}
		usleep(1000);
	}
	abi_say("the other is there");
}

BEHAVIOUR(a_child_does_not_die_with_it, "out of memory fork")
{
	pid_t pid;
	int fds[2];
	char c = 0;

	little_memory();
	abi_must("pipe", pipe(fds));
	pid = abi_fork();
	if (!pid) {
		pid_t child = fork();

		if (!child) {
			close(fds[0]);
			while (getppid() != 1 && usleep(1000) == 0)
				;
			if (write(fds[1], "x", 1) != 1)
				_exit(1);
			_exit(0);
		}
		eat_all(ANON);
	}
	close(fds[1]);
	abi_wait(pid);
	abi_say("child says: %d", (int)read(fds[0], &c, 1));
}

BEHAVIOUR(mode_2_refuses_before_that, "overcommit_memory 2")
{
	pid_t pid;

	little_memory();
	abi_knob("/proc/sys/vm/overcommit_memory", "2");
	pid = abi_fork();
	if (!pid)
		eat_all(ANON);
	abi_wait(pid);
}

BEHAVIOUR(allocating_task_can_be_chosen, "oom_kill_allocating_task")
{
	pid_t big, eater;
	int fds[2];
	char c;

	little_memory();
	abi_knob("/proc/sys/vm/oom_kill_allocating_task", "1");
	abi_must("pipe", pipe(fds));
	big = abi_fork();
	if (!big) {
		char *p = mmap(NULL, 100 << 20, RW, ANON | MAP_POPULATE, -1, 0);

		if (write(fds[1], p, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	if (read(fds[0], &c, 1) != 1)
		abi_fail("the child has not started");
	eater = abi_fork();
	if (!eater)
		eat_all(ANON);
	abi_wait(eater);
	kill(big, SIGTERM);
	abi_wait(big);
}
