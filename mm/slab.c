/* SPDX-License-Identifier: MIT */
/*
 * Objects smaller than a page. A cache cuts frames into objects of one size; a frame's struct page
 * holds the number of objects in use and the first free one, each free object the offset of the
 * next. Frames with room are in the cache's list; full ones are found again by their objects'
 * addresses.
 *
 * Each CPU keeps a few free objects of each cache, so that most allocations and frees touch no line
 * that another CPU uses. An empty list gets a batch from the slabs, one that is too long gives a batch
 * back. The number of the CPU only says which list: frame_cache.c. The lists go back to the slabs when
 * frames run short, and whatever is counted counts what lies in them as free.
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
#define CACHES_END   (OTHER_CACHES + 4)
#define MOST_BATCH   16u

_Static_assert(KMALLOC_NUM <= 16, "kmalloc_caches is too short for this page size");
_Static_assert(CACHES_END <= NR_SLAB_CACHES, "ids");
_Static_assert(PAGE_SIZE / SLAB_UNIT < SLAB_END, "offsets of free objects have 16 bits");

static struct slab_cache *cache_of(struct mmk_system *sys, unsigned id)
{
	struct slab_cache *const other[] = {&sys->vma_cache, &sys->file_vma_cache, &sys->mm_cache,
	                                    &sys->radix_cache};

	return id < OTHER_CACHES ? &sys->kmalloc_caches[id] : other[id - OTHER_CACHES];
}

static void cache_init(struct mmk_system *sys, unsigned id, const char *name, size_t size)
{
	struct slab_cache *cache = cache_of(sys, id);

	spin_lock_init(&cache->lock);
	cache->size = (uint32_t)((size + SLAB_UNIT - 1) / SLAB_UNIT * SLAB_UNIT);
	cache->per_slab = (uint32_t)(PAGE_SIZE / cache->size);
	cache->id = id;
	cache->batch = cache->per_slab / 2 + 1 < MOST_BATCH ? cache->per_slab / 2 + 1 : MOST_BATCH;
	cache->partial = NULL;
	cache->in_use = 0;
	cache->name = name;
	cache->sys = sys;
}

__cold void slab_init(struct mmk_system *sys)
{
	for (unsigned i = 0; i < KMALLOC_NUM; i++)
		cache_init(sys, i, "kmalloc", 1ul << (KMALLOC_MIN + i));
	cache_init(sys, OTHER_CACHES, "vma", sizeof(struct vm_area_struct));
	cache_init(sys, OTHER_CACHES + 1, "file_vma", sizeof(struct file_vma));
	cache_init(sys, OTHER_CACHES + 2, "mm",
	           sizeof(struct mm_struct) + sys->nr_cpus * sizeof(struct mm_counts));
	cache_init(sys, OTHER_CACHES + 3, "radix", sizeof(struct radix_node));
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

/* ---- out of the slabs and back ---- */

/* One object, from a new slab only if `may_grow`. Cache lock held. */
static void *slab_take(struct slab_cache *cache, bool may_grow, bool reserve)
{
	struct page *page = cache->partial;
	uint16_t *obj;

	if (!page && may_grow)
		page = grow(cache, reserve);
	if (!page)
		return NULL;
	obj = (uint16_t *)((char *)page_address(cache->sys, page) + page->slab_free * SLAB_UNIT);
	page->slab_free = *obj;
	page->nr_used++;
	cache->in_use++;
	if (page->slab_free == SLAB_END)
		partial_del(cache, page);
	return obj;
}

/* The frame of the object, if nothing else is in it and it is not the only one. Cache lock held. */
static struct page *slab_give(struct slab_cache *cache, void *obj)
{
	struct mmk_system *sys = cache->sys;
	struct page *page = phys_to_page(sys, virt_to_phys(sys, obj));

	if (page->slab_free == SLAB_END)
		partial_add(cache, page);
	*(uint16_t *)obj = page->slab_free;
	page->slab_free = (uint16_t)(((uintptr_t)obj & ~PAGE_MASK) / SLAB_UNIT);
	cache->in_use--;
	if (--page->nr_used || !(page->next || page->prev))
		return NULL;
	partial_del(cache, page);
	return page;
}

/* All of a list that nobody else has. */
static void give_list(struct slab_cache *cache, void **obj)
{
	struct page *empty = NULL, *page;
	void **next;

	spin_lock(cache->sys, &cache->lock);
	for (; obj; obj = next) {
		next = *obj;
		page = slab_give(cache, obj);
		if (page) {
			page->next = empty;
			empty = page;
		}
	}
	spin_unlock(&cache->lock);
	for (; empty; empty = page) {
		page = empty->next;
		free_pages(cache->sys, empty);
	}
}

