/* SPDX-License-Identifier: MIT */
/*
 * VMAs: finding, linking, splitting, merging; the anon_vma; the growing stack. No I/O and no page
 * tables here.
 *
 * Who merges with whom. A range N meets its neighbours P and X, drawn as P|N|X:
 *
 *	new range (mmap, brk, mremap)		part of a VMA gets other flags (mprotect, mlock,
 *madvise) P|N|X -> PPP				P|V|X -> PPP	all of V, both sides agree P|N . ->
 *PP .				P|VV  -> PP|V	P grows over the lower part of V . N|X -> . XX
 *VV|X  -> V|XX	X grows over the upper part of V VVV   -> V|V|V	nobody agrees: split
 *
 * Neighbours agree when flags (but soft-dirty), file and page offsets do, and their anon_vmas:
 *equal, or one has none and the other's is its own. A VMA that got its pages by fork is connected
 *with its parent's through its anon_vma and does not merge with one that has none (ANON_CHAINED).
 *
 * An anon_vma is a number of the mm's, drawn when the first anonymous page comes: nothing leads back
 * from the pages, so all it has to say is which VMAs are of one origin. 0: none yet.
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/vma.h"

/* ---- making and freeing ---- */

static struct slab_cache *cache_of_kind(struct mmk_system *sys, bool in_file)
{
	return in_file ? &sys->file_vma_cache : &sys->vma_cache;
}

struct vm_area_struct *vma_alloc(struct mm_struct *mm, bool in_file)
{
	struct vm_area_struct *vma;

	if (!in_file && mm->spare_vma)
		return vma_alloc_anon(mm);
	vma = slab_alloc_reclaim(cache_of_kind(mm->sys, in_file));
	if (unlikely(!vma))
		return NULL;
	vma->vm_mm = mm;
	vma->in_file = in_file;
	__atomic_store_n(&mm->vmas_made, mm->vmas_made + 1, __ATOMIC_RELAXED);
	return vma;
}

void vma_free(struct vm_area_struct *vma)
{
	slab_free(cache_of_kind(vma->vm_mm->sys, vma->in_file), vma);
}

void vma_drop_spare(struct mm_struct *mm)
{
	if (mm->spare_vma)
		vma_free(mm->spare_vma);
	__atomic_store_n(&mm->spare_vma, NULL, __ATOMIC_RELAXED);
}

static void free_retired(struct mmk_system *sys, struct mmk_deferred *d)
{
	struct vm_area_struct *vma = container_of(d, struct vm_area_struct, range.deferred);

	/* Its mm may be gone. */
	slab_free(cache_of_kind(sys, vma->in_file), vma);
}

/*
 * The record of a VMA that has been in the index: a fault may still look at it. If not, the mm keeps one
 * for the next VMA, as who unmaps often maps again.
 */
static inline __attribute__((always_inline)) void vma_retire(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmk_system *sys = mm->sys;

	if (likely(!sys->defers)) {
		if (mm->spare_vma || vma->in_file)
			vma_free(vma);
		else
			__atomic_store_n(&mm->spare_vma, vma, __ATOMIC_RELAXED);
		return;
	}
	vma->range.deferred.fn = free_retired;
	sys->port->defer(sys->ctx, &vma->range.deferred);
}

void *mmk_vma_private(struct mmk_vma *vma)
{
	return vma->vm_private_data;
}

/* ---- the file's side: i_mmap and the counts of who maps how ---- */

static struct address_space *vma_file_mapping(const struct vm_area_struct *vma)
{
	return vma->vm_file ? vma->vm_file->f_mapping : NULL;
}

static bool vma_is_shared_maywrite(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & (MMK_VM_SHARED | MMK_VM_MAYWRITE)) ==
	       (MMK_VM_SHARED | MMK_VM_MAYWRITE);
}

/* Among the mappings of the file, and in its counts; i_mmap_lock held. */
static void i_mmap_add(struct address_space *m, struct vm_area_struct *vma)
{
	if (vma_is_shared_maywrite(vma))
		__atomic_fetch_add(&m->i_mmap_writable, 1, __ATOMIC_RELAXED);
	if (vma->vm_flags & MMK_VM_DENYWRITE)
		__atomic_fetch_sub(&m->i_writecount, 1, __ATOMIC_RELAXED);
	itv_insert(&m->i_mmap, vma);
}

