/* SPDX-License-Identifier: MIT */
/*
 * Threads (struct task) and processes (struct process, a group of threads).
 *
 * Whose lock: [I] set when made, never changes; [O] only the thread itself (or its maker, before it
 * runs); [P] proc_lock; [S] sched_lock; [A] atomic. Lock order: proc_lock, a wait queue's lock,
 * sched_lock. All three are taken with interrupts off.
 *
 * Memory is allocated and freed with proc_lock held, and the allocator's own locks do not mask
 * interrupts: so an interrupt handler must never spin on proc_lock, as its holder may wait for what
 * was interrupted here. Handlers use spin_trylock() and come back later.
 */
#ifndef KERNEL_SCHED_TASK_H
#define KERNEL_SCHED_TASK_H

#include <mmkit/mmkit.h>

#include "kernel/arch/thread.h"
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/sched/timer.h"
#include "kernel/sched/wait.h"
#include "kernel/signal/signal.h"
#include "kernel/signal/trace.h"
#include "kernel/spinlock.h"

struct file;
struct files;
struct fs;
struct tty;

/* task.work: why a return to user mode takes the long way. */
#define WORK_RESCHED 0x1u /* another CPU that sets bits must sched_kick() */
#define WORK_SIGNAL  0x2u /* look for signals */
#define WORK_RSEQ    0x8u /* it has been off the CPU and has restartable sequences */
#define WORK_SIGMASK 0x4u /* saved_mask is to come back */
#define WORK_SYSEXIT 0x10u /* its tracer wants to see the end of this system call */

#define TASK_COMM_LEN 16
#define AUXV_MAX      50 /* words, the two of AT_NULL included */
#define PID_MAX       32768

struct group_list {
	u32 refs; /* [A] */
	u32 n;
	u32 gid[];
};

struct cred {
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	struct group_list *groups; /* NULL: none */
	u64 cap_effective, cap_permitted, cap_inheritable, cap_bset, cap_ambient;
	u32 securebits;
	bool keepcaps;
	bool no_new_privs;
};

#define CAP_CHOWN           0
#define CAP_DAC_OVERRIDE    1
#define CAP_DAC_READ_SEARCH 2
#define CAP_FOWNER          3
#define CAP_FSETID          4
#define CAP_KILL            5
#define CAP_SETGID          6
#define CAP_SETUID          7
#define CAP_SETPCAP         8
#define CAP_LINUX_IMMUTABLE 9
#define CAP_IPC_LOCK        14
#define CAP_IPC_OWNER       15
#define CAP_SYS_RAWIO       17
#define CAP_SYS_CHROOT      18
#define CAP_SYS_PTRACE      19
#define CAP_SYS_ADMIN       21
#define CAP_SYS_BOOT        22
#define CAP_SYS_NICE        23
#define CAP_SYS_RESOURCE    24
#define CAP_SYS_TIME        25
#define CAP_SYS_TTY_CONFIG  26
#define CAP_MKNOD           27
#define CAP_WAKE_ALARM      35
#define CAP_LAST            40
#define CAP_FULL_SET        ((1ull << (CAP_LAST + 1)) - 1)

/* Resource usage, of a thread or summed over dead ones; times in nanoseconds. */
struct usage {
	u64 utime, stime;
	u64 min_flt, maj_flt;
	u64 nvcsw, nivcsw;
	u64 maxrss; /* pages */
};

struct itimer {
	u64 deadline; /* clock_ns() for REAL, CPU time for the others; NO_DEADLINE: off */
	u64 interval; /* 0: once */
};

struct rseq_reg {
	u64 area; /* user address; 0: not registered */
	u32 sig;
	u32 cpu; /* the number that is written there */
};

struct robust_list_reg {
	u64 head;
	u64 len;
};

struct process {
	u32 refs;                           /* [A] one for each task, and for who looks */
	s32 tgid;                           /* [I] */
	s32 pgid, sid;                      /* [P] */
	bool sid_leader;                    /* [P] called setsid */
	struct process *parent;             /* [P] NULL for PID 1 and kernel tasks of old */
	struct list_head children, sibling; /* [P] */
	struct list_head all;               /* [P] every process, by tgid ascending */
	struct list_head threads;           /* [P] task.thread_node */
	struct task *leader;                /* [P] the thread whose pid is tgid */
	u32 nr_threads;                     /* [P] threads that have not left the group */
	u32 nr_live;                        /* [P] of these, those that have not begun to end */
	u32 nr_unreaped;                    /* [P] threads that have left, for their tracer to see */
	s32 maker;                          /* [I] the thread that made it, by its number then */
	u64 start_time;                     /* [I] clock_ns() */

