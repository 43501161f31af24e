/* SPDX-License-Identifier: MIT */
/*
 * madvise GUARD_INSTALL and GUARD_REMOVE, of Linux 6.13; for files since 6.15. Older kernels do not
 * know the advice: EINVAL.
 */
#include "abi.h"

BEHAVIOUR(guard_faults, "madvise MADV_GUARD_INSTALL")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	abi_load("guard", p + page + 8);
	abi_store("guard", p + page + 8, 1);
	abi_pages("pages", p, 3);
	abi_maps(p, 3);
	abi_smaps(p, "Rss");
	TRY(madvise(p, 3 * page, MADV_GUARD_REMOVE));
	abi_pages("pages", p, 3);
}

BEHAVIOUR(guard_on_untouched_memory, "madvise MADV_GUARD_INSTALL")
{
	char *p = abi_map(3, RW);

	TRY(madvise(p, 2 * page, MADV_GUARD_INSTALL));
	abi_pages("pages", p, 3);
	TRY(madvise(p, page, MADV_GUARD_INSTALL));
	TRY(madvise(p + page, page, MADV_GUARD_REMOVE));
	abi_pages("pages", p, 3);
	TRY(madvise(p, 3 * page, MADV_GUARD_REMOVE));
	TRY(madvise(p, 3 * page, MADV_GUARD_REMOVE));
	abi_pages("pages", p, 3);
}

BEHAVIOUR(guard_survives_dontneed_and_free, "madvise MADV_GUARD_INSTALL")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	TRY(madvise(p, 2 * page, MADV_DONTNEED));
	abi_pages("pages", p, 4);
	TRY(madvise(p + page, 2 * page, MADV_FREE));
	TRY(madvise(p, 4 * page, MADV_PAGEOUT));
	TRY(madvise(p, 4 * page, MADV_COLD));
	TRY(madvise(p, 4 * page, MADV_WILLNEED));
	abi_pages("pages", p, 4);
}

BEHAVIOUR(guard_survives_mprotect, "madvise MADV_GUARD_INSTALL")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	TRY(mprotect(p, 3 * page, PROT_READ));
	abi_pages("read-only", p, 3);
	abi_store("guard", p + page, 1);
	TRY(mprotect(p, 3 * page, PROT_NONE));
	abi_load("none", p + page);
	TRY(mprotect(p, 3 * page, RW));
	abi_pages("pages", p, 3);
}

BEHAVIOUR(guard_is_inherited, "madvise MADV_GUARD_INSTALL fork")
{
	char *p = abi_map(3, RW);
	pid_t pid;

	abi_fill(p, 3, 1);
	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	pid = abi_fork();
	if (!pid) {
		abi_pages("child", p, 3);
		TRY(madvise(p + page, page, MADV_GUARD_REMOVE));
		abi_pages("child", p, 3);
		_exit(0);
	}
	abi_wait(pid);
	abi_pages("parent", p, 3);
}

BEHAVIOUR(guard_alone_is_inherited, "madvise MADV_GUARD_INSTALL fork")
{
	char *p = abi_map(3, RW);

	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	abi_child_pages(p, 3);
}

BEHAVIOUR(guard_and_wipeonfork, "madvise MADV_GUARD_INSTALL fork")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	TRY(madvise(p, 3 * page, MADV_WIPEONFORK));
	abi_child_pages(p, 3);
}

BEHAVIOUR(guard_moves_with_mremap, "madvise MADV_GUARD_INSTALL mremap")
{
	char *p = abi_map(3, RW), *q = abi_window(5);

	abi_fill(p, 3, 1);
	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	abi_ptr("mremap", mremap(p, 3 * page, 5 * page, MREMAP_MAYMOVE | MREMAP_FIXED, q));
	abi_pages("moved", q, 5);
	abi_ptr("mremap", mremap(q, 5 * page, 2 * page, 0));
	abi_pages("shrunk", q, 3);
}

