/* SPDX-License-Identifier: MIT */
/*
 * The structures of the core and who may touch which field.
 *
 * Lock order, outermost first (asserted where it is cheap):
 *     embedder's inode lock -> mm->mmap_lock -> mapping->i_mmap_lock -> mapping->i_pages_lock
 *     -> page-table page lock (struct page.ptl) -> objects_lock, slab locks -> frame caches
 *     -> buddy lock; wb_lock inside i_pages_lock
 * A page's PG_LOCKED bit is a sleeping lock taken before i_mmap_lock and after mmap_lock.
 * mmap_lock and PG_LOCKED may be held while sleeping; all others are spinlocks. Faults read [W]
 * fields without mmap_lock, and the index of a file's pages without i_pages_lock, and check mm->seq
 * and page->mapping afterwards: fault.c, fault_file.c.
 *
 * Letters behind fields: [I] immutable after creation, [W] written under mmap_lock for writing,
 * [A] atomic, [P] i_pages_lock, [M] i_mmap_lock, [T] the table page's lock, [B] buddy lock.
 */
#ifndef MM_TYPES_H
#define MM_TYPES_H

/* The core speaks Linux's names; the embedder sees the same types with a prefix. */
#define mm_struct            mmk_mm
#define vm_area_struct       mmk_vma
#define address_space        mmk_mapping
#define page                 mmk_page
#define file                 mmk_file
#define vm_operations_struct mmk_vm_ops

#include <mmkit/mmkit.h>
#include "arch/arm64/pgtable_types.h" /* pte_t, phys_addr_t, PAGE_SHIFT, TASK_SIZE, ... */

typedef struct {
	_Atomic uint32_t v;
} spinlock_t;
/* Readers count in the low bits, a writer the top bit; sleeps through port->wait. See lock.h. */
struct rwsem {
	_Atomic uint32_t state;
	_Atomic uint32_t waiters;
};

/* ---- frames: 32 bytes each (the frame table is the largest structure there is) ---- */
enum page_kind {
	PAGE_FREE,
	PAGE_RESERVED,
	PAGE_KERNEL,
	PAGE_SLAB,
	PAGE_TABLE,
	PAGE_ANON,
	PAGE_CACHE
};
/* flags: low 8 bits order, next 8 kind, then PG_* */
#define PG_ORDER_MASK 0xffu
#define PG_KIND_SHIFT 8
#define PG_LOCKED     (1u << 16)
#define PG_WAITERS    (1u << 17)
#define PG_UPTODATE   (1u << 18)
#define PG_DIRTY      (1u << 19)
#define PG_REFERENCED (1u << 21)
#define PG_SHMEM      (1u << 22)
#define PG_ZERO       (1u << 23) /* the shared zero page */
#define PG_EXEC_CLEAN (1u << 24) /* I-cache is in step with the bytes (reset on write) */
#define PG_ANON_EXCL  (1u << 25) /* anonymous, and mapped by one mm alone */
#define PG_WRITTEN    (1u << 26) /* of an object without a home: no hole that was only looked at */
#define PG_WRITEBACK  (1u << 29) /* on its way to its home */
#define PG_LAZYFREE   (1u << 27) /* anonymous; may be taken while its entry is clean: lazyfree.c */
#define PG_DROPPABLE  (1u << 28) /* the same, even dirty (MAP_DROPPABLE) */
/* What is known of a last-level table; hints but for the first, which is always set where it holds.
 */
#define TABLE_MIXED      1u /* another table may map some of its anonymous pages too */
#define TABLE_UNCOUNTED  2u /* it may have entries that count no page */
#define TABLE_MARKERS    4u /* some of those may be markers */
#define TABLE_WAS_SHARED 8u /* several address spaces have had it */
#define TABLE_LAZY       16u /* it may map lazily freed pages */
struct page {
	_Atomic uint32_t flags;
	/*
	 * 0: free. Mapping a page, the cache, a pin: one each; PAGE_TABLE: 1. And one more for a moment
	 * where somebody without a lock takes the frame for what it was before (get_page_unless_zero).
	 */
	_Atomic uint32_t refcount;
	union {
		_Atomic int32_t mapcount; /* PTEs that map it (anon, cache) */
		spinlock_t ptl;           /* PAGE_TABLE: guards the entries of this table */
		struct {
			uint16_t slab_free; /* PAGE_SLAB: first free object, in units of 16 bytes */
			uint16_t slab_cache; /* PAGE_SLAB: which cache: slab.c */
		};
	};
	uint32_t nr_used; /* PAGE_TABLE: live entries [T]; PAGE_SLAB: objects in use */
	union {
		struct {
			union {
				/* PAGE_CACHE [page lock]; NULL once truncated */
				struct address_space *mapping;
				struct page *next;          /* PAGE_FREE [B], slab */
				struct mm_struct *table_mm; /* PAGE_TABLE */
			};
			union {
				/* PAGE_CACHE: page index in the file */
				uint64_t index;
				struct page *prev;       /* PAGE_FREE [B], slab */
				struct {                 /* PAGE_TABLE [T] */
					/* address spaces that have it, but for one */
					uint32_t sharers;
					uint32_t traits; /* TABLE_* */
				};
			};
		};
		struct mmk_deferred deferred; /* PAGE_TABLE that no table points to any more */
	};
};
_Static_assert(sizeof(struct page) == 32, "the frame table is sized for this");
_Static_assert(offsetof(struct page, index) == offsetof(struct page, mapping) + 8, "load_two_relaxed()");

