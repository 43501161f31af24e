/* SPDX-License-Identifier: MIT */
/*
 * Threads and processes on several CPUs at once: what each one does to memory is whole and seen by
 * all, and nothing is lost. With one CPU the same must hold, only that less of it happens at once.
 */
#include "guest.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#define RW      (PROT_READ | PROT_WRITE)
#define ANON    (MAP_PRIVATE | MAP_ANONYMOUS)
#define THREADS 6

static void start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	CHECK_EQ(pthread_create(t, NULL, fn, arg), 0);
}

/* Runs fn(arg) in THREADS threads at once, each with its number. */
struct crew {
	void (*fn)(int me, void *arg);
	void *arg;
	atomic_int next;
};

static void *crew_member(void *arg)
{
	struct crew *c = arg;

	c->fn(atomic_fetch_add(&c->next, 1), c->arg);
	return NULL;
}

static void all_together(void (*fn)(int, void *), void *arg)
{
	struct crew c = {.fn = fn, .arg = arg};
	pthread_t t[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		start(&t[i], crew_member, &c);
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
}

static void move_to(pid_t tid, int cpu);

static int nr_cpus(void)
{
	cpu_set_t set;

	CHECK(!sched_getaffinity(0, sizeof(set), &set));
	return CPU_COUNT(&set);
}

/* ------------------------------------------------------------------ faults on the same pages */

#define FAULT_PAGES 256

static void add_to_each_page(int me, void *arg)
{
	char *p = arg;
	int i;

	for (i = 0; i < FAULT_PAGES; i++)
		atomic_fetch_add((atomic_int *)(p + (i + me * 7) % FAULT_PAGES * page), 1);
}

static void check_sums(const char *p, int want)
{
	int i;

	for (i = 0; i < FAULT_PAGES; i++)
		CHECK_EQ(*(const int *)(p + i * page), want);
}

TEST(threads_fault_the_same_private_pages)
{
	char *p = map_anon(FAULT_PAGES);

	all_together(add_to_each_page, p);
	check_sums(p, THREADS);
	CHECK(!munmap(p, FAULT_PAGES * page));
}

TEST(threads_fault_the_same_shared_pages)
{
	char *p = map_anon_shared(FAULT_PAGES);

	all_together(add_to_each_page, p);
	check_sums(p, THREADS);
}

TEST(threads_fault_the_same_pages_of_a_file)
{
	int fd = test_file(0);
	char *p;

	CHECK(!ftruncate(fd, FAULT_PAGES * page));
	p = map(NULL, FAULT_PAGES * page, RW, MAP_SHARED, fd, 0);
	all_together(add_to_each_page, p);
	check_sums(p, THREADS);
	CHECK(!msync(p, FAULT_PAGES * page, MS_SYNC));
	CHECK_EQ(file_read_byte(fd, (FAULT_PAGES - 1) * page), THREADS);
}

TEST(threads_copy_the_same_pages_on_write)
{
	char *p = map_anon(FAULT_PAGES);
	int i, status;
	pid_t pid;

	for (i = 0; i < FAULT_PAGES; i++)
		*(int *)(p + i * page) = 100;
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		all_together(add_to_each_page, p);
		check_sums(p, 100 + THREADS);
		_exit(0);
	}
	all_together(add_to_each_page, p);
	check_sums(p, 100 + THREADS);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* ------------------------------------------------------------------ calls on one address space */

static void map_write_unmap(int me, void *arg)
{
	int round, i, pages = 1 + me;

	for (round = 0; round < 60; round++) {
		char *p = mmap(NULL, pages * page, RW, ANON, -1, 0);

		CHECK(p != MAP_FAILED);
		for (i = 0; i < pages; i++) {
			CHECK_EQ(p[i * page], 0);
			memset(p + i * page, me + 1, 64);
		}
		if (pages > 2)
			CHECK(!mprotect(p + page, page, PROT_READ));
		for (i = 0; i < pages; i++)
			CHECK(is_all(p + i * page, me + 1, 64));
		CHECK(!munmap(p, pages * page));
	}
}

TEST(threads_map_and_unmap_at_once)
{
	all_together(map_write_unmap, NULL);
}

static void discard_and_write(int me, void *arg)
{
	char *p = (char *)arg + me * 4 * page;
	int round;

	for (round = 0; round < 100; round++) {
		memset(p, me + 1, 4 * page);
		CHECK(!madvise(p + page, 2 * page, MADV_DONTNEED));
		CHECK(is_all(p, me + 1, page) && is_all(p + 3 * page, me + 1, page));
		CHECK(is_all(p + page, 0, 2 * page));
	}
}

TEST(threads_discard_parts_of_one_mapping)
{
	char *p = map_anon(4 * THREADS);

	all_together(discard_and_write, p);
	CHECK_MAP(p, 4 * THREADS, "rw-p:24");
}

static void split_and_merge(int me, void *arg)
{
	char *p = (char *)arg + (1 + 2 * me) * page;
	int round;

	for (round = 0; round < 100; round++) {
		CHECK(!mprotect(p, page, PROT_READ));
		CHECK(!mprotect(p, page, RW));
		*(int *)p += 1;
	}
}

TEST(threads_split_and_merge_one_mapping)
{
	char *p = map_anon(1 + 2 * THREADS);
	int i;

	/* Parts that get their first pages while they are apart need not merge again. */
	*p = 1;
	all_together(split_and_merge, p);
	CHECK_MAP(p, 1 + 2 * THREADS, "rw-p:13");
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(*(int *)(p + (1 + 2 * i) * page), 100);
}

/* ------------------------------------------------------------------ what others have cached goes
 */

static struct {
	atomic_int *word;
	atomic_int running, stop, faulted;
} prey;

static void prey_fault(int sig, siginfo_t *si, void *ctx)
{
	if (si->si_addr != (void *)prey.word)
		_exit(99);
	atomic_fetch_add(&prey.faulted, 1);
	/* Until it may go on the access is tried again and again. */
	sched_yield();
}

static void *keep_adding(void *arg)
{
	while (!atomic_load(&prey.stop)) {
		atomic_fetch_add(prey.word, 1);
		atomic_store(&prey.running, 1);
	}
	return NULL;
}

static void catch_faults(void)
{
	struct sigaction sa = {.sa_sigaction = prey_fault, .sa_flags = SA_SIGINFO};

	CHECK(!sigaction(SIGSEGV, &sa, NULL));
}

TEST(mprotect_stops_writers_on_other_cpus)
{
	char *p = map_anon(1);
	pthread_t t;
	int round, seen;

	catch_faults();
	prey.word = (atomic_int *)p;
	start(&t, keep_adding, NULL);
	for (round = 0; round < 50; round++) {
		atomic_store(&prey.running, 0);
		while (!atomic_load(&prey.running))
			sched_yield();
		CHECK(!mprotect(p, page, PROT_READ));
		seen = atomic_load(prey.word);
		usleep(round % 5 * 100);
		CHECK_EQ(atomic_load(prey.word), seen);
		CHECK(!mprotect(p, page, RW));
	}
	atomic_store(&prey.stop, 1);
	pthread_join(t, NULL);
}

/* A page that was unmapped comes back as another: no write may reach the old frame's new owner. */
TEST(munmap_stops_writers_on_other_cpus)
{
	char *p = map_anon(1), *q;
	pthread_t t;
	int round;

	catch_faults();
	prey.word = (atomic_int *)p;
	start(&t, keep_adding, NULL);
	for (round = 0; round < 50; round++) {
		atomic_store(&prey.running, 0);
		while (!atomic_load(&prey.running))
			sched_yield();
		CHECK(!munmap(p, page));
		q = map(NULL, 4 * page, RW, ANON, -1, 0);
		if (q <= p && p < q + 4 * page) /* it took the hole: the writer may write there */
			q = NULL;
		else
			memset(q, 0, 4 * page);
		usleep(100);
		if (q) {
			CHECK(is_all(q, 0, 4 * page));
			CHECK(mmap(p, page, RW, ANON | MAP_FIXED, -1, 0) == p);
			munmap(q, 4 * page);
		} else {
			CHECK(mmap(p, page, RW, ANON | MAP_FIXED, -1, 0) == p);
		}
	}
	atomic_store(&prey.stop, 1);
	pthread_join(t, NULL);
}

/* ------------------------------------------------------------------ fork among threads */

#define FORK_PAGES 32
#define FORK_ADDS  3000

static void add_while_forked(int me, void *arg)
{
	char *p = arg;
	int i, status;
	pid_t pid;

	if (me) {
		for (i = 0; i < FORK_ADDS; i++)
			atomic_fetch_add((atomic_int *)(p + i % FORK_PAGES * page), 1);
		return;
	}
	for (i = 0; i < 12; i++) {
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			int a[FORK_PAGES], k;

			for (k = 0; k < FORK_PAGES; k++)
				a[k] = *(int *)(p + k * page);
			sched_yield();
			for (k = 0; k < FORK_PAGES; k++)
				if (*(int *)(p + k * page) != a[k])
					_exit(1);
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	}
}

/* No addition is lost to a copy-on-write, and a child's memory stands still. */
TEST(fork_while_other_threads_write)
{
	char *p = map_anon(FORK_PAGES);
	long sum = 0;
	int i;

	all_together(add_while_forked, p);
	for (i = 0; i < FORK_PAGES; i++)
		sum += *(int *)(p + i * page);
	CHECK_EQ(sum, (THREADS - 1) * FORK_ADDS);
}

static void fork_and_wait(int me, void *arg)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 10; i++) {
		pid = fork();
		CHECK(pid >= 0);
		if (!pid)
			_exit(me);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(WEXITSTATUS(status), me);
		atomic_fetch_add((atomic_int *)arg, 1);
	}
}

