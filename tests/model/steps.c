/* SPDX-License-Identifier: MIT */
/*
 * The alphabet. A step is a row of `ops` with arguments, each a choice of a kind; so it has a text
 * ("mmap 3 2 rw anon fixed - 0"), and any bytes can be read as one. A new call is a new row.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/model/model.h"

const unsigned byte_offsets[NR_OFFSETS] = {0, 50, 200, 4095};

/* ---- kinds of argument ---- */

struct choice {
	const char *name;
	long value;
	unsigned weight;
};

#define P(n)                                                                                       \
	{                                                                                          \
#n, n * 4096, 8                                                                    \
	}
#define N(n, weight)                                                                               \
	{                                                                                          \
#n, n, weight                                                                      \
	}
#define ODD_PAGES                                                                                  \
	{"1+", 4097, 1},                                                                           \
	{                                                                                          \
		"7+", 7 * 4096 + 8, 1                                                              \
	}

static const struct choice pages[] = {P(0),  P(1),  P(2),  P(3),  P(4),      P(5),  P(6),  P(7),
                                      P(8),  P(9),  P(10), P(11), P(12),     P(13), P(14), P(15),
                                      P(16), P(17), P(18), P(19), ODD_PAGES, {0}};
static const struct choice lengths[] = {{"1", 4096, 12},
                                        {"2", 8192, 10},
                                        {"3", 12288, 8},
                                        {"4", 16384, 6},
                                        {"5", 20480, 4},
                                        {"6", 24576, 3},
                                        {"9", 36864, 2},
                                        {"20", 81920, 1},
                                        {"1-", 4000, 1},
                                        {"3-", 12287, 1},
                                        {"0", 0, 1},
                                        {"wrap", -8192, 1},
                                        {0}};
static const struct choice prots[] = {{"none", MMK_PROT_NONE, 3},
                                      {"r", MMK_PROT_READ, 5},
                                      {"rw", MMK_PROT_READ | MMK_PROT_WRITE, 10},
                                      {"rx", MMK_PROT_READ | MMK_PROT_EXEC, 1},
                                      {"rwx", MMK_PROT_READ | MMK_PROT_WRITE | MMK_PROT_EXEC, 1},
                                      {"w", MMK_PROT_WRITE, 1},
                                      {0}};
static const struct choice mprots[] = {
    {"none", MMK_PROT_NONE, 3},
    {"r", MMK_PROT_READ, 6},
    {"rw", MMK_PROT_READ | MMK_PROT_WRITE, 10},
    {"rx", MMK_PROT_READ | MMK_PROT_EXEC, 1},
    {"down+rw", MMK_PROT_GROWSDOWN | MMK_PROT_READ | MMK_PROT_WRITE, 1},
    {"down+r", MMK_PROT_GROWSDOWN | MMK_PROT_READ, 1},
    {"bad", 0x40, 1},
    {0}};

/* Low bits: MAP_*; above: the descriptor and one. */
#define WITH_FD(flags, fd) ((flags) | ((fd) + 1l) << 40)
static const struct choice sources[] = {
    {"anon", WITH_FD(MMK_MAP_PRIVATE | MMK_MAP_ANONYMOUS, FD_NONE), 10},
    {"shanon", WITH_FD(MMK_MAP_SHARED | MMK_MAP_ANONYMOUS, FD_NONE), 3},
    {"memfd", WITH_FD(MMK_MAP_SHARED, FD_MEMFD), 4},
    {"cowmemfd", WITH_FD(MMK_MAP_PRIVATE, FD_MEMFD), 4},
    {"home", WITH_FD(MMK_MAP_SHARED, FD_HOME), 4},
    {"cowhome", WITH_FD(MMK_MAP_PRIVATE, FD_HOME), 4},
    {"rohome", WITH_FD(MMK_MAP_SHARED, FD_HOME_RO), 1},
    {"cowrohome", WITH_FD(MMK_MAP_PRIVATE, FD_HOME_RO), 1},
    {"zero", WITH_FD(MMK_MAP_SHARED, FD_ZERO), 1},
    {"cowzero", WITH_FD(MMK_MAP_PRIVATE, FD_ZERO), 1},
    {"badfd", WITH_FD(MMK_MAP_PRIVATE, 90), 0},
    {"droppable", WITH_FD(MMK_MAP_DROPPABLE | MMK_MAP_ANONYMOUS, FD_NONE), 1},
    {"vmemfd", WITH_FD(MMK_MAP_SHARED_VALIDATE, FD_MEMFD), 1},
    {"notype", WITH_FD(MMK_MAP_ANONYMOUS, FD_NONE), 0},
    {0}};
