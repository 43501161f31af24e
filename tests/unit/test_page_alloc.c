/* SPDX-License-Identifier: MIT */
/* Frames and objects: the buddy allocator's promises, slabs, kmalloc, what a system's RAM is made
 * of. */
#include "mm/internal.h"
#include "mm/cache.h"
#include "mm/frame_cache.h"
#include "harness.h"

static uint64_t seed = 99;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % below;
}

/* Every free block lies in the list of its order, aligned; merged as far as it goes; the sum is
 * nr_free. */
static void check_buddy(struct mmk_system *sys)
{
	frame_cache_drain(sys);
	uint64_t base = sys->phys_base >> PAGE_SHIFT, sum = 0;

	for (unsigned order = 0; order < MAX_ORDER; order++) {
		uint64_t n = 0;

		for (struct page *p = sys->free_area[order].head; p; p = p->next, n++) {
			uint64_t pfn = base + (uint64_t)(p - sys->mem_map),
			         other = (pfn ^ 1ull << order) - base;

			assert_int_equal(page_kind(p), PAGE_FREE);
			assert_int_equal(p->flags & PG_ORDER_MASK, order);
			assert_int_equal(pfn & ((1ull << order) - 1), 0);
			if (order < MAX_ORDER - 1 && other < sys->nr_frames)
				assert_false(page_kind(sys->mem_map + other) == PAGE_FREE &&
				             (sys->mem_map[other].flags & PG_ORDER_MASK) == order);
		}
		assert_int_equal(n, sys->free_area[order].count);
		sum += n << order;
	}
	assert_int_equal(sum, sys->nr_free);
}

#define NR_BLOCKS 300

static void blocks_never_overlap_and_merge_again(void **state)
{
	struct world *w = *state;
	struct page *block[NR_BLOCKS] = {NULL};
	unsigned orders[NR_BLOCKS];
	unsigned char *used = calloc(w->sys->nr_frames, 1);
	uint64_t before = frames_free(w->sys);

	for (int step = 0; step < 30000; step++) {
		unsigned i = (unsigned)rnd(NR_BLOCKS), n;

		if (!block[i]) {
			orders[i] = (unsigned)rnd(rnd(MAX_ORDER) + 1);
			block[i] = alloc_pages(w->sys, orders[i], PAGE_KERNEL);
			if (!block[i])
				continue;
			assert_int_equal(
			    page_to_phys(w->sys, block[i]) & ((PAGE_SIZE << orders[i]) - 1), 0);
		}
		n = 1u << orders[i];
		for (unsigned k = 0; k < n; k++) {
			uint64_t frame = (uint64_t)(block[i] - w->sys->mem_map) + k;

			if (!rnd(2) && !k)
				break;
			assert_true(used[frame] == 0 || used[frame] == (i & 0x7f) + 1);
			used[frame] = (unsigned char)((i & 0x7f) + 1);
		}
		if (rnd(2)) {
			memset(used + (block[i] - w->sys->mem_map), 0, n);
			free_pages(w->sys, block[i]);
			block[i] = NULL;
		}
		if (step % 100 == 0)
			check_buddy(w->sys);
	}
	for (int i = 0; i < NR_BLOCKS; i++)
		if (block[i])
			free_pages(w->sys, block[i]);
	check_buddy(w->sys);
	assert_int_equal(frames_free(w->sys), before);
	free(used);
}

static void all_frames_can_be_had_one_by_one(void **state)
{
	struct world *w = *state;
	uint64_t before = frames_free(w->sys), n = 0;
	struct page *list = NULL, *p;

	while ((p = alloc_pages(w->sys, 0, PAGE_ANON))) {
		memset(page_address(w->sys, p), 0xa5, PAGE_SIZE);
		p->next = list;
		list = p;
		n++;
	}
	assert_int_equal(n, before);
	assert_int_equal(frames_free(w->sys), 0);
	assert_int_equal(frames_of_kind(w->sys, PAGE_ANON), n);
	while ((p = list)) {
		list = p->next;
		put_page(w->sys, p);
	}
	check_buddy(w->sys);
	assert_int_equal(frames_free(w->sys), before);
}

