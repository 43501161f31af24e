/* SPDX-License-Identifier: MIT */
/* The system calls that are not about files; those are in kernel/fs/syscalls.h. See syscall.h. */
#ifndef KERNEL_SYS_CALLS_H
#define KERNEL_SYS_CALLS_H

#include "kernel/lib/types.h"

/* memory.c */
long sys_brk(u64 brk);
long sys_mmap(u64 addr, u64 len, u64 prot, u64 flags, u64 fd, u64 off);
long sys_munmap(u64 addr, u64 len);
long sys_mprotect(u64 addr, u64 len, u64 prot);
long sys_pkey_mprotect(u64 addr, u64 len, u64 prot, u64 pkey);
long sys_pkey_alloc(u64 flags, u64 rights);
long sys_pkey_free(u64 pkey);
long sys_remap_file_pages(u64 addr, u64 size, u64 prot, u64 pgoff, u64 flags);
long sys_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr);
long sys_msync(u64 addr, u64 len, u64 flags);
long sys_mincore(u64 addr, u64 len, u64 vec);
long sys_madvise(u64 addr, u64 len, u64 advice);
long sys_mlock(u64 addr, u64 len);
long sys_mlock2(u64 addr, u64 len, u64 flags);
long sys_munlock(u64 addr, u64 len);
long sys_mseal(u64 addr, u64 len, u64 flags);
long sys_mlockall(u64 flags);
long sys_munlockall(void);

/* numa.c */
long sys_mbind(u64 start, u64 len, u64 mode, u64 mask, u64 maxnode, u64 flags);
long sys_set_mempolicy(u64 mode, u64 mask, u64 maxnode);
long sys_get_mempolicy(u64 mode, u64 mask, u64 maxnode, u64 addr, u64 flags);
long sys_set_mempolicy_home_node(u64 start, u64 len, u64 node, u64 flags);
long sys_move_pages(u64 pid, u64 n, u64 pages, u64 nodes, u64 status, u64 flags);
long sys_migrate_pages(u64 pid, u64 maxnode, u64 from, u64 to);

/* process_vm.c */
long sys_process_vm_readv(u64 pid, u64 liov, u64 nl, u64 riov, u64 nr, u64 flags);
long sys_process_vm_writev(u64 pid, u64 liov, u64 nl, u64 riov, u64 nr, u64 flags);

/* process_madvise.c */
long sys_process_madvise(u64 fd, u64 iov, u64 n, u64 advice, u64 flags);
long sys_process_mrelease(u64 fd, u64 flags);

/* kernel/sched */
long sys_clone(u64 flags, u64 stack, u64 parent_tid, u64 tls, u64 child_tid);
long sys_clone3(u64 args, u64 size);
long sys_unshare(u64 flags);
long sys_set_tid_address(u64 addr);
long sys_exit(u64 code) __noreturn;
long sys_exit_group(u64 code) __noreturn;
long sys_wait4(u64 pid, u64 status, u64 options, u64 rusage);
long sys_waitid(u64 which, u64 id, u64 info, u64 options, u64 rusage);
long sys_futex(u64 addr, u64 op, u64 val, u64 utime, u64 addr2, u64 val3);
long sys_set_robust_list(u64 head, u64 len);
long sys_get_robust_list(u64 pid, u64 head, u64 len);
long sys_rseq(u64 area, u64 len, u64 flags, u64 sig);
long sys_membarrier(u64 command, u64 flags, u64 cpu);
long sys_timer_create(u64 clock, u64 event, u64 id);
long sys_timer_settime(u64 id, u64 flags, u64 value, u64 old);
long sys_timer_gettime(u64 id, u64 value);
long sys_timer_getoverrun(u64 id);
long sys_timer_delete(u64 id);
long sys_getitimer(u64 which, u64 value);
long sys_setitimer(u64 which, u64 value, u64 old);
long sys_getrusage(u64 who, u64 usage);
long sys_times(u64 buf);

/* kernel/exec */
long sys_execve(u64 path, u64 argv, u64 envp);
long sys_execveat(u64 dfd, u64 path, u64 argv, u64 envp, u64 flags);

