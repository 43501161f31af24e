/* SPDX-License-Identifier: MIT */
/* What the files of kernel/signal share. All with proc_lock held. */
#ifndef KERNEL_SIGNAL_INTERNAL_H
#define KERNEL_SIGNAL_INTERNAL_H

#include "kernel/sched/task.h"

/* A signal that waits, with its siginfo. */
struct sigqueue {
	struct list_head node;
	struct siginfo info;
	struct ptimer *timer; /* whose entry it is; NULL: allocated for this signal */
};

/* By default these stop; SIGSTOP always does. */
#define SIG_STOP_MASK   (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
#define SIG_UNBLOCKABLE (sigmask(SIGKILL) | sigmask(SIGSTOP))
#define SIG_SYNCHRONOUS                                                                            \
	(sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) |                 \
	 sigmask(SIGFPE) | sigmask(SIGSYS))

struct signal_to_handle {
	struct siginfo info;
	struct k_sigaction action;
};

/* Wakes a thread that sleeps in one of these states (bits) to look at its signals. */
void signal_wake(struct task *t, u32 states);
bool sig_default_stops(int sig);
bool sig_handler_ignores(const struct process *p, int sig);
bool process_unkillable(const struct process *p);
void pending_remove(struct process *p, struct sigpending *pend, sigset_t which);
void pending_take(struct process *p, struct sigpending *pend, int sig, struct siginfo *si);
/* A signal to the process that its thread no longer takes is shown to the others. */
void retarget_shared(struct process *p, const struct task *except);
/* The next signal of `which` for the calling thread; 0: none. */
int dequeue_signal(sigset_t which, struct siginfo *si);
/* Set or clear WORK_SIGNAL of the calling thread. */
void recalc_signals(void);

/* frame.c, without the lock. Writes the frame and turns regs to the handler; -EFAULT: no room on
 * the stack. */
int setup_signal_frame(struct pt_regs *regs, const struct signal_to_handle *sig, sigset_t oldmask);
/* Bytes of siginfo_t: the known part and zeros. */
int put_siginfo(u64 addr, const struct siginfo *si);
/* calls.c: the other way; -E2BIG for more than we know. */
int read_siginfo(struct siginfo *si, u64 addr);
/* May a user have it? */
bool pstate_ok(u64 pstate);
/* send.c: a signal with an entry of the sender's own, which is on no queue. False: it is ignored. */
bool send_entry_locked(struct task *t, struct process *p, struct sigqueue *q);
/* regset.c */
long ptrace_regset(struct task *t, bool write, u64 type, u64 iov);

#endif
