/* SPDX-License-Identifier: MIT */
/*
 * The segments of System V shared memory and their life: made by shmget, counted by the VMAs that
 * show them, gone when they have been removed and nobody shows them any more.
 *
 * One spinlock holds them all. It is taken inside mmap_lock, by the VMA callbacks; nothing is
 * allocated, freed or copied to users under it.
 */
#include "kernel/ipc/shm.h"

#include "kernel/fs/vfs.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/printk.h"
#include "kernel/sched/task.h"
#include "kernel/sys/syscall.h"

struct ipc_table shm_table = IPC_TABLE_INIT(shm_table);
u64 shm_total_pages;

u64 shm_max = ~0ull - (1ull << 24), shm_all = ~0ull - (1ull << 24);
u32 shm_mni = 4096, shm_rmid_forced;

/* ------------------------------------------------------------------ the end */

/* Off the list already, and nobody's. */
static void destroy(struct segment *seg)
{
	mmk_uncommit(mm_sys, seg->charged);
	fput(seg->file);
	kfree(seg);
}

/* shm_table.lock held. */
static void unlist(struct segment *seg)
{
	ipc_remove(&shm_table, &seg->ipc);
	shm_total_pages -= seg->pages;
}

static bool is_over(const struct segment *seg)
{
	return !seg->nattch && ((seg->ipc.mode & SHM_DEST) || shm_rmid_forced);
}

/* shm_table.lock held, released here. */
static void put_unlock(struct segment *seg)
{
	bool over;

	seg->nattch--;
	over = is_over(seg);
	if (over)
		unlist(seg);
	spin_unlock(&shm_table.lock);
	if (over)
		destroy(seg);
}

void shm_put(struct segment *seg)
{
	spin_lock(&shm_table.lock);
	put_unlock(seg);
}

void shm_remove_unlock(struct ipc_object *o)
{
	struct segment *seg = (struct segment *)o;
	bool over = !seg->nattch;

	if (over) {
		unlist(seg);
	} else {
		seg->ipc.mode |= SHM_DEST;
		seg->ipc.key = IPC_PRIVATE;
	}
	spin_unlock(&shm_table.lock);
	if (over)
		destroy(seg);
}

static struct segment *take_orphan(void)
{
	struct segment *seg;

	spin_lock(&shm_table.lock);
	list_for_each_entry (seg, &shm_table.objects, ipc.node)
		if (!seg->nattch && !seg->creator) {
			unlist(seg);
			spin_unlock(&shm_table.lock);
			return seg;
		}
	spin_unlock(&shm_table.lock);
	return NULL;
}

void shm_remove_orphans(void)
{
	struct segment *seg;

	while (shm_rmid_forced && (seg = take_orphan()) != NULL)
		destroy(seg);
}

void shm_process_exit(s32 tgid)
{
	struct segment *seg;

	if (!READ_ONCE(shm_table.count))
		return;
	spin_lock(&shm_table.lock);
	list_for_each_entry (seg, &shm_table.objects, ipc.node)
		if (seg->creator == tgid)
			seg->creator = 0;
	spin_unlock(&shm_table.lock);
	shm_remove_orphans();
}

/* ------------------------------------------------------------------ attachments */

static void attached(struct segment *seg)
{
	spin_lock(&shm_table.lock);
	seg->atime = ipc_now();
	seg->lpid = current->proc->tgid;
	seg->nattch++;
	spin_unlock(&shm_table.lock);
}

static void shm_vma_open(struct mmk_vma *vma)
{
	attached(mmk_vma_private(vma));
}

static void shm_vma_close(struct mmk_vma *vma)
{
	struct segment *seg = mmk_vma_private(vma);

	spin_lock(&shm_table.lock);
	seg->dtime = ipc_now();
	seg->lpid = current->proc->tgid;
	put_unlock(seg);
}

const struct mmk_vm_ops shm_vm_ops = {.open = shm_vma_open, .close = shm_vma_close};

static int shm_mmap(struct mmk_file *mf, struct mmk_mmap_request *req)
{
	struct segment *seg = mmk_to_file(mf)->priv;

	req->vm_ops = &shm_vm_ops;
	req->private_data = seg;
	attached(seg);
	return 0;
}

static const struct file_ops shm_file_ops = {.mm = {.mmap = shm_mmap}};

struct file *shm_attach_file(struct segment *seg, u32 open_flags)
{
	struct file *f = file_alloc(&seg->file->path, open_flags);

	if (!f)
		return NULL;
	f->fop = &shm_file_ops;
	f->mf.f_op = &shm_file_ops.mm;
	f->priv = seg;
	return f;
}

/* ------------------------------------------------------------------ the beginning */

/* Its id, with which others may remove it at once; -ENOSPC, or -EEXIST: another was quicker with
 * that key. */
static long enlist(struct segment *seg)
{
	u32 max;
	long r;

	spin_lock(&shm_table.lock);
	max = shm_total_pages + seg->pages <= shm_all ? shm_mni : 0;
	r = ipc_add(&shm_table, &seg->ipc, max);
	if (!r) {
		r = seg->ipc.id;
		seg->file->inode->ino = (u64)r;
		shm_total_pages += seg->pages;
	}
	spin_unlock(&shm_table.lock);
	return r;
}

static int make_file(struct segment *seg)
{
	char name[16];
	int err;

	scnprintf(name, sizeof(name), "SYSV%08x", (u32)seg->ipc.key);
	err = tmpfs_object(name, seg->ipc.size, O_RDWR, &seg->file);
	if (!err)
		seg->file->inode->mode = S_IFREG | (seg->ipc.mode & 0777);
	return err;
}

static int promise(struct segment *seg, bool noreserve)
{
	u64 mode = 0;

	mmk_sysctl_get(mm_sys, "overcommit_memory", &mode);
	if (noreserve && mode != 2)
		return 0;
	seg->charged = seg->pages;
	return mmk_commit(&current->mmk, seg->pages);
}

static struct segment *make(s32 key, u64 size, u32 flags)
{
	struct segment *seg = kzalloc(sizeof(*seg));

	if (!seg)
		return NULL;
	ipc_object_init(&seg->ipc, key, size, flags);
	seg->pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
	seg->cpid = seg->creator = current->proc->tgid;
	return seg;
}

long shm_new(s32 key, u64 size, u32 flags)
{
	u64 pages = (size >> PAGE_SHIFT) + !!(size % PAGE_SIZE);
	struct segment *seg;
	long err;

	if (!size || size > shm_max)
		return -EINVAL;
	if (pages << PAGE_SHIFT < size || shm_total_pages + pages < pages ||
	    shm_total_pages + pages > shm_all)
		return -ENOSPC;
	if (flags & SHM_HUGETLB)
		return -ENOMEM; /* there are none */
	seg = make(key, size, flags);
	if (!seg)
		return -ENOMEM;
	err = promise(seg, flags & SHM_NORESERVE);
	if (err)
		goto no_promise;
	err = make_file(seg);
	if (err)
		goto no_file;
	err = enlist(seg);
	if (err >= 0)
		return err;
	fput(seg->file);
no_file:
	mmk_uncommit(mm_sys, seg->charged);
no_promise:
	kfree(seg);
	return err;
}
