/* SPDX-License-Identifier: MIT */
/*
 * madvise: the order of its refusals, holes, and the advice that is about flags of the mapping or
 * about bringing pages in and throwing them away.
 */
#include "abi.h"

/* ---- what is asked first ---- */

BEHAVIOUR(madvise_of_an_unaligned_address, "madvise EINVAL")
{
	char *p = abi_map(2, RW);

	TRY(madvise(p + 1, page, MADV_NORMAL));
	TRY(madvise(p + 1, 0, MADV_NORMAL));
	TRY(madvise(p + 1, page, MADV_DONTNEED));
	TRY(madvise(p, page + 1, MADV_DONTNEED));
}

BEHAVIOUR(madvise_with_unknown_advice, "madvise EINVAL")
{
	static const int advice[] = {-1, 5, 6, 7, 26, 27, 99, 104, 1000, 0x7fffffff};
	char *p = abi_map(2, RW);

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		abi_say("advice %d", advice[i]);
		TRY(madvise(p, page, advice[i]));
		TRY(madvise(p + 1, 0, advice[i]));
	}
}

BEHAVIOUR(madvise_of_no_bytes, "madvise length")
{
	char *hole = abi_window(2);

	TRY(madvise(hole, 0, MADV_NORMAL));
	TRY(madvise(hole, 0, MADV_DONTNEED));
	TRY(madvise(hole, 0, MADV_POPULATE_READ));
	TRY(madvise(hole, 0, MADV_FREE));
	TRY(madvise(hole, 0, MADV_REMOVE));
	TRY(madvise((void *)-4096ul, 0, MADV_DONTNEED));
}

BEHAVIOUR(madvise_length_wraps, "madvise length")
{
	char *p = abi_map(2, RW);

	TRY(madvise(p, -1ul, MADV_NORMAL));
	TRY(madvise(p, -(unsigned long)p, MADV_NORMAL));
	TRY(madvise(p, -(unsigned long)p - page, MADV_NORMAL));
	TRY(madvise(p, -(unsigned long)p + page, MADV_NORMAL));
	TRY(madvise(p, -page, MADV_DONTNEED));
	TRY(madvise(p, 1, MADV_DONTNEED));
}

BEHAVIOUR(madvise_of_kernel_addresses, "madvise ENOMEM")
{
	TRY(madvise((void *)-4096ul, 4096, MADV_NORMAL));
	TRY(madvise((void *)0xffff800000000000ul, 4096, MADV_DONTNEED));
	TRY(madvise((void *)0, 4096, MADV_DONTNEED));
	TRY(madvise((void *)0x1000000000000ul, 4096, MADV_WILLNEED));
}

BEHAVIOUR(madvise_of_a_tagged_address, "madvise tagged")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(madvise(p + (0x5aul << 56), page, MADV_DONTNEED));
	abi_pages("pages", p, 2);
}

BEHAVIOUR(madvise_of_a_hole_goes_on_behind_it, "madvise ENOMEM")
{
	char *p = abi_map(5, RW);

	abi_fill(p, 5, 1);
	munmap(p + 2 * page, page);
	TRY(madvise(p, 5 * page, MADV_DONTNEED));
	abi_pages("pages", p, 5);
	TRY(madvise(p, 5 * page, MADV_DONTFORK));
	abi_maps(p, 5);
	abi_vmflags("first", p);
	abi_vmflags("last", p + 4 * page);
}

BEHAVIOUR(madvise_of_a_range_that_begins_in_a_hole, "madvise ENOMEM")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	munmap(p, page);
	TRY(madvise(p, 3 * page, MADV_DONTNEED));
	abi_pages("pages", p, 4);
	TRY(madvise(p, page, MADV_DONTNEED));
}

BEHAVIOUR(madvise_of_a_range_that_ends_in_a_hole, "madvise ENOMEM")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	munmap(p + 3 * page, page);
	TRY(madvise(p + 2 * page, 2 * page, MADV_DONTNEED));
	abi_pages("pages", p, 4);
	TRY(madvise(p + 3 * page, page, MADV_NORMAL));
}

BEHAVIOUR(madvise_stops_at_the_first_mapping_that_refuses, "madvise EINVAL")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	TRY(mlock(p + page, page));
	TRY(madvise(p, 4 * page, MADV_DONTNEED));
	abi_pages("pages", p, 4);
}

BEHAVIOUR(madvise_refusal_is_told_before_a_hole, "madvise EINVAL")
{
	char *p = abi_map(5, RW);

	abi_fill(p, 5, 1);
	munmap(p + page, page);
	TRY(mlock(p + 3 * page, page));
	TRY(madvise(p, 5 * page, MADV_DONTNEED));
	abi_pages("pages", p, 5);
}

