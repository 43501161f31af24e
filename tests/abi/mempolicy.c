/* SPDX-License-Identifier: MIT */
/* Memory policies on a machine of one node: what is accepted, what is remembered, where mappings
 * part. */
#include "abi.h"

#define MPOL_DEFAULT             0
#define MPOL_PREFERRED           1
#define MPOL_BIND                2
#define MPOL_INTERLEAVE          3
#define MPOL_LOCAL               4
#define MPOL_PREFERRED_MANY      5
#define MPOL_WEIGHTED_INTERLEAVE 6
#define F_STATIC                 (1 << 15)
#define F_RELATIVE               (1 << 14)
#define F_BALANCING              (1 << 13)
#define MPOL_F_NODE              1
#define MPOL_F_ADDR              2
#define MPOL_F_MEMS_ALLOWED      4
#define MPOL_MF_STRICT           1
#define MPOL_MF_MOVE             2
#define MPOL_MF_MOVE_ALL         4

static long mbind_(void *p, size_t len, int mode, unsigned long mask, unsigned long max, int flags)
{
	return syscall(SYS_mbind, p, len, mode, &mask, max, flags);
}

static long set_(int mode, unsigned long mask, unsigned long max)
{
	return syscall(SYS_set_mempolicy, mode, &mask, max);
}

static long set_none(int mode)
{
	return syscall(SYS_set_mempolicy, mode, NULL, 0ul);
}

static void say_policy(const char *what, void *addr, int flags)
{
	unsigned long mask = 0;
	int mode = -1;

	if (syscall(SYS_get_mempolicy, &mode, &mask, 64ul, addr, flags))
		abi_ret(what, -1);
	else
		abi_say("%s: mode %#x mask %#lx", what, mode, mask);
}

static void say_numa_maps(const char *what, void *p)
{
	char line[512], want[32];
	FILE *f = fopen("/proc/self/numa_maps", "r");

	if (!f)
		abi_fail("numa_maps");
	snprintf(want, sizeof(want), "%lx ", (unsigned long)p);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, want, strlen(want))) {
			*strstr(line, strstr(line, " anon=") ? " anon=" : "\n") = 0;
			abi_say("%s: %s", what, line + strlen(want));
		}
	fclose(f);
}

BEHAVIOUR(mempolicy_of_a_new_task, "get_mempolicy")
{
	char *p = abi_map(1, RW);

	say_policy("task", NULL, 0);
	say_policy("memory", p, MPOL_F_ADDR);
	say_policy("allowed", NULL, MPOL_F_MEMS_ALLOWED);
	say_policy("node of untouched", p, MPOL_F_ADDR | MPOL_F_NODE);
	abi_mincore(p, 1);
	say_policy("next node", NULL, MPOL_F_NODE);
}

BEHAVIOUR(get_mempolicy_refuses, "get_mempolicy EINVAL")
{
	char *p = abi_map(1, RW), *h = abi_window(1);
	unsigned long mask[4];
	int mode;

	say_policy("address without flag", p, 0);
	say_policy("unknown flag", NULL, 8);
	say_policy("allowed and address", p, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR);
	say_policy("allowed and node", NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE);
	say_policy("hole", h, MPOL_F_ADDR);
	say_policy("hole, node", h, MPOL_F_ADDR | MPOL_F_NODE);
	TRY(syscall(SYS_get_mempolicy, &mode, mask, 1ul, NULL, 0ul));
	TRY(syscall(SYS_get_mempolicy, &mode, mask, 15ul, NULL, 0ul));
	TRY(syscall(SYS_get_mempolicy, &mode, mask, 16ul, NULL, 0ul));
	TRY(syscall(SYS_get_mempolicy, &mode, mask, 256ul, NULL, 0ul));
	TRY(syscall(SYS_get_mempolicy, NULL, NULL, 0ul, NULL, 0ul));
	TRY(syscall(SYS_get_mempolicy, (int *)8, NULL, 0ul, NULL, 0ul));
	TRY(syscall(SYS_get_mempolicy, NULL, (void *)8, 64ul, NULL, 0ul));
}

