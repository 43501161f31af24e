/* SPDX-License-Identifier: MIT */
/* The memory system's own threads: see kworker.c. */
#ifndef KERNEL_KWORKER_H
#define KERNEL_KWORKER_H

struct mmk_mm;

void kworker_start(void); /* once tasks can be made */
/* There is work for mmk_background_work. From anywhere. */
void kworker_wake(void);

#endif
