/* SPDX-License-Identifier: MIT */
/*
 * read(2), write(2) and their vector and positioned forms.
 *
 * All go through one pair of loops over a user_iter, the pieces of user memory of the call. File
 * operations see kernel memory only: data passes through a buffer, so no lock of a file is ever
 * held while user memory is touched, which may fault and want that same file.
 */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

#define RW_MAX       0x7ffff000ul /* of one call */
#define BOUNCE_MAX   KiB(64)
#define BOUNCE_SMALL 256u

struct user_iter {
	const struct abi_iovec *iov;
	size_t n;    /* pieces left */
	size_t off;  /* in the first of them */
	size_t left; /* bytes in all */
};

/* Move up to len bytes between kernel memory and the pieces; how many there were before a fault. */
static size_t iter_copy(struct user_iter *it, void *buf, size_t len, bool out)
{
	size_t done = 0;

	while (done < len && it->n) {
		size_t room = it->iov->len - it->off, k = min(len - done, room), bad;
		u64 at = it->iov->base + it->off;

		if (out)
			bad = __copy_to_user((void __user *)at, (char *)buf + done, k);
		else
			bad = __copy_from_user((char *)buf + done, (const void __user *)at, k);
		done += k - bad;
		it->off += k - bad;
		it->left -= k - bad;
		if (bad)
			break;
		if (it->off == it->iov->len) {
			it->iov++;
			it->n--;
			it->off = 0;
		}
	}
	return done;
}

/* ------------------------------------------------------------------ checks */

int file_readable(struct file *f)
{
	if (!FILE_CAN_READ(f))
		return -EBADF;
	if (is_dir(f->inode))
		return -EISDIR;
	return f->fop->read ? 0 : -EINVAL;
}

int file_writable(struct file *f)
{
	if (!FILE_CAN_WRITE(f))
		return -EBADF;
	return f->fop->write ? 0 : -EINVAL;
}

ssize_t file_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	int err = file_readable(f);

	return err ? err : f->fop->read(f, buf, n, pos);
}

ssize_t file_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	int err = file_writable(f);

	return err ? err : f->fop->write(f, buf, n, pos);
}

/* ------------------------------------------------------------------ the two loops */

/*
 * A buffer for a transfer of n bytes: `small` (BOUNCE_SMALL bytes), or from the heap. Where that
 * has no room, small does as well, only slower: so no transfer fails for want of a buffer.
 */
static char *bounce_get(char *small, size_t n, size_t *size)
{
	char *p = NULL;

	*size = min(n, (size_t)BOUNCE_MAX);
	if (*size > BOUNCE_SMALL)
		p = fs_alloc(*size);
	if (!p && *size > PAGE_SIZE) {
		*size = PAGE_SIZE;
		p = fs_alloc(*size);
	}
	if (p)
		return p;
	*size = BOUNCE_SMALL;
	return small;
}

static void bounce_put(char *p, const char *small)
{
	if (p != small)
		fs_free(p);
}

static ssize_t read_loop(struct file *f, struct user_iter *it, u64 *pos)
{
	char small[BOUNCE_SMALL];
	size_t size, done = 0;
	char *buf = bounce_get(small, it->left, &size);
	ssize_t n = 0;

	do {
		size_t want = min(it->left, size), out;

		n = f->fop->read(f, buf, want, pos);
		if (n <= 0)
			break;
		out = iter_copy(it, buf, (size_t)n, true);
		done += out;
		if (out < (size_t)n) {
			if (!(f->fop->flags & FOP_STREAM))
				*pos -= (size_t)n - out;
			n = -EFAULT;
			break;
		}
		if ((size_t)n < want || (f->fop->flags & FOP_STREAM) ||
		    fatal_signal_pending(current))
			break;
		cond_resched();
	} while (it->left);
	bounce_put(buf, small);
	return done ? (ssize_t)done : n;
}

static ssize_t write_loop(struct file *f, struct user_iter *it, u64 *pos)
{
	char small[BOUNCE_SMALL];
	size_t size, done = 0;
	char *buf = bounce_get(small, it->left, &size);
	ssize_t n = 0;

	do {
		size_t want = min(it->left, size), in = iter_copy(it, buf, want, false);

		if (!in && want) {
			n = -EFAULT;
			break;
		}
		n = f->fop->write(f, buf, in, pos);
		if (n > 0)
			done += (size_t)n;
		if (n < 0 || (size_t)n < want || fatal_signal_pending(current))
			break;
		cond_resched();
	} while (it->left);
	bounce_put(buf, small);
	return done ? (ssize_t)done : n;
}

