/* SPDX-License-Identifier: MIT */
/*
 * File systems whose files are made up when they are read: /proc and /sys. A directory is a table
 * of rows; a file's text comes from a function.
 */
#ifndef KERNEL_FS_PSEUDO_H
#define KERNEL_FS_PSEUDO_H

#include "kernel/fs/vfs.h"

/* Text being written. What does not fit sets full: the caller comes again with a larger buffer. */
struct seq {
	char *buf;
	size_t size, len;
	bool full;
};

void seq_printf(struct seq *s, const char *fmt, ...) __printf(2, 3);
void seq_puts(struct seq *s, const char *text);
void seq_write(struct seq *s, const void *data, size_t n);

/* Of which task and descriptor a file of /proc/PID speaks; kept in its inode. */
struct pseudo_ctx {
	const struct pseudo_entry *e;
	s32 pid, tid; /* 0: none */
	u64 start;    /* task's start_time, so that a number used again is told apart */
	u32 fd;
	u64 from, to; /* in map_files: addresses of a mapping */
};

struct pseudo_entry {
	const char *name;
	u32 mode;
	const struct pseudo_entry *children; /* directories: rows up to one without a name */
	/* The whole text; 0 or -errno. */
	int (*show)(const struct pseudo_ctx *c, struct seq *s);
	/* Or piece by piece: bytes from *cursor (0 first) on, 0 at the end, -errno. */
	long (*stream)(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size);
	/* Or bytes at a position. */
	ssize_t (*read_at)(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
	                   u64 pos);
	ssize_t (*write)(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos);
	long (*ioctl)(const struct pseudo_ctx *c, u32 cmd, u64 arg);
	/* Links. */
	ssize_t (*readlink)(const struct pseudo_ctx *c, char *buf, size_t size);
	int (*follow)(const struct pseudo_ctx *c, struct path *out);
	/* Directories whose names are not all in the table. */
	int (*lookup)(const struct pseudo_ctx *c, const char *name, size_t len,
	              struct pseudo_ctx *out);
	/* The next such name at or behind *n (which it moves there); false: no more. */
	bool (*next)(const struct pseudo_ctx *c, u32 *n, char *name, size_t size, u8 *type);
	/* May the caller open it, beyond what mode says? */
	int (*permission)(const struct pseudo_ctx *c);
};

struct super *pseudo_super(const char *type, u32 magic, const struct pseudo_entry *root);
const struct pseudo_ctx *pseudo_ctx(const struct inode *inode);
/* That of an open directory, or NULL: it is no directory of such a file system. */
const struct pseudo_ctx *pseudo_dir_ctx(const struct file *f);
/* Whoever opened it was the administrator (CAP_SYS_ADMIN). */
bool pseudo_opened_by_admin(const struct file *f);

/* proc_sys.c */
extern const struct pseudo_entry proc_sys_dir[], proc_root_files[];
/* proc_sys_vm.c */
extern const struct pseudo_entry proc_sys_vm[];
/* proc_mem.c */
int proc_show_meminfo(const struct pseudo_ctx *c, struct seq *s);
int proc_show_vmstat(const struct pseudo_ctx *c, struct seq *s);
int proc_show_buddyinfo(const struct pseudo_ctx *c, struct seq *s);
/* proc_pid.c */
extern const struct pseudo_entry proc_pid_dir;
int proc_pid_lookup(const struct pseudo_ctx *c, const char *name, size_t len,
                    struct pseudo_ctx *out);
bool proc_pid_next(const struct pseudo_ctx *c, u32 *n, char *name, size_t size, u8 *type);
/* The task a file speaks of, with a reference, or NULL: it is gone. */
struct task *proc_task(const struct pseudo_ctx *c);
/* Whose directory an open file is, with a reference; NULL: nobody's (-EBADF), or gone (-ESRCH). */
struct process *proc_dir_process(const struct file *f, int *err);
bool parse_number(const char *name, size_t len, u32 *out);
/* Its mm with a reference, or NULL. */
struct mmk_mm *proc_mm(const struct pseudo_ctx *c);
/* What is written to a file as a number: spaces around it are fine. 0, -EINVAL, -ERANGE. */
int parse_int(const void *text, size_t n, int *out);
/* Likewise, without a sign; 0x... and 0... as in C. */
int parse_u64(const void *text, size_t n, u64 *out);
/* The same with 0x and 0 before numbers of base 16 and 8. */
int parse_int_any(const void *text, size_t n, int *out);
int proc_may_ptrace(const struct pseudo_ctx *c);
/* proc_pid_mm.c */
long proc_stream_maps(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size);
long proc_ioctl_maps(const struct pseudo_ctx *c, u32 cmd, u64 arg);
long proc_stream_smaps(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size);
long proc_stream_numa_maps(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size);
long proc_stream_ptdump(const struct pseudo_ctx *c, u64 *cursor, char *buf, size_t size);
int proc_show_smaps_rollup(const struct pseudo_ctx *c, struct seq *s);
ssize_t proc_write_clear_refs(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos);
ssize_t proc_read_pagemap(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                          u64 pos);
long proc_ioctl_pagemap(const struct pseudo_ctx *c, u32 cmd, u64 arg);
ssize_t proc_read_mem(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                      u64 pos);
ssize_t proc_write_mem(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos);
ssize_t proc_read_cmdline(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                          u64 pos);
ssize_t proc_read_environ(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                          u64 pos);
ssize_t proc_read_auxv(const struct pseudo_ctx *c, const struct file *f, void *buf, size_t n,
                       u64 pos);
/* proc_check.c */
void proc_check_init(void); /* at the start, before any program runs */
int proc_show_check(const struct pseudo_ctx *c, struct seq *s);
/* proc_oom.c */
int proc_show_oom_score(const struct pseudo_ctx *c, struct seq *s);
int proc_show_oom_score_adj(const struct pseudo_ctx *c, struct seq *s);
int proc_show_oom_adj(const struct pseudo_ctx *c, struct seq *s);
ssize_t proc_write_oom_score_adj(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos);
ssize_t proc_write_oom_adj(const struct pseudo_ctx *c, const void *buf, size_t n, u64 pos);
/* proc_map_files.c */
int proc_lookup_map_files(const struct pseudo_ctx *c, const char *name, size_t len,
                          struct pseudo_ctx *out);
bool proc_next_map_files(const struct pseudo_ctx *c, u32 *n, char *name, size_t size, u8 *type);
/* proc_pid_stat.c */
int proc_show_stat(const struct pseudo_ctx *c, struct seq *s);
int proc_show_status(const struct pseudo_ctx *c, struct seq *s);
int proc_show_statm(const struct pseudo_ctx *c, struct seq *s);
int proc_show_limits(const struct pseudo_ctx *c, struct seq *s);

#endif
