/* SPDX-License-Identifier: MIT */
/* timerfd_create(2): a timer to read from. */
#include "kernel/clock.h"
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sched/timer.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"
#include "kernel/vdso/clock.h"

#define TFD_TIMER_CANCEL_ON_SET 2u

struct timerfd {
	struct spinlock lock; /* interrupts off */
	struct wait_queue wq;
	struct timer timer;
	u32 clock;
	u64 deadline; /* lock; in clock_ns(), of the first that has not been read; NO_DEADLINE: off */
	u64 interval; /* lock; 0: once */
	bool expired; /* lock; the deadline has come */
};

/*
 * Not started anew before it has been read, however short its interval: how often it would have
 * fired is a division.
 */
static void timerfd_fired(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	unsigned long irq = spin_lock_irqsave(&t->lock);

	t->expired = t->deadline <= clock_ns();
	spin_unlock_irqrestore(&t->lock, irq);
	wake_up_all(&t->wq);
	poll_notify();
}

/* How often it has come since it was last read. t->lock. */
static u64 ticks_until(const struct timerfd *t, u64 now)
{
	if (!t->expired)
		return 0;
	return t->interval ? (now - t->deadline) / t->interval + 1 : 1;
}

static u64 take_ticks(struct timerfd *t)
{
	unsigned long irq = spin_lock_irqsave(&t->lock);
	u64 n = ticks_until(t, clock_ns());

	if (n) {
		t->expired = false;
		t->deadline = t->interval ? t->deadline + n * t->interval : NO_DEADLINE;
		timer_start(&t->timer, t->deadline);
	}
	spin_unlock_irqrestore(&t->lock, irq);
	return n;
}

static ssize_t timerfd_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	struct timerfd *t = f->priv;
	long err;
	u64 v;

	if (n < sizeof(v))
		return -EINVAL;
	while (!(v = take_ticks(t))) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&t->wq, READ_ONCE(t->expired));
		if (err)
			return err;
	}
	memcpy(buf, &v, sizeof(v));
	return sizeof(v);
}

static u32 timerfd_poll(struct file *f)
{
	struct timerfd *t = f->priv;

	return READ_ONCE(t->expired) ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	timer_stop_sync(&t->timer);
	fs_free(t);
}

static int timerfd_info(struct file *f, char *buf, size_t size)
{
	struct timerfd *t = f->priv;
	unsigned long irq = spin_lock_irqsave(&t->lock);
	u64 ticks = ticks_until(t, clock_ns());

	spin_unlock_irqrestore(&t->lock, irq);
	return scnprintf(buf, size, "clockid: %u\nticks: %llu\n", t->clock,
	                 (unsigned long long)ticks);
}

static const struct file_ops timerfd_ops = {
    .flags = FOP_STREAM,
    .read = timerfd_read,
    .poll = timerfd_poll,
    .release = timerfd_release,
    .fdinfo = timerfd_info,
};

long sys_timerfd_create(u64 clock, u64 flags)
{
	struct timerfd *t;
	struct file *f;
	u32 c = (u32)clock;
	int err;

	if ((u32)flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	if (c > CLOCK_MONOTONIC && (c < CLOCK_BOOTTIME || c > CLOCK_BOOTTIME_ALARM))
		return -EINVAL;
	if (c >= CLOCK_REALTIME_ALARM && !capable(CAP_WAKE_ALARM))
		return -EPERM;
	t = fs_zalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	spin_init(&t->lock);
	wait_queue_init(&t->wq);
	timer_init(&t->timer, timerfd_fired);
	t->clock = c;
	t->deadline = NO_DEADLINE;
	err = anon_file("anon_inode:[timerfd]", 0600, &timerfd_ops, t,
	                O_RDWR | ((u32)flags & O_NONBLOCK), &f);
	if (err) {
		fs_free(t);
		return err;
	}
	return fd_new(f, (u32)flags);
}

/* ------------------------------------------------------------------ setting and asking */

/* t->lock. */
static void read_setting(const struct timerfd *t, struct itimer_ns *v)
{
	u64 now = clock_ns(), next = t->deadline, left = 0;

	if (t->expired)
		next = t->interval ? next + ticks_until(t, now) * t->interval : NO_DEADLINE;
	if (next != NO_DEADLINE)
		left = next > now ? next - now : 1;
	v->interval = t->interval;
	v->value = left;
}

static u64 first_deadline(const struct timerfd *t, u64 value, bool absolute)
{
	u64 boot;

	if (!value)
		return NO_DEADLINE;
	if (!absolute)
		return deadline_after(value);
	if (t->clock != CLOCK_REALTIME && t->clock != CLOCK_REALTIME_ALARM)
		return value;
	boot = realtime_ns() - clock_ns();
	return value > boot ? value - boot : 1;
}

static struct timerfd *get_timerfd(u64 fd, struct file **f, int *err)
{
	*f = fget((int)fd);
	*err = !*f ? -EBADF : (*f)->fop != &timerfd_ops ? -EINVAL : 0;
	if (!*err)
		return (*f)->priv;
	fput(*f);
	return NULL;
}

long sys_timerfd_settime(u64 fd, u64 flags, u64 unew, u64 uold)
{
	struct itimer_ns v, old;
	struct timerfd *t;
	unsigned long irq;
	struct file *f;
	int err = get_user_itimerspec(&v, unew);

	if (err)
		return err;
	if ((u32)flags & ~(TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	t = get_timerfd(fd, &f, &err);
	if (!t)
		return err;
	irq = spin_lock_irqsave(&t->lock);
	read_setting(t, &old);
	t->expired = false;
	t->interval = v.interval;
	t->deadline = first_deadline(t, v.value, (u32)flags & TIMER_ABSTIME);
	timer_start(&t->timer, t->deadline);
	spin_unlock_irqrestore(&t->lock, irq);
	fput(f);
	return uold && put_user_itimerspec(&old, uold) ? -EFAULT : 0;
}

long sys_timerfd_gettime(u64 fd, u64 ucurr)
{
	struct itimer_ns v;
	struct timerfd *t;
	unsigned long irq;
	struct file *f;
	int err;

	t = get_timerfd(fd, &f, &err);
	if (!t)
		return err;
	irq = spin_lock_irqsave(&t->lock);
	read_setting(t, &v);
	spin_unlock_irqrestore(&t->lock, irq);
	fput(f);
	return put_user_itimerspec(&v, ucurr) ? -EFAULT : 0;
}
