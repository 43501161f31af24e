/* SPDX-License-Identifier: MIT */
/* The files of /proc about the memory of the whole system: meminfo, vmstat, buddyinfo. */
#include "kernel/fs/pseudo.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

typedef unsigned long long ull;

/* What both files tell: the core's figures, and what is counted for the occasion. */
struct memory_figures {
	struct mmk_stats st;
	struct mmk_frame_census census;
	u64 stacks, file_pages, write_pending; /* pages */
	u64 kbytes_in, kbytes_out, stacks_kb;
};

static void read_figures(struct memory_figures *m)
{
	struct sched_stats sched;

	mmk_stats(mm_sys, &m->st);
	mmk_frame_census(mm_sys, &m->census);
	sched_stats(&sched);
	m->stacks = sched.threads * THREAD_SIZE / PAGE_SIZE;
	m->stacks_kb = sched.threads * THREAD_SIZE / 1024;
	m->file_pages = m->st.frames_file + m->st.frames_shmem;
	m->write_pending = m->st.dirty + m->st.writeback;
	m->kbytes_in = m->st.pages_read * (PAGE_SIZE / 1024);
	m->kbytes_out = m->st.pages_written * (PAGE_SIZE / 1024);
}

/* ------------------------------------------------------------------ meminfo */

static void mem_line(struct seq *s, const char *name, u64 pages)
{
	char label[20];

	scnprintf(label, sizeof(label), "%s:", name);
	seq_printf(s, "%-15s %8llu kB\n", label, (ull)pages * (PAGE_SIZE / 1024));
}

/* What a program could have without the rest suffering: half of the cache, or the watermark, stays.
 */
static u64 available(const struct mmk_stats *st)
{
	u64 cache = st->frames_file - min(st->frames_file / 2, st->frames_low);
	u64 all = st->frames_free + cache;

	return all > st->frames_high ? all - st->frames_high : 0;
}

/* Pages are in no lists by age: anonymous ones are told as active, those of files as inactive. */
static void mem_in_use(struct seq *s, const struct memory_figures *m)
{
	const struct mmk_stats *st = &m->st;

	mem_line(s, "MemTotal", st->frames_total);
	mem_line(s, "MemFree", st->frames_free);
	mem_line(s, "MemAvailable", available(st));
	mem_line(s, "Buffers", 0);
	mem_line(s, "Cached", m->file_pages);
	mem_line(s, "SwapCached", 0);
	mem_line(s, "Active", st->frames_anon);
	mem_line(s, "Inactive", m->file_pages);
	mem_line(s, "Active(anon)", st->frames_anon);
	mem_line(s, "Inactive(anon)", st->frames_shmem);
	mem_line(s, "Active(file)", 0);
	mem_line(s, "Inactive(file)", st->frames_file);
	mem_line(s, "Unevictable", m->census.locked);
	mem_line(s, "Mlocked", m->census.locked);
	mem_line(s, "SwapTotal", 0);
	mem_line(s, "SwapFree", 0);
	mem_line(s, "Zswap", 0);
	mem_line(s, "Zswapped", 0);
	mem_line(s, "Dirty", st->dirty);
	mem_line(s, "Writeback", st->writeback);
	mem_line(s, "AnonPages", st->frames_anon);
	mem_line(s, "Mapped", m->census.mapped);
	mem_line(s, "Shmem", st->frames_shmem);
}

static void mem_kernels(struct seq *s, const struct memory_figures *m)
{
	mem_line(s, "KReclaimable", 0);
	mem_line(s, "Slab", m->st.frames_slab);
	mem_line(s, "SReclaimable", 0);
	mem_line(s, "SUnreclaim", m->st.frames_slab);
	mem_line(s, "KernelStack", m->stacks);
	mem_line(s, "PageTables", m->st.frames_table);
	mem_line(s, "SecPageTables", 0);
	mem_line(s, "NFS_Unstable", 0);
	mem_line(s, "Bounce", 0);
	mem_line(s, "WritebackTmp", 0);
	mem_line(s, "CommitLimit", m->st.commit_limit);
	mem_line(s, "Committed_AS", m->st.committed);
	mem_line(s, "VmallocTotal", 0);
	mem_line(s, "VmallocUsed", 0);
	mem_line(s, "VmallocChunk", 0);
	mem_line(s, "Percpu", 0);
	seq_puts(s, "HardwareCorrupted:     0 kB\n");
}

/* As where huge pages are off and none are set aside. */
static void mem_huge(struct seq *s)
{
	mem_line(s, "AnonHugePages", 0);
	mem_line(s, "ShmemHugePages", 0);
	mem_line(s, "ShmemPmdMapped", 0);
	mem_line(s, "FileHugePages", 0);
	mem_line(s, "FilePmdMapped", 0);
	mem_line(s, "CmaTotal", 0);
	mem_line(s, "CmaFree", 0);
	seq_puts(s, "HugePages_Total:       0\nHugePages_Free:        0\n"
	            "HugePages_Rsvd:        0\nHugePages_Surp:        0\n");
	mem_line(s, "Hugepagesize", 512);
	mem_line(s, "Hugetlb", 0);
}

