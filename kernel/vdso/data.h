/* SPDX-License-Identifier: MIT */
/* What the kernel tells the vDSO's code: the page [vvar], which lies before [vdso]. */
#ifndef KERNEL_VDSO_DATA_H
#define KERNEL_VDSO_DATA_H

#include "kernel/lib/types.h"

struct vdso_data {
	u32 seq;  /* odd while the kernel writes: read anew */
	u32 pad;
	u64 mult; /* nanoseconds a tick of the counter, 32.32 */
	u64 realtime_boot_ns;
};

#endif
