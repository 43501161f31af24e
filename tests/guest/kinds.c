/* SPDX-License-Identifier: MIT */
/* The four kinds of mapping, to the byte. */
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)

TEST(private_file_starts_as_the_file)
{
	int fd = test_file(3 * page);
	char *p = map(NULL, 3 * page, RW, MAP_PRIVATE, fd, 0);

	CHECK(is_file_pattern(p, 0, 3 * page));
}

TEST(private_file_write_is_not_seen_by_read)
{
	int fd = test_file(2 * page);
	char *p = map(NULL, 2 * page, RW, MAP_PRIVATE, fd, 0);

	p[10] = ~p[10];
	p[page + 1] = ~p[page + 1];
	CHECK_EQ(file_read_byte(fd, 10), file_byte(10));
	CHECK_EQ(file_read_byte(fd, page + 1), file_byte(page + 1));
	CHECK(!msync(p, 2 * page, MS_SYNC));
	CHECK(!munmap(p, 2 * page));
	CHECK_EQ(file_read_byte(fd, 10), file_byte(10));
}

TEST(private_file_write_is_not_seen_by_other_mappings)
{
	int fd = test_file(page);
	unsigned char *p = (void *)map(NULL, page, RW, MAP_PRIVATE, fd, 0);
	unsigned char *q = (void *)map(NULL, page, RW, MAP_PRIVATE, fd, 0);
	unsigned char *s = (void *)map(NULL, page, PROT_READ, MAP_SHARED, fd, 0);

	p[0] = 0xee;
	CHECK_EQ(p[0], 0xee);
	CHECK_EQ(q[0], file_byte(0));
	CHECK_EQ(s[0], file_byte(0));
	CHECK(is_file_pattern(p + 1, 1, page - 1));
}

TEST(private_file_shows_later_writes_in_pages_not_copied)
{
	int fd = test_file(2 * page);
	unsigned char *p = (void *)map(NULL, 2 * page, RW, MAP_PRIVATE, fd, 0);

	CHECK_EQ(p[5], file_byte(5));
	p[page + 5] = 1;
	file_write_byte(fd, 5, 0xaa);
	file_write_byte(fd, page + 5, 0xbb);
	file_write_byte(fd, page + 6, 0xbb);
	CHECK_EQ(p[5], 0xaa);
	CHECK_EQ(p[page + 5], 1);
	CHECK_EQ(p[page + 6], file_byte(page + 6));
}

TEST(shared_file_write_is_seen_by_read_at_once)
{
	int fd = test_file(2 * page);
	unsigned char *p = (void *)map(NULL, 2 * page, RW, MAP_SHARED, fd, 0);

	p[0] = 0x11;
	p[2 * page - 1] = 0x22;
	CHECK_EQ(file_read_byte(fd, 0), 0x11);
	CHECK_EQ(file_read_byte(fd, 2 * page - 1), 0x22);
	CHECK_EQ(file_read_byte(fd, 1), file_byte(1));
}

TEST(write_is_seen_by_shared_mapping_at_once)
{
	int fd = test_file(2 * page);
	unsigned char *p = (void *)map(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 0);

	CHECK_EQ(p[100], file_byte(100));
	file_write_byte(fd, 100, 0x33);
	file_write_byte(fd, page + 100, 0x44);
	CHECK_EQ(p[100], 0x33);
	CHECK_EQ(p[page + 100], 0x44);
}

TEST(write_across_pages_is_seen_by_shared_mapping)
{
	int fd = test_file(3 * page);
	unsigned char *p = (void *)map(NULL, 3 * page, PROT_READ, MAP_SHARED, fd, 0);
	char data[6000];

	memset(data, 0x5a, sizeof(data));
	CHECK_EQ(p[page], file_byte(page));
	CHECK_EQ(pwrite(fd, data, sizeof(data), page - 1000), sizeof(data));
	CHECK(is_all(p + page - 1000, 0x5a, sizeof(data)));
	CHECK(is_file_pattern(p, 0, page - 1000));
	CHECK(is_file_pattern(p + page + 5000, page + 5000, 2 * page - 5000));
}