static const struct choice places[] = {
    {"fixed", MMK_MAP_FIXED, 10}, {"noreplace", MMK_MAP_FIXED_NOREPLACE, 4}, {"hint", 0, 4}, {0}};
/* Not MAP_STACK: Linux built with huge pages forbids them there, which parts such memory from
 * other. */
static const struct choice extras[] = {{"-", 0, 30},
                                       {"noreserve", MMK_MAP_NORESERVE, 2},
                                       {"growsdown", MMK_MAP_GROWSDOWN, 2},
                                       {"locked", MMK_MAP_LOCKED, 2},
                                       {"populate", MMK_MAP_POPULATE, 2},
                                       {"nonblock", MMK_MAP_POPULATE | MMK_MAP_NONBLOCK, 1},
                                       {"stack", MMK_MAP_STACK, 1},
                                       {"sync", MMK_MAP_SYNC, 1},
                                       {0}};
static const struct choice file_pages[] = {
    P(0), P(1), P(2), P(3), P(4), P(5), P(6), P(7), P(8), {"2+", 8200, 1}, {0}};
static const struct choice moves[] = {
    {"-", 0, 4},
    {"maymove", MMK_MREMAP_MAYMOVE, 4},
    {"fixed", MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED, 12},
    {"dontunmap", MMK_MREMAP_MAYMOVE | MMK_MREMAP_DONTUNMAP, 4},
    {"fixed+dontunmap", MMK_MREMAP_MAYMOVE | MMK_MREMAP_FIXED | MMK_MREMAP_DONTUNMAP, 5},
    {"nomay", MMK_MREMAP_FIXED, 1},
    {"bad", 8, 1},
    {0}};
static const struct choice old_lengths[] = {{"0", 0, 3},     {"1", 4096, 12},    {"2", 8192, 10},
                                            {"3", 12288, 8}, {"4", 16384, 6},    {"6", 24576, 3},
                                            {"2-", 8000, 1}, {"wrap", -8192, 1}, {0}};
/* Never by chance: pageout, after which pages are there or not as the LRU lists have it. */
static const struct choice advices[] = {{"normal", MMK_MADV_NORMAL, 2},
                                        {"random", MMK_MADV_RANDOM, 2},
                                        {"sequential", MMK_MADV_SEQUENTIAL, 1},
                                        {"willneed", MMK_MADV_WILLNEED, 1},
                                        {"dontneed", MMK_MADV_DONTNEED, 6},
                                        {"dontneed_locked", MMK_MADV_DONTNEED_LOCKED, 2},
                                        {"dontfork", MMK_MADV_DONTFORK, 3},
                                        {"dofork", MMK_MADV_DOFORK, 2},
                                        {"dontdump", MMK_MADV_DONTDUMP, 2},
                                        {"dodump", MMK_MADV_DODUMP, 1},
                                        {"wipeonfork", MMK_MADV_WIPEONFORK, 3},
                                        {"keeponfork", MMK_MADV_KEEPONFORK, 2},
                                        {"populate_read", MMK_MADV_POPULATE_READ, 3},
                                        {"populate_write", MMK_MADV_POPULATE_WRITE, 3},
                                        {"free", MMK_MADV_FREE, 3},
                                        {"remove", MMK_MADV_REMOVE, 3},
                                        {"cold", MMK_MADV_COLD, 1},
                                        {"pageout", MMK_MADV_PAGEOUT, 0},
                                        {"bad", 77, 1},
                                        {0}};
static const struct choice lock_flags[] = {
    {"-", 0, 3}, {"onfault", MMK_MLOCK_ONFAULT, 2}, {"bad", 2, 1}, {0}};
