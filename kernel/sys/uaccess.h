/* SPDX-License-Identifier: MIT */
/*
 * The user's memory as system calls see it: 0 or -EFAULT. System calls get addresses as plain u64,
 * as they come in registers; these wrappers take them so.
 */
#ifndef KERNEL_SYS_UACCESS_H
#define KERNEL_SYS_UACCESS_H

#include "kernel/arch/uaccess.h"
#include "kernel/lib/errno.h"

static inline int copy_from_user(void *dst, u64 src, size_t n)
{
	return __copy_from_user(dst, (const void __user *)src, n) ? -EFAULT : 0;
}

static inline int copy_to_user(u64 dst, const void *src, size_t n)
{
	return __copy_to_user((void __user *)dst, src, n) ? -EFAULT : 0;
}

static inline int clear_user(u64 dst, size_t n)
{
	return __clear_user((void __user *)dst, n) ? -EFAULT : 0;
}

/* Length without the NUL, -ENAMETOOLONG when there is none among the first @size bytes, or -EFAULT.
 */
static inline long strncpy_from_user(char *dst, u64 src, long size)
{
	long n = __strncpy_from_user(dst, (const char __user *)src, size);

	return n == size ? -ENAMETOOLONG : n;
}

/* Read or write a variable of the caller, of its own size (4 or 8 bytes for the atomic ones). */
#define get_user(var, addr) copy_from_user(&(var), (u64)(addr), sizeof(var))
#define put_user(val, type, addr)                                                                  \
	({                                                                                         \
		type _pu = (type)(val);                                                            \
		copy_to_user((u64)(addr), &_pu, sizeof(_pu));                                      \
	})

#endif
