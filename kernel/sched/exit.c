/* SPDX-License-Identifier: MIT */
/*
 * The end of threads and processes.
 *
 * A thread gives back what it has, then leaves the tables; only a process's leader stays, as a
 * zombie, until the last of its threads has gone and the parent has asked (wait4) or does not care.
 */
#include "kernel/fs/fs.h"
#include "kernel/init.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/printk.h"
#include "kernel/mm.h"
#include "kernel/sched/oom.h"
#include "kernel/sched/ptimer.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/uaccess.h"

void usage_add(struct usage *to, const struct usage *from)
{
	to->utime += from->utime;
	to->stime += from->stime;
	to->min_flt += from->min_flt;
	to->maj_flt += from->maj_flt;
	to->nvcsw += from->nvcsw;
	to->nivcsw += from->nivcsw;
	to->maxrss = max(to->maxrss, from->maxrss);
}

/* What threads have in common counts once: proc_lock is held, so nothing here may sleep. */
void usage_max_mm(struct usage *u, const struct mmk_mm *mm)
{
	struct mmk_mm_usage m;

	mmk_mm_usage(mm, &m);
	u->maxrss = max(u->maxrss, m.hiwater_rss);
	u->min_flt = max(u->min_flt, m.min_flt);
	u->maj_flt = max(u->maj_flt, m.maj_flt);
}

/* ------------------------------------------------------------------ what a thread gives back */

/* The peak of the mm goes to the account before the mm goes. */
static void note_maxrss(struct process *p, struct mmk_mm *mm)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);

	usage_max_mm(&p->dead_threads, mm);
	spin_unlock_irqrestore(&proc_lock, irq);
}

/* pthread_join and robust mutexes: only somebody who shares the memory could tell. */
static void exit_user_words(struct task *t)
{
	if (!t->mmk.mm)
		return;
	exit_robust_list(t);
	if (!t->clear_child_tid)
		return;
	if (READ_ONCE(t->proc->nr_threads) > 1 || t->proc->mm_shared) {
		(void)put_user(0u, u32, t->clear_child_tid);
		futex_wake_addr(t->clear_child_tid, 1);
	}
	t->clear_child_tid = 0;
}

static void exit_mm(struct task *t)
{
	struct mmk_mm *mm = t->mmk.mm;

	if (!mm)
		return;
	note_maxrss(t->proc, mm);
	switch_task_mm(NULL);
	vfork_complete(t);
	mmk_mm_put(mm);
	if (READ_ONCE(t->proc->oom_victim))
		oom_leave(mm);
}

static void exit_files(struct task *t)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	struct files *files = t->files;
	struct fs *fs = t->fs;

	t->files = NULL;
	t->fs = NULL;
	spin_unlock_irqrestore(&proc_lock, irq);
	files_put(files);
	if (fs)
		fs_put(fs);
}

/* ------------------------------------------------------------------ families; proc_lock */

/* Who takes over the children: the nearest ancestor that asked for it, else PID 1. */
static struct process *new_parent(struct process *p)
{
	struct process *a;

	for (a = p->parent; a; a = a->parent)
		if (a->is_child_subreaper && !a->exiting && !a->zombie)
			return a;
	a = find_process_locked(1);
	return a == p ? NULL : a;
}

static void give_pdeath_signal(struct process *child)
{
	struct task *t;

	for_each_thread (t, child)
		if (t->pdeath_sig)
			send_locked(t, child, t->pdeath_sig, NULL);
}

static void reparent_children(struct process *p)
{
	struct process *to = new_parent(p), *c, *next;

	list_for_each_entry_safe (c, next, &p->children, sibling) {
		give_pdeath_signal(c);
		list_del_init(&c->sibling);
		c->parent = to;
		if (!to) {
			if (c->zombie)
				release_process(c);
			continue;
		}
		c->exit_signal = SIGCHLD;
		list_add_tail(&c->sibling, &to->children);
		if (c->zombie && !c->leader->trace.tracer)
			notify_exit(c);
	}
}

