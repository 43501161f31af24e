/* SPDX-License-Identifier: MIT */
/*
 * The race's owned stretches: one step of whatever changes mappings or contents, and what each page
 * must hold after it, exactly. The neighbours in the same table belong to others meanwhile.
 */
#include "race.h"

struct stretch {
	struct racer *me;
	int r, first; /* region, first page */
	char *at;
};

#define BYTES (STRETCH * PAGE)
#define RW    (PROT_READ | PROT_WRITE)

void map_range(int r, int first, int pages)
{
	const struct region *g = &regions[r];
	char *at = g->base + first * PAGE;
	int flags = MAP_FIXED | (g->private ? MAP_PRIVATE : MAP_SHARED);
	int fd = g->file == NO_FILE ? -1 : files[g->file];

	if (mmap(at, pages * PAGE, RW, fd < 0 ? flags | MAP_ANONYMOUS : flags, fd,
	         fd < 0 ? 0 : (off_t)(first * PAGE)) != at)
		fail("%s: mmap of %d pages: errno %d", g->name, pages, errno);
}

static void must(const struct stretch *s, int result, const char *what)
{
	if (result)
		fail("%s, page %d: %s: errno %d", regions[s->r].name, s->first, what, errno);
}

void verify(int r, int first, char *base, const char *when)
{
	const struct region *g = &regions[r];
	uint64_t v;

	for (int i = 0; i < STRETCH; i++)
		for (int w = 0; w < WORDS; w++) {
			int sig = load(word_at(base, first + i, w), &v);

			if (sig)
				fail("%s, page %d, %s: signal %d", g->name, first + i, when, sig);
			if (v != g->value[first + i])
				fail("%s, page %d, %s: %#llx, not %#llx", g->name, first + i, when,
				     (unsigned long long)v,
				     (unsigned long long)g->value[first + i]);
		}
}

static void look(const struct stretch *s, const char *when)
{
	verify(s->r, s->first, regions[s->r].base, when);
}

/* All words of a page of what is mapped at @base. */
static void write_page(const struct stretch *s, char *base, int page_nr, uint64_t v)
{
	for (int w = 0; w < WORDS; w++) {
		int sig = store(word_at(base, page_nr, w), v);

		if (sig)
			fail("%s, page %d: signal %d for a store", regions[s->r].name, page_nr,
			     sig);
	}
}

static void write_some(const struct stretch *s, char *base)
{
	struct region *g = &regions[s->r];

	for (int i = s->first; i < s->first + STRETCH; i++)
		if (random_below(s->me, 2)) {
			g->value[i] = tag(s->r, i, s->me->nr, s->me->seq++);
			write_page(s, base, i, g->value[i]);
		}
}

/* A mapping made anew, or emptied: private changes are gone. */
static void forget_private(const struct stretch *s)
{
	struct region *g = &regions[s->r];

	for (int i = s->first; i < s->first + STRETCH && g->private; i++)
		g->value[i] = s->r == OWN_COPY ? tag(OWN_COPY, i, 0, 0) : 0;
}

static void must_fault(const struct stretch *s, bool write, const char *when)
{
	int page_nr = s->first + random_below(s->me, STRETCH);
	volatile uint64_t *at = word_at(regions[s->r].base, page_nr, 0);
	uint64_t v;

	if ((write ? store(at, 1) : load(at, &v)) != SIGSEGV)
		fail("%s, page %d: no SIGSEGV %s", regions[s->r].name, page_nr, when);
}

/* ------------------------------------------------------------------ the steps */

static void step_write(const struct stretch *s)
{
	write_some(s, regions[s->r].base);
}

static void step_read_only(const struct stretch *s)
{
	must(s, mprotect(s->at, BYTES, PROT_READ), "mprotect");
	look(s, "read-only");
	must_fault(s, true, "for a store to read-only memory");
	must(s, mprotect(s->at, BYTES, RW), "mprotect");
}

