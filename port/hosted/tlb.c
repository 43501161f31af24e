/* SPDX-License-Identifier: MIT */
/*
 * The strict TLB. It keeps every translation and every table it ever used, of every CPU, until a
 * TLBI for it has been completed by a DSB of the CPU that issued it (Arm ARM D8.14): until then
 * the old translation stays in use. So what a real TLB may do at its worst, this one does always.
 */
#include <stdlib.h>
#include "port/hosted/internal.h"

static unsigned bucket(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15ull;
	return (unsigned)(key >> 52) % TLB_BUCKETS;
}

static unsigned va_bucket(unsigned cpu, unsigned asid, unsigned level, unsigned long va)
{
	return bucket((va >> hosted_level_shift(level)) ^ (uint64_t)asid << 40 ^
	              (uint64_t)level << 57 ^ (uint64_t)cpu << 59);
}

static unsigned ptep_bucket(const uint64_t *ptep)
{
	return bucket((uintptr_t)ptep >> 3);
}

struct tlb_entry *hosted_tlb_find(struct hosted *h, unsigned cpu, unsigned asid, unsigned level,
                                  unsigned long va, bool table)
{
	struct tlb_entry *e = h->tlb[va_bucket(cpu, asid, level, va)];
	unsigned shift = hosted_level_shift(level);

	while (e && !(e->cpu == cpu && e->asid == asid && e->level == level && e->table == table &&
	              e->va >> shift == va >> shift))
		e = e->next;
	return e;
}

struct tlb_entry *hosted_tlb_of_descriptor(struct hosted *h, const uint64_t *ptep)
{
	return h->by_ptep[ptep_bucket(ptep)];
}

/* Count the entry at the frames that it leads to. */
static void count_frames(struct hosted *h, const struct tlb_entry *e, int by)
{
	uint64_t base = e->table ? e->t.next_table[e->level] : e->t.base;
	uint64_t size = e->table ? H_PAGE : (uint64_t)1 << hosted_level_shift(e->level);

	for (uint64_t pa = base; pa < base + size; pa += H_PAGE)
		if (hosted_phys(h, pa))
			h->frame_uses[(pa - h->config.ram_phys) >> H_PAGE_SHIFT] += (uint32_t)by;
}

static void link_entry(struct hosted *h, struct tlb_entry *e)
{
	struct tlb_entry **head = &h->tlb[va_bucket(e->cpu, e->asid, e->level, e->va)];
	struct tlb_entry **by_ptep = &h->by_ptep[ptep_bucket(e->ptep)];

	e->next = *head;
	e->pprev = head;
	if (e->next)
		e->next->pprev = &e->next;
	*head = e;
	e->ptep_next = *by_ptep;
	e->ptep_pprev = by_ptep;
	if (e->ptep_next)
		e->ptep_next->ptep_pprev = &e->ptep_next;
	*by_ptep = e;
	count_frames(h, e, 1);
	h->nr_entries++;
}

static void unlink_entry(struct hosted *h, struct tlb_entry *e)
{
	*e->pprev = e->next;
	if (e->next)
		e->next->pprev = e->pprev;
	*e->ptep_pprev = e->ptep_next;
	if (e->ptep_next)
		e->ptep_next->ptep_pprev = e->ptep_pprev;
	count_frames(h, e, -1);
	h->nr_entries--;
	e->dead = true;
}

/*
 * What has been reported is forgotten, so that one mistake is one report, and does no harm to
 * memory that is somebody else's by now.
 */
static void drop(struct hosted *h, struct tlb_entry *e)
{
	unlink_entry(h, e);
	if (!e->invalidating)
		free(e);
}

void hosted_tlb_drop_all(struct hosted *h, unsigned cpu, unsigned asid, unsigned long va)
{
	struct tlb_entry *e;

	for (unsigned level = 0; level <= 3; level++)
		for (int table = 0; table <= 1; table++)
			while ((e = hosted_tlb_find(h, cpu, asid, level, va, table)))
				drop(h, e);
}

struct tlb_entry *hosted_tlb_fill(struct hosted *h, unsigned cpu, unsigned level, unsigned long va,
                                  bool table, uint64_t *ptep, const struct translation *t)
{
	struct tlb_entry *e = calloc(1, sizeof(*e));
	const struct pending_store *p = hosted_pending(h, ptep);

	if (!e)
		abort();
	e->cpu = cpu;
	e->asid = h->cpus[cpu].asid;
	e->root = h->cpus[cpu].root;
	e->level = level;
	e->table = table;
	e->va = va & ~(((unsigned long)1 << hosted_level_shift(level)) - 1);
	e->ptep = ptep;
	e->t = *t;
	for (unsigned below = level + 1; table && below < 3; below++)
		e->t.next_table[below] = 0;
	if (p) { /* made from a value that is on its way out */
		e->outdated = true;
		e->written = __atomic_load_n(ptep, __ATOMIC_ACQUIRE);
		e->writer = p->cpu;
		e->writer_epoch = h->cpus[p->cpu].epoch;
	}
	link_entry(h, e);
	return e;
}

