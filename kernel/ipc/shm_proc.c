/* SPDX-License-Identifier: MIT */
/* /proc/sysvipc/shm, and the limits in /proc/sys/kernel. */
#include "kernel/fs/pseudo.h"
#include "kernel/ipc/ipc.h"
#include "kernel/ipc/shm.h"
#include "kernel/lib/string.h"

typedef unsigned long long ull;

static void show_segment(struct seq *s, const struct segment *seg)
{
	u64 rss = READ_ONCE(seg->file->inode->mapping.nrpages) * PAGE_SIZE;

	seq_printf(s, "%10d %10d  %4o %21llu %5u %5u  %5llu %5u %5u %5u %5u ", seg->ipc.key,
	           seg->ipc.id, seg->ipc.mode, (ull)seg->ipc.size, (u32)seg->cpid, (u32)seg->lpid,
	           (ull)seg->nattch, seg->ipc.uid, seg->ipc.gid, seg->ipc.cuid, seg->ipc.cgid);
	seq_printf(s, "%10llu %10llu %10llu %21llu %21llu\n", (ull)seg->atime, (ull)seg->dtime,
	           (ull)seg->ipc.ctime, (ull)rss, 0ull);
}

int shm_proc_show(const struct pseudo_ctx *c, struct seq *s)
{
	const struct segment *seg;

	seq_puts(s, "       key      shmid perms                  size  cpid  lpid nattch   uid"
	            "   gid  cuid  cgid      atime      dtime      ctime"
	            "                   rss                  swap\n");
	spin_lock(&shm_table.lock);
	list_for_each_entry (seg, &shm_table.objects, ipc.node)
		show_segment(s, seg);
	spin_unlock(&shm_table.lock);
	return 0;
}

struct knob {
	const char *name;
	u64 *wide;
	u32 *narrow;
	u64 max;
};

static const struct knob knobs[] = {
    {"shmmax", &shm_max, NULL, ~0ull},      {"shmall", &shm_all, NULL, ~0ull},
    {"shmmni", NULL, &shm_mni, IPC_SLOTS},  {"shm_rmid_forced", NULL, &shm_rmid_forced, 1},
    {"msgmax", NULL, &msg_max, 0x7fffffff}, {"msgmnb", NULL, &msg_mnb, 0x7fffffff},
    {"msgmni", NULL, &msg_mni, IPC_SLOTS},
};

static const struct knob *find_knob(const char *name)
{
	const struct knob *k = knobs;

	while (strcmp(k->name, name))
		k++;
	return k;
}

int ipc_knob_show(const struct pseudo_ctx *c, struct seq *s)
{
	const struct knob *k = find_knob(c->e->name);

	seq_printf(s, "%llu\n", k->wide ? (ull)READ_ONCE(*k->wide) : (ull)READ_ONCE(*k->narrow));
	return 0;
}

ssize_t ipc_knob_write(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos)
{
	const struct knob *k = find_knob(c->e->name);
	char text[32], *end;
	u64 v;

	if (pos || !n)
		return (ssize_t)n;
	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, buf, n);
	text[n] = '\0';
	v = strtoul(text, &end, 0);
	if (end == text || (*end && *end != '\n' && *end != ' ') || v > k->max)
		return -EINVAL;
	if (k->wide)
		WRITE_ONCE(*k->wide, v);
	else
		WRITE_ONCE(*k->narrow, (u32)v);
	shm_remove_orphans();
	return (ssize_t)n;
}
