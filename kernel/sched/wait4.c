/* SPDX-License-Identifier: MIT */
/*
 * wait4(2) and waitid(2): news of children that have ended, stopped or gone on.
 *
 * Children belong to the process, so any of its threads may wait for any of them.
 */
#include "kernel/fs/pidfd.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/usage.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/uaccess.h"

#define WNOHANG    0x00000001u
#define WUNTRACED  0x00000002u
#define WSTOPPED   0x00000002u
#define WEXITED    0x00000004u
#define WCONTINUED 0x00000008u
#define WNOWAIT    0x01000000u
#define WNOTHREAD  0x20000000u
#define WALL       0x40000000u
#define WCLONE     0x80000000u

enum wait_kind { WAIT_ANY, WAIT_PID, WAIT_PGRP, WAIT_PROCESS };

struct wait_request {
	enum wait_kind kind;
	s32 id;
	struct process *proc; /* WAIT_PROCESS: with a reference */
	u32 options;
	bool nonblock; /* instead of waiting: -EAGAIN */
	/* What was found. */
	s32 pid;
	u32 uid;
	int why;    /* CLD_*: 0 nothing */
	u32 status; /* as wait4 has it */
	struct usage usage;
};

static bool is_meant(const struct wait_request *w, const struct task *t)
{
	if (w->kind == WAIT_PID)
		return t->pid == w->id;
	if (w->kind == WAIT_PGRP)
		return t->proc->pgid == w->id;
	return w->kind != WAIT_PROCESS || t == w->proc->leader;
}

static bool matches(const struct wait_request *w, const struct process *c)
{
	bool clone_child = c->exit_signal != SIGCHLD;

	if (!is_meant(w, c->leader))
		return false;
	return (w->options & WALL) || clone_child == !!(w->options & WCLONE);
}

/* proc_lock, as for the following. */
static void fill(struct wait_request *w, const struct task *t, int why, u32 status)
{
	struct process *c = t->proc;

	w->pid = t->pid;
	w->uid = t->cred.uid;
	w->why = why;
	w->status = status;
	process_usage_locked(c, &w->usage);
	usage_add(&w->usage, &c->children_usage);
}

static void take_zombie(struct wait_request *w, struct process *c)
{
	u32 code = c->exit_code;

	fill(w, c->leader, exit_why(code), code);
	if (w->options & WNOWAIT)
		return;
	if (trace_by_stranger(c->leader)) {
		/* Its parent has not been told yet. */
		trace_unlink(c->leader);
		notify_exit(c);
		return;
	}
	usage_add(&c->parent->children_usage, &w->usage);
	release_process(c);
}

/* Is there news of this child that the caller wants? */
static bool take_news(struct wait_request *w, struct process *c)
{
	if (c->zombie) {
		if (!(w->options & WEXITED) || c->leader->trace.tracer)
			return false;
		take_zombie(w, c);
		return true;
	}
	if (c->stop_report && (w->options & WSTOPPED)) {
		fill(w, c->leader, CLD_STOPPED, c->stop_sig << 8 | 0x7f);
		c->stop_report = w->options & WNOWAIT;
		return true;
	}
	if (c->cont_report && (w->options & WCONTINUED)) {
		fill(w, c->leader, CLD_CONTINUED, 0xffff);
		c->cont_report = w->options & WNOWAIT;
		return true;
	}
	return false;
}

/* Of a thread that the caller's process traces? Its stops are told whether asked for or not. */
static bool take_trace_news(struct wait_request *w, struct task *t)
{
	struct process *c = t->proc;
	u32 code;

	if (t->exited) {
		if (!(w->options & WEXITED) || (t == c->leader && !c->zombie))
			return false;
		if (t == c->leader) {
			take_zombie(w, c);
			return true;
		}
		code = c->exiting ? c->exit_code : t->exit_code;
		fill(w, t, exit_why(code), code);
		if (!(w->options & WNOWAIT))
			release_thread(t);
		return true;
	}
	if (t->trace.stop && t->trace.report && !t->trace.listening) {
		fill(w, t, CLD_TRAPPED, t->trace.stop << 8 | 0x7f);
		t->trace.report = w->options & WNOWAIT;
		return true;
	}
	return false;
}

static int scan_traced(struct wait_request *w)
{
	struct task *me, *t;
	int found = -ECHILD;

	for_each_thread (me, current->proc) {
		if ((w->options & WNOTHREAD) && me != current)
			continue;
		list_for_each_entry (t, &me->trace.tracees, trace.node) {
			if (!is_meant(w, t))
				continue;
			found = 0;
			if (take_trace_news(w, t))
				return 1;
		}
	}
	return found;
}