TEST(threads_fork_at_once)
{
	atomic_int done = 0;

	all_together(fork_and_wait, &done);
	CHECK_EQ(done, 10 * THREADS);
}

/* ------------------------------------------------------------------ figures among threads */

static void map_or_ask(int me, void *arg)
{
	struct rusage u;
	char stat[512];
	int i, fd;
	char *p;

	for (i = 0; i < 200; i++) {
		if (me & 1) {
			p = map_anon(64);
			memset(p, me, 64 * page);
			CHECK(!munmap(p, 64 * page));
			continue;
		}
		CHECK(!getrusage(RUSAGE_SELF, &u));
		CHECK(u.ru_maxrss > 0 && u.ru_minflt > 0);
		fd = open("/proc/self/stat", O_RDONLY);
		CHECK(fd >= 0);
		CHECK(read(fd, stat, sizeof(stat)) > 0);
		close(fd);
	}
}

/* Who asks holds locks that others need, and does not wait for memory to stand still. */
TEST(figures_while_memory_changes)
{
	all_together(map_or_ask, NULL);
}

/* ------------------------------------------------------------------ the end among threads */

static void *spin_for_ever(void *arg)
{
	for (;;)
		atomic_fetch_add((atomic_int *)arg, 1);
	return NULL;
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void exit_among_threads(void *arg)
{
	static atomic_int n[THREADS];
	pthread_t t;
	int i;

	for (i = 0; i < THREADS; i++)
		start(&t, i & 1 ? sleep_for_ever : spin_for_ever, &n[i]);
	usleep(2000);
	_exit(37);
}

TEST(exit_ends_threads_on_all_cpus)
{
	int i;

	for (i = 0; i < 5; i++)
		CHECK_EQ(in_child(exit_among_threads, NULL), 37 << 8);
}

static void exec_among_threads(void *arg)
{
	static atomic_int n[THREADS];
	char *argv[] = {"smp", "--exec-child", NULL};
	pthread_t t;
	int i;

	for (i = 0; i < THREADS; i++)
		start(&t, i & 1 ? sleep_for_ever : spin_for_ever, &n[i]);
	usleep(2000);
	execv("/proc/self/exe", argv);
	_exit(1);
}

static void __attribute__((constructor)) maybe_exec_child(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--exec-child"))
		_exit(38);
}

TEST(exec_ends_threads_on_all_cpus)
{
	int i;

	for (i = 0; i < 5; i++)
		CHECK_EQ(in_child(exec_among_threads, NULL), 38 << 8);
}

static void kill_among_threads(void *arg)
{
	static atomic_int n[THREADS];
	pthread_t t;
	int i;

	for (i = 0; i < THREADS; i++)
		start(&t, spin_for_ever, &n[i]);
	pause();
}

TEST(sigkill_ends_threads_on_all_cpus)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			kill_among_threads(NULL);
			_exit(0);
		}
		usleep(i * 1000);
		CHECK(!kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, SIGKILL);
	}
}

