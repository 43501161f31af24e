/* SPDX-License-Identifier: MIT */
/*
 * Why a call was refused, in words. Every refusal of the VMA side passes through refuse(), whose
 * price on the way is a few stores; the words are made only when somebody asks.
 *
 * In the templates %a and %b stand for the values in hexadecimal with 0x, %A and %B in decimal, and
 * %E and %F for the values as errno names.
 */
#include "mm/internal.h"

static const char *const reason_words[MMK_NR_REASONS] = {
    [MMK_REASON_NONE] = "not refused",
    [MMK_REASON_KILLED] = "killed while waiting for the lock of the address space",
    [MMK_REASON_ADDR_UNALIGNED] = "address %a is not a multiple of the page size",
    [MMK_REASON_LENGTH_ZERO] = "length is 0",
    [MMK_REASON_LENGTH_WRAPS] = "length %a wraps to 0 when rounded up to pages",
    [MMK_REASON_RANGE_WRAPS] = "address %a plus length %b wraps",
    [MMK_REASON_BEYOND_TASK_SIZE] = "address %a plus length %b passes the end of the address space",
    [MMK_REASON_NOT_MAPPED] = "nothing is mapped at %a",
    [MMK_REASON_MAP_COUNT] = "there are %A mappings and vm.max_map_count is %B",
    [MMK_REASON_SPLIT_MAP_COUNT] =
        "splitting the mapping at %a makes more mappings than vm.max_map_count, %B",
    [MMK_REASON_NO_MEMORY_VMA] = "no memory for a mapping's own record",
    [MMK_REASON_NO_MEMORY_TABLES] = "no memory for page tables",
    [MMK_REASON_RLIMIT_AS] = "%A pages in all are more than RLIMIT_AS, %B pages",
    [MMK_REASON_RLIMIT_DATA] = "%A pages of data in all are more than RLIMIT_DATA, %B pages",
    [MMK_REASON_RLIMIT_STACK] = "a stack of %A bytes is larger than RLIMIT_STACK, %B bytes",
    [MMK_REASON_OVERCOMMIT] = "%A pages more pass what vm.overcommit_memory allows, %B pages",
    [MMK_REASON_SECURITY_MEMORY] = "the security hook refused %A pages of memory with %F",
    [MMK_REASON_MEMLOCK_ZERO] = "RLIMIT_MEMLOCK is 0: memory may not be locked",
    [MMK_REASON_MEMLOCK_LIMIT] = "%A locked pages in all are more than RLIMIT_MEMLOCK, %B pages",
    [MMK_REASON_OFFSET_UNALIGNED] = "offset %a is not a multiple of the page size",
    [MMK_REASON_BAD_FD] = "descriptor %A is not an open file",
    [MMK_REASON_HUGETLB_FILE] = "MAP_HUGETLB, but descriptor %A is no file of huge pages",
    [MMK_REASON_HUGETLB_NONE] = "MAP_HUGETLB, but this system has no huge pages",
    [MMK_REASON_SECURITY_MMAP] = "the security hook refused the mapping with %E",
    [MMK_REASON_PGOFF_WRAPS] =
        "page offset %a plus %B pages passes the last page that an offset can name",
    [MMK_REASON_LENGTH_TASK_SIZE] = "length %a is larger than the address space",
    [MMK_REASON_FIXED_UNALIGNED] = "MAP_FIXED address %a is not a multiple of the page size",
    [MMK_REASON_BELOW_MIN_ADDR] = "address %a is below vm.mmap_min_addr, %b",
    [MMK_REASON_NOREPLACE] = "MAP_FIXED_NOREPLACE at %a, but there is a mapping at %b in the range",
    [MMK_REASON_NO_GAP] = "no free place for %a bytes",
    [MMK_REASON_FILE_AREA] = "the file's own choice of a place failed with %E",
    [MMK_REASON_FLAGS_VALIDATE] =
        "MAP_SHARED_VALIDATE with flags %a, which this file does not know",
    [MMK_REASON_FILE_NOT_WRITABLE] =
        "MAP_SHARED with PROT_WRITE, but the file is not open for writing",
    [MMK_REASON_FILE_APPEND_ONLY] = "MAP_SHARED of an append-only file that is open for writing",
    [MMK_REASON_MANDATORY_LOCK] = "MAP_SHARED of a file under a mandatory lock",
    [MMK_REASON_FILE_NOT_READABLE] = "the file is not open for reading",
    [MMK_REASON_NOEXEC] = "PROT_EXEC of a file on a noexec mount",
    [MMK_REASON_FILE_NO_MMAP] = "files of this kind cannot be mapped",
    [MMK_REASON_GROWS_FILE] = "MAP_GROWSDOWN is for anonymous memory, not for files",
    [MMK_REASON_MAP_TYPE] = "flags %a name neither MAP_SHARED nor MAP_PRIVATE",
    [MMK_REASON_GROWS_SHARED] = "MAP_GROWSDOWN is for private memory, not for MAP_SHARED",
    [MMK_REASON_DROPPABLE_LOCKED] = "MAP_DROPPABLE, but the memory is locked, or a growing stack",
    [MMK_REASON_FILE_BUSY] = "MAP_DENYWRITE, but the file is open for writing",
    [MMK_REASON_SEALED] = "shared writable mappings of the file are sealed off",
    [MMK_REASON_DRIVER] = "the file's own mmap operation failed with %E",
    [MMK_REASON_NO_MEMORY_SHMEM] = "no memory for a shared memory object",
    [MMK_REASON_PROT_BITS] = "prot has bits %a, which are unknown",
    [MMK_REASON_GROWS_BOTH] = "PROT_GROWSDOWN and PROT_GROWSUP exclude each other",
    [MMK_REASON_GROWS_NOT] = "the mapping at %a does not grow that way",
    [MMK_REASON_PROT_NEVER] = "the mapping at %a may never have protection %b",
    [MMK_REASON_PKEY_FLAGS] = "flags %a must be 0, rights %b known ones",
    [MMK_REASON_PKEY_NONE] = "this CPU has no protection keys",
    [MMK_REASON_PKEY_NOT] = "%A is no protection key of the program",
    [MMK_REASON_MREMAP_FLAGS] = "mremap flags %a are unknown",
    [MMK_REASON_MREMAP_MAYMOVE] = "MREMAP_FIXED and MREMAP_DONTUNMAP need MREMAP_MAYMOVE",
    [MMK_REASON_MREMAP_DONTUNMAP_LENGTH] = "MREMAP_DONTUNMAP with old length %a and new length %b",
    [MMK_REASON_MREMAP_DONTUNMAP_KIND] = "MREMAP_DONTUNMAP of a mapping that cannot expand",
    [MMK_REASON_MREMAP_NEW_UNALIGNED] = "new address %a is not a multiple of the page size",
    [MMK_REASON_MREMAP_OVERLAP] = "the old place at %a and the new one at %b overlap",
    [MMK_REASON_MREMAP_PRIVATE] = "old length 0 copies a shared mapping; this one is private",
    [MMK_REASON_MREMAP_ACROSS] = "length %b from %a is not within one mapping",
    [MMK_REASON_MREMAP_DONTEXPAND] = "the mapping cannot expand",
    [MMK_REASON_MREMAP_IN_PLACE] = "no room to grow to %b at %a, and MREMAP_MAYMOVE is not given",
    [MMK_REASON_REMAP_PROT] = "remap_file_pages takes no protection, and %a is one",
    [MMK_REASON_REMAP_SHARED] = "what is mapped at %a is no shared mapping that may be written",
    [MMK_REASON_REMAP_ACROSS] = "at %a begins a mapping of another kind, or a hole",
    [MMK_REASON_MSYNC_FLAGS] = "msync flags %a are unknown or exclude each other",
    [MMK_REASON_MSYNC_LOCKED] = "MS_INVALIDATE, but the mapping at %a is locked",
    [MMK_REASON_MSYNC_SECRET] = "the mapping at %a is secret memory, which is written nowhere",
    [MMK_REASON_WRITEBACK] = "writing to the file failed with %E",
    [MMK_REASON_VEC] = "the result cannot be written to %a",
    [MMK_REASON_ADVICE] = "advice %A is unknown or not supported",
    [MMK_REASON_ADVICE_LOCKED] = "the mapping at %a is locked",
    [MMK_REASON_ADVICE_SPECIAL] = "the mapping at %a is a device's: no advice %B for it",
    [MMK_REASON_ADVICE_NOT_ANON] = "the mapping at %a is not private anonymous memory",
    [MMK_REASON_ADVICE_NO_FILE] = "the mapping at %a has no file or object to make a hole in",
    [MMK_REASON_ADVICE_NOT_SHARED] = "the mapping at %a is not a shared one that may be written",
    [MMK_REASON_ADVICE_DROPPABLE] = "the mapping at %a is droppable: no advice %B for it",
    [MMK_REASON_REMOVE_FAILED] = "making a hole in the file failed with %E",
    [MMK_REASON_GUARD_NO_MEMORY] = "no memory for the page tables of a guard at %a",
    [MMK_REASON_POPULATE_PROT] = "the protection of the mapping at %a forbids the access",
    [MMK_REASON_POPULATE_FAULT] = "the page at %a could not be had: %F",
    [MMK_REASON_MLOCK_FLAGS] = "mlock flags %a are unknown or make no sense together",
    [MMK_REASON_MSEAL_FLAGS] = "mseal flags %a are unknown",
    [MMK_REASON_VMA_SEALED] = "the mapping at %a is sealed",
    [MMK_REASON_NODES] = "a mask of nodes, %a, that is too large or names nodes that cannot be",
    [MMK_REASON_POLICY_MODE] = "memory policy %a is unknown, or not one for this call",
    [MMK_REASON_POLICY_NODES] = "memory policy %a does not go with nodes %b: there is node 0 alone",
    [MMK_REASON_POLICY_FLAGS] = "flags %a of a memory policy call are unknown or exclude each other",
    [MMK_REASON_POLICY_NO_NEXT] = "memory policy %a does not take turns: there is no next node",
    [MMK_REASON_POLICY_NONE] = "nothing below %a has a memory policy",
    [MMK_REASON_MOVE_ALL] = "moving pages that others share is for the privileged",
    [MMK_REASON_NOT_ATTACHED] = "no shared memory segment is attached at %a",
    [MMK_REASON_BRK_LOW] = "break %a lies below the start of the heap, %b",
    [MMK_REASON_BRK_IN_THE_WAY] = "break %a comes too close to the mapping at %b",
    [MMK_REASON_BRK_NO_HEAP] = "break %a: the heap is no longer mapped at its end",
    [MMK_REASON_STACK_NOT] = "the mapping above %a does not grow down",
    [MMK_REASON_STACK_GUARD] = "a stack grown to %a comes too close to what is mapped below %b",
    [MMK_REASON_STACK_LOW] = "a stack cannot grow down to %a",
    [MMK_REASON_PRCTL_ARG] = "prctl takes no argument %a here",
    [MMK_REASON_NAME_ADDRESS] = "the name at %a cannot be read",
    [MMK_REASON_NAME_LONG] = "a name has at most %A characters",
    [MMK_REASON_NAME_CHAR] = "a name may not contain the character %a",
    [MMK_REASON_NAME_FILE] = "the mapping at %a has a file, and so a name",
    [MMK_REASON_MDWE] = "PR_SET_MDWE forbids to make memory executable (protection %a)",
    [MMK_REASON_MDWE_SET] = "PR_SET_MDWE bits %a are in force and cannot change",
    [MMK_REASON_SET_MM_PRIVILEGE] = "PR_SET_MM without the privilege",
    [MMK_REASON_BOUND] = "boundary %a lies outside the address space",
    [MMK_REASON_BOUNDS_ORDER] = "a start of the program's boundaries lies behind its end",
};

