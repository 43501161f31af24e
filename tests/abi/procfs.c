/* SPDX-License-Identifier: MIT */
/* The other files of procfs about memory: meminfo, vmstat, status, statm, stat, maps, mem, limits.
 */
#include "abi.h"

#include <sys/ioctl.h>

static char text[1 << 16];

static void slurp(const char *path)
{
	if (!abi_read_text(path, text, sizeof(text)))
		abi_fail("cannot read %s", path);
}

/* Lines with each number as N, whatever its width but within @width columns. */
static void masked_lines(const char *from)
{
	const char *p = from;

	while (*p) {
		char out[256];
		size_t n = 0;

		for (; *p && *p != '\n' && n < sizeof(out) - 2; p++) {
			if (*p >= '0' && *p <= '9') {
				if (!n || out[n - 1] != 'N') {
					while (n && out[n - 1] == ' ')
						n--;
					out[n++] = 'N';
				}
				continue;
			}
			out[n++] = *p;
		}
		out[n] = 0;
		abi_say("|%s|", out);
		p += *p == '\n';
	}
}

BEHAVIOUR(names_in_meminfo, "meminfo format")
{
	slurp("/proc/meminfo");
	masked_lines(text);
}

BEHAVIOUR(columns_of_meminfo, "meminfo format")
{
	char *line, *end;

	slurp("/proc/meminfo");
	for (line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		if ((long)(end - line) != 27 && strncmp(line, "Vmalloc", 7))
			abi_say("%.*s: %d columns", (int)strcspn(line, ":"), line,
			        (int)(end - line));
	}
}

BEHAVIOUR(names_in_vmstat, "vmstat format")
{
	char *line, *end;

	slurp("/proc/vmstat");
	for (line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		abi_say("%.*s", (int)strcspn(line, " "), line);
	}
}

static long meminfo(const char *field)
{
	char want[64], *at;

	snprintf(want, sizeof(want), "%s:", field);
	slurp("/proc/meminfo");
	at = strstr(text, want);
	return at ? strtol(at + strlen(want), NULL, 10) : -1;
}

static long vmstat(const char *field)
{
	char want[64], *at;

	snprintf(want, sizeof(want), "\n%s ", field);
	slurp("/proc/vmstat");
	at = strstr(text, want);
	return at ? strtol(at + strlen(want), NULL, 10) : -1;
}

static void near(const char *what, long change, long expected)
{
	/* Counters are gathered in batches, other programs run. */
	abi_say("%s changed by about %ld: %s", what, expected,
	        change > expected - 600 && change < expected + 600 ? "yes" : "no");
}

BEHAVIOUR(meminfo_follows_anonymous_memory, "meminfo AnonPages")
{
	long anon = meminfo("AnonPages");
	char *p = abi_map(4096, RW);

	abi_fill(p, 4096, 1);
	near("AnonPages", meminfo("AnonPages") - anon, 16384);
	munmap(p, 4096 * page);
	near("AnonPages", meminfo("AnonPages") - anon, 0);
}

BEHAVIOUR(meminfo_follows_shared_memory, "meminfo Shmem")
{
	long shmem = meminfo("Shmem"), mapped = meminfo("Mapped"), cached = meminfo("Cached");
	char *p = abi_map_with(4096, RW, SHM, -1, 0);

	abi_fill(p, 4096, 1);
	near("Shmem", meminfo("Shmem") - shmem, 16384);
	near("Mapped", meminfo("Mapped") - mapped, 16384);
	near("Cached", meminfo("Cached") - cached, 16384);
}

BEHAVIOUR(committed_as_follows_mappings, "meminfo Committed_AS")
{
	long before = meminfo("Committed_AS");
	char *p = mmap(NULL, 4096 * page, RW, ANON, -1, 0), *q;

	near("private", meminfo("Committed_AS") - before, 16384);
	q = mmap(NULL, 4096 * page, RW, SHM, -1, 0);
	near("and shared", meminfo("Committed_AS") - before, 32768);
	(void)mmap(NULL, 4096 * page, PROT_READ, ANON, -1, 0);
	near("and read-only", meminfo("Committed_AS") - before, 32768);
	(void)mmap(NULL, 4096 * page, RW, ANON | MAP_NORESERVE, -1, 0);
	near("and without reserve", meminfo("Committed_AS") - before, 32768);
	munmap(p, 4096 * page);
	near("one less", meminfo("Committed_AS") - before, 16384);
	munmap(q, 4096 * page);
	near("none", meminfo("Committed_AS") - before, 0);
}

