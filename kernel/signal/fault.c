/* SPDX-License-Identifier: MIT */
/*
 * Exceptions of user programs: a page brought in, or a signal. Called by entry.S and traps.c.
 */
#include "kernel/signal/signal.h"

#include "kernel/arch/sysreg.h"
#include "kernel/arch/thread.h"
#include "kernel/lib/printk.h"
#include "kernel/mm.h"
#include "kernel/sched/oom.h"
#include "kernel/sched/sched.h"

#define EC_ILL_STATE 0x0e
#define EC_BTI       0x0d
#define EC_IABT_LOW  0x20
#define EC_PC_ALIGN  0x22
#define EC_DABT_LOW  0x24
#define EC_SP_ALIGN  0x26
#define EC_FP64      0x2c
#define EC_BREAKPT   0x30
#define EC_STEP      0x32
#define EC_WATCHPT   0x34
#define EC_BRK64     0x3c

#define ESR_EC(esr)   ((esr) >> 26 & 0x3f)
#define ESR_KEEP_IABT 0xfe000000ull /* EC, IL */
#define ESR_KEEP_DABT 0xfe000140ull /* and CM, WnR */
#define FSC_FAULT_L0  0x04

/*
 * The frame of the signal has the syndrome. For addresses of the kernel's half it must not tell
 * what is mapped there: all look like a level 0 translation fault.
 */
static u64 syndrome_for_user(u64 esr, u64 addr)
{
	if (!(addr >> 55 & 1))
		return esr;
	if (ESR_EC(esr) == EC_DABT_LOW)
		return (esr & ESR_KEEP_DABT) | FSC_FAULT_L0;
	return (esr & ESR_KEEP_IABT) | FSC_FAULT_L0;
}

/* No frame could be had. Who is not to end because of it does the access again. */
static void out_of_memory(void)
{
	if (!fatal_signal_pending(current))
		(void)port_out_of_memory(NULL);
}

void do_user_misalignment(struct pt_regs *regs, u64 esr, u64 far)
{
	u64 addr = ESR_EC(esr) == EC_PC_ALIGN ? far : regs->sp;

	current->fault_addr = 0;
	current->fault_esr = esr;
	force_sig_fault(SIGBUS, BUS_ADRALN, addr);
}

/* The memory system could not repair it. The user's registers are not all in pt_regs. */
void do_user_abort(void)
{
	const struct user_abort *a = &current->abort;

	if (a->fault.signo == SIGKILL) {
		out_of_memory();
		return;
	}
	current->fault_addr = a->far;
	current->fault_esr = syndrome_for_user(a->esr, a->far);
	force_sig_fault(a->fault.signo, a->fault.code, a->fault.addr);
}

/* IEEE exceptions that trap: the first flag of the syndrome that is set. */
static int fp_code(u64 esr)
{
	static const u8 code[] = {7 /* FLTINV */, 3 /* FLTDIV */, 4 /* FLTOVF */, 5 /* FLTUND */,
	                          6 /* FLTRES */};
	unsigned i;

	if (!(esr & 1u << 23)) /* TFV: the flags are valid */
		return FPE_FLTUNK;
	for (i = 0; i < ARRAY_SIZE(code); i++)
		if (esr & 1u << i)
			return code[i];
	return FPE_FLTUNK;
}

void do_user_undef(struct pt_regs *regs, u64 esr)
{
	current->fault_addr = 0;
	current->fault_esr = 0;
	switch (ESR_EC(esr)) {
	case EC_FP64:
		force_sig_fault(SIGFPE, fp_code(esr), regs->pc);
		break;
	case EC_BRK64:
		force_sig_fault(SIGTRAP, TRAP_BRKPT, regs->pc);
		break;
	case EC_STEP:
		if (!current->trace.step) { /* its tracer has gone meanwhile */
			sched_update_step();
			break;
		}
		force_sig_fault(SIGTRAP, TRAP_TRACE, regs->pc);
		break;
	case EC_BREAKPT:
	case EC_WATCHPT:
		force_sig_fault(SIGTRAP, TRAP_HWBKPT, regs->pc);
		break;
	default:
		force_sig_fault(SIGILL, ILL_ILLOPC, regs->pc);
	}
}

int do_kernel_uaccess_fault(struct pt_regs *regs, u64 esr, u64 far)
{
	struct mmk_fault f;

	if (!current->mmk.mm)
		return -EFAULT;
	if (!mmk_arm64_abort(&current->mmk, esr, far, false, &f))
		return 0;
	if (f.signo == SIGKILL)
		out_of_memory();
	return -EFAULT;
}
