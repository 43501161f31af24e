/* SPDX-License-Identifier: MIT */
/*
 * What an embedder supplies.
 *
 * The core is freestanding C11: it calls nothing but memcpy, memmove, memset and memcmp (which
 * every C implementation owes its compiler) and the functions of this header. A port is one
 * const table plus a context pointer that comes back as the first argument of each call.
 *
 * Unless a field says otherwise its function may be called from any CPU at any time, with
 * spinlocks of the core held, and must not call back into the core.
 */
#ifndef MMKIT_PORT_H
#define MMKIT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mmk_system;
struct mmk_mm;
struct mmk_vma;
struct mmk_page;
struct mmk_task;
struct mmk_file;
struct mmk_mapping;
struct mmk_mmap_request;
struct mmk_vm_ops;

/* A piece of kernel memory; what readv(2) calls an iovec. */
struct mmk_iovec {
	void *base;
	size_t len; /* bytes */
};

/* Privileges the core asks about; numbers are the field's own, not Linux's. */
enum mmk_cap {
	MMK_CAP_IPC_LOCK,     /* mlock beyond RLIMIT_MEMLOCK */
	MMK_CAP_SYS_RAWIO,    /* map below mmap_min_addr */
	MMK_CAP_SYS_ADMIN,    /* the overcommit reserve of root; frame numbers in pagemap */
	MMK_CAP_SYS_NICE,     /* move other processes' pages */
	MMK_CAP_SYS_RESOURCE, /* beyond resource limits where Linux says so */
};

/* Where an allocation fails on purpose (mmk_port.should_fail). */
enum mmk_fail_site {
	MMK_FAIL_PAGE, /* a frame from the buddy allocator */
	MMK_FAIL_SLAB, /* an object: VMA, anon_vma, radix node, ... */
};

/*
 * How a page of a file comes from and goes to its home. All may sleep; none is called with a
 * spinlock held; each is called with the pages concerned locked (or pinned), so never twice at
 * once for the same page. Short transfers are allowed.
 */
struct mmk_mapping_ops {
	/*
	 * Read from byte `pos` into the n pieces. Returns the number of bytes read (fewer than
	 * asked for at end of file; the core zeroes the rest), or -errno. NULL: the object has no
	 * home, as tmpfs: a missing page is a hole of zeros, and no page is ever dropped but by
	 * truncation.
	 */
	int64_t (*read)(struct mmk_mapping *m, uint64_t pos, const struct mmk_iovec *iov, unsigned n);
	/*
	 * Write the n pieces at byte `pos`. Returns bytes written (a short write is continued by
	 * the core; 0 counts as EIO), or -errno; -ENOMEM: not now, and nobody is told. NULL together
	 * with read. Called when frames are short: it must get on with what it has set aside, and
	 * must not ask for memory in ways that may reclaim (mmk_alloc_frames_wait).
	 */
	int64_t (*write)(struct mmk_mapping *m, uint64_t pos, const struct mmk_iovec *iov, unsigned n);
	/* Make what was written durable (fsync). 0 or -errno. May be NULL. */
	int (*sync)(struct mmk_mapping *m);
	/*
	 * A clean page of a shared mapping is about to become writable, or a hole about to be
	 * filled: reserve what is needed (blocks, quota). 0 or -errno (-ENOSPC becomes SIGBUS).
	 * May be NULL.
	 */
	int (*page_mkwrite)(struct mmk_mapping *m, uint64_t index);
	/* page_mkwrite takes spinlocks at most, and never sleeps: it is called during looks too. */
	bool page_mkwrite_nowait;
	/*
	 * A page could not be written: err is the -errno that m->wb_err now has. For errors that
	 * are kept per file system (syncfs), with mmk_wb_err_note. Does not sleep. May be NULL.
	 */
	void (*write_error)(struct mmk_mapping *m, int err);
};