void hosted_tlb_release(struct hosted *h)
{
	for (unsigned i = 0; i < h->config.nr_cpus; i++) {
		hosted_tlb_complete(h, i);
		free(h->cpus[i].invalidated);
	}
	for (size_t i = 0; i < TLB_BUCKETS; i++) {
		while (h->tlb[i]) {
			struct tlb_entry *e = h->tlb[i];

			unlink_entry(h, e);
			free(e);
		}
	}
}

bool hosted_tlb_wrong(const struct tlb_entry *e, const struct translation *now)
{
	if (e->table)
		return e->t.next_table[e->level] != now->next_table[e->level];
	if (now->fault || e->level != now->level || e->t.base != now->base ||
	    e->t.type != now->type)
		return true;
	return (e->t.read && !now->read) || (e->t.write && !now->write) ||
	       (e->t.exec && !now->exec) || (e->t.global && !now->global);
}

/* ---- invalidation ---- */

static void remember_invalidated(struct hosted_cpu *cpu, struct tlb_entry *e)
{
	if (cpu->nr_invalidated == cpu->max_invalidated) {
		cpu->max_invalidated = cpu->max_invalidated ? 2 * cpu->max_invalidated : 64;
		cpu->invalidated =
		    realloc(cpu->invalidated, cpu->max_invalidated * sizeof(struct tlb_entry *));
		if (!cpu->invalidated)
			abort();
	}
	cpu->invalidated[cpu->nr_invalidated++] = e;
}

/*
 * A TLBI of the calling CPU hits the entry. A walk after it may load the old descriptor again
 * unless the store that changed it was pushed out before (D8.14.5: store, DSB, TLBI, DSB).
 */
static void invalidate(struct hosted *h, struct tlb_entry *e)
{
	unsigned cpu = hosted_this_cpu();
	const struct pending_store *p = hosted_pending(h, e->ptep);

	if (p && p->cpu == cpu)
		hosted_violation(
		    h, HOSTED_BARRIER,
		    "TLBI of %#lx in ASID %u before a DSB ISHST made the store to its descriptor "
		    "visible",
		    e->va, e->asid);
	if (e->invalidating & (uint64_t)1 << cpu)
		return;
	e->invalidating |= (uint64_t)1 << cpu;
	remember_invalidated(&h->cpus[cpu], e);
}

void hosted_tlb_complete(struct hosted *h, unsigned cpu)
{
	struct hosted_cpu *c = &h->cpus[cpu];

	for (size_t i = 0; i < c->nr_invalidated; i++) {
		struct tlb_entry *e = c->invalidated[i];

		if (!e->dead)
			unlink_entry(h, e);
		e->invalidating &= ~((uint64_t)1 << cpu);
		if (!e->invalidating)
			free(e);
	}
	c->nr_invalidated = 0;
}

void hosted_tlbi_va(void *ctx, unsigned asid, unsigned long va, bool last_level)
{
	struct hosted *h = ctx;

	pthread_mutex_lock(&h->mmu_lock);
	va &= ((uint64_t)1 << 48) - 1;
	for (unsigned cpu = 0; cpu < h->config.nr_cpus; cpu++) {
		for (unsigned level = 0; level <= 3; level++) {
			struct tlb_entry *e = hosted_tlb_find(h, cpu, asid, level, va, false);

			if (e)
				invalidate(h, e);
			e = last_level ? NULL : hosted_tlb_find(h, cpu, asid, level, va, true);
			if (e)
				invalidate(h, e);
		}
	}
	pthread_mutex_unlock(&h->mmu_lock);
}

static void invalidate_matching(struct hosted *h, bool every, unsigned asid)
{
	pthread_mutex_lock(&h->mmu_lock);
	for (size_t i = 0; i < TLB_BUCKETS; i++)
		for (struct tlb_entry *e = h->tlb[i]; e; e = e->next)
			if (every || e->asid == asid)
				invalidate(h, e);
	pthread_mutex_unlock(&h->mmu_lock);
}

void hosted_tlbi_asid(void *ctx, unsigned asid)
{
	invalidate_matching(ctx, false, asid);
}

void hosted_tlbi_all(void *ctx)
{
	invalidate_matching(ctx, true, 0);
}

