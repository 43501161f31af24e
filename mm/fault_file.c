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
 *
 * Without mmap_lock (FAULT_FLAG_NOWAIT; fault.c keeps the file alive meanwhile) the same stages go as
 * far as the cache has the page, or a hole gets one, and nobody is to be waited for. They find it
 * without i_pages_lock too:
 * nodes of the index are freed after such looks, and a frame's reference is taken only if it has one.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/fault.h"

static bool page_in_file(const struct address_space *m, const struct page *page, uint64_t index)
{
	return page_of(m, page, index) && index < mapping_pages(m);
}

/* What the cache or a driver says, as a fault sees it. */
static int source_errno(int rc)
{
	return rc == 0 || rc == -MMK_ENOMEM ? rc : -MMK_EIO;
}

/* The page of the cache, with a reference, without sleeping. 0 or FAULT_WAIT. */
static int look_for_page(struct address_space *m, uint64_t index, struct page **page)
{
	if (unlikely(index >= mapping_pages(m)))
		return FAULT_WAIT;
	*page = filemap_look(m, index);
	if (!*page)
		*page = filemap_make_nowait(m, index);
	return likely(*page) ? 0 : FAULT_WAIT;
}

static inline enum rss_kind mapping_rss_kind(const struct address_space *m)
{
	return m->flags & MMK_MAPPING_SHMEM ? RSS_SHMEM : RSS_FILE;
}

/* The page wanted, with a reference. 0, -ENOMEM, -EIO (SIGBUS), FAULT_WAIT. May sleep. */
static int fault_get_page(struct vm_fault *f, struct address_space *m, struct page **page)
{
	uint64_t index = linear_page_index(f->vma, f->addr);
	int rc;

	if (likely(f->flags & FAULT_FLAG_NOWAIT))
		return look_for_page(m, index, page);
	if (m)
		rc = filemap_get_page(m, index, true, page, &f->major);
	else if (f->vma->vm_ops->fault)
		rc = f->vma->vm_ops->fault(f->vma, index, page);
	else
		rc = -MMK_EIO;
	return source_errno(rc);
}

/* ---- read ---- */

/*
 * Pages that may be mapped with the one wanted, and what with: all that is to be known of the VMA, so
 * that nothing is asked of it any more once its table is locked (fault_lock).
 */
struct around {
	uint64_t first;	 /* index in the file */
	unsigned n, own; /* pages; which of them is the wanted one */
	unsigned mapped; /* map_around: so many have been mapped */
	pgprot_t prot;
};

/* [start, end), which holds f->addr and lies within its table, as far as it lies within the VMA. */
static inline void around_range(const struct vm_fault *f, unsigned long start, unsigned long end,
				struct around *a)
{
	const struct vm_area_struct *vma = f->vma;

	if (start < vma->vm_start)
		start = vma->vm_start;
	if (end > vma->vm_end)
		end = vma->vm_end;
	a->own = (unsigned)((f->addr - start) >> PAGE_SHIFT);
	a->n = (unsigned)((end - start) >> PAGE_SHIFT);
	a->first = linear_page_index(vma, start);
	a->prot = vma_entry_prot(vma);
}

/* The aligned window of fault_around_bytes, as many pages as it has. */
static inline void around_window(const struct vm_fault *f, struct around *a)
{
	unsigned long size = atomic_load_explicit(&f->sys->fault_around_bytes, memory_order_relaxed);
	unsigned long start;

	_Static_assert(MAX_FAULT_AROUND <= TABLE_SIZE, "what is mapped at once lies in one table");
	size &= PAGE_MASK;
	if (unlikely(!size))
		size = PAGE_SIZE;
	start = f->addr & ~(size - 1);
	around_range(f, start, start + size, a);
}

/* A page that is to be executed, and is not known to be in step with the instruction cache. */
static __attribute__((noinline)) bool get_exec_page(struct address_space *m, struct page *page,
						    uint64_t index)
{
	if (!cache_page_get(m, page, index, PG_UPTODATE))
		return false;
	sync_icache_page(m->sys, page);
	return true;
}

/*
 * Map what the cache has of it, where nothing is yet; how many. The table is locked, and i_pages_lock
 * held or a look begun.
 */
