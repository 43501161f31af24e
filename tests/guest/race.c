/* SPDX-License-Identifier: MIT */
/*
 * race [SECONDS [SEED]]: everything that changes an address space, against everything that touches
 * it, on the same pages, in threads and in forked children. A plain Linux program; on mmkit's
 * kernel it also asks /proc/mmkit/check, each time all threads stand still.
 *
 * Each page holds a tag that tells its region, its page and who wrote it, in three places; a frame
 * that strays, a stale translation, a lost copy is a tag where it does not belong. There are two
 * sorts of regions:
 *
 *	owned	in stretches of STRETCH pages with a lock each. Who has the lock changes mappings
 *		and contents and knows exactly what each page holds after each step. All others
 *		read at any time, and must find zero or a tag of this very page.
 *	wild	anybody does anything at any time, file truncation included: only tags are checked.
 *
 * Holes last: nobody maps without MAP_FIXED what could fit into one.
 */
#include "race.h"

#include <linux/falloc.h>
#include <time.h>

struct region regions[NR_REGIONS] = {
    [OWN_ANON] = {.name = "owned anonymous", .file = NO_FILE, .owned = true, .private = true},
    [OWN_SHMEM] = {.name = "owned shmem", .file = FILE_SHMEM, .owned = true},
    [OWN_FILE] = {.name = "owned file", .file = FILE_OWNED, .owned = true},
    [OWN_COPY] = {.name = "owned private file", .file = FILE_BASE, .owned = true, .private = true},
    [WILD_ANON] = {.name = "wild anonymous", .file = NO_FILE, .private = true},
    [WILD_SHMEM] = {.name = "wild shmem", .file = FILE_WILD_SHMEM},
    [WILD_FILE] = {.name = "wild file", .file = FILE_WILD},
    [WILD_COPY] = {.name = "wild private file", .file = FILE_WILD, .private = true},
};

int files[NR_FILES];
bool i_am_child;
static const char *seed_text = "";
static _Atomic unsigned long counts[NR_COUNTS];
static const char *const count_names[NR_COUNTS] = {
    [COUNT_ACCESS] = "accesses",     [COUNT_SEGV] = "SIGSEGV",      [COUNT_BUS] = "SIGBUS",
    [COUNT_OWNED] = "owned changes", [COUNT_WILD] = "wild changes", [COUNT_FORK] = "forks",
};

void count(enum count_kind kind)
{
	atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed);
}

void fail(const char *fmt, ...)
{
	char text[400];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	n += snprintf(text + n, sizeof(text) - n, " (seed %s)\n", seed_text);
	if (write(STDOUT_FILENO, "race: ", 6) < 0 || write(STDOUT_FILENO, text, n) < 0)
		_exit(3);
	_exit(1);
}

/* ------------------------------------------------------------------ one access */

static __thread struct {
	jmp_buf back;
	volatile const void *at;
	volatile sig_atomic_t armed;
} access_now;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	if (!access_now.armed)
		fail("signal %d at %p, and nothing was touched", sig, info->si_addr);
	if (info->si_addr != access_now.at)
		fail("signal %d for %p, when %p was touched", sig, info->si_addr, access_now.at);
	access_now.armed = 0;
	longjmp(access_now.back, sig);
}

/* One word is copied, from or to @touched: 0, or the signal that came instead. */
static int copy_word(const volatile void *touched, volatile uint64_t *to, const volatile uint64_t *from)
{
	int sig = _setjmp(access_now.back);

	count(COUNT_ACCESS);
	if (!sig) {
		access_now.at = touched;
		access_now.armed = 1;
		*to = *from;
		access_now.armed = 0;
	} else {
		count(sig == SIGSEGV ? COUNT_SEGV : COUNT_BUS);
	}
	return sig;
}

int load(const volatile uint64_t *at, uint64_t *value)
{
	return copy_word(at, value, at);
}

int store(volatile uint64_t *at, uint64_t value)
{
	return copy_word(at, at, &value);
}

/* ------------------------------------------------------------------ what may stand in a page */

uint64_t tag(int region, int page_nr, int writer, uint64_t seq)
{
	return TAG_MAGIC << 48 | (uint64_t)region << 40 | (uint64_t)page_nr << 24 |
	       (uint64_t)writer << 16 | (seq & 0xffff);
}

