/* SPDX-License-Identifier: MIT */
/* A program of serve.c at the other end of two pipes, perhaps in a machine of its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/model/peer.h"

#define PATIENCE (20 * 60 * 1000) /* ms: a machine under load is slow, a hang is for ever */

static void close_pipes(struct peer *p)
{
	if (p->to >= 0)
		close(p->to);
	if (p->from >= 0)
		close(p->from);
	p->to = p->from = -1;
}

static void become(struct peer *p, int in, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* a machine does not see that nobody listens */
	dup2(in, 0);
	dup2(out, 1);
	execl("/bin/sh", "sh", "-c", p->command, (char *)NULL);
	_exit(127);
}

bool peer_start(struct peer *p)
{
	int in[2], out[2];
	char line[300];

	p->to = p->from = -1;
	p->used = 0;
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return false;
	p->pid = fork();
	if (!p->pid)
		become(p, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	p->to = in[1];
	p->from = out[0];
	p->alive = p->pid > 0;
	while (peer_line(p, line, sizeof(line)))
		if (strstr(line, "model ready"))
			return true;
	peer_end(p);
	return false;
}

void peer_end(struct peer *p)
{
	int status;

	if (p->pid <= 0)
		return;
	if (p->alive)
		peer_say(p, "quit\n");
	close_pipes(p);
	waitpid(p->pid, &status, 0);
	p->alive = false;
	p->pid = 0;
}

void peer_say(struct peer *p, const char *text)
{
	size_t n = strlen(text);

	while (n && p->alive) {
		ssize_t done = write(p->to, text, n);

		if (done <= 0) {
			p->alive = false;
			return;
		}
		text += done;
		n -= (size_t)done;
	}
}

/* The buffer has a line: take it out. */
static bool take_line(struct peer *p, char *line, size_t size)
{
	char *end = memchr(p->buf, '\n', p->used);
	size_t n, keep;

	if (!end && p->used < sizeof(p->buf))
		return false;
	n = end ? (size_t)(end - p->buf) : p->used;
	keep = n < size - 1 ? n : size - 1;
	memcpy(line, p->buf, keep);
	line[keep] = 0;
	if (keep && line[keep - 1] == '\r')
		line[keep - 1] = 0;
	n += end != NULL;
	p->used -= n;
	memmove(p->buf, p->buf + n, p->used);
	return true;
}

bool peer_line(struct peer *p, char *line, size_t size)
{
	struct pollfd poll_fd = {.fd = p->from, .events = POLLIN};
	ssize_t n;

	while (!take_line(p, line, size)) {
		if (p->from < 0 || poll(&poll_fd, 1, PATIENCE) <= 0) {
			p->alive = false;
			return false;
		}
		n = read(p->from, p->buf + p->used, sizeof(p->buf) - p->used);
		if (n <= 0) {
			p->alive = false;
			return false;
		}
		p->used += (size_t)n;
	}
	return true;
}
