/* SPDX-License-Identifier: MIT */
/*
 * Errors of writeback, told once to each who had the file open.
 *
 * One word per file counts them: the last errno, how many there have been, and whether anybody has
 * been told of the last. Who opens the file keeps a copy of the word; when he asks, a word that
 * differs from his copy is news. An error that nobody was told of is news for the next opener too,
 * so that none is lost between close and open; he starts from the word of a file without errors.
 *
 * An error that follows one of which nobody was told takes its place: nobody can tell them apart.
 */
#include "mm/internal.h"

#define ERR_MASK 0xfffu
#define TOLD     0x1000u
#define ONE_MORE 0x2000u /* the count: the bits from here up */

void mmk_wb_err_note(uint32_t *word, int err)
{
	uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED), new;

	do {
		new = (old & ~(ERR_MASK | TOLD)) | ((uint32_t)-err & ERR_MASK);
		if (old & TOLD || !old)
			new += ONE_MORE;
	} while (!__atomic_compare_exchange_n(word, &old, new, true, __ATOMIC_ACQ_REL,
	                                      __ATOMIC_RELAXED));
}

uint32_t mmk_wb_err_sample(const uint32_t *word)
{
	uint32_t now = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	return now & TOLD ? now : 0;
}

int mmk_wb_err_tell(uint32_t *word, uint32_t *seen)
{
	uint32_t was = __atomic_load_n(seen, __ATOMIC_RELAXED), now;

	/* Nothing new, as nearly always: no write to what many CPUs read. */
	if ((__atomic_load_n(word, __ATOMIC_ACQUIRE) & ~TOLD) == (was & ~TOLD))
		return 0;
	now = __atomic_or_fetch(word, TOLD, __ATOMIC_ACQ_REL);
	/* Two threads may ask with one description: the one that changes its copy tells. */
	if (!__atomic_compare_exchange_n(seen, &was, now, false, __ATOMIC_ACQ_REL,
	                                 __ATOMIC_RELAXED))
		return 0;
	return -(int)(now & ERR_MASK);
}
