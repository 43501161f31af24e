/* SPDX-License-Identifier: MIT */
/*
 * The strict TLB tested itself: with tables made by hand each kind of mistake is made once and must
 * be seen, and what is right must not be; then the core is made to forget each of its invalidations
 * in turn, and one break before a make, and a scenario that otherwise passes must fail because of
 * it.
 */
#include "tests/unit/harness.h"
#include "port/hosted/internal.h"

#define VA      0x0000123456789000ul
#define PAGE_RW 0x0060000000000f43ull /* valid page, AF, nG, inner shareable, EL0, UXN PXN */
#define PAGE_RO (PAGE_RW | 0x80)
#define TABLE   3ull

/* ---- tables made by hand ---- */

struct hand {
	struct world *w;
	struct hosted *h;
	uint64_t *table[4];
	uint8_t *frame[2];
	unsigned seen[HOSTED_NR_VIOLATIONS];
	char text[256];
};

static void note(void *arg, enum hosted_violation_kind kind, const char *text)
{
	struct hand *hand = arg;

	hand->seen[kind]++;
	snprintf(hand->text, sizeof(hand->text), "%s", text);
}

static uint64_t phys_of(struct hand *hand, const void *p)
{
	return (uint64_t)((const uint8_t *)p - hand->h->ram) + hand->h->config.ram_phys;
}

/* One 64-bit store to a descriptor, told to the machine as the core does. */
static void put(struct hand *hand, unsigned level, uint64_t val)
{
	uint64_t *ptep = &hand->table[level][VA >> hosted_level_shift(level) & 511];
	uint64_t old = *ptep;

	*ptep = val;
	hosted_machine_ops.pte_written(hand->h, ptep, old, val, level);
}

static uint64_t frame_desc(struct hand *hand, unsigned which, uint64_t bits)
{
	return phys_of(hand, hand->frame[which]) | bits;
}

static int hand_setup(void **state)
{
	struct hand *hand = calloc(1, sizeof(*hand));

	assert_non_null(hand);
	hand->w = world_new(NULL);
	hand->w->unchecked = true;
	hand->h = hand->w->h;
	for (unsigned i = 0; i < 4; i++)
		hand->table[i] = mmk_alloc_frames(hand->w->sys, 0, true);
	for (unsigned i = 0; i < 2; i++)
		hand->frame[i] = mmk_alloc_frames(hand->w->sys, 0, true);
	for (unsigned i = 0; i < 3; i++)
		put(hand, i, phys_of(hand, hand->table[i + 1]) | TABLE);
	put(hand, 3, frame_desc(hand, 0, PAGE_RW));
	hosted_machine_ops.dsb_ishst(hand->h);
	hosted_machine_ops.set_ttbr0(hand->h, phys_of(hand, hand->table[0]), 5);
	hosted_on_violation(hand->h, note, hand);
	*state = hand;
	return 0;
}

static int hand_teardown(void **state)
{
	struct hand *hand = *state;

	hosted_machine_ops.set_ttbr0(hand->h, 0, 0);
	hosted_machine_ops.tlbi_all(hand->h);
	hosted_machine_ops.dsb_ish(hand->h);
	for (unsigned i = 0; i < 4; i++)
		mmk_free_frames(hand->w->sys, hand->table[i], 0);
	for (unsigned i = 0; i < 2; i++)
		if (hand->frame[i])
			mmk_free_frames(hand->w->sys, hand->frame[i], 0);
	hosted_on_violation(hand->h, NULL, NULL);
	world_end(hand->w);
	free(hand);
	return 0;
}
#define HAND_TEST(fn) cmocka_unit_test_setup_teardown(fn, hand_setup, hand_teardown)

/* User code makes an access; the fault status code. */
static unsigned touch(struct hand *hand, enum access_kind kind, struct translation *out)
{
	struct translation t;

	pthread_mutex_lock(&hand->h->mmu_lock);
	hand->h->cpus[hosted_this_cpu()].epoch++;
	hosted_translate(hand->h, hosted_this_cpu(), VA, kind, &t);
	if (!t.fault && kind == ACCESS_FETCH)
		hosted_icache_fetch(hand->h, VA, t.page, 4);
	pthread_mutex_unlock(&hand->h->mmu_lock);
	if (out)
		*out = t;
	return t.fault;
}

