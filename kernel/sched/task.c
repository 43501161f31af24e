/* SPDX-License-Identifier: MIT */
/*
 * Tasks and processes as objects: made, counted, found by number, freed.
 *
 * A number is taken while a thread has it, or a process group or session is named by it.
 */
#include "kernel/sched/task.h"

#include "kernel/arch/stack.h"
#include "kernel/clock.h"
#include "kernel/fs/fs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/sched.h"

#define PID_HASH        256
#define PID_FIRST_REUSE 300 /* after a wrap the low numbers are left alone, as Linux does */

struct spinlock proc_lock = SPINLOCK_INIT;
LIST_HEAD(all_processes);

static struct list_head pid_table[PID_HASH];
static s32 last_pid;
static u64 nr_forks;
static u32 nr_tasks;

/* ------------------------------------------------------------------ numbers */

static struct list_head *pid_chain(s32 pid)
{
	struct list_head *chain = &pid_table[(u32)pid % PID_HASH];

	if (!chain->next)
		list_init(chain);
	return chain;
}

struct task *find_task_locked(s32 pid)
{
	struct task *t;

	list_for_each_entry (t, pid_chain(pid), pid_node)
		if (t->pid == pid)
			return t;
	return NULL;
}

struct process *find_process_locked(s32 tgid)
{
	struct task *t = find_task_locked(tgid);

	return t && t->proc->tgid == tgid ? t->proc : NULL;
}

static bool pid_taken(s32 pid)
{
	struct process *p;

	if (find_task_locked(pid))
		return true;
	for_each_process (p)
		if (p->pgid == pid || p->sid == pid)
			return true;
	return false;
}

s32 pid_alloc_locked(void)
{
	s32 tries;

	for (tries = 0; tries < PID_MAX; tries++) {
		if (++last_pid >= PID_MAX)
			last_pid = PID_FIRST_REUSE;
		if (!pid_taken(last_pid))
			return last_pid;
	}
	return -EAGAIN;
}

s32 pid_alloc_top_locked(void)
{
	s32 pid;

	for (pid = PID_MAX - 1; pid > PID_FIRST_REUSE; pid--)
		if (!pid_taken(pid))
			return pid;
	return -EAGAIN;
}

void pid_table_add(struct task *t)
{
	list_add_tail(&t->pid_node, pid_chain(t->pid));
	nr_forks++;
	nr_tasks++;
}

void pid_table_del(struct task *t)
{
	list_del_init(&t->pid_node);
	nr_tasks--;
}

/* Keeps the list ascending by tgid: numbers mostly grow. */
void process_insert(struct process *p)
{
	struct list_head *before;

	for (before = all_processes.prev; before != &all_processes; before = before->prev)
		if (list_entry(before, struct process, all)->tgid < p->tgid)
			break;
	list_add(&p->all, before);
}

u32 task_count(void)
{
	return READ_ONCE(nr_tasks);
}

void task_counts(struct sched_stats *s)
{
	s->forks = nr_forks;
	s->threads = nr_tasks;
	s->last_pid = last_pid;
}

/* ------------------------------------------------------------------ lookups with references */

struct task *find_task(s32 pid)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct task *t = find_task_locked(pid);

	if (t)
		task_get(t);
	spin_unlock_irqrestore(&proc_lock, flags);
	return t;
}

struct process *find_process(s32 tgid)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct process *p = find_process_locked(tgid);

	if (p)
		process_get(p);
	spin_unlock_irqrestore(&proc_lock, flags);
	return p;
}

struct process *next_process(s32 after)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct process *p, *found = NULL;

	for_each_process (p) {
		if (p->tgid > after) {
			found = p;
			process_get(p);
			break;
		}
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	return found;
}

struct task *next_thread(struct process *p, s32 after)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct task *t, *found = NULL;

	for_each_thread (t, p)
		if (t->pid > after && (!found || t->pid < found->pid))
			found = t;
	if (found)
		task_get(found);
	spin_unlock_irqrestore(&proc_lock, flags);
	return found;
}

struct mmk_mm *task_get_mm(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct mmk_mm *mm = t->mmk.mm ? mmk_mm_get(t->mmk.mm) : NULL;

	spin_unlock_irqrestore(&proc_lock, flags);
	return mm;
}

struct file *process_get_exe(struct process *p)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct file *exe = p->exe ? file_get(p->exe) : NULL;

	spin_unlock_irqrestore(&proc_lock, flags);
	return exe;
}

/* ------------------------------------------------------------------ life */

void task_get(struct task *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
}

void process_get(struct process *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
}

void process_put(struct process *p)
{
	if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		return;
	timer_stop_sync(&p->real_timer); /* it may be busy elsewhere finding nothing to do */
	kfree(p);
}

void task_put(struct task *t)
{
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	group_list_put(t->cred.groups);
	kstack_free(t->stack);
	process_put(t->proc);
	kfree(t);
}

/* With one reference: the pid table's. The task has none of its maker's things yet. */
struct task *task_alloc(struct process *p)
{
	struct task *t = kzalloc_wait(sizeof(*t));

	if (!t)
		return NULL;
	t->stack = kstack_alloc(true);
	if (!t->stack) {
		kfree(t);
		return NULL;
	}
	process_get(p);
	t->proc = p;
	t->refs = 1;
	t->context.task = t;
	t->context.sp = (u64)task_regs(t);
	t->context.lr = (u64)ret_from_fork;
	t->mmk.rlim = p->rlim;
	t->state = TASK_UNINTERRUPTIBLE;
	t->cpus_allowed = ~0ull;
	t->altstack.flags = SS_DISABLE;
	t->start_time = clock_ns();
	list_init(&t->run_node);
	list_init(&t->thread_node);
	list_init(&t->pid_node);
	list_init(&t->pending.queue);
	list_init(&t->trace.tracees);
	list_init(&t->trace.node);
	wait_queue_init(&t->vfork_done);
	return t;
}

/* With one reference, the maker's. */
struct process *process_alloc(void)
{
	struct process *p = kzalloc_wait(sizeof(*p));

	if (!p)
		return NULL;
	p->refs = 1;
	p->dumpable = 1;
	p->coredump_filter = 0x33;
	p->start_time = clock_ns();
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->all);
	list_init(&p->threads);
	list_init(&p->pending.queue);
	wait_queue_init(&p->wait_child);
	wait_queue_init(&p->wait_group);
	list_init(&p->ptimers);
	itimers_init(p);
	return p;
}
