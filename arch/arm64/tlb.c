/* SPDX-License-Identifier: MIT */
/*
 * TLB and instruction-cache maintenance (Arm ARM D8.16, B2.7.4). Each flush is: make the changed
 * entries visible (DSB ISHST), invalidate on all CPUs of the inner shareable domain, wait (DSB
 * ISH). An mm that never ran has nothing to forget.
 */
#include "mm/internal.h"
#include "arch/arm64/pgtable.h"

/* From this many pages on one invalidation of the ASID is cheaper than one of each page. */
#define FLUSH_ASID_PAGES 64

#ifdef MMK_TEST_HOOKS
bool mmk_test_skip_break;
#endif

static unsigned mm_asid(const struct mm_struct *mm)
{
	return atomic_load_explicit(&mm->context, memory_order_acquire) & ASID_MASK;
}

/* The changed entries become visible. False: that is all there is to do. */
static bool flush_begin(const struct mm_struct *mm)
{
	hw_dsb_ishst(mm->sys);
	count_event(mm->sys, dsb);
	/* The entry before the look who uses the mm: mmk_mm_activate() has it the other way round. */
	atomic_thread_fence(memory_order_seq_cst);
	return tlb_may_hold(mm);
}

static void flush_end(struct mmk_system *sys)
{
	hw_dsb_ish(sys);
	count_event(sys, dsb);
}

void flush_tlb_page(struct mm_struct *mm, unsigned long addr)
{
	struct mmk_system *sys = mm->sys;

	if (!flush_begin(mm))
		return;
	hw_tlbi_va(sys, mm_asid(mm), addr, true);
	stat_inc(sys, tlbi_va);
	flush_end(sys);
}

void flush_tlb_mm(struct mm_struct *mm)
{
	struct mmk_system *sys = mm->sys;

	if (!flush_begin(mm))
		return;
	hw_tlbi_asid(sys, mm_asid(mm));
	stat_inc(sys, tlbi_asid);
	flush_end(sys);
}

void flush_tlb_range(struct mm_struct *mm, unsigned long start, unsigned long end, bool tables)
{
	struct mmk_system *sys = mm->sys;
	unsigned asid;

	if ((end - start) >> PAGE_SHIFT > FLUSH_ASID_PAGES) {
		flush_tlb_mm(mm);
		return;
	}
	if (!flush_begin(mm))
		return;
	asid = mm_asid(mm);
	for (unsigned long addr = start; addr < end; addr += PAGE_SIZE)
		hw_tlbi_va(sys, asid, addr, !tables);
	stat_add(sys, tlbi_va, (end - start) >> PAGE_SHIFT);
	flush_end(sys);
}

void ptep_clear_flush(struct mm_struct *mm, pte_t *ptep, unsigned long addr)
{
	if (hw_skip_break())
		return;
	set_pte(mm->sys, ptep, (pte_t){0});
	flush_tlb_page(mm, addr);
}

void sync_icache_page(struct mmk_system *sys, struct page *page)
{
	uint32_t flags = atomic_load_explicit(&page->flags, memory_order_acquire);

	if (flags & PG_EXEC_CLEAN)
		return;
	hw_sync_icache(sys, page_address(sys, page), PAGE_SIZE);
	atomic_fetch_or_explicit(&page->flags, PG_EXEC_CLEAN, memory_order_release);
}
