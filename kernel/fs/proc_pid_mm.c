/* SPDX-License-Identifier: MIT */
/* The files of /proc/PID that the memory system fills: maps and what is like it, pagemap, mem. */
#include "kernel/fs/pseudo.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

/* ------------------------------------------------------------------ texts about VMAs */

/* A text that comes in pieces, of whatever mm the task has now. */
static long stream_mm(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size,
                      long (*show)(struct mmk_task *, struct mmk_mm *, u64 *, char *, size_t))
{
	struct mmk_mm *mm = proc_mm(c);
	long n;

	if (!mm)
		return 0;
	n = show(&current->mmk, mm, cursor, buf, size);
	mmk_mm_put(mm);
	return n;
}

long proc_stream_maps(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size)
{
	return stream_mm(c, cursor, buf, size, mmk_proc_maps);
}

long proc_stream_smaps(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size)
{
	return stream_mm(c, cursor, buf, size, mmk_proc_smaps);
}

long proc_stream_numa_maps(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size)
{
	struct mmk_mm *mm = proc_mm(c);
	struct task *t = mm ? proc_task(c) : NULL;
	long n = 0;

	/* Where a mapping has no policy of its own, its task's shows. */
	if (t) {
		n = mmk_proc_numa_maps(&t->mmk, mm, cursor, buf, size);
		task_put(t);
	}
	if (mm)
		mmk_mm_put(mm);
	return n;
}

long proc_stream_ptdump(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size)
{
	return stream_mm(c, cursor, buf, size, mmk_proc_ptdump);
}

int proc_show_smaps_rollup(const struct pseudo_ctx *c, struct seq *s)
{
	struct mmk_mm *mm = proc_mm(c);
	long n;

	if (!mm)
		return -ESRCH;
	n = mmk_proc_smaps_rollup(&current->mmk, mm, s->buf + s->len, s->size - s->len);
	mmk_mm_put(mm);
	if (n < 0)
		s->full = true;
	else
		s->len += (size_t)n;
	return 0;
}

/* ------------------------------------------------------------------ questions about one VMA */

#define PROCMAP_QUERY   0xc0686611u /* _IOWR('f', 17, struct procmap_query) */
#define MAP_QUERY_FLAGS 0x3full
#define MAP_QUERY_LEAST offsetof(struct mmk_map_query, start)