static __attribute__((noinline)) unsigned map_cached(struct vm_fault *f, struct address_space *m,
						     const struct around *a)
{
	const uintptr_t frame_zero = f->sys->frame_zero;
	const pgprot_t prot = a->prot;
	const bool exec = pte_user_exec(pte_make(0, prot));
	const uint32_t flags = exec ? PG_UPTODATE | PG_EXEC_CLEAN : PG_UPTODATE;
	uint64_t index = a->first, end = index + a->n, pages = mapping_pages(m), used;
	pte_t *first = f->ptep - a->own;
	void *const *slots;
	unsigned done = 0, step;

	if (end > pages)
		end = pages;
	for (; index < end; index += step, first += step) {
		step = radix_window(&m->i_pages, index, (unsigned)(end - index), &slots, &used);
		formed_once(slots);
		for (; used; used &= used - 1) {
			unsigned i = (unsigned)__builtin_ctzll(used);
			pte_t *ptep = first + i;
			struct page *page;

			if (unlikely(!pte_none(ptep_get_locked(ptep))))
				continue;
			page = slot_get(slots + i);
			if (unlikely(!page))
				continue;
			if (unlikely(!cache_page_get(m, page, index + i, flags) &&
				     !(exec && get_exec_page(m, page, index + i))))
				continue;
			page_map_add(page);
			set_pte_raw(f->sys, ptep,
				    pte_make(page_to_phys_from(frame_zero, page), prot), LAST_LEVEL);
			done++;
		}
	}
	return done;
}

/* 0: f->addr is mapped; FAULT_WAIT: its page is not in the cache; FAULT_RETRY: the VMA may differ. */
static inline __attribute__((always_inline)) int
map_around(struct vm_fault *f, struct address_space *m, struct around *a, bool look)
{
	struct page *table = f->table;
	unsigned done = 0;
	int rc = FAULT_RETRY;

	if (!look)
		i_pages_lock(m);
	spin_lock(f->sys, &table->ptl);
	if (likely(fault_seq_holds(f))) {
		done = map_cached(f, m, a);
		table_use(table, (int)done);
		rc = unlikely(pte_none(ptep_get_locked(f->ptep))) ? FAULT_WAIT : 0;
	}
	spin_unlock(&table->ptl);
	if (!look)
		i_pages_unlock(m);
	a->mapped = done;
	if (likely(done)) {
		pte_barrier(f->sys);
		count_events(f->sys, pte_writes, done);
		mm_rss_add(f->mm, mapping_rss_kind(m), done);
	}
	return rc;
}

static __attribute__((noinline)) int map_around_any(struct vm_fault *f, struct address_space *m,
						    struct around *a)
{
	return map_around(f, m, a, f->flags & FAULT_FLAG_NOWAIT);
}

/*
 * With mmap_lock held, or where the page is not in the cache yet. While we hold it nothing but
 * truncation takes it away again; what reading it has brought along is mapped with it.
 */
static __attribute__((noinline)) int map_slowly(struct vm_fault *f, struct address_space *m,
						struct around *a)
{
	struct page *page;
	int rc = f->flags & FAULT_FLAG_NOWAIT ? FAULT_WAIT : map_around_any(f, m, a);

	if (rc != FAULT_WAIT)
		return rc;
	rc = fault_get_page(f, m, &page);
	if (rc)
		return rc;
	rc = map_around_any(f, m, a);
	put_page(f->sys, page);
	return rc == FAULT_WAIT ? FAULT_RETRY : rc;
}

/* Both figures of a read that has been done. What else there is to count of a major one is the caller's. */
static inline int count_file_read(struct vm_fault *f)
{
	const unsigned cpu = system_cpu(f->sys);

	__atomic_fetch_add(&f->sys->cpus[cpu].count.faults_file_read, 1, __ATOMIC_RELAXED);
	if (unlikely(f->major))
		return 0;
	atomic_fetch_add_explicit(&f->mm->counts[cpu].min_flt, 1, memory_order_relaxed);
	return FAULT_COUNTED;
}

static inline int fault_file_read(struct vm_fault *f, struct address_space *m)
{
	struct around a, copy;
	int rc = FAULT_WAIT;

	around_window(f, &a);
	if (likely(f->flags & FAULT_FLAG_NOWAIT))
		rc = map_around(f, m, &a, true);
	/* A copy, so that compilers keep the other in registers. */
	if (unlikely(rc == FAULT_WAIT)) {
		copy = a;
		rc = map_slowly(f, m, &copy);
	}
	return likely(!rc) ? count_file_read(f) : rc;
}

