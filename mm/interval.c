/* SPDX-License-Identifier: MIT */
/*
 * i_mmap: which VMAs map which pages of a file. A red-black tree by first page index, where each
 * node knows the highest last index of its subtree: a query leaves out subtrees that end too early,
 * and stops at the first node that begins too late.
 *
 * => every function is called with i_mmap_lock held.
 * The key is vm_pgoff and the length: a VMA is erased before and inserted after these change.
 */
#include "mm/rbtree.h"

static struct itv_node *itv_of(const struct rb_node *rb)
{
	return container_of(rb, struct itv_node, rb);
}

static struct vm_area_struct *vma_of(const struct rb_node *rb)
{
	return &container_of(itv_of(rb), struct file_vma, i_mmap)->vma;
}

static struct itv_node *node_of(struct vm_area_struct *vma)
{
	return &container_of(vma, struct file_vma, vma)->i_mmap;
}

static uint64_t first_of(const struct rb_node *rb)
{
	return vma_of(rb)->vm_pgoff;
}

static inline bool itv_augment(struct rb_node *rb)
{
	uint64_t last = itv_of(rb)->last, was = itv_of(rb)->subtree_last;

	if (rb->left && itv_of(rb->left)->subtree_last > last)
		last = itv_of(rb->left)->subtree_last;
	if (rb->right && itv_of(rb->right)->subtree_last > last)
		last = itv_of(rb->right)->subtree_last;
	itv_of(rb)->subtree_last = last;
	return last != was;
}

/* Out of line, where there is more to do than that. */
static __attribute__((noinline)) bool itv_update(struct rb_node *rb)
{
	return itv_augment(rb);
}

static inline void copy_last(struct rb_node *to, const struct rb_node *from)
{
	itv_of(to)->subtree_last = itv_of(from)->subtree_last;
}

static __attribute__((noinline)) void itv_rotate(struct rb_root *root, struct rb_node *n, bool left)
{
	rb_rotate(root, n, left, itv_update, copy_last);
}

static void itv_erase_fixup(struct rb_root *root, struct rb_node *n, struct rb_node *parent)
{
	rb_erase_fixup(root, n, parent, itv_rotate);
}

/* The mapping has room for one pointer: that is all a root is. */
static struct rb_root *root_of(void *const *root)
{
	return (struct rb_root *)(uintptr_t)root;
}

void itv_insert(void **root, struct vm_area_struct *vma)
{
	struct rb_root *tree = root_of(root);
	struct rb_node **link = &tree->node, *parent = NULL;

	node_of(vma)->last = vma->vm_pgoff + vma_pages(vma) - 1;
	while (*link) {
		parent = *link;
		link = vma->vm_pgoff < first_of(parent) ? &parent->left : &parent->right;
	}
	rb_link(&node_of(vma)->rb, parent, link);
	node_of(vma)->subtree_last = node_of(vma)->last;
	rb_propagate(parent, itv_augment);
	rb_balance(tree, &node_of(vma)->rb, itv_rotate);
}

void itv_erase(void **root, struct vm_area_struct *vma)
{
	rb_erase(root_of(root), &node_of(vma)->rb, itv_update, copy_last, itv_erase_fixup);
}

static bool itv_reaches(const struct rb_node *rb, uint64_t first)
{
	return rb && itv_of(rb)->subtree_last >= first;
}

/* The first node of a subtree that meets [first, last]; the subtree does reach `first`. */
static struct vm_area_struct *itv_lowest(const struct rb_node *rb, uint64_t first, uint64_t last)
{
	for (;;) {
		if (itv_reaches(rb->left, first)) {
			/* What is left of here begins earlier: either it meets, or nothing does. */
			rb = rb->left;
			continue;
		}
		if (first_of(rb) > last)
			return NULL;
		if (itv_of(rb)->last >= first)
			return vma_of(rb);
		if (!itv_reaches(rb->right, first))
			return NULL;
		rb = rb->right;
	}
}

struct vm_area_struct *itv_next(void *const *root, struct vm_area_struct *prev, uint64_t first,
                                uint64_t last)
{
	const struct rb_node *rb, *up;

	if (!prev) {
		rb = root_of(root)->node;
		return itv_reaches(rb, first) ? itv_lowest(rb, first, last) : NULL;
	}
	rb = &node_of(prev)->rb;
	if (itv_reaches(rb->right, first))
		return itv_lowest(rb->right, first, last);
	for (;; rb = up) {
		up = (const struct rb_node *)(rb->parent_color & ~1ul);
		if (!up)
			return NULL;
		if (up->right == rb)
			continue;
		if (first_of(up) > last)
			return NULL;
		if (itv_of(up)->last >= first)
			return vma_of(up);
		if (itv_reaches(up->right, first))
			return itv_lowest(up->right, first, last);
	}
}
