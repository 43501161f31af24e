/* SPDX-License-Identifier: MIT */
/*
 * What happens to the pages of a range of an address space when its VMAs change: protection, fork,
 * move, and looking at them. Each goes table by table, under the lock of one table (two where pages
 * move between tables). Unmapping is in gather.c, making pages appear in fault.c.
 */
#include "mm/internal.h"
#include "mm/lazyfree.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"

bool vma_wants_writenotify(const struct vm_area_struct *vma)
{
	const uint64_t both = MMK_VM_WRITE | MMK_VM_SHARED;
	struct address_space *mapping;

	if ((vma->vm_flags & both) != both)
		return false;
	mapping = vma_page_cache(vma);
	return mapping && mapping->ops && mapping->ops->read;
}

pgprot_t vma_page_prot(const struct vm_area_struct *vma)
{
	uint64_t flags = vma->vm_flags;

	/* Without write permission in the entry the first write of a clean page faults. */
	if (vma_wants_writenotify(vma))
		flags &= ~MMK_VM_SHARED;
	return vm_get_page_prot(flags);
}

/* ---- mprotect ---- */

/*
 * The entry under its new protection. What could be written at once before and may be written again
 * stays so: a dirty page of a shared file, an anonymous page of one owner.
 */
static pte_t protect_pte(const struct vm_area_struct *vma, pte_t old, pgprot_t prot)
{
	struct mmk_system *sys = vma->vm_mm->sys;
	pte_t pte = pte_modify(old, prot);
	struct page *page = pte_counted_page(sys, old);

	if (!page)
		return pte;
	if (vma_tracks_soft_dirty(vma) && !pte_soft_dirty(pte))
		pte = pte_wrprotect(pte);
	else if ((vma->vm_flags & MMK_VM_WRITE) && pte_dirty(pte) && !pte_write(pte)) {
		bool keep = vma->vm_flags & MMK_VM_SHARED ? pte_write(old) : page_reusable(page);

		if (keep)
			pte = pte_mkwrite(pte);
	}
	if (pte_hw_writable(pte))
		page_clear_exec(page);
	if (pte_user_exec(pte))
		sync_icache_page(sys, page);
	return pte;
}

/* What of a page's flags is not as in an anonymous page of one owner, whose bytes no CPU executes. */
static inline uint32_t page_unlike_owned(const struct mmk_system *sys, pte_t pte)
{
	const uint32_t kind = 0xffu << PG_KIND_SHIFT;
	const struct page *page = phys_to_page(sys, pte_phys(pte));

	return (atomic_load_explicit(&page->flags, memory_order_relaxed) ^
	        (PAGE_ANON << PG_KIND_SHIFT | PG_ANON_EXCL)) &
	       (kind | PG_ANON_EXCL | PG_EXEC_CLEAN);
}

/*
 * Entries like the first one, one after the other, up to n, change alike, four at a time; `owned`: as
 * far as their pages are simply owned. Returns how many.
 */
static unsigned long change_alike(struct mmk_system *sys, pte_t *ptep, unsigned long n,
                                  pte_t difference, bool owned)
{
	pte_t first = ptep_get_locked(ptep), *p = ptep, *end = ptep + n;

	for (; end - p >= 4; p += 4) {
		pte_t a = p[0], b = p[1], c = p[2], d = p[3];

		if (!ptes_alike(a, b, c, d, first))
			break;
		if (owned && (page_unlike_owned(sys, a) | page_unlike_owned(sys, b) |
			      page_unlike_owned(sys, c) | page_unlike_owned(sys, d)))
			break;
		set_pte_rights(sys, p, a, pte_apply(a, difference));
		set_pte_rights(sys, p + 1, b, pte_apply(b, difference));
		set_pte_rights(sys, p + 2, c, pte_apply(c, difference));
		set_pte_rights(sys, p + 3, d, pte_apply(d, difference));
	}
	return (unsigned long)(p - ptep);
}

