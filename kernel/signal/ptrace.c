/* SPDX-License-Identifier: MIT */
/*
 * ptrace(2): what a tracer asks for. But for a few requests the traced thread must be in a stop; it
 * is then waited for until it is off its CPU, so that all its registers are in memory.
 */
#include "kernel/signal/internal.h"

#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/ptrace.h"
#include "kernel/sys/uaccess.h"

#define PTRACE_TRACEME          0
#define PTRACE_PEEKTEXT         1
#define PTRACE_PEEKDATA         2
#define PTRACE_POKETEXT         4
#define PTRACE_POKEDATA         5
#define PTRACE_CONT             7
#define PTRACE_KILL             8
#define PTRACE_SINGLESTEP       9
#define PTRACE_ATTACH           16
#define PTRACE_DETACH           17
#define PTRACE_SYSCALL          24
#define PTRACE_SETOPTIONS       0x4200
#define PTRACE_GETEVENTMSG      0x4201
#define PTRACE_GETSIGINFO       0x4202
#define PTRACE_SETSIGINFO       0x4203
#define PTRACE_GETREGSET        0x4204
#define PTRACE_SETREGSET        0x4205
#define PTRACE_SEIZE            0x4206
#define PTRACE_INTERRUPT        0x4207
#define PTRACE_LISTEN           0x4208
#define PTRACE_GETSIGMASK       0x420a
#define PTRACE_SETSIGMASK       0x420b
#define PTRACE_GET_SYSCALL_INFO 0x420e

/* ------------------------------------------------------------------ attaching */

/* The thread that made this process; where it has gone, the first of its own. proc_lock. */
static struct task *parent_thread(struct process *p)
{
	struct task *t = p->parent ? find_task_locked(p->maker) : NULL;

	if (t && t->proc == p->parent && !t->exited)
		return t;
	if (p->parent)
		for_each_thread (t, p->parent)
			if (!t->exited)
				return t;
	return NULL;
}

static long traceme(void)
{
	struct task *t = current, *tracer;
	long ret = -EPERM;

	spin_lock_irq(&proc_lock);
	if (!t->trace.tracer) {
		tracer = parent_thread(t->proc);
		if (tracer)
			trace_link(t, tracer);
		ret = 0;
	}
	spin_unlock_irq(&proc_lock);
	return ret;
}

/* One that is stopped already goes over into a stop of ours. */
static long attach(struct task *t, bool seize, u64 addr, u64 options)
{
	long ret = -EPERM;

	if (seize && (addr || (options & ~(u64)PTRACE_O_KNOWN)))
		return -EIO;
	if (task_is_kernel(t) || t->proc == current->proc ||
	    !ptrace_may_access(t, PTRACE_REALCREDS))
		return -EPERM;
	spin_lock_irq(&proc_lock);
	if (!t->exited && !t->trace.tracer) {
		trace_link(t, current);
		t->trace.seized = seize;
		t->trace.options = seize ? (u32)options : 0;
		if (t->stopped) {
			t->trace.traps = TRAP_STOP;
			task_set_work(t, WORK_SIGNAL);
			wake_up_state(t, 1u << TASK_STOPPED);
		}
		if (!seize)
			send_locked(t, t->proc, SIGSTOP, NULL);
		ret = 0;
	}
	spin_unlock_irq(&proc_lock);
	return ret;
}

/* ------------------------------------------------------------------ going on */

/* In an event that lies within a system call, so that the call's end is still to come. */
static bool within_call(const struct trace *tr)
{
	return tr->stop >> 8 && tr->stop >> 8 < PTRACE_EVENT_EXIT;
}

static void set_step(struct task *t, bool step)
{
	struct pt_regs *regs = task_regs(t);

	t->trace.step = step;
	if (step)
		regs->pstate |= PSTATE_SS;
	else
		regs->pstate &= ~(u64)PSTATE_SS;
}

