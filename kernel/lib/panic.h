/* SPDX-License-Identifier: MIT */
/* What panic.c shares with printk.c and with foreign objects. */
#ifndef KERNEL_LIB_PANIC_H
#define KERNEL_LIB_PANIC_H

#include "kernel/lib/types.h"

extern u64 __stack_chk_guard;
void __stack_chk_fail(void) __noreturn;
/* Lets a panic print whatever the log's lock says. */
void log_break_lock(void);

#endif
