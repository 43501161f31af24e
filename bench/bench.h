/* SPDX-License-Identifier: MIT */
/*
 * What the files of rows share. A row prepares, measures between begin() and end(n), checks what
 * it made, and cleans up; it runs twice, and the second run counts.
 *
 * Under QEMU's -icount with shift 0 the virtual counter advances one nanosecond with each
 * instruction, so a difference of the counter is a number of instructions.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIB 1048576ul

extern size_t page; /* bytes */

struct row {
	const char *name;
	void (*run)(long arg);
	long arg;
};
extern const struct row anon_rows[], file_rows[], range_rows[], many_rows[], process_rows[];

void footprint(void);

/* The measured stretch; end() says how many operations lay in it. Several add up. */
void begin(void);
void end(unsigned long ops);

void fail(const char *what) __attribute__((noreturn));
static inline void check(bool ok, const char *what)
{
	if (__builtin_expect(!ok, 0))
		fail(what);
}

static inline unsigned long counter(void)
{
	unsigned long n;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(n)::"memory");
	return n;
}

/* A system call as the bare instruction. */
static inline long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
	                 : "memory");
	return x0;
}

#define CALL3(nr, a, b, c) call6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)

/* Memory of the C library's calls, with every failure fatal. */
char *map_anon(size_t len, int prot, int flags);
char *map_file(int fd, size_t len, int prot, int flags);
char *map_aligned(size_t len); /* private anonymous, begins at a multiple of 2 MiB */
void unmap(void *p, size_t len);
int make_file(size_t len, bool filled); /* on tmpfs; page i begins with the word i + 1 */
void touch(char *p, size_t len);        /* writes the word i + 1 to page i */
void check_touched(const char *p, size_t len);
void check_zero(const char *p, size_t len);

static inline uint64_t load(const char *p)
{
	return *(const volatile uint64_t *)p;
}

static inline void store(char *p, uint64_t v)
{
	*(volatile uint64_t *)p = v;
}

#endif
