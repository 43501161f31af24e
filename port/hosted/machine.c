/* SPDX-License-Identifier: MIT */
/*
 * The machine as a whole: its RAM, its CPUs (threads), sleeping and waking, the tables of functions
 * that the core calls, and the programs' address spaces.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "port/hosted/internal.h"

#define DEFAULT_RAM  ((uint64_t)64 << 20)
#define DEFAULT_PHYS 0x40000000u

/* A thread is one CPU, of whatever machine it works with: a property of the thread, not of a
 * machine. */
static _Thread_local unsigned this_cpu;

void hosted_set_cpu(unsigned cpu)
{
	this_cpu = cpu;
}

unsigned hosted_this_cpu(void)
{
	return this_cpu;
}

static unsigned cpu_id(void *ctx)
{
	return this_cpu;
}

static void relax(void *ctx)
{
	sched_yield();
}

/* splitmix64, Vigna's; in the public domain. */
uint64_t hosted_next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t random_bits(void *ctx)
{
	struct hosted *h = ctx;
	uint64_t bits;

	pthread_mutex_lock(&h->inject_lock);
	bits = hosted_next_random(&h->random_state);
	pthread_mutex_unlock(&h->inject_lock);
	return bits;
}

static bool capable(void *ctx, struct mmk_task *task, enum mmk_cap cap)
{
	struct hosted *h = ctx;

	return h->caps >> cap & 1;
}

void hosted_set_caps(struct hosted *h, uint32_t caps)
{
	h->caps = caps;
}

static enum mmk_oom out_of_memory(void *ctx)
{
	struct hosted *h = ctx;

	return h->on_oom(h->oom_arg);
}

void hosted_on_oom(struct hosted *h, hosted_oom_fn *fn, void *arg)
{
	h->on_oom = fn;
	h->oom_arg = arg;
	h->port.out_of_memory = fn ? out_of_memory : NULL;
}

static uint64_t now(void *ctx)
{
	struct hosted *h = ctx;

	return h->clock;
}

void hosted_set_clock(struct hosted *h, uint64_t ns)
{
	h->clock = ns;
}

static void wake_worker(void *ctx)
{
	struct hosted *h = ctx;

	h->nr_wakes++;
}

uint64_t hosted_nr_wakes(struct hosted *h)
{
	return h->nr_wakes;
}

static void bug(void *ctx, const char *file, int line, const char *what)
{
	fprintf(stderr, "mmkit: %s:%d: this must not be: %s\n", file, line, what);
	abort();
}

/* ---- sleeping ---- */

static struct wait_bucket *bucket_of(struct hosted *h, const uint32_t *word)
{
	return &h->wait[((uintptr_t)word >> 4) % WAIT_BUCKETS];
}

/*
 * The word is looked at under the bucket's lock, and a waker takes that lock: no wake is lost. The
 * CPU of the thread leaves no barrier undone by sleeping, so nothing else is to do.
 */
static int wait_on(void *ctx, const uint32_t *word, uint32_t seen, unsigned flags)
{
	struct hosted *h = ctx;
	struct wait_bucket *b = bucket_of(h, word);
	const atomic_bool *killed = &h->cpus[this_cpu].killed;
	int err = 0;

	pthread_mutex_lock(&b->lock);
	if ((flags & MMK_WAIT_KILLABLE) && *killed)
		err = -MMK_EINTR;
	else if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == seen)
		pthread_cond_wait(&b->cond, &b->lock);
	if ((flags & MMK_WAIT_KILLABLE) && *killed)
		err = -MMK_EINTR;
	pthread_mutex_unlock(&b->lock);
	return err;
}

static void wake(void *ctx, const uint32_t *word)
{
	struct wait_bucket *b = bucket_of(ctx, word);

	pthread_mutex_lock(&b->lock);
	pthread_cond_broadcast(&b->cond);
	pthread_mutex_unlock(&b->lock);
}

void hosted_kill(struct hosted *h, unsigned cpu, bool killed)
{
	h->cpus[cpu].killed = killed;
	for (unsigned i = 0; i < WAIT_BUCKETS; i++) {
		pthread_mutex_lock(&h->wait[i].lock);
		pthread_cond_broadcast(&h->wait[i].cond);
		pthread_mutex_unlock(&h->wait[i].lock);
	}
}

