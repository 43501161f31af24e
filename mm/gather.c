/* SPDX-License-Identifier: MIT */
/*
 * Taking mapped pages away: clear the entries, make the TLBs forget, free the frames - in this
 * order, in batches. What was never in a TLB is not invalidated.
 */
#include "mm/internal.h"
#include "mm/frame_cache.h"
#include "mm/memory.h"
#include "mm/share.h"

void tlb_gather(struct mmu_gather *tlb, struct mm_struct *mm)
{
	tlb_gather_none(tlb, mm);
	tlb->runs = NULL;
	tlb->rss[RSS_FILE] = tlb->rss[RSS_ANON] = tlb->rss[RSS_SHMEM] = 0;
	tlb->nr = 0;
}

void tlb_gather_flush(struct mmu_gather *tlb)
{
	if (tlb->start >= tlb->end)
		return;
	flush_tlb_range(tlb->mm, tlb->start, tlb->end, tlb->tables != NULL);
	tlb->start = ~0ul;
	tlb->end = 0;
}

static void free_gathered(struct mmu_gather *tlb)
{
	struct mmk_system *sys = tlb->mm->sys;
	struct page *next;

	for (unsigned i = 0; i < tlb->nr; i++)
		put_page(sys, tlb->pages[i]);
	tlb->nr = 0;
	for (struct page *run = tlb->runs; run; run = next) {
		next = run->next;
		frame_cache_give_run(sys, run, run->nr_used, PAGE_ANON);
	}
	tlb->runs = NULL;
}

static void free_gathered_tables(struct mmu_gather *tlb)
{
	struct page *next;

	for (struct page *table = tlb->tables; table; table = next) {
		next = table->next;
		table_retire(tlb->mm, table);
	}
	tlb->tables = NULL;
}

static void account_gathered(struct mmu_gather *tlb)
{
	int64_t pages = -(tlb->rss[RSS_FILE] + tlb->rss[RSS_ANON] + tlb->rss[RSS_SHMEM]);

	if (!pages)
		return;
	mm_rss_drop(tlb->mm, (uint64_t)pages);
	for (int kind = 0; kind < NR_RSS; kind++)
		if (tlb->rss[kind])
			mm_rss_add(tlb->mm, kind, tlb->rss[kind]);
}

void tlb_finish(struct mmu_gather *tlb)
{
	tlb_gather_flush(tlb);
	if (tlb->tables)
		free_gathered_tables(tlb);
	if (!tlb->cleared)
		return;
	free_gathered(tlb);
	account_gathered(tlb);
	count_events(tlb->mm->sys, pte_writes, tlb->cleared);
}

/* The page's reference that the entry held goes, after the TLB. */
static void gather_page(struct mmu_gather *tlb, struct page *page)
{
	enum rss_kind kind = page_rss_kind(page);

	tlb->rss[kind]--;
	page_map_sub(page);
	tlb->pages[tlb->nr++] = page;
	if (tlb->nr == GATHER_PAGES) {
		tlb_gather_flush(tlb);
		free_gathered(tlb);
	}
}

bool zap_pte(struct mmu_gather *tlb, pte_t *ptep, pte_t pte, struct page *page, unsigned long addr)
{
	bool written = page && pte_hw_writable(pte) && !page_is_anon(page);

	tlb_change_pte(tlb, ptep, pte, (pte_t){0}, addr);
	if (page)
		gather_page(tlb, page);
	return written;
}

/* An anonymous page that nothing but this entry holds, and of which nothing else is known. */
static inline bool page_take_last(struct page *page)
{
	const uint32_t may = PG_ANON_EXCL | PG_UPTODATE | PG_REFERENCED | PG_EXEC_CLEAN;
	uint32_t one = 1;

	if ((atomic_load_explicit(&page->flags, memory_order_relaxed) & ~may) !=
	    PAGE_ANON << PG_KIND_SHIFT)
		return false;
	return atomic_compare_exchange_strong_explicit(&page->refcount, &one, 0,
						       memory_order_acq_rel, memory_order_relaxed);
}

/*
 * One page that only its entry holds: what goes most often, so without a batch. The TLBs have
 * forgotten it when this returns; the caller drops the table's lock, then it goes to
 * free_own_page(). NULL: it is another case.
 */
static struct page *zap_own_page(struct mm_struct *mm, struct page *table, unsigned long addr)
{
	pte_t *ptep = table_pte(mm->sys, table, addr), pte = ptep_get_locked(ptep);
	struct page *page;

