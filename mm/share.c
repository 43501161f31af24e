/* SPDX-License-Identifier: MIT */
/*
 * fork without copying page-table entries: parent and child get the same last-level table.
 *
 * 	parent	[L2 entry, no write] --.
 * 				       +--> table, sharers 1 --> pages, mapcount 1
 * 	child	[L2 entry, no write] --'
 *
 * The entries stay as they are, the right to write goes by the entry that leads to the table
 * (APTable). What is in such a table does not change: table_own() comes before every change, and
 * gives the mm a copy - or, when all others have gone by then, the table itself with the right to
 * write again, so that the last one pays one fault a table and none a page.
 *
 * Shared is a table with many entries in which nothing but private anonymous memory lies, all of
 * which the child gets as it is, without markers or lazily freed pages. So no file leads to a
 * shared table, and reclaim has nothing to look for in it.
 *
 * What counts how:
 *  - A table has one reference, and counts the address spaces that have it besides one (sharers).
 *    Each counts it in pgtables and what it maps in rss_anon.
 *  - A page's mapcount and refcount count a shared table once, and its PG_ANON_EXCL means "of this
 *    table alone". That suffices as long as no other table maps the page; so when the first of n
 *    has its copy made, each page gets n - 1 more, and the tables are TABLE_MIXED from then on: all
 *    counts are of address spaces, and who leaves such a table takes his own off each page. A mixed
 *    table is not shared again before every page in it has one owner.
 *
 * Locks: the table's lock guards its sharers. The entry that leads to it changes under
 * page_table_lock as well, held from its break to its make, so who looks for the table under that
 * lock finds the one or the other. mmap_lock held for reading is enough: faults that found a shared
 * table do nothing with it but come here; faults without mmap_lock have compared mm->seq, as a
 * table becomes shared only with that lock held for writing; all others look as table_find_lock()
 * does.
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"

/* ---- fork ---- */

/*
 * What a VMA has without an anon_vma are zero pages: the child gets none of them, as none need copying.
 * A fault that was on its way when mmap_lock was taken may still put pages there, until the table's lock
 * is held: they come after the fork, where the child's VMA has been made without a number.
 */
static bool vma_has_uncopied(const struct vm_area_struct *vma, uint64_t anon_vma,
			     const struct page *table, unsigned long addr)
{
	unsigned long start = addr & ~(TABLE_SIZE - 1), end = table_end(addr, vma->vm_end);
	const pte_t *ptep;

	if (anon_vma)
		return false;
	if (start < vma->vm_start)
		start = vma->vm_start;
	ptep = table_pte(vma->vm_mm->sys, table, start);
	for (; start < end; start += PAGE_SIZE)
		if (!pte_none(ptep_get_locked(ptep++)))
			return true;
	return false;
}

/* copy: the child's, or the VMA itself where that is still to be made. Not looked at where none is. */
static bool vma_may_share(const struct vm_area_struct *vma, const struct vm_area_struct *copy,
			  const struct page *table, unsigned long addr)
{
	const uint64_t never = MMK_VM_SHARED | MMK_VM_DONTCOPY | MMK_VM_WIPEONFORK |
			       MMK_VM_DROPPABLE | MMK_VM_PFNMAP | MMK_VM_MIXEDMAP | MMK_VM_IO;

	return !vma->vm_ops && !(vma->vm_flags & never) &&
	       !vma_has_uncopied(vma, vma_anon_vma(copy), table, addr);
}

/*
 * All VMAs that the table of addr covers: the child gets what they have as it is. Up to src it has its
 * own, dst the last of them.
 */
static bool vmas_may_share(const struct vm_area_struct *dst, const struct vm_area_struct *src,
			   const struct page *table, unsigned long addr)
{
	unsigned long start = addr & ~(TABLE_SIZE - 1), end = start + TABLE_SIZE;
	const struct vm_area_struct *v, *copy = dst;

	/* The two lists go side by side as far as the child gets all. */
	for (v = src; v && v->vm_end > start; v = vma_prev(v), copy = vma_prev(copy))
		if (!vma_may_share(v, copy, table, addr))
			return false;
	for (v = vma_next(src); v && v->vm_start < end; v = vma_next(v))
		if (!vma_may_share(v, v, table, addr))
			return false;
	return true;
}

