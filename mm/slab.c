/* SPDX-License-Identifier: MIT */
/*
 * Objects smaller than a page. A cache cuts frames into objects of one size; a frame's struct page
 * holds the number of objects in use and the first free one, each free object the offset of the
 * next. Frames with room are in the cache's list; full ones are found again by their objects'
 * addresses.
 *
 * mmk_kmalloc rounds up to a power of two; from half a page on it takes whole frames.
 */
#include "mm/internal.h"
#include "mm/cache.h"

#define SLAB_UNIT    16u /* objects are multiples of it; so are offsets */
#define SLAB_END     0xffffu
#define KMALLOC_MIN  4u /* log2 of the smallest */
#define KMALLOC_NUM  (PAGE_SHIFT - 1 - KMALLOC_MIN + 1)
#define KMALLOC_MAX  (128ul << 10)
#define OTHER_CACHES 16u /* ids from here on: not kmalloc's */
#define CACHES_END   (OTHER_CACHES + 5)

_Static_assert(KMALLOC_NUM <= 16, "kmalloc_caches is too short for this page size");
_Static_assert(CACHES_END <= NR_SLAB_CACHES, "ids");
_Static_assert(PAGE_SIZE / SLAB_UNIT < SLAB_END, "offsets of free objects have 16 bits");

static struct slab_cache *cache_of(struct mmk_system *sys, unsigned id)
{
	struct slab_cache *const other[] = {&sys->vma_cache, &sys->anon_vma_cache, &sys->mm_cache,
	                                    &sys->radix_cache, &sys->file_vma_cache};

	return id < OTHER_CACHES ? &sys->kmalloc_caches[id] : other[id - OTHER_CACHES];
}

static void cache_init(struct mmk_system *sys, unsigned id, const char *name, size_t size)
{
	struct slab_cache *cache = cache_of(sys, id);

	spin_lock_init(&cache->lock);
	cache->size = (uint32_t)((size + SLAB_UNIT - 1) / SLAB_UNIT * SLAB_UNIT);
	cache->per_slab = (uint32_t)(PAGE_SIZE / cache->size);
	cache->id = id;
	cache->partial = NULL;
	cache->in_use = 0;
	cache->name = name;
	cache->sys = sys;
}

void slab_init(struct mmk_system *sys)
{
	for (unsigned i = 0; i < KMALLOC_NUM; i++)
		cache_init(sys, i, "kmalloc", 1ul << (KMALLOC_MIN + i));
	cache_init(sys, OTHER_CACHES, "vma", sizeof(struct vm_area_struct));
	cache_init(sys, OTHER_CACHES + 1, "anon_vma", sizeof(struct anon_vma));
	cache_init(sys, OTHER_CACHES + 2, "mm",
	           sizeof(struct mm_struct) + sys->nr_cpus * sizeof(struct mm_counts));
	cache_init(sys, OTHER_CACHES + 3, "radix", sizeof(struct radix_node));
	cache_init(sys, OTHER_CACHES + 4, "file_vma", sizeof(struct file_vma));
}

static void partial_add(struct slab_cache *cache, struct page *page)
{
	page->prev = NULL;
	page->next = cache->partial;
	if (cache->partial)
		cache->partial->prev = page;
	cache->partial = page;
}

static void partial_del(struct slab_cache *cache, struct page *page)
{
	if (page->prev)
		page->prev->next = page->next;
	else
		cache->partial = page->next;
	if (page->next)
		page->next->prev = page->prev;
}

/*
 * A new frame, cut into objects, at the head of the list; NULL: none, or only one of the reserve and
 * that is not for us. Cache lock held.
 */
static struct page *grow(struct slab_cache *cache, bool reserve)
{
	struct page *page = reserve ? alloc_pages(cache->sys, 0, PAGE_SLAB)
	                            : alloc_page_above_min(cache->sys, PAGE_SLAB);
	unsigned units = cache->size / SLAB_UNIT;
	char *base;

	if (!page)
		return NULL;
	base = page_address(cache->sys, page);
	for (unsigned i = 0; i < cache->per_slab; i++)
		*(uint16_t *)(base + (size_t)i * cache->size) =
		    (uint16_t)(i + 1 < cache->per_slab ? (i + 1) * units : SLAB_END);
	page->slab_free = 0;
	page->slab_cache = (uint16_t)cache->id;
	partial_add(cache, page);
	return page;
}

static bool slab_fails_on_purpose(struct mmk_system *sys)
{
	return unlikely(sys->port->should_fail) && sys->port->should_fail(sys->ctx, MMK_FAIL_SLAB);
}

static inline void *take_object(struct slab_cache *cache, bool reserve)
{
	struct mmk_system *sys = cache->sys;
	struct page *page;
	uint16_t *obj = NULL;

	count_event(sys, objects_allocated);
	spin_lock(sys, &cache->lock);
	page = cache->partial;
	if (likely(page) || (page = grow(cache, reserve))) {
		obj = (uint16_t *)((char *)page_address(sys, page) + page->slab_free * SLAB_UNIT);
		page->slab_free = *obj;
		page->nr_used++;
		cache->in_use++;
		if (page->slab_free == SLAB_END)
			partial_del(cache, page);
	}
	spin_unlock(&cache->lock);
	return obj;
}

