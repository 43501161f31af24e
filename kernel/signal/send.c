/* SPDX-License-Identifier: MIT */
/*
 * Sending signals: into the queue of a thread or of a process, and waking who is to act on it.
 *
 * What the kernel itself sends carries no more than its number (SI_KERNEL) unless a siginfo is
 * given, and needs no memory: so it may be sent from interrupts. A siginfo needs a queue entry.
 */
#include "kernel/signal/internal.h"

#include "kernel/fs/fs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/ptimer.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/syscall.h"

/* ------------------------------------------------------------------ what a signal does */

static bool default_is_ignore(int sig)
{
	return sigmask(sig) &
	       (sigmask(SIGCONT) | sigmask(SIGCHLD) | sigmask(SIGWINCH) | sigmask(SIGURG));
}

bool sig_default_stops(int sig)
{
	return sigmask(sig) & SIG_STOP_MASK;
}

static bool default_dumps(int sig)
{
	return sigmask(sig) &
	       (sigmask(SIGQUIT) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGABRT) |
	        sigmask(SIGBUS) | sigmask(SIGFPE) | sigmask(SIGSEGV) | sigmask(SIGXCPU) |
	        sigmask(SIGXFSZ) | sigmask(SIGSYS));
}

/* PID 1 gets only what it has a handler for. */
bool process_unkillable(const struct process *p)
{
	return p->tgid == 1;
}

bool sig_handler_ignores(const struct process *p, int sig)
{
	u64 handler = sighand_action(p->sighand, sig)->handler;

	return handler == SIG_IGN || (handler == SIG_DFL && default_is_ignore(sig));
}

/* Not even worth queueing? A blocked one is: its action may be another when it is unblocked; and a
 * tracer wants to see all. */
static bool sig_dropped(const struct process *p, const struct task *t, int sig)
{
	if ((t->blocked | t->real_blocked) & sigmask(sig) || (t->trace.tracer && sig != SIGKILL))
		return false;
	if (process_unkillable(p) && sighand_action(p->sighand, sig)->handler == SIG_DFL)
		return true;
	return sig_handler_ignores(p, sig);
}

/* ------------------------------------------------------------------ queues */

/* Entries that an interrupt had to give back: memory is not freed there. proc_lock. */
static LIST_HEAD(spare_entries);

static struct sigqueue *alloc_entry(void)
{
	struct sigqueue *q = list_first_entry_or_null(&spare_entries, struct sigqueue, node);

	if (!q)
		return kmalloc(sizeof(*q));
	list_del_init(&q->node);
	return q;
}

static bool queue_full(const struct process *p)
{
	return p->nr_sigqueued >= p->rlim[RLIMIT_SIGPENDING].cur;
}

static int queue_info(struct process *p, struct sigpending *pend, int sig, const struct siginfo *si)
{
	struct sigqueue *q = NULL;

	if (si && !(queue_full(p) && sig >= SIGRTMIN))
		q = alloc_entry();
	if (!q) {
		if (si && sig >= SIGRTMIN && si->code != SI_USER)
			return -EAGAIN;
		return 0;
	}
	q->info = *si;
	q->timer = NULL;
	q->info.signo = sig;
	p->nr_sigqueued++;
	list_add_tail(&q->node, &pend->queue);
	return 0;
}

/* si: the signal has been taken; NULL: nobody will. */
static void free_entry(struct process *p, struct sigqueue *q, struct siginfo *si)
{
	list_del_init(&q->node);
	if (q->timer) {
		ptimer_taken(q->timer, si ? si : &q->info);
		return;
	}
	p->nr_sigqueued--;
	if (in_interrupt())
		list_add(&q->node, &spare_entries);
	else
		kfree(q);
}

void flush_pending(struct process *p, struct sigpending *pend)
{
	pending_remove(p, pend, ~0ull);
}

void pending_remove(struct process *p, struct sigpending *pend, sigset_t which)
{
	struct sigqueue *q, *next;

	if (!(pend->set & which))
		return;
	pend->set &= ~which;
	list_for_each_entry_safe (q, next, &pend->queue, node)
		if (sigmask(q->info.signo) & which)
			free_entry(p, q, NULL);
}

