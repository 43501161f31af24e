/* SPDX-License-Identifier: MIT */
/*
 * From a path to a place in the tree.
 *
 * One struct walk goes through the text component by component. A symbolic link on the way puts its
 * own text in front of what is left, so there is no recursion; forty of them are ELOOP. The last
 * component is left to the caller of walk_to_last(), since open, mkdir and rename treat it each in
 * their own way.
 */
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

#define MAX_LINKS 40

struct walk {
	struct path at;   /* with references */
	struct path root; /* with references */
	const char *rest; /* what is left of the text */
	char *text;       /* allocated, when links have been followed */
	unsigned links;
	bool kernel; /* no permission checks */
};

/* ------------------------------------------------------------------ permission */

static u32 mode_bits(const struct inode *inode)
{
	if (current->cred.fsuid == inode->uid)
		return inode->mode >> 6;
	if (in_group(inode->gid))
		return inode->mode >> 3;
	return inode->mode;
}

int inode_permission(const struct inode *inode, u32 mask)
{
	if ((mode_bits(inode) & mask & 7) == (mask & 7))
		return 0;
	/* DAC_OVERRIDE: all but executing what nobody may execute. */
	if (capable(CAP_DAC_OVERRIDE) &&
	    (is_dir(inode) || !(mask & MAY_EXEC) || (inode->mode & 0111)))
		return 0;
	if (capable(CAP_DAC_READ_SEARCH) &&
	    (mask == MAY_READ || (is_dir(inode) && !(mask & MAY_WRITE))))
		return 0;
	return -EACCES;
}

bool inode_owner_or_capable(const struct inode *inode)
{
	return current->cred.fsuid == inode->uid || capable(CAP_FOWNER);
}

int mnt_want_write(const struct path *p)
{
	if ((p->mnt && (p->mnt->flags & MNT_RDONLY)) || (p->dentry->sb->flags & SUPER_READONLY))
		return -EROFS;
	return 0;
}

int dir_may_change(const struct path *dir)
{
	int err = mnt_want_write(dir);

	if (err)
		return err;
	if (!dir->dentry->hashed && dir->dentry->parent != dir->dentry)
		return -ENOENT; /* it has been removed itself */
	return inode_permission(dir->dentry->inode, MAY_WRITE | MAY_EXEC);
}

int dir_may_delete(const struct path *dir, const struct dentry *d)
{
	const struct inode *di = dir->dentry->inode;
	int err = dir_may_change(dir);

	if (err)
		return err;
	if ((di->mode & S_ISVTX) && current->cred.fsuid != di->uid &&
	    current->cred.fsuid != d->inode->uid && !capable(CAP_FOWNER))
		return -EPERM;
	return 0;
}

/* ------------------------------------------------------------------ one name */

/* A name that the tree knows, still true? Stale ones are taken out. With a reference, NULL, or
 * -errno in *err. */
static struct dentry *known_name(struct dentry *dir, const char *name, size_t len, int *err)
{
	struct dentry *d = d_lookup(dir, name, len);
	int ok = 1;

	*err = 0;
	if (d && d->sb->op->revalidate)
		ok = d->sb->op->revalidate(d);
	if (ok > 0 || !d)
		return d;
	if (!ok)
		d_drop(d);
	else
		*err = ok;
	dput(d);
	return NULL;
}

int lookup_locked(struct dentry *dir, const char *name, size_t len, struct dentry **out)
{
	struct dentry *d;
	int err;

	d = known_name(dir, name, len, &err);
	if (!d && !err) {
		if (!dir->inode->op->lookup)
			return -ENOTDIR;
		d = d_alloc(dir->sb, dir, name, len);
		if (!d)
			return -ENOMEM;
		err = dir->inode->op->lookup(dir, d);
		if (!err)
			d_add(d);
		else if (err == -ENOENT)
			err = 0; /* without an inode: to be made */
		if (err) {
			dput(d);
			d = NULL;
		}
	}
	*out = d;
	return err;
}

