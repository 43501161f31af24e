/* SPDX-License-Identifier: MIT */
/* The runner inside each guest test program, and the helpers of guest.h. */
#include "guest.h"

#include <setjmp.h>
#include <stdarg.h>

#define MAX_TESTS    200
#define TEST_SECONDS 300

struct test {
	const char *name;
	void (*run)(void);
};

static struct test tests[MAX_TESTS];
static unsigned int nr_tests;
static int why_fd = -1;
static char file_path[256];

size_t page = 4096;

void test_register(const char *name, void (*run)(void))
{
	if (nr_tests == MAX_TESTS)
		abort();
	tests[nr_tests++] = (struct test){name, run};
}

static void remove_file(void)
{
	if (file_path[0])
		unlink(file_path);
}

void test_fail(const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	if (write(why_fd, text, len) < 0)
		_exit(2);
	remove_file();
	_exit(1);
}

static void become_test(const struct test *t, int fd)
{
	why_fd = fd;
	alarm(TEST_SECONDS);
	t->run();
	remove_file();
	_exit(0);
}

/* Gathers what the test says of its failure, until the last process of it has gone. */
static void gather(int fd, char *text, size_t size)
{
	size_t have = 0;
	ssize_t got;

	while (have < size - 1 && (got = read(fd, text + have, size - 1 - have)) > 0)
		have += got;
	text[have] = '\0';
	close(fd);
}

static bool run_test(const struct test *t)
{
	char why[1024];
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) || (pid = fork()) < 0) {
		printf("not ok %s: no pipe or process (errno %d)\n", t->name, errno);
		return false;
	}
	if (!pid) {
		close(fds[0]);
		become_test(t, fds[1]);
	}
	close(fds[1]);
	gather(fds[0], why, sizeof(why));
	if (waitpid(pid, &status, 0) != pid)
		status = -1;
	if (!status && !why[0]) {
		printf("ok %s\n", t->name);
		return true;
	}
	if (!why[0])
		snprintf(why, sizeof(why), "ended with wait status 0x%x", status);
	printf("not ok %s: %s\n", t->name, why);
	return false;
}

/* With words: only the tests whose names contain one of them. */
static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	unsigned int i;
	bool good = true;

	page = sysconf(_SC_PAGESIZE);
	setvbuf(stdout, NULL, _IONBF, 0);
	for (i = 0; i < nr_tests; i++)
		if (wanted(tests[i].name, argc, argv))
			good &= run_test(&tests[i]);
	return !good;
}

/* ---- mappings ---- */

char *map(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *at = mmap(addr, len, prot, flags, fd, offset);

	if (at == MAP_FAILED)
		test_fail("mmap(%p, %zu, %#x, %#x, %d, %#llx): errno %d", addr, len, prot, flags,
		          fd, (long long)offset, errno);
	return at;
}

char *map_anon(size_t pages)
{
	return map(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

char *map_anon_shared(size_t pages)
{
	return map(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/*
 * Free space that stays free: two mappings away from it nothing merges with a neighbour. The hole
 * has a page of PROT_NONE on either side that stays mapped.
 */
char *map_reserved(size_t pages)
{
	char *p = map(NULL, (pages + 2) * page, PROT_NONE,
	              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(!munmap(p + page, pages * page));
	return p + page;
}

/* ---- files ---- */

unsigned char file_byte(size_t i)
{
	return (i * 131 + i / 4096 * 17 + 7) & 0xff;
}

const char *test_file_path(void)
{
	return file_path;
}

static void write_pattern(int fd, size_t size)
{
	unsigned char block[4096];
	size_t at, i, len;

	for (at = 0; at < size; at += len) {
		len = size - at < sizeof(block) ? size - at : sizeof(block);
		for (i = 0; i < len; i++)
			block[i] = file_byte(at + i);
		if (write(fd, block, len) != (ssize_t)len)
			test_fail("cannot fill %s: errno %d", file_path, errno);
	}
}

int test_file(size_t size)
{
	const char *dir = getenv("TESTDIR");
	int fd;

	snprintf(file_path, sizeof(file_path), "%s/guest-%d", dir && *dir ? dir : "/tmp", getpid());
	fd = open(file_path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		test_fail("cannot make %s: errno %d", file_path, errno);
	write_pattern(fd, size);
	return fd;
}

bool is_file_pattern(const void *data, size_t from, size_t len)
{
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != file_byte(from + i))
			return false;
	return true;
}

bool is_all(const void *data, int byte, size_t len)
{
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != byte)
			return false;
	return true;
}

int file_read_byte(int fd, off_t at)
{
	unsigned char byte;
	ssize_t got = pread(fd, &byte, 1, at);

	if (got < 0)
		test_fail("pread at %lld: errno %d", (long long)at, errno);
	return got ? byte : -1;
}

void file_write_byte(int fd, off_t at, int byte)
{
	unsigned char b = byte;

	if (pwrite(fd, &b, 1, at) != 1)
		test_fail("pwrite at %lld: errno %d", (long long)at, errno);
}

/* ---- faults ---- */

static sigjmp_buf fault_return;
static struct fault fault_seen;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	fault_seen = (struct fault){sig, info->si_code, info->si_addr};
	siglongjmp(fault_return, 1);
}

struct fault try_call(void (*fn)(void *), void *arg)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct sigaction segv, bus, ill;

	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGBUS, &action, &bus);
	sigaction(SIGILL, &action, &ill);
	fault_seen = (struct fault){0};
	if (!sigsetjmp(fault_return, 1))
		fn(arg);
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGILL, &ill, NULL);
	return fault_seen;
}

