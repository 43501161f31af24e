/* SPDX-License-Identifier: MIT */
/*
 * The trees of the core against arrays that do the same in the dullest way: ranges and their holes,
 * intervals of a file's VMAs, the radix tree of pages. All random, from a seed that a failure
 * prints.
 */
#include "mm/internal.h"
#include "mm/cache.h"
#include "harness.h"

static uint64_t seed;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % below;
}

/* ---- red-black rules ---- */

/* Black height of the subtree; fails where a rule does not hold. */
static int check_rb(const struct rb_node *n, const struct rb_node *parent)
{
	bool black;
	int l, r;

	if (!n)
		return 1;
	black = n->parent_color & 1;
	assert_ptr_equal((void *)(n->parent_color & ~1ul), parent);
	if (!black && parent)
		assert_true(parent->parent_color & 1);
	l = check_rb(n->left, n);
	r = check_rb(n->right, n);
	assert_int_equal(l, r);
	return l + black;
}

static void check_root(const struct rb_root *root)
{
	check_rb(root->node, NULL);
	if (root->node)
		assert_true(root->node->parent_color & 1);
}

/* ---- ranges: SLOTS units of address space, each one free or of one range ---- */

#define SLOTS      64
#define UNIT_BYTES 4096ul

struct model {
	struct range_tree tree;
	struct range_node nodes[SLOTS]; /* node i: the range that begins at slot i */
	int owner[SLOTS];               /* first slot of the range, -1: free */
};

static unsigned long model_gap(const struct model *md, unsigned n, unsigned low, unsigned high,
                               bool top)
{
	for (unsigned k = 0; k + n <= high - low; k++) {
		unsigned at = top ? high - n - k : low + k, i;

		for (i = at; i < at + n && md->owner[i] < 0; i++)
			;
		if (i == at + n)
			return at * UNIT_BYTES;
	}
	return ~0ul;
}

/* The largest hole of each subtree, computed anew. */
static unsigned long check_gaps(const struct rb_node *rb)
{
	const struct range_node *n = (const struct range_node *)rb;
	unsigned long gap, below;

	if (!rb)
		return 0;
	gap = range_hole(n);
	below = check_gaps(rb->left);
	gap = below > gap ? below : gap;
	below = check_gaps(rb->right);
	gap = below > gap ? below : gap;
	assert_int_equal(n->gap, gap);
	return gap;
}

/* What the index remembers of its searches from above: no such place is there. */
static void check_full(const struct model *md)
{
	const struct range_tree *t = &md->tree;

	if (t->full_from && t->full_from->start < t->full_high)
		assert_int_equal(model_gap(md, (unsigned)(t->full_len / UNIT_BYTES),
					   (unsigned)(t->full_from->start / UNIT_BYTES),
					   (unsigned)(t->full_high / UNIT_BYTES), true),
				 ~0ul);
}

static void model_check(struct model *md)
{
	struct range_node *n = range_first(&md->tree), *prev = NULL;

	check_root(&md->tree.root);
	check_gaps(md->tree.root.node);
	check_full(md);
	for (int i = 0; i < SLOTS; i++) {
		struct range_node *found = range_find(&md->tree, i * UNIT_BYTES);
		int j = i;

		while (j < SLOTS && md->owner[j] < 0)
			j++;
		assert_ptr_equal(found, j < SLOTS ? &md->nodes[md->owner[j]] : NULL);
		if (md->owner[i] != i)
			continue;
		assert_ptr_equal(n, &md->nodes[i]);
		assert_int_equal(range_hole(n), n->start - (prev ? prev->end : 0));
		assert_ptr_equal(range_prev(n), prev);
		prev = n;
		n = range_next(n);
	}
	assert_null(n);
}

static void model_toggle(struct model *md)
{
	int at = (int)rnd(SLOTS), len = 1 + (int)rnd(4), n = 0;

	if (md->owner[at] >= 0) {
		int first = md->owner[at];

		range_erase(&md->tree, &md->nodes[first]);
		for (int i = first; i < SLOTS && md->owner[i] == first; i++)
			md->owner[i] = -1;
		return;
	}
	while (n < len && at + n < SLOTS && md->owner[at + n] < 0)
		md->owner[at + n++] = at;
	md->nodes[at].start = at * UNIT_BYTES;
	md->nodes[at].end = (at + n) * UNIT_BYTES;
	range_insert(&md->tree, &md->nodes[at]);
}

