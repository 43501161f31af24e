/* SPDX-License-Identifier: MIT */
/*
 * Frames to and from the host.
 *
 * Receiving: a parser takes the stream as it comes, in pieces of any size. Bytes for standard input
 * go into a ring. Buffers are posted to the device only while the ring could hold all that they may
 * bring, so that nothing is ever dropped and the host feels it when nobody reads.
 *
 * Sending: each buffer of a small pool takes one frame; who finds none free waits.
 */
#include "kernel/drivers/hostlink.h"
#include "kernel/arch/memory.h"
#include "kernel/drivers/hostlink_dev.h"
#include "kernel/irq.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/percpu.h"
#include "kernel/sched/wait.h"

#define HEADER     4
#define RING_SIZE  65536u /* a power of two */
#define NR_RX      8
#define RX_SIZE    4096u
#define NR_TX      8
#define TX_SIZE    8192u
#define CONFIG_MAX (1u << 20)

struct tx_buf {
	struct tx_buf *next;
	char *data;
};

static struct {
	struct spinlock lock; /* all of this; taken inside a queue's poll_lock */
	struct virtq *rx, *tx;

	/* The parser: the header's bytes so far, then what is left of the payload. */
	u8 header[HEADER];
	u32 have;
	u32 left;
	u8 small[HEADER]; /* payload of a window size */
	u32 small_have;

	char *config;
	u32 config_len, config_have;
	int config_state; /* 0: not yet, 1: whole, -errno */

	char *ring;
	u32 head, tail; /* written at head, read at tail; both run on */
	bool eof;
	bool hung_up;
	bool have_winsize;
	u16 rows, cols;

	char *rx_idle[NR_RX]; /* not posted */
	u32 nr_idle;
	u32 posted; /* bytes that may still come into posted buffers */

	struct tx_buf tx_bufs[NR_TX];
	struct tx_buf *tx_free;
	u32 nr_tx_free;
} link;

static struct wait_queue stdin_wait = WAIT_QUEUE_INIT(stdin_wait);
static struct wait_queue tx_wait = WAIT_QUEUE_INIT(tx_wait);
static void (*notify)(void);

/* ---- receiving; all with the lock held ---- */

static u32 ring_used(void)
{
	return link.head - link.tail;
}

static void ring_put(const char *p, u32 n)
{
	while (n) {
		u32 at = link.head % RING_SIZE, k = min(n, RING_SIZE - at);

		memcpy(link.ring + at, p, k);
		link.head += k;
		p += k;
		n -= k;
	}
}

/* Posts idle buffers as far as the ring can take what they bring. */
static void post_buffers(void)
{
	while (link.nr_idle && RING_SIZE - ring_used() - link.posted >= RX_SIZE) {
		char *buf = link.rx_idle[link.nr_idle - 1];
		struct sg in = {buf, RX_SIZE};

		if (virtq_submit(link.rx, NULL, 0, &in, 1, buf))
			return;
		link.nr_idle--;
		link.posted += RX_SIZE;
	}
}

static void begin_config(void)
{
	if (link.config_state || link.config) /* only the first counts */
		return;
	if (link.left > CONFIG_MAX) {
		link.config_state = -E2BIG;
		return;
	}
	link.config = kpages_alloc(link.left / PAGE_SIZE + 1);
	if (!link.config)
		link.config_state = -ENOMEM;
	link.config_len = link.left;
}

static void begin_frame(void)
{
	switch (link.header[0]) {
	case HOSTLINK_CONFIG:
		begin_config();
		break;
	case HOSTLINK_WINSIZE:
		link.small_have = 0;
		break;
	case HOSTLINK_EOF:
		link.eof = true;
		break;
	}
}

static void end_frame(void)
{
	link.have = 0;
	if (link.header[0] == HOSTLINK_CONFIG && !link.config_state)
		link.config_state = 1;
	else if (!link.config_state)
		link.config_state = -EPROTO; /* something else came first */
	if (link.header[0] == HOSTLINK_WINSIZE && link.small_have == 4) {
		link.rows = (u16)(link.small[0] | link.small[1] << 8);
		link.cols = (u16)(link.small[2] | link.small[3] << 8);
		link.have_winsize = true;
	}
}

