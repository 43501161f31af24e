/* SPDX-License-Identifier: MIT */
/* What mmap's flags do to a mapping that comes about; noexec mounts; huge pages that are not there.
 */
#include "abi.h"

#include <sys/mount.h>

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

static void try_map(const char *what, unsigned long len, int prot, int flags, int fd)
{
	void *p = sys_mmap(NULL, len, prot, flags, fd, 0);

	abi_ret(what, p == MAP_FAILED ? -1 : 0);
}

/* ---- populating ---- */

BEHAVIOUR(populate_of_anonymous_memory, "mmap MAP_POPULATE")
{
	char *p = abi_map_with(4, RW, ANON | MAP_POPULATE, -1, 0);

	abi_mincore(p, 4);
	abi_smaps(p, "Rss");
	abi_smaps(p, "Anonymous");
}

BEHAVIOUR(populate_of_read_only_memory, "mmap MAP_POPULATE")
{
	char *p = abi_map_with(4, PROT_READ, ANON | MAP_POPULATE, -1, 0);

	abi_mincore(p, 4);
	abi_smaps(p, "Rss");
	abi_smaps(p, "Anonymous");
}

BEHAVIOUR(populate_of_inaccessible_memory, "mmap MAP_POPULATE")
{
	char *p = abi_map_with(4, PROT_NONE, ANON | MAP_POPULATE, -1, 0);

	abi_mincore(p, 4);
}

BEHAVIOUR(populate_of_a_private_file, "mmap MAP_POPULATE")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_PRIVATE | MAP_POPULATE, fd, 0);

	abi_smaps(p, "Rss");
	abi_smaps(p, "Anonymous");
	abi_must("pwrite", pwrite(fd, "\x99", 1, 0));
	abi_load("sees later writes", p);
}

BEHAVIOUR(populate_of_a_read_only_private_file, "mmap MAP_POPULATE")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);

	abi_smaps(p, "Rss");
	abi_smaps(p, "Anonymous");
	abi_must("pwrite", pwrite(fd, "\x99", 1, 0));
	abi_load("sees later writes", p);
}

BEHAVIOUR(populate_of_a_shared_file, "mmap MAP_POPULATE")
{
	int fd = abi_memfd(0, 0);
	char *p;

	abi_must("ftruncate", ftruncate(fd, 4 * page));
	p = abi_map_with(4, RW, MAP_SHARED | MAP_POPULATE, fd, 0);
	abi_mincore(p, 4);
	abi_smaps(p, "Rss");
}

BEHAVIOUR(populate_beyond_the_end_of_a_file, "mmap MAP_POPULATE")
{
	int fd = abi_file(page);
	char *p = abi_map_with(3, RW, MAP_SHARED | MAP_POPULATE, fd, 0);

	abi_smaps(p, "Rss");
	abi_maps(p, 3);
}

BEHAVIOUR(populate_and_nonblock, "mmap MAP_NONBLOCK")
{
	char *p = abi_map_with(4, RW, ANON | MAP_POPULATE | MAP_NONBLOCK, -1, 0);

	abi_mincore(p, 4);
}

BEHAVIOUR(populate_of_a_growing_mapping, "mmap MAP_POPULATE")
{
	char *p = abi_map_with(4, RW, ANON | MAP_POPULATE | MAP_GROWSDOWN, -1, 0);

	abi_mincore(p, 4);
	abi_maps(p - page, 6);
}

/* ---- locking ---- */

BEHAVIOUR(locked_mapping, "mmap MAP_LOCKED")
{
	char *p = abi_map_with(4, RW, ANON | MAP_LOCKED, -1, 0);

	abi_mincore(p, 4);
	abi_status("VmLck");
	abi_vmflags("locked", p);
	abi_smaps(p, "Locked");
}

BEHAVIOUR(locked_mapping_of_a_file, "mmap MAP_LOCKED")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, PROT_READ, MAP_SHARED | MAP_LOCKED, fd, 0);

	abi_status("VmLck");
	abi_smaps(p, "Rss");
}

