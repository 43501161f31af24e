/* SPDX-License-Identifier: MIT */
/* POSIX timers, and what a process is told of the CPU time it has used. */
#include "guest.h"

#include <pthread.h>
#include <sys/times.h>
#include <time.h>

#define MS 1000000ll

static long create(clockid_t clock, struct sigevent *ev, int *id)
{
	return syscall(SYS_timer_create, clock, ev, id);
}

static long set(int id, int flags, long long value, long long interval, struct itimerspec *old)
{
	struct itimerspec v = {{interval / 1000000000, interval % 1000000000},
	                       {value / 1000000000, value % 1000000000}};

	return syscall(SYS_timer_settime, id, flags, &v, old);
}

static long long left_of(int id, long long *interval)
{
	struct itimerspec v;

	CHECK(!syscall(SYS_timer_gettime, id, &v));
	if (interval)
		*interval = v.it_interval.tv_sec * 1000000000ll + v.it_interval.tv_nsec;
	return v.it_value.tv_sec * 1000000000ll + v.it_value.tv_nsec;
}

static long long now_ns(clockid_t clock)
{
	struct timespec ts;

	CHECK(!clock_gettime(clock, &ts));
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void block(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	CHECK(!sigprocmask(SIG_BLOCK, &s, NULL));
}

/* The next signal, blocked, within ten seconds. */
static siginfo_t take(int sig)
{
	struct timespec limit = {10, 0};
	siginfo_t si;
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	CHECK_EQ(sigtimedwait(&s, &si, &limit), sig);
	return si;
}

static bool is_pending(int sig)
{
	sigset_t s;

	CHECK(!sigpending(&s));
	return sigismember(&s, sig);
}

static int signal_timer(clockid_t clock, int sig)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig};
	int id = -1;

	ev.sigev_value.sival_int = 4711;
	block(sig);
	CHECK(!create(clock, &ev, &id));
	return id;
}

TEST(timer_fires_once)
{
	static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		int id = signal_timer(clocks[i], SIGRTMIN);
		long long start = now_ns(CLOCK_MONOTONIC);
		siginfo_t si;

		CHECK_EQ(left_of(id, NULL), 0);
		CHECK(!set(id, 0, 20 * MS, 0, NULL));
		si = take(SIGRTMIN);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
		CHECK_EQ(si.si_code, SI_TIMER);
		CHECK_EQ(si.si_timerid, id);
		CHECK_EQ(si.si_overrun, 0);
		CHECK_EQ(si.si_value.sival_int, 4711);
		CHECK_EQ(left_of(id, NULL), 0);
		CHECK(!syscall(SYS_timer_delete, id));
	}
}

TEST(timer_without_an_event_sends_sigalrm)
{
	siginfo_t si;
	int id;

	block(SIGALRM);
	CHECK(!create(CLOCK_MONOTONIC, NULL, &id));
	CHECK(!set(id, 0, 1, 0, NULL));
	si = take(SIGALRM);
	CHECK_EQ(si.si_value.sival_int, id);
}

TEST(timer_of_a_moment)
{
	int id = signal_timer(CLOCK_REALTIME, SIGUSR1);
	long long at = now_ns(CLOCK_REALTIME) + 30 * MS;

	CHECK(!set(id, TIMER_ABSTIME, at, 0, NULL));
	take(SIGUSR1);
	CHECK(now_ns(CLOCK_REALTIME) >= at);
	/* one that has passed */
	CHECK(!set(id, TIMER_ABSTIME, 1, 0, NULL));
	take(SIGUSR1);
}

TEST(timer_counts_overruns)
{
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1), i;
	struct timespec pause = {0, 100 * MS};
	long long interval;
	siginfo_t si;

	CHECK(!set(id, 0, 2 * MS, 2 * MS, NULL));
	nanosleep(&pause, NULL);
	/* one signal, however often it came; and it goes on */
	si = take(SIGUSR1);
	CHECK(si.si_overrun >= 30);
	CHECK_EQ(syscall(SYS_timer_getoverrun, id), si.si_overrun);
	for (i = 0; i < 3; i++)
		take(SIGUSR1);
	CHECK(left_of(id, &interval) <= 2 * MS);
	CHECK_EQ(interval, 2 * MS);
	CHECK(!set(id, 0, 0, 5, NULL));
	CHECK_EQ(left_of(id, &interval), 0);
	CHECK_EQ(interval, 0);
}

