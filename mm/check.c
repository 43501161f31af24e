/* SPDX-License-Identifier: MIT */
/*
 * Every invariant of the core that can be stated, counted anew from the ground and compared with
 * what is kept: VMAs and their index, the figures of an mm, i_mmap, page tables, frames, the commit
 * charge. Tests call this after every operation; an embedder may when it suspects something.
 * Nothing is changed, nothing is allocated.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"
#include "mm/frame_cache.h"

struct checker {
	struct text text;
	unsigned bad;
};

/* What one mm adds up to. */
struct mm_sums {
	uint64_t vmas, total, data, exec, stack, locked, accounted;
	int64_t rss[NR_RSS], tables;
	uint64_t ptes; /* entries that count a page */
	uint64_t shared; /* tables that others may have */
};

/* Note a violation; the first one is described. */
static void violated(struct checker *c, const char *what, uint64_t a, uint64_t b)
{
	if (c->bad++)
		return;
	text_str(&c->text, what);
	text_str(&c->text, " (0x");
	text_hex(&c->text, a, 1);
	text_str(&c->text, ", 0x");
	text_hex(&c->text, b, 1);
	text_char(&c->text, ')');
}

static void check(struct checker *c, bool holds, const char *what, uint64_t a, uint64_t b)
{
	if (!holds)
		violated(c, what, a, b);
}

static void check_equal(struct checker *c, const char *what, uint64_t kept, uint64_t counted)
{
	check(c, kept == counted, what, kept, counted);
}

/* ---- the index ---- */

static struct range_node *node_range(struct rb_node *rb)
{
	return rb ? container_of(rb, struct range_node, rb) : NULL;
}

static struct rb_node *node_parent(const struct rb_node *rb)
{
	return (struct rb_node *)(rb->parent_color & ~(uintptr_t)3);
}

/* The longest way down may be twice the shortest: that is what a red-black tree promises. */
static unsigned tree_depth(struct checker *c, struct rb_node *rb, unsigned depth,
                           unsigned *shallowest)
{
	struct range_node *n = node_range(rb);
	unsigned long gap, hole, lgap, rgap;
	unsigned l, r;

	if (!rb) {
		if (depth < *shallowest)
			*shallowest = depth;
		return depth;
	}
	if (depth > 128) {
		violated(c, "the index is too deep", depth, 0);
		return depth;
	}
	check(c, !rb->left || node_parent(rb->left) == rb, "a left child knows another parent",
	      n->start, 0);
	check(c, !rb->right || node_parent(rb->right) == rb, "a right child knows another parent",
	      n->start, 0);
	l = tree_depth(c, rb->left, depth + 1, shallowest);
	r = tree_depth(c, rb->right, depth + 1, shallowest);
	lgap = rb->left ? node_range(rb->left)->gap : 0;
	rgap = rb->right ? node_range(rb->right)->gap : 0;
	gap = lgap > rgap ? lgap : rgap;
	hole = range_hole(n) > RANGE_GAP_CAP ? RANGE_GAP_CAP : range_hole(n);
	check_equal(c, "largest gap of a subtree", n->gap, hole > gap ? hole : gap);
	return l > r ? l : r;
}

static void check_index(struct checker *c, const struct mm_struct *mm)
{
	unsigned shallowest = ~0u;
	unsigned deepest = tree_depth(c, mm->vmas.root.node, 0, &shallowest);

	check(c, deepest <= 2 * shallowest + 1, "the index is out of balance", deepest, shallowest);
}

/* ---- VMAs ---- */

static void check_i_mmap(struct checker *c, const struct vm_area_struct *vma)
{
	struct address_space *m = vma->vm_file ? vma->vm_file->f_mapping : NULL;
	struct vm_area_struct *v = NULL;

	if (!m)
		return;
	i_mmap_lock(m);
	do
		v = itv_next(&m->i_mmap, v, vma->vm_pgoff, vma->vm_pgoff + vma_pages(vma) - 1);
	while (v && v != vma);
	i_mmap_unlock(m);
	check(c, v == vma, "a VMA is not in its file's i_mmap", vma->vm_start, vma->vm_pgoff);
}

