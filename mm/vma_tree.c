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
 *
 * A search from above, which is how mappings are placed, begins where the last one for no more room
 * has ended (full_from): what lies above is full for it as well, unless a hole has come up there.
 */
#include "mm/rbtree.h"

#define NO_ROOM (~0ul)

static inline struct range_node *range_of(const struct rb_node *rb)
{
	return container_of(rb, struct range_node, rb);
}

static inline unsigned long gap_of(const struct rb_node *rb)
{
	return rb ? range_of(rb)->gap : 0;
}

/* What the hole before n counts. */
static inline unsigned long capped_hole(const struct range_node *n)
{
	unsigned long hole = range_hole(n);

	return hole < RANGE_GAP_CAP ? hole : RANGE_GAP_CAP;
}

static inline bool range_augment(struct rb_node *rb)
{
	struct range_node *n = range_of(rb);
	unsigned long gap = capped_hole(n), l = gap_of(rb->left), r = gap_of(rb->right);
	unsigned long was = n->gap;

	if (l > gap)
		gap = l;
	n->gap = r > gap ? r : gap;
	return n->gap != was;
}

static __attribute__((noinline)) void propagate(struct rb_node *rb)
{
	rb_propagate(rb, range_augment);
}

static inline void copy_gap(struct rb_node *to, const struct rb_node *from)
{
	range_of(to)->gap = range_of(from)->gap;
}

static __attribute__((noinline)) void range_rotate(struct rb_root *root, struct rb_node *n, bool left)
{
	rb_rotate(root, n, left, range_augment, copy_gap);
}

static __attribute__((noinline)) void balance_slow(struct rb_root *root, struct rb_node *node)
{
	rb_balance(root, node, range_rotate);
}

static inline void range_balance(struct rb_root *root, struct rb_node *node)
{
	if (!rb_is_balanced(node))
		balance_slow(root, node);
}

static __attribute__((noinline)) void range_erase_fixup(struct rb_root *root, struct rb_node *n,
							struct rb_node *parent)
{
	rb_erase_fixup(root, n, parent, range_rotate);
}

/* Out of the tree; no range's gap is asked until those that change have been told. */
static __attribute__((noinline)) void take_out(struct rb_root *root, struct rb_node *node)
{
	rb_erase(root, node, range_augment, copy_gap, range_erase_fixup);
}

struct range_node *range_search(const struct range_tree *t, unsigned long addr)
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

/* A hole of that size has come up at or below rb. */
static inline void gap_grows(struct rb_node *rb, unsigned long gap)
{
	for (; rb && range_of(rb)->gap < gap; rb = rb_parent(rb))
		range_of(rb)->gap = gap;
}

/* There is more room before n (NULL: behind the last range) than there was. */
static inline void full_no_more(struct range_tree *t, struct range_node *n)
{
	if (likely(!t->full_from))
		return;
	if (!n)
		t->full_from = NULL;
	else if (n->start > t->full_from->start && range_hole(n) >= t->full_len &&
		 n->start - range_hole(n) < t->full_high)
		t->full_from = n;
}

/* Put n in as a leaf between its neighbours, which know each other only. Gaps are not looked at. */
static inline struct rb_node *link_between(struct range_tree *t, struct range_node *n,
					   struct range_node *prev, struct range_node *next)
{
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
	n->prev = prev;
	n->next = next;
	*(prev ? &prev->next : &t->first) = n;
	*(next ? &next->prev : &t->last) = n;
	n->gap = capped_hole(n);
	rb_link(&n->rb, parent, link);
	return parent;
}

/*
 * n, a leaf, is below next in the tree, whose hole it splits: between them gaps can only grow. That of
 * next becomes smaller only if its hole was the largest and what n has left of it is not.
 */
void range_insert_before(struct range_tree *t, struct range_node *n, struct range_node *next)
{
	struct rb_node *parent = link_between(t, n, next ? next->prev : t->last, next);

	gap_grows(parent, n->gap);
	if (next && n->gap < next->gap)
		rb_propagate(&next->rb, range_augment);
	range_balance(&t->root, &n->rb);
	range_note_recent(t, n);
}

void range_insert(struct range_tree *t, struct range_node *n)
{
	range_insert_before(t, n, range_find(t, n->start));
}

void range_append(struct range_tree *t, struct range_node *n)
{
	n->prev = t->last;
	n->next = NULL;
	*(t->last ? &t->last->next : &t->first) = n;
	t->last = n;
}

/*
 * A subtree of the next nr ranges, halved at each level: so only the lowest of all is not full, and
 * what is there (`levels` below) is red.
 */
static struct rb_node *build(struct range_node **next, unsigned long nr, unsigned levels)
{
	unsigned long below = nr / 2, above = nr - below - 1;
	struct rb_node *left = below ? build(next, below, levels - 1) : NULL, *right;
	struct range_node *n = *next;

	*next = n->next;
	right = above ? build(next, above, levels - 1) : NULL;
	n->rb = (struct rb_node){levels ? RB_BLACK : 0, left, right};
	if (left)
		rb_set_parent(left, &n->rb);
	if (right)
		rb_set_parent(right, &n->rb);
	(void)range_augment(&n->rb);
	return &n->rb;
}

