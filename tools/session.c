/* SPDX-License-Identifier: MIT */
/*
 * One guest's life, seen from the host: a poll loop that carries
 *
 *	standard input  -> 'i' frames -> guest		(read only while the guest keeps up)
 *	guest -> 'o','E' frames -> standard output, error	(taken only while the reader keeps
 *up)
 *
 * until QEMU is gone and everything it said has been delivered. With --initrd there is no link: the
 * serial line is the user's terminal, byte for byte.
 *
 * Standard output keeps its blocking mode, since it may be shared with other programs. After poll()
 * says it is writable, a write of up to PIPE_BUF bytes does not block.
 */
#define _GNU_SOURCE
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK             (32 * 1024)
#define BACKLOG_MAX       (256 * 1024) /* per direction, before we stop reading */
#define TAIL_MAX          (64 * 1024)  /* of the console, for a post-mortem */
#define TAIL_LINES        20
#define POWER_OFF_SECONDS 60   /* from the exit status to QEMU's end */
#define PANIC_SECONDS     1    /* from "Kernel panic" to our giving up */
#define ESCAPE            0x1d /* Ctrl-], three times in a row */

struct session {
	const struct run_config *cfg;
	struct machine m;
	int signals;
	struct frame_reader reader;
	struct buf to_guest, out, err, report;
	struct buf console_tail, qemu_tail;
	int console_log; /* the file $MMKIT_CONSOLE, or -1 */
	bool stdin_open, stdout_failed, err_closed;
	bool stdin_is_terminal;
	unsigned int escapes;
	int qemu_status; /* wait status, once qemu_ended */
	bool qemu_ended, panicked;
	time_t deadline; /* 0: none */
};

enum { P_SIGNAL, P_WIRE, P_CONSOLE, P_QEMU, P_IN, P_OUT, P_ERR, P_NR };

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Ends it all at once; the guest's output that is not yet delivered is lost, as the caller wants.
 */
static void __attribute__((noreturn)) abandon(struct session *s, int status)
{
	machine_kill(&s->m);
	terminal_restore();
	exit(status);
}

static void keep_tail(struct buf *tail, const unsigned char *data, size_t len)
{
	buf_put(tail, data, len);
	if (tail->len > TAIL_MAX)
		buf_take(tail, tail->len - TAIL_MAX);
}

static void print_tail(const char *title, const struct buf *tail)
{
	const char *text = (const char *)buf_data(tail), *from = text + tail->len;
	unsigned int lines = 0;

	if (!tail->len)
		return;
	while (from > text &&
	       (from[-1] != '\n' || from == text + tail->len || ++lines < TAIL_LINES))
		from--;
	fprintf(stderr, "%s\n", title);
	fwrite(from, 1, text + tail->len - from, stderr);
	if (text[tail->len - 1] != '\n')
		fputc('\n', stderr);
}

/* The wire is what carries the guest's standard streams: the link, or with --initrd the console. */
static int wire(const struct session *s)
{
	return s->m.link >= 0 ? s->m.link : s->m.console;
}

static bool linked(const struct session *s)
{
	return !s->cfg->initrd;
}

/* ---- from QEMU ---- */

static void watch_for_panic(struct session *s)
{
	static const char word[] = "Kernel panic";

	if (s->panicked ||
	    !memmem(buf_data(&s->console_tail), s->console_tail.len, word, sizeof(word) - 1))
		return;
	s->panicked = true;
	s->deadline = now() + PANIC_SECONDS;
}

static void take_frames(struct session *s, const unsigned char *data, size_t len)
{
	bool had_status = s->reader.has_status;

	if (!frame_feed(&s->reader, data, len)) {
		machine_kill(&s->m);
		die(EXIT_MACHINE,
		    "the guest sent what is no frame (type 0x%02x); is --kernel the "
		    "kernel of this build?",
		    s->reader.header[0]);
	}
	if (s->reader.has_status && !had_status && !s->deadline)
		s->deadline = now() + POWER_OFF_SECONDS;
}

/* Reads what is there; at the end of file or an error the descriptor becomes -1. */
static ssize_t read_some(int *fd, unsigned char *data)
{
	ssize_t got = read(*fd, data, CHUNK);

	if (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)))
		return got > 0 ? got : 0;
	close(*fd);
	*fd = -1;
	return 0;
}

static void from_link(struct session *s)
{
	unsigned char data[CHUNK];
	ssize_t got = read_some(&s->m.link, data);

	if (got)
		take_frames(s, data, got);
}

static void from_console(struct session *s)
{
	unsigned char data[CHUNK];
	ssize_t got = read_some(&s->m.console, data);

	if (!got)
		return;
	keep_tail(&s->console_tail, data, got);
	if (s->console_log >= 0 && write(s->console_log, data, got) != got)
		s->console_log = -1;
	watch_for_panic(s);
	if (!linked(s))
		buf_put(&s->out, data, got);
}

static void from_qemu(struct session *s)
{
	unsigned char data[CHUNK];
	ssize_t got = read_some(&s->m.errors, data);

	if (got)
		keep_tail(&s->qemu_tail, data, got);
}