struct access {
	volatile unsigned char *at;
	int byte;
};

static void do_read(void *arg)
{
	struct access *a = arg;

	a->byte = *a->at;
}

static void do_write(void *arg)
{
	struct access *a = arg;

	*a->at = a->byte;
}

struct fault try_read(const volatile void *at)
{
	struct access a = {(volatile unsigned char *)at, 0};

	return try_call(do_read, &a);
}

struct fault try_write(volatile void *at, int byte)
{
	struct access a = {at, byte};

	return try_call(do_write, &a);
}

/* ---- processes ---- */

int in_child(void (*fn)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		test_fail("fork: errno %d", errno);
	if (!pid) {
		fn(arg);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		test_fail("waitpid: errno %d", errno);
	return status;
}

void in_good_child(void (*fn)(void *), void *arg)
{
	int status = in_child(fn, arg);

	if (status)
		test_fail("the child ended with wait status 0x%x", status);
}

void become_nobody(void)
{
	if (setgid(65534) || setuid(65534))
		test_fail("cannot give up root: errno %d", errno);
}

/* ---- /proc/self/maps ---- */

static FILE *open_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");

	if (!f)
		test_fail("cannot open /proc/self/maps: errno %d", errno);
	return f;
}

static bool next_vma(FILE *f, struct vma *v)
{
	int name_at = 0;

	if (!fgets(v->text, sizeof(v->text), f))
		return false;
	v->text[strcspn(v->text, "\n")] = '\0';
	if (sscanf(v->text, "%lx-%lx %4s %lx %x:%x %lu%n", &v->start, &v->end, v->perms, &v->offset,
	           &v->major, &v->minor, &v->inode, &name_at) != 7)
		test_fail("no line of a maps file: \"%s\"", v->text);
	name_at += strspn(v->text + name_at, " ");
	snprintf(v->name, sizeof(v->name), "%.255s", v->text + name_at);
	return true;
}

bool vma_at(const void *addr, struct vma *v)
{
	FILE *f = open_maps();
	bool found = false;

	while (!found && next_vma(f, v))
		found = v->start <= (unsigned long)addr && (unsigned long)addr < v->end;
	fclose(f);
	return found;
}

struct vma vma_of(const void *addr)
{
	struct vma v;

	if (!vma_at(addr, &v))
		test_fail("/proc/self/maps has no line for %p", addr);
	return v;
}

static void draw_part(char *out, size_t size, const char *what, unsigned long bytes)
{
	size_t len = strlen(out);

	snprintf(out + len, size - len, "%s%s:%lu", len ? " " : "", what, bytes / page);
}

const char *draw(const void *from, const void *to)
{
	static char out[1024];
	unsigned long at = (unsigned long)from, stop = (unsigned long)to;
	struct vma v;
	/* stdio allocates: its buffer must not land in the range while it is drawn */
	FILE *f = open_maps();

	out[0] = '\0';
	while (at < stop && next_vma(f, &v)) {
		if (v.end <= at)
			continue;
		if (v.start >= stop)
			break;
		if (v.start > at)
			draw_part(out, sizeof(out), ".", v.start - at);
		at = v.start > at ? v.start : at;
		draw_part(out, sizeof(out), v.perms, (v.end < stop ? v.end : stop) - at);
		at = v.end;
	}
	if (at < stop)
		draw_part(out, sizeof(out), ".", stop - at);
	fclose(f);
	return out;
}
