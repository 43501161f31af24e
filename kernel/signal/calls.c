/* SPDX-License-Identifier: MIT */
/* The system calls about signals, but those of the frame. */
#include "kernel/signal/internal.h"

#include "kernel/clock.h"
#include "kernel/fs/pidfd.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

/* ------------------------------------------------------------------ masks */

void set_current_blocked(sigset_t set)
{
	struct task *t = current;
	unsigned long irq;
	sigset_t added;

	set &= ~SIG_UNBLOCKABLE;
	if (set == t->blocked)
		return;
	irq = spin_lock_irqsave(&proc_lock);
	added = set & ~t->blocked;
	t->blocked = set;
	if (added & t->proc->pending.set)
		retarget_shared(t->proc, t);
	recalc_signals();
	spin_unlock_irqrestore(&proc_lock, irq);
}

int set_user_sigmask(u64 addr, u64 size)
{
	struct task *t = current;
	sigset_t set;

	if (!addr)
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	if (get_user(set, addr))
		return -EFAULT;
	t->saved_mask = t->blocked;
	task_set_work(t, WORK_SIGMASK);
	set_current_blocked(set);
	return 0;
}

void restore_user_sigmask(bool interrupted)
{
	struct task *t = current;

	if (interrupted || !(t->work & WORK_SIGMASK))
		return;
	task_clear_work(t, WORK_SIGMASK);
	set_current_blocked(t->saved_mask);
}

long sys_rt_sigprocmask(u64 how, u64 uset, u64 uold, u64 size)
{
	sigset_t old = current->blocked, set;

	if (size != sizeof(set))
		return -EINVAL;
	if (uset) {
		if (get_user(set, uset))
			return -EFAULT;
		switch ((s32)how) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		set_current_blocked(set);
	}
	return uold ? put_user(old, sigset_t, uold) : 0;
}

long sys_rt_sigpending(u64 uset, u64 size)
{
	struct task *t = current;
	sigset_t set;

	if (size > sizeof(set))
		return -EINVAL;
	spin_lock_irq(&proc_lock);
	set = (t->pending.set | t->proc->pending.set) & t->blocked;
	spin_unlock_irq(&proc_lock);
	return copy_to_user(uset, &set, size);
}

long sys_rt_sigsuspend(u64 uset, u64 size)
{
	struct task *t = current;
	sigset_t set;

	if (size != sizeof(set))
		return -EINVAL;
	if (get_user(set, uset))
		return -EFAULT;
	t->saved_mask = t->blocked;
	set_current_blocked(set);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending(t))
			break;
		schedule();
	}
	set_current_state(TASK_RUNNING);
	task_set_work(t, WORK_SIGMASK);
	return -ERESTARTNOHAND;
}

/* ------------------------------------------------------------------ actions */

static void change_action(struct process *p, int sig, struct k_sigaction *sa)
{
	struct task *t;

	sa->flags &= SA_KNOWN;
	sa->mask &= ~SIG_UNBLOCKABLE;
	p->sighand->action[sig - 1] = *sa;
	p->sighand->set |= sigmask(sig);
	/* POSIX: what is ignored from now on is no longer pending. */
	if (!sig_handler_ignores(p, sig))
		return;
	pending_remove(p, &p->pending, sigmask(sig));
	for_each_thread (t, p)
		pending_remove(p, &t->pending, sigmask(sig));
}

long sys_rt_sigaction(u64 usig, u64 uact, u64 uold, u64 size)
{
	struct process *p = current->proc;
	struct k_sigaction sa, old;
	s32 sig = (s32)usig;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (uact && copy_from_user(&sa, uact, sizeof(sa)))
		return -EFAULT;
	if (sig < 1 || sig > NSIG || (uact && (sig == SIGKILL || sig == SIGSTOP)))
		return -EINVAL;
	spin_lock_irq(&proc_lock);
	old = *sighand_action(p->sighand, sig);
	if (uact)
		change_action(p, sig, &sa);
	spin_unlock_irq(&proc_lock);
	return uold ? copy_to_user(uold, &old, sizeof(old)) : 0;
}

/* ------------------------------------------------------------------ sending */

/* proc_lock. */
static bool may_signal(const struct process *p, int sig)
{
	const struct cred *me = &current->cred, *to;

	if (p == current->proc || !p->leader)
		return true;
	to = &p->leader->cred;
	if (me->euid == to->suid || me->euid == to->uid || me->uid == to->suid ||
	    me->uid == to->uid)
		return true;
	if (sig == SIGCONT && p->sid == current->proc->sid)
		return true;
	return capable(CAP_KILL);
}

