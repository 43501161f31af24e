/* SPDX-License-Identifier: MIT */
/*
 * The virtual file system: what every file system supplies and what they share.
 *
 *   struct file    an open file: position, flags          -> path, inode
 *   struct path    (mount, dentry): a place in the tree
 *   struct dentry  a name in a directory                  -> inode; parent keeps its children
 *   struct inode   the file itself; a regular one's bytes are in its struct mmk_mapping, the page
 *                  cache, so read(2), write(2) and mmap(2) see the same bytes
 *   struct super   one file system instance               -> ops, root dentry
 *   struct mount   an instance's root put at (mount, directory, name). The table of mounts is asked
 *                  before the directory is, so a mount needs no directory under it.
 *
 * Locks, in the order in which they are taken:
 *
 *   rename_mutex (one) - file.pos_lock
 *   - inode.lock of directories, ancestors first, else by address
 *   - inode.lock of others - what the file system has of its own - the locks of the page cache
 *   - dcache_lock, mount_lock, files.lock, fs.lock, lock tables (spinlocks, alone)
 *
 * User memory is never touched with an inode.lock held: a fault may want that very inode. Letters
 * at fields: [I] set when made, [L] inode.lock, [D] dcache_lock, [A] atomic, [O] the file's owner.
 */
#ifndef KERNEL_FS_VFS_H
#define KERNEL_FS_VFS_H

#include <mmkit/mmkit.h>

#include "kernel/fs/abi.h"
#include "kernel/fs/fs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/mm.h"
#include "kernel/sched/wait.h"
#include "kernel/spinlock.h"

struct inode;
struct dentry;
struct super;
struct mount;
struct path;
struct file;

#define FS_NAME_MAX 255
#define FS_PATH_MAX 4096
#define FS_FILE_MAX 0x7fffffffffffffffull

struct fs_time {
	s64 sec;
	u32 nsec;
};

struct kstat {
	u64 dev, ino;
	u32 mode, nlink, uid, gid;
	u32 rdev;
	u32 blksize;
	u64 size, blocks;
	struct fs_time atime, mtime, ctime, btime;
};

#define ATTR_MODE      0x01u
#define ATTR_UID       0x02u
#define ATTR_GID       0x04u
#define ATTR_SIZE      0x08u
#define ATTR_ATIME     0x10u
#define ATTR_MTIME     0x20u
#define ATTR_ATIME_SET 0x40u /* to the value given, not to now */
#define ATTR_MTIME_SET 0x80u
#define ATTR_CTIME     0x100u

struct iattr {
	u32 valid;
	u32 mode, uid, gid;
	u64 size;
	struct fs_time atime, mtime;
};

struct kstatfs {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen, flags;
};

/* What getdents64 calls for each entry; false: no room, stop before this one. */
struct dir_ctx {
	bool (*emit)(struct dir_ctx *ctx, const char *name, size_t len, u64 ino, u8 type, u64 next);
	u64 pos; /* where to go on; readdir keeps it up to date */
};

/*
 * What an inode can do. All but readlink of symlinks and lookup of directories may be NULL: EPERM.
 * `d` is the name concerned; for those that make something it is a fresh one without an inode, to
 * be given one with d_instantiate(). Directories' inode.lock is held by the caller for whatever
 * changes them, and for lookup.
 */
