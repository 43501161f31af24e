/* SPDX-License-Identifier: MIT */
/* What memory management itself takes of the memory: `bench footprint`. */
#define _GNU_SOURCE
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RW    (PROT_READ | PROT_WRITE)
#define NVMAS 50000l

/* Bytes. */
static unsigned long meminfo(const char *key)
{
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;

	check(f, "/proc/meminfo");
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			kib = strtoul(line + strlen(key) + 1, NULL, 10);
	fclose(f);
	return kib * 1024;
}

static unsigned long memory_free(void)
{
	return meminfo("MemFree");
}

static void vmas(void)
{
	char *p = map_anon(NVMAS * page, RW, MAP_PRIVATE | MAP_NORESERVE);
	char *q = map_anon(NVMAS * page, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
	unsigned long before = memory_free(), made, tables, touched;
	long i;

	for (i = 0; i < NVMAS; i += 2)
		check(!madvise(p + i * page, page, MADV_DONTDUMP), "madvise");
	made = memory_free();
	printf("footprint bytes per VMA\t%lu\n", (before - made + NVMAS / 2) / NVMAS);
	/* the same tables and pages in one VMA, to take off */
	check(!mprotect(q, NVMAS * page, RW), "mprotect");
	before = memory_free();
	touch(q, NVMAS * page);
	tables = before - memory_free();
	before = memory_free();
	for (i = 0; i < NVMAS; i++)
		store(p + i * page, 1);
	touched = before - memory_free();
	printf("footprint bytes more per VMA with anonymous pages\t%lu\n",
	       touched > tables ? (touched - tables + NVMAS / 2) / NVMAS : 0);
	unmap(p, NVMAS * page);
	unmap(q, NVMAS * page);
}

static void touched(void)
{
	unsigned long before = memory_free(), after;
	char *p = map_aligned(512 * MIB);

	touch(p, 512 * MIB);
	after = memory_free();
	printf("footprint bytes of tables for 512 MiB touched\t%ld\n",
	       (long)(before - after) - (long)(512 * MIB));
	check_touched(p, 512 * MIB);
	unmap(p, 512 * MIB);
}

void footprint(void)
{
	/* what the row's own work keeps for good, so that it does not count */
	touch(map_anon(MIB, RW, MAP_PRIVATE), MIB);
	printf("footprint free memory at the start\t%lu\n", memory_free());
	vmas();
	touched();
}
