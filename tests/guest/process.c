/* SPDX-License-Identifier: MIT */
/* fork and copy-on-write, execve, exit, wait, pipes and descriptors. */
#include "guest.h"

#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <termios.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void child_overwrites(void *arg)
{
	char *p = arg;

	CHECK(is_all(p, 1, 8 * page));
	memset(p, 2, 8 * page);
	CHECK(is_all(p, 2, 8 * page));
}

TEST(fork_copies_on_write)
{
	char *p = map_anon(8);

	memset(p, 1, 8 * page);
	in_good_child(child_overwrites, p);
	CHECK(is_all(p, 1, 8 * page));
	in_good_child(child_overwrites, p);
	CHECK(is_all(p, 1, 8 * page));
	/* sole owner again */
	memset(p, 3, 8 * page);
	CHECK(is_all(p, 3, 8 * page));
}

struct talk {
	char *p;
	int up[2], down[2];
};

static void say(int fd)
{
	char c = 0;

	CHECK_EQ(write(fd, &c, 1), 1);
}

static void hear(int fd)
{
	char c;

	CHECK_EQ(read(fd, &c, 1), 1);
}

static void child_watches(struct talk *t)
{
	hear(t->down[0]);
	CHECK(is_all(t->p, 1, 4 * page));
	t->p[0] = 9;
	say(t->up[1]);
	hear(t->down[0]);
	CHECK_EQ(t->p[page], 1);
}

TEST(parent_write_after_fork_is_not_seen_by_the_child)
{
	struct talk t = {.p = map_anon(4)};
	int status;
	pid_t pid;

	memset(t.p, 1, 4 * page);
	CHECK(!pipe(t.up) && !pipe(t.down));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		child_watches(&t);
		_exit(0);
	}
	memset(t.p, 2, 4 * page);
	say(t.down[1]);
	hear(t.up[0]);
	CHECK_EQ(t.p[0], 2);
	t.p[page] = 3;
	say(t.down[1]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void grandchild(void *arg)
{
	char *p = arg;

	CHECK_EQ(p[0], 2);
	CHECK_EQ(p[page], 1);
	p[0] = p[page] = 3;
}

static void child_forks_again(void *arg)
{
	char *p = arg;

	p[0] = 2;
	in_good_child(grandchild, p);
	CHECK_EQ(p[0], 2);
	CHECK_EQ(p[page], 1);
	p[page] = 4;
}

TEST(fork_of_a_fork)
{
	char *p = map_anon(2);

	memset(p, 1, 2 * page);
	in_good_child(child_forks_again, p);
	CHECK(is_all(p, 1, 2 * page));
}

static void child_reads_zero(void *arg)
{
	char *p = arg;

	CHECK(is_all(p, 0, 4 * page));
	p[page] = 1;
}

TEST(fork_of_zero_pages)
{
	char *p = map_anon(4);

	CHECK(is_all(p, 0, 4 * page));
	in_good_child(child_reads_zero, p);
	CHECK(is_all(p, 0, 4 * page));
}

static void child_unmaps(void *arg)
{
	CHECK(!munmap(arg, 4 * page));
}

TEST(child_munmap_does_not_touch_the_parent)
{
	char *p = map_anon(4);

	memset(p, 1, 4 * page);
	in_good_child(child_unmaps, p);
	CHECK(is_all(p, 1, 4 * page));
	CHECK(vma_of(p).start <= (unsigned long)p);
}

TEST(fork_keeps_the_maps)
{
	char *p = map_anon(6), before[256];
	int status;
	pid_t pid;

	CHECK(!mprotect(p + page, page, PROT_READ));
	CHECK(!munmap(p + 3 * page, page));
	strcpy(before, draw(p, p + 6 * page));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		_exit(strcmp(before, draw(p, p + 6 * page)) ? 1 : 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

TEST(many_children_share_many_pages)
{
	char *p = map_anon(64);
	int i, status;
	pid_t pid[10];

	memset(p, 1, 64 * page);
	for (i = 0; i < 10; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i])
			continue;
		memset(p + i * page, 10 + i, 30 * page);
		_exit(is_all(p + i * page, 10 + i, 30 * page) &&
		              is_all(p + (i + 30) * page, 1, page)
		          ? i
		          : 99);
	}
	for (i = 0; i < 10; i++) {
		CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
		CHECK_EQ(WEXITSTATUS(status), i);
	}
	CHECK(is_all(p, 1, 64 * page));
}

static void just_exit(void *arg)
{
	_exit((long)arg);
}

static void just_die(void *arg)
{
	kill(getpid(), (long)arg);
	pause();
}

TEST(wait_tells_the_exit_code)
{
	int status = in_child(just_exit, (void *)77);

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 77);
	status = in_child(just_exit, (void *)256 + 3);
	CHECK_EQ(WEXITSTATUS(status), 3);
}

