/* SPDX-License-Identifier: MIT */
/* Code that is written, made executable and run: stale instructions must never show. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define RX   (PROT_READ | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* mov w0, #value; ret */
static void write_function(void *at, unsigned int value)
{
	uint32_t code[2] = {0x52800000 | value << 5, 0xd65f03c0};

	memcpy(at, code, sizeof(code));
}

static int call(void *at)
{
	return ((int (*)(void))at)();
}

TEST(write_then_mprotect_then_run)
{
	char *p = map_anon(1);
	int i;

	for (i = 1; i < 50; i++) {
		CHECK(!mprotect(p, page, RW));
		write_function(p, i);
		CHECK(!mprotect(p, page, RX));
		__builtin___clear_cache(p, p + 8);
		CHECK_EQ(call(p), i);
	}
}

TEST(writable_and_executable_at_once)
{
	char *p = map(NULL, page, RW | PROT_EXEC, ANON, -1, 0);
	int i;

	for (i = 1; i < 50; i++) {
		write_function(p, i);
		__builtin___clear_cache(p, p + 8);
		CHECK_EQ(call(p), i);
	}
}

TEST(code_in_a_file_by_write_then_mmap)
{
	uint32_t code[2];
	int fd = test_file(page), i;
	char *p;

	for (i = 1; i < 20; i++) {
		write_function(code, 100 + i);
		CHECK_EQ(pwrite(fd, code, sizeof(code), 64), sizeof(code));
		p = map(NULL, page, RX, MAP_PRIVATE, fd, 0);
		CHECK_EQ(call(p + 64), 100 + i);
		CHECK(!munmap(p, page));
	}
}

TEST(code_through_a_shared_mapping)
{
	int fd = test_file(page), i;
	char *w = map(NULL, page, RW, MAP_SHARED, fd, 0);
	char *x = map(NULL, page, RX, MAP_SHARED, fd, 0);

	for (i = 1; i < 20; i++) {
		write_function(w, 200 + i);
		__builtin___clear_cache(w, w + 8);
		__builtin___clear_cache(x, x + 8);
		CHECK_EQ(call(x), 200 + i);
	}
}

TEST(code_at_a_reused_address)
{
	char *p = map_reserved(1);
	int i;

	for (i = 1; i < 30; i++) {
		map(p, page, RW, ANON | MAP_FIXED, -1, 0);
		write_function(p, 300 + i);
		CHECK(!mprotect(p, page, RX));
		__builtin___clear_cache(p, p + 8);
		CHECK_EQ(call(p), 300 + i);
		CHECK(!munmap(p, page));
	}
}

static void run_code(void *arg)
{
	CHECK_EQ(call(arg), 41);
	CHECK(!mprotect(arg, page, RW));
	write_function(arg, 42);
	CHECK(!mprotect(arg, page, RX));
	__builtin___clear_cache(arg, (char *)arg + 8);
	CHECK_EQ(call(arg), 42);
}

TEST(code_after_fork)
{
	char *p = map_anon(1);

	write_function(p, 41);
	CHECK(!mprotect(p, page, RX));
	__builtin___clear_cache(p, p + 8);
	in_good_child(run_code, p);
	CHECK_EQ(call(p), 41);
}

TEST(mprotect_takes_execution_away)
{
	char *p = map_anon(1);

	write_function(p, 1);
	CHECK(!mprotect(p, page, RX));
	__builtin___clear_cache(p, p + 8);
	CHECK_EQ(call(p), 1);
	CHECK(!mprotect(p, page, PROT_READ));
	CHECK_FAULT(try_call((void (*)(void *))p, NULL), SIGSEGV, SEGV_ACCERR, p);
}
