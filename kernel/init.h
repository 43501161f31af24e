/* SPDX-License-Identifier: MIT */
/* The end of the machine, as reboot(2) and PID 1's end want it. */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

#include "kernel/lib/types.h"

/* Writes everything back, tells the host if there is one (exit status 0), and switches the machine off. */
void power_off(void) __noreturn;

#endif