/* ---- each CPU's own ---- */

static inline struct object_list *list_lock(struct slab_cache *cache, spinlock_t **lock)
{
	struct cpu_local *cpu = cpu_here(cache->sys);

	*lock = &cpu->objects_lock;
	spin_lock(cache->sys, *lock);
	return &cpu->objects[cache->id];
}

static inline void list_set(struct object_list *list, void *head, uint32_t nr)
{
	list->head = head;
	__atomic_store_n(&list->nr, nr, __ATOMIC_RELAXED); /* the sums read it without the lock */
}

static inline void list_push(struct object_list *list, void **obj)
{
	*obj = list->head;
	list_set(list, obj, list->nr + 1);
}

/* One for the caller, others for the list. The lock of the list is not held, as we may allocate. */
static __attribute__((noinline)) void *take_batch(struct slab_cache *cache, bool reserve)
{
	void **first, **obj, *chain = NULL;
	struct object_list *list;
	spinlock_t *lock;

	spin_lock(cache->sys, &cache->lock);
	first = slab_take(cache, true, reserve);
	for (unsigned i = 1; first && i < cache->batch; i++) {
		obj = slab_take(cache, false, reserve);
		if (!obj)
			break;
		*obj = chain;
		chain = obj;
	}
	spin_unlock(&cache->lock);
	if (!chain)
		return first;
	list = list_lock(cache, &lock);
	for (obj = chain; obj; obj = chain) {
		chain = *obj;
		list_push(list, obj);
	}
	spin_unlock(lock);
	return first;
}

static inline void *take_object(struct slab_cache *cache, bool reserve)
{
	struct object_list *list;
	spinlock_t *lock;
	void **obj;

	count_event(cache->sys, objects_allocated);
	list = list_lock(cache, &lock);
	obj = list->head;
	if (likely(obj))
		list_set(list, *obj, list->nr - 1);
	spin_unlock(lock);
	return likely(obj) ? obj : take_batch(cache, reserve);
}

/* The list is too long: the objects behind its first few go. Its lock held. */
static void **cut_list(struct slab_cache *cache, struct object_list *list)
{
	void **last = list->head, **rest;

	for (unsigned i = 1; i < cache->batch; i++)
		last = *last;
	rest = *last;
	*last = NULL;
	list_set(list, list->head, cache->batch);
	return rest;
}

void slab_free(struct slab_cache *cache, void *obj)
{
	struct mmk_system *sys = cache->sys;
	struct page *page = phys_to_page(sys, virt_to_phys(sys, obj));
	struct object_list *list;
	void **rest = NULL;
	spinlock_t *lock;

	MMK_BUG_ON(sys, page_kind(page) != PAGE_SLAB || page->slab_cache != cache->id);
	list = list_lock(cache, &lock);
	list_push(list, obj);
	if (unlikely(list->nr > 2 * cache->batch))
		rest = cut_list(cache, list);
	spin_unlock(lock);
	if (unlikely(rest))
		give_list(cache, rest);
}

uint64_t slab_in_use(const struct slab_cache *cache)
{
	const struct mmk_system *sys = cache->sys;
	uint64_t n = __atomic_load_n(&cache->in_use, __ATOMIC_RELAXED);

	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++)
		n -= __atomic_load_n(&sys->cpus[cpu].objects[cache->id].nr, __ATOMIC_RELAXED);
	return n;
}

static void drain_lists(struct slab_cache *cache)
{
	struct mmk_system *sys = cache->sys;

	for (unsigned i = 0; i < sys->nr_cpus; i++) {
		struct cpu_local *cpu = &sys->cpus[i];
		struct object_list *list = &cpu->objects[cache->id];
		void **all;

		spin_lock(sys, &cpu->objects_lock);
		all = list->head;
		list_set(list, NULL, 0);
		spin_unlock(&cpu->objects_lock);
		if (all)
			give_list(cache, all);
	}
}

/* ---- allocating ---- */

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

static bool has_cache(unsigned id)
{
	return id < KMALLOC_NUM || (id >= OTHER_CACHES && id < CACHES_END);
}

__cold uint64_t slab_reap(struct mmk_system *sys)
{
	uint64_t frames = 0;

	for (unsigned id = 0; id < CACHES_END; id++) {
		struct slab_cache *cache = cache_of(sys, id);
		struct page *page, *next;

		if (!has_cache(id))
			continue;
		drain_lists(cache);
		spin_lock(sys, &cache->lock);
		for (page = cache->partial; page; page = next) {
			next = page->next;
			if (page->nr_used)
				continue;
			partial_del(cache, page);
			free_pages(sys, page);
			frames++;
		}
		spin_unlock(&cache->lock);
	}
	return frames;
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
