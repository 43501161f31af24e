/* SPDX-License-Identifier: MIT */
/*
 * epoll(7), in the manner of poll.c: an instance is a list of files, which is gone through when
 * somebody waits. A file stands on it without a reference and goes off it when it is closed for
 * good.
 *
 * "Edge-triggered" here: reported again only after something that can be polled has changed, if
 * perhaps another file. One mutex guards all instances: they may watch each other.
 */
#include "kernel/clock.h"
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLET        (1u << 31)
#define EP_EVENTS      (~(EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET))
#define EP_EXCLUSIVE_OK                                                                            \
	(POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

#define EP_MAX_NESTS 4
#define EP_BATCH     16

struct abi_epoll_event {
	u32 events, pad;
	u64 data;
};

struct epitem {
	struct list_head node;
	struct file *file;
	s32 fd;
	struct abi_epoll_event ev; /* what was asked for */
	bool done;                 /* EPOLLONESHOT, until it is set anew */
	bool told;                 /* EPOLLET: reported at generation `gen` */
	u32 gen;
	u64 scan; /* which one reported it last */
};

struct epoll {
	struct list_head node;
	struct list_head items; /* in the order in which they are to be reported */
	u64 scans;              /* how many there were */
};

static struct mutex epoll_mutex = MUTEX_INIT(epoll_mutex); /* guards all of the above */
static LIST_HEAD(instances);

static const struct file_ops epoll_ops;

static struct epoll *epoll_of(struct file *f)
{
	return f->fop == &epoll_ops ? f->priv : NULL;
}

/* ------------------------------------------------------------------ readiness; epoll_mutex */

static bool any_ready(struct epoll *ep);

static u32 ready_events(struct epitem *it)
{
	struct epoll *inner = epoll_of(it->file);
	u32 events;

	if (it->done)
		return 0;
	if (inner)
		events = any_ready(inner) ? POLLIN | POLLRDNORM : 0;
	else
		events = it->file->fop->poll(it->file);
	events &= (it->ev.events & EP_EVENTS) | POLLERR | POLLHUP;
	if ((it->ev.events & EPOLLET) && it->told && it->gen == poll_generation())
		return 0;
	return events;
}

static bool any_ready(struct epoll *ep)
{
	struct epitem *it;

	list_for_each_entry (it, &ep->items, node)
		if (ready_events(it))
			return true;
	return false;
}

static u32 epoll_poll(struct file *f)
{
	bool ready;

	mutex_lock(&epoll_mutex);
	ready = any_ready(f->priv);
	mutex_unlock(&epoll_mutex);
	return ready ? POLLIN | POLLRDNORM : 0;
}

/* ------------------------------------------------------------------ epoll_wait */

struct ep_wait {
	struct epoll *ep;
	u64 uevents;
	u32 max;
};

/* Up to max that are ready and that this scan has not reported; they go to the end of the line. */
static u32 collect(struct epoll *ep, struct abi_epoll_event *out, u32 max, u64 scan)
{
	struct list_head reported = LIST_HEAD_INIT(reported);
	struct epitem *it, *next;
	u32 n = 0;

	list_for_each_entry_safe (it, next, &ep->items, node) {
		u32 events = it->scan == scan ? 0 : ready_events(it);

		if (!events)
			continue;
		it->scan = scan;
		out[n++] = (struct abi_epoll_event){.events = events, .data = it->ev.data};
		it->done = it->ev.events & EPOLLONESHOT;
		it->told = true;
		it->gen = poll_generation();
		list_del_init(&it->node);
		list_add_tail(&it->node, &reported);
		if (n == max)
			break;
	}
	list_for_each_entry_safe (it, next, &reported, node) {
		list_del_init(&it->node);
		list_add_tail(&it->node, &ep->items);
	}
	return n;
}

static long ep_scan(void *arg)
{
	struct ep_wait *w = arg;
	struct abi_epoll_event out[EP_BATCH];
	u32 n = 0, k;
	u64 scan;

	mutex_lock(&epoll_mutex);
	scan = ++w->ep->scans;
	mutex_unlock(&epoll_mutex);
	/* A store to the program's memory may wait for whom epoll_mutex must not keep waiting. */
	do {
		mutex_lock(&epoll_mutex);
		k = collect(w->ep, out, min(w->max - n, (u32)EP_BATCH), scan);
		mutex_unlock(&epoll_mutex);
		if (k && copy_to_user(w->uevents + n * sizeof(*out), out, k * sizeof(*out)))
			return n ? n : -EFAULT;
		n += k;
	} while (k == EP_BATCH && n < w->max);
	return n;
}

static long ep_wait(u64 epfd, u64 uevents, u64 max, u64 deadline)
{
	struct ep_wait w = {.uevents = uevents, .max = (u32)max};
	struct file *f;
	long n;

	if ((s32)max <= 0 || (u32)max > 0x7fffffffu / sizeof(struct abi_epoll_event))
		return -EINVAL;
	if (untagged_addr(uevents) > TASK_SIZE - max * sizeof(struct abi_epoll_event))
		return -EFAULT;
	f = fget((int)epfd);
	if (!f)
		return -EBADF;
	w.ep = epoll_of(f);
	n = w.ep ? poll_until(ep_scan, &w, deadline) : -EINVAL;
	fput(f);
	return n == -ERESTARTNOHAND ? -EINTR : n;
}

static long masked_wait(u64 epfd, u64 uevents, u64 max, u64 deadline, u64 mask, u64 size)
{
	long n = set_user_sigmask(mask, size);

	if (n)
		return n;
	n = ep_wait(epfd, uevents, max, deadline);
	restore_user_sigmask(n == -EINTR);
	return n;
}

long sys_epoll_pwait(u64 epfd, u64 uevents, u64 max, u64 timeout, u64 mask, u64 size)
{
	u64 deadline = NO_DEADLINE;

	if ((s32)timeout >= 0)
		deadline = deadline_after((u64)(u32)timeout * 1000000);
	return masked_wait(epfd, uevents, max, deadline, mask, size);
}

long sys_epoll_pwait2(u64 epfd, u64 uevents, u64 max, u64 utimeout, u64 mask, u64 size)
{
	u64 ns, deadline = NO_DEADLINE;
	int err = utimeout ? get_user_timespec(&ns, utimeout) : 0;

	if (err)
		return err;
	if (utimeout)
		deadline = deadline_after(ns);
	return masked_wait(epfd, uevents, max, deadline, mask, size);
}

/* ------------------------------------------------------------------ epoll_ctl; epoll_mutex */

static struct epitem *find_item(struct epoll *ep, const struct file *f, s32 fd)
{
	struct epitem *it;

	list_for_each_entry (it, &ep->items, node)
		if (it->file == f && it->fd == fd)
			return it;
	return NULL;
}

/* How deep instances are nested in ep; beyond the limit, or through itself to `stop`: negative. */
static int nesting(struct epoll *ep, const struct epoll *stop, int depth)
{
	int deepest = depth;
	struct epitem *it;

	if (ep == stop || depth > EP_MAX_NESTS)
		return -ELOOP;
	list_for_each_entry (it, &ep->items, node) {
		struct epoll *inner = epoll_of(it->file);
		int d = inner ? nesting(inner, stop, depth + 1) : depth;

		if (d < 0)
			return d;
		deepest = max(deepest, d);
	}
	return deepest;
}

static int add_item(struct epoll *ep, struct file *f, s32 fd, const struct abi_epoll_event *ev)
{
	struct epoll *inner = epoll_of(f);
	struct epitem *it;

	if (inner && nesting(inner, ep, 1) < 0)
		return -ELOOP;
	it = fs_zalloc(sizeof(*it));
	if (!it)
		return -ENOMEM;
	it->file = f;
	it->fd = fd;
	it->ev = *ev;
	list_add_tail(&it->node, &ep->items);
	f->nr_epoll++;
	return 0;
}

static void del_item(struct epitem *it)
{
	it->file->nr_epoll--;
	list_del_init(&it->node);
	fs_free(it);
}

static int mod_item(struct epitem *it, const struct abi_epoll_event *ev)
{
	if ((it->ev.events | ev->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	it->ev = *ev;
	it->done = false;
	it->told = false;
	return 0;
}

static int change(struct epoll *ep, u32 op, struct file *f, s32 fd,
                  const struct abi_epoll_event *ev)
{
	struct epitem *it = find_item(ep, f, fd);

	if (op == EPOLL_CTL_ADD)
		return it ? -EEXIST : add_item(ep, f, fd, ev);
	if (!it)
		return -ENOENT;
	if (op == EPOLL_CTL_MOD)
		return mod_item(it, ev);
	del_item(it);
	return 0;
}

static int check_change(struct file *epf, u32 op, struct file *f, const struct abi_epoll_event *ev)
{
	if (!f->fop || !f->fop->poll)
		return -EPERM;
	if (epf == f || !epoll_of(epf))
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && (ev->events & EPOLLEXCLUSIVE)) {
		if (op == EPOLL_CTL_MOD || epoll_of(f) || (ev->events & ~EP_EXCLUSIVE_OK))
			return -EINVAL;
	}
	return op >= EPOLL_CTL_ADD && op <= EPOLL_CTL_MOD ? 0 : -EINVAL;
}

long sys_epoll_ctl(u64 epfd, u64 op, u64 fd, u64 uevent)
{
	struct abi_epoll_event ev = {0};
	struct file *epf, *f;
	int err;

	if ((u32)op != EPOLL_CTL_DEL && copy_from_user(&ev, uevent, sizeof(ev)))
		return -EFAULT;
	epf = fget((int)epfd);
	f = fget((int)fd);
	err = epf && f ? check_change(epf, (u32)op, f, &ev) : -EBADF;
	if (!err) {
		mutex_lock(&epoll_mutex);
		err = change(epf->priv, (u32)op, f, (s32)fd, &ev);
		mutex_unlock(&epoll_mutex);
		poll_notify();
	}
	fput(f);
	fput(epf);
	return err;
}

/* ------------------------------------------------------------------ life */

void epoll_forget(struct file *f)
{
	struct epitem *it, *next;
	struct epoll *ep;

	mutex_lock(&epoll_mutex);
	list_for_each_entry (ep, &instances, node)
		list_for_each_entry_safe (it, next, &ep->items, node)
			if (it->file == f)
				del_item(it);
	mutex_unlock(&epoll_mutex);
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;
	struct epitem *it, *next;

	mutex_lock(&epoll_mutex);
	list_for_each_entry_safe (it, next, &ep->items, node)
		del_item(it);
	list_del_init(&ep->node);
	mutex_unlock(&epoll_mutex);
	fs_free(ep);
}

static const struct file_ops epoll_ops = {
    .flags = FOP_STREAM,
    .poll = epoll_poll,
    .release = epoll_release,
};

long sys_epoll_create1(u64 flags)
{
	struct epoll *ep;
	struct file *f;
	int err;

	if ((u32)flags & ~O_CLOEXEC)
		return -EINVAL;
	ep = fs_zalloc(sizeof(*ep));
	if (!ep)
		return -ENOMEM;
	list_init(&ep->items);
	err = anon_file("anon_inode:[eventpoll]", 0600, &epoll_ops, ep, O_RDWR, &f);
	if (err) {
		fs_free(ep);
		return err;
	}
	mutex_lock(&epoll_mutex);
	list_add_tail(&ep->node, &instances);
	mutex_unlock(&epoll_mutex);
	return fd_new(f, (u32)flags);
}
