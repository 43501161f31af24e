/* SPDX-License-Identifier: MIT */
/* /proc/PID/maps: one line for each VMA, to the byte as Linux writes it. */
#include "mm/internal.h"
#include "mm/maps.h"
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

bool vma_is_shmem_zero(const struct vm_area_struct *vma)
{
	return vma->vm_file && vma->vm_file->f_op == &shmem_file_ops;
}

bool vma_is_heap(const struct vm_area_struct *vma)
{
	const struct mmk_mm_bounds *b = &vma->vm_mm->bounds;

	return vma->vm_start < b->brk && vma->vm_end > b->start_brk;
}

bool vma_is_stack(const struct vm_area_struct *vma)
{
	const struct mmk_mm_bounds *b = &vma->vm_mm->bounds;

	return vma->vm_start <= b->start_stack && vma->vm_end >= b->start_stack;
}

void vma_file_id(const struct vm_area_struct *vma, uint32_t *major, uint32_t *minor, uint64_t *ino)
{
	const struct mmk_system *sys = vma->vm_mm->sys;

	*major = *minor = 0;
	*ino = 0;
	if (vma_is_shmem_zero(vma)) {
		*minor = 1;
		*ino = (uintptr_t)vma->vm_file >> 4 & 0xffffff; /* any number of its own */
	} else if (vma->vm_file && sys->port->file_id) {
		sys->port->file_id(sys->ctx, vma->vm_file, major, minor, ino);
	}
}

static void maps_file_id(struct text *t, const struct vm_area_struct *vma)
{
	uint32_t major, minor;
	uint64_t ino;

	vma_file_id(vma, &major, &minor, &ino);
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
	if (vma->vm_ops && vma->vm_ops->name)
		return vma->vm_ops->name;
	if (vma_is_heap(vma))
		return "[heap]";
	return vma_is_stack(vma) ? "[stack]" : NULL;
}

static bool must_escape(char c, const char *escape)
{
	while (*escape && *escape != c)
		escape++;
	return *escape;
}

void maps_path(struct text *t, const struct vm_area_struct *vma, char *path, const char *escape)
{
	const struct mmk_system *sys = vma->vm_mm->sys;
	const char *p = path;

	if (vma_is_shmem_zero(vma))
		p = "/dev/zero (deleted)";
	else if (sys->port->file_path(sys->ctx, vma->vm_file, path, PAGE_SIZE) <= 0)
		return;
	for (; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (!must_escape(*p, escape)) {
			text_char(t, *p);
			continue;
		}
		text_char(t, '\\');
		text_char(t, (char)('0' + (c >> 6)));
		text_char(t, (char)('0' + (c >> 3 & 7)));
		text_char(t, (char)('0' + (c & 7)));
	}
}

void maps_range(struct text *t, unsigned long start, unsigned long end, uint64_t vm_flags)
{
	text_hex(t, start, 8);
	text_char(t, '-');
	text_hex(t, end, 8);
	text_char(t, ' ');
	maps_flags(t, vm_flags);
	text_char(t, ' ');
}

void maps_pad(struct text *t)
{
	text_pad(t, NAME_COLUMN);
}

static void maps_anon_name(struct text *t, const struct vm_area_struct *vma)
{
	text_str(t, vma->vm_file ? "[anon_shmem:" : "[anon:");
	text_str(t, anon_name_text(vma_anon_name(vma)));
	text_char(t, ']');
}

void maps_name(struct text *t, struct vm_area_struct *vma, char *path, const char *escape)
{
	const char *name = vma->vm_file ? NULL : vma_name(vma);

	if (vma->vm_file && !vma_anon_name(vma))
		maps_path(t, vma, path, escape);
	else if (name)
		text_str(t, name);
	else if (vma_anon_name(vma))
		maps_anon_name(t, vma);
}

static bool has_name(const struct vm_area_struct *vma)
{
	return vma->vm_file || vma_name(vma) || vma_anon_name(vma);
}

void maps_line(struct text *t, struct vm_area_struct *vma, char *path, const struct mmk_task *task)
{
	maps_range(t, vma->vm_start, vma->vm_end, vma->vm_flags);
	maps_file_id(t, vma);
	if (has_name(vma)) {
		maps_pad(t);
		maps_name(t, vma, path, "\n");
	}
	text_char(t, '\n');
}

long stream_vmas(const struct mmk_task *task, struct mm_struct *mm, uint64_t *pos, char *buf,
                 size_t size, vma_text_fn *show)
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
		show(&t, vma, page_address(mm->sys, scratch), task);
		if (t.len >= t.size) /* the NUL must fit as well */
			break;
		done += t.len;
		*pos = vma->vm_end;
	}
	mmap_read_unlock(mm);
	free_pages(mm->sys, scratch);
	/* A buffer too small for one piece must not look like the end. */
	return done || !vma ? (long)done : -MMK_EOVERFLOW;
}

long mmk_proc_maps(struct mmk_task *task, struct mmk_mm *mm, uint64_t *pos, char *buf, size_t size)
{
	return stream_vmas(task, mm, pos, buf, size, maps_line);
}