static void expect_only(struct hand *hand, int kind, unsigned times)
{
	for (int i = 0; i < HOSTED_NR_VIOLATIONS; i++)
		if (hand->seen[i] != (i == kind ? times : 0))
			fail_msg("violation kind %d seen %u times: %s", i, hand->seen[i],
			         hand->text);
}
#define expect_none(hand) expect_only(hand, -1, 0)

static void invalidate_va(struct hand *hand, bool last_level)
{
	hosted_machine_ops.dsb_ishst(hand->h);
	hosted_machine_ops.tlbi_va(hand->h, 5, VA, last_level);
	hosted_machine_ops.dsb_ish(hand->h);
}

static void a_walk_translates(void **state)
{
	struct hand *hand = *state;
	struct translation t;

	assert_int_equal(touch(hand, ACCESS_LOAD, &t), 0);
	assert_int_equal(t.page, phys_of(hand, hand->frame[0]));
	assert_int_equal(t.level, 3);
	assert_int_equal(touch(hand, ACCESS_STORE, NULL), 0);
	assert_int_equal(touch(hand, ACCESS_FETCH, NULL), 0x0f); /* UXN: permission, level 3 */
	assert_int_equal(hosted_tlb_entries(hand->h), 4);        /* a leaf and three tables */
	assert_int_equal(hosted_audit(hand->h), 0);
	expect_none(hand);
}

static void each_level_has_its_fault(void **state)
{
	struct hand *hand = *state;

	for (int level = 3; level >= 0; level--) {
		uint64_t old = hand->table[level][VA >> hosted_level_shift((unsigned)level) & 511];

		put(hand, (unsigned)level, 0);
		invalidate_va(hand, false);
		assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0x04 + level); /* translation */
		put(hand, (unsigned)level, old);
		invalidate_va(hand, false);
		assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0);
	}
	put(hand, 3, frame_desc(hand, 0, PAGE_RW & ~0x400ull));
	invalidate_va(hand, true);
	assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0x0b); /* access flag */
	put(hand, 3, frame_desc(hand, 0, PAGE_RO));
	invalidate_va(hand, true);
	assert_int_equal(touch(hand, ACCESS_STORE, NULL), 0x0f); /* permission */
	put(hand, 3, frame_desc(hand, 0, PAGE_RW & ~0x40ull));
	invalidate_va(hand, true);
	assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0x0f); /* the kernel's */
	put(hand, 3, frame_desc(hand, 0, PAGE_RW & ~2ull));
	invalidate_va(hand, true);
	assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0x07); /* reserved encoding at level 3 */
	expect_none(hand);
}

static void blocks_translate(void **state)
{
	struct hand *hand = *state;
	struct translation t;

	put(hand, 2, 0);
	invalidate_va(hand, false);
	put(hand, 2, (hand->h->config.ram_phys & ~0x1fffffull) | (PAGE_RW & ~2ull));
	hosted_machine_ops.dsb_ishst(hand->h);
	assert_int_equal(touch(hand, ACCESS_LOAD, &t), 0);
	assert_int_equal(t.page, (hand->h->config.ram_phys & ~0x1fffffull) + (VA & 0x1ff000));
	assert_int_equal(t.level, 2);
	put(hand, 2, 0);
	invalidate_va(hand, true);
	assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0x06);
	put(hand, 2, phys_of(hand, hand->table[3]) | TABLE);
	invalidate_va(hand, false);
	expect_none(hand);
}

static void tables_can_take_rights_away(void **state)
{
	struct hand *hand = *state;

	put(hand, 1, phys_of(hand, hand->table[2]) | TABLE | 1ull << 62);
	invalidate_va(hand, false);
	assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0);
	assert_int_equal(touch(hand, ACCESS_STORE, NULL), 0x0f);
	expect_none(hand);
}

static void an_unseen_store_faults_on(void **state)
{
	struct hand *hand = *state;

	put(hand, 3, 0);
	invalidate_va(hand, true);
	assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0x07);
	put(hand, 3, frame_desc(hand, 0, PAGE_RW));
	assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0x07); /* no DSB ISHST yet */
	expect_none(hand);
	assert_int_equal(hosted_audit(hand->h), 1);
	expect_only(hand, HOSTED_BARRIER, 1);
	hosted_machine_ops.dsb_ishst(hand->h);
	assert_int_equal(touch(hand, ACCESS_LOAD, NULL), 0);
}

