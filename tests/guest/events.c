/* SPDX-License-Identifier: MIT */
/* Descriptors to wait for: epoll, timerfd, signalfd. */
#include "guest.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#define MS 1000000l

static int ep_new(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);

	CHECK(ep >= 0);
	return ep;
}

static int ep_ctl(int ep, int op, int fd, unsigned events, int data)
{
	struct epoll_event ev = {.events = events, .data.u64 = 0};

	ev.data.fd = data;
	return epoll_ctl(ep, op, fd, &ev);
}

static int ep_now(int ep, struct epoll_event *ev)
{
	return epoll_wait(ep, ev, 8, 0);
}

TEST(epoll_level_triggered_reports_until_read)
{
	struct epoll_event ev[8];
	int ep = ep_new(), fd[2];
	char c = 0;

	CHECK(!pipe(fd));
	CHECK(!ep_ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 77));
	CHECK_EQ(ep_now(ep, ev), 0);
	CHECK_EQ(write(fd[1], &c, 1), 1);
	CHECK_EQ(ep_now(ep, ev), 1);
	CHECK_EQ(ev[0].events, EPOLLIN);
	CHECK_EQ(ev[0].data.fd, 77);
	CHECK_EQ(ep_now(ep, ev), 1);
	CHECK_EQ(read(fd[0], &c, 1), 1);
	CHECK_EQ(ep_now(ep, ev), 0);
	close(fd[1]);
	CHECK_EQ(ep_now(ep, ev), 1);
	CHECK_EQ(ev[0].events, EPOLLHUP);
}

TEST(epoll_edge_triggered_reports_once)
{
	struct epoll_event ev[8];
	int ep = ep_new(), fd[2];
	char c = 0;

	CHECK(!pipe(fd));
	CHECK(!ep_ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLIN | EPOLLET, 1));
	CHECK_EQ(write(fd[1], &c, 1), 1);
	CHECK_EQ(ep_now(ep, ev), 1);
	CHECK_EQ(ep_now(ep, ev), 0);
	CHECK_EQ(write(fd[1], &c, 1), 1);
	CHECK_EQ(ep_now(ep, ev), 1);
	CHECK_EQ(ep_now(ep, ev), 0);
	CHECK(!ep_ctl(ep, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLET, 2));
	CHECK_EQ(ep_now(ep, ev), 1);
	CHECK_EQ(ev[0].data.fd, 2);
}

TEST(epoll_oneshot_waits_to_be_armed_again)
{
	struct epoll_event ev[8];
	int ep = ep_new(), fd = eventfd(1, 0);

	CHECK(!ep_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 1));
	CHECK_EQ(ep_now(ep, ev), 1);
	CHECK_EQ(ep_now(ep, ev), 0);
	CHECK(!ep_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 1));
	CHECK_EQ(ep_now(ep, ev), 1);
}

TEST(epoll_refusals)
{
	struct epoll_event ev[8];
	int ep = ep_new(), ep2 = ep_new(), fd = eventfd(0, 0), file = test_file(10);

	CHECK_FAILS(ep_ctl(ep, EPOLL_CTL_ADD, 99, EPOLLIN, 0), EBADF);
	CHECK_FAILS(ep_ctl(99, EPOLL_CTL_ADD, fd, EPOLLIN, 0), EBADF);
	CHECK_FAILS(ep_ctl(ep, EPOLL_CTL_ADD, file, EPOLLIN, 0), EPERM);
	CHECK_FAILS(ep_ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0), EINVAL);
	CHECK_FAILS(ep_ctl(fd, EPOLL_CTL_ADD, ep, EPOLLIN, 0), EINVAL);
	CHECK_FAILS(ep_ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 0), ENOENT);
	CHECK_FAILS(ep_ctl(ep, EPOLL_CTL_DEL, fd, EPOLLIN, 0), ENOENT);
	CHECK(!ep_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 0));
	CHECK_FAILS(ep_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 0), EEXIST);
	CHECK_FAILS(ep_ctl(ep, 4, fd, EPOLLIN, 0), EINVAL);
	CHECK(!ep_ctl(ep2, EPOLL_CTL_ADD, ep, EPOLLIN, 0));
	CHECK_FAILS(ep_ctl(ep, EPOLL_CTL_ADD, ep2, EPOLLIN, 0), ELOOP);
	CHECK_FAILS(epoll_wait(ep, ev, 0, 0), EINVAL);
	CHECK_FAILS(epoll_wait(fd, ev, 1, 0), EINVAL);
	CHECK_FAILS(epoll_wait(99, ev, 1, 0), EBADF);
	CHECK_FAILS(epoll_create1(1), EINVAL);
}