/* What an open file can do; many files share one table. */
struct mmk_file_ops {
	/*
	 * Linux's f_op->mmap. May change the fields of `req` that its comment names. Most files
	 * name mmk_generic_file_mmap here; a device supplies its own. NULL: mmap of it is ENODEV.
	 * Called with mm->mmap_lock held for writing; may sleep. 0 or -errno.
	 */
	int (*mmap)(struct mmk_file *file, struct mmk_mmap_request *req);
	/*
	 * The file chooses its own place (hugetlbfs, frame buffers). Returns an address or -errno
	 * as a negative long. May be NULL.
	 */
	long (*get_unmapped_area)(struct mmk_file *file, unsigned long addr, unsigned long len,
				  uint64_t pgoff, unsigned long flags);
	/*
	 * fallocate(2), for madvise(MADV_REMOVE): `mode` is MMK_FALLOC_FL_PUNCH_HOLE |
	 * MMK_FALLOC_FL_KEEP_SIZE, off and len are bytes. The file is open for writing and is held.
	 * Called with no lock of the core held; may sleep, and is to call mmk_mapping_punch()
	 * under the inode's lock. 0 or -errno. NULL: EOPNOTSUPP.
	 */
	int (*fallocate)(struct mmk_file *file, int mode, uint64_t off, uint64_t len);
};
#define MMK_FALLOC_FL_KEEP_SIZE	 1
#define MMK_FALLOC_FL_PUNCH_HOLE 2

/* mmk_file.f_mode */
#define MMK_FMODE_READ	 0x1u /* open for reading */
#define MMK_FMODE_WRITE	 0x2u /* open for writing */
#define MMK_FMODE_APPEND 0x4u /* the inode is append-only (chattr +a), not merely O_APPEND */
#define MMK_FMODE_NOEXEC 0x8u /* lies on a noexec mount */
#define MMK_FMODE_MANDLOCK 0x10u /* mandatory locks may apply: ask hooks->locks_verify_locked */

/*
 * An open file as the core sees it; the embedder puts it into its own struct file. All fields
 * but f_wb_err are immutable while the file is open. Life time: port->get_file / port->fput.
 */
struct mmk_file {
	const struct mmk_file_ops *f_op;
	struct mmk_mapping *f_mapping; /* NULL where f_op->mmap does not need one */
	uint32_t f_mode;	       /* MMK_FMODE_* */
	uint32_t f_flags;	       /* the embedder's own */
	void *private_data;	       /* the embedder's own */
	uint32_t f_wb_err; /* [A] writeback errors it has been told of: mmk_file_opened */
};

/* Linux's hooks on the path of mmap. Each may be NULL, at the price of one predicted branch. */
struct mmk_hooks {
	/* audit_mmap_fd: note that task maps descriptor fd. */
	void (*audit_mmap_fd)(void *ctx, struct mmk_task *task, int fd, unsigned long flags);
	/* security_mmap_file: 0 or -errno refuses. file is NULL for anonymous memory. May sleep. */
	int (*security_mmap_file)(void *ctx, struct mmk_task *task, struct mmk_file *file,
				  unsigned long prot, unsigned long flags);
	/* security_vm_enough_memory_mm: may the mm commit `pages` more? 0 or -errno. */
	int (*security_vm_enough_memory)(void *ctx, struct mmk_task *task, struct mmk_mm *mm,
					 long pages);
	/* perf_event_mmap: a mapping now exists at [start, end). */
	void (*perf_event_mmap)(void *ctx, struct mmk_task *task, unsigned long start,
				unsigned long end, uint64_t pgoff, uint64_t vm_flags,
				struct mmk_file *file);
	/* uprobe_mmap: a file mapping that may be executed now exists at [start, end). */
	void (*uprobe_mmap)(void *ctx, struct mmk_task *task, unsigned long start,
			    unsigned long end, uint64_t pgoff, struct mmk_file *file);
	/* locks_verify_locked: 0, or -EAGAIN where a mandatory lock forbids a shared mapping. */
	int (*locks_verify_locked)(void *ctx, struct mmk_task *task, struct mmk_file *file);
};

