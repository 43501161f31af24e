/* SPDX-License-Identifier: MIT */
/* splice, tee and vmsplice: bytes between pipes and files. */
#include "guest.h"

#include <sys/uio.h>

#ifndef SPLICE_F_NONBLOCK
#define SPLICE_F_NONBLOCK 2
#endif

static void make_pipe(int *fds)
{
	CHECK(!pipe(fds));
}

static bool pipe_has(int fd, size_t from, size_t len)
{
	char *buf = malloc(len);
	size_t done = 0;
	bool same;

	while (done < len) {
		ssize_t n = read(fd, buf + done, len - done);

		CHECK(n > 0);
		done += (size_t)n;
	}
	same = is_file_pattern(buf, from, len);
	free(buf);
	return same;
}

TEST(splice_from_a_file)
{
	int fd = test_file(100000), p[2];
	off_t at = 5000;
	ssize_t got;

	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	make_pipe(p);
	CHECK_EQ(splice(fd, NULL, p[1], NULL, 10000, 0), 10000);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10000);
	CHECK(pipe_has(p[0], 0, 10000));
	/* at a place of its own */
	CHECK_EQ(splice(fd, &at, p[1], NULL, 777, 0), 777);
	CHECK_EQ(at, 5777);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10000);
	CHECK(pipe_has(p[0], 5000, 777));
	/* no more than the pipe holds, and at the end nothing */
	got = splice(fd, NULL, p[1], NULL, 90000, 0);
	CHECK(got > 60000 && got <= 65536);
	CHECK(pipe_has(p[0], 10000, got));
	at = 100000;
	CHECK_EQ(splice(fd, &at, p[1], NULL, 10, 0), 0);
}

TEST(splice_to_a_file)
{
	int fd = test_file(3000), p[2];
	char text[] = "the bytes that go";
	off_t at = 1000;
	char c;

	make_pipe(p);
	CHECK_EQ(write(p[1], text, sizeof(text)), sizeof(text));
	CHECK_EQ(splice(p[0], NULL, fd, &at, 5, 0), 5);
	CHECK_EQ(at, 1005);
	CHECK_EQ(file_read_byte(fd, 1000), 't');
	CHECK_EQ(file_read_byte(fd, 1004), 'b');
	CHECK_EQ(file_read_byte(fd, 1005), file_byte(1005));
	/* all that is there, at the file's own position */
	CHECK_EQ(lseek(fd, 2990, SEEK_SET), 2990);
	CHECK_EQ(splice(p[0], NULL, fd, NULL, 1000, 0), sizeof(text) - 5);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2990 + sizeof(text) - 5);
	CHECK_EQ(file_read_byte(fd, 2990), 'y');
	CHECK_FAILS(splice(p[0], NULL, fd, NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	close(p[1]);
	CHECK_EQ(splice(p[0], NULL, fd, NULL, 10, 0), 0);
	CHECK_EQ(read(p[0], &c, 1), 0);
}

TEST(splice_between_pipes)
{
	int a[2], b[2];
	char buf[16] = "";

	make_pipe(a);
	make_pipe(b);
	CHECK_EQ(write(a[1], "0123456789", 10), 10);
	CHECK_EQ(splice(a[0], NULL, b[1], NULL, 4, 0), 4);
	CHECK_EQ(splice(a[0], NULL, b[1], NULL, 100, 0), 6);
	CHECK_EQ(read(b[0], buf, sizeof(buf)), 10);
	CHECK(!memcmp(buf, "0123456789", 10));
	CHECK_FAILS(splice(a[0], NULL, b[1], NULL, 4, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_FAILS(splice(a[0], NULL, a[1], NULL, 4, 0), EINVAL);
}

TEST(tee_leaves_what_it_copies)
{
	int a[2], b[2];
	char buf[16] = "";

	make_pipe(a);
	make_pipe(b);
	CHECK_EQ(write(a[1], "0123456789", 10), 10);
	CHECK_EQ(tee(a[0], b[1], 6, 0), 6);
	CHECK_EQ(read(b[0], buf, sizeof(buf)), 6);
	CHECK(!memcmp(buf, "012345", 6));
	CHECK_EQ(read(a[0], buf, sizeof(buf)), 10);
	CHECK(!memcmp(buf, "0123456789", 10));
	CHECK_FAILS(tee(a[0], b[1], 6, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_FAILS(tee(a[0], a[1], 6, 0), EINVAL);
	close(a[1]);
	CHECK_EQ(tee(a[0], b[1], 6, 0), 0);
}

TEST(vmsplice_both_ways)
{
	char one[] = "one", two[] = "two", got[8] = "";
	struct iovec iov[2] = {{one, 3}, {two, 3}}, in = {got, sizeof(got)};
	int p[2];

	make_pipe(p);
	CHECK_EQ(vmsplice(p[1], iov, 2, 0), 6);
	CHECK_EQ(vmsplice(p[0], &in, 1, 0), 6);
	CHECK(!memcmp(got, "onetwo", 6));
	CHECK_FAILS(vmsplice(p[0], &in, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_FAILS(vmsplice(test_file(10), iov, 2, 0), EBADF);
	CHECK_FAILS(vmsplice(p[1], iov, 2, 0x100), EINVAL);
	CHECK_EQ(vmsplice(p[1], iov, 0, 0), 0);
}

/* It waits for bytes, and for room. */
static void child_writes_late(void *arg)
{
	int *p = arg;

	usleep(50000);
	CHECK_EQ(write(p[1], "late", 4), 4);
}

TEST(splice_waits_for_bytes)
{
	int fd = test_file(10), p[2], status;
	pid_t pid;

	make_pipe(p);
	pid = fork();
	if (!pid) {
		child_writes_late(p);
		_exit(0);
	}
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(splice(p[0], NULL, fd, NULL, 100, 0), 4);
	CHECK_EQ(file_read_byte(fd, 0), 'l');
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

TEST(splice_refusals)
{
	int fd = test_file(10), p[2], app;
	off_t at = 0, negative = -1;

	make_pipe(p);
	CHECK_EQ(splice(fd, NULL, fd, NULL, 0, 0), 0);
	CHECK_FAILS(splice(fd, NULL, fd, NULL, 1, 0), EINVAL);
	CHECK_FAILS(splice(-1, NULL, p[1], NULL, 1, 0), EBADF);
	CHECK_FAILS(splice(fd, NULL, 99, NULL, 1, 0), EBADF);
	CHECK_FAILS(splice(p[1], NULL, fd, NULL, 1, 0), EBADF);
	CHECK_FAILS(splice(fd, NULL, p[0], NULL, 1, 0), EBADF);
	CHECK_FAILS(splice(fd, NULL, p[1], &at, 1, 0), ESPIPE);
	CHECK_FAILS(splice(p[0], &at, fd, NULL, 1, 0), ESPIPE);
	CHECK_FAILS(splice(fd, &negative, p[1], NULL, 1, 0), EINVAL);
	CHECK_FAILS(splice(fd, NULL, p[1], NULL, 1, 0x100), EINVAL);
	app = open(test_file_path(), O_WRONLY | O_APPEND);
	CHECK(app >= 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_FAILS(splice(p[0], NULL, app, NULL, 1, 0), EINVAL);
	CHECK_FAILS(tee(fd, p[1], 1, 0), EINVAL);
	signal(SIGPIPE, SIG_IGN);
	close(p[0]);
	CHECK_FAILS(splice(fd, NULL, p[1], NULL, 1, 0), EPIPE);
}
