/* SPDX-License-Identifier: MIT */
/*
 * The back end that is mmkit in the hosted port. After every call each invariant of the core is
 * checked and the TLBs are audited; what is broken ends the program. At the end of a sequence all
 * that it used has come back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "mm/mm_types.h"
#include "tests/model/hosted.h"

#define SEQUENCES_EACH 64            /* to a machine */
#define ELSEWHERE      0x500000000ul /* a page for mincore's vector, and others that only count */

struct hosted *machine;
static struct mmk_rlimit limits[MMK_RLIM_NLIMITS];
static struct mmk_task task[MAX_DEPTH + 1]; /* those that wait, and the one that goes on */
static bool parent_goes_on[MAX_DEPTH + 1];
static unsigned depth;
static int fds[NR_FDS];
static char dir[] = "/tmp/mmkit-model-XXXXXX", home[64];

struct mmk_task *current_task(void)
{
	return &task[depth];
}

void broken(const char *what)
{
	fprintf(stderr, "model: mmkit is broken: %s\n", what);
	abort();
}

static void check(void)
{
	char what[300] = "";

	if (current_task()->mm && mmk_mm_check(current_task()->mm, what, sizeof(what)))
		broken(what);
	if (hosted_audit(machine))
		broken("the TLBs do not agree with the tables");
}

static void check_all(void)
{
	char what[300] = "";

	check();
	if (mmk_check(hosted_system(machine), what, sizeof(what)))
		broken(what);
}

/* ---- life ---- */

bool be_start(struct run **run)
{
	*run = calloc(1, sizeof(**run));
	if (!*run || !mkdtemp(dir))
		return false;
	snprintf(home, sizeof(home), "%s/model-home", dir);
	return true;
}

static void end_machine(void);

void be_end(void)
{
	end_machine();
	unlink(home);
	rmdir(dir);
}

static void fill(int fd, unsigned first, unsigned end, uint8_t value)
{
	uint8_t page[PAGE_BYTES];

	for (unsigned i = first; i < end; i++) {
		memset(page, (int)(value + i), sizeof(page));
		hosted_pwrite(machine, fd, i * PAGE_BYTES, page, sizeof(page));
	}
}

static void new_files(void)
{
	fds[FD_MEMFD] = hosted_memfd(machine, "model", FILE_PAGES * PAGE_BYTES);
	fds[FD_HOME] = hosted_open(machine, home, O_RDWR | O_CREAT | O_TRUNC, 0644);
	fds[FD_HOME_RO] = hosted_open(machine, home, O_RDONLY, 0);
	fds[FD_ZERO] = hosted_open_zero(machine);
	for (unsigned i = 0; i < NR_FDS; i++)
		if (fds[i] < 0)
			broken("no files");
	fill(fds[FD_MEMFD], 0, FILE_PAGES / 2, 0x40);
	fill(fds[FD_HOME], 0, FILE_PAGES, 0x60);
}

static void new_program(const struct sequence *q)
{
	struct mmk_mm_bounds bounds = {.start_brk = BASE + BRK_PAGE * PAGE_BYTES,
	                               .brk = BASE + BRK_PAGE * PAGE_BYTES};

	for (unsigned i = 0; i < MMK_RLIM_NLIMITS; i++)
		limits[i] = (struct mmk_rlimit){MMK_RLIM_INFINITY, MMK_RLIM_INFINITY};
	limits[MMK_RLIMIT_STACK].cur = 8 << 20;
	if (q->mode & MODE_LIMIT)
		limits[MMK_RLIMIT_MEMLOCK].cur = 8 * PAGE_BYTES;
	hosted_set_caps(machine, q->mode & MODE_LIMIT ? 0 : 1u << MMK_CAP_IPC_LOCK);
	depth = 0;
	task[0] = (struct mmk_task){.pid = 1, .rlim = limits};
	if (hosted_spawn(machine, &task[0]))
		broken("no program");
	mmk_mm_set_bounds(task[0].mm, &bounds);
	mmk_sys_mmap(&task[0], ELSEWHERE, 100 * PAGE_BYTES, MMK_PROT_READ | MMK_PROT_WRITE,
	             MMK_MAP_SHARED | MMK_MAP_ANONYMOUS | MMK_MAP_FIXED, -1, 0);
}

