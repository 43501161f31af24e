/* SPDX-License-Identifier: MIT */
/*
 * Names of anonymous memory, prctl(PR_SET_VMA_ANON_NAME). A name is shared by all VMAs that got it
 * together (splits, forks) and counted; VMAs merge only where their names are alike. A VMA keeps it
 * in the place of vm_private_data, which only VMAs that cannot have a name use.
 */
#include "mm/internal.h"
#include "mm/vma.h"

#define NAME_MAX_LEN 80 /* the NUL included */

struct anon_name {
	_Atomic uint32_t refs;
	char text[];
};

static bool can_be_named(const struct vm_area_struct *vma)
{
	return vma->vm_file ? vma->vm_file->f_op == &shmem_file_ops : !vma->vm_ops;
}

struct anon_name *vma_name_slow(const struct vm_area_struct *vma)
{
	return can_be_named(vma) ? vma->vm_private_data : NULL;
}

const char *anon_name_text(const struct anon_name *name)
{
	return name->text;
}

bool anon_names_differ(const struct anon_name *a, const struct anon_name *b)
{
	const char *p = a ? a->text : "", *q = b ? b->text : "";

	/* An empty name is one all the same. */
	if (!a || !b)
		return a != b;
	while (*p && *p == *q)
		p++, q++;
	return *p != *q;
}

void anon_name_get(struct anon_name *name)
{
	atomic_fetch_add_explicit(&name->refs, 1, memory_order_relaxed);
}

void anon_name_put(struct mmk_system *sys, struct anon_name *name)
{
	if (atomic_fetch_sub_explicit(&name->refs, 1, memory_order_acq_rel) == 1)
		mmk_kfree(sys, name);
}

/* ---- the call ---- */

static bool char_allowed(char c)
{
	return c > 0x1f && c < 0x7f && c != '\\' && c != '`' && c != '$' && c != '[' && c != ']';
}

/* The program's string into buf. 0, -EFAULT, -EINVAL. */
static int read_name(struct mmk_task *task, unsigned long from, char *buf)
{
	const struct mmk_system *sys = task->mm->sys;

	for (unsigned i = 0; i < NAME_MAX_LEN; i++) {
		if (sys->port->copy_from_user(sys->ctx, task, buf + i, from + i, 1))
			return refuse(task, -MMK_EFAULT, MMK_REASON_NAME_ADDRESS, from + i, 0);
		if (!buf[i])
			return 0;
	}
	return refuse(task, -MMK_EINVAL, MMK_REASON_NAME_LONG, NAME_MAX_LEN - 1, 0);
}

/* *out NULL: no name. */
static int make_name(struct mmk_task *task, unsigned long from, struct anon_name **out)
{
	char text[NAME_MAX_LEN];
	size_t len = 0;
	int err;

	*out = NULL;
	if (!from)
		return 0;
	err = read_name(task, from, text);
	if (err)
		return err;
	for (; text[len]; len++)
		if (!char_allowed(text[len]))
			return refuse(task, -MMK_EINVAL, MMK_REASON_NAME_CHAR,
			              (unsigned char)text[len], 0);
	*out = mmk_kmalloc(task->mm->sys, sizeof(**out) + len + 1);
	if (!*out)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	atomic_init(&(*out)->refs, 1);
	__builtin_memcpy((*out)->text, text, len + 1);
	return 0;
}

static int name_vma(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                    unsigned long end, struct anon_name *name)
{
	struct mmk_system *sys = task->mm->sys;
	struct anon_name *old;
	int err;

	if (vma->vm_file && !can_be_named(vma))
		return refuse(task, -MMK_EBADF, MMK_REASON_NAME_FILE, vma->vm_start, 0);
	/* [vdso] and its like have a name that shows before any other. */
	if (!can_be_named(vma) || !anon_names_differ(vma_anon_name(vma), name))
		return 0;
	err = vma_modify_name(task, vma, start, end, name, &vma);
	if (err) { /* kernel memory may be there the next time */
		task->reason.err = -MMK_EAGAIN;
		return -MMK_EAGAIN;
	}
	old = vma_anon_name(vma);
	if (name)
		anon_name_get(name);
	vma->vm_private_data = name;
	if (old)
		anon_name_put(sys, old);
	return 0;
}

static int name_range(struct mmk_task *task, unsigned long start, unsigned long end,
                      struct anon_name *name)
{
	unsigned long hole = end, stop;

	for (; start < end; start = stop) {
		struct vm_area_struct *vma = find_vma(task->mm, start);
		int err;

		if ((!vma || vma->vm_start > start) && hole == end)
			hole = start;
		if (!vma || vma->vm_start >= end)
			break;
		if (start < vma->vm_start)
			start = vma->vm_start;
		stop = vma->vm_end < end ? vma->vm_end : end;
		err = name_vma(task, vma, start, stop, name);
		if (err)
			return err;
	}
	if (hole != end)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NOT_MAPPED, hole, 0);
	return 0;
}

/* In the order in which Linux looks: first the name, then the range. */
long do_set_anon_name(struct mmk_task *task, unsigned long start, unsigned long len,
                      unsigned long from)
{
	struct mm_struct *mm = task->mm;
	struct anon_name *name;
	unsigned long end;
	int err = make_name(task, from, &name);

	if (!err)
		err = range_of_pages(task, start, len, &end);
	if (!err)
		err = mmap_lock_or_refuse(task, mm);
	if (!err) {
		err = name_range(task, start, end, name);
		mmap_write_unlock(mm);
	}
	if (name)
		anon_name_put(mm->sys, name);
	return err;
}
