/* SPDX-License-Identifier: MIT */
/* Vectors of user memory that a call is given: struct iovec. process_vm.c. */
#ifndef KERNEL_SYS_IOV_H
#define KERNEL_SYS_IOV_H

#include "kernel/fs/abi.h"
#include "kernel/lib/types.h"

/*
 * The n pieces at @uiov in memory of ours, *out to be freed in any case (it may be NULL). 0;
 * -EINVAL: too many, or one is too long; -EFAULT, -ENOMEM.
 */
int iov_import(struct abi_iovec **out, u64 uiov, u64 n);
/* All of them lie in user memory: 0, or -EFAULT. */
int iov_check_user(const struct abi_iovec *iov, u64 n);

#endif