/*
 * The usual case in a tight loop: entries that are like the first one, and change as it does,
 * whatever their pages. Returns how many of n have been changed; the next one is another case.
 */
static unsigned long protect_alike(const struct vm_area_struct *vma, pte_t *ptep, unsigned long n,
                                   pgprot_t prot)
{
	struct mmk_system *sys = vma->vm_mm->sys;
	pte_t first = ptep_get_locked(ptep), pte = pte_modify(first, prot), difference;
	bool owned = (vma->vm_flags & MMK_VM_WRITE) && pte_dirty(pte) && !pte_write(pte);

	if (!pte_valid(first) || pte_special(first) || vma_tracks_soft_dirty(vma))
		return 0;
	if (pte_user_exec(pte) || pte_hw_writable(pte) ||
	    (owned && (vma->vm_flags & MMK_VM_SHARED)))
		return 0;
	if (owned)
		pte = pte_mkwrite(pte);
	difference = pte_difference(first, pte);
	return pte_none(difference) ? 0 : change_alike(sys, ptep, n, difference, owned);
}

/* One entry by itself: has it changed, and was it one that TLBs may have? */
struct protected {
	bool changed, cached;
};

static __attribute__((noinline)) struct protected protect_one(const struct vm_area_struct *vma,
							      pte_t *ptep, pgprot_t prot)
{
	pte_t old = ptep_get(ptep), pte;

	pte = pte_present(old) ? protect_pte(vma, old, prot) : old;
	if (pte_same(pte, old))
		return (struct protected){false, false};
	set_pte_raw(vma->vm_mm->sys, ptep, pte, LAST_LEVEL);
	return (struct protected){true, pte_valid(old)};
}

static void protect_table(struct vm_area_struct *vma, struct page *table, unsigned long addr,
                          unsigned long end, struct mmu_gather *tlb)
{
	struct mmk_system *sys = vma->vm_mm->sys;
	pgprot_t prot = vma_page_prot(vma);
	pte_t *ptep = table_pte(sys, table, addr);

	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		unsigned long alike = protect_alike(vma, ptep, (end - addr) >> PAGE_SHIFT, prot);
		struct protected one;

		if (alike) {
			tlb->cleared += alike;
			tlb_cover(tlb, addr);
			addr += (alike - 1) * PAGE_SIZE;
			tlb_cover(tlb, addr);
			ptep += alike - 1;
			continue;
		}
		one = protect_one(vma, ptep, prot);
		tlb->cleared += one.changed;
		if (one.cached)
			tlb_cover(tlb, addr);
	}
	/* Within the lock: who finds the page read-only here may rely on it. */
	tlb_gather_flush(tlb);
}

static void change_tables(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = start;
	struct mmu_gather tlb;
	struct page *table;

	tlb_gather_none(&tlb, mm);
	while (addr < end && (table = pte_table_next(mm, &addr, end))) {
		unsigned long stop = table_end(addr, end);

		if (table_maybe_used(mm->sys, table)) {
			spin_lock(mm->sys, &table->ptl);
			protect_table(vma, table, addr, stop, &tlb);
			spin_unlock(&table->ptl);
		}
		addr = stop;
		cond_resched(mm->sys);
	}
	if (tlb.cleared)
		pte_barrier(mm->sys);
	count_events(mm->sys, pte_writes, tlb.cleared);
}

void change_protection(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct protected one;
	struct page *table;

	if (end - start != PAGE_SIZE) {
		change_tables(vma, start, end);
		return;
	}
	/* What guards a stack, or is sealed after it was written, is often one page. */
	table = pte_table_next(mm, &start, end);
	if (!table || !table_maybe_used(mm->sys, table))
		return;
	spin_lock(mm->sys, &table->ptl);
	one = protect_one(vma, table_pte(mm->sys, table, start), vma_page_prot(vma));
	if (one.cached)
		flush_tlb_range(mm, start, end, false);
	spin_unlock(&table->ptl);
	if (one.changed)
		pte_barrier(mm->sys);
	count_events(mm->sys, pte_writes, one.changed);
}

