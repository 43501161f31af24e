/* SPDX-License-Identifier: MIT */
/*
 * Frames that a program has given up, on a machine that then runs short of them: more memory is
 * written than there is, and nobody is killed. To be run alone, on a small machine.
 */
#include "guest.h"

#define PAGE 4096ul

/* Pages, seven tenths of what the system says that it could give. */
static size_t most_of_memory(void)
{
	unsigned long kb = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lu kB", &kb) == 1)
			break;
	fclose(f);
	CHECK(kb > 16384);
	return kb * 1024 / 10 * 7 / PAGE;
}

static char *map_most(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static unsigned char pattern(size_t page)
{
	return (unsigned char)(page % 251 + 1);
}

static void fill(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		p[i * PAGE] = (char)pattern(i);
}

TEST(freed_memory_makes_room_and_what_is_stored_later_stays)
{
	size_t n = most_of_memory(), gone = 0;
	char *p = map_most(n), *q;

	fill(p, n);
	CHECK_EQ(madvise(p, n * PAGE, MADV_FREE), 0);
	for (size_t i = 0; i < n; i += 16)
		p[i * PAGE + 1] = 0x55;
	q = map_most(n);
	fill(q, n);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i * PAGE];

		if (i % 16 == 0)
			CHECK(c == pattern(i) && p[i * PAGE + 1] == 0x55);
		CHECK(c == pattern(i) || !c);
		gone += !c;
	}
	CHECK(gone > n / 4);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ((unsigned char)q[i * PAGE], pattern(i));
}
