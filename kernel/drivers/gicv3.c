/* SPDX-License-Identifier: MIT */
/*
 * GICv3 (Arm IHI 0069): distributor for shared interrupts, a redistributor for each CPU's private
 * ones, and the CPU interface in system registers. All our interrupts are non-secure group 1.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/memory.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/gic.h"
#include "kernel/drivers/gicreg.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/percpu.h"

#define GICD_CTLR_ARE  (1u << 4)
#define GICD_CTLR_RWP  (1u << 31)
#define GICD_IROUTER   0x6000
#define GICR_WAKER     0x0014
#define GICR_CTLR      0x0000
#define GICR_TYPER     0x0008
#define GICR_SGI_FRAME 0x10000

#define GICR_CTLR_RWP          (1u << 3)
#define GICR_TYPER_VLPIS       (1u << 1)
#define GICR_TYPER_LAST        (1u << 4)
#define GICR_WAKER_PSLEEP      (1u << 1)
#define GICR_WAKER_CHILDASLEEP (1u << 2)

#define ICC_SRE_EL1     S3_0_C12_C12_5
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_BPR1_EL1    S3_0_C12_C12_3
#define ICC_CTLR_EL1    S3_0_C12_C12_4
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_SGI1R_EL1   S3_0_C12_C11_5

/* read_sysreg() pastes the name as it stands, so let the macros above be replaced first. */
#define read_icc(reg)     read_sysreg(reg)
#define write_icc(v, reg) write_sysreg(v, reg)

static char __iomem *gicd;
static char __iomem *gicr_sgi[NR_CPUS]; /* each CPU's own; written by itself as it starts */
static int gic_node;

static u32 gicv3_acknowledge(void)
{
	u32 iar = (u32)read_icc(ICC_IAR1_EL1) & 0xffffff;

	dsb(sy);
	/* IDs from 8192 (LPIs) are never enabled; to the dispatcher they are spurious. */
	return iar < GIC_NR_INTIDS ? iar : 1023;
}

static void gicv3_end(u32 iar)
{
	write_icc(iar, ICC_EOIR1_EL1);
	isb();
}

static void gicv3_enable(u32 intid)
{
	char __iomem *base = intid < 32 ? gicr_sgi[cpu_id()] : gicd;

	writel(1u << intid % 32, base + GICD_ISENABLER + intid / 32 * 4);
}

static void gicv3_set_trigger(u32 intid, enum irq_trigger trigger)
{
	gic_set_config(gicd, intid, trigger);
}

/* Affinities 3, 2 and 1 name a group of CPUs, of which 16 are told from a list of bits. */
static void gicv3_send_sgi(u32 cpu, u32 intid)
{
	u64 mpidr = percpu_area[cpu].mpidr, aff0 = mpidr & 0xff;
	u64 to = (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 |
	         (mpidr >> 8 & 0xff) << 16 | (aff0 >> 4) << 44 | 1ull << (aff0 & 15);

	dsb(ishst);
	write_icc(to | (u64)intid << 24, ICC_SGI1R_EL1);
	isb();
}

static void wait_clear(char __iomem *reg, u32 bit)
{
	while (readl(reg) & bit)
		cpu_relax();
}

static u64 cpu_affinity(void)
{
	u64 mpidr = this_cpu()->mpidr;

	return (mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24;
}

/* This CPU's redistributor: frames follow each other until one says that it is the last. */
static char __iomem *find_redistributor(int node)
{
	u64 base, size, at;
	unsigned n, regions = dt_u32(node, "#redistributor-regions", 1);

	for (n = 1; n <= regions && dt_reg(node, n, &base, &size); n++) {
		char __iomem *r = ioremap(base, size);

		for (at = 0; r && at + 0x20000 <= size;) {
			u64 typer = readq(r + at + GICR_TYPER);

			if (typer >> 32 == cpu_affinity())
				return r + at;
			if (typer & GICR_TYPER_LAST)
				break;
			at += typer & GICR_TYPER_VLPIS ? 0x40000 : 0x20000;
		}
	}
	return NULL;
}

static void init_distributor(void)
{
	u32 i, nr;

	writel(0, gicd + GICD_CTLR);
	wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
	nr = gic_reset_spis(gicd);
	for (i = 32; i < nr; i += 32)
		writel(~0u, gicd + GICD_IGROUPR + i / 8);
	/* Group 1, affinity routing; where security is on, the bits have the same places in our
	 * view. */
	writel(GICD_CTLR_ARE | GICD_CTLR_GRP1 | GICD_CTLR_GRP0, gicd + GICD_CTLR);
	wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
	for (i = 32; i < nr; i++)
		writeq(this_cpu()->mpidr, gicd + GICD_IROUTER + 8 * i);
}

static void init_redistributor(char __iomem *gicr)
{
	writel(readl(gicr + GICR_WAKER) & ~GICR_WAKER_PSLEEP, gicr + GICR_WAKER);
	wait_clear(gicr + GICR_WAKER, GICR_WAKER_CHILDASLEEP);
	gicr += GICR_SGI_FRAME;
	gicr_sgi[cpu_id()] = gicr;
	gic_reset_private(gicr);
	writel(~0u, gicr + GICD_IGROUPR);
	gicr -= GICR_SGI_FRAME;
	wait_clear(gicr + GICR_CTLR, GICR_CTLR_RWP);
}

static void init_cpu_interface(void)
{
	write_icc(read_icc(ICC_SRE_EL1) | 1, ICC_SRE_EL1);
	isb();
	write_icc(0xff, ICC_PMR_EL1);
	write_icc(0, ICC_BPR1_EL1);
	write_icc(0, ICC_CTLR_EL1); /* one write ends an interrupt */
	write_icc(1, ICC_IGRPEN1_EL1);
	isb();
}

static int gicv3_init_cpu(void)
{
	char __iomem *gicr = find_redistributor(gic_node);

	if (!gicr) {
		pr_err("gicv3: no redistributor for CPU %u\n", cpu_id());
		return -ENODEV;
	}
	init_redistributor(gicr);
	init_cpu_interface();
	return 0;
}

static const struct gic_ops gicv3_ops = {
    .acknowledge = gicv3_acknowledge,
    .end = gicv3_end,
    .enable = gicv3_enable,
    .set_trigger = gicv3_set_trigger,
    .init_cpu = gicv3_init_cpu,
    .send_sgi = gicv3_send_sgi,
};

const struct gic_ops *gicv3_init(int node)
{
	u64 base, size;

	if (!dt_reg(node, 0, &base, &size))
		return NULL;
	gicd = ioremap(base, size);
	if (!gicd)
		return NULL;
	gic_node = node;
	init_distributor();
	return gicv3_init_cpu() ? NULL : &gicv3_ops;
}
