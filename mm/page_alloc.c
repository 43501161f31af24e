/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator: frames in blocks of 2^order, naturally aligned by physical address.
 *
 * A free block is described by the struct page of its first frame (order, PAGE_FREE) and lies in
 * the list of its order. Two buddies differ in one bit of the frame number; a freed block swallows
 * its buddy as long as that is free and of the same order. The word of any other frame of a free
 * block is stale: nobody looks at it until a split makes it a block's first frame, which writes it
 * anew. So making the allocator touches a few words per largest block and not the whole RAM.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/frame_cache.h"

static uint64_t frame_base(const struct mmk_system *sys)
{
	return sys->phys_base >> PAGE_SHIFT;
}

static void free_list_add(struct free_area *area, struct page *page)
{
	page->next = area->head;
	page->prev = NULL;
	if (area->head)
		area->head->prev = page;
	area->head = page;
	area->count++;
}

static void free_list_del(struct free_area *area, struct page *page)
{
	if (page->prev)
		page->prev->next = page->next;
	else
		area->head = page->next;
	if (page->next)
		page->next->prev = page->prev;
	area->count--;
}

static inline uint32_t free_block_flags(unsigned order)
{
	return order | PAGE_FREE << PG_KIND_SHIFT;
}

static void set_free_block(struct mmk_system *sys, struct page *page, unsigned order)
{
	atomic_store_explicit(&page->flags, free_block_flags(order), memory_order_relaxed);
	free_list_add(&sys->free_area[order], page);
}

static void count_kind(struct mmk_system *sys, enum page_kind kind, int64_t frames)
{
	/* Only ever changed under the buddy lock, so two plain accesses do. */
	int64_t n = atomic_load_explicit(&sys->nr_kind[kind], memory_order_relaxed);

	atomic_store_explicit(&sys->nr_kind[kind], n + frames, memory_order_relaxed);
}

/* Take a block of the order off the lists, splitting a larger one. [B] held. */
struct page *buddy_take_block(struct mmk_system *sys, unsigned order)
{
	unsigned o = order;
	struct page *page;

	while (o < MAX_ORDER && !sys->free_area[o].head)
		o++;
	if (o == MAX_ORDER)
		return NULL;
	page = sys->free_area[o].head;
	free_list_del(&sys->free_area[o], page);
	while (o-- > order)
		set_free_block(sys, page + (1ul << o), o);
	return page;
}

/* The frames of a block after the first: of the block's kind, and nobody's first frame. */
static void mark_tail(struct page *page, unsigned order, enum page_kind kind)
{
	for (unsigned long i = 1; i < 1ul << order; i++) {
		atomic_store_explicit(&page[i].flags, PG_ORDER_MASK | kind << PG_KIND_SHIFT,
		                      memory_order_relaxed);
		atomic_store_explicit(&page[i].refcount, 0, memory_order_relaxed);
	}
}

static struct page *take_from_lists(struct mmk_system *sys, unsigned order, enum page_kind kind)
{
	struct page *page;

	spin_lock(sys, &sys->buddy_lock);
	page = buddy_take_block(sys, order);
	if (likely(page)) {
		__atomic_store_n(&sys->nr_free, sys->nr_free - (1ul << order), __ATOMIC_RELAXED);
		count_kind(sys, kind, 1l << order);
		/* Still under the lock: a buddy that comes back must not take it for a free one. */
		atomic_store_explicit(&page->flags, order | kind << PG_KIND_SHIFT,
				      memory_order_relaxed);
	}
	spin_unlock(&sys->buddy_lock);
	if (unlikely(!page))
		return NULL;
	if (order)
		mark_tail(page, order, kind);
	frame_init(page, order | kind << PG_KIND_SHIFT);
	return page;
}

/* What lies in the CPUs' caches is the last to be tried. */
struct page *take_pages(struct mmk_system *sys, unsigned order, enum page_kind kind)
{
	struct page *page = NULL;

	if (order >= MAX_ORDER)
		return NULL;
	if (order == 0)
		page = frame_cache_take(sys, kind, 0);
	else
		count_event(sys, frames_allocated);
	if (!page)
		page = take_from_lists(sys, order, kind);
	if (unlikely(!page) && frame_cache_drain(sys))
		page = take_from_lists(sys, order, kind);
	return page;
}

static bool fails_on_purpose(struct mmk_system *sys)
{
	return unlikely(sys->port->should_fail) && sys->port->should_fail(sys->ctx, MMK_FAIL_PAGE);
}

