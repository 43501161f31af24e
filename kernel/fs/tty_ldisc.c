/* SPDX-License-Identifier: MIT */
/*
 * The line discipline (termios(3)): what is typed becomes lines with erase and kill, signals for
 * ^C ^\ ^Z, an echo - or, in raw mode, just bytes counted and timed by VMIN and VTIME.
 */
#include "kernel/clock.h"
#include "kernel/fs/tty.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

static u8 *slot(struct tty *tty, u32 at)
{
	return &tty->buf[at % TTY_BUF];
}

/* One byte is kept free for the newline that ends a line which filled the buffer. */
static u32 room(const struct tty *tty)
{
	return TTY_BUF - 1 - (READ_ONCE(tty->head) - READ_ONCE(tty->tail));
}

bool tty_has_room(const struct tty *tty)
{
	/* A line longer than the buffer is cut, it must not stop its own newline from coming. */
	return room(tty) > 0 || READ_ONCE(tty->done) == READ_ONCE(tty->tail);
}

bool tty_readable(const struct tty *tty)
{
	return READ_ONCE(tty->done) != READ_ONCE(tty->tail) || READ_ONCE(tty->hung_up);
}

static void input_done(struct tty *tty)
{
	wake_up_all(&tty->rd);
	poll_notify();
}

void tty_flush_input(struct tty *tty)
{
	tty->tail = tty->done = tty->head;
	tty->literal = false;
}

void tty_hangup_input(struct tty *tty)
{
	mutex_lock(&tty->lock);
	tty->done = tty->head;
	tty->hung_up = true;
	mutex_unlock(&tty->lock);
	input_done(tty);
}

void tty_cut_files(struct tty *tty)
{
	mutex_lock(&tty->lock);
	tty->hangups++;
	tty->stopped = false;
	tty_flush_input(tty);
	mutex_unlock(&tty->lock);
	wake_up_all(&tty->wr);
	input_done(tty);
}

/* ------------------------------------------------------------------ echo */

static void echo_bytes(struct tty *tty, const char *s, size_t n)
{
	mutex_lock(&tty->out_lock);
	tty_output(tty, s, n);
	mutex_unlock(&tty->out_lock);
}

static bool shown_as_caret(const struct tty *tty, u8 c)
{
	return (tty->t.lflag & T_ECHOCTL) && ((c < 32 && c != '\t' && c != '\n') || c == 127);
}

static void echo(struct tty *tty, u8 c)
{
	char text[2] = {'^', (char)(c ^ 0x40)};

	if (!(tty->t.lflag & T_ECHO) && !(c == '\n' && (tty->t.lflag & T_ECHONL)))
		return;
	if (shown_as_caret(tty, c))
		echo_bytes(tty, text, 2);
	else
		echo_bytes(tty, (char *)&c, 1);
}

/* Columns on the screen of the line up to `end`, tabs included; from the line's own start. */
static u32 columns(struct tty *tty, u32 end)
{
	u32 at, col = 0;

	for (at = tty->done; at != end; at++) {
		u8 c = *slot(tty, at);

		if (c == '\t')
			col = (col | 7) + 1;
		else if ((c & 0xc0) != 0x80) /* UTF-8 continuation bytes take no column */
			col += shown_as_caret(tty, c) ? 2 : 1;
	}
	return col;
}

/* ------------------------------------------------------------------ editing a line */

static void erase_to(struct tty *tty, u32 to)
{
	u32 n = columns(tty, tty->head) - columns(tty, to);

	tty->head = to;
	if ((tty->t.lflag & (T_ECHO | T_ECHOE)) != (T_ECHO | T_ECHOE))
		return;
	while (n--)
		echo_bytes(tty, "\b \b", 3);
}

static void erase_char(struct tty *tty)
{
	u32 to = tty->head;

	if (to == tty->done)
		return;
	do
		to--;
	while (to != tty->done && (*slot(tty, to) & 0xc0) == 0x80);
	erase_to(tty, to);
}

static void erase_word(struct tty *tty)
{
	u32 to = tty->head;

	while (to != tty->done && (*slot(tty, to - 1) == ' ' || *slot(tty, to - 1) == '\t'))
		to--;
	while (to != tty->done && *slot(tty, to - 1) != ' ' && *slot(tty, to - 1) != '\t')
		to--;
	erase_to(tty, to);
}

