/* SPDX-License-Identifier: MIT */
/*
 * The 9P2000.L client: messages (p9_client.c), names and attributes (p9_fs.c), files' bytes
 * (p9_file.c). Source: the protocol's description in the diod project's protocol.md and 9P2000's
 * manual, intro(5).
 */
#ifndef KERNEL_FS_P9_H
#define KERNEL_FS_P9_H

#include "kernel/drivers/p9_transport.h"
#include "kernel/fs/vfs.h"

#define P9_NOFID 0xffffffffu
#define P9_MSIZE 262144u
#define P9_SG    60u /* pieces of one transfer */
#define P9_INDEX 256u

struct p9_qid {
	u8 type;
	u32 version;
	u64 path;
};

struct p9_attr {
	struct p9_qid qid;
	u32 mode, uid, gid;
	u64 nlink, rdev, size, blksize, blocks;
	struct fs_time atime, mtime, ctime, btime;
};

#define P9_SET_MODE      0x001u
#define P9_SET_UID       0x002u
#define P9_SET_GID       0x004u
#define P9_SET_SIZE      0x008u
#define P9_SET_ATIME     0x010u
#define P9_SET_MTIME     0x020u
#define P9_SET_CTIME     0x040u
#define P9_SET_ATIME_SET 0x080u
#define P9_SET_MTIME_SET 0x100u

struct p9_setattr {
	u32 valid, mode, uid, gid;
	u64 size;
	struct fs_time atime, mtime;
};

/* What a transfer of bytes needs: its pieces, and the message. */
struct p9_xfer;

/* One connection: a mount. */
struct p9 {
	struct p9_virtio *chan; /* [I] */
	u32 msize;              /* [I] */
	u32 next_fid;           /* [A] never used twice */
	struct spinlock lock;
	u64 tags[2]; /* lock; a bit for each in use */
	struct wait_queue tag_wq;
	struct mutex spare_lock;
	struct p9_xfer *spare; /* spare_lock; for transfers while memory is short */
	struct p9_inode *index[P9_INDEX]; /* super.lock; by qid path */
};

/*
 * inode.priv. All of a file's bytes go through one or two fids of its own, open as long as the file
 * is, or as something is left to be written; so writing back works after the last close, and after
 * unlink.
 */
struct p9_inode {
	struct inode *inode;
	struct p9_inode *next; /* super.lock; index */
	u64 path;              /* [I] qid.path */
	struct mutex lock;
	u32 opens;         /* lock; open files */
	u32 rfid, wfid;    /* lock for changing; open for reading, for both; P9_NOFID: not */
	u32 writing;       /* [A] transfers on their way to the host */
	u32 writes;        /* [A] how many there have been, and changes of its length by us */
	bool self_written; /* we have changed the host's times ourselves */
	struct fs_time host_mtime; /* as last seen */
	u64 host_size;
};

static inline struct p9 *p9_of(const struct super *sb)
{
	return sb->priv;
}

static inline struct p9_inode *p9_inode(const struct inode *inode)
{
	return inode->priv;
}

/* How often we have written to the file: what the host says of it is told by when it was asked. */
static inline u32 p9_writes(const struct inode *inode)
{
	return __atomic_load_n(&p9_inode(inode)->writes, __ATOMIC_ACQUIRE);
}

/* The fid that stands for a name; P9_NOFID when it is gone. */
static inline u32 p9_dfid(const struct dentry *d)
{
	u64 v = (u64)READ_ONCE(d->priv);

	return v ? (u32)(v - 1) : P9_NOFID;
}

/* ------------------------------------------------------------------ p9_client.c: 0 or -errno, the
 * host's own */

int p9_init(struct p9 *p9); /* 0 or -ENOMEM */
void p9_free(struct p9 *p9);
int p9_connect(struct p9 *p9);
u32 p9_new_fid(struct p9 *p9);
int p9_attach(struct p9 *p9, u32 fid, const char *aname, struct p9_qid *qid);
/* newfid := fid/name; name NULL: a copy of fid. */
int p9_walk(struct p9 *p9, u32 fid, u32 newfid, const char *name, size_t len, struct p9_qid *qid);
void p9_clunk(struct p9 *p9, u32 fid);
int p9_getattr(struct p9 *p9, u32 fid, struct p9_attr *attr);
int p9_setattr(struct p9 *p9, u32 fid, const struct p9_setattr *a);
int p9_lopen(struct p9 *p9, u32 fid, u32 flags);
int p9_lcreate(struct p9 *p9, u32 fid, const char *name, u32 flags, u32 mode, u32 gid);
int p9_mkdir(struct p9 *p9, u32 dfid, const char *name, u32 mode, u32 gid);
int p9_mknod(struct p9 *p9, u32 dfid, const char *name, u32 mode, u32 rdev, u32 gid);
int p9_symlink(struct p9 *p9, u32 dfid, const char *name, const char *target, u32 gid);
int p9_link(struct p9 *p9, u32 dfid, u32 fid, const char *name);
int p9_renameat(struct p9 *p9, u32 odfid, const char *oname, u32 ndfid, const char *nname);
int p9_unlinkat(struct p9 *p9, u32 dfid, const char *name, bool dir);
ssize_t p9_readlink(struct p9 *p9, u32 fid, char *buf, size_t size);
int p9_statfs(struct p9 *p9, u32 fid, struct kstatfs *st);
int p9_fsync(struct p9 *p9, u32 fid, bool data_only);
/* Bytes moved, at most what fits into one message; the pieces are kernel memory. */
ssize_t p9_read(struct p9 *p9, u32 fid, u64 pos, const struct mmk_iovec *iov, unsigned n,
                size_t skip);
ssize_t p9_write(struct p9 *p9, u32 fid, u64 pos, const struct mmk_iovec *iov, unsigned n,
                 size_t skip, size_t max);
/* Raw entries from offset on, into buf. */
ssize_t p9_readdir(struct p9 *p9, u32 fid, u64 offset, void *buf, size_t size);

/* ------------------------------------------------------------------ between p9_fs.c and p9_file.c
 */

extern const struct file_ops p9_file_ops, p9_dir_file_ops;
extern const struct mmk_mapping_ops p9_mapping_ops;
/* Take over what the host says of the file; locked: inode.lock is held. */
void p9_update(struct inode *inode, const struct p9_attr *a, u32 asked_at, bool locked);
int p9_truncate(struct dentry *d, u64 size);
void p9_close_fids(struct inode *inode);

#endif
