/* SPDX-License-Identifier: MIT */
/*
 * kmain: from the first C instruction to kernel_init(). The order matters: RAM before the console
 * (its mapping needs nothing else, but a device tree anywhere in RAM stays readable through the
 * linear map), the memory system before the drivers (they allocate), the interrupt controller
 * before who uses it.
 */
#include "kernel/arch/cpufeature.h"
#include "kernel/arch/extable.h"
#include "kernel/arch/memory.h"
#include "kernel/arch/mmu.h"
#include "kernel/arch/stack.h"
#include "kernel/arch/psci.h"
#include "kernel/arch/sysreg.h"
#include "kernel/boot.h"
#include "kernel/boot/main.h"
#include "kernel/clock.h"
#include "kernel/drivers/dt.h"
#include "kernel/drivers/gic.h"
#include "kernel/drivers/pl011.h"
#include "kernel/drivers/rtc.h"
#include "kernel/drivers/virtio.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/percpu.h"
#include "kernel/smp.h"

extern char _text[];

struct percpu percpu_area[NR_CPUS];

/* What head.S maps for the device tree begins at a 2 MiB boundary and is 4 MiB long. */
static void find_device_tree(u64 pa)
{
	const char *blob = (const char *)FDT_BASE + (pa & (MiB(2) - 1));
	size_t size;

	if (!pa || pa & 7 || !dt_set(blob))
		panic("no device tree at %lx", pa);
	size = dt_size(blob);
	if ((pa & (MiB(2) - 1)) + size > MiB(4))
		panic("the device tree is too large: %zu bytes", size);
	boot_info.dtb = blob;
	boot_info.dtb_start = pa;
	boot_info.dtb_end = pa + size;
}

static void set_log_level(void)
{
	const char *level = cmdline_get("loglevel");

	if (cmdline_get("quiet"))
		log_set_level(LOG_WARN + 1);
	if (cmdline_get("debug"))
		log_set_level(LOG_DEBUG + 1);
	if (level && *level)
		log_set_level(strtoul(level, NULL, 10));
}

static void map_memory(void)
{
	u32 i;

	dt_read_memory();
	for (i = 0; i < boot_info.nr_ram; i++)
		linear_map_ram(boot_info.ram[i].start, boot_info.ram[i].end);
}

void kmain(u64 dtb_pa)
{
	this_cpu()->mpidr = read_sysreg(mpidr_el1) & 0xff00ffffff;
	cpufeature_init();
	extable_check();
	find_device_tree(dtb_pa);
	psci_init();
	dt_read_chosen();
	set_log_level();
	map_memory();
	pl011_early_init();
	boot_info.kernel_start = virt_to_phys(_text);
	boot_info.kernel_end = boot_heap_close();
	boot_finish_memory();
	printk("mmkit reference kernel: CPU %08lx, RAM %lx-%lx, image %lx-%lx\n", cpu_features.midr,
	       boot_info.ram_base, boot_info.ram_base + boot_info.ram_size, boot_info.kernel_start,
	       boot_info.kernel_end);
	printk("command line: %s\n", boot_info.cmdline);
	kstack_init();
	smp_find_cpus();
	mm_init_system();
	gic_init();
	clock_init();
	rtc_init();
	pl011_init_irq();
	virtio_init();
	kernel_init();
}