/* ------------------------------------------------------------------ signals */

static atomic_int signals_seen;

static void count_signal(int sig)
{
	atomic_fetch_add(&signals_seen, 1);
}

static void *spin_until_stop(void *arg)
{
	atomic_store(&prey.running, 1);
	while (!atomic_load(&prey.stop))
		;
	return NULL;
}

TEST(signals_reach_a_thread_that_computes)
{
	pthread_t t;
	int i;

	CHECK(signal(SIGUSR1, count_signal) != SIG_ERR);
	start(&t, spin_until_stop, NULL);
	while (!atomic_load(&prey.running))
		sched_yield();
	for (i = 1; i <= 50; i++) {
		CHECK_EQ(pthread_kill(t, SIGUSR1), 0);
		while (atomic_load(&signals_seen) < i)
			sched_yield();
	}
	atomic_store(&prey.stop, 1);
	pthread_join(t, NULL);
	CHECK_EQ(signals_seen, 50);
}

static void queue_signals(int me, void *arg)
{
	union sigval v = {.sival_int = me};
	int i;

	for (i = 0; i < 50; i++)
		CHECK(!sigqueue(getpid(), SIGRTMIN + me, v));
}

static atomic_int queued_seen[THREADS];

static void count_queued(int sig, siginfo_t *si, void *ctx)
{
	if (si->si_value.sival_int == sig - SIGRTMIN)
		atomic_fetch_add(&queued_seen[sig - SIGRTMIN], 1);
}

