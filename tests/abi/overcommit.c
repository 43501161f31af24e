/* SPDX-License-Identifier: MIT */
/* Overcommit mode 2 by kbytes, and what it keeps back for root and for other programs. */
#include "abi.h"

#define MIB (1ul << 20)

static long committed_kb(void)
{
	char text[8192], *at;

	if (!abi_read_text("/proc/meminfo", text, sizeof(text)))
		abi_fail("cannot read meminfo");
	at = strstr(text, "Committed_AS:");
	return at ? strtol(at + 13, NULL, 10) : 0;
}

static void knob(const char *name, unsigned long value)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	snprintf(text, sizeof(text), "%lu", value);
	abi_knob(path, text);
}

/* Mode 2 with room for so much more than is committed now, and nothing kept back. */
static void room_for(unsigned long mib)
{
	knob("user_reserve_kbytes", 0);
	knob("admin_reserve_kbytes", 0);
	knob("overcommit_kbytes", (unsigned long)committed_kb() + mib * 1024);
	knob("overcommit_memory", 2);
}

static void *take(const char *what, unsigned long mib, int prot, int flags)
{
	void *p = mmap(NULL, mib * MIB, prot, flags, -1, 0);

	abi_ret(what, p == MAP_FAILED ? -1 : 0);
	return p;
}

BEHAVIOUR(kbytes_are_the_limit, "overcommit 2 kbytes")
{
	void *p;

	room_for(128);
	take("160", 160, RW, ANON);
	p = take("100", 100, RW, ANON);
	take("40 more", 40, RW, ANON);
	munmap(p, 100 * MIB);
	take("100 again", 100, RW, ANON);
}

BEHAVIOUR(what_counts_against_the_limit, "overcommit 2 kinds")
{
	int fd = abi_memfd(160 * MIB, 0);

	room_for(64);
	take("read-only", 160, PROT_READ, ANON);
	take("none", 160, PROT_NONE, ANON);
	take("without reserve", 160, RW, ANON | MAP_NORESERVE);
	take("shared", 160, RW, SHM);
	take("shared read-only", 160, PROT_READ, SHM);
	abi_ret("shared file", mmap(NULL, 160 * MIB, RW, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("private file",
	        mmap(NULL, 160 * MIB, RW, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
}

BEHAVIOUR(a_reserve_for_root, "overcommit 2 admin_reserve_kbytes")
{
	room_for(128);
	knob("admin_reserve_kbytes", 64 * 1024);
	take("100 by root", 100, RW, ANON);
	abi_nobody();
	take("20 by another", 20, RW, ANON);
}

BEHAVIOUR(others_stop_before_the_reserve, "overcommit 2 admin_reserve_kbytes")
{
	room_for(128);
	knob("admin_reserve_kbytes", 64 * 1024);
	abi_nobody();
	take("100 by another", 100, RW, ANON);
	take("40 by another", 40, RW, ANON);
}

BEHAVIOUR(a_reserve_for_other_programs, "overcommit 2 user_reserve_kbytes")
{
	/* A 32nd of the program, at most. */
	take("2 GiB of nothing", 2048, PROT_NONE, ANON);
	room_for(128);
	knob("user_reserve_kbytes", 1024 * 1024);
	take("100", 100, RW, ANON);
	take("40", 40, RW, ANON);
	knob("user_reserve_kbytes", 8 * 1024);
	take("60 with a small reserve", 60, RW, ANON);
}

BEHAVIOUR(fork_needs_room_too, "overcommit 2 fork")
{
	pid_t pid;

	room_for(128);
	take("80", 80, RW, ANON);
	pid = fork();
	if (!pid)
		exit(0);
	abi_ret("fork", pid < 0 ? -1 : 0);
}

BEHAVIOUR(fork_of_what_does_not_count, "overcommit 2 fork")
{
	void *p;
	pid_t pid;

	room_for(128);
	p = take("80", 80, RW, ANON);
	abi_must("madvise", madvise(p, 80 * MIB, MADV_DONTFORK));
	pid = fork();
	if (!pid)
		exit(0);
	abi_ret("fork", pid < 0 ? -1 : 0);
	waitpid(pid, NULL, 0);
}

BEHAVIOUR(the_heap_counts, "overcommit 2 brk")
{
	char *p = sbrk(0);

	room_for(64);
	abi_ret("brk", brk(p + 100 * MIB));
	abi_ret("brk", brk(p + 30 * MIB));
	abi_ret("brk", brk(p));
}

BEHAVIOUR(growing_a_mapping_counts, "overcommit 2 mremap")
{
	char *p;

	room_for(64);
	p = take("20", 20, RW, ANON);
	abi_ret("mremap to 100",
	        mremap(p, 20 * MIB, 100 * MIB, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
	abi_ret("mremap to 40",
	        mremap(p, 20 * MIB, 40 * MIB, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
}
