/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: one queue of runnable tasks, each gets a slice in turn.
 *
 * The kernel itself is not preempted: a task gives up the CPU where it sleeps, and on the way back
 * to user mode when WORK_RESCHED says that its slice is over. The timer ticks for slices only while
 * somebody waits for the CPU, so one running program is never interrupted and an idle machine
 * sleeps.
 *
 * sched_lock is held across the switch itself: the task that comes next releases it, so no other
 * CPU can take up a task whose registers are not stored yet.
 */
#include "kernel/sched/sched.h"

#include "kernel/clock.h"
#include "kernel/irq.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/percpu.h"

struct rq {
	struct task *curr;
	struct task *idle;
	struct mmk_mm *active_mm; /* what TTBR0 has */
	u64 idle_ns;
	u64 tick_at; /* end of the running slice, NO_DEADLINE when nobody waits */
};

static struct spinlock sched_lock = SPINLOCK_INIT;
static LIST_HEAD(run_queue);
static u32 nr_queued; /* tasks on run_queue */
static struct rq rqs[NR_CPUS];
static u64 nr_switches;
static u64 system_ns; /* of kernel tasks and of ticks that found a task in the kernel */
static u64 load_avg[3];
static struct process idle_process;
static struct task idle_task;

static inline struct rq *this_rq(void)
{
	return &rqs[cpu_id()];
}

void task_set_work(struct task *t, u32 bits)
{
	__atomic_fetch_or(&t->work, bits, __ATOMIC_RELEASE);
}

void task_clear_work(struct task *t, u32 bits)
{
	__atomic_fetch_and(&t->work, ~bits, __ATOMIC_ACQ_REL);
}

void set_need_resched(void)
{
	task_set_work(current, WORK_RESCHED);
}

void set_current_state(int state)
{
	WRITE_ONCE(current->state, state);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ------------------------------------------------------------------ the slice's timer */

/* When the clock must interrupt this CPU for the running task's sake. sched_lock. */
static void update_tick(struct rq *rq, u64 now)
{
	struct task *t = rq->curr;
	bool want = t != rq->idle && (nr_queued || process_needs_tick(t->proc));

	if (!want)
		rq->tick_at = NO_DEADLINE;
	else if (rq->tick_at == NO_DEADLINE)
		rq->tick_at = now + TICK_NS;
}

void clock_rearm(void)
{
	clock_arm(min(timers_next(), READ_ONCE(this_rq()->tick_at)));
}

void sched_update_timer(void)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	struct rq *rq = this_rq();
	u64 was = rq->tick_at;

	update_tick(rq, clock_ns());
	spin_unlock(&sched_lock);
	if (rq->tick_at != was)
		clock_rearm();
	local_irq_restore(flags);
}

/* Nothing has nested since the interrupt came, so SPSR_EL1 still tells whom it interrupted. */
static bool interrupted_kernel(void)
{
	u64 spsr;

	__asm__ volatile("mrs %0, spsr_el1" : "=r"(spsr));
	return (spsr & 0xf) != PSTATE_MODE_EL0;
}

/* The running task has had a tick: charge it where it was, and let the next one have its turn. */
static void slice_tick(struct rq *rq, u64 now)
{
	struct task *t = rq->curr;

	spin_lock(&sched_lock);
	if (now < rq->tick_at || t == rq->idle) {
		spin_unlock(&sched_lock);
		return;
	}
	rq->tick_at = NO_DEADLINE;
	if (interrupted_kernel() && !task_is_kernel(t)) {
		t->usage.stime += TICK_NS;
		system_ns += TICK_NS;
	}
	if (nr_queued)
		task_set_work(t, WORK_RESCHED);
	update_tick(rq, now);
	spin_unlock(&sched_lock);
	process_tick(t->proc);
}

void clock_tick(void)
{
	u64 now = clock_ns();

	timers_run(now);
	slice_tick(this_rq(), now);
	clock_rearm();
}

