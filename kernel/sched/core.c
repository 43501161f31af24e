/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: one queue of runnable tasks for all CPUs, each gets a slice in turn on the next
 * CPU that is free and that it may use.
 * Who has slept comes before those whose slice was over, and ends the turn of one that has had a
 * good part of it; but not without end.
 *
 * The kernel itself is not preempted: a task gives up the CPU where it sleeps, and on the way back
 * to user mode or between the parts of a long call, when WORK_RESCHED says that its slice is over. A
 * CPU that is not idle has a tick every 10 ms, which ends slices and finds out whether programs or the
 * kernel for them are running; it goes on across switches, so that they need not set the timer. An idle
 * machine sleeps.
 *
 * sched_lock is held across the switch itself: the task that comes next releases it, so no other
 * CPU can take up a task whose registers are not stored yet.
 *
 * An idle CPU sleeps in WFI with its bit in idle_mask; who makes a task runnable takes the bit away
 * and sends an interrupt.
 */
#include "kernel/sched/sched.h"

#include "kernel/arch/sysreg.h"
#include "kernel/arch/stack.h"
#include "kernel/clock.h"
#include "kernel/irq.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/percpu.h"
#include "kernel/smp.h"

#define PREEMPT_NS   2000000ull /* a turn is not cut short before */
#define WOKEN_STREAK 16

/* sched_lock, but for what only the CPU itself looks at. */
struct rq {
	struct task *curr;
	struct task *idle;
	struct mmk_mm *active_mm; /* what TTBR0 has; its own */
	u64 idle_ns;
	u64 system_ns; /* of kernel tasks and of ticks that found a task in the kernel */
	u64 start_ns;
	u64 tick_at; /* the next tick; NO_DEADLINE: idle */
	u64 passes;  /* how often it has been in schedule() */
	bool stepping; /* the CPU stops after each instruction of the user's; its own */
} __aligned(64);

static struct spinlock sched_lock = SPINLOCK_INIT;
static LIST_HEAD(run_queue);
static LIST_HEAD(woken_queue); /* those that have slept: before those that have had their slice */
static u32 nr_queued;          /* tasks on both */
static u32 woken_streak;       /* how many have come from woken_queue one after the other */
static u64 idle_mask;          /* CPUs that sleep, and have not been told to wake up */
static struct rq rqs[NR_CPUS];
static u64 nr_switches;
static u64 load_avg[3];
static struct process idle_process;
static struct task idle_tasks[NR_CPUS];

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