/* The hole before a VMA (NULL: behind the last) is none that the index has called too small. */
static void check_full(struct checker *c, const struct range_tree *t,
		       const struct vm_area_struct *vma)
{
	unsigned long start, end = vma && vma->vm_start < t->full_high ? vma->vm_start : t->full_high;

	if (!t->full_from || (vma && vma->vm_start <= t->full_from->start))
		return;
	start = vma ? vma->vm_start - range_hole(&vma->range) : t->last->end;
	check(c, start >= end || end - start < t->full_len, "the index has forgotten a hole", start,
	      t->full_len);
}

static void check_vma(struct checker *c, const struct mm_struct *mm,
                      const struct vm_area_struct *vma, const struct vm_area_struct *prev)
{
	unsigned long start = vma->vm_start, end = vma->vm_end, floor = prev ? prev->vm_end : 0;

	check(c, vma->vm_mm == mm, "a VMA belongs to another mm", start, end);
	check(c, !((start | end) & ~PAGE_MASK), "a VMA is not page-aligned", start, end);
	check(c, start < end && end <= TASK_SIZE, "a VMA is empty or beyond", start, end);
	check(c, start >= floor, "VMAs overlap", floor, start);
	check(c, vma->range.prev == (prev ? &prev->range : NULL), "a VMA has another predecessor",
	      start, floor);
	check(c, !(vma->vm_flags & MMK_VM_LOCKED) || !(vma->vm_flags & VM_SPECIAL),
	      "a device's VMA is locked", start, vma->vm_flags);
	check(c, !(vma->vm_flags & MMK_VM_LOCKONFAULT) || (vma->vm_flags & MMK_VM_LOCKED),
	      "LOCKONFAULT without LOCKED", start, vma->vm_flags);
	check(c, anon_vma_is_of(mm, vma_anon_vma(vma)), "an anon_vma of nobody's", start,
	      vma_anon_vma(vma));
	check_full(c, &mm->vmas, vma);
	check_i_mmap(c, vma);
}

static void sum_vma(struct mm_sums *s, const struct vm_area_struct *vma)
{
	const uint64_t kind = MMK_VM_WRITE | MMK_VM_SHARED | MMK_VM_GROWSDOWN | MMK_VM_EXEC;
	uint64_t pages = vma_pages(vma), flags = vma->vm_flags;

	s->vmas++;
	s->total += pages;
	if ((flags & kind & ~MMK_VM_SHARED) == MMK_VM_EXEC)
		s->exec += pages;
	else if (flags & MMK_VM_GROWSDOWN)
		s->stack += pages;
	else if ((flags & kind & ~MMK_VM_EXEC) == MMK_VM_WRITE)
		s->data += pages;
	if (flags & MMK_VM_LOCKED)
		s->locked += pages;
	if (flags & MMK_VM_ACCOUNT)
		s->accounted += pages;
}

static void check_vmas(struct checker *c, const struct mm_struct *mm, struct mm_sums *s)
{
	const struct vm_area_struct *vma, *prev = NULL;

	vma_for_each (vma, mm) {
		check_vma(c, mm, vma, prev);
		sum_vma(s, vma);
		prev = vma;
	}
	check_equal(c, "map_count", mm->map_count, s->vmas);
	check_equal(c, "total_vm", mm->total_vm, s->total);
	check_equal(c, "data_vm", mm->data_vm, s->data);
	check_equal(c, "exec_vm", mm->exec_vm, s->exec);
	check_equal(c, "stack_vm", mm->stack_vm, s->stack);
	check_equal(c, "locked_vm", mm->locked_vm, s->locked);
}

/* ---- page tables ---- */

/* PAGE_KERNEL: a frame of the embedder's, as the vdso's. */
static bool may_be_mapped(enum page_kind kind)
{
	return kind == PAGE_ANON || kind == PAGE_CACHE || kind == PAGE_KERNEL;
}

