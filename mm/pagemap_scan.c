/* SPDX-License-Identifier: MIT */
/*
 * ioctl(PAGEMAP_SCAN): pages of some kinds as ranges of addresses. A page's kinds are bits; the
 * caller says which must be there, which of them inverted, and which are to be told. Ranges are
 * gathered in a page of ours under mmap_lock and copied to the caller without it.
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"

#define ALL_CATEGORIES 0xffull
#define ALL_FLAGS      (MMK_PM_SCAN_WP_MATCHING | MMK_PM_SCAN_CHECK_WPASYNC)
#define SCAN_BATCH     (PAGE_SIZE / sizeof(struct mmk_page_region))

struct scan {
	struct mmk_task *task;
	struct mm_struct *mm;
	struct mmk_pagemap_scan arg;
	struct mmk_page_region *out; /* regions not copied yet */
	uint64_t n, room;            /* how many, and how many may be */
	uint64_t told;               /* regions copied */
	uint64_t pages;              /* pages found */
	bool full;                   /* no more fits */
};

/* ---- what a page is ---- */

static uint64_t pte_categories(const struct scan *s, pte_t pte)
{
	const struct mmk_system *sys = s->mm->sys;
	uint64_t is = MMK_PAGE_IS_PRESENT | MMK_PAGE_IS_WRITTEN;
	const struct page *page;

	if (!pte_present(pte))
		return 0;
	page = pte_counted_page(sys, pte);
	if (page && !page_is_anon(page))
		is |= MMK_PAGE_IS_FILE;
	if (pte_phys(pte) == sys->zero_phys)
		is |= MMK_PAGE_IS_PFNZERO;
	if (s->mm->soft_dirty && pte_soft_dirty(pte))
		is |= MMK_PAGE_IS_SOFT_DIRTY;
	return is;
}

static bool wanted(const struct scan *s, uint64_t is)
{
	is ^= s->arg.category_inverted;
	if ((is & s->arg.category_mask) != s->arg.category_mask)
		return false;
	return !s->arg.category_anyof_mask || (is & s->arg.category_anyof_mask);
}

/* ---- telling ---- */

/* Add to the last region or begin one. False: there is no room for one. */
static bool scan_push(struct scan *s, uint64_t is, unsigned long start, unsigned long end)
{
	struct mmk_page_region *last = s->n ? &s->out[s->n - 1] : NULL;

	if (last && last->end == start && last->categories == is) {
		last->end = end;
		return true;
	}
	if (s->n == s->room)
		return false;
	s->out[s->n++] = (struct mmk_page_region){.start = start, .end = end, .categories = is};
	return true;
}

/* Pages of one kind. */
static void tell(struct scan *s, uint64_t is, unsigned long start, unsigned long end)
{
	uint64_t n = (end - start) >> PAGE_SHIFT, left = s->arg.max_pages - s->pages;

	if (!s->arg.vec_len)
		return;
	if (n > left) {
		n = left;
		end = start + (n << PAGE_SHIFT);
		s->full = true;
	}
	if (n && !scan_push(s, is & s->arg.return_mask, start, end)) {
		n = 0;
		end = start;
		s->full = true;
	}
	s->pages += n;
	if (s->full)
		s->arg.walk_end = end;
}

/* ---- the walk ---- */

/* From one table, locked, or from none where there is none: then all of it is the same. */
static void scan_table(struct scan *s, struct page *table, uint64_t vma_is, unsigned long addr,
                       unsigned long end)
{
	pte_t *ptep;

	if (!table) {
		if (wanted(s, vma_is))
			tell(s, vma_is, addr, end);
		return;
	}
	ptep = table_pte(s->mm->sys, table, addr);
	for (; addr < end && !s->full; addr += PAGE_SIZE, ptep++) {
		uint64_t is = vma_is | pte_categories(s, ptep_get(ptep));

		if (wanted(s, is))
			tell(s, is, addr, addr + PAGE_SIZE);
	}
	spin_unlock(&table->ptl);
}

