/* SPDX-License-Identifier: MIT */
/* remap_file_pages, which Linux does by mapping anew: what is asked of the range, what it looks
 * like after. */
#include "abi.h"

static char *shared(size_t pages, off_t offset)
{
	static int fd = -1;

	if (fd < 0) {
		fd = abi_memfd(8 * page, 0);
		for (int i = 0; i < 8; i++) {
			char c = '1' + i;

			pwrite(fd, &c, 1, i * page);
		}
	}
	return abi_map_with(pages, RW, MAP_SHARED, fd, offset);
}

BEHAVIOUR(remap_file_pages_rearranges, "remap_file_pages")
{
	char *p = shared(4, 0);

	TRY(remap_file_pages(p + page, page, 0, 3, 0));
	abi_maps(p, 4);
	abi_pages("pages", p, 4);
	TRY(remap_file_pages(p + page, page, 0, 1, 0));
	abi_maps(p, 4);
	abi_pages("pages", p, 4);
}

BEHAVIOUR(remap_file_pages_beyond_the_file, "remap_file_pages beyond")
{
	char *p = shared(4, 0);

	TRY(remap_file_pages(p, 2 * page, 0, 7, 0));
	abi_maps(p, 4);
	abi_pages("pages", p, 4);
	TRY(remap_file_pages(p, page, 0, 1000, 0));
	abi_load("far beyond", p);
}

BEHAVIOUR(remap_file_pages_refuses_private, "remap_file_pages EINVAL private")
{
	int fd = abi_memfd(4 * page, 0);
	char *p = abi_map_with(4, RW, MAP_PRIVATE, fd, 0);
	char *a = abi_map(2, RW);

	TRY(remap_file_pages(p, page, 0, 1, 0));
	TRY(remap_file_pages(a, page, 0, 1, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(remap_file_pages_of_shared_anonymous, "remap_file_pages shared anonymous")
{
	char *p = abi_map_with(4, RW, SHM, -1, 0);

	abi_fill(p, 4, 1);
	TRY(remap_file_pages(p, page, 0, 2, 0));
	abi_maps(p, 4);
	abi_pages("pages", p, 4);
}

BEHAVIOUR(remap_file_pages_refuses_prot, "remap_file_pages EINVAL prot")
{
	char *p = shared(4, 0);

	TRY(remap_file_pages(p, page, PROT_READ, 1, 0));
	TRY(remap_file_pages(p, page, -1, 1, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(remap_file_pages_rounds_down, "remap_file_pages alignment")
{
	char *p = shared(4, 0);

	TRY(remap_file_pages(p + 1, page, 0, 3, 0));
	abi_maps(p, 4);
	TRY(remap_file_pages(p + page, page - 1, 0, 3, 0));
	TRY(remap_file_pages(p + page, page + 1, 0, 3, 0));
	TRY(remap_file_pages(p + page, 0, 0, 3, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(remap_file_pages_refuses_wraps, "remap_file_pages EINVAL wraps")
{
	char *p = shared(4, 0);

	TRY(remap_file_pages(p, -page, 0, 0, 0));
	TRY(remap_file_pages(p, -1ul, 0, 0, 0));
	TRY(remap_file_pages(p, page, 0, -1ul, 0));
	TRY(remap_file_pages(p, page, 0, -2ul, 0));
	TRY(remap_file_pages(p, 2 * page, 0, -2ul, 0));
	TRY(remap_file_pages(p, page, 0, 1ul << 51, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(remap_file_pages_of_a_hole, "remap_file_pages EINVAL hole")
{
	char *p = shared(4, 0);

	munmap(p + 2 * page, page);
	TRY(remap_file_pages(p + 2 * page, page, 0, 0, 0));
	TRY(remap_file_pages(p + page, 2 * page, 0, 0, 0));
	TRY(remap_file_pages(p, 4 * page, 0, 0, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(remap_file_pages_across_mappings, "remap_file_pages several")
{
	char *p = shared(4, 0);

	TRY(remap_file_pages(p + page, page, 0, 3, 0));
	TRY(remap_file_pages(p, 4 * page, 0, 2, 0));
	abi_maps(p, 4);
	mprotect(p + page, page, PROT_READ);
	TRY(remap_file_pages(p, 4 * page, 0, 1, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(remap_file_pages_across_files, "remap_file_pages several files")
{
	char *p = shared(2, 0);
	int fd = abi_memfd(4 * page, 0);

	mmap(p + 2 * page, 2 * page, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	TRY(remap_file_pages(p, 4 * page, 0, 2, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(remap_file_pages_flags, "remap_file_pages flags")
{
	char *p = shared(4, 0);

	TRY(remap_file_pages(p, page, 0, 3, MAP_NONBLOCK));
	TRY(remap_file_pages(p + page, page, 0, 3, MAP_SHARED));
	TRY(remap_file_pages(p + 2 * page, page, 0, 0, -1));
	TRY(remap_file_pages(p + 3 * page, page, 0, 0, MAP_PRIVATE));
	abi_maps(p, 4);
}

BEHAVIOUR(remap_file_pages_keeps_protection, "remap_file_pages protection")
{
	char *p = shared(4, 0);

	mprotect(p, 4 * page, PROT_READ);
	TRY(remap_file_pages(p + page, page, 0, 3, 0));
	abi_maps(p, 4);
	TRY(mprotect(p + page, page, RW));
	mprotect(p, page, PROT_NONE);
	TRY(remap_file_pages(p, page, 0, 3, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(remap_file_pages_keeps_the_lock, "remap_file_pages locked")
{
	char *p = shared(4, 0);

	abi_must("mlock", mlock(p, 4 * page));
	TRY(remap_file_pages(p + page, page, 0, 3, 0));
	abi_maps(p, 4);
	abi_status("VmLck");
	abi_mincore(p, 4);
}

BEHAVIOUR(remap_file_pages_of_a_read_only_file, "remap_file_pages read-only file")
{
	int fd;
	char *p;

	abi_file(4 * page);
	fd = open("file", O_RDONLY);
	p = abi_map_with(4, PROT_READ, MAP_SHARED, fd, 0);
	TRY(remap_file_pages(p, page, 0, 2, 0));
	abi_maps(p, 4);
	abi_pages("pages", p, 4);
}
