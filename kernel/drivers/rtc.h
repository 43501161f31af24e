/* SPDX-License-Identifier: MIT */
/* The PL031 real-time clock, read once: clock.h's realtime_boot_ns. */
#ifndef KERNEL_DRIVERS_RTC_H
#define KERNEL_DRIVERS_RTC_H

void rtc_init(void);

#endif
