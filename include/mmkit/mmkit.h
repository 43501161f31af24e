/* SPDX-License-Identifier: MIT */
/*
 * mmkit: Linux's memory mapping for ARM64, as a library. Everything an embedder calls.
 *
 * Results are 0 or a value >= 0, or -errno (Linux's numbers, mmkit/errno.h). "May sleep" means that
 * port->wait or a mapping's read/write may be called. Addresses and lengths are bytes, pgoff is in
 * pages, ranges are half open. Sources of the rules: the man page of the call (man-pages 6), POSIX
 * where it names one, the Arm ARM (DDI 0487) where hardware is concerned.
 *
 * Two systems may live in one process: there is no state outside struct mmk_system.
 */
#ifndef MMKIT_H
#define MMKIT_H

#include <mmkit/errno.h>
#include <mmkit/mman.h>
#include <mmkit/port.h>

#pragma GCC visibility push(default) /* the library is compiled with all else hidden */

/* ------------------------------------------------------------------ the system */

struct mmk_range {
	uint64_t start, end; /* physical, bytes */
};

struct mmk_config {
	const struct mmk_port *port;
	void *ctx; /* first argument of every port function */

	uint64_t ram_phys; /* physical address of the RAM, page-aligned */
	uint64_t ram_size; /* bytes */
	void *ram_virt;	   /* where the core sees ram_phys: the linear map */
	const struct mmk_range *reserved; /* parts of the RAM that are not the core's */
	unsigned nr_reserved;

	unsigned nr_cpus;   /* 1..64 */
	unsigned asid_bits; /* 8 or 16 */
	bool bti;	    /* the CPU has FEAT_BTI: PROT_BTI makes guarded pages */
};

/*
 * Make a system. Its frame table and itself lie in the RAM given. -EINVAL for an unusable
 * configuration, -ENOMEM where the RAM is too small. Does not sleep.
 */
int mmk_system_init(struct mmk_system **out, const struct mmk_config *config);
/*
 * End it. Every mm, mapping and frame must have been given back: returns the number of frames that
 * were not.
 */
uint64_t mmk_system_destroy(struct mmk_system *sys);

/*
 * The whole frames within [start, end) (physical, bytes), a part of what was `reserved`, are needed
 * for nothing else any more, as a boot archive that has been unpacked: the system uses them from
 * now on. Each at most once; what lies outside the RAM is passed over. Does not sleep.
 */
void mmk_release_reserved(struct mmk_system *sys, uint64_t start, uint64_t end);

/* Knobs of /proc/sys/vm; read and written by name. -ENOENT unknown, -EINVAL out of range. */
int mmk_sysctl_get(struct mmk_system *sys, const char *name, uint64_t *value);
int mmk_sysctl_set(struct mmk_system *sys, const char *name, uint64_t value);

/* ------------------------------------------------------------------ the calling thread */

struct mmk_rlimit {
	uint64_t cur, max;
};
#define MMK_RLIM_INFINITY (~(uint64_t)0)
/* Linux's numbers, the ones that the core reads. */
#define MMK_RLIMIT_DATA	   2
#define MMK_RLIMIT_STACK   3
#define MMK_RLIMIT_MEMLOCK 8
#define MMK_RLIMIT_AS	   9
#define MMK_RLIM_NLIMITS   16

/* Why the last call was refused. */
struct mmk_reason {
	uint16_t code;	  /* enum mmk_reason_code of mmkit/reason.h; 0: not refused */
	int16_t err;	  /* the -errno */
	uint64_t a, b;	  /* what the text names: an address, a length, a limit */
};

/*
 * A thread of control that makes calls. The embedder fills all but `reason`, puts it into its own
 * task structure, and passes it to every call made on that thread's behalf.
 */
struct mmk_task {
	struct mmk_mm *mm;
	const struct mmk_rlimit *rlim; /* MMK_RLIM_NLIMITS entries; NULL: all unlimited */
	uint32_t personality;	       /* PER_* and flags as personality(2) */
	int32_t pid;
	uint32_t mempolicy; /* the core's: 0 is none; a child of fork gets its parent's */
	struct mmk_reason reason; /* written by the core */
};

/* The reason of the task's last refused call in words; returns the length (snprintf's rule). */
size_t mmk_reason_text(const struct mmk_task *task, char *buf, size_t size);

/* ------------------------------------------------------------------ address spaces */

/* A new empty address space with one reference; NULL when memory is short. */
struct mmk_mm *mmk_mm_create(struct mmk_system *sys);
struct mmk_mm *mmk_mm_get(struct mmk_mm *mm);
/*
 * Drop a reference; the last one unmaps everything (exit_mmap) and frees the mm. May sleep.
 * No CPU may have it active by then: mmk_mm_deactivate first.
 */
void mmk_mm_put(struct mmk_mm *mm);
/* fork(2): a copy of task->mm, memory shared copy-on-write. 0 or -ENOMEM, -EINTR. May sleep. */
int mmk_mm_dup(struct mmk_task *task, struct mmk_mm **out);
/*
 * Make mm the user address space of the calling CPU (TTBR0, ASID). Interrupts off or preemption
 * off. TCR_EL1.HPD0 is 0: after fork, rights are taken away in table descriptors (APTable).
 */
void mmk_mm_activate(struct mmk_mm *mm, unsigned cpu);
/* The calling CPU uses no user address space from now on. */
void mmk_mm_deactivate(struct mmk_system *sys, unsigned cpu);

/* What an exec passes on from the old mm (PR_SET_THP_DISABLE, PR_SET_MDWE). */
void mmk_mm_inherit(struct mmk_mm *mm, const struct mmk_mm *from);

/*
 * execve(2)'s fresh mm. mmk_mm_layout chooses where mmap areas go (top-down below the stack, or
 * bottom-up with ADDR_COMPAT_LAYOUT or an unlimited stack) and returns the randomized top of the
 * stack.
 */
