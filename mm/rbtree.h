/* SPDX-License-Identifier: MIT */
/*
 * Red-black trees whose nodes carry a value computed from their subtree.
 *
 * The rules: the root is black; a red node has no red child; every way from a node down to a leaf
 * meets the same number of black nodes. The colour is the low bit of the parent word (1: black).
 * A node's value is kept right by recomputing it wherever its children change: a rotation
 * recomputes the lower of the two nodes it turns (the upper one now stands for what that did), a link
 * or unlink the way up to where it makes no difference any more.
 *
 * Templates, so that each tree (vma_tree.c, interval.c) has its `aug` compiled in: called through a
 * pointer it cost more than all the rest. Each tree makes one function of its own of what is long and
 * not always needed: rb_rotate(), rb_balance(), rb_erase_fixup().
 */
#ifndef MM_RBTREE_H
#define MM_RBTREE_H

#include "mm/internal.h"

#define RB_BLACK 1ul

static inline struct rb_node *rb_parent(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_color & ~RB_BLACK);
}

static inline bool rb_is_black(const struct rb_node *n)
{
	return !n || n->parent_color & RB_BLACK;
}

static inline void rb_set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_color = (uintptr_t)parent | (n->parent_color & RB_BLACK);
}

static inline void rb_set_black(struct rb_node *n)
{
	n->parent_color |= RB_BLACK;
}

static inline void rb_set_red(struct rb_node *n)
{
	n->parent_color &= ~RB_BLACK;
}

static inline void rb_copy_color(struct rb_node *to, const struct rb_node *from)
{
	to->parent_color = (to->parent_color & ~RB_BLACK) | (from->parent_color & RB_BLACK);
}

/* Whoever pointed to `from` points to `to`. */
static inline void rb_change_child(struct rb_root *root, struct rb_node *parent,
				   struct rb_node *from, struct rb_node *to)
{
	if (!parent)
		root->node = to;
	else if (parent->left == from)
		parent->left = to;
	else
		parent->right = to;
}

/* Recompute node's own value from itself and its children: has it changed? */
typedef bool rb_augment_fn(struct rb_node *node);
/* `to` gets the value of `from`. */
typedef void rb_copy_fn(struct rb_node *to, const struct rb_node *from);
/* rb_rotate() of a tree, and its rb_erase_fixup() */
typedef void rb_rotate_fn(struct rb_root *root, struct rb_node *n, bool left);
typedef void rb_fixup_fn(struct rb_root *root, struct rb_node *n, struct rb_node *parent);
#define RB_TEMPLATE static inline __attribute__((always_inline))

/* Something below or in node has changed: recompute upwards, as far as it makes a difference. */
RB_TEMPLATE void rb_propagate(struct rb_node *node, rb_augment_fn *aug)
{
	while (node && aug(node))
		node = rb_parent(node);
}

/* n's child on the other side takes its place; n becomes that child's child on side `left`. */
RB_TEMPLATE void rb_rotate(struct rb_root *root, struct rb_node *n, bool left, rb_augment_fn *aug,
			   rb_copy_fn *copy)
{
	struct rb_node *parent = rb_parent(n), *up = left ? n->right : n->left, *middle;

	if (left) {
		middle = n->right = up->left;
		up->left = n;
	} else {
		middle = n->left = up->right;
		up->right = n;
	}
	if (middle)
		rb_set_parent(middle, n);
	rb_set_parent(up, parent);
	rb_change_child(root, parent, n, up);
	rb_set_parent(n, up);
	copy(up, n);
	aug(n);
}

/*
 * Put node in as a leaf; its own value is the caller's to set, and then rb_propagate(parent) and
 * rb_balance() are to follow, in this order. Between them other nodes' values may be changed too:
 * turning nodes that are not right yet would hide from rb_propagate() what those above have to learn.
 */
static inline void rb_link(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	node->parent_color = (uintptr_t)parent; /* red */
	node->left = node->right = NULL;
	/* Who walks down without a lock sees no node before its contents. */
	atomic_thread_fence(memory_order_release);
	*link = node;
}

