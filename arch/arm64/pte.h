/* SPDX-License-Identifier: MIT */
/*
 * The descriptors of VMSAv8-64 stage 1 and the words in which the core speaks of them. This file
 * alone knows bits; section numbers are of the Arm ARM (DDI 0487).
 *
 * An entry is in one of these states:
 *	none		0
 *	valid		the hardware uses it
 *	PROT_NONE	not valid, SW_PROT_NONE set: keeps frame and attributes of a page that
 *			nobody may touch
 *	marker		not valid, nothing mapped: see the end of the file
 * "Present" is valid or PROT_NONE.
 *
 * Dirty state is in software: a page that may be written (PTE_DBM) but is clean is read-only to the
 * hardware (AP[2]), and the first write faults. FEAT_HAFDBS, where used, would clear AP[2] by
 * itself, so pte_dirty() already understands that state.
 */
#ifndef ARM64_PTE_H
#define ARM64_PTE_H

#include <stdbool.h>
#include <mmkit/mman.h>
#include "arch/arm64/pgtable_types.h"

/* D8.3.1: descriptor type. Bit 1 says table at levels 0-2 and page at level 3. */
#define PTE_VALID (1ull << 0)
#define PTE_TABLE (1ull << 1)
#define PTE_PAGE  (1ull << 1)
/* D8.3.2: attributes of pages and blocks. */
#define PTE_ATTR_NORMAL (0ull << 2)	     /* AttrIndx[4:2]: MAIR_EL1 byte 0, Normal write-back */
#define PTE_USER	(1ull << 6)	     /* AP[1]: EL0 may access, D8.4.1 */
#define PTE_RDONLY	(1ull << 7)	     /* AP[2]: no writes, D8.4.1 */
#define PTE_SH_INNER	(3ull << 8)	     /* SH[9:8]: inner shareable, D8.6 */
#define PTE_AF		(1ull << 10)	     /* access flag, D8.5.2; clear: any access faults */
#define PTE_NG		(1ull << 11)	     /* not global: belongs to an ASID, D8.16.3 */
#define PTE_GP		(1ull << 50)	     /* guarded page (BTI), D8.4.7 */
#define PTE_DBM		(1ull << 51)	     /* dirty bit modifier, D8.5.3; here: may be written */
#define PTE_CONT	(1ull << 52)	     /* contiguous hint, D8.7.1; not used yet */
#define PTE_PXN		(1ull << 53)	     /* no execution at EL1, D8.4.2 */
#define PTE_UXN		(1ull << 54)	     /* no execution at EL0, D8.4.2 */
/* D8.3.2: bits 58:55 are reserved for software. */
#define PTE_SW_DIRTY	  (1ull << 55)
#define PTE_SW_SPECIAL	  (1ull << 56) /* not counted: the zero page, a device's frames */
#define PTE_SW_SOFT_DIRTY (1ull << 57) /* written since clear_refs */
#define PTE_SW_PROT_NONE  (1ull << 58) /* present though not valid */
#define PTE_ADDR_MASK	  (((1ull << 48) - 1) & PAGE_MASK)

/* What every page of a program has. */
#define PTE_COMMON                                                                                 \
	(PTE_PAGE | PTE_ATTR_NORMAL | PTE_SH_INNER | PTE_AF | PTE_NG | PTE_PXN | PTE_RDONLY)
/* pte_modify() takes these from the new protection and all else from the old entry. */
#define PTE_PROT_BITS                                                                              \
	(PTE_VALID | PTE_USER | PTE_RDONLY | PTE_GP | PTE_DBM | PTE_PXN | PTE_UXN |                \
	 PTE_SW_PROT_NONE)

static inline pte_t pte_make(phys_addr_t pa, pgprot_t prot)
{
	return (pte_t){pa | prot.v};
}

/* The same for another page; the first was made for address 0. */
static inline pte_t pte_at(pte_t pte, phys_addr_t pa)
{
	return (pte_t){pte.v | pa};
}