BEHAVIOUR(get_mempolicy_fills_the_mask, "get_mempolicy mask")
{
	unsigned long mask[4] = {-1ul, -1ul, -1ul, -1ul};

	TRY(syscall(SYS_get_mempolicy, NULL, mask, 256ul, NULL, 0ul));
	abi_say("%lx %lx %lx %lx", mask[0], mask[1], mask[2], mask[3]);
	memset(mask, -1, sizeof(mask));
	TRY(syscall(SYS_get_mempolicy, NULL, mask, 16ul, NULL, MPOL_F_MEMS_ALLOWED));
	abi_say("%lx %lx", mask[0], mask[1]);
	memset(mask, -1, sizeof(mask));
	TRY(syscall(SYS_get_mempolicy, NULL, mask, 70ul, NULL, MPOL_F_MEMS_ALLOWED));
	abi_say("%lx %lx %lx", mask[0], mask[1], mask[2]);
}

BEHAVIOUR(set_mempolicy_modes, "set_mempolicy")
{
	for (int mode = 0; mode < 8; mode++) {
		char what[32];

		snprintf(what, sizeof(what), "mode %d node 0", mode);
		abi_ret(what, set_(mode, 1, 64));
		say_policy(what, NULL, 0);
		snprintf(what, sizeof(what), "mode %d no mask", mode);
		abi_ret(what, set_none(mode));
		say_policy(what, NULL, 0);
		snprintf(what, sizeof(what), "mode %d empty mask", mode);
		abi_ret(what, set_(mode, 0, 64));
		say_policy(what, NULL, 0);
		snprintf(what, sizeof(what), "mode %d node 1", mode);
		abi_ret(what, set_(mode, 2, 64));
		snprintf(what, sizeof(what), "mode %d nodes 0 1", mode);
		abi_ret(what, set_(mode, 3, 64));
		say_policy(what, NULL, 0);
	}
	set_none(MPOL_DEFAULT);
}

BEHAVIOUR(set_mempolicy_mode_flags, "set_mempolicy flags")
{
	static const int flags[] = {
	    F_STATIC, F_RELATIVE, F_STATIC | F_RELATIVE, F_BALANCING, F_BALANCING | F_STATIC,
	    1 << 12};

	for (int i = 0; i < 6; i++)
		for (int mode = 0; mode < 7; mode++) {
			char what[40];

			snprintf(what, sizeof(what), "mode %d flags %#x", mode, flags[i]);
			abi_ret(what, set_(mode | flags[i], 3, 64));
			say_policy(what, NULL, 0);
			abi_ret(what, set_(mode | flags[i], 0, 64));
		}
	set_none(MPOL_DEFAULT);
}

BEHAVIOUR(set_mempolicy_masks, "set_mempolicy EINVAL")
{
	unsigned long wide[1024] = {1};

	TRY(set_(MPOL_BIND, 1, 0));
	TRY(set_(MPOL_BIND, 1, 1));
	TRY(set_(MPOL_BIND, 1, 2));
	TRY(set_(MPOL_BIND, 1ul << 15, 64));
	TRY(set_(MPOL_BIND, 1ul | 1ul << 15, 64));
	TRY(set_(MPOL_BIND, 1ul | 1ul << 16, 64));
	TRY(set_(MPOL_BIND, 1ul | 1ul << 63, 64));
	TRY(syscall(SYS_set_mempolicy, MPOL_BIND, wide, 1024ul));
	TRY(syscall(SYS_set_mempolicy, MPOL_BIND, wide, 8 * page));
	TRY(syscall(SYS_set_mempolicy, MPOL_BIND, wide, 8 * page + 1));
	TRY(syscall(SYS_set_mempolicy, MPOL_BIND, wide, 8 * page + 2));
	wide[3] = 1;
	TRY(syscall(SYS_set_mempolicy, MPOL_BIND, wide, 1024ul));
	TRY(syscall(SYS_set_mempolicy, MPOL_BIND, (void *)8, 64ul));
	TRY(syscall(SYS_set_mempolicy, MPOL_DEFAULT, (void *)8, 64ul));
	TRY(syscall(SYS_set_mempolicy, -1, NULL, 0ul));
	TRY(syscall(SYS_set_mempolicy, 1000, NULL, 0ul));
	set_none(MPOL_DEFAULT);
}

