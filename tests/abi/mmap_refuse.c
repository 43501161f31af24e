/* SPDX-License-Identifier: MIT */
/* What mmap refuses for its arguments alone, and which refusal comes first when several are due. */
#include "abi.h"

#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/fs.h>

/* mmap of any address, said as an error or as success. */
static void try_map(const char *what, const void *at, unsigned long len, long prot, long flags,
                    long fd, unsigned long offset)
{
	void *p = sys_mmap(at, len, prot, flags, fd, offset);

	abi_ret(what, p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED)
		munmap(p, len);
}

BEHAVIOUR(length_zero, "mmap EINVAL length 0")
{
	int fd = abi_file(page);

	try_map("anonymous", NULL, 0, RW, ANON, -1, 0);
	try_map("anonymous shared", NULL, 0, RW, SHM, -1, 0);
	try_map("file", NULL, 0, RW, MAP_PRIVATE, fd, 0);
	try_map("fixed", abi_window(1), 0, RW, ANON | MAP_FIXED, -1, 0);
}

BEHAVIOUR(length_zero_after_bad_fd, "mmap EINVAL length 0")
{
	try_map("length 0, no such fd", NULL, 0, RW, MAP_PRIVATE, 77, 0);
	try_map("length 0, fd -1", NULL, 0, RW, MAP_SHARED, -1, 0);
	try_map("length 0, no type", NULL, 0, RW, MAP_ANONYMOUS, -1, 0);
	try_map("length 0, fixed unaligned", (void *)123, 0, RW, ANON | MAP_FIXED, -1, 0);
}

BEHAVIOUR(offset_unaligned, "mmap EINVAL offset")
{
	int fd = abi_file(2 * page);

	try_map("file, offset 1", NULL, page, PROT_READ, MAP_PRIVATE, fd, 1);
	try_map("file, offset page - 1", NULL, page, PROT_READ, MAP_PRIVATE, fd, page - 1);
	try_map("file, offset page + 512", NULL, page, PROT_READ, MAP_SHARED, fd, page + 512);
	try_map("anonymous, offset 1", NULL, page, PROT_READ, ANON, -1, 1);
	try_map("anonymous shared, offset 1", NULL, page, PROT_READ, SHM, -1, 1);
}

BEHAVIOUR(offset_unaligned_comes_first, "mmap EINVAL offset")
{
	try_map("no such fd", NULL, page, PROT_READ, MAP_PRIVATE, 77, 1);
	try_map("length 0", NULL, 0, PROT_READ, ANON, -1, 1);
	try_map("length wraps", NULL, -1UL, PROT_READ, ANON, -1, 1);
	try_map("no type", NULL, page, PROT_READ, MAP_ANONYMOUS, -1, 1);
}

BEHAVIOUR(offset_of_anonymous_is_ignored, "mmap MAP_ANONYMOUS offset")
{
	char *p = abi_window(6);

	abi_ptr("private, offset 3 pages", sys_mmap(p, page, RW, ANON | MAP_FIXED, -1, 3 * page));
	abi_ptr("beside it, offset 9 pages",
	        sys_mmap(p + page, page, RW, ANON | MAP_FIXED, -1, 9 * page));
	abi_ptr("private, highest offset",
	        sys_mmap(p + 2 * page, page, RW, ANON | MAP_FIXED, -1, -page));
	abi_ptr("shared, offset 3 pages",
	        sys_mmap(p + 4 * page, page, RW, SHM | MAP_FIXED, -1, 3 * page));
	abi_ptr("shared, highest offset",
	        sys_mmap(p + 5 * page, page, RW, SHM | MAP_FIXED, -1, -page));
	abi_maps(p, 6);
	abi_store("shared", p + 4 * page, 1);
	abi_store("shared, high", p + 5 * page, 1);
}