/* proc_lock. t NULL: to the process. si NULL is not used. */
static int send_checked(struct task *t, struct process *p, const struct siginfo *si)
{
	if (!may_signal(p, si->signo))
		return -EPERM;
	if (!si->signo || p->zombie)
		return 0;
	return send_locked(t, p, si->signo, si);
}

/* Every process that `pick` takes: success if one of them could be told. proc_lock. */
static int send_many(const struct siginfo *si, s32 pgid)
{
	int err, ret = -ESRCH;
	struct process *p;

	for_each_process (p) {
		if (pgid > 0 ? p->pgid != pgid : p->tgid == 1 || p == current->proc || p->kernel)
			continue;
		err = send_checked(NULL, p, si);
		if (!err || ret == -ESRCH)
			ret = err;
		else if (ret && err != -EPERM)
			ret = err;
	}
	return ret;
}

static int kill_pid(s32 pid, const struct siginfo *si)
{
	struct process *p;
	struct task *t;
	int ret;

	if (pid == INT32_MIN)
		return -ESRCH;
	spin_lock_irq(&proc_lock);
	if (pid > 0) {
		/* kill(2) takes the number of any thread for its process. */
		t = find_task_locked(pid);
		p = t ? t->proc : NULL;
		ret = p ? send_checked(NULL, p, si) : -ESRCH;
	} else {
		ret = send_many(si, pid == -1 ? 0 : pid ? -pid : current->proc->pgid);
	}
	spin_unlock_irq(&proc_lock);
	return ret;
}

static bool sig_number_ok(s32 sig)
{
	return sig >= 0 && sig <= NSIG;
}

static void fill_sender(struct siginfo *si, int sig, int code)
{
	memset(si, 0, sizeof(*si));
	si->signo = sig;
	si->code = code;
	si->kill.pid = current->proc->tgid;
	si->kill.uid = current->cred.uid;
}

long sys_kill(u64 pid, u64 sig)
{
	struct siginfo si;

	if (!sig_number_ok((s32)sig))
		return -EINVAL;
	fill_sender(&si, (s32)sig, SI_USER);
	return kill_pid((s32)pid, &si);
}

/* tgid 0: whatever its process is. */
static int kill_thread(s32 tgid, s32 tid, const struct siginfo *si)
{
	struct task *t;
	int ret = -ESRCH;

	spin_lock_irq(&proc_lock);
	t = find_task_locked(tid);
	if (t && (!tgid || t->proc->tgid == tgid))
		ret = send_checked(t, t->proc, si);
	spin_unlock_irq(&proc_lock);
	return ret;
}

long sys_tgkill(u64 tgid, u64 tid, u64 sig)
{
	struct siginfo si;

	if ((s32)tgid <= 0 || (s32)tid <= 0 || !sig_number_ok((s32)sig))
		return -EINVAL;
	fill_sender(&si, (s32)sig, SI_TKILL);
	return kill_thread((s32)tgid, (s32)tid, &si);
}

long sys_tkill(u64 tid, u64 sig)
{
	struct siginfo si;

	if ((s32)tid <= 0 || !sig_number_ok((s32)sig))
		return -EINVAL;
	fill_sender(&si, (s32)sig, SI_TKILL);
	return kill_thread(0, (s32)tid, &si);
}

/* A siginfo of the sender's making; what follows its known part has to be zero. */
int read_siginfo(struct siginfo *si, u64 addr)
{
	u64 rest[(SIGINFO_SIZE - sizeof(*si)) / 8];
	unsigned i;

	if (copy_from_user(si, addr, sizeof(*si)) ||
	    copy_from_user(rest, addr + sizeof(*si), sizeof(rest)))
		return -EFAULT;
	for (i = 0; i < ARRAY_SIZE(rest); i++)
		if (rest[i])
			return -E2BIG;
	return 0;
}

/* The same, for the signal that the call names. */
static int get_siginfo(struct siginfo *si, u64 addr, s32 sig)
{
	int err = read_siginfo(si, addr);

	si->signo = sig;
	return err;
}

/* Nobody may claim to be the kernel, or kill(2), to others. */
static bool forged(const struct siginfo *si, s32 pid)
{
	return (si->code >= 0 || si->code == SI_TKILL) && pid != current->proc->tgid;
}

long sys_rt_sigqueueinfo(u64 pid, u64 sig, u64 uinfo)
{
	struct siginfo si;
	int err;

	err = get_siginfo(&si, uinfo, (s32)sig);
	if (err)
		return err;
	if (forged(&si, (s32)pid))
		return -EPERM;
	if (!sig_number_ok((s32)sig))
		return -EINVAL;
	if ((s32)pid <= 0)
		return -ESRCH;
	return kill_pid((s32)pid, &si);
}

