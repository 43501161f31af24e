/* SPDX-License-Identifier: MIT */
/*
 * Interrupts, above either version of the controller: who handles which, and the loop that entry.S
 * calls.
 */
#include "kernel/arch/thread.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/gic.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/percpu.h"
#include "kernel/spinlock.h"

#define STACK_RESERVE 1024

static const struct gic_ops *gic;
static struct spinlock irq_lock;

/* Written once under irq_lock before the interrupt is enabled, then only read. */
static struct irq_action {
	void (*fn)(void *);
	void *arg;
} actions[GIC_NR_INTIDS];

void gic_init(void)
{
	int node = dt_next_compatible(-1, "arm,gic-v3");

	if (node >= 0) {
		gic = gicv3_init(node);
	} else {
		node = dt_next_compatible(-1, "arm,cortex-a15-gic");
		if (node < 0)
			node = dt_next_compatible(-1, "arm,gic-400");
		if (node >= 0)
			gic = gicv2_init(node);
	}
	if (!gic)
		panic("no interrupt controller (GICv2 or GICv3)");
}

int gic_init_cpu(void)
{
	int err = gic->init_cpu();
	u32 intid;

	for (intid = 0; !err && intid < 32; intid++)
		if (READ_ONCE(actions[intid].fn))
			gic->enable(intid);
	return err;
}

void irq_send(u32 cpu, u32 sgi)
{
	gic->send_sgi(cpu, sgi);
}

int irq_request(u32 intid, void (*fn)(void *), void *arg)
{
	unsigned long flags;
	int err = 0;

	if (!gic)
		return -ENODEV;
	if (intid >= GIC_NR_INTIDS || !fn)
		return -EINVAL;
	flags = spin_lock_irqsave(&irq_lock);
	if (actions[intid].fn) {
		err = -EBUSY;
	} else {
		actions[intid].arg = arg;
		actions[intid].fn = fn;
		gic->enable(intid);
	}
	spin_unlock_irqrestore(&irq_lock, flags);
	return err;
}

void irq_set_trigger(u32 intid, enum irq_trigger trigger)
{
	/* Private interrupts have theirs by construction. */
	if (gic && intid >= 32 && intid < GIC_NR_INTIDS)
		gic->set_trigger(intid, trigger);
}

bool in_interrupt(void)
{
	return this_cpu()->irq_depth != 0;
}

/* Stacks are aligned to their size, so the lowest bits of sp are what is left of the one in use. */
static void check_stack(void)
{
	if (((u64)__builtin_frame_address(0) & (THREAD_SIZE - 1)) < STACK_RESERVE)
		panic("the kernel stack is used up");
}

void handle_irq(void)
{
	struct percpu *cpu = this_cpu();

	check_stack();

	cpu->irq_depth++;
	for (;;) {
		u32 iar = gic->acknowledge(), intid = iar & 0x3ff;

		if (intid >= GIC_SPURIOUS_FIRST)
			break;
		if (actions[intid].fn)
			actions[intid].fn(actions[intid].arg);
		else
			pr_warn("interrupt %u has no handler\n", intid);
		gic->end(iar);
	}
	cpu->irq_depth--;
}
