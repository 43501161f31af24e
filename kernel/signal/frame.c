/* SPDX-License-Identifier: MIT */
/*
 * The signal frame: what lies on the user's stack while a handler runs, as Linux's arm64 ABI has
 * it; and the way back through rt_sigreturn(2).
 *
 *   higher addresses
 *     frame record   x29, x30 of the interrupted code, so that backtraces go through
 *     struct rt_sigframe: siginfo, ucontext; its __reserved part holds tagged records:
 *         FPSIMD, ESR (after a fault), terminator
 *   sp of the handler
 */
#include "kernel/signal/internal.h"

#include "kernel/arch/cpufeature.h"
#include "kernel/arch/sysreg.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/uaccess.h"

#define FPSIMD_MAGIC 0x46508001u
#define ESR_MAGIC    0x45535201u

struct ctx_head {
	u32 magic, size;
};

struct fpsimd_context {
	struct ctx_head head;
	u32 fpsr, fpcr;
	u128 v[32];
};
_Static_assert(sizeof(struct fpsimd_context) == 528, "struct fpsimd_context");

struct esr_context {
	struct ctx_head head;
	u64 esr;
};

struct sigcontext {
	u64 fault_address;
	u64 x[31];
	u64 sp, pc, pstate;
	u8 reserved[4096] __aligned(16);
};

struct ucontext {
	u64 flags, link;
	struct sigaltstack stack;
	sigset_t mask;
	u8 unused[120];
	struct sigcontext mc __aligned(16);
};
_Static_assert(offsetof(struct ucontext, mc) == 176, "struct ucontext");
_Static_assert(sizeof(struct sigcontext) == 4384, "struct sigcontext");

struct rt_sigframe {
	u8 info[SIGINFO_SIZE];
	struct ucontext uc;
};
_Static_assert(sizeof(struct rt_sigframe) == 4688, "struct rt_sigframe");

struct frame_record {
	u64 fp, lr;
};

/* ------------------------------------------------------------------ the alternate stack */

static bool on_altstack(const struct task *t, u64 sp)
{
	const struct sigaltstack *s = &t->altstack;

	/* With AUTODISARM the handler's stack is an ordinary one. */
	if (s->flags & SS_AUTODISARM)
		return false;
	return sp > s->sp && sp - s->sp <= s->size;
}

/* As sigaltstack(2) shows it. */
static void describe_altstack(const struct task *t, u64 sp, struct sigaltstack *out)
{
	*out = t->altstack;
	out->pad = 0;
	if (!t->altstack.size)
		out->flags = SS_DISABLE;
	else if (on_altstack(t, sp))
		out->flags |= SS_ONSTACK;
}

static u64 handler_stack(const struct pt_regs *regs, const struct k_sigaction *sa)
{
	const struct task *t = current;

	if ((sa->flags & SA_ONSTACK) && t->altstack.size && !on_altstack(t, regs->sp))
		return t->altstack.sp + t->altstack.size;
	return regs->sp;
}