/* The oldest siginfo of sig; the bit stays while there are more. */
void pending_take(struct process *p, struct sigpending *pend, int sig, struct siginfo *si)
{
	struct sigqueue *q, *next, *first = NULL;
	bool more = false;

	list_for_each_entry_safe (q, next, &pend->queue, node) {
		if (q->info.signo != sig)
			continue;
		if (first) {
			more = true;
			break;
		}
		first = q;
	}
	if (!more)
		pend->set &= ~sigmask(sig);
	if (first) {
		*si = first->info;
		free_entry(p, first, si);
	} else {
		memset(si, 0, sizeof(*si));
		si->signo = sig;
		si->code = SI_KERNEL;
	}
}

/* ------------------------------------------------------------------ waking */

void signal_wake(struct task *t, u32 states)
{
	task_set_work(t, WORK_SIGNAL);
	if (!wake_up_state(t, states))
		sched_kick(t);
}

void kill_thread_locked(struct task *t)
{
	t->killed = true;
	signal_wake(t, 1u << TASK_INTERRUPTIBLE | 1u << TASK_KILLABLE | 1u << TASK_STOPPED |
	                   1u << TASK_TRACED);
}

/* The whole process is to end, killed by sig. */
void kill_process_locked(struct process *p, int sig)
{
	struct task *t;

	if (!p->exiting) {
		p->exiting = true;
		p->exit_code = sig;
	}
	p->stop_sig = 0;
	for_each_thread (t, p)
		if (!t->exited)
			kill_thread_locked(t);
}

static bool wants(const struct task *t, int sig)
{
	return !t->exited && !(t->blocked & sigmask(sig));
}

/* Who acts on a signal to the process: the leader if it can, else any. */
static struct task *choose_thread(struct process *p, int sig)
{
	struct task *t;

	if (p->leader && wants(p->leader, sig))
		return p->leader;
	for_each_thread (t, p)
		if (wants(t, sig))
			return t;
	return NULL;
}

static bool is_fatal(const struct process *p, const struct task *t, int sig)
{
	if (sighand_action(p->sighand, sig)->handler != SIG_DFL || default_is_ignore(sig) ||
	    sig_default_stops(sig) || (t->real_blocked & sigmask(sig)))
		return false;
	/* Those that would dump core wait for the thread, as the dump would be of it; a tracer may think
	 * better of it. */
	return sig == SIGKILL || (!default_dumps(sig) && !t->trace.tracer);
}

void retarget_shared(struct process *p, const struct task *except)
{
	struct task *t;

	if (!p->pending.set)
		return;
	for_each_thread (t, p)
		if (t != except && !t->exited && (p->pending.set & ~t->blocked))
			signal_wake(t, 1u << TASK_INTERRUPTIBLE);
}

/* ------------------------------------------------------------------ stop and continue */

static void continue_process(struct process *p)
{
	bool was_stopped = p->stop_sig && p->nr_stopped;
	struct task *t;

	pending_remove(p, &p->pending, SIG_STOP_MASK);
	for_each_thread (t, p) {
		pending_remove(p, &t->pending, SIG_STOP_MASK);
		if (unlikely(t->trace.tracer))
			trace_group_continue(t);
	}
	if (!p->stop_sig)
		return;
	p->stop_sig = 0;
	p->nr_stopped = 0;
	p->stop_report = false;
	for_each_thread (t, p) {
		t->stopped = false;
		wake_up_state(t, 1u << TASK_STOPPED);
	}
	if (!was_stopped)
		return;
	p->cont_report = true;
	notify_parent_locked(p, CLD_CONTINUED, SIGCONT);
}

/* What a signal does the moment it is sent, whether blocked, ignored or not. */
static void act_at_once(struct process *p, int sig)
{
	struct task *t;

	if (sig == SIGCONT) {
		continue_process(p);
	} else if (sig_default_stops(sig)) {
		pending_remove(p, &p->pending, sigmask(SIGCONT));
		for_each_thread (t, p)
			pending_remove(p, &t->pending, sigmask(SIGCONT));
	}
}

