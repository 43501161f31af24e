/* SPDX-License-Identifier: MIT */
/* PL031 (Arm DDI 0224): a counter of seconds since 1970. From then on the generic timer keeps time.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/memory.h"
#include "kernel/clock.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/rtc.h"

#define RTCDR 0x00

u64 realtime_boot_ns;

void rtc_init(void)
{
	int node = dt_next_compatible(-1, "arm,pl031");
	u64 base, size;
	void __iomem *regs;

	if (node < 0 || !dt_reg(node, 0, &base, &size))
		return;
	regs = ioremap(base, size);
	if (regs)
		realtime_boot_ns = readl((char *)regs + RTCDR) * NSEC_PER_SEC - clock_ns();
}
