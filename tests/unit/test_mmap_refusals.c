/* SPDX-License-Identifier: MIT */
/*
 * Every refusal of mmap, in the order of its steps: the errno, the reason in words, and that
 * nothing of the refused mapping stays behind (CHECKED looks at the whole world; refused() at the
 * map).
 */
#include <mmkit/reason.h>
#include "tests/unit/harness.h"

#define refused(w, error, why, words, addr, len, prot, flags, fd, off)                             \
	do {                                                                                       \
		uint64_t vmas_before = world_nr_vmas(w);                                           \
		assert_int_equal(w_mmap(w, addr, len, prot, flags, fd, off), -(error));            \
		assert_int_equal((w)->task.reason.code, why);                                      \
		assert_int_equal((w)->task.reason.err, -(error));                                  \
		assert_reason(w, words);                                                           \
		assert_int_equal(world_nr_vmas(w), vmas_before);                                   \
	} while (0)

#define ANY_FILE (MMK_FMODE_READ | MMK_FMODE_WRITE)

static const struct mmk_file_ops mappable = {.mmap = mmk_generic_file_mmap};
static const struct mmk_file_ops not_mappable;

/* ---- steps 1-3 ---- */

static void an_offset_between_pages(void **state)
{
	struct world *w = *state;

	refused(w, MMK_EINVAL, MMK_REASON_OFFSET_UNALIGNED,
	        "offset 0x1234 is not a multiple of the page size", 0, PAGE, R, MMK_MAP_PRIVATE, 3,
	        0x1234);
	/* Also for anonymous memory, whose offset means nothing. */
	refused(w, MMK_EINVAL, MMK_REASON_OFFSET_UNALIGNED, "offset 0x1", 0, PAGE, R, ANON_PRIVATE,
	        -1, 1);
}

static void no_such_descriptor(void **state)
{
	struct world *w = *state;

	refused(w, MMK_EBADF, MMK_REASON_BAD_FD, "descriptor 77 is not an open file", 0, PAGE, R,
	        MMK_MAP_PRIVATE, 77, 0);
	refused(w, MMK_EBADF, MMK_REASON_BAD_FD, "is not an open file", 0, PAGE, R, MMK_MAP_SHARED,
	        -1, 0);
}

static void huge_pages_where_there_are_none(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	refused(w, MMK_EINVAL, MMK_REASON_HUGETLB_NONE, "no huge pages", 0, 1ul << 21, RW,
	        ANON_PRIVATE | MMK_MAP_HUGETLB, -1, 0);
	refused(w, MMK_EINVAL, MMK_REASON_HUGETLB_FILE, "no file of huge pages", 0, PAGE, R,
	        MMK_MAP_PRIVATE | MMK_MAP_HUGETLB, fd, 0);
}

static int say_no(void *ctx, struct mmk_task *task, struct mmk_file *file, unsigned long prot,
                  unsigned long flags)
{
	return prot & MMK_PROT_EXEC ? -MMK_EACCES : 0;
}

static void the_security_hook_says_no(void **state)
{
	struct world *w = *state;
	const struct mmk_hooks hooks = {.security_mmap_file = say_no};

	hosted_port(w->h)->hooks = &hooks;
	refused(w, MMK_EACCES, MMK_REASON_SECURITY_MMAP, "hook refused the mapping with EACCES", 0,
	        PAGE, RX, ANON_PRIVATE, -1, 0);
	must_mmap(w, 0, PAGE, RW, ANON_PRIVATE, -1, 0);
	hosted_port(w->h)->hooks = NULL;
}

/* ---- steps 4 and 5 ---- */

static void no_length(void **state)
{
	struct world *w = *state;

	refused(w, MMK_EINVAL, MMK_REASON_LENGTH_ZERO, "length is 0", 0, 0, R, ANON_PRIVATE, -1, 0);
}

static void a_length_that_wraps(void **state)
{
	struct world *w = *state;

	refused(w, MMK_ENOMEM, MMK_REASON_LENGTH_WRAPS, "length 0xffffffffffffffff wraps", 0, ~0ul,
	        R, ANON_PRIVATE, -1, 0);
}

