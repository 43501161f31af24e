/* SPDX-License-Identifier: MIT */
/*
 * The file system of made-up files (pseudo.h): lookup through the tables, directories, and reading
 * of text that is made at the first read and again at each read from position 0.
 */
#include "kernel/fs/pseudo.h"

#include <stdarg.h>

#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

#define TEXT_FIRST  4096u
#define TEXT_MAX    131072u
#define STREAM_BUF  16384u
#define POS_DYNAMIC 0x10000u /* positions of names that are not in the table */

static const struct inode_ops pseudo_dir_ops, pseudo_file_ops_inode, pseudo_link_ops,
    pseudo_magic_ops;
static const struct file_ops pseudo_file_ops, pseudo_dir_file_ops;

const struct pseudo_ctx *pseudo_ctx(const struct inode *inode)
{
	return inode->priv;
}

const struct pseudo_ctx *pseudo_dir_ctx(const struct file *f)
{
	return f->fop == &pseudo_dir_file_ops ? f->inode->priv : NULL;
}

/* ------------------------------------------------------------------ text */

void seq_write(struct seq *s, const void *data, size_t n)
{
	if (n > s->size - s->len) {
		s->full = true;
		return;
	}
	memcpy(s->buf + s->len, data, n);
	s->len += n;
}

void seq_puts(struct seq *s, const char *text)
{
	seq_write(s, text, strlen(text));
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
	size_t left = s->size - s->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->buf + s->len, left, fmt, ap);
	va_end(ap);
	if ((size_t)n >= left)
		s->full = true;
	else
		s->len += (size_t)n;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The digits' base where none is given: 0x and 0 before them say so. */
static unsigned number_base(const char **p, const char *end)
{
	if (end - *p < 2 || **p != '0')
		return 10;
	if ((*p)[1] != 'x' && (*p)[1] != 'X')
		return 8;
	*p += 2;
	return 16;
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 99;
}

static int parse_signed(const void *text, size_t n, unsigned base, int *out)
{
	const char *p = text, *end = p + n;
	bool minus;
	s64 v = 0;

	while (p < end && is_space(*p))
		p++;
	while (end > p && (is_space(end[-1]) || !end[-1]))
		end--;
	minus = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (!base)
		base = number_base(&p, end);
	if (p == end)
		return -EINVAL;
	for (; p < end; p++) {
		if (digit_value(*p) >= base)
			return -EINVAL;
		v = v * base + digit_value(*p);
		if (v > 0x80000000ll)
			return -ERANGE;
	}
	v = minus ? -v : v;
	if (v > INT32_MAX)
		return -ERANGE;
	*out = (int)v;
	return 0;
}

int parse_u64(const void *text, size_t n, u64 *out)
{
	char buf[32], *p = buf, *end;

	if (n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, n);
	buf[n] = '\0';
	if (*p == '+')
		p++;
	if (*p < '0' || *p > '9')
		return -EINVAL;
	*out = strtoul(p, &end, 0);
	if (*end == '\n')
		end++;
	return *end ? -EINVAL : 0;
}

int parse_int(const void *text, size_t n, int *out)
{
	return parse_signed(text, n, 10, out);
}

int parse_int_any(const void *text, size_t n, int *out)
{
	return parse_signed(text, n, 0, out);
}

/* What an open file has of its text: [start, start + len). */
struct text {
	char *buf;
	size_t size, len;
	u64 start, cursor;
	bool valid;
	bool admin; /* opened by the administrator */
};

bool pseudo_opened_by_admin(const struct file *f)
{
	return ((const struct text *)f->priv)->admin;
}

static int text_resize(struct text *t, size_t size)
{
	char *buf = fs_alloc_buf(size);

	if (!buf)
		return -ENOMEM;
	fs_free(t->buf);
	t->buf = buf;
	t->size = size;
	return 0;
}

/* Make the whole text, in a buffer that grows until it holds it. */
static int text_show(struct text *t, const struct pseudo_ctx *c)
{
	size_t size = max(t->size, (size_t)TEXT_FIRST);

	for (;; size *= 2) {
		struct seq s;
		int err = size > TEXT_MAX ? -EFBIG : size == t->size ? 0 : text_resize(t, size);

		if (err)
			return err;
		s = (struct seq){.buf = t->buf, .size = size};
		err = c->e->show(c, &s);
		if (err)
			return err;
		if (s.full)
			continue;
		t->start = 0;
		t->len = s.len;
		t->valid = true;
		return 0;
	}
}

/* The next piece of a stream follows what is there. Bytes or -errno. */
static long text_next(struct text *t, const struct pseudo_ctx *c)
{
	long n;

	if (!t->buf && text_resize(t, STREAM_BUF))
		return -ENOMEM;
	t->start += t->len;
	t->len = 0;
	n = c->e->stream(c, &t->cursor, t->buf, t->size);
	if (n > 0)
		t->len = (size_t)n;
	return n;
}