void set_current_state(int state)
{
	WRITE_ONCE(current->state, state);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ------------------------------------------------------------------ the tick */

/* Does the clock have to interrupt this CPU (it is the caller's) for the running task's sake?
 * sched_lock. */
static void update_tick(struct rq *rq, u64 now)
{
	struct task *t = rq->curr;

	if (t == rq->idle)
		rq->tick_at = NO_DEADLINE;
	else if (rq->tick_at == NO_DEADLINE)
		rq->tick_at = now + TICK_NS;
}

void clock_rearm(void)
{
	clock_arm(min(timers_next(), READ_ONCE(this_rq()->tick_at)));
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
	if (!task_is_kernel(t)) {
		t->ticks++;
		if (interrupted_kernel()) {
			t->kernel_ticks++;
			rq->system_ns += TICK_NS;
		}
	}
	if (nr_queued && now - t->sched_in >= TICK_NS / 2)
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

static bool may_run(const struct task *t, u32 cpu)
{
	return t->cpus_allowed >> cpu & 1;
}

/*
 * Somebody must come for @t, which is on the queue: an idle CPU if there is one, the one that had
 * it last by preference; else the busy ones let it have a turn (false). sched_lock.
 */
static bool find_cpu(const struct task *t)
{
	u64 idle = idle_mask & t->cpus_allowed;
	u32 me = cpu_id(), cpu;

	if (!idle)
		return false;
	cpu = idle >> t->cpu & 1 ? t->cpu : (u32)__builtin_ctzll(idle);
	idle_mask &= ~(1ull << cpu);
	if (cpu != me) /* else the idle task looks at the queue after this interrupt */
		smp_send_reschedule(cpu);
	return true;
}

/* sched_lock. */
static void kick_running(const struct task *t)
{
	if (t->on_cpu && t->cpu != cpu_id())
		smp_send_reschedule(t->cpu);
}

/* sched_lock. */
static void enqueue(struct task *t, bool woken)
{
	t->woken = woken;
	list_add_tail(&t->run_node, woken ? &woken_queue : &run_queue);
	nr_queued++;
}

/* No CPU is idle for a task that was woken: the one whose task has run longest, if that is long. */
static void preempt_for(const struct task *t, u64 now)
{
	struct task *longest = NULL;
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		struct task *curr = rqs[cpu].curr;

		if (may_run(t, cpu) && curr && curr != rqs[cpu].idle &&
		    (!longest || curr->sched_in < longest->sched_in))
			longest = curr;
	}
	if (!longest || now - longest->sched_in < PREEMPT_NS)
		return;
	task_set_work(longest, WORK_RESCHED);
	kick_running(longest);
}

/*
 * What made the caller wake the task up is written before the state is read: the other side
 * writes its state, then looks (set_current_state).
 */
bool wake_up_state(struct task *t, u32 state_mask)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	bool slept;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	slept = t->state != TASK_RUNNING && (state_mask & (1u << t->state));
	if (slept) {
		WRITE_ONCE(t->state, TASK_RUNNING);
		if (!t->on_cpu) {
			enqueue(t, true);
			if (!find_cpu(t))
				preempt_for(t, clock_ns());
		}
	}
	spin_unlock_irqrestore(&sched_lock, flags);
	return slept;
}

void sched_kick(struct task *t)
{
	unsigned long flags;

	if (nr_cpus == 1 || t == current)
		return;
	flags = spin_lock_irqsave(&sched_lock);
	kick_running(t);
	spin_unlock_irqrestore(&sched_lock, flags);
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
	enqueue(t, true);
	(void)find_cpu(t);
	spin_unlock_irqrestore(&sched_lock, flags);
}

static struct task *first_of(struct list_head *queue, u32 cpu)
{
	struct task *t;

	list_for_each_entry (t, queue, run_node)
		if (may_run(t, cpu))
			return t;
	return NULL;
}

/* The first in line that may run here, or NULL. sched_lock. */
static struct task *first_for(u32 cpu)
{
	bool others_turn = woken_streak >= WOKEN_STREAK;
	struct task *t = first_of(others_turn ? &run_queue : &woken_queue, cpu);

	return t ? t : first_of(others_turn ? &woken_queue : &run_queue, cpu);
}

static struct task *pick_next(struct rq *rq, u32 cpu)
{
	struct task *t = first_for(cpu);

	if (!t) {
		idle_mask |= 1ull << cpu;
		return rq->idle;
	}
	idle_mask &= ~(1ull << cpu);
	list_del_init(&t->run_node);
	nr_queued--;
	woken_streak = t->woken ? woken_streak + 1 : 0;
	return t;
}

/* ------------------------------------------------------------------ affinity */

u64 sched_get_affinity(const struct task *t)
{
	return READ_ONCE(t->cpus_allowed) & cpus_online();
}

