/* SPDX-License-Identifier: MIT */
/*
 * What the files below the page cache say to each other: slab, radix tree, cache, writeback,
 * reclaim.
 */
#ifndef MM_CACHE_H
#define MM_CACHE_H

/* page_alloc.c, for system.c: the lowest place of `size` bytes that is nobody's, or ~0. */
uint64_t page_alloc_find_room(const struct mmk_config *c, uint64_t size);

/* page_alloc.c: a block from the free lists as they are, without fault injection; NULL: none. */
struct page *take_pages(struct mmk_system *sys, unsigned order, enum page_kind kind);
/* The watermarks, from min_free_kbytes. */
void page_alloc_watermarks(struct mmk_system *sys);

/* slab.c: what CPUs keep ready goes back to the slabs, empty slabs to the allocator. How many. */
uint64_t slab_reap(struct mmk_system *sys);
/* slab.c, for check.c: objects of all caches that are in use or kept ready by a CPU. */
uint64_t slab_objects(struct mmk_system *sys);

/* ---- radix.c: index -> page; every call but radix_window() under i_pages_lock ---- */
#define RADIX_SHIFT 6
#define RADIX_SLOTS (1u << RADIX_SHIFT)
struct radix_node {
	union {
		struct {
			uint64_t dirty; /* slots that are, or lead to, dirty pages */
			struct radix_node *parent;
		};
		struct mmk_deferred deferred; /* once no tree has it any more */
	};
	uint64_t used;  /* slots in use */
	uint8_t shift;  /* bits of the index below this level; 0: slots are pages */
	uint8_t offset; /* its slot in the parent */
	void *slots[RADIX_SLOTS];
};
struct page *radix_lookup(void *root, uint64_t index);
static inline unsigned slot_of(const struct radix_node *node, uint64_t index)
{
	return (unsigned)(index >> node->shift) & (RADIX_SLOTS - 1);
}
/* What a root or a slot leads to: written before it was put there, read through the address. */
static inline void *slot_get(void *const *slot)
{
	return load_dependent(slot);
}
/* Does the subtree under this root reach the index? */
static inline bool radix_reaches(const struct radix_node *root, uint64_t index)
{
	unsigned bits = root->shift + RADIX_SHIFT;

	return bits >= 64 || !(index >> bits);
}
/* The lowest-level node of an index, or NULL. */
static inline struct radix_node *find_leaf(struct radix_node *node, uint64_t index)
{
	if (unlikely(!node || !radix_reaches(node, index)))
		return NULL;
	while (node && node->shift)
		node = slot_get(&node->slots[slot_of(node, index)]);
	return node;
}
/*
 * The slots of index and those behind it, up to n, that lie in one node: how many; a bit in *used for
 * each that has a page, and where there are such, *slots. Also without i_pages_lock during a look of a
 * fault (port->look_begin): then a slot may be NULL all the same, and its page on its way out.
 */
static inline unsigned radix_window(void *const *root, uint64_t index, unsigned n,
				    void *const **slots, uint64_t *used)
{
	struct radix_node *leaf = find_leaf(slot_get(root), index);
	unsigned slot = (unsigned)index & (RADIX_SLOTS - 1), here = RADIX_SLOTS - slot;

	if (here > n)
		here = n;
	*slots = NULL;
	*used = 0;
	if (likely(leaf)) {
		*slots = leaf->slots + slot;
		*used = load_relaxed(&leaf->used) >> slot & ~0ull >> (RADIX_SLOTS - here);
	}
	return here;
}
int radix_insert(struct mmk_system *sys, void **root, uint64_t index, struct page *page);
struct page *radix_delete(struct mmk_system *sys, void **root, uint64_t index);
void radix_set_dirty(void *root, uint64_t index);
void radix_clear_dirty(void *root, uint64_t index);
bool radix_is_dirty(void *root, uint64_t index);
/* The first page with an index in [first, last], dirty ones only where asked; its index in *at. */
struct page *radix_next(void *root, uint64_t first, uint64_t last, bool dirty, uint64_t *at);

/* ---- filemap.c ---- */
static inline bool mapping_has_home(const struct address_space *m)
{
	return m->ops && m->ops->read;
}
void mapping_set_size(struct address_space *m, uint64_t size);
/* The cached page, up to date or not, with a reference; NULL: none. */
struct page *filemap_find(struct address_space *m, uint64_t index);
/* filemap_peek without i_pages_lock, i_size not considered: during a look of a fault. */
struct page *filemap_look(struct address_space *m, uint64_t index);
/*
 * A new page of zeros in a hole of a homeless file, with a reference; NULL where that may want to wait,
 * or be refused. Does not sleep.
 */
struct page *filemap_make_nowait(struct address_space *m, uint64_t index);
/* Is it (still) the file's page of that index? */
static inline bool page_of(const struct address_space *m, const struct page *page, uint64_t index)
{
	return __atomic_load_n(&page->mapping, __ATOMIC_ACQUIRE) == m && page->index == index;
}
/*
 * A reference to the page that a slot led to, if it is still the file's, and has all of these flags,
 * PG_UPTODATE among them. Without a lock the frame may have become anything meanwhile; but with a
 * reference of ours it stays that.
 */