/* ---- from the user ---- */

static void watch_for_escape(struct session *s, const unsigned char *data, size_t len)
{
	if (!s->stdin_is_terminal)
		return;
	for (; len; len--, data++) {
		s->escapes = *data == ESCAPE ? s->escapes + 1 : 0;
		if (s->escapes == 3) {
			machine_kill(&s->m);
			die(EXIT_SIGNALED + SIGINT, "stopped by three times Ctrl-]");
		}
	}
}

static void from_stdin(struct session *s)
{
	unsigned char data[CHUNK];
	ssize_t got = read(STDIN_FILENO, data, sizeof(data));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got > 0) {
		watch_for_escape(s, data, got);
		if (linked(s))
			frame_put(&s->to_guest, FRAME_INPUT, data, got);
		else
			buf_put(&s->to_guest, data, got);
		return;
	}
	s->stdin_open = false;
	if (linked(s))
		frame_put(&s->to_guest, FRAME_INPUT_END, NULL, 0);
}

static void send_window_size(struct session *s)
{
	uint16_t rows, columns;
	unsigned char size[4];

	if (!linked(s) || !terminal_size(&rows, &columns))
		return;
	size[0] = rows & 0xff;
	size[1] = rows >> 8;
	size[2] = columns & 0xff;
	size[3] = columns >> 8;
	frame_put(&s->to_guest, FRAME_WINDOW, size, sizeof(size));
}

static void reap_qemu(struct session *s)
{
	if (s->m.pid > 0 && waitpid(s->m.pid, &s->qemu_status, WNOHANG) == s->m.pid) {
		s->qemu_ended = true;
		s->m.pid = 0;
	}
}

static void from_signals(struct session *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		reap_qemu(s);
		break;
	case SIGWINCH:
		send_window_size(s);
		break;
	case SIGCONT:
		if (s->stdin_is_terminal)
			terminal_raw();
		send_window_size(s);
		break;
	default:
		abandon(s, EXIT_SIGNALED + info.ssi_signo);
	}
}

/* ---- to the user and the guest ---- */

static void to_wire(struct session *s)
{
	ssize_t put =
	    send(wire(s), buf_data(&s->to_guest), s->to_guest.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put > 0)
		buf_take(&s->to_guest, put);
	else if (put < 0 && errno != EAGAIN && errno != EINTR)
		buf_take(&s->to_guest, s->to_guest.len); /* the guest is gone; its end follows */
}

static void stdout_fails(struct session *s, int error)
{
	if (error == EPIPE)
		abandon(s, EXIT_SIGNALED + SIGPIPE);
	machine_kill(&s->m);
	die(EXIT_IO, "cannot write standard output: %s", strerror(error));
}

static void to_stdout(struct session *s)
{
	size_t len = s->out.len < PIPE_BUF ? s->out.len : PIPE_BUF;
	ssize_t put = write(STDOUT_FILENO, buf_data(&s->out), len);

	if (put > 0)
		buf_take(&s->out, put);
	else if (put < 0 && errno != EAGAIN && errno != EINTR)
		stdout_fails(s, errno);
}

/* Nobody can be told that standard error fails; what goes there is dropped then. */
static void to_stderr(struct session *s)
{
	size_t len = s->err.len < PIPE_BUF ? s->err.len : PIPE_BUF;
	ssize_t put = write(STDERR_FILENO, buf_data(&s->err), len);

	if (put > 0)
		buf_take(&s->err, put);
	else if (put < 0 && errno != EAGAIN && errno != EINTR)
		buf_take(&s->err, s->err.len);
}

/* ---- the loop ---- */

static short when(bool condition, short events)
{
	return condition ? events : 0;
}

static void arm(struct session *s, struct pollfd p[P_NR])
{
	bool room = s->out.len < BACKLOG_MAX && s->err.len < BACKLOG_MAX;
	bool take_input =
	    s->stdin_open && s->to_guest.len < BACKLOG_MAX && !s->reader.has_status && wire(s) >= 0;
	short wire_events = when(room, POLLIN) | when(s->to_guest.len, POLLOUT);

	p[P_SIGNAL] = (struct pollfd){s->signals, POLLIN, 0};
	p[P_WIRE] = (struct pollfd){wire_events ? s->m.link : -1, wire_events, 0};
	p[P_CONSOLE] = (struct pollfd){s->m.console, POLLIN, 0};
	if (!linked(s)) {
		p[P_WIRE].fd = -1;
		p[P_CONSOLE] = (struct pollfd){wire_events ? s->m.console : -1, wire_events, 0};
	}
	p[P_QEMU] = (struct pollfd){s->m.errors, POLLIN, 0};
	p[P_IN] = (struct pollfd){take_input ? STDIN_FILENO : -1, POLLIN, 0};
	p[P_OUT] = (struct pollfd){s->out.len ? STDOUT_FILENO : -1, POLLOUT, 0};
	p[P_ERR] = (struct pollfd){s->err.len ? STDERR_FILENO : -1, POLLOUT, 0};
}