/* Let a range end one slot earlier or later. */
static void model_resize(struct model *md)
{
	int at = (int)rnd(SLOTS), first = md->owner[at], end;

	if (first < 0)
		return;
	end = (int)(md->nodes[first].end / UNIT_BYTES);
	if (rnd(2) && end < SLOTS && md->owner[end] < 0)
		md->owner[end++] = first;
	else if (end - first > 1)
		md->owner[--end] = -1;
	if (rnd(2))
		range_resize(&md->tree, &md->nodes[first], first * UNIT_BYTES, end * UNIT_BYTES);
	else
		range_resize_end(&md->tree, &md->nodes[first], end * UNIT_BYTES);
}

static void model_give(struct model *md, int from, int to, int owner)
{
	for (int i = from; i < to; i++)
		md->owner[i] = owner;
}

/* Cut a range in two, or make one of two that touch. */
static void model_cut_or_join(struct model *md)
{
	int at = (int)rnd(SLOTS), first = md->owner[at], end;
	struct range_node *n, *next;

	if (first < 0)
		return;
	n = &md->nodes[first];
	next = range_next(n);
	end = (int)(n->end / UNIT_BYTES);
	if (at > first) {
		md->nodes[at].start = at * UNIT_BYTES;
		md->nodes[at].end = n->end;
		range_split(&md->tree, n, &md->nodes[at]);
		model_give(md, at, end, at);
	} else if (next && next->start == n->end) {
		model_give(md, end, (int)(next->end / UNIT_BYTES), first);
		if (rnd(2)) {
			range_absorb(&md->tree, n, next);
			return;
		}
		/* The upper one takes over; then the model wants it to be the node of its slot. */
		range_absorb(&md->tree, next, n);
		assert_int_equal(next->start, first * UNIT_BYTES);
		range_erase(&md->tree, next);
		n->end = next->end;
		range_insert(&md->tree, n);
	}
}

static void ranges_and_gaps_match_an_array(void **state)
{
	struct model *md = calloc(1, sizeof(*md));
	struct range_node *next;

	seed = 12345;
	for (int i = 0; i < SLOTS; i++)
		md->owner[i] = -1;
	for (int step = 0; step < 20000; step++) {
		unsigned n = 1 + (unsigned)rnd(6), low = (unsigned)rnd(SLOTS);
		unsigned high = low + 1 + (unsigned)rnd(SLOTS - low);

		/* Mostly as an address space is searched: what the last search found out may serve. */
		if (rnd(4))
			high = SLOTS - 4;
		if (low >= high)
			low = high / 2;
		switch (rnd(4)) {
		case 0:
			model_resize(md);
			break;
		case 1:
			model_cut_or_join(md);
			break;
		default:
			model_toggle(md);
		}
		model_check(md);
		for (int top = 0; top < 2; top++) {
			unsigned long at =
			    high - low < n ? ~0ul :
			    top            ? range_find_highest(&md->tree, n * UNIT_BYTES,
			                                        low * UNIT_BYTES,
			                                        high * UNIT_BYTES, &next) :
			                     range_find_lowest(&md->tree, n * UNIT_BYTES,
			                                       low * UNIT_BYTES,
			                                       high * UNIT_BYTES, &next);

			assert_int_equal(at, model_gap(md, n, low, high, top));
			if (at != ~0ul)
				assert_ptr_equal(next, range_find(&md->tree, at));
		}
	}
	free(md);
}

/* ---- intervals ---- */

#define NR_VMAS 60

static void intervals_match_a_list(void **state)
{
	struct file_vma *vmas = calloc(NR_VMAS, sizeof(*vmas));
	bool in[NR_VMAS] = {false};
	void *root = NULL;

	seed = 777;
	for (int step = 0; step < 20000; step++) {
		unsigned i = (unsigned)rnd(NR_VMAS), expected = 0, seen = 0;
		uint64_t first = rnd(100), last = first + rnd(20), at = 0;
		struct vm_area_struct *v = NULL;

		if (in[i]) {
			itv_erase(&root, &vmas[i].vma);
		} else {
			vmas[i].vma.vm_pgoff = rnd(100);
			vmas[i].vma.vm_start = 0;
			vmas[i].vma.vm_end = (1 + rnd(30)) * PAGE_SIZE;
			itv_insert(&root, &vmas[i].vma);
		}
		in[i] = !in[i];
		for (i = 0; i < NR_VMAS; i++)
			expected +=
			    in[i] && vmas[i].vma.vm_pgoff <= last && vmas[i].i_mmap.last >= first;
		while ((v = itv_next(&root, v, first, last))) {
			assert_true(v->vm_pgoff <= last && ((struct file_vma *)v)->i_mmap.last >= first);
			assert_true(v->vm_pgoff >= at);
			at = v->vm_pgoff;
			seen++;
		}
		assert_int_equal(seen, expected);
		check_root((struct rb_root *)&root);
	}
	free(vmas);
}