/* 1: found; 0: none yet, but there may be; -ECHILD: there never will. */
static int scan_children(struct wait_request *w)
{
	struct process *c, *next;
	int found = -ECHILD, traced;

	spin_lock_irq(&proc_lock);
	list_for_each_entry_safe (c, next, &current->proc->children, sibling) {
		if (!matches(w, c))
			continue;
		found = 0;
		if (!trace_by_parent(c->leader) && take_news(w, c)) {
			found = 1;
			break;
		}
	}
	if (found != 1) {
		traced = scan_traced(w);
		found = traced < 0 ? found : traced;
	}
	spin_unlock_irq(&proc_lock);
	return found;
}

/* The pid, 0 with WNOHANG and no news, or -errno. */
static long do_wait(struct wait_request *w, int state)
{
	struct process *p = current->proc;
	struct wait_entry e;
	long ret;

	wait_entry_init(&e);
	for (;;) {
		prepare_to_wait(&p->wait_child, &e, state);
		ret = scan_children(w);
		if (ret || (w->options & WNOHANG))
			break;
		if (w->nonblock) {
			ret = -EAGAIN;
			break;
		}
		if (signal_pending_state(state)) {
			ret = -ERESTARTSYS;
			break;
		}
		schedule();
	}
	finish_wait(&p->wait_child, &e);
	return ret == 1 ? w->pid : ret;
}

s32 kernel_wait(u32 *status)
{
	struct wait_request w = {.kind = WAIT_ANY, .options = WEXITED | WALL};
	long pid = do_wait(&w, TASK_UNINTERRUPTIBLE);

	*status = w.status;
	return pid;
}

long sys_wait4(u64 upid, u64 ustatus, u64 options, u64 urusage)
{
	s32 pid = (s32)upid;
	struct wait_request w = {.options = (u32)options | WEXITED};
	long ret;

	if ((u32)options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	w.kind = pid == -1 ? WAIT_ANY : pid > 0 ? WAIT_PID : WAIT_PGRP;
	w.id = pid > 0 ? pid : pid ? -pid : current->proc->pgid;
	ret = do_wait(&w, TASK_INTERRUPTIBLE);
	if (ret <= 0)
		return ret;
	if (ustatus && put_user(w.status, u32, ustatus))
		return -EFAULT;
	if (urusage && put_user_rusage(urusage, &w.usage))
		return -EFAULT;
	return ret;
}

#define P_ALL   0
#define P_PID   1
#define P_PGID  2
#define P_PIDFD 3

static int waitid_target(struct wait_request *w, u64 which, s32 id)
{
	u32 flags;

	switch (which) {
	case P_ALL:
		w->kind = WAIT_ANY;
		return 0;
	case P_PID:
		w->kind = WAIT_PID;
		w->id = id;
		return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		w->kind = WAIT_PGRP;
		w->id = id ? id : current->proc->pgid;
		return id >= 0 ? 0 : -EINVAL;
	case P_PIDFD:
		w->kind = WAIT_PROCESS;
		if (id < 0)
			return -EINVAL;
		w->proc = pidfd_process(id, &flags);
		w->nonblock = w->proc && (flags & O_NONBLOCK);
		return w->proc ? 0 : -EBADF;
	default:
		return -EINVAL;
	}
}

/* waitid's siginfo: of its 128 bytes it writes the first 28 only, as Linux does. */
static int put_waitid_info(u64 addr, const struct wait_request *w, bool found)
{
	s32 out[7] = {0};

	if (found) {
		out[0] = SIGCHLD;
		out[2] = w->why;
		out[4] = w->pid;
		out[5] = w->uid;
		switch (w->why) {
		case CLD_EXITED:
			out[6] = w->status >> 8 & 0xff;
			break;
		case CLD_STOPPED:
		case CLD_TRAPPED:
			out[6] = w->status >> 8;
			break;
		case CLD_CONTINUED:
			out[6] = SIGCONT;
			break;
		default:
			out[6] = w->status & 0x7f;
		}
	}
	/* The padding word stays as the caller had it. */
	if (copy_to_user(addr, out, 12) || copy_to_user(addr + 16, out + 4, 12))
		return -EFAULT;
	return 0;
}

long sys_waitid(u64 which, u64 id, u64 uinfo, u64 options, u64 urusage)
{
	struct wait_request w = {.options = (u32)options};
	long ret;
	int err;

	if ((u32)options &
	    ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WNOTHREAD | WCLONE | WALL))
		return -EINVAL;
	if (!((u32)options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	err = waitid_target(&w, which, (s32)id);
	if (err)
		return err;
	ret = do_wait(&w, TASK_INTERRUPTIBLE);
	if (w.proc)
		process_put(w.proc);
	if (ret < 0)
		return ret;
	if (ret > 0 && urusage && put_user_rusage(urusage, &w.usage))
		return -EFAULT;
	if (uinfo && put_waitid_info(uinfo, &w, ret > 0))
		return -EFAULT;
	return 0;
}
