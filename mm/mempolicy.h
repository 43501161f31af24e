/* SPDX-License-Identifier: MIT */
/* Memory policies on a machine of one node: a word says all. See mempolicy.c. */
#ifndef MM_MEMPOLICY_H
#define MM_MEMPOLICY_H

#include "mm/internal.h"
#include "mm/text.h"

/*
 * 0: none. Else the mode in bits 2:0, MPOL_F_* where the ABI has them (15:13), the nodes that
 * get_mempolicy tells in 31:16, and whether a home node was set.
 */
#define POLICY_MODE(p)  ((p)&7u)
#define POLICY_FLAGS(p) ((p)&MMK_MPOL_MODE_FLAGS)
#define POLICY_NODES(p) ((p) >> 16)
#define POLICY_HOME     0x100u

/* As numa_maps has it: "default", "bind=static:0". */
void policy_text(struct text *t, uint32_t policy);

#endif
