/* SPDX-License-Identifier: MIT */
/*
 * Memory policies - mbind(2), set_mempolicy(2) and their kin - as on a machine of one node, number
 * 0. Where a page comes from is never a question; what is left is what programs see: which policies
 * are accepted, that they are remembered, and that mappings with different ones do not merge.
 *
 * With one node a policy is a word (mempolicy.h), so there is nothing to allocate or to count.
 */
#include "mm/mempolicy.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"

#define MAX_NODES   16u /* what a mask may name; only node 0 is there */
#define WORD_BITS   64u
#define MBIND_KNOWN (MMK_MPOL_MF_STRICT | MMK_MPOL_MF_MOVE | MMK_MPOL_MF_MOVE_ALL)

/* ---- what the program passes ---- */

/* One word of the mask, only the low `bits` of which count. */
static int get_mask_word(struct mmk_task *task, unsigned long at, unsigned bits, uint64_t *word)
{
	const struct mmk_system *sys = task->mm->sys;

	if (sys->port->copy_from_user(sys->ctx, task, word, at, sizeof(*word)))
		return refuse(task, -MMK_EFAULT, MMK_REASON_VEC, at, 0);
	if (bits < WORD_BITS)
		*word &= (1ull << bits) - 1;
	return 0;
}

/* maxnode counts one more than there are bits. 0, -EINVAL, -EFAULT, refused. */
static int get_nodes(struct mmk_task *task, unsigned long mask, unsigned long maxnode,
                     uint32_t *nodes)
{
	unsigned long bits = maxnode - 1, at = bits / WORD_BITS * WORD_BITS;
	uint64_t word = 0;

	*nodes = 0;
	if (!bits || !mask)
		return 0;
	if (bits > PAGE_SIZE * 8)
		return refuse(task, -MMK_EINVAL, MMK_REASON_NODES, maxnode, 0);
	/* From the top down: a node that cannot be beats a word that cannot be read below it. */
	for (;; at -= WORD_BITS) {
		unsigned n = bits - at < WORD_BITS ? bits - at : WORD_BITS;
		int err = n ? get_mask_word(task, mask + at / 8, n, &word) : 0;

		if (err)
			return err;
		if (n && (at ? word : word >> MAX_NODES))
			return refuse(task, -MMK_EINVAL, MMK_REASON_NODES, word, 0);
		if (!at)
			break;
	}
	*nodes = (uint32_t)word;
	return 0;
}

static bool mode_is_known(unsigned mode, unsigned flags)
{
	if (mode > MMK_MPOL_WEIGHTED_INTERLEAVE)
		return false;
	if ((flags & MMK_MPOL_F_STATIC_NODES) && (flags & MMK_MPOL_F_RELATIVE_NODES))
		return false;
	return !(flags & MMK_MPOL_F_NUMA_BALANCING) || mode == MMK_MPOL_BIND ||
	       mode == MMK_MPOL_PREFERRED_MANY;
}

/* Does the mode make sense with these nodes, of which node 0 is the only one? */
static bool nodes_fit(unsigned *mode, unsigned flags, uint32_t nodes)
{
	bool placed = flags & (MMK_MPOL_F_STATIC_NODES | MMK_MPOL_F_RELATIVE_NODES);

	if (*mode == MMK_MPOL_DEFAULT)
		return !nodes;
	if (*mode == MMK_MPOL_PREFERRED && !nodes)
		*mode = MMK_MPOL_LOCAL;
	if (*mode == MMK_MPOL_LOCAL)
		return !nodes && !placed;
	/* Relative nodes are counted within those there are: any of them is node 0. */
	return flags & MMK_MPOL_F_RELATIVE_NODES ? nodes != 0 : nodes & 1;
}

static int policy_make(struct mmk_task *task, unsigned mode, unsigned flags, uint32_t nodes,
                       uint32_t *policy)
{
	*policy = 0;
	if (!nodes_fit(&mode, flags, nodes))
		return refuse(task, -MMK_EINVAL, MMK_REASON_POLICY_NODES, mode, nodes);
	if (mode == MMK_MPOL_DEFAULT)
		return 0;
	/* Who said how the nodes are meant is told them as they were said. */
	*policy = mode | flags | (flags ? nodes : nodes & 1) << 16;
	return 0;
}

