/* SPDX-License-Identifier: MIT */
/*
 * tmpfs: a file system whose directories are the tree of dentries itself, and whose files are page
 * caches without a home. Each name in it is pinned by one reference, dropped by unlink.
 *
 * Room is counted in pages, and asked for each page that is made, be it by write, by fallocate or by
 * a touch through a mapping (which gets SIGBUS where there is none). What goes is found out late: an
 * inode's pages are counted again when it changes, and all of them before somebody is refused.
 */
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

struct tmpfs {
	u64 max_pages;  /* 0: no limit */
	u64 max_inodes; /* 0: no limit */
	u64 used;       /* sb->lock: pages */
	u64 inodes;     /* sb->lock */
	u32 mode;
};

static const struct inode_ops tmpfs_dir_ops, tmpfs_file_ops, tmpfs_link_ops;
static const struct file_ops tmpfs_dir_file_ops, tmpfs_regular_ops;
static const struct mmk_mapping_ops tmpfs_mapping_ops;
static struct super *shm_sb;
static struct mount *shm_mnt;

/* ------------------------------------------------------------------ inodes */

static bool reserve_inode(struct super *sb)
{
	struct tmpfs *t = sb->priv;
	bool ok;

	spin_lock(&sb->lock);
	ok = !t->max_inodes || t->inodes < t->max_inodes;
	t->inodes += ok;
	spin_unlock(&sb->lock);
	return ok;
}

static void release_inode(struct super *sb)
{
	struct tmpfs *t = sb->priv;

	spin_lock(&sb->lock);
	t->inodes--;
	spin_unlock(&sb->lock);
}

/* NULL: *err is -ENOSPC or -ENOMEM. */
static struct inode *tmpfs_inode(struct super *sb, u32 mode, u32 rdev, int *err)
{
	struct inode *inode;

	*err = -ENOSPC;
	if (!reserve_inode(sb))
		return NULL;
	*err = -ENOMEM;
	inode = inode_alloc(sb, mode, &tmpfs_mapping_ops);
	if (!inode) {
		release_inode(sb);
		return NULL;
	}
	inode->rdev = rdev;
	inode->fop = special_ops(mode, &tmpfs_regular_ops, &tmpfs_dir_file_ops);
	inode->op = &tmpfs_file_ops;
	inode->seals = F_SEAL_SEAL; /* a memfd may say otherwise */
	if (S_ISDIR(mode)) {
		inode->op = &tmpfs_dir_ops;
		inode->nlink = 2;
	} else if (S_ISLNK(mode)) {
		inode->op = &tmpfs_link_ops;
	}
	return inode;
}

/* Give the name its inode; the tree holds the name from now on. */
static int tmpfs_new_entry(struct dentry *dir, struct dentry *d, u32 mode, u32 rdev)
{
	struct inode *inode;
	int err;

	if (dir->inode->mode & S_ISGID && S_ISDIR(mode))
		mode |= S_ISGID;
	inode = tmpfs_inode(dir->sb, mode, rdev, &err);
	if (!inode)
		return err;
	if (dir->inode->mode & S_ISGID)
		inode->gid = dir->inode->gid;
	d_instantiate(d, inode);
	d->pinned = true;
	dget(d);
	return 0;
}

static int tmpfs_lookup(struct dentry *dir, struct dentry *d)
{
	return -ENOENT; /* what there is, is in the tree */
}

static int tmpfs_create(struct dentry *dir, struct dentry *d, u32 mode)
{
	return tmpfs_new_entry(dir, d, mode, 0);
}

static int tmpfs_mkdir(struct dentry *dir, struct dentry *d, u32 mode)
{
	int err = tmpfs_new_entry(dir, d, mode, 0);

	if (!err)
		dir->inode->nlink++;
	return err;
}

static int tmpfs_mknod(struct dentry *dir, struct dentry *d, u32 mode, u32 rdev)
{
	return tmpfs_new_entry(dir, d, mode, rdev);
}

static int tmpfs_symlink(struct dentry *dir, struct dentry *d, const char *target)
{
	size_t n = strlen(target);
	char *text = fs_strndup(target, n);
	int err = text ? tmpfs_new_entry(dir, d, S_IFLNK | 0777, 0) : -ENOMEM;

	if (err) {
		fs_free(text);
		return err;
	}
	d->inode->link = text;
	d->inode->mapping.i_size = n;
	return 0;
}