/* kernel/signal */
long sys_rt_sigaction(u64 sig, u64 act, u64 old, u64 size);
long sys_rt_sigprocmask(u64 how, u64 set, u64 old, u64 size);
long sys_rt_sigpending(u64 set, u64 size);
long sys_rt_sigsuspend(u64 set, u64 size);
long sys_rt_sigtimedwait(u64 set, u64 info, u64 timeout, u64 size);
long sys_rt_sigqueueinfo(u64 pid, u64 sig, u64 info);
long sys_rt_tgsigqueueinfo(u64 tgid, u64 tid, u64 sig, u64 info);
long sys_rt_sigreturn(void);
long sys_sigaltstack(u64 stack, u64 old);
long sys_kill(u64 pid, u64 sig);
long sys_pidfd_send_signal(u64 fd, u64 sig, u64 info, u64 flags);
long sys_tkill(u64 tid, u64 sig);
long sys_tgkill(u64 tgid, u64 tid, u64 sig);
long sys_restart_syscall(void);
long sys_ptrace(u64 request, u64 pid, u64 addr, u64 data);

/* time.c */
long sys_nanosleep(u64 req, u64 rem);
long sys_clock_nanosleep(u64 clock, u64 flags, u64 req, u64 rem);
long sys_clock_gettime(u64 clock, u64 ts);
long sys_clock_settime(u64 clock, u64 ts);
long sys_clock_getres(u64 clock, u64 ts);
long sys_gettimeofday(u64 tv, u64 tz);
long sys_settimeofday(u64 tv, u64 tz);

/* system.c */
long sys_sysinfo(u64 info);
long sys_uname(u64 name);
long sys_sethostname(u64 name, u64 len);
long sys_setdomainname(u64 name, u64 len);
long sys_reboot(u64 magic, u64 magic2, u64 cmd, u64 arg);
long sys_syslog(u64 type, u64 buf, u64 len);
long sys_getcpu(u64 cpu, u64 node, u64 unused);

/* prctl.c */
long sys_prctl(u64 option, u64 arg2, u64 arg3, u64 arg4, u64 arg5);
long sys_personality(u64 persona);

/* ids.c */
long sys_getpid(void);
long sys_getppid(void);
long sys_gettid(void);
long sys_setpgid(u64 pid, u64 pgid);
long sys_getpgid(u64 pid);
long sys_setsid(void);
long sys_getsid(u64 pid);

/* cred.c */
long sys_getuid(void);
long sys_geteuid(void);
long sys_getgid(void);
long sys_getegid(void);
long sys_setuid(u64 uid);
long sys_setgid(u64 gid);
long sys_setreuid(u64 ruid, u64 euid);
long sys_setregid(u64 rgid, u64 egid);
long sys_setresuid(u64 ruid, u64 euid, u64 suid);
long sys_setresgid(u64 rgid, u64 egid, u64 sgid);
long sys_getresuid(u64 ruid, u64 euid, u64 suid);
long sys_getresgid(u64 rgid, u64 egid, u64 sgid);
long sys_setfsuid(u64 uid);
long sys_setfsgid(u64 gid);
long sys_getgroups(u64 n, u64 list);
long sys_setgroups(u64 n, u64 list);
long sys_capget(u64 header, u64 data);
long sys_capset(u64 header, u64 data);

/* rlimit.c */
long sys_prlimit64(u64 pid, u64 resource, u64 new_limit, u64 old_limit);
long sys_getrlimit(u64 resource, u64 limit);
long sys_setrlimit(u64 resource, u64 limit);

/* priority.c */
long sys_sched_yield(void);
long sys_sched_getaffinity(u64 pid, u64 len, u64 mask);
long sys_sched_setaffinity(u64 pid, u64 len, u64 mask);
long sys_sched_getscheduler(u64 pid);
long sys_sched_setscheduler(u64 pid, u64 policy, u64 param);
long sys_sched_getparam(u64 pid, u64 param);
long sys_sched_setparam(u64 pid, u64 param);
long sys_sched_get_priority_max(u64 policy);
long sys_sched_get_priority_min(u64 policy);
long sys_sched_rr_get_interval(u64 pid, u64 ts);
long sys_getpriority(u64 which, u64 who);
long sys_setpriority(u64 which, u64 who, u64 prio);

#endif
