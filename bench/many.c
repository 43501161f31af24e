/* SPDX-License-Identifier: MIT */
/* Rows: what other VMAs in the same address space cost. */
#define _GNU_SOURCE
#include "bench.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define RW (PROT_READ | PROT_WRITE)

/* n VMAs of a page each, side by side: every other one is left out of core dumps. */
static char *make_vmas(long n)
{
	char *p = map_anon((size_t)n * page + 2 * MIB, RW, MAP_PRIVATE | MAP_NORESERVE);
	char *at = (char *)(((unsigned long)p + 2 * MIB - 1) & -(2 * MIB));
	long i;

	for (i = 0; i < n; i += 2)
		check(!madvise(at + i * page, page, MADV_DONTDUMP), "madvise");
	if (at > p)
		unmap(p, (size_t)(at - p));
	unmap(at + n * page, (size_t)(p + 2 * MIB - at));
	return at;
}

static void map_unmap(size_t len, int times)
{
	int i;

	begin();
	for (i = 0; i < times; i++) {
		long p = call6(SYS_mmap, 0, (long)len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(p > 0 && !CALL3(SYS_munmap, p, len, 0), "mmap + munmap");
	}
	end(times);
}

static void row_map_unmap_among(long n)
{
	char *p = make_vmas(n);

	map_unmap(page, 500);
	unmap(p, n * page);
}

static void row_map_unmap_holes(long n)
{
	char *p = map_anon(2 * n * page, RW, MAP_PRIVATE | MAP_NORESERVE);
	long i;

	for (i = 0; i < n; i++)
		unmap(p + 2 * i * page, page);
	map_unmap(2 * page, 500);
	unmap(p, 2 * n * page);
}

/* The first VMA of each table is touched before. */
static void row_first_fault(long n)
{
	const long per_table = 2 * MIB / page;
	char *p = make_vmas(n);
	long i, step = n > 1000 ? n / 1000 + 1 : 1, faults = 0;

	for (i = 0; i < n; i += per_table)
		store(p + i * page, 1);
	begin();
	for (i = 1; i < n; i += step) {
		if (i % per_table) {
			store(p + i * page, i);
			faults++;
		}
	}
	end(faults);
	for (i = 1; i < n; i += step)
		check(i % per_table == 0 || load(p + i * page) == (uint64_t)i, "contents");
	unmap(p, n * page);
}

static void row_mprotect_among(long n)
{
	char *p = make_vmas(n), *at = map_anon(3 * page, RW, MAP_PRIVATE);
	int i;

	touch(at, 3 * page);
	begin();
	for (i = 0; i < 200; i++) {
		check(!CALL3(SYS_mprotect, at + page, page, PROT_READ), "mprotect");
		check(!CALL3(SYS_mprotect, at + page, page, RW), "mprotect");
	}
	end(200);
	check_touched(at, 3 * page);
	unmap(at, 3 * page);
	unmap(p, n * page);
}

const struct row many_rows[] = {
    {"mmap + munmap 4 KiB among 10 VMAs", row_map_unmap_among, 10},
    {"mmap + munmap 4 KiB among 1,000 VMAs", row_map_unmap_among, 1000},
    {"mmap + munmap 4 KiB among 50,000 VMAs", row_map_unmap_among, 50000},
    {"mmap + munmap 8 KiB among 50,000 VMAs with 4 KiB holes", row_map_unmap_holes, 50000},
    {"first write fault in one of 10 VMAs", row_first_fault, 10},
    {"first write fault in one of 1,000 VMAs", row_first_fault, 1000},
    {"first write fault in one of 50,000 VMAs", row_first_fault, 50000},
    {"mprotect, split + merge, among 10 VMAs", row_mprotect_among, 10},
    {"mprotect, split + merge, among 50,000 VMAs", row_mprotect_among, 50000},
    {0},
};
