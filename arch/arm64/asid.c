/* SPDX-License-Identifier: MIT */
/*
 * Address space identifiers (Arm ARM D8.16.3): 8 or 16 bits for any number of address spaces.
 *
 * mm->context is generation | ASID. While the generation is the system's, the mm keeps its ASID and
 * activating it takes no lock. When the ASIDs are used up a new generation begins: the ASIDs that
 * CPUs run with at that moment stay theirs (reserved_asid), all others are free again, and every
 * TLB forgets everything before one is handed out. ASID 0 is nobody's: it goes with the empty
 * table.
 */
#include "mm/internal.h"
#include "arch/arm64/pgtable.h"

#define GENERATION_ONE (1ull << 16)

static bool asid_test(const struct mmk_system *sys, unsigned asid)
{
	return sys->asid_map[asid / 64] >> (asid % 64) & 1;
}

static void asid_mark(struct mmk_system *sys, unsigned asid)
{
	sys->asid_map[asid / 64] |= 1ull << (asid % 64);
}

/* A free ASID, or 0. */
static unsigned asid_search(struct mmk_system *sys)
{
	unsigned limit = 1u << sys->asid_bits;

	for (unsigned asid = sys->asid_next ? sys->asid_next : 1; asid < limit; asid++) {
		if (asid_test(sys, asid))
			continue;
		sys->asid_next = asid + 1;
		return asid;
	}
	return 0;
}

/*
 * A new generation. Taking active_asid away makes the lock-free path of every CPU fail until it
 * has been here; what it ran with stays reserved, also over several generations.
 */
static void asid_rollover(struct mmk_system *sys)
{
	uint64_t generation = sys->asid_generation + GENERATION_ONE;

	__atomic_store_n(&sys->asid_generation, generation, __ATOMIC_RELEASE);
	__builtin_memset(sys->asid_map, 0, sizeof(sys->asid_map));
	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++) {
		uint64_t active = atomic_exchange(&sys->active_asid[cpu], 0);

		if (active)
			sys->reserved_asid[cpu] = active;
		asid_mark(sys, sys->reserved_asid[cpu] & ASID_MASK);
	}
	sys->asid_next = 1;
	hw_dsb_ishst(sys);
	hw_tlbi_all(sys);
	hw_dsb_ish(sys);
	stat_inc(sys, tlbi_all);
	count_events(sys, dsb, 2);
}

/* Some CPU ran with this context at a rollover: it stays, under its new name. */
static bool asid_was_reserved(struct mmk_system *sys, uint64_t old, uint64_t renewed)
{
	bool hit = false;

	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++) {
		if (sys->reserved_asid[cpu] != old)
			continue;
		sys->reserved_asid[cpu] = renewed;
		hit = true;
	}
	return hit;
}

static uint64_t asid_assign(struct mmk_system *sys, uint64_t old)
{
	unsigned asid = old & ASID_MASK;

	if (asid) {
		uint64_t renewed = sys->asid_generation | asid;

		if (asid_was_reserved(sys, old, renewed))
			return renewed;
		if (!asid_test(sys, asid)) {
			asid_mark(sys, asid);
			return renewed;
		}
	}
	asid = asid_search(sys);
	if (!asid) {
		asid_rollover(sys);
		asid = asid_search(sys);
	}
	MMK_BUG_ON(sys, !asid);
	asid_mark(sys, asid);
	return sys->asid_generation | asid;
}

static bool context_is_current(const struct mmk_system *sys, uint64_t context)
{
	uint64_t generation = __atomic_load_n(&sys->asid_generation, __ATOMIC_ACQUIRE);

	return context && (context & ~ASID_MASK) == generation;
}

/* The way with the lock: the mm or this CPU comes from an older generation. */
static uint64_t context_renew(struct mm_struct *mm, unsigned cpu)
{
	struct mmk_system *sys = mm->sys;
	uint64_t context;

	spin_lock(sys, &sys->asid_lock);
	if (!sys->asid_generation)
		sys->asid_generation = GENERATION_ONE;
	context = atomic_load(&mm->context);
	if (!context_is_current(sys, context)) {
		context = asid_assign(sys, context);
		atomic_store(&mm->context, context);
	}
	atomic_store(&sys->active_asid[cpu], context);
	spin_unlock(&sys->asid_lock);
	return context;
}

void mmk_mm_activate(struct mmk_mm *mm, unsigned cpu)
{
	struct mmk_system *sys = mm->sys;
	uint64_t context = atomic_load(&mm->context);
	uint64_t active = atomic_load_explicit(&sys->active_asid[cpu], memory_order_relaxed);
	uint64_t bit = 1ull << cpu;

	/* Fails when a rollover has taken `active` away in between. */
	if (!active || !context_is_current(sys, context) ||
	    !atomic_compare_exchange_strong(&sys->active_asid[cpu], &active, context))
		context = context_renew(mm, cpu);
	/* Before the first walk: who changes an entry from now on must invalidate. */
	if (!(atomic_load(&mm->cpus) & bit))
		atomic_fetch_or(&mm->cpus, bit);
	hw_dsb_ish(sys);
	hw_set_ttbr0(sys, mm->pgd, context & ASID_MASK);
	hw_isb(sys);
}

void mmk_mm_deactivate(struct mmk_system *sys, unsigned cpu)
{
	/* The zero page is a table in which nothing is mapped. */
	hw_set_ttbr0(sys, sys->zero_phys, 0);
	hw_isb(sys);
	atomic_store(&sys->active_asid[cpu], 0);
}