BEHAVIOUR(commit_limit_is_ratio_of_total, "meminfo CommitLimit")
{
	long total = meminfo("MemTotal"), limit;

	abi_knob("/proc/sys/vm/overcommit_ratio", "50");
	limit = meminfo("CommitLimit");
	abi_say("50%%: %d", limit == total / 4 * 50 / 100 * 4);
	abi_knob("/proc/sys/vm/overcommit_ratio", "33");
	abi_say("33%%: %d", meminfo("CommitLimit") == total / 4 * 33 / 100 * 4);
	abi_knob("/proc/sys/vm/overcommit_kbytes", "123459");
	abi_say("kbytes: %ld", meminfo("CommitLimit"));
}

BEHAVIOUR(vmstat_counts_faults, "vmstat pgfault")
{
	long faults = vmstat("pgfault");
	char *p = abi_map(4096, RW);

	abi_fill(p, 4096, 1);
	faults = vmstat("pgfault") - faults;
	abi_say("4096 faults and a few: %d", faults >= 4096 && faults < 4700);
}

/* ---- status, statm, stat ---- */

BEHAVIOUR(lines_about_memory_in_status, "status format")
{
	char *from, *to;

	slurp("/proc/self/status");
	from = strstr(text, "VmPeak");
	to = strstr(text, "Threads:");
	if (!from || !to)
		abi_fail("no such lines");
	*to = 0;
	masked_lines(from);
}

BEHAVIOUR(names_in_status, "status format")
{
	char *line, *end;

	slurp("/proc/self/status");
	for (line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		abi_say("%.*s", (int)strcspn(line, ":"), line);
	}
}

static const char *const vm_fields[] = {"VmPeak", "VmSize",  "VmLck",   "VmPin",    "VmHWM",
                                        "VmRSS",  "RssAnon", "RssFile", "RssShmem", "VmData",
                                        "VmStk",  "VmExe",   "VmLib",   "VmSwap"};
enum { N_FIELDS = sizeof(vm_fields) / sizeof(vm_fields[0]) };

static void read_status(long *v)
{
	int i;

	for (i = 0; i < N_FIELDS; i++)
		v[i] = abi_status_field(vm_fields[i]);
}

/* Which have changed, and by how much; Rss of file pages comes and goes by itself. */
static void status_changes(const char *what, const long *before)
{
	long now[N_FIELDS];
	int i;

	read_status(now);
	abi_say("%s:", what);
	for (i = 0; i < N_FIELDS; i++)
		if (now[i] != before[i] && strcmp(vm_fields[i], "RssFile") &&
		    strcmp(vm_fields[i], "VmHWM") && strcmp(vm_fields[i], "VmRSS"))
			abi_say("  %s %+ld", vm_fields[i], now[i] - before[i]);
}

