/* SPDX-License-Identifier: MIT */
/*
 * Pipes and fifos: a ring of pages, which come as they are needed; 64 KiB unless F_SETPIPE_SZ says
 * otherwise. A write of up to 4096 bytes is not mixed with others': it waits until it fits whole.
 */
#include "kernel/fs/pipe.h"
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

#define PIPE_PAGES     16u  /* of a new one */
#define PIPE_MAX_PAGES 256u /* Linux's pipe-max-size, which here binds the administrator too */

static bool ring_alloc(struct pipe *p, u32 pages)
{
	p->page = fs_zalloc(pages * sizeof(*p->page));
	p->size = pages * 4096;
	return p->page != NULL;
}

static void ring_free(struct pipe *p)
{
	u32 i;

	for (i = 0; i < p->size / 4096; i++)
		if (p->page[i])
			mmk_free_frames(mm_sys, p->page[i], 0);
	fs_free(p->page);
}

static struct pipe *pipe_alloc(void)
{
	struct pipe *p = fs_zalloc(sizeof(*p));

	if (!p)
		return NULL;
	mutex_init(&p->lock);
	wait_queue_init(&p->rd);
	wait_queue_init(&p->wr);
	if (!ring_alloc(p, PIPE_PAGES)) {
		fs_free(p);
		return NULL;
	}
	return p;
}

static void pipe_free(struct pipe *p)
{
	ring_free(p);
	fs_free(p);
}

void pipe_inode_free(struct inode *inode)
{
	pipe_free(inode->pipe);
	inode->pipe = NULL;
}

void pipe_changed(struct wait_queue *wq)
{
	wake_up_all(wq);
	poll_notify();
}

/* ------------------------------------------------------------------ reading */

size_t pipe_peek(const struct pipe *p, char *buf, size_t n)
{
	size_t done = 0;

	n = min(n, (size_t)pipe_used(p));
	while (done < n) {
		u32 at = (p->tail + (u32)done) % p->size, k = 4096 - at % 4096;

		k = (u32)min((size_t)k, n - done);
		memcpy(buf + done, p->page[at / 4096] + at % 4096, k);
		done += k;
	}
	return done;
}

static ssize_t pipe_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	struct pipe *p = f->inode->pipe;
	size_t done;
	long err;

	if (!n)
		return 0;
	for (;;) {
		bool over;

		mutex_lock(&p->lock);
		done = pipe_peek(p, buf, n);
		p->tail += (u32)done;
		over = !p->writers;
		mutex_unlock(&p->lock);
		if (done) {
			pipe_changed(&p->wr);
			return (ssize_t)done;
		}
		if (over)
			return 0;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&p->rd, pipe_used(p) || !READ_ONCE(p->writers));
		if (err)
			return err;
	}
}

/* ------------------------------------------------------------------ writing */

size_t pipe_put(struct pipe *p, const char *buf, size_t n, int *err)
{
	size_t done = 0;

	*err = 0;
	while (done < n && p->head - p->tail < p->size) {
		u32 at = p->head % p->size, k = 4096 - at % 4096;
		char **page = &p->page[at / 4096];

		if (!*page)
			*page = mmk_alloc_frames(mm_sys, 0, false);
		if (!*page) {
			*err = -ENOMEM;
			break;
		}
		k = min(k, p->size - (p->head - p->tail));
		k = (u32)min((size_t)k, n - done);
		memcpy(*page + at % 4096, buf + done, k);
		p->head += k;
		done += k;
	}
	return done;
}

static ssize_t pipe_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	struct pipe *p = f->inode->pipe;
	size_t done = 0;
	int err = 0;

	while (done < n && !err) {
		size_t need = n <= PIPE_BUF ? n : 1, k = 0;

		mutex_lock(&p->lock);
		if (!p->readers)
			err = -EPIPE;
		else if (pipe_room(p) >= need)
			k = pipe_put(p, (const char *)buf + done, n - done, &err);
		mutex_unlock(&p->lock);
		done += k;
		if (k)
			pipe_changed(&p->rd);
		if (err || done == n)
			break;
		if (f->flags & O_NONBLOCK)
			err = -EAGAIN;
		else
			err = (int)wait_event_interruptible(&p->wr, pipe_room(p) >= need ||
			                                                !READ_ONCE(p->readers));
	}
	if (err == -EPIPE && !done)
		send_sig(SIGPIPE, current);
	return done ? (ssize_t)done : err;
}

