/* SPDX-License-Identifier: MIT */
/*
 * The kernel's half of the address space (TTBR1, 48 bits, 4 KiB pages):
 *
 *   0xffff000000000000 + PA   all RAM, in blocks as large as they come; never executable
 *   0xffff800000000000        the kernel's image, wherever it was loaded
 *   0xffff800040000000        the device tree, for as long as the linear map is not there
 *   0xffff900000000000        the stacks of tasks, with holes between them (stack.c)
 *   0xffffc00000000000 + PA   devices, mapped by ioremap()
 */
#ifndef KERNEL_ARCH_MEMORY_H
#define KERNEL_ARCH_MEMORY_H

#define LINEAR_BASE 0xffff000000000000
#define KIMAGE_BASE 0xffff800000000000
#define FDT_BASE    0xffff800040000000
#define STACK_BASE  0xffff900000000000
#define STACK_SIZE  0x80000000 /* of all stacks */
#define IO_BASE     0xffffc00000000000
#define IO_PA_BITS  46

#define BOOT_HEAP_SIZE   0x20000 /* page tables before the memory system runs */
#define IMAGE_PTE_TABLES 4       /* 2 MiB of image each */

#ifndef __ASSEMBLER__

#include "kernel/lib/types.h"

/* Address of the image minus its physical address; set by head.S. */
extern u64 kimage_voffset;

static inline void *phys_to_virt(u64 pa)
{
	return (void *)(pa + LINEAR_BASE);
}

/* Of an address that kernel_map() has mapped. */
u64 kernel_va_to_phys(const void *p);

/* Of an address in the linear map, in the image, or on a stack. */
static inline u64 virt_to_phys(const void *p)
{
	u64 va = (u64)p;

	if (va >= STACK_BASE && va < STACK_BASE + STACK_SIZE)
		return kernel_va_to_phys(p);
	return va < KIMAGE_BASE ? va - LINEAR_BASE : va - kimage_voffset;
}

/* Device registers; valid for good. NULL when the address or the tables do not allow it. */
void __iomem *ioremap(u64 pa, size_t size);

/* Pages that are contiguous in physical memory, zeroed, from the linear map; NULL when there are
 * none. */
void *kpages_alloc(size_t nr_pages);
void kpages_free(void *p, size_t nr_pages);

#endif
#endif
