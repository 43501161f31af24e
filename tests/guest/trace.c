/* SPDX-License-Identifier: MIT */
/* ptrace: what a tracer sees of a thread, and what it can make of it. */
#include "guest.h"

#include <elf.h>
#include <linux/ptrace.h>
#include <pthread.h>
#include <sched.h>
#include <sys/uio.h>
#include <sys/user.h>

#define WAIT_STOP(pid, sig) CHECK_EQ(wait_status(pid), (sig) << 8 | 0x7f)
#define EVENT(e)            (SIGTRAP | (e) << 8)

static int wait_status(pid_t pid)
{
	int status = 0;

	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	return status;
}

static long trace(int request, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

/* A child that asks to be traced, stops itself, and then does fn. */
static pid_t traced_child(void (*fn)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		if (trace(PTRACE_TRACEME, 0, 0, 0))
			_exit(98);
		raise(SIGSTOP);
		fn();
		_exit(99);
	}
	WAIT_STOP(pid, SIGSTOP);
	return pid;
}

/* The same for a child that knows nothing of it: it says that it runs, then does fn. */
static pid_t plain_child(void (*fn)(void))
{
	int fds[2];
	pid_t pid;
	char c;

	CHECK(!pipe(fds));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		close(fds[0]);
		if (write(fds[1], "", 1) != 1)
			_exit(98);
		close(fds[1]);
		fn();
		_exit(99);
	}
	close(fds[1]);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return pid;
}

static struct user_regs_struct get_regs(pid_t pid)
{
	struct user_regs_struct r;
	struct iovec iov = {&r, sizeof(r)};

	CHECK(!trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov));
	CHECK_EQ(iov.iov_len, sizeof(r));
	return r;
}

static void set_regs(pid_t pid, struct user_regs_struct *r)
{
	struct iovec iov = {r, sizeof(*r)};

	CHECK(!trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov));
}

/* False: there is no such process. */
static bool get_status(pid_t pid, char *state, int *tracer)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", state);
		sscanf(line, "TracerPid: %d", tracer);
	}
	fclose(f);
	return true;
}

static void exit_42(void)
{
	_exit(42);
}

static void sleep_on(void)
{
	for (;;)
		pause();
}

TEST(trace_stop_continue_exit)
{
	pid_t pid = traced_child(exit_42);
	siginfo_t si;
	char state = 0;
	int tracer = 0;

	CHECK(get_status(pid, &state, &tracer));
	CHECK_EQ(state, 't');
	CHECK_EQ(tracer, getpid());
	CHECK(!trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
	CHECK_EQ(si.si_signo, SIGSTOP);
	CHECK_EQ(si.si_code, SI_TKILL);
	CHECK_EQ(si.si_pid, pid);
	CHECK_FAILS(trace(PTRACE_CONT, pid, 0, 65), EIO);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid), 42 << 8);
	CHECK_FAILS(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
}

TEST(trace_kill)
{
	pid_t pid = traced_child(sleep_on);

	CHECK(!trace(PTRACE_KILL, pid, 0, 0));
	CHECK_EQ(wait_status(pid), SIGKILL);
	pid = traced_child(sleep_on);
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(wait_status(pid), SIGKILL);
}

static volatile int *volatile nowhere = (int *)8;

static void segv(void)
{
	*nowhere = 1;
}

TEST(trace_sees_faults_first)
{
	pid_t pid = traced_child(segv);
	siginfo_t si;

	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	WAIT_STOP(pid, SIGSEGV);
	CHECK(!trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
	CHECK_EQ(si.si_code, SEGV_MAPERR);
	CHECK_EQ((long)si.si_addr, 8);
	CHECK(!trace(PTRACE_CONT, pid, 0, SIGSEGV));
	CHECK_EQ(wait_status(pid) & 0x7f, SIGSEGV);
}

static int got;

static void on_usr(int sig)
{
	got = sig;
}

static void raise_usr1(void)
{
	signal(SIGUSR1, on_usr);
	signal(SIGUSR2, on_usr);
	raise(SIGUSR1);
	_exit(got);
}

TEST(trace_signal_changed_and_suppressed)
{
	pid_t pid = traced_child(raise_usr1);

	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	WAIT_STOP(pid, SIGUSR1);
	CHECK(!trace(PTRACE_CONT, pid, 0, SIGUSR2));
	CHECK_EQ(wait_status(pid), SIGUSR2 << 8);

	pid = traced_child(raise_usr1);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	WAIT_STOP(pid, SIGUSR1);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid), 0);
}

