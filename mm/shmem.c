/* SPDX-License-Identifier: MIT */
/*
 * Memory that several programs share without a file of the embedder's: MAP_SHARED | MAP_ANONYMOUS
 * and shared mappings of /dev/zero. Each is a file of the core's own - a homeless mapping with a
 * count of references - so that the rest of the core treats it as any other file.
 *
 * A VMA's file is the embedder's or such a one; get_vma_file and put_vma_file know which.
 */
#include "mm/internal.h"
#include "mm/cache.h"

struct shmem_object {
	struct file file; /* first: file.f_op tells that it is one */
	struct address_space mapping;
	struct mmk_system *sys;
	_Atomic uint32_t refs;
	int64_t charged; /* pages of sys->committed that go with it */
};

/* Only madvise(MADV_REMOVE) comes here. */
static int shmem_fallocate(struct mmk_file *file, int mode, uint64_t off, uint64_t len)
{
	return mmk_mapping_punch(file->f_mapping, off, off + len);
}

const struct mmk_file_ops shmem_file_ops = {
	.mmap = mmk_generic_file_mmap,
	.fallocate = shmem_fallocate,
};

static const struct mmk_mapping_ops shmem_mapping_ops;

/* The pages come from the file's page cache; nothing to do on the way. */
const struct vm_operations_struct generic_file_vm_ops;

struct file *shmem_zero_file(struct mmk_system *sys, uint64_t size, uint64_t vm_flags)
{
	struct shmem_object *o;

	if (size > (uint64_t)INT64_MAX)
		return NULL;
	o = mmk_kzalloc(sys, sizeof(*o));
	if (!o)
		return NULL;
	mmk_mapping_init(sys, &o->mapping, &shmem_mapping_ops, o, size);
	o->file.f_op = &shmem_file_ops;
	o->file.f_mapping = &o->mapping;
	o->file.f_mode = MMK_FMODE_READ | MMK_FMODE_WRITE;
	o->sys = sys;
	atomic_init(&o->refs, 1);
	return &o->file;
}

static struct shmem_object *object_of(struct file *file)
{
	return container_of(file, struct shmem_object, file);
}

void shmem_set_charge(struct file *file, int64_t pages)
{
	struct shmem_object *o = object_of(file);

	o->charged = pages;
	atomic_fetch_add_explicit(&o->sys->committed_shmem, pages, memory_order_relaxed);
}

static void shmem_uncharge(struct shmem_object *o)
{
	if (!o->charged)
		return;
	atomic_fetch_sub_explicit(&o->sys->committed_shmem, o->charged, memory_order_relaxed);
	atomic_fetch_sub_explicit(&o->sys->committed, o->charged, memory_order_relaxed);
}

void get_vma_file(struct mmk_system *sys, struct file *file)
{
	if (file->f_op == &shmem_file_ops)
		atomic_fetch_add_explicit(&object_of(file)->refs, 1, memory_order_relaxed);
	else
		sys->port->get_file(sys->ctx, file);
}

void put_vma_file(struct mmk_system *sys, struct file *file)
{
	struct shmem_object *o;

	if (file->f_op != &shmem_file_ops) {
		sys->port->fput(sys->ctx, file);
		return;
	}
	o = object_of(file);
	if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	shmem_uncharge(o);
	mmk_mapping_destroy(&o->mapping);
	mmk_kfree(sys, o);
}

int mmk_generic_file_mmap(struct mmk_file *file, struct mmk_mmap_request *req)
{
	if (!file->f_mapping)
		return -MMK_ENODEV;
	req->vm_ops = &generic_file_vm_ops;
	return 0;
}

/*
 * Private: the file stays (maps shows /dev/zero), the memory is anonymous. Shared: a new object,
 * whose one reference goes to the VMA in place of that on the file; an offset that the caller gave
 * stays, as on Linux, and lies beyond the object's end.
 */
int mmk_zero_mmap(struct mmk_file *file, struct mmk_mmap_request *req)
{
	struct file *object;

	if (!(req->vm_flags & MMK_VM_SHARED)) {
		req->vm_ops = NULL;
		return 0;
	}
	object = shmem_zero_file(req->mm->sys, req->end - req->start, req->vm_flags);
	if (!object)
		return -MMK_ENOMEM;
	req->file = object;
	req->vm_ops = &generic_file_vm_ops;
	return 0;
}
