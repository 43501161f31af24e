/* SPDX-License-Identifier: MIT */
/*
 * 9P2000.L messages: each function here is one request and its answer.
 *
 * A message is little-endian: size[4] type[1] tag[2], then the fields that the request's format
 * names - b w d q for 1, 2, 4, 8 bytes, s for a counted string (pointer and length).
 */
#include <stdarg.h>

#include "kernel/fs/p9.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

enum {
	RLERROR = 7,
	TSTATFS = 8,
	TLOPEN = 12,
	TLCREATE = 14,
	TSYMLINK = 16,
	TMKNOD = 18,
	TREADLINK = 22,
	TGETATTR = 24,
	TSETATTR = 26,
	TREADDIR = 40,
	TFSYNC = 50,
	TLINK = 70,
	TMKDIR = 72,
	TRENAMEAT = 74,
	TUNLINKAT = 76,
	TVERSION = 100,
	TATTACH = 104,
	TWALK = 110,
	TREAD = 116,
	TWRITE = 118,
	TCLUNK = 120,
};

#define HEADER      7u
#define NOTAG       0xffffu
#define READ_HEADER 11u /* and the count, of Rread and Rreaddir */
#define TX_SIZE     (FS_PATH_MAX + 2 * FS_NAME_MAX + 64)
#define RX_SIZE     (FS_PATH_MAX + 64)
#define SMALL_TX    640u
#define SMALL_RX    256u

/* A request on its way; tx and rx lie behind it in one allocation. */
struct msg {
	u8 *tx, *rx;
	size_t txlen, txmax, rxmax, rxlen;
	size_t at; /* of reading the answer */
	bool bad;  /* did not fit, or ended too early */
};

/* ------------------------------------------------------------------ writing and reading fields */

static void put_le(struct msg *m, u64 v, size_t n)
{
	if (m->txlen + n > m->txmax) {
		m->bad = true;
		return;
	}
	while (n--) {
		m->tx[m->txlen++] = (u8)v;
		v >>= 8;
	}
}

static void put_str(struct msg *m, const char *s, size_t len)
{
	put_le(m, len, 2);
	if (m->bad || m->txlen + len > m->txmax || len > 0xffff) {
		m->bad = true;
		return;
	}
	memcpy(m->tx + m->txlen, s, len);
	m->txlen += len;
}

static u64 get_le(struct msg *m, size_t n)
{
	u64 v = 0;
	size_t i;

	if (m->at + n > m->rxlen) {
		m->bad = true;
		return 0;
	}
	for (i = 0; i < n; i++)
		v |= (u64)m->rx[m->at + i] << (8 * i);
	m->at += n;
	return v;
}

static void get_qid(struct msg *m, struct p9_qid *q)
{
	q->type = (u8)get_le(m, 1);
	q->version = (u32)get_le(m, 4);
	q->path = get_le(m, 8);
}

static void get_time(struct msg *m, struct fs_time *t)
{
	t->sec = (s64)get_le(m, 8);
	t->nsec = (u32)get_le(m, 8);
}

static struct msg *msg_alloc(size_t txmax, size_t rxmax)
{
	struct msg *m = kmalloc_wait(sizeof(*m) + txmax + rxmax);

	if (!m)
		return NULL;
	*m = (struct msg){.txmax = txmax, .rxmax = rxmax, .txlen = HEADER};
	m->tx = (u8 *)(m + 1);
	m->rx = m->tx + txmax;
	return m;
}

static void format(struct msg *m, const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		switch (*fmt) {
		case 'b':
			put_le(m, va_arg(ap, u32), 1);
			break;
		case 'w':
			put_le(m, va_arg(ap, u32), 2);
			break;
		case 'd':
			put_le(m, va_arg(ap, u32), 4);
			break;
		case 'q':
			put_le(m, va_arg(ap, u64), 8);
			break;
		case 's': {
			const char *s = va_arg(ap, const char *);

			put_str(m, s, va_arg(ap, size_t));
			break;
		}
		}
	}
}

/* ------------------------------------------------------------------ the exchange */

static int try_tag(struct p9 *p9)
{
	int tag = -1, i;

	spin_lock(&p9->lock);
	for (i = 0; i < 2 && tag < 0; i++) {
		if (~p9->tags[i]) {
			int bit = __builtin_ctzll(~p9->tags[i]);

			p9->tags[i] |= 1ull << bit;
			tag = i * 64 + bit;
		}
	}
	spin_unlock(&p9->lock);
	return tag;
}

static u32 get_tag(struct p9 *p9)
{
	int tag;

	while ((tag = try_tag(p9)) < 0)
		wait_event(&p9->tag_wq, ~READ_ONCE(p9->tags[0]) || ~READ_ONCE(p9->tags[1]));
	return (u32)tag;
}

