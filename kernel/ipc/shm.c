/* SPDX-License-Identifier: MIT */
/* shmget(2), shmat(2), shmdt(2), shmctl(2), and who may. */
#include "kernel/ipc/shm.h"

#include "kernel/fs/vfs.h"
#include "kernel/ipc/ipc.h"
#include "kernel/sched/task.h"
#include "kernel/sys/rlimit.h"
#include "kernel/sys/uaccess.h"

enum { SHM_LOCK = 11, SHM_UNLOCK = 12, SHM_STAT = 13, SHM_INFO = 14 };

/* As arm64 programs see them. */
struct abi_shmid_ds {
	struct abi_ipc_perm perm;
	u64 segsz;
	s64 atime, dtime, ctime;
	s32 cpid, lpid;
	u64 nattch;
	u64 unused[2];
};
struct abi_shminfo {
	u64 shmmax, shmmin, shmmni, shmseg, shmall, unused[4];
};
struct abi_shm_info {
	s32 used_ids;
	u64 tot, rss, swp, swap_attempts, swap_successes;
};
_Static_assert(sizeof(struct abi_shmid_ds) == 112 && sizeof(struct abi_shm_info) == 48, "ABI");

/* ------------------------------------------------------------------ shmat, shmdt */

/* *addr is rounded; *map: flags of mmap. 0 or -EINVAL. */
static int attach_place(u64 *addr, u32 flags, unsigned long *map)
{
	*map = MMK_MAP_SHARED;
	if (!*addr)
		return flags & SHM_REMAP ? -EINVAL : 0;
	if (*addr % PAGE_SIZE) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		*addr &= PAGE_MASK;
		if (!*addr && (flags & SHM_REMAP))
			return -EINVAL;
	}
	*map |= flags & SHM_REMAP ? MMK_MAP_FIXED : MMK_MAP_FIXED_NOREPLACE;
	return 0;
}

static long attach(struct segment *seg, u64 addr, u32 flags, unsigned long map)
{
	struct file *f = shm_attach_file(seg, flags & SHM_RDONLY ? O_RDONLY : O_RDWR);
	unsigned long prot = MMK_PROT_READ;
	long r;

	if (!f)
		return -ENOMEM;
	if (!(flags & SHM_RDONLY))
		prot |= MMK_PROT_WRITE;
	if (flags & SHM_EXEC)
		prot |= MMK_PROT_EXEC;
	r = mmk_vm_mmap(&current->mmk, file_to_mmk(f), addr, seg->ipc.size, prot, map, 0);
	fput(f);
	return r == -EEXIST ? -EINVAL : r;
}

long sys_shmat(u64 id, u64 addr, u64 uflags)
{
	u32 flags = (u32)uflags, want = flags & SHM_RDONLY ? IPC_R : IPC_R | IPC_W;
	struct ipc_object *o;
	struct segment *seg;
	unsigned long map;
	long r;

	if ((s32)id < 0)
		return -EINVAL;
	r = attach_place(&addr, flags, &map);
	if (r)
		return r;
	r = ipc_find_lock(&shm_table, (s32)id, want | (flags & SHM_EXEC ? IPC_X : 0), &o);
	if (r)
		return r;
	seg = (struct segment *)o;
	seg->nattch++; /* it stays until it is mapped */
	spin_unlock(&shm_table.lock);
	r = attach(seg, addr, flags, map);
	shm_put(seg);
	return r;
}

long sys_shmdt(u64 addr)
{
	return mmk_vm_detach(&current->mmk, addr, &shm_vm_ops);
}

/* ------------------------------------------------------------------ shmctl */

static void fill_segment(const struct ipc_object *o, void *ds)
{
	const struct segment *seg = (const struct segment *)o;
	struct abi_shmid_ds *d = ds;

	d->segsz = o->size;
	d->atime = seg->atime;
	d->dtime = seg->dtime;
	d->ctime = o->ctime;
	d->cpid = seg->cpid;
	d->lpid = seg->lpid;
	d->nattch = seg->nattch;
}

