/* SPDX-License-Identifier: MIT */
/*
 * mremap: other size, other place. Three ways:
 *
 *	shrink	the end is unmapped
 *	grow	in place, if what follows is free: the VMA is extended, merged with the next where
 *they agree move	a VMA at the new place, the page-table entries moved over, the old place
 *unmapped
 *
 * All checks come first, then what can run short - the place, the records, the commit charge, the
 *tables of the new place - and only then is anything taken away, be it at the old place or at that
 *of MREMAP_FIXED.
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"

#define MREMAP_KNOWN (MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED | MMK_MREMAP_DONTUNMAP)

struct remap {
	struct mmk_task *task;
	struct mm_struct *mm;
	unsigned long addr, old_len, new_len, flags, new_addr;
	struct vm_area_struct *vma;   /* at addr */
	struct unmap_plan target;     /* what MREMAP_FIXED replaces */
	struct vm_area_struct *spare; /* record for cutting the old place out of its VMA */
	struct vm_area_struct *fresh; /* record of the new place */
	int64_t charge;               /* net, in pages */
	bool populate;
};

/* Bytes that move over. */
static unsigned long moved_len(const struct remap *r)
{
	return r->old_len < r->new_len ? r->old_len : r->new_len;
}

/* ---- checks ---- */

static int check_args(struct remap *r)
{
	unsigned long flags = r->flags;

	if (flags & ~MREMAP_KNOWN)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_MREMAP_FLAGS, flags, 0);
	if ((flags & (MMK_MREMAP_FIXED | MMK_MREMAP_DONTUNMAP)) && !(flags & MMK_MREMAP_MAYMOVE))
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_MREMAP_MAYMOVE, 0, 0);
	if ((flags & MMK_MREMAP_DONTUNMAP) && r->old_len != r->new_len)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_MREMAP_DONTUNMAP_LENGTH, r->old_len,
		              r->new_len);
	if (r->addr & ~PAGE_MASK)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED, r->addr, 0);
	r->old_len = PAGE_ALIGN(r->old_len);
	r->new_len = PAGE_ALIGN(r->new_len);
	if (!r->new_len)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_LENGTH_ZERO, 0, 0);
	return 0;
}

/* FIXED and DONTUNMAP look at the new address, even where it is only a hint. */
static int check_new_place(struct remap *r)
{
	if (r->new_addr & ~PAGE_MASK)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_MREMAP_NEW_UNALIGNED, r->new_addr,
		              0);
	if (r->new_len > TASK_SIZE || r->new_addr > TASK_SIZE - r->new_len)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_BEYOND_TASK_SIZE, r->new_addr,
		              r->new_len);
	if (r->addr + r->old_len > r->new_addr && r->new_addr + r->new_len > r->addr)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_MREMAP_OVERLAP, r->addr,
		              r->new_addr);
	return 0;
}

/*
 * Once the new place may be emptied: the rest of a longer source will be unmapped, whatever lies there,
 * so it has to allow that.
 */
static int check_rest(struct remap *r)
{
	const struct vm_area_struct *vma;

	/* A copy (old length 0) over its own source: Linux has unmapped that before it looks. */
	if ((r->flags & MMK_MREMAP_FIXED) && !r->old_len && r->addr - r->new_addr < r->new_len)
		return refuse(r->task, -MMK_EFAULT, MMK_REASON_MREMAP_OVERLAP, r->addr,
		              r->new_addr);
	if (r->old_len <= r->new_len)
		return 0;
	if (r->old_len > TASK_SIZE - r->addr)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_BEYOND_TASK_SIZE, r->addr,
		              r->old_len);
	vma = find_vma(r->mm, r->addr + r->new_len);
	for (; vma && vma->vm_start < r->addr + r->old_len; vma = vma_next(vma))
		if (unlikely(vma_is_sealed(vma)))
			return refuse(r->task, -MMK_EPERM, MMK_REASON_VMA_SEALED, vma->vm_start, 0);
	return 0;
}

/* Both places may be cut in three: leave room for that below max_map_count. */
static int check_map_count(struct remap *r, unsigned headroom)
{
	if (r->mm->map_count + headroom >= r->mm->sys->max_map_count)
		return refuse(r->task, -MMK_ENOMEM, MMK_REASON_MAP_COUNT, r->mm->map_count,
		              r->mm->sys->max_map_count);
	return 0;
}

/* Locked pages that go at the new place; the growth may have their share of RLIMIT_MEMLOCK. */
static uint64_t unlocked_by_target(const struct remap *r)
{
	return r->target.first ? count_locked(r->mm, r->target.start, r->target.end) : 0;
}

