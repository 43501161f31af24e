/* SPDX-License-Identifier: MIT */
/* Rows: calls on a range of memory that is mapped already. */
#define _GNU_SOURCE
#include "bench.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

static void row_mprotect_middle(long arg)
{
	char *p = map_anon(3 * page, RW, MAP_PRIVATE);
	int i;

	touch(p, 3 * page);
	begin();
	for (i = 0; i < 500; i++) {
		check(!CALL3(SYS_mprotect, p + page, page, PROT_READ), "mprotect");
		check(!CALL3(SYS_mprotect, p + page, page, RW), "mprotect");
	}
	end(500);
	check_touched(p, 3 * page);
	touch(p, 3 * page);
	unmap(p, 3 * page);
}

static void row_mprotect_2m(long arg)
{
	char *p = map_aligned(2 * MIB);
	int i;

	touch(p, 2 * MIB);
	begin();
	for (i = 0; i < 20; i++) {
		check(!CALL3(SYS_mprotect, p, 2 * MIB, PROT_READ), "mprotect");
		check(!CALL3(SYS_mprotect, p, 2 * MIB, RW), "mprotect");
	}
	end(20);
	check_touched(p, 2 * MIB);
	touch(p, 2 * MIB);
	unmap(p, 2 * MIB);
}

static void row_dontneed_1(long arg)
{
	char *p = map_aligned(2 * MIB);
	size_t i;

	touch(p, 2 * MIB);
	begin();
	for (i = 0; i < 511; i++)
		check(!CALL3(SYS_madvise, p + i * page, page, MADV_DONTNEED), "madvise");
	end(511);
	check_zero(p, 511 * page);
	check(load(p + 511 * page) == 512, "contents");
	unmap(p, 2 * MIB);
}

static void row_dontneed_2m(long arg)
{
	char *p = map_aligned(2 * MIB);
	int i;

	for (i = 0; i < 5; i++) {
		touch(p, 2 * MIB);
		begin();
		check(!CALL3(SYS_madvise, p, 2 * MIB, MADV_DONTNEED), "madvise");
		end(1);
	}
	check_zero(p, 2 * MIB);
	unmap(p, 2 * MIB);
}

static void row_mremap_in_place(long arg)
{
	char *p = map_anon(64 * page, RW, MAP_PRIVATE);
	int i;

	unmap(p + page, 63 * page);
	store(p, 7);
	begin();
	for (i = 0; i < 500; i++) {
		check(call6(SYS_mremap, (long)p, page, 16 * page, 0, 0, 0) == (long)p, "grow");
		check(call6(SYS_mremap, (long)p, 16 * page, page, 0, 0, 0) == (long)p, "shrink");
	}
	end(500);
	check(load(p) == 7, "contents");
	unmap(p, page);
}

static void row_mremap_move(long arg)
{
	char *p = map_aligned(4 * MIB), *q = p + 2 * MIB;
	int i;

	unmap(p + MIB, 3 * MIB);
	touch(p, MIB);
	begin();
	for (i = 0; i < 10; i++) {
		char *to = i % 2 ? p : q, *from = i % 2 ? q : p;

		check(call6(SYS_mremap, (long)from, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
		            (long)to, 0) == (long)to,
		      "mremap");
	}
	end(10);
	check_touched(p, MIB);
	unmap(p, MIB);
}

static void row_mincore(long arg)
{
	char *p = map_anon(16 * page, RW, MAP_PRIVATE);
	unsigned char vec[16];
	int i;

	touch(p, 8 * page);
	begin();
	for (i = 0; i < 500; i++)
		check(!CALL3(SYS_mincore, p, 16 * page, vec), "mincore");
	end(500);
	for (i = 0; i < 16; i++)
		check(vec[i] == (i < 8), "mincore's answer");
	unmap(p, 16 * page);
}

static void row_mlock(long arg)
{
	char *p = map_anon(16 * page, RW, MAP_PRIVATE);
	int i;

	touch(p, 16 * page);
	begin();
	for (i = 0; i < 200; i++) {
		check(!CALL3(SYS_mlock, p, 16 * page, 0), "mlock");
		check(!CALL3(SYS_munlock, p, 16 * page, 0), "munlock");
	}
	end(200);
	check_touched(p, 16 * page);
	unmap(p, 16 * page);
}

static void row_brk(long arg)
{
	long at = CALL3(SYS_brk, 0, 0, 0);
	int i;

	begin();
	for (i = 0; i < 500; i++) {
		check(CALL3(SYS_brk, at + 65536, 0, 0) == at + 65536, "brk grows");
		check(CALL3(SYS_brk, at, 0, 0) == at, "brk shrinks");
	}
	end(500);
}

const struct row range_rows[] = {
    {"mprotect of a middle page, split + merge back", row_mprotect_middle},
    {"mprotect of 2 MiB touched, there and back", row_mprotect_2m},
    {"madvise DONTNEED, 1 page", row_dontneed_1},
    {"madvise DONTNEED, 2 MiB touched", row_dontneed_2m},
    {"mremap grow in place + shrink", row_mremap_in_place},
    {"mremap move, 1 MiB touched", row_mremap_move},
    {"mincore, 64 KiB", row_mincore},
    {"mlock + munlock, 64 KiB touched", row_mlock},
    {"brk grow + shrink, 64 KiB", row_brk},
    {0},
};
