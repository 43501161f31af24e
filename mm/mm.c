/* SPDX-License-Identifier: MIT */
/*
 * The life of an address space: made empty, given a stack and what else the kernel itself maps,
 * taken down when its last user goes.
 */
#include "mm/internal.h"
#include "arch/arm64/pgtable.h"
#include "mm/memory.h"
#include "mm/vma.h"

/* ---- figures that each CPU counts for itself ---- */

static uint64_t not_negative(int64_t n)
{
	return n < 0 ? 0 : (uint64_t)n;
}

/* The sum of one word of mm_counts over the CPUs; exact when nothing changes meanwhile. */
static int64_t sum_counts(const struct mm_struct *mm, size_t offset)
{
	int64_t n = 0;

	for (unsigned cpu = 0; cpu < mm->sys->nr_cpus; cpu++)
		n += __atomic_load_n((const int64_t *)((const char *)&mm->counts[cpu] + offset),
		                     __ATOMIC_RELAXED);
	return n;
}
#define SUM_COUNTS(mm, field) sum_counts(mm, offsetof(struct mm_counts, field))

uint64_t mm_anon_faults(const struct mm_struct *mm)
{
	return (uint64_t)SUM_COUNTS(mm, anon_faults);
}

uint64_t mm_zero_faults(const struct mm_struct *mm)
{
	return (uint64_t)SUM_COUNTS(mm, zero_faults);
}

uint64_t mm_rss_of(const struct mm_struct *mm, enum rss_kind kind)
{
	int64_t n = sum_counts(mm, offsetof(struct mm_counts, rss) + (size_t)kind * sizeof(int64_t));

	return not_negative(kind == RSS_ANON ? n + (int64_t)mm_anon_faults(mm) : n);
}

uint64_t mm_rss(const struct mm_struct *mm)
{
	int64_t n = 0;

	for (unsigned cpu = 0; cpu < mm->sys->nr_cpus; cpu++) {
		const struct mm_counts *c = &mm->counts[cpu];

		n += atomic_load_explicit(&c->rss[RSS_FILE], memory_order_relaxed) +
		     atomic_load_explicit(&c->rss[RSS_ANON], memory_order_relaxed) +
		     atomic_load_explicit(&c->rss[RSS_SHMEM], memory_order_relaxed) +
		     (int64_t)atomic_load_explicit(&c->anon_faults, memory_order_relaxed);
	}
	return not_negative(n);
}

/* The figures of mm_counts in one go. */
struct mm_sums {
	int64_t rss[NR_RSS];
	int64_t anon_faults, zero_faults, min_flt, maj_flt;
};
#define NR_SUMS (sizeof(struct mm_sums) / sizeof(int64_t))
_Static_assert(offsetof(struct mm_counts, maj_flt) == offsetof(struct mm_sums, maj_flt), "alike");

static void sum_all(const struct mm_struct *mm, struct mm_sums *sums)
{
	int64_t n[NR_SUMS] = {0};

	for (unsigned cpu = 0; cpu < mm->sys->nr_cpus; cpu++)
#pragma GCC unroll 8
		for (unsigned i = 0; i < NR_SUMS; i++)
			n[i] += __atomic_load_n((const int64_t *)&mm->counts[cpu] + i,
						__ATOMIC_RELAXED);
	__builtin_memcpy(sums, n, sizeof(n));
	sums->rss[RSS_ANON] += sums->anon_faults;
}

/*
 * To be exact each drop would have to read what all CPUs count, in the very lines that they write. So
 * where there are several, each looks only after so many pages: the mark may be too low by less than
 * HIWATER_SLACK pages for each CPU. Of one that has ended nobody asks any more.
 */
#define HIWATER_SLACK 32u

