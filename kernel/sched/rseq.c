/* SPDX-License-Identifier: MIT */
/*
 * rseq(2): restartable sequences. A thread shares a small structure with the kernel, which keeps
 * the number of its CPU there and, when the thread loses the CPU or gets a signal inside of a
 * sequence that the structure names, makes it go on at the sequence's abort address.
 */
#include "kernel/percpu.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/uaccess.h"

#define RSEQ_FLAG_UNREGISTER 1u
#define RSEQ_SIZE            32 /* of version 0, its alignment too */
#define CPU_ID_UNINITIALIZED 0xffffffffu

/* What lies in user memory; only its layout is used. */
struct rseq_area {
	u32 cpu_id_start, cpu_id;
	u64 rseq_cs; /* address of a struct rseq_cs, 0 outside of sequences */
	u32 flags, node_id, mm_cid, pad;
};
_Static_assert(sizeof(struct rseq_area) == RSEQ_SIZE, "struct rseq");

struct rseq_cs {
	u32 version, flags;
	u64 start_ip, post_commit_offset, abort_ip;
};

static u64 field(const struct task *t, size_t offset)
{
	return t->rseq.area + offset;
}
#define FIELD(t, name) field(t, offsetof(struct rseq_area, name))

/* Only when it is another than last time: on the way from every sleep this is one comparison. */
static int put_cpu(struct task *t)
{
	u32 cpu = cpu_id();

	if (t->rseq.cpu == cpu)
		return 0;
	if (put_user(cpu, u32, FIELD(t, cpu_id_start)) || put_user(cpu, u32, FIELD(t, cpu_id)) ||
	    put_user(0, u32, FIELD(t, node_id)) || put_user(cpu, u32, FIELD(t, mm_cid)))
		return -EFAULT;
	t->rseq.cpu = cpu;
	return 0;
}

static int clear_area(const struct task *t)
{
	return put_user(0, u32, FIELD(t, cpu_id_start)) ||
	               put_user(CPU_ID_UNINITIALIZED, u32, FIELD(t, cpu_id)) ||
	               put_user(0, u32, FIELD(t, node_id)) || put_user(0, u32, FIELD(t, mm_cid))
	           ? -EFAULT
	           : 0;
}

/* The word before the abort address must be the one that was registered: no jump to just anywhere.
 */
static int read_cs(const struct task *t, u64 addr, struct rseq_cs *cs)
{
	u32 sig;

	if (addr >= (1ull << 48) || copy_from_user(cs, addr, sizeof(*cs)))
		return -EFAULT;
	if (cs->version || cs->start_ip + cs->post_commit_offset < cs->start_ip ||
	    cs->abort_ip - cs->start_ip < cs->post_commit_offset)
		return -EINVAL;
	if (get_user(sig, cs->abort_ip - sizeof(sig)))
		return -EFAULT;
	return sig == t->rseq.sig ? 0 : -EINVAL;
}

/* Leave the sequence that the thread is in, if it is in one. */
static int fix_ip(struct task *t, struct pt_regs *regs)
{
	struct rseq_cs cs;
	u64 addr;
	int err;

	if (get_user(addr, FIELD(t, rseq_cs)))
		return -EFAULT;
	if (!addr)
		return 0;
	err = read_cs(t, addr, &cs);
	if (err)
		return err;
	if (put_user(0, u64, FIELD(t, rseq_cs)))
		return -EFAULT;
	if (regs->pc - cs.start_ip < cs.post_commit_offset)
		regs->pc = cs.abort_ip;
	return 0;
}

void rseq_resume(struct pt_regs *regs)
{
	struct task *t = current;

	task_clear_work(t, WORK_RSEQ);
	if (t->rseq.area && (fix_ip(t, regs) || put_cpu(t)))
		force_sig(SIGSEGV);
}

long sys_rseq(u64 area, u64 len, u64 flags, u64 sig)
{
	struct task *t = current;

	if ((u32)flags & RSEQ_FLAG_UNREGISTER) {
		if ((u32)flags != RSEQ_FLAG_UNREGISTER || !t->rseq.area || area != t->rseq.area ||
		    (u32)len != RSEQ_SIZE)
			return -EINVAL;
		if ((u32)sig != t->rseq.sig)
			return -EPERM;
		if (clear_area(t))
			return -EFAULT;
		t->rseq.area = 0;
		return 0;
	}
	if ((u32)flags)
		return -EINVAL;
	if (t->rseq.area) {
		if (area != t->rseq.area || (u32)len != RSEQ_SIZE)
			return -EINVAL;
		return (u32)sig != t->rseq.sig ? -EPERM : -EBUSY;
	}
	if (!area || area % RSEQ_SIZE || (u32)len != RSEQ_SIZE)
		return -EINVAL;
	if (untagged_addr(area) >= (1ull << 48) - RSEQ_SIZE)
		return -EFAULT;
	t->rseq.area = area;
	t->rseq.sig = (u32)sig;
	t->rseq.cpu = CPU_ID_UNINITIALIZED;
	/* The fields are written on the way back; a bad address is found there. */
	task_set_work(t, WORK_RSEQ);
	return 0;
}
