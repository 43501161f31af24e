/* SPDX-License-Identifier: MIT */
/* munmap: splits, holes, refusals, and what becomes of the pages. */
#include "abi.h"

BEHAVIOUR(munmap_in_the_middle_splits, "munmap splits")
{
	char *p = abi_map(5, RW);

	abi_fill(p, 5, 1);
	TRY(munmap(p + 2 * page, page));
	abi_maps(p, 5);
	abi_pages("pages", p, 5);
	abi_load("in the hole", p + 2 * page + 7);
	abi_store("in the hole", p + 2 * page + 7, 1);
}

BEHAVIOUR(munmap_of_the_head, "munmap head")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	TRY(munmap(p, page));
	abi_maps(p, 3);
	abi_pages("pages", p, 3);
}

BEHAVIOUR(munmap_of_the_tail, "munmap tail")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	TRY(munmap(p + 2 * page, page));
	abi_maps(p, 3);
	abi_pages("pages", p, 3);
}

BEHAVIOUR(munmap_of_the_whole, "munmap whole")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	TRY(munmap(p, 3 * page));
	abi_maps(p, 3);
	abi_load("first", p);
}

BEHAVIOUR(munmap_of_more_than_there_is, "munmap holes")
{
	char *p = abi_map(3, RW);

	TRY(munmap(p - 8 * page, 32 * page));
	abi_maps(p, 3);
}

BEHAVIOUR(munmap_of_nothing, "munmap holes")
{
	char *p = abi_window(4);

	TRY(munmap(p, page));
	TRY(munmap(p, 4 * page));
}

BEHAVIOUR(munmap_across_mappings_and_holes, "munmap holes")
{
	char *p = abi_map(8, RW);

	munmap(p + 2 * page, page);
	mprotect(p + 4 * page, page, PROT_READ);
	abi_maps(p, 8);
	TRY(munmap(p + page, 5 * page));
	abi_maps(p, 8);
}

BEHAVIOUR(munmap_begins_and_ends_in_holes, "munmap holes")
{
	char *p = abi_map(7, RW);

	munmap(p + page, page);
	munmap(p + 5 * page, page);
	TRY(munmap(p + page, 5 * page));
	abi_maps(p, 7);
}

BEHAVIOUR(munmap_rounds_the_length_up, "munmap length")
{
	char *p = abi_map(4, RW);

	TRY(munmap(p, 1));
	abi_maps(p, 4);
	TRY(munmap(p + page, page + 1));
	abi_maps(p, 4);
}

BEHAVIOUR(munmap_of_an_unaligned_address, "munmap EINVAL")
{
	char *p = abi_map(2, RW);

	TRY(munmap(p + 1, page));
	TRY(munmap(p + page - 1, 1));
	TRY(munmap(p + 512, 0));
	abi_maps(p, 2);
}

BEHAVIOUR(munmap_of_length_zero, "munmap EINVAL")
{
	char *p = abi_map(2, RW);

	TRY(munmap(p, 0));
	TRY(munmap(NULL, 0));
	abi_maps(p, 2);
}

BEHAVIOUR(munmap_that_wraps, "munmap EINVAL")
{
	char *p = abi_map(2, RW);

	TRY(munmap(p, -1UL));
	TRY(munmap(p, -page));
	TRY(munmap(p, -(unsigned long)p));
	TRY(munmap(p, 1UL << 63));
	TRY(munmap((void *)-page, page));
	TRY(munmap((void *)-page, 2 * page));
	abi_maps(p, 2);
}

BEHAVIOUR(munmap_beyond_user_space, "munmap EINVAL")
{
	TRY(munmap((void *)(1UL << 52), page));
	TRY(munmap((void *)(1UL << 63), page));
	TRY(munmap(NULL, 1UL << 52));
}

#ifdef __aarch64__
BEHAVIOUR(munmap_at_the_end_of_user_space, "munmap EINVAL")
{
	char *top = (char *)(1UL << 48);

	TRY(munmap(top - page, page));
	TRY(munmap(top - page, 2 * page));
	TRY(munmap(top, page));
	TRY(munmap(top - page, page + 1));
}
#endif

BEHAVIOUR(memory_is_zero_when_mapped_again, "munmap frees the pages")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	munmap(p + page, page);
	abi_ptr("again", mmap(p + page, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_pages("pages", p, 3);
	abi_maps(p, 3);
}

BEHAVIOUR(munmap_of_a_file_moves_the_offset, "munmap of a file mapping")
{
	int fd = abi_file(6 * page);
	char *p = abi_map_with(5, PROT_READ, MAP_PRIVATE, fd, page);

	TRY(munmap(p + page, 2 * page));
	abi_maps(p, 5);
	abi_pages("pages", p, 5);
	TRY(munmap(p, page));
	abi_maps(p, 5);
	TRY(munmap(p + 3 * page, page));
	abi_maps(p, 5);
}

BEHAVIOUR(munmap_of_shared_memory_keeps_the_object, "munmap of shared memory")
{
	int fd = abi_memfd(2 * page, 0);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_store("store", p, 0x42);
	TRY(munmap(p, 2 * page));
	abi_file_bytes("object", fd, 0, 2);
}

BEHAVIOUR(munmap_of_locked_memory, "munmap of locked memory")
{
	char *p = abi_map(4, RW);

	TRY(mlock(p, 4 * page));
	abi_status("VmLck");
	TRY(munmap(p + page, 2 * page));
	abi_status("VmLck");
	TRY(munmap(p, 4 * page));
	abi_status("VmLck");
}

BEHAVIOUR(munmap_in_a_child_is_its_own, "munmap after fork")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	abi_fill(p, 2, 1);
	pid = abi_fork();
	if (!pid) {
		TRY(munmap(p, page));
		abi_pages("child", p, 2);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 2);
}

BEHAVIOUR(munmap_of_what_is_being_executed_by_nobody, "munmap of program text")
{
	char *p = abi_map(1, RWX);

	abi_code(p);
	abi_call("code", p);
	TRY(munmap(p, page));
	abi_call("code", p);
}

BEHAVIOUR(split_beyond_max_map_count, "munmap ENOMEM max_map_count")
{
	char *p = abi_map(64, RW);
	int i, refused = 0;

	abi_knob("/proc/sys/vm/max_map_count", "30");
	for (i = 1; i < 63; i += 2) {
		if (munmap(p + i * page, page)) {
			refused++;
			if (refused == 1)
				abi_ret("split", -1);
		}
	}
	abi_say("some splits were refused: %d", refused > 0);
	TRY(munmap(p, page));
	TRY(munmap(p, 64 * page));
	abi_maps(p, 64);
}
