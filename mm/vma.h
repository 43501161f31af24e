/* SPDX-License-Identifier: MIT */
/*
 * What the files of the VMA side say to each other (vma.c, account.c, munmap.c, unmapped_area.c,
 * mmap.c and the calls). All of it is done under mmap_lock for writing unless a comment says
 * otherwise.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include "mm/account.h"

struct anon_name;

/* Never merged, never locked in memory: devices and what is like them. */
#define VM_SPECIAL      (MMK_VM_IO | MMK_VM_DONTEXPAND | MMK_VM_PFNMAP | MMK_VM_MIXEDMAP)
#define VM_ACCESS_FLAGS (MMK_VM_READ | MMK_VM_WRITE | MMK_VM_EXEC)
#define VM_MAY_FLAGS    (MMK_VM_MAYREAD | MMK_VM_MAYWRITE | MMK_VM_MAYEXEC)
#define VM_LOCKED_MASK  (MMK_VM_LOCKED | MMK_VM_LOCKONFAULT)

static inline bool vma_is_anonymous(const struct vm_area_struct *vma)
{
	return !vma->vm_ops;
}

static inline bool vma_is_sealed(const struct vm_area_struct *vma)
{
	return vma->vm_flags & MMK_VM_SEALED;
}

static inline uint64_t prot_to_vm(const struct mmk_system *sys, unsigned long prot)
{
	/* PROT_READ, _WRITE, _EXEC and VM_READ, _WRITE, _EXEC have the same numbers. */
	uint64_t flags = prot & VM_ACCESS_FLAGS;

	return unlikely(prot & sys->prot_arch) ? flags | MMK_VM_ARM64_BTI : flags;
}

/* The lowest address that nothing else may come close to: a growing VMA keeps a guard gap below. */
static inline unsigned long vma_start_gap(const struct vm_area_struct *vma)
{
	unsigned long gap = vma->vm_mm->stack_guard_gap;

	if (likely(!(vma->vm_flags & MMK_VM_GROWSDOWN)))
		return vma->vm_start;
	return vma->vm_start > gap ? vma->vm_start - gap : 0;
}

/*
 * Writes to the VMA are being tracked: its entries get the right to write only by a fault that marks
 * them. What was mapped since the tracking began is dirty as a whole (VM_SOFTDIRTY).
 */
static inline bool vma_tracks_soft_dirty(const struct vm_area_struct *vma)
{
	return unlikely(vma->vm_mm->soft_dirty) && !(vma->vm_flags & MMK_VM_SOFTDIRTY);
}

/*
 * Flags as procfs shows them: soft-dirty only to who has asked for it, as other Linux programs on
 * arm64 have never seen it.
 */
static inline uint64_t vma_shown_flags(const struct vm_area_struct *vma)
{
	return vma->vm_mm->soft_dirty ? vma->vm_flags : vma->vm_flags & ~MMK_VM_SOFTDIRTY;
}

/* Who walks i_mmap reads the flags of a linked VMA without mmap_lock: each change is one store. */
static inline void vma_set_flags(struct vm_area_struct *vma, uint64_t flags)
{
	store_relaxed(&vma->vm_flags, flags);
}
/* All others than that it is soft-dirty, which stays as it is. */
static inline void vma_change_flags(struct vm_area_struct *vma, uint64_t flags)
{
	vma_set_flags(vma, flags | (vma->vm_flags & MMK_VM_SOFTDIRTY));
}

/* ---- vma.c ---- */
/*
 * The record of a VMA, for vma_init() or vma_copy(); NULL when memory is short. Belongs to the caller
 * until linked. in_file: it may have a file, for good.
 */
