/* SPDX-License-Identifier: MIT */
/* /proc/PID/smaps, smaps_rollup, numa_maps: what is in memory, shared with whom, to the byte. */
#include "abi.h"

/* The entry of smaps (or line of another such file) that holds @p; NULL: none. */
static const char *entry_of(const char *file, const void *p)
{
	static char text[1 << 18];
	unsigned long at = (unsigned long)p, start, end;
	char *line;

	if (!abi_read_text(file, text, sizeof(text)))
		abi_fail("cannot read %s", file);
	for (line = text; *line; line = strchr(line, '\n') + 1)
		if (sscanf(line, "%lx-%lx %*4s", &start, &end) == 2 && start <= at && at < end)
			return line;
	return NULL;
}

/* All lines of it but the first, as they are. */
static void whole_entry(const void *p)
{
	const char *line = entry_of("/proc/self/smaps", p), *end;

	if (!line)
		abi_fail("no entry");
	for (line = strchr(line, '\n') + 1; *line; line = end + 1) {
		end = strchr(line, '\n');
		abi_say("|%.*s|", (int)(end - line), line);
		if (!strncmp(line, "VmFlags:", 8))
			break;
	}
}

/* The fields that say who has the pages. */
static void sizes(const void *p)
{
	abi_smaps(p, "Rss");
	abi_smaps(p, "Pss");
	abi_smaps(p, "Pss_Dirty");
	abi_smaps(p, "Shared_Clean");
	abi_smaps(p, "Shared_Dirty");
	abi_smaps(p, "Private_Clean");
	abi_smaps(p, "Private_Dirty");
	abi_smaps(p, "Anonymous");
}

/* A child that waits until it is ended. */
static pid_t idle_child(void)
{
	pid_t pid = abi_fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

BEHAVIOUR(smaps_entry_of_anonymous_memory, "smaps format")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 3, 1);
	whole_entry(p);
}

BEHAVIOUR(smaps_entry_without_pages, "smaps format")
{
	whole_entry(abi_map(4, PROT_NONE));
}

BEHAVIOUR(smaps_entry_of_a_locked_mapping, "smaps Locked")
{
	char *p = abi_map(4, RW);

	TRY(mlock(p, 4 * page));
	whole_entry(p);
}

BEHAVIOUR(smaps_of_untouched_memory, "smaps Rss")
{
	sizes(abi_map(4, RW));
}

BEHAVIOUR(smaps_does_not_count_the_zero_page, "smaps Rss")
{
	char *p = abi_map(4, RW);

	abi_load("read", p);
	abi_load("read", p + page);
	sizes(p);
	abi_store("write", p, 1);
	sizes(p);
}

BEHAVIOUR(smaps_after_fork_counts_halves, "smaps Pss")
{
	char *p = abi_map(5, RW);
	pid_t pid;

	abi_fill(p, 5, 1);
	pid = idle_child();
	sizes(p);
	abi_store("write", p, 9);
	sizes(p);
	end_child(pid);
	sizes(p);
}

BEHAVIOUR(smaps_of_a_page_in_three_programs, "smaps Pss")
{
	char *p = abi_map(1, RW);
	pid_t a, b;

	abi_fill(p, 1, 1);
	a = idle_child();
	b = idle_child();
	sizes(p);
	end_child(a);
	sizes(p);
	end_child(b);
	sizes(p);
}

BEHAVIOUR(smaps_of_a_page_mapped_twice_here, "smaps Pss")
{
	int fd = abi_memfd(2 * page, 0);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);
	char *q = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_store("p", p, 1);
	sizes(p);
	abi_load("q", q);
	sizes(p);
	sizes(q);
}

BEHAVIOUR(smaps_of_seven_mappings_of_one_page, "smaps Pss")
{
	int fd = abi_memfd(page, 0);
	char *p[7];
	int i;

	for (i = 0; i < 7; i++) {
		p[i] = abi_map_with(1, RW, MAP_SHARED, fd, 0);
		*(volatile char *)p[i] = 1;
	}
	sizes(p[3]);
	TRY(munmap(p[0], page));
	sizes(p[3]);
}