/* The caller's structure may be shorter or longer than ours; what we do not know must be 0. */
static int read_query(struct mmk_map_query *q, u64 arg, u64 *size)
{
	u64 at;
	u8 byte;

	if (copy_from_user(size, arg, sizeof(*size)))
		return -EFAULT;
	if (*size > PAGE_SIZE)
		return -E2BIG;
	if (*size < MAP_QUERY_LEAST)
		return -EINVAL;
	memset(q, 0, sizeof(*q));
	for (at = sizeof(*q); at < *size; at++) {
		if (copy_from_user(&byte, arg + at, 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	*size = min(*size, sizeof(*q));
	return copy_from_user(q, arg, *size);
}

static int check_query(const struct mmk_map_query *q)
{
	if ((q->flags & ~MAP_QUERY_FLAGS) || !q->name_size != !q->name ||
	    !q->build_id_size != !q->build_id)
		return -EINVAL;
	return 0;
}

static int answer_query(struct mmk_mm *mm, struct mmk_map_query *q, u64 arg, u64 size)
{
	size_t room = min((size_t)q->name_size, PAGE_SIZE);
	char *name = room ? fs_alloc_buf(room) : NULL;
	int err;

	if (room && !name)
		return -ENOMEM;
	err = mmk_proc_map_query(mm, q, name, room);
	if (!err && q->name_size && room)
		err = copy_to_user(q->name, name, q->name_size);
	if (!err)
		err = copy_to_user(arg, q, size);
	fs_free(name);
	return err;
}

long proc_ioctl_maps(const struct pseudo_ctx *c, u32 cmd, u64 arg)
{
	struct mmk_map_query q;
	struct mmk_mm *mm;
	u64 size;
	int err;

	if (cmd != PROCMAP_QUERY)
		return -ENOTTY;
	err = read_query(&q, arg, &size);
	if (!err)
		err = check_query(&q);
	if (err)
		return err;
	mm = proc_mm(c);
	if (!mm)
		return -ESRCH;
	err = answer_query(mm, &q, arg, size);
	mmk_mm_put(mm);
	return err;
}

/* ------------------------------------------------------------------ clear_refs, pagemap */

/* Linux reads at most so much of a number written to a file of /proc. */
#define NUMBER_MAX 12

ssize_t proc_write_clear_refs(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	struct mmk_mm *mm;
	int err, how;

	err = parse_int(buf, min(n, (size_t)NUMBER_MAX), &how);
	if (err)
		return err;
	if (how < MMK_CLEAR_REFS_ALL || how > MMK_CLEAR_REFS_HIWATER)
		return -EINVAL;
	mm = proc_mm(c);
	if (mm) {
		err = mmk_proc_clear_refs(&current->mmk, mm, (enum mmk_clear_refs)how);
		mmk_mm_put(mm);
	}
	return err ? err : (ssize_t)n;
}

#define PAGEMAP_SCAN 0xc0606610u /* _IOWR('f', 16, struct pm_scan_arg) */

long proc_ioctl_pagemap(const struct pseudo_ctx *c, u32 cmd, u64 arg)
{
	struct mmk_mm *mm;
	long ret;

	if (cmd != PAGEMAP_SCAN)
		return -EINVAL;
	mm = proc_mm(c);
	if (!mm)
		return -ESRCH;
	ret = mmk_proc_pagemap_scan(&current->mmk, mm, arg);
	mmk_mm_put(mm);
	return ret;
}

ssize_t proc_read_pagemap(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                          u64 pos)
{
	struct mmk_mm *mm = proc_mm(c);
	long got;

	if (!mm)
		return 0;
	got = mmk_proc_pagemap(mm, pos, buf, n, pseudo_opened_by_admin(f));
	mmk_mm_put(mm);
	return got;
}

/* ------------------------------------------------------------------ mem, and parts of it */

static ssize_t access_mem(const struct pseudo_ctx *c, void *buf, size_t n, u64 pos, u32 flags)
{
	struct mmk_mm *mm = proc_mm(c);
	size_t done;

	if (!mm)
		return 0;
	done = mmk_access_vm(&current->mmk, mm, pos, buf, n, flags | MMK_ACCESS_FORCE);
	mmk_mm_put(mm);
	return done || !n ? (ssize_t)done : -EIO;
}

ssize_t proc_read_mem(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                      u64 pos)
{
	return access_mem(c, buf, n, pos, 0);
}

ssize_t proc_write_mem(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	return access_mem(c, (void *)buf, n, pos, MMK_ACCESS_WRITE);
}

/* Only anonymous memory: nobody's disk or device is waited for to list the programs. */
static size_t read_anon(struct mmk_mm *mm, u64 at, void *buf, size_t n)
{
	return mmk_access_vm(&current->mmk, mm, at, buf, n, MMK_ACCESS_FORCE | MMK_ACCESS_ANON);
}

/* A title that the program has written over its arguments: up to its NUL, within a page. */
static ssize_t read_title(struct mmk_mm *mm, u64 start, char *buf, size_t n, u64 pos)
{
	char *title = pos < PAGE_SIZE ? fs_alloc_buf(PAGE_SIZE) : NULL;
	size_t got, len = 0;

	if (!title)
		return pos < PAGE_SIZE ? -ENOMEM : 0;
	got = read_anon(mm, start, title, PAGE_SIZE);
	while (len < got && title[len])
		len++;
	len += len < got; /* the NUL as well */
	n = len > pos ? min(n, len - (size_t)pos) : 0;
	memcpy(buf, title + pos, n);
	fs_free(title);
	return (ssize_t)n;
}

/*
 * The arguments. A program that calls setproctitle(3) writes over them, and may go on over the
 * environment behind them: then their last byte is no NUL.
 */
static ssize_t read_arguments(struct mmk_mm *mm, void *buf, size_t n, u64 pos)
{
	struct mmk_mm_bounds b;
	u64 end;
	char last;

	mmk_mm_get_bounds(mm, &b);
	if (b.arg_start >= b.arg_end)
		return 0;
	end = b.env_start == b.arg_end && b.env_end >= b.env_start ? b.env_end : b.arg_end;
	if (pos >= end - b.arg_start)
		return 0;
	n = min(n, (size_t)(end - b.arg_start - pos));
	if (read_anon(mm, b.arg_end - 1, &last, 1) == 1 && last)
		return read_title(mm, b.arg_start, buf, n, pos);
	if (pos >= b.arg_end - b.arg_start)
		return 0;
	n = min(n, (size_t)(b.arg_end - b.arg_start - pos));
	return (ssize_t)read_anon(mm, b.arg_start + pos, buf, n);
}

ssize_t proc_read_cmdline(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                          u64 pos)
{
	struct mmk_mm *mm = proc_mm(c);
	ssize_t got;

	if (!mm)
		return 0;
	got = read_arguments(mm, buf, n, pos);
	mmk_mm_put(mm);
	return got;
}

ssize_t proc_read_environ(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                          u64 pos)
{
	struct mmk_mm *mm = proc_mm(c);
	struct mmk_mm_bounds b;
	ssize_t got = 0;

	if (!mm)
		return 0;
	mmk_mm_get_bounds(mm, &b);
	if (b.env_end > b.env_start && pos < b.env_end - b.env_start) {
		n = min(n, (size_t)(b.env_end - b.env_start - pos));
		got = (ssize_t)read_anon(mm, b.env_start + pos, buf, n);
	}
	mmk_mm_put(mm);
	return got;
}

/* What the program was told at its start; it ends with AT_NULL. */
ssize_t proc_read_auxv(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                       u64 pos)
{
	struct task *t = proc_task(c);
	u64 auxv[AUXV_MAX];
	size_t size = 0;

	if (!t)
		return 0;
	memcpy(auxv, t->proc->auxv, sizeof(auxv));
	task_put(t);
	while (size < AUXV_MAX - 2 && auxv[size])
		size += 2;
	size = (size + 2) * sizeof(u64);
	if (pos >= size)
		return 0;
	n = min(n, size - (size_t)pos);
	memcpy(buf, (char *)auxv + pos, n);
	return (ssize_t)n;
}