static void check_page(struct checker *c, const struct mm_struct *mm, struct mm_sums *s,
                       unsigned long addr, pte_t pte)
{
	struct page *page = pte_counted_page(mm->sys, pte);
	enum page_kind kind;

	if (!page)
		return;
	check(c, phys_is_ram(mm->sys, pte_phys(pte)), "an entry names no RAM", addr, pte.v);
	kind = page_kind(page);
	check(c, may_be_mapped(kind), "an entry maps a frame of another kind", addr, kind);
	check(c, page->mapcount >= 1, "a mapped page has no mapcount", addr, page->mapcount);
	check(c, page->refcount >= (uint32_t)page->mapcount, "fewer references than mappings",
	      page->refcount, page->mapcount);
	s->rss[page_rss_kind(page)]++;
	s->ptes++;
}

static void check_leaf(struct checker *c, const struct mm_struct *mm, struct mm_sums *s,
                       unsigned long addr, pte_t pte)
{
	const struct vm_area_struct *vma = find_vma(mm, addr);
	bool mapped = vma && vma->vm_start <= addr;

	check(c, mapped, "an entry is not none where nothing is mapped", addr, pte.v);
	if (!pte_present(pte)) {
		check(c, pte_is_guard(pte), "a marker of a kind that nothing makes", addr, pte.v);
		check(c, !mapped || vma_anon_vma(vma), "fork would miss a guard", addr, pte.v);
		return;
	}
	if (mapped) {
		check(c, (vma->vm_flags & MMK_VM_WRITE) || !pte_hw_writable(pte),
		      "an entry lets write what the VMA does not", addr, pte.v);
		check(c, (vma->vm_flags & MMK_VM_EXEC) || !pte_user_exec(pte),
		      "an entry lets execute what the VMA does not", addr, pte.v);
		check(c, (vma->vm_flags & VM_ACCESS_FLAGS) || !pte_valid(pte),
		      "an entry lets touch what the VMA does not", addr, pte.v);
	}
	check_page(c, mm, s, addr, pte);
}

/* The table's traits say what it may hold: fork relies on that. */
static void check_traits(struct checker *c, const struct mm_struct *mm, const struct page *table,
                         unsigned long addr, pte_t pte)
{
	struct page *page = pte_page_or_null(mm->sys, pte);

	check(c, page || (table->traits & TABLE_UNCOUNTED), "a table hides an entry without a page",
	      addr, pte.v);
	check(c, pte_present(pte) || (table->traits & TABLE_MARKERS), "a table hides a marker",
	      addr, pte.v);
	if (page && page_is_anon(page) && !(table->traits & TABLE_MIXED))
		check_equal(c, "mapcount of a page of one table", page->mapcount, 1);
}

/* One that others may have: private memory, which no file and no reclaim leads to. */
static void check_shared_leaf(struct checker *c, const struct mm_struct *mm,
                              const struct page *table, unsigned long addr, pte_t pte)
{
	const struct vm_area_struct *vma = find_vma(mm, addr);
	bool mapped = vma && vma->vm_start <= addr;

	check(c, !mapped || (!vma->vm_ops && !(vma->vm_flags & MMK_VM_SHARED)),
	      "a shared table holds what is not anonymous", addr, pte.v);
	check(c, pte_present(pte), "a shared table holds a marker", addr, pte.v);
	if (table_sharers(table) > 1 && (table->traits & TABLE_MIXED))
		check(c, !pte_hw_writable(pte), "a mixed table lets write", addr, pte.v);
}

/* Who looks for lazily freed pages finds this one. */
static void check_lazy(struct checker *c, const struct mm_struct *mm, const struct page *table,
                       unsigned long addr, pte_t pte)
{
	struct page *page = pte_page_or_null(mm->sys, pte);

	if (!page || !page_test(page, PG_LAZYFREE))
		return;
	check(c, page_is_anon(page), "a page that is not anonymous is lazily freed", addr, pte.v);
	if (page_test(page, PG_DROPPABLE))
		check(c, mm->lazy & MM_LAZY_DROPPABLE, "a droppable page is hidden", addr, pte.v);
	else if (!pte_dirty(pte))
		check(c, (table->traits & TABLE_LAZY) && (mm->lazy & MM_LAZY_FREED) && mm->sys->lazy,
		      "a lazily freed page is hidden", addr, pte.v);
}