static void raise_ignored(void)
{
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	_exit(3);
}

TEST(trace_sees_ignored_signals)
{
	pid_t pid = traced_child(raise_ignored);

	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	WAIT_STOP(pid, SIGUSR1);
	CHECK(!trace(PTRACE_CONT, pid, 0, SIGUSR1));
	CHECK_EQ(wait_status(pid), 3 << 8);
}

static long cell = 0x1234;

static void exit_by_cell(void)
{
	_exit((int)*(volatile long *)&cell);
}

TEST(trace_peek_poke)
{
	pid_t pid = traced_child(exit_by_cell);
	unsigned long word = 0;
	char *ro = map(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(!trace(PTRACE_PEEKDATA, pid, (unsigned long)&cell, (unsigned long)&word));
	CHECK_EQ(word, 0x1234);
	CHECK(!trace(PTRACE_POKEDATA, pid, (unsigned long)&cell, 77));
	CHECK(!trace(PTRACE_PEEKTEXT, pid, (unsigned long)exit_42, (unsigned long)&word));
	CHECK_EQ(word, *(unsigned long *)exit_42);
	/* code is written although it is mapped for reading only, and in this process alone */
	CHECK(!trace(PTRACE_POKETEXT, pid, (unsigned long)exit_42, ~word));
	CHECK_EQ(word, *(unsigned long *)exit_42);
	CHECK_FAILS(trace(PTRACE_PEEKDATA, pid, (unsigned long)ro, (unsigned long)&word), EIO);
	CHECK_FAILS(trace(PTRACE_PEEKDATA, pid, 8, (unsigned long)&word), EIO);
	CHECK_FAILS(trace(PTRACE_POKEDATA, pid, 8, 1), EIO);
	CHECK_FAILS(trace(PTRACE_PEEKDATA, pid, (unsigned long)&cell, 8), EFAULT);
	CHECK_FAILS(trace(PTRACE_PEEKUSR, pid, 0, (unsigned long)&word), EIO);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid), 77 << 8);
}

static void call_getppid(void)
{
	_exit(syscall(SYS_getppid) == 1000000 ? 5 : 6);
}

/* Every other stop is before a call, every other after it; the result can be changed. */
TEST(trace_system_calls)
{
	pid_t pid = traced_child(call_getppid);
	struct user_regs_struct r;
	struct ptrace_syscall_info info;
	unsigned long message = 9;
	siginfo_t si;

	CHECK(!trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	CHECK(!trace(PTRACE_SYSCALL, pid, 0, 0));
	/* the end of raise */
	WAIT_STOP(pid, SIGTRAP | 0x80);
	for (;;) {
		r = get_regs(pid);
		if (r.regs[8] == SYS_getppid)
			break;
		CHECK(!trace(PTRACE_SYSCALL, pid, 0, 0));
		WAIT_STOP(pid, SIGTRAP | 0x80);
	}
	CHECK_EQ(r.regs[7], 0);
	memset(&info, 0xee, sizeof(info));
	CHECK_EQ(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info), 80);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_ENTRY);
	CHECK_EQ(info.entry.nr, SYS_getppid);
	CHECK_EQ(info.instruction_pointer, r.pc);
	CHECK_EQ(info.stack_pointer, r.sp);
	CHECK_EQ(info.arch, 0xc00000b7);
	CHECK(!trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message));
	CHECK_EQ(message, 1);
	CHECK(!trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
	CHECK_EQ(si.si_code, SIGTRAP | 0x80);

	CHECK(!trace(PTRACE_SYSCALL, pid, 0, 0));
	WAIT_STOP(pid, SIGTRAP | 0x80);
	r = get_regs(pid);
	CHECK_EQ(r.regs[7], 1);
	CHECK_EQ(r.regs[0], getpid());
	CHECK_EQ(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info), 33);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
	CHECK_EQ(info.exit.rval, getpid());
	CHECK_EQ(info.exit.is_error, 0);
	r.regs[0] = 1000000;
	set_regs(pid, &r);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid), 5 << 8);
}

