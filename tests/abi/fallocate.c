/* SPDX-License-Identifier: MIT */
/* fallocate on tmpfs, and where lseek finds data and holes afterwards. */
#include "abi.h"

static void say(const char *what, int fd)
{
	struct stat st;

	fstat(fd, &st);
	abi_say("%s: size %ld blocks %ld", what, (long)st.st_size, (long)st.st_blocks);
}

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

BEHAVIOUR(fallocate_grows, "fallocate")
{
	int fd = abi_memfd(0, 0);

	TRY(fallocate(fd, 0, 0, 2 * page));
	say("allocated", fd);
	TRY(fallocate(fd, 0, 3 * page, 100));
	say("behind a hole", fd);
	abi_file_bytes("bytes", fd, 0, 4);
}

BEHAVIOUR(fallocate_keeps_the_size, "fallocate KEEP_SIZE")
{
	int fd = abi_memfd(page, 0);

	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 * page));
	say("kept", fd);
	TRY(ftruncate(fd, 4 * page));
	say("grown", fd);
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 8 * page, page));
	say("beyond", fd);
}

BEHAVIOUR(fallocate_punches, "fallocate PUNCH_HOLE")
{
	int fd = abi_memfd(4 * page, 0);
	char *p = abi_map_with(4, RW, MAP_SHARED, fd, 0);

	for (int i = 0; i < 4; i++)
		memset(p + i * page, i + 1, page);
	TRY(fallocate(fd, PUNCH, page, page));
	abi_pages("pages", p, 4);
	say("one", fd);
	TRY(fallocate(fd, PUNCH, 2 * page + 10, 20));
	abi_bytes("inside a page", p + 2 * page, 40);
	TRY(fallocate(fd, PUNCH, page / 2, 3 * page));
	say("parts", fd);
	abi_bytes("head", p + page / 2 - 2, 4);
	abi_bytes("tail", p + 3 * page + page / 2 - 2, 4);
	TRY(fallocate(fd, PUNCH, 0, 100 * page));
	say("all", fd);
}

BEHAVIOUR(fallocate_punch_and_private_copies, "fallocate PUNCH_HOLE private")
{
	int fd = abi_memfd(2 * page, 0);
	char *s = abi_map_with(2, RW, MAP_SHARED, fd, 0), *p;

	abi_fill(s, 2, 1);
	p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);
	p[0] = 9;
	abi_load("clean", p + page);
	TRY(fallocate(fd, PUNCH, 0, 2 * page));
	abi_pages("shared", s, 2);
	abi_pages("private", p, 2);
}

BEHAVIOUR(fallocate_refuses_modes, "fallocate EOPNOTSUPP")
{
	int fd = abi_memfd(4 * page, 0);

	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, page));
	TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, page));
	TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, page));
	TRY(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, page));
	TRY(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, page));
	TRY(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, page));
	TRY(fallocate(fd, 0x1000, 0, page));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE, 0, page));
	TRY(fallocate(fd, PUNCH | FALLOC_FL_COLLAPSE_RANGE, 0, page));
}

BEHAVIOUR(fallocate_refuses_ranges, "fallocate EINVAL")
{
	int fd = abi_memfd(4 * page, 0), ro = open("/proc/self/exe", O_RDONLY), p[2];

	TRY(fallocate(fd, 0, 0, 0));
	TRY(fallocate(fd, 0, -1, page));
	TRY(fallocate(fd, 0, 0, -1));
	TRY(fallocate(fd, 0, 0x7fffffffffffffff, page));
	TRY(fallocate(fd, PUNCH, 0, 0));
	TRY(fallocate(fd, PUNCH, 0x7ffffffffffff000, page));
	TRY(fallocate(ro, 0, 0, page));
	TRY(fallocate(-1, 0, 0, page));
	abi_must("pipe", pipe(p));
	TRY(fallocate(p[1], 0, 0, page));
	TRY(fallocate(open("/dev/null", O_RDWR), 0, 0, page));
	TRY(fallocate(open(".", O_RDONLY), 0, 0, page));
	say("after", fd);
}

BEHAVIOUR(fallocate_and_the_file_size_limit, "fallocate EFBIG")
{
	int fd = abi_memfd(page, 0);

	signal(SIGXFSZ, SIG_IGN);
	abi_limit(RLIMIT_FSIZE, 2 * page);
	TRY(fallocate(fd, 0, 0, 2 * page));
	TRY(fallocate(fd, 0, 0, 3 * page));
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 3 * page));
	say("after", fd);
}

BEHAVIOUR(lseek_data_and_holes, "lseek SEEK_DATA")
{
	int fd = abi_memfd(0, 0);

	TRY(lseek(fd, 0, SEEK_DATA));
	TRY(lseek(fd, 0, SEEK_HOLE));
	abi_must("size", ftruncate(fd, 6 * page));
	TRY(lseek(fd, 0, SEEK_DATA));
	TRY(lseek(fd, 0, SEEK_HOLE));
	pwrite(fd, "x", 1, 2 * page + 5);
	pwrite(fd, "x", 1, 3 * page);
	TRY(lseek(fd, 0, SEEK_DATA));
	TRY(lseek(fd, 2 * page + 7, SEEK_DATA));
	TRY(lseek(fd, 2 * page, SEEK_HOLE));
	TRY(lseek(fd, 4 * page, SEEK_DATA));
	TRY(lseek(fd, page + 1, SEEK_HOLE));
	TRY(lseek(fd, 6 * page - 1, SEEK_HOLE));
	TRY(lseek(fd, 6 * page, SEEK_HOLE));
	TRY(lseek(fd, -1, SEEK_DATA));
	TRY(lseek(fd, 0, SEEK_CUR));
}

BEHAVIOUR(lseek_after_fallocate_and_faults, "lseek SEEK_HOLE")
{
	int fd = abi_memfd(8 * page, 0);
	char *p = abi_map_with(8, RW, MAP_SHARED, fd, 0);

	TRY(fallocate(fd, 0, page, page));
	TRY(lseek(fd, 0, SEEK_DATA));
	TRY(lseek(fd, page, SEEK_HOLE));
	p[4 * page] = 1;
	TRY(lseek(fd, 2 * page, SEEK_DATA));
	abi_load("read", p + 6 * page);
	TRY(lseek(fd, 5 * page, SEEK_DATA));
	TRY(fallocate(fd, PUNCH, 4 * page, page));
	TRY(lseek(fd, 2 * page, SEEK_DATA));
}

BEHAVIOUR(fallocate_under_a_mapping, "fallocate mapped")
{
	int fd = abi_memfd(page, 0);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	abi_load("beyond", p + page);
	TRY(fallocate(fd, 0, 0, 2 * page));
	abi_store("now", p + page, 1);
	abi_mincore(p, 3);
}
