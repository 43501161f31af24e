/* SPDX-License-Identifier: MIT */
/* /proc/PID/{stat,status,statm,limits}: a task in figures, in Linux's formats (man 5 proc). */
#include "kernel/fs/pseudo.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

#define HZ_NS 10000000ull /* a tick of USER_HZ */

typedef unsigned long long ull;

/* What is read of a task under its locks, and of its mm. */
struct figures {
	struct task *t;
	bool has_mm;
	struct mmk_mm_stats mm;
	struct mmk_mm_bounds b;
	s32 tracer, ppid, pgid, sid, tty_nr, tpgid, threads;
	sigset_t pending, shared, blocked, ignored, caught;
	u32 nr_queued;
	char state;
	struct usage usage, children;
};

static void read_signals(struct figures *f, struct process *p)
{
	unsigned i;

	f->pending = f->t->pending.set;
	f->shared = p->pending.set;
	f->blocked = f->t->blocked;
	f->nr_queued = p->nr_sigqueued;
	for (i = 0; p->sighand && i < NSIG; i++) {
		u64 h = sighand_action(p->sighand, (int)i + 1)->handler;

		if (h == SIG_IGN)
			f->ignored |= 1ull << i;
		else if (h != SIG_DFL)
			f->caught |= 1ull << i;
	}
}

static int gather(const struct pseudo_ctx *c, struct figures *f)
{
	struct process *p;
	unsigned long flags;
	struct mmk_mm *mm;

	memset(f, 0, sizeof(*f));
	f->t = proc_task(c);
	if (!f->t)
		return -ESRCH;
	p = f->t->proc;
	f->state = task_state_char(f->t);
	mm = task_get_mm(f->t);
	if (mm) {
		f->has_mm = true;
		mmk_mm_stats(mm, &f->mm);
		mmk_mm_get_bounds(mm, &f->b);
		mmk_mm_put(mm);
	}
	process_usage(p, &f->usage);
	flags = spin_lock_irqsave(&proc_lock);
	f->ppid = p->parent ? p->parent->tgid : 0;
	f->tracer = f->t->trace.tracer ? f->t->trace.tracer->pid : 0;
	f->pgid = p->pgid;
	f->sid = p->sid;
	f->threads = (s32)p->nr_threads;
	f->children = p->children_usage;
	read_signals(f, p);
	spin_unlock_irqrestore(&proc_lock, flags);
	tty_session_numbers(f->sid, &f->tty_nr, &f->tpgid);
	return 0;
}

/* struct figures is too large for a stack that goes deep. */
static struct figures *figures_get(const struct pseudo_ctx *c, int *err)
{
	struct figures *f = fs_alloc(sizeof(*f));

	*err = f ? gather(c, f) : -ENOMEM;
	if (*err) {
		fs_free(f);
		return NULL;
	}
	return f;
}

static void figures_put(struct figures *f)
{
	task_put(f->t);
	fs_free(f);
}

static ull rss(const struct figures *f)
{
	return f->mm.rss_anon + f->mm.rss_file + f->mm.rss_shmem;
}

/* ------------------------------------------------------------------ stat, statm */

/* Where the program's text and data lie is for those who may trace it. */
static void stat_addresses(struct seq *s, const struct figures *f, bool show)
{
	const struct mmk_mm_bounds *b = &f->b;

	if (!show) {
		seq_puts(s, " 0 0 0 0 0 0 0");
		return;
	}
	seq_printf(s, " %lu %lu %lu %lu %lu %lu %lu", b->start_data, b->end_data, b->start_brk,
	           b->arg_start, b->arg_end, b->env_start, b->env_end);
}

