/* SPDX-License-Identifier: MIT */
/*
 * Exceptions that are no system call, no interrupt and no user page fault: entry.S brings them
 * here.
 */
#include "kernel/arch/cpufeature.h"
#include "kernel/arch/extable.h"
#include "kernel/arch/sysreg.h"
#include "kernel/arch/thread.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/uaccess.h"
#include "kernel/irq.h"
#include "kernel/lib/printk.h"

struct extable_entry {
	s32 insn, fixup;
};

extern const struct extable_entry __start_ex_table[], __stop_ex_table[];

static u64 entry_insn(const struct extable_entry *e)
{
	return (u64)&e->insn + (u64)(s64)e->insn;
}

/* The linker lays the table out in the order of the code; the search relies on it. */
void extable_check(void)
{
	const struct extable_entry *e;

	for (e = __start_ex_table; e + 1 < __stop_ex_table; e++)
		BUG_ON(entry_insn(e) >= entry_insn(e + 1));
}

u64 extable_fixup(u64 pc)
{
	const struct extable_entry *lo = __start_ex_table, *hi = __stop_ex_table;

	while (lo < hi) {
		const struct extable_entry *mid = lo + (hi - lo) / 2;
		u64 insn = entry_insn(mid);

		if (insn == pc)
			return (u64)&mid->fixup + (u64)(s64)mid->fixup;
		if (insn < pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

/* The trapped or undefined instruction may be one that the kernel answers in the CPU's stead. */
static bool emulated(struct pt_regs *regs)
{
	u32 insn;

	if (get_user_u32(&insn, (const u32 __user *)regs->pc))
		return false;
	return cpu_emulate_mrs(regs, insn);
}

void el0_other_sync(struct pt_regs *regs, u64 esr, u64 far)
{
	u64 ec = esr >> ESR_EC_SHIFT & 0x3f;

	switch (ec) {
	case ESR_EC_PC_ALIGN:
	case ESR_EC_SP_ALIGN:
		do_user_misalignment(regs, esr, far);
		break;
	case ESR_EC_UNKNOWN:
	case ESR_EC_SYS64:
		if (emulated(regs))
			break;
		do_user_undef(regs, esr);
		break;
	default:
		do_user_undef(regs, esr);
	}
}

/*
 * A user access of the kernel has faulted: let the memory system bring the page in and do the
 * access again, or go on where the exception table says. Without interrupts nothing can be brought
 * in.
 */
static bool uaccess_fault(struct pt_regs *regs, u64 esr, u64 far)
{
	u64 fixup = extable_fixup(regs->pc);
	int err = -1;

	if (!fixup)
		return false;
	if (!(regs->pstate & PSTATE_I)) {
		local_irq_enable();
		err = do_kernel_uaccess_fault(regs, esr, far);
		local_irq_disable();
	}
	if (err)
		regs->pc = fixup;
	return true;
}

void el1_sync_exception(struct pt_regs *regs, u64 esr, u64 far)
{
	u64 ec = esr >> ESR_EC_SHIFT & 0x3f;

	if (ec == ESR_EC_DABT_CUR && uaccess_fault(regs, esr, far))
		return;
	panic_regs(regs, "exception in the kernel: class %02lx, esr %08lx, far %016lx", ec, esr,
	           far);
}

void unexpected_exception(struct pt_regs *regs, u64 esr, u64 kind)
{
	static const char *const what[] = {"exception on sp_el0",      "FIQ",
	                                   "SError in the kernel",     "FIQ in a user program",
	                                   "SError in a user program", "32-bit user program"};

	panic_regs(regs, "unexpected: %s, esr %08lx", what[kind], esr);
}