TEST(wait_tells_the_signal)
{
	int status = in_child(just_die, (void *)SIGTERM);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGTERM);
	status = in_child(just_die, (void *)SIGKILL);
	CHECK_EQ(WTERMSIG(status), SIGKILL);
}

TEST(wait_without_children_ECHILD)
{
	CHECK_FAILS(wait(NULL), ECHILD);
	CHECK_FAILS(waitpid(getpid(), NULL, 0), ECHILD);
}

TEST(wait_nohang_of_a_living_child)
{
	int fds[2], status;
	pid_t pid;

	CHECK(!pipe(fds));
	pid = fork();
	if (!pid) {
		hear(fds[0]);
		_exit(4);
	}
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	say(fds[1]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 4);
}

TEST(sigchld_comes_when_a_child_ends)
{
	sigset_t set;
	siginfo_t info;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	pid = fork();
	if (!pid)
		_exit(5);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(info.si_status, 5);
}

TEST(orphan_gets_another_parent)
{
	int fds[2];
	char c = 9;

	CHECK(!pipe(fds));
	if (!fork()) {
		if (!fork()) {
			pid_t parent = getppid();
			int i;

			for (i = 0; i < 1000 && getppid() == parent; i++)
				usleep(10000);
			c = getppid() == parent;
			CHECK_EQ(write(fds[1], &c, 1), 1);
			_exit(0);
		}
		usleep(100000);
		_exit(0);
	}
	wait(NULL);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(c, 0);
}

/* ---- execve ---- */