/* ---- looking for what was forgotten ---- */

static struct tlb_entry *entry_leading_to(struct hosted *h, uint64_t pa)
{
	for (size_t i = 0; i < TLB_BUCKETS; i++)
		for (struct tlb_entry *e = h->tlb[i]; e; e = e->next) {
			uint64_t base = e->table ? e->t.next_table[e->level] : e->t.base;
			uint64_t size =
			    e->table ? H_PAGE : (uint64_t)1 << hosted_level_shift(e->level);

			if (pa - base < size)
				return e;
		}
	return NULL;
}

static void report_freed(struct hosted *h, uint64_t pa)
{
	struct tlb_entry *e = entry_leading_to(h, pa);

	hosted_violation(h, HOSTED_FREED_FRAME,
	                 "frame %#llx is freed while CPU %u still has %s of %#lx in ASID %u%s",
	                 (unsigned long long)pa, e->cpu, e->table ? "the table" : "the translation",
	                 e->va, e->asid,
	                 e->invalidating ? ": the DSB after the TLBI is missing" : "");
	while ((e = entry_leading_to(h, pa)))
		drop(h, e);
}

void hosted_check_freed(struct hosted *h, uint64_t phys, unsigned order)
{
	for (uint64_t pa = phys; pa < phys + (H_PAGE << order); pa += H_PAGE) {
		for (unsigned cpu = 0; cpu < h->config.nr_cpus; cpu++)
			if (h->cpus[cpu].root == pa)
				hosted_violation(
				    h, HOSTED_FREED_FRAME,
				    "frame %#llx is freed and CPU %u's TTBR0 still points to it",
				    (unsigned long long)pa, cpu);
		if (hosted_phys(h, pa) && h->frame_uses[(pa - h->config.ram_phys) >> H_PAGE_SHIFT])
			report_freed(h, pa);
	}
}

static bool audit_entry(struct hosted *h, const struct tlb_entry *e)
{
	struct translation now;

	if (e->invalidating) {
		hosted_violation(h, HOSTED_BARRIER,
		                 "TLBI of %#lx in ASID %u was never completed by a DSB", e->va,
		                 e->asid);
		return true;
	}
	hosted_walk_clean(h, e->root, e->va, &now);
	if (!hosted_tlb_wrong(e, &now))
		return false;
	hosted_violation(
	    h, HOSTED_STALE_TLB,
	    "CPU %u keeps a stale %s of %#lx in ASID %u: the TLB has descriptor %#llx, the "
	    "table %#llx; an invalidation is missing",
	    e->cpu, e->table ? "table" : "translation", e->va, e->asid,
	    (unsigned long long)(e->table ? e->t.table_desc[e->level] : e->t.desc),
	    (unsigned long long)now.desc);
	return true;
}

unsigned hosted_audit(struct hosted *h)
{
	const uint64_t before = hosted_nr_violations(h);
	unsigned bad;

	hosted_run_waiting(h);
	bad = (unsigned)(hosted_nr_violations(h) - before);
	pthread_mutex_lock(&h->mmu_lock);
	for (size_t i = 0; i < TLB_BUCKETS; i++)
		for (struct tlb_entry *e = h->tlb[i], *next; e; e = next) {
			next = e->next;
			if (audit_entry(h, e)) {
				drop(h, e);
				bad++;
			}
		}
	for (unsigned cpu = 0; cpu < h->config.nr_cpus; cpu++) {
		const struct pending_store *p = h->cpus[cpu].pending;

		if (!p)
			continue;
		hosted_violation(h, HOSTED_BARRIER,
		                 "CPU %u left the core without a DSB ISHST after a store to the "
		                 "descriptor at %p",
		                 cpu, (void *)p->ptep);
		bad++;
	}
	pthread_mutex_unlock(&h->mmu_lock);
	return bad;
}

size_t hosted_tlb_entries(struct hosted *h)
{
	size_t n;

	pthread_mutex_lock(&h->mmu_lock);
	n = h->nr_entries;
	pthread_mutex_unlock(&h->mmu_lock);
	return n;
}

size_t hosted_tlb_entries_at(struct hosted *h, unsigned long va)
{
	size_t n = 0;

	pthread_mutex_lock(&h->mmu_lock);
	for (size_t i = 0; i < TLB_BUCKETS; i++)
		for (struct tlb_entry *e = h->tlb[i]; e; e = e->next)
			n += !e->table && e->va >> hosted_level_shift(e->level) ==
			                      va >> hosted_level_shift(e->level);
	pthread_mutex_unlock(&h->mmu_lock);
	return n;
}
