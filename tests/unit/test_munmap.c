/* SPDX-License-Identifier: MIT */
/* munmap and mprotect: holes, cuts, partial success, and every refusal with its reason. */
#include "tests/unit/canvas.h"

/* ---- munmap ---- */

static void whole_partial_and_across(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, RW);
	put(w, 3, 1, R);
	put(w, 5, 3, RW);
	drawn(w, "AAAB.CCC");
	assert_int_equal(w_munmap(w, at(2), 4 * PAGE), 0);
	drawn(w, "AA....BB");
	assert_int_equal(w_munmap(w, at(0), PAGE), 0);
	drawn(w, ".A....BB");
	assert_int_equal(w_munmap(w, at(7), PAGE), 0);
	drawn(w, ".A....B.");
	assert_int_equal(w_munmap(w, at(0), 8 * PAGE), 0);
	drawn(w, "........");
}

static void the_middle_cuts_in_two(void **state)
{
	struct world *w = *state;

	put(w, 0, 5, RW);
	for (unsigned i = 0; i < 5; i++)
		store(w, at(i), i + 1);
	assert_int_equal(w_munmap(w, at(2), 1), 0); /* a byte is a page */
	drawn(w, "AA.BB");
	assert_int_equal(load(w, at(1)), 2);
	assert_int_equal(load(w, at(3)), 4);
	assert_fault(w_load(w, at(2)), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
}

static void nothing_there_is_fine(void **state)
{
	struct world *w = *state;

	assert_int_equal(w_munmap(w, at(0), 5 * PAGE), 0);
	assert_int_equal(w_munmap(w, (1ul << 48) - PAGE, PAGE), 0);
}

static void a_file_keeps_its_offsets(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 5 * PAGE, O_RDWR);
	unsigned long a = must_mmap(w, at(0), 5 * PAGE, RW, MMK_MAP_SHARED | FIXED, fd, 0);

	assert_int_equal(w_munmap(w, at(1), 2 * PAGE), 0);
	drawn(w, "A..BB");
	assert_int_equal(load(w, a), file_byte(0));
	assert_int_equal(load(w, at(3) + 9), file_byte(3 * PAGE + 9));
	assert_int_equal(hosted_ftruncate(w->h, fd, 4 * PAGE), 0); /* i_mmap knows both parts */
	assert_fault(w_load(w, at(4)), UNIT_SIGBUS, MMK_BUS_ADRERR);
}

static void munmap_takes_a_tag(void **state)
{
	struct world *w = *state;

	put(w, 0, 1, RW);
	assert_int_equal(w_munmap(w, at(0) | 0xab00000000000000ul, PAGE), 0);
	drawn(w, ".");
}

static uint64_t tables_of(struct world *w)
{
	struct mmk_mm_stats s;

	mmk_mm_stats(w->task.mm, &s);
	return s.pgtables_bytes / PAGE;
}

/* One page, written and unmapped, where no other table lies near. */
static void pass_through(struct world *w, unsigned long addr)
{
	must_mmap(w, addr, PAGE, RW, ANON_PRIVATE | FIXED, -1, 0);
	assert_int_equal(load(w, addr), 0);
	store(w, addr, 1);
	assert_int_equal(w_munmap(w, addr, PAGE), 0);
}

static void one_empty_table_stays_for_the_next_mapping(void **state)
{
	struct world *w = *state;
	unsigned long far = 1ul << 40, between = 2ul << 20;
	uint64_t before, n;

	pass_through(w, far);
	before = tables_of(w);
	pass_through(w, far + PAGE); /* in the table that stayed */
	assert_int_equal(tables_of(w), before);
	for (n = 1; n < 20; n++) /* each takes the place of the one before */
		pass_through(w, far + n * between);
	assert_int_equal(tables_of(w), before);
	must_mmap(w, far, 4 * between, RW, ANON_PRIVATE | FIXED, -1, 0);
	for (n = 0; n < 4; n++)
		store(w, far + n * between, 1);
	assert_int_equal(tables_of(w), before + 4); /* and the idle one at 19 */
	assert_int_equal(w_munmap(w, far, 4 * between), 0);
	assert_int_equal(tables_of(w), before);
}

