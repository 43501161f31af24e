/* SPDX-License-Identifier: MIT */
/*
 * A directory of the host as a file system: names and attributes.
 *
 * Each name we know has a fid of its own (dentry.priv), since the server finds files by their path
 * and a fid follows its path, not the file. Each file is one inode, found by the qid's path, so two
 * names or two opens of it share one page cache. Names are asked about again at each use: what has
 * changed on the host is seen at the next open (close-to-open).
 */
#include "kernel/fs/p9.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

static const struct inode_ops p9_dir_ops, p9_file_inode_ops, p9_link_ops;

/* ------------------------------------------------------------------ inodes */

static struct p9_inode **index_slot(struct super *sb, u64 path)
{
	return &p9_of(sb)->index[(path ^ path >> 16) % P9_INDEX];
}

/* With a reference, or NULL. super.lock is held; an inode at its end (refs 0) is as good as gone.
 */
static struct inode *index_find(struct super *sb, u64 path, u32 mode)
{
	struct p9_inode *pi;

	for (pi = *index_slot(sb, path); pi; pi = pi->next) {
		struct inode *inode = pi->inode;

		if (pi->path == path && ((inode->mode ^ mode) & S_IFMT) == 0 && inode->nlink &&
		    READ_ONCE(inode->refs)) {
			inode_get(inode);
			return inode;
		}
	}
	return NULL;
}

static void index_remove(struct inode *inode)
{
	struct p9_inode *pi = p9_inode(inode), **p;

	spin_lock(&inode->sb->lock);
	for (p = index_slot(inode->sb, pi->path); *p; p = &(*p)->next) {
		if (*p == pi) {
			*p = pi->next;
			break;
		}
	}
	spin_unlock(&inode->sb->lock);
}

static struct inode *new_inode(struct super *sb, const struct p9_attr *a)
{
	struct p9_inode *pi = fs_zalloc(sizeof(*pi));
	struct inode *inode = pi ? inode_alloc(sb, a->mode, &p9_mapping_ops) : NULL;

	if (!inode) {
		fs_free(pi);
		return NULL;
	}
	pi->inode = inode;
	pi->path = a->qid.path;
	pi->rfid = pi->wfid = P9_NOFID;
	mutex_init(&pi->lock);
	inode->priv = pi;
	inode->ino = a->qid.path;
	inode->rdev =
	    MKDEV((u32)(a->rdev >> 8) & 0xfff, (u32)((a->rdev & 0xff) | (a->rdev >> 12 & 0xfff00)));
	inode->fop = special_ops(a->mode, &p9_file_ops, &p9_dir_file_ops);
	inode->op = S_ISDIR(a->mode)   ? &p9_dir_ops
	            : S_ISLNK(a->mode) ? &p9_link_ops
	                               : &p9_file_inode_ops;
	inode->mapping.i_size = a->size;
	pi->host_size = a->size;
	pi->host_mtime = a->mtime;
	inode->mtime = a->mtime;
	return inode;
}

/* The inode of what the host has described, known or new. */
static struct inode *get_inode(struct super *sb, const struct p9_attr *a, bool *known)
{
	struct inode *inode, *fresh = NULL;

	*known = true;

	for (;;) {
		spin_lock(&sb->lock);
		inode = index_find(sb, a->qid.path, a->mode);
		if (!inode && fresh) {
			struct p9_inode **slot = index_slot(sb, a->qid.path);

			p9_inode(fresh)->next = *slot;
			*slot = p9_inode(fresh);
			inode = fresh;
			fresh = NULL;
			*known = false;
		}
		spin_unlock(&sb->lock);
		if (inode)
			break;
		fresh = new_inode(sb, a);
		if (!fresh)
			return NULL;
	}
	if (fresh)
		inode_put(fresh);
	return inode;
}

