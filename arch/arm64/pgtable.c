/* SPDX-License-Identifier: MIT */
/*
 * The tree of translation tables: find, make and prune tables. Walks go level by level between two
 * constants, so other granules and address sizes are other constants. pgtable.h has the lock rules.
 */
#include "mm/internal.h"
#include "arch/arm64/pgtable.h"

_Static_assert(MMK_VM_READ == 1 && MMK_VM_WRITE == 2 && MMK_VM_EXEC == 4 && MMK_VM_SHARED == 8,
	       "what leads into the table");
#define PROT_OF(flags)                                                                             \
	{PTE_COMMON | ((flags) & MMK_VM_EXEC ? 0 : PTE_UXN) |                                      \
	 ((flags) & 7 ? PTE_VALID | PTE_USER : PTE_SW_PROT_NONE) |                                 \
	 (((flags) & 10) == 10 ? PTE_DBM : 0)}
#define FOUR_OF(flags)                                                                             \
	PROT_OF(flags), PROT_OF((flags) + 1), PROT_OF((flags) + 2), PROT_OF((flags) + 3)
const pgprot_t protection_map[16] = {FOUR_OF(0), FOUR_OF(4), FOUR_OF(8), FOUR_OF(12)};

static inline pte_t *level_entry(const struct mmk_system *sys, phys_addr_t table,
				 unsigned long addr, unsigned level)
{
	pte_t *entries = phys_to_virt(sys, table);

	return entries + ((addr >> LEVEL_SHIFT(level)) & (PTRS_PER_TABLE - 1));
}

/* The entry of addr at `level`, in the table *table; NULL when the walk ends before. */
static pte_t *walk_to(const struct mm_struct *mm, unsigned long addr, unsigned level,
		      struct page **table)
{
	phys_addr_t phys = mm->pgd;

	for (unsigned l = FIRST_LEVEL; l < level; l++) {
		pte_t entry = ptep_get(level_entry(mm->sys, phys, addr, l));

		if (!pte_is_table(entry))
			return NULL;
		phys = pte_phys(entry);
	}
	*table = phys_to_page(mm->sys, phys);
	return level_entry(mm->sys, phys, addr, level);
}

unsigned long ptes_skip_none(const pte_t *ptep, unsigned long n)
{
	const pte_t *p = ptep, *end = ptep + n;

	/* Plain loads, of which the CPU does two at once. */
	for (; end - p >= 8; p += 8)
		if (p[0].v | p[1].v | p[2].v | p[3].v | p[4].v | p[5].v | p[6].v | p[7].v)
			break;
	while (p < end && !p->v)
		p++;
	return (unsigned long)(p - ptep);
}

struct page *table_new(struct mm_struct *mm)
{
	struct page *table = alloc_page_zeroed(mm->sys, PAGE_TABLE);

	if (likely(table)) /* all else in a frame that is new is 0 */
		table->table_mm = mm;
	return table;
}

void table_free(struct mm_struct *mm, struct page *table)
{
	atomic_fetch_sub_explicit(&mm->pgtables, 1, memory_order_relaxed);
	free_page_zeroed(mm->sys, table);
}

static void free_retired_table(struct mmk_system *sys, struct mmk_deferred *d)
{
	free_page_zeroed(sys, container_of(d, struct page, deferred));
}

void table_retire(struct mm_struct *mm, struct page *table)
{
	struct mmk_system *sys = mm->sys;

	if (!sys->defers) {
		table_free(mm, table);
		return;
	}
	atomic_fetch_sub_explicit(&mm->pgtables, 1, memory_order_relaxed);
	table->deferred.fn = free_retired_table;
	sys->port->defer(sys->ctx, &table->deferred);
}