struct page *alloc_pages(struct mmk_system *sys, unsigned order, enum page_kind kind)
{
	return fails_on_purpose(sys) ? NULL : take_pages(sys, order, kind);
}

static __attribute__((noinline)) struct page *alloc_page_slow(struct mmk_system *sys,
							      enum page_kind kind, uint32_t bits)
{
	struct page *page = take_pages_slow(sys, 0, kind);

	if (page)
		page_set(page, bits);
	return page;
}

inline struct page *alloc_page_as(struct mmk_system *sys, enum page_kind kind, uint32_t bits,
				  bool wait)
{
	struct page *page;

	if (fails_on_purpose(sys))
		return NULL;
	page = frame_cache_take(sys, kind, bits);
	return likely(page) || !wait ? page : alloc_page_slow(sys, kind, bits);
}

unsigned alloc_pages_at_hand(struct mmk_system *sys, enum page_kind kind, uint32_t bits,
                             struct page **pages, unsigned n)
{
	unsigned may = n;

	if (unlikely(sys->port->should_fail))
		for (may = 0; may < n && !fails_on_purpose(sys);)
			may++;
	return may ? frame_cache_take_many(sys, kind, bits, pages, may) : 0;
}

/* Another frame of the kind has its struct page in the same line of memory. A hint. */
static bool frame_has_twin(const struct mmk_system *sys, const struct page *page, enum page_kind kind)
{
	const struct page *twin = (const struct page *)((uintptr_t)page ^ sizeof(*page));

	return (uint64_t)(twin - sys->mem_map) < sys->nr_frames &&
	       flags_kind(load_relaxed(&twin->flags)) == kind;
}

/*
 * One that has no twin, if such a one is at hand: where several CPUs work with the struct pages of tables
 * the two would contend for the line. Others serve as pages of programs.
 */
static struct page *take_without_twin(struct mmk_system *sys, enum page_kind kind)
{
	struct page *page = take_pages_slow(sys, 0, kind), *others[4];
	unsigned n = 0;

	while (page && n < 4 && frame_has_twin(sys, page, kind)) {
		others[n++] = page;
		page = frame_cache_take(sys, kind, 0);
	}
	if (!page && n)
		page = others[--n];
	while (n)
		free_pages(sys, others[--n]);
	return page;
}

struct page *alloc_page_zeroed(struct mmk_system *sys, enum page_kind kind)
{
	struct page *page;

	if (fails_on_purpose(sys))
		return NULL;
	page = frame_cache_take_zeroed(sys, kind);
	if (likely(page))
		return page;
	page = take_without_twin(sys, kind);
	if (likely(page))
		clear_page(page_address(sys, page));
	return page;
}

struct page *alloc_page_above_min(struct mmk_system *sys, enum page_kind kind)
{
	if (frames_free(sys) <= sys->nr_min)
		return NULL;
	return alloc_pages(sys, 0, kind);
}

struct page *alloc_page_spare(struct mmk_system *sys, enum page_kind kind)
{
	if (frames_free(sys) < sys->nr_low)
		return NULL;
	return alloc_pages(sys, 0, kind);
}

/* Put a block on the lists, merged with its free buddies. [B] held, or nobody else is there yet. */
void buddy_give_block(struct mmk_system *sys, struct page *page, unsigned order)
{
	uint64_t base = frame_base(sys), pfn = base + (uint64_t)(page - sys->mem_map);

	for (; order < MAX_ORDER - 1; order++) {
		uint64_t other = (pfn ^ 1ull << order) - base; /* below the RAM: wraps, too large */
		struct page *buddy;

		if (other >= sys->nr_frames)
			break;
		buddy = sys->mem_map + other;
		/*
		 * One look: who takes the frame out of a CPU's cache, where its kind is free, gives it a
		 * kind, of order 0, without [B].
		 */
		if (load_relaxed(&buddy->flags) != free_block_flags(order))
			break;
		free_list_del(&sys->free_area[order], buddy);
		pfn &= ~(1ull << order);
	}
	set_free_block(sys, sys->mem_map + (pfn - base), order);
}

void buddy_give_run(struct mmk_system *sys, uint64_t i, uint64_t n)
{
	uint64_t base = frame_base(sys), end = i + n;

	while (i < end) {
		unsigned order = MAX_ORDER - 1, aligned = (unsigned)__builtin_ctzl((base + i) | 1ul << order);

		while (order > aligned || end - i < 1ull << order)
			order--;
		buddy_give_block(sys, sys->mem_map + i, order);
		i += 1ull << order;
	}
}