static void i_mmap_del(struct address_space *m, struct vm_area_struct *vma)
{
	itv_erase(&m->i_mmap, vma);
	if (vma_is_shared_maywrite(vma))
		__atomic_fetch_sub(&m->i_mmap_writable, 1, __ATOMIC_RELAXED);
	if (vma->vm_flags & MMK_VM_DENYWRITE)
		__atomic_fetch_add(&m->i_writecount, 1, __ATOMIC_RELAXED);
}

/* The file's mapping, locked, of a VMA whose ends are to change; NULL: it has none. */
static inline struct address_space *lock_file_side(const struct vm_area_struct *vma)
{
	struct address_space *m = vma_file_mapping(vma);

	if (unlikely(m))
		i_mmap_lock(m);
	return m;
}

void vma_link_file(struct vm_area_struct *vma)
{
	struct address_space *m = lock_file_side(vma);

	if (!m)
		return;
	i_mmap_add(m, vma);
	i_mmap_unlock(m);
}

static __attribute__((noinline)) void vma_unlink_file(struct vm_area_struct *vma)
{
	struct address_space *m = lock_file_side(vma);

	if (!m)
		return;
	i_mmap_del(m, vma);
	i_mmap_unlock(m);
}

void vma_link(struct mm_struct *mm, struct vm_area_struct *vma)
{
	vma_link_before(mm, vma, find_vma(mm, vma->vm_start));
}

/*
 * Faults without mmap_lock that look at the VMA's file (fault.c) are over: no new ones begin, as
 * mm->seq has changed. They do not sleep.
 */
static __attribute__((noinline)) void vma_await_looks(const struct vm_area_struct *vma)
{
	const struct mmk_system *sys = vma->vm_mm->sys;

	if (!sys->defers || !vma->vm_file)
		return;
	for (unsigned cpu = 0; cpu < sys->nr_cpus; cpu++)
		while (unlikely(atomic_load_explicit(&sys->cpus[cpu].look.vma,
						     memory_order_acquire) == vma))
			if (sys->port->relax)
				sys->port->relax(sys->ctx);
}

static inline __attribute__((always_inline)) void let_go(struct vm_area_struct *vma)
{
	struct mmk_system *sys = vma->vm_mm->sys;
	struct anon_name *name = vma_anon_name(vma);

	if (unlikely(name))
		anon_name_put(sys, name);
	if (vma->vm_file)
		put_vma_file(sys, vma->vm_file);
	vma_retire(vma);
}

void vma_discard(struct vm_area_struct *vma)
{
	let_go(vma);
}

static inline __attribute__((always_inline)) void end_vma(struct vm_area_struct *vma)
{
	if (vma->in_file)
		vma_unlink_file(vma);
	if (vma->vm_ops && vma->vm_ops->close)
		vma->vm_ops->close(vma);
	let_go(vma);
}

void vma_end(struct vm_area_struct *vma)
{
	end_vma(vma);
}

void vma_remove(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	if (vma->in_file)
		vma_await_looks(vma);
	range_erase(&mm->vmas, &vma->range);
	mm->map_count--;
	end_vma(vma);
}

/*
 * Where VMAs of files change their ends, walkers of i_mmap, who do not have mmap_lock, must find each
 * mapped page at all times: so all that belongs together is done under one i_mmap_lock.
 */
void vma_resize(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct address_space *m = lock_file_side(vma);

	if (m)
		itv_erase(&m->i_mmap, vma);
	vma->vm_pgoff += ((int64_t)start - (int64_t)vma->vm_start) >> PAGE_SHIFT;
	range_resize(&vma->vm_mm->vmas, &vma->range, start, end);
	if (m) {
		itv_insert(&m->i_mmap, vma);
		i_mmap_unlock(m);
	}
}

void vma_resize_end(struct vm_area_struct *vma, unsigned long end)
{
	if (unlikely(vma->vm_file))
		vma_resize(vma, vma->vm_start, end);
	else
		range_resize_end(&vma->vm_mm->vmas, &vma->range, end);
}

