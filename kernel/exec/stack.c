/* SPDX-License-Identifier: MIT */
/*
 * A new program's stack, from the top:
 *
 *   8 zero bytes, the file name (AT_EXECFN), environment strings, argument strings
 *   "aarch64" (AT_PLATFORM), 16 random bytes (AT_RANDOM), a random gap
 *   auxv, envp[], argv[], argc   <- sp, 16-byte aligned
 */
#include "kernel/arch/cpufeature.h"
#include "kernel/exec/elf.h"
#include "kernel/exec/exec.h"
#include "kernel/fs/fs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/task.h"

#define STACK_ROOM     131072u /* below the strings from the start */
#define MINSIGSTKSZ_AT 4720 /* the signal frame and its record, as Linux tells it on these CPUs */

static const char platform[] = "aarch64";

/* Writes words upward; the first failure is kept. */
struct word_writer {
	struct exec *e;
	u64 addr;
	u64 buf[64];
	unsigned n;
	int err;
};

static int put_bytes(struct exec *e, u64 addr, const void *src, size_t n)
{
	return mmk_access_vm(&e->loader, e->loader.mm, addr, (void *)src, n, MMK_ACCESS_WRITE) == n
	           ? 0
	           : -EFAULT;
}

static void flush_words(struct word_writer *w)
{
	if (!w->err && w->n)
		w->err = put_bytes(w->e, w->addr, w->buf, w->n * sizeof(u64));
	w->addr += w->n * sizeof(u64);
	w->n = 0;
}

static void put_word(struct word_writer *w, u64 v)
{
	w->buf[w->n++] = v;
	if (w->n == ARRAY_SIZE(w->buf))
		flush_words(w);
}

/* Strings from `pos` on to address `addr`. */
static int put_strings(struct exec *e, const struct arg_store *s, u64 pos, u64 addr)
{
	size_t part;
	int err;

	for (; pos < s->len; pos += part, addr += part) {
		part = min_t(u64, PAGE_SIZE - pos % PAGE_SIZE, s->len - pos);
		err = put_bytes(e, addr, s->page[pos / PAGE_SIZE] + pos % PAGE_SIZE, part);
		if (err)
			return err;
	}
	return 0;
}

/* The addresses of the same strings. */
static void put_pointers(struct word_writer *w, const struct arg_store *s, u64 pos, u64 addr)
{
	u64 next;

	for (; pos < s->len; pos = next) {
		next = arg_store_next(s, pos);
		put_word(w, addr);
		addr += next - pos;
	}
}

static void put_auxv(struct word_writer *w, u64 random_at, u64 platform_at, u64 execfn)
{
	const struct exec *e = w->e;
	const struct cred *c = &current->cred;
	const u64 aux[][2] = {
	    {AT_SYSINFO_EHDR, e->vdso},
	    {AT_MINSIGSTKSZ, MINSIGSTKSZ_AT},
	    {AT_HWCAP, cpu_features.hwcap},
	    {AT_PAGESZ, PAGE_SIZE},
	    {AT_CLKTCK, 100},
	    {AT_PHDR, e->phdr},
	    {AT_PHENT, sizeof(struct elf64_phdr)},
	    {AT_PHNUM, e->phnum},
	    {AT_BASE, e->interp_base},
	    {AT_FLAGS, 0},
	    {AT_ENTRY, e->prog_entry},
	    {AT_UID, c->uid},
	    {AT_EUID, e->euid},
	    {AT_GID, c->gid},
	    {AT_EGID, e->egid},
	    {AT_SECURE, e->secure},
	    {AT_RANDOM, random_at},
	    {AT_HWCAP2, cpu_features.hwcap2},
	    {AT_RSEQ_FEATURE_SIZE, 28},
	    {AT_RSEQ_ALIGN, 32},
	    {AT_EXECFN, execfn},
	    {AT_PLATFORM, platform_at},
	    {AT_NULL, 0},
	};
	unsigned i;

	_Static_assert(sizeof(aux) <= sizeof(e->auxv), "room for it");
	memcpy(w->e->auxv, aux, sizeof(aux));
	for (i = 0; i < ARRAY_SIZE(aux); i++) {
		put_word(w, aux[i][0]);
		put_word(w, aux[i][1]);
	}
}
#define AUXV_WORDS 46

