/* SPDX-License-Identifier: MIT */
/*
 * Open files and the tables of descriptors.
 *
 * A slot is first reserved (taken), then gets its file: an open that is still on its way holds its
 * number, and a fork or a close by another thread in between sees no half-made file.
 */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

#define FILES_MAX   16384u /* what one kmalloc() of pointers holds */

/* ------------------------------------------------------------------ open files */

/* What of a file's mode is not settled when it is opened, but by the inode and the mount as they
 * are. */
static u32 mode_now(const struct file *f)
{
	const struct inode *inode = f->inode;
	u32 mnt = f->path.mnt ? READ_ONCE(f->path.mnt->flags) : 0;
	u32 mode = inode->flags & INODE_APPEND ? MMK_FMODE_APPEND : 0;

	if (mnt & MNT_NOEXEC)
		mode |= MMK_FMODE_NOEXEC;
	if (unlikely(mnt & MNT_MANDLOCK) && (inode->mode & (S_ISGID | 0010)) == S_ISGID)
		mode |= MMK_FMODE_MANDLOCK;
	return mode;
}

void file_refresh_mode(struct file *f)
{
	u32 changing = MMK_FMODE_APPEND | MMK_FMODE_MANDLOCK, old = READ_ONCE(f->mf.f_mode);
	u32 mode = (old & ~changing) | mode_now(f);

	if (unlikely(mode != old))
		WRITE_ONCE(f->mf.f_mode, mode);
}

struct file *file_alloc(const struct path *path, u32 flags)
{
	struct file *f = fs_zalloc(sizeof(*f));
	struct inode *inode = path->dentry->inode;
	u32 acc = flags & O_ACCMODE;

	if (!f)
		return NULL;
	f->refs = 1;
	f->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
	f->inode = inode;
	f->path = *path;
	path_get(&f->path);
	mutex_init(&f->pos_lock);
	f->fop = inode->fop;
	f->mf.f_op = &f->fop->mm;
	if (inode->has_mapping)
		f->mf.f_mapping = &inode->mapping;
	if (!(flags & O_PATH)) {
		f->mf.f_mode |= acc == O_WRONLY ? 0 : MMK_FMODE_READ;
		f->mf.f_mode |= acc == O_RDONLY ? 0 : MMK_FMODE_WRITE;
	}
	file_refresh_mode(f);
	mmk_file_opened(&f->mf);
	f->sb_err = mmk_wb_err_sample(&inode->sb->wb_err);
	return f;
}

struct file *file_get(struct file *file)
{
	ref_get(&file->refs);
	return file;
}

void fput(struct file *f)
{
	if (!f || !ref_put(&f->refs))
		return;
	if (READ_ONCE(f->nr_epoll))
		epoll_forget(f);
	if (!(f->flags & O_PATH)) {
		locks_release(f);
		if (f->fop && f->fop->release)
			f->fop->release(f);
	}
	if (f->write_held)
		mmk_mapping_put_write(&f->inode->mapping);
	path_put(&f->path);
	fs_free(f);
}

struct mmk_file *file_to_mmk(struct file *file)
{
	return &file->mf;
}

struct file *mmk_to_file(struct mmk_file *mf)
{
	return container_of(mf, struct file, mf);
}

/* ------------------------------------------------------------------ tables */

/* In place of the first table, which lies in the structure itself. */
struct table {
	struct file **fd;
	u8 *flags; /* cloexec, and taken behind it */
	u32 size;
};

static void table_free(const struct table *b)
{
	fs_free(b->fd);
	fs_free(b->flags);
}

static int table_alloc(struct table *b, u32 size)
{
	b->size = size;
	b->fd = fs_zalloc(size * sizeof(*b->fd));
	b->flags = fs_zalloc(2 * size);
	if (b->fd && b->flags)
		return 0;
	table_free(b);
	return -ENOMEM;
}

static void table_drop(struct files *t)
{
	const struct table old = {t->fd, t->cloexec, t->size};

	if (old.fd != t->first_fd)
		table_free(&old);
}

static void table_set(struct files *t, struct file **fd, u8 *flags, u32 size)
{
	t->fd = fd;
	t->cloexec = flags;
	t->taken = flags + size;
	t->size = size;
}