struct errno_name {
	int err;
	const char *name;
};

static const struct errno_name errno_names[] = {
    {MMK_EPERM, "EPERM"},         {MMK_ENOENT, "ENOENT"},
    {MMK_EINTR, "EINTR"},         {MMK_EIO, "EIO"},
    {MMK_E2BIG, "E2BIG"},         {MMK_EBADF, "EBADF"},
    {MMK_EAGAIN, "EAGAIN"},       {MMK_ENOMEM, "ENOMEM"},
    {MMK_EACCES, "EACCES"},       {MMK_EFAULT, "EFAULT"},
    {MMK_EBUSY, "EBUSY"},         {MMK_EEXIST, "EEXIST"},
    {MMK_ENODEV, "ENODEV"},       {MMK_EINVAL, "EINVAL"},
    {MMK_ETXTBSY, "ETXTBSY"},     {MMK_EFBIG, "EFBIG"},
    {MMK_ENOSPC, "ENOSPC"},       {MMK_ENOSYS, "ENOSYS"},
    {MMK_EOVERFLOW, "EOVERFLOW"}, {MMK_EOPNOTSUPP, "EOPNOTSUPP"},
};

void text_errno(struct text *t, int err)
{
	int positive = err < 0 ? -err : err;

	for (size_t i = 0; i < sizeof(errno_names) / sizeof(errno_names[0]); i++) {
		if (errno_names[i].err == positive) {
			text_str(t, errno_names[i].name);
			return;
		}
	}
	text_str(t, "errno ");
	text_dec(t, positive);
}

