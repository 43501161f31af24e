/* SPDX-License-Identifier: MIT */
/* PTRACE_GETREGSET, PTRACE_SETREGSET: the registers of a thread that does not run, in the layouts
 * of an ELF core file's notes. */
#include "kernel/signal/internal.h"

#include "kernel/fs/abi.h"
#include "kernel/lib/string.h"
#include "kernel/sys/uaccess.h"

#define NT_PRSTATUS        1u
#define NT_PRFPREG         2u
#define NT_ARM_TLS         0x401u
#define NT_ARM_SYSTEM_CALL 0x404u

union regset {
	struct {
		u64 x[31], sp, pc, pstate;
	} gp;
	struct {
		u128 v[32];
		u32 fpsr, fpcr, reserved[2];
	} fp;
	u64 tls;
	s32 syscall;
};
_Static_assert(sizeof(union regset) == 528, "struct user_fpsimd_state");

/* Bytes in all, and in a unit of it; 0: there is no such set. */
static u32 regset_size(u64 type, u32 *unit)
{
	*unit = 8;
	switch (type) {
	case NT_PRSTATUS:
		return sizeof(((union regset *)0)->gp);
	case NT_ARM_TLS:
		return sizeof(u64);
	case NT_PRFPREG:
		*unit = 4;
		return sizeof(((union regset *)0)->fp);
	case NT_ARM_SYSTEM_CALL:
		*unit = 4;
		return sizeof(s32);
	default:
		return 0;
	}
}

static void read_regset(struct task *t, u64 type, union regset *r)
{
	const struct pt_regs *regs = task_regs(t);

	memset(r, 0, sizeof(*r));
	switch (type) {
	case NT_PRSTATUS:
		memcpy(r->gp.x, regs->x, sizeof(r->gp.x));
		r->gp.sp = regs->sp;
		r->gp.pc = regs->pc;
		r->gp.pstate = regs->pstate & ~(u64)PSTATE_SS;
		break;
	case NT_PRFPREG:
		memcpy(r->fp.v, t->fpsimd.v, sizeof(r->fp.v));
		r->fp.fpsr = t->fpsimd.fpsr;
		r->fp.fpcr = t->fpsimd.fpcr;
		break;
	case NT_ARM_TLS:
		r->tls = t->tls;
		break;
	default:
		r->syscall = (s32)regs->syscallno;
	}
}

static int write_regset(struct task *t, u64 type, const union regset *r)
{
	struct pt_regs *regs = task_regs(t);

	switch (type) {
	case NT_PRSTATUS:
		if (!pstate_ok(r->gp.pstate))
			return -EINVAL;
		memcpy(regs->x, r->gp.x, sizeof(r->gp.x));
		regs->sp = r->gp.sp;
		regs->pc = r->gp.pc;
		regs->pstate = r->gp.pstate & PSTATE_USER_BITS;
		break;
	case NT_PRFPREG:
		memcpy(t->fpsimd.v, r->fp.v, sizeof(r->fp.v));
		t->fpsimd.fpsr = r->fp.fpsr;
		t->fpsimd.fpcr = r->fp.fpcr;
		break;
	case NT_ARM_TLS:
		t->tls = r->tls;
		break;
	default:
		regs->syscallno = (u64)(s64)r->syscall;
	}
	return 0;
}

/* What a shorter write leaves out stays as it is. */
long ptrace_regset(struct task *t, bool write, u64 type, u64 uiov)
{
	struct abi_iovec iov;
	union regset r;
	u32 unit, size;
	int err = 0;

	if (copy_from_user(&iov, uiov, sizeof(iov)))
		return -EFAULT;
	size = regset_size(type, &unit);
	if (!size || iov.len % unit)
		return -EINVAL;
	size = min(iov.len, size);
	read_regset(t, type, &r);
	if (!write)
		err = copy_to_user(iov.base, &r, size);
	else if (copy_from_user(&r, iov.base, size))
		err = -EFAULT;
	else
		err = write_regset(t, type, &r);
	if (err)
		return err;
	return put_user(size, u64, uiov + offsetof(struct abi_iovec, len));
}
