/* SPDX-License-Identifier: MIT */
/* What prctl(2) says to the memory system; and what a new address space inherits. */
#include "mm/internal.h"
#include "mm/vma.h"

#define MDWE_BITS (MMK_PR_MDWE_REFUSE_EXEC_GAIN | MMK_PR_MDWE_NO_INHERIT)

static int refuse_arg(struct mmk_task *task, unsigned long value)
{
	return refuse(task, -MMK_EINVAL, MMK_REASON_PRCTL_ARG, value, 0);
}

/* ---- memory-deny-write-execute ---- */

static int mdwe_bits(const struct mm_struct *mm)
{
	uint32_t flags = atomic_load_explicit(&mm->flags, memory_order_relaxed);

	unsigned bits = (flags & MMF_MDWE ? MMK_PR_MDWE_REFUSE_EXEC_GAIN : 0) |
	                (flags & MMF_MDWE_NO_INHERIT ? MMK_PR_MDWE_NO_INHERIT : 0);

	return (int)bits;
}

static int set_mdwe(struct mmk_task *task, unsigned long bits)
{
	struct mm_struct *mm = task->mm;
	unsigned now = (unsigned)mdwe_bits(mm);

	if ((bits & ~(unsigned long)MDWE_BITS) || bits == MMK_PR_MDWE_NO_INHERIT)
		return refuse_arg(task, bits);
	if (now && now != bits)
		return refuse(task, -MMK_EPERM, MMK_REASON_MDWE_SET, now, 0);
	if (bits & MMK_PR_MDWE_NO_INHERIT)
		atomic_fetch_or_explicit(&mm->flags, MMF_MDWE_NO_INHERIT, memory_order_relaxed);
	if (bits & MMK_PR_MDWE_REFUSE_EXEC_GAIN)
		atomic_fetch_or_explicit(&mm->flags, MMF_MDWE, memory_order_relaxed);
	return 0;
}

int mdwe_refuse(struct mmk_task *task, const struct mm_struct *mm, uint64_t old, uint64_t new)
{
	if (!(atomic_load_explicit(&mm->flags, memory_order_relaxed) & MMF_MDWE))
		return 0;
	if (!(new &MMK_VM_WRITE) && (old & MMK_VM_EXEC))
		return 0;
	return refuse(task, -MMK_EACCES, MMK_REASON_MDWE, new &VM_ACCESS_FLAGS, 0);
}

/* ---- transparent huge pages: there are none to disable, but the wish is kept ---- */

static int set_thp_disable(struct mmk_task *task, bool on)
{
	int err = mmap_lock_or_refuse(task, task->mm);

	if (err)
		return err;
	if (on)
		atomic_fetch_or_explicit(&task->mm->flags, MMF_THP_DISABLE, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&task->mm->flags, ~MMF_THP_DISABLE, memory_order_relaxed);
	mmap_write_unlock(task->mm);
	return 0;
}

/* ---- boundaries (PR_SET_MM) ---- */

static bool bound_allowed(const struct mm_struct *mm, unsigned long addr)
{
	return addr >= mm->sys->mmap_min_addr && addr < TASK_SIZE;
}

static bool bounds_in_order(const struct mmk_mm_bounds *b)
{
	return b->start_code < b->end_code && b->start_data <= b->end_data &&
	       b->start_brk <= b->brk && b->arg_start <= b->arg_end && b->env_start <= b->env_end;
}

static int check_bounds(struct mmk_task *task, const struct mmk_mm_bounds *b)
{
	const unsigned long all[] = {b->start_code, b->end_code,  b->start_data,  b->end_data,
	                             b->start_brk,  b->brk,       b->start_stack, b->arg_start,
	                             b->arg_end,    b->env_start, b->env_end};
	uint64_t limit = rlimit_bytes(task, MMK_RLIMIT_DATA);

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!bound_allowed(task->mm, all[i]))
			return refuse(task, -MMK_EINVAL, MMK_REASON_BOUND, all[i], 0);
	if (!bounds_in_order(b))
		return refuse(task, -MMK_EINVAL, MMK_REASON_BOUNDS_ORDER, 0, 0);
	if (limit != MMK_RLIM_INFINITY &&
	    (b->brk - b->start_brk) + (b->end_data - b->start_data) > limit)
		return refuse(task, -MMK_EINVAL, MMK_REASON_RLIMIT_DATA,
		              (b->brk - b->start_brk) >> PAGE_SHIFT, limit >> PAGE_SHIFT);
	return 0;
}