	if (!pte_valid(pte) || pte_special(pte))
		return NULL;
	page = phys_to_page(mm->sys, pte_phys(pte));
	if (!page_take_last(page))
		return NULL;
	set_pte_rights(mm->sys, ptep, pte, (pte_t){0});
	table_use(table, -1);
	flush_tlb_page(mm, addr);
	return page;
}

static void free_own_page(struct mm_struct *mm, struct page *page)
{
	struct mmk_system *sys = mm->sys;

	atomic_store_explicit(&page->mapcount, 0, memory_order_relaxed);
	mm_rss_drop(mm, 1);
	mm_rss_add(mm, RSS_ANON, -1);
	count_event(sys, pte_writes);
	frame_tell_machine(sys, page, 0, 1);
	frame_cache_give(sys, page, PAGE_ANON);
}

static inline bool zap_and_free_own_page(struct mm_struct *mm, struct page *table, unsigned long addr)
{
	struct page *page;

	spin_lock(mm->sys, &table->ptl);
	page = zap_own_page(mm, table, addr);
	spin_unlock(&table->ptl);
	if (page)
		free_own_page(mm, page);
	return page;
}

/*
 * The usual case in a tight loop: entries one after the other, up to n, of anonymous pages that
 * only they hold. Returns how many have been cleared; the next one is another case.
 */
static unsigned long zap_own_pages(struct mmu_gather *tlb, pte_t *ptep, unsigned long n,
				   unsigned long addr)
{
	struct mmk_system *sys = tlb->mm->sys;
	struct page *run = tlb->runs, *behind = run ? run + run->nr_used : NULL;
	unsigned long i;

	for (i = 0; i < n; i++) {
		pte_t pte = ptep_get_locked(ptep + i);
		struct page *page;

		if (!pte_valid(pte) || pte_special(pte))
			break;
		page = phys_to_page(sys, pte_phys(pte));
		if (!page_take_last(page))
			break;
		atomic_store_explicit(&page->mapcount, 0, memory_order_relaxed);
		set_pte_rights(sys, ptep + i, pte, (pte_t){0});
		if (page != behind) {
			if (run)
				run->nr_used = (uint32_t)(behind - run);
			page->next = run;
			run = page;
		}
		behind = page + 1;
	}
	if (!i)
		return 0;
	run->nr_used = (uint32_t)(behind - run);
	tlb->runs = run;
	tlb->rss[RSS_ANON] -= (int64_t)i;
	tlb->cleared += i;
	tlb_cover(tlb, addr);
	tlb_cover(tlb, addr + (i - 1) * PAGE_SIZE);
	return i;
}

/*
 * A dirty file page is in the cache's books as dirty already (it got so before the entry did), but
 * a CPU may write to it until its TLB has been told. So that is done before the lock goes: the
 * writeback that finds no entry to protect must not miss such a store.
 */
void zap_table(struct mmu_gather *tlb, struct page *table, unsigned long start, unsigned long end,
	       unsigned keep)
{
	struct mmk_system *sys = tlb->mm->sys;
	pte_t *ptep = table_pte(sys, table, start);
	bool written = false;

	for (unsigned long addr = start; addr < end; addr += PAGE_SIZE, ptep++) {
		pte_t pte = ptep_get_locked(ptep);
		struct page *page = NULL;

		if (pte_none(pte)) {
			unsigned long none = ptes_skip_none(ptep, (end - addr) >> PAGE_SHIFT) - 1;

			addr += none * PAGE_SIZE;
			ptep += none;
			continue;
		}
		if (!(keep & ZAP_KEEP_COWS)) {
			unsigned long n = zap_own_pages(tlb, ptep, (end - addr) >> PAGE_SHIFT, addr);

			table_use(table, -(int)n);
			addr += n * PAGE_SIZE;
			ptep += n;
			if (addr == end || !table_used(table))
				break;
			pte = ptep_get_locked(ptep);
			if (pte_none(pte))
				continue;
		}
		if (likely(pte_present(pte)))
			page = pte_counted_page(sys, pte);
		else if (keep & ZAP_KEEP_MARKERS)
			continue;
		if ((keep & ZAP_KEEP_COWS) && page && page_is_anon(page))
			continue;
		written |= zap_pte(tlb, ptep, pte, page, addr);
		table_use(table, -1);
		if (!table_used(table))
			break;
	}
	if (written)
		tlb_gather_flush(tlb);
}

/* Unhook the table of addr, now empty, and those above that become so. */
static void prune_tables(struct mmu_gather *tlb, unsigned long addr, unsigned long floor,
			 unsigned long ceiling)
{
	struct page *next, *table = pte_tables_prune(tlb->mm, addr, floor, ceiling);

	if (table)
		tlb_cover(tlb, addr & PAGE_MASK);
	for (; table; table = next) {
		next = table->next;
		table->next = tlb->tables;
		tlb->tables = table;
	}
}