BEHAVIOUR(smaps_pss_sums_fractions, "smaps Pss")
{
	int fd = abi_memfd(3 * page, 0);
	char *p[3];
	int i;

	for (i = 0; i < 3; i++) {
		p[i] = abi_map_with(3, RW, MAP_SHARED, fd, 0);
		abi_fill(p[i], 3, 1);
	}
	sizes(p[0]); /* 3 * 4096 / 3 is whole again */
}

BEHAVIOUR(smaps_of_shared_anonymous_memory, "smaps shmem")
{
	char *p = abi_map_with(4, RW, SHM, -1, 0);

	abi_load("read", p);
	abi_store("write", p + page, 1);
	sizes(p);
}

BEHAVIOUR(smaps_of_a_private_file_mapping, "smaps file")
{
	int fd = abi_file(4 * page);
	char *p = abi_map_with(4, RW, MAP_PRIVATE, fd, 0);

	abi_store("write", p, 1);
	sizes(p);
	abi_vmflags("p", p);
}

BEHAVIOUR(smaps_of_a_tmpfs_file_read_through_a_mapping, "smaps file")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, PROT_READ, MAP_SHARED, fd, 0);

	abi_load("read", p);
	sizes(p);
	abi_vmflags("p", p);
}

BEHAVIOUR(smaps_after_dontneed, "smaps Rss")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	TRY(madvise(p + page, 2 * page, MADV_DONTNEED));
	sizes(p);
}

BEHAVIOUR(smaps_after_mprotect_read, "smaps Rss")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 1);
	TRY(mprotect(p, 2 * page, PROT_READ));
	sizes(p);
	abi_vmflags("read-only", p);
	TRY(mprotect(p, 2 * page, PROT_NONE));
	sizes(p);
	abi_vmflags("nothing", p);
}

BEHAVIOUR(smaps_referenced_follows_use, "smaps Referenced")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 3, 1);
	abi_smaps(p, "Referenced");
}

BEHAVIOUR(smaps_size_fields, "smaps Size")
{
	char *p = abi_map(7, RW);

	abi_smaps(p, "Size");
	abi_smaps(p, "KernelPageSize");
	abi_smaps(p, "MMUPageSize");
	TRY(munmap(p + 3 * page, page));
	abi_smaps(p, "Size");
	abi_smaps(p + 4 * page, "Size");
}

BEHAVIOUR(smaps_mlock_onfault_counts_what_is_there, "smaps Locked")
{
	char *p = abi_map(4, RW);

	TRY(syscall(SYS_mlock2, p, 4 * page, MLOCK_ONFAULT));
	abi_store("write", p, 1);
	abi_smaps(p, "Locked");
	abi_vmflags("p", p);
}

BEHAVIOUR(smaps_locked_is_pss, "smaps Locked")
{
	int fd = abi_memfd(2 * page, 0);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);
	char *q = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_fill(q, 2, 1);
	TRY(mlock(p, 2 * page));
	abi_smaps(p, "Locked");
	abi_smaps(q, "Locked");
}

BEHAVIOUR(vmflags_of_each_protection, "smaps VmFlags")
{
	abi_vmflags("none", abi_map(1, PROT_NONE));
	abi_vmflags("r", abi_map(1, PROT_READ));
	abi_vmflags("w", abi_map(1, PROT_WRITE));
	abi_vmflags("x", abi_map(1, PROT_EXEC));
	abi_vmflags("rw", abi_map(1, RW));
	abi_vmflags("rx", abi_map(1, RX));
	abi_vmflags("rwx", abi_map(1, RWX));
}

