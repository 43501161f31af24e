/* SPDX-License-Identifier: MIT */
/* /proc/PID and /proc/PID/task/TID: the directory, links, descriptors, and what the memory system
 * shows. */
#include "kernel/fs/pseudo.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

/* ------------------------------------------------------------------ which task */

struct task *proc_task(const struct pseudo_ctx *c)
{
	struct task *t = find_task(c->tid ? c->tid : c->pid);

	if (t && (t->start_time != c->start || t->proc->tgid != c->pid)) {
		task_put(t);
		return NULL;
	}
	return t;
}

bool parse_number(const char *name, size_t len, u32 *out)
{
	u32 v = 0;

	if (!len || len > 9 || (len > 1 && name[0] == '0'))
		return false;
	while (len--) {
		if (*name < '0' || *name > '9')
			return false;
		v = v * 10 + (u32)(*name++ - '0');
	}
	*out = v;
	return true;
}

static bool cred_match(const struct cred *theirs)
{
	const struct cred *me = &current->cred;

	return me->fsuid == theirs->uid && me->fsuid == theirs->euid && me->fsuid == theirs->suid &&
	       me->fsgid == theirs->gid && me->fsgid == theirs->egid && me->fsgid == theirs->sgid;
}

#define CAP_SYS_PTRACE 19

int proc_may_ptrace(const struct pseudo_ctx *c)
{
	struct task *t = proc_task(c);
	bool ok;

	if (!t)
		return -ESRCH;
	ok = t->proc == current->proc || capable(CAP_SYS_PTRACE) ||
	     (cred_match(&t->cred) && t->proc->dumpable);
	task_put(t);
	return ok ? 0 : -EACCES;
}

struct mmk_mm *proc_mm(const struct pseudo_ctx *c)
{
	struct task *t = proc_task(c);
	struct mmk_mm *mm = t ? task_get_mm(t) : NULL;

	if (t)
		task_put(t);
	return mm;
}

/* ------------------------------------------------------------------ small files */

static int show_comm(const struct pseudo_ctx *c, struct seq *s)
{
	struct task *t = proc_task(c);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%s\n", t->comm);
	task_put(t);
	return 0;
}

static ssize_t write_comm(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	struct task *t = proc_task(c);
	size_t k = min(n, (size_t)TASK_COMM_LEN - 1);

	if (!t)
		return -ESRCH;
	if (t->proc != current->proc) {
		task_put(t);
		return -EINVAL;
	}
	memset(t->comm, 0, TASK_COMM_LEN);
	memcpy(t->comm, buf, k);
	task_put(t);
	return (ssize_t)n;
}

static int show_wchan(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "0");
	return 0;
}

static int show_personality(const struct pseudo_ctx *c, struct seq *s)
{
	struct task *t = proc_task(c);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%08x\n", t->mmk.personality);
	task_put(t);
	return 0;
}

static int show_coredump_filter(const struct pseudo_ctx *c, struct seq *s)
{
	struct task *t = proc_task(c);

	if (!t)
		return -ESRCH;
	if (!task_is_kernel(t))
		seq_printf(s, "%08x\n", t->proc->coredump_filter);
	task_put(t);
	return 0;
}

#define COREDUMP_FILTER_MASK 0x1ffu

static ssize_t write_coredump_filter(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	struct task *t;
	u64 v;
	int err = parse_u64(buf, n, &v);

	if (err || v > UINT32_MAX)
		return err ? err : -ERANGE;
	t = proc_task(c);
	if (!t)
		return -ESRCH;
	t->proc->coredump_filter = (u32)v & COREDUMP_FILTER_MASK;
	task_put(t);
	return (ssize_t)n;
}

static int show_cgroup(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "0::/\n");
	return 0;
}

static int show_mount_table(const struct pseudo_ctx *c, struct seq *s)
{
	s->len += mounts_show(s->buf + s->len, s->size - s->len, false);
	s->full = s->len + 256 > s->size;
	return 0;
}

static int show_mountinfo(const struct pseudo_ctx *c, struct seq *s)
{
	s->len += mounts_show(s->buf + s->len, s->size - s->len, true);
	s->full = s->len + 256 > s->size;
	return 0;
}

/* ------------------------------------------------------------------ links */