/* ---- trees ---- */
struct rb_node {
	uintptr_t parent_color;
	struct rb_node *left, *right;
};
struct rb_root {
	struct rb_node *node;
};
/* The interval index of an mm: disjoint half-open ranges, with the largest gap of each subtree. */
struct range_node {
	struct rb_node rb;
	unsigned long start, end;
	unsigned long gap; /* largest hole of this subtree, no more than RANGE_GAP_CAP */
	union {
		struct {
			struct range_node *prev, *next; /* in order of addresses */
		};
		/* Once it is in no index any more; who still walks down through it reads the rest.
		 */
		struct mmk_deferred deferred;
	};
};
struct range_tree {
	struct rb_root root;
	struct range_node *first, *last;
	struct range_node *recent; /* [A] the one that was inserted or resized last, or NULL */
	/* What the last search from above has found out: from there up to full_high are no full_len
	 * bytes free. NULL: nothing is known. */
	struct range_node *full_from;
	unsigned long full_len, full_high;
};
/* i_mmap: overlapping closed intervals of page indexes. */
struct itv_node {
	struct rb_node rb;
	uint64_t last, subtree_last;
};

/* ---- address spaces ---- */
/*
 * 128 bytes, two cache lines; most programs have more VMAs than anything else that is not a frame.
 * Faults without mmap_lock read what a fault needs also of one that is being freed (port->defer).
 */
struct vm_area_struct {
	struct range_node range; /* [W]; vm_start and vm_end */
	uint64_t vm_flags;       /* [W] MMK_VM_* */
	uint64_t vm_pgoff; /* [W] in pages: of the file, or vm_start's at creation when private
	                      anonymous */
	struct mm_struct *vm_mm;                   /* [I] */
	struct file *vm_file;                      /* [I] holds a reference */
	const struct vm_operations_struct *vm_ops; /* [I]; NULL: private anonymous */
	uint64_t anon_vma;     /* [W], or once by a fault, from 0: whose pages it has; vma.c */
	void *vm_private_data; /* [I]; of memory without a file's ops its name [W]: anon_name.c */
	uint32_t policy;       /* [W] of memory, 0: none; see mempolicy.h */
	bool in_file;          /* [I] it is the first part of a struct file_vma */
};
_Static_assert(sizeof(struct vm_area_struct) == 128, "two cache lines");
/* A VMA that may have a file: with its place among all that map it. */
struct file_vma {
	struct vm_area_struct vma;
	struct itv_node i_mmap; /* [M] in vm_file's mapping, first index = vm_pgoff */
};
#define vm_start range.start
#define vm_end   range.end

/* mm_struct.flags: what prctl(2) has set, and what has become of it. */
#define MMF_THP_DISABLE     1u
#define MMF_MDWE            2u /* nothing may become executable */
#define MMF_MDWE_NO_INHERIT 4u /* but children's */
#define MMF_REAPED          8u /* its memory has gone ahead of it: no more faults */
#define MM_LAZY_FREED       1u /* some table may map lazily freed pages */
#define MM_LAZY_DROPPABLE   2u /* it has, or had, droppable mappings: for good */

/*
 * What one CPU has counted for an mm. Each figure is the sum over the CPUs; what one of them has
 * may be negative. [A], as a thread may go to another CPU while it counts.
 */