void range_build(struct range_tree *t, unsigned long nr)
{
	struct range_node *next = t->first;
	struct rb_node *root;

	if (!nr)
		return;
	root = build(&next, nr, 63u - (unsigned)__builtin_clzl(nr));
	rb_set_black(root);
	/* Who walks down without a lock sees no node before its contents. */
	__atomic_store_n(&t->root.node, root, __ATOMIC_RELEASE);
}

void range_erase(struct range_tree *t, struct range_node *n)
{
	struct range_node *prev = n->prev, *next = n->next;

	if (t->recent == n)
		range_note_recent(t, NULL);
	*(prev ? &prev->next : &t->first) = next;
	*(next ? &next->prev : &t->last) = prev;
	/* First: n's hole becomes next's, and mostly nothing changes above the two. */
	if (next)
		gap_grows(&next->rb, capped_hole(next));
	if (t->full_from == n)
		t->full_from = next;
	full_no_more(t, next);
	take_out(&t->root, &n->rb);
}

/* The hole above a heap is mostly larger than gaps tell, before and after. */
__attribute__((noinline)) void range_resize_end(struct range_tree *t, struct range_node *n,
						unsigned long end)
{
	struct range_node *next = n->next;
	const unsigned long was = n->end;

	n->end = end;
	range_note_recent(t, n);
	if (end < was)
		full_no_more(t, next);
	if (next && next->start - (end > was ? end : was) < RANGE_GAP_CAP)
		propagate(&next->rb);
}

void range_resize(struct range_tree *t, struct range_node *n, unsigned long start,
                  unsigned long end)
{
	if (start != n->start) {
		n->start = start;
		propagate(&n->rb);
		full_no_more(t, n);
	}
	range_resize_end(t, n, end);
}

/* No hole changes here: what comes behind is where it was. */
void range_split(struct range_tree *t, struct range_node *n, struct range_node *tail)
{
	n->end = tail->start;
	link_between(t, tail, n, n->next);
	range_balance(&t->root, &tail->rb);
	range_note_recent(t, tail);
}

void range_absorb(struct range_tree *t, struct range_node *to, struct range_node *gone)
{
	struct range_node *prev = gone->prev, *next = gone->next;

	if (to == prev) {
		to->end = gone->end;
		to->next = next;
		*(next ? &next->prev : &t->last) = to;
	} else {
		to->start = gone->start;
		to->prev = prev;
		*(prev ? &prev->next : &t->first) = to;
		propagate(&to->rb);
	}
	take_out(&t->root, &gone->rb);
	if (t->full_from == gone)
		t->full_from = to;
	range_note_recent(t, to);
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
			up = rb_parent(rb);
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
		up = rb_parent(rb);
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

__cold unsigned long range_find_lowest(const struct range_tree *t, unsigned long len, unsigned long low,
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

static inline unsigned long fit_before(const struct range_node *n, unsigned long len,
				       unsigned long low, unsigned long high)
{
	return fit_top(n->start - range_hole(n), n->start, len, low, high);
}

/* The hole before *next, or before a lower one where that is too small, as all above it are. */
static unsigned long fit_at_or_below(struct range_node **next, unsigned long len, unsigned long low,
				     unsigned long high)
{
	unsigned long at = fit_before(*next, len, low, high);

	if (at != NO_ROOM)
		return at;
	*next = prev_with_hole(*next, len);
	return *next ? fit_before(*next, len, low, high) : NO_ROOM;
}

/* The first range that is not wholly below high, or one below between which and high no room is. */
static struct range_node *search_from(const struct range_tree *t, unsigned long len,
				      unsigned long high)
{
	if (t->full_from && len >= t->full_len && high == t->full_high &&
	    t->full_from->start <= high)
		return t->full_from;
	return range_search(t, high - 1);
}

static __attribute__((noinline)) unsigned long
find_highest_slow(struct range_tree *t, unsigned long len, unsigned long low, unsigned long high,
		  struct range_node **next)
{
	unsigned long at;

	*next = search_from(t, len, high);
	if (!*next) { /* nothing there or above: behind the last */
		at = fit_top(t->last ? t->last->end : 0, high, len, low, high);
		if (at != NO_ROOM || !t->last)
			return at;
		*next = t->last;
	}
	at = fit_at_or_below(next, len, low, high);
	if (at != NO_ROOM) { /* otherwise there may be room below low */
		t->full_from = *next;
		t->full_len = len;
		t->full_high = high;
	}
	return at;
}

unsigned long range_find_highest(struct range_tree *t, unsigned long len, unsigned long low,
                                 unsigned long high, struct range_node **next)
{
	struct range_node *n = t->full_from;
	unsigned long at;

	if (likely(n && len >= t->full_len && high == t->full_high)) {
		at = fit_before(n, len, low, high);
		if (likely(at != NO_ROOM)) {
			*next = n;
			return at;
		}
	}
	return find_highest_slow(t, len, low, high, next);
}