static void p9_evict(struct inode *inode)
{
	struct p9_inode *pi = p9_inode(inode);

	if (!pi)
		return;
	if (inode->has_mapping && pi->wfid != P9_NOFID && READ_ONCE(inode->mapping.nrdirty) &&
	    mmk_mapping_sync(&inode->mapping, 0, ~(u64)0, false))
		pr_err("9p: data of inode %llu could not be written back and is lost\n",
		       (unsigned long long)inode->ino);
	/* Writeback that nobody asked for may be under way, and needs what goes now. */
	if (inode->has_mapping)
		mmk_mapping_destroy(&inode->mapping);
	p9_close_fids(inode);
	index_remove(inode);
	fs_free(pi);
}

/*
 * Has somebody else changed the file since we looked? Not asked while it is open for writing here:
 * then changes of ours may be on their way, and the host's size and time are behind. Nor of an
 * answer that was on its way as we wrote.
 */
static bool changed_elsewhere(struct inode *inode, const struct p9_attr *a, u32 asked_at)
{
	struct p9_inode *pi = p9_inode(inode);

	if (asked_at != p9_writes(inode))
		return false;

	if (READ_ONCE(pi->wfid) != P9_NOFID || READ_ONCE(pi->writing) || pi->self_written)
		return false;
	return pi->host_size != a->size || fs_time_cmp(&pi->host_mtime, &a->mtime);
}

/* What we have of it is out of date: clean pages go, the size is the host's. inode.lock is held. */
static void reload(struct inode *inode, const struct p9_attr *a, u32 asked_at)
{
	struct p9_inode *pi = p9_inode(inode);

	if (!changed_elsewhere(inode, a, asked_at))
		return;
	if (a->size != inode_size(inode) && mmk_mapping_truncate(&inode->mapping, a->size))
		return; /* tried again at the next look */
	mmk_mapping_invalidate(&inode->mapping);
	pi->host_size = a->size;
	pi->host_mtime = a->mtime;
}

void p9_update(struct inode *inode, const struct p9_attr *a, u32 asked_at, bool locked)
{
	struct p9_inode *pi = p9_inode(inode);
	bool ours;

	if (inode->has_mapping && changed_elsewhere(inode, a, asked_at)) {
		if (!locked)
			mutex_lock(&inode->lock);
		reload(inode, a, asked_at);
		if (!locked)
			mutex_unlock(&inode->lock);
	}
	ours = inode->has_mapping && (READ_ONCE(inode->mapping.nrdirty) || READ_ONCE(pi->writing) ||
	                              asked_at != p9_writes(inode));
	inode->mode = a->mode;
	inode->uid = a->uid;
	inode->gid = a->gid;
	inode->nlink = (u32)a->nlink;
	inode->blocks = a->blocks;
	inode->atime = a->atime;
	inode->btime = a->btime;
	if (ours)
		return;
	inode->mtime = a->mtime;
	inode->ctime = a->ctime;
	if (pi->self_written) {
		pi->self_written = false;
		pi->host_size = a->size;
		pi->host_mtime = a->mtime;
	}
	if (!inode->has_mapping)
		inode->mapping.i_size = a->size;
}

/* ------------------------------------------------------------------ dentries */

static void set_dfid(struct dentry *d, u32 fid)
{
	WRITE_ONCE(d->priv, (void *)((u64)fid + 1));
}

/* The name is gone on the host, or another file's: its fid must not be asked any more. */
static void drop_dfid(struct dentry *d)
{
	u32 fid = p9_dfid(d);

	WRITE_ONCE(d->priv, NULL);
	p9_clunk(p9_of(d->sb), fid);
}

static void p9_d_release(struct dentry *d)
{
	drop_dfid(d);
}

