/* SPDX-License-Identifier: MIT */
/*
 * What every guest test shares. A test is a function in a process of its own; it passes when it
 * returns. A program prints one line for each: "ok NAME" or "not ok NAME: WHY".
 *
 * These programs know nothing of mmkit. They count only because they pass on Linux 6.12 for arm64.
 */
#ifndef MMKIT_TESTS_GUEST_H
#define MMKIT_TESTS_GUEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

void test_register(const char *name, void (*run)(void));
void test_fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#define TEST(name)                                                                                 \
	static void test_##name(void);                                                             \
	static void __attribute__((constructor)) register_##name(void)                             \
	{                                                                                          \
		test_register(#name, test_##name);                                                 \
	}                                                                                          \
	static void test_##name(void)

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			test_fail("line %d: %s (errno %d)", __LINE__, #what, errno);               \
	} while (0)

#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_)                                                                 \
			test_fail("line %d: %s is %lld (0x%llx), not %lld", __LINE__, #got, got_,  \
			          got_, want_);                                                    \
	} while (0)

/* The call fails with this errno and no other. */
#define CHECK_FAILS(call, error)                                                                   \
	do {                                                                                       \
		long r_;                                                                           \
		errno = 0;                                                                         \
		r_ = (long)(call);                                                                 \
		if (r_ != -1)                                                                      \
			test_fail("line %d: %s succeeded (%ld)", __LINE__, #call, r_);             \
		if (errno != (error))                                                              \
			test_fail("line %d: %s: errno %d, not %s", __LINE__, #call, errno,         \
			          #error);                                                         \
	} while (0)

/* Bytes in a page, and the n-th page of a mapping. */
extern size_t page;

/* Mappings that must succeed. */
char *map(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
char *map_anon(size_t pages); /* private, read and write */
char *map_anon_shared(size_t pages);
char *map_reserved(size_t pages); /* address space that is free: mapped, then unmapped */

/*
 * A file in $TESTDIR of @size bytes; byte i is file_byte(i). Open for reading and writing, removed
 * when the test ends.
 */
int test_file(size_t size);
const char *test_file_path(void);
unsigned char file_byte(size_t i);
bool is_file_pattern(const void *data, size_t from, size_t len);
bool is_all(const void *data, int byte, size_t len);
int file_read_byte(int fd, off_t at); /* by pread; -1 at the end of file */
void file_write_byte(int fd, off_t at, int byte);

/* A byte access that may fault: what signal came, or sig 0. */
struct fault {
	int sig, code;
	void *addr;
};
struct fault try_read(const volatile void *at);
struct fault try_write(volatile void *at, int byte);
struct fault try_call(void (*fn)(void *), void *arg);
#define CHECK_FAULT(access, want_sig, want_code, want_addr)                                        \
	do {                                                                                       \
		struct fault f_ = (access);                                                        \
		if (f_.sig != (want_sig) || f_.code != (want_code) ||                              \
		    f_.addr != (void *)(want_addr))                                                \
			test_fail("line %d: %s: signal %d code %d addr %p, not %s %s %p",          \
			          __LINE__, #access, f_.sig, f_.code, f_.addr, #want_sig,          \
			          #want_code, (void *)(want_addr));                                \
	} while (0)
#define CHECK_NO_FAULT(access)                                                                     \
	do {                                                                                       \
		struct fault f_ = (access);                                                        \
		if (f_.sig)                                                                        \
			test_fail("line %d: %s: signal %d code %d addr %p", __LINE__, #access,     \
			          f_.sig, f_.code, f_.addr);                                       \
	} while (0)

/* Runs @fn in a child; returns its wait status. */
int in_child(void (*fn)(void *), void *arg);
/* The same, and the child must end with _exit(0) or by returning. */
void in_good_child(void (*fn)(void *), void *arg);

/* A line of /proc/self/maps. */
struct vma {
	unsigned long start, end, offset, inode;
	char perms[5];
	unsigned int major, minor;
	char name[256];
	char text[512];
};
bool vma_at(const void *addr, struct vma *v); /* the one that contains addr */
struct vma vma_of(const void *addr);          /* which must exist */
/* The mappings of [from, to) drawn: "rw-p:2 .:1 r--p:1", counts in pages, '.' a hole. */
const char *draw(const void *from, const void *to);
#define CHECK_MAP(from, pages, want)                                                               \
	do {                                                                                       \
		const char *got_ = draw((from), (char *)(from) + (pages)*page);                    \
		if (strcmp(got_, (want)))                                                          \
			test_fail("line %d: the map is \"%s\", not \"%s\"", __LINE__, got_,        \
			          (want));                                                         \
	} while (0)

/* Gives up root, for the checks that root passes. */
void become_nobody(void);

#endif