int lookup_one(const struct path *dir, const char *name, size_t len, struct path *out)
{
	struct mount *m = mount_lookup(dir->mnt, dir->dentry, name, len);
	struct dentry *d;
	int err;

	if (m) {
		*out = (struct path){.mnt = m, .dentry = dget(m->root)};
		return 0;
	}
	*out = (struct path){0};
	if (len > FS_NAME_MAX)
		return -ENAMETOOLONG;
	d = known_name(dir->dentry, name, len, &err);
	if (!d && !err) {
		mutex_lock(&dir->dentry->inode->lock);
		err = lookup_locked(dir->dentry, name, len, &d);
		mutex_unlock(&dir->dentry->inode->lock);
	}
	if (err)
		return err;
	if (!d->inode) {
		dput(d);
		return -ENOENT;
	}
	*out = (struct path){.mnt = mnt_get(dir->mnt), .dentry = d};
	return 0;
}

/* ------------------------------------------------------------------ the walk */

static void walk_end(struct walk *w)
{
	path_put(&w->at);
	path_put(&w->root);
	fs_free(w->text);
}

static void walk_goto(struct walk *w, const struct path *p)
{
	struct path old = w->at;

	path_get(p);
	w->at = *p;
	path_put(&old);
}

/* The directory that dfd names, with references. */
int path_at(int dfd, struct path *out)
{
	struct file *f;

	if (dfd == AT_FDCWD) {
		fs_get_cwd(out);
		return 0;
	}
	f = fget_raw(dfd);
	if (!f)
		return -EBADF;
	*out = f->path;
	path_get(out);
	fput(f);
	return 0;
}

static int walk_begin(struct walk *w, int dfd, const char *path, u32 flags)
{
	*w = (struct walk){.rest = path, .kernel = (flags & LOOKUP_KERNEL) != 0};
	if (w->kernel) {
		w->root = vfs_root;
		path_get(&w->root);
	} else {
		fs_get_root(&w->root);
	}
	if (*path == '/' || w->kernel) {
		w->at = w->root;
		path_get(&w->at);
		return 0;
	}
	if (!*path && !(flags & LOOKUP_EMPTY)) {
		path_put(&w->root);
		return -ENOENT;
	}
	if (path_at(dfd, &w->at)) {
		path_put(&w->root);
		return -EBADF;
	}
	return 0;
}

/* ".." : not above the root, and out of a mount to where it is mounted. */
static void walk_up(struct walk *w)
{
	struct path up;

	for (;;) {
		if (path_equal(&w->at, &w->root))
			return;
		if (w->at.dentry != w->at.mnt->root)
			break;
		/* The root of a mount: its directory is the answer, unless that is a root again. */
		if (!mount_parent(&w->at, &up, NULL, 0))
			return;
		path_put(&w->at);
		w->at = up;
		return;
	}
	up = (struct path){.mnt = mnt_get(w->at.mnt), .dentry = d_parent(w->at.dentry)};
	path_put(&w->at);
	w->at = up;
}

/* Put the text of a link before what is left. */
static int push_link(struct walk *w, const char *link, size_t len)
{
	size_t rest = strlen(w->rest);
	char *text = fs_alloc(len + 1 + rest + 1);

	if (!text)
		return -ENOMEM;
	memcpy(text, link, len);
	if (rest && w->rest[0] != '/')
		text[len++] = '/';
	memcpy(text + len, w->rest, rest + 1);
	fs_free(w->text);
	w->text = text;
	w->rest = text;
	if (*text == '/')
		walk_goto(w, &w->root);
	return 0;
}

/* at is the directory that holds `link`, a symlink. Afterwards at and rest say where to go on. */
static int follow_link(struct walk *w, struct dentry *link)
{
	const struct inode_ops *op = link->inode->op;
	struct path to;
	ssize_t n;
	char *buf;
	int err;

	if (++w->links > MAX_LINKS)
		return -ELOOP;
	if (op->follow) {
		err = op->follow(link, &to);
		if (!err) {
			walk_goto(w, &to);
			path_put(&to);
		}
		return err;
	}
	if (!op->readlink)
		return -EINVAL;
	buf = path_buf();
	if (!buf)
		return -ENOMEM;
	n = op->readlink(link, buf, FS_PATH_MAX);
	if (n >= FS_PATH_MAX)
		err = -ENAMETOOLONG;
	else if (n <= 0)
		err = n ? (int)n : -ENOENT;
	else
		err = push_link(w, buf, (size_t)n);
	fs_free(buf);
	return err;
}

