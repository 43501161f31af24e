/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader's jump to C: Linux's arm64 boot protocol (MMU off, caches of the image
 * clean, x0 the physical address of the device tree, EL2 or EL1).
 *
 *   drop to EL1 -> page tables for the image, its identity and the device tree -> MMU on
 *   -> jump to the link address -> clear .bss -> kmain()
 *
 * Until the jump everything is relative to the program counter: the image may lie at any 2 MiB.
 */
#include "kernel/arch/memory.h"
#include "kernel/arch/sysreg.h"
#include "kernel/arch/thread.h"
#include "kernel/percpu.h"

	.macro	adr_l, reg, sym
	adrp	\reg, \sym
	add	\reg, \reg, :lo12:\sym
	.endm

	.macro	mov_q, reg, val
	movz	\reg, #((\val) & 0xffff)
	movk	\reg, #(((\val) >> 16) & 0xffff), lsl #16
	movk	\reg, #(((\val) >> 32) & 0xffff), lsl #32
	movk	\reg, #(((\val) >> 48) & 0xffff), lsl #48
	.endm

	.section .head.text, "ax"
	.globl	_head
_head:
	b	primary_entry
	.long	0
	.quad	0			/* load offset from a 2 MiB boundary */
	.quad	_image_size
	.quad	0xa			/* little endian, 4 KiB pages, anywhere in memory */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	.text

/* x19: the device tree, x20: physical address of the image; both kept until kmain(). */
primary_entry:
	msr	daifset, #0xf
	mov	x19, x0
	adrp	x20, _text
	bl	drop_to_el1
	bl	make_boot_tables
	bl	cpu_setup
	adrp	x1, kernel_pgd
	adrp	x2, idmap_pgd
	ldr	x30, =at_link_address
	b	enable_mmu

/*
 * EL2: give EL1 everything (64-bit, timers, FP, GIC system registers, no traps, no virtual offset)
 * and go there. Returns to the caller at EL1 with the MMU off.
 */
drop_to_el1:
	mrs	x0, CurrentEL
	cmp	x0, #(2 << 2)
	b.eq	1f
	mov_q	x0, SCTLR_MMUOFF
	msr	sctlr_el1, x0
	isb
	ret
1:	mov_q	x0, (1 << 31) | (3 << 40)	/* HCR: RW, APK, API */
	msr	hcr_el2, x0
	isb
	mov_q	x0, SCTLR_MMUOFF
	msr	sctlr_el1, x0
	mov	x0, #3
	msr	cnthctl_el2, x0
	msr	cntvoff_el2, xzr
	mov	x0, #0x33ff
	msr	cptr_el2, x0
	msr	hstr_el2, xzr
	msr	vttbr_el2, xzr
	mrs	x1, id_aa64dfr0_el1
	ubfx	x1, x1, #8, #4
	sub	x1, x1, #1			/* PMUVer: 0 and 15 have no architected counters */
	mov	x0, #0
	cmp	x1, #14
	b.hs	3f
	mrs	x0, pmcr_el0
	ubfx	x0, x0, #11, #5			/* all of them are EL1's */
3:	msr	mdcr_el2, x0
	mrs	x0, midr_el1
	msr	vpidr_el2, x0
	mrs	x0, mpidr_el1
	msr	vmpidr_el2, x0
	mrs	x0, id_aa64pfr0_el1
	ubfx	x0, x0, #24, #4
	cbz	x0, 2f
	mrs	x0, S3_4_C12_C9_5		/* ICC_SRE_EL2: SRE, Enable */
	orr	x0, x0, #1
	orr	x0, x0, #8
	msr	S3_4_C12_C9_5, x0
	isb
	msr	S3_4_C12_C11_0, xzr		/* ICH_HCR_EL2 */
2:	mov	x0, #0x3c5			/* EL1h, all masked */
	msr	spsr_el2, x0
	msr	elr_el2, x30
	eret

/* Fills x9.. up by x10 pages of x11, attributes included; moves both on. */
	.macro	fill_ptes
9:	cbz	x10, 8f
	str	x11, [x9], #8
	add	x11, x11, #4096
	sub	x10, x10, #1
	b	9b
8:
	.endm

/*
 * The first tables, written with the MMU (and so the caches) off:
 *   image: code RX, constants R, the rest RW, by pages; the 2 MiB of this code also at its own
 *   address;
 *   two 2 MiB blocks from the one in which the device tree begins.
 */