BEHAVIOUR(vmflags_of_each_kind, "smaps VmFlags")
{
	int fd = abi_file(page), ro = open("file", O_RDONLY);

	abi_vmflags("shared anonymous", abi_map_with(1, RW, SHM, -1, 0));
	abi_vmflags("shared file", abi_map_with(1, RW, MAP_SHARED, fd, 0));
	abi_vmflags("shared read-only file", abi_map_with(1, PROT_READ, MAP_SHARED, ro, 0));
	abi_vmflags("private file", abi_map_with(1, RW, MAP_PRIVATE, fd, 0));
	abi_vmflags("private read-only file", abi_map_with(1, RW, MAP_PRIVATE, ro, 0));
	abi_vmflags("noreserve", abi_map_with(1, RW, ANON | MAP_NORESERVE, -1, 0));
	abi_vmflags("grows down", abi_map_with(1, RW, ANON | MAP_GROWSDOWN, -1, 0));
	abi_vmflags("locked", abi_map_with(1, RW, ANON | MAP_LOCKED, -1, 0));
	abi_vmflags("stack", abi_map_with(1, RW, ANON | MAP_STACK, -1, 0));
}

BEHAVIOUR(vmflags_of_advice, "smaps VmFlags")
{
	static const struct {
		const char *name;
		int advice;
	} advice[] = {
	    {"random", MADV_RANDOM},         {"sequential", MADV_SEQUENTIAL},
	    {"dontfork", MADV_DONTFORK},     {"dontdump", MADV_DONTDUMP},
	    {"wipeonfork", MADV_WIPEONFORK}, {"dontneed", MADV_DONTNEED},
	};
	unsigned i;

	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		char *p = abi_map(1, RW);

		abi_must(advice[i].name, madvise(p, page, advice[i].advice));
		abi_vmflags(advice[i].name, p);
	}
}

BEHAVIOUR(vmflags_of_the_stack, "smaps VmFlags")
{
	volatile int here = 0;

	abi_vmflags("stack", (void *)&here);
}

BEHAVIOUR(vmflags_of_the_heap, "smaps VmFlags")
{
	char *p = sbrk(8 * page);

	abi_vmflags("heap", p + 4 * page);
}

BEHAVIOUR(smaps_rollup_format, "smaps_rollup format")
{
	static char text[8192];
	char *line, *end;

	if (!abi_read_text("/proc/self/smaps_rollup", text, sizeof(text)))
		abi_fail("cannot read it");
	line = strchr(text, ' ');
	abi_say("|%.*s|", (int)(strchr(line, '\n') - line) > 40 ? 40 : 40, line);
	for (line = strchr(line, '\n') + 1; *line; line = end + 1) {
		end = strchr(line, '\n');
		abi_say("|%.16s| %d", line, (int)(end - line));
	}
}

static long rollup(const char *field)
{
	char text[8192], *at;

	if (!abi_read_text("/proc/self/smaps_rollup", text, sizeof(text)))
		abi_fail("cannot read it");
	at = strstr(text, field);
	return at ? strtol(at + strlen(field), NULL, 10) : -1;
}

BEHAVIOUR(smaps_rollup_adds_up, "smaps_rollup sums")
{
	char *p = abi_map(64, RW), *q = abi_map_with(32, RW, SHM, -1, 0);
	long rss = rollup("\nRss:"), anon = rollup("\nPss_Anon:"), shm = rollup("\nPss_Shmem:");
	long locked = rollup("\nLocked:");

	abi_fill(p, 64, 1);
	abi_fill(q, 32, 1);
	TRY(mlock(q, 32 * page));
	rss = rollup("\nRss:") - rss;
	abi_say("Rss of 96 pages, and a few: %d", rss >= 384 && rss < 440);
	anon = rollup("\nPss_Anon:") - anon;
	abi_say("Pss_Anon of 64 pages, and a few of the stack: %d", anon >= 256 && anon < 300);
	abi_say("Pss_Shmem +%ld", rollup("\nPss_Shmem:") - shm);
	abi_say("Locked +%ld", rollup("\nLocked:") - locked);
}