/* What stayed is in use again when the next one becomes empty: then it does not go. */
static void an_idle_table_in_use_again_stays(void **state)
{
	struct world *w = *state;
	unsigned long far = 1ul << 40, between = 2ul << 20;

	pass_through(w, far);
	must_mmap(w, far, PAGE, RW, ANON_PRIVATE | FIXED, -1, 0);
	store(w, far, 42);
	pass_through(w, far + between);
	assert_int_equal(load(w, far), 42);
	assert_int_equal(w_munmap(w, far, PAGE), 0);
	pass_through(w, far + 2 * between);
}

/* Nothing has been touched in the first table's part of the range, something in the second's. */
static void untouched_up_to_the_next_table(void **state)
{
	struct world *w = *state;
	unsigned long border = (1ul << 40) + (2ul << 20), begin = border - 16 * PAGE;

	must_mmap(w, begin, 32 * PAGE, RW, ANON_PRIVATE | FIXED, -1, 0);
	store(w, begin, 1);
	store(w, border + 3 * PAGE, 3);
	assert_int_equal(w_munmap(w, begin + PAGE, 31 * PAGE), 0);
	assert_int_equal(load(w, begin), 1);
	must_mmap(w, border, 16 * PAGE, RW, ANON_PRIVATE | FIXED, -1, 0);
	assert_int_equal(load(w, border + 3 * PAGE), 0);
}

static void refusals_of_munmap(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, RW);
	refusal(w, w_munmap(w, at(0) + 1, PAGE), MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED);
	refusal(w, w_munmap(w, at(0), 0), MMK_EINVAL, MMK_REASON_LENGTH_ZERO);
	refusal(w, w_munmap(w, 1ul << 48, PAGE), MMK_EINVAL, MMK_REASON_BEYOND_TASK_SIZE);
	refusal(w, w_munmap(w, at(0), ~0ul), MMK_EINVAL, MMK_REASON_BEYOND_TASK_SIZE);
	refusal(w, w_munmap(w, ~0ul & ~(PAGE - 1), PAGE), MMK_EINVAL, MMK_REASON_BEYOND_TASK_SIZE);
	hosted_fail_alloc(w->h, MMK_FAIL_SLAB, 1, false);
	refusal(w, w_munmap(w, at(1), PAGE), MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA);
	drawn(w, "AAA");
	hosted_fail_alloc(w->h, HOSTED_ANY_SITE, 1, true); /* all of it needs none */
	assert_int_equal(w_munmap(w, at(0), 3 * PAGE), 0);
	hosted_fail_alloc(w->h, HOSTED_ANY_SITE, 0, false);
}

/* ---- mprotect ---- */

