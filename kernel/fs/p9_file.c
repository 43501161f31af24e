/* SPDX-License-Identifier: MIT */
/*
 * The bytes of files of the host: the page cache's home, opening and closing, truncation; and
 * reading directories.
 */
#include "kernel/fs/p9.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

/* Linux's open flags as the protocol has them (x86's, which are the generic ones). */
#define P9_RDONLY    0u
#define P9_RDWR      2u
#define P9_DIRECTORY 0200000u
#define DIR_BUF      8192u

/* ------------------------------------------------------------------ the page cache's home */

static size_t iov_total(const struct mmk_iovec *iov, unsigned n)
{
	size_t total = 0;

	while (n--)
		total += iov++->len;
	return total;
}

/* A short read means the end of the file, so ask on until it is. */
static int64_t p9_map_read(struct mmk_mapping *m, uint64_t pos, const struct mmk_iovec *iov,
                           unsigned n)
{
	struct inode *inode = m->host;
	struct p9_inode *pi = p9_inode(inode);
	size_t total = iov_total(iov, n), done = 0;
	u32 fid = READ_ONCE(pi->wfid) != P9_NOFID ? pi->wfid : READ_ONCE(pi->rfid);

	if (fid == P9_NOFID)
		return -EIO;
	while (done < total) {
		ssize_t r = p9_read(p9_of(inode->sb), fid, pos + done, iov, n, done);

		if (r < 0)
			return r;
		if (!r)
			break;
		done += (size_t)r;
	}
	return (int64_t)done;
}

/* Nothing past the end of the file is ever sent, though pages go on beyond it. */
static int64_t p9_map_write(struct mmk_mapping *m, uint64_t pos, const struct mmk_iovec *iov,
                            unsigned n)
{
	struct inode *inode = m->host;
	struct p9_inode *pi = p9_inode(inode);
	size_t total = iov_total(iov, n), done = 0;
	u64 size = inode_size(inode);
	size_t want = pos >= size ? 0 : (size_t)min((u64)total, size - pos);
	ssize_t r = 0;

	if (READ_ONCE(pi->wfid) == P9_NOFID)
		return -EIO;
	__atomic_fetch_add(&pi->writing, 1, __ATOMIC_ACQ_REL);
	while (done < want) {
		r = p9_write(p9_of(inode->sb), pi->wfid, pos + done, iov, n, done, want - done);
		if (r <= 0)
			break;
		done += (size_t)r;
	}
	WRITE_ONCE(pi->self_written, true);
	__atomic_fetch_add(&pi->writes, 1, __ATOMIC_ACQ_REL);
	__atomic_fetch_sub(&pi->writing, 1, __ATOMIC_ACQ_REL);
	if (done == want)
		return (int64_t)total;
	return done ? (int64_t)done : r ? r : -EIO;
}

static int p9_map_sync(struct mmk_mapping *m)
{
	struct inode *inode = m->host;
	u32 fid = READ_ONCE(p9_inode(inode)->wfid);

	return fid == P9_NOFID ? 0 : p9_fsync(p9_of(inode->sb), fid, false);
}

static void p9_map_write_error(struct mmk_mapping *m, int err)
{
	struct inode *inode = m->host;

	mmk_wb_err_note(&inode->sb->wb_err, err);
}

const struct mmk_mapping_ops p9_mapping_ops = {
    .read = p9_map_read,
    .write = p9_map_write,
    .sync = p9_map_sync,
    .write_error = p9_map_write_error,
};

/* ------------------------------------------------------------------ truncation */

/* An unlinked file cannot be truncated on the host, which would go by its name: zeros do as well.
 */
static int zero_tail(struct inode *inode, u64 size)
{
	struct p9_inode *pi = p9_inode(inode);
	u64 end = max(pi->host_size, inode_size(inode));
	struct mmk_iovec iov = {.len = KiB(64)};
	int err = 0;

	if (pi->wfid == P9_NOFID || size >= end)
		return 0;
	iov.base = fs_zalloc(iov.len);
	if (!iov.base)
		return -ENOMEM;
	while (size < end && !err) {
		ssize_t n = p9_write(p9_of(inode->sb), pi->wfid, size, &iov, 1, 0,
		                     min(end - size, (u64)iov.len));

		if (n <= 0)
			err = n ? (int)n : -EIO;
		else
			size += (u64)n;
	}
	fs_free(iov.base);
	return err;
}