static int text_locate(struct text *t, const struct pseudo_ctx *c, u64 pos)
{
	if (c->e->show)
		return t->valid && pos ? 0 : text_show(t, c);
	if (!t->valid || pos == 0 || pos < t->start) {
		t->start = t->cursor = 0;
		t->len = 0;
		t->valid = true;
	}
	while (pos >= t->start + t->len) {
		long n = text_next(t, c);

		if (n <= 0)
			return (int)n;
	}
	return 0;
}

static ssize_t pseudo_read(struct file *f, void *buf, size_t n, u64 *pos)
{
	const struct pseudo_ctx *c = pseudo_ctx(f->inode);
	struct text *t = f->priv;
	ssize_t got = 0;
	int err;

	if (c->e->read_at) {
		got = c->e->read_at(c, f, buf, n, *pos);
	} else if (c->e->show || c->e->stream) {
		err = text_locate(t, c, *pos);
		if (err)
			return err;
		if (*pos < t->start + t->len) {
			got = (ssize_t)min((u64)n, t->start + t->len - *pos);
			memcpy(buf, t->buf + (*pos - t->start), (size_t)got);
		}
	} else {
		return -EINVAL;
	}
	if (got > 0)
		*pos += (u64)got;
	return got;
}

static ssize_t pseudo_write(struct file *f, const void *buf, size_t n, u64 *pos)
{
	const struct pseudo_ctx *c = pseudo_ctx(f->inode);
	ssize_t done = c->pid ? -EINVAL : -EIO;

	if (c->e->write)
		done = c->e->write(c, buf, n, *pos);

	if (done > 0)
		*pos += (u64)done;
	return done;
}

static long pseudo_ioctl(struct file *f, u32 cmd, u64 arg)
{
	const struct pseudo_ctx *c = pseudo_ctx(f->inode);

	return c->e->ioctl ? c->e->ioctl(c, cmd, arg) : -ENOTTY;
}

static int pseudo_open(struct file *f)
{
	const struct pseudo_ctx *c = pseudo_ctx(f->inode);
	int err = c->e->permission ? c->e->permission(c) : 0;

	if (err)
		return err;
	f->priv = fs_zalloc(sizeof(struct text));
	if (!f->priv)
		return -ENOMEM;
	((struct text *)f->priv)->admin = capable(CAP_SYS_ADMIN);
	return 0;
}

static void pseudo_release(struct file *f)
{
	struct text *t = f->priv;

	fs_free(t->buf);
	fs_free(t);
}

/* Sizes are not known before the text is: only the beginning and the current place can be sought
 * from. */
static s64 pseudo_llseek(struct file *f, s64 off, int whence)
{
	s64 to = whence == SEEK_SET ? off : (s64)f->pos + off;

	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	if (to < 0 && !pseudo_ctx(f->inode)->e->read_at)
		return -EINVAL;
	f->pos = (u64)to;
	return to;
}

static const struct file_ops pseudo_file_ops = {
    .open = pseudo_open,
    .release = pseudo_release,
    .read = pseudo_read,
    .write = pseudo_write,
    .llseek = pseudo_llseek,
    .ioctl = pseudo_ioctl,
};

/* ------------------------------------------------------------------ inodes */

static const struct inode_ops *ops_for(const struct pseudo_entry *e)
{
	if (S_ISDIR(e->mode))
		return &pseudo_dir_ops;
	if (!S_ISLNK(e->mode))
		return &pseudo_file_ops_inode;
	return e->follow ? &pseudo_magic_ops : &pseudo_link_ops;
}

/* Files of a task belong to its user; but root's, all but the directory, if it keeps to itself. */
static void set_owner(struct inode *inode, const struct pseudo_ctx *c, const struct task *t)
{
	bool hidden = t && !t->proc->dumpable && c->e->mode != (S_IFDIR | 0555);

	inode->uid = t && !hidden ? t->cred.euid : 0;
	inode->gid = t && !hidden ? t->cred.egid : 0;
}

static struct inode *pseudo_inode(struct super *sb, const struct pseudo_ctx *c)
{
	struct pseudo_ctx *copy = fs_alloc(sizeof(*copy));
	u32 type = c->e->mode & S_IFMT;
	struct inode *inode;
	struct task *t;

	if (!copy)
		return NULL;
	/* No page cache: the type is put in afterwards. */
	inode = inode_alloc(sb, c->e->mode & ~S_IFMT, NULL);
	if (!inode) {
		fs_free(copy);
		return NULL;
	}
	inode->mode |= type;
	*copy = *c;
	inode->priv = copy;
	inode->op = ops_for(c->e);
	inode->fop = S_ISDIR(type) ? &pseudo_dir_file_ops : &pseudo_file_ops;
	inode->nlink = S_ISDIR(type) ? 2 : 1;
	t = c->pid ? proc_task(c) : NULL;
	set_owner(inode, c, t);
	if (t)
		task_put(t);
	return inode;
}

static void pseudo_evict(struct inode *inode)
{
	fs_free(inode->priv);
}

static const struct pseudo_entry *find_row(const struct pseudo_entry *e, const char *name,
                                           size_t len)
{
	for (e = e->children; e && e->name; e++)
		if (!strncmp(e->name, name, len) && !e->name[len])
			return e;
	return NULL;
}

