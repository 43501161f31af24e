/* SPDX-License-Identifier: MIT */
/*
 * virtio console (OASIS virtio 1.1, section 5.3), as far as the host link needs one: a single
 * stream. With MULTIPORT the device first tells over a control queue which ports it has, and waits
 * to be told that one is open; we take the first. Without, queues 0 and 1 are the stream.
 */
#include "kernel/arch/memory.h"
#include "kernel/clock.h"
#include "kernel/drivers/hostlink_dev.h"
#include "kernel/drivers/virtio.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"

#define CONSOLE_F_MULTIPORT (1ull << 1)

enum { DEVICE_READY = 0, PORT_ADD = 1, PORT_READY = 3, PORT_OPEN = 6 };

#define CONTROL_RX 2
#define CONTROL_TX 3
#define NR_PORTS   2 /* as many as we look at: ports 0 and 1 */

#define CONTROL_BUFS      16
#define CONTROL_BUF_SIZE  128 /* a port's name may follow the message */
#define PORTS_PATIENCE_NS (50 * 1000000ull)

struct control_msg {
	u32 port;
	u16 event;
	u16 value;
};

static struct {
	struct virtio_dev *dev;
	char *rx_bufs;
	struct control_msg *tx_msgs; /* CONTROL_BUFS of them, used in turn */
	u32 tx_next;
	struct virtq *rx[NR_PORTS], *tx[NR_PORTS];
	int port; /* the stream; -1: none yet */
} con = {.port = -1};

static void control_send(u32 port, u16 event, u16 value)
{
	struct control_msg *m = &con.tx_msgs[con.tx_next++ % CONTROL_BUFS];
	struct sg out = {m, sizeof(*m)};

	*m = (struct control_msg){port, event, value};
	if (virtq_submit(con.dev->vq[CONTROL_TX], &out, 1, NULL, 0, m))
		pr_warn("virtio console: control message %u lost\n", event);
}

static void control_sent(void *cookie, u32 len)
{
}

static void control_post(char *buf)
{
	struct sg in = {buf, CONTROL_BUF_SIZE};

	virtq_submit(con.dev->vq[CONTROL_RX], NULL, 0, &in, 1, buf);
}

static void port_added(u32 port)
{
	if (con.port >= 0 || port >= NR_PORTS || !con.rx[port]) {
		control_send(port, PORT_READY, 0);
		return;
	}
	con.port = (int)port;
	control_send(port, PORT_READY, 1);
	hostlink_attach(con.rx[port], con.tx[port]);
	control_send(port, PORT_OPEN, 1);
}

static void control_received(void *cookie, u32 len)
{
	const struct control_msg *m = cookie;

	if (len >= sizeof(*m)) {
		if (m->event == PORT_ADD)
			port_added(m->port);
		else if (m->event == PORT_OPEN && (int)m->port == con.port && !m->value)
			hostlink_hung_up();
	}
	control_post(cookie);
}

static void poll_control(void)
{
	virtq_poll(con.dev->vq[CONTROL_RX]);
	virtq_poll(con.dev->vq[CONTROL_TX]);
}

/* The ports are known at once where the device lives in the same machine; a little patience costs
 * little. */
static void find_ports(void)
{
	u64 give_up = clock_ns() + PORTS_PATIENCE_NS;
	u32 i;

	for (i = 0; i < CONTROL_BUFS; i++)
		control_post(con.rx_bufs + i * CONTROL_BUF_SIZE);
	control_send(0, DEVICE_READY, 1);
	do
		poll_control();
	while (con.port < 0 && clock_ns() < give_up);
}

static int add_port(u32 port, u32 first_queue)
{
	con.rx[port] = virtio_add_queue(con.dev, first_queue, hostlink_received);
	con.tx[port] = virtio_add_queue(con.dev, first_queue + 1, hostlink_sent);
	return con.rx[port] && con.tx[port] ? 0 : -ENOMEM;
}

static int add_control(void)
{
	con.rx_bufs = kpages_alloc(1);
	con.tx_msgs = (struct control_msg *)(con.rx_bufs + CONTROL_BUFS * CONTROL_BUF_SIZE);
	if (!con.rx_bufs || !virtio_add_queue(con.dev, CONTROL_RX, control_received) ||
	    !virtio_add_queue(con.dev, CONTROL_TX, control_sent))
		return -ENOMEM;
	/* Port 1 is there where the device can have more than one. */
	if (virtio_config32(con.dev, 4) > 1)
		return add_port(1, 4);
	return 0;
}

int virtio_console_probe(struct virtio_dev *dev)
{
	bool multiport;
	int err;

	if (con.dev)
		return -ENODEV;
	err = virtio_negotiate(dev, CONSOLE_F_MULTIPORT);
	if (err)
		return err;
	con.dev = dev;
	multiport = dev->features & CONSOLE_F_MULTIPORT;
	err = add_port(0, 0);
	if (!err && multiport)
		err = add_control();
	if (err)
		return err;
	virtio_start(dev);
	if (multiport)
		find_ports();
	else
		hostlink_attach(con.rx[0], con.tx[0]);
	return 0;
}
