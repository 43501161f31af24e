/* SPDX-License-Identifier: MIT */
/* The PL011 serial port: the console. */
#ifndef KERNEL_DRIVERS_PL011_H
#define KERNEL_DRIVERS_PL011_H

#include "kernel/lib/types.h"

/* Finds the port that the device tree calls stdout, or the first; output works from then on. */
void pl011_early_init(void);
/* Receiving by interrupt. */
void pl011_init_irq(void);

void pl011_putc(char c);
void pl011_write(const char *s, size_t n);
/* @fn gets every byte received, from the interrupt. */
void pl011_set_rx(void (*fn)(u8));

#endif
