/* SPDX-License-Identifier: MIT */
/* brk: the heap's end, by the system call itself; the C library's own use of it comes before. */
#include "abi.h"

static char *start; /* page aligned, above what the C library has */

static unsigned long brk_now(void)
{
	return syscall(SYS_brk, 0);
}

static void begin(void)
{
	unsigned long at = (brk_now() + page - 1) & -page;

	start = (char *)syscall(SYS_brk, at + 0);
	if (start != (char *)at)
		abi_fail("brk");
	abi_origin("heap", start, 1UL << 26);
}

static void set(const char *what, char *to)
{
	abi_say("%s: break = %s", what, abi_where((char *)syscall(SYS_brk, to)));
}

BEHAVIOUR(brk_grows_and_shrinks, "brk")
{
	begin();
	set("4 pages", start + 4 * page);
	abi_maps(start, 5);
	abi_pages("pages", start, 5);
	set("1 page", start + page);
	abi_maps(start, 5);
	abi_pages("pages", start, 2);
}

BEHAVIOUR(brk_of_zero_tells, "brk 0")
{
	begin();
	set("set", start + 100);
	set("asked", NULL);
	abi_maps(start, 2);
}

BEHAVIOUR(brk_counts_bytes_but_maps_pages, "brk")
{
	begin();
	set("1 byte", start + 1);
	abi_maps(start, 2);
	abi_store("last byte of the page", start + page - 1, 1);
	set("whole page", start + page);
	abi_maps(start, 2);
	set("and a byte", start + page + 1);
	abi_maps(start, 3);
	set("back", start + page);
	abi_maps(start, 3);
}

BEHAVIOUR(memory_is_zero_when_grown_again, "brk zeroes")
{
	begin();
	set("2 pages", start + 2 * page);
	abi_fill(start, 2, 0x41);
	set("half a page", start + page / 2);
	set("2 pages", start + 2 * page);
	abi_pages("pages", start, 2);
	abi_bytes("first page", start, 8);
}

BEHAVIOUR(brk_within_a_page_keeps_the_bytes, "brk zeroes")
{
	begin();
	set("page", start + page);
	abi_store("near the end", start + 2000, 7);
	set("less", start + 1000);
	set("page", start + page);
	abi_load("near the end", start + 2000);
}

BEHAVIOUR(brk_below_the_heap, "brk refused")
{
	begin();
	set("1", (char *)1);
	set("below the program", (char *)0x1000);
	set("still there", NULL);
}

BEHAVIOUR(brk_beyond_user_space, "brk refused")
{
	begin();
	set("kernel's", (char *)(1UL << 63));
	set("highest", (char *)-1L);
	set("highest page", (char *)-page);
	set("half of user space", (char *)(1UL << 47));
}

BEHAVIOUR(brk_into_a_mapping, "brk refused")
{
	void *p;

	begin();
	p = mmap(start + 8 * page, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	abi_ptr("in the way", p);
	set("up to it", start + 8 * page);
	set("one page less", start + 7 * page);
	set("beyond it", start + 9 * page);
	set("over it", start + 12 * page);
	set("where it is", NULL);
	abi_maps(start, 10);
}

BEHAVIOUR(brk_beside_a_growing_mapping, "brk refused")
{
	void *p;

	begin();
	p = mmap(start + 512 * page, page, RW, ANON | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
	abi_ptr("in the way", p);
	set("into the guard gap", start + 257 * page);
	set("just to the guard gap", start + 256 * page);
	set("less", start + 255 * page);
}

BEHAVIOUR(brk_beyond_the_data_limit, "brk RLIMIT_DATA")
{
	begin();
	set("4 pages", start + 4 * page);
	abi_limit(RLIMIT_DATA, 0);
	set("8 pages", start + 8 * page);
	set("within the page", start + 4 * page - 100);
	set("2 pages", start + 2 * page);
	set("3 pages", start + 3 * page);
}

BEHAVIOUR(brk_beyond_the_address_space_limit, "brk RLIMIT_AS")
{
	begin();
	abi_limit(RLIMIT_AS, abi_status_field("VmSize") * 1024 + 4 * page);
	set("4 pages", start + 4 * page);
	set("5 pages", start + 5 * page);
	set("where it is", NULL);
}

BEHAVIOUR(brk_with_the_heap_unmapped, "brk after munmap")
{
	begin();
	set("4 pages", start + 4 * page);
	TRY(munmap(start + page, page));
	abi_maps(start, 4);
	set("6 pages", start + 6 * page);
	abi_maps(start, 6);
	set("1 page", start + page);
	abi_maps(start, 6);
}

BEHAVIOUR(brk_shrinks_into_a_hole, "brk after munmap")
{
	begin();
	set("4 pages", start + 4 * page);
	TRY(munmap(start + 2 * page, 2 * page));
	set("3 pages", start + 3 * page);
	set("1 page", start + page);
	set("3 pages", start + 3 * page);
	abi_maps(start, 4);
}

BEHAVIOUR(brk_with_other_rights_below, "brk after mprotect")
{
	begin();
	set("2 pages", start + 2 * page);
	TRY(mprotect(start, 2 * page, PROT_READ));
	set("4 pages", start + 4 * page);
	abi_maps(start, 4);
	set("1 page", start + page);
	abi_maps(start, 4);
}

BEHAVIOUR(brk_over_a_mapping_beside_it, "brk beside a mapping of the same kind")
{
	begin();
	set("2 pages", start + 2 * page);
	abi_ptr("anonymous, right behind",
	        mmap(start + 2 * page, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	abi_maps(start, 3);
	set("3 pages", start + 3 * page);
	TRY(munmap(start + 2 * page, page));
	set("3 pages", start + 3 * page);
}

BEHAVIOUR(brk_and_fork, "brk after fork")
{
	pid_t pid;

	begin();
	set("2 pages", start + 2 * page);
	abi_fill(start, 2, 1);
	pid = abi_fork();
	if (!pid) {
		abi_pages("child", start, 2);
		set("child", start + 4 * page);
		_exit(0);
	}
	abi_wait(pid);
	set("parent", NULL);
}

BEHAVIOUR(brk_with_locked_future, "brk mlockall MCL_FUTURE")
{
	begin();
	TRY(mlockall(MCL_FUTURE));
	set("4 pages", start + 4 * page);
	abi_mincore(start, 4);
	abi_vmflags("heap", start);
	TRY(munlockall());
}

BEHAVIOUR(brk_with_locked_future_beyond_the_limit, "brk mlockall MCL_FUTURE")
{
	begin();
	TRY(mlockall(MCL_FUTURE));
	abi_limit(RLIMIT_MEMLOCK, 2 * page);
	abi_nobody();
	set("8 pages", start + 8 * page);
	set("where it is", NULL);
}

BEHAVIOUR(heap_is_named, "brk /proc/self/maps")
{
	begin();
	set("2 pages", start + 2 * page);
	TRY(mprotect(start + page, page, PROT_READ));
	abi_maps(start, 2);
}

BEHAVIOUR(heap_flags, "brk VmFlags")
{
	begin();
	set("2 pages", start + 2 * page);
	abi_vmflags("heap", start);
}

BEHAVIOUR(brk_with_overcommit_forbidden, "brk overcommit")
{
	begin();
	abi_knob("/proc/sys/vm/overcommit_memory", "2");
	abi_knob("/proc/sys/vm/overcommit_ratio", "0");
	set("a thousand pages", start + 1000 * page);
	set("where it is", NULL);
}