BEHAVIOUR(locked_beyond_the_limit, "mmap MAP_LOCKED EAGAIN")
{
	abi_limit(RLIMIT_MEMLOCK, 4 * page);
	abi_nobody();
	try_map("4 pages", 4 * page, RW, ANON | MAP_LOCKED, -1);
	try_map("one more", page, RW, ANON | MAP_LOCKED, -1);
	abi_status("VmLck");
	try_map("not locked", page, RW, ANON, -1);
}

BEHAVIOUR(locked_with_no_limit_at_all, "mmap MAP_LOCKED EPERM")
{
	int fd = abi_file(page);

	abi_limit(RLIMIT_MEMLOCK, 0);
	try_map("root", page, RW, ANON | MAP_LOCKED, -1);
	abi_nobody();
	try_map("nobody", page, RW, ANON | MAP_LOCKED, -1);
	try_map("nobody, no type", page, RW, MAP_ANONYMOUS | MAP_LOCKED, -1);
	try_map("nobody, file", page, RW, MAP_SHARED | MAP_LOCKED, fd);
	try_map("nobody, no such fd", page, RW, MAP_SHARED | MAP_LOCKED, 77);
	try_map("nobody, length 0", 0, RW, ANON | MAP_LOCKED, -1);
}

BEHAVIOUR(locked_fixed_counts_what_it_replaces_too, "mmap MAP_LOCKED EAGAIN")
{
	char *p;

	abi_limit(RLIMIT_MEMLOCK, 4 * page);
	abi_nobody();
	p = abi_map_with(3, RW, ANON | MAP_LOCKED, -1, 0);
	abi_ptr("again in its place", mmap(p, 3 * page, RW, ANON | MAP_LOCKED | MAP_FIXED, -1, 0));
	abi_ptr("one page in its place", mmap(p, page, RW, ANON | MAP_LOCKED | MAP_FIXED, -1, 0));
	abi_status("VmLck");
	abi_maps(p, 3);
}

BEHAVIOUR(locked_inaccessible_mapping, "mmap MAP_LOCKED")
{
	char *p = abi_map_with(4, PROT_NONE, ANON | MAP_LOCKED, -1, 0);

	abi_status("VmLck");
	abi_mincore(p, 4);
	abi_vmflags("locked", p);
}

BEHAVIOUR(everything_locked_in_future, "mmap mlockall MCL_FUTURE")
{
	char *p;

	TRY(mlockall(MCL_FUTURE));
	p = abi_map(4, RW);
	abi_vmflags("new", p);
	abi_mincore(p, 4);
	p = abi_map_with(4, RW, ANON | MAP_NORESERVE, -1, 0);
	abi_vmflags("noreserve", p);
}

BEHAVIOUR(everything_locked_on_fault, "mmap mlockall MCL_ONFAULT")
{
	char *p;

	TRY(mlockall(MCL_FUTURE | MCL_ONFAULT));
	p = abi_map(4, RW);
	abi_vmflags("new", p);
	abi_mincore(p, 4);
	abi_store("touch", p + page, 1);
	abi_smaps(p, "Locked");
}

BEHAVIOUR(locked_in_future_beyond_the_limit, "mmap mlockall EAGAIN")
{
	TRY(mlockall(MCL_FUTURE));
	abi_limit(RLIMIT_MEMLOCK, 2 * page);
	abi_nobody();
	try_map("too many", 64 * page, RW, ANON, -1);
	try_map("too many, PROT_NONE", 64 * page, PROT_NONE, ANON, -1);
	try_map("too many, no type", 64 * page, RW, MAP_ANONYMOUS, -1);
}

/* ---- flags that say little ---- */

