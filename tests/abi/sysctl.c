/* SPDX-License-Identifier: MIT */
/* /proc/sys/vm: what the knobs take, what they refuse, what they show; who may turn them. */
#include "abi.h"

static char path[128];

static const char *knob_path(const char *knob)
{
	snprintf(path, sizeof(path), "/proc/sys/vm/%s", knob);
	return path;
}

/* "knob = 65530" */
static void show(const char *knob)
{
	char text[64];

	if (!abi_read_text(knob_path(knob), text, sizeof(text)))
		abi_say("%s: cannot be read", knob);
	else
		abi_say("%s = %.*s", knob, (int)strcspn(text, "\n"), text);
}

/* Writes, says how that went, and shows the knob. */
static void turn(const char *knob, const char *text)
{
	char what[128];
	int fd = open(knob_path(knob), O_WRONLY);
	long n;

	if (fd < 0) {
		abi_ret("open", fd);
		return;
	}
	n = write(fd, text, strlen(text));
	snprintf(what, sizeof(what), "%s <- \"%.*s\"", knob, (int)strcspn(text, "\n"), text);
	abi_ret(what, n == (long)strlen(text) ? 0 : n);
	close(fd);
	show(knob);
}

/* The knob comes back as it was when the behaviour has ended. */
static void keep(const char *knob)
{
	char text[64];

	abi_needs_own_machine();
	if (!abi_read_text(knob_path(knob), text, sizeof(text)))
		abi_fail("cannot read %s", knob);
	abi_knob(knob_path(knob), text);
}