static const struct choice all_flags[] = {{"current", MMK_MCL_CURRENT, 2},
                                          {"future", MMK_MCL_FUTURE, 2},
                                          {"both", MMK_MCL_CURRENT | MMK_MCL_FUTURE, 1},
                                          {"current+onfault", MMK_MCL_CURRENT | MMK_MCL_ONFAULT, 1},
                                          {"future+onfault", MMK_MCL_FUTURE | MMK_MCL_ONFAULT, 1},
                                          {"onfault", MMK_MCL_ONFAULT, 1},
                                          {"0", 0, 1},
                                          {"bad", 8, 1},
                                          {0}};
static const struct choice sync_flags[] = {{"sync", MMK_MS_SYNC, 4},
                                           {"async", MMK_MS_ASYNC, 2},
                                           {"invalidate", MMK_MS_INVALIDATE, 2},
                                           {"sync+invalidate", MMK_MS_SYNC | MMK_MS_INVALIDATE, 1},
                                           {"sync+async", MMK_MS_SYNC | MMK_MS_ASYNC, 1},
                                           {"0", 0, 1},
                                           {"bad", 8, 1},
                                           {0}};
static const struct choice seal_flags[] = {{"0", 0, 6}, {"bad", 1, 1}, {0}};
static const struct choice remap_prots[] = {{"0", 0, 6}, {"r", MMK_PROT_READ, 1}, {0}};
static const struct choice file_indexes[] = {N(0, 2), N(1, 2), N(2, 2), N(5, 2),
                                             N(7, 1), N(9, 1), {0}};
static const struct choice offsets[] = {N(0, 4), N(50, 2), N(200, 2), N(4095, 2), {0}};
static const struct choice values[] = {N(1, 1), N(2, 1),  N(3, 1),   N(7, 1),
                                       N(0, 1), N(99, 1), N(255, 1), {0}};
static const struct choice files[] = {
    {"memfd", FD_MEMFD, 4}, {"home", FD_HOME, 4}, {"rohome", FD_HOME_RO, 1}, {0}};
static const struct choice sizes[] = {P(0),
                                      P(1),
                                      P(3),
                                      P(4),
                                      P(6),
                                      P(7),
                                      P(8),
                                      P(9),
                                      {"2+", 2 * 4096 + 100, 8},
                                      {"5+", 5 * 4096 + 100, 8},
                                      {"7+", 7 * 4096 + 100, 8},
                                      {0}};
static const struct choice bytes_written[] = {N(1, 6), N(100, 1), N(4096, 2), N(9000, 1), {0}};

struct kind {
	const struct choice *choice;
	unsigned nr, weight; /* in all */
};

enum kind_nr {
	K_NONE,
	K_PAGE,
	K_LEN,
	K_PROT,
	K_MPROT,
	K_SOURCE,
	K_PLACE,
	K_EXTRA,
	K_FPAGE,
	K_MOVE,
	K_OLDLEN,
	K_ADVICE,
	K_LOCK,
	K_ALL,
	K_SYNC,
	K_OFFSET,
	K_VALUE,
	K_FILE,
	K_SIZE,
	K_BYTES,
	K_SEAL,
	K_REMAP_PROT,
	K_INDEX,
};

static const struct choice *const kinds[] = {
    [K_PAGE] = pages,          [K_LEN] = lengths,      [K_PROT] = prots,
    [K_MPROT] = mprots,        [K_SOURCE] = sources,   [K_PLACE] = places,
    [K_EXTRA] = extras,        [K_FPAGE] = file_pages, [K_MOVE] = moves,
    [K_OLDLEN] = old_lengths,  [K_ADVICE] = advices,   [K_LOCK] = lock_flags,
    [K_ALL] = all_flags,       [K_SYNC] = sync_flags,  [K_OFFSET] = offsets,
    [K_VALUE] = values,        [K_FILE] = files,       [K_SIZE] = sizes,
    [K_BYTES] = bytes_written, [K_SEAL] = seal_flags,  [K_REMAP_PROT] = remap_prots,
    [K_INDEX] = file_indexes,
};

static unsigned nr_choices(enum kind_nr kind)
{
	unsigned n = 0;

	while (kinds[kind][n].name)
		n++;
	return n;
}

/* ---- the table ---- */

/* How the values of a step's arguments become those of a call. */
static void as_mmap(const long *v, struct call *c)
{
	/* page, length, prot, source, place, extra, file page */
	long fd = (v[3] >> 40) - 1;

	c->arg[0] = (long)BASE + v[0];
	c->arg[1] = v[1];
	c->arg[2] = v[2];
	c->arg[3] = (v[3] & 0xffffffffl) | v[4] | v[5];
	c->arg[4] = fd;
	c->arg[5] = v[6];
}

