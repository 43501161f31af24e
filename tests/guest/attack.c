/* SPDX-License-Identifier: MIT */
/*
 * attack SEED COUNT [FIRST]: random system calls, as somebody makes them who wants to bring the
 * kernel down or to see its memory.
 *
 * Addresses lie at every edge there is - user, kernel, neither - lengths wrap, flags are wild;
 * known calls get arguments of the right kind half of the time, so that they come through their
 * first checks. Calls are made by workers of CALLS calls each, that may well destroy themselves;
 * the next goes on with the next number. A worker is known by its seed, and its name tells the call
 * that it is at: a panic prints it. `attack SEED CALLS N` makes worker N again, alone.
 *
 * What must not happen: the kernel stops (then nobody prints the last line); a word of the kernel's
 * memory, or of frames that another program had, shows up in the worker's memory; /proc/mmkit/check
 * finds the kernel changed. Exit status 1 for the second; the third is for who started it to look.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS     500u
#define NR_MAX    470u
#define PAGE      4096ul
#define ARENA     (64 * PAGE)
#define SCAN_EACH 32u
#define TICK_US   2000
#define PATIENCE  300 /* milliseconds without a call after which a worker is given up */
#define SECRET    0x5ec4e75ec4e75ec4ull
#define TAIL      0x5a8ul /* low bits of every kernel address that we make up */
#define TELL_FD   200     /* the standard output that calls do not find */
#define LEAKED    42      /* exit status of a worker that saw something */

struct shared {
	volatile uint64_t calls, again; /* twice, as a worker may scribble on it */
	volatile uint64_t leaked; /* the seed of one that saw something */
};

static struct shared *shared;
static uint8_t *arena;
static uint64_t rnd_state, worker_seed;
static unsigned call_nr;
static uint64_t last[8];

/* ---- random numbers: splitmix64, in the public domain ---- */

