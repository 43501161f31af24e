/* SPDX-License-Identifier: MIT */
/*
 * The end of the road: registers, a backtrace by frame pointers, power off. Also what the
 * compiler's stack protector calls in the one library that we did not compile (libfdt).
 */
#include "kernel/arch/memory.h"
#include "kernel/arch/psci.h"
#include "kernel/arch/ptregs.h"
#include "kernel/arch/sysreg.h"
#include "kernel/arch/thread.h"
#include "kernel/irq.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/printk.h"
#include "kernel/percpu.h"
#include "kernel/smp.h"
#include "kernel/sched/task.h"

#define BACKTRACE_MAX 32

u64 __stack_chk_guard = 0x595e9fbd94fda766;

void __stack_chk_fail(void)
{
	panic("a stack guard was overwritten");
}

static bool frame_ok(u64 fp)
{
	return fp >= LINEAR_BASE && !(fp & 15);
}

/* Frame records are {caller's fp, return address}; a chain must climb within one stack. */
static void show_backtrace(u64 fp)
{
	unsigned i;

	pr_err("call trace:");
	for (i = 0; i < BACKTRACE_MAX && frame_ok(fp); i++) {
		const u64 *rec = (const u64 *)fp;

		pr_err(" %lx", rec[1] - 4);
		if (rec[0] <= fp || rec[0] - fp > THREAD_SIZE)
			break;
		fp = rec[0];
	}
	pr_err("\n");
}

void dump_stack(void)
{
	show_backtrace((u64)__builtin_frame_address(0));
}

void show_regs(const struct pt_regs *regs)
{
	int i;

	pr_err("pc %016lx lr %016lx sp %016lx pstate %08lx\n", regs->pc, regs->x[30], regs->sp,
	       regs->pstate);
	for (i = 0; i < 30; i++)
		pr_err("x%-2d %016lx%s", i, regs->x[i], i % 4 == 3 ? "\n" : "  ");
	pr_err("\nsp_el0 %016lx ttbr0 %016lx esr %08lx far %016lx\n", read_sysreg(sp_el0),
	       read_sysreg(ttbr0_el1), read_sysreg(esr_el1), read_sysreg(far_el1));
}

static __noreturn void panic_common(const struct pt_regs *regs, const char *fmt, va_list ap)
{
	static u32 panicking; /* CPU number + 1 */
	u32 nobody = 0, me = cpu_id() + 1;

	local_irq_disable();
	if (!__atomic_compare_exchange_n(&panicking, &nobody, me, false, __ATOMIC_ACQ_REL,
	                                 __ATOMIC_ACQUIRE)) {
		if (nobody == me)
			machine_power_off();
		psci_stop_here(); /* another CPU is telling what happened */
	}
	smp_stop_others();
	log_break_lock();
	log_set_level(LOG_DEBUG + 1);
	pr_err("\nkernel panic on CPU %u: ", me - 1);
	log_vprintf(LOG_EMERG, fmt, ap);
	pr_err("\n");
	if (current)
		pr_err("running: pid %d (%s)\n", current->pid, current->comm);
	if (regs)
		show_regs(regs);
	show_backtrace(regs && !user_mode(regs) ? regs->x[29] : (u64)__builtin_frame_address(0));
	machine_power_off();
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_common(NULL, fmt, ap);
}

void panic_regs(const struct pt_regs *regs, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_common(regs, fmt, ap);
}