/* No other table maps any of its pages. Those that did may have gone: then it is so again. */
static bool table_unmix(const struct mmk_system *sys, struct page *table)
{
	const pte_t *ptep = table_entries(sys, table);

	if (!(table->traits & TABLE_MIXED))
		return true;
	if (table_sharers(table) > 1)
		return false;
	for (unsigned long i = 0; i < PTRS_PER_TABLE; i++) {
		pte_t pte = ptep_get_locked(ptep + i);
		struct page *page = pte_page_or_null(sys, pte);

		if (page && atomic_load_explicit(&page->mapcount, memory_order_relaxed) != 1)
			return false;
	}
	table->traits &= ~TABLE_MIXED;
	return true;
}

/* Entries that count a page. */
static int64_t table_pages(const struct mmk_system *sys, const struct page *table)
{
	const pte_t *ptep = table_entries(sys, table);
	int64_t n = 0;

	if (likely(!(table->traits & TABLE_UNCOUNTED)))
		return table_used(table);
	for (unsigned long i = 0; i < PTRS_PER_TABLE; i++) {
		pte_t pte = ptep_get_locked(ptep + i);

		n += pte_present(pte) && !pte_special(pte);
	}
	return n;
}

/* The table's lock is held; who asks without it sees that nothing is the mm's any more before it is. */
static inline void table_share_add(struct page *table, int by)
{
	__atomic_store_n(&table->sharers, table->sharers + by, __ATOMIC_RELEASE);
}

/* The table's lock is held. */
static void share_with(struct mm_struct *parent, struct mm_struct *child, struct page *table,
		       pte_t *from, pte_t *to, struct page *to_parent)
{
	struct mmk_system *sys = parent->sys;
	pte_t entry = ptep_get(from);

	if (!table_is_shared(entry)) {
		entry = table_mkshared(entry);
		set_pte_raw(sys, from, entry, LAST_LEVEL - 1);
		atomic_fetch_add_explicit(&parent->nr_shared, 1, memory_order_relaxed);
	}
	table->traits |= TABLE_WAS_SHARED;
	table_share_add(table, 1);
	set_pte_raw(sys, to, entry, LAST_LEVEL - 1);
	table_use(to_parent, 1);
	atomic_fetch_add_explicit(&child->nr_shared, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&child->pgtables, 1, memory_order_relaxed);
	mm_rss_add(child, RSS_ANON, table_pages(sys, table));
	stat_inc(sys, tables_shared);
}

int table_share(const struct vm_area_struct *dst, const struct vm_area_struct *src,
		struct page *table, unsigned long addr)
{
	struct mm_struct *parent = src->vm_mm, *child = dst->vm_mm;
	struct mmk_system *sys = parent->sys;
	struct page *above, *to_parent;
	pte_t *from, *to;
	bool can;

	if (table_used(table) < sys->share_entries)
		return 0;
	to = table_slot_find(child, addr, &to_parent);
	if (to && !pte_none(ptep_get(to)))
		return phys_to_page(sys, pte_phys(ptep_get(to))) == table;
	to = table_slot_make(child, addr, &to_parent);
	if (!to)
		return -MMK_ENOMEM;
	from = table_slot_find(parent, addr, &above);
	spin_lock(sys, &child->page_table_lock);
	spin_lock(sys, &table->ptl);
	can = !(table->traits & (TABLE_LAZY | TABLE_MARKERS)) &&
	      vmas_may_share(dst, src, table, addr) && table_unmix(sys, table);
	if (can)
		share_with(parent, child, table, from, to, to_parent);
	spin_unlock(&table->ptl);
	spin_unlock(&child->page_table_lock);
	return can;
}

/* ---- shared tables, locked ---- */

