/* SPDX-License-Identifier: MIT */
/*
 * splice(2), tee(2), vmsplice(2): bytes from and to pipes. They are copied, page by page, where
 * Linux may hand pages on; nobody can tell.
 */
#include "kernel/fs/pipe.h"
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_ALL      15u

#define SPLICE_MAX 0x7ffff000ul
#define CHUNK      KiB(64) /* goes at once */

/* ------------------------------------------------------------------ waiting */

/* Until there are bytes: 1; 0 at the end of all that will come; -EAGAIN, -ERESTARTSYS. */
static long wait_for_bytes(struct pipe *p, bool nonblock)
{
	long err;

	while (!pipe_used(p)) {
		if (!READ_ONCE(p->writers))
			return 0;
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(&p->rd, pipe_used(p) || !READ_ONCE(p->writers));
		if (err)
			return err;
	}
	return 1;
}

/* Until there is room: 1; -EPIPE without readers, which the caller is told by SIGPIPE too. */
static long wait_for_room(struct pipe *p, bool nonblock)
{
	long err;

	for (;;) {
		if (!READ_ONCE(p->readers)) {
			send_sig(SIGPIPE, current);
			return -EPIPE;
		}
		if (pipe_room(p))
			return 1;
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(&p->wr, pipe_room(p) || !READ_ONCE(p->readers));
		if (err)
			return err;
	}
}

/* ------------------------------------------------------------------ pipe to pipe */

static void lock_two(struct pipe *a, struct pipe *b)
{
	mutex_lock(a < b ? &a->lock : &b->lock);
	mutex_lock(a < b ? &b->lock : &a->lock);
}

/* What can be moved at once. The bytes stay where they were for tee. */
static long move_between(struct pipe *in, struct pipe *out, size_t n, bool keep, char *buf)
{
	size_t k;
	int err;

	lock_two(in, out);
	n = min(n, (size_t)pipe_room(out));
	k = pipe_peek(in, buf, min(n, (size_t)CHUNK));
	k = pipe_put(out, buf, k, &err);
	if (!keep)
		in->tail += (u32)k;
	mutex_unlock(&in->lock);
	mutex_unlock(&out->lock);
	if (k)
		pipe_changed(&out->rd);
	if (k && !keep)
		pipe_changed(&in->wr);
	return k ? (long)k : err;
}

static long pipe_to_pipe(struct pipe *in, struct pipe *out, size_t n, bool keep, bool nonblock)
{
	char *buf = fs_alloc_buf(CHUNK);
	long r;

	if (!buf)
		return -ENOMEM;
	do {
		r = wait_for_bytes(in, nonblock);
		if (r > 0)
			r = wait_for_room(out, nonblock);
		if (r > 0)
			r = move_between(in, out, n, keep, buf);
		else
			break;
	} while (!r); /* another was faster */
	fs_free(buf);
	return r;
}

/* ------------------------------------------------------------------ pipe and file */

/*
 * A file takes the bytes while the pipe is locked, so that what it refuses stays in the pipe. What
 * may wait for long is given them first, and they are gone where it refuses them.
 */
static long feed_file(struct pipe *in, struct file *out, u64 *pos, size_t n, char *buf)
{
	bool stream = out->fop->flags & FOP_STREAM;
	size_t k;
	long w = 0;

	mutex_lock(&in->lock);
	k = pipe_peek(in, buf, min(n, (size_t)CHUNK));
	if (k && !stream)
		w = out->fop->write(out, buf, k, pos);
	in->tail += stream ? (u32)k : (u32)max(w, 0l);
	mutex_unlock(&in->lock);
	if (k)
		pipe_changed(&in->wr);
	return k && stream ? out->fop->write(out, buf, k, pos) : w;
}

static long pipe_to_file(struct pipe *in, struct file *out, u64 *pos, size_t n, bool nonblock)
{
	char *buf = fs_alloc_buf(CHUNK);
	size_t done = 0;
	long r = buf ? wait_for_bytes(in, nonblock) : -ENOMEM;

	while (r > 0 && done < n) {
		r = feed_file(in, out, pos, n - done, buf);
		if (r > 0)
			done += (size_t)r;
	}
	fs_free(buf);
	return done ? (long)done : r;
}

static long file_to_pipe(struct file *in, u64 *pos, struct file *out, size_t n, bool nonblock)
{
	struct pipe *p = pipe_of(out);
	long r = wait_for_room(p, nonblock);
	char *buf;
	u64 end;

	if (r < 0)
		return r;
	n = min(n, min((size_t)CHUNK, (size_t)max(pipe_room(p), 1u)));
	buf = fs_alloc_buf(CHUNK);
	if (!buf)
		return -ENOMEM;
	r = in->fop->read(in, buf, n, pos);
	if (r > 0)
		r = out->fop->write(out, buf, (size_t)r, &end);
	fs_free(buf);
	return r;
}

