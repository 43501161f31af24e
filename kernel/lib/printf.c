/* SPDX-License-Identifier: MIT */
/*
 * vsnprintf: a parser that fills struct spec, and one function for each kind of argument that
 * writes through struct out, which counts everything but stores only what fits.
 */
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

struct out {
	char *buf;
	size_t size; /* of buf, room for the NUL included */
	size_t len;
};

struct spec {
	bool left, zero, plus, space, alt;
	int width;
	int precision; /* -1: none */
	int size;      /* bytes of an integer argument, signed or not */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_n(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_string(struct out *o, const struct spec *f, const char *s)
{
	size_t n, i;

	if (!s)
		s = "(null)";
	n = strnlen(s, f->precision < 0 ? SIZE_MAX : (size_t)f->precision);
	if (!f->left)
		put_n(o, ' ', f->width - (int)n);
	for (i = 0; i < n; i++)
		put(o, s[i]);
	if (f->left)
		put_n(o, ' ', f->width - (int)n);
}

/* The digits of @v, last first; returns how many. */
static int digits(char *tmp, u64 v, unsigned base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	int n = 0;

	for (; v; v /= base)
		tmp[n++] = set[v % base];
	return n;
}

static void put_number(struct out *o, const struct spec *f, u64 v, unsigned base, bool upper,
                       const char *prefix)
{
	char tmp[24];
	int n = digits(tmp, v, base, upper);
	int least = f->precision < 0 ? 1 : f->precision;
	int zeros = max(least - n, 0);
	int pad = f->width - (int)strlen(prefix) - zeros - n;

	if (f->zero && !f->left && f->precision < 0 && pad > 0) {
		zeros += pad;
		pad = 0;
	}
	if (!f->left)
		put_n(o, ' ', pad);
	while (*prefix)
		put(o, *prefix++);
	put_n(o, '0', zeros);
	while (n)
		put(o, tmp[--n]);
	if (f->left)
		put_n(o, ' ', pad);
}

static s64 sign_extend(u64 v, int bytes)
{
	int shift = 64 - 8 * bytes;

	return (s64)(v << shift) >> shift;
}

static void put_signed(struct out *o, const struct spec *f, u64 arg)
{
	s64 v = sign_extend(arg, f->size);
	const char *sign = f->plus ? "+" : f->space ? " " : "";

	put_number(o, f, v < 0 ? -(u64)v : (u64)v, 10, false, v < 0 ? "-" : sign);
}

static void put_unsigned(struct out *o, const struct spec *f, u64 arg, char conv)
{
	unsigned base = conv == 'u' ? 10 : conv == 'o' ? 8 : 16;
	const char *prefix = "";

	if (f->size < 8)
		arg &= (1ull << (8 * f->size)) - 1;
	if (f->alt && arg)
		prefix = conv == 'x' ? "0x" : conv == 'X' ? "0X" : conv == 'o' ? "0" : "";
	put_number(o, f, arg, base, conv == 'X', prefix);
}

static const char *parse_flags(const char *p, struct spec *f)
{
	for (;; p++) {
		switch (*p) {
		case '-':
			f->left = true;
			break;
		case '0':
			f->zero = true;
			break;
		case '+':
			f->plus = true;
			break;
		case ' ':
			f->space = true;
			break;
		case '#':
			f->alt = true;
			break;
		default:
			return p;
		}
	}
}

static const char *parse_int(const char *p, int *v)
{
	for (*v = 0; *p >= '0' && *p <= '9'; p++)
		*v = *v * 10 + (*p - '0');
	return p;
}

static const char *parse_size(const char *p, struct spec *f)
{
	f->size = sizeof(int);
	if (*p == 'h') {
		f->size = sizeof(short);
		if (*++p == 'h') {
			f->size = sizeof(char);
			p++;
		}
		return p;
	}
	while (*p == 'l' || *p == 'z' || *p == 't' || *p == 'j') {
		f->size = sizeof(long);
		p++;
	}
	return p;
}

struct args {
	va_list ap;
};

static const char *parse_spec(const char *p, struct spec *f, struct args *a)
{
	p = parse_flags(p, f);
	if (*p == '*') {
		f->width = va_arg(a->ap, int);
		p++;
		if (f->width < 0) {
			f->left = true;
			f->width = -f->width;
		}
	} else {
		p = parse_int(p, &f->width);
	}
	f->precision = -1;
	if (*p == '.') {
		if (*++p == '*') {
			f->precision = va_arg(a->ap, int);
			p++;
		} else {
			p = parse_int(p, &f->precision);
		}
	}
	return parse_size(p, f);
}

static u64 integer_arg(const struct spec *f, struct args *a)
{
	if (f->size == sizeof(long))
		return va_arg(a->ap, unsigned long);
	return va_arg(a->ap, unsigned int);
}

static void put_char(struct out *o, const struct spec *f, char c)
{
	if (!f->left)
		put_n(o, ' ', f->width - 1);
	put(o, c);
	if (f->left)
		put_n(o, ' ', f->width - 1);
}

static void convert(struct out *o, struct spec *f, struct args *a, char conv)
{
	switch (conv) {
	case 'd':
	case 'i':
		put_signed(o, f, integer_arg(f, a));
		break;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_unsigned(o, f, integer_arg(f, a), conv);
		break;
	case 'p':
		put_number(o, f, (u64)va_arg(a->ap, void *), 16, false, "0x");
		break;
	case 'c':
		put_char(o, f, (char)va_arg(a->ap, int));
		break;
	case 's':
		put_string(o, f, va_arg(a->ap, const char *));
		break;
	case '%':
		put(o, '%');
		break;
	default: /* not ours: show it, and leave the arguments alone */
		put(o, '%');
		put(o, conv);
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = {buf, size, 0};
	struct args a;

	va_copy(a.ap, ap);
	while (*fmt) {
		struct spec f = {0};

		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &f, &a);
		if (!*fmt)
			break;
		convert(&o, &f, &a, *fmt++);
	}
	va_end(a.ap);
	if (size)
		buf[min(o.len, size - 1)] = 0;
	return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!size)
		return 0;
	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return min_t(size_t, n, size - 1);
}
