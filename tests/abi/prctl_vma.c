/* SPDX-License-Identifier: MIT */
/* prctl: PR_SET_VMA_ANON_NAME. Debian's kernels are built without it; see differences.md. */
#include "abi.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef PR_SET_VMA_ANON_NAME
#define PR_SET_VMA_ANON_NAME 0
#endif

static int name(void *p, size_t pages, const char *text)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, pages * page, text);
}

/* Where names begin and end in @pages pages at @p. */
static void names(const char *p, size_t pages)
{
	char text[1 << 14], *line, *mark;
	unsigned long start, end;

	if (!abi_read_text("/proc/self/maps", text, sizeof(text)))
		abi_fail("cannot read maps");
	for (line = text; *line; line = strchr(line, '\n') + 1) {
		if (sscanf(line, "%lx-%lx ", &start, &end) != 2 || end <= (unsigned long)p ||
		    start >= (unsigned long)p + pages * page)
			continue;
		mark = strstr(line, "[anon");
		if (mark && mark < strchr(line, '\n'))
			abi_say("%lu-%lu %.*s", (start - (unsigned long)p) / page,
			        (end - (unsigned long)p) / page, (int)strcspn(mark, "\n"), mark);
		else
			abi_say("%lu-%lu", (start - (unsigned long)p) / page,
			        (end - (unsigned long)p) / page);
	}
}

BEHAVIOUR(set_vma_with_a_wrong_option, "prctl PR_SET_VMA EINVAL")
{
	char *p = abi_map(1, RW);

	TRY(prctl(PR_SET_VMA, 1, p, page, "x"));
	TRY(prctl(PR_SET_VMA, -1, p, page, "x"));
}

BEHAVIOUR(a_name_splits_and_shows, "prctl PR_SET_VMA_ANON_NAME")
{
	char *p = abi_map(4, RW);

	TRY(name(p + page, 2, "a name"));
	names(p, 4);
	TRY(name(p, 4, NULL));
	names(p, 4);
}

BEHAVIOUR(equal_names_merge, "prctl PR_SET_VMA_ANON_NAME")
{
	char *p = abi_map(4, RW);

	TRY(name(p, 1, "one"));
	TRY(name(p + page, 1, "two"));
	names(p, 4);
	TRY(name(p + page, 1, "one"));
	names(p, 4);
}

BEHAVIOUR(names_of_shared_memory, "prctl PR_SET_VMA_ANON_NAME")
{
	char *p = abi_map_with(2, RW, SHM, -1, 0);

	TRY(name(p, 2, "shared"));
	names(p, 2);
}

BEHAVIOUR(names_of_files, "prctl PR_SET_VMA_ANON_NAME EBADF")
{
	int fd = abi_memfd(page, 0);

	TRY(name(abi_map_with(1, RW, MAP_PRIVATE, fd, 0), 1, "file"));
	TRY(name(abi_map_with(1, RW, MAP_SHARED, fd, 0), 1, "file"));
}

BEHAVIOUR(names_that_are_none, "prctl PR_SET_VMA_ANON_NAME EINVAL")
{
	char *p = abi_map(1, RW), text[100];

	memset(text, 'n', sizeof(text));
	text[80] = 0;
	TRY(name(p, 1, text));
	TRY(name(p, 1, "a[b"));
	TRY(name(p, 1, (char *)8));
	TRY(name(p + 1, 1, "x"));
	TRY(name(p, 1ul << 52, "x"));
	TRY(name(p, 0, "x"));
	TRY(name(p, 2, "x"));
	names(p, 1);
}