/* ---- reading ahead ---- */

BEHAVIOUR(madvise_access_patterns_are_flags, "madvise MADV_RANDOM")
{
	char *p = abi_map(3, RW);

	TRY(madvise(p + page, page, MADV_RANDOM));
	abi_maps(p, 3);
	abi_vmflags("random", p + page);
	TRY(madvise(p + page, page, MADV_SEQUENTIAL));
	abi_vmflags("sequential", p + page);
	TRY(madvise(p, 3 * page, MADV_SEQUENTIAL));
	abi_maps(p, 3);
	TRY(madvise(p, 3 * page, MADV_NORMAL));
	abi_vmflags("normal", p + page);
	TRY(madvise(p, 3 * page, MADV_NORMAL));
}

BEHAVIOUR(madvise_sequential_splits_and_merges, "madvise MADV_SEQUENTIAL")
{
	char *p = abi_map(5, RW);

	TRY(madvise(p + page, page, MADV_SEQUENTIAL));
	TRY(madvise(p + 3 * page, page, MADV_SEQUENTIAL));
	abi_maps(p, 5);
	TRY(madvise(p + 2 * page, page, MADV_SEQUENTIAL));
	abi_maps(p, 5);
	TRY(madvise(p + page, 3 * page, MADV_NORMAL));
	abi_maps(p, 5);
}

BEHAVIOUR(madvise_willneed_of_every_kind, "madvise MADV_WILLNEED")
{
	char *p = abi_map(2, RW), *s = abi_map_with(2, RW, SHM, -1, 0);
	char *f = abi_map_with(2, PROT_READ, MAP_PRIVATE, abi_file(2 * page), 0);
	char *none = abi_map(2, PROT_NONE);

	TRY(madvise(p, 2 * page, MADV_WILLNEED));
	TRY(madvise(s, 2 * page, MADV_WILLNEED));
	TRY(madvise(f, 2 * page, MADV_WILLNEED));
	TRY(madvise(none, 2 * page, MADV_WILLNEED));
	TRY(madvise(p + 2 * page, page, MADV_WILLNEED));
	abi_mincore(p, 2);
	abi_mincore(s, 2);
	abi_mincore(f, 2);
}

BEHAVIOUR(madvise_willneed_of_a_locked_mapping, "madvise MADV_WILLNEED")
{
	char *p = abi_map(2, RW);

	TRY(mlock(p, page));
	TRY(madvise(p, 2 * page, MADV_WILLNEED));
	abi_mincore(p, 2);
}

BEHAVIOUR(madvise_willneed_past_the_end_of_the_file, "madvise MADV_WILLNEED")
{
	char *f = abi_map_with(4, PROT_READ, MAP_SHARED, abi_file(page), 0);

	TRY(madvise(f, 4 * page, MADV_WILLNEED));
	TRY(madvise(f + 2 * page, page, MADV_WILLNEED));
	abi_pages("pages", f, 2);
}

/* ---- DONTNEED ---- */

BEHAVIOUR(dontneed_of_anon_reads_zero, "madvise MADV_DONTNEED")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	TRY(madvise(p + page, 2 * page, MADV_DONTNEED));
	abi_mincore(p, 4);
	abi_pages("pages", p, 4);
	abi_maps(p, 4);
	abi_store("again", p + page, 9);
	abi_pages("pages", p, 4);
}

BEHAVIOUR(dontneed_of_a_part_of_a_page_takes_the_page, "madvise MADV_DONTNEED")
{
	char *p = abi_map(2, RW);

	memset(p, 7, 2 * page);
	TRY(madvise(p, 1, MADV_DONTNEED));
	abi_bytes("page 0", p, page);
	abi_pages("pages", p, 2);
}

BEHAVIOUR(dontneed_of_a_private_file_brings_the_file_back, "madvise MADV_DONTNEED")
{
	char *p = abi_map_with(3, RW, MAP_PRIVATE, abi_file(3 * page), 0);

	abi_store("page 1", p + page, 0x77);
	abi_pages("before", p, 3);
	TRY(madvise(p, 3 * page, MADV_DONTNEED));
	abi_pages("after", p, 3);
}

BEHAVIOUR(dontneed_of_a_shared_file_keeps_what_was_written, "madvise MADV_DONTNEED")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	abi_store("page 1", p + page, 0x77);
	TRY(madvise(p, 3 * page, MADV_DONTNEED));
	abi_pages("after", p, 3);
	abi_file_bytes("file", fd, page, 1);
}

