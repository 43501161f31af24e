/* SPDX-License-Identifier: MIT */
/*
 * The back end that is a Linux, 6.11 or later, native or as the init of a machine of its own. Each
 * sequence runs in a fresh process, which makes its calls without libc in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "tests/model/model.h"

/* man 2 PROCMAP_QUERY: ioctl of /proc/PID/maps. */
struct procmap_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY    _IOWR('f', 17, struct procmap_query)
#define COVERING_OR_NEXT 0x10

#define PRCTL_SET_MM     35
#define PRCTL_SET_MM_MAP 14
#define NR_MSEAL         462 /* on every architecture */
#define CAP_NR_IPC_LOCK  14

static int fds[NR_FDS];
static int maps_fd = -1, mem_fd = -1;
static uint8_t *vector; /* for mincore, outside of the window */

/* Those who wait: what wakes the child of a fork whose parent goes on; -1: the child went on. */
static int waker[MAX_DEPTH + 1];
static pid_t other[MAX_DEPTH + 1];
static unsigned depth;

static sigjmp_buf access_failed;
static volatile sig_atomic_t signal_code;
static unsigned long accessed;

static void on_signal(int signo, siginfo_t *info, void *context)
{
	signal_code = signo | info->si_code << 8;
	if ((unsigned long)info->si_addr != accessed)
		signal_code |= 1 << 16;
	siglongjmp(access_failed, 1);
}

static void catch_signals(void)
{
	struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

/* ---- the machine ---- */

/* PID 1 of a machine that has nothing yet. */
static bool boot(void)
{
	struct termios t;
	int fd;

	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) || mount("dev", "/dev", "devtmpfs", 0, NULL))
		return false;
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (!tcgetattr(0, &t)) {
		cfmakeraw(&t);
		tcsetattr(0, TCSANOW, &t);
	}
	return true;
}

/* A file system without a disk that is not tmpfs, seen by nobody else. */
static bool mount_home(void)
{
	if (unshare(CLONE_NEWNS) ||
	    (getpid() != 1 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)))
		return false;
	return !mount("home", "/tmp", "ramfs", 0, NULL);
}

static void *shared(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
	            -1, 0);
}

bool be_start(struct run **run)
{
	if (getpid() == 1 && !boot())
		return false;
	if (!mount_home()) {
		fprintf(stderr, "model: needs to be root, to mount a ramfs\n");
		return false;
	}
	*run = shared(sizeof(**run));
	vector = shared(PAGE_BYTES);
	fds[FD_HOME] = open("/tmp/model-home", O_RDWR | O_CREAT, 0644);
	fds[FD_HOME_RO] = open("/tmp/model-home", O_RDONLY);
	fds[FD_ZERO] = open("/dev/zero", O_RDWR);
	return *run != MAP_FAILED && vector != MAP_FAILED && fds[FD_HOME] >= 0 && fds[FD_ZERO] >= 0;
}

void be_end(void)
{
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
}

void be_inject(enum inject how)
{
}

/* ---- a sequence ---- */

static void fill(int fd, unsigned first, unsigned end, uint8_t value)
{
	static uint8_t page[PAGE_BYTES];

	for (unsigned i = first; i < end; i++) {
		memset(page, (int)(value + i), sizeof(page));
		if (pwrite(fd, page, sizeof(page), i * (off_t)PAGE_BYTES) < 0)
			_exit(3);
	}
}

static void new_files(void)
{
	fds[FD_MEMFD] = (int)syscall(SYS_memfd_create, "model", 0);
	if (ftruncate(fds[FD_MEMFD], FILE_PAGES * PAGE_BYTES) || ftruncate(fds[FD_HOME], 0))
		_exit(3);
	fill(fds[FD_MEMFD], 0, FILE_PAGES / 2, 0x40);
	fill(fds[FD_HOME], 0, FILE_PAGES, 0x60);
}

static void open_proc(void)
{
	close(maps_fd);
	close(mem_fd);
	maps_fd = open("/proc/self/maps", O_RDONLY);
	mem_fd = open("/proc/self/mem", O_RDWR);
	if (maps_fd < 0 || mem_fd < 0)
		_exit(4);
}

