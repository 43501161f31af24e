/* SPDX-License-Identifier: MIT */
/*
 * pidfd_open(2): a descriptor that stands for a process, whatever becomes of its number. It keeps
 * the process's record, not the process.
 */
#include "kernel/fs/pidfd.h"

#include "kernel/fs/pseudo.h"
#include "kernel/fs/syscalls.h"
#include "kernel/lib/printk.h"
#include "kernel/sched/task.h"

static const struct file_ops pidfd_ops;

/* All its threads have ended, or it has even been waited for. */
static bool has_ended(const struct process *p)
{
	return READ_ONCE(p->zombie) || !READ_ONCE(p->leader);
}

static u32 pidfd_poll(struct file *f)
{
	return has_ended(f->priv) ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_release(struct file *f)
{
	process_put(f->priv);
}

static int pidfd_info(struct file *f, char *buf, size_t size)
{
	const struct process *p = f->priv;
	s32 pid = READ_ONCE(p->leader) ? p->tgid : -1;

	return scnprintf(buf, size, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static const struct file_ops pidfd_ops = {
    .flags = FOP_STREAM,
    .poll = pidfd_poll,
    .release = pidfd_release,
    .fdinfo = pidfd_info,
};

int pidfd_file(struct process *p, u32 flags, struct file **out)
{
	int err = anon_file("anon_inode:[pidfd]", 0600, &pidfd_ops, p,
	                    O_RDWR | (flags & O_NONBLOCK), out);

	if (!err)
		process_get(p);
	return err;
}

struct process *pidfd_process(int fd, u32 *flags)
{
	struct file *f = fget(fd);
	struct process *p = NULL;

	if (!f)
		return NULL;
	if (f->fop == &pidfd_ops) {
		p = f->priv;
		process_get(p);
		if (flags)
			*flags = READ_ONCE(f->flags);
	}
	fput(f);
	return p;
}

struct process *pidfd_or_proc_process(int fd, int *err)
{
	struct process *p = pidfd_process(fd, NULL);
	struct file *f;

	if (p)
		return p;
	*err = -EBADF;
	f = fget(fd);
	if (!f)
		return NULL;
	p = proc_dir_process(f, err);
	fput(f);
	return p;
}

long sys_pidfd_open(u64 upid, u64 flags)
{
	s32 pid = (s32)upid;
	struct process *p;
	struct file *f;
	struct task *t;
	int err;

	if (((u32)flags & ~O_NONBLOCK) || pid <= 0)
		return -EINVAL;
	p = find_process(pid);
	if (!p) {
		/* A thread that is not its process's first. */
		t = find_task(pid);
		if (t)
			task_put(t);
		return t ? -EINVAL : -ESRCH;
	}
	err = pidfd_file(p, (u32)flags, &f);
	process_put(p);
	return err ? err : fd_new(f, O_CLOEXEC);
}
