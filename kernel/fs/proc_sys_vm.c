/* SPDX-License-Identifier: MIT */
/*
 * /proc/sys/vm: the memory system's knobs by their names, and a few of Linux's that have nothing to
 * turn here but are set by start-up scripts.
 */
#include "kernel/fs/memfd.h"
#include "kernel/fs/pseudo.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

/* ------------------------------------------------------------------ numbers as sysctl has them */

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t skip_blanks(const char *s, size_t at, size_t n)
{
	while (at < n && is_blank(s[at]))
		at++;
	return at;
}

/*
 * One number at the beginning of the text, blanks around it; what follows them is left. Returns how
 * much of the text that is, or -EINVAL.
 */
static ssize_t read_number(const char *text, size_t n, u64 *out)
{
	size_t at = skip_blanks(text, 0, n), len = 0;
	char digits[24], *end;

	while (at + len < n && !is_blank(text[at + len]) && len < sizeof(digits) - 1) {
		digits[len] = text[at + len];
		len++;
	}
	digits[len] = '\0';
	if (digits[0] < '0' || digits[0] > '9')
		return -EINVAL;
	*out = strtoul(digits, &end, 0);
	if (*end || len > 20 || (*out == UINT64_MAX && strcmp(digits, "18446744073709551615")))
		return -EINVAL;
	return (ssize_t)skip_blanks(text, at + len, n);
}

/* Only a read from the start has the number, and only a write there sets it. */
static ssize_t give_number(u64 v, void *buf, size_t n, u64 pos)
{
	char text[24];
	size_t len = (size_t)scnprintf(text, sizeof(text), "%llu\n", (unsigned long long)v);

	if (pos)
		return 0;
	n = min(n, len);
	memcpy(buf, text, n);
	return (ssize_t)n;
}

/* ------------------------------------------------------------------ knobs of the core */

static ssize_t read_knob(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                         u64 pos)
{
	u64 v;
	int err = mmk_sysctl_get(mm_sys, c->e->name, &v);

	return err ? err : give_number(v, buf, n, pos);
}

static ssize_t write_knob(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	ssize_t used;
	u64 v;
	int err;

	if (pos || !n)
		return (ssize_t)n;
	used = read_number(buf, n, &v);
	if (used < 0)
		return used;
	err = mmk_sysctl_set(mm_sys, c->e->name, v);
	return err ? err : used;
}

static ssize_t write_min_addr(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	return capable(CAP_SYS_RAWIO) ? write_knob(c, buf, n, pos) : -EPERM;
}

/* 1: what is clean of the page cache goes; 2: names that nobody uses, and
 * objects that CPUs keep ready; 3: both. */
static ssize_t write_drop_caches(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	ssize_t used;
	u64 how;

	if (pos || !n)
		return (ssize_t)n;
	used = read_number(buf, n, &how);
	if (used < 0)
		return used;
	if (how < 1 || how > 4)
		return -EINVAL;
	if (how & 2)
		d_shrink(0);
	mmk_sysctl_set(mm_sys, "drop_caches", how);
	return used;
}

/* ------------------------------------------------------------------ kept and told, no more */

static struct {
	const char *name;
	u32 max, value;
} kept[] = {
    {"page-cluster", 31, 3},
    {"stat_interval", INT32_MAX, 1},
    {"swappiness", 200, 60},
    {"vfs_cache_pressure", INT32_MAX, 100},
};

static u32 *find_kept(const char *name, u32 *max)
{
	u32 i;

	for (i = 0; strcmp(kept[i].name, name); i++)
		;
	*max = kept[i].max;
	return &kept[i].value;
}

static ssize_t read_kept(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                         u64 pos)
{
	u32 max;

	return give_number(READ_ONCE(*find_kept(c->e->name, &max)), buf, n, pos);
}

static ssize_t write_kept(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	ssize_t used;
	u32 max, *value = find_kept(c->e->name, &max);
	u64 v;

	if (pos || !n)
		return (ssize_t)n;
	used = read_number(buf, n, &v);
	if (used < 0)
		return used;
	if (v > max)
		return -EINVAL;
	WRITE_ONCE(*value, (u32)v);
	return used;
}

/* ------------------------------------------------------------------ the directory */

#define KNOB(n, m)                                                                                 \
	{                                                                                          \
		.name = n, .mode = S_IFREG | m, .read_at = read_knob, .write = write_knob          \
	}
#define KEPT(n)                                                                                    \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0644, .read_at = read_kept, .write = write_kept       \
	}

const struct pseudo_entry proc_sys_vm[] = {
    KNOB("admin_reserve_kbytes", 0644),
    KNOB("dirty_background_bytes", 0644),
    KNOB("dirty_background_ratio", 0644),
    KNOB("dirty_bytes", 0644),
    KNOB("dirty_expire_centisecs", 0644),
    KNOB("dirty_ratio", 0644),
    KNOB("dirty_writeback_centisecs", 0644),
    {.name = "drop_caches", .mode = S_IFREG | 0200, .write = write_drop_caches},
    KNOB("legacy_va_layout", 0644),
    KNOB("max_map_count", 0644),
    {.name = "memfd_noexec",
     .mode = S_IFREG | 0644,
     .show = memfd_knob_show,
     .write = memfd_knob_write},
    KNOB("min_free_kbytes", 0644),
    {.name = "mmap_min_addr",
     .mode = S_IFREG | 0644,
     .read_at = read_knob,
     .write = write_min_addr},
    KNOB("mmap_rnd_bits", 0600),
    KNOB("oom_dump_tasks", 0644),
    KNOB("oom_kill_allocating_task", 0644),
    KNOB("overcommit_kbytes", 0644),
    KNOB("overcommit_memory", 0644),
    KNOB("overcommit_ratio", 0644),
    KEPT("page-cluster"),
    KNOB("panic_on_oom", 0644),
    KEPT("stat_interval"),
    KEPT("swappiness"),
    KNOB("user_reserve_kbytes", 0644),
    KEPT("vfs_cache_pressure"),
    {.name = NULL},
};