/*
 * The table of addr is empty, and nothing is mapped beside the range between floor and ceiling. The
 * last one of which that is true stays, as who unmaps often maps again in the same place; the one
 * that stayed before goes now, if it is still empty.
 */
static void table_emptied(struct mmu_gather *tlb, struct page *table, unsigned long addr,
			  unsigned long floor, unsigned long ceiling)
{
	struct mm_struct *mm = tlb->mm;
	unsigned long start = addr & ~(TABLE_SIZE - 1), before = mm->idle_table;

	if (start == before || start < floor || start + TABLE_SIZE - 1 > ceiling - 1)
		return;
	if (load_relaxed(&table->traits) & ~TABLE_WAS_SHARED) {
		spin_lock(mm->sys, &table->ptl); /* reclaim (lazyfree.c) may be looking at it */
		table->traits &= TABLE_WAS_SHARED;
		spin_unlock(&table->ptl);
	}
	mm->idle_table = start;
	if (!before)
		return;
	tlb_gather_flush(tlb); /* the two may be far apart */
	prune_tables(tlb, before, 0, TASK_SIZE);
}

/*
 * A table that others have too: all of it goes, or nothing that it holds (who wants a part has seen to
 * it before, tables_own_part). False: it is this mm's alone.
 */
static bool unmap_shared(struct mm_struct *mm, const struct page *table, unsigned long addr,
			 unsigned long end, unsigned long floor, unsigned long ceiling)
{
	if (table_sharers(table) == 1)
		return false;
	return !table_goes_whole(addr, end, floor, ceiling) || table_leave(mm, addr);
}

/* The one page at addr, if the table stays without it. False: it is another case. */
static bool unmap_own_page(struct mm_struct *mm, struct page *table, unsigned long addr)
{
	if (mm_shares(mm) ||
	    (table_used(table) <= 1 && (addr & ~(TABLE_SIZE - 1)) != mm->idle_table))
		return false;
	return zap_and_free_own_page(mm, table, addr);
}

/* Where the first entry of [addr, end), in a table in use, is that is not none; addr: not looked for. */
static unsigned long skip_untouched(struct mm_struct *mm, struct page *table, unsigned long addr,
				    unsigned long end)
{
	const pte_t *ptep = table_pte(mm->sys, table, addr);

	if (mm_shares(mm) || !table_used(table) || !pte_none(ptep_get(ptep)))
		return addr;
	spin_lock(mm->sys, &table->ptl);
	addr += ptes_skip_none(ptep, (end - addr) >> PAGE_SHIFT) * PAGE_SIZE;
	spin_unlock(&table->ptl);
	return addr;
}

void unmap_page_range(struct mm_struct *mm, unsigned long start, unsigned long end,
		      unsigned long floor, unsigned long ceiling)
{
	unsigned long addr = start, stop;
	struct page *table = pte_table_next(mm, &addr, end);
	struct mmu_gather tlb;

	if (!table || (end - start == PAGE_SIZE && unmap_own_page(mm, table, start)))
		return;
	stop = table_end(addr, end);
	addr = skip_untouched(mm, table, addr, stop);
	if (addr == stop)
		table = pte_table_next(mm, &addr, end);
	if (!table)
		return;
	tlb_gather(&tlb, mm);
	for (; table; table = pte_table_next(mm, &addr, end)) {
		bool gone = unlikely(mm_shares(mm)) &&
			    unmap_shared(mm, table, addr, end, floor, ceiling);

		stop = table_end(addr, end);
		if (!gone && table_maybe_used(mm->sys, table)) {
			spin_lock(mm->sys, &table->ptl);
			zap_table(&tlb, table, addr, stop, 0);
			spin_unlock(&table->ptl);
		}
		if (gone)
			prune_tables(&tlb, addr, floor, ceiling);
		else if (!table_used(table))
			table_emptied(&tlb, table, addr, floor, ceiling);
		addr = stop;
		cond_resched(mm->sys);
	}
	tlb_finish(&tlb);
}

/* The one page at addr of anonymous memory. False: it is another case. */
static bool zap_anon_page(struct mm_struct *mm, unsigned long addr)
{
	struct page *table;

	if (mm_shares(mm))
		return false;
	table = pte_table_find(mm, addr);
	if (!table)
		return true;
	return zap_and_free_own_page(mm, table, addr);
}