/* ---- fork ---- */

/* One present entry: both address spaces end up with the page, neither with a right to write it. */
static void copy_pte(struct fork_copy *c, pte_t *dst, pte_t *src, pte_t pte)
{
	struct mmk_system *sys = c->src->vm_mm->sys;
	struct page *page = pte_counted_page(sys, pte);

	if (vma_is_cow(c->src) && pte_write(pte)) {
		pte = pte_wrprotect(pte);
		set_pte_raw(sys, src, pte, LAST_LEVEL);
		c->written++;
	}
	if (c->src->vm_flags & MMK_VM_SHARED)
		pte = pte_mkclean(pte);
	if (page) {
		if (page_is_anon(page))
			page_clear(page, PG_ANON_EXCL);
		get_page(page);
		page_map_add(page);
		c->rss[page_rss_kind(page)]++;
	}
	set_pte_raw(sys, dst, pte, LAST_LEVEL);
	c->written++;
}

/*
 * The usual case in a tight loop: entries one after the other, up to n, of anonymous pages. Returns
 * how many; the next one is another case.
 */
static unsigned long copy_anon_pages(struct fork_copy *c, pte_t *dst, pte_t *src, unsigned long n)
{
	struct mmk_system *sys = c->src->vm_mm->sys;
	unsigned long i;

	for (i = 0; i < n; i++) {
		pte_t pte = ptep_get_locked(src + i), shared = pte_wrprotect(pte);
		struct page *page;

		if (!pte_valid(pte) || pte_special(pte))
			break;
		page = phys_to_page(sys, pte_phys(pte));
		if (!page_is_anon(page))
			break;
		if (page_test(page, PG_ANON_EXCL))
			page_clear(page, PG_ANON_EXCL);
		get_page(page);
		page_map_add(page);
		if (!pte_same(pte, shared))
			set_pte_rights(sys, src + i, pte, shared);
		set_pte_rights(sys, dst + i, (pte_t){0}, shared);
	}
	c->rss[RSS_ANON] += (int64_t)i;
	c->written += 2 * i;
	return i;
}

/* A guard is the child's as well. */
static void copy_marker(struct fork_copy *c, pte_t *dst, pte_t pte)
{
	set_pte_raw(c->src->vm_mm->sys, dst, pte, LAST_LEVEL);
	c->written++;
}

static void copy_table(struct fork_copy *c, struct page *to, struct page *from, unsigned long addr,
                       unsigned long end)
{
	struct mmk_system *sys = c->src->vm_mm->sys;
	struct address_space *mapping = vma_page_cache(c->src);
	pte_t *dst = table_pte(sys, to, addr), *src = table_pte(sys, from, addr);
	bool cow = vma_is_cow(c->src);

	/* Truncation finds a page in neither place or in both: the new VMA is in i_mmap already. */
	if (mapping)
		i_mmap_lock(mapping);
	spin_lock(sys, &to->ptl);
	spin_lock(sys, &from->ptl);
	if (unlikely(from->traits & TABLE_LAZY))
		lazyfree_hint(c->dst->vm_mm, to);
	from->traits |= TABLE_MIXED;
	to->traits |= from->traits;
	for (; addr < end; addr += PAGE_SIZE, dst++, src++) {
		pte_t pte = ptep_get_locked(src);

		if (pte_valid(pte) && cow) {
			unsigned long n = copy_anon_pages(c, dst, src, (end - addr) >> PAGE_SHIFT);

			table_use(to, (int)n);
			addr += n * PAGE_SIZE;
			dst += n;
			src += n;
			if (addr == end)
				break;
			pte = ptep_get_locked(src);
		}
		if (pte_none(pte)) {
			unsigned long none = ptes_skip_none(src, (end - addr) >> PAGE_SHIFT) - 1;

			addr += none * PAGE_SIZE;
			dst += none;
			src += none;
			continue;
		}
		if (likely(pte_present(pte)))
			copy_pte(c, dst, src, pte);
		else
			copy_marker(c, dst, pte);
		table_use(to, 1);
	}
	spin_unlock(&from->ptl);
	spin_unlock(&to->ptl);
	if (mapping)
		i_mmap_unlock(mapping);
}

