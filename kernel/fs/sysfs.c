/* SPDX-License-Identifier: MIT */
/* /sys: the few files that programs look for, about CPUs, memory nodes and huge pages. */
#include "kernel/fs/pseudo.h"
#include "kernel/percpu.h"
#include "kernel/smp.h"

/* CPUs of a mask as a list: "0", "0-3", "0,2-3". */
static void show_cpu_list(struct seq *s, u64 mask)
{
	const char *sep = "";
	u32 cpu, last;

	for (cpu = 0; cpu < NR_CPUS; cpu = last + 1) {
		for (last = cpu; mask >> last & 1 && mask >> (last + 1) & 1; last++)
			;
		if (!(mask >> cpu & 1))
			continue;
		seq_printf(s, last > cpu ? "%s%u-%u" : "%s%u", sep, cpu, last);
		sep = ",";
	}
	seq_puts(s, "\n");
}

static int show_possible(const struct pseudo_ctx *c, struct seq *s)
{
	show_cpu_list(s, (1ull << nr_cpus) - 1);
	return 0;
}

static int show_online(const struct pseudo_ctx *c, struct seq *s)
{
	show_cpu_list(s, cpus_online());
	return 0;
}

static int show_node(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "0\n");
	return 0;
}

static int show_one(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "1\n");
	return 0;
}

static int show_console(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "ttyAMA0\n");
	return 0;
}

static int show_thp(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "always madvise [never]\n");
	return 0;
}

static int show_node_meminfo(const struct pseudo_ctx *c, struct seq *s)
{
	struct mmk_stats st;

	mmk_stats(mm_sys, &st);
	seq_printf(s, "Node 0 MemTotal:       %8llu kB\n", (unsigned long long)st.frames_total * 4);
	seq_printf(s, "Node 0 MemFree:        %8llu kB\n", (unsigned long long)st.frames_free * 4);
	seq_printf(s, "Node 0 MemUsed:        %8llu kB\n",
	           (unsigned long long)(st.frames_total - st.frames_free) * 4);
	seq_printf(s, "Node 0 FilePages:      %8llu kB\n",
	           (unsigned long long)(st.frames_file + st.frames_shmem) * 4);
	seq_printf(s, "Node 0 AnonPages:      %8llu kB\n", (unsigned long long)st.frames_anon * 4);
	seq_printf(s, "Node 0 Shmem:          %8llu kB\n", (unsigned long long)st.frames_shmem * 4);
	return 0;
}

#define DIR(n, c)                                                                                  \
	{                                                                                          \
		.name = n, .mode = S_IFDIR | 0755, .children = c                                   \
	}
#define FILE(n, f)                                                                                 \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0444, .show = f                                       \
	}
#define END                                                                                        \
	{                                                                                          \
		0                                                                                  \
	}

static const struct pseudo_entry cpu0[] = {FILE("online", show_one), END};
static const struct pseudo_entry cpu[] = {
    DIR("cpu0", cpu0),
    FILE("possible", show_possible),
    FILE("present", show_possible),
    FILE("online", show_online),
    END,
};
static const struct pseudo_entry node0[] = {
    FILE("cpulist", show_online),
    FILE("meminfo", show_node_meminfo),
    END,
};
static const struct pseudo_entry node[] = {
    DIR("node0", node0),
    FILE("possible", show_node),
    FILE("online", show_node),
    FILE("has_memory", show_node),
    END,
};
static const struct pseudo_entry system_dir[] = {DIR("cpu", cpu), DIR("node", node), END};
static const struct pseudo_entry devices[] = {DIR("system", system_dir), END};
static const struct pseudo_entry thp[] = {FILE("enabled", show_thp), END};
static const struct pseudo_entry mm[] = {DIR("transparent_hugepage", thp), END};
static const struct pseudo_entry kernel[] = {DIR("mm", mm), END};
static const struct pseudo_entry console[] = {FILE("active", show_console), END};
static const struct pseudo_entry tty[] = {DIR("console", console), END};
static const struct pseudo_entry class[] = {DIR("tty", tty), END};
static const struct pseudo_entry top[] = {DIR("class", class), DIR("devices", devices),
                                          DIR("kernel", kernel), END};
static const struct pseudo_entry sys_root = DIR("/", top);

struct super *sysfs_new(void)
{
	return pseudo_super("sysfs", SYSFS_MAGIC, &sys_root);
}
