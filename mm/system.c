/* SPDX-License-Identifier: MIT */
/*
 * The system: made in the RAM that it manages, its knobs, its figures; and the pairs that keep
 * writers and executions of one file apart.
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/cache.h"
#include "mm/vma.h"
#include "mm/frame_cache.h"

/* ---- making and ending ---- */

#ifdef MMK_HW_ARM64
static bool machine_complete(const struct mmk_machine *machine)
{
	return true; /* not used: the core issues the instructions itself */
}
#else
static bool machine_complete(const struct mmk_machine *machine)
{
	return machine && machine->pte_written && machine->tlbi_va && machine->tlbi_asid &&
	       machine->tlbi_all && machine->dsb_ishst && machine->dsb_ish && machine->isb &&
	       machine->sync_icache && machine->set_ttbr0;
}
#endif

static bool port_complete(const struct mmk_port *p)
{
	return p && p->wait && p->wake && p->fget && p->get_file && p->fput && p->file_path &&
	       p->copy_to_user && p->copy_from_user && p->bug && machine_complete(p->machine);
}

static bool config_usable(const struct mmk_config *c)
{
	if (!port_complete(c->port) || !c->ram_virt || !c->ram_size)
		return false;
	if ((c->ram_phys | c->ram_size | (uintptr_t)c->ram_virt) & ~PAGE_MASK)
		return false;
	if (c->ram_phys + c->ram_size < c->ram_phys || (c->nr_reserved && !c->reserved))
		return false;
	for (unsigned i = 0; i < c->nr_reserved; i++)
		if (c->reserved[i].start > c->reserved[i].end)
			return false;
	return c->nr_cpus >= 1 && c->nr_cpus <= MAX_CPUS &&
	       (c->asid_bits == 8 || c->asid_bits == 16);
}

static void set_defaults(struct mmk_system *sys)
{
	uint64_t free_kb = sys->nr_free << (PAGE_SHIFT - 10);

	sys->overcommit_ratio = 50;
	sys->max_map_count = 65530;
	sys->mmap_min_addr = 4096; /* as in Debian's arm64 kernels */
	sys->mmap_rnd_bits = 18;
	sys->stack_guard_gap = 256;
	sys->admin_reserve_kbytes = free_kb / 32 < 8192 ? free_kb / 32 : 8192;
	sys->user_reserve_kbytes = free_kb / 32 < 131072 ? free_kb / 32 : 131072;
	atomic_init(&sys->fault_around_bytes, 16 * PAGE_SIZE);
	/* Less is copied sooner than it is shared and taken apart again. */
	sys->share_entries = 64;
	sys->oom_dump_tasks = 1;
	sys->dirty_ratio = 20;
	sys->dirty_background_ratio = 10;
	sys->dirty_writeback_centisecs = 500;
	sys->dirty_expire_centisecs = 3000;
}

int mmk_system_init(struct mmk_system **out, const struct mmk_config *c)
{
	const uint64_t own = (sizeof(struct mmk_system) + 63) & ~63ull;
	const uint64_t cpus = c->nr_cpus * sizeof(struct cpu_local);
	uint64_t at, size, background, limit;
	struct mmk_system *sys;

	if (!config_usable(c))
		return -MMK_EINVAL;
	size = own + cpus + (c->ram_size >> PAGE_SHIFT) * sizeof(struct page);
	at = page_alloc_find_room(c, size);
	if (at == ~0ull)
		return -MMK_ENOMEM;
	sys = (struct mmk_system *)((char *)c->ram_virt + (at - c->ram_phys));
	__builtin_memset(sys, 0, size);
	sys->port = c->port;
	sys->ctx = c->ctx;
	sys->phys_base = c->ram_phys;
	sys->ram_size = c->ram_size;
	sys->virt_offset = (uintptr_t)c->ram_virt - c->ram_phys;
	sys->cpus = (struct cpu_local *)((char *)sys + own);
	sys->mem_map = (struct page *)((char *)sys + own + cpus);
	sys->frame_zero =
		(uintptr_t)sys->mem_map - (c->ram_phys >> PAGE_SHIFT) * sizeof(struct page);
	sys->nr_frames = c->ram_size >> PAGE_SHIFT;
	sys->nr_cpus = c->nr_cpus;
	sys->asid_bits = c->asid_bits;
	sys->prot_arch = c->bti ? MMK_PROT_BTI : 0;
	if (c->port->defer)
		sys->lockless = LOCKLESS_YES | (c->port->look_begin ? LOCKLESS_LOOKS : 0);
	sys->defers = sys->lockless && sys->nr_cpus > 1;
	slab_init(sys);
	if (page_alloc_init(sys, c))
		return -MMK_ENOMEM;
	set_defaults(sys);
	dirty_limits(sys, &background, &limit);
	*out = sys;
	return 0;
}