struct inode_ops {
	/* Give d an inode. 0, -ENOENT, -errno. */
	int (*lookup)(struct dentry *dir, struct dentry *d);
	int (*create)(struct dentry *dir, struct dentry *d, u32 mode); /* a regular file */
	int (*mkdir)(struct dentry *dir, struct dentry *d, u32 mode);
	int (*mknod)(struct dentry *dir, struct dentry *d, u32 mode, u32 rdev);
	int (*symlink)(struct dentry *dir, struct dentry *d, const char *target);
	int (*link)(struct dentry *old, struct dentry *dir, struct dentry *d);
	int (*unlink)(struct dentry *dir, struct dentry *d);
	int (*rmdir)(struct dentry *dir, struct dentry *d);
	/* nd has an inode when something is to be replaced (or exchanged). The tree is changed by
	 * the caller. */
	int (*rename)(struct dentry *odir, struct dentry *od, struct dentry *ndir,
	              struct dentry *nd, u32 flags);
	/* A file without a name (O_TMPFILE). */
	int (*tmpfile)(struct dentry *dir, struct dentry *d, u32 mode);
	/* The text of a symlink, not NUL-terminated: its length (at most size), or -errno. */
	ssize_t (*readlink)(struct dentry *d, char *buf, size_t size);
	/* A symlink that is more than its text (/proc/PID/exe): where it leads. */
	int (*follow)(struct dentry *d, struct path *out);
	/* Bring the inode's attributes up to date, before they are shown. */
	int (*getattr)(struct dentry *d);
	/* Change them; the checks have been made. NULL: only in the inode. inode.lock is held. */
	int (*setattr)(struct dentry *d, const struct iattr *attr);
	/* Before truncate(2) or O_TRUNC and for ATTR_SIZE otherwise: see setattr. */
};

/* inode.flags */
#define INODE_APPEND   0x1u /* may only be appended to */
#define INODE_LINKABLE 0x2u /* O_TMPFILE: may get a name though it has none */

struct inode {
	u32 refs; /* [A] dentries and whoever looks */
	u32 flags;
	struct super *sb;                          /* [I] */
	const struct inode_ops *op;                /* [I] */
	const struct file_ops *fop;                /* [I] of those that open it */
	u64 ino;                                   /* [I] */
	u32 mode, uid, gid, nlink;                 /* [L] */
	u32 rdev;                                  /* [I] */
	struct fs_time atime, mtime, ctime, btime; /* [L], loosely */
	struct mutex lock;
	struct mmk_mapping
	    mapping;       /* regular files; the size of all others, too, is mapping.i_size */
	bool has_mapping;  /* [I] */
	struct pipe *pipe; /* [L] fifos that are open */
	struct list_head sb_node; /* sb->lock: all inodes of the instance */
	struct list_head locks;   /* posix and flock locks: locks.c */
	u64 blocks;               /* [L] of 512 bytes; where the pages are not all there is */
	u64 charged;              /* tmpfs: pages counted */
	u32 seals;                /* [L] tmpfs: F_SEAL_* */
	char *link;               /* [I] symlinks that are kept in memory */
	void *priv;               /* the file system's */
};

struct dentry {
	u32 refs;                  /* [A] but to and from 0 under [D] */
	u32 hash;                  /* [D] of name */
	struct dentry *parent;     /* [D] with a reference; itself for a root */
	struct inode *inode;       /* [L of parent] NULL: not made yet */
	struct super *sb;          /* [I] */
	char *name;                /* [D] */
	u32 len;                   /* [D] */
	bool hashed;               /* [D] false: gone, or never there */
	bool anon;                 /* [I] no tree: name is the whole path ("pipe:[7]") */
	bool pinned;               /* [D] the tree itself holds a reference (tmpfs) */
	struct dentry *hash_next;  /* [D] */
	struct list_head child;    /* [D] in parent->children */
	struct list_head children; /* [D] */
	struct list_head lru;      /* [D] unused but kept */
	u64 cookie;                /* [D] place in the order of parent->children, ascending */
	u64 next_cookie;           /* [D] of the next child */
	void *priv;                /* the file system's */
};

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};

