/* SPDX-License-Identifier: MIT */
/* Writing back: fsync, sync and friends, and the advice calls, which the page cache need not take.
 */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/sched/task.h"

/* The next inode of sb behind `after` (whose reference is dropped), with a reference. */
static struct inode *next_inode(struct super *sb, struct inode *after)
{
	struct list_head *at;
	struct inode *next = NULL;

	spin_lock(&sb->lock);
	at = after ? after->sb_node.next : sb->inodes.next;
	if (at != &sb->inodes) {
		next = list_entry(at, struct inode, sb_node);
		inode_get(next);
	}
	spin_unlock(&sb->lock);
	if (after)
		inode_put(after);
	return next;
}

static int sync_super(struct super *sb)
{
	struct inode *inode = NULL;
	int err = 0;

	while ((inode = next_inode(sb, inode)) != NULL) {
		struct mmk_mapping *m = &inode->mapping;
		int e;

		if (!inode->has_mapping || !m->ops || !m->ops->write || !READ_ONCE(m->nrpages))
			continue;
		e = mmk_mapping_sync(m, 0, ~(u64)0, true);
		if (e && !err)
			err = e;
	}
	if (sb->op->sync) {
		int e = sb->op->sync(sb);

		err = err ? err : e;
	}
	return err;
}

/* The n-th instance, with a reference. */
static struct super *super_nth(unsigned n)
{
	struct super *sb, *found = NULL;

	spin_lock(&mount_lock);
	list_for_each_entry(sb, &all_supers, all)
	{
		if (n--)
			continue;
		found = sb;
		super_get(sb);
		break;
	}
	spin_unlock(&mount_lock);
	return found;
}

int vfs_sync_all(void)
{
	struct super *sb;
	int err = 0;
	unsigned n;

	for (n = 0; (sb = super_nth(n)) != NULL; n++) {
		int e = sync_super(sb);

		err = err ? err : e;
		super_put(sb);
	}
	return err;
}

void *fs_alloc_buf(size_t n)
{
	void *p = fs_alloc(n);

	if (!p) {
		mmk_sysctl_set(mm_sys, "drop_caches", 1);
		p = fs_alloc(n);
	}
	return p;
}

long sys_sync(void)
{
	vfs_sync_all();
	return 0;
}

long sys_syncfs(u64 fd)
{
	struct file *f = fget((int)fd);
	int err;

	if (!f)
		return -EBADF;
	/* What fails now is noted there too, and perhaps others have been told of it meanwhile. */
	sync_super(f->inode->sb);
	err = mmk_wb_err_tell(&f->inode->sb->wb_err, &f->sb_err);
	fput(f);
	return err;
}

static long do_fsync(u64 fd, bool data_only)
{
	struct file *f = fget((int)fd);
	int err;

	if (!f)
		return -EBADF;
	if (f->fop->fsync)
		err = f->fop->fsync(f, 0, ~(u64)0, data_only);
	else
		err = is_dir(f->inode) ? 0 : -EINVAL;
	fput(f);
	return err;
}

long sys_fsync(u64 fd)
{
	return do_fsync(fd, false);
}

long sys_fdatasync(u64 fd)
{
	return do_fsync(fd, true);
}

static int range_ok(u64 off, u64 n)
{
	return (s64)off >= 0 && (s64)n >= 0 && (s64)(off + n) >= 0;
}

#define SYNC_RANGE_WAIT  5u /* before, after */
#define SYNC_RANGE_WRITE 2u

/* Only who waits is told of errors. */
static int write_range(struct file *f, u64 start, u64 end, u64 flags)
{
	if (flags & SYNC_RANGE_WAIT)
		return mmk_file_sync(&f->mf, start, end, false);
	if (flags & SYNC_RANGE_WRITE)
		(void)mmk_mapping_sync(&f->inode->mapping, start, end, false);
	return 0;
}

long sys_sync_file_range(u64 fd, u64 off, u64 n, u64 flags)
{
	struct file *f = fget((int)fd);
	int err = 0;

	if (!f)
		return -EBADF;
	if (((u32)flags & ~7u) || !range_ok(off, n))
		err = -EINVAL;
	else if (f->inode->has_mapping)
		err = write_range(f, off, n ? off + n : ~(u64)0, flags);
	else if (!is_dir(f->inode) && !S_ISBLK(f->inode->mode) && !S_ISLNK(f->inode->mode))
		err = -ESPIPE;
	fput(f);
	return err;
}

/* Advice: only DONTNEED changes anything, what is clean and unmapped of the file may go. */
long sys_fadvise64(u64 fd, u64 off, u64 len, u64 advice)
{
	struct file *f = fget((int)fd);
	struct mmk_mapping *m;
	int err = 0;

	if (!f)
		return -EBADF;
	m = &f->inode->mapping;
	if (S_ISFIFO(f->inode->mode))
		err = -ESPIPE;
	else if ((s64)len < 0 || advice > 5)
		err = -EINVAL;
	else if (advice == 4 && f->inode->has_mapping && m->ops && m->ops->read && !off && !len)
		mmk_mapping_invalidate(m);
	fput(f);
	return err;
}

long sys_readahead(u64 fd, u64 off, u64 n)
{
	struct file *f = fget((int)fd);
	int err;

	if (!f)
		return -EBADF;
	err = FILE_CAN_READ(f) ? 0 : -EBADF;
	if (!err && !f->inode->has_mapping)
		err = -EINVAL;
	fput(f);
	return err;
}
