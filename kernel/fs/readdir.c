/* SPDX-License-Identifier: MIT */
/* Reading directories and links, and where a task stands: getdents64, readlink, chdir, getcwd. */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

struct getdents {
	struct dir_ctx ctx;
	char *buf;
	size_t size, used;
	bool too_small;
};

static bool fill(struct dir_ctx *ctx, const char *name, size_t len, u64 ino, u8 type, u64 next)
{
	struct getdents *g = container_of(ctx, struct getdents, ctx);
	size_t rec = ALIGN_UP(DIRENT_HEAD + len + 1, (size_t)8);
	struct abi_dirent *e = (void *)(g->buf + g->used);

	if (rec > g->size - g->used) {
		g->too_small = !g->used;
		return false;
	}
	memset(e, 0, rec);
	e->ino = ino;
	e->off = (s64)next;
	e->reclen = (u16)rec;
	e->type = type;
	memcpy(e->name, name, len);
	g->used += rec;
	return true;
}

/* Mount points that the directory itself knows nothing of, after its own entries. */
static void read_virtual(struct file *f, struct dir_ctx *ctx)
{
	char *name = fs_alloc(FS_NAME_MAX + 1);
	u64 ino;

	if (!name)
		return;
	while (mount_virtual_nth(f->path.mnt, f->path.dentry, f->virt, name, &ino) &&
	       ctx->emit(ctx, name, strlen(name), ino, DT_DIR, ctx->pos))
		f->virt++;
	fs_free(name);
}

static long read_directory(struct file *f, struct getdents *g)
{
	struct inode *inode = f->inode;
	int err;

	if (!f->path.dentry->hashed && f->path.dentry->parent != f->path.dentry)
		return -ENOENT; /* removed */
	mutex_lock(&inode->lock);
	err = f->fop->readdir(f, &g->ctx);
	mutex_unlock(&inode->lock);
	inode->atime = fs_now();
	if (!err && !g->used && !g->too_small)
		read_virtual(f, &g->ctx);
	if (g->used)
		return (long)g->used;
	return err ? err : g->too_small ? -EINVAL : 0;
}

long sys_getdents64(u64 fd, u64 ubuf, u64 usize)
{
	struct file *f = fget((int)fd);
	struct getdents g = {.ctx.emit = fill, .size = min((u64)(u32)usize, KiB(32))};
	long n;

	if (!f)
		return -EBADF;
	if (!is_dir(f->inode) || !f->fop->readdir) {
		fput(f);
		return -ENOTDIR;
	}
	g.buf = fs_alloc_buf(g.size ? g.size : 1);
	if (!g.buf) {
		fput(f);
		return -ENOMEM;
	}
	mutex_lock(&f->pos_lock);
	g.ctx.pos = f->pos;
	n = read_directory(f, &g);
	if (n > 0 && copy_to_user(ubuf, g.buf, (size_t)n))
		n = -EFAULT;
	if (n >= 0)
		f->pos = g.ctx.pos;
	mutex_unlock(&f->pos_lock);
	fs_free(g.buf);
	fput(f);
	return n;
}

/* ------------------------------------------------------------------ readlink */

/* The text of a link; of a magic one, the path of what it leads to. */
static ssize_t link_text(struct dentry *d, char *buf, size_t size)
{
	const struct inode_ops *op = d->inode->op;
	struct path to;
	ssize_t n;

	if (op->readlink)
		return op->readlink(d, buf, size);
	n = op->follow(d, &to);
	if (n)
		return n;
	n = path_name(&to, buf, size);
	path_put(&to);
	return n;
}

long sys_readlinkat(u64 dfd, u64 upath, u64 ubuf, u64 size)
{
	struct path p;
	ssize_t n;
	char *buf;
	int err;

	if ((s32)size <= 0)
		return -EINVAL;
	err = user_path((int)dfd, upath, LOOKUP_EMPTY, &p);
	if (err)
		return err;
	buf = path_buf();
	if (!S_ISLNK(p.dentry->inode->mode))
		n = -EINVAL;
	else
		n = buf ? link_text(p.dentry, buf, FS_PATH_MAX) : -ENOMEM;
	n = n > (s64)size ? (s64)size : n;
	if (n > 0 && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	fs_free(buf);
	path_put(&p);
	return n;
}

/* ------------------------------------------------------------------ cwd and root */

static void fs_set(struct path *slot, const struct path *to)
{
	struct fs *fs = current->fs;
	struct path old;

	path_get(to);
	spin_lock(&fs->lock);
	old = *slot;
	*slot = *to;
	spin_unlock(&fs->lock);
	path_put(&old);
}

int fs_chdir(const char *path)
{
	struct path p;
	int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	fs_set(&current->fs->cwd, &p);
	path_put(&p);
	return 0;
}

long sys_chdir(u64 upath)
{
	struct path p;
	int err = user_path(AT_FDCWD, upath, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = inode_permission(p.dentry->inode, MAY_EXEC);
	if (!err)
		fs_set(&current->fs->cwd, &p);
	path_put(&p);
	return err;
}

long sys_fchdir(u64 fd)
{
	struct file *f = fget_raw((int)fd);
	int err;

	if (!f)
		return -EBADF;
	err = is_dir(f->inode) ? inode_permission(f->inode, MAY_EXEC) : -ENOTDIR;
	if (!err)
		fs_set(&current->fs->cwd, &f->path);
	fput(f);
	return err;
}

long sys_chroot(u64 upath)
{
	struct path p;
	int err = user_path(AT_FDCWD, upath, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = inode_permission(p.dentry->inode, MAY_EXEC);
	if (!err && !capable(CAP_SYS_CHROOT))
		err = -EPERM;
	if (!err)
		fs_set(&current->fs->root, &p);
	path_put(&p);
	return err;
}

long sys_getcwd(u64 ubuf, u64 size)
{
	char *buf = path_buf();
	struct path cwd, root;
	long n;

	if (!buf)
		return -ENOMEM;
	fs_get_cwd(&cwd);
	fs_get_root(&root);
	if (!cwd.dentry->hashed && cwd.dentry->parent != cwd.dentry)
		n = -ENOENT;
	else
		n = d_path(&cwd, &root, buf, FS_PATH_MAX);
	if (n >= 0 && (u64)n + 1 > size)
		n = -ERANGE;
	if (n >= 0)
		n = copy_to_user(ubuf, buf, (size_t)n + 1) ? -EFAULT : n + 1;
	path_put(&root);
	path_put(&cwd);
	fs_free(buf);
	return n;
}

long sys_umask(u64 mask)
{
	u32 old = current->fs->umask;

	current->fs->umask = (u32)mask & 0777;
	return (long)old;
}