static void as_range(const long *v, struct call *c)
{
	c->arg[0] = (long)BASE + v[0];
	c->arg[1] = v[1];
	c->arg[2] = v[2];
}

static void as_mincore_to(const long *v, struct call *c)
{
	as_range(v, c);
	c->arg[2] += (long)BASE;
}

static void as_remap(const long *v, struct call *c)
{
	as_range(v, c);
	c->arg[3] = v[3];
}

static void as_mremap(const long *v, struct call *c)
{
	/* page, old length, new length, flags, new page */
	as_range(v, c);
	c->arg[3] = v[3];
	c->arg[4] = (long)BASE + v[4];
	c->back = (unsigned)(v[4] / 4096);
}

static void as_brk(const long *v, struct call *c)
{
	c->arg[0] = (long)BASE + v[0];
}

static void as_given(const long *v, struct call *c)
{
	for (unsigned i = 0; i < 3; i++)
		c->arg[i] = v[i];
}

static void as_access(const long *v, struct call *c)
{
	c->arg[0] = (long)BASE + (v[0] & -4096l) + v[1];
	c->arg[1] = v[2];
}

static void as_file(const long *v, struct call *c)
{
	/* file, page, offset, byte, length */
	c->arg[0] = v[0];
	c->arg[1] = v[1] + v[2];
	c->arg[2] = v[3];
	c->arg[3] = v[4];
}

static void as_punch(const long *v, struct call *c)
{
	/* file, page, length */
	as_given(v, c);
	if (c->arg[2] < 0)
		c->arg[2] = 4096 * 100;
}

struct op {
	const char *name;
	unsigned weight;
	enum call_nr nr;
	void (*as)(const long *values, struct call *c);
	enum kind_nr kind[MAX_ARGS];
	long more; /* a third argument that is always the same */
};

static const struct op ops[] = {
    {"mmap", 24, CALL_MMAP, as_mmap, {K_PAGE, K_LEN, K_PROT, K_SOURCE, K_PLACE, K_EXTRA, K_FPAGE}},
    {"munmap", 8, CALL_MUNMAP, as_range, {K_PAGE, K_LEN}},
    {"mprotect", 12, CALL_MPROTECT, as_range, {K_PAGE, K_LEN, K_MPROT}},
    {"mremap", 14, CALL_MREMAP, as_mremap, {K_PAGE, K_OLDLEN, K_LEN, K_MOVE, K_PAGE}},
    {"madvise", 12, CALL_MADVISE, as_range, {K_PAGE, K_LEN, K_ADVICE}},
    {"mlock", 2, CALL_MLOCK2, as_range, {K_PAGE, K_LEN, K_LOCK}},
    {"munlock", 2, CALL_MUNLOCK, as_range, {K_PAGE, K_LEN}},
    {"mlockall", 1, CALL_MLOCKALL, as_given, {K_ALL}},
    {"munlockall", 1, CALL_MUNLOCKALL, as_given, {K_NONE}},
    {"msync", 3, CALL_MSYNC, as_range, {K_PAGE, K_LEN, K_SYNC}},
    {"mincore", 1, CALL_MINCORE, as_range, {K_PAGE, K_LEN}},
    {"mincore_to", 2, CALL_MINCORE, as_mincore_to, {K_PAGE, K_LEN, K_PAGE}},
    {"mseal", 2, CALL_MSEAL, as_range, {K_PAGE, K_LEN, K_SEAL}},
    {"remap_file_pages",
     2,
     CALL_REMAP_FILE_PAGES,
     as_remap,
     {K_PAGE, K_LEN, K_REMAP_PROT, K_INDEX}},
    {"brk", 3, CALL_BRK, as_brk, {K_PAGE}},
    {"pwrite", 5, CALL_PWRITE, as_file, {K_FILE, K_FPAGE, K_OFFSET, K_VALUE, K_BYTES}},
    {"pread", 2, CALL_PREAD, as_file, {K_FILE, K_FPAGE, K_OFFSET}},
    {"ftruncate", 3, CALL_FTRUNCATE, as_given, {K_FILE, K_SIZE}},
    {"punch", 2, CALL_PUNCH, as_punch, {K_FILE, K_FPAGE, K_LEN}},
    {"load", 14, CALL_LOAD, as_access, {K_PAGE, K_OFFSET}},
    {"store", 24, CALL_STORE, as_access, {K_PAGE, K_OFFSET, K_VALUE}},
    {"peek", 2, CALL_PEEK, as_access, {K_PAGE, K_OFFSET}},
    {"poke", 2, CALL_POKE, as_access, {K_PAGE, K_OFFSET, K_VALUE}},
    {"fork", 1, CALL_FORK, as_given, {K_NONE}},
    {"forkstay", 1, CALL_FORK, as_given, {K_NONE}, 1},
    {"exit", 1, CALL_EXIT, as_given, {K_NONE}},
};
#define NR_OPS (sizeof(ops) / sizeof(ops[0]))

