/* SPDX-License-Identifier: MIT */
/*
 * What memory is counted against: resource limits of the task, the commit limit of the system, and
 * the figures of an mm that /proc shows. Nothing here looks at page tables.
 */
#include "mm/internal.h"
#include "mm/vma.h"
#include "mm/frame_cache.h"

bool task_capable(const struct mmk_system *sys, const struct mmk_task *task, enum mmk_cap cap)
{
	/* The port sees the task it knows: its own structure around this one. */
	return sys->port->capable && sys->port->capable(sys->ctx, (struct mmk_task *)task, cap);
}

bool over_limit_data(const struct mmk_task *task, const struct mm_struct *mm, int64_t npages)
{
	uint64_t wanted = mm->data_vm + npages;

	if (wanted <= rlimit_pages(task, MMK_RLIMIT_DATA))
		return false;
	/* A soft limit of 0 means the hard one: debuggers rely on it. */
	return task->rlim[MMK_RLIMIT_DATA].cur != 0 ||
	       wanted > task->rlim[MMK_RLIMIT_DATA].max >> PAGE_SHIFT;
}

__cold int refuse_expand_vm(struct mmk_task *task, const struct mm_struct *mm, int64_t npages)
{
	if (mm->total_vm + npages > rlimit_pages(task, MMK_RLIMIT_AS))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_RLIMIT_AS, mm->total_vm + npages,
		              rlimit_pages(task, MMK_RLIMIT_AS));
	return refuse(task, -MMK_ENOMEM, MMK_REASON_RLIMIT_DATA, mm->data_vm + npages,
	              rlimit_pages(task, MMK_RLIMIT_DATA));
}

void vm_stat_rare(struct mm_struct *mm, uint64_t vm_flags, int64_t npages)
{
	if (is_exec_mapping(vm_flags))
		mm->exec_vm += npages;
	else if (vm_flags & MMK_VM_GROWSDOWN)
		mm->stack_vm += npages;
}

static uint64_t kib_to_pages(uint64_t kib)
{
	return kib >> (PAGE_SHIFT - 10);
}

uint64_t vm_commit_limit(const struct mmk_system *sys)
{
	if (sys->overcommit_kbytes)
		return kib_to_pages(sys->overcommit_kbytes);
	return total_ram_pages(sys) * sys->overcommit_ratio / 100;
}

/* Mode 2's limit for this mm: something is kept back for root and for the shell that clears up. */
static int64_t strict_limit(const struct mmk_task *task, const struct mm_struct *mm)
{
	const struct mmk_system *sys = mm->sys;
	int64_t allowed = vm_commit_limit(sys);
	int64_t own = mm->total_vm / 32, reserve = kib_to_pages(sys->user_reserve_kbytes);

	if (!task_capable(sys, task, MMK_CAP_SYS_ADMIN))
		allowed -= kib_to_pages(sys->admin_reserve_kbytes);
	return allowed - (own < reserve ? own : reserve);
}

/* The pages are in sys->committed already. */
static bool enough_memory(const struct mmk_task *task, const struct mm_struct *mm, int64_t pages,
                          int64_t *limit)
{
	const struct mmk_system *sys = mm->sys;

	if (sys->overcommit_memory == OVERCOMMIT_ALWAYS)
		return true;
	if (sys->overcommit_memory == OVERCOMMIT_GUESS) {
		*limit = total_ram_pages(sys);
		return pages <= *limit;
	}
	*limit = strict_limit(task, mm);
	return sys->committed < *limit;
}

__cold int refuse_charge_by_hook(struct mmk_task *task, int64_t pages, int err)
{
	return refuse(task, err, MMK_REASON_SECURITY_MEMORY, pages, -err);
}

__cold int vm_charge_check(struct mmk_task *task, struct mm_struct *mm, int64_t pages)
{
	int64_t limit = 0;

	if (enough_memory(task, mm, pages, &limit))
		return 0;
	vm_uncharge(mm->sys, pages);
	return refuse(task, -MMK_ENOMEM, MMK_REASON_OVERCOMMIT, pages, limit < 0 ? 0 : limit);
}

int vm_charge(struct mmk_task *task, struct mm_struct *mm, int64_t pages)
{
	return pages > 0 ? vm_charge_inline(task, mm, pages) : 0;
}

bool can_do_mlock(const struct mmk_task *task)
{
	return rlimit_bytes(task, MMK_RLIMIT_MEMLOCK) != 0 ||
	       task_capable(task->mm->sys, task, MMK_CAP_IPC_LOCK);
}

int mlock_limit_check(struct mmk_task *task, const struct mm_struct *mm, uint64_t npages, int err)
{
	uint64_t limit = rlimit_pages(task, MMK_RLIMIT_MEMLOCK);

	if (mm->locked_vm + npages <= limit || task_capable(mm->sys, task, MMK_CAP_IPC_LOCK))
		return 0;
	return refuse(task, err, MMK_REASON_MEMLOCK_LIMIT, mm->locked_vm + npages, limit);
}

__cold int mmk_commit(struct mmk_task *task, uint64_t pages)
{
	struct mmk_system *sys = task->mm->sys;
	int err;

	reason_clear(task);
	if (pages > (uint64_t)INT64_MAX)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_OVERCOMMIT, pages, 0);
	err = vm_charge(task, task->mm, pages);
	if (!err)
		atomic_fetch_add_explicit(&sys->committed_shmem, pages, memory_order_relaxed);
	return err;
}

__cold void mmk_uncommit(struct mmk_system *sys, uint64_t pages)
{
	atomic_fetch_sub_explicit(&sys->committed_shmem, pages, memory_order_relaxed);
	vm_uncharge(sys, pages);
}