unsigned long mmk_mm_layout(struct mmk_task *task, struct mmk_mm *mm);
/*
 * Make the stack VMA of `size` bytes ending at `top` (page-aligned), VM_GROWSDOWN; exec_stack as
 * PT_GNU_STACK says. Returns 0, -ENOMEM, -EEXIST. The arguments are then written with
 * mmk_access_vm. May sleep.
 */
int mmk_mm_setup_stack(struct mmk_task *task, struct mmk_mm *mm, unsigned long top, size_t size,
		       bool exec_stack);
/*
 * The boundaries that /proc/PID/stat and prctl(PR_SET_MM) know; [brk] begins at start_brk
 * (page-aligned up).
 */
struct mmk_mm_bounds {
	unsigned long start_code, end_code, start_data, end_data, start_brk, brk;
	unsigned long start_stack, arg_start, arg_end, env_start, env_end;
};
void mmk_mm_set_bounds(struct mmk_mm *mm, const struct mmk_mm_bounds *b);
/* PR_SET_MM_MAP: may a program set all of task->mm's to these? 0, or -EINVAL as MMK_PR_SET_MM. */
int mmk_mm_check_bounds(struct mmk_task *task, const struct mmk_mm_bounds *b);
void mmk_mm_get_bounds(struct mmk_mm *mm, struct mmk_mm_bounds *b);
/* A random start for the heap above end_bss (ASLR), page-aligned; end_bss itself without. */
unsigned long mmk_mm_brk_base(struct mmk_task *task, unsigned long end_bss);
/*
 * Map a page of the embedder that every program shares ([vdso], [sigpage]): frame at kva (from
 * mmk_alloc_frames), read and execute, name shown in maps. addr 0: anywhere. Returns the address
 * or -errno. May sleep.
 */
long mmk_install_special_mapping(struct mmk_task *task, struct mmk_mm *mm, unsigned long addr,
				 void *kva, const char *name);
/*
 * The same for two pages side by side, of which the first is data that the embedder goes on writing
 * ([vvar]): it is read, never written or executed whatever mprotect asks for, and not counted as
 * resident; its frame must outlive every mapping. They lie above what mmap places (top-down), as they
 * would else share a page table with that. Returns the address of the second, the code.
 */
long mmk_install_special_pair(struct mmk_task *task, struct mmk_mm *mm, void *data,
			      const char *data_name, void *code, const char *code_name);

/* ------------------------------------------------------------------ system calls */
/*
 * The calls of man section 2, as a program makes them on Linux 6.12 arm64. All act on task->mm,
 * take and drop its mmap_lock themselves (call with no lock of the core held), may sleep, and
 * leave the reason of a refusal in task->reason. Addresses may carry a tag in bits 63:56 where
 * Linux's tagged-address ABI allows one.
 */

/*
 * mmap(2), arm64's entry. addr: hint, or place with MAP_FIXED (bytes). len: bytes, rounded up to
 * pages. prot: MMK_PROT_*, flags: MMK_MAP_*. fd: ignored with MAP_ANONYMOUS. off: bytes. Returns
 * the address of the mapping, or
 *   -EINVAL    off, or addr with MAP_FIXED, not a multiple of the page size; len 0; neither (or
 *              both) of SHARED and PRIVATE; GROWSDOWN with a file or with shared memory;
 *              MAP_HUGETLB on a descriptor that is not huge
 *   -EBADF     no such descriptor
 *   -ENOMEM    len wraps; no room; beyond TASK_SIZE with MAP_FIXED; max_map_count; RLIMIT_AS,
 *              RLIMIT_DATA; overcommit; frames
 *   -EOVERFLOW off + len passes the end of what a page offset can name
 *   -EPERM     MAP_FIXED below mmap_min_addr without MMK_CAP_SYS_RAWIO; MAP_LOCKED with
 *              RLIMIT_MEMLOCK 0; PROT_EXEC of a file on a noexec mount; shared and writable on a
 *              sealed object
 *   -EEXIST    MAP_FIXED_NOREPLACE over a mapping
 *   -EAGAIN    MAP_LOCKED beyond RLIMIT_MEMLOCK; a mandatory lock
 *   -EACCES    the file is not open for reading; shared and writable but not open for writing, or
 *              append-only
 *   -ENODEV    the file cannot be mapped
 *   -ETXTBSY   MAP_DENYWRITE semantics: the file is open for writing
 *   -EOPNOTSUPP MAP_SHARED_VALIDATE with flags that this file does not know
 *   -EINTR     killed while waiting for mmap_lock
 * or what f_op->mmap or hooks->security_mmap_file answered. After a refusal everything is as
 * before, also under MAP_FIXED. POSIX mmap; man 2 mmap.
 */
long mmk_sys_mmap(struct mmk_task *task, unsigned long addr, unsigned long len, unsigned long prot,
		  unsigned long flags, int fd, uint64_t off);
/*
 * munmap(2): nothing is mapped in [addr, addr+len) afterwards; a range where nothing was is fine.
 * 0, or
 *   -EINVAL    addr not page-aligned; len 0; the range ends beyond TASK_SIZE
 *   -ENOMEM    a mapping would have to be split and there would be more than max_map_count; memory
 *              for the split
 *   -EINTR     killed while waiting for mmap_lock
 */
long mmk_sys_munmap(struct mmk_task *task, unsigned long addr, size_t len);
/*
 * mprotect(2). 0, or
 *   -EINVAL    addr not page-aligned; unknown bits in prot; both PROT_GROWSDOWN and PROT_GROWSUP,
 *              or one on a mapping that does not grow
 *   -ENOMEM    a part of the range is not mapped (what lies before it has changed); split over
 *              max_map_count; memory
 *   -EACCES    the mapping may never have this protection (VM_MAY*): a shared file not open for
 *              writing
 *   -EINTR     killed while waiting for mmap_lock
 */
