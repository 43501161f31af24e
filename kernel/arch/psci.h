/* SPDX-License-Identifier: MIT */
/* Power: the firmware's PSCI interface, by HVC or SMC as the device tree says. */
#ifndef KERNEL_ARCH_PSCI_H
#define KERNEL_ARCH_PSCI_H

#include "kernel/lib/types.h"

void psci_init(void);
/* Switches a CPU on: it starts at the physical address @entry, MMU off, with @arg in x0. 0 or -EIO. */
int psci_cpu_on(u64 mpidr, u64 entry, u64 arg);
/* The calling CPU stands still for good. */
void psci_stop_here(void) __noreturn;
void machine_power_off(void) __noreturn;
void machine_restart(void) __noreturn;

#endif
