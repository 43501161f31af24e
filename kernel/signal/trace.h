/* SPDX-License-Identifier: MIT */
/*
 * ptrace(2): one thread, the tracer, sees each signal of another before it is acted on, and may
 * stop it at system calls, at forks and after each instruction. trace.c is the traced thread's side
 * of it, ptrace.c what the tracer asks for.
 *
 * A traced thread stops in trace_stop() and stays there, off the CPU, until its tracer lets it go
 * on or it is killed; meanwhile its registers lie in its pt_regs and its struct task. What a stop
 * shows to wait4(2) is its code: a signal, 0x80 with it for a system call, an event above them.
 */
#ifndef KERNEL_SIGNAL_TRACE_H
#define KERNEL_SIGNAL_TRACE_H

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

struct task;
struct process;
struct pt_regs;
struct siginfo;

/* trace.options: bit N is the event N; and those that are no events. */
#define PTRACE_O_TRACESYSGOOD 0x00000001u
#define PTRACE_O_EXITKILL     0x00100000u
#define PTRACE_O_KNOWN        0x001000ffu /* all but SECCOMP_FILTER's, which there is none of */

#define PTRACE_EVENT_FORK       1
#define PTRACE_EVENT_VFORK      2
#define PTRACE_EVENT_CLONE      3
#define PTRACE_EVENT_EXEC       4
#define PTRACE_EVENT_VFORK_DONE 5
#define PTRACE_EVENT_EXIT       6
#define PTRACE_EVENT_STOP       128

/* trace.traps: it is to stop on its way to user mode, without a signal. */
#define TRAP_STOP   0x1u /* a stop of the group, PTRACE_INTERRUPT, a new thread */
#define TRAP_NOTIFY 0x2u /* the state of the group has changed */

/* All [P], proc_lock's, but what the traced thread itself looks at while it runs. */
struct trace {
	struct task *tracer;      /* NULL: not traced */
	struct list_head tracees; /* of this thread: their node */
	struct list_head node;
	u32 options;
	u32 traps;
	u32 stop; /* the code of the stop that it is in; 0: none */
	s32 signal;   /* what the tracer lets it go on with */
	u64 message;  /* PTRACE_GETEVENTMSG */
	struct siginfo *info; /* of the stop; NULL: a group's stop has none */
	bool seized;
	bool report;    /* wait4 has not told of the stop yet */
	bool listening; /* PTRACE_LISTEN: as good as running */
	bool step;      /* each instruction; changes only while it is off the CPU */
	u8 call;        /* in a system call's stop: 1 before it, 2 after it */
};

/* The calling thread. */
void trace_event(u32 event, u64 message);
/* Does its tracer want to know of it? */
bool trace_wants(u32 event);
void trace_exec(s32 old_pid);
void trace_exit_event(u32 code);
void trace_syscall_exit(struct pt_regs *regs);

/* The rest with proc_lock held. The calling thread: shall this signal be acted on? */
bool trace_signal(struct siginfo *si);
void trace_job_stop(void);
/* A new thread or process of the calling one, with CLONE_* flags: is it traced from the start? */
void trace_fork(struct task *child, u64 flags, u32 exit_signal);
u32 trace_fork_event(u64 flags, u32 exit_signal);
/* Stops and continues of the group: what becomes of this thread of it. */
void trace_group_stop(struct task *t);
void trace_group_continue(struct task *t);
void trace_link(struct task *t, struct task *tracer);
/* No longer traced; the stop that it is in ends. */
void trace_unlink(struct task *t);
/* The thread ends: those that it traces go free, or die. */
void trace_exit_tracer(struct task *tracer);
/* A traced thread has ended, or a whole process with it. */
void trace_notify_exit(struct task *t, u32 code);
/* Traced by a process that is not its parent. */
bool trace_by_stranger(const struct task *t);
bool trace_by_parent(const struct task *t);

#endif
