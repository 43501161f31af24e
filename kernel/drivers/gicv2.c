/* SPDX-License-Identifier: MIT */
/* GICv2 (Arm IHI 0048): distributor and CPU interface, both memory-mapped. */
#include "kernel/arch/io.h"
#include "kernel/arch/memory.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/gic.h"
#include "kernel/drivers/gicreg.h"
#include "kernel/percpu.h"

#define GICD_SGIR 0xf00
#define GICC_CTLR 0x00
#define GICC_PMR  0x04
#define GICC_BPR  0x08
#define GICC_IAR  0x0c
#define GICC_EOIR 0x10

static char __iomem *gicd, *gicc;
static u8 target_of[NR_CPUS]; /* each CPU's bit among the targets; written by itself as it starts */

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

static void gicv2_send_sgi(u32 cpu, u32 intid)
{
	dsb(ishst);
	writel((u32)target_of[cpu] << 16 | intid, gicd + GICD_SGIR);
}

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

/* The distributor's registers of private interrupts are each CPU's own. */
static int gicv2_init_cpu(void)
{
	target_of[cpu_id()] = (u8)this_cpu_target();
	gic_reset_private(gicd);
	writel(0xff, gicc + GICC_PMR);
	writel(0, gicc + GICC_BPR);
	writel(1, gicc + GICC_CTLR);
	return 0;
}

static const struct gic_ops gicv2_ops = {
    .acknowledge = gicv2_acknowledge,
    .end = gicv2_end,
    .enable = gicv2_enable,
    .set_trigger = gicv2_set_trigger,
    .init_cpu = gicv2_init_cpu,
    .send_sgi = gicv2_send_sgi,
};

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
	writel(GICD_CTLR_GRP0 | GICD_CTLR_GRP1, gicd + GICD_CTLR);
	gicv2_init_cpu();
	return &gicv2_ops;
}
