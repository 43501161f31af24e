/* SPDX-License-Identifier: MIT */
/* mseal, protection keys without hardware, remap_file_pages: what each refuses, and that a refusal
 * changes nothing. */
#include "tests/unit/canvas.h"

#define TO (MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED)

static long seal(struct world *w, unsigned page, unsigned pages)
{
	return CHECKED(w, mmk_sys_mseal(&w->task, at(page), pages * PAGE, 0));
}

static void sealed_memory_stays(void **state)
{
	struct world *w = *state;

	put(w, 0, 5, RW);
	store(w, at(2), 7);
	assert_int_equal(seal(w, 2, 1), 0);
	drawn(w, "AABCC");
	refusal(w, w_munmap(w, at(2), PAGE), MMK_EPERM, MMK_REASON_VMA_SEALED);
	refusal(w, w_munmap(w, at(0), 5 * PAGE), MMK_EPERM, MMK_REASON_VMA_SEALED);
	refusal(w, w_mmap(w, at(1), 2 * PAGE, R, ANON_PRIVATE | FIXED, -1, 0), MMK_EPERM,
	        MMK_REASON_VMA_SEALED);
	refusal(w, w_mremap(w, at(2), PAGE, 2 * PAGE, MMK_MREMAP_MAYMOVE, 0), MMK_EPERM,
	        MMK_REASON_VMA_SEALED);
	refusal(w, w_mremap(w, at(2), PAGE, PAGE, TO, at(8)), MMK_EPERM, MMK_REASON_VMA_SEALED);
	refusal(w, w_mremap(w, at(0), PAGE, PAGE, TO, at(2)), MMK_EPERM, MMK_REASON_VMA_SEALED);
	drawn(w, "AABCC");
	assert_int_equal(load(w, at(2)), 7);
	refusal(w, w_mprotect(w, at(2), PAGE, RW), MMK_EPERM, MMK_REASON_VMA_SEALED);
	/* What lies before it has changed, as with every refusal of mprotect. */
	refusal(w, w_mprotect(w, at(0), 5 * PAGE, R), MMK_EPERM, MMK_REASON_VMA_SEALED);
	assert_fault(w_store(w, at(1), 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	store(w, at(2), 8);
	store(w, at(3), 8);
}

static void sealed_read_only_memory_is_not_emptied(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	store(w, at(0), 7);
	assert_int_equal(w_mprotect(w, at(0), PAGE, R), 0);
	assert_int_equal(seal(w, 0, 2), 0);
	refusal(w, w_madvise(w, at(0), PAGE, MMK_MADV_DONTNEED), MMK_EPERM, MMK_REASON_VMA_SEALED);
	assert_int_equal(load(w, at(0)), 7);
	assert_int_equal(w_madvise(w, at(1), PAGE, MMK_MADV_DONTNEED), 0);
}

static void seals_are_handed_down(void **state)
{
	struct world *w = *state;
	struct mmk_task child = {.pid = 2};

	put(w, 0, 1, RW);
	assert_int_equal(seal(w, 0, 1), 0);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(mmk_sys_munmap(&child, at(0), PAGE), -MMK_EPERM);
	hosted_exit(w->h, &child);
}

static void seals_merge_and_holes_refuse(void **state)
{
	struct world *w = *state;

	put(w, 0, 4, RW);
	assert_int_equal(seal(w, 1, 1), 0);
	assert_int_equal(seal(w, 0, 4), 0);
	drawn(w, "AAAA..");
	refusal(w, seal(w, 2, 4), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	refusal(w, mmk_sys_mseal(&w->task, at(0), PAGE, 1), MMK_EINVAL, MMK_REASON_MSEAL_FLAGS);
	refusal(w, mmk_sys_mseal(&w->task, at(0) + 1, PAGE, 0), MMK_EINVAL,
	        MMK_REASON_ADDR_UNALIGNED);
	refusal(w, mmk_sys_mseal(&w->task, at(0), -1ul, 0), MMK_EINVAL, MMK_REASON_LENGTH_WRAPS);
	refusal(w, mmk_sys_mseal(&w->task, at(0), -PAGE, 0), MMK_EINVAL, MMK_REASON_RANGE_WRAPS);
}

static void there_is_one_key(void **state)
{
	struct world *w = *state;

	put(w, 0, 1, RW);
	refusal(w, mmk_sys_pkey_alloc(&w->task, 0, 0), MMK_ENOSPC, MMK_REASON_PKEY_NONE);
	refusal(w, mmk_sys_pkey_alloc(&w->task, 0, 16), MMK_EINVAL, MMK_REASON_PKEY_FLAGS);
	refusal(w, mmk_sys_pkey_mprotect(&w->task, at(0), PAGE, R, 1), MMK_EINVAL,
	        MMK_REASON_PKEY_NOT);
	assert_int_equal(mmk_sys_pkey_mprotect(&w->task, at(0), PAGE, R, 0), 0);
	assert_int_equal(mmk_sys_pkey_free(&w->task, 0), 0);
	refusal(w, mmk_sys_pkey_free(&w->task, 0), MMK_EINVAL, MMK_REASON_PKEY_NOT);
	refusal(w, mmk_sys_pkey_mprotect(&w->task, at(0), PAGE, R, 0), MMK_EINVAL,
	        MMK_REASON_PKEY_NOT);
	assert_int_equal(mmk_sys_pkey_mprotect(&w->task, at(0), PAGE, RW, -1), 0);
}

#define remap(w, page, pages, prot, pgoff)                                                         \
	CHECKED(w, mmk_sys_remap_file_pages(&(w)->task, at(page), (pages)*PAGE, prot, pgoff, 0))

static void remap_file_pages_maps_anew(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 4 * PAGE, O_RDWR);

	must_mmap(w, at(0), 4 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	assert_int_equal(remap(w, 1, 1, 0, 3), 0);
	drawn(w, "ABCC.");
	assert_int_equal(load(w, at(1)), file_byte(3 * PAGE));
	assert_int_equal(remap(w, 1, 1, 0, 1), 0);
	drawn(w, "AAAA.");
	refusal(w, remap(w, 1, 1, R, 1), MMK_EINVAL, MMK_REASON_REMAP_PROT);
	refusal(w, remap(w, 1, 0, 0, 1), MMK_EINVAL, MMK_REASON_RANGE_WRAPS);
	refusal(w, remap(w, 1, 1, 0, -1ul), MMK_EINVAL, MMK_REASON_PGOFF_WRAPS);
	refusal(w, remap(w, 3, 2, 0, 0), MMK_EINVAL, MMK_REASON_REMAP_ACROSS);
	refusal(w, remap(w, 4, 1, 0, 0), MMK_EINVAL, MMK_REASON_REMAP_SHARED);
	put(w, 4, 1, RW);
	refusal(w, remap(w, 4, 1, 0, 0), MMK_EINVAL, MMK_REASON_REMAP_SHARED);
	refusal(w, remap(w, 3, 2, 0, 0), MMK_EINVAL, MMK_REASON_REMAP_ACROSS);
	drawn(w, "AAAAB");
}

static void remap_file_pages_of_shared_anonymous_memory(void **state)
{
	struct world *w = *state;

	must_mmap(w, at(0), 3 * PAGE, RW, ANON_SHARED | FIXED, -1, 0);
	for (unsigned i = 0; i < 3; i++)
		store(w, at(i), i + 1);
	assert_int_equal(remap(w, 0, 1, 0, 2), 0);
	drawn(w, "ABB");
	assert_int_equal(load(w, at(0)), 3);
	store(w, at(0), 9);
	assert_int_equal(load(w, at(2)), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(sealed_memory_stays),
	    WORLD_TEST(sealed_read_only_memory_is_not_emptied),
	    WORLD_TEST(seals_are_handed_down),
	    WORLD_TEST(seals_merge_and_holes_refuse),
	    WORLD_TEST(there_is_one_key),
	    WORLD_TEST(remap_file_pages_maps_anew),
	    WORLD_TEST(remap_file_pages_of_shared_anonymous_memory),
	};

	return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