static void end_program(void)
{
	hosted_exit(machine, &task[0]);
	for (unsigned i = 0; i < NR_FDS; i++)
		hosted_close(machine, fds[i]);
}

static void end_machine(void)
{
	if (machine && hosted_destroy(machine))
		broken("frames were lost");
	machine = NULL;
}

static bool have_machine(void)
{
	static const struct hosted_config config = {.ram_size = 8 << 20};
	static unsigned used;

	if (used++ % SEQUENCES_EACH == 0)
		end_machine();
	if (!machine) {
		machine = hosted_create(&config);
		if (machine) /* fork shares every table that can be shared */
			hosted_system(machine)->share_entries = 1;
	}
	return machine != NULL;
}

bool be_sequence(struct run *run, const struct sequence *q)
{
	if (!have_machine())
		return false;
	new_files();
	new_program(q);
	run_sequence(run, q);
	end_program();
	check_all();
	return true;
}

/* The child is on top of the stack. */
static long fork_program(void)
{
	int err = hosted_fork(machine, current_task(), &task[depth + 1]);

	if (!err)
		depth++;
	return err;
}

int be_fork(struct run *run, bool parent_stays, void (*look)(struct run *run))
{
	static const struct call c = {.nr = CALL_FORK};
	long err = inject_call(&c, NULL);

	if (err)
		return (int)err;
	parent_goes_on[depth] = parent_stays;
	if (parent_stays) {
		struct mmk_task child = task[depth];

		task[depth] = task[depth - 1];
		task[depth - 1] = child;
	}
	check();
	return 1;
}

void be_exit(struct run *run, void (*look)(struct run *run))
{
	struct mmk_task other = task[depth];

	depth--;
	if (!parent_goes_on[depth + 1])
		hosted_exit(machine, &other);
	look(run);
	if (parent_goes_on[depth + 1]) {
		hosted_exit(machine, &task[depth]);
		task[depth] = other;
	}
	check();
}

/* ---- calls ---- */

static long access_memory(const struct call *c, uint8_t *byte)
{
	struct mmk_fault f = {0};
	unsigned long at = (unsigned long)c->arg[0];
	int signo;

	if (c->nr == CALL_LOAD)
		signo = hosted_load(machine, current_task(), at, byte, 1, &f);
	else
		signo = hosted_store(machine, current_task(), at, byte, 1, &f);
	return signo ? signo | f.code << 8 | (f.addr != at) << 16 : 0;
}

void be_tidy_home(void)
{
	static const uint8_t zeros[PAGE_BYTES];
	uint64_t size = hosted_file(machine, fds[FD_HOME])->f_mapping->i_size;
	size_t tail = -size & (PAGE_BYTES - 1);

	if (tail && hosted_pwrite(machine, fds[FD_HOME], size, zeros, tail) == (int64_t)tail)
		hosted_ftruncate(machine, fds[FD_HOME], size);
}

static long file_write(const long *a)
{
	uint8_t bytes[16384];

	memset(bytes, (int)a[2], sizeof(bytes));
	return hosted_pwrite(machine, fds[a[0]], (uint64_t)a[1], bytes, (size_t)a[3]);
}

static long file_read(const long *a)
{
	uint8_t byte = 0;
	int64_t n = hosted_pread(machine, fds[a[0]], (uint64_t)a[1], &byte, 1);

	return n == 1 ? byte : n < 0 ? n : 1000;
}

static long peek(const struct call *c)
{
	uint8_t byte = (uint8_t)c->arg[1];
	bool poke = c->nr == CALL_POKE;
	size_t n = mmk_access_vm(current_task(), current_task()->mm, (unsigned long)c->arg[0],
	                         &byte, 1, MMK_ACCESS_FORCE | (poke ? MMK_ACCESS_WRITE : 0));

	if (!n)
		return -MMK_EIO;
	return poke ? 1 : byte;
}

