/* SPDX-License-Identifier: MIT */
/* mprotect: splits and merges, holes, growing mappings, what may never be had, and what faults then
 * say. */
#include "abi.h"

BEHAVIOUR(mprotect_in_the_middle, "mprotect splits")
{
	char *p = abi_map(5, RW);

	abi_fill(p, 5, 1);
	TRY(mprotect(p + 2 * page, page, PROT_READ));
	abi_maps(p, 5);
	abi_pages("pages", p, 5);
	abi_store("middle", p + 2 * page, 9);
	abi_store("beside", p + 3 * page, 9);
}

BEHAVIOUR(mprotect_of_the_head, "mprotect splits")
{
	char *p = abi_map(3, RW);

	TRY(mprotect(p, page, PROT_READ));
	abi_maps(p, 3);
}

BEHAVIOUR(mprotect_of_the_tail, "mprotect splits")
{
	char *p = abi_map(3, RW);

	TRY(mprotect(p + 2 * page, page, PROT_NONE));
	abi_maps(p, 3);
}

BEHAVIOUR(mprotect_of_the_whole, "mprotect whole")
{
	char *p = abi_map(3, RW);

	TRY(mprotect(p, 3 * page, RX));
	abi_maps(p, 3);
}

BEHAVIOUR(mprotect_back_merges, "mprotect merges")
{
	char *p = abi_map(5, RW);

	TRY(mprotect(p + page, 3 * page, PROT_READ));
	TRY(mprotect(p + 2 * page, page, RW));
	abi_maps(p, 5);
	TRY(mprotect(p + page, page, RW));
	abi_maps(p, 5);
	TRY(mprotect(p + 3 * page, page, RW));
	abi_maps(p, 5);
}

BEHAVIOUR(mprotect_to_the_neighbour_s_rights, "mprotect merges")
{
	char *p = abi_map(6, RW);

	TRY(mprotect(p + 3 * page, 3 * page, PROT_READ));
	TRY(mprotect(p + 2 * page, page, PROT_READ));
	abi_maps(p, 6);
	TRY(mprotect(p + 2 * page, 2 * page, RW));
	abi_maps(p, 6);
}

BEHAVIOUR(mprotect_over_several, "mprotect merges")
{
	char *p = abi_map(6, RW);

	mprotect(p + page, page, PROT_READ);
	mprotect(p + 2 * page, page, PROT_NONE);
	mprotect(p + 3 * page, page, RX);
	abi_maps(p, 6);
	TRY(mprotect(p + page, 3 * page, RW));
	abi_maps(p, 6);
}

BEHAVIOUR(mprotect_of_written_parts, "mprotect merges")
{
	char *p = abi_map(4, PROT_READ);

	TRY(mprotect(p + page, page, RW));
	abi_store("second", p + page, 2);
	TRY(mprotect(p + 3 * page, page, RW));
	abi_store("fourth", p + 3 * page, 4);
	TRY(mprotect(p, 4 * page, RW));
	abi_maps(p, 4);
	abi_pages("pages", p, 4);
}

/* ---- holes ---- */

BEHAVIOUR(mprotect_up_to_a_hole, "mprotect ENOMEM hole")
{
	char *p = abi_map(5, RW);

	munmap(p + 2 * page, page);
	TRY(mprotect(p, 5 * page, PROT_READ));
	abi_maps(p, 5);
}

BEHAVIOUR(mprotect_that_begins_in_a_hole, "mprotect ENOMEM hole")
{
	char *p = abi_map(3, RW);

	munmap(p, page);
	TRY(mprotect(p, 3 * page, PROT_READ));
	TRY(mprotect(p - page, page, PROT_READ));
	abi_maps(p, 3);
}

BEHAVIOUR(mprotect_that_ends_in_a_hole, "mprotect ENOMEM hole")
{
	char *p = abi_map(3, RW);

	TRY(mprotect(p + page, 3 * page, PROT_READ));
	abi_maps(p, 4);
}

BEHAVIOUR(mprotect_with_the_same_rights_and_a_hole, "mprotect ENOMEM hole")
{
	char *p = abi_map(3, RW);

	munmap(p + page, page);
	TRY(mprotect(p, 3 * page, RW));
	abi_maps(p, 3);
}

BEHAVIOUR(mprotect_of_nothing_at_all, "mprotect ENOMEM hole")
{
	char *p = abi_window(4);

	TRY(mprotect(p, page, PROT_READ));
	TRY(mprotect(p, 4 * page, PROT_NONE));
}

/* ---- refusals ---- */