long mmk_sys_mprotect(struct mmk_task *task, unsigned long addr, size_t len, unsigned long prot);
/*
 * pkey_mprotect(2), pkey_alloc(2), pkey_free(2) on a CPU without protection keys. pkey -1 is
 * mprotect; 0, the key of all memory, likewise until it is freed; any other: -EINVAL. pkey_alloc:
 * -EINVAL for flags other than 0 and unknown rights, else -ENOSPC. pkey_free: 0 for key 0, once;
 * -EINVAL.
 */
long mmk_sys_pkey_mprotect(struct mmk_task *task, unsigned long addr, size_t len,
			   unsigned long prot, int pkey);
long mmk_sys_pkey_alloc(struct mmk_task *task, unsigned long flags, unsigned long rights);
long mmk_sys_pkey_free(struct mmk_task *task, int pkey);
/*
 * remap_file_pages(2): [addr, addr + size), both rounded down to pages, of a shared mapping shows
 * the file from page pgoff on. flags: MMK_MAP_NONBLOCK, others are ignored. 0, or
 *   -EINVAL    prot not 0; size 0; the range or its page offsets wrap; not one shared mapping that
 *              may be written, or several alike without a hole
 * or what mmk_sys_mmap with MAP_FIXED answers.
 */
long mmk_sys_remap_file_pages(struct mmk_task *task, unsigned long addr, size_t size,
			      unsigned long prot, uint64_t pgoff, unsigned long flags);
/*
 * brk(2), the system call and not libc's: brk is the new end of the heap in bytes; returns the end
 * now in force, which is the old one where it could not move (below start_brk, RLIMIT_DATA,
 * RLIMIT_AS, memory, a mapping in the way). No errno.
 */
unsigned long mmk_sys_brk(struct mmk_task *task, unsigned long brk);
/*
 * mremap(2): flags MMK_MREMAP_*; old_len 0 makes a second mapping of a shared one. Returns the
 * address, or
 *   -EINVAL    addr or (FIXED) new_addr not page-aligned; unknown flags; new_len 0; FIXED or
 *              DONTUNMAP without MAYMOVE; DONTUNMAP with another length; old and new place
 *              overlap; old_len 0 on a private mapping
 *   -EFAULT    [addr, addr+old_len) is not one mapping; the mapping cannot grow
 *   -ENOMEM    cannot grow in place (without MAYMOVE); no room; max_map_count; RLIMIT_AS;
 *              overcommit; memory
 *   -EAGAIN    locked memory beyond RLIMIT_MEMLOCK
 *   -EINTR     killed while waiting for mmap_lock
 */
long mmk_sys_mremap(struct mmk_task *task, unsigned long addr, unsigned long old_len,
		    unsigned long new_len, unsigned long flags, unsigned long new_addr);
/*
 * msync(2): MMK_MS_SYNC writes the shared pages of the range to their files and waits. 0, or
 *   -EINVAL    addr not page-aligned; unknown flags; both SYNC and ASYNC
 *   -ENOMEM    a part of the range is not mapped (the rest has been written all the same)
 *   -EBUSY     INVALIDATE of locked memory
 *   -EIO, -ENOSPC ... of the file's write; reported once
 */
long mmk_sys_msync(struct mmk_task *task, unsigned long addr, size_t len, int flags);
/*
 * mincore(2): one byte for each page of the range to user address vec, bit 0: in memory. 0, or
 *   -EINVAL    addr not page-aligned
 *   -ENOMEM    the range wraps or leaves the address space, or a part of it is not mapped
 *   -EFAULT    vec cannot be written
 */
long mmk_sys_mincore(struct mmk_task *task, unsigned long addr, size_t len, unsigned long vec);
/*
 * madvise(2): advice MMK_MADV_*. 0, or
 *   -EINVAL    addr not page-aligned; len wraps; an advice unknown, or for what is not here (huge
 *              pages, KSM, poisoning); DONTNEED, FREE, REMOVE, COLD, PAGEOUT, GUARD_INSTALL of
 *              locked memory; FREE, WIPEONFORK of what is not private anonymous memory; REMOVE of
 *              what has no file; KEEPONFORK, DODUMP of droppable memory; DODUMP, DOFORK, guards of
 *              a device's; POPULATE_* against the protection
 *   -ENOMEM    a part of the range is not mapped (the rest has been done all the same, but for
 *              POPULATE_*, which stop there); memory for the tables of guards
 *   -EAGAIN    no memory, or too many mappings, for a split
 *   -EACCES    REMOVE of a private mapping, or of one that can never be written
 *   -EPERM     advice that discards, on a sealed mapping that cannot be written
 *   -EFAULT    POPULATE_*: a page could not be had, or is a guard
 *   -EINTR     killed while waiting for mmap_lock
 * or what f_op->fallocate answered to REMOVE. Without swap COLD and PAGEOUT leave anonymous and
 * shared memory where it is, but what has been freed lazily goes at once. GUARD_* as Linux 6.18.
 */
long mmk_sys_madvise(struct mmk_task *task, unsigned long addr, size_t len, int advice);
/*
 * The same on the memory of another process, for process_madvise(2): who may do that, and which
 * advice is for others, the embedder decides. The caller holds a reference on mm.
 */
long mmk_madvise_of(struct mmk_task *task, struct mmk_mm *mm, unsigned long addr, size_t len,
		    int advice);
/*
 * mlock(2), mlock2(2) (flags: MMK_MLOCK_ONFAULT), munlock(2): addr is rounded down, the end up. 0,
 * or
 *   -EPERM     RLIMIT_MEMLOCK is 0 and the task has no MMK_CAP_IPC_LOCK
 *   -ENOMEM    beyond RLIMIT_MEMLOCK; a part is not mapped; a page could not be had; split over
 *              max_map_count
 *   -EAGAIN    some pages could not be locked
 *   -EINVAL    the range wraps; unknown flags
 */