static void limit_memlock(void)
{
	struct rlimit limit = {8 * PAGE_BYTES, 8 * PAGE_BYTES};
	struct {
		uint32_t version;
		int pid;
	} head = {0x20080522, 0};
	struct {
		uint32_t effective, permitted, inheritable;
	} caps[2];

	if (syscall(SYS_capget, &head, caps))
		_exit(5);
	caps[0].effective &= ~(1u << CAP_NR_IPC_LOCK);
	if (syscall(SYS_capset, &head, caps) || setrlimit(RLIMIT_MEMLOCK, &limit))
		_exit(5);
}

/* The heap begins within the window. */
static void move_brk(void)
{
	uint64_t here = (uint64_t)&here, brk = BASE + BRK_PAGE * PAGE_BYTES;
	struct {
		uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
		uint64_t arg_start, arg_end, env_start, env_end, auxv;
		uint32_t auxv_size, exe_fd;
	} map = {0x400000, 0x401000, 0x401000, 0x402000, brk, brk, here,
	         here,     here,     here,     here,     0,   0,   (uint32_t)-1};

	if (syscall(SYS_prctl, PRCTL_SET_MM, PRCTL_SET_MM_MAP, &map, sizeof(map), 0))
		_exit(6);
}

/* Nothing that comes next to it can become one with it. */
static void begin(const struct sequence *q)
{
	volatile char stack[65536] __attribute__((unused));

	stack[0] = 0;
	new_files();
	open_proc();
	catch_signals();
	mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	move_brk();
	if (q->mode & MODE_LIMIT)
		limit_memlock();
}

bool be_sequence(struct run *run, const struct sequence *q)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		begin(q);
		run_sequence(run, q);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (status)
		fprintf(stderr, "status %x\n", status);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