static void what_lies_before_a_hole_has_changed(void **state)
{
	struct world *w = *state;

	put(w, 0, 2, RW);
	put(w, 3, 1, RW);
	refusal(w, w_mprotect(w, at(0), 4 * PAGE, R), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	assert_reason(w, "nothing is mapped at 0x10002000");
	assert_fault(w_store(w, at(0), 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	store(w, at(3), 1);
}

static void never_what_the_file_forbids(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDONLY);

	must_mmap(w, at(0), PAGE, R, MMK_MAP_SHARED | FIXED, fd, 0);
	must_mmap(w, at(1), PAGE, R, MMK_MAP_PRIVATE | FIXED, fd, 0);
	refusal(w, w_mprotect(w, at(0), PAGE, RW), MMK_EACCES, MMK_REASON_PROT_NEVER);
	assert_int_equal(w_mprotect(w, at(1), PAGE, RW), 0);
	store(w, at(1), 1);
	assert_int_equal(fd_byte(w, fd, PAGE), file_byte(PAGE));
}

static void refusals_of_mprotect(void **state)
{
	struct world *w = *state;

	put(w, 0, 1, RW);
	refusal(w, w_mprotect(w, at(0) + 1, PAGE, R), MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED);
	refusal(w, w_mprotect(w, at(0), PAGE, 0x40), MMK_EINVAL, MMK_REASON_PROT_BITS);
	refusal(w, w_mprotect(w, at(0), PAGE, R | MMK_PROT_BTI), MMK_EINVAL, MMK_REASON_PROT_BITS);
	refusal(w, w_mprotect(w, at(0), PAGE, R | MMK_PROT_GROWSDOWN | MMK_PROT_GROWSUP),
	        MMK_EINVAL, MMK_REASON_GROWS_BOTH);
	refusal(w, w_mprotect(w, at(0), PAGE, R | MMK_PROT_GROWSDOWN), MMK_EINVAL,
	        MMK_REASON_GROWS_NOT);
	refusal(w, w_mprotect(w, at(0), PAGE, R | MMK_PROT_GROWSUP), MMK_EINVAL,
	        MMK_REASON_GROWS_NOT);
	refusal(w, w_mprotect(w, at(0), ~0ul & ~(PAGE - 1), R), MMK_ENOMEM, MMK_REASON_RANGE_WRAPS);
	refusal(w, w_mprotect(w, at(5), PAGE, R), MMK_ENOMEM, MMK_REASON_NOT_MAPPED);
	assert_int_equal(w_mprotect(w, at(5), 0, R), 0);
	assert_int_equal(w_mprotect(w, at(0), PAGE, RW | MMK_PROT_SEM), 0);
}

static void a_split_without_memory_changes_nothing(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, RW);
	for (unsigned nth = 1; nth <= 2; nth++) {
		hosted_fail_alloc(w->h, MMK_FAIL_SLAB, nth, false);
		refusal(w, w_mprotect(w, at(1), PAGE, R), MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA);
		drawn(w, "AAA");
	}
	hosted_fail_alloc(w->h, MMK_FAIL_SLAB, 0, false);
	assert_int_equal(w_mprotect(w, at(1), PAGE, R), 0);
	drawn(w, "ABC");
}

static void becoming_writable_is_charged(void **state)
{
	struct world *w = *state;
	struct mmk_stats before, after;

	put(w, 0, 4, R);
	mmk_stats(w->sys, &before);
	assert_int_equal(w_mprotect(w, at(0), 4 * PAGE, RW), 0);
	mmk_stats(w->sys, &after);
	assert_int_equal(after.committed, before.committed + 4);
	assert_int_equal(w_mprotect(w, at(0), 4 * PAGE, R), 0); /* never touched: given back */
	mmk_stats(w->sys, &after);
	assert_int_equal(after.committed, before.committed);
	assert_int_equal(w_mprotect(w, at(0), 4 * PAGE, RW), 0);
	store(w, at(0), 1);
	assert_int_equal(w_mprotect(w, at(0), 4 * PAGE, R), 0); /* touched: kept */
	mmk_stats(w->sys, &after);
	assert_int_equal(after.committed, before.committed + 4);
}

static void becoming_data_meets_its_limit(void **state)
{
	struct world *w = *state;

	put(w, 0, 4, R);
	w->rlim[MMK_RLIMIT_DATA].cur = w->rlim[MMK_RLIMIT_DATA].max = PAGE;
	refusal(w, w_mprotect(w, at(0), 4 * PAGE, RW), MMK_ENOMEM, MMK_REASON_RLIMIT_DATA);
	drawn(w, "AAAA");
}

static void growsdown_reaches_to_the_start(void **state)
{
	struct world *w = *state;

	must_mmap(w, at(0), 4 * PAGE, RW, ANON_PRIVATE | FIXED | MMK_MAP_GROWSDOWN, -1, 0);
	assert_int_equal(w_mprotect(w, at(2), PAGE, R | MMK_PROT_GROWSDOWN), 0);
	drawn(w, "AAAB");
	assert_fault(w_store(w, at(0), 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	store(w, at(3), 1);
}

static void read_implies_exec(void **state)
{
	struct world *w = *state;

	w->task.personality = MMK_READ_IMPLIES_EXEC;
	put(w, 0, 1, R);
	assert_works(w_fetch(w, at(0)));
	put(w, 1, 1, NONE);
	assert_int_equal(w_mprotect(w, at(1), PAGE, R), 0);
	assert_works(w_fetch(w, at(1)));
	w->task.personality = 0;
}

/* ---- the hooks that only look on ---- */

static struct {
	int audit, perf, uprobe, fd;
	unsigned long start, end;
} seen;

static void see_audit(void *ctx, struct mmk_task *task, int fd, unsigned long flags)
{
	seen.audit++;
	seen.fd = fd;
}

static void see_perf(void *ctx, struct mmk_task *task, unsigned long start, unsigned long end,
                     uint64_t pgoff, uint64_t vm_flags, struct mmk_file *file)
{
	seen.perf++;
	seen.start = start;
	seen.end = end;
}

static void see_uprobe(void *ctx, struct mmk_task *task, unsigned long start, unsigned long end,
                       uint64_t pgoff, struct mmk_file *file)
{
	seen.uprobe++;
}

static void hooks_hear_of_mappings(void **state)
{
	struct world *w = *state;
	const struct mmk_hooks hooks = {
	    .audit_mmap_fd = see_audit, .perf_event_mmap = see_perf, .uprobe_mmap = see_uprobe};
	int fd = host_file(w, "f", PAGE, O_RDWR);

	memset(&seen, 0, sizeof(seen));
	hosted_port(w->h)->hooks = &hooks;
	put(w, 0, 2, RW);
	assert_int_equal(seen.audit, 0);
	assert_int_equal(seen.perf, 1);
	assert_int_equal(seen.start, at(0));
	assert_int_equal(seen.end, at(2));
	must_mmap(w, 0, PAGE, RX, MMK_MAP_PRIVATE, fd, 0);
	assert_int_equal(seen.audit, 1);
	assert_int_equal(seen.fd, fd);
	assert_int_equal(seen.perf, 2);
	assert_int_equal(seen.uprobe, 1);
	must_mmap(w, 0, PAGE, R, MMK_MAP_PRIVATE, fd, 0);
	assert_int_equal(seen.uprobe, 1);
	hosted_port(w->h)->hooks = NULL;
}

static int setup_with_bti(void **state)
{
	struct hosted_config config = {.bti = true};

	*state = world_new(&config);
	return *state ? 0 : -1;
}

/* Guarded pages, where the CPU has them: a property of its own that each mprotect gives or takes. */
static void bti_where_the_cpu_has_it(void **state)
{
	struct world *w = *state;

	put(w, 0, 3, R);
	assert_int_equal(w_mprotect(w, at(1), PAGE, R | MMK_PROT_BTI), 0);
	assert_int_equal(world_nr_vmas(w), 3);
	assert_int_equal(w_mprotect(w, at(1), PAGE, R), 0);
	assert_int_equal(world_nr_vmas(w), 1);
	refusal(w, w_mprotect(w, at(0), PAGE, R | MMK_PROT_BTI | 0x40), MMK_EINVAL,
	        MMK_REASON_PROT_BITS);
	refusal(w, w_mprotect(w, at(0), PAGE, R | MMK_PROT_MTE), MMK_EINVAL, MMK_REASON_PROT_BITS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(whole_partial_and_across),
	    WORLD_TEST(the_middle_cuts_in_two),
	    WORLD_TEST(nothing_there_is_fine),
	    WORLD_TEST(a_file_keeps_its_offsets),
	    WORLD_TEST(munmap_takes_a_tag),
	    WORLD_TEST(one_empty_table_stays_for_the_next_mapping),
	    WORLD_TEST(an_idle_table_in_use_again_stays),
	    WORLD_TEST(untouched_up_to_the_next_table),
	    WORLD_TEST(refusals_of_munmap),
	    WORLD_TEST(what_lies_before_a_hole_has_changed),
	    WORLD_TEST(never_what_the_file_forbids),
	    WORLD_TEST(refusals_of_mprotect),
	    WORLD_TEST(a_split_without_memory_changes_nothing),
	    WORLD_TEST(becoming_writable_is_charged),
	    WORLD_TEST(becoming_data_meets_its_limit),
	    WORLD_TEST(growsdown_reaches_to_the_start),
	    WORLD_TEST(read_implies_exec),
	    cmocka_unit_test_setup_teardown(bti_where_the_cpu_has_it, setup_with_bti,
	                                    world_teardown),
	    WORLD_TEST(hooks_hear_of_mappings),
	};

	return cmocka_run_group_tests_name("munmap and mprotect", tests, NULL, NULL);
}
