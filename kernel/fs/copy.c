/* SPDX-License-Identifier: MIT */
/* From file to file without the program's memory: sendfile(2) and copy_file_range(2). */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

#define COPY_CHUNK KiB(64)
#define COPY_MAX   0x7ffff000ul

/*
 * Copy up to n bytes. What was read but found no room at the other end is given back to *ipos (a
 * stream's bytes cannot be: then the chunk is lost, as it would be in a program's buffer).
 */
static ssize_t copy_loop(struct file *in, u64 *ipos, struct file *out, u64 *opos, size_t n)
{
	size_t done = 0, size = min(n, (size_t)COPY_CHUNK);
	char *buf = fs_alloc_buf(size);
	ssize_t r = 0;

	if (!buf)
		return -ENOMEM;
	while (done < n) {
		size_t want = min(n - done, size);
		ssize_t w;

		r = in->fop->read(in, buf, want, ipos);
		if (r <= 0)
			break;
		w = out->fop->write(out, buf, (size_t)r, opos);
		if (w > 0)
			done += (size_t)w;
		if (w < r) {
			*ipos -= (u64)(r - (w > 0 ? w : 0));
			r = w;
			break;
		}
		if (signal_pending(current))
			break;
		cond_resched();
	}
	fs_free(buf);
	return done ? (ssize_t)done : r;
}

/* Copies between two open files, each at a position given or its own (then locked). */
static ssize_t copy_files(struct file *in, u64 *ipos, struct file *out, u64 *opos, size_t n)
{
	bool lock_in = !ipos, lock_out = !opos && out != in;
	struct file *first = in < out ? in : out, *second = in < out ? out : in;
	ssize_t r;

	/* Two positions are locked in the order of their addresses. */
	if ((first == in && lock_in) || (first == out && lock_out))
		mutex_lock(&first->pos_lock);
	if (second != first && ((second == in && lock_in) || (second == out && lock_out)))
		mutex_lock(&second->pos_lock);
	r = copy_loop(in, ipos ? ipos : &in->pos, out, opos ? opos : &out->pos, n);
	if (second != first && ((second == in && lock_in) || (second == out && lock_out)))
		mutex_unlock(&second->pos_lock);
	if ((first == in && lock_in) || (first == out && lock_out))
		mutex_unlock(&first->pos_lock);
	return r;
}

int get_user_pos(u64 upos, u64 *pos)
{
	if (copy_from_user(pos, upos, sizeof(*pos)))
		return -EFAULT;
	return (s64)*pos < 0 ? -EINVAL : 0;
}

static int sendfile_check(struct file *in, struct file *out, u64 upos, u64 *pos)
{
	int err = file_readable(in);

	if (!err)
		err = file_writable(out);
	if (!err && (in->fop->flags & FOP_STREAM))
		err = upos ? -ESPIPE : -EINVAL;
	if (!err && (out->flags & O_APPEND))
		err = -EINVAL;
	if (!err && upos)
		err = get_user_pos(upos, pos);
	return err;
}

long sys_sendfile(u64 ofd, u64 ifd, u64 upos, u64 n)
{
	struct file *in, *out;
	ssize_t r = fget_two(ifd, &in, ofd, &out);
	u64 pos = 0;

	if (!r)
		r = sendfile_check(in, out, upos, &pos);
	if (!r)
		r = copy_files(in, upos ? &pos : NULL, out, NULL, min(n, COPY_MAX));
	if (r >= 0 && upos && copy_to_user(upos, &pos, sizeof(pos)))
		r = -EFAULT;
	fput_two(in, out);
	return r;
}

static int range_check(struct file *in, struct file *out)
{
	if (is_dir(in->inode) || is_dir(out->inode))
		return -EISDIR;
	/* Secret memory has pages, but no read and write. */
	if (!in->inode->has_mapping || !out->inode->has_mapping || !in->fop->read ||
	    !out->fop->write)
		return -EINVAL;
	if (!FILE_CAN_READ(in) || !FILE_CAN_WRITE(out) || (out->flags & O_APPEND))
		return -EBADF;
	return 0;
}

static ssize_t copy_range(struct file *in, u64 upos_in, struct file *out, u64 upos_out, size_t n)
{
	u64 ipos = in->pos, opos = out->pos;
	ssize_t r = 0;

	if (upos_in)
		r = get_user_pos(upos_in, &ipos);
	if (!r && upos_out)
		r = get_user_pos(upos_out, &opos);
	/* Copying within one file, the ranges may not overlap. */
	if (!r && in->inode == out->inode && ipos < opos + n && opos < ipos + n)
		r = -EINVAL;
	if (r)
		return r;
	r = copy_files(in, upos_in ? &ipos : NULL, out, upos_out ? &opos : NULL, n);
	if (r >= 0 && upos_in && copy_to_user(upos_in, &ipos, sizeof(ipos)))
		r = -EFAULT;
	if (r >= 0 && upos_out && copy_to_user(upos_out, &opos, sizeof(opos)))
		r = -EFAULT;
	return r;
}

long sys_copy_file_range(u64 ifd, u64 upos_in, u64 ofd, u64 upos_out, u64 n, u64 flags)
{
	struct file *in, *out;
	ssize_t r;

	if (flags)
		return -EINVAL;
	r = fget_two(ifd, &in, ofd, &out);
	if (!r)
		r = range_check(in, out);
	if (!r && n)
		r = copy_range(in, upos_in, out, upos_out, min(n, COPY_MAX));
	fput_two(in, out);
	return r;
}
