/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as calls on mmkit in the hosted port, for a fuzzer that watches where they lead. They
 * are the model's steps (tests/model): a byte for what surrounds them, then for each step its row
 * and choices; a row with its highest bit set is followed by nine bytes more, which make one
 * argument wild.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/model/model.h"

#define STEP_BYTES  (1 + MAX_ARGS)
#define TWEAK_BYTES 9
#define WILD        0x80
#define FUZZ_STEPS  64u /* longer ones find nothing more, only later */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct run *run;

static void at_exit(void)
{
	be_end();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (!be_start(&run))
		exit(1);
	atexit(at_exit);
	return 0;
}

static void read_tweak(const uint8_t *bytes, struct tweak *t)
{
	t->arg = bytes[0] % 6;
	memcpy(&t->bits, bytes + 1, sizeof(t->bits));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tweak tweaks[MAX_STEPS];
	static struct sequence q;
	const uint8_t *end = data + size;

	if (!size)
		return 0;
	memset(tweaks, 0, sizeof(tweaks));
	q.mode = *data % NR_MODES;
	q.tweaks = tweaks;
	be_inject((enum inject)(*data / NR_MODES % 4));
	data++;
	for (q.nr = 0; q.nr < FUZZ_STEPS && end - data >= STEP_BYTES; q.nr++) {
		bool wild = *data & WILD;

		step_from_bytes(data, &q.step[q.nr]);
		data += STEP_BYTES;
		if (!wild || end - data < TWEAK_BYTES)
			continue;
		read_tweak(data, &tweaks[q.nr]);
		data += TWEAK_BYTES;
	}
	run->last_only = true;
	run->next = 0;
	run->used = 0;
	be_sequence(run, &q);
	return 0;
}