static inline phys_addr_t pte_phys(pte_t pte)
{
	return pte.v & PTE_ADDR_MASK;
}

static inline bool pte_none(pte_t pte)
{
	return !pte.v;
}

static inline bool pte_valid(pte_t pte)
{
	return pte.v & PTE_VALID;
}

static inline bool pte_present(pte_t pte)
{
	return pte.v & (PTE_VALID | PTE_SW_PROT_NONE);
}

static inline bool pte_same(pte_t a, pte_t b)
{
	return a.v == b.v;
}

/* May be written by the rules of its VMA; the hardware agrees once it is dirty as well. */
static inline bool pte_write(pte_t pte)
{
	return pte.v & PTE_DBM;
}

static inline bool pte_dirty(pte_t pte)
{
	return (pte.v & PTE_SW_DIRTY) || (pte.v & (PTE_DBM | PTE_RDONLY)) == PTE_DBM;
}

static inline bool pte_young(pte_t pte)
{
	return pte.v & PTE_AF;
}

static inline bool pte_special(pte_t pte)
{
	return pte.v & PTE_SW_SPECIAL;
}

/* A program can run it. */
static inline bool pte_user_exec(pte_t pte)
{
	return (pte.v & (PTE_VALID | PTE_UXN)) == PTE_VALID;
}

/* The hardware lets a program write. */
static inline bool pte_hw_writable(pte_t pte)
{
	return (pte.v & (PTE_VALID | PTE_RDONLY)) == PTE_VALID;
}

static inline pte_t pte_mkwrite(pte_t pte)
{
	pte.v |= PTE_DBM;
	if (pte.v & PTE_SW_DIRTY)
		pte.v &= ~PTE_RDONLY;
	return pte;
}

static inline pte_t pte_wrprotect(pte_t pte)
{
	if (pte_dirty(pte))
		pte.v |= PTE_SW_DIRTY;
	pte.v = (pte.v & ~PTE_DBM) | PTE_RDONLY;
	return pte;
}

static inline pte_t pte_mkdirty(pte_t pte)
{
	pte.v |= PTE_SW_DIRTY | PTE_SW_SOFT_DIRTY;
	if (pte.v & PTE_DBM)
		pte.v &= ~PTE_RDONLY;
	return pte;
}

static inline pte_t pte_mkclean(pte_t pte)
{
	pte.v = (pte.v & ~PTE_SW_DIRTY) | PTE_RDONLY;
	return pte;
}

/* Written since clear_refs last asked? (Whoever clears it takes the right to write as well.) */
static inline bool pte_soft_dirty(pte_t pte)
{
	return pte.v & PTE_SW_SOFT_DIRTY;
}

static inline pte_t pte_mksoft_dirty(pte_t pte)
{
	pte.v |= PTE_SW_SOFT_DIRTY;
	return pte;
}

static inline pte_t pte_clear_soft_dirty(pte_t pte)
{
	pte.v &= ~PTE_SW_SOFT_DIRTY;
	return pte;
}

static inline pte_t pte_mkyoung(pte_t pte)
{
	pte.v |= PTE_AF;
	return pte;
}

static inline pte_t pte_mkold(pte_t pte)
{
	pte.v &= ~PTE_AF;
	return pte;
}

static inline pte_t pte_mkspecial(pte_t pte)
{
	pte.v |= PTE_SW_SPECIAL;
	return pte;
}

/* The same page under another protection; dirty and young stay. */
static inline pte_t pte_modify(pte_t pte, pgprot_t prot)
{
	if (pte_dirty(pte))
		pte.v |= PTE_SW_DIRTY;
	pte.v = (pte.v & ~PTE_PROT_BITS) | (prot.v & PTE_PROT_BITS);
	return pte_write(pte) ? pte_mkwrite(pte) : pte;
}

/* They differ in nothing but the page. */
static inline bool pte_alike(pte_t a, pte_t b)
{
	return !((a.v ^ b.v) & ~PTE_ADDR_MASK);
}