/* No slot from here on is taken; a multiple of 8, as all sizes are. */
static u32 slots_used(const struct files *t)
{
	u32 n = t->size;
	u64 eight;

	for (; n; n -= 8) {
		__builtin_memcpy(&eight, t->taken + n - 8, 8);
		if (eight)
			break;
	}
	return n;
}

struct files *files_new(void)
{
	struct files *t = fs_zalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->refs = 1;
	spin_init(&t->lock);
	table_set(t, t->first_fd, t->first_flags, FILES_FIRST);
	return t;
}

struct files *files_get(struct files *files)
{
	ref_get(&files->refs);
	return files;
}

/* Copy what is there when old's lock is held; new is at least as large. */
static void table_copy(struct files *to, const struct files *from)
{
	u32 i, n = slots_used(from);

	for (i = 0; i < n; i++) {
		if (!from->fd[i])
			continue; /* free, or reserved by another thread: its, not ours */
		to->fd[i] = file_get(from->fd[i]);
		to->cloexec[i] = from->cloexec[i];
		to->taken[i] = 1;
	}
	to->next = 0;
}

struct files *files_dup(struct files *old)
{
	struct files *t = files_new();
	struct table b;
	u32 size;

	if (!t)
		return NULL;
	for (;;) {
		size = READ_ONCE(old->size);
		if (size > t->size) {
			table_drop(t);
			if (table_alloc(&b, size)) {
				fs_free(t);
				return NULL;
			}
			table_set(t, b.fd, b.flags, size);
		}
		spin_lock(&old->lock);
		if (old->size <= t->size)
			break;
		spin_unlock(&old->lock); /* it has grown meanwhile */
	}
	table_copy(t, old);
	spin_unlock(&old->lock);
	return t;
}

static void close_file(struct file *f, struct files *owner)
{
	if (!(f->flags & O_PATH)) {
		if (f->fop->flush)
			f->fop->flush(f);
		locks_close(f, owner);
	}
	fput(f);
}

void files_put(struct files *t)
{
	u32 i, n;

	if (!t || !ref_put(&t->refs))
		return;
	n = slots_used(t);
	for (i = 0; i < n; i++)
		if (t->fd[i])
			close_file(t->fd[i], t);
	table_drop(t);
	fs_free(t);
}

void files_close_on_exec(struct files *t)
{
	u32 i;

	for (i = 0; i < READ_ONCE(t->size); i++) {
		struct file *f = NULL;

		spin_lock(&t->lock);
		if (t->fd[i] && t->cloexec[i]) {
			f = t->fd[i];
			t->fd[i] = NULL;
			t->taken[i] = 0;
			t->next = min(t->next, i);
		}
		spin_unlock(&t->lock);
		if (f)
			close_file(f, t);
	}
}

/* Room for descriptor `need`. Called and returns with the lock held, but drops it meanwhile. */
static int table_grow(struct files *t, u32 need)
{
	struct table bigger;
	u32 size = t->size;

	while (size <= need)
		size *= 2;
	spin_unlock(&t->lock);
	if (table_alloc(&bigger, size)) {
		spin_lock(&t->lock);
		return -ENOMEM;
	}
	spin_lock(&t->lock);
	if (t->size >= size) { /* another thread was faster */
		table_free(&bigger);
		return 0;
	}
	memcpy(bigger.fd, t->fd, t->size * sizeof(*t->fd));
	memcpy(bigger.flags, t->cloexec, t->size);
	memcpy(bigger.flags + size, t->taken, t->size);
	table_drop(t);
	table_set(t, bigger.fd, bigger.flags, size);
	return 0;
}

static u32 nofile_limit(void)
{
	u64 lim = current->proc->rlim[RLIMIT_NOFILE].cur;

	if (task_is_kernel(current) && !lim)
		lim = FILES_FIRST;
	return lim < FILES_MAX ? (u32)lim : FILES_MAX;
}

