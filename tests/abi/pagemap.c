/* SPDX-License-Identifier: MIT */
/* /proc/PID/pagemap and its ioctl PAGEMAP_SCAN. */
#include "abi.h"

#include <sys/ioctl.h>

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, anyof, ret;
};
struct region {
	uint64_t start, end, categories;
};
#define SCAN _IOWR('f', 16, struct scan_arg)

enum { WPALLOWED = 1, WRITTEN = 2, IS_FILE = 4, PRESENT = 8, SWAPPED = 16, ZERO = 32, HUGE = 64 };

/* The entries of @n pages, the frame number left out: "8180000000000000". */
static void entries(const void *p, unsigned n)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	unsigned i;

	abi_must("open", fd);
	for (i = 0; i < n; i++) {
		uint64_t e = 0;
		off_t at = ((unsigned long)p / page + i) * 8;

		abi_must("pread", pread(fd, &e, 8, at));
		abi_say("page %u: %s%s%s%s%s", i, e >> 63 & 1 ? "present" : "none",
		        e >> 62 & 1 ? " swap" : "", e >> 61 & 1 ? " file" : "",
		        e >> 57 & 1 ? " uffd-wp" : "", e >> 56 & 1 ? " exclusive" : "");
	}
	close(fd);
}

BEHAVIOUR(pagemap_of_anonymous_memory, "pagemap entries")
{
	char *p = abi_map(4, RW);

	abi_store("write", p, 1);
	abi_load("read", p + page);
	abi_fill(p + 3 * page, 1, 1);
	entries(p, 4);
}

BEHAVIOUR(pagemap_of_a_hole, "pagemap entries")
{
	entries(abi_window(2), 2);
}

BEHAVIOUR(pagemap_of_shared_memory_is_file, "pagemap file bit")
{
	char *p = abi_map_with(3, RW, SHM, -1, 0);

	abi_fill(p, 2, 1);
	entries(p, 3);
}

BEHAVIOUR(pagemap_of_a_private_file_copy, "pagemap file bit")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);

	abi_store("write", p, 1);
	entries(p, 1);
}

BEHAVIOUR(pagemap_exclusive_after_fork, "pagemap exclusive bit")
{
	char *p = abi_map(2, RW);
	pid_t pid;

	abi_fill(p, 2, 1);
	entries(p, 2);
	pid = abi_fork();
	if (!pid)
		for (;;)
			pause();
	entries(p, 2);
	abi_store("write", p, 2);
	entries(p, 2);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	entries(p, 2);
}

BEHAVIOUR(pagemap_of_protected_pages, "pagemap entries")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 1, 1);
	TRY(mprotect(p, 2 * page, PROT_NONE));
	entries(p, 2);
}

BEHAVIOUR(pagemap_after_dontneed, "pagemap entries")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(madvise(p, page, MADV_DONTNEED));
	entries(p, 2);
}

BEHAVIOUR(pagemap_reads_whole_entries_only, "pagemap EINVAL")
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t e[4];

	TRY(pread(fd, e, 8, 0));
	TRY(pread(fd, e, 7, 0));
	TRY(pread(fd, e, 12, 0));
	TRY(pread(fd, e, 8, 4));
	TRY(pread(fd, e, 0, 0));
	TRY(pread(fd, e, 32, 8));
	TRY(lseek(fd, 16, SEEK_SET));
	TRY(read(fd, e, 16));
	TRY(lseek(fd, 0, SEEK_CUR));
}

BEHAVIOUR(pagemap_ends_with_the_address_space, "pagemap end")
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t e[2];

	TRY(pread(fd, e, 16, ((1ll << 48) / 4096 - 1) * 8));
	TRY(pread(fd, e, 8, (1ll << 48) / 4096 * 8));
	TRY(pread(fd, e, 8, (1ll << 55) / 4096 * 8));
	TRY(pread(fd, e, 8, (1ll << 56) / 4096 * 8)); /* a tag */
	TRY(pread(fd, e, 8, 1ll << 60));
}

