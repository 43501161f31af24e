/* SPDX-License-Identifier: MIT */
/* prctl: PR_SET_MDWE, PR_SET_THP_DISABLE, PR_SET_VMA, and what becomes of them at fork and exec. */
#include "abi.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#define GAIN       1
#define NO_INHERIT 2

static void set(int bits)
{
	abi_must("PR_SET_MDWE", prctl(PR_SET_MDWE, bits, 0, 0, 0));
}

BEHAVIOUR(mdwe_is_off_at_first, "prctl PR_GET_MDWE")
{
	TRY(prctl(PR_GET_MDWE, 0, 0, 0, 0));
}

BEHAVIOUR(mdwe_arguments, "prctl PR_SET_MDWE EINVAL")
{
	TRY(prctl(PR_SET_MDWE, 4, 0, 0, 0));
	TRY(prctl(PR_SET_MDWE, NO_INHERIT, 0, 0, 0));
	TRY(prctl(PR_SET_MDWE, GAIN, 1, 0, 0));
	TRY(prctl(PR_SET_MDWE, GAIN, 0, 1, 0));
	TRY(prctl(PR_SET_MDWE, GAIN, 0, 0, 1));
	TRY(prctl(PR_SET_MDWE, 1ul << 32, 0, 0, 0));
	TRY(prctl(PR_SET_MDWE, 0, 0, 0, 0));
	TRY(prctl(PR_GET_MDWE, 1, 0, 0, 0));
	TRY(prctl(PR_GET_MDWE, 0, 1, 0, 0));
	TRY(prctl(PR_GET_MDWE, 0, 0, 0, 1));
	TRY(prctl(PR_GET_MDWE, 0, 0, 0, 0));
}

BEHAVIOUR(mdwe_cannot_be_taken_back, "prctl PR_SET_MDWE EPERM")
{
	TRY(prctl(PR_SET_MDWE, GAIN, 0, 0, 0));
	TRY(prctl(PR_SET_MDWE, 0, 0, 0, 0));
	TRY(prctl(PR_SET_MDWE, GAIN | NO_INHERIT, 0, 0, 0));
	TRY(prctl(PR_SET_MDWE, GAIN, 0, 0, 0));
	TRY(prctl(PR_GET_MDWE, 0, 0, 0, 0));
}

BEHAVIOUR(mdwe_with_no_inherit_cannot_change, "prctl PR_SET_MDWE EPERM")
{
	TRY(prctl(PR_SET_MDWE, GAIN | NO_INHERIT, 0, 0, 0));
	TRY(prctl(PR_SET_MDWE, GAIN, 0, 0, 0));
	TRY(prctl(PR_GET_MDWE, 0, 0, 0, 0));
}

