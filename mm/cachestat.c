/* SPDX-License-Identifier: MIT */
/* What is cached of a file: cachestat(2). */
#include "mm/internal.h"
#include "mm/cache.h"

/* Pages looked at before the lock is let go for a moment. */
#define CACHESTAT_BATCH 256u

static void count_page(const struct page *page, struct mmk_cachestat *s)
{
	s->cached++;
	s->dirty += page_test(page, PG_DIRTY);
	s->writeback += page_test(page, PG_WRITEBACK);
}

void mmk_mapping_cachestat(struct mmk_mapping *m, uint64_t first, uint64_t last,
                           struct mmk_cachestat *s)
{
	bool more = first <= last;

	*s = (struct mmk_cachestat){0};
	while (more) {
		uint64_t at = 0;

		i_pages_lock(m);
		for (unsigned n = 0; more && n < CACHESTAT_BATCH; n++) {
			struct page *page = radix_next(m->i_pages, first, last, false, &at);

			if (page)
				count_page(page, s);
			more = page && at < last;
			first = at + 1;
		}
		i_pages_unlock(m);
	}
}
