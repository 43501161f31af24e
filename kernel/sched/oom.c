/* SPDX-License-Identifier: MIT */
/*
 * Out of memory: the process whose end would free most is killed, and its memory taken back at
 * once.
 *
 * The measure is Linux's: resident pages and page tables, plus oom_score_adj thousandths of all
 * memory. -1000, PID 1 and the kernel's own tasks are never chosen. All who share the memory die
 * with it.
 *
 * A victim may sleep where no signal reaches it, or wait for a lock that the very thread has which
 * needs a frame. So nobody waits for its end: the reaper's thread takes its private memory away
 * under it. One victim at a time: the next is chosen when the reaper is done with the last, and
 * that has ended or had time to. Who sees a victim's end finds its memory free: it leaves with the
 * reaper.
 */
#include "kernel/sched/oom.h"

#include "kernel/clock.h"
#include "kernel/lib/printk.h"
#include "kernel/mm.h"
#include "kernel/percpu.h"
#include "kernel/sched/grace.h"
#include "kernel/sched/sched.h"

#define PAUSE_NS      10000000ull   /* between two looks */
#define REAP_TRY      100u          /* looks, for its mmap_lock */
#define END_TRY       100u          /* looks without a frame more, for its end once it is reaped */
#define LEAVE_NS      2000000000ull /* that a victim waits for the reaper */
#define WORTH_WAITING 256u          /* objects that wait for their grace period */

static struct mutex oom_lock = MUTEX_INIT(oom_lock);
static struct wait_queue reaper_wq = WAIT_QUEUE_INIT(reaper_wq);
static struct wait_queue leaving_wq = WAIT_QUEUE_INIT(leaving_wq);
static struct mmk_mm *victim_mm; /* [A] with a reference: the reaper is to take it back. Set
                                  * before the kill: a victim that ends at once finds it */
static struct task *reaper_task;

static void pause_a_while(void)
{
	set_current_state(TASK_KILLABLE);
	schedule_deadline(deadline_after(PAUSE_NS));
}

/* ------------------------------------------------------------------ the measure */

static struct mmk_stats figures(void)
{
	struct mmk_stats st;

	mmk_stats(mm_sys, &st);
	return st;
}

/* The memory of a process, whichever of its threads still has it; proc_lock. */
static struct mmk_mm *process_mm(struct process *p)
{
	struct task *t;

	for_each_thread (t, p)
		if (!t->exited && t->mmk.mm)
			return t->mmk.mm;
	return NULL;
}

static bool never_killed(const struct process *p)
{
	return p->tgid == 1 || p->kernel;
}

/* The child of vfork(2) has its parent's memory for a moment: that one is the one to look at. */
static bool borrows_memory(const struct process *p)
{
	return p->leader && p->leader->vfork_pending;
}

/* proc_lock. False: it cannot be chosen. */
static bool badness(struct process *p, u64 total, s64 *points)
{
	struct mmk_mm *mm = process_mm(p);

	if (never_killed(p) || !mm || p->oom_score_adj == OOM_SCORE_ADJ_MIN || borrows_memory(p))
		return false;
	*points = (s64)mmk_mm_badness(mm) + p->oom_score_adj * (s64)(total / 1000);
	return true;
}

u32 oom_score(struct process *p)
{
	u64 total = figures().frames_total;
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	s64 points = 0;
	bool can = badness(p, total, &points);

	spin_unlock_irqrestore(&proc_lock, irq);
	/* Two thirds of the thousandths that it has of all, from 1000 up: 0 to 1333. */
	return can ? (u32)((1000 + points * 1000 / (s64)total) * 2 / 3) : 0;
}

/* ------------------------------------------------------------------ the choice */

/* proc_lock. The last of those with most. */
static struct process *choose(u64 total)
{
	struct process *p, *worst = NULL;
	s64 points, most = 0;

	for_each_process (p) {
		if (p->oom_victim || p->zombie || !badness(p, total, &points))
			continue;
		if (worst && points < most)
			continue;
		worst = p;
		most = points;
	}
	return worst;
}

static bool knob(const char *name)
{
	u64 v;

	return !mmk_sysctl_get(mm_sys, name, &v) && v;
}

static struct process *choose_victim(u64 total)
{
	struct process *me = current->proc;
	s64 points;

	if (knob("oom_kill_allocating_task") && !me->oom_victim && badness(me, total, &points))
		return me;
	return choose(total);
}

/* ------------------------------------------------------------------ the end of it */

static void tell(const struct process *p, u64 pages, s32 adj)
{
	pr_err(
	    "Out of memory: killed process %d (%s): %llu kB of it were in use, oom_score_adj %d\n",
	    p->tgid, p->leader ? p->leader->comm : "?",
	    (unsigned long long)pages * (PAGE_SIZE / 1024), adj);
}

/* proc_lock: everybody with this memory, but for PID 1 and the kernel. */
static void kill_sharers(struct mmk_mm *mm)
{
	struct process *p;

	for_each_process (p) {
		if (p->zombie || never_killed(p) || process_mm(p) != mm)
			continue;
		p->oom_victim = true;
		kill_process_locked(p, SIGKILL);
	}
}

static bool kill_somebody(void)
{
	u64 total = figures().frames_total;
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	struct process *p = choose_victim(total);
	struct mmk_mm *mm = p ? process_mm(p) : NULL;
	u64 pages = 0;

	if (p) {
		process_get(p);
		pages = mmk_mm_badness(mm);
		/* the reaper's reference is the only one of ours: with that all of it comes back */
		__atomic_store_n(&victim_mm, mmk_mm_get(mm), __ATOMIC_RELEASE);
		kill_sharers(mm);
	}
	spin_unlock_irqrestore(&proc_lock, irq);
	if (!p)
		return false;
	wake_up(&reaper_wq);
	tell(p, pages, p->oom_score_adj);
	process_put(p);
	return true;
}

