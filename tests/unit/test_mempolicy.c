/* SPDX-License-Identifier: MIT */
/* Memory policies with one node: what is accepted, what is remembered, and that mappings part by
 * them. */
#include "tests/unit/canvas.h"

/* A word that calls find at a user address: the program's own memory. */
static unsigned long user_word(struct world *w, uint64_t value)
{
	unsigned long a = BASE + (1ul << 30);

	assert_int_equal(w_mmap(w, a, PAGE, RW, ANON_PRIVATE | FIXED, -1, 0), a);
	for (unsigned i = 0; i < 8; i++)
		store(w, a + i, value >> (8 * i));
	return a;
}

static long bind(struct world *w, unsigned page, unsigned pages, unsigned mode, uint64_t nodes)
{
	unsigned long mask = user_word(w, nodes);

	return CHECKED(w, mmk_sys_mbind(&w->task, at(page), pages * PAGE, mode, mask, 64, 0));
}

static void policies_part_mappings(void **state)
{
	struct world *w = *state;

	put(w, 0, 5, RW);
	assert_int_equal(bind(w, 1, 1, MMK_MPOL_BIND, 1), 0);
	drawn(w, "ABCCC.");
	assert_int_equal(bind(w, 2, 1, MMK_MPOL_BIND, 1), 0);
	drawn(w, "ABBCC.");
	assert_int_equal(bind(w, 2, 1, MMK_MPOL_BIND | MMK_MPOL_F_STATIC_NODES, 1), 0);
	drawn(w, "ABCDD.");
	assert_int_equal(bind(w, 0, 5, MMK_MPOL_DEFAULT, 0), 0);
	drawn(w, "AAAAA.");
	assert_int_equal(bind(w, 0, 2, MMK_MPOL_LOCAL, 0), 0);
	assert_int_equal(w_mprotect(w, at(1), PAGE, R), 0);
	drawn(w, "ABCCC.");
	assert_int_equal(w_mprotect(w, at(1), PAGE, RW), 0);
	drawn(w, "AABBB.");
}

static void policies_are_refused(void **state)
{
	struct world *w = *state;
	unsigned long mask;

	put(w, 0, 3, RW);
	assert_int_equal(w_munmap(w, at(1), PAGE), 0);
	refusal(w, bind(w, 0, 1, 7, 1), MMK_EINVAL, MMK_REASON_POLICY_MODE);
	refusal(w, bind(w, 0, 1, MMK_MPOL_PREFERRED | MMK_MPOL_F_NUMA_BALANCING, 1), MMK_EINVAL,
	        MMK_REASON_POLICY_MODE);
	refusal(w, bind(w, 0, 1, MMK_MPOL_BIND, 2), MMK_EINVAL, MMK_REASON_POLICY_NODES);
	refusal(w, bind(w, 0, 1, MMK_MPOL_BIND, 1 << 16), MMK_EINVAL, MMK_REASON_NODES);
	refusal(w, bind(w, 0, 3, MMK_MPOL_BIND, 1), MMK_EFAULT, MMK_REASON_NOT_MAPPED);
	refusal(w, bind(w, 1, 1, MMK_MPOL_DEFAULT, 0), MMK_EFAULT, MMK_REASON_NOT_MAPPED);
	assert_int_equal(bind(w, 0, 3, MMK_MPOL_DEFAULT, 0), 0);
	mask = user_word(w, 1);
	refusal(w, mmk_sys_mbind(&w->task, at(0), PAGE, MMK_MPOL_BIND, mask, 64, 8), MMK_EINVAL,
	        MMK_REASON_POLICY_FLAGS);
	refusal(w, mmk_sys_mbind(&w->task, at(0), PAGE, MMK_MPOL_BIND, at(1), 64, 0), MMK_EFAULT,
	        MMK_REASON_VEC);
	refusal(w, mmk_sys_set_mempolicy_home_node(&w->task, at(0), PAGE, 0, 0), MMK_ENOENT,
	        MMK_REASON_POLICY_NONE);
	refusal(w, mmk_sys_set_mempolicy_home_node(&w->task, at(0), PAGE, 1, 0), MMK_EINVAL,
	        MMK_REASON_NODES);
	refusal(w, mmk_sys_get_mempolicy(&w->task, 0, 0, 0, 0, MMK_MPOL_F_NODE), MMK_EINVAL,
	        MMK_REASON_POLICY_NO_NEXT);
	drawn(w, "A.B");
}

static void policies_are_remembered(void **state)
{
	struct world *w = *state;
	unsigned long mask = user_word(w, 3), answer = mask + 64;
	const unsigned mode = MMK_MPOL_BIND | MMK_MPOL_F_STATIC_NODES;

	put(w, 0, 1, RW);
	assert_int_equal(mmk_sys_set_mempolicy(&w->task, mode, mask, 64), 0);
	assert_int_equal(mmk_sys_get_mempolicy(&w->task, answer, answer + 8, 64, 0, 0), 0);
	assert_int_equal(load(w, answer), MMK_MPOL_BIND);
	assert_int_equal(load(w, answer + 1), 0x80);
	assert_int_equal(load(w, answer + 8), 3);
	/* Memory has none of its own. */
	assert_int_equal(
	    mmk_sys_get_mempolicy(&w->task, answer, answer + 8, 64, at(0), MMK_MPOL_F_ADDR), 0);
	assert_int_equal(load(w, answer), 0);
	assert_int_equal(load(w, answer + 8), 0);
	assert_int_equal(mmk_page_node(w->task.mm, at(0)), -MMK_ENOENT);
	assert_int_equal(load(w, at(0)), 0);
	assert_int_equal(mmk_page_node(w->task.mm, at(0)), -MMK_EFAULT);
	store(w, at(0), 1);
	assert_int_equal(mmk_page_node(w->task.mm, at(0)), 0);
	assert_int_equal(mmk_page_node(w->task.mm, at(1)), -MMK_EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(policies_part_mappings),
	    WORLD_TEST(policies_are_refused),
	    WORLD_TEST(policies_are_remembered),
	};

	return cmocka_run_group_tests_name("mempolicy", tests, NULL, NULL);
}
