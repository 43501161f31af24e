/* SPDX-License-Identifier: MIT */
/*
 * What msync(MS_SYNC) promises, kept through the sudden end of the machine.
 *
 *	promise make FILE SEED		in the guest, without end: two threads write pages of FILE
 *		through two shared mappings; each word of a page tells the page and its generation.
 *		After each msync that has returned a line tells the generations that it promises:
 *		"synced FIRST GENERATION...". "cut PAGES" comes before the file is cut to that
 *length. promise watch FILE SEED PIDFILE		on the host, with these lines as standard
 *input: kills the process of PIDFILE (QEMU) at a moment that SEED tells, reads what lines are left,
 *and looks whether FILE has all that was promised. More recent is well as well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE     4096ul
#define WORDS    (PAGE / sizeof(uint64_t))
#define PAGES    256
#define MOST     32 /* pages of one msync */
#define FIRST_IS 64 /* the file's length at first, in pages */

static uint64_t rng;

static void die(const char *what)
{
	printf("promise: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set_seed(const char *text, uint64_t more)
{
	rng = (strtoull(text, NULL, 0) * 2 + 1 + more) * 0x9e3779b97f4a7c15u;
}

static uint32_t random_below(uint64_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 20) % n;
}

static uint64_t word(int page_nr, uint32_t generation)
{
	return (uint64_t)page_nr << 32 | generation;
}

/* ------------------------------------------------------------------ in the guest */

static struct {
	int fd, pages; /* the file; the lock */
	char *map[2];
	uint32_t generation[PAGES]; /* the lock */
	pthread_mutex_t lock;
} file = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void write_page(uint64_t *state)
{
	pthread_mutex_lock(&file.lock);
	int page_nr = (int)random_below(state, (uint32_t)file.pages);
	uint32_t generation = ++file.generation[page_nr];
	uint64_t *p = (uint64_t *)(file.map[random_below(state, 2)] + page_nr * PAGE);

	for (size_t i = 0; i < WORDS; i++)
		p[i] = word(page_nr, generation);
	pthread_mutex_unlock(&file.lock);
}

static void *write_on(void *arg)
{
	uint64_t state = rng ^ 0x5555;

	for (;;) {
		for (int i = 0; i < 20; i++)
			write_page(&state);
		usleep(random_below(&state, 1000));
	}
	return NULL;
}

static void say(const char *text, size_t n)
{
	if (write(STDOUT_FILENO, text, n) != (ssize_t)n)
		exit(0);
}

static void sync_some(void)
{
	char line[MOST * 12 + 32];
	int first, pages, n;

	pthread_mutex_lock(&file.lock);
	first = (int)random_below(&rng, (uint32_t)file.pages);
	pages = 1 + (int)random_below(&rng, MOST);
	pages = pages < file.pages - first ? pages : file.pages - first;
	n = sprintf(line, "synced %d", first);
	for (int i = first; i < first + pages; i++)
		n += sprintf(line + n, " %u", file.generation[i]);
	pthread_mutex_unlock(&file.lock);
	if (msync(file.map[random_below(&rng, 2)] + first * PAGE, pages * PAGE, MS_SYNC))
		die("msync");
	line[n++] = '\n';
	say(line, (size_t)n);
}

static void change_length(void)
{
	char line[32];
	int pages = 1 + (int)random_below(&rng, PAGES);

	pthread_mutex_lock(&file.lock);
	if (pages < file.pages)
		say(line, (size_t)sprintf(line, "cut %d\n", pages));
	for (int i = pages; i < file.pages; i++)
		file.generation[i] = 0; /* nothing is promised of it any more */
	if (ftruncate(file.fd, (off_t)(pages * PAGE)))
		die("ftruncate");
	file.pages = pages;
	pthread_mutex_unlock(&file.lock);
}

static void make(const char *name, const char *seed)
{
	pthread_t thread;

	set_seed(seed, 0);
	file.fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	file.pages = FIRST_IS;
	if (file.fd < 0 || ftruncate(file.fd, FIRST_IS * PAGE))
		die(name);
	for (int i = 0; i < 2; i++) {
		file.map[i] =
		    mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
		if (file.map[i] == MAP_FAILED)
			die("mmap");
	}
	if (pthread_create(&thread, NULL, write_on, NULL))
		die("pthread_create");
	for (;;) {
		for (uint32_t i = random_below(&rng, 30); i > 0; i--)
			write_page(&rng);
		sync_some();
		if (!random_below(&rng, 10))
			change_length();
	}
}

/* ------------------------------------------------------------------ on the host */

static uint32_t promised[PAGES];
static unsigned lines;

static void note(char *line)
{
	char *at;
	long n;

	lines++;
	if (!strncmp(line, "cut ", 4)) {
		for (n = atol(line + 4); n < PAGES; n++)
			promised[n] = 0;
		return;
	}
	if (strncmp(line, "synced ", 7)) {
		printf("promise: the guest says: %s", line);
		exit(1);
	}
	for (n = strtol(line + 7, &at, 10); *at == ' ' && n < PAGES; n++)
		promised[n] = (uint32_t)strtoul(at, &at, 10);
}

static void kill_qemu(const char *pidfile)
{
	FILE *f = fopen(pidfile, "r");
	int pid = 0;

	if (!f || fscanf(f, "%d", &pid) != 1 || pid < 2 || kill(pid, SIGKILL))
		die(pidfile);
	fclose(f);
}

static void check_page(const char *name, const char *seed, int fd, int page_nr)
{
	uint64_t words[WORDS];
	ssize_t n = pread(fd, words, PAGE, (off_t)(page_nr * PAGE));

	if (n < 0)
		die(name);
	memset((char *)words + n, 0, PAGE - (size_t)n);
	for (size_t i = 0; i < WORDS; i++) {
		uint32_t generation = (uint32_t)words[i];

		if (generation >= promised[page_nr] &&
		    (!words[i] || words[i] == word(page_nr, generation)))
			continue;
		printf("promise: seed %s: page %d, word %zu is %#llx, generation %u was promised\n",
		       seed, page_nr, i, (unsigned long long)words[i], promised[page_nr]);
		exit(1);
	}
}

static void watch(const char *name, const char *seed, const char *pidfile)
{
	char line[MOST * 12 + 64];
	unsigned moment;
	int fd, kept = 0;

	set_seed(seed, 1000);
	(void)random_below(&rng, 2);
	moment = 1 + random_below(&rng, 80);
	while (fgets(line, sizeof(line), stdin) && strchr(line, '\n')) {
		note(line);
		if (lines != moment)
			continue;
		usleep(random_below(&rng, 20000));
		kill_qemu(pidfile);
	}
	fd = open(name, O_RDONLY);
	if (fd < 0 || lines < moment)
		die(fd < 0 ? name : "the guest said too little");
	for (int i = 0; i < PAGES; i++) {
		check_page(name, seed, fd, i);
		kept += promised[i] > 0;
	}
	printf("seed %s: killed after line %u, %u lines, %d pages as promised\n", seed, moment,
	       lines, kept);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "make"))
		make(argv[2], argv[3]);
	else if (argc == 5 && !strcmp(argv[1], "watch"))
		watch(argv[2], argv[3], argv[4]);
	else
		return 2;
	return 0;
}
