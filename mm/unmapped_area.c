/* SPDX-License-Identifier: MIT */
/*
 * Where a mapping goes (step 6). Two layouts of an address space:
 *
 *	top-down   0 .. program, heap ->      <- mappings | gap for the stack | <- stack ..
 *TASK_SIZE mmap_base ^ bottom-up  0 .. program, heap ->  | mappings ->                         <-
 *stack .. TASK_SIZE TASK_SIZE / 4 + rnd ^ mmap_base
 *
 * The index finds holes between ranges; that a growing VMA wants its guard gap below left free is
 *looked at afterwards, since there is hardly ever more than one.
 */
#include "mm/internal.h"
#include "mm/vma.h"

#define SZ_128M            (128ul << 20)
#define SZ_1G              (1ul << 30)
#define TASK_UNMAPPED_BASE PAGE_ALIGN(TASK_SIZE / 4)
/* The stack's top varies by this much (a power of two). */
#define STACK_RANDOM SZ_1G

/* A hole of len bytes in [low, high), clear of guard gaps, and what follows it; ~0 if there is
 * none. */
static inline unsigned long find_gap(struct mm_struct *mm, unsigned long len,
                                     unsigned long low, unsigned long high, bool top_down,
                                     struct hole *hole)
{
	for (;;) {
		struct vm_area_struct *next;
		struct range_node *behind;
		unsigned long addr;

		if (high < low || high - low < len)
			return ~0ul;
		addr = top_down ? range_find_highest(&mm->vmas, len, low, high, &behind) :
				  range_find_lowest(&mm->vmas, len, low, high, &behind);
		if (addr == ~0ul)
			return addr;
		next = range_to_vma(behind);
		if (likely(!next || vma_start_gap(next) >= addr + len)) {
			*hole = (struct hole){.found = true, .next = next};
			return addr;
		}
		if (top_down)
			high = vma_start_gap(next);
		else
			low = next->vm_end;
	}
}

static inline unsigned long search(struct mm_struct *mm, unsigned long len, struct hole *hole)
{
	unsigned long addr;

	if (mm->mmap_legacy)
		return find_gap(mm, len, mm->mmap_base, TASK_SIZE, false, hole);
	addr = find_gap(mm, len, lowest_choice(mm->sys), mm->mmap_base, true, hole);
	if (unlikely(addr == ~0ul)) /* perhaps above the base, rather than failing */
		addr = find_gap(mm, len, TASK_UNMAPPED_BASE, TASK_SIZE, false, hole);
	return addr;
}

unsigned long unmapped_area_anywhere(struct mmk_task *task, struct mm_struct *mm,
                                     unsigned long len, struct hole *hole)
{
	unsigned long addr;

	hole->found = false;
	if (unlikely(len > TASK_SIZE))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_LENGTH_TASK_SIZE, len, 0);
	addr = search(mm, len, hole);
	if (unlikely(addr == ~0ul))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_GAP, len, 0);
	return addr;
}

static bool hint_is_free(const struct mm_struct *mm, unsigned long addr, unsigned long len,
                         struct hole *hole)
{
	struct vm_area_struct *next;

	if (addr > TASK_SIZE - len || addr < lowest_choice(mm->sys))
		return false;
	next = find_vma(mm, addr);
	if (next && addr + len > vma_start_gap(next))
		return false;
	*hole = (struct hole){.found = true, .next = next};
	return true;
}

static unsigned long choose(struct mmk_task *task, struct mm_struct *mm, struct file *file,
                            unsigned long addr, unsigned long len, uint64_t pgoff,
                            unsigned long flags, struct hole *hole)
{
	if (unlikely(file && file->f_op && file->f_op->get_unmapped_area)) {
		addr = file->f_op->get_unmapped_area(file, addr, len, pgoff, flags);
		if (IS_ERR_VALUE(addr))
			refuse(task, (long)addr, MMK_REASON_FILE_AREA, 0 - addr, 0);
		return addr;
	}
	if (flags & MMK_MAP_FIXED)
		return addr;
	if (addr && hint_is_free(mm, PAGE_ALIGN(addr), len, hole))
		return PAGE_ALIGN(addr);
	return unmapped_area_anywhere(task, mm, len, hole);
}

