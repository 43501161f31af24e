/* SPDX-License-Identifier: MIT */
/*
 * The index of a file's pages: a radix tree of 64-way nodes over the whole 64-bit index.
 *
 * The root's shift says how far the tree reaches; it grows at the top and shrinks again, so a small
 * file has one node. Each node has a bit for every slot that is used, and for every slot below which
 * something is dirty, so that writeback of a large clean file costs nothing.
 *
 * => every function but radix_window() is called with i_pages_lock held.
 *
 * radix_window() may also be called by a fault without locks (fault.c): a node is whole before
 * anything points to it, its shift never changes, and it is freed only when such faults are over
 * (port->defer). Its slots and its bits of use change one after the other, so that one may be ahead
 * of the other.
 */
#include "mm/internal.h"
#include "mm/cache.h"

static void slot_set(void **slot, void *to)
{
	__atomic_store_n(slot, to, __ATOMIC_RELEASE);
}

static void use_slot(struct radix_node *node, unsigned slot, void *what)
{
	slot_set(&node->slots[slot], what);
	__atomic_store_n(&node->used, node->used | 1ull << slot, __ATOMIC_RELAXED);
}

static void empty_slot(struct radix_node *node, unsigned slot)
{
	__atomic_store_n(&node->used, node->used & ~(1ull << slot), __ATOMIC_RELAXED);
	slot_set(&node->slots[slot], NULL);
}

struct page *radix_lookup(void *root, uint64_t index)
{
	struct radix_node *leaf = find_leaf(root, index);

	return leaf ? leaf->slots[slot_of(leaf, index)] : NULL;
}

static struct radix_node *new_node(struct mmk_system *sys, unsigned shift)
{
	struct radix_node *node = slab_alloc(&sys->radix_cache);

	if (node) {
		__builtin_memset(node, 0, sizeof(*node));
		node->shift = (uint8_t)shift;
	}
	return node;
}

static void hang(struct radix_node *parent, unsigned slot, struct radix_node *child)
{
	child->parent = parent;
	child->offset = (uint8_t)slot;
	use_slot(parent, slot, child);
}

static void free_retired_node(struct mmk_system *sys, struct mmk_deferred *d)
{
	slab_free(&sys->radix_cache, container_of(d, struct radix_node, deferred));
}

/* No longer part of the tree, but a fault may still be looking at it. */
static void retire_node(struct mmk_system *sys, struct radix_node *node)
{
	if (!sys->defers) {
		slab_free(&sys->radix_cache, node);
		return;
	}
	node->deferred.fn = free_retired_node;
	sys->port->defer(sys->ctx, &node->deferred);
}

/* Free empty nodes from here upwards, and roots that only lead to their slot 0. */
static void prune(struct mmk_system *sys, void **root, struct radix_node *node)
{
	while (node && !node->used) {
		struct radix_node *parent = node->parent;

		if (parent) {
			empty_slot(parent, node->offset);
			parent->dirty &= ~(1ull << node->offset);
		} else {
			slot_set(root, NULL);
		}
		retire_node(sys, node);
		node = parent;
	}
	node = *root;
	while (node && node->shift && node->used == 1) {
		struct radix_node *child = node->slots[0];

		child->parent = NULL;
		slot_set(root, child);
		retire_node(sys, node);
		node = child;
	}
}

/* Make the root reach the index. False: no memory; what was made is still a tree. */
static bool grow_root(struct mmk_system *sys, void **root, uint64_t index)
{
	struct radix_node *node = *root;
	unsigned shift = 0;

	if (!node) {
		while (shift + RADIX_SHIFT < 64 && index >> (shift + RADIX_SHIFT))
			shift += RADIX_SHIFT;
		slot_set(root, new_node(sys, shift));
		return *root;
	}
	while (!radix_reaches(node, index)) {
		struct radix_node *top = new_node(sys, node->shift + RADIX_SHIFT);

		if (!top)
			return false;
		hang(top, 0, node);
		top->dirty = node->dirty ? 1 : 0;
		slot_set(root, top);
		node = top;
	}
	return true;
}