int be_fork(struct run *run, bool parent_goes_on, void (*look)(struct run *run))
{
	int ends[2] = {-1, -1}, status;
	pid_t pid;
	char c;

	if (parent_goes_on && pipe(ends))
		_exit(7);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		open_proc();
	if ((pid == 0) != parent_goes_on) { /* this one goes on */
		if (parent_goes_on)
			close(ends[0]);
		waker[depth] = ends[1];
		other[depth++] = pid;
		return 1;
	}
	if (parent_goes_on) {
		if (read(ends[0], &c, 1) == 1)
			look(run);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		_exit(8);
	look(run);
	return 0;
}

void be_exit(struct run *run, void (*look)(struct run *run))
{
	int status;

	depth--;
	if (!other[depth]) /* the child: its parent looks when it is gone */
		_exit(0);
	if (write(waker[depth], "", 1) != 1 || waitpid(other[depth], &status, 0) < 0)
		_exit(9);
	close(waker[depth]);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		_exit(10);
}

/* ---- calls ---- */

static long access_memory(const struct call *c, uint8_t *byte)
{
	volatile uint8_t *at = (volatile uint8_t *)c->arg[0];

	accessed = (unsigned long)at;
	if (sigsetjmp(access_failed, 0))
		return signal_code;
	if (c->nr == CALL_LOAD)
		*byte = *at;
	else
		*at = *byte;
	return 0;
}

static int fd_of(long fd)
{
	return fd >= 0 && fd < NR_FDS ? fds[fd] : (int)fd;
}

/*
 * Where mmkit differs on purpose. What a program has stored through a mapping behind the end of a
 * file shows up when the file grows, with Linux's tmpfs and ramfs; with mmkit, as on disk file
 * systems, it is gone. So it is taken away here first.
 */
static void tidy_tail(int fd, off_t new_size)
{
	static const uint8_t zeros[PAGE_BYTES];
	size_t tail;
	struct stat st;

	if (fstat(fd, &st) || !st.st_size || new_size <= st.st_size)
		return;
	tail = (size_t)(-st.st_size & (off_t)(PAGE_BYTES - 1));
	if (!tail || lseek(fd, st.st_size - 1, SEEK_DATA) != st.st_size - 1)
		return; /* none, or a hole */
	if (pwrite(fd, zeros, tail, st.st_size) == (ssize_t)tail && ftruncate(fd, st.st_size))
		_exit(11);
}

void be_tidy_home(void)
{
	tidy_tail(fds[FD_HOME], INT64_MAX);
}

static long file_write(const long *a)
{
	static uint8_t bytes[16384];

	memset(bytes, (int)a[2], sizeof(bytes));
	tidy_tail(fd_of(a[0]), a[1] + a[3]);
	return pwrite(fd_of(a[0]), bytes, (size_t)a[3], a[1]);
}

static long file_read(const long *a)
{
	uint8_t byte = 0;
	ssize_t n = pread(fd_of(a[0]), &byte, 1, a[1]);

	return n == 1 ? byte : n < 0 ? n : 1000;
}

static long peek(const struct call *c)
{
	uint8_t byte = (uint8_t)c->arg[1];
	ssize_t n;

	if (c->nr == CALL_POKE)
		return pwrite(mem_fd, &byte, 1, c->arg[0]);
	n = pread(mem_fd, &byte, 1, c->arg[0]);
	return n == 1 ? byte : n;
}

static long raw_call(const struct call *c)
{
	const long *a = c->arg;

	switch (c->nr) {
	case CALL_MMAP:
		return syscall(SYS_mmap, a[0], a[1], a[2], a[3], fd_of(a[4]), a[5]);
	case CALL_MUNMAP:
		return syscall(SYS_munmap, a[0], a[1]);
	case CALL_MPROTECT:
		return syscall(SYS_mprotect, a[0], a[1], a[2]);
	case CALL_MREMAP:
		return syscall(SYS_mremap, a[0], a[1], a[2], a[3], a[4]);
	case CALL_MADVISE:
		return syscall(SYS_madvise, a[0], a[1], a[2]);
	case CALL_MLOCK2:
		return syscall(SYS_mlock2, a[0], a[1], a[2]);
	case CALL_MUNLOCK:
		return syscall(SYS_munlock, a[0], a[1]);
	case CALL_MLOCKALL:
		return syscall(SYS_mlockall, a[0]);
	case CALL_MUNLOCKALL:
		return syscall(SYS_munlockall);
	case CALL_MSYNC:
		return syscall(SYS_msync, a[0], a[1], a[2]);
	case CALL_MINCORE:
		return syscall(SYS_mincore, a[0], a[1], a[2] ? (uint8_t *)a[2] : vector);
	case CALL_MSEAL:
		return syscall(NR_MSEAL, a[0], a[1], a[2]);
	case CALL_REMAP_FILE_PAGES:
		return syscall(SYS_remap_file_pages, a[0], a[1], a[2], a[3], 0);
	case CALL_BRK:
		return syscall(SYS_brk, a[0]);
	case CALL_PWRITE:
		return file_write(a);
	case CALL_PREAD:
		return file_read(a);
	case CALL_FTRUNCATE:
		tidy_tail(fd_of(a[0]), a[1]);
		return ftruncate(fd_of(a[0]), a[1]);
	case CALL_PUNCH:
		return fallocate(fd_of(a[0]), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, a[1],
		                 a[2]);
	default:
		return peek(c);
	}
}

long be_call(const struct call *c, uint8_t *byte)
{
	long result;

	if (c->nr == CALL_LOAD || c->nr == CALL_STORE)
		return access_memory(c, byte);
	result = raw_call(c);
	return result == -1 ? -errno : result;
}

/* ---- looking ---- */

static int page_of(uint64_t addr)
{
	return (int)(((long)addr - (long)BASE) / (long)PAGE_BYTES);
}

unsigned be_vmas(struct vma_line *v, unsigned max)
{
	uint64_t at = BASE - LOOK_BELOW * PAGE_BYTES, end = at + LOOK_PAGES * PAGE_BYTES;
	char name[256];
	unsigned n;

	for (n = 0; n < max; n++) {
		struct procmap_query q = {
		    .size = sizeof(q),
		    .query_flags = COVERING_OR_NEXT,
		    .query_addr = at,
		    .vma_name_size = sizeof(name),
		    .vma_name_addr = (uint64_t)name,
		};

		name[0] = 0;
		if (ioctl(maps_fd, PROCMAP_QUERY, &q) || q.vma_start >= end)
			break;
		v[n] = (struct vma_line){
		    .start = page_of(q.vma_start),
		    .end = page_of(q.vma_end),
		    .perm = q.vma_flags & 15,
		    .pgoff = q.vma_offset / PAGE_BYTES,
		    .name = q.vma_name_size ? name_class(name) : NAME_NONE,
		};
		at = q.vma_end;
	}
	return n;
}

bool be_resident(unsigned long addr, unsigned n, uint8_t *bits)
{
	if (syscall(SYS_mincore, addr, n * PAGE_BYTES, vector))
		return false;
	memcpy(bits, vector, n);
	return true;
}
