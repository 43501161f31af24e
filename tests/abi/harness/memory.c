/* SPDX-License-Identifier: MIT */
/* Windows of address space, files with known contents, knobs. */
#include "harness.h"

#include <grp.h>

/*
 * Far from program, heap, libraries and stack with any layout of 39 or more address bits. What lies
 * around a window counts as its own: an access just beside it is told relative to it.
 */
#define FIRST_WINDOW  0x2000000000UL
#define WINDOW_STRIDE 0x0040000000UL
#define MAX_WINDOWS   16

char *abi_window(size_t pages)
{
	static char names[MAX_WINDOWS][16];
	static unsigned int nr;
	char *p = (char *)(FIRST_WINDOW + nr * WINDOW_STRIDE);

	if (nr == MAX_WINDOWS || pages * page > WINDOW_STRIDE / 2)
		abi_fail("no window of %zu pages", pages);
	if (nr)
		snprintf(names[nr], sizeof(names[nr]), "base%u", nr + 1);
	else
		snprintf(names[nr], sizeof(names[nr]), "base");
	abi_origin(names[nr], p, WINDOW_STRIDE / 2);
	nr++;
	return p;
}

char *abi_map_with(size_t pages, int prot, int flags, int fd, off_t offset)
{
	char *p = abi_window(pages);

	if (mmap(p, pages * page, prot, flags | MAP_FIXED, fd, offset) != p)
		abi_fail("mmap of a window: %s", error_name(errno));
	return p;
}

char *abi_map(size_t pages, int prot)
{
	return abi_map_with(pages, prot, ANON, -1, 0);
}

void abi_fill(void *p, size_t pages, int byte)
{
	size_t i;

	for (i = 0; i < pages; i++)
		*((volatile unsigned char *)p + i * page) = byte + i;
}

/* ---- files ---- */

static void write_pattern(int fd, off_t size)
{
	static unsigned char buf[65536];
	off_t at;

	for (at = 0; at < size; at += page) {
		size_t n = size - at < (off_t)page ? size - at : (off_t)page;

		memset(buf, at / page + 1, n);
		if (pwrite(fd, buf, n, at) != (ssize_t)n)
			abi_fail("writing a file: %s", error_name(errno));
	}
}

int abi_file_named(const char *name, off_t size)
{
	int fd = abi_must("open of a new file", open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));

	write_pattern(fd, size);
	return fd;
}

int abi_file(off_t size)
{
	static unsigned int nr;
	char name[16];

	nr++;
	snprintf(name, sizeof(name), nr > 1 ? "file%u" : "file", nr);
	return abi_file_named(name, size);
}

int abi_memfd(off_t size, unsigned int flags)
{
	int fd = abi_must("memfd_create", memfd_create("memfd", flags));

	write_pattern(fd, size);
	return fd;
}

void abi_file_bytes(const char *what, int fd, off_t at, size_t n)
{
	unsigned char buf[16384];
	ssize_t got = pread(fd, buf, n < sizeof(buf) ? n : sizeof(buf), at);

	if (got < 0)
		abi_ret(what, got);
	else
		abi_bytes(what, buf, got);
}

bool abi_read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	while (fd >= 0 && len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	buf[len] = '\0';
	if (fd >= 0)
		close(fd);
	return fd >= 0 && n >= 0;
}

/* ---- the process ---- */

pid_t abi_fork(void)
{
	return abi_must("fork", fork());
}

void abi_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		abi_fail("waitpid: %s", error_name(errno));
	if (WIFSIGNALED(status))
		abi_say("child killed by %s", signal_name(WTERMSIG(status)));
	else
		abi_say("child exited %d", WEXITSTATUS(status));
}

pid_t abi_sleeper(void)
{
	pid_t pid = abi_fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

void abi_child_pages(const void *p, size_t n)
{
	pid_t pid = abi_fork();

	if (!pid) {
		abi_pages("child", p, n);
		_exit(0);
	}
	abi_wait(pid);
}

void abi_limit(int resource, unsigned long value)
{
	struct rlimit r;

	abi_must("getrlimit", getrlimit(resource, &r));
	r.rlim_cur = value;
	abi_must("setrlimit", setrlimit(resource, &r));
}

void abi_nobody(void)
{
	abi_must("setgroups", setgroups(0, NULL));
	abi_must("setgid", setgid(65534));
	abi_must("setuid", setuid(65534));
}

/* ---- knobs ---- */

static struct knob {
	char path[128], value[64];
} * knobs; /* shared; the first with an empty path ends the list */
enum { MAX_KNOBS = 8 };

void knobs_init(void)
{
	knobs = mmap(NULL, (MAX_KNOBS + 1) * sizeof(*knobs), RW, SHM, -1, 0);
	if (knobs == MAP_FAILED)
		exit(2);
}

static int write_text(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_TRUNC), r;

	if (fd < 0)
		return -1;
	r = write(fd, value, strlen(value)) == (ssize_t)strlen(value) ? 0 : -1;
	close(fd);
	return r;
}

void abi_needs_own_machine(void)
{
	if (!getenv("ABI_HOST"))
		return;
	abi_say("not on a machine in use");
	_exit(0);
}

static void remember(const char *path)
{
	struct knob *k = knobs;

	while (k->path[0])
		k++;
	if (k == knobs + MAX_KNOBS)
		abi_fail("too many knobs");
	if (!abi_read_text(path, k->value, sizeof(k->value)))
		abi_fail("%s: %s", path, error_name(errno));
	snprintf(k->path, sizeof(k->path), "%s", path);
}

/* What is set in bytes or kbytes takes away what was set as a ratio: this has to come back last. */
static void remember_ratio(const char *path)
{
	const char *unit = strrchr(path, '_');
	char ratio[128];

	if (!unit || (strcmp(unit, "_bytes") && strcmp(unit, "_kbytes")))
		return;
	snprintf(ratio, sizeof(ratio), "%.*s_ratio", (int)(unit - path), path);
	if (!access(ratio, W_OK))
		remember(ratio);
}

void abi_knob(const char *path, const char *value)
{
	abi_needs_own_machine();
	remember_ratio(path);
	remember(path);
	if (write_text(path, value))
		abi_fail("%s: %s", path, error_name(errno));
}

void knobs_restore(void)
{
	int i;

	for (i = MAX_KNOBS - 1; i >= 0; i--) {
		if (knobs[i].path[0])
			write_text(knobs[i].path, knobs[i].value);
		knobs[i].path[0] = '\0';
	}
}
