/* SPDX-License-Identifier: MIT */
/*
 * What the unit tests share: a world - machine, system, one program, a directory on the host - that
 * is checked whole (mmk_check and the strict TLB's audit) after every call made through it, and
 *that must have got every frame back at its end.
 *
 * A test is a cmocka test with world_setup and world_teardown:
 *
 *	static void read_after_unmap(void **state)
 *	{
 *		struct world *w = *state;
 *		unsigned long a = must_mmap(w, 0, 2 * PAGE, RW, ANON_PRIVATE, -1, 0);
 *		store(w, a, 7);
 *		assert_int_equal(w_munmap(w, a, PAGE), 0);
 *		assert_fault(w_load(w, a), SIGSEGV, MMK_SEGV_MAPERR);
 *	}
 *
 *	int main(void)
 *	{
 *		const struct CMUnitTest tests[] = { WORLD_TEST(read_after_unmap) };
 *		return cmocka_run_group_tests_name("unmap", tests, NULL, NULL);
 *	}
 */
#ifndef UNIT_HARNESS_H
#define UNIT_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <cmocka.h>
#include <mmkit/hosted.h>

#define PAGE            4096ul
#define UNIT_SIGBUS     7
#define UNIT_SIGKILL    9
#define UNIT_SIGSEGV    11
#define MMK_SEGV_MAPERR 1
#define MMK_SEGV_ACCERR 2
#define MMK_BUS_ADRERR  2

#define R            MMK_PROT_READ
#define W            MMK_PROT_WRITE
#define X            MMK_PROT_EXEC
#define RW           (MMK_PROT_READ | MMK_PROT_WRITE)
#define RX           (MMK_PROT_READ | MMK_PROT_EXEC)
#define NONE         MMK_PROT_NONE
#define ANON_PRIVATE (MMK_MAP_PRIVATE | MMK_MAP_ANONYMOUS)
#define ANON_SHARED  (MMK_MAP_SHARED | MMK_MAP_ANONYMOUS)
#define FIXED        MMK_MAP_FIXED

struct world {
	struct hosted *h;
	struct mmk_system *sys;
	struct mmk_task task; /* the program that the calls below are made for */
	struct mmk_rlimit rlim[MMK_RLIM_NLIMITS]; /* task.rlim: unlimited until a test says else */
	char dir[64];                             /* a directory on the host, gone at the end */
	bool unchecked; /* a test that breaks things turns the checks off */
};

/* cmocka's fixtures: *state is the world. */
int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)
/* The same by hand, with a machine of one's own; config may be NULL. */
struct world *world_new(const struct hosted_config *config);
/* Ends the program and the machine; fails the test where a frame is missing. */
void world_end(struct world *w);

/* Every invariant of the core and of the TLBs holds, or the test fails at file:line. */
void world_check(struct world *w, const char *file, int line);
/* Evaluates a call of the core, then checks the world; its value is the call's. */
#define CHECKED(w, call)                                                                           \
	({                                                                                         \
		__typeof__(call) checked_result = (call);                                          \
		world_check(w, __FILE__, __LINE__);                                                \
		checked_result;                                                                    \
	})

/* The system calls for w->task, checked. */
#define w_mmap(w, addr, len, prot, flags, fd, off)                                                 \
	CHECKED(w, mmk_sys_mmap(&(w)->task, addr, len, prot, flags, fd, off))
#define w_munmap(w, addr, len)         CHECKED(w, mmk_sys_munmap(&(w)->task, addr, len))
#define w_mprotect(w, addr, len, prot) CHECKED(w, mmk_sys_mprotect(&(w)->task, addr, len, prot))
#define w_brk(w, addr)                 CHECKED(w, mmk_sys_brk(&(w)->task, addr))
#define w_mremap(w, addr, old, len, flags, to)                                                     \
	CHECKED(w, mmk_sys_mremap(&(w)->task, addr, old, len, flags, to))
