/* SPDX-License-Identifier: MIT */
/* What mmap refuses, each with its errno; and what it allows although it looks the same. */
#include "guest.h"

#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

static unsigned long read_knob(const char *path)
{
	unsigned long value;
	FILE *f = fopen(path, "r");

	if (!f || fscanf(f, "%lu", &value) != 1)
		test_fail("cannot read %s: errno %d", path, errno);
	fclose(f);
	return value;
}

static void write_knob(const char *path, unsigned long value)
{
	FILE *f = fopen(path, "w");

	if (!f || fprintf(f, "%lu\n", value) < 0 || fclose(f))
		test_fail("cannot write %s: errno %d", path, errno);
}

static void limit(int which, rlim_t value)
{
	struct rlimit r = {value, value};

	CHECK(!setrlimit(which, &r));
}

TEST(offset_not_aligned_EINVAL)
{
	int fd = test_file(2 * page);

	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_PRIVATE, fd, 0x123), EINVAL);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, ANON, -1, 1), EINVAL);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_PRIVATE, -1, 1), EINVAL);
}

TEST(no_such_descriptor_EBADF)
{
	int fd = test_file(page);

	close(fd);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_SHARED, -1, 0), EBADF);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_SHARED, 1 << 20, 0), EBADF);
	CHECK_FAILS(raw_mmap(0, 0, PROT_READ, MAP_SHARED, -1, 0), EBADF);
}

TEST(anonymous_ignores_the_descriptor)
{
	CHECK(raw_mmap(0, page, PROT_READ, ANON, 1 << 20, 0) != MAP_FAILED);
	CHECK(raw_mmap(0, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, 12345, 0) != MAP_FAILED);
}

TEST(length_zero_EINVAL)
{
	int fd = test_file(page);

	CHECK_FAILS(raw_mmap(0, 0, PROT_READ, ANON, -1, 0), EINVAL);
	CHECK_FAILS(raw_mmap(0, 0, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
	CHECK_FAILS(raw_mmap(0, 0, PROT_READ, 0, fd, 0), EINVAL);
}

TEST(length_overflowing_ENOMEM)
{
	CHECK_FAILS(raw_mmap(0, ~0UL, PROT_READ, ANON, -1, 0), ENOMEM);
	CHECK_FAILS(raw_mmap(0, ~0UL - 100, PROT_READ, ANON, -1, 0), ENOMEM);
	CHECK_FAILS(raw_mmap(0, 1UL << 63, PROT_READ, ANON, -1, 0), ENOMEM);
}

TEST(offset_past_the_largest_file_EOVERFLOW)
{
	int fd = test_file(page);

	CHECK_FAILS(raw_mmap(0, 2 * page, PROT_READ, MAP_SHARED, fd, 0x7ffffffffffff000),
	            EOVERFLOW);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_PRIVATE, fd, 0xfffffffffffff000), EOVERFLOW);
}

TEST(neither_shared_nor_private_EINVAL)
{
	int fd = test_file(page);

	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, 0, fd, 0), EINVAL);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, 4, fd, 0), EINVAL);
}

TEST(anonymous_shared_validate_EINVAL)
{
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0),
	            EINVAL);
}

TEST(shared_validate_unknown_flag_EOPNOTSUPP)
{
	int fd = test_file(page);

	CHECK(raw_mmap(0, page, RW, MAP_SHARED_VALIDATE, fd, 0) != MAP_FAILED);
	CHECK_FAILS(raw_mmap(0, page, RW, MAP_SHARED_VALIDATE | 0x800000, fd, 0), EOPNOTSUPP);
	CHECK_FAILS(raw_mmap(0, page, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0), EOPNOTSUPP);
}

TEST(shared_ignores_unknown_flags)
{
	int fd = test_file(page);

	CHECK(raw_mmap(0, page, RW, MAP_SHARED | 0x800000, fd, 0) != MAP_FAILED);
	CHECK(raw_mmap(0, page, RW, MAP_PRIVATE | 0x800000, fd, 0) != MAP_FAILED);
}