/* A shared table of an mm, the entry that leads to it, and what that lies in. */
struct shared_slot {
	pte_t *entry;
	struct page *parent, *table;
};

/* The table of addr with both locks. False, with none: it is the mm's alone, or there is none. */
static bool shared_lock(struct mm_struct *mm, unsigned long addr, struct shared_slot *s)
{
	spin_lock(mm->sys, &mm->page_table_lock);
	s->entry = table_slot_find(mm, addr, &s->parent);
	if (!s->entry || !table_is_shared(ptep_get(s->entry))) {
		spin_unlock(&mm->page_table_lock);
		return false;
	}
	s->table = phys_to_page(mm->sys, pte_phys(ptep_get(s->entry)));
	spin_lock(mm->sys, &s->table->ptl);
	return true;
}

static void shared_unlock(struct mm_struct *mm, const struct shared_slot *s)
{
	spin_unlock(&s->table->ptl);
	spin_unlock(&mm->page_table_lock);
}

/* ---- before a change ---- */

/*
 * The entries into another table, neither side with a right to write: no TLB needs to hear of that,
 * as there was none. Each page is counted `more` times more.
 */
static void copy_shared(struct mmk_system *sys, struct page *to, const struct page *from,
			uint32_t more)
{
	pte_t *src = table_entries(sys, from), *dst = table_entries(sys, to);
	uint32_t left = table_used(from);

	for (unsigned long i = 0; left && i < PTRS_PER_TABLE; i++) {
		pte_t old = ptep_get_locked(src + i), pte = pte_wrprotect(old);
		struct page *page;

		if (pte_none(old))
			continue;
		left--;
		page = pte_page_or_null(sys, old);
		if (page && more) {
			page_clear(page, PG_ANON_EXCL);
			atomic_fetch_add_explicit(&page->refcount, more, memory_order_relaxed);
			atomic_fetch_add_explicit(&page->mapcount, (int32_t)more,
						  memory_order_relaxed);
		}
		if (!pte_same(old, pte))
			set_pte_rights(sys, src + i, old, pte);
		set_pte_rights(sys, dst + i, (pte_t){0}, pte);
	}
	to->nr_used = table_used(from);
}

/* A copy takes the place of the table that others keep. */
static void table_replace(struct mm_struct *mm, const struct shared_slot *s, struct page *copy)
{
	struct mmk_system *sys = mm->sys;
	struct page *table = s->table;
	bool mixed = table->traits & TABLE_MIXED;

	copy_shared(sys, copy, table, mixed ? 0 : table_sharers(table) - 1);
	table->traits |= TABLE_MIXED;
	copy->traits = table->traits;
	set_pte_raw(sys, s->entry, (pte_t){0}, LAST_LEVEL - 1);
	flush_tlb_mm(mm);
	set_pte_raw(sys, s->entry, table_make(page_to_phys(sys, copy)), LAST_LEVEL - 1);
	pte_barrier(sys);
	table_share_add(table, -1);
	stat_inc(sys, tables_copied);
}

/* All others have gone. Rights only come, but the TLBs may hold what they refused with. */
static void table_take_back(struct mm_struct *mm, const struct shared_slot *s)
{
	set_pte_raw(mm->sys, s->entry, table_mkown(ptep_get(s->entry)), LAST_LEVEL - 1);
	s->table->table_mm = mm;
	flush_tlb_mm(mm);
}

/* False: a table to copy into is needed. *spare is one, or NULL; it becomes NULL when used. */
static bool table_own_with(struct mm_struct *mm, unsigned long addr, struct page **spare)
{
	struct shared_slot s;
	bool done = true;

	if (!shared_lock(mm, addr, &s))
		return true;
	if (table_sharers(s.table) == 1) {
		table_take_back(mm, &s);
	} else if (*spare) {
		table_replace(mm, &s, *spare);
		*spare = NULL;
	} else {
		done = false;
	}
	if (done)
		atomic_fetch_sub_explicit(&mm->nr_shared, 1, memory_order_release);
	shared_unlock(mm, &s);
	return done;
}