BEHAVIOUR(no_such_fd, "mmap EBADF")
{
	int fd = abi_file(page);

	close(fd);
	try_map("closed", NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
	try_map("-1", NULL, page, PROT_READ, MAP_PRIVATE, -1, 0);
	try_map("-100", NULL, page, PROT_READ, MAP_SHARED, -100, 0);
	try_map("huge", NULL, page, PROT_READ, MAP_SHARED, 0x7fffffff, 0);
}

BEHAVIOUR(no_such_fd_comes_before, "mmap EBADF")
{
	try_map("no type", NULL, page, PROT_READ, 0, 77, 0);
	try_map("length wraps", NULL, -1UL, PROT_READ, MAP_PRIVATE, 77, 0);
	try_map("fixed unaligned", (void *)1, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, 77, 0);
	try_map("fixed beyond", (void *)-page, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, 77, 0);
	try_map("huge pages", NULL, page, PROT_READ, MAP_PRIVATE | MAP_HUGETLB, 77, 0);
}

BEHAVIOUR(fd_of_anonymous_is_ignored, "mmap MAP_ANONYMOUS fd")
{
	int ends[2];

	abi_must("pipe", pipe(ends));
	try_map("fd 77", NULL, page, RW, ANON, 77, 0);
	try_map("fd of a pipe", NULL, page, RW, ANON, ends[0], 0);
	try_map("fd of a pipe, shared", NULL, page, RW, SHM, ends[0], 0);
}

BEHAVIOUR(fd_is_read_as_32_bits, "mmap EBADF")
{
	int fd = abi_file(page);

	try_map("high bits of fd", NULL, page, PROT_READ, MAP_PRIVATE, (1L << 32) + fd, 0);
}

BEHAVIOUR(path_only_fd, "mmap EBADF O_PATH")
{
	close(abi_file(page));
	try_map("O_PATH", NULL, page, PROT_READ, MAP_PRIVATE, open("file", O_PATH), 0);
	try_map("O_PATH, directory", NULL, page, PROT_READ, MAP_SHARED, open(".", O_PATH), 0);
}

BEHAVIOUR(length_that_wraps, "mmap ENOMEM length")
{
	int fd = abi_file(page);

	try_map("-1", NULL, -1UL, RW, ANON, -1, 0);
	try_map("-page + 1", NULL, -page + 1, RW, ANON, -1, 0);
	try_map("-page", NULL, -page, RW, ANON, -1, 0);
	try_map("half of all", NULL, 1UL << 63, RW, ANON, -1, 0);
	try_map("file, -1", NULL, -1UL, PROT_READ, MAP_PRIVATE, fd, 0);
	try_map("file, -page", NULL, -page, PROT_READ, MAP_PRIVATE, fd, 0);
	try_map("fixed, -1", abi_window(1), -1UL, RW, ANON | MAP_FIXED, -1, 0);
}

BEHAVIOUR(length_beyond_the_address_space, "mmap ENOMEM length")
{
	long none = MAP_NORESERVE | ANON;

	try_map("all of user space and more", NULL, 1UL << 52, PROT_NONE, none, -1, 0);
	try_map("all that 48 bits address", NULL, 1UL << 48, PROT_NONE, none, -1, 0);
	try_map("all but a page of it", NULL, (1UL << 48) - page, PROT_NONE, none, -1, 0);
	try_map("shared", NULL, 1UL << 48, PROT_NONE, SHM | MAP_NORESERVE, -1, 0);
	try_map("with a hint", abi_window(1), 1UL << 48, PROT_NONE, none, -1, 0);
}

BEHAVIOUR(offset_beyond_what_a_file_can_have, "mmap EOVERFLOW")
{
	int fd = abi_file(page);
	unsigned long last = (1UL << 63) - page;

	try_map("last page of a file", NULL, page, PROT_READ, MAP_PRIVATE, fd, last);
	try_map("one more", NULL, 2 * page, PROT_READ, MAP_PRIVATE, fd, last);
	try_map("beyond", NULL, page, PROT_READ, MAP_PRIVATE, fd, 1UL << 63);
	try_map("highest", NULL, page, PROT_READ, MAP_SHARED, fd, -page);
	try_map("sum", NULL, 1UL << 40, PROT_READ, MAP_SHARED, fd, last - (1UL << 39));
}

BEHAVIOUR(overflow_comes_after_placement, "mmap EOVERFLOW")
{
	int fd = abi_file(page);

	try_map("fixed unaligned", (void *)1, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, -page);
	try_map("no type", NULL, page, PROT_READ, 0, fd, -page);
	try_map("offset and length", NULL, -2 * page, PROT_READ, MAP_PRIVATE, fd, -page);
}

BEHAVIOUR(neither_shared_nor_private, "mmap EINVAL type")
{
	int fd = abi_file(page);

	try_map("anonymous", NULL, page, RW, MAP_ANONYMOUS, -1, 0);
	try_map("file", NULL, page, RW, 0, fd, 0);
	try_map("file, only fixed", abi_window(1), page, RW, MAP_FIXED, fd, 0);
}

BEHAVIOUR(types_of_an_anonymous_mapping, "mmap EINVAL type")
{
	char what[32];
	long type;

	for (type = 0; type < 16; type++) {
		if (type == MAP_DROPPABLE)
			continue;
		snprintf(what, sizeof(what), "anonymous, type %ld", type);
		try_map(what, NULL, page, RW, MAP_ANONYMOUS | type, -1, 0);
	}
}

BEHAVIOUR(types_of_a_file_mapping, "mmap EINVAL type")
{
	int fd = abi_file(page);
	char what[32];
	long type;

	for (type = 0; type < 16; type++) {
		snprintf(what, sizeof(what), "file, type %ld", type);
		try_map(what, NULL, page, RW, type, fd, 0);
	}
}

BEHAVIOUR(no_type_and_no_access, "mmap EINVAL type")
{
	close(abi_file(page));
	try_map("write only", NULL, page, PROT_READ, 0, open("file", O_WRONLY), 0);
	try_map("directory", NULL, page, PROT_READ, 0, open(".", O_RDONLY), 0);
}

BEHAVIOUR(shared_validate_refuses_unknown_flags, "mmap MAP_SHARED_VALIDATE")
{
	char *p = abi_window(1), what[32];
	int fd = abi_file(page), bit;

	for (bit = 6; bit < 32; bit++) {
		if (bit == 8 || bit == 18) /* growing and huge pages are another matter */
			continue;
		snprintf(what, sizeof(what), "flag 1 << %d", bit);
		try_map(what, p, page, PROT_READ, MAP_SHARED_VALIDATE | 1L << bit, fd, 0);
	}
}

BEHAVIOUR(shared_ignores_unknown_flags, "mmap MAP_SHARED")
{
	int fd = abi_file(page), bit;
	char what[32];

	for (bit = 20; bit < 32; bit++) {
		snprintf(what, sizeof(what), "flag 1 << %d", bit);
		try_map(what, NULL, page, PROT_READ, MAP_SHARED | 1L << bit, fd, 0);
	}
}

BEHAVIOUR(shared_validate_sync, "mmap MAP_SYNC")
{
	int fd = abi_file(page);

	try_map("validate", NULL, page, RW, MAP_SHARED_VALIDATE, fd, 0);
	try_map("validate, sync", NULL, page, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	try_map("shared, sync", NULL, page, RW, MAP_SHARED | MAP_SYNC, fd, 0);
	try_map("private, sync", NULL, page, RW, MAP_PRIVATE | MAP_SYNC, fd, 0);
	try_map("validate, anonymous", NULL, page, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0);
}

BEHAVIOUR(shared_validate_comes_before_access, "mmap MAP_SHARED_VALIDATE")
{
	close(abi_file(page));
	try_map("write only", NULL, page, PROT_READ, MAP_SHARED_VALIDATE | 1L << 30,
	        open("file", O_WRONLY), 0);
	try_map("read only, to write", NULL, page, RW, MAP_SHARED_VALIDATE | 1L << 30,
	        open("file", O_RDONLY), 0);
	try_map("read only, to write, good flags", NULL, page, RW, MAP_SHARED_VALIDATE,
	        open("file", O_RDONLY), 0);
	try_map("directory", NULL, page, PROT_READ, MAP_SHARED_VALIDATE | 1L << 30,
	        open(".", O_RDONLY), 0);
}

BEHAVIOUR(shared_validate_is_shared, "mmap MAP_SHARED_VALIDATE")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, RW, MAP_SHARED_VALIDATE, fd, 0);

	abi_maps(p, 1);
	abi_store("page", p, 0x55);
	abi_file_bytes("file", fd, 0, 2);
}