TEST(epoll_watches_an_epoll)
{
	struct epoll_event ev[8];
	int outer = ep_new(), inner = ep_new(), fd = eventfd(0, 0);

	CHECK(!ep_ctl(inner, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	CHECK(!ep_ctl(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 2));
	CHECK_EQ(ep_now(outer, ev), 0);
	CHECK(!eventfd_write(fd, 1));
	CHECK_EQ(ep_now(outer, ev), 1);
	CHECK_EQ(ev[0].data.fd, 2);
}

TEST(epoll_forgets_what_is_closed)
{
	struct epoll_event ev[8];
	int ep = ep_new(), fd = eventfd(1, 0), copy = dup(fd);

	CHECK(!ep_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	close(fd);
	CHECK_EQ(ep_now(ep, ev), 1); /* the file is still open */
	close(copy);
	CHECK_EQ(ep_now(ep, ev), 0);
}

static void *write_later(void *arg)
{
	usleep(20000);
	CHECK(!eventfd_write(*(int *)arg, 5));
	return NULL;
}

/* As many as there is room for in one call, none twice. */
TEST(epoll_reports_all_that_are_ready)
{
	enum { NR = 100 };
	struct epoll_event ev[2 * NR];
	int ep = ep_new(), fd[2], seen[NR] = {0}, i;

	for (i = 0; i < NR; i++) {
		CHECK(!pipe(fd));
		CHECK(!ep_ctl(ep, EPOLL_CTL_ADD, fd[1], EPOLLOUT, i));
	}
	CHECK_EQ(epoll_wait(ep, ev, 2 * NR, 0), NR);
	for (i = 0; i < NR; i++)
		CHECK_EQ(seen[ev[i].data.fd]++, 0);
	/* with less room, the rest is the next one's */
	CHECK_EQ(epoll_wait(ep, ev, NR - 30, 0), NR - 30);
	CHECK_EQ(epoll_wait(ep, ev + NR - 30, 30, 0), 30);
	for (i = 0; i < NR; i++)
		CHECK_EQ(seen[ev[i].data.fd]++, 1);
}

TEST(epoll_wait_sleeps_until_something_comes)
{
	struct epoll_event ev[8];
	int ep = ep_new(), fd = eventfd(0, 0);
	pthread_t t;

	CHECK(!ep_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	CHECK_EQ(epoll_wait(ep, ev, 8, 10), 0);
	CHECK(!pthread_create(&t, NULL, write_later, &fd));
	CHECK_EQ(epoll_wait(ep, ev, 8, -1), 1);
	pthread_join(t, NULL);
}

static struct itimerspec every(long first, long then)
{
	return (struct itimerspec){{0, then}, {0, first}};
}

TEST(timerfd_ticks)
{
	struct itimerspec its = every(2 * MS, 2 * MS), now;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct pollfd p = {fd, POLLIN, 0};
	uint64_t n, sum = 0;

	CHECK(fd >= 0);
	CHECK(!timerfd_settime(fd, 0, &its, NULL));
	CHECK_EQ(poll(&p, 1, 5000), 1);
	while (sum < 5) {
		CHECK_EQ(read(fd, &n, 8), 8);
		CHECK(n >= 1);
		sum += n;
	}
	CHECK(!timerfd_gettime(fd, &now));
	CHECK_EQ(now.it_interval.tv_nsec, 2 * MS);
	CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 2 * MS);
}

/* So often that no machine could take an interrupt for each. */
TEST(timerfd_of_a_nanosecond_lets_others_run)
{
	struct itimerspec its = every(1, 1);
	uint64_t n;
	int fd[20], i;

	for (i = 0; i < 20; i++) {
		fd[i] = timerfd_create(CLOCK_MONOTONIC, 0);
		CHECK(!timerfd_settime(fd[i], 0, &its, NULL));
	}
	usleep(2000);
	for (i = 0; i < 20; i++) {
		CHECK_EQ(read(fd[i], &n, 8), 8);
		CHECK(n > 1000);
	}
}

TEST(timerfd_once_and_off)
{
	struct itimerspec its = every(MS, 0), off = every(0, 0), old;
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	uint64_t n;

	CHECK_FAILS(read(fd, &n, 8), EAGAIN);
	CHECK(!timerfd_settime(fd, 0, &its, NULL));
	usleep(5000);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
	CHECK_FAILS(read(fd, &n, 8), EAGAIN);
	its.it_value = (struct timespec){1000, 0};
	CHECK(!timerfd_settime(fd, 0, &its, NULL));
	CHECK(!timerfd_settime(fd, 0, &off, &old));
	CHECK(old.it_value.tv_sec > 500 && old.it_value.tv_sec <= 1000);
	CHECK(!timerfd_gettime(fd, &old));
	CHECK(!old.it_value.tv_sec && !old.it_value.tv_nsec);
}

TEST(timerfd_absolute_time_that_has_passed)
{
	struct itimerspec its = {{0, 0}, {1, 0}};
	int fd = timerfd_create(CLOCK_REALTIME, 0);
	uint64_t n;

	CHECK(!timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
}

TEST(timerfd_refusals)
{
	struct itimerspec its = every(1000 * MS, 0);
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	char c[4];

	CHECK_FAILS(timerfd_create(2, 0), EINVAL);
	CHECK_FAILS(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	CHECK_FAILS(timerfd_settime(fd, 0, &its, NULL), EINVAL);
	CHECK_FAILS(timerfd_settime(fd, 0, NULL, NULL), EFAULT);
	its = every(1, 0);
	CHECK_FAILS(timerfd_settime(fd, 8, &its, NULL), EINVAL);
	CHECK_FAILS(timerfd_settime(99, 0, &its, NULL), EBADF);
	CHECK_FAILS(timerfd_settime(0, 0, &its, NULL), EINVAL);
	CHECK_FAILS(read(fd, c, 4), EINVAL);
}

static int block(int a, int b)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, a);
	sigaddset(&set, b);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	CHECK(fd >= 0);
	return fd;
}

TEST(signalfd_reads_pending_signals)
{
	int fd = block(SIGUSR1, SIGRTMIN + 1);
	struct signalfd_siginfo si[3];
	union sigval v = {.sival_int = 42};
	struct pollfd p = {fd, POLLIN, 0};

	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_FAILS(read(fd, si, sizeof(si)), EAGAIN);
	CHECK_FAILS(read(fd, si, sizeof(si[0]) - 1), EINVAL);
	CHECK(!sigqueue(getpid(), SIGRTMIN + 1, v));
	CHECK(!kill(getpid(), SIGUSR1));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(read(fd, si, sizeof(si)), 2 * sizeof(si[0]));
	CHECK_EQ(si[0].ssi_signo, SIGUSR1);
	CHECK_EQ(si[0].ssi_pid, getpid());
	CHECK_EQ(si[0].ssi_code, SI_USER);
	CHECK_EQ(si[1].ssi_signo, SIGRTMIN + 1);
	CHECK_EQ(si[1].ssi_int, 42);
	CHECK_EQ(si[1].ssi_code, SI_QUEUE);
	CHECK_EQ(poll(&p, 1, 0), 0);
}

TEST(signalfd_wakes_an_epoll)
{
	int fd = block(SIGCHLD, SIGUSR2), ep = ep_new();
	struct signalfd_siginfo si;
	struct epoll_event ev[8];
	pid_t pid;

	CHECK(!ep_ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	pid = fork();
	if (!pid) {
		usleep(20000);
		_exit(6);
	}
	CHECK_EQ(epoll_wait(ep, ev, 8, -1), 1);
	CHECK_EQ(read(fd, &si, sizeof(si)), sizeof(si));
	CHECK_EQ(si.ssi_signo, SIGCHLD);
	CHECK_EQ(si.ssi_pid, pid);
	CHECK_EQ(si.ssi_status, 6);
	CHECK_EQ(si.ssi_code, CLD_EXITED);
}
