/* SPDX-License-Identifier: MIT */
/*
 * What the core tells of its stores to descriptors, and its barriers.
 *
 * A store stays unseen by the walkers until the CPU that made it has done a DSB (Arm ARM D8.2.6,
 * B2.3): until then they read the value before it. And a live descriptor may not change its output
 * address, memory type or size in one step: it is to be broken, invalidated, and then made anew
 * (break-before-make, D8.14.1). Software's bits, access flag and permissions may change at once.
 */
#include <stdlib.h>
#include "port/hosted/internal.h"

#define VALID 1u
#define FRAME ((uint64_t)0x0000fffffffff000)
#define TYPE  ((uint64_t)0x31c)
#define NG    ((uint64_t)1 << 11)

static unsigned pend_bucket(const uint64_t *ptep)
{
	return (unsigned)(((uintptr_t)ptep >> 3) * 0x9e3779b97f4a7c15ull >> 40) % PEND_BUCKETS;
}

const struct pending_store *hosted_pending(struct hosted *h, const uint64_t *ptep)
{
	const struct pending_store *p = h->pending[pend_bucket(ptep)];

	while (p && p->ptep != ptep)
		p = p->next;
	return p;
}

static void add_pending(struct hosted *h, unsigned cpu, uint64_t *ptep, uint64_t old)
{
	struct pending_store **at = &h->pending[pend_bucket(ptep)];
	struct pending_store *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->ptep = ptep;
	p->old = old;
	p->cpu = cpu;
	p->cpu_next = h->cpus[cpu].pending;
	h->cpus[cpu].pending = p;
	while (*at)
		at = &(*at)->next;
	*at = p;
}

static void push_out(struct hosted *h, unsigned cpu)
{
	while (h->cpus[cpu].pending) {
		struct pending_store *p = h->cpus[cpu].pending;
		struct pending_store **at = &h->pending[pend_bucket(p->ptep)];

		while (*at != p)
			at = &(*at)->next;
		*at = p->next;
		h->cpus[cpu].pending = p->cpu_next;
		free(p);
	}
}

void hosted_stores_release(struct hosted *h)
{
	for (unsigned cpu = 0; cpu < h->config.nr_cpus; cpu++)
		push_out(h, cpu);
}

/* Does a walk go on or end well there? Two encodings with bit 0 set are reserved, and invalid. */
static bool live(uint64_t desc, unsigned level)
{
	return (desc & VALID) && ((desc & 2) || (level != 3 && level != 0));
}

static uint64_t must_not_change(uint64_t desc, unsigned level)
{
	bool table = level < 3 && (desc & 2);

	return table ? desc & (FRAME | 2) : desc & (FRAME | TYPE | NG | 2);
}

static void check_break_before_make(struct hosted *h, const uint64_t *ptep, uint64_t old,
                                    uint64_t val, unsigned level)
{
	if (!live(old, level) || !live(val, level))
		return;
	if (must_not_change(old, level) != must_not_change(val, level))
		hosted_violation(
		    h, HOSTED_BREAK_BEFORE_MAKE,
		    "the live level-%u descriptor at %p went from %#llx to %#llx in one step",
		    level, (const void *)ptep, (unsigned long long)old, (unsigned long long)val);
}

/* The descriptor is made valid while some TLB still has what it was before. */
static void check_make(struct hosted *h, const struct tlb_entry *e, uint64_t val, unsigned level)
{
	uint64_t cached = e->table ? e->t.table_desc[e->level] : e->t.desc;

	if (must_not_change(cached, level) == must_not_change(val, level))
		return;
	hosted_violation(
	    h, HOSTED_BREAK_BEFORE_MAKE,
	    "a descriptor for %#lx is made %#llx while CPU %u still has %#llx, whose invalidation "
	    "has not been %s",
	    e->va, (unsigned long long)val, e->cpu, (unsigned long long)cached,
	    e->invalidating ? "completed by a DSB" : "asked for");
}

static void tell_cached(struct hosted *h, uint64_t *ptep, uint64_t old, uint64_t val,
                        unsigned level)
{
	unsigned cpu = hosted_this_cpu();

	for (struct tlb_entry *e = hosted_tlb_of_descriptor(h, ptep); e; e = e->ptep_next) {
		if (e->ptep != ptep)
			continue;
		if (!live(old, level) && live(val, level))
			check_make(h, e, val, level);
		e->outdated = true;
		e->written = val;
		e->writer = cpu;
		e->writer_epoch = h->cpus[cpu].epoch;
	}
}

void hosted_pte_written(void *ctx, uint64_t *ptep, uint64_t old, uint64_t val, unsigned level)
{
	struct hosted *h = ctx;

	if (old == val)
		return;
	pthread_mutex_lock(&h->mmu_lock);
	check_break_before_make(h, ptep, old, val, level);
	tell_cached(h, ptep, old, val, level);
	if (live(old, level) ||
	    live(val, level)) /* no walker tells one invalid descriptor from another */
		add_pending(h, hosted_this_cpu(), ptep, old);
	pthread_mutex_unlock(&h->mmu_lock);
}

void hosted_dsb_ishst(void *ctx)
{
	struct hosted *h = ctx;

	pthread_mutex_lock(&h->mmu_lock);
	push_out(h, hosted_this_cpu());
	pthread_mutex_unlock(&h->mmu_lock);
}

void hosted_dsb_ish(void *ctx)
{
	struct hosted *h = ctx;
	unsigned cpu = hosted_this_cpu();

	pthread_mutex_lock(&h->mmu_lock);
	push_out(h, cpu);
	hosted_tlb_complete(h, cpu);
	pthread_mutex_unlock(&h->mmu_lock);
}
