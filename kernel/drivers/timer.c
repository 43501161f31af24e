/* SPDX-License-Identifier: MIT */
/*
 * The generic timer's virtual counter and timer.
 *
 * Ticks become nanoseconds by one 128-bit product: ticks * mult >> 32, mult = 10^9 * 2^32 /
 * frequency. It is exact where the frequency divides 10^9 (62.5 MHz, 1 GHz), else below one part in
 * 2^32 off, and nothing overflows before the counter does.
 */
#include "kernel/arch/sysreg.h"
#include "kernel/clock.h"
#include "kernel/drivers/dt.h"
#include "kernel/irq.h"
#include "kernel/lib/printk.h"
#include "kernel/percpu.h"

#define CTL_ENABLE (1 << 0)

#define DT_VIRTUAL_TIMER 2 /* of the node's interrupts: secure, physical, virtual, hypervisor */

static u64 mult;   /* nanoseconds a tick, 32.32 */
static u64 unmult; /* ticks a nanosecond, 32.32 */
static u32 frequency;

static u64 scale(u64 v, u64 by)
{
	return (u64)((u128)v * by >> 32);
}

static u64 counter(void)
{
	isb(); /* not before what precedes it in the program */
	return read_sysreg(cntvct_el0);
}

u64 clock_ns(void)
{
	return scale(counter(), mult);
}

u64 clock_mult(void)
{
	return mult;
}

u32 clock_frequency(void)
{
	return frequency;
}

void clock_arm(u64 deadline_ns)
{
	u64 now, ticks;

	if (deadline_ns == ~0ull) {
		write_sysreg(0, cntv_ctl_el0);
		return;
	}
	now = counter();
	deadline_ns -= min(deadline_ns, scale(now, mult));
	/* Rounded up, so that the time has come when the interrupt has. */
	ticks = scale(deadline_ns, unmult) + 1;
	write_sysreg(now + ticks, cntv_cval_el0);
	write_sysreg(CTL_ENABLE, cntv_ctl_el0);
	isb();
}

static void timer_interrupt(void *arg)
{
	write_sysreg(0, cntv_ctl_el0);
	isb();
	clock_tick();
}

void clock_init_cpu(void)
{
	write_sysreg(0, cntv_ctl_el0);
	isb();
}

void clock_init(void)
{
	int node = dt_next_compatible(-1, "arm,armv8-timer");
	u32 intid;

	if (node < 0)
		node = dt_next_compatible(-1, "arm,armv7-timer");
	frequency = (u32)read_sysreg(cntfrq_el0);
	if (!frequency && node >= 0)
		frequency = dt_u32(node, "clock-frequency", 0);
	if (node < 0 || !frequency || !dt_irq(node, DT_VIRTUAL_TIMER, &intid))
		panic("no generic timer");
	mult = (NSEC_PER_SEC << 32) / frequency;
	unmult = ((u64)frequency << 32) / NSEC_PER_SEC;
	write_sysreg(0, cntv_ctl_el0);
	if (irq_request(intid, timer_interrupt, NULL))
		panic("no interrupt for the timer");
}
