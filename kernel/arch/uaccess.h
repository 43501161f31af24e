/* SPDX-License-Identifier: MIT */
/*
 * The user's memory as the kernel may touch it. The copies use unprivileged loads and stores: the
 * MMU itself checks that the user could have done the same, so all that is looked at before is that
 * the address lies in the lower half and has no tag (Linux takes tagged ones only from programs
 * that have asked for it by prctl). A fault goes through do_kernel_uaccess_fault(), which may bring
 * the page in; so these may sleep.
 */
#ifndef KERNEL_ARCH_UACCESS_H
#define KERNEL_ARCH_UACCESS_H

#include "kernel/lib/types.h"

/* These return how many of the @n bytes could not be copied; all before them have been. */
size_t __copy_from_user(void *dst, const void __user *src, size_t n);
size_t __copy_to_user(void __user *dst, const void *src, size_t n);
size_t __clear_user(void __user *dst, size_t n);

/*
 * Copies a string of less than @max bytes with its NUL. Returns its length without the NUL, @max
 * when no NUL was among the first @max bytes (then @dst is not terminated), or -EFAULT.
 */
long __strncpy_from_user(char *dst, const char __user *src, long max);

/* 0 or -EFAULT. */
int get_user_u32(u32 *v, const u32 __user *p);
int get_user_u64(u64 *v, const u64 __user *p);
int put_user_u32(u32 v, u32 __user *p);
int put_user_u64(u64 v, u64 __user *p);

/*
 * Atomic on a naturally aligned word: stores @val if *@p is @old; @seen is what was there.
 * Returns 0 (look at @seen) or -EFAULT.
 */
int cmpxchg_user_u32(u32 __user *p, u32 old, u32 val, u32 *seen);

/*
 * The address without the tag in its top byte: of one in the lower half (bit 55 clear), else as it
 * is.
 */
static inline u64 untagged_addr(u64 addr)
{
	return addr & (u64)((s64)(addr << 8) >> 8);
}

#endif
