/* SPDX-License-Identifier: MIT */
/* mremap: each way to grow, shrink, move and copy; who comes first among the refusals; accounts. */
#include "abi.h"

#define MAYMOVE   MREMAP_MAYMOVE
#define TO        (MREMAP_MAYMOVE | MREMAP_FIXED)
#define DONTUNMAP (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)

BEHAVIOUR(mremap_shrinks, "mremap shrink")
{
	char *p = abi_map(5, RW);

	abi_fill(p, 5, 1);
	abi_ptr("to 3", mremap(p, 5 * page, 3 * page, 0));
	abi_maps(p, 5);
	abi_ptr("old size unaligned", mremap(p, 2 * page + 1, page + 1, 0));
	abi_maps(p, 5);
	abi_ptr("from the middle", mremap(p + page, page, page, 0));
	abi_ptr("of nothing behind", mremap(p, 3 * page, page, 0));
	abi_maps(p, 5);
}

BEHAVIOUR(mremap_shrink_reaches_over_others, "mremap shrink several")
{
	char *p = abi_map(5, RW);

	mprotect(p + 2 * page, page, PROT_READ);
	munmap(p + 3 * page, page);
	abi_ptr("shrink", mremap(p, 5 * page, page, 0));
	abi_maps(p, 5);
	p = abi_map(5, RW);
	mprotect(p + 2 * page, page, PROT_READ);
	abi_ptr("shrink with MAYMOVE", mremap(p, 4 * page, page, MAYMOVE));
	abi_maps(p, 5);
}

BEHAVIOUR(mremap_shrink_while_moving, "mremap FIXED shrink")
{
	char *p = abi_map(4, RW), *q = abi_window(8);

	abi_fill(p, 4, 1);
	abi_ptr("move", mremap(p, 4 * page, 2 * page, TO, q));
	abi_maps(p, 4);
	abi_maps(q, 4);
	abi_pages("moved", q, 2);
}

BEHAVIOUR(mremap_grows_in_place, "mremap grow")
{
	char *w = abi_window(8);

	mmap(w, 2 * page, RW, ANON | MAP_FIXED, -1, 0);
	abi_ptr("into the hole", mremap(w, 2 * page, 4 * page, 0));
	abi_maps(w, 8);
	mmap(w + 5 * page, page, PROT_READ, ANON | MAP_FIXED, -1, 0);
	abi_ptr("up to the next", mremap(w, 4 * page, 5 * page, 0));
	abi_ptr("over the next", mremap(w, 5 * page, 6 * page, 0));
	abi_ptr("from the middle", mremap(w + page, 2 * page, 3 * page, 0));
	abi_maps(w, 8);
}

BEHAVIOUR(mremap_grows_and_merges, "mremap grow merges")
{
	char *w = abi_window(8);

	mmap(w, 2 * page, RW, ANON | MAP_FIXED, -1, 0);
	mmap(w + 4 * page, 2 * page, RW, ANON | MAP_FIXED, -1, 0);
	abi_ptr("untouched", mremap(w, 2 * page, 4 * page, 0));
	abi_maps(w, 8);
	munmap(w + 2 * page, 2 * page);
	abi_fill(w, 1, 1);
	abi_fill(w + 4 * page, 1, 1);
	abi_ptr("both touched", mremap(w, 2 * page, 4 * page, 0));
	abi_maps(w, 8);
}

BEHAVIOUR(mremap_moves_the_middle, "mremap MAYMOVE")
{
	char *p = abi_map(5, RW), *q = abi_window(16);

	abi_fill(p, 5, 1);
	abi_ptr("move", mremap(p + page, 2 * page, 3 * page, TO, q));
	abi_maps(p, 5);
	abi_maps(q, 4);
	abi_pages("moved", q, 3);
	abi_ptr("without room", mremap(p, page, 2 * page, 0) == MAP_FAILED ? MAP_FAILED : p);
}

BEHAVIOUR(mremap_moves_back_and_merges, "mremap FIXED merges")
{
	char *p = abi_map(4, RW), *q = abi_window(16);

	abi_fill(p, 4, 1);
	mremap(p + page, 2 * page, 2 * page, TO, q);
	abi_ptr("back", mremap(q, 2 * page, 2 * page, TO, p + page));
	abi_maps(p, 4);
	abi_pages("pages", p, 4);
}

BEHAVIOUR(mremap_untouched_merges_anywhere, "mremap FIXED merges")
{
	char *p = abi_map(2, RW), *q = abi_map(2, RW), *r = abi_window(8);

	mremap(p, 2 * page, 2 * page, TO, r);
	mremap(q, 2 * page, 2 * page, TO, r + 2 * page);
	abi_maps(r, 5);
	p = abi_map(2, RW);
	p[0] = 1;
	mremap(p, 2 * page, 2 * page, TO, r + 4 * page);
	abi_maps(r, 6);
}