/* May the VMA at addr be moved or grown like this? `freed`: pages that go at the new place. */
static int check_resize(struct remap *r, uint64_t freed)
{
	const struct vm_area_struct *vma = r->vma;
	unsigned long old_len = moved_len(r), grow = r->new_len - old_len;
	uint64_t pgoff = linear_page_index(vma, r->addr);
	int err;

	if (!r->old_len && !(vma->vm_flags & (MMK_VM_SHARED | MMK_VM_MAYSHARE)))
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_MREMAP_PRIVATE, 0, 0);
	if ((r->flags & MMK_MREMAP_DONTUNMAP) &&
	    (vma->vm_flags & (MMK_VM_DONTEXPAND | MMK_VM_PFNMAP)))
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_MREMAP_DONTUNMAP_KIND, 0, 0);
	if (old_len > vma->vm_end - r->addr)
		return refuse(r->task, -MMK_EFAULT, MMK_REASON_MREMAP_ACROSS, r->addr, old_len);
	if (r->flags & MMK_MREMAP_DONTUNMAP)
		return may_expand_vm(r->task, r->mm, vma->vm_flags,
		                     (int64_t)(r->new_len >> PAGE_SHIFT) - (int64_t)freed);
	if (!grow)
		return 0;
	if (pgoff + (r->new_len >> PAGE_SHIFT) < pgoff)
		return refuse(r->task, -MMK_EINVAL, MMK_REASON_PGOFF_WRAPS, pgoff,
		              r->new_len >> PAGE_SHIFT);
	if (vma->vm_flags & (MMK_VM_DONTEXPAND | MMK_VM_PFNMAP))
		return refuse(r->task, -MMK_EFAULT, MMK_REASON_MREMAP_DONTEXPAND, 0, 0);
	err = mlock_future_check(r->task, r->mm, vma->vm_flags,
	                         (grow >> PAGE_SHIFT) - unlocked_by_target(r), -MMK_EAGAIN);
	if (err)
		return err;
	return may_expand_vm(r->task, r->mm, vma->vm_flags,
	                     (int64_t)(grow >> PAGE_SHIFT) - (int64_t)freed);
}

/* ---- growing in place ---- */

static bool can_grow_in_place(const struct remap *r)
{
	const struct vm_area_struct *vma = r->vma, *next = vma_next(vma);
	unsigned long end = r->addr + r->new_len;

	return r->addr + r->old_len == vma->vm_end && end > r->addr && end <= TASK_SIZE &&
	       (!next || next->vm_start >= end);
}

static long grow_in_place(struct remap *r)
{
	struct vm_area_struct *vma = r->vma;
	uint64_t flags = vma->vm_flags, pages = (r->new_len - r->old_len) >> PAGE_SHIFT;
	struct vma_merge m = {
	    .prev = vma,
	    .next = vma_next(vma),
	    .start = vma->vm_end,
	    .end = r->addr + r->new_len,
	    .vm_flags = flags,
	    .pgoff = linear_page_index(vma, vma->vm_end),
	    .file = vma->vm_file,
	    .anon_vma = vma_anon_vma(vma),
	    .name = vma_anon_name(vma),
	    .policy = vma->policy,
	};
	unsigned how = vma_can_merge(&m);
	int err;

	if (!(how & MERGE_LEFT))
		return refuse(r->task, -MMK_ENOMEM, MMK_REASON_MREMAP_DONTEXPAND, 0, 0);
	if (flags & MMK_VM_ACCOUNT) {
		err = vm_charge(r->task, r->mm, pages);
		if (err)
			return err;
	}
	vma_merge_new(&m, how);
	vm_stat_account(r->mm, flags, pages);
	if (flags & MMK_VM_LOCKED) {
		r->mm->locked_vm += pages;
		r->populate = true;
		r->new_addr = r->addr;
	}
	return r->addr;
}

/* ---- moving ---- */

static struct vma_merge new_place(const struct remap *r)
{
	const struct vm_area_struct *vma = r->vma;
	/* Memory that was never touched has no history: it is as if mapped there in the first
	 * place. */
	bool pristine = vma_is_anonymous(vma) && !vma_anon_vma(vma);

	return (struct vma_merge){
	    .prev = r->target.prev,
	    .next = r->target.next,
	    .start = r->new_addr,
	    .end = r->new_addr + r->new_len,
	    .vm_flags = vma->vm_flags,
	    .pgoff = pristine ? r->new_addr >> PAGE_SHIFT : linear_page_index(vma, r->addr),
	    .file = vma->vm_file,
	    .anon_vma = vma_anon_vma(vma),
	    .name = vma_anon_name(vma),
	    .policy = vma->policy,
	};
}

/* The page tables of the new place, where there are pages to move; MREMAP_FIXED may find some
 * there. */