BEHAVIOUR(knobs_at_start, "sysctl defaults")
{
	static const char *const knobs[] = {
	    "overcommit_memory",
	    "overcommit_ratio",
	    "overcommit_kbytes",
	    "max_map_count",
	    "mmap_min_addr",
	    "mmap_rnd_bits",
	    "legacy_va_layout",
	    "dirty_ratio",
	    "dirty_background_ratio",
	    "dirty_bytes",
	    "dirty_background_bytes",
	    "dirty_writeback_centisecs",
	    "dirty_expire_centisecs",
	    "panic_on_oom",
	    "oom_kill_allocating_task",
	    "oom_dump_tasks",
	    "swappiness",
	    "page-cluster",
	    "vfs_cache_pressure",
	    "stat_interval",
	};
	unsigned i;

	for (i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
		show(knobs[i]);
}

BEHAVIOUR(modes_of_the_knobs, "sysctl modes")
{
	static const char *const knobs[] = {
	    "overcommit_memory", "max_map_count",        "mmap_min_addr",       "mmap_rnd_bits",
	    "drop_caches",       "admin_reserve_kbytes", "user_reserve_kbytes", "min_free_kbytes",
	};
	struct stat st;
	unsigned i;

	for (i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
		if (!stat(knob_path(knobs[i]), &st))
			abi_say("%s %o %u %u %ld", knobs[i], st.st_mode, st.st_uid, st.st_gid,
			        (long)st.st_size);
}

BEHAVIOUR(overcommit_memory_takes_0_1_2, "sysctl overcommit_memory")
{
	keep("overcommit_memory");
	turn("overcommit_memory", "1");
	turn("overcommit_memory", "2\n");
	turn("overcommit_memory", "3");
	turn("overcommit_memory", "-1");
	turn("overcommit_memory", "0");
}

BEHAVIOUR(how_numbers_are_written, "sysctl numbers")
{
	static const char *const text[] = {
	    "100",   " 101", "102 ", "103\n",    "0x68",       "0151",
	    "105 7", "106x", "x",    "",         "\n",         " ",
	    "--1",   "+107", "1e3",  "108\t109", "4294967296", "99999999999999999999999"};
	unsigned i;

	keep("max_map_count");
	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		turn("max_map_count", text[i]);
}

BEHAVIOUR(max_map_count_limits, "sysctl max_map_count")
{
	keep("max_map_count");
	turn("max_map_count", "0");
	turn("max_map_count", "65530");
	turn("max_map_count", "-1");
	turn("max_map_count", "2147483647");
	turn("max_map_count", "2147483648");
}

BEHAVIOUR(overcommit_ratio_and_kbytes_exclude_each_other, "sysctl overcommit_kbytes")
{
	keep("overcommit_ratio");
	turn("overcommit_ratio", "80");
	show("overcommit_kbytes");
	turn("overcommit_kbytes", "1000000");
	show("overcommit_ratio");
	turn("overcommit_ratio", "50");
	show("overcommit_kbytes");
}

BEHAVIOUR(overcommit_ratio_limits, "sysctl overcommit_ratio")
{
	keep("overcommit_ratio");
	turn("overcommit_ratio", "0");
	turn("overcommit_ratio", "100");
	turn("overcommit_ratio", "1000");
	turn("overcommit_ratio", "2147483648");
}

BEHAVIOUR(knobs_of_long_numbers, "sysctl long numbers")
{
	keep("user_reserve_kbytes");
	turn("user_reserve_kbytes", "0");
	turn("user_reserve_kbytes", "18446744073709551615");
	turn("user_reserve_kbytes", "18446744073709551616");
	turn("user_reserve_kbytes", "-1");
	turn("user_reserve_kbytes", "12 34");
	turn("user_reserve_kbytes", "12x");
	turn("user_reserve_kbytes", "");
	turn("user_reserve_kbytes", "x");
}

BEHAVIOUR(mmap_rnd_bits_limits, "sysctl mmap_rnd_bits")
{
	keep("mmap_rnd_bits");
	turn("mmap_rnd_bits", "17");
	turn("mmap_rnd_bits", "18");
	turn("mmap_rnd_bits", "33");
	turn("mmap_rnd_bits", "34");
	turn("mmap_rnd_bits", "-1");
}

BEHAVIOUR(legacy_va_layout_limits, "sysctl legacy_va_layout")
{
	keep("legacy_va_layout");
	turn("legacy_va_layout", "1");
	turn("legacy_va_layout", "2");
	turn("legacy_va_layout", "-1");
	turn("legacy_va_layout", "0");
}

BEHAVIOUR(drop_caches_takes_1_to_4, "sysctl drop_caches")
{
	static const char *const text[] = {"0", "1", "2", "3\n", "4", "5", "-1", "x", ""};
	unsigned i;

	abi_needs_own_machine();
	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

		abi_ret(text[i], write(fd, text[i], strlen(text[i])));
		close(fd);
	}
	abi_nobody();
	TRY(open("/proc/sys/vm/drop_caches", O_RDONLY) >= 0 ? 0 : -1);
}

BEHAVIOUR(dirty_ratio_limits, "sysctl dirty_ratio")
{
	keep("dirty_ratio");
	turn("dirty_ratio", "100");
	turn("dirty_ratio", "101");
	turn("dirty_ratio", "-1");
	show("dirty_bytes");
	turn("dirty_bytes", "8191");
	turn("dirty_bytes", "8192");
	show("dirty_ratio");
	turn("dirty_ratio", "20");
	show("dirty_bytes");
}

BEHAVIOUR(panic_on_oom_limits, "sysctl panic_on_oom")
{
	keep("panic_on_oom");
	turn("panic_on_oom", "3");
	turn("panic_on_oom", "-1");
	turn("panic_on_oom", "0");
}

BEHAVIOUR(swappiness_limits, "sysctl swappiness")
{
	keep("swappiness");
	turn("swappiness", "200");
	turn("swappiness", "201");
	turn("swappiness", "-1");
}

BEHAVIOUR(page_cluster_limits, "sysctl page-cluster")
{
	keep("page-cluster");
	turn("page-cluster", "31");
	turn("page-cluster", "32");
	turn("page-cluster", "-1");
}

BEHAVIOUR(a_second_write_goes_nowhere, "sysctl position")
{
	int fd;

	keep("max_map_count");
	fd = open("/proc/sys/vm/max_map_count", O_RDWR);
	TRY(write(fd, "70000", 5));
	TRY(write(fd, "80000", 5));
	show("max_map_count");
	TRY(pwrite(fd, "90000", 5, 0));
	show("max_map_count");
	TRY(pwrite(fd, "60000", 5, 1));
	show("max_map_count");
}

BEHAVIOUR(reading_a_knob_in_pieces, "sysctl position")
{
	char text[32];
	int fd;

	keep("max_map_count");
	fd = open("/proc/sys/vm/max_map_count", O_RDONLY);
	TRY(read(fd, text, 2));
	TRY(read(fd, text, 2));
	TRY(pread(fd, text, 32, 0));
	TRY(pread(fd, text, 32, 3));
}

BEHAVIOUR(others_may_look_but_not_turn, "sysctl EACCES")
{
	abi_nobody();
	TRY(open("/proc/sys/vm/overcommit_memory", O_RDONLY) >= 0 ? 0 : -1);
	TRY(open("/proc/sys/vm/overcommit_memory", O_WRONLY) >= 0 ? 0 : -1);
	TRY(open("/proc/sys/vm/mmap_rnd_bits", O_RDONLY) >= 0 ? 0 : -1);
	TRY(open("/proc/sys/vm/drop_caches", O_WRONLY) >= 0 ? 0 : -1);
	TRY(open("/proc/sys/vm/mmap_min_addr", O_RDONLY) >= 0 ? 0 : -1);
}

BEHAVIOUR(a_knob_that_is_not_there, "sysctl ENOENT")
{
	TRY(open("/proc/sys/vm/no_such_knob", O_RDONLY));
	TRY(open("/proc/sys/vm/no_such_knob", O_WRONLY | O_CREAT, 0644));
	TRY(mkdir("/proc/sys/vm/new", 0755));
}

BEHAVIOUR(mmap_min_addr_is_checked, "mmap EPERM mmap_min_addr")
{
	static const unsigned long at[] = {0, 4096, 8192, 28672, 32768, 65536};
	unsigned i;

	abi_nobody();
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		char what[32];

		snprintf(what, sizeof(what), "fixed at %lu", at[i]);
		abi_ret(what,
		        mmap((void *)at[i], page, PROT_READ, ANON | MAP_FIXED, -1, 0) == MAP_FAILED
		            ? -1
		            : 0);
		munmap((void *)at[i], page);
	}
}

