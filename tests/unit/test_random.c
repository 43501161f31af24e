/* SPDX-License-Identifier: MIT */
/*
 * Random calls on a window of pages, beside a model that says what each page holds and what an
 * access to it gets. Checked after every step: the result, one page's contents, every invariant,
 * the TLBs. A failure prints its seed; MMKIT_SEED=n and MMKIT_STEPS=n replay it or go further.
 */
#include "mm/mm_types.h"
#include "tests/unit/harness.h"

#define PAGES      24
#define FILE_PAGES 8
#define BASE       0x40000000ul

enum kind { HOLE, ANON, FILE_SHARED, FILE_PRIVATE };

struct cell { /* a page of the window */
	enum kind kind;
	unsigned prot;
	unsigned index; /* of the file */
	bool copied;    /* FILE_PRIVATE: has a copy of its own */
	uint8_t value;  /* ANON, or the copy's */
};

struct model {
	struct world *w;
	struct cell cell[PAGES];
	uint8_t file[FILE_PAGES]; /* first byte of each page */
	unsigned file_pages;
	int fd;
	uint64_t state;
	bool failing; /* allocations fail at random */
};

static unsigned pick(struct model *m, unsigned n)
{
	m->state = m->state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(m->state >> 33) % n;
}

/* A piece of the window: *first, and how many pages. */
static unsigned pick_range(struct model *m, unsigned *first)
{
	unsigned max;

	*first = pick(m, PAGES);
	max = PAGES - *first;
	return 1 + pick(m, max < 6 ? max : 6);
}

static unsigned pick_prot(struct model *m)
{
	static const unsigned prots[] = {NONE, R, RW, RW, RW};

	return prots[pick(m, 5)];
}

static unsigned long va(unsigned page)
{
	return BASE + page * PAGE;
}

/* What the model says of an access: a signal, or 0 and the byte. */
static int expect(const struct model *m, const struct cell *c, bool store, uint8_t *value)
{
	if (c->kind == HOLE)
		return UNIT_SIGSEGV;
	if (!(c->prot & (store ? W : R)))
		return UNIT_SIGSEGV;
	if (c->kind != ANON && c->index >= m->file_pages)
		return UNIT_SIGBUS;
	*value = c->kind == ANON || (c->kind == FILE_PRIVATE && c->copied) ? c->value
	                                                                   : m->file[c->index];
	return 0;
}

static void set(struct model *m, struct cell *c, uint8_t value)
{
	if (c->kind == FILE_SHARED)
		m->file[c->index] = value;
	else
		c->value = value;
	c->copied = c->kind == FILE_PRIVATE;
}

/* Refused for want of memory, which is allowed while allocations fail: nothing changed. */
static bool refused(struct model *m, long result)
{
	world_check(m->w, __FILE__, __LINE__);
	if (m->failing && result == -MMK_ENOMEM)
		return true;
	assert_true(result >= 0);
	return false;
}

/* Allocations fail from here on, or do not. */
static void let_fail(struct model *m, bool fail)
{
	if (m->failing)
		hosted_fail_alloc_random(m->w->h, HOSTED_ANY_SITE, m->state, fail ? 20 : 0);
}

/* ---- steps ---- */

static void step_mmap(struct model *m)
{
	unsigned first, n = pick_range(m, &first), prot = pick_prot(m), index = pick(m, FILE_PAGES);
	enum kind kind = 1 + pick(m, 3);
	unsigned long flags = FIXED | (kind == ANON          ? ANON_PRIVATE
	                               : kind == FILE_SHARED ? MMK_MAP_SHARED
	                                                     : MMK_MAP_PRIVATE);

	if (refused(m, mmk_sys_mmap(&m->w->task, va(first), n * PAGE, prot, flags,
	                            kind == ANON ? -1 : m->fd, kind == ANON ? 0 : index * PAGE)))
		return;
	for (unsigned i = 0; i < n; i++)
		m->cell[first + i] = (struct cell){kind, prot, index + i, false, 0};
}