static int policy_get(struct mmk_task *task, unsigned word, unsigned long mask,
                      unsigned long maxnode, unsigned *mode, uint32_t *nodes)
{
	*mode = word & ~MMK_MPOL_MODE_FLAGS;
	if (!mode_is_known(*mode, word & MMK_MPOL_MODE_FLAGS))
		return refuse(task, -MMK_EINVAL, MMK_REASON_POLICY_MODE, word, 0);
	return get_nodes(task, mask, maxnode, nodes);
}

/* ---- of the task ---- */

long mmk_sys_set_mempolicy(struct mmk_task *task, int mode, unsigned long mask,
                           unsigned long maxnode)
{
	unsigned plain;
	uint32_t nodes, policy;
	int err;

	reason_clear(task);
	err = policy_get(task, (unsigned)mode, mask, maxnode, &plain, &nodes);
	if (!err)
		err =
		    policy_make(task, plain, (unsigned)mode & MMK_MPOL_MODE_FLAGS, nodes, &policy);
	if (!err)
		task->mempolicy = policy;
	return err;
}

struct policy_answer {
	int mode;
	uint32_t nodes;
};

/* The node of the page at addr, which is brought in for that: 0 or -errno. */
static int node_of(struct mmk_task *task, struct vm_area_struct *vma, unsigned long addr)
{
	int err = vma->vm_flags & MMK_VM_READ ? handle_mm_fault(task, vma, addr, 0) : -MMK_EFAULT;

	if (err)
		return refuse(task, -MMK_EFAULT, MMK_REASON_POPULATE_FAULT, addr, -err);
	return 0;
}

static int policy_at(struct mmk_task *task, unsigned long addr, unsigned long flags,
                     struct policy_answer *a)
{
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *vma;
	int err = 0;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (!vma || vma->vm_start > addr) {
		err = refuse(task, -MMK_EFAULT, MMK_REASON_NOT_MAPPED, addr, 0);
	} else {
		a->nodes = POLICY_NODES(vma->policy);
		if (flags & MMK_MPOL_F_NODE)
			err = node_of(task, vma, addr & PAGE_MASK);
		else
			a->mode = POLICY_MODE(vma->policy) | POLICY_FLAGS(vma->policy);
	}
	mmap_read_unlock(mm);
	return err;
}

static int policy_of_task(struct mmk_task *task, unsigned long flags, struct policy_answer *a)
{
	uint32_t policy = task->mempolicy;

	a->nodes = POLICY_NODES(policy);
	if (!(flags & MMK_MPOL_F_NODE)) {
		a->mode = POLICY_MODE(policy) | POLICY_FLAGS(policy);
		return 0;
	}
	/* Where the next page comes from is known only of those that take turns. */
	if (POLICY_MODE(policy) == MMK_MPOL_INTERLEAVE ||
	    POLICY_MODE(policy) == MMK_MPOL_WEIGHTED_INTERLEAVE)
		return 0;
	return refuse(task, -MMK_EINVAL, MMK_REASON_POLICY_NO_NEXT, POLICY_MODE(policy), 0);
}

static int policy_look(struct mmk_task *task, unsigned long addr, unsigned long flags,
                       struct policy_answer *a)
{
	const unsigned long where = MMK_MPOL_F_NODE | MMK_MPOL_F_ADDR;

	if ((flags & ~(where | MMK_MPOL_F_MEMS_ALLOWED)) ||
	    ((flags & MMK_MPOL_F_MEMS_ALLOWED) && (flags & where)) ||
	    (!(flags & (MMK_MPOL_F_ADDR | MMK_MPOL_F_MEMS_ALLOWED)) && addr))
		return refuse(task, -MMK_EINVAL, MMK_REASON_POLICY_FLAGS, flags, 0);
	if (flags & MMK_MPOL_F_MEMS_ALLOWED) {
		a->nodes = 1;
		return 0;
	}
	return flags & MMK_MPOL_F_ADDR ? policy_at(task, addr, flags, a)
	                               : policy_of_task(task, flags, a);
}

