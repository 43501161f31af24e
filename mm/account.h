/* SPDX-License-Identifier: MIT */
/*
 * What memory is counted against, for who maps it: inline where it does not refuse, as mmap and
 * munmap do little else. account.c has the limits and the reasons. mmap_lock is held for writing.
 */
#ifndef MM_ACCOUNT_H
#define MM_ACCOUNT_H

#include "mm/internal.h"

enum { OVERCOMMIT_GUESS, OVERCOMMIT_ALWAYS, OVERCOMMIT_NEVER };

static inline const struct mmk_hooks *hooks_of(const struct mmk_system *sys)
{
	return sys->port->hooks;
}

/* Pages that an rlimit given in bytes allows. */
static inline uint64_t rlimit_bytes(const struct mmk_task *task, unsigned which)
{
	return task->rlim ? task->rlim[which].cur : MMK_RLIM_INFINITY;
}

static inline uint64_t rlimit_pages(const struct mmk_task *task, unsigned which)
{
	return rlimit_bytes(task, which) >> PAGE_SHIFT;
}

bool task_capable(const struct mmk_system *sys, const struct mmk_task *task, enum mmk_cap cap);

static inline bool is_data_mapping(uint64_t vm_flags)
{
	return (vm_flags & (MMK_VM_WRITE | MMK_VM_SHARED | MMK_VM_GROWSDOWN)) == MMK_VM_WRITE;
}

static inline bool is_exec_mapping(uint64_t vm_flags)
{
	return (vm_flags & (MMK_VM_EXEC | MMK_VM_WRITE | MMK_VM_GROWSDOWN)) == MMK_VM_EXEC;
}

/* Private memory that can be written counts against the commit limit. */
static inline bool accountable_mapping(uint64_t vm_flags)
{
	return (vm_flags & (MMK_VM_NORESERVE | MMK_VM_SHARED | MMK_VM_WRITE)) == MMK_VM_WRITE;
}

/* RLIMIT_DATA's question in full. */
bool over_limit_data(const struct mmk_task *task, const struct mm_struct *mm, int64_t npages);

/* Do RLIMIT_AS and RLIMIT_DATA allow npages (may be negative) more? */
static inline bool can_expand_vm(const struct mmk_task *task, const struct mm_struct *mm,
                                 uint64_t vm_flags, int64_t npages)
{
	if (!task->rlim)
		return true;
	if (unlikely(mm->total_vm + npages > task->rlim[MMK_RLIMIT_AS].cur >> PAGE_SHIFT))
		return false;
	return !is_data_mapping(vm_flags) ||
	       likely(mm->data_vm + npages <= task->rlim[MMK_RLIMIT_DATA].cur >> PAGE_SHIFT) ||
	       !over_limit_data(task, mm, npages);
}

int refuse_expand_vm(struct mmk_task *task, const struct mm_struct *mm, int64_t npages);
/* The same question: 0 or -ENOMEM, refused. */
static inline int may_expand_vm(struct mmk_task *task, struct mm_struct *mm, uint64_t vm_flags,
                                int64_t npages)
{
	return likely(can_expand_vm(task, mm, vm_flags, npages)) ?
	               0 :
	               refuse_expand_vm(task, mm, npages);
}

/* Commit `pages` more (<= 0: fine). 0 or -ENOMEM or the hook's errno, refused. Undone with
 * vm_uncharge. */
int vm_charge(struct mmk_task *task, struct mm_struct *mm, int64_t pages);
int refuse_charge_by_hook(struct mmk_task *task, int64_t pages, int err);
int vm_charge_check(struct mmk_task *task, struct mm_struct *mm, int64_t pages);

static inline uint64_t total_ram_pages(const struct mmk_system *sys)
{
	return sys->nr_frames -
	       atomic_load_explicit(&sys->nr_kind[PAGE_RESERVED], memory_order_relaxed);
}

/* vm_charge() of more than 0 pages, inline. */
static inline int vm_charge_inline(struct mmk_task *task, struct mm_struct *mm, int64_t pages)
{
	struct mmk_system *sys = mm->sys;
	const struct mmk_hooks *hooks = hooks_of(sys);

	if (hooks && hooks->security_vm_enough_memory) {
		int err = hooks->security_vm_enough_memory(sys->ctx, task, mm, pages);

		if (unlikely(err))
			return refuse_charge_by_hook(task, pages, err);
	}
	atomic_fetch_add_explicit(&sys->committed, pages, memory_order_relaxed);
	if (likely(sys->overcommit_memory == OVERCOMMIT_GUESS &&
	           pages <= (int64_t)total_ram_pages(sys)))
		return 0;
	return vm_charge_check(task, mm, pages);
}

static inline void vm_uncharge(struct mmk_system *sys, int64_t pages)
{
	if (pages)
		atomic_fetch_sub_explicit(&sys->committed, pages, memory_order_relaxed);
}
/* What mode 2 lets all programs commit together, before anything is kept back: pages. */
uint64_t vm_commit_limit(const struct mmk_system *sys);

/* The figure of a kind of memory that is not data. */
void vm_stat_rare(struct mm_struct *mm, uint64_t vm_flags, int64_t npages);
/* total_vm and the figure of its kind, where so many pages go. */
static inline void vm_stat_drop(struct mm_struct *mm, uint64_t vm_flags, int64_t npages)
{
	mm->total_vm -= npages;
	if (likely(is_data_mapping(vm_flags)))
		mm->data_vm -= npages;
	else
		vm_stat_rare(mm, vm_flags, -npages);
}

/* The same, where they come. */
static inline void vm_stat_account(struct mm_struct *mm, uint64_t vm_flags, int64_t npages)
{
	vm_stat_drop(mm, vm_flags, -npages);
	if (mm->total_vm > mm->hiwater_vm)
		mm->hiwater_vm = mm->total_vm;
}

/* RLIMIT_MEMLOCK not 0, or privileged. */
bool can_do_mlock(const struct mmk_task *task);
int mlock_limit_check(struct mmk_task *task, const struct mm_struct *mm, uint64_t npages, int err);
/* Room in RLIMIT_MEMLOCK for npages more, if vm_flags locks them. 0 or `err`, refused. */
static inline int mlock_future_check(struct mmk_task *task, const struct mm_struct *mm,
                                     uint64_t vm_flags, uint64_t npages, int err)
{
	return likely(!(vm_flags & MMK_VM_LOCKED)) ? 0 : mlock_limit_check(task, mm, npages, err);
}

#endif