long mmk_sys_mlock(struct mmk_task *task, unsigned long addr, size_t len);
long mmk_sys_mlock2(struct mmk_task *task, unsigned long addr, size_t len, int flags);
long mmk_sys_munlock(struct mmk_task *task, unsigned long addr, size_t len);
/*
 * mlockall(2): flags MMK_MCL_*. -EINVAL flags 0, unknown, or ONFAULT alone; -EPERM and -ENOMEM as
 * mlock.
 */
long mmk_sys_mlockall(struct mmk_task *task, int flags);
long mmk_sys_munlockall(struct mmk_task *task); /* 0, or -EINTR */
/*
 * mseal(2): the mappings of the range can never again be unmapped, moved, replaced or given another
 * protection (EPERM from those calls), nor be emptied by madvise where they are private, anonymous
 * and read-only. flags: 0. 0, or
 *   -EINVAL    flags; addr not page-aligned; the range wraps
 *   -ENOMEM    a part of the range is not mapped (nothing has changed); split over max_map_count;
 *              memory
 *   -EINTR     killed while waiting for mmap_lock
 */
long mmk_sys_mseal(struct mmk_task *task, unsigned long addr, size_t len, unsigned long flags);

/*
 * The options of prctl(2) that concern memory; arg: the four that follow the option. The value, 0,
 * or
 *   MMK_PR_SET_VMA, MMK_PR_SET_VMA_ANON_NAME, address, length, name (0: none): a name for anonymous
 *   memory, shown in maps as [anon:NAME], [anon_shmem:NAME]; only alike VMAs merge.
 *     -EFAULT   the name cannot be read
 *     -EINVAL   more than 79 characters, or one not printable or among \ ` $ [ ]; address not
 *               page-aligned; the range wraps
 *     -EBADF    a mapping with a file lies in the range (what lies before it is named)
 *     -ENOMEM   a part is not mapped (the rest is named); memory; -EAGAIN: memory for a split
 *   MMK_PR_SET_MDWE, bits; MMK_PR_GET_MDWE: from now on mmap and mprotect make nothing executable
 *   that was not, nor writable and executable at once (-EACCES). -EINVAL unknown bits, NO_INHERIT
 *   alone; -EPERM other bits are in force
 *   MMK_PR_SET_THP_DISABLE, MMK_PR_GET_THP_DISABLE: kept and told, there are no huge pages
 *   MMK_PR_SET_MM, one of MMK_PR_SET_MM_START_CODE.._ENV_END, address: one of the bounds. -EPERM
 *   without MMK_CAP_SYS_RESOURCE; -EINVAL outside the address space, out of order, beyond
 *   RLIMIT_DATA; -EFAULT stack, arguments or environment where nothing is mapped
 * -EINVAL: other options, arguments that are not 0 where no argument is; -EINTR killed while
 * waiting for mmap_lock.
 */
long mmk_sys_prctl(struct mmk_task *task, int option, const unsigned long arg[4]);

/*
 * mbind(2), set_mempolicy(2), get_mempolicy(2), set_mempolicy_home_node(2) as on a machine whose only
 * node is 0. mask, mode: user addresses, maxnode: bits of the mask and one more. 0, or
 *   -EINVAL    modes, flags or nodes that are unknown or do not go together; an address not
 *              page-aligned, a range that wraps
 *   -EFAULT    a hole in mbind's range (nothing has changed); user memory that cannot be reached
 *   -EPERM     MMK_MPOL_MF_MOVE_ALL without MMK_CAP_SYS_NICE
 *   -ENOENT    home node: nothing in the range has a policy; -EOPNOTSUPP: nor one that takes it
 *   -ENOMEM    split over max_map_count; memory
 *   -EINTR     killed while waiting for mmap_lock
 */
long mmk_sys_mbind(struct mmk_task *task, unsigned long start, unsigned long len,
		   unsigned long mode, unsigned long mask, unsigned long maxnode, unsigned flags);
long mmk_sys_set_mempolicy(struct mmk_task *task, int mode, unsigned long mask,
			   unsigned long maxnode);
long mmk_sys_get_mempolicy(struct mmk_task *task, unsigned long mode, unsigned long mask,
			   unsigned long maxnode, unsigned long addr, unsigned long flags);
long mmk_sys_set_mempolicy_home_node(struct mmk_task *task, unsigned long start, unsigned long len,
				     unsigned long node, unsigned long flags);
/*
 * What move_pages(2) tells of a page: its node, 0; -ENOENT nothing is there, -EFAULT not mapped, or
 * the zero page. May sleep.
 */
int mmk_page_node(struct mmk_mm *mm, unsigned long addr);
/* migrate_pages(2)'s masks: 0 with the nodes to go to, or -EINVAL, -EFAULT. */
long mmk_migrate_nodes(struct mmk_task *task, unsigned long maxnode, unsigned long from,
		       unsigned long to, uint32_t *new_nodes);

/*
 * The same for a kernel's own use (an ELF loader): a file pointer (NULL: anonymous; the caller
 * keeps its reference) instead of a descriptor, off in bytes. Returns and locks as mmk_sys_mmap.
 */
long mmk_vm_mmap(struct mmk_task *task, struct mmk_file *file, unsigned long addr,
		 unsigned long len, unsigned long prot, unsigned long flags, uint64_t off);
/*
 * shmdt(2)'s work: unmaps what is left, at its own place, of a whole file that was once mapped at addr
 * with `ops` for its kind. 0, -EINVAL (addr not page-aligned; nothing of the kind), or as munmap.
 */
long mmk_vm_detach(struct mmk_task *task, unsigned long addr, const struct mmk_vm_ops *ops);
/*
 * Promise `pages` of memory to an object of the embedder's, as a mapping would have them promised. 0,
 * -ENOMEM or the hook's errno. Given back with mmk_uncommit.
 */
int mmk_commit(struct mmk_task *task, uint64_t pages);
void mmk_uncommit(struct mmk_system *sys, uint64_t pages);
/* Anonymous zero memory at [addr, addr+len) as for a program's bss (vm_brk_flags). 0 or -errno. */
int mmk_vm_brk(struct mmk_task *task, unsigned long addr, unsigned long len, bool exec);