static int tmpfs_link(struct dentry *old, struct dentry *dir, struct dentry *d)
{
	struct inode *inode = old->inode;

	inode->nlink++;
	inode_touch(inode, ATTR_CTIME);
	inode_get(inode);
	d_instantiate(d, inode);
	d->pinned = true;
	dget(d);
	return 0;
}

static int tmpfs_unlink(struct dentry *dir, struct dentry *d)
{
	d->inode->nlink--;
	return 0;
}

static int tmpfs_rmdir(struct dentry *dir, struct dentry *d)
{
	if (d_has_children(d))
		return -ENOTEMPTY;
	d->inode->nlink = 0;
	dir->inode->nlink--;
	return 0;
}

static void moved_dir(struct dentry *from, struct dentry *to)
{
	from->inode->nlink--;
	to->inode->nlink++;
}

static int tmpfs_rename(struct dentry *odir, struct dentry *od, struct dentry *ndir,
                        struct dentry *nd, u32 flags)
{
	bool odd = is_dir(od->inode), ndd = nd->inode && is_dir(nd->inode);

	if (flags & RENAME_EXCHANGE) {
		if (odd && !ndd)
			moved_dir(odir, ndir);
		else if (!odd && ndd)
			moved_dir(ndir, odir);
		return 0;
	}
	if (ndd && d_has_children(nd))
		return -ENOTEMPTY;
	if (ndd) {
		nd->inode->nlink = 0;
		ndir->inode->nlink--;
	} else if (nd->inode) {
		nd->inode->nlink--;
	}
	if (odd)
		moved_dir(odir, ndir);
	return 0;
}

static int tmpfs_tmpfile(struct dentry *dir, struct dentry *d, u32 mode)
{
	int err;
	struct inode *inode = tmpfs_inode(dir->sb, mode, 0, &err);

	if (!inode)
		return err;
	inode->nlink = 0;
	inode->flags |= INODE_LINKABLE;
	d_instantiate(d, inode);
	return 0;
}

static ssize_t tmpfs_readlink(struct dentry *d, char *buf, size_t size)
{
	size_t n = min(size, (size_t)inode_size(d->inode));

	memcpy(buf, d->inode->link, n);
	return (ssize_t)n;
}

static int tmpfs_setattr(struct dentry *d, const struct iattr *a)
{
	int err = a->valid & ATTR_MODE ? seal_mode(d->inode, a->mode) : 0;

	if (err || !(a->valid & ATTR_SIZE))
		return err;
	err = seal_size(d->inode, a->size);
	return err ? err : mmk_mapping_truncate(&d->inode->mapping, a->size);
}

static const struct inode_ops tmpfs_dir_ops = {
    .lookup = tmpfs_lookup,
    .create = tmpfs_create,
    .mkdir = tmpfs_mkdir,
    .mknod = tmpfs_mknod,
    .symlink = tmpfs_symlink,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rmdir = tmpfs_rmdir,
    .rename = tmpfs_rename,
    .tmpfile = tmpfs_tmpfile,
};

static const struct inode_ops tmpfs_file_ops = {.setattr = tmpfs_setattr};
static const struct inode_ops tmpfs_link_ops = {.readlink = tmpfs_readlink};

/* ------------------------------------------------------------------ directories */

/* Positions: 0 ".", 1 "..", then 2 + a child's cookie. */
static int tmpfs_readdir(struct file *f, struct dir_ctx *ctx)
{
	struct dentry *dir = f->path.dentry, *d;

	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, dir->inode->ino, DT_DIR, 1))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		struct dentry *up = d_parent(dir);
		bool ok = ctx->emit(ctx, "..", 2, up->inode->ino, DT_DIR, 2);

		dput(up);
		if (!ok)
			return 0;
		ctx->pos = 2;
	}
	while ((d = d_next_child(dir, ctx->pos - 2)) != NULL) {
		u64 next = d->cookie + 3;
		bool ok = ctx->emit(ctx, d->name, d->len, d->inode->ino, MODE_TO_DT(d->inode->mode),
		                    next);

		dput(d);
		if (!ok)
			return 0;
		ctx->pos = next;
	}
	return 0;
}

