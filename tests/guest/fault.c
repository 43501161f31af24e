/* SPDX-License-Identifier: MIT */
/* Faults as signals: which, with what siginfo, on which stack, and how a process dies of them. */
#include "guest.h"

#include <setjmp.h>
#include <ucontext.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

TEST(unmapped_is_MAPERR)
{
	char *p = map_reserved(1);

	CHECK_FAULT(try_read(p + 123), SIGSEGV, SEGV_MAPERR, p + 123);
	CHECK_FAULT(try_write(p + 7, 1), SIGSEGV, SEGV_MAPERR, p + 7);
}

TEST(null_is_MAPERR)
{
	CHECK_FAULT(try_read((void *)0), SIGSEGV, SEGV_MAPERR, 0);
	CHECK_FAULT(try_write((void *)8, 1), SIGSEGV, SEGV_MAPERR, 8);
}

TEST(kernel_address_is_MAPERR)
{
	CHECK_FAULT(try_read((void *)0xffff800000000000), SIGSEGV, SEGV_MAPERR, 0xffff800000000000);
}

TEST(write_to_read_only_is_ACCERR)
{
	char *p = map(NULL, page, PROT_READ, ANON, -1, 0);

	CHECK_FAULT(try_write(p + 1, 1), SIGSEGV, SEGV_ACCERR, p + 1);
	CHECK_NO_FAULT(try_read(p + 1));
	/* and once the zero page is there */
	CHECK_FAULT(try_write(p + 1, 1), SIGSEGV, SEGV_ACCERR, p + 1);
}

static void jump_to(void *at)
{
	((void (*)(void))at)();
}

TEST(execute_of_data_is_ACCERR)
{
	char *p = map_anon(1);

	p[0] = 1;
	CHECK_FAULT(try_call(jump_to, p), SIGSEGV, SEGV_ACCERR, p);
	p = map(NULL, page, PROT_NONE, ANON, -1, 0);
	CHECK_FAULT(try_call(jump_to, p), SIGSEGV, SEGV_ACCERR, p);
}

TEST(execute_of_nothing_is_MAPERR)
{
	char *p = map_reserved(1);

	CHECK_FAULT(try_call(jump_to, p + 16), SIGSEGV, SEGV_MAPERR, p + 16);
}

static char *repair_page;
static volatile int repairs;

static void repair(int sig, siginfo_t *info, void *context)
{
	repairs++;
	if (mprotect(repair_page, page, RW))
		_exit(9);
}

TEST(handler_that_repairs_lets_the_access_go_on)
{
	struct sigaction action = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO};
	volatile unsigned char *p = (void *)map(NULL, page, PROT_READ, ANON, -1, 0);

	repair_page = (char *)p;
	CHECK(!sigaction(SIGSEGV, &action, NULL));
	p[10] = 0x42;
	CHECK_EQ(p[10], 0x42);
	p[11] = 0x43;
	CHECK_EQ(repairs, 1);
}

static void skip_instruction(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	u->uc_mcontext.pc += 4;
	u->uc_mcontext.regs[5] = u->uc_mcontext.fault_address;
}

TEST(handler_may_change_the_registers)
{
	struct sigaction action = {.sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO};
	register unsigned long x5 asm("x5") = 1;
	char *p = map_reserved(1);

	CHECK(!sigaction(SIGSEGV, &action, NULL));
	x5 = 1;
	asm volatile("ldr x6, [%1]" : "+r"(x5) : "r"(p + 8) : "x6", "memory");
	CHECK_EQ(x5, p + 8);
}

static unsigned long fp_before, fp_after;

static void spoil_registers(int sig)
{
	asm volatile("movi v8.2d, #0\n\tmovi v0.2d, #0\n\tmov x9, #0\n\tcmp x9, #0" ::
	                 : "v0", "v8", "x9", "cc");
}

TEST(handler_leaves_the_floating_point_registers)
{
	CHECK(signal(SIGUSR1, spoil_registers) != SIG_ERR);
	fp_before = 0x123456789abcdef0;
	asm volatile("fmov d0, %1\n\t"
	             "mov x8, %2\n\t"
	             "mov x0, %3\n\t"
	             "mov x1, %4\n\t"
	             "svc #0\n\t"
	             "fmov %0, d0"
	             : "=r"(fp_after)
	             : "r"(fp_before), "r"((long)SYS_kill), "r"((long)getpid()), "r"((long)SIGUSR1)
	             : "x0", "x1", "x8", "x9", "v0", "v8", "memory", "cc");
	CHECK_EQ(fp_after, fp_before);
}

static char *alt_stack;
static volatile bool on_alt_stack;

static void note_stack(int sig, siginfo_t *info, void *context)
{
	char here;
	stack_t now;

	on_alt_stack = &here >= alt_stack && &here < alt_stack + 16 * page &&
	               !sigaltstack(NULL, &now) && now.ss_flags == SS_ONSTACK;
	mprotect(repair_page, page, RW);
}

