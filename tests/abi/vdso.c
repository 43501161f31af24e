/* SPDX-License-Identifier: MIT */
/* [vvar] and [vdso]: the kernel's code in every program, which reads clocks without a call. */
#include "abi.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>

struct range {
	unsigned long start, end;
	char perms[5];
};

static struct range line_of(const char *name)
{
	struct range r = {0};
	char line[256];
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, name))
			sscanf(line, "%lx-%lx %4s", &r.start, &r.end, r.perms);
	fclose(f);
	if (!r.start)
		abi_fail("no %s", name);
	return r;
}

BEHAVIOUR(vvar_lies_before_the_vdso, "vdso where")
{
	struct range data = line_of("[vvar]"), code = line_of("[vdso]");

	abi_say("perms %s %s", data.perms, code.perms);
	abi_say("side by side: %d", data.end == code.start);
	abi_say("announced: %d", getauxval(AT_SYSINFO_EHDR) == code.start);
	abi_say("an ELF object: %d", !memcmp((void *)code.start, ELFMAG, SELFMAG));
}

/* ---- its symbols ---- */

struct object {
	const char *base, *strings;
	const ElfW(Sym) *symbols;
	const unsigned int *hash;
};

static struct object vdso_object(void)
{
	struct object o = {.base = (char *)getauxval(AT_SYSINFO_EHDR)};
	const ElfW(Ehdr) *e = (const void *)o.base;
	const ElfW(Phdr) *p = (const void *)(o.base + e->e_phoff);
	const ElfW(Dyn) *d = NULL;
	int i;

	for (i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_DYNAMIC)
			d = (const void *)(o.base + p[i].p_vaddr);
	for (; d && d->d_tag; d++) {
		if (d->d_tag == DT_STRTAB)
			o.strings = o.base + d->d_un.d_ptr;
		if (d->d_tag == DT_SYMTAB)
			o.symbols = (const void *)(o.base + d->d_un.d_ptr);
		if (d->d_tag == DT_HASH)
			o.hash = (const void *)(o.base + d->d_un.d_ptr);
	}
	return o;
}

static void *find(const char *name)
{
	struct object o = vdso_object();
	unsigned int i;

	/* symbols without DT_HASH: six are more than the four that are asked for */
	for (i = 0; o.symbols && i < (o.hash ? o.hash[1] : 6); i++)
		if (!strcmp(o.strings + o.symbols[i].st_name, name) && o.symbols[i].st_shndx)
			return (void *)(o.base + o.symbols[i].st_value);
	return NULL;
}

static void *must_find(const char *name)
{
	void *p = find(name);

	if (!p)
		abi_fail("no %s", name);
	return p;
}

typedef int (*clock_fn)(clockid_t, struct timespec *);
typedef int (*time_fn)(struct timeval *, void *);