BEHAVIOUR(mprotect_of_an_unaligned_address, "mprotect EINVAL")
{
	char *p = abi_map(2, RW);

	TRY(mprotect(p + 1, page, PROT_READ));
	TRY(mprotect(p + page / 2, page, PROT_READ));
	TRY(mprotect(p + 1, 0, PROT_READ));
	abi_maps(p, 2);
}

BEHAVIOUR(mprotect_of_length_zero, "mprotect length 0")
{
	char *p = abi_map(1, RW);

	TRY(mprotect(p, 0, PROT_READ));
	TRY(mprotect(p + 8 * page, 0, PROT_READ));
	TRY(mprotect(NULL, 0, PROT_READ));
	abi_maps(p, 1);
}

BEHAVIOUR(mprotect_rounds_the_length_up, "mprotect length")
{
	char *p = abi_map(4, RW);

	TRY(mprotect(p, 1, PROT_READ));
	abi_maps(p, 4);
	TRY(mprotect(p + 2 * page, page + 1, PROT_READ));
	abi_maps(p, 4);
}

BEHAVIOUR(mprotect_that_wraps, "mprotect ENOMEM wraps")
{
	char *p = abi_map(1, RW);

	TRY(mprotect(p, -1UL, PROT_READ));
	TRY(mprotect(p, -page, PROT_READ));
	TRY(mprotect(p, -(unsigned long)p, PROT_READ));
	TRY(mprotect(p, 1UL << 63, PROT_READ));
	TRY(mprotect((void *)-page, page, PROT_READ));
	abi_maps(p, 1);
}

BEHAVIOUR(mprotect_with_unknown_bits, "mprotect EINVAL prot")
{
	char *p = abi_map(1, RW);
	int bit;
	char what[32];

	for (bit = 3; bit < 31; bit++) {
		if (bit == 4 || bit == 24 || bit == 25) /* of some CPUs; growing */
			continue;
		snprintf(what, sizeof(what), "bit %d", bit);
		abi_ret(what, mprotect(p, page, PROT_READ | 1 << bit));
	}
	abi_maps(p, 1);
}