BEHAVIOUR(unknown_protection_bits, "mmap prot")
{
	char *p = abi_window(4);

	abi_ptr("0x80", sys_mmap(p, page, PROT_READ | 0x80, ANON | MAP_FIXED, -1, 0));
	abi_ptr("PROT_SEM", sys_mmap(p + page, page, RW | 8, ANON | MAP_FIXED, -1, 0));
	abi_ptr("growing", sys_mmap(p + 2 * page, page, RW | PROT_GROWSDOWN | PROT_GROWSUP,
	                            ANON | MAP_FIXED, -1, 0));
	abi_ptr("all but three",
	        sys_mmap(p + 3 * page, page, ~7UL & ~0x30UL, ANON | MAP_FIXED, -1, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(grows_down_is_for_private_anonymous_memory, "mmap MAP_GROWSDOWN")
{
	int fd = abi_file(page);

	try_map("private anonymous", NULL, page, RW, ANON | MAP_GROWSDOWN, -1, 0);
	try_map("shared anonymous", NULL, page, RW, SHM | MAP_GROWSDOWN, -1, 0);
	try_map("private file", NULL, page, RW, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0);
	try_map("shared file", NULL, page, RW, MAP_SHARED | MAP_GROWSDOWN, fd, 0);
}

BEHAVIOUR(grows_down_of_a_file_and_access, "mmap MAP_GROWSDOWN")
{
	close(abi_file(page));
	try_map("write only", NULL, page, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN,
	        open("file", O_WRONLY), 0);
	try_map("directory", NULL, page, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN,
	        open(".", O_RDONLY), 0);
}

/* ---- access ---- */

static void access_matrix(int open_flags)
{
	static const struct {
		const char *name;
		int prot;
	} prots[] = {{"none", PROT_NONE},
	             {"r", PROT_READ},
	             {"w", PROT_WRITE},
	             {"rw", RW},
	             {"x", PROT_EXEC},
	             {"rx", RX},
	             {"wx", PROT_WRITE | PROT_EXEC}};
	char what[32];
	size_t i;
	int fd;

	close(abi_file(page));
	fd = abi_must("open", open("file", open_flags));
	for (i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		snprintf(what, sizeof(what), "private %s", prots[i].name);
		try_map(what, NULL, page, prots[i].prot, MAP_PRIVATE, fd, 0);
		snprintf(what, sizeof(what), "shared %s", prots[i].name);
		try_map(what, NULL, page, prots[i].prot, MAP_SHARED, fd, 0);
	}
}

BEHAVIOUR(file_opened_for_reading, "mmap EACCES read only")
{
	access_matrix(O_RDONLY);
}

BEHAVIOUR(file_opened_for_writing, "mmap EACCES write only")
{
	access_matrix(O_WRONLY);
}

BEHAVIOUR(file_opened_for_both, "mmap EACCES")
{
	access_matrix(O_RDWR);
}

BEHAVIOUR(file_opened_for_appending, "mmap EACCES O_APPEND")
{
	access_matrix(O_RDWR | O_APPEND);
}

BEHAVIOUR(rights_of_a_shared_mapping_of_a_read_only_fd, "mmap read-only file loses VM_MAYWRITE")
{
	char *p;

	close(abi_file(page));
	p = abi_map_with(1, PROT_READ, MAP_SHARED, open("file", O_RDONLY), 0);
	abi_maps(p, 1);
	TRY(mprotect(p, page, RW));
	TRY(mprotect(p, page, PROT_WRITE));
	TRY(mprotect(p, page, RX));
	abi_maps(p, 1);
}

BEHAVIOUR(rights_of_a_private_mapping_of_a_read_only_fd, "mmap private of a read-only file")
{
	char *p;
	int fd;

	close(abi_file(page));
	fd = open("file", O_RDONLY);
	p = abi_map_with(1, PROT_READ, MAP_PRIVATE, fd, 0);
	TRY(mprotect(p, page, RWX));
	abi_maps(p, 1);
	abi_store("page", p, 9);
	abi_file_bytes("file", fd, 0, 1);
}

BEHAVIOUR(append_only_file, "mmap EACCES append-only file")
{
	int fd = abi_file(page), ro, flags = FS_APPEND_FL;

	ro = open("file", O_RDONLY);
	abi_ret("FS_IOC_SETFLAGS", ioctl(fd, FS_IOC_SETFLAGS, &flags));
	try_map("shared rw, opened before", NULL, page, RW, MAP_SHARED, fd, 0);
	try_map("shared r, opened before", NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	try_map("private rw", NULL, page, RW, MAP_PRIVATE, fd, 0);
	try_map("shared r, opened to read", NULL, page, PROT_READ, MAP_SHARED, ro, 0);
	abi_ret("open to write", open("file", O_RDWR) < 0 ? -1 : 0);
	try_map("shared r, opened to append", NULL, page, PROT_READ, MAP_SHARED,
	        open("file", O_RDWR | O_APPEND), 0);
	flags = 0;
	ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

/* ---- what cannot be mapped ---- */

BEHAVIOUR(directory, "mmap ENODEV")
{
	int fd = open(".", O_RDONLY);

	try_map("private", NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
	try_map("shared", NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	try_map("shared, to write", NULL, page, RW, MAP_SHARED, fd, 0);
	try_map("growing down", NULL, page, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0);
	try_map("high offset", NULL, page, PROT_READ, MAP_PRIVATE, fd, 1UL << 62);
	try_map("highest offset", NULL, page, PROT_READ, MAP_PRIVATE, fd, -page);
}

BEHAVIOUR(pipe_ends, "mmap ENODEV")
{
	int ends[2];

	abi_must("pipe", pipe(ends));
	try_map("end to read, private", NULL, page, PROT_READ, MAP_PRIVATE, ends[0], 0);
	try_map("end to read, shared", NULL, page, PROT_READ, MAP_SHARED, ends[0], 0);
	try_map("end to read, shared to write", NULL, page, RW, MAP_SHARED, ends[0], 0);
	try_map("end to write", NULL, page, PROT_WRITE, MAP_SHARED, ends[1], 0);
	try_map("highest offset", NULL, page, PROT_READ, MAP_PRIVATE, ends[0], -page);
}

BEHAVIOUR(socket_end, "mmap ENODEV")
{
	int ends[2];

	abi_must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	try_map("private", NULL, page, RW, MAP_PRIVATE, ends[0], 0);
	try_map("shared", NULL, page, RW, MAP_SHARED, ends[0], 0);
}

BEHAVIOUR(files_without_memory, "mmap ENODEV")
{
	try_map("eventfd", NULL, page, RW, MAP_SHARED, eventfd(0, 0), 0);
	try_map("/dev/null", NULL, page, RW, MAP_SHARED, open("/dev/null", O_RDWR), 0);
	try_map("/dev/full", NULL, page, RW, MAP_PRIVATE, open("/dev/full", O_RDWR), 0);
	try_map("/dev/urandom", NULL, page, PROT_READ, MAP_PRIVATE, open("/dev/urandom", O_RDONLY),
	        0);
}

BEHAVIOUR(proc_files, "mmap of a procfs file")
{
	try_map("/proc/self/maps", NULL, page, PROT_READ, MAP_PRIVATE,
	        open("/proc/self/maps", O_RDONLY), 0);
	try_map("/proc/self/mem", NULL, page, PROT_READ, MAP_PRIVATE,
	        open("/proc/self/mem", O_RDONLY), 0);
	try_map("/proc/sys/vm/overcommit_memory", NULL, page, PROT_READ, MAP_SHARED,
	        open("/proc/sys/vm/overcommit_memory", O_RDONLY), 0);
	try_map("/proc/self/fd", NULL, page, PROT_READ, MAP_SHARED, open("/proc/self/fd", O_RDONLY),
	        0);
}

BEHAVIOUR(symlink_fd, "mmap EBADF O_PATH")
{
	close(abi_file(page));
	abi_must("symlink", symlink("file", "link"));
	try_map("path of a link", NULL, page, PROT_READ, MAP_PRIVATE,
	        open("link", O_PATH | O_NOFOLLOW), 0);
	try_map("through a link", NULL, page, PROT_READ, MAP_PRIVATE, open("link", O_RDONLY), 0);
}

/* ---- what stays ---- */

BEHAVIOUR(refusals_leave_nothing_behind, "mmap refusals change nothing")
{
	char *p = abi_map(3, RW);
	long size = abi_status_field("VmSize");
	int fd = abi_file(page);

	abi_fill(p, 3, 1);
	close(fd);
	fd = open("file", O_RDONLY);
	abi_ptr("no type", sys_mmap(p, page, RW, MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	abi_ptr("access", sys_mmap(p, page, RW, MAP_SHARED | MAP_FIXED, fd, 0));
	abi_ptr("directory",
	        sys_mmap(p, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, open(".", O_RDONLY), 0));
	abi_ptr("growing",
	        sys_mmap(p, page, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN, fd, 0));
	abi_ptr("offset", sys_mmap(p, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 7));
	abi_ptr("overflow", sys_mmap(p, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, -page));
	abi_ptr("validated",
	        sys_mmap(p, page, PROT_READ, MAP_SHARED_VALIDATE | MAP_FIXED | 1L << 31, fd, 0));
	abi_pages("pages", p, 3);
	abi_maps(p, 3);
	abi_say("VmSize changed by %ld", abi_status_field("VmSize") - size);
}
