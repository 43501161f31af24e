/* SPDX-License-Identifier: MIT */
/* Strings, plainly: none of this is on a hot path. The mem* functions that are lie in memory.S. */
#include "kernel/lib/string.h"

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;
	u64 x, y;

	for (; n >= 8; n -= 8, p += 8, q += 8) {
		__builtin_memcpy(&x, p, 8);
		__builtin_memcpy(&y, q, 8);
		if (x != y)
			break;
	}
	for (; n && *p == *q; n--, p++, q++)
		;
	return n ? *p - *q : 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const u8 *p = s;

	for (; n; n--, p++)
		if (*p == (u8)c)
			return (void *)p;
	return NULL;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchrnul(const char *s, int c)
{
	while (*s && *s != (char)c)
		s++;
	return (char *)s;
}

char *strchr(const char *s, int c)
{
	s = strchrnul(s, c);
	return *s == (char)c ? (char *)s : NULL;
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (; (s = strchr(s, c)); s++) {
		last = s;
		if (!*s)
			break;
	}
	return (char *)last;
}

char *strcpy(char *dst, const char *src)
{
	return memcpy(dst, src, strlen(src) + 1);
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		size_t n = min(len, size - 1);

		memcpy(dst, src, n);
		dst[n] = 0;
	}
	return len;
}

size_t strspn(const char *s, const char *accept)
{
	size_t n = 0;

	while (s[n] && strchr(accept, s[n]))
		n++;
	return n;
}

size_t strcspn(const char *s, const char *reject)
{
	size_t n = 0;

	while (s[n] && !strchr(reject, s[n]))
		n++;
	return n;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

/* The "0x" of a hexadecimal number counts only when a digit follows. */
static const char *number_prefix(const char *s, int *base)
{
	if ((*base == 0 || *base == 16) && s[0] == '0' && (s[1] | 0x20) == 'x' &&
	    digit_value(s[2]) < 16) {
		*base = 16;
		return s + 2;
	}
	if (*base == 0)
		*base = *s == '0' ? 8 : 10;
	return s;
}

unsigned long strtoul(const char *s, char **end, int base)
{
	const char *start = s;
	unsigned long v = 0;
	bool neg = false, any = false, overflow = false;

	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	if (*s == '-' || *s == '+')
		neg = *s++ == '-';
	s = number_prefix(s, &base);
	for (; digit_value(*s) < base; s++, any = true)
		if (__builtin_mul_overflow(v, (unsigned long)base, &v) ||
		    __builtin_add_overflow(v, (unsigned long)digit_value(*s), &v))
			overflow = true;
	if (end)
		*end = (char *)(any ? s : start);
	if (overflow)
		return ~0ul;
	return neg ? -v : v;
}
