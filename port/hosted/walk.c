/* SPDX-License-Identifier: MIT */
/*
 * The soft MMU: from a virtual address to a frame by the tables that the core has written, as the
 * Arm ARM (DDI 0487, D8.2 and D8.3) describes the walk of a 4 KiB granule with 48-bit addresses, in
 * stage 1 of EL1&0, through TTBR0, with TBI0 set and without FEAT_HAFDBS.
 *
 * The walk sees descriptors as a CPU may see them at the worst: a store that no DSB has pushed out
 * is not there yet, and every table and leaf that was ever used is used again from the cache.
 */
#include "port/hosted/internal.h"

#define DESC_VALID     ((uint64_t)1 << 0)
#define DESC_TABLE     ((uint64_t)1 << 1) /* level 0-2: a table; level 3: a page */
#define DESC_EL0       ((uint64_t)1 << 6) /* AP[1] */
#define DESC_READ_ONLY ((uint64_t)1 << 7) /* AP[2] */
#define DESC_AF        ((uint64_t)1 << 10)
#define DESC_NG        ((uint64_t)1 << 11)
#define DESC_UXN       ((uint64_t)1 << 54)
#define DESC_TYPE      ((uint64_t)0x31c) /* AttrIndx[4:2], SH[9:8] */
#define DESC_ADDRESS   ((uint64_t)0x0000fffffffff000)
#define TABLE_UXN      ((uint64_t)1 << 60)
#define TABLE_NO_EL0   ((uint64_t)1 << 61) /* APTable[0] */
#define TABLE_NO_WRITE ((uint64_t)1 << 62) /* APTable[1] */
#define TABLE_LIMITS   (TABLE_UXN | TABLE_NO_EL0 | TABLE_NO_WRITE)

/* Fault status codes, D17.2.37 (ISS encoding for a data abort); the low bits are the level. */
#define FSC_TRANSLATION 0x04u
#define FSC_ACCESS      0x08u
#define FSC_PERMISSION  0x0cu
#define FSC_WALK_ABORT  0x14u

unsigned hosted_level_shift(unsigned level)
{
	return H_PAGE_SHIFT + 9 * (3 - level);
}

void *hosted_phys(struct hosted *h, uint64_t pa)
{
	uint64_t offset = pa - h->config.ram_phys;

	return offset < h->config.ram_size ? h->ram + offset : NULL;
}

/* TBI0: the top byte is no part of the address; bit 55 decides whose half it is. */
static bool in_user_half(unsigned long va)
{
	return ((va >> 48) & 0xff) == 0;
}

static uint64_t *descriptor_at(struct hosted *h, uint64_t table, unsigned long va, unsigned level)
{
	uint64_t *entries = hosted_phys(h, table);

	return entries ? entries + ((va >> hosted_level_shift(level)) & 511) : NULL;
}

static uint64_t read_descriptor(struct hosted *h, uint64_t *ptep, bool clean)
{
	const struct pending_store *p = clean ? NULL : hosted_pending(h, ptep);

	return p ? p->old : __atomic_load_n(ptep, __ATOMIC_ACQUIRE);
}

static bool leads_on(uint64_t desc, unsigned level)
{
	return level < 3 && (desc & (DESC_VALID | DESC_TABLE)) == (DESC_VALID | DESC_TABLE);
}

static bool is_leaf(uint64_t desc, unsigned level)
{
	if (!(desc & DESC_VALID))
		return false;
	return level == 3 ? (desc & DESC_TABLE) != 0 : level > 0 && !(desc & DESC_TABLE);
}

static void decode_leaf(struct translation *t, uint64_t desc, unsigned level, unsigned long va,
                        uint64_t limits)
{
	uint64_t size = (uint64_t)1 << hosted_level_shift(level);

	t->base = desc & DESC_ADDRESS & ~(size - 1);
	t->page = t->base + (va & (size - 1) & ~(H_PAGE - 1));
	t->type = desc & DESC_TYPE;
	t->global = !(desc & DESC_NG);
	t->read = (desc & DESC_EL0) && !(limits & TABLE_NO_EL0);
	t->write = t->read && !(desc & DESC_READ_ONLY) && !(limits & TABLE_NO_WRITE);
	t->exec = !(desc & DESC_UXN) && !(limits & TABLE_UXN);
	t->fault = desc & DESC_AF ? 0 : FSC_ACCESS + level;
}

static void note_table(struct translation *t, unsigned level, uint64_t *ptep, uint64_t desc,
                       uint64_t *limits)
{
	*limits |= desc & TABLE_LIMITS;
	t->next_table[level] = desc & DESC_ADDRESS;
	t->table_ptep[level] = ptep;
	t->table_desc[level] = desc;
	t->limits[level] = *limits;
}

/* From `table` at `level` downwards. */
static void walk_from(struct hosted *h, uint64_t table, unsigned level, unsigned long va,
                      uint64_t limits, bool clean, struct translation *t)
{
	uint64_t desc;
	uint64_t *ptep;

	for (;; level++) {
		t->level = level;
		ptep = descriptor_at(h, table, va, level);
		if (!ptep) {
			t->fault = FSC_WALK_ABORT + level;
			return;
		}
		desc = read_descriptor(h, ptep, clean);
		if (!leads_on(desc, level))
			break;
		note_table(t, level, ptep, desc, &limits);
		table = desc & DESC_ADDRESS;
	}
	t->desc = desc;
	t->ptep = ptep;
	if (is_leaf(desc, level))
		decode_leaf(t, desc, level, va, limits);
	else
		t->fault = FSC_TRANSLATION + level;
}

