/* SPDX-License-Identifier: MIT */
/*
 * What every ABI test shares. A behaviour is a function that prints what it sees of one rule of the
 * memory ABI; it judges nothing. The same program runs on Linux and on mmkit, and what it printed
 * there and here is compared: NAME.linux beside NAME.c is what Linux printed.
 *
 * Each behaviour runs in a fresh child, in an empty directory of its own. What it prints must be
 * the same every time it runs: no addresses, process numbers, inodes or times, but addresses
 * relative to a window, counted from 0. These programs know nothing of mmkit.
 */
#ifndef MMKIT_TESTS_ABI_H
#define MMKIT_TESTS_ABI_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "newer.h"

/*
 * One behaviour. @row is the row of docs/LINUX-COMPAT.md that it proves: the call, then the flag,
 * errno or side effect: "madvise MADV_DONTNEED", "mmap EOVERFLOW", "munmap splits".
 */
#define BEHAVIOUR(name, row)                                                                       \
	static void behaviour_##name(void);                                                        \
	static void __attribute__((constructor)) register_##name(void)                             \
	{                                                                                          \
		abi_register(#name, row, behaviour_##name);                                        \
	}                                                                                          \
	static void behaviour_##name(void)

void abi_register(const char *name, const char *row, void (*run)(void));

extern unsigned long page; /* bytes of a page */

#define RW   (PROT_READ | PROT_WRITE)
#define RX   (PROT_READ | PROT_EXEC)
#define RWX  (PROT_READ | PROT_WRITE | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHM  (MAP_SHARED | MAP_ANONYMOUS)

/* ---- saying what was seen; each call prints one line ---- */

void abi_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The preparation of a behaviour failed: says so, and ends it. */
void abi_fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* For what only prepares: ends the behaviour if @r is -1. Returns @r. */
long abi_must(const char *what, long r);

/* "WHAT = 0" or "WHAT = -1 EINVAL", by errno. Returns @r. */
long abi_ret(const char *what, long r);
/* The same for the value of an expression, which is its own name. */
#define TRY(call) abi_ret(#call, (long)(call))
/* "WHAT = base+0x1000" or "WHAT = -1 ENOMEM". Returns @p. */
void *abi_ptr(const char *what, void *p);
/* "WHAT = 41 42 00*4094": @n bytes at @p, runs as BYTE*COUNT. */
void abi_bytes(const char *what, const void *p, size_t n);
/* "WHAT = 01 02 00 SIGBUS": the first byte of each of @n pages, or the signal that reading it
 * raised. */
void abi_pages(const char *what, const void *p, size_t n);
/* Where @p lies relative to a window: "base+0x1000", or "elsewhere". The text lives for 8 calls. */
const char *abi_where(const void *p);
/* From now on what lies in [@p, @p + @size) is called @name+0x... */
void abi_origin(const char *name, const void *p, size_t size);

/* ---- accesses: "WHAT = 0x41", "WHAT = stored" or "WHAT = SIGSEGV SEGV_MAPERR base+0x1000";
 * true if it went well ---- */

bool abi_load(const char *what, const volatile void *p);
bool abi_store(const char *what, volatile void *p, int byte);
/* Calls the code at @p, which abi_code() wrote: "WHAT = returned". */
bool abi_call(const char *what, void *p);
/* Writes the instructions of an empty function to @p. */
void abi_code(void *p);
/* True if reading or writing a byte there raises no signal; prints nothing. */
bool abi_readable(const volatile void *p);
bool abi_writable(volatile void *p);

/* ---- memory ---- */

/* The address of @pages pages of nothing, with much nothing around; the same in every run. Called
 * "base" in what is printed, the next ones "base2", "base3". */
char *abi_window(size_t pages);
/* A window filled with private anonymous memory. */
char *abi_map(size_t pages, int prot);
/* A window filled from a file, or with other flags. */
char *abi_map_with(size_t pages, int prot, int flags, int fd, off_t offset);
/* Puts @byte into the first byte of each of @pages pages, counting up: @byte, @byte + 1, ... */
void abi_fill(void *p, size_t pages, int byte);

/* The system call itself: the C library's mmap refuses some arguments by its own judgement. */
static inline void *sys_mmap(const void *addr, unsigned long len, long prot, long flags, long fd,
                             unsigned long offset)
{
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
}

/* ---- files: page K of them is full of the byte K + 1, up to @size bytes ---- */

int abi_file(off_t size); /* "file", the next "file2": in the own directory */
int abi_file_named(const char *name, off_t size);
int abi_memfd(off_t size, unsigned int flags); /* named "memfd" */
/* "WHAT = ..." as abi_bytes: @n bytes of the file, by pread. */
void abi_file_bytes(const char *what, int fd, off_t at, size_t n);

/* ---- what the kernel tells ---- */

/*
 * The lines of /proc/self/maps between @base and @base + @pages, cut to it, as
 *	maps 0x0-0x2000 rw-p 00000000 anon
 *	maps 0x2000-0x3000 hole
 * The name is "anon", as it is for [heap], or the last part of a path; memfds and /dev/zero whole.
 */
void abi_maps(const void *base, size_t pages);
/* A field of the smaps entry that holds @p, in kB; -1 if there is none. abi_smaps() prints it. */
long abi_smaps_field(const void *p, const char *field);
void abi_smaps(const void *p, const char *field);
/* "vmflags WHAT = rd wr mr": the VmFlags line there. */
void abi_vmflags(const char *what, const void *p);
/* A field of /proc/self/status, in kB; -1 if there is none. abi_status() prints it. */
long abi_status_field(const char *field);
void abi_status(const char *field);
/* "mincore = 1101": whether each page is resident. */
void abi_mincore(const void *p, size_t pages);
/* The whole of a small file of text, cut at @size - 1 bytes; false if it cannot be read. */
bool abi_read_text(const char *path, char *buf, size_t size);

/* ---- the process ---- */

/* fork(), or the end of the behaviour. */
pid_t abi_fork(void);
/* Waits for it: "child exited 0", "child killed by SIGSEGV". */
void abi_wait(pid_t pid);
/* A child that sleeps until it is killed, with what its parent had. */
pid_t abi_sleeper(void);
/* abi_pages() as a child sees them, which then exits. */
void abi_child_pages(const void *p, size_t n);
/* Executes this behaviour again, as a fresh program in the same process; abi_again() is true there. */
void abi_exec_again(void) __attribute__((noreturn));
bool abi_again(void);
/* Sets the soft limit, with hard limits left alone. */
void abi_limit(int resource, unsigned long value);
/* Gives up root, and all privileges. */
void abi_nobody(void);
/* For what would disturb others: the behaviour ends here on a host that is only a second witness.
 */
void abi_needs_own_machine(void);
/* Needs an own machine, and writes @value to a file such as /proc/sys/vm/overcommit_memory; when
 * the behaviour has ended, what was in it comes back. */
void abi_knob(const char *path, const char *value);

#endif