static void step_no_access(const struct stretch *s)
{
	must(s, mprotect(s->at, BYTES, PROT_NONE), "mprotect");
	must_fault(s, false, "in PROT_NONE");
	must(s, mprotect(s->at, BYTES, RW), "mprotect");
}

static void step_discard(const struct stretch *s)
{
	must(s, madvise(s->at, BYTES, MADV_DONTNEED), "MADV_DONTNEED");
	forget_private(s);
}

static void step_unmap(const struct stretch *s)
{
	must(s, munmap(s->at, BYTES), "munmap");
	must_fault(s, random_below(s->me, 2), "where nothing is mapped");
	map_range(s->r, s->first, STRETCH);
	forget_private(s);
}

static void step_map_over(const struct stretch *s)
{
	map_range(s->r, s->first, STRETCH);
	forget_private(s);
}

static void step_move(const struct stretch *s)
{
	char *to = s->me->scratch + (uintptr_t)(s->at - regions[s->r].base);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	must(s, mremap(s->at, BYTES, BYTES, flags, to) != to, "mremap away");
	must_fault(s, false, "where memory was moved away");
	verify(s->r, s->first, s->me->scratch, "moved away");
	write_some(s, s->me->scratch);
	must(s, mremap(to, BYTES, BYTES, flags, s->at) != s->at, "mremap back");
}

static void step_sync(const struct stretch *s)
{
	const struct region *g = &regions[s->r];
	uint64_t v = 0;

	must(s, msync(s->at, BYTES, MS_SYNC), "msync");
	for (int i = s->first; i < s->first + STRETCH && !g->private; i++) {
		must(s, pread(files[g->file], &v, 8, (off_t)(i * PAGE)) != 8, "pread");
		if (v != g->value[i])
			fail("%s, page %d: the file has %#llx, not %#llx", g->name, i,
			     (unsigned long long)v, (unsigned long long)g->value[i]);
	}
}

static void step_write_file(const struct stretch *s)
{
	struct region *g = &regions[s->r];
	int i = s->first + random_below(s->me, STRETCH);
	uint64_t v = tag(s->r, i, s->me->nr, s->me->seq++);
	off_t at = (off_t)(i * PAGE);

	if (g->private)
		return;
	for (int w = 0; w < WORDS; w++)
		must(s, pwrite(files[g->file], &v, 8, at + (off_t)word_offset(0, w)) != 8,
		     "pwrite");
	g->value[i] = v;
}

/* The kernel itself stores into the memory. */
static void step_read_into(const struct stretch *s)
{
	static const struct {
		int region, file;
	} from[] = {{OWN_FILE, FILE_OWNED}, {OWN_SHMEM, FILE_SHMEM}, {OWN_COPY, FILE_BASE}};
	struct region *g = &regions[s->r];
	int i = s->first + random_below(s->me, STRETCH);

	for (int k = 0; k < 3; k++) {
		if (from[k].region != s->r)
			continue;
		must(s,
		     pread(files[from[k].file], s->at + (i - s->first) * PAGE, PAGE,
		           (off_t)(i * PAGE)) != PAGE,
		     "pread into the mapping");
		if (s->r == OWN_COPY)
			g->value[i] = tag(OWN_COPY, i, 0, 0);
	}
}

static void step_lock(const struct stretch *s)
{
	must(s, mlock(s->at, BYTES), "mlock");
	look(s, "locked");
	must(s, munlock(s->at, BYTES), "munlock");
}

static void step_populate(const struct stretch *s)
{
	must(s,
	     madvise(s->at, BYTES,
	             random_below(s->me, 2) ? MADV_POPULATE_WRITE : MADV_POPULATE_READ),
	     "MADV_POPULATE");
}

