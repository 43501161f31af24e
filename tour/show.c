/* SPDX-License-Identifier: MIT */
/*
 * Reads /proc/self/maps and /proc/self/pagemap and prints them side by side. A kernel that also has
 * /proc/self/ptdump (mmkit's) is asked for the level and the attribute bits of each PTE.
 */
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PAGE 4096ul

/* Bits of a pagemap entry. */
#define PM_PRESENT   (1ull << 63)
#define PM_FILE      (1ull << 61) /* a page of a file, or shared memory */
#define PM_EXCLUSIVE (1ull << 56) /* mapped here only */
#define PM_SOFTDIRTY (1ull << 55)
#define PM_FRAME     ((1ull << 55) - 1)

static unsigned int nr_surprises, nr_claims;

static void speak(const char *before, const char *fmt, va_list args)
{
	fputs(before, stdout);
	vprintf(fmt, args);
	putchar('\n');
}

void stop(const char *fmt, ...)
{
	int error = errno;
	va_list args;

	va_start(args, fmt);
	speak("tour: ", fmt, args);
	va_end(args);
	printf("tour: %s\n", strerror(error));
	fflush(stdout);
	_exit(1);
}

void chapter(int number, const char *title, const char *gist)
{
	printf("\n==== %d. %s ====\n     %s\n", number, title, gist);
}

void step(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	speak("\n  => ", fmt, args);
	va_end(args);
}

/* Prints @text in lines of up to @width columns, indented. */
static void wrap(const char *text, size_t width)
{
	while (*text) {
		size_t len = strlen(text);

		if (len > width) {
			len = width;
			while (len && text[len] != ' ')
				len--;
		}
		printf("     %.*s\n", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
}

void explain(const char *fmt, ...)
{
	char text[1000];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	wrap(text, 90);
}

void expect(bool came_true, const char *fmt, ...)
{
	va_list args;

	nr_claims++;
	nr_surprises += !came_true;
	va_start(args, fmt);
	speak(came_true ? "     yes: " : "     NO!  this should be so: ", fmt, args);
	va_end(args);
}

unsigned int surprises(void)
{
	return nr_surprises;
}

/* ---- VMAs ---- */

static void show_vmas(unsigned long from, unsigned long to)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	unsigned int found = 0;
	char line[512];

	if (!maps)
		stop("cannot open /proc/self/maps");
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || start >= to || end <= from)
			continue;
		printf("     vma   %s", line);
		found++;
	}
	fclose(maps);
	if (!found)
		printf("     vma   none at %lx\n", from);
}

/* ---- PTEs ---- */

static uint64_t pagemap(const char *at)
{
	static int fd = -1;
	static pid_t owner;
	uint64_t entry;

	/* after fork, "self" is someone else */
	if (owner != getpid()) {
		if (fd >= 0)
			close(fd);
		fd = open("/proc/self/pagemap", O_RDONLY);
		owner = getpid();
	}
	if (pread(fd, &entry, sizeof(entry), (unsigned long)at / PAGE * 8) != sizeof(entry))
		stop("cannot read /proc/self/pagemap");
	return entry;
}

bool is_present(const char *at)
{
	return pagemap(at) & PM_PRESENT;
}

bool is_file(const char *at)
{
	return pagemap(at) & PM_FILE;
}

unsigned long frame_of(const char *at)
{
	return is_present(at) ? pagemap(at) & PM_FRAME : 0;
}

/*
 * The PTE as the CPU has it, where the kernel tells: "VA level PTE address attributes" gives
 * " [level PTE: attributes]".
 */
static void attributes(unsigned long at, char *out, size_t size)
{
	FILE *dump = fopen("/proc/self/ptdump", "r");
	char line[256], level[8], pte[32];
	unsigned long va;
	int text;

	out[0] = '\0';
	if (!dump)
		return;
	while (fgets(line, sizeof(line), dump)) {
		text = 0;
		if (sscanf(line, "%lx %7s %31s %*s %n", &va, level, pte, &text) < 3 || va != at)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, size, "  [%s %s: %s]", level, pte, line + text);
		break;
	}
	fclose(dump);
}

static void show_pte(unsigned long at)
{
	uint64_t entry = pagemap((const char *)at);
	char more[256];

	if (!(entry & PM_PRESENT)) {
		printf("     pte   %lx -> not there\n", at);
		return;
	}
	attributes(at, more, sizeof(more));
	printf("     pte   %lx -> frame %#llx, %s%s%s%s\n", at,
	       (unsigned long long)(entry & PM_FRAME), entry & PM_FILE ? "of a file" : "anonymous",
	       entry & PM_EXCLUSIVE ? ", mapped once" : ", shared",
	       entry & PM_SOFTDIRTY ? ", soft-dirty" : "", more);
}

/* ---- files ---- */

static void show_file(int fd)
{
	char head[48];
	ssize_t got = pread(fd, head, sizeof(head), 0);

	if (got < 0)
		stop("pread");
	head[got == sizeof(head) ? got - 1 : got] = '\0';
	head[strcspn(head, "\n")] = '\0';
	printf("     file  read(2) gives \"%s\"\n", head);
}

void show(const char *at, unsigned int pages, int fd)
{
	unsigned long from = (unsigned long)at;
	unsigned int i;

	show_vmas(from, from + pages * PAGE);
	for (i = 0; i < pages; i++)
		show_pte(from + i * PAGE);
	if (fd >= 0)
		show_file(fd);
}

/* ---- beginning and end ---- */

void show_begin(void)
{
	struct utsname u;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (uname(&u))
		stop("uname");
	printf("A tour of memory mapping, on %s %s (%s), as process %d.\n\n", u.sysname, u.release,
	       u.machine, getpid());
	printf("After each step you see\n"
	       "     vma   the kernel's promise: a line of /proc/self/maps\n"
	       "     pte   what the CPU's page table says of each page: /proc/self/pagemap\n"
	       "     file  what read(2) finds in the file\n"
	       "and whether what was claimed came true. What is shown after one step is how things "
	       "stand before\n"
	       "the next. %s\n",
	       access("/proc/self/ptdump", R_OK)
	           ? ""
	           : "In brackets: the entry itself, its level and bits, from /proc/self/ptdump.");
}

int show_end(void)
{
	printf("\n%u claims checked in this process, %u did not hold.\n", nr_claims, nr_surprises);
	return nr_surprises != 0;
}
