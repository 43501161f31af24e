/* SPDX-License-Identifier: MIT */
/* mseal: what a sealed mapping refuses, what it does not, and how far a refused
 * call has got. */
#include "abi.h"

static long seal(void *p, size_t len)
{
	return syscall(SYS_mseal, p, len, 0ul);
}

#define SEAL(p, len) abi_must("mseal", seal(p, len))

/* Five pages, the middle one sealed. */
static char *sealed_middle(int prot)
{
	char *p = abi_map(5, prot);

	if (prot & PROT_WRITE)
		abi_fill(p, 5, 1);
	SEAL(p + 2 * page, page);
	return p;
}

BEHAVIOUR(mseal_splits_and_shows_in_vmflags, "mseal splits")
{
	char *p = abi_map(5, RW);

	TRY(seal(p + page, page));
	abi_maps(p, 5);
	abi_vmflags("sealed", p + page);
	abi_vmflags("below", p);
	abi_vmflags("above", p + 2 * page);
}

BEHAVIOUR(mseal_twice_is_fine_and_merges_neighbours, "mseal merges")
{
	char *p = abi_map(5, RW);

	TRY(seal(p + page, page));
	TRY(seal(p + page, page));
	TRY(seal(p + 3 * page, page));
	TRY(seal(p, 5 * page));
	abi_maps(p, 5);
}

BEHAVIOUR(mseal_refuses_flags_and_odd_ranges, "mseal EINVAL")
{
	char *p = abi_map(2, RW);

	TRY(syscall(SYS_mseal, p, page, 1ul));
	TRY(syscall(SYS_mseal, p + 1, page, 0ul));
	TRY(seal(p, (size_t)-1));
	TRY(seal(p, (size_t)-page));
	TRY(seal(p, 0));
	TRY(syscall(SYS_mseal, p + 1, 0ul, 0ul));
	TRY(seal(p, 1));
	abi_vmflags("first", p);
	abi_vmflags("second", p + page);
}

BEHAVIOUR(mseal_of_a_hole_changes_nothing, "mseal ENOMEM")
{
	char *p = abi_map(5, RW);

	munmap(p + 2 * page, page);
	TRY(seal(p, 5 * page));
	TRY(seal(p + 2 * page, page));
	TRY(seal(p + 3 * page, 3 * page));
	abi_vmflags("first", p);
	abi_vmflags("last", p + 4 * page);
}

BEHAVIOUR(mseal_hole_before_length_zero, "mseal length 0")
{
	char *p = abi_window(2);

	TRY(seal(p, 0));
	TRY(seal(p, page));
}

BEHAVIOUR(munmap_of_sealed_memory, "mseal munmap EPERM")
{
	char *p = sealed_middle(RW);

	TRY(munmap(p + 2 * page, page));
	TRY(munmap(p, 5 * page));
	TRY(munmap(p, 3 * page));
	abi_maps(p, 5);
	abi_pages("pages", p, 5);
	TRY(munmap(p, 2 * page));
	abi_maps(p, 5);
}

BEHAVIOUR(a_refused_munmap_leaves_no_split, "mseal munmap EPERM")
{
	char *p = sealed_middle(RW);

	TRY(munmap(p + page, 4 * page));
	abi_maps(p, 5);
}

BEHAVIOUR(munmap_inside_a_sealed_mapping, "mseal munmap EPERM")
{
	char *p = abi_map(5, RW);

	SEAL(p, 5 * page);
	TRY(munmap(p + 2 * page, page));
	TRY(munmap(p, page));
	TRY(munmap(p + 4 * page, page));
	abi_maps(p, 5);
}

