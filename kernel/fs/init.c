/* SPDX-License-Identifier: MIT */
/* File systems at boot: which there are, what is mounted, where the root comes from. */
#include "kernel/arch/memory.h"
#include "kernel/boot.h"
#include "kernel/fs/pseudo.h"
#include "kernel/fs/tty.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

int vfs_init(void)
{
	struct super *root;
	int err = random_init();

	proc_check_init();
	err = err ? err : devices_init();
	err = err ? err : anon_init();
	err = err ? err : tmpfs_init();
	if (err)
		return err;
	root = tmpfs_new("tmpfs", TMPFS_DEFAULT_SIZE, 0755);
	if (!root)
		return -ENOMEM;
	err = mount_root_super(root, "rootfs");
	return err ? err : console_init();
}

/* A mount that the system is expected to have; over the directory, or where there is none. */
static void mount_system(struct super *sb, const char *type, const char *at, u32 flags)
{
	int err = sb ? mount_super(sb, type, at, flags) : -ENOMEM;

	if (err)
		pr_err("cannot mount %s on %s: error %d\n", type, at, -err);
}

/*
 * On a root that is a directory of the host nothing can be expected to mount these: it is done
 * here, and as Debian has them. What the host's directory has in its own /tmp is not seen: programs
 * expect a /tmp that is empty when the machine starts, and of memory.
 */
static void mount_defaults(void)
{
	mount_system(devfs_new(), "devtmpfs", "/dev", 0);
	mount_system(tmpfs_new("tmpfs", TMPFS_DEFAULT_SIZE, 01777), "tmpfs", "/dev/shm",
	             MNT_NOSUID | MNT_NODEV);
	mount_system(procfs_new(), "proc", "/proc", 0);
	mount_system(sysfs_new(), "sysfs", "/sys", 0);
	mount_system(tmpfs_new("tmpfs", TMPFS_DEFAULT_SIZE, 01777), "tmpfs", "/tmp", MNT_NOSUID | MNT_NODEV);
}

/* An initramfs brings its own mounts; but PID 1's /dev/console has to be there before it. */
static int make_console_node(void)
{
	struct path root = vfs_root;
	const struct inode_ops *op = root.dentry->inode->op;
	struct dentry *dev, *con;
	int err;

	err = lookup_locked(root.dentry, "dev", 3, &dev);
	if (!err && !dev->inode) {
		err = op->mkdir(root.dentry, dev, S_IFDIR | 0755);
		if (!err)
			d_add(dev);
	}
	if (err)
		return err;
	err = is_dir(dev->inode) ? lookup_locked(dev, "console", 7, &con) : -ENOTDIR;
	if (!err && !con->inode) {
		err = op->mknod(dev, con, S_IFCHR | 0600, MKDEV(5, 1));
		if (!err)
			d_add(con);
	}
	if (!err)
		dput(con);
	dput(dev);
	return err;
}

static int mount_9p_root(const char *tag)
{
	struct super *sb;
	int err = p9fs_new(tag, "", &sb);

	if (err) {
		pr_err("cannot mount the 9p root \"%s\": error %d\n", tag, -err);
		return err;
	}
	err = mount_root_super(sb, tag);
	if (!err && current->fs) {
		struct fs *fs = current->fs;

		path_put(&fs->root);
		path_put(&fs->cwd);
		fs->root = fs->cwd = vfs_root;
		path_get(&fs->root);
		path_get(&fs->cwd);
	}
	return err;
}

int vfs_mount_root(void)
{
	u64 start = boot_info.initrd_start, end = boot_info.initrd_end;
	const char *root = cmdline_get("root"), *type = cmdline_get("rootfstype");
	int err = 0;

	if (end > start) {
		err = initramfs_unpack(phys_to_virt(start), end - start);
		if (err)
			return err;
		mmk_release_reserved(mm_sys, start, end);
	}
	if (root && type && !strcmp(type, "9p")) {
		err = mount_9p_root(root);
		if (!err)
			mount_defaults();
		return err;
	}
	return make_console_node();
}

int vfs_mount_9p(const char *tag, const char *path)
{
	struct super *sb;
	int err = p9fs_new(tag, "", &sb);

	return err ? err : mount_super(sb, tag, path, 0);
}
