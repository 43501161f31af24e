/* SPDX-License-Identifier: MIT */
/* Changing directories: mkdir, mknod, symlink, link, unlink, rmdir, rename. */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

/* Between directories only one rename goes on at a time, so that the tree above stays as it is. */
static struct mutex rename_mutex = MUTEX_INIT(rename_mutex);

/* A name that is about to be made, or changed: found by begin_*, given back by end_name(). */
struct name {
	struct path dir;
	struct last_name last;
	struct dentry *d;
	bool locked;
};

static struct name *name_alloc(void)
{
	return fs_zalloc(sizeof(struct name));
}

static void name_free(struct name *n)
{
	if (!n)
		return;
	if (n->locked)
		mutex_unlock(&n->dir.dentry->inode->lock);
	dput(n->d);
	path_put(&n->dir);
	fs_free(n);
}

/* Find the place for a new name and lock its directory. */
static int begin_create(int dfd, u64 upath, bool want_dir, struct name **out)
{
	struct name *n = name_alloc();
	struct dentry *dir;
	int err;

	*out = n;
	if (!n)
		return -ENOMEM;
	err = user_path_parent(dfd, upath, &n->dir, &n->last);
	if (err)
		return err;
	if (n->last.dot || n->last.dotdot)
		return -EEXIST;
	dir = n->dir.dentry;
	if (mount_name_busy(dir, n->last.name, n->last.len))
		return -EEXIST;
	mutex_lock(&dir->inode->lock);
	n->locked = true;
	err = lookup_locked(dir, n->last.name, n->last.len, &n->d);
	if (err)
		return err;
	if (n->d->inode)
		return -EEXIST;
	if (n->last.slash && !want_dir)
		return -ENOENT;
	return dir_may_change(&n->dir);
}

/* op has given the name an inode. */
static int created(struct name *n, int err)
{
	if (!err) {
		d_add(n->d);
		inode_touch(n->dir.dentry->inode, ATTR_MTIME);
	}
	return err;
}

long sys_mkdirat(u64 dfd, u64 upath, u64 mode)
{
	struct name *n;
	int err = begin_create((int)dfd, upath, true, &n);
	struct dentry *dir = n ? n->dir.dentry : NULL;

	if (!err && !dir->inode->op->mkdir)
		err = -EPERM;
	if (!err)
		err = created(n, dir->inode->op->mkdir(
		                     dir, n->d, S_IFDIR | ((u32)mode & 01777 & ~fs_umask())));
	name_free(n);
	return err;
}

static int mknod_allowed(u32 mode)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	case S_IFCHR:
	case S_IFBLK:
		return capable(CAP_MKNOD) ? 0 : -EPERM;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

long sys_mknodat(u64 dfd, u64 upath, u64 umode, u64 dev)
{
	u32 mode = (u32)umode & (S_IFMT | 07777);
	const struct inode_ops *op;
	struct name *n;
	int err = mknod_allowed(mode);

	if (err)
		return err;
	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	mode &= ~fs_umask();
	err = begin_create((int)dfd, upath, false, &n);
	op = err ? NULL : n->dir.dentry->inode->op;
	if (!err && (S_ISREG(mode) ? !op->create : !op->mknod))
		err = -EPERM;
	if (!err && S_ISREG(mode))
		err = created(n, op->create(n->dir.dentry, n->d, mode));
	else if (!err)
		err = created(n, op->mknod(n->dir.dentry, n->d, mode, (u32)dev));
	name_free(n);
	return err;
}

long sys_symlinkat(u64 utarget, u64 dfd, u64 upath)
{
	const struct inode_ops *op;
	struct name *n = NULL;
	char *target;
	int err = user_path_copy(utarget, false, &target);

	if (err)
		return err;
	err = begin_create((int)dfd, upath, false, &n);
	if (!err) {
		op = n->dir.dentry->inode->op;
		err = op->symlink ? created(n, op->symlink(n->dir.dentry, n->d, target)) : -EPERM;
	}
	name_free(n);
	fs_free(target);
	return err;
}

static int do_link(const struct path *old, struct name *n)
{
	struct inode *inode = old->dentry->inode;
	const struct inode_ops *op = n->dir.dentry->inode->op;
	int err;

	if (old->mnt != n->dir.mnt)
		return -EXDEV;
	if (is_dir(inode) || !op->link)
		return -EPERM;
	if (inode->flags & INODE_APPEND)
		return -EPERM;
	mutex_lock(&inode->lock);
	err = inode->nlink || (inode->flags & INODE_LINKABLE)
	          ? op->link(old->dentry, n->dir.dentry, n->d)
	          : -ENOENT;
	mutex_unlock(&inode->lock);
	return created(n, err);
}

