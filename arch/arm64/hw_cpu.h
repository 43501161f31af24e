/* SPDX-License-Identifier: MIT */
/*
 * The MMU's instructions where mmkit runs on the CPU that walks the tables (MMK_HW_ARM64).
 * hw_soft.h has the same functions for all other builds.
 */
#ifndef ARM64_HW_CPU_H
#define ARM64_HW_CPU_H

static inline void hw_pte_written(struct mmk_system *sys, pte_t *ptep, pte_t old, pte_t val,
				  unsigned level)
{
}

/* Operand of TLBI by address: ASID in 63:48, VA[55:12] in 43:0, no TTL hint (Arm ARM C5.5). */
static inline uint64_t tlbi_operand(unsigned asid, unsigned long va)
{
	return (uint64_t)asid << 48 | ((va >> 12) & ((1ull << 44) - 1));
}

static inline void hw_tlbi_va(struct mmk_system *sys, unsigned asid, unsigned long va, bool last)
{
	uint64_t op = tlbi_operand(asid, va);

	if (last)
		__asm__ volatile("tlbi vale1is, %0" ::"r"(op) : "memory");
	else
		__asm__ volatile("tlbi vae1is, %0" ::"r"(op) : "memory");
}

static inline void hw_tlbi_asid(struct mmk_system *sys, unsigned asid)
{
	__asm__ volatile("tlbi aside1is, %0" ::"r"((uint64_t)asid << 48) : "memory");
}

static inline void hw_tlbi_all(struct mmk_system *sys)
{
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
}

static inline void hw_dsb_ishst(struct mmk_system *sys)
{
	__asm__ volatile("dsb ishst" ::: "memory");
}

static inline void hw_dsb_ish(struct mmk_system *sys)
{
	__asm__ volatile("dsb ish" ::: "memory");
}

static inline void hw_isb(struct mmk_system *sys)
{
	__asm__ volatile("isb" ::: "memory");
}

/*
 * Clean the data cache to the point of unification and forget the instruction cache, as far as
 * CTR_EL0 (D19.2.34) says that this CPU needs it: IDC (bit 28) spares the first, DIC (29) the
 * second.
 */
static inline void hw_sync_icache(struct mmk_system *sys, const void *kva, size_t len)
{
	uintptr_t end = (uintptr_t)kva + len, p;
	uint64_t ctr;

	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	if (!(ctr & (1ull << 28))) {
		uintptr_t line = 4ul << ((ctr >> 16) & 15);

		for (p = (uintptr_t)kva & ~(line - 1); p < end; p += line)
			__asm__ volatile("dc cvau, %0" ::"r"(p) : "memory");
	}
	__asm__ volatile("dsb ish" ::: "memory");
	if (!(ctr & (1ull << 29))) {
		uintptr_t line = 4ul << (ctr & 15);

		for (p = (uintptr_t)kva & ~(line - 1); p < end; p += line)
			__asm__ volatile("ic ivau, %0" ::"r"(p) : "memory");
		__asm__ volatile("dsb ish" ::: "memory");
	}
	__asm__ volatile("isb" ::: "memory");
}

/*
 * DC ZVA zeroes a block of 4 << DCZID_EL0.BS bytes (D19.2.39); DZP (bit 4) forbids it. Sixteen to a
 * round, as long as a round fits into a page.
 */
static inline void hw_clear_page(void *kva)
{
	uintptr_t p = (uintptr_t)kva, end = p + PAGE_SIZE;
	uint64_t dczid, block;

	__asm__("mrs %0, dczid_el0" : "=r"(dczid));
	block = 4ul << (dczid & 15);
	if (__builtin_expect(dczid & 16 || 16 * block > PAGE_SIZE, 0)) {
		__builtin_memset(kva, 0, PAGE_SIZE);
		return;
	}
	__asm__ volatile("1:\n\t"
			 ".rept 16\n\t"
			 "dc zva, %0\n\tadd %0, %0, %1\n\t"
			 ".endr\n\t"
			 "cmp %0, %2\n\tb.ne 1b"
			 : "+&r"(p)
			 : "r"(block), "r"(end)
			 : "memory", "cc");
}

/* TTBR0_EL1: ASID in 63:48 (TCR_EL1.A1 is 0), table in 47:1 (D19.2.155). */
static inline void hw_set_ttbr0(struct mmk_system *sys, phys_addr_t table, unsigned asid)
{
	__asm__ volatile("msr ttbr0_el1, %0" ::"r"((uint64_t)asid << 48 | table) : "memory");
}

static inline void hw_frame_freed(struct mmk_system *sys, phys_addr_t phys, unsigned order)
{
}

/* An address taken from what was loaded orders the loads by itself. */
#define MMK_DEPENDENT_LOAD __ATOMIC_RELAXED

static inline bool hw_skip_break(void)
{
	return false;
}

#endif