TEST(queued_signals_from_all_cpus_are_all_there)
{
	struct sigaction sa = {.sa_sigaction = count_queued, .sa_flags = SA_SIGINFO | SA_RESTART};
	int i, spins;

	for (i = 0; i < THREADS; i++)
		CHECK(!sigaction(SIGRTMIN + i, &sa, NULL));
	all_together(queue_signals, NULL);
	for (i = 0; i < THREADS; i++) {
		for (spins = 0; atomic_load(&queued_seen[i]) < 50 && spins < 100000; spins++)
			usleep(1000);
		CHECK_EQ(queued_seen[i], 50);
	}
}

TEST(interval_timer_while_all_cpus_compute)
{
	struct itimerval it = {{0, 1000}, {0, 1000}};
	pthread_t t[THREADS];
	int i;

	CHECK(signal(SIGALRM, count_signal) != SIG_ERR);
	for (i = 0; i < THREADS; i++)
		start(&t[i], spin_until_stop, NULL);
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	while (atomic_load(&signals_seen) < 20)
		usleep(1000);
	atomic_store(&prey.stop, 1);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* ------------------------------------------------------------------ long calls */

#define LONG_PAGES 4096

static void call_at_length(atomic_int *seen)
{
	size_t len = LONG_PAGES * page;

	while (!atomic_load(seen))
		munmap(map(NULL, len, RW, ANON | MAP_POPULATE, -1, 0), len);
}

static long resident_pages(pid_t pid)
{
	char path[64];
	long size, resident;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = fopen(path, "r");
	CHECK(f && fscanf(f, "%ld %ld", &size, &resident) == 2);
	fclose(f);
	return resident;
}

/* On one CPU nobody else sees a call half done, if that keeps the CPU to its end. */
TEST(others_run_while_a_call_takes_long)
{
	atomic_int *seen = (atomic_int *)map_anon_shared(1);
	long least = 1 << 20, most = 0, now;
	int status;
	pid_t pid;

	move_to(0, 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		call_at_length(seen);
		_exit(0);
	}
	do {
		now = resident_pages(pid);
		least = now < least ? now : least;
		most = now > most ? now : most;
	} while (most - least < LONG_PAGES / 2 || now < least + 300 || now > most - 300);
	atomic_store(seen, 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* ------------------------------------------------------------------ futexes, pipes */

struct guarded {
	pthread_mutex_t lock;
	pthread_cond_t turn_changed;
	long count;
	int turn;
};

static void add_under_lock(int me, void *arg)
{
	struct guarded *g = arg;
	int i;

	for (i = 0; i < 500; i++) {
		pthread_mutex_lock(&g->lock);
		g->count++;
		pthread_mutex_unlock(&g->lock);
	}
}

/* Who asks for a file's size while another makes it longer may not make it shorter with an old answer. */
#define GROWTH 300

static atomic_bool grown;

static void grow_or_ask(int me, void *path)
{
	struct stat st;
	char c = 'x';
	int i, fd;

	if (me) {
		while (!grown)
			CHECK(!stat(path, &st));
		return;
	}
	for (i = 0; i < GROWTH; i++) {
		fd = open(path, O_WRONLY);
		CHECK_EQ(pwrite(fd, &c, 1, 4096l * i), 1);
		close(fd);
		fd = open(path, O_RDONLY);
		CHECK_EQ(pread(fd, &c, 1, 4096l * i), 1);
		close(fd);
	}
	grown = true;
}

TEST(threads_ask_for_the_size_of_a_file_that_grows)
{
	char path[] = "grows.XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	close(fd);
	grown = false;
	all_together(grow_or_ask, path);
	unlink(path);
}

TEST(mutex_keeps_threads_apart)
{
	struct guarded g = {.lock = PTHREAD_MUTEX_INITIALIZER};

	all_together(add_under_lock, &g);
	CHECK_EQ(g.count, 500 * THREADS);
}

static void take_turns(int me, void *arg)
{
	struct guarded *g = arg;
	int i;

	for (i = 0; i < 50; i++) {
		pthread_mutex_lock(&g->lock);
		while (g->turn != me)
			pthread_cond_wait(&g->turn_changed, &g->lock);
		g->turn = (me + 1) % THREADS;
		g->count++;
		pthread_cond_broadcast(&g->turn_changed);
		pthread_mutex_unlock(&g->lock);
	}
}

TEST(condition_passes_the_turn_round)
{
	struct guarded g = {.lock = PTHREAD_MUTEX_INITIALIZER,
	                    .turn_changed = PTHREAD_COND_INITIALIZER};

	all_together(take_turns, &g);
	CHECK_EQ(g.count, 50 * THREADS);
}

/* The bare calls, between processes, on a word of a shared mapping. */
static void futex_wait_for(atomic_int *w, int value)
{
	int seen;

	while ((seen = atomic_load(w)) != value)
		syscall(SYS_futex, w, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void futex_set(atomic_int *w, int value)
{
	atomic_store(w, value);
	syscall(SYS_futex, w, FUTEX_WAKE, 1, NULL, NULL, 0);
}

TEST(futex_ping_pong_between_processes)
{
	atomic_int *w = (atomic_int *)map_anon_shared(1);
	int i, status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	for (i = 0; i < 300; i++) {
		futex_wait_for(w, 2 * i + !pid);
		futex_set(w, 2 * i + !pid + 1);
	}
	if (!pid)
		_exit(0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(*w, 600);
}

TEST(pipe_between_cpus_keeps_every_byte)
{
	unsigned char buf[777];
	size_t got = 0;
	ssize_t n, i;
	int fd[2], status;
	pid_t pid;

	CHECK(!pipe(fd));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		close(fd[0]);
		for (got = 0; got < 300000; got += n) {
			size_t want = got + 1000 > 300000 ? 300000 - got : 1000;

			for (i = 0; i < (ssize_t)want && i < (ssize_t)sizeof(buf); i++)
				buf[i] = file_byte(got + i);
			n = write(fd[1], buf, want < sizeof(buf) ? want : sizeof(buf));
			if (n <= 0)
				_exit(1);
		}
		_exit(0);
	}
	close(fd[1]);
	while ((n = read(fd[0], buf, sizeof(buf))) > 0) {
		CHECK(is_file_pattern(buf, got, n));
		got += n;
	}
	CHECK_EQ(got, 300000);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* ------------------------------------------------------------------ which CPU */

static void move_to(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(tid, sizeof(set), &set));
}

TEST(affinity_moves_the_caller_at_once)
{
	int n = nr_cpus(), i;
	unsigned cpu;

	for (i = 0; i < 3 * n; i++) {
		move_to(0, i % n);
		CHECK_EQ(sched_getcpu(), i % n);
		CHECK(!syscall(SYS_getcpu, &cpu, NULL, NULL));
		CHECK_EQ(cpu, i % n);
		CHECK_EQ(nr_cpus(), 1);
		sched_yield();
		CHECK_EQ(sched_getcpu(), i % n);
	}
}

static void child_is_there(void *arg)
{
	CHECK_EQ(nr_cpus(), 1);
	CHECK_EQ(sched_getcpu(), *(int *)arg);
}

TEST(affinity_is_inherited)
{
	int last = nr_cpus() - 1;

	move_to(0, last);
	in_good_child(child_is_there, &last);
}

TEST(affinity_refusals)
{
	unsigned long mask = 0;
	cpu_set_t none;

	CPU_ZERO(&none);
	CHECK_FAILS(sched_setaffinity(0, sizeof(none), &none), EINVAL);
	CHECK_FAILS(sched_setaffinity(999999, sizeof(none), &none), ESRCH);
	CHECK_FAILS(syscall(SYS_sched_setaffinity, 0, sizeof(mask), NULL), EFAULT);
	CHECK_FAILS(syscall(SYS_sched_getaffinity, 0, 4, &mask), EINVAL);
	CHECK_FAILS(syscall(SYS_sched_getaffinity, 0, 9, &mask), EINVAL);
	CHECK_FAILS(syscall(SYS_sched_getaffinity, 999999, 8, &mask), ESRCH);
	CHECK_EQ(syscall(SYS_sched_getaffinity, 0, 8, &mask), 8);
	become_nobody();
	mask = 1;
	CHECK_FAILS(syscall(SYS_sched_setaffinity, getppid(), sizeof(mask), &mask), EPERM);
}

static atomic_int where;
static atomic_int spinner_tid;

static void *spin_and_tell(void *arg)
{
	atomic_store(&spinner_tid, (int)syscall(SYS_gettid));
	while (!atomic_load(&prey.stop))
		atomic_store(&where, sched_getcpu());
	return NULL;
}

TEST(affinity_moves_a_thread_that_computes)
{
	int n = nr_cpus(), i;
	pthread_t t;

	start(&t, spin_and_tell, NULL);
	while (!atomic_load(&spinner_tid))
		sched_yield();
	for (i = 0; i < 3 * n; i++) {
		move_to(spinner_tid, i % n);
		while (atomic_load(&where) != i % n)
			sched_yield();
	}
	atomic_store(&prey.stop, 1);
	pthread_join(t, NULL);
}

static unsigned fp_mix(int me, int n)
{
	volatile double a = 1.0 + me, b = 0.5;
	register double x asm("d8") = a, y asm("d9") = b;
	register double z asm("d20") = a * b;
	int i;

	for (i = 0; i < 200; i++) {
		asm volatile("" : "+w"(x), "+w"(y), "+w"(z));
		x = x * 1.0009765625 + y;
		y = y + z * 0.25;
		z = z * 0.5 + 1.0;
		if (n && i % 5 == me % 5)
			move_to(0, (i + me) % n);
	}
	return (unsigned)(x * 1000) ^ (unsigned)(y * 1000) ^ (unsigned)(z * 1000);
}

static void fp_on_all_cpus(int me, void *arg)
{
	int round, n = *(int *)arg;
	unsigned want = fp_mix(me, 0);

	for (round = 0; round < 3; round++)
		CHECK_EQ(fp_mix(me, n), want);
}

TEST(floating_point_registers_move_along)
{
	int n = nr_cpus();

	all_together(fp_on_all_cpus, &n);
}

/* ------------------------------------------------------------------ time, code */

static void clock_goes_on(int me, void *arg)
{
	_Atomic uint64_t *last = arg;
	struct timespec ts;
	uint64_t now, seen;
	int i;

	for (i = 0; i < 1000; i++) {
		seen = atomic_load(last);
		CHECK(!clock_gettime(CLOCK_MONOTONIC, &ts));
		now = ts.tv_sec * 1000000000ull + ts.tv_nsec;
		CHECK(now >= seen);
		while (seen < now && !atomic_compare_exchange_weak(last, &seen, now))
			;
	}
}

TEST(clock_never_goes_back_between_cpus)
{
	_Atomic uint64_t last = 0;

	all_together(clock_goes_on, &last);
}

static struct {
	pthread_barrier_t written, ran;
	int (*fn)(void);
} jit;

static void *run_code(void *arg)
{
	int i;

	for (i = 0; i < 20; i++) {
		pthread_barrier_wait(&jit.written);
		CHECK_EQ(jit.fn(), i);
		pthread_barrier_wait(&jit.ran);
	}
	return NULL;
}

TEST(new_code_runs_on_other_cpus)
{
	uint32_t *p = (uint32_t *)map_anon(1);
	pthread_t t;
	int i;

	pthread_barrier_init(&jit.written, NULL, 2);
	pthread_barrier_init(&jit.ran, NULL, 2);
	jit.fn = (int (*)(void))p;
	start(&t, run_code, NULL);
	for (i = 0; i < 20; i++) {
		CHECK(!mprotect(p, page, RW));
		p[0] = 0x52800000 | i << 5; /* mov w0, #i */
		p[1] = 0xd65f03c0;          /* ret */
		__builtin___clear_cache((char *)p, (char *)(p + 2));
		CHECK(!mprotect(p, page, PROT_READ | PROT_EXEC));
		pthread_barrier_wait(&jit.written);
		pthread_barrier_wait(&jit.ran);
	}
	pthread_join(t, NULL);
}

/* ------------------------------------------------------------------ more than 8 bits of ASIDs */

#define SPACES 280

static void keep_own_number(int number)
{
	volatile int *p = (volatile int *)map_anon(2);
	int i;

	for (i = 0; i < 6; i++) {
		p[0] = number + i;
		p[page / sizeof(int)] = -number;
		sched_yield();
		CHECK_EQ(p[0], number + i);
		CHECK_EQ(p[page / sizeof(int)], -number);
	}
}

TEST(many_address_spaces_at_once)
{
	int i, status, good = 0;

	for (i = 1; i <= SPACES; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid) {
			keep_own_number(i);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		good += !status;
	CHECK_EQ(good, SPACES);
}
