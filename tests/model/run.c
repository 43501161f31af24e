/* SPDX-License-Identifier: MIT */
/*
 * One sequence on a back end. All that can be seen after a step goes into the digest - and into a
 * text as well, where somebody wants to know what differs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <mmkit/errno.h>
#include "tests/model/model.h"

#define MAX_VMAS 64

static void mix(struct run *run, uint64_t value)
{
	run->digest = (run->digest ^ value) * 0x9fb21c651e98df25ull;
	run->digest ^= run->digest >> 32;
}

__attribute__((format(printf, 2, 3))) static void tell(struct run *run, const char *format, ...)
{
	size_t room = sizeof(run->text) - run->used;
	va_list args;
	int n;

	if (!run->tell)
		return;
	va_start(args, format);
	n = vsnprintf(run->text + run->used, room, format, args);
	va_end(args);
	if (n > 0)
		run->used += (size_t)n < room ? (size_t)n : room - 1;
}

/* ---- looking ---- */

static unsigned long page_at(int page)
{
	return BASE + (unsigned long)((long)page * (long)PAGE_BYTES);
}

static void look_at_page(struct run *run, int page)
{
	struct call c = {.nr = CALL_LOAD};
	uint8_t byte[NR_OFFSETS] = {0};
	long signal = 0;

	for (unsigned i = 0; i < NR_OFFSETS && !signal; i++) {
		c.arg[0] = (long)(page_at(page) + byte_offsets[i]);
		signal = be_call(&c, &byte[i]);
	}
	mix(run, (uint64_t)page << 8 | (uint64_t)signal << 32);
	for (unsigned i = 0; i < NR_OFFSETS && !signal; i++)
		mix(run, byte[i]);
	if (signal)
		tell(run, "    page %d: signal %ld, code %ld\n", page, signal & 0xff, signal >> 8);
	else if (byte[0] | byte[1] | byte[2] | byte[3])
		tell(run, "    page %d: %u %u %u %u\n", page, byte[0], byte[1], byte[2], byte[3]);
}

/* Every byte that may be read. */
static void look_at_contents(struct run *run, const struct vma_line *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (int page = v[i].start; page < v[i].end; page++)
			if (v[i].perm & 7 && page >= -(int)LOOK_BELOW &&
			    page < (int)(LOOK_PAGES - LOOK_BELOW))
				look_at_page(run, page);
}

/* A file with a home is read ahead by rules of its own. */
static bool residency_counts(const struct vma_line *v)
{
	return v->name != NAME_HOME;
}

static void look_at_residency(struct run *run, const struct vma_line *v)
{
	uint8_t bits[LOOK_PAGES];
	int start = v->start < -(int)LOOK_BELOW ? -(int)LOOK_BELOW : v->start;
	int end = v->end > (int)(LOOK_PAGES - LOOK_BELOW) ? (int)(LOOK_PAGES - LOOK_BELOW) : v->end;
	uint64_t word = 0;

	if (start >= end || !residency_counts(v))
		return;
	if (!be_resident(page_at(start), (unsigned)(end - start), bits)) {
		tell(run, " (mincore failed)");
		return;
	}
	tell(run, " ");
	for (int i = 0; i < end - start; i++) {
		word = word << 1 | (bits[i] & 1);
		tell(run, "%u", bits[i] & 1);
	}
	mix(run, word);
}

enum vma_name name_class(const char *path)
{
	static const struct {
		const char *start;
		enum vma_name name;
	} known[] = {
	    {"/memfd:", NAME_MEMFD},
	    {"/dev/zero (deleted)", NAME_SHMEM},
	    {"/dev/zero", NAME_ZERO},
	    {"[heap]", NAME_HEAP},
	};

	if (!*path)
		return NAME_NONE;
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strncmp(path, known[i].start, strlen(known[i].start)))
			return known[i].name;
	return strstr(path, "model-home") ? NAME_HOME : NAME_OTHER;
}

