/* SPDX-License-Identifier: MIT */
/*
 * The hosted port: a machine inside a process of a POSIX system.
 *
 * Its RAM is an arena of the process, its CPUs are threads, its MMU is software that walks the very
 * bytes that the core writes (Arm ARM DDI 0487 D8: 4 KiB granule, 48-bit addresses), and its TLBs
 * forget nothing until they are told to: what a real CPU punishes once in a month - a missing
 * invalidation, a barrier left out, a broken break-before-make, an instruction cache out of step -
 * is a violation here, reported at once. Files are the host's, behind the core's page cache.
 *
 * Functions that return int give 0 or -errno unless they say otherwise. A machine's functions may
 * be called by several threads at once, each of which has named a CPU of its own with
 * hosted_set_cpu.
 */
#ifndef MMKIT_HOSTED_H
#define MMKIT_HOSTED_H

#include <mmkit/mmkit.h>
#include <sys/types.h>

struct hosted;

/* Zero in a field means its default. */
struct hosted_config {
	uint64_t ram_size;  /* bytes; 64 MiB */
	uint64_t ram_phys;  /* 0x40000000 */
	unsigned nr_cpus;   /* 1 */
	unsigned asid_bits; /* 8 or 16; 16 */
	bool bti;           /* FEAT_BTI, as far as mappings go; not there */
	uint64_t seed; /* of random(), the source of ASLR; the same seed gives the same addresses */
	bool keep_freed; /* a freed frame keeps its bytes; false: they become 0xa5, so that a use of
	                    them shows */
};

/* A new machine with a system on it; NULL where the host gives no memory. config may be NULL. */
struct hosted *hosted_create(const struct hosted_config *config);
/* The end of it: closes all descriptors. Returns the number of frames that were not given back. */
uint64_t hosted_destroy(struct hosted *h);
struct mmk_system *hosted_system(struct hosted *h);

/* The calling thread is this CPU from now on, of any machine it calls (a new thread: CPU 0). */
void hosted_set_cpu(unsigned cpu);

/* ---- programs ---- */

/* Give *task a fresh address space, laid out as execve would; other fields stay. 0 or -ENOMEM. */
int hosted_spawn(struct hosted *h, struct mmk_task *task);
/* fork(2): *child becomes a copy of *parent with a copy of its address space. */
int hosted_fork(struct hosted *h, struct mmk_task *parent, struct mmk_task *child);
/* Leave the address space on every CPU and drop it. No other thread may be using it. */
void hosted_exit(struct hosted *h, struct mmk_task *task);

/*
 * What a load, store or instruction fetch of user code at EL0 does: n bytes at va, pages faulted in
 * as needed. n of 1, 2, 4 or 8, aligned, is one access, and no torn value is ever seen. 0, or the
 * number of the signal that the program gets, with *fault (may be NULL) as siginfo has it; what
 * lies before fault->addr has been copied. Stores keep the instruction cache in step (a program has
 * DC CVAU and IC IVAU for its own code).
 */
int hosted_load(struct hosted *h, struct mmk_task *task, unsigned long va, void *buf, size_t n,
                struct mmk_fault *fault);
int hosted_store(struct hosted *h, struct mmk_task *task, unsigned long va, const void *buf,
                 size_t n, struct mmk_fault *fault);
int hosted_fetch(struct hosted *h, struct mmk_task *task, unsigned long va, void *buf, size_t n,
                 struct mmk_fault *fault);

/* ---- files: one table of descriptors per machine ---- */

#define HOSTED_NR_FDS 256

/* open(2) on the host, with a page cache shared by all that open the same file. A descriptor or
 * -errno. */
int hosted_open(struct hosted *h, const char *path, int flags, mode_t mode);
int hosted_memfd(struct hosted *h, const char *name, uint64_t size); /* a tmpfs object */
int hosted_open_zero(struct hosted *h);                              /* /dev/zero */
/* A file of the caller's own making, owned by the table from now on; f_mapping may be NULL. */
int hosted_open_special(struct hosted *h, const struct mmk_file_ops *ops, uint32_t f_mode);
int hosted_close(struct hosted *h, int fd);
/* The file of a descriptor, good while the descriptor is open; or NULL. */
struct mmk_file *hosted_file(struct hosted *h, int fd);
/* read(2), write(2), ftruncate(2), fsync(2) at a position, all through the page cache. */
int64_t hosted_pread(struct hosted *h, int fd, uint64_t pos, void *buf, size_t n);
int64_t hosted_pwrite(struct hosted *h, int fd, uint64_t pos, const void *buf, size_t n);
int hosted_ftruncate(struct hosted *h, int fd, uint64_t size);
int hosted_punch(struct hosted *h, int fd, uint64_t start, uint64_t end); /* PUNCH_HOLE, tmpfs */
int hosted_fsync(struct hosted *h, int fd);