TEST(two_shared_mappings_of_a_file_are_one)
{
	int fd = test_file(2 * page);
	unsigned char *p = (void *)map(NULL, 2 * page, RW, MAP_SHARED, fd, 0);
	unsigned char *q = (void *)map(NULL, page, RW, MAP_SHARED, fd, page);

	p[page + 7] = 0x77;
	CHECK_EQ(q[7], 0x77);
	q[8] = 0x88;
	CHECK_EQ(p[page + 8], 0x88);
}

TEST(shared_file_through_two_opens_is_one)
{
	int fd = test_file(page);
	int other = open(test_file_path(), O_RDWR);
	unsigned char *p = (void *)map(NULL, page, RW, MAP_SHARED, fd, 0);
	unsigned char *q;

	CHECK(other >= 0);
	q = (void *)map(NULL, page, RW, MAP_SHARED, other, 0);
	p[3] = 0x99;
	CHECK_EQ(q[3], 0x99);
	CHECK_EQ(file_read_byte(other, 3), 0x99);
}

static void child_writes(void *arg)
{
	unsigned char *p = arg;

	CHECK_EQ(p[0], 0x10);
	p[1] = 0x20;
}

TEST(shared_file_is_shared_with_the_child)
{
	int fd = test_file(page);
	unsigned char *p = (void *)map(NULL, page, RW, MAP_SHARED, fd, 0);

	p[0] = 0x10;
	in_good_child(child_writes, p);
	CHECK_EQ(p[1], 0x20);
	CHECK_EQ(file_read_byte(fd, 1), 0x20);
}

TEST(private_file_copy_is_not_shared_with_the_child)
{
	int fd = test_file(page);
	unsigned char *p = (void *)map(NULL, page, RW, MAP_PRIVATE, fd, 0);

	p[0] = 0x10;
	in_good_child(child_writes, p);
	CHECK_EQ(p[1], file_byte(1));
}

TEST(private_anonymous_begins_as_zero)
{
	char *p = map_anon(4);

	CHECK(is_all(p, 0, 2 * page));
	p[2 * page] = 1;
	CHECK(is_all(p + 2 * page + 1, 0, 2 * page - 1));
}

TEST(private_anonymous_read_then_write)
{
	char *p = map_anon(2), *q = map_anon(2);

	CHECK_EQ(p[0], 0);
	CHECK_EQ(q[0], 0);
	p[0] = 1;
	CHECK_EQ(p[0], 1);
	CHECK_EQ(q[0], 0);
	CHECK_EQ(p[1], 0);
}

TEST(private_anonymous_is_copied_for_the_child)
{
	unsigned char *p = (void *)map_anon(1);

	p[0] = 0x10;
	in_good_child(child_writes, p);
	CHECK_EQ(p[0], 0x10);
	CHECK_EQ(p[1], 0);
}

TEST(shared_anonymous_begins_as_zero)
{
	CHECK(is_all(map_anon_shared(3), 0, 3 * page));
}

TEST(shared_anonymous_is_shared_with_the_child)
{
	unsigned char *p = (void *)map_anon_shared(2);

	p[0] = 0x10;
	in_good_child(child_writes, p);
	CHECK_EQ(p[1], 0x20);
}

static void child_touches_second_page(void *arg)
{
	((char *)arg)[page] = 5;
}

TEST(shared_anonymous_page_first_touched_by_the_child)
{
	char *p = map_anon_shared(2);

	in_good_child(child_touches_second_page, p);
	CHECK_EQ(p[page], 5);
	CHECK_EQ(p[0], 0);
}

