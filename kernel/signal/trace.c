/* SPDX-License-Identifier: MIT */
/* The side of the traced thread: where it stops, what it tells of it, and how the tie to its tracer
 * is made and cut. See trace.h. */
#include "kernel/signal/internal.h"

#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/clone.h"

/* ------------------------------------------------------------------ the tie; proc_lock */

void trace_link(struct task *t, struct task *tracer)
{
	t->trace.tracer = tracer;
	list_add_tail(&t->trace.node, &tracer->trace.tracees);
}

/* A stop of its group, which it had its own way of, is for it again: it looks. */
void trace_unlink(struct task *t)
{
	struct trace *tr = &t->trace;

	if (!tr->tracer)
		return;
	list_del_init(&tr->node);
	tr->tracer = NULL;
	tr->options = 0;
	tr->traps = 0;
	tr->seized = false;
	tr->step = false;
	tr->stop = 0;
	WRITE_ONCE(t->trace_calls, 0);
	task_clear_work(t, WORK_SYSEXIT);
	task_set_work(t, WORK_SIGNAL);
	wake_up_state(t, 1u << TASK_TRACED);
}

bool trace_by_stranger(const struct task *t)
{
	return t->trace.tracer && t->trace.tracer->proc != t->proc->parent;
}

bool trace_by_parent(const struct task *t)
{
	return t->trace.tracer && t->trace.tracer->proc == t->proc->parent;
}

/* What has ended goes where it would have gone without a tracer. */
static void untrace_dead(struct task *t)
{
	struct process *p = t->proc;
	bool stranger = trace_by_stranger(t);

	trace_unlink(t);
	if (t != p->leader)
		release_thread(t);
	else if (p->zombie && stranger && p->parent)
		notify_exit(p);
}

void trace_exit_tracer(struct task *tracer)
{
	struct task *t;

	while ((t = list_first_entry_or_null(&tracer->trace.tracees, struct task, trace.node))) {
		if (t->exited) {
			untrace_dead(t);
			continue;
		}
		if (t->trace.options & PTRACE_O_EXITKILL)
			send_locked(t, t->proc, SIGKILL, NULL);
		trace_unlink(t);
	}
}

void trace_notify_exit(struct task *t, u32 code)
{
	notify_locked(t->trace.tracer->proc, t, SIGCHLD, exit_why(code), exit_value(code));
}

/* ------------------------------------------------------------------ stopping; proc_lock */

/*
 * The calling thread stops until its tracer lets it go on. Returns the signal that it is to go on
 * with: what it stopped for, where nobody is there to say. proc_lock is given up meanwhile.
 */
static int trace_stop(u32 code, int why, struct siginfo *si)
{
	struct task *t = current;
	struct trace *tr = &t->trace;
	int sig = si && (u32)si->signo == code ? (int)code : 0;

	if (!tr->tracer || t->killed)
		return sig;
	tr->stop = code;
	tr->signal = sig;
	tr->info = si;
	tr->report = true;
	notify_locked(tr->tracer->proc, t, SIGCHLD, why, (int)(code & 0x7f));
	while (tr->stop && !t->killed) {
		set_current_state(TASK_TRACED);
		spin_unlock_irq(&proc_lock);
		schedule();
		spin_lock_irq(&proc_lock);
	}
	set_current_state(TASK_RUNNING);
	tr->stop = 0;
	tr->info = NULL;
	tr->listening = false;
	return tr->signal;
}

static int stop_and_say(u32 code, int why, u64 message)
{
	struct siginfo si = {.signo = (s32)(code & 0x7f), .code = (s32)code};
	struct task *t = current;

	si.kill.pid = t->proc->tgid;
	si.kill.uid = t->cred.uid;
	t->trace.message = message;
	return trace_stop(code, why, &si);
}

/* ------------------------------------------------------------------ events */

bool trace_wants(u32 event)
{
	return current->trace.tracer && (current->trace.options >> event & 1);
}

void trace_event(u32 event, u64 message)
{
	spin_lock_irq(&proc_lock);
	if (trace_wants(event))
		stop_and_say(event << 8 | SIGTRAP, CLD_TRAPPED, message);
	spin_unlock_irq(&proc_lock);
}

/* Without the event, and attached in the old way, a signal tells of the new program. */
void trace_exec(s32 old_pid)
{
	struct task *t = current;

	if (likely(!t->trace.tracer))
		return;
	if (trace_wants(PTRACE_EVENT_EXEC))
		trace_event(PTRACE_EVENT_EXEC, (u64)old_pid);
	else if (!t->trace.seized)
		send_sig(SIGTRAP, t);
}

