/* SPDX-License-Identifier: MIT */
/*
 * One page fault on its way through its stages.
 *
 *   fault_lookup    the entry as it is now, read without a lock
 *   fault_anon      nothing there, anonymous memory: zero page, or a frame of its own
 *   fault_file      nothing there, a file's or a driver's: map it, copy it, or write to it
 *   fault_cow       a private page that may not be written yet: take it over or copy it
 *   fault_shared    a shared page that may not be written yet: tell its file
 *   fault_install   the entry changes, if it still is what the lookup saw
 *
 * Each stage prepares all that can fail or sleep first, then locks the table, compares, and
 * commits. A stage that finds the entry changed returns FAULT_RETRY and the one loop in
 * handle_mm_fault() begins again.
 */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include "mm/memory.h"

#define FAULT_RETRY 1
#define FAULT_WAIT  2 /* FAULT_FLAG_NOWAIT: to be done with mmap_lock held */
#define FAULT_COUNTED 3 /* 0, and in all figures */

struct vm_fault {
	struct mmk_task *task;
	struct mmk_system *sys;
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned long addr; /* of the page */
	unsigned flags;	    /* FAULT_FLAG_* */
	struct page *table; /* last-level table of addr, NULL until one exists */
	pte_t *ptep;
	pte_t orig; /* what fault_lookup saw */
	uint32_t seq; /* mm->seq when the VMA was found */
	bool major; /* something was read */
};

/*
 * The VMA is still as it was found, when mm->seq was seq. Under the table's lock: who changes it from
 * here on finds in the table what is put there now.
 */
static inline bool mm_seq_holds(const struct mm_struct *mm, uint32_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return load_relaxed(&mm->seq) == seq;
}

static inline bool fault_seq_holds(const struct vm_fault *f)
{
	return mm_seq_holds(f->mm, f->seq);
}

/*
 * The table exists and its lock is held: true; false with nothing held when the entry has changed,
 * or the VMA may have. What was read of it before is complete before the look at mm->seq.
 */
static inline bool fault_lock_entry(const struct mm_struct *mm, struct page *table, pte_t *ptep,
				    pte_t orig, uint32_t seq)
{
	spin_lock(mm->sys, &table->ptl);
	if (likely(pte_same(ptep_get_locked(ptep), orig) && mm_seq_holds(mm, seq)))
		return true;
	spin_unlock(&table->ptl);
	return false;
}

static inline bool fault_lock(struct vm_fault *f)
{
	return fault_lock_entry(f->mm, f->table, f->ptep, f->orig, f->seq);
}

/* Make the table where it was missing, or others have it too. 0, -ENOMEM, FAULT_WAIT, FAULT_RETRY. */
int fault_table_make(struct vm_fault *f);
static inline int fault_table(struct vm_fault *f)
{
	return likely(f->table != NULL) ? 0 : fault_table_make(f);
}

/*
 * The entry becomes pte, for `page` (NULL: not counted), whose reference goes to the entry.
 * fault_lock() holds and is undone. Replacing a valid entry is the caller's to break first.
 */
void fault_install(struct vm_fault *f, struct page *page, pte_t pte);
/* The entry for a page of the VMA, executable bytes synced. */
static inline pte_t fault_pte(struct vm_fault *f, struct page *page)
{
	pte_t pte = pte_make(page_to_phys(f->sys, page), vma_entry_prot(f->vma));

	if (unlikely(pte_user_exec(pte)))
		sync_icache_page(f->sys, page);
	return pte;
}

/* Dirty, and writable where the VMA allows it (a debugger's write may find that it does not). */
static inline pte_t vma_mkwrite(const struct vm_area_struct *vma, pte_t pte)
{
	return vma->vm_flags & MMK_VM_WRITE ? pte_mkwrite(pte_mkdirty(pte)) : pte_mkdirty(pte);
}

static inline pte_t fault_mkwrite(const struct vm_fault *f, pte_t pte)
{
	return vma_mkwrite(f->vma, pte);
}

/*
 * A new anonymous page of the VMA: refcount 1, mapped by none; contents are the caller's. Or NULL.
 */
struct page *fault_anon_page(struct vm_fault *f);
/* It was NULL: what a fault with these flags answers. */
static inline int fault_no_page(unsigned flags)
{
	return flags & FAULT_FLAG_NOWAIT ? FAULT_WAIT : -MMK_ENOMEM;
}

/* Its memory has gone ahead of it (mmk_mm_reap). */
static inline bool mm_is_reaped(const struct mm_struct *mm)
{
	return load_relaxed(&mm->flags) & MMF_REAPED;
}

/*
 * The first touch of anonymous memory, in a table of the mm alone: FAULT_COUNTED, FAULT_RETRY, or what
 * fault_no_page() answers. What it needs is passed one by one, so that it stays in registers.
 */
int anon_touch(struct mm_struct *mm, struct vm_area_struct *vma, struct page *table, pte_t *ptep,
	       unsigned flags, uint32_t seq);
/*
 * The same for writing, of up to n pages whose entries follow each other, in one go: how many. Fewer where
 * something is there already, and where frames are not at hand. mmap_lock held.
 */
unsigned long anon_touch_run(struct vm_area_struct *vma, struct page *table, pte_t *ptep,
			     unsigned long n);
int fault_anon(struct vm_fault *f); /* anon_touch() for who may have to make the table first */
int fault_cow(struct vm_fault *f);
int fault_file(struct vm_fault *f);
int fault_shared(struct vm_fault *f);
/*
 * Map pages [f->addr, end) of the VMA, up to the end of the table, where they are in the cache and not
 * mapped yet. How many, if that was all of them; else 0.
 */
unsigned populate_cached(struct vm_fault *f, unsigned long end);

#endif
