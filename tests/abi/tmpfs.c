/* SPDX-License-Identifier: MIT */
/* tmpfs, and what it answers when it is full: to write, to fallocate, to a touch of a mapping. */
#include "abi.h"

#include <sys/mount.h>
#include <sys/statfs.h>

/* A tmpfs at "t" with these options. */
static void tmpfs(const char *options)
{
	abi_needs_own_machine();
	abi_must("mkdir", mkdir("t", 0755));
	abi_must("mount", mount("none", "t", "tmpfs", 0, options));
}

static void room(void)
{
	struct statfs st;

	abi_must("statfs", statfs("t", &st));
	abi_say("blocks %ld free %ld available %ld files %ld free %ld bsize %ld", (long)st.f_blocks,
	        (long)st.f_bfree, (long)st.f_bavail, (long)st.f_files, (long)st.f_ffree,
	        (long)st.f_bsize);
}

static int file(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "t/%s", name);
	return (int)abi_must("open", open(path, O_RDWR | O_CREAT, 0600));
}

static void done(void)
{
	TRY(umount2("t", MNT_DETACH));
}

BEHAVIOUR(room_of_an_empty_tmpfs, "tmpfs size=")
{
	tmpfs("size=64k,nr_inodes=10");
	room();
	done();
}

BEHAVIOUR(size_is_rounded_up_to_pages, "tmpfs size=")
{
	tmpfs("size=10000,nr_inodes=5");
	room();
	done();
}

BEHAVIOUR(size_may_have_a_unit, "tmpfs size=")
{
	tmpfs("size=1M,nr_inodes=1k");
	room();
	done();
}

BEHAVIOUR(blocks_instead_of_a_size, "tmpfs nr_blocks=")
{
	tmpfs("nr_blocks=7,nr_inodes=4");
	room();
	done();
}

BEHAVIOUR(bad_options_are_refused, "tmpfs EINVAL")
{
	abi_needs_own_machine();
	abi_must("mkdir", mkdir("t", 0755));
	TRY(mount("none", "t", "tmpfs", 0, "size=x"));
	TRY(mount("none", "t", "tmpfs", 0, "size=4kx"));
	TRY(mount("none", "t", "tmpfs", 0, "nr_inodes=many"));
	TRY(mount("none", "t", "tmpfs", 0, "colour=red"));
}

BEHAVIOUR(a_write_ends_where_the_room_does, "tmpfs ENOSPC write")
{
	static char buf[64 << 10];
	int fd;

	tmpfs("size=32k");
	fd = file("f");
	TRY(write(fd, buf, sizeof(buf)));
	TRY(write(fd, buf, 1));
	TRY(lseek(fd, 0, SEEK_END));
	TRY(pwrite(fd, buf, 100, 0));
	abi_must("ftruncate", ftruncate(fd, 4 * page));
	TRY(pwrite(fd, buf, 4 * page, 4 * page));
	done();
}

BEHAVIOUR(a_write_into_the_last_page_works_when_full, "tmpfs ENOSPC write")
{
	static char buf[4 << 12];
	int fd;

	tmpfs("size=16k");
	fd = file("f");
	TRY(write(fd, buf, 3 * page + 10));
	TRY(write(fd, buf, 20));
	TRY(pwrite(file("g"), buf, 1, 0));
	TRY(write(fd, buf, 2 * page));
	TRY(lseek(fd, 0, SEEK_CUR));
	done();
}

BEHAVIOUR(a_touch_beyond_the_room_is_sigbus, "tmpfs SIGBUS")
{
	char *p;
	int fd;

	tmpfs("size=16k");
	fd = file("f");
	abi_must("ftruncate", ftruncate(fd, 8 * page));
	p = abi_map_with(8, RW, MAP_SHARED, fd, 0);
	for (int i = 0; i < 6; i++)
		abi_store("store", p + i * page, i + 1);
	abi_pages("pages", p, 4);
	TRY(munmap(p, 8 * page));
	done();
}