static int move_prepare_tables(struct remap *r)
{
	unsigned long old = r->addr, end = r->addr + moved_len(r);

	/* The whole of the old place: what does not move goes. */
	if (tables_own(r->mm, r->addr, r->addr + r->old_len) ||
	    tables_own(r->mm, r->new_addr, r->new_addr + r->new_len))
		return refuse(r->task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_TABLES, 0, 0);
	while (old < end && pte_table_next(r->mm, &old, end)) {
		unsigned long stop = table_end(old, end);
		unsigned long first = r->new_addr + (old - r->addr);
		unsigned long last = r->new_addr + (stop - PAGE_SIZE - r->addr);

		if (!pte_table_make(r->mm, first) || !pte_table_make(r->mm, last))
			return refuse(r->task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_TABLES, 0, 0);
		old = stop;
	}
	return 0;
}

static int move_charge(struct remap *r)
{
	int64_t pages = r->new_len >> PAGE_SHIFT;

	r->charge = -(int64_t)r->target.nr_accounted;
	if (r->vma->vm_flags & MMK_VM_ACCOUNT) {
		r->charge += pages;
		if (!(r->flags & MMK_MREMAP_DONTUNMAP))
			r->charge -= moved_len(r) >> PAGE_SHIFT;
	}
	return vm_charge(r->task, r->mm, r->charge);
}

static void move_abort(struct remap *r)
{
	if (r->fresh)
		vma_free(r->fresh);
	if (r->spare)
		vma_free(r->spare);
	unmap_abort(&r->target);
	if (r->charge > 0)
		vm_uncharge(r->mm->sys, r->charge);
}

/* Empty tables made for nothing go again. */
static void move_drop_tables(struct remap *r)
{
	const struct unmap_plan *t = &r->target;

	if (!t->first)
		unmap_page_range(r->mm, r->new_addr, r->new_addr + r->new_len,
		                 t->prev ? t->prev->vm_end : 0,
		                 t->next ? t->next->vm_start : TASK_SIZE);
}

