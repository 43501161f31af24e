/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing another address space, as ptrace(2) and /proc/PID/mem do: fault the page in
 * as its owner would, hold it, copy through the linear map. With MMK_ACCESS_FORCE a private page
 * may be written although its VMA is read-only: a copy of its own takes its place, and stays
 * read-only for the owner.
 */
#include "mm/internal.h"
#include "mm/fault.h"
#include "mm/share.h"
#include "mm/vma.h"

static bool access_permitted(const struct vm_area_struct *vma, unsigned flags)
{
	bool force = flags & MMK_ACCESS_FORCE;

	if ((vma->vm_flags & (MMK_VM_IO | MMK_VM_PFNMAP)) || vma_is_secret(vma))
		return false;
	if ((flags & MMK_ACCESS_ANON) && !vma_is_anonymous(vma))
		return false;
	if (flags & MMK_ACCESS_WRITE)
		return (vma->vm_flags & MMK_VM_WRITE) || (force && vma_is_cow(vma));
	return (vma->vm_flags & MMK_VM_READ) || (force && (vma->vm_flags & MMK_VM_MAYREAD));
}

/*
 * Writing through the linear map is right: the entry could be written, or hides a copy of our own.
 */
static bool writable_for(const struct vm_area_struct *vma, pte_t pte, const struct page *page)
{
	if (vma_tracks_soft_dirty(vma) && !pte_soft_dirty(pte))
		return false;
	if (pte_write(pte) && pte_dirty(pte))
		return true;
	return page && vma_is_cow(vma) && page_is_anon(page) && pte_dirty(pte) &&
	       page_test(page, PG_ANON_EXCL);
}

/*
 * The page mapped at addr, held, if the entry allows what is wanted. The zero page needs no hold
 * but gets one: it is never freed. NULL: fault first.
 */
static struct page *mapped_page(struct vm_area_struct *vma, unsigned long addr, bool write)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmk_system *sys = mm->sys;
	struct page *table = table_find_lock(mm, addr), *page = NULL;
	pte_t pte;

	if (!table)
		return NULL;
	pte = ptep_get(table_pte(sys, table, addr));
	if (pte_present(pte) && phys_is_ram(sys, pte_phys(pte)) &&
	    (!write || (table_sharers(table) == 1 &&
			writable_for(vma, pte, pte_counted_page(sys, pte))))) {
		page = phys_to_page(sys, pte_phys(pte));
		get_page(page);
	}
	spin_unlock(&table->ptl);
	return page;
}

static struct page *access_page(struct mmk_task *task, struct vm_area_struct *vma,
				unsigned long addr, unsigned flags)
{
	bool write = flags & MMK_ACCESS_WRITE;
	unsigned fault = FAULT_FLAG_REMOTE | (write ? FAULT_FLAG_WRITE : 0) |
			 (flags & MMK_ACCESS_FORCE ? FAULT_FLAG_FORCE : 0);
	struct page *page;

	while (!(page = mapped_page(vma, addr, write)))
		if (handle_mm_fault(task, vma, addr, fault))
			return NULL;
	return page;
}

/* The bytes of a page have changed behind its mappings. */
static void page_written(struct vm_area_struct *vma, struct page *page)
{
	struct address_space *m = vma->vm_flags & MMK_VM_SHARED ? vma_page_cache(vma) : NULL;
	struct mmk_system *sys = vma->vm_mm->sys;

	page_clear_exec(page);
	if (vma->vm_flags & MMK_VM_EXEC)
		sync_icache_page(sys, page);
	if (!m)
		return;
	lock_page(sys, page);
	if (__atomic_load_n(&page->mapping, __ATOMIC_ACQUIRE) == m)
		set_page_dirty(m, page);
	unlock_page(sys, page);
}

/* Copy within one page. False: it cannot be had. */
static bool access_one(struct mmk_task *task, struct vm_area_struct *vma, unsigned long addr,
		       void *buf, size_t len, unsigned flags)
{
	struct mmk_system *sys = vma->vm_mm->sys;
	struct page *page = access_page(task, vma, addr & PAGE_MASK, flags);
	char *bytes;

	if (!page)
		return false;
	bytes = (char *)page_address(sys, page) + (addr & ~PAGE_MASK);
	if (flags & MMK_ACCESS_WRITE) {
		__builtin_memcpy(bytes, buf, len);
		page_written(vma, page);
	} else {
		__builtin_memcpy(buf, bytes, len);
	}
	put_page(sys, page);
	return true;
}

/* A debugger may look below the stack pointer: the stack grows as for its owner. */
static struct vm_area_struct *access_vma(struct mmk_task *task, struct mm_struct *mm,
					 unsigned long addr, unsigned flags)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	if (!vma || addr >= vma->vm_start)
		return vma;
	if (!(vma->vm_flags & MMK_VM_GROWSDOWN) || (flags & MMK_ACCESS_NOGROW))
		return NULL;
	mmap_read_unlock(mm);
	mmap_write_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && addr < vma->vm_start &&
	    (!(vma->vm_flags & MMK_VM_GROWSDOWN) || expand_stack(task, vma, addr)))
		vma = NULL;
	mmap_write_downgrade(mm);
	return vma;
}

size_t mmk_access_vm(struct mmk_task *task, struct mmk_mm *mm, unsigned long addr, void *buf,
		     size_t len, unsigned flags)
{
	size_t done = 0;

	addr = untagged_addr(addr);
	mmap_read_lock(mm);
	while (done < len && addr < mm->task_size) {
		size_t n = PAGE_SIZE - (addr & ~PAGE_MASK);
		struct vm_area_struct *vma = access_vma(task, mm, addr, flags);

		if (n > len - done)
			n = len - done;
		if (!vma || !access_permitted(vma, flags) ||
		    !access_one(task, vma, addr, (char *)buf + done, n, flags))
			break;
		done += n;
		addr += n;
	}
	mmap_read_unlock(mm);
	return done;
}
