/* SPDX-License-Identifier: MIT */
/*
 * The MMU's instructions where a machine of the port's stands for the CPU: one call each, in the
 * order in which hw_cpu.h would issue them.
 */
#ifndef ARM64_HW_SOFT_H
#define ARM64_HW_SOFT_H

static inline void hw_pte_written(struct mmk_system *sys, pte_t *ptep, pte_t old, pte_t val,
				  unsigned level)
{
	sys->port->machine->pte_written(sys->ctx, &ptep->v, old.v, val.v, level);
}

static inline void hw_tlbi_va(struct mmk_system *sys, unsigned asid, unsigned long va, bool last)
{
	sys->port->machine->tlbi_va(sys->ctx, asid, va, last);
}

static inline void hw_tlbi_asid(struct mmk_system *sys, unsigned asid)
{
	sys->port->machine->tlbi_asid(sys->ctx, asid);
}

static inline void hw_tlbi_all(struct mmk_system *sys)
{
	sys->port->machine->tlbi_all(sys->ctx);
}

static inline void hw_dsb_ishst(struct mmk_system *sys)
{
	sys->port->machine->dsb_ishst(sys->ctx);
}

static inline void hw_dsb_ish(struct mmk_system *sys)
{
	sys->port->machine->dsb_ish(sys->ctx);
}

static inline void hw_isb(struct mmk_system *sys)
{
	sys->port->machine->isb(sys->ctx);
}

static inline void hw_sync_icache(struct mmk_system *sys, const void *kva, size_t len)
{
	sys->port->machine->sync_icache(sys->ctx, kva, len);
}

static inline void hw_clear_page(void *kva)
{
	__builtin_memset(kva, 0, PAGE_SIZE);
}

static inline void hw_set_ttbr0(struct mmk_system *sys, phys_addr_t table, unsigned asid)
{
	sys->port->machine->set_ttbr0(sys->ctx, table, asid);
}

static inline void hw_frame_freed(struct mmk_system *sys, phys_addr_t phys, unsigned order)
{
	sys->port->machine->frame_freed(sys->ctx, phys, order);
}

/* C knows of no order by dependence that a compiler would keep. */
#define MMK_DEPENDENT_LOAD __ATOMIC_ACQUIRE

/*
 * A test of the tests: the strict TLB must notice when the break of break-before-make is left out.
 */
#ifdef MMK_TEST_HOOKS
extern bool mmk_test_skip_break;
static inline bool hw_skip_break(void)
{
	return mmk_test_skip_break;
}
#else
static inline bool hw_skip_break(void)
{
	return false;
}
#endif

#endif