static long ctl_ipc_info(u64 ubuf)
{
	struct abi_shminfo i = {.shmmax = shm_max,
	                        .shmmin = 1,
	                        .shmmni = shm_mni,
	                        .shmseg = shm_mni,
	                        .shmall = shm_all};
	s32 last;

	if (copy_to_user(ubuf, &i, sizeof(i)))
		return -EFAULT;
	spin_lock(&shm_table.lock);
	last = ipc_last_index(&shm_table);
	spin_unlock(&shm_table.lock);
	return last;
}

static long ctl_shm_info(u64 ubuf)
{
	struct abi_shm_info i = {};
	const struct segment *seg;
	s32 last;

	spin_lock(&shm_table.lock);
	list_for_each_entry (seg, &shm_table.objects, ipc.node)
		i.rss += READ_ONCE(seg->file->inode->mapping.nrpages);
	i.used_ids = (s32)shm_table.count;
	i.tot = shm_total_pages;
	last = ipc_last_index(&shm_table);
	spin_unlock(&shm_table.lock);
	if (copy_to_user(ubuf, &i, sizeof(i)))
		return -EFAULT;
	return last;
}

/* Bytes that a user has locked so; shm_table.lock held. */
static u64 locked_by(u32 uid)
{
	const struct segment *seg;
	u64 pages = 0;

	list_for_each_entry (seg, &shm_table.objects, ipc.node)
		if ((seg->ipc.mode & SHM_LOCKED) && seg->lock_uid == uid)
			pages += seg->pages;
	return pages * PAGE_SIZE;
}

static int lock_segment(struct segment *seg)
{
	u64 limit = current->proc->rlim[MMK_RLIMIT_MEMLOCK].cur;
	u32 uid = current->cred.uid;

	if (locked_by(uid) + seg->pages * PAGE_SIZE > limit && !capable(CAP_IPC_LOCK))
		return -ENOMEM;
	if (!(seg->ipc.mode & SHM_LOCKED)) {
		seg->ipc.mode |= SHM_LOCKED;
		seg->lock_uid = uid;
	}
	return 0;
}

/* Pages of a segment never leave memory, so that being locked is only a matter of accounts. */
static long ctl_lock(s32 id, bool lock)
{
	struct ipc_object *o;
	struct segment *seg;
	long r = ipc_find_lock(&shm_table, id, 0, &o);

	if (r)
		return r;
	seg = (struct segment *)o;
	if (!capable(CAP_IPC_LOCK) &&
	    (!ipc_is_owner(o) || (lock && !current->proc->rlim[MMK_RLIMIT_MEMLOCK].cur)))
		r = -EPERM;
	else if (lock)
		r = lock_segment(seg);
	else
		o->mode &= ~SHM_LOCKED;
	spin_unlock(&shm_table.lock);
	return r;
}

static const struct ipc_kind segments = {
    .table = &shm_table,
    .ds_size = sizeof(struct abi_shmid_ds),
    .cmd_stat = SHM_STAT,
    .make = shm_new,
    .fill = fill_segment,
    .remove_unlock = shm_remove_unlock,
};
_Static_assert(sizeof(struct abi_shmid_ds) <= IPC_DS_MAX, "struct shmid_ds");

long sys_shmget(u64 key, u64 size, u64 flags)
{
	return ipc_get(&segments, (s32)key, size, (u32)flags);
}

long sys_shmctl(u64 uid, u64 ucmd, u64 buf)
{
	s32 id = (s32)uid, cmd = (s32)ucmd;

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		return ctl_ipc_info(buf);
	case SHM_INFO:
		return ctl_shm_info(buf);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return ctl_lock(id, cmd == SHM_LOCK);
	default:
		return ipc_ctl(&segments, id, cmd, buf);
	}
}
