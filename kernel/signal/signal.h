/* SPDX-License-Identifier: MIT */
/*
 * Signals: Linux's numbers and structures for arm64, and how to send one.
 *
 * A signal waits in its thread's or its process's queue until the thread is about to return to user
 * mode; there it becomes a frame on the user's stack, a stop, an end, or nothing.
 */
#ifndef KERNEL_SIGNAL_SIGNAL_H
#define KERNEL_SIGNAL_SIGNAL_H

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

struct task;
struct process;
struct pt_regs;

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPWR    30
#define SIGSYS    31
#define SIGRTMIN  32
#define NSIG      64

typedef u64 sigset_t;
#define sigmask(sig) (1ull << ((sig)-1))

#define SA_NOCLDSTOP 0x00000001u
#define SA_NOCLDWAIT 0x00000002u
#define SA_SIGINFO   0x00000004u
#define SA_RESTORER  0x04000000u
#define SA_ONSTACK   0x08000000u
#define SA_RESTART   0x10000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u
/* What sigaction(2) keeps of sa_flags: those above and SA_EXPOSE_TAGBITS; SA_UNSUPPORTED is
 * cleared. */
#define SA_KNOWN                                                                                   \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART |        \
	 SA_NODEFER | SA_RESETHAND | 0x00000800u)

#define SIG_DFL 0ull
#define SIG_IGN 1ull

/* As rt_sigaction(2) passes it on arm64. */
struct k_sigaction {
	u64 handler;
	u64 flags;
	u64 restorer;
	sigset_t mask;
};
_Static_assert(sizeof(struct k_sigaction) == 32, "struct sigaction of the ABI");

#define SI_USER    0
#define SI_KERNEL  0x80
#define SI_QUEUE   (-1)
#define SI_TIMER   (-2)
#define SI_MESGQ   (-3)
#define SI_ASYNCIO (-4)
#define SI_TKILL   (-6)

#define ILL_ILLOPC    1
#define FPE_FLTUNK    14
#define FPE_INTDIV    1
#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define BUS_ADRALN    1
#define BUS_ADRERR    2
#define BUS_OBJERR    3
#define TRAP_BRKPT    1
#define TRAP_TRACE    2
#define TRAP_HWBKPT   4
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_TRAPPED   4
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

#define SIGINFO_SIZE 128 /* of siginfo_t; what follows the struct below is zero */

/* The part of siginfo_t that is in use, in its own layout. */
struct siginfo {
	s32 signo;
	s32 error;
	s32 code;
	s32 pad;
	union {
		struct {
			s32 pid;
			u32 uid;
			u64 value;
		} kill; /* kill, tgkill, sigqueue */
		struct {
			s32 tid;
			s32 overrun;
			u64 value;
			s32 sys_private;
		} timer;
		struct {
			s32 pid;
			u32 uid;
			s32 status;
			s32 pad;
			s64 utime, stime;
		} chld;
		struct {
			u64 addr;
			s16 addr_lsb;
		} fault;
		u64 field[4];
	};
};
_Static_assert(sizeof(struct siginfo) == 48, "siginfo_t's head");

struct sigpending {
	struct list_head queue; /* struct sigqueue, oldest first */
	sigset_t set;           /* also those that found no memory for their siginfo */
};

struct sighand {
	u32 refs;
	sigset_t set;			 /* others are at their default, and their place is unwritten */
	struct k_sigaction action[NSIG]; /* index signo - 1 */
};
extern const struct k_sigaction sigaction_default;
/* proc_lock. */
static inline const struct k_sigaction *sighand_action(const struct sighand *s, int sig)
{
	return s->set & sigmask(sig) ? &s->action[sig - 1] : &sigaction_default;
}

struct sigaltstack {
	u64 sp;
	s32 flags;
	u32 pad;
	u64 size;
};
#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM (1 << 31)
#define MINSIGSTKSZ   5120

/*
 * Sending. None sleeps. `priv`-less calls by a user go through sys_kill and friends, which check.
 * Each returns 0, -ESRCH when nobody was there, -EAGAIN when a queued signal finds no room.
 */
int send_sig(int sig, struct task *t);                       /* to one thread, SI_KERNEL */
int send_sig_info(struct task *t, const struct siginfo *si); /* to one thread */
int send_process_sig(struct process *p, int sig);            /* SI_KERNEL */
int send_process_info(struct process *p, const struct siginfo *si);
/* To every process of the group, as the terminal and the kernel do: SI_KERNEL. */
int kill_pgrp(s32 pgid, int sig);

/* Takes the next pending signal of the set away from the calling thread; its number, or 0. */
int signal_take(sigset_t set, struct siginfo *si);
/* Those that are pending for the thread or its process. */
sigset_t signals_pending(struct task *t);
/* One more (1) or fewer (-1) who polls for signals: with any, each one sent is a poll_notify(). */
void signals_are_polled(int by);

/*
 * The running thread did something that it cannot go on from: delivered even when blocked or
 * ignored (then it kills).
 */
void force_sig_fault(int sig, int code, u64 addr);
void force_sig(int sig);
void force_sigkill(void);

/* A signal is there that the thread does not block. / One that kills it. */
bool signal_pending(struct task *t);
bool fatal_signal_pending(struct task *t);
/* Is this one blocked or ignored (the terminal asks before it sends SIGTTIN and the like)? */
bool signal_ignored_or_blocked(struct task *t, int sig);

/* sigprocmask for the kernel's own use: ppoll, pselect, epoll_pwait. */
void set_current_blocked(sigset_t set);
/*
 * Blocks as @addr (a sigset_t of @size bytes; 0 means: leave it) says until the system call
 * returns: then the old mask comes back, after the handler when there was a signal. 0, -EINVAL,
 * -EFAULT.
 */
int set_user_sigmask(u64 addr, u64 size);
/* The call ends without a signal: bring the old mask back now. `interrupted`: it ends with one. */
void restore_user_sigmask(bool interrupted);

#endif