static const struct file_ops tmpfs_dir_file_ops = {
    .readdir = tmpfs_readdir,
    .llseek = generic_llseek,
};

/* ------------------------------------------------------------------ files: room */

/* sb->lock. */
static void account_locked(struct tmpfs *t, struct inode *inode)
{
	u64 now = READ_ONCE(inode->mapping.nrpages);

	t->used += now - inode->charged;
	inode->charged = now;
}

static void tmpfs_account(struct inode *inode)
{
	spin_lock(&inode->sb->lock);
	account_locked(inode->sb->priv, inode);
	spin_unlock(&inode->sb->lock);
}

/* sb->lock. Are there more pages than there may be, all of them counted? */
static bool overfull(struct super *sb)
{
	struct tmpfs *t = sb->priv;
	struct inode *inode;

	if (!t->max_pages || t->used <= t->max_pages)
		return false;
	list_for_each_entry (inode, &sb->inodes, sb_node)
		account_locked(t, inode);
	return t->used > t->max_pages;
}

/* A page more, which is in the cache already but goes again if it is refused. */
static int tmpfs_new_page(struct mmk_mapping *m, uint64_t index)
{
	struct inode *inode = m->host;
	struct super *sb = inode->sb;
	struct tmpfs *t = sb->priv;
	int err = 0;

	spin_lock(&sb->lock);
	account_locked(t, inode);
	if (overfull(sb)) {
		t->used--;
		inode->charged--;
		err = -ENOSPC;
	}
	spin_unlock(&sb->lock);
	return err;
}

static const struct mmk_mapping_ops tmpfs_mapping_ops = {
    .page_mkwrite = tmpfs_new_page,
    .page_mkwrite_nowait = true,
};

/* Room for all of [pos, pos + len) that is not there yet: fallocate makes all of it or nothing. */
static int tmpfs_reserve(struct inode *inode, u64 pos, u64 len)
{
	struct tmpfs *t = inode->sb->priv;
	u64 need = ((pos + len + PAGE_SIZE - 1) >> PAGE_SHIFT) - (pos >> PAGE_SHIFT);
	u64 index;
	bool full;

	if (!t->max_pages)
		return 0;
	if (need > t->max_pages)
		return -ENOSPC;
	for (index = pos >> PAGE_SHIFT; index << PAGE_SHIFT < pos + len; index++) {
		struct mmk_page *page;
		void *kva;

		if (mmk_mapping_pin(&inode->mapping, index, false, &page, &kva))
			continue;
		mmk_mapping_unpin(&inode->mapping, page, false);
		need--;
	}
	spin_lock(&inode->sb->lock);
	account_locked(t, inode);
	t->used += need;
	full = overfull(inode->sb);
	t->used -= need;
	spin_unlock(&inode->sb->lock);
	return full ? -ENOSPC : 0;
}

static void tmpfs_evict(struct inode *inode)
{
	struct tmpfs *t = inode->sb->priv;

	spin_lock(&inode->sb->lock);
	t->used -= inode->charged;
	t->inodes--;
	spin_unlock(&inode->sb->lock);
}

