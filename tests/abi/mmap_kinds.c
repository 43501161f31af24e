/* SPDX-License-Identifier: MIT */
/* The four kinds of mapping - private and shared, of a file and anonymous - and the ends of files.
 */
#include "abi.h"

/* ---- private, file ---- */

BEHAVIOUR(private_file_begins_as_the_file, "mmap MAP_PRIVATE file")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_PRIVATE, fd, 0);

	abi_pages("pages", p, 3);
}

BEHAVIOUR(private_file_keeps_writes_to_itself, "mmap MAP_PRIVATE file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);
	char *q = abi_map_with(2, PROT_READ, MAP_SHARED, fd, 0);

	abi_store("first", p, 0x77);
	abi_pages("private", p, 2);
	abi_pages("shared", q, 2);
	abi_file_bytes("file", fd, 0, 2);
}

BEHAVIOUR(private_file_shows_later_changes_of_what_is_not_copied, "mmap MAP_PRIVATE file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);

	abi_pages("read", p, 2);
	abi_store("copy of the first", p + 9, 0x11);
	abi_must("pwrite", pwrite(fd, "\x99", 1, 0));
	abi_must("pwrite", pwrite(fd, "\x99", 1, page));
	abi_pages("after write(2)", p, 2);
}

BEHAVIOUR(private_file_shows_stores_through_a_shared_mapping, "mmap MAP_PRIVATE file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);
	char *q = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_store("private", p, 0x11);
	abi_store("shared", q, 0x22);
	abi_store("shared", q + page, 0x33);
	abi_pages("private", p, 2);
}

BEHAVIOUR(private_file_read_then_written, "mmap MAP_PRIVATE file")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, RW, MAP_PRIVATE, fd, 0);

	abi_load("read", p + 5);
	abi_store("write", p + 5, 0x42);
	abi_bytes("page", p, page);
}

BEHAVIOUR(private_file_outlives_unlink_and_close, "mmap MAP_PRIVATE file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);

	close(fd);
	unlink("file");
	abi_pages("pages", p, 2);
	abi_maps(p, 2);
}

BEHAVIOUR(private_file_in_a_child, "mmap MAP_PRIVATE file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);
	pid_t pid;

	abi_store("before fork", p, 0x11);
	pid = abi_fork();
	if (!pid) {
		abi_pages("child", p, 2);
		abi_store("child", p, 0x22);
		abi_store("child", p + page, 0x22);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 2);
	abi_file_bytes("file", fd, page, 1);
}

/* ---- shared, file ---- */

BEHAVIOUR(shared_file_is_seen_by_read, "mmap MAP_SHARED file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_store("store", p + page + 3, 0x55);
	abi_file_bytes("file", fd, page, 6);
}

BEHAVIOUR(shared_file_sees_write, "mmap MAP_SHARED file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, PROT_READ, MAP_SHARED, fd, 0);

	abi_pages("before", p, 2);
	abi_must("pwrite", pwrite(fd, "\x66", 1, page));
	abi_pages("after", p, 2);
}

BEHAVIOUR(shared_file_in_two_places, "mmap MAP_SHARED file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);
	char *q = abi_map_with(1, RW, MAP_SHARED, fd, page);

	abi_store("first", p + page, 0x21);
	abi_load("second", q);
	abi_store("second", q + 1, 0x22);
	abi_load("first", p + page + 1);
}

BEHAVIOUR(shared_file_by_two_openings, "mmap MAP_SHARED file")
{
	int fd = abi_file(page), fd2 = open("file", O_RDONLY);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);
	char *q = abi_map_with(1, PROT_READ, MAP_SHARED, fd2, 0);

	abi_store("one", p, 0x31);
	abi_load("other", q);
}

BEHAVIOUR(shared_file_in_a_child, "mmap MAP_SHARED file")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);
	pid_t pid = abi_fork();

	if (!pid) {
		abi_store("child", p, 0x41);
		_exit(0);
	}
	abi_wait(pid);
	abi_load("parent", p);
	abi_file_bytes("file", fd, 0, 1);
}

