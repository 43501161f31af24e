/* SPDX-License-Identifier: MIT */
/*
 * The hosted machine's own structures and what its files say to each other.
 *
 * One mutex, mmu_lock, guards everything that a CPU's MMU knows: an access translates and moves its
 * bytes under it, a barrier takes it. So a DSB that has returned has waited for every access that
 * used what it invalidates, as the architecture has it. It is the innermost lock there is: nothing
 * under it calls the core.
 */
#ifndef HOSTED_INTERNAL_H
#define HOSTED_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <mmkit/hosted.h>

#define H_PAGE_SHIFT 12
#define H_PAGE       ((uint64_t)1 << H_PAGE_SHIFT)
#define H_MAX_CPUS   64

#define TLB_BUCKETS  4096
#define PEND_BUCKETS 1024
#define WAIT_BUCKETS 16

enum access_kind { ACCESS_LOAD, ACCESS_STORE, ACCESS_FETCH };

/* What a table walk found. */
struct translation {
	unsigned fault;         /* 0, or the fault status code of ESR_ELx.ISS[5:0] */
	unsigned level;         /* where it ended */
	uint64_t page;          /* output address of the 4 KiB that hold the address */
	uint64_t base;          /* output address of the whole page or block */
	uint64_t type;          /* memory type and shareability, as the descriptor has them */
	bool read, write, exec; /* what EL0 may do */
	bool global;
	uint64_t desc; /* the leaf descriptor and where it lies */
	uint64_t *ptep;
	uint64_t
	    next_table[3]; /* by level: the table that its descriptor leads to; 0: not come by */
	uint64_t *table_ptep[3];
	uint64_t table_desc[3];
	uint64_t
	    limits[3]; /* what table descriptors up to that level take away (APTable, UXNTable) */
};

/* One entry of a TLB: a leaf, or a table descriptor in the walk cache. Hashed twice. */
struct tlb_entry {
	struct tlb_entry *next, **pprev;           /* by (cpu, asid, level, address) */
	struct tlb_entry *ptep_next, **ptep_pprev; /* by the descriptor it was made from */
	unsigned cpu, asid, level;
	bool table;       /* leads to a table; else to memory */
	unsigned long va; /* first address it translates */
	uint64_t root;    /* the tree it came from */
	uint64_t *ptep;
	struct translation t;  /* a leaf: all; a table: what is known down to its level */
	uint64_t invalidating; /* CPUs that have issued a TLBI for it and no DSB yet */
	bool dead;             /* out of the TLB; freed when the last of these had its DSB */
	bool outdated; /* its descriptor has been written since, by writer, in that one's epoch */
	uint64_t written; /* the last value so */
	unsigned writer;
	uint64_t writer_epoch;
};

/* A descriptor store that no barrier has pushed to the walkers: they still see the old value. */
struct pending_store {
	struct pending_store *next;     /* hashed by ptep, in order of time */
	struct pending_store *cpu_next; /* all of one CPU */
	uint64_t *ptep;
	uint64_t old;
	unsigned cpu;
};

struct hosted_cpu {
	uint64_t root; /* TTBR0_EL1; 0: no user address space */
	unsigned asid;
	_Atomic(struct mmk_mm *) mm; /* whose it is, where hosted code activated it */
	uint64_t
	    epoch; /* accesses of user code so far: between two, the CPU was outside of the core */
	struct pending_store *pending;
	struct tlb_entry **invalidated; /* those whose TLBI awaits this CPU's DSB */
	size_t nr_invalidated, max_invalidated;
	atomic_bool killed;
};

/* The instruction cache's copy of one frame, by lines of 64 bytes. */
struct icache_page {
	uint64_t valid; /* a bit for each line */
	uint8_t bytes[1 << H_PAGE_SHIFT];
};

struct hosted_inode {
	struct hosted_inode *next;
	struct mmk_mapping mapping;
	struct hosted *h;
	pthread_mutex_t lock; /* size changes and writes, one at a time */
	int fd;               /* of the host; -1: tmpfs */
	bool writable;        /* fd is open for writing */
	uint64_t dev, ino;
	unsigned refs; /* open files; files_lock */
};

struct hosted_file {
	struct mmk_file file;
	struct hosted_inode *inode; /* NULL: special */
	unsigned refs;              /* files_lock */
	bool counted_writer;
	char *path;
	uint64_t ino; /* shown in maps for files without an inode of the host's */
};

struct wait_bucket {
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

/* A countdown or a dice for failures. */
struct injector {
	int site;
	uint64_t nth;    /* allocations to go; 0: off */
	bool on;         /* and from then on */
	bool failing;    /* has begun */
	uint64_t one_in; /* random: 0 off */
	uint64_t state;
};

struct hosted {
	struct mmk_system *sys;
	struct mmk_port port;
	struct mmk_machine machine;
	struct hosted_config config;
	uint8_t *ram;

	/* the MMU: mmu_lock */
	pthread_mutex_t mmu_lock;
	struct hosted_cpu cpus[H_MAX_CPUS];
	struct tlb_entry *tlb[TLB_BUCKETS];
	struct tlb_entry *by_ptep[TLB_BUCKETS];
	size_t nr_entries;
	struct pending_store *pending[PEND_BUCKETS];
	uint32_t *frame_uses; /* by frame: entries that lead to it */
	struct icache_page **icache;