unsigned long get_unmapped_area(struct mmk_task *task, struct mm_struct *mm, struct file *file,
                                unsigned long addr, unsigned long len, uint64_t pgoff,
                                unsigned long flags, struct hole *hole)
{
	hole->found = false;
	if (unlikely(len > TASK_SIZE))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_LENGTH_TASK_SIZE, len, 0);
	addr = choose(task, mm, file, addr, len, pgoff, flags, hole);
	if (IS_ERR_VALUE(addr))
		return addr;
	if (unlikely(addr > TASK_SIZE - len))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_BEYOND_TASK_SIZE, addr, len);
	if (unlikely(addr & ~PAGE_MASK))
		return refuse(task, -MMK_EINVAL, MMK_REASON_FIXED_UNALIGNED, addr, 0);
	if (unlikely(addr < mm->sys->mmap_min_addr &&
	             !task_capable(mm->sys, task, MMK_CAP_SYS_RAWIO)))
		return refuse(task, -MMK_EPERM, MMK_REASON_BELOW_MIN_ADDR, addr,
		              mm->sys->mmap_min_addr);
	return addr;
}

/* ---- layout of a fresh mm ---- */

static bool randomizes(const struct mmk_task *task, const struct mmk_system *sys)
{
	return sys->port->random && !(task->personality & MMK_ADDR_NO_RANDOMIZE);
}

/* A random multiple of the page size below `range`, a power of two; 0 without ASLR. */
static unsigned long random_offset(struct mmk_task *task, struct mmk_system *sys,
                                   unsigned long range)
{
	if (!randomizes(task, sys))
		return 0;
	return sys->port->random(sys->ctx) & (range - 1) & PAGE_MASK;
}

static bool wants_legacy(const struct mmk_task *task, const struct mmk_system *sys)
{
	return (task->personality & MMK_ADDR_COMPAT_LAYOUT) ||
	       rlimit_bytes(task, MMK_RLIMIT_STACK) == MMK_RLIM_INFINITY || sys->legacy_va_layout;
}

/* Top-down mappings begin below what the stack may grow to, within reason. */
static unsigned long top_down_base(const struct mmk_task *task, const struct mm_struct *mm,
                                   unsigned long rnd)
{
	unsigned long gap = rlimit_bytes(task, MMK_RLIMIT_STACK);
	unsigned long pad = mm->stack_guard_gap;
	unsigned long max = TASK_SIZE / 6 * 5;

	if (randomizes(task, mm->sys))
		pad += STACK_RANDOM - PAGE_SIZE;
	if (gap + pad > gap)
		gap += pad;
	if (gap < SZ_128M)
		gap = SZ_128M;
	else if (gap > max)
		gap = max;
	return PAGE_ALIGN(TASK_SIZE - gap - rnd);
}

__cold unsigned long mmk_mm_layout(struct mmk_task *task, struct mmk_mm *mm)
{
	struct mmk_system *sys = mm->sys;
	unsigned long rnd = random_offset(task, sys, PAGE_SIZE << sys->mmap_rnd_bits);

	mm->mmap_legacy = wants_legacy(task, sys);
	if (mm->mmap_legacy)
		mm->mmap_base = TASK_UNMAPPED_BASE + rnd;
	else
		mm->mmap_base = top_down_base(task, mm, rnd);
	return TASK_SIZE - random_offset(task, sys, STACK_RANDOM);
}

__cold unsigned long mmk_mm_brk_base(struct mmk_task *task, unsigned long end_bss)
{
	unsigned long start = PAGE_ALIGN(end_bss);

	if (!task->mm || !randomizes(task, task->mm->sys))
		return start;
	return start + random_offset(task, task->mm->sys, SZ_1G);
}
