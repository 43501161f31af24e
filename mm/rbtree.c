/* SPDX-License-Identifier: MIT */
/*
 * Red-black trees whose nodes may carry a value computed from their subtree.
 *
 * The rules: the root is black; a red node has no red child; every way from a node down to a leaf
 * meets the same number of black nodes. The colour is the low bit of the parent word (1: black).
 * A node's value is kept right by recomputing it wherever its children change: a rotation
 * recomputes the two nodes it turns (their union is the same as before), a link or unlink the way
 * up to where it makes no difference any more.
 */
#include "mm/internal.h"

#define BLACK 1ul

static struct rb_node *parent_of(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_color & ~BLACK);
}

static bool is_black(const struct rb_node *n)
{
	return !n || n->parent_color & BLACK;
}

static void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_color = (uintptr_t)parent | (n->parent_color & BLACK);
}

static void set_black(struct rb_node *n)
{
	n->parent_color |= BLACK;
}

static void set_red(struct rb_node *n)
{
	n->parent_color &= ~BLACK;
}

static void copy_color(struct rb_node *to, const struct rb_node *from)
{
	to->parent_color = (to->parent_color & ~BLACK) | (from->parent_color & BLACK);
}

/* Whoever pointed to `from` points to `to`. */
static void change_child(struct rb_root *root, struct rb_node *parent, struct rb_node *from,
                         struct rb_node *to)
{
	if (!parent)
		root->node = to;
	else if (parent->left == from)
		parent->left = to;
	else
		parent->right = to;
}

void rb_propagate(struct rb_node *node, rb_augment_fn *aug)
{
	while (node && aug(node))
		node = parent_of(node);
}

/* n's child on the other side takes its place; n becomes that child's child on side `left`. */
static void rotate(struct rb_root *root, struct rb_node *n, bool left, rb_augment_fn *aug)
{
	struct rb_node *parent = parent_of(n), *up = left ? n->right : n->left, *middle;

	if (left) {
		middle = n->right = up->left;
		up->left = n;
	} else {
		middle = n->left = up->right;
		up->right = n;
	}
	if (middle)
		set_parent(middle, n);
	set_parent(up, parent);
	change_child(root, parent, n, up);
	set_parent(n, up);
	aug(n);
	aug(up);
}

void rb_link(struct rb_node *node, struct rb_node *parent, struct rb_node **link,
             rb_augment_fn *aug)
{
	node->parent_color = (uintptr_t)parent; /* red */
	node->left = node->right = NULL;
	/* Who walks down without a lock sees no node before its contents. */
	atomic_thread_fence(memory_order_release);
	*link = node;
	aug(node);
	rb_propagate(parent, aug);
}

void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
               struct rb_node **link, rb_augment_fn *aug)
{
	rb_link(node, parent, link, aug);
	rb_balance(root, node, aug);
}

void rb_balance(struct rb_root *root, struct rb_node *node, rb_augment_fn *aug)
{
	struct rb_node *parent;

	while ((parent = parent_of(node)) && !is_black(parent)) {
		struct rb_node *grand = parent_of(parent);
		bool is_left = grand->left == parent;
		struct rb_node *uncle = is_left ? grand->right : grand->left;

		if (!is_black(uncle)) {
			set_black(uncle);
			set_black(parent);
			set_red(grand);
			node = grand;
			continue;
		}
		if (node == (is_left ? parent->right : parent->left)) {
			rotate(root, parent, is_left, aug);
			parent = node;
		}
		set_black(parent);
		set_red(grand);
		rotate(root, grand, !is_left, aug);
		break;
	}
	set_black(root->node);
}

/* The subtree at n (may be NULL) below parent lacks one black node. */
static void erase_fixup(struct rb_root *root, struct rb_node *n, struct rb_node *parent,
                        rb_augment_fn *aug)
{
	while (parent && is_black(n)) {
		bool left = parent->left == n;
		struct rb_node *sib = left ? parent->right : parent->left;
		struct rb_node *near, *far;

		if (!is_black(sib)) {
			set_black(sib);
			set_red(parent);
			rotate(root, parent, left, aug);
			sib = left ? parent->right : parent->left;
		}
		near = left ? sib->left : sib->right;
		far = left ? sib->right : sib->left;
		if (is_black(near) && is_black(far)) {
			set_red(sib);
			n = parent;
			parent = parent_of(n);
			continue;
		}
		if (is_black(far)) {
			set_black(near);
			set_red(sib);
			rotate(root, sib, !left, aug);
			far = sib;
			sib = near;
		}
		copy_color(sib, parent);
		set_black(parent);
		set_black(far);
		rotate(root, parent, left, aug);
		return;
	}
	if (n)
		set_black(n);
}

/* The successor, which has no left child, takes the place of a node with two children. */
static struct rb_node *put_in_place(struct rb_root *root, struct rb_node *node,
                                    struct rb_node *succ, struct rb_node **child)
{
	struct rb_node *parent = parent_of(succ);

	*child = succ->right;
	if (parent == node) {
		parent = succ;
	} else {
		parent->left = succ->right;
		if (succ->right)
			set_parent(succ->right, parent);
		succ->right = node->right;
		set_parent(succ->right, succ);
	}
	succ->left = node->left;
	set_parent(succ->left, succ);
	change_child(root, parent_of(node), node, succ);
	succ->parent_color = node->parent_color;
	return parent;
}

void rb_erase(struct rb_root *root, struct rb_node *node, rb_augment_fn *aug)
{
	struct rb_node *child, *parent, *succ = NULL;
	bool black;

	if (node->left && node->right) {
		succ = node->right;
		while (succ->left)
			succ = succ->left;
		black = is_black(succ);
		parent = put_in_place(root, node, succ, &child);
	} else {
		child = node->left ? node->left : node->right;
		parent = parent_of(node);
		black = is_black(node);
		if (child)
			set_parent(child, parent);
		change_child(root, parent, node, child);
	}
	if (succ) /* its value is that of another place: all above may change */
		for (struct rb_node *n = parent; n; n = parent_of(n))
			aug(n);
	else
		rb_propagate(parent, aug);
	if (black)
		erase_fixup(root, child, parent, aug);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	struct rb_node *n = node->right;

	if (n) {
		while (n->left)
			n = n->left;
		return n;
	}
	for (n = parent_of(node); n && node == n->right; n = parent_of(n))
		node = n;
	return n;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	struct rb_node *n = node->left;

	if (n) {
		while (n->right)
			n = n->right;
		return n;
	}
	for (n = parent_of(node); n && node == n->left; n = parent_of(n))
		node = n;
	return n;
}