static void a_changed_frame_needs_a_break(void **state)
{
	struct hand *hand = *state;

	put(hand, 3, frame_desc(hand, 1, PAGE_RW));
	expect_only(hand, HOSTED_BREAK_BEFORE_MAKE, 1);
}

static void a_changed_type_needs_a_break(void **state)
{
	struct hand *hand = *state;

	put(hand, 3, frame_desc(hand, 0, PAGE_RW | 4));
	expect_only(hand, HOSTED_BREAK_BEFORE_MAKE, 1);
}

static void a_table_for_a_block_needs_a_break(void **state)
{
	struct hand *hand = *state;

	put(hand, 2, (hand->h->config.ram_phys & ~0x1fffffull) | (PAGE_RW & ~2ull));
	expect_only(hand, HOSTED_BREAK_BEFORE_MAKE, 1);
}

static void rights_change_without_a_break(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_STORE, NULL);
	put(hand, 3, frame_desc(hand, 0, PAGE_RO));
	invalidate_va(hand, true);
	assert_int_equal(touch(hand, ACCESS_STORE, NULL), 0x0f);
	put(hand, 3, frame_desc(hand, 0, PAGE_RW | 1ull << 55));
	invalidate_va(hand, true);
	assert_int_equal(touch(hand, ACCESS_STORE, NULL), 0);
	expect_none(hand);
}

static void a_make_before_the_tlbi_is_seen(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_LOAD, NULL);
	put(hand, 3, 0);
	hosted_machine_ops.dsb_ishst(hand->h);
	put(hand, 3, frame_desc(hand, 1, PAGE_RW));
	expect_only(hand, HOSTED_BREAK_BEFORE_MAKE, 1);
	assert_non_null(strstr(hand->text, "asked for"));
}

static void a_make_before_the_dsb_is_seen(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_LOAD, NULL);
	put(hand, 3, 0);
	hosted_machine_ops.dsb_ishst(hand->h);
	hosted_machine_ops.tlbi_va(hand->h, 5, VA, true);
	put(hand, 3, frame_desc(hand, 1, PAGE_RW));
	expect_only(hand, HOSTED_BREAK_BEFORE_MAKE, 1);
	assert_non_null(strstr(hand->text, "completed"));
}

static void a_stale_entry_in_use_is_seen(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_STORE, NULL);
	put(hand, 3, frame_desc(hand, 0, PAGE_RO));
	hosted_machine_ops.dsb_ish(hand->h);
	touch(hand, ACCESS_LOAD, NULL);
	expect_only(hand, HOSTED_STALE_TLB, 1);
}

static void a_stale_entry_at_rest_is_seen(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_STORE, NULL);
	put(hand, 3, 0);
	hosted_machine_ops.dsb_ish(hand->h);
	assert_int_equal(hosted_audit(hand->h), 1);
	expect_only(hand, HOSTED_STALE_TLB, 1);
}

static void the_wrong_invalidation_does_not_help(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_STORE, NULL);
	put(hand, 3, 0);
	hosted_machine_ops.dsb_ishst(hand->h);
	hosted_machine_ops.tlbi_va(hand->h, 6, VA, true);
	hosted_machine_ops.tlbi_va(hand->h, 5, VA + PAGE, true);
	hosted_machine_ops.tlbi_asid(hand->h, 4);
	hosted_machine_ops.dsb_ish(hand->h);
	assert_int_equal(hosted_audit(hand->h), 1);
	expect_only(hand, HOSTED_STALE_TLB, 1);
}

static void an_asid_given_twice_is_seen(void **state)
{
	struct hand *hand = *state;
	uint64_t *other = mmk_alloc_frames(hand->w->sys, 0, true);

	touch(hand, ACCESS_LOAD, NULL);
	hosted_machine_ops.set_ttbr0(hand->h, phys_of(hand, other), 5);
	touch(hand, ACCESS_LOAD, NULL);
	expect_only(hand, HOSTED_STALE_TLB, 1);
	hosted_machine_ops.set_ttbr0(hand->h, phys_of(hand, hand->table[0]), 5);
	mmk_free_frames(hand->w->sys, other, 0);
}

static void a_tlbi_without_its_dsb_is_seen(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_STORE, NULL);
	put(hand, 3, 0);
	hosted_machine_ops.dsb_ishst(hand->h);
	hosted_machine_ops.tlbi_va(hand->h, 5, VA, true);
	assert_int_equal(hosted_audit(hand->h), 1);
	expect_only(hand, HOSTED_BARRIER, 1);
}

