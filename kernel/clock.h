/* SPDX-License-Identifier: MIT */
/*
 * Time: the architecture's virtual counter as nanoseconds, and one timer interrupt per CPU.
 */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include "kernel/lib/types.h"

#define NSEC_PER_SEC 1000000000ull

/* Nanoseconds since the counter was 0 (the machine's reset): monotonic. */
u64 clock_ns(void);
/* CLOCK_REALTIME was this when clock_ns() was 0 (0 without a real-time clock). */
extern u64 realtime_boot_ns;

/* Calls clock_tick() once when clock_ns() has reached @deadline_ns, at once if it has; ~0ull =
 * never. */
void clock_arm(u64 deadline_ns);
/* The scheduler's; called from the interrupt, masked. The timer is then off until armed again. */
void clock_tick(void);

u32 clock_frequency(void);
u64 clock_mult(void); /* nanoseconds a tick of the counter, 32.32 */
void clock_init(void);
void clock_init_cpu(void); /* on each further CPU */

#endif