BEHAVIOUR(dontneed_of_shared_memory_keeps_it, "madvise MADV_DONTNEED")
{
	char *p = abi_map_with(2, RW, SHM, -1, 0);

	abi_fill(p, 2, 5);
	TRY(madvise(p, 2 * page, MADV_DONTNEED));
	abi_pages("after", p, 2);
}

BEHAVIOUR(dontneed_needs_no_permission, "madvise MADV_DONTNEED")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	mprotect(p, page, PROT_NONE);
	mprotect(p + page, page, PROT_READ);
	TRY(madvise(p, 3 * page, MADV_DONTNEED));
	mprotect(p, 3 * page, PROT_READ);
	abi_pages("pages", p, 3);
}

BEHAVIOUR(dontneed_in_the_child_leaves_the_parent, "madvise MADV_DONTNEED")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	abi_fill(p, 2, 1);
	pid = abi_fork();
	if (!pid) {
		TRY(madvise(p, page, MADV_DONTNEED));
		abi_pages("child", p, 2);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 2);
}

BEHAVIOUR(dontneed_of_locked_memory, "madvise MADV_DONTNEED locked")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(mlock(p, 2 * page));
	TRY(madvise(p, page, MADV_DONTNEED));
	abi_pages("pages", p, 2);
	TRY(madvise(p, page, MADV_DONTNEED_LOCKED));
	abi_pages("pages", p, 2);
	abi_smaps(p, "Locked");
	abi_vmflags("still locked", p);
}

BEHAVIOUR(dontneed_locked_of_what_is_not_locked, "madvise MADV_DONTNEED_LOCKED")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(madvise(p, page, MADV_DONTNEED_LOCKED));
	abi_pages("pages", p, 2);
}

BEHAVIOUR(dontneed_locked_of_memory_locked_on_fault, "madvise MADV_DONTNEED_LOCKED")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(syscall(SYS_mlock2, p, 2 * page, 1));
	TRY(madvise(p, page, MADV_DONTNEED));
	TRY(madvise(p, page, MADV_DONTNEED_LOCKED));
	abi_mincore(p, 2);
	abi_pages("pages", p, 2);
}

BEHAVIOUR(dontneed_gives_frames_back, "madvise MADV_DONTNEED")
{
	char *p = abi_map(64, RW);

	abi_fill(p, 64, 1);
	abi_smaps(p, "Rss");
	TRY(madvise(p, 32 * page, MADV_DONTNEED));
	abi_smaps(p, "Rss");
	abi_smaps(p, "Size");
}

/* All of the vdso: Linux refuses to split it, and how large it is is its own affair. */
static char *vdso(size_t *size)
{
	unsigned long start = 0, end = 0;
	char line[256];
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]"))
			sscanf(line, "%lx-%lx", &start, &end);
	fclose(f);
	*size = end - start;
	return (char *)start;
}

BEHAVIOUR(advice_for_the_vdso, "madvise special mapping")
{
	size_t size;
	char *v = vdso(&size);

	TRY(madvise(v, size, MADV_DONTNEED));
	TRY(madvise(v, size, MADV_FREE));
	TRY(madvise(v, size, MADV_DODUMP));
	TRY(madvise(v, size, MADV_DONTDUMP));
	TRY(madvise(v, size, MADV_DODUMP));
	TRY(madvise(v, size, MADV_COLD));
	TRY(madvise(v, size, MADV_PAGEOUT));
	TRY(madvise(v, size, MADV_WILLNEED));
	TRY(madvise(v, size, MADV_REMOVE));
	TRY(madvise(v, size, MADV_POPULATE_READ));
	TRY(madvise(v, size, MADV_POPULATE_WRITE));
	TRY(madvise(v, size, MADV_RANDOM));
	abi_say("still there: %d", abi_readable(v));
}

