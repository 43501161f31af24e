/* SPDX-License-Identifier: MIT */
/*
 * What a call of the core touches: bytes read and bytes written, by cache line. The core is
 * compiled with -fsanitize=thread, and the functions that the compiler then calls for every access
 * are here, not the sanitizer's. Only memory that is watched is recorded; addresses become offsets,
 * as if the watched pieces lay one behind the other, so that two machines made alike can be
 * compared.
 */
#ifndef RECORDER_H
#define RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_SIZE 64u

struct touched_line {
	uint64_t offset;        /* of its first byte */
	uint64_t read, written; /* a bit for each byte */
};
struct recording {
	size_t nr, max;
	struct touched_line *lines; /* sorted by offset once the recording has ended */
};

/* From now on these pieces are watched; each begins a line. Forgets those before. */
void recorder_forget(void);
void recorder_watch(const void *base, size_t size);
/* All that this thread touches until the end goes into *r, which is empty. One at a time. */
void recorder_begin(struct recording *r);
void recorder_end(void);
void recording_free(struct recording *r);

#endif
