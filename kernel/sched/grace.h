/* SPDX-License-Identifier: MIT */
/* Freeing after a grace period: see grace.c. */
#ifndef KERNEL_SCHED_GRACE_H
#define KERNEL_SCHED_GRACE_H

#include "kernel/lib/types.h"

struct mmk_deferred;

void grace_init(void);
/* mmk_port.defer */
void port_defer(void *ctx, struct mmk_deferred *d);
/* How many objects have been deferred and are not free yet. */
u64 grace_waiting(void);
/* Waits until all that has been deferred so far is free. */
void grace_drain(void);

#endif