BEHAVIOUR(guard_goes_with_munmap, "madvise MADV_GUARD_INSTALL munmap")
{
	char *p = abi_map(3, RW);

	TRY(madvise(p, 3 * page, MADV_GUARD_INSTALL));
	TRY(munmap(p + page, page));
	abi_must("mmap", (long)mmap(p + page, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_maps(p, 3);
	abi_pages("pages", p, 3);
	abi_must("mmap", (long)mmap(p, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_pages("replaced", p, 3);
}

BEHAVIOUR(guard_splits_nothing, "madvise MADV_GUARD_INSTALL")
{
	char *p = abi_map(5, RW);

	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	TRY(madvise(p + 3 * page, page, MADV_GUARD_INSTALL));
	abi_maps(p, 5);
	abi_pages("pages", p, 5);
}

BEHAVIOUR(guard_in_other_kinds_of_memory, "madvise MADV_GUARD_INSTALL kinds")
{
	int fd = abi_file(2 * page);
	char *s = abi_map_with(2, RW, SHM, -1, 0), *f = abi_map_with(2, RW, MAP_PRIVATE, fd, 0);
	char *g = abi_map_with(2, RW, MAP_SHARED, fd, 0), *r = abi_map(2, PROT_READ);
	char *rf = abi_map_with(2, PROT_READ, MAP_SHARED, fd, 0), *none = abi_map(2, PROT_NONE);

	TRY(madvise(s, page, MADV_GUARD_INSTALL));
	TRY(madvise(f, page, MADV_GUARD_INSTALL));
	TRY(madvise(g, page, MADV_GUARD_INSTALL));
	TRY(madvise(r, page, MADV_GUARD_INSTALL));
	TRY(madvise(rf, page, MADV_GUARD_INSTALL));
	TRY(madvise(none, page, MADV_GUARD_INSTALL));
	abi_pages("shared", s, 2);
	abi_pages("private file", f, 2);
	abi_pages("shared file", g, 2);
	abi_pages("read-only", r, 2);
	abi_pages("read-only file", rf, 2);
	TRY(madvise(f, page, MADV_GUARD_REMOVE));
	TRY(madvise(g, page, MADV_GUARD_REMOVE));
	abi_pages("private file", f, 2);
	abi_pages("shared file", g, 2);
}

BEHAVIOUR(guard_in_a_file_survives_truncation, "madvise MADV_GUARD_INSTALL kinds")
{
	int fd = abi_file(3 * page);
	char *g = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	TRY(madvise(g + page, page, MADV_GUARD_INSTALL));
	TRY(ftruncate(fd, 0));
	abi_pages("empty", g, 3);
	TRY(ftruncate(fd, 3 * page));
	abi_pages("grown", g, 3);
	TRY(madvise(g, 3 * page, MADV_DONTNEED));
	abi_pages("after DONTNEED", g, 3);
	TRY(madvise(g, 3 * page, MADV_REMOVE));
	abi_pages("after REMOVE", g, 3);
}

BEHAVIOUR(guard_in_a_file_is_inherited, "madvise MADV_GUARD_INSTALL kinds")
{
	int fd = abi_file(3 * page);
	char *g = abi_map_with(3, RW, MAP_SHARED, fd, 0);

	TRY(madvise(g + page, page, MADV_GUARD_INSTALL));
	abi_child_pages(g, 3);
}

BEHAVIOUR(guard_in_locked_memory, "madvise MADV_GUARD_INSTALL EINVAL")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	TRY(madvise(p, page, MADV_GUARD_INSTALL));
	TRY(mlock(p, 3 * page));
	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	abi_pages("pages", p, 3);
	abi_smaps(p, "Locked");
	TRY(madvise(p, page, MADV_GUARD_REMOVE));
	abi_pages("pages", p, 3);
}

BEHAVIOUR(guard_in_a_hole, "madvise MADV_GUARD_INSTALL ENOMEM")
{
	char *p = abi_map(4, RW);

	abi_fill(p, 4, 1);
	munmap(p + page, page);
	TRY(madvise(p, 3 * page, MADV_GUARD_INSTALL));
	abi_pages("pages", p, 4);
	TRY(madvise(p, 4 * page, MADV_GUARD_REMOVE));
	abi_pages("pages", p, 4);
	TRY(madvise(p + 1, page, MADV_GUARD_INSTALL));
	TRY(madvise(p + 1, page, MADV_GUARD_REMOVE));
}

BEHAVIOUR(guard_and_the_kernel, "madvise MADV_GUARD_INSTALL EFAULT")
{
	int fd = abi_file(2 * page), null = open("/dev/null", O_WRONLY);
	char *p = abi_map(3, RW);
	struct iovec mine = {p, 3 * page}, its;
	static char buf[65536 * 3];

	abi_fill(p, 3, 1);
	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	TRY(pread(fd, p + page, 1, 0));
	TRY(pread(fd, p, 2 * page, 0));
	TRY(pwrite(fd, p + page, 1, 0));
	its = mine;
	mine.iov_base = buf;
	TRY(syscall(SYS_process_vm_readv, getpid(), &mine, 1, &its, 1, 0));
	(void)null;
}

BEHAVIOUR(guard_and_populate, "madvise MADV_GUARD_INSTALL EFAULT")
{
	char *p = abi_map(3, RW);

	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	TRY(madvise(p, 3 * page, MADV_POPULATE_WRITE));
	abi_mincore(p, 3);
	TRY(madvise(p, 3 * page, MADV_POPULATE_READ));
	abi_mincore(p, 3);
	TRY(mlock(p, 3 * page));
	abi_mincore(p, 3);
	TRY(munlock(p, 3 * page));
}

BEHAVIOUR(guard_in_pagemap, "madvise MADV_GUARD_INSTALL pagemap")
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	char *p = abi_map(3, RW);
	uint64_t e[3];

	abi_fill(p, 1, 1);
	TRY(madvise(p + page, page, MADV_GUARD_INSTALL));
	abi_must("pread", pread(fd, e, sizeof(e), (unsigned long)p / page * 8));
	for (int i = 0; i < 3; i++)
		abi_say("page %d: present %d guard %d", i, (int)(e[i] >> 63 & 1),
		        (int)(e[i] >> 58 & 1));
	abi_mincore(p, 3);
}

BEHAVIOUR(guard_in_a_growing_stack, "madvise MADV_GUARD_INSTALL kinds")
{
	char *p = abi_map_with(3, RW, ANON | MAP_GROWSDOWN, -1, 0);

	TRY(madvise(p, page, MADV_GUARD_INSTALL));
	abi_pages("pages", p, 3);
}

BEHAVIOUR(guard_of_the_vdso, "madvise MADV_GUARD_INSTALL EINVAL")
{
	unsigned long start = 0, end = 0;
	char line[256];
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]"))
			sscanf(line, "%lx-%lx", &start, &end);
	fclose(f);
	TRY(madvise((void *)start, end - start, MADV_GUARD_INSTALL));
	TRY(madvise((void *)start, end - start, MADV_GUARD_REMOVE));
}