TEST(mapping_outlives_its_descriptor)
{
	int fd = test_file(page);
	char *p = map(NULL, page, RW, MAP_SHARED, fd, 0);
	int other;

	close(fd);
	CHECK(is_file_pattern(p, 0, page));
	p[9] = 0x55;
	other = open(test_file_path(), O_RDONLY);
	CHECK_EQ(file_read_byte(other, 9), 0x55);
}

TEST(mapping_outlives_the_name)
{
	int fd = test_file(page);
	unsigned char *p = (void *)map(NULL, page, RW, MAP_SHARED, fd, 0);

	CHECK(!unlink(test_file_path()));
	p[9] = 0x55;
	CHECK_EQ(p[9], 0x55);
	CHECK_EQ(p[10], file_byte(10));
}

TEST(offset_names_the_page)
{
	int fd = test_file(5 * page);
	char *p = map(NULL, 2 * page, PROT_READ, MAP_PRIVATE, fd, 3 * page);

	CHECK(is_file_pattern(p, 3 * page, 2 * page));
}

TEST(tail_of_the_last_page_reads_zero)
{
	int fd = test_file(page + 100);
	char *s = map(NULL, 2 * page, RW, MAP_SHARED, fd, 0);
	char *p = map(NULL, 2 * page, RW, MAP_PRIVATE, fd, 0);

	CHECK(is_file_pattern(s, 0, page + 100));
	CHECK(is_all(s + page + 100, 0, page - 100));
	CHECK(is_file_pattern(p, 0, page + 100));
	CHECK(is_all(p + page + 100, 0, page - 100));
}

TEST(tail_of_the_last_page_is_not_of_the_file)
{
	int fd = test_file(100);
	char *s = map(NULL, page, RW, MAP_SHARED, fd, 0);
	struct stat st;

	memset(s + 100, 0x66, page - 100);
	CHECK(!msync(s, page, MS_SYNC));
	CHECK(!munmap(s, page));
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 100);
	CHECK_EQ(file_read_byte(fd, 100), -1);
}

TEST(past_the_end_is_SIGBUS_with_the_address)
{
	int fd = test_file(page + 1);
	char *s = map(NULL, 4 * page, RW, MAP_SHARED, fd, 0);
	char *p = map(NULL, 4 * page, RW, MAP_PRIVATE, fd, 0);

	CHECK_NO_FAULT(try_read(s + 2 * page - 1));
	CHECK_FAULT(try_read(s + 2 * page), SIGBUS, BUS_ADRERR, s + 2 * page);
	CHECK_FAULT(try_write(s + 3 * page + 77, 1), SIGBUS, BUS_ADRERR, s + 3 * page + 77);
	CHECK_FAULT(try_read(p + 2 * page + 5), SIGBUS, BUS_ADRERR, p + 2 * page + 5);
	CHECK_FAULT(try_write(p + 3 * page + 9, 1), SIGBUS, BUS_ADRERR, p + 3 * page + 9);
}

TEST(empty_file_maps_and_is_SIGBUS)
{
	int fd = test_file(0);
	char *s = map(NULL, page, RW, MAP_SHARED, fd, 0);

	CHECK_FAULT(try_read(s), SIGBUS, BUS_ADRERR, s);
}

TEST(mapping_far_past_the_end_is_allowed)
{
	int fd = test_file(page);
	char *s = map(NULL, page, RW, MAP_SHARED, fd, 1000 * page);

	CHECK_FAULT(try_read(s + 3), SIGBUS, BUS_ADRERR, s + 3);
}

TEST(growing_the_file_gives_pages)
{
	int fd = test_file(page);
	unsigned char *s = (void *)map(NULL, 3 * page, RW, MAP_SHARED, fd, 0);

	CHECK_FAULT(try_read(s + page), SIGBUS, BUS_ADRERR, s + page);
	CHECK(!ftruncate(fd, 2 * page));
	CHECK_NO_FAULT(try_read(s + page));
	CHECK(is_all(s + page, 0, page));
	s[page + 1] = 3;
	CHECK_EQ(file_read_byte(fd, page + 1), 3);
	file_write_byte(fd, 2 * page, 4);
	CHECK_EQ(s[2 * page], 4);
	CHECK_EQ(s[2 * page + 1], 0);
}

