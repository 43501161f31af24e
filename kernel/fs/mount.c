/* SPDX-License-Identifier: MIT */
/*
 * The table of mounts, and mount(2) and umount2(2).
 *
 * A mount says: in mount `parent`, in directory `dir`, the name `name` is the root of this
 * instance. Names are looked up here before the directory is asked, so the directory need not have
 * such an entry. Later mounts hide earlier ones at the same place.
 */
#include "kernel/fs/syscalls.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

struct spinlock mount_lock = SPINLOCK_INIT;
struct path vfs_root;

static LIST_HEAD(mounts); /* mount_lock; in order of their making */
static int last_id;       /* mount_lock */

struct mount *mnt_get(struct mount *m)
{
	ref_get(&m->refs);
	return m;
}

/* A detached mount lives on while something is open on it. */
void mnt_put(struct mount *m)
{
	if (!m || !ref_put(&m->refs))
		return;
	dput(m->root);
	super_put(m->sb);
	fs_free(m->name);
	fs_free(m->source);
	fs_free(m);
}

void path_get(const struct path *p)
{
	if (p->mnt)
		mnt_get(p->mnt);
	if (p->dentry)
		dget(p->dentry);
}

void path_put(struct path *p)
{
	dput(p->dentry);
	mnt_put(p->mnt);
	p->dentry = NULL;
	p->mnt = NULL;
}

bool path_equal(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->dentry == b->dentry;
}

static bool name_is(const struct mount *m, const char *name, size_t len)
{
	return !strncmp(m->name, name, len) && m->name[len] == '\0';
}

struct mount *mount_lookup(struct mount *mnt, struct dentry *dir, const char *name, size_t len)
{
	struct mount *m, *found = NULL;

	spin_lock(&mount_lock);
	list_for_each_entry(m, &mounts, node) if (m->dir == dir && m->parent == mnt &&
	                                          name_is(m, name, len)) found = m;
	if (found)
		mnt_get(found);
	spin_unlock(&mount_lock);
	return found;
}

bool mount_name_busy(struct dentry *dir, const char *name, size_t len)
{
	bool busy = false;
	struct mount *m;

	spin_lock(&mount_lock);
	list_for_each_entry(m, &mounts, node) if (m->dir == dir && name_is(m, name, len)) busy =
	    true;
	spin_unlock(&mount_lock);
	return busy;
}

bool mount_at(struct dentry *d)
{
	bool busy = false;
	struct mount *m;

	spin_lock(&mount_lock);
	list_for_each_entry(m, &mounts, node) if (m->dir == d || m->root == d) busy = true;
	spin_unlock(&mount_lock);
	return busy;
}

bool mount_parent(const struct path *p, struct path *out, char *name, size_t size)
{
	bool has;

	spin_lock(&mount_lock);
	has = p->mnt->parent != NULL;
	if (has) {
		out->mnt = mnt_get(p->mnt->parent);
		out->dentry = dget(p->mnt->dir);
		if (name)
			strlcpy(name, p->mnt->name, size);
	}
	spin_unlock(&mount_lock);
	return has;
}

bool mount_virtual_nth(struct mount *mnt, struct dentry *dir, unsigned n, char *name, u64 *ino)
{
	bool found = false;
	struct mount *m;

	spin_lock(&mount_lock);
	list_for_each_entry(m, &mounts, node)
	{
		if (m->dir != dir || m->parent != mnt || !m->is_virtual || n--)
			continue;
		strlcpy(name, m->name, FS_NAME_MAX + 1);
		*ino = m->root->inode->ino;
		found = true;
		break;
	}
	spin_unlock(&mount_lock);
	return found;
}

/* ------------------------------------------------------------------ making them */

