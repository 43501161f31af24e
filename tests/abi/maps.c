/* SPDX-License-Identifier: MIT */
/* The lines of /proc/PID/maps, to the byte; and faults at the edges of what can be addressed. */
#include "abi.h"

#include <sys/sysmacros.h>

static char text[1 << 17];

/* The line whose range begins at @p. */
static const char *line_at(const void *p)
{
	char head[32], *at;

	if (!abi_read_text("/proc/self/maps", text, sizeof(text)))
		abi_fail("no maps");
	snprintf(head, sizeof(head), "%08lx-", (unsigned long)p);
	at = strstr(text, head);
	if (!at)
		abi_fail("no line for %s", head);
	at[strcspn(at, "\n")] = '\0';
	return at;
}

BEHAVIOUR(line_of_anonymous_memory, "/proc/PID/maps anonymous")
{
	char *p = abi_map(3, RW);

	abi_say("[%s]", line_at(p));
}

BEHAVIOUR(line_of_low_memory, "/proc/PID/maps low addresses")
{
	char *p = mmap((void *)0x10000, page, PROT_READ, ANON | MAP_FIXED, -1, 0);

	abi_say("[%s]", line_at(p));
}

BEHAVIOUR(line_of_high_memory, "/proc/PID/maps high addresses")
{
	char *p = mmap((void *)0x7f0000000000, page, RX, ANON | MAP_FIXED, -1, 0);

	abi_say("[%s]", line_at(p));
}

BEHAVIOUR(rights_as_letters, "/proc/PID/maps rights")
{
	static const int prots[] = {0, PROT_READ, PROT_WRITE, PROT_EXEC, RW, RX, RWX};
	size_t i;

	for (i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		char *p = abi_map(1, prots[i]), *q = abi_map_with(1, prots[i], SHM, -1, 0);

		abi_say("%.4s", strchr(line_at(p), ' ') + 1);
		abi_say("%.4s", strchr(line_at(q), ' ') + 1);
	}
}

/* Device, inode and name of the line, the rest of which is known. */
BEHAVIOUR(line_of_a_file, "/proc/PID/maps file")
{
	int fd = abi_file(4 * page), name = 0;
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, page);
	unsigned int maj, min;
	unsigned long ino, off;
	struct stat st;
	const char *line = line_at(p);

	fstat(fd, &st);
	abi_say("%.5s", strchr(line, ' '));
	sscanf(line, "%*x-%*x %*s %lx %x:%x %lu %n", &off, &maj, &min, &ino, &name);
	abi_say("offset 0x%lx", off);
	abi_say("device and inode as stat tells: %d",
	        makedev(maj, min) == st.st_dev && ino == st.st_ino);
	abi_say("name begins in column %d", name);
	abi_say("name ends in /file: %d", !strcmp(strrchr(line, '/'), "/file"));
}

BEHAVIOUR(line_of_an_unlinked_file, "/proc/PID/maps deleted")
{
	char *p = abi_map_with(1, PROT_READ, MAP_PRIVATE, abi_file(page), 0);

	unlink("file");
	abi_maps(p, 1);
}

BEHAVIOUR(line_of_a_renamed_file, "/proc/PID/maps renamed")
{
	char *p = abi_map_with(1, PROT_READ, MAP_PRIVATE, abi_file(page), 0);

	rename("file", "another");
	abi_maps(p, 1);
}

BEHAVIOUR(line_of_a_file_with_a_newline, "/proc/PID/maps escapes")
{
	char *p = abi_map_with(1, PROT_READ, MAP_PRIVATE, abi_file_named("a\nb c\\d\te", page), 0);
	const char *line = line_at(p);

	abi_say("%s", strrchr(line, '/'));
}

BEHAVIOUR(line_of_shared_anonymous_memory, "/proc/PID/maps shared anonymous")
{
	abi_maps(abi_map_with(2, RW, SHM, -1, 0), 2);
}

BEHAVIOUR(line_of_a_memfd, "/proc/PID/maps memfd")
{
	abi_maps(abi_map_with(2, RW, MAP_SHARED, abi_memfd(2 * page, 0), 0), 2);
}

BEHAVIOUR(line_of_a_memfd_s_part, "/proc/PID/maps offset")
{
	char *p = abi_map_with(2, RW, MAP_PRIVATE, abi_memfd(9 * page, 0), 7 * page);

	abi_maps(p, 2);
	TRY(munmap(p, page));
	abi_maps(p, 2);
}

BEHAVIOUR(line_with_a_large_offset, "/proc/PID/maps offset")
{
	int fd = abi_memfd(0, 0);
	char *p;

	abi_must("ftruncate", ftruncate(fd, 1L << 40));
	p = abi_map_with(1, PROT_READ, MAP_SHARED, fd, 1L << 39);
	abi_say("%.13s", strstr(line_at(p), "r--s"));
	abi_maps(p, 1);
}

BEHAVIOUR(read_in_small_pieces, "/proc/PID/maps read")
{
	int fd = open("/proc/self/maps", O_RDONLY);
	char byte;
	long n = 0, lines = 0;

	while (read(fd, &byte, 1) == 1) {
		n++;
		lines += byte == '\n';
	}
	abi_read_text("/proc/self/maps", text, sizeof(text));
	abi_say("as long as in one piece: %d", n == (long)strlen(text));
	abi_say("has lines: %d", lines > 5);
}