static int exec_status(const char *path)
{
	char *argv[] = {(char *)path, NULL}, *envp[] = {NULL};
	int status;
	pid_t pid = fork();

	if (!pid) {
		execve(path, argv, envp);
		_exit(errno);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void rewrite_file(const void *data, size_t len, mode_t mode)
{
	int fd = test_file(0);

	CHECK_EQ(write(fd, data, len), len);
	CHECK(!fchmod(fd, mode));
	close(fd);
}

TEST(exec_of_nothing_ENOENT)
{
	CHECK_EQ(exec_status("/nonexistent/program"), ENOENT);
	CHECK_EQ(exec_status("/nonexistent"), ENOENT);
	CHECK_EQ(exec_status(""), ENOENT);
}

TEST(exec_through_a_file_ENOTDIR)
{
	rewrite_file("x", 1, 0755);
	{
		char path[300];

		snprintf(path, sizeof(path), "%s/x", test_file_path());
		CHECK_EQ(exec_status(path), ENOTDIR);
	}
}

TEST(exec_of_a_directory_EACCES)
{
	CHECK_EQ(exec_status("/"), EACCES);
	CHECK_EQ(exec_status("/tmp"), EACCES);
}

TEST(exec_without_permission_EACCES)
{
	rewrite_file("#!/bin/sh\n", 10, 0644);
	CHECK_EQ(exec_status(test_file_path()), EACCES);
}

TEST(exec_of_text_ENOEXEC)
{
	rewrite_file("hello, world\n", 13, 0755);
	CHECK_EQ(exec_status(test_file_path()), ENOEXEC);
}

TEST(exec_of_an_empty_file_ENOEXEC)
{
	rewrite_file("", 0, 0755);
	CHECK_EQ(exec_status(test_file_path()), ENOEXEC);
}

TEST(exec_of_a_script_without_its_interpreter_ENOENT)
{
	rewrite_file("#!/no/such/thing\n", 17, 0755);
	CHECK_EQ(exec_status(test_file_path()), ENOENT);
}

static void read_own_head(unsigned char *data, size_t len)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(read(fd, data, len), len);
	close(fd);
}

TEST(exec_of_a_cut_off_program_ENOEXEC)
{
	unsigned char head[40];

	read_own_head(head, sizeof(head));
	rewrite_file(head, sizeof(head), 0755);
	CHECK_EQ(exec_status(test_file_path()), ENOEXEC);
}

TEST(exec_of_another_architecture_ENOEXEC)
{
	unsigned char head[4096];

	read_own_head(head, sizeof(head));
	head[18] = 62; /* x86-64 */
	rewrite_file(head, sizeof(head), 0755);
	CHECK_EQ(exec_status(test_file_path()), ENOEXEC);
}

TEST(exec_with_too_many_arguments_E2BIG)
{
	static char big[200 * 1024];
	char *argv[] = {"x", big, NULL}, *envp[] = {NULL};

	memset(big, 'a', sizeof(big) - 1);
	CHECK_FAILS(execve("/proc/self/exe", argv, envp), E2BIG);
}

TEST(exec_with_bad_pointers_EFAULT)
{
	char *p = map_reserved(1);
	char *envp[] = {NULL};

	CHECK_FAILS(execve("/proc/self/exe", (char **)p, envp), EFAULT);
	CHECK_FAILS(execve(p, envp, envp), EFAULT);
}

TEST(exec_of_a_file_open_for_writing_ETXTBSY)
{
	unsigned char head[4096];
	int fd;

	read_own_head(head, sizeof(head));
	rewrite_file(head, sizeof(head), 0755);
	fd = open(test_file_path(), O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(exec_status(test_file_path()), ETXTBSY);
}

TEST(open_of_a_running_program_for_writing_ETXTBSY)
{
	CHECK_FAILS(open("/proc/self/exe", O_WRONLY), ETXTBSY);
}

TEST(failed_exec_leaves_the_caller)
{
	char *p = map_anon(1), *argv[] = {"x", NULL};

	p[0] = 5;
	rewrite_file("junk junk", 9, 0755);
	CHECK_FAILS(execve(test_file_path(), argv, argv + 1), ENOEXEC);
	CHECK_EQ(p[0], 5);
}

/* ---- descriptors ---- */

TEST(pipe_carries_bytes_and_ends)
{
	char out[3] = {0};
	int fds[2];

	CHECK(!pipe(fds));
	CHECK_EQ(write(fds[1], "ab", 2), 2);
	CHECK_EQ(read(fds[0], out, 3), 2);
	CHECK(!memcmp(out, "ab", 2));
	close(fds[1]);
	CHECK_EQ(read(fds[0], out, 3), 0);
}

TEST(pipe_holds_a_big_stream_back)
{
	size_t total = 0, n = 1 << 20;
	int fds[2], status;
	char data[5000];
	ssize_t got;
	pid_t pid;

	CHECK(!pipe(fds));
	pid = fork();
	if (!pid) {
		char *all = malloc(n);

		close(fds[0]);
		memset(all, 'q', n);
		_exit(write(fds[1], all, n) == (ssize_t)n ? 0 : 1);
	}
	close(fds[1]);
	while ((got = read(fds[0], data, sizeof(data))) > 0) {
		CHECK(is_all(data, 'q', got));
		total += got;
	}
	CHECK_EQ(total, n);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void write_to_closed_pipe(void *arg)
{
	int fds[2];

	CHECK(!pipe(fds));
	close(fds[0]);
	CHECK(write(fds[1], "x", 1) != 1);
}

TEST(pipe_without_reader_SIGPIPE)
{
	int status = in_child(write_to_closed_pipe, NULL);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGPIPE);
}

TEST(pipe_without_reader_EPIPE_when_ignored)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK(!pipe(fds));
	close(fds[0]);
	CHECK_FAILS(write(fds[1], "x", 1), EPIPE);
}

TEST(dup_shares_the_offset)
{
	int fd = test_file(100), other = dup(fd), third;

	CHECK_EQ(lseek(fd, 10, SEEK_SET), 10);
	CHECK_EQ(lseek(other, 0, SEEK_CUR), 10);
	third = dup2(fd, 77);
	CHECK_EQ(third, 77);
	CHECK_EQ(lseek(third, 5, SEEK_CUR), 15);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 15);
	CHECK_FAILS(dup2(99, 77), EBADF);
	CHECK_FAILS(dup3(fd, fd, 0), EINVAL);
}

