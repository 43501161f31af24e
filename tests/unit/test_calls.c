/* SPDX-License-Identifier: MIT */
/* What munmap, mprotect, madvise, brk, msync, mincore and the stack do to memory that is in use. */
#include "tests/unit/harness.h"

/* ---- signals ---- */

static void nothing_there_is_maperr(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 3 * PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_fault f;

	store(w, a + PAGE, 1);
	assert_int_equal(w_munmap(w, a + PAGE, PAGE), 0);
	assert_string_equal(world_draw(w, a, 3), "A.B");
	f = w_store(w, a + PAGE + 123, 1);
	assert_fault(f, UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_int_equal(f.addr, a + PAGE + 123);
	assert_fault(w_load(w, a + PAGE), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_fault(w_fetch(w, a + PAGE), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_fault(w_load(w, 0), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
}

static void beyond_the_user_half_is_maperr(void **state)
{
	struct world *w = *state;

	assert_fault(w_load(w, 1ul << 48), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_fault(w_load(w, 0xffff000000000000ul), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_fault(w_store(w, ~0ul, 1), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
}

static void the_wrong_access_is_accerr(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, PAGE, R, ANON_PRIVATE, -1, 0);
	unsigned long none = must_mmap(w, 0, PAGE, NONE, ANON_PRIVATE, -1, 0);

	assert_works(w_load(w, a));
	assert_fault(w_store(w, a, 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_fault(w_fetch(w, a), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_fault(w_load(w, none), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
}

/* ---- mprotect ---- */

static void protection_changes_at_once(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 3 * PAGE, RW, ANON_PRIVATE, -1, 0);

	for (unsigned i = 0; i < 3; i++)
		store(w, a + i * PAGE, (uint8_t)(i + 1));
	assert_int_equal(w_mprotect(w, a + PAGE, PAGE, R), 0);
	assert_string_equal(world_draw(w, a, 3), "ABC");
	assert_fault(w_store(w, a + PAGE, 9), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_int_equal(load(w, a + PAGE), 2);
	store(w, a + 2 * PAGE, 9);
	assert_int_equal(w_mprotect(w, a, 3 * PAGE, NONE), 0);
	assert_fault(w_load(w, a), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_int_equal(w_mprotect(w, a, 3 * PAGE, RW), 0);
	assert_string_equal(world_draw(w, a, 3), "AAA");
	assert_int_equal(load(w, a + 2 * PAGE), 9);
	store(w, a + PAGE, 7);
}

static void written_code_runs_after_mprotect(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 2 * PAGE, RW, ANON_PRIVATE, -1, 0);
	uint32_t ret = 0xd65f03c0, got = 0;

	assert_int_equal(hosted_store(w->h, &w->task, a, &ret, 4, NULL), 0);
	assert_int_equal(w_mprotect(w, a, 2 * PAGE, RX), 0);
	assert_int_equal(hosted_fetch(w->h, &w->task, a, &got, 4, NULL), 0);
	assert_int_equal(got, ret);
	assert_works(w_fetch(w, a + PAGE)); /* never touched before */
}

static void code_of_a_file_runs(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDONLY);
	unsigned long a = must_mmap(w, 0, 2 * PAGE, RX, MMK_MAP_PRIVATE, fd, 0);
	uint8_t byte;

	assert_int_equal(hosted_fetch(w->h, &w->task, a + PAGE, &byte, 1, NULL), 0);
	assert_int_equal(byte, file_byte(PAGE));
	assert_works(w_fetch(w, a));
	assert_fault(w_store(w, a, 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
}

static void code_is_copied_on_write_in_step(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDONLY);
	unsigned long a = must_mmap(w, 0, PAGE, RX, MMK_MAP_PRIVATE, fd, 0);

	assert_works(w_fetch(w, a + 64));
	assert_int_equal(w_mprotect(w, a, PAGE, RW | X), 0);
	store(w, a, 1); /* a breakpoint, say: the page becomes another frame */
	assert_works(w_fetch(w, a + 64));
}

/* ---- madvise, mincore ---- */

static void dontneed_brings_back_the_beginning(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);
	unsigned long anon = must_mmap(w, 0, 2 * PAGE, RW, ANON_PRIVATE, -1, 0);
	unsigned long file = must_mmap(w, 0, PAGE, RW, MMK_MAP_PRIVATE, fd, 0);
	unsigned long shared = must_mmap(w, 0, PAGE, RW, ANON_SHARED, -1, 0);

	store(w, anon, 1);
	store(w, anon + PAGE, 2);
	store(w, file, 3);
	store(w, shared, 4);
	assert_int_equal(w_madvise(w, anon, PAGE, MMK_MADV_DONTNEED), 0);
	assert_int_equal(w_madvise(w, file, PAGE, MMK_MADV_DONTNEED), 0);
	assert_int_equal(w_madvise(w, shared, PAGE, MMK_MADV_DONTNEED), 0);
	assert_int_equal(load(w, anon), 0);
	assert_int_equal(load(w, anon + PAGE), 2);
	assert_int_equal(load(w, file), file_byte(0));
	assert_int_equal(load(w, shared), 4); /* its pages are the object's */
}

static void mincore_knows_what_is_there(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 4 * PAGE, RW, ANON_PRIVATE, -1, 0);
	unsigned long vec = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);

	store(w, a + PAGE, 1);
	store(w, a + 3 * PAGE, 1);
	assert_int_equal(w_mincore(w, a, 4 * PAGE, vec), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(load(w, vec + i) & 1, i & 1);
	assert_int_equal(w_mincore(w, a, 4 * PAGE, 4096), -MMK_EFAULT);
	assert_int_equal(w_mincore(w, a + 1, PAGE, vec), -MMK_EINVAL);
	assert_int_equal(w_munmap(w, a, PAGE), 0);
	assert_int_equal(w_mincore(w, a, 4 * PAGE, vec), -MMK_ENOMEM);
}

/* ---- brk, stack, exec ---- */

static void the_break_moves_both_ways(void **state)
{
	struct world *w = *state;
	unsigned long start = 0x10000000;
	struct mmk_mm_bounds b = {.start_brk = start, .brk = start};

	mmk_mm_set_bounds(w->task.mm, &b);
	assert_int_equal(w_brk(w, 0), start);
	assert_int_equal(w_brk(w, start + 3 * PAGE + 1), start + 3 * PAGE + 1);
	store(w, start, 1);
	store(w, start + 3 * PAGE, 2);
	assert_fault(w_load(w, start + 4 * PAGE), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_non_null(strstr(world_maps(w), "[heap]"));
	assert_int_equal(w_brk(w, start + PAGE), start + PAGE);
	assert_fault(w_load(w, start + 3 * PAGE), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_int_equal(load(w, start), 1);
	assert_int_equal(w_brk(w, start + 4 * PAGE), start + 4 * PAGE);
	assert_int_equal(load(w, start + 3 * PAGE), 0);
	assert_int_equal(w_brk(w, start - 1), start + 4 * PAGE); /* cannot move */
	must_mmap(w, start + 16 * PAGE, PAGE, RW, ANON_PRIVATE | FIXED, -1, 0);
	assert_int_equal(w_brk(w, start + 32 * PAGE),
	                 start + 4 * PAGE); /* something is in the way */
}

static void the_stack_grows_down_to_its_limit(void **state)
{
	struct world *w = *state;
	unsigned long top;

	w->rlim[MMK_RLIMIT_STACK].cur = 64 * PAGE;
	top = mmk_mm_layout(&w->task, w->task.mm) & ~(PAGE - 1);
	assert_int_equal(CHECKED(w, mmk_mm_setup_stack(&w->task, w->task.mm, top, 2 * PAGE, false)),
	                 0);
	store(w, top - 1, 1);
	store(w, top - 20 * PAGE, 2);
	store(w, top - 60 * PAGE, 3);
	assert_fault(w_store(w, top - 70 * PAGE, 4), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_int_equal(load(w, top - 20 * PAGE), 2);
	assert_fault(w_fetch(w, top - 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_fault(w_load(w, top), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
}

static void the_stack_keeps_its_distance(void **state)
{
	struct world *w = *state;
	unsigned long top = mmk_mm_layout(&w->task, w->task.mm) & ~(PAGE - 1);
	unsigned long below = top - 400 * PAGE;

	assert_int_equal(mmk_mm_setup_stack(&w->task, w->task.mm, top, 2 * PAGE, false), 0);
	must_mmap(w, below, PAGE, RW, ANON_PRIVATE | FIXED, -1, 0);
	store(w, below + 300 * PAGE, 1); /* 256 pages of gap are kept */
	assert_fault(w_store(w, below + 100 * PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_works(w_store(w, below + 258 * PAGE, 1));
}

static void a_fresh_program_has_a_layout(void **state)
{
	struct world *w = *state;
	unsigned long top, a, b;

	top = mmk_mm_layout(&w->task, w->task.mm);
	assert_true(top > 0 && top <= 1ul << 48);
	a = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	b = must_mmap(w, 0, PAGE, R, ANON_PRIVATE, -1, 0);
	assert_true(a < top && b == a - PAGE); /* top-down, below the stack */
	w->task.personality = MMK_ADDR_COMPAT_LAYOUT;
	mmk_mm_layout(&w->task, w->task.mm);
	a = must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	assert_true(a < b);
}

static void the_arguments_can_be_written(void **state)
{
	struct world *w = *state;
	unsigned long top = mmk_mm_layout(&w->task, w->task.mm) & ~(PAGE - 1);
	char text[] = "argv and envp", back[sizeof(text)];

	assert_int_equal(mmk_mm_setup_stack(&w->task, w->task.mm, top, 4 * PAGE, false), 0);
	assert_int_equal(CHECKED(w, mmk_access_vm(&w->task, w->task.mm, top - PAGE - 5, text,
	                                          sizeof(text), MMK_ACCESS_WRITE)),
	                 sizeof(text));
	assert_int_equal(hosted_load(w->h, &w->task, top - PAGE - 5, back, sizeof(back), NULL), 0);
	assert_string_equal(text, back);
	assert_int_equal(mmk_access_vm(&w->task, w->task.mm, 0x1000, back, 4, 0), 0);
}

/* ---- mremap, locks ---- */

static void mremap_carries_the_bytes_along(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 3 * PAGE, RW, ANON_PRIVATE, -1, 0);
	long b;

	for (unsigned i = 0; i < 3; i++)
		store(w, a + i * PAGE, (uint8_t)(i + 1));
	must_mmap(w, a + 3 * PAGE, PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
	assert_int_equal(w_mremap(w, a, 3 * PAGE, 8 * PAGE, 0, 0), -MMK_ENOMEM);
	b = w_mremap(w, a, 3 * PAGE, 8 * PAGE, MMK_MREMAP_MAYMOVE, 0);
	if (b == -MMK_ENOSYS)
		skip();
	assert_true(b > 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(load(w, (unsigned long)b + i * PAGE), i + 1);
	assert_int_equal(load(w, (unsigned long)b + 7 * PAGE), 0);
	assert_fault(w_load(w, a), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
}

static void populate_and_lock_bring_pages_in(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 8 * PAGE, RW, ANON_PRIVATE | MMK_MAP_POPULATE, -1, 0);
	struct mmk_mm_stats s;

	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.rss_anon, 8);
	hosted_set_caps(w->h, 1u << MMK_CAP_IPC_LOCK);
	a = must_mmap(w, 0, 8 * PAGE, RW, ANON_PRIVATE, -1, 0);
	assert_int_equal(w_mlock(w, a, 4 * PAGE), 0);
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.rss_anon, 12);
	assert_int_equal(s.locked_vm, 4);
	assert_int_equal(w_munlock(w, a, 8 * PAGE), 0);
	mmk_mm_stats(w->task.mm, &s);
	assert_int_equal(s.locked_vm, 0);
}

static void fixed_replaces_what_was_there(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", 2 * PAGE, O_RDONLY);
	unsigned long a = must_mmap(w, 0, 4 * PAGE, RW, ANON_PRIVATE, -1, 0);

	for (unsigned i = 0; i < 4; i++)
		store(w, a + i * PAGE, (uint8_t)(i + 1));
	must_mmap(w, a + PAGE, 2 * PAGE, R, MMK_MAP_PRIVATE | FIXED, fd, 0);
	assert_string_equal(world_draw(w, a, 4), "ABBC");
	assert_int_equal(load(w, a), 1);
	assert_int_equal(load(w, a + PAGE), file_byte(0));
	assert_int_equal(load(w, a + 2 * PAGE), file_byte(PAGE));
	assert_int_equal(load(w, a + 3 * PAGE), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(nothing_there_is_maperr),
	    WORLD_TEST(beyond_the_user_half_is_maperr),
	    WORLD_TEST(the_wrong_access_is_accerr),
	    WORLD_TEST(protection_changes_at_once),
	    WORLD_TEST(written_code_runs_after_mprotect),
	    WORLD_TEST(code_of_a_file_runs),
	    WORLD_TEST(code_is_copied_on_write_in_step),
	    WORLD_TEST(dontneed_brings_back_the_beginning),
	    WORLD_TEST(mincore_knows_what_is_there),
	    WORLD_TEST(the_break_moves_both_ways),
	    WORLD_TEST(the_stack_grows_down_to_its_limit),
	    WORLD_TEST(the_stack_keeps_its_distance),
	    WORLD_TEST(a_fresh_program_has_a_layout),
	    WORLD_TEST(the_arguments_can_be_written),
	    WORLD_TEST(mremap_carries_the_bytes_along),
	    WORLD_TEST(populate_and_lock_bring_pages_in),
	    WORLD_TEST(fixed_replaces_what_was_there),
	};

	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
