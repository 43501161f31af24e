/* SPDX-License-Identifier: MIT */
/*
 * killed ROUNDS SEED PROGRAM [ARG...]: starts the program ROUNDS times, kills it and its children
 * with SIGKILL at some moment, and looks whether all that they had is free again: frames by kind,
 * and what /proc/mmkit/check says. Some die while they start, most after they have said "begun".
 *
 * On a kernel without that file the figures are not as exact, and only a large loss is seen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WARM_UP   8  /* rounds that fill what the kernel keeps for the next time */
#define SLACK_KB  64 /* of objects: caches keep what was needed at once */
#define COARSE_KB 8192

static const char *const kinds[] = {"MemFree", "Cached", "AnonPages", "PageTables", "Slab"};
enum { FREE, CACHED, ANON, TABLES, SLAB, NR_KINDS };

struct figures {
	long kb[NR_KINDS];
};

static bool exact; /* this kernel tells */
static unsigned round_nr;
static const char *seed_text;
static uint64_t rng;

static void fail(const char *what, long a, long b)
{
	printf("killed: round %u, seed %s: %s: %ld, %ld\n", round_nr, seed_text, what, a, b);
	exit(1);
}

static uint32_t random_below(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 20) % n;
}

/* The file's text, "" if there is none. */
static const char *text_of(const char *path)
{
	static char text[8192];
	size_t have = 0;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY);

	while (fd >= 0 && (n = read(fd, text + have, sizeof(text) - 1 - have)) > 0)
		have += (size_t)n;
	if (fd >= 0)
		close(fd);
	text[have] = '\0';
	return text;
}

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	if (fd < 0 || write(fd, "3", 1) != 1)
		fail("drop_caches: errno", errno, 0);
	close(fd);
}

static struct figures look(void)
{
	struct figures f;
	const char *text, *at;

	drop_caches();
	/* this also waits for what is being freed */
	text = text_of("/proc/mmkit/check");
	exact = *text;
	if (exact && strcmp(text, "text ok\ndata ok\nmemory ok\n")) {
		printf("%s", text);
		fail("the kernel's check", 0, 0);
	}
	text = text_of("/proc/meminfo");
	for (int i = 0; i < NR_KINDS; i++) {
		at = strstr(text, kinds[i]);
		if (!at)
			fail("meminfo has no line", i, 0);
		f.kb[i] = atol(at + strlen(kinds[i]) + 1);
	}
	return f;
}

static void compare(const struct figures *a, const struct figures *b)
{
	for (int i = 0; i < NR_KINDS; i++) {
		long lost = i == FREE ? a->kb[i] - b->kb[i] : b->kb[i] - a->kb[i];
		long most = i == FREE || i == SLAB ? SLACK_KB : 0;

		if (lost > (exact ? most : COARSE_KB))
			fail(kinds[i], a->kb[i], b->kb[i]);
	}
}

static void become_victim(char **argv, int out)
{
	setpgid(0, 0);
	dup2(out, STDOUT_FILENO);
	execv(argv[0], argv);
	_exit(127);
}

/* Until it has said something; then a while, which is short for most. */
static void wait_for_moment(int in)
{
	char text[256];
	ssize_t n = 0;

	if (random_below(5)) {
		n = read(in, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		if (!strstr(text, "begun")) {
			printf("%s", text);
			fail("it has not begun", n, 0);
		}
	}
	usleep(random_below(random_below(2) ? 5000 : 150000));
}

/* All of them: those whose parent was killed are ours now. */
static void bury(pid_t victim)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, 0)) > 0) {
		bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

		if (!killed && (pid == victim || status))
			fail("it ended otherwise, wait status", status, 0);
	}
}

/* What a victim says besides is shown: it may have found something wrong before its end. */
static void show_rest(int in)
{
	char text[512];
	ssize_t n = read(in, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	if (n > 0 && !strstr(text, "begun")) {
		printf("%s", text);
		fail("it failed", 0, 0);
	}
}

static void one_round(char **argv)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) || (pid = fork()) < 0)
		fail("pipe or fork: errno", errno, 0);
	if (!pid)
		become_victim(argv, fds[1]);
	setpgid(pid, pid);
	close(fds[1]);
	wait_for_moment(fds[0]);
	if (kill(-pid, SIGKILL))
		fail("kill: errno", errno, 0);
	bury(pid);
	show_rest(fds[0]);
	close(fds[0]);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 3 ? atoi(argv[1]) : 0;
	struct figures before, after;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (!rounds)
		return 2;
	seed_text = argv[2];
	rng = (strtoull(seed_text, NULL, 0) + 1) * 0x9e3779b97f4a7c15u;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (round_nr = 1; round_nr <= rounds + WARM_UP; round_nr++) {
		one_round(argv + 3);
		after = look();
		if (round_nr <= WARM_UP)
			before = after;
		compare(&before, &after);
	}
	printf("killed %u times, seed %s: %ld kB free before, %ld after\n", rounds, seed_text,
	       before.kb[FREE], after.kb[FREE]);
	return 0;
}