BEHAVIOUR(shared_file_after_munmap, "mmap MAP_SHARED file")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	abi_store("store", p, 0x51);
	munmap(p, page);
	abi_file_bytes("file", fd, 0, 2);
	p = abi_map_with(1, RW, MAP_SHARED, fd, 0);
	abi_load("mapped again", p);
}

BEHAVIOUR(shared_file_read_into_its_own_mapping, "mmap MAP_SHARED file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_ret("pread", pread(fd, p, page, page) == (long)page);
	abi_pages("pages", p, 2);
	abi_ret("pwrite", pwrite(fd, p, page, page - 8) == (long)page);
	abi_bytes("around the border", p + page - 10, 20);
}

BEHAVIOUR(write_from_an_unmapped_buffer, "write EFAULT")
{
	int fd = abi_file(page);
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 0x61);
	munmap(p + page, page);
	TRY(pwrite(fd, p + page, 8, 0));
	abi_ret("half", pwrite(fd, p + page - 4, 8, 0));
	abi_file_bytes("file", fd, 0, 8);
	TRY(pread(fd, p + page, 8, 0));
	abi_ret("half", pread(fd, p + page - 4, 8, 0));
}

BEHAVIOUR(read_into_read_only_memory, "read EFAULT")
{
	int fd = abi_file(page);
	char *p = abi_map(2, RW);

	abi_fill(p, 2, 0x61);
	mprotect(p, page, PROT_READ);
	TRY(pread(fd, p, 8, 0));
	mprotect(p, page, PROT_NONE);
	TRY(pwrite(fd, p, 8, 0));
	abi_ret("into copy on write memory", pread(fd, p + page, 8, 0));
	abi_load("there", p + page);
}

/* ---- anonymous ---- */

BEHAVIOUR(private_anonymous_is_zero, "mmap MAP_PRIVATE anonymous")
{
	char *p = abi_map(3, RW);

	abi_bytes("never touched", p, page);
	abi_store("store", p + page + 100, 1);
	abi_bytes("after a store", p + page, page);
	abi_bytes("page behind", p + 2 * page, page);
}

BEHAVIOUR(private_anonymous_through_fork, "mmap MAP_PRIVATE anonymous")
{
	char *p = abi_map(3, RW);
	pid_t pid;

	abi_fill(p, 2, 1);
	pid = abi_fork();
	if (!pid) {
		abi_pages("child", p, 3);
		abi_fill(p, 3, 0x21);
		abi_pages("child", p, 3);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 3);
}

BEHAVIOUR(private_anonymous_written_by_the_parent, "mmap MAP_PRIVATE anonymous")
{
	char *p = abi_map(1, RW), byte;
	int ends[2];
	pid_t pid;

	abi_store("before", p, 1);
	abi_must("pipe", pipe(ends));
	pid = abi_fork();
	if (!pid) {
		if (read(ends[0], &byte, 1) != 1)
			_exit(1);
		abi_load("child", p);
		_exit(0);
	}
	abi_store("parent", p, 2);
	abi_must("write", write(ends[1], "", 1));
	abi_wait(pid);
}

BEHAVIOUR(private_anonymous_of_two_generations, "fork copy-on-write")
{
	char *p = abi_map(1, RW);
	pid_t pid;

	abi_store("first", p, 1);
	pid = abi_fork();
	if (!pid) {
		pid = abi_fork();
		if (!pid) {
			abi_store("grandchild", p, 3);
			_exit(0);
		}
		abi_wait(pid);
		abi_load("child", p);
		abi_store("child", p, 2);
		_exit(0);
	}
	abi_wait(pid);
	abi_load("parent", p);
}