static int move_prepare(struct remap *r)
{
	int err = move_charge(r);

	if (err) {
		r->charge = 0;
		unmap_abort(&r->target);
		return err;
	}
	r->fresh = vma_alloc(r->mm, r->vma->in_file);
	r->spare = vma_alloc(r->mm, r->vma->in_file);
	if (!r->fresh || !r->spare) {
		move_abort(r);
		return refuse(r->task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	}
	err = move_prepare_tables(r);
	if (err) {
		move_abort(r);
		move_drop_tables(r);
	}
	return err;
}

/* The VMA of the new place: merged into a neighbour or the fresh one. */
static struct vm_area_struct *move_link(struct remap *r)
{
	struct vma_merge m = new_place(r);
	struct vm_area_struct *vma = r->fresh;
	unsigned how = vma_can_merge(&m);

	if (how) {
		vma_free(vma);
		return vma_merge_new(&m, how);
	}
	vma_copy(vma, r->vma);
	vma->vm_start = m.start;
	vma->vm_end = m.end;
	vma->vm_pgoff = m.pgoff;
	vma_link(r->mm, vma);
	if (vma->vm_ops && vma->vm_ops->open)
		vma->vm_ops->open(vma);
	return vma;
}

/*
 * What stays behind under DONTUNMAP is neither locked nor does it have pages; that goes for all of
 * its VMA, which may be the very one that the new place became part of.
 */
static void move_leave_behind(struct remap *r, struct vm_area_struct *vma,
                              const struct vm_area_struct *new_vma)
{
	vma_free(r->spare);
	if (vma->vm_flags & MMK_VM_LOCKED)
		r->mm->locked_vm -= vma_pages(vma);
	vma_set_flags(vma, vma->vm_flags & ~VM_LOCKED_MASK);
	if (vma != new_vma && vma->vm_start == r->addr && vma->vm_end == r->addr + r->old_len)
		vma_drop_anon_vma(vma);
}

/* Cannot fail: tables, records and charge are there. */
static void move_commit(struct remap *r)
{
	uint64_t flags, pages = r->new_len >> PAGE_SHIFT;
	struct vm_area_struct *vma, *new_vma;
	unsigned long len = moved_len(r), moved;

	r->target.keep_charge = true;
	r->target.keep_tables = true;
	unmap_commit(&r->target);
	if (r->charge < 0)
		vm_uncharge(r->mm->sys, -r->charge);
	r->vma = find_vma(r->mm, r->addr);
	flags = r->vma->vm_flags;
	new_vma = move_link(r);
	vma = find_vma(r->mm, r->addr); /* merging may have freed the one we knew */
	moved = move_page_tables(vma, r->addr, new_vma, r->new_addr, len);
	MMK_BUG_ON(r->mm->sys, moved < len);
	vm_stat_account(r->mm, flags, pages);
	if (flags & MMK_VM_LOCKED) {
		r->mm->locked_vm += pages;
		r->populate = true;
	}
	if (r->flags & MMK_MREMAP_DONTUNMAP) {
		move_leave_behind(r, vma, new_vma);
		return;
	}
	if (!r->old_len) {
		vma_free(r->spare);
		return;
	}
	/* The charge of what moved went with it; the unmapping shall give back only the rest. */
	if (flags & MMK_VM_ACCOUNT)
		vm_uncharge(r->mm->sys, -(int64_t)(len >> PAGE_SHIFT));
	unmap_prepared(r->mm, r->addr, r->addr + r->old_len, r->spare);
}

/* new_addr is chosen and r->target says what is there. */
static long move(struct remap *r)
{
	int err = check_map_count(r, 3);

	if (err)
		unmap_abort(&r->target);
	else
		err = move_prepare(r);
	if (err)
		return err;
	move_commit(r);
	return r->new_addr;
}

static unsigned long move_find_place(struct remap *r, unsigned long hint, unsigned long fixed)
{
	unsigned long shared = r->vma->vm_flags & MMK_VM_MAYSHARE ? MMK_MAP_SHARED : 0;
	struct hole hole;

	return get_unmapped_area(r->task, r->mm, r->vma->vm_file, hint, r->new_len,
	                         linear_page_index(r->vma, r->addr), fixed | shared, &hole);
}

static long remap_to(struct remap *r)
{
	unsigned long fixed = r->flags & MMK_MREMAP_FIXED ? MMK_MAP_FIXED : 0, place;
	int err = check_new_place(r);

	if (!err)
		err = check_map_count(r, 5);
	if (err)
		return err;
	place = move_find_place(r, r->new_addr, fixed);
	if (IS_ERR_VALUE(place))
		return place;
	if (!fixed)
		r->new_addr = place;
	err = unmap_prepare(r->task, r->mm, r->new_addr, r->new_addr + r->new_len, &r->target);
	if (err)
		return err;
	err = check_rest(r);
	if (!err)
		err = check_resize(r, r->target.nr_pages);
	if (err) {
		unmap_abort(&r->target);
		return err;
	}
	return move(r);
}

static long remap_resize(struct remap *r)
{
	unsigned long place;
	int err;

	if (r->old_len == r->new_len)
		return r->addr;
	if (r->old_len > r->new_len) {
		err = do_munmap(r->task, r->mm, r->addr + r->new_len, r->old_len - r->new_len);
		return err ? err : (long)r->addr;
	}
	err = check_resize(r, 0);
	if (err)
		return err;
	if (can_grow_in_place(r))
		return grow_in_place(r);
	if (!(r->flags & MMK_MREMAP_MAYMOVE))
		return refuse(r->task, -MMK_ENOMEM, MMK_REASON_MREMAP_IN_PLACE, r->addr,
		              r->new_len);
	place = move_find_place(r, 0, 0);
	if (IS_ERR_VALUE(place))
		return place;
	r->new_addr = place;
	err = unmap_prepare(r->task, r->mm, place, place + r->new_len, &r->target);
	return err ? err : move(r);
}

static long remap_locked(struct remap *r)
{
	r->vma = find_vma(r->mm, r->addr);
	if (!r->vma || r->vma->vm_start > r->addr)
		return refuse(r->task, -MMK_EFAULT, MMK_REASON_NOT_MAPPED, r->addr, 0);
	if (unlikely(vma_is_sealed(r->vma)))
		return refuse(r->task, -MMK_EPERM, MMK_REASON_VMA_SEALED, r->vma->vm_start, 0);
	if (r->flags & (MMK_MREMAP_FIXED | MMK_MREMAP_DONTUNMAP))
		return remap_to(r);
	return remap_resize(r);
}

long do_mremap(struct mmk_task *task, unsigned long addr, unsigned long old_len,
               unsigned long new_len, unsigned long flags, unsigned long new_addr)
{
	struct remap r = {
	    .task = task,
	    .mm = task->mm,
	    .addr = addr,
	    .old_len = old_len,
	    .new_len = new_len,
	    .flags = flags,
	    .new_addr = new_addr,
	};
	long ret = check_args(&r);

	if (!ret)
		ret = mmap_lock_or_refuse(task, r.mm);
	if (ret)
		return ret;
	ret = remap_locked(&r);
	mmap_write_unlock(r.mm);
	if (!IS_ERR_VALUE(ret) && r.populate && r.new_len > r.old_len)
		mm_populate(task, r.mm, r.new_addr + r.old_len, r.new_len - r.old_len);
	return ret;
}