/* Is there anything for rb_balance() to do? */
static inline bool rb_is_balanced(const struct rb_node *node)
{
	const struct rb_node *parent = rb_parent(node);

	return parent && rb_is_black(parent);
}

RB_TEMPLATE void rb_balance(struct rb_root *root, struct rb_node *node, rb_rotate_fn *rotate)
{
	struct rb_node *parent;

	while ((parent = rb_parent(node)) && !rb_is_black(parent)) {
		struct rb_node *grand = rb_parent(parent);
		bool is_left = grand->left == parent;
		struct rb_node *uncle = is_left ? grand->right : grand->left;

		if (!rb_is_black(uncle)) {
			rb_set_black(uncle);
			rb_set_black(parent);
			rb_set_red(grand);
			node = grand;
			continue;
		}
		if (node == (is_left ? parent->right : parent->left)) {
			rotate(root, parent, is_left);
			parent = node;
		}
		rb_set_black(parent);
		rb_set_red(grand);
		rotate(root, grand, !is_left);
		break;
	}
	rb_set_black(root->node);
}

/* The subtree at n (may be NULL) below parent lacks one black node. */
RB_TEMPLATE void rb_erase_fixup(struct rb_root *root, struct rb_node *n, struct rb_node *parent,
				rb_rotate_fn *rotate)
{
	while (parent && rb_is_black(n)) {
		bool left = parent->left == n;
		struct rb_node *sib = left ? parent->right : parent->left;
		struct rb_node *near, *far;

		if (!rb_is_black(sib)) {
			rb_set_black(sib);
			rb_set_red(parent);
			rotate(root, parent, left);
			sib = left ? parent->right : parent->left;
		}
		near = left ? sib->left : sib->right;
		far = left ? sib->right : sib->left;
		if (rb_is_black(near) && rb_is_black(far)) {
			rb_set_red(sib);
			n = parent;
			parent = rb_parent(n);
			continue;
		}
		if (rb_is_black(far)) {
			rb_set_black(near);
			rb_set_red(sib);
			rotate(root, sib, !left);
			far = sib;
			sib = near;
		}
		rb_copy_color(sib, parent);
		rb_set_black(parent);
		rb_set_black(far);
		rotate(root, parent, left);
		return;
	}
	if (n)
		rb_set_black(n);
}

/* The successor, which has no left child, takes the place of a node with two children. */
static inline struct rb_node *rb_put_in_place(struct rb_root *root, struct rb_node *node,
					      struct rb_node *succ, struct rb_node **child)
{
	struct rb_node *parent = rb_parent(succ);

	*child = succ->right;
	if (parent == node) {
		parent = succ;
	} else {
		parent->left = succ->right;
		if (succ->right)
			rb_set_parent(succ->right, parent);
		succ->right = node->right;
		rb_set_parent(succ->right, succ);
	}
	succ->left = node->left;
	rb_set_parent(succ->left, succ);
	rb_change_child(root, rb_parent(node), node, succ);
	succ->parent_color = node->parent_color;
	return parent;
}

RB_TEMPLATE void rb_erase(struct rb_root *root, struct rb_node *node, rb_augment_fn *aug,
			  rb_copy_fn *copy, rb_fixup_fn *fixup)
{
	struct rb_node *child, *parent, *succ = NULL, *at;
	bool black;

	if (node->left && node->right) {
		succ = node->right;
		while (succ->left)
			succ = succ->left;
		black = rb_is_black(succ);
		parent = rb_put_in_place(root, node, succ, &child);
	} else {
		child = node->left ? node->left : node->right;
		parent = rb_parent(node);
		black = rb_is_black(node);
		if (child)
			rb_set_parent(child, parent);
		rb_change_child(root, parent, node, child);
	}
	at = parent;
	if (succ) { /* its value is that of another place: those above know node's */
		copy(succ, node);
		while (at != succ && aug(at))
			at = rb_parent(at);
		at = succ;
	}
	rb_propagate(at, aug);
	if (!black)
		return;
	if (child) /* of a node with one child it is red: that makes up for the black one */
		rb_set_black(child);
	else
		fixup(root, child, parent);
}

#endif