BEHAVIOUR(set_mempolicy_is_inherited, "set_mempolicy fork")
{
	pid_t pid;

	TRY(set_(MPOL_BIND, 1, 64));
	pid = abi_fork();
	if (!pid) {
		say_policy("child", NULL, 0);
		TRY(set_none(MPOL_DEFAULT));
		_exit(0);
	}
	abi_wait(pid);
	say_policy("parent", NULL, 0);
}

BEHAVIOUR(mbind_splits_and_merges, "mbind splits")
{
	char *p = abi_map(5, RW);

	TRY(mbind_(p + page, page, MPOL_BIND, 1, 64, 0));
	abi_maps(p, 5);
	say_policy("bound", p + page, MPOL_F_ADDR);
	say_policy("beside", p, MPOL_F_ADDR);
	TRY(mbind_(p + 2 * page, page, MPOL_BIND, 1, 64, 0));
	abi_maps(p, 5);
	TRY(mbind_(p + 2 * page, page, MPOL_PREFERRED, 1, 64, 0));
	abi_maps(p, 5);
	TRY(mbind_(p, 5 * page, MPOL_DEFAULT, 0, 64, 0));
	abi_maps(p, 5);
	TRY(mbind_(p + page, page, MPOL_LOCAL, 0, 64, 0));
	abi_maps(p, 5);
	say_policy("local", p + page, MPOL_F_ADDR);
}

