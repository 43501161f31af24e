/* SPDX-License-Identifier: MIT */
/* Descriptors of processes. */
#ifndef KERNEL_FS_PIDFD_H
#define KERNEL_FS_PIDFD_H

#include "kernel/fs/vfs.h"

struct process;

/* A file for @p, of which it takes a reference; flags: O_NONBLOCK or 0. 0 or -ENOMEM. */
int pidfd_file(struct process *p, u32 flags, struct file **out);
/*
 * The process of a descriptor, with a reference; NULL: it is no pidfd (EBADF). Its leader is NULL
 * once it has been waited for. flags (may be NULL): of the open file.
 */
struct process *pidfd_process(int fd, u32 *flags);
/* The same for pidfd_send_signal(2), which takes /proc/PID as well; NULL: *err says why. */
struct process *pidfd_or_proc_process(int fd, int *err);

#endif