BEHAVIOUR(mremap_fixed_replaces, "mremap FIXED")
{
	char *p = abi_map(2, RW), *q = abi_map(6, PROT_READ);

	abi_fill(p, 2, 1);
	abi_ptr("over", mremap(p, 2 * page, 2 * page, TO, q + 2 * page));
	abi_maps(q, 6);
	abi_pages("there", q + 2 * page, 2);
	abi_ptr("overlap", mremap(q + 2 * page, 2 * page, 2 * page, TO, q + 3 * page));
	abi_ptr("same place", mremap(q + 2 * page, 2 * page, 2 * page, TO, q + 2 * page));
	abi_ptr("touching below", mremap(q + 2 * page, 2 * page, 2 * page, TO, q));
	abi_maps(q, 6);
}

BEHAVIOUR(mremap_refused_after_the_target_went, "mremap FIXED EFAULT")
{
	char *p = abi_map(2, RW), *q = abi_map(4, PROT_READ);

	munmap(p + page, page);
	abi_ptr("across a hole", mremap(p, 2 * page, 2 * page, TO, q));
	abi_maps(q, 4);
	abi_maps(p, 2);
}

BEHAVIOUR(mremap_order_of_refusals, "mremap EINVAL")
{
	char *p = abi_map(3, RW), *h = abi_window(4);

	abi_ptr("flags", mremap(p, page, page, 8));
	abi_ptr("flags of nothing", mremap(h, page, page, 16));
	abi_ptr("fixed without maymove", mremap(p, page, page, MREMAP_FIXED, h));
	abi_ptr("dontunmap without maymove", mremap(p, page, page, MREMAP_DONTUNMAP, h));
	abi_ptr("dontunmap with another size", mremap(p, page, 2 * page, DONTUNMAP, h));
	abi_ptr("dontunmap unaligned size", mremap(p, page, page - 1, DONTUNMAP, h));
	abi_ptr("unaligned", mremap(p + 1, page, page, 0));
	abi_ptr("new size 0", mremap(p, page, 0, 0));
	abi_ptr("new size wraps", mremap(p, page, -1ul, 0));
	abi_ptr("hole", mremap(h, page, page, 0));
	abi_ptr("hole, old size 0", mremap(h, 0, page, MAYMOVE));
	abi_ptr("unaligned target", mremap(p, page, page, TO, h + 1));
	abi_ptr("hole and unaligned target", mremap(h, page, page, TO, p + 1));
	abi_ptr("target wraps", mremap(p, page, page, TO, (void *)-page));
	abi_ptr("target too high", mremap(p, page, page, TO, (void *)(1ul << 52)));
	abi_ptr("target too low",
	        mremap(p, page, page, TO, (void *)0) == MAP_FAILED ? MAP_FAILED : p);
}

BEHAVIOUR(mremap_across_mappings, "mremap EFAULT")
{
	char *p = abi_map(4, RW), *q = abi_window(8);

	mprotect(p + 2 * page, 2 * page, PROT_READ);
	abi_ptr("same size", mremap(p, 4 * page, 4 * page, 0));
	abi_ptr("grow", mremap(p, 4 * page, 5 * page, MAYMOVE));
	abi_ptr("move", mremap(p, 4 * page, 4 * page, TO, q));
	abi_ptr("move less", mremap(p, 4 * page, 3 * page, TO, q));
	abi_maps(p, 4);
	abi_maps(q, 4);
}

BEHAVIOUR(mremap_move_less_than_one_mapping, "mremap FIXED shrink")
{
	char *p = abi_map(4, RW), *q = abi_window(8);

	mprotect(p + 2 * page, 2 * page, PROT_READ);
	abi_ptr("the first alone", mremap(p, 4 * page, 2 * page, TO, q));
	abi_maps(p, 4);
	abi_maps(q, 4);
}

BEHAVIOUR(mremap_same_size_of_several_mappings, "mremap no-op")
{
	char *p = abi_map(4, RW);

	munmap(p + 2 * page, page);
	abi_ptr("with a hole", mremap(p, 4 * page, 4 * page, 0));
	abi_ptr("beyond all", mremap(p, 1000 * page, 1000 * page, MAYMOVE));
	abi_maps(p, 4);
}

