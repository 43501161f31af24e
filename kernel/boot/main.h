/* SPDX-License-Identifier: MIT */
/* Between head.S, kmain() and those who fill boot_info. */
#ifndef KERNEL_BOOT_MAIN_H
#define KERNEL_BOOT_MAIN_H

#include "kernel/lib/types.h"

/* Entered on the boot stack, interrupts off, everything mapped but RAM and devices. */
void kmain(u64 dtb_pa) __noreturn;
/* The other CPUs, on their idle tasks' stacks, interrupts off. */
void secondary_main(void) __noreturn;

#endif
