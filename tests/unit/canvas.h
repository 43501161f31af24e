/* SPDX-License-Identifier: MIT */
/*
 * A window of pages at a fixed place, for tests that draw maps: 'A' is the first VMA seen, 'B' the
 * next, '.' a hole; and a check that a refusal has its errno and its reason.
 */
#ifndef TESTS_UNIT_CANVAS_H
#define TESTS_UNIT_CANVAS_H

#include <mmkit/reason.h>
#include "tests/unit/harness.h"

#define BASE              0x10000000ul
#define at(n)             (BASE + (n)*PAGE)
#define drawn(w, picture) assert_string_equal(world_draw(w, BASE, strlen(picture)), picture)
#define refusal(w, call, error, why)                                                               \
	do {                                                                                       \
		assert_int_equal(call, -(error));                                                  \
		assert_int_equal((w)->task.reason.code, why);                                      \
		assert_int_equal((w)->task.reason.err, -(error));                                  \
	} while (0)

/* Private anonymous memory on the canvas. */
static inline void put(struct world *w, unsigned page, unsigned pages, unsigned long prot)
{
	assert_int_equal(w_mmap(w, at(page), pages * PAGE, prot, ANON_PRIVATE | FIXED, -1, 0),
	                 at(page));
}

#endif
