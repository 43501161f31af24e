/* SPDX-License-Identifier: MIT */
/* The strings of execve on their way from the old address space to the new one. */
#include "kernel/exec/exec.h"

#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sys/uaccess.h"

int arg_store_init(struct arg_store *s, u64 max_bytes)
{
	memset(s, 0, sizeof(*s));
	s->max_pages = DIV_ROUND_UP(max_bytes, PAGE_SIZE);
	s->page = kzalloc(s->max_pages * sizeof(*s->page));
	return s->page ? 0 : -ENOMEM;
}

void arg_store_free(struct arg_store *s)
{
	u32 i;

	if (!s->page)
		return;
	for (i = 0; i < s->max_pages && s->page[i]; i++)
		mmk_free_frames(mm_sys, s->page[i], 0);
	kfree(s->page);
	s->page = NULL;
}

/* Where the next byte goes, and how much room is behind it in its page. */
static int room(struct arg_store *s, char **at, size_t *n)
{
	u32 i = s->len / PAGE_SIZE;

	if (i >= s->max_pages)
		return -E2BIG;
	if (!s->page[i])
		s->page[i] = mmk_alloc_frames(mm_sys, 0, false);
	if (!s->page[i])
		return -ENOMEM;
	*at = s->page[i] + s->len % PAGE_SIZE;
	*n = PAGE_SIZE - s->len % PAGE_SIZE;
	return 0;
}

int arg_store_add(struct arg_store *s, const char *str)
{
	size_t left = strlen(str) + 1, n;
	char *at;
	int err;

	while (left) {
		err = room(s, &at, &n);
		if (err)
			return err;
		n = min(n, left);
		memcpy(at, str, n);
		str += n;
		left -= n;
		s->len += n;
	}
	s->count++;
	return 0;
}

int arg_store_add_user(struct arg_store *s, u64 addr)
{
	u64 start = s->len;
	size_t n;
	char *at;
	long got;
	int err;

	for (;;) {
		err = room(s, &at, &n);
		if (err)
			return err;
		got = __strncpy_from_user(at, (const char __user *)addr, n);
		if (got < 0)
			return -EFAULT;
		s->len += got;
		addr += got;
		if (s->len - start >= MAX_ARG_STRLEN)
			return -E2BIG;
		if ((size_t)got < n)
			break;
	}
	s->len++;
	s->count++;
	return 0;
}

int arg_store_add_vector(struct arg_store *s, u64 uvec)
{
	u64 ptr;
	int err;

	for (; uvec; uvec += sizeof(ptr)) {
		if (get_user(ptr, uvec))
			return -EFAULT;
		if (!ptr)
			break;
		/* The pointers take room on the new stack as well. */
		if ((s->count + 1) * sizeof(ptr) + s->len > (u64)s->max_pages * PAGE_SIZE)
			return -E2BIG;
		err = arg_store_add_user(s, ptr);
		if (err)
			return err;
	}
	return 0;
}

void arg_store_read(const struct arg_store *s, u64 pos, void *buf, size_t n)
{
	size_t part;

	for (; n; n -= part, pos += part, buf = (char *)buf + part) {
		part = min_t(size_t, n, PAGE_SIZE - pos % PAGE_SIZE);
		memcpy(buf, s->page[pos / PAGE_SIZE] + pos % PAGE_SIZE, part);
	}
}

u64 arg_store_next(const struct arg_store *s, u64 pos)
{
	for (;;) {
		const char *p = s->page[pos / PAGE_SIZE] + pos % PAGE_SIZE;
		size_t n = min_t(u64, PAGE_SIZE - pos % PAGE_SIZE, s->len - pos);
		const char *nul = memchr(p, 0, n);

		if (nul)
			return pos + (nul - p) + 1;
		pos += n;
	}
}