BEHAVIOUR(vmflags_of_each_flag, "mmap VmFlags")
{
	abi_vmflags("plain", abi_map(1, RW));
	abi_vmflags("noreserve", abi_map_with(1, RW, ANON | MAP_NORESERVE, -1, 0));
	abi_vmflags("stack", abi_map_with(1, RW, ANON | MAP_STACK, -1, 0));
	abi_vmflags("growing", abi_map_with(1, RW, ANON | MAP_GROWSDOWN, -1, 0));
	abi_vmflags("denywrite", abi_map_with(1, RW, ANON | MAP_DENYWRITE | MAP_EXECUTABLE, -1, 0));
	abi_vmflags("shared", abi_map_with(1, RW, SHM, -1, 0));
	abi_vmflags("shared noreserve", abi_map_with(1, RW, SHM | MAP_NORESERVE, -1, 0));
	abi_vmflags("uninitialized", abi_map_with(1, RW, ANON | MAP_UNINITIALIZED, -1, 0));
	abi_vmflags("read only", abi_map(1, PROT_READ));
	abi_vmflags("none", abi_map(1, PROT_NONE));
}

BEHAVIOUR(vmflags_of_files, "mmap VmFlags")
{
	int fd = abi_file(page), ro = open("file", O_RDONLY);

	abi_vmflags("private", abi_map_with(1, RW, MAP_PRIVATE, fd, 0));
	abi_vmflags("private read only", abi_map_with(1, PROT_READ, MAP_PRIVATE, fd, 0));
	abi_vmflags("shared", abi_map_with(1, RW, MAP_SHARED, fd, 0));
	abi_vmflags("shared read only", abi_map_with(1, PROT_READ, MAP_SHARED, fd, 0));
	abi_vmflags("shared of a read-only fd", abi_map_with(1, PROT_READ, MAP_SHARED, ro, 0));
	abi_vmflags("private of a read-only fd", abi_map_with(1, RW, MAP_PRIVATE, ro, 0));
	abi_vmflags("shared noreserve", abi_map_with(1, RW, MAP_SHARED | MAP_NORESERVE, fd, 0));
	abi_vmflags("private noreserve", abi_map_with(1, RW, MAP_PRIVATE | MAP_NORESERVE, fd, 0));
}

BEHAVIOUR(uninitialized_is_zero_nevertheless, "mmap MAP_UNINITIALIZED")
{
	char *p = abi_map_with(1, RW, ANON | MAP_UNINITIALIZED, -1, 0);

	abi_bytes("page", p, page);
}

BEHAVIOUR(denywrite_and_executable_are_ignored, "mmap MAP_DENYWRITE")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, PROT_READ, MAP_PRIVATE | MAP_DENYWRITE | MAP_EXECUTABLE, fd, 0);

	abi_ret("open to write", open("file", O_WRONLY) < 0 ? -1 : 0);
	abi_maps(p, 1);
	abi_vmflags("denywrite", p);
}

/* ---- huge pages that this system has none of ---- */

BEHAVIOUR(huge_pages_of_a_file_that_has_none, "mmap MAP_HUGETLB")
{
	int fd = abi_file(page);

	try_map("private", page, RW, MAP_PRIVATE | MAP_HUGETLB, fd);
	try_map("shared", page, RW, MAP_SHARED | MAP_HUGETLB, fd);
	try_map("no type", page, RW, MAP_HUGETLB, fd);
	try_map("length 0", 0, RW, MAP_PRIVATE | MAP_HUGETLB, fd);
}

BEHAVIOUR(huge_pages_of_no_known_size, "mmap MAP_HUGETLB")
{
	try_map("4 KiB", page, RW, ANON | MAP_HUGETLB | 12 << MAP_HUGE_SHIFT, -1);
	try_map("8 GiB", page, RW, ANON | MAP_HUGETLB | 33 << MAP_HUGE_SHIFT, -1);
	try_map("2^63", page, RW, ANON | MAP_HUGETLB | 63u << MAP_HUGE_SHIFT, -1);
}

/* ---- noexec ---- */

