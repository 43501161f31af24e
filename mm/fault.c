/* SPDX-License-Identifier: MIT */
/*
 * Page faults: from an address that the MMU refused to the entry that lets it through, or to the
 * signal.
 *
 *   do_page_fault       the VMA and its permissions, stack growth, signals  (mmap_lock for reading)
 *   fault_lockless      the same without that lock, for anonymous memory and for what files have in
 *                       the cache; where it does not work out (a writer is at work, memory is
 *                       short, something has to be read), the way above comes after it
 *   handle_mm_fault     the stages, see fault.h, and their only retry loop
 *
 * At most mmap_lock is held across the stages; the table's lock just while an entry is compared and
 * changed. So a fault may sleep for I/O, and several faults of one mm run side by side.
 */
#include "mm/internal.h"
#include "mm/fault.h"
#include "mm/share.h"

#define SIGBUS_NO      7
#define SIGKILL_NO     9
#define SIGSEGV_NO     11
#define SEGV_MAPERR_NO 1
#define SEGV_ACCERR_NO 2
#define BUS_ADRERR_NO  2
#define SI_KERNEL_NO   0x80

/* ---- pieces of the stages ---- */

static inline void fault_lookup_here(struct vm_fault *f)
{
	struct mmk_system *sys = f->sys;
	pte_t entry = pte_table_entry(f->mm, f->addr);
	phys_addr_t phys = pte_phys(entry);

	/* One that others may have is none to work with: fault_table_make(). */
	if (unlikely(pte_none(entry) || table_is_shared(entry))) {
		f->table = NULL;
		f->orig = (pte_t){0};
		return;
	}
	f->table = phys_to_page(sys, phys);
	f->ptep = (pte_t *)phys_to_virt(sys, phys) + pte_index(f->addr);
	f->orig = ptep_get(f->ptep);
}

static __attribute__((noinline)) void fault_lookup(struct vm_fault *f)
{
	fault_lookup_here(f);
}

int fault_table_make(struct vm_fault *f)
{
	if (f->flags & FAULT_FLAG_NOWAIT)
		return FAULT_WAIT;
	if (mm_shares(f->mm) && pte_table_find(f->mm, f->addr))
		return table_own(f->mm, f->addr) ? -MMK_ENOMEM : FAULT_RETRY;
	f->table = pte_table_make(f->mm, f->addr);
	if (!f->table)
		return -MMK_ENOMEM;
	f->ptep = table_pte(f->sys, f->table, f->addr);
	return 0;
}

void fault_install(struct vm_fault *f, struct page *page, pte_t pte)
{
	if (pte_none(f->orig))
		table_use(f->table, 1);
	if (page)
		page_map_add(page);
	else
		f->table->traits |= TABLE_UNCOUNTED;
	set_pte(f->sys, f->ptep, pte);
	/* Before the lock goes: from then on another may take the page away, and its kind with it. */
	if (page)
		mm_rss_add(f->mm, page_rss_kind(page), 1);
	spin_unlock(&f->table->ptl);
	pte_barrier(f->sys);
}

/* ---- the stages in their order ---- */

/* The entry would have let the access through: old, clean, or only a TLB that is behind. */
static int fault_present(struct vm_fault *f)
{
	pte_t pte = pte_mkyoung(f->orig);

	if (f->flags & FAULT_FLAG_WRITE)
		pte = pte_mkdirty(pte);
	if (!fault_lock(f))
		return FAULT_RETRY;
	if (pte_same(pte, f->orig))
		stat_inc(f->sys, faults_spurious);
	else
		set_pte(f->sys, f->ptep, pte);
	flush_tlb_page(f->mm, f->addr);
	spin_unlock(&f->table->ptl);
	return 0;
}

static inline int fault_stage(struct vm_fault *f)
{
	bool write = f->flags & FAULT_FLAG_WRITE;

	if (pte_none(f->orig))
		return f->vma->vm_ops ? fault_file(f) : fault_anon(f);
	/* A guard is no memory at all; no other marker is made yet. */
	if (unlikely(!pte_present(f->orig)))
		return pte_is_guard(f->orig) ? -MMK_EFAULT : -MMK_EIO;
	if (write && !pte_hw_writable(f->orig)) {
		if (f->vma->vm_flags & MMK_VM_SHARED)
			return fault_shared(f);
		if (!pte_write(f->orig))
			return fault_cow(f);
	}
	return fault_present(f);
}