static void an_offset_that_wraps(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	refused(w, MMK_EOVERFLOW, MMK_REASON_PGOFF_WRAPS, "passes the last page", 0, 2 * PAGE, R,
	        MMK_MAP_PRIVATE, fd, ~0ull & ~(PAGE - 1));
	refused(w, MMK_EOVERFLOW, MMK_REASON_PGOFF_WRAPS, "passes the last page", 0, 2 * PAGE, R,
	        MMK_MAP_PRIVATE, fd, (1ull << 63) - PAGE);
	/* The end itself has to be an offset, so that the last page is beyond reach. */
	refused(w, MMK_EOVERFLOW, MMK_REASON_PGOFF_WRAPS, "passes the last page", 0, PAGE, R,
	        MMK_MAP_PRIVATE, fd, (1ull << 63) - PAGE);
	must_mmap(w, 0, PAGE, R, MMK_MAP_PRIVATE, fd, (1ull << 63) - 2 * PAGE);
}

static void too_many_mappings(void **state)
{
	struct world *w = *state;

	must_mmap(w, 0, PAGE, R, ANON_SHARED, -1, 0);
	must_mmap(w, 0, PAGE, R, ANON_SHARED, -1, 0);
	assert_int_equal(mmk_sysctl_set(w->sys, "max_map_count", world_nr_vmas(w) - 1), 0);
	refused(w, MMK_ENOMEM, MMK_REASON_MAP_COUNT, "vm.max_map_count is 1", 0, PAGE, R,
	        ANON_SHARED, -1, 0);
}

/* ---- step 6 ---- */

