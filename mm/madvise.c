/* SPDX-License-Identifier: MIT */
/*
 * madvise. Advice is of two sorts: what changes the flags of VMAs (mmap_lock for writing, merges
 * and splits like mprotect), and what does something to pages (mmap_lock for reading). A hole in
 * the range is reported at the end as ENOMEM, after the rest has been done.
 */
#include "mm/internal.h"
#include "mm/lazyfree.h"
#include "mm/share.h"
#include "mm/vma.h"

/* WILLNEED reads no more than this at once: a hint is no reason to stop the world. */
#define WILLNEED_PAGES 512

/* ---- advice that is a flag of the VMA ---- */

static uint64_t advised_flags(uint64_t flags, int advice)
{
	switch (advice) {
	case MMK_MADV_NORMAL:
		return flags & ~(MMK_VM_RAND_READ | MMK_VM_SEQ_READ);
	case MMK_MADV_RANDOM:
		return (flags & ~MMK_VM_SEQ_READ) | MMK_VM_RAND_READ;
	case MMK_MADV_SEQUENTIAL:
		return (flags & ~MMK_VM_RAND_READ) | MMK_VM_SEQ_READ;
	case MMK_MADV_DONTFORK:
		return flags | MMK_VM_DONTCOPY;
	case MMK_MADV_DOFORK:
		return flags & ~MMK_VM_DONTCOPY;
	case MMK_MADV_DONTDUMP:
		return flags | MMK_VM_DONTDUMP;
	case MMK_MADV_DODUMP:
		return flags & ~MMK_VM_DONTDUMP;
	case MMK_MADV_WIPEONFORK:
		return flags | MMK_VM_WIPEONFORK;
	default: /* MMK_MADV_KEEPONFORK */
		return flags & ~MMK_VM_WIPEONFORK;
	}
}

static int check_flag_advice(struct mmk_task *task, const struct vm_area_struct *vma, int advice)
{
	if ((advice == MMK_MADV_DOFORK && (vma->vm_flags & MMK_VM_IO)) ||
	    (advice == MMK_MADV_DODUMP && (vma->vm_flags & VM_SPECIAL)))
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_SPECIAL, vma->vm_start, advice);
	if (advice == MMK_MADV_WIPEONFORK && (vma->vm_file || (vma->vm_flags & MMK_VM_SHARED)))
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_NOT_ANON, vma->vm_start, 0);
	/* What may go at any time is in no child and no dump. */
	if ((advice == MMK_MADV_KEEPONFORK || advice == MMK_MADV_DODUMP) &&
	    (vma->vm_flags & MMK_VM_DROPPABLE))
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_DROPPABLE, vma->vm_start,
		              advice);
	return 0;
}

static int madvise_flags(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                         unsigned long end, int advice)
{
	uint64_t flags = advised_flags(vma->vm_flags, advice);
	int err = check_flag_advice(task, vma, advice);

	if (err)
		return err;
	if (flags == vma->vm_flags)
		return 0;
	err = vma_modify(task, vma, start, end, flags, &vma);
	if (err) { /* kernel memory may be there the next time */
		task->reason.err = -MMK_EAGAIN;
		return -MMK_EAGAIN;
	}
	vma_change_flags(vma, flags);
	return 0;
}

/* ---- advice about pages ---- */

static int madvise_dontneed(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                            unsigned long end, int advice)
{
	if (vma->vm_flags & MMK_VM_PFNMAP)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_SPECIAL, vma->vm_start, advice);
	if ((vma->vm_flags & MMK_VM_LOCKED) && advice == MMK_MADV_DONTNEED)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_LOCKED, vma->vm_start, 0);
	if (tables_own_part(vma->vm_mm, start, end, ~0ul, end))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_TABLES, 0, 0);
	zap_page_range(vma, start, end, ZAP_EVEN_COWS | ZAP_RESCHED);
	return 0;
}

static int madvise_free(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                        unsigned long end)
{
	if (!vma_is_anonymous(vma))
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_NOT_ANON, vma->vm_start, 0);
	if (vma->vm_flags & MMK_VM_LOCKED)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_LOCKED, vma->vm_start, 0);
	if (tables_own(vma->vm_mm, start, end))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_TABLES, 0, 0);
	lazyfree_range(vma, start, end);
	return 0;
}

/* Into the cache, not into the tables. What cannot be read is read, and reported, when it is
 * touched. */
static int madvise_willneed(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct address_space *m = vma->vm_file ? vma->vm_file->f_mapping : NULL;
	uint64_t index = linear_page_index(vma, start);
	uint64_t n = (end - start) >> PAGE_SHIFT;
	struct page *page;
	bool major;

	if (!m || !m->ops || !m->ops->read)
		return 0;
	for (n = n < WILLNEED_PAGES ? n : WILLNEED_PAGES; n; n--, index++) {
		if (filemap_get_page(m, index, false, &page, &major))
			break;
		put_page(vma->vm_mm->sys, page);
	}
	return 0;
}

static int populate_errno(struct mmk_task *task, unsigned long addr, int err)
{
	int shown = err == -MMK_ENOMEM || err == -MMK_EINTR ? err : -MMK_EFAULT;

	return refuse(task, shown, MMK_REASON_POPULATE_FAULT, addr, -err);
}

static int madvise_populate(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                            unsigned long end, int advice)
{
	bool write = advice == MMK_MADV_POPULATE_WRITE;
	uint64_t need = write ? MMK_VM_WRITE : MMK_VM_READ;
	unsigned long pause = 0;
	int err;

	if ((vma->vm_flags & (MMK_VM_IO | MMK_VM_PFNMAP)) || !(vma->vm_flags & need))
		return refuse(task, -MMK_EINVAL, MMK_REASON_POPULATE_PROT, vma->vm_start, 0);
	for (; start < end; start += PAGE_SIZE) {
		err = populate_pause(task->mm->sys, start, &pause);
		if (!err)
			err = handle_mm_fault(task, vma, start,
			                      FAULT_FLAG_USER | (write ? FAULT_FLAG_WRITE : 0));
		if (err)
			return populate_errno(task, start, err);
	}
	return 0;
}

