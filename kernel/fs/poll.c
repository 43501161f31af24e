/* SPDX-License-Identifier: MIT */
/*
 * ppoll(2) and pselect6(2).
 *
 * Who polls remembers a generation number, asks each file what it is ready for, and sleeps until
 * the number has moved; poll_notify(), called after every change of anything that can be polled,
 * moves it. Simple, and no wake-up is lost; the price is that pollers look again more often than
 * they need.
 */
#include "kernel/clock.h"
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

static struct wait_queue poll_wq = WAIT_QUEUE_INIT(poll_wq);
static u32 poll_gen; /* [A] */

void poll_notify(void)
{
	__atomic_fetch_add(&poll_gen, 1, __ATOMIC_SEQ_CST);
	if (wait_queue_active(&poll_wq))
		wake_up_all(&poll_wq);
}

u32 poll_generation(void)
{
	return __atomic_load_n(&poll_gen, __ATOMIC_SEQ_CST);
}

static u32 file_events(struct file *f)
{
	if (!f->fop->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->fop->poll(f);
}

/* ------------------------------------------------------------------ time */

/* When a timeout at a user's timespec ends; 0 address: never. */
static int read_deadline(u64 uts, u64 *deadline)
{
	struct abi_timespec ts;

	*deadline = NO_DEADLINE;
	if (!uts)
		return 0;
	if (copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	if (ts.sec < 0 || ts.nsec < 0 || ts.nsec >= (s64)NSEC_PER_SEC)
		return -EINVAL;
	if ((u64)ts.sec < NO_DEADLINE / NSEC_PER_SEC / 2)
		*deadline = deadline_after((u64)ts.sec * NSEC_PER_SEC + (u64)ts.nsec);
	return 0;
}

/* Linux's calls leave what was left of the time. */
static void write_left(u64 uts, u64 deadline)
{
	struct abi_timespec ts = {0};
	u64 now = clock_ns();

	if (!uts || deadline == NO_DEADLINE)
		return;
	if (deadline > now) {
		ts.sec = (s64)((deadline - now) / NSEC_PER_SEC);
		ts.nsec = (s64)((deadline - now) % NSEC_PER_SEC);
	}
	/* A fault is no error here: the call has done its work. */
	if (copy_to_user(uts, &ts, sizeof(ts)))
		return;
}

/* Scan until something is ready. scan returns how many are. */
long poll_until(long (*scan)(void *arg), void *arg, u64 deadline)
{
	for (;;) {
		u32 gen = __atomic_load_n(&poll_gen, __ATOMIC_SEQ_CST);
		long n = scan(arg), err;

		if (n)
			return n;
		if (clock_ns() >= deadline)
			return 0;
		err = wait_event_interruptible_timeout(
		    &poll_wq, __atomic_load_n(&poll_gen, __ATOMIC_SEQ_CST) != gen, deadline);
		if (err == -ERESTARTSYS)
			return -ERESTARTNOHAND;
	}
}

/* ------------------------------------------------------------------ ppoll */

struct poll_set {
	struct abi_pollfd *fds;
	u32 n;
};

static u32 poll_one(struct abi_pollfd *p)
{
	struct file *f;
	u32 events;

	if (p->fd < 0)
		return 0;
	f = fget(p->fd);
	if (!f)
		return POLLNVAL;
	events = file_events(f) & ((u16)p->events | POLLERR | POLLHUP);
	fput(f);
	return events;
}

static long poll_scan(void *arg)
{
	struct poll_set *s = arg;
	long ready = 0;
	u32 i;

	for (i = 0; i < s->n; i++) {
		s->fds[i].revents = (s16)poll_one(&s->fds[i]);
		ready += s->fds[i].revents != 0;
	}
	return ready;
}

static long do_poll(struct poll_set *s, u64 ufds, u64 deadline)
{
	long n;
	u32 i;

	if (copy_from_user(s->fds, ufds, s->n * sizeof(*s->fds)))
		return -EFAULT;
	n = poll_until(poll_scan, s, deadline);
	for (i = 0; i < s->n && n >= 0; i++)
		if (put_user(s->fds[i].revents, s16,
		             ufds + i * sizeof(*s->fds) + offsetof(struct abi_pollfd, revents)))
			n = -EFAULT;
	return n;
}

long sys_ppoll(u64 ufds, u64 n, u64 utimeout, u64 mask, u64 size)
{
	struct abi_pollfd few[8];
	struct poll_set s = {.fds = few, .n = (u32)n};
	u64 deadline;
	long r;

	if ((u32)n > current->proc->rlim[RLIMIT_NOFILE].cur || (u32)n > 16384)
		return -EINVAL;
	r = read_deadline(utimeout, &deadline);
	if (r)
		return r;
	if (s.n > ARRAY_SIZE(few)) {
		s.fds = fs_alloc(s.n * sizeof(*s.fds));
		if (!s.fds)
			return -ENOMEM;
	}
	r = set_user_sigmask(mask, size);
	if (!r) {
		r = do_poll(&s, ufds, deadline);
		restore_user_sigmask(r == -ERESTARTNOHAND);
		write_left(utimeout, deadline);
	}
	if (s.fds != few)
		fs_free(s.fds);
	return r;
}

/* ------------------------------------------------------------------ pselect6 */

#define SELECT_MAX 16384u

struct select_set {
	u32 n, words;
	u64 *want[3]; /* read, write, exceptional */
	u64 *got[3];
	bool bad;
};

static const u32 select_events[3] = {
    POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
    POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
    POLLPRI,
};

static long select_fd(struct select_set *s, u32 fd)
{
	u64 bit = 1ull << (fd % 64);
	struct file *f;
	long ready = 0;
	u32 i, events;

	if (!((s->want[0][fd / 64] | s->want[1][fd / 64] | s->want[2][fd / 64]) & bit))
		return 0;
	f = fget((int)fd);
	if (!f) {
		s->bad = true;
		return 1;
	}
	events = file_events(f);
	fput(f);
	for (i = 0; i < 3; i++) {
		if ((s->want[i][fd / 64] & bit) && (events & select_events[i])) {
			s->got[i][fd / 64] |= bit;
			ready++;
		}
	}
	return ready;
}

static long select_scan(void *arg)
{
	struct select_set *s = arg;
	long ready = 0;
	u32 fd;

	memset(s->got[0], 0, 3 * s->words * sizeof(u64));
	for (fd = 0; fd < s->n; fd++)
		ready += select_fd(s, fd);
	return ready;
}

static long do_select(struct select_set *s, const u64 uset[3], u64 deadline)
{
	/* User sets are whole longs; bits past n are left as they are only when within them. */
	size_t bytes = s->words * sizeof(u64);
	long r;
	u32 i;

	for (i = 0; i < 3; i++)
		if (uset[i] && copy_from_user(s->want[i], uset[i], bytes))
			return -EFAULT;
	r = poll_until(select_scan, s, deadline);
	if (s->bad)
		return -EBADF;
	for (i = 0; i < 3 && r >= 0; i++)
		if (uset[i] && copy_to_user(uset[i], s->got[i], bytes))
			r = -EFAULT;
	return r;
}

static int read_sigmask_arg(u64 arg, u64 out[2])
{
	out[0] = out[1] = 0;
	return arg ? copy_from_user(out, arg, 16) : 0;
}

long sys_pselect6(u64 un, u64 in, u64 out, u64 ex, u64 utimeout, u64 umask)
{
	const u64 uset[3] = {in, out, ex};
	struct select_set s = {0};
	u64 deadline, mask[2], *bits;
	long r;
	u32 i;

	if ((int)un < 0)
		return -EINVAL;
	r = read_deadline(utimeout, &deadline);
	if (!r)
		r = read_sigmask_arg(umask, mask);
	if (r)
		return r;
	s.n = min((u32)un, min(READ_ONCE(current->files->size), SELECT_MAX));
	s.words = DIV_ROUND_UP(s.n, 64);
	bits = fs_zalloc(6 * s.words * sizeof(u64) + 8);
	if (!bits)
		return -ENOMEM;
	for (i = 0; i < 3; i++) {
		s.want[i] = bits + i * s.words;
		s.got[i] = bits + (3 + i) * s.words;
	}
	r = set_user_sigmask(mask[0], mask[1]);
	if (!r) {
		r = do_select(&s, uset, deadline);
		restore_user_sigmask(r == -ERESTARTNOHAND);
		write_left(utimeout, deadline);
	}
	fs_free(bits);
	return r;
}