/* ---- radix tree ---- */

#define NR_KEYS 200

struct key {
	uint64_t index;
	bool in, dirty;
};

/* Indexes near each other, and at the edges of every level. */
static uint64_t random_index(void)
{
	unsigned shift = (unsigned)rnd(64);

	switch (rnd(4)) {
	case 0:
		return rnd(300);
	case 1:
		return (1ull << shift) - rnd(2);
	case 2:
		return ~0ull - rnd(200);
	default:
		return rnd(~0ull >> shift);
	}
}

static struct page *key_page(const struct key *k)
{
	return (struct page *)(uintptr_t)k;
}

static const struct key *model_next(const struct key *keys, uint64_t first, uint64_t last,
                                    bool dirty)
{
	const struct key *best = NULL;

	for (int i = 0; i < NR_KEYS; i++)
		if (keys[i].in && (!dirty || keys[i].dirty) && keys[i].index >= first &&
		    keys[i].index <= last && (!best || keys[i].index < best->index))
			best = &keys[i];
	return best;
}

static void radix_step(struct mmk_system *sys, void **root, struct key *keys)
{
	struct key *k = &keys[rnd(NR_KEYS)];

	if (!k->in) {
		bool taken = false;

		k->index = random_index();
		for (int i = 0; i < NR_KEYS; i++)
			taken |= keys[i].in && keys[i].index == k->index;
		assert_int_equal(radix_insert(sys, root, k->index, key_page(k)),
		                 taken ? -MMK_EEXIST : 0);
		k->in = !taken;
		k->dirty = false;
	} else if (rnd(2)) {
		assert_ptr_equal(radix_delete(sys, root, k->index), key_page(k));
		k->in = false;
	} else {
		(k->dirty ? radix_clear_dirty : radix_set_dirty)(*root, k->index);
		k->dirty = !k->dirty;
	}
}

static void radix_compare(void *root, const struct key *keys)
{
	uint64_t first = random_index(), last = random_index(), at = 0;
	const struct key *k = &keys[rnd(NR_KEYS)], *expected;

	if (k->in) {
		assert_ptr_equal(radix_lookup(root, k->index), key_page(k));
		assert_int_equal(radix_is_dirty(root, k->index), k->dirty);
		if (rnd(2))
			first = k->index + rnd(2);
	}
	for (int dirty = 0; dirty < 2; dirty++) {
		expected = model_next(keys, first, last, dirty);
		assert_ptr_equal(radix_next(root, first, last, dirty, &at),
		                 expected ? key_page(expected) : NULL);
		if (expected)
			assert_int_equal(at, expected->index);
	}
}

static void radix_tree_matches_a_list(void **state)
{
	struct world *w = *state;
	struct key *keys = calloc(NR_KEYS, sizeof(*keys));
	void *root = NULL;

	seed = 4242;
	for (int step = 0; step < 100000; step++) {
		radix_step(w->sys, &root, keys);
		radix_compare(root, keys);
	}
	for (int i = 0; i < NR_KEYS; i++)
		if (keys[i].in)
			radix_delete(w->sys, &root, keys[i].index);
	assert_null(root);
	assert_int_equal(slab_in_use(&w->sys->radix_cache), 0);
	free(keys);
}

static void radix_insert_without_memory_leaves_the_tree_as_it_was(void **state)
{
	struct world *w = *state;
	struct page *p = w->sys->zero_page;
	uint64_t at, nodes;
	void *root = NULL;

	assert_int_equal(radix_insert(w->sys, &root, 3, p), 0);
	nodes = slab_in_use(&w->sys->radix_cache);
	for (unsigned n = 1;; n++) {
		int err;

		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, n, false);
		err = radix_insert(w->sys, &root, ~0ull, p);
		hosted_fail_alloc(w->h, HOSTED_ANY_SITE, 0, false);
		if (!err)
			break;
		assert_int_equal(err, -MMK_ENOMEM);
		assert_int_equal(slab_in_use(&w->sys->radix_cache), nodes);
		assert_ptr_equal(radix_lookup(root, 3), p);
		assert_null(radix_lookup(root, ~0ull));
	}
	assert_ptr_equal(radix_next(root, 4, ~0ull, false, &at), p);
	radix_delete(w->sys, &root, 3);
	radix_delete(w->sys, &root, ~0ull);
	assert_null(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges_and_gaps_match_an_array),
	    cmocka_unit_test(intervals_match_a_list),
	    WORLD_TEST(radix_tree_matches_a_list),
	    WORLD_TEST(radix_insert_without_memory_leaves_the_tree_as_it_was),
	};

	return cmocka_run_group_tests_name("trees", tests, NULL, NULL);
}