void mm_rss_drop(struct mm_struct *mm, uint64_t pages)
{
	struct mm_counts *here = mm_counts_here(mm);
	uint64_t rss;

	if (mm_has_ended(mm))
		return;
	if (mm->sys->nr_cpus > 1) {
		pages += atomic_fetch_add_explicit(&here->dropped, (uint32_t)pages,
		                                   memory_order_relaxed);
		if (pages < HIWATER_SLACK)
			return;
		atomic_store_explicit(&here->dropped, 0, memory_order_relaxed);
	}
	rss = mm_rss(mm);
	if (rss > atomic_load_explicit(&mm->hiwater_rss, memory_order_relaxed))
		atomic_store_explicit(&mm->hiwater_rss, rss, memory_order_relaxed);
}

/* ---- making and ending ---- */

static void mm_register(struct mm_struct *mm)
{
	struct mmk_system *sys = mm->sys;

	spin_lock(sys, &sys->mms_lock);
	mm->next_mm = sys->mms;
	mm->prev_mm = &sys->mms;
	if (mm->next_mm)
		mm->next_mm->prev_mm = &mm->next_mm;
	sys->mms = mm;
	spin_unlock(&sys->mms_lock);
}

static void mm_unregister(struct mm_struct *mm)
{
	struct mmk_system *sys = mm->sys;
	struct mm_sums sums;

	spin_lock(sys, &sys->mms_lock);
	*mm->prev_mm = mm->next_mm;
	if (mm->next_mm)
		mm->next_mm->prev_mm = mm->prev_mm;
	/* It has had its last fault; mmk_stats() finds each in one of the two places. */
	sum_all(mm, &sums);
	stat_add(sys, faults_anon, (uint64_t)sums.anon_faults);
	stat_add(sys, faults_anon_zero, (uint64_t)sums.zero_faults);
	stat_add(sys, vmas_made, mm->vmas_made);
	stat_add(sys, merges, mm->merges);
	stat_add(sys, splits, mm->splits);
	spin_unlock(&sys->mms_lock);
}

static size_t mm_size(const struct mmk_system *sys)
{
	return sizeof(struct mm_struct) + sys->nr_cpus * sizeof(struct mm_counts);
}

/* With very many CPUs it is too large for a slab. */
static struct mm_struct *mm_alloc(struct mmk_system *sys)
{
	size_t size = mm_size(sys);
	struct mm_struct *mm = size <= PAGE_SIZE ? slab_alloc_reclaim(&sys->mm_cache)
	                                         : mmk_kmalloc_wait(sys, size);

	return mm ? __builtin_memset(mm, 0, size) : NULL;
}

struct mmk_mm *mmk_mm_create(struct mmk_system *sys)
{
	struct mm_struct *mm = mm_alloc(sys);

	if (!mm)
		return NULL;
	mm->sys = sys;
	atomic_init(&mm->users, 1);
	rwsem_init(&mm->mmap_lock);
	spin_lock_init(&mm->page_table_lock);
	mm->task_size = TASK_SIZE;
	mm->mmap_base = TASK_SIZE - (128ul << 20);
	mm->stack_guard_gap = sys->stack_guard_gap << PAGE_SHIFT;
	if (mm_pgd_alloc(mm)) {
		mmk_kfree(sys, mm);
		return NULL;
	}
	mm_register(mm);
	return mm;
}

struct mmk_mm *mmk_mm_get(struct mmk_mm *mm)
{
	atomic_fetch_add_explicit(&mm->users, 1, memory_order_relaxed);
	return mm;
}

/* Nobody uses the mm any more: everything in it goes. Returns the tables that have become empty. */
static struct page *exit_mmap(struct mm_struct *mm)
{
	struct vm_area_struct *vma, *next;
	struct page *tables = NULL;
	unsigned long gone = 0;
	int64_t accounted = 0;

