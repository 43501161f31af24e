/* SPDX-License-Identifier: MIT */
/*
 * Supers, inodes and dentries: how long they live, and the tree that dentries make.
 *
 * A dentry is in the tree (hashed, among its parent's children) from d_add() to d_drop(). One that
 * nobody uses is freed at once, or - where the file system is slow to ask (SUPER_KEEP_DENTRIES) -
 * kept on a list from which the oldest are freed. It keeps its parent and its inode alive, so the
 * page cache of a file lives as long as a name of it is kept.
 */
#include "kernel/clock.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"
#include "kernel/sys/syscall.h"

#define HASH_SIZE 2048u
#define LRU_MAX   2048u

struct spinlock dcache_lock = SPINLOCK_INIT;
struct list_head all_supers = LIST_HEAD_INIT(all_supers);

static struct dentry *hash_table[HASH_SIZE]; /* [D] */
static LIST_HEAD(lru);                       /* [D] oldest first */
static unsigned nr_lru;                      /* [D] */
static struct task *shrinker;                /* [D] frees names now, so its own dput() need not */
static u32 last_dev;                         /* [A] */

char *fs_strndup(const char *s, size_t n)
{
	char *p = fs_alloc(n + 1);

	if (p) {
		memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

struct fs_time fs_now(void)
{
	u64 ns = realtime_ns();

	return (struct fs_time){.sec = (s64)(ns / NSEC_PER_SEC), .nsec = (u32)(ns % NSEC_PER_SEC)};
}

int fs_time_cmp(const struct fs_time *a, const struct fs_time *b)
{
	if (a->sec != b->sec)
		return a->sec < b->sec ? -1 : 1;
	return a->nsec < b->nsec ? -1 : a->nsec > b->nsec;
}

/* ------------------------------------------------------------------ supers */

/* An unnamed device number, as file systems without a disk have it: major 0. */
u32 fs_new_dev(void)
{
	return MKDEV(0, __atomic_add_fetch(&last_dev, 1, __ATOMIC_RELAXED));
}

struct super *super_alloc(const char *type, u32 magic, const struct super_ops *op)
{
	struct super *sb = fs_zalloc(sizeof(*sb));

	if (!sb)
		return NULL;
	sb->refs = 1;
	sb->type = type;
	sb->magic = magic;
	sb->op = op;
	sb->dev = fs_new_dev();
	spin_init(&sb->lock);
	list_init(&sb->inodes);
	spin_lock(&mount_lock);
	list_add_tail(&sb->all, &all_supers);
	spin_unlock(&mount_lock);
	return sb;
}

void super_get(struct super *sb)
{
	ref_get(&sb->refs);
}

/* The last reference: nothing of it is mounted or open. Its tree goes. */
void super_put(struct super *sb)
{
	if (!ref_put(&sb->refs))
		return;
	spin_lock(&mount_lock);
	list_del_init(&sb->all);
	spin_unlock(&mount_lock);
	if (sb->root && sb->op->unmount)
		sb->op->unmount(sb);
	dput(sb->root);
	d_shrink(0);
	if (sb->op->put)
		sb->op->put(sb);
	if (!list_empty(&sb->inodes))
		pr_err("%s: inodes are left after the last use\n", sb->type);
	else
		fs_free(sb);
}

/* ------------------------------------------------------------------ inodes */

struct inode *inode_alloc(struct super *sb, u32 mode, const struct mmk_mapping_ops *ops)
{
	struct inode *inode = fs_zalloc(sizeof(*inode));

	if (!inode)
		return NULL;
	inode->refs = 1;
	inode->sb = sb;
	inode->ino = __atomic_add_fetch(&sb->next_ino, 1, __ATOMIC_RELAXED);
	inode->mode = mode;
	inode->uid = current->cred.fsuid;
	inode->gid = current->cred.fsgid;
	inode->nlink = 1;
	inode->atime = inode->mtime = inode->ctime = inode->btime = fs_now();
	mutex_init(&inode->lock);
	list_init(&inode->locks);
	if (S_ISREG(mode)) {
		mmk_mapping_init(mm_sys, &inode->mapping, ops, inode, 0);
		inode->has_mapping = true;
	}
	spin_lock(&sb->lock);
	list_add_tail(&inode->sb_node, &sb->inodes);
	spin_unlock(&sb->lock);
	return inode;
}

void inode_get(struct inode *inode)
{
	ref_get(&inode->refs);
}

static void inode_free(struct inode *inode)
{
	struct super *sb = inode->sb;

	if (sb->op->evict)
		sb->op->evict(inode);
	locks_inode_free(inode);
	if (inode->pipe)
		pipe_inode_free(inode);
	if (inode->has_mapping)
		mmk_mapping_destroy(&inode->mapping);
	fs_free(inode->link);
	fs_free(inode);
}

/*
 * The count reaches 0 under the super's lock, so that who walks sb->inodes (sync, the 9p index)
 * never takes one that is on its way out.
 */
void inode_put(struct inode *inode)
{
	if (!inode)
		return;
	spin_lock(&inode->sb->lock);
	if (!ref_put(&inode->refs)) {
		spin_unlock(&inode->sb->lock);
		return;
	}
	list_del_init(&inode->sb_node);
	spin_unlock(&inode->sb->lock);
	inode_free(inode);
}

/* ------------------------------------------------------------------ dentries: the tree */

static u32 name_hash(const struct dentry *parent, const char *name, size_t len)
{
	u32 h = 2166136261u ^ (u32)((u64)parent >> 5);

	while (len--)
		h = (h ^ (u8)*name++) * 16777619u;
	return h ^ (h >> 15);
}

static void hash_add(struct dentry *d)
{
	struct dentry **slot;

	d->hash = name_hash(d->parent, d->name, d->len);
	slot = &hash_table[d->hash % HASH_SIZE];
	d->hash_next = *slot;
	*slot = d;
}

static void hash_remove(struct dentry *d)
{
	struct dentry **p = &hash_table[d->hash % HASH_SIZE];

	while (*p != d)
		p = &(*p)->hash_next;
	*p = d->hash_next;
	d->hash_next = NULL;
}

static void tree_link(struct dentry *d)
{
	hash_add(d);
	d->cookie = ++d->parent->next_cookie;
	list_add_tail(&d->child, &d->parent->children);
	d->hashed = true;
}

static void tree_unlink(struct dentry *d)
{
	if (!d->hashed)
		return;
	hash_remove(d);
	list_del_init(&d->child);
	d->hashed = false;
}

static struct dentry *dentry_new(struct super *sb, const char *name, size_t len)
{
	struct dentry *d = fs_zalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->name = fs_strndup(name, len);
	if (!d->name) {
		fs_free(d);
		return NULL;
	}
	d->refs = 1;
	d->len = (u32)len;
	d->sb = sb;
	d->parent = d;
	list_init(&d->child);
	list_init(&d->children);
	list_init(&d->lru);
	return d;
}

struct dentry *d_alloc(struct super *sb, struct dentry *parent, const char *name, size_t len)
{
	struct dentry *d = dentry_new(sb, name, len);

	if (d && parent)
		d->parent = dget(parent);
	return d;
}

struct dentry *d_alloc_anon(struct super *sb, const char *name, struct inode *inode)
{
	struct dentry *d = dentry_new(sb, name, strlen(name));

	if (!d) {
		inode_put(inode);
		return NULL;
	}
	d->anon = true;
	d->inode = inode;
	return d;
}

void d_instantiate(struct dentry *d, struct inode *inode)
{
	__atomic_store_n(&d->inode, inode, __ATOMIC_RELEASE);
}

void d_add(struct dentry *d)
{
	spin_lock(&dcache_lock);
	tree_link(d);
	spin_unlock(&dcache_lock);
}

void d_drop(struct dentry *d)
{
	bool pinned;

	spin_lock(&dcache_lock);
	tree_unlink(d);
	pinned = d->pinned;
	d->pinned = false;
	if (!d->refs && !list_empty(&d->lru)) { /* nobody's: the list's hold ends as well */
		list_del_init(&d->lru);
		nr_lru--;
		d->refs = 1;
		pinned = true;
	}
	spin_unlock(&dcache_lock);
	if (pinned)
		dput(d);
}

static struct dentry *find_locked(struct dentry *parent, const char *name, size_t len)
{
	u32 hash = name_hash(parent, name, len);
	struct dentry *d;

	for (d = hash_table[hash % HASH_SIZE]; d; d = d->hash_next)
		if (d->hash == hash && d->parent == parent && d->len == len &&
		    !memcmp(d->name, name, len))
			return d;
	return NULL;
}

/* One more reference for who found it in the tree, where it may have had none. */
static void revive_locked(struct dentry *d)
{
	if (!d->refs) {
		list_del_init(&d->lru);
		nr_lru--;
	}
	ref_get(&d->refs);
}

struct dentry *d_lookup(struct dentry *parent, const char *name, size_t len)
{
	struct dentry *d;

	spin_lock(&dcache_lock);
	d = find_locked(parent, name, len);
	if (d)
		revive_locked(d);
	spin_unlock(&dcache_lock);
	return d;
}

void d_move(struct dentry *od, struct dentry *ndir, char *name, size_t len)
{
	struct dentry *old_parent;
	char *old_name;

	spin_lock(&dcache_lock);
	old_parent = od->parent;
	old_name = od->name;
	tree_unlink(od);
	od->parent = dget(ndir);
	od->name = name;
	od->len = (u32)len;
	tree_link(od);
	spin_unlock(&dcache_lock);
	fs_free(old_name);
	dput(old_parent);
}

void d_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *parent = a->parent;
	char *name = a->name;
	u32 len = a->len;

	spin_lock(&dcache_lock);
	tree_unlink(a);
	tree_unlink(b);
	a->parent = b->parent;
	a->name = b->name;
	a->len = b->len;
	b->parent = parent;
	b->name = name;
	b->len = len;
	tree_link(a);
	tree_link(b);
	spin_unlock(&dcache_lock);
}

struct dentry *d_parent(struct dentry *d)
{
	struct dentry *p;

	spin_lock(&dcache_lock);
	p = dget(d->parent);
	spin_unlock(&dcache_lock);
	return p;
}

bool d_is_ancestor(struct dentry *a, struct dentry *d)
{
	bool yes;

	spin_lock(&dcache_lock);
	while (d != a && d->parent != d)
		d = d->parent;
	yes = d == a;
	spin_unlock(&dcache_lock);
	return yes;
}

struct dentry *d_next_child(struct dentry *dir, u64 cookie)
{
	struct dentry *d, *found = NULL;

	spin_lock(&dcache_lock);
	list_for_each_entry(d, &dir->children, child)
	{
		if (d->cookie >= cookie) {
			revive_locked(d);
			found = d;
			break;
		}
	}
	spin_unlock(&dcache_lock);
	return found;
}

bool d_has_children(struct dentry *dir)
{
	bool yes;

	spin_lock(&dcache_lock);
	yes = !list_empty(&dir->children);
	spin_unlock(&dcache_lock);
	return yes;
}

/* ------------------------------------------------------------------ dentries: references */

struct dentry *dget(struct dentry *d)
{
	ref_get(&d->refs);
	return d;
}

/* It is out of the tree and nobody's. Returns the parent, whose reference the caller now has. */
static struct dentry *dentry_free(struct dentry *d)
{
	struct dentry *parent = d->parent == d ? NULL : d->parent;

	if (d->sb->op->d_release)
		d->sb->op->d_release(d);
	inode_put(d->inode);
	fs_free(d->name);
	fs_free(d);
	return parent;
}

/* Drop one that is not the last without the lock. */
static bool dput_fast(struct dentry *d)
{
	u32 refs = __atomic_load_n(&d->refs, __ATOMIC_RELAXED);

	while (refs > 1)
		if (__atomic_compare_exchange_n(&d->refs, &refs, refs - 1, true, __ATOMIC_ACQ_REL,
		                                __ATOMIC_RELAXED))
			return true;
	return false;
}

void dput(struct dentry *d)
{
	while (d && !dput_fast(d)) {
		bool kept = false;

		spin_lock(&dcache_lock);
		if (!ref_put(&d->refs)) {
			spin_unlock(&dcache_lock);
			return;
		}
		if (d->hashed && (d->sb->flags & SUPER_KEEP_DENTRIES)) {
			list_add_tail(&d->lru, &lru);
			nr_lru++;
			kept = true;
		} else {
			tree_unlink(d);
		}
		spin_unlock(&dcache_lock);
		if (kept) {
			if (READ_ONCE(nr_lru) > LRU_MAX && READ_ONCE(shrinker) != current)
				d_shrink(LRU_MAX - LRU_MAX / 8);
			return;
		}
		d = dentry_free(d);
	}
}

/* Freeing a name may leave its parent unused, and so on up: that is met by the loop, not by
 * recursion. */
void d_shrink(unsigned keep)
{
	for (;;) {
		struct dentry *d;

		spin_lock(&dcache_lock);
		if (nr_lru <= keep) {
			shrinker = NULL;
			spin_unlock(&dcache_lock);
			return;
		}
		shrinker = current;
		d = list_first_entry(&lru, struct dentry, lru);
		list_del_init(&d->lru);
		nr_lru--;
		tree_unlink(d);
		spin_unlock(&dcache_lock);
		dput(dentry_free(d));
	}
}