static void call_mkdir(void)
{
	_exit(mkdir("/no such/directory", 0700) ? errno : 0);
}

/* Number -1: the call is not made. */
TEST(trace_skips_a_system_call)
{
	pid_t pid = traced_child(call_mkdir);
	struct user_regs_struct r;
	int none = -1;
	struct iovec iov = {&none, sizeof(none)};

	do {
		CHECK(!trace(PTRACE_SYSCALL, pid, 0, 0));
		WAIT_STOP(pid, SIGTRAP);
		r = get_regs(pid);
	} while (r.regs[8] != SYS_mkdirat);
	CHECK(!trace(PTRACE_SETREGSET, pid, 0x404, (unsigned long)&iov));
	CHECK(!trace(PTRACE_SYSCALL, pid, 0, 0));
	WAIT_STOP(pid, SIGTRAP);
	r = get_regs(pid);
	r.regs[0] = (unsigned long)-EXDEV;
	set_regs(pid, &r);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid), EXDEV << 8);
}

/* x0 + 1 + 1 + 1, then exit with it */
__asm__(".globl step_here\nstep_here:\n add x0, x0, #1\n add x0, x0, #1\n add x0, x0, #1\n"
        " mov x8, #94\n svc #0\n");
void step_here(void);

TEST(trace_single_steps)
{
	pid_t pid = traced_child(sleep_on);
	struct user_regs_struct r = get_regs(pid);
	siginfo_t si;
	int i;

	r.pc = (unsigned long)step_here;
	r.regs[0] = 30;
	set_regs(pid, &r);
	for (i = 1; i <= 3; i++) {
		CHECK(!trace(PTRACE_SINGLESTEP, pid, 0, 0));
		WAIT_STOP(pid, SIGTRAP);
		r = get_regs(pid);
		CHECK_EQ(r.pc, (unsigned long)step_here + 4 * i);
		CHECK_EQ(r.regs[0], 30 + i);
		CHECK(!trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
		CHECK_EQ(si.si_code, TRAP_TRACE);
	}
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid), 33 << 8);
}

/* A breakpoint in code of its own, hit, taken away, and stepped over. */
TEST(trace_breakpoint)
{
	pid_t pid = traced_child(sleep_on);
	struct user_regs_struct r = get_regs(pid);
	unsigned long at = (unsigned long)step_here & ~7ul, word, brk = 0xd4200000;
	unsigned int shift = ((unsigned long)step_here & 4) * 8;

	r.pc = (unsigned long)step_here;
	r.regs[0] = 1;
	set_regs(pid, &r);
	CHECK(!trace(PTRACE_PEEKTEXT, pid, at, (unsigned long)&word));
	CHECK(!trace(PTRACE_POKETEXT, pid, at, (word & ~(0xfffffffful << shift)) | brk << shift));
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	WAIT_STOP(pid, SIGTRAP);
	r = get_regs(pid);
	CHECK_EQ(r.pc, (unsigned long)step_here);
	CHECK(!trace(PTRACE_POKETEXT, pid, at, word));
	CHECK(!trace(PTRACE_SINGLESTEP, pid, 0, 0));
	WAIT_STOP(pid, SIGTRAP);
	CHECK_EQ(get_regs(pid).regs[0], 2);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid), 4 << 8);
}

