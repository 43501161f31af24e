/* SPDX-License-Identifier: MIT */
/*
 * The kernel's image: linked at KIMAGE_BASE, loaded at any multiple of 2 MiB. Code, constants and
 * data each begin on a page, as each gets its own permissions. What lies behind __bss_end is not
 * in the file.
 */
#include "kernel/arch/memory.h"

OUTPUT_ARCH(aarch64)
ENTRY(_head)

PHDRS
{
	text PT_LOAD FLAGS(5);
	rodata PT_LOAD FLAGS(4);
	data PT_LOAD FLAGS(6);
}

SECTIONS
{
	. = KIMAGE_BASE;
	_text = .;
	.head.text : { KEEP(*(.head.text)) } :text
	.text : {
		*(.text .text.*)
		. = ALIGN(2048);
		*(.vectors)
	} :text
	. = ALIGN(4096);
	_etext = .;

	.rodata : {
		*(.rodata .rodata.*)
		*(.got .got.plt)
	} :rodata
	__ex_table : {
		__start_ex_table = .;
		KEEP(*(__ex_table))
		__stop_ex_table = .;
	} :rodata
	. = ALIGN(4096);
	_erodata = .;

	.data : { *(.data .data.*) } :data
	. = ALIGN(512);
	_edata = .;

	.bss (NOLOAD) : {
		__bss_start = .;
		*(.bss .bss.* COMMON)
		. = ALIGN(64);
		__bss_end = .;
	} :data
	/* Cleared by head.S before the MMU is on; the last is one table per 2 MiB of image. */
	.boot_tables (NOLOAD) : {
		. = ALIGN(4096);
		boot_tables = .;
		idmap_pgd = .; . += 4096;
		idmap_pud = .; . += 4096;
		idmap_pmd = .; . += 4096;
		kernel_pgd = .; . += 4096;
		image_pud = .; . += 4096;
		image_pmd = .; . += 4096;
		fdt_pmd = .; . += 4096;
		empty_pgd = .; . += 4096;
		image_pte = .; . += IMAGE_PTE_TABLES * 4096;
		boot_tables_end = .;
	} :data
	.boot_heap (NOLOAD) : {
		boot_heap = .;
		. += BOOT_HEAP_SIZE;
		boot_heap_end = .;
	} :data
	_end = .;

	_image_size = _end - _text;
	_rx_pages = (_etext - _text) / 4096;
	_ro_pages = (_erodata - _etext) / 4096;
	_rw_pages = (_end - _erodata) / 4096;

	ASSERT(_end - _text <= IMAGE_PTE_TABLES * 0x200000, "the image outgrew IMAGE_PTE_TABLES")
	ASSERT(_end % 4096 == 0, "the image must end on a page")

	.comment 0 : { *(.comment) }
	/DISCARD/ : {
		*(.note.*) *(.eh_frame) *(.eh_frame_hdr)
		*(.interp) *(.dyn*) *(.gnu.hash) *(.hash)
	}
}