/*
 * Without anonymous pages there is nothing that a fault in the child would not find again, but
 * frames that are mapped without faults. (A guard gives its VMA an anon_vma: guard.c.) The child's has
 * the say, as a fault that was on its way may give the parent's its first page now.
 */
static bool vma_needs_copy(const struct vm_area_struct *dst, const struct vm_area_struct *src)
{
	return vma_anon_vma(dst) || ((src->vm_flags & (MMK_VM_PFNMAP | MMK_VM_MIXEDMAP)) &&
				 !(src->vm_ops && src->vm_ops->fault));
}

/* The child's table of addr. NULL: no memory. */
static struct page *copy_target(struct fork_copy *c, unsigned long addr)
{
	unsigned long base = addr & ~(TABLE_SIZE - 1);

	if (base == c->base)
		return c->to;
	c->to = pte_table_make(c->dst->vm_mm, addr);
	c->base = base;
	return c->to;
}

/* The part of `from` that [addr, end) is, shared or copied. 0 or -ENOMEM. */
static int fork_table(struct fork_copy *c, struct page *from, unsigned long addr, unsigned long end)
{
	struct mm_struct *mm = c->src->vm_mm;
	const bool shares = mm_shares(mm); /* asked before: the last that is given up leaves none */
	int shared = table_share(c->dst, c->src, from, addr);
	struct page *to;

	if (shared)
		return shared < 0 ? shared : 0;
	if (table_own(mm, addr))
		return -MMK_ENOMEM;
	to = copy_target(c, addr);
	if (!to)
		return -MMK_ENOMEM;
	copy_table(c, to, unlikely(shares) ? pte_table_find(mm, addr) : from, addr, end);
	return 0;
}

int copy_page_range(struct fork_copy *c, struct vm_area_struct *dst, struct vm_area_struct *src)
{
	struct mm_struct *mm = src->vm_mm;
	unsigned long addr = src->vm_start;
	struct page *from;
	int rc = 0;

	if (!vma_needs_copy(dst, src))
		return 0;
	c->dst = dst;
	c->src = src;
	while (!rc && addr < src->vm_end && (from = pte_table_next(mm, &addr, src->vm_end))) {
		unsigned long stop = table_end(addr, src->vm_end);

		if (table_used(from))
			rc = fork_table(c, from, addr, stop);
		addr = stop;
		cond_resched(mm->sys);
	}
	return rc;
}

void copy_end(struct fork_copy *c, struct mm_struct *child)
{
	for (int kind = 0; kind < NR_RSS; kind++)
		mm_rss_add(child, kind, c->rss[kind]);
	count_events(child->sys, pte_writes, c->written);
	pte_barrier(child->sys);
}

/* ---- mremap ---- */

static void lock_two(const struct mmk_system *sys, struct page *a, struct page *b)
{
	spin_lock(sys, a < b ? &a->ptl : &b->ptl);
	if (a != b)
		spin_lock(sys, a < b ? &b->ptl : &a->ptl);
}

static void unlock_two(struct page *a, struct page *b)
{
	spin_unlock(&a->ptl);
	if (a != b)
		spin_unlock(&b->ptl);
}

/*
 * Move the entries of [old, old + len), which lie in one table each. Old ones are flushed before
 * they reappear.
 */
