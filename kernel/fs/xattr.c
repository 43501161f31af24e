/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes: no file system here has any, so that what is asked for well is EOPNOTSUPP,
 * and lists are empty.
 */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/errno.h"
#include "kernel/sys/uaccess.h"

#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536
#define XATTR_CREATE   1u
#define XATTR_REPLACE  2u

/* What names the file: a path, followed or not, or a descriptor. */
struct target {
	u64 what;
	u32 lookup;
	bool is_fd;
};

static int find(const struct target *t)
{
	struct path p;
	struct file *f;
	int err;

	if (t->is_fd) {
		f = fget((int)t->what);
		fput(f);
		return f ? 0 : -EBADF;
	}
	err = user_path(AT_FDCWD, t->what, t->lookup, &p);
	if (!err)
		path_put(&p);
	return err;
}

static int check_name(u64 uname)
{
	char name[XATTR_NAME_MAX + 2];
	long n = strncpy_from_user(name, uname, sizeof(name));

	if (n < 0)
		return (int)n;
	return !n || n > XATTR_NAME_MAX ? -ERANGE : 0;
}

static long no_xattr(u64 uname, const struct target *t)
{
	int err = check_name(uname);

	if (!err)
		err = find(t);
	return err ? err : -EOPNOTSUPP;
}

static long set_xattr(u64 uname, u64 size, u64 flags, const struct target *t)
{
	int err;

	if ((u32)flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	err = check_name(uname);
	if (err)
		return err;
	return size > XATTR_SIZE_MAX ? -E2BIG : no_xattr(uname, t);
}

#define BY_PATH(path) (&(struct target){(path), LOOKUP_FOLLOW, false})
#define BY_LINK(path) (&(struct target){(path), 0, false})
#define BY_FD(fd)     (&(struct target){(fd), 0, true})

long sys_setxattr(u64 path, u64 name, u64 value, u64 size, u64 flags)
{
	return set_xattr(name, size, flags, BY_PATH(path));
}

long sys_lsetxattr(u64 path, u64 name, u64 value, u64 size, u64 flags)
{
	return set_xattr(name, size, flags, BY_LINK(path));
}

long sys_fsetxattr(u64 fd, u64 name, u64 value, u64 size, u64 flags)
{
	return set_xattr(name, size, flags, BY_FD(fd));
}

long sys_getxattr(u64 path, u64 name, u64 value, u64 size)
{
	return no_xattr(name, BY_PATH(path));
}

long sys_lgetxattr(u64 path, u64 name, u64 value, u64 size)
{
	return no_xattr(name, BY_LINK(path));
}

long sys_fgetxattr(u64 fd, u64 name, u64 value, u64 size)
{
	return no_xattr(name, BY_FD(fd));
}

long sys_listxattr(u64 path, u64 list, u64 size)
{
	return find(BY_PATH(path));
}

long sys_llistxattr(u64 path, u64 list, u64 size)
{
	return find(BY_LINK(path));
}

long sys_flistxattr(u64 fd, u64 list, u64 size)
{
	return find(BY_FD(fd));
}

long sys_removexattr(u64 path, u64 name)
{
	return no_xattr(name, BY_PATH(path));
}

long sys_lremovexattr(u64 path, u64 name)
{
	return no_xattr(name, BY_LINK(path));
}

long sys_fremovexattr(u64 fd, u64 name)
{
	return no_xattr(name, BY_FD(fd));
}
