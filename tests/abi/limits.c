/* SPDX-License-Identifier: MIT */
/* What mmap may take: RLIMIT_AS, RLIMIT_DATA, max_map_count, overcommit. */
#include "abi.h"

static void try_map(const char *what, unsigned long pages, int prot, int flags)
{
	void *p = sys_mmap(NULL, pages * page, prot, flags, -1, 0);

	abi_ret(what, p == MAP_FAILED ? -1 : 0);
}

/* ---- RLIMIT_AS ---- */

static void allow_more(size_t pages)
{
	abi_limit(RLIMIT_AS, abi_status_field("VmSize") * 1024 + pages * page);
}

BEHAVIOUR(address_space_to_the_page, "mmap ENOMEM RLIMIT_AS")
{
	allow_more(8);
	try_map("9 pages", 9, RW, ANON);
	try_map("8 pages", 8, RW, ANON);
	try_map("one more", 1, PROT_NONE, ANON);
}

BEHAVIOUR(address_space_counts_reservations, "mmap ENOMEM RLIMIT_AS")
{
	allow_more(8);
	try_map("PROT_NONE", 9, PROT_NONE, ANON | MAP_NORESERVE);
	try_map("shared", 9, RW, SHM);
}

BEHAVIOUR(address_space_counts_only_what_is_new, "mmap MAP_FIXED RLIMIT_AS")
{
	char *p = abi_map(8, RW);

	allow_more(2);
	abi_ptr("in its place", mmap(p, 8 * page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	abi_ptr("2 pages more", mmap(p, 10 * page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	abi_ptr("1 page more", mmap(p, 11 * page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	abi_maps(p, 11);
}

BEHAVIOUR(refused_replacement_leaves_the_old, "mmap MAP_FIXED RLIMIT_AS")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 7);
	allow_more(2);
	abi_ptr("fixed", mmap(p, 8 * page, RW, ANON | MAP_FIXED, -1, 0));
	abi_pages("pages", p, 2);
	abi_maps(p, 8);
}

BEHAVIOUR(address_space_is_free_again, "munmap RLIMIT_AS")
{
	char *p = abi_map(8, RW);

	allow_more(0);
	try_map("nothing more", 1, RW, ANON);
	TRY(munmap(p, 4 * page));
	try_map("4 pages", 4, RW, ANON);
	try_map("nothing more", 1, RW, ANON);
}

BEHAVIOUR(limit_below_what_there_is, "mmap ENOMEM RLIMIT_AS")
{
	char *p = abi_map(8, RW);

	abi_limit(RLIMIT_AS, page);
	try_map("anything", 1, RW, ANON);
	abi_ptr("in its place", mmap(p, 8 * page, RW, ANON | MAP_FIXED, -1, 0));
	abi_store("touch", p, 1);
	TRY(mprotect(p, page, PROT_READ));
	TRY(munmap(p, page));
}

/* ---- RLIMIT_DATA ---- */

static void allow_more_data(size_t pages)
{
	abi_limit(RLIMIT_DATA, abi_status_field("VmData") * 1024 + pages * page);
}

BEHAVIOUR(data_to_the_page, "mmap ENOMEM RLIMIT_DATA")
{
	allow_more_data(8);
	try_map("9 pages", 9, RW, ANON);
	try_map("8 pages", 8, RW, ANON);
	try_map("one more", 1, RW, ANON);
	try_map("read only", 8, PROT_READ, ANON);
	try_map("shared", 8, RW, SHM);
	try_map("growing", 1, RW, ANON | MAP_GROWSDOWN);
	try_map("inaccessible", 8, PROT_NONE, ANON);
}

BEHAVIOUR(data_counts_private_files, "mmap ENOMEM RLIMIT_DATA")
{
	int fd = abi_file(8 * page);
	void *p;

	allow_more_data(2);
	p = mmap(NULL, 8 * page, RW, MAP_PRIVATE, fd, 0);
	abi_ret("writable", p == MAP_FAILED ? -1 : 0);
	p = mmap(NULL, 8 * page, RX, MAP_PRIVATE, fd, 0);
	abi_ret("executable", p == MAP_FAILED ? -1 : 0);
	p = mmap(NULL, 8 * page, RW, MAP_SHARED, fd, 0);
	abi_ret("shared", p == MAP_FAILED ? -1 : 0);
}

BEHAVIOUR(data_and_mprotect, "mprotect ENOMEM RLIMIT_DATA")
{
	char *p = abi_map(8, PROT_READ);

	allow_more_data(4);
	TRY(mprotect(p, 8 * page, RW));
	TRY(mprotect(p, 4 * page, RW));
	TRY(mprotect(p + 4 * page, page, RW));
	TRY(mprotect(p, 2 * page, PROT_READ));
	TRY(mprotect(p + 4 * page, 2 * page, RW));
	abi_maps(p, 8);
}

BEHAVIOUR(data_replaced_counts_as_new, "mmap MAP_FIXED RLIMIT_DATA")
{
	char *p = abi_map(8, RW);

	allow_more_data(2);
	abi_ptr("in its place", mmap(p, 8 * page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("half", mmap(p, 2 * page, RW, ANON | MAP_FIXED, -1, 0));
	abi_maps(p, 8);
}

BEHAVIOUR(vm_fields_of_status, "mmap VmSize VmData VmStk VmExe")
{
	long size = abi_status_field("VmSize"), data = abi_status_field("VmData");
	long exe = abi_status_field("VmExe"), stk = abi_status_field("VmStk");

	abi_map(4, RW);
	abi_map(4, PROT_READ);
	abi_map_with(4, RW, SHM, -1, 0);
	abi_say("size +%ld, data +%ld", abi_status_field("VmSize") - size,
	        abi_status_field("VmData") - data);
	abi_map(4, RX);
	abi_map_with(4, RW, ANON | MAP_GROWSDOWN, -1, 0);
	abi_say("size +%ld, data +%ld", abi_status_field("VmSize") - size,
	        abi_status_field("VmData") - data);
	abi_say("exe +%ld, stack +%ld", abi_status_field("VmExe") - exe,
	        abi_status_field("VmStk") - stk);
}

/* ---- max_map_count ---- */

/* Islands until one is refused; leaves their number in *@n. */
static char *fill_up(int *n)
{
	char *p = abi_window(4096);

	for (*n = 0; *n < 2000; ++*n) {
		if (mmap(p + 2 * *n * page, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) ==
		    MAP_FAILED) {
			abi_ret("one too many", -1);
			return p;
		}
	}
	return p;
}

BEHAVIOUR(mappings_beyond_the_count, "mmap ENOMEM max_map_count")
{
	char *p;
	int n;

	abi_knob("/proc/sys/vm/max_map_count", "200");
	p = fill_up(&n);
	abi_say("between 150 and 200: %d", n > 150 && n < 201);
	abi_ptr("that would merge", mmap(p + page, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("in place of one", mmap(p, page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	TRY(munmap(p, page));
	TRY(munmap(p + 2 * page, page));
	abi_ptr("after an munmap", mmap(p, page, RW, ANON | MAP_FIXED, -1, 0));
}

BEHAVIOUR(count_and_length_zero, "mmap ENOMEM max_map_count")
{
	int n;

	abi_knob("/proc/sys/vm/max_map_count", "200");
	fill_up(&n);
	abi_ptr("length 0", sys_mmap(NULL, 0, RW, ANON, -1, 0));
	abi_ptr("fixed unaligned", sys_mmap((void *)1, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("no type", sys_mmap(NULL, page, RW, MAP_ANONYMOUS, -1, 0));
	abi_ptr("no such fd", sys_mmap(NULL, page, RW, MAP_PRIVATE, 77, 0));
}

BEHAVIOUR(count_lets_the_stack_and_heap_grow, "brk max_map_count")
{
	unsigned long at = syscall(SYS_brk, 0);
	int n;

	syscall(SYS_brk, at + page);
	abi_knob("/proc/sys/vm/max_map_count", "200");
	fill_up(&n);
	abi_say("heap grew: %d", (unsigned long)syscall(SYS_brk, at + 16 * page) == at + 16 * page);
}

/* ---- overcommit ---- */

static void mode(const char *value)
{
	abi_knob("/proc/sys/vm/overcommit_memory", value);
}

BEHAVIOUR(heuristic_refuses_the_obvious, "overcommit 0")
{
	mode("0");
	try_map("a terabyte", 1UL << 28, RW, ANON);
	try_map("a terabyte, noreserve", 1UL << 28, RW, ANON | MAP_NORESERVE);
	try_map("a terabyte, read only", 1UL << 28, PROT_READ, ANON);
	try_map("a terabyte, PROT_NONE", 1UL << 28, PROT_NONE, ANON);
	try_map("a terabyte, shared", 1UL << 28, RW, SHM);
	try_map("a terabyte, shared, noreserve", 1UL << 28, RW, SHM | MAP_NORESERVE);
}

BEHAVIOUR(heuristic_allows_the_sum, "overcommit 0")
{
	int i;

	mode("0");
	for (i = 0; i < 40; i++) {
		void *p = mmap(NULL, 64UL << 20, RW, ANON, -1, 0);

		if (p == MAP_FAILED)
			break;
	}
	abi_say("%d times 64 MiB", i);
}

BEHAVIOUR(always_allows, "overcommit 1")
{
	mode("1");
	try_map("a terabyte", 1UL << 28, RW, ANON);
	try_map("a terabyte, shared", 1UL << 28, RW, SHM);
}

BEHAVIOUR(never_allows_beyond_the_limit, "overcommit 2")
{
	abi_knob("/proc/sys/vm/overcommit_ratio", "0");
	mode("2");
	try_map("writable", 16, RW, ANON);
	try_map("writable, noreserve", 16, RW, ANON | MAP_NORESERVE);
	try_map("read only", 16, PROT_READ, ANON);
	try_map("PROT_NONE", 16, PROT_NONE, ANON);
	try_map("shared", 16, RW, SHM);
	try_map("shared, noreserve", 16, RW, SHM | MAP_NORESERVE);
	try_map("shared, read only", 16, PROT_READ, SHM);
}

BEHAVIOUR(never_and_files, "overcommit 2")
{
	int fd = abi_file(4 * page);
	void *p;

	abi_knob("/proc/sys/vm/overcommit_ratio", "0");
	mode("2");
	p = mmap(NULL, 4 * page, RW, MAP_SHARED, fd, 0);
	abi_ret("shared file", p == MAP_FAILED ? -1 : 0);
	p = mmap(NULL, 4 * page, PROT_READ, MAP_PRIVATE, fd, 0);
	abi_ret("private file, read only", p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED)
		TRY(mprotect(p, 4 * page, RW));
	p = mmap(NULL, 4 * page, RW, MAP_PRIVATE, fd, 0);
	abi_ret("private file", p == MAP_FAILED ? -1 : 0);
}

BEHAVIOUR(never_and_mprotect, "overcommit 2 mprotect")
{
	char *p = abi_map(8, PROT_READ), *q = abi_map(8, RW);

	abi_knob("/proc/sys/vm/overcommit_ratio", "0");
	mode("2");
	TRY(mprotect(p, 8 * page, RW));
	TRY(mprotect(q, 8 * page, PROT_READ));
	TRY(mprotect(q, 8 * page, RW));
	abi_maps(p, 8);
}

BEHAVIOUR(accounted_stays_accounted, "overcommit 2 mprotect")
{
	char *p = abi_map(8, RW);

	abi_vmflags("writable", p);
	TRY(mprotect(p, 8 * page, PROT_READ));
	abi_vmflags("read only", p);
	TRY(mprotect(p, 8 * page, PROT_NONE));
	abi_vmflags("none", p);
}

BEHAVIOUR(noreserve_is_noticed_at_mprotect, "mprotect MAP_NORESERVE")
{
	char *p = abi_map_with(8, PROT_READ, ANON | MAP_NORESERVE, -1, 0);

	abi_vmflags("read only", p);
	TRY(mprotect(p, 8 * page, RW));
	abi_vmflags("writable", p);
}

BEHAVIOUR(replacing_needs_no_more_than_before, "overcommit 2 MAP_FIXED")
{
	char *p = abi_map(8, RW);

	abi_knob("/proc/sys/vm/overcommit_ratio", "0");
	mode("2");
	abi_ptr("in its place", mmap(p, 8 * page, RW, ANON | MAP_FIXED, -1, 0));
	abi_maps(p, 8);
}
