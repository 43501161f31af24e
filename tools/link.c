/* SPDX-License-Identifier: MIT */
/* Hostlink: building frames for the guest, taking the guest's apart. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

void buf_put(struct buf *b, const void *data, size_t len)
{
	if (b->start + b->len + len > b->cap && b->start) {
		memmove(b->bytes, b->bytes + b->start, b->len);
		b->start = 0;
	}
	if (b->len + len > b->cap) {
		b->cap = (b->len + len) * 2;
		b->bytes = xrealloc(b->bytes, b->cap);
	}
	if (len)
		memcpy(b->bytes + b->start + b->len, data, len);
	b->len += len;
}

void buf_take(struct buf *b, size_t len)
{
	b->start += len;
	b->len -= len;
	if (!b->len)
		b->start = 0;
}

void frame_put(struct buf *b, enum frame_type type, const void *payload, size_t len)
{
	unsigned char header[FRAME_HEADER] = {type, len & 0xff, len >> 8 & 0xff, len >> 16 & 0xff};

	buf_put(b, header, sizeof(header));
	buf_put(b, payload, len);
}

static void put_string(struct buf *b, char what, const char *text)
{
	buf_put(b, &what, 1);
	buf_put(b, text, strlen(text) + 1);
}

static void put_environment(struct buf *b, const struct run_config *cfg, bool on_terminal)
{
	const char *term = getenv("TERM");
	char *path = xprintf("PATH=%s", cfg->guest_path);

	put_string(b, 'v', path);
	put_string(b, 'v', "HOME=/root");
	free(path);
	if (on_terminal && term && *term) {
		char *text = xprintf("TERM=%s", term);

		put_string(b, 'v', text);
		free(text);
	}
}

void frame_put_config(struct buf *b, const struct run_config *cfg, const char *terminals)
{
	struct buf text = {0};
	unsigned int i;

	put_string(&text, 'p', cfg->guest_program);
	for (i = 0; cfg->argv[i]; i++)
		put_string(&text, 'a', cfg->argv[i]);
	put_environment(&text, cfg, *terminals);
	put_string(&text, 'd', cfg->guest_cwd);
	put_string(&text, 't', terminals);
	if (cfg->report)
		put_string(&text, 'r', "");
	/* shares[0] is the root, which the kernel's command line names */
	for (i = 1; i < cfg->nr_shares; i++) {
		char *mount = xprintf("%s=%s", cfg->shares[i].tag, cfg->shares[i].guest_path);

		put_string(&text, 'm', mount);
		free(mount);
	}
	if (text.len > CONFIG_MAX)
		die(EXIT_BAD_CALL, "the arguments are %zu bytes long; the guest takes at most %u",
		    text.len, CONFIG_MAX);
	frame_put(b, FRAME_CONFIG, text.bytes, text.len);
	free(text.bytes);
}

static uint32_t payload_length(const struct frame_reader *r)
{
	return r->header[1] | r->header[2] << 8 | (uint32_t)r->header[3] << 16;
}

/* The header is complete: is it one that a guest sends? */
static bool frame_begin(struct frame_reader *r)
{
	r->left = payload_length(r);
	r->small.len = r->small.start = 0;
	switch (r->header[0]) {
	case FRAME_OUTPUT:
	case FRAME_ERROR:
	case FRAME_REPORT:
		return true;
	case FRAME_STATUS:
		return r->left == 4;
	case FRAME_FAILED:
		return r->left <= 64 * 1024;
	default:
		return false;
	}
}

static void frame_payload(struct frame_reader *r, const unsigned char *data, size_t len)
{
	switch (r->header[0]) {
	case FRAME_OUTPUT:
		buf_put(r->out, data, len);
		break;
	case FRAME_ERROR:
		buf_put(r->err, data, len);
		break;
	case FRAME_REPORT:
		buf_put(r->report, data, len);
		break;
	default:
		buf_put(&r->small, data, len);
		break;
	}
}

static void frame_end(struct frame_reader *r)
{
	const unsigned char *p = buf_data(&r->small);

	r->have = 0;
	if (r->header[0] == FRAME_STATUS) {
		r->has_status = true;
		r->status = p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
	} else if (r->header[0] == FRAME_FAILED && !r->failure) {
		r->failure =
		    xprintf("%.*s", (int)r->small.len, r->small.len ? (const char *)p : "");
	}
}

bool frame_feed(struct frame_reader *r, const unsigned char *data, size_t len)
{
	while (len) {
		size_t part;

		if (r->have < FRAME_HEADER) {
			r->header[r->have++] = *data++;
			len--;
			if (r->have < FRAME_HEADER)
				continue;
			if (!frame_begin(r))
				return false;
		}
		part = len < r->left ? len : r->left;
		frame_payload(r, data, part);
		data += part;
		len -= part;
		r->left -= part;
		if (!r->left)
			frame_end(r);
	}
	return true;
}
