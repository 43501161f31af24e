/* SPDX-License-Identifier: MIT */
/* Failure on purpose: of the nth allocation or I/O, or of some at random, in a way that repeats. */
#include "port/hosted/internal.h"

void hosted_fail_alloc(struct hosted *h, int site, uint64_t nth, bool on)
{
	pthread_mutex_lock(&h->inject_lock);
	h->alloc = (struct injector){.site = site, .nth = nth, .on = on};
	pthread_mutex_unlock(&h->inject_lock);
}

void hosted_fail_alloc_random(struct hosted *h, int site, uint64_t seed, uint64_t one_in)
{
	pthread_mutex_lock(&h->inject_lock);
	h->alloc = (struct injector){.site = site, .one_in = one_in, .state = seed};
	pthread_mutex_unlock(&h->inject_lock);
}

void hosted_fail_io(struct hosted *h, uint64_t nth, enum hosted_io_failure how)
{
	pthread_mutex_lock(&h->inject_lock);
	h->io_nth = nth;
	h->io_how = how;
	pthread_mutex_unlock(&h->inject_lock);
}

uint64_t hosted_nr_allocs(struct hosted *h)
{
	uint64_t n;

	pthread_mutex_lock(&h->inject_lock);
	n = h->nr_allocs;
	pthread_mutex_unlock(&h->inject_lock);
	return n;
}

uint64_t hosted_nr_ios(struct hosted *h)
{
	uint64_t n;

	pthread_mutex_lock(&h->inject_lock);
	n = h->nr_ios;
	pthread_mutex_unlock(&h->inject_lock);
	return n;
}

static bool decide(struct injector *a)
{
	if (a->one_in)
		return hosted_next_random(&a->state) % a->one_in == 0;
	if (a->nth && --a->nth == 0) {
		a->failing = a->on;
		return true;
	}
	return a->failing;
}

bool hosted_should_fail(void *ctx, enum mmk_fail_site site)
{
	struct hosted *h = ctx;
	bool fail = false;

	pthread_mutex_lock(&h->inject_lock);
	h->nr_allocs++;
	if (h->alloc.site == HOSTED_ANY_SITE || h->alloc.site == (int)site)
		fail = decide(&h->alloc);
	pthread_mutex_unlock(&h->inject_lock);
	return fail;
}

int64_t hosted_io_allowed(struct hosted *h, int64_t bytes)
{
	bool hit = false;

	pthread_mutex_lock(&h->inject_lock);
	h->nr_ios++;
	if (h->io_nth && --h->io_nth == 0)
		hit = true;
	pthread_mutex_unlock(&h->inject_lock);
	if (!hit)
		return bytes;
	if (h->io_how == HOSTED_IO_ENOSPC)
		return -MMK_ENOSPC;
	return h->io_how == HOSTED_IO_SHORT && bytes > 1 ? bytes / 2 : -MMK_EIO;
}
