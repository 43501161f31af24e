/* SPDX-License-Identifier: MIT */
/*
 * The system-call table, and the way in. See syscall.h for how calls are declared.
 */
#include "kernel/sys/syscall.h"

#include "kernel/arch/thread.h"
#include "kernel/fs/syscalls.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/sched/task.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/nr.h"

#define CALL(name) [NR_##name] = (syscall_fn)(void (*)(void))sys_##name

static const syscall_fn calls[NR_SYSCALLS] = {
	/* Files: kernel/fs. */
	CALL(setxattr), CALL(lsetxattr), CALL(fsetxattr), CALL(getxattr), CALL(lgetxattr),
	CALL(fgetxattr), CALL(listxattr), CALL(llistxattr), CALL(flistxattr), CALL(removexattr),
	CALL(lremovexattr), CALL(fremovexattr), CALL(unshare),
	CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_pwait), CALL(epoll_pwait2), CALL(signalfd4),
	CALL(timerfd_create), CALL(timerfd_settime), CALL(timerfd_gettime),
	CALL(getcwd), CALL(eventfd2), CALL(dup), CALL(dup3), CALL(fcntl), CALL(ioctl), CALL(vhangup),
	CALL(flock), CALL(mknodat), CALL(mkdirat), CALL(unlinkat), CALL(symlinkat), CALL(linkat),
	CALL(renameat), CALL(umount2), CALL(mount), CALL(statfs), CALL(fstatfs), CALL(truncate),
	CALL(ftruncate), CALL(fallocate), CALL(faccessat), CALL(chdir), CALL(fchdir),
	CALL(chroot), CALL(fchmod), CALL(fchmodat), CALL(fchownat), CALL(fchown), CALL(openat),
	CALL(close), CALL(pipe2), CALL(getdents64), CALL(lseek), CALL(read), CALL(write),
	CALL(readv), CALL(writev), CALL(pread64), CALL(pwrite64), CALL(preadv), CALL(pwritev),
	CALL(sendfile), CALL(splice), CALL(tee), CALL(vmsplice), CALL(pselect6), CALL(ppoll),
	CALL(readlinkat), CALL(newfstatat),
	CALL(fstat), CALL(sync), CALL(fsync), CALL(fdatasync), CALL(sync_file_range),
	CALL(utimensat), CALL(umask), CALL(socket), CALL(socketpair), CALL(bind), CALL(listen),
	CALL(accept), CALL(connect), CALL(getsockname), CALL(getpeername), CALL(sendto),
	CALL(recvfrom), CALL(setsockopt), CALL(getsockopt), CALL(shutdown), CALL(sendmsg),
	CALL(recvmsg), CALL(readahead), CALL(fadvise64), CALL(accept4), CALL(syncfs),
	CALL(renameat2), CALL(getrandom), CALL(memfd_create), CALL(copy_file_range),
	CALL(preadv2), CALL(pwritev2), CALL(statx), CALL(close_range), CALL(openat2),
	CALL(faccessat2), CALL(fchmodat2), CALL(pidfd_open), CALL(cachestat),
	/* Everything else: kernel/sys, kernel/sched, kernel/signal, kernel/exec. */
	CALL(capget), CALL(capset), CALL(personality), CALL(exit), CALL(exit_group),
	CALL(waitid), CALL(set_tid_address), CALL(futex), CALL(set_robust_list),
	CALL(get_robust_list), CALL(nanosleep), CALL(timer_create), CALL(timer_settime),
	CALL(timer_gettime),
	CALL(timer_getoverrun), CALL(timer_delete), CALL(getitimer), CALL(setitimer),
	CALL(clock_settime), CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep),
	CALL(syslog), CALL(sched_setparam), CALL(sched_setscheduler), CALL(sched_getscheduler),
	CALL(sched_getparam), CALL(sched_setaffinity), CALL(sched_getaffinity),
	CALL(sched_yield), CALL(sched_get_priority_max), CALL(sched_get_priority_min),
	CALL(sched_rr_get_interval), CALL(restart_syscall), CALL(ptrace), CALL(kill), CALL(tkill),
	CALL(tgkill), CALL(sigaltstack), CALL(rt_sigsuspend), CALL(rt_sigaction),
	CALL(rt_sigprocmask), CALL(rt_sigpending), CALL(rt_sigtimedwait), CALL(rt_sigqueueinfo),
	CALL(rt_sigreturn), CALL(setpriority), CALL(getpriority), CALL(reboot), CALL(setregid),
	CALL(setgid), CALL(setreuid), CALL(setuid), CALL(setresuid), CALL(getresuid),
	CALL(setresgid), CALL(getresgid), CALL(setfsuid), CALL(setfsgid), CALL(times),
	CALL(setpgid), CALL(getpgid), CALL(getsid), CALL(setsid), CALL(getgroups),
	CALL(setgroups), CALL(uname), CALL(sethostname), CALL(setdomainname), CALL(getrlimit),
	CALL(setrlimit), CALL(getrusage), CALL(prctl), CALL(getcpu), CALL(gettimeofday),
	CALL(settimeofday), CALL(getpid), CALL(getppid), CALL(getuid), CALL(geteuid),
	CALL(getgid), CALL(getegid), CALL(gettid), CALL(sysinfo), CALL(brk), CALL(munmap),
	CALL(mremap), CALL(clone), CALL(execve), CALL(mmap), CALL(mprotect), CALL(msync),
	CALL(mlock), CALL(munlock), CALL(mlockall), CALL(munlockall), CALL(mincore),
	CALL(madvise), CALL(rt_tgsigqueueinfo), CALL(wait4), CALL(prlimit64), CALL(rseq),
	CALL(execveat),
	CALL(membarrier), CALL(pidfd_send_signal), CALL(process_madvise),
	CALL(process_mrelease), CALL(mlock2), CALL(clone3), CALL(mseal),
	CALL(pkey_mprotect), CALL(pkey_alloc), CALL(pkey_free), CALL(remap_file_pages),
	CALL(shmget), CALL(shmat), CALL(shmdt), CALL(shmctl), CALL(semget), CALL(semop),
	CALL(semtimedop), CALL(semctl), CALL(msgget), CALL(msgsnd), CALL(msgrcv), CALL(msgctl),
	CALL(memfd_secret), CALL(mbind), CALL(set_mempolicy),
	CALL(get_mempolicy), CALL(set_mempolicy_home_node), CALL(move_pages),
	CALL(migrate_pages), CALL(process_vm_readv), CALL(process_vm_writev),
};

static const char *const names[NR_SYSCALLS] = {
#define NAME(nr, name) [nr] = #name,
	SYSCALL_NUMBERS(NAME)
#undef NAME
};

/* Each number is told once. */
static long no_such_call(u64 nr)
{
	static u64 told[NR_SYSCALLS / 64 + 2];
	u64 slot = nr < NR_SYSCALLS ? nr : NR_SYSCALLS;
	u64 bit = 1ull << slot % 64;
	const char *name = nr < NR_SYSCALLS && names[nr] ? names[nr] : "unknown";

	if (!(__atomic_fetch_or(&told[slot / 64], bit, __ATOMIC_RELAXED) & bit))
		pr_warn("pid %d (%s): system call %ld (%s) is not there: ENOSYS\n", current->pid,
			current->comm, (long)nr, name);
	return -ENOSYS;
}

void do_syscall(struct pt_regs *regs)
{
	u64 nr = regs->syscallno;
	u64 *x = regs->x;

	if (unlikely(nr >= NR_SYSCALLS || !calls[nr])) {
		x[0] = (u64)no_such_call(nr);
		return;
	}
	x[0] = (u64)calls[nr](x[0], x[1], x[2], x[3], x[4], x[5]);
}
