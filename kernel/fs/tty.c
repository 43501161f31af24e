/* SPDX-License-Identifier: MIT */
/*
 * Terminals as files. Input comes from a device's interrupt or the host link, goes through the line
 * discipline (tty_ldisc.c) on a kernel task of its own - so that echoing may sleep - and is read
 * from there. Output is processed as termios says and handed to the backend.
 */
#include "kernel/fs/tty.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

static const struct abi_termios default_termios = {
    .iflag = T_ICRNL | T_IXON,
    .oflag = T_OPOST | T_ONLCR,
    .cflag = 0x4bf, /* 38400 baud, 8 bits, CREAD, HUPCL */
    .lflag = T_ISIG | T_ICANON | T_ECHO | T_ECHOE | T_ECHOK | T_ECHOCTL | T_ECHOKE | T_IEXTEN,
    .cc = {3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 0},
};

void tty_setup(struct tty *tty, const char *name, u32 rdev, const struct tty_backend *backend)
{
	tty->name = name;
	tty->rdev = rdev;
	tty->backend = backend;
	tty->t = default_termios;
	spin_init(&tty->raw_lock);
	wait_queue_init(&tty->raw_wq);
	mutex_init(&tty->lock);
	mutex_init(&tty->out_lock);
	wait_queue_init(&tty->rd);
	wait_queue_init(&tty->wr);
}

/* /dev/tty is whichever terminal the caller's session has: it is looked up at open. */
struct tty *tty_of(struct file *f)
{
	return f->priv;
}

bool tty_cut_off(const struct file *f)
{
	const struct tty *tty = f->priv;

	return f->virt != READ_ONCE(tty->hangups) && f->inode->rdev != MKDEV(5, 1);
}

static struct tty *controlling_tty(void)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct tty *tty = current->proc->tty;

	spin_unlock_irqrestore(&proc_lock, flags);
	return tty;
}

static int tty_open(struct file *f)
{
	u32 dev = f->inode->rdev;
	struct tty *tty;

	if (dev == MKDEV(5, 0)) {
		tty = controlling_tty();
		if (!tty)
			return -ENXIO;
	} else {
		tty = dev == link_tty.rdev ? &link_tty : &console_tty;
		if (!tty->backend)
			return -ENXIO;
	}
	f->priv = tty;
	f->virt = READ_ONCE(tty->hangups);
	if (!(f->flags & O_NOCTTY) && dev != MKDEV(5, 1) && dev != MKDEV(5, 0))
		tty_acquire(tty);
	return 0;
}

/* ------------------------------------------------------------------ output */

#define OUT_CHUNK 512u

void tty_output(struct tty *tty, const char *buf, size_t n)
{
	char out[OUT_CHUNK];
	size_t k = 0;
	u32 flags = tty->t.oflag;

	while (n--) {
		char c = *buf++;

		if (k > OUT_CHUNK - 2) {
			tty->backend->write(out, k);
			k = 0;
		}
		if ((flags & T_OPOST) && c == '\n' && (flags & T_ONLCR))
			out[k++] = '\r';
		else if ((flags & T_OPOST) && c == '\r' && (flags & T_OCRNL))
			c = '\n';
		out[k++] = c;
	}
	if (k)
		tty->backend->write(out, k);
}

static ssize_t tty_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	struct tty *tty = tty_of(f);
	size_t done = 0;
	long err = 0;

	if (tty->t.lflag & T_TOSTOP)
		err = tty_job_control(tty, SIGTTOU);
	while (!err && done < n) {
		size_t k = min(n - done, (size_t)OUT_CHUNK);

		if (tty_cut_off(f)) {
			err = -EIO;
			continue;
		}
		if (READ_ONCE(tty->stopped)) {
			if (f->flags & O_NONBLOCK)
				err = -EAGAIN;
			else
				err = wait_event_interruptible(&tty->wr, !READ_ONCE(tty->stopped) ||
				                                             tty_cut_off(f));
			continue;
		}
		mutex_lock(&tty->out_lock);
		tty_output(tty, (const char *)buf + done, k);
		mutex_unlock(&tty->out_lock);
		done += k;
		if (signal_pending(current))
			err = -ERESTARTSYS;
	}
	return done ? (ssize_t)done : err;
}

/* ------------------------------------------------------------------ the rest of the file */

static ssize_t tty_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	struct tty *tty = tty_of(f);
	int err;

	if (tty_cut_off(f))
		return 0;
	err = tty_job_control(tty, SIGTTIN);
	if (err || !n)
		return err;
	return tty_read_input(f, tty, buf, n);
}

static u32 tty_poll(struct file *f)
{
	struct tty *tty = tty_of(f);
	u32 events = READ_ONCE(tty->stopped) ? 0 : POLLOUT | POLLWRNORM;

	if (tty_cut_off(f))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
	if (tty_readable(tty))
		events |= POLLIN | POLLRDNORM;
	return events;
}

const struct file_ops tty_file_ops = {
    .flags = FOP_STREAM,
    .open = tty_open,
    .read = tty_read,
    .write = tty_write,
    .poll = tty_poll,
    .ioctl = tty_ioctl,
};