#define STATUS(call)                                                                               \
	do {                                                                                       \
		long before[N_FIELDS];                                                             \
		read_status(before);                                                               \
		read_status(before);                                                               \
		call;                                                                              \
		status_changes(#call, before);                                                     \
	} while (0)

BEHAVIOUR(status_follows_mappings, "status Vm*")
{
	int fd = abi_file(4 * page);
	char *p = abi_map(16, RW);

	/* The code of all this is in memory then. */
	abi_fill(p, 1, 1);
	STATUS((void)mprotect(p, page, RX));
	STATUS(p = abi_map(16, RW));
	STATUS(abi_fill(p, 8, 1));
	STATUS(mprotect(p, 4 * page, PROT_READ));
	STATUS(mprotect(p, 4 * page, RX));
	STATUS(mlock(p + 8 * page, 4 * page));
	STATUS(munmap(p, 8 * page));
	STATUS(abi_map(16, PROT_READ));
	STATUS(abi_map(16, RX));
	STATUS(abi_map(16, PROT_NONE));
	STATUS(abi_map_with(16, RW, ANON | MAP_GROWSDOWN, -1, 0));
	STATUS(p = abi_map_with(16, RW, SHM, -1, 0));
	STATUS(abi_fill(p, 3, 1));
	STATUS(abi_map_with(4, RW, MAP_PRIVATE, fd, 0));
	STATUS(abi_map_with(4, RW, MAP_SHARED, fd, 0));
	STATUS(abi_map_with(4, RX, MAP_PRIVATE, fd, 0));
}

BEHAVIOUR(peak_and_size, "status VmPeak")
{
	long size = abi_status_field("VmSize");
	char *p = mmap(NULL, 100000 * page, PROT_NONE, ANON, -1, 0);

	abi_say("peak is size: %d", abi_status_field("VmPeak") == abi_status_field("VmSize"));
	munmap(p, 100000 * page);
	abi_say("size back: %d", abi_status_field("VmSize") == size);
	abi_say("peak stays: %d", abi_status_field("VmPeak") >= size + 400000);
}

BEHAVIOUR(rss_high_water, "status VmHWM")
{
	char *p = abi_map(2048, RW);
	long rss;

	abi_fill(p, 2048, 1);
	rss = abi_status_field("VmRSS");
	munmap(p, 2048 * page);
	abi_say("rss fell: %d", abi_status_field("VmRSS") < rss - 8000);
	abi_say("high water stays: %d", abi_status_field("VmHWM") >= rss - 600);
}

BEHAVIOUR(statm_and_status_agree, "statm")
{
	unsigned long v[7];
	FILE *f = fopen("/proc/self/statm", "r");
	char end = 0;

	if (!f || fscanf(f, "%lu %lu %lu %lu %lu %lu %lu%c", &v[0], &v[1], &v[2], &v[3], &v[4],
	                 &v[5], &v[6], &end) != 8)
		abi_fail("statm");
	abi_say("ends with a line feed: %d", end == '\n');
	abi_say("size: %d", (long)v[0] * 4 == abi_status_field("VmSize"));
	abi_say("text: %d", (long)v[3] * 4 == abi_status_field("VmExe"));
	abi_say("library %lu, dirty %lu", v[4], v[6]);
	abi_say("data and stack: %d",
	        (long)v[5] * 4 == abi_status_field("VmData") + abi_status_field("VmStk"));
}

BEHAVIOUR(stat_has_52_fields, "stat format")
{
	char *p;
	int n = 2;

	slurp("/proc/self/stat");
	for (p = strrchr(text, ')'); *p; p++)
		n += *p == ' ';
	abi_say("%d fields", n);
	abi_say("ends with a line feed: %d", p[-1] == '\n');
}

BEHAVIOUR(limits_of_a_program, "limits format")
{
	char *line, *end;

	slurp("/proc/self/limits");
	for (line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (strncmp(line, "Max processes", 13) && strncmp(line, "Max pending", 11))
			abi_say("|%.*s|", (int)(end - line), line);
	}
}

BEHAVIOUR(coredump_filter_takes_masks, "coredump_filter")
{
	static const char *const what[] = {"0",  "0x1ff", "0xffff",     "7\n",        "x",
	                                   "-1", "",      "4294967295", "4294967296", " 1"};
	int fd = open("/proc/self/coredump_filter", O_RDWR);
	unsigned i;
	pid_t pid;

	abi_must("open", fd);
	slurp("/proc/self/coredump_filter");
	abi_say("%.*s", (int)strcspn(text, "\n"), text);
	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		abi_ret(what[i], pwrite(fd, what[i], strlen(what[i]), 0));
		slurp("/proc/self/coredump_filter");
		abi_say("  %.*s", (int)strcspn(text, "\n"), text);
	}
	pid = abi_fork();
	if (!pid) {
		slurp("/proc/self/coredump_filter");
		abi_say("child %.*s", (int)strcspn(text, "\n"), text);
		exit(0);
	}
	abi_wait(pid);
}

/* ---- maps ---- */

/* The line of maps for @p from its offset on, the inode left out. */
static void maps_line(const char *what, const void *p)
{
	unsigned long start, end;
	char *line, *name;
	int column;

	slurp("/proc/self/maps");
	for (line = text; *line; line = strchr(line, '\n') + 1) {
		if (sscanf(line, "%lx-%lx ", &start, &end) != 2 || (unsigned long)p < start ||
		    (unsigned long)p >= end)
			continue;
		name = strpbrk(line, "/[\n");
		column = (int)(name - line);
		abi_say("%s: %.4s name at %d: %.*s", what, strchr(line, ' ') + 1,
		        *name == '\n' ? 0 : column, (int)strcspn(name, "\n"), name);
		return;
	}
	abi_say("%s: no line", what);
}