/* PTRACE_CONT, _SYSCALL, _SINGLESTEP, _DETACH. */
static long go_on(struct task *t, u64 request, u64 sig)
{
	struct trace *tr = &t->trace;

	if (sig > NSIG)
		return -EIO;
	spin_lock_irq(&proc_lock);
	if (!tr->stop) {
		/* It has been killed meanwhile. */
		spin_unlock_irq(&proc_lock);
		return -ESRCH;
	}
	set_step(t, request == PTRACE_SINGLESTEP);
	t->trace_calls = request == PTRACE_SYSCALL;
	if (t->trace_calls && within_call(tr))
		task_set_work(t, WORK_SYSEXIT);
	else
		task_clear_work(t, WORK_SYSEXIT);
	tr->signal = (s32)sig;
	tr->stop = 0;
	if (request == PTRACE_DETACH)
		trace_unlink(t);
	else
		wake_up_state(t, 1u << TASK_TRACED);
	spin_unlock_irq(&proc_lock);
	return 0;
}

static long interrupt(struct task *t)
{
	struct trace *tr = &t->trace;

	if (!tr->seized)
		return -EIO;
	spin_lock_irq(&proc_lock);
	tr->traps |= TRAP_STOP;
	if (tr->listening)
		tr->stop = 0;
	signal_wake(t, 1u << TASK_INTERRUPTIBLE | (tr->listening ? 1u << TASK_TRACED : 0));
	spin_unlock_irq(&proc_lock);
	return 0;
}

static long listen(struct task *t)
{
	struct trace *tr = &t->trace;
	long ret = -EIO;

	spin_lock_irq(&proc_lock);
	if (tr->seized && tr->stop >> 8 == PTRACE_EVENT_STOP) {
		tr->listening = true;
		ret = 0;
		if (tr->traps & TRAP_NOTIFY) {
			tr->stop = 0;
			wake_up_state(t, 1u << TASK_TRACED);
		}
	}
	spin_unlock_irq(&proc_lock);
	return ret;
}

/* ------------------------------------------------------------------ looking and changing */

static long access_word(struct task *t, u64 addr, u64 *word, u32 flags)
{
	struct mmk_mm *mm = task_get_mm(t);
	size_t done = 0;

	if (mm) {
		done = mmk_access_vm(&current->mmk, mm, addr, word, sizeof(*word),
		                     MMK_ACCESS_FORCE | MMK_ACCESS_NOGROW | flags);
		mmk_mm_put(mm);
	}
	return done == sizeof(*word) ? 0 : -EIO;
}

static long peek(struct task *t, u64 addr, u64 data)
{
	u64 word;
	long err = access_word(t, addr, &word, 0);

	return err ? err : put_user(word, u64, data);
}

/* si to or from the siginfo of the stop. */
static int swap_siginfo(struct task *t, struct siginfo *si, bool set)
{
	int err = -EINVAL;

	spin_lock_irq(&proc_lock);
	if (t->trace.stop && t->trace.info) {
		if (set)
			*t->trace.info = *si;
		else
			*si = *t->trace.info;
		err = 0;
	}
	spin_unlock_irq(&proc_lock);
	return err;
}

static long access_siginfo(struct task *t, u64 data, bool set)
{
	struct siginfo si;
	long err = set ? read_siginfo(&si, data) : 0;

	if (!err)
		err = swap_siginfo(t, &si, set);
	return err || set ? err : put_siginfo(data, &si);
}

static long access_sigmask(struct task *t, u64 size, u64 data, bool set)
{
	sigset_t mask = t->blocked;

	if (size != sizeof(mask))
		return -EINVAL;
	if (!set)
		return put_user(mask, sigset_t, data);
	if (get_user(mask, data))
		return -EFAULT;
	spin_lock_irq(&proc_lock);
	t->blocked = mask & ~SIG_UNBLOCKABLE;
	task_set_work(t, WORK_SIGNAL);
	spin_unlock_irq(&proc_lock);
	return 0;
}

