/* SPDX-License-Identifier: MIT */
/*
 * Device registers. A read completes before what follows it, a write comes after what precedes it,
 * so that memory handed to a device is written before the register that says so.
 */
#ifndef KERNEL_ARCH_IO_H
#define KERNEL_ARCH_IO_H

#include "kernel/arch/sysreg.h"
#include "kernel/lib/types.h"

static inline u8 readb(const volatile void __iomem *p)
{
	u8 v;

	__asm__ volatile("ldrb %w0, [%1]" : "=r"(v) : "r"(p) : "memory");
	dma_rmb();
	return v;
}

static inline u16 readw(const volatile void __iomem *p)
{
	u16 v;

	__asm__ volatile("ldrh %w0, [%1]" : "=r"(v) : "r"(p) : "memory");
	dma_rmb();
	return v;
}

static inline u32 readl(const volatile void __iomem *p)
{
	u32 v;

	__asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(p) : "memory");
	dma_rmb();
	return v;
}

static inline u64 readq(const volatile void __iomem *p)
{
	u64 v;

	__asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"(p) : "memory");
	dma_rmb();
	return v;
}

static inline void writeb(u8 v, volatile void __iomem *p)
{
	dma_wmb();
	__asm__ volatile("strb %w0, [%1]" : : "r"(v), "r"(p) : "memory");
}

static inline void writel(u32 v, volatile void __iomem *p)
{
	dma_wmb();
	__asm__ volatile("str %w0, [%1]" : : "r"(v), "r"(p) : "memory");
}

static inline void writeq(u64 v, volatile void __iomem *p)
{
	dma_wmb();
	__asm__ volatile("str %0, [%1]" : : "r"(v), "r"(p) : "memory");
}

#endif