static void dump_tasks(void)
{
	struct process *p;
	unsigned long irq;
	struct mmk_mm *mm;

	if (!knob("oom_dump_tasks"))
		return;
	irq = spin_lock_irqsave(&proc_lock);
	for_each_process (p) {
		mm = p->kernel ? NULL : process_mm(p);
		if (mm)
			printk("oom: pid %d (%s) uses %llu kB, oom_score_adj %d\n", p->tgid,
			       p->leader ? p->leader->comm : "?",
			       (unsigned long long)mmk_mm_badness(mm) * (PAGE_SIZE / 1024),
			       p->oom_score_adj);
	}
	spin_unlock_irqrestore(&proc_lock, irq);
}

static bool frames_are_out(void)
{
	struct mmk_stats st = figures();

	return st.frames_free <= st.frames_min;
}

/* Who is about to give memory back gets what that takes. */
static bool about_to_free(const struct task *t)
{
	return t == reaper_task || fatal_signal_pending((struct task *)t) || t->proc->exiting;
}

enum mmk_oom port_out_of_memory(void *ctx)
{
	if (about_to_free(current))
		return MMK_OOM_DYING;
	/* Many an unmapping leaves thousands of tables, which are nobody's. Of a few nothing is to be had. */
	if (grace_waiting() >= WORTH_WAITING)
		grace_drain();
	if (!mutex_trylock(&oom_lock)) {
		pause_a_while();
		return MMK_OOM_RETRY;
	}
	/* With the lock: the last victim's memory may have come back since the caller looked. */
	if (!__atomic_load_n(&victim_mm, __ATOMIC_ACQUIRE) && frames_are_out()) {
		if (knob("panic_on_oom"))
			panic("Out of memory, and vm.panic_on_oom is set");
		dump_tasks();
		if (!kill_somebody())
			panic("Out of memory, and no process that may be killed");
	}
	mutex_unlock(&oom_lock);
	if (about_to_free(current))
		return MMK_OOM_DYING;
	pause_a_while();
	return MMK_OOM_RETRY;
}

/* ------------------------------------------------------------------ the reaper */

/* Has anybody got it still? */
static bool in_use(struct mmk_mm *mm)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	struct process *p;
	bool found = false;

	for_each_process (p)
		found |= !p->kernel && process_mm(p) == mm;
	spin_unlock_irqrestore(&proc_lock, irq);
	return found;
}

/* What others share with it comes back with its end alone: that is waited for while there is hope.
 */
static void await_end(struct mmk_mm *mm)
{
	u64 most = figures().frames_free, now;
	unsigned i;

	for (i = 0; i < END_TRY; i++) {
		if (!wait_event_timeout(&reaper_wq, !in_use(mm), deadline_after(PAUSE_NS)))
			break;
		now = figures().frames_free;
		if (now > most) {
			most = now;
			i = 0;
		}
	}
}

static void reap(struct mmk_mm *mm)
{
	unsigned i;

	for (i = 0; i < REAP_TRY && in_use(mm) && !mmk_mm_reap(mm); i++)
		pause_a_while();
	await_end(mm);
}

static s32 reaper(void *arg)
{
	reaper_task = current;
	for (;;) {
		struct mmk_mm *mm;

		wait_event_interruptible(&reaper_wq, __atomic_load_n(&victim_mm, __ATOMIC_ACQUIRE));
		mm = victim_mm;
		reap(mm);
		/* Ours may be the last reference. Only with all of it back is another one chosen.
		 */
		mmk_mm_put(mm);
		__atomic_store_n(&victim_mm, NULL, __ATOMIC_RELEASE);
		wake_up(&leaving_wq);
	}
	return 0;
}

void oom_leave(const struct mmk_mm *mm)
{
	wake_up(&reaper_wq);
	(void)wait_event_timeout(&leaving_wq, __atomic_load_n(&victim_mm, __ATOMIC_ACQUIRE) != mm,
	                         deadline_after(LEAVE_NS));
}

void oom_start(void)
{
	s32 pid = kthread_create("oom_reaper", reaper, NULL);

	if (pid < 0)
		panic("no memory for the oom_reaper thread: error %d", pid);
}

/* ------------------------------------------------------------------ oom_score_adj */

/* Who shares the memory shares the fate, so they have one adjustment; proc_lock. */
static void set_for_sharers(struct process *p, s32 adj, s32 floor)
{
	struct mmk_mm *mm = p->mm_shared ? process_mm(p) : NULL;
	struct process *q;

	p->oom_score_adj = adj;
	p->oom_score_adj_min = floor;
	for_each_process (q)
		if (mm && q != p && !never_killed(q) && !borrows_memory(q) && process_mm(q) == mm) {
			q->oom_score_adj = adj;
			q->oom_score_adj_min = floor;
		}
}

int oom_set_adj(struct process *p, s32 adj, bool legacy)
{
	bool privileged = capable(CAP_SYS_RESOURCE);
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	s32 floor = legacy ? p->oom_score_adj : p->oom_score_adj_min;
	int err = 0;

	if (adj < floor && !privileged)
		err = -EACCES;
	else
		set_for_sharers(p, adj, privileged && !legacy ? adj : p->oom_score_adj_min);
	spin_unlock_irqrestore(&proc_lock, irq);
	return err;
}