BEHAVIOUR(mprotect_order_of_refusals, "mprotect EINVAL")
{
	char *p = abi_map(1, RW);

	TRY(mprotect(p + 1, page, 0x100));
	TRY(mprotect(p, 0, 0x100));
	TRY(mprotect(p + 4 * page, page, 0x100));
	TRY(mprotect(p, -1UL, 0x100));
	TRY(mprotect(p, page, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
	TRY(mprotect(p, 0, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
	TRY(mprotect(p + 1, 0, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
}

/* ---- growing ---- */

BEHAVIOUR(growsdown_of_an_ordinary_mapping, "mprotect PROT_GROWSDOWN")
{
	char *p = abi_map(2, RW);

	TRY(mprotect(p, page, PROT_READ | PROT_GROWSDOWN));
	TRY(mprotect(p + page, page, PROT_READ | PROT_GROWSUP));
	abi_maps(p, 2);
}

BEHAVIOUR(growsdown_reaches_the_start, "mprotect PROT_GROWSDOWN")
{
	char *p = abi_map_with(4, RW, ANON | MAP_GROWSDOWN, -1, 0);

	TRY(mprotect(p + 2 * page, page, PROT_READ | PROT_GROWSDOWN));
	abi_maps(p, 4);
}

BEHAVIOUR(growsdown_from_below_the_mapping, "mprotect PROT_GROWSDOWN")
{
	char *p = abi_map_with(4, RW, ANON | MAP_GROWSDOWN, -1, 0);

	TRY(mprotect(p - 2 * page, 4 * page, PROT_READ | PROT_GROWSDOWN));
	abi_maps(p - page, 5);
	TRY(mprotect(p - 4 * page, page, PROT_READ | PROT_GROWSDOWN));
	abi_maps(p - page, 5);
}

BEHAVIOUR(growsup_exists_nowhere_here, "mprotect PROT_GROWSUP")
{
	char *p = abi_map_with(4, RW, ANON | MAP_GROWSDOWN, -1, 0);

	TRY(mprotect(p, page, PROT_READ | PROT_GROWSUP));
	TRY(mprotect(p + 8 * page, page, PROT_READ | PROT_GROWSUP));
	abi_maps(p, 4);
}

BEHAVIOUR(growsdown_of_the_stack, "mprotect PROT_GROWSDOWN")
{
	char here, *at = (char *)((unsigned long)&here & -page);

	TRY(mprotect(at, page, RWX | PROT_GROWSDOWN));
	TRY(mprotect(at, page, RW | PROT_GROWSDOWN));
}

/* ---- what may never be had ---- */

BEHAVIOUR(shared_read_only_file_to_writable, "mprotect EACCES")
{
	char *p;

	close(abi_file(3 * page));
	p = abi_map_with(3, PROT_READ, MAP_SHARED, open("file", O_RDONLY), 0);
	TRY(mprotect(p + page, page, RW));
	TRY(mprotect(p, 3 * page, PROT_WRITE));
	TRY(mprotect(p, page, PROT_NONE));
	TRY(mprotect(p, page, RX));
	abi_maps(p, 3);
}

BEHAVIOUR(refused_after_part_has_changed, "mprotect EACCES")
{
	char *p = abi_window(4);
	int fd;

	close(abi_file(page));
	fd = open("file", O_RDONLY);
	abi_ptr("anonymous", mmap(p, page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	abi_ptr("file", mmap(p + page, page, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	abi_ptr("anonymous", mmap(p + 2 * page, page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	TRY(mprotect(p, 3 * page, RW));
	abi_maps(p, 4);
}

BEHAVIOUR(write_sealed_file_to_writable, "mprotect EACCES")
{
	int fd = abi_memfd(page, MFD_ALLOW_SEALING);
	char *p;

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	p = abi_map_with(1, PROT_READ, MAP_SHARED, fd, 0);
	TRY(mprotect(p, page, RW));
	abi_maps(p, 1);
}

/* ---- what faults say ---- */

BEHAVIOUR(read_only_memory, "fault SIGSEGV SEGV_ACCERR")
{
	char *p = abi_map(1, RW);

	abi_store("store", p, 1);
	mprotect(p, page, PROT_READ);
	abi_store("store", p + 5, 2);
	abi_load("load", p);
	mprotect(p, page, RW);
	abi_store("store", p + 5, 2);
}

BEHAVIOUR(memory_without_any_right, "fault SIGSEGV SEGV_ACCERR")
{
	char *p = abi_map(2, RW);

	abi_fill(p, 1, 7);
	mprotect(p, 2 * page, PROT_NONE);
	abi_load("touched", p + 1);
	abi_load("never touched", p + page + 1);
	abi_store("touched", p + 2, 1);
	mprotect(p, 2 * page, PROT_READ);
	abi_pages("pages", p, 2);
}

BEHAVIOUR(memory_without_execution, "fault SIGSEGV SEGV_ACCERR")
{
	char *p = abi_map(1, RW);

	abi_code(p);
	abi_call("call", p);
	mprotect(p, page, RX);
	abi_call("call", p);
	abi_store("store", p, 1);
	mprotect(p, page, PROT_READ);
	abi_call("call", p);
}

BEHAVIOUR(execution_of_what_was_never_touched, "fault SIGSEGV SEGV_ACCERR")
{
	char *p = abi_map(1, PROT_READ);

	abi_call("anonymous", p);
	abi_call("unmapped", p + 8 * page);
}

BEHAVIOUR(write_only_memory_can_be_read, "mprotect PROT_WRITE")
{
	char *p = abi_map(1, PROT_WRITE);

	abi_load("load", p);
	abi_store("store", p, 3);
	abi_load("load", p);
	abi_maps(p, 1);
}

BEHAVIOUR(execute_only_memory, "mprotect PROT_EXEC")
{
	char *p = abi_map(1, RW);

	abi_code(p);
	TRY(mprotect(p, page, PROT_EXEC));
	abi_call("call", p);
	abi_maps(p, 1);
#ifdef __aarch64__
	abi_load("load", p);
#endif
}

BEHAVIOUR(write_and_execute_only, "mprotect PROT_WRITE | PROT_EXEC")
{
	char *p = abi_map(1, PROT_WRITE | PROT_EXEC);

	abi_code(p);
	abi_call("call", p);
	abi_load("load", p + 8);
	abi_maps(p, 1);
}

BEHAVIOUR(before_the_first_touch, "mprotect of untouched memory")
{
	char *p = abi_map(1, RW);

	mprotect(p, page, PROT_READ);
	abi_store("store", p, 1);
	abi_load("load", p);
	mprotect(p, page, RW);
	abi_store("store", p, 1);
}

BEHAVIOUR(after_the_zero_page, "mprotect of untouched memory")
{
	char *p = abi_map(1, PROT_READ);

	abi_load("load", p);
	mprotect(p, page, RW);
	abi_store("store", p, 1);
	abi_load("load", p);
}

BEHAVIOUR(private_file_read_only_to_writable, "mprotect of a private file mapping")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, PROT_READ, MAP_PRIVATE, fd, 0);

	abi_pages("pages", p, 2);
	TRY(mprotect(p, 2 * page, RW));
	abi_store("store", p, 0x44);
	abi_file_bytes("file", fd, 0, 1);
	TRY(mprotect(p, 2 * page, PROT_READ));
	abi_store("store", p + 1, 1);
	abi_pages("pages", p, 2);
	abi_maps(p, 2);
}

BEHAVIOUR(shared_file_read_only_and_back, "mprotect of a shared file mapping")
{
	int fd = abi_file(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_store("store", p, 0x44);
	TRY(mprotect(p, page, PROT_READ));
	abi_store("store", p, 0x45);
	TRY(mprotect(p, page, RW));
	abi_store("store", p, 0x46);
	abi_file_bytes("file", fd, 0, 1);
	abi_maps(p, 2);
}

BEHAVIOUR(copy_on_write_after_mprotect, "mprotect keeps copy-on-write")
{
	char *p = abi_map(1, RW);
	pid_t pid;

	abi_store("before", p, 1);
	pid = abi_fork();
	if (!pid) {
		TRY(mprotect(p, page, PROT_READ));
		TRY(mprotect(p, page, RW));
		abi_store("child", p, 2);
		_exit(0);
	}
	abi_wait(pid);
	abi_load("parent", p);
}

BEHAVIOUR(child_s_rights_are_its_own, "mprotect after fork")
{
	char *p = abi_map(1, RW);
	pid_t pid = abi_fork();

	if (!pid) {
		TRY(mprotect(p, page, PROT_NONE));
		_exit(0);
	}
	abi_wait(pid);
	abi_store("parent", p, 2);
}

BEHAVIOUR(unreadable_memory_as_a_buffer, "mprotect and system calls")
{
	char *p = abi_map(2, RW);
	int fd = abi_file(page);

	abi_fill(p, 2, 1);
	mprotect(p + page, page, PROT_NONE);
	TRY(pwrite(fd, p + page, 1, 0));
	TRY(pread(fd, p + page, 1, 0));
	abi_ret("half of a write", pwrite(fd, p + page - 2, 4, 0));
	mprotect(p + page, page, PROT_READ);
	TRY(pwrite(fd, p + page, 1, 0));
	TRY(pread(fd, p + page, 1, 0));
}

/* ---- flags beside ---- */

BEHAVIOUR(mprotect_of_locked_memory, "mprotect of locked memory")
{
	char *p = abi_map(3, PROT_NONE);

	TRY(mlock(p, 3 * page));
	abi_vmflags("locked", p);
	TRY(mprotect(p + page, page, RW));
	abi_vmflags("locked, writable", p + page);
	abi_smaps(p + page, "Rss");
	abi_status("VmLck");
	abi_maps(p, 3);
}

BEHAVIOUR(flags_of_every_protection, "mprotect VmFlags")
{
	char *p = abi_map(1, PROT_NONE);

	abi_vmflags("none", p);
	mprotect(p, page, PROT_READ);
	abi_vmflags("r", p);
	mprotect(p, page, RW);
	abi_vmflags("rw", p);
	mprotect(p, page, RWX);
	abi_vmflags("rwx", p);
	mprotect(p, page, PROT_EXEC);
	abi_vmflags("x", p);
	mprotect(p, page, PROT_NONE);
	abi_vmflags("none again", p);
}

BEHAVIOUR(made_writable_beyond_the_data_limit, "mprotect ENOMEM RLIMIT_DATA")
{
	char *p = abi_map(64, PROT_READ);

	abi_limit(RLIMIT_DATA, abi_status_field("VmData") * 1024 + 16 * page);
	TRY(mprotect(p, 64 * page, RW));
	abi_maps(p, 64);
	TRY(mprotect(p, 8 * page, RW));
	abi_maps(p, 64);
}

BEHAVIOUR(mprotect_split_beyond_max_map_count, "mprotect ENOMEM max_map_count")
{
	char *p = abi_map(64, RW);
	int i, refused = 0;

	abi_knob("/proc/sys/vm/max_map_count", "30");
	for (i = 1; i < 63; i += 2) {
		if (mprotect(p + i * page, page, PROT_READ) && !refused++)
			abi_ret("split", -1);
	}
	abi_say("some splits were refused: %d", refused > 0);
	TRY(mprotect(p, 64 * page, PROT_READ));
	abi_maps(p, 64);
}