	_Atomic unsigned nr_looks; /* threads between look_begin and look_end */
	pthread_mutex_t waiting_lock;
	struct waiting *waiting; /* grace.c */
	size_t nr_waiting, room_waiting;

	hosted_violation_fn *on_violation;
	void *violation_arg;
	_Atomic uint64_t nr_violations;

	hosted_oom_fn *on_oom;
	void *oom_arg;
	_Atomic uint64_t clock, nr_wakes;

	struct wait_bucket wait[WAIT_BUCKETS];

	pthread_mutex_t files_lock; /* the table, the list of inodes and their counts */
	pthread_mutex_t open_lock; /* opening and last closing, one at a time; outside files_lock */
	struct hosted_file *fds[HOSTED_NR_FDS];
	struct hosted_inode *inodes;
	uint64_t next_ino;

	pthread_mutex_t inject_lock;
	struct injector alloc;
	uint64_t io_nth;
	enum hosted_io_failure io_how;
	uint64_t nr_allocs, nr_ios;
	uint64_t random_state;
	_Atomic uint32_t caps;
};

/* machine.c */
unsigned hosted_this_cpu(void);
void hosted_violation(struct hosted *h, enum hosted_violation_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
uint64_t hosted_next_random(uint64_t *state);
extern const struct mmk_port hosted_port_ops;

/* walk.c */
void *hosted_phys(struct hosted *h, uint64_t pa); /* NULL: not RAM */
/* Walk the tables as they are in memory, without caches. */
void hosted_walk_clean(struct hosted *h, uint64_t root, unsigned long va, struct translation *t);
/* As a CPU does it, from its TLB or filling it; looks for violations. mmu_lock held. */
void hosted_translate(struct hosted *h, unsigned cpu, unsigned long va, enum access_kind kind,
                      struct translation *t);
bool hosted_may(const struct translation *t, enum access_kind kind);
unsigned hosted_level_shift(unsigned level);

/* tlb.c; mmu_lock held */
struct tlb_entry *hosted_tlb_find(struct hosted *h, unsigned cpu, unsigned asid, unsigned level,
                                  unsigned long va, bool table);
struct tlb_entry *hosted_tlb_fill(struct hosted *h, unsigned cpu, unsigned level, unsigned long va,
                                  bool table, uint64_t *ptep, const struct translation *t);
/* First entry of the chain that holds those made from *ptep (and others). */
struct tlb_entry *hosted_tlb_of_descriptor(struct hosted *h, const uint64_t *ptep);
/* Forget all that the CPU has of the address; a mistake there has been reported. */
void hosted_tlb_drop_all(struct hosted *h, unsigned cpu, unsigned asid, unsigned long va);
void hosted_tlb_release(struct hosted *h); /* all of it: the machine ends */
void hosted_check_freed(struct hosted *h, uint64_t phys, unsigned order);
/* Does the entry give more than the tables do now? */
bool hosted_tlb_wrong(const struct tlb_entry *e, const struct translation *now);
void hosted_tlbi_va(void *ctx, unsigned asid, unsigned long va, bool last_level);
void hosted_tlbi_asid(void *ctx, unsigned asid);
void hosted_tlbi_all(void *ctx);
void hosted_tlb_complete(struct hosted *h, unsigned cpu); /* DSB: its TLBIs take effect */

/* grace.c: mmk_port's functions of these names; and what waits goes, if no look is on its way. */
void hosted_look_begin(void *ctx);
void hosted_look_end(void *ctx);
void hosted_defer(void *ctx, struct mmk_deferred *d);
void hosted_run_waiting(struct hosted *h);

/* stores.c */
void hosted_pte_written(void *ctx, uint64_t *ptep, uint64_t old, uint64_t val, unsigned level);
void hosted_dsb_ishst(void *ctx);
void hosted_dsb_ish(void *ctx);
const struct pending_store *hosted_pending(struct hosted *h, const uint64_t *ptep);
void hosted_stores_release(struct hosted *h);

/* icache.c */
void hosted_sync_icache(void *ctx, const void *kva, size_t len);
void hosted_icache_fetch(struct hosted *h, unsigned long va, uint64_t pa, size_t n);
void hosted_icache_store(struct hosted *h, uint64_t pa, size_t n);
void hosted_icache_forget(struct hosted *h, uint64_t phys, unsigned order);
void hosted_icache_release(struct hosted *h);

/* access.c */
int hosted_copy_to_user(void *ctx, struct mmk_task *task, unsigned long dst, const void *src,
                        size_t n);
int hosted_copy_from_user(void *ctx, struct mmk_task *task, void *dst, unsigned long src, size_t n);

/* files.c */
struct mmk_file *hosted_fget(void *ctx, struct mmk_task *task, int fd);
void hosted_get_file(void *ctx, struct mmk_file *file);
void hosted_fput(void *ctx, struct mmk_file *file);
void hosted_file_id(void *ctx, struct mmk_file *file, uint32_t *major, uint32_t *minor,
                    uint64_t *ino);
int hosted_file_path(void *ctx, struct mmk_file *file, char *buf, size_t size);

/* inject.c */
bool hosted_should_fail(void *ctx, enum mmk_fail_site site);
/* One I/O of `bytes` is about to be done: how many of them may be; -EIO. */
int64_t hosted_io_allowed(struct hosted *h, int64_t bytes);

#endif