/* ------------------------------------------------------------------ the calls */

static long splice_check(struct file *in, u64 upos_in, struct file *out, u64 upos_out)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);

	if (!FILE_CAN_READ(in) || !FILE_CAN_WRITE(out))
		return -EBADF;
	if ((from && upos_in) || (to && upos_out))
		return -ESPIPE;
	if ((!from && !to) || from == to)
		return -EINVAL;
	if ((!to && (out->flags & O_APPEND)) || (upos_in && (in->fop->flags & FOP_STREAM)) ||
	    (upos_out && (out->fop->flags & FOP_STREAM)))
		return -EINVAL;
	return in->fop->read && out->fop->write ? 0 : -EINVAL;
}

/* The position in the file: the caller's, or the file's own, which is locked. */
static long splice_file(struct file *in, struct file *out, u64 upos, size_t n, bool nonblock)
{
	struct pipe *from = pipe_of(in);
	struct file *f = from ? out : in;
	u64 pos = 0;
	long r = upos ? get_user_pos(upos, &pos) : 0;

	if (r)
		return r;
	if (!upos)
		mutex_lock(&f->pos_lock);
	if (from)
		r = pipe_to_file(from, out, upos ? &pos : &f->pos, n, nonblock);
	else
		r = file_to_pipe(in, upos ? &pos : &f->pos, out, n, nonblock);
	if (!upos)
		mutex_unlock(&f->pos_lock);
	if (r > 0 && upos && copy_to_user(upos, &pos, sizeof(pos)))
		return -EFAULT;
	return r;
}

static long splice_files(struct file *in, u64 upos_in, struct file *out, u64 upos_out, size_t n,
                         u32 flags)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);
	bool nonblock = flags & SPLICE_F_NONBLOCK || (from && (in->flags & O_NONBLOCK)) ||
	                (to && (out->flags & O_NONBLOCK));
	long err = splice_check(in, upos_in, out, upos_out);

	if (err)
		return err;
	if (from && to)
		return pipe_to_pipe(from, to, n, false, nonblock);
	return splice_file(in, out, from ? upos_out : upos_in, n, nonblock);
}

long sys_splice(u64 ifd, u64 upos_in, u64 ofd, u64 upos_out, u64 n, u64 flags)
{
	struct file *in, *out;
	long r;

	if (!n)
		return 0;
	if ((u32)flags & ~SPLICE_F_ALL)
		return -EINVAL;
	r = fget_two(ifd, &in, ofd, &out);
	if (!r)
		r = splice_files(in, upos_in, out, upos_out, min(n, SPLICE_MAX), (u32)flags);
	fput_two(in, out);
	return r;
}

static long tee_files(struct file *in, struct file *out, size_t n, bool nonblock)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);

	if (!FILE_CAN_READ(in) || !FILE_CAN_WRITE(out))
		return -EBADF;
	if (!from || !to || from == to)
		return -EINVAL;
	return pipe_to_pipe(from, to, min(n, SPLICE_MAX), true,
	                    nonblock || (in->flags | out->flags) & O_NONBLOCK);
}

long sys_tee(u64 ifd, u64 ofd, u64 n, u64 flags)
{
	struct file *in, *out;
	long r;

	if ((u32)flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!n)
		return 0;
	r = fget_two(ifd, &in, ofd, &out);
	if (!r)
		r = tee_files(in, out, n, flags & SPLICE_F_NONBLOCK);
	fput_two(in, out);
	return r;
}

/* Of an end to write to: as writev(2); of one to read from: as readv(2). */
long sys_vmsplice(u64 fd, u64 iov, u64 n, u64 flags)
{
	struct file *f;
	struct pipe *p;
	bool write, full;

	if ((u32)flags & ~SPLICE_F_ALL)
		return -EINVAL;
	f = fget((int)fd);
	if (!f)
		return -EBADF;
	p = pipe_of(f);
	write = FILE_CAN_WRITE(f);
	full = p && (flags & SPLICE_F_NONBLOCK) &&
	       (write ? !pipe_room(p) : !pipe_used(p) && READ_ONCE(p->writers));
	fput(f);
	if (!p)
		return -EBADF;
	if (n && full)
		return -EAGAIN;
	return write ? sys_writev(fd, iov, n) : sys_readv(fd, iov, n);
}
