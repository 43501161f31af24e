/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader told us: memory, initramfs and command line, from the device tree.
 */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include "kernel/lib/types.h"

#define BOOT_MAX_SPANS   24
#define BOOT_MAX_PARAMS  128
#define BOOT_CMDLINE_MAX 2048

/* Physical, half open. */
struct mem_span {
	u64 start;
	u64 end;
};

struct boot_info {
	u64 ram_base; /* the span that holds all RAM; what of it is no RAM is among reserved[] */
	u64 ram_size;
	struct mem_span
	    ram[BOOT_MAX_SPANS]; /* the regions as the device tree has them, ascending */
	u32 nr_ram;
	/*
	 * What the memory system must leave alone: the kernel, the device tree, the initramfs
	 * (until it has been unpacked), reserved-memory, holes between regions. Page-aligned,
	 * ascending, disjoint.
	 */
	struct mem_span reserved[BOOT_MAX_SPANS];
	u32 nr_reserved;
	u64 kernel_start, kernel_end;
	u64 initrd_start, initrd_end; /* both 0 without; exact bytes */
	u64 dtb_start, dtb_end;
	const void *dtb; /* readable for good */
	char cmdline[BOOT_CMDLINE_MAX];
};

extern struct boot_info boot_info;

/* One word of the command line: "key" (value NULL) or "key=value", quotes taken off. */
struct boot_param {
	const char *key;
	const char *value;
};

/* The last value of @key: "" for a bare word, NULL when it is not there. '-' and '_' are the same.
 */
const char *cmdline_get(const char *key);

/* The words before "--", in order, and those behind it (whole, for init's argv). */
extern struct boot_param boot_params[BOOT_MAX_PARAMS];
extern u32 nr_boot_params;
extern const char *boot_init_args[BOOT_MAX_PARAMS];
extern u32 nr_boot_init_args;

/* For those who fill boot_info: the device tree's reader and kmain(). */
void boot_add_ram(u64 base, u64 size);
void boot_reserve(u64 start, u64 end);
void boot_set_cmdline(const char *args);
/* All spans are known: makes ram_base, ram_size and the list of what is reserved. */
void boot_finish_memory(void);

/* Not ours; called by kmain(). mm_init_system() may use the linear map of all RAM, but no
 * interrupts. */
void mm_init_system(void);
/* Everything is up, interrupts are still off. */
void kernel_init(void) __noreturn;

#endif