/* refcount 0: the caller was the last. 1: so it is. More: a scan holds it, and frees it then. */
void free_pages(struct mmk_system *sys, struct page *page)
{
	uint32_t flags = atomic_load_explicit(&page->flags, memory_order_relaxed);
	unsigned order = flags & PG_ORDER_MASK;
	enum page_kind kind = flags_kind(flags);

	if (atomic_load_explicit(&page->refcount, memory_order_relaxed) &&
	    atomic_fetch_sub_explicit(&page->refcount, 1, memory_order_acq_rel) > 1)
		return;
	MMK_BUG_ON(sys, order >= MAX_ORDER || kind == PAGE_FREE || kind == PAGE_RESERVED);
	MMK_BUG_ON(sys, flags & (PG_LOCKED | PG_DIRTY));
	if (flags & PG_SHMEM)
		atomic_fetch_sub_explicit(&sys->nr_shmem, 1, memory_order_relaxed);
	frame_tell_machine(sys, page, order, 1);
	if (likely(order == 0)) {
		frame_cache_give(sys, page, kind);
		return;
	}
	spin_lock(sys, &sys->buddy_lock);
	buddy_give_block(sys, page, order);
	__atomic_store_n(&sys->nr_free, sys->nr_free + (1ul << order), __ATOMIC_RELAXED);
	count_kind(sys, kind, -(1l << order));
	spin_unlock(&sys->buddy_lock);
}

void free_page_zeroed(struct mmk_system *sys, struct page *page)
{
	uint32_t old = atomic_fetch_sub_explicit(&page->refcount, 1, memory_order_acq_rel);

	MMK_BUG_ON(sys, !old); /* as put_page() has it */
	if (old > 1)
		return;
	frame_tell_machine_zeroed(sys, page);
	frame_cache_give_zeroed(sys, page, page_kind(page));
}

/* ---- making it ---- */

/* The reserved range that meets [start, end), or NULL. */
static const struct mmk_range *reserved_in(const struct mmk_config *c, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < c->nr_reserved; i++)
		if (c->reserved[i].start < end && start < c->reserved[i].end)
			return &c->reserved[i];
	return NULL;
}

/* The lowest place of `size` bytes in the RAM that is nobody else's, or ~0. */
uint64_t page_alloc_find_room(const struct mmk_config *c, uint64_t size)
{
	uint64_t at = c->ram_phys, end = c->ram_phys + c->ram_size;
	const struct mmk_range *r;

	while (at < end && size <= end - at) {
		r = reserved_in(c, at, at + size);
		if (!r)
			return at;
		if (r->end > end)
			break;
		at = PAGE_ALIGN(r->end);
	}
	return ~0ull;
}

static void reserve_frames(struct mmk_system *sys, uint64_t start, uint64_t end)
{
	uint64_t ram_end = sys->phys_base + sys->ram_size;

	start = (start < sys->phys_base ? sys->phys_base : start) & PAGE_MASK;
	end = end > ram_end ? ram_end : PAGE_ALIGN(end);
	for (; start < end; start += PAGE_SIZE) {
		struct page *page = phys_to_page(sys, start);

		if (page_kind(page) == PAGE_RESERVED)
			continue;
		page->flags = PAGE_RESERVED << PG_KIND_SHIFT;
		page->refcount = 1;
		count_kind(sys, PAGE_RESERVED, 1);
	}
}

/* A reserved frame becomes one that somebody has, and who has it gives it back. */
void mmk_release_reserved(struct mmk_system *sys, uint64_t start, uint64_t end)
{
	start = PAGE_ALIGN(start);
	end &= PAGE_MASK;
	for (; start < end; start += PAGE_SIZE) {
		struct page *page = phys_to_page(sys, start);

		if (!phys_is_ram(sys, start))
			continue;
		MMK_BUG_ON(sys, page_kind(page) != PAGE_RESERVED);
		spin_lock(sys, &sys->buddy_lock);
		page->flags = PAGE_KERNEL << PG_KIND_SHIFT;
		count_kind(sys, PAGE_RESERVED, -1);
		count_kind(sys, PAGE_KERNEL, 1);
		spin_unlock(&sys->buddy_lock);
		free_pages(sys, page);
	}
}