BEHAVIOUR(pagemap_hides_frames_from_others, "pagemap frame numbers")
{
	char *p = abi_map(1, RW);
	int fd;
	uint64_t e = 0;

	abi_fill(p, 1, 1);
	fd = open("/proc/self/pagemap", O_RDONLY);
	abi_must("pread", pread(fd, &e, 8, (unsigned long)p / page * 8));
	abi_say("root sees a frame: %d", (e & ((1ull << 55) - 1)) != 0);
	abi_nobody();
	abi_must("pread", pread(fd, &e, 8, (unsigned long)p / page * 8));
	abi_say("opened by root, read by nobody: %d", (e & ((1ull << 55) - 1)) != 0);
}

BEHAVIOUR(pagemap_cannot_be_written, "pagemap open")
{
	int fd = open("/proc/self/pagemap", O_RDWR);
	uint64_t e = 0;

	abi_say("opens for writing: %d", fd >= 0);
	TRY(write(fd, &e, 8));
}

/* ---- PAGEMAP_SCAN ---- */

static struct region found[64];

static long scan(struct scan_arg *a)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	long n;

	abi_must("open", fd);
	a->size = sizeof(*a);
	n = ioctl(fd, SCAN, a);
	close(fd);
	return n;
}

/* Prints what the scan gives, addresses relative to base. */
static void show_scan(const char *what, struct scan_arg *a)
{
	long n, i;

	if (a->vec == 1)
		a->vec = (uint64_t)(uintptr_t)found;
	n = abi_ret(what, scan(a));
	for (i = 0; i < n; i++)
		abi_say("  %s-%s 0x%llx", abi_where((void *)(uintptr_t)found[i].start),
		        abi_where((void *)(uintptr_t)(found[i].end - 1)),
		        (unsigned long long)found[i].categories);
	if (n >= 0)
		abi_say("  walk_end %s", abi_where((void *)(uintptr_t)(a->walk_end - 1)));
}

static struct scan_arg arg_for(const char *p, unsigned n)
{
	return (struct scan_arg){.start = (uint64_t)(uintptr_t)p,
	                         .end = (uint64_t)(uintptr_t)p + n * page,
	                         .vec = 1,
	                         .vec_len = 64,
	                         .mask = PRESENT,
	                         .ret = 0xff & ~(uint64_t)HUGE};
}

/* 8 pages: written, read, none, written, written, none, none, written. */
static char *mixed(void)
{
	char *p = abi_map(8, RW);

	abi_fill(p, 1, 1);
	(void)*(volatile char *)(p + page);
	abi_fill(p + 3 * page, 2, 1);
	abi_fill(p + 7 * page, 1, 1);
	return p;
}

BEHAVIOUR(scan_finds_present_pages, "PAGEMAP_SCAN PRESENT")
{
	struct scan_arg a = arg_for(mixed(), 8);

	show_scan("scan", &a);
}

BEHAVIOUR(scan_tells_only_what_is_asked, "PAGEMAP_SCAN return_mask")
{
	struct scan_arg a = arg_for(mixed(), 8);

	a.ret = 0;
	show_scan("nothing", &a);
	a.ret = PRESENT;
	show_scan("present", &a);
	a.ret = WRITTEN;
	show_scan("written", &a);
}

BEHAVIOUR(scan_for_the_contrary, "PAGEMAP_SCAN category_inverted")
{
	struct scan_arg a = arg_for(mixed(), 8);

	a.inverted = PRESENT;
	show_scan("not present", &a);
	a.mask = ZERO;
	a.inverted = ZERO;
	a.ret = ZERO;
	show_scan("not the zero page", &a);
}

BEHAVIOUR(scan_for_any_of, "PAGEMAP_SCAN category_anyof_mask")
{
	struct scan_arg a = arg_for(mixed(), 8);

	a.mask = 0;
	a.anyof = ZERO | IS_FILE;
	show_scan("zero or file", &a);
	a.anyof = 0;
	show_scan("everything", &a);
	a.mask = WPALLOWED;
	show_scan("wp allowed", &a);
	a.inverted = WPALLOWED;
	show_scan("wp not allowed", &a);
}