static void put_tag(struct p9 *p9, u32 tag)
{
	spin_lock(&p9->lock);
	p9->tags[tag / 64] &= ~(1ull << (tag % 64));
	spin_unlock(&p9->lock);
	wake_up(&p9->tag_wq);
}

/* The answer's header: 0, the host's errno, or -EIO for nonsense. m->at is behind it. */
static int check_answer(struct msg *m, u32 type)
{
	u32 got;

	m->at = 4;
	got = (u32)get_le(m, 1);
	m->at = HEADER;
	if (m->bad)
		return -EIO;
	if (got == RLERROR) {
		u32 err = (u32)get_le(m, 4);

		return m->bad || !err || err > 4095 ? -EIO : -(int)err;
	}
	return got == type + 1 ? 0 : -EIO;
}

/* Fill in the header and exchange; data to send and to receive may lie elsewhere. */
static int exchange(struct p9 *p9, struct msg *m, u32 type, const struct sg *out, u32 nout,
                    const struct sg *in, u32 nin)
{
	size_t size = m->txlen, i;
	u32 tag;
	int err;

	if (m->bad)
		return -ENAMETOOLONG;
	for (i = 0; i < nout; i++)
		size += out[i].len;
	tag = type == TVERSION ? NOTAG : get_tag(p9);
	m->txlen = 0;
	put_le(m, size, 4);
	put_le(m, type, 1);
	put_le(m, tag, 2);
	for (i = 0; i < nout; i++)
		size -= out[i].len;
	m->txlen = size;
	err = p9_virtio_request(p9->chan, m->tx, m->txlen, m->rx, m->rxmax, out, nout, in, nin,
	                        &m->rxlen);
	if (tag != NOTAG)
		put_tag(p9, tag);
	if (!err) {
		m->rxlen = min(m->rxlen, m->rxmax);
		err = check_answer(m, type);
	}
	return err;
}

static struct msg *request(struct p9 *p9, size_t txmax, size_t rxmax, u32 type, int *err,
                           const char *fmt, va_list ap)
{
	struct msg *m = msg_alloc(txmax, rxmax);

	if (!m) {
		*err = -ENOMEM;
		return NULL;
	}
	format(m, fmt, ap);
	*err = exchange(p9, m, type, NULL, 0, NULL, 0);
	return m;
}

/* A request whose answer has fields: *out is to be freed, also after an error. */
static int ask(struct p9 *p9, struct msg **out, u32 type, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	*out = request(p9, SMALL_TX, type == TREADLINK ? RX_SIZE : SMALL_RX, type, &err, fmt, ap);
	va_end(ap);
	return err;
}

/* One whose answer says no more than that it is done. */
static int tell(struct p9 *p9, u32 type, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	fs_free(
	    request(p9, type == TSYMLINK ? TX_SIZE : 2 * SMALL_TX, SMALL_RX, type, &err, fmt, ap));
	va_end(ap);
	return err;
}

/* ------------------------------------------------------------------ the connection */

u32 p9_new_fid(struct p9 *p9)
{
	return __atomic_fetch_add(&p9->next_fid, 1, __ATOMIC_RELAXED);
}

int p9_connect(struct p9 *p9)
{
	static const char version[] = "9P2000.L";
	struct msg *m;
	int err = ask(p9, &m, TVERSION, "ds", P9_MSIZE, version, sizeof(version) - 1);

	if (!err) {
		p9->msize = min((u32)get_le(m, 4), P9_MSIZE);
		if (get_le(m, 2) != sizeof(version) - 1 || m->bad ||
		    memcmp(m->rx + m->at, version, sizeof(version) - 1))
			err = -EPROTONOSUPPORT;
		else if (p9->msize < 8192)
			err = -EPROTO;
	}
	fs_free(m);
	return err;
}

int p9_attach(struct p9 *p9, u32 fid, const char *aname, struct p9_qid *qid)
{
	struct msg *m;
	int err = ask(p9, &m, TATTACH, "ddssd", fid, P9_NOFID, "root", (size_t)4, aname,
	              strlen(aname), 0u);

	if (!err)
		get_qid(m, qid);
	if (!err && m->bad)
		err = -EIO;
	fs_free(m);
	return err;
}

/* ------------------------------------------------------------------ names */

int p9_walk(struct p9 *p9, u32 fid, u32 newfid, const char *name, size_t len, struct p9_qid *qid)
{
	struct msg *m;
	int err;

	if (name)
		err = ask(p9, &m, TWALK, "ddws", fid, newfid, 1u, name, len);
	else
		err = ask(p9, &m, TWALK, "ddw", fid, newfid, 0u);
	if (!err && get_le(m, 2) != (name ? 1 : 0))
		err = -ENOENT;
	if (!err && name)
		get_qid(m, qid);
	if (!err && m->bad)
		err = -EIO;
	fs_free(m);
	return err;
}

