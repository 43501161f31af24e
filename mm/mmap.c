/* SPDX-License-Identifier: MIT */
/*
 * mmap, steps 3-5, 7-16 and 18-21 of its way. do_mmap_pgoff() decodes: it may refuse and changes
 * nothing. mmap_region() prepares all that can run short or be refused, in the order of the steps,
 * undoing in reverse where one fails; region_commit() then cannot fail. So what MAP_FIXED replaces
 * is still there, whole, when the new mapping does not come about.
 */
#include "mm/internal.h"
#include "mm/lazyfree.h"
#include "mm/vma.h"

/* Flags that plain MAP_SHARED ever knew; others need MAP_SHARED_VALIDATE. */
#define LEGACY_MAP_MASK                                                                            \
	(MMK_MAP_SHARED | MMK_MAP_PRIVATE | MMK_MAP_FIXED | MMK_MAP_ANONYMOUS |                    \
	 MMK_MAP_GROWSDOWN | MMK_MAP_DENYWRITE | MMK_MAP_EXECUTABLE | MMK_MAP_LOCKED |             \
	 MMK_MAP_NORESERVE | MMK_MAP_POPULATE | MMK_MAP_NONBLOCK | MMK_MAP_STACK |                 \
	 MMK_MAP_HUGETLB | MMK_MAP_UNINITIALIZED)
#define MMK_MAP_UNINITIALIZED 0x4000000ul
#define MMK_MAP_HUGE_MASK     (0x1ful << 26) /* of the sizes that are old: 2 MiB, 1 GiB */

struct mmap_call {
	struct mmk_task *task;
	struct mm_struct *mm;
	struct file *file;
	unsigned long addr, len, prot, flags;
	uint64_t pgoff, vm_flags;
	bool populate; /* once the lock is dropped */
	struct hole hole;
};

void perf_event_mmap(struct mmk_task *task, const struct vm_area_struct *vma)
{
	const struct mmk_system *sys = vma->vm_mm->sys;
	const struct mmk_hooks *hooks = hooks_of(sys);

	if (unlikely(hooks && hooks->perf_event_mmap))
		hooks->perf_event_mmap(sys->ctx, task, vma->vm_start, vma->vm_end, vma->vm_pgoff,
		                       vma->vm_flags, vma->vm_file);
}

static void uprobe_mmap(struct mmk_task *task, const struct vm_area_struct *vma)
{
	const struct mmk_system *sys = vma->vm_mm->sys;
	const struct mmk_hooks *hooks = hooks_of(sys);

	if (unlikely(hooks && hooks->uprobe_mmap) && vma->vm_file && (vma->vm_flags & MMK_VM_EXEC))
		hooks->uprobe_mmap(sys->ctx, task, vma->vm_start, vma->vm_end, vma->vm_pgoff,
		                   vma->vm_file);
}

/* ---- steps 13-21: the region ---- */

struct region {
	struct mmk_task *task;
	struct mm_struct *mm;
	struct file *file; /* as the caller gave it */
	struct unmap_plan plan;
	struct vma_merge merge;
	unsigned how; /* MERGE_*; 0: vma is the new one */
	struct vm_area_struct *vma;
	int64_t charge;                          /* pages to commit, net of what is replaced */
	struct address_space *writable, *denied; /* counted up by step 18 */
};

static uint64_t region_pages(const struct region *r)
{
	return (r->merge.end - r->merge.start) >> PAGE_SHIFT;
}

/* Step 14, prepared. The search for a place may have found it empty already. */
static int region_clear_place(struct region *r, const struct hole *hole)
{
	int err;

	if (likely(hole->found)) {
		r->plan.first = r->plan.tail = NULL;
		r->plan.nr_pages = r->plan.nr_accounted = 0;
		r->plan.next = hole->next;
		r->plan.prev = hole->next ? vma_prev(hole->next) : vma_last(r->mm);
		return 0;
	}
	err = unmap_prepare(r->task, r->mm, r->merge.start, r->merge.end, &r->plan);
	r->plan.keep_charge = true; /* region_account() settles the difference */
	return err;
}

