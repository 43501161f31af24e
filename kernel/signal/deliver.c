/* SPDX-License-Identifier: MIT */
/*
 * On the way back to user mode: which signal, and what becomes of the thread.
 *
 * A system call that a signal broke off (-ERESTART*) is first set up to be done again; if a handler
 * is to run and the kind of the restart or the lack of SA_RESTART says so, that is turned into
 * -EINTR.
 */
#include "kernel/signal/internal.h"

#include "kernel/lib/printk.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/nr.h"

/* ------------------------------------------------------------------ taking one */

static int lowest(sigset_t set)
{
	if (set & SIG_SYNCHRONOUS)
		set &= SIG_SYNCHRONOUS;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

int dequeue_signal(sigset_t which, struct siginfo *si)
{
	struct task *t = current;
	struct process *p = t->proc;
	int sig = lowest(t->pending.set & which);

	if (sig) {
		pending_take(p, &t->pending, sig, si);
		return sig;
	}
	sig = lowest(p->pending.set & which);
	if (sig)
		pending_take(p, &p->pending, sig, si);
	return sig;
}

void recalc_signals(void)
{
	struct task *t = current;
	struct process *p = t->proc;

	if (t->killed || (p->stop_sig && !t->trace.tracer) || t->trace.traps ||
	    ((t->pending.set | p->pending.set) & ~t->blocked))
		task_set_work(t, WORK_SIGNAL);
	else
		task_clear_work(t, WORK_SIGNAL);
}

/* ------------------------------------------------------------------ stopping */

void check_group_stop(struct process *p)
{
	if (!p->stop_sig || p->stop_report || p->nr_stopped < p->nr_threads)
		return;
	p->stop_report = true;
	p->cont_report = false;
	if (!trace_by_parent(p->leader)) /* which sees each thread's stop */
		notify_parent_locked(p, CLD_STOPPED, p->stop_sig);
}

/* The first thread that takes the signal stops all. proc_lock. */
static void begin_group_stop(struct process *p, int sig)
{
	struct task *t;

	p->stop_sig = sig;
	p->stop_report = false;
	for_each_thread (t, p) {
		if (!t->exited)
			trace_group_stop(t);
		if (t == current || t->exited)
			continue;
		task_set_work(t, WORK_SIGNAL);
		wake_up_state(t, 1u << TASK_INTERRUPTIBLE);
	}
}

/* This thread's part in it. proc_lock is held, given up for the sleep and taken again. */
static void stop_here(void)
{
	struct task *t = current;
	struct process *p = t->proc;

	while (p->stop_sig && !t->killed && !t->trace.traps) {
		if (!t->stopped) {
			t->stopped = true;
			p->nr_stopped++;
			check_group_stop(p);
		}
		set_current_state(TASK_STOPPED);
		spin_unlock_irq(&proc_lock);
		schedule();
		spin_lock_irq(&proc_lock);
	}
	set_current_state(TASK_RUNNING);
	if (t->stopped && !t->trace.traps) {
		t->stopped = false;
		if (p->nr_stopped)
			p->nr_stopped--;
	}
}

/* ------------------------------------------------------------------ the action */

static void die(void)
{
	struct process *p = current->proc;

	if (!p->exiting && p->exec_task && p->exec_task != current)
		do_exit(0);
	do_group_exit(p->exit_code);
}

/*
 * Default actions are done here. True: there is a handler to run. proc_lock is held, and given up
 * where the thread ends.
 */
static bool act(struct signal_to_handle *s)
{
	struct process *p = current->proc;
	int sig = s->info.signo;
	const struct k_sigaction *sa = sighand_action(p->sighand, sig);

	if (sig_handler_ignores(p, sig))
		return false;
	if (sa->handler != SIG_DFL) {
		s->action = *sa;
		if (sa->flags & SA_RESETHAND)
			sighand_default(p->sighand, sig);
		return true;
	}
	if (process_unkillable(p))
		return false;
	if (sig_default_stops(sig)) {
		/* The terminal's stops are not for those whom nobody could continue. */
		if (sig != SIGSTOP && pgrp_orphaned_locked(p->pgid, NULL))
			return false;
		if (!p->stop_sig)
			begin_group_stop(p, sig);
		return false;
	}
	spin_unlock_irq(&proc_lock);
	do_group_exit(sig);
}

/* Without a handler to run this returns false, or not at all. */
static bool next_signal(struct signal_to_handle *s)
{
	struct task *t = current;
	bool handle = false;

	spin_lock_irq(&proc_lock);
	for (;;) {
		if (unlikely(t->trace.traps) && !t->killed)
			trace_job_stop();
		else if (t->proc->stop_sig && !t->killed && !t->trace.tracer)
			stop_here();
		if (unlikely(t->trace.traps) && !t->killed)
			continue;
		if (t->killed) {
			spin_unlock_irq(&proc_lock);
			die();
		}
		if (!dequeue_signal(~t->blocked, &s->info))
			break;
		if (!trace_signal(&s->info))
			continue;
		handle = act(s);
		if (handle)
			break;
	}
	recalc_signals();
	spin_unlock_irq(&proc_lock);
	return handle;
}

/* ------------------------------------------------------------------ restarting the system call */

static bool is_restart(s64 ret)
{
	return ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND ||
	       ret == -ERESTART_RESTARTBLOCK;
}

static bool handler_ends_call(s64 ret, const struct k_sigaction *sa)
{
	if (ret == -ERESTARTSYS)
		return !(sa->flags & SA_RESTART);
	return ret == -ERESTARTNOHAND || ret == -ERESTART_RESTARTBLOCK;
}

/* The mask while the handler runs. */
static void block_for_handler(const struct signal_to_handle *s)
{
	sigset_t set = current->blocked | s->action.mask;

	if (!(s->action.flags & SA_NODEFER))
		set |= sigmask(s->info.signo);
	set_current_blocked(set);
}

static void run_handler(struct pt_regs *regs, const struct signal_to_handle *s)
{
	struct task *t = current;
	bool saved = t->work & WORK_SIGMASK;
	sigset_t oldmask = saved ? t->saved_mask : t->blocked;

	if (t->rseq.area)
		rseq_resume(regs);
	if (setup_signal_frame(regs, s, oldmask)) {
		/* No stack to tell it on. A SIGSEGV handler cannot help either if that was it. */
		if (s->info.signo == SIGSEGV) {
			spin_lock_irq(&proc_lock);
			sighand_default(t->proc->sighand, SIGSEGV);
			spin_unlock_irq(&proc_lock);
		}
		force_sig(SIGSEGV);
		return;
	}
	task_clear_work(t, WORK_SIGMASK);
	block_for_handler(s);
}

static void do_signal(struct pt_regs *regs)
{
	struct signal_to_handle s;
	s64 ret = (s64)regs->x[0];
	bool restart = in_syscall(regs) && is_restart(ret);
	u64 after = regs->pc;
	bool handle;

	if (restart) {
		regs->x[0] = regs->orig_x0;
		regs->pc -= 4;
	}
	regs->syscallno = (u64)NO_SYSCALL;
	handle = next_signal(&s);
	restart = restart && regs->pc == after - 4; /* a tracer may have sent it elsewhere */
	if (handle) {
		if (restart && handler_ends_call(ret, &s.action)) {
			regs->x[0] = (u64)-EINTR;
			regs->pc = after;
		}
		run_handler(regs, &s);
		return;
	}
	if (restart && ret == -ERESTART_RESTARTBLOCK)
		regs->x[8] = NR_restart_syscall;
	if (current->work & WORK_SIGMASK) {
		task_clear_work(current, WORK_SIGMASK);
		set_current_blocked(current->saved_mask);
	}
}

void exit_to_user_work(struct pt_regs *regs)
{
	u32 work;

	while ((work = READ_ONCE(current->work))) {
		if (work & WORK_RESCHED)
			schedule();
		if (work & WORK_RSEQ)
			rseq_resume(regs);
		if (unlikely(work & WORK_SYSEXIT))
			trace_syscall_exit(regs);
		if (work & (WORK_SIGNAL | WORK_SIGMASK))
			do_signal(regs);
	}
}