/* Hang a new table under `entry` of `parent`, unless another CPU was first. False: no memory. */
static bool table_insert(struct mm_struct *mm, phys_addr_t parent, pte_t *entry, unsigned level)
{
	struct page *table = table_new(mm);
	bool first;

	if (!table)
		return false;
	atomic_fetch_add_explicit(&mm->pgtables, 1, memory_order_relaxed);
	spin_lock(mm->sys, &mm->page_table_lock);
	first = pte_none(ptep_get(entry));
	if (first) {
		set_pte_raw(mm->sys, entry, table_make(page_to_phys(mm->sys, table)), level);
		table_use(phys_to_page(mm->sys, parent), 1);
	}
	spin_unlock(&mm->page_table_lock);
	if (first)
		pte_barrier(mm->sys);
	else
		table_free(mm, table);
	return true;
}

pte_t *table_slot_find(const struct mm_struct *mm, unsigned long addr, struct page **parent)
{
	return walk_to(mm, addr, LAST_LEVEL - 1, parent);
}

/* The table of addr at `level`, made with those above it; NULL when memory is short. */
static struct page *level_make(struct mm_struct *mm, unsigned long addr, unsigned level)
{
	phys_addr_t phys = mm->pgd;

	for (unsigned l = FIRST_LEVEL; l < level; l++) {
		pte_t *entry = level_entry(mm->sys, phys, addr, l);

		if (unlikely(pte_none(ptep_get(entry))) && !table_insert(mm, phys, entry, l))
			return NULL;
		phys = pte_phys(ptep_get(entry));
	}
	return phys_to_page(mm->sys, phys);
}

pte_t *table_slot_make(struct mm_struct *mm, unsigned long addr, struct page **parent)
{
	*parent = level_make(mm, addr, LAST_LEVEL - 1);
	if (!*parent)
		return NULL;
	return level_entry(mm->sys, page_to_phys(mm->sys, *parent), addr, LAST_LEVEL - 1);
}

struct page *pte_table_make(struct mm_struct *mm, unsigned long addr)
{
	return level_make(mm, addr, LAST_LEVEL);
}

/* The table at addr, or NULL with the size of the empty piece that addr lies in, and its entry. */
static inline struct page *table_or_size(const struct mm_struct *mm, unsigned long addr,
					 const pte_t **entry, unsigned long *size)
{
	const uintptr_t offset = mm->sys->virt_offset;
	phys_addr_t phys = mm->pgd;

#pragma GCC unroll 4
	for (unsigned shift = LEVEL_SHIFT(FIRST_LEVEL); shift > PAGE_SHIFT; shift -= TABLE_SHIFT) {
		const pte_t *e = (const pte_t *)(uintptr_t)(phys + offset) +
				 ((addr >> shift) & (PTRS_PER_TABLE - 1));
		pte_t pte = table_entry_get(e);

		if (!pte_is_table(pte)) {
			*entry = e;
			*size = 1ul << shift;
			return NULL;
		}
		phys = pte_phys(pte);
	}
	return phys_to_page(mm->sys, phys);
}

struct page *pte_table_next(const struct mm_struct *mm, unsigned long *addr, unsigned long end)
{
	const pte_t *entry = NULL;
	struct page *table;
	unsigned long size = TABLE_SIZE;

	while (*addr < end) {
		table = table_or_size(mm, *addr, &entry, &size);
		if (table)
			return table;
		/* Pass over empty entries in place: the range may be a whole address space. */
		do {
			*addr = (*addr | (size - 1)) + 1;
			entry++;
		} while (*addr < end && ((uintptr_t)entry & ~PAGE_MASK) &&
			 !pte_is_table(ptep_get(entry)));
	}
	return NULL;
}

/*
 * Take the table under `entry`, which lies in `parent`, away if nothing is in it. Both locks, as
 * rmap.c may have found the table and wait for its ptl. NULL: still in use.
 */
static struct page *table_remove(struct mm_struct *mm, struct page *parent, pte_t *entry,
				 unsigned level)
{
	pte_t old = ptep_get(entry);
	struct page *table = phys_to_page(mm->sys, pte_phys(old));
	bool empty;

	spin_lock(mm->sys, &mm->page_table_lock);
	spin_lock(mm->sys, &table->ptl);
	empty = !table_used(table);
	if (empty) {
		set_pte_raw(mm->sys, entry, (pte_t){0}, level);
		table_use(parent, -1);
		if (unlikely(table_is_shared(old)))
			atomic_fetch_sub_explicit(&mm->nr_shared, 1, memory_order_release);
	}
	spin_unlock(&table->ptl);
	spin_unlock(&mm->page_table_lock);
	return empty ? table : NULL;
}

