/* SPDX-License-Identifier: MIT */
/* brk, msync, mincore, madvise(DONTNEED), populate and locking. */
#include "guest.h"

#include <sys/sendfile.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static unsigned long raw_brk(unsigned long to)
{
	return syscall(SYS_brk, to);
}

TEST(brk_grows_and_shrinks)
{
	unsigned long start = raw_brk(0), base = (start + page - 1) & -page;

	CHECK_EQ(raw_brk(base + 3 * page), base + 3 * page);
	CHECK(is_all((char *)base, 0, 3 * page));
	memset((char *)base, 1, 3 * page);
	CHECK_EQ(raw_brk(base + page), base + page);
	CHECK_FAULT(try_read((char *)base + page), SIGSEGV, SEGV_MAPERR, base + page);
	CHECK_EQ(raw_brk(base + 3 * page), base + 3 * page);
	CHECK(is_all((char *)base, 1, page));
	CHECK(is_all((char *)base + page, 0, 2 * page));
}

TEST(brk_by_bytes)
{
	unsigned long base = (raw_brk(0) + page - 1) & -page;

	CHECK_EQ(raw_brk(base + 1), base + 1);
	CHECK_NO_FAULT(try_write((char *)base + page - 1, 1));
	CHECK_EQ(raw_brk(base + 100), base + 100);
}

TEST(brk_that_cannot_says_where_it_is)
{
	unsigned long now = raw_brk(0);

	CHECK_EQ(raw_brk(0), now);
	CHECK_EQ(raw_brk(1), now);
	CHECK_EQ(raw_brk(1UL << 47), now);
	CHECK_EQ(raw_brk(~0UL), now);
}

TEST(brk_stops_at_a_mapping)
{
	unsigned long base = (raw_brk(0) + page - 1) & -page;

	map((void *)(base + 4 * page), page, PROT_NONE, ANON | MAP_FIXED, -1, 0);
	CHECK_EQ(raw_brk(base + 2 * page), base + 2 * page);
	CHECK_EQ(raw_brk(base + 5 * page), base + 2 * page);
}

TEST(brk_obeys_the_data_limit)
{
	struct rlimit r = {4UL << 20, 4UL << 20};
	unsigned long now = raw_brk(0);

	CHECK(!setrlimit(RLIMIT_DATA, &r));
	CHECK_EQ(raw_brk(now + (8UL << 20)), now);
	CHECK_EQ(raw_brk(now + page), now + page);
}