BEHAVIOUR(symbols_of_the_vdso, "vdso symbols")
{
	static const char *const names[] = {"__kernel_clock_gettime", "__kernel_clock_getres",
	                                    "__kernel_gettimeofday", "__kernel_rt_sigreturn"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		abi_say("%s: %d", names[i], find(names[i]) != NULL);
}

/* ---- the clocks ---- */

static long long ns_of(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000ll + ts->tv_nsec;
}

static void compare(const char *name, clockid_t clock)
{
	clock_fn get = (clock_fn)must_find("__kernel_clock_gettime");
	clock_fn res = (clock_fn)must_find("__kernel_clock_getres");
	struct timespec before = {0}, now = {0}, after = {0}, r = {0}, r2 = {0};
	long rc = syscall(SYS_clock_gettime, clock, &before), rc2 = get(clock, &now);

	syscall(SYS_clock_gettime, clock, &after);
	abi_say("%s: %ld %ld in order %d", name, rc, rc2,
	        ns_of(&before) <= ns_of(&now) && ns_of(&now) <= ns_of(&after));
	rc = syscall(SYS_clock_getres, clock, &r);
	rc2 = res(clock, &r2);
	abi_say("	resolution %ld %ld, %lld %lld", rc, rc2, ns_of(&r), ns_of(&r2));
}

BEHAVIOUR(clocks_of_the_vdso, "vdso clock_gettime")
{
	clock_fn get = (clock_fn)must_find("__kernel_clock_gettime");
	struct timespec ts;

	compare("realtime", CLOCK_REALTIME);
	compare("monotonic", CLOCK_MONOTONIC);
	compare("raw", CLOCK_MONOTONIC_RAW);
	compare("boottime", CLOCK_BOOTTIME);
	compare("tai", CLOCK_TAI);
	compare("realtime coarse", CLOCK_REALTIME_COARSE);
	compare("monotonic coarse", CLOCK_MONOTONIC_COARSE);
	compare("process", CLOCK_PROCESS_CPUTIME_ID);
	compare("thread", CLOCK_THREAD_CPUTIME_ID);
	abi_say("no clock: %d", get(77, &ts));
}

BEHAVIOUR(gettimeofday_of_the_vdso, "vdso gettimeofday")
{
	time_fn get = (time_fn)must_find("__kernel_gettimeofday");
	struct timeval before, now, after;
	int zone[2] = {77, 77};

	syscall(SYS_gettimeofday, &before, NULL);
	abi_say("%d", get(&now, zone));
	syscall(SYS_gettimeofday, &after, NULL);
	abi_say("in order %d", !timercmp(&before, &now, >) && !timercmp(&now, &after, >));
	abi_say("zone %d %d", zone[0], zone[1]);
	abi_say("nothing asked %d", get(NULL, NULL));
}

BEHAVIOUR(the_vdso_sees_a_clock_that_was_set, "vdso clock_settime")
{
	clock_fn get = (clock_fn)must_find("__kernel_clock_gettime");
	struct timespec now, set, seen;

	abi_needs_own_machine();
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	set = now;
	set.tv_sec += 1000000;
	TRY(syscall(SYS_clock_settime, CLOCK_REALTIME, &set));
	get(CLOCK_REALTIME, &seen);
	abi_say("seen: %d", seen.tv_sec >= set.tv_sec && seen.tv_sec < set.tv_sec + 1000);
	TRY(syscall(SYS_clock_settime, CLOCK_REALTIME, &now));
	get(CLOCK_REALTIME, &seen);
	abi_say("seen: %d", seen.tv_sec >= now.tv_sec && seen.tv_sec < now.tv_sec + 1000);
}

/* ---- as memory ---- */

BEHAVIOUR(what_can_be_done_with_vvar, "vdso vvar")
{
	struct range r = line_of("[vvar]");
	char *p = (char *)r.start;
	size_t size = r.end - r.start;

	abi_origin("vvar", p, size);
	abi_vmflags("vvar", p);
	TRY(mprotect(p, size, RW));
	TRY(mprotect(p, size, RX));
	TRY(mprotect(p, size, PROT_READ));
	TRY(mlock(p, size));
	TRY(munlock(p, size));
	TRY(madvise(p, size, MADV_DONTNEED));
	TRY(madvise(p, size, MADV_POPULATE_READ));
	TRY(madvise(p, size, MADV_DODUMP));
	TRY(madvise(p, size, MADV_DONTDUMP));
	abi_store("store", p, 1);
	abi_smaps(p, "Rss");
}

static void handler(int sig)
{
}

static void signal_comes_back(void)
{
	struct sigaction sa = {.sa_handler = handler};

	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	abi_say("the handler has returned");
}

BEHAVIOUR(signals_return_to_a_vdso_that_was_moved, "vdso mremap")
{
	struct range r = line_of("[vdso]");
	size_t size = r.end - r.start;
	char *to = abi_window(size / page);

	signal_comes_back();
	abi_ptr("move", mremap((void *)r.start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	signal_comes_back();
	if (!abi_fork()) {
		signal_comes_back();
		_exit(0);
	}
	wait(NULL);
}

BEHAVIOUR(signals_do_not_return_without_the_vdso, "vdso munmap")
{
	struct range r = line_of("[vdso]");
	pid_t pid = abi_fork();

	if (!pid) {
		TRY(munmap((void *)r.start, r.end - r.start));
		signal_comes_back();
		_exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(the_clocks_go_on_after_fork, "vdso fork")
{
	clock_fn get = (clock_fn)must_find("__kernel_clock_gettime");
	struct timespec ts;
	pid_t pid;

	get(CLOCK_MONOTONIC, &ts);
	pid = abi_fork();
	if (!pid) {
		abi_say("%d", get(CLOCK_MONOTONIC, &ts));
		_exit(0);
	}
	abi_wait(pid);
}