/* Steps 13 and 15. */
static int region_account(struct region *r)
{
	int64_t pages = region_pages(r);
	int err =
	    may_expand_vm(r->task, r->mm, r->merge.vm_flags, pages - (int64_t)r->plan.nr_pages);

	if (err)
		return err;
	r->charge = -(int64_t)r->plan.nr_accounted;
	if (accountable_mapping(r->merge.vm_flags)) {
		r->charge += pages;
		r->merge.vm_flags |= MMK_VM_ACCOUNT;
	}
	return vm_charge(r->task, r->mm, r->charge);
}

/* Step 18, before the file is asked: who else has it open, and how. */
static int region_claim_file(struct region *r)
{
	struct address_space *m = r->file->f_mapping;
	uint64_t flags = r->merge.vm_flags;

	if (!m)
		return 0;
	if (flags & MMK_VM_DENYWRITE) {
		if (mmk_mapping_deny_write(m))
			return refuse(r->task, -MMK_ETXTBSY, MMK_REASON_FILE_BUSY, 0, 0);
		r->denied = m;
	}
	if ((flags & MMK_VM_SHARED) && (flags & MMK_VM_MAYWRITE)) {
		int32_t n = __atomic_load_n(&m->i_mmap_writable, __ATOMIC_RELAXED);

		/* Sealed: it may be looked at, and never be made writable. */
		if (n < 0 && !(flags & MMK_VM_WRITE)) {
			r->vma->vm_flags &= ~MMK_VM_MAYWRITE;
			return 0;
		}
		do {
			if (n < 0)
				return refuse(r->task, -MMK_EPERM, MMK_REASON_SEALED, 0, 0);
		} while (!__atomic_compare_exchange_n(&m->i_mmap_writable, &n, n + 1, false,
		                                      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
		r->writable = m;
	}
	return 0;
}

/* The VMA's own counts are taken in vma_link(): those of step 18 go either way. */
static void region_unclaim_file(struct region *r)
{
	if (r->writable)
		__atomic_fetch_sub(&r->writable->i_mmap_writable, 1, __ATOMIC_ACQ_REL);
	if (r->denied)
		mmk_mapping_allow_write(r->denied);
}

/* f_op->mmap, with the VMA as it will be. */
static int region_call_mmap(struct region *r)
{
	struct vm_area_struct *vma = r->vma;
	struct mmk_mmap_request req = {
	    .task = r->task,
	    .mm = r->mm,
	    .start = vma->vm_start,
	    .end = vma->vm_end,
	    .pgoff = vma->vm_pgoff,
	    .vm_flags = vma->vm_flags,
	    .file = r->file,
	};
	int err;

	get_vma_file(r->mm->sys, r->file);
	err = r->file->f_op->mmap(r->file, &req);
	if (err) {
		put_vma_file(r->mm->sys, r->file);
		/* A kind of the core's own may have said more. */
		return r->task->reason.code ? err
		                            : refuse(r->task, err, MMK_REASON_DRIVER, -err, 0);
	}
	/* Another file in its stead comes with a reference of its own. */
	if (req.file != r->file)
		put_vma_file(r->mm->sys, r->file);
	vma->vm_pgoff = req.pgoff;
	vma->vm_flags = req.vm_flags;
	vma->vm_ops = req.vm_ops;
	vma->vm_file = req.file;
	vma->vm_private_data = req.private_data;
	return 0;
}

/* The driver changed the flags: perhaps the neighbours agree now. */
static void region_merge_again(struct region *r)
{
	struct vm_area_struct *vma = r->vma;

	if (vma->vm_flags == r->merge.vm_flags)
		return;
	r->merge.vm_flags = vma->vm_flags;
	if (vma->vm_file != r->file || vma->vm_private_data)
		return;
	r->how = vma_can_merge(&r->merge);
	if (!r->how)
		return;
	put_vma_file(r->mm->sys, vma->vm_file);
	vma_free(vma);
	r->vma = NULL;
}

static int region_map_file(struct region *r)
{
	int err = region_claim_file(r);

	if (!err)
		err = region_call_mmap(r);
	if (!err)
		region_merge_again(r);
	return err;
}

/* Step 19. */
static int region_map_shmem(struct region *r)
{
	struct vm_area_struct *vma = r->vma;
	int64_t pages = vma->vm_flags & MMK_VM_NORESERVE ? 0 : vma_pages(vma);
	int err = vm_charge(r->task, r->mm, pages);

	if (err)
		return err;
	vma->vm_file = shmem_zero_file(r->mm->sys, vma->vm_end - vma->vm_start, vma->vm_flags);
	if (!vma->vm_file) {
		vm_uncharge(r->mm->sys, pages);
		return refuse(r->task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_SHMEM, 0, 0);
	}
	shmem_set_charge(vma->vm_file, pages);
	vma->vm_ops = &generic_file_vm_ops;
	return 0;
}

/* Steps 17-19: a VMA of its own. */
static int region_new_vma(struct region *r)
{
	struct vm_area_struct *vma = vma_alloc(r->mm);
	int err = 0;

	if (unlikely(!vma))
		return refuse(r->task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	vma->vm_start = r->merge.start;
	vma->vm_end = r->merge.end;
	vma->vm_flags = r->merge.vm_flags;
	vma->vm_pgoff = r->merge.pgoff;
	r->vma = vma;
	if (r->file)
		err = region_map_file(r);
	else if (vma->vm_flags & MMK_VM_SHARED)
		err = region_map_shmem(r);
	if (err) {
		region_unclaim_file(r);
		vma_free(vma);
	}
	return err;
}

/* The range is empty now; put what was prepared into it. */
static void region_commit(struct region *r)
{
	unmap_commit(&r->plan);
	if (r->charge < 0)
		vm_uncharge(r->mm->sys, -r->charge);
	if (r->how) {
		r->merge.next = r->plan.next;
		r->vma = vma_merge_new(&r->merge, r->how);
	} else {
		vma_link_before(r->mm, r->vma, r->plan.next);
	}
	region_unclaim_file(r);
}

/* Step 21. */
static void region_finish(struct region *r)
{
	struct vm_area_struct *vma = r->vma;
	uint64_t pages = region_pages(r);

	vma->vm_flags |= MMK_VM_SOFTDIRTY;
	if (unlikely(vma->vm_flags & MMK_VM_DROPPABLE))
		mm_note_droppable(r->mm);
	perf_event_mmap(r->task, vma);
	vm_stat_account(r->mm, r->merge.vm_flags, pages);
	if (vma->vm_flags & MMK_VM_LOCKED) {
		if (vma->vm_flags & (VM_SPECIAL | MMK_VM_DROPPABLE))
			vma->vm_flags &= ~VM_LOCKED_MASK;
		else
			r->mm->locked_vm += pages;
	}
	uprobe_mmap(r->task, vma);
}

static unsigned long mmap_region(const struct mmap_call *c)
{
	struct region r;
	int err = 0;

	/* Field by field: the plan, the largest part, is mostly not needed. */
	r.task = c->task;
	r.mm = c->mm;
	r.file = c->file;
	r.merge = (struct vma_merge){
	    .start = c->addr,
	    .end = c->addr + c->len,
	    .vm_flags = c->vm_flags,
	    .pgoff = c->pgoff,
	    .file = c->file,
	};
	r.how = 0;
	r.vma = NULL;
	r.charge = 0;
	r.writable = r.denied = NULL;

	if (unlikely(c->vm_flags & MMK_VM_EXEC))
		err = mdwe_refuse(c->task, c->mm, c->vm_flags, c->vm_flags);
	if (!err)
		err = region_clear_place(&r, &c->hole);
	if (err)
		return err;
	err = region_account(&r);
	if (err)
		goto no_account;
	r.merge.prev = r.plan.prev;
	r.merge.next = r.plan.next;
	r.how = vma_can_merge(&r.merge);
	if (!r.how) {
		err = region_new_vma(&r);
		if (err)
			goto no_vma;
	}
	region_commit(&r);
	region_finish(&r);
	return c->addr;

no_vma:
	if (r.charge > 0)
		vm_uncharge(c->mm->sys, r.charge);
no_account:
	unmap_abort(&r.plan);
	return err;
}

/* ---- steps 4-12: may it be? ---- */

/* Step 9. */
static int check_shared_file(struct mmap_call *c)
{
	const struct mmk_system *sys = c->mm->sys;
	const struct mmk_hooks *hooks = hooks_of(sys);
	uint32_t mode = c->file->f_mode;
	unsigned long unknown = c->flags & ~LEGACY_MAP_MASK & ~MMK_MAP_HUGE_MASK;

	if ((c->flags & MMK_MAP_TYPE) == MMK_MAP_SHARED_VALIDATE && unknown)
		return refuse(c->task, -MMK_EOPNOTSUPP, MMK_REASON_FLAGS_VALIDATE, unknown, 0);
	if ((c->prot & MMK_PROT_WRITE) && !(mode & MMK_FMODE_WRITE))
		return refuse(c->task, -MMK_EACCES, MMK_REASON_FILE_NOT_WRITABLE, 0, 0);
	if ((mode & MMK_FMODE_APPEND) && (mode & MMK_FMODE_WRITE))
		return refuse(c->task, -MMK_EACCES, MMK_REASON_FILE_APPEND_ONLY, 0, 0);
	if ((mode & MMK_FMODE_MANDLOCK) && hooks && hooks->locks_verify_locked &&
	    hooks->locks_verify_locked(sys->ctx, c->task, c->file))
		return refuse(c->task, -MMK_EAGAIN, MMK_REASON_MANDATORY_LOCK, 0, 0);
	c->vm_flags |= MMK_VM_SHARED | MMK_VM_MAYSHARE;
	if (!(mode & MMK_FMODE_WRITE))
		c->vm_flags &= ~(MMK_VM_MAYWRITE | MMK_VM_SHARED);
	return 0;
}

/* Step 10. */
static int check_any_file(struct mmap_call *c)
{
	uint32_t mode = c->file->f_mode;

	if (!(mode & MMK_FMODE_READ))
		return refuse(c->task, -MMK_EACCES, MMK_REASON_FILE_NOT_READABLE, 0, 0);
	if (mode & MMK_FMODE_NOEXEC) {
		if (c->vm_flags & MMK_VM_EXEC)
			return refuse(c->task, -MMK_EPERM, MMK_REASON_NOEXEC, 0, 0);
		c->vm_flags &= ~MMK_VM_MAYEXEC;
	}
	if (!c->file->f_op || !c->file->f_op->mmap)
		return refuse(c->task, -MMK_ENODEV, MMK_REASON_FILE_NO_MMAP, 0, 0);
	if (c->vm_flags & MMK_VM_GROWSDOWN)
		return refuse(c->task, -MMK_EINVAL, MMK_REASON_GROWS_FILE, 0, 0);
	return 0;
}

/* A sealed file may be shared, but only for reading, and mprotect() cannot undo that. */
static int check_seals(struct mmap_call *c)
{
	const struct address_space *m = c->file->f_mapping;

	if (!m || !(c->vm_flags & MMK_VM_SHARED) ||
	    !(__atomic_load_n(&m->flags, __ATOMIC_ACQUIRE) & MMK_MAPPING_SEALED))
		return 0;
	if (c->vm_flags & MMK_VM_WRITE)
		return refuse(c->task, -MMK_EPERM, MMK_REASON_SEALED, 0, 0);
	c->vm_flags &= ~MMK_VM_MAYWRITE;
	return 0;
}

/* The end of the mapping is an offset that the file can have: a signed one in files with pages. */
static bool offset_fits(const struct mmap_call *c)
{
	uint64_t max = c->file->f_mapping ? INT64_MAX : UINT64_MAX;

	return c->len <= max && c->pgoff <= (max - c->len) >> PAGE_SHIFT;
}

static int check_file(struct mmap_call *c)
{
	int err = 0;

	if (!offset_fits(c))
		return refuse(c->task, -MMK_EOVERFLOW, MMK_REASON_PGOFF_WRAPS, c->pgoff,
		              c->len >> PAGE_SHIFT);
	switch (c->flags & MMK_MAP_TYPE) {
	case MMK_MAP_SHARED:
	case MMK_MAP_SHARED_VALIDATE:
		err = check_shared_file(c);
		break;
	case MMK_MAP_PRIVATE:
		break;
	default:
		err = refuse(c->task, -MMK_EINVAL, MMK_REASON_MAP_TYPE, c->flags, 0);
	}
	if (!err)
		err = check_any_file(c);
	return err ? err : check_seals(c);
}

/* Step 11. */
static int check_anonymous(struct mmap_call *c)
{
	switch (c->flags & MMK_MAP_TYPE) {
	case MMK_MAP_SHARED:
		if (c->vm_flags & MMK_VM_GROWSDOWN)
			return refuse(c->task, -MMK_EINVAL, MMK_REASON_GROWS_SHARED, 0, 0);
		c->pgoff = 0;
		c->vm_flags |= MMK_VM_SHARED | MMK_VM_MAYSHARE;
		return 0;
	case MMK_MAP_DROPPABLE:
		/* Neither what must stay nor a stack. And what may go at any time is in no child. */
		if (c->flags & (MMK_MAP_LOCKED | MMK_MAP_GROWSDOWN))
			return refuse(c->task, -MMK_EINVAL, MMK_REASON_DROPPABLE_LOCKED, 0, 0);
		/*
		 * Under mlockall(MCL_FUTURE) its pages come at once, and it does not merge with what
		 * is not locked; but it is not locked itself: region_finish().
		 */
		c->populate = c->vm_flags & MMK_VM_LOCKED;
		c->vm_flags |= MMK_VM_DROPPABLE | MMK_VM_NORESERVE | MMK_VM_WIPEONFORK |
		               MMK_VM_DONTDUMP;
		/* fallthrough */
	case MMK_MAP_PRIVATE:
		c->pgoff = c->addr >> PAGE_SHIFT;
		return 0;
	default:
		return refuse(c->task, -MMK_EINVAL, MMK_REASON_MAP_TYPE, c->flags, 0);
	}
}

/* Steps 4 and 5. */
static int check_size(struct mmap_call *c)
{
	struct mmk_system *sys = c->mm->sys;
	unsigned long len = c->len;

	if (!len)
		return refuse(c->task, -MMK_EINVAL, MMK_REASON_LENGTH_ZERO, 0, 0);
	if ((c->prot & MMK_PROT_READ) && (c->task->personality & MMK_READ_IMPLIES_EXEC) &&
	    !(c->file && (c->file->f_mode & MMK_FMODE_NOEXEC)))
		c->prot |= MMK_PROT_EXEC;
	if (!(c->flags & MMK_MAP_FIXED)) {
		c->addr &= PAGE_MASK;
		if (c->addr && c->addr < lowest_choice(sys))
			c->addr = lowest_choice(sys);
	}
	c->len = PAGE_ALIGN(len);
	if (!c->len)
		return refuse(c->task, -MMK_ENOMEM, MMK_REASON_LENGTH_WRAPS, len, 0);
	if (c->pgoff + (c->len >> PAGE_SHIFT) < c->pgoff)
		return refuse(c->task, -MMK_EOVERFLOW, MMK_REASON_PGOFF_WRAPS, c->pgoff,
		              c->len >> PAGE_SHIFT);
	if (c->mm->map_count > sys->max_map_count)
		return refuse(c->task, -MMK_ENOMEM, MMK_REASON_MAP_COUNT, c->mm->map_count,
		              sys->max_map_count);
	return 0;
}

/* Step 6. */
static int find_place(struct mmap_call *c)
{
	const struct vm_area_struct *vma;
	unsigned long addr = get_unmapped_area(c->task, c->mm, c->file, c->addr, c->len, c->pgoff,
	                                       c->flags, &c->hole);

	if (IS_ERR_VALUE(addr))
		return (int)addr;
	c->addr = addr;
	if (!(c->flags & MMK_MAP_FIXED_NOREPLACE))
		return 0;
	vma = find_vma(c->mm, addr);
	if (vma && vma->vm_start < addr + c->len)
		return refuse(c->task, -MMK_EEXIST, MMK_REASON_NOREPLACE, addr, vma->vm_start);
	return 0;
}

/* Step 7. */
static uint64_t calc_vm_flag_bits(unsigned long flags)
{
	/* These three have the same numbers on both sides. */
	uint64_t bits = flags & (MMK_MAP_GROWSDOWN | MMK_MAP_LOCKED | MMK_MAP_DENYWRITE);

	if (likely(!(flags & (MMK_MAP_STACK | MMK_MAP_SYNC))))
		return bits;
	/* Both do nothing but keep such memory apart from other. */
	return bits | (flags & MMK_MAP_STACK ? MMK_VM_NOHUGEPAGE : 0) |
	       (flags & MMK_MAP_SYNC ? MMK_VM_SYNC : 0);
}

/* Step 8. */
static int check_locked(struct mmap_call *c)
{
	if ((c->flags & MMK_MAP_LOCKED) && !can_do_mlock(c->task))
		return refuse(c->task, -MMK_EPERM, MMK_REASON_MEMLOCK_ZERO, 0, 0);
	return mlock_future_check(c->task, c->mm, c->vm_flags, c->len >> PAGE_SHIFT, -MMK_EAGAIN);
}

static int mmap_decode(struct mmap_call *c)
{
	int err = check_size(c);

	if (err)
		return err;
	err = find_place(c);
	if (err)
		return err;
	c->vm_flags =
	    prot_to_vm(c->mm->sys, c->prot) | calc_vm_flag_bits(c->flags) | c->mm->def_flags | VM_MAY_FLAGS;
	err = check_locked(c);
	if (err)
		return err;
	err = c->file ? check_file(c) : check_anonymous(c);
	if (err)
		return err;
	/* Step 12. */
	if ((c->flags & MMK_MAP_NORESERVE) && c->mm->sys->overcommit_memory != 2)
		c->vm_flags |= MMK_VM_NORESERVE;
	return 0;
}

/*
 * mmap_lock held for writing. The address, or -errno. *populate: bytes from there to fault in once
 * the lock is dropped.
 */
unsigned long do_mmap_pgoff(struct mmk_task *task, struct mm_struct *mm, struct file *file,
                            unsigned long addr, unsigned long len, unsigned long prot,
                            unsigned long flags, uint64_t pgoff, unsigned long *populate)
{
	struct mmap_call c = {
	    .task = task,
	    .mm = mm,
	    .file = file,
	    .addr = addr,
	    .len = len,
	    .prot = prot,
	    .flags = flags & MMK_MAP_FIXED_NOREPLACE ? flags | MMK_MAP_FIXED : flags,
	    .pgoff = pgoff,
	};
	int err = mmap_decode(&c);

	*populate = 0;
	if (err)
		return err;
	addr = mmap_region(&c);
	if (!IS_ERR_VALUE(addr) &&
	    ((c.vm_flags & MMK_VM_LOCKED) || c.populate ||
	     (flags & (MMK_MAP_POPULATE | MMK_MAP_NONBLOCK)) == MMK_MAP_POPULATE))
		*populate = c.len;
	return addr;
}

/* Step 3. */
long vm_mmap_pgoff(struct mmk_task *task, struct file *file, unsigned long addr, unsigned long len,
                   unsigned long prot, unsigned long flags, uint64_t pgoff)
{
	struct mm_struct *mm = task->mm;
	const struct mmk_hooks *hooks = hooks_of(mm->sys);
	unsigned long ret, populate;
	int err;

	if (unlikely(hooks && hooks->security_mmap_file)) {
		err = hooks->security_mmap_file(mm->sys->ctx, task, file, prot, flags);
		if (err)
			return refuse(task, err, MMK_REASON_SECURITY_MMAP, -err, 0);
	}
	err = mmap_lock_or_refuse(task, mm);
	if (err)
		return err;
	ret = do_mmap_pgoff(task, mm, file, addr, len, prot, flags, pgoff, &populate);
	mmap_write_unlock(mm);
	if (populate)
		mm_populate(task, mm, ret, populate);
	return ret;
}

/* ---- memory that the kernel itself gives to a program ---- */

int do_brk_flags(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                 unsigned long end, uint64_t vm_flags)
{
	struct vm_area_struct *next = find_vma(mm, start), *vma;
	int64_t pages = (end - start) >> PAGE_SHIFT;
	struct vma_merge merge = {
	    .prev = next ? vma_prev(next) : vma_last(mm),
	    .start = start,
	    .end = end,
	    /* Also without tags the last flag shows: mmap's memory does not merge with the heap. */
	    .vm_flags = vm_flags | MMK_VM_READ | MMK_VM_WRITE | VM_MAY_FLAGS | MMK_VM_ACCOUNT |
	                mm->def_flags | MMK_VM_MTE_ALLOWED,
	    .pgoff = start >> PAGE_SHIFT,
	};
	int err = may_expand_vm(task, mm, merge.vm_flags, pages);

	if (err)
		return err;
	if (mm->map_count > mm->sys->max_map_count)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_MAP_COUNT, mm->map_count,
		              mm->sys->max_map_count);
	err = vm_charge(task, mm, pages);
	if (err)
		return err;
	if (vma_can_merge(&merge)) {
		vma = vma_merge_new(&merge, MERGE_LEFT);
	} else {
		vma = vma_alloc(mm);
		if (unlikely(!vma)) {
			vm_uncharge(mm->sys, pages);
			return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
		}
		vma->vm_start = start;
		vma->vm_end = end;
		vma->vm_flags = merge.vm_flags;
		vma->vm_pgoff = merge.pgoff;
		vma_link(mm, vma);
	}
	vma->vm_flags |= MMK_VM_SOFTDIRTY;
	perf_event_mmap(task, vma);
	vm_stat_account(mm, merge.vm_flags, pages);
	if (merge.vm_flags & MMK_VM_LOCKED)
		mm->locked_vm += pages;
	return 0;
}

int insert_vma(struct mmk_task *task, struct mm_struct *mm, struct vm_area_struct *vma)
{
	uint64_t pages = vma_pages(vma);
	int err = may_expand_vm(task, mm, vma->vm_flags, pages);

	if (!err && (vma->vm_flags & MMK_VM_ACCOUNT))
		err = vm_charge(task, mm, pages);
	if (err)
		return err;
	vma_link(mm, vma);
	vm_stat_account(mm, vma->vm_flags, pages);
	if (vma->vm_flags & MMK_VM_LOCKED)
		mm->locked_vm += pages;
	return 0;
}