struct vm_area_struct *vma_alloc(struct mm_struct *mm, bool in_file);
/* One without a file, by the shortest way. */
static inline struct vm_area_struct *vma_alloc_anon(struct mm_struct *mm)
{
	struct vm_area_struct *vma = mm->spare_vma;

	if (unlikely(!vma))
		return vma_alloc(mm, false);
	__atomic_store_n(&mm->spare_vma, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&mm->vmas_made, mm->vmas_made + 1, __ATOMIC_RELAXED);
	return vma;
}
/* All that vma_alloc() has left open: private memory that nobody has touched. */
static inline void vma_init(struct vm_area_struct *vma, unsigned long start, unsigned long end,
                            uint64_t vm_flags, uint64_t pgoff)
{
	vma->vm_start = start;
	vma->vm_end = end;
	vma->vm_flags = vm_flags;
	vma->vm_pgoff = pgoff;
	vma->vm_file = NULL;
	vma->vm_ops = NULL;
	vma->anon_vma = 0;
	vma->vm_private_data = NULL;
	vma->policy = 0;
}
void vma_free(struct vm_area_struct *vma); /* the record alone */
/* The one that the mm keeps ready. */
void vma_drop_spare(struct mm_struct *mm);
/* Put into the index and its file's i_mmap; counts. The VMA's own references go with it. */
void vma_link(struct mm_struct *mm, struct vm_area_struct *vma);
void vma_link_file(struct vm_area_struct *vma);
/* The same of one without a file, where it is known what comes after it (NULL: nothing). */
static inline void vma_link_anon_before(struct mm_struct *mm, struct vm_area_struct *vma,
                                        struct vm_area_struct *next)
{
	range_insert_before(&mm->vmas, &vma->range, next ? &next->range : NULL);
	mm->map_count++;
}
/* Of any. */
static inline void vma_link_before(struct mm_struct *mm, struct vm_area_struct *vma,
                                   struct vm_area_struct *next)
{
	vma_link_anon_before(mm, vma, next);
	if (vma->in_file)
		vma_link_file(vma);
}
/* Behind all others; the index is the caller's to build (range_build). */
static inline void vma_append(struct mm_struct *mm, struct vm_area_struct *vma)
{
	range_append(&mm->vmas, &vma->range);
	mm->map_count++;
	if (vma->in_file)
		vma_link_file(vma);
}
/* Take out again and free with all it holds: vm_ops->close, the file. Pages are gone
 * before. */
void vma_remove(struct vm_area_struct *vma);
/* The same, but that it stays in the index, into which nobody looks any more. */
void vma_end(struct vm_area_struct *vma);
/* A VMA that is in no index: free it with all it holds but what vm_ops->close would. */
void vma_discard(struct vm_area_struct *vma);
/* Give it new ends; vm_pgoff follows vm_start. Both ends stay between the neighbours. */
void vma_resize(struct vm_area_struct *vma, unsigned long start, unsigned long end);
void vma_resize_end(struct vm_area_struct *vma, unsigned long end); /* vm_start stays */
/* Cut at addr, which is inside: `tail`, from vma_alloc, becomes [addr, vm_end). */
void vma_split(struct vm_area_struct *vma, unsigned long addr, struct vm_area_struct *tail);
/* Make `copy` (from vma_alloc) a VMA of the same kind: references taken, not linked. */
void vma_copy(struct vm_area_struct *copy, const struct vm_area_struct *vma);

/* Its pages have gone elsewhere. */
void vma_drop_anon_vma(struct vm_area_struct *vma);
/* For mmk_check(): a number that was drawn, or none. */
bool anon_vma_is_of(const struct mm_struct *mm, uint64_t anon_vma);
/* A child's VMA, from vma_copy, gets an anon_vma of its own if its parent has one. */
void anon_vma_fork(struct vm_area_struct *child);

/* A range that is to become part of its neighbours, if they agree. */
struct vma_merge {
	struct vm_area_struct *prev, *next; /* neighbours, or NULL; they may reach into the range */
	unsigned long start, end;
	uint64_t vm_flags, pgoff;
	struct file *file;
	uint64_t anon_vma;
	const struct anon_name *name;
	uint32_t policy;
};
#define MERGE_LEFT  1u
#define MERGE_RIGHT 2u
unsigned vma_merge_sides(const struct vma_merge *m);
/* With which neighbours a new range can merge (prev and next touch it once what they reach into is
 * gone). */
