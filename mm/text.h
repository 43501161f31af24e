/* SPDX-License-Identifier: MIT */
/*
 * Text without libc: a buffer that is filled piece by piece. What does not fit is dropped but
 * counted, so that the length follows snprintf's rule; the buffer always ends with NUL when it has
 * any room.
 */
#ifndef MM_TEXT_H
#define MM_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char *buf;
	size_t size; /* bytes of buf, the NUL included */
	size_t len;  /* characters so far, also those that did not fit */
};

void text_begin(struct text *t, char *buf, size_t size);
void text_char(struct text *t, char c);
void text_str(struct text *t, const char *s);
/* Lower-case hexadecimal without 0x, at least `width` digits. */
void text_hex(struct text *t, uint64_t value, unsigned width);
void text_dec(struct text *t, uint64_t value);
/* Signed. */
void text_int(struct text *t, int64_t value);
/* Spaces up to column `len`. */
void text_pad(struct text *t, size_t len);

#endif
