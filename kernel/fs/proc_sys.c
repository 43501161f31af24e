/* SPDX-License-Identifier: MIT */
/* The files of /proc that speak of the whole system, and /proc/sys. */
#include "kernel/arch/cpufeature.h"
#include "kernel/boot.h"
#include "kernel/clock.h"
#include "kernel/fs/pseudo.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/percpu.h"
#include "kernel/sched/grace.h"
#include "kernel/sched/task.h"
#include "kernel/smp.h"
#include "kernel/sys/syscall.h"

#define HZ_NS 10000000ull /* a tick of USER_HZ */

typedef unsigned long long ull;

/* ------------------------------------------------------------------ memory */

static void stat_line(struct seq *s, const char *name, u64 v)
{
	seq_printf(s, "%s %llu\n", name, (ull)v);
}

/* What the memory system counts that Linux has no name for. */
static int show_mmkit(const struct pseudo_ctx *c, struct seq *s)
{
	struct mmk_stats st;

	mmk_stats(mm_sys, &st);
	stat_line(s, "faults_anon_zero", st.faults_anon_zero);
	stat_line(s, "faults_anon", st.faults_anon);
	stat_line(s, "faults_file_read", st.faults_file_read);
	stat_line(s, "faults_file_private", st.faults_file_private);
	stat_line(s, "faults_file_shared", st.faults_file_shared);
	stat_line(s, "faults_cow_copy", st.faults_cow_copy);
	stat_line(s, "faults_cow_reuse", st.faults_cow_reuse);
	stat_line(s, "faults_spurious", st.faults_spurious);
	stat_line(s, "faults_refused", st.faults_refused);
	stat_line(s, "tables_shared", st.tables_shared);
	stat_line(s, "tables_copied", st.tables_copied);
	stat_line(s, "vmas", st.vmas);
	stat_line(s, "vmas_made", st.vmas_made);
	stat_line(s, "merges", st.merges);
	stat_line(s, "splits", st.splits);
	stat_line(s, "tlbi_va", st.tlbi_va);
	stat_line(s, "tlbi_asid", st.tlbi_asid);
	stat_line(s, "tlbi_all", st.tlbi_all);
	stat_line(s, "dsb", st.dsb);
	stat_line(s, "pte_writes", st.pte_writes);
	stat_line(s, "refusals", st.refusals);
	stat_line(s, "frames_allocated", st.frames_allocated);
	stat_line(s, "objects_allocated", st.objects_allocated);
	stat_line(s, "locks_taken", st.locks_taken);
	return 0;
}

/*
 * Where every frame is: "total" is the sum of the lines down to "kernel". What waits for a grace
 * period is over by then, so on a machine at rest the same programs leave the same figures.
 */
static int show_frames(const struct pseudo_ctx *c, struct seq *s)
{
	struct mmk_frame_ledger l;

	grace_drain();
	mmk_frame_ledger(mm_sys, &l);
	stat_line(s, "total", l.total);
	stat_line(s, "reserved", l.reserved);
	stat_line(s, "free", l.free);
	stat_line(s, "anonymous", l.anonymous);
	stat_line(s, "page_cache", l.page_cache);
	stat_line(s, "tables", l.tables);
	stat_line(s, "slab", l.slab);
	stat_line(s, "kernel", l.kernel);
	stat_line(s, "of_them_shared_memory", l.shared_memory);
	stat_line(s, "of_them_empty_slabs", l.empty_slabs);
	stat_line(s, "unmapped_anonymous", l.unmapped);
	stat_line(s, "detached_page_cache", l.detached);
	return 0;
}

static long stream_refusals(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size)
{
	return mmk_stats_refusals(mm_sys, cursor, buf, size);
}

/* ------------------------------------------------------------------ time and load */

static int show_uptime(const struct pseudo_ctx *c, struct seq *s)
{
	struct sched_stats st;
	u64 up = clock_ns() / HZ_NS, idle;

	sched_stats(&st);
	idle = st.times.idle_ns / HZ_NS;
	seq_printf(s, "%llu.%02llu %llu.%02llu\n", (ull)up / 100, (ull)up % 100, (ull)idle / 100,
	           (ull)idle % 100);
	return 0;
}

static int show_loadavg(const struct pseudo_ctx *c, struct seq *s)
{
	struct sched_stats st;
	unsigned i;

	sched_stats(&st);
	for (i = 0; i < 3; i++)
		seq_printf(s, "%llu.%02llu ", (ull)st.load[i] >> 16,
		           (ull)(st.load[i] & 0xffff) * 100 >> 16);
	seq_printf(s, "%u/%u %d\n", st.running, st.threads, st.last_pid);
	return 0;
}

