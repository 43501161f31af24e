/* SPDX-License-Identifier: MIT */
/* munmap, mprotect and what /proc/self/maps shows of them: splits, merges, holes. */
#include "guest.h"

#include <sys/sysmacros.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* @pages read-write pages that have no mapping of the same kind beside them. */
static char *island(size_t pages)
{
	char *hole = map_reserved(pages);

	return map(hole, pages * page, RW, ANON | MAP_FIXED, -1, 0);
}

TEST(munmap_in_the_middle_splits)
{
	char *p = island(5);

	memset(p, 1, 5 * page);
	CHECK(!munmap(p + 2 * page, page));
	CHECK_MAP(p, 5, "rw-p:2 .:1 rw-p:2");
	CHECK(is_all(p, 1, 2 * page));
	CHECK(is_all(p + 3 * page, 1, 2 * page));
	CHECK_FAULT(try_read(p + 2 * page), SIGSEGV, SEGV_MAPERR, p + 2 * page);
}

TEST(munmap_of_the_head_and_of_the_tail)
{
	char *p = island(5);

	CHECK(!munmap(p, page));
	CHECK(!munmap(p + 4 * page, page));
	CHECK_MAP(p, 5, ".:1 rw-p:3 .:1");
}

TEST(munmap_across_mappings_and_holes)
{
	char *p = island(6);

	CHECK(!munmap(p + page, page));
	CHECK(!mprotect(p + 3 * page, page, PROT_READ));
	CHECK(!munmap(p + page, 3 * page));
	CHECK_MAP(p, 6, "rw-p:1 .:3 rw-p:2");
}

TEST(munmap_of_nothing_succeeds)
{
	char *p = map_reserved(2);

	CHECK(!munmap(p, 2 * page));
}

TEST(munmap_rounds_the_length_up)
{
	char *p = island(3);

	CHECK(!munmap(p, page + 1));
	CHECK_MAP(p, 3, ".:2 rw-p:1");
}

TEST(munmap_refusals_EINVAL)
{
	char *p = island(2);

	CHECK_FAILS(munmap(p + 1, page), EINVAL);
	CHECK_FAILS(munmap(p, 0), EINVAL);
	CHECK_FAILS(syscall(SYS_munmap, 1UL << 52, page), EINVAL);
	CHECK_FAILS(syscall(SYS_munmap, p, 1UL << 52), EINVAL);
	CHECK_FAILS(syscall(SYS_munmap, p, ~0UL), EINVAL);
	CHECK_MAP(p, 2, "rw-p:2");
}

TEST(memory_is_zero_again_after_munmap_and_mmap)
{
	char *p = island(4);

	memset(p, 1, 4 * page);
	CHECK(!munmap(p, 4 * page));
	map(p, 4 * page, RW, ANON | MAP_FIXED, -1, 0);
	CHECK(is_all(p, 0, 4 * page));
}

TEST(mprotect_in_the_middle_splits_and_merges_back)
{
	char *p = island(5);

	memset(p, 1, 5 * page);
	CHECK(!mprotect(p + 2 * page, page, PROT_READ));
	CHECK_MAP(p, 5, "rw-p:2 r--p:1 rw-p:2");
	CHECK(!mprotect(p + 2 * page, page, RW));
	CHECK_MAP(p, 5, "rw-p:5");
	CHECK(is_all(p, 1, 5 * page));
}

TEST(mprotect_of_head_and_tail)
{
	char *p = island(4);

	CHECK(!mprotect(p, page, PROT_READ));
	CHECK(!mprotect(p + 3 * page, page, PROT_NONE));
	CHECK_MAP(p, 4, "r--p:1 rw-p:2 ---p:1");
}

TEST(mprotect_across_mappings)
{
	char *p = island(6);

	CHECK(!mprotect(p + 2 * page, page, PROT_READ));
	CHECK(!mprotect(p + 3 * page, page, PROT_NONE));
	CHECK(!mprotect(p + page, 4 * page, PROT_READ));
	CHECK_MAP(p, 6, "rw-p:1 r--p:4 rw-p:1");
}

TEST(mprotect_changes_what_lies_before_a_hole_ENOMEM)
{
	char *p = island(5);

	CHECK(!munmap(p + 2 * page, page));
	CHECK_FAILS(mprotect(p, 5 * page, PROT_READ), ENOMEM);
	CHECK_MAP(p, 5, "r--p:2 .:1 rw-p:2");
}

