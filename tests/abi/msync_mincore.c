/* SPDX-License-Identifier: MIT */
/* msync and mincore. */
#include "abi.h"

BEHAVIOUR(msync_flags, "msync EINVAL flags")
{
	int fd = abi_file(page), flags;
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0), what[16];

	for (flags = 0; flags < 9; flags++) {
		snprintf(what, sizeof(what), "flags %d", flags);
		abi_ret(what, msync(p, page, flags));
	}
	TRY(msync(p, page, 1 << 16));
	TRY(msync(p, page, -1));
}

BEHAVIOUR(msync_writes, "msync MS_SYNC")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_store("store", p + page, 0x55);
	TRY(msync(p, 2 * page, MS_SYNC));
	abi_file_bytes("file", fd, page, 2);
	abi_store("store", p + page, 0x56);
	TRY(msync(p + page, page, MS_ASYNC));
	abi_file_bytes("file", fd, page, 2);
}

BEHAVIOUR(msync_of_an_unaligned_address, "msync EINVAL")
{
	char *p = abi_map(2, RW);

	TRY(msync(p + 1, page, MS_SYNC));
	TRY(msync(p + 1, 0, MS_SYNC));
	TRY(msync(p + page - 1, page, MS_ASYNC));
}

BEHAVIOUR(msync_lengths, "msync length")
{
	char *p = abi_map(2, RW);

	TRY(msync(p, 0, MS_SYNC));
	TRY(msync(p + 8 * page, 0, MS_SYNC));
	TRY(msync(p, 1, MS_SYNC));
	TRY(msync(p, 2 * page, MS_SYNC));
	TRY(msync(p, 2 * page + 1, MS_SYNC));
}

BEHAVIOUR(msync_that_wraps, "msync ENOMEM")
{
	char *p = abi_map(1, RW);

	TRY(msync(p, -1UL, MS_SYNC));
	TRY(msync(p, -page, MS_SYNC));
	TRY(msync(p, -(unsigned long)p, MS_SYNC));
	TRY(msync(p, -(unsigned long)p - page, MS_SYNC));
	TRY(msync((void *)-page, page, MS_SYNC));
}

BEHAVIOUR(msync_across_a_hole, "msync ENOMEM")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	munmap(p + page, page);
	abi_store("behind the hole", p + 2 * page, 0x44);
	TRY(msync(p, 3 * page, MS_SYNC));
	TRY(msync(p, 3 * page, MS_ASYNC));
	TRY(msync(p + page, page, MS_SYNC));
	TRY(msync(p + 2 * page, 2 * page, MS_SYNC));
	abi_file_bytes("file", fd, 2 * page, 1);
}

BEHAVIOUR(msync_of_nothing, "msync ENOMEM")
{
	char *p = abi_window(1);

	TRY(msync(p, page, MS_SYNC));
	TRY(msync(p, page, MS_ASYNC));
	TRY(msync(p, page, MS_INVALIDATE));
	TRY(msync(p, page, 0));
}

BEHAVIOUR(msync_order_of_refusals, "msync EINVAL")
{
	char *p = abi_window(1);

	TRY(msync(p + 1, page, MS_SYNC));
	TRY(msync(p, page, 8));
	TRY(msync(p, page, MS_SYNC | MS_ASYNC));
	TRY(msync(p, 0, MS_SYNC | MS_ASYNC));
	TRY(msync(p, 0, 8));
}

BEHAVIOUR(msync_of_other_kinds, "msync of anonymous and private memory")
{
	int fd = abi_file(page);
	char *p = abi_map(1, RW), *q = abi_map_with(1, RW, MAP_PRIVATE, fd, 0);
	char *r = abi_map_with(1, RW, SHM, -1, 0);

	abi_store("private", q, 9);
	TRY(msync(p, page, MS_SYNC));
	TRY(msync(q, page, MS_SYNC));
	TRY(msync(r, page, MS_SYNC));
	TRY(msync(p, page, MS_INVALIDATE));
	abi_file_bytes("file", fd, 0, 1);
}

BEHAVIOUR(msync_of_inaccessible_memory, "msync of PROT_NONE")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	abi_store("store", p, 0x33);
	mprotect(p, page, PROT_NONE);
	TRY(msync(p, page, MS_SYNC));
	abi_file_bytes("file", fd, 0, 1);
}

BEHAVIOUR(msync_invalidate_of_locked_memory, "msync EBUSY")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	TRY(mlock(p + page, page));
	TRY(msync(p, page, MS_INVALIDATE));
	TRY(msync(p, 3 * page, MS_INVALIDATE));
	TRY(msync(p, 3 * page, MS_SYNC | MS_INVALIDATE));
	TRY(msync(p, 3 * page, MS_ASYNC | MS_INVALIDATE));
	TRY(msync(p, 3 * page, MS_SYNC));
	TRY(munlock(p + page, page));
	TRY(msync(p, 3 * page, MS_INVALIDATE));
}

