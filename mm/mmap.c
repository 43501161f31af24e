/* SPDX-License-Identifier: MIT */
/*
 * mmap, steps 3-5, 7-16 and 18-21 of its way. mmap_decode() may refuse and changes nothing. Then
 * private memory in a hole goes the short way of map_hole(); for all else mmap_region() prepares all
 * that can run short or be refused, in the order of the steps, undoing in reverse where one fails;
 * region_commit() then cannot fail. So what MAP_FIXED replaces is still there, whole, when the new
 * mapping does not come about.
 *
 * What programs ask for most needs little decoding: vm_mmap_usual().
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

static inline void call_perf_event_mmap(struct mmk_task *task, const struct mmk_system *sys,
					const struct vm_area_struct *vma)
{
	const struct mmk_hooks *hooks = hooks_of(sys);

	if (hooks && hooks->perf_event_mmap)
		hooks->perf_event_mmap(sys->ctx, task, vma->vm_start, vma->vm_end, vma->vm_pgoff,
		                       vma->vm_flags, vma->vm_file);
}

void perf_event_mmap(struct mmk_task *task, const struct vm_area_struct *vma)
{
	call_perf_event_mmap(task, vma->vm_mm->sys, vma);
}

static void uprobe_mmap(struct mmk_task *task, const struct vm_area_struct *vma)
{
	const struct mmk_system *sys = vma->vm_mm->sys;
	const struct mmk_hooks *hooks = hooks_of(sys);

	if (unlikely(hooks && hooks->uprobe_mmap) && vma->vm_file && (vma->vm_flags & MMK_VM_EXEC))
		hooks->uprobe_mmap(sys->ctx, task, vma->vm_start, vma->vm_end, vma->vm_pgoff,
		                   vma->vm_file);
}

static __attribute__((noinline)) void map_finish_rare(struct vm_area_struct *vma, uint64_t pages)
{
	if (vma->vm_flags & MMK_VM_DROPPABLE)
		mm_note_droppable(vma->vm_mm);
	if (!(vma->vm_flags & MMK_VM_LOCKED))
		return;
	if (vma->vm_flags & (VM_SPECIAL | MMK_VM_DROPPABLE))
		vma_set_flags(vma, vma->vm_flags & ~VM_LOCKED_MASK);
	else
		vma->vm_mm->locked_vm += pages;
}

/*
 * Step 21 but for files: `vma`, soft-dirty, is new, or has grown, by that many pages, for which
 * vm_flags was asked.
 */
static inline void map_finish(struct mmk_task *task, struct mm_struct *mm,
                              struct vm_area_struct *vma, uint64_t vm_flags, uint64_t pages)
{
	call_perf_event_mmap(task, mm->sys, vma);
	vm_stat_account(mm, vm_flags, pages);
	if (unlikely(vma->vm_flags & (MMK_VM_LOCKED | MMK_VM_DROPPABLE)))
		map_finish_rare(vma, pages);
}

/* ---- steps 13-21: private memory in a hole ---- */

/*
 * Does the VMA, which touches it, agree with untouched private memory of these flags? The short form of
 * vma_merge_sides(): such memory has no file, no name, no policy, no anon_vma, and its own place as offset.
 */
static inline bool agrees_with_hole(const struct vm_area_struct *vma, uint64_t vm_flags)
{
	return !((vm_flags ^ vma->vm_flags) & ~MMK_VM_SOFTDIRTY) && !vma->vm_file && !vma->policy &&
	       vma->vm_pgoff == vma->vm_start >> PAGE_SHIFT && !vma_anon_name(vma) &&
	       !(vma_anon_vma(vma) & ANON_CHAINED);
}

/* [start, end) becomes part of prev, of next or of both, where they touch it and agree; NULL: they do not. */
static __attribute__((noinline)) struct vm_area_struct *
merge_hole(struct vm_area_struct *prev, struct vm_area_struct *next, unsigned long start,
	   unsigned long end, uint64_t vm_flags)
{
	if (prev && (prev->vm_end != start || !agrees_with_hole(prev, vm_flags)))
		prev = NULL;
	if (next && (next->vm_start != end || !agrees_with_hole(next, vm_flags)))
		next = NULL;
	if (!prev && !next)
		return NULL;
	if (prev && next &&
	    (vma_anon_vma(prev) == vma_anon_vma(next) || !vma_anon_vma(prev) || !vma_anon_vma(next))) {
		struct vma_merge both = {.prev = prev, .next = next, .start = start, .end = end};

		return vma_merge_new(&both, MERGE_LEFT | MERGE_RIGHT);
	}
	return vma_grow(prev ? prev : next, start, end);
}