void step_to_call(const struct step *s, struct call *c)
{
	const struct op *op = &ops[s->op];
	long v[MAX_ARGS] = {0};

	memset(c, 0, sizeof(*c));
	c->nr = op->nr;
	for (unsigned i = 0; i < MAX_ARGS && op->kind[i]; i++)
		v[i] = kinds[op->kind[i]][s->arg[i]].value;
	op->as(v, c);
	if (op->more)
		c->arg[0] = op->more;
}

void step_from_bytes(const uint8_t *bytes, struct step *s)
{
	memset(s, 0, sizeof(*s));
	s->op = bytes[0] % NR_OPS;
	for (unsigned i = 0; i < MAX_ARGS && ops[s->op].kind[i]; i++)
		s->arg[i] = (uint8_t)(bytes[1 + i] % nr_choices(ops[s->op].kind[i]));
}

/* ---- text ---- */

size_t step_text(const struct step *s, char *buf, size_t size)
{
	const struct op *op = &ops[s->op];
	size_t n = (size_t)snprintf(buf, size, "%s", op->name);

	for (unsigned i = 0; i < MAX_ARGS && op->kind[i] && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, " %s", kinds[op->kind[i]][s->arg[i]].name);
	return n;
}

/* The next word of *text; false: none. */
static bool next_word(const char **text, char *word, size_t size)
{
	size_t n = 0;

	*text += strspn(*text, " \t\r\n");
	while (**text && !strchr(" \t\r\n", **text) && n + 1 < size)
		word[n++] = *(*text)++;
	word[n] = 0;
	return n > 0;
}

static int find_choice(enum kind_nr kind, const char *word)
{
	for (unsigned i = 0; kinds[kind][i].name; i++)
		if (!strcmp(kinds[kind][i].name, word))
			return (int)i;
	return -1;
}

bool step_parse(const char *text, struct step *s)
{
	char word[40];
	unsigned i;
	int found;

	memset(s, 0, sizeof(*s));
	if (!next_word(&text, word, sizeof(word)))
		return false;
	for (i = 0; i < NR_OPS && strcmp(ops[i].name, word); i++)
		;
	if (i == NR_OPS)
		return false;
	s->op = (uint8_t)i;
	for (i = 0; i < MAX_ARGS && ops[s->op].kind[i]; i++) {
		if (!next_word(&text, word, sizeof(word)))
			return false;
		found = find_choice(ops[s->op].kind[i], word);
		if (found < 0)
			return false;
		s->arg[i] = (uint8_t)found;
	}
	return !next_word(&text, word, sizeof(word));
}

static const struct {
	int err;
	const char *name;
} errno_names[] = {
    {1, "EPERM"},   {2, "ENOENT"},     {4, "EINTR"},       {5, "EIO"},      {9, "EBADF"},
    {11, "EAGAIN"}, {12, "ENOMEM"},    {13, "EACCES"},     {14, "EFAULT"},  {16, "EBUSY"},
    {17, "EEXIST"}, {19, "ENODEV"},    {22, "EINVAL"},     {26, "ETXTBSY"}, {27, "EFBIG"},
    {28, "ENOSPC"}, {75, "EOVERFLOW"}, {95, "EOPNOTSUPP"},
};