int refuse(struct mmk_task *task, int err, enum mmk_reason_code code, uint64_t a, uint64_t b)
{
	struct mmk_system *sys = task->mm ? task->mm->sys : NULL;
	struct refusal *slot;

	task->reason = (struct mmk_reason){.code = code, .err = err, .a = a, .b = b};
	if (!sys)
		return err;
	stat_inc(sys, refusals);
	spin_lock(sys, &sys->refusal_lock);
	slot = &sys->refusals[sys->nr_refusals++ % NR_REFUSALS];
	slot->reason = task->reason;
	slot->pid = task->pid;
	spin_unlock(&sys->refusal_lock);
	return err;
}

static void text_value(struct text *t, char kind, const struct mmk_reason *r)
{
	uint64_t value = kind == 'a' || kind == 'A' || kind == 'E' ? r->a : r->b;

	if (kind == 'A' || kind == 'B') {
		text_dec(t, value);
	} else if (kind == 'E' || kind == 'F') {
		text_errno(t, (int)value);
	} else {
		text_str(t, "0x");
		text_hex(t, value, 1);
	}
}

static void text_reason(struct text *t, const struct mmk_reason *r)
{
	const char *s = r->code < MMK_NR_REASONS ? reason_words[r->code] : "unknown reason";

	for (; *s; s++) {
		if (*s == '%')
			text_value(t, *++s, r);
		else
			text_char(t, *s);
	}
}

