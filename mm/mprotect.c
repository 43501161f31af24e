/* SPDX-License-Identifier: MIT */
/*
 * mprotect: other permissions for what is mapped, VMA by VMA in the order of addresses. Where it
 * has to stop - a hole, a mapping that may never have this - what lies before has changed already:
 * that is Linux's rule and programs see it.
 */
#include "mm/internal.h"
#include "mm/share.h"
#include "mm/vma.h"

#define PROT_KNOWN (MMK_PROT_READ | MMK_PROT_WRITE | MMK_PROT_EXEC | MMK_PROT_SEM)
#define PROT_GROWS (MMK_PROT_GROWSDOWN | MMK_PROT_GROWSUP)

/* Memory that becomes writable begins to count. *charged: pages; flags gain or lose VM_ACCOUNT. */
static int mprotect_account(struct mmk_task *task, const struct vm_area_struct *vma, uint64_t pages,
                            uint64_t *flags, uint64_t *charged)
{
	struct mm_struct *mm = vma->vm_mm;
	uint64_t old = vma->vm_flags;
	int err;

	*charged = 0;
	if (!(*flags & MMK_VM_WRITE)) {
		/* Pages that were written still need their promise; none have been. */
		if ((old & MMK_VM_ACCOUNT) && vma_is_anonymous(vma) && !vma_anon_vma(vma))
			*flags &= ~MMK_VM_ACCOUNT;
		return 0;
	}
	/* Only becoming data can newly pass a limit. */
	if (can_expand_vm(task, mm, old, pages)) {
		err = may_expand_vm(task, mm, *flags, pages);
		if (err)
			return err;
	}
	if (old & (MMK_VM_ACCOUNT | MMK_VM_WRITE | MMK_VM_SHARED | MMK_VM_NORESERVE))
		return 0;
	err = vm_charge(task, mm, pages);
	if (err)
		return err;
	*charged = pages;
	*flags |= MMK_VM_ACCOUNT;
	return 0;
}

static int mprotect_fixup(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                          unsigned long end, uint64_t flags)
{
	struct mm_struct *mm = vma->vm_mm;
	uint64_t old = vma->vm_flags, pages = (end - start) >> PAGE_SHIFT, charged;
	int err;

	if (unlikely(vma_is_sealed(vma)))
		return refuse(task, -MMK_EPERM, MMK_REASON_VMA_SEALED, vma->vm_start, 0);
	if (flags == old)
		return 0;
	err = mprotect_account(task, vma, pages, &flags, &charged);
	if (err)
		return err;
	err = tables_own(mm, start, end);
	if (unlikely(err))
		refuse(task, err, MMK_REASON_NO_MEMORY_TABLES, 0, 0);
	else
		err = vma_modify(task, vma, start, end, flags, &vma);
	if (err) {
		vm_uncharge(mm->sys, charged);
		return err;
	}
	vma_change_flags(vma, flags);
	change_protection(vma, start, end);
	if ((old & MMK_VM_ACCOUNT) && !(flags & MMK_VM_ACCOUNT))
		vm_uncharge(mm->sys, pages);
	vm_stat_drop(mm, old, pages);
	vm_stat_account(mm, flags, pages);
	/* Locked memory does not wait for a fault to be copied. */
	if ((old & (MMK_VM_WRITE | MMK_VM_SHARED | MMK_VM_LOCKED)) == MMK_VM_LOCKED &&
	    (flags & MMK_VM_WRITE))
		populate_vma_page_range(task, vma, start, end);
	perf_event_mmap(task, vma);
	return 0;
}

/* The flags that [start, end) of the VMA shall have. 0 or -EACCES, refused. */
static int mprotect_flags(struct mmk_task *task, const struct vm_area_struct *vma,
                          unsigned long prot, uint64_t *flags)
{
	uint64_t access;

	if ((task->personality & MMK_READ_IMPLIES_EXEC) && (prot & MMK_PROT_READ) &&
	    (vma->vm_flags & MMK_VM_MAYEXEC))
		prot |= MMK_PROT_EXEC;
	access = prot_to_vm(task->mm->sys, prot);
	/* VM_MAYREAD, _MAYWRITE, _MAYEXEC stand four bits above what they allow. */
	if (access & VM_ACCESS_FLAGS & ~(vma->vm_flags >> 4))
		return refuse(task, -MMK_EACCES, MMK_REASON_PROT_NEVER, vma->vm_start, prot);
	*flags = (vma->vm_flags & ~(VM_ACCESS_FLAGS | MMK_VM_ARM64_BTI)) | access;
	if (unlikely(access & MMK_VM_EXEC))
		return mdwe_refuse(task, vma->vm_mm, vma->vm_flags, *flags);
	return 0;
}