/* ------------------------------------------------------------------ its size */

/* A ring of another size in place of p's, with the same bytes in it; p->lock. */
static int ring_change(struct pipe *p, u32 pages)
{
	struct pipe fresh = {.head = p->tail, .tail = p->tail};
	int err = 0;

	if (pipe_used(p) > pages * 4096)
		return -EBUSY;
	if (!ring_alloc(&fresh, pages))
		return -ENOMEM;
	while (!err && fresh.head != p->head) {
		u32 at = fresh.head % p->size, k = min(4096 - at % 4096, p->head - fresh.head);

		pipe_put(&fresh, p->page[at / 4096] + at % 4096, k, &err);
	}
	if (!err) {
		struct pipe old = {.page = p->page, .size = p->size};

		p->page = fresh.page;
		WRITE_ONCE(p->size, fresh.size);
		fresh = old;
	}
	ring_free(&fresh);
	return err;
}

long pipe_size(struct file *f)
{
	return f->inode->pipe ? (long)READ_ONCE(f->inode->pipe->size) : -EBADF;
}

/* fcntl(F_SETPIPE_SZ): the size is rounded up to what a ring can have. */
long pipe_set_size(struct file *f, u32 size)
{
	struct pipe *p = f->inode->pipe;
	u32 pages = 1;
	long ret = 0;

	if (!p)
		return -EBADF;
	if (size > 1u << 31)
		return -EINVAL;
	if (size > PIPE_MAX_PAGES * 4096)
		return -EPERM;
	while (pages * 4096 < size)
		pages *= 2;
	mutex_lock(&p->lock);
	if (pages * 4096 != p->size)
		ret = ring_change(p, pages);
	mutex_unlock(&p->lock);
	if (ret)
		return ret;
	pipe_changed(&p->wr);
	return pages * 4096;
}

/* ------------------------------------------------------------------ the rest of a pipe's file */

static u32 pipe_poll(struct file *f)
{
	struct pipe *p = f->inode->pipe;
	u32 events = 0;

	if (FILE_CAN_READ(f)) {
		if (pipe_used(p))
			events |= POLLIN | POLLRDNORM;
		if (!READ_ONCE(p->writers) && f->priv != (void *)(u64)READ_ONCE(p->w_opens))
			events |= POLLHUP;
	}
	if (FILE_CAN_WRITE(f)) {
		if (pipe_room(p) >= PIPE_BUF)
			events |= POLLOUT | POLLWRNORM;
		if (!READ_ONCE(p->readers))
			events |= POLLERR;
	}
	return events;
}

static long pipe_ioctl(struct file *f, u32 cmd, u64 arg)
{
	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user((int)pipe_used(f->inode->pipe), int, arg);
}

/* The last one to leave a fifo takes what was in it along. */
static void pipe_release(struct file *f)
{
	struct inode *inode = f->inode;
	struct pipe *p;
	bool last;

	mutex_lock(&inode->lock);
	p = inode->pipe;
	mutex_lock(&p->lock);
	if (FILE_CAN_READ(f))
		p->readers--;
	if (FILE_CAN_WRITE(f))
		p->writers--;
	last = !p->readers && !p->writers;
	mutex_unlock(&p->lock);
	pipe_changed(&p->rd);
	pipe_changed(&p->wr);
	if (last)
		pipe_inode_free(inode);
	mutex_unlock(&inode->lock);
}

const struct file_ops fifo_file_ops = {
    .flags = FOP_STREAM,
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
};

struct pipe *pipe_of(struct file *f)
{
	return f->fop == &fifo_file_ops ? f->inode->pipe : NULL;
}

/* ------------------------------------------------------------------ fifos: open waits for the
 * other end */

/* Count f in; the fifo's pipe is made by the first. */
static int fifo_join(struct file *f)
{
	struct inode *inode = f->inode;
	struct pipe *p;
	int err = 0;

	mutex_lock(&inode->lock);
	if (!inode->pipe)
		inode->pipe = pipe_alloc();
	p = inode->pipe;
	if (!p) {
		err = -ENOMEM;
	} else if (!FILE_CAN_READ(f) && (f->flags & O_NONBLOCK) && !p->readers) {
		err = -ENXIO;
		if (!p->writers)
			pipe_inode_free(inode);
	} else {
		mutex_lock(&p->lock);
		if (FILE_CAN_READ(f)) {
			p->readers++;
			p->r_opens++;
		}
		if (FILE_CAN_WRITE(f)) {
			p->writers++;
			p->w_opens++;
		}
		mutex_unlock(&p->lock);
	}
	mutex_unlock(&inode->lock);
	return err;
}

