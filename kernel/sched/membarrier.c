/* SPDX-License-Identifier: MIT */
/*
 * membarrier(2): a full barrier on all CPUs that run threads of the process, or of any.
 *
 * An interrupt there does it: taking and leaving it is ordered with all that the thread does, and
 * the exception return is a context synchronization event (Arm ARM D1.4), as SYNC_CORE asks for. A
 * thread that does not run gets both at the switch.
 */
#include "kernel/arch/sysreg.h"
#include "kernel/sched/sched.h"
#include "kernel/smp.h"
#include "kernel/sys/calls.h"

#define CMD_QUERY              0u
#define CMD_GLOBAL             0x001u
#define CMD_GLOBAL_EXPEDITED   0x002u
#define CMD_REGISTER_GLOBAL    0x004u
#define CMD_PRIVATE_EXPEDITED  0x008u
#define CMD_REGISTER_PRIVATE   0x010u
#define CMD_PRIVATE_SYNC_CORE  0x020u
#define CMD_REGISTER_SYNC_CORE 0x040u
#define CMD_PRIVATE_RSEQ       0x080u
#define CMD_REGISTER_RSEQ      0x100u
#define CMD_GET_REGISTRATIONS  0x200u
#define CMD_ALL                0x3ffu
#define CMD_FLAG_CPU           1u

static void full_barrier(void *arg)
{
	smp_mb();
}

/* Whatever restartable sequence a thread of the process is in begins again. */
static void restart_sequence(void *arg)
{
	struct task *t = current;

	smp_mb();
	if (t->proc == arg && t->rseq.area)
		task_set_work(t, WORK_RSEQ);
}

static void barrier_on(u64 cpus, void (*fn)(void *))
{
	smp_mb();
	if (nr_cpus > 1)
		smp_call(cpus, fn, current->proc);
	smp_mb();
}

static long register_for(u32 command)
{
	__atomic_fetch_or(&current->proc->membarrier, command, __ATOMIC_SEQ_CST);
	/* Who is registered has had the barrier of each switch from now on. */
	barrier_on(~0ull, full_barrier);
	return 0;
}

static long private_barrier(u32 registration, u64 cpus, void (*fn)(void *))
{
	if (!(READ_ONCE(current->proc->membarrier) & registration))
		return -EPERM;
	barrier_on(cpus, fn);
	return 0;
}

static u64 cpus_of(u32 flags, s32 cpu)
{
	if (!(flags & CMD_FLAG_CPU))
		return ~0ull;
	return cpu >= 0 && (u32)cpu < nr_cpus ? 1ull << cpu : 0;
}

long sys_membarrier(u64 command, u64 uflags, u64 cpu)
{
	u32 cmd = (u32)command, flags = (u32)uflags;

	if (flags && !(cmd == CMD_PRIVATE_RSEQ && flags == CMD_FLAG_CPU))
		return -EINVAL;
	switch (cmd) {
	case CMD_QUERY:
		return CMD_ALL;
	case CMD_GLOBAL:
	case CMD_GLOBAL_EXPEDITED:
		barrier_on(~0ull, full_barrier);
		return 0;
	case CMD_REGISTER_GLOBAL:
	case CMD_REGISTER_PRIVATE:
	case CMD_REGISTER_SYNC_CORE:
	case CMD_REGISTER_RSEQ:
		return register_for(cmd);
	case CMD_PRIVATE_EXPEDITED:
		return private_barrier(CMD_REGISTER_PRIVATE, ~0ull, full_barrier);
	case CMD_PRIVATE_SYNC_CORE:
		return private_barrier(CMD_REGISTER_SYNC_CORE, ~0ull, full_barrier);
	case CMD_PRIVATE_RSEQ:
		return private_barrier(CMD_REGISTER_RSEQ, cpus_of(flags, (s32)cpu),
		                       restart_sequence);
	case CMD_GET_REGISTRATIONS:
		return READ_ONCE(current->proc->membarrier);
	default:
		return -EINVAL;
	}
}