static void check_table(struct checker *c, const struct mm_struct *mm, struct mm_sums *s,
                        struct page *table, unsigned long base, unsigned level, bool shared)
{
	const pte_t *entries = table_entries(mm->sys, table);
	uint32_t used = 0;

	check(c, page_kind(table) == PAGE_TABLE, "a table is no table", base, page_kind(table));
	check(c, shared || table->table_mm == mm, "a table belongs to another mm", base, level);
	check(c, shared || table_sharers(table) == 1, "a table is shared, but may be written", base,
	      level);
	for (unsigned long i = 0; i < PTRS_PER_TABLE; i++) {
		pte_t entry = ptep_get(&entries[i]);
		unsigned long addr = base + (i << LEVEL_SHIFT(level));

		if (pte_none(entry))
			continue;
		used++;
		if (level == LAST_LEVEL) {
			check_leaf(c, mm, s, addr, entry);
			check_traits(c, mm, table, addr, entry);
			check_lazy(c, mm, table, addr, entry);
			if (shared)
				check_shared_leaf(c, mm, table, addr, entry);
		} else if (pte_is_table(entry)) {
			s->tables++;
			s->shared += table_is_shared(entry);
			check_table(c, mm, s, phys_to_page(mm->sys, pte_phys(entry)), addr,
			            level + 1, table_is_shared(entry));
		} else {
			violated(c, "an entry of an upper level is no table", addr, entry.v);
		}
	}
	check_equal(c, "entries in use of a table", table_used(table), used);
}

static void check_tables(struct checker *c, const struct mm_struct *mm, struct mm_sums *s)
{
	check_table(c, mm, s, phys_to_page(mm->sys, mm->pgd), 0, FIRST_LEVEL, false);
	check_equal(c, "pgtables", mm->pgtables, s->tables);
	check_equal(c, "shared tables", mm->nr_shared, s->shared);
	check_equal(c, "rss_anon", mm_rss_of(mm, RSS_ANON), s->rss[RSS_ANON]);
	check_equal(c, "rss_file", mm_rss_of(mm, RSS_FILE), s->rss[RSS_FILE]);
	check_equal(c, "rss_shmem", mm_rss_of(mm, RSS_SHMEM), s->rss[RSS_SHMEM]);
}

/* Faults that hold mmap_lock for reading are kept out. */
static void check_mm(struct checker *c, struct mm_struct *mm, struct mm_sums *s)
{
	mmap_write_lock(mm);
	check_index(c, mm);
	check_vmas(c, mm, s);
	check_tables(c, mm, s);
	mmap_write_unlock(mm);
}

unsigned mmk_mm_check(struct mmk_mm *mm, char *buf, size_t size)
{
	struct checker c = {.bad = 0};
	struct mm_sums s = {.vmas = 0};

	text_begin(&c.text, buf, size);
	check_mm(&c, mm, &s);
	return c.bad;
}

/* ---- the system ---- */

/* The next mm after `mm` (NULL: the first), with a reference; that on `mm` is dropped. */
static struct mm_struct *next_mm(struct mmk_system *sys, struct mm_struct *mm)
{
	struct mm_struct *next;

	spin_lock(sys, &sys->mms_lock);
	for (next = mm ? mm->next_mm : sys->mms; next; next = next->next_mm) {
		uint32_t users = atomic_load_explicit(&next->users, memory_order_relaxed);

		while (users && !atomic_compare_exchange_weak(&next->users, &users, users + 1))
			;
		if (users)
			break; /* the others are on their way out */
	}
	spin_unlock(&sys->mms_lock);
	if (mm)
		mmk_mm_put(mm);
	return next;
}

struct frame_sums {
	uint64_t kind[8], objects;
	uint64_t shared; /* entries of tables that count pages once, for each further mm */
	uint64_t sharers; /* of tables, after the first of each */
	int64_t mapcount;
};

