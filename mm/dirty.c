/* SPDX-License-Identifier: MIT */
/*
 * How many dirty pages there may be, and who writes them back when nobody asks for it.
 *
 *   over dirty_background_ratio    the embedder's worker is woken, and writes the oldest files
 * first over dirty_ratio               who makes pages dirty writes some himself before he goes on
 *   older than dirty_expire        the worker writes them, every dirty_writeback interval
 *
 * Ratios are of the memory that could hold a file's pages: what is free and what holds some now.
 *
 * Mappings with dirty pages are in one list, in the order in which they got the first of them. A
 * mapping that is being worked on is kept by its wb_busy, for which mmk_mapping_destroy waits; no
 * lock is held over the I/O.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/frame_cache.h"

#define NS_PER_CENTISEC 10000000ull
#define SLICE           1024u /* pages of one file before the next has its turn */
#define NEVER           (~0ull)

/* ---- the list of mappings with dirty pages ---- */

static uint64_t dirty_clock(struct mmk_system *sys)
{
	return sys->port->now ? sys->port->now(sys->ctx) : 0;
}

/* wb_lock held. */
static void dirty_list_add(struct mmk_system *sys, struct address_space *m)
{
	m->dirty_next = NULL;
	m->dirty_prev = sys->dirty_last;
	if (m->dirty_prev)
		m->dirty_prev->dirty_next = m;
	else
		sys->dirty_first = m;
	sys->dirty_last = m;
}

static void dirty_list_del(struct mmk_system *sys, struct address_space *m)
{
	if (m->dirty_prev)
		m->dirty_prev->dirty_next = m->dirty_next;
	else
		sys->dirty_first = m->dirty_next;
	if (m->dirty_next)
		m->dirty_next->dirty_prev = m->dirty_prev;
	else
		sys->dirty_last = m->dirty_prev;
}

static uint64_t dirty_now(struct mmk_system *sys)
{
	int64_t n = atomic_load_explicit(&sys->nr_dirty, memory_order_relaxed);

	return n > 0 ? (uint64_t)n : 0;
}

static void wake_worker(struct mmk_system *sys)
{
	if (sys->port->wake_worker)
		sys->port->wake_worker(sys->ctx);
}

void dirty_list_enter(struct address_space *m)
{
	struct mmk_system *sys = m->sys;
	bool first;

	m->dirtied_at = dirty_clock(sys);
	spin_lock(sys, &sys->wb_lock);
	first = !sys->dirty_first;
	dirty_list_add(sys, m);
	spin_unlock(&sys->wb_lock);
	if (first)
		wake_worker(sys); /* it has to come back when the page is old */
}

void dirty_list_leave(struct address_space *m)
{
	struct mmk_system *sys = m->sys;

	spin_lock(sys, &sys->wb_lock);
	dirty_list_del(sys, m);
	spin_unlock(&sys->wb_lock);
}

/* The first that got dirty by `until` and that this pass has not had, kept from its end. */
static struct address_space *dirty_pick(struct mmk_system *sys, uint64_t until, uint64_t pass)
{
	struct address_space *m;