/* d := dir/name. The caller makes sure that d has no inode yet. */
static int p9_lookup(struct dentry *dir, struct dentry *d)
{
	struct p9 *p9 = p9_of(dir->sb);
	struct inode *inode;
	struct p9_qid qid;
	struct p9_attr a;
	bool known = false;
	u32 fid = p9_new_fid(p9), asked_at = 0;
	int err = p9_walk(p9, p9_dfid(dir), fid, d->name, d->len, &qid);

	if (err)
		return err;
	err = p9_getattr(p9, fid, &a);
	inode = err ? NULL : get_inode(dir->sb, &a, &known);
	if (!err && !inode)
		err = -ENOMEM;
	if (!err && known) { /* asked anew, now that it can be seen what we write meanwhile */
		asked_at = p9_writes(inode);
		err = p9_getattr(p9, fid, &a);
		if (!err && a.qid.path != p9_inode(inode)->path)
			err = -ESTALE;
		if (err)
			inode_put(inode);
	}
	if (err) {
		p9_clunk(p9, fid);
		return err;
	}
	p9_update(inode, &a, asked_at, false);
	set_dfid(d, fid);
	d_instantiate(d, inode);
	return 0;
}

static int p9_revalidate(struct dentry *d)
{
	struct p9_attr a;
	u32 fid = p9_dfid(d), asked_at = p9_writes(d->inode);
	int err = fid == P9_NOFID ? -ENOENT : p9_getattr(p9_of(d->sb), fid, &a);

	if (err == -ENOENT || err == -ENOTDIR || err == -ESTALE)
		return 0;
	if (err)
		return err;
	if (a.qid.path != p9_inode(d->inode)->path || ((a.mode ^ d->inode->mode) & S_IFMT))
		return 0;
	p9_update(d->inode, &a, asked_at, false);
	return 1;
}

static int p9_inode_getattr(struct dentry *d)
{
	u32 fid = p9_dfid(d), asked_at = p9_writes(d->inode);
	struct p9_attr a;
	int err;

	if (fid == P9_NOFID) /* unlinked: what we know is what there is */
		return 0;
	err = p9_getattr(p9_of(d->sb), fid, &a);
	if (err == -ENOENT || (!err && a.qid.path != p9_inode(d->inode)->path))
		return 0; /* gone behind our back: the same */
	if (!err)
		p9_update(d->inode, &a, asked_at, false);
	return err;
}

/* ------------------------------------------------------------------ making names */

/* After the host has made it. */
static int made(struct dentry *dir, struct dentry *d, int err)
{
	return err ? err : p9_lookup(dir, d);
}

/* The fid that creates the file is open from then on: it becomes the file's own. */
static int p9_create(struct dentry *dir, struct dentry *d, u32 mode)
{
	struct p9 *p9 = p9_of(dir->sb);
	u32 fid = p9_new_fid(p9);
	struct p9_inode *pi;
	int err = p9_walk(p9, p9_dfid(dir), fid, NULL, 0, NULL);

	if (err)
		return err;
	err = p9_lcreate(p9, fid, d->name, 02 | 0100 | 0200, mode & 07777, current->cred.fsgid);
	err = made(dir, d, err);
	if (err) {
		p9_clunk(p9, fid);
		return err;
	}
	pi = p9_inode(d->inode);
	mutex_lock(&pi->lock);
	if (pi->wfid == P9_NOFID) {
		pi->wfid = fid;
		fid = P9_NOFID;
	}
	mutex_unlock(&pi->lock);
	p9_clunk(p9, fid);
	return 0;
}

static int p9_dir_mkdir(struct dentry *dir, struct dentry *d, u32 mode)
{
	return made(
	    dir, d,
	    p9_mkdir(p9_of(dir->sb), p9_dfid(dir), d->name, mode & 07777, current->cred.fsgid));
}

static int p9_dir_mknod(struct dentry *dir, struct dentry *d, u32 mode, u32 rdev)
{
	return made(
	    dir, d,
	    p9_mknod(p9_of(dir->sb), p9_dfid(dir), d->name, mode, rdev, current->cred.fsgid));
}

static int p9_dir_symlink(struct dentry *dir, struct dentry *d, const char *target)
{
	return made(dir, d,
	            p9_symlink(p9_of(dir->sb), p9_dfid(dir), d->name, target, current->cred.fsgid));
}

