/* SPDX-License-Identifier: MIT */
/* madvise POPULATE_READ and POPULATE_WRITE. */
#include "abi.h"

BEHAVIOUR(populate_read_of_anonymous_memory, "madvise MADV_POPULATE_READ")
{
	char *p = abi_map(3, RW);

	TRY(madvise(p, 2 * page, MADV_POPULATE_READ));
	abi_mincore(p, 3);
	abi_smaps(p, "Rss");
	abi_pages("pages", p, 3);
}

BEHAVIOUR(populate_write_of_anonymous_memory, "madvise MADV_POPULATE_WRITE")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 1, 5);
	TRY(madvise(p, 2 * page, MADV_POPULATE_WRITE));
	abi_mincore(p, 3);
	abi_smaps(p, "Rss");
	abi_smaps(p, "Private_Dirty");
	abi_pages("pages", p, 3);
}

BEHAVIOUR(populate_read_then_write, "madvise MADV_POPULATE_WRITE")
{
	char *p = abi_map(3, RW);

	TRY(madvise(p, 3 * page, MADV_POPULATE_READ));
	abi_smaps(p, "Rss");
	TRY(madvise(p, 3 * page, MADV_POPULATE_WRITE));
	abi_smaps(p, "Rss");
}

BEHAVIOUR(populate_against_the_protection, "madvise MADV_POPULATE_WRITE")
{
	char *r = abi_map(1, PROT_READ), *w = abi_map(1, PROT_WRITE), *x = abi_map(1, PROT_EXEC);
	char *none = abi_map(1, PROT_NONE);

	TRY(madvise(r, page, MADV_POPULATE_READ));
	TRY(madvise(r, page, MADV_POPULATE_WRITE));
	TRY(madvise(w, page, MADV_POPULATE_READ));
	TRY(madvise(w, page, MADV_POPULATE_WRITE));
	TRY(madvise(x, page, MADV_POPULATE_READ));
	TRY(madvise(x, page, MADV_POPULATE_WRITE));
	TRY(madvise(none, page, MADV_POPULATE_READ));
	TRY(madvise(none, page, MADV_POPULATE_WRITE));
}

BEHAVIOUR(populate_stops_at_a_hole, "madvise MADV_POPULATE_READ")
{
	char *p = abi_map(5, RW);

	munmap(p + 2 * page, page);
	TRY(madvise(p, 5 * page, MADV_POPULATE_WRITE));
	abi_mincore(p, 2);
	abi_mincore(p + 3 * page, 2);
	TRY(madvise(p + 2 * page, page, MADV_POPULATE_READ));
	TRY(madvise(p + 2 * page, 2 * page, MADV_POPULATE_WRITE));
	abi_mincore(p + 3 * page, 2);
}

BEHAVIOUR(populate_stops_where_it_may_not, "madvise MADV_POPULATE_WRITE")
{
	char *p = abi_map(4, RW);

	mprotect(p + 2 * page, page, PROT_READ);
	TRY(madvise(p, 4 * page, MADV_POPULATE_WRITE));
	abi_mincore(p, 4);
	TRY(madvise(p, 4 * page, MADV_POPULATE_READ));
	abi_mincore(p, 4);
}

BEHAVIOUR(populate_of_a_private_file, "madvise MADV_POPULATE_WRITE")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_PRIVATE, fd, 0);

	TRY(madvise(p, 3 * page, MADV_POPULATE_READ));
	abi_smaps(p, "Rss");
	abi_smaps(p, "Anonymous");
	TRY(madvise(p + page, page, MADV_POPULATE_WRITE));
	abi_smaps(p, "Rss");
	abi_smaps(p, "Anonymous");
	abi_pages("pages", p, 3);
}

BEHAVIOUR(populate_past_the_end_of_the_file, "madvise MADV_POPULATE_READ")
{
	int fd = abi_file(page + 5);
	char *p = abi_map_with(4, RW, MAP_SHARED, fd, 0);

	TRY(madvise(p, 2 * page, MADV_POPULATE_READ));
	TRY(madvise(p, 4 * page, MADV_POPULATE_READ));
	TRY(madvise(p + 2 * page, page, MADV_POPULATE_READ));
	TRY(madvise(p + 3 * page, page, MADV_POPULATE_WRITE));
	abi_mincore(p, 2);
}

BEHAVIOUR(populate_write_of_a_hole_in_a_file_allocates, "madvise MADV_POPULATE_WRITE")
{
	int fd = abi_memfd(0, 0);
	char *p;
	struct stat st;

	abi_must("ftruncate", ftruncate(fd, 4 * page));
	p = abi_map_with(4, RW, MAP_SHARED, fd, 0);
	TRY(madvise(p, 2 * page, MADV_POPULATE_WRITE));
	fstat(fd, &st);
	abi_say("blocks %ld", (long)st.st_blocks * 512 / (long)page);
	TRY(madvise(p, 4 * page, MADV_POPULATE_READ));
	fstat(fd, &st);
	abi_say("blocks %ld", (long)st.st_blocks * 512 / (long)page);
}

BEHAVIOUR(populate_of_shared_memory, "madvise MADV_POPULATE_WRITE")
{
	char *p = abi_map_with(3, RW, SHM, -1, 0);

	TRY(madvise(p, page, MADV_POPULATE_READ));
	TRY(madvise(p + page, page, MADV_POPULATE_WRITE));
	abi_mincore(p, 3);
	abi_smaps(p, "Rss");
}

BEHAVIOUR(populate_grows_no_stack, "madvise MADV_POPULATE_READ")
{
	char *p = abi_map_with(2, RW, ANON | MAP_GROWSDOWN, -1, 0);

	TRY(madvise(p - page, page, MADV_POPULATE_WRITE));
	TRY(madvise(p - page, 2 * page, MADV_POPULATE_READ));
	abi_maps(p - page, 3);
}

BEHAVIOUR(populate_of_locked_on_fault_memory, "madvise MADV_POPULATE_READ")
{
	char *p = abi_map(3, RW);

	TRY(syscall(SYS_mlock2, p, 3 * page, 1));
	abi_mincore(p, 3);
	TRY(madvise(p, page, MADV_POPULATE_READ));
	TRY(madvise(p + page, page, MADV_POPULATE_WRITE));
	abi_mincore(p, 3);
}

BEHAVIOUR(populate_write_breaks_sharing_after_fork, "madvise MADV_POPULATE_WRITE")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	abi_fill(p, 2, 1);
	pid = abi_fork();
	if (!pid) {
		abi_smaps(p, "Shared_Dirty");
		TRY(madvise(p, page, MADV_POPULATE_WRITE));
		abi_smaps(p, "Shared_Dirty");
		abi_smaps(p, "Private_Dirty");
		abi_pages("child", p, 2);
		_exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(populate_of_unaligned_and_empty, "madvise MADV_POPULATE_READ")
{
	char *p = abi_map(2, RW);

	TRY(madvise(p + 1, page, MADV_POPULATE_READ));
	TRY(madvise(p, 1, MADV_POPULATE_READ));
	abi_mincore(p, 2);
	TRY(madvise(p + 2 * page, page, MADV_POPULATE_READ));
}