TEST(fork_shares_the_offset)
{
	int fd = test_file(100), status;
	pid_t pid = fork();

	if (!pid)
		_exit(lseek(fd, 33, SEEK_SET) == 33 ? 0 : 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 33);
}

static void do_nothing(int sig)
{
}

TEST(handler_interrupts_a_read_EINTR)
{
	struct sigaction action = {.sa_handler = do_nothing};
	/* again and again: the first may come before the read */
	struct itimerval timer = {{0, 50000}, {0, 50000}};
	int fds[2];
	char c;

	CHECK(!pipe(fds));
	CHECK(!sigaction(SIGALRM, &action, NULL));
	CHECK(!setitimer(ITIMER_REAL, &timer, NULL));
	CHECK_FAILS(read(fds[0], &c, 1), EINTR);
}

TEST(handler_with_SA_RESTART_lets_the_read_go_on)
{
	struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
	int fds[2];
	pid_t pid;
	char c = 0;

	CHECK(!pipe(fds));
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	pid = fork();
	if (!pid) {
		usleep(50000);
		kill(getppid(), SIGUSR1);
		usleep(50000);
		_exit(write(fds[1], "z", 1) != 1);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(c, 'z');
}

/* ------------------------------------------------------------------ unshare, clone's tables */

static int run_with_files(void *arg)
{
	int *fd = arg;

	if (unshare(CLONE_FILES))
		_exit(1);
	close(*fd);
	_exit(0);
}

TEST(unshare_gives_a_table_of_descriptors_of_its_own)
{
	static char stack[65536] __attribute__((aligned(16)));
	int fd = dup(1), status;
	pid_t pid = clone(run_with_files, stack + sizeof(stack), CLONE_FILES | SIGCHLD, &fd);

	CHECK(pid > 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	CHECK_FAILS(unshare(1), EINVAL);
	CHECK(!unshare(CLONE_FS | CLONE_SYSVSEM));
}

TEST(extended_attributes_refusals)
{
	int fd = test_file(1);
	char value[4];

	CHECK_FAILS(fgetxattr(99, "user.a", value, 4), EBADF);
	CHECK_FAILS(getxattr("/nothing", "user.a", value, 4), ENOENT);
	CHECK_FAILS(fgetxattr(fd, "", value, 4), ERANGE);
	CHECK_FAILS(fsetxattr(fd, "user.a", value, 4, 9), EINVAL);
	CHECK_FAILS(getxattr("/proc/self/maps", "user.a", value, 4), EOPNOTSUPP);
	CHECK_EQ(listxattr("/proc/self/maps", value, 4), 0);
}

/* Writes or reads len bytes of one running pattern, which goes on at *at. */
static void pipe_bytes(int fd, bool writing, size_t *at, size_t len)
{
	char *p = map_anon((int)((len + page - 1) / page));
	ssize_t n;
	size_t i;

	for (i = 0; writing && i < len; i++)
		p[i] = (char)((*at + i) % 251);
	for (i = 0; i < len; i += (size_t)n) {
		n = writing ? write(fd, p + i, len - i) : read(fd, p + i, len - i);
		CHECK(n > 0);
	}
	for (i = 0; i < len; i++)
		CHECK_EQ(p[i], (char)((*at + i) % 251));
	*at += len;
	CHECK(!munmap(p, (len + page - 1) / page * page));
}

TEST(pipe_of_another_size)
{
	size_t in = 0, out = 0;
	char big[9000] = {0};
	int fd[2], null = open("/dev/null", O_RDWR);

	CHECK(!pipe2(fd, O_NONBLOCK));
	CHECK_EQ(fcntl(fd[0], F_GETPIPE_SZ), 65536);
	CHECK_EQ(fcntl(fd[1], F_SETPIPE_SZ, 1), 4096);
	CHECK_EQ(write(fd[1], big, sizeof(big)), 4096);
	CHECK_FAILS(write(fd[1], big, 1), EAGAIN);
	CHECK_EQ(read(fd[0], big, sizeof(big)), 4096);
	CHECK_EQ(fcntl(fd[1], F_SETPIPE_SZ, 32768), 32768);
	/* what is in it stays, in its order */
	pipe_bytes(fd[1], true, &in, 10000);
	pipe_bytes(fd[0], false, &out, 3000);
	CHECK_FAILS(fcntl(fd[1], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK_EQ(fcntl(fd[0], F_SETPIPE_SZ, 12289), 16384);
	pipe_bytes(fd[1], true, &in, 5000);
	CHECK_EQ(fcntl(fd[0], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	CHECK_EQ(fcntl(fd[1], F_GETPIPE_SZ), 1 << 20);
	pipe_bytes(fd[1], true, &in, 900000);
	pipe_bytes(fd[0], false, &out, 912000);
	CHECK_FAILS(read(fd[0], big, 1), EAGAIN);
	CHECK_FAILS(fcntl(null, F_SETPIPE_SZ, 4096), EBADF);
	CHECK_FAILS(fcntl(null, F_GETPIPE_SZ), EBADF);
}

static int proc_dir(const char *format, int pid)
{
	char name[64];

	snprintf(name, sizeof(name), format, pid);
	return open(name, O_RDONLY | O_DIRECTORY);
}

TEST(directory_in_proc_stands_for_its_process)
{
	pid_t pid = fork();
	int fd, status;

	if (!pid)
		for (;;)
			pause();
	fd = proc_dir("/proc/%d", pid);
	CHECK_FAILS(syscall(SYS_pidfd_send_signal, proc_dir("/proc/%d/task", pid), 0, NULL, 0),
	            EBADF);
	CHECK_FAILS(syscall(SYS_pidfd_send_signal, proc_dir("/proc", 0), 0, NULL, 0), EBADF);
	CHECK(!syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	CHECK(!syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_FAILS(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
}

/* ---- terminals ---- */

#define TERMINAL "/dev/ttyAMA0"

static volatile int hangups, continues;

static void note_hangup(int sig)
{
	if (sig == SIGHUP)
		hangups++;
	else
		continues++;
}

static pid_t read_until_the_end(int fd)
{
	pid_t pid = fork();
	char c;

	if (pid)
		return pid;
	signal(SIGHUP, SIG_IGN);
	while (read(fd, &c, 1) == 1)
		;
	_exit(0);
}

static void hang_up_mine(void *arg)
{
	struct pollfd ready = {.events = POLLIN | POLLOUT};
	struct termios t;
	int fd, again, status;
	pid_t reader;
	char c;

	CHECK(setsid() == getpid());
	CHECK_EQ(vhangup(), 0); /* there is none */
	ready.fd = fd = open(TERMINAL, O_RDWR);
	CHECK(fd >= 0);
	CHECK(!ioctl(fd, TIOCSCTTY, 1));
	CHECK(signal(SIGHUP, note_hangup) != SIG_ERR && signal(SIGCONT, note_hangup) != SIG_ERR);
	reader = read_until_the_end(fd);
	usleep(20000); /* it waits already, or finds the end at once */
	CHECK_EQ(vhangup(), 0);
	CHECK_EQ(hangups, 1);
	CHECK_EQ(continues, 1);
	CHECK_EQ(waitpid(reader, &status, 0), reader);
	CHECK_EQ(status, 0);
	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK_FAILS(write(fd, "x", 1), EIO);
	CHECK_FAILS(tcgetattr(fd, &t), EIO);
	CHECK_FAILS(tcsetpgrp(fd, getpgrp()), ENOTTY);
	CHECK_EQ(poll(&ready, 1, -1), 1);
	CHECK_EQ(ready.revents, POLLIN | POLLOUT | POLLERR | POLLHUP);
	CHECK_FAILS(open("/dev/tty", O_RDWR), ENXIO);
	again = open(TERMINAL, O_RDWR | O_NOCTTY);
	CHECK(again >= 0 && !tcgetattr(again, &t));
	CHECK_EQ(vhangup(), 0);
	CHECK(!tcgetattr(again, &t));
	become_nobody();
	CHECK_FAILS(vhangup(), EPERM);
}

TEST(hangup_takes_the_terminal_from_its_session)
{
	in_good_child(hang_up_mine, NULL);
}