static void fixed_between_pages(void **state)
{
	struct world *w = *state;

	refused(w, MMK_EINVAL, MMK_REASON_FIXED_UNALIGNED, "address 0x400001 is not a multiple",
	        0x400001, PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
}

static void fixed_beyond_the_end(void **state)
{
	struct world *w = *state;

	refused(w, MMK_ENOMEM, MMK_REASON_BEYOND_TASK_SIZE, "end of the address space", 1ul << 48,
	        PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
	refused(w, MMK_ENOMEM, MMK_REASON_BEYOND_TASK_SIZE, "end of the address space",
	        (1ul << 48) - PAGE, 2 * PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
	/* A tag is no place for new memory. */
	refused(w, MMK_ENOMEM, MMK_REASON_BEYOND_TASK_SIZE, "end of the address space",
	        0xab00000000400000ul, PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
	refused(w, MMK_ENOMEM, MMK_REASON_LENGTH_TASK_SIZE, "larger than the address space",
	        0x400000, (1ul << 48) + PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
}

static void fixed_below_the_minimum(void **state)
{
	struct world *w = *state;

	refused(w, MMK_EPERM, MMK_REASON_BELOW_MIN_ADDR, "below vm.mmap_min_addr, 0x1000", 0,
	        PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
	hosted_set_caps(w->h, 1u << MMK_CAP_SYS_RAWIO);
	assert_int_equal(w_mmap(w, 0, PAGE, R, ANON_PRIVATE | FIXED, -1, 0), 0);
	/* A hint is raised instead, to what is always left free. */
	assert_int_equal(w_mmap(w, 0x2000, PAGE, R, ANON_PRIVATE, -1, 0), 0x8000);
}

static void noreplace_over_a_mapping(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 2 * PAGE, RW, ANON_PRIVATE, -1, 0);

	refused(w, MMK_EEXIST, MMK_REASON_NOREPLACE, "MAP_FIXED_NOREPLACE", a - PAGE, 2 * PAGE, R,
	        ANON_PRIVATE | MMK_MAP_FIXED_NOREPLACE, -1, 0);
	refused(w, MMK_EEXIST, MMK_REASON_NOREPLACE, "MAP_FIXED_NOREPLACE", a + PAGE, PAGE, R,
	        ANON_PRIVATE | MMK_MAP_FIXED_NOREPLACE, -1, 0);
	assert_int_equal(
	    w_mmap(w, a + 2 * PAGE, PAGE, R, ANON_PRIVATE | MMK_MAP_FIXED_NOREPLACE, -1, 0),
	    a + 2 * PAGE);
}

static void no_hole_is_large_enough(void **state)
{
	struct world *w = *state;

	must_mmap(w, 1ul << 47, PAGE, R, ANON_PRIVATE | FIXED, -1, 0);
	refused(w, MMK_ENOMEM, MMK_REASON_NO_GAP, "no free place", 0, (1ul << 47) + PAGE, R,
	        ANON_PRIVATE | MMK_MAP_NORESERVE, -1, 0);
}

static long chooser_says_no(struct mmk_file *file, unsigned long addr, unsigned long len,
                            uint64_t pgoff, unsigned long flags)
{
	return -MMK_EBUSY;
}

static void the_files_own_chooser_says_no(void **state)
{
	struct world *w = *state;
	static const struct mmk_file_ops ops = {.mmap = mmk_generic_file_mmap,
	                                        .get_unmapped_area = chooser_says_no};
	int fd = hosted_open_special(w->h, &ops, ANY_FILE);

	refused(w, MMK_EBUSY, MMK_REASON_FILE_AREA, "choice of a place failed with EBUSY", 0, PAGE,
	        R, MMK_MAP_SHARED, fd, 0);
}

/* ---- step 8 ---- */

static void locking_without_a_limit(void **state)
{
	struct world *w = *state;

	w->rlim[MMK_RLIMIT_MEMLOCK].cur = 0;
	refused(w, MMK_EPERM, MMK_REASON_MEMLOCK_ZERO, "RLIMIT_MEMLOCK is 0", 0, PAGE, RW,
	        ANON_PRIVATE | MMK_MAP_LOCKED, -1, 0);
	hosted_set_caps(w->h, 1u << MMK_CAP_IPC_LOCK);
	must_mmap(w, 0, PAGE, RW, ANON_PRIVATE | MMK_MAP_LOCKED, -1, 0);
}

static void locking_beyond_the_limit(void **state)
{
	struct world *w = *state;

	w->rlim[MMK_RLIMIT_MEMLOCK].cur = 2 * PAGE;
	must_mmap(w, 0, PAGE, RW, ANON_PRIVATE | MMK_MAP_LOCKED, -1, 0);
	refused(w, MMK_EAGAIN, MMK_REASON_MEMLOCK_LIMIT,
	        "3 locked pages in all are more than RLIMIT_MEMLOCK, 2 pages", 0, 2 * PAGE, RW,
	        ANON_PRIVATE | MMK_MAP_LOCKED, -1, 0);
}

/* ---- steps 9 and 10 ---- */

static void validate_finds_an_unknown_flag(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	refused(w, MMK_EOPNOTSUPP, MMK_REASON_FLAGS_VALIDATE, "flags 0x80000", 0, PAGE, R,
	        MMK_MAP_SHARED_VALIDATE | MMK_MAP_SYNC, fd, 0);
	must_mmap(w, 0, PAGE, R, MMK_MAP_SHARED | MMK_MAP_SYNC, fd, 0);
	must_mmap(w, 0, PAGE, R, MMK_MAP_SHARED_VALIDATE, fd, 0);
}

static void shared_writable_of_a_read_only_file(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDONLY);

	refused(w, MMK_EACCES, MMK_REASON_FILE_NOT_WRITABLE, "not open for writing", 0, PAGE, RW,
	        MMK_MAP_SHARED, fd, 0);
	must_mmap(w, 0, PAGE, RW, MMK_MAP_PRIVATE, fd, 0);
}

static void shared_of_an_append_only_file(void **state)
{
	struct world *w = *state;
	int fd = hosted_open_special(w->h, &mappable, ANY_FILE | MMK_FMODE_APPEND);

	refused(w, MMK_EACCES, MMK_REASON_FILE_APPEND_ONLY, "append-only", 0, PAGE, R,
	        MMK_MAP_SHARED, fd, 0);
}

static int is_locked(void *ctx, struct mmk_task *task, struct mmk_file *file)
{
	return -MMK_EAGAIN;
}

static void shared_under_a_mandatory_lock(void **state)
{
	struct world *w = *state;
	const struct mmk_hooks hooks = {.locks_verify_locked = is_locked};
	int fd = hosted_open_special(w->h, &mappable, ANY_FILE | MMK_FMODE_MANDLOCK);

	hosted_port(w->h)->hooks = &hooks;
	refused(w, MMK_EAGAIN, MMK_REASON_MANDATORY_LOCK, "mandatory lock", 0, PAGE, R,
	        MMK_MAP_SHARED, fd, 0);
	hosted_port(w->h)->hooks = NULL;
}

static void a_file_not_open_for_reading(void **state)
{
	struct world *w = *state;
	int fd = hosted_open_special(w->h, &mappable, MMK_FMODE_WRITE);

	refused(w, MMK_EACCES, MMK_REASON_FILE_NOT_READABLE, "not open for reading", 0, PAGE, R,
	        MMK_MAP_PRIVATE, fd, 0);
	refused(w, MMK_EACCES, MMK_REASON_FILE_NOT_READABLE, "not open for reading", 0, PAGE, W,
	        MMK_MAP_SHARED, fd, 0);
}

static void code_from_a_noexec_mount(void **state)
{
	struct world *w = *state;
	int fd = hosted_open_special(w->h, &mappable, ANY_FILE | MMK_FMODE_NOEXEC);

	refused(w, MMK_EPERM, MMK_REASON_NOEXEC, "noexec", 0, PAGE, RX, MMK_MAP_PRIVATE, fd, 0);
}

static void a_file_that_cannot_be_mapped(void **state)
{
	struct world *w = *state;
	int fd = hosted_open_special(w->h, &not_mappable, ANY_FILE);

	refused(w, MMK_ENODEV, MMK_REASON_FILE_NO_MMAP, "cannot be mapped", 0, PAGE, R,
	        MMK_MAP_PRIVATE, fd, 0);
}

static void a_file_that_grows_down(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	refused(w, MMK_EINVAL, MMK_REASON_GROWS_FILE, "MAP_GROWSDOWN", 0, PAGE, R,
	        MMK_MAP_PRIVATE | MMK_MAP_GROWSDOWN, fd, 0);
	refused(w, MMK_EINVAL, MMK_REASON_GROWS_FILE, "MAP_GROWSDOWN", 0, PAGE, R,
	        MMK_MAP_SHARED | MMK_MAP_GROWSDOWN, fd, 0);
}

static void neither_shared_nor_private(void **state)
{
	struct world *w = *state;
	int fd = host_file(w, "f", PAGE, O_RDWR);

	refused(w, MMK_EINVAL, MMK_REASON_MAP_TYPE, "neither MAP_SHARED nor MAP_PRIVATE", 0, PAGE,
	        R, 0, fd, 0);
	refused(w, MMK_EINVAL, MMK_REASON_MAP_TYPE, "neither", 0, PAGE, R, MMK_MAP_ANONYMOUS, -1,
	        0);
	refused(w, MMK_EINVAL, MMK_REASON_MAP_TYPE, "neither", 0, PAGE, R,
	        MMK_MAP_ANONYMOUS | MMK_MAP_SHARED_VALIDATE, -1, 0);
}

/* ---- step 11 ---- */

static void shared_memory_that_grows_down(void **state)
{
	struct world *w = *state;

	refused(w, MMK_EINVAL, MMK_REASON_GROWS_SHARED, "not for MAP_SHARED", 0, PAGE, RW,
	        ANON_SHARED | MMK_MAP_GROWSDOWN, -1, 0);
}

/* ---- steps 13-15 ---- */

static void beyond_the_address_space_limit(void **state)
{
	struct world *w = *state;
	unsigned long a = must_mmap(w, 0, 4 * PAGE, RW, ANON_PRIVATE, -1, 0);
	struct mmk_mm_stats s;

	mmk_mm_stats(w->task.mm, &s);
	w->rlim[MMK_RLIMIT_AS].cur = s.total_vm * PAGE;
	refused(w, MMK_ENOMEM, MMK_REASON_RLIMIT_AS, "RLIMIT_AS", 0, PAGE, R, ANON_SHARED, -1, 0);
	/* What MAP_FIXED replaces does not count twice. */
	assert_int_equal(w_mmap(w, a, 4 * PAGE, R, ANON_PRIVATE | FIXED, -1, 0), a);
	refused(w, MMK_ENOMEM, MMK_REASON_RLIMIT_AS, "RLIMIT_AS", a, 5 * PAGE, R,
	        ANON_PRIVATE | FIXED, -1, 0);
}

static void beyond_the_data_limit(void **state)
{
	struct world *w = *state;
	struct mmk_mm_stats s;

	mmk_mm_stats(w->task.mm, &s);
	w->rlim[MMK_RLIMIT_DATA].cur = (s.data_vm + 2) * PAGE;
	refused(w, MMK_ENOMEM, MMK_REASON_RLIMIT_DATA, "RLIMIT_DATA", 0, 3 * PAGE, RW, ANON_PRIVATE,
	        -1, 0);
	must_mmap(w, 0, 3 * PAGE, R, ANON_PRIVATE, -1, 0);
	must_mmap(w, 0, 3 * PAGE, RW, ANON_SHARED, -1, 0);
	must_mmap(w, 0, 2 * PAGE, RW, ANON_PRIVATE, -1, 0);
}

static int poor(void *ctx, struct mmk_task *task, struct mmk_mm *mm, long pages)
{
	return pages > 3 ? -MMK_ENOMEM : 0;
}

static void the_memory_hook_says_no(void **state)
{
	struct world *w = *state;
	const struct mmk_hooks hooks = {.security_vm_enough_memory = poor};

	hosted_port(w->h)->hooks = &hooks;
	refused(w, MMK_ENOMEM, MMK_REASON_SECURITY_MEMORY, "refused 4 pages of memory", 0, 4 * PAGE,
	        RW, ANON_PRIVATE, -1, 0);
	must_mmap(w, 0, 4 * PAGE, R, ANON_PRIVATE, -1, 0);
	must_mmap(w, 0, 3 * PAGE, RW, ANON_PRIVATE, -1, 0);
	hosted_port(w->h)->hooks = NULL;
}

static void overcommit_guesses(void **state)
{
	struct world *w = *state;

	refused(w, MMK_ENOMEM, MMK_REASON_OVERCOMMIT, "vm.overcommit_memory", 0, 1ul << 40, RW,
	        ANON_PRIVATE, -1, 0);
	refused(w, MMK_ENOMEM, MMK_REASON_OVERCOMMIT, "vm.overcommit_memory", 0, 1ul << 40, RW,
	        ANON_SHARED, -1, 0);
	must_mmap(w, 0, 1ul << 40, RW, ANON_PRIVATE | MMK_MAP_NORESERVE, -1, 0);
	must_mmap(w, 0, 1ul << 40, R, ANON_PRIVATE, -1, 0);
}

static void overcommit_never(void **state)
{
	struct world *w = *state;

	assert_int_equal(mmk_sysctl_set(w->sys, "overcommit_memory", 2), 0);
	assert_int_equal(mmk_sysctl_set(w->sys, "admin_reserve_kbytes", 0), 0);
	assert_int_equal(mmk_sysctl_set(w->sys, "user_reserve_kbytes", 0), 0);
	assert_int_equal(mmk_sysctl_set(w->sys, "overcommit_kbytes", 64), 0);
	/* NORESERVE is not honoured in this mode. */
	refused(w, MMK_ENOMEM, MMK_REASON_OVERCOMMIT, "vm.overcommit_memory", 0, 17 * PAGE, RW,
	        ANON_PRIVATE | MMK_MAP_NORESERVE, -1, 0);
	must_mmap(w, 0, 8 * PAGE, RW, ANON_PRIVATE, -1, 0);
	refused(w, MMK_ENOMEM, MMK_REASON_OVERCOMMIT, "vm.overcommit_memory", 0, 9 * PAGE, RW,
	        ANON_PRIVATE, -1, 0);
}

static void overcommit_always(void **state)
{
	struct world *w = *state;

	assert_int_equal(mmk_sysctl_set(w->sys, "overcommit_memory", 1), 0);
	must_mmap(w, 0, 1ul << 40, RW, ANON_PRIVATE, -1, 0);
}

/* ---- steps 17-19 ---- */

static void no_memory_for_the_vma(void **state)
{
	struct world *w = *state;

	hosted_fail_alloc(w->h, MMK_FAIL_SLAB, 1, false);
	refused(w, MMK_ENOMEM, MMK_REASON_NO_MEMORY_VMA, "no memory", 0, PAGE, RW, ANON_PRIVATE, -1,
	        0);
}

static void no_memory_for_the_shared_object(void **state)
{
	struct world *w = *state;

	hosted_fail_alloc(w->h, MMK_FAIL_SLAB, 2, false);
	refused(w, MMK_ENOMEM, MMK_REASON_NO_MEMORY_SHMEM, "shared memory object", 0, PAGE, RW,
	        ANON_SHARED, -1, 0);
}

static long map_denying(struct world *w, struct mmk_file *file)
{
	return CHECKED(
	    w, mmk_vm_mmap(&w->task, file, 0, PAGE, R, MMK_MAP_PRIVATE | MMK_MAP_DENYWRITE, 0));
}

static void deny_write_of_a_file_in_use(void **state)
{
	struct world *w = *state;
	int writer = host_file(w, "f", PAGE, O_RDWR), fd = hosted_memfd(w->h, "program", PAGE);
	struct mmk_file *file = hosted_file(w->h, fd);
	int32_t before = file->f_mapping->i_writecount;
	long at;

	/* Only the kernel itself (an ELF loader) can ask: the system call strips the flag. */
	must_mmap(w, 0, PAGE, R, MMK_MAP_PRIVATE | MMK_MAP_DENYWRITE, writer, 0);
	file->f_mapping->i_writecount = 1;
	assert_int_equal(map_denying(w, file), -MMK_ETXTBSY);
	assert_reason(w, "open for writing");
	file->f_mapping->i_writecount = 0;
	at = map_denying(w, file);
	assert_true(at > 0);
	assert_int_equal(mmk_mapping_get_write(file->f_mapping), -MMK_ETXTBSY);
	assert_int_equal(w_munmap(w, at, PAGE), 0);
	assert_int_equal(file->f_mapping->i_writecount, 0);
	file->f_mapping->i_writecount = before;
}

static void shared_writable_of_a_sealed_file(void **state)
{
	struct world *w = *state;
	int fd = hosted_memfd(w->h, "sealed", PAGE);
	struct mmk_mapping *m = hosted_file(w->h, fd)->f_mapping;

	assert_int_equal(m->i_mmap_writable, 0);
	m->i_mmap_writable = -1;
	refused(w, MMK_EPERM, MMK_REASON_SEALED, "sealed", 0, PAGE, RW, MMK_MAP_SHARED, fd, 0);
	assert_int_equal(m->i_mmap_writable, -1);
	must_mmap(w, 0, PAGE, RW, MMK_MAP_PRIVATE, fd, 0);
	m->i_mmap_writable = 0;
}

/* One that writes already goes on, and nothing joins it. */
static void shared_writable_of_a_file_sealed_for_the_future(void **state)
{
	struct world *w = *state;
	int fd = hosted_memfd(w->h, "sealed", 2 * PAGE);
	struct mmk_mapping *m = hosted_file(w->h, fd)->f_mapping;
	unsigned long old = must_mmap(w, 0, 2 * PAGE, RW, MMK_MAP_SHARED, fd, 0), at;

	assert_int_equal(w_munmap(w, old + PAGE, PAGE), 0);
	m->flags |= MMK_MAPPING_SEALED;
	refused(w, MMK_EPERM, MMK_REASON_SEALED, "sealed", old + PAGE, PAGE, RW,
	        MMK_MAP_SHARED | MMK_MAP_FIXED_NOREPLACE, fd, PAGE);
	at = must_mmap(w, 0, PAGE, MMK_PROT_READ, MMK_MAP_SHARED, fd, 0);
	assert_int_equal(w_mprotect(w, at, PAGE, RW), -MMK_EACCES);
	assert_int_equal(m->i_mmap_writable, 1);
	assert_int_equal(w_mprotect(w, old, PAGE, RW), 0);
	must_mmap(w, 0, PAGE, RW, MMK_MAP_PRIVATE, fd, 0);
}

static int driver_says_no(struct mmk_file *file, struct mmk_mmap_request *req)
{
	return -MMK_EIO;
}

static void the_driver_says_no(void **state)
{
	struct world *w = *state;
	static const struct mmk_file_ops ops = {.mmap = driver_says_no};
	int fd = hosted_open_special(w->h, &ops, ANY_FILE);
	unsigned long a = must_mmap(w, 0, 3 * PAGE, RW, ANON_PRIVATE, -1, 0);

	store(w, a + PAGE, 42);
	refused(w, MMK_EIO, MMK_REASON_DRIVER, "mmap operation failed with EIO", 0, PAGE, R,
	        MMK_MAP_SHARED, fd, 0);
	/* What MAP_FIXED was to replace is there, whole. */
	refused(w, MMK_EIO, MMK_REASON_DRIVER, "mmap operation failed with EIO", a + PAGE, PAGE, RW,
	        MMK_MAP_SHARED | FIXED, fd, 0);
	assert_string_equal(world_draw(w, a, 3), "AAA");
	assert_int_equal(load(w, a + PAGE), 42);
}

/* ---- the reason itself ---- */

static void a_call_that_works_clears_the_reason(void **state)
{
	struct world *w = *state;
	char text[64];

	assert_int_equal(w_mmap(w, 0, 0, R, ANON_PRIVATE, -1, 0), -MMK_EINVAL);
	must_mmap(w, 0, PAGE, R, ANON_PRIVATE, -1, 0);
	assert_int_equal(w->task.reason.code, MMK_REASON_NONE);
	assert_int_equal(w_mmap(w, 0, 0, R, ANON_PRIVATE, -1, 0), -MMK_EINVAL);
	assert_int_equal(mmk_reason_text(&w->task, text, sizeof(text)), strlen("length is 0"));
	assert_int_equal(mmk_reason_text(&w->task, text, 7), strlen("length is 0"));
	assert_string_equal(text, "length");
}

static void refusals_are_remembered(void **state)
{
	struct world *w = *state;
	char text[256];
	uint64_t pos = 0;

	w->task.pid = 12;
	assert_int_equal(w_mmap(w, 0, 0, R, ANON_PRIVATE, -1, 0), -MMK_EINVAL);
	assert_int_equal(w_mmap(w, 0, PAGE, R, MMK_MAP_SHARED, 99, 0), -MMK_EBADF);
	assert_true(mmk_stats_refusals(w->sys, &pos, text, sizeof(text)) > 0);
	assert_ptr_equal(strstr(text, "pid 12: EBADF: descriptor 99 is not an open file\n"
	                              "pid 12: EINVAL: length is 0\n"),
	                 text);
	for (int i = 0; i < 200; i++)
		w_mmap(w, 0, 0, R, ANON_PRIVATE, -1, 0);
	pos = 0;
	for (int lines = 0; mmk_stats_refusals(w->sys, &pos, text, 40) > 0; lines++)
		assert_true(lines < 64);
	assert_int_equal(pos, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(an_offset_between_pages),
	    WORLD_TEST(no_such_descriptor),
	    WORLD_TEST(huge_pages_where_there_are_none),
	    WORLD_TEST(the_security_hook_says_no),
	    WORLD_TEST(no_length),
	    WORLD_TEST(a_length_that_wraps),
	    WORLD_TEST(an_offset_that_wraps),
	    WORLD_TEST(too_many_mappings),
	    WORLD_TEST(fixed_between_pages),
	    WORLD_TEST(fixed_beyond_the_end),
	    WORLD_TEST(fixed_below_the_minimum),
	    WORLD_TEST(noreplace_over_a_mapping),
	    WORLD_TEST(no_hole_is_large_enough),
	    WORLD_TEST(the_files_own_chooser_says_no),
	    WORLD_TEST(locking_without_a_limit),
	    WORLD_TEST(locking_beyond_the_limit),
	    WORLD_TEST(validate_finds_an_unknown_flag),
	    WORLD_TEST(shared_writable_of_a_read_only_file),
	    WORLD_TEST(shared_of_an_append_only_file),
	    WORLD_TEST(shared_under_a_mandatory_lock),
	    WORLD_TEST(a_file_not_open_for_reading),
	    WORLD_TEST(code_from_a_noexec_mount),
	    WORLD_TEST(a_file_that_cannot_be_mapped),
	    WORLD_TEST(a_file_that_grows_down),
	    WORLD_TEST(neither_shared_nor_private),
	    WORLD_TEST(shared_memory_that_grows_down),
	    WORLD_TEST(beyond_the_address_space_limit),
	    WORLD_TEST(beyond_the_data_limit),
	    WORLD_TEST(the_memory_hook_says_no),
	    WORLD_TEST(overcommit_guesses),
	    WORLD_TEST(overcommit_never),
	    WORLD_TEST(overcommit_always),
	    WORLD_TEST(no_memory_for_the_vma),
	    WORLD_TEST(no_memory_for_the_shared_object),
	    WORLD_TEST(deny_write_of_a_file_in_use),
	    WORLD_TEST(shared_writable_of_a_sealed_file),
	    WORLD_TEST(shared_writable_of_a_file_sealed_for_the_future),
	    WORLD_TEST(the_driver_says_no),
	    WORLD_TEST(a_call_that_works_clears_the_reason),
	    WORLD_TEST(refusals_are_remembered),
	};

	return cmocka_run_group_tests_name("refusals of mmap", tests, NULL, NULL);
}