BEHAVIOUR(mmap_under_mdwe, "mmap EACCES MDWE")
{
	int fd = abi_file(page);

	set(GAIN);
	abi_ret("none", mmap(NULL, page, PROT_NONE, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("x", mmap(NULL, page, PROT_EXEC, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("rx", mmap(NULL, page, RX, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("rw", mmap(NULL, page, RW, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("rwx", mmap(NULL, page, RWX, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("wx", mmap(NULL, page, PROT_WRITE | PROT_EXEC, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("rwx shared", mmap(NULL, page, RWX, SHM, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("rwx file", mmap(NULL, page, RWX, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("rx file", mmap(NULL, page, RX, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
}

BEHAVIOUR(a_refused_mapping_leaves_the_old_one, "mmap EACCES MDWE")
{
	char *p = abi_map(3, RW);

	abi_fill(p, 3, 1);
	set(GAIN);
	abi_ptr("mmap", mmap(p + page, page, RWX, ANON | MAP_FIXED, -1, 0));
	abi_maps(p, 3);
}

BEHAVIOUR(refusals_of_mmap_come_in_this_order_under_mdwe, "mmap EACCES MDWE")
{
	int ro;

	abi_file(page);
	ro = open("file", O_RDONLY);
	set(GAIN);
	abi_ptr("length 0", mmap(NULL, 0, RWX, ANON, -1, 0));
	abi_ptr("bad descriptor", mmap(NULL, page, RWX, MAP_PRIVATE, 99, 0));
	abi_ptr("read-only file", mmap(NULL, page, RWX, MAP_SHARED, ro, 0));
	abi_ptr("too long", mmap(NULL, 1ul << 50, RWX, ANON, -1, 0));
	abi_ptr("no type", mmap(NULL, page, RWX, MAP_ANONYMOUS, -1, 0));
}

BEHAVIOUR(mprotect_under_mdwe, "mprotect EACCES MDWE")
{
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC, RW, RX, RWX};
	unsigned i, j;
	char *p[7];

	for (i = 0; i < 7; i++)
		p[i] = abi_map(1, prots[i]);
	set(GAIN);
	for (i = 0; i < 7; i++) {
		for (j = 0; j < 7; j++) {
			char what[32];
			pid_t pid = abi_fork();

			if (!pid) {
				snprintf(what, sizeof(what), "%d to %d", prots[i], prots[j]);
				abi_ret(what, mprotect(p[i], page, prots[j]));
				exit(0);
			}
			waitpid(pid, NULL, 0);
		}
	}
}

BEHAVIOUR(mprotect_under_mdwe_stops_in_the_middle, "mprotect EACCES MDWE")
{
	char *p = abi_map(3, RX);

	abi_must("mprotect", mprotect(p + page, page, PROT_READ));
	set(GAIN);
	TRY(mprotect(p, 3 * page, PROT_EXEC));
	abi_maps(p, 3);
}

BEHAVIOUR(mdwe_and_read_implies_exec, "mmap EACCES MDWE")
{
	personality(READ_IMPLIES_EXEC);
	set(GAIN);
	abi_ret("rw", mmap(NULL, page, RW, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("r", mmap(NULL, page, PROT_READ, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
	abi_ret("w", mmap(NULL, page, PROT_WRITE, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
}

BEHAVIOUR(a_child_inherits_mdwe, "prctl MDWE fork")
{
	pid_t pid;

	set(GAIN);
	pid = abi_fork();
	if (!pid) {
		TRY(prctl(PR_GET_MDWE, 0, 0, 0, 0));
		abi_ret("rwx", mmap(NULL, page, RWX, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
		exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(a_child_does_not_inherit_mdwe_with_no_inherit, "prctl MDWE fork")
{
	pid_t pid;

	set(GAIN | NO_INHERIT);
	TRY(prctl(PR_GET_MDWE, 0, 0, 0, 0));
	pid = abi_fork();
	if (!pid) {
		TRY(prctl(PR_GET_MDWE, 0, 0, 0, 0));
		abi_ret("rwx", mmap(NULL, page, RWX, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
		exit(0);
	}
	abi_wait(pid);
	abi_ret("rwx", mmap(NULL, page, RWX, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
}

/* ---- THP_DISABLE: there are no huge pages, but the wish is kept ---- */

BEHAVIOUR(thp_disable_is_kept, "prctl PR_SET_THP_DISABLE")
{
	TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	abi_say("THP_enabled %ld", abi_status_field("THP_enabled"));
	TRY(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	abi_say("THP_enabled %ld", abi_status_field("THP_enabled"));
	TRY(prctl(PR_SET_THP_DISABLE, 7, 0, 0, 0));
	TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	TRY(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}

BEHAVIOUR(thp_disable_arguments, "prctl PR_SET_THP_DISABLE EINVAL")
{
	TRY(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0));
	TRY(prctl(PR_SET_THP_DISABLE, 1, 0, 1, 0));
	TRY(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 1));
	TRY(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
	TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 1));
}

BEHAVIOUR(thp_disable_is_inherited, "prctl PR_SET_THP_DISABLE fork")
{
	pid_t pid;

	TRY(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	pid = abi_fork();
	if (!pid) {
		TRY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
		exit(0);
	}
	abi_wait(pid);
}
