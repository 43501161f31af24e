/* SPDX-License-Identifier: MIT */
/*
 * What a few calls and faults take by the virtual counter, which with QEMU's -icount counts
 * instructions: the least of many rounds, each much shorter than the time between two ticks. So
 * neither a tick nor what the host sends is in it. The counter goes on by one in 16 ns: rounds
 * begin at all distances from that, or the least would be one more or less.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define ROUNDS 1000
#define BYTES  (4ul * 4096)

static unsigned long counter(void)
{
	unsigned long n;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(n)::"memory");
	return n;
}

static void pass(int instructions)
{
	while (instructions--)
		__asm__ volatile("nop");
}

static int one_round(void)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	memset(p, 1, BYTES);
	return mprotect(p, BYTES / 2, PROT_READ) || munmap(p, BYTES);
}

int main(void)
{
	unsigned long least = ~0ul, began, took;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		pass(i * 7 % 64);
		began = counter();
		if (one_round())
			return 1;
		took = counter() - began;
		least = took < least ? took : least;
	}
	printf("%lu\n", least);
	return 0;
}