/* The border between two neighbours that touch moves to addr, which lies in one of them. */
static void vma_shift(struct vm_area_struct *lower, struct vm_area_struct *upper,
                      unsigned long addr)
{
	struct address_space *m = lock_file_side(lower);

	if (m) {
		itv_erase(&m->i_mmap, lower);
		itv_erase(&m->i_mmap, upper);
	}
	upper->vm_pgoff += ((int64_t)addr - (int64_t)upper->vm_start) >> PAGE_SHIFT;
	upper->vm_start = lower->vm_end = addr;
	if (m) {
		itv_insert(&m->i_mmap, lower);
		itv_insert(&m->i_mmap, upper);
		i_mmap_unlock(m);
	}
}

/* `to` takes over all of a neighbour that it touches, which is freed. */
static void vma_absorb(struct vm_area_struct *to, struct vm_area_struct *gone)
{
	struct mm_struct *mm = to->vm_mm;
	struct address_space *m;

	vma_await_looks(gone);
	m = lock_file_side(to);
	if (m) {
		itv_erase(&m->i_mmap, to);
		i_mmap_del(m, gone);
	}
	if (gone->vm_start < to->vm_start)
		to->vm_pgoff -= vma_pages(gone);
	range_absorb(&mm->vmas, &to->range, &gone->range);
	mm->map_count--;
	if (m) {
		itv_insert(&m->i_mmap, to);
		i_mmap_unlock(m);
	}
	if (gone->vm_ops && gone->vm_ops->close)
		gone->vm_ops->close(gone);
	let_go(gone);
}

void vma_copy(struct vm_area_struct *copy, const struct vm_area_struct *vma)
{
	copy->vm_start = vma->vm_start;
	copy->vm_end = vma->vm_end;
	copy->vm_flags = vma->vm_flags;
	copy->vm_pgoff = vma->vm_pgoff;
	copy->vm_file = vma->vm_file;
	copy->vm_ops = vma->vm_ops;
	copy->vm_private_data = vma->vm_private_data;
	copy->anon_vma = vma_anon_vma(vma);
	copy->policy = vma->policy;
	if (copy->vm_file)
		get_vma_file(copy->vm_mm->sys, copy->vm_file);
	if (unlikely(vma_anon_name(copy)))
		anon_name_get(vma_anon_name(copy));
}

void vma_split(struct vm_area_struct *vma, unsigned long addr, struct vm_area_struct *tail)
{
	struct mm_struct *mm = vma->vm_mm;
	struct address_space *m;

	vma_copy(tail, vma);
	tail->vm_start = addr;
	tail->vm_pgoff = linear_page_index(vma, addr);
	if (tail->vm_ops && tail->vm_ops->open)
		tail->vm_ops->open(tail);
	m = lock_file_side(vma);
	if (m)
		itv_erase(&m->i_mmap, vma);
	range_split(&mm->vmas, &vma->range, &tail->range);
	mm->map_count++;
	if (m) {
		itv_insert(&m->i_mmap, vma);
		i_mmap_add(m, tail);
		i_mmap_unlock(m);
	}
	__atomic_store_n(&mm->splits, mm->splits + 1, __ATOMIC_RELAXED);
}

/* ---- merging ---- */

/* One has no anon_vma and the other's is nobody else's, or it is the same one. `vma` NULL: do not
 * ask whose. */
static bool anon_vmas_agree(uint64_t a, uint64_t b, const struct vm_area_struct *vma)
{
	if ((!a || !b) && (!vma || anon_vma_is_own(vma_anon_vma(vma))))
		return true;
	return a == b;
}

static bool can_merge_with(const struct vma_merge *m, const struct vm_area_struct *vma)
{
	return !((m->vm_flags ^ vma->vm_flags) & ~MMK_VM_SOFTDIRTY) && vma->vm_file == m->file &&
	       vma->policy == m->policy && !anon_names_differ(m->name, vma_anon_name(vma)) &&
	       anon_vmas_agree(m->anon_vma, vma_anon_vma(vma), vma);
}

/* A kind that wants to hear of the end of each of its VMAs: no merge swallows one. */
static bool wants_close(const struct vm_area_struct *vma)
{
	return vma->vm_ops && vma->vm_ops->close;
}

static bool can_merge_left(const struct vma_merge *m)
{
	return m->prev && m->prev->vm_end >= m->start && m->prev->vm_start < m->start &&
	       linear_page_index(m->prev, m->start) == m->pgoff && can_merge_with(m, m->prev);
}