static inline bool cache_page_get(struct address_space *m, struct page *page, uint64_t index,
				  uint32_t flags)
{
	uint64_t mapping, at;

	if (unlikely(!get_page_unless_zero(page)))
		return false;
	/* PG_UPTODATE comes after the others. */
	if (likely(!(flags & ~atomic_load_explicit(&page->flags, memory_order_acquire)))) {
		load_two_relaxed(&page->mapping, mapping, at);
		if (likely((mapping == (uintptr_t)m) & (at == index)))
			return true;
	}
	put_page(m->sys, page);
	return false;
}
/* The next cached page of [first, last] with a reference, its index in *at; NULL: none. */
struct page *filemap_next(struct address_space *m, uint64_t first, uint64_t last, bool dirty,
                          uint64_t *at);
/* filemap_next, locked and certainly still of m. */
struct page *filemap_next_locked(struct address_space *m, uint64_t first, uint64_t last,
                                 uint64_t *at);
/* Take a locked page out of the cache, and drop the cache's reference. */
void filemap_remove(struct address_space *m, struct page *page);
/* The same where nobody else has it and it is clean; the caller has one reference. */
bool filemap_remove_unused(struct address_space *m, struct page *page);
/* Zero what lies behind i_size in the last page, if that is cached. Sleeps. */
void filemap_zero_tail(struct address_space *m);
/* Zero [from, to) of the page at index, if it is cached. Sleeps. */
void filemap_zero_part(struct address_space *m, uint64_t index, uint64_t from, uint64_t to);

/* ---- writeback.c ---- */
#define IO_BATCH 32 /* pages that go to ops->read or ops->write at once */
/*
 * Write a locked page, whose mapping this is, and dirty ones behind it; it stays locked. An error
 * goes to wb_err. No lock is waited for.
 */
void writeback_page(struct address_space *m, struct page *page);
/*
 * Write dirty pages of [first, last], until `want` have got home. How many have; the first error to
 * *err. Sleeps.
 */
uint64_t writeback_range(struct address_space *m, uint64_t first, uint64_t last, uint64_t want,
                         int *err);

/* ---- dirty.c ---- */
/* The mapping has got its first dirty page, lost its last: under i_pages_lock. */
void dirty_list_enter(struct address_space *m);
void dirty_list_leave(struct address_space *m);
/* Nobody is writing the mapping back any more; it has no dirty pages. Sleeps. */
void dirty_wait_idle(struct address_space *m);
/* Write up to `want` pages of files that got dirty by `until`. How many. Sleeps. */
uint64_t flush_dirty(struct mmk_system *sys, uint64_t want, uint64_t until);
/* Pages: where the worker begins to write, where who makes pages dirty has to. */
void dirty_limits(struct mmk_system *sys, uint64_t *background, uint64_t *limit);
void balance_dirty_pages_slow(struct mmk_system *sys);
/* So many pages are dirty that a closer look is due. */
static inline bool dirty_too_many(const struct mmk_system *sys)
{
	return atomic_load_explicit(&sys->nr_dirty, memory_order_relaxed) >
	       (int64_t)__atomic_load_n(&sys->dirty_look, __ATOMIC_RELAXED);
}
/*
 * The caller has made a page dirty, and has let go of it: may there be so many? Sleeps, with no
 * page lock held.
 */
static inline void balance_dirty_pages(struct mmk_system *sys)
{
	if (unlikely(dirty_too_many(sys)))
		balance_dirty_pages_slow(sys);
}

/* ---- reclaim.c ---- */
#define RECLAIM_BATCH 32
/* Drop up to `want` cached pages, looking at no more than `scan` frames. How many. Sleeps. */
uint64_t reclaim_frames(struct mmk_system *sys, uint64_t want, uint64_t scan);
/* The worker's part: free frames up to nr_high, when they are below nr_low. */
void reclaim_background(struct mmk_system *sys);
/*
 * Frames are short, or a large block is wanted: what alloc_page_reclaim and the like do then. The
 * block, not zeroed, or NULL. Sleeps.
 */
struct page *take_pages_slow(struct mmk_system *sys, unsigned order, enum page_kind kind);
/*
 * An allocation that cannot wait itself (under a spinlock) has failed: is it worth to try again,
 * something having been done for it? Sleeps.
 */
bool relieve_shortage(struct mmk_system *sys);
#define RELIEF_TRIES 1000u /* after that it is no want of frames, or nobody can help it */
bool frames_are_short(const struct mmk_system *sys);
/* Drop this page of the cache, of which the caller gives up a reference. False: not now. Sleeps. */
bool reclaim_page(struct mmk_system *sys, struct page *page);
/* Drop every clean, unmapped page of a file with a home. */
void drop_clean_pages(struct mmk_system *sys);

#endif