static int p9_dir_link(struct dentry *old, struct dentry *dir, struct dentry *d)
{
	struct p9 *p9 = p9_of(dir->sb);
	struct p9_qid qid;
	struct p9_attr a;
	u32 fid, asked_at;
	int err;

	if (p9_dfid(old) == P9_NOFID)
		return -ENOENT;
	err = p9_link(p9, p9_dfid(dir), p9_dfid(old), d->name);
	if (err)
		return err;
	/* Not p9_lookup(): the inode is known, and its lock is held. */
	fid = p9_new_fid(p9);
	err = p9_walk(p9, p9_dfid(dir), fid, d->name, d->len, &qid);
	if (err)
		return err;
	asked_at = p9_writes(old->inode);
	err = p9_getattr(p9, fid, &a);
	if (!err && a.qid.path != p9_inode(old->inode)->path)
		err = -ESTALE;
	if (err) {
		p9_clunk(p9, fid);
		return err;
	}
	p9_update(old->inode, &a, asked_at, true);
	inode_get(old->inode);
	set_dfid(d, fid);
	d_instantiate(d, old->inode);
	return 0;
}

/* ------------------------------------------------------------------ removing and moving names */

/* One name less. */
static void name_gone(struct dentry *d)
{
	struct inode *inode = d->inode;

	drop_dfid(d);
	if (is_dir(inode))
		inode->nlink = 0;
	else if (inode->nlink)
		inode->nlink--;
}

static int p9_dir_unlink(struct dentry *dir, struct dentry *d)
{
	int err = p9_unlinkat(p9_of(dir->sb), p9_dfid(dir), d->name, false);

	if (!err)
		name_gone(d);
	return err;
}

static int p9_dir_rmdir(struct dentry *dir, struct dentry *d)
{
	int err = p9_unlinkat(p9_of(dir->sb), p9_dfid(dir), d->name, true);

	if (!err)
		name_gone(d);
	return err;
}

static int p9_dir_rename(struct dentry *odir, struct dentry *od, struct dentry *ndir,
                         struct dentry *nd, u32 flags)
{
	int err;

	if (flags & RENAME_EXCHANGE)
		return -EINVAL; /* the protocol has no such thing */
	err = p9_renameat(p9_of(odir->sb), p9_dfid(odir), od->name, p9_dfid(ndir), nd->name);
	if (!err && nd->inode)
		name_gone(nd);
	return err;
}

/* ------------------------------------------------------------------ changing attributes, links */

/* Times are set on the host after what is still to be written, else writing would set them again.
 */
static int flush_before_times(struct inode *inode)
{
	if (!inode->has_mapping || !READ_ONCE(inode->mapping.nrdirty))
		return 0;
	return mmk_mapping_sync(&inode->mapping, 0, ~(u64)0, false);
}

static u32 set_bits(const struct iattr *a)
{
	u32 valid = 0;

	valid |= a->valid & ATTR_MODE ? P9_SET_MODE : 0;
	valid |= a->valid & ATTR_UID ? P9_SET_UID : 0;
	valid |= a->valid & ATTR_GID ? P9_SET_GID : 0;
	valid |= a->valid & ATTR_ATIME ? P9_SET_ATIME | P9_SET_ATIME_SET : 0;
	valid |= a->valid & ATTR_MTIME ? P9_SET_MTIME | P9_SET_MTIME_SET : 0;
	return valid;
}

static int p9_inode_setattr(struct dentry *d, const struct iattr *a)
{
	struct p9_setattr s = {
	    .valid = set_bits(a),
	    .mode = a->mode & 07777,
	    .uid = a->uid,
	    .gid = a->gid,
	    .atime = a->atime,
	    .mtime = a->mtime,
	};
	u32 fid = p9_dfid(d);
	int err;

	if (a->valid & ATTR_SIZE)
		return p9_truncate(d, a->size);
	if (fid == P9_NOFID || !s.valid)
		return 0;
	if (S_ISLNK(d->inode->mode))
		s.valid &= ~P9_SET_MODE;
	if (a->valid & (ATTR_ATIME | ATTR_MTIME)) {
		err = flush_before_times(d->inode);
		if (err)
			return err;
	}
	err = p9_setattr(p9_of(d->sb), fid, &s);
	if (!err && (a->valid & ATTR_MTIME))
		p9_inode(d->inode)->self_written = true;
	return err;
}