BEHAVIOUR(shared_anonymous_is_zero, "mmap MAP_SHARED anonymous")
{
	char *p = abi_map_with(2, RW, SHM, -1, 0);

	abi_bytes("first page", p, page);
	abi_maps(p, 2);
}

BEHAVIOUR(shared_anonymous_through_fork, "mmap MAP_SHARED anonymous")
{
	char *p = abi_map_with(2, RW, SHM, -1, 0);
	pid_t pid;

	abi_store("parent", p, 1);
	pid = abi_fork();
	if (!pid) {
		abi_pages("child", p, 2);
		abi_store("child", p + page, 2);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 2);
}

BEHAVIOUR(shared_anonymous_parts_keep_the_object, "mmap MAP_SHARED anonymous")
{
	char *p = abi_map_with(4, RW, SHM, -1, 0);
	pid_t pid;

	abi_fill(p, 4, 1);
	munmap(p, page);
	munmap(p + 2 * page, page);
	pid = abi_fork();
	if (!pid) {
		abi_store("child", p + 3 * page, 0x30);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 4);
	abi_maps(p, 4);
}

BEHAVIOUR(dev_zero_private, "mmap /dev/zero private")
{
	int fd = open("/dev/zero", O_RDWR);
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);

	abi_bytes("zero", p, page);
	abi_store("store", p, 1);
	abi_pages("pages", p, 2);
	abi_maps(p, 2);
}

BEHAVIOUR(dev_zero_private_is_anonymous, "mmap /dev/zero private")
{
	int fd = open("/dev/zero", O_RDWR);
	char *p = abi_map(3, RW);

	abi_ptr("between", mmap(p + page, page, RW, MAP_PRIVATE | MAP_FIXED, fd, 7 * page));
	abi_store("store", p + page, 1);
	abi_maps(p, 3);
}

BEHAVIOUR(dev_zero_shared, "mmap /dev/zero shared")
{
	int fd = open("/dev/zero", O_RDWR);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);
	char *q = abi_map_with(2, RW, MAP_SHARED, fd, 0);
	pid_t pid = abi_fork();

	if (!pid) {
		abi_store("child", p, 5);
		_exit(0);
	}
	abi_wait(pid);
	abi_load("parent", p);
	abi_load("mapped again is another object", q);
	abi_maps(p, 2);
}

BEHAVIOUR(dev_zero_shared_with_an_offset, "mmap /dev/zero shared")
{
	int fd = open("/dev/zero", O_RDWR);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 3 * page);

	abi_maps(p, 2);
	abi_store("store", p, 1);
	abi_pages("pages", p, 2);
}

BEHAVIOUR(dev_zero_access, "mmap /dev/zero shared")
{
	void *p;

	p = mmap(NULL, page, RW, MAP_SHARED, open("/dev/zero", O_RDONLY), 0);
	abi_ret("shared to write, read only", p == MAP_FAILED ? -1 : 0);
	p = mmap(NULL, page, RW, MAP_PRIVATE, open("/dev/zero", O_RDONLY), 0);
	abi_ret("private to write, read only", p == MAP_FAILED ? -1 : 0);
	p = mmap(NULL, page, PROT_READ, MAP_PRIVATE, open("/dev/zero", O_WRONLY), 0);
	abi_ret("write only", p == MAP_FAILED ? -1 : 0);
}

/* ---- ends of files ---- */

BEHAVIOUR(tail_of_the_last_page_is_zero, "mmap tail of the last page")
{
	int fd = abi_file(page + 100);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_bytes("last page", p + page, page);
}

BEHAVIOUR(tail_is_not_written_to_the_file, "mmap tail of the last page")
{
	int fd = abi_file(100);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	abi_store("beyond the end", p + 100, 7);
	TRY(msync(p, page, MS_SYNC));
	abi_load("beyond the end", p + 100);
	TRY(lseek(fd, 0, SEEK_END));
	abi_file_bytes("file", fd, 0, 200);
}

