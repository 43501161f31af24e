/* SPDX-License-Identifier: MIT */
/*
 * The kernel as mmkit's embedder: the one memory system, the port that serves it, and the hooks on
 * the path of mmap.
 */
#include "kernel/mm.h"

#include "kernel/arch/cpufeature.h"
#include "kernel/arch/memory.h"
#include "kernel/boot.h"
#include "kernel/clock.h"
#include "kernel/fs/fs.h"
#include "kernel/hooks.h"
#include "kernel/kworker.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/percpu.h"
#include "kernel/sched/oom.h"
#include "kernel/sched/grace.h"
#include "kernel/sched/sched.h"
#include "kernel/smp.h"
#include "kernel/sys/uaccess.h"

struct mmk_system *mm_sys;

/* ------------------------------------------------------------------ the port */

static unsigned port_cpu_id(void *ctx)
{
	return cpu_id();
}

static void port_relax(void *ctx)
{
	cpu_relax();
}

/* The core asks on behalf of the running thread only, so `task` is current's. */
static int port_copy_to_user(void *ctx, struct mmk_task *task, unsigned long dst, const void *src,
                             size_t n)
{
	return copy_to_user(dst, src, n);
}

static int port_copy_from_user(void *ctx, struct mmk_task *task, void *dst, unsigned long src,
                               size_t n)
{
	return copy_from_user(dst, src, n);
}

static bool port_capable(void *ctx, struct mmk_task *task, enum mmk_cap cap)
{
	static const u8 number[] = {
	    [MMK_CAP_IPC_LOCK] = CAP_IPC_LOCK,
	    [MMK_CAP_SYS_RAWIO] = CAP_SYS_RAWIO,
	    [MMK_CAP_SYS_ADMIN] = CAP_SYS_ADMIN,
	    [MMK_CAP_SYS_NICE] = CAP_SYS_NICE,
	    [MMK_CAP_SYS_RESOURCE] = CAP_SYS_RESOURCE,
	};

	return capable(number[cap]);
}

static u64 port_random(void *ctx)
{
	return random_u64();
}

static void port_resched(void *ctx)
{
	cond_resched();
}

static bool port_killed(void *ctx)
{
	return fatal_signal_pending(current);
}

static u64 port_now(void *ctx)
{
	return clock_ns();
}

static void port_wake_worker(void *ctx)
{
	kworker_wake();
}

static void __noreturn port_bug(void *ctx, const char *file, int line, const char *what)
{
	panic("memory system: %s:%d: %s", file, line, what);
}

static const struct mmk_port port = {
    .cpu_id = port_cpu_id,
    .relax = port_relax,
    .defer = port_defer,
    .wait = port_wait,
    .wake = port_wake,
    .fget = port_fget,
    .get_file = port_get_file,
    .fput = port_fput,
    .file_id = port_file_id,
    .file_path = port_file_path,
    .may_see_cache = port_may_see_cache,
    .copy_to_user = port_copy_to_user,
    .copy_from_user = port_copy_from_user,
    .capable = port_capable,
    .random = port_random,
    .out_of_memory = port_out_of_memory,
    .resched = port_resched,
    .killed = port_killed,
    .now = port_now,
    .wake_worker = port_wake_worker,
    .hooks = &mm_hooks,
    .bug = (void (*)(void *, const char *, int, const char *))port_bug,
};

/* ------------------------------------------------------------------ start */

/* "mmkit.asid_bits=8" on the command line makes do with fewer than the CPU has. */
static u32 asid_bits(void)
{
	const char *want = cmdline_get("mmkit.asid_bits");

	return want && !strcmp(want, "8") ? 8 : cpu_features.asid_bits;
}

void mm_init_system(void)
{
	struct mmk_range reserved[BOOT_MAX_SPANS];
	struct mmk_config config = {
	    .port = &port,
	    .ram_phys = boot_info.ram_base,
	    .ram_size = boot_info.ram_size,
	    .ram_virt = phys_to_virt(boot_info.ram_base),
	    .reserved = reserved,
	    .nr_reserved = boot_info.nr_reserved,
	    .nr_cpus = nr_cpus,
	    .asid_bits = asid_bits(),
	    .bti = cpu_features.bti,
	};
	u32 i;
	int err;

	for (i = 0; i < boot_info.nr_reserved; i++)
		reserved[i] =
		    (struct mmk_range){boot_info.reserved[i].start, boot_info.reserved[i].end};
	err = mmk_system_init(&mm_sys, &config);
	if (err)
		panic("the memory system cannot start: error %d with %lu MiB of RAM", err,
		      boot_info.ram_size >> 20);
	mm_hooks_init();
}