static bool can_merge_right(const struct vma_merge *m)
{
	return m->next && m->next->vm_start <= m->end && m->next->vm_end > m->end &&
	       linear_page_index(m->next, m->end) ==
	           m->pgoff + ((m->end - m->start) >> PAGE_SHIFT) &&
	       can_merge_with(m, m->next);
}

/* The right side, given what the left side said: that each agrees with the range does not say that
 * they agree. */
static unsigned merge_right_too(const struct vma_merge *m, unsigned left)
{
	if (!can_merge_right(m))
		return 0;
	if (left &&
	    (wants_close(m->next) || !anon_vmas_agree(vma_anon_vma(m->prev), vma_anon_vma(m->next), NULL)))
		return 0;
	return MERGE_RIGHT;
}

unsigned vma_merge_sides(const struct vma_merge *m)
{
	unsigned how = 0;

	if (m->vm_flags & VM_SPECIAL)
		return 0;
	if (can_merge_left(m))
		how |= MERGE_LEFT;
	return how | merge_right_too(m, how);
}

static inline void count_merge(struct mm_struct *mm)
{
	__atomic_store_n(&mm->merges, mm->merges + 1, __ATOMIC_RELAXED);
}

/* `to` takes over pages that `av` stands for. */
static void adopt_anon_vma(struct vm_area_struct *to, uint64_t av)
{
	if (!vma_anon_vma(to))
		__atomic_store_n(&to->anon_vma, av, __ATOMIC_RELAXED);
}

struct vm_area_struct *vma_grow(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	count_merge(vma->vm_mm);
	if (vma->vm_end > end)
		end = vma->vm_end;
	if (vma->vm_start <= start)
		vma_resize_end(vma, end);
	else
		vma_resize(vma, start, end);
	return vma;
}

struct vm_area_struct *vma_merge_new(const struct vma_merge *m, unsigned how)
{
	struct vm_area_struct *next = m->next;
	struct vm_area_struct *vma = vma_grow(how & MERGE_LEFT ? m->prev : next, m->start, m->end);

	if (how == (MERGE_LEFT | MERGE_RIGHT)) {
		adopt_anon_vma(vma, vma_anon_vma(next));
		vma_absorb(vma, next);
	}
	return vma;
}

/* ---- other flags for a part of a VMA ---- */

static unsigned can_merge_part(const struct vm_area_struct *vma, const struct vma_merge *m)
{
	unsigned how = 0;

	if (m->vm_flags & VM_SPECIAL)
		return 0;
	if (m->start == vma->vm_start && can_merge_left(m))
		how |= MERGE_LEFT;
	if (m->end == vma->vm_end)
		how |= merge_right_too(m, how);
	/* All of it would go: its kind must allow that. */
	if (m->start == vma->vm_start && m->end == vma->vm_end && wants_close(vma))
		return 0;
	return how;
}

static struct vm_area_struct *merge_part(struct vm_area_struct *vma, const struct vma_merge *m,
                                         unsigned how)
{
	struct vm_area_struct *to = how & MERGE_LEFT ? m->prev : m->next;

	count_merge(vma->vm_mm);
	adopt_anon_vma(to, vma_anon_vma(vma));
	if (m->start == vma->vm_start && m->end == vma->vm_end)
		vma_absorb(to, vma);
	else if (how & MERGE_LEFT)
		vma_shift(to, vma, m->end);
	else
		vma_shift(vma, to, m->start);
	if (how == (MERGE_LEFT | MERGE_RIGHT)) {
		adopt_anon_vma(to, vma_anon_vma(m->next));
		vma_absorb(to, m->next);
	}
	return to;
}

static int split_part(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                      unsigned long end, struct vm_area_struct **out)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned need = (start != vma->vm_start) + (end != vma->vm_end);
	struct vm_area_struct *middle = NULL, *tail = NULL;

	if (need && mm->map_count + need - 1 >= mm->sys->max_map_count)
		return refuse(task, -MMK_ENOMEM, MMK_REASON_SPLIT_MAP_COUNT, start,
		              mm->sys->max_map_count);
	if (start != vma->vm_start && !(middle = vma_alloc(mm, vma->in_file)))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	if (end != vma->vm_end && !(tail = vma_alloc(mm, vma->in_file))) {
		if (middle)
			vma_free(middle);
		return refuse(task, -MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, 0, 0);
	}
	if (middle) {
		vma_split(vma, start, middle);
		vma = middle;
	}
	if (tail)
		vma_split(vma, end, tail);
	*out = vma;
	return 0;
}

