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

#define SEQ_MAX (0x7fffffffu / IPC_SLOTS)

struct spinlock shm_lock = SPINLOCK_INIT;
LIST_HEAD(shm_segments);
u64 shm_total_pages;
u32 shm_count;
static u32 last_index = IPC_SLOTS - 1, sequence = SEQ_MAX; /* the first is index 0, sequence 0 */

u64 shm_max = ~0ull - (1ull << 24), shm_all = ~0ull - (1ull << 24);
u32 shm_mni = 4096, shm_rmid_forced;

static s64 now(void)
{
	return (s64)(realtime_ns() / 1000000000u);
}

/* ------------------------------------------------------------------ finding */

struct segment *shm_find_index(u32 index)
{
	struct segment *seg;

	list_for_each_entry (seg, &shm_segments, node)
		if ((u32)seg->id % IPC_SLOTS == index)
			return seg;
	return NULL;
}

struct segment *shm_find(s32 id)
{
	struct segment *seg = id < 0 ? NULL : shm_find_index((u32)id % IPC_SLOTS);

	return seg && seg->id == id ? seg : NULL;
}

struct segment *shm_find_key(s32 key)
{
	struct segment *seg;

	list_for_each_entry (seg, &shm_segments, node)
		if (seg->key == key && key != IPC_PRIVATE)
			return seg;
	return NULL;
}

s32 shm_last_index(void)
{
	if (list_empty(&shm_segments))
		return -1;
	return list_last_entry(&shm_segments, struct segment, node)->id % (s32)IPC_SLOTS;
}

/* ------------------------------------------------------------------ the end */

/* Off the list already, and nobody's. */
static void destroy(struct segment *seg)
{
	mmk_uncommit(mm_sys, seg->charged);
	fput(seg->file);
	kfree(seg);
}

/* shm_lock held. */
static void unlist(struct segment *seg)
{
	list_del(&seg->node);
	shm_total_pages -= seg->pages;
	shm_count--;
}

static bool is_over(const struct segment *seg)
{
	return !seg->nattch && ((seg->mode & SHM_DEST) || shm_rmid_forced);
}

/* shm_lock held, released here. */
static void put_unlock(struct segment *seg)
{
	bool over;

	seg->nattch--;
	over = is_over(seg);
	if (over)
		unlist(seg);
	spin_unlock(&shm_lock);
	if (over)
		destroy(seg);
}

void shm_put(struct segment *seg)
{
	spin_lock(&shm_lock);
	put_unlock(seg);
}

void shm_remove_unlock(struct segment *seg)
{
	bool over = !seg->nattch;

	if (over) {
		unlist(seg);
	} else {
		seg->mode |= SHM_DEST;
		seg->key = IPC_PRIVATE;
	}
	spin_unlock(&shm_lock);
	if (over)
		destroy(seg);
}

static struct segment *take_orphan(void)
{
	struct segment *seg;

	spin_lock(&shm_lock);
	list_for_each_entry (seg, &shm_segments, node)
		if (!seg->nattch && !seg->creator) {
			unlist(seg);
			spin_unlock(&shm_lock);
			return seg;
		}
	spin_unlock(&shm_lock);
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

	if (!READ_ONCE(shm_count))
		return;
	spin_lock(&shm_lock);
	list_for_each_entry (seg, &shm_segments, node)
		if (seg->creator == tgid)
			seg->creator = 0;
	spin_unlock(&shm_lock);
	shm_remove_orphans();
}

/* ------------------------------------------------------------------ attachments */

static void attached(struct segment *seg)
{
	spin_lock(&shm_lock);
	seg->atime = now();
	seg->lpid = current->proc->tgid;
	seg->nattch++;
	spin_unlock(&shm_lock);
}

static void shm_vma_open(struct mmk_vma *vma)
{
	attached(mmk_vma_private(vma));
}

static void shm_vma_close(struct mmk_vma *vma)
{
	struct segment *seg = mmk_vma_private(vma);

	spin_lock(&shm_lock);
	seg->dtime = now();
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

/* shm_lock held: the next free index after the last one given, and where in the list it belongs. */
static bool find_slot(u32 *index, struct list_head **before)
{
	u32 tries, at = (last_index + 1) % IPC_SLOTS;

	for (tries = 0; tries < IPC_SLOTS && shm_find_index(at); tries++)
		at = (at + 1) % IPC_SLOTS;
	if (tries == IPC_SLOTS)
		return false;
	*before = shm_segments.next;
	while (*before != &shm_segments &&
	       (u32)list_entry(*before, struct segment, node)->id % IPC_SLOTS < at)
		*before = (*before)->next;
	*index = at;
	return true;
}

/* 0, -ENOSPC, or -EEXIST: another was quicker with that key. */
static int enlist(struct segment *seg)
{
	struct list_head *before;
	u32 index;
	int err = -ENOSPC;

	spin_lock(&shm_lock);
	if (shm_find_key(seg->key)) {
		err = -EEXIST;
	} else if (shm_count < min(shm_mni, IPC_SLOTS) && shm_total_pages + seg->pages <= shm_all &&
	           find_slot(&index, &before)) {
		if (index <= last_index)
			sequence = sequence < SEQ_MAX ? sequence + 1 : 0;
		last_index = index;
		seg->id = (s32)(sequence * IPC_SLOTS + index);
		seg->file->inode->ino = (u64)seg->id;
		list_add_tail(&seg->node, before);
		shm_total_pages += seg->pages;
		shm_count++;
		err = 0;
	}
	spin_unlock(&shm_lock);
	return err;
}

static int make_file(struct segment *seg)
{
	char name[16];
	int err;

	scnprintf(name, sizeof(name), "SYSV%08x", (u32)seg->key);
	err = tmpfs_object(name, seg->size, O_RDWR, &seg->file);
	if (!err)
		seg->file->inode->mode = S_IFREG | (seg->mode & 0777);
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
	const struct cred *c = &current->cred;

	if (!seg)
		return NULL;
	seg->key = key;
	seg->size = size;
	seg->pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
	seg->mode = flags & 0777;
	seg->uid = seg->cuid = c->euid;
	seg->gid = seg->cgid = c->egid;
	seg->cpid = seg->creator = current->proc->tgid;
	seg->ctime = now();
	return seg;
}

long shm_new(s32 key, u64 size, u32 flags)
{
	u64 pages = (size >> PAGE_SHIFT) + !!(size % PAGE_SIZE);
	struct segment *seg;
	s32 id;
	int err;

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
	if (!err) {
		id = seg->id;
		return id;
	}
	fput(seg->file);
no_file:
	mmk_uncommit(mm_sys, seg->charged);
no_promise:
	kfree(seg);
	return err;
}
