/* SPDX-License-Identifier: MIT */
/* `mmkit run`, the part in C: reads the call, checks it, boots, and ends as the program ended. */
#define _GNU_SOURCE
#include "run.h"
#include "tour_host.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void die(int status, const char *fmt, ...)
{
	va_list args;

	terminal_restore();
	fflush(stdout);
	fputs("mmkit: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size);

	if (!p)
		die(EXIT_MACHINE, "out of memory");
	return p;
}

char *xprintf(const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		die(EXIT_MACHINE, "out of memory");
	return text;
}

/* A caller may have closed 0, 1 or 2; sockets of ours must not land there. */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

int main(int argc, char **argv)
{
	struct run_config cfg;

	fill_standard_fds();
	options_parse(&cfg, argc, argv);
	if (!cfg.kernel || !cfg.tree)
		die(EXIT_BAD_CALL, "--kernel or --tree is missing; start this as ./mmkit run");
	if (cfg.initrd)
		return session_run(&cfg);
	if (!cfg.argv[0])
		return tour_run(&cfg);
	program_place(&cfg);
	return session_run(&cfg);
}