/* ------------------------------------------------------------------ faults */

#define MMK_FAULT_WRITE 0x1u
#define MMK_FAULT_EXEC	0x2u
#define MMK_FAULT_USER	0x4u /* by user code; else by the kernel on its behalf */

/* The signal that the faulting instruction gets, as siginfo has it. */
struct mmk_fault {
	int signo;	    /* SIGSEGV 11, SIGBUS 7, SIGKILL 9 (out of memory) */
	int code;	    /* SEGV_MAPERR 1, SEGV_ACCERR 2, BUS_ADRALN 1, BUS_ADRERR 2 */
	unsigned long addr; /* si_addr */
};

/*
 * A memory access that the tables refused. Returns 0 (retry the access) or -EFAULT with *f filled.
 * May sleep.
 */
int mmk_handle_fault(struct mmk_task *task, unsigned long addr, unsigned flags, struct mmk_fault *f);
/*
 * The same from the CPU's own words: ESR_ELx and FAR_ELx of an instruction or data abort (Arm ARM
 * D17.2.37). `user`: taken from EL0. May sleep.
 */
int mmk_arm64_abort(struct mmk_task *task, uint64_t esr, uint64_t far, bool user, struct mmk_fault *f);

/*
 * Read or write another address space as ptrace and /proc/PID/mem do (write = copy-on-write is
 * honoured, permissions are those of the VMA; MMK_ACCESS_FORCE ignores them as ptrace does).
 * Returns bytes done, 0 at the first unmapped one. May sleep.
 */
#define MMK_ACCESS_WRITE 0x1u
#define MMK_ACCESS_FORCE 0x2u
#define MMK_ACCESS_ANON	 0x4u /* anonymous memory only */
#define MMK_ACCESS_NOGROW 0x8u /* do not grow a stack to reach the address */
size_t mmk_access_vm(struct mmk_task *task, struct mmk_mm *mm, unsigned long addr, void *buf,
		     size_t len, unsigned flags);

/* ------------------------------------------------------------------ files: the page cache */

/*
 * A file's pages (Linux's address_space); the embedder puts one into each of its inodes. Locks:
 * [P] i_pages_lock, [M] i_mmap_lock, [D] the list's, [A] atomic, [I] immutable, [S] inode_lock of
 * the embedder:
 * mmk_mapping_write, _truncate, _punch and _fallocate on one mapping are to be called one at a
 * time.
 */
struct mmk_mapping {
	struct mmk_system *sys;		   /* [I] */
	const struct mmk_mapping_ops *ops; /* [I] */
	void *host;			   /* [I] the embedder's inode */
	uint64_t i_size;		   /* [S] for writing, read atomically: bytes */
	void *i_pages;			   /* [P] radix tree: index -> page */
	uint64_t nrpages;		   /* [P] */
	uint64_t nrdirty;		   /* [P] */
	uint32_t i_pages_lock;
	uint32_t i_mmap_lock;
	void *i_mmap;		/* [M] interval tree of the VMAs that map it */
	int32_t i_mmap_writable; /* [A] shared writable mappings; < 0: refused (sealed) */
	int32_t i_writecount;	/* [A] open writers; < 0: denied (ETXTBSY) */
	uint32_t flags;		/* [A] MMK_MAPPING_* */
	uint32_t wb_err;	/* [A] writeback errors: see mmk_wb_err_note */
	uint32_t wb_busy;	/* [A] passes of mmk_background_work and the like over it */
	uint64_t wb_pass;	/* [D] the last of them */
	uint64_t dirtied_at;	/* [D] when it got the oldest of its dirty pages, port->now */
	struct mmk_mapping *dirty_next, *dirty_prev; /* [D] those that have dirty pages */
};
#define MMK_MAPPING_SHMEM  0x1u /* [I] pages live here alone; counted as Shmem */
#define MMK_MAPPING_SEALED 0x2u /* the embedder's: from now on no new shared mapping may write */

/* Begin: no pages, size bytes long. ops->read == NULL makes it a tmpfs object. */
void mmk_mapping_init(struct mmk_system *sys, struct mmk_mapping *m,
		      const struct mmk_mapping_ops *ops, void *host, uint64_t size);
/*
 * End: no VMA maps it any more. Dirty pages are dropped: sync first where that matters. What ops
 * need must be there until this has returned, as pages may be on their way home. A second call does
 * nothing. Never fails. May sleep.
 */
void mmk_mapping_destroy(struct mmk_mapping *m);
/*
 * read(2) through the cache: at most len bytes from pos to kernel memory. Bytes (0 at end), or
 * -errno. May sleep.
 */
int64_t mmk_mapping_read(struct mmk_mapping *m, uint64_t pos, void *buf, size_t len);
/* write(2): extends i_size. Bytes, or -errno (-ENOSPC, -ENOMEM, -EIO, -EFBIG). May sleep. */
int64_t mmk_mapping_write(struct mmk_mapping *m, uint64_t pos, const void *buf, size_t len);
/*
 * The page at `index` for direct copying, pinned: its kernel address in *kva. create: a hole
 * becomes a page. -ENOENT: hole (create false). Give back with mmk_mapping_unpin(dirty). May
 * sleep.
 */
int mmk_mapping_pin(struct mmk_mapping *m, uint64_t index, bool create, struct mmk_page **page,
		    void **kva);
void mmk_mapping_unpin(struct mmk_mapping *m, struct mmk_page *page, bool dirty);
/*
 * truncate(2): sets i_size, takes away mapped pages beyond, private copies too, zeroes the tail. 0
 * or -errno. May sleep.
 */
int mmk_mapping_truncate(struct mmk_mapping *m, uint64_t size);
/*
 * fallocate PUNCH_HOLE: [start, end) reads as zero. Does not change the home: the embedder punches
 * that. May sleep.
 */
