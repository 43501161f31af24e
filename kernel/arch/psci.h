/* SPDX-License-Identifier: MIT */
/* Power: the firmware's PSCI interface, by HVC or SMC as the device tree says. */
#ifndef KERNEL_ARCH_PSCI_H
#define KERNEL_ARCH_PSCI_H

#include "kernel/lib/types.h"

void psci_init(void);
void machine_power_off(void) __noreturn;
void machine_restart(void) __noreturn;

#endif