BEHAVIOUR(scan_stops_after_max_pages, "PAGEMAP_SCAN max_pages")
{
	char *p = mixed();
	unsigned max;

	for (max = 1; max <= 6; max++) {
		struct scan_arg a = arg_for(p, 8);

		a.max_pages = max;
		a.ret = PRESENT;
		show_scan("scan", &a);
	}
}

BEHAVIOUR(scan_stops_where_the_vector_ends, "PAGEMAP_SCAN vec_len")
{
	char *p = mixed();
	unsigned len;

	for (len = 1; len <= 4; len++) {
		struct scan_arg a = arg_for(p, 8);

		a.vec_len = len;
		a.ret = PRESENT;
		show_scan("scan", &a);
	}
}

BEHAVIOUR(scan_across_mappings_and_holes, "PAGEMAP_SCAN holes")
{
	char *p = mixed();
	struct scan_arg a = arg_for(p, 8);

	TRY(munmap(p + 4 * page, 2 * page));
	TRY(mprotect(p, page, PROT_READ));
	a.ret = PRESENT;
	show_scan("present", &a);
	a.inverted = PRESENT;
	show_scan("not present", &a);
}

BEHAVIOUR(scan_of_shared_memory, "PAGEMAP_SCAN FILE")
{
	char *p = abi_map_with(4, RW, SHM, -1, 0);
	struct scan_arg a;

	abi_fill(p, 2, 1);
	a = arg_for(p, 4);
	show_scan("scan", &a);
	a.mask = IS_FILE;
	a.inverted = IS_FILE;
	show_scan("not file", &a);
}

BEHAVIOUR(scan_of_an_empty_range, "PAGEMAP_SCAN range")
{
	struct scan_arg a = arg_for(mixed(), 0);

	show_scan("scan", &a);
}

BEHAVIOUR(scan_rounds_the_end_up, "PAGEMAP_SCAN range")
{
	struct scan_arg a = arg_for(mixed(), 4);

	a.end -= 4000;
	a.ret = PRESENT;
	show_scan("scan", &a);
}

BEHAVIOUR(scan_without_a_vector, "PAGEMAP_SCAN vec")
{
	struct scan_arg a = arg_for(mixed(), 8);

	a.vec = 0;
	show_scan("vec NULL with a length", &a);
	a.vec_len = 0;
	show_scan("vec NULL", &a);
	a.vec = 1;
	show_scan("length 0", &a);
	a.max_pages = 1;
	show_scan("length 0, max_pages 1", &a);
}

BEHAVIOUR(scan_refuses_wild_arguments, "PAGEMAP_SCAN EINVAL")
{
	char *p = mixed();
	struct scan_arg a;

	a = arg_for(p, 8), a.flags = 4;
	show_scan("flags", &a);
	a = arg_for(p, 8), a.mask = 1 << 20;
	show_scan("category_mask", &a);
	a = arg_for(p, 8), a.inverted = 1 << 20;
	show_scan("category_inverted", &a);
	a = arg_for(p, 8), a.anyof = 1 << 20;
	show_scan("category_anyof_mask", &a);
	a = arg_for(p, 8), a.ret = 1 << 20;
	show_scan("return_mask", &a);
	a = arg_for(p, 8), a.start++;
	show_scan("start", &a);
	a = arg_for(p, 8), a.end = a.start - page;
	show_scan("end before start", &a);
	a = arg_for(p, 8), a.start = 1ull << 52;
	show_scan("start beyond", &a);
	a = arg_for(p, 8), a.end = 1ull << 55;
	show_scan("end beyond", &a);
	a = arg_for(p, 8), a.vec_len = 1ull << 60;
	show_scan("vec_len", &a);
	a = arg_for(p, 8), a.vec = 4096;
	show_scan("vec not mapped", &a);
}