/* Whole words; what lies behind the nodes there can be is cleared. */
static int put_nodes(struct mmk_task *task, unsigned long mask, unsigned long maxnode,
                     uint32_t nodes)
{
	const struct mmk_system *sys = task->mm->sys;
	unsigned long size = (maxnode - 1 + WORD_BITS - 1) / WORD_BITS * 8;

	if (size > PAGE_SIZE)
		return refuse(task, -MMK_EINVAL, MMK_REASON_NODES, maxnode, 0);
	for (unsigned long at = 0; at < size; at += 8) {
		uint64_t word = at ? 0 : nodes;

		if (sys->port->copy_to_user(sys->ctx, task, mask + at, &word, sizeof(word)))
			return refuse(task, -MMK_EFAULT, MMK_REASON_VEC, mask + at, 0);
	}
	return 0;
}

long mmk_sys_get_mempolicy(struct mmk_task *task, unsigned long mode, unsigned long mask,
                           unsigned long maxnode, unsigned long addr, unsigned long flags)
{
	const struct mmk_system *sys = task->mm->sys;
	struct policy_answer a = {0, 0};
	int err;

	reason_clear(task);
	if (mask && !maxnode)
		return refuse(task, -MMK_EINVAL, MMK_REASON_NODES, maxnode, 0);
	err = policy_look(task, untagged_addr(addr), flags, &a);
	if (err)
		return err;
	if (mode && sys->port->copy_to_user(sys->ctx, task, mode, &a.mode, sizeof(a.mode)))
		return refuse(task, -MMK_EFAULT, MMK_REASON_VEC, mode, 0);
	return mask ? put_nodes(task, mask, maxnode, a.nodes) : 0;
}

/* ---- of mappings ---- */

/* The VMAs of [start, end) get the policy. */
static int bind_range(struct mmk_task *task, unsigned long start, unsigned long end,
                      uint32_t policy)
{
	while (start < end) {
		struct vm_area_struct *vma = find_vma(task->mm, start);
		unsigned long stop;
		int err;

		if (!vma || vma->vm_start >= end)
			return 0;
		if (start < vma->vm_start)
			start = vma->vm_start;
		stop = vma->vm_end < end ? vma->vm_end : end;
		if (vma->policy != policy) {
			err = vma_modify_policy(task, vma, start, stop, policy, &vma);
			if (err)
				return err;
			vma->policy = policy;
		}
		start = stop;
	}
	return 0;
}

/* Taking policies away goes over holes; but something must be there. */
static int bind_locked(struct mmk_task *task, unsigned long start, unsigned long end,
                       uint32_t policy)
{
	const struct vm_area_struct *vma = find_vma(task->mm, start);
	unsigned long at = start;

	if (!vma || vma->vm_start >= end)
		return refuse(task, -MMK_EFAULT, MMK_REASON_NOT_MAPPED, start, 0);
	for (; policy && at < end; vma = vma_next(vma)) {
		if (!vma || vma->vm_start > at)
			return refuse(task, -MMK_EFAULT, MMK_REASON_NOT_MAPPED, at, 0);
		at = vma->vm_end;
	}
	return bind_range(task, start, end, policy);
}

/* Pages lie on node 0, which every policy has: there is nothing to move, and nothing astray. */
long mmk_sys_mbind(struct mmk_task *task, unsigned long start, unsigned long len,
                   unsigned long mode, unsigned long mask, unsigned long maxnode, unsigned flags)
{
	unsigned long end;
	unsigned plain;
	uint32_t nodes, policy;
	int err;

	reason_clear(task);
	start = untagged_addr(start);
	err = policy_get(task, (unsigned)mode, mask, maxnode, &plain, &nodes);
	if (err)
		return err;
	if (flags & ~MBIND_KNOWN)
		return refuse(task, -MMK_EINVAL, MMK_REASON_POLICY_FLAGS, flags, 0);
	if ((flags & MMK_MPOL_MF_MOVE_ALL) && !task_capable(task->mm->sys, task, MMK_CAP_SYS_NICE))
		return refuse(task, -MMK_EPERM, MMK_REASON_MOVE_ALL, 0, 0);
	if (start & ~PAGE_MASK)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED, start, 0);
	end = start + PAGE_ALIGN(len);
	if (end < start)
		return refuse(task, -MMK_EINVAL, MMK_REASON_RANGE_WRAPS, start, len);
	if (end == start)
		return 0;
	err = policy_make(task, plain, (unsigned)mode & MMK_MPOL_MODE_FLAGS, nodes, &policy);
	if (!err)
		err = mmap_lock_or_refuse(task, task->mm);
	if (err)
		return err;
	err = bind_locked(task, start, end, policy);
	mmap_write_unlock(task->mm);
	return err;
}