enum rss_kind { RSS_FILE, RSS_ANON, RSS_SHMEM, NR_RSS };
struct mm_counts {
	_Atomic int64_t rss[NR_RSS];       /* pages mapped, but for those of anon_faults */
	_Atomic uint64_t anon_faults;      /* faults_anon of mmk_stats, and one of RSS_ANON each */
	_Atomic uint64_t zero_faults;      /* faults_anon_zero of mmk_stats */
	_Atomic uint64_t min_flt, maj_flt; /* other faults */
	_Atomic uint32_t dropped;          /* pages, since hiwater_rss has been looked after */
	_Atomic uint32_t anon_vmas;        /* drawn: vma.c */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct mm_counts) == 64, "one line for each CPU");

struct mm_struct {
	/* What faults read: written by calls that change what is mapped, and by fork. */
	struct mmk_system *sys;        /* [I] */
	phys_addr_t pgd;               /* [I] root table */
	_Atomic uint64_t context;      /* generation and ASID: asid.c */
	unsigned long task_size;       /* [I] */
	unsigned long stack_guard_gap; /* [I] bytes */
	_Atomic uint32_t seq;          /* odd while mmap_lock is held for writing: lock.h */
	_Atomic uint32_t flags;        /* MMF_* */
	_Atomic uint32_t
	    nr_shared;         /* tables others may have too; grows under mmap_lock for writing */
	_Atomic uint32_t lazy; /* MM_LAZY_*: lazyfree.c has something to look for */
	_Atomic uint32_t users;
	bool mmap_legacy;        /* [W] bottom-up */
	bool pkey_zero_freed;    /* [W] no longer a key of the program */
	bool soft_dirty;         /* [W] clear_refs has begun to track writes */
	struct range_tree vmas;  /* [W] */
	unsigned long mmap_base; /* [W] top-down searches begin below it, bottom-up at it */

	/* What they do not, and what DONTNEED, mincore and the like write. */
	struct rwsem mmap_lock;
	spinlock_t page_table_lock;   /* upper table levels */
	uint32_t map_count;           /* [W] */
	struct vm_area_struct *spare_vma; /* [W] one that has gone, for the next: vma_retire() */
	uint64_t vmas_made, merges, splits; /* [W] of mmk_stats, which reads them without the lock */
	_Atomic uint64_t cpus;        /* CPUs that may hold TLB entries of it */
	unsigned long idle_table;     /* [W] where a table is kept though it is empty; 0: none */
	_Atomic int64_t pgtables;     /* table frames */
	_Atomic uint64_t hiwater_rss; /* pages: mm_rss_drop() */
	_Atomic int64_t pinned_vm;
	uint64_t def_flags; /* [W] VM_LOCKED | VM_LOCKONFAULT of mlockall */
	uint64_t total_vm, data_vm, exec_vm, stack_vm, locked_vm; /* [W] pages */
	uint64_t hiwater_vm;                                      /* [W] */
	struct mmk_mm_bounds bounds;                              /* [W] */
	struct mm_struct *next_mm, **prev_mm;                     /* sys->mms, under mms_lock */
	struct mm_counts counts[];                                /* one for each CPU */
};
_Static_assert(offsetof(struct mm_struct, mmap_lock) % 64 == 0, "faults do not meet the lock");

/* ---- the system ---- */
#define MAX_ORDER      11 /* largest block 2^10 frames */
#define NR_SLAB_CACHES 24
struct free_area {
	struct page *head;
	uint64_t count;
};
/* Frames ready for one CPU: frame_cache.c. All under the lock; the sums read without it. */
struct frame_cache {
	spinlock_t lock;
	uint32_t nr;
	struct page *head;       /* by page->next */
	struct page *zeroed;     /* the same of frames full of zeros, nr_zeroed of them */
	uint32_t nr_zeroed;
	_Atomic int64_t kind[8]; /* taken less given back through this cache, by enum page_kind */
};
struct slab_cache {
	spinlock_t lock;
	uint32_t size, per_slab, id; /* [I] */
	uint32_t batch;              /* [I] objects that a CPU gets or gives back at once */
	struct page *partial;        /* slabs with room */
	uint64_t in_use;             /* or kept ready by a CPU: slab_in_use() */
	const char *name;
	struct mmk_system *sys;
};
/* The VMA through which a fault on this CPU looks at a file without mmap_lock, or NULL: fault.c. */
struct file_look {
	struct vm_area_struct *_Atomic vma;
};
/* Free objects of one slab cache, each with the address of the next in its first bytes. */
struct object_list {
	void *head;
	uint32_t nr;
};
/*
 * What each CPU has for itself, so that CPUs do not meet in the lines of memory where it lies. A
 * thread may go to another CPU at any moment: so there is a lock here too, or the field is [A].
 */
