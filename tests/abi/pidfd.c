/* SPDX-License-Identifier: MIT */
/* Descriptors of processes: what process_madvise and process_mrelease are given. */
#include "abi.h"

#include <poll.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#define CLONE3_ARGS 11

static int pidfd_of(pid_t pid)
{
	return (int)abi_must("pidfd_open", syscall(SYS_pidfd_open, pid, 0));
}

static long send(int fd, int sig)
{
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

static int ready(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

BEHAVIOUR(pidfd_open_refusals, "pidfd_open")
{
	TRY(syscall(SYS_pidfd_open, 0, 0));
	TRY(syscall(SYS_pidfd_open, -1, 0));
	TRY(syscall(SYS_pidfd_open, getpid(), 1));
	TRY(syscall(SYS_pidfd_open, 1 << 22, 0));
	TRY(syscall(SYS_pidfd_open, 1 << 30, 0));
}

BEHAVIOUR(pidfd_is_a_descriptor, "pidfd_open")
{
	int fd = pidfd_of(getpid());
	char buf[8], text[1024], *at;

	abi_say("cloexec %d", fcntl(fd, F_GETFD));
	abi_say("mode %x", fcntl(fd, F_GETFL) & O_ACCMODE);
	TRY(read(fd, buf, sizeof(buf)));
	TRY(write(fd, buf, sizeof(buf)));
	abi_must("fdinfo", abi_read_text("/proc/self/fdinfo/3", text, sizeof(text)) ? 0 : -1);
	at = strstr(text, "Pid:\t");
	abi_say("Pid is ours: %d", at && atoi(at + 5) == getpid());
	fd = (int)syscall(SYS_pidfd_open, getpid(), O_NONBLOCK);
	abi_say("nonblocking %d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
}

BEHAVIOUR(pidfd_becomes_readable_at_the_end, "pidfd_open poll")
{
	pid_t pid = abi_sleeper();
	int fd = pidfd_of(pid);
	struct pollfd p = {fd, POLLIN, 0};

	abi_say("alive %d", ready(fd));
	kill(pid, SIGKILL);
	TRY(poll(&p, 1, -1));
	abi_say("events %x", p.revents);
	abi_wait(pid);
	abi_say("reaped %x", ready(fd) & POLLIN);
}

BEHAVIOUR(pidfd_send_signal_kills, "pidfd_send_signal")
{
	pid_t pid = abi_sleeper();
	int fd = pidfd_of(pid);

	TRY(send(fd, 0));
	TRY(send(fd, SIGTERM));
	abi_wait(pid);
	TRY(send(fd, 0));
	TRY(send(fd, SIGTERM));
}

BEHAVIOUR(pidfd_send_signal_refusals, "pidfd_send_signal")
{
	int me = pidfd_of(getpid());
	siginfo_t si;

	TRY(send(-1, 0));
	TRY(send(abi_file(page), 0));
	TRY(send(me, 65));
	TRY(send(me, -1));
	TRY(syscall(SYS_pidfd_send_signal, me, 0, NULL, 99));
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGUSR1;
	si.si_code = SI_QUEUE;
	TRY(syscall(SYS_pidfd_send_signal, me, SIGUSR2, &si, 0));
	TRY(syscall(SYS_pidfd_send_signal, me, SIGUSR1, (void *)8, 0));
}

static int got_sig, got_code, got_value;

static void handler(int sig, siginfo_t *si, void *u)
{
	got_sig = sig;
	got_code = si->si_code;
	got_value = si->si_value.sival_int;
}

BEHAVIOUR(pidfd_send_signal_with_a_value, "pidfd_send_signal")
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	int me = pidfd_of(getpid());
	siginfo_t si;

	sigaction(SIGUSR1, &sa, NULL);
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGUSR1;
	si.si_code = SI_QUEUE;
	si.si_value.sival_int = 42;
	TRY(syscall(SYS_pidfd_send_signal, me, SIGUSR1, &si, 0));
	abi_say("got SIGUSR1 %d code %d value %d", got_sig == SIGUSR1, got_code, got_value);
	TRY(send(me, SIGUSR1));
	abi_say("got SIGUSR1 %d code %d", got_sig == SIGUSR1, got_code);
}

BEHAVIOUR(pidfd_send_signal_to_others_may_not_lie, "pidfd_send_signal")
{
	pid_t pid = abi_sleeper();
	int fd = pidfd_of(pid);
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGUSR1;
	si.si_code = SI_USER;
	TRY(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &si, 0));
	abi_nobody();
	TRY(send(fd, 0));
	TRY(send(fd, SIGKILL));
}

BEHAVIOUR(waitid_by_pidfd, "waitid P_PIDFD")
{
	siginfo_t si;
	pid_t pid = abi_fork();
	int fd;

	if (!pid)
		_exit(7);
	fd = pidfd_of(pid);
	memset(&si, 0, sizeof(si));
	TRY(waitid((idtype_t)P_PIDFD, (id_t)fd, &si, WEXITED));
	abi_say("status %d, pid is right: %d", si.si_status, si.si_pid == pid);
	TRY(waitid((idtype_t)P_PIDFD, (id_t)fd, &si, WEXITED));
}

BEHAVIOUR(waitid_by_pidfd_refusals, "waitid P_PIDFD")
{
	pid_t pid = abi_sleeper();
	siginfo_t si;

	TRY(waitid((idtype_t)P_PIDFD, (id_t)-1, &si, WEXITED));
	TRY(waitid((idtype_t)P_PIDFD, 1000, &si, WEXITED));
	TRY(waitid((idtype_t)P_PIDFD, (id_t)abi_file(page), &si, WEXITED));
	TRY(waitid((idtype_t)P_PIDFD, (id_t)pidfd_of(getpid()), &si, WEXITED));
	TRY(waitid((idtype_t)P_PIDFD, (id_t)pidfd_of(pid), &si, WEXITED | WNOHANG));
	TRY(waitid((idtype_t)P_PIDFD, (id_t)syscall(SYS_pidfd_open, pid, O_NONBLOCK), &si,
	           WEXITED));
}

BEHAVIOUR(clone_with_pidfd, "clone CLONE_PIDFD")
{
	int fd = -1;
	long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);

	if (!pid)
		for (;;)
			pause();
	abi_say("pidfd is there: %d, cloexec %d", fd >= 0, fcntl(fd, F_GETFD));
	TRY(send(fd, SIGTERM));
	abi_wait((pid_t)pid);
}

BEHAVIOUR(clone_with_pidfd_refusals, "clone CLONE_PIDFD")
{
	int fd = -1;

	TRY(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0));
	TRY(syscall(SYS_clone, CLONE_PIDFD | 0x400000 /* DETACHED */ | SIGCHLD, 0, &fd, 0, 0));
	TRY(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, (void *)8, 0, 0));
}

BEHAVIOUR(clone3_with_pidfd, "clone3 CLONE_PIDFD")
{
	uint64_t args[CLONE3_ARGS] = {CLONE_PIDFD, 0, 0, 0, SIGCHLD};
	int fd = -1;
	long pid;

	args[1] = (uintptr_t)&fd;
	pid = syscall(SYS_clone3, args, sizeof(args));
	if (!pid)
		for (;;)
			pause();
	abi_say("pidfd is there: %d", fd >= 0);
	TRY(send(fd, SIGKILL));
	abi_wait((pid_t)pid);
	args[1] = 8;
	TRY(syscall(SYS_clone3, args, sizeof(args)));
}