int fd_alloc(int from, bool cloexec)
{
	struct files *t = current->files;
	u32 limit = nofile_limit(), fd;
	int err = 0;

	if (from < 0 || (u32)from >= limit)
		return from < 0 ? -EINVAL : -EMFILE;
	spin_lock(&t->lock);
	for (;;) {
		fd = max((u32)from, t->next);
		while (fd < t->size && t->taken[fd])
			fd++;
		if (fd >= limit)
			err = -EMFILE;
		if (err || fd < t->size)
			break;
		err = table_grow(t, fd);
		if (err)
			break;
	}
	if (!err) {
		t->taken[fd] = 1;
		t->cloexec[fd] = cloexec;
		if ((u32)from <= t->next)
			t->next = fd + 1;
	}
	spin_unlock(&t->lock);
	return err ? err : (int)fd;
}

void fd_set_file(int fd, struct file *file)
{
	struct files *t = current->files;

	spin_lock(&t->lock);
	t->fd[fd] = file;
	spin_unlock(&t->lock);
}

void fd_release(int fd)
{
	struct files *t = current->files;

	spin_lock(&t->lock);
	t->taken[fd] = 0;
	t->next = min(t->next, (u32)fd);
	spin_unlock(&t->lock);
}

int fd_install(struct file *file, int from, bool cloexec)
{
	int fd = fd_alloc(from, cloexec);

	if (fd >= 0)
		fd_set_file(fd, file);
	return fd;
}

int fd_new(struct file *file, u32 flags)
{
	int fd = fd_install(file, 0, (flags & O_CLOEXEC) != 0);

	if (fd < 0)
		fput(file);
	return fd;
}

int fd_close(int fd)
{
	struct files *t = current->files;
	struct file *f = NULL;

	if (!t)
		return -EBADF;
	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size && t->fd[fd]) {
		f = t->fd[fd];
		t->fd[fd] = NULL;
		t->taken[fd] = 0;
		t->next = min(t->next, (u32)fd);
	}
	spin_unlock(&t->lock);
	if (!f)
		return -EBADF;
	close_file(f, t);
	return 0;
}

struct file *fget_raw(int fd)
{
	struct files *t = current->files;
	struct file *f = NULL;

	if (!t || fd < 0)
		return NULL;
	spin_lock(&t->lock);
	if ((u32)fd < t->size && t->fd[fd])
		f = file_get(t->fd[fd]);
	spin_unlock(&t->lock);
	return f;
}

struct file *fget(int fd)
{
	struct file *f = fget_raw(fd);

	if (f && (f->flags & O_PATH)) {
		fput(f);
		return NULL;
	}
	return f;
}

int fget_two(u64 fd1, struct file **f1, u64 fd2, struct file **f2)
{
	*f1 = fget((int)fd1);
	*f2 = fget((int)fd2);
	return *f1 && *f2 ? 0 : -EBADF;
}

void fput_two(struct file *f1, struct file *f2)
{
	fput(f1);
	fput(f2);
}

struct file *files_next(struct files *t, u32 *fd, bool *cloexec)
{
	struct file *f = NULL;
	u32 i;

	spin_lock(&t->lock);
	for (i = *fd; i < t->size && !f; i++) {
		if (!t->fd[i])
			continue;
		f = file_get(t->fd[i]);
		*cloexec = t->cloexec[i];
		*fd = i;
	}
	spin_unlock(&t->lock);
	return f;
}

/* ------------------------------------------------------------------ struct fs */

struct fs *fs_new(void)
{
	struct fs *fs = fs_zalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	fs->refs = 1;
	fs->umask = 022;
	spin_init(&fs->lock);
	spin_lock(&mount_lock);
	fs->root = fs->cwd = vfs_root;
	path_get(&fs->root);
	path_get(&fs->cwd);
	spin_unlock(&mount_lock);
	return fs;
}

struct fs *fs_get(struct fs *fs)
{
	ref_get(&fs->refs);
	return fs;
}

struct fs *fs_dup(struct fs *old)
{
	struct fs *fs = fs_zalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	fs->refs = 1;
	spin_init(&fs->lock);
	spin_lock(&old->lock);
	fs->umask = old->umask;
	fs->root = old->root;
	fs->cwd = old->cwd;
	path_get(&fs->root);
	path_get(&fs->cwd);
	spin_unlock(&old->lock);
	return fs;
}