static long memory_call(const struct call *c)
{
	const unsigned long *a = (const unsigned long *)c->arg;
	struct mmk_task *t = current_task();

	switch (c->nr) {
	case CALL_MMAP:
		return mmk_sys_mmap(t, a[0], a[1], a[2], a[3],
		                    a[4] < NR_FDS ? fds[a[4]] : (int)a[4], a[5]);
	case CALL_MUNMAP:
		return mmk_sys_munmap(t, a[0], a[1]);
	case CALL_MPROTECT:
		return mmk_sys_mprotect(t, a[0], a[1], a[2]);
	case CALL_MREMAP:
		return mmk_sys_mremap(t, a[0], a[1], a[2], a[3], a[4]);
	case CALL_MADVISE:
		return mmk_sys_madvise(t, a[0], a[1], (int)a[2]);
	case CALL_MLOCK2:
		return mmk_sys_mlock2(t, a[0], a[1], (int)a[2]);
	case CALL_MUNLOCK:
		return mmk_sys_munlock(t, a[0], a[1]);
	case CALL_MLOCKALL:
		return mmk_sys_mlockall(t, (int)a[0]);
	case CALL_MUNLOCKALL:
		return mmk_sys_munlockall(t);
	case CALL_MSYNC:
		return mmk_sys_msync(t, a[0], a[1], (int)a[2]);
	case CALL_MINCORE:
		return mmk_sys_mincore(t, a[0], a[1], a[2] ? a[2] : ELSEWHERE);
	case CALL_MSEAL:
		return mmk_sys_mseal(t, a[0], a[1], a[2]);
	case CALL_REMAP_FILE_PAGES:
		return mmk_sys_remap_file_pages(t, a[0], a[1], a[2], a[3], 0);
	default:
		return (long)mmk_sys_brk(t, a[0]);
	}
}

static long file_call(const struct call *c)
{
	const long *a = c->arg;

	switch (c->nr) {
	case CALL_PWRITE:
		return file_write(a);
	case CALL_PREAD:
		return file_read(a);
	case CALL_FTRUNCATE:
		return hosted_ftruncate(machine, fds[a[0]], (uint64_t)a[1]);
	default:
		if (a[2] <= 0)
			return -MMK_EINVAL; /* fallocate's own rule */
		return hosted_punch(machine, fds[a[0]], (uint64_t)a[1], (uint64_t)(a[1] + a[2]));
	}
}

long plain_call(const struct call *c, uint8_t *byte)
{
	long result;

	if (c->nr == CALL_LOAD || c->nr == CALL_STORE)
		result = access_memory(c, byte);
	else if (c->nr == CALL_FORK)
		result = fork_program();
	else if (c->nr == CALL_PEEK || c->nr == CALL_POKE)
		result = peek(c);
	else if (c->nr >= CALL_PWRITE)
		result = file_call(c);
	else
		result = memory_call(c);
	if (c->nr != CALL_LOAD) /* there are many of these */
		check();
	return result;
}

long be_call(const struct call *c, uint8_t *byte)
{
	return inject_call(c, byte);
}

/* ---- looking ---- */

static int page_of(unsigned long addr)
{
	return (int)(((long)addr - (long)BASE) / (long)PAGE_BYTES);
}

/* One line of /proc/PID/maps. */
static struct vma_line parse(const char *line)
{
	unsigned long start, end, offset, major, minor, inode;
	char perm[5], name[200] = "";

	sscanf(line, "%lx-%lx %4s %lx %lx:%lx %lu %199[^\n]", &start, &end, perm, &offset, &major,
	       &minor, &inode, name);
	return (struct vma_line){
	    .start = page_of(start),
	    .end = page_of(end),
	    .perm = (perm[0] == 'r') | (perm[1] == 'w') << 1 | (perm[2] == 'x') << 2 |
	            (perm[3] == 's') << 3,
	    .pgoff = offset / PAGE_BYTES,
	    .name = name_class(name),
	};
}

unsigned be_vmas(struct vma_line *v, unsigned max)
{
	uint64_t pos = BASE - LOOK_BELOW * PAGE_BYTES;
	char text[16384], *line = text, *end;
	unsigned n = 0;
	long size = mmk_proc_maps(current_task(), current_task()->mm, &pos, text, sizeof(text) - 1);

	text[size > 0 ? size : 0] = 0;
	for (; n < max && (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		v[n] = parse(line);
		if (v[n].start >= (int)(LOOK_PAGES - LOOK_BELOW))
			break;
		n++;
	}
	return n;
}

bool be_resident(unsigned long addr, unsigned n, uint8_t *bits)
{
	if (mmk_sys_mincore(current_task(), addr, n * PAGE_BYTES, ELSEWHERE))
		return false;
	return !hosted_load(machine, current_task(), ELSEWHERE, bits, n, NULL);
}
