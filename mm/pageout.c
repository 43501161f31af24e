/* SPDX-License-Identifier: MIT */
/*
 * madvise(MADV_COLD, MADV_PAGEOUT, MADV_REMOVE): pages that are not wanted soon, or no more.
 *
 * There is no swap: anonymous memory and shared memory stay, but for what has been freed lazily. A
 * page of a file that nobody else maps goes back to it; for that the program must be one that could
 * write the file, or others could be made to wait for its pages.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/lazyfree.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"

/* The page of m that this entry maps alone, or NULL. */
static struct page *sole_file_page(const struct address_space *m, pte_t pte)
{
	struct page *page = pte_page_or_null(m->sys, pte);

	if (!page || page_is_anon(page) || page->mapping != m)
		return NULL;
	return atomic_load_explicit(&page->mapcount, memory_order_relaxed) == 1 ? page : NULL;
}

/*
 * The next page of m in [*addr, end) that is mapped there and nowhere else, with a reference; *addr
 * moves behind it. NULL at the end.
 */
static struct page *next_file_page(struct mm_struct *mm, const struct address_space *m,
                                   unsigned long *addr, unsigned long end)
{
	struct page *table, *page = NULL;

	while (!page && (table = table_next_lock(mm, addr, end))) {
		unsigned long stop = table_end(*addr, end);
		pte_t *ptep = table_pte(mm->sys, table, *addr);

		for (; *addr < stop && !page; *addr += PAGE_SIZE)
			page = sole_file_page(m, ptep_get(ptep++));
		if (page)
			get_page(page);
		spin_unlock(&table->ptl);
	}
	return page;
}

static int check_lru(struct mmk_task *task, const struct vm_area_struct *vma, int advice)
{
	if (vma->vm_flags & MMK_VM_PFNMAP)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_SPECIAL, vma->vm_start, advice);
	if (vma->vm_flags & MMK_VM_LOCKED)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_LOCKED, vma->vm_start, 0);
	return 0;
}

/* The cache behind the VMA, if its pages can go home. */
static struct address_space *home_cache(const struct vm_area_struct *vma)
{
	struct address_space *m = vma_page_cache(vma);

	return m && mapping_has_home(m) ? m : NULL;
}

int madvise_cold(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                 unsigned long end)
{
	struct address_space *m = home_cache(vma);
	int err = check_lru(task, vma, MMK_MADV_COLD);
	struct page *page;

	if (err || !m)
		return err;
	/* The clock of reclaim.c takes them when it comes by, and does not spare them once. */
	while ((page = next_file_page(vma->vm_mm, m, &start, end))) {
		page_clear(page, PG_REFERENCED);
		page_mkold(m, page);
		put_page(m->sys, page);
	}
	return 0;
}

static bool may_page_out(struct mmk_task *task, const struct vm_area_struct *vma)
{
	return (vma->vm_file->f_mode & MMK_FMODE_WRITE) ||
	       task_capable(vma->vm_mm->sys, task, MMK_CAP_SYS_ADMIN);
}

int madvise_pageout(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                    unsigned long end)
{
	struct address_space *m = home_cache(vma);
	int err = check_lru(task, vma, MMK_MADV_PAGEOUT);
	struct page *page;

	if (err)
		return err;
	lazyfree_take_range(vma, start, end);
	if (!m || !may_page_out(task, vma))
		return 0;
	while ((page = next_file_page(vma->vm_mm, m, &start, end)))
		reclaim_page(m->sys, page);
	return 0;
}

/*
 * A hole in the object behind the mapping. The file may want locks that come before mmap_lock, so
 * that is dropped meanwhile: whoever goes on looks the next VMA up by its address.
 */
int madvise_remove(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                   unsigned long end)
{
	const uint64_t both = MMK_VM_SHARED | MMK_VM_MAYWRITE;
	struct mm_struct *mm = vma->vm_mm;
	struct file *file = vma->vm_file;
	uint64_t off = linear_page_index(vma, start) << PAGE_SHIFT;
	int err = -MMK_EOPNOTSUPP;

	if (vma->vm_flags & MMK_VM_LOCKED)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_LOCKED, vma->vm_start, 0);
	if (!file)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADVICE_NO_FILE, vma->vm_start, 0);
	if ((vma->vm_flags & both) != both)
		return refuse(task, -MMK_EACCES, MMK_REASON_ADVICE_NOT_SHARED, vma->vm_start, 0);
	get_vma_file(mm->sys, file);
	mmap_read_unlock(mm);
	if (file->f_op->fallocate)
		err = file->f_op->fallocate(
		    file, MMK_FALLOC_FL_PUNCH_HOLE | MMK_FALLOC_FL_KEEP_SIZE, off, end - start);
	put_vma_file(mm->sys, file);
	mmap_read_lock(mm);
	return err ? refuse(task, err, MMK_REASON_REMOVE_FAILED, -err, 0) : 0;
}