/* ------------------------------------------------------------------ the run queue */

/* sched_lock. */
static void enqueue(struct task *t)
{
	list_add_tail(&t->run_node, &run_queue);
	nr_queued++;
}

bool wake_up_state(struct task *t, u32 state_mask)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	struct rq *rq = this_rq();
	u64 was = rq->tick_at;
	bool slept = t->state != TASK_RUNNING && (state_mask & (1u << t->state));

	if (slept) {
		WRITE_ONCE(t->state, TASK_RUNNING);
		if (!t->on_cpu) {
			enqueue(t);
			update_tick(rq, clock_ns());
		}
	}
	spin_unlock(&sched_lock);
	if (rq->tick_at != was)
		clock_rearm();
	local_irq_restore(flags);
	return slept;
}

bool wake_up_task(struct task *t)
{
	return wake_up_state(t, 1u << TASK_INTERRUPTIBLE | 1u << TASK_KILLABLE |
	                            1u << TASK_UNINTERRUPTIBLE);
}

void sched_enqueue_new(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);

	task_get(t);
	t->state = TASK_RUNNING;
	enqueue(t);
	update_tick(this_rq(), clock_ns());
	spin_unlock(&sched_lock);
	clock_rearm();
	local_irq_restore(flags);
}

static struct task *pick_next(struct rq *rq)
{
	struct task *t = list_first_entry_or_null(&run_queue, struct task, run_node);

	if (!t)
		return rq->idle;
	list_del_init(&t->run_node);
	nr_queued--;
	return t;
}

/* ------------------------------------------------------------------ the switch */

/* TTBR0 for `mm`. Interrupts are off. */
static void activate(struct rq *rq, struct mmk_mm *mm)
{
	if (rq->active_mm == mm)
		return;
	rq->active_mm = mm;
	if (mm)
		mmk_mm_activate(mm, cpu_id());
	else
		mmk_mm_deactivate(mm_sys, cpu_id());
}

struct mmk_mm *switch_task_mm(struct mmk_mm *mm)
{
	unsigned long flags = spin_lock_irqsave(&proc_lock);
	struct task *t = current;
	struct mmk_mm *old = t->mmk.mm;

	t->mmk.mm = mm;
	activate(this_rq(), mm);
	spin_unlock_irqrestore(&proc_lock, flags);
	return old;
}

/* The time that a task has been running goes to its account. */
static void charge(struct rq *rq, struct task *t, u64 now)
{
	u64 ran = now - t->sched_in;

	if (t == rq->idle)
		rq->idle_ns += ran;
	else if (task_is_kernel(t))
		system_ns += ran;
	t->runtime += ran;
}

/* On the stack of the task that comes: the one before is stored now. */
static void finish_switch(struct task *prev)
{
	bool dead = prev->state == TASK_DEAD;

	prev->on_cpu = false;
	spin_unlock(&sched_lock);
	if (dead)
		task_put(prev);
}

static void switch_to(struct rq *rq, struct task *prev, struct task *next)
{
	if (!task_is_kernel(prev)) {
		prev->tls = user_tls_get();
		fpsimd_save(&prev->fpsimd);
	}
	if (prev->rseq.area)
		task_set_work(prev, WORK_RSEQ);
	activate(rq, next->mmk.mm);
	if (!task_is_kernel(next)) {
		user_tls_set(next->tls);
		fpsimd_load(&next->fpsimd);
	}
	next->on_cpu = true;
	rq->curr = next;
	nr_switches++;
	finish_switch(cpu_switch_to(&prev->context, &next->context));
}