	mmap_write_lock(mm);
	/* No CPU runs with it any more: what the TLBs forget now does not come back. */
	flush_tlb_mm(mm);
	atomic_store(&mm->cpus, 0);
	for (vma = vma_first(mm); vma; vma = next) {
		next = vma_next(vma);
		if (vma->vm_flags & MMK_VM_ACCOUNT)
			accounted += vma_pages(vma);
		if (vma->vm_end > gone)
			gone = unmap_ended(mm, vma->vm_start > gone ? vma->vm_start : gone,
					   vma->vm_end, &tables);
		vma_end(vma);
	}
	vma_drop_spare(mm);
	vm_uncharge(mm->sys, accounted);
	mmap_write_unlock(mm);
	return tables;
}

void mmk_mm_put(struct mmk_mm *mm)
{
	struct mmk_system *sys = mm->sys;

	if (atomic_fetch_sub_explicit(&mm->users, 1, memory_order_acq_rel) != 1)
		return;
	mm_unregister(mm);
	mm_pgd_free(mm, exit_mmap(mm));
	mmk_kfree(sys, mm);
}

/* ---- when memory has run out ---- */

__cold uint64_t mmk_mm_badness(struct mmk_mm *mm)
{
	return mm_rss(mm) +
	       not_negative(atomic_load_explicit(&mm->pgtables, memory_order_relaxed));
}

/*
 * Files' pages that are shared stay mapped: they have no frame of this mm's alone. What a thread of
 * it writes to some file from memory that has gone must not become zeros there: so its faults fail
 * from now on, also those of the kernel on its behalf.
 */
__cold bool mmk_mm_reap(struct mmk_mm *mm)
{
	struct vm_area_struct *vma;

	if (!down_read_trylock(&mm->mmap_lock))
		return false;
	atomic_fetch_or_explicit(&mm->flags, MMF_REAPED, memory_order_release);
	vma_for_each (vma, mm)
		if (!(vma->vm_flags & (MMK_VM_SHARED | MMK_VM_PFNMAP | MMK_VM_IO)))
			zap_page_range(vma, vma->vm_start, vma->vm_end, ZAP_EVEN_COWS);
	mmap_read_unlock(mm);
	return true;
}

/* ---- boundaries ---- */

void mmk_mm_set_bounds(struct mmk_mm *mm, const struct mmk_mm_bounds *b)
{
	mmap_write_lock(mm);
	mm->bounds = *b;
	mmap_write_unlock(mm);
}

void mmk_mm_get_bounds(struct mmk_mm *mm, struct mmk_mm_bounds *b)
{
	mmap_read_lock(mm);
	*b = mm->bounds;
	mmap_read_unlock(mm);
}

static struct mmk_mm_usage usage_of(const struct mm_struct *mm, const struct mm_sums *sums, uint64_t rss)
{
	uint64_t peak = atomic_load_explicit(&mm->hiwater_rss, memory_order_relaxed);

	return (struct mmk_mm_usage){
	    .hiwater_rss = peak < rss ? rss : peak,
	    .min_flt = (uint64_t)(sums->min_flt + sums->anon_faults + sums->zero_faults),
	    .maj_flt = (uint64_t)sums->maj_flt,
	};
}

__cold void mmk_mm_usage(const struct mmk_mm *mm, struct mmk_mm_usage *u)
{
	struct mm_sums sums;

	sum_all(mm, &sums);
	*u = usage_of(mm, &sums, mm_rss(mm));
}

__cold void mmk_mm_stats(struct mmk_mm *mm, struct mmk_mm_stats *s)
{
	struct mmk_mm_usage u;
	struct mm_sums sums;

	mmap_read_lock(mm);
	sum_all(mm, &sums);
	*s = (struct mmk_mm_stats){
	    .total_vm = mm->total_vm,
	    .locked_vm = mm->locked_vm,
	    .pinned_vm = mm->pinned_vm,
	    .data_vm = mm->data_vm,
	    .exec_vm = mm->exec_vm,
	    .stack_vm = mm->stack_vm,
	    .rss_anon = not_negative(sums.rss[RSS_ANON]),
	    .rss_file = not_negative(sums.rss[RSS_FILE]),
	    .rss_shmem = not_negative(sums.rss[RSS_SHMEM]),
	    .hiwater_vm = mm->hiwater_vm,
	    .pgtables_bytes = mm->pgtables << PAGE_SHIFT,
	    .map_count = mm->map_count,
	    .thp_disabled = mm->flags & MMF_THP_DISABLE,
	};
	u = usage_of(mm, &sums, s->rss_anon + s->rss_file + s->rss_shmem);
	mmap_read_unlock(mm);
	s->hiwater_rss = u.hiwater_rss;
	s->min_flt = u.min_flt;
	s->maj_flt = u.maj_flt;
}

