/* SPDX-License-Identifier: MIT */
/*
 * The initramfs: newc cpio archives ("070701", or "070702" with checksums), unpacked into the root.
 *
 * A record is a header of 8-digit hexadecimal fields, the name, and the bytes, each padded to four.
 * Archives may follow one another with zero bytes between them. Records with the same inode number
 * and more than one link are names of one file; the last of them brings the bytes.
 */
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

#define HEADER_SIZE 110u
#define MAX_LINKS   1024u

enum {
	F_INO,
	F_MODE,
	F_UID,
	F_GID,
	F_NLINK,
	F_MTIME,
	F_SIZE,
	F_DEVMAJ,
	F_DEVMIN,
	F_RDEVMAJ,
	F_RDEVMIN,
	F_NAMESIZE,
	F_CHECK,
	NR_FIELDS
};

/* The first name of a file that has more. */
struct seen {
	u32 ino, major, minor;
	char *name;
};

struct unpack {
	const u8 *data;
	size_t size, at;
	u32 field[NR_FIELDS];
	const char *name;
	const u8 *bytes;
	struct seen *seen;
	u32 nr_seen;
};

/* ------------------------------------------------------------------ reading records */

static bool hex8(const u8 *s, u32 *out)
{
	u32 v = 0;
	unsigned i;

	for (i = 0; i < 8; i++) {
		u8 c = s[i] | 0x20;

		if (c >= '0' && c <= '9')
			v = v << 4 | (u32)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (u32)(c - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

static int bad(const struct unpack *u, const char *what)
{
	pr_err("initramfs: %s at byte %zu of %zu\n", what, u->at, u->size);
	return -EINVAL;
}

/* The record at u->at; u->at moves behind it. */
static int next_record(struct unpack *u)
{
	size_t left = u->size - u->at, name_at, data_at, end;
	unsigned i;

	if (left < HEADER_SIZE)
		return bad(u, "archive ends in the middle of a header");
	if (memcmp(u->data + u->at, "070701", 6) && memcmp(u->data + u->at, "070702", 6))
		return bad(u, "no newc cpio header (is it compressed?)");
	for (i = 0; i < NR_FIELDS; i++)
		if (!hex8(u->data + u->at + 6 + 8 * i, &u->field[i]))
			return bad(u, "header with a field that is no number");
	name_at = u->at + HEADER_SIZE;
	data_at = ALIGN_UP(name_at + u->field[F_NAMESIZE], (size_t)4);
	end = data_at + u->field[F_SIZE];
	if (!u->field[F_NAMESIZE] || u->field[F_NAMESIZE] > FS_PATH_MAX)
		return bad(u, "header with a bad length of name");
	if (data_at > u->size || end > u->size)
		return bad(u, "archive ends in the middle of a file");
	u->name = (const char *)u->data + name_at;
	if (u->name[u->field[F_NAMESIZE] - 1])
		return bad(u, "name without an end");
	u->bytes = u->data + data_at;
	u->at = min(ALIGN_UP(end, (size_t)4), u->size);
	return 0;
}

static void skip_padding(struct unpack *u)
{
	while (u->at < u->size && !u->data[u->at])
		u->at++;
}

/* ------------------------------------------------------------------ making files */

/* The directory and the name of a record, locked for a change, an older file of that name removed.
 */
static int place(const char *path, struct path *dir, struct last_name *last, struct dentry **d)
{
	int err = path_parent(AT_FDCWD, path, LOOKUP_KERNEL, dir, last);

	if (err)
		return err;
	mutex_lock(&dir->dentry->inode->lock);
	err = last->dot || last->dotdot ? -EEXIST
	                                : lookup_locked(dir->dentry, last->name, last->len, d);
	if (err) {
		mutex_unlock(&dir->dentry->inode->lock);
		path_put(dir);
	}
	return err;
}

static void set_owner(struct inode *inode, const struct unpack *u)
{
	inode->uid = u->field[F_UID];
	inode->gid = u->field[F_GID];
	inode->mode = (inode->mode & S_IFMT) | (u->field[F_MODE] & 07777);
	inode->mtime = inode->atime = (struct fs_time){.sec = u->field[F_MTIME]};
}

/* A later file takes the place of an earlier one, unless both are directories. */
static int clear_place(struct dentry *dir, struct dentry **d, const struct last_name *last,
                       u32 mode)
{
	int err;

	if (!(*d)->inode || (is_dir((*d)->inode) && S_ISDIR(mode)))
		return 0;
	err =
	    is_dir((*d)->inode) ? dir->inode->op->rmdir(dir, *d) : dir->inode->op->unlink(dir, *d);
	if (err)
		return err;
	d_drop(*d);
	dput(*d);
	*d = NULL;
	return lookup_locked(dir, last->name, last->len, d);
}

static int make_symlink(struct dentry *dir, struct dentry *d, const struct unpack *u)
{
	char *target = fs_strndup((const char *)u->bytes, u->field[F_SIZE]);
	int err = target ? dir->inode->op->symlink(dir, d, target) : -ENOMEM;

	fs_free(target);
	return err;
}

static int make_entry(struct dentry *dir, struct dentry *d, const struct unpack *u)
{
	const struct inode_ops *op = dir->inode->op;
	u32 mode = u->field[F_MODE];

	switch (mode & S_IFMT) {
	case S_IFREG:
		return op->create(dir, d, mode);
	case S_IFDIR:
		return op->mkdir(dir, d, mode);
	case S_IFLNK:
		return make_symlink(dir, d, u);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return op->mknod(dir, d, mode, MKDEV(u->field[F_RDEVMAJ], u->field[F_RDEVMIN]));
	default:
		return -EINVAL;
	}
}

static int write_bytes(struct inode *inode, const struct unpack *u)
{
	u64 done = 0, n = u->field[F_SIZE];

	while (done < n) {
		s64 k = mmk_mapping_write(&inode->mapping, done, u->bytes + done, n - done);

		if (k <= 0)
			return k ? (int)k : -ENOSPC;
		done += (u64)k;
	}
	if (n && inode->sb->op->account)
		inode->sb->op->account(inode);
	return 0;
}

/* Make what the record says under its name, or fill it if it is there already as a link. */
static int make_file(const struct unpack *u, const char *path, struct last_name *last, bool linked)
{
	struct dentry *d = NULL;
	struct path dir;
	int err = place(path, &dir, last, &d);

	if (err == -EEXIST)
		return 0; /* "." */
	if (err)
		return err;
	if (!linked)
		err = clear_place(dir.dentry, &d, last, u->field[F_MODE]);
	if (!err && !d->inode) {
		err = make_entry(dir.dentry, d, u);
		if (!err)
			d_add(d);
	}
	mutex_unlock(&dir.dentry->inode->lock);
	if (!err) {
		set_owner(d->inode, u);
		if (d->inode->has_mapping)
			err = write_bytes(d->inode, u);
		if (d->inode->has_mapping)
			d->inode->mtime = (struct fs_time){.sec = u->field[F_MTIME]};
	}
	dput(d);
	path_put(&dir);
	return err;
}

/* ------------------------------------------------------------------ hard links */

static struct seen *find_seen(const struct unpack *u)
{
	u32 i;

	for (i = 0; i < u->nr_seen; i++)
		if (u->seen[i].ino == u->field[F_INO] && u->seen[i].major == u->field[F_DEVMAJ] &&
		    u->seen[i].minor == u->field[F_DEVMIN])
			return &u->seen[i];
	return NULL;
}

static int remember(struct unpack *u)
{
	struct seen *s;

	if (!u->seen)
		u->seen = fs_zalloc(MAX_LINKS * sizeof(*u->seen));
	if (!u->seen || u->nr_seen == MAX_LINKS)
		return -ENOMEM;
	s = &u->seen[u->nr_seen];
	s->name = fs_strndup(u->name, strlen(u->name));
	if (!s->name)
		return -ENOMEM;
	s->ino = u->field[F_INO];
	s->major = u->field[F_DEVMAJ];
	s->minor = u->field[F_DEVMIN];
	u->nr_seen++;
	return 0;
}

static void forget_all(struct unpack *u)
{
	u32 i;

	for (i = 0; i < u->nr_seen; i++)
		fs_free(u->seen[i].name);
	u->nr_seen = 0;
}

static int make_link(const struct unpack *u, const char *to, struct last_name *last)
{
	struct dentry *d = NULL;
	struct path old, dir;
	int err = path_lookup(AT_FDCWD, to, LOOKUP_KERNEL, &old);

	if (err)
		return err;
	err = place(u->name, &dir, last, &d);
	if (!err) {
		err = clear_place(dir.dentry, &d, last, u->field[F_MODE]);
		if (!err && old.dentry->sb != dir.dentry->sb)
			err = -EXDEV;
		if (!err)
			err = dir.dentry->inode->op->link(old.dentry, dir.dentry, d);
		if (!err)
			d_add(d);
		mutex_unlock(&dir.dentry->inode->lock);
		dput(d);
		path_put(&dir);
	}
	path_put(&old);
	return err;
}

static int unpack_record(struct unpack *u, struct last_name *last)
{
	bool links = S_ISREG(u->field[F_MODE]) && u->field[F_NLINK] > 1;
	struct seen *s = links ? find_seen(u) : NULL;
	int err;

	if (links && !s) {
		err = remember(u);
		return err ? err : make_file(u, u->name, last, false);
	}
	if (s) {
		err = make_link(u, s->name, last);
		if (err || !u->field[F_SIZE])
			return err;
	}
	return make_file(u, u->name, last, s != NULL);
}

int initramfs_unpack(const void *data, size_t size)
{
	struct unpack u = {.data = data, .size = size};
	struct last_name *last = fs_alloc(sizeof(*last));
	int err = last ? 0 : -ENOMEM;
	unsigned archives = 0;

	while (!err) {
		skip_padding(&u);
		if (u.at >= u.size)
			break;
		err = next_record(&u);
		if (err)
			break;
		if (!strcmp(u.name, "TRAILER!!!")) {
			forget_all(&u);
			archives++;
			continue;
		}
		archives += !archives;
		err = unpack_record(&u, last);
		if (err)
			pr_err("initramfs: cannot make %s: error %d\n", u.name, -err);
	}
	if (!err && !archives)
		err = bad(&u, "nothing but zero bytes");
	forget_all(&u);
	fs_free(u.seen);
	fs_free(last);
	return err;
}
