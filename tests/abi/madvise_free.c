/* SPDX-License-Identifier: MIT */
/*
 * madvise FREE: the frames may be taken while nobody has written the page again, and not after.
 * Whether they have been is not for a test to say, but PAGEOUT takes them at once.
 */
#include "abi.h"

BEHAVIOUR(free_then_write_keeps_the_page, "madvise MADV_FREE")
{
	char *p = abi_map(3, RW);

	memset(p, 7, 3 * page);
	TRY(madvise(p, 3 * page, MADV_FREE));
	abi_store("page 1", p + page, 9);
	TRY(madvise(p, 3 * page, MADV_PAGEOUT));
	abi_mincore(p, 3);
	abi_bytes("page 0", p, page);
	abi_say("page 1 is whole: %d", p[page] == 9 && p[page + 1] == 7 && p[2 * page - 1] == 7);
	abi_bytes("page 2", p + 2 * page, page);
}

BEHAVIOUR(free_reads_old_bytes_or_zeros, "madvise MADV_FREE")
{
	char *p = abi_map(4, RW);
	bool fine = true;

	memset(p, 7, 4 * page);
	TRY(madvise(p, 4 * page, MADV_FREE));
	for (size_t i = 0; i < 4; i++)
		fine &= p[i * page] == 7 || p[i * page] == 0;
	abi_say("old or zero: %d", fine);
	TRY(madvise(p, 4 * page, MADV_DONTNEED));
	abi_pages("after DONTNEED", p, 4);
}

BEHAVIOUR(free_is_for_private_anonymous_memory, "madvise MADV_FREE")
{
	int fd = abi_file(page), zero = open("/dev/zero", O_RDWR);
	char *s = abi_map_with(1, RW, SHM, -1, 0), *f = abi_map_with(1, RW, MAP_PRIVATE, fd, 0);
	char *g = abi_map_with(1, RW, MAP_SHARED, fd, 0), *none = abi_map(1, PROT_NONE);
	char *z = abi_map_with(1, RW, MAP_PRIVATE, zero, 0);

	TRY(madvise(s, page, MADV_FREE));
	abi_store("copy", f, 1);
	TRY(madvise(f, page, MADV_FREE));
	TRY(madvise(g, page, MADV_FREE));
	TRY(madvise(none, page, MADV_FREE));
	TRY(madvise(z, page, MADV_FREE));
}

BEHAVIOUR(free_of_locked_memory, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(mlock(p, page));
	TRY(madvise(p, page, MADV_FREE));
	TRY(madvise(p, 2 * page, MADV_FREE));
	TRY(madvise(p + page, page, MADV_FREE));
}

BEHAVIOUR(free_of_a_hole, "madvise MADV_FREE")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	munmap(p + page, page);
	TRY(madvise(p, 4 * page, MADV_FREE));
	TRY(madvise(p + 1, page, MADV_FREE));
	TRY(madvise(p + page, page, MADV_FREE));
}

BEHAVIOUR(free_of_pages_never_written, "madvise MADV_FREE")
{
	char *p = abi_map(3, RW);

	abi_load("zero page", p);
	TRY(madvise(p, 3 * page, MADV_FREE));
	abi_smaps(p, "Rss");
	abi_mincore(p, 3);
	abi_pages("pages", p, 3);
}

BEHAVIOUR(free_twice, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(madvise(p, 2 * page, MADV_FREE));
	TRY(madvise(p, 2 * page, MADV_FREE));
	abi_store("one", p, 3);
	TRY(madvise(p, 2 * page, MADV_FREE));
	TRY(madvise(p, 2 * page, MADV_PAGEOUT));
	abi_smaps(p, "Rss");
	abi_pages("pages", p, 2);
}

BEHAVIOUR(free_of_read_only_memory, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	mprotect(p, 2 * page, PROT_READ);
	TRY(madvise(p, 2 * page, MADV_FREE));
	mprotect(p, 2 * page, RW);
	abi_store("one", p, 3);
	TRY(madvise(p, 2 * page, MADV_PAGEOUT));
	abi_pages("pages", p, 2);
}

BEHAVIOUR(free_of_inaccessible_memory, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	mprotect(p, 2 * page, PROT_NONE);
	TRY(madvise(p, 2 * page, MADV_FREE));
	TRY(madvise(p, 2 * page, MADV_PAGEOUT));
	abi_smaps(p, "Rss");
	mprotect(p, 2 * page, RW);
	abi_pages("pages", p, 2);
}

