/* SPDX-License-Identifier: MIT */
/*
 * What the files of the core say to each other, file by file. Everything here has hidden
 * visibility: an embedder sees only mmk_ symbols. VMA-side functions return 0 or -errno; "unsigned
 * long or -errno" values are told apart by IS_ERR_VALUE.
 */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include "mm/mm_types.h"
#include "mm/lock.h"   /* spin_lock, rwsem, page lock, atomics helpers */
#include "arch/arm64/atomic.h"
#include "mm/reason.h" /* refuse(task, -errno, REASON_..., a, b) returns the -errno */

#define MMK_BUG_ON(sys, cond)                                                                      \
	do {                                                                                       \
		if (__builtin_expect(!!(cond), 0))                                                 \
			(sys)->port->bug((sys)->ctx, __FILE__, __LINE__, #cond);                   \
	} while (0)
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
/* Hardly ever called: small rather than fast. */
#define __cold                          __attribute__((cold))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define IS_ERR_VALUE(x)                 ((unsigned long)(x) >= (unsigned long)-4095)
#define PAGE_ALIGN(x)                   (((x) + PAGE_SIZE - 1) & PAGE_MASK)
/* The CPU that we run on, where there are several; perhaps another one the next moment. */
static inline unsigned system_cpu(const struct mmk_system *sys)
{
	return sys->nr_cpus > 1 && sys->port->cpu_id ? sys->port->cpu_id(sys->ctx) : 0;
}
static inline struct cpu_local *cpu_here(const struct mmk_system *sys)
{
	return sys->cpus + system_cpu(sys);
}

#define stat_inc(sys, field) stat_add(sys, field, 1)
#define stat_add(sys, field, n)                                                                    \
	((void)__atomic_fetch_add(&cpu_here(sys)->count.field, (n), __ATOMIC_RELAXED))
/* system.c: the same of what is rare. */
__cold void stat_inc_at(const struct mmk_system *sys, size_t offset);
#define stat_inc_rare(sys, field) stat_inc_at(sys, offsetof(struct mmk_stats, field))

/* ---- page.c, page_alloc.c: frames ---- */
static inline void *phys_to_virt(const struct mmk_system *sys, phys_addr_t pa)
{
	return (void *)(uintptr_t)(pa + sys->virt_offset);
}
static inline phys_addr_t virt_to_phys(const struct mmk_system *sys, const void *va)
{
	return (uintptr_t)va - sys->virt_offset;
}
static inline struct page *phys_to_page(const struct mmk_system *sys, phys_addr_t pa)
{
	return (struct page *)(sys->frame_zero + (pa >> PAGE_SHIFT) * sizeof(struct page));
}
static inline phys_addr_t page_to_phys_from(uintptr_t frame_zero, const struct page *p)
{
	return ((uintptr_t)p - frame_zero) / sizeof(struct page) << PAGE_SHIFT;
}
static inline phys_addr_t page_to_phys(const struct mmk_system *sys, const struct page *p)
{
	return page_to_phys_from(sys->frame_zero, p);
}
static inline void *page_address(const struct mmk_system *sys, const struct page *p)
{
	return phys_to_virt(sys, page_to_phys(sys, p));
}
static inline bool phys_is_ram(const struct mmk_system *sys, phys_addr_t pa)
{
	return pa - sys->phys_base < sys->ram_size;
}
static inline enum page_kind flags_kind(uint32_t flags)
{
	return (enum page_kind)(flags >> PG_KIND_SHIFT & 0xff);
}
/* For more than the kind of a frame that is not the caller's: one look at its flags, and flags_kind(). */
static inline enum page_kind page_kind(const struct page *p)
{
	return flags_kind(p->flags);
}
/*
 * A block of 2^order frames of the given kind, refcount 1, or NULL. Honours port->should_fail. Does
 * not zero.
 */
struct page *alloc_pages(struct mmk_system *sys, unsigned order, enum page_kind kind);
void free_pages(struct mmk_system *sys,
                struct page *page); /* order from the page; refcount must be 0 or 1 */
/* One frame with these PG_* bits for a program's sake; wait: as alloc_page_reclaim, or _nowait. */
struct page *alloc_page_as(struct mmk_system *sys, enum page_kind kind, uint32_t bits, bool wait);
/*
 * Dropping cached pages when frames are short, and in the end asking the port to kill somebody. NULL:
 * the caller is to end, or nothing helps. May sleep: no page lock, no spinlock held.
 */
static inline struct page *alloc_page_reclaim(struct mmk_system *sys, enum page_kind kind)
{
	return alloc_page_as(sys, kind, 0, true);
}
/* The same, zeroed. */
struct page *alloc_page_zeroed(struct mmk_system *sys, enum page_kind kind);
/* Its last reference, as it is full of zeros again. */
void free_page_zeroed(struct mmk_system *sys, struct page *page);
/* One that is at hand, or NULL. */
static inline struct page *alloc_page_nowait(struct mmk_system *sys, enum page_kind kind)
{
	return alloc_page_as(sys, kind, 0, false);
}
/* Up to n of those that are at hand, with these PG_* bits: how many. */
unsigned alloc_pages_at_hand(struct mmk_system *sys, enum page_kind kind, uint32_t bits,
                             struct page **pages, unsigned n);
/* One frame, but none of the reserve. Does not sleep. */
struct page *alloc_page_above_min(struct mmk_system *sys, enum page_kind kind);
/* One frame for what is only a guess (reading ahead): none when frames are short. Does not sleep. */
struct page *alloc_page_spare(struct mmk_system *sys, enum page_kind kind);
static inline void get_page(struct page *page)
{
	atomic_fetch_add_explicit(&page->refcount, 1, memory_order_relaxed);
}
/* A frame that may be free or freed at any time. */
static inline bool get_page_unless_zero(struct page *page)
{
	return inc_unless_zero(&page->refcount);
}
void put_page(struct mmk_system *sys, struct page *page); /* frees at 0 */
void clear_page(void *kva);
void copy_page(void *dst, const void *src);
int page_alloc_init(struct mmk_system *sys, const struct mmk_config *config);
void lock_page(struct mmk_system *sys, struct page *page); /* sleeps */
bool trylock_page(struct page *page);
void unlock_page(struct mmk_system *sys, struct page *page);

/* ---- slab.c ---- */
void slab_init(struct mmk_system *sys);
/* Not zeroed; NULL when short or should_fail says so. Does not sleep. */
void *slab_alloc(struct slab_cache *cache);
/* The same for a program's sake, as alloc_page_reclaim. May sleep. */
void *slab_alloc_reclaim(struct slab_cache *cache);
void slab_free(struct slab_cache *cache, void *obj);
/* Objects that are not free; exact when nobody allocates meanwhile. */
uint64_t slab_in_use(const struct slab_cache *cache);

/* ---- vma_tree.c, interval.c ---- */
struct range_node *range_search(const struct range_tree *t, unsigned long addr);
/*
 * First range with end > addr, or NULL. What has been mapped is soon touched, changed or unmapped: so
 * the range that changed last is looked at first. Without mmap_lock the answer is a guess.
 */
static inline struct range_node *range_find(const struct range_tree *t, unsigned long addr)
{
	struct range_node *n = load_dependent(&t->recent);

	return likely(n && n->start <= addr && addr < n->end) ? n : range_search(t, addr);
}
static inline void range_note_recent(struct range_tree *t, struct range_node *n)
{
	__atomic_store_n(&t->recent, n, __ATOMIC_RELEASE);
}
void range_insert(struct range_tree *t, struct range_node *n); /* must not overlap */
/* The same where it is known whom it comes before (NULL: it is the last). */
void range_insert_before(struct range_tree *t, struct range_node *n, struct range_node *next);
/* Behind all others, but not yet found: range_build() makes the tree of all `nr` once they are there. */
void range_append(struct range_tree *t, struct range_node *n);
void range_build(struct range_tree *t, unsigned long nr);
void range_erase(struct range_tree *t, struct range_node *n);
void range_resize(struct range_tree *t, struct range_node *n, unsigned long start,
                  unsigned long end); /* order kept */
/* The same where the start stays. */
void range_resize_end(struct range_tree *t, struct range_node *n, unsigned long end);
/* n ends where tail, which is new and ends where n did, begins. */
void range_split(struct range_tree *t, struct range_node *n, struct range_node *tail);
/* A neighbour without a hole between takes gone's range over, and gone is erased. */
void range_absorb(struct range_tree *t, struct range_node *to, struct range_node *gone);
static inline struct range_node *range_next(const struct range_node *n)
{
	return n->next;
}
static inline struct range_node *range_prev(const struct range_node *n)
{
	return n->prev;
}
static inline struct range_node *range_first(const struct range_tree *t)
{
	return t->first;
}
/* Bytes free before a range. */
static inline unsigned long range_hole(const struct range_node *n)
{
	return n->start - (n->prev ? n->prev->end : 0);
}
/* From here on holes count as equally large, so that the largest ones do not touch each gap above. */
#define RANGE_GAP_CAP (1ul << 40)
/*
 * A hole of at least len bytes within [low, high), which is not shorter than that: the lowest or the
 * highest place; the hole before range n starts at the end of its predecessor. Returns its address, and
 * in *next the range that follows it (NULL: none); or ~0ul.
 * Guard gaps are the caller's affair (unmapped_area.c).
 */
unsigned long range_find_lowest(const struct range_tree *t, unsigned long len, unsigned long low,
                                unsigned long high, struct range_node **next);
unsigned long range_find_highest(struct range_tree *t, unsigned long len, unsigned long low,
                                 unsigned long high, struct range_node **next);
void itv_insert(void **root, struct vm_area_struct *vma); /* root: &mapping->i_mmap [M] */
void itv_erase(void **root, struct vm_area_struct *vma);
/* VMAs whose pgoff interval meets [first, last], in order; prev NULL to begin. */
struct vm_area_struct *itv_next(void *const *root, struct vm_area_struct *prev, uint64_t first,
                                uint64_t last);

/* ---- filemap.c, readahead within, writeback.c, truncate.c, shmem.c ---- */
/*
 * The page at index, up to date, with a reference; not locked. create: fill a hole of a homeless
 * (shmem) mapping. 0; -ENOENT: hole, or beyond i_size; -EIO; -ENOMEM. *major set when I/O was done.
 * May sleep; mmap_lock may be held for reading.
 */
int filemap_get_page(struct address_space *m, uint64_t index, bool create, struct page **out,
                     bool *major);
/* Only if cached and up to date: with a reference, or NULL. Does not sleep. */
struct page *filemap_peek(struct address_space *m, uint64_t index);
/* i_size as it is now, in bytes; in pages that it begins. At most INT64_MAX bytes. */
static inline uint64_t mapping_size(const struct address_space *m)
{
	return __atomic_load_n(&m->i_size, __ATOMIC_ACQUIRE);
}
static inline uint64_t mapping_pages(const struct address_space *m)
{
	return (mapping_size(m) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}
void set_page_dirty(struct address_space *m, struct page *page); /* idempotent; counts */
bool page_clear_dirty_for_io(
    struct address_space *m,
    struct page *page); /* also write-protects all its PTEs (page_mkclean) */
/*
 * What a fault owes truncate and writeback: with the page locked, page->mapping == m and index <
 * mapping_pages(m) are looked at again before a PTE is made. A PTE becomes writable with the page
 * locked too; set_page_dirty(m, page) comes after or under the same page lock.
 */
/*
 * rmap.c: take every PTE of pages [first, last] of m away; even_cows: private copies too. May sleep
 * (no).
 */
void unmap_mapping_range(struct address_space *m, uint64_t first, uint64_t last, bool even_cows);
/* rmap.c: take the mark of having been used from all PTEs of the page; true when one had it. */
bool page_mkold(struct address_space *m, struct page *page);
/* rmap.c: make all PTEs of the page read-only and clean; true when one of them was dirty. */
bool page_mkclean(struct address_space *m, struct page *page);
/*
 * shmem.c: an anonymous shared object: a file whose reference the caller owns; its fput frees it
 * (internal files: f_op == &shmem_file_ops).
 */
struct file *shmem_zero_file(struct mmk_system *sys, uint64_t size, uint64_t vm_flags);
extern const struct mmk_file_ops shmem_file_ops;
/* `pages` have been committed for the object: they are given back at its end. */
void shmem_set_charge(struct file *file, int64_t pages);
/*
 * What mmk_generic_file_mmap gives a VMA: fault is NULL, the pages come from vm_file->f_mapping.
 * (vm_ops NULL: anonymous memory.)
 */
extern const struct vm_operations_struct generic_file_vm_ops;
/* secret.c: what mmk_secret_mmap gives a VMA; pages as above, but for nobody else. */
extern const struct vm_operations_struct secret_vm_ops;
static inline bool vma_is_secret(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &secret_vm_ops;
}
/* References to files, the embedder's or the core's own (shmem_zero_file). */
void get_vma_file(struct mmk_system *sys, struct file *file);
void put_vma_file(struct mmk_system *sys, struct file *file);

/* ---- memory.c: VMAs' ranges -> page tables (page tables side, with arch/arm64) ---- */
struct mmu_gather; /* tlb batch; see memory.h */
/*
 * Unmap [start,end) of the mm: clears PTEs, drops rss and pages after the TLB is clean; frees empty
 * tables within [floor, ceiling).
 */
void unmap_page_range(struct mm_struct *mm, unsigned long start, unsigned long end,
                      unsigned long floor, unsigned long ceiling);
/*
 * The same of an mm that has ended, and that no TLB knows any more. Tables go as they become empty, onto
 * the list *gone. Returns the address up to which nothing is left, as all that lies in a table goes with
 * its first.
 */
unsigned long unmap_ended(struct mm_struct *mm, unsigned long start, unsigned long end,
                          struct page **gone);
/* madvise DONTNEED of a part of one VMA, truncate (without ZAP_EVEN_COWS private anonymous copies stay).
 */
void zap_page_range(struct vm_area_struct *vma, unsigned long start, unsigned long end,
                    unsigned how);
#define ZAP_EVEN_COWS 1u
#define ZAP_RESCHED   2u /* no spinlock is held: others may run between the tables */
/*
 * PTEs of [start,end) get newprot (from vm_get_page_prot/vma_page_prot of the VMA, write-notify
 * kept); TLB flushed.
 */
void change_protection(struct vm_area_struct *vma, unsigned long start, unsigned long end);
/*
 * fork: dst, of the child, gets src's pages, write-protecting private ones. The copies of all VMAs are
 * made in one go, in order; then the caller flushes the parent. 0 or -ENOMEM.
 */
struct fork_copy {
	struct vm_area_struct *dst, *src;
	int64_t rss[NR_RSS];
	uint64_t written;
	unsigned long base;      /* `to` is the child's table of it; 1: of nothing */
	struct page *to;
};
static inline void copy_begin(struct fork_copy *c)
{
	c->rss[RSS_FILE] = c->rss[RSS_ANON] = c->rss[RSS_SHMEM] = 0;
	c->written = 0;
	c->base = 1;
}
int copy_page_range(struct fork_copy *c, struct vm_area_struct *dst, struct vm_area_struct *src);
void copy_end(struct fork_copy *c, struct mm_struct *child);
/*
 * mremap: move PTEs of [old, old+len) of vma to new_addr in new_vma. Returns bytes moved (short:
 * out of table memory).
 */
unsigned long move_page_tables(struct vm_area_struct *vma, unsigned long old,
                               struct vm_area_struct *new_vma, unsigned long new_addr,
                               unsigned long len);
int mm_pgd_alloc(struct mm_struct *mm);
/* Nothing is mapped, and nobody walks the mm's tables any more: frees what is left of them, and `gone`. */
void mm_pgd_free(struct mm_struct *mm, struct page *gone);
bool vma_wants_writenotify(const struct vm_area_struct *vma); /* shared file with a home: first
                                                                 write of a clean page must fault */
pgprot_t vma_page_prot(
    const struct vm_area_struct *vma); /* what a present PTE gets, write-notify considered */
/* mincore: one byte a page into vec for [start, end) within vma. */
void mincore_range(struct vm_area_struct *vma, unsigned long start, unsigned long end,
                   unsigned char *vec);

/* ---- fault.c ---- */
#define FAULT_FLAG_WRITE  1u
#define FAULT_FLAG_EXEC   2u
#define FAULT_FLAG_USER   4u
#define FAULT_FLAG_REMOTE 8u /* not by the owner: mmk_access_vm */
#define FAULT_FLAG_NOWAIT 32u /* mmap_lock is not held: neither sleep nor make tables */
#define FAULT_FLAG_FORCE  16u
/* mmk_handle_fault() of an address that has no tag (any more). */
int do_page_fault(struct mmk_task *task, unsigned long addr, unsigned flags,
                  struct mmk_fault *out);
/*
 * mmap_lock held (read or write). 0; -EFAULT a guard (SIGSEGV); -EIO beyond the file or I/O error
 * (SIGBUS); -ENOMEM.
 */
int handle_mm_fault(struct mmk_task *task, struct vm_area_struct *vma, unsigned long addr,
                    unsigned flags);
/*
 * Fault in every page of [start,end) as mlock and MAP_POPULATE do (write faults where the VMA is
 * private writable). mmap_lock held for reading. 0 or -errno.
 */
int populate_vma_page_range(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                            unsigned long end);
/*
 * In such a loop, before what it does at addr: now and then others get the CPU; *next (0 at first) is
 * where. 0, or -EINTR for a thread that has been killed.
 */
int populate_pause(const struct mmk_system *sys, unsigned long addr, unsigned long *next);
/*
 * vma.c: give a VMA without one an anon_vma, a neighbour's or one drawn from counts. mm->seq was seq when
 * the VMA was found. See anon_vma_prepare().
 */
void anon_vma_make(struct vm_area_struct *vma, struct mm_counts *counts, uint32_t seq);
void anon_vma_make_here(struct vm_area_struct *vma, uint32_t seq); /* from mm_counts_here() */

/* ---- vma.c ---- */
/* 0: it never had anonymous pages. A fault may set it beside us. */
static inline uint64_t vma_anon_vma(const struct vm_area_struct *vma)
{
	return __atomic_load_n(&vma->anon_vma, __ATOMIC_RELAXED);
}
/* A bit of it: came by fork from a VMA with anon_vma, and never merges with one without. */
#define ANON_CHAINED (1ull << 63)
/* It is one, and was drawn for the VMA or those it merges with. */
static inline bool anon_vma_is_own(uint64_t anon_vma)
{
	return (int64_t)anon_vma > 0;
}
static inline struct vm_area_struct *range_to_vma(const struct range_node *n)
{
	_Static_assert(!offsetof(struct vm_area_struct, range), "no range is no VMA");
	return (struct vm_area_struct *)n;
}
/* The first with vm_end > addr, or NULL. */
static inline struct vm_area_struct *find_vma(const struct mm_struct *mm, unsigned long addr)
{
	return range_to_vma(range_find(&mm->vmas, addr));
}
static inline struct vm_area_struct *vma_next(const struct vm_area_struct *vma)
{
	return range_to_vma(range_next(&vma->range));
}
static inline struct vm_area_struct *vma_prev(const struct vm_area_struct *vma)
{
	return range_to_vma(range_prev(&vma->range));
}
static inline struct vm_area_struct *vma_first(const struct mm_struct *mm)
{
	return range_to_vma(range_first(&mm->vmas));
}
static inline struct vm_area_struct *vma_last(const struct mm_struct *mm)
{
	return range_to_vma(mm->vmas.last);
}
#define vma_for_each(vma, mm) for (vma = vma_first(mm); vma; vma = vma_next(vma))
static inline uint64_t vma_pages(const struct vm_area_struct *v)
{
	return (v->vm_end - v->vm_start) >> PAGE_SHIFT;
}
/* the page index in the file (or linear pgoff) of an address of the VMA */
static inline uint64_t linear_page_index(const struct vm_area_struct *v, unsigned long addr)
{
	return v->vm_pgoff + ((addr - v->vm_start) >> PAGE_SHIFT);
}
/*
 * Grow a VM_GROWSDOWN VMA down to addr: rlimits, guard gap, accounting. mmap_lock for writing. 0 or
 * -ENOMEM.
 */
int expand_stack(struct mmk_task *task, struct vm_area_struct *vma, unsigned long addr);

/* ---- mmap.c and its siblings: the VMA side ---- */
int do_munmap(struct mmk_task *task, struct mm_struct *mm, unsigned long start, unsigned long len);
int mm_populate(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                unsigned long len);

/* ---- arch/arm64: asid.c, tlb.c ---- see arch/arm64/pgtable.h */

#endif
