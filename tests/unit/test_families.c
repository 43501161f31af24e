/* SPDX-License-Identifier: MIT */
/*
 * Families of programs on several CPUs. Parents and children, who have page tables in common, fork, store,
 * unmap, move and end side by side, each on the CPU that takes it next; guests look into them meanwhile,
 * as threads and debuggers do. What each has in its memory is known to the byte, and at the end every
 * frame is back. MMKIT_SEED in the environment: other families.
 */
#include <pthread.h>
#include "mm/internal.h"
#include "mm/lazyfree.h"
#include "tests/unit/harness.h"

#define CPUS       4
#define PROGRAMS   10
#define TABLES     4
#define PAGES      (TABLES * 512u)
#define FILE_PAGES 200u
#define STEPS      3000
#define BASE       0x40000000ul

enum state { GONE, READS, WRITES };
struct program {
	pthread_mutex_t lock;    /* its owner's: one worker at a time */
	pthread_mutex_t mm_lock; /* task.mm */
	struct mmk_task task;    /* mm NULL: there is none */
	uint8_t state[PAGES], byte[PAGES];
	uint8_t base[PAGES];   /* what is there when nothing was stored */
	uint8_t unsure[PAGES]; /* given up lazily: byte, or base */
};

struct family {
	struct world *w;
	int fd;
	struct program programs[PROGRAMS];
};

struct worker {
	struct family *f;
	unsigned cpu;
	uint64_t seed;
	const char *wrong;
};

static uint32_t draw(struct worker *me, uint32_t below)
{
	me->seed = me->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(me->seed >> 33) % below;
}

static unsigned long at(unsigned page)
{
	return BASE + page * PAGE;
}

/* Guests store to these, and nobody asks what is there. */
static bool is_guests(unsigned page)
{
	return page % 64 == 63;
}

/* Often whole tables. */
static void draw_range(struct worker *me, unsigned *first, unsigned *n)
{
	if (draw(me, 2)) {
		*first = draw(me, TABLES) * 512;
		*n = (1 + draw(me, TABLES - *first / 512)) * 512;
	} else {
		*first = draw(me, PAGES);
		*n = 1 + draw(me, draw(me, 4) ? 40 : PAGES);
	}
	if (*first + *n > PAGES)
		*n = PAGES - *first;
}

/* Fresh memory of zeros, or none. */
static void renew(struct program *p, unsigned first, unsigned n, enum state state)
{
	memset(p->state + first, state, n);
	memset(p->byte + first, 0, n);
	memset(p->base + first, 0, n);
	memset(p->unsure + first, 0, n);
}

static void set_mm(struct program *p, struct mmk_mm *mm)
{
	pthread_mutex_lock(&p->mm_lock);
	p->task.mm = mm;
	pthread_mutex_unlock(&p->mm_lock);
}

/* ---- what owners do ---- */

static void look(struct worker *me, struct program *p)
{
	for (unsigned i = 0; i < 20; i++) {
		unsigned page = draw(me, PAGES);
		uint8_t got = 0;
		int sig = hosted_load(me->f->w->h, &p->task, at(page), &got, 1, NULL);

		if (sig != (p->state[page] == GONE ? UNIT_SIGSEGV : 0))
			me->wrong = "a load got another signal";
		else if (!sig && got != p->byte[page] && !is_guests(page) &&
			 !(p->unsure[page] && got == p->base[page]))
			me->wrong = "a byte is not what was stored";
	}
}

static void store_one(struct worker *me, struct program *p, unsigned page)
{
	uint8_t value = (uint8_t)draw(me, 256);
	int sig = hosted_store(me->f->w->h, &p->task, at(page), &value, 1, NULL);

	if (sig != (p->state[page] == WRITES ? 0 : UNIT_SIGSEGV))
		me->wrong = "a store got another signal";
	if (!sig) {
		p->byte[page] = value;
		p->unsure[page] = 0;
	}
}

static void store_many(struct worker *me, struct program *p)
{
	unsigned first = draw(me, PAGES - 64), n = draw(me, 4) ? 64 : 1;

	for (unsigned i = 0; i < n; i++)
		store_one(me, p, first + i);
}

static void map(struct worker *me, struct program *p)
{
	unsigned first, n;

	draw_range(me, &first, &n);
	if (mmk_sys_mmap(&p->task, at(first), n * PAGE, RW, ANON_PRIVATE | FIXED, -1, 0) < 0)
		me->wrong = "mmap was refused";
	renew(p, first, n, WRITES);
}

static void map_file(struct worker *me, struct program *p)
{
	unsigned first, n;

	draw_range(me, &first, &n);
	if (n > FILE_PAGES)
		n = FILE_PAGES;
	if (mmk_sys_mmap(&p->task, at(first), n * PAGE, RW, MMK_MAP_PRIVATE | FIXED, me->f->fd, 0) <
	    0)
		me->wrong = "mmap of a file was refused";
	renew(p, first, n, WRITES);
	for (unsigned i = 0; i < n; i++)
		p->byte[first + i] = p->base[first + i] = file_byte(i * PAGE);
}