static int file_on_noexec(int flags)
{
	abi_must("mkdir", mkdir("mnt", 0755));
	abi_must("mount", mount("none", "mnt", "tmpfs", MS_NOEXEC, NULL));
	close(abi_file_named("mnt/file", 2 * page));
	return abi_must("open", open("mnt/file", flags));
}

BEHAVIOUR(executable_mapping_from_a_noexec_mount, "mmap EPERM noexec")
{
	int fd;

	abi_needs_own_machine();
	fd = file_on_noexec(O_RDWR);
	try_map("rx private", page, RX, MAP_PRIVATE, fd);
	try_map("x shared", page, PROT_EXEC, MAP_SHARED, fd);
	try_map("rwx private", page, RWX, MAP_PRIVATE, fd);
	try_map("rw private", page, RW, MAP_PRIVATE, fd);
	try_map("rx, growing", page, RX, MAP_PRIVATE | MAP_GROWSDOWN, fd);
	try_map("rx, no type", page, RX, 0, fd);
}

BEHAVIOUR(executable_later_from_a_noexec_mount, "mprotect EACCES noexec")
{
	char *p;

	abi_needs_own_machine();
	p = abi_map_with(2, RW, MAP_PRIVATE, file_on_noexec(O_RDWR), 0);
	abi_vmflags("private", p);
	TRY(mprotect(p, page, RX));
	TRY(mprotect(p, page, PROT_READ));
	abi_maps(p, 2);
}

BEHAVIOUR(noexec_and_access, "mmap EPERM noexec")
{
	int fd;

	abi_needs_own_machine();
	fd = file_on_noexec(O_WRONLY);
	try_map("write only", page, RX, MAP_PRIVATE, fd);
	fd = open("mnt/file", O_RDONLY);
	try_map("read only, shared rwx", page, RWX, MAP_SHARED, fd);
	fd = open("mnt", O_RDONLY);
	try_map("directory", page, RX, MAP_PRIVATE, fd);
}

BEHAVIOUR(read_implies_exec_but_not_on_noexec, "personality READ_IMPLIES_EXEC")
{
	char *p;

	abi_needs_own_machine();
	TRY(personality(READ_IMPLIES_EXEC));
	p = abi_map_with(2, RW, MAP_PRIVATE, file_on_noexec(O_RDWR), 0);
	abi_maps(p, 2);
	TRY(mprotect(p, page, PROT_READ));
	abi_maps(p, 2);
}

BEHAVIOUR(program_on_a_noexec_mount, "execve EACCES noexec")
{
	char *argv[] = {"x", NULL};

	abi_needs_own_machine();
	close(file_on_noexec(O_RDWR));
	chmod("mnt/file", 0755);
	abi_ret("execv", execv("mnt/file", argv));
}

BEHAVIOUR(anonymous_memory_is_no_matter_of_mounts, "mmap EPERM noexec")
{
	try_map("/dev/zero rx", page, RX, MAP_PRIVATE, open("/dev/zero", O_RDWR));
	try_map("memfd rx", page, RX, MAP_SHARED, abi_memfd(page, 0));
	try_map("anonymous rx", page, RX, ANON, -1);
}

BEHAVIOUR(read_only_mount, "mmap of a read-only mount")
{
	int fd;

	abi_needs_own_machine();
	abi_must("mkdir", mkdir("mnt", 0755));
	abi_must("mount", mount("none", "mnt", "tmpfs", 0, NULL));
	close(abi_file_named("mnt/file", page));
	abi_must("remount", mount("none", "mnt", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL));
	abi_ret("open to write", open("mnt/file", O_RDWR) < 0 ? -1 : 0);
	fd = open("mnt/file", O_RDONLY);
	try_map("shared r", page, PROT_READ, MAP_SHARED, fd);
	try_map("shared rw", page, RW, MAP_SHARED, fd);
	try_map("private rw", page, RW, MAP_PRIVATE, fd);
}