static int follow_exe(const struct pseudo_ctx *c, struct path *out)
{
	struct task *t = proc_task(c);
	struct file *exe = t ? process_get_exe(t->proc) : NULL;

	if (t)
		task_put(t);
	if (!exe)
		return -ENOENT;
	*out = exe->path;
	path_get(out);
	fput(exe);
	return 0;
}

static int follow_fs(const struct pseudo_ctx *c, struct path *out, bool root)
{
	struct task *t = proc_task(c);
	struct fs *fs = t ? task_fs(t) : NULL;

	if (t)
		task_put(t);
	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	*out = root ? fs->root : fs->cwd;
	path_get(out);
	spin_unlock(&fs->lock);
	fs_put(fs);
	return 0;
}

static int follow_cwd(const struct pseudo_ctx *c, struct path *out)
{
	return follow_fs(c, out, false);
}

static int follow_root(const struct pseudo_ctx *c, struct path *out)
{
	return follow_fs(c, out, true);
}

/* ------------------------------------------------------------------ fd, fdinfo */

/* The file of c->fd, or the next open one when `next`; with a reference. */
static struct file *ctx_file(const struct pseudo_ctx *c, u32 *fd, bool next, bool *cloexec)
{
	struct task *t = proc_task(c);
	struct files *files = t ? task_files(t) : NULL;
	u32 want = *fd;
	struct file *f;

	if (t)
		task_put(t);
	if (!files)
		return NULL;
	f = files_next(files, fd, cloexec);
	files_put(files);
	if (f && !next && *fd != want) {
		fput(f);
		return NULL;
	}
	return f;
}

static int follow_fd(const struct pseudo_ctx *c, struct path *out)
{
	u32 fd = c->fd;
	bool cloexec;
	struct file *f = ctx_file(c, &fd, false, &cloexec);

	if (!f)
		return -ENOENT;
	*out = f->path;
	path_get(out);
	fput(f);
	return 0;
}

static int show_fdinfo(const struct pseudo_ctx *c, struct seq *s)
{
	u32 fd = c->fd;
	bool cloexec;
	struct file *f = ctx_file(c, &fd, false, &cloexec);

	if (!f)
		return -ENOENT;
	seq_printf(s, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n",
	           (unsigned long long)f->pos, f->flags | O_LARGEFILE | (cloexec ? O_CLOEXEC : 0),
	           f->path.mnt->id, (unsigned long long)f->inode->ino);
	if (f->fop->fdinfo)
		s->len += (size_t)f->fop->fdinfo(f, s->buf + s->len, s->size - s->len);
	fput(f);
	return 0;
}

/* Which of them a descriptor has says what it is open for: by MMK_FMODE_READ and _WRITE. */
static const struct pseudo_entry fd_links[4] = {
    {.name = "fd", .mode = S_IFLNK, .follow = follow_fd},
    {.name = "fd", .mode = S_IFLNK | 0500, .follow = follow_fd},
    {.name = "fd", .mode = S_IFLNK | 0300, .follow = follow_fd},
    {.name = "fd", .mode = S_IFLNK | 0700, .follow = follow_fd},
};
static const struct pseudo_entry fdinfo_file = {
    .name = "fdinfo",
    .mode = S_IFREG | 0400,
    .show = show_fdinfo,
};

/* mode: MMK_FMODE_* of the file found. */
static int lookup_fd_number(const struct pseudo_ctx *c, const char *name, size_t len,
                            struct pseudo_ctx *out, u32 *mode)
{
	bool cloexec;
	struct file *f;
	u32 fd;

	if (!parse_number(name, len, &out->fd))
		return -ENOENT;
	fd = out->fd;
	f = ctx_file(c, &fd, false, &cloexec);
	if (!f)
		return -ENOENT;
	*mode = f->mf.f_mode;
	fput(f);
	return 0;
}

static int lookup_fd(const struct pseudo_ctx *c, const char *name, size_t len,
                     struct pseudo_ctx *out)
{
	u32 mode;
	int err = lookup_fd_number(c, name, len, out, &mode);

	if (!err)
		out->e = &fd_links[mode & (MMK_FMODE_READ | MMK_FMODE_WRITE)];
	return err;
}

