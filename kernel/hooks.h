/* SPDX-License-Identifier: MIT */
/* The hooks on the path of mmap, and what they have counted. */
#ifndef KERNEL_HOOKS_H
#define KERNEL_HOOKS_H

#include <mmkit/mmkit.h>

#include "kernel/lib/types.h"

struct mm_hook_counts {
	u64 audited;     /* mmap calls with a descriptor */
	u64 denied;      /* refused by the write-xor-execute rule */
	u64 mappings;    /* made */
	u64 executable;  /* of these, with PROT_EXEC */
	u64 code_files;  /* mappings of files that may be executed */
	u64 commit_peak; /* largest single request, pages */
	u64 commit_denied;
};

extern const struct mmk_hooks mm_hooks;
extern struct mm_hook_counts mm_hook_counts;

/* Reads the command line: "audit=1", "mmap.wx=deny". */
void mm_hooks_init(void);

#endif