/* A driver's page: itself and nothing else. Of a frame that is not ours to count no count is kept. */
static int fault_driver_map(struct vm_fault *f)
{
	struct page *page;
	pte_t pte;
	int rc = fault_get_page(f, NULL, &page);

	if (rc)
		return rc;
	pte = fault_pte(f, page);
	if (f->vma->vm_flags & MMK_VM_PFNMAP)
		pte = pte_mkspecial(pte);
	if (f->flags & FAULT_FLAG_WRITE)
		pte = fault_mkwrite(f, pte);
	if (!fault_lock(f)) {
		put_page(f->sys, page);
		return FAULT_RETRY;
	}
	stat_inc_rare(f->sys, faults_file_read);
	if (pte_special(pte)) {
		fault_install(f, NULL, pte);
		put_page(f->sys, page);
		return 0;
	}
	fault_install(f, page, pte);
	return 0;
}

/* ---- private write ---- */

static int fault_file_private(struct vm_fault *f, struct address_space *m)
{
	struct page *page, *copy;
	pte_t pte;
	int rc;

	anon_vma_prepare(f->vma, f->seq);
	rc = fault_get_page(f, m, &page);
	if (rc)
		return rc;
	copy = fault_anon_page(f);
	if (unlikely(!copy)) {
		put_page(f->sys, page);
		return fault_no_page(f->flags);
	}
	copy_page(page_address(f->sys, copy), page_address(f->sys, page));
	pte = fault_mkwrite(f, fault_pte(f, copy));
	rc = FAULT_RETRY;
	if (likely(fault_lock(f))) {
		if (likely(!m || page_in_file(m, page, linear_page_index(f->vma, f->addr)))) {
			stat_inc(f->sys, faults_file_private);
			fault_install(f, copy, pte);
			rc = 0;
		} else {
			spin_unlock(&f->table->ptl);
		}
	}
	if (unlikely(rc))
		free_pages(f->sys, copy);
	put_page(f->sys, page);
	return rc;
}

/* ---- shared write ---- */

/* The page's lock. 0 or FAULT_WAIT. */
static int lock_for_write(struct vm_fault *f, struct page *page)
{
	if (!(f->flags & FAULT_FLAG_NOWAIT)) {
		lock_page(f->sys, page);
		return 0;
	}
	/* Who has made so many pages dirty that some must be written first has to sleep for it. */
	return !dirty_too_many(f->sys) && trylock_page(page) ? 0 : FAULT_WAIT;
}

/* Its home is to be told that the page is written to: 0, -EIO, -ENOMEM, FAULT_WAIT. */
static int tell_home(struct vm_fault *f, struct address_space *m, uint64_t index)
{
	if (!m->ops->page_mkwrite || !vma_wants_writenotify(f->vma))
		return 0;
	if (f->flags & FAULT_FLAG_NOWAIT)
		return FAULT_WAIT;
	return source_errno(m->ops->page_mkwrite(m, index));
}

/*
 * Make the page ready to be written through a mapping: locked, still in the file, its home told,
 * dirty. 0 with the page locked; FAULT_RETRY when it has left the file; -EIO, -ENOMEM, FAULT_WAIT.
 */
static int page_prepare_write(struct vm_fault *f, struct address_space *m, struct page *page)
{
	uint64_t index = linear_page_index(f->vma, f->addr);
	int rc = lock_for_write(f, page);

	if (rc)
		return rc;
	rc = page_in_file(m, page, index) ? tell_home(f, m, index) : FAULT_RETRY;
	if (rc) {
		unlock_page(f->sys, page);
		return rc;
	}
	page_clear_exec(page);
	set_page_dirty(m, page);
	return 0;
}

/* The page, locked, is dirty and can be written: let go of it. */
static void let_go_written(struct vm_fault *f, struct page *page)
{
	unlock_page(f->sys, page);
	if (!(f->flags & FAULT_FLAG_NOWAIT))
		balance_dirty_pages(f->sys);
}

/* A page that has a home to be written back to. Our reference becomes the entry's, or goes. */
static __attribute__((noinline)) int share_home_page(struct vm_fault *f, struct address_space *m,
						     struct page *page)
{
	int rc = page_prepare_write(f, m, page);
	pte_t pte;

	if (!rc) {
		pte = fault_mkwrite(f, fault_pte(f, page));
		if (fault_lock(f)) {
			stat_inc(f->sys, faults_file_shared);
			fault_install(f, page, pte);
			let_go_written(f, page);
			return 0;
		}
		unlock_page(f->sys, page);
		rc = FAULT_RETRY;
	}
	put_page(f->sys, page);
	return rc;
}

/* A page without a home is about to be written to. */
static inline void mark_written(struct page *page)
{
	uint32_t flags = atomic_load_explicit(&page->flags, memory_order_relaxed);

	if (unlikely(flags & PG_EXEC_CLEAN))
		page_clear(page, PG_EXEC_CLEAN);
	if (unlikely(!(flags & PG_WRITTEN)))
		page_set(page, PG_WRITTEN);
}

