/* SPDX-License-Identifier: MIT */
/*
 * fsync and its like: what they take and refuse. The errors of a disk cannot be had here, so their
 * reports are not among these.
 */
#include "abi.h"

#ifndef SYNC_FILE_RANGE_WRITE_AND_WAIT
#define SYNC_FILE_RANGE_WRITE_AND_WAIT 7
#endif

static long range(int fd, long off, long n, unsigned flags)
{
	return syscall(SYS_sync_file_range, fd, off, n, flags);
}

BEHAVIOUR(fsync_of_a_file, "fsync")
{
	int fd = abi_file(2 * page);

	TRY(fsync(fd));
	TRY(fdatasync(fd));
	TRY(syncfs(fd));
}

BEHAVIOUR(fsync_of_what_is_not_open, "fsync EBADF")
{
	TRY(fsync(-1));
	TRY(fdatasync(-1));
	TRY(syncfs(-1));
	TRY(fsync(999));
	TRY(syncfs(999));
}

BEHAVIOUR(fsync_of_a_path_descriptor, "fsync EBADF")
{
	int fd;

	abi_file(page);
	fd = open("file", O_PATH);
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	TRY(syncfs(fd));
	TRY(range(fd, 0, 0, 0));
}

BEHAVIOUR(fsync_of_other_things, "fsync EINVAL")
{
	int fds[2], fd;

	abi_must("pipe", pipe(fds));
	TRY(fsync(fds[0]));
	TRY(fsync(fds[1]));
	fd = open("/dev/null", O_RDWR);
	TRY(fsync(fd));
	fd = open("/proc/self/maps", O_RDONLY);
	TRY(fsync(fd));
	fd = open(".", O_RDONLY | O_DIRECTORY);
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	fd = abi_memfd(page, 0);
	TRY(fsync(fd));
}

BEHAVIOUR(fsync_needs_no_right_to_write, "fsync")
{
	int fd;

	abi_file(page);
	fd = open("file", O_RDONLY);
	TRY(fsync(fd));
	TRY(range(fd, 0, 0, SYNC_FILE_RANGE_WRITE_AND_WAIT));
}

BEHAVIOUR(sync_file_range_of_a_part, "sync_file_range")
{
	int fd = abi_file(4 * page);

	TRY(range(fd, 0, 0, 0));
	TRY(range(fd, 0, page, 1));
	TRY(range(fd, 0, page, 2));
	TRY(range(fd, 0, page, 4));
	TRY(range(fd, page, 2 * page, 7));
	TRY(range(fd, 17, 3, 7));
	TRY(range(fd, 100 * page, page, 7));
	TRY(range(fd, 0, 0x7fffffffffffffff, 7));
}

BEHAVIOUR(sync_file_range_refuses_flags, "sync_file_range EINVAL")
{
	int fd = abi_file(page);

	TRY(range(fd, 0, 0, 8));
	TRY(range(fd, 0, 0, 0x80000000));
	TRY(range(fd, 0, 0, 15));
	TRY(range(-1, 0, 0, 8));
}

BEHAVIOUR(sync_file_range_refuses_ranges, "sync_file_range EINVAL")
{
	int fd = abi_file(page);

	TRY(range(fd, -1, 0, 7));
	TRY(range(fd, 0, -1, 7));
	TRY(range(fd, 0x7fffffffffffffff, 1, 7));
	TRY(range(fd, 0x7ffffffffffff000, 0xfff, 7));
	TRY(range(fd, 0x7ffffffffffff000, 0x1000, 7));
	TRY(range(fd, 1, 0x7fffffffffffffff, 7));
	TRY(range(-1, -1, 0, 7));
}

BEHAVIOUR(sync_file_range_of_other_things, "sync_file_range ESPIPE")
{
	int fds[2];

	TRY(range(-1, 0, 0, 0));
	abi_must("pipe", pipe(fds));
	TRY(range(fds[0], 0, 0, 0));
	TRY(range(fds[0], 0, 0, 7));
	TRY(range(open("/dev/null", O_RDWR), 0, 0, 7));
	TRY(range(open(".", O_RDONLY | O_DIRECTORY), 0, 0, 7));
}