	/* The end, and stops. */
	s32 exit_signal;               /* [P] to the parent; 0: none */
	bool exiting;                  /* [P] the whole group is to end with exit_code */
	bool zombie;                   /* [P] all threads have exited, not waited for yet */
	bool mm_shared;                /* [A] another process has had the same mm */
	u32 exit_code;                 /* [P] as wait4 tells it: status << 8, or signal (| 0x80) */
	struct task *exec_task;        /* [P] this thread executes a program: the others end */
	u32 stop_sig;                  /* [P] the group is stopped by it, or stopping; 0: not */
	u32 nr_stopped;                /* [P] threads that have stopped */
	bool stop_report, cont_report; /* [P] wait4 has not told yet */
	bool oom_victim;               /* [P] killed for want of memory */
	struct wait_queue wait_child;  /* wait4 sleeps here */
	struct wait_queue wait_group;  /* execve and exit: the number of threads has changed */

	/* Signals. */
	struct sighand *sighand;   /* [P]; also by others with CLONE_SIGHAND */
	struct sigpending pending; /* [P] for any of the threads */
	u32 nr_sigqueued;          /* [P] in queues of this process, against RLIMIT_SIGPENDING */

	/* Time. */
	struct timer real_timer;     /* ITIMER_REAL */
	struct itimer itimer[3];     /* [P] */
	struct list_head ptimers;    /* [P] POSIX timers: ptimer.c */
	u32 nr_cpu_ptimers;          /* [P] of these, those on CPU time */
	u32 next_timer;              /* [P] number */
	struct usage dead_threads;   /* [P] threads that have exited */
	struct usage children_usage; /* [P] children that have been waited for */

	struct mmk_rlimit rlim[MMK_RLIM_NLIMITS]; /* [P] for writing */
	struct file *exe;        /* [P] the program, with its writers denied. NULL: kernel task */
	u32 membarrier;          /* [A] what it has registered for: membarrier(2) */
	u64 sigreturn_tramp;     /* [O] user address of the code that calls rt_sigreturn */
	struct tty *tty;         /* [P] controlling terminal: the terminal driver's */
	bool is_child_subreaper; /* [P] */
	bool kernel;             /* no user half, until kernel_execve() */
	bool execed;             /* [P] runs another program than at fork: see setpgid */
	u8 dumpable;
	u32 coredump_filter; /* which memory a core dump would hold: core(5) */
	u64 auxv[AUXV_MAX]; /* of the program, as it was started or PR_SET_MM_AUXV says */
	s32 oom_score_adj, oom_score_adj_min; /* [P]; min: how low it may go without privilege */
	s32 nice;
};

/* An instruction or data abort of user mode. */
struct user_abort {
	u64 esr, far;
	struct mmk_fault fault; /* its signal, if it comes to that */
};

struct task {
	u32 work;             /* [A] WORK_*: first, for entry.S */
	u32 tagged_addr;      /* [O] system calls take tagged addresses: second, for uaccess.S */
	u32 trace_calls;      /* [P] a tracer stops it at system calls: third, for entry.S */
	u32 state;            /* [S] TASK_* */
	u32 refs;             /* [A] one until its last switch, one until it is off the pid table */
	s32 pid;              /* [P] */
	struct process *proc; /* [I] */
	struct user_abort abort; /* [O] the one that is being repaired; here for entry.S */
	struct mmk_task
	    mmk; /* its mm, limits, pid and personality as the memory system wants them */
	struct cpu_context context;
	void *stack; /* THREAD_SIZE bytes */

	/* [S] */
	struct list_head run_node; /* on the run queue when runnable and not running */
	u64 cpus_allowed;             /* a bit for each CPU that it may run on */
	u32 cpu;                      /* where it runs, or ran last */
	bool on_cpu;
	bool woken; /* on the queue of those that have slept */

	/* [P] */
	struct list_head thread_node; /* proc->threads */
	struct list_head pid_node;    /* the pid table's chain */
	struct sigpending pending;
	sigset_t blocked;      /* written by itself alone, under proc_lock */
	sigset_t real_blocked; /* in sigtimedwait: the mask that counts for what a signal does */
	bool killed;           /* a SIGKILL or the end of the group is on its way */
	bool stopped;          /* counted in proc->nr_stopped */
	bool exited;
	u32 exit_code; /* of this thread alone */

