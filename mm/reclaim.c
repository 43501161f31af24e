/* SPDX-License-Identifier: MIT */
/*
 * Frames back when they run short: from who has freed them lazily (lazyfree.c), and from the page
 * cache.
 *
 * A hand goes round the frame table, as a clock's. A page of a file with a home that was used since
 * the hand last came by - read, or touched through a mapping - is spared once; else it is written
 * back if dirty, unmapped if mapped, and dropped. No lists are kept for this, so the fast paths pay
 * nothing but one bit. Pages that a program has given up (lazyfree.c) go before all others.
 *
 * Anything may happen to a frame while the hand looks at it: only a frame with a reference of ours
 * is what it seems, and only with its lock held is its mapping sure to live (mmk_mapping_destroy
 * waits for the lock of every page that it finds). No lock is waited for, so this runs wherever
 * sleeping is allowed.
 *
 *   free frames above nr_low    nothing happens
 *   below                       who wants one for a program drops some, and the worker is woken
 *   down to nr_min              programs get no more: first as much is dropped as there is, then
 *                               the port is asked to kill somebody
 *   below                       what cannot wait - writing pages back, interrupts, who is to end
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/frame_cache.h"
#include "mm/lazyfree.h"

/* Worth a closer look? Without a reference, so all of it may have changed meanwhile. */
static bool looks_droppable(struct page *page)
{
	uint32_t flags = atomic_load_explicit(&page->flags, memory_order_relaxed);

	return flags_kind(flags) == PAGE_CACHE && !(flags & (PG_SHMEM | PG_LOCKED)) &&
	       flags & PG_UPTODATE;
}

/* Is the page part of a VMA that is to stay in memory (mlock)? */
static bool is_mlocked(struct address_space *m, const struct page *page)
{
	struct vm_area_struct *vma = NULL;

	i_mmap_lock(m);
	while ((vma = itv_next(&m->i_mmap, vma, page->index, page->index)))
		if (load_relaxed(&vma->vm_flags) & MMK_VM_LOCKED)
			break;
	i_mmap_unlock(m);
	return vma;
}

/* Which pages go. */
enum drop {
	DROP_CLEAN, /* what is neither mapped nor dirty */
	DROP_OLD,   /* and what nobody has touched lately, unmapped and written back */
	DROP_ANY,
};

/* Locked, and a page of the cache. */
static bool drop_locked(struct page *page, enum drop which)
{
	struct address_space *m = page->mapping;

	if (!m || !mapping_has_home(m))
		return false;
	if (which == DROP_CLEAN)
		return filemap_remove_unused(m, page);
	if (atomic_load(&page->mapcount) > 0) {
		if (is_mlocked(m, page) || (which == DROP_OLD && page_mkold(m, page)))
			return false;
		unmap_mapping_range(m, page->index, page->index, false);
	}
	if (page_test(page, PG_DIRTY))
		writeback_page(m, page);
	return filemap_remove_unused(m, page);
}

/* A reference of the caller's goes. */
static bool drop_held(struct mmk_system *sys, struct page *page, enum drop which)
{
	bool dropped = false;

	if (page_kind(page) == PAGE_CACHE && trylock_page(page)) {
		dropped = drop_locked(page, which);
		unlock_page(sys, page);
	}
	put_page(sys, page);
	return dropped;
}

static bool try_drop(struct mmk_system *sys, struct page *page, enum drop which)
{
	return get_page_unless_zero(page) && drop_held(sys, page, which);
}

bool reclaim_page(struct mmk_system *sys, struct page *page)
{
	return drop_held(sys, page, DROP_ANY);
}

uint64_t reclaim_frames(struct mmk_system *sys, uint64_t want, uint64_t scan)
{
	uint64_t dropped = lazyfree_reclaim(sys, want), looked = 0;

	while (looked++ < scan && dropped < want) {
		uint64_t hand =
		    atomic_fetch_add_explicit(&sys->clock_hand, 1, memory_order_relaxed);

		struct page *page = sys->mem_map + hand % sys->nr_frames;

		if (looks_droppable(page) && !page_test_clear(page, PG_REFERENCED) &&
		    try_drop(sys, page, DROP_OLD))
			dropped++;
	}
	stat_add(sys, scanned, looked - 1);
	if (!dropped)
		dropped = slab_reap(sys);
	if (dropped)
		stat_add(sys, reclaimed, dropped);
	return dropped;
}

void reclaim_background(struct mmk_system *sys)
{
	if (frames_free(sys) >= sys->nr_low)
		return;
	while (frames_free(sys) < sys->nr_high)
		if (!reclaim_frames(sys, RECLAIM_BATCH, 2 * sys->nr_frames))
			break;
}

/* ---- when an allocation has to wait for frames ---- */

static enum mmk_oom out_of_memory(struct mmk_system *sys)
{
	stat_inc_rare(sys, ooms);
	return sys->port->out_of_memory ? sys->port->out_of_memory(sys->ctx) : MMK_OOM_NONE;
}

/* Without a port that kills, the reserve is for whoever comes: better than to refuse. */
static struct page *take_reserve(struct mmk_system *sys, enum mmk_oom oom, unsigned order,
                                 enum page_kind kind)
{
	if (oom == MMK_OOM_NONE && sys->port->out_of_memory)
		return NULL;
	return take_pages(sys, order, kind);
}

struct page *take_pages_slow(struct mmk_system *sys, unsigned order, enum page_kind kind)
{
	enum mmk_oom oom = MMK_OOM_RETRY;
	struct page *page;

	if (frames_free(sys) < sys->nr_low) {
		if (sys->port->wake_worker)
			sys->port->wake_worker(sys->ctx);
		reclaim_frames(sys, RECLAIM_BATCH, 4 * RECLAIM_BATCH);
	}
	while (oom == MMK_OOM_RETRY) {
		page = frames_free(sys) > sys->nr_min ? take_pages(sys, order, kind) : NULL;
		if (page)
			return page;
		if (reclaim_frames(sys, RECLAIM_BATCH, 2 * sys->nr_frames))
			continue;
		/* Nobody is killed for the sake of neighbours: a large block may be refused. */
		if (order)
			return NULL;
		oom = out_of_memory(sys);
	}
	return take_reserve(sys, oom, order, kind);
}

bool frames_are_short(const struct mmk_system *sys)
{
	return frames_free(sys) <= sys->nr_low;
}

bool relieve_shortage(struct mmk_system *sys)
{
	if (frames_free(sys) > sys->nr_min)
		return frames_are_short(sys); /* somebody has given some back, or: other reasons */
	return reclaim_frames(sys, RECLAIM_BATCH, 2 * sys->nr_frames) ||
	       out_of_memory(sys) == MMK_OOM_RETRY;
}

void drop_clean_pages(struct mmk_system *sys)
{
	for (uint64_t i = 0; i < sys->nr_frames; i++) {
		if (looks_droppable(sys->mem_map + i))
			try_drop(sys, sys->mem_map + i, DROP_CLEAN);
		cond_resched_at(sys, i + 1);
	}
}
