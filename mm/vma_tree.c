/* SPDX-License-Identifier: MIT */
/*
 * The index of an address space: disjoint ranges in a red-black tree, and the holes between them.
 *
 * Each range knows the hole before it (`hole`) and the largest one of its subtree (`gap`), so a
 * search for room skips whole subtrees. Inserting, erasing or resizing changes at most two holes:
 * the range's own and its successor's.
 */
#include "mm/internal.h"

#define NO_ROOM (~0ul)

static struct range_node *range_of(const struct rb_node *rb)
{
	return rb ? container_of(rb, struct range_node, rb) : NULL;
}

static unsigned long gap_of(const struct rb_node *rb)
{
	return rb ? range_of(rb)->gap : 0;
}

static void range_augment(struct rb_node *rb)
{
	struct range_node *n = range_of(rb);
	unsigned long gap = n->hole, l = gap_of(rb->left), r = gap_of(rb->right);

	if (l > gap)
		gap = l;
	n->gap = r > gap ? r : gap;
}

static void set_hole(struct range_node *n, const struct range_node *prev)
{
	n->hole = n->start - (prev ? prev->end : 0);
}

struct range_node *range_next(const struct range_node *n)
{
	return range_of(rb_next(&n->rb));
}

struct range_node *range_prev(const struct range_node *n)
{
	return range_of(rb_prev(&n->rb));
}

struct range_node *range_first(const struct range_tree *t)
{
	return range_of(rb_first(&t->root));
}

struct range_node *range_find(const struct range_tree *t, unsigned long addr)
{
	struct rb_node *rb = t->root.node;
	struct range_node *best = NULL;

	while (rb) {
		struct range_node *n = range_of(rb);

		if (n->end <= addr) {
			rb = rb->right;
			continue;
		}
		best = n;
		if (n->start <= addr)
			break;
		rb = rb->left;
	}
	return best;
}

void range_insert(struct range_tree *t, struct range_node *n)
{
	struct rb_node **link = &t->root.node, *parent = NULL;
	struct range_node *prev = NULL, *next = NULL;

	while (*link) {
		parent = *link;
		if (n->start < range_of(parent)->start) {
			next = range_of(parent);
			link = &parent->left;
		} else {
			prev = range_of(parent);
			link = &parent->right;
		}
	}
	set_hole(n, prev);
	if (next)
		set_hole(next, n); /* an ancestor of n: rb_insert comes by */
	rb_insert(&t->root, &n->rb, parent, link, range_augment);
}

void range_erase(struct range_tree *t, struct range_node *n)
{
	struct range_node *next = range_next(n);

	if (next)
		next->hole = next->start - (n->start - n->hole);
	rb_erase(&t->root, &n->rb, range_augment);
	if (next)
		rb_propagate(&next->rb, range_augment);
}

/* n's hole changed and nothing else in the tree: tell those above, as far up as it makes a difference. */
static void update_gap(struct range_node *n)
{
	struct rb_node *rb = &n->rb;

	while (rb) {
		unsigned long old = gap_of(rb);

		range_augment(rb);
		if (gap_of(rb) == old)
			break;
		rb = (struct rb_node *)(rb->parent_color & ~1ul);
	}
}

void range_resize(struct range_tree *t, struct range_node *n, unsigned long start,
                  unsigned long end)
{
	struct range_node *next;

	if (start != n->start) {
		n->hole += start - n->start;
		n->start = start;
		update_gap(n);
	}
	if (end != n->end) {
		n->end = end;
		next = range_next(n);
		if (next) {
			set_hole(next, n);
			update_gap(next);
		}
	}
}

/* The next range after n (in this direction) with at least len bytes free before it, or NULL. */
static struct range_node *next_with_hole(struct range_node *n, unsigned long len)
{
	struct rb_node *rb = &n->rb, *up;

	if (gap_of(rb->right) < len) {
		/* Up to the first ancestor that we are left of and that has something. */
		for (;;) {
			up = (struct rb_node *)(rb->parent_color & ~1ul);
			if (!up)
				return NULL;
			if (up->left == rb) {
				if (range_of(up)->hole >= len)
					return range_of(up);
				if (gap_of(up->right) >= len) {
					rb = up;
					break;
				}
			}
			rb = up;
		}
	}
	rb = rb->right;
	for (;;) {
		if (gap_of(rb->left) >= len)
			rb = rb->left;
		else if (range_of(rb)->hole >= len)
			return range_of(rb);
		else
			rb = rb->right;
	}
}

static struct range_node *highest_with_hole(struct rb_node *rb, unsigned long len)
{
	for (;;) {
		if (gap_of(rb->right) >= len)
			rb = rb->right;
		else if (range_of(rb)->hole >= len)
			return range_of(rb);
		else
			rb = rb->left;
	}
}

/* The last range before n with at least len bytes free before it, or NULL. */
static struct range_node *prev_with_hole(struct range_node *n, unsigned long len)
{
	struct rb_node *rb = &n->rb, *up;

	if (gap_of(rb->left) >= len)
		return highest_with_hole(rb->left, len);
	for (;; rb = up) {
		up = (struct rb_node *)(rb->parent_color & ~1ul);
		if (!up)
			return NULL;
		if (up->right != rb)
			continue;
		if (range_of(up)->hole >= len)
			return range_of(up);
		if (gap_of(up->left) >= len)
			return highest_with_hole(up->left, len);
	}
}

static unsigned long find_lowest(const struct range_tree *t, unsigned long len, unsigned long low,
                                 unsigned long high)
{
	struct range_node *n = range_find(t, low);
	unsigned long at = low;

	/* The hole that low lies in, if it does, then whole ones. */
	if (n && (n->start < low || n->start - low < len)) {
		struct range_node *m = next_with_hole(n, len);

		at = m ? m->start - m->hole : range_of(rb_last(&t->root))->end;
	}
	return at <= high - len ? at : NO_ROOM;
}

/* The highest place in [start, end) of a hole, cut to [low, high). */
static unsigned long fit_top(unsigned long start, unsigned long end, unsigned long len,
                             unsigned long low, unsigned long high)
{
	if (start < low)
		start = low;
	if (end > high)
		end = high;
	return end > start && end - start >= len ? end - len : NO_ROOM;
}

static unsigned long find_highest(const struct range_tree *t, unsigned long len, unsigned long low,
                                  unsigned long high)
{
	struct range_node *n = range_find(t, high - 1), *last = NULL;
	unsigned long at;

	/* The hole that high lies in or ends, then whole ones. */
	if (n) {
		at = fit_top(n->start - n->hole, n->start, len, low, high);
	} else {
		last = range_of(rb_last(&t->root));
		at = fit_top(last ? last->end : 0, high, len, low, high);
	}
	if (at != NO_ROOM || (!n && !last))
		return at;
	if (!n && last->hole >= len)
		n = last;
	else
		n = prev_with_hole(n ? n : last, len);
	return n ? fit_top(n->start - n->hole, n->start, len, low, high) : NO_ROOM;
}

unsigned long range_find_gap(const struct range_tree *t, unsigned long len, unsigned long low,
                             unsigned long high, bool top_down)
{
	if (!len || low >= high || len > high - low)
		return NO_ROOM;
	return top_down ? find_highest(t, len, low, high) : find_lowest(t, len, low, high);
}
