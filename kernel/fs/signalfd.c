/* SPDX-License-Identifier: MIT */
/* signalfd(2): pending signals of the reader, to read instead of to be interrupted by. */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/signal/signal.h"
#include "kernel/sys/uaccess.h"

struct signalfd {
	sigset_t mask; /* [A] the signals that can be read */
};

struct signalfd_siginfo {
	u32 signo;
	s32 error, code;
	u32 pid, uid;
	s32 fd;
	u32 tid, band, overrun, trapno;
	s32 status, value;
	u64 ptr, utime, stime, addr;
	u16 addr_lsb, pad2;
	s32 syscall;
	u64 call_addr;
	u32 arch;
	u8 pad[28];
};
_Static_assert(sizeof(struct signalfd_siginfo) == 128, "struct signalfd_siginfo");

static bool is_fault(const struct siginfo *si)
{
	const sigset_t faults = sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) |
	                        sigmask(SIGFPE) | sigmask(SIGTRAP);

	return si->code > 0 && si->code != SI_KERNEL && (faults & sigmask(si->signo));
}

static void fill(struct signalfd_siginfo *out, const struct siginfo *si)
{
	memset(out, 0, sizeof(*out));
	out->signo = (u32)si->signo;
	out->error = si->error;
	out->code = si->code;
	if (is_fault(si)) {
		out->addr = si->fault.addr;
	} else if (si->signo == SIGCHLD && si->code > 0) {
		out->pid = (u32)si->chld.pid;
		out->uid = si->chld.uid;
		out->status = si->chld.status;
		out->utime = (u64)si->chld.utime;
		out->stime = (u64)si->chld.stime;
	} else {
		out->pid = (u32)si->kill.pid;
		out->uid = si->kill.uid;
		out->ptr = si->kill.value;
		out->value = (s32)si->kill.value;
	}
}

static sigset_t mask_of(const struct file *f)
{
	const struct signalfd *s = f->priv;

	return __atomic_load_n(&s->mask, __ATOMIC_RELAXED);
}

static long some_pending(void *arg)
{
	return (signals_pending(current) & mask_of(arg)) != 0;
}

static ssize_t signalfd_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	struct signalfd_siginfo *out = buf;
	size_t room = n / sizeof(*out), got = 0;
	struct siginfo si;
	long err;

	if (!room)
		return -EINVAL;
	while (!got) {
		while (got < room && signal_take(mask_of(f), &si))
			fill(&out[got++], &si);
		if (got)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = poll_until(some_pending, f, NO_DEADLINE);
		if (err < 0)
			return -ERESTARTSYS;
	}
	return (ssize_t)(got * sizeof(*out));
}

static u32 signalfd_poll(struct file *f)
{
	return some_pending(f) ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	fs_free(f->priv);
	signals_are_polled(-1);
}

static int signalfd_info(struct file *f, char *buf, size_t size)
{
	return scnprintf(buf, size, "sigmask:\t%016llx\n", (unsigned long long)mask_of(f));
}

static const struct file_ops signalfd_ops = {
    .flags = FOP_STREAM,
    .read = signalfd_read,
    .poll = signalfd_poll,
    .release = signalfd_release,
    .fdinfo = signalfd_info,
};

static long new_signalfd(sigset_t mask, u32 flags)
{
	struct signalfd *s = fs_zalloc(sizeof(*s));
	struct file *f;
	int err;

	if (!s)
		return -ENOMEM;
	s->mask = mask;
	err = anon_file("anon_inode:[signalfd]", 0600, &signalfd_ops, s,
	                O_RDWR | (flags & O_NONBLOCK), &f);
	if (err) {
		fs_free(s);
		return err;
	}
	signals_are_polled(1);
	return fd_new(f, flags);
}

long sys_signalfd4(u64 fd, u64 umask, u64 size, u64 flags)
{
	struct signalfd *s;
	struct file *f;
	sigset_t mask;
	int err = 0;

	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, umask, sizeof(mask)))
		return -EFAULT;
	if ((u32)flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	mask &= ~(sigmask(SIGKILL) | sigmask(SIGSTOP));
	if ((s32)fd == -1)
		return new_signalfd(mask, (u32)flags);
	f = fget((int)fd);
	if (!f)
		return -EBADF;
	if (f->fop == &signalfd_ops) {
		s = f->priv;
		__atomic_store_n(&s->mask, mask, __ATOMIC_RELAXED);
		poll_notify();
	} else {
		err = -EINVAL;
	}
	fput(f);
	return err ? err : (s32)fd;
}
