/* SPDX-License-Identifier: MIT */
/* Growing downwards: the stack and MAP_GROWSDOWN; guard gap, limits, where it ends. */
#include "abi.h"

static char *grown(size_t pages, size_t at)
{
	char *p = abi_window(4096) + at * page;

	if (mmap(p, pages * page, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0) != p)
		abi_fail("mmap");
	return p;
}

BEHAVIOUR(growsdown_grows_by_a_touch, "stack grows")
{
	char *p = grown(1, 1024);

	abi_store("a page below", p - 8, 1);
	abi_maps(p - 4 * page, 5);
	abi_store("ten pages below", p - 11 * page, 1);
	abi_maps(p - 12 * page, 13);
}

BEHAVIOUR(growsdown_grows_by_a_read, "stack grows")
{
	char *p = grown(1, 1024);

	abi_load("a page below", p - 8);
	abi_maps(p - 2 * page, 3);
}

BEHAVIOUR(growsdown_grows_by_any_distance, "stack grows")
{
	char *p = grown(1, 1024);

	abi_load("a thousand pages below", p - 1000 * page);
	abi_maps(p - 1001 * page, 1002);
}

BEHAVIOUR(growsdown_by_a_system_call_s_store, "stack grows")
{
	char *p = grown(1, 1024);
	int fd = abi_file(page);

	abi_ret("pread below", pread(fd, p - page, 16, 0));
	abi_maps(p - 2 * page, 3);
}