BEHAVIOUR(lines_are_sorted_and_do_not_overlap, "/proc/PID/maps order")
{
	unsigned long start, end, last = 0;
	int lines = 0, wrong = 0;
	char *p = abi_map(200, RW), *at;
	size_t i;

	for (i = 1; i < 200; i += 2)
		mprotect(p + i * page, page, PROT_READ);
	abi_read_text("/proc/self/maps", text, sizeof(text));
	for (at = text; *at; at += strcspn(at, "\n") + 1) {
		if (sscanf(at, "%lx-%lx ", &start, &end) != 2 || start < last || end <= start)
			wrong++;
		last = end;
		lines++;
	}
	abi_say("more than 200 lines: %d, wrong: %d", lines > 200, wrong);
}

BEHAVIOUR(a_thousand_small_mappings, "/proc/PID/maps many")
{
	char *p = abi_window(2000);
	int i, wrong = 0, lines = 0;
	char *at;

	for (i = 0; i < 2000; i += 2) {
		if (mmap(p + i * page, page, RW, ANON | MAP_FIXED, -1, 0) != p + i * page)
			abi_fail("mmap");
		*(int *)(p + i * page) = i;
	}
	for (i = 0; i < 2000; i += 4)
		munmap(p + i * page, page);
	for (i = 2; i < 2000; i += 4)
		wrong += *(int *)(p + i * page) != i;
	abi_read_text("/proc/self/maps", text, sizeof(text));
	for (at = text; (at = strstr(at, "\n20001")) != NULL; at++)
		lines++;
	abi_say("wrong: %d", wrong);
	abi_say("lines at 0x20001.....: %d", lines);
	abi_maps(p + 996 * page, 12);
}

BEHAVIOUR(maps_seek_and_write, "/proc/PID/maps read")
{
	int fd = open("/proc/self/maps", O_RDONLY);
	char a[16], b[16];

	abi_ret("read", read(fd, a, 16));
	abi_ret("lseek", lseek(fd, 0, SEEK_SET));
	abi_ret("read", read(fd, b, 16));
	abi_say("the same: %d", !memcmp(a, b, 16));
	abi_ret("open to write", open("/proc/self/maps", O_WRONLY) < 0 ? -1 : 0);
}

BEHAVIOUR(maps_of_a_child, "/proc/PID/maps of another")
{
	char *p = abi_map(2, RW), path[64], want[64];
	int ends[2];
	pid_t pid;

	abi_must("pipe", pipe(ends));
	pid = abi_fork();
	if (!pid) {
		munmap(p, page);
		abi_must("write", write(ends[1], "", 1));
		pause();
	}
	abi_must("read", read(ends[0], path, 1));
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	abi_read_text(path, text, sizeof(text));
	snprintf(want, sizeof(want), "%08lx-%08lx rw-p", (unsigned long)p + page,
	         (unsigned long)p + 2 * page);
	abi_say("child's has its own line: %d", strstr(text, want) != NULL);
	kill(pid, SIGKILL);
	abi_wait(pid);
	abi_ret("after its end", open(path, O_RDONLY) < 0 ? -1 : 0);
}

BEHAVIOUR(maps_of_a_dead_child, "/proc/PID/maps of another")
{
	char path[64];
	int fd;
	siginfo_t info;
	pid_t pid = abi_fork();

	if (!pid)
		_exit(0);
	waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY);
	abi_ret("open", fd < 0 ? -1 : 0);
	abi_ret("read", read(fd, text, sizeof(text)));
	abi_wait(pid);
}

/* ---- edges ---- */

BEHAVIOUR(null_pointer, "fault SIGSEGV SEGV_MAPERR")
{
	abi_origin("null", (void *)0, page);
	abi_load("0", (char *)0);
	abi_store("8", (char *)8, 1);
	abi_call("4", (char *)4);
}

#ifdef __aarch64__
BEHAVIOUR(addresses_beyond_user_space, "fault beyond user space")
{
	abi_origin("end", (char *)(1UL << 48) - page, 2 * page);
	abi_load("last byte of user space", (char *)(1UL << 48) - 1);
	abi_load("first byte beyond", (char *)(1UL << 48));
	abi_load("kernel's", (char *)-(1UL << 40));
	abi_store("last byte of all", (char *)-1L, 1);
	abi_call("kernel's", (char *)-(1UL << 40));
	abi_call("first byte beyond", (char *)(1UL << 48));
}

BEHAVIOUR(unaligned_jump, "fault SIGBUS BUS_ADRALN")
{
	char *p = abi_map(1, RWX);

	abi_code(p);
	abi_code(p + 4);
	abi_call("aligned", p + 4);
	abi_call("by 2", p + 2);
}

BEHAVIOUR(unaligned_exclusive, "fault SIGBUS BUS_ADRALN")
{
	char *p = abi_map(1, RW);

	abi_store("plain", p, 1);
	*(volatile uint32_t *)(p + 1) = 5;
	abi_load("plain, unaligned", p + 1);
}
#endif

BEHAVIOUR(system_calls_with_bad_addresses, "fault EFAULT")
{
	int fd = abi_file(page);

	TRY(syscall(SYS_pread64, fd, NULL, 4, 0));
	TRY(pread(fd, (void *)-1L, 4, 0));
	TRY(pread(fd, (void *)(1UL << 52), 4, 0));
	TRY(pwrite(fd, (void *)-4096L, 4, 0));
	TRY(pread(fd, (char *)-2L, 4, 0));
}
