/* SPDX-License-Identifier: MIT */
/* /proc/PID/maps: one line for each VMA, to the byte as Linux writes it. */
#include "mm/internal.h"
#include "mm/vma.h"

/* Names stand in this column. */
#define NAME_COLUMN 73

static void maps_flags(struct text *t, uint64_t flags)
{
	text_char(t, flags & MMK_VM_READ ? 'r' : '-');
	text_char(t, flags & MMK_VM_WRITE ? 'w' : '-');
	text_char(t, flags & MMK_VM_EXEC ? 'x' : '-');
	text_char(t, flags & MMK_VM_MAYSHARE ? 's' : 'p');
}

/* Memory without a file of the embedder's: Linux shows shared anonymous memory as this. */
static bool vma_is_shmem_zero(const struct vm_area_struct *vma)
{
	return vma->vm_file && vma->vm_file->f_op == &shmem_file_ops;
}

static void maps_file_id(struct text *t, const struct vm_area_struct *vma)
{
	const struct mmk_system *sys = vma->vm_mm->sys;
	uint32_t major = 0, minor = 0;
	uint64_t ino = 0;

	if (vma_is_shmem_zero(vma)) {
		minor = 1;
		ino = (uintptr_t)vma->vm_file >> 4 & 0xffffff; /* any number of its own */
	} else if (vma->vm_file && sys->port->file_id) {
		sys->port->file_id(sys->ctx, vma->vm_file, &major, &minor, &ino);
	}
	text_hex(t, vma->vm_file ? vma->vm_pgoff << PAGE_SHIFT : 0, 8);
	text_char(t, ' ');
	text_hex(t, major, 2);
	text_char(t, ':');
	text_hex(t, minor, 2);
	text_char(t, ' ');
	text_dec(t, ino);
	text_char(t, ' ');
}

static const char *vma_name(const struct vm_area_struct *vma)
{
	const struct mmk_mm_bounds *b = &vma->vm_mm->bounds;

	if (vma_is_shmem_zero(vma))
		return "/dev/zero (deleted)";
	if (vma->vm_ops && vma->vm_ops->name)
		return vma->vm_ops->name;
	if (vma->vm_file)
		return NULL;
	if (vma->vm_start < b->brk && vma->vm_end > b->start_brk)
		return "[heap]";
	if (vma->vm_start <= b->start_stack && vma->vm_end >= b->start_stack)
		return "[stack]";
	return NULL;
}

/* A path may hold anything; only a line feed would break the format. */
static void maps_path(struct text *t, const struct vm_area_struct *vma, char *path)
{
	const struct mmk_system *sys = vma->vm_mm->sys;

	if (sys->port->file_path(sys->ctx, vma->vm_file, path, PAGE_SIZE) <= 0)
		return;
	text_pad(t, NAME_COLUMN);
	for (; *path; path++) {
		if (*path == '\n')
			text_str(t, "\\012");
		else
			text_char(t, *path);
	}
}

/* path: a page to build a path in. */
static void maps_line(struct text *t, const struct vm_area_struct *vma, char *path)
{
	const char *name = vma_name(vma);

	text_hex(t, vma->vm_start, 8);
	text_char(t, '-');
	text_hex(t, vma->vm_end, 8);
	text_char(t, ' ');
	maps_flags(t, vma->vm_flags);
	text_char(t, ' ');
	maps_file_id(t, vma);
	if (name) {
		text_pad(t, NAME_COLUMN);
		text_str(t, name);
	} else if (vma->vm_file) {
		maps_path(t, vma, path);
	}
	text_char(t, '\n');
}

/* *pos is the address from which the next line is looked for. */
long mmk_proc_maps(struct mmk_task *task, struct mmk_mm *mm, uint64_t *pos, char *buf, size_t size)
{
	struct page *scratch = alloc_pages(mm->sys, 0, PAGE_KERNEL);
	struct vm_area_struct *vma;
	size_t done = 0;

	if (!scratch)
		return -MMK_ENOMEM;
	mmap_read_lock(mm);
	for (vma = find_vma(mm, *pos); vma; vma = vma_next(vma)) {
		struct text t;

		text_begin(&t, buf + done, size - done);
		maps_line(&t, vma, page_address(mm->sys, scratch));
		if (t.len >= t.size) /* the NUL must fit as well */
			break;
		done += t.len;
		*pos = vma->vm_end;
	}
	mmap_read_unlock(mm);
	free_pages(mm->sys, scratch);
	/* A buffer too small for one line must not look like the end. */
	return done || !vma ? (long)done : -MMK_EOVERFLOW;
}