size_t mmk_reason_text(const struct mmk_task *task, char *buf, size_t size)
{
	struct text t;

	text_begin(&t, buf, size);
	text_reason(&t, &task->reason);
	return t.len;
}

static bool refusal_nth(struct mmk_system *sys, uint64_t nth, struct refusal *out)
{
	uint64_t n;

	spin_lock(sys, &sys->refusal_lock);
	n = sys->nr_refusals;
	if (nth < n && nth < NR_REFUSALS)
		*out = sys->refusals[(n - 1 - nth) % NR_REFUSALS];
	spin_unlock(&sys->refusal_lock);
	return nth < n && nth < NR_REFUSALS;
}

long mmk_stats_refusals(struct mmk_system *sys, uint64_t *pos, char *buf, size_t size)
{
	struct refusal r;
	size_t done = 0;

	for (; refusal_nth(sys, *pos, &r); ++*pos) {
		struct text t;

		text_begin(&t, buf + done, size - done);
		text_str(&t, "pid ");
		text_int(&t, r.pid);
		text_str(&t, ": ");
		text_errno(&t, r.reason.err);
		text_str(&t, ": ");
		text_reason(&t, &r.reason);
		text_char(&t, '\n');
		if (t.len >= t.size) /* the NUL must fit as well */
			break;
		done += t.len;
	}
	return done;
}