static void step_munmap(struct model *m)
{
	unsigned first, n = pick_range(m, &first);

	if (refused(m, mmk_sys_munmap(&m->w->task, va(first), n * PAGE)))
		return;
	for (unsigned i = 0; i < n; i++)
		m->cell[first + i].kind = HOLE;
}

/* What lies before a hole has changed. Short of memory any part of it may have: so it is not. */
static void step_mprotect(struct model *m)
{
	unsigned first, n = pick_range(m, &first), prot = pick_prot(m);
	long got;

	let_fail(m, false);
	got = w_mprotect(m->w, va(first), n * PAGE, prot);
	for (unsigned i = 0; i < n; i++) {
		if (m->cell[first + i].kind == HOLE) {
			assert_int_equal(got, -MMK_ENOMEM);
			break;
		}
		m->cell[first + i].prot = prot;
	}
	let_fail(m, true);
}

static void step_dontneed(struct model *m)
{
	unsigned first, n = pick_range(m, &first);
	bool hole = false;

	for (unsigned i = 0; i < n; i++)
		hole |= m->cell[first + i].kind == HOLE;
	assert_int_equal(w_madvise(m->w, va(first), n * PAGE, MMK_MADV_DONTNEED),
	                 hole ? -MMK_ENOMEM : 0);
	for (unsigned i = 0; i < n; i++) { /* holes are passed over */
		m->cell[first + i].copied = false;
		m->cell[first + i].value = 0;
	}
}

static void access_page(struct model *m, unsigned page, bool store)
{
	struct cell *c = &m->cell[page];
	uint8_t wanted = 0, value = (uint8_t)(1 + pick(m, 255));
	int signo = expect(m, c, store, &wanted);
	struct mmk_fault f = store ? task_store(m->w, &m->w->task, va(page), value)
	                           : task_load(m->w, &m->w->task, va(page), &value);

	/* No memory: killed, or SIGBUS for a page of a file; the access has not been done. */
	if (m->failing && (f.signo == UNIT_SIGKILL || f.signo == UNIT_SIGBUS))
		return;
	assert_int_equal(f.signo, signo);
	if (signo)
		return;
	if (store)
		set(m, c, value);
	else
		assert_int_equal(value, wanted);
}

static void step_access(struct model *m)
{
	access_page(m, pick(m, PAGES), pick(m, 2));
}

static void step_truncate(struct model *m)
{
	unsigned pages = pick(m, FILE_PAGES + 1);

	if (refused(m, hosted_ftruncate(m->w->h, m->fd, pages * PAGE)))
		return;
	for (unsigned i = pages; i < FILE_PAGES; i++)
		m->file[i] = 0;
	for (unsigned i = 0; i < PAGES; i++)
		if (m->cell[i].index >= pages && m->cell[i].kind == FILE_PRIVATE)
			m->cell[i].copied = false;
	m->file_pages = pages;
}

static void step_write(struct model *m)
{
	unsigned index = pick(m, FILE_PAGES);
	uint8_t value = (uint8_t)(1 + pick(m, 255));

	if (index >= m->file_pages)
		return;
	if (refused(m, hosted_pwrite(m->w->h, m->fd, index * PAGE, &value, 1)))
		return;
	m->file[index] = value;
}

static void step_read(struct model *m)
{
	unsigned index = pick(m, FILE_PAGES);

	if (index < m->file_pages && !m->failing)
		assert_int_equal(fd_byte(m->w, m->fd, index * PAGE), m->file[index]);
}

/* The parent's stores after the fork are not the child's; who lives on is decided by chance. */
static void step_fork(struct model *m)
{
	struct cell then[PAGES];
	struct mmk_task child, parent = m->w->task;
	int err = hosted_fork(m->w->h, &m->w->task, &child);

	if (refused(m, err))
		return;
	memcpy(then, m->cell, sizeof(then));
	for (unsigned i = 0; i < 6; i++)
		step_access(m);
	if (pick(m, 2)) {
		hosted_exit(m->w->h, &child);
		return;
	}
	hosted_exit(m->w->h, &parent);
	m->w->task = child;
	memcpy(m->cell, then, sizeof(then)); /* the file stays as it is now */
}