static ssize_t p9_link_readlink(struct dentry *d, char *buf, size_t size)
{
	u32 fid = p9_dfid(d);

	return fid == P9_NOFID ? -ENOENT : p9_readlink(p9_of(d->sb), fid, buf, size);
}

static const struct inode_ops p9_dir_ops = {
    .lookup = p9_lookup,
    .create = p9_create,
    .mkdir = p9_dir_mkdir,
    .mknod = p9_dir_mknod,
    .symlink = p9_dir_symlink,
    .link = p9_dir_link,
    .unlink = p9_dir_unlink,
    .rmdir = p9_dir_rmdir,
    .rename = p9_dir_rename,
    .getattr = p9_inode_getattr,
    .setattr = p9_inode_setattr,
};

static const struct inode_ops p9_file_inode_ops = {
    .getattr = p9_inode_getattr,
    .setattr = p9_inode_setattr,
};

static const struct inode_ops p9_link_ops = {
    .readlink = p9_link_readlink,
    .getattr = p9_inode_getattr,
    .setattr = p9_inode_setattr,
};

/* ------------------------------------------------------------------ the instance */

static int p9_super_statfs(struct super *sb, struct kstatfs *st)
{
	return p9_statfs(p9_of(sb), p9_dfid(sb->root), st);
}

static void p9_super_put(struct super *sb)
{
	if (sb->priv)
		p9_free(sb->priv);
	fs_free(sb->priv);
	sb->priv = NULL;
}

static void p9_options(struct super *sb, char *buf, size_t size)
{
	scnprintf(buf, size, ",access=client,msize=%u,trans=virtio", p9_of(sb)->msize);
}

static const struct super_ops p9_super_ops = {
    .revalidate = p9_revalidate,
    .d_release = p9_d_release,
    .evict = p9_evict,
    .statfs = p9_super_statfs,
    .put = p9_super_put,
    .options = p9_options,
};

static int make_root(struct super *sb, const char *aname)
{
	struct p9 *p9 = p9_of(sb);
	struct inode *inode;
	struct p9_qid qid;
	struct p9_attr a;
	bool known;
	u32 fid = p9_new_fid(p9);
	int err = p9_attach(p9, fid, aname, &qid);

	if (!err)
		err = p9_getattr(p9, fid, &a);
	if (err)
		return err;
	if (!S_ISDIR(a.mode))
		return -ENOTDIR;
	inode = get_inode(sb, &a, &known);
	sb->root = inode ? d_alloc_anon(sb, "/", inode) : NULL;
	if (!sb->root)
		return -ENOMEM;
	sb->root->anon = false;
	p9_update(inode, &a, p9_writes(inode), false);
	set_dfid(sb->root, fid);
	return 0;
}

int p9fs_new(const char *tag, const char *aname, struct super **out)
{
	struct p9_virtio *chan = p9_virtio_find(tag);
	struct super *sb;
	struct p9 *p9;
	int err;

	if (!chan)
		return -ENOENT;
	p9 = fs_zalloc(sizeof(*p9));
	if (!p9)
		return -ENOMEM;
	p9->chan = chan;
	spin_init(&p9->lock);
	wait_queue_init(&p9->tag_wq);
	err = p9_init(p9);
	if (!err)
		err = p9_connect(p9);
	sb = err ? NULL : super_alloc("9p", V9FS_MAGIC, &p9_super_ops);
	if (!sb) {
		p9_free(p9);
		fs_free(p9);
		return err ? err : -ENOMEM;
	}
	sb->priv = p9;
	sb->flags = SUPER_KEEP_DENTRIES;
	err = make_root(sb, aname);
	if (err) {
		super_put(sb);
		return err;
	}
	*out = sb;
	return 0;
}