static void look_at_vma(struct run *run, const struct vma_line *v)
{
	static const char *const names[NR_NAMES] = {"",      " memfd", " home", " shmem",
	                                            " zero", " heap",  " other"};

	mix(run, (uint64_t)(uint32_t)v->start << 32 | (uint32_t)v->end);
	mix(run, v->perm | (uint64_t)v->name << 8 | v->pgoff << 16);
	tell(run, "  %d-%d %c%c%c%c %lu%s", v->start, v->end, v->perm & 1 ? 'r' : '-',
	     v->perm & 2 ? 'w' : '-', v->perm & 4 ? 'x' : '-', v->perm & 8 ? 's' : 'p',
	     (unsigned long)v->pgoff, names[v->name]);
	look_at_residency(run, v);
	tell(run, "\n");
}

static void look(struct run *run, bool contents)
{
	struct vma_line v[MAX_VMAS];
	unsigned n = be_vmas(v, MAX_VMAS);

	mix(run, n);
	for (unsigned i = 0; i < n; i++)
		look_at_vma(run, &v[i]);
	if (contents)
		look_at_contents(run, v, n);
}

static void look_at_all(struct run *run)
{
	look(run, true);
}

/* ---- steps ---- */

static bool in_window(long addr)
{
	return addr >= (long)page_at(-(int)LOOK_BELOW) &&
	       addr < (long)page_at((int)(LOOK_PAGES - LOOK_BELOW));
}

/* A mapping that went elsewhere does not stay there: mremap's comes back, mmap's goes. */
static long bring_back(const struct call *c, long addr)
{
	unsigned long len = (unsigned long)(c->nr == CALL_MMAP ? c->arg[1] : c->arg[2]);
	struct call back = {
	    .nr = CALL_MREMAP,
	    .arg = {addr, (long)len, (long)len, MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED,
	            (long)page_at((int)c->back)},
	};

	if (c->nr == CALL_MMAP)
		back = (struct call){.nr = CALL_MUNMAP, .arg = {addr, (long)len}};
	return be_call(&back, NULL);
}

/*
 * Where mmkit differs on purpose. Where a sealed mapping refuses a call, Linux has split its
 * neighbours already. Advice that comes and goes makes one again of what is alike.
 */
static void settle_sealed(const struct call *c)
{
	struct call advise = {
	    .nr = CALL_MADVISE,
	    .arg = {(long)page_at(-(int)LOOK_BELOW), LOOK_PAGES * PAGE_BYTES, MMK_MADV_RANDOM}};

	if (c->nr != CALL_MMAP && c->nr != CALL_MUNMAP && c->nr != CALL_MREMAP &&
	    c->nr != CALL_REMAP_FILE_PAGES && c->nr != CALL_BRK)
		return;
	be_call(&advise, NULL);
	advise.arg[2] = MMK_MADV_NORMAL;
	be_call(&advise, NULL);
}

/*
 * Another difference. Linux's mremap takes away what lies at the place of MREMAP_FIXED,
 * and the end of what shrinks, before it looks whether it can move: refused then, they are gone.
 * With mmkit a refused call has changed nothing. So both are made to agree: they go by munmap.
 */
static void settle_mremap(const struct call *c)
{
	unsigned long old = ((unsigned long)c->arg[1] + PAGE_BYTES - 1) & -PAGE_BYTES;
	unsigned long new = ((unsigned long)c->arg[2] + PAGE_BYTES - 1) & -PAGE_BYTES;
	struct call target = {.nr = CALL_MUNMAP, .arg = {c->arg[4], (long)new}};
	struct call rest = {.nr = CALL_MUNMAP, .arg = {c->arg[0] + (long)new, (long)(old - new)}};

	if (!(c->arg[3] & MMK_MREMAP_FIXED))
		return;
	if (be_call(&target, NULL) == -MMK_EPERM)
		settle_sealed(c);
	if (old <= new)
		return;
	if (be_call(&rest, NULL) == -MMK_EPERM)
		settle_sealed(c);
}