void *slab_alloc(struct slab_cache *cache)
{
	return slab_fails_on_purpose(cache->sys) ? NULL : take_object(cache, true);
}

/* Patience has an end, as an allocation may also fail because a test wants it to. */
static void *take_object_slow(struct slab_cache *cache)
{
	void *obj = NULL;

	for (unsigned i = 0; i < RELIEF_TRIES && !obj && relieve_shortage(cache->sys); i++)
		obj = take_object(cache, false);
	return obj ? obj : take_object(cache, true);
}

void *slab_alloc_reclaim(struct slab_cache *cache)
{
	void *obj;

	if (slab_fails_on_purpose(cache->sys))
		return NULL;
	obj = take_object(cache, false);
	if (unlikely(!obj) && frames_are_short(cache->sys))
		obj = take_object_slow(cache);
	return obj;
}

void slab_free(struct slab_cache *cache, void *obj)
{
	struct mmk_system *sys = cache->sys;
	struct page *page = phys_to_page(sys, virt_to_phys(sys, obj)), *empty = NULL;

	MMK_BUG_ON(sys, page_kind(page) != PAGE_SLAB || page->slab_cache != cache->id);
	spin_lock(sys, &cache->lock);
	if (page->slab_free == SLAB_END)
		partial_add(cache, page);
	*(uint16_t *)obj = page->slab_free;
	page->slab_free = (uint16_t)(((uintptr_t)obj & ~PAGE_MASK) / SLAB_UNIT);
	cache->in_use--;
	/* One empty frame stays, so that alloc and free in turn do not go to the buddy lists. */
	if (!--page->nr_used && (page->next || page->prev)) {
		partial_del(cache, page);
		empty = page;
	}
	spin_unlock(&cache->lock);
	if (empty)
		free_pages(sys, empty);
}

static bool has_cache(unsigned id)
{
	return id < KMALLOC_NUM || (id >= OTHER_CACHES && id < CACHES_END);
}

void slab_reap(struct mmk_system *sys)
{
	for (unsigned id = 0; id < CACHES_END; id++) {
		struct slab_cache *cache = cache_of(sys, id);
		struct page *page, *next;

		if (!has_cache(id))
			continue;
		spin_lock(sys, &cache->lock);
		for (page = cache->partial; page; page = next) {
			next = page->next;
			if (page->nr_used)
				continue;
			partial_del(cache, page);
			free_pages(sys, page);
		}
		spin_unlock(&cache->lock);
	}
}

uint64_t slab_objects(struct mmk_system *sys)
{
	uint64_t n = 0;

	for (unsigned id = 0; id < CACHES_END; id++)
		if (has_cache(id))
			n += __atomic_load_n(&cache_of(sys, id)->in_use, __ATOMIC_RELAXED);
	return n;
}

/* ---- memory of any small size ---- */

static unsigned log2_up(size_t size)
{
	return size <= 1 ? 0 : 64 - (unsigned)__builtin_clzl(size - 1);
}

/* The cache for objects of 2^shift bytes. */
static struct slab_cache *kmalloc_cache(struct mmk_system *sys, unsigned shift)
{
	return &sys->kmalloc_caches[shift < KMALLOC_MIN ? 0 : shift - KMALLOC_MIN];
}

void *mmk_kmalloc(struct mmk_system *sys, size_t size)
{
	unsigned shift = log2_up(size);

	if (size > KMALLOC_MAX)
		return NULL;
	if (shift >= PAGE_SHIFT)
		return mmk_alloc_frames(sys, shift - PAGE_SHIFT, false);
	return slab_alloc(kmalloc_cache(sys, shift));
}

void *mmk_kmalloc_wait(struct mmk_system *sys, size_t size)
{
	unsigned shift = log2_up(size);

	if (size > KMALLOC_MAX)
		return NULL;
	if (shift >= PAGE_SHIFT)
		return mmk_alloc_frames_wait(sys, shift - PAGE_SHIFT, false);
	return slab_alloc_reclaim(kmalloc_cache(sys, shift));
}

static void *zeroed(void *p, size_t size)
{
	return p ? __builtin_memset(p, 0, size) : NULL;
}

void *mmk_kzalloc(struct mmk_system *sys, size_t size)
{
	return zeroed(mmk_kmalloc(sys, size), size);
}

void *mmk_kzalloc_wait(struct mmk_system *sys, size_t size)
{
	return zeroed(mmk_kmalloc_wait(sys, size), size);
}

void mmk_kfree(struct mmk_system *sys, void *ptr)
{
	struct page *page;

	if (!ptr)
		return;
	page = phys_to_page(sys, virt_to_phys(sys, ptr));
	if (page_kind(page) == PAGE_SLAB) {
		slab_free(cache_of(sys, page->slab_cache), ptr);
		return;
	}
	MMK_BUG_ON(sys, page_kind(page) != PAGE_KERNEL);
	put_page(sys, page);
}
