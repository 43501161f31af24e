/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: masking on this CPU, and handlers by GIC interrupt ID (0-15 SGI, 16-31 PPI, 32..
 * SPI).
 */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include "kernel/lib/types.h"

#define GIC_NR_INTIDS 1020

static inline void local_irq_enable(void)
{
	__asm__ volatile("msr daifclr, #2" ::: "memory");
}

static inline void local_irq_disable(void)
{
	__asm__ volatile("msr daifset, #2" ::: "memory");
}

static inline unsigned long local_irq_save(void)
{
	unsigned long daif;

	__asm__ volatile("mrs %0, daif" : "=r"(daif));
	local_irq_disable();
	return daif;
}

static inline void local_irq_restore(unsigned long daif)
{
	__asm__ volatile("msr daif, %0" : : "r"(daif) : "memory");
}

static inline bool irqs_disabled(void)
{
	unsigned long daif;

	__asm__ volatile("mrs %0, daif" : "=r"(daif));
	return daif & (1 << 7);
}

/* True between the entry and the exit of an interrupt handler on this CPU. */
bool in_interrupt(void);

/* Sleeps until an interrupt is pending (also while they are masked). */
static inline void cpu_wait_for_interrupt(void)
{
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

enum irq_trigger { IRQ_LEVEL_HIGH, IRQ_EDGE_RISING };

/*
 * Calls fn(arg) with interrupts masked whenever @intid fires, on CPU 0 for an SPI; enables it.
 * Returns 0, -EINVAL (no such interrupt), -EBUSY (taken) or -ENODEV (no interrupt controller).
 */
int irq_request(u32 intid, void (*fn)(void *), void *arg);
/* As above, for an interrupt that is not active high level. To be called before irq_request(). */
void irq_set_trigger(u32 intid, enum irq_trigger trigger);
/* Raises SGI @sgi on another CPU, which sees all that was stored before. */
void irq_send(u32 cpu, u32 sgi);

/* For entry.S: asks the interrupt controller what fired, until nothing more is pending. */
void handle_irq(void);

#endif
