/* SPDX-License-Identifier: MIT */
/*
 * /proc/mmkit/check: is the kernel still what it was? The sum of its code and constants against
 * that of the start, two words of its data that nobody writes, and every invariant of the memory
 * system. Tests read it when they have done their worst.
 */
#include "kernel/fs/pseudo.h"
#include "kernel/lib/printk.h"
#include "kernel/sched/grace.h"
#include "kernel/sched/task.h"

extern const u64 _text[], _erodata[];

#define CANARY 0x9d1f5c3b7e2a6840ull

static u64 text_sum;
static volatile u64 canary_data = CANARY, canary_bss[64];

static u64 sum(void)
{
	u64 s = 0;
	const u64 *p;

	for (p = _text; p < _erodata; p++)
		s = (s << 7 | s >> 57) ^ *p;
	return s;
}

void proc_check_init(void)
{
	text_sum = sum();
}

static bool canaries_live(void)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(canary_bss); i++)
		if (canary_bss[i])
			return false;
	return canary_data == CANARY;
}

int proc_show_check(const struct pseudo_ctx *c, struct seq *s)
{
	char why[128] = "";
	unsigned bad;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	grace_drain(); /* what waits to be freed is nobody's any more, but counted still */
	bad = mmk_check(mm_sys, why, sizeof(why));
	seq_printf(s, "text %s\ndata %s\nmemory %s\n", sum() == text_sum ? "ok" : "changed",
	           canaries_live() ? "ok" : "changed", bad ? why : "ok");
	return 0;
}
