/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/smaps and smaps_rollup: what each VMA has in memory, and with how many others it shares
 * that. A page that n entries map counts 1/n in Pss, in fixed point, so that the sum over all
 * programs is what there is.
 */
#include "mm/internal.h"
#include "mm/maps.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/vma.h"

#define PSS_SHIFT   12
#define VALUE_WIDTH 8
#define VALUE_AT    16 /* values are right-aligned in 8 columns from here on */

/* Bytes; pss: bytes << PSS_SHIFT. */
struct mem_sizes {
	uint64_t rss, shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t referenced, anonymous, lazyfree;
	uint64_t pss, pss_anon, pss_file, pss_shmem, pss_dirty, pss_locked;
};

/* ---- looking ---- */

static void smaps_pss(struct mem_sizes *m, const struct page *page, uint64_t pss, bool dirty)
{
	m->pss += pss;
	if (page_is_anon(page))
		m->pss_anon += pss;
	else if (page_test(page, PG_SHMEM))
		m->pss_shmem += pss;
	else
		m->pss_file += pss;
	if (dirty)
		m->pss_dirty += pss;
}

static void smaps_page(void *arg, const struct page *page, pte_t pte, int32_t mapcount)
{
	struct mem_sizes *m = arg;
	bool dirty = pte_dirty(pte) || page_test(page, PG_DIRTY | PG_WRITTEN);

	m->rss += PAGE_SIZE;
	if (page_is_anon(page)) {
		m->anonymous += PAGE_SIZE;
		if (!dirty)
			m->lazyfree += PAGE_SIZE;
	}
	if (pte_young(pte) || page_test(page, PG_REFERENCED))
		m->referenced += PAGE_SIZE;
	if (mapcount > 1) {
		*(dirty ? &m->shared_dirty : &m->shared_clean) += PAGE_SIZE;
		smaps_pss(m, page, (PAGE_SIZE << PSS_SHIFT) / (uint32_t)mapcount, dirty);
	} else {
		*(dirty ? &m->private_dirty : &m->private_clean) += PAGE_SIZE;
		smaps_pss(m, page, PAGE_SIZE << PSS_SHIFT, dirty);
	}
}

void each_mapped_page(const struct vm_area_struct *vma, mapped_page_fn *fn, void *arg)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = vma->vm_start;
	struct page *table;

	while ((table = table_next_lock(mm, &addr, vma->vm_end))) {
		unsigned long stop = table_end(addr, vma->vm_end);
		const pte_t *ptep = table_pte(mm->sys, table, addr);

		for (; addr < stop; addr += PAGE_SIZE, ptep++) {
			pte_t pte = ptep_get(ptep);
			const struct page *page = pte_page_or_null(mm->sys, pte);

			if (page)
				fn(arg, page, pte, table_page_mapcount(table, page));
		}
		spin_unlock(&table->ptl);
	}
}

static void smaps_gather(struct mem_sizes *m, const struct vm_area_struct *vma)
{
	uint64_t pss = m->pss;

	each_mapped_page(vma, smaps_page, m);
	if (vma->vm_flags & MMK_VM_LOCKED)
		m->pss_locked += m->pss - pss;
}

/* ---- showing ---- */

/* "Name:" and a right-aligned number. */
static void smaps_value(struct text *t, const char *name, uint64_t value, const char *unit)
{
	struct text digits;
	char number[24];
	size_t at = t->len;

	text_begin(&digits, number, sizeof(number));
	text_dec(&digits, value);
	text_str(t, name);
	text_char(t, ':');
	text_pad(t, at + VALUE_AT + (digits.len < VALUE_WIDTH ? VALUE_WIDTH - digits.len : 0));
	text_str(t, number);
	text_str(t, unit);
}

static void smaps_kb(struct text *t, const char *name, uint64_t bytes)
{
	smaps_value(t, name, bytes >> 10, " kB\n");
}