/* ---- failure on purpose ---- */

#define HOSTED_ANY_SITE (-1)
/*
 * The nth allocation from now (1: the next one) at this site (enum mmk_fail_site) fails, and with
 * `on` all that follow it. nth 0: none does.
 */
void hosted_fail_alloc(struct hosted *h, int site, uint64_t nth, bool on);
/* Each allocation fails with probability 1/one_in, decided by the seed. one_in 0: none does. */
void hosted_fail_alloc_random(struct hosted *h, int site, uint64_t seed, uint64_t one_in);
enum hosted_io_failure { HOSTED_IO_EIO, HOSTED_IO_SHORT, HOSTED_IO_ENOSPC };
/*
 * The nth read, write or sync of a file's home from now fails with EIO or ENOSPC, or moves half its
 * bytes.
 */
void hosted_fail_io(struct hosted *h, uint64_t nth, enum hosted_io_failure how);
/* Allocations asked for, I/Os done since the machine was made: how far a countdown has to go. */
uint64_t hosted_nr_allocs(struct hosted *h);
uint64_t hosted_nr_ios(struct hosted *h);
/* The thread that is this CPU has been killed: killable waits return -EINTR. false: not so. */
void hosted_kill(struct hosted *h, unsigned cpu, bool killed);
/* Privileges of all tasks: a set of 1u << enum mmk_cap. At first none. */
void hosted_set_caps(struct hosted *h, uint32_t caps);

/* ---- memory that runs out, and the clock that dirty pages age by ---- */

/*
 * Who is asked when no frame is left (mmk_port.out_of_memory). NULL, as at first: nobody, and the
 * reserve is used up before an allocation fails.
 */
typedef enum mmk_oom hosted_oom_fn(void *arg);
void hosted_on_oom(struct hosted *h, hosted_oom_fn *fn, void *arg);
/* What mmk_port.now answers, nanoseconds; at first 0. */
void hosted_set_clock(struct hosted *h, uint64_t ns);
/* Times that mmk_background_work was called for. The machine has no thread for it: call it. */
uint64_t hosted_nr_wakes(struct hosted *h);

/* ---- the strict MMU ---- */

enum hosted_violation_kind {
	HOSTED_BREAK_BEFORE_MAKE, /* a live descriptor changed its frame, type or size in one step
	                           */
	HOSTED_STALE_TLB,   /* a translation was used or kept that the tables no longer give */
	HOSTED_FREED_FRAME, /* a frame went back while a TLB or a walk still leads to it */
	HOSTED_BARRIER,     /* a store or a TLBI was not followed by the barrier it needs */
	HOSTED_ICACHE,      /* instructions were fetched that the I-cache was never told of */
	HOSTED_BAD_OUTPUT,  /* a descriptor leads outside of the RAM */
	HOSTED_WAITING,     /* what waits for faults without locks to end (mmk_port.defer) was written to */
	HOSTED_NR_VIOLATIONS,
};
typedef void hosted_violation_fn(void *arg, enum hosted_violation_kind kind, const char *text);
/* Who hears of violations; NULL: the default, which prints and aborts. */
void hosted_on_violation(struct hosted *h, hosted_violation_fn *fn, void *arg);
uint64_t hosted_nr_violations(struct hosted *h);
/*
 * To be called between calls, when no CPU is inside the core: everything that a TLB holds agrees
 * with the tables, and no barrier is owed. What has waited for faults without locks to end is freed, so
 * call it before frames are counted. Returns the number of violations it has reported.
 */
unsigned hosted_audit(struct hosted *h);
/* Entries in the TLBs of all CPUs, and of them those of one address (any ASID). */
size_t hosted_tlb_entries(struct hosted *h);
size_t hosted_tlb_entries_at(struct hosted *h, unsigned long va);

/*
 * The tables that the core calls, for a test that wants to stand between. The functions may be
 * replaced while nothing runs; hosted_machine_ops has the originals, whose ctx is the machine.
 */
struct mmk_port *hosted_port(struct hosted *h);
struct mmk_machine *hosted_machine(struct hosted *h);
extern const struct mmk_machine hosted_machine_ops;

#endif
