/* SPDX-License-Identifier: MIT */
/*
 * What the files below the page cache say to each other: slab, radix tree, cache, writeback,
 * reclaim.
 */
#ifndef MM_CACHE_H
#define MM_CACHE_H

/* page_alloc.c, for system.c: the lowest place of `size` bytes that is nobody's, or ~0. */
uint64_t page_alloc_find_room(const struct mmk_config *c, uint64_t size);

/* slab.c, for system.c: give empty slabs back to the buddy allocator. */
void slab_reap(struct mmk_system *sys);

/* ---- radix.c: index -> page; every call under i_pages_lock ---- */
#define RADIX_SHIFT 6
#define RADIX_SLOTS (1u << RADIX_SHIFT)
struct radix_node {
	uint64_t dirty; /* slots that are, or lead to, dirty pages */
	struct radix_node *parent;
	uint8_t shift;  /* bits of the index below this level; 0: slots are pages */
	uint8_t offset; /* its slot in the parent */
	uint16_t count; /* slots in use */
	void *slots[RADIX_SLOTS];
};
struct page *radix_lookup(void *root, uint64_t index);
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
uint64_t mapping_size(const struct address_space *m); /* i_size, read once, atomically */
void mapping_set_size(struct address_space *m, uint64_t size);
/* The cached page, up to date or not, with a reference; NULL: none. */
struct page *filemap_find(struct address_space *m, uint64_t index);
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
/* Write a locked page, whose mapping this is; it stays locked. An error goes to wb_err. */
void writeback_page(struct address_space *m, struct page *page);

/* ---- reclaim.c ---- */
#define RECLAIM_BATCH 32
/* Drop up to `want` cached pages, looking at no more than `scan` frames. How many. Sleeps. */
uint64_t reclaim_frames(struct mmk_system *sys, uint64_t want, uint64_t scan);
/* Drop every clean, unmapped page of a file with a home. */
void drop_clean_pages(struct mmk_system *sys);

#endif