/* The field of `which`, PR_SET_MM_START_CODE and on; NULL: none such. */
static unsigned long *bound_of(struct mmk_mm_bounds *b, unsigned long which)
{
	unsigned long *const fields[] = {NULL,           &b->start_code, &b->end_code,
	                                 &b->start_data, &b->end_data,   &b->start_stack,
	                                 &b->start_brk,  &b->brk,        &b->arg_start,
	                                 &b->arg_end,    &b->env_start,  &b->env_end};

	return which < sizeof(fields) / sizeof(fields[0]) ? fields[which] : NULL;
}

static bool must_be_mapped(unsigned long which)
{
	return which == MMK_PR_SET_MM_START_STACK ||
	       (which >= MMK_PR_SET_MM_ARG_START && which <= MMK_PR_SET_MM_ENV_END);
}

static int set_bound_locked(struct mmk_task *task, unsigned long which, unsigned long addr)
{
	struct mm_struct *mm = task->mm;
	struct mmk_mm_bounds b = mm->bounds;
	unsigned long *field = bound_of(&b, which);
	int err;

	if (!field)
		return refuse_arg(task, which);
	*field = addr;
	err = check_bounds(task, &b);
	if (err)
		return err;
	if (must_be_mapped(which) && !find_vma(mm, addr))
		return refuse(task, -MMK_EFAULT, MMK_REASON_NOT_MAPPED, addr, 0);
	mm->bounds = b;
	return 0;
}

static int set_bound(struct mmk_task *task, unsigned long which, unsigned long addr)
{
	int err;

	if (!task_capable(task->mm->sys, task, MMK_CAP_SYS_RESOURCE))
		return refuse(task, -MMK_EPERM, MMK_REASON_SET_MM_PRIVILEGE, 0, 0);
	if (!bound_allowed(task->mm, addr))
		return refuse(task, -MMK_EINVAL, MMK_REASON_BOUND, addr, 0);
	err = mmap_lock_or_refuse(task, task->mm);
	if (err)
		return err;
	err = set_bound_locked(task, which, addr);
	mmap_write_unlock(task->mm);
	return err;
}

int mmk_mm_check_bounds(struct mmk_task *task, const struct mmk_mm_bounds *b)
{
	reason_clear(task);
	return check_bounds(task, b);
}

/* ---- the call ---- */

long mmk_sys_prctl(struct mmk_task *task, int option, const unsigned long arg[4])
{
	uint32_t flags = atomic_load_explicit(&task->mm->flags, memory_order_relaxed);
	unsigned long behind = arg[1] | arg[2] | arg[3];

	reason_clear(task);
	switch (option) {
	case MMK_PR_SET_VMA:
		if (arg[0] != MMK_PR_SET_VMA_ANON_NAME)
			return refuse_arg(task, arg[0]);
		return do_set_anon_name(task, arg[1], arg[2], arg[3]);
	case MMK_PR_SET_MDWE:
		return behind ? refuse_arg(task, behind) : set_mdwe(task, arg[0]);
	case MMK_PR_GET_MDWE:
		return arg[0] | behind ? refuse_arg(task, arg[0] | behind) : mdwe_bits(task->mm);
	case MMK_PR_SET_THP_DISABLE:
		return behind ? refuse_arg(task, behind) : set_thp_disable(task, arg[0]);
	case MMK_PR_GET_THP_DISABLE:
		return arg[0] | behind ? refuse_arg(task, arg[0] | behind)
		                       : !!(flags & MMF_THP_DISABLE);
	case MMK_PR_SET_MM:
		return arg[2] | arg[3] ? refuse_arg(task, arg[2] | arg[3])
		                       : set_bound(task, arg[0], arg[1]);
	default:
		return refuse_arg(task, (unsigned)option);
	}
}

void mmk_mm_inherit(struct mmk_mm *mm, const struct mmk_mm *from)
{
	uint32_t flags = atomic_load_explicit(&from->flags, memory_order_relaxed) & ~MMF_REAPED;

	if (flags & MMF_MDWE_NO_INHERIT)
		flags &= ~(MMF_MDWE | MMF_MDWE_NO_INHERIT);
	atomic_store_explicit(&mm->flags, flags, memory_order_relaxed);
}