BEHAVIOUR(mremap_old_size_zero, "mremap old size 0")
{
	char *p = abi_map_with(3, RW, SHM, -1, 0), *q = abi_window(16), *a = abi_map(2, RW);
	int fd = abi_file(3 * page);
	char *f = abi_map_with(3, RW, MAP_PRIVATE, fd, 0);

	abi_fill(p, 3, 1);
	abi_ptr("copy", mremap(p, 0, 3 * page, TO, q));
	abi_pages("copy", q, 3);
	q[0] = 9;
	abi_pages("source", p, 3);
	abi_ptr("from the middle", mremap(p + page, 0, page, TO, q + 4 * page));
	abi_pages("middle", q + 4 * page, 1);
	abi_ptr("larger", mremap(p, 0, 5 * page, TO, q + 8 * page));
	abi_pages("larger", q + 8 * page, 5);
	abi_ptr("anonymous", mremap(a, 0, page, MAYMOVE));
	abi_ptr("private file", mremap(f, 0, page, MAYMOVE));
	abi_ptr("no maymove", mremap(p, 0, page, 0));
	abi_ptr("dontunmap", mremap(p, 0, page, DONTUNMAP, 0));
	abi_maps(p, 3);
	abi_maps(q, 16);
}

BEHAVIOUR(mremap_dontunmap, "mremap MREMAP_DONTUNMAP")
{
	char *p = abi_map(4, RW), *q = abi_window(16);

	abi_fill(p, 4, 1);
	abi_ptr("all", mremap(p, 4 * page, 4 * page, DONTUNMAP | TO, q));
	abi_maps(p, 4);
	abi_pages("left behind", p, 4);
	abi_pages("moved", q, 4);
	abi_ptr("a part", mremap(q + page, page, page, DONTUNMAP | TO, q + 8 * page));
	abi_pages("left behind", q, 4);
	abi_pages("moved", q + 8 * page, 1);
	abi_maps(q, 10);
}

BEHAVIOUR(mremap_dontunmap_of_files, "mremap MREMAP_DONTUNMAP file")
{
	int fd = abi_file(3 * page);
	char *s = abi_map_with(2, RW, MAP_SHARED, fd, page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0), *q = abi_window(16);

	p[0] = 77;
	abi_ptr("shared", mremap(s, 2 * page, 2 * page, DONTUNMAP | TO, q));
	abi_pages("left behind", s, 2);
	abi_pages("moved", q, 2);
	abi_ptr("private", mremap(p, 2 * page, 2 * page, DONTUNMAP | TO, q + 4 * page));
	abi_pages("left behind", p, 2);
	abi_pages("moved", q + 4 * page, 2);
	abi_maps(p, 2);
	abi_maps(q, 8);
}

BEHAVIOUR(mremap_dontunmap_places, "mremap MREMAP_DONTUNMAP place")
{
	char *p = abi_map(2, RW), *q = abi_window(8);

	abi_ptr("hint is taken", mremap(p, 2 * page, 2 * page, DONTUNMAP, q));
	abi_ptr("unaligned hint", mremap(p, 2 * page, 2 * page, DONTUNMAP, q + 1));
	abi_ptr("overlapping hint", mremap(p, 2 * page, 2 * page, DONTUNMAP, p + page));
	mprotect(p, page, PROT_READ);
	abi_ptr("two mappings", mremap(p, 2 * page, 2 * page, DONTUNMAP, 0));
}

BEHAVIOUR(mremap_dontunmap_of_locked_memory, "mremap MREMAP_DONTUNMAP locked")
{
	char *p = abi_map(4, RW), *q = abi_window(4);

	TRY(mlock(p, 4 * page));
	abi_status("VmLck");
	abi_ptr("a part", mremap(p + page, 2 * page, 2 * page, DONTUNMAP | TO, q));
	abi_status("VmLck");
	munmap(q, 2 * page);
	munmap(p, 4 * page);
	abi_status("VmLck");
}

BEHAVIOUR(mremap_file_keeps_its_offset, "mremap file")
{
	int fd = abi_file(6 * page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, page), *q = abi_window(8);

	abi_ptr("move the middle", mremap(p + page, page, 2 * page, TO, q));
	abi_maps(p, 3);
	abi_maps(q, 3);
	abi_pages("moved", q, 2);
	abi_ptr("grow past the end", mremap(q, 2 * page, 6 * page, 0));
	abi_pages("grown", q, 6);
}

BEHAVIOUR(mremap_offsets_that_wrap, "mremap EINVAL offset")
{
	int fd = abi_memfd(page, 0);
	char *w = abi_window(8);
	char *p = mmap(w, page, RW, MAP_SHARED | MAP_FIXED, fd, 0x7ffffffffffff000 - page);

	abi_ptr("mapped", p);
	abi_ptr("grow", mremap(p, page, 2 * page, 0));
	abi_ptr("grow more", mremap(p, page, 3 * page, 0));
	abi_maps(w, 4);
}

