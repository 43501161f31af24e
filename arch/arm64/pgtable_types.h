/* SPDX-License-Identifier: MIT */
/*
 * Shapes and sizes of arm64's stage 1 translation tables (Arm ARM D8.2), from two build constants:
 * the granule and the number of address bits. Levels are the architecture's: the last is 3, the
 * first depends on the constants. Nothing here knows a bit of a descriptor; pte.h does.
 */
#ifndef ARM64_PGTABLE_TYPES_H
#define ARM64_PGTABLE_TYPES_H

#include <stdint.h>

#ifndef MMK_PAGE_SHIFT
#define MMK_PAGE_SHIFT 12
#endif
#ifndef MMK_VA_BITS
#define MMK_VA_BITS 48
#endif

#define PAGE_SHIFT MMK_PAGE_SHIFT
#define PAGE_SIZE  (1ul << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define VA_BITS	   MMK_VA_BITS
#define TASK_SIZE  (1ul << VA_BITS)

/* A table is one page of 8-byte descriptors, so each level resolves this many bits. */
#define TABLE_SHIFT	(PAGE_SHIFT - 3)
#define PTRS_PER_TABLE	(1ul << TABLE_SHIFT)
#define PGTABLE_LEVELS	((VA_BITS - PAGE_SHIFT + TABLE_SHIFT - 1) / TABLE_SHIFT)
#define LAST_LEVEL	3u
#define FIRST_LEVEL	(4u - PGTABLE_LEVELS)
/* What one entry of a level covers. */
#define LEVEL_SHIFT(level) (PAGE_SHIFT + TABLE_SHIFT * (LAST_LEVEL - (level)))
#define LEVEL_SIZE(level)  (1ul << LEVEL_SHIFT(level))
/* What one last-level table covers. */
#define TABLE_SIZE (PAGE_SIZE * PTRS_PER_TABLE)

_Static_assert(MMK_PAGE_SHIFT == 12 || MMK_PAGE_SHIFT == 14 || MMK_PAGE_SHIFT == 16, "granules");
_Static_assert(MMK_VA_BITS >= 36 && MMK_VA_BITS <= 48, "52-bit addresses need other descriptors");

typedef uint64_t phys_addr_t;
/* A descriptor of any level. */
typedef struct {
	uint64_t v;
} pte_t;
/* The bits of a descriptor that say how, not where. */
typedef struct {
	uint64_t v;
} pgprot_t;

/*
 * An address without the tag that TBI ignores (Arm ARM D8.8.1). Only the lower half has tags (bit 55 clear): an
 * address beyond it stays what it is, as signals show it.
 */
static inline unsigned long untagged_addr(unsigned long addr)
{
	return addr & (unsigned long)((int64_t)((uint64_t)addr << 8) >> 8);
}

#endif
