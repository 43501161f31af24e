/* SPDX-License-Identifier: MIT */
/*
 * Several CPUs: which there are, starting them, and interrupting one another.
 */
#ifndef KERNEL_SMP_H
#define KERNEL_SMP_H

#include "kernel/lib/types.h"

extern u32 nr_cpus; /* that the machine has, and we use: set before the memory system starts */

/* Bits of the CPUs that run. Changes only while the machine starts. */
u64 cpus_online(void);

void smp_find_cpus(void); /* from the device tree and maxcpus= */
void smp_start_cpus(void);

/* Makes another CPU look at its run queue, its tick and the work of the task that it runs. */
void smp_send_reschedule(u32 cpu);
/*
 * Calls fn(arg) on the other CPUs of @mask, from an interrupt, and waits until all have returned.
 * Interrupts must be on, no lock held that a handler takes.
 */
void smp_call(u64 mask, void (*fn)(void *), void *arg);
/* The machine ends: the other CPUs stand still, those that listen. Safe at any moment. */
void smp_stop_others(void);

#endif