/* One that has none: nobody cleans it, so its lock says nothing, nor do writes want to be told. */
static inline int share_homeless_page(struct vm_fault *f, struct address_space *m, struct page *page)
{
	uint64_t index = linear_page_index(f->vma, f->addr);
	pte_t pte = pte_make(page_to_phys(f->sys, page), vm_get_page_prot(f->vma->vm_flags));

	if (unlikely(pte_user_exec(pte)))
		sync_icache_page(f->sys, page);
	pte = fault_mkwrite(f, pte);
	mark_written(page);
	if (likely(fault_lock(f))) {
		if (likely(page_in_file(m, page, index))) {
			table_use(f->table, 1);
			page_map_add(page);
			set_pte(f->sys, f->ptep, pte);
			mm_rss_add(f->mm, mapping_rss_kind(m), 1);
			spin_unlock(&f->table->ptl);
			pte_barrier(f->sys);
			stat_inc(f->sys, faults_file_shared);
			return 0;
		}
		spin_unlock(&f->table->ptl);
	}
	put_page(f->sys, page);
	return FAULT_RETRY;
}

static int fault_file_shared(struct vm_fault *f, struct address_space *m)
{
	struct page *page;
	int rc = fault_get_page(f, m, &page);

	if (rc)
		return rc;
	return mapping_has_home(m) ? share_home_page(f, m, page) : share_homeless_page(f, m, page);
}

/*
 * The mapped page gets its right to be written. Only rights are added, so no break is needed. mark: a
 * page that nobody cleans, and is dirty from here on; or NULL.
 */
static int fault_allow_write(struct vm_fault *f, struct page *mark)
{
	pte_t pte = fault_mkwrite(f, pte_mkyoung(f->orig));

	if (!fault_lock(f))
		return FAULT_RETRY;
	if (mark)
		mark_written(mark);
	set_pte(f->sys, f->ptep, pte);
	flush_tlb_page(f->mm, f->addr);
	spin_unlock(&f->table->ptl);
	stat_inc(f->sys, faults_file_shared);
	return 0;
}

/* The page has a home, is mapped, and held by us. */
static int allow_write_home(struct vm_fault *f, struct address_space *m, struct page *page)
{
	int rc = page_prepare_write(f, m, page);

	if (!rc) {
		rc = fault_allow_write(f, NULL);
		let_go_written(f, page);
	} else if (rc == FAULT_RETRY) {
		/* Truncated. Do not wait for its unmapping, which may be far away. */
		if (f->flags & FAULT_FLAG_NOWAIT)
			return FAULT_WAIT;
		zap_page_range(f->vma, f->addr, f->addr + PAGE_SIZE, ZAP_EVEN_COWS);
	}
	return rc;
}

int fault_shared(struct vm_fault *f)
{
	struct address_space *m = vma_page_cache(f->vma);
	struct page *page = pte_counted_page(f->sys, f->orig);
	int rc;

	if (!m || !page)
		return fault_allow_write(f, NULL);
	/* What truncation has taken from it is written as if before: the entry goes as well. */
	if (!mapping_has_home(m))
		return fault_allow_write(f, page);
	if (!fault_lock(f))
		return FAULT_RETRY;
	get_page(page);
	spin_unlock(&f->table->ptl);
	rc = allow_write_home(f, m, page);
	put_page(f->sys, page);
	return rc;
}

int fault_file(struct vm_fault *f)
{
	struct address_space *m = vma_page_cache(f->vma);
	int rc;

	if (unlikely(!m) && (f->flags & FAULT_FLAG_NOWAIT))
		return FAULT_WAIT;
	if (unlikely(mm_is_reaped(f->mm)))
		return -MMK_EIO;
	rc = fault_table(f);
	if (unlikely(rc))
		return rc;
	if (f->flags & FAULT_FLAG_WRITE) {
		if (!(f->vma->vm_flags & MMK_VM_SHARED))
			return fault_file_private(f, m);
		return m ? fault_file_shared(f, m) : fault_driver_map(f);
	}
	return m ? fault_file_read(f, m) : fault_driver_map(f);
}

unsigned populate_cached(struct vm_fault *f, unsigned long end)
{
	struct address_space *m = vma_page_cache(f->vma);
	struct around a;

	if (!m || unlikely(mm_is_reaped(f->mm)))
		return 0;
	around_range(f, f->addr, table_end(f->addr, end), &a);
	return !map_around_any(f, m, &a) && a.mapped == a.n ? a.n : 0;
}