#define w_msync(w, addr, len, flags)  CHECKED(w, mmk_sys_msync(&(w)->task, addr, len, flags))
#define w_mincore(w, addr, len, vec)  CHECKED(w, mmk_sys_mincore(&(w)->task, addr, len, vec))
#define w_madvise(w, addr, len, what) CHECKED(w, mmk_sys_madvise(&(w)->task, addr, len, what))
#define w_mlock(w, addr, len)         CHECKED(w, mmk_sys_mlock(&(w)->task, addr, len))
#define w_munlock(w, addr, len)       CHECKED(w, mmk_sys_munlock(&(w)->task, addr, len))
#define w_fork(w, child)              CHECKED(w, hosted_fork((w)->h, &(w)->task, child))
/* mmap that has to work; the address. */
#define must_mmap(w, addr, len, prot, flags, fd, off)                                              \
	({                                                                                         \
		long mapped_at = w_mmap(w, addr, len, prot, flags, fd, off);                       \
		if (mapped_at < 0)                                                                 \
			world_refused(w, mapped_at, __FILE__, __LINE__);                           \
		(unsigned long)mapped_at;                                                          \
	})
/* Fails the test, saying why a call was refused. */
void world_refused(struct world *w, long err, const char *file, int line);
/* The last call of w->task was refused for a reason whose text contains `words`. */
#define assert_reason(w, words) world_assert_reason(w, words, __FILE__, __LINE__)
void world_assert_reason(struct world *w, const char *words, const char *file, int line);

/* One-byte accesses of the program; each gives what the program gets, checked. */
struct mmk_fault task_load(struct world *w, struct mmk_task *t, unsigned long va, uint8_t *value);
struct mmk_fault task_store(struct world *w, struct mmk_task *t, unsigned long va, uint8_t value);
struct mmk_fault task_fetch(struct world *w, struct mmk_task *t, unsigned long va);
#define w_load(w, va)     task_load(w, &(w)->task, va, NULL)
#define w_store(w, va, v) task_store(w, &(w)->task, va, v)
#define w_fetch(w, va)    task_fetch(w, &(w)->task, va)
/* Those that have to work. */
#define load(w, va)           task_peek(w, &(w)->task, va, __FILE__, __LINE__)
#define store(w, va, v)       task_poke(w, &(w)->task, va, v, __FILE__, __LINE__)
#define load_of(w, t, va)     task_peek(w, t, va, __FILE__, __LINE__)
#define store_of(w, t, va, v) task_poke(w, t, va, v, __FILE__, __LINE__)
uint8_t task_peek(struct world *w, struct mmk_task *t, unsigned long va, const char *file,
                  int line);
void task_poke(struct world *w, struct mmk_task *t, unsigned long va, uint8_t v, const char *file,
               int line);
#define assert_fault(fault, sig, why)                                                              \
	do {                                                                                       \
		struct mmk_fault got_fault = (fault);                                              \
		assert_int_equal(got_fault.signo, sig);                                            \
		assert_int_equal(got_fault.code, why);                                             \
	} while (0)
#define assert_works(fault) assert_int_equal((fault).signo, 0)

/*
 * A file of the host's with `size` bytes, byte i being file_byte(i), opened in the machine with the
 * given open flags; its name in the world's directory is `name`. A descriptor.
 */
int host_file(struct world *w, const char *name, size_t size, int flags);
uint8_t file_byte(size_t i); /* never 0 */
/* Byte i of that file as the host sees it now, and its size; -1 where there is none. */
int host_byte(struct world *w, const char *name, size_t i);
long host_size(struct world *w, const char *name);
/* A byte of a descriptor as read(2) sees it. */
int fd_byte(struct world *w, int fd, uint64_t pos);

/* /proc/PID/maps of w->task, all of it, in a buffer good until the next call. */
const char *world_maps(struct world *w);
/*
 * The map of [base, base + n pages) drawn: one character a page, '.' for a hole, else 'A', 'B', ...
 * for the first, second, ... VMA seen. "AA.B".
 */
const char *world_draw(struct world *w, unsigned long base, unsigned n);
/* Number of VMAs; frames free. */
uint64_t world_nr_vmas(struct world *w);
uint64_t world_free_frames(struct world *w);

#endif
