/* SPDX-License-Identifier: MIT */
/* The stack grows by being touched, up to its limit, and keeps its distance. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static unsigned long stack_start(void)
{
	char here = 0;

	return vma_of(&here).start;
}

static int __attribute__((noinline)) recurse(int depth)
{
	char room[4096];
	int below;

	memset(room, 1, sizeof(room));
	asm volatile("" : : "r"(room) : "memory");
	below = depth ? recurse(depth - 1) + 1 : 0;
	asm volatile("" : : "r"(room) : "memory");
	return below;
}

TEST(stack_grows_when_touched)
{
	unsigned long before = stack_start();

	CHECK_EQ(recurse(500), 500);
	CHECK(stack_start() < before);
	CHECK(before - stack_start() > 400 * 4096UL);
}

TEST(stack_grows_far_at_once)
{
	unsigned long before = stack_start();

	CHECK_NO_FAULT(try_write((char *)before - (1 << 20), 1));
	CHECK_EQ(stack_start(), (before - (1 << 20)) & -page);
}

static void overflow(void *arg)
{
	recurse(1 << 20);
}

TEST(stack_overflow_is_SIGSEGV)
{
	int status = in_child(overflow, NULL);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(stack_obeys_its_limit)
{
	struct rlimit r = {1 << 20, 1 << 20};
	unsigned long top;
	char here = 0;

	CHECK(!setrlimit(RLIMIT_STACK, &r));
	top = vma_of(&here).end;
	CHECK_NO_FAULT(try_write((char *)top - (1 << 20) + page, 1));
	CHECK_FAULT(try_write((char *)top - (1 << 20) - page, 1), SIGSEGV, SEGV_MAPERR,
	            top - (1 << 20) - page);
}

TEST(stack_keeps_a_gap_to_what_lies_below)
{
	unsigned long start = stack_start();
	char *below = (char *)start - 300 * page;

	map(below, page, RW, ANON | MAP_FIXED, -1, 0);
	/* 256 pages must stay free */
	CHECK_FAULT(try_write(below + 100 * page, 1), SIGSEGV, SEGV_MAPERR, below + 100 * page);
	CHECK_NO_FAULT(try_write(below + 260 * page, 1));
	CHECK_EQ(below[0], 0);
}

TEST(gap_may_be_entered_above_a_PROT_NONE_mapping)
{
	unsigned long start = stack_start();
	char *below = (char *)start - 300 * page;

	map(below, page, PROT_NONE, ANON | MAP_FIXED, -1, 0);
	CHECK_NO_FAULT(try_write(below + 100 * page, 1));
}

TEST(growsdown_mapping_grows)
{
	char *hole = map_reserved(600);
	char *p = map(hole + 500 * page, 10 * page, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	CHECK_NO_FAULT(try_write(p - page, 5));
	CHECK_EQ(vma_of(p).start, p - page);
	CHECK_NO_FAULT(try_write(p - 20 * page, 5));
	CHECK_EQ(vma_of(p).start, p - 20 * page);
}

TEST(stack_is_copied_for_the_child)
{
	volatile int here = 1;
	int status;
	pid_t pid = fork();

	if (!pid) {
		here = 2;
		_exit(recurse(300) == 300 ? here : 9);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 2);
	CHECK_EQ(here, 1);
}

TEST(system_call_grows_the_stack)
{
	unsigned long start = stack_start();
	int fd = open("/dev/zero", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(read(fd, (void *)(start - 100 * page), 10), 10);
}