uint64_t mmk_system_destroy(struct mmk_system *sys)
{
	free_pages(sys, sys->zero_page);
	sys->zero_page = NULL;
	slab_reap(sys);
	return sys->nr_frames - frames_of_kind(sys, PAGE_RESERVED) - frames_free(sys);
}

void mmk_run_deferred(struct mmk_system *sys, struct mmk_deferred *d)
{
	d->fn(sys, d);
}

/* ---- /proc/sys/vm ---- */

struct knob {
	const char *name;
	uint16_t offset, size;
	uint64_t min, max;
};
#define FIELD_SIZE(field) sizeof(((struct mmk_system *)0)->field)
#define KNOB(field, lo, hi)                                                                        \
	{                                                                                          \
#field, offsetof(struct mmk_system, field), FIELD_SIZE(field), lo, hi              \
	}
static const struct knob knobs[] = {
    KNOB(overcommit_memory, 0, 2),
    KNOB(overcommit_ratio, 0, INT32_MAX),
    KNOB(overcommit_kbytes, 0, UINT64_MAX),
    KNOB(max_map_count, 0, INT32_MAX),
    KNOB(mmap_min_addr, 0, UINT64_MAX),
    KNOB(mmap_rnd_bits, 18, 33),
    KNOB(legacy_va_layout, 0, INT32_MAX),
    KNOB(admin_reserve_kbytes, 0, UINT64_MAX),
    KNOB(user_reserve_kbytes, 0, UINT64_MAX),
    KNOB(stack_guard_gap, 0, 1u << 20),
    KNOB(fault_around_bytes, 0, MAX_FAULT_AROUND),
    KNOB(dirty_ratio, 0, 100),
    KNOB(dirty_background_ratio, 0, 100),
    KNOB(dirty_bytes, 2 * PAGE_SIZE, UINT64_MAX),
    KNOB(dirty_background_bytes, 1, UINT64_MAX),
    KNOB(dirty_writeback_centisecs, 0, INT32_MAX),
    KNOB(dirty_expire_centisecs, 0, INT32_MAX),
    KNOB(min_free_kbytes, 0, INT32_MAX),
    KNOB(panic_on_oom, 0, 2),
    KNOB(oom_kill_allocating_task, 0, INT32_MAX),
    KNOB(oom_dump_tasks, 0, INT32_MAX),
};