struct super_ops {
	/* A name that is known: still right? 1 yes, 0 no (look it up anew), -errno. NULL: always.
	 */
	int (*revalidate)(struct dentry *d);
	/* A dentry, an inode is being freed: what priv holds. The mapping is destroyed after. */
	void (*d_release)(struct dentry *d);
	void (*evict)(struct inode *inode);
	int (*statfs)(struct super *sb, struct kstatfs *st);
	int (*sync)(struct super *sb);
	void (*unmount)(struct super *sb);    /* the last mount is gone, the tree is still there */
	void (*put)(struct super *sb);        /* and nothing is any more */
	void (*account)(struct inode *inode); /* the file has been written or cut; may be NULL */
	/* For /proc/mounts, after "rw": ",size=8k"; may be NULL. */
	void (*options)(struct super *sb, char *buf, size_t size);
};

#define SUPER_KEEP_DENTRIES 0x1u /* unused names are kept, up to a number */
#define SUPER_READONLY      0x2u

struct super {
	u32 refs; /* [A] */
	u32 flags;
	const struct super_ops *op;
	const char *type; /* "tmpfs" */
	u32 magic;
	u32 dev;      /* st_dev */
	u64 next_ino; /* [A] */
	struct dentry *root;
	u32 wb_err; /* [A] errors of writeback, of all its files: mmk_wb_err_note */
	struct spinlock lock;
	struct list_head inodes; /* lock */
	struct list_head all;    /* mount_lock */
	void *priv;
};

#define MNT_NOSUID   2u
#define MNT_NODEV    4u
#define MNT_NOEXEC   8u
#define MNT_RDONLY   1u
#define MNT_MANDLOCK 64u
#define MNT_KEPT     (MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_MANDLOCK)

struct mount {
	u32 refs;              /* [A] */
	u32 flags;             /* MNT_* */
	struct super *sb;      /* [I] */
	struct dentry *root;   /* [I] */
	struct mount *parent;  /* mount_lock; with a reference; NULL: the root of all */
	struct dentry *dir;    /* mount_lock; with a reference: the directory it appears in */
	char *name;            /* mount_lock; there under this name */
	bool is_virtual;       /* the directory has no such entry of its own */
	struct list_head node; /* mount_lock; in the table */
	int id;
	char *source; /* [I] for /proc/mounts */
};

/* ------------------------------------------------------------------ open files */

/*
 * What an open file can do. Buffers are kernel memory; *pos is the position to use and to move.
 * A read of 0 is the end. read and write may be called several times for one system call unless
 * FOP_STREAM is set: then a read is called once.
 */
struct file_ops {
	struct mmk_file_ops mm; /* mmap: first, so that the core finds its part */
	u32 flags;
	int (*open)(
	    struct file *file); /* after the fields are set; may change fop's private data */
	void (*release)(struct file *file);
	/* Each close of a descriptor of it. */
	int (*flush)(struct file *file);
	ssize_t (*read)(struct file *file, void *buf, size_t n, u64 *pos);
	ssize_t (*write)(struct file *file, const void *buf, size_t n, u64 *pos);
	int (*readdir)(struct file *file, struct dir_ctx *ctx);
	s64 (*llseek)(struct file *file, s64 off, int whence); /* NULL: generic for seekable ones */
	u32 (*poll)(struct file *file);                        /* NULL: always ready */
	long (*ioctl)(struct file *file, u32 cmd, u64 arg);    /* NULL: ENOTTY */
	int (*fsync)(struct file *file, u64 start, u64 end, bool data_only);
	int (*fallocate)(struct file *file, int mode, u64 off, u64 len);
	/* A line or more for /proc/PID/fdinfo; may be NULL. */
	int (*fdinfo)(struct file *file, char *buf, size_t size);
};
#define FOP_STREAM 0x1u /* one read a call; no position: lseek and pread answer ESPIPE */
#define FOP_NOSEEK 0x2u /* lseek answers ESPIPE */