int proc_show_stat(const struct pseudo_ctx *c, struct seq *s)
{
	bool show = !proc_may_ptrace(c);
	struct figures *f;
	struct process *p;
	int err;

	f = figures_get(c, &err);
	if (!f)
		return err;
	p = f->t->proc;
	seq_printf(s, "%d (%s) %c %d %d %d %d %d %u", c->tid ? c->tid : c->pid, f->t->comm,
	           f->state, f->ppid, f->pgid, f->sid, f->tty_nr, f->tpgid,
	           task_is_kernel(f->t) ? 0x200000u : 0x400000u);
	seq_printf(s, " %llu %llu %llu %llu", (ull)f->usage.min_flt, (ull)f->children.min_flt,
	           (ull)f->usage.maj_flt, (ull)f->children.maj_flt);
	seq_printf(s, " %llu %llu %llu %llu", (ull)f->usage.utime / HZ_NS,
	           (ull)f->usage.stime / HZ_NS, (ull)f->children.utime / HZ_NS,
	           (ull)f->children.stime / HZ_NS);
	seq_printf(s, " %d %d %d 0 %llu", 20 + p->nice, p->nice, f->threads,
	           (ull)f->t->start_time / HZ_NS);
	seq_printf(s, " %llu %llu %llu", (ull)f->mm.total_vm * PAGE_SIZE, rss(f),
	           (ull)MMK_RLIM_INFINITY);
	seq_printf(s, " %lu %lu %lu 0 0", show ? f->b.start_code : 1ul, show ? f->b.end_code : 1ul,
	           show ? f->b.start_stack : 0ul);
	seq_printf(s, " %llu %llu %llu %llu", (ull)(f->pending & 0x7fffffff),
	           (ull)(f->blocked & 0x7fffffff), (ull)(f->ignored & 0x7fffffff),
	           (ull)(f->caught & 0x7fffffff));
	seq_printf(s, " 0 0 0 %d 0 0 0 0 0 0", p->exit_signal);
	stat_addresses(s, f, show);
	seq_printf(s, " %u\n", show ? p->exit_code : 0);
	figures_put(f);
	return 0;
}

static ull text_pages(const struct figures *f)
{
	return (ALIGN_UP(f->b.end_code, PAGE_SIZE) - ALIGN_DOWN(f->b.start_code, PAGE_SIZE)) /
	       PAGE_SIZE;
}

int proc_show_statm(const struct pseudo_ctx *c, struct seq *s)
{
	int err;
	struct figures *f = figures_get(c, &err);

	if (!f)
		return err;
	seq_printf(s, "%llu %llu %llu %llu 0 %llu 0\n", (ull)f->mm.total_vm, rss(f),
	           (ull)(f->mm.rss_file + f->mm.rss_shmem), f->has_mm ? text_pages(f) : 0,
	           (ull)(f->mm.data_vm + f->mm.stack_vm));
	figures_put(f);
	return 0;
}

/* ------------------------------------------------------------------ status */

static const char *state_name(char state)
{
	switch (state) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'D':
		return "disk sleep";
	case 'T':
		return "stopped";
	case 't':
		return "tracing stop";
	case 'Z':
		return "zombie";
	default:
		return "dead";
	}
}

static void status_ids(struct seq *s, const struct figures *f, const struct pseudo_ctx *c)
{
	const struct cred *cr = &f->t->cred;
	struct files *files = task_files(f->t);
	struct fs *fs = task_fs(f->t);
	s32 pid = c->tid ? c->tid : c->pid;
	u32 i;

	seq_printf(s, "Name:\t%s\n", f->t->comm);
	if (fs)
		seq_printf(s, "Umask:\t%04o\n", fs->umask);
	seq_printf(s, "State:\t%c (%s)\n", f->state, state_name(f->state));
	seq_printf(s, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", c->pid, pid,
	           f->ppid, f->tracer);
	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\n", cr->uid, cr->euid, cr->suid, cr->fsuid);
	seq_printf(s, "Gid:\t%u\t%u\t%u\t%u\n", cr->gid, cr->egid, cr->sgid, cr->fsgid);
	seq_printf(s, "FDSize:\t%u\nGroups:\t", files ? files->size : 0);
	for (i = 0; cr->groups && i < cr->groups->n; i++)
		seq_printf(s, "%u ", cr->groups->gid[i]);
	seq_printf(s, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\nKthread:\t%d\n", c->pid,
	           pid, f->pgid, f->sid, task_is_kernel(f->t));
	fs_put(fs);
	files_put(files);
}

static void kb_line(struct seq *s, const char *name, u64 pages)
{
	seq_printf(s, "%s:\t%8llu kB\n", name, (ull)pages * (PAGE_SIZE / 1024));
}

