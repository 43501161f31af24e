/* SPDX-License-Identifier: MIT */
/*
 * Faults without mmap_lock, and a call on the same memory that comes just between their look at the
 * VMA and the change of the entry. The allocation of the page is that moment: there the test makes
 * the call, as another CPU would.
 */
#include "tests/unit/harness.h"

static struct intruder {
	struct world *w;
	struct mmk_task task; /* another thread of the program */
	struct mmk_task child;
	void (*act)(struct intruder *me);
	unsigned long at;
	long result;
	unsigned acted;
} intruder;

static bool intrude(void *ctx, enum mmk_fail_site site)
{
	void (*act)(struct intruder *) = intruder.act;

	if (!act || site != MMK_FAIL_PAGE)
		return false;
	intruder.act = NULL;
	act(&intruder);
	intruder.acted++;
	return false;
}

/* Two pages of which the first has been touched, so that tables and an anon_vma are there. */
static struct world *begin(void (*act)(struct intruder *))
{
	struct hosted_config config = {.nr_cpus = 2};
	struct world *w = world_new(&config);
	unsigned long a = must_mmap(w, 0, 2 * PAGE, RW, ANON_PRIVATE, -1, 0);

	store(w, a, 1);
	hosted_port(w->h)->should_fail = intrude;
	intruder = (struct intruder){.w = w, .task = w->task, .at = a, .act = act};
	return w;
}

static void end(struct world *w)
{
	assert_int_equal(intruder.acted, 1);
	assert_int_equal(intruder.result, 0);
	world_end(w);
}

static void unmap(struct intruder *me)
{
	me->result = mmk_sys_munmap(&me->task, me->at, 2 * PAGE);
}

static void munmap_comes_between(void **state)
{
	struct world *w = begin(unmap);

	assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_string_equal(world_draw(w, intruder.at, 2), "..");
	end(w);
}

static void protect(struct intruder *me)
{
	me->result = mmk_sys_mprotect(&me->task, me->at, 2 * PAGE, R);
}

static void mprotect_comes_between(void **state)
{
	struct world *w = begin(protect);

	assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_int_equal(load(w, intruder.at + PAGE), 0);
	assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	end(w);
}

static void replace(struct intruder *me)
{
	long at = mmk_sys_mmap(&me->task, me->at, 2 * PAGE, R, ANON_SHARED | FIXED, -1, 0);

	me->result = at == (long)me->at ? 0 : at;
}

static void another_mapping_comes_between(void **state)
{
	struct world *w = begin(replace);

	assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_ACCERR);
	assert_int_equal(load(w, intruder.at), 0);
	end(w);
}

static void move(struct intruder *me)
{
	long to = mmk_sys_mremap(&me->task, me->at, 2 * PAGE, 4 * PAGE, MMK_MREMAP_MAYMOVE, 0);

	me->result = to < 0 ? to : 0;
	if (to >= 0)
		me->task.pid = (int)(to == (long)me->at); /* it has to have moved for this test */
}

static void mremap_comes_between(void **state)
{
	struct world *w = begin(move);
	unsigned long wall = must_mmap(w, intruder.at + 2 * PAGE, PAGE, NONE, ANON_PRIVATE, -1, 0);

	if (wall == intruder.at + 2 * PAGE) {
		assert_fault(w_store(w, intruder.at + PAGE, 1), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
		assert_int_equal(intruder.task.pid, 0);
	} else {
		assert_works(w_store(w, intruder.at + PAGE, 1));
	}
	end(w);
}

static void fork_here(struct intruder *me)
{
	me->result = hosted_fork(me->w->h, &me->task, &me->child);
}

/* The child does not see what is written after the fork, wherever the fault was by then. */
static void fork_comes_between(void **state)
{
	struct world *w = begin(fork_here);

	store(w, intruder.at + PAGE, 7);
	assert_int_equal(load(w, intruder.at + PAGE), 7);
	assert_int_equal(load_of(w, &intruder.child, intruder.at + PAGE), 0);
	assert_int_equal(load_of(w, &intruder.child, intruder.at), 1);
	hosted_exit(w->h, &intruder.child);
	end(w);
}

static void copy_on_write_and_munmap(void **state)
{
	struct world *w = begin(NULL);
	struct mmk_task child = {.pid = 2};

	assert_int_equal(w_fork(w, &child), 0);
	intruder.act = unmap;
	assert_fault(w_store(w, intruder.at, 2), UNIT_SIGSEGV, MMK_SEGV_MAPERR);
	assert_int_equal(load_of(w, &child, intruder.at), 1);
	hosted_exit(w->h, &child);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(munmap_comes_between),
	    cmocka_unit_test(mprotect_comes_between),
	    cmocka_unit_test(another_mapping_comes_between),
	    cmocka_unit_test(mremap_comes_between),
	    cmocka_unit_test(fork_comes_between),
	    cmocka_unit_test(copy_on_write_and_munmap),
	};

	return cmocka_run_group_tests_name("lockless", tests, NULL, NULL);
}