/*
 * The machine's memory-management instructions, for builds in which mmkit does not run on the
 * CPU that walks the tables (without MMK_HW_ARM64): the hosted port's soft MMU, an emulator's
 * TLB. On bare metal the core issues the instructions itself and this table is not used.
 */
struct mmk_machine {
	/* A descriptor at *ptep (in the linear map) changed from old to new by one 64-bit store. */
	void (*pte_written)(void *ctx, uint64_t *ptep, uint64_t old, uint64_t val, unsigned level);
	/* TLBI VAE1IS / VALE1IS: the page at va in asid; last_level: only leaf entries. */
	void (*tlbi_va)(void *ctx, unsigned asid, unsigned long va, bool last_level);
	void (*tlbi_asid)(void *ctx, unsigned asid); /* TLBI ASIDE1IS */
	void (*tlbi_all)(void *ctx);		     /* TLBI VMALLE1IS */
	void (*dsb_ishst)(void *ctx);		     /* DSB ISHST: stores reach the walkers */
	void (*dsb_ish)(void *ctx);		     /* DSB ISH: and TLBIs are complete */
	void (*isb)(void *ctx);			     /* ISB */
	/* DC CVAU + IC IVAU over [kva, kva+len): before instructions there are executed. */
	void (*sync_icache)(void *ctx, const void *kva, size_t len);
	/* TTBR0_EL1 := table (physical), ASID field := asid, on the calling CPU. */
	void (*set_ttbr0)(void *ctx, uint64_t table, unsigned asid);
	/* A frame is going back to the allocator; a checking machine looks for stale uses. */
	void (*frame_freed)(void *ctx, uint64_t phys, unsigned order);
};

/* What mmk_port.out_of_memory has done. */
enum mmk_oom {
	MMK_OOM_RETRY, /* somebody has been killed, or is on his way out: look again for frames */
	MMK_OOM_DYING, /* the caller itself is to end: it may have of the reserve, or be refused */
	MMK_OOM_NONE,  /* nothing can be done: the caller is refused */
};

/* Something that waits for its grace period, inside of the object itself; see mmk_port.defer. */
struct mmk_deferred {
	struct mmk_deferred *next; /* the embedder's, for its list */
	void (*fn)(struct mmk_system *sys, struct mmk_deferred *d);
};

/* flags of mmk_port.wait */
#define MMK_WAIT_KILLABLE 0x1u /* return -EINTR once the task has been killed */

struct mmk_port {
	/* --- processors --- */
	/* Number of the calling CPU, 0 <= n < mmk_config.nr_cpus. NULL: always 0. */
	unsigned (*cpu_id)(void *ctx);
	/* Spin-wait hint. NULL: none. */
	void (*relax)(void *ctx);

	/*
	 * --- reading without locks ---
	 * A fault looks at its address space and its file's cache without a lock; what it may still
	 * be looking at is freed only when all such looks that had begun are over (a grace period).
	 * A look never sleeps. Where the calling thread keeps its CPU till it sleeps, a grace period
	 * is over when every CPU has taken up another task, was idle or in user mode, and begin and
	 * end need not be told.
	 */
	/* A look begins, ends; not nested. NULL: defer knows without. */
	void (*look_begin)(void *ctx);
	void (*look_end)(void *ctx);
	/*
	 * Call mmk_run_deferred(system, d), which does not sleep, after a grace period; at once where
	 * nobody can be looking. mmap_lock may be held. NULL: every fault takes mmap_lock, and
	 * nothing is deferred.
	 */
	void (*defer)(void *ctx, struct mmk_deferred *d);