static int modify_part(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                       unsigned long end, uint64_t vm_flags, const struct anon_name *name,
                       uint32_t policy,
                       struct vm_area_struct **out)
{
	struct vma_merge m;
	unsigned how;

	/* A middle part has no neighbour but what stays of the VMA. */
	if (start != vma->vm_start && end != vma->vm_end)
		return split_part(task, vma, start, end, out);
	m = (struct vma_merge){
	    .prev = start == vma->vm_start ? vma_prev(vma) : NULL,
	    .next = end == vma->vm_end ? vma_next(vma) : NULL,
	    .start = start,
	    .end = end,
	    .vm_flags = vm_flags,
	    .pgoff = linear_page_index(vma, start),
	    .file = vma->vm_file,
	    .anon_vma = vma_anon_vma(vma),
	    .name = name,
	    .policy = policy,
	};
	how = can_merge_part(vma, &m);
	if (!how)
		return split_part(task, vma, start, end, out);
	*out = merge_part(vma, &m, how);
	return 0;
}

int vma_modify(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
               unsigned long end, uint64_t vm_flags, struct vm_area_struct **out)
{
	return modify_part(task, vma, start, end, vm_flags, vma_anon_name(vma), vma->policy,
	                   out);
}

int vma_modify_name(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                    unsigned long end, const struct anon_name *name, struct vm_area_struct **out)
{
	return modify_part(task, vma, start, end, vma->vm_flags, name, vma->policy, out);
}

int vma_modify_policy(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                      unsigned long end, uint32_t policy, struct vm_area_struct **out)
{
	return modify_part(task, vma, start, end, vma->vm_flags, vma_anon_name(vma), policy, out);
}

/* ---- the anon_vma ---- */

/*
 * Could b follow a as one VMA one day, so that sharing an anon_vma keeps that possible? Most differ in
 * their flags.
 */
static inline bool anon_neighbours(const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	return !((a->vm_flags ^ b->vm_flags) & ~(VM_ACCESS_FLAGS | MMK_VM_SOFTDIRTY)) &&
	       a->vm_end == b->vm_start && a->vm_file == b->vm_file && a->policy == b->policy &&
	       linear_page_index(a, b->vm_start) == b->vm_pgoff;
}

/* That of a VMA which may share it. */
static inline uint64_t shareable_anon_vma(const struct vm_area_struct *vma)
{
	uint64_t av = vma_anon_vma(vma);

	return anon_vma_is_own(av) ? av : 0;
}

static uint64_t neighbours_anon_vma(const struct vm_area_struct *vma, uint32_t seq)
{
	const struct vm_area_struct *next = vma_next(vma), *prev = vma_prev(vma);
	uint64_t av = 0;

	/* Before they are followed: that they still were neighbours. */
	atomic_thread_fence(memory_order_acquire);
	if (unlikely(atomic_load_explicit(&vma->vm_mm->seq, memory_order_relaxed) != seq))
		return 0;
	if (next && anon_neighbours(vma, next))
		av = shareable_anon_vma(next);
	if (!av && prev && anon_neighbours(prev, vma))
		av = shareable_anon_vma(prev);
	return av;
}

_Static_assert(MAX_CPUS <= 64, "a CPU's number has six bits here");

/*
 * By the CPU's own count and its number, so that CPUs draw without a word of both. After 2^32 of one
 * CPU in one mm a number comes again: then two VMAs may merge that would have stayed apart.
 */
static inline uint64_t draw_anon_vma(struct mm_struct *mm, struct mm_counts *counts)
{
	return ((uint64_t)atomic_fetch_add_explicit(&counts->anon_vmas, 1, memory_order_relaxed) + 1)
	               << 6 |
	       (uint64_t)(counts - mm->counts);
}

bool anon_vma_is_of(const struct mm_struct *mm, uint64_t anon_vma)
{
	const uint64_t cpu = anon_vma & 63, n = (anon_vma & ~ANON_CHAINED) >> 6;

	return cpu < mm->sys->nr_cpus &&
	       n <= atomic_load_explicit(&mm->counts[cpu].anon_vmas, memory_order_relaxed);
}

