/* SPDX-License-Identifier: MIT */
/*
 * virtio entropy source: asked once at boot to seed the kernel's own generator, so it is polled.
 */
#include "kernel/arch/memory.h"
#include "kernel/clock.h"
#include "kernel/drivers/virtio.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/percpu.h"

#define RNG_PATIENCE_NS (2 * NSEC_PER_SEC)

static struct virtq *rng_vq;
static void *rng_page;
static volatile u32 rng_len;
static volatile bool rng_done;
static bool rng_late; /* an answer did not come in time: the page is the device's */

static void rng_complete(void *cookie, u32 len)
{
	rng_len = min(len, 4096u);
	rng_done = true;
}

int virtio_rng_probe(struct virtio_dev *dev)
{
	int err = virtio_negotiate(dev, 0);

	if (err || rng_vq)
		return err;
	rng_page = kpages_alloc(1);
	if (!rng_page)
		return -ENOMEM;
	rng_vq = virtio_add_queue(dev, 0, rng_complete);
	if (!rng_vq) {
		kpages_free(rng_page, 1);
		return -ENOMEM;
	}
	virtio_start(dev);
	return 0;
}

size_t virtio_rng_read(void *buf, size_t n)
{
	struct sg in = {rng_page, min(n, (size_t)4096)};
	u64 give_up = clock_ns() + RNG_PATIENCE_NS;
	size_t got;

	if (!rng_vq || rng_late)
		return 0;
	rng_done = false;
	if (virtq_submit(rng_vq, NULL, 0, &in, 1, NULL))
		return 0;
	while (!rng_done && clock_ns() < give_up)
		virtq_poll(rng_vq);
	if (!rng_done) {
		rng_late = true;
		return 0;
	}
	got = min(n, (size_t)rng_len);
	memcpy(buf, rng_page, got);
	memset(rng_page, 0, got);
	return got;
}
