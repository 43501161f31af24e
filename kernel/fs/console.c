/* SPDX-License-Identifier: MIT */
/*
 * Where terminals end: the serial port, and the host link; and the link's standard files for a
 * program whose own are no terminal on the host: those look like pipes.
 */
#include "kernel/drivers/hostlink.h"
#include "kernel/drivers/pl011.h"
#include "kernel/fs/tty.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

struct tty console_tty, link_tty;

/* ------------------------------------------------------------------ the serial port */

static void serial_write(const char *buf, size_t n)
{
	pl011_write(buf, n);
}

static const struct tty_backend serial_backend = {.write = serial_write};

/* From the interrupt: keep the byte for the terminal's task. What finds no room is lost, as on
 * wires. */
static void serial_received(u8 c)
{
	struct tty *tty = &console_tty;
	unsigned long flags = spin_lock_irqsave(&tty->raw_lock);

	if (tty->raw_head - tty->raw_tail < sizeof(tty->raw))
		tty->raw[tty->raw_head++ % sizeof(tty->raw)] = c;
	spin_unlock_irqrestore(&tty->raw_lock, flags);
	wake_up(&tty->raw_wq);
}

static size_t serial_take(u8 *buf, size_t n)
{
	struct tty *tty = &console_tty;
	unsigned long flags = spin_lock_irqsave(&tty->raw_lock);
	size_t got = 0;

	while (got < n && tty->raw_tail != tty->raw_head)
		buf[got++] = tty->raw[tty->raw_tail++ % sizeof(tty->raw)];
	spin_unlock_irqrestore(&tty->raw_lock, flags);
	return got;
}

static s32 serial_task(void *arg)
{
	struct tty *tty = &console_tty;
	u8 buf[64];

	for (;;) {
		size_t n;

		/* Interruptible, so that ps shows it asleep: no signal ever comes. */
		wait_event_interruptible(&tty->raw_wq,
		                         READ_ONCE(tty->raw_head) != READ_ONCE(tty->raw_tail));
		n = serial_take(buf, sizeof(buf));
		tty_input(tty, buf, n);
	}
	return 0;
}

int console_init(void)
{
	s32 pid;

	tty_setup(&console_tty, "ttyAMA0", MKDEV(204, 64), &serial_backend);
	pid = kthread_create("serial", serial_task, NULL);
	if (pid < 0)
		return pid;
	pl011_set_rx(serial_received);
	return 0;
}

/* ------------------------------------------------------------------ the host link as a terminal */

static void link_write(const char *buf, size_t n)
{
	hostlink_send(HOSTLINK_STDOUT, buf, n);
}

/* A reader has made room: the task that feeds the terminal looks again. */
static void link_room(void)
{
	wake_up_all(hostlink_stdin_wait());
}

static const struct tty_backend link_backend = {
    .write = link_write,
    .winsize = hostlink_winsize,
    .room = link_room,
};
static bool link_input; /* standard input is the terminal too */

static bool size_changed(void)
{
	u16 rows, cols;

	return hostlink_winsize(&rows, &cols) &&
	       (rows != READ_ONCE(link_tty.ws.rows) || cols != READ_ONCE(link_tty.ws.cols));
}

static bool link_has_news(void)
{
	if (size_changed())
		return true;
	return link_input && ((hostlink_stdin_available() && tty_has_room(&link_tty)) ||
	                      (hostlink_stdin_eof() && !READ_ONCE(link_tty.hung_up)));
}

/* Takes no more from the host than the terminal has room for, so nothing is lost. */
static s32 link_task(void *arg)
{
	u8 buf[64];

	for (;;) {
		u16 rows, cols;
		ssize_t n;

		wait_event_interruptible(hostlink_stdin_wait(), link_has_news());
		if (hostlink_winsize(&rows, &cols))
			tty_set_winsize(&link_tty, rows, cols);
		while (link_input && tty_has_room(&link_tty) &&
		       (n = hostlink_read_stdin(buf, sizeof(buf))) > 0)
			tty_input(&link_tty, buf, (size_t)n);
		if (link_input && hostlink_stdin_eof() && !link_tty.hung_up)
			tty_hangup_input(&link_tty);
	}
	return 0;
}

int link_tty_start(void)
{
	s32 pid;

	tty_setup(&link_tty, "hvc0", MKDEV(229, 0), &link_backend);
	pid = kthread_create("hostlink", link_task, NULL);
	return pid < 0 ? pid : 0;
}

/* ------------------------------------------------------------------ the host link as pipes */

static ssize_t link_stdin_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	long err;

	if (!n)
		return 0;
	for (;;) {
		ssize_t got = hostlink_read_stdin(buf, n);

		if (got || hostlink_stdin_eof())
			return got;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(hostlink_stdin_wait(),
		                               hostlink_stdin_available() || hostlink_stdin_eof());
		if (err)
			return err;
	}
}

static u32 link_stdin_poll(struct file *f)
{
	if (hostlink_stdin_available())
		return POLLIN | POLLRDNORM;
	return hostlink_stdin_eof() ? POLLHUP : 0;
}

static long link_stdin_ioctl(struct file *f, u32 cmd, u64 arg)
{
	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user((int)hostlink_stdin_available(), int, arg);
}

static ssize_t link_stdout_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	return n ? (ssize_t)hostlink_send(HOSTLINK_STDOUT, buf, n) : 0;
}

static ssize_t link_stderr_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	return n ? (ssize_t)hostlink_send(HOSTLINK_STDERR, buf, n) : 0;
}

static u32 link_out_poll(struct file *f)
{
	return POLLOUT | POLLWRNORM;
}

static const struct file_ops link_file_ops[3] = {
    {.flags = FOP_STREAM,
     .read = link_stdin_read,
     .poll = link_stdin_poll,
     .ioctl = link_stdin_ioctl},
    {.flags = FOP_STREAM, .write = link_stdout_write, .poll = link_out_poll},
    {.flags = FOP_STREAM, .write = link_stderr_write, .poll = link_out_poll},
};

static int link_file(unsigned n, struct file **out)
{
	int err = anon_file("pipe", S_IFIFO | 0600, &link_file_ops[n], NULL,
	                    n ? O_WRONLY : O_RDONLY, out);

	if (!err)
		(*out)->inode->fop = &link_file_ops[n]; /* for /dev/stdin and its like */
	return err;
}

/* ------------------------------------------------------------------ standard files of the first
 * program */

static int install_at(struct file *file, int want)
{
	int fd = fd_install(file, want, false);

	if (fd < 0) {
		fput(file);
		return fd;
	}
	return fd == want ? 0 : -EBUSY;
}

int fs_open_console(bool ctty)
{
	int fd, err = 0;

	for (fd = 0; fd < 3 && !err; fd++) {
		struct file *f;

		err = file_open("/dev/console", O_RDWR | O_NOCTTY, 0, &f);
		if (!err)
			err = install_at(f, fd);
	}
	if (!err && ctty)
		tty_acquire(&console_tty);
	return err;
}

int fs_open_hostlink(unsigned tty_mask)
{
	int fd, err = 0;

	hostlink_set_notify(poll_notify);
	link_input = tty_mask & 1;
	if (tty_mask & 7)
		err = link_tty_start();
	for (fd = 0; fd < 3 && !err; fd++) {
		struct file *f;

		if (tty_mask & (1u << fd))
			err = file_open("/dev/hvc0", O_RDWR | O_NOCTTY, 0, &f);
		else
			err = link_file((unsigned)fd, &f);
		if (!err)
			err = install_at(f, fd);
	}
	if (!err && (tty_mask & 7))
		tty_acquire(&link_tty);
	return err;
}