static int set_altstack(const struct sigaltstack *s, u64 sp)
{
	struct task *t = current;
	s32 mode = s->flags & ~SS_AUTODISARM;

	if (on_altstack(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->altstack = (struct sigaltstack){.flags = s->flags};
		return 0;
	}
	if (s->size < MINSIGSTKSZ)
		return -ENOMEM;
	t->altstack = (struct sigaltstack){.sp = s->sp, .flags = s->flags, .size = s->size};
	return 0;
}

long sys_sigaltstack(u64 unew, u64 uold)
{
	u64 sp = task_regs(current)->sp;
	struct sigaltstack s, old;
	int err;

	if (unew && copy_from_user(&s, unew, sizeof(s)))
		return -EFAULT;
	describe_altstack(current, sp, &old);
	if (unew) {
		err = set_altstack(&s, sp);
		if (err)
			return err;
	}
	return uold ? copy_to_user(uold, &old, sizeof(old)) : 0;
}

/* ------------------------------------------------------------------ writing */

int put_siginfo(u64 addr, const struct siginfo *si)
{
	if (copy_to_user(addr, si, sizeof(*si)))
		return -EFAULT;
	return clear_user(addr + sizeof(*si), SIGINFO_SIZE - sizeof(*si));
}

static int put_records(u64 at)
{
	struct task *t = current;
	struct fpsimd_context fp = {.head = {FPSIMD_MAGIC, sizeof(fp)}};
	struct esr_context esr = {.head = {ESR_MAGIC, sizeof(esr)}, .esr = t->fault_esr};
	struct ctx_head end = {0, 0};

	fpsimd_save(&t->fpsimd);
	fp.fpsr = t->fpsimd.fpsr;
	fp.fpcr = t->fpsimd.fpcr;
	memcpy(fp.v, t->fpsimd.v, sizeof(fp.v));
	if (copy_to_user(at, &fp, sizeof(fp)))
		return -EFAULT;
	at += sizeof(fp);
	if (t->fault_esr) {
		if (copy_to_user(at, &esr, sizeof(esr)))
			return -EFAULT;
		at += sizeof(esr);
	}
	return copy_to_user(at, &end, sizeof(end));
}

/* Everything of ucontext before the records. */
static int put_context(u64 uc, const struct pt_regs *regs, sigset_t oldmask)
{
	struct {
		u64 flags, link;
		struct sigaltstack stack;
		sigset_t mask;
	} head = {.mask = oldmask};
	u64 mc = uc + offsetof(struct ucontext, mc);

	describe_altstack(current, regs->sp, &head.stack);
	if (copy_to_user(uc, &head, sizeof(head)) ||
	    clear_user(uc + sizeof(head), sizeof(((struct ucontext *)0)->unused)))
		return -EFAULT;
	if (put_user(current->fault_addr, u64, mc) ||
	    copy_to_user(mc + offsetof(struct sigcontext, x), regs->x, sizeof(regs->x)) ||
	    put_user(regs->sp, u64, mc + offsetof(struct sigcontext, sp)) ||
	    put_user(regs->pc, u64, mc + offsetof(struct sigcontext, pc)) ||
	    put_user(regs->pstate, u64, mc + offsetof(struct sigcontext, pstate)))
		return -EFAULT;
	return put_records(mc + offsetof(struct sigcontext, reserved));
}

static void enter_handler(struct pt_regs *regs, const struct signal_to_handle *s, u64 frame,
                          u64 record)
{
	const struct k_sigaction *sa = &s->action;

	regs->x[0] = s->info.signo;
	if (sa->flags & SA_SIGINFO) {
		regs->x[1] = frame;
		regs->x[2] = frame + offsetof(struct rt_sigframe, uc);
	}
	regs->sp = frame;
	regs->x[29] = record;
	regs->pc = sa->handler;
	regs->x[30] = sa->flags & SA_RESTORER ? sa->restorer : current->proc->sigreturn_tramp;
	regs->pstate &= ~(u64)(PSTATE_BTYPE | PSTATE_TCO | PSTATE_SS);
	if (cpu_features.bti)
		regs->pstate |= 2u
		                << 10; /* as after BLR: the handler may begin with a landing pad */
}

int setup_signal_frame(struct pt_regs *regs, const struct signal_to_handle *s, sigset_t oldmask)
{
	u64 record = ALIGN_DOWN(handler_stack(regs, &s->action), 16) - sizeof(struct frame_record);
	u64 frame = record - sizeof(struct rt_sigframe);
	struct frame_record rec = {regs->x[29], regs->x[30]};

	if (copy_to_user(record, &rec, sizeof(rec)) ||
	    put_context(frame + offsetof(struct rt_sigframe, uc), regs, oldmask) ||
	    put_siginfo(frame, &s->info))
		return -EFAULT;
	if (current->altstack.flags & SS_AUTODISARM)
		current->altstack = (struct sigaltstack){.flags = SS_DISABLE};
	enter_handler(regs, s, frame, record);
	return 0;
}

/* ------------------------------------------------------------------ reading it back */

/* Walks the records; exactly one FPSIMD must be among them, which goes to *fp. */
static int get_records(u64 at, struct fpsimd_context *fp)
{
	u64 end = at + sizeof(((struct sigcontext *)0)->reserved);
	struct ctx_head h;

	fp->head.magic = 0;
	for (;;) {
		if (end - at < sizeof(h))
			return -EINVAL;
		if (copy_from_user(&h, at, sizeof(h)))
			return -EFAULT;
		if (!h.magic)
			return h.size || !fp->head.magic ? -EINVAL : 0;
		if (h.size < sizeof(h) || h.size % 16 || h.size > end - at)
			return -EINVAL;
		if (h.magic == FPSIMD_MAGIC) {
			if (fp->head.magic || h.size != sizeof(*fp))
				return -EINVAL;
			if (copy_from_user(fp, at, sizeof(*fp)))
				return -EFAULT;
			fp->head = h; /* as it was checked */
		} else if (h.magic != ESR_MAGIC) {
			return -EINVAL;
		}
		at += h.size;
	}
}

bool pstate_ok(u64 pstate)
{
	return (pstate & (PSTATE_MODE_MASK | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F)) == 0;
}

/* Those of the handler stay live until here: a copy that sleeps saves and loads them. */
static void set_fpsimd(const struct fpsimd_context *fp)
{
	struct user_fpsimd *to = &current->fpsimd;

	to->fpsr = fp->fpsr;
	to->fpcr = fp->fpcr;
	memcpy(to->v, fp->v, sizeof(to->v));
	fpsimd_load(to);
}

/* General registers that cannot be read are zero. */
static int get_general(struct pt_regs *regs, u64 mc)
{
	struct {
		u64 x[31], sp, pc, pstate;
	} r = {{0}};
	int err = copy_from_user(&r, mc + offsetof(struct sigcontext, x), sizeof(r));

	memcpy(regs->x, r.x, sizeof(r.x));
	regs->sp = r.sp;
	regs->pc = r.pc;
	regs->pstate = r.pstate & PSTATE_USER_BITS;
	return err || !pstate_ok(r.pstate) ? -EINVAL : 0;
}

/*
 * In Linux's order, which shows when the frame is bad: the SIGSEGV finds the mask and the general
 * registers of the frame, but not its floating-point registers.
 */
static int get_frame(struct pt_regs *regs, u64 frame)
{
	u64 mc = frame + offsetof(struct rt_sigframe, uc.mc);
	struct fpsimd_context fp;
	struct sigaltstack stack;
	sigset_t mask;
	int err;

	err = get_user(mask, frame + offsetof(struct rt_sigframe, uc.mask));
	if (!err)
		set_current_blocked(mask);
	if (get_general(regs, mc) || err ||
	    get_records(mc + offsetof(struct sigcontext, reserved), &fp))
		return -EINVAL;
	set_fpsimd(&fp);
	if (get_user(stack, frame + offsetof(struct rt_sigframe, uc.stack)))
		return -EFAULT;
	/* What the frame says is taken where it makes sense; Linux answers no error here either. */
	(void)set_altstack(&stack, regs->sp);
	return 0;
}

static bool frame_outside(u64 frame)
{
	u64 at = current->tagged_addr ? untagged_addr(frame) : frame;

	return at > TASK_SIZE - sizeof(struct rt_sigframe);
}

/* As for an access there: SEGV_MAPERR only where no mapping lies above. */
static void bad_frame(u64 sp)
{
	struct mmk_map_query q = {.flags = MMK_MAP_QUERY_OR_NEXT, .addr = untagged_addr(sp)};
	int err = mmk_proc_map_query(current->mmk.mm, &q, NULL, 0);

	current->fault_addr = 0;
	current->fault_esr = 0;
	force_sig_fault(SIGSEGV, err == -ENOENT ? SEGV_MAPERR : SEGV_ACCERR, sp);
}

long sys_rt_sigreturn(void)
{
	struct pt_regs *regs = task_regs(current);
	u64 frame = regs->sp;

	current->restart_fn = NULL;
	regs->syscallno = (u64)NO_SYSCALL;
	if (frame & 15 || frame_outside(frame) || get_frame(regs, frame)) {
		bad_frame(regs->sp);
		return 0;
	}
	return (long)regs->x[0];
}