static void status_memory(struct seq *s, const struct figures *f)
{
	const struct mmk_mm_stats *m = &f->mm;
	u64 text = text_pages(f);

	kb_line(s, "VmPeak", max(m->hiwater_vm, m->total_vm));
	kb_line(s, "VmSize", m->total_vm);
	kb_line(s, "VmLck", m->locked_vm);
	kb_line(s, "VmPin", m->pinned_vm);
	kb_line(s, "VmHWM", max(m->hiwater_rss, (u64)rss(f)));
	kb_line(s, "VmRSS", rss(f));
	kb_line(s, "RssAnon", m->rss_anon);
	kb_line(s, "RssFile", m->rss_file);
	kb_line(s, "RssShmem", m->rss_shmem);
	kb_line(s, "VmData", m->data_vm);
	kb_line(s, "VmStk", m->stack_vm);
	kb_line(s, "VmExe", text);
	kb_line(s, "VmLib", m->exec_vm > text ? m->exec_vm - text : 0);
	seq_printf(s, "VmPTE:\t%8llu kB\n", (ull)m->pgtables_bytes / 1024);
	kb_line(s, "VmSwap", 0);
	kb_line(s, "HugetlbPages", 0);
	seq_printf(s, "CoreDumping:\t0\nTHP_enabled:\t%d\n", !m->thp_disabled);
	/* The top byte of an address is the program's own. */
	seq_puts(s, "untag_mask:\t0xffffffffffffff\n");
}

static void status_rest(struct seq *s, const struct figures *f)
{
	const struct cred *cr = &f->t->cred;

	seq_printf(s, "Threads:\t%d\nSigQ:\t%u/%llu\n", f->threads, f->nr_queued,
	           (ull)f->t->proc->rlim[11].cur);
	seq_printf(s, "SigPnd:\t%016llx\nShdPnd:\t%016llx\n", (ull)f->pending, (ull)f->shared);
	seq_printf(s, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n", (ull)f->blocked,
	           (ull)f->ignored, (ull)f->caught);
	seq_printf(s, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\n",
	           (ull)cr->cap_inheritable, (ull)cr->cap_permitted, (ull)cr->cap_effective);
	seq_printf(s, "CapBnd:\t%016llx\nCapAmb:\t%016llx\n", (ull)cr->cap_bset,
	           (ull)cr->cap_ambient);
	seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n", cr->no_new_privs);
	seq_puts(s, "Speculation_Store_Bypass:\tunknown\nSpeculationIndirectBranch:\tunknown\n");
	seq_puts(s, "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n");
	seq_puts(s, "Mems_allowed:\t1\nMems_allowed_list:\t0\n");
	seq_printf(s, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
	           (ull)f->usage.nvcsw, (ull)f->usage.nivcsw);
}

int proc_show_status(const struct pseudo_ctx *c, struct seq *s)
{
	int err;
	struct figures *f = figures_get(c, &err);

	if (!f)
		return err;
	status_ids(s, f, c);
	if (f->has_mm)
		status_memory(s, f);
	status_rest(s, f);
	figures_put(f);
	return 0;
}

/* ------------------------------------------------------------------ limits */

static const struct {
	const char *name, *unit;
} limit_names[MMK_RLIM_NLIMITS] = {
    {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
    {"Max data size", "bytes"},      {"Max stack size", "bytes"},
    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
    {"Max processes", "processes"},  {"Max open files", "files"},
    {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
    {"Max file locks", "locks"},     {"Max pending signals", "signals"},
    {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
    {"Max realtime priority", ""},   {"Max realtime timeout", "us"},
};

static void limit_value(char *buf, size_t size, u64 v)
{
	if (v == MMK_RLIM_INFINITY)
		scnprintf(buf, size, "unlimited");
	else
		scnprintf(buf, size, "%llu", (ull)v);
}

int proc_show_limits(const struct pseudo_ctx *c, struct seq *s)
{
	struct mmk_rlimit rlim[MMK_RLIM_NLIMITS];
	struct task *t = proc_task(c);
	unsigned i;

	if (!t)
		return -ESRCH;
	memcpy(rlim, t->proc->rlim, sizeof(rlim));
	task_put(t);
	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (i = 0; i < MMK_RLIM_NLIMITS; i++) {
		char soft[24], hard[24];

		limit_value(soft, sizeof(soft), rlim[i].cur);
		limit_value(hard, sizeof(hard), rlim[i].max);
		if (limit_names[i].unit[0])
			seq_printf(s, "%-25s %-20s %-20s %-10s\n", limit_names[i].name, soft, hard,
			           limit_names[i].unit);
		else
			seq_printf(s, "%-25s %-20s %-20s \n", limit_names[i].name, soft, hard);
	}
	return 0;
}