BEHAVIOUR(mbind_policies_that_look_alike, "mbind merges")
{
	char *p = abi_map(4, RW);

	TRY(mbind_(p, page, MPOL_BIND, 1, 64, 0));
	TRY(mbind_(p + page, page, MPOL_BIND | F_STATIC, 1, 64, 0));
	TRY(mbind_(p + 2 * page, page, MPOL_BIND | F_STATIC, 3, 64, 0));
	TRY(mbind_(p + 3 * page, page, MPOL_BIND | F_RELATIVE, 1, 64, 0));
	abi_maps(p, 4);
	for (int i = 0; i < 4; i++)
		say_policy("page", p + i * page, MPOL_F_ADDR);
	TRY(mbind_(p + 3 * page, page, MPOL_BIND | F_STATIC, 3, 64, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(mbind_ranges, "mbind EINVAL")
{
	char *p = abi_map(3, RW);

	TRY(mbind_(p + 1, page, MPOL_BIND, 1, 64, 0));
	TRY(mbind_(p, 0, MPOL_BIND, 1, 64, 0));
	TRY(mbind_(p, 1, MPOL_BIND, 1, 64, 0));
	abi_maps(p, 3);
	TRY(mbind_(p, -page, MPOL_BIND, 1, 64, 0));
	TRY(mbind_(p, -1ul, MPOL_BIND, 1, 64, 0));
	TRY(mbind_(p, page, MPOL_BIND, 0, 64, 0));
	TRY(mbind_(p, page, MPOL_BIND, 2, 64, 0));
	TRY(mbind_(p, page, MPOL_BIND, 1, 0, 0));
	TRY(mbind_(p, page, 7, 1, 64, 0));
	TRY(mbind_(p, page, MPOL_DEFAULT, 1, 64, 0));
	TRY(mbind_(p, page, MPOL_BIND | F_BALANCING, 1, 64, 0));
	TRY(mbind_(p + 1, 0, 99, 1, 64, 99));
	TRY(mbind_(p, 0, 99, 1, 64, 0));
	TRY(mbind_(p + 1, page, MPOL_BIND, 2, 64, 0));
}

BEHAVIOUR(mbind_holes, "mbind EFAULT")
{
	char *p = abi_map(5, RW);

	munmap(p + 2 * page, page);
	TRY(mbind_(p, 5 * page, MPOL_BIND, 1, 64, 0));
	abi_maps(p, 5);
	say_policy("first", p, MPOL_F_ADDR);
	TRY(mbind_(p + 2 * page, page, MPOL_BIND, 1, 64, 0));
	TRY(mbind_(p, 5 * page, MPOL_DEFAULT, 0, 64, 0));
	TRY(mbind_(p + 2 * page, page, MPOL_DEFAULT, 0, 64, 0));
	TRY(mbind_(p + 4 * page, 2 * page, MPOL_DEFAULT, 0, 64, 0));
	TRY(mbind_(p + 4 * page, 2 * page, MPOL_BIND, 1, 64, 0));
	say_policy("last", p + 4 * page, MPOL_F_ADDR);
}

BEHAVIOUR(mbind_flags, "mbind flags")
{
	char *p = abi_map(2, RW);

	p[0] = 1;
	TRY(mbind_(p, page, MPOL_BIND, 1, 64, MPOL_MF_STRICT));
	TRY(mbind_(p, page, MPOL_BIND, 1, 64, MPOL_MF_MOVE));
	TRY(mbind_(p, page, MPOL_BIND, 1, 64, MPOL_MF_STRICT | MPOL_MF_MOVE));
	TRY(mbind_(p, page, MPOL_BIND, 1, 64, MPOL_MF_MOVE_ALL));
	TRY(mbind_(p, page, MPOL_BIND, 1, 64, 8));
	TRY(mbind_(p, page, MPOL_DEFAULT, 0, 64, MPOL_MF_STRICT));
	abi_nobody();
	TRY(mbind_(p, page, MPOL_BIND, 1, 64, MPOL_MF_MOVE_ALL));
	TRY(mbind_(p, page, MPOL_BIND, 1, 64, MPOL_MF_MOVE));
	abi_load("page", p);
}

BEHAVIOUR(policies_go_along, "mbind inherited")
{
	char *p = abi_map(3, RW), *q = abi_window(8);
	pid_t pid;

	TRY(mbind_(p, 3 * page, MPOL_BIND, 1, 64, 0));
	TRY(mprotect(p + page, page, PROT_READ));
	say_policy("split", p + page, MPOL_F_ADDR);
	mremap(p, page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	say_policy("moved", q, MPOL_F_ADDR);
	pid = abi_fork();
	if (!pid) {
		say_policy("child", q, MPOL_F_ADDR);
		_exit(0);
	}
	abi_wait(pid);
	mmap(q, page, RW, ANON | MAP_FIXED, -1, 0);
	say_policy("mapped anew", q, MPOL_F_ADDR);
	abi_maps(q, 3);
}

BEHAVIOUR(policy_of_task_and_memory, "get_mempolicy MPOL_F_ADDR")
{
	char *p = abi_map(2, RW);

	TRY(set_(MPOL_PREFERRED, 1, 64));
	say_policy("memory without one", p, MPOL_F_ADDR);
	TRY(mbind_(p, page, MPOL_INTERLEAVE, 1, 64, 0));
	say_policy("memory with one", p, MPOL_F_ADDR);
	say_policy("node", p, MPOL_F_ADDR | MPOL_F_NODE);
	say_policy("next", NULL, MPOL_F_NODE);
	TRY(set_(MPOL_INTERLEAVE, 1, 64));
	say_policy("next", NULL, MPOL_F_NODE);
	TRY(set_(MPOL_WEIGHTED_INTERLEAVE, 1, 64));
	say_policy("next", NULL, MPOL_F_NODE);
	set_none(MPOL_DEFAULT);
}

BEHAVIOUR(policies_in_numa_maps, "mbind numa_maps")
{
	static const struct {
		int mode;
		unsigned long mask;
	} m[] = {{MPOL_PREFERRED, 1},
	         {MPOL_PREFERRED, 0},
	         {MPOL_BIND, 1},
	         {MPOL_INTERLEAVE, 1},
	         {MPOL_LOCAL, 0},
	         {MPOL_PREFERRED_MANY, 1},
	         {MPOL_WEIGHTED_INTERLEAVE, 1},
	         {MPOL_BIND | F_STATIC, 3},
	         {MPOL_INTERLEAVE | F_RELATIVE, 1},
	         {MPOL_DEFAULT, 0}};

	for (int i = 0; i < 10; i++) {
		char *p = abi_map(1, RW);

		p[0] = 1;
		abi_ret("mbind", mbind_(p, page, m[i].mode, m[i].mask, 64, 0));
		say_numa_maps("page", p);
	}
	set_(MPOL_BIND, 1, 64);
	say_numa_maps("the task's", abi_map(1, RW));
	set_none(MPOL_DEFAULT);
}

BEHAVIOUR(home_node, "set_mempolicy_home_node")
{
	char *p = abi_map(3, RW);

	TRY(syscall(SYS_set_mempolicy_home_node, p, 3 * page, 0ul, 0ul));
	TRY(mbind_(p, 2 * page, MPOL_BIND, 1, 64, 0));
	TRY(syscall(SYS_set_mempolicy_home_node, p, page, 0ul, 0ul));
	abi_maps(p, 3);
	TRY(syscall(SYS_set_mempolicy_home_node, p, 3 * page, 0ul, 0ul));
	abi_maps(p, 3);
	TRY(mbind_(p, page, MPOL_PREFERRED, 1, 64, 0));
	TRY(syscall(SYS_set_mempolicy_home_node, p, page, 0ul, 0ul));
	TRY(syscall(SYS_set_mempolicy_home_node, p + page, page, 1ul, 0ul));
	TRY(syscall(SYS_set_mempolicy_home_node, p + page, page, 100ul, 0ul));
	TRY(syscall(SYS_set_mempolicy_home_node, p + page, page, 0ul, 1ul));
	TRY(syscall(SYS_set_mempolicy_home_node, p + 1, page, 0ul, 0ul));
	TRY(syscall(SYS_set_mempolicy_home_node, p, 0ul, 0ul, 0ul));
	TRY(syscall(SYS_set_mempolicy_home_node, p, -page, 0ul, 0ul));
	TRY(syscall(SYS_set_mempolicy_home_node, abi_window(1), page, 0ul, 0ul));
	TRY(mbind_(p, page, MPOL_PREFERRED_MANY, 1, 64, 0));
	TRY(syscall(SYS_set_mempolicy_home_node, p, page, 0ul, 0ul));
}

BEHAVIOUR(move_pages_tells_nodes, "move_pages status")
{
	char *p = abi_map(5, RW);
	void *at[6] = {p, p + page, p + 2 * page, p + 3 * page + 7, abi_window(1), (void *)-page};
	int status[6] = {77, 77, 77, 77, 77, 77};

	p[0] = 1;
	p[3 * page] = 1;
	abi_load("zero page", p + 2 * page);
	TRY(syscall(SYS_move_pages, 0, 6ul, at, NULL, status, 0));
	for (int i = 0; i < 6; i++)
		abi_say("status %d", status[i]);
}

BEHAVIOUR(move_pages_moves, "move_pages")
{
	char *p = abi_map(4, RW);
	void *at[5] = {p, p + page, p + 2 * page, abi_window(1), p};
	int nodes[5] = {0, 0, 0, 0, 0}, status[5] = {77, 77, 77, 77, 77};

	p[0] = 1;
	abi_load("zero page", p + 2 * page);
	TRY(syscall(SYS_move_pages, 0, 5ul, at, nodes, status, MPOL_MF_MOVE));
	for (int i = 0; i < 5; i++)
		abi_say("status %d", status[i]);
	nodes[0] = 1;
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, status, MPOL_MF_MOVE));
	nodes[0] = -1;
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, status, MPOL_MF_MOVE));
	nodes[0] = 1000;
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, status, MPOL_MF_MOVE));
	nodes[0] = 0;
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, status, 0));
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, status, MPOL_MF_MOVE_ALL));
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, status, MPOL_MF_STRICT));
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, status, 8));
	TRY(syscall(SYS_move_pages, 0, 0ul, at, nodes, status, 0));
	TRY(syscall(SYS_move_pages, 0, 1ul, (void *)8, nodes, status, 0));
	TRY(syscall(SYS_move_pages, 0, 1ul, at, (void *)8, status, 0));
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, (void *)8, 0));
	TRY(syscall(SYS_move_pages, 0, 1ul, at, NULL, (void *)8, 0));
	TRY(syscall(SYS_move_pages, 0x7fffffff, 1ul, at, NULL, status, 0));
	abi_nobody();
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, status, MPOL_MF_MOVE_ALL));
	TRY(syscall(SYS_move_pages, 0, 1ul, at, nodes, status, MPOL_MF_MOVE));
	TRY(syscall(SYS_move_pages, getppid(), 1ul, at, NULL, status, 0));
}