/* 0, -EEXIST, -ENOMEM. */
int radix_insert(struct mmk_system *sys, void **root, uint64_t index, struct page *page)
{
	struct radix_node *node, *child;

	if (!grow_root(sys, root, index)) {
		prune(sys, root, NULL);
		return -MMK_ENOMEM;
	}
	for (node = *root; node->shift; node = child) {
		child = node->slots[slot_of(node, index)];
		if (child)
			continue;
		child = new_node(sys, node->shift - RADIX_SHIFT);
		if (!child) {
			prune(sys, root, node);
			return -MMK_ENOMEM;
		}
		hang(node, slot_of(node, index), child);
	}
	if (node->slots[slot_of(node, index)])
		return -MMK_EEXIST;
	use_slot(node, slot_of(node, index), page);
	return 0;
}

void radix_set_dirty(void *root, uint64_t index)
{
	struct radix_node *node = find_leaf(root, index);

	for (; node; node = node->parent) {
		uint64_t bit = 1ull << slot_of(node, index);

		if (node->dirty & bit)
			return;
		node->dirty |= bit;
	}
}

void radix_clear_dirty(void *root, uint64_t index)
{
	struct radix_node *node = find_leaf(root, index);

	for (; node; node = node->parent) {
		node->dirty &= ~(1ull << slot_of(node, index));
		if (node->dirty)
			return;
	}
}

bool radix_is_dirty(void *root, uint64_t index)
{
	struct radix_node *leaf = find_leaf(root, index);

	return leaf && leaf->dirty >> slot_of(leaf, index) & 1;
}

struct page *radix_delete(struct mmk_system *sys, void **root, uint64_t index)
{
	struct radix_node *leaf = find_leaf(*root, index);
	struct page *page;
	unsigned slot;

	if (!leaf)
		return NULL;
	slot = slot_of(leaf, index);
	page = leaf->slots[slot];
	if (!page)
		return NULL;
	radix_clear_dirty(*root, index);
	empty_slot(leaf, slot);
	prune(sys, root, leaf);
	return page;
}

/* The first slot of the node from `slot` on that has something of the kind, or RADIX_SLOTS. */
static unsigned next_slot(const struct radix_node *node, unsigned slot, bool dirty)
{
	uint64_t bits = dirty ? node->dirty : node->used;

	bits = slot < RADIX_SLOTS ? bits >> slot : 0;
	return bits ? slot + (unsigned)__builtin_ctzll(bits) : RADIX_SLOTS;
}

/* The lowest index below this slot of the node that lies around `index`. */
static uint64_t slot_index(const struct radix_node *node, uint64_t index, unsigned slot)
{
	unsigned bits = node->shift + RADIX_SHIFT;
	uint64_t prefix = bits < 64 ? index >> bits << bits : 0;

	return prefix | (uint64_t)slot << node->shift;
}

/*
 * Down along the index while its slots have something; where one has not, on to the next that has,
 * and from there down along its lowest index; up where a node has nothing more.
 */
struct page *radix_next(void *root, uint64_t first, uint64_t last, bool dirty, uint64_t *at)
{
	struct radix_node *node = root;
	uint64_t index = first;
	unsigned slot;

	if (!node || !radix_reaches(node, first))
		return NULL;
	slot = next_slot(node, slot_of(node, index), dirty);
	for (;;) {
		if (slot == RADIX_SLOTS) {
			unsigned from = node->offset + 1u;

			node = node->parent;
			if (!node)
				return NULL;
			slot = next_slot(node, from, dirty);
			continue;
		}
		if (slot != slot_of(node, index))
			index = slot_index(node, index, slot);
		if (index > last)
			return NULL;
		if (!node->shift) {
			*at = index;
			return node->slots[slot];
		}
		node = node->slots[slot];
		slot = next_slot(node, slot_of(node, index), dirty);
	}
}