int mmk_mapping_punch(struct mmk_mapping *m, uint64_t start, uint64_t end);
/*
 * Write back dirty pages of [start, end) bytes and wait; durable: ops->sync too. 0, or the -errno of
 * the first write that failed in this call; the pages stay dirty. May sleep.
 */
int mmk_mapping_sync(struct mmk_mapping *m, uint64_t start, uint64_t end, bool durable);
/*
 * The same for fsync(2) and msync(2) of an open file: reports a write that failed since the file was
 * opened, whoever made it and whenever, once to each open file (as Linux since 4.13). 0 or -errno.
 */
int mmk_file_sync(struct mmk_file *file, uint64_t start, uint64_t end, bool durable);
/*
 * The file has just been opened; its f_mapping is set. An error of which nobody has been told yet
 * will be told to it.
 */
void mmk_file_opened(struct mmk_file *file);
/*
 * The errors of writeback, for things other than mappings (a file system: syncfs(2)). A word counts
 * them: note one (err < 0); take the copy with which an open file begins; what it has not been told
 * of yet, 0 or -errno, once.
 */
void mmk_wb_err_note(uint32_t *word, int err);
uint32_t mmk_wb_err_sample(const uint32_t *word);
int mmk_wb_err_tell(uint32_t *word, uint32_t *seen);
/*
 * What must be done now and then, on a thread of its own: writes back what is too much or too old
 * (vm.dirty_background_ratio, vm.dirty_expire_centisecs), and drops cached pages when frames are
 * getting short. Returns when (port->now) it wants to be called again, ~0: not before
 * port->wake_worker says so. May sleep.
 */
uint64_t mmk_background_work(struct mmk_system *sys);
/*
 * What is cached of pages [first, last] of the file: cachestat(2). Pages that have been dropped
 * leave nothing behind, so there are no figures of them. Does not sleep.
 */
struct mmk_cachestat {
	uint64_t cached, dirty, writeback;
};
void mmk_mapping_cachestat(struct mmk_mapping *m, uint64_t first, uint64_t last,
			   struct mmk_cachestat *s);
/* Drop clean, unmapped pages (drop_caches). Returns how many. May sleep. */
uint64_t mmk_mapping_invalidate(struct mmk_mapping *m);

/* What f_op->mmap sees and may change (the second part). */
struct mmk_mmap_request {
	struct mmk_task *task;
	struct mmk_mm *mm;
	unsigned long start, end;
	uint64_t pgoff;
	/* may be changed: */
	uint64_t vm_flags;	   /* VM_* of mmkit/mman.h */
	const struct mmk_vm_ops *vm_ops; /* NULL: anonymous rules */
	struct mmk_file *file;	   /* replaced by e.g. /dev/zero's shmem object */
	void *private_data;
};

/* A kind of memory. All may be NULL. */
struct mmk_vm_ops {
	const char *name; /* shown in maps where there is no file: "[vdso]" */
	void (*open)(struct mmk_vma *vma);  /* a copy of the VMA came to be (fork, split) */
	void (*close)(struct mmk_vma *vma); /* one went */
	/*
	 * Page at pgoff wanted. Fill *page (with a reference of its own) and return 0; or -errno:
	 * -EFAULT SIGBUS, -ENOMEM out of memory. May sleep.
	 */
	int (*fault)(struct mmk_vma *vma, uint64_t pgoff, struct mmk_page **page);
};

/* req->private_data of the mapping that a VMA belongs to; for a kind's open and close. */
void *mmk_vma_private(struct mmk_vma *vma);

/* The f_op->mmap of files with a page cache. 0. */
int mmk_generic_file_mmap(struct mmk_file *file, struct mmk_mmap_request *req);
/*
 * The f_op->mmap of memfd_secret's files: shared only, locked, not dumped; mmk_access_vm does not read or
 * write it. 0, -EINVAL (private), -EAGAIN (RLIMIT_MEMLOCK).
 */
int mmk_secret_mmap(struct mmk_file *file, struct mmk_mmap_request *req);
/* The f_op->mmap of /dev/zero: private is anonymous, shared an object of its own. 0 or -ENOMEM. */
int mmk_zero_mmap(struct mmk_file *file, struct mmk_mmap_request *req);
/* open for writing / execve of a file: -ETXTBSY where the other holds it. Pair with _put. */
int mmk_mapping_get_write(struct mmk_mapping *m);
void mmk_mapping_put_write(struct mmk_mapping *m);
int mmk_mapping_deny_write(struct mmk_mapping *m);
void mmk_mapping_allow_write(struct mmk_mapping *m);

/*
 * ------------------------------------------------------------------ frames and objects for the
 * embedder
 */

/*
 * 2^order frames, contiguous; their address in the linear map, or NULL. zero: cleared. Does not
 * sleep.
 */
void *mmk_alloc_frames(struct mmk_system *sys, unsigned order, bool zero);
/*
 * The same for whoever may wait: leaves the reserve (min_free_kbytes) alone, drops cached pages and,
 * for single frames, has somebody killed first (port->out_of_memory). May sleep: no spinlock held,
 * nor anything that writing a page home waits for.
 */
void *mmk_alloc_frames_wait(struct mmk_system *sys, unsigned order, bool zero);
void mmk_free_frames(struct mmk_system *sys, void *va, unsigned order);
/* Small memory, 16-byte aligned, up to 128 KiB; NULL when short. Does not sleep. */
void *mmk_kmalloc(struct mmk_system *sys, size_t size);
void *mmk_kzalloc(struct mmk_system *sys, size_t size);
/* The same for whoever may wait, as mmk_alloc_frames_wait. */
void *mmk_kmalloc_wait(struct mmk_system *sys, size_t size);
void *mmk_kzalloc_wait(struct mmk_system *sys, size_t size);
void mmk_kfree(struct mmk_system *sys, void *ptr); /* NULL is fine */
/* Address of a frame in the linear map; one more reference; one less. */
void *mmk_page_address(struct mmk_system *sys, struct mmk_page *page);
struct mmk_page *mmk_virt_to_page(struct mmk_system *sys, const void *va);
void mmk_page_get(struct mmk_page *page);
void mmk_page_put(struct mmk_system *sys, struct mmk_page *page);

