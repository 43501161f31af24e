/* SPDX-License-Identifier: MIT */
/* Numbers and strings into a buffer; see text.h. */
#include "mm/internal.h"
#include "mm/text.h"

void text_begin(struct text *t, char *buf, size_t size)
{
	t->buf = buf;
	t->size = size;
	t->len = 0;
	if (size)
		buf[0] = 0;
}

void text_char(struct text *t, char c)
{
	if (t->len + 1 < t->size) {
		t->buf[t->len] = c;
		t->buf[t->len + 1] = 0;
	}
	t->len++;
}

void text_str(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

static void text_number(struct text *t, uint64_t value, unsigned base, unsigned width)
{
	char digits[24];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n < width && n < sizeof(digits))
		digits[n++] = '0';
	while (n)
		text_char(t, digits[--n]);
}

void text_hex(struct text *t, uint64_t value, unsigned width)
{
	text_number(t, value, 16, width);
}

void text_dec(struct text *t, uint64_t value)
{
	text_number(t, value, 10, 1);
}

void text_int(struct text *t, int64_t value)
{
	if (value < 0)
		text_char(t, '-');
	text_dec(t, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void text_pad(struct text *t, size_t len)
{
	while (t->len < len)
		text_char(t, ' ');
}