/* ------------------------------------------------------------------ signalfd */

static u32 nr_pollers; /* [A] */

void signals_are_polled(int by)
{
	__atomic_fetch_add(&nr_pollers, by, __ATOMIC_SEQ_CST);
}

sigset_t signals_pending(struct task *t)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	sigset_t set = t->pending.set | t->proc->pending.set;

	spin_unlock_irqrestore(&proc_lock, irq);
	return set;
}

/* ------------------------------------------------------------------ sending */

/* It is in the queue now: who is to act on it? */
static void signal_arrived(struct task *t, struct process *p, int sig)
{
	struct task *target;

	if (unlikely(READ_ONCE(nr_pollers)))
		poll_notify();
	if (t)
		target = wants(t, sig) ? t : NULL;
	else
		target = choose_thread(p, sig);
	if (!target)
		return;
	if (is_fatal(p, target, sig))
		kill_process_locked(p, sig);
	else
		signal_wake(target, 1u << TASK_INTERRUPTIBLE);
}

bool send_entry_locked(struct task *t, struct process *p, struct sigqueue *q)
{
	struct sigpending *pend = t ? &t->pending : &p->pending;
	struct task *target = t ? t : p->leader;
	int sig = q->info.signo;

	if (!target || p->zombie || !p->sighand)
		return false;
	act_at_once(p, sig);
	if (sig_dropped(p, target, sig))
		return false;
	list_add_tail(&q->node, &pend->queue);
	pend->set |= sigmask(sig);
	signal_arrived(t, p, sig);
	return true;
}

/* To the thread t, or to process p when t is NULL. proc_lock. */
int send_locked(struct task *t, struct process *p, int sig, const struct siginfo *si)
{
	struct sigpending *pend = t ? &t->pending : &p->pending;
	struct task *target = t ? t : p->leader;
	int err;

	if (p->kernel || !target || p->zombie || !p->sighand || (t && t->exited))
		return 0;
	act_at_once(p, sig);
	if (sig_dropped(p, target, sig))
		return 0;
	if (sig < SIGRTMIN && (pend->set & sigmask(sig)))
		return 0;
	err = queue_info(p, pend, sig, si);
	if (err)
		return err;
	pend->set |= sigmask(sig);
	signal_arrived(t, p, sig);
	return 0;
}

int send_sig_info(struct task *t, const struct siginfo *si)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	int err = send_locked(t, t->proc, si->signo, si);

	spin_unlock_irqrestore(&proc_lock, irq);
	return err;
}

int send_sig(int sig, struct task *t)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	int err = send_locked(t, t->proc, sig, NULL);

	spin_unlock_irqrestore(&proc_lock, irq);
	return err;
}

int send_process_info(struct process *p, const struct siginfo *si)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	int err = send_locked(NULL, p, si->signo, si);

	spin_unlock_irqrestore(&proc_lock, irq);
	return err;
}

int send_process_sig(struct process *p, int sig)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	int err = send_locked(NULL, p, sig, NULL);

	spin_unlock_irqrestore(&proc_lock, irq);
	return err;
}

int kill_pgrp_locked(s32 pgid, int sig)
{
	struct process *p;
	int err = -ESRCH;

	for_each_process (p) {
		if (p->pgid != pgid)
			continue;
		err = 0;
		if (sig)
			send_locked(NULL, p, sig, NULL);
	}
	return err;
}

int kill_pgrp(s32 pgid, int sig)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	int err = kill_pgrp_locked(pgid, sig);

	spin_unlock_irqrestore(&proc_lock, irq);
	return err;
}

void notify_locked(struct process *to, const struct task *t, int sig, int why, int status)
{
	bool stop = why >= CLD_TRAPPED;
	struct siginfo si = {.signo = sig, .code = why};
	u64 utime, stime;

	if (!to || !to->sighand)
		return;
	wake_up_all(&to->wait_child);
	if (stop && (sighand_action(to->sighand, SIGCHLD)->flags & SA_NOCLDSTOP))
		return;
	process_cputime_locked(t->proc, &utime, &stime);
	si.chld.pid = t->pid;
	si.chld.uid = t->cred.uid;
	si.chld.status = status;
	si.chld.utime = utime / TICK_NS;
	si.chld.stime = stime / TICK_NS;
	send_locked(NULL, to, sig, &si);
}