BEHAVIOUR(map_fixed_over_sealed_memory, "mseal MAP_FIXED EPERM")
{
	char *p = sealed_middle(RW);

	abi_ptr("over it", mmap(p + 2 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("over all", mmap(p, 5 * page, RW, ANON | MAP_FIXED, -1, 0));
	abi_ptr("noreplace", mmap(p + 2 * page, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	abi_ptr("beside it", mmap(p, 2 * page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	abi_maps(p, 5);
	abi_pages("pages", p, 5);
}

BEHAVIOUR(mprotect_of_sealed_memory, "mseal mprotect EPERM")
{
	char *p = sealed_middle(RW);

	TRY(mprotect(p + 2 * page, page, PROT_READ));
	TRY(mprotect(p + 2 * page, page, RW));
	TRY(mprotect(p + 2 * page, 0, PROT_READ));
	TRY(mprotect(p, 5 * page, PROT_READ));
	abi_maps(p, 5);
}

BEHAVIOUR(pkey_mprotect_of_sealed_memory, "mseal pkey_mprotect EPERM")
{
	char *p = sealed_middle(RW);

	TRY(syscall(SYS_pkey_mprotect, p + 2 * page, page, PROT_READ, -1));
	TRY(syscall(SYS_pkey_mprotect, p, 3 * page, PROT_READ, -1));
	abi_maps(p, 5);
}

BEHAVIOUR(mprotect_denied_beats_sealed, "mseal mprotect EACCES")
{
	int fd = abi_file(page);
	char *p;

	fd = open("file", O_RDONLY);
	p = abi_map_with(1, PROT_READ, MAP_SHARED, fd, 0);
	SEAL(p, page);
	TRY(mprotect(p, page, RW));
	TRY(mprotect(p, page, PROT_READ));
}

BEHAVIOUR(mremap_of_sealed_memory, "mseal mremap EPERM")
{
	char *p = sealed_middle(RW);
	char *q = abi_window(8);

	abi_ptr("grow", mremap(p + 2 * page, page, 2 * page, MREMAP_MAYMOVE));
	abi_ptr("same", mremap(p + 2 * page, page, page, 0));
	abi_ptr("move", mremap(p + 2 * page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, q));
	abi_ptr("dontunmap",
	        mremap(p + 2 * page, page, page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0));
	abi_ptr("odd flags", mremap(p + 2 * page, page, page, 8));
	abi_ptr("length 0", mremap(p + 2 * page, page, 0, 0));
	abi_ptr("over it", mremap(p, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, p + 2 * page));
	abi_ptr("shrink across", mremap(p + page, 4 * page, page, 0));
	abi_maps(p, 5);
	abi_pages("pages", p, 5);
}

BEHAVIOUR(mremap_shrinks_a_sealed_mapping, "mseal mremap EPERM")
{
	char *p = abi_map(3, RW);

	SEAL(p, 3 * page);
	abi_ptr("shrink", mremap(p, 3 * page, page, 0));
	abi_maps(p, 3);
}

BEHAVIOUR(madvise_discard_of_sealed_read_only, "mseal madvise EPERM")
{
	static const int advice[] = {MADV_DONTNEED, MADV_FREE,       MADV_REMOVE,
	                             MADV_DONTFORK, MADV_WIPEONFORK, MADV_DONTNEED_LOCKED};
	static const char *const name[] = {"DONTNEED", "FREE",       "REMOVE",
	                                   "DONTFORK", "WIPEONFORK", "DONTNEED_LOCKED"};
	char *p = abi_map(1, RW);

	p[0] = 7;
	mprotect(p, page, PROT_READ);
	SEAL(p, page);
	for (int i = 0; i < 6; i++)
		abi_ret(name[i], madvise(p, page, advice[i]));
	abi_load("page", p);
	TRY(madvise(p, page, MADV_DOFORK));
	TRY(madvise(p, page, MADV_KEEPONFORK));
	TRY(madvise(p, page, MADV_DONTDUMP));
	TRY(madvise(p, page, MADV_RANDOM));
	TRY(madvise(p, page, MADV_WILLNEED));
}

BEHAVIOUR(madvise_discard_of_sealed_writable, "mseal madvise")
{
	char *p = abi_map(1, RW);

	p[0] = 7;
	SEAL(p, page);
	TRY(madvise(p, page, MADV_DONTNEED));
	abi_load("page", p);
	TRY(madvise(p, page, MADV_WIPEONFORK));
	TRY(madvise(p, page, MADV_DONTFORK));
}

BEHAVIOUR(madvise_discard_of_sealed_file, "mseal madvise file")
{
	int fd = abi_file(page);
	char *p = abi_map_with(1, RW, MAP_PRIVATE, fd, 0);

	p[0] = 7;
	mprotect(p, page, PROT_READ);
	SEAL(p, page);
	TRY(madvise(p, page, MADV_DONTNEED));
	abi_load("page", p);
}

BEHAVIOUR(madvise_discard_stops_at_the_seal, "mseal madvise range")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	mprotect(p, 3 * page, PROT_READ);
	SEAL(p + page, page);
	TRY(madvise(p, 3 * page, MADV_DONTNEED));
	abi_pages("pages", p, 3);
}

BEHAVIOUR(sealed_memory_is_locked_and_unlocked, "mseal mlock")
{
	char *p = abi_map(4, RW);

	SEAL(p, 4 * page);
	TRY(mlock(p + page, page));
	abi_maps(p, 4);
	TRY(munlock(p + page, page));
	abi_maps(p, 4);
	TRY(mlockall(MCL_CURRENT));
	TRY(munlockall());
}

BEHAVIOUR(sealed_memory_is_read_and_written, "mseal access")
{
	char *p = abi_map(2, RW);

	SEAL(p, 2 * page);
	abi_store("first", p, 5);
	abi_load("first", p);
	TRY(msync(p, page, MS_SYNC));
	TRY(syscall(SYS_mincore, p, page, p + page));
}

BEHAVIOUR(fork_hands_the_seal_down, "mseal fork")
{
	char *p = abi_map(1, RW);
	pid_t pid;

	SEAL(p, page);
	pid = abi_fork();
	if (!pid) {
		TRY(munmap(p, page));
		abi_vmflags("in the child", p);
		_exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(a_sealed_heap_does_not_shrink, "mseal brk")
{
	char *end = sbrk(4 * page), *start = end;

	end = sbrk(0);
	end = (char *)((unsigned long)end & -page);
	SEAL(end - page, page);
	abi_ret("brk down", syscall(SYS_brk, start) == (long)start);
	abi_ret("brk up", syscall(SYS_brk, end + 2 * page) == (long)(end + 2 * page));
}

BEHAVIOUR(mseal_of_shared_memory, "mseal shared")
{
	int fd = abi_memfd(4 * page, 0);
	char *p = abi_map_with(4, RW, MAP_SHARED, fd, 0);

	TRY(seal(p + page, 2 * page));
	abi_maps(p, 4);
	TRY(ftruncate(fd, 0));
	abi_load("beyond the file", p + page);
	TRY(munmap(p + page, page));
	abi_ptr("copy", mremap(p + page, 0, page, MREMAP_MAYMOVE));
}

BEHAVIOUR(remap_file_pages_of_sealed_memory, "mseal remap_file_pages")
{
	int fd = abi_memfd(4 * page, 0);
	char *p = abi_map_with(4, RW, MAP_SHARED, fd, 0);

	SEAL(p + page, page);
	TRY(remap_file_pages(p + page, page, 0, 3, 0));
	TRY(remap_file_pages(p, page, 0, 3, 0));
	abi_maps(p, 4);
}

BEHAVIOUR(mseal_of_prot_none, "mseal PROT_NONE")
{
	char *p = abi_map(2, PROT_NONE);

	TRY(seal(p, 2 * page));
	TRY(madvise(p, page, MADV_DONTNEED));
	TRY(mprotect(p, page, RW));
	abi_vmflags("sealed", p);
}
