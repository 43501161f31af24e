/* SPDX-License-Identifier: MIT */
/*
 * Translation tables as the core uses them: reading and writing entries, finding and making
 * tables, TLB maintenance and ASIDs. Include mm/internal.h first.
 *
 * Who may do what with a table:
 *  - Entries of a last-level table change under the lock of its page (ptl), which also
 *    guards nr_used.
 *  - Tables appear under mm->page_table_lock; the walk that finds them takes no lock.
 *  - Tables of one mm alone go only in pte_tables_prune(), called with mmap_lock held for writing,
 *    so that no fault is on its way. Walkers who come from a file instead (rmap.c) hold
 *    page_table_lock from the descent until they have the ptl; prune takes both.
 *  - Last-level tables that several mms have (table_is_shared) do not change, and may be exchanged
 *    with mmap_lock held for reading: who may meet one does as rmap.c does. See share.h.
 *
 * After a store that makes an invalid entry valid, DSB ISHST lets the walkers see it (Arm ARM
 * D8.2.7); no ISB, as the exception return that follows is one. A valid entry that gets another
 * output address goes through ptep_clear_flush() first: break before make (D8.16.1).
 */
#ifndef ARM64_PGTABLE_H
#define ARM64_PGTABLE_H

#include "arch/arm64/pte.h"

#ifdef MMK_HW_ARM64
#include "arch/arm64/hw_cpu.h"
#else
#include "arch/arm64/hw_soft.h"
#endif

#define ASID_MASK 0xffffull

/* ---- entries ---- */

static inline pte_t ptep_get(const pte_t *ptep)
{
	return (pte_t){__atomic_load_n(&ptep->v, __ATOMIC_ACQUIRE)};
}

/* Under the table's lock, where nobody else stores. */
static inline pte_t ptep_get_locked(const pte_t *ptep)
{
	return (pte_t){__atomic_load_n(&ptep->v, __ATOMIC_RELAXED)};
}

/* Other rights to the same page, or none: there is nothing that must be seen before. Uncounted. */
static inline void set_pte_rights(struct mmk_system *sys, pte_t *ptep, pte_t old, pte_t pte)
{
	__atomic_store_n(&ptep->v, pte.v, __ATOMIC_RELAXED);
	hw_pte_written(sys, ptep, old, pte, LAST_LEVEL);
}

/* One 64-bit store, uncounted. Release: what the page holds is seen before the page is. */
static inline void set_pte_raw(struct mmk_system *sys, pte_t *ptep, pte_t pte, unsigned level)
{
	pte_t old = {ptep->v};

	__atomic_store_n(&ptep->v, pte.v, __ATOMIC_RELEASE);
	hw_pte_written(sys, ptep, old, pte, level);
}

static inline void set_pte(struct mmk_system *sys, pte_t *ptep, pte_t pte)
{
	set_pte_raw(sys, ptep, pte, LAST_LEVEL);
	count_event(sys, pte_writes);
}

static inline void pte_barrier(struct mmk_system *sys)
{
	hw_dsb_ishst(sys);
	count_event(sys, dsb);
}

/* Break: no CPU has the page at addr any more when it returns. The table's lock is held. */
void ptep_clear_flush(struct mm_struct *mm, pte_t *ptep, unsigned long addr);

/* ---- tables ---- */

static inline unsigned long pte_index(unsigned long addr)
{
	return (addr >> PAGE_SHIFT) & (PTRS_PER_TABLE - 1);
}

static inline pte_t *table_entries(const struct mmk_system *sys, const struct page *table)
{
	return page_address(sys, table);
}

static inline pte_t *table_pte(const struct mmk_system *sys, const struct page *table,
			       unsigned long addr)
{
	return table_entries(sys, table) + pte_index(addr);
}

/* End of what the last-level table of addr covers, or end. */
static inline unsigned long table_end(unsigned long addr, unsigned long end)
{
	unsigned long stop = (addr & ~(TABLE_SIZE - 1)) + TABLE_SIZE;

	return stop - 1 < end - 1 ? stop : end;
}

/* The first of n entries that is not none, by its place; n: all are. Without the table's lock a hint. */
unsigned long ptes_skip_none(const pte_t *ptep, unsigned long n);

/* Live entries. Changes under the lock that guards the table; without it the answer is a hint. */
static inline uint32_t table_used(const struct page *table)
{
	return load_relaxed(&table->nr_used);
}

