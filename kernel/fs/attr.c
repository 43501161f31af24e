/* SPDX-License-Identifier: MIT */
/*
 * Attributes of inodes: reading them, changing them with Linux's rules of who may, and the calls
 * that do no more than that. Size is an attribute too: truncate(2).
 */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

int vfs_getattr(const struct path *path, struct kstat *st)
{
	struct inode *inode = path->dentry->inode;
	int err = inode->op->getattr ? inode->op->getattr(path->dentry) : 0;

	if (err)
		return err;
	*st = (struct kstat){
	    .dev = inode->sb->dev,
	    .ino = inode->ino,
	    .mode = inode->mode,
	    .nlink = inode->nlink,
	    .uid = inode->uid,
	    .gid = inode->gid,
	    .rdev = inode->rdev,
	    .blksize = PAGE_SIZE,
	    .size = inode_size(inode),
	    .blocks = inode->blocks,
	    .atime = inode->atime,
	    .mtime = inode->mtime,
	    .ctime = inode->ctime,
	    .btime = inode->btime,
	};
	if (inode->has_mapping && (!inode->mapping.ops || !inode->mapping.ops->read))
		st->blocks = READ_ONCE(inode->mapping.nrpages) * (PAGE_SIZE / 512);
	return 0;
}

void inode_touch(struct inode *inode, u32 attr)
{
	struct fs_time now = fs_now();

	if (attr & ATTR_ATIME)
		inode->atime = now;
	if (attr & ATTR_MTIME)
		inode->mtime = now;
	if (attr & (ATTR_MTIME | ATTR_CTIME))
		inode->ctime = now;
}

void inode_kill_suid(struct inode *inode)
{
	u32 kill = S_ISUID | (inode->mode & 0010 ? S_ISGID : 0);

	if ((inode->mode & kill) && !capable(CAP_FSETID))
		inode->mode &= ~kill;
}

/* ------------------------------------------------------------------ who may */

static int may_chown(const struct inode *inode, const struct iattr *a)
{
	bool owner = current->cred.fsuid == inode->uid;

	if (capable(CAP_CHOWN))
		return 0;
	if ((a->valid & ATTR_UID) && (!owner || a->uid != inode->uid))
		return -EPERM;
	if ((a->valid & ATTR_GID) && (!owner || (!in_group(a->gid) && a->gid != inode->gid)))
		return -EPERM;
	return 0;
}

static int may_set(const struct inode *inode, const struct iattr *a)
{
	int err = 0;

	if (a->valid & (ATTR_UID | ATTR_GID))
		err = may_chown(inode, a);
	if (!err && (a->valid & ATTR_MODE) && !inode_owner_or_capable(inode))
		err = -EPERM;
	if (!err && (a->valid & (ATTR_ATIME_SET | ATTR_MTIME_SET)) &&
	    !inode_owner_or_capable(inode))
		err = -EPERM;
	/* Both times to now: who may write may do that. */
	if (!err && (a->valid & (ATTR_ATIME | ATTR_MTIME)) &&
	    !(a->valid & (ATTR_ATIME_SET | ATTR_MTIME_SET)) && !inode_owner_or_capable(inode))
		err = inode_permission(inode, MAY_WRITE);
	return err;
}

/* What goes along with a change: bits that do not survive a new owner, or a mode of another group.
 */
static void complete(const struct inode *inode, struct iattr *a)
{
	struct fs_time now = fs_now();

	if ((a->valid & (ATTR_UID | ATTR_GID)) && !(a->valid & ATTR_MODE) && !is_dir(inode) &&
	    (inode->mode & (S_ISUID | S_ISGID))) {
		a->valid |= ATTR_MODE;
		a->mode = inode->mode & ~S_ISUID;
		if (inode->mode & 0010)
			a->mode &= ~S_ISGID;
	}
	if ((a->valid & ATTR_MODE) && !in_group(a->valid & ATTR_GID ? a->gid : inode->gid) &&
	    !capable(CAP_FSETID))
		a->mode &= ~S_ISGID;
	if ((a->valid & ATTR_ATIME) && !(a->valid & ATTR_ATIME_SET))
		a->atime = now;
	if ((a->valid & ATTR_MTIME) && !(a->valid & ATTR_MTIME_SET))
		a->mtime = now;
	a->valid |= ATTR_CTIME;
}

