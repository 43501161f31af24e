/* SPDX-License-Identifier: MIT */
/* Where mmap puts a mapping: hints, MAP_FIXED, MAP_FIXED_NOREPLACE, the edges of user space. */
#include "abi.h"

static void *map_at(const char *what, const void *at, unsigned long len, long flags)
{
	return abi_ptr(what, sys_mmap(at, len, RW, flags | ANON, -1, 0));
}

BEHAVIOUR(free_hint_is_taken, "mmap hint")
{
	char *p = abi_window(2);

	map_at("hint", p, 2 * page, 0);
	abi_maps(p, 2);
}

BEHAVIOUR(hint_is_rounded_down, "mmap hint")
{
	char *p = abi_window(4);

	map_at("hint + 1", p + 1, page, 0);
	map_at("hint + 2 pages - 1", p + 2 * page - 1, page, 0);
	abi_maps(p, 4);
}

BEHAVIOUR(occupied_hint_goes_elsewhere, "mmap hint")
{
	char *p = abi_map(2, RW);

	map_at("hint in a mapping", p, page, 0);
	map_at("hint that would overlap", p - page, 2 * page, 0);
	map_at("hint that just fits before", p - page, page, 0);
	map_at("hint just behind", p + 2 * page, page, 0);
	abi_maps(p - page, 4);
}

BEHAVIOUR(hint_without_fixed_never_replaces, "mmap hint")
{
	char *p = abi_map(1, RW);

	abi_store("old", p, 7);
	map_at("hint", p, page, 0);
	abi_load("old", p);
}

BEHAVIOUR(hint_beyond_user_space, "mmap hint")
{
	map_at("highest page", (void *)-page, page, 0);
	map_at("kernel's half", (void *)(1UL << 63), page, 0);
	map_at("just above 52 bits", (void *)(1UL << 52), page, 0);
}

BEHAVIOUR(hint_zero_is_no_hint, "mmap hint")
{
	void *p = sys_mmap(NULL, page, RW, ANON, -1, 0);

	abi_say("above 4 GiB: %d", p > (void *)(1UL << 32));
	abi_say("page aligned: %d", !((unsigned long)p % page));
}

BEHAVIOUR(small_hint_is_raised_to_mmap_min_addr, "mmap hint below mmap_min_addr")
{
	char knob[32];

	abi_read_text("/proc/sys/vm/mmap_min_addr", knob, sizeof(knob));
	abi_say("mmap_min_addr = %ld", strtol(knob, NULL, 10));
	abi_origin("low", NULL, 65536);
	abi_nobody();
	map_at("hint 1 page", (void *)page, page, 0);
	map_at("hint 1 page again", (void *)page, page, 0);
	map_at("hint 1", (void *)1, page, 0);
}

BEHAVIOUR(next_without_hint_lies_below, "mmap top-down")
{
	char *first = mmap(NULL, 64 * page, PROT_NONE, ANON, -1, 0);
	char *second = mmap(NULL, 64 * page, PROT_READ, ANON, -1, 0);

	abi_say("second directly below first: %d", second + 64 * page == first);
}

BEHAVIOUR(free_gap_is_used_again, "mmap top-down")
{
	char *p = mmap(NULL, 8 * page, PROT_NONE, ANON, -1, 0), *q;

	munmap(p + 2 * page, 2 * page);
	q = mmap(NULL, 2 * page, PROT_READ, ANON, -1, 0);
	abi_say("in the gap: %d", q == p + 2 * page);
}

BEHAVIOUR(gap_that_is_too_small_is_passed, "mmap top-down")
{
	char *p = mmap(NULL, 8 * page, PROT_NONE, ANON, -1, 0), *q;

	munmap(p + 2 * page, 2 * page);
	q = mmap(NULL, 3 * page, PROT_READ, ANON, -1, 0);
	abi_say("below: %d", q + 3 * page <= p);
}

BEHAVIOUR(highest_of_two_gaps_is_taken, "mmap top-down")
{
	char *p = mmap(NULL, 12 * page, PROT_NONE, ANON, -1, 0), *q;

	munmap(p + 2 * page, page);
	munmap(p + 6 * page, 3 * page);
	q = mmap(NULL, page, PROT_READ, ANON, -1, 0);
	abi_say("offset %ld", (long)(q - p) / (long)page);
}

