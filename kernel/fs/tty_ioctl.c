/* SPDX-License-Identifier: MIT */
/* Terminals and processes: job control, the controlling terminal, and the ioctls of termios(3). */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/tty.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

/* ------------------------------------------------------------------ job control */

void tty_signal(struct tty *tty, int sig)
{
	s32 pgrp = READ_ONCE(tty->pgrp);

	if (pgrp)
		kill_pgrp(pgrp, sig);
}

int tty_job_control(struct tty *tty, int sig)
{
	struct process *p = current->proc;
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	bool background = p->tty == tty && tty->pgrp && p->pgid != tty->pgrp;
	s32 pgid = p->pgid;

	spin_unlock_irqrestore(&proc_lock, flags);
	if (!background)
		return 0;
	if (signal_ignored_or_blocked(current, sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (pgrp_orphaned(pgid))
		return -EIO;
	kill_pgrp(pgid, sig);
	return -ERESTARTSYS;
}

void tty_acquire(struct tty *tty)
{
	struct process *p = current->proc;
	unsigned long flags = spin_lock_irqsave(&proc_lock);

	if (p->sid == p->tgid && !p->tty && !tty->session) {
		p->tty = tty;
		tty->session = p->sid;
		tty->pgrp = p->pgid;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
}

/* Is tty the caller's controlling terminal? */
static bool is_mine(struct tty *tty)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	bool mine = current->proc->tty == tty && tty->session == current->proc->sid;

	spin_unlock_irqrestore(&proc_lock, flags);
	return mine;
}

/* The session is without it from now on; returns the group that was in the foreground. */
static s32 tty_leave_session(struct tty *tty, s32 sid)
{
	unsigned long flags;
	s32 pgrp = 0;

	flags = spin_lock_irqsave(&proc_lock);
	if (tty->session == sid && sid) {
		pgrp = tty->pgrp;
		tty->session = 0;
		tty->pgrp = 0;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	if (pgrp)
		session_clear_tty(sid, tty);
	return pgrp;
}

void tty_session_exit(int sid)
{
	struct tty *ttys[2] = {&console_tty, &link_tty};
	unsigned i;

	for (i = 0; i < 2; i++) {
		s32 pgrp = tty_leave_session(ttys[i], sid);

		if (pgrp) {
			kill_pgrp(pgrp, SIGHUP);
			kill_pgrp(pgrp, SIGCONT);
		}
	}
}

void tty_session_numbers(int sid, int *tty_nr, int *tpgid)
{
	struct tty *ttys[2] = {&console_tty, &link_tty};
	unsigned i;

	*tty_nr = 0;
	*tpgid = -1;
	for (i = 0; i < 2; i++) {
		if (sid && READ_ONCE(ttys[i]->session) == sid) {
			*tty_nr = (int)ttys[i]->rdev;
			*tpgid = ttys[i]->pgrp;
		}
	}
}

/* What the session has of it ends, and its leader is told; whoever has it open can only close it.
 */
static void hang_up(struct tty *tty, s32 sid)
{
	struct process *leader;

	tty_cut_files(tty);
	tty_leave_session(tty, sid);
	leader = find_process(sid);
	if (!leader)
		return;
	send_process_sig(leader, SIGHUP);
	send_process_sig(leader, SIGCONT);
	process_put(leader);
}

long sys_vhangup(void)
{
	unsigned long flags;
	struct tty *tty;
	s32 sid;

	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	flags = spin_lock_irqsave(&proc_lock);
	tty = current->proc->tty;
	sid = current->proc->sid;
	spin_unlock_irqrestore(&proc_lock, flags);
	if (tty)
		hang_up(tty, sid);
	return 0;
}

/* force: root may take it from another session. */
static long set_ctty(struct tty *tty, bool force)
{
	s32 owner = READ_ONCE(tty->session);

	if (is_mine(tty))
		return 0;
	if (force && owner && capable(CAP_SYS_ADMIN) && current->proc->sid == current->proc->tgid)
		tty_leave_session(tty, owner);
	tty_acquire(tty);
	return is_mine(tty) ? 0 : -EPERM;
}

static long drop_ctty(struct tty *tty)
{
	unsigned long flags;

	if (!is_mine(tty))
		return -ENOTTY;
	if (current->proc->sid == current->proc->tgid) {
		tty_session_exit(current->proc->sid);
		return 0;
	}
	flags = spin_lock_irqsave(&proc_lock);
	current->proc->tty = NULL;
	spin_unlock_irqrestore(&proc_lock, flags);
	return 0;
}

/* The group must be one of the caller's session. */
static bool group_in_session(s32 pgrp, s32 sid)
{
	struct process *p;
	bool found = false;

	for_each_process (p)
		if (p->pgid == pgrp && p->sid == sid)
			found = true;
	return found;
}

static long set_pgrp(struct tty *tty, u64 arg)
{
	unsigned long flags;
	long err;
	s32 pgrp;

	if (!is_mine(tty))
		return -ENOTTY;
	err = tty_job_control(tty, SIGTTOU);
	if (err)
		return err;
	if (get_user(pgrp, arg))
		return -EFAULT;
	if (pgrp < 0)
		return -EINVAL;
	flags = spin_lock_irqsave(&proc_lock);
	err = group_in_session(pgrp, current->proc->sid) ? 0 : -EPERM;
	if (!err)
		tty->pgrp = pgrp;
	spin_unlock_irqrestore(&proc_lock, flags);
	return err;
}

/* ------------------------------------------------------------------ settings */

void tty_set_winsize(struct tty *tty, u16 rows, u16 cols)
{
	bool changed;

	mutex_lock(&tty->lock);
	changed = tty->ws.rows != rows || tty->ws.cols != cols;
	tty->ws.rows = rows;
	tty->ws.cols = cols;
	mutex_unlock(&tty->lock);
	if (changed)
		tty_signal(tty, SIGWINCH);
}

static long get_winsize(struct tty *tty, u64 arg)
{
	struct abi_winsize ws;
	u16 rows, cols;

	if (tty->backend->winsize && tty->backend->winsize(&rows, &cols) && !tty->ws.rows)
		tty_set_winsize(tty, rows, cols);
	mutex_lock(&tty->lock);
	ws = tty->ws;
	mutex_unlock(&tty->lock);
	return copy_to_user(arg, &ws, sizeof(ws));
}

static long put_winsize(struct tty *tty, u64 arg)
{
	struct abi_winsize ws;

	if (copy_from_user(&ws, arg, sizeof(ws)))
		return -EFAULT;
	tty_set_winsize(tty, ws.rows, ws.cols);
	return 0;
}

static long get_termios(struct tty *tty, u64 arg)
{
	struct abi_termios t;

	mutex_lock(&tty->lock);
	t = tty->t;
	mutex_unlock(&tty->lock);
	return copy_to_user(arg, &t, sizeof(t));
}

static long put_termios(struct tty *tty, u64 arg, bool flush)
{
	struct abi_termios t;
	long err = tty_job_control(tty, SIGTTOU);

	if (err)
		return err;
	if (copy_from_user(&t, arg, sizeof(t)))
		return -EFAULT;
	mutex_lock(&tty->lock);
	if (flush)
		tty_flush_input(tty);
	/* From lines to bytes: what has been typed of a line can be read at once. */
	if ((tty->t.lflag & T_ICANON) && !(t.lflag & T_ICANON))
		tty->done = tty->head;
	tty->t = t;
	if (!(t.iflag & T_IXON))
		tty->stopped = false;
	mutex_unlock(&tty->lock);
	wake_up_all(&tty->rd);
	wake_up_all(&tty->wr);
	poll_notify();
	return 0;
}

static long flush(struct tty *tty, u64 which)
{
	if (which > 2)
		return -EINVAL;
	if (which != 1) {
		mutex_lock(&tty->lock);
		tty_flush_input(tty);
		mutex_unlock(&tty->lock);
	}
	return 0;
}

static long flow(struct tty *tty, u64 how)
{
	if (how > 3)
		return -EINVAL;
	if (how < 2) {
		WRITE_ONCE(tty->stopped, how == 0);
		wake_up_all(&tty->wr);
		poll_notify();
	}
	return 0;
}

static long simulate_input(struct tty *tty, u64 arg)
{
	u8 c;

	if (!is_mine(tty) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&c, arg, 1))
		return -EFAULT;
	tty_input(tty, &c, 1);
	return 0;
}

static long owner_ioctl(struct tty *tty, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TIOCSCTTY:
		return set_ctty(tty, arg == 1);
	case TIOCNOTTY:
		return drop_ctty(tty);
	case TIOCGPGRP:
		return is_mine(tty) ? put_user(tty->pgrp, s32, arg) : -ENOTTY;
	case TIOCSPGRP:
		return set_pgrp(tty, arg);
	case TIOCGSID:
		return is_mine(tty) ? put_user(tty->session, s32, arg) : -ENOTTY;
	default:
		return -ENOTTY;
	}
}

long tty_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct tty *tty = tty_of(f);

	if (tty_cut_off(f))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (cmd) {
	case TCGETS:
		return get_termios(tty, arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return put_termios(tty, arg, cmd == TCSETSF);
	case TIOCGWINSZ:
		return get_winsize(tty, arg);
	case TIOCSWINSZ:
		return put_winsize(tty, arg);
	case TCFLSH:
		return flush(tty, arg);
	case TCXONC:
		return flow(tty, arg);
	case TCSBRK: /* output is sent as it is written: there is nothing to drain */
	case TCSBRKP:
		return tty_job_control(tty, SIGTTOU);
	case TIOCOUTQ:
		return put_user(0, int, arg);
	case FIONREAD:
		return put_user((int)tty_available(tty), int, arg);
	case TIOCGDEV:
		return put_user(tty->rdev, u32, arg);
	case TIOCSTI:
		return simulate_input(tty, arg);
	default:
		return owner_ioctl(tty, cmd, arg);
	}
}
