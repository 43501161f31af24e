/* SPDX-License-Identifier: MIT */
/*
 * Runs behaviours, each in a child that leads a process group of its own. The child's lines come
 * through a pipe; when the child has ended, what is left of its group is killed.
 *	PROGRAM			all, each as a block: "== NAME", its lines, "killed by SIGSEGV" if
 *it was PROGRAM NAME...		those PROGRAM -l		lists NAME, tab, row
 */
#include "harness.h"

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <sys/mount.h>

enum {
	PATIENCE = 120, /* seconds until SIGALRM ends a behaviour */
	MAX_BEHAVIOURS = 400,
};

static struct behaviour {
	const char *name, *row;
	void (*run)(void);
} behaviours[MAX_BEHAVIOURS];
static size_t nr_behaviours;
static int pipe_end;

unsigned long page;

void abi_register(const char *name, const char *row, void (*run)(void))
{
	if (nr_behaviours == MAX_BEHAVIOURS)
		abort();
	behaviours[nr_behaviours++] = (struct behaviour){name, row, run};
}

/* ---- the own directory ---- */

static char top[256]; /* where behaviours get their directories */
static char dir[300];

static void choose_top(void)
{
	const char *named = getenv("TMPDIR");

	if (!named)
		named = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	snprintf(top, sizeof(top), "%s", named);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	umount2(path, MNT_DETACH);
	return remove(path);
}

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "%s/abi.XXXXXX", top);
	if (!mkdtemp(dir) || chmod(dir, 0777) || chdir(dir)) {
		fprintf(stderr, "%s: no directory: %s\n", dir, strerror(errno));
		exit(2);
	}
}

static void remove_dir(void)
{
	if (chdir("/"))
		exit(2);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- one behaviour ---- */

static const char *running; /* its name, in the child */

/* The program in its second life: argv[0] says so. */
#define AGAIN "again"

bool abi_again(void)
{
	return !running;
}

void abi_exec_again(void)
{
	char *argv[] = {AGAIN, (char *)running, NULL};

	execv("/proc/self/exe", argv);
	abi_fail("execv: %s", error_name(errno));
}

static void run_child(const struct behaviour *b, int out)
{
	setpgid(0, 0);
	running = b->name;
	dup2(out, STDOUT_FILENO);
	close(pipe_end);
	if (out != STDOUT_FILENO)
		close(out);
	alarm(PATIENCE);
	catch_signals();
	b->run();
	_exit(0);
}

static void copy_out(int from)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, stdout);
}

/* Reads until the child has ended: a grandchild may hold the pipe open for longer. */
static int read_until_end(int from, pid_t pid)
{
	struct pollfd p = {.fd = from, .events = POLLIN};
	int status;

	for (;;) {
		int n = poll(&p, 1, 200);

		if (n > 0 && (p.revents & POLLIN))
			copy_out(from);
		if (waitpid(pid, &status, n > 0 && !(p.revents & POLLIN) ? 0 : WNOHANG) == pid)
			return status;
	}
}

static void say_end(int status)
{
	if (WIFSIGNALED(status))
		printf("killed by %s\n", signal_name(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		printf("exited %d\n", WEXITSTATUS(status));
}

static void run_behaviour(const struct behaviour *b)
{
	int ends[2], status;
	pid_t pid;

	printf("== %s\n", b->name);
	fflush(stdout);
	make_dir();
	if (pipe2(ends, O_NONBLOCK) || fcntl(ends[1], F_SETFL, 0))
		exit(2);
	pipe_end = ends[0];
	pid = fork();
	if (!pid)
		run_child(b, ends[1]);
	close(ends[1]);
	if (pid < 0)
		exit(2);
	status = read_until_end(ends[0], pid);
	kill(-pid, SIGKILL);
	copy_out(ends[0]);
	close(ends[0]);
	knobs_restore();
	say_end(status);
	fflush(stdout);
	remove_dir();
}

/* ---- the command line ---- */

static const struct behaviour *find(const char *name)
{
	size_t i;

	for (i = 0; i < nr_behaviours; i++) {
		if (!strcmp(behaviours[i].name, name))
			return &behaviours[i];
	}
	fprintf(stderr, "%s: no such behaviour; -l lists them\n", name);
	exit(2);
}

static void run_again(const char *name)
{
	catch_signals();
	find(name)->run();
	_exit(0);
}

static void list(void)
{
	size_t i;

	for (i = 0; i < nr_behaviours; i++)
		printf("%s\t%s\n", behaviours[i].name, behaviours[i].row);
}

int main(int argc, char **argv)
{
	int i;

	page = sysconf(_SC_PAGESIZE);
	if (argc == 2 && !strcmp(argv[0], AGAIN))
		run_again(argv[1]);
	if (argc > 1 && !strcmp(argv[1], "-l")) {
		list();
		return 0;
	}
	umask(022);
	choose_top();
	knobs_init();
	if (argc > 1) {
		for (i = 1; i < argc; i++)
			run_behaviour(find(argv[i]));
		return 0;
	}
	for (i = 0; i < (int)nr_behaviours; i++)
		run_behaviour(&behaviours[i]);
	return 0;
}