int sched_set_affinity(struct task *t, u64 mask)
{
	unsigned long flags;

	if (!(mask & cpus_online()))
		return -EINVAL;
	flags = spin_lock_irqsave(&sched_lock);
	WRITE_ONCE(t->cpus_allowed, mask);
	if (!list_empty(&t->run_node)) {
		(void)find_cpu(t);
	} else if (t->on_cpu && !may_run(t, t->cpu)) {
		/* It moves on its way to user mode. */
		task_set_work(t, WORK_RESCHED);
		kick_running(t);
	}
	spin_unlock_irqrestore(&sched_lock, flags);
	return 0;
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
		rq->system_ns += ran;
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

/* ARM ARM D2.12: with MDSCR_EL1.SS a return to user mode with PSTATE.SS set does one instruction. */
static void set_stepping(struct rq *rq, bool step)
{
	rq->stepping = step;
	write_sysreg(step ? MDSCR_TDCC | MDSCR_SS : MDSCR_TDCC, mdscr_el1);
	isb();
}

void sched_update_step(void)
{
	unsigned long flags = local_irq_save();

	set_stepping(this_rq(), current->trace.step);
	local_irq_restore(flags);
}

void sched_wait_off_cpu(struct task *t)
{
	unsigned long flags;
	bool on;

	do {
		cpu_relax();
		flags = spin_lock_irqsave(&sched_lock);
		on = t->on_cpu;
		spin_unlock_irqrestore(&sched_lock, flags);
	} while (on);
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
	if (unlikely(next->trace.step != rq->stepping))
		set_stepping(rq, next->trace.step);
	next->on_cpu = true;
	next->cpu = cpu_id();
	nr_switches++;
	finish_switch(cpu_switch_to(&prev->context, &next->context));
}

void schedule(void)
{
	unsigned long flags = local_irq_save();
	struct rq *rq = this_rq();
	struct task *prev = rq->curr, *next;
	u64 now = clock_ns(), was;

	BUG_ON(flags & PSTATE_I); /* the caller has a spinlock, or relies on staying on this CPU */
	spin_lock(&sched_lock);
	rq->passes++;
	task_clear_work(prev, WORK_RESCHED);
	if (prev->state == TASK_RUNNING && prev != rq->idle) {
		enqueue(prev, false);
		prev->usage.nivcsw++;
	} else {
		prev->usage.nvcsw++;
	}
	next = pick_next(rq, cpu_id());
	if (next != prev && !list_empty(&prev->run_node))
		(void)find_cpu(prev);
	charge(rq, prev, now);
	next->sched_in = now;
	was = rq->tick_at;
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

/* Who looks for a condition in another state than TASK_RUNNING would sleep here for good. */
void cond_resched(void)
{
	if (unlikely(READ_ONCE(current->work) & WORK_RESCHED) && current->state == TASK_RUNNING &&
	    !irqs_disabled())
		schedule();
}

void schedule_tail(struct task *prev)
{
	finish_switch(prev);
	local_irq_enable();
}

/* ------------------------------------------------------------------ for grace periods */

u64 sched_passes(u32 cpu)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	u64 passes = rqs[cpu].passes;

	spin_unlock_irqrestore(&sched_lock, flags);
	return passes;
}

bool sched_is_idle(u32 cpu)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	bool idle = rqs[cpu].curr == rqs[cpu].idle;

	spin_unlock_irqrestore(&sched_lock, flags);
	return idle;
}

void sched_pass_soon(u32 cpu)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);

	task_set_work(rqs[cpu].curr, WORK_RESCHED);
	if (cpu != cpu_id())
		smp_send_reschedule(cpu);
	spin_unlock_irqrestore(&sched_lock, flags);
}

/* ------------------------------------------------------------------ idle and start */

/* Is there something to do? If not, whoever brings something will wake this CPU up. */
static bool idle_has_work(u32 cpu)
{
	bool any;

	spin_lock(&sched_lock);
	any = first_for(cpu);
	if (!any)
		idle_mask |= 1ull << cpu;
	spin_unlock(&sched_lock);
	return any;
}

/* A wake-up between the look and the sleep is a pending interrupt, which ends the sleep at once. */
void sched_idle(void)
{
	for (;;) {
		local_irq_disable();
		while (!idle_has_work(cpu_id())) {
			cpu_wait_for_interrupt();
			local_irq_enable();
			local_irq_disable();
		}
		local_irq_enable();
		schedule();
	}
}

static void init_idle_task(u32 cpu)
{
	struct task *t = &idle_tasks[cpu];

	t->proc = &idle_process;
	t->refs = 1;
	t->on_cpu = true;
	t->cpu = cpu;
	t->cpus_allowed = 1ull << cpu;
	t->context.task = t;
	list_init(&t->run_node);
	list_init(&t->pending.queue);
	strlcpy(t->comm, "idle", sizeof(t->comm));
}