static bool same_name(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static const struct knob *find_knob(const char *name)
{
	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
		if (same_name(knobs[i].name, name))
			return &knobs[i];
	return NULL;
}

int mmk_sysctl_get(struct mmk_system *sys, const char *name, uint64_t *value)
{
	const struct knob *k = find_knob(name);
	const char *field = k ? (const char *)sys + k->offset : NULL;

	if (!k) {
		*value = 0;
		return same_name(name, "drop_caches") ? 0 : -MMK_ENOENT;
	}
	if (k->size == 4)
		*value = __atomic_load_n((const uint32_t *)field, __ATOMIC_RELAXED);
	else
		*value = __atomic_load_n((const uint64_t *)field, __ATOMIC_RELAXED);
	return 0;
}

/*
 * 1: the page cache; 2: objects that CPUs keep ready (what the embedder caches besides is its own
 * affair); 3: both. Dirty pages stay.
 */
static int drop_caches(struct mmk_system *sys, uint64_t value)
{
	if (value < 1 || value > 4)
		return -MMK_EINVAL;
	if (value & 1)
		drop_clean_pages(sys);
	if (value & 2)
		slab_reap(sys);
	return 0;
}

/* What follows from a knob's new value. Two ways to say one limit: the last one said holds. */
static void knob_written(struct mmk_system *sys, const char *name)
{
	uint64_t background, limit;

	if (same_name(name, "overcommit_ratio"))
		sys->overcommit_kbytes = 0;
	else if (same_name(name, "overcommit_kbytes"))
		sys->overcommit_ratio = 0;
	else if (same_name(name, "dirty_ratio"))
		sys->dirty_bytes = 0;
	else if (same_name(name, "dirty_bytes"))
		sys->dirty_ratio = 0;
	else if (same_name(name, "dirty_background_ratio"))
		sys->dirty_background_bytes = 0;
	else if (same_name(name, "dirty_background_bytes"))
		sys->dirty_background_ratio = 0;
	page_alloc_watermarks(sys);
	dirty_limits(sys, &background, &limit);
	if (sys->port->wake_worker)
		sys->port->wake_worker(sys->ctx);
}

int mmk_sysctl_set(struct mmk_system *sys, const char *name, uint64_t value)
{
	const struct knob *k = find_knob(name);
	char *field = k ? (char *)sys + k->offset : NULL;

	if (!k)
		return same_name(name, "drop_caches") ? drop_caches(sys, value) : -MMK_ENOENT;
	if (value < k->min || value > k->max)
		return -MMK_EINVAL;
	if (k->size == 4)
		__atomic_store_n((uint32_t *)field, (uint32_t)value, __ATOMIC_RELAXED);
	else
		__atomic_store_n((uint64_t *)field, value, __ATOMIC_RELAXED);
	knob_written(sys, name);
	return 0;
}

/* ---- figures ---- */

static uint64_t not_negative(const _Atomic int64_t *n)
{
	int64_t v = atomic_load_explicit(n, memory_order_relaxed);

	return v > 0 ? (uint64_t)v : 0;
}

/* What has happened since init, by CPU, and what mms that are still there have not handed on yet. */
static void sum_events(struct mmk_system *sys, struct mmk_stats *s)
{
	_Static_assert(sizeof(*s) % sizeof(uint64_t) == 0, "nothing but 64-bit figures");
	*s = (struct mmk_stats){0};
	spin_lock(sys, &sys->mms_lock);
	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++) {
		const uint64_t *from = (const uint64_t *)&sys->cpus[cpu].count;

		for (size_t i = 0; i < sizeof(*s) / sizeof(*from); i++)
			((uint64_t *)s)[i] += __atomic_load_n(from + i, __ATOMIC_RELAXED);
	}
	for (const struct mm_struct *mm = sys->mms; mm; mm = mm->next_mm) {
		s->faults_anon += mm_anon_faults(mm);
		s->faults_anon_zero += mm_zero_faults(mm);
		s->vmas_made += __atomic_load_n(&mm->vmas_made, __ATOMIC_RELAXED);
		s->merges += __atomic_load_n(&mm->merges, __ATOMIC_RELAXED);
		s->splits += __atomic_load_n(&mm->splits, __ATOMIC_RELAXED);
		s->vmas -= __atomic_load_n(&mm->spare_vma, __ATOMIC_RELAXED) != NULL;
	}
	spin_unlock(&sys->mms_lock);
}

void stat_inc_at(const struct mmk_system *sys, size_t offset)
{
	__atomic_fetch_add((uint64_t *)((char *)&cpu_here(sys)->count + offset), 1, __ATOMIC_RELAXED);
}

void mmk_stats(struct mmk_system *sys, struct mmk_stats *s)
{
	uint64_t shmem = not_negative(&sys->nr_shmem), cache = frames_of_kind(sys, PAGE_CACHE);

	sum_events(sys, s);
	s->faults = s->faults_anon_zero + s->faults_anon + s->faults_file_read +
		    s->faults_file_private + s->faults_file_shared + s->faults_cow_copy +
		    s->faults_cow_reuse + s->faults_spurious + s->faults_refused;
	s->frames_total = sys->nr_frames - frames_of_kind(sys, PAGE_RESERVED);
	s->frames_free = frames_free(sys);
	s->frames_anon = frames_of_kind(sys, PAGE_ANON);
	s->frames_shmem = shmem;
	s->frames_file = cache > shmem ? cache - shmem : 0;
	s->frames_slab = frames_of_kind(sys, PAGE_SLAB);
	s->frames_table = frames_of_kind(sys, PAGE_TABLE);
	s->frames_other = frames_of_kind(sys, PAGE_KERNEL);
	s->dirty = not_negative(&sys->nr_dirty);
	s->writeback = not_negative(&sys->nr_writeback);
	dirty_limits(sys, &s->dirty_background, &s->dirty_limit);
	s->frames_min = sys->nr_min;
	s->frames_low = sys->nr_low;
	s->frames_high = sys->nr_high;
	s->committed = not_negative(&sys->committed);
	s->commit_limit = vm_commit_limit(sys);
	s->vmas += slab_in_use(&sys->vma_cache) + slab_in_use(&sys->file_vma_cache);
}

