/* SPDX-License-Identifier: MIT */
/*
 * Hostlink: the byte stream between this launcher and the guest kernel.
 *
 * A frame is one type byte, three bytes of payload length (little-endian), and the payload.
 * Payloads of 'o', 'E' and 'r' are passed on as they arrive, so a frame of 16 MiB needs no buffer
 * of 16 MiB and a slow reader of our output slows the guest down rather than filling our memory.
 */
#ifndef MMKIT_TOOLS_LINK_H
#define MMKIT_TOOLS_LINK_H

#include "run.h"

enum frame_type {
	/* host to guest */
	FRAME_CONFIG = 'c',
	FRAME_INPUT = 'i',
	FRAME_INPUT_END = 'e',
	FRAME_WINDOW = 'w',
	/* guest to host */
	FRAME_OUTPUT = 'o',
	FRAME_ERROR = 'E',
	FRAME_STATUS = 's',
	FRAME_REPORT = 'r',
	FRAME_FAILED = 'x',
};

#define FRAME_HEADER 4
#define FRAME_MAX    0xffffffu
#define CONFIG_MAX   (1u << 20) /* the guest's room for a configuration */

/* A queue of bytes; data lies at bytes[start .. start + len). */
struct buf {
	unsigned char *bytes;
	size_t start, len, cap;
};

void buf_put(struct buf *b, const void *data, size_t len);
void buf_take(struct buf *b, size_t len);

static inline const unsigned char *buf_data(const struct buf *b)
{
	return b->bytes + b->start;
}

/* => @len is at most FRAME_MAX */
void frame_put(struct buf *b, enum frame_type type, const void *payload, size_t len);
void frame_put_config(struct buf *b, const struct run_config *cfg, const char *terminals);

/* Where the guest's frames go. */
struct frame_reader {
	unsigned char header[FRAME_HEADER];
	unsigned int have; /* bytes of the header so far */
	uint32_t left;     /* bytes of the payload still to come */
	struct buf *out, *err, *report;
	struct buf small; /* payload of 's' and 'x' */
	bool has_status;
	uint32_t status;
	char *failure; /* text of an 'x' frame */
};

/* false: this is not what a guest of ours would send. */
bool frame_feed(struct frame_reader *r, const unsigned char *data, size_t len);

#endif