static void report_legacy(void)
{
	char *p = mmap(NULL, page, PROT_NONE, ANON, -1, 0);
	char *q = mmap(NULL, page, PROT_READ, ANON, -1, 0);

	abi_say("second directly above first: %d", q == p + page);
	abi_say("first below a third of user space: %d", p < (char *)(1UL << 47));
}

BEHAVIOUR(legacy_layout_goes_up, "mmap legacy layout")
{
	if (abi_again()) {
		report_legacy();
		return;
	}
	TRY(personality(ADDR_COMPAT_LAYOUT));
	abi_exec_again();
}

BEHAVIOUR(unlimited_stack_makes_the_layout_legacy, "mmap legacy layout")
{
	if (abi_again()) {
		report_legacy();
		return;
	}
	abi_limit(RLIMIT_STACK, RLIM_INFINITY);
	abi_exec_again();
}

/* ---- MAP_FIXED ---- */

BEHAVIOUR(fixed_replaces, "mmap MAP_FIXED")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	map_at("fixed", p + page, page, MAP_FIXED);
	abi_pages("pages", p, 3);
	abi_maps(p, 3);
}

BEHAVIOUR(fixed_replaces_with_other_rights, "mmap MAP_FIXED")
{
	char *p = abi_map(5, RW);

	abi_ptr("fixed", mmap(p + page, 3 * page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	abi_maps(p, 5);
	abi_ptr("fixed", mmap(p + 2 * page, page, RW, SHM | MAP_FIXED, -1, 0));
	abi_maps(p, 5);
}

BEHAVIOUR(fixed_over_several_and_holes, "mmap MAP_FIXED")
{
	char *p = abi_map(6, RW);

	munmap(p + page, page);
	mprotect(p + 3 * page, page, PROT_READ);
	map_at("fixed", p, 6 * page, MAP_FIXED);
	abi_maps(p, 6);
}

BEHAVIOUR(fixed_unaligned, "mmap MAP_FIXED EINVAL")
{
	char *p = abi_map(2, RW);

	abi_store("old", p, 7);
	map_at("p + 1", p + 1, page, MAP_FIXED);
	map_at("p + page - 1", p + page - 1, page, MAP_FIXED);
	map_at("1", (void *)1, page, MAP_FIXED);
	map_at("unaligned and beyond", (void *)-1, page, MAP_FIXED);
	abi_load("old", p);
}

BEHAVIOUR(fixed_beyond_user_space, "mmap MAP_FIXED ENOMEM")
{
	map_at("highest page", (void *)-page, page, MAP_FIXED);
	map_at("kernel's half", (void *)(1UL << 63), page, MAP_FIXED);
	map_at("52 bits", (void *)(1UL << 52), page, MAP_FIXED);
	map_at("wraps", (void *)-page, 2 * page, MAP_FIXED);
	map_at("too long", abi_window(1), 1UL << 48, MAP_FIXED);
}

#ifdef __aarch64__
#define TOP (1UL << 48)

BEHAVIOUR(fixed_at_the_end_of_user_space, "mmap MAP_FIXED ENOMEM")
{
	abi_origin("top", (void *)(TOP - 16 * page), 20 * page);
	map_at("last page", (void *)(TOP - page), page, MAP_FIXED_NOREPLACE);
	map_at("across the end", (void *)(TOP - page), 2 * page, MAP_FIXED);
	map_at("just beyond", (void *)TOP, page, MAP_FIXED);
	abi_maps((void *)(TOP - 2 * page), 2);
}

BEHAVIOUR(hint_at_the_end_of_user_space, "mmap hint")
{
	abi_origin("top", (void *)(TOP - 16 * page), 20 * page);
	map_at("last page", (void *)(TOP - page), page, 0);
	map_at("just beyond", (void *)TOP, page, 0);
	map_at("across", (void *)(TOP - 3 * page), 4 * page, 0);
}

/* With 52-bit addresses a hint above 48 bits would count; without, the tag makes it another
 * address. */
BEHAVIOUR(tagged_addresses_are_no_addresses_of_mmap, "mmap tagged address")
{
	char *p = abi_window(1), *tagged = (char *)((unsigned long)p | 0x55UL << 56);

	map_at("hint with a tag", tagged, page, 0);
	map_at("fixed with a tag", tagged, page, MAP_FIXED);
	map_at("without", p, page, 0);
	abi_store("through a tagged pointer", tagged, 5);
	abi_load("without tag", p);
}

BEHAVIOUR(si_addr_has_no_tag, "fault tagged address")
{
	char *p = abi_window(1), *tagged = (char *)((unsigned long)p | 0x55UL << 56);

	abi_load("unmapped, with a tag", tagged);
	abi_load("not canonical", (char *)((unsigned long)p | 1UL << 50));
	abi_load("kernel's", (char *)-4096L);
}

BEHAVIOUR(munmap_and_mprotect_with_a_tag, "munmap tagged address")
{
	char *p = abi_map(1, RW), *tagged = (char *)((unsigned long)p | 0x55UL << 56);

	TRY(munmap(tagged, page));
	TRY(mprotect(tagged, page, PROT_READ));
	TRY(madvise(tagged, page, MADV_DONTNEED));
	TRY(msync(tagged, page, MS_SYNC));
	TRY(mlock(tagged, page));
	TRY(mincore(tagged, page, (unsigned char[1]){0}));
	abi_maps(p, 1);
}

static long enable_tags(void)
{
	return prctl(PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE, 0, 0, 0);
}

BEHAVIOUR(tags_when_they_are_allowed, "prctl PR_SET_TAGGED_ADDR_CTRL")
{
	char *p = abi_map(1, RW), *tagged = (char *)((unsigned long)p | 0x55UL << 56);

	TRY(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0));
	TRY(enable_tags());
	TRY(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0));
	TRY(madvise(tagged, page, MADV_DONTNEED));
	TRY(mprotect(tagged, page, PROT_READ));
	TRY(msync(tagged, page, MS_SYNC));
	TRY(mlock(tagged, page));
	TRY(mincore(tagged, page, (unsigned char[1]){0}));
	map_at("hint with a tag", (char *)((unsigned long)(p + 4 * page) | 0x55UL << 56), page, 0);
	abi_maps(p, 1);
	TRY(munmap(tagged, page));
	abi_maps(p, 1);
}
#endif