BEHAVIOUR(scan_wants_its_size, "PAGEMAP_SCAN EINVAL")
{
	struct scan_arg a = arg_for(mixed(), 8);
	int fd = open("/proc/self/pagemap", O_RDONLY);

	a.vec = (uint64_t)(uintptr_t)found;
	a.size = 95;
	TRY(ioctl(fd, SCAN, &a));
	a.size = 97;
	TRY(ioctl(fd, SCAN, &a));
	a.size = 0;
	TRY(ioctl(fd, SCAN, &a));
	TRY(ioctl(fd, SCAN, NULL));
	TRY(ioctl(fd, _IOWR('f', 15, struct scan_arg), &a));
}

BEHAVIOUR(scan_cannot_write_protect_plain_memory, "PAGEMAP_SCAN WP")
{
	struct scan_arg a = arg_for(mixed(), 8);

	a.flags = 1;
	show_scan("WP_MATCHING", &a);
	a = arg_for((char *)(uintptr_t)a.start, 8);
	a.flags = 2;
	show_scan("CHECK_WPASYNC", &a);
	a = arg_for((char *)(uintptr_t)a.start, 8);
	a.flags = 3;
	show_scan("both", &a);
}

BEHAVIOUR(scan_of_many_regions, "PAGEMAP_SCAN many regions")
{
	enum { N = 1200 };
	static struct region many[N];
	char *p = abi_map(N, RW);
	struct scan_arg a = arg_for(p, N);
	long n, i, bad = 0;

	for (i = 0; i < N; i += 2)
		p[i * page] = 1;
	a.vec = (uint64_t)(uintptr_t)many;
	a.vec_len = N;
	a.ret = PRESENT;
	n = abi_ret("scan", scan(&a));
	for (i = 0; i < n; i++)
		bad += many[i].start != (uint64_t)(uintptr_t)p + 2 * i * page ||
		       many[i].end != many[i].start + page;
	abi_say("out of order: %ld", bad);
	a = arg_for(p, N);
	a.vec = (uint64_t)(uintptr_t)many;
	a.vec_len = 550;
	a.ret = PRESENT;
	n = abi_ret("scan", scan(&a));
	abi_say("walk_end %s", abi_where((void *)(uintptr_t)a.walk_end));
}

/* ---- soft-dirty: Linux has it on some CPUs, on arm64 not yet; see differences.md ---- */

static void soft_dirty(const char *what, const void *p, unsigned n)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	char bits[32] = "";
	unsigned i;

	abi_must("open", fd);
	for (i = 0; i < n; i++) {
		uint64_t e = 0;

		abi_must("pread", pread(fd, &e, 8, ((unsigned long)p / page + i) * 8));
		bits[i] = (char)('0' + (e >> 55 & 1));
	}
	abi_say("%s: %s", what, bits);
	close(fd);
}

static void clear_soft_dirty(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	abi_must("open", fd);
	abi_must("write", write(fd, "4", 1));
	close(fd);
}

BEHAVIOUR(soft_dirty_is_not_shown_unasked, "pagemap soft-dirty")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 2, 1);
	soft_dirty("written", p, 4);
	abi_vmflags("p", p);
}

BEHAVIOUR(soft_dirty_after_clear_refs, "pagemap soft-dirty")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 3, 1);
	clear_soft_dirty();
	soft_dirty("cleared", p, 4);
	abi_store("write", p + page, 2);
	abi_load("read", p + 2 * page);
	soft_dirty("page 1 written", p, 4);
	clear_soft_dirty();
	soft_dirty("cleared", p, 4);
}

BEHAVIOUR(soft_dirty_of_shared_memory, "pagemap soft-dirty")
{
	char *p = abi_map_with(4, RW, SHM, -1, 0);

	abi_fill(p, 3, 1);
	clear_soft_dirty();
	abi_store("write", p + page, 2);
	soft_dirty("page 1 written", p, 4);
}
