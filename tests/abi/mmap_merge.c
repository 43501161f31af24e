/* SPDX-License-Identifier: MIT */
/* Which neighbours become one mapping, and which stay apart. */
#include "abi.h"

static void fixed(char *at, size_t pages, int prot, int flags, int fd, off_t offset)
{
	if (mmap(at, pages * page, prot, flags | MAP_FIXED, fd, offset) != at)
		abi_fail("mmap: errno %d", errno);
}

BEHAVIOUR(merge_with_the_one_before, "mmap merges")
{
	char *p = abi_window(4);

	fixed(p, 2, RW, ANON, -1, 0);
	fixed(p + 2 * page, 2, RW, ANON, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(merge_with_the_one_behind, "mmap merges")
{
	char *p = abi_window(4);

	fixed(p + 2 * page, 2, RW, ANON, -1, 0);
	fixed(p, 2, RW, ANON, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(merge_with_both, "mmap merges")
{
	char *p = abi_window(6);

	fixed(p, 2, RW, ANON, -1, 0);
	fixed(p + 4 * page, 2, RW, ANON, -1, 0);
	abi_maps(p, 6);
	fixed(p + 2 * page, 2, RW, ANON, -1, 0);
	abi_maps(p, 6);
}

BEHAVIOUR(merge_of_touched_neighbours, "mmap merges")
{
	char *p = abi_window(6);

	fixed(p, 2, RW, ANON, -1, 0);
	fixed(p + 4 * page, 2, RW, ANON, -1, 0);
	abi_fill(p, 2, 1);
	abi_fill(p + 4 * page, 2, 5);
	fixed(p + 2 * page, 2, RW, ANON, -1, 0);
	abi_maps(p, 6);
	abi_pages("pages", p, 6);
}

BEHAVIOUR(touched_one_and_fresh_one, "mmap merges")
{
	char *p = abi_window(4);

	fixed(p, 2, RW, ANON, -1, 0);
	abi_fill(p, 2, 1);
	fixed(p + 2 * page, 2, RW, ANON, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(no_merge_of_other_rights, "mmap does not merge")
{
	char *p = abi_window(6);

	fixed(p, 2, RW, ANON, -1, 0);
	fixed(p + 2 * page, 2, PROT_READ, ANON, -1, 0);
	fixed(p + 4 * page, 2, PROT_NONE, ANON, -1, 0);
	abi_maps(p, 6);
}

BEHAVIOUR(no_merge_of_shared_anonymous_objects, "mmap does not merge")
{
	char *p = abi_window(4);

	fixed(p, 2, RW, SHM, -1, 0);
	fixed(p + 2 * page, 2, RW, SHM, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(file_ranges_that_meet, "mmap merges files")
{
	char *p = abi_window(4);
	int fd = abi_file(8 * page);

	fixed(p, 2, PROT_READ, MAP_PRIVATE, fd, page);
	fixed(p + 2 * page, 2, PROT_READ, MAP_PRIVATE, fd, 3 * page);
	abi_maps(p, 4);
}

BEHAVIOUR(shared_file_ranges_that_meet, "mmap merges files")
{
	char *p = abi_window(6);
	int fd = abi_file(8 * page);

	fixed(p, 2, RW, MAP_SHARED, fd, 0);
	fixed(p + 4 * page, 2, RW, MAP_SHARED, fd, 4 * page);
	fixed(p + 2 * page, 2, RW, MAP_SHARED, fd, 2 * page);
	abi_maps(p, 6);
}

BEHAVIOUR(file_ranges_that_do_not_meet, "mmap does not merge files")
{
	char *p = abi_window(6);
	int fd = abi_file(8 * page);

	fixed(p, 2, PROT_READ, MAP_PRIVATE, fd, 0);
	fixed(p + 2 * page, 2, PROT_READ, MAP_PRIVATE, fd, 3 * page);
	fixed(p + 4 * page, 2, PROT_READ, MAP_PRIVATE, fd, 4 * page);
	abi_maps(p, 6);
}

BEHAVIOUR(private_and_shared_of_a_file, "mmap does not merge files")
{
	char *p = abi_window(4);
	int fd = abi_file(8 * page);

	fixed(p, 2, PROT_READ, MAP_PRIVATE, fd, 0);
	fixed(p + 2 * page, 2, PROT_READ, MAP_SHARED, fd, 2 * page);
	abi_maps(p, 4);
}

BEHAVIOUR(two_openings_of_a_file, "mmap does not merge files")
{
	char *p = abi_window(4);
	int fd = abi_file(8 * page), fd2 = open("file", O_RDWR);

	fixed(p, 2, PROT_READ, MAP_PRIVATE, fd, 0);
	fixed(p + 2 * page, 2, PROT_READ, MAP_PRIVATE, fd2, 2 * page);
	abi_maps(p, 4);
}

BEHAVIOUR(one_opening_by_two_descriptors, "mmap merges files")
{
	char *p = abi_window(4);
	int fd = abi_file(8 * page), fd2 = dup(fd);

	fixed(p, 2, PROT_READ, MAP_PRIVATE, fd, 0);
	fixed(p + 2 * page, 2, PROT_READ, MAP_PRIVATE, fd2, 2 * page);
	abi_maps(p, 4);
}

BEHAVIOUR(two_files, "mmap does not merge files")
{
	char *p = abi_window(4);
	int fd = abi_file(8 * page), fd2 = abi_file(8 * page);

	fixed(p, 2, PROT_READ, MAP_PRIVATE, fd, 0);
	fixed(p + 2 * page, 2, PROT_READ, MAP_PRIVATE, fd2, 2 * page);
	abi_maps(p, 4);
}

BEHAVIOUR(anonymous_beside_a_file, "mmap does not merge files")
{
	char *p = abi_window(3);
	int fd = abi_file(page);

	fixed(p, 1, RW, ANON, -1, 0);
	fixed(p + page, 1, RW, MAP_PRIVATE, fd, 0);
	fixed(p + 2 * page, 1, RW, ANON, -1, 0);
	abi_maps(p, 3);
}

BEHAVIOUR(locked_and_not, "mmap does not merge")
{
	char *p = abi_window(4);

	fixed(p, 2, RW, ANON, -1, 0);
	fixed(p + 2 * page, 2, RW, ANON | MAP_LOCKED, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(noreserve_and_not, "mmap does not merge")
{
	char *p = abi_window(4);

	fixed(p, 2, RW, ANON, -1, 0);
	fixed(p + 2 * page, 2, RW, ANON | MAP_NORESERVE, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(growing_and_not, "mmap does not merge")
{
	char *p = abi_window(4);

	fixed(p, 2, RW, ANON, -1, 0);
	fixed(p + 2 * page, 2, RW, ANON | MAP_GROWSDOWN, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(flags_that_are_no_property, "mmap merges")
{
	char *p = abi_window(10);

	fixed(p, 2, RW, ANON, -1, 0);
	fixed(p + 2 * page, 2, RW, ANON | MAP_STACK, -1, 0);
	fixed(p + 4 * page, 2, RW, ANON | MAP_POPULATE, -1, 0);
	fixed(p + 6 * page, 2, RW, ANON | MAP_DENYWRITE | MAP_EXECUTABLE, -1, 0);
	fixed(p + 8 * page, 2, RW, ANON | MAP_NONBLOCK, -1, 0);
	abi_maps(p, 10);
}

BEHAVIOUR(read_only_reservations, "mmap merges")
{
	char *p = abi_window(4);

	fixed(p, 2, PROT_NONE, ANON, -1, 0);
	fixed(p + 2 * page, 2, PROT_NONE, ANON, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(writable_is_accounted_and_read_only_not, "mprotect merges accounted and not")
{
	char *p = abi_window(4);

	fixed(p, 2, RW, ANON, -1, 0);
	fixed(p + 2 * page, 2, PROT_READ, ANON, -1, 0);
	TRY(mprotect(p, 2 * page, PROT_READ));
	abi_maps(p, 4);
	TRY(mprotect(p, 4 * page, RW));
	abi_maps(p, 4);
}

BEHAVIOUR(pages_written_in_parts_that_then_meet, "mprotect merges")
{
	char *p = abi_map(3, PROT_NONE);

	mprotect(p, page, RW);
	mprotect(p + 2 * page, page, RW);
	abi_store("first", p, 1);
	abi_store("third", p + 2 * page, 3);
	abi_maps(p, 3);
	TRY(mprotect(p + page, page, RW));
	abi_maps(p, 3);
	abi_pages("pages", p, 3);
}

BEHAVIOUR(two_written_mappings_of_their_own, "mmap merges of two anon_vmas")
{
	char *p = abi_window(4);

	fixed(p, 1, RW, ANON, -1, 0);
	abi_store("first", p, 1);
	fixed(p + 2 * page, 1, RW, ANON, -1, 0);
	abi_store("third", p + 2 * page, 1);
	fixed(p + page, 1, RW, ANON, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(merge_after_fork_in_the_child, "mmap merges after fork")
{
	char *p = abi_window(4);
	pid_t pid;

	fixed(p, 2, RW, ANON, -1, 0);
	abi_fill(p, 2, 1);
	pid = abi_fork();
	if (!pid) {
		fixed(p + 2 * page, 2, RW, ANON, -1, 0);
		abi_maps(p, 4);
		abi_fill(p + 2 * page, 2, 3);
		abi_pages("child", p, 4);
		_exit(0);
	}
	abi_wait(pid);
	fixed(p + 2 * page, 2, RW, ANON, -1, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(replaced_middle_merges_back, "mmap merges")
{
	char *p = abi_map(5, RW);

	abi_fill(p, 5, 1);
	fixed(p + 2 * page, 1, PROT_READ, ANON, -1, 0);
	abi_maps(p, 5);
	fixed(p + 2 * page, 1, RW, ANON, -1, 0);
	abi_maps(p, 5);
	abi_pages("pages", p, 5);
}