struct page *pte_tables_prune(struct mm_struct *mm, unsigned long addr, unsigned long floor,
			      unsigned long ceiling)
{
	struct page *list = NULL;

	for (unsigned level = LAST_LEVEL - 1; level + 1 > FIRST_LEVEL; level--) {
		unsigned long base = addr & ~(LEVEL_SIZE(level) - 1);
		struct page *parent = NULL, *table;
		pte_t *entry;

		/* ceiling 0 is the top of the address space. */
		if (base < floor || base + LEVEL_SIZE(level) - 1 > ceiling - 1)
			break;
		entry = walk_to(mm, addr, level, &parent);
		if (entry && pte_none(ptep_get(entry)))
			continue; /* a shared one has gone ahead */
		table = entry ? table_remove(mm, parent, entry, level) : NULL;
		if (!table)
			break;
		table->next = list;
		list = table;
	}
	return list;
}

static inline void drop_table(struct page *table, struct page **gone)
{
	table->next = *gone;
	*gone = table;
}

void pte_tables_drop(struct mm_struct *mm, unsigned long addr, struct page **gone)
{
	struct page *tables[LAST_LEVEL + 1];
	pte_t *entries[LAST_LEVEL], entry;
	struct mmk_system *sys = mm->sys;
	unsigned level = FIRST_LEVEL;

	tables[level] = phys_to_page(sys, mm->pgd);
	while (level < LAST_LEVEL) {
		entries[level] = level_entry(sys, page_to_phys(sys, tables[level]), addr, level);
		entry = ptep_get_locked(entries[level]);
		if (pte_none(entry))
			break; /* a shared one has gone ahead */
		tables[++level] = phys_to_page(sys, pte_phys(entry));
	}
	for (; level > FIRST_LEVEL && !table_used(tables[level]); level--) {
		set_pte_raw(sys, entries[level - 1], (pte_t){0}, level - 1);
		table_use(tables[level - 1], -1);
		drop_table(tables[level], gone);
	}
}

int mm_pgd_alloc(struct mm_struct *mm)
{
	struct page *root = table_new(mm);

	if (!root)
		return -MMK_ENOMEM;
	mm->pgd = page_to_phys(mm->sys, root);
	return 0;
}

static void drop_level(struct mm_struct *mm, phys_addr_t phys, unsigned level, struct page **gone)
{
	pte_t *entries = phys_to_virt(mm->sys, phys);
	struct page *table = phys_to_page(mm->sys, phys);
	uint32_t left = level < LAST_LEVEL ? table_used(table) : 0;

	for (unsigned long i = 0; left && i < PTRS_PER_TABLE; i++) {
		if (!pte_is_table(entries[i]))
			continue;
		drop_level(mm, pte_phys(entries[i]), level + 1, gone);
		set_pte_raw(mm->sys, entries + i, (pte_t){0}, level);
		left--;
	}
	MMK_BUG_ON(mm->sys, load_relaxed(&table->sharers));
	drop_table(table, gone);
}

void mm_pgd_free(struct mm_struct *mm, struct page *gone)
{
	struct page *next;

	drop_level(mm, mm->pgd, FIRST_LEVEL, &gone);
	mm->pgd = 0;
	/* Who walks there next, on whatever CPU, finds the zeros and not what was there before. */
	pte_barrier(mm->sys);
	for (struct page *table = gone; table; table = next) {
		next = table->next;
		/* A fault without mmap_lock in an mm that has had it as well may still hold it. */
		if (unlikely(table->traits & TABLE_WAS_SHARED))
			table_retire(mm, table);
		else
			table_free(mm, table);
	}
}
