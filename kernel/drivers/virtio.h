/* SPDX-License-Identifier: MIT */
/*
 * virtio over MMIO, legacy (version 1) and version 2, with split virtqueues.
 *
 * A driver is a table row (device id, probe function). A queue is filled by virtq_submit(), which
 * takes any number of buffers for the device to read and to write, and reported back through the
 * queue's done() callback with the submitter's cookie, from the interrupt.
 */
#ifndef KERNEL_DRIVERS_VIRTIO_H
#define KERNEL_DRIVERS_VIRTIO_H

#include "kernel/lib/types.h"
#include "kernel/spinlock.h"

#define VIRTIO_ID_BLOCK   2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_RNG     4
#define VIRTIO_ID_9P      9

#define VIRTIO_F_VERSION_1 (1ull << 32)

#define VIRTQ_MAX_SIZE 128

/* A stretch of memory, contiguous in physical memory: linear map or kernel image. */
struct sg {
	void *addr;
	size_t len;
};

struct virtq_desc;
struct virtq_avail;
struct virtq_used;
struct virtio_dev;

struct virtq {
	struct virtio_dev *dev;
	struct spinlock lock;      /* inside poll_lock */
	struct spinlock poll_lock; /* one done() at a time, in the device's order */
	u16 index;
	u16 size;
	void *priv;    /* the driver's own */
	u16 nr_free;   /* lock */
	u16 free_head; /* lock */
	u16 last_used; /* lock */
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	void (*done)(void *cookie, u32 len);
	void (*room)(struct virtq *vq); /* descriptors came free; may be NULL */
	void *cookie[VIRTQ_MAX_SIZE];   /* lock; by head descriptor */
	void *mem;
	size_t mem_pages;
};

struct virtio_dev {
	void __iomem *regs;
	u32 intid;
	u32 version;
	u32 id;
	u64 features; /* negotiated */
	struct virtq *vq[8];
	u32 nr_vq;
	void (*config_changed)(struct virtio_dev *dev);
	void *priv;
};

/* Finds every device of the device tree and starts the drivers. Needs the memory system. */
void virtio_init(void);

/* kernel_init() sets this once wait_event() works and interrupts are on; drivers poll until then.
 */
extern bool drivers_may_sleep;

/* For drivers. Reset, ACKNOWLEDGE, DRIVER and FEATURES_OK; 0 or -errno. */
int virtio_negotiate(struct virtio_dev *dev, u64 wanted);
/* Makes queue @index; done() comes from the interrupt. NULL without memory or such a queue. */
struct virtq *virtio_add_queue(struct virtio_dev *dev, u32 index,
                               void (*done)(void *cookie, u32 len));
void virtio_start(struct virtio_dev *dev);
void virtio_fail(struct virtio_dev *dev);
u8 virtio_config8(struct virtio_dev *dev, u32 offset);
u16 virtio_config16(struct virtio_dev *dev, u32 offset);
u32 virtio_config32(struct virtio_dev *dev, u32 offset);

/*
 * Queues @nout buffers to read and @nin to write, as one request, and tells the device.
 * Returns 0; -ENOSPC when there are not enough free descriptors now; -EINVAL for more than ever
 * fit.
 */
int virtq_submit(struct virtq *vq, const struct sg *out, u32 nout, const struct sg *in, u32 nin,
                 void *cookie);
/*
 * Handles what the device has finished; for the interrupt, and for those who poll. done() runs with
 * interrupts off and may submit to the queue again.
 */
void virtq_poll(struct virtq *vq);

/* Random bytes from virtio-rng devices; returns how many there were. Only before tasks run. */
size_t virtio_rng_read(void *buf, size_t n);

int virtio_console_probe(struct virtio_dev *dev);
int virtio_rng_probe(struct virtio_dev *dev);
int virtio_9p_probe(struct virtio_dev *dev);

#endif
