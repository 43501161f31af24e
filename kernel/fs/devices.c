/* SPDX-License-Identifier: MIT */
/* Character devices by number, and the simple ones: null, zero, full, random, urandom. */
#include "kernel/fs/tty.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

#define MAX_DEVICES 24

static struct {
	u32 rdev;
	const struct file_ops *fop;
} devices[MAX_DEVICES];
static unsigned nr_devices;

/* Only while the machine starts: afterwards the table is read without a lock. */
int chrdev_register(u32 major, u32 minor, const struct file_ops *fop)
{
	if (nr_devices == MAX_DEVICES)
		return -ENOSPC;
	devices[nr_devices].rdev = MKDEV(major, minor);
	devices[nr_devices++].fop = fop;
	return 0;
}

const struct file_ops *chrdev_find(u32 rdev)
{
	unsigned i;

	for (i = 0; i < nr_devices; i++)
		if (devices[i].rdev == rdev)
			return devices[i].fop;
	return NULL;
}

static ssize_t null_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	return 0;
}

static ssize_t null_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	return (ssize_t)n;
}

static ssize_t zero_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	if (signal_pending(current) && n > PAGE_SIZE)
		return -ERESTARTSYS;
	memset(buf, 0, n);
	return (ssize_t)n;
}

static ssize_t full_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	return -ENOSPC;
}

static ssize_t random_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	if (signal_pending(current) && n > PAGE_SIZE)
		return -ERESTARTSYS;
	random_bytes(buf, n);
	return (ssize_t)n;
}

/* Any position is as good as any other. */
static s64 null_seek(struct file *f, s64 off, int whence)
{
	f->pos = 0;
	return 0;
}

static const struct file_ops null_ops = {
    .read = null_read,
    .write = null_write,
    .llseek = null_seek,
};

static const struct file_ops zero_ops = {
    .mm = {.mmap = mmk_zero_mmap},
    .read = zero_read,
    .write = null_write,
    .llseek = null_seek,
};

static const struct file_ops full_ops = {
    .read = zero_read,
    .write = full_write,
    .llseek = null_seek,
};

static const struct file_ops random_ops = {
    .read = random_read,
    .write = null_write,
    .llseek = null_seek,
};

int devices_init(void)
{
	int err = chrdev_register(1, 3, &null_ops);

	err = err ? err : chrdev_register(1, 5, &zero_ops);
	err = err ? err : chrdev_register(1, 7, &full_ops);
	err = err ? err : chrdev_register(1, 8, &random_ops);
	err = err ? err : chrdev_register(1, 9, &random_ops);
	err = err ? err : chrdev_register(5, 0, &tty_file_ops);
	err = err ? err : chrdev_register(5, 1, &tty_file_ops);
	err = err ? err : chrdev_register(204, 64, &tty_file_ops);
	return err ? err : chrdev_register(229, 0, &tty_file_ops);
}