/*
 * False only where nothing is in use and no fault without mmap_lock can be about to change that: it
 * shows to whoever takes the table's lock after mmap_lock.
 */
static inline bool table_maybe_used(const struct mmk_system *sys, const struct page *table)
{
	return table_used(table) || sys->defers;
}

static inline void table_use(struct page *table, int by)
{
	store_relaxed(&table->nr_used, table_used(table) + by);
}

/*
 * An entry that leads on. What it leads to was written before it, and the address depends on it,
 * which orders the two on arm64 (Arm ARM B2.3.2) without an acquire.
 */
static inline pte_t table_entry_get(const pte_t *entry)
{
	return (pte_t){__atomic_load_n(&entry->v, MMK_DEPENDENT_LOAD)};
}

/* The entry that leads to the last-level table of addr; none where there is no such table. */
static inline pte_t pte_table_entry(const struct mm_struct *mm, unsigned long addr)
{
	const uintptr_t offset = mm->sys->virt_offset;
	phys_addr_t phys = mm->pgd;
	pte_t entry = {0};

#pragma GCC unroll 4
	for (unsigned shift = LEVEL_SHIFT(FIRST_LEVEL); shift > PAGE_SHIFT; shift -= TABLE_SHIFT) {
		const pte_t *entries = (const pte_t *)(uintptr_t)(phys + offset);

		entry = table_entry_get(entries + ((addr >> shift) & (PTRS_PER_TABLE - 1)));
		if (unlikely(!table_leads_on(entry)))
			return (pte_t){0};
		phys = pte_phys(entry);
	}
	return entry;
}

/* The last-level table that covers addr, or NULL. */
static inline struct page *pte_table_find(const struct mm_struct *mm, unsigned long addr)
{
	pte_t entry = pte_table_entry(mm, addr);

	return pte_none(entry) ? NULL : phys_to_page(mm->sys, pte_phys(entry));
}

/* The same, but NULL as well where others may have it. */
static inline struct page *pte_table_find_own(const struct mm_struct *mm, unsigned long addr)
{
	pte_t entry = pte_table_entry(mm, addr);

	return table_is_own(entry) ? phys_to_page(mm->sys, pte_phys(entry)) : NULL;
}

/*
 * Where the entry of the last-level table of addr stands, whether there is one or not, and in which
 * table; NULL where there is not even that. Or made: NULL when memory is short.
 */
pte_t *table_slot_find(const struct mm_struct *mm, unsigned long addr, struct page **parent);
pte_t *table_slot_make(struct mm_struct *mm, unsigned long addr, struct page **parent);

/*
 * The same, made where it was missing; NULL when memory is short. No spinlock held by the caller.
 */
struct page *pte_table_make(struct mm_struct *mm, unsigned long addr);
/* The first last-level table at or after *addr and before end; *addr moves on to it. NULL: none. */
struct page *pte_table_next(const struct mm_struct *mm, unsigned long *addr, unsigned long end);
/*
 * Take the tables above addr that are empty, and lie within [floor, ceiling), out of the tree; the
 * leaf first. Returns them chained by page->next, for table_retire() once the TLB has forgotten them.
 */
struct page *pte_tables_prune(struct mm_struct *mm, unsigned long addr, unsigned long floor,
			      unsigned long ceiling);
/*
 * The mm has ended, page_table_lock is held: the tables on the way to addr that are empty go, the leaf
 * first, and are chained by page->next for mm_pgd_free().
 */
void pte_tables_drop(struct mm_struct *mm, unsigned long addr, struct page **gone);
struct page *table_new(struct mm_struct *mm); /* empty, part of no tree; NULL: no memory */
void table_free(struct mm_struct *mm, struct page *table); /* one that was never part of the tree */
/* One that was, and that the TLBs have forgotten: a fault without mmap_lock may still look at it. */
void table_retire(struct mm_struct *mm, struct page *table);

/* ---- TLB ---- */

/* Whether any CPU may hold translations of the mm. */
static inline bool tlb_may_hold(const struct mm_struct *mm)
{
	return atomic_load_explicit(&mm->cpus, memory_order_relaxed);
}

void flush_tlb_page(struct mm_struct *mm, unsigned long addr);
/* tables: also what walks have cached of tables on the way. */
void flush_tlb_range(struct mm_struct *mm, unsigned long start, unsigned long end, bool tables);
void flush_tlb_mm(struct mm_struct *mm);

/* Before a page with new bytes can be executed. */
void sync_icache_page(struct mmk_system *sys, struct page *page);

#endif
