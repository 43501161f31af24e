/* SPDX-License-Identifier: MIT */
/*
 * virtio devices: finding them, negotiating, interrupts; the queues are in virtq.c.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/memory.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/virtio.h"
#include "kernel/drivers/virtio_mmio.h"
#include "kernel/irq.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/mm.h"

bool drivers_may_sleep;

static const struct {
	u32 id;
	int (*probe)(struct virtio_dev *dev);
} drivers[] = {
    {VIRTIO_ID_CONSOLE, virtio_console_probe},
    {VIRTIO_ID_RNG, virtio_rng_probe},
    {VIRTIO_ID_9P, virtio_9p_probe},
};

static u32 get(struct virtio_dev *dev, u32 reg)
{
	return readl((char *)dev->regs + reg);
}

static void set(struct virtio_dev *dev, u32 reg, u32 v)
{
	writel(v, (char *)dev->regs + reg);
}

static void add_status(struct virtio_dev *dev, u32 bits)
{
	set(dev, VMMIO_STATUS, get(dev, VMMIO_STATUS) | bits);
}

static u64 offered_features(struct virtio_dev *dev)
{
	u64 v;

	set(dev, VMMIO_DEVICE_FEATURES_SEL, 1);
	v = (u64)get(dev, VMMIO_DEVICE_FEATURES) << 32;
	set(dev, VMMIO_DEVICE_FEATURES_SEL, 0);
	return v | get(dev, VMMIO_DEVICE_FEATURES);
}

int virtio_negotiate(struct virtio_dev *dev, u64 wanted)
{
	set(dev, VMMIO_STATUS, 0);
	add_status(dev, VSTATUS_ACKNOWLEDGE);
	add_status(dev, VSTATUS_DRIVER);
	if (dev->version >= 2)
		wanted |= VIRTIO_F_VERSION_1;
	dev->features = offered_features(dev) & wanted;
	set(dev, VMMIO_DRIVER_FEATURES_SEL, 1);
	set(dev, VMMIO_DRIVER_FEATURES, (u32)(dev->features >> 32));
	set(dev, VMMIO_DRIVER_FEATURES_SEL, 0);
	set(dev, VMMIO_DRIVER_FEATURES, (u32)dev->features);
	if (dev->version < 2) {
		set(dev, VMMIO_GUEST_PAGE_SIZE, PAGE_SIZE);
		return 0;
	}
	if (!(dev->features & VIRTIO_F_VERSION_1))
		return -ENODEV;
	add_status(dev, VSTATUS_FEATURES_OK);
	return get(dev, VMMIO_STATUS) & VSTATUS_FEATURES_OK ? 0 : -ENODEV;
}

void virtio_start(struct virtio_dev *dev)
{
	add_status(dev, VSTATUS_DRIVER_OK);
}

void virtio_fail(struct virtio_dev *dev)
{
	add_status(dev, VSTATUS_FAILED);
}

u8 virtio_config8(struct virtio_dev *dev, u32 offset)
{
	return readb((char *)dev->regs + VMMIO_CONFIG + offset);
}

u16 virtio_config16(struct virtio_dev *dev, u32 offset)
{
	return readw((char *)dev->regs + VMMIO_CONFIG + offset);
}

u32 virtio_config32(struct virtio_dev *dev, u32 offset)
{
	return get(dev, VMMIO_CONFIG + offset);
}

static void virtio_interrupt(void *arg)
{
	struct virtio_dev *dev = arg;
	u32 status = get(dev, VMMIO_INTERRUPT_STATUS), i;

	set(dev, VMMIO_INTERRUPT_ACK, status);
	if (status & VINT_USED)
		for (i = 0; i < ARRAY_SIZE(dev->vq); i++)
			if (dev->vq[i])
				virtq_poll(dev->vq[i]);
	if (status & VINT_CONFIG && dev->config_changed)
		dev->config_changed(dev);
}

/* The driver for a device that is there; -ENODEV when nobody wants it. */
static int start_driver(struct virtio_dev *dev, int node)
{
	unsigned i;
	int err;

	for (i = 0; i < ARRAY_SIZE(drivers); i++)
		if (drivers[i].id == dev->id)
			break;
	if (i == ARRAY_SIZE(drivers) || !dt_irq(node, 0, &dev->intid))
		return -ENODEV;
	err = irq_request(dev->intid, virtio_interrupt, dev);
	if (err)
		return err;
	err = drivers[i].probe(dev);
	if (err)
		virtio_fail(dev);
	return err;
}

/* Devices stay for good, so only those that no driver took are given back. */
static void probe_node(int node)
{
	struct virtio_dev *dev;
	void __iomem *regs;
	u64 base, size;
	int err;

	if (!dt_reg(node, 0, &base, &size))
		return;
	regs = ioremap(base, size);
	/* An empty slot has device ID 0. */
	if (!regs || readl(regs) != VMMIO_MAGIC_VALUE || !readl((char *)regs + VMMIO_DEVICE_ID))
		return;
	dev = kzalloc(sizeof(*dev));
	if (!dev) {
		pr_err("virtio: no memory for the device at %lx\n", base);
		return;
	}
	dev->regs = regs;
	dev->version = readl((char *)regs + VMMIO_VERSION);
	dev->id = readl((char *)regs + VMMIO_DEVICE_ID);
	err = dev->version == 1 || dev->version == 2 ? start_driver(dev, node) : -ENODEV;
	if (err && err != -ENODEV)
		pr_err("virtio: device %u at %lx: error %d\n", dev->id, base, -err);
	else if (err)
		printk("virtio: device %u at %lx is not used\n", dev->id, base);
}

void virtio_init(void)
{
	int node = -1;

	while ((node = dt_next_compatible(node, "virtio,mmio")) >= 0)
		probe_node(node);
}
