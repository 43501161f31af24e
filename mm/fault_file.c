/* SPDX-License-Identifier: MIT */
/*
 * Faults on pages that come from a file's cache or from a driver.
 *
 *   read             the page itself, and its cached neighbours with it
 *   private write    a copy
 *   shared write     the page itself; its file hears of it first (page_mkwrite), the cache knows
 *                    it as dirty before the entry does. The page lock is held over both, so that
 *                    writeback cannot clean it in between.
 *
 * Against truncation: a page found in the cache may have left it by the time the table is locked.
 * So page->mapping and i_size are looked at again under the table's lock. Truncation takes mappings
 * away after it has cleared page->mapping, so what it did not see here it will find in the table.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/fault.h"

#define MAX_FAULT_AROUND 16u

static bool page_of(const struct address_space *m, const struct page *page, uint64_t index)
{
	return __atomic_load_n(&page->mapping, __ATOMIC_ACQUIRE) == m && page->index == index;
}

static bool page_in_file(const struct address_space *m, const struct page *page, uint64_t index)
{
	return page_of(m, page, index) && index < mapping_pages(m);
}

/* What the cache or a driver says, as a fault sees it. */
static int source_errno(int rc)
{
	return rc == 0 || rc == -MMK_ENOMEM ? rc : -MMK_EIO;
}

/* The page wanted, with a reference. 0, -ENOMEM, -EIO (SIGBUS). May sleep. */
static int fault_get_page(struct vm_fault *f, struct address_space *m, struct page **page)
{
	uint64_t index = linear_page_index(f->vma, f->addr);
	int rc;

	if (m)
		rc = filemap_get_page(m, index, true, page, &f->major);
	else if (f->vma->vm_ops->fault)
		rc = f->vma->vm_ops->fault(f->vma, index, page);
	else
		rc = -MMK_EIO;
	return source_errno(rc);
}

/* ---- read ---- */

/* Pages that may be mapped with the one wanted: their addresses and indexes, and what was found. */
struct around {
	unsigned long start;
	uint64_t first;
	unsigned n, own; /* pages; which of them is the wanted one */
	unsigned held;	 /* references in pages */
	struct page *pages[MAX_FAULT_AROUND];
};

/* An aligned window, within the VMA, the table and the file. */
static void around_window(const struct vm_fault *f, const struct address_space *m, struct around *a)
{
	uint64_t bytes = atomic_load_explicit(&f->sys->fault_around_bytes, memory_order_relaxed);
	unsigned long size = bytes < PAGE_SIZE ? PAGE_SIZE : bytes, end;
	uint64_t file_pages = mapping_pages(m), index = linear_page_index(f->vma, f->addr);

	if (size > MAX_FAULT_AROUND * PAGE_SIZE)
		size = MAX_FAULT_AROUND * PAGE_SIZE;
	a->start = f->addr & ~(size - 1);
	end = a->start + size;
	if (a->start < f->vma->vm_start)
		a->start = f->vma->vm_start;
	if (end > f->vma->vm_end)
		end = f->vma->vm_end;
	a->own = (f->addr - a->start) >> PAGE_SHIFT;
	a->first = index - a->own;
	a->n = (end - a->start) >> PAGE_SHIFT;
	if (file_pages > index && a->first + a->n > file_pages)
		a->n = file_pages - a->first;
}

static void around_put(struct vm_fault *f, struct around *a)
{
	for (unsigned i = 0; a->held && i < a->n; i++) {
		if (!a->pages[i])
			continue;
		put_page(f->sys, a->pages[i]);
		a->held--;
	}
}

/* Fill the window; the wanted page is read if it has to be. */
static int around_get(struct vm_fault *f, struct address_space *m, struct around *a)
{
	struct page *page;
	int rc;

	around_window(f, m, a);
	a->held = filemap_peek_range(m, a->first, a->n, a->pages);
	if (a->pages[a->own])
		return 0;
	around_put(f, a);
	rc = fault_get_page(f, m, &page);
	if (rc)
		return rc;
	/* Reading brought neighbours along. */
	a->held = filemap_peek_range(m, a->first, a->n, a->pages);
	if (a->pages[a->own]) {
		put_page(f->sys, page);
	} else {
		a->pages[a->own] = page;
		a->held++;
	}
	return 0;
}

/* Map what is there and still in the file; what was mapped leaves a->pages. Returns how many. */
static unsigned around_install(struct vm_fault *f, struct address_space *m, struct around *a)
{
	struct mmk_system *sys = f->sys;
	pte_t *ptep = f->ptep - a->own;
	pgprot_t prot = vma_entry_prot(f->vma);
	uint64_t index = a->first, file_pages = mapping_pages(m);
	bool exec = pte_user_exec(pte_make(0, prot));
	unsigned done = 0, n = a->n;

	if (index + n > file_pages)
		n = index < file_pages ? (unsigned)(file_pages - index) : 0;
	for (unsigned i = 0; i < n; i++, index++) {
		struct page *page = a->pages[i];

		if (!page || !pte_none(ptep_get_locked(ptep + i)) || !page_of(m, page, index))
			continue;
		if (unlikely(exec))
			sync_icache_page(sys, page);
		page_map_add(page);
		set_pte_raw(sys, ptep + i, pte_make(page_to_phys(sys, page), prot), LAST_LEVEL);
		a->pages[i] = NULL;
		done++;
	}
	a->held -= done;
	table_use(f->table, done);
	return done;
}