/* ------------------------------------------------------------------ looking */

/*
 * The text files of /proc/PID. Each writes whole lines from position *pos (0 first, then as left),
 * at most size bytes; 0 at the end. May sleep.
 */
long mmk_proc_maps(struct mmk_task *task, struct mmk_mm *mm, uint64_t *pos, char *buf, size_t size);
/* ioctl(PROCMAP_QUERY) on maps: Linux's struct procmap_query. */
struct mmk_map_query {
	uint64_t size;	/* of this structure; the embedder's */
	uint64_t flags; /* MMK_MAP_QUERY_*: what the mapping must be */
	uint64_t addr;	/* where to look */
	uint64_t start, end, vma_flags, page_size, offset, inode; /* out */
	uint32_t major, minor;					  /* out */
	uint32_t name_size, build_id_size; /* out: the NUL included; 0: none. No build ids */
	uint64_t name, build_id;	   /* the embedder's */
};
#define MMK_MAP_QUERY_READABLE	 0x01u
#define MMK_MAP_QUERY_WRITABLE	 0x02u
#define MMK_MAP_QUERY_EXECUTABLE 0x04u
#define MMK_MAP_QUERY_SHARED	 0x08u
#define MMK_MAP_QUERY_OR_NEXT	 0x10u /* or the next one that agrees */
#define MMK_MAP_QUERY_FILE	 0x20u
/*
 * Fills q, and `name` if size is not 0. 0, -ENOENT no such mapping, -ENAMETOOLONG, -ENOMEM, -EINTR
 * killed. May sleep.
 */
int mmk_proc_map_query(struct mmk_mm *mm, struct mmk_map_query *q, char *name, size_t size);
/*
 * The file of the first mapping that has one of the embedder's and ends above *start, with a
 * reference (port->fput); the mapping's bounds go to *start and *end. NULL: none. May sleep.
 */
struct mmk_file *mmk_vma_file(struct mmk_mm *mm, unsigned long *start, unsigned long *end);
/*
 * smaps, numa_maps: as maps; man 5 proc_pid_smaps, proc_pid_numa_maps. numa_maps: task is the one whose
 * memory it is, as its policy shows where a mapping has none.
 */
long mmk_proc_smaps(struct mmk_task *task, struct mmk_mm *mm, uint64_t *pos, char *buf, size_t size);
long mmk_proc_numa_maps(struct mmk_task *task, struct mmk_mm *mm, uint64_t *pos, char *buf,
			size_t size);
/* smaps_rollup: the whole text at once, ending with NUL. Its length, or -EOVERFLOW: too long. */
long mmk_proc_smaps_rollup(struct mmk_task *task, struct mmk_mm *mm, char *buf, size_t size);
/*
 * pagemap: 8 bytes a page from byte position pos (Documentation: man 5 proc_pid_pagemap). Bit 55,
 * soft-dirty, is shown from the first MMK_CLEAR_REFS_SOFT_DIRTY of the mm on; frame numbers only
 * with `frames`, for who opened the file with CAP_SYS_ADMIN. Returns bytes or -errno.
 */
long mmk_proc_pagemap(struct mmk_mm *mm, uint64_t pos, void *buf, size_t len, bool frames);

/* What is written to clear_refs. */
enum mmk_clear_refs {
	MMK_CLEAR_REFS_ALL = 1,	   /* no page has been referenced */
	MMK_CLEAR_REFS_ANON,	   /* those of memory without a file */
	MMK_CLEAR_REFS_MAPPED,	   /* those of files */
	MMK_CLEAR_REFS_SOFT_DIRTY, /* no page has been written: write it down from now on */
	MMK_CLEAR_REFS_HIWATER,	   /* VmHWM begins anew */
};
/* 0, -EINVAL no such value, -EINTR killed while waiting for mmap_lock. May sleep. */
int mmk_proc_clear_refs(struct mmk_task *task, struct mmk_mm *mm, enum mmk_clear_refs how);

/* Argument of ioctl(PAGEMAP_SCAN), Linux's struct pm_scan_arg; addresses are the caller's. */
struct mmk_pagemap_scan {
	uint64_t size;		     /* of this structure */
	uint64_t flags;		     /* MMK_PM_SCAN_* */
	uint64_t start, end;	     /* of mm; start page-aligned */
	uint64_t walk_end;	     /* out: where the walk stopped */
	uint64_t vec, vec_len;	     /* struct mmk_page_region[] of the caller */
	uint64_t max_pages;	     /* stop after so many; 0: no limit */
	uint64_t category_inverted;  /* MMK_PAGE_IS_*: of these ask for the contrary */
	uint64_t category_mask;	     /* pages that have all of these */
	uint64_t category_anyof_mask; /* and one of these, if any is given */
	uint64_t return_mask;	     /* which to tell, and to tell apart */
};
struct mmk_page_region {
	uint64_t start, end, categories;
};
#define MMK_PM_SCAN_WP_MATCHING	  0x1u
#define MMK_PM_SCAN_CHECK_WPASYNC 0x2u
#define MMK_PAGE_IS_WPALLOWED	  0x01u
#define MMK_PAGE_IS_WRITTEN	  0x02u
#define MMK_PAGE_IS_FILE	  0x04u
#define MMK_PAGE_IS_PRESENT	  0x08u
#define MMK_PAGE_IS_SWAPPED	  0x10u
#define MMK_PAGE_IS_PFNZERO	  0x20u
#define MMK_PAGE_IS_HUGE	  0x40u
#define MMK_PAGE_IS_SOFT_DIRTY	  0x80u
/*
 * PAGEMAP_SCAN on the pagemap of mm, argument at address uarg of the calling task. Number of
 * regions, or
 *   -EFAULT  the argument or the vector is not the caller's memory
 *   -EINVAL  wrong size; unknown flag or category; start not page-aligned; vec NULL with a length
 *   -EPERM   CHECK_WPASYNC, and a mapping that cannot be write-protected in this way (none can)
 *   -EINTR   killed
 *   -ENOMEM
 * Source: Linux's admin-guide/mm/pagemap.rst. May sleep.
 */
