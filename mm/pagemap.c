/* SPDX-License-Identifier: MIT */
/*
 * What the page tables hold, for looking at: /proc/PID/pagemap (8 bytes a page, man 5
 * proc_pid_pagemap) and a dump of the entries themselves.
 */
#include "mm/internal.h"
#include "mm/memory.h"
#include "mm/share.h"
#include "mm/text.h"
#include "mm/vma.h"

#define PM_PRESENT    (1ull << 63)
#define PM_FILE	      (1ull << 61) /* a file's page, or shared anonymous */
#define PM_GUARD      (1ull << 58) /* a guard marker, as Linux 6.15 shows it */
#define PM_EXCLUSIVE  (1ull << 56) /* mapped once */
#define PM_SOFT_DIRTY (1ull << 55) /* once clear_refs has begun to track it */
#define PM_PFN_MASK   ((1ull << 55) - 1)

static uint64_t pagemap_entry(const struct mm_struct *mm, const struct page *table, pte_t pte,
			      bool show_frame)
{
	uint64_t entry = PM_PRESENT;
	struct page *page;

	if (pte_none(pte))
		return 0;
	if (!pte_present(pte))
		return pte_marker_kind(pte) == PTE_MARKER_GUARD ? PM_GUARD : 0;
	if (mm->soft_dirty && pte_soft_dirty(pte))
		entry |= PM_SOFT_DIRTY;
	if (show_frame)
		entry |= (pte_phys(pte) >> PAGE_SHIFT) & PM_PFN_MASK;
	page = pte_counted_page(mm->sys, pte);
	if (!page)
		return entry;
	if (!page_is_anon(page))
		entry |= PM_FILE;
	if (table_page_mapcount(table, page) == 1)
		entry |= PM_EXCLUSIVE;
	return entry;
}

/* Entries of [addr, end), which one last-level table covers. */
static void pagemap_table(struct mm_struct *mm, unsigned long addr, unsigned long end,
			  bool show_frame, char *out)
{
	struct page *table = table_find_lock(mm, addr);
	pte_t *ptep;

	if (!table) {
		__builtin_memset(out, 0, ((end - addr) >> PAGE_SHIFT) * sizeof(uint64_t));
		return;
	}
	ptep = table_pte(mm->sys, table, addr);
	for (; addr < end; addr += PAGE_SIZE, out += sizeof(uint64_t)) {
		uint64_t entry = pagemap_entry(mm, table, ptep_get(ptep++), show_frame);

		__builtin_memcpy(out, &entry, sizeof(entry));
	}
	spin_unlock(&table->ptl);
}

/* What has been mapped since clear_refs is new, whether there are pages or not. */
static void pagemap_new_vmas(const struct mm_struct *mm, unsigned long start, unsigned long end,
			     char *out)
{
	const struct vm_area_struct *vma;

	for (vma = find_vma(mm, start); vma && vma->vm_start < end; vma = vma_next(vma)) {
		unsigned long addr = vma->vm_start > start ? vma->vm_start : start;
		unsigned long stop = vma->vm_end < end ? vma->vm_end : end;

		if (!(vma->vm_flags & MMK_VM_SOFTDIRTY))
			continue;
		for (; addr < stop; addr += PAGE_SIZE) {
			char *at = out + ((addr - start) >> PAGE_SHIFT) * sizeof(uint64_t);
			uint64_t entry;

			__builtin_memcpy(&entry, at, sizeof(entry));
			entry |= PM_SOFT_DIRTY;
			__builtin_memcpy(at, &entry, sizeof(entry));
		}
	}
}

long mmk_proc_pagemap(struct mmk_mm *mm, uint64_t pos, void *buf, size_t len, bool frames)
{
	const uint64_t pages = mm->task_size >> PAGE_SHIFT;
	uint64_t index = pos / sizeof(uint64_t), n = len / sizeof(uint64_t);
	unsigned long addr, end;
	char *out = buf;

	if (pos % sizeof(uint64_t) || len % sizeof(uint64_t))
		return -MMK_EINVAL;
	/* An address with a tag is the one without, as everywhere. */
	if (index <= ~0ul >> PAGE_SHIFT)
		index = untagged_addr(index << PAGE_SHIFT) >> PAGE_SHIFT;
	if (index >= pages)
		return 0;
	if (n > pages - index)
		n = pages - index;
	end = (index + n) << PAGE_SHIFT;
	mmap_read_lock(mm);
	for (addr = index << PAGE_SHIFT; addr < end;) {
		unsigned long stop = table_end(addr, end);

		pagemap_table(mm, addr, stop, frames, out);
		out += ((stop - addr) >> PAGE_SHIFT) * sizeof(uint64_t);
		addr = stop;
	}
	if (mm->soft_dirty)
		pagemap_new_vmas(mm, index << PAGE_SHIFT, end, buf);
	mmap_read_unlock(mm);
	return n * sizeof(uint64_t);
}

/* ---- ptdump ---- */

#define PTDUMP_LINE 96 /* no line is longer */

static const struct {
	bool (*has)(pte_t pte);
	const char *name;
} pte_words[] = {
	{pte_valid, " valid"},	   {pte_hw_writable, " rw"}, {pte_write, " may-write"},
	{pte_dirty, " dirty"},	   {pte_young, " young"},    {pte_user_exec, " exec"},
	{pte_special, " special"},
};

/* "address Llevel descriptor frame attributes" */
static size_t ptdump_line(char *buf, size_t size, unsigned long addr, pte_t pte)
{
	struct text t;

	text_begin(&t, buf, size);
	text_hex(&t, addr, 12);
	text_str(&t, " L");
	text_dec(&t, LAST_LEVEL);
	text_char(&t, ' ');
	text_hex(&t, pte.v, 16);
	text_char(&t, ' ');
	text_hex(&t, pte_phys(pte), 1);
	for (unsigned i = 0; i < sizeof(pte_words) / sizeof(pte_words[0]); i++)
		if (pte_words[i].has(pte))
			text_str(&t, pte_words[i].name);
	text_char(&t, '\n');
	return t.len;
}

/*
 * Lines for the present entries of [*addr, end) of one table, which is locked; *addr moves to the
 * first not shown.
 */
static size_t ptdump_table(struct mm_struct *mm, struct page *table, unsigned long *addr,
			   unsigned long end, char *buf, size_t size)
{
	bool shared = table_sharers(table) > 1;
	size_t done = 0;

	for (; *addr < end; *addr += PAGE_SIZE) {
		pte_t pte = ptep_get(table_pte(mm->sys, table, *addr));
		char line[PTDUMP_LINE];
		size_t len;

		if (!pte_present(pte))
			continue;
		if (shared) /* by the entry that leads to the table */
			pte = pte_wrprotect(pte);
		len = ptdump_line(line, sizeof(line), *addr, pte);
		if (len > size - done)
			break;
		__builtin_memcpy(buf + done, line, len);
		done += len;
	}
	return done;
}

long mmk_proc_ptdump(struct mmk_task *task, struct mmk_mm *mm, uint64_t *pos, char *buf,
		     size_t size)
{
	unsigned long addr = *pos;
	struct page *table;
	size_t done = 0;

	mmap_read_lock(mm);
	while ((table = table_next_lock(mm, &addr, mm->task_size))) {
		unsigned long stop = table_end(addr, mm->task_size);

		if (table_used(table))
			done += ptdump_table(mm, table, &addr, stop, buf + done, size - done);
		else
			addr = stop;
		spin_unlock(&table->ptl);
		if (addr < stop)
			break;
	}
	mmap_read_unlock(mm);
	*pos = addr;
	return done;
}