/* p's parent gets p->exit_signal (SIGCHLD for stops). why: CLD_*. */
void notify_parent_locked(struct process *p, int why, int status)
{
	int sig = why >= CLD_TRAPPED ? SIGCHLD : (int)p->exit_signal;

	notify_locked(p->parent, p->leader, sig, why, status);
}

/* ------------------------------------------------------------------ what the thread itself caused
 */

/* Nothing may keep it from its effect: not a mask, not SIG_IGN, not being PID 1. */
static void force_locked(const struct siginfo *si)
{
	struct task *t = current;
	struct process *p = t->proc;
	const struct k_sigaction *sa = sighand_action(p->sighand, si->signo);

	if (sa->handler == SIG_IGN || (t->blocked & sigmask(si->signo))) {
		sighand_default(p->sighand, si->signo);
		t->blocked &= ~sigmask(si->signo);
	}
	if (sa->handler == SIG_DFL && !t->trace.tracer) {
		/* There is nobody to ask: the process ends. */
		kill_process_locked(p, si->signo);
		return;
	}
	if (!(t->pending.set & sigmask(si->signo)))
		queue_info(p, &t->pending, si->signo, si);
	t->pending.set |= sigmask(si->signo);
	task_set_work(t, WORK_SIGNAL);
}

static void force_info(const struct siginfo *si)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);

	force_locked(si);
	spin_unlock_irqrestore(&proc_lock, irq);
}

void force_sig_fault(int sig, int code, u64 addr)
{
	struct siginfo si = {.signo = sig, .code = code};

	si.fault.addr = addr;
	force_info(&si);
}

void force_sig(int sig)
{
	struct siginfo si = {.signo = sig, .code = SI_KERNEL};

	force_info(&si);
}

void force_sigkill(void)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);

	kill_process_locked(current->proc, SIGKILL);
	spin_unlock_irqrestore(&proc_lock, irq);
}

/* ------------------------------------------------------------------ asking */

bool signal_pending(struct task *t)
{
	return READ_ONCE(t->work) & WORK_SIGNAL;
}

bool fatal_signal_pending(struct task *t)
{
	return READ_ONCE(t->killed);
}

bool signal_ignored_or_blocked(struct task *t, int sig)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	bool yes =
	    (t->blocked & sigmask(sig)) || sighand_action(t->proc->sighand, sig)->handler == SIG_IGN;

	spin_unlock_irqrestore(&proc_lock, irq);
	return yes;
}

/* ------------------------------------------------------------------ handler tables */

const struct k_sigaction sigaction_default;

void sighand_put(struct sighand *s)
{
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(s);
}

static void copy_actions(struct sighand *to, const struct sighand *from)
{
	sigset_t left;

	to->set = from->set;
	for (left = to->set; left; left &= left - 1) {
		int i = __builtin_ctzll(left);

		to->action[i] = from->action[i];
	}
}

struct sighand *sighand_dup(const struct sighand *s)
{
	struct sighand *copy = kmalloc(sizeof(*copy));
	unsigned long irq;

	if (!copy)
		return NULL;
	copy->refs = 1;
	irq = spin_lock_irqsave(&proc_lock);
	copy_actions(copy, s);
	spin_unlock_irqrestore(&proc_lock, irq);
	return copy;
}

void sighand_default(struct sighand *s, int sig)
{
	if (s->set & sigmask(sig))
		s->action[sig - 1].handler = SIG_DFL;
}

void sighand_flush(struct sighand *s)
{
	sigset_t left;

	for (left = s->set; left; left &= left - 1) {
		int i = __builtin_ctzll(left);

		if (s->action[i].handler == SIG_IGN)
			s->action[i] = (struct k_sigaction){.handler = SIG_IGN};
		else
			s->set &= ~(left & -left);
	}
}