BEHAVIOUR(fixed_below_mmap_min_addr, "mmap MAP_FIXED EPERM")
{
	abi_origin("low", (void *)0, 65536 + page);
	abi_must("root maps page 1",
	         map_at("root, page 1", (void *)page, page, MAP_FIXED) == MAP_FAILED ? -1 : 0);
	abi_store("page 1", (char *)page, 1);
	munmap((void *)page, page);
	abi_nobody();
	map_at("nobody, page 0", (void *)0, page, MAP_FIXED);
	map_at("nobody, page 1", (void *)page, page, MAP_FIXED);
	map_at("nobody, noreplace", (void *)page, page, MAP_FIXED_NOREPLACE);
	map_at("nobody, last below", (void *)(65536 - page), page, MAP_FIXED);
	map_at("nobody, at the limit", (void *)65536, page, MAP_FIXED);
}

BEHAVIOUR(fixed_below_mmap_min_addr_of_a_file, "mmap MAP_FIXED EPERM")
{
	int fd = abi_file(page);

	abi_nobody();
	abi_ptr("file", sys_mmap((void *)page, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0));
	abi_ptr(
	    "file, write shared of read only",
	    sys_mmap((void *)page, page, RW, MAP_SHARED | MAP_FIXED, open("file", O_RDONLY), 0));
	abi_ptr("no type", sys_mmap((void *)page, page, RW, MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	abi_ptr("length 0", sys_mmap((void *)page, 0, RW, ANON | MAP_FIXED, -1, 0));
}

BEHAVIOUR(page_zero_for_root, "mmap MAP_FIXED page 0")
{
	abi_ptr("page 0", sys_mmap(NULL, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_store("null pointer", (char *)8, 3);
	abi_load("null pointer", (char *)8);
	TRY(munmap(NULL, page));
	abi_load("null pointer", (char *)8);
}

/* ---- MAP_FIXED_NOREPLACE ---- */

BEHAVIOUR(noreplace_of_free_space, "mmap MAP_FIXED_NOREPLACE")
{
	char *p = abi_window(3);

	map_at("free", p + page, page, MAP_FIXED_NOREPLACE);
	map_at("just before", p, page, MAP_FIXED_NOREPLACE);
	map_at("just behind", p + 2 * page, page, MAP_FIXED_NOREPLACE);
	abi_maps(p, 3);
}

BEHAVIOUR(noreplace_over_a_mapping, "mmap MAP_FIXED_NOREPLACE EEXIST")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	map_at("same", p, 3 * page, MAP_FIXED_NOREPLACE);
	map_at("inside", p + page, page, MAP_FIXED_NOREPLACE);
	map_at("head", p - page, 2 * page, MAP_FIXED_NOREPLACE);
	map_at("tail", p + 2 * page, 2 * page, MAP_FIXED_NOREPLACE);
	map_at("around", p - page, 5 * page, MAP_FIXED_NOREPLACE);
	abi_pages("pages", p, 3);
	abi_maps(p - page, 5);
}

BEHAVIOUR(noreplace_with_fixed, "mmap MAP_FIXED_NOREPLACE EEXIST")
{
	char *p = abi_map(1, RW);

	map_at("both flags, occupied", p, page, MAP_FIXED | MAP_FIXED_NOREPLACE);
	map_at("both flags, free", p + page, page, MAP_FIXED | MAP_FIXED_NOREPLACE);
}

BEHAVIOUR(noreplace_refusals, "mmap MAP_FIXED_NOREPLACE EINVAL")
{
	char *p = abi_map(1, RW);

	map_at("unaligned", p + 1, page, MAP_FIXED_NOREPLACE);
	map_at("beyond", (void *)(1UL << 52), page, MAP_FIXED_NOREPLACE);
	map_at("length 0", p, 0, MAP_FIXED_NOREPLACE);
	abi_ptr("no type", sys_mmap(p, page, RW, MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	abi_ptr("prot none", sys_mmap(p, page, PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1, 0));
}

BEHAVIOUR(noreplace_over_prot_none, "mmap MAP_FIXED_NOREPLACE EEXIST")
{
	char *p = abi_map(1, PROT_NONE);

	map_at("over a reservation", p, page, MAP_FIXED_NOREPLACE);
}

BEHAVIOUR(low_four_gigabytes_flag_is_not_arm64, "mmap MAP_32BIT")
{
#ifdef __aarch64__
	void *p = sys_mmap(NULL, page, RW, ANON | 0x40, -1, 0);

	abi_say("below 4 GiB: %d", p < (void *)(1UL << 32));
#else
	abi_say("below 4 GiB: 0");
#endif
}

/* ---- the guard gap of what grows down ---- */

BEHAVIOUR(hint_below_a_growing_mapping_keeps_the_gap, "mmap stack guard gap")
{
	char *p = abi_window(1024) + 512 * page;

	map_at("grows down", p, page, MAP_GROWSDOWN | MAP_FIXED);
	map_at("one page below", p - 2 * page, page, 0);
	map_at("255 pages below", p - 256 * page, page, 0);
	map_at("256 pages below", p - 257 * page, page, 0);
	map_at("above", p + page, page, 0);
}

BEHAVIOUR(fixed_below_a_growing_mapping_ignores_the_gap, "mmap stack guard gap")
{
	char *p = abi_window(1024) + 512 * page;

	map_at("grows down", p, page, MAP_GROWSDOWN | MAP_FIXED);
	map_at("fixed, one page below", p - 2 * page, page, MAP_FIXED);
	map_at("noreplace, adjacent", p - page, page, MAP_FIXED_NOREPLACE);
	abi_maps(p - 2 * page, 3);
}

BEHAVIOUR(growing_mapping_placed_near_another, "mmap stack guard gap")
{
	char *p = abi_window(1024);

	map_at("ordinary", p, page, MAP_FIXED);
	map_at("grows down, a page above", p + 2 * page, page, MAP_GROWSDOWN);
	map_at("grows down, 256 pages above", p + 257 * page, page, MAP_GROWSDOWN);
	abi_maps(p, 4);
}
