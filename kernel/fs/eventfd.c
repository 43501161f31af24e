/* SPDX-License-Identifier: MIT */
/* eventfd(2): a counter to wait for. */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

#define EFD_SEMAPHORE 1u

struct eventfd {
	struct spinlock lock;
	struct wait_queue wq;
	u64 count; /* lock */
	bool semaphore;
};

static u64 take(struct eventfd *e)
{
	u64 v;

	spin_lock(&e->lock);
	v = e->semaphore && e->count ? 1 : e->count;
	e->count -= v;
	spin_unlock(&e->lock);
	return v;
}

static ssize_t eventfd_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	struct eventfd *e = f->priv;
	long err;
	u64 v;

	if (n < sizeof(v))
		return -EINVAL;
	while (!(v = take(e))) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wq, READ_ONCE(e->count));
		if (err)
			return err;
	}
	memcpy(buf, &v, sizeof(v));
	wake_up_all(&e->wq);
	poll_notify();
	return sizeof(v);
}

static bool give(struct eventfd *e, u64 v)
{
	bool fits;

	spin_lock(&e->lock);
	fits = v < ~(u64)0 - e->count;
	if (fits)
		e->count += v;
	spin_unlock(&e->lock);
	return fits;
}

static ssize_t eventfd_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	struct eventfd *e = f->priv;
	long err;
	u64 v;

	if (n < sizeof(v))
		return -EINVAL;
	memcpy(&v, buf, sizeof(v));
	if (v == ~(u64)0)
		return -EINVAL;
	while (!give(e, v)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wq, v < ~(u64)0 - READ_ONCE(e->count));
		if (err)
			return err;
	}
	wake_up_all(&e->wq);
	poll_notify();
	return sizeof(v);
}

static u32 eventfd_poll(struct file *f)
{
	struct eventfd *e = f->priv;
	u64 count = READ_ONCE(e->count);

	return (count ? POLLIN | POLLRDNORM : 0) | (count < ~(u64)0 - 1 ? POLLOUT | POLLWRNORM : 0);
}

static void eventfd_release(struct file *f)
{
	fs_free(f->priv);
}

static int eventfd_info(struct file *f, char *buf, size_t size)
{
	struct eventfd *e = f->priv;

	return scnprintf(buf, size, "eventfd-count: %16llx\n", (unsigned long long)e->count);
}

static const struct file_ops eventfd_ops = {
    .flags = FOP_STREAM,
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .release = eventfd_release,
    .fdinfo = eventfd_info,
};

long sys_eventfd2(u64 count, u64 flags)
{
	struct eventfd *e;
	struct file *f;
	int err;

	if (flags & ~(u64)(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	e = fs_zalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	spin_init(&e->lock);
	wait_queue_init(&e->wq);
	e->count = (u32)count;
	e->semaphore = (flags & EFD_SEMAPHORE) != 0;
	err = anon_file("anon_inode:[eventfd]", 0600, &eventfd_ops, e,
	                O_RDWR | ((u32)flags & O_NONBLOCK), &f);
	if (err) {
		fs_free(e);
		return err;
	}
	return fd_new(f, (u32)flags);
}