int sched_make_idle(u32 cpu)
{
	struct task *t = &idle_tasks[cpu];

	t->stack = kstack_alloc(false);
	if (!t->stack)
		return -ENOMEM;
	init_idle_task(cpu);
	percpu_area[cpu].task = t;
	percpu_area[cpu].first_sp = (char *)t->stack + THREAD_SIZE;
	return 0;
}

void sched_start_cpu(void)
{
	struct rq *rq = this_rq();
	struct task *t = &idle_tasks[cpu_id()];
	unsigned long flags = spin_lock_irqsave(&sched_lock);

	rq->start_ns = clock_ns();
	t->sched_in = rq->start_ns;
	rq->idle = t;
	rq->curr = t;
	rq->tick_at = NO_DEADLINE;
	spin_unlock_irqrestore(&sched_lock, flags);
	timers_init_cpu();
	cpu_set_current(t);
	mmk_mm_deactivate(mm_sys, cpu_id());
}

void sched_init(void)
{
	list_init(&idle_process.children);
	list_init(&idle_process.sibling);
	list_init(&idle_process.all);
	list_init(&idle_process.threads);
	list_init(&idle_process.pending.queue);
	list_init(&idle_process.ptimers);
	itimers_init(&idle_process);
	idle_process.kernel = true;
	idle_process.refs = 1;
	init_idle_task(0);
	sched_start_cpu();
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
	static const char name[] = {'R', 'S', 'D', 'D', 'T', 't', 'Z'};

	if (t->exited)
		return 'Z';
	return name[min_t(u32, READ_ONCE(t->state), TASK_DEAD)];
}

/* ------------------------------------------------------------------ figures */

/* sched_lock. */
static u32 nr_running(void)
{
	u32 n = nr_queued, cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++)
		n += rqs[cpu].curr != rqs[cpu].idle;
	return n;
}

/*
 * Load averages: every 5 seconds each is pulled towards the number of runnable tasks. It is done
 * when somebody looks, for all the steps since the last look, so that an idle machine need not wake
 * up for it.
 */
static void update_load(u64 now)
{
	static const u64 keep[3] = {60305, 64451, 65173}; /* exp(-5/60), -5/300, -5/900; 16.16 */
	static u64 next_step;
	u64 active = (u64)nr_running() << 16;
	unsigned i, steps;

	for (steps = 0; next_step <= now; steps++) {
		next_step += 5 * NSEC_PER_SEC;
		for (i = 0; i < 3 && steps < 2000; i++)
			load_avg[i] = (load_avg[i] * keep[i] + active * (65536 - keep[i])) >> 16;
	}
}

/* sched_lock. */
static void cpu_times(const struct rq *rq, u64 now, struct cpu_times *t)
{
	u64 total = now - rq->start_ns;

	t->idle_ns = rq->idle_ns;
	if (rq->curr == rq->idle)
		t->idle_ns += now - rq->idle->sched_in;
	t->system_ns = rq->system_ns;
	t->user_ns = total - min(total, t->idle_ns + t->system_ns);
}

bool sched_cpu_times(u32 cpu, struct cpu_times *t)
{
	unsigned long flags;

	if (!(cpus_online() >> cpu & 1))
		return false;
	flags = spin_lock_irqsave(&sched_lock);
	cpu_times(&rqs[cpu], clock_ns(), t);
	spin_unlock_irqrestore(&sched_lock, flags);
	return true;
}

void sched_stats(struct sched_stats *s)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	u64 now = clock_ns();
	struct cpu_times t;
	u32 cpu;

	memset(s, 0, sizeof(*s));
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		if (!rqs[cpu].idle)
			continue;
		cpu_times(&rqs[cpu], now, &t);
		s->times.idle_ns += t.idle_ns;
		s->times.user_ns += t.user_ns;
		s->times.system_ns += t.system_ns;
	}
	s->switches = nr_switches;
	s->running = nr_running();
	update_load(now);
	memcpy(s->load, load_avg, sizeof(s->load));
	spin_unlock_irqrestore(&sched_lock, flags);
	task_counts(s);
}