make_boot_tables:
	adr_l	x0, boot_tables
	adr_l	x1, boot_tables_end
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b

	mov	x2, #(PTE_AF | PTE_SH_IS | PTE_ATTR(MT_NORMAL))

	/* Identity: level 0, 1, and one block at level 2. */
	adrp	x0, idmap_pgd
	adrp	x1, idmap_pud
	ubfx	x3, x20, #39, #9
	orr	x4, x1, #PTE_TABLE
	str	x4, [x0, x3, lsl #3]
	adrp	x0, idmap_pmd
	ubfx	x3, x20, #30, #9
	orr	x4, x0, #PTE_TABLE
	str	x4, [x1, x3, lsl #3]
	ubfx	x3, x20, #21, #9
	orr	x4, x2, #PTE_BLOCK
	orr	x4, x4, x20
	str	x4, [x0, x3, lsl #3]

	/* The image, from the first entry of its level 1 and 2 tables. */
	adrp	x0, kernel_pgd
	adrp	x1, image_pud
	orr	x4, x1, #PTE_TABLE
	str	x4, [x0, #(((KIMAGE_BASE >> 39) & 511) * 8)]
	adrp	x3, image_pmd
	orr	x4, x3, #PTE_TABLE
	str	x4, [x1]
	adrp	x4, image_pte
	orr	x4, x4, #PTE_TABLE
	.rept	IMAGE_PTE_TABLES
	str	x4, [x3], #8
	add	x4, x4, #4096
	.endr
	adrp	x9, image_pte
	orr	x5, x2, #PTE_PAGE
	mov_q	x6, (PTE_UXN | PTE_AP_RO)
	mov_q	x7, (PTE_UXN | PTE_PXN | PTE_AP_RO)
	mov_q	x8, (PTE_UXN | PTE_PXN)
	orr	x11, x20, x5
	orr	x11, x11, x6
	ldr	x10, =_rx_pages
	fill_ptes
	eor	x11, x11, x6
	orr	x11, x11, x7
	ldr	x10, =_ro_pages
	fill_ptes
	eor	x11, x11, x7
	orr	x11, x11, x8
	ldr	x10, =_rw_pages
	fill_ptes

	/* The device tree, at FDT_BASE: entry 1 of the level 1 table; readable only. */
	adrp	x0, fdt_pmd
	orr	x4, x0, #PTE_TABLE
	str	x4, [x1, #8]
	and	x4, x19, #0x0000ffffffe00000
	orr	x4, x4, x2
	orr	x4, x4, x7
	orr	x4, x4, #PTE_BLOCK
	str	x4, [x0], #8
	add	x4, x4, #0x200000
	str	x4, [x0]

	/* Lines that were cached from before would be found once the caches are on. */
	dmb	sy
	adr_l	x0, boot_tables
	mrs	x2, ctr_el0
	ubfx	x2, x2, #16, #4
	mov	x3, #4
	lsl	x3, x3, x2
2:	dc	ivac, x0
	add	x0, x0, x3
	cmp	x0, x1
	b.lo	2b
	dsb	sy
	ret

/*
 * System registers that each CPU needs before its MMU goes on. Returns SCTLR_EL1's value in x0.
 */
	.globl	cpu_setup
cpu_setup:
	tlbi	vmalle1
	dsb	nsh
	mov_q	x0, MAIR_EL1_VALUE
	mrs	x1, id_aa64pfr1_el1
	ubfx	x2, x1, #8, #4			/* MTE: >= 2 has tagged memory */
	cmp	x2, #2
	b.lo	1f
	mov_q	x3, MAIR_EL1_TAGGED
	orr	x0, x0, x3
1:	msr	mair_el1, x0
	mov_q	x0, (TCR_T0SZ | TCR_T1SZ | TCR_WALK0 | TCR_WALK1 | TCR_TG1_4K)
	mov	x3, #1
	bfi	x0, x3, #TCR_TBI0_POS, #1
	mrs	x2, id_aa64mmfr0_el1
	and	x3, x2, #0xf			/* PARange: at most 5, 48 bits */
	mov	x4, #5
	cmp	x3, x4
	csel	x3, x3, x4, lo
	bfi	x0, x3, #TCR_IPS_POS, #3
	ubfx	x3, x2, #4, #4			/* ASIDBits: 2 is 16 */
	cmp	x3, #2
	cset	x3, eq
	bfi	x0, x3, #TCR_AS_POS, #1
	msr	tcr_el1, x0
	mov	x0, #CPACR_FPEN
	msr	cpacr_el1, x0
	mov	x0, #CNTKCTL_VALUE
	msr	cntkctl_el1, x0
	mov	x0, #MDSCR_TDCC
	msr	mdscr_el1, x0
	msr	oslar_el1, xzr			/* locked, it would keep single steps away */
	mrs	x2, id_aa64dfr0_el1		/* no performance counters for users */
	ubfx	x2, x2, #8, #4
	sub	x3, x2, #1
	cmp	x3, #14
	b.hs	2f
	msr	pmuserenr_el0, xzr
2:	msr	tpidr_el0, xzr
	msr	tpidrro_el0, xzr
	mov_q	x0, SCTLR_MMUON
	and	x1, x1, #0xf			/* BTI: BT0 on, PACIxSP is no landing pad for all */
	cbz	x1, 3f
	mov	x1, #1
	bfi	x0, x1, #35, #1
3:	ret

/* Switches the MMU on with TTBR1 = x1, TTBR0 = x2, SCTLR_EL1 = x0, and goes to x30. */
	.globl	enable_mmu
enable_mmu:
	msr	ttbr0_el1, x2
	msr	ttbr1_el1, x1
	isb
	msr	sctlr_el1, x0
	isb
	ic	iallu
	dsb	nsh
	isb
	ret

/*
 * Where PSCI starts the other CPUs: MMU off, x0 = this CPU's struct percpu. The tables are there, so
 * only the registers have to be set up.
 */
	.globl	secondary_entry
secondary_entry:
	msr	daifset, #0xf
	mov	x19, x0
	bl	drop_to_el1
	bl	cpu_setup
	adrp	x1, kernel_pgd
	adrp	x2, idmap_pgd
	ldr	x30, =secondary_at_link_address
	b	enable_mmu

secondary_at_link_address:
	adr_l	x21, kimage_voffset
	ldr	x21, [x21]
	bl	leave_identity
	msr	tpidr_el1, x19
	ldp	x0, x1, [x19, #PERCPU_TASK]	/* its idle task, and the top of that one's stack */
	msr	sp_el0, x0
	mov	sp, x1
	mov	x29, xzr
	bl	secondary_main
	b	.

/* The low half is the user's from now on. x21: address of the image minus its physical address. */
leave_identity:
	adrp	x0, empty_pgd
	sub	x0, x0, x21
	msr	ttbr0_el1, x0
	isb
	tlbi	vmalle1
	dsb	nsh
	isb
	adr_l	x0, vectors
	msr	vbar_el1, x0
	isb
	ret

at_link_address:
	adrp	x21, _text
	sub	x21, x21, x20			/* address minus physical address */
	bl	leave_identity

	adr_l	x0, __bss_start
	adr_l	x1, __bss_end
	bl	clear_bss
	adr_l	x0, kimage_voffset
	str	x21, [x0]
	adr_l	x0, percpu_area
	msr	tpidr_el1, x0
	msr	sp_el0, xzr
	adr_l	x0, boot_stack + THREAD_SIZE
	mov	sp, x0
	mov	x29, xzr
	mov	x0, x19
	bl	kmain
	b	.

/* Clears [x0, x1), multiples of 64, with DC ZVA where it covers just that much. */
clear_bss:
	mrs	x2, dczid_el0
	and	x2, x2, #0x1f
	cmp	x2, #4				/* 64 bytes, and not prohibited */
	b.ne	2f
1:	cmp	x0, x1
	b.hs	3f
	dc	zva, x0
	add	x0, x0, #64
	b	1b
2:	cmp	x0, x1
	b.hs	3f
	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	stp	xzr, xzr, [x0], #16
	b	2b
3:	ret

	.ltorg

/* As a slot of stack.c, but that its lower half is there: nobody's memory. */
	.section .bss.boot_stack, "aw", %nobits
	.balign	2 * THREAD_SIZE
	.skip	THREAD_SIZE
	.globl	boot_stack
boot_stack:
	.skip	THREAD_SIZE
