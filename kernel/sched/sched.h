/* SPDX-License-Identifier: MIT */
/* What the files of kernel/sched share among themselves and with signals, exec and system calls. */
#ifndef KERNEL_SCHED_SCHED_H
#define KERNEL_SCHED_SCHED_H

#include "kernel/sched/task.h"
#include "kernel/sys/rlimit.h"

#define TICK_NS 10000000ull

/* core.c */
void sched_init(void);          /* the boot code becomes CPU 0's idle task */
int sched_make_idle(u32 cpu);   /* the idle task of another, before it starts: 0 or -ENOMEM */
void sched_start_cpu(void);     /* the calling CPU, on its idle task's stack, takes part from now */
void sched_kick(struct task *t); /* if it runs on another CPU it looks at its work now */
u64 sched_get_affinity(const struct task *t);
int sched_set_affinity(struct task *t, u64 mask); /* -EINVAL: no CPU that runs is in it */
void sched_idle(void) __noreturn;
void sched_enqueue_new(struct task *t); /* its first time on the run queue; gives it a reference */
bool wake_up_state(struct task *t, u32 state_mask);
/* Make `mm` the address space of the calling task, which gives up its old one to the caller. */
struct mmk_mm *switch_task_mm(struct mmk_mm *mm);
void task_set_work(struct task *t, u32 bits);
void task_clear_work(struct task *t, u32 bits);
void sched_wait_off_cpu(struct task *t); /* one that is about to sleep does so */
void sched_update_step(void); /* the CPU steps through the program of the running task, or not */
/* Nanoseconds that a thread has run; sched_lock is taken. */
u64 task_runtime(struct task *t);

/*
 * How often the CPU has been in schedule(). Takes sched_lock, as schedule() does to count: who comes there
 * after this sees what the caller has written before.
 */
u64 sched_passes(u32 cpu);
bool sched_is_idle(u32 cpu);
void sched_pass_soon(u32 cpu); /* the task that runs there goes through schedule() on its way out */

/* timer.c: runs what is due at `now`; when the next one is; sets the clock. */
void timers_init_cpu(void); /* each CPU, before it uses any */
void timers_run(u64 now);
u64 timers_next(void);
void clock_rearm(void);

/* task.c */
struct task *task_alloc(struct process *p); /* NULL without memory; proc->threads not yet */
struct process *process_alloc(void);
s32 pid_alloc_locked(void); /* -EAGAIN */
s32 pid_alloc_top_locked(void);
void pid_table_add(struct task *t);
void pid_table_del(struct task *t);
void process_insert(struct process *p);
u32 task_count(void);                    /* threads, zombies included */
void task_counts(struct sched_stats *s); /* forks, threads, last_pid */

/* cred.c */
void group_list_put(struct group_list *g);

/* exit.c */
void do_exit(u32 code) __noreturn;       /* this thread */
void do_group_exit(u32 code) __noreturn; /* the whole process */
/* End every other thread of the process. proc_lock. */
void kill_other_threads(void);
void release_process(struct process *p); /* proc_lock; a zombie is taken off the tables */
/* proc_lock; likewise a thread that has ended, but its leader. Its process may end with it. */
void release_thread(struct task *t);
int exit_why(u32 code); /* CLD_EXITED and the like, of a status */
int exit_value(u32 code); /* the signal that killed it, or what it exited with */
void vfork_complete(struct task *t);
/* proc_lock: the group's last running thread has stopped? Then tell. */
void check_group_stop(struct process *p);
void notify_parent_locked(struct process *p, int code, int status);
/* Process @to gets @sig and what CLD_* @why says of the thread t; its waits look again. */
void notify_locked(struct process *to, const struct task *t, int sig, int why, int status);
bool pgrp_orphaned_locked(s32 pgid, const struct process *leaving);
void notify_exit(struct process *p); /* proc_lock; a zombie's parent is told */
void usage_add(struct usage *to, const struct usage *from);
void usage_max_mm(struct usage *u, const struct mmk_mm *mm); /* of what threads share; proc_lock may be held */

/* wait4.c: for kernel tasks: wait for any child; its pid and status, or -ECHILD. */
s32 kernel_wait(u32 *status);

/* fork.c */
struct clone_args {
	u64 flags;
	u64 stack;
	u64 parent_tid;
	u64 child_tid;
	u64 tls;
	u64 pidfd; /* user address for the descriptor of CLONE_PIDFD */
	u32 exit_signal;
};
s32 do_clone(const struct clone_args *args);
/* As kthread_create(), for a task that is to become a program: with the next number, and PID 1 for
 * its parent. */
s32 program_task_create(const char *name, s32 (*fn)(void *), void *arg);
void child_start(struct task *t); /* the child's first step: CLONE_CHILD_SETTID */

/* signal/send.c; all with proc_lock held. */
int send_locked(struct task *t, struct process *p, int sig, const struct siginfo *si);
void kill_thread_locked(struct task *t); /* it ends on its way to user mode */
void kill_process_locked(struct process *p, int sig); /* all its threads, whatever they block */
int kill_pgrp_locked(s32 pgid, int sig);
void sighand_put(struct sighand *s);
struct sighand *sighand_dup(const struct sighand *s); /* NULL: no memory */
void sighand_default(struct sighand *s, int sig);      /* no handler any more; proc_lock */
void sighand_flush(struct sighand *s); /* all that are not ignored become default */
void flush_pending(struct process *p, struct sigpending *pend); /* proc_lock */

/* exec/exe.c: the program file of a process, kept from writers. NULL is fine. */
struct file *exe_get(struct file *exe);
void exe_put(struct file *exe);

/* rlimits of PID 1 where they are not unlimited: sys/rlimit.c */
void rlimits_init(struct mmk_rlimit *rlim);

/* rseq.c: on the way to user mode, before a signal's frame is made */
void rseq_resume(struct pt_regs *regs);

/* futex.c */
void futex_init(void);
void futex_wake_addr(u64 addr, u32 n); /* of the calling task's mm, shared key */
void exit_robust_list(struct task *t);
int port_wait(void *ctx, const u32 *word, u32 seen, unsigned flags);
void port_wake(void *ctx, const u32 *word);

/* times.c */
void process_cputime_locked(struct process *p, u64 *utime, u64 *stime);
void process_tick(struct process *p); /* from the timer interrupt: CPU-time timers and limits */
bool process_needs_tick(const struct process *p);
void itimers_init(struct process *p);
void itimers_exit(struct process *p); /* none fires any more */
/* A thread's times are added to the process; proc_lock. */
void account_dead_thread(struct task *t);

#endif