static void apply(struct inode *inode, const struct iattr *a)
{
	if (a->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (a->mode & 07777);
	if (a->valid & ATTR_UID)
		inode->uid = a->uid;
	if (a->valid & ATTR_GID)
		inode->gid = a->gid;
	if (a->valid & ATTR_ATIME)
		inode->atime = a->atime;
	if (a->valid & ATTR_MTIME)
		inode->mtime = a->mtime;
	inode->ctime = fs_now();
}

int vfs_setattr(const struct path *path, struct iattr *a)
{
	struct inode *inode = path->dentry->inode;
	int err = mnt_want_write(path);

	if (err)
		return err;
	mutex_lock(&inode->lock);
	err = may_set(inode, a);
	if (!err) {
		complete(inode, a);
		err = inode->op->setattr ? inode->op->setattr(path->dentry, a) : 0;
	}
	if (!err)
		apply(inode, a);
	mutex_unlock(&inode->lock);
	return err;
}

/* ------------------------------------------------------------------ size */

static int fsize_ok(const struct inode *inode, u64 size)
{
	if (size > FS_FILE_MAX)
		return -EFBIG;
	if (size <= inode_size(inode) || task_is_kernel(current) ||
	    size <= current->proc->rlim[RLIMIT_FSIZE].cur)
		return 0;
	send_sig(SIGXFSZ, current);
	return -EFBIG;
}

int vfs_truncate(const struct path *path, u64 size)
{
	struct inode *inode = path->dentry->inode;
	struct iattr a = {.valid = ATTR_SIZE, .size = size};
	int err;

	mutex_lock(&inode->lock);
	err = inode->flags & INODE_APPEND ? -EPERM : fsize_ok(inode, size);
	if (!err && inode->op->setattr)
		err = inode->op->setattr(path->dentry, &a); /* sets the mapping's size itself */
	else if (!err)
		err = mmk_mapping_truncate(&inode->mapping, size);
	if (!err) {
		inode_touch(inode, ATTR_MTIME);
		inode_kill_suid(inode);
		if (inode->sb->op->account)
			inode->sb->op->account(inode);
	}
	mutex_unlock(&inode->lock);
	return err;
}

static int truncate_path(const struct path *p, u64 size)
{
	struct inode *inode = p->dentry->inode;
	int err;

	if (is_dir(inode))
		return -EISDIR;
	if (!inode->has_mapping)
		return -EINVAL;
	err = inode_permission(inode, MAY_WRITE);
	if (!err)
		err = mnt_want_write(p);
	if (!err)
		err = mmk_mapping_get_write(&inode->mapping);
	if (err)
		return err;
	err = vfs_truncate(p, size);
	mmk_mapping_put_write(&inode->mapping);
	return err;
}

long sys_truncate(u64 upath, u64 size)
{
	struct path p;
	int err;

	if ((s64)size < 0)
		return -EINVAL;
	err = user_path(AT_FDCWD, upath, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	err = truncate_path(&p, size);
	path_put(&p);
	return err;
}

long sys_ftruncate(u64 fd, u64 size)
{
	struct file *f;
	int err;

	if ((s64)size < 0)
		return -EINVAL;
	f = fget((int)fd);
	if (!f)
		return -EBADF;
	if (!FILE_CAN_WRITE(f) || !f->inode->has_mapping)
		err = -EINVAL;
	else
		err = vfs_truncate(&f->path, size);
	fput(f);
	return err;
}

static int file_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	if (!FILE_CAN_WRITE(f))
		return -EBADF;
	if (is_dir(f->inode))
		return -EISDIR;
	if (f->fop->flags & FOP_STREAM)
		return -ESPIPE;
	if (!f->inode->has_mapping)
		return -ENODEV;
	if ((s64)(off + len) < 0)
		return -EFBIG;
	return f->fop->fallocate ? f->fop->fallocate(f, mode, off, len) : -EOPNOTSUPP;
}

int mm_fallocate(struct mmk_file *mf, int mode, u64 off, u64 len)
{
	return file_fallocate(container_of(mf, struct file, mf), mode, off, len);
}

long sys_fallocate(u64 fd, u64 mode, u64 off, u64 len)
{
	struct file *f;
	int err;

	if ((s64)off < 0 || (s64)len <= 0)
		return -EINVAL;
	f = fget((int)fd);
	if (!f)
		return -EBADF;
	err = file_fallocate(f, (int)mode, off, len);
	fput(f);
	return err;
}

/* ------------------------------------------------------------------ mode, owner, times */

static int chmod_path(const struct path *p, u64 mode)
{
	struct iattr a = {.valid = ATTR_MODE, .mode = (u32)mode & 07777};

	if (S_ISLNK(p->dentry->inode->mode))
		return -EOPNOTSUPP;
	return vfs_setattr(p, &a);
}

long sys_fchmod(u64 fd, u64 mode)
{
	struct file *f = fget((int)fd);
	int err;

	if (!f)
		return -EBADF;
	err = chmod_path(&f->path, mode);
	fput(f);
	return err;
}

/* What the calls that end in "at" name. -EINVAL: flags that they do not have. */
static int path_of_flags(u64 dfd, u64 upath, u64 flags, struct path *p)
{
	u32 lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;

	if (flags & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return user_path((int)dfd, upath, lookup | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), p);
}

long sys_fchmodat2(u64 dfd, u64 upath, u64 mode, u64 flags)
{
	struct path p;
	int err = path_of_flags(dfd, upath, flags, &p);

	if (err)
		return err;
	err = chmod_path(&p, mode);
	path_put(&p);
	return err;
}

long sys_fchmodat(u64 dfd, u64 path, u64 mode)
{
	return sys_fchmodat2(dfd, path, mode, 0);
}

static int chown_path(const struct path *p, u32 uid, u32 gid)
{
	struct iattr a = {.uid = uid, .gid = gid};

	if (uid != ~0u)
		a.valid |= ATTR_UID;
	if (gid != ~0u)
		a.valid |= ATTR_GID;
	return vfs_setattr(p, &a);
}

long sys_fchown(u64 fd, u64 uid, u64 gid)
{
	struct file *f = fget((int)fd);
	int err;

	if (!f)
		return -EBADF;
	err = chown_path(&f->path, (u32)uid, (u32)gid);
	fput(f);
	return err;
}

long sys_fchownat(u64 dfd, u64 upath, u64 uid, u64 gid, u64 flags)
{
	struct path p;
	int err = path_of_flags(dfd, upath, flags, &p);

	if (err)
		return err;
	err = chown_path(&p, (u32)uid, (u32)gid);
	path_put(&p);
	return err;
}

/* One of utimensat's two times. */
static int time_attr(const struct abi_timespec *ts, u32 attr, u32 set, struct fs_time *out,
                     u32 *valid)
{
	if (ts->nsec == UTIME_OMIT)
		return 0;
	*valid |= attr;
	if (ts->nsec == UTIME_NOW)
		return 0;
	if (ts->nsec < 0 || ts->nsec >= 1000000000)
		return -EINVAL;
	*valid |= set;
	*out = (struct fs_time){.sec = ts->sec, .nsec = (u32)ts->nsec};
	return 0;
}

static int read_times(u64 utimes, struct iattr *a)
{
	struct abi_timespec ts[2] = {{.nsec = UTIME_NOW}, {.nsec = UTIME_NOW}};
	int err;

	if (utimes && copy_from_user(ts, utimes, sizeof(ts)))
		return -EFAULT;
	err = time_attr(&ts[0], ATTR_ATIME, ATTR_ATIME_SET, &a->atime, &a->valid);
	if (!err)
		err = time_attr(&ts[1], ATTR_MTIME, ATTR_MTIME_SET, &a->mtime, &a->valid);
	/* One now and the other left alone needs the owner, as setting does. */
	if (!err && (a->valid == ATTR_ATIME || a->valid == ATTR_MTIME)) {
		a->atime = a->mtime = fs_now();
		a->valid |= a->valid == ATTR_ATIME ? ATTR_ATIME_SET : ATTR_MTIME_SET;
	}
	return err;
}

long sys_utimensat(u64 dfd, u64 upath, u64 utimes, u64 flags)
{
	struct iattr a = {0};
	struct path p = {0};
	struct file *f;
	int err = read_times(utimes, &a);

	if (err)
		return err;
	if (flags & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!a.valid)
		return 0;
	if (upath) {
		err = path_of_flags(dfd, upath, flags, &p);
	} else {
		if (flags)
			return -EINVAL;
		f = fget((int)dfd);
		if (!f)
			return -EBADF;
		p = f->path;
		path_get(&p);
		fput(f);
	}
	if (!err)
		err = vfs_setattr(&p, &a);
	path_put(&p);
	return err;
}