/* ---- the walk ---- */

enum advice_kind { ADVICE_NONE, ADVICE_DONTNEED, ADVICE_PAGES, ADVICE_FLAGS };

static inline enum advice_kind advice_kind(int advice)
{
	/* What is asked for most. */
	if (likely(advice == MMK_MADV_DONTNEED || advice == MMK_MADV_DONTNEED_LOCKED))
		return ADVICE_DONTNEED;
	switch (advice) {
	case MMK_MADV_NORMAL:
	case MMK_MADV_RANDOM:
	case MMK_MADV_SEQUENTIAL:
	case MMK_MADV_DONTFORK:
	case MMK_MADV_DOFORK:
	case MMK_MADV_DONTDUMP:
	case MMK_MADV_DODUMP:
	case MMK_MADV_WIPEONFORK:
	case MMK_MADV_KEEPONFORK:
		return ADVICE_FLAGS;
	case MMK_MADV_WILLNEED:
	case MMK_MADV_FREE:
	case MMK_MADV_REMOVE:
	case MMK_MADV_COLD:
	case MMK_MADV_PAGEOUT:
	case MMK_MADV_POPULATE_READ:
	case MMK_MADV_POPULATE_WRITE:
	case MMK_MADV_GUARD_INSTALL:
	case MMK_MADV_GUARD_REMOVE:
		return ADVICE_PAGES;
	default:
		return ADVICE_NONE;
	}
}

/* Advice that makes the bytes another program's, or none: on a seal that is a way to write. */
static bool advice_discards(int advice)
{
	switch (advice) {
	case MMK_MADV_DONTNEED:
	case MMK_MADV_DONTNEED_LOCKED:
	case MMK_MADV_FREE:
	case MMK_MADV_REMOVE:
	case MMK_MADV_DONTFORK:
	case MMK_MADV_GUARD_INSTALL:
	case MMK_MADV_WIPEONFORK:
		return true;
	default:
		return false;
	}
}

static bool sealed_against(const struct vm_area_struct *vma, int advice)
{
	return vma_is_sealed(vma) && advice_discards(advice) && !vma->vm_file &&
	       !(vma->vm_flags & (MMK_VM_SHARED | MMK_VM_WRITE));
}

static __attribute__((noinline)) int madvise_vma(struct mmk_task *task, struct vm_area_struct *vma,
                                                 unsigned long start, unsigned long end, int advice)
{
	switch (advice) {
	case MMK_MADV_WILLNEED:
		return madvise_willneed(vma, start, end);
	case MMK_MADV_POPULATE_READ:
	case MMK_MADV_POPULATE_WRITE:
		return madvise_populate(task, vma, start, end, advice);
	case MMK_MADV_FREE:
		return madvise_free(task, vma, start, end);
	case MMK_MADV_REMOVE:
		return madvise_remove(task, vma, start, end);
	case MMK_MADV_COLD:
		return madvise_cold(task, vma, start, end);
	case MMK_MADV_PAGEOUT:
		return madvise_pageout(task, vma, start, end);
	case MMK_MADV_GUARD_INSTALL:
		return guard_install(task, vma, start, end);
	case MMK_MADV_GUARD_REMOVE:
		return guard_remove(task, vma, start, end);
	default:
		return madvise_flags(task, vma, start, end, advice);
	}
}

static inline int madvise_range(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                                unsigned long end, int advice, enum advice_kind kind)
{
	unsigned long hole = end, stop;
	int err;

	for (; start < end; start = stop) {
		struct vm_area_struct *vma = find_vma(mm, start);

		if (unlikely(!vma || vma->vm_start > start)) {
			if (hole == end)
				hole = start;
			/* Populating stops at a hole; all other advice goes on behind it. */
			if (!vma || vma->vm_start >= end || advice == MMK_MADV_POPULATE_READ ||
			    advice == MMK_MADV_POPULATE_WRITE)
				break;
			start = vma->vm_start;
		}
		stop = vma->vm_end < end ? vma->vm_end : end;
		if (unlikely(sealed_against(vma, advice)))
			return refuse(task, -MMK_EPERM, MMK_REASON_VMA_SEALED, vma->vm_start, 0);
		err = likely(kind == ADVICE_DONTNEED)
		          ? madvise_dontneed(task, vma, start, stop, advice)
		          : madvise_vma(task, vma, start, stop, advice);
		if (unlikely(err))
			return err;
	}
	if (unlikely(hole != end))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NOT_MAPPED, hole, 0);
	return 0;
}

long do_madvise(struct mmk_task *task, struct mm_struct *mm, unsigned long start, unsigned long len,
                int advice)
{
	const enum advice_kind kind = advice_kind(advice);
	unsigned long end;
	int err;

	if (unlikely(kind == ADVICE_NONE))
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE, (uint32_t)advice, 0);
	err = range_of_pages(task, start, len, &end);
	if (err || end == start)
		return err;
	if (kind == ADVICE_FLAGS) {
		err = mmap_lock_or_refuse(task, mm);
		if (err)
			return err;
	} else {
		mmap_read_lock(mm);
	}
	err = madvise_range(task, mm, start, end, advice, kind);
	if (kind == ADVICE_FLAGS)
		mmap_write_unlock(mm);
	else
		mmap_read_unlock(mm);
	return err;
}