/* Given up lazily: each page keeps what it held, or is zero from some moment on. */
static void step_give_up(const struct stretch *s)
{
	struct region *g = &regions[s->r];
	uint64_t v;

	if (s->r != OWN_ANON)
		return;
	must(s, madvise(s->at, BYTES, MADV_FREE), "MADV_FREE");
	for (int i = s->first; i < s->first + STRETCH; i++) {
		must(s, load(word_at(g->base, i, 0), &v), "a load");
		if (v && v != g->value[i])
			fail("%s, page %d: %#llx after MADV_FREE", g->name, i,
			     (unsigned long long)v);
		g->value[i] = tag(s->r, i, s->me->nr, s->me->seq++);
		write_page(s, g->base, i, g->value[i]);
	}
}

/* A child's child has what the child had. */
static void fork_again(const struct stretch *s)
{
	int status;
	pid_t pid = fork();

	must(s, pid < 0, "fork in a child");
	if (!pid) {
		look(s, "in a child's child");
		if (regions[s->r].private)
			step_write(s);
		look(s, "written by a child's child");
		_exit(0);
	}
	must(s, waitpid(pid, &status, 0) != pid, "waitpid");
	if (status)
		fail("%s, page %d: a child's child ended with %#x", regions[s->r].name, s->first,
		     status);
	look(s, "after a child's child");
}

/* Child and parent write at once; each keeps its own, or both have one. */
static void fork_child(const struct stretch *s)
{
	struct region *g = &regions[s->r];

	i_am_child = true;

	look(s, "in a child");
	for (int i = s->first; i < s->first + STRETCH; i += 2) {
		g->value[i] = tag(s->r, i, s->me->nr | CHILD, i);
		write_page(s, g->base, i, g->value[i]);
	}
	if (g->private)
		look(s, "written by a child");
	if (!random_below(s->me, 3))
		fork_again(s);
	for (int i = 0; i < 64; i++)
		peek(random_below(s->me, NR_REGIONS), random_below(s->me, PAGES), 1);
	_exit(0);
}

static void step_fork(const struct stretch *s)
{
	struct region *g = &regions[s->r];
	int status;
	pid_t pid;

	if (random_below(s->me, 3))
		return;
	count(COUNT_FORK);
	pid = fork();
	must(s, pid < 0, "fork");
	if (!pid)
		fork_child(s);
	for (int i = s->first + 1; i < s->first + STRETCH; i += 2) {
		/* pages that the child does not write; it may look at shared ones at any time */
		if (!g->private)
			continue;
		g->value[i] = tag(s->r, i, s->me->nr, s->me->seq++);
		write_page(s, g->base, i, g->value[i]);
	}
	must(s, waitpid(pid, &status, 0) != pid, "waitpid");
	if (status)
		fail("%s, page %d: a child ended with %#x", g->name, s->first, status);
	for (int i = s->first; i < s->first + STRETCH && !g->private; i += 2)
		g->value[i] = tag(s->r, i, s->me->nr | CHILD, i);
}

static void (*const steps[])(const struct stretch *) = {
    step_write,    step_read_only, step_no_access, step_discard,    step_unmap,
    step_map_over, step_move,      step_sync,      step_write_file, step_read_into,
    step_lock,     step_populate,  step_give_up,   step_fork,       step_write,
};

/* A stretch of which nobody else is owner now, and a few steps with it. */
void change_owned(struct racer *me)
{
	int r, nr;

	do {
		r = random_below(me, NR_REGIONS);
		nr = random_below(me, STRETCHES);
	} while (!regions[r].owned || pthread_mutex_trylock(&regions[r].lock[nr]));
	struct stretch s = {me, r, nr * STRETCH, regions[r].base + nr * BYTES};

	for (int i = 0; i < 4; i++) {
		steps[random_below(me, sizeof(steps) / sizeof(steps[0]))](&s);
		look(&s, "after a step");
		count(COUNT_OWNED);
	}
	pthread_mutex_unlock(&regions[r].lock[nr]);
}
