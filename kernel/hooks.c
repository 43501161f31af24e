/* SPDX-License-Identifier: MIT */
/*
 * The hooks on the path of mmap, each with a small job of its own: an audit line, a
 * write-xor-execute rule, a brake on dying programs, counts for the report, mandatory locks.
 */
#include "kernel/hooks.h"

#include "kernel/boot.h"
#include "kernel/fs/fs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

struct mm_hook_counts mm_hook_counts; /* [A] */

static void count(u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static bool audit_on;  /* audit=1 */
static bool wx_denied; /* mmap.wx=deny */

static void audit_mmap_fd(void *ctx, struct mmk_task *task, int fd, unsigned long flags)
{
	count(&mm_hook_counts.audited);
	if (audit_on)
		pr_warn("audit: type=MMAP pid=%d comm=\"%s\" fd=%d flags=0x%lx\n", task->pid,
		        current->comm, fd, flags);
}

/* With mmap.wx=deny nothing may be writable and executable at once, as SELinux's execmem has it. */
static int security_mmap_file(void *ctx, struct mmk_task *task, struct mmk_file *file,
                              unsigned long prot, unsigned long flags)
{
	const unsigned long wx = MMK_PROT_WRITE | MMK_PROT_EXEC;

	if (!wx_denied || (prot & wx) != wx)
		return 0;
	count(&mm_hook_counts.denied);
	return -EACCES;
}

/* A thread that is being killed gets no more memory promised: it is to give back what it has. */
static int security_vm_enough_memory(void *ctx, struct mmk_task *task, struct mmk_mm *mm,
                                     long pages)
{
	u64 peak = __atomic_load_n(&mm_hook_counts.commit_peak, __ATOMIC_RELAXED);

	while (pages > 0 && (u64)pages > peak)
		if (__atomic_compare_exchange_n(&mm_hook_counts.commit_peak, &peak, (u64)pages,
		                                true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			break;
	if (!fatal_signal_pending(current))
		return 0;
	count(&mm_hook_counts.commit_denied);
	return -ENOMEM;
}

static void perf_event_mmap(void *ctx, struct mmk_task *task, unsigned long start,
                            unsigned long end, uint64_t pgoff, uint64_t vm_flags,
                            struct mmk_file *file)
{
	count(&mm_hook_counts.mappings);
	if (vm_flags & MMK_VM_EXEC)
		count(&mm_hook_counts.executable);
}

static void uprobe_mmap(void *ctx, struct mmk_task *task, unsigned long start, unsigned long end,
                        uint64_t pgoff, struct mmk_file *file)
{
	count(&mm_hook_counts.code_files);
}

const struct mmk_hooks mm_hooks = {
    .audit_mmap_fd = audit_mmap_fd,
    .security_mmap_file = security_mmap_file,
    .security_vm_enough_memory = security_vm_enough_memory,
    .perf_event_mmap = perf_event_mmap,
    .uprobe_mmap = uprobe_mmap,
    .locks_verify_locked = port_locks_verify,
};

void mm_hooks_init(void)
{
	const char *audit = cmdline_get("audit"), *wx = cmdline_get("mmap.wx");

	audit_on = audit && !strcmp(audit, "1");
	wx_denied = wx && !strcmp(wx, "deny");
}
