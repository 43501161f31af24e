/* SPDX-License-Identifier: MIT */
/* /proc/PID/map_files: a link for each mapping of a file, named by its addresses. */
#include "kernel/fs/pseudo.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/task.h"

/* The n-th mapping of a file, or (n < 0) the one that begins at *from. With a reference, or NULL.
 */
static struct file *mapped_file(const struct pseudo_ctx *c, s64 n, u64 *from, u64 *to)
{
	struct mmk_mm *mm = proc_mm(c);
	unsigned long start = n < 0 ? *from : 0, end;
	struct mmk_file *mf = NULL;

	if (!mm)
		return NULL;
	while ((mf = mmk_vma_file(mm, &start, &end)) && n-- > 0) {
		fput(mmk_to_file(mf));
		start = end;
	}
	mmk_mm_put(mm);
	*from = start;
	*to = end;
	return mf ? mmk_to_file(mf) : NULL;
}

/* The mapping must still be just that. */
static struct file *file_of(const struct pseudo_ctx *c)
{
	u64 from = c->from, to;
	struct file *f = mapped_file(c, -1, &from, &to);

	if (f && (from != c->from || to != c->to)) {
		fput(f);
		return NULL;
	}
	return f;
}

static int follow_mapping(const struct pseudo_ctx *c, struct path *out)
{
	struct file *f = file_of(c);

	if (!f)
		return -ENOENT;
	*out = f->path;
	path_get(out);
	fput(f);
	return 0;
}

/* What the file is open for says which of them a mapping has: by MMK_FMODE_READ and _WRITE. */
static const struct pseudo_entry links[4] = {
    {.name = "mapping", .mode = S_IFLNK, .follow = follow_mapping},
    {.name = "mapping", .mode = S_IFLNK | 0400, .follow = follow_mapping},
    {.name = "mapping", .mode = S_IFLNK | 0200, .follow = follow_mapping},
    {.name = "mapping", .mode = S_IFLNK | 0600, .follow = follow_mapping},
};

/* Lower-case hexadecimal as it is written: no zeros before it. 0: none. */
static size_t parse_hex(const char *s, size_t len, u64 *out)
{
	size_t n = 0;

	*out = 0;
	for (; n < len && n < 16; n++) {
		char c = s[n];

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (u64)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*out = *out << 4 | (u64)(c - 'a' + 10);
		else
			break;
		if (n == 0 && c == '0' && len > 1 && s[1] != '-')
			return 0;
	}
	return n;
}

static bool parse_range(const char *name, size_t len, u64 *from, u64 *to)
{
	size_t n = parse_hex(name, len, from), m;

	if (!n || n >= len || name[n] != '-')
		return false;
	m = parse_hex(name + n + 1, len - n - 1, to);
	return m && n + 1 + m == len;
}

int proc_lookup_map_files(const struct pseudo_ctx *c, const char *name, size_t len,
                          struct pseudo_ctx *out)
{
	struct file *f;
	int err = proc_may_ptrace(c);

	if (err)
		return err;
	if (!parse_range(name, len, &out->from, &out->to))
		return -ENOENT;
	f = file_of(out);
	if (!f)
		return -ENOENT;
	out->e = &links[f->mf.f_mode & (MMK_FMODE_READ | MMK_FMODE_WRITE)];
	fput(f);
	return 0;
}

bool proc_next_map_files(const struct pseudo_ctx *c, u32 *n, char *name, size_t size, u8 *type)
{
	u64 from = 0, to;
	struct file *f = mapped_file(c, *n, &from, &to);

	if (!f)
		return false;
	fput(f);
	scnprintf(name, size, "%llx-%llx", (unsigned long long)from, (unsigned long long)to);
	*type = MODE_TO_DT(S_IFLNK);
	return true;
}