BEHAVIOUR(hints_below_mmap_min_addr_are_raised, "mmap hint mmap_min_addr")
{
	static const unsigned long at[] = {1, 4096, 8192, 28672, 32768, 65536};
	unsigned i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		void *p = mmap((void *)at[i], page, PROT_READ, ANON, -1, 0);

		abi_say("hint %lu: %s%lu", at[i], (unsigned long)p < 1 << 20 ? "" : "high ",
		        (unsigned long)p < 1 << 20 ? (unsigned long)p : 0ul);
		munmap(p, page);
	}
}

BEHAVIOUR(mmap_min_addr_can_be_turned, "sysctl mmap_min_addr")
{
	keep("mmap_min_addr");
	turn("mmap_min_addr", "65536");
	if (!fork()) {
		abi_nobody();
		abi_ret("fixed at 61440",
		        mmap((void *)61440, page, PROT_READ, ANON | MAP_FIXED, -1, 0) == MAP_FAILED
		            ? -1
		            : 0);
		abi_ret("fixed at 65536",
		        mmap((void *)65536, page, PROT_READ, ANON | MAP_FIXED, -1, 0) == MAP_FAILED
		            ? -1
		            : 0);
		exit(0);
	}
	wait(NULL);
	turn("mmap_min_addr", "0");
	if (!fork()) {
		abi_nobody();
		abi_ret("fixed at 0",
		        mmap(NULL, page, PROT_READ, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1
		                                                                           : 0);
		abi_say("hint 4096: %lu",
		        (unsigned long)mmap((void *)4096, page, PROT_READ, ANON, -1, 0));
		exit(0);
	}
	wait(NULL);
	turn("mmap_min_addr", "-1");
	turn("mmap_min_addr", "4096");
}

BEHAVIOUR(root_may_map_the_first_page, "mmap mmap_min_addr")
{
	abi_ret("fixed at 0", mmap(NULL, page, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
}

BEHAVIOUR(legacy_va_layout_counts_at_exec, "sysctl legacy_va_layout exec")
{
	keep("legacy_va_layout");
	turn("legacy_va_layout", "1");
	if (!fork()) {
		char *a = mmap(NULL, page, PROT_READ, ANON, -1, 0);
		char *b = mmap(NULL, page, PROT_WRITE, ANON, -1, 0);

		abi_say("after fork: next one %s", b > a ? "above" : "below");
		exit(0);
	}
	wait(NULL);
}