TEST(msync_refusals)
{
	char *p = map_reserved(3);

	map(p, page, RW, ANON | MAP_FIXED, -1, 0);
	map(p + 2 * page, page, RW, ANON | MAP_FIXED, -1, 0);
	CHECK_FAILS(msync(p + 1, page, MS_SYNC), EINVAL);
	CHECK_FAILS(msync(p, page, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_FAILS(msync(p, page, 8), EINVAL);
	CHECK_FAILS(msync(p, 3 * page, MS_SYNC), ENOMEM);
	CHECK_FAILS(msync(p + page, page, MS_ASYNC), ENOMEM);
	CHECK_FAILS(syscall(SYS_msync, p, ~0UL - 2 * page, MS_SYNC), ENOMEM);
	CHECK(!msync(p, page, MS_SYNC));
	CHECK(!msync(p, page, MS_ASYNC | MS_INVALIDATE));
	CHECK(!msync(p, 0, MS_SYNC));
}

TEST(msync_of_a_shared_file)
{
	int fd = test_file(4 * page);
	char *p = map(NULL, 4 * page, RW, MAP_SHARED, fd, 0);

	p[3 * page] = 1;
	CHECK(!msync(p, 4 * page, MS_SYNC));
	p[3 * page] = 2;
	CHECK(!msync(p, 4 * page, MS_ASYNC));
	CHECK(!msync(p, 4 * page, MS_SYNC | MS_INVALIDATE));
	CHECK_EQ(p[3 * page], 2);
	CHECK_EQ(file_read_byte(fd, 3 * page), 2);
}

TEST(msync_across_a_hole_does_the_rest)
{
	int fd = test_file(3 * page);
	char *p = map(NULL, 3 * page, RW, MAP_SHARED, fd, 0);

	CHECK(!munmap(p + page, page));
	p[0] = p[2 * page] = 7;
	CHECK_FAILS(msync(p, 3 * page, MS_SYNC), ENOMEM);
	CHECK_EQ(file_read_byte(fd, 2 * page), 7);
}

TEST(fsync_after_mapped_writes)
{
	int fd = test_file(2 * page);
	char *p = map(NULL, 2 * page, RW, MAP_SHARED, fd, 0);

	p[page] = 3;
	CHECK(!fsync(fd));
	CHECK(!fdatasync(fd));
	p[page] = 4;
	CHECK_EQ(file_read_byte(fd, page), 4);
}

TEST(mincore_of_anonymous_memory)
{
	unsigned char *p = (void *)map_anon(4), vec[4] = {9, 9, 9, 9};

	p[page] = 1;
	p[3 * page] = 1;
	CHECK(!mincore(p, 4 * page, vec));
	CHECK_EQ(vec[0] & 1, 0);
	CHECK_EQ(vec[1] & 1, 1);
	CHECK_EQ(vec[2] & 1, 0);
	CHECK_EQ(vec[3] & 1, 1);
}

TEST(mincore_of_a_file_in_the_cache)
{
	int fd = test_file(3 * page);
	unsigned char vec[3] = {0};
	char *p = map(NULL, 3 * page, RW, MAP_SHARED, fd, 0);

	memset(p, 1, 3 * page);
	CHECK(!mincore(p, 2 * page + 1, vec));
	CHECK_EQ(vec[0] & vec[1] & vec[2] & 1, 1);
}

TEST(mincore_refusals)
{
	unsigned char vec[4];
	char *p = map_reserved(3);

	map(p, page, RW, ANON | MAP_FIXED, -1, 0);
	map(p + 2 * page, page, RW, ANON | MAP_FIXED, -1, 0);
	CHECK_FAILS(mincore(p + 1, page, vec), EINVAL);
	CHECK_FAILS(mincore(p, 3 * page, vec), ENOMEM);
	CHECK_FAILS(mincore(p, page, (void *)(p + page)), EFAULT);
	CHECK_FAILS(syscall(SYS_mincore, p, 1UL << 60, vec), ENOMEM);
	CHECK(!mincore(p, 0, vec));
}

TEST(dontneed_of_anonymous_memory_reads_zero)
{
	char *p = map_anon(4);

	memset(p, 1, 4 * page);
	CHECK(!madvise(p + page, 2 * page, MADV_DONTNEED));
	CHECK(is_all(p, 1, page));
	CHECK(is_all(p + page, 0, 2 * page));
	CHECK(is_all(p + 3 * page, 1, page));
	p[page] = 3;
	CHECK_EQ(p[page], 3);
}

TEST(dontneed_of_a_private_file_reads_the_file_again)
{
	int fd = test_file(2 * page);
	char *p = map(NULL, 2 * page, RW, MAP_PRIVATE, fd, 0);

	memset(p, 1, 2 * page);
	CHECK(!madvise(p, page, MADV_DONTNEED));
	CHECK(is_file_pattern(p, 0, page));
	CHECK(is_all(p + page, 1, page));
}

TEST(dontneed_of_shared_memory_keeps_it)
{
	int fd = test_file(page);
	char *s = map(NULL, page, RW, MAP_SHARED, fd, 0), *a = map_anon_shared(1);

	s[0] = a[0] = 7;
	CHECK(!madvise(s, page, MADV_DONTNEED));
	CHECK(!madvise(a, page, MADV_DONTNEED));
	CHECK_EQ(s[0], 7);
	CHECK_EQ(a[0], 7);
	CHECK_EQ(file_read_byte(fd, 0), 7);
}

TEST(madvise_refusals)
{
	char *p = map_reserved(3);

	map(p, page, RW, ANON | MAP_FIXED, -1, 0);
	map(p + 2 * page, page, RW, ANON | MAP_FIXED, -1, 0);
	p[0] = p[2 * page] = 1;
	CHECK_FAILS(madvise(p + 1, page, MADV_DONTNEED), EINVAL);
	CHECK_FAILS(madvise(p, page, 12345), EINVAL);
	CHECK_FAILS(syscall(SYS_madvise, p, ~0UL, MADV_DONTNEED), EINVAL);
	CHECK(!madvise(p, 0, MADV_DONTNEED));
	CHECK_EQ(p[0], 1);
	/* a hole is an error, but the rest is done */
	CHECK_FAILS(madvise(p, 3 * page, MADV_DONTNEED), ENOMEM);
	CHECK_EQ(p[0], 0);
	CHECK_EQ(p[2 * page], 0);
}

TEST(populate_has_the_pages_there)
{
	char *p = map(NULL, 8 * page, RW, ANON | MAP_POPULATE, -1, 0);
	unsigned char vec[8] = {0};
	int i;

	CHECK(!mincore(p, 8 * page, vec));
	for (i = 0; i < 8; i++)
		CHECK_EQ(vec[i] & 1, 1);
	CHECK(is_all(p, 0, 8 * page));
}

TEST(populate_of_a_file)
{
	int fd = test_file(4 * page);
	char *p = map(NULL, 6 * page, RW, MAP_SHARED | MAP_POPULATE, fd, 0);

	CHECK(is_file_pattern(p, 0, 4 * page));
	CHECK_FAULT(try_read(p + 4 * page), SIGBUS, BUS_ADRERR, p + 4 * page);
}

TEST(locked_mapping_has_the_pages_there)
{
	char *p = map(NULL, 3 * page, RW, ANON | MAP_LOCKED, -1, 0);
	unsigned char vec[3] = {0};

	CHECK(!mincore(p, 3 * page, vec));
	CHECK_EQ(vec[0] & vec[1] & vec[2] & 1, 1);
	CHECK_FAILS(madvise(p, page, MADV_DONTNEED), EINVAL);
}

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

/* Its file has pages, but neither read nor write. */
TEST(secret_memory_cannot_be_copied_by_the_kernel)
{
	int fd = test_file(page), secret = (int)syscall(SYS_memfd_secret, 0);

	if (secret < 0)
		return; /* not built in, or not switched on */
	CHECK(!ftruncate(secret, page));
	CHECK_EQ(copy_file_range(secret, NULL, fd, NULL, page, 0), -1);
	CHECK_EQ(copy_file_range(fd, NULL, secret, NULL, page, 0), -1);
	CHECK_FAILS(sendfile(fd, secret, NULL, page), EINVAL);
}

/* tmpfs and Linux's 9p both take any length at any place. */
TEST(direct_io_is_seen_by_everybody)
{
	int fd = test_file(2 * page), direct = open(test_file_path(), O_RDWR | O_DIRECT);
	char *p = map(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 0), buf[100];

	CHECK(direct >= 0);
	CHECK_EQ(fcntl(direct, F_GETFL) & O_DIRECT, O_DIRECT);
	CHECK_EQ(p[10], (char)file_byte(10));
	CHECK_EQ(pwrite(direct, "direct", 6, 10), 6);
	CHECK(!memcmp(p + 10, "direct", 6));
	CHECK_EQ(pread(direct, buf, sizeof(buf), 0), sizeof(buf));
	CHECK(!memcmp(buf + 10, "direct", 6));
	CHECK(!fcntl(fd, F_SETFL, O_DIRECT));
	CHECK_EQ(pread(fd, buf, 6, 10), 6);
	CHECK(!memcmp(buf, "direct", 6));
	CHECK_FAILS(open("/proc/self/stat", O_RDONLY | O_DIRECT), EINVAL);
}

static const char *test_dir(void)
{
	const char *dir = getenv("TESTDIR");

	return dir && *dir ? dir : "/tmp";
}

static int open_nameless(int flags)
{
	return open(test_dir(), O_RDWR | O_TMPFILE | flags, 0600);
}

TEST(nameless_file_gets_a_name_unless_O_EXCL)
{
	int fd = open_nameless(0), excl = open_nameless(O_EXCL);
	char from[64], to[300];

	if (fd < 0) { /* 9p has none */
		CHECK_EQ(errno, EOPNOTSUPP);
		return;
	}
	snprintf(to, sizeof(to), "%s/named-%d", test_dir(), getpid());
	snprintf(from, sizeof(from), "/proc/self/fd/%d", excl);
	CHECK_FAILS(linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW), ENOENT);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	CHECK(!linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW));
	CHECK(!unlink(to));
}