/* Free frames [i, end) of the frame table in blocks as large as their place allows. */
static void free_run(struct mmk_system *sys, uint64_t i, uint64_t end)
{
	uint64_t base = frame_base(sys);

	sys->nr_free += end - i;
	while (i < end) {
		unsigned order = MAX_ORDER - 1;

		while ((base + i) & ((1ull << order) - 1) || end - i < 1ull << order)
			order--;
		set_free_block(sys, sys->mem_map + i, order);
		i += 1ull << order;
	}
}

/* Where the run of free frames that begins at frame i ends: asks the ranges, not each frame. */
static uint64_t run_end(const struct mmk_system *sys, const struct mmk_config *c, uint64_t i,
                        uint64_t meta_start)
{
	uint64_t at = sys->phys_base + (i << PAGE_SHIFT), end = sys->phys_base + sys->ram_size;

	if (meta_start >= at)
		end = meta_start;
	for (unsigned r = 0; r < c->nr_reserved; r++)
		if (c->reserved[r].start >= at && c->reserved[r].start < end)
			end = c->reserved[r].start & PAGE_MASK;
	return (end - sys->phys_base) >> PAGE_SHIFT;
}

/* The larger the RAM, the smaller a part of it: 4 KiB times the root of the RAM in KiB / 16. */
static uint32_t default_min_free(const struct mmk_system *sys)
{
	uint64_t square = 16 * (sys->nr_free << (PAGE_SHIFT - 10)), root = 0;

	while ((root + 1) * (root + 1) <= square)
		root++;
	return root > 262144 ? 262144 : (uint32_t)root;
}

void page_alloc_watermarks(struct mmk_system *sys)
{
	uint64_t min = sys->min_free_kbytes >> (PAGE_SHIFT - 10), most = sys->nr_frames / 4;

	if (min > most)
		min = most;
	sys->nr_min = min;
	sys->nr_low = min + min / 4;
	sys->nr_high = min + min / 2;
}

/* sys->mem_map is zeroed and follows sys itself; both come out of the RAM. 0 or -ENOMEM. */
__cold int page_alloc_init(struct mmk_system *sys, const struct mmk_config *config)
{
	uint64_t meta = virt_to_phys(sys, sys);
	uint64_t i = 0, end;

	for (unsigned r = 0; r < config->nr_reserved; r++)
		reserve_frames(sys, config->reserved[r].start, config->reserved[r].end);
	reserve_frames(sys, meta, virt_to_phys(sys, sys->mem_map + sys->nr_frames));
	while (i < sys->nr_frames) {
		if (page_kind(sys->mem_map + i) == PAGE_RESERVED) {
			i++;
			continue;
		}
		end = run_end(sys, config, i, meta);
		free_run(sys, i, end);
		i = end;
	}
	sys->min_free_kbytes = default_min_free(sys);
	page_alloc_watermarks(sys);
	sys->zero_page = take_pages(sys, 0, PAGE_KERNEL);
	if (!sys->zero_page)
		return -MMK_ENOMEM;
	page_set(sys->zero_page, PG_ZERO | PG_UPTODATE);
	clear_page(page_address(sys, sys->zero_page));
	sys->zero_phys = page_to_phys(sys, sys->zero_page);
	return 0;
}

/* ---- for the embedder ---- */

void *mmk_alloc_frames(struct mmk_system *sys, unsigned order, bool zero)
{
	struct page *page = alloc_pages(sys, order, PAGE_KERNEL);
	void *va;

	if (!page)
		return NULL;
	va = page_address(sys, page);
	if (zero)
		__builtin_memset(va, 0, PAGE_SIZE << order);
	return va;
}

void *mmk_alloc_frames_wait(struct mmk_system *sys, unsigned order, bool zero)
{
	struct page *page;
	void *va;

	if (order >= MAX_ORDER || fails_on_purpose(sys))
		return NULL;
	page = take_pages_slow(sys, order, PAGE_KERNEL);
	if (!page)
		return NULL;
	va = page_address(sys, page);
	if (zero)
		__builtin_memset(va, 0, PAGE_SIZE << order);
	return va;
}

void mmk_free_frames(struct mmk_system *sys, void *va, unsigned order)
{
	struct page *page = phys_to_page(sys, virt_to_phys(sys, va));

	MMK_BUG_ON(sys, (page->flags & PG_ORDER_MASK) != order || page_kind(page) != PAGE_KERNEL);
	put_page(sys, page);
}