BEHAVIOUR(smaps_of_another_program, "smaps of others")
{
	char *p = abi_map(3, RW), name[64], line[256], want[32];
	pid_t pid;
	FILE *f;

	abi_fill(p, 2, 1);
	pid = idle_child();
	snprintf(name, sizeof(name), "/proc/%d/smaps", pid);
	snprintf(want, sizeof(want), "%08lx-", (unsigned long)p);
	f = fopen(name, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, want, strlen(want)))
			break;
	while (f && fgets(line, sizeof(line), f) && strncmp(line, "Private_Clean", 13))
		abi_say("%.*s", (int)strcspn(line, "\n"), line);
	if (f)
		fclose(f);
	end_child(pid);
}

/* The line of numa_maps for @p, from behind the address; there is one node. */
static void numa_line(const void *p)
{
	char text[1 << 16], want[24], *at;

	if (!abi_read_text("/proc/self/numa_maps", text, sizeof(text)))
		abi_fail("cannot read it");
	snprintf(want, sizeof(want), "%08lx ", (unsigned long)p);
	at = strstr(text, want);
	if (!at)
		abi_fail("no line");
	at += strlen(want);
	abi_say("|%.*s|", (int)strcspn(at, "\n"), at);
}

BEHAVIOUR(numa_maps_of_untouched_memory, "numa_maps format")
{
	numa_line(abi_map(4, RW));
}

BEHAVIOUR(numa_maps_of_shared_memory, "numa_maps format")
{
	char *p = abi_map_with(4, RW, SHM, -1, 0);

	numa_line(p);
}

BEHAVIOUR(clear_refs_takes_numbers_from_1_to_5, "clear_refs EINVAL")
{
	static const char *const text[] = {"0",  "1", "2\n", "3",     "4",  "5",   "6",
	                                   "-1", "x", "",    " 1 \n", "+1", "1 2", "99999999999"};
	int fd = open("/proc/self/clear_refs", O_WRONLY);
	unsigned i;

	abi_must("open", fd);
	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		abi_ret(text[i], write(fd, text[i], strlen(text[i])));
}

BEHAVIOUR(clear_refs_cannot_be_read, "clear_refs open")
{
	abi_nobody();
	abi_ret("open for reading", open("/proc/self/clear_refs", O_RDONLY) >= 0 ? 0 : -1);
}

static void write_clear_refs(const char *what)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	abi_must("open", fd);
	abi_must("write", write(fd, what, strlen(what)));
	close(fd);
}

BEHAVIOUR(clear_refs_1_forgets_references, "clear_refs 1")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	write_clear_refs("1");
	abi_smaps(p, "Referenced");
	abi_smaps(p, "Rss");
}

BEHAVIOUR(clear_refs_2_and_3_choose, "clear_refs 2 3")
{
	char *p = abi_map(4, RW), *q = abi_map_with(4, RW, SHM, -1, 0);

	abi_fill(p, 4, 1);
	abi_fill(q, 4, 1);
	write_clear_refs("2");
	abi_smaps(p, "Referenced");
	write_clear_refs("3");
	abi_smaps(p, "Referenced");
	abi_smaps(q, "Referenced");
}

BEHAVIOUR(clear_refs_keeps_contents, "clear_refs 1")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	write_clear_refs("1");
	write_clear_refs("4");
	abi_pages("pages", p, 4);
	abi_fill(p, 4, 5);
	abi_pages("pages", p, 4);
}

BEHAVIOUR(clear_refs_5_resets_the_peak, "clear_refs 5")
{
	char *p = abi_map(2048, RW);
	long peak;

	abi_fill(p, 2048, 1);
	TRY(munmap(p, 2048 * page));
	peak = abi_status_field("VmHWM");
	write_clear_refs("5");
	abi_say("VmHWM was above 8 MiB: %d, is: %d", peak > 8192, abi_status_field("VmHWM") > 8192);
}