struct file {
	struct mmk_file mf;         /* mf.f_op points to fop->mm */
	u32 refs;                   /* [A] */
	u32 flags;                  /* [A] O_APPEND, O_NONBLOCK... as fcntl(F_GETFL) */
	const struct file_ops *fop; /* [I] */
	struct inode *inode;        /* [I] path's */
	struct path path;           /* [I] */
	struct mutex pos_lock;
	u64 pos;         /* pos_lock */
	u32 virt;        /* pos_lock; directories: mount points told after the entries;
	                    [I] terminals: tty.hangups when it was opened */
	bool write_held; /* counted in mapping.i_writecount */
	s32 owner;       /* F_SETOWN */
	u32 sb_err;      /* [A] what syncfs has told of super.wb_err */
	u32 nr_epoll;    /* how often it stands in an epoll instance: epoll.c's mutex */
	void *priv;      /* the driver's */
};

#define FILE_CAN_READ(f)  ((f)->mf.f_mode & MMK_FMODE_READ)
#define FILE_CAN_WRITE(f) ((f)->mf.f_mode & MMK_FMODE_WRITE)

#define FILES_FIRST 64u
struct files {
	u32 refs; /* [A] */
	struct spinlock lock;
	u32 size;         /* slots in fd[] */
	u32 next;         /* no free slot below */
	struct file **fd; /* lock */
	u8 *cloexec;      /* lock; one byte a slot */
	u8 *taken;        /* lock; reserved, perhaps without a file yet */
	/* The three at first; most need no more. */
	struct file *first_fd[FILES_FIRST];
	u8 first_flags[2 * FILES_FIRST];
};

struct fs {
	u32 refs; /* [A] */
	struct spinlock lock;
	struct path root, cwd; /* lock */
	u32 umask;             /* [O] */
};

/* ------------------------------------------------------------------ small helpers */

static inline void *fs_alloc(size_t n)
{
	return kmalloc(n);
}

static inline void *fs_zalloc(size_t n)
{
	return kzalloc(n);
}

static inline void fs_free(void *p)
{
	kfree(p);
}

/*
 * A buffer of pages: when there is none, what the page cache can do without is dropped first. No
 * page may be locked by the caller.
 */
void *fs_alloc_buf(size_t n);

/* A buffer for one path: FS_PATH_MAX bytes. */
static inline char *path_buf(void)
{
	return fs_alloc_buf(FS_PATH_MAX);
}

char *fs_strndup(const char *s, size_t n);

static inline void ref_get(u32 *refs)
{
	__atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);
}

/* True when it was the last. */
static inline bool ref_put(u32 *refs)
{
	return __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) == 0;
}

struct fs_time fs_now(void);
int fs_time_cmp(const struct fs_time *a, const struct fs_time *b);

static inline bool is_dir(const struct inode *i)
{
	return S_ISDIR(i->mode);
}

/* ------------------------------------------------------------------ dcache.c: dentries, inodes,
 * supers */

extern struct spinlock dcache_lock;

struct super *super_alloc(const char *type, u32 magic, const struct super_ops *op);
void super_get(struct super *sb);
void super_put(struct super *sb);

/* An inode with one reference, times now, nlink 1, owner the caller; a regular file has an empty
 * mapping with `ops`. */
struct inode *inode_alloc(struct super *sb, u32 mode, const struct mmk_mapping_ops *ops);
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);
static inline u64 inode_size(const struct inode *inode)
{
	return READ_ONCE(inode->mapping.i_size);
}

/* A dentry without an inode, not in the tree, one reference, holding one of parent (NULL: a root).
 */
struct dentry *d_alloc(struct super *sb, struct dentry *parent, const char *name, size_t len);
/* A name outside of any tree. The inode's reference is taken over, also on failure. */
struct dentry *d_alloc_anon(struct super *sb, const char *name, struct inode *inode);
void d_instantiate(struct dentry *d, struct inode *inode); /* takes over the reference */
void d_add(struct dentry *d);                              /* put it into the tree */
void d_drop(struct dentry *d);                             /* take it out: deleted */
struct dentry *d_lookup(struct dentry *parent, const char *name,
                        size_t len); /* with a reference, or NULL */