BEHAVIOUR(vdso_and_fork, "madvise special mapping")
{
	size_t size;
	char *v = vdso(&size);
	pid_t pid;

	TRY(madvise(v, size, MADV_DOFORK));
	TRY(madvise(v, size, MADV_KEEPONFORK));
	TRY(madvise(v, size, MADV_WIPEONFORK));
	abi_vmflags("vdso", v);
	TRY(madvise(v, size, MADV_KEEPONFORK));
	TRY(madvise(v, size, MADV_DONTFORK));
	pid = abi_fork();
	if (!pid) {
		abi_say("in the child: %d", abi_readable(v));
		_exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(dontneed_of_the_stack, "madvise MADV_DONTNEED")
{
	char *p = abi_map_with(4, RW, ANON | MAP_GROWSDOWN | MAP_STACK, -1, 0);

	abi_fill(p, 4, 1);
	TRY(madvise(p, 4 * page, MADV_DONTNEED));
	abi_pages("pages", p, 4);
	TRY(madvise(p - page, 2 * page, MADV_DONTNEED));
}

/* ---- fork ---- */

BEHAVIOUR(dontfork_is_not_in_the_child, "madvise MADV_DONTFORK")
{
	char *p = abi_map(3, RW);
	pid_t pid;

	abi_fill(p, 3, 1);
	TRY(madvise(p + page, page, MADV_DONTFORK));
	abi_maps(p, 3);
	abi_vmflags("middle", p + page);
	pid = abi_fork();
	if (!pid) {
		abi_maps(p, 3);
		abi_pages("child", p, 3);
		_exit(0);
	}
	abi_wait(pid);
	TRY(madvise(p + page, page, MADV_DOFORK));
	abi_maps(p, 3);
	abi_child_pages(p, 3);
}

BEHAVIOUR(dontfork_of_shared_and_file_memory, "madvise MADV_DONTFORK")
{
	char *s = abi_map_with(1, RW, SHM, -1, 0);
	char *f = abi_map_with(1, PROT_READ, MAP_PRIVATE, abi_file(page), 0);
	pid_t pid;

	TRY(madvise(s, page, MADV_DONTFORK));
	TRY(madvise(f, page, MADV_DONTFORK));
	pid = abi_fork();
	if (!pid) {
		abi_maps(s, 1);
		abi_maps(f, 1);
		_exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(wipeonfork_reads_zero_in_the_child, "madvise MADV_WIPEONFORK")
{
	char *p = abi_map(3, RW);
	pid_t pid;

	abi_fill(p, 3, 1);
	TRY(madvise(p + page, page, MADV_WIPEONFORK));
	abi_vmflags("middle", p + page);
	pid = abi_fork();
	if (!pid) {
		abi_vmflags("child", p + page);
		abi_pages("child", p, 3);
		abi_store("child", p + page, 8);
		pid = abi_fork();
		if (!pid) {
			abi_pages("grandchild", p, 3);
			_exit(0);
		}
		abi_wait(pid);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 3);
	TRY(madvise(p + page, page, MADV_KEEPONFORK));
	abi_maps(p, 3);
	abi_child_pages(p, 3);
}

BEHAVIOUR(wipeonfork_is_for_private_anonymous_memory, "madvise MADV_WIPEONFORK")
{
	char *s = abi_map_with(1, RW, SHM, -1, 0);
	int fd = abi_file(page), zero = open("/dev/zero", O_RDWR);
	char *f = abi_map_with(1, RW, MAP_PRIVATE, fd, 0);
	char *z = abi_map_with(1, RW, MAP_PRIVATE, zero, 0);
	char *none = abi_map(1, PROT_NONE);

	TRY(madvise(s, page, MADV_WIPEONFORK));
	TRY(madvise(f, page, MADV_WIPEONFORK));
	TRY(madvise(z, page, MADV_WIPEONFORK));
	TRY(madvise(none, page, MADV_WIPEONFORK));
	TRY(madvise(s, page, MADV_KEEPONFORK));
	TRY(madvise(f, page, MADV_KEEPONFORK));
}

BEHAVIOUR(wipeonfork_and_locked, "madvise MADV_WIPEONFORK")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	abi_fill(p, 2, 1);
	TRY(mlock(p, 2 * page));
	TRY(madvise(p, page, MADV_WIPEONFORK));
	abi_vmflags("parent", p);
	pid = abi_fork();
	if (!pid) {
		abi_vmflags("child", p);
		abi_maps(p, 2);
		abi_pages("child", p, 2);
		_exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(dontfork_and_wipeonfork_together, "madvise MADV_WIPEONFORK")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	abi_fill(p, 2, 1);
	TRY(madvise(p, page, MADV_WIPEONFORK));
	TRY(madvise(p, page, MADV_DONTFORK));
	abi_vmflags("both", p);
	pid = abi_fork();
	if (!pid) {
		abi_maps(p, 2);
		_exit(0);
	}
	abi_wait(pid);
}

/* ---- dumps ---- */

BEHAVIOUR(dontdump_is_a_flag, "madvise MADV_DONTDUMP")
{
	char *p = abi_map(3, RW);

	TRY(madvise(p + page, page, MADV_DONTDUMP));
	abi_maps(p, 3);
	abi_vmflags("middle", p + page);
	TRY(madvise(p, 3 * page, MADV_DODUMP));
	abi_maps(p, 3);
	abi_vmflags("all", p);
}

BEHAVIOUR(dontdump_of_files, "madvise MADV_DODUMP")
{
	char *f = abi_map_with(1, PROT_READ, MAP_SHARED, abi_file(page), 0);

	TRY(madvise(f, page, MADV_DONTDUMP));
	abi_vmflags("file", f);
	TRY(madvise(f, page, MADV_DODUMP));
	abi_vmflags("file", f);
}

/* ---- COLD and PAGEOUT ---- */

BEHAVIOUR(cold_changes_nothing_to_be_seen, "madvise MADV_COLD")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 2, 1);
	TRY(madvise(p, 3 * page, MADV_COLD));
	abi_mincore(p, 3);
	abi_pages("pages", p, 3);
	TRY(madvise(p + 2 * page, 2 * page, MADV_COLD));
}

BEHAVIOUR(cold_and_pageout_of_locked_memory, "madvise MADV_COLD")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	TRY(mlock(p + page, page));
	TRY(madvise(p, 3 * page, MADV_COLD));
	TRY(madvise(p, 3 * page, MADV_PAGEOUT));
	TRY(madvise(p, page, MADV_COLD));
	abi_pages("pages", p, 3);
}

BEHAVIOUR(pageout_of_anonymous_memory_keeps_it, "madvise MADV_PAGEOUT")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 2, 1);
	TRY(madvise(p, 3 * page, MADV_PAGEOUT));
	abi_mincore(p, 3);
	abi_pages("pages", p, 3);
}

