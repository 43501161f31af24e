/* SPDX-License-Identifier: MIT */
/* fcntl(2), flock(2) and the part of ioctl(2) that is the same for every file. */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT | O_ASYNC)

static void set_flags(struct file *f, u32 mask, u32 value)
{
	u32 old = __atomic_load_n(&f->flags, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&f->flags, &old, (old & ~mask) | (value & mask), true,
	                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static long set_cloexec(int fd, bool on)
{
	struct files *t = current->files;

	spin_lock(&t->lock);
	if ((u32)fd < t->size && t->fd[fd])
		t->cloexec[fd] = on;
	spin_unlock(&t->lock);
	return 0;
}

static long get_cloexec(int fd)
{
	struct files *t = current->files;
	long on;

	spin_lock(&t->lock);
	on = (u32)fd < t->size && t->cloexec[fd];
	spin_unlock(&t->lock);
	return on;
}

static long set_fl(struct file *f, u64 arg)
{
	if ((arg & O_DIRECT) && !f->inode->has_mapping)
		return -EINVAL;
	if ((arg & O_NOATIME) && !(f->flags & O_NOATIME) && !inode_owner_or_capable(f->inode))
		return -EPERM;
	set_flags(f, SETFL_MASK, (u32)arg);
	return 0;
}

static long dup_from(struct file *f, u64 from, bool cloexec)
{
	int fd;

	if (from >= current->proc->rlim[RLIMIT_NOFILE].cur)
		return -EINVAL;
	fd = fd_install(file_get(f), (int)from, cloexec);
	if (fd < 0)
		fput(f);
	return fd;
}

static long fcntl_file(struct file *f, int fd, u64 cmd, u64 arg)
{
	switch (cmd) {
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return file_fcntl_lock(f, fd, (int)cmd, arg);
	case F_SETFL:
		return set_fl(f, arg);
	case F_SETOWN:
		f->owner = (s32)arg;
		return 0;
	case F_GETOWN:
		return f->owner;
	case F_SETSIG:
		return arg > NSIG ? -EINVAL : arg ? -EOPNOTSUPP : 0;
	case F_GETSIG:
		return 0;
	case F_SETPIPE_SZ:
		return pipe_set_size(f, (u32)arg);
	case F_GETPIPE_SZ:
		return pipe_size(f);
	case F_ADD_SEALS:
		return file_add_seals(f, (u32)arg);
	case F_GET_SEALS:
		return file_get_seals(f);
	default: /* leases and the rest are not offered */
		return -EINVAL;
	}
}

long sys_fcntl(u64 ufd, u64 ucmd, u64 arg)
{
	int fd = (int)ufd;
	u32 cmd = (u32)ucmd;
	struct file *f = fget_raw(fd);
	long r;

	if (!f)
		return -EBADF;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		r = dup_from(f, (u32)arg, cmd == F_DUPFD_CLOEXEC);
		break;
	case F_GETFD:
		r = get_cloexec(fd);
		break;
	case F_SETFD:
		r = set_cloexec(fd, (arg & FD_CLOEXEC) != 0);
		break;
	case F_GETFL:
		r = (long)(f->flags | O_LARGEFILE);
		break;
	default:
		r = f->flags & O_PATH ? -EBADF : fcntl_file(f, fd, cmd, arg);
	}
	fput(f);
	return r;
}

long sys_flock(u64 fd, u64 op)
{
	struct file *f = fget((int)fd);
	long r;

	if (!f)
		return -EBADF;
	r = file_flock(f, (int)op);
	fput(f);
	return r;
}

/* ------------------------------------------------------------------ ioctl */

long regular_ioctl(struct file *f, u32 cmd, u64 arg)
{
	s64 left = (s64)inode_size(f->inode) - (s64)f->pos;

	switch (cmd) {
	case FIONREAD:
		return put_user((int)left, int, arg);
	case FIOQSIZE:
		return put_user((s64)inode_size(f->inode), s64, arg);
	default:
		return -ENOTTY;
	}
}

static long ioctl_nonblock(struct file *f, u64 arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	set_flags(f, O_NONBLOCK, on ? O_NONBLOCK : 0);
	return 0;
}

long sys_ioctl(u64 fd, u64 ucmd, u64 arg)
{
	u32 cmd = (u32)ucmd;
	struct file *f = fget((int)fd);
	long r;

	if (!f)
		return -EBADF;
	if (cmd == FIOCLEX || cmd == FIONCLEX)
		r = set_cloexec((int)fd, cmd == FIOCLEX);
	else if (cmd == FIONBIO)
		r = ioctl_nonblock(f, arg);
	else if (f->fop->ioctl)
		r = f->fop->ioctl(f, cmd, arg);
	else if (S_ISREG(f->inode->mode))
		r = regular_ioctl(f, cmd, arg);
	else
		r = -ENOTTY;
	fput(f);
	return r;
}
