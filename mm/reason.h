/* SPDX-License-Identifier: MIT */
/* The one way to say no. */
#ifndef MM_REASON_H
#define MM_REASON_H

#include <mmkit/reason.h>
#include "mm/mm_types.h"
#include "mm/text.h"

/*
 * Refuse a call of the task with -errno `err`: store the reason, count it, keep it for
 * mmk_stats_refusals(). Returns err, so that a refusal reads `return refuse(...)`.
 */
__attribute__((cold)) int refuse(struct mmk_task *task, int err, enum mmk_reason_code code,
				 uint64_t a, uint64_t b);

/* At the entry of each call: what the last one said is no longer true. */
static inline void reason_clear(struct mmk_task *task)
{
	task->reason.code = MMK_REASON_NONE;
}

/* "EINVAL", or the number where there is no name. */
void text_errno(struct text *t, int err);

#endif
