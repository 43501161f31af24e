/* SPDX-License-Identifier: MIT */
/* Files without a place in any directory: pipes, sockets, eventfds. One instance holds their
 * inodes. */
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/sched/task.h"

static const struct super_ops anon_super_ops;
static const struct inode_ops anon_inode_ops;
static struct super *anon_sb;
static struct mount *anon_mnt; /* so that paths of such files are whole */

struct super *anon_super(void)
{
	return anon_sb;
}

int anon_init(void)
{
	anon_sb = super_alloc("anon_inodefs", ANON_INODE_MAGIC, &anon_super_ops);
	anon_mnt = fs_zalloc(sizeof(*anon_mnt));
	if (!anon_sb || !anon_mnt)
		return -ENOMEM;
	anon_mnt->refs = 1;
	anon_mnt->sb = anon_sb;
	list_init(&anon_mnt->node);
	return 0;
}

/* "pipe:" and the like are followed by the inode's number in brackets. */
static struct dentry *anon_dentry(const char *name, struct inode *inode)
{
	char text[FS_NAME_MAX + 1];

	if (name[0] == '/' || name[0] == 'a')
		return d_alloc_anon(anon_sb, name, inode);
	scnprintf(text, sizeof(text), "%s:[%llu]", name, (unsigned long long)inode->ino);
	return d_alloc_anon(anon_sb, text, inode);
}

int anon_file(const char *name, u32 mode, const struct file_ops *fop, void *priv, u32 flags,
              struct file **out)
{
	struct inode *inode = inode_alloc(anon_sb, mode, NULL);
	struct path p = {.mnt = anon_mnt};
	struct file *f;

	if (!inode)
		return -ENOMEM;
	inode->op = &anon_inode_ops;
	inode->fop = fop;
	p.dentry = anon_dentry(name, inode);
	if (!p.dentry)
		return -ENOMEM;
	f = file_alloc(&p, flags);
	dput(p.dentry);
	if (!f)
		return -ENOMEM;
	f->priv = priv;
	inode->fop = NULL; /* opening it once more, through /proc/PID/fd, is ENXIO */
	*out = f;
	return 0;
}