/* seq: mm->seq as it was before the VMA was found; it does not change while mmap_lock is held. */
static inline void fault_begin(struct vm_fault *f, struct mmk_task *task, struct mm_struct *mm,
			       struct vm_area_struct *vma, unsigned long addr, unsigned flags,
			       uint32_t seq)
{
	/* One by one, as compilers clear the whole first. */
	f->task = task;
	f->sys = mm->sys;
	f->mm = mm;
	f->vma = vma;
	f->addr = addr & PAGE_MASK;
	f->flags = flags;
	f->seq = seq;
	f->major = false;
}

/* From an entry that has been looked up. */
static __attribute__((noinline)) int run_stages(struct vm_fault *f)
{
	struct mm_counts *counts;
	int rc;

	while (unlikely((rc = fault_stage(f)) == FAULT_RETRY) && mmap_seq(f->mm) == f->seq)
		fault_lookup(f);
	if (rc == FAULT_COUNTED)
		return 0;
	if (unlikely(rc))
		return rc;
	if (unlikely(f->major))
		stat_inc_rare(f->sys, faults_major);
	counts = mm_counts_here(f->mm);
	atomic_fetch_add_explicit(f->major ? &counts->maj_flt : &counts->min_flt, 1,
				  memory_order_relaxed);
	return 0;
}

int handle_mm_fault(struct mmk_task *task, struct vm_area_struct *vma, unsigned long addr,
		    unsigned flags)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vm_fault f;

	fault_begin(&f, task, mm, vma, addr, flags, mmap_seq(mm));
	fault_lookup(&f);
	return run_stages(&f);
}

/* ---- the VMA and the signal ---- */

/* Without FEAT_PAN3 whatever may be written or executed may be read. */
static bool access_allowed(const struct vm_area_struct *vma, unsigned flags)
{
	if (flags & MMK_FAULT_WRITE)
		return vma->vm_flags & MMK_VM_WRITE;
	if (flags & MMK_FAULT_EXEC)
		return vma->vm_flags & MMK_VM_EXEC;
	return vma->vm_flags & (MMK_VM_READ | MMK_VM_WRITE | MMK_VM_EXEC);
}

static int refuse_fault(struct mmk_system *sys, struct mmk_fault *out, unsigned long addr, int signo,
			int code)
{
	*out = (struct mmk_fault){signo, code, addr};
	stat_inc_rare(sys, faults_refused);
	return -MMK_EFAULT;
}

static int fault_signal(struct mmk_system *sys, struct mmk_fault *out, unsigned long addr, int rc)
{
	switch (rc) {
	case -MMK_ENOMEM:
		return refuse_fault(sys, out, addr, SIGKILL_NO, SI_KERNEL_NO);
	case -MMK_EIO:
		return refuse_fault(sys, out, addr, SIGBUS_NO, BUS_ADRERR_NO);
	default:
		return refuse_fault(sys, out, addr, SIGSEGV_NO, SEGV_MAPERR_NO);
	}
}

/*
 * Below a stack: grow it, for which mmap_lock must be held for writing; so let it go, look again,
 * and come back with it held for reading. NULL, with nothing held: no such memory.
 */
static struct vm_area_struct *grow_and_find(struct mmk_task *task, struct mm_struct *mm,
					    unsigned long addr)
{
	struct vm_area_struct *vma;

	mmap_read_unlock(mm);
	mmap_write_lock(mm);
	vma = find_vma(mm, addr);
	if (!vma || (addr < vma->vm_start && (!(vma->vm_flags & MMK_VM_GROWSDOWN) ||
					      expand_stack(task, vma, addr)))) {
		mmap_write_unlock(mm);
		return NULL;
	}
	mmap_write_downgrade(mm);
	return vma;
}

/* The VMA of addr with mmap_lock held for reading; NULL with nothing held. */
static struct vm_area_struct *lock_and_find(struct mmk_task *task, struct mm_struct *mm,
					    unsigned long addr)
{
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (likely(vma && addr >= vma->vm_start))
		return vma;
	if (vma && (vma->vm_flags & MMK_VM_GROWSDOWN))
		return grow_and_find(task, mm, addr);
	mmap_read_unlock(mm);
	return NULL;
}

/*
 * The file of a VMA is there as long as the VMA has it, which without mmap_lock may end at any moment.
 * So a fault without it writes down the VMA that it looks through, in its CPU's place, and then asks
 * mm->seq whether it still is one; who takes the VMA away has changed mm->seq before, and looks into
 * those places before it lets go of the file (vma_await_looks). One of the two sees the other.
 *
 * NULL: another thread has the place. Where nobody runs beside us none is needed.
 */
