/* SPDX-License-Identifier: MIT */
/*
 * Sealed files: what fcntl(F_ADD_SEALS) takes away from a file for good.
 *
 * A file is sealed under its inode.lock, and all that changes its bytes or its size asks here under
 * that lock. Stores through mappings ask nobody: the core refuses to make such mappings once the
 * page cache says so, and F_SEAL_WRITE waits for nothing: it fails while there is one.
 */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sys/uaccess.h"

#define ALL_SEALS                                                                                  \
	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE |          \
	 F_SEAL_EXEC)
#define WRITE_SEALS (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define X_BITS      0111u

/* ------------------------------------------------------------------ what a seal forbids */

int seal_size(const struct inode *inode, u64 size)
{
	u64 old = inode_size(inode);

	if (size < old && (inode->seals & F_SEAL_SHRINK))
		return -EPERM;
	if (size > old && (inode->seals & F_SEAL_GROW))
		return -EPERM;
	return 0;
}

int seal_mode(const struct inode *inode, u32 mode)
{
	if ((inode->seals & F_SEAL_EXEC) && ((inode->mode ^ mode) & X_BITS))
		return -EPERM;
	return 0;
}

/*
 * Linux 6.12 on arm64 writes to tmpfs in aligned steps of its largest folio; the steps before the one
 * that would make the file grow are had.
 */
#define WRITE_STEP (2ull << 20)

ssize_t seal_write(const struct inode *inode, u64 pos, size_t n)
{
	u64 size = inode_size(inode), end = size & ~(WRITE_STEP - 1);

	if (inode->seals & WRITE_SEALS)
		return -EPERM;
	if (!(inode->seals & F_SEAL_GROW) || pos + n <= size)
		return (ssize_t)n;
	return end > pos ? (ssize_t)(end - pos) : -EPERM;
}

int seal_fallocate(const struct inode *inode, int mode, u64 off, u64 len)
{
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return inode->seals & WRITE_SEALS ? -EPERM : 0;
	/* Not even pages past the end that would leave the size alone. */
	if ((inode->seals & F_SEAL_GROW) && off + len > inode_size(inode))
		return -EPERM;
	return 0;
}

/* ------------------------------------------------------------------ sealing */

static bool can_be_sealed(const struct inode *inode)
{
	return S_ISREG(inode->mode) && inode->sb->magic == TMPFS_MAGIC;
}

/* From now on no shared mapping may write, of which there is none. 0 or -EBUSY. */
static int deny_writable(struct mmk_mapping *m)
{
	s32 none = 0;

	if (__atomic_compare_exchange_n(&m->i_mmap_writable, &none, -1, false, __ATOMIC_ACQ_REL,
	                                __ATOMIC_RELAXED))
		return 0;
	return -EBUSY;
}

/* inode.lock is held. */
static int add_locked(struct inode *inode, u32 seals)
{
	int err = 0;

	if (inode->seals & F_SEAL_SEAL)
		return -EPERM;
	/* What can be executed for ever is not to be written either. */
	if ((seals & F_SEAL_EXEC) && (inode->mode & X_BITS))
		seals |= F_SEAL_SHRINK | F_SEAL_GROW | WRITE_SEALS;
	if (seals & ~inode->seals & F_SEAL_WRITE)
		err = deny_writable(&inode->mapping);
	if (err)
		return err;
	if (seals & WRITE_SEALS)
		__atomic_fetch_or(&inode->mapping.flags, MMK_MAPPING_SEALED, __ATOMIC_RELEASE);
	WRITE_ONCE(inode->seals, inode->seals | seals);
	return 0;
}

long file_add_seals(struct file *file, u32 seals)
{
	struct inode *inode = file->inode;
	int err;

	if (!FILE_CAN_WRITE(file))
		return -EPERM;
	if ((seals & ~ALL_SEALS) || !can_be_sealed(inode))
		return -EINVAL;
	mutex_lock(&inode->lock);
	err = add_locked(inode, seals);
	mutex_unlock(&inode->lock);
	return err;
}

long file_get_seals(const struct file *file)
{
	return can_be_sealed(file->inode) ? (long)READ_ONCE(file->inode->seals) : -EINVAL;
}
