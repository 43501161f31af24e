/* SPDX-License-Identifier: MIT */
/* What kmain() needs of the kernel's page tables. */
#ifndef KERNEL_ARCH_MMU_H
#define KERNEL_ARCH_MMU_H

#include "kernel/lib/types.h"

/* Maps RAM [start, end), page-aligned, into the linear map. */
void linear_map_ram(u64 start, u64 end);
/*
 * No more tables from the boot heap: later ones come from the memory system. Returns the physical
 * end of what the kernel keeps; the rest of the heap is free RAM.
 */
u64 boot_heap_close(void);

/* RAM [pa, pa + size) a second time, at va, page-aligned, where nothing is. False: no memory for
 * tables. */
bool kernel_map(u64 va, u64 pa, u64 size);
/* => of kernel_map(): no CPU uses it any more, nor its translation when this returns. */
void kernel_unmap(u64 va, u64 size);

#endif