BEHAVIOUR(msync_busy_and_hole, "msync EBUSY")
{
	char *p = abi_map(3, RW);

	TRY(mlock(p + 2 * page, page));
	munmap(p + page, page);
	TRY(msync(p, 3 * page, MS_INVALIDATE));
	TRY(munlock(p + 2 * page, page));
	TRY(mlock(p, page));
	TRY(msync(p, 3 * page, MS_INVALIDATE));
}

BEHAVIOUR(msync_beyond_the_end_of_the_file, "msync beyond the end of the file")
{
	int fd = abi_file(page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	TRY(msync(p, 3 * page, MS_SYNC));
	TRY(msync(p + 2 * page, page, MS_SYNC));
}

/* ---- mincore ---- */

BEHAVIOUR(mincore_of_anonymous_memory, "mincore anonymous")
{
	char *p = abi_map(4, RW);

	abi_mincore(p, 4);
	abi_store("second", p + page, 1);
	abi_load("third", p + 2 * page);
	abi_mincore(p, 4);
}

BEHAVIOUR(mincore_of_a_file, "mincore file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(4, RW, MAP_SHARED, fd, 0);

	abi_mincore(p, 4);
}

BEHAVIOUR(mincore_of_a_sparse_file, "mincore file")
{
	int fd = abi_memfd(0, 0);
	char *p;

	abi_must("ftruncate", ftruncate(fd, 4 * page));
	p = abi_map_with(4, RW, MAP_SHARED, fd, 0);
	abi_mincore(p, 4);
	abi_store("second", p + page, 1);
	abi_must("pwrite", pwrite(fd, "x", 1, 3 * page));
	abi_mincore(p, 4);
	abi_load("first", p);
	abi_mincore(p, 4);
}

BEHAVIOUR(mincore_of_shared_anonymous_memory, "mincore shared anonymous")
{
	char *p = abi_map_with(3, RW, SHM, -1, 0);

	abi_mincore(p, 3);
	abi_store("second", p + page, 1);
	abi_mincore(p, 3);
}

BEHAVIOUR(mincore_of_private_copies, "mincore private file")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_PRIVATE, fd, 0);

	abi_store("copy", p, 1);
	abi_mincore(p, 3);
}

BEHAVIOUR(mincore_of_what_another_may_not_write, "mincore of a file of another")
{
	char *p;

	close(abi_file(2 * page));
	p = abi_map_with(2, PROT_READ, MAP_SHARED, open("file", O_RDONLY), 0);
	abi_nobody();
	abi_mincore(p, 2);
}

BEHAVIOUR(mincore_refusals, "mincore EINVAL")
{
	char *p = abi_map(2, RW);
	unsigned char vec[4];

	TRY(mincore(p + 1, page, vec));
	TRY(mincore(p, 0, vec));
	TRY(mincore(p + 1, 0, vec));
	TRY(mincore(p, 1, vec));
	TRY(mincore(p, page + 1, vec));
}

BEHAVIOUR(mincore_of_holes, "mincore ENOMEM")
{
	char *p = abi_map(3, RW);
	unsigned char vec[4] = {7, 7, 7, 7};

	abi_fill(p, 3, 1);
	munmap(p + page, page);
	TRY(mincore(p, 3 * page, vec));
	abi_bytes("vec", vec, 4);
	TRY(mincore(p + page, page, vec));
	TRY(mincore(p + 2 * page, 2 * page, vec));
	abi_bytes("vec", vec, 4);
}

BEHAVIOUR(mincore_that_wraps, "mincore ENOMEM")
{
	char *p = abi_map(1, RW);
	unsigned char vec[4];

	TRY(mincore(p, -1UL, vec));
	TRY(mincore(p, -page, vec));
	TRY(mincore(p, 1UL << 63, vec));
	TRY(mincore((void *)-page, page, vec));
	TRY(mincore((void *)(1UL << 52), page, vec));
}

BEHAVIOUR(mincore_vector, "mincore EFAULT")
{
	char *p = abi_map(2, RW), *vec = abi_map(1, PROT_READ);

	TRY(mincore(p, 2 * page, NULL));
	TRY(mincore(p, 2 * page, (unsigned char *)vec));
	TRY(mincore(p, 2 * page, (unsigned char *)-1L));
	TRY(mincore(p, 0, NULL));
	mprotect(vec, page, RW);
	munmap(vec + page, page);
	TRY(mincore(p, 2 * page, (unsigned char *)vec + page - 1));
	TRY(mincore(p, 2 * page, (unsigned char *)vec + page - 2));
}

BEHAVIOUR(mincore_of_inaccessible_memory, "mincore PROT_NONE")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 1, 1);
	mprotect(p, 2 * page, PROT_NONE);
	abi_mincore(p, 2);
}