static int mprotect_range(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                          unsigned long end, unsigned long prot)
{
	struct mm_struct *mm = vma->vm_mm;
	uint64_t flags = 0;
	int err;

	while (start < end) {
		unsigned long stop;

		if (!vma || vma->vm_start > start)
			return refuse(task, -MMK_ENOMEM, MMK_REASON_NOT_MAPPED, start, 0);
		stop = vma->vm_end < end ? vma->vm_end : end;
		err = mprotect_flags(task, vma, prot, &flags);
		if (!err)
			err = mprotect_fixup(task, vma, start, stop, flags);
		if (err)
			return err;
		start = stop;
		if (start < end)
			vma = find_vma(mm, start); /* merges may have moved the bounds */
	}
	return 0;
}

/* PROT_GROWSDOWN reaches down to the start of the mapping; it and its sibling ask for one that
 * grows so. */
static int mprotect_grows(struct mmk_task *task, const struct vm_area_struct *vma,
                          unsigned long grows, unsigned long *start)
{
	if (!grows)
		return 0;
	if (grows == MMK_PROT_GROWSDOWN)
		*start = vma->vm_start;
	if (grows == MMK_PROT_GROWSUP || !(vma->vm_flags & MMK_VM_GROWSDOWN))
		return refuse(task, -MMK_EINVAL, MMK_REASON_GROWS_NOT, vma->vm_start, 0);
	return 0;
}

static int mprotect_locked(struct mmk_task *task, unsigned long start, unsigned long end,
                           unsigned long prot, unsigned long grows)
{
	struct vm_area_struct *vma = find_vma(task->mm, start);
	int err;

	if (!vma || vma->vm_start >= end || (vma->vm_start > start && grows != MMK_PROT_GROWSDOWN))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NOT_MAPPED, start, 0);
	err = mprotect_grows(task, vma, grows, &start);
	return err ? err : mprotect_range(task, vma, start, end, prot);
}

/* Without hardware for keys there is the one that all memory has from the start. */
static bool pkey_is_allocated(const struct mm_struct *mm, int pkey)
{
	return pkey == 0 && !mm->pkey_zero_freed;
}

long do_mprotect(struct mmk_task *task, unsigned long start, unsigned long len, unsigned long prot,
                 int pkey)
{
	unsigned long grows = prot & PROT_GROWS, end, unknown;
	int err;

	prot &= ~PROT_GROWS;
	if (grows == PROT_GROWS)
		return refuse(task, -MMK_EINVAL, MMK_REASON_GROWS_BOTH, 0, 0);
	if (start & ~PAGE_MASK)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED, start, 0);
	if (!len)
		return 0;
	end = start + PAGE_ALIGN(len);
	if (end <= start)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_RANGE_WRAPS, start, len);
	unknown = prot & ~(PROT_KNOWN | task->mm->sys->prot_arch);
	if (unknown)
		return refuse(task, -MMK_EINVAL, MMK_REASON_PROT_BITS, unknown, 0);
	err = mmap_lock_or_refuse(task, task->mm);
	if (err)
		return err;
	if (likely(pkey == MMK_NO_PKEY) || pkey_is_allocated(task->mm, pkey))
		err = mprotect_locked(task, start, end, prot, grows);
	else
		err = refuse(task, -MMK_EINVAL, MMK_REASON_PKEY_NOT, (int64_t)pkey, 0);
	mmap_write_unlock(task->mm);
	return err;
}

long mmk_sys_pkey_alloc(struct mmk_task *task, unsigned long flags, unsigned long rights)
{
	reason_clear(task);
	if (flags || (rights & ~MMK_PKEY_ACCESS_MASK))
		return refuse(task, -MMK_EINVAL, MMK_REASON_PKEY_FLAGS, flags, rights);
	return refuse(task, -MMK_ENOSPC, MMK_REASON_PKEY_NONE, 0, 0);
}

long mmk_sys_pkey_free(struct mmk_task *task, int pkey)
{
	struct mm_struct *mm = task->mm;
	int err;

	reason_clear(task);
	err = mmap_lock_or_refuse(task, mm);
	if (err)
		return err;
	if (pkey_is_allocated(mm, pkey))
		mm->pkey_zero_freed = true;
	else
		err = refuse(task, -MMK_EINVAL, MMK_REASON_PKEY_NOT, (int64_t)pkey, 0);
	mmap_write_unlock(mm);
	return err;
}
