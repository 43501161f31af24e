/* SPDX-License-Identifier: MIT */
/* cachestat: the pages of a file that are in memory, and in what state. */
#include "abi.h"

struct range {
	uint64_t off, len;
};
struct stats {
	uint64_t cache, dirty, writeback, evicted, recently_evicted;
};

static long stat_of(int fd, uint64_t off, uint64_t len)
{
	struct range r = {off, len};
	struct stats s;
	long rc;

	memset(&s, 0xff, sizeof(s));
	rc = syscall(SYS_cachestat, fd, &r, &s, 0);
	if (!rc)
		abi_say("cache %ld dirty %ld writeback %ld evicted %ld recently %ld", (long)s.cache,
		        (long)s.dirty, (long)s.writeback, (long)s.evicted,
		        (long)s.recently_evicted);
	return rc;
}

BEHAVIOUR(cachestat_of_an_object, "cachestat")
{
	int fd = abi_memfd(0, 0);
	char *p;

	abi_must("ftruncate", ftruncate(fd, 8 * page));
	TRY(stat_of(fd, 0, 0));
	p = abi_map_with(8, RW, MAP_SHARED, fd, 0);
	p[page] = 1;
	p[3 * page] = 1;
	TRY(stat_of(fd, 0, 0));
	TRY(stat_of(fd, 0, 2 * page));
	TRY(stat_of(fd, page, 1));
	TRY(stat_of(fd, 2 * page, page));
	TRY(stat_of(fd, 3 * page + 5, 0));
	TRY(stat_of(fd, 4 * page, 0));
	TRY(stat_of(fd, 3 * page - 1, 2));
	TRY(stat_of(fd, 100 * page, page));
}

BEHAVIOUR(cachestat_range_at_its_ends, "cachestat range")
{
	int fd = abi_memfd(0, 0);
	char *p;

	abi_must("ftruncate", ftruncate(fd, 4 * page));
	p = abi_map_with(4, RW, MAP_SHARED, fd, 0);
	p[0] = p[3 * page] = 1;
	TRY(stat_of(fd, 0, -1ul));
	TRY(stat_of(fd, page, -1ul));
	TRY(stat_of(fd, -1ul, 1));
	TRY(stat_of(fd, -1ul, 0));
	TRY(stat_of(fd, 1ul << 63, 0));
	TRY(stat_of(fd, 0, 1ul << 63));
	TRY(stat_of(fd, 0, 1));
}

BEHAVIOUR(cachestat_after_a_hole, "cachestat")
{
	int fd = abi_memfd(0, 0);
	char *p;

	abi_must("ftruncate", ftruncate(fd, 4 * page));
	p = abi_map_with(4, RW, MAP_SHARED, fd, 0);
	abi_fill(p, 4, 1);
	TRY(madvise(p + page, page, MADV_REMOVE));
	TRY(stat_of(fd, 0, 0));
	abi_load("looked at", p + page);
	TRY(stat_of(fd, 0, 0));
	abi_must("ftruncate", ftruncate(fd, page));
	TRY(stat_of(fd, 0, 0));
}

BEHAVIOUR(cachestat_arguments, "cachestat EINVAL")
{
	int fd = abi_memfd(page, 0);
	struct range r = {0, 0};
	struct stats s;

	TRY(syscall(SYS_cachestat, fd, &r, &s, 1));
	TRY(syscall(SYS_cachestat, fd, &r, &s, -1));
	TRY(syscall(SYS_cachestat, -1, &r, &s, 0));
	TRY(syscall(SYS_cachestat, -1, &r, &s, 1));
	TRY(syscall(SYS_cachestat, -1, (void *)8, &s, 0));
	TRY(syscall(SYS_cachestat, fd, (void *)8, &s, 0));
	TRY(syscall(SYS_cachestat, fd, (void *)8, &s, 1));
	TRY(syscall(SYS_cachestat, fd, &r, (void *)8, 0));
	TRY(syscall(SYS_cachestat, 1000, &r, &s, 0));
}

BEHAVIOUR(cachestat_of_other_files, "cachestat kinds")
{
	int p[2];

	abi_must("pipe", pipe(p));
	TRY(stat_of(p[0], 0, 0));
	TRY(stat_of(open(".", O_RDONLY), 0, 0));
	TRY(stat_of(open("/dev/null", O_RDWR), 0, 0));
	TRY(stat_of(open("/dev/zero", O_RDWR), 0, 0));
	TRY(stat_of(open("/proc/self/maps", O_RDONLY), 0, 0));
	TRY(stat_of(open(".", O_RDONLY | O_PATH), 0, 0));
}

BEHAVIOUR(cachestat_of_a_file_open_for_writing, "cachestat")
{
	abi_file(2 * page);
	TRY(stat_of(open("file", O_WRONLY), 0, 0));
	TRY(stat_of(open("file", O_RDONLY), 0, 0));
}