TEST(trace_register_sets)
{
	pid_t pid = traced_child(sleep_on);
	struct user_fpsimd_struct fp, fp2;
	struct iovec iov = {&fp, sizeof(fp)};
	struct user_regs_struct r = get_regs(pid), r2;
	unsigned long tls;

	CHECK(!trace(PTRACE_GETREGSET, pid, NT_PRFPREG, (unsigned long)&iov));
	CHECK_EQ(iov.iov_len, 528);
	memset(&fp.vregs[7], 0x5a, 16);
	CHECK(!trace(PTRACE_SETREGSET, pid, NT_PRFPREG, (unsigned long)&iov));
	iov = (struct iovec){&fp2, 1000};
	CHECK(!trace(PTRACE_GETREGSET, pid, NT_PRFPREG, (unsigned long)&iov));
	CHECK_EQ(iov.iov_len, 528);
	CHECK(!memcmp(&fp.vregs[7], &fp2.vregs[7], 16));
	iov = (struct iovec){&tls, 8};
	CHECK(!trace(PTRACE_GETREGSET, pid, NT_ARM_TLS, (unsigned long)&iov));
	CHECK_EQ(tls, (unsigned long)__builtin_thread_pointer());
	/* a part of a set */
	r2 = r;
	r2.regs[0] = 4711;
	r2.regs[2] = 4712;
	iov = (struct iovec){&r2, 16};
	CHECK(!trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov));
	CHECK_EQ(iov.iov_len, 16);
	CHECK_EQ(get_regs(pid).regs[0], 4711);
	CHECK_EQ(get_regs(pid).regs[2], r.regs[2]);
	iov.iov_len = 15;
	CHECK_FAILS(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov), EINVAL);
	CHECK_FAILS(trace(PTRACE_GETREGSET, pid, 0x777, (unsigned long)&iov), EINVAL);
	/* no way into the kernel */
	r.pstate = 5;
	iov = (struct iovec){&r, sizeof(r)};
	CHECK_FAILS(trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov), EINVAL);
	CHECK(!trace(PTRACE_KILL, pid, 0, 0));
	CHECK_EQ(wait_status(pid), SIGKILL);
}

