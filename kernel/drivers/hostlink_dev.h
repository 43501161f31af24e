/* SPDX-License-Identifier: MIT */
/* Between the virtio console, which moves bytes, and the host link, which gives them a meaning. */
#ifndef KERNEL_DRIVERS_HOSTLINK_DEV_H
#define KERNEL_DRIVERS_HOSTLINK_DEV_H

#include "kernel/drivers/virtio.h"

/* The stream to the host is these two queues. Posts the first buffers to receive into. */
void hostlink_attach(struct virtq *rx, struct virtq *tx);
/* Their done() callbacks. */
void hostlink_received(void *cookie, u32 len);
void hostlink_sent(void *cookie, u32 len);
/* The other end has gone: that ends standard input. */
void hostlink_hung_up(void);

#endif