BEHAVIOUR(a_read_of_a_hole_needs_room_in_a_mapping, "tmpfs SIGBUS")
{
	char *p, c;
	int fd;

	tmpfs("size=8k");
	fd = file("f");
	abi_must("ftruncate", ftruncate(fd, 8 * page));
	p = abi_map_with(8, RW, MAP_SHARED, fd, 0);
	TRY(pread(fd, &c, 1, 7 * page));
	abi_load("load 0", p);
	abi_load("load 1", p + page);
	abi_load("load 2", p + 2 * page);
	TRY(pread(fd, &c, 1, 2 * page));
	TRY(munmap(p, 8 * page));
	done();
}

BEHAVIOUR(a_private_write_needs_room_for_the_page_it_copies, "tmpfs SIGBUS")
{
	char *p;
	int fd;

	tmpfs("size=4k");
	fd = file("f");
	abi_must("ftruncate", ftruncate(fd, 4 * page));
	p = abi_map_with(4, RW, MAP_PRIVATE, fd, 0);
	abi_store("store 0", p, 1);
	abi_store("store 1", p + page, 1);
	TRY(munmap(p, 4 * page));
	done();
}

BEHAVIOUR(fallocate_is_all_or_nothing, "tmpfs ENOSPC fallocate")
{
	int fd;

	tmpfs("size=32k,nr_inodes=8");
	fd = file("f");
	TRY(fallocate(fd, 0, 0, 4 * page));
	room();
	TRY(fallocate(fd, 0, 0, 9 * page));
	room();
	TRY(fallocate(fd, 0, 2 * page, 6 * page));
	room();
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20));
	TRY(lseek(fd, 0, SEEK_END));
	done();
}

BEHAVIOUR(room_comes_back, "tmpfs statfs")
{
	static char buf[8 << 12];
	char *p;
	int fd, fd2;

	tmpfs("size=64k,nr_inodes=8");
	fd = file("f");
	TRY(write(fd, buf, 8 * page));
	room();
	TRY(ftruncate(fd, 3 * page + 1));
	room();
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 * page));
	room();
	fd2 = file("g");
	abi_must("ftruncate", ftruncate(fd2, 4 * page));
	p = abi_map_with(4, RW, MAP_SHARED, fd2, 0);
	abi_fill(p, 4, 1);
	room();
	TRY(madvise(p, 2 * page, MADV_REMOVE));
	room();
	TRY(munmap(p, 4 * page));
	close(fd2);
	TRY(unlink("t/g"));
	room();
	TRY(unlink("t/f"));
	room();
	close(fd);
	room();
	done();
}

BEHAVIOUR(inodes_run_out, "tmpfs nr_inodes=")
{
	tmpfs("size=1m,nr_inodes=4");
	TRY(mkdir("t/a", 0755));
	TRY(symlink("x", "t/b"));
	TRY(mknod("t/c", S_IFIFO | 0600, 0));
	room();
	TRY(mkdir("t/d", 0755));
	TRY(open("t/e", O_RDWR | O_CREAT, 0600));
	TRY(open("t", O_RDWR | O_TMPFILE, 0600));
	TRY(symlink("x", "t/f"));
	TRY(rmdir("t/a"));
	room();
	TRY(mkdir("t/d", 0755));
	done();
}

BEHAVIOUR(a_full_tmpfs_still_gives_and_takes, "tmpfs ENOSPC write")
{
	static char buf[4 << 12];
	int fd, fd2;

	tmpfs("size=16k");
	fd = file("f");
	fd2 = file("g");
	TRY(write(fd, buf, 4 * page));
	TRY(write(fd2, buf, 1));
	TRY(ftruncate(fd, 3 * page));
	TRY(write(fd2, buf, 1));
	TRY(write(fd2, buf, page));
	done();
}

BEHAVIOUR(a_write_from_nowhere_takes_no_room, "tmpfs EFAULT")
{
	int fd;

	tmpfs("size=16k,nr_inodes=8");
	fd = file("f");
	TRY(write(fd, (void *)8, page));
	TRY(lseek(fd, 0, SEEK_END));
	done();
}
