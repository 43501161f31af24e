/* SPDX-License-Identifier: MIT */
/*
 * socketpair(2) of AF_UNIX: stream, datagram and seqpacket. That is all there is of sockets: no
 * address family can be had from socket(2) (EAFNOSUPPORT), so bind, listen and connect have nothing
 * to do but to say so.
 */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

#define AF_UNIX        1
#define SOCK_STREAM    1u
#define SOCK_DGRAM     2u
#define SOCK_SEQPACKET 5u
#define SOCK_TYPE_MASK 15u
#define MSG_PEEK       0x2u
#define MSG_TRUNC      0x20u
#define MSG_DONTWAIT   0x40u
#define MSG_WAITALL    0x100u
#define MSG_NOSIGNAL   0x4000u
#define SOCK_ROOM      212992u /* bytes on their way to one end */
#define SOCK_CHUNK     65536u

struct message {
	struct list_head node;
	size_t len, off;
	char data[];
};

struct sock_end {
	struct list_head queue; /* what has been sent to this end */
	size_t queued;
	struct wait_queue wq; /* readers of this end, and writers to it */
	bool closed, no_read, no_write;
};

/* Both ends, and one lock: they live and die together. */
struct sock_pair {
	u32 refs; /* [A] */
	u32 type;
	struct spinlock lock; /* of all below */
	struct sock_end end[2];
};

/* A file's private pointer is the pair; its position says which end it is. */
static struct sock_end *end_of(struct file *f, bool peer)
{
	struct sock_pair *p = f->priv;

	return &p->end[f->pos ^ peer];
}

static void changed(struct sock_end *e)
{
	wake_up_all(&e->wq);
	poll_notify();
}

/* ------------------------------------------------------------------ receiving */

/* Bytes of one message (a stream: of as many as fit). lock is held. *full: what the first one has.
 */
static size_t take(struct sock_pair *p, struct sock_end *e, char *buf, size_t n, bool peek,
                   size_t *full, struct list_head *done)
{
	struct message *m, *tmp;
	size_t got = 0;

	list_for_each_entry_safe(m, tmp, &e->queue, node)
	{
		size_t k = min(n - got, m->len - m->off);

		memcpy(buf + got, m->data + m->off, k);
		got += k;
		if (p->type != SOCK_STREAM)
			*full = m->len;
		if (!peek) {
			m->off += k;
			if (p->type != SOCK_STREAM || m->off == m->len) {
				list_del(&m->node);
				list_add_tail(&m->node, done);
				e->queued -= m->len;
			}
		}
		if (p->type != SOCK_STREAM || got == n)
			break;
	}
	return got;
}

static void free_messages(struct list_head *list)
{
	while (!list_empty(list)) {
		struct message *m = list_first_entry(list, struct message, node);

		list_del(&m->node);
		fs_free(m);
	}
}

static bool at_end(struct file *f)
{
	struct sock_end *peer = end_of(f, true), *me = end_of(f, false);

	return READ_ONCE(peer->closed) || READ_ONCE(peer->no_write) || READ_ONCE(me->no_read);
}

static ssize_t receive(struct file *f, void *buf, size_t n, u32 flags, size_t *full)
{
	struct sock_pair *p = f->priv;
	struct sock_end *me = end_of(f, false);
	LIST_HEAD(done);
	long err;

	for (;;) {
		bool any;
		size_t got = 0;

		spin_lock(&p->lock);
		any = !list_empty(&me->queue);
		if (any)
			got = take(p, me, buf, n, (flags & MSG_PEEK) != 0, full, &done);
		spin_unlock(&p->lock);
		if (any) {
			if (!list_empty(&done))
				changed(me);
			free_messages(&done);
			return (ssize_t)got;
		}
		if (at_end(f) && p->type != SOCK_DGRAM)
			return 0;
		if ((f->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT))
			return -EAGAIN;
		err = wait_event_interruptible(&me->wq, !list_empty(&me->queue) || at_end(f));
		if (err)
			return err;
		if (at_end(f) && list_empty(&me->queue))
			return 0;
	}
}

static ssize_t sock_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	size_t full;

	return receive(f, buf, n, 0, &full);
}

/* ------------------------------------------------------------------ sending */

static int can_send(struct file *f)
{
	struct sock_end *me = end_of(f, false), *peer = end_of(f, true);

	if (READ_ONCE(me->no_write))
		return -EPIPE;
	if (READ_ONCE(peer->closed))
		return ((struct sock_pair *)f->priv)->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
	return READ_ONCE(peer->no_read) ? -EPIPE : 0;
}

