/* SPDX-License-Identifier: MIT */
/* Guards: pages that fault without a mapping of their own. */
#include "tests/unit/canvas.h"

#define install(w, page, n)                                                                        \
	assert_int_equal(w_madvise(w, at(page), (n)*PAGE, MMK_MADV_GUARD_INSTALL), 0)
#define uninstall(w, page, n)                                                                      \
	assert_int_equal(w_madvise(w, at(page), (n)*PAGE, MMK_MADV_GUARD_REMOVE), 0)
#define guarded(w, page) assert_fault(w_load(w, at(page)), UNIT_SIGSEGV, MMK_SEGV_MAPERR)

static void fill(struct world *w, unsigned page, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		store(w, at(page + i), page + i + 1);
}

static void a_guard_takes_the_page_and_faults(void **state)
{
	struct world *w = *state;
	struct mmk_mm_stats s;

	put(w, 0, 3, RW);
	fill(w, 0, 3);
	install(w, 1, 1);
	guarded(w, 1);
	assert_fault(w_store(w, at(1), 1), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.rss_anon, 2);
	drawn(w, "AAA");
	uninstall(w, 0, 3);
	assert_int_equal(load(w, at(1)), 0);
	assert_int_equal(load(w, at(2)), 3);
}

static void guards_across_tables(void **state)
{
	struct world *w = *state;

	put(w, 0, 1200, RW);
	install(w, 100, 1000);
	guarded(w, 100);
	guarded(w, 511);
	guarded(w, 512);
	guarded(w, 1099);
	assert_works(w_load(w, at(99)));
	assert_works(w_load(w, at(1100)));
	uninstall(w, 0, 600);
	assert_works(w_load(w, at(599)));
	guarded(w, 600);
	assert_int_equal(w_munmap(w, at(0), 1200 * PAGE), 0);
}

static void guards_outlive_pages_but_not_mappings(void **state)
{
	struct world *w = *state;
	int fd = hosted_memfd(w->h, "m", 2 * PAGE);

	put(w, 0, 3, RW);
	install(w, 1, 1);
	assert_int_equal(w_madvise(w, at(0), 3 * PAGE, MMK_MADV_DONTNEED), 0);
	assert_int_equal(w_madvise(w, at(0), 3 * PAGE, MMK_MADV_FREE), 0);
	assert_int_equal(w_madvise(w, at(0), 3 * PAGE, MMK_MADV_PAGEOUT), 0);
	assert_int_equal(w_mprotect(w, at(0), 3 * PAGE, R), 0);
	guarded(w, 1);
	put(w, 1, 1, RW);
	assert_works(w_load(w, at(1)));
	must_mmap(w, at(4), 2 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);
	install(w, 4, 1);
	assert_int_equal(hosted_ftruncate(w->h, fd, 0), 0);
	assert_int_equal(hosted_ftruncate(w->h, fd, 2 * PAGE), 0);
	guarded(w, 4);
	assert_works(w_load(w, at(5)));
}