static void tell_result(struct run *run, const struct call *c, long result, uint8_t byte)
{
	char buf[32];

	mix(run, (uint64_t)result);
	if (result < 0)
		tell(run, "  = %s\n", errno_name(-result, buf, sizeof(buf)));
	else if (c->nr == CALL_LOAD && !result)
		tell(run, "  = %u\n", byte);
	else if ((c->nr == CALL_LOAD || c->nr == CALL_STORE) && result)
		tell(run, "  = signal %ld, code %ld\n", result & 0xff, result >> 8);
	else
		tell(run, "  = %ld\n", result);
}

/*
 * The third: what MREMAP_DONTUNMAP leaves behind is no longer locked, but Linux
 * still counts it, and does not count what has come to be. Where there is a limit it is unlocked
 * before.
 */
static void settle_dontunmap(const struct call *c)
{
	struct call unlock = {.nr = CALL_MUNLOCK, .arg = {c->arg[0], c->arg[1]}};

	if (c->nr == CALL_MREMAP && c->arg[3] & MMK_MREMAP_DONTUNMAP)
		be_call(&unlock, NULL);
}

static void do_call(struct run *run, const struct call *c, unsigned mode)
{
	uint8_t byte = (uint8_t)c->arg[1];
	long result, back;

	if (mode & MODE_LIMIT)
		settle_dontunmap(c);
	/* The way home would take it away from a page that is written, but ramfs has no such way. */
	if (c->nr == CALL_MSYNC)
		be_tidy_home();
	result = be_call(c, &byte);
	if (c->nr == CALL_LOAD)
		mix(run, byte);
	if (c->nr == CALL_MREMAP && result < 0)
		settle_mremap(c);
	if (result == -MMK_EPERM ||
	    (mode & MODE_SEAL && c->nr == CALL_BRK && result != c->arg[0]))
		settle_sealed(c);
	if (result >= 0 && (c->nr == CALL_MMAP || c->nr == CALL_MREMAP || c->nr == CALL_BRK)) {
		bool inside = in_window(result);

		back = inside || c->nr == CALL_BRK ? 0 : bring_back(c, result);
		if (back == -MMK_EPERM)
			settle_sealed(c);
		result = inside ? (result - (long)BASE) / (long)PAGE_BYTES + LOOK_BELOW : 9999;
		if (back < 0)
			result = 10000 - back;
		else if (back)
			result = 20000 + (back - (long)BASE) / (long)PAGE_BYTES;
	}
	tell_result(run, c, result, byte);
}

/* How many more exits are to come. */
static unsigned do_fork(struct run *run, const struct call *c)
{
	int went = be_fork(run, c->arg[0], look_at_all);

	if (went < 0)
		tell_result(run, c, went, 0);
	return went > 0;
}

/*
 * The processes of a sequence, as a stack: fork puts one on it, exit takes one off; who of the two
 * goes on in between is the fork's kind.
 */
static void run_steps(struct run *run, const struct sequence *q)
{
	unsigned depth = 0;

	while (run->next < q->nr || depth) {
		bool over = run->next >= q->nr;
		const struct step *s = &q->step[run->next];
		struct call c = {.nr = CALL_EXIT};
		char text[120];

		if (over) {
			tell(run, "> exit (at the end)\n");
		} else {
			step_to_call(s, &c);
			if (q->tweaks && c.nr < CALL_PWRITE)
				c.arg[q->tweaks[run->next].arg] ^= (long)q->tweaks[run->next].bits;
			step_text(s, text, sizeof(text));
			tell(run, "> %s\n", text);
			run->next++;
		}
		if (c.nr == CALL_FORK) {
			if (depth < MAX_DEPTH)
				depth += do_fork(run, &c);
		} else if (c.nr == CALL_EXIT) {
			look_at_all(run);
			if (depth) {
				tell(run, "  the other:\n");
				be_exit(run, look_at_all);
				depth--;
			}
		} else {
			do_call(run, &c, q->mode);
		}
		if (!run->last_only)
			look(run, q->mode & MODE_LOOK);
	}
}

void run_sequence(struct run *run, const struct sequence *q)
{
	run_steps(run, q);
	tell(run, "> the end\n");
	look(run, true);
}
