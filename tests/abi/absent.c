/* SPDX-License-Identifier: MIT */
/* What mmkit has none of yet - huge pages, userfaultfd, mandatory locks - and what Linux answers.
 */
#include "abi.h"

#include <sys/mount.h>
#include <sys/shm.h>

#define HUGE_SHIFT 26

static void try_huge(const char *what, int size)
{
	void *p = sys_mmap(NULL, 1UL << 21, RW, ANON | MAP_HUGETLB | size << HUGE_SHIFT, -1, 0);

	abi_ret(what, p == MAP_FAILED ? -1 : 0);
}

#ifdef __aarch64__
BEHAVIOUR(bits_that_other_cpus_know, "mprotect EINVAL PROT_BTI")
{
	char *p = abi_map(1, RW);

	TRY(mprotect(p, page, PROT_READ | PROT_BTI));
	TRY(mprotect(p, page, PROT_READ | PROT_MTE));
	abi_vmflags("as it was", p);
	p = abi_map(1, RW | PROT_BTI | PROT_MTE);
	abi_vmflags("mapped with them", p);
}
#endif

BEHAVIOUR(huge_pages_when_none_are_set_aside, "mmap MAP_HUGETLB")
{
	abi_needs_own_machine();
	try_huge("default size", 0);
	try_huge("2 MiB", 21);
}

BEHAVIOUR(huge_pages_and_other_refusals, "mmap MAP_HUGETLB")
{
	abi_ptr("offset", sys_mmap(NULL, page, RW, ANON | MAP_HUGETLB, -1, 1));
	abi_ptr("no such fd", sys_mmap(NULL, page, RW, MAP_PRIVATE | MAP_HUGETLB, 77, 0));
	abi_ptr("no size", sys_mmap(NULL, page, RW, ANON | MAP_HUGETLB | 12 << HUGE_SHIFT, -1, 0));
}

BEHAVIOUR(huge_memfd, "memfd_create MFD_HUGETLB")
{
	abi_needs_own_machine();
	abi_ret("memfd", memfd_create("huge", 4) < 0 ? -1 : 0);
}

BEHAVIOUR(huge_shared_memory, "shmget SHM_HUGETLB")
{
	abi_needs_own_machine();
	abi_ret("shmget",
	        shmget(IPC_PRIVATE, 1UL << 21, 0600 | IPC_CREAT | SHM_HUGETLB) < 0 ? -1 : 0);
}

BEHAVIOUR(user_faults, "userfaultfd")
{
	abi_needs_own_machine();
	abi_ret("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC) < 0 ? -1 : 0);
}

/* The file is one for mandatory locks: set-group-ID without execution for the group, on such a
 * mount. */
BEHAVIOUR(mandatory_lock_and_a_shared_mapping, "mmap EAGAIN mandatory lock")
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	void *p;
	int fd;

	abi_needs_own_machine();
	abi_must("mkdir", mkdir("mnt", 0755));
	TRY(mount("none", "mnt", "tmpfs", MS_MANDLOCK, NULL));
	fd = abi_file_named("mnt/file", page);
	TRY(fchmod(fd, 02644));
	if (!abi_fork()) {
		abi_ret("lock", fcntl(open("mnt/file", O_RDWR), F_SETLK, &lock));
		p = mmap(NULL, page, RW, MAP_SHARED, fd, 0);
		abi_ret("shared mapping by the owner of the lock", p == MAP_FAILED ? -1 : 0);
		if (!abi_fork()) {
			p = mmap(NULL, page, RW, MAP_SHARED, fd, 0);
			abi_ret("shared mapping by another", p == MAP_FAILED ? -1 : 0);
			p = mmap(NULL, page, RW, MAP_PRIVATE, fd, 0);
			abi_ret("private mapping by another", p == MAP_FAILED ? -1 : 0);
			_exit(0);
		}
		wait(NULL);
		_exit(0);
	}
	wait(NULL);
}