BEHAVIOUR(growsdown_up_to_the_guard_gap, "stack guard gap")
{
	char *p = grown(1, 1024);

	abi_ptr("below", mmap(p - 600 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_load("well above the gap", p - 300 * page);
	abi_load("last page above the gap", p - 343 * page);
	abi_load("first page of the gap", p - 344 * page);
	abi_load("in the gap", p - 500 * page);
	abi_load("just above the mapping", p - 599 * page);
}

BEHAVIOUR(guard_gap_above_a_reservation, "stack guard gap")
{
	char *p = grown(1, 1024);

	abi_ptr("PROT_NONE below", mmap(p - 600 * page, page, PROT_NONE, ANON | MAP_FIXED, -1, 0));
	abi_load("in the gap", p - 500 * page);
	abi_load("just above the mapping", p - 599 * page);
}

BEHAVIOUR(guard_gap_between_two_growing_ones, "stack guard gap")
{
	char *p = grown(1, 1024);

	abi_ptr("growing below",
	        mmap(p - 600 * page, page, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
	abi_load("in the gap", p - 500 * page);
	abi_load("just above the mapping", p - 599 * page);
	abi_maps(p - 601 * page, 602);
}

BEHAVIOUR(growth_counts_against_the_stack_limit, "stack RLIMIT_STACK")
{
	char *p = grown(1, 1024);

	abi_limit(RLIMIT_STACK, 64 * page);
	abi_load("within", p - 63 * page);
	abi_load("beyond", p - 64 * page);
	abi_maps(p - 65 * page, 66);
}

BEHAVIOUR(growth_counts_against_the_address_space, "stack RLIMIT_AS")
{
	char *p = grown(1, 1024);

	abi_limit(RLIMIT_AS, abi_status_field("VmSize") * 1024 + 16 * page);
	abi_load("within", p - 16 * page);
	abi_load("beyond", p - 17 * page);
}

BEHAVIOUR(growth_of_locked_memory, "stack RLIMIT_MEMLOCK")
{
	char *p = grown(1, 1024);

	TRY(mlock(p, page));
	abi_limit(RLIMIT_MEMLOCK, 4 * page);
	abi_nobody();
	abi_load("within", p - 3 * page);
	abi_status("VmLck");
	abi_load("beyond", p - 4 * page);
	abi_status("VmLck");
}

BEHAVIOUR(read_only_growing_mapping, "stack grows")
{
	char *p = grown(1, 1024);

	mprotect(p, page, PROT_READ);
	abi_store("below", p - 8, 1);
	abi_maps(p - 2 * page, 3);
	abi_load("below", p - 8);
	abi_maps(p - 2 * page, 3);
}

BEHAVIOUR(part_below_with_other_rights, "stack grows")
{
	char *p = grown(4, 1024);

	mprotect(p, page, PROT_NONE);
	abi_load("below", p - 8);
	abi_maps(p - 2 * page, 6);
}

BEHAVIOUR(split_growing_mapping, "stack grows")
{
	char *p = grown(4, 1024);

	munmap(p + page, page);
	abi_load("into the hole", p + page);
	abi_maps(p, 4);
	abi_load("below", p - 8);
	abi_maps(p - page, 5);
}

BEHAVIOUR(growing_is_not_by_neighbours, "stack grows")
{
	char *p = abi_map(1, RW);

	abi_load("below an ordinary mapping", p - 8);
	abi_load("above it", p + page);
}

BEHAVIOUR(growing_mapping_after_fork, "stack grows")
{
	char *p = grown(1, 1024);
	pid_t pid;

	abi_store("parent", p, 1);
	pid = abi_fork();
	if (!pid) {
		abi_store("child, below", p - 8, 1);
		abi_maps(p - 2 * page, 3);
		_exit(0);
	}
	abi_wait(pid);
	abi_maps(p - 2 * page, 3);
}

BEHAVIOUR(flags_of_a_growing_mapping, "mmap MAP_GROWSDOWN VmFlags")
{
	char *p = grown(1, 1024);

	abi_vmflags("growing", p);
	abi_load("below", p - 8);
	abi_vmflags("grown", p - page);
}

BEHAVIOUR(growing_mapping_without_touch_below, "mmap MAP_GROWSDOWN")
{
	char *p = grown(3, 1024);

	abi_maps(p - page, 5);
	abi_store("inside", p + page, 1);
	abi_maps(p - page, 5);
}

BEHAVIOUR(pages_between_are_mapped_not_present, "stack grows")
{
	char *p = grown(1, 1024);

	abi_store("ten pages below", p - 10 * page, 1);
	abi_mincore(p - 10 * page, 11);
}

/* ---- the stack itself ---- */

static char *stack_bottom(void)
{
	char line[256], *at;
	static char text[65536];

	abi_read_text("/proc/self/maps", text, sizeof(text));
	at = strstr(text, "[stack]");
	if (!at)
		abi_fail("no stack");
	while (at > text && at[-1] != '\n')
		at--;
	snprintf(line, sizeof(line), "%.200s", at);
	return (char *)strtoul(line, NULL, 16);
}

BEHAVIOUR(stack_is_named_and_grows_down, "stack /proc/self/maps")
{
	char *low = stack_bottom();

	abi_maps(low, 1);
	abi_vmflags("stack", low);
	abi_load("a page below", low - 8);
	abi_say("lower by %ld pages", (long)(low - stack_bottom()) / (long)page);
}

BEHAVIOUR(stack_ends_at_its_limit, "stack RLIMIT_STACK")
{
	char *low, *p;

	if (!abi_again()) {
		abi_limit(RLIMIT_STACK, 1UL << 20);
		abi_exec_again();
	}
	low = stack_bottom();
	for (p = low; abi_readable(p); p -= page)
		;
	abi_say("grown by more than 800 KiB: %d", low - p > 800 * 1024);
	abi_say("by more than 1 MiB: %d", low - p > 1024 * 1024);
}

BEHAVIOUR(overflow_of_the_stack_kills, "stack RLIMIT_STACK")
{
	volatile char *low = stack_bottom();

	abi_limit(RLIMIT_STACK, 256 * 1024);
	signal(SIGSEGV, SIG_DFL);
	*(low - (1 << 20)) = 1;
}

BEHAVIOUR(stack_limit_counts_the_whole_stack, "stack RLIMIT_STACK")
{
	char *low = stack_bottom();

	abi_limit(RLIMIT_STACK, 8 << 20);
	abi_load("1 MiB below", low - (1 << 20));
	abi_load("9 MiB below", low - (9 << 20));
	abi_limit(RLIMIT_STACK, 16 << 20);
	abi_load("9 MiB below", low - (9 << 20));
}

BEHAVIOUR(mapping_below_the_stack_keeps_its_distance, "stack guard gap")
{
	char *low = stack_bottom(), *at = low - 64 * page;
	void *p = mmap(at, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);

	abi_say("placed as told: %d", p == at);
	abi_load("the page below the stack", low - 8);
	p = mmap(low - 200 * page, page, RW, ANON, -1, 0);
	abi_say("a hint in the gap was followed: %d", p == low - 200 * page);
}