BEHAVIOUR(tail_after_the_file_has_grown, "mmap tail of the last page")
{
	int fd = abi_file(100);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	abi_store("beyond the end", p + 100, 7);
	TRY(ftruncate(fd, 200));
	abi_bytes("page", p, page);
	abi_file_bytes("file", fd, 0, page);
}

BEHAVIOUR(tail_after_write_beyond_the_end, "mmap tail of the last page")
{
	int fd = abi_file(100);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	abi_store("beyond the end", p + 150, 7);
	abi_must("pwrite", pwrite(fd, "\x44", 1, 199));
	abi_bytes("page", p, page);
}

BEHAVIOUR(tail_after_the_file_has_shrunk, "mmap tail of the last page")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	abi_load("byte 200", p + 200);
	TRY(ftruncate(fd, 100));
	abi_bytes("page", p, page);
	TRY(ftruncate(fd, page));
	abi_bytes("page", p, page);
}

BEHAVIOUR(tail_of_a_private_copy_after_the_file_has_shrunk, "mmap tail of the last page")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, RW, MAP_PRIVATE, fd, 0);

	abi_store("copy", p + 200, 0x55);
	TRY(ftruncate(fd, 100));
	abi_bytes("page", p, page);
}

BEHAVIOUR(pages_beyond_the_end_raise_sigbus, "fault SIGBUS BUS_ADRERR")
{
	int fd = abi_file(page + 1);
	char *p = abi_map_with(4, RW, MAP_SHARED, fd, 0);

	abi_load("last page", p + page);
	abi_load("beyond", p + 2 * page + 5);
	abi_store("beyond", p + 3 * page + 6, 1);
}

BEHAVIOUR(pages_beyond_the_end_of_a_private_mapping, "fault SIGBUS BUS_ADRERR")
{
	int fd = abi_file(page);
	char *p = abi_map_with(3, RW, MAP_PRIVATE, fd, 0);

	abi_load("beyond", p + page);
	abi_store("beyond", p + 2 * page + 1, 1);
}

BEHAVIOUR(empty_file, "fault SIGBUS BUS_ADRERR")
{
	int fd = abi_file(0);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	abi_load("page", p);
	TRY(ftruncate(fd, 1));
	abi_load("page", p);
	abi_load("last byte of it", p + page - 1);
}

BEHAVIOUR(mapping_that_begins_beyond_the_end, "fault SIGBUS BUS_ADRERR")
{
	int fd = abi_file(page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 8 * page);

	abi_load("page", p);
	abi_maps(p, 2);
	TRY(ftruncate(fd, 9 * page));
	abi_pages("pages", p, 2);
}

BEHAVIOUR(sigbus_goes_when_the_file_grows, "fault SIGBUS BUS_ADRERR")
{
	int fd = abi_file(page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_load("second", p + page);
	TRY(ftruncate(fd, 2 * page));
	abi_load("second", p + page);
	abi_store("second", p + page, 9);
	abi_file_bytes("file", fd, page, 2);
}

BEHAVIOUR(sigbus_is_decided_after_rights, "fault SIGBUS BUS_ADRERR")
{
	int fd = abi_file(page);
	char *p = abi_map_with(2, PROT_READ, MAP_SHARED, fd, 0);

	abi_store("read only, beyond the end", p + page, 1);
	TRY(mprotect(p + page, page, PROT_NONE));
	abi_load("no access, beyond the end", p + page);
}

BEHAVIOUR(calls_on_pages_beyond_the_end, "fault EFAULT instead of SIGBUS")
{
	int fd = abi_file(page), out = abi_file(0);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	TRY(pwrite(out, p + page, 4, 0));
	TRY(pread(fd, p + page, 4, 0));
	TRY(pwrite(out, p + page - 2, 4, 0));
}

BEHAVIOUR(truncate_takes_mapped_pages_away, "ftruncate of a mapped file")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	abi_pages("before", p, 3);
	TRY(ftruncate(fd, page));
	abi_pages("after", p, 3);
	TRY(ftruncate(fd, 3 * page));
	abi_pages("grown again", p, 3);
}