static int host_truncate(struct dentry *d, u64 size)
{
	struct p9_setattr s = {.valid = P9_SET_SIZE, .size = size};
	u32 fid = p9_dfid(d);

	if (fid == P9_NOFID)
		return zero_tail(d->inode, size);
	return p9_setattr(p9_of(d->sb), fid, &s);
}

/*
 * The host first, since it may refuse. A page that is written back between the two would make the
 * host's file longer again: then it is cut once more. inode.lock is held.
 */
int p9_truncate(struct dentry *d, u64 size)
{
	struct inode *inode = d->inode;
	struct p9_inode *pi = p9_inode(inode);
	u32 writes = p9_writes(inode);
	int err;

	/* Seen by p9_update() as changes of our own that are on their way. */
	__atomic_fetch_add(&pi->writing, 1, __ATOMIC_ACQ_REL);
	err = host_truncate(d, size);
	if (!err) {
		pi->self_written = true;
		err = mmk_mapping_truncate(&inode->mapping, size);
	}
	if (!err && p9_writes(inode) != writes)
		err = host_truncate(d, size);
	if (!err)
		pi->host_size = size;
	__atomic_fetch_add(&pi->writes, 1, __ATOMIC_ACQ_REL);
	__atomic_fetch_sub(&pi->writing, 1, __ATOMIC_ACQ_REL);
	return err;
}

/* ------------------------------------------------------------------ open, close */

/* A fid of the file's own, open. */
static int open_fid(struct dentry *d, u32 flags, u32 *out)
{
	struct p9 *p9 = p9_of(d->sb);
	u32 from = p9_dfid(d), fid = p9_new_fid(p9);
	int err = from == P9_NOFID ? -ENOENT : p9_walk(p9, from, fid, NULL, 0, NULL);

	if (err)
		return err;
	err = p9_lopen(p9, fid, flags);
	if (err) {
		p9_clunk(p9, fid);
		return err;
	}
	*out = fid;
	return 0;
}

static int p9_file_open(struct file *f)
{
	struct p9_inode *pi = p9_inode(f->inode);
	bool write = FILE_CAN_WRITE(f);
	int err = 0;

	mutex_lock(&pi->lock);
	if (write && pi->wfid == P9_NOFID)
		err = open_fid(f->path.dentry, P9_RDWR, &pi->wfid);
	else if (!write && pi->wfid == P9_NOFID && pi->rfid == P9_NOFID)
		err = open_fid(f->path.dentry, P9_RDONLY, &pi->rfid);
	if (!err)
		pi->opens++;
	mutex_unlock(&pi->lock);
	return err;
}

static void close_fids_locked(struct inode *inode)
{
	struct p9_inode *pi = p9_inode(inode);
	u32 rfid = pi->rfid, wfid = pi->wfid;

	pi->rfid = pi->wfid = P9_NOFID;
	p9_clunk(p9_of(inode->sb), rfid);
	p9_clunk(p9_of(inode->sb), wfid);
}

void p9_close_fids(struct inode *inode)
{
	mutex_lock(&p9_inode(inode)->lock);
	close_fids_locked(inode);
	mutex_unlock(&p9_inode(inode)->lock);
}

/* What the host's times are now that all has been written: later changes of them are others'. */
static void note_times(struct file *f)
{
	struct p9_inode *pi = p9_inode(f->inode);
	u32 fid = p9_dfid(f->path.dentry);
	struct p9_attr a;

	if (!pi->self_written || fid == P9_NOFID || p9_getattr(p9_of(f->inode->sb), fid, &a) ||
	    a.qid.path != pi->path)
		return;
	pi->host_size = a.size;
	pi->host_mtime = a.mtime;
	pi->self_written = false;
}

/*
 * The last one out writes back. What the host would not take stays, with its fid: sync may try
 * again.
 */