long mmk_proc_pagemap_scan(struct mmk_task *task, struct mmk_mm *mm, unsigned long uarg);
/* One line for each present PTE: "address level descriptor frame attributes". As mmk_proc_maps. */
long mmk_proc_ptdump(struct mmk_task *task, struct mmk_mm *mm, uint64_t *pos, char *buf, size_t size);

/*
 * How much memory would come back with the end of the mm: resident pages and page tables, in pages.
 * Linux's oom_badness without the adjustment. Takes no lock.
 */
uint64_t mmk_mm_badness(struct mmk_mm *mm);
/*
 * All who use the mm have been killed: give back its private memory without waiting for their end.
 * From then on faults in it fail. False: mmap_lock is taken, try again later. The caller has a
 * reference. Does not sleep.
 */
bool mmk_mm_reap(struct mmk_mm *mm);

/* Figures of one mm, in pages, for status, statm, stat. */
struct mmk_mm_stats {
	uint64_t total_vm, locked_vm, pinned_vm, data_vm, exec_vm, stack_vm;
	uint64_t rss_anon, rss_file, rss_shmem, hiwater_rss, hiwater_vm, pgtables_bytes;
	uint64_t map_count, min_flt, maj_flt;
	bool thp_disabled; /* PR_SET_THP_DISABLE */
};
/* May sleep: mmap_lock is taken. */
void mmk_mm_stats(struct mmk_mm *mm, struct mmk_mm_stats *s);
/* Those of them that getrusage(2) tells, for who holds a lock. Takes none. */
struct mmk_mm_usage {
	uint64_t hiwater_rss, min_flt, maj_flt;
};
void mmk_mm_usage(const struct mmk_mm *mm, struct mmk_mm_usage *u);

/* Figures of the system; counts since init unless they say otherwise. */
struct mmk_stats {
	uint64_t frames_total, frames_free;		      /* now; all but the reserved */
	uint64_t frames_anon, frames_file, frames_shmem, frames_slab, frames_table, frames_other; /* now */
	uint64_t dirty, committed, commit_limit;	      /* now, pages */
	uint64_t faults, faults_major, faults_anon_zero, faults_anon, faults_file_read;
	uint64_t faults_file_private, faults_file_shared, faults_cow_copy, faults_cow_reuse, faults_spurious;
	uint64_t tables_shared, tables_copied; /* by fork; when they had to change after all */
	uint64_t faults_refused;
	uint64_t pages_read, pages_written;
	uint64_t writeback, dirty_limit, dirty_background; /* now, pages */
	uint64_t frames_min, frames_low, frames_high;	   /* now: the reserve, and its watermarks */
	uint64_t scanned, reclaimed; /* frames looked at and got back because they were short */
	uint64_t throttled; /* times that a writer had to write back before it went on */
	uint64_t ooms;	    /* times that no frame was left */
	uint64_t lazyfree, lazyfreed; /* pages given up by MADV_FREE; taken from programs so */
	uint64_t vmas, vmas_made, merges, splits;
	uint64_t tlbi_va, tlbi_asid, tlbi_all;
	uint64_t refusals;
	/* Counted only where the core is built with MMK_COUNTING; 0 otherwise. */
	uint64_t dsb, pte_writes, frames_allocated, objects_allocated, locks_taken;
};
void mmk_stats(struct mmk_system *sys, struct mmk_stats *s);
/* What is counted by looking at every frame and every mm; takes its time, does not sleep. */
struct mmk_frame_census {
	uint64_t mapped;	  /* pages of files and shared memory that some program maps */
	uint64_t locked;	  /* pages of mlock'ed mappings, of all programs */
	uint64_t frame_table;	  /* frames that the frame table takes */
	uint64_t free_blocks[11]; /* free blocks of 2^i frames */
};
void mmk_frame_census(struct mmk_system *sys, struct mmk_frame_census *c);
/*
 * Where every frame is. What is free and what each kind of owner has is counted apart, at every
 * change; here it is read in one moment, so the seven add up to `total` at any time, or frames are
 * lost. The orphans are found by looking: frames that nobody leads to, of which there are none but
 * in the middle of a call. Takes its time, does not sleep.
 */
struct mmk_frame_ledger {
	uint64_t total; /* all that the machine has */
	uint64_t reserved, free, anonymous, page_cache, tables, slab, kernel;
	uint64_t shared_memory; /* of the page cache */
	uint64_t unmapped;	/* orphans: anonymous, and no entry maps it */
	uint64_t detached;	/* orphans: of the page cache, and in no file */
	uint64_t empty_slabs;	/* of the slab: kept for the next object, slab_reap() frees them */
};
void mmk_frame_ledger(struct mmk_system *sys, struct mmk_frame_ledger *l);
/*
 * The most recent refusals with their reasons, newest first: one line each "pid N: ERRNO: words".
 * As mmk_proc_maps.
 */
long mmk_stats_refusals(struct mmk_system *sys, uint64_t *pos, char *buf, size_t size);

/* What port->defer was given has had its grace period: frees it. Takes spinlocks, does not sleep. */
void mmk_run_deferred(struct mmk_system *sys, struct mmk_deferred *d);

/*
 * Check every invariant: of one mm, of the whole system. 0, or the number of violations; the first
 * is described in buf. Takes the locks it needs; may sleep.
 */
unsigned mmk_mm_check(struct mmk_mm *mm, char *buf, size_t size);
unsigned mmk_check(struct mmk_system *sys, char *buf, size_t size);

#pragma GCC visibility pop

#endif
