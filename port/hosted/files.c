/* SPDX-License-Identifier: MIT */
/*
 * POSIX files behind struct mmk_mapping: one inode, so one page cache, for each (device, inode) of
 * the host that is open, whatever the number of descriptors; and tmpfs objects, which have no home.
 * What is dirty goes home when the last that has it open lets go of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>
#include "port/hosted/internal.h"

#define MAX_PIECES 64

static struct hosted_file *to_hosted(struct mmk_file *file)
{
	return (struct hosted_file *)((char *)file - offsetof(struct hosted_file, file));
}

/* ---- the home of a file's pages ---- */

/* The first `bytes` bytes of the pieces, as the host wants them; how many pieces. */
static int host_pieces(struct iovec *out, const struct mmk_iovec *iov, unsigned n, int64_t bytes)
{
	unsigned i;

	for (i = 0; i < n && i < MAX_PIECES && bytes > 0; i++) {
		out[i].iov_base = iov[i].base;
		out[i].iov_len = iov[i].len < (size_t)bytes ? iov[i].len : (size_t)bytes;
		bytes -= (int64_t)out[i].iov_len;
	}
	return (int)i;
}

static int64_t total(const struct mmk_iovec *iov, unsigned n)
{
	int64_t bytes = 0;

	for (unsigned i = 0; i < n && i < MAX_PIECES; i++)
		bytes += (int64_t)iov[i].len;
	return bytes;
}

static int64_t home_read(struct mmk_mapping *m, uint64_t pos, const struct mmk_iovec *iov,
                         unsigned n)
{
	struct hosted_inode *inode = m->host;
	struct iovec pieces[MAX_PIECES];
	int64_t bytes = hosted_io_allowed(inode->h, total(iov, n));
	ssize_t done;

	if (bytes < 0)
		return bytes;
	done = preadv(inode->fd, pieces, host_pieces(pieces, iov, n, bytes), (off_t)pos);
	return done < 0 ? -errno : done;
}

static int64_t home_write(struct mmk_mapping *m, uint64_t pos, const struct mmk_iovec *iov,
                          unsigned n)
{
	struct hosted_inode *inode = m->host;
	struct iovec pieces[MAX_PIECES];
	int64_t bytes = hosted_io_allowed(inode->h, total(iov, n));
	ssize_t done;

	if (bytes < 0)
		return bytes;
	done = pwritev(inode->fd, pieces, host_pieces(pieces, iov, n, bytes), (off_t)pos);
	return done < 0 ? -errno : done;
}

static int home_sync(struct mmk_mapping *m)
{
	struct hosted_inode *inode = m->host;
	int64_t allowed = hosted_io_allowed(inode->h, 0);

	if (allowed < 0)
		return (int)allowed;
	return fsync(inode->fd) ? -errno : 0;
}

static const struct mmk_mapping_ops home_ops = {
    .read = home_read,
    .write = home_write,
    .sync = home_sync,
};
static const struct mmk_mapping_ops tmpfs_ops = {0};

static int regular_fallocate(struct mmk_file *file, int mode, uint64_t off, uint64_t len);

static const struct mmk_file_ops regular_ops = {
    .mmap = mmk_generic_file_mmap,
    .fallocate = regular_fallocate,
};
static const struct mmk_file_ops zero_ops = {.mmap = mmk_zero_mmap};
static const struct mmk_file_ops unmappable_ops = {0};

/* ---- inodes ---- */

static struct hosted_inode *new_inode(struct hosted *h, int fd, uint64_t dev, uint64_t ino,
                                      uint64_t size)
{
	struct hosted_inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->h = h;
	inode->fd = fd;
	inode->dev = dev;
	inode->ino = ino;
	inode->refs = 1;
	pthread_mutex_init(&inode->lock, NULL);
	mmk_mapping_init(h->sys, &inode->mapping, fd < 0 ? &tmpfs_ops : &home_ops, inode, size);
	pthread_mutex_lock(&h->files_lock);
	inode->next = h->inodes;
	h->inodes = inode;
	pthread_mutex_unlock(&h->files_lock);
	return inode;
}

static void unlist_inode(struct hosted *h, struct hosted_inode *inode)
{
	struct hosted_inode **at = &h->inodes;

	while (*at != inode)
		at = &(*at)->next;
	*at = inode->next;
}

