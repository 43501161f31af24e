/* SPDX-License-Identifier: MIT */
/* Questions about one VMA, without the text of maps: ioctl(PROCMAP_QUERY), map_files. */
#include "mm/internal.h"
#include "mm/maps.h"
#include "mm/vma.h"

static bool kind_agrees(const struct vm_area_struct *vma, uint64_t flags)
{
	/* Readable, writable and executable have VM_READ's, VM_WRITE's and VM_EXEC's numbers. */
	uint64_t want = flags & VM_ACCESS_FLAGS;

	if ((flags & MMK_MAP_QUERY_FILE) && !vma->vm_file)
		return false;
	if (flags & MMK_MAP_QUERY_SHARED)
		want |= MMK_VM_MAYSHARE;
	return (vma->vm_flags & want) == want;
}

static struct vm_area_struct *find_asked(struct mm_struct *mm, unsigned long addr, uint64_t flags)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	for (; vma; vma = vma_next(vma)) {
		bool next = flags & MMK_MAP_QUERY_OR_NEXT;

		if (kind_agrees(vma, flags) && (next || vma->vm_start <= addr))
			return vma;
		if (!next)
			break;
	}
	return NULL;
}

static int fill_name(struct mmk_map_query *q, struct vm_area_struct *vma, char *name, size_t size)
{
	struct page *scratch = alloc_pages(vma->vm_mm->sys, 0, PAGE_KERNEL);
	struct text t;

	if (!scratch)
		return -MMK_ENOMEM;
	text_begin(&t, name, size);
	maps_name(&t, vma, page_address(vma->vm_mm->sys, scratch), "");
	free_pages(vma->vm_mm->sys, scratch);
	if (t.len >= size)
		return -MMK_ENAMETOOLONG;
	q->name_size = t.len ? (uint32_t)t.len + 1 : 0;
	return 0;
}

static void fill(struct mmk_map_query *q, const struct vm_area_struct *vma)
{
	q->start = vma->vm_start;
	q->end = vma->vm_end;
	q->vma_flags = (vma->vm_flags & VM_ACCESS_FLAGS) |
	               (vma->vm_flags & MMK_VM_MAYSHARE ? MMK_MAP_QUERY_SHARED : 0);
	q->page_size = PAGE_SIZE;
	q->offset = vma->vm_file ? vma->vm_pgoff << PAGE_SHIFT : 0;
	vma_file_id(vma, &q->major, &q->minor, &q->inode);
	q->build_id_size = 0;
}

int mmk_proc_map_query(struct mmk_mm *mm, struct mmk_map_query *q, char *name, size_t size)
{
	struct vm_area_struct *vma;
	int err = mmap_read_lock_killable(mm);

	if (err)
		return err;
	vma = find_asked(mm, q->addr, q->flags);
	if (!vma)
		err = -MMK_ENOENT;
	else if (size)
		err = fill_name(q, vma, name, size);
	if (!err)
		fill(q, vma);
	mmap_read_unlock(mm);
	return err;
}

struct mmk_file *mmk_vma_file(struct mmk_mm *mm, unsigned long *start, unsigned long *end)
{
	struct vm_area_struct *vma;
	struct file *file = NULL;

	mmap_read_lock(mm);
	vma = find_vma(mm, *start);
	while (vma && (!vma->vm_file || vma_is_shmem_zero(vma)))
		vma = vma_next(vma);
	if (vma) {
		file = vma->vm_file;
		get_vma_file(mm->sys, file);
		*start = vma->vm_start;
		*end = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return file;
}
