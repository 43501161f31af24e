/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks, each in a slot of its own in a part of the address space that is theirs: the upper
 * half of a slot is the stack, the lower half is never mapped. What grows out of the stack faults,
 * and the entry code sees by one bit of sp that there is no room to say so on this stack.
 *
 * Some stacks of the dead are kept mapped for the next tasks, so that most forks map none and most
 * exits unmap none.
 */
#include "kernel/arch/stack.h"

#include "kernel/arch/memory.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/thread.h"
#include "kernel/arch/traps.h"
#include "kernel/boot.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/printk.h"
#include "kernel/mm.h"
#include "kernel/percpu.h"
#include "kernel/sched/sched.h"
#include "kernel/spinlock.h"

#define STACK_ORDER   2
#define SLOT_SIZE     (2 * (u64)THREAD_SIZE)
#define NR_SLOTS      (STACK_SIZE / SLOT_SIZE)
#define NR_KEPT       8
#define OVERFLOW_SIZE 4096
_Static_assert((PAGE_SIZE << STACK_ORDER) == THREAD_SIZE, "the order of a stack");
_Static_assert(NR_SLOTS > PID_MAX, "a slot for each task");

static struct spinlock stack_lock = SPINLOCK_INIT;
static u64 slot_taken[NR_SLOTS / 64]; /* stack_lock */
static u32 first_word;                /* stack_lock: no slot is free in the words before */
static void *kept[NR_KEPT];           /* stack_lock */
static u32 nr_kept;                   /* stack_lock */

static char overflow_stacks[NR_CPUS][OVERFLOW_SIZE] __aligned(16);

/* The lowest, so that few tables are needed. There is one: tasks are fewer. stack_lock. */
static u64 take_slot(void)
{
	u32 bit;

	while (!~slot_taken[first_word])
		first_word++;
	bit = (u32)__builtin_ctzll(~slot_taken[first_word]);
	slot_taken[first_word] |= 1ull << bit;
	return STACK_BASE + (first_word * 64ull + bit) * SLOT_SIZE;
}

/* stack_lock. */
static void put_slot(u64 slot)
{
	u64 nr = (slot - STACK_BASE) / SLOT_SIZE;

	slot_taken[nr / 64] &= ~(1ull << nr % 64);
	first_word = min(first_word, (u32)(nr / 64));
}

static void *take_kept(void)
{
	unsigned long flags = spin_lock_irqsave(&stack_lock);
	void *stack = nr_kept ? kept[--nr_kept] : NULL;

	spin_unlock_irqrestore(&stack_lock, flags);
	return stack;
}

static bool keep(void *stack)
{
	unsigned long flags = spin_lock_irqsave(&stack_lock);
	bool room = nr_kept < NR_KEPT;

	if (room)
		kept[nr_kept++] = stack;
	spin_unlock_irqrestore(&stack_lock, flags);
	return room;
}

static void *map_stack(void *frames)
{
	unsigned long flags = spin_lock_irqsave(&stack_lock);
	u64 slot = take_slot();

	spin_unlock_irqrestore(&stack_lock, flags);
	if (kernel_map(slot + THREAD_SIZE, virt_to_phys(frames), THREAD_SIZE))
		return (void *)(slot + THREAD_SIZE);
	flags = spin_lock_irqsave(&stack_lock);
	put_slot(slot);
	spin_unlock_irqrestore(&stack_lock, flags);
	mmk_free_frames(mm_sys, frames, STACK_ORDER);
	return NULL;
}

void *kstack_alloc(bool wait)
{
	void *stack = take_kept(), *frames;

	if (stack)
		return stack;
	frames = wait ? mmk_alloc_frames_wait(mm_sys, STACK_ORDER, false)
	              : mmk_alloc_frames(mm_sys, STACK_ORDER, false);
	return frames ? map_stack(frames) : NULL;
}

void kstack_free(void *stack)
{
	unsigned long flags;
	void *frames;

	if (!stack || keep(stack))
		return;
	frames = phys_to_virt(kernel_va_to_phys(stack));
	kernel_unmap((u64)stack, THREAD_SIZE);
	flags = spin_lock_irqsave(&stack_lock);
	put_slot((u64)stack - THREAD_SIZE);
	spin_unlock_irqrestore(&stack_lock, flags);
	mmk_free_frames(mm_sys, frames, STACK_ORDER);
}

/* ------------------------------------------------------------------ overflow */

void kstack_init(void)
{
	u32 cpu;

	for (cpu = 0; cpu < NR_CPUS; cpu++)
		percpu_area[cpu].overflow_sp = overflow_stacks[cpu] + OVERFLOW_SIZE;
}

/* On this CPU's overflow stack. */
void kernel_stack_overflow_exception(struct pt_regs *regs, u64 esr, u64 far)
{
	panic_regs(regs, "the kernel stack has overflowed: sp %016lx, esr %08lx, far %016lx",
	           regs->sp, esr, far);
}

static noinline u64 recurse(volatile u64 *above)
{
	volatile u64 here[32];

	here[0] = *above + 1;
	return here[0] ? recurse(here) + here[0] : 0;
}

static s32 overflow_thread(void *arg)
{
	volatile u64 first = 0;

	return (s32)recurse(&first);
}

void kstack_test(void)
{
	if (cmdline_get("mmkit.overflow_stack"))
		(void)kthread_create("overflow", overflow_thread, NULL);
}