static uint64_t locked_pages(struct mmk_system *sys)
{
	const struct mm_struct *mm;
	uint64_t pages = 0;

	spin_lock(sys, &sys->mms_lock);
	for (mm = sys->mms; mm; mm = mm->next_mm)
		pages += __atomic_load_n(&mm->locked_vm, __ATOMIC_RELAXED);
	spin_unlock(&sys->mms_lock);
	return pages;
}

void mmk_frame_census(struct mmk_system *sys, struct mmk_frame_census *c)
{
	_Static_assert(sizeof(c->free_blocks) / sizeof(c->free_blocks[0]) == MAX_ORDER, "each");
	*c = (struct mmk_frame_census){
	    .locked = locked_pages(sys),
	    .frame_table = (sys->nr_frames * sizeof(struct page)) >> PAGE_SHIFT,
	};
	for (uint64_t i = 0; i < sys->nr_frames; i++) {
		const struct page *page = sys->mem_map + i;

		c->mapped += page_kind(page) == PAGE_CACHE &&
			     atomic_load_explicit(&page->mapcount, memory_order_relaxed) > 0;
	}
	spin_lock(sys, &sys->buddy_lock);
	for (unsigned order = 0; order < MAX_ORDER; order++)
		c->free_blocks[order] = sys->free_area[order].count;
	spin_unlock(&sys->buddy_lock);
}

/* Frames that nobody leads to, and slabs with no object. */
static void count_orphans(struct mmk_system *sys, struct mmk_frame_ledger *l)
{
	for (uint64_t i = 0; i < sys->nr_frames; i++) {
		const struct page *page = sys->mem_map + i;
		uint32_t flags = atomic_load_explicit(&page->flags, memory_order_relaxed);
		enum page_kind kind = flags_kind(flags);

		/* Behind the first frame of a block the word may be stale. */
		if ((flags & PG_ORDER_MASK) ||
		    !atomic_load_explicit(&page->refcount, memory_order_relaxed))
			continue;
		l->unmapped += kind == PAGE_ANON &&
			       !atomic_load_explicit(&page->mapcount, memory_order_relaxed);
		l->detached += kind == PAGE_CACHE && !page->mapping;
		l->empty_slabs += kind == PAGE_SLAB && !page->nr_used;
	}
}

void mmk_frame_ledger(struct mmk_system *sys, struct mmk_frame_ledger *l)
{
	frame_cache_lock_all(sys);
	*l = (struct mmk_frame_ledger){
	    .total = sys->nr_frames,
	    .reserved = frames_of_kind(sys, PAGE_RESERVED),
	    .free = frames_free(sys),
	    .anonymous = frames_of_kind(sys, PAGE_ANON),
	    .page_cache = frames_of_kind(sys, PAGE_CACHE),
	    .tables = frames_of_kind(sys, PAGE_TABLE),
	    .slab = frames_of_kind(sys, PAGE_SLAB),
	    .kernel = frames_of_kind(sys, PAGE_KERNEL),
	};
	frame_cache_unlock_all(sys);
	l->shared_memory = not_negative(&sys->nr_shmem);
	count_orphans(sys, l);
}

/* ---- writers against executions ---- */

/* i_writecount: > 0 that many writers, < 0 that many who deny writing. */
static int writecount_add(struct mmk_mapping *m, int32_t by)
{
	int32_t n = __atomic_load_n(&m->i_writecount, __ATOMIC_RELAXED);

	do {
		if ((by > 0 && n < 0) || (by < 0 && n > 0))
			return -MMK_ETXTBSY;
	} while (!__atomic_compare_exchange_n(&m->i_writecount, &n, n + by, true, __ATOMIC_ACQ_REL,
	                                      __ATOMIC_RELAXED));
	return 0;
}

int mmk_mapping_get_write(struct mmk_mapping *m)
{
	return writecount_add(m, 1);
}

void mmk_mapping_put_write(struct mmk_mapping *m)
{
	MMK_BUG_ON(m->sys, __atomic_fetch_sub(&m->i_writecount, 1, __ATOMIC_ACQ_REL) <= 0);
}

int mmk_mapping_deny_write(struct mmk_mapping *m)
{
	return writecount_add(m, -1);
}

void mmk_mapping_allow_write(struct mmk_mapping *m)
{
	MMK_BUG_ON(m->sys, __atomic_fetch_add(&m->i_writecount, 1, __ATOMIC_ACQ_REL) >= 0);
}