/*
 * Faults may come meanwhile, and put a new page where the old one was: so the TLBs forget it before
 * the lock goes (break before make).
 *
 * Also reached from a file (rmap.c), when only i_mmap_lock is held: the table cannot go away
 * between its finding and its locking, because pruning wants page_table_lock too. Who comes to
 * memory without a file holds mmap_lock.
 *
 * A table that others have too holds nothing of a file. All of it can go; of a part of it nothing does,
 * and the caller has called tables_own_part() where that matters.
 */
void zap_page_range(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		    unsigned how)
{
	unsigned keep = ZAP_KEEP_MARKERS | (how & ZAP_EVEN_COWS ? 0 : ZAP_KEEP_COWS);
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = start;
	struct mmu_gather tlb;
	struct page *table;

	if (end - start == PAGE_SIZE && !vma->vm_ops && zap_anon_page(mm, start))
		return;
	tlb_gather(&tlb, mm);
	while ((table = table_next_lock_slow(mm, &addr, end))) {
		unsigned long stop = table_end(addr, end);

		if (unlikely(table_sharers(table) > 1)) {
			spin_unlock(&table->ptl);
			if (table_goes_whole(addr, end, ~0ul, end) && !table_leave(mm, addr))
				continue; /* the others have gone meanwhile */
			addr = stop;
			continue;
		}
		zap_table(&tlb, table, addr, stop, keep);
		tlb_gather_flush(&tlb);
		spin_unlock(&table->ptl);
		addr = stop;
		if (!(how & ZAP_RESCHED) || addr >= end)
			continue;
		/* What is gathered does not wait for those that run meanwhile. */
		tlb_finish(&tlb);
		tlb_gather(&tlb, mm);
		cond_resched(mm->sys);
	}
	tlb_finish(&tlb);
}

/* ---- the end of an address space ---- */

static void give_run(struct mmk_system *sys, struct page *run, struct page *behind)
{
	if (run)
		frame_cache_give_run(sys, run, (unsigned long)(behind - run), PAGE_ANON);
}

/* n entries of a table that has `left` live ones, without a look at any TLB. Returns what is left. */
static uint32_t drop_entries(struct mmk_system *sys, pte_t *ptep, unsigned long n, uint32_t left)
{
	struct page *run = NULL, *behind = NULL, *page;

	for (pte_t *end = ptep + n; left && ptep < end; ptep++) {
		pte_t pte = ptep_get_locked(ptep);

		if (pte_none(pte)) {
			ptep += ptes_skip_none(ptep, (unsigned long)(end - ptep)) - 1;
			continue;
		}
		set_pte_rights(sys, ptep, pte, (pte_t){0});
		left--;
		page = pte_page_or_null(sys, pte);
		if (!page)
			continue;
		if (!page_take_last(page)) {
			page_map_sub(page);
			put_page(sys, page);
			continue;
		}
		atomic_store_explicit(&page->mapcount, 0, memory_order_relaxed);
		if (page != behind) {
			give_run(sys, run, behind);
			run = page;
		}
		behind = page + 1;
	}
	give_run(sys, run, behind);
	return left;
}

/*
 * The table of addr from there on, whatever VMA its entries are of, as nothing of it has been left out
 * before. It may still be looked for from a file, under page_table_lock.
 */
static void drop_table_from(struct mm_struct *mm, struct page *table, unsigned long addr,
			    struct page **gone)
{
	struct mmk_system *sys = mm->sys;
	uint32_t used;

	spin_lock(sys, &mm->page_table_lock);
	spin_lock(sys, &table->ptl);
	used = drop_entries(sys, table_pte(sys, table, addr), PTRS_PER_TABLE - pte_index(addr),
			    table_used(table));
	table->nr_used = used;
	spin_unlock(&table->ptl);
	if (!used)
		pte_tables_drop(mm, addr, gone);
	spin_unlock(&mm->page_table_lock);
}

unsigned long unmap_ended(struct mm_struct *mm, unsigned long start, unsigned long end,
			  struct page **gone)
{
	unsigned long addr = start;
	struct page *table;

	while (addr < end && (table = pte_table_next(mm, &addr, end))) {
		unsigned long here = addr;
		bool left = unlikely(mm_shares(mm)) &&
			    unmap_shared(mm, table, addr, end, 0, TASK_SIZE);

		if (!left)
			drop_table_from(mm, table, addr, gone);
		addr = (addr | (TABLE_SIZE - 1)) + 1;
		/* Of many tables that were shared the last one lets those above go. */
		if (left && (addr >= end || !(addr & (TABLE_SIZE * PTRS_PER_TABLE - 1)))) {
			spin_lock(mm->sys, &mm->page_table_lock);
			pte_tables_drop(mm, here, gone);
			spin_unlock(&mm->page_table_lock);
		}
		cond_resched(mm->sys);
	}
	return addr;
}
