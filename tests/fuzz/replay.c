/* SPDX-License-Identifier: MIT */
/* The fuzzer's target without the fuzzer: each file named is tried once. A broken one ends the
 * program. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES 65536

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path)
{
	static uint8_t bytes[MAX_BYTES];
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	size_t n;

	if (!f) {
		perror(path);
		exit(1);
	}
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	fprintf(stderr, "%s\n", name); /* the last one before a crash is the one */
	data = malloc(n);              /* of just that size, so that reading beyond it is seen */
	if (!data)
		exit(1);
	memcpy(data, bytes, n);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	printf("ok fuzz: %s\n", name);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	return 0;
}