BEHAVIOUR(truncate_takes_private_copies_away, "ftruncate of a mapped file")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_PRIVATE, fd, 0);

	abi_fill(p, 3, 0x71);
	TRY(ftruncate(fd, page));
	abi_pages("after", p, 3);
	TRY(ftruncate(fd, 3 * page));
	abi_pages("grown again", p, 3);
}

BEHAVIOUR(truncate_takes_the_child_s_copies_too, "ftruncate of a mapped file")
{
	int fd = abi_file(2 * page), ends[2], back[2];
	char *p = abi_map_with(2, RW, MAP_PRIVATE, fd, 0), byte;
	pid_t pid;

	abi_must("pipe", pipe(ends) | pipe(back));
	pid = abi_fork();
	if (!pid) {
		abi_store("child's copy", p + page, 0x81);
		abi_must("write", write(back[1], "", 1));
		if (read(ends[0], &byte, 1) != 1)
			_exit(1);
		abi_pages("child", p, 2);
		_exit(0);
	}
	abi_must("read", read(back[0], &byte, 1));
	TRY(ftruncate(fd, page));
	abi_must("write", write(ends[1], "", 1));
	abi_wait(pid);
}

BEHAVIOUR(truncate_to_the_middle_of_a_page, "ftruncate of a mapped file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_pages("before", p, 2);
	TRY(ftruncate(fd, page + 10));
	abi_bytes("second page", p + page, page);
}

BEHAVIOUR(open_with_truncation, "open O_TRUNC of a mapped file")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_pages("before", p, 2);
	close(open("file", O_WRONLY | O_TRUNC));
	abi_pages("after", p, 2);
}

BEHAVIOUR(hole_punched_under_a_mapping, "fallocate FALLOC_FL_PUNCH_HOLE")
{
	int fd = abi_memfd(3 * page, 0);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);
	char *q = abi_map_with(3, RW, MAP_PRIVATE, fd, 0);

	abi_pages("before", p, 3);
	abi_store("private copy", q + page, 0x77);
	TRY(fallocate(fd, 3, page, page)); /* punch a hole, keep the size */
	abi_pages("shared", p, 3);
	abi_pages("private", q, 3);
}

BEHAVIOUR(sparse_file, "mmap of a hole in a file")
{
	int fd = abi_file(0);
	char *p;

	abi_must("ftruncate", ftruncate(fd, 4 * page));
	p = abi_map_with(4, RW, MAP_SHARED, fd, 0);
	abi_pages("pages", p, 4);
	abi_store("third", p + 2 * page, 3);
	abi_file_bytes("file", fd, 2 * page, page);
}

/* ---- several at once ---- */

BEHAVIOUR(same_page_private_and_shared_side_by_side, "mmap MAP_PRIVATE and MAP_SHARED of one file")
{
	int fd = abi_file(page);
	char *p = abi_window(2);

	abi_ptr("private", mmap(p, page, RW, MAP_PRIVATE | MAP_FIXED, fd, 0));
	abi_ptr("shared", mmap(p + page, page, RW, MAP_SHARED | MAP_FIXED, fd, 0));
	abi_maps(p, 2);
	abi_store("shared", p + page, 0x12);
	abi_load("private sees it", p);
	abi_store("private", p, 0x13);
	abi_load("shared does not", p + page);
}

BEHAVIOUR(store_across_two_mappings, "fault unaligned access across a page")
{
	char *p = abi_map(2, RW);
	int fd = abi_file(page);

	abi_must("mmap",
	         mmap(p + page, page, RW, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ? -1 : 0);
	*(volatile uint64_t *)(p + page - 4) = 0x1122334455667788;
	abi_bytes("end of the first", p + page - 4, 4);
	abi_bytes("start of the second", p + page, 5);
}