struct cpu_local {
	struct frame_cache frames;
	struct file_look look;
	spinlock_t objects_lock __attribute__((aligned(64)));
	struct object_list objects[NR_SLAB_CACHES]; /* by slab_cache.id, under objects_lock */
	struct mmk_stats count; /* [A] what has happened since init: stat_inc() */
} __attribute__((aligned(64)));
#define MAX_CPUS         64
#define MAX_FAULT_AROUND (1ul << 21)
#define NR_REFUSALS      64
struct refusal {
	struct mmk_reason reason;
	int32_t pid;
};

#define LOCKLESS_YES   1u
#define LOCKLESS_LOOKS 2u /* and tell the port when they look: port->look_begin */

struct mmk_system {
	const struct mmk_port *port;  /* [I] */
	void *ctx;                    /* [I] */
	uint64_t phys_base, ram_size; /* [I] */
	uintptr_t virt_offset;        /* [I] virtual = physical + this */
	struct page *mem_map;        /* [I] frame table; index = (phys - phys_base) >> PAGE_SHIFT */
	uintptr_t frame_zero;        /* [I] where the struct page of physical address 0 would lie */
	uint64_t nr_frames;          /* [I] */
	struct page *zero_page;      /* [I] the one zero page */
	phys_addr_t zero_phys;       /* [I] and where it lies */
	unsigned nr_cpus, asid_bits; /* [I] */
	uint64_t prot_arch;          /* [I] PROT_BTI, where the CPU has it; else 0 */
	uint32_t share_entries; /* [I] fork shares tables with as many entries, and copies others */
	uint8_t lockless;       /* [I] LOCKLESS_*: faults do without mmap_lock: fault.c */
	bool defers;            /* [I] and may run beside whoever frees: several CPUs */
	struct cpu_local *cpus; /* [I] one for each CPU: cpu_here() */

	spinlock_t buddy_lock __attribute__((aligned(64))); /* faults read what is above */
	struct free_area free_area[MAX_ORDER];
	uint64_t nr_free; /* [B] frames in free_area: frames_free() has all */
	uint64_t nr_min;  /* the last so many are for what cannot wait (min_free_kbytes) */
	uint64_t nr_low;  /* fewer free than this: reclaim.c drops cached pages first */
	uint64_t nr_high; /* as many the worker restores */
	_Atomic uint64_t clock_hand; /* reclaim.c: the next frame to look at */
	_Atomic uint32_t lazy;       /* some mm's lazy is not 0 */

	struct slab_cache
	    kmalloc_caches[16]; /* 16 bytes << i, up to 4 KiB in slabs; larger: frames */
	struct slab_cache vma_cache, file_vma_cache, mm_cache, radix_cache;

	/* asid.c */
	spinlock_t asid_lock;
	uint64_t asid_generation;
	uint32_t asid_next;
	uint64_t asid_map[65536 / 64];
	_Atomic uint64_t active_asid[MAX_CPUS];
	uint64_t reserved_asid[MAX_CPUS];

	/* sysctls */
	uint32_t overcommit_memory, overcommit_ratio;
	uint64_t overcommit_kbytes, max_map_count, mmap_min_addr;
	uint32_t mmap_rnd_bits, legacy_va_layout;
	uint64_t admin_reserve_kbytes, user_reserve_kbytes;
	uint64_t stack_guard_gap;        /* pages */
	_Atomic int64_t committed;       /* pages */
	_Atomic int64_t committed_shmem; /* those of them that belong to shared memory objects */

	spinlock_t mms_lock;
	struct mm_struct *mms; /* all there are */

	_Atomic int64_t nr_kind[8]; /* frames by enum page_kind, less what CPUs count */
	_Atomic int64_t nr_shmem, nr_dirty, nr_writeback;

	/* dirty.c */
	spinlock_t wb_lock;                             /* inside i_pages_lock */
	struct address_space *dirty_first, *dirty_last; /* under wb_lock */
	uint64_t wb_pass;                               /* [A] numbers the passes over that list */
	uint64_t dirty_look; /* [A] with fewer dirty pages than this nobody looks closer */
	uint32_t dirty_ratio, dirty_background_ratio;
	uint64_t dirty_bytes, dirty_background_bytes; /* 0: the ratio holds */
	uint32_t dirty_writeback_centisecs, dirty_expire_centisecs;
	uint32_t min_free_kbytes;
	uint32_t panic_on_oom, oom_kill_allocating_task, oom_dump_tasks; /* the port's to heed */

	_Atomic uint64_t fault_around_bytes; /* at most MAX_FAULT_AROUND */

	spinlock_t refusal_lock;
	uint64_t nr_refusals;
	struct refusal refusals[NR_REFUSALS];
};

#endif
