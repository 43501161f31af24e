/* SPDX-License-Identifier: MIT */
/*
 * Instruction and data aborts, from the CPU's words to the core's: ESR_ELx says what happened (Arm
 * ARM D19.2.40), FAR_ELx where. What the memory system can repair goes to do_page_fault(); the
 * rest is a signal. Who has found that out by himself says so by mmk_handle_fault().
 */
#include "mm/internal.h"
#include "arch/arm64/pgtable.h"

/* ESR_ELx */
#define ESR_FSC(esr)  ((esr) & 0x3f) /* fault status */
#define ESR_WNR	      (1u << 6)	     /* a write, not a read */
#define ESR_CM	      (1u << 8)	     /* by cache maintenance, for which WnR is always 1 */
#define ESR_FNV	      (1u << 10)     /* FAR not valid */
#define ESR_DATA      (1u << 28)     /* EC is 0x24 or 0x25, a data abort; not 0x20 or 0x21 */

/* Numbers of Linux's siginfo. */
enum { SIG_BUS = 7, SIG_KILL = 9, SIG_SEGV = 11 };
enum { CODE_ADRALN = 1, CODE_OBJERR = 3, CODE_MTESERR = 9, CODE_KERNEL = 0x80 };

/* Translation, access flag and permission faults at four levels each: the memory system's affair. */
#define FSC_FIRST 0x04
#define FSC_NR	  12

/* Ranges of the other fault status codes, and what becomes of them. */
static const struct fsc_row {
	uint8_t first, last;
	uint8_t signo, code;
} fsc_table[] = {
	{0x00, 0x03, SIG_KILL, CODE_KERNEL}, /* address size */
	{0x10, 0x10, SIG_BUS, CODE_OBJERR},  /* synchronous external abort */
	{0x11, 0x11, SIG_SEGV, CODE_MTESERR},/* tag check */
	{0x13, 0x17, SIG_KILL, CODE_KERNEL}, /* external abort on a table walk */
	{0x18, 0x18, SIG_BUS, CODE_OBJERR},  /* parity or ECC */
	{0x1b, 0x1f, SIG_KILL, CODE_KERNEL}, /* the same on a table walk */
	{0x21, 0x21, SIG_BUS, CODE_ADRALN},  /* alignment */
	{0x00, 0x3f, SIG_KILL, CODE_KERNEL}, /* all else: TLB conflict, reserved, ... */
};

static const struct fsc_row *fsc_find(unsigned fsc)
{
	const struct fsc_row *row = fsc_table;

	while (fsc < row->first || fsc > row->last)
		row++;
	return row;
}

static unsigned fault_flags(uint64_t esr, bool user)
{
	unsigned flags = user ? MMK_FAULT_USER : 0;

	if (unlikely(!(esr & ESR_DATA)))
		return flags | MMK_FAULT_EXEC;
	if (unlikely(esr & ESR_CM))
		return flags;
	return esr & ESR_WNR ? flags | MMK_FAULT_WRITE : flags;
}

static int abort_signal(struct mmk_fault *f, unsigned long addr, int signo, int code)
{
	*f = (struct mmk_fault){.signo = signo, .code = code, .addr = addr};
	return -MMK_EFAULT;
}

int mmk_arm64_abort(struct mmk_task *task, uint64_t esr, uint64_t far, bool user,
		    struct mmk_fault *f)
{
	unsigned long addr = untagged_addr(far);
	const struct fsc_row *row;

	if (unlikely(ESR_FSC(esr) - FSC_FIRST >= FSC_NR)) {
		row = fsc_find(ESR_FSC(esr));
		return abort_signal(f, esr & ESR_FNV ? 0 : addr, row->signo, row->code);
	}
	/* The upper half is TTBR1's: above every program's end. */
	return do_page_fault(task, addr, fault_flags(esr, user), f);
}

_Static_assert(MMK_FAULT_WRITE == FAULT_FLAG_WRITE && MMK_FAULT_EXEC == FAULT_FLAG_EXEC &&
		       MMK_FAULT_USER == FAULT_FLAG_USER,
	       "flags of a fault are passed on as they are");

int mmk_handle_fault(struct mmk_task *task, unsigned long addr, unsigned flags,
		     struct mmk_fault *out)
{
	int rc = do_page_fault(task, untagged_addr(addr), flags, out);

	if (rc)
		out->addr = addr;
	return rc;
}
