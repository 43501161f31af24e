/* SPDX-License-Identifier: MIT */
/*
 * The tour: the four kinds of memory mapping, one step at a time. It is an ordinary Linux arm64
 * program: what it prints of VMAs, PTEs and frames comes from /proc/self/maps and
 * /proc/self/pagemap, and of files from read(2). Nothing is made up, and every claim is checked:
 * the exit status is 1 if one did not hold. It runs on Linux as it does on mmkit.
 */
#include "show.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tour.h"

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)

static const char *dir;

/* ---- files ---- */

static void make_file(const char *path, const char *name)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
	char bytes[TOUR_FILE_SIZE];
	unsigned long i;

	for (i = 0; i < TOUR_FILE_SIZE; i++)
		bytes[i] = tour_byte(name, i);
	if (fd < 0 || write(fd, bytes, sizeof(bytes)) != sizeof(bytes))
		stop("cannot make %s", path);
	close(fd);
}

/* The host has laid the files out for us; without a host (on Linux, say) we do it. */
static int open_file(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (access(path, F_OK))
		make_file(path, name);
	fd = open(path, O_RDWR);
	if (fd < 0)
		stop("cannot open %s", path);
	return fd;
}

static char *map(size_t len, int prot, int flags, int fd)
{
	char *p = mmap(NULL, len, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		stop("mmap");
	return p;
}

/* Is the file at TOUR_CHANGE_AT as the host wrote it, by read(2)? */
static bool file_unchanged(int fd, const char *name)
{
	char now[sizeof(TOUR_CHANGE) - 1];
	size_t i;

	if (pread(fd, now, sizeof(now), TOUR_CHANGE_AT) != sizeof(now))
		stop("pread");
	for (i = 0; i < sizeof(now); i++)
		if ((unsigned char)now[i] != tour_byte(name, TOUR_CHANGE_AT + i))
			return false;
	return true;
}

/* ---- faults that end in a signal ---- */

static sigjmp_buf back;
static siginfo_t caught;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	caught = *info;
	siglongjmp(back, 1);
}

/* The access that faults, and the signal that came of it. */
static siginfo_t poke(volatile char *at, bool write)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	memset(&caught, 0, sizeof(caught));
	if (!sigsetjmp(back, 1)) {
		if (write)
			*at = 1;
		else
			(void)*at;
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return caught;
}

static void expect_signal(siginfo_t got, int sig, int code, const char *names, char *at)
{
	printf("     signal %d (%s), si_code %d, si_addr %p\n", got.si_signo,
	       strsignal(got.si_signo), got.si_code, got.si_addr);
	expect(got.si_signo == sig && got.si_code == code && got.si_addr == at,
	       "%s, and si_addr is the very byte", names);
}

/* ---- 1: private file ---- */

static void private_file_read(char *p, int fd)
{
	step("read one byte: p[0]");
	explain("The CPU finds no PTE and faults. The kernel looks up the VMA, finds the file's "
	        "page in the page cache, and writes a PTE to that very frame - read-only, since it "
	        "belongs to the file.");
	expect(p[0] == 'T', "p[0] is 'T', the file's first byte");
	show(p, 2, fd);
	expect(is_present(p) && is_file(p), "the PTE of page 0 leads to a frame of the file");
}

static void private_file_write(char *p, int fd)
{
	unsigned long before = frame_of(p);

	step("write: memcpy(p + %d, \"%s\", %zu)", TOUR_CHANGE_AT, TOUR_CHANGE,
	     sizeof(TOUR_CHANGE) - 1);
	explain("The PTE is read-only, the VMA says writable: so this is copy on write. The kernel "
	        "takes a new frame, copies the page, and the PTE now leads to the copy. The file "
	        "knows nothing of it.");
	memcpy(p + TOUR_CHANGE_AT, TOUR_CHANGE, sizeof(TOUR_CHANGE) - 1);
	show(p, 2, fd);
	expect(frame_of(p) != before && !is_file(p),
	       "another frame than before, and no longer the file's");
	expect(!memcmp(p + TOUR_CHANGE_AT, TOUR_CHANGE, 7), "the mapping has the change");
	expect(file_unchanged(fd, TOUR_PRIVATE), "read(2) of the file does not see it");
}

static void tour_private_file(void)
{
	int fd = open_file(TOUR_PRIVATE);
	char *p;

	chapter(1, "private mapping of a file",
	        "a copy of your own, made page by page, only where you write");
	step("p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)");
	explain("mmap makes a VMA: a promise about a range of addresses. No page table entry is "
	        "written, no byte is read yet.");
	p = map(2 * PAGE, RW, MAP_PRIVATE, fd);
	show(p, 2, fd);
	expect(!is_present(p) && !is_present(p + PAGE), "a VMA, but no PTE");
	private_file_read(p, fd);
	private_file_write(p, fd);
	munmap(p, 2 * PAGE);
	close(fd);
}

