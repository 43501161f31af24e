/* SPDX-License-Identifier: MIT */
/* The world that the unit tests live in: see harness.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/harness.h"

/* ---- life ---- */

static void unlimited(struct world *w)
{
	for (unsigned i = 0; i < MMK_RLIM_NLIMITS; i++)
		w->rlim[i] = (struct mmk_rlimit){MMK_RLIM_INFINITY, MMK_RLIM_INFINITY};
	w->rlim[MMK_RLIMIT_STACK].cur = 8 << 20; /* unlimited would turn the layout upside down */
	w->task.rlim = w->rlim;
	w->task.pid = 1;
}

struct world *world_new(const struct hosted_config *config)
{
	struct world *w = calloc(1, sizeof(*w));
	const char *tmp = getenv("TMPDIR");

	assert_non_null(w);
	w->h = hosted_create(config);
	assert_non_null(w->h);
	w->sys = hosted_system(w->h);
	unlimited(w);
	assert_int_equal(hosted_spawn(w->h, &w->task), 0);
	snprintf(w->dir, sizeof(w->dir), "%.40s/mmkit-unit-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	return w;
}

static void remove_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(path);
}

void world_end(struct world *w)
{
	uint64_t missing;

	hosted_fail_alloc(w->h, HOSTED_ANY_SITE, 0, false);
	hosted_fail_io(w->h, 0, HOSTED_IO_EIO);
	if (w->task.mm)
		hosted_exit(w->h, &w->task);
	for (int fd = 0; fd < HOSTED_NR_FDS; fd++)
		hosted_close(w->h, fd);
	world_check(w, __FILE__, __LINE__);
	missing = hosted_destroy(w->h);
	remove_dir(w->dir);
	free(w);
	if (missing)
		fail_msg("%llu frames were not given back", (unsigned long long)missing);
}

int world_setup(void **state)
{
	*state = world_new(NULL);
	return 0;
}

int world_teardown(void **state)
{
	world_end(*state);
	return 0;
}

/* ---- checks ---- */

void world_check(struct world *w, const char *file, int line)
{
	char what[512] = "";
	unsigned bad;

	if (w->unchecked)
		return;
	if (hosted_audit(w->h)) {
		w->unchecked = true;
		print_error("%s:%d: the TLB's audit failed\n", file, line);
		_fail(file, line);
	}
	bad = mmk_check(w->sys, what, sizeof(what));
	if (!bad && w->task.mm)
		bad = mmk_mm_check(w->task.mm, what, sizeof(what));
	if (bad) {
		w->unchecked = true;
		print_error("%s:%d: %u invariants broken, the first: %s\n", file, line, bad, what);
		_fail(file, line);
	}
}

void world_refused(struct world *w, long err, const char *file, int line)
{
	char words[256];

	mmk_reason_text(&w->task, words, sizeof(words));
	print_error("%s:%d: refused with %ld: %s\n", file, line, err, words);
	_fail(file, line);
}

void world_assert_reason(struct world *w, const char *words, const char *file, int line)
{
	char text[256];

	mmk_reason_text(&w->task, text, sizeof(text));
	if (strstr(text, words))
		return;
	print_error("%s:%d: the reason is \"%s\", without \"%s\"\n", file, line, text, words);
	_fail(file, line);
}

/* ---- accesses ---- */

struct mmk_fault task_load(struct world *w, struct mmk_task *t, unsigned long va, uint8_t *value)
{
	struct mmk_fault f;
	uint8_t byte = 0;

	hosted_load(w->h, t, va, &byte, 1, &f);
	if (value)
		*value = byte;
	world_check(w, __FILE__, __LINE__);
	return f;
}

struct mmk_fault task_store(struct world *w, struct mmk_task *t, unsigned long va, uint8_t value)
{
	struct mmk_fault f;

	hosted_store(w->h, t, va, &value, 1, &f);
	world_check(w, __FILE__, __LINE__);
	return f;
}