static void move_entries(struct mm_struct *mm, struct page *from, struct page *to,
                         unsigned long old, unsigned long new, unsigned long len)
{
	struct mmk_system *sys = mm->sys;
	pte_t *src = table_pte(sys, from, old), *dst = table_pte(sys, to, new);
	unsigned long n = len >> PAGE_SHIFT, moved = 0, valid = 0;

	lock_two(sys, from, to);
	if (unlikely(from->traits & TABLE_LAZY))
		lazyfree_hint(mm, to);
	to->traits |= from->traits;
	for (unsigned long i = 0; i < n; i++) {
		pte_t pte = ptep_get(src + i);

		if (pte_none(pte))
			continue;
		/* It is new where it now is. */
		set_pte_raw(sys, dst + i, pte_present(pte) ? pte_mksoft_dirty(pte) : pte,
		            LAST_LEVEL);
		set_pte_raw(sys, src + i, (pte_t){0}, LAST_LEVEL);
		valid += pte_valid(pte);
		moved++;
	}
	table_use(from, -moved);
	table_use(to, moved);
	if (valid)
		flush_tlb_range(mm, old, old + len, false);
	unlock_two(from, to);
	if (moved) {
		count_events(sys, pte_writes, 2 * moved);
		pte_barrier(sys);
	}
}

/*
 * A file's VMA: the walk over its mappings (truncate, writeback) sees the old place or the new one,
 * but could miss a page between the two, so it is kept out meanwhile.
 */
static bool move_step(struct vm_area_struct *vma, struct vm_area_struct *new_vma, unsigned long old,
                      unsigned long new, unsigned long len)
{
	struct address_space *mapping = vma_page_cache(vma);
	struct mm_struct *mm = vma->vm_mm;
	struct page *from = pte_table_find(mm, old), *to;

	if (!from || !table_used(from))
		return true;
	to = pte_table_make(new_vma->vm_mm, new);
	if (!to)
		return false;
	if (mapping)
		i_mmap_lock(mapping);
	move_entries(mm, from, to, old, new, len);
	if (mapping)
		i_mmap_unlock(mapping);
	return true;
}

unsigned long move_page_tables(struct vm_area_struct *vma, unsigned long old,
                               struct vm_area_struct *new_vma, unsigned long new_addr,
                               unsigned long len)
{
	unsigned long done = 0;

	while (done < len) {
		unsigned long from = old + done, to = new_addr + done;
		unsigned long step = table_end(from, old + len) - from;
		unsigned long room = table_end(to, new_addr + len) - to;

		if (room < step)
			step = room;
		if (!move_step(vma, new_vma, from, to, step))
			break;
		done += step;
		cond_resched(vma->vm_mm->sys);
	}
	return done;
}

/* ---- mincore ---- */

/* Which pages of [start, end), which one table covers, are mapped. */
static void mincore_mapped(struct mm_struct *mm, unsigned long start, unsigned long end,
                           unsigned char *vec)
{
	size_t n = (end - start) >> PAGE_SHIFT;
	struct page *table = table_find_lock(mm, start);
	const pte_t *ptep;

	if (!table) {
		__builtin_memset(vec, 0, n);
		return;
	}
	ptep = table_pte(mm->sys, table, start);
	for (size_t i = 0; i < n; i++)
		vec[i] = pte_present(ptep_get_locked(ptep + i));
	spin_unlock(&table->ptl);
}

/* And which of the others the cache has. */
static void mincore_cached(struct address_space *mapping, uint64_t index, size_t n,
                           unsigned char *vec)
{
	for (size_t i = 0; i < n; i++) {
		struct page *page = vec[i] ? NULL : filemap_peek(mapping, index + i);

		if (!page)
			continue;
		put_page(mapping->sys, page);
		vec[i] = 1;
	}
}

void mincore_range(struct vm_area_struct *vma, unsigned long start, unsigned long end,
                   unsigned char *vec)
{
	struct address_space *mapping = vma_page_cache(vma);
	unsigned long stop;

	for (unsigned long addr = start; addr < end; addr = stop) {
		stop = table_end(addr, end);
		mincore_mapped(vma->vm_mm, addr, stop, vec + ((addr - start) >> PAGE_SHIFT));
	}
	if (mapping)
		mincore_cached(mapping, linear_page_index(vma, start), (end - start) >> PAGE_SHIFT,
		               vec);
}