/*
 * Without mmap_lock the VMA may be on its way out, or change: the number is then never used, as the
 * fault finds mm->seq changed before it puts a page there. Who takes the lock for writing sees the number
 * or keeps the fault from doing so: hence the fence between the number and that look at mm->seq.
 */
void anon_vma_make(struct vm_area_struct *vma, struct mm_counts *counts, uint32_t seq)
{
	uint64_t av = neighbours_anon_vma(vma, seq), none = 0;

	if (!av)
		av = draw_anon_vma(vma->vm_mm, counts);
	__atomic_compare_exchange_n(&vma->anon_vma, &none, av, false, __ATOMIC_RELAXED,
	                            __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
}

void anon_vma_make_here(struct vm_area_struct *vma, uint32_t seq)
{
	anon_vma_make(vma, mm_counts_here(vma->vm_mm), seq);
}

void vma_drop_anon_vma(struct vm_area_struct *vma)
{
	__atomic_store_n(&vma->anon_vma, 0, __ATOMIC_RELAXED);
}

void anon_vma_fork(struct vm_area_struct *child)
{
	if (!child->anon_vma)
		return;
	child->anon_vma =
	    draw_anon_vma(child->vm_mm, mm_counts_here(child->vm_mm)) | ANON_CHAINED;
}

/* ---- the growing stack ---- */

/* A VMA below that is mapped and may be touched keeps its distance; PROT_NONE is somebody's own
 * guard. */
static bool in_guard_gap(const struct vm_area_struct *vma, unsigned long addr,
                         const struct vm_area_struct *prev)
{
	return prev && !(prev->vm_flags & MMK_VM_GROWSDOWN) && (prev->vm_flags & VM_ACCESS_FLAGS) &&
	       addr - prev->vm_end < vma->vm_mm->stack_guard_gap;
}

static int charge_stack(struct mmk_task *task, struct vm_area_struct *vma, unsigned long addr)
{
	struct mm_struct *mm = vma->vm_mm;
	uint64_t grow = (vma->vm_start - addr) >> PAGE_SHIFT, size = vma->vm_end - addr;
	int err;

	err = may_expand_vm(task, mm, vma->vm_flags, grow);
	if (err)
		return err;
	if (size > rlimit_bytes(task, MMK_RLIMIT_STACK))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_RLIMIT_STACK, size,
		              rlimit_bytes(task, MMK_RLIMIT_STACK));
	err = mlock_future_check(task, mm, vma->vm_flags, grow, -MMK_ENOMEM);
	return err || !(vma->vm_flags & MMK_VM_ACCOUNT) ? err : vm_charge(task, mm, grow);
}

__cold int expand_stack(struct mmk_task *task, struct vm_area_struct *vma, unsigned long addr)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vm_area_struct *prev = vma_prev(vma);
	uint64_t grow;
	int err;

	mmap_assert_write_locked(mm);
	addr &= PAGE_MASK;
	if (!(vma->vm_flags & MMK_VM_GROWSDOWN))
		return refuse(task, -MMK_EFAULT, MMK_REASON_STACK_NOT, addr, 0);
	if (addr >= vma->vm_start)
		return 0; /* another thread was first */
	grow = (vma->vm_start - addr) >> PAGE_SHIFT;
	if (addr < lowest_choice(mm->sys) || grow > vma->vm_pgoff)
		return refuse(task, -MMK_EPERM, MMK_REASON_STACK_LOW, addr, 0);
	if (in_guard_gap(vma, addr, prev))
		return refuse(task, -MMK_ENOMEM, MMK_REASON_STACK_GUARD, addr, prev->vm_end);
	/* What has grown is copied by fork as memory that was written, as Linux does. */
	anon_vma_prepare(vma, mmap_seq(mm));
	err = charge_stack(task, vma, addr);
	if (err)
		return err;
	vma_resize(vma, addr, vma->vm_end);
	vm_stat_account(mm, vma->vm_flags, grow);
	if (vma->vm_flags & MMK_VM_LOCKED)
		mm->locked_vm += grow;
	perf_event_mmap(task, vma);
	return 0;
}