static void serve(struct session *s, const struct pollfd p[P_NR])
{
	const short in = POLLIN | POLLHUP | POLLERR, out = POLLOUT | POLLERR | POLLHUP;

	if (p[P_SIGNAL].revents & POLLIN)
		from_signals(s);
	if ((p[P_WIRE].revents | (linked(s) ? 0 : p[P_CONSOLE].revents)) & POLLOUT)
		to_wire(s);
	if (p[P_WIRE].revents & in)
		from_link(s);
	if (p[P_CONSOLE].revents & in)
		from_console(s);
	if (p[P_QEMU].revents & in)
		from_qemu(s);
	if (p[P_IN].revents & (in | POLLNVAL))
		from_stdin(s);
	if (p[P_OUT].revents & (out | POLLNVAL))
		to_stdout(s);
	if (p[P_ERR].revents & (out | POLLNVAL))
		to_stderr(s);
}

static bool finished(const struct session *s)
{
	return s->qemu_ended && wire(s) < 0 && s->m.console < 0 && s->m.errors < 0 && !s->out.len &&
	       !s->err.len;
}

/* A machine that does not end although its program has, or that panicked, is ended. */
static void check_deadline(struct session *s)
{
	if (!s->deadline || now() < s->deadline || s->qemu_ended)
		return;
	machine_kill(&s->m);
	s->qemu_ended = true;
	if (!s->panicked)
		fprintf(stderr, "mmkit: the machine did not power off after its program's end\n");
}

static void loop(struct session *s)
{
	struct pollfd p[P_NR];

	while (!finished(s)) {
		arm(s, p);
		if (poll(p, P_NR, s->deadline ? 200 : -1) < 0 && errno != EINTR)
			die(EXIT_MACHINE, "poll: %s", strerror(errno));
		else
			serve(s, p);
		check_deadline(s);
	}
}

/* ---- beginning and end ---- */

static int open_signals(void)
{
	static const int wanted[] = {SIGCHLD, SIGWINCH, SIGCONT, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;
	unsigned int i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* were it ignored, no child could be waited for */
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void open_link(struct session *s)
{
	char terminals[4] = "";
	int fd;

	for (fd = 0; fd < 3; fd++)
		if (isatty(fd))
			strcat(terminals, (const char *[]){"0", "1", "2"}[fd]);
	frame_put_config(&s->to_guest, s->cfg, terminals);
	send_window_size(s);
}

static int open_console_log(void)
{
	const char *path = getenv("MMKIT_CONSOLE");

	if (!path || !*path)
		return -1;
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void machine_failed(struct session *s)
{
	terminal_restore();
	if (s->panicked)
		fprintf(stderr, "mmkit: the guest kernel panicked\n");
	else if (s->qemu_ended && WIFSIGNALED(s->qemu_status))
		fprintf(stderr, "mmkit: QEMU was killed by signal %d\n", WTERMSIG(s->qemu_status));
	else if (WEXITSTATUS(s->qemu_status))
		fprintf(stderr, "mmkit: QEMU could not run the machine (its exit status: %d)\n",
		        WEXITSTATUS(s->qemu_status));
	else
		fprintf(stderr, "mmkit: the machine ended before its program did\n");
	print_tail("QEMU said:", &s->qemu_tail);
	print_tail("The end of the guest's console:", &s->console_tail);
}

static int session_status(struct session *s)
{
	bool qemu_failed = !WIFEXITED(s->qemu_status) || WEXITSTATUS(s->qemu_status);

	terminal_restore();
	if (s->reader.failure)
		fprintf(stderr, "mmkit: %s\n", s->reader.failure);
	if (s->report.len)
		fwrite(buf_data(&s->report), 1, s->report.len, stderr);
	if (s->reader.has_status)
		return s->reader.status & 0xff;
	if (!linked(s) && !qemu_failed && !s->panicked)
		return 0;
	machine_failed(s);
	return EXIT_MACHINE;
}

static void session_free(struct session *s)
{
	close(s->signals);
	if (s->console_log >= 0)
		close(s->console_log);
	free(s->to_guest.bytes);
	free(s->out.bytes);
	free(s->err.bytes);
	free(s->report.bytes);
	free(s->console_tail.bytes);
	free(s->qemu_tail.bytes);
	free(s->reader.small.bytes);
	free(s->reader.failure);
}

int session_run(const struct run_config *cfg)
{
	struct session s = {.cfg = cfg, .stdin_open = true};
	int status;

	s.reader = (struct frame_reader){.out = &s.out, .err = &s.err, .report = &s.report};
	s.signals = open_signals();
	if (s.signals < 0)
		die(EXIT_MACHINE, "signalfd: %s", strerror(errno));
	s.console_log = open_console_log();
	machine_start(&s.m, cfg);
	s.stdin_is_terminal = isatty(STDIN_FILENO);
	if (linked(&s))
		open_link(&s);
	if (s.stdin_is_terminal)
		terminal_raw();
	loop(&s);
	status = session_status(&s);
	session_free(&s);
	return status;
}