int table_own_slow(struct mm_struct *mm, unsigned long addr)
{
	struct page *spare = NULL;

	while (!table_own_with(mm, addr, &spare)) {
		spare = table_new(mm);
		if (!spare)
			return -MMK_ENOMEM;
	}
	if (spare)
		free_page_zeroed(mm->sys, spare);
	return 0;
}

int tables_own_slow(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	int err = 0;

	for (unsigned long addr = start; !err && addr < end; addr = table_end(addr, end))
		err = table_own_slow(mm, addr);
	return err;
}

/* Whether nothing of the table of addr is left when [addr, end) has gone. */
bool table_goes_whole(unsigned long addr, unsigned long end, unsigned long floor,
		      unsigned long ceiling)
{
	unsigned long start = addr & ~(TABLE_SIZE - 1), stop = start + TABLE_SIZE;

	return (addr == start || start >= floor) && (stop <= end || stop - 1 <= ceiling - 1);
}

int tables_own_part_slow(struct mm_struct *mm, unsigned long start, unsigned long end,
			 unsigned long floor, unsigned long ceiling)
{
	unsigned long last = (end - 1) & ~(TABLE_SIZE - 1);
	int err = 0;

	if (!table_goes_whole(start, end, floor, ceiling))
		err = table_own_slow(mm, start);
	if (!err && last > start && !table_goes_whole(last, end, floor, ceiling))
		err = table_own_slow(mm, last);
	return err;
}

/* ---- going ---- */

/* One of several leaves a table whose pages count each of them. */
static void uncount_shared(const struct mmk_system *sys, const struct page *table)
{
	const pte_t *ptep = table_entries(sys, table);

	for (unsigned long i = 0; i < PTRS_PER_TABLE; i++) {
		pte_t pte = ptep_get_locked(ptep + i);
		struct page *page = pte_page_or_null(sys, pte);

		if (!page)
			continue;
		page_map_sub(page);
		atomic_fetch_sub_explicit(&page->refcount, 1, memory_order_release);
	}
}

/* From the flush on nothing of the mm's reaches the table's pages any more. */
static void table_unhook(struct mm_struct *mm, const struct shared_slot *s)
{
	struct page *table = s->table;
	const int64_t pages = table_pages(mm->sys, table);

	set_pte_raw(mm->sys, s->entry, (pte_t){0}, LAST_LEVEL - 1);
	table_use(s->parent, -1);
	if (!mm_has_ended(mm))
		flush_tlb_mm(mm);
	if (table->traits & TABLE_MIXED)
		uncount_shared(mm->sys, table);
	mm_rss_drop(mm, (uint64_t)pages);
	mm_rss_add(mm, RSS_ANON, -pages);
	atomic_fetch_sub_explicit(&mm->pgtables, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&mm->nr_shared, 1, memory_order_release);
	table_share_add(table, -1);
}

bool table_leave(struct mm_struct *mm, unsigned long addr)
{
	struct shared_slot s;
	bool left;

	if (!shared_lock(mm, addr, &s))
		return false;
	left = table_sharers(s.table) > 1;
	if (left)
		table_unhook(mm, &s);
	shared_unlock(mm, &s);
	return left;
}

/* ---- looking ---- */

struct page *table_find_lock_slow(struct mm_struct *mm, unsigned long addr)
{
	struct page *table;

	spin_lock(mm->sys, &mm->page_table_lock);
	table = pte_table_find(mm, addr);
	if (table)
		spin_lock(mm->sys, &table->ptl);
	spin_unlock(&mm->page_table_lock);
	return table;
}

struct page *table_next_lock_slow(struct mm_struct *mm, unsigned long *addr,
				  unsigned long end)
{
	struct page *table;

	spin_lock(mm->sys, &mm->page_table_lock);
	table = pte_table_next(mm, addr, end);
	if (table)
		spin_lock(mm->sys, &table->ptl);
	spin_unlock(&mm->page_table_lock);
	return table;
}