void schedule(void)
{
	unsigned long flags = local_irq_save();
	struct rq *rq = this_rq();
	struct task *prev = rq->curr, *next;
	u64 now = clock_ns(), was;

	spin_lock(&sched_lock);
	task_clear_work(prev, WORK_RESCHED);
	if (prev->state == TASK_RUNNING && prev != rq->idle) {
		enqueue(prev);
		prev->usage.nivcsw++;
	} else {
		prev->usage.nvcsw++;
	}
	next = pick_next(rq);
	charge(rq, prev, now);
	next->sched_in = now;
	was = rq->tick_at;
	rq->tick_at = NO_DEADLINE;
	rq->curr = next;
	update_tick(rq, now);
	if (rq->tick_at != was)
		clock_rearm();
	if (next != prev)
		switch_to(rq, prev, next);
	else
		spin_unlock(&sched_lock);
	local_irq_restore(flags);
}

void schedule_tail(struct task *prev)
{
	finish_switch(prev);
	local_irq_enable();
}

/* ------------------------------------------------------------------ idle and start */

void sched_idle(void)
{
	for (;;) {
		local_irq_disable();
		while (list_empty(&run_queue)) {
			cpu_wait_for_interrupt();
			local_irq_enable();
			local_irq_disable();
		}
		local_irq_enable();
		schedule();
	}
}

void sched_init(void)
{
	struct rq *rq = this_rq();

	list_init(&idle_process.children);
	list_init(&idle_process.sibling);
	list_init(&idle_process.all);
	list_init(&idle_process.threads);
	list_init(&idle_process.pending.queue);
	idle_process.kernel = true;
	idle_process.refs = 1;
	idle_task.proc = &idle_process;
	idle_task.refs = 1;
	idle_task.on_cpu = true;
	idle_task.context.task = &idle_task;
	list_init(&idle_task.run_node);
	list_init(&idle_task.pending.queue);
	strlcpy(idle_task.comm, "idle", sizeof(idle_task.comm));
	idle_task.sched_in = clock_ns();
	rq->idle = &idle_task;
	rq->curr = &idle_task;
	rq->tick_at = NO_DEADLINE;
	cpu_set_current(&idle_task);
}

u64 task_runtime(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	u64 ns = t->runtime;

	if (t->on_cpu)
		ns += clock_ns() - t->sched_in;
	spin_unlock_irqrestore(&sched_lock, flags);
	return ns;
}

char task_state_char(const struct task *t)
{
	static const char name[] = {'R', 'S', 'D', 'D', 'T', 'Z'};

	if (t->exited)
		return 'Z';
	return name[min_t(u32, READ_ONCE(t->state), TASK_DEAD)];
}

/* ------------------------------------------------------------------ figures */

/*
 * Load averages: every 5 seconds each is pulled towards the number of runnable tasks. It is done
 * when somebody looks, for all the steps since the last look, so that an idle machine need not wake
 * up for it.
 */
static void update_load(u64 now)
{
	static const u64 keep[3] = {60305, 64451, 65173}; /* exp(-5/60), -5/300, -5/900; 16.16 */
	static u64 next_step;
	u64 active = (nr_queued + (this_rq()->curr != this_rq()->idle)) << 16;
	unsigned i, steps;

	for (steps = 0; next_step <= now; steps++) {
		next_step += 5 * NSEC_PER_SEC;
		for (i = 0; i < 3 && steps < 2000; i++)
			load_avg[i] = (load_avg[i] * keep[i] + active * (65536 - keep[i])) >> 16;
	}
}

void sched_stats(struct sched_stats *s)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	struct rq *rq = this_rq();
	u64 now = clock_ns();

	memset(s, 0, sizeof(*s));
	s->idle_ns = rq->idle_ns;
	s->user_ns = now - rq->idle_ns > system_ns ? now - rq->idle_ns - system_ns : 0;
	s->system_ns = system_ns;
	s->switches = nr_switches;
	s->running = nr_queued + (rq->curr != rq->idle);
	update_load(now);
	memcpy(s->load, load_avg, sizeof(s->load));
	spin_unlock_irqrestore(&sched_lock, flags);
	task_counts(s);
}
