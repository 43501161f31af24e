/* SPDX-License-Identifier: MIT */
/* mincore: who may know what of a file is in memory. */
#include "abi.h"

/* A sparse file of root's: page 1 of 3 has something. */
static char *sparse(mode_t mode, int open_flags, int prot)
{
	int fd = open("sparse", O_RDWR | O_CREAT, mode);

	abi_must("open", fd);
	abi_must("ftruncate", ftruncate(fd, 3 * page));
	abi_must("pwrite", pwrite(fd, "x", 1, page));
	abi_must("chmod", fchmod(fd, mode));
	close(fd);
	fd = open("sparse", open_flags);
	abi_must("open again", fd);
	return abi_map_with(3, prot, MAP_SHARED, fd, 0);
}

BEHAVIOUR(mincore_of_an_own_file, "mincore file")
{
	abi_mincore(sparse(0644, O_RDONLY, PROT_READ), 3);
}

BEHAVIOUR(mincore_of_anothers_file_says_all, "mincore of others' files")
{
	char *p = sparse(0644, O_RDONLY, PROT_READ);

	abi_nobody();
	abi_mincore(p, 3);
}

BEHAVIOUR(mincore_of_a_file_that_one_may_write, "mincore of others' files")
{
	char *p = sparse(0666, O_RDONLY, PROT_READ);

	abi_nobody();
	abi_mincore(p, 3);
}

BEHAVIOUR(mincore_of_a_file_opened_for_writing_by_another, "mincore of others' files")
{
	char *p = sparse(0600, O_RDWR, RW);

	abi_nobody();
	abi_mincore(p, 3);
}

BEHAVIOUR(mincore_of_private_pages_of_anothers_file, "mincore of others' files")
{
	int fd;
	char *p;

	sparse(0644, O_RDONLY, PROT_READ);
	fd = open("sparse", O_RDONLY);
	p = abi_map_with(3, RW, MAP_PRIVATE, fd, 0);
	abi_nobody();
	abi_mincore(p, 3);
}

BEHAVIOUR(mincore_of_shared_memory_after_giving_up_root, "mincore shared anonymous")
{
	char *p = abi_map_with(3, RW, SHM, -1, 0);

	abi_fill(p, 1, 1);
	abi_nobody();
	abi_mincore(p, 3);
}

BEHAVIOUR(mincore_of_a_memfd_after_giving_up_root, "mincore of others' files")
{
	int fd = memfd_create("m", 0);
	char *p;

	abi_must("ftruncate", ftruncate(fd, 3 * page));
	p = abi_map_with(3, RW, MAP_SHARED, fd, 0);
	abi_fill(p, 1, 1);
	abi_nobody();
	abi_mincore(p, 3);
}
