/* SPDX-License-Identifier: MIT */
/* /proc/PID/oom_score, oom_score_adj, oom_adj: who is to go when memory has run out. */
#include "kernel/fs/pseudo.h"
#include "kernel/lib/printk.h"
#include "kernel/sched/oom.h"
#include "kernel/sched/task.h"

/* oom_adj of old goes from -17 (never) to 15. */
#define OOM_ADJ_NEVER 17
#define OOM_ADJ_MAX   15
#define TEXT_MAX      12u /* of what is written, no more is looked at */

int proc_show_oom_score(const struct pseudo_ctx *c, struct seq *s)
{
	struct task *t = proc_task(c);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%u\n", oom_score(t->proc));
	task_put(t);
	return 0;
}

int proc_show_oom_score_adj(const struct pseudo_ctx *c, struct seq *s)
{
	struct task *t = proc_task(c);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%d\n", t->proc->oom_score_adj);
	task_put(t);
	return 0;
}

int proc_show_oom_adj(const struct pseudo_ctx *c, struct seq *s)
{
	struct task *t = proc_task(c);
	s32 adj;

	if (!t)
		return -ESRCH;
	adj = t->proc->oom_score_adj * OOM_ADJ_NEVER / OOM_SCORE_ADJ_MAX;
	seq_printf(s, "%d\n", min(adj, OOM_ADJ_MAX));
	task_put(t);
	return 0;
}

static int set_adj(const struct pseudo_ctx *c, s32 adj, bool legacy)
{
	struct task *t = proc_task(c);
	int err;

	if (!t)
		return -ESRCH;
	err = oom_set_adj(t->proc, adj, legacy);
	task_put(t);
	return err;
}

ssize_t proc_write_oom_score_adj(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	int adj, err;

	n = min_t(size_t, n, TEXT_MAX);
	err = parse_int_any(buf, n, &adj);

	if (!err && (adj < OOM_SCORE_ADJ_MIN || adj > OOM_SCORE_ADJ_MAX))
		err = -EINVAL;
	if (!err)
		err = set_adj(c, adj, false);
	return err ? err : (ssize_t)n;
}

ssize_t proc_write_oom_adj(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	int adj, err;

	n = min_t(size_t, n, TEXT_MAX);
	err = parse_int_any(buf, n, &adj);

	if (!err && (adj < -OOM_ADJ_NEVER || adj > OOM_ADJ_MAX))
		err = -EINVAL;
	if (err)
		return err;
	adj = adj == OOM_ADJ_MAX ? OOM_SCORE_ADJ_MAX : adj * OOM_SCORE_ADJ_MAX / OOM_ADJ_NEVER;
	err = set_adj(c, adj, true);
	return err ? err : (ssize_t)n;
}