/* sb's and root's references are taken over when this succeeds. */
static struct mount *mount_alloc(struct super *sb, struct dentry *root, const char *source,
                                 u32 flags)
{
	struct mount *m = fs_zalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->source = fs_strndup(source, strlen(source));
	if (!m->source) {
		fs_free(m);
		return NULL;
	}
	m->refs = 1;
	m->sb = sb;
	m->root = root;
	m->flags = flags;
	list_init(&m->node);
	return m;
}

/* Into the table; its first reference is the table's. name and the references in `at` are taken
 * over. */
static void mount_attach(struct mount *m, struct path *at, char *name, bool is_virtual)
{
	spin_lock(&mount_lock);
	m->parent = at ? at->mnt : NULL;
	m->dir = at ? at->dentry : NULL;
	m->name = name;
	m->is_virtual = is_virtual;
	if (!m->id)
		m->id = ++last_id;
	list_add_tail(&m->node, &mounts);
	spin_unlock(&mount_lock);
}

/* Out of the table; the caller gets the table's reference. */
static void mount_detach(struct mount *m)
{
	struct path at;

	spin_lock(&mount_lock);
	list_del_init(&m->node);
	at = (struct path){.mnt = m->parent, .dentry = m->dir};
	m->parent = NULL;
	m->dir = NULL;
	spin_unlock(&mount_lock);
	path_put(&at);
}

/*
 * Where a mount on `path` has to be entered: the directory and the name. Of the root of a mount it
 * is the place of that one, so that the later hides the earlier.
 */
static int mount_place(const struct path *path, struct path *at, char **name)
{
	char buf[FS_NAME_MAX + 1];

	if (path->dentry == path->mnt->root) {
		if (!mount_parent(path, at, buf, sizeof(buf)))
			return -EBUSY; /* over "/" */
	} else {
		at->mnt = mnt_get(path->mnt);
		at->dentry = d_parent(path->dentry);
		spin_lock(&dcache_lock);
		strlcpy(buf, path->dentry->name, sizeof(buf));
		spin_unlock(&dcache_lock);
	}
	*name = fs_strndup(buf, strlen(buf));
	if (!*name) {
		path_put(at);
		return -ENOMEM;
	}
	return 0;
}

static int attach_at(struct mount *m, const struct path *path)
{
	struct path at;
	char *name;
	int err = mount_place(path, &at, &name);

	if (!err)
		mount_attach(m, &at, name, false);
	return err;
}

/* The place for a path that may not exist: its parent and its last name. */
static int attach_virtual(struct mount *m, const char *path)
{
	struct last_name *last = fs_alloc(sizeof(*last));
	struct path at;
	char *name = NULL;
	int err = last ? path_parent(AT_FDCWD, path, LOOKUP_KERNEL, &at, last) : -ENOMEM;

	if (!err && (last->dot || last->dotdot)) {
		path_put(&at);
		err = -EBUSY;
	}
	if (!err) {
		name = fs_strndup(last->name, last->len);
		if (!name) {
			path_put(&at);
			err = -ENOMEM;
		}
	}
	if (!err)
		mount_attach(m, &at, name, true);
	fs_free(last);
	return err;
}

int mount_super(struct super *sb, const char *source, const char *path, u32 flags)
{
	struct mount *m = mount_alloc(sb, dget(sb->root), source, flags);
	struct path p;
	int err;

	if (!m) {
		dput(sb->root);
		super_put(sb);
		return -ENOMEM;
	}
	err = path_lookup(AT_FDCWD, path, LOOKUP_KERNEL | LOOKUP_FOLLOW, &p);
	if (!err) {
		err = attach_at(m, &p);
		path_put(&p);
	} else if (err == -ENOENT) {
		err = attach_virtual(m, path);
	}
	if (err)
		mnt_put(m);
	return err;
}

