/* SPDX-License-Identifier: MIT */
/*
 * The race's wild regions: any change of any range, at any time, by anybody. Calls may fail where
 * another thread has taken the memory away; what they must not do is lose or mix up a page.
 */
#include "race.h"

#include <linux/falloc.h>

#define RW (PROT_READ | PROT_WRITE)

struct range {
	struct racer *me;
	int r, first, pages;
	char *at;
	size_t bytes;
};

/* Mostly short ones, sometimes all of the region. */
static struct range some_range(struct racer *me)
{
	static const int wild[] = {WILD_ANON, WILD_SHMEM, WILD_FILE, WILD_COPY};
	struct range g = {.me = me, .r = wild[random_below(me, 4)]};

	if (random_below(me, 12)) {
		g.pages = 1 + random_below(me, random_below(me, 4) ? 16 : PAGES);
		g.first = random_below(me, PAGES - g.pages + 1);
	} else {
		g.pages = PAGES;
	}
	g.at = regions[g.r].base + g.first * PAGE;
	g.bytes = g.pages * PAGE;
	return g;
}

/* Errors that come of what others do at the same time. */
static void may_fail(const struct range *g, int result, const char *what)
{
	if (result && errno != ENOMEM && errno != EFAULT && errno != EAGAIN && errno != EBUSY &&
	    errno != EINVAL && errno != EACCES)
		fail("%s, page %d: %s: errno %d", regions[g->r].name, g->first, what, errno);
}

static void wild_unmap(const struct range *g)
{
	may_fail(g, munmap(g->at, g->bytes), "munmap");
	if (random_below(g->me, 2))
		peek(g->r, g->first, 0);
	map_range(g->r, g->first, g->pages);
}

static void wild_map_over(const struct range *g)
{
	map_range(g->r, g->first, g->pages);
}

static void wild_protect(const struct range *g)
{
	static const int prot[] = {PROT_NONE, PROT_READ, RW};

	may_fail(g, mprotect(g->at, g->bytes, prot[random_below(g->me, 3)]), "mprotect");
	if (random_below(g->me, 2))
		peek(g->r, g->first, 1);
	may_fail(g, mprotect(g->at, g->bytes, RW), "mprotect");
}

static void wild_advise(const struct range *g)
{
	static const int advice[] = {MADV_DONTNEED,      MADV_DONTNEED,      MADV_FREE,
	                             MADV_WILLNEED,      MADV_COLD,          MADV_PAGEOUT,
	                             MADV_POPULATE_READ, MADV_POPULATE_WRITE};

	may_fail(g, madvise(g->at, g->bytes, advice[random_below(g->me, 8)]), "madvise");
}

static void wild_move(const struct range *g)
{
	char *to = g->me->scratch + random_below(g->me, PAGES) * PAGE;

	/* refused when the range is no longer one mapping */
	if (mremap(g->at, g->bytes, g->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to) {
		may_fail(g, 1, "mremap");
		return;
	}
	if (mremap(to, g->bytes, g->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, g->at) != g->at)
		fail("%s, page %d: mremap back: errno %d", regions[g->r].name, g->first, errno);
}

static void wild_truncate(const struct range *g)
{
	int fd = files[random_below(g->me, 2) ? FILE_WILD : FILE_WILD_SHMEM];

	if (fd == files[FILE_WILD_SHMEM]) {
		/* its size stays, so that SIGBUS there is a fault of the kernel's */
		may_fail(g,
		         fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		                   (off_t)(g->first * PAGE), (off_t)g->bytes),
		         "fallocate");
		return;
	}
	/* a tag is cut off whole, or not at all */
	may_fail(g, ftruncate(fd, (off_t)(g->first * PAGE + random_below(g->me, PAGE / 8) * 8)),
	         "ftruncate");
	if (random_below(g->me, 2))
		peek(WILD_FILE, g->first, 2);
	may_fail(g, ftruncate(fd, PAGES * PAGE), "ftruncate");
}

static void wild_sync(const struct range *g)
{
	may_fail(g, msync(g->at, g->bytes, random_below(g->me, 2) ? MS_SYNC : MS_ASYNC), "msync");
}

static void wild_lock(const struct range *g)
{
	may_fail(g, mlock(g->at, g->bytes), "mlock");
	may_fail(g, munlock(g->at, g->bytes), "munlock");
}

static void wild_mincore(const struct range *g)
{
	unsigned char resident[PAGES];

	may_fail(g, mincore(g->at, g->bytes, resident), "mincore");
}

/* The kernel stores into memory that is being taken away, and reads it. */
static void wild_copy(const struct range *g)
{
	uint64_t v = tag(WILD_FILE, g->first, g->me->nr, g->me->seq++);

	may_fail(g,
	         pread(files[FILE_WILD], regions[WILD_COPY].base + g->first * PAGE, PAGE,
	               (off_t)(g->first * PAGE)) < 0,
	         "pread");
	may_fail(g,
	         pwrite(files[FILE_WILD], regions[WILD_FILE].base + g->first * PAGE, PAGE,
	                (off_t)(g->first * PAGE)) < 0,
	         "pwrite");
	may_fail(g, pwrite(files[FILE_WILD], &v, sizeof(v), (off_t)word_offset(g->first, 1)) < 0,
	         "pwrite");
}

/* Larger than any hole, so it takes none. */
static void wild_elsewhere(const struct range *g)
{
	size_t bytes = 4 * PAGES * PAGE;
	char *p = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t v;

	if (p == MAP_FAILED)
		fail("mmap of %zu bytes: errno %d", bytes, errno);
	for (int i = 0; i < 8; i++) {
		volatile uint64_t *at = word_at(p, random_below(g->me, 4 * PAGES), 0);

		if (load(at, &v) || (v && v != 1) || store(at, 1))
			fail("new memory at %p holds %#llx", (void *)at, (unsigned long long)v);
	}
	if (munmap(p, bytes))
		fail("munmap: errno %d", errno);
}

static void (*const steps[])(const struct range *) = {
    wild_unmap,  wild_unmap,   wild_map_over, wild_protect,   wild_protect,
    wild_advise, wild_advise,  wild_move,     wild_truncate,  wild_sync,
    wild_lock,   wild_mincore, wild_copy,     wild_elsewhere,
};

void change_wild(struct racer *me)
{
	for (int i = 0; i < 4; i++) {
		struct range g = some_range(me);

		steps[random_below(me, sizeof(steps) / sizeof(steps[0]))](&g);
		count(COUNT_WILD);
	}
}

/* A child reads all there is and writes what it likes; private memory of the parent's never shows
 * it. */
static void child_of_the_wild(struct racer *me)
{
	i_am_child = true;
	for (int i = 0; i < 400; i++) {
		int r = random_below(me, NR_REGIONS), page_nr = random_below(me, PAGES);

		peek(r, page_nr, random_below(me, WORDS));
		if (!regions[r].owned)
			(void)store(word_at(regions[r].base, page_nr, random_below(me, WORDS)),
			            tag(r, page_nr, me->nr | CHILD, i));
	}
	for (int i = 0; i < 6; i++)
		change_wild(me);
	if (!random_below(me, 3))
		fork_wild(me);
	_exit(0);
}

void fork_wild(struct racer *me)
{
	int status;
	pid_t pid = fork();

	count(COUNT_FORK);
	if (pid < 0)
		fail("fork: errno %d", errno);
	if (!pid)
		child_of_the_wild(me);
	for (int i = 0; i < 4; i++)
		change_wild(me);
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid: errno %d", errno);
	if (status)
		fail("a child ended with %#x", status);
}
