/* SPDX-License-Identifier: MIT */
/*
 * What the rest of the kernel asks of the file systems: descriptor tables and working directories
 * of tasks, the file behind a descriptor or a path, mounting at boot, and the page-cache side of
 * the mmkit port. What lies behind it is in kernel/fs/vfs.h; the system calls are in
 * kernel/fs/syscalls.h.
 *
 * Results are 0 or a count, or -errno. Unless said otherwise a function may sleep.
 */
#ifndef KERNEL_FS_FS_H
#define KERNEL_FS_FS_H

#include <mmkit/port.h>

#include "kernel/lib/types.h"

struct file;
struct files;
struct fs;
struct task;
struct wait_queue;

/* ------------------------------------------------------------------ boot and power off */

/* Caches, devices, an empty root tmpfs with /dev, /proc and /sys in it. Once, before any task needs
 * files. */
int vfs_init(void);
/*
 * Unpack a newc cpio (several, one after the other, zero padding between them) into the root.
 * -EINVAL for a bad or truncated archive, which has been told on the console; what came before
 * stays.
 */
int initramfs_unpack(const void *data, size_t size);
/*
 * The root as the command line and boot_info say: the initramfs, when there is one; root=TAG
 * rootfstype=9p is then (or alone) mounted over it. Missing /proc, /dev, /sys, /tmp are mounted.
 */
int vfs_mount_root(void);
/* Mount the 9p device of that tag at path, whose directory need not exist. */
int vfs_mount_9p(const char *tag, const char *path);
/* Write everything back. Before power off. */
int vfs_sync_all(void);

/* Open /dev/console as 0, 1, 2 of the calling task; and make it its controlling terminal when
 * `ctty`. */
int fs_open_console(bool ctty);
/* 0, 1, 2 of the calling task over the host link; bit n of tty_mask: descriptor n is a terminal
 * there. */
int fs_open_hostlink(unsigned tty_mask);

/* ------------------------------------------------------------------ of a task: CLONE_FILES,
 * CLONE_FS */

struct files *files_new(void);                 /* empty; NULL without memory */
struct files *files_get(struct files *files);  /* share */
struct files *files_dup(struct files *files);  /* copy; NULL without memory */
void files_put(struct files *files);           /* the last one closes all; NULL is fine */
void files_close_on_exec(struct files *files); /* execve */

struct fs *fs_new(void); /* root and cwd "/", umask 022 */
struct fs *fs_get(struct fs *fs);
struct fs *fs_dup(struct fs *fs);
void fs_put(struct fs *fs);
/* chdir for a kernel task: a path of the kernel's own. */
int fs_chdir(const char *path);

/* ------------------------------------------------------------------ files */

/* The file of descriptor fd of the calling task, with a reference; NULL: EBADF (O_PATH ones too).
 */
struct file *fget(int fd);
/* The same, O_PATH ones as well. */
struct file *fget_raw(int fd);
struct file *file_get(struct file *file);
void fput(struct file *file);
/* Two at once, for what copies between them: 0 or -EBADF. fput_two() is due in either case. */
int fget_two(u64 fd1, struct file **f1, u64 fd2, struct file **f2);
void fput_two(struct file *f1, struct file *f2);
/* A position that the program has in its memory: 0, -EFAULT, -EINVAL where it is negative. */
int get_user_pos(u64 upos, u64 *pos);
/* Put a file (its reference goes along) at a free descriptor >= from; cloexec. fd or -EMFILE,
 * -ENOMEM (the reference stays the caller's). */
int fd_install(struct file *file, int from, bool cloexec);
int fd_close(int fd);

/* Open a path of the kernel's own, as open(2). */
int file_open(const char *path, u32 flags, u32 mode, struct file **out);
/*
 * Open for execve: a regular file that the caller may execute, not being written to (ETXTBSY).
 * flags: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. Give back with file_close_exec().
 */
int file_open_exec(int dfd, const char *path, u32 flags, struct file **out);
void file_close_exec(struct file *file);
/* One more such hold, for a fork's child: give each back with file_close_exec(). */
struct file *file_get_exec(struct file *file);
/* Read at pos into kernel memory; a short count only at the end of the file. */
ssize_t file_kread(struct file *file, void *buf, size_t n, u64 pos);
ssize_t file_kwrite(struct file *file, const void *buf, size_t n, u64 *pos);
u64 file_size(struct file *file);
/* S_ISUID etc. for execve. */
void file_owner(struct file *file, u32 *mode, u32 *uid, u32 *gid);
/* The core's part of it and back. */
struct mmk_file *file_to_mmk(struct file *file);
struct file *mmk_to_file(struct mmk_file *mf);
/* Absolute path as the calling task sees it, " (deleted)" appended where it is gone. Length or
 * -errno (-ENAMETOOLONG). */
int file_path(struct file *file, char *buf, size_t size);

/* A file of the kernel's own kind (pidfd, timerfd, ...): see anon_file() in kernel/fs/vfs.h. */

/* ------------------------------------------------------------------ the mmkit port's files */

struct mmk_file *port_fget(void *ctx, struct mmk_task *task, int fd);
void port_get_file(void *ctx, struct mmk_file *file);
void port_fput(void *ctx, struct mmk_file *file);
void port_file_id(void *ctx, struct mmk_file *file, u32 *major, u32 *minor, u64 *ino);
bool port_may_see_cache(void *ctx, struct mmk_file *file);
int port_file_path(void *ctx, struct mmk_file *file, char *buf, size_t size);
/* locks_verify_locked: a mandatory lock of another forbids a shared mapping. */
int port_locks_verify(void *ctx, struct mmk_task *task, struct mmk_file *file);

/* ------------------------------------------------------------------ random numbers */

void random_bytes(void *buf, size_t n); /* never fails, does not sleep */
u64 random_u64(void);

/* ------------------------------------------------------------------ events */

/* Something that poll(2) may wait for has changed: call it after every such change. Any context. */
void poll_notify(void);

/* ------------------------------------------------------------------ terminals: what exit and
 * setsid tell */

struct tty;
/* The session leader of session `sid` ends: its terminal is nobody's, its foreground group gets
 * SIGHUP and SIGCONT. */
void tty_session_exit(int sid);
/* Numbers for /proc/PID/stat: tty_nr and tpgid (0 and -1 without a terminal). */
void tty_session_numbers(int sid, int *tty_nr, int *tpgid);

#endif
