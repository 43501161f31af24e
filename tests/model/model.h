/* SPDX-License-Identifier: MIT */
/*
 * The model: short programs of memory calls over a window of pages, run alike on mmkit (in the
 *hosted port) and on Linux, and compared after every step: result, errno, VMAs, residency,
 *contents.
 *
 *	steps.c		the alphabet: what a step can be, its text, and the generators
 *	run.c		one sequence, step by step; what is seen becomes a digest, or text
 *	serve.c		a program that runs sequences as it is told on standard input
 *	hosted.c	back end: mmkit
 *	linux.c		back end: the kernel that this program runs on
 *	compare.c	starts two such programs, compares them, shrinks what differs
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <mmkit/mman.h>

#define PAGE_BYTES 4096ul
#define NR_PAGES   20u /* of the window, where calls begin */
#define FILE_PAGES 8u
/* Half of the window lies below a boundary of 2 MiB, so that two page tables are at work. */
#define BASE (0x400000000ul + (2ul << 20) - NR_PAGES / 2 * PAGE_BYTES)
/* What is looked at: a mapping may reach beyond the window. */
#define LOOK_BELOW 4u
#define LOOK_PAGES (LOOK_BELOW + 2 * NR_PAGES)
#define BRK_PAGE   (NR_PAGES / 2)

#define MAX_ARGS   7
#define MAX_STEPS  400
#define MAX_DEPTH  4
#define NR_OFFSETS 4

struct step {
	uint8_t op;
	uint8_t arg[MAX_ARGS]; /* each the number of a choice of its kind */
};

/* What surrounds a sequence. */
#define MODE_LOOK  1u /* all contents are read after each step, not only at the end */
#define MODE_LIMIT 2u /* RLIMIT_MEMLOCK is 8 pages, without CAP_IPC_LOCK */
#define MODE_SEAL  4u /* mseal may come */
#define NR_MODES   8u

/* An argument of a call on memory made another one. */
struct tweak {
	unsigned arg;
	uint64_t bits; /* to be turned */
};

struct sequence {
	unsigned mode;
	unsigned nr;
	const struct tweak *tweaks; /* one for each step, or NULL */
	struct step step[MAX_STEPS];
};

/* ---- steps.c ---- */

/* What is asked of a back end: a system call by this number, with Linux's arguments. */
enum call_nr {
	CALL_MMAP,
	CALL_MUNMAP,
	CALL_MPROTECT,
	CALL_MREMAP,
	CALL_MADVISE,
	CALL_MLOCK2,
	CALL_MUNLOCK,
	CALL_MLOCKALL,
	CALL_MUNLOCKALL,
	CALL_MSYNC,
	CALL_MINCORE, /* vector 0: the back end's */
	CALL_MSEAL,
	CALL_REMAP_FILE_PAGES,
	CALL_BRK,
	CALL_PWRITE,    /* fd, position, byte, length */
	CALL_PREAD,     /* fd, position: the byte, or -1 at the end */
	CALL_FTRUNCATE, /* fd, size */
	CALL_PUNCH,     /* fd, position, length */
	/* not calls: */
	CALL_LOAD,  /* address */
	CALL_STORE, /* address, byte */
	CALL_PEEK,  /* address: by /proc/self/mem */
	CALL_POKE,  /* address, byte */
	CALL_FORK,  /* 0: the child goes on, 1: the parent */
	CALL_EXIT,
	NR_CALLS,
};

/* Descriptors have these numbers in a call. */
enum model_fd { FD_NONE = -1, FD_MEMFD, FD_HOME, FD_HOME_RO, FD_ZERO, NR_FDS };

struct call {
	enum call_nr nr;
	long arg[6];
	unsigned back; /* page to which mremap brings back what went elsewhere */
};

extern const unsigned byte_offsets[NR_OFFSETS]; /* within a page, where contents are looked at */

void step_to_call(const struct step *s, struct call *c);
/* Choices of each argument wrapped into their range: any bytes are a step. */
void step_from_bytes(const uint8_t *bytes, struct step *s);
size_t step_text(const struct step *s, char *buf, size_t size);
bool step_parse(const char *text, struct step *s);
/* The sequence of that number: nr_steps of them, or of the exhaustive set (false: no more). */
void sequence_random(uint64_t seed, uint64_t index, unsigned nr_steps, struct sequence *q);
bool sequence_exhaustive(uint64_t index, struct sequence *q);
const char *errno_name(long err, char *buf, size_t size);

/* ---- run.c ---- */

enum vma_name {
	NAME_NONE,
	NAME_MEMFD,
	NAME_HOME,
	NAME_SHMEM,
	NAME_ZERO,
	NAME_HEAP,
	NAME_OTHER,
	NR_NAMES
};

struct vma_line {
	int start, end; /* pages from the beginning of the window */
	unsigned perm;  /* 1 r, 2 w, 4 x, 8 shared */
	uint64_t pgoff; /* of the file */
	enum vma_name name;
};

/* Of a path that /proc/PID/maps shows. */
enum vma_name name_class(const char *path);

/* Lies in memory that all processes of a sequence share. */
struct run {
	uint64_t digest;
	unsigned next;  /* step to be done */
	bool tell;      /* write to `text` what is seen */
	bool last_only; /* the exhaustive set: only the last state counts */
	size_t used;
	char text[1 << 20];
};

/* Run it on the back end from an empty window. */
void run_sequence(struct run *run, const struct sequence *q);

/* ---- the back end ---- */

bool be_start(struct run **run); /* once; where the run lies */
void be_end(void);
/* From here on allocations or transfers of the back end fail, if it can do that. */
enum inject { INJECT_NONE, INJECT_ALLOC, INJECT_IO, INJECT_DICE };
void be_inject(enum inject how);
/* Runs fn(run, q) with the surroundings of q->mode, files new and the window empty. */
bool be_sequence(struct run *run, const struct sequence *q);
/* A call: Linux's result, or -errno; loads and stores: signal + (si_code << 8), or 0. */
long be_call(const struct call *c, uint8_t *byte);
/* Nothing is stored any more behind the end of the file with a home. */
void be_tidy_home(void);
unsigned be_vmas(struct vma_line *v, unsigned max);
/* mincore's bits for n pages from there; false where they have holes. */
bool be_resident(unsigned long addr, unsigned n, uint8_t *bits);
/*
 * CALL_FORK. 1: this process goes on, and an exit is to come. 0: it has waited while the other went
 * on as far as run->next says, and now goes on itself. Or -errno.
 */
int be_fork(struct run *run, bool parent_goes_on, void (*look)(struct run *run));
/* The latest fork's end: who has waited looks at its memory, and the child of the two ends. */
void be_exit(struct run *run, void (*look)(struct run *run));

#endif