/* ---- what the kernel maps for a program ---- */

static int setup_stack_locked(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                              unsigned long top, bool exec_stack)
{
	struct vm_area_struct *vma = find_vma(mm, start);
	int err;

	if (vma && vma->vm_start < top)
		return refuse(task, -MMK_EEXIST, MMK_REASON_NOREPLACE, start, vma->vm_start);
	vma = vma_alloc(mm, false);
	if (!vma)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	vma_init(vma, start, top,
	         MMK_VM_READ | MMK_VM_WRITE | VM_MAY_FLAGS | MMK_VM_GROWSDOWN | MMK_VM_ACCOUNT |
	                 MMK_VM_SOFTDIRTY | MMK_VM_MTE_ALLOWED | mm->def_flags |
	                 (exec_stack ? MMK_VM_EXEC : 0),
	         start >> PAGE_SHIFT);
	err = insert_vma(task, mm, vma);
	if (err)
		vma_free(vma);
	return err;
}

__cold int mmk_mm_setup_stack(struct mmk_task *task, struct mmk_mm *mm, unsigned long top, size_t size,
                       bool exec_stack)
{
	int err;

	reason_clear(task);
	size = PAGE_ALIGN(size);
	if ((top & ~PAGE_MASK) || top > TASK_SIZE || !size || size > top)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_BEYOND_TASK_SIZE, top - size, size);
	err = mmap_lock_or_refuse(task, mm);
	if (err)
		return err;
	err = setup_stack_locked(task, mm, top - size, top, exec_stack);
	mmap_write_unlock(mm);
	return err;
}

/* One page of the embedder that programs share. As many VMAs as have it hold the record. */
struct special {
	struct mmk_vm_ops ops;
	struct mmk_system *sys;
	struct page *page;
	_Atomic uint32_t refs;
};