/* ---- 2: shared file ---- */

static void shared_file_write(char *p, int fd)
{
	unsigned long before;

	step("read p[0], then write: memcpy(p + %d, \"%s\", %zu)", TOUR_CHANGE_AT, TOUR_CHANGE,
	     sizeof(TOUR_CHANGE) - 1);
	explain("The same access as before, but now the frame of the page cache itself is made "
	        "writable. It is marked dirty, so that it will reach the disk - here: the host's "
	        "file.");
	expect(p[0] == 'T', "p[0] is 'T', the file's first byte");
	before = frame_of(p);
	memcpy(p + TOUR_CHANGE_AT, TOUR_CHANGE, sizeof(TOUR_CHANGE) - 1);
	show(p, 2, fd);
	expect(frame_of(p) == before && is_file(p), "still the file's own frame");
	expect(!file_unchanged(fd, TOUR_SHARED), "read(2) of the file sees the change at once");
}

static void shared_file_twice(char *p, int fd)
{
	char *q = map(2 * PAGE, RW, MAP_SHARED, fd);

	step("q = mmap(... the same file ..., MAP_SHARED); write q[4096 + ...]");
	explain("A second mapping of the same file has addresses and PTEs of its own, but the "
	        "frames are one. "
	        "%d bytes of page 1 belong to the file; the rest of that page is there and zero.",
	        (int)(TOUR_FILE_SIZE - PAGE));
	memcpy(q + TOUR_TAIL_AT, TOUR_TAIL, sizeof(TOUR_TAIL) - 1);
	expect(p[PAGE] == '.' && q[0] == 'T', "both mappings read as the file");
	show(p, 2, -1);
	show(q, 2, -1);
	expect(frame_of(p) == frame_of(q) && frame_of(p + PAGE) == frame_of(q + PAGE),
	       "two mappings, the same frames");
	expect(!memcmp(p + TOUR_TAIL_AT, TOUR_TAIL, 8), "what q wrote, p reads");
	expect(p[TOUR_FILE_SIZE] == 0 && p[2 * PAGE - 1] == 0,
	       "the tail past the end of the file is zero");
	munmap(q, 2 * PAGE);
}

static void tour_shared_file(void)
{
	int fd = open_file(TOUR_SHARED);
	char *p;

	chapter(2, "shared mapping of a file", "the file itself, as memory");
	step("p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)");
	p = map(2 * PAGE, RW, MAP_SHARED, fd);
	show(p, 2, fd);
	expect(!is_present(p), "again only a promise");
	shared_file_write(p, fd);
	shared_file_twice(p, fd);
	step("msync(p, 8192, MS_SYNC)");
	explain("Returns when the dirty pages are in the host's file. The host will look.");
	expect(msync(p, 2 * PAGE, MS_SYNC) == 0, "msync says it is done");
	munmap(p, 2 * PAGE);
	close(fd);
}

/* ---- 3: private anonymous ---- */

static void anonymous_first_touch(char *p)
{
	step("read p[0] and p[4096]");
	explain("Memory that was never written is zero. So one frame full of zeroes serves every "
	        "reader: both PTEs lead to it, read-only.");
	expect(p[0] == 0 && p[PAGE] == 0, "both bytes are 0");
	show(p, 2, -1);
	expect(frame_of(p) == frame_of(p + PAGE), "two pages, one frame: the zero page");
	step("write p[0] = 'A'");
	explain("Now page 0 needs a frame of its own. Page 1 stays with the zero page.");
	p[0] = 'A';
	show(p, 2, -1);
	expect(frame_of(p) != frame_of(p + PAGE), "page 0 has left the zero page");
}

/* In the child: shows its own side, and reports by its exit status. */
static void anonymous_child(char *p, unsigned long parents)
{
	printf("     in the child, before it writes:\n");
	show(p, 1, -1);
	expect(frame_of(p) == parents, "the child's PTE leads to the parent's frame");
	p[0] = 'B';
	printf("     in the child, after p[0] = 'B':\n");
	show(p, 1, -1);
	expect(frame_of(p) != parents && p[0] == 'B', "the child has a copy of its own");
	fflush(stdout);
	_exit(surprises() != 0);
}

static void wait_for_child(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		stop("fork or wait");
	expect(status == 0, "the child found all as it should be");
}