/* ---- the machine's instructions that are neither stores, barriers nor TLBIs ---- */

static void isb(void *ctx)
{
}

static void set_ttbr0(void *ctx, uint64_t table, unsigned asid)
{
	struct hosted *h = ctx;
	struct hosted_cpu *cpu = &h->cpus[this_cpu];

	pthread_mutex_lock(&h->mmu_lock);
	cpu->root = table;
	cpu->asid = asid;
	cpu->mm = NULL;
	pthread_mutex_unlock(&h->mmu_lock);
}

/* What a freed frame held is nobody's any more, and a use of it shall show. */
static void frame_freed(void *ctx, uint64_t phys, unsigned order)
{
	struct hosted *h = ctx;
	void *memory = hosted_phys(h, phys);

	pthread_mutex_lock(&h->mmu_lock);
	hosted_check_freed(h, phys, order);
	hosted_icache_forget(h, phys, order);
	if (memory && !h->config.keep_freed)
		memset(memory, 0xa5, H_PAGE << order);
	pthread_mutex_unlock(&h->mmu_lock);
}

const struct mmk_machine hosted_machine_ops = {
    .pte_written = hosted_pte_written,
    .tlbi_va = hosted_tlbi_va,
    .tlbi_asid = hosted_tlbi_asid,
    .tlbi_all = hosted_tlbi_all,
    .dsb_ishst = hosted_dsb_ishst,
    .dsb_ish = hosted_dsb_ish,
    .isb = isb,
    .sync_icache = hosted_sync_icache,
    .set_ttbr0 = set_ttbr0,
    .frame_freed = frame_freed,
};

const struct mmk_port hosted_port_ops = {
    .cpu_id = cpu_id,
    .relax = relax,
    .look_begin = hosted_look_begin,
    .look_end = hosted_look_end,
    .defer = hosted_defer,
    .wait = wait_on,
    .wake = wake,
    .fget = hosted_fget,
    .get_file = hosted_get_file,
    .fput = hosted_fput,
    .file_id = hosted_file_id,
    .file_path = hosted_file_path,
    .copy_to_user = hosted_copy_to_user,
    .copy_from_user = hosted_copy_from_user,
    .capable = capable,
    .random = random_bits,
    .now = now,
    .wake_worker = wake_worker,
    .machine = &hosted_machine_ops,
    .should_fail = hosted_should_fail,
    .bug = bug,
};

/* ---- violations ---- */

static const char *const violation_names[HOSTED_NR_VIOLATIONS] = {
    [HOSTED_BREAK_BEFORE_MAKE] = "break-before-make",
    [HOSTED_STALE_TLB] = "stale TLB entry",
    [HOSTED_FREED_FRAME] = "freed frame",
    [HOSTED_BARRIER] = "missing barrier",
    [HOSTED_ICACHE] = "instruction cache",
    [HOSTED_BAD_OUTPUT] = "bad output address",
    [HOSTED_WAITING] = "written while it waits",
};

static void print_and_abort(void *arg, enum hosted_violation_kind kind, const char *text)
{
	fprintf(stderr, "mmkit: strict MMU: %s: %s\n", violation_names[kind], text);
	abort();
}

void hosted_violation(struct hosted *h, enum hosted_violation_kind kind, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	h->nr_violations++;
	h->on_violation(h->violation_arg, kind, text);
}

void hosted_on_violation(struct hosted *h, hosted_violation_fn *fn, void *arg)
{
	pthread_mutex_lock(&h->mmu_lock);
	h->on_violation = fn ? fn : print_and_abort;
	h->violation_arg = arg;
	pthread_mutex_unlock(&h->mmu_lock);
}

uint64_t hosted_nr_violations(struct hosted *h)
{
	return h->nr_violations;
}

/* ---- life ---- */

static void init_locks(struct hosted *h)
{
	pthread_mutex_init(&h->mmu_lock, NULL);
	pthread_mutex_init(&h->files_lock, NULL);
	pthread_mutex_init(&h->open_lock, NULL);
	pthread_mutex_init(&h->inject_lock, NULL);
	pthread_mutex_init(&h->waiting_lock, NULL);
	for (unsigned i = 0; i < WAIT_BUCKETS; i++) {
		pthread_mutex_init(&h->wait[i].lock, NULL);
		pthread_cond_init(&h->wait[i].cond, NULL);
	}
}