/* Make od the child `name` of ndir; what was there has been dropped. name is taken over. */
void d_move(struct dentry *od, struct dentry *ndir, char *name, size_t len);
void d_exchange(struct dentry *a, struct dentry *b);
struct dentry *dget(struct dentry *d);
void dput(struct dentry *d);                            /* NULL is fine */
struct dentry *d_parent(struct dentry *d);              /* with a reference */
bool d_is_ancestor(struct dentry *a, struct dentry *d); /* a == d, or above it */
/* The next child at or after *cookie that is in the tree, with a reference; NULL at the end. */
struct dentry *d_next_child(struct dentry *dir, u64 cookie);
bool d_has_children(struct dentry *dir);
/* Free names that nobody uses, down to `keep`. */
void d_shrink(unsigned keep);
u32 fs_new_dev(void);

/* Where path is, seen from root: length or -ENAMETOOLONG. Paths outside root begin with
 * "(unreachable)". */
int d_path(const struct path *path, const struct path *root, char *buf, size_t size);
/* The same for the calling task; deleted ones get " (deleted)". */
int path_name(const struct path *path, char *buf, size_t size);

/* ------------------------------------------------------------------ mount.c */

extern struct spinlock mount_lock;
extern struct list_head all_supers;

struct mount *mnt_get(struct mount *m);
void mnt_put(struct mount *m);
void path_get(const struct path *p);
void path_put(struct path *p); /* and clears it */
bool path_equal(const struct path *a, const struct path *b);
/* The mount at name of dir in mnt, with a reference, or NULL. */
struct mount *mount_lookup(struct mount *mnt, struct dentry *dir, const char *name, size_t len);
bool mount_at(struct dentry *d); /* is d the root of a mount or under one, so busy? */
bool mount_name_busy(struct dentry *dir, const char *name, size_t len);
/* From the root of a mount to (mount, directory) that it appears in; false: it is the topmost. With
 * references. */
bool mount_parent(const struct path *p, struct path *out, char *name, size_t size);
/* The n-th virtual mount point in (mnt, dir), for readdir. */
bool mount_virtual_nth(struct mount *mnt, struct dentry *dir, unsigned n, char *name, u64 *ino);
/* Put sb (reference taken over, also on failure) at path. */
int mount_super(struct super *sb, const char *source, const char *path, u32 flags);
int mount_root_super(struct super *sb, const char *source);
extern struct path vfs_root; /* the first root; each task's is in its struct fs */
/* The text of /proc/mounts; bytes written. */
size_t mounts_show(char *buf, size_t size, bool mountinfo);

/* ------------------------------------------------------------------ namei.c: paths */

#define LOOKUP_FOLLOW    0x1u /* the last component too */
#define LOOKUP_DIRECTORY 0x2u
#define LOOKUP_EMPTY     0x4u /* "" is the start itself */
#define LOOKUP_KERNEL    0x8u /* from the first root, without permission checks */

/* Where a name is to be looked up, and the name: what path_parent() finds. */
struct last_name {
	char name[FS_NAME_MAX + 1];
	u32 len;
	bool dot, dotdot; /* "." (also "/"), ".." */
	bool slash;       /* followed by '/': has to be a directory */
};

/* Where a relative path begins: the working directory, or what dfd has open. 0 or -EBADF. */
int path_at(int dfd, struct path *out);
/* dfd as openat(2). path is kernel memory. */
int path_lookup(int dfd, const char *path, u32 flags, struct path *out);
int path_parent(int dfd, const char *path, u32 flags, struct path *dir, struct last_name *last);
/* The same from user memory. */
int user_path(int dfd, u64 upath, u32 flags, struct path *out);
int user_path_parent(int dfd, u64 upath, struct path *dir, struct last_name *last);
/* A path from user memory, FS_PATH_MAX bytes to be freed with fs_free. -EFAULT, -ENAMETOOLONG,
 * -ENOENT (empty). */