static void take_payload(const char *p, u32 n)
{
	u32 k;

	switch (link.header[0]) {
	case HOSTLINK_CONFIG:
		if (link.config_state)
			break;
		memcpy(link.config + link.config_have, p, n);
		link.config_have += n;
		break;
	case HOSTLINK_STDIN:
		if (!link.eof)
			ring_put(p, n);
		break;
	case HOSTLINK_WINSIZE:
		k = min(n, HEADER - link.small_have);
		memcpy(link.small + link.small_have, p, k);
		link.small_have += k;
		break;
	}
}

static void parse(const char *p, u32 n)
{
	while (n) {
		u32 k;

		if (link.have < HEADER) {
			link.header[link.have++] = (u8)*p++;
			n--;
			if (link.have < HEADER)
				continue;
			link.left = link.header[1] | link.header[2] << 8 | link.header[3] << 16;
			begin_frame();
		} else {
			k = min(n, link.left);
			take_payload(p, k);
			p += k;
			n -= k;
			link.left -= k;
		}
		if (!link.left)
			end_frame();
	}
}

static void tell_reader(void)
{
	wake_up_all(&stdin_wait);
	if (notify)
		notify();
}

void hostlink_received(void *cookie, u32 len)
{
	unsigned long flags = spin_lock_irqsave(&link.lock);

	link.posted -= RX_SIZE;
	parse(cookie, min(len, RX_SIZE));
	link.rx_idle[link.nr_idle++] = cookie;
	post_buffers();
	spin_unlock_irqrestore(&link.lock, flags);
	tell_reader();
}

void hostlink_hung_up(void)
{
	unsigned long flags = spin_lock_irqsave(&link.lock);

	link.hung_up = true;
	link.eof = true;
	if (!link.config_state)
		link.config_state = -EPIPE;
	spin_unlock_irqrestore(&link.lock, flags);
	tell_reader();
}

/* ---- the reader ---- */

size_t hostlink_stdin_available(void)
{
	unsigned long flags = spin_lock_irqsave(&link.lock);
	u32 n = ring_used();

	spin_unlock_irqrestore(&link.lock, flags);
	return n;
}

bool hostlink_stdin_eof(void)
{
	unsigned long flags = spin_lock_irqsave(&link.lock);
	bool end = link.eof && !ring_used();

	spin_unlock_irqrestore(&link.lock, flags);
	return end;
}

ssize_t hostlink_read_stdin(void *buf, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&link.lock);
	size_t done = 0;

	n = min(n, (size_t)ring_used());
	while (done < n) {
		u32 at = link.tail % RING_SIZE;
		u32 k = (u32)min(n - done, (size_t)(RING_SIZE - at));

		memcpy((char *)buf + done, link.ring + at, k);
		link.tail += k;
		done += k;
	}
	if (done)
		post_buffers();
	spin_unlock_irqrestore(&link.lock, flags);
	return (ssize_t)done;
}

struct wait_queue *hostlink_stdin_wait(void)
{
	return &stdin_wait;
}

void hostlink_set_notify(void (*fn)(void))
{
	notify = fn;
}

bool hostlink_winsize(u16 *rows, u16 *cols)
{
	unsigned long flags = spin_lock_irqsave(&link.lock);
	bool have = link.have_winsize;

	*rows = link.rows;
	*cols = link.cols;
	spin_unlock_irqrestore(&link.lock, flags);
	return have;
}

/* ---- sending ---- */

void hostlink_sent(void *cookie, u32 len)
{
	struct tx_buf *b = cookie;
	unsigned long flags = spin_lock_irqsave(&link.lock);

	b->next = link.tx_free;
	link.tx_free = b;
	link.nr_tx_free++;
	spin_unlock_irqrestore(&link.lock, flags);
	wake_up_all(&tx_wait);
}

