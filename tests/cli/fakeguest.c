/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for QEMU with the guest in it, so that the launcher can be tested without either: it
 * takes QEMU's command line, finds the link in it, and speaks the guest's side of the frames. The
 * program that the configuration names is run on the host, by argv.
 *
 * FAKEGUEST in the environment makes it misbehave: config, panic, die, junk, hang, refuse.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 256

static int link_fd = -1, console_fd = -1;
static char *args[MAX_WORDS + 1];
static unsigned int nr_args;

static void find_wires(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		sscanf(argv[i], "socket,id=link,fd=%d", &link_fd);
		sscanf(argv[i], "socket,id=console,fd=%d", &console_fd);
	}
	if (link_fd < 0 || console_fd < 0) {
		fprintf(stderr, "fakeguest: no link on the command line\n");
		exit(1);
	}
}

static void read_all(int fd, void *data, size_t len)
{
	char *p = data;

	while (len) {
		ssize_t got = read(fd, p, len);

		if (got <= 0)
			exit(3);
		p += got;
		len -= got;
	}
}

static void write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t put = write(fd, p, len);

		if (put <= 0)
			exit(4);
		p += put;
		len -= put;
	}
}

static uint32_t read_header(char *type)
{
	unsigned char h[4];

	read_all(link_fd, h, sizeof(h));
	*type = h[0];
	return h[1] | h[2] << 8 | (uint32_t)h[3] << 16;
}

static void send_frame(char type, const void *data, uint32_t len)
{
	unsigned char h[4] = {type, len & 0xff, len >> 8 & 0xff, len >> 16 & 0xff};

	write_all(link_fd, h, sizeof(h));
	write_all(link_fd, data, len);
}

/* FAKEGUEST=config: the configuration is the program's output, a line for each string. */
static void show_config(const char *text)
{
	const char *how = getenv("FAKEGUEST");

	if (!how || strcmp(how, "config"))
		return;
	send_frame('o', text, strlen(text));
	send_frame('o', "\n", 1);
}

static void read_config(void)
{
	char type, *text, *p;
	uint32_t len = read_header(&type);

	if (type != 'c')
		exit(5);
	text = malloc(len + 1);
	read_all(link_fd, text, len);
	text[len] = '\0';
	for (p = text; p < text + len; p += strlen(p) + 1) {
		show_config(p);
		if (*p == 'a' && nr_args < MAX_WORDS)
			args[nr_args++] = p + 1;
	}
	args[nr_args] = NULL;
}

static void misbehave(const char *how)
{
	static const char panic[] = "line one\r\nKernel panic - not syncing: test\r\n";
	unsigned char status[4] = {127, 0, 0, 0}, zero[4] = {0};

	if (!strcmp(how, "config")) {
		send_frame('s', zero, 4);
		exit(0);
	} else if (!strcmp(how, "panic")) {
		write_all(console_fd, panic, sizeof(panic) - 1);
		pause();
	} else if (!strcmp(how, "die")) {
		write_all(console_fd, panic, 10);
		exit(1);
	} else if (!strcmp(how, "junk")) {
		write_all(link_fd, "hello, world", 12);
		pause();
	} else if (!strcmp(how, "hang")) {
		pause();
	} else if (!strcmp(how, "refuse")) {
		send_frame('x', "prog: Exec format error", 23);
		send_frame('s', status, 4);
		exit(0);
	}
}

struct child {
	pid_t pid;
	int in, out, err;
};

static void start(struct child *c)
{
	int in[2], out[2], err[2];

	if (pipe(in) || pipe(out) || pipe(err))
		exit(6);
	c->pid = fork();
	if (!c->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		close(in[1]);
		close(out[0]);
		close(err[0]);
		execvp(args[0], args);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
}

static void stop_input(struct child *c)
{
	close(c->in);
	c->in = -1;
}

/* A program need not read its input, nor all of it. */
static void feed(struct child *c, const char *data, size_t len)
{
	while (len && c->in >= 0) {
		ssize_t put = write(c->in, data, len);

		if (put < 0)
			stop_input(c);
		data += put;
		len -= put;
	}
}

static void take_input(struct child *c)
{
	static char data[1 << 20];
	char type;
	uint32_t len = read_header(&type);

	read_all(link_fd, data, len);
	if (type == 'i' && c->in >= 0)
		feed(c, data, len);
	if (type == 'e' && c->in >= 0)
		stop_input(c);
}

static void pass_output(int *fd, char type)
{
	char data[20000];
	ssize_t got = read(*fd, data, sizeof(data));

	if (got > 0) {
		send_frame(type, data, got);
		return;
	}
	close(*fd);
	*fd = -1;
}

static void serve(struct child *c)
{
	while (c->out >= 0 || c->err >= 0) {
		struct pollfd p[] = {
		    {link_fd, POLLIN, 0}, {c->out, POLLIN, 0}, {c->err, POLLIN, 0}};

		poll(p, 3, -1);
		if (p[1].revents)
			pass_output(&c->out, 'o');
		if (p[2].revents)
			pass_output(&c->err, 'E');
		if (p[0].revents && !p[1].revents && !p[2].revents)
			take_input(c);
	}
}

int main(int argc, char **argv)
{
	const char *how = getenv("FAKEGUEST");
	unsigned char status[4] = {0};
	struct child c;
	int code;

	signal(SIGPIPE, SIG_IGN);
	find_wires(argc, argv);
	read_config();
	if (how)
		misbehave(how);
	start(&c);
	serve(&c);
	waitpid(c.pid, &code, 0);
	status[0] = WIFEXITED(code) ? WEXITSTATUS(code) : 128 + WTERMSIG(code);
	send_frame('s', status, 4);
	return 0;
}