static void cpu_line(struct seq *s, const struct cpu_times *t)
{
	seq_printf(s, "%llu 0 %llu %llu 0 0 0 0 0 0\n", (ull)t->user_ns / HZ_NS,
	           (ull)t->system_ns / HZ_NS, (ull)t->idle_ns / HZ_NS);
}

static int show_stat(const struct pseudo_ctx *c, struct seq *s)
{
	struct sched_stats st;
	struct cpu_times t;
	u32 cpu;

	sched_stats(&st);
	seq_puts(s, "cpu  ");
	cpu_line(s, &st.times);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		if (!sched_cpu_times(cpu, &t))
			continue;
		seq_printf(s, "cpu%u ", cpu);
		cpu_line(s, &t);
	}
	seq_printf(s, "intr 0\nctxt %llu\nbtime %llu\nprocesses %llu\n", (ull)st.switches,
	           (ull)((realtime_ns() - clock_ns()) / NSEC_PER_SEC), (ull)st.forks);
	seq_printf(s, "procs_running %u\nprocs_blocked 0\n", st.running);
	seq_puts(s, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
	return 0;
}

/* ------------------------------------------------------------------ what the system is */

static int show_version(const struct pseudo_ctx *c, struct seq *s)
{
	seq_printf(s, "Linux version %s (mmkit) (%s) %s\n", uts_release, __VERSION__, uts_version);
	return 0;
}

static void show_features(struct seq *s)
{
	unsigned i;

	for (i = 0; i < 128; i++) {
		u64 word = i < 64 ? cpu_features.hwcap : cpu_features.hwcap2;

		if (word >> (i % 64) & 1)
			seq_printf(s, " %s", hwcap_name(i >= 64, i % 64));
	}
}

/* All CPUs are of the kind that booted. */
static void show_one_cpu(struct seq *s, u32 cpu)
{
	u64 midr = cpu_features.midr;

	seq_printf(s, "processor\t: %u\nBogoMIPS\t: %u.%02u\n", cpu,
	           clock_frequency() * 2 / 1000000, clock_frequency() * 2 / 10000 % 100);
	seq_puts(s, "Features\t:");
	show_features(s);
	seq_printf(s, "\nCPU implementer\t: 0x%02llx\n", (ull)midr >> 24 & 0xff);
	seq_printf(s, "CPU architecture: 8\nCPU variant\t: 0x%llx\nCPU part\t: 0x%03llx\n",
	           (ull)midr >> 20 & 0xf, (ull)midr >> 4 & 0xfff);
	seq_printf(s, "CPU revision\t: %llu\n\n", (ull)midr & 0xf);
}

static int show_cpuinfo(const struct pseudo_ctx *c, struct seq *s)
{
	u64 online = cpus_online();
	u32 cpu;

	for (cpu = 0; cpu < NR_CPUS; cpu++)
		if (online >> cpu & 1)
			show_one_cpu(s, cpu);
	return 0;
}

static int show_filesystems(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tramfs\n"
	            "nodev\t9p\n");
	return 0;
}

static int show_cmdline(const struct pseudo_ctx *c, struct seq *s)
{
	seq_printf(s, "%s\n", boot_info.cmdline);
	return 0;
}

static int show_swaps(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

static int show_devices(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n204 ttyAMA\n"
	            "229 hvc\n\nBlock devices:\n");
	return 0;
}

static ssize_t self_link(const struct pseudo_ctx *c, char *buf, size_t size)
{
	return scnprintf(buf, size, "%d", current->proc->tgid);
}

static ssize_t thread_self_link(const struct pseudo_ctx *c, char *buf, size_t size)
{
	return scnprintf(buf, size, "%d/task/%d", current->proc->tgid, current->pid);
}

static ssize_t mounts_link(const struct pseudo_ctx *c, char *buf, size_t size)
{
	return scnprintf(buf, size, "self/mounts");
}

/* ------------------------------------------------------------------ /proc/sys */

static int show_osrelease(const struct pseudo_ctx *c, struct seq *s)
{
	seq_printf(s, "%s\n", uts_release);
	return 0;
}

static int show_uts_version(const struct pseudo_ctx *c, struct seq *s)
{
	seq_printf(s, "%s\n", uts_version);
	return 0;
}

static int show_ostype(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "Linux\n");
	return 0;
}

static int show_hostname(const struct pseudo_ctx *c, struct seq *s)
{
	char name[65];

	uts_hostname(name, sizeof(name));
	seq_printf(s, "%s\n", name);
	return 0;
}

static int show_pid_max(const struct pseudo_ctx *c, struct seq *s)
{
	seq_printf(s, "%d\n", PID_MAX);
	return 0;
}

static int show_threads_max(const struct pseudo_ctx *c, struct seq *s)
{
	seq_printf(s, "%d\n", PID_MAX);
	return 0;
}