static void step_sync(struct model *m)
{
	unsigned first, n = pick_range(m, &first);
	bool hole = false;

	for (unsigned i = 0; i < n; i++)
		hole |= m->cell[first + i].kind == HOLE;
	assert_int_equal(w_msync(m->w, va(first), n * PAGE, MMK_MS_SYNC), hole ? -MMK_ENOMEM : 0);
}

/* VMAs as the model has them: the kernel's may not be fewer than where neighbours differ. */
static void check_map(struct model *m)
{
	const char *drawn;

	let_fail(m, false);
	drawn = world_draw(m->w, BASE, PAGES);
	let_fail(m, true);
	for (unsigned i = 0; i < PAGES; i++)
		if ((drawn[i] == '.') != (m->cell[i].kind == HOLE))
			fail_msg("page %u: the map has %s", i, drawn);
	for (unsigned i = 1; i < PAGES; i++) {
		const struct cell *a = &m->cell[i - 1], *b = &m->cell[i];
		bool differ = a->kind != b->kind || a->prot != b->prot ||
		              (a->kind != ANON && b->index != a->index + 1);

		if (a->kind != HOLE && b->kind != HOLE && differ && drawn[i] == drawn[i - 1])
			fail_msg("pages %u and %u are one in %s", i - 1, i, drawn);
	}
}

static void (*const steps[])(struct model *) = {
    step_mmap,     step_mmap,   step_munmap, step_mprotect, step_mprotect, step_dontneed,
    step_truncate, step_write,  step_read,   step_fork,     step_sync,     step_access,
    step_access,   step_access, step_access, step_access,   step_access,
};

/* tmpfs or a file of the host's; with failing allocations or without. */
static void run(uint64_t seed, bool tmpfs, bool failing, unsigned long nr_steps)
{
	struct hosted_config config = {.ram_size = 16 << 20, .asid_bits = 8};
	struct world *w = world_new(&config);
	struct model m = {.w = w, .state = seed, .file_pages = FILE_PAGES, .failing = failing};

	w->sys->share_entries = 1; /* every table that can be shared is */
	print_message("# seed %llu, %s%s\n", (unsigned long long)seed, tmpfs ? "tmpfs" : "a file",
	              failing ? ", failing" : "");
	m.fd = tmpfs ? hosted_memfd(w->h, "m", FILE_PAGES * PAGE)
	             : host_file(w, "f", FILE_PAGES * PAGE, O_RDWR);
	for (unsigned i = 0; !tmpfs && i < FILE_PAGES; i++)
		m.file[i] = file_byte(i * PAGE);
	let_fail(&m, true);
	for (unsigned long i = 0; i < nr_steps; i++) {
		steps[pick(&m, sizeof(steps) / sizeof(steps[0]))](&m);
		if (i % 10 == 0)
			check_map(&m);
	}
	world_end(w);
}

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

static void run_seeds(bool tmpfs, bool failing)
{
	unsigned long first = number("MMKIT_SEED", 1), nr_steps = number("MMKIT_STEPS", 1500);

	for (unsigned long seed = first; seed < first + (getenv("MMKIT_SEED") ? 1 : 4); seed++)
		run(seed, tmpfs, failing, nr_steps);
}

static void random_calls_on_tmpfs(void **state)
{
	run_seeds(true, false);
}

static void random_calls_on_a_file(void **state)
{
	run_seeds(false, false);
}

static void random_calls_while_allocations_fail(void **state)
{
	run_seeds(true, true);
	run_seeds(false, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_calls_on_tmpfs),
	    cmocka_unit_test(random_calls_on_a_file),
	    cmocka_unit_test(random_calls_while_allocations_fail),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
