/* SPDX-License-Identifier: MIT */
/* Rows: mappings of files on tmpfs. */
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

/* Cached pages stand alone, 16 pages apart: one fault, one page. */
static void row_read_fault_1(long arg)
{
	const size_t n = 200, step = 16 * page;
	int fd = make_file(n * step, false);
	uint64_t bad = 0;
	char *p;
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t word = i + 1;

		check(pwrite(fd, &word, 8, (off_t)(i * step)) == 8, "pwrite");
	}
	p = map_file(fd, n * step, PROT_READ, MAP_PRIVATE);
	for (i = 0; i < n; i += 32) /* tables: 512 pages each */
		bad |= load(p + i * step) ^ (i + 1);
	begin();
	for (i = 0; i < n; i++)
		if (i % 32)
			bad |= load(p + i * step) ^ (i + 1);
	end(n - (n + 31) / 32);
	check(!bad, "contents");
	unmap(p, n * step);
	close(fd);
}

/* All is cached; one fault maps 16 pages, and only one load in 16 pages is made. */
static void row_read_fault_16(long arg)
{
	const size_t len = 8 * MIB;
	int fd = make_file(len, true);
	char *p = map_file(fd, len, PROT_READ, MAP_PRIVATE);
	uint64_t bad = 0;
	size_t i;

	for (i = 0; i < len / page; i += 512)
		bad |= load(p + i * page) ^ (i + 1);
	begin();
	for (i = 0; i < len / page; i += 16)
		if (i % 512)
			bad |= load(p + i * page) ^ (i + 1);
	end(len / page / 16 - len / page / 512);
	check(!bad, "contents");
	check_touched(p, len);
	unmap(p, len);
	close(fd);
}

static void row_read_sequential(long arg)
{
	const size_t len = 16 * MIB;
	int fd = make_file(len, true);
	char *p = map_file(fd, len, PROT_READ, MAP_PRIVATE);
	uint64_t bad = 0;
	size_t i;

	begin();
	for (i = 0; i < len / page; i++)
		bad |= load(p + i * page) ^ (i + 1);
	end(len / page);
	check(!bad, "contents");
	unmap(p, len);
	close(fd);
}

static void row_private_write(long arg)
{
	int fd = make_file(2 * MIB, true);
	char *p = map_file(fd, 2 * MIB, RW, MAP_PRIVATE);
	uint64_t word = 0;
	size_t i;

	store(p, 1);
	begin();
	for (i = 1; i < 512; i++)
		store(p + i * page + 8, i);
	end(511);
	for (i = 1; i < 512; i++)
		check(load(p + i * page) == i + 1 && load(p + i * page + 8) == i, "copy");
	check(pread(fd, &word, 8, (off_t)page + 8) == 8 && !word, "the file has changed");
	unmap(p, 2 * MIB);
	close(fd);
}

static void row_shared_write(long filled)
{
	int fd = make_file(2 * MIB, filled);
	char *p = map_file(fd, 2 * MIB, RW, MAP_SHARED);
	uint64_t word = 0;
	size_t i;

	store(p, 1);
	begin();
	for (i = 1; i < 512; i++)
		store(p + i * page + 8, i);
	end(511);
	for (i = 1; i < 512; i++) {
		check(pread(fd, &word, 8, (off_t)(i * page) + 8) == 8 && word == i, "the file");
		check(load(p + i * page) == (filled ? i + 1 : 0), "contents");
	}
	unmap(p, 2 * MIB);
	close(fd);
}

static void row_msync(long arg)
{
	int fd = make_file(page, true), i;
	char *p = map_file(fd, page, RW, MAP_SHARED);

	store(p, 2);
	begin();
	for (i = 0; i < 1000; i++)
		check(!CALL3(SYS_msync, p, page, MS_SYNC), "msync");
	end(1000);
	check(load(p) == 2, "contents");
	unmap(p, page);
	close(fd);
}

static void row_populate_shared(long arg)
{
	const size_t len = 16 * MIB;
	int fd = make_file(len, true);
	long p;

	begin();
	p = call6(SYS_mmap, 0, (long)len, RW, MAP_SHARED | MAP_POPULATE, fd, 0);
	end(len / page);
	check(p > 0, "mmap");
	check_touched((char *)p, len);
	unmap((char *)p, len);
	close(fd);
}

const struct row file_rows[] = {
    {"private file read fault, 1 page in the cache", row_read_fault_1},
    {"private file read fault, 16 pages in the cache", row_read_fault_16},
    {"file read sequentially, per page", row_read_sequential},
    {"private file write fault (copy on write)", row_private_write},
    {"shared file write fault", row_shared_write, 1},
    {"shared file write fault into a hole", row_shared_write, 0},
    {"msync, 1 page (tmpfs)", row_msync},
    {"MAP_POPULATE, shared file, per page", row_populate_shared},
    {0},
};