/* Is `at` a directory one may go through? */
static int may_search(const struct walk *w)
{
	const struct inode *inode = w->at.dentry->inode;

	if (!is_dir(inode))
		return -ENOTDIR;
	return w->kernel ? 0 : inode_permission(inode, MAY_EXEC);
}

static void skip_slashes(struct walk *w)
{
	while (*w->rest == '/')
		w->rest++;
}

/* Take the next component off the text. */
static int next_component(struct walk *w, struct last_name *c)
{
	const char *s = w->rest;
	size_t n = (size_t)(strchrnul(s, '/') - s);

	if (n > FS_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(c->name, s, n);
	c->name[n] = '\0';
	c->len = (u32)n;
	c->dot = n == 0 || (n == 1 && s[0] == '.');
	c->dotdot = n == 2 && s[0] == '.' && s[1] == '.';
	w->rest = s + n;
	c->slash = *w->rest == '/';
	skip_slashes(w);
	return 0;
}

/* On to `next`, whose reference is used up. *link: it is one, and stands before the rest now. */
static int step_to(struct walk *w, struct path *next, bool follow, bool *link)
{
	int err;

	*link = false;
	if (S_ISLNK(next->dentry->inode->mode) && follow) {
		err = follow_link(w, next->dentry);
		path_put(next);
		*link = !err;
		return err;
	}
	path_put(&w->at);
	w->at = *next;
	return 0;
}

/* A component that is not the last, or a link in its place. */
static int walk_into(struct walk *w, const struct last_name *c)
{
	struct path next;
	bool link;
	int err;

	if (c->dot)
		return 0;
	if (c->dotdot) {
		walk_up(w);
		return 0;
	}
	err = lookup_one(&w->at, c->name, c->len, &next);
	if (err)
		return err;
	return step_to(w, &next, true, &link);
}

/* Up to the directory that the last component is to be looked up in; the last one is in *last. */
static int walk_to_last(struct walk *w, struct last_name *last)
{
	int err;

	for (;;) {
		skip_slashes(w);
		if (!*w->rest) { /* "/", or a magic link that led to its end */
			*last = (struct last_name){.dot = true};
			return 0;
		}
		err = may_search(w);
		if (!err)
			err = next_component(w, last);
		if (err || !*w->rest)
			return err;
		err = walk_into(w, last);
		if (err)
			return err;
	}
}

/* The last component, which has to exist; want_dir when followed by a slash. */
static int walk_last(struct walk *w, const struct last_name *last, bool follow, bool *again)
{
	struct path next;
	int err;

	*again = false;
	if (last->dot || last->dotdot)
		return walk_into(w, last);
	err = lookup_one(&w->at, last->name, last->len, &next);
	if (err)
		return err;
	return step_to(w, &next, follow || last->slash, again);
}

static int walk_all(struct walk *w, u32 flags)
{
	bool follow = (flags & LOOKUP_FOLLOW) != 0, again;
	bool want_dir = (flags & LOOKUP_DIRECTORY) != 0;
	struct last_name *last = fs_alloc(sizeof(*last));
	int err;

	if (!last)
		return -ENOMEM;
	do {
		again = false;
		err = walk_to_last(w, last);
		if (!err) {
			want_dir |= last->slash;
			err = walk_last(w, last, follow, &again);
		}
	} while (!err && again && *w->rest);
	if (!err && want_dir && !is_dir(w->at.dentry->inode))
		err = -ENOTDIR;
	fs_free(last);
	return err;
}

int path_lookup(int dfd, const char *path, u32 flags, struct path *out)
{
	struct walk w;
	int err = walk_begin(&w, dfd, path, flags);

	*out = (struct path){0};
	if (err)
		return err;
	if (*path)
		err = walk_all(&w, flags);
	if (!err) {
		*out = w.at;
		w.at = (struct path){0};
	}
	walk_end(&w);
	return err;
}

int path_parent(int dfd, const char *path, u32 flags, struct path *dir, struct last_name *last)
{
	struct walk w;
	int err = walk_begin(&w, dfd, path, flags);

	*dir = (struct path){0};
	if (err)
		return err;
	err = walk_to_last(&w, last);
	if (!err && !is_dir(w.at.dentry->inode))
		err = -ENOTDIR;
	if (!err) {
		*dir = w.at;
		w.at = (struct path){0};
	}
	walk_end(&w);
	return err;
}

int user_path_copy(u64 upath, bool may_be_empty, char **out)
{
	char *buf = path_buf();
	long n;

	if (!buf)
		return -ENOMEM;
	n = strncpy_from_user(buf, upath, FS_PATH_MAX);
	if (n == 0 && !may_be_empty)
		n = -ENOENT;
	if (n < 0) {
		fs_free(buf);
		return (int)n;
	}
	*out = buf;
	return 0;
}

int user_path(int dfd, u64 upath, u32 flags, struct path *out)
{
	char *path;
	int err = user_path_copy(upath, (flags & LOOKUP_EMPTY) != 0, &path);

	if (err)
		return err;
	err = path_lookup(dfd, path, flags, out);
	fs_free(path);
	return err;
}

int user_path_parent(int dfd, u64 upath, struct path *dir, struct last_name *last)
{
	char *path;
	int err = user_path_copy(upath, false, &path);

	if (err)
		return err;
	err = path_parent(dfd, path, 0, dir, last);
	fs_free(path);
	return err;
}

/* ------------------------------------------------------------------ open's last component */

/* Make a regular file in w->at. dir's lock is held, d has no inode. */
static int create_locked(struct walk *w, struct dentry *d, u32 mode)
{
	struct dentry *dir = w->at.dentry;
	int err = w->kernel ? 0 : dir_may_change(&w->at);

	if (err)
		return err;
	if (!dir->inode->op->create)
		return -EACCES;
	err = dir->inode->op->create(dir, d, S_IFREG | (mode & 07777 & ~fs_umask()));
	if (!err)
		d_add(d);
	return err;
}

/*
 * O_CREAT: find or make the name. 0 with *out set and *created; a link is handed back like any
 * other thing found.
 */
static int find_or_create(struct walk *w, const struct last_name *last, u32 mode, struct path *out,
                          bool *created)
{
	struct dentry *dir = w->at.dentry, *d;
	int err;

	*created = false;
	err = lookup_one(&w->at, last->name, last->len, out);
	if (err != -ENOENT)
		return err;
	mutex_lock(&dir->inode->lock);
	err = lookup_locked(dir, last->name, last->len, &d);
	if (!err && !d->inode) {
		err = create_locked(w, d, mode);
		*created = !err;
		if (err)
			dput(d);
	}
	mutex_unlock(&dir->inode->lock);
	if (!err)
		*out = (struct path){.mnt = mnt_get(w->at.mnt), .dentry = d};
	return err;
}

/* One round: to the last component and what it is. *again: it was a link, now followed. */
static int open_round(struct walk *w, struct last_name *last, u32 flags, u32 mode, bool *created,
                      bool *again)
{
	bool follow = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
	struct path next;
	int err = walk_to_last(w, last);

	if (err)
		return err;
	if (!(flags & O_CREAT)) {
		err = walk_last(w, last, follow, again);
		if (!err && last->slash && !*again && !is_dir(w->at.dentry->inode))
			err = -ENOTDIR;
		return err;
	}
	if (last->dot || last->dotdot)
		return flags & O_EXCL ? -EEXIST : -EISDIR;
	if (last->slash)
		return -EISDIR;
	err = find_or_create(w, last, mode, &next, created);
	if (err)
		return err;
	if (!*created && ((flags & O_EXCL) || is_dir(next.dentry->inode))) {
		path_put(&next);
		return flags & O_EXCL ? -EEXIST : -EISDIR;
	}
	err = step_to(w, &next, follow, again);
	*again = *again && *w->rest;
	return err;
}

int path_open(int dfd, const char *path, u32 flags, u32 mode, u32 lookup, struct path *out,
              bool *created)
{
	struct last_name *last = fs_alloc(sizeof(*last));
	struct walk w;
	bool again;
	int err;

	*created = false;
	*out = (struct path){0};
	if (!last)
		return -ENOMEM;
	err = walk_begin(&w, dfd, path, lookup);
	if (err) {
		fs_free(last);
		return err;
	}
	do {
		again = false;
		err = open_round(&w, last, flags, mode, created, &again);
	} while (!err && again && *w.rest);
	if (!err) {
		*out = w.at;
		w.at = (struct path){0};
	}
	walk_end(&w);
	fs_free(last);
	return err;
}
