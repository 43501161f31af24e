/* SPDX-License-Identifier: MIT */
/*
 * Frames kept ready for each CPU, before the buddy allocator: see frame_cache.c.
 */
#ifndef MM_FRAME_CACHE_H
#define MM_FRAME_CACHE_H

#include "mm/internal.h"

/* The word of a frame that lies in a cache: free, and of no order, so that no buddy merges it. */
#define FRAME_CACHED (PG_ORDER_MASK | PAGE_FREE << PG_KIND_SHIFT)

/* A frame of the kind, without references, comes back. */
void frame_cache_give(struct mmk_system *sys, struct page *page, enum page_kind kind);
/* The same of a frame full of zeros: the next table is to have it. */
void frame_cache_give_zeroed(struct mmk_system *sys, struct page *page, enum page_kind kind);
/* One of those with refcount 1, or NULL. */
struct page *frame_cache_take_zeroed(struct mmk_system *sys, enum page_kind kind);
/* n neighbours of the kind, without references: in blocks as large as their place allows. */
void frame_cache_give_run(struct mmk_system *sys, struct page *first, unsigned long n,
                          enum page_kind kind);
/* Frames in caches go back to the buddy allocator: true when there were any. */
bool frame_cache_drain(struct mmk_system *sys);
void frame_cache_lock_all(struct mmk_system *sys);
void frame_cache_unlock_all(struct mmk_system *sys);

/* A checking machine hears of n blocks that are about to be free. */
#ifdef MMK_HW_ARM64
static inline void frame_tell_machine(struct mmk_system *sys, struct page *page, unsigned order,
                                      unsigned long n)
{
}

static inline void frame_tell_machine_zeroed(struct mmk_system *sys, struct page *page)
{
}
#else
static inline void frame_tell_machine(struct mmk_system *sys, struct page *page, unsigned order,
                                      unsigned long n)
{
	for (; sys->port->machine->frame_freed && n--; page += 1ul << order)
		sys->port->machine->frame_freed(sys->ctx, page_to_phys(sys, page), order);
}

/* What is said to be zeros is; and is again, where the machine has left its mark. */
static inline void frame_tell_machine_zeroed(struct mmk_system *sys, struct page *page)
{
	const uint64_t *word = page_address(sys, page);

	for (unsigned long i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		MMK_BUG_ON(sys, word[i]);
	frame_tell_machine(sys, page, 0, 1);
	if (*word)
		clear_page(page_address(sys, page));
}
#endif
/* page_alloc.c: frames [i, i + n) of the frame table onto the lists, merged. [B] held. */
void buddy_give_run(struct mmk_system *sys, uint64_t i, uint64_t n);
/* page_alloc.c, [B] held: blocks off and onto the lists, nothing else. */
struct page *buddy_take_block(struct mmk_system *sys, unsigned order);
void buddy_give_block(struct mmk_system *sys, struct page *page, unsigned order);

/* A frame off the lists becomes a block's first. Its flags are its kind's; refcount 1 comes last.
 */
static inline void frame_init(struct page *page, uint32_t flags)
{
	store_relaxed(&page->flags, flags);
	store_relaxed(&page->mapcount, 0);
	page->nr_used = 0;
	page->mapping = NULL;
	page->index = 0;
	/* A scan of the frame table (reclaim.c) may take it for real from here on. */
	atomic_store_explicit(&page->refcount, 1, memory_order_release);
}

static inline struct frame_cache *frame_cache_here(struct mmk_system *sys)
{
	return &cpu_here(sys)->frames;
}

static inline void frame_cache_set_nr(struct frame_cache *cache, uint32_t nr)
{
	store_relaxed(&cache->nr, nr); /* the sums read it without the lock */
}

static inline struct page *frame_cache_pop(struct frame_cache *cache)
{
	struct page *page = cache->head;

	cache->head = page->next;
	frame_cache_set_nr(cache, cache->nr - 1);
	return page;
}

/* Counted under the cache's lock; the sums read it without. */
static inline void frame_cache_count(struct frame_cache *cache, enum page_kind kind, int64_t by)
{
	store_relaxed(&cache->kind[kind], load_relaxed(&cache->kind[kind]) + by);
}

/* An empty cache gets frames, unless they are short. Its lock held. */
void frame_cache_refill(struct mmk_system *sys, struct frame_cache *cache);

/*
 * One frame of the kind with refcount 1 and these PG_* bits, or NULL: none is ready, and so few are free
 * that the caller should look at the watermarks.
 */
static inline struct page *frame_cache_take(struct mmk_system *sys, enum page_kind kind,
					    uint32_t bits)
{
	struct frame_cache *cache = frame_cache_here(sys);
	struct page *page = NULL;

	count_event(sys, frames_allocated);
	spin_lock(sys, &cache->lock);
	if (unlikely(!cache->head))
		frame_cache_refill(sys, cache);
	if (likely(cache->head)) {
		page = frame_cache_pop(cache);
		frame_cache_count(cache, kind, 1);
	}
	spin_unlock(&cache->lock);
	if (likely(page))
		frame_init(page, kind << PG_KIND_SHIFT | bits);
	return page;
}

/* Up to n such frames, as many as are ready: how many. */
unsigned frame_cache_take_many(struct mmk_system *sys, enum page_kind kind, uint32_t bits,
                               struct page **pages, unsigned n);

/* ---- figures; exact when nobody allocates meanwhile ---- */
uint64_t frames_free(const struct mmk_system *sys);
uint64_t frames_of_kind(const struct mmk_system *sys, enum page_kind kind);

#endif
