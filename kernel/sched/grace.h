/* SPDX-License-Identifier: MIT */
/* Freeing after a grace period: see grace.c. */
#ifndef KERNEL_SCHED_GRACE_H
#define KERNEL_SCHED_GRACE_H

struct mmk_deferred;

void grace_init(void);
/* mmk_port.defer */
void port_defer(void *ctx, struct mmk_deferred *d);
/* Waits until all that has been deferred so far is free. */
void grace_drain(void);

#endif
