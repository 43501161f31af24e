/* SPDX-License-Identifier: MIT */
/*
 * Regular files: reading, writing, seeking through the page cache. Every file system's regular
 * files are these; what differs is only how the mapping's pages come and go.
 */
#include "kernel/fs/vfs.h"
#include "kernel/sched/task.h"

ssize_t regular_read(struct file *file, void *buf, size_t n, u64 *pos)
{
	struct inode *inode = file->inode;
	s64 done = mmk_mapping_read(&inode->mapping, *pos, buf, n);

	if (done > 0) {
		*pos += (u64)done;
		if (!(file->flags & O_NOATIME))
			inode->atime = fs_now();
	}
	return (ssize_t)done;
}

/* RLIMIT_FSIZE and the largest offset: how much of n may be written at pos, or -EFBIG. */
static ssize_t size_limit(u64 pos, size_t n)
{
	u64 limit = current->proc->rlim[RLIMIT_FSIZE].cur;

	if (task_is_kernel(current))
		limit = MMK_RLIM_INFINITY;
	if (pos >= limit) {
		send_sig(SIGXFSZ, current);
		return -EFBIG;
	}
	if (pos >= FS_FILE_MAX)
		return -EFBIG;
	if (limit > FS_FILE_MAX)
		limit = FS_FILE_MAX;
	return (ssize_t)min_t(u64, n, limit - pos);
}

/* inode.lock is held. */
static ssize_t write_locked(struct inode *inode, const void *buf, size_t n, u64 *pos)
{
	const struct super_ops *op = inode->sb->op;
	ssize_t room = size_limit(*pos, n);
	s64 done;

	if (room >= 0)
		room = seal_write(inode, *pos, (size_t)room);
	if (room < 0)
		return room;
	done = mmk_mapping_write(&inode->mapping, *pos, buf, (size_t)room);
	if (op->account)
		op->account(inode);
	if (done > 0) {
		*pos += (u64)done;
		inode_touch(inode, ATTR_MTIME);
		inode_kill_suid(inode);
	}
	return (ssize_t)done;
}

/*
 * What an open file promises of a write once it has returned. With O_DIRECT the bytes go through the
 * page cache like all others, which keeps them the same for everybody; but they go on at once.
 */
static int write_through(struct file *file, u64 start, u64 end)
{
	if ((file->flags & O_DSYNC) && file->fop->fsync)
		return file->fop->fsync(file, start, end, false);
	if (file->flags & O_DIRECT)
		return mmk_file_sync(&file->mf, start, end, false);
	return 0;
}

ssize_t regular_write(struct file *file, const void *buf, size_t n, u64 *pos)
{
	struct inode *inode = file->inode;
	u64 start;
	ssize_t done;

	if (!n)
		return 0;
	mutex_lock(&inode->lock);
	if (file->flags & O_APPEND)
		*pos = inode_size(inode);
	start = *pos;
	done = write_locked(inode, buf, n, pos);
	mutex_unlock(&inode->lock);
	if (done > 0 && unlikely(file->flags & (O_DSYNC | O_DIRECT))) {
		int err = write_through(file, start, *pos);

		if (err)
			return err;
	}
	return done;
}

int regular_fsync(struct file *file, u64 start, u64 end, bool data_only)
{
	return mmk_file_sync(&file->mf, start, end, true);
}

/* ------------------------------------------------------------------ lseek */

/* Is there a page at index of a file that lives in memory alone? */
static bool has_page(struct mmk_mapping *m, u64 index)
{
	struct mmk_page *page;
	void *kva;

	if (mmk_mapping_pin(m, index, false, &page, &kva))
		return false;
	mmk_mapping_unpin(m, page, false);
	return true;
}

#define SEEK_SCAN 65536u /* pages that one call looks at */

/*
 * SEEK_DATA, SEEK_HOLE. A file with a home is all data, as far as we know; and so is what lies
 * further on than one call can look: a hole may always be told as data.
 */
static s64 seek_hole_data(struct inode *inode, u64 off, bool data)
{
	struct mmk_mapping *m = &inode->mapping;
	u64 size = inode_size(inode), index, last;
	bool memory = !m->ops || !m->ops->read;

	if (off >= size)
		return -ENXIO;
	if (!memory)
		return data ? (s64)off : (s64)size;
	last = (off >> PAGE_SHIFT) + SEEK_SCAN;
	for (index = off >> PAGE_SHIFT; index << PAGE_SHIFT < size; index++) {
		if (index == last)
			return data ? (s64)(index << PAGE_SHIFT) : (s64)size;
		if (has_page(m, index) != data)
			continue;
		return (s64)max(off, index << PAGE_SHIFT);
	}
	return data ? -ENXIO : (s64)size;
}

s64 generic_llseek(struct file *file, s64 off, int whence)
{
	struct inode *inode = file->inode;
	s64 to;

	switch (whence) {
	case SEEK_SET:
		to = off;
		break;
	case SEEK_CUR:
		to = (s64)file->pos + off;
		break;
	case SEEK_END:
		to = (s64)inode_size(inode) + off;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (off < 0)
			return -ENXIO;
		if (!inode->has_mapping)
			return -EINVAL;
		to = seek_hole_data(inode, (u64)off, whence == SEEK_DATA);
		break;
	default:
		return -EINVAL;
	}
	if (to < 0)
		return whence >= SEEK_DATA ? to : -EINVAL;
	file->pos = (u64)to;
	file->virt = 0;
	return to;
}

const struct file_ops regular_file_ops = {
    .mm = {.mmap = mmk_generic_file_mmap},
    .read = regular_read,
    .write = regular_write,
    .llseek = generic_llseek,
    .fsync = regular_fsync,
};