static void a_tlbi_before_its_store_is_visible_is_seen(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_STORE, NULL);
	put(hand, 3, 0);
	hosted_machine_ops.tlbi_va(hand->h, 5, VA, true);
	expect_only(hand, HOSTED_BARRIER, 1);
	hosted_machine_ops.dsb_ish(hand->h);
}

static void a_frame_freed_too_early_is_seen(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_LOAD, NULL);
	put(hand, 3, 0);
	hosted_machine_ops.dsb_ishst(hand->h);
	hosted_machine_ops.tlbi_va(hand->h, 5, VA, true);
	mmk_free_frames(hand->w->sys, hand->frame[0], 0);
	hand->frame[0] = NULL;
	expect_only(hand, HOSTED_FREED_FRAME, 1);
	hosted_machine_ops.dsb_ish(hand->h);
}

static void a_table_needs_more_than_its_leaves_invalidated(void **state)
{
	struct hand *hand = *state;

	touch(hand, ACCESS_LOAD, NULL);
	put(hand, 2, 0);
	invalidate_va(hand, true); /* only leaves: the walk cache still knows the table */
	mmk_free_frames(hand->w->sys, hand->table[3], 0);
	expect_only(hand, HOSTED_FREED_FRAME, 1);
	hand->table[3] = mmk_alloc_frames(hand->w->sys, 0, true);
}

static void instructions_never_synced_are_seen(void **state)
{
	struct hand *hand = *state;

	put(hand, 3, frame_desc(hand, 0, PAGE_RO & ~(1ull << 54)));
	invalidate_va(hand, true);
	touch(hand, ACCESS_FETCH, NULL);
	expect_only(hand, HOSTED_ICACHE, 1);
	hosted_machine_ops.sync_icache(hand->h, hand->frame[0], PAGE);
	touch(hand, ACCESS_FETCH, NULL);
	expect_only(hand, HOSTED_ICACHE, 1);
	hand->frame[0][VA & 0xfff] ^= 1;
	touch(hand, ACCESS_FETCH, NULL);
	expect_only(hand, HOSTED_ICACHE, 2);
}

static void a_descriptor_out_of_the_ram_is_seen(void **state)
{
	struct hand *hand = *state;

	put(hand, 3, 0);
	invalidate_va(hand, true);
	put(hand, 3, 0x9000 | PAGE_RW);
	hosted_machine_ops.dsb_ishst(hand->h);
	touch(hand, ACCESS_LOAD, NULL);
	expect_only(hand, HOSTED_BAD_OUTPUT, 1);
	put(hand, 3, 0);
	invalidate_va(hand, true);
}

static void freed(struct mmk_system *sys, struct mmk_deferred *d)
{
	d->next = NULL;
}

static void what_waits_for_looks_must_stay_as_it_is(void **state)
{
	struct hand *hand = *state;
	struct mmk_deferred good = {.fn = freed}, bad = {.fn = freed};

	hosted_look_begin(hand->h);
	hosted_defer(hand->h, &good);
	hosted_defer(hand->h, &bad);
	hosted_run_waiting(hand->h);
	assert_non_null(good.next); /* the look may still see it */
	hosted_look_end(hand->h);
	bad.fn = NULL;
	assert_int_equal(hosted_audit(hand->h), 1);
	expect_only(hand, HOSTED_WAITING, 1);
	assert_null(good.next);
	assert_null(bad.next); /* it is freed all the same */
}

/* ---- the core made to forget ---- */

#define WHOLE 8 /* pages of the scenario's mappings */

struct saboteur {
	struct hosted *h;
	uint64_t effective; /* invalidations so far that hit something */
	uint64_t drop;      /* the one to leave out */
	unsigned violations;
};
static struct saboteur saboteur;

static void count_violation(void *arg, enum hosted_violation_kind kind, const char *text)
{
	saboteur.violations++;
}

/* Is there something that it would invalidate, and is it the one to be forgotten? */
static bool forgotten(bool hits)
{
	return hits && ++saboteur.effective == saboteur.drop;
}

/* Does the entry give more than the tables do by now? One that gives less only costs a fault. */
static bool matters(struct hosted *h, const struct tlb_entry *e)
{
	struct translation now;

	hosted_walk_clean(h, e->root, e->va, &now);
	return !e->table && hosted_tlb_wrong(e, &now);
}

