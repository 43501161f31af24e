/* SPDX-License-Identifier: MIT */
/*
 * What faults without locks may still be looking at, and so is freed when such looks are over.
 *
 * It goes late, a batch at a time, as on a kernel whose CPUs have to pass through their schedulers first:
 * so whoever goes on using it has the time to do so, and is found out, as nobody may write to what waits.
 */
#include <stdlib.h>
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

static void run_one(struct hosted *h, const struct waiting *w)
{
	if (w->d->next != w->d || w->d->fn != w->fn)
		hosted_violation(h, HOSTED_WAITING,
		                 "what waits at %p was written to: next %p, fn %p instead of %p",
		                 (void *)w->d, (void *)w->d->next, (void *)w->d->fn, (void *)w->fn);
	w->d->fn = w->fn;
	mmk_run_deferred(h->sys, w->d);
}

/* Only looks that began before they came here could find them: so there must be none now. */
void hosted_run_waiting(struct hosted *h)
{
	struct waiting *all = NULL;
	size_t n = 0;

	pthread_mutex_lock(&h->waiting_lock);
	if (!atomic_load(&h->nr_looks)) {
		all = h->waiting;
		n = h->nr_waiting;
		h->waiting = NULL;
		h->nr_waiting = h->room_waiting = 0;
	}
	pthread_mutex_unlock(&h->waiting_lock);
	for (size_t i = 0; i < n; i++)
		run_one(h, &all[i]);
	free(all);
}

/* waiting_lock */
static void make_room(struct hosted *h)
{
	h->room_waiting = 2 * h->room_waiting + BATCH;
	h->waiting = realloc(h->waiting, h->room_waiting * sizeof(*h->waiting));
	if (!h->waiting)
		abort();
}

void hosted_defer(void *ctx, struct mmk_deferred *d)
{
	struct hosted *h = ctx;
	size_t n;

	d->next = d;
	pthread_mutex_lock(&h->waiting_lock);
	if (h->nr_waiting == h->room_waiting)
		make_room(h);
	h->waiting[h->nr_waiting] = (struct waiting){d, d->fn};
	n = ++h->nr_waiting;
	pthread_mutex_unlock(&h->waiting_lock);
	if (n >= BATCH)
		hosted_run_waiting(h);
}