int user_path_copy(u64 upath, bool may_be_empty, char **out);
/* One name in one directory, mounts crossed, links not followed. -ENOENT: *out.dentry is NULL.
 * dir's lock is not held. */
int lookup_one(const struct path *dir, const char *name, size_t len, struct path *out);
/* The same without mounts with dir's lock held; the dentry may have no inode (to be made). */
int lookup_locked(struct dentry *dir, const char *name, size_t len, struct dentry **out);
/* Of open(2): the file at the end, made if flags say so. */
int path_open(int dfd, const char *path, u32 flags, u32 mode, u32 lookup, struct path *out,
              bool *created);

#define MAY_EXEC  1u
#define MAY_WRITE 2u
#define MAY_READ  4u
/* May the caller? 0, -EACCES. */
int inode_permission(const struct inode *inode, u32 mask);
/* May the caller change entries of dir (and is the mount writable)? */
int dir_may_change(const struct path *dir);
/* May it delete d from dir: sticky bit. */
int dir_may_delete(const struct path *dir, const struct dentry *d);
bool inode_owner_or_capable(const struct inode *inode);
int mnt_want_write(const struct path *p); /* 0 or -EROFS */

/* ------------------------------------------------------------------ file.c, open.c */

/* A number that every poll_notify() moves. */
u32 poll_generation(void);
/*
 * Calls scan(arg) until it returns something else than 0, again after each poll_notify(). That, 0
 * at the deadline, or -ERESTARTNOHAND.
 */
long poll_until(long (*scan)(void *arg), void *arg, u64 deadline);
/* The file is about to go: off all epoll instances (f->nr_epoll). */
void epoll_forget(struct file *f);

/* An open file on path (references taken), flags as open(2); fop->open has not been called. */
struct file *file_alloc(const struct path *path, u32 flags);
/* Open what path is. */
int file_open_path(const struct path *path, u32 flags, struct file **out);
/*
 * A file outside of the tree, shown as "name" in /proc/PID/fd ("anon_inode:[eventfd]"); mode gives
 * its type. flags: O_RDWR etc. The inode is its own.
 */
int anon_file(const char *name, u32 mode, const struct file_ops *fop, void *priv, u32 flags,
              struct file **out);
struct super *anon_super(void);
int fd_alloc(int from, bool cloexec);        /* reserve; fd or -EMFILE, -ENOMEM */
void fd_set_file(int fd, struct file *file); /* the reserved one gets its file */
void fd_release(int fd);                     /* or does not */
int fd_new(struct file *file,
           u32 flags); /* fd_install with O_CLOEXEC looked at; drops the file on failure */
/* Of another task's table, for procfs; with a reference or NULL; *fd is moved to the next open one
 * at or above. */
struct file *files_next(struct files *files, u32 *fd, bool *cloexec);
struct files *task_files(struct task *t); /* with references, or NULL */
struct fs *task_fs(struct task *t);
void fs_get_root(struct path *out);
void fs_get_cwd(struct path *out);
u32 fs_umask(void);

/* ------------------------------------------------------------------ attributes: attr.c */

int vfs_getattr(const struct path *path, struct kstat *st);
int vfs_setattr(const struct path *path, struct iattr *attr);
/* Set the size: truncate(2), O_TRUNC. */
int vfs_truncate(const struct path *path, u64 size);
void inode_touch(struct inode *inode,
                 u32 attr); /* ATTR_ATIME | ATTR_MTIME (with ctime) | ATTR_CTIME: now */
/* A write by one who may not keep them takes set-user-ID and set-group-ID bits away. */
void inode_kill_suid(struct inode *inode);

/* ------------------------------------------------------------------ files with a page cache:
 * regular.c */