TEST(sigaltstack_is_used)
{
	struct sigaction action = {.sa_sigaction = note_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	stack_t stack = {.ss_size = 16 * page}, now;

	alt_stack = map_anon(16);
	stack.ss_sp = alt_stack;
	CHECK(!sigaltstack(&stack, NULL));
	CHECK(!sigaltstack(NULL, &now));
	CHECK(now.ss_sp == alt_stack && now.ss_flags == 0);
	repair_page = map(NULL, page, PROT_READ, ANON, -1, 0);
	CHECK(!sigaction(SIGSEGV, &action, NULL));
	*(volatile char *)repair_page = 1;
	CHECK(on_alt_stack);
}

TEST(sigaltstack_refusals)
{
	stack_t small = {.ss_sp = &small, .ss_size = 100};
	stack_t odd = {.ss_sp = &odd, .ss_size = 1 << 20, .ss_flags = 0x77};

	CHECK_FAILS(sigaltstack(&small, NULL), ENOMEM);
	CHECK_FAILS(sigaltstack(&odd, NULL), EINVAL);
}

static char *frame_page; /* where the records go on behind the registers; NULL: find out */
static int frame_file;
static size_t frame_above; /* bytes from there to the top of the stack */

/* The records are a pair of magic and size each. */
#define FPSIMD_RECORD 0x46508001

static void drop_end_of_frame(int sig, siginfo_t *info, void *context)
{
	char *at = (char *)((ucontext_t *)context)->uc_mcontext.__reserved;

	while (*(unsigned *)at != FPSIMD_RECORD)
		at += ((unsigned *)at)[1];
	at += ((unsigned *)at)[1];
	if (!frame_page) {
		frame_above = alt_stack + 16 * page - at;
		return;
	}
	if (at == frame_page && !madvise(frame_page, page, MADV_DONTNEED) &&
	    !posix_fadvise(frame_file, 0, 0, POSIX_FADV_DONTNEED))
		on_alt_stack = true;
	asm volatile("movi v16.2d, #0\n\tmovi v31.2d, #0" ::: "v16", "v31");
}

/* What the handler spoils comes back. */
static void signal_with_fp(unsigned long v16, unsigned long v31)
{
	unsigned long got16, got31;

	asm volatile("fmov d16, %2\n\t"
	             "fmov d31, %3\n\t"
	             "mov x8, %4\n\t"
	             "mov x0, %5\n\t"
	             "mov x1, %6\n\t"
	             "svc #0\n\t"
	             "fmov %0, d16\n\t"
	             "fmov %1, d31"
	             : "=&r"(got16), "=&r"(got31)
	             : "r"(v16), "r"(v31), "r"((long)SYS_kill), "r"((long)getpid()),
	               "r"((long)SIGUSR1)
	             : "x0", "x1", "x8", "v16", "v31", "memory");
	CHECK_EQ(got16, v16);
	CHECK_EQ(got31, v31);
}

/* The way back waits for a file while it reads the frame, and others run meanwhile. */
TEST(frame_that_has_to_be_read_from_a_file)
{
	struct sigaction action = {.sa_sigaction = drop_end_of_frame,
	                           .sa_flags = SA_SIGINFO | SA_ONSTACK};
	stack_t stack = {.ss_size = 16 * page};

	frame_file = test_file(0);
	CHECK(!ftruncate(frame_file, 16 * page)); /* zero, as the record that ends them */
	CHECK(!fsync(frame_file));
	alt_stack = map(NULL, 16 * page, RW, MAP_PRIVATE, frame_file, 0);
	stack.ss_sp = alt_stack;
	CHECK(!sigaltstack(&stack, NULL));
	CHECK(!sigaction(SIGUSR1, &action, NULL));
	CHECK(!raise(SIGUSR1));
	frame_page = alt_stack + 15 * page;
	stack.ss_size = frame_page + frame_above - alt_stack;
	while (stack.ss_size > 16 * page) {
		frame_page -= page;
		stack.ss_size -= page;
	}
	CHECK(!sigaltstack(&stack, NULL));
	signal_with_fp(0x123456789abcdef0, 0x0fedcba987654321);
	CHECK(on_alt_stack);
}

static void *bad_sp;

static void spoil_frame(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	sigaddset(&uc->uc_sigmask, SIGUSR2);
	uc->uc_mcontext.regs[19] = 0x1919;
	bad_sp = (void *)uc->uc_mcontext.sp;
	*(unsigned *)uc->uc_mcontext.__reserved = 0x77777777;
}

static void see_bad_frame(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	bool good = sig == SIGSEGV && info->si_code == SEGV_ACCERR && info->si_addr == bad_sp &&
	            sigismember(&uc->uc_sigmask, SIGUSR2) &&
	            !sigismember(&uc->uc_sigmask, SIGSEGV) &&
	            (void *)uc->uc_mcontext.sp == bad_sp && uc->uc_mcontext.regs[19] == 0x1919;

	_exit(!good);
}

static void return_by_bad_frame(void *arg)
{
	struct sigaction spoil = {.sa_sigaction = spoil_frame, .sa_flags = SA_SIGINFO};
	struct sigaction see = {.sa_sigaction = see_bad_frame, .sa_flags = SA_SIGINFO};

	/* the mask of the frame is back before it is found bad, so that the handler can run */
	CHECK(!sigaddset(&spoil.sa_mask, SIGSEGV));
	CHECK(!sigaction(SIGUSR1, &spoil, NULL) && !sigaction(SIGSEGV, &see, NULL));
	raise(SIGUSR1);
	test_fail("a bad frame was taken");
}

TEST(bad_frame_is_SIGSEGV_where_it_leads)
{
	in_good_child(return_by_bad_frame, NULL);
}

static void die_of_segv(void *arg)
{
	*(volatile char *)arg = 1;
}

TEST(unhandled_SIGSEGV_kills)
{
	int status = in_child(die_of_segv, map_reserved(1));

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(unhandled_SIGBUS_kills)
{
	int fd = test_file(0);
	int status = in_child(die_of_segv, map(NULL, page, RW, MAP_SHARED, fd, 0));

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGBUS);
}

static void die_ignoring(void *arg)
{
	signal(SIGSEGV, SIG_IGN);
	*(volatile char *)arg = 1;
}

static void die_blocking(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*(volatile char *)arg = 1;
}

TEST(ignored_or_blocked_SIGSEGV_kills_all_the_same)
{
	char *p = map_reserved(1);
	int status = in_child(die_ignoring, p);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
	status = in_child(die_blocking, p);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void run_undefined(void *arg)
{
	asm volatile("udf #0");
}

TEST(undefined_instruction_is_SIGILL)
{
	struct fault f = try_call(run_undefined, NULL);

	CHECK_EQ(f.sig, SIGILL);
	CHECK_EQ(f.code, ILL_ILLOPC);
}

static volatile int got_signal, got_code;
static volatile pid_t got_pid;

static void note_signal(int sig, siginfo_t *info, void *context)
{
	got_signal = sig;
	got_code = info->si_code;
	got_pid = info->si_pid;
}

TEST(kill_tells_who_sent_it)
{
	struct sigaction action = {.sa_sigaction = note_signal, .sa_flags = SA_SIGINFO};

	CHECK(!sigaction(SIGUSR1, &action, NULL));
	CHECK(!kill(getpid(), SIGUSR1));
	CHECK_EQ(got_signal, SIGUSR1);
	CHECK_EQ(got_code, SI_USER);
	CHECK_EQ(got_pid, getpid());
}

TEST(blocked_signal_waits)
{
	struct sigaction action = {.sa_sigaction = note_signal, .sa_flags = SA_SIGINFO};
	sigset_t set, pending;

	CHECK(!sigaction(SIGUSR1, &action, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK(!kill(getpid(), SIGUSR1));
	CHECK_EQ(got_signal, 0);
	CHECK(!sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1));
	CHECK(!sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(got_signal, SIGUSR1);
}

TEST(handler_of_a_signal_masks_it)
{
	struct sigaction action = {.sa_handler = SIG_DFL}, old;

	action.sa_sigaction = note_signal;
	action.sa_flags = SA_SIGINFO | SA_RESETHAND;
	CHECK(!sigaction(SIGUSR2, &action, NULL));
	CHECK(!kill(getpid(), SIGUSR2));
	CHECK_EQ(got_signal, SIGUSR2);
	CHECK(!sigaction(SIGUSR2, NULL, &old));
	CHECK(old.sa_handler == SIG_DFL);
}

TEST(copy_to_bad_address_is_EFAULT_and_no_signal)
{
	char *p = map_reserved(2);
	int fd = open("/dev/zero", O_RDONLY);

	CHECK_FAILS(read(fd, p, 10), EFAULT);
	map(p, page, RW, ANON | MAP_FIXED, -1, 0);
	CHECK_EQ(read(fd, p, page), page);
	CHECK_FAILS(getcwd((void *)p + page, 10) ? 0 : -1, EFAULT);
	CHECK(!mprotect(p, page, PROT_READ));
	CHECK_FAILS(read(fd, p, 10), EFAULT);
}

TEST(copy_that_fails_half_way_is_short)
{
	char *p = map_reserved(2);
	int fd = open("/dev/zero", O_RDONLY);
	ssize_t got;

	map(p, page, RW, ANON | MAP_FIXED, -1, 0);
	memset(p, 1, page);
	/* how many of the 10 bytes that fit is the kernel's affair */
	got = read(fd, p + page - 10, 20);
	CHECK(got > 0 && got <= 10);
	CHECK(is_all(p + page - 10, 0, got));
}

TEST(copy_to_a_file_mapping_past_the_end_is_EFAULT)
{
	int fd = test_file(page), zero = open("/dev/zero", O_RDONLY);
	char *p = map(NULL, 2 * page, RW, MAP_SHARED, fd, 0);

	CHECK_FAILS(read(zero, p + page, 10), EFAULT);
}