static int fifo_open(struct file *f)
{
	int err = fifo_join(f);
	struct pipe *p = f->inode->pipe;
	u32 seen;

	if (err)
		return err;
	f->fop = &fifo_file_ops;
	f->mf.f_op = &fifo_file_ops.mm;
	pipe_changed(&p->rd); /* those who wait in open */
	pipe_changed(&p->wr);
	if (!FILE_CAN_WRITE(f)) {
		seen = READ_ONCE(p->w_opens);
		if (f->flags & O_NONBLOCK)
			f->priv = p->writers ? NULL : (void *)(u64)seen; /* no POLLHUP yet */
		else if (!p->writers)
			err = (int)wait_event_interruptible(
			    &p->rd, READ_ONCE(p->writers) || READ_ONCE(p->w_opens) != seen);
	} else if (!FILE_CAN_READ(f) && !p->readers) {
		seen = READ_ONCE(p->r_opens);
		err = (int)wait_event_interruptible(&p->wr, READ_ONCE(p->readers) ||
		                                                READ_ONCE(p->r_opens) != seen);
	}
	if (err)
		pipe_release(f);
	return err;
}

/* Special files: what is opened depends on type and number. */
static int special_open(struct file *f)
{
	const struct file_ops *fop;

	if (S_ISFIFO(f->inode->mode))
		return fifo_open(f);
	if (!S_ISCHR(f->inode->mode))
		return -ENXIO;
	fop = chrdev_find(f->inode->rdev);
	if (!fop)
		return -ENXIO;
	f->fop = fop;
	f->mf.f_op = &fop->mm;
	return fop->open ? fop->open(f) : 0;
}

const struct file_ops special_file_ops = {.open = special_open};

const struct file_ops *special_ops(u32 mode, const struct file_ops *regular,
                                   const struct file_ops *dir)
{
	if (S_ISREG(mode))
		return regular;
	if (S_ISDIR(mode))
		return dir;
	return S_ISFIFO(mode) || S_ISCHR(mode) || S_ISBLK(mode) ? &special_file_ops : NULL;
}

/* ------------------------------------------------------------------ pipe2(2) */

/* Both ends on one inode, like a fifo that is open already. */
/* file_alloc() of the second end takes over special_file_ops, hence the lines after it. */
static int pipe_files(u32 flags, struct file **rd, struct file **wr)
{
	struct pipe *p = pipe_alloc();
	int err;

	if (!p)
		return -ENOMEM;
	err = anon_file("pipe", S_IFIFO | 0600, &fifo_file_ops, NULL, O_RDONLY | flags, rd);
	if (err) {
		pipe_free(p);
		return err;
	}
	p->readers = p->r_opens = 1;
	(*rd)->inode->pipe = p;
	(*rd)->inode->fop = &special_file_ops; /* through /proc/PID/fd it opens like a fifo */
	*wr = file_alloc(&(*rd)->path, O_WRONLY | flags);
	if (!*wr) {
		fput(*rd);
		return -ENOMEM;
	}
	p->writers = p->w_opens = 1;
	(*wr)->fop = &fifo_file_ops;
	(*wr)->mf.f_op = &fifo_file_ops.mm;
	return 0;
}

long sys_pipe2(u64 ufds, u64 flags)
{
	struct file *rd, *wr;
	int fds[2], err;

	if (flags & ~(u64)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	if (flags & O_DIRECT)
		return -EINVAL; /* packets are not offered */
	err = pipe_files((u32)flags & O_NONBLOCK, &rd, &wr);
	if (err)
		return err;
	fds[0] = fd_new(rd, (u32)flags);
	if (fds[0] < 0) {
		fput(wr);
		return fds[0];
	}
	fds[1] = fd_new(wr, (u32)flags);
	if (fds[1] < 0) {
		fd_close(fds[0]);
		return fds[1];
	}
	if (copy_to_user(ufds, fds, sizeof(fds))) {
		fd_close(fds[0]);
		fd_close(fds[1]);
		return -EFAULT;
	}
	return 0;
}
