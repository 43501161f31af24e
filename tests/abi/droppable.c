/* SPDX-License-Identifier: MIT */
/*
 * mmap MAP_DROPPABLE, of Linux 6.11: memory whose pages may go at any time, for what can be made
 * again. PAGEOUT takes them at once.
 */
#include "abi.h"

#define DROP (MAP_DROPPABLE | MAP_ANONYMOUS)

BEHAVIOUR(droppable_memory_can_be_had, "mmap MAP_DROPPABLE")
{
	char *p = abi_map_with(3, RW, DROP, -1, 0);

	abi_maps(p, 3);
	abi_vmflags("droppable", p);
	abi_pages("pages", p, 3);
	abi_store("one", p, 1);
	abi_pages("pages", p, 3);
	abi_smaps(p, "Rss");
}

BEHAVIOUR(droppable_types_do_not_combine, "mmap MAP_DROPPABLE EINVAL")
{
	char *p = abi_window(2);

	abi_ptr("with PRIVATE", mmap(p, page, RW, DROP | MAP_PRIVATE, -1, 0));
	abi_ptr("with SHARED", mmap(p, page, RW, DROP | MAP_SHARED, -1, 0));
	abi_ptr("with VALIDATE", mmap(p, page, RW, DROP | MAP_SHARED_VALIDATE, -1, 0));
	abi_ptr("alone", mmap(p, page, RW, DROP | MAP_FIXED, -1, 0));
}

BEHAVIOUR(droppable_is_for_anonymous_memory, "mmap MAP_DROPPABLE EINVAL")
{
	int fd = abi_file(page), zero = open("/dev/zero", O_RDWR);
	char *p = abi_window(2);

	abi_ptr("file", mmap(p, page, RW, MAP_DROPPABLE, fd, 0));
	abi_ptr("zero", mmap(p, page, RW, MAP_DROPPABLE, zero, 0));
	abi_ptr("bad", mmap(p, page, RW, MAP_DROPPABLE, -1, 0));
}

BEHAVIOUR(droppable_is_neither_locked_nor_a_stack, "mmap MAP_DROPPABLE EINVAL")
{
	char *p = abi_window(2);

	abi_ptr("LOCKED", mmap(p, page, RW, DROP | MAP_LOCKED, -1, 0));
	abi_ptr("GROWSDOWN", mmap(p, page, RW, DROP | MAP_GROWSDOWN, -1, 0));
	abi_ptr("HUGETLB", mmap(p, page, RW, DROP | MAP_HUGETLB, -1, 0));
	abi_ptr("STACK", mmap(p, page, RW, DROP | MAP_STACK | MAP_FIXED, -1, 0));
	abi_ptr("NORESERVE", mmap(p, page, RW, DROP | MAP_NORESERVE | MAP_FIXED, -1, 0));
	abi_ptr("POPULATE", mmap(p, page, RW, DROP | MAP_POPULATE | MAP_FIXED, -1, 0));
	abi_mincore(p, 1);
}

BEHAVIOUR(droppable_while_all_is_locked, "mmap MAP_DROPPABLE EINVAL")
{
	char *p = abi_window(2);

	TRY(mlockall(MCL_FUTURE));
	abi_ptr("mmap", mmap(p, page, RW, DROP | MAP_FIXED, -1, 0));
	abi_vmflags("locked?", p);
	abi_mincore(p, 1);
	TRY(munlockall());
	abi_ptr("mmap", mmap(p, page, RW, DROP | MAP_FIXED, -1, 0));
	TRY(mlockall(MCL_CURRENT));
	abi_vmflags("locked?", p);
}

BEHAVIOUR(droppable_is_not_locked_by_mlock, "mmap MAP_DROPPABLE mlock")
{
	char *p = abi_map_with(2, RW, DROP, -1, 0);

	TRY(mlock(p, 2 * page));
	abi_vmflags("after mlock", p);
	abi_smaps(p, "Locked");
	abi_mincore(p, 2);
	TRY(syscall(SYS_mlock2, p, 2 * page, 1));
	abi_vmflags("after mlock2", p);
	TRY(munlock(p, 2 * page));
}

BEHAVIOUR(droppable_is_wiped_on_fork, "mmap MAP_DROPPABLE fork")
{
	char *p = abi_map_with(2, RW, DROP, -1, 0);
	pid_t pid;

	abi_store("parent", p, 5);
	pid = abi_fork();
	if (!pid) {
		abi_vmflags("child", p);
		abi_pages("child", p, 2);
		_exit(0);
	}
	abi_wait(pid);
	abi_load("parent", p);
}

BEHAVIOUR(droppable_pages_are_dropped, "mmap MAP_DROPPABLE reclaim")
{
	char *p = abi_map_with(4, RW, DROP, -1, 0);

	abi_fill(p, 4, 1);
	TRY(madvise(p, 2 * page, MADV_PAGEOUT));
	abi_mincore(p, 4);
	abi_pages("pages", p, 4);
	abi_store("again", p, 9);
	abi_load("again", p);
}

BEHAVIOUR(advice_for_droppable_memory, "mmap MAP_DROPPABLE madvise")
{
	char *p = abi_map_with(2, RW, DROP, -1, 0);

	abi_fill(p, 2, 1);
	TRY(madvise(p, page, MADV_KEEPONFORK));
	TRY(madvise(p, page, MADV_WIPEONFORK));
	TRY(madvise(p, page, MADV_DODUMP));
	TRY(madvise(p, page, MADV_DONTDUMP));
	TRY(madvise(p, page, MADV_FREE));
	TRY(madvise(p, page, MADV_COLD));
	TRY(madvise(p, page, MADV_WILLNEED));
	TRY(madvise(p, page, MADV_POPULATE_READ));
	TRY(madvise(p, page, MADV_POPULATE_WRITE));
	TRY(madvise(p, page, MADV_DONTFORK));
	TRY(madvise(p, page, MADV_DOFORK));
	TRY(madvise(p, page, MADV_REMOVE));
	TRY(madvise(p, page, MADV_DONTNEED));
	abi_pages("pages", p, 2);
	abi_maps(p, 2);
}

BEHAVIOUR(droppable_is_protected_split_and_moved, "mmap MAP_DROPPABLE")
{
	char *p = abi_map_with(4, RW, DROP, -1, 0), *q = abi_window(2);

	abi_fill(p, 4, 1);
	TRY(mprotect(p + page, page, PROT_READ));
	abi_maps(p, 4);
	abi_ptr("mremap", mremap(p, page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, q));
	abi_vmflags("moved", q);
	abi_pages("moved", q, 2);
	TRY(munmap(p + 2 * page, page));
	abi_maps(p, 4);
}

BEHAVIOUR(droppable_does_not_merge_with_other_memory, "mmap MAP_DROPPABLE")
{
	char *p = abi_map_with(4, RW, DROP, -1, 0);

	abi_ptr("plain", mmap(p + 2 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("droppable", mmap(p + page, page, RW, DROP | MAP_FIXED, -1, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(droppable_is_not_charged, "mmap MAP_DROPPABLE")
{
	char *p;

	abi_knob("/proc/sys/vm/overcommit_memory", "2");
	p = abi_map_with(2, RW, DROP, -1, 0);
	abi_vmflags("strict", p);
}
