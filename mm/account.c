/* SPDX-License-Identifier: MIT */
/*
 * What memory is counted against: resource limits of the task, the commit limit of the system, and
 * the figures of an mm that /proc shows. Nothing here looks at page tables.
 */
#include "mm/internal.h"
#include "mm/vma.h"
#include "mm/frame_cache.h"

enum { OVERCOMMIT_GUESS, OVERCOMMIT_ALWAYS, OVERCOMMIT_NEVER };

uint64_t rlimit_bytes(const struct mmk_task *task, unsigned which)
{
	return task->rlim ? task->rlim[which].cur : MMK_RLIM_INFINITY;
}

uint64_t rlimit_pages(const struct mmk_task *task, unsigned which)
{
	return rlimit_bytes(task, which) >> PAGE_SHIFT;
}

bool task_capable(const struct mmk_system *sys, const struct mmk_task *task, enum mmk_cap cap)
{
	/* The port sees the task it knows: its own structure around this one. */
	return sys->port->capable && sys->port->capable(sys->ctx, (struct mmk_task *)task, cap);
}

static bool is_data_mapping(uint64_t vm_flags)
{
	return (vm_flags & (MMK_VM_WRITE | MMK_VM_SHARED | MMK_VM_GROWSDOWN)) == MMK_VM_WRITE;
}

static bool is_exec_mapping(uint64_t vm_flags)
{
	return (vm_flags & (MMK_VM_EXEC | MMK_VM_WRITE | MMK_VM_GROWSDOWN)) == MMK_VM_EXEC;
}

static bool over_limit_as(const struct mmk_task *task, const struct mm_struct *mm, int64_t npages)
{
	return mm->total_vm + npages > rlimit_pages(task, MMK_RLIMIT_AS);
}

static bool over_limit_data(const struct mmk_task *task, const struct mm_struct *mm,
                            uint64_t vm_flags, int64_t npages)
{
	uint64_t wanted = mm->data_vm + npages;

	if (!is_data_mapping(vm_flags) || wanted <= rlimit_pages(task, MMK_RLIMIT_DATA))
		return false;
	/* A soft limit of 0 means the hard one: debuggers rely on it. */
	return task->rlim[MMK_RLIMIT_DATA].cur != 0 ||
	       wanted > task->rlim[MMK_RLIMIT_DATA].max >> PAGE_SHIFT;
}

bool can_expand_vm(const struct mmk_task *task, const struct mm_struct *mm, uint64_t vm_flags,
                   int64_t npages)
{
	return !task->rlim ||
	       (!over_limit_as(task, mm, npages) && !over_limit_data(task, mm, vm_flags, npages));
}

int may_expand_vm(struct mmk_task *task, struct mm_struct *mm, uint64_t vm_flags, int64_t npages)
{
	if (likely(can_expand_vm(task, mm, vm_flags, npages)))
		return 0;
	if (over_limit_as(task, mm, npages))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_RLIMIT_AS, mm->total_vm + npages,
		              rlimit_pages(task, MMK_RLIMIT_AS));
	return refuse(task, -MMK_ENOMEM, MMK_REASON_RLIMIT_DATA, mm->data_vm + npages,
	              rlimit_pages(task, MMK_RLIMIT_DATA));
}

bool accountable_mapping(uint64_t vm_flags)
{
	return (vm_flags & (MMK_VM_NORESERVE | MMK_VM_SHARED | MMK_VM_WRITE)) == MMK_VM_WRITE;
}

static uint64_t kib_to_pages(uint64_t kib)
{
	return kib >> (PAGE_SHIFT - 10);
}

static uint64_t total_ram_pages(const struct mmk_system *sys)
{
	return sys->nr_frames - (uint64_t)atomic_load_explicit(&sys->nr_kind[PAGE_RESERVED], memory_order_relaxed);
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

int vm_charge(struct mmk_task *task, struct mm_struct *mm, int64_t pages)
{
	struct mmk_system *sys = mm->sys;
	const struct mmk_hooks *hooks = hooks_of(sys);
	int64_t limit = 0;
	int err;

	if (pages <= 0)
		return 0;
	if (unlikely(hooks && hooks->security_vm_enough_memory)) {
		err = hooks->security_vm_enough_memory(sys->ctx, task, mm, pages);
		if (err)
			return refuse(task, err, MMK_REASON_SECURITY_MEMORY, pages, -err);
	}
	atomic_fetch_add_explicit(&sys->committed, pages, memory_order_relaxed);
	if (likely(enough_memory(task, mm, pages, &limit)))
		return 0;
	vm_uncharge(sys, pages);
	return refuse(task, -MMK_ENOMEM, MMK_REASON_OVERCOMMIT, pages, limit < 0 ? 0 : limit);
}

void vm_uncharge(struct mmk_system *sys, int64_t pages)
{
	if (pages)
		atomic_fetch_sub_explicit(&sys->committed, pages, memory_order_relaxed);
}

void vm_stat_account(struct mm_struct *mm, uint64_t vm_flags, int64_t npages)
{
	mm->total_vm += npages;
	if (is_exec_mapping(vm_flags))
		mm->exec_vm += npages;
	else if (vm_flags & MMK_VM_GROWSDOWN)
		mm->stack_vm += npages;
	else if (is_data_mapping(vm_flags))
		mm->data_vm += npages;
	if (mm->total_vm > mm->hiwater_vm)
		mm->hiwater_vm = mm->total_vm;
}

bool can_do_mlock(const struct mmk_task *task)
{
	return rlimit_bytes(task, MMK_RLIMIT_MEMLOCK) != 0 ||
	       task_capable(task->mm->sys, task, MMK_CAP_IPC_LOCK);
}

int mlock_future_check(struct mmk_task *task, struct mm_struct *mm, uint64_t vm_flags,
                       uint64_t npages, int err)
{
	uint64_t limit;

	if (likely(!(vm_flags & MMK_VM_LOCKED)))
		return 0;
	limit = rlimit_pages(task, MMK_RLIMIT_MEMLOCK);
	if (mm->locked_vm + npages <= limit || task_capable(mm->sys, task, MMK_CAP_IPC_LOCK))
		return 0;
	return refuse(task, err, MMK_REASON_MEMLOCK_LIMIT, mm->locked_vm + npages, limit);
}

int mmk_commit(struct mmk_task *task, uint64_t pages)
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

void mmk_uncommit(struct mmk_system *sys, uint64_t pages)
{
	atomic_fetch_sub_explicit(&sys->committed_shmem, pages, memory_order_relaxed);
	vm_uncharge(sys, pages);
}
