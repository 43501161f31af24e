/* SPDX-License-Identifier: MIT */
/* GICv2 (Arm IHI 0048): distributor and CPU interface, both memory-mapped. */
#include "kernel/arch/io.h"
#include "kernel/arch/memory.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/gic.h"
#include "kernel/drivers/gicreg.h"

#define GICC_CTLR 0x00
#define GICC_PMR  0x04
#define GICC_BPR  0x08
#define GICC_IAR  0x0c
#define GICC_EOIR 0x10

static char __iomem *gicd, *gicc;

static u32 gicv2_acknowledge(void)
{
	return readl(gicc + GICC_IAR);
}

static void gicv2_end(u32 iar)
{
	writel(iar, gicc + GICC_EOIR);
}

static void gicv2_enable(u32 intid)
{
	writel(1u << intid % 32, gicd + GICD_ISENABLER + intid / 32 * 4);
}

static void gicv2_set_trigger(u32 intid, enum irq_trigger trigger)
{
	gic_set_config(gicd, intid, trigger);
}

static const struct gic_ops gicv2_ops = {
    .acknowledge = gicv2_acknowledge,
    .end = gicv2_end,
    .enable = gicv2_enable,
    .set_trigger = gicv2_set_trigger,
};

/* Every CPU may read which bit it has among the targets, from the registers of its own interrupts.
 */
static u32 this_cpu_target(void)
{
	u32 i, mask = 0;

	for (i = 0; i < 32 && !mask; i += 4)
		mask = readl(gicd + GICD_ITARGETSR + i);
	mask |= mask >> 16;
	mask |= mask >> 8;
	mask &= 0xff;
	return mask ? mask : 1;
}

const struct gic_ops *gicv2_init(int node)
{
	u64 dbase, dsize, cbase, csize;
	u32 i, nr, target;

	if (!dt_reg(node, 0, &dbase, &dsize) || !dt_reg(node, 1, &cbase, &csize))
		return NULL;
	gicd = ioremap(dbase, dsize);
	gicc = ioremap(cbase, csize);
	if (!gicd || !gicc)
		return NULL;
	writel(0, gicd + GICD_CTLR);
	nr = gic_reset_spis(gicd);
	target = this_cpu_target() * 0x01010101u;
	for (i = 32; i < nr; i += 4)
		writel(target, gicd + GICD_ITARGETSR + i);
	gic_reset_private(gicd);
	writel(GICD_CTLR_GRP0 | GICD_CTLR_GRP1, gicd + GICD_CTLR);
	writel(0xff, gicc + GICC_PMR);
	writel(0, gicc + GICC_BPR);
	writel(1, gicc + GICC_CTLR);
	return &gicv2_ops;
}