	/* --- sleeping: a futex. Called with no spinlock held. --- */
	/*
	 * Sleep while *word == seen, until a wake on word; may return early. 0, or -EINTR with
	 * MMK_WAIT_KILLABLE when the calling thread has been killed.
	 */
	int (*wait)(void *ctx, const uint32_t *word, uint32_t seen, unsigned flags);
	/* Wake all that sleep on word. Spinlocks may be held. */
	void (*wake)(void *ctx, const uint32_t *word);

	/* --- files --- */
	/* The file of descriptor fd with a reference, or NULL (EBADF; also for O_PATH). */
	struct mmk_file *(*fget)(void *ctx, struct mmk_task *task, int fd);
	void (*get_file)(void *ctx, struct mmk_file *file); /* one more reference */
	/*
	 * Drop a reference; no spinlock held, mmap_lock may be held; must not sleep on an
	 * mmap_lock.
	 */
	void (*fput)(void *ctx, struct mmk_file *file);
	/* For /proc/PID/maps: device and inode numbers. May be NULL (zeros). */
	void (*file_id)(void *ctx, struct mmk_file *file, uint32_t *major, uint32_t *minor,
			uint64_t *ino);
	/*
	 * For /proc/PID/maps: path, NUL-terminated, at most size bytes; returns its length or
	 * -errno.
	 */
	int (*file_path)(void *ctx, struct mmk_file *file, char *buf, size_t size);

	/*
	 * May the running task know which of the file's pages are cached (mincore)? On Linux its
	 * owner and who may write to it. NULL: everybody. mmap_lock is held; does not sleep.
	 */
	bool (*may_see_cache)(void *ctx, struct mmk_file *file);

	/* --- the calling program --- */
	/*
	 * Copy between the core and user memory of the running task. 0 or -EFAULT. May fault,
	 * sleep.
	 */
	int (*copy_to_user)(void *ctx, struct mmk_task *task, unsigned long dst, const void *src,
			    size_t n);
	int (*copy_from_user)(void *ctx, struct mmk_task *task, void *dst, unsigned long src,
			      size_t n);
	bool (*capable)(void *ctx, struct mmk_task *task, enum mmk_cap cap); /* NULL: no */
	/*
	 * No frame is left that could be had by dropping cached pages, and one is wanted for a
	 * program: choose a task and kill it (mmk_mm_badness helps to choose, mmk_mm_reap to get
	 * its memory back at once), or wait a while for one that has been killed already. Called on
	 * the thread that needs the frame, with no spinlock held; an mmap_lock may be, so it must
	 * not wait for one. May sleep. NULL: as MMK_OOM_NONE, the reserve being used up first.
	 */
	enum mmk_oom (*out_of_memory)(void *ctx);
	/*
	 * A long call has come to a place where it holds no spinlock (an mmap_lock it may hold): let
	 * another thread have the CPU if its turn has come. May sleep. NULL: the call goes on.
	 */
	void (*resched)(void *ctx);
	/* The calling thread has been killed: bringing more pages in is for nobody. NULL: never. */
	bool (*killed)(void *ctx);
	/* A clock in nanoseconds, for the age of dirty pages. NULL: pages do not age. */
	uint64_t (*now)(void *ctx);
	/*
	 * There is work for mmk_background_work: call it soon, from a thread of its own. Spinlocks
	 * may be held; must not sleep. NULL: the embedder calls it now and then.
	 */
	void (*wake_worker)(void *ctx);
	uint64_t (*random)(void *ctx); /* 64 random bits for ASLR; NULL: no randomization */

	const struct mmk_hooks *hooks;	   /* NULL: none */
	const struct mmk_machine *machine; /* required without MMK_HW_ARM64, else ignored */

	/* --- failure --- */
	/* Fault injection: true makes this allocation fail. NULL: never. */
	bool (*should_fail)(void *ctx, enum mmk_fail_site site);
	/* An invariant of the core does not hold. Must not return. */
	void (*bug)(void *ctx, const char *file, int line, const char *what);
};

#endif