static void guards_go_with_fork_and_mremap(void **state)
{
	struct world *w = *state;
	struct mmk_task child = w->task;

	put(w, 0, 3, RW);
	install(w, 1, 1);
	assert_int_equal(w_fork(w, &child), 0);
	assert_fault(task_load(w, &child, at(1), NULL), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	hosted_exit(w->h, &child);
	assert_int_equal(
	    w_mremap(w, at(0), 3 * PAGE, 5 * PAGE, MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED, at(3000)),
	    at(3000));
	guarded(w, 3001);
	assert_works(w_load(w, at(3002)));
}

static void wipeonfork_wipes_guards(void **state)
{
	struct world *w = *state;
	struct mmk_task child = w->task;

	put(w, 0, 2, RW);
	install(w, 0, 1);
	assert_int_equal(w_madvise(w, at(0), 2 * PAGE, MMK_MADV_WIPEONFORK), 0);
	assert_int_equal(w_fork(w, &child), 0);
	assert_int_equal(load_of(w, &child, at(0)), 0);
	hosted_exit(w->h, &child);
	guarded(w, 0);
}

static void nobody_comes_past_a_guard(void **state)
{
	struct world *w = *state;
	uint8_t buf[3 * PAGE];

	put(w, 0, 3, RW);
	fill(w, 0, 3);
	install(w, 1, 1);
	assert_int_equal(
	    CHECKED(w, mmk_access_vm(&w->task, w->task.mm, at(0), buf, sizeof(buf), 0)), PAGE);
	assert_int_equal(CHECKED(w, mmk_access_vm(&w->task, w->task.mm, at(1), buf, 1,
	                                          MMK_ACCESS_WRITE | MMK_ACCESS_FORCE)),
	                 0);
	refusal(w, w_madvise(w, at(0), 3 * PAGE, MMK_MADV_POPULATE_READ), MMK_EFAULT,
	        MMK_REASON_POPULATE_FAULT);
	refusal(w, w_mlock(w, at(0), 3 * PAGE), MMK_ENOMEM, MMK_REASON_POPULATE_FAULT);
}

static void refusals_of_guards(void **state)
{
	struct world *w = *state;
	uint8_t *kva = mmk_alloc_frames(w->sys, 0, true);
	long vdso;

	put(w, 0, 3, RW);
	fill(w, 0, 3);
	assert_int_equal(w_mlock(w, at(1), PAGE), 0);
	refusal(w, w_madvise(w, at(0), 3 * PAGE, MMK_MADV_GUARD_INSTALL), MMK_EINVAL,
	        MMK_REASON_ADVICE_LOCKED);
	guarded(w, 0);
	assert_int_equal(load(w, at(1)), 2);
	uninstall(w, 0, 3);
	refusal(w, w_madvise(w, at(0), 4 * PAGE, MMK_MADV_GUARD_REMOVE), MMK_ENOMEM,
	        MMK_REASON_NOT_MAPPED);
	vdso = CHECKED(w, mmk_install_special_mapping(&w->task, w->task.mm, 0, kva, "[vdso]"));
	refusal(w, w_madvise(w, vdso, PAGE, MMK_MADV_GUARD_INSTALL), MMK_EINVAL,
	        MMK_REASON_ADVICE_SPECIAL);
	refusal(w, w_madvise(w, vdso, PAGE, MMK_MADV_GUARD_REMOVE), MMK_EINVAL,
	        MMK_REASON_ADVICE_SPECIAL);
	assert_int_equal(w_munmap(w, vdso, PAGE), 0);
	mmk_free_frames(w->sys, kva, 0);
}

static void without_memory_for_tables_nothing_is_guarded(void **state)
{
	struct world *w = *state;

	put(w, 0, 2000, RW);
	fill(w, 0, 1);
	for (unsigned n = 1; n <= 2; n++) {
		hosted_fail_alloc(w->h, MMK_FAIL_PAGE, n, false);
		refusal(w, w_madvise(w, at(0), 2000 * PAGE, MMK_MADV_GUARD_INSTALL), MMK_ENOMEM,
		        MMK_REASON_GUARD_NO_MEMORY);
		assert_int_equal(load(w, at(0)), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(a_guard_takes_the_page_and_faults),
	    WORLD_TEST(guards_across_tables),
	    WORLD_TEST(guards_outlive_pages_but_not_mappings),
	    WORLD_TEST(guards_go_with_fork_and_mremap),
	    WORLD_TEST(wipeonfork_wipes_guards),
	    WORLD_TEST(nobody_comes_past_a_guard),
	    WORLD_TEST(refusals_of_guards),
	    WORLD_TEST(without_memory_for_tables_nothing_is_guarded),
	};

	return cmocka_run_group_tests_name("guards", tests, NULL, NULL);
}