static void unmap(struct worker *me, struct program *p)
{
	unsigned first, n;

	draw_range(me, &first, &n);
	if (mmk_sys_munmap(&p->task, at(first), n * PAGE))
		me->wrong = "munmap was refused";
	renew(p, first, n, GONE);
}

static void unmap_all(struct worker *me, struct program *p)
{
	if (mmk_sys_munmap(&p->task, 0, 1ul << (34 + draw(me, 12))))
		me->wrong = "munmap of all was refused";
	renew(p, 0, PAGES, GONE);
}

static void protect(struct worker *me, struct program *p)
{
	unsigned first, n;
	bool reads = draw(me, 2);

	draw_range(me, &first, &n);
	if (memchr(p->state + first, GONE, n))
		return;
	if (mmk_sys_mprotect(&p->task, at(first), n * PAGE, reads ? R : RW))
		me->wrong = "mprotect was refused";
	memset(p->state + first, reads ? READS : WRITES, n);
}

static void drop(struct worker *me, struct program *p)
{
	unsigned first, n;

	draw_range(me, &first, &n);
	(void)mmk_sys_madvise(&p->task, at(first), n * PAGE, MMK_MADV_DONTNEED);
	memcpy(p->byte + first, p->base + first, n);
	memset(p->unsure + first, 0, n);
}

/* What is another's in the end, a file or read-only, is refused or stays: that is what unsure says. */
static void give_up(struct worker *me, struct program *p)
{
	unsigned first, n;

	draw_range(me, &first, &n);
	(void)mmk_sys_madvise(&p->task, at(first), n * PAGE, MMK_MADV_FREE);
	memset(p->unsure + first, 1, n);
	if (draw(me, 2))
		lazyfree_reclaim(me->f->w->sys, 50);
	else
		(void)mmk_sys_madvise(&p->task, at(first), n * PAGE, MMK_MADV_PAGEOUT);
}

static void populate(struct worker *me, struct program *p)
{
	unsigned first, n;

	draw_range(me, &first, &n);
	(void)mmk_sys_madvise(&p->task, at(first), n * PAGE,
	                      draw(me, 2) ? MMK_MADV_POPULATE_WRITE : MMK_MADV_POPULATE_READ);
}

/* As a debugger does, whether the memory may be written or not. */
static void poke(struct worker *me, struct program *p)
{
	unsigned page = draw(me, PAGES);
	uint8_t value = (uint8_t)draw(me, 256);

	if (mmk_access_vm(&p->task, p->task.mm, at(page), &value, 1,
	                  MMK_ACCESS_WRITE | MMK_ACCESS_FORCE) != (p->state[page] != GONE))
		me->wrong = "a debugger's store did not do what it should";
	p->byte[page] = p->state[page] == GONE ? 0 : value;
	p->unsure[page] = 0;
}

/* To the other half. It is refused where more than one mapping lies there, which is for it to know. */
static void move(struct worker *me, struct program *p)
{
	const unsigned half = PAGES / 2, flags = MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED;
	unsigned first, n, to;

	draw_range(me, &first, &n);
	if (n > half - first % half)
		n = half - first % half;
	to = (first + half) % PAGES;
	if (mmk_sys_mremap(&p->task, at(first), n * PAGE, n * PAGE, flags, at(to)) < 0) {
		(void)mmk_sys_munmap(&p->task, at(to), n * PAGE); /* it may have gone, or not */
		renew(p, to, n, GONE);
		return;
	}
	memcpy(p->state + to, p->state + first, n);
	memcpy(p->byte + to, p->byte + first, n);
	memcpy(p->base + to, p->base + first, n);
	memcpy(p->unsure + to, p->unsure + first, n);
	renew(p, first, n, GONE);
}

static void end(struct worker *me, struct program *p)
{
	struct mmk_mm *mm = p->task.mm;

	mmk_mm_deactivate(me->f->w->sys, me->cpu);
	set_mm(p, NULL);
	mmk_mm_put(mm); /* a guest may be there still, and be the last */
}

/* Memory has run out, and it is chosen. */
static void killed(struct worker *me, struct program *p)
{
	(void)mmk_mm_reap(p->task.mm);
	end(me, p);
}

static void begin(struct worker *me, struct program *p)
{
	struct mmk_task task = p->task;

	if (hosted_spawn(me->f->w->h, &task)) {
		me->wrong = "no memory for a program";
		return;
	}
	set_mm(p, task.mm);
	if (mmk_sys_mmap(&p->task, BASE, PAGES * PAGE, RW, ANON_PRIVATE | FIXED, -1, 0) < 0)
		me->wrong = "mmap was refused";
	renew(p, 0, PAGES, WRITES);
}