/* One message; a stream's is at most SOCK_CHUNK. */
static int send_one(struct file *f, const void *buf, size_t n, u32 flags)
{
	struct sock_pair *p = f->priv;
	struct sock_end *peer = end_of(f, true);
	struct message *m = fs_alloc_buf(sizeof(*m) + n);
	int err;

	if (!m)
		return -ENOMEM;
	m->len = n;
	m->off = 0;
	memcpy(m->data, buf, n);
	for (;;) {
		bool sent = false;

		err = can_send(f);
		if (err)
			break;
		spin_lock(&p->lock);
		if (!peer->queued || peer->queued + n <= SOCK_ROOM) {
			list_add_tail(&m->node, &peer->queue);
			peer->queued += n;
			sent = true;
		}
		spin_unlock(&p->lock);
		if (sent) {
			changed(peer);
			return 0;
		}
		err = -EAGAIN;
		if ((f->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT))
			break;
		err = (int)wait_event_interruptible(
		    &peer->wq, READ_ONCE(peer->queued) + n <= SOCK_ROOM || can_send(f));
		if (err)
			break;
	}
	fs_free(m);
	return err;
}

static ssize_t transmit(struct file *f, const char *buf, size_t n, u32 flags)
{
	struct sock_pair *p = f->priv;
	size_t done = 0;
	int err = 0;

	if (p->type != SOCK_STREAM) {
		if (n > SOCK_CHUNK)
			return -EMSGSIZE;
		err = send_one(f, buf, n, flags);
		done = err ? 0 : n;
	}
	while (p->type == SOCK_STREAM && done < n && !err) {
		size_t k = min(n - done, (size_t)SOCK_CHUNK);

		err = send_one(f, buf + done, k, flags);
		if (!err)
			done += k;
	}
	if (err == -EPIPE && !done && !(flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current);
	return err && !done ? err : (ssize_t)done;
}

static ssize_t sock_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	return transmit(f, buf, n, 0);
}

/* ------------------------------------------------------------------ the file */

static u32 sock_poll(struct file *f)
{
	struct sock_end *me = end_of(f, false), *peer = end_of(f, true);
	u32 events = 0;

	if (!list_empty(&me->queue) || at_end(f))
		events |= POLLIN | POLLRDNORM;
	if (at_end(f))
		events |= POLLRDHUP;
	if (READ_ONCE(peer->closed))
		events |= POLLHUP;
	if (can_send(f) || READ_ONCE(peer->queued) < SOCK_ROOM)
		events |= POLLOUT | POLLWRNORM;
	return events;
}

static long sock_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct sock_pair *p = f->priv;
	struct sock_end *me = end_of(f, false);
	struct message *m;
	int n = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	spin_lock(&p->lock);
	list_for_each_entry(m, &me->queue, node)
	{
		n += (int)(m->len - m->off);
		if (p->type != SOCK_STREAM)
			break;
	}
	spin_unlock(&p->lock);
	return put_user(n, int, arg);
}

static void sock_release(struct file *f)
{
	struct sock_pair *p = f->priv;
	struct sock_end *me = end_of(f, false), *peer = end_of(f, true);

	spin_lock(&p->lock);
	me->closed = true;
	spin_unlock(&p->lock);
	changed(me);
	changed(peer);
	if (!ref_put(&p->refs))
		return;
	free_messages(&me->queue);
	free_messages(&peer->queue);
	fs_free(p);
}

const struct file_ops socket_file_ops = {
    .flags = FOP_STREAM,
    .read = sock_read,
    .write = sock_write,
    .poll = sock_poll,
    .ioctl = sock_ioctl,
    .release = sock_release,
};

/* ------------------------------------------------------------------ the calls */

static struct sock_pair *pair_alloc(u32 type)
{
	struct sock_pair *p = fs_zalloc(sizeof(*p));
	unsigned i;

	if (!p)
		return NULL;
	p->refs = 2;
	p->type = type;
	spin_init(&p->lock);
	for (i = 0; i < 2; i++) {
		list_init(&p->end[i].queue);
		wait_queue_init(&p->end[i].wq);
	}
	return p;
}

static int pair_files(struct sock_pair *p, u32 flags, struct file *f[2])
{
	int err;

	err = anon_file("socket", S_IFSOCK | 0777, &socket_file_ops, p, O_RDWR | flags, &f[0]);
	if (err) {
		fs_free(p);
		return err;
	}
	err = anon_file("socket", S_IFSOCK | 0777, &socket_file_ops, p, O_RDWR | flags, &f[1]);
	if (err) {
		p->refs = 1;
		fput(f[0]);
		return err;
	}
	f[1]->pos = 1;
	return 0;
}