TEST(truncate_takes_shared_pages_away)
{
	int fd = test_file(3 * page);
	char *s = map(NULL, 3 * page, RW, MAP_SHARED, fd, 0);

	memset(s, 1, 3 * page);
	CHECK(!ftruncate(fd, page));
	CHECK_NO_FAULT(try_read(s + page - 1));
	CHECK_FAULT(try_read(s + page), SIGBUS, BUS_ADRERR, s + page);
	CHECK_FAULT(try_write(s + 2 * page, 1), SIGBUS, BUS_ADRERR, s + 2 * page);
}

TEST(truncate_takes_private_copies_away)
{
	int fd = test_file(3 * page);
	char *p = map(NULL, 3 * page, RW, MAP_PRIVATE, fd, 0);

	memset(p, 1, 3 * page);
	CHECK(!ftruncate(fd, page));
	CHECK_EQ(p[page - 1], 1);
	CHECK_FAULT(try_read(p + page), SIGBUS, BUS_ADRERR, p + page);
	CHECK_FAULT(try_read(p + 2 * page), SIGBUS, BUS_ADRERR, p + 2 * page);
}

static void child_finds_truncated(void *arg)
{
	char *p = arg;

	CHECK_FAULT(try_read(p + page), SIGBUS, BUS_ADRERR, p + page);
	CHECK_EQ(p[0], 1);
}

struct truncation {
	int fd;
	char *p;
	int ready[2], go[2];
};

static void child_waits_for_truncate(void *arg)
{
	struct truncation *t = arg;
	char c = 0;

	t->p[page] = 2;
	CHECK_EQ(write(t->ready[1], &c, 1), 1);
	CHECK_EQ(read(t->go[0], &c, 1), 1);
	child_finds_truncated(t->p);
}