static int fault_file_read(struct vm_fault *f, struct address_space *m)
{
	struct around a;
	enum rss_kind kind;
	unsigned done;
	int rc = around_get(f, m, &a);

	if (rc)
		return rc;
	kind = page_rss_kind(a.pages[a.own]);
	spin_lock(f->sys, &f->table->ptl);
	done = around_install(f, m, &a);
	rc = pte_none(ptep_get(f->ptep)) ? FAULT_RETRY : 0;
	spin_unlock(&f->table->ptl);
	if (done) {
		pte_barrier(f->sys);
		count_events(f->sys, pte_writes, done);
		mm_rss_add(f->mm, kind, done);
	}
	around_put(f, &a);
	if (!rc)
		stat_inc(f->sys, faults_file_read);
	return rc;
}

/* A driver's page: itself and nothing else. */
static int fault_driver_map(struct vm_fault *f)
{
	struct page *page;
	pte_t pte;
	int rc = fault_get_page(f, NULL, &page);

	if (rc)
		return rc;
	pte = fault_pte(f, page);
	if (f->flags & FAULT_FLAG_WRITE)
		pte = fault_mkwrite(f, pte);
	if (!fault_lock(f)) {
		put_page(f->sys, page);
		return FAULT_RETRY;
	}
	stat_inc(f->sys, faults_file_read);
	fault_install(f, page, pte);
	return 0;
}

/* ---- private write ---- */

static int fault_file_private(struct vm_fault *f, struct address_space *m)
{
	struct page *page, *copy;
	int rc;

	if (!vma_anon_vma(f->vma) && anon_vma_prepare(f->vma))
		return -MMK_ENOMEM;
	rc = fault_get_page(f, m, &page);
	if (rc)
		return rc;
	copy = fault_anon_page(f);
	if (!copy) {
		put_page(f->sys, page);
		return -MMK_ENOMEM;
	}
	copy_page(page_address(f->sys, copy), page_address(f->sys, page));
	rc = FAULT_RETRY;
	if (fault_lock(f)) {
		if (!m || page_in_file(m, page, linear_page_index(f->vma, f->addr))) {
			stat_inc(f->sys, faults_file_private);
			fault_install(f, copy, fault_mkwrite(f, fault_pte(f, copy)));
			rc = 0;
		} else {
			spin_unlock(&f->table->ptl);
		}
	}
	if (rc)
		free_pages(f->sys, copy);
	put_page(f->sys, page);
	return rc;
}

/* ---- shared write ---- */

/*
 * Make the page ready to be written through a mapping: locked, still in the file, its home told,
 * dirty. 0 with the page locked; FAULT_RETRY when it has left the file; -EIO, -ENOMEM.
 */
static int page_prepare_write(struct vm_fault *f, struct address_space *m, struct page *page)
{
	uint64_t index = linear_page_index(f->vma, f->addr);
	int rc = 0;

	lock_page(f->sys, page);
	if (!page_in_file(m, page, index))
		rc = FAULT_RETRY;
	else if (m->ops && m->ops->page_mkwrite && vma_wants_writenotify(f->vma))
		rc = source_errno(m->ops->page_mkwrite(m, index));
	if (rc) {
		unlock_page(f->sys, page);
		return rc;
	}
	page_clear_exec(page);
	set_page_dirty(m, page);
	return 0;
}

static int fault_file_shared(struct vm_fault *f, struct address_space *m)
{
	struct page *page;
	int rc = fault_get_page(f, m, &page);

	if (rc)
		return rc;
	rc = page_prepare_write(f, m, page);
	if (rc) {
		put_page(f->sys, page);
		return rc;
	}
	if (fault_lock(f)) {
		stat_inc(f->sys, faults_file_shared);
		fault_install(f, page, fault_mkwrite(f, fault_pte(f, page)));
		unlock_page(f->sys, page);
		if (mapping_has_home(m))
			balance_dirty_pages(f->sys);
		return 0;
	}
	unlock_page(f->sys, page);
	put_page(f->sys, page);
	return FAULT_RETRY;
}

/* The mapped page gets its right to be written. Only rights are added, so no break is needed. */
static int fault_allow_write(struct vm_fault *f)
{
	if (!fault_lock(f))
		return FAULT_RETRY;
	set_pte(f->sys, f->ptep, fault_mkwrite(f, pte_mkyoung(f->orig)));
	flush_tlb_page(f->mm, f->addr);
	spin_unlock(&f->table->ptl);
	stat_inc(f->sys, faults_file_shared);
	return 0;
}

int fault_shared(struct vm_fault *f)
{
	struct address_space *m = vma_page_cache(f->vma);
	struct page *page = pte_counted_page(f->sys, f->orig);
	int rc;

	if (!m || !page)
		return fault_allow_write(f);
	if (!fault_lock(f))
		return FAULT_RETRY;
	get_page(page);
	spin_unlock(&f->table->ptl);
	rc = page_prepare_write(f, m, page);
	if (!rc) {
		rc = fault_allow_write(f);
		unlock_page(f->sys, page);
		if (mapping_has_home(m))
			balance_dirty_pages(f->sys);
	} else if (rc == FAULT_RETRY) {
		/* Truncated. Do not wait for its unmapping, which may be far away. */
		zap_page_range(f->vma, f->addr, f->addr + PAGE_SIZE, true);
	}
	put_page(f->sys, page);
	return rc;
}

int fault_file(struct vm_fault *f)
{
	struct address_space *m = vma_page_cache(f->vma);

	if (unlikely(__atomic_load_n(&f->mm->reaped, __ATOMIC_RELAXED)))
		return -MMK_EIO;
	if (fault_table(f))
		return -MMK_ENOMEM;
	if (f->flags & FAULT_FLAG_WRITE) {
		if (!(f->vma->vm_flags & MMK_VM_SHARED))
			return fault_file_private(f, m);
		return m ? fault_file_shared(f, m) : fault_driver_map(f);
	}
	return m ? fault_file_read(f, m) : fault_driver_map(f);
}