static int lookup_fdinfo(const struct pseudo_ctx *c, const char *name, size_t len,
                         struct pseudo_ctx *out)
{
	u32 mode;
	int err = lookup_fd_number(c, name, len, out, &mode);

	out->e = &fdinfo_file;
	return err;
}

static bool next_fd(const struct pseudo_ctx *c, u32 *n, char *name, size_t size, u8 *type)
{
	bool cloexec;
	struct file *f = ctx_file(c, n, true, &cloexec);

	if (!f)
		return false;
	fput(f);
	scnprintf(name, size, "%u", *n);
	*type = MODE_TO_DT(c->e->next == next_fd ? S_IFLNK : S_IFREG);
	return true;
}

/* ------------------------------------------------------------------ the directories */

struct process *proc_dir_process(const struct file *f, int *err)
{
	const struct pseudo_ctx *c = pseudo_dir_ctx(f);
	struct process *p = NULL;
	struct task *t;

	*err = -EBADF;
	if (!c || c->e != &proc_pid_dir)
		return NULL;
	*err = -ESRCH;
	t = proc_task(c);
	if (!t)
		return NULL;
	p = t->proc;
	process_get(p);
	task_put(t);
	return p;
}

static int lookup_task(const struct pseudo_ctx *c, const char *name, size_t len,
                       struct pseudo_ctx *out);
static bool next_task(const struct pseudo_ctx *c, u32 *n, char *name, size_t size, u8 *type);

#define FILE(n, m, f)                                                                              \
	{                                                                                          \
		.name = n, .mode = S_IFREG | m, .show = f                                          \
	}
#define PRIVATE(n, m, f)                                                                           \
	{                                                                                          \
		.name = n, .mode = S_IFREG | m, .stream = f, .permission = proc_may_ptrace         \
	}
#define BYTES(n, m, f)                                                                             \
	{                                                                                          \
		.name = n, .mode = S_IFREG | m, .read_at = f, .permission = proc_may_ptrace        \
	}
#define MAGIC(n, f)                                                                                \
	{                                                                                          \
		.name = n, .mode = S_IFLNK | 0777, .follow = f                                     \
	}

#define COMMON_ROWS                                                                                \
	{.name = "fd",                                                                             \
	 .mode = S_IFDIR | 0500,                                                                   \
	 .lookup = lookup_fd,                                                                      \
	 .next = next_fd,                                                                          \
	 .permission = proc_may_ptrace},                                                           \
	    {.name = "fdinfo", .mode = S_IFDIR | 0500, .lookup = lookup_fdinfo, .next = next_fd},  \
	    BYTES("environ", 0400, proc_read_environ), BYTES("auxv", 0400, proc_read_auxv),        \
	    FILE("status", 0444, proc_show_status), FILE("personality", 0400, show_personality),   \
	    FILE("limits", 0444, proc_show_limits),                                                \
	    {.name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .write = write_comm},      \
	    {.name = "cmdline", .mode = S_IFREG | 0444, .read_at = proc_read_cmdline},             \
	    FILE("stat", 0444, proc_show_stat), FILE("statm", 0444, proc_show_statm),              \
	    {.name = "maps",                                                                       \
	     .mode = S_IFREG | 0444,                                                               \
	     .stream = proc_stream_maps,                                                           \
	     .ioctl = proc_ioctl_maps,                                                             \
	     .permission = proc_may_ptrace},                                                       \
	    {.name = "mem",                                                                        \
	     .mode = S_IFREG | 0600,                                                               \
	     .read_at = proc_read_mem,                                                             \
	     .write = proc_write_mem,                                                              \
	     .permission = proc_may_ptrace},                                                       \
	    MAGIC("cwd", follow_cwd), MAGIC("root", follow_root), MAGIC("exe", follow_exe),        \
	    FILE("mounts", 0444, show_mount_table), FILE("mountinfo", 0444, show_mountinfo),       \
	    {.name = "pagemap",                                                                    \
	     .mode = S_IFREG | 0400,                                                               \
	     .read_at = proc_read_pagemap,                                                         \
	     .ioctl = proc_ioctl_pagemap,                                                          \
	     .permission = proc_may_ptrace},                                                       \
	    {.name = "clear_refs", .mode = S_IFREG | 0200, .write = proc_write_clear_refs},        \
	    PRIVATE("smaps", 0444, proc_stream_smaps),                                             \
	    {.name = "smaps_rollup",                                                               \
	     .mode = S_IFREG | 0444,                                                               \
	     .show = proc_show_smaps_rollup,                                                       \
	     .permission = proc_may_ptrace},                                                       \
	    PRIVATE("numa_maps", 0444, proc_stream_numa_maps),                                     \
	    PRIVATE("ptdump", 0400, proc_stream_ptdump), FILE("wchan", 0444, show_wchan),          \
	    FILE("cgroup", 0444, show_cgroup), FILE("oom_score", 0444, proc_show_oom_score),       \
	    {.name = "oom_score_adj",                                                              \
	     .mode = S_IFREG | 0644,                                                               \
	     .show = proc_show_oom_score_adj,                                                      \
	     .write = proc_write_oom_score_adj},                                                   \
	    {.name = "oom_adj",                                                                    \
	     .mode = S_IFREG | 0644,                                                               \
	     .show = proc_show_oom_adj,                                                            \
	     .write = proc_write_oom_adj},                                                         \
	{                                                                                          \
		.name = NULL                                                                       \
	}