/* In place of another program that nobody has at the moment. */
static void fork_into(struct worker *me, struct program *p)
{
	struct program *child = &me->f->programs[draw(me, PROGRAMS)];
	struct mmk_task task;

	if (child == p || pthread_mutex_trylock(&child->lock))
		return;
	if (child->task.mm)
		end(me, child);
	if (hosted_fork(me->f->w->h, &p->task, &task))
		me->wrong = "fork was refused";
	else
		set_mm(child, task.mm);
	memcpy(child->state, p->state, PAGES);
	memcpy(child->byte, p->byte, PAGES);
	memcpy(child->base, p->base, PAGES);
	memcpy(child->unsure, p->unsure, PAGES);
	pthread_mutex_unlock(&child->lock);
}

/* The cache's pages go, so that frames become other things under those who look for them. */
static void drop_caches(struct worker *me, struct program *p)
{
	if (mmk_sysctl_set(me->f->w->sys, "drop_caches", 1))
		me->wrong = "drop_caches was refused";
}

static void step(struct worker *me, struct program *p)
{
	static void (*const what[])(struct worker *me, struct program *p) = {
	    look,      look,     look,  look, store_many,  store_many, store_many, poke,
	    fork_into, fork_into, map,  map_file, protect, drop,       move,       unmap,
	    populate,  give_up,  drop_caches, end, killed,
	};

	if (draw(me, 60))
		what[draw(me, sizeof(what) / sizeof(what[0]))](me, p);
	else
		unmap_all(me, p);
}

/* ---- and guests ---- */

static void visit(struct worker *me, struct program *p)
{
	struct hosted *h = me->f->w->h;
	struct mmk_task task = me->f->w->task;

	pthread_mutex_lock(&p->mm_lock);
	task.mm = p->task.mm;
	if (task.mm)
		mmk_mm_get(task.mm);
	pthread_mutex_unlock(&p->mm_lock);
	if (!task.mm)
		return;
	for (unsigned i = 0; i < 60; i++) {
		unsigned page = draw(me, PAGES), how = draw(me, 8);
		uint8_t value = 1;

		if (!how)
			(void)mmk_access_vm(&task, task.mm, at(page), &value, 1, 0);
		else if (how < 5)
			(void)hosted_load(h, &task, at(page), &value, 1, NULL);
		else
			(void)hosted_store(h, &task, at(page | 63), &value, 1, NULL);
	}
	mmk_mm_deactivate(me->f->w->sys, me->cpu);
	mmk_mm_put(task.mm);
}

/* ---- all of them ---- */

static void *work(void *arg)
{
	struct worker *me = arg;

	hosted_set_cpu(me->cpu);
	for (unsigned i = 0; i < STEPS && !me->wrong; i++) {
		struct program *p = &me->f->programs[draw(me, PROGRAMS)];

		if (!draw(me, 3)) {
			visit(me, p);
			continue;
		}
		if (pthread_mutex_trylock(&p->lock))
			continue;
		if (p->task.mm)
			step(me, p);
		else
			begin(me, p);
		mmk_mm_deactivate(me->f->w->sys, me->cpu);
		pthread_mutex_unlock(&p->lock);
	}
	return NULL;
}

static void family_begin(struct family *f)
{
	struct hosted_config config = {.nr_cpus = CPUS, .ram_size = 256 << 20};

	f->w = world_new(&config);
	f->w->sys->share_entries = 8; /* so that few stores make a table worth sharing */
	f->fd = host_file(f->w, "file", FILE_PAGES * PAGE, O_RDWR);
	for (unsigned i = 0; i < PROGRAMS; i++) {
		pthread_mutex_init(&f->programs[i].lock, NULL);
		pthread_mutex_init(&f->programs[i].mm_lock, NULL);
		f->programs[i].task = f->w->task;
		f->programs[i].task.mm = NULL;
	}
}

static void run_workers(struct family *f, uint64_t seed)
{
	struct worker worker[CPUS];
	pthread_t thread[CPUS];

	for (unsigned i = 0; i < CPUS; i++) {
		worker[i] = (struct worker){f, i, seed * CPUS + i, NULL};
		assert_int_equal(pthread_create(&thread[i], NULL, work, &worker[i]), 0);
	}
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < CPUS; i++)
		if (worker[i].wrong)
			fail_msg("MMKIT_SEED=%llu, CPU %u: %s", (unsigned long long)seed, i,
			         worker[i].wrong);
}

static void nobody_takes_what_is_anothers(void **state)
{
	static struct family f;
	const char *want = getenv("MMKIT_SEED");
	struct mmk_stats s;

	family_begin(&f);
	run_workers(&f, want ? strtoull(want, NULL, 0) : 1);
	world_check(f.w, __FILE__, __LINE__);
	mmk_stats(f.w->sys, &s);
	assert_true(s.tables_shared > 50 && s.tables_copied > 50);
	for (unsigned i = 0; i < PROGRAMS; i++)
		if (f.programs[i].task.mm)
			hosted_exit(f.w->h, &f.programs[i].task);
	world_end(f.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_takes_what_is_anothers),
	};

	return cmocka_run_group_tests_name("families", tests, NULL, NULL);
}