void p9_clunk(struct p9 *p9, u32 fid)
{
	if (fid != P9_NOFID)
		tell(p9, TCLUNK, "d", fid);
}

int p9_lopen(struct p9 *p9, u32 fid, u32 flags)
{
	return tell(p9, TLOPEN, "dd", fid, flags);
}

int p9_lcreate(struct p9 *p9, u32 fid, const char *name, u32 flags, u32 mode, u32 gid)
{
	return tell(p9, TLCREATE, "dsddd", fid, name, strlen(name), flags, mode, gid);
}

int p9_mkdir(struct p9 *p9, u32 dfid, const char *name, u32 mode, u32 gid)
{
	return tell(p9, TMKDIR, "dsdd", dfid, name, strlen(name), mode, gid);
}

int p9_mknod(struct p9 *p9, u32 dfid, const char *name, u32 mode, u32 rdev, u32 gid)
{
	return tell(p9, TMKNOD, "dsdddd", dfid, name, strlen(name), mode, MAJOR(rdev), MINOR(rdev),
	            gid);
}

int p9_symlink(struct p9 *p9, u32 dfid, const char *name, const char *target, u32 gid)
{
	return tell(p9, TSYMLINK, "dssd", dfid, name, strlen(name), target, strlen(target), gid);
}

int p9_link(struct p9 *p9, u32 dfid, u32 fid, const char *name)
{
	return tell(p9, TLINK, "dds", dfid, fid, name, strlen(name));
}

int p9_renameat(struct p9 *p9, u32 odfid, const char *oname, u32 ndfid, const char *nname)
{
	return tell(p9, TRENAMEAT, "dsds", odfid, oname, strlen(oname), ndfid, nname,
	            strlen(nname));
}

int p9_unlinkat(struct p9 *p9, u32 dfid, const char *name, bool dir)
{
	return tell(p9, TUNLINKAT, "dsd", dfid, name, strlen(name), dir ? AT_REMOVEDIR : 0u);
}

ssize_t p9_readlink(struct p9 *p9, u32 fid, char *buf, size_t size)
{
	struct msg *m;
	ssize_t n = ask(p9, &m, TREADLINK, "d", fid);

	if (!n) {
		n = (ssize_t)get_le(m, 2);
		if (m->bad || m->at + (size_t)n > m->rxlen)
			n = -EIO;
		else
			memcpy(buf, m->rx + m->at, min((size_t)n, size));
	}
	fs_free(m);
	return n < 0 ? n : (ssize_t)min((size_t)n, size);
}

/* ------------------------------------------------------------------ attributes */

#define GETATTR_ALL 0x3fffull

int p9_getattr(struct p9 *p9, u32 fid, struct p9_attr *a)
{
	struct msg *m;
	int err = ask(p9, &m, TGETATTR, "dq", fid, GETATTR_ALL);
	u64 valid;

	if (!err) {
		valid = get_le(m, 8);
		get_qid(m, &a->qid);
		a->mode = (u32)get_le(m, 4);
		a->uid = (u32)get_le(m, 4);
		a->gid = (u32)get_le(m, 4);
		a->nlink = get_le(m, 8);
		a->rdev = get_le(m, 8);
		a->size = get_le(m, 8);
		a->blksize = get_le(m, 8);
		a->blocks = get_le(m, 8);
		get_time(m, &a->atime);
		get_time(m, &a->mtime);
		get_time(m, &a->ctime);
		get_time(m, &a->btime);
		if (!(valid & 0x800))
			a->btime = (struct fs_time){0};
		if (m->bad)
			err = -EIO;
	}
	fs_free(m);
	return err;
}

int p9_setattr(struct p9 *p9, u32 fid, const struct p9_setattr *a)
{
	return tell(p9, TSETATTR, "dddddqqqqq", fid, a->valid, a->mode, a->uid, a->gid, a->size,
	            (u64)a->atime.sec, (u64)a->atime.nsec, (u64)a->mtime.sec, (u64)a->mtime.nsec);
}

int p9_statfs(struct p9 *p9, u32 fid, struct kstatfs *st)
{
	struct msg *m;
	int err = ask(p9, &m, TSTATFS, "d", fid);

	if (!err) {
		st->type = get_le(m, 4);
		st->bsize = get_le(m, 4);
		st->blocks = get_le(m, 8);
		st->bfree = get_le(m, 8);
		st->bavail = get_le(m, 8);
		st->files = get_le(m, 8);
		st->ffree = get_le(m, 8);
		st->fsid = get_le(m, 8);
		st->namelen = get_le(m, 4);
		if (m->bad)
			err = -EIO;
	}
	fs_free(m);
	return err;
}