TEST(truncate_reaches_other_processes)
{
	struct truncation t = {.fd = test_file(2 * page)};
	pid_t pid;
	int status;
	char c;

	t.p = map(NULL, 2 * page, RW, MAP_PRIVATE, t.fd, 0);
	memset(t.p, 1, 2 * page);
	CHECK(!pipe(t.ready) && !pipe(t.go));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		child_waits_for_truncate(&t);
		_exit(0);
	}
	CHECK_EQ(read(t.ready[0], &c, 1), 1);
	CHECK(!ftruncate(t.fd, page));
	CHECK_EQ(write(t.go[1], &c, 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	child_finds_truncated(t.p);
}

TEST(truncate_inside_a_page_zeroes_its_rest)
{
	int fd = test_file(2 * page);
	char *s = map(NULL, 2 * page, RW, MAP_SHARED, fd, 0);
	char *p = map(NULL, 2 * page, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK_EQ(s[500], (char)file_byte(500));
	CHECK_EQ(p[500], (char)file_byte(500));
	CHECK(!ftruncate(fd, 500));
	CHECK(is_file_pattern(s, 0, 500));
	CHECK(is_all(s + 500, 0, page - 500));
	CHECK(is_all(p + 500, 0, page - 500));
}

TEST(truncate_down_and_up_again_reads_zero)
{
	int fd = test_file(3 * page);
	char *s = map(NULL, 3 * page, RW, MAP_SHARED, fd, 0);

	memset(s, 9, 3 * page);
	CHECK(!ftruncate(fd, 10));
	CHECK(!ftruncate(fd, 3 * page));
	CHECK(is_all(s, 9, 10));
	CHECK(is_all(s + 10, 0, 3 * page - 10));
	CHECK_EQ(file_read_byte(fd, 10), 0);
	CHECK_EQ(file_read_byte(fd, 3 * page - 1), 0);
}

TEST(open_with_O_TRUNC_takes_pages_away)
{
	int fd = test_file(page);
	char *s = map(NULL, page, RW, MAP_SHARED, fd, 0);
	int other;

	CHECK_EQ(s[0], (char)file_byte(0));
	other = open(test_file_path(), O_WRONLY | O_TRUNC);
	CHECK(other >= 0);
	CHECK_FAULT(try_read(s), SIGBUS, BUS_ADRERR, s);
}

TEST(read_into_a_mapping_of_the_same_file)
{
	int fd = test_file(2 * page);
	char *p = map(NULL, page, RW, MAP_PRIVATE, fd, 0);

	CHECK_EQ(pread(fd, p, page, page), page);
	CHECK(is_file_pattern(p, page, page));
	CHECK_EQ(file_read_byte(fd, 0), file_byte(0));
}

TEST(read_into_a_shared_mapping_of_the_same_file)
{
	int fd = test_file(2 * page);
	char *s = map(NULL, 2 * page, RW, MAP_SHARED, fd, 0);

	CHECK_EQ(pread(fd, s, page, page), page);
	CHECK(is_file_pattern(s, page, page));
	CHECK_EQ(file_read_byte(fd, 0), file_byte(page));
}

TEST(write_from_a_mapping_of_the_same_file)
{
	int fd = test_file(2 * page);
	char *s = map(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 0);

	CHECK_EQ(pwrite(fd, s + page, page, 0), page);
	CHECK(is_file_pattern(s, page, page));
}

TEST(write_from_unmapped_memory_is_EFAULT)
{
	int fd = test_file(page);
	char *hole = map_reserved(1);

	CHECK_FAILS(pwrite(fd, hole, 10, 0), EFAULT);
	CHECK_FAILS(pread(fd, hole, 10, 0), EFAULT);
	CHECK_EQ(file_read_byte(fd, 0), file_byte(0));
}

TEST(read_only_file_maps_private_writable)
{
	int fd = test_file(page), ro;
	char *p;

	close(fd);
	ro = open(test_file_path(), O_RDONLY);
	CHECK(ro >= 0);
	p = map(NULL, page, RW, MAP_PRIVATE, ro, 0);
	p[0] = 1;
	CHECK_EQ(p[0], 1);
	CHECK_EQ(file_read_byte(ro, 0), file_byte(0));
}

TEST(dev_zero_private_is_anonymous)
{
	int fd = open("/dev/zero", O_RDWR);
	char *p, *q;

	CHECK(fd >= 0);
	p = map(NULL, 2 * page, RW, MAP_PRIVATE, fd, 0);
	q = map(NULL, page, RW, MAP_PRIVATE, fd, 0);
	CHECK(is_all(p, 0, 2 * page));
	p[0] = 1;
	CHECK_EQ(q[0], 0);
}

TEST(dev_zero_shared_is_shared_with_the_child)
{
	int fd = open("/dev/zero", O_RDWR);
	unsigned char *p;

	CHECK(fd >= 0);
	p = (void *)map(NULL, page, RW, MAP_SHARED, fd, 0);
	p[0] = 0x10;
	in_good_child(child_writes, p);
	CHECK_EQ(p[1], 0x20);
}

TEST(big_shared_file_keeps_every_page)
{
	size_t n = 600, i;
	int fd = test_file(0);
	unsigned int *s;

	CHECK(!ftruncate(fd, n * page));
	s = (void *)map(NULL, n * page, RW, MAP_SHARED, fd, 0);
	for (i = 0; i < n; i++)
		s[i * page / 4 + i] = i + 1;
	CHECK(!munmap(s, n * page));
	s = (void *)map(NULL, n * page, PROT_READ, MAP_SHARED, fd, 0);
	for (i = 0; i < n; i++) {
		CHECK_EQ(s[i * page / 4 + i], i + 1);
		CHECK_EQ(s[i * page / 4 + (i + 1) % 1024], 0);
	}
}