static int pseudo_lookup(struct dentry *dir, struct dentry *d)
{
	const struct pseudo_ctx *c = pseudo_ctx(dir->inode);
	struct pseudo_ctx child = *c;
	struct inode *inode;
	int err = 0;

	child.e = find_row(c->e, d->name, d->len);
	if (!child.e)
		err = c->e->lookup ? c->e->lookup(c, d->name, d->len, &child) : -ENOENT;
	if (err)
		return err;
	inode = pseudo_inode(dir->sb, &child);
	if (!inode)
		return -ENOMEM;
	d_instantiate(d, inode);
	return 0;
}

/* A name of a task that has gone is not there any more; a descriptor may be another by now. */
static int pseudo_revalidate(struct dentry *d)
{
	const struct pseudo_ctx *c = pseudo_ctx(d->inode);
	struct task *t;

	if (!c->pid)
		return 1;
	t = proc_task(c);
	if (!t)
		return 0;
	set_owner(d->inode, c, t);
	task_put(t);
	return S_ISLNK(d->inode->mode) && c->e->follow ? 0 : 1;
}

static ssize_t pseudo_readlink(struct dentry *d, char *buf, size_t size)
{
	const struct pseudo_ctx *c = pseudo_ctx(d->inode);

	return c->e->readlink(c, buf, size);
}

static int pseudo_follow(struct dentry *d, struct path *out)
{
	const struct pseudo_ctx *c = pseudo_ctx(d->inode);

	return c->e->follow(c, out);
}

/* chmod and chown of a made-up file would not last. */
static int pseudo_setattr(struct dentry *d, const struct iattr *a)
{
	return a->valid & ATTR_SIZE ? 0 : -EPERM;
}

/* A name that the directory does not know does not come to be by being asked for. */
static int pseudo_create(struct dentry *dir, struct dentry *d, u32 mode)
{
	return -ENOENT;
}

static const struct inode_ops pseudo_dir_ops = {
    .lookup = pseudo_lookup,
    .create = pseudo_create,
    .mkdir = pseudo_create,
    .setattr = pseudo_setattr,
};
static const struct inode_ops pseudo_file_ops_inode = {.setattr = pseudo_setattr};
static const struct inode_ops pseudo_link_ops = {
    .readlink = pseudo_readlink,
    .setattr = pseudo_setattr,
};
static const struct inode_ops pseudo_magic_ops = {
    .follow = pseudo_follow,
    .setattr = pseudo_setattr,
};

/* ------------------------------------------------------------------ directories */

static int read_rows(struct dir_ctx *ctx, const struct pseudo_entry *dir)
{
	const struct pseudo_entry *e = dir->children;
	u64 n = 0;

	for (; e && e->name; e++, n++) {
		if (n + 2 < ctx->pos)
			continue;
		if (!ctx->emit(ctx, e->name, strlen(e->name), (u64)e & 0xffffff,
		               MODE_TO_DT(e->mode), n + 3))
			return 1;
		ctx->pos = n + 3;
	}
	return 0;
}

static void read_dynamic(struct dir_ctx *ctx, const struct pseudo_ctx *c)
{
	char name[32];
	u32 n;
	u8 type = 0;

	if (ctx->pos < POS_DYNAMIC)
		ctx->pos = POS_DYNAMIC;
	for (n = (u32)(ctx->pos - POS_DYNAMIC); c->e->next(c, &n, name, sizeof(name), &type); n++) {
		if (!ctx->emit(ctx, name, strlen(name), 0x1000000 + n, type,
		               (u64)n + 1 + POS_DYNAMIC))
			return;
		ctx->pos = (u64)n + 1 + POS_DYNAMIC;
	}
}

static int pseudo_readdir(struct file *f, struct dir_ctx *ctx)
{
	const struct pseudo_ctx *c = pseudo_ctx(f->inode);

	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, f->inode->ino, DT_DIR, 1))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, f->path.dentry->parent->inode->ino, DT_DIR, 2))
			return 0;
		ctx->pos = 2;
	}
	if (ctx->pos < POS_DYNAMIC && read_rows(ctx, c->e))
		return 0;
	if (c->e->next)
		read_dynamic(ctx, c);
	return 0;
}

static const struct file_ops pseudo_dir_file_ops = {
    .readdir = pseudo_readdir,
    .llseek = generic_llseek,
};

/* ------------------------------------------------------------------ instances */

static const struct super_ops pseudo_super_ops = {
    .revalidate = pseudo_revalidate,
    .evict = pseudo_evict,
};

struct super *pseudo_super(const char *type, u32 magic, const struct pseudo_entry *root)
{
	struct super *sb = super_alloc(type, magic, &pseudo_super_ops);
	struct pseudo_ctx c = {.e = root};
	struct inode *inode;

	if (!sb)
		return NULL;
	inode = pseudo_inode(sb, &c);
	sb->root = inode ? d_alloc_anon(sb, "/", inode) : NULL;
	if (!sb->root) {
		super_put(sb);
		return NULL;
	}
	sb->root->anon = false;
	return sb;
}