static void a_reference_keeps_a_freed_block(void **state)
{
	struct world *w = *state;
	uint64_t before = frames_free(w->sys);
	struct page *p = alloc_pages(w->sys, 3, PAGE_KERNEL);

	get_page(p);
	free_pages(w->sys, p);
	assert_int_equal(frames_free(w->sys), before - 8);
	put_page(w->sys, p);
	assert_int_equal(frames_free(w->sys), before);
	assert_false(get_page_unless_zero(p));
}

static void allocations_fail_on_purpose(void **state)
{
	struct world *w = *state;

	hosted_fail_alloc(w->h, MMK_FAIL_PAGE, 1, false);
	assert_null(alloc_pages(w->sys, 0, PAGE_ANON));
	hosted_fail_alloc(w->h, MMK_FAIL_PAGE, 1, false);
	assert_null(alloc_page_reclaim(w->sys, PAGE_ANON));
	hosted_fail_alloc(w->h, MMK_FAIL_SLAB, 1, false);
	assert_null(mmk_kmalloc(w->sys, 24));
	assert_null(alloc_pages(w->sys, MAX_ORDER, PAGE_ANON));
}

static void kmalloc_of_every_size_is_aligned_and_apart(void **state)
{
	struct world *w = *state;
	void *p[400] = {NULL};
	size_t size[400];

	assert_null(mmk_kmalloc(w->sys, (128 << 10) + 1));
	mmk_kfree(w->sys, NULL);
	for (int step = 0; step < 40000; step++) {
		unsigned i = (unsigned)rnd(400);

		if (!p[i]) {
			size[i] = (size_t)rnd(1ull << rnd(18));
			if (size[i] > 128 << 10)
				size[i] = 128 << 10;
			p[i] = mmk_kmalloc(w->sys, size[i]);
			assert_non_null(p[i]);
			assert_int_equal((uintptr_t)p[i] & 15, 0);
			memset(p[i], (int)i, size[i]);
			continue;
		}
		for (size_t k = 0; k < size[i]; k++)
			if (((unsigned char *)p[i])[k] != (unsigned char)i)
				fail_msg("object of %zu bytes overwritten", size[i]);
		mmk_kfree(w->sys, p[i]);
		p[i] = NULL;
	}
	for (int i = 0; i < 400; i++)
		mmk_kfree(w->sys, p[i]);
}