static bool pgrp_has_stopped(s32 pgid)
{
	struct process *p;

	for_each_process (p)
		if (p->pgid == pgid && p->stop_sig && !p->zombie)
			return true;
	return false;
}

/* Would the group be orphaned if `leaving` did not count? */
bool pgrp_orphaned_locked(s32 pgid, const struct process *leaving)
{
	struct process *p;

	for_each_process (p) {
		if (p->pgid != pgid || p == leaving || p->zombie || !p->parent)
			continue;
		if (p->parent->tgid == 1 || p->parent == leaving)
			continue;
		if (p->parent->pgid != pgid && p->parent->sid == p->sid)
			return false;
	}
	return true;
}

bool pgrp_orphaned(s32 pgid)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	bool orphaned = pgrp_orphaned_locked(pgid, NULL);

	spin_unlock_irqrestore(&proc_lock, irq);
	return orphaned;
}

/* POSIX: stopped members of a group that nobody could continue any more are hung up and continued.
 */
static void hangup_orphans(struct process *p, struct process *parent)
{
	struct process *c;

	if (parent && parent->pgid != p->pgid && parent->sid == p->sid &&
	    pgrp_orphaned_locked(p->pgid, p) && pgrp_has_stopped(p->pgid)) {
		kill_pgrp_locked(p->pgid, SIGHUP);
		kill_pgrp_locked(p->pgid, SIGCONT);
	}
	list_for_each_entry (c, &p->children, sibling) {
		if (c->pgid == p->pgid || c->sid != p->sid)
			continue;
		if (pgrp_orphaned_locked(c->pgid, p) && pgrp_has_stopped(c->pgid)) {
			kill_pgrp_locked(c->pgid, SIGHUP);
			kill_pgrp_locked(c->pgid, SIGCONT);
		}
	}
}

/* ------------------------------------------------------------------ the zombie; proc_lock */

/* Off all tables. Who still holds a reference sees a process without threads. */
void release_process(struct process *p)
{
	struct task *leader = p->leader;

	trace_unlink(leader);
	list_del_init(&p->sibling);
	list_del_init(&p->all);
	list_del_init(&leader->thread_node);
	pid_table_del(leader);
	p->leader = NULL;
	flush_pending(p, &p->pending);
	flush_pending(p, &leader->pending);
	sighand_put(p->sighand);
	p->sighand = NULL;
	task_put(leader);
}

static bool parent_ignores_exit(const struct process *parent)
{
	const struct k_sigaction *sa = sighand_action(parent->sighand, SIGCHLD);

	return sa->handler == SIG_IGN || (sa->flags & SA_NOCLDWAIT);
}

