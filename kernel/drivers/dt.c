/* SPDX-License-Identifier: MIT */
/*
 * The device tree, by libfdt. Offsets of nodes stay valid, as nothing is ever written to it; so one
 * walk at the start notes every node and its parent, which libfdt would walk the whole tree for
 * each time.
 */
#include <libfdt.h>

#include "kernel/boot.h"
#include "kernel/drivers/dt.h"
#include "kernel/irq.h"
#include "kernel/lib/printk.h"

#define GIC_SPI              0
#define GIC_PPI              1
#define IRQ_TYPE_MASK        0xf
#define IRQ_TYPE_EDGE_RISING 1

#define MAX_NODES 384
#define MAX_DEPTH 16

static const void *fdt;
static struct node {
	s32 node;
	s32 parent; /* -1: none */
	const char *compatible;
	s32 compatible_len;
} nodes[MAX_NODES]; /* in the order of the tree */
static unsigned nr_nodes;

static void note_nodes(void)
{
	s32 path[MAX_DEPTH];
	int depth = 0, node;
	struct node *n;

	for (node = fdt_next_node(fdt, -1, NULL); node >= 0 && depth >= 0;
	     node = fdt_next_node(fdt, node, &depth)) {
		if (depth >= MAX_DEPTH)
			continue;
		if (nr_nodes == MAX_NODES) {
			pr_warn("device tree: only the first %d nodes are seen\n", MAX_NODES);
			return;
		}
		path[depth] = node;
		n = &nodes[nr_nodes++];
		n->node = node;
		n->parent = depth ? path[depth - 1] : -1;
		n->compatible = fdt_getprop(fdt, node, "compatible", &n->compatible_len);
	}
}

bool dt_set(const void *blob)
{
	if (fdt_check_header(blob))
		return false;
	fdt = blob;
	nr_nodes = 0;
	note_nodes();
	return true;
}