static bool va_hits(struct hosted *h, unsigned asid, unsigned long va)
{
	const struct tlb_entry *e;
	bool hits = false;

	pthread_mutex_lock(&h->mmu_lock);
	for (unsigned level = 1; level <= 3; level++) {
		e = hosted_tlb_find(h, 0, asid, level, va, false);
		hits |= e && matters(h, e);
	}
	pthread_mutex_unlock(&h->mmu_lock);
	return hits;
}

static void sabotaged_va(void *ctx, unsigned asid, unsigned long va, bool last_level)
{
	if (!forgotten(va_hits(ctx, asid, va)))
		hosted_machine_ops.tlbi_va(ctx, asid, va, last_level);
}

static bool asid_hits(struct hosted *h, unsigned asid)
{
	bool hits = false;

	pthread_mutex_lock(&h->mmu_lock);
	for (size_t i = 0; i < TLB_BUCKETS; i++)
		for (struct tlb_entry *e = h->tlb[i]; e; e = e->next)
			hits |= e->asid == asid && matters(h, e);
	pthread_mutex_unlock(&h->mmu_lock);
	return hits;
}

static void sabotaged_asid(void *ctx, unsigned asid)
{
	if (!forgotten(asid_hits(ctx, asid)))
		hosted_machine_ops.tlbi_asid(ctx, asid);
}

/* Each step works by itself whatever became of those before; the first violation ends it. */
#define STEP(call)                                                                                 \
	do {                                                                                       \
		(void)(call);                                                                      \
		hosted_audit(w->h);                                                                \
		if (saboteur.violations)                                                           \
			return;                                                                    \
	} while (0)

static int poke_all(struct world *w, struct mmk_task *t, unsigned long a, uint8_t v)
{
	int sig = 0;

	for (unsigned i = 0; i < WHOLE && !saboteur.violations; i++)
		sig |= hosted_store(w->h, t, a + i * PAGE, &v, 1, NULL);
	return sig;
}

static int peek_all(struct world *w, struct mmk_task *t, unsigned long a)
{
	uint8_t v;
	int sig = 0;

	for (unsigned i = 0; i < WHOLE && !saboteur.violations; i++)
		sig |= hosted_load(w->h, t, a + i * PAGE, &v, 1, NULL);
	return sig;
}

/* Everything that changes or takes away a translation that is in use. */
static void use_everything(struct world *w, struct mmk_task *child, int fd)
{
	struct mmk_task *t = &w->task;
	unsigned long a = (unsigned long)mmk_sys_mmap(t, 0, WHOLE * PAGE, RW, ANON_PRIVATE, -1, 0);
	unsigned long f =
	    (unsigned long)mmk_sys_mmap(t, 0, WHOLE * PAGE, RW, MMK_MAP_SHARED, fd, 0);
	unsigned long p =
	    (unsigned long)mmk_sys_mmap(t, 0, WHOLE * PAGE, RW, MMK_MAP_PRIVATE, fd, 0);

	STEP(peek_all(w, t, a)); /* the zero page, which the stores replace */
	STEP(poke_all(w, t, a, 1));
	STEP(peek_all(w, t, p));
	STEP(poke_all(w, t, p, 1));
	STEP(peek_all(w, t, f)); /* read first, so that the store upgrades */
	STEP(poke_all(w, t, f, 1));
	STEP(mmk_sys_msync(t, f, WHOLE * PAGE, MMK_MS_SYNC));
	STEP(poke_all(w, t, f, 2));
	STEP(mmk_sys_mprotect(t, a, 2 * PAGE, R));
	STEP(mmk_sys_mprotect(t, a, 2 * PAGE, RW));
	STEP(poke_all(w, t, a, 2));
	STEP(hosted_fork(w->h, t, child));
	STEP(poke_all(w, t, a, 3));
	STEP(poke_all(w, child, a, 4));
	STEP((hosted_exit(w->h, child), 0));
	STEP(poke_all(w, t, a, 5));
	STEP(mmk_sys_madvise(t, a + PAGE, PAGE, MMK_MADV_DONTNEED));
	STEP(hosted_ftruncate(w->h, fd, 3 * PAGE));
	STEP(mmk_sys_mmap(t, a, PAGE, RW, ANON_PRIVATE | FIXED, -1, 0));
	STEP(mmk_sys_munmap(t, a, WHOLE * PAGE));
	STEP(mmk_sys_munmap(t, p, WHOLE * PAGE));
	STEP(mmk_sys_munmap(t, f, WHOLE * PAGE));
}