static void kzalloc_and_frames_are_zero_where_asked(void **state)
{
	struct world *w = *state;
	unsigned char *p = mmk_kmalloc(w->sys, 100);

	memset(p, 0xff, 100);
	mmk_kfree(w->sys, p);
	p = mmk_kzalloc(w->sys, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	mmk_kfree(w->sys, p);
	p = mmk_alloc_frames(w->sys, 2, false);
	memset(p, 0xff, 4 * PAGE_SIZE);
	mmk_free_frames(w->sys, p, 2);
	p = mmk_alloc_frames(w->sys, 2, true);
	for (unsigned i = 0; i < 4 * PAGE_SIZE; i++)
		assert_int_equal(p[i], 0);
	assert_ptr_equal(mmk_page_address(w->sys, mmk_virt_to_page(w->sys, p)), p);
	mmk_free_frames(w->sys, p, 2);
}

static void slabs_go_back_when_the_system_ends(void **state)
{
	struct world *w = *state;
	void *p[1000];

	for (int i = 0; i < 1000; i++)
		p[i] = slab_alloc(&w->sys->vma_cache);
	assert_true(slab_in_use(&w->sys->vma_cache) >= 1000);
	for (int i = 0; i < 1000; i++)
		slab_free(&w->sys->vma_cache, p[i]);
	/* The fixture's end counts frames. */
}

/* A system of its own in a piece of memory, with holes in it. */
static void reserved_ranges_are_left_alone(void **state)
{
	struct world *w = *state;
	size_t size = 1 << 20, off = 3 * PAGE_SIZE;
	unsigned char *ram = aligned_alloc(PAGE_SIZE, size);
	struct mmk_range reserved[] = {
	    {0x80000000 + off, 0x80000000 + off + 2 * PAGE_SIZE + 1},
	    {0x80000000 + size - 100, 0x80000000 + size + PAGE_SIZE},
	};
	struct mmk_config c = {.port = hosted_port(w->h),
	                       .ctx = w->h,
	                       .ram_phys = 0x80000000,
	                       .ram_size = size,
	                       .ram_virt = ram,
	                       .reserved = reserved,
	                       .nr_reserved = 2,
	                       .nr_cpus = 1,
	                       .asid_bits = 8};
	struct mmk_system *sys;
	struct mmk_stats s;
	uint64_t n = 0;

	memset(ram, 0x77, size);
	assert_int_equal(mmk_system_init(&sys, &c), 0);
	check_buddy(sys);
	mmk_stats(sys, &s);
	/* 3 and 1 are reserved, the system itself and the frame table take some. */
	assert_true(s.frames_total < 256 - 4);
	assert_int_equal(s.frames_free + s.frames_other, s.frames_total);
	for (struct page *p; (p = alloc_pages(sys, 0, PAGE_ANON)); n++)
		memset(page_address(sys, p), 0, PAGE_SIZE);
	assert_int_equal(n, s.frames_free);
	for (size_t i = 0; i < 2 * PAGE_SIZE + 1; i++)
		assert_int_equal(ram[off + i], 0x77);
	assert_int_equal(ram[size - 1], 0x77);
	/* Later on they may be used after all; of the third frame only a byte was reserved. */
	mmk_release_reserved(sys, reserved[0].start, reserved[0].start + 2 * PAGE_SIZE + 1);
	check_buddy(sys);
	mmk_stats(sys, &s);
	assert_int_equal(s.frames_free, 2);
	mmk_release_reserved(sys, 0x80000000 + size, 0x80000000 + size + PAGE_SIZE);
	assert_int_equal(mmk_system_destroy(sys), n);
	free(ram);
}

static void unusable_configurations_are_refused(void **state)
{
	struct world *w = *state;
	unsigned char *ram = aligned_alloc(PAGE_SIZE, 16 * PAGE_SIZE);
	const struct mmk_config good = {.port = hosted_port(w->h),
	                                .ctx = w->h,
	                                .ram_phys = 0x80000000,
	                                .ram_size = 16 * PAGE_SIZE,
	                                .ram_virt = ram,
	                                .nr_cpus = 1,
	                                .asid_bits = 16};
	struct mmk_config c;
	struct mmk_system *sys;

#define REFUSED(change, err)                                                                       \
	c = good;                                                                                  \
	change;                                                                                    \
	assert_int_equal(mmk_system_init(&sys, &c), err)
	REFUSED(c.port = NULL, -MMK_EINVAL);
	REFUSED(c.ram_phys++, -MMK_EINVAL);
	REFUSED(c.ram_size--, -MMK_EINVAL);
	REFUSED(c.ram_virt = ram + 8, -MMK_EINVAL);
	REFUSED(c.nr_cpus = 0, -MMK_EINVAL);
	REFUSED(c.nr_cpus = 65, -MMK_EINVAL);
	REFUSED(c.asid_bits = 12, -MMK_EINVAL);
	REFUSED(c.ram_phys = ~0xfffull, -MMK_EINVAL);
	REFUSED(c.ram_size = PAGE_SIZE, -MMK_ENOMEM);
	free(ram);
}

static struct mmk_frame_ledger ledger(struct world *w)
{
	struct mmk_frame_ledger l;

	mmk_frame_ledger(w->sys, &l);
	assert_int_equal(l.total, l.reserved + l.free + l.anonymous + l.page_cache + l.tables +
	                              l.slab + l.kernel);
	return l;
}

static void the_ledger_adds_up_and_returns(void **state)
{
	struct world *w = *state;
	struct mmk_frame_ledger before, during, after;
	struct page *cache;
	unsigned long at;

	at = must_mmap(w, 0, 64 * PAGE, RW, ANON_PRIVATE, -1, 0);
	store(w, at, 1); /* what is made once: tables, slabs */
	before = ledger(w);
	for (unsigned i = 1; i < 64; i++)
		store(w, at + i * PAGE, 1);
	cache = alloc_pages(w->sys, 3, PAGE_KERNEL);
	during = ledger(w);
	assert_int_equal(during.anonymous, before.anonymous + 63);
	assert_int_equal(during.kernel, before.kernel + 8);
	assert_int_equal(during.free, before.free - 71);
	free_pages(w->sys, cache);
	assert_int_equal(mmk_sys_madvise(&w->task, at + PAGE, 63 * PAGE, MMK_MADV_DONTNEED), 0);
	after = ledger(w);
	assert_memory_equal(&after, &before, sizeof(after));
}

/* One violation of whoever checks, and none when the frame is back. */
static void expect_lost(struct world *w, struct page *page, unsigned violations)
{
	char why[128];

	assert_non_null(page);
	assert_int_equal(mmk_check(w->sys, why, sizeof(why)), violations);
	free_pages(w->sys, page);
	assert_int_equal(mmk_check(w->sys, why, sizeof(why)), 0);
}

static void a_frame_that_nobody_leads_to_is_seen(void **state)
{
	struct world *w = *state;
	struct page *page = alloc_pages(w->sys, 0, PAGE_ANON);

	assert_int_equal(ledger(w).unmapped, 1);
	expect_lost(w, page, 1);
	page = alloc_pages(w->sys, 0, PAGE_CACHE);
	assert_int_equal(ledger(w).detached, 1);
	free_pages(w->sys, page);
	expect_lost(w, alloc_pages(w->sys, 0, PAGE_TABLE), 1);
	page = alloc_pages(w->sys, 0, PAGE_SLAB);
	page->nr_used = 1;
	expect_lost(w, page, 1);
	assert_int_equal(ledger(w).unmapped + ledger(w).detached, 0);
}

static void sysctls_are_read_set_and_bounded(void **state)
{
	struct world *w = *state;
	uint64_t v;

	assert_int_equal(mmk_sysctl_get(w->sys, "max_map_count", &v), 0);
	assert_int_equal(v, 65530);
	assert_int_equal(mmk_sysctl_set(w->sys, "max_map_count", 7), 0);
	assert_int_equal(mmk_sysctl_get(w->sys, "max_map_count", &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(mmk_sysctl_set(w->sys, "overcommit_memory", 3), -MMK_EINVAL);
	assert_int_equal(mmk_sysctl_set(w->sys, "mmap_rnd_bits", 17), -MMK_EINVAL);
	assert_int_equal(mmk_sysctl_set(w->sys, "no_such", 1), -MMK_ENOENT);
	assert_int_equal(mmk_sysctl_get(w->sys, "no_such", &v), -MMK_ENOENT);
	assert_int_equal(mmk_sysctl_set(w->sys, "overcommit_kbytes", 1024), 0);
	assert_int_equal(mmk_sysctl_get(w->sys, "overcommit_ratio", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(mmk_sysctl_set(w->sys, "overcommit_ratio", 80), 0);
	assert_int_equal(mmk_sysctl_get(w->sys, "overcommit_kbytes", &v), 0);
	assert_int_equal(v, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(blocks_never_overlap_and_merge_again),
	    WORLD_TEST(all_frames_can_be_had_one_by_one),
	    WORLD_TEST(a_reference_keeps_a_freed_block),
	    WORLD_TEST(allocations_fail_on_purpose),
	    WORLD_TEST(kmalloc_of_every_size_is_aligned_and_apart),
	    WORLD_TEST(kzalloc_and_frames_are_zero_where_asked),
	    WORLD_TEST(slabs_go_back_when_the_system_ends),
	    WORLD_TEST(reserved_ranges_are_left_alone),
	    WORLD_TEST(unusable_configurations_are_refused),
	    WORLD_TEST(the_ledger_adds_up_and_returns),
	    WORLD_TEST(a_frame_that_nobody_leads_to_is_seen),
	    WORLD_TEST(sysctls_are_read_set_and_bounded),
	};

	return cmocka_run_group_tests_name("page_alloc", tests, NULL, NULL);
}