/* open_lock held, so that nobody opens the file anew while its last pages are on their way home. */
static void put_inode(struct hosted *h, struct hosted_inode *inode)
{
	bool last;

	pthread_mutex_lock(&h->files_lock);
	last = --inode->refs == 0;
	if (last)
		unlist_inode(h, inode);
	pthread_mutex_unlock(&h->files_lock);
	if (!last)
		return;
	if (inode->fd >= 0) {
		if (inode->writable)
			mmk_mapping_sync(&inode->mapping, 0, UINT64_MAX, false);
		close(inode->fd);
	}
	mmk_mapping_destroy(&inode->mapping);
	pthread_mutex_destroy(&inode->lock);
	free(inode);
}

static struct hosted_inode *find_inode(struct hosted *h, uint64_t dev, uint64_t ino)
{
	struct hosted_inode *inode;

	pthread_mutex_lock(&h->files_lock);
	for (inode = h->inodes; inode; inode = inode->next)
		if (inode->fd >= 0 && inode->dev == dev && inode->ino == ino)
			break;
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&h->files_lock);
	return inode;
}

/*
 * The inode of the host's file that fd has open; takes fd over. An inode whose own descriptor
 * cannot write gets one that can as soon as there is one; the old one stays open under the same
 * number.
 */
static struct hosted_inode *inode_of(struct hosted *h, int fd, const struct stat *st, bool writable)
{
	struct hosted_inode *inode = find_inode(h, st->st_dev, st->st_ino);

	if (!inode) {
		inode = new_inode(h, fd, st->st_dev, st->st_ino, (uint64_t)st->st_size);
		if (inode)
			inode->writable = writable;
		else
			close(fd);
		return inode;
	}
	if (writable && !inode->writable) {
		if (dup2(fd, inode->fd) >= 0)
			inode->writable = true;
	}
	close(fd);
	return inode;
}

/* ---- descriptors ---- */

static int install(struct hosted *h, struct hosted_file *file)
{
	int fd = 0;

	pthread_mutex_lock(&h->files_lock);
	while (fd < HOSTED_NR_FDS && h->fds[fd])
		fd++;
	if (fd < HOSTED_NR_FDS)
		h->fds[fd] = file;
	pthread_mutex_unlock(&h->files_lock);
	return fd < HOSTED_NR_FDS ? fd : -EMFILE;
}

/* A descriptor for inode (taken over; may be NULL); open_lock held. */
static int open_file(struct hosted *h, struct hosted_inode *inode, const struct mmk_file_ops *ops,
                     uint32_t f_mode, const char *path)
{
	struct hosted_file *f = calloc(1, sizeof(*f));
	int fd = -MMK_ENOMEM;

	if (f) {
		f->file.f_op = ops;
		f->file.f_mapping = inode ? &inode->mapping : NULL;
		f->file.f_mode = f_mode;
		f->inode = inode;
		f->refs = 1;
		f->path = strdup(path);
		f->ino = inode ? inode->ino : ++h->next_ino;
		mmk_file_opened(&f->file);
		fd = f->path ? install(h, f) : -MMK_ENOMEM;
	}
	if (fd >= 0)
		return fd;
	if (inode)
		put_inode(h, inode);
	if (f)
		free(f->path);
	free(f);
	return fd;
}

static uint32_t mode_of(int flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return MMK_FMODE_READ;
	case O_WRONLY:
		return MMK_FMODE_WRITE;
	default:
		return MMK_FMODE_READ | MMK_FMODE_WRITE;
	}
}

/* A writer is counted, as a file that is being executed refuses it; then O_TRUNC has its turn. */
static int begin_writing(struct hosted *h, int fd, int flags)
{
	struct hosted_file *f = h->fds[fd];
	int err;

	if (!(f->file.f_mode & MMK_FMODE_WRITE))
		return 0;
	err = mmk_mapping_get_write(&f->inode->mapping);
	if (err)
		return err;
	f->counted_writer = true;
	return flags & O_TRUNC ? hosted_ftruncate(h, fd, 0) : 0;
}

/*
 * The host's own descriptor can read even where the program's may only write: the page cache reads
 * what a write leaves of a page. A write-only file that this user may not read is refused by the
 * host.
 */
static int host_open(const char *path, int flags, mode_t mode)
{
	int fd;

	flags = (flags & ~(O_TRUNC | O_APPEND)) | O_CLOEXEC;
	if ((flags & O_ACCMODE) == O_WRONLY)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	fd = open(path, flags, mode);
	return fd < 0 ? -errno : fd;
}