TEST(trace_attach_detach)
{
	pid_t pid = plain_child(sleep_on);
	char state = 0;
	int tracer = 0;

	CHECK(!trace(PTRACE_ATTACH, pid, 0, 0));
	WAIT_STOP(pid, SIGSTOP);
	CHECK_FAILS(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	CHECK(!trace(PTRACE_DETACH, pid, 0, 0));
	CHECK(get_status(pid, &state, &tracer));
	CHECK_EQ(tracer, 0);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0);
	CHECK_FAILS(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	/* with a signal */
	CHECK(!trace(PTRACE_ATTACH, pid, 0, 0));
	WAIT_STOP(pid, SIGSTOP);
	CHECK(!trace(PTRACE_DETACH, pid, 0, SIGTERM));
	CHECK_EQ(wait_status(pid), SIGTERM);
}

static void nobody_attaches(void *arg)
{
	become_nobody();
	CHECK_FAILS(trace(PTRACE_ATTACH, *(pid_t *)arg, 0, 0), EPERM);
}

TEST(trace_who_may_not)
{
	pid_t pid = plain_child(sleep_on);

	in_good_child(nobody_attaches, &pid);
	CHECK_FAILS(trace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_FAILS(trace(PTRACE_ATTACH, 999999, 0, 0), ESRCH);
	CHECK_FAILS(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_FAILS(trace(PTRACE_SEIZE, pid, 1, 0), EIO);
	CHECK_FAILS(trace(PTRACE_SEIZE, pid, 0, 0x40000000), EIO);
	CHECK(!trace(PTRACE_SEIZE, pid, 0, 0));
	/* it runs */
	CHECK_FAILS(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK(!trace(PTRACE_INTERRUPT, pid, 0, 0));
	CHECK_EQ(wait_status(pid) >> 8, EVENT(PTRACE_EVENT_STOP));
	CHECK_FAILS(trace(PTRACE_SETOPTIONS, pid, 0, 0x40000000), EINVAL);
	CHECK_FAILS(trace(0x1234, pid, 0, 0), EIO);
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(wait_status(pid), SIGKILL);
}

TEST(trace_seize_interrupt_listen)
{
	pid_t pid = plain_child(sleep_on);
	siginfo_t si;

	CHECK(!trace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL));
	CHECK(!trace(PTRACE_INTERRUPT, pid, 0, 0));
	CHECK_EQ(wait_status(pid) >> 8, EVENT(PTRACE_EVENT_STOP));
	CHECK(!trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
	CHECK_EQ(si.si_code, EVENT(PTRACE_EVENT_STOP));
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	/* a stop of the group: first the signal, then the stop itself */
	CHECK(!kill(pid, SIGTSTP));
	WAIT_STOP(pid, SIGTSTP);
	CHECK(!trace(PTRACE_CONT, pid, 0, SIGSTOP));
	CHECK_EQ(wait_status(pid) >> 8, SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK(!trace(PTRACE_LISTEN, pid, 0, 0));
	CHECK_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0);
	CHECK_FAILS(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK(!kill(pid, SIGCONT));
	CHECK_EQ(wait_status(pid) >> 8, EVENT(PTRACE_EVENT_STOP));
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	WAIT_STOP(pid, SIGCONT);
	CHECK_FAILS(trace(PTRACE_LISTEN, pid, 0, 0), EIO);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(wait_status(pid), SIGKILL);
}

/* In the old way a stop of the group shows no siginfo. */
TEST(trace_group_stop_of_the_attached)
{
	pid_t pid = traced_child(sleep_on);
	siginfo_t si;

	CHECK(!trace(PTRACE_CONT, pid, 0, SIGSTOP));
	WAIT_STOP(pid, SIGSTOP);
	CHECK_FAILS(trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si), EINVAL);
	/* without its tracer it is stopped still */
	CHECK(!trace(PTRACE_DETACH, pid, 0, 0));
	CHECK_EQ(waitid(P_PID, pid, &si, WSTOPPED), 0);
	CHECK_EQ(si.si_code, CLD_STOPPED);
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(wait_status(pid), SIGKILL);
}

static void fork_and_wait(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(7);
	waitpid(pid, &status, 0);
	_exit(WEXITSTATUS(status) + 1);
}

TEST(trace_follows_forks)
{
	pid_t pid = traced_child(fork_and_wait), child;
	unsigned long message;
	char state;
	int tracer = 0;

	CHECK(!trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT));
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid) >> 8, EVENT(PTRACE_EVENT_FORK));
	CHECK(!trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message));
	child = (pid_t)message;
	WAIT_STOP(child, SIGSTOP);
	CHECK(get_status(child, &state, &tracer));
	CHECK_EQ(tracer, getpid());
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK(!trace(PTRACE_CONT, child, 0, 0));
	CHECK_EQ(wait_status(child) >> 8, EVENT(PTRACE_EVENT_EXIT));
	CHECK(!trace(PTRACE_GETEVENTMSG, child, 0, (unsigned long)&message));
	CHECK_EQ(message, 7 << 8);
	CHECK(!trace(PTRACE_CONT, child, 0, 0));
	/* the tracer is told of the end first, then the parent */
	CHECK_EQ(wait_status(child), 7 << 8);
	/* SIGCHLD of it is ignored by default, but seen */
	WAIT_STOP(pid, SIGCHLD);
	CHECK(!trace(PTRACE_CONT, pid, 0, SIGCHLD));
	CHECK_EQ(wait_status(pid) >> 8, EVENT(PTRACE_EVENT_EXIT));
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid), 8 << 8);
}

static void exec_true(void)
{
	char *argv[] = {"trace", "-list-nothing", NULL};

	execv("/proc/self/exe", argv);
}

TEST(trace_exec)
{
	pid_t pid = traced_child(exec_true);
	unsigned long message = 0;

	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	WAIT_STOP(pid, SIGTRAP);
	CHECK(!trace(PTRACE_KILL, pid, 0, 0));
	CHECK_EQ(wait_status(pid), SIGKILL);

	pid = traced_child(exec_true);
	CHECK(!trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD));
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid) >> 8, EVENT(PTRACE_EVENT_EXEC));
	CHECK(!trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message));
	CHECK_EQ(message, pid);
	/* the end of the call is still to come */
	CHECK(!trace(PTRACE_SYSCALL, pid, 0, 0));
	WAIT_STOP(pid, SIGTRAP | 0x80);
	CHECK_EQ(get_regs(pid).regs[0], 0);
	CHECK(!trace(PTRACE_KILL, pid, 0, 0));
	CHECK_EQ(wait_status(pid), SIGKILL);
}