int exit_why(u32 code)
{
	return code & 0x7f ? (code & 0x80 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED;
}

int exit_value(u32 code)
{
	return code & 0x7f ? (int)(code & 0x7f) : (int)(code >> 8);
}

/* Tell the parent of a zombie; one that nobody will ask for goes at once. A tracer that is not the
 * parent comes first. */
void notify_exit(struct process *p)
{
	struct process *parent = p->parent;
	u32 code = p->exit_code;
	bool autoreap = p->exit_signal == SIGCHLD && parent_ignores_exit(parent) &&
	                !p->leader->trace.tracer;

	if (trace_by_stranger(p->leader)) {
		trace_notify_exit(p->leader, code);
		return;
	}
	if (p->exit_signal &&
	    !(autoreap && sighand_action(parent->sighand, SIGCHLD)->handler == SIG_IGN))
		notify_parent_locked(p, exit_why(code), exit_value(code));
	wake_up_all(&parent->wait_child);
	if (autoreap)
		release_process(p);
}

/* The last thread has gone. */
static void exit_process_locked(struct process *p)
{
	struct process *parent = p->parent;

	p->zombie = true;
	poll_notify(); /* pidfds */
	p->stop_sig = 0;
	hangup_orphans(p, parent);
	reparent_children(p);
	if (parent)
		notify_exit(p);
	else
		release_process(p);
}

void release_thread(struct task *t)
{
	struct process *p = t->proc;

	trace_unlink(t);
	list_del_init(&t->thread_node);
	pid_table_del(t);
	flush_pending(p, &t->pending);
	task_put(t);
	if (!--p->nr_unreaped && !p->nr_threads)
		exit_process_locked(p);
}

/* This thread leaves its group. */
static void exit_thread_locked(struct task *t)
{
	struct process *p = t->proc;

	t->exited = true;
	account_dead_thread(t);
	p->nr_threads--;
	if (t->stopped) {
		t->stopped = false;
		p->nr_stopped--;
	}
	if (p->nr_threads)
		check_group_stop(p);
	wake_up_all(&p->wait_group);
	if (t == p->leader) {
		if (!p->nr_threads && !p->nr_unreaped)
			exit_process_locked(p);
		return;
	}
	p->nr_unreaped++;
	if (t->trace.tracer)
		trace_notify_exit(t, p->exiting ? p->exit_code : t->exit_code);
	else
		release_thread(t);
}

/* ------------------------------------------------------------------ the ways to the end */

/* proc_lock. */
void kill_other_threads(void)
{
	struct process *p = current->proc;
	struct task *t;

	for_each_thread (t, p)
		if (t != current && !t->exited)
			kill_thread_locked(t);
}

/* PID 1 has ended: nothing can go on. A normal end switches the machine off, as a container's
 * would. */
static void init_died(u32 code)
{
	if (code & 0x7f)
		pr_err("Kernel panic - not syncing: Attempted to kill init! exitcode=0x%08x\n",
		       code);
	else
		printk("init has exited with status %u\n", code >> 8);
	power_off();
}

/* The thread begins to end. True when all others of the process have. */
static bool begin_exit(struct task *t, u32 code)
{
	struct process *p = t->proc;
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	bool last;

	t->exit_code = code;
	last = --p->nr_live == 0;
	if (last && !p->exiting) {
		p->exiting = true;
		p->exit_code = p->leader->exit_code;
	}
	spin_unlock_irqrestore(&proc_lock, irq);
	return last;
}

/* What the process has as a whole; its last thread does it. */
static void exit_group_resources(struct process *p)
{
	unsigned long irq;
	struct file *exe;

	itimers_exit(p);
	ptimers_delete_all(p);
	sem_process_exit(p->tgid);
	shm_process_exit(p->tgid);
	if (p->tgid == 1)
		init_died(p->exit_code);
	if (p->sid == p->tgid)
		tty_session_exit(p->sid);
	irq = spin_lock_irqsave(&proc_lock);
	exe = p->exe;
	p->exe = NULL;
	spin_unlock_irqrestore(&proc_lock, irq);
	exe_put(exe);
}

void do_exit(u32 code)
{
	struct task *t = current;
	struct process *p = t->proc;
	bool last;

	trace_exit_event(code);
	exit_user_words(t);
	last = begin_exit(t, code);
	exit_mm(t);
	vfork_complete(t);
	exit_files(t);
	if (last)
		exit_group_resources(p);

	spin_lock_irq(&proc_lock);
	if (unlikely(!list_empty(&t->trace.tracees)))
		trace_exit_tracer(t);
	exit_thread_locked(t);
	spin_unlock_irq(&proc_lock);

	set_current_state(TASK_DEAD);
	schedule();
	BUG();
}

void do_group_exit(u32 code)
{
	struct process *p = current->proc;

	spin_lock_irq(&proc_lock);
	if (p->exiting) {
		code = p->exit_code;
	} else if (!p->exec_task || p->exec_task == current) {
		p->exiting = true;
		p->exit_code = code;
		kill_other_threads();
	}
	spin_unlock_irq(&proc_lock);
	do_exit(code);
}

long sys_exit(u64 code)
{
	do_exit((code & 0xff) << 8);
}

long sys_exit_group(u64 code)
{
	do_group_exit((code & 0xff) << 8);
}
