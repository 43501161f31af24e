/* SPDX-License-Identifier: MIT */
/* Rows: system call, mmap and munmap, faults of anonymous memory. */
#define _GNU_SOURCE
#include "bench.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define RW (PROT_READ | PROT_WRITE)

static void row_getppid(long arg)
{
	int i;

	begin();
	for (i = 0; i < 1000; i++)
		call6(SYS_getppid, 0, 0, 0, 0, 0, 0);
	end(1000);
}

static void row_map_unmap(long len)
{
	int i;

	begin();
	for (i = 0; i < 1000; i++) {
		long p = call6(SYS_mmap, 0, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(p > 0 && !CALL3(SYS_munmap, p, len, 0), "mmap + munmap");
	}
	end(1000);
}

static void row_map_read_unmap(long arg)
{
	int i;

	begin();
	for (i = 0; i < 1000; i++) {
		long p = call6(SYS_mmap, 0, (long)page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(p > 0 && !load((char *)p + 8), "mmap");
		store((char *)p, 42);
		check(load((char *)p) == 42 && !CALL3(SYS_munmap, p, page, 0), "munmap");
	}
	end(1000);
}

static void row_map_write_unmap(long arg)
{
	int i;

	begin();
	for (i = 0; i < 1000; i++) {
		long p = call6(SYS_mmap, 0, (long)page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(p > 0, "mmap");
		store((char *)p, 42);
		check(!load((char *)p + 8) && !CALL3(SYS_munmap, p, page, 0), "munmap");
	}
	end(1000);
}

/* 511 faults in one table, which the page before them has made. */
static void row_read_fault(long arg)
{
	char *p = map_aligned(2 * MIB);
	uint64_t sum = 0;
	size_t i;

	store(p, 1);
	begin();
	for (i = 1; i < 512; i++)
		sum |= load(p + i * page);
	end(511);
	check(!sum, "zero page");
	store(p + page, 1);
	check_zero(p + 2 * page, 510 * page);
	unmap(p, 2 * MIB);
}

static void row_write_fault(long arg)
{
	char *p = map_aligned(2 * MIB);
	size_t i;

	store(p, 1);
	begin();
	for (i = 1; i < 512; i++)
		store(p + i * page, i + 1);
	end(511);
	check_touched(p, 2 * MIB);
	unmap(p, 2 * MIB);
}

static void row_touch_64m(long arg)
{
	char *p = map_aligned(64 * MIB);

	begin();
	touch(p, 64 * MIB);
	end(64 * MIB / page);
	check_touched(p, 64 * MIB);
	unmap(p, 64 * MIB);
}

static void row_unmap_touched(long arg)
{
	char *p = map_aligned(64 * MIB);

	touch(p, 64 * MIB);
	begin();
	check(!CALL3(SYS_munmap, p, 64 * MIB, 0), "munmap");
	end(64 * MIB / page);
	check(CALL3(SYS_mincore, p, page, &p) < 0, "still mapped");
}

static void row_populate(long arg)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
	int i;

	for (i = 0; i < 4; i++) {
		long p;

		begin();
		p = call6(SYS_mmap, 0, 2 * MIB, RW, flags, -1, 0);
		end(2 * MIB / page);
		check(p > 0, "mmap");
		check_zero((char *)p, 2 * MIB);
		unmap((char *)p, 2 * MIB);
	}
}

const struct row anon_rows[] = {
    {"system call, empty (getppid)", row_getppid},
    {"mmap + munmap, anonymous 4 KiB, untouched", row_map_unmap, 4096},
    {"mmap + munmap, 2 MiB, untouched", row_map_unmap, 2 * MIB},
    {"mmap + touch + munmap, 4 KiB", row_map_write_unmap},
    {"mmap + read + touch + munmap, 4 KiB", row_map_read_unmap},
    {"anonymous read fault (zero page)", row_read_fault},
    {"anonymous write fault", row_write_fault},
    {"touch 64 MiB, 4 KiB pages, per page", row_touch_64m},
    {"munmap of touched memory, per page", row_unmap_touched},
    {"MAP_POPULATE, anonymous, per page", row_populate},
    {0},
};