static int open_locked(struct hosted *h, const char *path, int flags, mode_t mode)
{
	struct hosted_inode *inode;
	char resolved[PATH_MAX];
	struct stat st;
	int fd = host_open(path, flags, mode);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st)) {
		close(fd);
		return -MMK_EIO;
	}
	if (!realpath(path, resolved))
		snprintf(resolved, sizeof(resolved), "%s", path);
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return open_file(h, NULL, &unmappable_ops, mode_of(flags), resolved);
	}
	inode = inode_of(h, fd, &st, (flags & O_ACCMODE) != O_RDONLY);
	if (!inode)
		return -MMK_ENOMEM;
	return open_file(h, inode, &regular_ops, mode_of(flags), resolved);
}

int hosted_open(struct hosted *h, const char *path, int flags, mode_t mode)
{
	int fd, err;

	pthread_mutex_lock(&h->open_lock);
	fd = open_locked(h, path, flags, mode);
	pthread_mutex_unlock(&h->open_lock);
	if (fd < 0 || !h->fds[fd]->inode)
		return fd;
	err = begin_writing(h, fd, flags);
	if (err) {
		hosted_close(h, fd);
		return err;
	}
	return fd;
}

int hosted_memfd(struct hosted *h, const char *name, uint64_t size)
{
	struct hosted_inode *inode;
	char path[PATH_MAX];
	int fd = -MMK_ENOMEM;

	snprintf(path, sizeof(path), "/memfd:%s (deleted)", name);
	pthread_mutex_lock(&h->open_lock);
	inode = new_inode(h, -1, makedev(0, 1), ++h->next_ino, size);
	if (inode)
		fd = open_file(h, inode, &regular_ops, MMK_FMODE_READ | MMK_FMODE_WRITE, path);
	pthread_mutex_unlock(&h->open_lock);
	return fd;
}

static int open_special(struct hosted *h, const struct mmk_file_ops *ops, uint32_t f_mode,
                        const char *path)
{
	int fd;

	pthread_mutex_lock(&h->open_lock);
	fd = open_file(h, NULL, ops, f_mode, path);
	pthread_mutex_unlock(&h->open_lock);
	return fd;
}

int hosted_open_special(struct hosted *h, const struct mmk_file_ops *ops, uint32_t f_mode)
{
	return open_special(h, ops, f_mode, "/dev/special");
}

int hosted_open_zero(struct hosted *h)
{
	return open_special(h, &zero_ops, MMK_FMODE_READ | MMK_FMODE_WRITE, "/dev/zero");
}

int hosted_close(struct hosted *h, int fd)
{
	struct hosted_file *f;

	if (fd < 0 || fd >= HOSTED_NR_FDS)
		return -MMK_EBADF;
	pthread_mutex_lock(&h->files_lock);
	f = h->fds[fd];
	h->fds[fd] = NULL;
	pthread_mutex_unlock(&h->files_lock);
	if (!f)
		return -MMK_EBADF;
	hosted_fput(h, &f->file);
	return 0;
}

struct mmk_file *hosted_file(struct hosted *h, int fd)
{
	struct hosted_file *f;

	if (fd < 0 || fd >= HOSTED_NR_FDS)
		return NULL;
	pthread_mutex_lock(&h->files_lock);
	f = h->fds[fd];
	pthread_mutex_unlock(&h->files_lock);
	return f ? &f->file : NULL;
}

struct mmk_file *hosted_fget(void *ctx, struct mmk_task *task, int fd)
{
	struct hosted *h = ctx;
	struct hosted_file *f = NULL;

	pthread_mutex_lock(&h->files_lock);
	if (fd >= 0 && fd < HOSTED_NR_FDS)
		f = h->fds[fd];
	if (f)
		f->refs++;
	pthread_mutex_unlock(&h->files_lock);
	return f ? &f->file : NULL;
}

void hosted_get_file(void *ctx, struct mmk_file *file)
{
	struct hosted *h = ctx;

	pthread_mutex_lock(&h->files_lock);
	to_hosted(file)->refs++;
	pthread_mutex_unlock(&h->files_lock);
}