int p9_fsync(struct p9 *p9, u32 fid, bool data_only)
{
	return tell(p9, TFSYNC, "dd", fid, data_only ? 1u : 0u);
}

/* ------------------------------------------------------------------ bytes */

/*
 * The pieces of iov, without the first `skip` bytes and no more than `max`, as stretches for the
 * device: neighbours in memory are joined. Returns the bytes in them.
 */
static size_t gather(struct sg *sg, u32 *nsg, const struct mmk_iovec *iov, unsigned n, size_t skip,
                     size_t max)
{
	size_t total = 0;
	u32 k = 0;

	for (; n && total < max; iov++, n--) {
		u8 *base = iov->base;
		size_t len = iov->len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		base += skip;
		len = min(len - skip, max - total);
		skip = 0;
		if (k && (u8 *)sg[k - 1].addr + sg[k - 1].len == base) {
			sg[k - 1].len += len;
		} else {
			if (k == P9_SG)
				break;
			sg[k++] = (struct sg){base, len};
		}
		total += len;
	}
	*nsg = k;
	return total;
}

/* The count behind an answer's header. */
static ssize_t answer_count(struct msg *m, size_t asked)
{
	u32 n = (u32)get_le(m, 4);

	return m->bad || n > asked ? -EIO : (ssize_t)n;
}

#define XFER_TX 64u

struct p9_xfer {
	struct sg sg[P9_SG];
	struct msg m;
	u8 tx[XFER_TX], rx[READ_HEADER];
};

/*
 * Pages are written home in order to get memory back, so that must not fail for want of it: each
 * connection has one set aside, for which callers wait.
 */
static struct p9_xfer *xfer_get(struct p9 *p9)
{
	struct p9_xfer *x = fs_alloc(sizeof(*x));

	if (!x) {
		mutex_lock(&p9->spare_lock);
		x = p9->spare;
	}
	x->m = (struct msg){.tx = x->tx,
	                    .rx = x->rx,
	                    .txlen = HEADER,
	                    .txmax = sizeof(x->tx),
	                    .rxmax = sizeof(x->rx)};
	return x;
}

static void xfer_put(struct p9 *p9, struct p9_xfer *x)
{
	if (x == p9->spare)
		mutex_unlock(&p9->spare_lock);
	else
		fs_free(x);
}

int p9_init(struct p9 *p9)
{
	mutex_init(&p9->spare_lock);
	p9->spare = fs_alloc(sizeof(*p9->spare));
	return p9->spare ? 0 : -ENOMEM;
}

void p9_free(struct p9 *p9)
{
	fs_free(p9->spare);
}

/* The message has the fid, the position and the count before its bytes. */
static void put_request(struct msg *m, u32 fid, u64 pos, size_t count)
{
	put_le(m, fid, 4);
	put_le(m, pos, 8);
	put_le(m, count, 4);
}

ssize_t p9_read(struct p9 *p9, u32 fid, u64 pos, const struct mmk_iovec *iov, unsigned n,
                size_t skip)
{
	struct p9_xfer *x = xfer_get(p9);
	size_t want;
	ssize_t r;
	u32 nsg;

	want = gather(x->sg, &nsg, iov, n, skip, p9->msize - 24);
	put_request(&x->m, fid, pos, want);
	r = exchange(p9, &x->m, TREAD, NULL, 0, x->sg, nsg);
	if (!r)
		r = answer_count(&x->m, want);
	xfer_put(p9, x);
	return r;
}

ssize_t p9_write(struct p9 *p9, u32 fid, u64 pos, const struct mmk_iovec *iov, unsigned n,
                 size_t skip, size_t max)
{
	struct p9_xfer *x = xfer_get(p9);
	size_t want;
	ssize_t r;
	u32 nsg;

	want = gather(x->sg, &nsg, iov, n, skip, min(max, (size_t)p9->msize - 24));
	put_request(&x->m, fid, pos, want);
	r = exchange(p9, &x->m, TWRITE, x->sg, nsg, NULL, 0);
	if (!r)
		r = answer_count(&x->m, want);
	xfer_put(p9, x);
	return r;
}

ssize_t p9_readdir(struct p9 *p9, u32 fid, u64 offset, void *buf, size_t size)
{
	struct msg *m = msg_alloc(64, READ_HEADER);
	struct sg sg = {buf, size};
	ssize_t r = -ENOMEM;

	if (m) {
		put_le(m, fid, 4);
		put_le(m, offset, 8);
		put_le(m, size, 4);
		r = exchange(p9, m, TREADDIR, NULL, 0, &sg, 1);
		if (!r)
			r = answer_count(m, size);
	}
	fs_free(m);
	return r;
}