static inline struct file_look *file_look_begin(struct mmk_system *sys, struct vm_area_struct *vma)
{
	struct file_look *look = &cpu_here(sys)->look;
	struct vm_area_struct *none = NULL;

	return atomic_compare_exchange_strong(&look->vma, &none, vma) ? look : NULL;
}

static inline void file_look_end(struct file_look *look)
{
	atomic_store_explicit(&look->vma, NULL, memory_order_release);
}

/* What a driver has is its own affair. Where nothing is mapped yet fault_file() says so. */
static inline bool file_stages(struct vm_fault *f)
{
	return (likely(pte_none(f->orig)) || vma_page_cache(f->vma)) && !run_stages(f);
}

static inline bool file_lockless(struct vm_fault *f)
{
	struct file_look *look;
	bool done;

	if (!f->sys->defers)
		return file_stages(f);
	look = file_look_begin(f->sys, f->vma);
	if (!look)
		return false;
	done = atomic_load(&f->mm->seq) == f->seq && file_stages(f);
	file_look_end(look);
	return done;
}

/*
 * Most faults are the first touch of anonymous memory: with a table that has room for it nothing is left
 * to be decided. The others go on from what has been looked up.
 */
static inline bool stages_lockless(struct vm_fault *f)
{
	struct vm_fault on;

	if (likely(!f->vma->vm_ops) && likely(f->table && pte_none(f->orig)) &&
	    likely(!mm_is_reaped(f->mm)))
		return anon_touch(f->mm, f->vma, f->table, f->ptep, f->flags, f->seq) ==
		       FAULT_COUNTED;
	/* A copy, so that compilers keep the other in registers. */
	on = *f;
	return on.vma->vm_ops ? file_lockless(&on) : !run_stages(&on);
}

/*
 * The same without mmap_lock, for what neither sleeps nor needs more of the VMA than its own words and
 * its file's cache, and has its tables. The VMA may be gone or be another one by now: the index and
 * the record can be read all the same (port->defer), and fault_lock() finds out before anything is
 * changed. True: done. Else the way with the lock decides.
 */
static inline bool fault_lockless(struct mmk_task *task, struct mm_struct *mm, unsigned long addr,
				  unsigned flags)
{
	const uint32_t seq = mmap_seq(mm);
	struct vm_area_struct *vma;
	struct vm_fault f;

	if (unlikely(seq & 1))
		return false;
	vma = find_vma(mm, addr);
	if (unlikely(!vma || addr < vma->vm_start || !access_allowed(vma, flags)))
		return false;
	fault_begin(&f, task, mm, vma, addr, flags | FAULT_FLAG_NOWAIT, seq);
	fault_lookup_here(&f);
	return stages_lockless(&f);
}

static inline bool try_lockless(struct mmk_task *task, struct mm_struct *mm, unsigned long addr,
				unsigned flags)
{
	struct mmk_system *sys = mm->sys;
	const unsigned how = sys->lockless;
	bool done;

	if (unlikely(!how))
		return false;
	if (unlikely(how & LOCKLESS_LOOKS))
		sys->port->look_begin(sys->ctx);
	done = fault_lockless(task, mm, addr, flags);
	if (unlikely(how & LOCKLESS_LOOKS))
		sys->port->look_end(sys->ctx);
	return done;
}

static __attribute__((noinline)) int fault_locked(struct mmk_task *task, unsigned long addr,
						  unsigned flags, struct mmk_fault *out)
{
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *vma = lock_and_find(task, mm, addr);
	bool allowed;
	int rc = 0;

	if (unlikely(!vma))
		return refuse_fault(mm->sys, out, addr, SIGSEGV_NO, SEGV_MAPERR_NO);
	allowed = access_allowed(vma, flags);
	if (likely(allowed))
		rc = handle_mm_fault(task, vma, addr, flags);
	mmap_read_unlock(mm);
	if (unlikely(!allowed))
		return refuse_fault(mm->sys, out, addr, SIGSEGV_NO, SEGV_ACCERR_NO);
	return likely(!rc) ? 0 : fault_signal(mm->sys, out, addr, rc);
}

int do_page_fault(struct mmk_task *task, unsigned long addr, unsigned flags,
		  struct mmk_fault *out)
{
	struct mm_struct *mm = task->mm;

	if (unlikely(!mm)) {
		*out = (struct mmk_fault){SIGSEGV_NO, SEGV_MAPERR_NO, addr};
		return -MMK_EFAULT;
	}
	if (unlikely(addr >= mm->task_size))
		return refuse_fault(mm->sys, out, addr, SIGSEGV_NO, SEGV_MAPERR_NO);
	if (likely(try_lockless(task, mm, addr, flags)))
		return 0;
	return fault_locked(task, addr, flags, out);
}

