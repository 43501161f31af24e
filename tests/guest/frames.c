/* SPDX-License-Identifier: MIT */
/*
 * frames WHAT ...: uses up memory, in one way or another, for the checks of run.sh with little of it.
 *
 * - touch MIB: that much private memory
 * - map FILE MIB: writes that much of a file through a shared mapping; word I is I times a prime
 * - both FILE MIB MIB: the second of private memory while the first is mapped and dirty
 * - forks N MIB: N children that take so much each; tells how many were killed
 * - fill DIR: a file as large as there is room; then a page more through a mapping
 * - tables N: N page tables with a page each
 * - unmap N TIMES: N page tables that lead to the zero page, taken away at once, so often
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB   (1ul << 20)
#define PAGE  4096ul
#define PRIME 2654435761u

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

/* In small pieces, as one large one would be more than there is. */
static void touch(unsigned long mib)
{
	while (mib--) {
		char *p =
		    mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		for (size_t i = 0; i < MIB; i += PAGE)
			p[i] = 1;
	}
}

static uint32_t *map_file(const char *name, unsigned long mib)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	uint32_t *p;

	if (fd < 0 || ftruncate(fd, (off_t)(mib * MIB)))
		die(name);
	p = mmap(NULL, mib * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	close(fd);
	return p;
}

static void write_words(uint32_t *p, unsigned long mib)
{
	for (size_t i = 0; i < mib * MIB / 4; i++)
		p[i] = (uint32_t)i * PRIME;
}

static int check_words(const uint32_t *p, unsigned long mib)
{
	for (size_t i = 0; i < mib * MIB / 4; i++)
		if (p[i] != (uint32_t)i * PRIME) {
			printf("word %zu is %#x\n", i, p[i]);
			return 1;
		}
	return 0;
}

static int check_file(const char *name, unsigned long mib)
{
	int fd = open(name, O_RDONLY);
	uint32_t *p;

	if (fd < 0 || lseek(fd, 0, SEEK_END) != (off_t)(mib * MIB))
		die(name);
	p = mmap(NULL, mib * MIB, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	return check_words(p, mib);
}

static int both(const char *file, unsigned long mib, unsigned long anon)
{
	uint32_t *p = map_file(file, mib);

	write_words(p, mib);
	touch(anon);
	write_words(p, mib);
	return check_words(p, mib);
}

static int forks(int n, unsigned long mib)
{
	int killed = 0, status;

	for (int i = 0; i < n; i++)
		if (!fork()) {
			touch(mib);
			usleep(300000);
			_exit(0);
		}
	while (wait(&status) > 0)
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	printf("killed %s\n", killed == 0 ? "none" : killed < n ? "some" : "all");
	return 0;
}

static void on_sigbus(int sig)
{
	static const char text[] = "SIGBUS\n";

	if (write(1, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(0);
}

static int fill(const char *dir)
{
	static char buf[64 << 10];
	char path[256], *p;
	ssize_t got;
	off_t size = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/full", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	unlink(path);
	while ((got = write(fd, buf, sizeof(buf))) > 0)
		size += got;
	printf("%s after %s\n", got < 0 && errno == ENOSPC ? "ENOSPC" : "no ENOSPC",
	       size > 16 << 20 ? "much" : "little");
	fflush(stdout);
	if (ftruncate(fd, size + (off_t)PAGE))
		die("ftruncate");
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, size);
	if (p == MAP_FAILED)
		die("mmap");
	signal(SIGBUS, on_sigbus);
	p[0] = 1;
	return 1;
}

/* One page in each 2 MiB. */
static int tables(unsigned long n)
{
	char *p = mmap(NULL, n * 2 * MIB, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (unsigned long i = 0; i < n; i++)
		p[i * 2 * MIB] = 1;
	return 0;
}

static int unmap(unsigned long n, unsigned long times)
{
	while (times--) {
		char *p = mmap(NULL, n * 2 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		for (unsigned long i = 0; i < n; i++)
			(void)*(volatile char *)(p + i * 2 * MIB);
		if (munmap(p, n * 2 * MIB))
			die("munmap");
	}
	return 0;
}

static unsigned long number(char **argv, int i)
{
	return strtoul(argv[i], NULL, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "touch")) {
		touch(number(argv, 2));
		return 0;
	}
	if (!strcmp(what, "map") && argc == 4) {
		write_words(map_file(argv[2], number(argv, 3)), number(argv, 3));
		return 0;
	}
	if (!strcmp(what, "check") && argc == 4)
		return check_file(argv[2], number(argv, 3));
	if (!strcmp(what, "both") && argc == 5)
		return both(argv[2], number(argv, 3), number(argv, 4));
	if (!strcmp(what, "forks") && argc == 4)
		return forks((int)number(argv, 2), number(argv, 3));
	if (!strcmp(what, "fill"))
		return fill(argv[2]);
	if (!strcmp(what, "tables"))
		return tables(number(argv, 2));
	if (!strcmp(what, "unmap") && argc == 4)
		return unmap(number(argv, 2), number(argv, 3));
	fprintf(stderr, "frames: no such call\n");
	return 2;
}
