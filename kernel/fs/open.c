/* SPDX-License-Identifier: MIT */
/*
 * open(2) and its kin, the kernel's own opening of files (execve, the console), and the file
 * functions of the mmkit port.
 */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

static const struct file_ops path_file_ops = {.flags = FOP_NOSEEK};

/* ------------------------------------------------------------------ what may be opened how */

static int check_type(const struct path *path, u32 flags)
{
	const struct inode *inode = path->dentry->inode;

	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if ((flags & O_DIRECTORY) && !is_dir(inode))
		return -ENOTDIR;
	if (is_dir(inode) && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC)))
		return -EISDIR;
	if ((S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) && path->mnt &&
	    (path->mnt->flags & MNT_NODEV))
		return -EACCES;
	return 0;
}

static u32 wanted_access(u32 flags)
{
	static const u32 mask[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
	u32 want = mask[flags & O_ACCMODE];

	return flags & O_TRUNC ? want | MAY_WRITE : want;
}

static int check_access(const struct path *path, u32 flags)
{
	const struct inode *inode = path->dentry->inode;
	u32 want = wanted_access(flags);
	int err = inode_permission(inode, want);

	if (!err && (want & MAY_WRITE) && (S_ISREG(inode->mode) || is_dir(inode)))
		err = mnt_want_write(path);
	if (!err && (inode->flags & INODE_APPEND) && (want & MAY_WRITE) &&
	    (!(flags & O_APPEND) || (flags & O_TRUNC)))
		err = -EPERM;
	if (!err && (flags & O_NOATIME) && !inode_owner_or_capable(inode))
		err = -EPERM;
	return err;
}

/* A path for openat(O_PATH): a name for other calls, nothing that can be read. */
static int open_o_path(const struct path *path, u32 flags, struct file **out)
{
	struct file *f;

	if ((flags & O_DIRECTORY) && !is_dir(path->dentry->inode))
		return S_ISLNK(path->dentry->inode->mode) && (flags & O_NOFOLLOW) ? -ELOOP
		                                                                  : -ENOTDIR;
	f = file_alloc(path, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
	if (!f)
		return -ENOMEM;
	f->fop = &path_file_ops;
	f->mf.f_op = &path_file_ops.mm;
	*out = f;
	return 0;
}

int file_open_path(const struct path *path, u32 flags, struct file **out)
{
	struct inode *inode = path->dentry->inode;
	struct file *f;
	int err;

	if (flags & O_PATH)
		return open_o_path(path, flags, out);
	if (!inode->fop)
		return -ENXIO; /* a socket's name, a device that is not here */
	f = file_alloc(path, flags);
	if (!f)
		return -ENOMEM;
	if (inode->has_mapping && FILE_CAN_WRITE(f)) {
		err = mmk_mapping_get_write(&inode->mapping);
		f->write_held = !err;
	} else {
		err = 0;
	}
	if (!err && (flags & O_DIRECT) && S_ISREG(inode->mode) && !inode->has_mapping)
		err = -EINVAL;
	if (!err && f->fop->open)
		err = f->fop->open(f);
	if (err) {
		f->fop = NULL; /* nothing to release */
		fput(f);
		return err;
	}
	f->flags &= ~O_NOCTTY; /* which was for a terminal's open */
	*out = f;
	return 0;
}

/* A nameless file in directory `dir`. */
static int open_tmpfile(const struct path *dir, u32 flags, u32 mode, struct file **out)
{
	struct dentry *dd = dir->dentry;
	struct path p;
	int err;

	if ((flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	if (!is_dir(dd->inode))
		return -ENOTDIR;
	if (!dd->inode->op->tmpfile)
		return -EOPNOTSUPP;
	err = dir_may_change(dir);
	if (err)
		return err;
	p = (struct path){.mnt = mnt_get(dir->mnt), .dentry = d_alloc(dd->sb, dd, "#tmpfile", 8)};
	err = p.dentry ? dd->inode->op->tmpfile(dd, p.dentry, S_IFREG | mode) : -ENOMEM;
	if (!err && (flags & O_EXCL))
		p.dentry->inode->flags &= ~INODE_LINKABLE;
	if (!err)
		err = file_open_path(&p, flags & ~O_DIRECTORY, out);
	path_put(&p);
	return err;
}

/* O_TRUNC cuts also what is opened for reading alone. */
static int open_truncate(const struct path *path, struct file *f)
{
	struct mmk_mapping *m = &path->dentry->inode->mapping;
	int err = f->write_held ? 0 : mmk_mapping_get_write(m);

	if (err)
		return err;
	err = vfs_truncate(path, 0);
	if (!f->write_held)
		mmk_mapping_put_write(m);
	return err;
}

static int open_found(const struct path *path, u32 flags, bool created, struct file **out)
{
	int err = 0;

	if (flags & O_PATH)
		return file_open_path(path, flags, out);
	err = check_type(path, flags);
	if (!err && !created)
		err = check_access(path, flags);
	if (!err)
		err = file_open_path(path, flags, out);
	if (!err && (flags & O_TRUNC) && !created && path->dentry->inode->has_mapping) {
		err = open_truncate(path, *out);
		if (err)
			fput(*out);
	}
	return err;
}

static int do_open(int dfd, const char *path, u32 flags, u32 mode, u32 lookup, struct file **out)
{
	struct path p;
	bool created;
	int err;

	if ((flags & O_TMPFILE) == O_TMPFILE && !(flags & O_PATH)) {
		err = path_lookup(dfd, path, lookup | LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
		if (!err)
			err = open_tmpfile(&p, flags, mode & 07777 & ~fs_umask(), out);
		path_put(&p);
		return err;
	}
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	err = path_open(dfd, path, flags, mode, lookup, &p, &created);
	if (!err)
		err = open_found(&p, flags, created, out);
	path_put(&p);
	return err;
}

int file_open(const char *path, u32 flags, u32 mode, struct file **out)
{
	return do_open(AT_FDCWD, path, flags, mode, 0, out);
}

#define O_KNOWN                                                                                    \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |      \
	 O_ASYNC | O_TMPFILE | O_NOFOLLOW | O_DIRECT | O_LARGEFILE | O_NOATIME | O_CLOEXEC |       \
	 O_PATH)

long sys_openat(u64 dfd, u64 upath, u64 uflags, u64 mode)
{
	u32 flags = (u32)uflags & O_KNOWN; /* openat(2) ignores what it does not know */
	struct file *f;
	char *path;
	int fd, err = user_path_copy(upath, false, &path);

	if (err)
		return err;
	fd = fd_alloc(0, (flags & O_CLOEXEC) != 0);
	if (fd < 0) {
		fs_free(path);
		return fd;
	}
	err = do_open((int)dfd, path, flags, (u32)mode, 0, &f);
	fs_free(path);
	if (err) {
		fd_release(fd);
		return err;
	}
	fd_set_file(fd, f);
	return fd;
}

struct abi_open_how {
	u64 flags, mode, resolve;
};

/* The flags are openat's, checked; restrictions of the resolution are not offered. */
long sys_openat2(u64 dfd, u64 path, u64 uhow, u64 size)
{
	struct abi_open_how how;

	if (size < sizeof(how))
		return -EINVAL;
	if (size > sizeof(how))
		return -E2BIG;
	if (copy_from_user(&how, uhow, sizeof(how)))
		return -EFAULT;
	if ((how.flags & ~(u64)O_KNOWN) || (how.mode & ~07777ull) || (how.resolve & ~0x3full))
		return -EINVAL;
	if (how.mode && !(how.flags & O_CREAT) && (how.flags & O_TMPFILE) != O_TMPFILE)
		return -EINVAL;
	if (how.resolve)
		return -EOPNOTSUPP;
	return sys_openat(dfd, path, how.flags, how.mode);
}

/* ------------------------------------------------------------------ execve */

static int check_exec(const struct path *p)
{
	const struct inode *inode = p->dentry->inode;

	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (!S_ISREG(inode->mode))
		return -EACCES;
	if (p->mnt && (p->mnt->flags & MNT_NOEXEC))
		return -EACCES;
	return inode_permission(inode, MAY_EXEC);
}

int file_open_exec(int dfd, const char *path, u32 flags, struct file **out)
{
	u32 lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path p;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	err = path_lookup(dfd, path, lookup, &p);
	if (!err)
		err = check_exec(&p);
	if (!err)
		err = file_open_path(&p, O_RDONLY, out);
	path_put(&p);
	if (err)
		return err;
	err = mmk_mapping_deny_write(&(*out)->inode->mapping);
	if (err)
		fput(*out);
	return err;
}

struct file *file_get_exec(struct file *file)
{
	/* Denied already by the caller's own hold, so no writer can be there. */
	if (file->inode->has_mapping)
		mmk_mapping_deny_write(&file->inode->mapping);
	return file_get(file);
}

void file_close_exec(struct file *file)
{
	if (!file)
		return;
	if (file->inode->has_mapping)
		mmk_mapping_allow_write(&file->inode->mapping);
	fput(file);
}

u64 file_size(struct file *file)
{
	return inode_size(file->inode);
}

void file_owner(struct file *file, u32 *mode, u32 *uid, u32 *gid)
{
	const struct inode *inode = file->inode;

	*mode = inode->mode;
	*uid = inode->uid;
	*gid = inode->gid;
	if (file->path.mnt && (file->path.mnt->flags & MNT_NOSUID))
		*mode &= ~(S_ISUID | S_ISGID);
}

ssize_t file_kread(struct file *file, void *buf, size_t n, u64 pos)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = file_read(file, (char *)buf + done, n - done, &pos);

		if (r < 0)
			return done ? (ssize_t)done : r;
		if (!r)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

ssize_t file_kwrite(struct file *file, const void *buf, size_t n, u64 *pos)
{
	return file_write(file, buf, n, pos);
}

int file_path(struct file *file, char *buf, size_t size)
{
	return path_name(&file->path, buf, size);
}

/* ------------------------------------------------------------------ the mmkit port */

struct mmk_file *port_fget(void *ctx, struct mmk_task *task, int fd)
{
	struct file *f = fget(fd);

	if (!f)
		return NULL;
	file_refresh_mode(f);
	return &f->mf;
}

void port_get_file(void *ctx, struct mmk_file *mf)
{
	file_get(mmk_to_file(mf));
}

void port_fput(void *ctx, struct mmk_file *mf)
{
	fput(mmk_to_file(mf));
}

void port_file_id(void *ctx, struct mmk_file *mf, u32 *major, u32 *minor, u64 *ino)
{
	const struct inode *inode = mmk_to_file(mf)->inode;

	*major = MAJOR(inode->sb->dev);
	*minor = MINOR(inode->sb->dev);
	*ino = inode->ino;
}

bool port_may_see_cache(void *ctx, struct mmk_file *mf)
{
	const struct inode *inode = mmk_to_file(mf)->inode;

	return inode_owner_or_capable(inode) || !inode_permission(inode, MAY_WRITE);
}

int port_file_path(void *ctx, struct mmk_file *mf, char *buf, size_t size)
{
	return file_path(mmk_to_file(mf), buf, size);
}
