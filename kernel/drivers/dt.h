/* SPDX-License-Identifier: MIT */
/*
 * The device tree, as drivers ask it: nodes by "compatible", addresses, interrupts. A thin layer
 * over libfdt; nodes are its offsets, negative for none.
 */
#ifndef KERNEL_DRIVERS_DT_H
#define KERNEL_DRIVERS_DT_H

#include "kernel/lib/types.h"

struct mem_span;

/* Checks the blob's header and makes it the tree that is asked. False: it is none. */
bool dt_set(const void *blob);
/* How many bytes the blob has, 0 when it is none. */
size_t dt_size(const void *blob);

/* The next node behind @after (-1 to begin) that is compatible and not disabled. */
int dt_next_compatible(int after, const char *compatible);
int dt_path(const char *path);
const void *dt_prop(int node, const char *name, u32 *len);
const char *dt_string(int node, const char *name);
/* First cell of a property, or @dflt. */
u32 dt_u32(int node, const char *name, u32 dflt);
/* A number of one or two cells: how long the property is says which. */
u64 dt_number(int node, const char *name, u64 dflt);

/* The n-th entry of "reg". Buses between node and root must map addresses one to one. */
bool dt_reg(int node, unsigned n, u64 *base, u64 *size);
/* The n-th entry of "interrupts" as a GIC interrupt ID; also tells the GIC driver its trigger. */
bool dt_irq(int node, unsigned n, u32 *intid);

/* MPIDR_EL1 affinity of the n-th CPU that PSCI can switch on (or has); false past the last. */
bool dt_cpu(unsigned n, u64 *mpidr);

/* Fills boot_info from /memory, /chosen, /reserved-memory and the reservation block. */
void dt_read_memory(void);
void dt_read_chosen(void);
/* Bytes the boot loader gave to seed random numbers (rng-seed, kaslr-seed); how many there were. */
size_t dt_seed(void *buf, size_t max);

#endif