long sys_rt_tgsigqueueinfo(u64 tgid, u64 tid, u64 sig, u64 uinfo)
{
	struct siginfo si;
	int err;

	err = get_siginfo(&si, uinfo, (s32)sig);
	if (err)
		return err;
	if ((s32)tgid <= 0 || (s32)tid <= 0 || !sig_number_ok((s32)sig))
		return -EINVAL;
	if (forged(&si, (s32)tid))
		return -EPERM;
	return kill_thread((s32)tgid, (s32)tid, &si);
}

#define PIDFD_SIGNAL_THREAD        1u
#define PIDFD_SIGNAL_THREAD_GROUP  2u
#define PIDFD_SIGNAL_PROCESS_GROUP 4u

/* To the process, its first thread, or the group that has its number. */
static int signal_process(struct process *p, const struct siginfo *si, u32 flags)
{
	int ret = -ESRCH;

	if (!sig_number_ok(si->signo))
		return -EINVAL;
	spin_lock_irq(&proc_lock);
	if (p->leader && flags == PIDFD_SIGNAL_PROCESS_GROUP)
		ret = send_many(si, p->tgid);
	else if (p->leader)
		ret = send_checked(flags == PIDFD_SIGNAL_THREAD ? p->leader : NULL, p, si);
	spin_unlock_irq(&proc_lock);
	return ret;
}

static int pidfd_siginfo(struct siginfo *si, const struct process *p, s32 sig, u64 uinfo, u32 flags)
{
	int err;

	if (!uinfo) {
		fill_sender(si, sig, flags == PIDFD_SIGNAL_THREAD ? SI_TKILL : SI_USER);
		return 0;
	}
	err = read_siginfo(si, uinfo);
	if (!err && si->signo != sig)
		err = -EINVAL;
	if (!err && (forged(si, p->tgid) || (flags == PIDFD_SIGNAL_PROCESS_GROUP &&
	                                     (si->code >= 0 || si->code == SI_TKILL))))
		err = -EPERM;
	return err;
}

long sys_pidfd_send_signal(u64 fd, u64 usig, u64 uinfo, u64 uflags)
{
	u32 flags = (u32)uflags;
	struct process *p;
	struct siginfo si;
	int err;

	if (flags & (flags - 1) || flags > PIDFD_SIGNAL_PROCESS_GROUP)
		return -EINVAL;
	p = pidfd_or_proc_process((int)fd, &err);
	if (!p)
		return err;
	err = pidfd_siginfo(&si, p, (s32)usig, uinfo, flags);
	if (!err)
		err = signal_process(p, &si, flags);
	process_put(p);
	return err;
}

/* ------------------------------------------------------------------ waiting for one */

int signal_take(sigset_t set, struct siginfo *si)
{
	int sig;

	spin_lock_irq(&proc_lock);
	sig = dequeue_signal(set, si);
	if (sig)
		recalc_signals();
	spin_unlock_irq(&proc_lock);
	return sig;
}

/* While it waits the set is not blocked, so that a signal finds and wakes it; it is taken here all
 * the same. */
static int wait_for_signal(sigset_t set, u64 deadline, struct siginfo *si)
{
	struct task *t = current;
	sigset_t blocked = t->blocked;
	int sig;

	t->real_blocked = blocked;
	set_current_blocked(blocked & ~set);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending(t) || !schedule_deadline(deadline))
			break;
	}
	set_current_state(TASK_RUNNING);
	sig = signal_take(set, si);
	set_current_blocked(blocked);
	t->real_blocked = 0;
	if (sig)
		return sig;
	return signal_pending(t) ? -EINTR : -EAGAIN;
}

long sys_rt_sigtimedwait(u64 uset, u64 uinfo, u64 utime, u64 size)
{
	u64 ns = NO_DEADLINE;
	struct siginfo si;
	sigset_t set;
	int sig;

	if (size != sizeof(set))
		return -EINVAL;
	if (get_user(set, uset))
		return -EFAULT;
	if (utime) {
		int err = get_user_timespec(&ns, utime);

		if (err)
			return err;
	}
	set &= ~SIG_UNBLOCKABLE;
	sig = signal_take(set, &si);
	if (!sig && !ns)
		return -EAGAIN;
	if (!sig)
		sig = wait_for_signal(set, deadline_after(ns), &si);
	if (sig > 0 && uinfo && put_siginfo(uinfo, &si))
		return -EFAULT;
	return sig;
}

/* ------------------------------------------------------------------ restart */

long sys_restart_syscall(void)
{
	u64 (*fn)(struct task * t) = current->restart_fn;

	current->restart_fn = NULL;
	return fn ? (long)fn(current) : -EINTR;
}
