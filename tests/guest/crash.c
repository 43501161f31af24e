/* SPDX-License-Identifier: MIT */
/* crash SIGNAL: dies of SIGSEGV or SIGBUS by an access, of any other signal by raise(). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
	FILE *f = tmpfile();
	volatile char *nowhere = (void *)(long)(argc * 16);

	if (argc < 2 || !f)
		return 1;
	if (!strcmp(argv[1], "SEGV"))
		*nowhere = 1;
	if (!strcmp(argv[1], "BUS"))
		*(volatile char *)mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fileno(f), 0) = 1;
	raise(atoi(argv[1]));
	return 1;
}