static const struct pseudo_entry tid_rows[] = {COMMON_ROWS};
static const struct pseudo_entry pid_rows[] = {
    {.name = "map_files",
     .mode = S_IFDIR | 0500,
     .lookup = proc_lookup_map_files,
     .next = proc_next_map_files,
     .permission = proc_may_ptrace},
    {.name = "task", .mode = S_IFDIR | 0555, .lookup = lookup_task, .next = next_task},
    {.name = "coredump_filter",
     .mode = S_IFREG | 0644,
     .show = show_coredump_filter,
     .write = write_coredump_filter},
    COMMON_ROWS,
};

static const struct pseudo_entry tid_dir = {
    .name = "TID",
    .mode = S_IFDIR | 0555,
    .children = tid_rows,
};
const struct pseudo_entry proc_pid_dir = {
    .name = "PID",
    .mode = S_IFDIR | 0555,
    .children = pid_rows,
};

static int lookup_task(const struct pseudo_ctx *c, const char *name, size_t len,
                       struct pseudo_ctx *out)
{
	struct task *t;
	u32 tid;

	t = parse_number(name, len, &tid) && tid ? find_task((s32)tid) : NULL;
	if (!t)
		return -ENOENT;
	*out = (struct pseudo_ctx){
	    .e = &tid_dir,
	    .pid = c->pid,
	    .tid = (s32)tid,
	    .start = t->start_time,
	};
	len = t->proc->tgid == c->pid;
	task_put(t);
	return len ? 0 : -ENOENT;
}

static bool next_task(const struct pseudo_ctx *c, u32 *n, char *name, size_t size, u8 *type)
{
	struct task *leader = proc_task(c), *t = NULL;

	if (!leader)
		return false;
	t = next_thread(leader->proc, (s32)*n - 1);
	task_put(leader);
	if (!t)
		return false;
	*n = (u32)t->pid;
	*type = DT_DIR;
	scnprintf(name, size, "%d", t->pid);
	task_put(t);
	return true;
}

/* Threads can be looked up under /proc too, though only processes are listed. */
int proc_pid_lookup(const struct pseudo_ctx *c, const char *name, size_t len,
                    struct pseudo_ctx *out)
{
	struct task *t;
	u32 pid;

	t = parse_number(name, len, &pid) && pid ? find_task((s32)pid) : NULL;
	if (!t)
		return -ENOENT;
	*out = (struct pseudo_ctx){
	    .e = &proc_pid_dir,
	    .pid = t->proc->tgid,
	    .start = t->start_time,
	    .tid = t->proc->tgid == (s32)pid ? 0 : (s32)pid,
	};
	task_put(t);
	return 0;
}

bool proc_pid_next(const struct pseudo_ctx *c, u32 *n, char *name, size_t size, u8 *type)
{
	struct process *p = next_process((s32)*n - 1);

	if (!p)
		return false;
	*n = (u32)p->tgid;
	*type = DT_DIR;
	scnprintf(name, size, "%d", p->tgid);
	process_put(p);
	return true;
}