static inline unsigned vma_can_merge(const struct vma_merge *m)
{
	bool left = m->prev && m->prev->vm_end >= m->start;
	bool right = m->next && m->next->vm_start <= m->end;

	return left || right ? vma_merge_sides(m) : 0;
}
/*
 * The VMA takes in [start, end), which it touches or overlaps and which is private memory or its
 * file's. Returns it.
 */
struct vm_area_struct *vma_grow(struct vm_area_struct *vma, unsigned long start, unsigned long end);
/* Do what vma_can_merge() answered; prev and next now end where the range begins and ends. Returns
 * the merged VMA. */
struct vm_area_struct *vma_merge_new(const struct vma_merge *m, unsigned how);
/*
 * Give [start, end) of the VMA other flags: merge with a neighbour that has them, or split. 0 with
 * *out the VMA that now holds exactly that range or more, with its old flags unless merged; or
 * -ENOMEM, refused, nothing changed.
 */
int vma_modify(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
               unsigned long end, uint64_t vm_flags, struct vm_area_struct **out);

/* The same, and another name in place of other flags; the caller puts it in. */
int vma_modify_name(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                    unsigned long end, const struct anon_name *name, struct vm_area_struct **out);

/* The same, and another memory policy; the caller puts it in. */
int vma_modify_policy(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                      unsigned long end, uint32_t policy, struct vm_area_struct **out);

/* ---- anon_name.c ---- */
struct anon_name *vma_name_slow(const struct vm_area_struct *vma);
static inline struct anon_name *vma_anon_name(const struct vm_area_struct *vma)
{
	return likely(!vma->vm_private_data) ? NULL : vma_name_slow(vma);
}
const char *anon_name_text(const struct anon_name *name);
bool anon_names_differ(const struct anon_name *a, const struct anon_name *b);
void anon_name_get(struct anon_name *name);
void anon_name_put(struct mmk_system *sys, struct anon_name *name);
/* from: user address of the name; 0 takes the name away. */
long do_set_anon_name(struct mmk_task *task, unsigned long start, unsigned long len,
                      unsigned long from);

/* ---- prctl.c ---- */
/* A mapping that has flags `old` is to get `new`, which execute. 0, or -EACCES, refused. */
int mdwe_refuse(struct mmk_task *task, const struct mm_struct *mm, uint64_t old, uint64_t new);

/* ---- munmap.c ---- */
/* What emptying [start, end) takes. */
struct unmap_plan {
	struct mm_struct *mm;
	unsigned long start, end;
	struct vm_area_struct *first; /* first that overlaps, or NULL */
	struct vm_area_struct *prev,
	    *next;                   /* who will be the neighbours; may be the same, or first */
	struct vm_area_struct *tail; /* record for the upper half of a VMA that is cut in two */
	uint64_t nr_pages, nr_accounted;
	uint64_t seen_flags; /* vm_flags of all that overlap, ored */
	bool keep_charge; /* the caller takes care of nr_accounted */
	bool keep_tables; /* the caller has use for the page tables of the range */
};
/* May refuse; then nothing is held. */
int unmap_prepare(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                  unsigned long end, struct unmap_plan *plan);
void unmap_commit(struct unmap_plan *plan);
void unmap_abort(struct unmap_plan *plan);
/*
 * unmap_prepare and _commit in one for who has taken care of map_count and gives the record that a
 * cut may need (NULL where none can be); it is used or freed. Cannot fail.
 */
void unmap_prepared(struct mm_struct *mm, unsigned long start, unsigned long end,
                    struct vm_area_struct *spare);