static int check_type(u64 family, u64 type, u64 protocol)
{
	u32 t = (u32)type & SOCK_TYPE_MASK;

	if (type & ~(u64)(SOCK_TYPE_MASK | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	if (family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	return t == SOCK_STREAM || t == SOCK_DGRAM || t == SOCK_SEQPACKET ? 0 : -ESOCKTNOSUPPORT;
}

long sys_socketpair(u64 family, u64 type, u64 protocol, u64 ufds)
{
	struct sock_pair *p;
	struct file *f[2];
	int fds[2], err = check_type(family, type, protocol);

	if (err)
		return err;
	p = pair_alloc((u32)type & SOCK_TYPE_MASK);
	if (!p)
		return -ENOMEM;
	err = pair_files(p, (u32)type & O_NONBLOCK, f);
	if (err)
		return err;
	fds[0] = fd_new(f[0], (u32)type);
	if (fds[0] < 0) {
		fput(f[1]);
		return fds[0];
	}
	fds[1] = fd_new(f[1], (u32)type);
	if (fds[1] >= 0 && !copy_to_user(ufds, fds, sizeof(fds)))
		return 0;
	fd_close(fds[0]);
	if (fds[1] < 0)
		return fds[1];
	fd_close(fds[1]);
	return -EFAULT;
}

long sys_socket(u64 family, u64 type, u64 protocol)
{
	return -EAFNOSUPPORT;
}

/* The file of a socket; -EBADF, -ENOTSOCK. */
static int sock_get(u64 fd, struct file **out)
{
	struct file *f = fget((int)fd);

	if (!f)
		return -EBADF;
	if (f->fop != &socket_file_ops) {
		fput(f);
		return -ENOTSOCK;
	}
	*out = f;
	return 0;
}

/* What a pair cannot do answers the same for each end. */
static long refuse(u64 fd, long err)
{
	struct file *f;
	int e = sock_get(fd, &f);

	if (e)
		return e;
	fput(f);
	return err;
}

long sys_bind(u64 fd, u64 addr, u64 len)
{
	return refuse(fd, -EOPNOTSUPP);
}

long sys_listen(u64 fd, u64 backlog)
{
	return refuse(fd, -EINVAL);
}

long sys_accept4(u64 fd, u64 addr, u64 len, u64 flags)
{
	return refuse(fd, -EINVAL);
}

long sys_accept(u64 fd, u64 addr, u64 len)
{
	return refuse(fd, -EINVAL);
}

long sys_connect(u64 fd, u64 addr, u64 len)
{
	return refuse(fd, -EISCONN);
}

/* Both ends are nameless: the family is all there is. */
static long put_name(u64 fd, u64 addr, u64 ulen)
{
	u16 family = AF_UNIX;
	u32 len;
	long err = refuse(fd, 0);

	if (err)
		return err;
	if (get_user(len, ulen))
		return -EFAULT;
	if ((s32)len < 0)
		return -EINVAL;
	if (copy_to_user(addr, &family, min(len, 2u)))
		return -EFAULT;
	return put_user(2, u32, ulen);
}

long sys_getsockname(u64 fd, u64 addr, u64 len)
{
	return put_name(fd, addr, len);
}

long sys_getpeername(u64 fd, u64 addr, u64 len)
{
	return put_name(fd, addr, len);
}

long sys_sendto(u64 fd, u64 ubuf, u64 n, u64 flags, u64 addr, u64 len)
{
	struct file *f;
	char *buf;
	long r;
	int err = sock_get(fd, &f);

	if (err)
		return err;
	if (addr)
		r = -EISCONN;
	else if (n > SOCK_CHUNK && ((struct sock_pair *)f->priv)->type != SOCK_STREAM)
		r = -EMSGSIZE;
	else
		r = 0;
	n = min(n, (u64)SOCK_CHUNK);
	buf = r ? NULL : fs_alloc_buf(n ? n : 1);
	if (!r && !buf)
		r = -ENOMEM;
	if (!r && copy_from_user(buf, ubuf, n))
		r = -EFAULT;
	if (!r)
		r = transmit(f, buf, n, (u32)flags);
	fs_free(buf);
	fput(f);
	return r;
}

long sys_recvfrom(u64 fd, u64 ubuf, u64 n, u64 flags, u64 addr, u64 ulen)
{
	struct file *f;
	size_t full = 0;
	char *buf;
	long r;
	int err = sock_get(fd, &f);

	if (err)
		return err;
	n = min(n, (u64)SOCK_CHUNK);
	buf = fs_alloc_buf(n ? n : 1);
	r = buf ? receive(f, buf, n, (u32)flags, &full) : -ENOMEM;
	if (r > 0 && copy_to_user(ubuf, buf, (size_t)r))
		r = -EFAULT;
	if (r >= 0 && (flags & MSG_TRUNC) && full)
		r = (long)full;
	if (r >= 0 && addr && ulen && put_user(0, u32, ulen))
		r = -EFAULT;
	fs_free(buf);
	fput(f);
	return r;
}

long sys_shutdown(u64 fd, u64 how)
{
	struct sock_end *me, *peer;
	struct file *f;
	int err = sock_get(fd, &f);

	if (err)
		return err;
	if (how > 2) {
		fput(f);
		return -EINVAL;
	}
	me = end_of(f, false);
	peer = end_of(f, true);
	if (how != 1)
		WRITE_ONCE(me->no_read, true);
	if (how != 0)
		WRITE_ONCE(me->no_write, true);
	changed(me);
	changed(peer);
	fput(f);
	return 0;
}

#define SOL_SOCKET    1
#define SO_TYPE       3
#define SO_ERROR      4
#define SO_SNDBUF     7
#define SO_RCVBUF     8
#define SO_DOMAIN     39
#define SO_PROTOCOL   38
#define SO_ACCEPTCONN 30

long sys_setsockopt(u64 fd, u64 level, u64 name, u64 val, u64 len)
{
	return refuse(fd, level == SOL_SOCKET ? -ENOPROTOOPT : -EOPNOTSUPP);
}

static int option(const struct sock_pair *p, u64 name)
{
	switch (name) {
	case SO_TYPE:
		return (int)p->type;
	case SO_ERROR:
	case SO_PROTOCOL:
	case SO_ACCEPTCONN:
		return 0;
	case SO_SNDBUF:
	case SO_RCVBUF:
		return SOCK_ROOM;
	case SO_DOMAIN:
		return AF_UNIX;
	default:
		return -ENOPROTOOPT;
	}
}

long sys_getsockopt(u64 fd, u64 level, u64 name, u64 uval, u64 ulen)
{
	struct file *f;
	u32 len;
	int v, err = sock_get(fd, &f);

	if (err)
		return err;
	v = level == SOL_SOCKET ? option(f->priv, name) : -EOPNOTSUPP;
	fput(f);
	if (v < 0)
		return v;
	if (get_user(len, ulen))
		return -EFAULT;
	len = min(len, (u32)sizeof(v));
	if (copy_to_user(uval, &v, len) || put_user(len, u32, ulen))
		return -EFAULT;
	return 0;
}

/* ------------------------------------------------------------------ sendmsg, recvmsg: data alone
 */

struct abi_msghdr {
	u64 name;
	u32 namelen, pad0;
	u64 iov, iovlen, control, controllen;
	u32 flags, pad1;
};

/* Gather or scatter at most SOCK_CHUNK bytes; how many, or -errno. */
static long msg_copy(const struct abi_msghdr *h, char *buf, size_t n, bool in)
{
	struct abi_iovec v;
	size_t done = 0;
	u64 i;

	if (h->iovlen > IOV_MAX)
		return -EMSGSIZE;
	for (i = 0; i < h->iovlen && done < n; i++) {
		size_t k;

		if (copy_from_user(&v, h->iov + i * sizeof(v), sizeof(v)))
			return -EFAULT;
		k = min(n - done, (size_t)v.len);
		if (in ? copy_from_user(buf + done, v.base, k)
		       : copy_to_user(v.base, buf + done, k))
			return -EFAULT;
		done += k;
	}
	return (long)done;
}

static long do_msg(struct file *f, u64 umsg, u32 flags, bool send)
{
	struct abi_msghdr h;
	size_t full = 0;
	char *buf;
	long n;

	if (copy_from_user(&h, umsg, sizeof(h)))
		return -EFAULT;
	if (send && h.controllen)
		return -EOPNOTSUPP; /* no descriptors travel here */
	if (send && h.namelen)
		return -EISCONN;
	buf = fs_alloc_buf(SOCK_CHUNK);
	if (!buf)
		return -ENOMEM;
	if (send) {
		n = msg_copy(&h, buf, SOCK_CHUNK, true);
		if (n >= 0)
			n = transmit(f, buf, (size_t)n, flags);
	} else {
		n = receive(f, buf, SOCK_CHUNK, flags, &full);
		if (n > 0)
			n = msg_copy(&h, buf, (size_t)n, false);
		h.namelen = 0;
		h.controllen = 0;
		h.flags = n >= 0 && full > (size_t)n ? MSG_TRUNC : 0;
		if (n >= 0 && copy_to_user(umsg, &h, sizeof(h)))
			n = -EFAULT;
	}
	fs_free(buf);
	return n;
}

static long sys_msg(u64 fd, u64 msg, u64 flags, bool send)
{
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	r = do_msg(f, msg, (u32)flags, send);
	fput(f);
	return r;
}

long sys_sendmsg(u64 fd, u64 msg, u64 flags)
{
	return sys_msg(fd, msg, flags, true);
}

long sys_recvmsg(u64 fd, u64 msg, u64 flags)
{
	return sys_msg(fd, msg, flags, false);
}