BEHAVIOUR(free_before_fork_then_child_writes, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	memset(p, 7, 2 * page);
	TRY(madvise(p, 2 * page, MADV_FREE));
	pid = abi_fork();
	if (!pid) {
		p[0] = 9;
		TRY(madvise(p, 2 * page, MADV_PAGEOUT));
		abi_say("first byte %d", p[0]);
		_exit(0);
	}
	abi_wait(pid);
	TRY(madvise(p, 2 * page, MADV_PAGEOUT));
	abi_pages("parent", p, 2);
}

BEHAVIOUR(free_of_pages_shared_by_fork_keeps_the_others_bytes, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	memset(p, 7, 2 * page);
	pid = abi_fork();
	if (!pid) {
		TRY(madvise(p, 2 * page, MADV_FREE));
		TRY(madvise(p, 2 * page, MADV_PAGEOUT));
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 2);
}

BEHAVIOUR(free_then_protect_and_move, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW), *q = abi_window(2);

	memset(p, 7, 2 * page);
	TRY(madvise(p, 2 * page, MADV_FREE));
	abi_ptr("mremap", mremap(p, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, q));
	abi_store("one", q, 3);
	TRY(madvise(q, 2 * page, MADV_PAGEOUT));
	abi_pages("pages", q, 2);
}

BEHAVIOUR(free_then_lock, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW);

	memset(p, 7, 2 * page);
	TRY(madvise(p, 2 * page, MADV_FREE));
	TRY(mlock(p, page));
	abi_smaps(p, "Rss");
	TRY(munlock(p, page));
}

BEHAVIOUR(free_then_lock_on_fault, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW);

	memset(p, 7, 2 * page);
	TRY(madvise(p, 2 * page, MADV_FREE));
	TRY(syscall(SYS_mlock2, p, 2 * page, 1));
	TRY(munlock(p, 2 * page));
}

BEHAVIOUR(free_then_populate, "madvise MADV_FREE")
{
	char *p = abi_map(3, RW);

	memset(p, 7, 3 * page);
	TRY(madvise(p, 3 * page, MADV_FREE));
	TRY(madvise(p, page, MADV_POPULATE_READ));
	TRY(madvise(p + page, page, MADV_POPULATE_WRITE));
	TRY(madvise(p, 3 * page, MADV_PAGEOUT));
	abi_pages("pages", p, 3);
}

BEHAVIOUR(free_and_the_kernel_writes, "madvise MADV_FREE")
{
	char *p = abi_map(2, RW);
	int fd = abi_file(2 * page);

	memset(p, 7, 2 * page);
	TRY(madvise(p, 2 * page, MADV_FREE));
	TRY(pread(fd, p, 1, 0));
	TRY(madvise(p, 2 * page, MADV_PAGEOUT));
	abi_say("%d %d", p[0], p[1]);
	abi_pages("pages", p, 2);
}

BEHAVIOUR(free_of_a_partial_page, "madvise MADV_FREE")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	TRY(madvise(p, page + 1, MADV_FREE));
}

BEHAVIOUR(free_of_the_stack_and_heap, "madvise MADV_FREE")
{
	char *p = abi_map_with(2, RW, ANON | MAP_GROWSDOWN, -1, 0);

	abi_fill(p, 2, 1);
	TRY(madvise(p, 2 * page, MADV_FREE));
}

BEHAVIOUR(free_under_pressure_of_the_program_itself, "madvise MADV_FREE pressure")
{
	/* More than half of any machine this runs on is not asked for; the frames come back at
	 * once. */
	char *p = abi_map(256, RW);
	int zero = 0, kept = 0;

	memset(p, 7, 256 * page);
	TRY(madvise(p, 256 * page, MADV_FREE));
	for (int i = 0; i < 256; i += 2)
		p[i * page + 1] = 8;
	TRY(madvise(p, 256 * page, MADV_PAGEOUT));
	for (int i = 0; i < 256; i++) {
		zero += p[i * page] == 0;
		kept += p[i * page] == 7 && p[i * page + 1] == 8;
	}
	abi_say("kept %d zero %d", kept, zero);
}
