/* SPDX-License-Identifier: MIT */
/*
 * What three operations cost, in instructions. Under QEMU's -icount with shift 0 the clock advances
 * one nanosecond with each instruction, so a difference of CLOCK_MONOTONIC counts them. Without
 * -icount the figures are nanoseconds and mean little.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 1000
#define PAGE   4096

static unsigned long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000UL + t.tv_nsec;
}

static void *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static void do_getppid(int i)
{
	syscall(SYS_getppid);
}

static void do_mmap_munmap(int i)
{
	munmap(map(PAGE), PAGE);
}

static char *area;

static void do_write_fault(int i)
{
	area[(size_t)i * PAGE] = 1;
}

static void do_nothing(int i)
{
}

static unsigned long measure(void (*op)(int))
{
	unsigned long start = now();
	int i;

	for (i = 0; i < ROUNDS; i++) {
		op(i);
		asm volatile("" : : : "memory");
	}
	return now() - start;
}

static void report(const char *name, void (*op)(int))
{
	unsigned long empty = measure(do_nothing), took = measure(op);

	printf("%-40s %8lu\n", name, (took - empty + ROUNDS / 2) / ROUNDS);
}

int main(void)
{
	int i;

	/* warm: table pages, caches of objects, the C library */
	for (i = 0; i < 10; i++) {
		do_getppid(i);
		do_mmap_munmap(i);
	}
	/* a page of its own first, so that most faults find their table page there */
	area = map((ROUNDS + 512) * (size_t)PAGE);
	area = (char *)(((unsigned long)area + 511 * PAGE) & -(512UL * PAGE));
	printf("%-40s %8s\n", "operation", "instructions");
	report("getppid", do_getppid);
	report("mmap + munmap, 4 KiB, untouched", do_mmap_munmap);
	report("anonymous write fault", do_write_fault);
	return 0;
}
