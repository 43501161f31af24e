/* SPDX-License-Identifier: MIT */
/*
 * The link to the program on the host that started this machine: frames over a virtio console.
 *
 *   u8 type, u24 payload length (little endian), payload
 *
 * The device may be a plain one (QEMU's virtconsole) or, better, a port of a multiport one (QEMU's
 * virtserialport): QEMU throws output away when a virtconsole's other end is slow, and throttles
 * only a virtserialport. Both work here; only the second loses nothing.
 */
#ifndef KERNEL_DRIVERS_HOSTLINK_H
#define KERNEL_DRIVERS_HOSTLINK_H

#include "kernel/lib/types.h"

#define HOSTLINK_CONFIG  'c' /* host to guest */
#define HOSTLINK_STDIN   'i'
#define HOSTLINK_EOF     'e'
#define HOSTLINK_WINSIZE 'w'
#define HOSTLINK_STDOUT  'o' /* guest to host */
#define HOSTLINK_STDERR  'E'
#define HOSTLINK_STATUS  's'
#define HOSTLINK_REPORT  'r'
#define HOSTLINK_FAILED  'x'

struct wait_queue;

bool hostlink_present(void);

/*
 * Waits for the host's configuration. Called once, by kernel_init() or a kernel task.
 * Returns 0, -ENODEV without a link, -EPROTO when the host sent something else first, -E2BIG,
 * -ENOMEM, -EPIPE when the host hung up.
 */
int hostlink_init(void);
/* The payload of the configuration frame: NUL-terminated strings. Valid after hostlink_init(). */
const char *hostlink_config(size_t *len);

/*
 * Sends @n bytes as frames of one type (several when they are many; one empty frame when n is 0).
 * Waits for room in the queue; returns n once all is queued.
 */
size_t hostlink_send(u8 type, const void *buf, size_t n);
/* Waits until the device has taken everything: before the power goes. */
void hostlink_flush(void);

/* What has arrived for standard input; 0 when nothing has (yet: see hostlink_stdin_eof). */
ssize_t hostlink_read_stdin(void *buf, size_t n);
size_t hostlink_stdin_available(void);
/* Nothing more comes and nothing is left. */
bool hostlink_stdin_eof(void);
/* Woken when bytes, the end or a window size arrive. */
struct wait_queue *hostlink_stdin_wait(void);
/* Called from the interrupt for each run of bytes that has come in, and at the end; may be NULL. */
void hostlink_set_notify(void (*fn)(void));

/* Rows and columns as last told; false before. */
bool hostlink_winsize(u16 *rows, u16 *cols);

#endif