static void vfork_it(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	_exit(11);
}

TEST(trace_vfork)
{
	pid_t pid = traced_child(vfork_it), child;
	unsigned long message;

	CHECK(!trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE));
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid) >> 8, EVENT(PTRACE_EVENT_VFORK));
	CHECK(!trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message));
	child = (pid_t)message;
	WAIT_STOP(child, SIGSTOP);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK(!trace(PTRACE_DETACH, child, 0, 0));
	CHECK_EQ(wait_status(pid) >> 8, EVENT(PTRACE_EVENT_VFORK_DONE));
	CHECK(!trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message));
	CHECK_EQ(message, child);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	WAIT_STOP(pid, SIGCHLD);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid), 11 << 8);
}

static void *thread_main(void *arg)
{
	/* the process does not end with it */
	syscall(SYS_exit, 21);
	return arg;
}

static void make_a_thread(void)
{
	pthread_t th;

	pthread_create(&th, NULL, thread_main, NULL);
	pthread_join(th, NULL);
	sleep_on();
}

/* A traced thread is waited for by its own number, and its end is told. */
TEST(trace_threads)
{
	pid_t pid = traced_child(make_a_thread), tid;
	unsigned long message;

	CHECK(!trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE));
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(wait_status(pid) >> 8, EVENT(PTRACE_EVENT_CLONE));
	CHECK(!trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message));
	tid = (pid_t)message;
	WAIT_STOP(tid, SIGSTOP);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK(!trace(PTRACE_CONT, tid, 0, 0));
	CHECK_EQ(wait_status(tid), 21 << 8);
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(wait_status(pid), SIGKILL);
}

static pid_t *shared;

static void tracer_that_dies(void *arg)
{
	pid_t pid = plain_child(sleep_on);

	CHECK(!trace(PTRACE_SEIZE, pid, 0, arg ? PTRACE_O_EXITKILL : 0));
	*shared = pid;
	/* it dies with its tracees */
}

TEST(trace_the_tracer_dies)
{
	int i;

	shared = (pid_t *)map(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	in_good_child(tracer_that_dies, (void *)1);
	/* nobody's child here: it is gone or a zombie that nobody reaps */
	for (i = 0; i < 1000; i++) {
		char state = 'Z';
		int tracer;

		/* It may go between any two looks at it. */
		if (!get_status(*shared, &state, &tracer) || state == 'Z')
			break;
		usleep(10000);
	}
	CHECK(i < 1000);
	in_good_child(tracer_that_dies, NULL);
	CHECK(!kill(*shared, 0));
	CHECK(!kill(*shared, SIGKILL));
}

static void on_chld(int sig, siginfo_t *si, void *uc)
{
	if (si->si_code == CLD_TRAPPED)
		got = si->si_status;
}

TEST(trace_stops_raise_sigchld)
{
	struct sigaction sa = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO};
	pid_t pid;
	siginfo_t si;

	CHECK(!sigaction(SIGCHLD, &sa, NULL));
	pid = traced_child(exit_42);
	CHECK_EQ(got, SIGSTOP);
	/* waitid sees it as long as it is not taken, as a trap */
	CHECK(!trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK(!waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(si.si_code, CLD_TRAPPED);
	CHECK_EQ(si.si_status, EVENT(PTRACE_EVENT_EXIT));
	CHECK(!waitid(P_PID, pid, &si, WEXITED));
	CHECK_EQ(si.si_code, CLD_TRAPPED);
	CHECK(!trace(PTRACE_CONT, pid, 0, 0));
	CHECK(!waitid(P_PID, pid, &si, WEXITED));
	CHECK_EQ(si.si_code, CLD_EXITED);
}