BEHAVIOUR(migrate_pages_moves, "migrate_pages")
{
	unsigned long zero = 1, one = 2, both = 3, none = 0;

	TRY(syscall(SYS_migrate_pages, 0, 64ul, &zero, &zero));
	TRY(syscall(SYS_migrate_pages, 0, 64ul, &zero, &one));
	TRY(syscall(SYS_migrate_pages, 0, 64ul, &zero, &both));
	TRY(syscall(SYS_migrate_pages, 0, 64ul, &one, &zero));
	TRY(syscall(SYS_migrate_pages, 0, 64ul, &none, &zero));
	TRY(syscall(SYS_migrate_pages, 0, 64ul, &zero, &none));
	TRY(syscall(SYS_migrate_pages, 0, 64ul, NULL, &zero));
	TRY(syscall(SYS_migrate_pages, 0, 64ul, (void *)8, &zero));
	TRY(syscall(SYS_migrate_pages, 0, 64ul, &zero, (void *)8));
	TRY(syscall(SYS_migrate_pages, 0x7fffffff, 64ul, &zero, &zero));
	TRY(syscall(SYS_migrate_pages, 0, 0ul, &zero, &zero));
	abi_nobody();
	TRY(syscall(SYS_migrate_pages, 0, 64ul, &zero, &zero));
	TRY(syscall(SYS_migrate_pages, getppid(), 64ul, &zero, &zero));
	TRY(syscall(SYS_migrate_pages, 0, 64ul, &zero, &both));
}

BEHAVIOUR(policies_of_shared_files, "mbind shared")
{
	int fd = abi_memfd(2 * page, 0), file = abi_file(page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0),
	     *q = abi_map_with(1, RW, MAP_SHARED, file, 0);

	TRY(mbind_(p, page, MPOL_BIND, 1, 64, 0));
	say_policy("shmem", p, MPOL_F_ADDR);
	abi_maps(p, 2);
	TRY(mbind_(q, page, MPOL_BIND, 1, 64, 0));
	say_policy("file", q, MPOL_F_ADDR);
	p = abi_map_with(1, RW, MAP_PRIVATE, file, 0);
	TRY(mbind_(p, page, MPOL_BIND, 1, 64, 0));
	say_policy("private file", p, MPOL_F_ADDR);
}

BEHAVIOUR(policy_of_an_object_shows_elsewhere, "mbind shared memory")
{
	int fd = abi_memfd(2 * page, 0);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0),
	     *q = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	TRY(mbind_(p, page, MPOL_BIND, 1, 64, 0));
	say_policy("bound", p, MPOL_F_ADDR);
	say_policy("another mapping of the page", q, MPOL_F_ADDR);
	say_policy("the page behind", q + page, MPOL_F_ADDR);
}