extern const struct file_ops regular_file_ops;
/* Before a file is mapped: chattr, chmod and remount may have changed what holds of it. file.c */
void file_refresh_mode(struct file *file);
long regular_ioctl(struct file *file, u32 cmd, u64 arg); /* fcntl.c */
ssize_t regular_read(struct file *file, void *buf, size_t n, u64 *pos);
ssize_t regular_write(struct file *file, const void *buf, size_t n, u64 *pos);
int regular_fsync(struct file *file, u64 start, u64 end, bool data_only);
s64 generic_llseek(struct file *file, s64 off, int whence);
/* Whole-file transfers of the kernel's own; see FOP_STREAM for how often read is called. */
ssize_t file_read(struct file *file, void *buf, size_t n, u64 *pos);
ssize_t file_write(struct file *file, const void *buf, size_t n, u64 *pos);
int file_readable(struct file *file); /* 0 or -EBADF, -EISDIR, -EINVAL */
int file_writable(struct file *file);
/* For file_ops.mm.fallocate of whatever has a fallocate of its own: as fallocate(2). */
int mm_fallocate(struct mmk_file *mf, int mode, u64 off, u64 len);

/* ------------------------------------------------------------------ seal.c */

/* inode.lock is held. May the size, the mode become so? 0, -EPERM. */
int seal_size(const struct inode *inode, u64 size);
int seal_mode(const struct inode *inode, u32 mode);
/* How much of n bytes at pos may be written, or -EPERM. */
ssize_t seal_write(const struct inode *inode, u64 pos, size_t n);
int seal_fallocate(const struct inode *inode, int mode, u64 off, u64 len);
/* F_ADD_SEALS, F_GET_SEALS. */
long file_add_seals(struct file *file, u32 seals);
long file_get_seals(const struct file *file);

/* ------------------------------------------------------------------ locks.c */

void locks_close(struct file *file, struct files *owner); /* a descriptor of it is closed */
void locks_release(struct file *file);                    /* the open file goes */
void locks_inode_free(struct inode *inode);
long file_flock(struct file *file, int op);
long file_fcntl_lock(struct file *file, int fd, int cmd, u64 arg);

/* ------------------------------------------------------------------ the kinds of special files */

extern const struct file_ops fifo_file_ops;
void pipe_inode_free(struct inode *inode);
/* fcntl(2): how many bytes a pipe holds, or -EBADF; another such number, which it returns rounded.
 */
long pipe_size(struct file *f);
long pipe_set_size(struct file *f, u32 size);
/* Bytes to read in a pipe or a socket, for FIONREAD. */
extern const struct file_ops socket_file_ops;

/* A character device: what opening major:minor gives. */
int chrdev_register(u32 major, u32 minor, const struct file_ops *fop);
const struct file_ops *chrdev_find(u32 rdev);
extern const struct file_ops special_file_ops; /* open looks for the device or the fifo */
/* What inode.fop is for a mode. */
const struct file_ops *special_ops(u32 mode, const struct file_ops *regular,
                                   const struct file_ops *dir);

/* ------------------------------------------------------------------ file systems */

#define TMPFS_DEFAULT_SIZE (~(u64)0) /* half of the memory */
/* max_bytes 0: no limit. NULL without memory. */
struct super *tmpfs_new(const char *type, u64 max_bytes, u32 mode);
void tmpfs_limit_inodes(struct super *sb, u64 max_inodes); /* 0: no limit */
struct super *shm_super(void); /* the instance behind memfd_create and shmget */
/* A nameless tmpfs object (memfd): name is shown as "/NAME (deleted)". */
int tmpfs_object(const char *name, u64 size, u32 flags, struct file **out);
struct super *devfs_new(void);
struct super *procfs_new(void);
struct super *sysfs_new(void);
int p9fs_new(const char *tag, const char *aname, struct super **out);

/* ------------------------------------------------------------------ start-up of the parts */

int dcache_init(void);
int random_init(void);
int devices_init(void); /* null, zero, ... */
int tty_init(void);
int anon_init(void);
int tmpfs_init(void);

#endif