BEHAVIOUR(msync_of_a_file_written_by_write, "msync MS_SYNC")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_must("pwrite", pwrite(fd, "xyz", 3, page));
	TRY(msync(p, 2 * page, MS_SYNC));
	abi_bytes("mapping", p + page, 4);
	p[page + 3] = '!';
	TRY(msync(p + page, page, MS_SYNC));
	abi_file_bytes("file", fd, page, 5);
}

BEHAVIOUR(msync_invalidate_keeps_what_is_dirty, "msync MS_INVALIDATE")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	p[0] = 'D';
	TRY(msync(p, page, MS_INVALIDATE));
	abi_bytes("mapping", p, 2);
	abi_file_bytes("file", fd, 0, 2);
	TRY(msync(p, page, MS_INVALIDATE | MS_SYNC));
	abi_bytes("mapping", p, 2);
}

static void knob_is(const char *name)
{
	char path[96], text[64] = "?";

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	abi_read_text(path, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	abi_say("%s is %s", name, text);
}

static void knob_put(const char *name, const char *text)
{
	char path[96], what[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	snprintf(what, sizeof(what), "%s \"%s\"", name, text);
	fd = open(path, O_WRONLY);
	abi_ret(what, fd < 0 ? -1 : write(fd, text, strlen(text)));
	if (fd >= 0)
		close(fd);
	knob_is(name);
}

BEHAVIOUR(dirty_knobs_at_first, "vm.dirty_* defaults")
{
	abi_needs_own_machine();
	knob_is("dirty_ratio");
	knob_is("dirty_background_ratio");
	knob_is("dirty_bytes");
	knob_is("dirty_background_bytes");
	knob_is("dirty_writeback_centisecs");
	knob_is("dirty_expire_centisecs");
	knob_is("panic_on_oom");
	knob_is("oom_kill_allocating_task");
	knob_is("oom_dump_tasks");
}

BEHAVIOUR(dirty_bytes_takes_the_place_of_dirty_ratio, "vm.dirty_bytes")
{
	abi_needs_own_machine();
	knob_put("dirty_bytes", "8192");
	knob_is("dirty_ratio");
	knob_put("dirty_bytes", "8191");
	knob_put("dirty_bytes", "0");
	knob_put("dirty_ratio", "20");
	knob_is("dirty_bytes");
	knob_put("dirty_background_bytes", "1");
	knob_is("dirty_background_ratio");
	knob_put("dirty_background_bytes", "0");
	knob_put("dirty_background_ratio", "10");
	knob_is("dirty_background_bytes");
}

BEHAVIOUR(dirty_ratio_has_bounds, "vm.dirty_ratio")
{
	abi_needs_own_machine();
	knob_put("dirty_ratio", "101");
	knob_put("dirty_ratio", "-1");
	knob_put("dirty_ratio", "100");
	knob_put("dirty_ratio", "0");
	knob_put("dirty_ratio", "20");
	knob_put("dirty_background_ratio", "101");
	knob_put("dirty_background_ratio", "10");
	knob_put("panic_on_oom", "3");
	knob_put("panic_on_oom", "0");
}

BEHAVIOUR(drop_caches_takes_1_to_4, "vm.drop_caches")
{
	abi_needs_own_machine();
	knob_put("drop_caches", "0");
	knob_put("drop_caches", "5");
	knob_put("drop_caches", "1");
	knob_put("drop_caches", "2");
	knob_put("drop_caches", "3");
}

BEHAVIOUR(dropped_caches_lose_nothing_of_tmpfs, "vm.drop_caches")
{
	int fd = abi_file(3 * page);
	char *p = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	abi_needs_own_machine();
	p[0] = 'K';
	knob_put("drop_caches", "3");
	abi_mincore(p, 3);
	abi_bytes("mapping", p, 2);
	abi_pages("pages", p, 3);
}
