/* SPDX-License-Identifier: MIT */
/* Files without a name that are memory: memfd_create(2), memfd_secret(2). */
#include "kernel/boot.h"
#include "kernel/fs/memfd.h"
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

#define X_BITS   0111u
#define NAME_LEN 249u

/* vm.memfd_noexec: 0 executable unless asked, 1 not executable unless asked, 2 never. */
u32 memfd_noexec;

/* Those that may say so do, the others get what the knob says. 0 or -EACCES. */
static int executable_or_not(u32 *flags)
{
	static bool told;
	u32 knob = READ_ONCE(memfd_noexec);

	if (!(*flags & (MFD_EXEC | MFD_NOEXEC_SEAL)))
		*flags |= knob ? MFD_NOEXEC_SEAL : MFD_EXEC;
	if (knob < 2 || (*flags & MFD_NOEXEC_SEAL))
		return 0;
	if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		pr_warn("%s[%d]: memfd_create() requires MFD_NOEXEC_SEAL with "
		        "vm.memfd_noexec=%u\n",
		        current->comm, current->pid, knob);
	return -EACCES;
}

/* There are no huge pages: MFD_HUGETLB is refused. */
static int check_flags(u32 *flags)
{
	if (*flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC))
		return -EINVAL;
	if ((*flags & MFD_EXEC) && (*flags & MFD_NOEXEC_SEAL))
		return -EINVAL;
	return executable_or_not(flags);
}

long sys_memfd_create(u64 uname, u64 uflags)
{
	u32 flags = (u32)uflags;
	char name[NAME_LEN + 7] = "memfd:";
	struct file *f;
	long n;
	int err = check_flags(&flags);

	if (err)
		return err;
	n = strncpy_from_user(name + 6, uname, NAME_LEN + 1);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	err = tmpfs_object(name, 0, O_RDWR, &f);
	if (err)
		return err;
	/* Nobody else sees it yet. */
	if (flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL))
		f->inode->seals = 0;
	if (flags & MFD_NOEXEC_SEAL) {
		f->inode->seals = F_SEAL_EXEC;
		f->inode->mode &= ~X_BITS;
	}
	return fd_new(f, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}

int memfd_knob_show(const struct pseudo_ctx *c, struct seq *s)
{
	seq_printf(s, "%u\n", READ_ONCE(memfd_noexec));
	return 0;
}

ssize_t memfd_knob_write(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	int v;

	if (pos || !n)
		return (ssize_t)n;
	if (parse_int(buf, n, &v) || v < 0 || v > 2)
		return -EINVAL;
	WRITE_ONCE(memfd_noexec, (u32)v);
	return (ssize_t)n;
}

/* ------------------------------------------------------------------ secrets */

/* The size is set once. */
static int secret_setattr(struct dentry *d, const struct iattr *a)
{
	if (!(a->valid & ATTR_SIZE))
		return 0;
	if (inode_size(d->inode))
		return -EINVAL;
	return mmk_mapping_truncate(&d->inode->mapping, a->size);
}

static const struct inode_ops secret_inode_ops = {.setattr = secret_setattr};
static const struct file_ops secret_file_ops = {.mm = {.mmap = mmk_secret_mmap},
                                                .flags = FOP_NOSEEK};

/* As on Linux they can be switched off at boot: secretmem.enable=0. */
static bool secrets_allowed(void)
{
	const char *enable = cmdline_get("secretmem.enable");

	return !enable || (strcmp(enable, "0") && strcmp(enable, "n") && strcmp(enable, "N"));
}

long sys_memfd_secret(u64 uflags)
{
	u32 flags = (u32)uflags;
	struct file *f;
	int err;

	if (!secrets_allowed())
		return -ENOSYS;
	if (flags & ~O_CLOEXEC)
		return -EINVAL;
	err = anon_file("/secretmem (deleted)", S_IFREG | 0600, &secret_file_ops, NULL, O_RDWR, &f);
	if (err)
		return err;
	f->inode->op = &secret_inode_ops;
	f->mf.f_mode |= MMK_FMODE_NOEXEC;
	f->inode->mapping.flags &= ~MMK_MAPPING_SHMEM;
	return fd_new(f, flags);
}