/*
 * What most calls of mmap, and brk, ask for: as there is nothing to replace and no file to ask, three
 * things can fail, one after the other.
 */
int map_hole(struct mmk_task *task, struct mm_struct *mm, struct vm_area_struct *next,
	     unsigned long start, unsigned long end, const uint64_t vm_flags, bool to_right)
{
	struct vm_area_struct *prev = next ? vma_prev(next) : vma_last(mm);
	const uint64_t pages = (end - start) >> PAGE_SHIFT;
	struct vm_area_struct *vma = NULL;
	uint64_t all = vm_flags;

	if (unlikely(!can_expand_vm(task, mm, vm_flags, pages)))
		return refuse_expand_vm(task, mm, pages);
	if (likely(accountable_mapping(vm_flags))) {
		int err = vm_charge_inline(task, mm, pages);

		if (unlikely(err))
			return err;
		all |= MMK_VM_ACCOUNT;
	}
	if ((prev && prev->vm_end == start) || (next && next->vm_start == end))
		vma = merge_hole(prev, to_right ? next : NULL, start, end, all);
	if (vma) {
		vma_set_flags(vma, vma->vm_flags | MMK_VM_SOFTDIRTY);
	} else {
		vma = vma_alloc_anon(mm);
		if (unlikely(!vma))
			goto no_vma;
		vma_init(vma, start, end, all | MMK_VM_SOFTDIRTY, start >> PAGE_SHIFT);
		vma_link_anon_before(mm, vma, next);
	}
	map_finish(task, mm, vma, vm_flags, pages);
	return 0;

no_vma:
	vm_uncharge(mm->sys, all & MMK_VM_ACCOUNT ? pages : 0);
	return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
}

/* ---- steps 13-21: any region ---- */

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

