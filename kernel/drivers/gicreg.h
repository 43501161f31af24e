/* SPDX-License-Identifier: MIT */
/* Registers of the distributor that GICv2 and GICv3 (also its redistributors' second frame) share.
 */
#ifndef KERNEL_DRIVERS_GICREG_H
#define KERNEL_DRIVERS_GICREG_H

#include "kernel/arch/io.h"
#include "kernel/irq.h"

#define GICD_CTLR       0x000
#define GICD_TYPER      0x004
#define GICD_IGROUPR    0x080
#define GICD_ISENABLER  0x100
#define GICD_ICENABLER  0x180
#define GICD_ICPENDR    0x280
#define GICD_ICACTIVER  0x380
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR  0x800
#define GICD_ICFGR      0xc00

#define GICD_CTLR_GRP0 (1u << 0)
#define GICD_CTLR_GRP1 (1u << 1)

#define GIC_PRIORITY 0xa0a0a0a0u /* the same for all */

/* Two bits an interrupt; the upper one: edge. */
static inline void gic_set_config(char __iomem *gicd, u32 intid, enum irq_trigger trigger)
{
	char __iomem *reg = gicd + GICD_ICFGR + intid / 16 * 4;
	u32 bit = 2u << intid % 16 * 2, v = readl(reg);

	writel(trigger == IRQ_EDGE_RISING ? v | bit : v & ~bit, reg);
}

/* All shared interrupts disabled, idle, level, of one priority. Returns how many IDs there are. */
static inline u32 gic_reset_spis(char __iomem *gicd)
{
	u32 i, nr = ((readl(gicd + GICD_TYPER) & 0x1f) + 1) * 32;

	nr = min(nr, (u32)GIC_NR_INTIDS);
	for (i = 32; i < nr; i += 32) {
		writel(~0u, gicd + GICD_ICENABLER + i / 8);
		writel(~0u, gicd + GICD_ICPENDR + i / 8);
		writel(~0u, gicd + GICD_ICACTIVER + i / 8);
	}
	for (i = 32; i < nr; i += 16)
		writel(0, gicd + GICD_ICFGR + i / 4);
	for (i = 32; i < nr; i += 4)
		writel(GIC_PRIORITY, gicd + GICD_IPRIORITYR + i);
	return nr;
}

/* The same for the calling CPU's private ones; their triggers are left as they are. */
static inline void gic_reset_private(char __iomem *base)
{
	u32 i;

	writel(~0u, base + GICD_ICENABLER);
	writel(~0u, base + GICD_ICPENDR);
	writel(~0u, base + GICD_ICACTIVER);
	for (i = 0; i < 32; i += 4)
		writel(GIC_PRIORITY, base + GICD_IPRIORITYR + i);
}

#endif