/* The same of four and another one. */
static inline bool ptes_alike(pte_t a, pte_t b, pte_t c, pte_t d, pte_t other)
{
	return !(((a.v ^ other.v) | (b.v ^ other.v) | (c.v ^ other.v) | (d.v ^ other.v)) &
		 ~PTE_ADDR_MASK);
}

/* What leads from one entry to another of the same page, for all that are alike. */
static inline pte_t pte_difference(pte_t from, pte_t to)
{
	return (pte_t){from.v ^ to.v};
}

static inline pte_t pte_apply(pte_t pte, pte_t difference)
{
	return (pte_t){pte.v ^ difference.v};
}

/*
 * Tables: D8.3.1. Of the hierarchical restrictions APTable[1] is used: whatever the entries below
 * say, nothing can be written (D8.4.2, as long as TCR_EL1.HPD0 is 0). So a table may be several
 * address spaces', without a change of its entries.
 */
#define PTE_TABLE_NO_WRITE (1ull << 62)

static inline pte_t table_make(phys_addr_t table)
{
	return (pte_t){table | PTE_TABLE | PTE_VALID};
}

static inline bool pte_is_table(pte_t pte)
{
	return (pte.v & (PTE_TABLE | PTE_VALID)) == (PTE_TABLE | PTE_VALID);
}

/* The same of an entry above the last level, as no blocks are made: what is valid there leads on. */
static inline bool table_leads_on(pte_t pte)
{
	return pte.v & PTE_VALID;
}

static inline pte_t table_mkshared(pte_t pte)
{
	pte.v |= PTE_TABLE_NO_WRITE;
	return pte;
}

static inline pte_t table_mkown(pte_t pte)
{
	pte.v &= ~PTE_TABLE_NO_WRITE;
	return pte;
}

/* Others may have that table as well. */
static inline bool table_is_shared(pte_t pte)
{
	return pte.v & PTE_TABLE_NO_WRITE;
}

/* It leads to a table of this address space alone. */
static inline bool table_is_own(pte_t pte)
{
	return (pte.v & (PTE_TABLE_NO_WRITE | PTE_TABLE | PTE_VALID)) == (PTE_TABLE | PTE_VALID);
}

/*
 * Protection of the pages of a VMA with these flags, as Linux's arm64 protection_map. A private
 * page never gets PTE_DBM from here: it is written after copy-on-write has looked at it. On a CPU
 * without FEAT_PAN3 what may be executed may be read.
 */
extern const pgprot_t protection_map[16];
static inline pgprot_t vm_get_page_prot(uint64_t vm_flags)
{
	pgprot_t prot = protection_map[vm_flags & (MMK_VM_READ | MMK_VM_WRITE | MMK_VM_EXEC |
						   MMK_VM_SHARED)];

	if (unlikely(vm_flags & MMK_VM_ARM64_BTI) && (prot.v & PTE_VALID))
		prot.v |= PTE_GP;
	return prot;
}

/*
 * Markers: what a non-present entry other than none means. Guards (madvise) are made; the other
 * kinds are reserved.
 *	bits 1:0   0, bit 58 0: neither valid nor PROT_NONE
 *	bits 7:2   kind
 *	bits 57:12 payload: swap slot, frame under migration
 */
enum pte_marker_kind {
	PTE_MARKER_NONE,
	PTE_MARKER_SWAP,
	PTE_MARKER_MIGRATION,
	PTE_MARKER_GUARD,
	PTE_MARKER_UFFD_WP,
	PTE_MARKER_POISONED,
};

static inline enum pte_marker_kind pte_marker_kind(pte_t pte)
{
	return (enum pte_marker_kind)((pte.v >> 2) & 0x3f);
}

static inline pte_t pte_make_marker(enum pte_marker_kind kind, uint64_t payload)
{
	return (pte_t){(uint64_t)kind << 2 | payload << 12};
}

static inline bool pte_is_guard(pte_t pte)
{
	return !pte_present(pte) && pte_marker_kind(pte) == PTE_MARKER_GUARD;
}

#endif
