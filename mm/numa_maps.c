/* SPDX-License-Identifier: MIT */
/* /proc/PID/numa_maps: what lies on which memory node. There is one node, so all of it on that. */
#include "mm/internal.h"
#include "mm/maps.h"
#include "mm/memory.h"
#include "mm/mempolicy.h"
#include "mm/vma.h"

struct numa_sizes {
	uint64_t pages, anon, dirty, active;
	int32_t mapmax;
};

static void numa_page(void *arg, const struct page *page, pte_t pte, int32_t mapcount)
{
	bool anon = page_is_anon(page);
	struct numa_sizes *n = arg;

	/* Frames that belong to the kernel, as [vdso]'s, lie nowhere. */
	if (!anon && page_kind(page) != PAGE_CACHE)
		return;
	n->pages++;
	n->anon += anon;
	n->dirty += pte_dirty(pte) || page_test(page, PG_DIRTY | PG_WRITTEN);
	n->active += anon || page_test(page, PG_REFERENCED);
	if (mapcount > n->mapmax)
		n->mapmax = mapcount;
}

static void numa_value(struct text *t, const char *name, uint64_t value)
{
	text_char(t, ' ');
	text_str(t, name);
	text_char(t, '=');
	text_dec(t, value);
}

static void numa_counts(struct text *t, const struct numa_sizes *n)
{
	if (n->anon)
		numa_value(t, "anon", n->anon);
	if (n->dirty)
		numa_value(t, "dirty", n->dirty);
	if (n->pages != n->anon && n->pages != n->dirty)
		numa_value(t, "mapped", n->pages);
	if (n->mapmax > 1)
		numa_value(t, "mapmax", (uint64_t)n->mapmax);
	if (n->active < n->pages)
		numa_value(t, "active", n->active);
	numa_value(t, "N0", n->pages);
	numa_value(t, "kernelpagesize_kB", PAGE_SIZE >> 10);
}

static void numa_line(struct text *t, struct vm_area_struct *vma, char *path,
                      const struct mmk_task *task)
{
	struct numa_sizes n = {0};

	each_mapped_page(vma, numa_page, &n);
	text_hex(t, vma->vm_start, 8);
	text_char(t, ' ');
	policy_text(t, vma->policy ? vma->policy : task->mempolicy);
	if (vma->vm_file) {
		text_str(t, " file=");
		maps_path(t, vma, path, "\n\t= ");
	} else if (vma_is_heap(vma)) {
		text_str(t, " heap");
	} else if (vma_is_stack(vma)) {
		text_str(t, " stack");
	}
	if (n.pages)
		numa_counts(t, &n);
	text_char(t, '\n');
}

long mmk_proc_numa_maps(struct mmk_task *task, struct mmk_mm *mm, uint64_t *pos, char *buf,
                        size_t size)
{
	return stream_vmas(task, mm, pos, buf, size, numa_line);
}
