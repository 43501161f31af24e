/* SPDX-License-Identifier: MIT */
/*
 * The benchmark: /init of an initramfs, on mmkit's kernel or on Linux. Prints one line a row,
 *
 *	row NAME TAB INSTRUCTIONS [TAB TLBI BARRIERS PTE-WRITES ALLOCATIONS LOCKS]
 *
 * in thousandths per operation. The last five come from /proc/mmkit/stats of a kernel that counts
 * them (kernel/Image-counting); the cost of the counting is in no figure of the first column,
 * because that is taken on the kernel that does not count.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

size_t page;

static const char *current = "start";
static unsigned long ns_per_tick_x1000, started, ticks, operations, empty_ticks;

void fail(const char *what)
{
	printf("failed %s: %s (%s)\n", current, what, strerror(errno));
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	_exit(1);
}

/* ---- events that the kernel counts ---- */

enum { TLBI, BARRIERS, PTE_WRITES, ALLOCATIONS, LOCKS, NR_EVENTS };

static const struct {
	const char *name;
	int event;
} event_names[] = {
    {"tlbi_va", TLBI},
    {"tlbi_asid", TLBI},
    {"tlbi_all", TLBI},
    {"dsb", BARRIERS},
    {"pte_writes", PTE_WRITES},
    {"frames_allocated", ALLOCATIONS},
    {"objects_allocated", ALLOCATIONS},
    {"locks_taken", LOCKS},
};

static int stats_fd = -1;
static unsigned long events_before[NR_EVENTS], events[NR_EVENTS], events_empty[NR_EVENTS];

static bool read_events(unsigned long *out)
{
	static char buf[4096];
	ssize_t n;
	char *line, *save = NULL;
	bool counting = false;

	memset(out, 0, NR_EVENTS * sizeof(*out));
	n = stats_fd < 0 ? -1 : pread(stats_fd, buf, sizeof(buf) - 1, 0);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, ' ');
		size_t i;

		if (!value)
			continue;
		*value++ = '\0';
		for (i = 0; i < sizeof(event_names) / sizeof(event_names[0]); i++)
			if (!strcmp(line, event_names[i].name))
				out[event_names[i].event] += strtoul(value, NULL, 10);
		counting |= !strcmp(line, "locks_taken") && strtoul(value, NULL, 10);
	}
	return counting;
}

/* ---- measuring ---- */

void begin(void)
{
	if (stats_fd >= 0)
		read_events(events_before);
	started = counter();
}

void end(unsigned long ops)
{
	unsigned long now = counter(), after[NR_EVENTS];
	int i;

	ticks += now - started - empty_ticks;
	operations += ops;
	if (stats_fd < 0)
		return;
	read_events(after);
	for (i = 0; i < NR_EVENTS; i++)
		events[i] += after[i] - events_before[i] - events_empty[i];
}

static void forget(void)
{
	ticks = operations = 0;
	memset(events, 0, sizeof(events));
}

static unsigned long thousandths(unsigned long value)
{
	return operations ? (value * 1000 + operations / 2) / operations : 0;
}

/* What measuring itself costs. */
static void calibrate(void)
{
	int i, j;

	for (i = 0; i < 3; i++) {
		forget();
		empty_ticks = 0;
		memset(events_empty, 0, sizeof(events_empty));
		begin();
		end(1);
		empty_ticks = ticks;
		for (j = 0; j < NR_EVENTS; j++)
			events_empty[j] = events[j];
	}
}

static void run_row(const struct row *row)
{
	int i;

	current = row->name;
	for (i = 0; i < 2; i++) {
		forget();
		row->run(row->arg);
	}
	printf("row %s\t%lu", row->name, thousandths(ticks * ns_per_tick_x1000 / 1000));
	for (i = 0; stats_fd >= 0 && i < NR_EVENTS; i++)
		printf("%c%lu", i ? ' ' : '\t', thousandths(events[i]));
	putchar('\n');
}

static bool wanted(const char *name, char *const *only)
{
	if (!*only)
		return true;
	for (; *only; only++)
		if (strstr(name, *only))
			return true;
	return false;
}

static void run_rows(const struct row *rows, char *const *only)
{
	for (; rows->name; rows++)
		if (wanted(rows->name, only))
			run_row(rows);
}

/* ---- memory and files ---- */

char *map_file(int fd, size_t len, int prot, int flags)
{
	char *p = mmap(NULL, len, prot, flags, fd, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

char *map_anon(size_t len, int prot, int flags)
{
	return map_file(-1, len, prot, flags | MAP_ANONYMOUS);
}

char *map_aligned(size_t len)
{
	char *p = map_anon(len + 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char *at = (char *)(((unsigned long)p + 2 * MIB - 1) & -(2 * MIB));

	if (at > p)
		unmap(p, (size_t)(at - p));
	unmap(at + len, (size_t)(p + 2 * MIB - at));
	return at;
}

void unmap(void *p, size_t len)
{
	check(!len || !munmap(p, len), "munmap");
}

int make_file(size_t len, bool filled)
{
	static unsigned number;
	char name[32];
	int fd;
	size_t at;

	snprintf(name, sizeof(name), "/tmp/file%u", number++);
	fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	check(fd >= 0 && !unlink(name) && !ftruncate(fd, (off_t)len), "file");
	for (at = 0; filled && at < len; at += page) {
		uint64_t word = at / page + 1;

		check(pwrite(fd, &word, sizeof(word), (off_t)at) == sizeof(word), "pwrite");
	}
	return fd;
}

void touch(char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len / page; i++)
		store(p + i * page, i + 1);
}

void check_touched(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len / page; i++)
		check(load(p + i * page) == i + 1 && !load(p + i * page + page / 2), "contents");
}

void check_zero(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += sizeof(uint64_t))
		check(!load(p + i), "not zero");
}

/* ---- the whole ---- */

/* THP off, so that every row is about pages of the granule. */
static void be_init(void)
{
	unsigned long none[NR_EVENTS];

	mkdir("/proc", 0755);
	mkdir("/tmp", 01777);
	mount("none", "/proc", "proc", 0, NULL);
	check(!mount("none", "/tmp", "tmpfs", 0, NULL), "tmpfs");
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	stats_fd = open("/proc/mmkit/stats", O_RDONLY);
	if (stats_fd >= 0 && !read_events(none)) {
		close(stats_fd);
		stats_fd = -1;
	}
}

static void run_all(char *const *only)
{
	calibrate();
	run_rows(anon_rows, only);
	run_rows(file_rows, only);
	run_rows(range_rows, only);
	run_rows(many_rows, only);
	run_rows(process_rows, only);
}

int main(int argc, char **argv)
{
	unsigned long hz, first = counter();

	/* Linux hands on what it does not know: 6.1 on arm64 this one. */
	if (argv[1] && !strcmp(argv[1], "nokaslr"))
		argv++;
	page = (size_t)sysconf(_SC_PAGESIZE);
	setvbuf(stdout, NULL, _IOLBF, 4096);
	if (getpid() == 1)
		be_init();
	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	ns_per_tick_x1000 = 1000000000000ul / hz;
	printf("boot %lu\n", first * ns_per_tick_x1000 / 1000);
	if (argv[1] && !strcmp(argv[1], "footprint"))
		footprint();
	else
		run_all(argv + 1);
	puts("bench ended");
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return 0;
}