/* Who has been killed stops for this all the same; to be killed once more ends the stop. */
void trace_exit_event(u32 code)
{
	struct task *t = current;
	bool killed;

	if (likely(!trace_wants(PTRACE_EVENT_EXIT)))
		return;
	spin_lock_irq(&proc_lock);
	killed = t->killed;
	t->killed = false;
	stop_and_say(PTRACE_EVENT_EXIT << 8 | SIGTRAP, CLD_TRAPPED, code);
	t->killed |= killed;
	spin_unlock_irq(&proc_lock);
}

/* ------------------------------------------------------------------ system calls */

/* x7 tells the two stops of a call apart, for tracers that cannot ask otherwise. */
static void call_stop(struct pt_regs *regs, u8 which)
{
	struct task *t = current;
	u64 x7 = regs->x[7];
	int sig;

	regs->x[7] = which - 1u;
	spin_lock_irq(&proc_lock);
	t->trace.call = which;
	sig = stop_and_say(SIGTRAP | (t->trace.options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0),
	                   CLD_TRAPPED, which);
	t->trace.call = 0;
	if (sig)
		send_locked(t, t->proc, sig, NULL);
	spin_unlock_irq(&proc_lock);
	regs->x[7] = x7;
}

void trace_syscall_exit(struct pt_regs *regs)
{
	task_clear_work(current, WORK_SYSEXIT);
	if (READ_ONCE(current->trace_calls))
		call_stop(regs, 2);
}

/* The tracer may have put another number in its place; -1 is no call: the result stays as it is. */
void do_traced_syscall(struct pt_regs *regs)
{
	call_stop(regs, 1);
	if (in_syscall(regs) && !fatal_signal_pending(current))
		do_syscall(regs);
	trace_syscall_exit(regs);
}

/* ------------------------------------------------------------------ signals and jobs; proc_lock */

bool trace_signal(struct siginfo *si)
{
	struct task *t = current;
	int sig;

	if (likely(!t->trace.tracer) || si->signo == SIGKILL)
		return true;
	sig = trace_stop((u32)si->signo, CLD_TRAPPED, si);
	if (!sig || t->killed)
		return false;
	if (sig != si->signo) {
		memset(si, 0, sizeof(*si));
		si->signo = sig;
		if (t->trace.tracer) {
			si->kill.pid = t->trace.tracer->proc->tgid;
			si->kill.uid = t->trace.tracer->cred.uid;
		}
	}
	if (!(t->blocked & sigmask(sig)))
		return true;
	send_locked(t, t->proc, sig, si);
	return false;
}

void trace_job_stop(void)
{
	struct task *t = current;
	struct process *p = t->proc;
	u32 sig = p->stop_sig;

	t->trace.traps = 0;
	if (sig && !t->stopped) {
		t->stopped = true;
		p->nr_stopped++;
		check_group_stop(p);
	}
	if (t->trace.seized)
		stop_and_say(PTRACE_EVENT_STOP << 8 | (sig ? sig : SIGTRAP), CLD_STOPPED, 0);
	else if (sig)
		trace_stop(sig, CLD_STOPPED, NULL);
}

static void notify_seized(struct task *t)
{
	t->trace.traps |= TRAP_NOTIFY;
	task_set_work(t, WORK_SIGNAL);
	if (t->trace.listening) {
		t->trace.stop = 0;
		wake_up_state(t, 1u << TASK_TRACED);
	}
}

void trace_group_stop(struct task *t)
{
	if (!t->trace.tracer)
		return;
	if (t->trace.seized)
		notify_seized(t);
	else
		t->trace.traps |= TRAP_STOP;
}

void trace_group_continue(struct task *t)
{
	if (t->trace.seized)
		notify_seized(t);
	else
		t->trace.traps = 0;
}

/* ------------------------------------------------------------------ children; proc_lock */

u32 trace_fork_event(u64 flags, u32 exit_signal)
{
	if (flags & CLONE_VFORK)
		return PTRACE_EVENT_VFORK;
	return exit_signal == SIGCHLD ? PTRACE_EVENT_FORK : PTRACE_EVENT_CLONE;
}

void trace_fork(struct task *child, u64 flags, u32 exit_signal)
{
	struct trace *mine = &current->trace, *its = &child->trace;

	if (likely(!mine->tracer))
		return;
	if (!(flags & CLONE_PTRACE) &&
	    ((flags & CLONE_UNTRACED) || !trace_wants(trace_fork_event(flags, exit_signal))))
		return;
	trace_link(child, mine->tracer);
	its->options = mine->options;
	its->seized = mine->seized;
	if (its->seized)
		its->traps = TRAP_STOP;
	else
		child->pending.set |= sigmask(SIGSTOP);
	task_set_work(child, WORK_SIGNAL);
}