TEST(timer_setting_tells_the_old_one)
{
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1);
	struct itimerspec old;

	CHECK(!set(id, 0, 1000000 * MS, 7 * MS, &old));
	CHECK_EQ(old.it_value.tv_sec, 0);
	CHECK(!set(id, 0, 2000000 * MS, 0, &old));
	CHECK(old.it_value.tv_sec > 900 && old.it_value.tv_sec < 1000);
	CHECK_EQ(old.it_interval.tv_nsec, 7 * MS);
	CHECK(!is_pending(SIGUSR1));
}

TEST(timer_that_notifies_nobody)
{
	struct sigevent ev = {.sigev_notify = SIGEV_NONE};
	struct timespec pause = {0, 30 * MS};
	int id;

	CHECK(!create(CLOCK_MONOTONIC, &ev, &id));
	CHECK(!set(id, 0, 1000000 * MS, 0, NULL));
	CHECK(left_of(id, NULL) > 0);
	CHECK(!set(id, 0, 10 * MS, 0, NULL));
	nanosleep(&pause, NULL);
	CHECK_EQ(left_of(id, NULL), 0);
	CHECK(!set(id, 0, 7 * MS, 1000000 * MS, NULL));
	nanosleep(&pause, NULL);
	CHECK(left_of(id, NULL) > 900000 * MS);
}

static volatile pid_t got_in;

static void on_sig(int sig)
{
	got_in = (pid_t)syscall(SYS_gettid);
}

static void *thread_with_timer(void *arg)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL | SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
	int id, i;

	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	CHECK(!create(CLOCK_MONOTONIC, &ev, &id));
	CHECK(!set(id, 0, MS, 0, NULL));
	for (i = 0; i < 1000 && !got_in; i++)
		usleep(10000);
	CHECK_EQ(got_in, ev._sigev_un._tid);
	return arg;
}

TEST(timer_for_one_thread)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL | SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
	pthread_t th;
	int id;

	signal(SIGUSR2, on_sig);
	CHECK(!pthread_create(&th, NULL, thread_with_timer, NULL));
	CHECK(!pthread_join(th, NULL));
	ev._sigev_un._tid = 1;
	CHECK_FAILS(create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
	ev._sigev_un._tid = 0;
	CHECK_FAILS(create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
}

static volatile sig_atomic_t came;

static void count(int sig)
{
	came++;
}

/* Burns CPU time until it has come. */
static void cpu_timer(clockid_t clock)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	long long start = now_ns(clock), spent;
	int id;

	signal(SIGUSR1, count);
	came = 0;
	CHECK(!create(clock, &ev, &id));
	CHECK(!set(id, 0, 60 * MS, 20 * MS, NULL));
	while (came < 3)
		if (now_ns(clock) - start > 100000 * MS)
			test_fail("%d signals in 100 seconds of CPU time", came);
	spent = now_ns(clock) - start;
	CHECK(spent >= 100 * MS);
	CHECK(!syscall(SYS_timer_delete, id));
}

TEST(timer_of_cpu_time)
{
	struct timespec pause = {0, 100 * MS};

	cpu_timer(CLOCK_PROCESS_CPUTIME_ID);
	cpu_timer(CLOCK_THREAD_CPUTIME_ID);
	/* asleep none of it passes */
	came = 0;
	CHECK(!nanosleep(&pause, NULL));
	CHECK_EQ(came, 0);
}

static void child_has_none(void *arg)
{
	struct itimerspec v;

	CHECK_FAILS(syscall(SYS_timer_gettime, *(int *)arg, &v), EINVAL);
	CHECK_FAILS(syscall(SYS_timer_delete, *(int *)arg), EINVAL);
}

TEST(timer_is_not_inherited)
{
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1);

	CHECK(!set(id, 0, 1000000 * MS, 0, NULL));
	in_good_child(child_has_none, &id);
	CHECK(left_of(id, NULL) > 0);
}

/* Of a deleted timer the signal that waits is still delivered. */
TEST(timer_deleted_with_its_signal_pending)
{
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1), i;

	CHECK(!set(id, 0, 1, 0, NULL));
	for (i = 0; i < 1000 && !is_pending(SIGUSR1); i++)
		usleep(10000);
	CHECK(!syscall(SYS_timer_delete, id));
	CHECK(is_pending(SIGUSR1));
	CHECK_EQ(take(SIGUSR1).si_code, SI_TIMER);
	CHECK(!is_pending(SIGUSR1));
	CHECK_FAILS(syscall(SYS_timer_delete, id), EINVAL);
}

/* While its signal is ignored a timer goes on. */
TEST(timer_ignored_for_a_while)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct timespec pause = {0, 30 * MS};
	int id, i;

	signal(SIGUSR1, SIG_IGN);
	CHECK(!create(CLOCK_MONOTONIC, &ev, &id));
	CHECK(!set(id, 0, MS, MS, NULL));
	nanosleep(&pause, NULL);
	came = 0;
	signal(SIGUSR1, count);
	for (i = 0; i < 1000 && came < 3; i++)
		nanosleep(&pause, NULL);
	CHECK(came >= 3);
}

