/* SPDX-License-Identifier: MIT */
/* What the memory system has done, in words: the end of `run --report`. */
#include "kernel/hooks.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/grace.h"
#include "kernel/sched/task.h"

typedef void (*report_out)(const char *text, size_t n);

struct line {
	const char *what;
	u64 value;
};

static void put_section(report_out out, const char *title, const struct line *l, unsigned n)
{
	char buf[96];
	unsigned i;

	out(buf, scnprintf(buf, sizeof(buf), "%s\n", title));
	for (i = 0; i < n; i++)
		out(buf, scnprintf(buf, sizeof(buf), "  %-38s %14lu\n", l[i].what, l[i].value));
}
#define SECTION(out, title, ...)                                                                   \
	do {                                                                                       \
		const struct line _l[] = {__VA_ARGS__};                                            \
		put_section(out, title, _l, ARRAY_SIZE(_l));                                       \
	} while (0)

static void report_mappings(report_out out, const struct mmk_stats *s)
{
	const struct mm_hook_counts *h = &mm_hook_counts;

	SECTION(out, "mappings", {"VMAs made", s->vmas_made}, {"VMAs left", s->vmas},
	        {"merges", s->merges}, {"splits", s->splits},
	        {"mmap calls with a descriptor", h->audited}, {"mappings announced", h->mappings},
	        {"  executable", h->executable}, {"  executable, of a file", h->code_files},
	        {"largest commit asked for (pages)", h->commit_peak},
	        {"denied by mmap.wx", h->denied},
	        {"commits denied to dying programs", h->commit_denied});
}

static void report_faults(report_out out, const struct mmk_stats *s)
{
	SECTION(out, "faults", {"all", s->faults}, {"  major (had to read)", s->faults_major},
	        {"anonymous, zero page", s->faults_anon_zero},
	        {"anonymous, own frame", s->faults_anon}, {"file, read", s->faults_file_read},
	        {"file, private write", s->faults_file_private},
	        {"file, shared write", s->faults_file_shared},
	        {"copy on write, copied", s->faults_cow_copy},
	        {"copy on write, sole owner", s->faults_cow_reuse},
	        {"page tables shared by fork", s->tables_shared},
	        {"  copied when one changed", s->tables_copied},
	        {"spurious", s->faults_spurious}, {"refused (a signal)", s->faults_refused});
}

static void report_frames(report_out out, const struct mmk_stats *s)
{
	SECTION(out, "frames", {"all", s->frames_total}, {"free", s->frames_free},
	        {"anonymous", s->frames_anon}, {"page cache", s->frames_file},
	        {"shared memory", s->frames_shmem}, {"page tables", s->frames_table},
	        {"objects", s->frames_slab}, {"other", s->frames_other}, {"dirty pages", s->dirty},
	        {"committed (pages)", s->committed}, {"pages read", s->pages_read},
	        {"pages written", s->pages_written});
}

static void report_hardware(report_out out, const struct mmk_stats *s)
{
	SECTION(out, "TLB", {"TLBI by address", s->tlbi_va}, {"TLBI by ASID", s->tlbi_asid},
	        {"TLBI of all", s->tlbi_all});
}

static void report_kernel(report_out out)
{
	struct sched_stats s;

	sched_stats(&s);
	SECTION(out, "kernel", {"forks", s.forks}, {"switches", s.switches},
	        {"microseconds idle", s.times.idle_ns / 1000});
}

static void report_refusals(report_out out, const struct mmk_stats *s)
{
	char buf[512];
	u64 pos = 0;
	long n;

	SECTION(out, "refusals", {"all", s->refusals});
	while ((n = mmk_stats_refusals(mm_sys, &pos, buf, sizeof(buf))) > 0)
		out(buf, n);
}

/* Every invariant of the core, once more at the end. */
static void report_check(report_out out)
{
	char what[256] = "";
	unsigned bad = mmk_check(mm_sys, what, sizeof(what));

	SECTION(out, "check", {"invariants violated", bad});
	if (bad)
		out(what, strlen(what));
}

void mm_report(report_out out)
{
	struct mmk_stats s;

	grace_drain();
	mmk_stats(mm_sys, &s);
	report_mappings(out, &s);
	report_faults(out, &s);
	report_frames(out, &s);
	report_hardware(out, &s);
	report_kernel(out);
	report_refusals(out, &s);
	report_check(out);
}