	/* [O] */
	sigset_t saved_mask; /* with WORK_SIGMASK */
	struct sigaltstack altstack;
	struct files *files;
	struct fs *fs;
	struct cred cred;
	struct robust_list_reg robust;
	struct rseq_reg rseq;
	u64 clear_child_tid; /* user addresses; 0: none */
	u64 set_child_tid;
	struct wait_queue vfork_done; /* the parent sleeps here till exec or exit */
	bool vfork_pending;           /* [P] */
	s32 pdeath_sig;
	u64 timer_slack;                   /* prctl(2): 0 is the default */
	u64 fault_addr, fault_esr;         /* of the last forced signal, for its frame */
	u64 (*restart_fn)(struct task *t); /* restart_syscall(2) goes on here */
	u64 restart_arg[5];
	char comm[TASK_COMM_LEN];
	struct usage usage; /* without its times, for which see times.c */
	u64 sched_in;       /* [S] clock_ns() of the last switch to it */
	u64 runtime;        /* [S] nanoseconds on a CPU until then */
	u32 ticks, kernel_ticks; /* [S] that found it there, and in the kernel */
	u64 told_utime, told_stime; /* [P] by task_cputime(): neither ever falls */
	u64 start_time;     /* [I] */
	u64 tls;            /* tpidr_el0 while it does not run */
	s32 (*kthread_fn)(void *);
	void *kthread_arg;
	struct trace trace;
	struct user_fpsimd fpsimd; /* while its registers are not in the CPU */
};
_Static_assert(offsetof(struct task, work) == 0, "entry.S");
_Static_assert(offsetof(struct task, tagged_addr) == TASK_TAGGED_ADDR, "uaccess.S");
_Static_assert(offsetof(struct task, abort) == TASK_ABORT &&
                   offsetof(struct user_abort, fault) == TASK_ABORT_FAULT - TASK_ABORT &&
                   offsetof(struct task, mmk) == TASK_MMK,
               "entry.S");
_Static_assert(offsetof(struct task, trace_calls) == TASK_TRACE_CALLS, "entry.S");

extern struct spinlock proc_lock;
extern struct list_head all_processes;

static inline struct pt_regs *task_regs(struct task *t)
{
	return pt_regs_at((char *)t->stack + THREAD_SIZE);
}

static inline bool task_is_kernel(const struct task *t)
{
	return t->proc->kernel;
}

/* References. A task keeps its process. */
void task_get(struct task *t);
void task_put(struct task *t);
void process_get(struct process *p);
void process_put(struct process *p);

/* With a reference, or NULL. A dead thread is found until it has been waited for. */
struct task *find_task(s32 pid);
struct process *find_process(s32 tgid);
/* The process with the smallest tgid above @after, with a reference; NULL past the last. For /proc.
 */
struct process *next_process(s32 after);
/* Likewise the threads of a process, by pid. */
struct task *next_thread(struct process *p, s32 after);
/* The same with proc_lock held and without references. */
struct task *find_task_locked(s32 pid);
struct process *find_process_locked(s32 tgid);
#define for_each_process(p)   list_for_each_entry (p, &all_processes, all)
#define for_each_thread(t, p) list_for_each_entry (t, &(p)->threads, thread_node)

/* The mm with a reference of its own (mmk_mm_put), or NULL for a kernel task or one that has
 * exited. */
struct mmk_mm *task_get_mm(struct task *t);
/* The program file with a reference (file_put), or NULL. */
struct file *process_get_exe(struct process *p);

/* R S D T t Z as /proc/PID/stat has it. */
char task_state_char(const struct task *t);

/* Has the calling thread this privilege (CAP_*)? */
bool capable(int cap);
bool in_group(u32 gid); /* fsgid or a supplementary group */

/* Is the process group without a member whose parent is in another group of the session? */
bool pgrp_orphaned(s32 pgid);
/* Forget the terminal @tty in every process of session @sid. */
void session_clear_tty(s32 sid, struct tty *tty);

/* CPU time so far, in nanoseconds: of a thread, of all threads of a process (dead ones too). */
void task_cputime(struct task *t, u64 *utime, u64 *stime);
void process_cputime(struct process *p, u64 *utime, u64 *stime);
/* Everything of getrusage(RUSAGE_SELF). */
void process_usage(struct process *p, struct usage *u);

/* What a CPU, or all of them, has spent its time with since it started. */
struct cpu_times {
	u64 idle_ns, user_ns, system_ns;
};
/* False: no such CPU. */
bool sched_cpu_times(u32 cpu, struct cpu_times *t);

/* For /proc/stat, /proc/uptime, /proc/loadavg. */
struct sched_stats {
	struct cpu_times times; /* of all CPUs together */
	u64 switches, forks;
	u32 running, threads;
	s32 last_pid;
	u64 load[3]; /* load averages, 16.16 fixed point as sysinfo(2) */
};
void sched_stats(struct sched_stats *s);

/* A kernel task that runs fn(arg) and exits with what it returns. -ENOMEM or its pid. */
s32 kthread_create(const char *name, s32 (*fn)(void *), void *arg);

#endif