static struct tx_buf *tx_take(void)
{
	unsigned long flags = spin_lock_irqsave(&link.lock);
	struct tx_buf *b = link.tx_free;

	if (b) {
		link.tx_free = b->next;
		link.nr_tx_free--;
	}
	spin_unlock_irqrestore(&link.lock, flags);
	return b;
}

static bool may_sleep(void)
{
	return drivers_may_sleep && !in_interrupt() && !irqs_disabled();
}

static struct tx_buf *tx_take_wait(void)
{
	struct tx_buf *b;

	while (!(b = tx_take())) {
		if (may_sleep())
			wait_event(&tx_wait, READ_ONCE(link.nr_tx_free));
		else
			virtq_poll(link.tx);
	}
	return b;
}

static void send_frame(u8 type, const void *p, size_t n)
{
	struct tx_buf *b = tx_take_wait();
	struct sg out = {b->data, HEADER + n};

	b->data[0] = (char)type;
	b->data[1] = (char)n;
	b->data[2] = (char)(n >> 8);
	b->data[3] = (char)(n >> 16);
	memcpy(b->data + HEADER, p, n);
	/* The queue has at least as many descriptors as there are buffers. */
	if (virtq_submit(link.tx, &out, 1, NULL, 0, b))
		hostlink_sent(b, 0);
}

size_t hostlink_send(u8 type, const void *buf, size_t n)
{
	size_t done = 0;

	if (!link.tx)
		return 0;
	do {
		size_t k = min(n - done, (size_t)(TX_SIZE - HEADER));

		send_frame(type, (const char *)buf + done, k);
		done += k;
	} while (done < n);
	return n;
}

void hostlink_flush(void)
{
	while (link.tx && READ_ONCE(link.nr_tx_free) < NR_TX) {
		if (may_sleep())
			wait_event(&tx_wait, READ_ONCE(link.nr_tx_free) == NR_TX);
		else
			virtq_poll(link.tx);
	}
}

/* ---- the beginning ---- */

bool hostlink_present(void)
{
	return link.rx != NULL;
}

static bool make_buffers(void)
{
	char *rx = kpages_alloc(NR_RX * RX_SIZE / PAGE_SIZE);
	char *tx = kpages_alloc(NR_TX * TX_SIZE / PAGE_SIZE);
	u32 i;

	link.ring = kpages_alloc(RING_SIZE / PAGE_SIZE);
	if (!rx || !tx || !link.ring) {
		kpages_free(rx, NR_RX * RX_SIZE / PAGE_SIZE);
		kpages_free(tx, NR_TX * TX_SIZE / PAGE_SIZE);
		kpages_free(link.ring, RING_SIZE / PAGE_SIZE);
		return false;
	}
	for (i = 0; i < NR_RX; i++)
		link.rx_idle[link.nr_idle++] = rx + i * RX_SIZE;
	for (i = 0; i < NR_TX; i++) {
		link.tx_bufs[i].data = tx + i * TX_SIZE;
		link.tx_bufs[i].next = link.tx_free;
		link.tx_free = &link.tx_bufs[i];
		link.nr_tx_free++;
	}
	return true;
}

void hostlink_attach(struct virtq *rx, struct virtq *tx)
{
	unsigned long flags;

	if (!make_buffers()) {
		pr_err("hostlink: no memory\n");
		return;
	}
	flags = spin_lock_irqsave(&link.lock);
	link.rx = rx;
	link.tx = tx;
	post_buffers();
	spin_unlock_irqrestore(&link.lock, flags);
}

int hostlink_init(void)
{
	if (!link.rx)
		return -ENODEV;
	while (!READ_ONCE(link.config_state)) {
		if (may_sleep())
			wait_event(&stdin_wait, READ_ONCE(link.config_state));
		else
			virtq_poll(link.rx);
	}
	return link.config_state < 0 ? link.config_state : 0;
}

const char *hostlink_config(size_t *len)
{
	*len = link.config_state == 1 ? link.config_len : 0;
	return link.config_state == 1 ? link.config : NULL;
}
