/* SPDX-License-Identifier: MIT */
/*
 * From a place in the tree to its name: getcwd(2), /proc/PID/exe, /proc/PID/maps. The name is
 * written backwards from the end of the buffer, component by component, up to the root given.
 */
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

struct backwards {
	char *buf;
	size_t at; /* the text is [at, size) */
	bool full;
};

static void prepend(struct backwards *b, const char *s, size_t n)
{
	if (b->full || b->at < n) {
		b->full = true;
		return;
	}
	b->at -= n;
	memcpy(b->buf + b->at, s, n);
}

static void prepend_name(struct backwards *b, const char *name, size_t len)
{
	prepend(b, name, len);
	prepend(b, "/", 1);
}

/* Up to root or to the top; true when root was met. mount_lock and dcache_lock are held. */
static bool climb(struct backwards *b, const struct path *path, const struct path *root)
{
	struct mount *mnt = path->mnt;
	struct dentry *d = path->dentry;

	while (!root || mnt != root->mnt || d != root->dentry) {
		if (mnt && d == mnt->root) {
			if (!mnt->parent)
				return !root;
			prepend_name(b, mnt->name, strlen(mnt->name));
			d = mnt->dir;
			mnt = mnt->parent;
			continue;
		}
		if (d->parent == d)
			return !root;
		prepend_name(b, d->name, d->len);
		d = d->parent;
	}
	return true;
}

/* Move the text to the front and end it. */
static int finish(struct backwards *b, size_t size)
{
	size_t n = size - 1 - b->at;

	if (b->full)
		return -ENAMETOOLONG;
	memmove(b->buf, b->buf + b->at, n);
	b->buf[n] = '\0';
	return (int)n;
}

static bool is_deleted(const struct dentry *d)
{
	return !d->hashed && d->parent != d;
}

static int path_text(const struct path *path, const struct path *root, char *buf, size_t size,
                     bool show_deleted)
{
	struct backwards b = {.buf = buf, .at = size - 1};
	const struct dentry *d = path->dentry;
	size_t end;
	bool met;

	if (size < 2)
		return -ENAMETOOLONG;
	spin_lock(&mount_lock);
	spin_lock(&dcache_lock);
	if (d->anon) {
		prepend(&b, d->name, d->len);
	} else {
		if (show_deleted && is_deleted(d))
			prepend(&b, " (deleted)", 10);
		end = b.at;
		met = climb(&b, path, root);
		if (b.at == end)
			prepend(&b, "/", 1);
		if (!met)
			prepend(&b, "(unreachable)", 13);
	}
	spin_unlock(&dcache_lock);
	spin_unlock(&mount_lock);
	return finish(&b, size);
}

int d_path(const struct path *path, const struct path *root, char *buf, size_t size)
{
	return path_text(path, root, buf, size, false);
}

int path_name(const struct path *path, char *buf, size_t size)
{
	struct path root;
	int n;

	fs_get_root(&root);
	n = path_text(path, &root, buf, size, true);
	path_put(&root);
	/* What lies outside of a chroot is shown as seen from the top, as Linux shows it in maps.
	 */
	if (n > 13 && !memcmp(buf, "(unreachable)", 13)) {
		memmove(buf, buf + 13, (size_t)n - 12);
		n -= 13;
	}
	return n;
}
