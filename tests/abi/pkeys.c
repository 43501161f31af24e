/* SPDX-License-Identifier: MIT */
/* Protection keys on a CPU that has none: no key is to be had, and key -1 is plain mprotect. */
#include "abi.h"

static long pkey_alloc_(unsigned long flags, unsigned long rights)
{
	return syscall(SYS_pkey_alloc, flags, rights);
}

BEHAVIOUR(pkey_alloc_has_none, "pkey_alloc ENOSPC")
{
	TRY(pkey_alloc_(0, 0));
	TRY(pkey_alloc_(0, 1));
	TRY(pkey_alloc_(0, 2));
	TRY(pkey_alloc_(0, 3));
}

BEHAVIOUR(pkey_alloc_refuses_flags, "pkey_alloc EINVAL")
{
	TRY(pkey_alloc_(1, 0));
	TRY(pkey_alloc_(~0ul, 0));
	TRY(pkey_alloc_(0, 4));
	TRY(pkey_alloc_(0, 8));
	TRY(pkey_alloc_(0, 16));
	TRY(pkey_alloc_(0, 1ul << 32));
}

BEHAVIOUR(pkey_free_of_nothing, "pkey_free EINVAL")
{
	TRY(syscall(SYS_pkey_free, 0));
	TRY(syscall(SYS_pkey_free, 1));
	TRY(syscall(SYS_pkey_free, -1));
	TRY(syscall(SYS_pkey_free, 15));
	TRY(syscall(SYS_pkey_free, 1000));
	TRY(syscall(SYS_pkey_free, 0));
}

BEHAVIOUR(pkey_mprotect_with_no_key_is_mprotect, "pkey_mprotect -1")
{
	char *p = abi_map(3, RW);

	TRY(syscall(SYS_pkey_mprotect, p + page, page, PROT_READ, -1));
	abi_maps(p, 3);
	abi_store("read only", p + page, 1);
	TRY(syscall(SYS_pkey_mprotect, p + page, page, RW, -1));
	abi_maps(p, 3);
	abi_store("writable", p + page, 1);
}

BEHAVIOUR(pkey_mprotect_with_a_key, "pkey_mprotect EINVAL")
{
	char *p = abi_map(3, RW);

	TRY(syscall(SYS_pkey_mprotect, p, page, PROT_READ, 0));
	abi_maps(p, 3);
	TRY(syscall(SYS_pkey_mprotect, p, page, PROT_READ, 1));
	TRY(syscall(SYS_pkey_mprotect, p, page, PROT_READ, -2));
	TRY(syscall(SYS_pkey_mprotect, p, page, PROT_READ, 16));
	TRY(syscall(SYS_pkey_mprotect, p, page, PROT_READ, 0x7fffffff));
	abi_maps(p, 3);
}

BEHAVIOUR(pkey_mprotect_order_of_errors, "pkey_mprotect EINVAL")
{
	char *p = abi_map(3, RW);

	munmap(p + 2 * page, page);
	TRY(syscall(SYS_pkey_mprotect, p + 1, page, PROT_READ, 1));
	TRY(syscall(SYS_pkey_mprotect, p, 0, PROT_READ, 1));
	TRY(syscall(SYS_pkey_mprotect, p + 2 * page, page, PROT_READ, 1));
	TRY(syscall(SYS_pkey_mprotect, p + 2 * page, page, PROT_READ, -1));
	TRY(syscall(SYS_pkey_mprotect, p, -1ul, PROT_READ, 1));
	TRY(syscall(SYS_pkey_mprotect, p, page, 0x10000, 1));
	TRY(syscall(SYS_pkey_mprotect, p, page, 0x10000, -1));
	TRY(syscall(SYS_pkey_mprotect, p, 3 * page, PROT_READ, -1));
	abi_maps(p, 3);
}