static uint64_t rnd(void)
{
	uint64_t z = (rnd_state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
	return rnd() % n;
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

/* ---- arguments ---- */

static uint64_t kernel_address(void)
{
	static const uint64_t base[] = {0xffff000000000000ull, 0xffff000040000000ull,
	                                0xffff000040200000ull, 0xffff800000000000ull,
	                                0xffff800080000000ull, 0xfffffffff0000000ull};
	uint64_t a = base[below(6)] + (below(1 << 26) & ~0xfffull);

	return a | TAIL;
}

static uint64_t edge_address(void)
{
	static const uint64_t edge[] = {0,
	                                1,
	                                0x7fff,
	                                0x8000,
	                                0x10000,
	                                0x0000ffffffffffffull,
	                                0x0000fffffffff000ull,
	                                0x0001000000000000ull,
	                                0x0000fffffffffff8ull,
	                                0x00ffffffffffffffull,
	                                0x0100000000000000ull,
	                                0x7fffffffffffffffull,
	                                0x8000000000000000ull,
	                                0xfffeffffffffffffull,
	                                0xffff000000000000ull,
	                                0xffffffffffffffffull,
	                                0xfffffffffffff000ull,
	                                0xfffffffffffff001ull,
	                                0xff00000000000000ull,
	                                0xdead000000000000ull};
	uint64_t a = edge[below(sizeof(edge) / sizeof(edge[0]))];

	switch (below(4)) {
	case 0:
		return a - 8 + below(16);
	case 1:
		return a ^ (rnd() & 0xff) << 56;
	default:
		return a;
	}
}

static uint64_t arena_address(void)
{
	uint64_t a = (uint64_t)arena + below(ARENA);

	switch (below(6)) {
	case 0:
		return a & ~(PAGE - 1);
	case 1:
		return (a | (PAGE - 1)) + 1 - below(64); /* across a border */
	case 2:
		return (uint64_t)arena + ARENA - below(64);
	case 3:
		return a;
	default:
		return a & ~7ul;
	}
}

static uint64_t address(void)
{
	switch (below(16)) {
	case 0:
	case 1:
		return edge_address();
	case 2:
		return kernel_address();
	case 3:
		return 0;
	case 4:
		return last[below(8)];
	case 5:
		return (uint64_t)&rnd_state & ~(PAGE - 1); /* its own data */
	default:
		return arena_address();
	}
}

static uint64_t length(void)
{
	static const uint64_t odd[] = {
	    0,          1,          PAGE - 1, PAGE,  PAGE + 1, 1ull << 31, 1ull << 32, 1ull << 47,
	    1ull << 48, 1ull << 63, ~0ull,    -PAGE, 1 - PAGE, 0x7fffffff, 0xffffffff, ~0ull >> 1};

	switch (below(4)) {
	case 0:
		return odd[below(sizeof(odd) / sizeof(odd[0]))];
	case 1:
		return below(64);
	case 2:
		return below(32) * PAGE;
	default:
		return below(4 * PAGE);
	}
}

static uint64_t flags(void)
{
	switch (below(4)) {
	case 0:
		return rnd() & rnd() & rnd();
	case 1:
		return 1ull << below(64);
	case 2:
		return below(64);
	default:
		return (uint32_t)(rnd() & rnd());
	}
}

static uint64_t descriptor(void)
{
	switch (below(8)) {
	case 0:
		return (uint64_t)-100; /* AT_FDCWD */
	case 1:
		return rnd();
	default:
		return below(24);
	}
}

static uint64_t path(void)
{
	static const char *const paths[] = {"/dev/null",
	                                    "/dev/zero",
	                                    "/proc/self/maps",
	                                    "/proc/self/smaps",
	                                    "/proc/self/pagemap",
	                                    "/proc/self/mem",
	                                    "/proc/meminfo",
	                                    "attack.tmp",
	                                    "/tmp/attack",
	                                    ".",
	                                    "/tmp",
	                                    "",
	                                    "/proc/self/status",
	                                    "/proc/self/clear_refs",
	                                    "/dev/random",
	                                    "/proc/self/fd/3",
	                                    "/tmp/attack/x/../y"};

	if (one_in(4))
		return address();
	return (uint64_t)paths[below(sizeof(paths) / sizeof(paths[0]))];
}

static uint64_t whatever(void)
{
	switch (below(8)) {
	case 0:
		return length();
	case 1:
		return flags();
	case 2:
		return descriptor();
	case 3:
		return below(8);
	case 4:
		return rnd();
	default:
		return address();
	}
}

static uint64_t own_pid(void)
{
	switch (below(4)) {
	case 0:
		return 0;
	case 1:
		return 0x7fffffff - below(3);
	default:
		return (uint64_t)syscall(SYS_getpid);
	}
}

/* a address, l length, f flags, d descriptor, p path, n small, s signal, o own pid, . whatever */
static uint64_t argument(char kind)
{
	switch (kind) {
	case 'a':
		return address();
	case 'l':
		return length();
	case 'f':
		return flags();
	case 'd':
		return descriptor();
	case 'p':
		return path();
	case 'n':
		return below(16);
	case 's':
		return below(66);
	case 'o':
		return own_pid();
	case '0':
		return 0;
	case 'M':
		return 1u << below(8) | 0x20 | (one_in(4) ? 0x10 : 0); /* MAP_* */
	case 'T':
		return (uint64_t)arena + ARENA - 2 * PAGE; /* a timespec of nothing */
	default:
		return whatever();
	}
}

/* ---- calls ---- */

/* What is known of a call's arguments. Those that name processes get only one's own. */
struct shape {
	unsigned nr;
	const char *args;
};

static const struct shape shapes[] = {
    {SYS_mmap, "alnMdl"},
    {SYS_mmap, "0lnM.0"},
    {SYS_munmap, "al"},
    {SYS_mprotect, "aln"},
    {SYS_mremap, "allna"},
    {SYS_madvise, "aln"},
    {SYS_madvise, "alf"},
    {SYS_msync, "aln"},
    {SYS_mincore, "ala"},
    {SYS_mlock, "al"},
    {SYS_mlock2, "aln"},
    {SYS_munlock, "al"},
    {SYS_mlockall, "n"},
    {SYS_brk, "a"},
    {SYS_remap_file_pages, "al0lf"},
    {SYS_mbind, "alnalf"},
    {SYS_get_mempolicy, "aalaf"},
    {SYS_set_mempolicy, "nal"},
    {SYS_process_vm_readv, "oanan0"},
    {SYS_process_vm_writev, "oanan0"},
    {SYS_memfd_create, "pf"},
    {SYS_shmget, "nlf"},
    {SYS_shmat, "naf"},
    {SYS_shmctl, "nna"},
    {SYS_shmdt, "a"},
    {SYS_read, "dal"},
    {SYS_write, "dal"},
    {SYS_pread64, "dall"},
    {SYS_pwrite64, "dall"},
    {SYS_readv, "dan"},
    {SYS_writev, "dan"},
    {SYS_openat, "dpfn"},
    {SYS_close, "d"},
    {SYS_ioctl, "dfa"},
    {SYS_fcntl, "dna"},
    {SYS_fcntl, "df."},
    {SYS_lseek, "dln"},
    {SYS_ftruncate, "dl"},
    {SYS_fallocate, "dnll"},
    {SYS_getdents64, "dal"},
    {SYS_newfstatat, "dpaf"},
    {SYS_statx, "dpffa"},
    {SYS_fstat, "da"},
    {SYS_getcwd, "al"},
    {SYS_readlinkat, "dpal"},
    {SYS_pipe2, "af"},
    {SYS_dup, "d"},
    {SYS_dup3, "ddf"},
    {SYS_sendfile, "ddal"},
    {SYS_copy_file_range, "dadal0"},
    {SYS_ppoll, "anTa8"},
    {SYS_pselect6, "naaaTa"},
    {SYS_futex, "annTan"},
    {SYS_rt_sigaction, "saa8"},
    {SYS_rt_sigprocmask, "naa8"},
    {SYS_rt_sigpending, "al"},
    {SYS_rt_sigtimedwait, "aaT8"},
    {SYS_sigaltstack, "aa"},
    {SYS_clock_gettime, "na"},
    {SYS_clock_nanosleep, "nnTa"},
    {SYS_getrandom, "alf"},
    {SYS_uname, "a"},
    {SYS_sysinfo, "a"},
    {SYS_getrlimit, "na"},
    {SYS_getrusage, "na"},
    {SYS_prctl, "nalll"},
    {SYS_prctl, "f...."},
    {SYS_prlimit64, "ona0"},
    {SYS_getgroups, "na"},
    {SYS_setgroups, "na"},
    {SYS_capget, "aa"},
    {SYS_sched_getaffinity, "ola"},
    {SYS_sched_setaffinity, "ola"},
    {SYS_sched_getparam, "oa"},
    {SYS_getitimer, "na"},
    {SYS_times, "a"},
    {SYS_set_robust_list, "al"},
    {SYS_get_robust_list, "oaa"},
    {SYS_rseq, "alff"},
    {SYS_membarrier, "nff"},
    {SYS_socketpair, "nn0a"},
    {SYS_sendmsg, "daf"},
    {SYS_recvmsg, "daf"},
    {SYS_sendto, "dalfal"},
    {SYS_recvfrom, "dalfaa"},
    {SYS_eventfd2, "nf"},
    {SYS_epoll_create1, "f"},
    {SYS_epoll_ctl, "dnda"},
    {SYS_epoll_pwait, "danna8"},
    {SYS_sync_file_range, "dlln"},
    {SYS_fadvise64, "dlln"},
    {SYS_readahead, "dll"},
    {SYS_statfs, "pa"},
    {SYS_fstatfs, "da"},
    {SYS_truncate, "pl"},
    {SYS_utimensat, "dpaf"},
    {SYS_faccessat, "dpn"},
    {SYS_fchmod, "df"},
    {SYS_unlinkat, "dpf"},
    {SYS_mkdirat, "dpf"},
    {SYS_symlinkat, "pdp"},
    {SYS_linkat, "dpdpf"},
    {SYS_renameat2, "dpdpn"},
    {SYS_personality, "f"},
    {SYS_pkey_mprotect, "alnn"},
    {SYS_pkey_alloc, "nn"},
    {SYS_move_pages, "olaaan"},
    {SYS_getsockopt, "dnnaa"},
    {SYS_setsockopt, "dnnal"},
    {SYS_preadv2, "danlln"},
    {SYS_pwritev2, "danlln"},
    {SYS_fsync, "d"},
    {SYS_sync, ""},
    {SYS_clone, "faaaa"},
    {SYS_waitid, "noann"},
    {SYS_wait4, "oana"},
    {SYS_getpriority, "no"},
    {SYS_setpriority, "non"},
    {SYS_ptrace, "noaa"},
    {SYS_kcmp, "oonnn"},
    {SYS_splice, "dadalf"},
    {SYS_vmsplice, "danf"},
    {SYS_tee, "ddlf"},
    {440 /* process_madvise */, "danlf"},
    {462 /* mseal */, "al0"},
    {451 /* cachestat */, "daaf"},
    {436 /* close_range */, "nnf"},
    {435 /* clone3 */, "al"},
    {439 /* faccessat2 */, "dpnf"},
    {437 /* openat2 */, "dpal"},
    {447 /* memfd_secret */, "f"},
    {SYS_setitimer, "naa"},
    {SYS_pidfd_open, "of"},
    {SYS_capset, "aa"},
    {SYS_sethostname, "al"},
};
#define NR_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/*
 * Not made at all: what ends the machine or its clock on request, what would kill or stop others
 * than the worker, and what takes the file systems away from the workers that follow.
 */
static bool left_out(unsigned nr)
{
	switch (nr) {
	case SYS_reboot:
	case SYS_kexec_load:
	case 294: /* kexec_file_load */
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case 424: /* pidfd_send_signal */
	case SYS_mount:
	case SYS_umount2:
	case SYS_pivot_root:
	case 428: /* open_tree and on: mounts */
	case 429:
	case 442:
	case SYS_settimeofday:
	case SYS_clock_settime:
	case SYS_clock_adjtime:
	case SYS_adjtimex:
	case SYS_vhangup:
	case SYS_setns:
	case SYS_acct:
	case SYS_swapon:
	case SYS_swapoff:
	case SYS_setpgid: /* into the group of the one that watches */
	case SYS_setsid:
	case SYS_init_module:
	case SYS_finit_module:
	case SYS_delete_module:
		return true;
	case SYS_exit:
	case SYS_exit_group:
	case SYS_rt_sigreturn:
	case SYS_execve:
	case SYS_execveat:
		return !one_in(32); /* the end of the worker, nearly always */
	case SYS_sync:
	case SYS_syncfs:
		return !one_in(16); /* slow */
	case SYS_prlimit64:
	case SYS_setrlimit:
		return !one_in(4);
	default:
		return false;
	}
}

/* The first argument of these is a process: any other than the worker might be the one that
 * watches. */
static bool names_process(unsigned nr)
{
	switch (nr) {
	case SYS_prlimit64:
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
	case SYS_ptrace:
	case SYS_move_pages:
	case SYS_migrate_pages:
	case SYS_sched_setaffinity:
	case SYS_sched_setparam:
	case SYS_sched_setscheduler:
	case SYS_sched_setattr:
	case SYS_pidfd_open:
	case SYS_get_robust_list:
		return true;
	default:
		return false;
	}
}

static long call(unsigned nr, const uint64_t *a)
{
	register uint64_t x8 __asm__("x8") = nr;
	register uint64_t x0 __asm__("x0") = a[0];
	register uint64_t x1 __asm__("x1") = a[1];
	register uint64_t x2 __asm__("x2") = a[2];
	register uint64_t x3 __asm__("x3") = a[3];
	register uint64_t x4 __asm__("x4") = a[4];
	register uint64_t x5 __asm__("x5") = a[5];

	__asm__ volatile("svc 0"
	                 : "+r"(x0)
	                 : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8)
	                 : "memory");
	return (long)x0;
}

static void choose(unsigned *nr, uint64_t *a)
{
	const struct shape *s = NULL;
	unsigned i;

	do {
		s = one_in(4) ? NULL : &shapes[below(NR_SHAPES)];
		*nr = s ? s->nr : (unsigned)below(NR_MAX);
	} while (left_out(*nr));
	for (i = 0; i < 6; i++) {
		bool known = s && i < strlen(s->args) && !one_in(8);

		a[i] = known && s->args[i] == '8' ? 8 : known ? argument(s->args[i]) : whatever();
	}
	if (one_in(512))
		*nr = (unsigned)rnd() | 1u << 20; /* no such call */
	if (names_process(*nr))
		a[0] = own_pid();
	if (*nr == SYS_prlimit64 || *nr == SYS_setrlimit || *nr == SYS_kcmp)
		a[1] = *nr == SYS_kcmp ? own_pid() : a[1] == RLIMIT_FSIZE ? 99 : a[1];
	if (*nr == SYS_setpriority || *nr == SYS_ioprio_set)
		a[1] = own_pid();
	/* A child on our own stack would run on as a second worker. */
	if (*nr == SYS_clone)
		a[0] &= ~(uint64_t)0x100; /* CLONE_VM */
}

/* ---- the worker ---- */

static void on_signal(int sig)
{
}

static void tick(void)
{
	struct itimerval it = {{0, TICK_US}, {0, TICK_US}};
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t none;

	sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static bool leaked(uint64_t v)
{
	if (v == SECRET)
		return true;
	/*
	 * An address of the kernel's image or linear map, that we did not give it ourselves, nor
	 * what is left of ours when it was a set of signals.
	 */
	return ((v >> 28 | 1) == 0xffff00005 || v >> 24 == 0xffff800000) && (v & 0xfff & ~TAIL) &&
	       !(v & 7);
}

/* Its memory may have gone: each page is looked at only if a system call can read it. */
static void scan(int fd)
{
	static uint64_t page[PAGE / 8];
	size_t at, i;

	for (at = 0; at < ARENA; at += PAGE) {
		if (pwrite(fd, arena + at, PAGE, 0) != PAGE || pread(fd, page, PAGE, 0) != PAGE)
			continue;
		for (i = 0; i < PAGE / 8; i++)
			if (leaked(page[i])) {
				dprintf(TELL_FD, "attack: worker %llu, call %u: %#llx at %#zx\n",
				        (unsigned long long)worker_seed, call_nr,
				        (unsigned long long)page[i], at + i * 8);
				shared->leaked = worker_seed;
				_exit(LEAKED);
			}
	}
}

/* Numbers and addresses that calls will find in the structures that they are given. */
static void season(void)
{
	unsigned n = (unsigned)below(24);

	if (mprotect(arena, ARENA - 4 * PAGE, PROT_READ | PROT_WRITE))
		return;
	while (n--) {
		uint64_t *w = (uint64_t *)(arena + (below(ARENA - 4 * PAGE) & ~7ul));

		*w = one_in(2) ? whatever() : below(4096);
		if (one_in(4))
			memset(w, one_in(2) ? 0 : (int)rnd(), 8);
	}
}

/* A page to read only, one that nobody may touch, one of a file; then nothing. */
static void make_arena(int fd)
{
	struct stat st;

	arena = mmap(NULL, ARENA + 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	             -1, 0);
	if (arena == MAP_FAILED)
		_exit(0);
	munmap(arena + ARENA, 16 * PAGE);
	mprotect(arena + ARENA - 3 * PAGE, 2 * PAGE, PROT_READ);
	mprotect(arena + ARENA - 4 * PAGE, PAGE, PROT_NONE);
	if (!fstat(fd, &st) && st.st_size >= (off_t)(4 * PAGE))
		mmap(arena + 8 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		     0);
	mmap(arena + 16 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
	     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* Descriptors 0 to 20 or so, of every sort. */
static int open_things(bool verbose)
{
	int fds[2], null, own, scratch;

	scratch = memfd_create("scan", 0);
	own = fcntl(scratch, F_DUPFD, 100);
	close(scratch);
	dup2(1, TELL_FD);
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	if (!verbose)
		dup2(null, 2);
	/* Long enough for the arena's part of it, whatever others have made of it. */
	if (ftruncate(open("attack.tmp", O_RDWR | O_CREAT, 0600), 4 * PAGE))
		unlink("attack.tmp");
	open("/tmp/attack.tmp", O_RDWR | O_CREAT, 0600);
	open("/proc/self/maps", O_RDONLY);
	open("/proc/self/mem", O_RDWR);
	open("/proc/self/pagemap", O_RDONLY);
	open("/dev/zero", O_RDWR);
	open(".", O_RDONLY | O_DIRECTORY);
	memfd_create("attack", MFD_ALLOW_SEALING);
	if (!pipe(fds))
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
	syscall(SYS_eventfd2, 1, O_NONBLOCK);
	syscall(SYS_epoll_create1, 0);
	return own;
}

static void limits(void)
{
	struct rlimit file = {1 << 20, 1 << 20}, space = {96ul << 20, 96ul << 20};
	struct rlimit core = {0, 0};

	setrlimit(RLIMIT_FSIZE, &file);
	setrlimit(RLIMIT_AS, &space);
	setrlimit(RLIMIT_CORE, &core);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void set_name(void)
{
	char name[16];

	snprintf(name, sizeof(name), "%llu:%u", (unsigned long long)worker_seed, call_nr);
	prctl(PR_SET_NAME, name);
}

static void work(uint64_t seed, unsigned calls, bool verbose)
{
	int own;

	worker_seed = seed;
	rnd_state = seed * 0x2545f4914f6cdd1dull + 1;
	setpgid(0, 0);
	own = open_things(verbose);
	limits();
	make_arena(3);
	if (seed & 1 && (setgid(1000) || setuid(1000)))
		_exit(0);
	for (call_nr = 0; call_nr < calls; call_nr++) {
		uint64_t a[6];
		unsigned nr;
		long ret;

		if (call_nr % 16 == 0)
			tick();
		season();
		choose(&nr, a);
		set_name();
		if (verbose)
			fprintf(stderr, "%u: %u(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n", call_nr, nr,
			        a[0], a[1], a[2], a[3], a[4], a[5]);
		ret = call(nr, a);
		if ((nr == SYS_clone || nr == 435) && ret == 0)
			_exit(0);
		if (ret > 0 || ret < -4095)
			last[below(8)] = (uint64_t)ret;
		shared->calls = shared->again = call_nr + 1;
		if (call_nr % SCAN_EACH == 0)
			scan(own);
	}
	_exit(0);
}

/* ---- who watches ---- */

/* Frames that had something in them that is nobody else's business. */
static void leave_secrets(void)
{
	size_t size = 4 << 20, i;
	uint64_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (i = 0; p != MAP_FAILED && i < size / 8; i++)
		p[i] = SECRET;
	if (p != MAP_FAILED)
		munmap(p, size);
}

/* The parent of a process, by its line in /proc; 0: it has gone. */
static pid_t parent_of(const char *pid)
{
	char path[64], text[512], *p;
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : (int)read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')'); /* its name may have anything in it */
	return p ? (pid_t)strtol(p + 4, NULL, 10) : 0;
}

static void kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc && (d = readdir(proc)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && parent_of(d->d_name) == getpid())
			kill((pid_t)strtol(d->d_name, NULL, 10), SIGKILL);
	if (proc)
		closedir(proc);
}

/* Whatever the worker has left: orphans become our children. */
static void kill_rest(pid_t pid)
{
	kill(-pid, SIGKILL);
	for (;;) {
		pid_t got = waitpid(-1, NULL, WNOHANG);

		if (got < 0)
			return;
		if (got)
			continue;
		kill_children();
		waitpid(-1, NULL, 0);
	}
}

static int wait_worker(pid_t pid)
{
	struct timespec ms = {0, 1000000};
	uint64_t seen = 0;
	int status = 0, idle;

	for (idle = 0; idle < PATIENCE; idle++) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid || got < 0)
			break;
		if (shared->calls != seen)
			idle = 0;
		seen = shared->calls;
		nanosleep(&ms, NULL);
	}
	if (idle == PATIENCE) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	kill_rest(pid);
	return status;
}

static bool run_worker(uint64_t seed, uint64_t *done)
{
	pid_t pid;
	int status;

	shared->calls = shared->again = 0;
	shared->leaked = 0;
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("attack: no process: %m\n");
		return false;
	}
	if (!pid)
		work(seed, CALLS, false);
	status = wait_worker(pid);
	if (shared->calls == shared->again && shared->calls <= CALLS)
		*done += shared->calls;
	/* A random exit may have that status, too. */
	return !(WIFEXITED(status) && WEXITSTATUS(status) == LEAKED && shared->leaked == seed);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, worker = seed << 32, done = 0;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 10000, workers = 0;

	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (argc > 3) {
		work(strtoull(argv[3], NULL, 0), (unsigned)count, true);
		return 0;
	}
	printf("attack: seed %llu, %llu calls\n", (unsigned long long)seed,
	       (unsigned long long)count);
	while (done < count) {
		if (workers % 16 == 0)
			leave_secrets();
		if (!run_worker(worker++, &done))
			return 1;
		if (++workers % 1000 == 0)
			printf("attack: %llu calls by %llu workers\n", (unsigned long long)done,
			       (unsigned long long)workers);
	}
	printf("attack: %llu calls made\n", (unsigned long long)done);
	return 0;
}