struct mmk_fault task_fetch(struct world *w, struct mmk_task *t, unsigned long va)
{
	struct mmk_fault f;
	uint32_t instruction;

	hosted_fetch(w->h, t, va, &instruction, sizeof(instruction), &f);
	world_check(w, __FILE__, __LINE__);
	return f;
}

static void must_work(struct mmk_fault f, unsigned long va, const char *file, int line)
{
	if (!f.signo)
		return;
	print_error("%s:%d: the access to %#lx gives signal %d, code %d\n", file, line, va, f.signo,
	            f.code);
	_fail(file, line);
}

uint8_t task_peek(struct world *w, struct mmk_task *t, unsigned long va, const char *file, int line)
{
	uint8_t value;

	must_work(task_load(w, t, va, &value), va, file, line);
	return value;
}

void task_poke(struct world *w, struct mmk_task *t, unsigned long va, uint8_t v, const char *file,
               int line)
{
	must_work(task_store(w, t, va, v), va, file, line);
}

/* ---- files ---- */

uint8_t file_byte(size_t i)
{
	return (uint8_t)(1 + (i * 31 + i / PAGE * 7) % 255);
}

static void path_of(struct world *w, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", w->dir, name);
}

int host_file(struct world *w, const char *name, size_t size, int flags)
{
	char path[128];
	FILE *f;
	int fd;

	path_of(w, name, path, sizeof(path));
	f = fopen(path, "w");
	assert_non_null(f);
	for (size_t i = 0; i < size; i++)
		fputc(file_byte(i), f);
	assert_int_equal(fclose(f), 0);
	fd = hosted_open(w->h, path, flags, 0644);
	assert_true(fd >= 0);
	return fd;
}

int host_byte(struct world *w, const char *name, size_t i)
{
	char path[128];
	int fd, byte = -1;
	uint8_t b;

	path_of(w, name, path, sizeof(path));
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	if (pread(fd, &b, 1, (off_t)i) == 1)
		byte = b;
	close(fd);
	return byte;
}

long host_size(struct world *w, const char *name)
{
	char path[128];
	struct stat st;

	path_of(w, name, path, sizeof(path));
	return stat(path, &st) ? -1 : (long)st.st_size;
}

int fd_byte(struct world *w, int fd, uint64_t pos)
{
	uint8_t byte;

	return CHECKED(w, hosted_pread(w->h, fd, pos, &byte, 1)) == 1 ? byte : -1;
}

/* ---- looking ---- */

const char *world_maps(struct world *w)
{
	static char text[1 << 16];
	uint64_t pos = 0;
	size_t used = 0;
	long n;

	while ((n = mmk_proc_maps(&w->task, w->task.mm, &pos, text + used,
	                          sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = 0;
	return text;
}

static void draw_vma(char *picture, unsigned long base, unsigned n, unsigned long start,
                     unsigned long end, char letter)
{
	for (unsigned i = 0; i < n; i++)
		if (base + i * PAGE >= start && base + i * PAGE < end)
			picture[i] = letter;
}

const char *world_draw(struct world *w, unsigned long base, unsigned n)
{
	static char picture[256];
	unsigned long start, end;
	char letter = 'A';
	const char *line = world_maps(w);

	assert_true(n < sizeof(picture));
	memset(picture, '.', n);
	picture[n] = 0;
	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || end <= base ||
		    start >= base + n * PAGE)
			continue;
		draw_vma(picture, base, n, start, end, letter++);
	}
	return picture;
}

uint64_t world_nr_vmas(struct world *w)
{
	struct mmk_mm_stats stats;

	mmk_mm_stats(w->task.mm, &stats);
	return stats.map_count;
}

uint64_t world_free_frames(struct world *w)
{
	struct mmk_stats stats;

	mmk_stats(w->sys, &stats);
	return stats.frames_free;
}
