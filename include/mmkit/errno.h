/* SPDX-License-Identifier: MIT */
/* Linux's error numbers (asm-generic), the ones that the memory calls answer with. */
#ifndef MMKIT_ERRNO_H
#define MMKIT_ERRNO_H

#define MMK_EPERM      1
#define MMK_ENOENT     2
#define MMK_EINTR      4
#define MMK_EIO	       5
#define MMK_E2BIG      7
#define MMK_EBADF      9
#define MMK_EAGAIN     11
#define MMK_ENOMEM     12
#define MMK_EACCES     13
#define MMK_EFAULT     14
#define MMK_EBUSY      16
#define MMK_EEXIST     17
#define MMK_ENODEV     19
#define MMK_EINVAL     22
#define MMK_ETXTBSY    26
#define MMK_EFBIG      27
#define MMK_ENOSPC     28
#define MMK_ENOSYS     38
#define MMK_EOVERFLOW  75
#define MMK_ENAMETOOLONG 36
#define MMK_EOPNOTSUPP 95

#endif
