/* SPDX-License-Identifier: MIT */
/* What the parts of the harness share with each other. */
#ifndef MMKIT_TESTS_ABI_HARNESS_H
#define MMKIT_TESTS_ABI_HARNESS_H

#include "../abi.h"

/* A signal that an access raised; sig 0 is none. */
struct caught {
	int sig, code;
	void *addr;
};

const char *error_name(int error);
const char *signal_name(int sig);
/* "SIGSEGV SEGV_MAPERR base+0x1000" into @text. */
void describe_caught(char *text, size_t size, const struct caught *c);

void catch_signals(void);
struct caught try_load(const volatile void *p, unsigned char *byte);

/* What abi_knob() has changed, in memory that parent and children share. */
void knobs_init(void);
void knobs_restore(void);

#endif