static void reprint(struct tty *tty)
{
	u32 at;

	echo(tty, tty->t.cc[VREPRINT]);
	echo_bytes(tty, "\n", 1);
	for (at = tty->done; at != tty->head; at++)
		echo(tty, *slot(tty, at));
}

static void put(struct tty *tty, u8 c, u8 end)
{
	*slot(tty, tty->head) = c;
	tty->ends[tty->head % TTY_BUF] = end;
	tty->head++;
}

/* The line is complete: it may be read. */
static void end_line(struct tty *tty, u8 c, u8 end)
{
	if (tty->head - tty->tail < TTY_BUF)
		put(tty, c, end);
	tty->done = tty->head;
	input_done(tty);
}

static bool is_cc(const struct tty *tty, u8 c, int which)
{
	return tty->t.cc[which] && c == tty->t.cc[which];
}

/* Editing characters; true when c was one. */
static bool edit(struct tty *tty, u8 c)
{
	if (is_cc(tty, c, VERASE)) {
		erase_char(tty);
	} else if (is_cc(tty, c, VKILL)) {
		erase_to(tty, tty->done);
	} else if ((tty->t.lflag & T_IEXTEN) && is_cc(tty, c, VWERASE)) {
		erase_word(tty);
	} else if ((tty->t.lflag & T_IEXTEN) && is_cc(tty, c, VREPRINT)) {
		reprint(tty);
	} else if ((tty->t.lflag & T_IEXTEN) && is_cc(tty, c, VLNEXT)) {
		tty->literal = true;
		if (tty->t.lflag & T_ECHO)
			echo_bytes(tty, "^\b", 2);
	} else {
		return false;
	}
	return true;
}

static void canonical(struct tty *tty, u8 c)
{
	bool literal = tty->literal;

	tty->literal = false;
	if (!literal && edit(tty, c))
		return;
	if (!literal && is_cc(tty, c, VEOF)) {
		end_line(tty, 0, LINE_EOF);
		return;
	}
	if (!literal && (c == '\n' || is_cc(tty, c, VEOL) || is_cc(tty, c, VEOL2))) {
		echo(tty, c);
		end_line(tty, c, LINE_END);
		return;
	}
	if (!room(tty)) {
		echo_bytes(tty, "\a", 1);
		return;
	}
	echo(tty, c);
	put(tty, c, 0);
}

/* ------------------------------------------------------------------ one byte that came in */

/* Signals and flow control; true when c is used up by it. */
static bool special(struct tty *tty, u8 c)
{
	static const int sigs[3] = {SIGINT, SIGQUIT, SIGTSTP};
	static const int ccs[3] = {VINTR, VQUIT, VSUSP};
	unsigned i;

	if (tty->literal)
		return false;
	for (i = 0; i < 3 && (tty->t.lflag & T_ISIG); i++) {
		if (!is_cc(tty, c, ccs[i]))
			continue;
		if (!(tty->t.lflag & T_NOFLSH))
			tty_flush_input(tty);
		echo(tty, c);
		tty_signal(tty, sigs[i]);
		return true;
	}
	if (!(tty->t.iflag & T_IXON))
		return false;
	if (is_cc(tty, c, VSTOP) || is_cc(tty, c, VSTART)) {
		WRITE_ONCE(tty->stopped, c == tty->t.cc[VSTOP]);
		wake_up_all(&tty->wr);
		poll_notify();
		return true;
	}
	return false;
}

static void input_byte(struct tty *tty, u8 c)
{
	if (tty->t.iflag & T_ISTRIP)
		c &= 0x7f;
	if (special(tty, c))
		return;
	if (c == '\r') {
		if (tty->t.iflag & T_IGNCR)
			return;
		if (tty->t.iflag & T_ICRNL)
			c = '\n';
	} else if (c == '\n' && (tty->t.iflag & T_INLCR)) {
		c = '\r';
	}
	if (tty->t.lflag & T_ICANON) {
		canonical(tty, c);
		return;
	}
	if (!room(tty))
		return;
	echo(tty, c);
	put(tty, c, 0);
	tty->done = tty->head;
	input_done(tty);
}

