/* SPDX-License-Identifier: MIT */
/* personality: the flags that concern memory, here and through fork and exec. */
#include "abi.h"

/* The programs are static: this one runs itself again with a word that says what to print. */
static void show(const char *what)
{
	char text[1 << 14], *line;
	unsigned long start, end;
	char prot[8];

	if (!strcmp(what, "persona"))
		abi_say("personality 0x%x", personality(0xffffffff));
	if (!abi_read_text("/proc/self/maps", text, sizeof(text)))
		return;
	for (line = text; *line; line = strchr(line, '\n') + 1) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, prot) != 3)
			continue;
		if (!strcmp(what, "zero") && !start)
			abi_say("0-%lx %s", end, prot);
		if (!strcmp(what, "stack") && strstr(line, "[stack]") &&
		    strstr(line, "[stack]") < strchr(line, '\n'))
			abi_say("stack %s", prot);
	}
}

static void __attribute__((constructor)) shown_after_exec(void)
{
	const char *what = getenv("ABI_SHOW");

	page = 4096;
	if (what) {
		unsetenv("ABI_SHOW");
		show(what);
		fflush(stdout);
		_exit(0);
	}
}

/* Runs this program with that personality; it prints. */
static void exec_with(unsigned long persona, const char *what)
{
	pid_t pid;

	fflush(stdout);
	pid = abi_fork();
	if (!pid) {
		char *args[] = {"self", NULL};

		personality(persona);
		setenv("ABI_SHOW", what, 1);
		execv("/proc/self/exe", args);
		abi_fail("exec");
	}
	waitpid(pid, NULL, 0);
}

BEHAVIOUR(personality_tells_the_old_one, "personality")
{
	TRY(personality(0xffffffff));
	TRY(personality(ADDR_NO_RANDOMIZE));
	TRY(personality(0xffffffff));
	TRY(personality(READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE));
	TRY(personality(0));
	TRY(personality(0xffffffff));
}

BEHAVIOUR(personality_takes_any_bits, "personality")
{
	TRY(personality(0x0fffff00));
	abi_say("0x%x", personality(0xffffffff));
	TRY(personality(STICKY_TIMEOUTS | WHOLE_SECONDS) & 0);
	abi_say("0x%x", personality(0xffffffff));
	TRY(personality(PER_BSD) & 0);
	abi_say("0x%x", personality(0xffffffff));
	/* Only 32 bits count. */
	(void)syscall(SYS_personality, 0x5ffffffff);
	abi_say("0x%x", personality(0xffffffff));
}

BEHAVIOUR(proc_shows_the_personality, "personality procfs")
{
	char text[32];

	personality(ADDR_NO_RANDOMIZE | MMAP_PAGE_ZERO);
	if (abi_read_text("/proc/self/personality", text, sizeof(text)))
		abi_say("%s", text);
}