/* Debian's arm64 kernels leave this much free at the bottom, be vm.mmap_min_addr ever so low. */
#define ALWAYS_FREE 32768ul

/* The lowest address that a mapping gets without MAP_FIXED. */
static inline unsigned long lowest_choice(const struct mmk_system *sys)
{
	unsigned long min = sys->mmap_min_addr;

	return min > ALWAYS_FREE ? PAGE_ALIGN(min) : PAGE_ALIGN(ALWAYS_FREE);
}

/* ---- unmapped_area.c ---- */
/* What the search for a place has found out about it on the way. */
struct hole {
	bool found;                  /* nothing is mapped there */
	struct vm_area_struct *next; /* found: the VMA that follows, or NULL */
};
/* Any place, or -ENOMEM, refused. */
unsigned long unmapped_area_anywhere(struct mmk_task *task, struct mm_struct *mm,
                                     unsigned long len, struct hole *hole);
/*
 * The place that the last search has led to, if there is room for len bytes once more; 0: look anywhere.
 * len: no more than TASK_SIZE.
 */
static inline unsigned long unmapped_area_again(const struct mm_struct *mm, unsigned long len,
						struct hole *hole)
{
	unsigned long end = mm->mmap_base, bottom, addr;
	const struct range_node *n = mm->vmas.full_from;

	if (unlikely(!n || len < mm->vmas.full_len || end != mm->vmas.full_high || mm->mmap_legacy))
		return 0;
	hole->next = range_to_vma(mm->vmas.full_from);
	bottom = n->prev ? n->prev->end : 0;
	if (vma_start_gap(hole->next) < end)
		end = vma_start_gap(hole->next);
	addr = end - len;
	return end > bottom && end - bottom >= len && addr >= lowest_choice(mm->sys) ? addr : 0;
}
/* A place for the mapping as the call asks for it, or -errno, refused. */
unsigned long get_unmapped_area(struct mmk_task *task, struct mm_struct *mm, struct file *file,
                                unsigned long addr, unsigned long len, uint64_t pgoff,
                                unsigned long flags, struct hole *hole);

/* ---- mlock.c ---- */
/* Pages of the range that are locked. */
uint64_t count_locked(const struct mm_struct *mm, unsigned long start, unsigned long end);
/* Fault in [start, start+len) as mlock wants it; mmap_lock not held. 0, or the first -errno. */
int mm_populate_strict(struct mmk_task *task, struct mm_struct *mm, unsigned long start,
                       unsigned long len);

/* ---- guard.c, pageout.c: advice on [start, end) of a VMA; mmap_lock held for reading ---- */
int guard_install(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                  unsigned long end);
int guard_remove(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                 unsigned long end);
int madvise_cold(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                 unsigned long end);
int madvise_pageout(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                    unsigned long end);
/* Drops mmap_lock on its way; it is held again when it returns, but the VMA may be another. */
int madvise_remove(struct mmk_task *task, struct vm_area_struct *vma, unsigned long start,
                   unsigned long end);

/* ---- mmap.c ---- */
/* A call of mmap on its way. */
struct mmap_call {
	struct mmk_task *task;
	struct mm_struct *mm;
	struct file *file; /* or NULL */
	unsigned long addr, len, prot, flags;
	uint64_t pgoff;
	uint64_t vm_flags; /* step 7 on */
	bool populate;     /* once the lock is dropped */
	struct hole hole;  /* step 6 on */
};
/* Field by field, here and below: compilers clear a structure as a whole first. */
static inline void mmap_call_init(struct mmap_call *c, struct mmk_task *task, unsigned long addr,
                                  unsigned long len, unsigned long prot, unsigned long flags,
                                  uint64_t pgoff)
{
	c->task = task;
	c->mm = task->mm;
	c->file = NULL;
	c->addr = addr;
	c->len = len;
	c->prot = prot;
	c->flags = flags;
	c->pgoff = pgoff;
	c->populate = false;
}
/* Steps 4 to 21; mmap_lock held for writing. The address, or -errno; then see c->populate. */
unsigned long do_mmap_pgoff(struct mmap_call *c);
/* hooks->perf_event_mmap */
void perf_event_mmap(struct mmk_task *task, const struct vm_area_struct *vma);
/*
 * Anonymous private memory at [start, end), which is free, and before `next` (NULL: the last). It becomes
 * part of the VMA before where that is alike; to_right: or of next. 0 or -errno, refused.
 */
