/* SPDX-License-Identifier: MIT */
/*
 * Bringing up the other CPUs by PSCI, and the three interrupts that CPUs send each other.
 */
#include "kernel/smp.h"

#include "kernel/arch/memory.h"
#include "kernel/arch/psci.h"
#include "kernel/arch/sysreg.h"
#include "kernel/boot.h"
#include "kernel/boot/main.h"
#include "kernel/clock.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/gic.h"
#include "kernel/irq.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/percpu.h"
#include "kernel/sched/sched.h"

#define SGI_RESCHEDULE 0
#define SGI_CALL       1
#define SGI_STOP       2

#define START_TIMEOUT_NS (60 * NSEC_PER_SEC) /* on a busy host nothing comes soon */
#define STOP_TIMEOUT_NS  (NSEC_PER_SEC / 20)

extern char secondary_entry[];

u32 nr_cpus = 1;
static u64 online = 1; /* atomic */
static u64 awaited;    /* atomic: have been started, and neither come nor been given up */
static u64 stopped;    /* atomic: those that SGI_STOP has reached */

static struct call {
	struct spinlock lock; /* one call at a time; taken with interrupts on */
	void (*fn)(void *arg);
	void *arg;
	u64 pending; /* atomic: who has not returned yet */
} call;

u64 cpus_online(void)
{
	return __atomic_load_n(&online, __ATOMIC_ACQUIRE);
}

/* ------------------------------------------------------------------ interrupts among CPUs */

void smp_send_reschedule(u32 cpu)
{
	irq_send(cpu, SGI_RESCHEDULE);
}

/* The way out of it looks at what there is to do. */
static void reschedule_interrupt(void *arg)
{
}

static void call_interrupt(void *arg)
{
	u64 me = 1ull << cpu_id();

	/* The bit comes and goes with the call: an interrupt without it came too late. */
	if (!(__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE) & me))
		return;
	call.fn(call.arg);
	__atomic_fetch_and(&call.pending, ~me, __ATOMIC_RELEASE);
}

static void send_all(u64 mask, u32 sgi)
{
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++)
		if (mask >> cpu & 1)
			irq_send(cpu, sgi);
}

void smp_call(u64 mask, void (*fn)(void *), void *arg)
{
	mask &= cpus_online() & ~(1ull << cpu_id());
	if (!mask)
		return;
	/* Who waits here still answers the call of the one who has the lock. */
	spin_lock(&call.lock);
	call.fn = fn;
	call.arg = arg;
	__atomic_store_n(&call.pending, mask, __ATOMIC_RELEASE);
	send_all(mask, SGI_CALL);
	while (__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE))
		cpu_relax();
	spin_unlock(&call.lock);
}

static void stop_interrupt(void *arg)
{
	__atomic_fetch_or(&stopped, 1ull << cpu_id(), __ATOMIC_RELEASE);
	local_irq_disable();
	for (;;)
		cpu_wait_for_interrupt();
}

/* One that spins with interrupts masked does not hear of it; there is no waiting for it. */
void smp_stop_others(void)
{
	u64 others = cpus_online() & ~(1ull << cpu_id()), end;

	if (!others)
		return;
	end = clock_ns() + STOP_TIMEOUT_NS;
	send_all(others, SGI_STOP);
	while ((__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) & others) != others && clock_ns() < end)
		cpu_relax();
}

/* ------------------------------------------------------------------ start */

static u32 cpu_limit(void)
{
	const char *max = cmdline_get("maxcpus");

	if (cmdline_get("nosmp"))
		return 1;
	if (!max || !*max)
		return NR_CPUS;
	return max_t(u32, 1, min_t(u64, strtoul(max, NULL, 10), NR_CPUS));
}

/* The one that booted is number 0; the others follow in the order of the device tree. */
void smp_find_cpus(void)
{
	u32 i, limit = cpu_limit();
	u64 mpidr;

	for (i = 0; nr_cpus < limit && dt_cpu(i, &mpidr); i++) {
		if (mpidr == percpu_area[0].mpidr)
			continue;
		percpu_area[nr_cpus].id = nr_cpus;
		percpu_area[nr_cpus].mpidr = mpidr;
		nr_cpus++;
	}
}

/* True for one caller. */
static bool take_awaited(u32 cpu)
{
	return __atomic_fetch_and(&awaited, ~(1ull << cpu), __ATOMIC_ACQ_REL) >> cpu & 1;
}

/* One that has been given up stays away. */
static bool wait_online(u32 cpu)
{
	u64 end = clock_ns() + START_TIMEOUT_NS;

	while (!(cpus_online() >> cpu & 1)) {
		if (clock_ns() >= end && take_awaited(cpu))
			return false;
		cpu_relax();
	}
	return true;
}

static bool start_cpu(u32 cpu)
{
	struct percpu *p = &percpu_area[cpu];
	int err = sched_make_idle(cpu);

	/* Its registers are set up with the MMU off, but nothing is read from memory before it is
	 * on. */
	__atomic_fetch_or(&awaited, 1ull << cpu, __ATOMIC_RELEASE);
	if (!err)
		err = psci_cpu_on(p->mpidr, virt_to_phys(secondary_entry), (u64)p);
	if (!err && wait_online(cpu))
		return true;
	pr_err("CPU %u (%lx) does not start: error %d\n", cpu, p->mpidr, err);
	return false;
}

void smp_start_cpus(void)
{
	u32 cpu, running = 1;

	if (nr_cpus == 1)
		return;
	if (irq_request(SGI_RESCHEDULE, reschedule_interrupt, NULL) ||
	    irq_request(SGI_CALL, call_interrupt, NULL) ||
	    irq_request(SGI_STOP, stop_interrupt, NULL))
		panic("no interrupts between CPUs");
	for (cpu = 1; cpu < nr_cpus; cpu++)
		running += start_cpu(cpu);
	printk("%u of %u CPUs run\n", running, nr_cpus);
}

void secondary_main(void)
{
	if (gic_init_cpu() || !take_awaited(cpu_id()))
		psci_stop_here();
	clock_init_cpu();
	sched_start_cpu();
	__atomic_fetch_or(&online, 1ull << cpu_id(), __ATOMIC_RELEASE);
	local_irq_enable();
	sched_idle();
}