/* The lines that smaps and its sum have both; huge pages, KSM and swap do not exist. */
static void smaps_lines(struct text *t, const struct mem_sizes *m, bool rollup)
{
	smaps_kb(t, "Rss", m->rss);
	smaps_kb(t, "Pss", m->pss >> PSS_SHIFT);
	smaps_kb(t, "Pss_Dirty", m->pss_dirty >> PSS_SHIFT);
	if (rollup) {
		smaps_kb(t, "Pss_Anon", m->pss_anon >> PSS_SHIFT);
		smaps_kb(t, "Pss_File", m->pss_file >> PSS_SHIFT);
		smaps_kb(t, "Pss_Shmem", m->pss_shmem >> PSS_SHIFT);
	}
	smaps_kb(t, "Shared_Clean", m->shared_clean);
	smaps_kb(t, "Shared_Dirty", m->shared_dirty);
	smaps_kb(t, "Private_Clean", m->private_clean);
	smaps_kb(t, "Private_Dirty", m->private_dirty);
	smaps_kb(t, "Referenced", m->referenced);
	smaps_kb(t, "Anonymous", m->anonymous);
	smaps_kb(t, "KSM", 0);
	smaps_kb(t, "LazyFree", m->lazyfree);
	smaps_kb(t, "AnonHugePages", 0);
	smaps_kb(t, "ShmemPmdMapped", 0);
	smaps_kb(t, "FilePmdMapped", 0);
	smaps_kb(t, "Shared_Hugetlb", 0);
	smaps_kb(t, "Private_Hugetlb", 0);
	smaps_kb(t, "Swap", 0);
	smaps_kb(t, "SwapPss", 0);
	smaps_kb(t, "Locked", m->pss_locked >> PSS_SHIFT);
}

/* Two letters for each flag, by its bit (man 5 proc_pid_smaps, and Linux's newer ones). */
static const char vm_flag_names[64][3] = {
    [0] = "rd",  [1] = "wr",  [2] = "ex",  [3] = "sh",  [4] = "mr",  [5] = "mw",  [6] = "me",
    [7] = "ms",  [8] = "gd",  [9] = "um",  [10] = "pf", [12] = "uw", [13] = "lo", [14] = "io",
    [15] = "sr", [16] = "rr", [17] = "dc", [18] = "de", [19] = "lf", [20] = "ac", [21] = "nr",
    [22] = "ht", [23] = "sf", [24] = "bt", [25] = "wf", [26] = "dd", [27] = "sd", [28] = "mm",
    [29] = "hg", [30] = "nh", [31] = "mg", [38] = "ui", [40] = "dp", [63] = "sl",
};

static void smaps_vm_flags(struct text *t, uint64_t flags)
{
	text_str(t, "VmFlags: ");
	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(flags >> bit & 1) || !vm_flag_names[bit][0])
			continue;
		text_str(t, vm_flag_names[bit]);
		text_char(t, ' ');
	}
	text_char(t, '\n');
}

static void smaps_vma(struct text *t, struct vm_area_struct *vma, char *path,
                      const struct mmk_task *task)
{
	struct mem_sizes m = {0};

	smaps_gather(&m, vma);
	maps_line(t, vma, path, task);
	smaps_kb(t, "Size", vma->vm_end - vma->vm_start);
	smaps_kb(t, "KernelPageSize", PAGE_SIZE);
	smaps_kb(t, "MMUPageSize", PAGE_SIZE);
	smaps_lines(t, &m, false);
	smaps_value(t, "THPeligible", 0, "\n");
	smaps_vm_flags(t, vma_shown_flags(vma));
}

long mmk_proc_smaps(struct mmk_task *task, struct mmk_mm *mm, uint64_t *pos, char *buf, size_t size)
{
	return stream_vmas(task, mm, pos, buf, size, smaps_vma);
}

long mmk_proc_smaps_rollup(struct mmk_task *task, struct mmk_mm *mm, char *buf, size_t size)
{
	struct vm_area_struct *vma;
	unsigned long start = 0, end = 0;
	struct mem_sizes m = {0};
	struct text t;

	mmap_read_lock(mm);
	vma_for_each (vma, mm) {
		smaps_gather(&m, vma);
		end = vma->vm_end;
	}
	if (end)
		start = vma_first(mm)->vm_start;
	mmap_read_unlock(mm);
	text_begin(&t, buf, size);
	maps_range(&t, start, end, 0);
	text_str(&t, "00000000 00:00 0 ");
	maps_pad(&t);
	text_str(&t, "[rollup]\n");
	smaps_lines(&t, &m, true);
	return t.len < size ? (long)t.len : -MMK_EOVERFLOW;
}