	spin_lock(sys, &sys->wb_lock);
	for (m = sys->dirty_first; m; m = m->dirty_next)
		if (m->dirtied_at <= until && m->wb_pass != pass)
			break;
	if (m) {
		m->wb_pass = pass;
		__atomic_fetch_add(&m->wb_busy, 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&sys->wb_lock);
	return m;
}

/*
 * Where there is more to write it has its turn again, behind the others. Else what is still dirty
 * (it failed, or came meanwhile) is as if it were new.
 */
static void dirty_unpick(struct address_space *m, bool done)
{
	struct mmk_system *sys = m->sys;
	uint64_t now = dirty_clock(sys);

	i_pages_lock(m);
	if (m->nrdirty) {
		spin_lock(sys, &sys->wb_lock);
		dirty_list_del(sys, m);
		if (done)
			m->dirtied_at = now;
		else
			m->wb_pass = 0;
		dirty_list_add(sys, m);
		spin_unlock(&sys->wb_lock);
	}
	i_pages_unlock(m);
	/* The last thing: from here on it may go. The word is only compared with, never read. */
	if (__atomic_sub_fetch(&m->wb_busy, 1, __ATOMIC_RELEASE) == 0)
		sys->port->wake(sys->ctx, &m->wb_busy);
}

void dirty_wait_idle(struct address_space *m)
{
	struct mmk_system *sys = m->sys;
	uint32_t busy;

	/* Nobody finds it any more: it is not in the list. */
	while ((busy = __atomic_load_n(&m->wb_busy, __ATOMIC_ACQUIRE)))
		sys->port->wait(sys->ctx, &m->wb_busy, busy, 0);
}

uint64_t flush_dirty(struct mmk_system *sys, uint64_t want, uint64_t until)
{
	uint64_t pass = __atomic_add_fetch(&sys->wb_pass, 1, __ATOMIC_RELAXED), done = 0;
	uint64_t dirty = dirty_now(sys);
	struct address_space *m;

	if (want > dirty) /* who makes pages dirty meanwhile does not keep us for ever */
		want = dirty;
	while (done < want && (m = dirty_pick(sys, until, pass))) {
		uint64_t n = want - done < SLICE ? want - done : SLICE, wrote;
		int err = 0;

		wrote = writeback_range(m, 0, ~0ull, n, &err);
		dirty_unpick(m, wrote < n);
		done += wrote;
	}
	return done;
}

/* ---- thresholds ---- */

/* Pages that could hold a file's: free ones above the reserve, and those that do now. */
static uint64_t dirtyable_pages(struct mmk_system *sys)
{
	int64_t n = (int64_t)(frames_free(sys) + frames_of_kind(sys, PAGE_CACHE)) -
	            (int64_t)sys->nr_high -
	            atomic_load_explicit(&sys->nr_shmem, memory_order_relaxed);

	return n > 0 ? (uint64_t)n : 0;
}

static uint64_t threshold(uint64_t bytes, uint32_t ratio, uint64_t dirtyable)
{
	return bytes ? PAGE_ALIGN(bytes) >> PAGE_SHIFT : dirtyable * ratio / 100;
}

void dirty_limits(struct mmk_system *sys, uint64_t *background, uint64_t *limit)
{
	uint64_t room = dirtyable_pages(sys);

	*limit = threshold(sys->dirty_bytes, sys->dirty_ratio, room);
	*background = threshold(sys->dirty_background_bytes, sys->dirty_background_ratio, room);
	if (*background >= *limit)
		*background = *limit / 2;
	/* Below half of it nobody need look closer. */
	__atomic_store_n(&sys->dirty_look, *background / 2, __ATOMIC_RELAXED);
}

/*
 * Over the limit: down to halfway between the two thresholds, so that the next pages do not come
 * here at once. Where the homes take nothing there is nothing to wait for: reclaim and, in the end,
 * the want of memory are what is left.
 */
void balance_dirty_pages_slow(struct mmk_system *sys)
{
	uint64_t background, limit, dirty = dirty_now(sys);

	dirty_limits(sys, &background, &limit);
	if (dirty > background)
		wake_worker(sys);
	if (dirty <= limit)
		return;
	stat_inc_rare(sys, throttled);
	flush_dirty(sys, dirty - (background + limit) / 2, NEVER);
}

/* ---- the worker ---- */

static void write_over_background(struct mmk_system *sys)
{
	uint64_t background, limit, dirty;

	for (;;) {
		dirty_limits(sys, &background, &limit);
		dirty = dirty_now(sys);
		if (dirty <= background || !flush_dirty(sys, dirty - background, NEVER))
			break;
	}
}

/* When the oldest dirty file is due, no earlier than an interval from now; NEVER: there is none. */
static uint64_t next_due(struct mmk_system *sys, uint64_t now)
{
	uint64_t interval = sys->dirty_writeback_centisecs * NS_PER_CENTISEC;
	uint64_t expire = sys->dirty_expire_centisecs * NS_PER_CENTISEC, due = NEVER;

	if (!interval)
		return NEVER;
	spin_lock(sys, &sys->wb_lock);
	if (sys->dirty_first)
		due = sys->dirty_first->dirtied_at + expire;
	spin_unlock(&sys->wb_lock);
	return due != NEVER && due < now + interval ? now + interval : due;
}

uint64_t mmk_background_work(struct mmk_system *sys)
{
	uint64_t now = dirty_clock(sys);
	uint64_t expire = sys->dirty_expire_centisecs * NS_PER_CENTISEC;

	reclaim_background(sys);
	write_over_background(sys);
	if (sys->dirty_writeback_centisecs && now >= expire)
		flush_dirty(sys, NEVER, now - expire);
	return next_due(sys, dirty_clock(sys));
}
