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

BEHAVIOUR(munmap_of_an_unaligned_address, "munmap EINVAL")
{
	char *p = abi_map(2, RW);

	TRY(munmap(p + 1, page));
	abi_maps(p, 2);
}
