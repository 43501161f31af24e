/* SPDX-License-Identifier: MIT */
/*
 * boot_info: spans of RAM and of what is reserved, kept sorted, page-aligned and merged, so that
 * whoever reads them need not; and the command line, cut into words.
 */
#include "kernel/boot.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"

#define PAGE 4096ull

struct boot_info boot_info;
struct boot_param boot_params[BOOT_MAX_PARAMS];
u32 nr_boot_params;
const char *boot_init_args[BOOT_MAX_PARAMS];
u32 nr_boot_init_args;
static char words[BOOT_CMDLINE_MAX]; /* the command line, with its words terminated */

/* Inserts [start, end) and merges it with what it touches. */
static void add_span(struct mem_span *spans, u32 *nr, u64 start, u64 end)
{
	u32 i, j, n = *nr;

	if (start >= end)
		return;
	for (i = 0; i < n && spans[i].end < start; i++)
		;
	for (j = i; j < n && spans[j].start <= end; j++) {
		start = min(start, spans[j].start);
		end = max(end, spans[j].end);
	}
	/* [i, j) becomes one. */
	if (i == j && n == BOOT_MAX_SPANS)
		panic("more than %d spans of memory", BOOT_MAX_SPANS);
	memmove(&spans[i + 1], &spans[j], (n - j) * sizeof(*spans));
	spans[i] = (struct mem_span){start, end};
	*nr = n - (j - i) + 1;
}

void boot_add_ram(u64 base, u64 size)
{
	u64 end;

	/* The linear map reaches 2^47. */
	if (__builtin_add_overflow(base, size, &end) || end > 1ull << 47)
		end = 1ull << 47;
	add_span(boot_info.ram, &boot_info.nr_ram, ALIGN_UP(base, PAGE), ALIGN_DOWN(end, PAGE));
}

void boot_reserve(u64 start, u64 end)
{
	if (start < end)
		add_span(boot_info.reserved, &boot_info.nr_reserved, ALIGN_DOWN(start, PAGE),
		         ALIGN_UP(end, PAGE));
}

void boot_finish_memory(void)
{
	struct boot_info *b = &boot_info;
	u32 i;

	if (!b->nr_ram)
		panic("the device tree has no memory");
	b->ram_base = b->ram[0].start;
	b->ram_size = b->ram[b->nr_ram - 1].end - b->ram_base;
	for (i = 0; i + 1 < b->nr_ram; i++)
		boot_reserve(b->ram[i].end, b->ram[i + 1].start);
	boot_reserve(b->kernel_start, b->kernel_end);
	boot_reserve(b->initrd_start, b->initrd_end);
	boot_reserve(b->dtb_start, b->dtb_end);
}

/*
 * Cuts the next word off @s, which must not begin with a space: up to a space outside double
 * quotes. Returns what follows.
 */
static char *cut_word(char *s)
{
	bool quoted = false;

	for (; *s && (quoted || (*s != ' ' && *s != '\t' && *s != '\n')); s++)
		if (*s == '"')
			quoted = !quoted;
	if (*s)
		*s++ = 0;
	return s;
}

/* Takes the quotes off a text that begins with one: "a b" and "a b (a missing end is forgiven). */
static char *unquote(char *s)
{
	size_t n;

	if (*s != '"')
		return s;
	n = strlen(++s);
	if (n && s[n - 1] == '"')
		s[n - 1] = 0;
	return s;
}

/* key, key=value, key="va lue", "key=va lue" */
static void add_param(char *word)
{
	struct boot_param *p = &boot_params[nr_boot_params];
	char *eq;

	if (nr_boot_params == BOOT_MAX_PARAMS)
		return;
	word = unquote(word);
	eq = strchr(word, '=');
	p->key = word;
	p->value = NULL;
	if (eq && eq != word) {
		*eq = 0;
		p->value = unquote(eq + 1);
	}
	nr_boot_params++;
}

static void parse_words(char *s)
{
	bool for_init = false;

	for (;;) {
		char *word;

		s += strspn(s, " \t\n");
		if (!*s)
			return;
		word = s;
		s = cut_word(s);
		if (!for_init && !strcmp(word, "--"))
			for_init = true;
		else if (!for_init)
			add_param(word);
		else if (nr_boot_init_args < BOOT_MAX_PARAMS)
			boot_init_args[nr_boot_init_args++] = unquote(word);
	}
}

void boot_set_cmdline(const char *args)
{
	if (strlcpy(boot_info.cmdline, args, sizeof(boot_info.cmdline)) >=
	    sizeof(boot_info.cmdline))
		pr_warn("the command line is cut after %d bytes\n", BOOT_CMDLINE_MAX - 1);
	strlcpy(words, boot_info.cmdline, sizeof(words));
	nr_boot_params = 0;
	nr_boot_init_args = 0;
	parse_words(words);
}

static bool same_key(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
			return false;
	return *a == *b;
}

const char *cmdline_get(const char *key)
{
	u32 i = nr_boot_params;

	while (i--)
		if (same_key(boot_params[i].key, key))
			return boot_params[i].value ? boot_params[i].value : "";
	return NULL;
}
