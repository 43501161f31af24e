/* SPDX-License-Identifier: MIT */
/*
 * CPU time: who has had how much; interval timers and limits on it; getrusage(2), times(2).
 *
 * How long a thread ran is measured at each switch. How much of it was the kernel's is told from the
 * ticks that found it there, by their share, since a clock read at each kernel entry would cost more
 * than many a system call.
 */
#include "kernel/sched/usage.h"

#include "kernel/clock.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/ptimer.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"

#define ITIMER_REAL    0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF    2

#define CLK_TCK 100

#define RETRY_NS 20000 /* when a timer finds proc_lock taken */

/* ------------------------------------------------------------------ reading */

void task_cputime(struct task *t, u64 *utime, u64 *stime)
{
	u64 total = task_runtime(t), sys = 0;
	u32 ticks = READ_ONCE(t->ticks), in_kernel = READ_ONCE(t->kernel_ticks);

	if (task_is_kernel(t))
		sys = total;
	else if (ticks)
		sys = total / ticks * min(in_kernel, ticks);
	/* Shares change; what has been told once does not fall. */
	sys = max(sys, t->told_stime);
	sys = min(sys, total - min(total, t->told_utime));
	t->told_stime = *stime = sys;
	t->told_utime = *utime = total - min(total, sys);
}

static void task_usage(struct task *t, struct usage *u)
{
	memset(u, 0, sizeof(*u));
	task_cputime(t, &u->utime, &u->stime);
	u->nvcsw = t->usage.nvcsw;
	u->nivcsw = t->usage.nivcsw;
}

/* The leader stays on the list after it has exited: it has been counted then. */
void process_usage_locked(struct process *p, struct usage *u)
{
	struct usage one;
	struct task *t;

	*u = p->dead_threads;
	for_each_thread (t, p) {
		if (t->exited)
			continue;
		task_usage(t, &one);
		usage_add(u, &one);
		if (t->mmk.mm)
			usage_max_mm(u, t->mmk.mm);
	}
}

void process_usage(struct process *p, struct usage *u)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);

	process_usage_locked(p, u);
	spin_unlock_irqrestore(&proc_lock, irq);
}

void process_cputime_locked(struct process *p, u64 *utime, u64 *stime)
{
	u64 ut, st;
	struct task *t;

	*utime = p->dead_threads.utime;
	*stime = p->dead_threads.stime;
	for_each_thread (t, p) {
		if (t->exited)
			continue;
		task_cputime(t, &ut, &st);
		*utime += ut;
		*stime += st;
	}
}

void process_cputime(struct process *p, u64 *utime, u64 *stime)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);

	process_cputime_locked(p, utime, stime);
	spin_unlock_irqrestore(&proc_lock, irq);
}

void account_dead_thread(struct task *t)
{
	struct usage u;

	task_usage(t, &u);
	usage_add(&t->proc->dead_threads, &u);
}

/* ------------------------------------------------------------------ ticks */

bool process_needs_tick(const struct process *p)
{
	return p->itimer[ITIMER_VIRTUAL].deadline != NO_DEADLINE ||
	       p->itimer[ITIMER_PROF].deadline != NO_DEADLINE ||
	       p->rlim[RLIMIT_CPU].cur != MMK_RLIM_INFINITY || p->nr_cpu_ptimers;
}

/* proc_lock. One of the CPU-time timers: has it come? */
static void cpu_itimer(struct process *p, int which, u64 now, int sig)
{
	struct itimer *it = &p->itimer[which];

	if (now < it->deadline)
		return;
	it->deadline = it->interval ? now + it->interval : NO_DEADLINE;
	send_locked(NULL, p, sig, NULL);
}

/* proc_lock. RLIMIT_CPU: a SIGXCPU each second above the soft limit, SIGKILL at the hard one. */
static void cpu_limit(struct process *p, u64 used)
{
	struct mmk_rlimit *l = &p->rlim[RLIMIT_CPU];
	u64 sec = used / NSEC_PER_SEC;

	if (l->cur == MMK_RLIM_INFINITY || sec < l->cur)
		return;
	if (l->max != MMK_RLIM_INFINITY && sec >= l->max) {
		send_locked(NULL, p, SIGKILL, NULL);
		return;
	}
	send_locked(NULL, p, SIGXCPU, NULL);
	l->cur = sec + 1;
}

/* Called from the interrupt. A tick that finds proc_lock taken is made up for by the next. */
void process_tick(struct process *p)
{
	u64 utime, stime;

	if (!process_needs_tick(p) || !spin_trylock(&proc_lock))
		return;
	process_cputime_locked(p, &utime, &stime);
	cpu_itimer(p, ITIMER_VIRTUAL, utime, SIGVTALRM);
	cpu_itimer(p, ITIMER_PROF, utime + stime, SIGPROF);
	cpu_limit(p, utime + stime);
	ptimers_tick(p);
	spin_unlock(&proc_lock);
}

/* ------------------------------------------------------------------ interval timers */

static void real_timer_fired(struct timer *timer)
{
	struct process *p = container_of(timer, struct process, real_timer);
	struct itimer *it = &p->itimer[ITIMER_REAL];
	u64 now = clock_ns();

	if (!spin_trylock(&proc_lock)) {
		timer_start(timer, now + RETRY_NS);
		return;
	}
	if (!p->zombie && it->deadline <= now) {
		send_locked(NULL, p, SIGALRM, NULL);
		if (it->interval) {
			/* Those that were missed are not made up for. */
			it->deadline += it->interval * ((now - it->deadline) / it->interval + 1);
			timer_start(timer, it->deadline);
		} else {
			it->deadline = NO_DEADLINE;
		}
	}
	spin_unlock(&proc_lock);
}