BEHAVIOUR(mremap_keeps_protection_and_lock, "mremap locked")
{
	char *p = abi_map(2, RW), *q = abi_window(8);

	abi_must("mlock", mlock(p, 2 * page));
	abi_ptr("grow", mremap(p, 2 * page, 3 * page, TO, q));
	abi_status("VmLck");
	abi_mincore(q, 3);
	abi_vmflags("moved", q);
	abi_ptr("shrink", mremap(q, 3 * page, page, 0));
	abi_status("VmLck");
	abi_ptr("dontunmap", mremap(q, page, page, DONTUNMAP | TO, p));
	abi_status("VmLck");
	abi_vmflags("left behind", q);
	abi_vmflags("moved", p);
}

BEHAVIOUR(mremap_locked_and_the_limit, "mremap EAGAIN")
{
	char *p = abi_map(2, RW), *q = abi_window(8);

	abi_limit(RLIMIT_MEMLOCK, 3 * page);
	abi_nobody();
	abi_must("mlock", mlock(p, 2 * page));
	abi_ptr("grow to the limit", mremap(p, 2 * page, 3 * page, TO, q));
	abi_ptr("past it", mremap(q, 3 * page, 4 * page, 0));
	abi_ptr("moved at the limit", mremap(q, 3 * page, 3 * page, TO, q + 4 * page));
	abi_status("VmLck");
}

BEHAVIOUR(mremap_onfault_grows_unpopulated, "mremap MLOCK_ONFAULT")
{
	char *p = abi_map(1, RW), *q = abi_window(8);

	abi_must("mlock2", mlock2(p, page, MLOCK_ONFAULT));
	abi_ptr("grow", mremap(p, page, 3 * page, TO, q));
	abi_mincore(q, 3);
	abi_status("VmLck");
	abi_vmflags("moved", q);
}

BEHAVIOUR(mremap_and_the_address_space_limit, "mremap ENOMEM RLIMIT_AS")
{
	char *p = abi_map(2, RW);
	unsigned long vm = abi_status_field("VmSize") * 1024ul;

	abi_limit(RLIMIT_AS, vm + 2 * page);
	abi_ptr("grow by 2", mremap(p, 2 * page, 4 * page, 0));
	abi_ptr("grow by 1 more", mremap(p, 4 * page, 5 * page, 0));
	abi_ptr("dontunmap", mremap(p, 4 * page, 4 * page, DONTUNMAP, 0));
	abi_ptr("move", mremap(p, 4 * page, 4 * page, TO, p + 8 * page));
}

BEHAVIOUR(mremap_of_the_vdso_grows_not, "mremap EFAULT special")
{
	char line[256], *name = NULL;
	unsigned long start = 0, end = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]")) {
			sscanf(line, "%lx-%lx", &start, &end);
			name = line;
		}
	fclose(f);
	if (!name)
		abi_fail("no vdso");
	abi_origin("vdso", (void *)start, end - start);
	abi_ptr("grow", mremap((void *)start, end - start, end - start + page, MAYMOVE));
	abi_ptr("dontunmap", mremap((void *)start, end - start, end - start, DONTUNMAP, 0));
	abi_ptr("copy", mremap((void *)start, 0, page, MAYMOVE));
}

BEHAVIOUR(mremap_of_a_stack, "mremap GROWSDOWN")
{
	char *w = abi_window(32), *p = w + 8 * page, *q = w + 24 * page;

	mmap(p, 2 * page, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	abi_fill(p, 2, 1);
	abi_ptr("move", mremap(p, 2 * page, 2 * page, TO, q));
	abi_pages("moved", q, 2);
	abi_vmflags("moved", q);
}

BEHAVIOUR(mremap_tags, "mremap tagged address")
{
	char *p = abi_map(2, RW), *q = abi_window(8);
	char *tagged = (char *)((unsigned long)p | 5ul << 56);

	abi_ptr("tagged", mremap(tagged, 2 * page, page, 0));
	abi_ptr("tagged target", mremap(p, page, page, TO, (char *)((unsigned long)q | 5ul << 56)));
	abi_maps(p, 2);
}

BEHAVIOUR(mremap_after_fork, "mremap fork")
{
	char *p = abi_map(2, RW), *q = abi_window(8);
	pid_t pid;

	abi_fill(p, 2, 1);
	pid = abi_fork();
	if (!pid) {
		abi_ptr("move", mremap(p, 2 * page, 2 * page, TO, q));
		q[0] = 9;
		abi_pages("moved", q, 2);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("the parent's", p, 2);
}
