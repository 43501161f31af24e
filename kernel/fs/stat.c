/* SPDX-License-Identifier: MIT */
/* What a file is: stat(2) in its forms, statx(2), statfs(2), access(2). */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

/*
 * A path relative to dfd, or with AT_EMPTY_PATH and an empty (or no) path dfd itself; then O_PATH
 * descriptors and nameless files do as well.
 */
static int stat_path(int dfd, u64 upath, u32 flags, struct path *out)
{
	u32 lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;

	if (!(flags & AT_EMPTY_PATH))
		return user_path(dfd, upath, lookup, out);
	if (upath) {
		char c;

		if (copy_from_user(&c, upath, 1))
			return -EFAULT;
		if (c || dfd == AT_FDCWD)
			return user_path(dfd, upath, lookup | LOOKUP_EMPTY, out);
	}
	return path_at(dfd, out);
}

static int put_stat(const struct kstat *k, u64 ust)
{
	struct abi_stat st = {
	    .dev = k->dev,
	    .ino = k->ino,
	    .mode = k->mode,
	    .nlink = k->nlink,
	    .uid = k->uid,
	    .gid = k->gid,
	    .rdev = k->rdev,
	    .size = (s64)k->size,
	    .blksize = (s32)k->blksize,
	    .blocks = (s64)k->blocks,
	    .atime = k->atime.sec,
	    .atime_nsec = k->atime.nsec,
	    .mtime = k->mtime.sec,
	    .mtime_nsec = k->mtime.nsec,
	    .ctime = k->ctime.sec,
	    .ctime_nsec = k->ctime.nsec,
	};

	return copy_to_user(ust, &st, sizeof(st));
}

long sys_newfstatat(u64 dfd, u64 upath, u64 ust, u64 flags)
{
	struct kstat k;
	struct path p;
	int err;

	if (flags & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	err = stat_path((int)dfd, upath, (u32)flags, &p);
	if (err)
		return err;
	err = vfs_getattr(&p, &k);
	path_put(&p);
	return err ? err : put_stat(&k, ust);
}

long sys_fstat(u64 fd, u64 ust)
{
	struct file *f = fget_raw((int)fd);
	struct kstat k;
	int err;

	if (!f)
		return -EBADF;
	err = vfs_getattr(&f->path, &k);
	fput(f);
	return err ? err : put_stat(&k, ust);
}

static struct abi_statx_time statx_time(const struct fs_time *t)
{
	return (struct abi_statx_time){.sec = t->sec, .nsec = t->nsec};
}

static int put_statx(const struct kstat *k, u64 mnt_id, u64 ust)
{
	struct abi_statx st = {
	    .mask = STATX_BASIC_STATS | STATX_MNT_ID | (k->btime.sec ? STATX_BTIME : 0),
	    .blksize = k->blksize,
	    .nlink = k->nlink,
	    .uid = k->uid,
	    .gid = k->gid,
	    .mode = (u16)k->mode,
	    .ino = k->ino,
	    .size = k->size,
	    .blocks = k->blocks,
	    .atime = statx_time(&k->atime),
	    .btime = statx_time(&k->btime),
	    .ctime = statx_time(&k->ctime),
	    .mtime = statx_time(&k->mtime),
	    .rdev_major = MAJOR(k->rdev),
	    .rdev_minor = MINOR(k->rdev),
	    .dev_major = MAJOR((u32)k->dev),
	    .dev_minor = MINOR((u32)k->dev),
	    .mnt_id = mnt_id,
	};

	return copy_to_user(ust, &st, sizeof(st));
}

long sys_statx(u64 dfd, u64 upath, u64 flags, u64 mask, u64 ust)
{
	struct kstat k;
	struct path p;
	u64 mnt_id;
	int err;

	if (flags &
	    ~(u64)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((mask & 0x80000000u) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	err = stat_path((int)dfd, upath, (u32)flags, &p);
	if (err)
		return err;
	err = vfs_getattr(&p, &k);
	mnt_id = p.mnt ? (u64)p.mnt->id : 0;
	path_put(&p);
	return err ? err : put_statx(&k, mnt_id, ust);
}

/* ------------------------------------------------------------------ statfs */

static int do_statfs(const struct path *p, u64 ust)
{
	struct super *sb = p->dentry->sb;
	struct kstatfs k = {.type = sb->magic, .bsize = PAGE_SIZE, .namelen = FS_NAME_MAX};
	struct abi_statfs st = {0};
	int err = sb->op->statfs ? sb->op->statfs(sb, &k) : 0;

	if (err)
		return err;
	st.type = (s64)k.type;
	st.bsize = st.frsize = (s64)k.bsize;
	st.blocks = k.blocks;
	st.bfree = k.bfree;
	st.bavail = k.bavail;
	st.files = k.files;
	st.ffree = k.ffree;
	st.fsid = k.fsid ? k.fsid : sb->dev;
	st.namelen = (s64)k.namelen;
	st.flags = 0x20 | (p->mnt ? p->mnt->flags & 15 : 0); /* ST_VALID */
	return copy_to_user(ust, &st, sizeof(st));
}

long sys_statfs(u64 upath, u64 ust)
{
	struct path p;
	int err = user_path(AT_FDCWD, upath, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	err = do_statfs(&p, ust);
	path_put(&p);
	return err;
}

long sys_fstatfs(u64 fd, u64 ust)
{
	struct file *f = fget_raw((int)fd);
	int err;

	if (!f)
		return -EBADF;
	err = do_statfs(&f->path, ust);
	fput(f);
	return err;
}

/* ------------------------------------------------------------------ access */

static int access_path(const struct path *p, u32 mode)
{
	const struct inode *inode = p->dentry->inode;
	int err = 0;

	if ((mode & X_OK) && S_ISREG(inode->mode) && p->mnt && (p->mnt->flags & MNT_NOEXEC))
		return -EACCES;
	if (mode)
		err = inode_permission(inode, mode);
	if (!err && (mode & W_OK) && (S_ISREG(inode->mode) || is_dir(inode)))
		err = mnt_want_write(p);
	return err;
}

/* access(2) asks for the real user and group: they take the place of the effective ones meanwhile.
 */
static struct cred become_real(void)
{
	struct cred old = current->cred;

	current->cred.fsuid = old.uid;
	current->cred.fsgid = old.gid;
	current->cred.cap_effective = old.uid ? 0 : old.cap_permitted;
	return old;
}

long sys_faccessat2(u64 dfd, u64 upath, u64 mode, u64 flags)
{
	struct cred old = current->cred;
	struct path p;
	int err;

	if ((mode & ~(u64)7) || (flags & ~(u64)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	if (!(flags & AT_EACCESS))
		old = become_real();
	err = stat_path((int)dfd, upath, (u32)flags & ~AT_EACCESS, &p);
	if (!err) {
		err = access_path(&p, (u32)mode);
		path_put(&p);
	}
	if (!(flags & AT_EACCESS)) {
		current->cred.fsuid = old.fsuid;
		current->cred.fsgid = old.fsgid;
		current->cred.cap_effective = old.cap_effective;
	}
	return err;
}

long sys_faccessat(u64 dfd, u64 path, u64 mode)
{
	return sys_faccessat2(dfd, path, mode, 0);
}
