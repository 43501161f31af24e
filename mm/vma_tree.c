/* SPDX-License-Identifier: MIT */
/*
 * The index of an address space: disjoint ranges in a red-black tree, each linked with its
 * neighbours, and the holes between them.
 *
 * Each node knows the largest hole of its subtree (`gap`), so a search for room skips whole
 * subtrees. Inserting, erasing or resizing changes at most two holes: the range's own and its
 * successor's. The largest hole of all, between program and mappings, would change a gap on every
 * level with every mapping; so holes count as RANGE_GAP_CAP at most, and the rare search for more
 * than that walks the ranges one by one.
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

static bool range_augment(struct rb_node *rb)
{
	struct range_node *n = range_of(rb);
	unsigned long gap = range_hole(n), l = gap_of(rb->left), r = gap_of(rb->right);
	unsigned long was = n->gap;

	if (gap > RANGE_GAP_CAP)
		gap = RANGE_GAP_CAP;
	if (l > gap)
		gap = l;
	n->gap = r > gap ? r : gap;
	return n->gap != was;
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

static void link_neighbours(struct range_tree *t, struct range_node *n, struct range_node *prev,
			    struct range_node *next)
{
	n->prev = prev;
	n->next = next;
	*(prev ? &prev->next : &t->first) = n;
	*(next ? &next->prev : &t->last) = n;
}

void range_insert_before(struct range_tree *t, struct range_node *n, struct range_node *next)
{
	struct range_node *prev = next ? next->prev : t->last;
	struct rb_node *parent, **link;

	/* Of two neighbours the lower one has no right child, or the upper one no left child. */
	if (next && !next->rb.left) {
		parent = &next->rb;
		link = &parent->left;
	} else if (prev) {
		parent = &prev->rb;
		link = &parent->right;
	} else {
		parent = NULL;
		link = &t->root.node;
	}
	link_neighbours(t, n, prev, next);
	rb_link(&n->rb, parent, link, range_augment);
	if (next && parent != &next->rb)
		rb_propagate(&next->rb, range_augment);
	rb_balance(&t->root, &n->rb, range_augment);
}

void range_insert(struct range_tree *t, struct range_node *n)
{
	range_insert_before(t, n, range_find(t, n->start));
}

void range_erase(struct range_tree *t, struct range_node *n)
{
	struct range_node *prev = n->prev, *next = n->next;

	*(prev ? &prev->next : &t->first) = next;
	*(next ? &next->prev : &t->last) = prev;
	/* First: n's hole becomes next's, and mostly nothing changes above the two. */
	if (next)
		rb_propagate(&next->rb, range_augment);
	rb_erase(&t->root, &n->rb, range_augment);
}

void range_resize(struct range_tree *t, struct range_node *n, unsigned long start,
                  unsigned long end)
{
	if (start != n->start) {
		n->start = start;
		rb_propagate(&n->rb, range_augment);
	}
	if (end != n->end) {
		n->end = end;
		if (n->next)
			rb_propagate(&n->next->rb, range_augment);
	}
}

/* The next range after n (in this direction) with at least len bytes free before it, or NULL. */
static struct range_node *next_with_hole(struct range_node *n, unsigned long len)
{
	struct rb_node *rb = &n->rb, *up;

	if (unlikely(len > RANGE_GAP_CAP)) {
		do
			n = n->next;
		while (n && range_hole(n) < len);
		return n;
	}
	if (gap_of(rb->right) < len) {
		/* Up to the first ancestor that we are left of and that has something. */
		for (;;) {
			up = (struct rb_node *)(rb->parent_color & ~1ul);
			if (!up)
				return NULL;
			if (up->left == rb) {
				if (range_hole(range_of(up)) >= len)
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
		else if (range_hole(range_of(rb)) >= len)
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
		else if (range_hole(range_of(rb)) >= len)
			return range_of(rb);
		else
			rb = rb->left;
	}
}

/* The last range before n with at least len bytes free before it, or NULL. */
static struct range_node *prev_with_hole(struct range_node *n, unsigned long len)
{
	struct rb_node *rb = &n->rb, *up;

	if (unlikely(len > RANGE_GAP_CAP)) {
		do
			n = n->prev;
		while (n && range_hole(n) < len);
		return n;
	}
	if (gap_of(rb->left) >= len)
		return highest_with_hole(rb->left, len);
	for (;; rb = up) {
		up = (struct rb_node *)(rb->parent_color & ~1ul);
		if (!up)
			return NULL;
		if (up->right != rb)
			continue;
		if (range_hole(range_of(up)) >= len)
			return range_of(up);
		if (gap_of(up->left) >= len)
			return highest_with_hole(up->left, len);
	}
}

static unsigned long find_lowest(const struct range_tree *t, unsigned long len, unsigned long low,
                                 unsigned long high, struct range_node **next)
{
	struct range_node *n = range_find(t, low);
	unsigned long at = low;

	/* The hole that low lies in, if it does, then whole ones. */
	if (n && (n->start < low || n->start - low < len)) {
		n = next_with_hole(n, len);
		at = n ? n->start - range_hole(n) : t->last->end;
	}
	*next = n;
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
                                  unsigned long high, struct range_node **next)
{
	struct range_node *n = range_find(t, high - 1), *last = NULL;
	unsigned long at;

	/* The hole that high lies in or ends, then whole ones. */
	*next = n;
	if (n) {
		at = fit_top(n->start - range_hole(n), n->start, len, low, high);
	} else {
		last = t->last;
		at = fit_top(last ? last->end : 0, high, len, low, high);
	}
	if (at != NO_ROOM || (!n && !last))
		return at;
	if (!n && range_hole(last) >= len)
		n = last;
	else
		n = prev_with_hole(n ? n : last, len);
	*next = n;
	return n ? fit_top(n->start - range_hole(n), n->start, len, low, high) : NO_ROOM;
}

unsigned long range_find_gap(const struct range_tree *t, unsigned long len, unsigned long low,
                             unsigned long high, bool top_down, struct range_node **next)
{
	if (!len || low >= high || len > high - low)
		return NO_ROOM;
	return top_down ? find_highest(t, len, low, high, next) :
			  find_lowest(t, len, low, high, next);
}
