/* SPDX-License-Identifier: MIT */
/*
 * The shadow of the instruction caches: what a CPU may still have of each line of each frame. The
 * core brings a line in step with sync_icache (DC CVAU, IC IVAU: Arm ARM B2.7.4.2); a line that was
 * never brought in step since its frame was allocated may hold anything.
 */
#include <stdlib.h>
#include <string.h>
#include "port/hosted/internal.h"

#define LINE_SHIFT 6

static struct icache_page **slot(struct hosted *h, uint64_t pa)
{
	return hosted_phys(h, pa) ? &h->icache[(pa - h->config.ram_phys) >> H_PAGE_SHIFT] : NULL;
}

/* Bits of the lines that [offset, offset + n) of a page meets. */
static uint64_t lines_of(uint64_t offset, size_t n)
{
	unsigned first = (unsigned)(offset >> LINE_SHIFT);
	unsigned last = (unsigned)((offset + n - 1) >> LINE_SHIFT);

	return (~(uint64_t)0 >> (63 - (last - first))) << first;
}

static void sync_page(struct hosted *h, uint64_t pa, size_t n)
{
	struct icache_page **at = slot(h, pa);
	uint64_t lines = lines_of(pa & (H_PAGE - 1), n);
	const uint8_t *bytes = hosted_phys(h, pa & ~(H_PAGE - 1));

	if (!at)
		return;
	if (!*at)
		*at = calloc(1, sizeof(**at));
	if (!*at)
		abort();
	for (unsigned i = 0; i < 64; i++)
		if (lines >> i & 1)
			memcpy((*at)->bytes + ((size_t)i << LINE_SHIFT),
			       bytes + ((size_t)i << LINE_SHIFT), (size_t)1 << LINE_SHIFT);
	(*at)->valid |= lines;
}

void hosted_sync_icache(void *ctx, const void *kva, size_t len)
{
	struct hosted *h = ctx;
	uint64_t pa = (uint64_t)((const uint8_t *)kva - h->ram) + h->config.ram_phys;

	pthread_mutex_lock(&h->mmu_lock);
	while (len) {
		size_t n = H_PAGE - (pa & (H_PAGE - 1));

		n = n < len ? n : len;
		sync_page(h, pa, n);
		pa += n;
		len -= n;
	}
	pthread_mutex_unlock(&h->mmu_lock);
}

void hosted_icache_fetch(struct hosted *h, unsigned long va, uint64_t pa, size_t n)
{
	struct icache_page **at = slot(h, pa);
	uint64_t offset = pa & (H_PAGE - 1);
	uint64_t lines = lines_of(offset, n);

	if (!at)
		return;
	if (!*at || ((*at)->valid & lines) != lines)
		hosted_violation(h, HOSTED_ICACHE,
		                 "instructions at %#lx (frame %#llx) are executed, and sync_icache "
		                 "was never called for them",
		                 va, (unsigned long long)(pa - offset));
	else if (memcmp((*at)->bytes + offset, hosted_phys(h, pa), n))
		hosted_violation(
		    h, HOSTED_ICACHE,
		    "instructions at %#lx (frame %#llx) have changed since sync_icache was called",
		    va, (unsigned long long)(pa - offset));
}

/* A program has stored there, and does its own maintenance. */
void hosted_icache_store(struct hosted *h, uint64_t pa, size_t n)
{
	struct icache_page **at = slot(h, pa);
	uint64_t offset = pa & (H_PAGE - 1);

	if (at && *at)
		memcpy((*at)->bytes + offset, hosted_phys(h, pa), n);
}

void hosted_icache_forget(struct hosted *h, uint64_t phys, unsigned order)
{
	for (uint64_t pa = phys; pa < phys + (H_PAGE << order); pa += H_PAGE) {
		struct icache_page **at = slot(h, pa);

		if (at && *at)
			(*at)->valid = 0;
	}
}

void hosted_icache_release(struct hosted *h)
{
	for (uint64_t i = 0; i < h->config.ram_size >> H_PAGE_SHIFT; i++)
		free(h->icache[i]);
	free(h->icache);
}