int proc_show_meminfo(const struct pseudo_ctx *c, struct seq *s)
{
	struct memory_figures m;

	read_figures(&m);
	mem_in_use(s, &m);
	mem_kernels(s, &m);
	mem_huge(s);
	return 0;
}

/* ------------------------------------------------------------------ vmstat */

#define ST(field)  (offsetof(struct memory_figures, st.field) + 1)
#define FIG(field) (offsetof(struct memory_figures, field) + 1)
#define NO         0 /* there is no such thing here */

/* All names of Linux 6.12, in its order. */
static const struct {
	const char *name;
	u16 at; /* offset of the figure, plus 1; NO */
} vmstat_rows[] = {
    {"nr_free_pages", ST(frames_free)},
    {"nr_zone_inactive_anon", ST(frames_shmem)},
    {"nr_zone_active_anon", ST(frames_anon)},
    {"nr_zone_inactive_file", ST(frames_file)},
    {"nr_zone_active_file", NO},
    {"nr_zone_unevictable", FIG(census.locked)},
    {"nr_zone_write_pending", FIG(write_pending)},
    {"nr_mlock", FIG(census.locked)},
    {"nr_bounce", NO},
    {"nr_zspages", NO},
    {"nr_free_cma", NO},
    {"numa_hit", NO},
    {"numa_miss", NO},
    {"numa_foreign", NO},
    {"numa_interleave", NO},
    {"numa_local", NO},
    {"numa_other", NO},
    {"nr_inactive_anon", ST(frames_shmem)},
    {"nr_active_anon", ST(frames_anon)},
    {"nr_inactive_file", ST(frames_file)},
    {"nr_active_file", NO},
    {"nr_unevictable", FIG(census.locked)},
    {"nr_slab_reclaimable", NO},
    {"nr_slab_unreclaimable", ST(frames_slab)},
    {"nr_isolated_anon", NO},
    {"nr_isolated_file", NO},
    {"workingset_nodes", NO},
    {"workingset_refault_anon", NO},
    {"workingset_refault_file", NO},
    {"workingset_activate_anon", NO},
    {"workingset_activate_file", NO},
    {"workingset_restore_anon", NO},
    {"workingset_restore_file", NO},
    {"workingset_nodereclaim", NO},
    {"nr_anon_pages", ST(frames_anon)},
    {"nr_mapped", FIG(census.mapped)},
    {"nr_file_pages", FIG(file_pages)},
    {"nr_dirty", ST(dirty)},
    {"nr_writeback", ST(writeback)},
    {"nr_writeback_temp", NO},
    {"nr_shmem", ST(frames_shmem)},
    {"nr_shmem_hugepages", NO},
    {"nr_shmem_pmdmapped", NO},
    {"nr_file_hugepages", NO},
    {"nr_file_pmdmapped", NO},
    {"nr_anon_transparent_hugepages", NO},
    {"nr_vmscan_write", NO},
    {"nr_vmscan_immediate_reclaim", NO},
    {"nr_dirtied", NO},
    {"nr_written", ST(pages_written)},
    {"nr_throttled_written", NO},
    {"nr_kernel_misc_reclaimable", NO},
    {"nr_foll_pin_acquired", NO},
    {"nr_foll_pin_released", NO},
    {"nr_kernel_stack", FIG(stacks_kb)},
    {"nr_page_table_pages", ST(frames_table)},
    {"nr_sec_page_table_pages", NO},
    {"nr_iommu_pages", NO},
    {"nr_swapcached", NO},
    {"pgpromote_success", NO},
    {"pgpromote_candidate", NO},
    {"pgdemote_kswapd", NO},
    {"pgdemote_direct", NO},
    {"pgdemote_khugepaged", NO},
    {"nr_dirty_threshold", ST(dirty_limit)},
    {"nr_dirty_background_threshold", ST(dirty_background)},
    {"nr_memmap_pages", NO},
    {"nr_memmap_boot_pages", FIG(census.frame_table)},
    {"pgpgin", FIG(kbytes_in)},
    {"pgpgout", FIG(kbytes_out)},
    {"pswpin", NO},
    {"pswpout", NO},
    {"pgalloc_dma", ST(frames_allocated)},
    {"pgalloc_dma32", NO},
    {"pgalloc_normal", NO},
    {"pgalloc_movable", NO},
    {"pgalloc_device", NO},
    {"allocstall_dma", NO},
    {"allocstall_dma32", NO},
    {"allocstall_normal", NO},
    {"allocstall_movable", NO},
    {"allocstall_device", NO},
    {"pgskip_dma", NO},
    {"pgskip_dma32", NO},
    {"pgskip_normal", NO},
    {"pgskip_movable", NO},
    {"pgskip_device", NO},
    {"pgfree", NO},
    {"pgactivate", NO},
    {"pgdeactivate", NO},
    {"pglazyfree", ST(lazyfree)},
    {"pgfault", ST(faults)},
    {"pgmajfault", ST(faults_major)},
    {"pglazyfreed", ST(lazyfreed)},
    {"pgrefill", NO},
    {"pgreuse", ST(faults_cow_reuse)},
    {"pgsteal_kswapd", NO},
    {"pgsteal_direct", ST(reclaimed)},
    {"pgsteal_khugepaged", NO},
    {"pgscan_kswapd", NO},
    {"pgscan_direct", ST(scanned)},
    {"pgscan_khugepaged", NO},
    {"pgscan_direct_throttle", NO},
    {"pgscan_anon", NO},
    {"pgscan_file", ST(scanned)},
    {"pgsteal_anon", NO},
    {"pgsteal_file", ST(reclaimed)},
    {"zone_reclaim_success", NO},
    {"zone_reclaim_failed", NO},
    {"pginodesteal", NO},
    {"slabs_scanned", NO},
    {"kswapd_inodesteal", NO},
    {"kswapd_low_wmark_hit_quickly", NO},
    {"kswapd_high_wmark_hit_quickly", NO},
    {"pageoutrun", NO},
    {"pgrotated", NO},
    {"drop_pagecache", NO},
    {"drop_slab", NO},
    {"oom_kill", ST(ooms)},
    {"numa_pte_updates", NO},
    {"numa_huge_pte_updates", NO},
    {"numa_hint_faults", NO},
    {"numa_hint_faults_local", NO},
    {"numa_pages_migrated", NO},
    {"pgmigrate_success", NO},
    {"pgmigrate_fail", NO},
    {"thp_migration_success", NO},
    {"thp_migration_fail", NO},
    {"thp_migration_split", NO},
    {"compact_migrate_scanned", NO},
    {"compact_free_scanned", NO},
    {"compact_isolated", NO},
    {"compact_stall", NO},
    {"compact_fail", NO},
    {"compact_success", NO},
    {"compact_daemon_wake", NO},
    {"compact_daemon_migrate_scanned", NO},
    {"compact_daemon_free_scanned", NO},
    {"htlb_buddy_alloc_success", NO},
    {"htlb_buddy_alloc_fail", NO},
    {"cma_alloc_success", NO},
    {"cma_alloc_fail", NO},
    {"unevictable_pgs_culled", NO},
    {"unevictable_pgs_scanned", NO},
    {"unevictable_pgs_rescued", NO},
    {"unevictable_pgs_mlocked", NO},
    {"unevictable_pgs_munlocked", NO},
    {"unevictable_pgs_cleared", NO},
    {"unevictable_pgs_stranded", NO},
    {"thp_fault_alloc", NO},
    {"thp_fault_fallback", NO},
    {"thp_fault_fallback_charge", NO},
    {"thp_collapse_alloc", NO},
    {"thp_collapse_alloc_failed", NO},
    {"thp_file_alloc", NO},
    {"thp_file_fallback", NO},
    {"thp_file_fallback_charge", NO},
    {"thp_file_mapped", NO},
    {"thp_split_page", NO},
    {"thp_split_page_failed", NO},
    {"thp_deferred_split_page", NO},
    {"thp_underused_split_page", NO},
    {"thp_split_pmd", NO},
    {"thp_scan_exceed_none_pte", NO},
    {"thp_scan_exceed_swap_pte", NO},
    {"thp_scan_exceed_share_pte", NO},
    {"thp_zero_page_alloc", NO},
    {"thp_zero_page_alloc_failed", NO},
    {"thp_swpout", NO},
    {"thp_swpout_fallback", NO},
    {"balloon_inflate", NO},
    {"balloon_deflate", NO},
    {"balloon_migrate", NO},
    {"swap_ra", NO},
    {"swap_ra_hit", NO},
    {"swpin_zero", NO},
    {"swpout_zero", NO},
    {"ksm_swpin_copy", NO},
    {"cow_ksm", NO},
    {"zswpin", NO},
    {"zswpout", NO},
    {"zswpwb", NO},
    {"nr_unstable", NO},
};

int proc_show_vmstat(const struct pseudo_ctx *c, struct seq *s)
{
	struct memory_figures m;
	size_t i;

	read_figures(&m);
	for (i = 0; i < ARRAY_SIZE(vmstat_rows); i++) {
		u64 v = 0;

		if (vmstat_rows[i].at)
			memcpy(&v, (char *)&m + vmstat_rows[i].at - 1, sizeof(v));
		seq_printf(s, "%s %llu\n", vmstat_rows[i].name, (ull)v);
	}
	return 0;
}

/* ------------------------------------------------------------------ buddyinfo */

/* Free blocks by order; all of the memory is one zone of one node. */
int proc_show_buddyinfo(const struct pseudo_ctx *c, struct seq *s)
{
	struct mmk_frame_census census;
	u32 i;

	mmk_frame_census(mm_sys, &census);
	seq_puts(s, "Node 0, zone      DMA ");
	for (i = 0; i < ARRAY_SIZE(census.free_blocks); i++)
		seq_printf(s, "%6llu ", (ull)census.free_blocks[i]);
	seq_puts(s, "\n");
	return 0;
}
