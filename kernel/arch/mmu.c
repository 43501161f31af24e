/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own page tables, after head.S has mapped the image: the linear map of all RAM, and
 * device registers, stacks. But for those of dead tasks mappings are only ever added, so nothing
 * else here needs TLB invalidation, and nothing at all break-before-make.
 *
 * The linear map repeats the image's read-only pages read-only: a stray store finds no second way
 * in.
 */
#include "kernel/arch/cpufeature.h"
#include "kernel/arch/memory.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/sysreg.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/spinlock.h"

#define ENTRIES        512
#define LEVEL_SHIFT(l) (39 - 9 * (l)) /* of level 0..3 */
#define DESC_ADDR      0x0000fffffffff000ull

#define ATTR_RAM    (PTE_AF | PTE_SH_IS | PTE_ATTR(MT_NORMAL) | (u64)PTE_UXN_PXN)
#define ATTR_RAM_RO (ATTR_RAM | PTE_AP_RO)
#define ATTR_DEVICE (PTE_AF | PTE_ATTR(MT_DEVICE_nGnRE) | (u64)PTE_UXN_PXN)
#define PTE_UXN_PXN (3ull << 53)

extern u64 kernel_pgd[ENTRIES];
extern char _text[], _erodata[], boot_heap[], boot_heap_end[];

u64 kimage_voffset;
static char *heap_top = boot_heap; /* tables_lock */
static bool heap_closed;           /* tables_lock: the rest of the heap has been given away */
static struct spinlock tables_lock;

/* A zeroed page for a table, or NULL. */
static u64 *table_alloc(void)
{
	char *p = heap_top;

	if (heap_closed)
		return mmk_alloc_frames(mm_sys, 0, true);
	if (p + PAGE_SIZE > boot_heap_end)
		return NULL;
	heap_top += PAGE_SIZE;
	memset(p, 0, PAGE_SIZE);
	return (u64 *)p;
}

u64 boot_heap_close(void)
{
	heap_closed = true;
	return virt_to_phys(heap_top);
}

static u64 *table_at(u64 desc)
{
	u64 pa = desc & DESC_ADDR;
	u64 va = pa + kimage_voffset;

	/* Tables of the image and its heap are reached through the image: the linear map may not be
	 * there. */
	if (va >= (u64)_text && va < (u64)boot_heap_end)
		return (u64 *)va;
	return phys_to_virt(pa);
}

/* How large a block may be at @va, @pa, no more than @size: the level of its descriptor. */
static int block_level(u64 va, u64 pa, u64 size)
{
	int level;

	for (level = 1; level < 3; level++) {
		u64 block = 1ull << LEVEL_SHIFT(level);

		if (!((va | pa) & (block - 1)) && size >= block)
			break;
	}
	return level;
}

/*
 * The descriptor of @va at *@level, with the tables above it. *@level changes when there is a
 * larger block already, or a table with smaller pages. NULL without memory.
 */
static u64 *descriptor(u64 va, int *level)
{
	u64 *table = kernel_pgd;
	int l;

	for (l = 0;; l++) {
		u64 *d = &table[va >> LEVEL_SHIFT(l) & (ENTRIES - 1)];
		bool is_table = l < 3 && (*d & PTE_TABLE) == PTE_TABLE;

		if ((*d || l >= *level) && !is_table) {
			*level = l;
			return d;
		}
		if (!*d) {
			u64 *next = table_alloc();

			if (!next)
				return NULL;
			dsb(ishst);
			WRITE_ONCE(*d, virt_to_phys(next) | PTE_TABLE);
		}
		table = table_at(*d);
	}
}

/* Whether the descriptor behind @d, for @va, is another one of the same table. */
static bool same_table(u64 va, int level)
{
	return va >> LEVEL_SHIFT(level) & (ENTRIES - 1);
}

/* Maps what is not mapped yet of [va, va + size). False: no memory for tables. */
static bool map_range(u64 va, u64 pa, u64 size, u64 attr)
{
	u64 end = va + size;

	while (va < end) {
		int level = block_level(va, pa, end - va);
		u64 *d = descriptor(va, &level);
		u64 step = 1ull << LEVEL_SHIFT(level), next;

		if (!d)
			return false;
		do {
			if (!*d)
				WRITE_ONCE(*d, pa | attr | (level == 3 ? PTE_PAGE : PTE_BLOCK));
			next = ALIGN_DOWN(va, step) + step;
			pa += next - va;
			va = next;
			d++;
		} while (va < end && end - va >= step && same_table(va, level) && !*d);
	}
	dsb(ishst);
	isb();
	return true;
}

static bool map_linear(u64 start, u64 end, u64 attr)
{
	return start >= end || map_range(LINEAR_BASE + start, start, end - start, attr);
}

void linear_map_ram(u64 start, u64 end)
{
	u64 ro_start = virt_to_phys(_text), ro_end = virt_to_phys(_erodata);
	bool ok;

	if (ro_start >= end || ro_end <= start)
		ok = map_linear(start, end, ATTR_RAM);
	else
		ok = map_linear(start, ro_start, ATTR_RAM) &&
		     map_linear(ro_start, ro_end, ATTR_RAM_RO) && map_linear(ro_end, end, ATTR_RAM);
	if (!ok)
		panic("no room for the tables of the linear map");
}

void __iomem *ioremap(u64 pa, size_t size)
{
	u64 start = ALIGN_DOWN(pa, PAGE_SIZE), end;
	unsigned long flags;
	bool ok;

	if (!size || __builtin_add_overflow(pa, size, &end) || end >> IO_PA_BITS)
		return NULL;
	end = ALIGN_UP(end, PAGE_SIZE);
	flags = spin_lock_irqsave(&tables_lock);
	ok = map_range(IO_BASE + start, start, end - start, ATTR_DEVICE);
	spin_unlock_irqrestore(&tables_lock, flags);
	return ok ? (void __iomem *)(IO_BASE + pa) : NULL;
}

/* ------------------------------------------------------------------ mappings that come and go */

bool kernel_map(u64 va, u64 pa, u64 size)
{
	unsigned long flags = spin_lock_irqsave(&tables_lock);
	bool ok = map_range(va, pa, size, ATTR_RAM);

	spin_unlock_irqrestore(&tables_lock, flags);
	return ok;
}

/* Its table stays for the next one. */
void kernel_unmap(u64 va, u64 size)
{
	unsigned long flags = spin_lock_irqsave(&tables_lock);
	u64 at;

	for (at = va; at < va + size; at += PAGE_SIZE) {
		int level = 3;

		WRITE_ONCE(*descriptor(at, &level), 0);
	}
	dsb(ishst);
	for (at = va; at < va + size; at += PAGE_SIZE)
		tlbi_kernel_page(at);
	dsb(ish);
	isb();
	spin_unlock_irqrestore(&tables_lock, flags);
}

u64 kernel_va_to_phys(const void *p)
{
	unsigned long flags = spin_lock_irqsave(&tables_lock);
	int level = 3;
	u64 desc = *descriptor((u64)p, &level);

	spin_unlock_irqrestore(&tables_lock, flags);
	return (desc & DESC_ADDR) + ((u64)p & (PAGE_SIZE - 1));
}

static unsigned order_of(size_t nr_pages)
{
	return nr_pages <= 1 ? 0 : 64 - (unsigned)__builtin_clzl(nr_pages - 1);
}

void *kpages_alloc(size_t nr_pages)
{
	return mmk_alloc_frames(mm_sys, order_of(nr_pages), true);
}

void kpages_free(void *p, size_t nr_pages)
{
	if (p)
		mmk_free_frames(mm_sys, p, order_of(nr_pages));
}