/* Zero, or a tag of this page of this region, or of the file that it is a private copy of. */
static bool legal(int r, int page_nr, uint64_t v)
{
	int from = v >> 40 & 0xff, writer = v >> 16 & 0xff;

	if (!v)
		return true;
	if (v >> 48 != TAG_MAGIC || (int)(v >> 24 & 0xffff) != page_nr)
		return false;
	if (r == WILD_COPY && from == WILD_FILE)
		return true;
	/* what a child writes into private memory is for itself alone */
	return from == r && (i_am_child || !regions[r].private || !(writer & CHILD));
}

size_t word_offset(int page_nr, int which)
{
	static const size_t in_page[WORDS] = {0, 2048 - 8, PAGE - 8};

	return page_nr * PAGE + in_page[which];
}

volatile uint64_t *word_at(char *base, int page_nr, int which)
{
	return (volatile uint64_t *)(base + word_offset(page_nr, which));
}

void peek(int r, int page_nr, int which)
{
	uint64_t v;
	int sig = load(word_at(regions[r].base, page_nr, which), &v);

	if (!sig && !legal(r, page_nr, v))
		fail("%s, page %d: %#llx in %s", regions[r].name, page_nr, (unsigned long long)v,
		     i_am_child ? "a child" : "the parent");
	if (sig == SIGBUS && regions[r].file != FILE_WILD)
		fail("%s, page %d: SIGBUS", regions[r].name, page_nr);
}

/* ------------------------------------------------------------------ standing still */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int wanted, still;
	bool over;
} halt = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static atomic_bool halt_wanted;

/* False: it is over. */
static bool stand_still_if_wanted(void)
{
	bool go_on;

	if (!atomic_load_explicit(&halt_wanted, memory_order_acquire))
		return true;
	pthread_mutex_lock(&halt.lock);
	halt.still++;
	pthread_cond_broadcast(&halt.changed);
	while (halt.wanted && !halt.over)
		pthread_cond_wait(&halt.changed, &halt.lock);
	halt.still--;
	pthread_cond_broadcast(&halt.changed);
	go_on = !halt.over;
	pthread_mutex_unlock(&halt.lock);
	return go_on;
}

static void halt_all(void)
{
	pthread_mutex_lock(&halt.lock);
	while (halt.still)
		pthread_cond_wait(&halt.changed, &halt.lock);
	halt.wanted = 1;
	atomic_store(&halt_wanted, true);
	while (halt.still < THREADS)
		pthread_cond_wait(&halt.changed, &halt.lock);
	pthread_mutex_unlock(&halt.lock);
}

static void go_on(bool over)
{
	pthread_mutex_lock(&halt.lock);
	halt.wanted = 0;
	halt.over = over;
	atomic_store(&halt_wanted, over);
	pthread_cond_broadcast(&halt.changed);
	pthread_mutex_unlock(&halt.lock);
}

/* Every invariant of mmkit's memory system; another kernel has no such file. */
static void ask_kernel(void)
{
	char text[512];
	int fd = open("/proc/mmkit/check", O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (strcmp(text, "text ok\ndata ok\nmemory ok\n"))
		fail("the kernel's check: %s", text);
}

/* ------------------------------------------------------------------ the threads */

uint32_t random_below(struct racer *me, uint32_t n)
{
	me->rng ^= me->rng << 13;
	me->rng ^= me->rng >> 7;
	me->rng ^= me->rng << 17;
	return (uint32_t)(me->rng >> 20) % n;
}

static void touch_some(struct racer *me)
{
	for (int i = 0; i < 24; i++) {
		int r = random_below(me, NR_REGIONS), page_nr = random_below(me, PAGES);
		int which = random_below(me, WORDS), sig;

		peek(r, page_nr, which);
		if (regions[r].owned || random_below(me, 2))
			continue;
		sig = store(word_at(regions[r].base, page_nr, which),
		            tag(r, page_nr, me->nr, me->seq++));
		if (sig == SIGBUS && regions[r].file != FILE_WILD)
			fail("%s, page %d: SIGBUS", regions[r].name, page_nr);
	}
}

static void *race(void *arg)
{
	struct racer *me = arg;

	while (stand_still_if_wanted()) {
		uint32_t dice = random_below(me, 100);

		if (dice < 45)
			touch_some(me);
		else if (dice < 72)
			change_owned(me);
		else if (dice < 97)
			change_wild(me);
		else
			fork_wild(me);
	}
	return NULL;
}

/* ------------------------------------------------------------------ beginning and end */

static int make_file(const char *dir, int nr)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/race-%d-%d", dir, getpid(), nr);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || unlink(path))
		fail("cannot make %s: errno %d", path, errno);
	return fd;
}