static void special_get(struct special *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

static void special_open(struct mmk_vma *vma)
{
	special_get(vma->vm_private_data);
}

static void special_put(struct special *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	put_page(s->sys, s->page);
	mmk_kfree(s->sys, s);
}

static void special_close(struct mmk_vma *vma)
{
	special_put(vma->vm_private_data);
}

static int special_fault(struct mmk_vma *vma, uint64_t pgoff, struct mmk_page **page)
{
	struct special *s = vma->vm_private_data;

	if (pgoff)
		return -MMK_EFAULT;
	get_page(s->page);
	*page = s->page;
	return 0;
}

static struct special *special_make(struct mmk_system *sys, void *kva, const char *name)
{
	struct special *s = mmk_kzalloc(sys, sizeof(*s));

	if (!s)
		return NULL;
	s->ops = (struct mmk_vm_ops){
	    .name = name, .open = special_open, .close = special_close, .fault = special_fault};
	s->sys = sys;
	s->page = phys_to_page(sys, virt_to_phys(sys, kva));
	get_page(s->page);
	atomic_init(&s->refs, 1);
	return s;
}

/* The range of `size` bytes is found or, if addr is given, must be free. */
static long special_place(struct mmk_task *task, struct mm_struct *mm, unsigned long addr,
                          unsigned long size)
{
	const struct vm_area_struct *vma;
	struct hole hole;
	unsigned long place =
	    get_unmapped_area(task, mm, NULL, addr, size, 0, addr ? MMK_MAP_FIXED : 0, &hole);

	if (IS_ERR_VALUE(place))
		return place;
	vma = find_vma(mm, place);
	if (vma && vma->vm_start < place + size)
		return refuse(task, -MMK_EEXIST, MMK_REASON_NOREPLACE, place, vma->vm_start);
	return place;
}

/* Takes s over, where it goes well. */
static int special_install(struct mmk_task *task, struct mm_struct *mm, unsigned long place,
                           struct special *s, uint64_t flags)
{
	struct vm_area_struct *vma = vma_alloc(mm, false);
	int err;

	if (!vma)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	vma_init(vma, place, place + PAGE_SIZE,
	         MMK_VM_READ | MMK_VM_DONTEXPAND | MMK_VM_SOFTDIRTY | flags, 0);
	vma->vm_ops = &s->ops;
	vma->vm_private_data = s;
	err = insert_vma(task, mm, vma);
	if (err)
		vma_free(vma);
	return err;
}

#define SPECIAL_CODE (MMK_VM_EXEC | VM_MAY_FLAGS)
#define SPECIAL_DATA (MMK_VM_MAYREAD | MMK_VM_PFNMAP)

/* data may be NULL: then the code alone. mmap_lock for writing. */
static long special_install_all(struct mmk_task *task, struct mm_struct *mm, unsigned long addr,
                                struct special *data, struct special *code)
{
	long place = special_place(task, mm, addr, data ? 2 * PAGE_SIZE : PAGE_SIZE);
	int err;

	if (IS_ERR_VALUE(place))
		return place;
	if (!data) {
		err = special_install(task, mm, place, code, SPECIAL_CODE);
		return err ? err : place;
	}
	err = special_install(task, mm, place + PAGE_SIZE, code, SPECIAL_CODE);
	if (err)
		return err;
	err = special_install(task, mm, place, data, SPECIAL_DATA);
	if (!err)
		return place + PAGE_SIZE;
	special_get(code); /* its VMA takes one with it, the caller the other */
	(void)do_munmap(task, mm, place + PAGE_SIZE, PAGE_SIZE);
	return err;
}

__cold long mmk_install_special_mapping(struct mmk_task *task, struct mmk_mm *mm, unsigned long addr,
                                 void *kva, const char *name)
{
	struct special *s;
	long ret;

	reason_clear(task);
	s = special_make(mm->sys, kva, name);
	if (!s)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	ret = mmap_lock_or_refuse(task, mm);
	if (!ret) {
		ret = special_install_all(task, mm, addr, NULL, s);
		mmap_write_unlock(mm);
	}
	if (IS_ERR_VALUE(ret))
		special_put(s);
	return ret;
}

/*
 * Where the pair goes: above all that mmap will find room for, in a page table of its own. Every
 * program touches it, and unmapping its neighbours would have to look into that table. 0: anywhere.
 */
static unsigned long pair_place(const struct mm_struct *mm)
{
	unsigned long place = (mm->mmap_base + TABLE_SIZE - 1) & ~(TABLE_SIZE - 1);
	const struct vm_area_struct *vma = find_vma(mm, place);

	if (mm->mmap_legacy || (vma && vma->vm_start < place + 2 * PAGE_SIZE))
		return 0;
	return place;
}

__cold long mmk_install_special_pair(struct mmk_task *task, struct mmk_mm *mm, void *data,
                              const char *data_name, void *code, const char *code_name)
{
	struct special *d, *c;
	long ret = -MMK_ENOMEM;

	reason_clear(task);
	d = special_make(mm->sys, data, data_name);
	c = special_make(mm->sys, code, code_name);
	if (!d || !c)
		refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	else
		ret = mmap_lock_or_refuse(task, mm);
	if (!ret) {
		ret = special_install_all(task, mm, pair_place(mm), d, c);
		mmap_write_unlock(mm);
	}
	if (IS_ERR_VALUE(ret) && d)
		special_put(d);
	if (IS_ERR_VALUE(ret) && c)
		special_put(c);
	return ret;
}