BEHAVIOUR(pageout_of_shared_memory_keeps_it, "madvise MADV_PAGEOUT")
{
	char *s = abi_map_with(2, RW, SHM, -1, 0);
	int fd = abi_file(2 * page);
	char *f = abi_map_with(2, RW, MAP_SHARED, fd, 0),
	     *q = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);

	abi_fill(s, 2, 1);
	abi_fill(f, 2, 3);
	abi_fill(q, 1, 7);
	TRY(madvise(s, 2 * page, MADV_PAGEOUT));
	TRY(madvise(f, 2 * page, MADV_PAGEOUT));
	TRY(madvise(q, 2 * page, MADV_PAGEOUT));
	abi_pages("shared", s, 2);
	abi_pages("file", f, 2);
	abi_pages("private file", q, 2);
}

BEHAVIOUR(cold_of_a_hole, "madvise MADV_COLD")
{
	char *p = abi_map(3, RW);

	munmap(p + page, page);
	TRY(madvise(p, 3 * page, MADV_COLD));
	TRY(madvise(p, 3 * page, MADV_PAGEOUT));
}

/* ---- limits ---- */

BEHAVIOUR(madvise_split_beyond_max_map_count, "madvise EAGAIN")
{
	char *p = abi_map(3, RW);
	char text[4096];
	int n = 0, fd = open("/proc/self/maps", O_RDONLY);
	long got;

	while ((got = read(fd, text, sizeof(text))) > 0)
		for (long i = 0; i < got; i++)
			n += text[i] == '\n';
	snprintf(text, sizeof(text), "%d", n);
	abi_knob("/proc/sys/vm/max_map_count", text);
	TRY(madvise(p + page, page, MADV_DONTFORK));
	TRY(madvise(p, 3 * page, MADV_DONTFORK));
	abi_maps(p, 3);
}

BEHAVIOUR(madvise_for_machines_without_the_feature, "madvise MADV_MERGEABLE")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(madvise(p, 2 * page, MADV_MERGEABLE));
	TRY(madvise(p, 2 * page, MADV_UNMERGEABLE));
	TRY(madvise(p + 1, 2 * page, MADV_MERGEABLE));
	abi_pages("pages", p, 2);
}

BEHAVIOUR(madvise_hugepage, "madvise MADV_HUGEPAGE")
{
	char *p = abi_map(2, RW);

	TRY(madvise(p, 2 * page, MADV_HUGEPAGE));
	TRY(madvise(p, 2 * page, MADV_NOHUGEPAGE));
	TRY(madvise(p, 2 * page, MADV_COLLAPSE));
	TRY(madvise(p + 1, 2 * page, MADV_HUGEPAGE));
}

BEHAVIOUR(madvise_hwpoison_by_nobody, "madvise MADV_HWPOISON")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	abi_nobody();
	TRY(madvise(p, page, MADV_HWPOISON));
	TRY(madvise(p, page, MADV_SOFT_OFFLINE));
	TRY(madvise(p + 1, page, MADV_HWPOISON));
	abi_pages("pages", p, 2);
}