void hosted_walk_clean(struct hosted *h, uint64_t root, unsigned long va, struct translation *t)
{
	*t = (struct translation){0};
	if (!root || !in_user_half(va))
		t->fault = FSC_TRANSLATION;
	else
		walk_from(h, root, 0, va, 0, true, t);
}

bool hosted_may(const struct translation *t, enum access_kind kind)
{
	switch (kind) {
	case ACCESS_LOAD:
		return t->read;
	case ACCESS_STORE:
		return t->write;
	default:
		return t->exec;
	}
}

/*
 * A cached translation gives more than the tables do. Legal only while the CPU that changed them is
 * still inside the core, on its way to the TLBI and its DSB: once it runs user code again, or is
 * this very CPU, nothing is coming any more. Where the descriptor holds what nobody has reported
 * yet, another CPU is between its store and its report of it.
 */
static bool may_be_on_its_way(struct hosted *h, unsigned cpu, const struct tlb_entry *e)
{
	if (e->outdated && e->written == __atomic_load_n(e->ptep, __ATOMIC_ACQUIRE))
		return e->writer != cpu && h->cpus[e->writer].epoch == e->writer_epoch;
	return h->config.nr_cpus > 1 && e->root == h->cpus[cpu].root;
}

/* Look whether the use of an entry is a mistake; then *t becomes what the tables say. */
static void check_use(struct hosted *h, unsigned cpu, unsigned long va, const struct tlb_entry *e,
                      struct translation *t)
{
	struct translation now;

	hosted_walk_clean(h, h->cpus[cpu].root, va, &now);
	if (!hosted_tlb_wrong(e, &now) || may_be_on_its_way(h, cpu, e))
		return;
	hosted_violation(
	    h, HOSTED_STALE_TLB,
	    "CPU %u uses a stale translation of %#lx in ASID %u: the TLB has descriptor "
	    "%#llx, the table %#llx; an invalidation is missing",
	    cpu, va, e->asid, (unsigned long long)e->t.desc, (unsigned long long)now.desc);
	hosted_tlb_drop_all(h, cpu, h->cpus[cpu].asid, va);
	*t = now;
}

static struct tlb_entry *cached_leaf(struct hosted *h, unsigned cpu, unsigned long va)
{
	struct tlb_entry *e = NULL;

	for (unsigned level = 3; level > 0 && !e; level--)
		e = hosted_tlb_find(h, cpu, h->cpus[cpu].asid, level, va, false);
	return e;
}

static struct tlb_entry *cached_table(struct hosted *h, unsigned cpu, unsigned long va)
{
	struct tlb_entry *e = NULL;

	for (int level = 2; level >= 0 && !e; level--)
		e = hosted_tlb_find(h, cpu, h->cpus[cpu].asid, level, va, true);
	return e;
}

static void remember_tables(struct hosted *h, unsigned cpu, unsigned long va,
                            const struct translation *t)
{
	for (unsigned level = 0; level < 3; level++) {
		if (!t->next_table[level] ||
		    hosted_tlb_find(h, cpu, h->cpus[cpu].asid, level, va, true))
			continue;
		hosted_tlb_fill(h, cpu, level, va, true, t->table_ptep[level], t);
	}
}

/* Not in the TLB: walk, from the deepest table that the walk cache has. */
static void walk_and_fill(struct hosted *h, unsigned cpu, unsigned long va, struct translation *t)
{
	struct tlb_entry *from = cached_table(h, cpu, va), *e;
	uint64_t table = from ? from->t.next_table[from->level] : h->cpus[cpu].root;

	*t = (struct translation){0};
	if (from) {
		*t = from->t;
		t->fault = 0;
	}
	walk_from(h, table, from ? from->level + 1 : 0, va, from ? from->t.limits[from->level] : 0,
	          false, t);
	remember_tables(h, cpu, va, t);
	if (t->fault)
		return; /* D8.13: a translation that faults is never cached */
	if (!hosted_phys(h, t->page))
		hosted_violation(h, HOSTED_BAD_OUTPUT, "%#lx is mapped to %#llx, which is no RAM",
		                 va, (unsigned long long)t->page);
	e = hosted_tlb_fill(h, cpu, t->level, va, false, t->ptep, t);
	check_use(h, cpu, va, e, t);
}

void hosted_translate(struct hosted *h, unsigned cpu, unsigned long va, enum access_kind kind,
                      struct translation *t)
{
	struct tlb_entry *e;

	if (!h->cpus[cpu].root || !in_user_half(va)) {
		*t = (struct translation){.fault = FSC_TRANSLATION};
		return;
	}
	va &= ((uint64_t)1 << 48) - 1;
	e = cached_leaf(h, cpu, va);
	if (e) {
		uint64_t size = (uint64_t)1 << hosted_level_shift(e->level);

		*t = e->t;
		t->page = t->base + (va & (size - 1) & ~(H_PAGE - 1));
		check_use(h, cpu, va, e, t);
	} else {
		walk_and_fill(h, cpu, va, t);
	}
	if (!t->fault && !hosted_may(t, kind))
		t->fault = FSC_PERMISSION + t->level;
}
