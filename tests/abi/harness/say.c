/* SPDX-License-Identifier: MIT */
/* Saying what was seen. No stdio buffers and no malloc here: they would change what is looked at.
 */
#include "harness.h"

#include <stdarg.h>

static struct origin {
	const char *name;
	uintptr_t start, end;
} origins[32];
static size_t nr_origins;

void abi_say(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDOUT_FILENO, line, n) != n)
		_exit(99);
}

void abi_fail(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	abi_say("cannot go on: %s", text);
	_exit(1);
}

const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "E?";
}

const char *signal_name(int sig)
{
	static char name[16];
	const char *abbrev = sigabbrev_np(sig);

	snprintf(name, sizeof(name), "SIG%s", abbrev ? abbrev : "?");
	return name;
}

long abi_must(const char *what, long r)
{
	if (r == -1)
		abi_fail("%s: %s", what, error_name(errno));
	return r;
}

long abi_ret(const char *what, long r)
{
	int error = errno;

	if (r == -1)
		abi_say("%s = -1 %s", what, error_name(error));
	else
		abi_say("%s = %ld", what, r);
	errno = error;
	return r;
}

void *abi_ptr(const char *what, void *p)
{
	if (p == MAP_FAILED)
		abi_say("%s = -1 %s", what, error_name(errno));
	else
		abi_say("%s = %s", what, abi_where(p));
	return p;
}

/* ---- addresses ---- */

void abi_origin(const char *name, const void *p, size_t size)
{
	if (nr_origins < sizeof(origins) / sizeof(origins[0]))
		origins[nr_origins++] = (struct origin){name, (uintptr_t)p, (uintptr_t)p + size};
}

static const struct origin *find_origin(uintptr_t at)
{
	size_t i = nr_origins;

	while (i--) {
		if (at >= origins[i].start && at < origins[i].end)
			return &origins[i];
	}
	return NULL;
}

const char *abi_where(const void *p)
{
	static char texts[8][64];
	static unsigned int next;
	char *text = texts[next++ % 8];
	const struct origin *o = find_origin((uintptr_t)p);

	if (!p)
		return "0";
	if (!o)
		return "elsewhere";
	if ((uintptr_t)p == o->start)
		return o->name;
	snprintf(text, sizeof(texts[0]), "%s+0x%lx", o->name, (unsigned long)p - o->start);
	return text;
}

/* ---- bytes ---- */

/* Appends to @line, which has @size bytes; returns the new length. */
static size_t append(char *line, size_t size, size_t at, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (at + 1 >= size)
		return at;
	va_start(ap, fmt);
	n = vsnprintf(line + at, size - at, fmt, ap);
	va_end(ap);
	return at + n;
}

void abi_bytes(const char *what, const void *p, size_t n)
{
	const volatile unsigned char *b = p;
	char line[900] = "";
	size_t i, run, at = 0;

	for (i = 0; i < n; i += run) {
		for (run = 1; i + run < n && b[i + run] == b[i]; run++)
			;
		if (run == 1)
			at = append(line, sizeof(line), at, " %02x", b[i]);
		else
			at = append(line, sizeof(line), at, " %02x*%zu", b[i], run);
	}
	abi_say("%s =%s", what, line);
}

void abi_pages(const char *what, const void *p, size_t n)
{
	char line[900] = "";
	size_t i, at = 0;

	for (i = 0; i < n; i++) {
		unsigned char byte;
		struct caught c = try_load((const char *)p + i * page, &byte);

		if (c.sig)
			at = append(line, sizeof(line), at, " %s", signal_name(c.sig));
		else
			at = append(line, sizeof(line), at, " %02x", byte);
	}
	abi_say("%s =%s", what, line);
}
