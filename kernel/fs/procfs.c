/* SPDX-License-Identifier: MIT */
/* /proc: its root. The system's files are in proc_sys.c, those of tasks in proc_pid*.c. */
#include "kernel/fs/pseudo.h"

static const struct pseudo_entry proc_root = {
    .name = "/",
    .mode = S_IFDIR | 0555,
    .children = proc_root_files,
    .lookup = proc_pid_lookup,
    .next = proc_pid_next,
};

struct super *procfs_new(void)
{
	return pseudo_super("proc", PROC_MAGIC, &proc_root);
}
