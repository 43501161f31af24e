/* SPDX-License-Identifier: MIT */
/*
 * Frames kept ready for each CPU, so that most allocations and frees of one frame touch no lock and
 * no cache line that another CPU uses.
 *
 * The number of the CPU only says which cache to use. Each has a lock of its own, so a thread may
 * move between asking for the number and using the cache; the port need not prevent it. An empty
 * cache gets BATCH frames from the buddy allocator in one go, a full one gives as many back; when
 * frames are short it gets none, and an allocation that fails brings all of them back first.
 *
 * Page tables need zeros, and are full of them again when they go: a few such frames are kept apart.
 *
 * Also here, because it changes with each frame: how many frames of each kind there are. What a CPU
 * has taken less what it has given is its own number, and may be negative.
 */
#include "mm/internal.h"
#include "mm/frame_cache.h"

#define BATCH_ORDER 5u
#define BATCH       (1u << BATCH_ORDER)
#define MOST        (3 * BATCH)
#define MOST_ZEROED 16u

static void push(struct frame_cache *cache, struct page *page)
{
	atomic_store_explicit(&page->flags, FRAME_CACHED, memory_order_relaxed);
	page->next = cache->head;
	cache->head = page;
	frame_cache_set_nr(cache, cache->nr + 1);
}

static inline void set_zeroed(struct frame_cache *cache, struct page *head, uint32_t nr)
{
	cache->zeroed = head;
	store_relaxed(&cache->nr_zeroed, nr); /* the sums read it, too */
}

/* The largest block up to a batch, so that neighbours stay together. Cache empty, its lock held. */
void frame_cache_refill(struct mmk_system *sys, struct frame_cache *cache)
{
	struct page *page = NULL, *next = NULL;
	unsigned order = BATCH_ORDER + 1;

	spin_lock(sys, &sys->buddy_lock);
	if (sys->nr_free >= sys->nr_low + BATCH) {
		while (!page && order--)
			page = buddy_take_block(sys, order);
	}
	if (page) {
		__atomic_store_n(&sys->nr_free, sys->nr_free - (1ul << order), __ATOMIC_RELAXED);
		for (unsigned long i = 1ul << order; i--; next = page + i) {
			atomic_store_explicit(&page[i].flags, FRAME_CACHED, memory_order_relaxed);
			page[i].next = next;
		}
		cache->head = page;
		frame_cache_set_nr(cache, 1u << order);
	}
	spin_unlock(&sys->buddy_lock);
}

unsigned frame_cache_take_many(struct mmk_system *sys, enum page_kind kind, uint32_t bits,
                               struct page **pages, unsigned n)
{
	struct frame_cache *cache = frame_cache_here(sys);
	unsigned got = 0;

	spin_lock(sys, &cache->lock);
	if (!cache->head)
		frame_cache_refill(sys, cache);
	while (got < n && cache->head)
		pages[got++] = frame_cache_pop(cache);
	frame_cache_count(cache, kind, got);
	spin_unlock(&cache->lock);
	count_events(sys, frames_allocated, got);
	for (unsigned i = 0; i < got; i++)
		frame_init(pages[i], kind << PG_KIND_SHIFT | bits);
	return got;
}

/* Cache lock held. */
static __attribute__((noinline)) void give_back(struct mmk_system *sys, struct frame_cache *cache,
                                                unsigned n)
{
	spin_lock(sys, &sys->buddy_lock);
	__atomic_store_n(&sys->nr_free, sys->nr_free + n, __ATOMIC_RELAXED);
	while (n) {
		struct page *first = frame_cache_pop(cache);
		uint64_t run = 1;

		/* Neighbours often lie behind each other, the last one that came on top. */
		for (; run < n && cache->head == first - 1; run++)
			first = frame_cache_pop(cache);
		buddy_give_run(sys, (uint64_t)(first - sys->mem_map), run);
		n -= (unsigned)run;
	}
	spin_unlock(&sys->buddy_lock);
}

void frame_cache_give(struct mmk_system *sys, struct page *page, enum page_kind kind)
{
	struct frame_cache *cache = frame_cache_here(sys);

	spin_lock(sys, &cache->lock);
	push(cache, page);
	frame_cache_count(cache, kind, -1);
	if (unlikely(cache->nr > MOST))
		give_back(sys, cache, BATCH);
	spin_unlock(&cache->lock);
}

