/* SPDX-License-Identifier: MIT */
/*
 * Failure under the model. In turn: a call is made again and again, its first allocation (or
 * transfer) failed, then its second, and so on, until none of its own is left to fail; only then it
 * counts. What was refused must have left everything as it was, so that at the end all is as on a
 * Linux on which nothing has failed. At random: any of them fails; nothing breaks, and nothing is
 * lost.
 */
#include <stdio.h>
#include <string.h>
#include "tests/model/hosted.h"

#define DICE 12 /* one in so many */

struct state {
	uint64_t hash;
	struct mmk_mm_stats stats;
};

static enum inject injecting;
static uint64_t dice;

void be_inject(enum inject how)
{
	injecting = how;
}

static void fail_nth(uint64_t nth)
{
	if (injecting == INJECT_ALLOC)
		hosted_fail_alloc(machine, HOSTED_ANY_SITE, nth, false);
	else
		hosted_fail_io(machine, nth, HOSTED_IO_EIO);
}

static uint64_t count(void)
{
	return injecting == INJECT_ALLOC ? hosted_nr_allocs(machine) : hosted_nr_ios(machine);
}

static void inject_pause(bool pause)
{
	if (injecting == INJECT_DICE)
		hosted_fail_alloc_random(machine, HOSTED_ANY_SITE, dice++ * 0x9e3779b97f4a7c15ull,
		                         pause ? 0 : DICE);
}

/* ---- the state of a program, without a trace of looking ---- */

static void hash_bytes(uint64_t *hash, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	while (n--)
		*hash = (*hash ^ *at++) * 0x100000001b3ull;
}

static void take_state(struct state *s)
{
	struct mmk_task *t = current_task();
	uint64_t pos = 0, entries[LOOK_PAGES];
	char text[8192];
	long n;

	memset(s, 0, sizeof(*s));
	while ((n = mmk_proc_maps(t, t->mm, &pos, text, sizeof(text))) > 0)
		hash_bytes(&s->hash, text, (size_t)n);
	n = mmk_proc_pagemap(t->mm, (BASE / PAGE_BYTES - LOOK_BELOW) * sizeof(entries[0]), entries,
	                     sizeof(entries), true);
	if (n > 0)
		hash_bytes(&s->hash, entries, (size_t)n);
	mmk_mm_stats(t->mm, &s->stats);
	s->stats.hiwater_rss = s->stats.hiwater_vm = 0; /* a peak stays where it is */
	s->stats.pgtables_bytes = s->stats.min_flt = s->stats.maj_flt = 0;
}

static void same_state(const struct state *before)
{
	struct state now;

	take_state(&now);
	if (memcmp(before, &now, sizeof(now)))
		broken("a refused call has left something behind");
}

/* ---- calls ---- */

/* All or nothing; others may have done a part, and faults may have brought pages in. */
static bool is_whole(const struct call *c)
{
	switch (c->nr) {
	case CALL_MMAP:
	case CALL_MUNMAP:
	case CALL_MREMAP:
	case CALL_BRK:
	case CALL_FORK:
		return true;
	default:
		return false;
	}
}

static bool has_failed(const struct call *c, long result)
{
	if (c->nr == CALL_BRK)
		return result != c->arg[0];
	if (c->nr == CALL_LOAD || c->nr == CALL_STORE)
		return result != 0;
	if (c->nr == CALL_PWRITE) /* a part is a success */
		return result != c->arg[3];
	return result < 0;
}

static long call_in_turn(const struct call *c, uint8_t *byte)
{
	struct state before;
	uint64_t from;
	uint8_t value = byte ? *byte : 0;
	bool hit;
	long result;

	if (is_whole(c))
		take_state(&before);
	for (uint64_t nth = 1;; nth++) {
		if (byte)
			*byte = value;
		from = count();
		fail_nth(nth);
		result = plain_call(c, byte);
		hit = count() - from >= nth;
		fail_nth(0);
		if (!hit || !has_failed(c, result))
			return result;
		if (is_whole(c))
			same_state(&before);
	}
}

long inject_call(const struct call *c, uint8_t *byte)
{
	struct state before;
	long result;

	if (injecting == INJECT_NONE)
		return plain_call(c, byte);
	if (injecting != INJECT_DICE)
		return call_in_turn(c, byte);
	if (is_whole(c))
		take_state(&before);
	inject_pause(false);
	result = plain_call(c, byte);
	inject_pause(true);
	if (is_whole(c) && has_failed(c, result))
		same_state(&before);
	return result;
}
