/* SPDX-License-Identifier: MIT */
/*
 * What faults without locks may still be looking at, and so is freed when such looks are over.
 *
 * It goes late, a batch at a time, as on a kernel whose CPUs have to pass through their schedulers first:
 * so whoever goes on using it has the time to do so, and is found out, as nobody may write to what waits.
 */
#include <stdlib.h>
#include <string.h>
#include "port/hosted/internal.h"

#define BATCH 64u

struct waiting {
	struct mmk_deferred *d;
	void (*fn)(struct mmk_system *sys, struct mmk_deferred *d);
};

void hosted_look_begin(void *ctx)
{
	struct hosted *h = ctx;

	atomic_fetch_add(&h->nr_looks, 1);
}

void hosted_look_end(void *ctx)
{
	struct hosted *h = ctx;

	atomic_fetch_sub(&h->nr_looks, 1);
}

/* Behind those that wait already; waiting_lock. How many there are now. */
static size_t add(struct hosted *h, const struct waiting *w, size_t n)
{
	if (h->nr_waiting + n > h->room_waiting) {
		h->room_waiting = 2 * (h->nr_waiting + n);
		h->waiting = realloc(h->waiting, h->room_waiting * sizeof(*w));
		if (!h->waiting)
			abort();
	}
	memcpy(h->waiting + h->nr_waiting, w, n * sizeof(*w));
	h->nr_waiting += n;
	return h->nr_waiting;
}

/* All of them; the caller frees the array. */
static struct waiting *take(struct hosted *h, size_t *n)
{
	struct waiting *all;

	pthread_mutex_lock(&h->waiting_lock);
	all = h->waiting;
	*n = h->nr_waiting;
	h->waiting = NULL;
	h->nr_waiting = h->room_waiting = 0;
	pthread_mutex_unlock(&h->waiting_lock);
	return all;
}

static void run_one(struct hosted *h, const struct waiting *w)
{
	if (w->d->next != w->d || w->d->fn != w->fn)
		hosted_violation(h, HOSTED_WAITING,
		                 "what waits at %p was written to: next %p, fn %p instead of %p",
		                 (void *)w->d, (void *)w->d->next, (void *)w->d->fn, (void *)w->fn);
	w->d->fn = w->fn;
	mmk_run_deferred(h->sys, w->d);
}

/* Only looks that began before they were taken could find them; so is there any? */
void hosted_run_waiting(struct hosted *h)
{
	size_t n;
	struct waiting *all = take(h, &n);

	if (n && atomic_load(&h->nr_looks)) {
		pthread_mutex_lock(&h->waiting_lock);
		(void)add(h, all, n);
		pthread_mutex_unlock(&h->waiting_lock);
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		run_one(h, &all[i]);
	free(all);
}

void hosted_defer(void *ctx, struct mmk_deferred *d)
{
	struct hosted *h = ctx;
	struct waiting w = {d, d->fn};
	size_t n;

	d->next = d;
	pthread_mutex_lock(&h->waiting_lock);
	n = add(h, &w, 1);
	pthread_mutex_unlock(&h->waiting_lock);
	if (n >= BATCH)
		hosted_run_waiting(h);
}