BEHAVIOUR(a_child_has_the_personality, "personality fork")
{
	pid_t pid;

	personality(ADDR_COMPAT_LAYOUT);
	pid = abi_fork();
	if (!pid) {
		abi_say("0x%x", personality(0xffffffff));
		exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(exec_keeps_the_personality, "personality exec")
{
	exec_with(ADDR_NO_RANDOMIZE, "persona");
	exec_with(READ_IMPLIES_EXEC | STICKY_TIMEOUTS, "persona");
	exec_with(MMAP_PAGE_ZERO, "persona");
	exec_with(ADDR_COMPAT_LAYOUT | WHOLE_SECONDS, "persona");
	exec_with(PER_BSD, "persona");
	exec_with(PER_LINUX32, "persona");
}

BEHAVIOUR(mmap_page_zero_at_exec, "personality MMAP_PAGE_ZERO")
{
	exec_with(MMAP_PAGE_ZERO, "zero");
	exec_with(0, "zero");
}

BEHAVIOUR(mmap_page_zero_without_the_privilege, "personality MMAP_PAGE_ZERO")
{
	abi_nobody();
	exec_with(MMAP_PAGE_ZERO, "zero");
}

BEHAVIOUR(read_implies_exec_in_mmap, "personality READ_IMPLIES_EXEC")
{
	int fd = abi_file(page);

	personality(READ_IMPLIES_EXEC);
	abi_maps(abi_map(1, PROT_READ), 1);
	abi_maps(abi_map(1, PROT_WRITE), 1);
	abi_maps(abi_map(1, RW), 1);
	abi_maps(abi_map(1, PROT_NONE), 1);
	abi_maps(abi_map_with(1, PROT_READ, MAP_SHARED, fd, 0), 1);
	abi_maps(abi_map_with(1, RW, SHM, -1, 0), 1);
}

BEHAVIOUR(read_implies_exec_in_mprotect, "personality READ_IMPLIES_EXEC")
{
	char *p = abi_map(4, PROT_NONE);

	personality(READ_IMPLIES_EXEC);
	TRY(mprotect(p, page, PROT_READ));
	TRY(mprotect(p + page, page, PROT_WRITE));
	TRY(mprotect(p + 2 * page, page, RW));
	abi_maps(p, 4);
	personality(0);
	TRY(mprotect(p, page, PROT_READ));
	abi_maps(p, 4);
}

BEHAVIOUR(read_implies_exec_and_the_heap, "personality READ_IMPLIES_EXEC")
{
	char *p;

	personality(READ_IMPLIES_EXEC);
	p = sbrk(0);
	p = (char *)(((unsigned long)p + page - 1) & -page);
	abi_must("brk", brk(p + 4 * page));
	abi_vmflags("heap", p + 2 * page);
}

BEHAVIOUR(read_implies_exec_and_the_stack_of_exec, "personality READ_IMPLIES_EXEC exec")
{
	exec_with(READ_IMPLIES_EXEC, "stack");
	exec_with(0, "stack");
}

/* Two runs without randomization lie alike, two with it hardly. */
static void where(const char *what, unsigned long persona)
{
	char text[2][4096];
	int i;

	for (i = 0; i < 2; i++) {
		int out[2], n = 0, got;
		pid_t pid;

		abi_must("pipe", pipe(out));
		pid = abi_fork();
		if (!pid) {
			char *args[] = {"cat", "/proc/self/stat", NULL};
			char self[4096] = {0};
			int fd;

			(void)args;
			personality(persona);
			dup2(out[1], 1);
			fd = open("/proc/self/stat", O_RDONLY);
			(void)!read(fd, self, sizeof(self) - 1);
			setenv("ABI_WHERE", "1", 1);
			execv("/proc/self/exe", (char *[]){"self", NULL});
			_exit(1);
		}
		close(out[1]);
		memset(text[i], 0, sizeof(text[i]));
		while ((got = read(out[0], text[i] + n, sizeof(text[i]) - 1 - n)) > 0)
			n += got;
		close(out[0]);
		waitpid(pid, NULL, 0);
	}
	abi_say("%s: %s", what, strcmp(text[0], text[1]) ? "differ" : "alike");
}

static void __attribute__((constructor)) where_after_exec(void)
{
	char text[1 << 14];

	if (!getenv("ABI_WHERE"))
		return;
	if (abi_read_text("/proc/self/maps", text, sizeof(text)))
		(void)!write(1, text, strlen(text) > 4000 ? 4000 : strlen(text));
	_exit(0);
}

BEHAVIOUR(no_randomize_makes_runs_alike, "personality ADDR_NO_RANDOMIZE")
{
	where("without randomization", ADDR_NO_RANDOMIZE);
	where("with it", 0);
}

BEHAVIOUR(compat_layout_is_bottom_up, "personality ADDR_COMPAT_LAYOUT")
{
	/* Seen after exec: the next mapping is above the one before. */
	pid_t pid;

	fflush(stdout);
	pid = abi_fork();
	if (!pid) {
		personality(ADDR_COMPAT_LAYOUT | ADDR_NO_RANDOMIZE);
		setenv("ABI_DIRECTION", "1", 1);
		execv("/proc/self/exe", (char *[]){"self", NULL});
		_exit(1);
	}
	abi_wait(pid);
	pid = abi_fork();
	if (!pid) {
		personality(ADDR_NO_RANDOMIZE);
		setenv("ABI_DIRECTION", "1", 1);
		execv("/proc/self/exe", (char *[]){"self", NULL});
		_exit(1);
	}
	abi_wait(pid);
}

static void __attribute__((constructor)) direction_after_exec(void)
{
	char *a, *b;

	if (!getenv("ABI_DIRECTION"))
		return;
	a = mmap(NULL, 4096, PROT_READ, ANON, -1, 0);
	b = mmap(NULL, 4096, PROT_WRITE, ANON, -1, 0);
	printf("next one %s, first at 0x%lx\n", b > a ? "above" : "below",
	       b > a ? (unsigned long)a >> 40 : 0ul);
	fflush(stdout);
	_exit(0);
}

BEHAVIOUR(an_unlimited_stack_is_bottom_up_too, "setrlimit RLIMIT_STACK layout")
{
	pid_t pid;

	fflush(stdout);
	pid = abi_fork();
	if (!pid) {
		struct rlimit l = {RLIM_INFINITY, RLIM_INFINITY};

		personality(ADDR_NO_RANDOMIZE);
		setrlimit(RLIMIT_STACK, &l);
		setenv("ABI_DIRECTION", "1", 1);
		execv("/proc/self/exe", (char *[]){"self", NULL});
		_exit(1);
	}
	abi_wait(pid);
}