int map_hole(struct mmk_task *task, struct mm_struct *mm, struct vm_area_struct *next,
             unsigned long start, unsigned long end, uint64_t vm_flags, bool to_right);
/* Link a VMA made by the kernel itself (stack, vdso); the range is free. 0 or -ENOMEM, refused. */
int insert_vma(struct mmk_task *task, struct mm_struct *mm, struct vm_area_struct *vma);

/* ---- the calls, behind syscall.c: addresses without tags, the reason cleared ---- */
long vm_munmap(struct mmk_task *task, unsigned long start, unsigned long len);
long vm_mmap_pgoff(struct mmap_call *c);
/* What programs ask for most: memory of their own, anywhere, that is not to be run. */
#define MMAP_USUAL (MMK_MAP_PRIVATE | MMK_MAP_ANONYMOUS)
static inline bool mmap_is_usual(const struct mmk_task *task, unsigned long addr,
                                 unsigned long prot, unsigned long flags, uint64_t off)
{
	return flags == MMAP_USUAL && !(addr | off) && prot <= (MMK_PROT_READ | MMK_PROT_WRITE) &&
	       !(task->personality & MMK_READ_IMPLIES_EXEC);
}
long vm_mmap_usual(struct mmk_task *task, unsigned long len, unsigned long prot);
/* pkey: MMK_NO_PKEY, as mprotect has it, or a protection key. */
#define MMK_NO_PKEY (-1)
long do_mprotect(struct mmk_task *task, unsigned long start, unsigned long len, unsigned long prot,
                 int pkey);
long do_remap_file_pages(struct mmk_task *task, unsigned long start, unsigned long size,
                         unsigned long prot, uint64_t pgoff, unsigned long flags);
long do_mremap(struct mmk_task *task, unsigned long addr, unsigned long old_len,
               unsigned long new_len, unsigned long flags, unsigned long new_addr);
long do_msync(struct mmk_task *task, unsigned long start, unsigned long len, int flags);
long do_mincore(struct mmk_task *task, unsigned long start, unsigned long len, unsigned long vec);
/* On another mm than the task's own: process_madvise. */
long do_madvise(struct mmk_task *task, struct mm_struct *mm, unsigned long start, unsigned long len,
                int advice);
/* mlock and mlock2; lock_flags: VM_LOCKED, perhaps with VM_LOCKONFAULT. */
long do_mlock(struct mmk_task *task, unsigned long start, unsigned long len, uint64_t lock_flags);
long do_munlock(struct mmk_task *task, unsigned long start, unsigned long len);
long do_mlockall(struct mmk_task *task, int flags);
long do_munlockall(struct mmk_task *task);
long do_mseal(struct mmk_task *task, unsigned long start, unsigned long len, unsigned long flags);
unsigned long do_brk(struct mmk_task *task, unsigned long brk);

/* syscall.c: [start, start + len) as whole pages, its end in *end (start: nothing). 0 or -EINVAL, refused. */
int range_of_pages(struct mmk_task *task, unsigned long start, unsigned long len,
                   unsigned long *end);

/* Take mmap_lock for writing; 0, or -EINTR refused. */
static inline int mmap_lock_or_refuse(struct mmk_task *task, struct mm_struct *mm)
{
	if (unlikely(mmap_write_lock_killable(mm)))
		return refuse(task, -MMK_EINTR, MMK_REASON_KILLED, 0, 0);
	return 0;
}

#endif