static void p9_file_release(struct file *f)
{
	struct inode *inode = f->inode;
	struct p9_inode *pi = p9_inode(inode);
	int err = 0;

	if (READ_ONCE(pi->opens) == 1 && pi->wfid != P9_NOFID && inode->nlink)
		err = mmk_mapping_sync(&inode->mapping, 0, ~(u64)0, false);
	if (err)
		pr_err("9p: writing back inode %llu: error %d\n", (unsigned long long)inode->ino,
		       -err);
	else if (READ_ONCE(pi->opens) == 1)
		note_times(f);
	mutex_lock(&pi->lock);
	if (!--pi->opens && !err && (!READ_ONCE(inode->mapping.nrdirty) || !inode->nlink))
		close_fids_locked(inode);
	mutex_unlock(&pi->lock);
}

const struct file_ops p9_file_ops = {
    .mm = {.mmap = mmk_generic_file_mmap},
    .open = p9_file_open,
    .release = p9_file_release,
    .read = regular_read,
    .write = regular_write,
    .llseek = generic_llseek,
    .fsync = regular_fsync,
};

/* ------------------------------------------------------------------ directories */

/* What a directory's open file keeps: its fid and the entries last received. */
struct p9_dir {
	u32 fid;
	u64 next; /* the host's offset that the entries in buf begin at */
	size_t len, at;
	u8 buf[DIR_BUF];
};

static int p9_dir_open(struct file *f)
{
	struct p9_dir *dir = fs_alloc_buf(sizeof(*dir));
	int err;

	if (!dir)
		return -ENOMEM;
	dir->len = dir->at = 0;
	dir->next = 0;
	dir->fid = P9_NOFID;
	err = p9_dfid(f->path.dentry) == P9_NOFID
	          ? 0 /* removed, as a working directory may be: there is nothing to read */
	          : open_fid(f->path.dentry, P9_RDONLY | P9_DIRECTORY, &dir->fid);
	if (err) {
		fs_free(dir);
		return err;
	}
	f->priv = dir;
	return 0;
}

static void p9_dir_release(struct file *f)
{
	struct p9_dir *dir = f->priv;

	p9_clunk(p9_of(f->inode->sb), dir->fid);
	fs_free(dir);
}

static u64 le(const u8 *p, unsigned n)
{
	u64 v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

/* Entry: qid[13] offset[8] type[1] name[s]. False: it ends too early. */
#define ENTRY_HEAD 24u

static bool entry_ok(const struct p9_dir *dir)
{
	size_t left = dir->len - dir->at;

	return left >= ENTRY_HEAD && left >= ENTRY_HEAD + le(dir->buf + dir->at + 22, 2);
}

/* Entries from pos on: those at hand when the reader has not jumped, else the host's. */
static int fill_entries(struct file *f, struct p9_dir *dir, u64 pos)
{
	ssize_t n;

	if (dir->at < dir->len && dir->next == pos)
		return 0;
	n = p9_readdir(p9_of(f->inode->sb), dir->fid, pos, dir->buf, DIR_BUF);
	if (n < 0)
		return (int)n;
	dir->len = (size_t)n;
	dir->at = 0;
	dir->next = pos;
	return 0;
}

static int p9_dir_read(struct file *f, struct dir_ctx *ctx)
{
	struct p9_dir *dir = f->priv;

	for (;;) {
		const u8 *e;
		u64 offset;
		int err = fill_entries(f, dir, ctx->pos);

		if (err || !dir->len)
			return err;
		if (!entry_ok(dir))
			return -EIO;
		e = dir->buf + dir->at;
		offset = le(e + 13, 8);
		if (!ctx->emit(ctx, (const char *)e + ENTRY_HEAD, le(e + 22, 2), le(e + 5, 8),
		               e[21], offset))
			return 0;
		ctx->pos = offset;
		dir->at += ENTRY_HEAD + le(e + 22, 2);
		dir->next = offset;
	}
}

const struct file_ops p9_dir_file_ops = {
    .open = p9_dir_open,
    .release = p9_dir_release,
    .readdir = p9_dir_read,
    .llseek = generic_llseek,
    .fsync = NULL,
};
