/* SPDX-License-Identifier: MIT */
/*
 * System calls: `long sys_NAME(u64 a0, ...)` with the arguments that the call has, all of them u64
 * as they come in x0..x5. The table holds them as functions of six: by the procedure call standard
 * (AAPCS64) arguments that a function does not declare are registers that it does not look at.
 *
 * A result of -1..-4095 is -errno. A call that returns -ERESTARTSYS and the like
 * (kernel/lib/errno.h) has a signal waiting: the signal code turns it into a restart or into
 * -EINTR.
 */
#ifndef KERNEL_SYS_SYSCALL_H
#define KERNEL_SYS_SYSCALL_H

#include "kernel/lib/types.h"

typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);

struct timespec64 {
	s64 sec, nsec;
};
struct timeval64 {
	s64 sec, usec;
};

#define TIMER_ABSTIME 1u

/* From user memory to nanoseconds: 0, -EFAULT, -EINVAL. Saturates. */
int get_user_timespec(u64 *ns, u64 addr);
int put_user_timespec(u64 ns, u64 addr);

/* struct itimerspec in nanoseconds, likewise. */
struct itimer_ns {
	u64 interval, value;
};
int get_user_itimerspec(struct itimer_ns *v, u64 addr);
int put_user_itimerspec(const struct itimer_ns *v, u64 addr);

/* A clock by its number: 0, -EINVAL. */
int read_clock(s32 id, u64 *ns);
/* Those of CPU time: with proc_lock held, for negative numbers; and the number by which the clock of
 * the calling process or thread is known everywhere. */
int cpu_clock_locked(s32 id, u64 *ns);
s32 cpu_clock_absolute(s32 id);

/* CLOCK_REALTIME in nanoseconds since 1970. */
u64 realtime_ns(void);
/* The uts name, for /proc/version and /proc/sys/kernel. */
extern const char uts_release[], uts_version[];
void uts_hostname(char *buf, size_t size);

#endif
