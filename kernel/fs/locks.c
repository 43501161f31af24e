/* SPDX-License-Identifier: MIT */
/*
 * Locks on files: fcntl(2)'s of ranges (owned by the process, that is its descriptor table, or by
 * the open file), and flock(2)'s of whole files.
 *
 * All locks of an inode are on its list, under one spinlock; who has to wait waits on one queue and
 * looks again whenever any lock goes.
 */
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

struct lock {
	struct list_head node;
	const void *owner; /* struct files, or struct file */
	u64 start, end;    /* both inclusive */
	s16 type;          /* F_RDLCK, F_WRLCK */
	bool flock;
	s32 pid;
};

static struct spinlock locks_lock = SPINLOCK_INIT;
static struct wait_queue locks_wq = WAIT_QUEUE_INIT(locks_wq);
static u32 locks_gen; /* [A] grows when a lock goes */

static bool overlap(const struct lock *a, const struct lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

/* A lock of another that stands in the way of l. */
static struct lock *conflict(struct inode *inode, const struct lock *l)
{
	struct lock *o;

	list_for_each_entry(o, &inode->locks,
	                    node) if (o->flock == l->flock && o->owner != l->owner &&
	                              overlap(o, l) &&
	                              (o->type == F_WRLCK || l->type == F_WRLCK)) return o;
	return NULL;
}

static void drop_one(struct lock *l)
{
	list_del(&l->node);
	fs_free(l);
}

static void tell_waiters(void)
{
	__atomic_fetch_add(&locks_gen, 1, __ATOMIC_RELEASE);
	wake_up_all(&locks_wq);
}

/*
 * Cut [l->start, l->end] out of what its owner has. *spare is used when one of them falls into two
 * pieces, then NULL.
 */
static void cut(struct inode *inode, const struct lock *l, struct lock **spare)
{
	struct lock *o, *tmp;

	list_for_each_entry_safe(o, tmp, &inode->locks, node)
	{
		if (o->flock != l->flock || o->owner != l->owner || !overlap(o, l))
			continue;
		if (o->start < l->start && o->end > l->end) {
			struct lock *tail = *spare;

			*spare = NULL;
			*tail = *o;
			tail->start = l->end + 1;
			list_add(&tail->node, &o->node);
			o->end = l->start - 1;
			return;
		}
		if (o->start < l->start)
			o->end = l->start - 1;
		else if (o->end > l->end)
			o->start = l->end + 1;
		else
			drop_one(o);
	}
}

/* Put it on the list, joined with its neighbours of the same kind. */
static void insert(struct inode *inode, struct lock *l)
{
	struct lock *o, *tmp;

	list_for_each_entry_safe(o, tmp, &inode->locks, node)
	{
		if (o->flock != l->flock || o->owner != l->owner || o->type != l->type)
			continue;
		if (o->end + 1 == l->start && o->end != ~(u64)0)
			l->start = o->start;
		else if (l->end + 1 == o->start && l->end != ~(u64)0)
			l->end = o->end;
		else
			continue;
		drop_one(o);
	}
	list_add_tail(&l->node, &inode->locks);
}

/* One try: 0, -EAGAIN. The two nodes are used up as needed, *l always on success of a lock. */
static int try_set(struct inode *inode, struct lock **l, struct lock **spare)
{
	spin_lock(&locks_lock);
	if ((*l)->type != F_UNLCK && conflict(inode, *l)) {
		spin_unlock(&locks_lock);
		return -EAGAIN;
	}
	cut(inode, *l, spare);
	if ((*l)->type != F_UNLCK) {
		insert(inode, *l);
		*l = NULL;
	}
	spin_unlock(&locks_lock);
	tell_waiters();
	return 0;
}

static int set_lock(struct inode *inode, const struct lock *wanted, bool wait)
{
	struct lock *l = fs_zalloc(sizeof(*l)), *spare = fs_zalloc(sizeof(*spare));
	int err = l && spare ? 0 : -ENOLCK;

	if (l)
		*l = *wanted;
	while (!err) {
		u32 gen = __atomic_load_n(&locks_gen, __ATOMIC_ACQUIRE);

		err = try_set(inode, &l, &spare);
		if (err != -EAGAIN || !wait)
			break;
		err = (int)wait_event_interruptible(
		    &locks_wq, __atomic_load_n(&locks_gen, __ATOMIC_ACQUIRE) != gen);
	}
	fs_free(l);
	fs_free(spare);
	return err;
}

/* ------------------------------------------------------------------ flock(2) */

long file_flock(struct file *f, int op)
{
	struct lock l = {.owner = f, .end = ~(u64)0, .flock = true, .pid = current->proc->tgid};

	if (op & LOCK_MAND)
		return 0; /* as Linux has it: such a lock was never more than advice, and is ignored
		           */
	switch (op & ~LOCK_NB) {
	case LOCK_SH:
		l.type = F_RDLCK;
		break;
	case LOCK_EX:
		l.type = F_WRLCK;
		break;
	case LOCK_UN:
		l.type = F_UNLCK;
		break;
	default:
		return -EINVAL;
	}
	return set_lock(f->inode, &l, !(op & LOCK_NB));
}

/* ------------------------------------------------------------------ fcntl(2) */

/* The range of a struct flock as [start, end]. */
static int flock_range(struct file *f, const struct abi_flock *fl, struct lock *l)
{
	s64 base = 0, start, end;

	if (fl->whence == SEEK_CUR)
		base = (s64)f->pos;
	else if (fl->whence == SEEK_END)
		base = (s64)inode_size(f->inode);
	else if (fl->whence != SEEK_SET)
		return -EINVAL;
	if (__builtin_add_overflow(base, fl->start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	if (fl->len > 0) {
		if (__builtin_add_overflow(start, fl->len - 1, &end))
			return -EOVERFLOW;
	} else if (fl->len < 0) {
		end = start - 1;
		start += fl->len;
		if (start < 0)
			return -EINVAL;
	} else {
		end = INT64_MAX;
	}
	l->start = (u64)start;
	l->end = end == INT64_MAX ? ~(u64)0 : (u64)end;
	return 0;
}

static long get_lock(struct inode *inode, const struct lock *l, struct abi_flock *fl)
{
	struct lock *o;

	if (l->type == F_UNLCK)
		return -EINVAL;
	spin_lock(&locks_lock);
	o = conflict(inode, l);
	if (o) {
		fl->type = o->type;
		fl->whence = SEEK_SET;
		fl->start = (s64)o->start;
		fl->len = o->end == ~(u64)0 ? 0 : (s64)(o->end - o->start + 1);
		fl->pid = o->pid;
	} else {
		fl->type = F_UNLCK;
	}
	spin_unlock(&locks_lock);
	return 0;
}

static int lock_mode_ok(struct file *f, s16 type)
{
	if (type == F_RDLCK && !FILE_CAN_READ(f))
		return -EBADF;
	if (type == F_WRLCK && !FILE_CAN_WRITE(f))
		return -EBADF;
	return type < F_RDLCK || type > F_UNLCK ? -EINVAL : 0;
}

long file_fcntl_lock(struct file *f, int fd, int cmd, u64 arg)
{
	bool ofd = cmd >= F_OFD_GETLK, get = cmd == F_GETLK || cmd == F_OFD_GETLK;
	struct abi_flock fl;
	struct lock l = {.owner = ofd ? (void *)f : (void *)current->files};
	struct file *again;
	long err;

	if (copy_from_user(&fl, arg, sizeof(fl)))
		return -EFAULT;
	if (ofd && fl.pid)
		return -EINVAL;
	l.type = fl.type;
	l.pid = ofd ? -1 : current->proc->tgid;
	err = flock_range(f, &fl, &l);
	if (!err)
		err = get ? 0 : lock_mode_ok(f, fl.type);
	if (err)
		return err;
	if (get) {
		err = get_lock(f->inode, &l, &fl);
		return err ? err : copy_to_user(arg, &fl, sizeof(fl));
	}
	err = set_lock(f->inode, &l, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
	/* Closed by another thread meanwhile: its close came too early to drop this lock. */
	again = fget(fd);
	if (!err && again != f && !ofd)
		locks_close(f, current->files);
	if (again)
		fput(again);
	return err;
}

/* ------------------------------------------------------------------ the end of owners */

static void drop_owner(struct inode *inode, const void *owner)
{
	struct lock *o, *tmp;
	bool any = false;

	if (list_empty(&inode->locks))
		return;
	spin_lock(&locks_lock);
	list_for_each_entry_safe(o, tmp, &inode->locks, node)
	{
		if (o->owner == owner) {
			drop_one(o);
			any = true;
		}
	}
	spin_unlock(&locks_lock);
	if (any)
		tell_waiters();
}

void locks_close(struct file *f, struct files *owner)
{
	drop_owner(f->inode, owner);
}

void locks_release(struct file *f)
{
	drop_owner(f->inode, f);
}

void locks_inode_free(struct inode *inode)
{
	while (!list_empty(&inode->locks))
		drop_one(list_first_entry(&inode->locks, struct lock, node));
}

int port_locks_verify(void *ctx, struct mmk_task *task, struct mmk_file *mf)
{
	struct inode *inode = mmk_to_file(mf)->inode;
	struct lock *o;
	int err = 0;

	spin_lock(&locks_lock);
	list_for_each_entry(o, &inode->locks, node) if (!o->flock && o->owner != current->files &&
	                                                o->owner != mmk_to_file(mf)) err = -EAGAIN;
	spin_unlock(&locks_lock);
	return err;
}
