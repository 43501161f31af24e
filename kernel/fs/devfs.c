/* SPDX-License-Identifier: MIT */
/* /dev: a tmpfs with the nodes of what there is in it. */
#include "kernel/fs/vfs.h"
#include "kernel/lib/string.h"

struct node {
	const char *name;
	u32 mode;
	u32 rdev;
	const char *target; /* of a symlink */
};

static const struct node nodes[] = {
    {"null", S_IFCHR | 0666, MKDEV(1, 3), NULL},
    {"zero", S_IFCHR | 0666, MKDEV(1, 5), NULL},
    {"full", S_IFCHR | 0666, MKDEV(1, 7), NULL},
    {"random", S_IFCHR | 0666, MKDEV(1, 8), NULL},
    {"urandom", S_IFCHR | 0666, MKDEV(1, 9), NULL},
    {"tty", S_IFCHR | 0666, MKDEV(5, 0), NULL},
    {"console", S_IFCHR | 0600, MKDEV(5, 1), NULL},
    {"ptmx", S_IFCHR | 0666, MKDEV(5, 2), NULL}, /* no such driver: ENXIO */
    {"ttyAMA0", S_IFCHR | 0660, MKDEV(204, 64), NULL},
    {"hvc0", S_IFCHR | 0660, MKDEV(229, 0), NULL},
    {"shm", S_IFDIR | 01777, 0, NULL},
    {"fd", S_IFLNK | 0777, 0, "/proc/self/fd"},
    {"stdin", S_IFLNK | 0777, 0, "/proc/self/fd/0"},
    {"stdout", S_IFLNK | 0777, 0, "/proc/self/fd/1"},
    {"stderr", S_IFLNK | 0777, 0, "/proc/self/fd/2"},
};

static int make_node(struct dentry *dir, const struct node *n)
{
	const struct inode_ops *op = dir->inode->op;
	struct dentry *d = d_alloc(dir->sb, dir, n->name, strlen(n->name));
	int err;

	if (!d)
		return -ENOMEM;
	if (S_ISLNK(n->mode))
		err = op->symlink(dir, d, n->target);
	else if (S_ISDIR(n->mode))
		err = op->mkdir(dir, d, n->mode);
	else
		err = op->mknod(dir, d, n->mode, n->rdev);
	if (!err)
		d_add(d);
	dput(d);
	return err;
}

struct super *devfs_new(void)
{
	struct super *sb = tmpfs_new("devtmpfs", 0, 0755);
	unsigned i;

	for (i = 0; sb && i < ARRAY_SIZE(nodes); i++) {
		if (make_node(sb->root, &nodes[i])) {
			super_put(sb);
			sb = NULL;
		}
	}
	return sb;
}