static void *map_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	abi_must("open", fd);
	abi_must("ftruncate", ftruncate(fd, page));
	return abi_map_with(1, PROT_READ, MAP_SHARED, fd, 0);
}

BEHAVIOUR(names_that_are_escaped, "maps names")
{
	static const char *const names[] = {"plain",     "with space",  "new\nline",
	                                    "tab\there", "back\\slash", "\001\177\303\244",
	                                    "equal=",    "(deleted)"};
	unsigned i;

	(void)mkdir("/tmp/procfs-names", 0755);
	abi_must("chdir", chdir("/tmp/procfs-names"));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		maps_line("file", map_file(names[i]));
}

BEHAVIOUR(names_of_files_that_go, "maps names")
{
	void *p;

	abi_must("chdir", chdir("/tmp"));
	p = map_file("procfs-goes");
	maps_line("there", p);
	abi_must("rename", rename("procfs-goes", "procfs-renamed"));
	maps_line("renamed", p);
	abi_must("unlink", unlink("procfs-renamed"));
	maps_line("unlinked", p);
}

BEHAVIOUR(names_of_memory_without_a_path, "maps names")
{
	int fd = abi_memfd(page, 0), zero = open("/dev/zero", O_RDWR);
	volatile int here = 0;

	maps_line("memfd", abi_map_with(1, RW, MAP_SHARED, fd, 0));
	maps_line("shared anonymous", abi_map_with(1, RW, SHM, -1, 0));
	maps_line("shared /dev/zero", abi_map_with(1, RW, MAP_SHARED, zero, 0));
	maps_line("private /dev/zero", abi_map_with(1, RW, MAP_PRIVATE, zero, 0));
	maps_line("anonymous", abi_map(1, RW));
	maps_line("stack", (void *)&here);
	maps_line("heap", (char *)sbrk(2 * page) + page);
}

BEHAVIOUR(heap_and_stack_keep_their_names_in_parts, "maps names")
{
	char *p = sbrk(8 * page);

	p = (char *)(((unsigned long)p + page - 1) & -page);
	abi_must("mprotect", mprotect(p + 2 * page, page, PROT_READ));
	maps_line("heap", p + page);
	maps_line("read-only part", p + 2 * page);
	maps_line("rest", p + 3 * page);
}

/* ---- mem ---- */

BEHAVIOUR(mem_reads_what_is_mapped, "mem read")
{
	char *p = abi_map(3, RW), buf[64];
	int fd = open("/proc/self/mem", O_RDWR);

	abi_fill(p, 1, 0x41);
	abi_must("mprotect", mprotect(p + page, page, PROT_NONE));
	abi_must("munmap", munmap(p + 2 * page, page));
	TRY(pread(fd, buf, 1, (off_t)p));
	abi_bytes("byte", buf, 1);
	TRY(pread(fd, buf, 1, (off_t)(p + page)));
	TRY(pread(fd, buf, 1, (off_t)(p + 2 * page)));
	TRY(pread(fd, buf, 32, (off_t)(p + 2 * page - 16)));
	TRY(pread(fd, buf, 1, 0));
	TRY(pread(fd, buf, 0, 0));
}

BEHAVIOUR(mem_writes_where_the_program_may_not, "mem write")
{
	char *p = abi_map(2, RW);
	int fd = open("/proc/self/mem", O_RDWR), file = abi_file(page);
	char *shared, *private;

	abi_fill(p, 2, 1);
	abi_must("mprotect", mprotect(p, page, PROT_READ));
	abi_must("mprotect", mprotect(p + page, page, PROT_NONE));
	TRY(pwrite(fd, "B", 1, (off_t)p));
	abi_load("read-only", p);
	abi_store("still read-only", p, 1);
	TRY(pwrite(fd, "C", 1, (off_t)(p + page)));
	abi_must("mprotect", mprotect(p + page, page, PROT_READ));
	abi_load("nothing allowed", p + page);
	shared = abi_map_with(1, PROT_READ, MAP_SHARED, file, 0);
	private = abi_map_with(1, PROT_READ, MAP_PRIVATE, file, 0);
	TRY(pwrite(fd, "D", 1, (off_t)shared));
	TRY(pwrite(fd, "E", 1, (off_t) private));
	abi_load("shared", shared);
	abi_load("private", private);
	abi_file_bytes("file", file, 0, 2);
	TRY(pwrite(fd, "F", 1, 4096));
}

