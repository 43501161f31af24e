/* SPDX-License-Identifier: MIT */
/*
 * The interrupt controller: GICv3 (system registers, redistributors) or GICv2 (memory-mapped CPU
 * interface), as the device tree has it. gic.c dispatches; each version fills this table.
 */
#ifndef KERNEL_DRIVERS_GIC_H
#define KERNEL_DRIVERS_GIC_H

#include "kernel/irq.h"
#include "kernel/lib/types.h"

#define GIC_SPURIOUS_FIRST 1020

struct gic_ops {
	/* The interrupt to be handled now, as the controller names it (v2: with the CPU in bits
	 * 12:10). */
	u32 (*acknowledge)(void);
	void (*end)(u32 iar);
	void (*enable)(u32 intid);
	void (*set_trigger)(u32 intid, enum irq_trigger trigger);
	/* The calling CPU's private interrupts (all disabled) and its interface. 0 or -ENODEV. */
	int (*init_cpu)(void);
	/* A software-generated interrupt for another CPU; it sees all that was stored before. */
	void (*send_sgi)(u32 cpu, u32 intid);
};

void gic_init(void);
/* On each further CPU: its interface, and the private interrupts that have a handler. */
int gic_init_cpu(void);
/* 0, or -errno when the device at @node cannot be used. */
const struct gic_ops *gicv3_init(int node);
const struct gic_ops *gicv2_init(int node);

#endif