static void make_files(void)
{
	const char *dir = getenv("TESTDIR");

	for (int i = 0; i < NR_FILES; i++) {
		bool shmem = i == FILE_SHMEM || i == FILE_WILD_SHMEM;

		files[i] = shmem ? (int)syscall(SYS_memfd_create, "race", 0)
		                 : make_file(dir && *dir ? dir : "/tmp", i);
		if (files[i] < 0 || ftruncate(files[i], PAGES * PAGE))
			fail("cannot make file %d: errno %d", i, errno);
	}
	for (int p = 0; p < PAGES; p++)
		for (int w = 0; w < WORDS; w++) {
			uint64_t v = tag(OWN_COPY, p, 0, 0);

			if (pwrite(files[FILE_BASE], &v, sizeof(v), (off_t)word_offset(p, w)) !=
			    sizeof(v))
				fail("cannot fill the base file: errno %d", errno);
		}
}

/* The last quarter of what a table of pages maps, from p on. */
static char *late_in_table(char *p)
{
	return (char *)(((uintptr_t)p + TABLE_SPAN - 1) & -TABLE_SPAN) + TABLE_SPAN / 4 * 3;
}

/*
 * Regions begin in the middle of what one table of pages maps and end in the middle of another; two
 * that follow each other share one. But no table has pages both of files and of the anonymous
 * regions: fork may treat those in another way. Pages of PROT_NONE stay between regions.
 */
static void make_regions(struct racer *racers)
{
	size_t step = (PAGES + GAP) * PAGE, scratch = 2 * PAGES * PAGE;
	size_t all = NR_REGIONS * step + THREADS * scratch + 4 * TABLE_SPAN;
	char *p = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("no address space: errno %d", errno);
	for (int r = 0; r < NR_REGIONS; r++, p += step) {
		if (r == 0 || r == NR_ANON)
			p = late_in_table(p);
		regions[r].base = p;
		map_range(r, 0, PAGES);
		for (int i = 0; i < PAGES; i++)
			regions[r].value[i] = r == OWN_COPY ? tag(OWN_COPY, i, 0, 0) : 0;
		for (int i = 0; i < STRETCHES; i++)
			pthread_mutex_init(&regions[r].lock[i], NULL);
	}
	for (int i = 0; i < THREADS; i++, p += scratch)
		racers[i].scratch = p;
}

static void check_contents(void)
{
	for (int r = 0; r < NR_REGIONS; r++)
		for (int p = 0; p < PAGES; p++)
			for (int w = 0; w < WORDS; w++)
				peek(r, p, w);
	for (int r = 0; r < NR_REGIONS; r++)
		for (int s = 0; s < STRETCHES && regions[r].owned; s++)
			verify(r, s * STRETCH, regions[r].base, "at rest");
}

static double seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void run_race(double seconds, uint64_t seed)
{
	static struct racer racers[THREADS];
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
	double end = seconds_now() + seconds;

	if (sigaction(SIGSEGV, &sa, NULL) || sigaction(SIGBUS, &sa, NULL))
		fail("sigaction: errno %d", errno);
	make_files();
	make_regions(racers);
	for (int i = 0; i < THREADS; i++) {
		racers[i].nr = i + 1;
		racers[i].rng =
		    (seed + 1) * 0x9e3779b97f4a7c15u + (uint64_t)i * 0xbf58476d1ce4e5b9u;
		if (pthread_create(&racers[i].thread, NULL, race, &racers[i]))
			fail("pthread_create: errno %d", errno);
	}
	printf("race: begun\n");
	do {
		usleep(500000);
		halt_all();
		check_contents();
		ask_kernel();
		go_on(seconds_now() >= end);
	} while (!halt.over);
	for (int i = 0; i < THREADS; i++)
		pthread_join(racers[i].thread, NULL);
	for (int i = 0; i < NR_COUNTS; i++)
		printf("%s%lu %s", i ? ", " : "race: ", counts[i], count_names[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 5;
	static char text[32];

	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(text, sizeof(text), "%s", argc > 2 ? argv[2] : "1");
	seed_text = text;
	run_race(seconds, strtoull(text, NULL, 0));
	printf("race ended\n");
	return 0;
}