BEHAVIOUR(mem_can_be_sought, "mem lseek")
{
	char *p = abi_map(1, RW), c = 0;
	int fd = open("/proc/self/mem", O_RDWR);

	abi_fill(p, 1, 0x42);
	abi_say("lseek: %d", lseek(fd, (off_t)p, SEEK_SET) == (off_t)p);
	TRY(read(fd, &c, 1));
	abi_say("at +%ld", (long)(lseek(fd, 0, SEEK_CUR) - (off_t)p));
	TRY(lseek(fd, 0, SEEK_END));
	TRY((int)lseek(fd, -4096, SEEK_SET) == -4096 ? 0 : -1);
}

/* ---- PROCMAP_QUERY ---- */

struct query {
	uint64_t size, flags, addr, start, end, vma_flags, page_size, offset, inode;
	uint32_t major, minor, name_size, build_id_size;
	uint64_t name, build_id;
};
#define QUERY _IOWR('f', 17, struct query)

static void ask(const char *what, const void *p, uint64_t flags, unsigned name_size)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	char name[4096] = "";
	struct query q = {.size = sizeof(q),
	                  .flags = flags,
	                  .addr = (uint64_t)(uintptr_t)p,
	                  .name_size = name_size,
	                  .name = name_size ? (uint64_t)(uintptr_t)name : 0};

	if (!abi_ret(what, ioctl(fd, QUERY, &q)))
		abi_say("  %s-%s flags 0x%llx pages of %llu offset 0x%llx name %u %s",
		        abi_where((void *)(uintptr_t)q.start),
		        abi_where((void *)(uintptr_t)(q.end - 1)), (unsigned long long)q.vma_flags,
		        (unsigned long long)q.page_size, (unsigned long long)q.offset, q.name_size,
		        name);
	close(fd);
}

BEHAVIOUR(query_of_mappings, "PROCMAP_QUERY")
{
	char *p = abi_map(8, RW);

	abi_must("munmap", munmap(p + 2 * page, page));
	abi_must("mprotect", mprotect(p + 4 * page, page, RX));
	ask("in the first", p + page + 5, 0, 0);
	ask("in the hole", p + 2 * page, 0, 0);
	ask("covering or next", p + 2 * page, 0x10, 0);
	ask("executable", p, 0x14, 0);
	ask("writable behind it", p + 4 * page, 0x12, 0);
	ask("shared, covering", p, 8, 0);
	ask("no such flag", p, 0x40, 0);
	ask("with a name", p, 0, 100);
}

BEHAVIOUR(query_of_files, "PROCMAP_QUERY")
{
	char *p;

	abi_must("chdir", chdir("/tmp"));
	p = map_file("procfs-query");
	ask("file", p, 0x20, 100);
	ask("name too long", p, 0x20, 5);
	ask("anonymous is no file", abi_map(1, RW), 0x20, 0);
	ask("shared memory", abi_map_with(1, RW, SHM, -1, 0), 0, 100);
	unlink("procfs-query");
	ask("deleted", p, 0, 100);
}

BEHAVIOUR(query_refuses, "PROCMAP_QUERY EINVAL")
{
	int fd = open("/proc/self/maps", O_RDONLY);
	struct query q = {.size = sizeof(q), .addr = (uint64_t)(uintptr_t)abi_map(1, RW)};

	TRY(ioctl(fd, QUERY, NULL));
	q.size = 16;
	TRY(ioctl(fd, QUERY, &q));
	q.size = 24;
	TRY(ioctl(fd, QUERY, &q));
	q.size = 5000;
	TRY(ioctl(fd, QUERY, &q));
	q.size = sizeof(q);
	q.name_size = 10;
	TRY(ioctl(fd, QUERY, &q));
	q.name_size = 0;
	q.name = 4096;
	TRY(ioctl(fd, QUERY, &q));
	TRY(ioctl(fd, _IOWR('f', 18, struct query), &q));
}