void itimers_init(struct process *p)
{
	unsigned i;

	timer_init(&p->real_timer, real_timer_fired);
	for (i = 0; i < 3; i++)
		p->itimer[i].deadline = NO_DEADLINE;
}

void itimers_exit(struct process *p)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	unsigned i;

	for (i = 0; i < 3; i++)
		p->itimer[i] = (struct itimer){NO_DEADLINE, 0};
	timer_stop(&p->real_timer);
	spin_unlock_irqrestore(&proc_lock, irq);
}

/* The clock that a timer counts by. proc_lock. */
static u64 itimer_now(struct process *p, u64 which)
{
	u64 utime, stime;

	if (which == ITIMER_REAL)
		return clock_ns();
	process_cputime_locked(p, &utime, &stime);
	return which == ITIMER_VIRTUAL ? utime : utime + stime;
}

struct abi_itimerval {
	struct timeval64 interval, value;
};

static struct timeval64 ns_to_timeval(u64 ns)
{
	return (struct timeval64){ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1000};
}

static void itimer_get(struct process *p, u64 which, struct abi_itimerval *v)
{
	struct itimer *it = &p->itimer[which];
	u64 now = itimer_now(p, which), left = 0;

	if (it->deadline != NO_DEADLINE)
		left = it->deadline > now ? max_t(u64, it->deadline - now, 1000) : 1000;
	v->interval = ns_to_timeval(it->interval);
	v->value = ns_to_timeval(left);
}

long sys_getitimer(u64 which, u64 addr)
{
	struct abi_itimerval v;

	if (which > ITIMER_PROF)
		return -EINVAL;
	spin_lock_irq(&proc_lock);
	itimer_get(current->proc, which, &v);
	spin_unlock_irq(&proc_lock);
	return put_user(v, struct abi_itimerval, addr);
}

static int timeval_to_ns(const struct timeval64 *tv, u64 *ns)
{
	if (tv->sec < 0 || tv->usec < 0 || tv->usec >= 1000000)
		return -EINVAL;
	*ns = tv->sec > (s64)(NO_DEADLINE / NSEC_PER_SEC / 4)
	          ? NO_DEADLINE / 4
	          : tv->sec * NSEC_PER_SEC + tv->usec * 1000;
	return 0;
}

long sys_setitimer(u64 which, u64 addr, u64 uold)
{
	struct abi_itimerval v = {0}, old;
	struct process *p = current->proc;
	u64 value, interval;
	struct itimer *it;

	if (addr && copy_from_user(&v, addr, sizeof(v)))
		return -EFAULT;
	if (timeval_to_ns(&v.value, &value) || timeval_to_ns(&v.interval, &interval) ||
	    which > ITIMER_PROF)
		return -EINVAL;
	it = &p->itimer[which];
	spin_lock_irq(&proc_lock);
	itimer_get(p, which, &old);
	it->deadline = value ? itimer_now(p, which) + value : NO_DEADLINE;
	it->interval = value ? interval : 0;
	if (which == ITIMER_REAL)
		timer_start(&p->real_timer, it->deadline);
	spin_unlock_irq(&proc_lock);
	return uold ? put_user(old, struct abi_itimerval, uold) : 0;
}

/* ------------------------------------------------------------------ system calls */

struct abi_rusage {
	struct timeval64 utime, stime;
	s64 maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv,
	    nsignals, nvcsw, nivcsw;
};
_Static_assert(sizeof(struct abi_rusage) == 144, "struct rusage");

int put_user_rusage(u64 addr, const struct usage *u)
{
	struct abi_rusage r = {
	    .utime = ns_to_timeval(u->utime),
	    .stime = ns_to_timeval(u->stime),
	    .maxrss = u->maxrss * (PAGE_SIZE / 1024),
	    .minflt = u->min_flt,
	    .majflt = u->maj_flt,
	    .nvcsw = u->nvcsw,
	    .nivcsw = u->nivcsw,
	};

	return copy_to_user(addr, &r, sizeof(r));
}

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD   1

long sys_getrusage(u64 who, u64 addr)
{
	struct process *p = current->proc;
	struct mmk_mm_usage m;
	struct usage u;

	switch ((s32)who) {
	case RUSAGE_SELF:
		process_usage(p, &u);
		break;
	case RUSAGE_CHILDREN:
		spin_lock_irq(&proc_lock);
		u = p->children_usage;
		spin_unlock_irq(&proc_lock);
		break;
	case RUSAGE_THREAD:
		task_usage(current, &u);
		if (current->mmk.mm) {
			mmk_mm_usage(current->mmk.mm, &m);
			u.maxrss = m.hiwater_rss;
		}
		break;
	default:
		return -EINVAL;
	}
	return put_user_rusage(addr, &u);
}

long sys_times(u64 addr)
{
	const u64 tick = NSEC_PER_SEC / CLK_TCK;
	struct process *p = current->proc;
	u64 utime, stime, out[4];

	spin_lock_irq(&proc_lock);
	process_cputime_locked(p, &utime, &stime);
	out[0] = utime / tick;
	out[1] = stime / tick;
	out[2] = p->children_usage.utime / tick;
	out[3] = p->children_usage.stime / tick;
	spin_unlock_irq(&proc_lock);
	if (addr && copy_to_user(addr, out, sizeof(out)))
		return -EFAULT;
	return clock_ns() / tick;
}