/* The scenario with the nth effective invalidation left out (0: none). Number of violations. */
static unsigned run_sabotaged(uint64_t nth)
{
	struct world *w = world_new(NULL);
	struct mmk_task child = {0};
	int fd = host_file(w, "f", WHOLE * PAGE, O_RDWR);

	saboteur = (struct saboteur){.h = w->h, .drop = nth};
	hosted_on_violation(w->h, count_violation, NULL);
	hosted_machine(w->h)->tlbi_va = sabotaged_va;
	hosted_machine(w->h)->tlbi_asid = sabotaged_asid;
	use_everything(w, &child, fd);
	if (child.mm)
		hosted_exit(w->h, &child);
	hosted_machine(w->h)->tlbi_va = hosted_machine_ops.tlbi_va;
	hosted_machine(w->h)->tlbi_asid = hosted_machine_ops.tlbi_asid;
	w->unchecked = saboteur.violations != 0;
	world_end(w);
	return saboteur.violations;
}

static void each_missing_invalidation_fails_the_scenario(void **state)
{
	uint64_t all;

	assert_int_equal(run_sabotaged(0), 0);
	all = saboteur.effective;
	assert_true(all >= 20);
	for (uint64_t n = 1; n <= all; n++)
		if (!run_sabotaged(n))
			fail_msg("invalidation %llu of %llu can be left out and nothing notices",
			         (unsigned long long)n, (unsigned long long)all);
}

/* ---- and made to leave out the break ---- */

static uint64_t breaks, break_to_skip;

/* The linker gives us the core's calls of ptep_clear_flush (--wrap, meson.build). */
void __real_ptep_clear_flush(struct mmk_mm *mm, void *ptep, unsigned long addr);
void __wrap_ptep_clear_flush(struct mmk_mm *mm, void *ptep, unsigned long addr);

void __wrap_ptep_clear_flush(struct mmk_mm *mm, void *ptep, unsigned long addr)
{
	if (++breaks != break_to_skip)
		__real_ptep_clear_flush(mm, ptep, addr);
}

/* With the nth break before a make left out (0: none). Number of violations. */
static unsigned run_without_break(uint64_t nth)
{
	unsigned violations;

	breaks = 0;
	break_to_skip = nth;
	violations = run_sabotaged(0);
	break_to_skip = 0;
	return violations;
}

static void each_missing_break_fails_the_scenario(void **state)
{
	uint64_t all;

	assert_int_equal(run_without_break(0), 0);
	all = breaks;
	assert_true(all >= 8);
	for (uint64_t n = 1; n <= all; n++)
		if (!run_without_break(n))
			fail_msg("break %llu of %llu can be left out and nothing notices",
			         (unsigned long long)n, (unsigned long long)all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    HAND_TEST(a_walk_translates),
	    HAND_TEST(each_level_has_its_fault),
	    HAND_TEST(blocks_translate),
	    HAND_TEST(tables_can_take_rights_away),
	    HAND_TEST(an_unseen_store_faults_on),
	    HAND_TEST(a_changed_frame_needs_a_break),
	    HAND_TEST(a_changed_type_needs_a_break),
	    HAND_TEST(a_table_for_a_block_needs_a_break),
	    HAND_TEST(rights_change_without_a_break),
	    HAND_TEST(a_make_before_the_tlbi_is_seen),
	    HAND_TEST(a_make_before_the_dsb_is_seen),
	    HAND_TEST(a_stale_entry_in_use_is_seen),
	    HAND_TEST(a_stale_entry_at_rest_is_seen),
	    HAND_TEST(the_wrong_invalidation_does_not_help),
	    HAND_TEST(an_asid_given_twice_is_seen),
	    HAND_TEST(a_tlbi_without_its_dsb_is_seen),
	    HAND_TEST(a_tlbi_before_its_store_is_visible_is_seen),
	    HAND_TEST(a_frame_freed_too_early_is_seen),
	    HAND_TEST(a_table_needs_more_than_its_leaves_invalidated),
	    HAND_TEST(instructions_never_synced_are_seen),
	    HAND_TEST(a_descriptor_out_of_the_ram_is_seen),
	    HAND_TEST(what_waits_for_looks_must_stay_as_it_is),
	    cmocka_unit_test(each_missing_invalidation_fails_the_scenario),
	    cmocka_unit_test(each_missing_break_fails_the_scenario),
	};

	return cmocka_run_group_tests_name("tlb", tests, NULL, NULL);
}
