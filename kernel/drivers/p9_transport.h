/* SPDX-License-Identifier: MIT */
/*
 * 9P messages over virtio: one channel per device, named by its mount tag. A request is one message
 * out and one in; a large payload may lie in buffers of its own, which the device reads or writes
 * directly.
 */
#ifndef KERNEL_DRIVERS_P9_TRANSPORT_H
#define KERNEL_DRIVERS_P9_TRANSPORT_H

#include "kernel/drivers/virtio.h"
#include "kernel/lib/types.h"

#define P9_MAX_SG 64 /* stretches of payload in one request, both ways together */

struct p9_virtio;

/* NULL when no device has this tag. */
struct p9_virtio *p9_virtio_find(const char *tag);

/*
 * Sends @tx (then the @nout buffers of @out), and waits for the answer in @rx (which continues in
 * the @nin buffers of @in). All memory must be physically contiguous per stretch (linear map or
 * kernel image), and stay until this returns. Many callers at once. *rxlen is how many bytes came
 * in all.
 *
 * Note that @in begins at byte rxmax of the answer: for Tread that is to be 11 (the header with its
 * count). An error answer may then reach into @in; it is shorter than rxmax + the buffers in any
 * case.
 *
 * Returns 0, -ENOMEM, -EINVAL (more stretches than the queue has), -EIO (the device is broken).
 */
int p9_virtio_request(struct p9_virtio *chan, const void *tx, size_t txlen, void *rx, size_t rxmax,
                      const struct sg *out, u32 nout, const struct sg *in, u32 nin, size_t *rxlen);

#endif