long sys_linkat(u64 odfd, u64 opath, u64 ndfd, u64 npath, u64 flags)
{
	u32 lookup = flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
	struct name *n = NULL;
	struct path old;
	int err;

	if (flags & ~(u64)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && !capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	err =
	    user_path((int)odfd, opath, lookup | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &old);
	if (err)
		return err;
	err = begin_create((int)ndfd, npath, false, &n);
	if (!err)
		err = do_link(&old, n);
	name_free(n);
	path_put(&old);
	return err;
}

/* ------------------------------------------------------------------ unlink, rmdir */

static int begin_remove(int dfd, u64 upath, struct name **out)
{
	struct name *n = name_alloc();
	int err;

	*out = n;
	if (!n)
		return -ENOMEM;
	err = user_path_parent(dfd, upath, &n->dir, &n->last);
	if (err || n->last.dot || n->last.dotdot)
		return err;
	if (mount_name_busy(n->dir.dentry, n->last.name, n->last.len))
		return -EBUSY;
	mutex_lock(&n->dir.dentry->inode->lock);
	n->locked = true;
	err = lookup_locked(n->dir.dentry, n->last.name, n->last.len, &n->d);
	if (!err && !n->d->inode)
		err = -ENOENT;
	return err;
}

static int do_unlink(struct name *n)
{
	const struct inode_ops *op;
	int err;

	if (n->last.dot || n->last.dotdot)
		return -EISDIR;
	op = n->dir.dentry->inode->op;
	if (n->last.slash)
		return is_dir(n->d->inode) ? -EISDIR : -ENOTDIR;
	err = dir_may_delete(&n->dir, n->d);
	if (!err && is_dir(n->d->inode))
		err = -EISDIR;
	if (!err)
		err = op->unlink ? op->unlink(n->dir.dentry, n->d) : -EPERM;
	return err;
}

static int do_rmdir(struct name *n)
{
	const struct inode_ops *op;
	struct inode *victim;
	int err;

	if (n->last.dotdot)
		return -ENOTEMPTY;
	if (n->last.dot)
		return n->last.len ? -EINVAL : -EBUSY;
	op = n->dir.dentry->inode->op;
	victim = n->d->inode;
	err = dir_may_delete(&n->dir, n->d);
	if (!err && !is_dir(victim))
		err = -ENOTDIR;
	if (!err && mount_at(n->d))
		err = -EBUSY;
	if (err)
		return err;
	mutex_lock(&victim->lock);
	err = op->rmdir ? op->rmdir(n->dir.dentry, n->d) : -EPERM;
	mutex_unlock(&victim->lock);
	return err;
}

long sys_unlinkat(u64 dfd, u64 upath, u64 flags)
{
	struct name *n;
	int err;

	if (flags & ~(u64)AT_REMOVEDIR)
		return -EINVAL;
	err = begin_remove((int)dfd, upath, &n);
	if (!err)
		err = flags & AT_REMOVEDIR ? do_rmdir(n) : do_unlink(n);
	if (!err) {
		inode_touch(n->d->inode, ATTR_CTIME);
		inode_touch(n->dir.dentry->inode, ATTR_MTIME);
		d_drop(n->d);
	}
	name_free(n);
	return err;
}

/* ------------------------------------------------------------------ rename */

struct rename {
	struct path odir, ndir;
	struct last_name olast, nlast;
	struct dentry *od, *nd;
	u32 flags;
};

/* Lock both directories, the upper one first. */
static void lock_both(struct dentry *a, struct dentry *b)
{
	struct inode *x = a->inode, *y = b->inode;

	if (x == y) {
		mutex_lock(&x->lock);
		return;
	}
	mutex_lock(&rename_mutex);
	if (d_is_ancestor(b, a) || (!d_is_ancestor(a, b) && y < x)) {
		x = b->inode;
		y = a->inode;
	}
	mutex_lock(&x->lock);
	mutex_lock(&y->lock);
}

static void unlock_both(struct dentry *a, struct dentry *b)
{
	mutex_unlock(&a->inode->lock);
	if (a->inode == b->inode)
		return;
	mutex_unlock(&b->inode->lock);
	mutex_unlock(&rename_mutex);
}

static int rename_types(const struct rename *r)
{
	const struct inode *oi = r->od->inode, *ni = r->nd->inode;

	if (!is_dir(oi) && (r->olast.slash || (r->nlast.slash && !(r->flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	if (!ni)
		return r->flags & RENAME_EXCHANGE ? -ENOENT : 0;
	if (r->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (r->flags & RENAME_EXCHANGE)
		return 0;
	if (is_dir(oi) && !is_dir(ni))
		return -ENOTDIR;
	if (!is_dir(oi) && is_dir(ni))
		return -EISDIR;
	return 0;
}

static int rename_allowed(const struct rename *r)
{
	int err = dir_may_delete(&r->odir, r->od);

	if (!err)
		err = r->nd->inode ? dir_may_delete(&r->ndir, r->nd) : dir_may_change(&r->ndir);
	/* A directory that gets another parent has its ".." written. */
	if (!err && is_dir(r->od->inode) && r->odir.dentry != r->ndir.dentry)
		err = inode_permission(r->od->inode, MAY_WRITE);
	if (!err && (mount_name_busy(r->odir.dentry, r->olast.name, r->olast.len) ||
	             mount_name_busy(r->ndir.dentry, r->nlast.name, r->nlast.len) ||
	             (r->nd->inode && mount_at(r->nd))))
		err = -EBUSY;
	return err;
}

/* The file system has done it; the tree follows. name is for the new place. */
static void rename_tree(struct rename *r, char *name)
{
	inode_touch(r->odir.dentry->inode, ATTR_MTIME);
	inode_touch(r->ndir.dentry->inode, ATTR_MTIME);
	inode_touch(r->od->inode, ATTR_CTIME);
	if (r->flags & RENAME_EXCHANGE) {
		d_exchange(r->od, r->nd);
		fs_free(name);
		return;
	}
	if (r->nd->inode)
		d_drop(r->nd);
	d_move(r->od, r->ndir.dentry, name, r->nlast.len);
}

static int rename_locked(struct rename *r)
{
	const struct inode_ops *op = r->odir.dentry->inode->op;
	char *name;
	int err;

	err = lookup_locked(r->odir.dentry, r->olast.name, r->olast.len, &r->od);
	if (!err && !r->od->inode)
		err = -ENOENT;
	if (!err)
		err = lookup_locked(r->ndir.dentry, r->nlast.name, r->nlast.len, &r->nd);
	if (err)
		return err;
	if (d_is_ancestor(r->od, r->ndir.dentry))
		return -EINVAL; /* into itself */
	if (r->nd->inode && d_is_ancestor(r->nd, r->odir.dentry))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	err = rename_types(r);
	if (!err)
		err = rename_allowed(r);
	if (err)
		return err;
	if (r->od->inode == r->nd->inode)
		return 0; /* two names of one file: nothing happens */
	if (!op->rename)
		return -EPERM;
	name = fs_strndup(r->nlast.name, r->nlast.len);
	if (!name)
		return -ENOMEM;
	err = op->rename(r->odir.dentry, r->od, r->ndir.dentry, r->nd, r->flags);
	if (err)
		fs_free(name);
	else
		rename_tree(r, name);
	return err;
}

static int rename_found(struct rename *r)
{
	int err;

	if (r->odir.mnt != r->ndir.mnt)
		return -EXDEV;
	if (r->olast.dot || r->olast.dotdot || r->nlast.dot || r->nlast.dotdot)
		return r->flags & RENAME_NOREPLACE && (r->nlast.dot || r->nlast.dotdot) ? -EEXIST
		                                                                        : -EBUSY;
	lock_both(r->odir.dentry, r->ndir.dentry);
	err = rename_locked(r);
	unlock_both(r->odir.dentry, r->ndir.dentry);
	return err;
}

long sys_renameat2(u64 odfd, u64 opath, u64 ndfd, u64 npath, u64 flags)
{
	struct rename *r;
	int err;

	if ((flags & ~(u64)(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = fs_zalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->flags = (u32)flags;
	err = user_path_parent((int)odfd, opath, &r->odir, &r->olast);
	if (!err)
		err = user_path_parent((int)ndfd, npath, &r->ndir, &r->nlast);
	if (!err)
		err = rename_found(r);
	dput(r->od);
	dput(r->nd);
	path_put(&r->odir);
	path_put(&r->ndir);
	fs_free(r);
	return err;
}

long sys_renameat(u64 odfd, u64 opath, u64 ndfd, u64 npath)
{
	return sys_renameat2(odfd, opath, ndfd, npath, 0);
}