/* Step 14, prepared. */
static int region_clear_place(struct region *r)
{
	int err = unmap_prepare(r->task, r->mm, r->merge.start, r->merge.end, &r->plan);

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
	bool shared = r->merge.vm_flags & MMK_VM_SHARED;
	struct vm_area_struct *vma = vma_alloc(r->mm, r->file || shared);
	int err = 0;

	if (unlikely(!vma))
		return refuse(r->task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	vma_init(vma, r->merge.start, r->merge.end, r->merge.vm_flags, r->merge.pgoff);
	r->vma = vma;
	if (r->file)
		err = region_map_file(r);
	else if (shared)
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

/* The plan, the largest part, is filled by unmap_prepare(). */
static void region_init(struct region *r, const struct mmap_call *c)
{
	r->task = c->task;
	r->mm = c->mm;
	r->file = c->file;
	r->merge = (struct vma_merge){
	    .start = c->addr,
	    .end = c->addr + c->len,
	    .vm_flags = c->vm_flags,
	    .pgoff = c->pgoff,
	    .file = c->file,
	};
	r->how = 0;
	r->vma = NULL;
	r->charge = 0;
	r->writable = r->denied = NULL;
}

static int mmap_region(const struct mmap_call *c)
{
	struct region r;
	int err;

	region_init(&r, c);
	err = region_clear_place(&r);
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
	vma_set_flags(r.vma, r.vma->vm_flags | MMK_VM_SOFTDIRTY);
	map_finish(r.task, r.mm, r.vma, r.merge.vm_flags, region_pages(&r));
	uprobe_mmap(r.task, r.vma);
	return 0;

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
		 * is not locked; but it is not locked itself: map_finish().
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
	unsigned long addr;

	if (likely(!c->addr && !c->file && !(c->flags & MMK_MAP_FIXED)))
		addr = unmapped_area_anywhere(c->task, c->mm, c->len, &c->hole);
	else
		addr = get_unmapped_area(c->task, c->mm, c->file, c->addr, c->len, c->pgoff,
		                         c->flags, &c->hole);
	if (IS_ERR_VALUE(addr))
		return (int)addr;
	c->addr = addr;
	if (likely(!(c->flags & MMK_MAP_FIXED_NOREPLACE)))
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

/* Step 8: it will be locked. */
static int check_locked(struct mmap_call *c)
{
	if ((c->flags & MMK_MAP_LOCKED) && !can_do_mlock(c->task))
		return refuse(c->task, -MMK_EPERM, MMK_REASON_MEMLOCK_ZERO, 0, 0);
	return mlock_limit_check(c->task, c->mm, c->len >> PAGE_SHIFT, -MMK_EAGAIN);
}

static int mmap_decode(struct mmap_call *c)
{
	int err = check_size(c);

	if (unlikely(err))
		return err;
	err = find_place(c);
	if (unlikely(err))
		return err;
	c->vm_flags =
	    prot_to_vm(c->mm->sys, c->prot) | calc_vm_flag_bits(c->flags) | c->mm->def_flags | VM_MAY_FLAGS;
	if (unlikely(c->vm_flags & MMK_VM_LOCKED))
		err = check_locked(c);
	if (unlikely(err))
		return err;
	err = c->file ? check_file(c) : check_anonymous(c);
	if (unlikely(err))
		return err;
	/* Step 12. */
	if ((c->flags & MMK_MAP_NORESERVE) && c->mm->sys->overcommit_memory != 2)
		c->vm_flags |= MMK_VM_NORESERVE;
	if (unlikely(c->vm_flags & MMK_VM_EXEC))
		return mdwe_refuse(c->task, c->mm, c->vm_flags, c->vm_flags);
	return 0;
}

unsigned long do_mmap_pgoff(struct mmap_call *c)
{
	int err;

	if (unlikely(c->flags & MMK_MAP_FIXED_NOREPLACE))
		c->flags |= MMK_MAP_FIXED;
	err = mmap_decode(c);
	if (unlikely(err))
		return err;
	if (likely(c->hole.found && !c->file && !(c->vm_flags & MMK_VM_SHARED)))
		err = map_hole(c->task, c->mm, c->hole.next, c->addr, c->addr + c->len, c->vm_flags,
			       true);
	else
		err = mmap_region(c);
	if (unlikely(err))
		return err;
	if ((c->vm_flags & MMK_VM_LOCKED) ||
	    (c->flags & (MMK_MAP_POPULATE | MMK_MAP_NONBLOCK)) == MMK_MAP_POPULATE)
		c->populate = true;
	return c->addr;
}

/* Step 3. */
static inline int mmap_begin(struct mmk_task *task, struct mm_struct *mm, struct file *file,
			     unsigned long prot, unsigned long flags)
{
	const struct mmk_hooks *hooks = hooks_of(mm->sys);

	if (unlikely(hooks && hooks->security_mmap_file)) {
		int err = hooks->security_mmap_file(mm->sys->ctx, task, file, prot, flags);

		if (unlikely(err))
			return refuse(task, err, MMK_REASON_SECURITY_MMAP, -err, 0);
	}
	return mmap_lock_or_refuse(task, mm);
}

/* The lock is held, and dropped. */
static long mmap_locked(struct mmap_call *c)
{
	unsigned long addr = do_mmap_pgoff(c);

	mmap_write_unlock(c->mm);
	if (unlikely(c->populate) && !IS_ERR_VALUE(addr))
		mm_populate(c->task, c->mm, addr, c->len);
	return addr;
}

long vm_mmap_pgoff(struct mmap_call *c)
{
	int err = mmap_begin(c->task, c->mm, c->file, c->prot, c->flags);

	return unlikely(err) ? err : mmap_locked(c);
}

/* It is not so usual after all. */
static __attribute__((noinline)) long mmap_usual_not(struct mmk_task *task, unsigned long len,
						     unsigned long prot)
{
	struct mmap_call c;

	mmap_call_init(&c, task, 0, len, prot, MMAP_USUAL, 0);
	return mmap_locked(&c);
}

long vm_mmap_usual(struct mmk_task *task, unsigned long len, unsigned long prot)
{
	struct mm_struct *mm = task->mm;
	const unsigned long size = PAGE_ALIGN(len);
	unsigned long addr;
	struct hole hole;
	int err = mmap_begin(task, mm, NULL, prot, MMAP_USUAL);

	if (unlikely(err))
		return err;
	if (unlikely(size - 1 >= TASK_SIZE || mm->def_flags ||
		     mm->map_count > mm->sys->max_map_count))
		return mmap_usual_not(task, len, prot);
	addr = unmapped_area_again(mm, size, &hole);
	if (unlikely(!addr))
		addr = unmapped_area_anywhere(task, mm, size, &hole);
	if (likely(!IS_ERR_VALUE(addr))) {
		err = map_hole(task, mm, hole.next, addr, addr + size, prot | VM_MAY_FLAGS, true);
		if (unlikely(err))
			addr = err;
	}
	mmap_write_unlock(mm);
	return addr;
}

/* ---- memory that the kernel itself gives to a program ---- */

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