TEST(old_flags_are_ignored)
{
	int fd = test_file(page);

	CHECK(raw_mmap(0, page, PROT_READ, MAP_PRIVATE | MAP_DENYWRITE | MAP_EXECUTABLE, fd, 0) !=
	      MAP_FAILED);
}

TEST(fixed_not_aligned_EINVAL)
{
	char *hole = map_reserved(4);

	CHECK_FAILS(raw_mmap((unsigned long)hole + 1, page, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK_FAILS(raw_mmap((unsigned long)hole + 1, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
	            EINVAL);
}

TEST(fixed_beyond_the_address_space_ENOMEM)
{
	/* 52 bits is the most that any arm64 kernel gives */
	CHECK_FAILS(raw_mmap(1UL << 52, page, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_FAILS(raw_mmap((1UL << 52) - page, 2 * page, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_FAILS(raw_mmap(~0UL << 52, page, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
}

TEST(fixed_below_mmap_min_addr_EPERM)
{
	CHECK(read_knob("/proc/sys/vm/mmap_min_addr") >= page);
	become_nobody();
	CHECK_FAILS(raw_mmap(0, page, RW, ANON | MAP_FIXED, -1, 0), EPERM);
}

TEST(root_may_map_page_zero)
{
	CHECK_EQ(raw_mmap(0, page, RW, ANON | MAP_FIXED, -1, 0), 0);
	CHECK_NO_FAULT(try_write((void *)8, 1));
}

TEST(hint_is_raised_to_mmap_min_addr)
{
	unsigned long min = read_knob("/proc/sys/vm/mmap_min_addr");
	unsigned long at = (unsigned long)raw_mmap(page, page, RW, ANON, -1, 0);

	/* a security module may ask for more than the knob says */
	CHECK(at >= min && at <= 65536);
}

TEST(hint_is_honoured_when_free)
{
	char *hole = map_reserved(8);

	CHECK_EQ(raw_mmap((unsigned long)hole + 2 * page, page, RW, ANON, -1, 0),
	         (unsigned long)hole + 2 * page);
	/* rounded down to a page */
	CHECK_EQ(raw_mmap((unsigned long)hole + 4 * page + 99, page, RW, ANON, -1, 0),
	         (unsigned long)hole + 4 * page);
}

TEST(hint_that_is_taken_gives_another_place)
{
	char *p = map_anon(2);
	char *q = raw_mmap((unsigned long)p, page, RW, ANON, -1, 0);

	CHECK(q != MAP_FAILED);
	CHECK(q + page <= p || q >= p + 2 * page);
}

TEST(mappings_grow_down_next_to_each_other)
{
	char *p = map(NULL, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *q = map(NULL, page, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK_EQ(q, p - page);
}

TEST(fixed_noreplace_over_a_mapping_EEXIST)
{
	char *p = map_anon(3);

	p[page] = 7;
	CHECK_FAILS(raw_mmap((unsigned long)p + page, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
	            EEXIST);
	CHECK_FAILS(
	    raw_mmap((unsigned long)p - page, 2 * page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
	    EEXIST);
	CHECK_EQ(p[page], 7);
}

TEST(fixed_noreplace_in_free_space)
{
	char *hole = map_reserved(2);

	CHECK_EQ(raw_mmap((unsigned long)hole, 2 * page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
	         hole);
}

TEST(fixed_replaces_what_was_there)
{
	int fd = test_file(page);
	char *p = map_anon(3);

	memset(p, 1, 3 * page);
	CHECK_EQ(map(p + page, page, RW, MAP_PRIVATE | MAP_FIXED, fd, 0), p + page);
	CHECK(is_file_pattern(p + page, 0, page));
	CHECK(is_all(p, 1, page));
	CHECK(is_all(p + 2 * page, 1, page));
}

TEST(fixed_that_fails_leaves_the_old_mapping)
{
	char *p = map_anon(3);
	int fd = test_file(page), wo;

	memset(p, 1, 3 * page);
	close(fd);
	wo = open(test_file_path(), O_WRONLY);
	CHECK(wo >= 0);
	CHECK_FAILS(raw_mmap((unsigned long)p, 3 * page, RW, MAP_PRIVATE | MAP_FIXED, wo, 0),
	            EACCES);
	CHECK(is_all(p, 1, 3 * page));
	CHECK_MAP(p, 3, "rw-p:3");
}

TEST(no_room_ENOMEM)
{
	CHECK_FAILS(raw_mmap(0, 1UL << 48, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
	CHECK_FAILS(raw_mmap(0, (1UL << 48) - page, PROT_NONE, ANON | MAP_NORESERVE, -1, 0),
	            ENOMEM);
}

TEST(shared_writable_of_read_only_file_EACCES)
{
	int fd = test_file(page), ro;

	close(fd);
	ro = open(test_file_path(), O_RDONLY);
	CHECK(ro >= 0);
	CHECK_FAILS(raw_mmap(0, page, RW, MAP_SHARED, ro, 0), EACCES);
	CHECK_FAILS(raw_mmap(0, page, PROT_WRITE, MAP_SHARED, ro, 0), EACCES);
	CHECK(raw_mmap(0, page, PROT_READ, MAP_SHARED, ro, 0) != MAP_FAILED);
}

TEST(write_only_file_EACCES)
{
	int fd = test_file(page), wo;

	close(fd);
	wo = open(test_file_path(), O_WRONLY);
	CHECK(wo >= 0);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	CHECK_FAILS(raw_mmap(0, page, PROT_WRITE, MAP_SHARED, wo, 0), EACCES);
	CHECK_FAILS(raw_mmap(0, page, PROT_NONE, MAP_SHARED, wo, 0), EACCES);
}

TEST(mprotect_never_adds_what_the_file_forbids_EACCES)
{
	int fd = test_file(page), ro;
	char *p;

	close(fd);
	ro = open(test_file_path(), O_RDONLY);
	p = map(NULL, page, PROT_READ, MAP_SHARED, ro, 0);
	CHECK_FAILS(mprotect(p, page, RW), EACCES);
	CHECK_FAULT(try_write(p, 1), SIGSEGV, SEGV_ACCERR, p);
}

TEST(directory_ENODEV)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
}

TEST(pipe_ENODEV)
{
	int fds[2];

	CHECK(!pipe(fds));
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_PRIVATE, fds[0], 0), ENODEV);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_PRIVATE, fds[1], 0), EACCES);
}

TEST(dev_null_ENODEV)
{
	int fd = open("/dev/null", O_RDWR);

	CHECK(fd >= 0);
	CHECK_FAILS(raw_mmap(0, page, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
}

TEST(growsdown_of_a_file_EINVAL)
{
	int fd = test_file(page);

	CHECK_FAILS(raw_mmap(0, page, RW, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0), EINVAL);
	CHECK_FAILS(raw_mmap(0, page, RW, MAP_SHARED | MAP_GROWSDOWN, fd, 0), EINVAL);
}

TEST(growsdown_shared_anonymous_EINVAL)
{
	CHECK_FAILS(raw_mmap(0, page, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0),
	            EINVAL);
}

TEST(locked_without_the_right_EPERM)
{
	limit(RLIMIT_MEMLOCK, 0);
	become_nobody();
	CHECK_FAILS(raw_mmap(0, page, RW, ANON | MAP_LOCKED, -1, 0), EPERM);
}

TEST(locked_over_the_limit_EAGAIN)
{
	limit(RLIMIT_MEMLOCK, 2 * page);
	become_nobody();
	CHECK_FAILS(raw_mmap(0, 3 * page, RW, ANON | MAP_LOCKED, -1, 0), EAGAIN);
	CHECK(raw_mmap(0, 2 * page, RW, ANON | MAP_LOCKED, -1, 0) != MAP_FAILED);
	CHECK_FAILS(raw_mmap(0, page, RW, ANON | MAP_LOCKED, -1, 0), EAGAIN);
}

TEST(address_space_limit_ENOMEM)
{
	limit(RLIMIT_AS, 64UL << 20);
	CHECK_FAILS(raw_mmap(0, 128UL << 20, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
	CHECK(raw_mmap(0, 1UL << 20, PROT_NONE, ANON, -1, 0) != MAP_FAILED);
}

TEST(address_space_limit_counts_not_what_is_replaced)
{
	char *p = map_anon(4096);

	limit(RLIMIT_AS, 24UL << 20);
	CHECK_FAILS(raw_mmap(0, 4096 * page, RW, ANON, -1, 0), ENOMEM);
	CHECK_EQ(raw_mmap((unsigned long)p, 4096 * page, RW, ANON | MAP_FIXED, -1, 0), p);
}

TEST(data_limit_ENOMEM)
{
	limit(RLIMIT_DATA, 8UL << 20);
	CHECK_FAILS(raw_mmap(0, 16UL << 20, RW, ANON, -1, 0), ENOMEM);
	CHECK(raw_mmap(0, 16UL << 20, PROT_READ, ANON, -1, 0) != MAP_FAILED);
	CHECK(raw_mmap(0, 16UL << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

TEST(obvious_overcommit_ENOMEM)
{
	CHECK_EQ(read_knob("/proc/sys/vm/overcommit_memory"), 0);
	CHECK_FAILS(raw_mmap(0, 1UL << 42, RW, ANON, -1, 0), ENOMEM);
	CHECK(raw_mmap(0, 1UL << 42, RW, ANON | MAP_NORESERVE, -1, 0) != MAP_FAILED);
	CHECK(raw_mmap(0, 1UL << 42, PROT_READ, ANON, -1, 0) != MAP_FAILED);
}

TEST(too_many_mappings_ENOMEM)
{
	const char *knob = "/proc/sys/vm/max_map_count";
	unsigned long old = read_knob(knob);
	char *p = map(NULL, 400 * page, PROT_NONE, ANON, -1, 0);
	int i, made = 0, error = 0;

	write_knob(knob, 60);
	for (i = 0; i < 200 && !error; i++) {
		if (raw_mmap((unsigned long)p + 2 * i * page, page, PROT_READ, ANON | MAP_FIXED, -1,
		             0) == MAP_FAILED)
			error = errno;
		else
			made++;
	}
	write_knob(knob, old);
	CHECK_EQ(error, ENOMEM);
	CHECK(made > 5 && made < 40);
	CHECK_EQ(read_knob(knob), old);
}

TEST(exec_of_a_noexec_mount_EPERM)
{
	char path[] = "/tmp/noexecXXXXXX", name[64];
	void *p, *q;
	int fd, error;

	CHECK(mkdtemp(path));
	CHECK(!mount("none", path, "tmpfs", MS_NOEXEC, NULL));
	snprintf(name, sizeof(name), "%s/file", path);
	fd = open(name, O_RDWR | O_CREAT, 0755);
	CHECK(fd >= 0 && !ftruncate(fd, page));
	p = raw_mmap(0, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	error = errno;
	q = raw_mmap(0, page, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	CHECK(q != MAP_FAILED);
	CHECK_FAILS(mprotect(q, page, PROT_READ | PROT_EXEC), EACCES);
	munmap(q, page);
	CHECK(!umount(path));
	rmdir(path);
	CHECK(p == MAP_FAILED);
	CHECK_EQ(error, EPERM);
}

TEST(sealed_memfd_EPERM)
{
	int fd = syscall(SYS_memfd_create, "sealed", 2 /* MFD_ALLOW_SEALING */);

	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, page));
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK_FAILS(raw_mmap(0, page, RW, MAP_SHARED, fd, 0), EPERM);
	CHECK(raw_mmap(0, page, RW, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	CHECK(raw_mmap(0, page, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
}

TEST(a_writable_shared_mapping_forbids_the_seal_EBUSY)
{
	int fd = syscall(SYS_memfd_create, "sealed", 2);
	void *p;

	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, page));
	p = map(NULL, page, RW, MAP_SHARED, fd, 0);
	CHECK_FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK(!munmap(p, page));
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

TEST(seals_of_write_shrink_and_grow_EPERM)
{
	int fd = syscall(SYS_memfd_create, "sealed", 2);
	char *p;

	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, 2 * page));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_FAILS(ftruncate(fd, page), EPERM);
	CHECK_FAILS(ftruncate(fd, 3 * page), EPERM);
	CHECK_FAILS(pwrite(fd, "x", 1, 2 * page), EPERM);
	CHECK_EQ(pwrite(fd, "x", 1, page), 1);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	CHECK_FAILS(pwrite(fd, "y", 1, page), EPERM);
	CHECK_FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	p = map(NULL, page, PROT_READ, MAP_SHARED, fd, page);
	CHECK_EQ(p[0], 'x');
	CHECK_FAILS(mprotect(p, page, RW), EACCES);
}

TEST(memfd_without_sealing_EPERM)
{
	int fd = syscall(SYS_memfd_create, "plain", 0);

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
}

static int sealable(const char *name, size_t size)
{
	int fd = syscall(SYS_memfd_create, name, 2 /* MFD_ALLOW_SEALING */);

	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, size));
	return fd;
}

TEST(seal_shrink_EPERM)
{
	int fd = sealable("shrink", 2 * page);

	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	CHECK_FAILS(ftruncate(fd, page), EPERM);
	CHECK(!ftruncate(fd, 2 * page));
	CHECK(!ftruncate(fd, 3 * page));
	CHECK_EQ(pwrite(fd, "x", 1, 4 * page), 1);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK);
}

TEST(seal_grow_EPERM)
{
	int fd = sealable("grow", page + 10);
	long step = 2 << 20;
	char *bytes = calloc(2, step);

	CHECK(bytes);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_FAILS(ftruncate(fd, 2 * page), EPERM);
	CHECK_FAILS(fallocate(fd, 0, 0, 2 * page), EPERM);
	CHECK_FAILS(fallocate(fd, FALLOC_FL_KEEP_SIZE, page, page), EPERM);
	CHECK(!fallocate(fd, 0, 0, page + 10));
	CHECK_FAILS(pwrite(fd, "x", 1, page + 10), EPERM);
	CHECK_FAILS(pwrite(fd, bytes, 20, page), EPERM);
	CHECK_EQ(pwrite(fd, bytes, 10, page), 10);
	CHECK_FAILS(pwrite(fd, bytes, 3 * page, 0), EPERM);
	CHECK_EQ(lseek(fd, 0, SEEK_END), page + 10);
	CHECK(!ftruncate(fd, page));
	/* step by step, up to the one that would grow it */
	fd = sealable("steps", step + page);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_EQ(pwrite(fd, bytes, 2 * step, 0), step);
	CHECK_FAILS(pwrite(fd, bytes, step, step), EPERM);
}

TEST(seal_write_EPERM)
{
	int fd = sealable("write", 2 * page), file = test_file(page);
	struct iovec v = {"xy", 2};
	loff_t at = 0;
	char *p, *q;

	q = map(NULL, page, RW, MAP_PRIVATE, fd, 0);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK_FAILS(write(fd, "x", 1), EPERM);
	CHECK_EQ(write(fd, "x", 0), 0);
	CHECK_FAILS(pwritev(fd, &v, 1, 0), EPERM);
	CHECK_FAILS(sendfile(fd, file, &at, 10), EPERM);
	CHECK_FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, page), EPERM);
	CHECK_FAILS(raw_mmap(0, page, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	p = map(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_FAILS(mprotect(p, page, RW), EACCES);
	CHECK(!mprotect(p, page, PROT_READ | PROT_EXEC));
	q[0] = 'q';
	CHECK_EQ(p[0], 0);
	CHECK(!ftruncate(fd, page)); /* other seals forbid that */
	CHECK(!ftruncate(fd, 2 * page));
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

TEST(seal_future_write_EPERM)
{
	int fd = sealable("future", 2 * page);
	char *p = map(NULL, page, RW, MAP_SHARED, fd, 0), *q;

	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	p[0] = 'x'; /* what was there, goes on */
	CHECK(!mprotect(p, page, PROT_READ));
	CHECK(!mprotect(p, page, RW));
	CHECK_FAILS(pwrite(fd, "y", 1, 0), EPERM);
	CHECK_FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, page), EPERM);
	CHECK_FAILS(raw_mmap(0, page, RW, MAP_SHARED, fd, 0), EPERM);
	CHECK_FAILS(raw_mmap((unsigned long)p + page, page, RW, MAP_SHARED | MAP_FIXED, fd, page),
	            EPERM);
	q = map(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_EQ(q[0], 'x');
	CHECK_FAILS(mprotect(q, page, RW), EACCES);
	CHECK_FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_FUTURE_WRITE);
	CHECK(!munmap(p, page));
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

TEST(seal_exec_EPERM)
{
	int fd = syscall(SYS_memfd_create, "noexec", 8 /* MFD_NOEXEC_SEAL */);
	struct stat st;

	CHECK(fd >= 0 && !fstat(fd, &st));
	CHECK_EQ(st.st_mode & 0777, 0666);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_EXEC);
	CHECK_FAILS(fchmod(fd, 0777), EPERM);
	CHECK(!fchmod(fd, 0600));
	CHECK_EQ(write(fd, "x", 1), 1);
	/* with x bits, it takes all that changes the bytes along */
	fd = sealable("exec", page);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC));
	CHECK_EQ(fcntl(fd, F_GET_SEALS),
	         F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
	CHECK_FAILS(fchmod(fd, 0600), EPERM);
	CHECK_FAILS(write(fd, "x", 1), EPERM);
	CHECK_FAILS(raw_mmap(0, page, RW, MAP_SHARED, fd, 0), EPERM);
}

TEST(seals_of_what_cannot_be_sealed)
{
	int fd = sealable("sealed", page), pipes[2], reader;
	char name[64];

	CHECK(!pipe(pipes));
	CHECK_FAILS(fcntl(pipes[1], F_GET_SEALS), EINVAL);
	CHECK_FAILS(fcntl(pipes[1], F_ADD_SEALS, F_SEAL_WRITE), EINVAL);
	CHECK_FAILS(fcntl(fd, F_ADD_SEALS, 0x40), EINVAL);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	reader = open(name, O_RDONLY);
	CHECK(reader >= 0);
	CHECK_FAILS(fcntl(reader, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	CHECK_EQ(fcntl(reader, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
	CHECK_FAILS(syscall(SYS_memfd_create, "both", 8 | 16 /* MFD_EXEC */), EINVAL);
	CHECK_FAILS(syscall(SYS_memfd_create, "unknown", 0x20), EINVAL);
}

TEST(hugetlb_without_huge_pages)
{
	errno = 0;
	CHECK(raw_mmap(0, 2UL << 20, RW, ANON | MAP_HUGETLB, -1, 0) == MAP_FAILED);
	/* a Linux that has none reserved, and a Linux that was built without */
	CHECK(errno == ENOMEM || errno == EINVAL);
}

TEST(refusal_leaves_nothing_behind)
{
	unsigned int before, after;
	int fd = test_file(page);

	before = vmas_between(NULL, (void *)(1UL << 48));
	CHECK_FAILS(raw_mmap(0, 0, RW, ANON, -1, 0), EINVAL);
	CHECK_FAILS(raw_mmap(0, page, RW, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0), EINVAL);
	CHECK_FAILS(raw_mmap(0, 1UL << 42, RW, ANON, -1, 0), ENOMEM);
	after = vmas_between(NULL, (void *)(1UL << 48));
	CHECK_EQ(before, after);
}