/* The root of all from now on; of those who have their own already, only the caller moves. */
int mount_root_super(struct super *sb, const char *source)
{
	struct mount *m = mount_alloc(sb, dget(sb->root), source, 0);

	if (!m) {
		dput(sb->root);
		super_put(sb);
		return -ENOMEM;
	}
	mount_attach(m, NULL, NULL, false);
	m->name = fs_strndup("/", 1);
	spin_lock(&mount_lock);
	vfs_root = (struct path){.mnt = m, .dentry = m->root};
	spin_unlock(&mount_lock);
	return m->name ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ mount(2) */

/* What a tmpfs is mounted with. */
struct tmpfs_options {
	u64 size;   /* bytes, 0: no limit */
	u64 inodes; /* 0: no limit */
	bool limit_inodes;
	u32 mode;
};

/* A number with a unit behind it, as "16m". */
static bool number_option(const char *o, u64 *n)
{
	static const char units[] = "kmgtpe";
	char *end;
	const char *u;

	*n = strtoul(o, &end, 0);
	if (end == o)
		return false;
	u = *end ? strchr(units, *end | 0x20) : NULL;
	if (u)
		*n <<= 10 * (u - units + 1);
	return !*end || (u && !end[1]);
}

/* Bytes, or a part of the memory: "10%". */
static bool size_option(const char *o, u64 *size)
{
	struct mmk_stats st;
	char *end;
	u64 n = strtoul(o, &end, 0);

	if (end == o || *end != '%')
		return number_option(o, size);
	mmk_stats(mm_sys, &st);
	*size = st.frames_total * n / 100 * PAGE_SIZE;
	return !end[1];
}

static bool tmpfs_option(const char *o, struct tmpfs_options *t)
{
	char *end;

	if (!strncmp(o, "size=", 5))
		return size_option(o + 5, &t->size);
	if (!strncmp(o, "nr_blocks=", 10)) {
		bool ok = number_option(o + 10, &t->size);

		t->size *= PAGE_SIZE;
		return ok;
	}
	if (!strncmp(o, "nr_inodes=", 10)) {
		t->limit_inodes = true;
		return number_option(o + 10, &t->inodes);
	}
	if (!strncmp(o, "mode=", 5)) {
		t->mode = (u32)strtoul(o + 5, &end, 8) & 07777;
		return end != o + 5 && !*end;
	}
	return !*o;
}

static int tmpfs_mount(char *data, const char *type, struct super **out)
{
	struct tmpfs_options t = {.size = TMPFS_DEFAULT_SIZE, .mode = 01777};

	while (data) {
		char *next = strchr(data, ',');

		if (next)
			*next++ = '\0';
		if (!tmpfs_option(data, &t))
			return -EINVAL;
		data = next;
	}
	*out = tmpfs_new(type, t.size, t.mode);
	if (*out && t.limit_inodes)
		tmpfs_limit_inodes(*out, t.inodes);
	return *out ? 0 : -ENOMEM;
}

static int new_super(const char *type, const char *source, char *data, struct super **out)
{
	if (!strcmp(type, "tmpfs") || !strcmp(type, "ramfs"))
		return tmpfs_mount(data, type[0] == 't' ? "tmpfs" : "ramfs", out);
	if (!strcmp(type, "9p"))
		return p9fs_new(source, "", out);
	*out = NULL;
	if (!strcmp(type, "proc"))
		*out = procfs_new();
	else if (!strcmp(type, "sysfs"))
		*out = sysfs_new();
	else if (!strcmp(type, "devtmpfs"))
		*out = devfs_new();
	else
		return -ENODEV;
	return *out ? 0 : -ENOMEM;
}

static int do_new_mount(const char *type, const char *source, const struct path *at, u32 flags,
                        char *data)
{
	struct super *sb;
	struct mount *m;
	int err;

	if (!type[0])
		return -EINVAL;
	err = new_super(type, source, data, &sb);
	if (err)
		return err;
	err = -ENOTDIR;
	m = NULL;
	if (is_dir(at->dentry->inode)) {
		m = mount_alloc(sb, dget(sb->root), source[0] ? source : "none", flags & MNT_KEPT);
		err = -ENOMEM;
	}
	if (!m) {
		if (err == -ENOMEM)
			dput(sb->root);
		super_put(sb);
		return err;
	}
	err = attach_at(m, at);
	if (err)
		mnt_put(m);
	return err;
}

static int do_bind(const struct path *from, const struct path *at, u32 flags)
{
	struct mount *m;
	int err;

	if (is_dir(from->dentry->inode) != is_dir(at->dentry->inode))
		return -ENOTDIR;
	m = mount_alloc(from->mnt->sb, dget(from->dentry), from->mnt->source, from->mnt->flags);
	if (!m) {
		dput(from->dentry);
		return -ENOMEM;
	}
	super_get(m->sb);
	err = attach_at(m, at);
	if (err)
		mnt_put(m);
	return err;
}

/* mount --move. Over "/": it becomes the root of all, as switch_root(8) wants it. */
static int do_move(const struct path *from, const struct path *at)
{
	struct mount *m = from->mnt;
	bool over_root = path_equal(at, &vfs_root);
	struct path place;
	char *name = NULL;
	int err = 0;

	if (from->dentry != m->root || !m->parent)
		return -EINVAL;
	if (!over_root)
		err = mount_place(at, &place, &name);
	else
		name = fs_strndup("/", 1);
	if (err || !name)
		return err ? err : -ENOMEM;
	mount_detach(m);
	fs_free(m->name);
	mount_attach(m, over_root ? NULL : &place, name, false);
	if (over_root) {
		spin_lock(&mount_lock);
		vfs_root = (struct path){.mnt = m, .dentry = m->root};
		spin_unlock(&mount_lock);
	}
	return 0;
}

static int do_remount(const struct path *at, u32 flags)
{
	if (at->dentry != at->mnt->root)
		return -EINVAL;
	at->mnt->flags = flags & MNT_KEPT;
	return 0;
}

static int do_mount(const char *source, const struct path *at, const char *type, u32 flags,
                    char *data)
{
	struct path from;
	int err;

	if (flags & MS_REMOUNT)
		return do_remount(at, flags);
	/* Propagation: every mount is private here, and cannot be anything else. */
	if (flags & (MS_SHARED | MS_SLAVE | MS_UNBINDABLE))
		return -EINVAL;
	if (flags & MS_PRIVATE)
		return at->dentry == at->mnt->root ? 0 : -EINVAL;
	if (!(flags & (MS_BIND | MS_MOVE)))
		return do_new_mount(type, source, at, flags, data);
	err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	err = flags & MS_BIND ? do_bind(&from, at, flags) : do_move(&from, at);
	path_put(&from);
	return err;
}

/* A string argument that may be NULL, then it is "". */
static int optional_string(u64 uaddr, char **out)
{
	if (!uaddr) {
		*out = fs_strndup("", 0);
		return *out ? 0 : -ENOMEM;
	}
	return user_path_copy(uaddr, true, out);
}

long sys_mount(u64 usource, u64 target, u64 utype, u64 flags, u64 udata)
{
	char *source = NULL, *type = NULL, *data = NULL;
	struct path at;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((flags & 0xffff0000u) == 0xc0ed0000u) /* the magic of old */
		flags &= 0xffff;
	err = optional_string(usource, &source);
	if (!err)
		err = optional_string(utype, &type);
	if (!err && !(flags & (MS_BIND | MS_MOVE | MS_REMOUNT)))
		err = optional_string(udata, &data);
	if (!err)
		err = user_path(AT_FDCWD, target, LOOKUP_FOLLOW, &at);
	if (!err) {
		err = do_mount(source, &at, type, (u32)flags, data);
		path_put(&at);
	}
	fs_free(data);
	fs_free(type);
	fs_free(source);
	return err;
}

/* Something is mounted in it, or used of it: more references than the table's and the path's. */
static bool mount_busy(struct mount *m)
{
	bool busy = READ_ONCE(m->refs) > 2;
	struct mount *c;

	spin_lock(&mount_lock);
	list_for_each_entry(c, &mounts, node) if (c->parent == m) busy = true;
	spin_unlock(&mount_lock);
	return busy;
}

/* The first mount found that is inside of m, with a reference. */
static struct mount *mount_child(struct mount *m)
{
	struct mount *c, *found = NULL;

	spin_lock(&mount_lock);
	list_for_each_entry(c, &mounts, node) if (c->parent == m) found = c;
	if (found)
		mnt_get(found);
	spin_unlock(&mount_lock);
	return found;
}

/* MNT_DETACH takes what is mounted inside along. */
static void detach_tree(struct mount *m)
{
	struct mount *top = m;

	for (;;) {
		struct mount *c = mount_child(m);

		if (c) {
			mnt_put(c); /* the table still holds it */
			m = c;
			continue;
		}
		mount_detach(m);
		mnt_put(m);
		if (m == top)
			return;
		m = top;
	}
}

long sys_umount2(u64 target, u64 flags)
{
	struct path p;
	struct mount *m;
	int err;

	if (flags & ~(u64)(MNT_FORCE | MNT_DETACH | 4 | UMOUNT_NOFOLLOW))
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = user_path(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	m = p.mnt;
	if (p.dentry != m->root || !m->parent)
		err = p.dentry == m->root ? -EBUSY : -EINVAL;
	else if (!(flags & MNT_DETACH) && mount_busy(m))
		err = -EBUSY;
	else if (m->sb->op->sync)
		m->sb->op->sync(m->sb);
	if (!err)
		detach_tree(m);
	path_put(&p);
	return err;
}

/* ------------------------------------------------------------------ /proc/mounts */

static size_t show_one(struct mount *m, const char *at, char *buf, size_t size, bool info)
{
	char options[64] = "";
	const char *rw = m->flags & MNT_RDONLY ? "ro" : "rw";
	char flags[48];

	scnprintf(flags, sizeof(flags), "%s%s%s%s", rw, m->flags & MNT_NOSUID ? ",nosuid" : "",
	          m->flags & MNT_NODEV ? ",nodev" : "", m->flags & MNT_NOEXEC ? ",noexec" : "");
	if (m->sb->op->options)
		m->sb->op->options(m->sb, options, sizeof(options));
	if (!info)
		return (size_t)scnprintf(buf, size, "%s %s %s %s,relatime%s 0 0\n", m->source, at,
		                         m->sb->type, flags, options);
	return (size_t)scnprintf(buf, size, "%d %d %u:%u / %s %s,relatime - %s %s rw%s\n", m->id,
	                         m->parent ? m->parent->id : m->id, MAJOR(m->sb->dev),
	                         MINOR(m->sb->dev), at, flags, m->sb->type, m->source, options);
}

/* The n-th mount with a reference. */
static struct mount *mount_nth(unsigned n)
{
	struct mount *m, *found = NULL;

	spin_lock(&mount_lock);
	list_for_each_entry(m, &mounts, node)
	{
		if (n--)
			continue;
		found = mnt_get(m);
		break;
	}
	spin_unlock(&mount_lock);
	return found;
}

size_t mounts_show(char *buf, size_t size, bool mountinfo)
{
	char *name = path_buf();
	struct path root;
	struct mount *m;
	size_t at = 0;
	unsigned i;

	if (!name)
		return 0;
	fs_get_root(&root);
	for (i = 0; (m = mount_nth(i)) != NULL; i++) {
		struct path p = {.mnt = m, .dentry = m->root};

		/* What is hidden behind the root, or outside of it, cannot be named. */
		if (d_path(&p, &root, name, FS_PATH_MAX) > 0 && name[0] == '/')
			at += show_one(m, name, buf + at, size - at, mountinfo);
		mnt_put(m);
	}
	path_put(&root);
	fs_free(name);
	return at;
}
