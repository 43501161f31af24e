/* SPDX-License-Identifier: MIT */
/*
 * Secret memory (memfd_secret): pages of a file that only its mappings reach. Loads and stores of
 * the programs that map it are all there is; whoever asks for the pages in another way -
 * mmk_access_vm, populating for mlock - is refused. Locked from the start, and for good.
 */
#include "mm/internal.h"
#include "mm/vma.h"

const struct vm_operations_struct secret_vm_ops;

int mmk_secret_mmap(struct mmk_file *file, struct mmk_mmap_request *req)
{
	uint64_t pages = (req->end - req->start) >> PAGE_SHIFT;
	int err;

	if (!(req->vm_flags & (MMK_VM_SHARED | MMK_VM_MAYSHARE)))
		return -MMK_EINVAL;
	err = mlock_future_check(req->task, req->mm, req->vm_flags | MMK_VM_LOCKED, pages,
	                         -MMK_EAGAIN);
	if (err)
		return err;
	req->vm_flags |= MMK_VM_LOCKED | MMK_VM_DONTDUMP;
	req->vm_ops = &secret_vm_ops;
	return 0;
}