/* ---- populate ---- */

#define POPULATE_GROUP 64ul /* pages of a file at once */

/* The first page of [addr, end) that a fault would still make something of, or end. */
static unsigned long skip_populated(const struct mm_struct *mm, unsigned long addr,
				    unsigned long end, unsigned flags)
{
	while (addr < end) {
		struct page *table = pte_table_find_own(mm, addr);
		unsigned long stop = table_end(addr, end);
		const pte_t *ptep;

		if (!table)
			return addr;
		for (ptep = table_pte(mm->sys, table, addr); addr < stop; addr += PAGE_SIZE) {
			pte_t pte = ptep_get(ptep++);

			if (!pte_present(pte) ||
			    ((flags & FAULT_FLAG_WRITE) && !pte_hw_writable(pte)))
				return addr;
		}
	}
	return end;
}

/*
 * Anonymous pages to be written, a batch at once, where nothing is in their places yet and nothing in
 * the way. Returns the first address that is not done.
 */
static unsigned long populate_anon(struct vm_area_struct *vma, unsigned long addr, unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct page *table = pte_table_find_own(mm, addr);

	if (!table || mm_is_reaped(mm))
		return addr;
	return addr + (anon_touch_run(vma, table, table_pte(mm->sys, table, addr),
				      (table_end(addr, end) - addr) >> PAGE_SHIFT)
		       << PAGE_SHIFT);
}

/*
 * Pages of a file to be read, in groups, as long as the cache has all of a group and none of it is
 * mapped. Returns the first address that wants more.
 */
static unsigned long populate_file(struct mmk_task *task, struct vm_area_struct *vma,
				   unsigned long addr, unsigned long end)
{
	const unsigned long group = POPULATE_GROUP * PAGE_SIZE;
	struct mm_struct *mm = vma->vm_mm;
	struct vm_fault f = {
		.task = task, .sys = mm->sys, .mm = mm, .vma = vma, .seq = mmap_seq(mm)};
	unsigned long stop, n = 1;

	for (; n && addr < end; addr += n << PAGE_SHIFT) {
		f.table = pte_table_find_own(mm, addr);
		if (!f.table)
			break;
		f.addr = addr;
		f.ptep = table_pte(mm->sys, f.table, addr);
		stop = (addr & ~(group - 1)) + group;
		n = populate_cached(&f, stop - 1 < end - 1 ? stop : end);
		atomic_fetch_add_explicit(&mm_counts_here(mm)->min_flt, n > 0, memory_order_relaxed);
		cond_resched(mm->sys);
	}
	return addr;
}

int populate_pause(const struct mmk_system *sys, unsigned long addr, unsigned long *next)
{
	if (addr < *next)
		return 0;
	*next = addr + POPULATE_GROUP * PAGE_SIZE;
	cond_resched(sys);
	return sys->port->killed && sys->port->killed(sys->ctx) ? -MMK_EINTR : 0;
}

int populate_vma_page_range(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
			    unsigned long end)
{
	const uint64_t access = MMK_VM_READ | MMK_VM_WRITE | MMK_VM_EXEC;
	unsigned long addr = start, pause = 0, done;
	unsigned flags = 0;
	int rc = 0;

	if (vma->vm_flags & MMK_VM_LOCKONFAULT)
		return 0;
	if (!(vma->vm_flags & access) || (vma->vm_flags & (MMK_VM_IO | MMK_VM_PFNMAP)))
		return -MMK_EFAULT;
	/* Break copy-on-write ahead; but do not make a shared file's pages dirty. */
	if ((vma->vm_flags & (MMK_VM_WRITE | MMK_VM_SHARED)) == MMK_VM_WRITE)
		flags = FAULT_FLAG_WRITE;
	while (addr < end && !rc) {
		rc = populate_pause(vma->vm_mm->sys, addr, &pause);
		if (unlikely(rc))
			break;
		if (!vma->vm_ops && flags) {
			done = populate_anon(vma, addr, end);
			if (likely(done != addr)) {
				addr = done;
				continue;
			}
		} else if (vma->vm_ops && !flags) {
			addr = populate_file(task, vma, addr, end);
		}
		addr = skip_populated(vma->vm_mm, addr, end, flags);
		if (addr < end)
			rc = handle_mm_fault(task, vma, addr, flags);
		addr += PAGE_SIZE;
	}
	return rc;
}