/* The place in nodes[] of @node, or of the first behind it. */
static unsigned node_place(int node)
{
	unsigned lo = 0, hi = nr_nodes;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (nodes[mid].node < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int node_parent(int node)
{
	unsigned i = node_place(node);

	return i < nr_nodes && nodes[i].node == node ? nodes[i].parent : -1;
}

size_t dt_size(const void *blob)
{
	return fdt_check_header(blob) ? 0 : fdt_totalsize(blob);
}

static bool available(int node)
{
	const char *status = dt_string(node, "status");

	return !status || !strcmp(status, "okay") || !strcmp(status, "ok");
}

int dt_next_compatible(int after, const char *compatible)
{
	unsigned i;

	for (i = node_place(after + 1); i < nr_nodes; i++) {
		const struct node *n = &nodes[i];

		if (n->compatible &&
		    fdt_stringlist_contains(n->compatible, n->compatible_len, compatible) &&
		    available(n->node))
			return n->node;
	}
	return -1;
}

int dt_path(const char *path)
{
	return fdt_path_offset(fdt, path);
}

const void *dt_prop(int node, const char *name, u32 *len)
{
	int n;
	const void *p = fdt_getprop(fdt, node, name, &n);

	if (p && len)
		*len = (u32)n;
	return p;
}

const char *dt_string(int node, const char *name)
{
	u32 len;
	const char *s = dt_prop(node, name, &len);

	return s && len && !s[len - 1] ? s : NULL;
}

static u64 read_cells(const fdt32_t *p, int n)
{
	u64 v = 0;

	while (n--)
		v = v << 32 | fdt32_ld(p++);
	return v;
}

u32 dt_u32(int node, const char *name, u32 dflt)
{
	u32 len;
	const fdt32_t *p = dt_prop(node, name, &len);

	return p && len >= 4 ? fdt32_ld(p) : dflt;
}

u64 dt_number(int node, const char *name, u64 dflt)
{
	u32 len;
	const fdt32_t *p = dt_prop(node, name, &len);

	if (!p || (len != 4 && len != 8))
		return dflt;
	return read_cells(p, (int)len / 4);
}

/* The n-th address and size of a "reg" whose node's parent is @parent. */
static bool reg_in(int parent, int node, unsigned n, u64 *base, u64 *size)
{
	int ac = fdt_address_cells(fdt, parent), sc = fdt_size_cells(fdt, parent);
	u32 len;
	const fdt32_t *p = dt_prop(node, "reg", &len);

	if (!p || ac < 1 || ac > 2 || sc < 0 || sc > 2)
		return false;
	if (len / 4 < (n + 1) * (u32)(ac + sc))
		return false;
	p += n * (u32)(ac + sc);
	*base = read_cells(p, ac);
	*size = read_cells(p + ac, sc);
	return true;
}

bool dt_reg(int node, unsigned n, u64 *base, u64 *size)
{
	int parent = node_parent(node);

	return parent >= 0 && reg_in(parent, node, n, base, size);
}

bool dt_irq(int node, unsigned n, u32 *intid)
{
	u32 len;
	const fdt32_t *p = dt_prop(node, "interrupts", &len);
	u32 kind, nr, flags;

	/* The GIC's three cells: kind, number, flags. */
	if (!p || len / 12 <= n)
		return false;
	p += 3 * n;
	kind = fdt32_ld(p);
	nr = fdt32_ld(p + 1);
	flags = fdt32_ld(p + 2) & IRQ_TYPE_MASK;
	if (kind == GIC_SPI && nr < GIC_NR_INTIDS - 32)
		*intid = nr + 32;
	else if (kind == GIC_PPI && nr < 16)
		*intid = nr + 16;
	else
		return false;
	if (flags == IRQ_TYPE_EDGE_RISING)
		irq_set_trigger(*intid, IRQ_EDGE_RISING);
	return true;
}

static bool is_psci_cpu(int node)
{
	const char *type = dt_string(node, "device_type");
	const char *method = dt_string(node, "enable-method");

	return type && !strcmp(type, "cpu") && available(node) && method && !strcmp(method, "psci");
}

bool dt_cpu(unsigned n, u64 *mpidr)
{
	int parent = dt_path("/cpus"), node;
	u64 none;

	if (parent < 0)
		return false;
	fdt_for_each_subnode(node, fdt, parent)
	{
		if (is_psci_cpu(node) && !n--)
			return reg_in(parent, node, 0, mpidr, &none);
	}
	return false;
}

static void read_memory_node(int node)
{
	u64 base, size;
	unsigned i;

	for (i = 0; reg_in(0, node, i, &base, &size); i++)
		boot_add_ram(base, size);
}

static void read_reserved_memory(void)
{
	int parent = dt_path("/reserved-memory"), node;
	u64 base, size;
	unsigned i;

	if (parent < 0)
		return;
	fdt_for_each_subnode(node, fdt, parent) for (i = 0; reg_in(parent, node, i, &base, &size);
	                                             i++) boot_reserve(base, base + size);
}

void dt_read_memory(void)
{
	int i, node;
	u64 base, size;

	fdt_for_each_subnode(node, fdt, 0)
	{
		const char *type = dt_string(node, "device_type");

		if (type && !strcmp(type, "memory") && available(node))
			read_memory_node(node);
	}
	for (i = 0; i < fdt_num_mem_rsv(fdt); i++)
		if (!fdt_get_mem_rsv(fdt, i, &base, &size) && size)
			boot_reserve(base, base + size);
	read_reserved_memory();
}

void dt_read_chosen(void)
{
	int node = dt_path("/chosen");
	const char *args;

	if (node < 0)
		return;
	args = dt_string(node, "bootargs");
	if (args)
		boot_set_cmdline(args);
	boot_info.initrd_start = dt_number(node, "linux,initrd-start", 0);
	boot_info.initrd_end = dt_number(node, "linux,initrd-end", 0);
	if (boot_info.initrd_end <= boot_info.initrd_start)
		boot_info.initrd_start = boot_info.initrd_end = 0;
}

static size_t append_seed(char *buf, size_t at, size_t max, const char *prop)
{
	int node = dt_path("/chosen");
	u32 len = 0;
	const void *p = node < 0 ? NULL : dt_prop(node, prop, &len);
	size_t n = p ? min((size_t)len, max - at) : 0;

	if (n)
		memcpy(buf + at, p, n);
	return at + n;
}

size_t dt_seed(void *buf, size_t max)
{
	size_t n = append_seed(buf, 0, max, "rng-seed");

	return append_seed(buf, n, max, "kaslr-seed");
}