TEST(timer_refusals)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
	struct rlimit limit = {0, 0};
	struct itimerspec v = {{0, 0}, {0, 1000000000}};
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1), other;

	CHECK_FAILS(create(CLOCK_MONOTONIC, &ev, &other), EINVAL);
	ev.sigev_signo = 0;
	CHECK_FAILS(create(CLOCK_MONOTONIC, &ev, &other), EINVAL);
	ev.sigev_signo = SIGUSR1;
	ev.sigev_notify = 17;
	CHECK_FAILS(create(CLOCK_MONOTONIC, &ev, &other), EINVAL);
	CHECK_FAILS(create(77, NULL, &other), EINVAL);
	CHECK_FAILS(create(CLOCK_MONOTONIC_RAW, NULL, &other), EOPNOTSUPP);
	CHECK_FAILS(create(CLOCK_MONOTONIC_COARSE, NULL, &other), EOPNOTSUPP);
	CHECK_FAILS(create(CLOCK_MONOTONIC, NULL, (int *)8), EFAULT);
	CHECK_FAILS(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
	CHECK_FAILS(syscall(SYS_timer_settime, id, 0, 8, NULL), EFAULT);
	CHECK_FAILS(syscall(SYS_timer_settime, id, 0, &v, NULL), EINVAL);
	CHECK_FAILS(syscall(SYS_timer_gettime, id, 8), EFAULT);
	CHECK_FAILS(set(12345, 0, 1, 0, NULL), EINVAL);
	CHECK_FAILS(syscall(SYS_timer_getoverrun, 12345), EINVAL);
	CHECK(!setrlimit(RLIMIT_SIGPENDING, &limit));
	CHECK_FAILS(create(CLOCK_MONOTONIC, NULL, &other), EAGAIN);
}

/* ---- CPU time as it is told ---- */

struct cpu {
	double user, system;
};

static struct cpu rusage_of(int who)
{
	struct rusage u;

	CHECK(!getrusage(who, &u));
	return (struct cpu){u.ru_utime.tv_sec + u.ru_utime.tv_usec / 1e6,
	                    u.ru_stime.tv_sec + u.ru_stime.tv_usec / 1e6};
}

/*
 * How much of it was user's is known after a few ticks only, and what has been told once stays:
 * so nobody asks meanwhile for more than the sum.
 */
static bool burnt(long ms)
{
	return now_ns(CLOCK_PROCESS_CPUTIME_ID) >= ms * MS;
}

static void burn_user(long ms)
{
	volatile unsigned int x = 0;

	do {
		int i;

		for (i = 0; i < 3000000; i++)
			x += i;
	} while (!burnt(ms));
}

static void burn_kernel(long ms)
{
	static char buf[1 << 20];
	int fd = open("/dev/zero", O_RDONLY);

	CHECK(fd >= 0);
	do
		CHECK_EQ(read(fd, buf, sizeof(buf)), sizeof(buf));
	while (!burnt(ms));
	close(fd);
}

static void child_burns_user(void *arg)
{
	struct cpu c;

	burn_user(500);
	c = rusage_of(RUSAGE_SELF);
	CHECK(c.user >= 3 * c.system);
}

static void child_burns_kernel(void *arg)
{
	unsigned long ut = 0, st = 0;
	struct cpu c;
	struct tms t;
	FILE *f;

	burn_kernel(500);
	c = rusage_of(RUSAGE_SELF);
	CHECK(c.system >= 3 * c.user);
	CHECK(times(&t) != -1);
	CHECK(t.tms_stime >= 3 * t.tms_utime && t.tms_stime + t.tms_utime >= 45);
	f = fopen("/proc/self/stat", "r");
	CHECK(f && fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ut, &st) == 2);
	CHECK(st >= 3 * ut && st + ut >= 45);
	fclose(f);
}

TEST(time_of_programs_that_compute)
{
	struct cpu c;

	in_good_child(child_burns_user, NULL);
	c = rusage_of(RUSAGE_CHILDREN);
	CHECK(c.user + c.system >= 0.5 && c.user >= 3 * c.system);
}

TEST(time_of_programs_that_live_in_the_kernel)
{
	struct cpu c;

	in_good_child(child_burns_kernel, NULL);
	c = rusage_of(RUSAGE_CHILDREN);
	CHECK(c.user + c.system >= 0.5 && c.system >= 3 * c.user);
}