void frame_cache_give_zeroed(struct mmk_system *sys, struct page *page, enum page_kind kind)
{
	struct frame_cache *cache = frame_cache_here(sys);
	bool room;

	spin_lock(sys, &cache->lock);
	room = cache->nr_zeroed < MOST_ZEROED;
	if (likely(room)) {
		atomic_store_explicit(&page->flags, FRAME_CACHED, memory_order_relaxed);
		page->next = cache->zeroed;
		set_zeroed(cache, page, cache->nr_zeroed + 1);
		frame_cache_count(cache, kind, -1);
	}
	spin_unlock(&cache->lock);
	if (unlikely(!room))
		frame_cache_give(sys, page, kind);
}

struct page *frame_cache_take_zeroed(struct mmk_system *sys, enum page_kind kind)
{
	struct frame_cache *cache = frame_cache_here(sys);
	struct page *page;

	spin_lock(sys, &cache->lock);
	page = cache->zeroed;
	if (likely(page)) {
		set_zeroed(cache, page->next, cache->nr_zeroed - 1);
		frame_cache_count(cache, kind, 1);
	}
	spin_unlock(&cache->lock);
	if (unlikely(!page))
		return NULL;
	count_event(sys, frames_allocated);
	frame_init(page, kind << PG_KIND_SHIFT);
	return page;
}

void frame_cache_give_run(struct mmk_system *sys, struct page *first, unsigned long n,
                          enum page_kind kind)
{
	struct frame_cache *cache = frame_cache_here(sys);

	frame_tell_machine(sys, first, 0, n);
	if (n < BATCH / 4) {
		while (n--)
			frame_cache_give(sys, first++, kind);
		return;
	}
	spin_lock(sys, &cache->lock);
	frame_cache_count(cache, kind, -(int64_t)n);
	spin_lock(sys, &sys->buddy_lock);
	buddy_give_run(sys, (uint64_t)(first - sys->mem_map), n);
	__atomic_store_n(&sys->nr_free, sys->nr_free + n, __ATOMIC_RELAXED);
	spin_unlock(&sys->buddy_lock);
	spin_unlock(&cache->lock);
}

bool frame_cache_drain(struct mmk_system *sys)
{
	bool any = false;

	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++) {
		struct frame_cache *cache = &sys->cpus[cpu].frames;

		spin_lock(sys, &cache->lock);
		for (struct page *page; (page = cache->zeroed);) {
			set_zeroed(cache, page->next, cache->nr_zeroed - 1);
			push(cache, page);
		}
		any |= cache->nr > 0;
		give_back(sys, cache, cache->nr);
		spin_unlock(&cache->lock);
	}
	return any;
}

/* For who wants figures that fit together. */
void frame_cache_lock_all(struct mmk_system *sys)
{
	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++)
		spin_lock(sys, &sys->cpus[cpu].frames.lock);
	spin_lock(sys, &sys->buddy_lock);
}

void frame_cache_unlock_all(struct mmk_system *sys)
{
	spin_unlock(&sys->buddy_lock);
	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++)
		spin_unlock(&sys->cpus[cpu].frames.lock);
}

/* ---- figures ---- */

uint64_t frames_free(const struct mmk_system *sys)
{
	uint64_t n = __atomic_load_n(&sys->nr_free, __ATOMIC_RELAXED);

	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++)
		n += __atomic_load_n(&sys->cpus[cpu].frames.nr, __ATOMIC_RELAXED) +
		     __atomic_load_n(&sys->cpus[cpu].frames.nr_zeroed, __ATOMIC_RELAXED);
	return n;
}

uint64_t frames_of_kind(const struct mmk_system *sys, enum page_kind kind)
{
	int64_t n = atomic_load_explicit(&sys->nr_kind[kind], memory_order_relaxed);

	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++)
		n += atomic_load_explicit(&sys->cpus[cpu].frames.kind[kind], memory_order_relaxed);
	return n < 0 ? 0 : (uint64_t)n;
}