/* Nothing can be write-protected through userfaultfd here. 0 or -EPERM. */
static int scan_vma(struct scan *s, const struct vm_area_struct *vma, unsigned long start,
                    unsigned long end)
{
	uint64_t is =
	    s->mm->soft_dirty && (vma->vm_flags & MMK_VM_SOFTDIRTY) ? MMK_PAGE_IS_SOFT_DIRTY : 0;

	if (s->arg.flags & MMK_PM_SCAN_CHECK_WPASYNC)
		return -MMK_EPERM;
	if ((s->arg.flags & MMK_PM_SCAN_WP_MATCHING) || (vma->vm_flags & MMK_VM_PFNMAP))
		return 0;
	if ((s->arg.category_mask & MMK_PAGE_IS_WPALLOWED) &&
	    !((is ^ s->arg.category_inverted) & MMK_PAGE_IS_WPALLOWED))
		return 0;
	while (start < end && !s->full) {
		unsigned long stop = table_end(start, end);

		scan_table(s, table_find_lock(s->mm, start), is, start, stop);
		start = stop;
	}
	return 0;
}

static int scan_range(struct scan *s, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma;
	int err = mmap_read_lock_killable(s->mm);

	if (err)
		return err;
	for (vma = find_vma(s->mm, start); vma && vma->vm_start < end && !s->full && !err;
	     vma = vma_next(vma))
		err = scan_vma(s, vma, vma->vm_start > start ? vma->vm_start : start,
		               vma->vm_end < end ? vma->vm_end : end);
	mmap_read_unlock(s->mm);
	return err;
}

/* ---- the call ---- */

static int check_arg(struct mmk_pagemap_scan *a)
{
	a->start = untagged_addr(a->start);
	a->end = untagged_addr(a->end);
	a->vec = untagged_addr(a->vec);
	if (a->size != sizeof(*a) || (a->flags & ~(uint64_t)ALL_FLAGS))
		return -MMK_EINVAL;
	if ((a->category_inverted | a->category_mask | a->category_anyof_mask | a->return_mask) &
	    ~ALL_CATEGORIES)
		return -MMK_EINVAL;
	if (a->start & ~PAGE_MASK)
		return -MMK_EINVAL;
	if (a->start > TASK_SIZE || a->end - a->start > TASK_SIZE - a->start)
		return -MMK_EFAULT;
	if (!a->vec && a->vec_len)
		return -MMK_EINVAL;
	if (a->vec && (a->vec > TASK_SIZE ||
	               a->vec_len > (TASK_SIZE - a->vec) / sizeof(struct mmk_page_region)))
		return -MMK_EFAULT;
	a->end = PAGE_ALIGN(a->end);
	a->walk_end = 0;
	if (!a->max_pages)
		a->max_pages = ~0ull;
	return 0;
}

/* What has been gathered goes to the caller. 0 or -EFAULT. */
static int scan_flush(struct scan *s)
{
	const struct mmk_system *sys = s->mm->sys;
	uint64_t at = s->arg.vec + s->told * sizeof(struct mmk_page_region);
	int err = 0;

	if (s->n)
		err = sys->port->copy_to_user(sys->ctx, s->task, at, s->out,
		                              s->n * sizeof(struct mmk_page_region));
	s->told += s->n;
	s->n = 0;
	return err ? -MMK_EFAULT : 0;
}

static int scan_all(struct scan *s)
{
	unsigned long at = s->arg.start;
	int err = 0;

	while (at < s->arg.end && !err) {
		uint64_t left = s->arg.vec_len - s->told;
		int flush;

		s->room = left < SCAN_BATCH ? left : SCAN_BATCH;
		s->full = false;
		err = scan_range(s, at, s->arg.end);
		flush = scan_flush(s);
		if (flush)
			err = flush;
		if (!s->full || s->told == s->arg.vec_len || s->pages == s->arg.max_pages)
			break;
		at = s->arg.walk_end;
	}
	if (!s->arg.walk_end)
		s->arg.walk_end = s->arg.end;
	return err;
}

long mmk_proc_pagemap_scan(struct mmk_task *task, struct mmk_mm *mm, unsigned long uarg)
{
	const struct mmk_port *port = mm->sys->port;
	struct scan s = {.task = task, .mm = mm};
	struct page *page;
	int err;

	if (port->copy_from_user(mm->sys->ctx, task, &s.arg, uarg, sizeof(s.arg)))
		return -MMK_EFAULT;
	err = check_arg(&s.arg);
	if (err)
		return err;
	page = alloc_pages(mm->sys, 0, PAGE_KERNEL);
	if (!page)
		return -MMK_ENOMEM;
	s.out = page_address(mm->sys, page);
	err = scan_all(&s);
	free_pages(mm->sys, page);
	if (port->copy_to_user(mm->sys->ctx, task, uarg, &s.arg, sizeof(s.arg)))
		return -MMK_EFAULT;
	return err ? err : (long)s.told;
}
