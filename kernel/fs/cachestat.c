/* SPDX-License-Identifier: MIT */
/* cachestat(2): what of a file is in memory. */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/sys/uaccess.h"

struct abi_range {
	u64 off, len; /* bytes; len 0: to the end */
};
struct abi_cachestat {
	u64 cache, dirty, writeback, evicted, recently_evicted; /* pages */
};

/* Sums that wrap are taken as they come, as Linux does. */
static void count(struct file *f, const struct abi_range *r, struct abi_cachestat *out)
{
	u64 first = r->off >> PAGE_SHIFT;
	u64 last = r->len ? (r->off + r->len - 1) >> PAGE_SHIFT : ~(u64)0;
	struct mmk_cachestat s = {0};

	if (f->inode->has_mapping && first <= last)
		mmk_mapping_cachestat(&f->inode->mapping, first, last, &s);
	*out = (struct abi_cachestat){
	    .cache = s.cached,
	    .dirty = s.dirty,
	    .writeback = s.writeback,
	};
}

long sys_cachestat(u64 fd, u64 urange, u64 ustat, u64 flags)
{
	struct file *f = fget((int)fd);
	struct abi_cachestat s;
	struct abi_range r;
	long err = 0;

	if (!f)
		return -EBADF;
	if (copy_from_user(&r, urange, sizeof(r)))
		err = -EFAULT;
	else if ((u32)flags)
		err = -EINVAL;
	else
		count(f, &r, &s);
	fput(f);
	if (!err && copy_to_user(ustat, &s, sizeof(s)))
		err = -EFAULT;
	return err;
}