const char *errno_name(long err, char *buf, size_t size)
{
	for (size_t i = 0; i < sizeof(errno_names) / sizeof(errno_names[0]); i++)
		if (errno_names[i].err == err)
			return errno_names[i].name;
	snprintf(buf, size, "errno %ld", err);
	return buf;
}

/* ---- generators ---- */

static uint64_t next_random(uint64_t *state) /* splitmix64, Vigna 2015, public domain */
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint8_t random_choice(uint64_t *state, enum kind_nr kind)
{
	const struct choice *c = kinds[kind];
	unsigned all = 0, i;
	uint64_t at;

	for (i = 0; c[i].name; i++)
		all += c[i].weight;
	at = next_random(state) % all;
	for (i = 0; at >= c[i].weight; i++)
		at -= c[i].weight;
	return (uint8_t)i;
}

static void random_step(uint64_t *state, struct step *s)
{
	unsigned all = 0, i;
	uint64_t at;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < NR_OPS; i++)
		all += ops[i].weight;
	at = next_random(state) % all;
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	s->op = (uint8_t)i;
	for (i = 0; i < MAX_ARGS && ops[s->op].kind[i]; i++)
		s->arg[i] = random_choice(state, ops[s->op].kind[i]);
}

void sequence_random(uint64_t seed, uint64_t index, unsigned nr_steps, struct sequence *q)
{
	uint64_t state = seed * 0xd1342543de82ef95ull + index;

	next_random(&state);
	q->nr = nr_steps < MAX_STEPS ? nr_steps : MAX_STEPS;
	q->mode = (unsigned)(next_random(&state) % NR_MODES);
	for (unsigned i = 0; i < q->nr; i++) {
		do
			random_step(&state, &q->step[i]);
		while (ops[q->step[i].op].nr == CALL_MSEAL && !(q->mode & MODE_SEAL));
	}
}

/* Over pages 7 to 11, the boundary between two page tables in the middle; begun with memory that is
 * used. */
static const char *const prelude[] = {"mmap 7 5 rw anon fixed - 0", "store 8 0 1", "store 11 0 2"};
static const char *const alphabet[] = {
    "mmap 7 2 rw anon fixed - 0",
    "mmap 9 2 r anon fixed - 0",
    "mmap 7 1 rw shanon fixed - 0",
    "mmap 8 3 rw memfd fixed - 2",
    "mmap 7 3 rw cowmemfd fixed - 1",
    "mmap 10 2 rw cowmemfd fixed - 4",
    "munmap 7 1",
    "munmap 8 2",
    "munmap 9 3",
    "mprotect 7 2 r",
    "mprotect 8 3 none",
    "mprotect 9 1 rw",
    "mprotect 7 5 rw",
    "mremap 7 1 2 - 0",
    "mremap 9 2 1 - 0",
    "mremap 7 2 2 fixed 10",
    "mremap 10 2 2 fixed 8",
    "mremap 8 1 2 fixed+dontunmap 10",
    "mremap 8 0 2 fixed 10",
    "madvise 7 2 dontneed",
    "madvise 8 2 dontfork",
    "madvise 9 1 wipeonfork",
    "mlock 8 2 -",
    "store 7 0 3",
    "store 8 0 7",
    "store 10 50 99",
    "load 9 0",
    "ftruncate memfd 3",
    "punch memfd 2 2",
    "pwrite memfd 3 0 99 1",
    "fork",
    "forkstay",
};
#define NR_LETTERS (sizeof(alphabet) / sizeof(alphabet[0]))
#define NR_PRELUDE (sizeof(prelude) / sizeof(prelude[0]))

static void append(struct sequence *q, const char *text)
{
	if (!step_parse(text, &q->step[q->nr])) {
		fprintf(stderr, "model: not a step: %s\n", text);
		exit(2);
	}
	q->nr++;
}

bool sequence_exhaustive(uint64_t index, struct sequence *q)
{
	uint64_t words = NR_LETTERS;
	unsigned letters = 1;

	for (; index >= words; letters++, words *= NR_LETTERS)
		index -= words;
	if (letters > 3)
		return false;
	q->mode = 0;
	q->nr = 0;
	for (unsigned i = 0; i < NR_PRELUDE; i++)
		append(q, prelude[i]);
	for (; letters; letters--, index /= NR_LETTERS)
		append(q, alphabet[index % NR_LETTERS]);
	return true;
}
