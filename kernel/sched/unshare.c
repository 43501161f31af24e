/* SPDX-License-Identifier: MIT */
/* unshare(2): what a thread shares with others becomes its own. Namespaces there are none. */
#include "kernel/fs/fs.h"
#include "kernel/lib/errno.h"
#include "kernel/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/clone.h"

#define UNSHARE_ALONE (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) /* only where nobody shares them */
#define UNSHARE_KNOWN                                                                              \
	(UNSHARE_ALONE | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_NAMESPACES)

static bool shared_with_others(u64 flags)
{
	const struct process *p = current->proc;

	if ((flags & UNSHARE_ALONE) && READ_ONCE(p->nr_threads) > 1)
		return true;
	return (flags & (CLONE_VM | CLONE_SIGHAND)) &&
	       __atomic_load_n(&p->sighand->refs, __ATOMIC_ACQUIRE) > 1;
}

static void commit(struct files *files, struct fs *fs)
{
	struct task *t = current;
	struct files *old_files = NULL;
	struct fs *old_fs = NULL;

	spin_lock_irq(&proc_lock);
	if (files) {
		old_files = t->files;
		t->files = files;
	}
	if (fs) {
		old_fs = t->fs;
		t->fs = fs;
	}
	spin_unlock_irq(&proc_lock);
	files_put(old_files);
	if (old_fs)
		fs_put(old_fs);
}

long sys_unshare(u64 flags)
{
	struct task *t = current;
	struct files *files = NULL;
	struct fs *fs = NULL;

	if ((flags & ~UNSHARE_KNOWN) || (flags & CLONE_NAMESPACES) || shared_with_others(flags))
		return -EINVAL;
	if (flags & CLONE_FILES) {
		files = files_dup(t->files);
		if (!files)
			return -ENOMEM;
	}
	if (flags & CLONE_FS) {
		fs = fs_dup(t->fs);
		if (!fs) {
			files_put(files);
			return -ENOMEM;
		}
	}
	commit(files, fs);
	return 0;
}
