/* SPDX-License-Identifier: MIT */
/* membarrier: what is offered, what has to be registered first. */
#include "abi.h"

static long membarrier(int cmd, unsigned flags, int cpu)
{
	return syscall(SYS_membarrier, cmd, flags, cpu);
}

BEHAVIOUR(membarrier_query, "membarrier QUERY")
{
	abi_say("commands %lx", membarrier(0, 0, 0));
	TRY(membarrier(0, 1, 0));
	TRY(membarrier(0, 0, 99));
}

BEHAVIOUR(membarrier_unknown_commands, "membarrier EINVAL")
{
	TRY(membarrier(-1, 0, 0));
	TRY(membarrier(3, 0, 0));
	TRY(membarrier(1 << 10, 0, 0));
	TRY(membarrier(1 << 30, 0, 0));
	TRY(membarrier(1, 1, 0));
	TRY(membarrier(1, ~0u, 0));
	TRY(membarrier(8, 1, 0));
	TRY(membarrier(128, 2, 0));
}

BEHAVIOUR(membarrier_global, "membarrier GLOBAL")
{
	TRY(membarrier(1, 0, 0));
	TRY(membarrier(2, 0, 0));
	TRY(membarrier(4, 0, 0));
	TRY(membarrier(2, 0, 0));
}

BEHAVIOUR(membarrier_private_wants_registration, "membarrier EPERM")
{
	TRY(membarrier(8, 0, 0));
	TRY(membarrier(16, 0, 0));
	TRY(membarrier(8, 0, 0));
	TRY(membarrier(32, 0, 0));
	TRY(membarrier(64, 0, 0));
	TRY(membarrier(32, 0, 0));
	TRY(membarrier(16, 0, 0));
}

BEHAVIOUR(membarrier_rseq, "membarrier RSEQ")
{
	TRY(membarrier(128, 0, 0));
	TRY(membarrier(256, 0, 0));
	TRY(membarrier(128, 0, 0));
	TRY(membarrier(128, 1, 0));
	TRY(membarrier(128, 1, 9999));
	TRY(membarrier(128, 1, -1));
	TRY(membarrier(128, 0, -1));
}

BEHAVIOUR(membarrier_registrations, "membarrier GET_REGISTRATIONS")
{
	abi_say("%lx", membarrier(512, 0, 0));
	membarrier(4, 0, 0);
	abi_say("%lx", membarrier(512, 0, 0));
	membarrier(16, 0, 0);
	abi_say("%lx", membarrier(512, 0, 0));
	membarrier(64, 0, 0);
	abi_say("%lx", membarrier(512, 0, 0));
	membarrier(256, 0, 0);
	abi_say("%lx", membarrier(512, 0, 0));
	TRY(membarrier(512, 1, 0));
}

BEHAVIOUR(membarrier_registration_and_fork, "membarrier fork")
{
	pid_t pid;

	membarrier(16, 0, 0);
	membarrier(4, 0, 0);
	pid = abi_fork();
	if (!pid) {
		abi_say("%lx", membarrier(512, 0, 0));
		TRY(membarrier(8, 0, 0));
		_exit(0);
	}
	abi_wait(pid);
}
