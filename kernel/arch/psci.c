/* SPDX-License-Identifier: MIT */
/* PSCI 0.2 and later: function identifiers of the Arm Power State Coordination Interface (DEN0022).
 */
#include "kernel/arch/psci.h"
#include "kernel/drivers/dt.h"
#include "kernel/irq.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/smp.h"

#define PSCI_CPU_ON       0xc4000003
#define PSCI_SYSTEM_OFF   0x84000008
#define PSCI_SYSTEM_RESET 0x84000009

static enum { PSCI_NONE, PSCI_HVC, PSCI_SMC } conduit;

static u64 psci_call(u64 fn, u64 arg1, u64 arg2, u64 arg3)
{
	register u64 x0 __asm__("x0") = fn;
	register u64 x1 __asm__("x1") = arg1;
	register u64 x2 __asm__("x2") = arg2;
	register u64 x3 __asm__("x3") = arg3;

	if (conduit == PSCI_HVC)
		__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	else if (conduit == PSCI_SMC)
		__asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
	return x0;
}

void psci_init(void)
{
	int node = dt_next_compatible(-1, "arm,psci-0.2");
	const char *method;

	if (node < 0)
		node = dt_next_compatible(-1, "arm,psci-1.0");
	method = node < 0 ? NULL : dt_string(node, "method");
	if (method && !strcmp(method, "hvc"))
		conduit = PSCI_HVC;
	else if (method && !strcmp(method, "smc"))
		conduit = PSCI_SMC;
	else
		pr_warn("psci: not there; the power cannot be switched off\n");
}

int psci_cpu_on(u64 mpidr, u64 entry, u64 arg)
{
	if (conduit == PSCI_NONE)
		return -EIO;
	return psci_call(PSCI_CPU_ON, mpidr, entry, arg) ? -EIO : 0;
}

/* There is no life after this, whatever the firmware does. */
void psci_stop_here(void)
{
	local_irq_disable();
	for (;;)
		cpu_wait_for_interrupt();
}

void machine_power_off(void)
{
	smp_stop_others();
	psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
	psci_stop_here();
}

void machine_restart(void)
{
	smp_stop_others();
	psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
	psci_stop_here();
}
