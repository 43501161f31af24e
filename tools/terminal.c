/* SPDX-License-Identifier: MIT */
/*
 * The user's terminal. While a guest program has it, it is raw: every key, Ctrl-C among them,
 * belongs to the guest's own line editing. It is put back on every way out.
 */
#include "run.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static bool is_raw;

void terminal_restore(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	is_raw = false;
}

/* Also called again after a stop: a shell that had the terminal meanwhile may have changed it. */
void terminal_raw(void)
{
	static bool registered;
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	if (!is_raw && tcgetattr(STDIN_FILENO, &saved))
		return;
	if (!registered)
		atexit(terminal_restore);
	registered = true;
	raw = saved;
	cfmakeraw(&raw);
	is_raw = !tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

bool terminal_size(uint16_t *rows, uint16_t *columns)
{
	struct winsize size;
	int fd;

	for (fd = 0; fd < 3; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
			continue;
		*rows = size.ws_row;
		*columns = size.ws_col;
		return true;
	}
	return false;
}