static void set_defaults(struct hosted_config *c)
{
	c->ram_size = c->ram_size ? c->ram_size & ~(H_PAGE - 1) : DEFAULT_RAM;
	c->ram_phys = c->ram_phys ? c->ram_phys : DEFAULT_PHYS;
	c->nr_cpus = c->nr_cpus ? c->nr_cpus : 1;
	c->nr_cpus = c->nr_cpus < H_MAX_CPUS ? c->nr_cpus : H_MAX_CPUS;
	c->asid_bits = c->asid_bits ? c->asid_bits : 16;
}

static void free_machine(struct hosted *h)
{
	if (h->icache)
		hosted_icache_release(h);
	free(h->frame_uses);
	if (h->ram != MAP_FAILED)
		munmap(h->ram, h->config.ram_size);
	free(h);
}

static bool get_memory(struct hosted *h)
{
	uint64_t frames = h->config.ram_size >> H_PAGE_SHIFT;

	h->ram = mmap(NULL, h->config.ram_size, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	h->frame_uses = calloc(frames, sizeof(*h->frame_uses));
	h->icache = calloc(frames, sizeof(struct icache_page *));
	return h->ram != MAP_FAILED && h->frame_uses && h->icache;
}

static bool start_system(struct hosted *h)
{
	struct mmk_config config = {
	    .port = &h->port,
	    .ctx = h,
	    .ram_phys = h->config.ram_phys,
	    .ram_size = h->config.ram_size,
	    .ram_virt = h->ram,
	    .nr_cpus = h->config.nr_cpus,
	    .asid_bits = h->config.asid_bits,
	    .bti = h->config.bti,
	};

	return mmk_system_init(&h->sys, &config) == 0;
}

struct hosted *hosted_create(const struct hosted_config *config)
{
	struct hosted *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	if (config)
		h->config = *config;
	set_defaults(&h->config);
	h->machine = hosted_machine_ops;
	h->port = hosted_port_ops;
	h->port.machine = &h->machine;
	h->random_state = h->config.seed;
	h->on_violation = print_and_abort;
	init_locks(h);
	if (!get_memory(h) || !start_system(h)) {
		free_machine(h);
		return NULL;
	}
	return h;
}

uint64_t hosted_destroy(struct hosted *h)
{
	uint64_t missing;

	for (int fd = 0; fd < HOSTED_NR_FDS; fd++)
		hosted_close(h, fd);
	/* CPUs without an address space walk the system's empty table, which is going. */
	for (unsigned cpu = 0; cpu < h->config.nr_cpus; cpu++)
		h->cpus[cpu].root = 0;
	hosted_run_waiting(h);
	missing = mmk_system_destroy(h->sys);
	hosted_tlb_release(h);
	hosted_stores_release(h);
	free_machine(h);
	return missing;
}

struct mmk_system *hosted_system(struct hosted *h)
{
	return h->sys;
}

struct mmk_port *hosted_port(struct hosted *h)
{
	return &h->port;
}

struct mmk_machine *hosted_machine(struct hosted *h)
{
	return &h->machine;
}

/* ---- programs ---- */

int hosted_spawn(struct hosted *h, struct mmk_task *task)
{
	task->mm = mmk_mm_create(h->sys);
	if (!task->mm)
		return -MMK_ENOMEM;
	mmk_mm_layout(task, task->mm);
	return 0;
}

int hosted_fork(struct hosted *h, struct mmk_task *parent, struct mmk_task *child)
{
	struct mmk_mm *mm;
	int err = mmk_mm_dup(parent, &mm);

	if (err)
		return err;
	*child = *parent;
	child->mm = mm;
	return 0;
}

void hosted_exit(struct hosted *h, struct mmk_task *task)
{
	unsigned self = this_cpu;

	for (unsigned cpu = 0; cpu < h->config.nr_cpus; cpu++) {
		if (h->cpus[cpu].mm != task->mm)
			continue;
		this_cpu = cpu;
		mmk_mm_deactivate(h->sys, cpu);
	}
	this_cpu = self;
	mmk_mm_put(task->mm);
	task->mm = NULL;
}