void tty_input(struct tty *tty, const u8 *buf, size_t n)
{
	mutex_lock(&tty->lock);
	while (n--)
		input_byte(tty, *buf++);
	mutex_unlock(&tty->lock);
}

/* ------------------------------------------------------------------ reading */

/* Up to the end of one line. lock is held. */
static size_t take_line(struct tty *tty, char *buf, size_t n)
{
	size_t got = 0;

	while (got < n && tty->tail != tty->done) {
		u8 end = tty->ends[tty->tail % TTY_BUF];

		if (end != LINE_EOF)
			buf[got++] = (char)*slot(tty, tty->tail);
		tty->tail++;
		if (end)
			break;
	}
	return got;
}

static size_t take_raw(struct tty *tty, char *buf, size_t n)
{
	size_t got = 0;

	while (got < n && tty->tail != tty->done) {
		if (tty->ends[tty->tail % TTY_BUF] != LINE_EOF)
			buf[got++] = (char)*slot(tty, tty->tail);
		tty->tail++;
	}
	return got;
}

u32 tty_available(struct tty *tty)
{
	return READ_ONCE(tty->done) - READ_ONCE(tty->tail);
}

/* No more can come for it. */
static bool at_end(const struct file *f, const struct tty *tty)
{
	return READ_ONCE(tty->hung_up) || tty_cut_off(f);
}

static bool can_read(const struct file *f, const struct tty *tty)
{
	return tty_readable(tty) || tty_cut_off(f);
}

/* Wait as VMIN and VTIME ask. 0, -ERESTARTSYS; an expired time is no error. */
static long wait_raw(const struct file *f, struct tty *tty, size_t n, u32 vmin, u32 vtime)
{
	u64 tenths = (u64)vtime * (NSEC_PER_SEC / 10);
	u32 want = (u32)min((size_t)vmin, n);
	long err = 0;

	if (!vmin) {
		if (vtime)
			err = wait_event_interruptible_timeout(&tty->rd, can_read(f, tty),
			                                       deadline_after(tenths));
		return err == -ETIMEDOUT ? 0 : err;
	}
	if (!vtime)
		return wait_event_interruptible(&tty->rd,
		                                tty_available(tty) >= want || at_end(f, tty));
	/* The clock runs from byte to byte, beginning with the first. */
	err = wait_event_interruptible(&tty->rd, can_read(f, tty));
	while (!err && tty_available(tty) < want && !at_end(f, tty)) {
		u32 have = tty_available(tty);

		err = wait_event_interruptible_timeout(
		    &tty->rd, tty_available(tty) != have || at_end(f, tty), deadline_after(tenths));
	}
	return err == -ETIMEDOUT ? 0 : err;
}

static bool nothing_now(struct file *f, struct tty *tty)
{
	return (f->flags & O_NONBLOCK) && !can_read(f, tty);
}

ssize_t tty_read_input(struct file *f, struct tty *tty, char *buf, size_t n)
{
	bool canon, had;
	size_t got;
	long err;

	for (;;) {
		canon = (READ_ONCE(tty->t.lflag) & T_ICANON) != 0;
		if (nothing_now(f, tty))
			return -EAGAIN;
		if (f->flags & O_NONBLOCK)
			err = 0;
		else if (canon)
			err = wait_event_interruptible(&tty->rd, can_read(f, tty));
		else
			err = wait_raw(f, tty, n, tty->t.cc[VMIN], tty->t.cc[VTIME]);
		if (err)
			return err;
		mutex_lock(&tty->lock);
		had = tty->tail != tty->done && !tty_cut_off(f);
		canon = (tty->t.lflag & T_ICANON) != 0;
		if (had)
			got = canon ? take_line(tty, buf, n) : take_raw(tty, buf, n);
		else
			got = 0;
		mutex_unlock(&tty->lock);
		if (had && tty->backend->room)
			tty->backend->room();
		if (got || had || at_end(f, tty))
			return (ssize_t)got;
		if (!canon && !tty->t.cc[VMIN])
			return 0;
	}
}