TEST(mprotect_of_a_hole_ENOMEM)
{
	char *p = map_reserved(2);

	CHECK_FAILS(mprotect(p, page, PROT_READ), ENOMEM);
}

TEST(mprotect_refusals)
{
	char *p = island(2);

	CHECK_FAILS(mprotect(p + 1, page, PROT_READ), EINVAL);
	CHECK_FAILS(mprotect(p, page, 0x100), EINVAL);
	CHECK_FAILS(mprotect(p, page, RW | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
	CHECK_FAILS(mprotect(p, page, PROT_READ | PROT_GROWSDOWN), EINVAL);
	CHECK_FAILS(syscall(SYS_mprotect, p, ~0UL - page, PROT_READ), ENOMEM);
	CHECK(!mprotect(p, 0, PROT_READ));
	CHECK_MAP(p, 2, "rw-p:2");
}

TEST(mprotect_takes_the_right_away_and_gives_it_back)
{
	char *p = island(1);

	p[0] = 5;
	CHECK(!mprotect(p, page, PROT_READ));
	CHECK_FAULT(try_write(p + 3, 1), SIGSEGV, SEGV_ACCERR, p + 3);
	CHECK_EQ(p[0], 5);
	CHECK(!mprotect(p, page, PROT_NONE));
	CHECK_FAULT(try_read(p + 3), SIGSEGV, SEGV_ACCERR, p + 3);
	CHECK(!mprotect(p, page, RW));
	CHECK_NO_FAULT(try_write(p + 3, 1));
	CHECK_EQ(p[0], 5);
}

TEST(mprotect_before_the_first_touch)
{
	char *p = island(2);

	CHECK(!mprotect(p, 2 * page, PROT_READ));
	CHECK_FAULT(try_write(p, 1), SIGSEGV, SEGV_ACCERR, p);
	CHECK_EQ(p[0], 0);
	CHECK(!mprotect(p, 2 * page, RW));
	CHECK_NO_FAULT(try_write(p, 1));
}

TEST(adjacent_anonymous_mappings_merge)
{
	char *p = map_reserved(4);

	map(p, page, RW, ANON | MAP_FIXED, -1, 0);
	map(p + 2 * page, page, RW, ANON | MAP_FIXED, -1, 0);
	CHECK_MAP(p, 4, "rw-p:1 .:1 rw-p:1 .:1");
	map(p + page, page, RW, ANON | MAP_FIXED, -1, 0);
	CHECK_MAP(p, 4, "rw-p:3 .:1");
	map(p + 3 * page, page, PROT_READ, ANON | MAP_FIXED, -1, 0);
	CHECK_MAP(p, 4, "rw-p:3 r--p:1");
}

TEST(file_mappings_merge_when_their_offsets_meet)
{
	char *p = map_reserved(4);
	int fd = test_file(8 * page);

	map(p, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	map(p + page, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, page);
	CHECK_MAP(p, 2, "r--p:2");
	map(p + 2 * page, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 5 * page);
	map(p + 3 * page, page, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 6 * page);
	CHECK_MAP(p, 4, "r--p:2 r--p:1 r--s:1");
}

TEST(split_of_a_file_mapping_moves_the_offset)
{
	int fd = test_file(5 * page);
	char *p = map(NULL, 4 * page, PROT_READ, MAP_SHARED, fd, page);
	struct vma v;

	CHECK(!munmap(p + page, page));
	v = vma_of(p + 2 * page);
	CHECK_EQ(v.start, p + 2 * page);
	CHECK_EQ(v.offset, 3 * page);
	CHECK(is_file_pattern(p + 2 * page, 3 * page, 2 * page));
	CHECK(is_file_pattern(p, page, page));
}

TEST(maps_line_of_a_file)
{
	int fd = test_file(4 * page);
	char *p = map(NULL, 2 * page, RW, MAP_SHARED, fd, page);
	char want[512], *pad;
	struct vma v = vma_of(p);
	struct stat st;
	int len;

	CHECK(!fstat(fd, &st));
	CHECK_EQ(v.inode, st.st_ino);
	CHECK_EQ(v.major, major(st.st_dev));
	CHECK_EQ(v.minor, minor(st.st_dev));
	len = snprintf(want, sizeof(want), "%08lx-%08lx rw-s %08lx %02x:%02x %lu ",
	               (unsigned long)p, (unsigned long)p + 2 * page, (unsigned long)page,
	               major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino);
	/* the name begins in column 73 */
	pad = want + len;
	while (pad < want + 73)
		*pad++ = ' ';
	strcpy(pad, test_file_path());
	if (strcmp(v.text, want))
		test_fail("maps says \"%s\", not \"%s\"", v.text, want);
}

TEST(maps_line_of_a_deleted_file)
{
	int fd = test_file(page);
	char *p = map(NULL, page, RW, MAP_PRIVATE, fd, 0), want[300];

	CHECK(!unlink(test_file_path()));
	snprintf(want, sizeof(want), "%s (deleted)", test_file_path());
	CHECK(!strcmp(vma_of(p).name, want));
}

TEST(maps_line_of_anonymous_memory)
{
	char *p = island(3), want[128];

	snprintf(want, sizeof(want), "%08lx-%08lx rw-p 00000000 00:00 0 ", (unsigned long)p,
	         (unsigned long)p + 3 * page);
	if (strcmp(vma_of(p).text, want))
		test_fail("maps says \"%s\", not \"%s\"", vma_of(p).text, want);
}

TEST(maps_line_of_shared_anonymous_memory)
{
	char *p = map_anon_shared(2);
	struct vma v = vma_of(p);

	CHECK(!strcmp(v.perms, "rw-s"));
	CHECK(!strcmp(v.name, "/dev/zero (deleted)"));
	CHECK_EQ(v.offset, 0);
	CHECK(v.inode != 0);
}

TEST(maps_names_heap_stack_and_program)
{
	char here = 0;
	struct vma v;
	char exe[256] = "";

	CHECK(sbrk(page) != (void *)-1);
	v = vma_of((char *)sbrk(0) - 1);
	CHECK(!strcmp(v.name, "[heap]"));
	CHECK(!strcmp(v.perms, "rw-p"));
	CHECK(!strcmp(vma_of(&here).name, "[stack]"));
	v = vma_of((void *)vma_of);
	CHECK(!strcmp(v.perms, "r-xp"));
	CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	CHECK(!strcmp(v.name, exe));
}

TEST(maps_is_sorted_and_does_not_overlap)
{
	unsigned long end = 0;
	struct vma v;

	while (vma_at((void *)end, &v) || end < 1UL << 48) {
		if (v.start > end || v.end <= end) {
			FILE *f = fopen("/proc/self/maps", "r");
			char line[512];

			end = 0;
			while (f && fgets(line, sizeof(line), f)) {
				unsigned long s, e;

				CHECK_EQ(sscanf(line, "%lx-%lx ", &s, &e), 2);
				CHECK(s >= end && e > s);
				end = e;
			}
			CHECK(end > 0);
			return;
		}
		end = v.end;
	}
}

TEST(prot_none_reserves_and_faults)
{
	char *p = map(NULL, 4 * page, PROT_NONE, ANON, -1, 0);

	CHECK(!strcmp(vma_of(p).perms, "---p"));
	CHECK_FAULT(try_read(p + 9), SIGSEGV, SEGV_ACCERR, p + 9);
	CHECK_FAULT(try_write(p + 9, 1), SIGSEGV, SEGV_ACCERR, p + 9);
}

TEST(write_only_mapping_can_be_read)
{
	char *p = map(NULL, page, PROT_WRITE, ANON, -1, 0);

	CHECK(!strcmp(vma_of(p).perms, "-w-p"));
	CHECK_NO_FAULT(try_write(p, 4));
	CHECK_NO_FAULT(try_read(p));
	CHECK_EQ(p[0], 4);
}

TEST(many_small_mappings)
{
	char *p = map_reserved(1000);
	int i;

	for (i = 0; i < 1000; i += 2) {
		map(p + i * page, page, RW, ANON | MAP_FIXED, -1, 0);
		*(int *)(p + i * page) = i;
	}
	CHECK_EQ(vmas_between(p, p + 1000 * page), 500);
	for (i = 0; i < 1000; i += 4)
		CHECK(!munmap(p + i * page, page));
	CHECK_EQ(vmas_between(p, p + 1000 * page), 250);
	for (i = 2; i < 1000; i += 4)
		CHECK_EQ(*(int *)(p + i * page), i);
}
