/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues. Descriptors that are free form a chain through `next`; a request takes its head
 * and as many as it needs, and gives them back in one piece.
 *
 * The legacy layout (available ring behind the descriptors, used ring on the next page) suits
 * version 2 as well, so one allocation serves both.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/memory.h"
#include "kernel/arch/sysreg.h"
#include "kernel/drivers/virtio.h"
#include "kernel/drivers/virtio_mmio.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/mm.h"

static u32 get(struct virtio_dev *dev, u32 reg)
{
	return readl((char *)dev->regs + reg);
}

static void set(struct virtio_dev *dev, u32 reg, u32 v)
{
	writel(v, (char *)dev->regs + reg);
}

static void set64(struct virtio_dev *dev, u32 reg, u64 v)
{
	set(dev, reg, (u32)v);
	set(dev, reg + 4, (u32)(v >> 32));
}

static size_t used_offset(u32 size)
{
	size_t n = size * sizeof(struct virtq_desc) + sizeof(struct virtq_avail) +
	           (size + 1) * sizeof(u16);

	return ALIGN_UP(n, PAGE_SIZE);
}

static size_t ring_pages(u32 size)
{
	size_t used = sizeof(struct virtq_used) + size * sizeof(struct virtq_used_elem) + 2;

	return (used_offset(size) + ALIGN_UP(used, PAGE_SIZE)) / PAGE_SIZE;
}

static void tell_device(struct virtq *vq)
{
	struct virtio_dev *dev = vq->dev;

	set(dev, VMMIO_QUEUE_NUM, vq->size);
	if (dev->version == 1) {
		set(dev, VMMIO_QUEUE_ALIGN, PAGE_SIZE);
		set(dev, VMMIO_QUEUE_PFN, (u32)(virt_to_phys(vq->mem) >> PAGE_SHIFT));
		return;
	}
	set64(dev, VMMIO_QUEUE_DESC, virt_to_phys(vq->desc));
	set64(dev, VMMIO_QUEUE_DRIVER, virt_to_phys(vq->avail));
	set64(dev, VMMIO_QUEUE_DEVICE, virt_to_phys(vq->used));
	set(dev, VMMIO_QUEUE_READY, 1);
}

/* Version 1 holds a page number of 32 bits: RAM beyond 16 TiB cannot be told to it. */
static bool reachable(struct virtq *vq)
{
	return vq->dev->version != 1 || !(virt_to_phys(vq->mem) >> PAGE_SHIFT >> 32);
}

static void chain_all(struct virtq *vq)
{
	u16 i;

	for (i = 0; i < vq->size; i++)
		vq->desc[i].next = i + 1;
	vq->free_head = 0;
	vq->nr_free = vq->size;
}

struct virtq *virtio_add_queue(struct virtio_dev *dev, u32 index,
                               void (*done)(void *cookie, u32 len))
{
	struct virtq *vq;
	u32 most;

	if (index >= ARRAY_SIZE(dev->vq) || dev->vq[index])
		return NULL;
	set(dev, VMMIO_QUEUE_SEL, index);
	most = get(dev, VMMIO_QUEUE_NUM_MAX);
	vq = most ? kzalloc(sizeof(*vq)) : NULL;
	if (!vq)
		return NULL;
	vq->dev = dev;
	vq->index = (u16)index;
	vq->size = (u16)min(most, (u32)VIRTQ_MAX_SIZE);
	vq->done = done;
	vq->mem_pages = ring_pages(vq->size);
	vq->mem = kpages_alloc(vq->mem_pages);
	if (!vq->mem || !reachable(vq)) {
		kpages_free(vq->mem, vq->mem_pages);
		kfree(vq);
		return NULL;
	}
	vq->desc = vq->mem;
	vq->avail = (struct virtq_avail *)(vq->desc + vq->size);
	vq->used = (struct virtq_used *)((char *)vq->mem + used_offset(vq->size));
	chain_all(vq);
	tell_device(vq);
	dev->vq[index] = vq;
	return vq;
}

/* Fills one descriptor and returns the next free one. */
static u16 fill(struct virtq *vq, u16 i, const struct sg *sg, u16 flags)
{
	struct virtq_desc *d = &vq->desc[i];

	d->addr = virt_to_phys(sg->addr);
	d->len = (u32)sg->len;
	d->flags = flags;
	return d->next;
}

int virtq_submit(struct virtq *vq, const struct sg *out, u32 nout, const struct sg *in, u32 nin,
                 void *cookie)
{
	u32 n = nout + nin, k;
	unsigned long flags;
	u16 head, i;

	if (!n || n > vq->size)
		return -EINVAL;
	flags = spin_lock_irqsave(&vq->lock);
	if (n > vq->nr_free) {
		spin_unlock_irqrestore(&vq->lock, flags);
		return -ENOSPC;
	}
	head = i = vq->free_head;
	for (k = 0; k < n; k++) {
		u16 more = k + 1 < n ? VDESC_NEXT : 0;

		i = k < nout ? fill(vq, i, &out[k], more)
		             : fill(vq, i, &in[k - nout], more | VDESC_WRITE);
	}
	vq->free_head = i;
	vq->nr_free -= n;
	vq->cookie[head] = cookie;
	vq->avail->ring[vq->avail->idx % vq->size] = head;
	dma_wmb(); /* the entry before the index that publishes it */
	WRITE_ONCE(vq->avail->idx, vq->avail->idx + 1);
	dmb(osh); /* the index before the look whether the device wants to be told */
	if (!(READ_ONCE(vq->used->flags) & VUSED_NO_NOTIFY))
		set(vq->dev, VMMIO_QUEUE_NOTIFY, vq->index);
	spin_unlock_irqrestore(&vq->lock, flags);
	return 0;
}

/* Gives the chain from @head back. */
static void free_chain(struct virtq *vq, u16 head)
{
	u16 i = head, n = 1;

	for (; vq->desc[i].flags & VDESC_NEXT && n < vq->size; n++)
		i = vq->desc[i].next;
	vq->desc[i].next = vq->free_head;
	vq->free_head = head;
	vq->nr_free += n;
}

/* Takes the next finished request off the used ring. */
static bool next_used(struct virtq *vq, void **cookie, u32 *len)
{
	unsigned long flags = spin_lock_irqsave(&vq->lock);
	const struct virtq_used_elem *e;
	bool any = vq->last_used != READ_ONCE(vq->used->idx);

	if (any) {
		dma_rmb(); /* the index before the entry */
		e = &vq->used->ring[vq->last_used++ % vq->size];
		if (e->id >= vq->size)
			panic("virtio: the device returned descriptor %u", e->id);
		*cookie = vq->cookie[e->id];
		*len = e->len;
		free_chain(vq, (u16)e->id);
	}
	spin_unlock_irqrestore(&vq->lock, flags);
	return any;
}

void virtq_poll(struct virtq *vq)
{
	unsigned long flags = spin_lock_irqsave(&vq->poll_lock);
	bool any = false;
	void *cookie;
	u32 len;

	while (next_used(vq, &cookie, &len)) {
		any = true;
		vq->done(cookie, len);
	}
	spin_unlock_irqrestore(&vq->poll_lock, flags);
	if (any && vq->room)
		vq->room(vq);
}