/* Pages for [off, off + len) of a file; whatever fails leaves what was made: it reads as zero. */
static int make_pages(struct inode *inode, u64 off, u64 len)
{
	struct mmk_mapping *m = &inode->mapping;
	u64 index;

	for (index = off >> PAGE_SHIFT; index << PAGE_SHIFT < off + len; index++) {
		struct mmk_page *page;
		void *kva;
		int err = mmk_mapping_pin(m, index, true, &page, &kva);

		if (err)
			return err;
		mmk_mapping_unpin(m, page, true);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* RLIMIT_FSIZE, kept size or not. */
static int check_new_size(const struct inode *inode, int mode, u64 end)
{
	if ((mode & FALLOC_FL_PUNCH_HOLE) || end <= inode_size(inode) ||
	    end <= current->proc->rlim[RLIMIT_FSIZE].cur)
		return 0;
	send_sig(SIGXFSZ, current);
	return -EFBIG;
}

static int allocate_locked(struct inode *inode, int mode, u64 off, u64 len)
{
	u64 old = inode_size(inode);
	int err = check_new_size(inode, mode, off + len);

	if (!err)
		err = seal_fallocate(inode, mode, off, len);

	if (err)
		return err;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return mmk_mapping_punch(&inode->mapping, off, off + len);
	err = tmpfs_reserve(inode, off, len);
	if (err)
		return err;
	/* Pages past the end are kept for later. */
	if (off + len <= old || (mode & FALLOC_FL_KEEP_SIZE))
		return make_pages(inode, off, len);
	err = mmk_mapping_truncate(&inode->mapping, off + len);
	if (err)
		return err;
	err = make_pages(inode, off, len);
	if (err)
		mmk_mapping_truncate(&inode->mapping, old);
	return err;
}

static int tmpfs_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *inode = f->inode;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	mutex_lock(&inode->lock);
	err = allocate_locked(inode, mode, off, len);
	tmpfs_account(inode);
	if (!err)
		inode_touch(inode, ATTR_MTIME);
	mutex_unlock(&inode->lock);
	return err;
}

static int tmpfs_fsync(struct file *f, u64 start, u64 end, bool data_only)
{
	return 0; /* memory is as durable as it gets */
}

static int set_attribute_flags(struct inode *inode, u32 want)
{
	if (!inode_owner_or_capable(inode))
		return -EACCES;
	if (want & ~FS_APPEND_FL)
		return -EOPNOTSUPP;
	if (!(want & FS_APPEND_FL) == !(inode->flags & INODE_APPEND))
		return 0;
	if (!capable(CAP_LINUX_IMMUTABLE))
		return -EPERM;
	inode->flags ^= INODE_APPEND;
	inode_touch(inode, ATTR_CTIME);
	return 0;
}

/* chattr +a and lsattr, of what there is to set. */
static long tmpfs_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct inode *inode = f->inode;
	u32 flags;
	int err;

	switch (cmd) {
	case FS_IOC_GETFLAGS:
		return put_user(inode->flags & INODE_APPEND ? FS_APPEND_FL : 0, u32, arg);
	case FS_IOC_SETFLAGS:
		if (get_user(flags, arg))
			return -EFAULT;
		err = mnt_want_write(&f->path);
		if (err)
			return err;
		mutex_lock(&inode->lock);
		err = set_attribute_flags(inode, flags);
		mutex_unlock(&inode->lock);
		return err;
	default:
		return regular_ioctl(f, cmd, arg);
	}
}

static const struct file_ops tmpfs_regular_ops = {
    .mm = {.mmap = mmk_generic_file_mmap, .fallocate = mm_fallocate},
    .read = regular_read,
    .write = regular_write,
    .llseek = generic_llseek,
    .fsync = tmpfs_fsync,
    .fallocate = tmpfs_fallocate,
    .ioctl = tmpfs_ioctl,
};

/* ------------------------------------------------------------------ the instance */

static int tmpfs_statfs(struct super *sb, struct kstatfs *st)
{
	struct tmpfs *t = sb->priv;
	struct inode *inode;
	u64 used;

	spin_lock(&sb->lock);
	list_for_each_entry (inode, &sb->inodes, sb_node)
		account_locked(t, inode);
	used = t->used;
	spin_unlock(&sb->lock);
	if (t->max_pages) {
		st->blocks = t->max_pages;
		st->bfree = st->bavail = used < t->max_pages ? t->max_pages - used : 0;
	}
	if (t->max_inodes) {
		st->files = t->max_inodes;
		st->ffree = t->max_inodes - READ_ONCE(t->inodes);
	}
	return 0;
}

static void tmpfs_options(struct super *sb, char *buf, size_t size)
{
	struct tmpfs *t = sb->priv;

	if (t->max_pages)
		scnprintf(buf, size, ",size=%lluk,mode=%o",
		          (unsigned long long)t->max_pages * (PAGE_SIZE / 1024), t->mode);
}