static long set_options(struct task *t, u64 options)
{
	if (options & ~(u64)PTRACE_O_KNOWN)
		return -EINVAL;
	t->trace.options = (u32)options;
	return 0;
}

#define AUDIT_ARCH_AARCH64 0xc00000b7u

struct syscall_info {
	u8 op; /* 0: in no call; 1, 2: before it, after it */
	u8 pad[3];
	u32 arch;
	u64 pc, sp;
	union {
		struct {
			u64 nr, args[6];
		} entry;
		struct {
			s64 value;
			u8 is_error;
		} exit;
	};
};

/* Which stop it is can be told only with PTRACE_O_TRACESYSGOOD. */
static long syscall_info(struct task *t, u64 size, u64 data)
{
	const struct pt_regs *regs = task_regs(t);
	struct syscall_info info = {.arch = AUDIT_ARCH_AARCH64, .pc = regs->pc, .sp = regs->sp};
	size_t len = offsetof(struct syscall_info, entry);

	info.op = t->trace.stop & 0x80 ? t->trace.call : 0;
	if (info.op == 1) {
		info.entry.nr = regs->syscallno;
		memcpy(info.entry.args, regs->x, sizeof(info.entry.args));
		info.entry.args[0] = regs->orig_x0;
		len += sizeof(info.entry);
	} else if (info.op == 2) {
		info.exit.value = (s64)regs->x[0];
		info.exit.is_error = regs->x[0] >= (u64)-4095;
		len += offsetof(__typeof__(info.exit), is_error) + 1;
	}
	return copy_to_user(data, &info, min_t(u64, size, len)) ? -EFAULT : (long)len;
}

/* ------------------------------------------------------------------ the call */

static long stopped_request(struct task *t, u64 request, u64 addr, u64 data)
{
	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek(t, addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return access_word(t, addr, &data, MMK_ACCESS_WRITE);
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_DETACH:
		return go_on(t, request, data);
	case PTRACE_LISTEN:
		return listen(t);
	case PTRACE_SETOPTIONS:
		return set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return put_user(t->trace.message, u64, data);
	case PTRACE_GETSIGINFO:
	case PTRACE_SETSIGINFO:
		return access_siginfo(t, data, request == PTRACE_SETSIGINFO);
	case PTRACE_GETSIGMASK:
	case PTRACE_SETSIGMASK:
		return access_sigmask(t, addr, data, request == PTRACE_SETSIGMASK);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return ptrace_regset(t, request == PTRACE_SETREGSET, addr, data);
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info(t, addr, data);
	default:
		return -EIO;
	}
}

/* Does the caller trace it, and is it in a stop, where it has to be? */
static bool may_request(struct task *t, bool any_state)
{
	bool ok;

	spin_lock_irq(&proc_lock);
	ok = t->trace.tracer == current && (any_state || (t->trace.stop && !t->trace.listening));
	spin_unlock_irq(&proc_lock);
	return ok;
}

static long request_of(struct task *t, u64 request, u64 addr, u64 data)
{
	bool any_state = request == PTRACE_KILL || request == PTRACE_INTERRUPT;

	if (!may_request(t, any_state))
		return -ESRCH;
	if (request == PTRACE_INTERRUPT)
		return interrupt(t);
	if (request == PTRACE_KILL) {
		(void)send_sig(SIGKILL, t);
		return 0;
	}
	sched_wait_off_cpu(t);
	return stopped_request(t, request, addr, data);
}

long sys_ptrace(u64 request, u64 pid, u64 addr, u64 data)
{
	struct task *t;
	long ret;

	if (request == PTRACE_TRACEME)
		return traceme();
	t = find_task((s32)pid);
	if (!t)
		return -ESRCH;
	if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
		ret = attach(t, request == PTRACE_SEIZE, addr, data);
	else
		ret = request_of(t, request, addr, data);
	task_put(t);
	return ret;
}
