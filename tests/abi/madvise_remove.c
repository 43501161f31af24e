/* SPDX-License-Identifier: MIT */
/* madvise REMOVE: a hole in the shared object behind the mapping. */
#include "abi.h"

static void blocks(int fd)
{
	struct stat st;

	fstat(fd, &st);
	abi_say("size %ld pages, blocks %ld pages", (long)(st.st_size / (long)page),
	        (long)st.st_blocks * 512 / (long)page);
}

BEHAVIOUR(remove_punches_a_hole, "madvise MADV_REMOVE")
{
	int fd = abi_memfd(4 * page, 0);
	char *p = abi_map_with(4, RW, MAP_SHARED, fd, 0);

	abi_fill(p, 4, 1);
	blocks(fd);
	TRY(madvise(p + page, 2 * page, MADV_REMOVE));
	abi_pages("after", p, 4);
	abi_file_bytes("page 1 of the file", fd, page, 4);
	blocks(fd);
	abi_store("into the hole", p + page, 9);
	abi_file_bytes("page 1 of the file", fd, page, 4);
}

BEHAVIOUR(remove_honours_the_offset, "madvise MADV_REMOVE")
{
	int fd = abi_file(6 * page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 2 * (off_t)page), *all;

	TRY(madvise(p + page, page, MADV_REMOVE));
	all = abi_map_with(6, PROT_READ, MAP_SHARED, fd, 0);
	abi_pages("file", all, 6);
}

BEHAVIOUR(remove_of_shared_anonymous_memory, "madvise MADV_REMOVE")
{
	char *p = abi_map_with(4, RW, SHM, -1, 0);
	pid_t pid;

	abi_fill(p, 4, 1);
	pid = abi_fork();
	if (!pid) {
		TRY(madvise(p + page, page, MADV_REMOVE));
		abi_pages("child", p, 4);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 4);
}

BEHAVIOUR(remove_leaves_private_copies, "madvise MADV_REMOVE")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0),
	     *q = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);

	abi_store("copy", q, 0x55);
	abi_load("not copied", q + page);
	TRY(madvise(p, 2 * page, MADV_REMOVE));
	abi_pages("shared", p, 2);
	abi_pages("private", q, 2);
}

BEHAVIOUR(remove_needs_a_shared_writable_mapping, "madvise MADV_REMOVE EACCES")
{
	int fd = abi_file(2 * page), ro = open("file", O_RDONLY);
	char *ps = abi_map_with(2, PROT_READ, MAP_SHARED, fd, 0);
	char *pp = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);
	char *pr = abi_map_with(2, PROT_READ, MAP_SHARED, ro, 0);
	char *none = abi_map_with(2, PROT_NONE, MAP_SHARED, fd, 0);

	TRY(madvise(ps, page, MADV_REMOVE));
	TRY(madvise(pp, page, MADV_REMOVE));
	TRY(madvise(pr, page, MADV_REMOVE));
	TRY(madvise(none + page, page, MADV_REMOVE));
	abi_file_bytes("file", fd, 0, 1);
	abi_file_bytes("file", fd, page, 1);
}

BEHAVIOUR(remove_of_private_anonymous_memory, "madvise MADV_REMOVE EINVAL")
{
	int zero = open("/dev/zero", O_RDWR);
	char *p = abi_map(2, RW), *z = abi_map_with(2, RW, MAP_PRIVATE, zero, 0);
	char *zs = abi_map_with(2, RW, MAP_SHARED, zero, 0);

	abi_fill(p, 2, 1);
	TRY(madvise(p, page, MADV_REMOVE));
	TRY(madvise(z, page, MADV_REMOVE));
	abi_fill(zs, 2, 1);
	TRY(madvise(zs, page, MADV_REMOVE));
	abi_pages("shared zero", zs, 2);
	abi_pages("private", p, 2);
}

BEHAVIOUR(remove_of_locked_memory, "madvise MADV_REMOVE EINVAL")
{
	char *p = abi_map_with(2, RW, SHM, -1, 0);

	abi_fill(p, 2, 1);
	TRY(mlock(p, page));
	TRY(madvise(p, page, MADV_REMOVE));
	TRY(madvise(p + page, page, MADV_REMOVE));
	abi_pages("pages", p, 2);
}

BEHAVIOUR(remove_of_a_hole_goes_on, "madvise MADV_REMOVE ENOMEM")
{
	char *p = abi_map_with(4, RW, SHM, -1, 0);

	abi_fill(p, 4, 1);
	munmap(p + page, page);
	TRY(madvise(p, 4 * page, MADV_REMOVE));
	abi_pages("pages", p, 4);
	TRY(madvise(p + page, page, MADV_REMOVE));
	TRY(madvise(p + 1, page, MADV_REMOVE));
}

BEHAVIOUR(remove_across_several_mappings, "madvise MADV_REMOVE")
{
	int fd = abi_file(4 * page);
	char *p = abi_map_with(4, RW, MAP_SHARED, fd, 0);

	abi_must("mprotect", mprotect(p + page, page, PROT_READ));
	TRY(madvise(p, 4 * page, MADV_REMOVE));
	abi_pages("pages", p, 4);
	abi_maps(p, 4);
}

BEHAVIOUR(remove_stops_at_a_mapping_that_refuses, "madvise MADV_REMOVE")
{
	char *p = abi_window(4);
	int fd = abi_file(4 * page);

	mmap(p, 4 * page, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	mmap(p + page, page, RW, ANON | MAP_FIXED, -1, 0);
	TRY(madvise(p, 4 * page, MADV_REMOVE));
	abi_pages("pages", p, 4);
}

BEHAVIOUR(remove_of_a_sealed_object, "madvise MADV_REMOVE EPERM")
{
	int fd = abi_memfd(2 * page, 2 /* MFD_ALLOW_SEALING */);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	TRY(madvise(p, page, MADV_REMOVE));
	TRY(fcntl(fd, F_ADD_SEALS, 0x10 /* F_SEAL_FUTURE_WRITE */));
	TRY(madvise(p + page, page, MADV_REMOVE));
	abi_pages("pages", p, 2);
}

BEHAVIOUR(remove_past_the_end_of_the_file, "madvise MADV_REMOVE")
{
	int fd = abi_file(page + 5);
	char *p = abi_map_with(4, RW, MAP_SHARED, fd, 0);

	TRY(madvise(p + 2 * page, 2 * page, MADV_REMOVE));
	TRY(madvise(p, 4 * page, MADV_REMOVE));
	abi_pages("pages", p, 3);
}

BEHAVIOUR(remove_of_a_mapping_whose_file_is_closed_and_gone, "madvise MADV_REMOVE")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	close(fd);
	TRY(unlink("file"));
	TRY(madvise(p + page, page, MADV_REMOVE));
	abi_pages("pages", p, 3);
}