static int home_locked(struct mmk_task *task, unsigned long start, unsigned long end)
{
	bool found = false;

	while (start < end) {
		struct vm_area_struct *vma = find_vma(task->mm, start);
		unsigned long stop;
		unsigned mode;
		int err;

		if (!vma || vma->vm_start >= end)
			break;
		if (start < vma->vm_start)
			start = vma->vm_start;
		stop = vma->vm_end < end ? vma->vm_end : end;
		mode = POLICY_MODE(vma->policy);
		if (vma->policy) {
			if (mode != MMK_MPOL_BIND && mode != MMK_MPOL_PREFERRED_MANY)
				return refuse(task, -MMK_EOPNOTSUPP, MMK_REASON_POLICY_MODE, mode,
				              0);
			err = bind_range(task, start, stop, vma->policy | POLICY_HOME);
			if (err)
				return err;
			found = true;
		}
		start = stop;
	}
	return found ? 0 : refuse(task, -MMK_ENOENT, MMK_REASON_POLICY_NONE, start, 0);
}

long mmk_sys_set_mempolicy_home_node(struct mmk_task *task, unsigned long start, unsigned long len,
                                     unsigned long node, unsigned long flags)
{
	unsigned long end;
	int err;

	reason_clear(task);
	start = untagged_addr(start);
	if (start & ~PAGE_MASK)
		return refuse(task, -MMK_EINVAL, MMK_REASON_ADDR_UNALIGNED, start, 0);
	if (flags)
		return refuse(task, -MMK_EINVAL, MMK_REASON_POLICY_FLAGS, flags, 0);
	if (node)
		return refuse(task, -MMK_EINVAL, MMK_REASON_NODES, node, 0);
	end = start + PAGE_ALIGN(len);
	if (end < start)
		return refuse(task, -MMK_EINVAL, MMK_REASON_RANGE_WRAPS, start, len);
	if (end == start)
		return 0;
	err = mmap_lock_or_refuse(task, task->mm);
	if (err)
		return err;
	err = home_locked(task, start, end);
	mmap_write_unlock(task->mm);
	return err;
}

/* ---- of pages ---- */

int mmk_page_node(struct mmk_mm *mm, unsigned long addr)
{
	struct vm_area_struct *vma;
	struct page *table;
	int node = -MMK_EFAULT;

	addr = untagged_addr(addr);
	mmap_read_lock(mm);
	vma = addr < mm->task_size ? find_vma(mm, addr) : NULL;
	if (vma && vma->vm_start <= addr) {
		node = -MMK_ENOENT;
		table = table_find_lock(mm, addr);
		if (table) {
			pte_t pte = ptep_get(table_pte(mm->sys, table, addr));

			spin_unlock(&table->ptl);
			if (pte_present(pte))
				node = pte_special(pte) ? -MMK_EFAULT : 0;
		}
	}
	mmap_read_unlock(mm);
	return node;
}

long mmk_migrate_nodes(struct mmk_task *task, unsigned long maxnode, unsigned long from,
                       unsigned long to, uint32_t *new_nodes)
{
	uint32_t old_nodes;
	int err;

	reason_clear(task);
	err = get_nodes(task, from, maxnode, &old_nodes);
	return err ? err : get_nodes(task, to, maxnode, new_nodes);
}

/* ---- in words ---- */

void policy_text(struct text *t, uint32_t policy)
{
	static const char *const names[] = {"default",
	                                    "prefer",
	                                    "bind",
	                                    "interleave",
	                                    "local",
	                                    "prefer (many)",
	                                    "weighted interleave"};
	unsigned flags = POLICY_FLAGS(policy);
	const unsigned placed = MMK_MPOL_F_STATIC_NODES | MMK_MPOL_F_RELATIVE_NODES;

	text_str(t, names[POLICY_MODE(policy)]);
	if (flags)
		text_char(t, '=');
	if (flags & placed)
		text_str(t, flags & MMK_MPOL_F_STATIC_NODES ? "static" : "relative");
	if (flags & MMK_MPOL_F_NUMA_BALANCING)
		text_str(t, flags & placed ? "|balancing" : "balancing");
	if (policy && POLICY_MODE(policy) != MMK_MPOL_LOCAL)
		text_str(t, ":0");
}