void fs_put(struct fs *fs)
{
	if (!fs || !ref_put(&fs->refs))
		return;
	path_put(&fs->root);
	path_put(&fs->cwd);
	fs_free(fs);
}

void fs_get_root(struct path *out)
{
	struct fs *fs = current->fs;
	struct spinlock *lock = fs ? &fs->lock : &mount_lock;

	spin_lock(lock);
	*out = fs ? fs->root : vfs_root;
	path_get(out);
	spin_unlock(lock);
}

void fs_get_cwd(struct path *out)
{
	struct fs *fs = current->fs;
	struct spinlock *lock = fs ? &fs->lock : &mount_lock;

	spin_lock(lock);
	*out = fs ? fs->cwd : vfs_root;
	path_get(out);
	spin_unlock(lock);
}

u32 fs_umask(void)
{
	return current->fs ? current->fs->umask : 022;
}

/* proc_lock keeps the task from exiting between the look and the reference. */
struct files *task_files(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct files *files = t->exited ? NULL : t->files;

	if (files)
		files_get(files);
	spin_unlock_irqrestore(&proc_lock, flags);
	return files;
}

struct fs *task_fs(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct fs *fs = t->exited ? NULL : t->fs;

	if (fs)
		fs_get(fs);
	spin_unlock_irqrestore(&proc_lock, flags);
	return fs;
}

/* ------------------------------------------------------------------ close, dup */

long sys_close(u64 fd)
{
	return fd_close((int)fd);
}

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

static int unshare_files(void)
{
	struct files *old = current->files, *copy;
	unsigned long flags;

	if (READ_ONCE(old->refs) == 1)
		return 0;
	copy = files_dup(old);
	if (!copy)
		return -ENOMEM;
	flags = spin_lock_irqsave(&proc_lock);
	current->files = copy;
	spin_unlock_irqrestore(&proc_lock, flags);
	files_put(old);
	return 0;
}

long sys_close_range(u64 first, u64 last, u64 flags)
{
	u32 from = (u32)first, to = (u32)last, fd;
	struct files *t;

	if ((flags & ~(u64)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || from > to)
		return -EINVAL;
	if ((flags & CLOSE_RANGE_UNSHARE) && unshare_files())
		return -ENOMEM;
	t = current->files;
	for (fd = from; fd <= to && fd < READ_ONCE(t->size); fd++) {
		if (!(flags & CLOSE_RANGE_CLOEXEC)) {
			fd_close((int)fd);
			continue;
		}
		spin_lock(&t->lock);
		t->cloexec[fd] = 1;
		spin_unlock(&t->lock);
	}
	return 0;
}

long sys_dup(u64 fd)
{
	struct file *f = fget_raw((int)fd);

	if (!f)
		return -EBADF;
	return fd_new(f, 0);
}

/* Put f at fd in place of what was there. Takes over the reference. */
static long replace_fd(struct file *f, u32 fd, bool cloexec)
{
	struct files *t = current->files;
	struct file *old = NULL;
	int err = 0;

	spin_lock(&t->lock);
	if (fd >= t->size)
		err = table_grow(t, fd);
	if (!err && t->taken[fd] && !t->fd[fd])
		err = -EBUSY; /* another thread's open is on its way */
	if (!err) {
		old = t->fd[fd];
		t->fd[fd] = f;
		t->taken[fd] = 1;
		t->cloexec[fd] = cloexec;
	}
	spin_unlock(&t->lock);
	if (err)
		fput(f);
	if (old)
		close_file(old, t);
	return err ? err : (long)fd;
}

long sys_dup3(u64 oldfd, u64 newfd, u64 flags)
{
	struct file *f;

	if ((flags & ~(u64)O_CLOEXEC) || (int)oldfd == (int)newfd)
		return -EINVAL;
	if ((u32)newfd >= nofile_limit())
		return -EBADF;
	f = fget_raw((int)oldfd);
	if (!f)
		return -EBADF;
	return replace_fd(f, (u32)newfd, (flags & O_CLOEXEC) != 0);
}