void hosted_fput(void *ctx, struct mmk_file *file)
{
	struct hosted *h = ctx;
	struct hosted_file *f = to_hosted(file);
	bool last;

	pthread_mutex_lock(&h->files_lock);
	last = --f->refs == 0;
	pthread_mutex_unlock(&h->files_lock);
	if (!last)
		return;
	if (f->inode) {
		if (f->counted_writer)
			mmk_mapping_put_write(&f->inode->mapping);
		pthread_mutex_lock(&h->open_lock);
		put_inode(h, f->inode);
		pthread_mutex_unlock(&h->open_lock);
	}
	free(f->path);
	free(f);
}

void hosted_file_id(void *ctx, struct mmk_file *file, uint32_t *major, uint32_t *minor,
                    uint64_t *ino)
{
	const struct hosted_file *f = to_hosted(file);
	uint64_t dev = f->inode ? f->inode->dev : makedev(0, 5);

	*major = major(dev);
	*minor = minor(dev);
	*ino = f->ino;
}

int hosted_file_path(void *ctx, struct mmk_file *file, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", to_hosted(file)->path);
}

/* ---- read, write and size ---- */

/* The inode of a descriptor with a right to it; NULL: none. */
static struct hosted_inode *inode_for(struct hosted *h, int fd, uint32_t f_mode)
{
	struct mmk_file *file = hosted_file(h, fd);

	return file && file->f_mode & f_mode ? to_hosted(file)->inode : NULL;
}

int64_t hosted_pread(struct hosted *h, int fd, uint64_t pos, void *buf, size_t n)
{
	struct hosted_inode *inode = inode_for(h, fd, MMK_FMODE_READ);

	return inode ? mmk_mapping_read(&inode->mapping, pos, buf, n) : -MMK_EBADF;
}

/* The file of the host grows at once, and its new bytes follow when they are written back. */
static int grow_home(struct hosted_inode *inode)
{
	struct stat st;

	if (inode->fd < 0)
		return 0;
	if (fstat(inode->fd, &st))
		return -errno;
	if ((uint64_t)st.st_size >= inode->mapping.i_size)
		return 0;
	return ftruncate(inode->fd, (off_t)inode->mapping.i_size) ? -errno : 0;
}

int64_t hosted_pwrite(struct hosted *h, int fd, uint64_t pos, const void *buf, size_t n)
{
	struct hosted_inode *inode = inode_for(h, fd, MMK_FMODE_WRITE);
	int64_t done;
	int err;

	if (!inode)
		return -MMK_EBADF;
	pthread_mutex_lock(&inode->lock);
	done = mmk_mapping_write(&inode->mapping, pos, buf, n);
	err = grow_home(inode);
	pthread_mutex_unlock(&inode->lock);
	return done > 0 && err ? err : done;
}

int hosted_ftruncate(struct hosted *h, int fd, uint64_t size)
{
	struct hosted_inode *inode = inode_for(h, fd, MMK_FMODE_WRITE);
	int err;

	if (!inode)
		return -MMK_EINVAL;
	if (size > INT64_MAX)
		return -MMK_EFBIG;
	pthread_mutex_lock(&inode->lock);
	err = mmk_mapping_truncate(&inode->mapping, size);
	if (!err && inode->fd >= 0 && ftruncate(inode->fd, (off_t)size))
		err = -errno;
	pthread_mutex_unlock(&inode->lock);
	return err;
}

/* tmpfs only: POSIX has no means to punch the home of other files. */
static int punch_inode(struct hosted_inode *inode, uint64_t start, uint64_t end)
{
	int err;

	if (inode->fd >= 0)
		return -MMK_EOPNOTSUPP;
	pthread_mutex_lock(&inode->lock);
	err = mmk_mapping_punch(&inode->mapping, start, end);
	pthread_mutex_unlock(&inode->lock);
	return err;
}

int hosted_punch(struct hosted *h, int fd, uint64_t start, uint64_t end)
{
	struct hosted_inode *inode = inode_for(h, fd, MMK_FMODE_WRITE);

	return inode ? punch_inode(inode, start, end) : -MMK_EBADF;
}

static int regular_fallocate(struct mmk_file *file, int mode, uint64_t off, uint64_t len)
{
	if (mode != (MMK_FALLOC_FL_PUNCH_HOLE | MMK_FALLOC_FL_KEEP_SIZE))
		return -MMK_EOPNOTSUPP;
	return punch_inode(to_hosted(file)->inode, off, off + len);
}

int hosted_fsync(struct hosted *h, int fd)
{
	struct mmk_file *file = hosted_file(h, fd);

	return file ? mmk_file_sync(file, 0, UINT64_MAX, true) : -MMK_EBADF;
}