/* At the file's own position, which no other thread moves meanwhile. */
static ssize_t transfer(struct file *f, struct user_iter *it, bool write)
{
	ssize_t n;
	u64 pos = 0;

	it->left = min(it->left, RW_MAX);
	if (f->fop->flags & FOP_STREAM)
		return write ? write_loop(f, it, &pos) : read_loop(f, it, &pos);
	mutex_lock(&f->pos_lock);
	n = write ? write_loop(f, it, &f->pos) : read_loop(f, it, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

static ssize_t transfer_at(struct file *f, struct user_iter *it, u64 pos, bool write)
{
	it->left = min(it->left, RW_MAX);
	if (f->fop->flags & (FOP_STREAM | FOP_NOSEEK))
		return -ESPIPE;
	if ((s64)pos < 0)
		return -EINVAL;
	return write ? write_loop(f, it, &pos) : read_loop(f, it, &pos);
}

/* pos NULL: the file's own. */
static long do_rw(int fd, const struct abi_iovec *iov, size_t n, size_t total, const u64 *pos,
                  bool write)
{
	struct user_iter it = {.iov = iov, .n = n, .left = total};
	struct file *f = fget(fd);
	ssize_t r;

	if (!f)
		return -EBADF;
	r = write ? file_writable(f) : file_readable(f);
	if (!r)
		r = pos ? transfer_at(f, &it, *pos, write) : transfer(f, &it, write);
	fput(f);
	return r;
}

static long rw_one(u64 fd, u64 buf, u64 n, const u64 *pos, bool write)
{
	struct abi_iovec iov = {.base = buf, .len = n};

	if ((s64)n < 0)
		return -EINVAL;
	return do_rw((int)fd, &iov, n != 0, n, pos, write);
}

/* Pieces of no length are left out, so that the loops need not know them. */
static long iov_total(struct abi_iovec *iov, size_t n, size_t *used)
{
	size_t i, k = 0;
	u64 total = 0;

	for (i = 0; i < n; i++) {
		if ((s64)iov[i].len < 0)
			return -EINVAL;
		if (iov[i].len > RW_MAX - total)
			iov[i].len = RW_MAX - total;
		total += iov[i].len;
		if (iov[i].len)
			iov[k++] = iov[i];
	}
	*used = k;
	return (long)total;
}

static long rw_vector(u64 fd, u64 uiov, u64 n, const u64 *pos, bool write)
{
	struct abi_iovec few[8], *iov = few;
	size_t used;
	long r;

	if (n > IOV_MAX)
		return -EINVAL;
	if (n > ARRAY_SIZE(few)) {
		iov = fs_alloc(n * sizeof(*iov));
		if (!iov)
			return -ENOMEM;
	}
	r = copy_from_user(iov, uiov, n * sizeof(*iov));
	if (!r)
		r = iov_total(iov, n, &used);
	if (r >= 0)
		r = do_rw((int)fd, iov, used, (size_t)r, pos, write);
	if (iov != few)
		fs_free(iov);
	return r;
}

/* ------------------------------------------------------------------ the calls */

long sys_read(u64 fd, u64 buf, u64 n)
{
	return rw_one(fd, buf, n, NULL, false);
}

long sys_write(u64 fd, u64 buf, u64 n)
{
	return rw_one(fd, buf, n, NULL, true);
}

long sys_pread64(u64 fd, u64 buf, u64 n, u64 pos)
{
	return rw_one(fd, buf, n, &pos, false);
}

long sys_pwrite64(u64 fd, u64 buf, u64 n, u64 pos)
{
	return rw_one(fd, buf, n, &pos, true);
}

long sys_readv(u64 fd, u64 iov, u64 n)
{
	return rw_vector(fd, iov, n, NULL, false);
}

long sys_writev(u64 fd, u64 iov, u64 n)
{
	return rw_vector(fd, iov, n, NULL, true);
}

long sys_preadv(u64 fd, u64 iov, u64 n, u64 pos, u64 pos_hi)
{
	return rw_vector(fd, iov, n, &pos, false);
}

long sys_pwritev(u64 fd, u64 iov, u64 n, u64 pos, u64 pos_hi)
{
	return rw_vector(fd, iov, n, &pos, true);
}

/* Position -1 is the file's own; no RWF_ flag is offered. */
long sys_preadv2(u64 fd, u64 iov, u64 n, u64 pos, u64 pos_hi, u64 flags)
{
	if (flags)
		return -EOPNOTSUPP;
	return rw_vector(fd, iov, n, pos == ~(u64)0 ? NULL : &pos, false);
}

long sys_pwritev2(u64 fd, u64 iov, u64 n, u64 pos, u64 pos_hi, u64 flags)
{
	if (flags)
		return -EOPNOTSUPP;
	return rw_vector(fd, iov, n, pos == ~(u64)0 ? NULL : &pos, true);
}

long sys_lseek(u64 fd, u64 off, u64 whence)
{
	struct file *f = fget((int)fd);
	s64 to;

	if (!f)
		return -EBADF;
	mutex_lock(&f->pos_lock);
	if (f->fop->flags & (FOP_STREAM | FOP_NOSEEK))
		to = -ESPIPE;
	else if (f->fop->llseek)
		to = f->fop->llseek(f, (s64)off, (int)whence);
	else
		to = generic_llseek(f, (s64)off, (int)whence);
	mutex_unlock(&f->pos_lock);
	fput(f);
	return to;
}