/* Take every name out of the tree, so that nothing is pinned any more. */
static void drop_tree(struct dentry *dir)
{
	struct dentry *at = dget(dir);

	while (at) {
		struct dentry *child = d_next_child(at, 0);
		struct dentry *up;

		if (child) {
			dput(at);
			at = child;
			continue;
		}
		up = at == dir ? NULL : d_parent(at);
		if (up)
			d_drop(at);
		dput(at);
		at = up;
	}
}

static void tmpfs_put(struct super *sb)
{
	fs_free(sb->priv);
	sb->priv = NULL;
}

static void tmpfs_unmount(struct super *sb)
{
	drop_tree(sb->root);
}

static const struct super_ops tmpfs_super_ops = {
    .evict = tmpfs_evict,
    .statfs = tmpfs_statfs,
    .options = tmpfs_options,
    .account = tmpfs_account,
    .unmount = tmpfs_unmount,
    .put = tmpfs_put,
};

static struct super *tmpfs_alloc(const char *type, u64 max_bytes, u32 mode)
{
	struct super *sb = super_alloc(type, TMPFS_MAGIC, &tmpfs_super_ops);
	struct tmpfs *t = fs_zalloc(sizeof(*t));

	if (!sb || !t) {
		fs_free(t);
		if (sb)
			super_put(sb);
		return NULL;
	}
	sb->priv = t;
	t->mode = mode;
	t->max_pages = (max_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	return sb;
}

void tmpfs_limit_inodes(struct super *sb, u64 max_inodes)
{
	struct tmpfs *t = sb->priv;

	t->max_inodes = max_inodes;
}

/* The defaults: half of all memory, and as many inodes. */
static u64 half_the_memory(void)
{
	struct mmk_stats st;

	mmk_stats(mm_sys, &st);
	return st.frames_total / 2;
}

struct super *tmpfs_new(const char *type, u64 max_bytes, u32 mode)
{
	bool bounded = !strcmp(type, "tmpfs");
	struct super *sb;
	struct inode *inode;
	int err;

	if (max_bytes == TMPFS_DEFAULT_SIZE)
		max_bytes = bounded ? half_the_memory() * PAGE_SIZE : 0;
	sb = tmpfs_alloc(type, max_bytes, mode);
	if (!sb)
		return NULL;
	inode = tmpfs_inode(sb, S_IFDIR | mode, 0, &err);
	sb->root = inode ? d_alloc_anon(sb, "/", inode) : NULL;
	if (!sb->root) {
		super_put(sb);
		return NULL;
	}
	if (bounded)
		tmpfs_limit_inodes(sb, half_the_memory());
	sb->root->anon = false;
	if (!strcmp(type, "ramfs"))
		sb->magic = RAMFS_MAGIC;
	return sb;
}

/* ------------------------------------------------------------------ objects without a name */

int tmpfs_init(void)
{
	shm_sb = tmpfs_new("tmpfs", 0, 01777); /* kept in bounds by the commit limit alone */
	shm_mnt = fs_zalloc(sizeof(*shm_mnt));
	if (!shm_sb || !shm_mnt)
		return -ENOMEM;
	tmpfs_limit_inodes(shm_sb, 0);
	shm_mnt->refs = 1;
	shm_mnt->sb = shm_sb;
	shm_mnt->root = shm_sb->root;
	list_init(&shm_mnt->node);
	return 0;
}

struct super *shm_super(void)
{
	return shm_sb;
}

int tmpfs_object(const char *name, u64 size, u32 flags, struct file **out)
{
	int err;
	struct inode *inode = tmpfs_inode(shm_sb, S_IFREG | 0777, 0, &err);
	struct path p = {.mnt = shm_mnt};
	char text[FS_NAME_MAX + 16];

	if (!inode)
		return err;
	inode->nlink = 0;
	scnprintf(text, sizeof(text), "/%s (deleted)", name);
	p.dentry = d_alloc_anon(shm_sb, text, inode);
	if (!p.dentry)
		return -ENOMEM;
	err = size ? mmk_mapping_truncate(&inode->mapping, size) : 0;
	if (!err)
		err = file_open_path(&p, flags, out);
	dput(p.dentry);
	/* Its maker is no writer that keeps others from executing it. */
	if (!err && (*out)->write_held) {
		(*out)->write_held = false;
		mmk_mapping_put_write(&inode->mapping);
	}
	return err;
}