static void anonymous_fork(char *p)
{
	unsigned long before = frame_of(p);
	pid_t pid;

	step("fork(); the child writes p[0] = 'B'");
	explain("fork copies no page. Both page tables lead to the same frames, read-only for "
	        "both; whoever\n"
	        "writes first gets a copy.");
	fflush(stdout);
	pid = fork();
	if (!pid)
		anonymous_child(p, before);
	wait_for_child(pid);
	printf("     back in the parent:\n");
	show(p, 1, -1);
	expect(p[0] == 'A', "the parent still reads 'A'");
	step("write p[0] = 'C' in the parent");
	explain("The child is gone, the frame has one owner: it is made writable again, nothing is "
	        "copied.");
	p[0] = 'C';
	show(p, 1, -1);
	expect(frame_of(p) == before, "the frame that it always was");
}

static void anonymous_dontneed(char *p)
{
	step("madvise(p, 8192, MADV_DONTNEED)");
	explain("The VMA stays, the frames go back to the kernel, the PTEs are cleared, and the "
	        "TLB forgets.");
	if (madvise(p, 2 * PAGE, MADV_DONTNEED))
		stop("madvise");
	show(p, 2, -1);
	expect(!is_present(p) && !is_present(p + PAGE), "no PTE any more");
	expect(p[0] == 0, "and the next read gives 0 again");
}

static void tour_private_anonymous(void)
{
	char *p;

	chapter(3, "private anonymous memory", "malloc's memory: zero at first, yours alone");
	step("p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)");
	p = map(2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	show(p, 2, -1);
	anonymous_first_touch(p);
	anonymous_fork(p);
	anonymous_dontneed(p);
	munmap(p, 2 * PAGE);
}

/* ---- 4: shared anonymous ---- */

static void shared_child(char *p, unsigned long parents)
{
	p[1] = 'Y';
	printf("     in the child, after p[1] = 'Y':\n");
	show(p, 1, -1);
	expect(p[0] == 'X', "the child reads the parent's 'X'");
	expect(frame_of(p) == parents, "in the parent's frame, though it wrote");
	fflush(stdout);
	_exit(surprises() != 0);
}

static void tour_shared_anonymous(void)
{
	unsigned long ours;
	char *p;
	pid_t pid;

	chapter(4, "shared anonymous memory", "memory that a family of processes has in common");
	step("p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); "
	     "p[0] = 'X'");
	explain(
	    "Behind it lies a file without a name, in memory only: see what the VMA says of it.");
	p = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	p[0] = 'X';
	show(p, 1, -1);
	ours = frame_of(p);
	step("fork(); the child writes p[1] = 'Y'");
	explain("Nothing is made read-only here, nothing is copied: one frame, two page tables.");
	fflush(stdout);
	pid = fork();
	if (!pid)
		shared_child(p, ours);
	wait_for_child(pid);
	expect(p[1] == 'Y', "the parent reads the child's 'Y'");
	munmap(p, PAGE);
}

/* ---- 5: where the promise ends ---- */

static void tour_faults(void)
{
	int fd = open_file(TOUR_SHARED);
	char *p = map(3 * PAGE, RW, MAP_SHARED, fd), *q;

	chapter(5, "where the promise ends",
	        "accesses that the kernel cannot serve become signals");
	step("map 3 pages of a file that has 1 page and %d bytes; read p[8192]",
	     (int)(TOUR_FILE_SIZE - PAGE));
	explain("There is a VMA, but the file has no such page: SIGBUS.");
	expect_signal(poke(p + 2 * PAGE, false), SIGBUS, BUS_ADRERR, "SIGBUS, BUS_ADRERR",
	              p + 2 * PAGE);
	show(p, 3, -1);
	step("munmap(p, 12288); read p[5]");
	munmap(p, 3 * PAGE);
	explain("No VMA at all: SIGSEGV, and the code says that nothing is mapped.");
	expect_signal(poke(p + 5, false), SIGSEGV, SEGV_MAPERR, "SIGSEGV, SEGV_MAPERR", p + 5);
	show(p, 1, -1);
	step("map a page PROT_READ; write q[7]");
	explain("A VMA that forbids it: SIGSEGV again, and the code says that access was denied.");
	q = map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	expect_signal(poke(q + 7, true), SIGSEGV, SEGV_ACCERR, "SIGSEGV, SEGV_ACCERR", q + 7);
	show(q, 1, -1);
	munmap(q, PAGE);
	close(fd);
}

int main(int argc, char **argv)
{
	dir = argc > 1 ? argv[1] : ".";
	show_begin();
	tour_private_file();
	tour_shared_file();
	tour_private_anonymous();
	tour_shared_anonymous();
	tour_faults();
	return show_end();
}