static void check_used_frame(struct checker *c, const struct mmk_system *sys, struct page *page)
{
	enum page_kind kind = page_kind(page);

	check(c, kind == PAGE_RESERVED || page->refcount, "a used frame has no reference",
	      page_to_phys(sys, page), kind);
	if (may_be_mapped(kind))
		check(c, page->mapcount >= 0 && page->refcount >= (uint32_t)page->mapcount,
		      "fewer references than mappings", page_to_phys(sys, page), page->mapcount);
	check(c, kind != PAGE_ANON || page->mapcount, "an anonymous frame that no entry maps",
	      page_to_phys(sys, page), page->refcount);
}

/* Its pages count the table once, the mms that have it have each been counted. */
static void sum_shared_table(struct frame_sums *s, const struct mmk_system *sys,
                             const struct page *table)
{
	const pte_t *entries = table_entries(sys, table);
	uint64_t others = table_sharers(table) - 1;

	s->sharers += others;
	if (!others || (table->traits & TABLE_MIXED))
		return;
	for (unsigned long i = 0; i < PTRS_PER_TABLE; i++) {
		pte_t pte = ptep_get(&entries[i]);

		if (pte_page_or_null(sys, pte))
			s->shared += others;
	}
}

/* Block by block: what lies behind a block's first frame has no say. */
static void sum_frames(struct checker *c, struct mmk_system *sys, struct frame_sums *s)
{
	uint64_t i = 0;

	while (i < sys->nr_frames) {
		struct page *page = &sys->mem_map[i];
		enum page_kind kind = page_kind(page);
		unsigned order = page->flags & PG_ORDER_MASK;

		if (page->flags == FRAME_CACHED)
			order = 0;
		if (order >= MAX_ORDER || kind > PAGE_CACHE) {
			violated(c, "a frame is no block's first", i, page->flags);
			return;
		}
		s->kind[kind] += 1ull << order;
		if (may_be_mapped(kind))
			s->mapcount += page->mapcount;
		else if (kind == PAGE_SLAB)
			s->objects += page->nr_used;
		if (kind == PAGE_TABLE)
			sum_shared_table(s, sys, page);
		if (kind != PAGE_FREE)
			check_used_frame(c, sys, page);
		i += 1ull << order;
	}
	check_equal(c, "free frames", frames_free(sys), s->kind[PAGE_FREE]);
	for (int kind = PAGE_RESERVED; kind <= PAGE_CACHE; kind++)
		check_equal(c, "frames of a kind", frames_of_kind(sys, kind), s->kind[kind]);
}

unsigned mmk_check(struct mmk_system *sys, char *buf, size_t size)
{
	struct checker c = {.bad = 0};
	struct mm_sums s = {.vmas = 0}; /* tables: with the roots */
	struct frame_sums frames = {.mapcount = 0};
	uint64_t accounted = 0;
	struct mm_struct *mm;

	text_begin(&c.text, buf, size);
	for (mm = next_mm(sys, NULL); mm; mm = next_mm(sys, mm)) {
		struct mm_sums one = {.vmas = 0};

		check_mm(&c, mm, &one);
		s.vmas += one.vmas + (mm->spare_vma != NULL);
		s.ptes += one.ptes;
		s.tables += one.tables + 1;
		accounted += one.accounted;
	}
	frame_cache_lock_all(sys);
	sum_frames(&c, sys, &frames);
	frame_cache_unlock_all(sys);
	check_equal(&c, "mapcounts of all pages", frames.mapcount + frames.shared, s.ptes);
	check_equal(&c, "page tables of all", frames.kind[PAGE_TABLE] + frames.sharers, s.tables);
	check_equal(&c, "objects in all slabs", slab_objects(sys), frames.objects);
	check_equal(&c, "VMAs in all", slab_in_use(&sys->vma_cache) + slab_in_use(&sys->file_vma_cache),
	            s.vmas);
	check_equal(&c, "committed pages", sys->committed - sys->committed_shmem, accounted);
	return c.bad;
}