/* How the strings and the tables lie; all addresses. */
struct plan {
	u64 execfn, env, args, prefix; /* strings */
	u64 arg_skip;                  /* bytes of args that are not used: argv[0] of a script */
	u64 platform, random;
	u64 sp;
	u64 argc;
};

static void make_plan(const struct exec *e, struct plan *p)
{
	u64 at = e->stack_top - 8, words;

	p->arg_skip = e->drop_argv0 && e->args.len ? arg_store_next(&e->args, 0) : 0;
	p->argc = e->prefix.count + e->args.count - (p->arg_skip ? 1 : 0);
	p->execfn = at - (strlen(e->filename) + 1);
	p->env = p->execfn - e->env.len;
	p->args = p->env - (e->args.len - p->arg_skip);
	p->prefix = p->args - e->prefix.len;
	at = p->prefix;
	if (!(e->loader.personality & MMK_ADDR_NO_RANDOMIZE))
		at -= random_u64() % PAGE_SIZE;
	p->platform = ALIGN_DOWN(at, 16) - ALIGN_UP(sizeof(platform), 16);
	p->random = p->platform - 16;
	words = 1 + p->argc + 1 + e->env.count + 1 + AUXV_WORDS;
	p->sp = ALIGN_DOWN(p->random - words * sizeof(u64), 16);
}

/* From the lowest address that is written; some room below, within the limit. */
static u64 stack_size(const struct exec *e, const struct plan *p)
{
	u64 need = e->stack_top - ALIGN_DOWN(p->sp, PAGE_SIZE);
	u64 limit = ALIGN_DOWN(e->loader.rlim[MMK_RLIMIT_STACK].cur, PAGE_SIZE);
	u64 size = ALIGN_UP(e->stack_top - p->prefix, PAGE_SIZE) + STACK_ROOM;

	return max(need, min(size, limit));
}

static int write_tables(struct exec *e, const struct plan *p)
{
	struct word_writer w = {.e = e, .addr = p->sp};

	put_word(&w, p->argc);
	put_pointers(&w, &e->prefix, 0, p->prefix);
	put_pointers(&w, &e->args, p->arg_skip, p->args);
	put_word(&w, 0);
	put_pointers(&w, &e->env, 0, p->env);
	put_word(&w, 0);
	put_auxv(&w, p->random, p->platform, p->execfn);
	flush_words(&w);
	return w.err;
}

static int write_strings(struct exec *e, const struct plan *p)
{
	u8 seed[16];
	int err;

	random_bytes(seed, sizeof(seed));
	err = put_bytes(e, p->execfn, e->filename, strlen(e->filename) + 1);
	if (!err)
		err = put_strings(e, &e->env, 0, p->env);
	if (!err)
		err = put_strings(e, &e->args, p->arg_skip, p->args);
	if (!err)
		err = put_strings(e, &e->prefix, 0, p->prefix);
	if (!err)
		err = put_bytes(e, p->platform, platform, sizeof(platform));
	if (!err)
		err = put_bytes(e, p->random, seed, sizeof(seed));
	return err;
}

int exec_setup_stack(struct exec *e)
{
	struct plan p;
	int err;

	make_plan(e, &p);
	if (e->stack_top - p.sp > e->stack_top / 2)
		return -E2BIG;
	err = mmk_mm_setup_stack(&e->loader, e->loader.mm, e->stack_top, stack_size(e, &p),
	                         e->exec_stack);
	if (err)
		return err;
	err = write_strings(e, &p);
	if (!err)
		err = write_tables(e, &p);
	e->bounds.start_stack = p.sp;
	e->bounds.arg_start = p.prefix;
	e->bounds.arg_end = p.env;
	e->bounds.env_start = p.env;
	e->bounds.env_end = p.execfn;
	e->sp = p.sp;
	return err;
}
