/* SPDX-License-Identifier: MIT */
/*
 * Last-level tables that several address spaces have after fork: how they come to be, and how to
 * get at what is in them. share.c has the whole of it.
 *
 * Who looks at entries with mmap_lock held for reading takes table_find_lock() or
 * table_next_lock(). Who changes them calls table_own() or tables_own() before, among the things
 * that can fail; it holds as long as mmap_lock does.
 */
#ifndef MM_SHARE_H
#define MM_SHARE_H

#include "arch/arm64/pgtable.h"

/* Whether the mm has tables that others may have too. Without fork it never has. */
static inline bool mm_shares(const struct mm_struct *mm)
{
	return atomic_load_explicit(&mm->nr_shared, memory_order_acquire);
}

/* How many have it. More than one stays so under the table's lock, one also under mmap_lock. */
static inline uint32_t table_sharers(const struct page *table)
{
	return load_relaxed(&table->sharers) + 1;
}

/*
 * How many address spaces map this anonymous page of the table, whose lock is held. A table that
 * several have counts once, until the first of them gets a copy of it.
 */
static inline int32_t table_page_mapcount(const struct page *table, const struct page *page)
{
	int32_t n = atomic_load_explicit(&page->mapcount, memory_order_relaxed);

	return table->traits & TABLE_MIXED ? n : n + (int32_t)table_sharers(table) - 1;
}

/* ---- fork ---- */

/*
 * The child gets the parent's table of addr, in which something is, if it can be shared; src is one of
 * the parent's VMAs there, dst the child's copy. 1: it has it (perhaps from another VMA before). 0: copy.
 * -ENOMEM.
 */
int table_share(const struct vm_area_struct *dst, const struct vm_area_struct *src,
		struct page *table, unsigned long addr);

/* ---- before a change ---- */

int table_own_slow(struct mm_struct *mm, unsigned long addr);
int tables_own_slow(struct mm_struct *mm, unsigned long start, unsigned long end);
int tables_own_part_slow(struct mm_struct *mm, unsigned long start, unsigned long end,
			 unsigned long floor, unsigned long ceiling);

/* The table of addr, if there is one, is this mm's alone from now on. mmap_lock held. 0 or -ENOMEM. */
static inline int table_own(struct mm_struct *mm, unsigned long addr)
{
	return likely(!mm_shares(mm)) ? 0 : table_own_slow(mm, addr);
}

/* All tables of [start, end). */
static inline int tables_own(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	return likely(!mm_shares(mm)) ? 0 : tables_own_slow(mm, start, end);
}

/*
 * Those of which only a part is to go with [start, end): what lies within the range as a whole, or
 * has nothing else in it as nothing is mapped between floor and ceiling beside the range, stays
 * shared.
 */
static inline int tables_own_part(struct mm_struct *mm, unsigned long start, unsigned long end,
				  unsigned long floor, unsigned long ceiling)
{
	return likely(!mm_shares(mm)) ? 0 : tables_own_part_slow(mm, start, end, floor, ceiling);
}

/* Whether nothing of the table of addr is left when [addr, end) has gone; see tables_own_part(). */
bool table_goes_whole(unsigned long addr, unsigned long end, unsigned long floor,
		      unsigned long ceiling);
/*
 * The mm does without its table of addr, which others have as well; the TLBs have forgotten it.
 * False: it is the mm's alone, or there is none.
 */
bool table_leave(struct mm_struct *mm, unsigned long addr);

/* ---- looking ---- */

struct page *table_find_lock_slow(struct mm_struct *mm, unsigned long addr);
struct page *table_next_lock_slow(struct mm_struct *mm, unsigned long *addr,
				  unsigned long end);

/* The last-level table of addr, locked, or NULL. mmap_lock held. */
static inline struct page *table_find_lock(struct mm_struct *mm, unsigned long addr)
{
	struct page *table;

	if (unlikely(mm_shares(mm)))
		return table_find_lock_slow(mm, addr);
	table = pte_table_find(mm, addr);
	if (table)
		spin_lock(mm->sys, &table->ptl);
	return table;
}

/* The first one at or after *addr and before end, locked; *addr moves on to it. NULL: none. */
static inline struct page *table_next_lock(struct mm_struct *mm, unsigned long *addr,
					   unsigned long end)
{
	struct page *table;

	if (unlikely(mm_shares(mm)))
		return table_next_lock_slow(mm, addr, end);
	table = pte_table_next(mm, addr, end);
	if (table)
		spin_lock(mm->sys, &table->ptl);
	return table;
}

#endif