static int show_cap_last(const struct pseudo_ctx *c, struct seq *s)
{
	seq_printf(s, "%d\n", CAP_LAST);
	return 0;
}

static int show_ngroups_max(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "65536\n");
	return 0;
}

static int show_overflow_id(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "65534\n");
	return 0;
}

/* Stacks, mappings and heaps are placed at random, unless personality(2) says otherwise. */
static int show_randomize(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "2\n");
	return 0;
}

static int show_pipe_max(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "65536\n");
	return 0;
}

static int show_boot_id(const struct pseudo_ctx *c, struct seq *s)
{
	static u8 id[16];
	unsigned i;

	if (!id[6])
		random_bytes(id, sizeof(id));
	id[6] = (u8)((id[6] & 0x0f) | 0x40); /* RFC 4122, version 4 */
	id[8] = (u8)((id[8] & 0x3f) | 0x80);
	for (i = 0; i < 16; i++)
		seq_printf(s, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
	seq_puts(s, "\n");
	return 0;
}

static int show_file_nr(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "0\t0\t9223372036854775807\n");
	return 0;
}

static int show_nr_open(const struct pseudo_ctx *c, struct seq *s)
{
	seq_puts(s, "16384\n");
	return 0;
}

#define DIR(n, c)                                                                                  \
	{                                                                                          \
		.name = n, .mode = S_IFDIR | 0555, .children = c                                   \
	}
#define FILE(n, f)                                                                                 \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0444, .show = f                                       \
	}
#define IPC_KNOB(n)                                                                                \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0644, .show = ipc_knob_show, .write = ipc_knob_write  \
	}
#define LINK(n, f)                                                                                 \
	{                                                                                          \
		.name = n, .mode = S_IFLNK | 0777, .readlink = f                                   \
	}
#define END                                                                                        \
	{                                                                                          \
		0                                                                                  \
	}

static const struct pseudo_entry sys_random[] = {FILE("boot_id", show_boot_id), END};
static const struct pseudo_entry sys_kernel[] = {
    FILE("ostype", show_ostype),
    FILE("osrelease", show_osrelease),
    FILE("version", show_uts_version),
    FILE("hostname", show_hostname),
    FILE("pid_max", show_pid_max),
    FILE("threads-max", show_threads_max),
    FILE("cap_last_cap", show_cap_last),
    IPC_KNOB("msgmax"),
    IPC_KNOB("msgmnb"),
    IPC_KNOB("msgmni"),
    IPC_KNOB("shmall"),
    IPC_KNOB("shmmax"),
    IPC_KNOB("shmmni"),
    IPC_KNOB("shm_rmid_forced"),
    FILE("ngroups_max", show_ngroups_max),
    FILE("overflowuid", show_overflow_id),
    FILE("overflowgid", show_overflow_id),
    FILE("randomize_va_space", show_randomize),
    DIR("random", sys_random),
    END,
};
static const struct pseudo_entry sys_fs[] = {
    FILE("pipe-max-size", show_pipe_max),
    FILE("file-nr", show_file_nr),
    FILE("nr_open", show_nr_open),
    END,
};
static const struct pseudo_entry proc_sys[] = {
    DIR("fs", sys_fs),
    DIR("kernel", sys_kernel),
    DIR("vm", proc_sys_vm),
    END,
};
static const struct pseudo_entry proc_mmkit[] = {
    FILE("stats", show_mmkit),
    {.name = "frames", .mode = S_IFREG | 0400, .show = show_frames},
    {.name = "check", .mode = S_IFREG | 0400, .show = proc_show_check},
    {.name = "refusals", .mode = S_IFREG | 0400, .stream = stream_refusals},
    END,
};

static const struct pseudo_entry proc_sysvipc[] = {
    FILE("msg", msg_proc_show),
    FILE("sem", sem_proc_show),
    FILE("shm", shm_proc_show),
    END,
};

const struct pseudo_entry proc_root_files[] = {
    LINK("self", self_link),
    LINK("thread-self", thread_self_link),
    LINK("mounts", mounts_link),
    FILE("buddyinfo", proc_show_buddyinfo),
    FILE("cmdline", show_cmdline),
    FILE("cpuinfo", show_cpuinfo),
    FILE("devices", show_devices),
    FILE("filesystems", show_filesystems),
    FILE("loadavg", show_loadavg),
    FILE("meminfo", proc_show_meminfo),
    DIR("mmkit", proc_mmkit),
    FILE("stat", show_stat),
    FILE("swaps", show_swaps),
    DIR("sys", proc_sys),
    DIR("sysvipc", proc_sysvipc),
    FILE("uptime", show_uptime),
    FILE("version", show_version),
    FILE("vmstat", proc_show_vmstat),
    END,
};
