/* SPDX-License-Identifier: MIT */
/* prctl(2), personality(2). */
#include "kernel/fs/fs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/uaccess.h"

#define PR_SET_PDEATHSIG       1
#define PR_GET_PDEATHSIG       2
#define PR_GET_DUMPABLE        3
#define PR_SET_DUMPABLE        4
#define PR_GET_KEEPCAPS        7
#define PR_SET_KEEPCAPS        8
#define PR_GET_TIMING          13
#define PR_SET_TIMING          14
#define PR_SET_NAME            15
#define PR_GET_NAME            16
#define PR_CAPBSET_READ        23
#define PR_CAPBSET_DROP        24
#define PR_GET_SECUREBITS      27
#define PR_SET_SECUREBITS      28
#define PR_SET_TIMERSLACK      29
#define PR_GET_TIMERSLACK      30
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37
#define PR_SET_NO_NEW_PRIVS    38
#define PR_GET_NO_NEW_PRIVS    39
#define PR_GET_TID_ADDRESS     40
#define PR_CAP_AMBIENT         47

#define PR_SET_TAGGED_ADDR_CTRL 55
#define PR_GET_TAGGED_ADDR_CTRL 56
#define PR_TAGGED_ADDR_ENABLE   1
#define PR_SET_MM_AUXV     12
#define PR_SET_MM_EXE_FILE 13
#define PR_SET_MM_MAP      14
#define PR_SET_MM_MAP_SIZE 15

#define PR_CAP_AMBIENT_IS_SET    1
#define PR_CAP_AMBIENT_RAISE     2
#define PR_CAP_AMBIENT_LOWER     3
#define PR_CAP_AMBIENT_CLEAR_ALL 4

static long set_name(u64 addr)
{
	char name[TASK_COMM_LEN] = {0};
	long n = __strncpy_from_user(name, (const char __user *)addr, sizeof(name) - 1);

	if (n < 0)
		return -EFAULT;
	name[sizeof(name) - 1] = '\0';
	memcpy(current->comm, name, sizeof(name));
	return 0;
}

static long cap_ambient(u64 op, u64 cap)
{
	struct cred *c = &current->cred;
	u64 bit;

	if (op == PR_CAP_AMBIENT_CLEAR_ALL) {
		c->cap_ambient = 0;
		return cap ? -EINVAL : 0;
	}
	if (cap > CAP_LAST)
		return -EINVAL;
	bit = 1ull << cap;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET:
		return !!(c->cap_ambient & bit);
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->cap_permitted & c->cap_inheritable & bit))
			return -EPERM;
		c->cap_ambient |= bit;
		return 0;
	case PR_CAP_AMBIENT_LOWER:
		c->cap_ambient &= ~bit;
		return 0;
	default:
		return -EINVAL;
	}
}

static long prctl_caps(s32 option, u64 a2, u64 a3)
{
	struct cred *c = &current->cred;

	switch (option) {
	case PR_GET_KEEPCAPS:
		return c->keepcaps;
	case PR_SET_KEEPCAPS:
		if (a2 > 1)
			return -EINVAL;
		c->keepcaps = a2;
		return 0;
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST ? -EINVAL : (long)(c->cap_bset >> a2 & 1);
	case PR_CAPBSET_DROP:
		if (!capable(CAP_SETPCAP))
			return -EPERM;
		if (a2 > CAP_LAST)
			return -EINVAL;
		c->cap_bset &= ~(1ull << a2);
		return 0;
	case PR_GET_SECUREBITS:
		return c->securebits;
	case PR_SET_SECUREBITS:
		if (!capable(CAP_SETPCAP) || (a2 & ~0xffull))
			return -EPERM;
		c->securebits = a2;
		return 0;
	default:
		return cap_ambient(a2, a3);
	}
}

/* struct prctl_mm_map of PR_SET_MM_MAP; the bounds are in Linux's order. */
struct mm_map {
	struct mmk_mm_bounds b;
	u64 auxv;
	u32 auxv_size;
	s32 exe_fd;
};
_Static_assert(sizeof(struct mm_map) == 104, "Linux's");

static long read_auxv(u64 *auxv, u64 addr, u64 n)
{
	if (n > AUXV_MAX * sizeof(u64))
		return -EINVAL;
	memset(auxv, 0, AUXV_MAX * sizeof(u64));
	if (copy_from_user(auxv, addr, n))
		return -EFAULT;
	/* It ends, whatever was given. */
	auxv[AUXV_MAX - 2] = auxv[AUXV_MAX - 1] = 0;
	return 0;
}

/* What is not given stays as it was. */
static long set_auxv(u64 addr, u64 n)
{
	u64 auxv[AUXV_MAX];
	long err = read_auxv(auxv, addr, n);

	if (!err)
		memcpy(current->proc->auxv, auxv, n);
	return err;
}

/* Linux lets the program be another file only once nothing of the old one is mapped any more. */
static long set_exe_file(s32 fd)
{
	struct file *f;

	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	f = fget(fd);
	if (!f)
		return -EBADF;
	fput(f);
	return -EBUSY;
}

static long set_mm_map(u64 which, u64 addr, u64 size)
{
	u64 auxv[AUXV_MAX];
	struct mm_map map;
	long err;

	if (which == PR_SET_MM_MAP_SIZE)
		return put_user((u32)sizeof(map), u32, addr);
	if (size != sizeof(map))
		return -EINVAL;
	if (copy_from_user(&map, addr, sizeof(map)))
		return -EFAULT;
	err = mmk_mm_check_bounds(&current->mmk, &map.b);
	if (!err && map.auxv_size)
		err = map.auxv ? read_auxv(auxv, map.auxv, map.auxv_size) : -EINVAL;
	if (!err && map.exe_fd != -1)
		err = set_exe_file(map.exe_fd);
	if (err)
		return err;
	if (map.auxv_size)
		memcpy(current->proc->auxv, auxv, sizeof(auxv));
	mmk_mm_set_bounds(current->mmk.mm, &map.b);
	return 0;
}

static long prctl_set_mm(u64 which, u64 a3, u64 a4, u64 a5)
{
	const unsigned long arg[4] = {which, a3, a4, a5};

	if (a5 || (a4 && which != PR_SET_MM_AUXV && which != PR_SET_MM_MAP &&
	           which != PR_SET_MM_MAP_SIZE))
		return -EINVAL;
	if (which == PR_SET_MM_MAP || which == PR_SET_MM_MAP_SIZE)
		return set_mm_map(which, a3, a4);
	if (which == PR_SET_MM_EXE_FILE)
		return set_exe_file((s32)a3);
	if (which != PR_SET_MM_AUXV)
		return mmk_sys_prctl(&current->mmk, MMK_PR_SET_MM, arg);
	return capable(CAP_SYS_RESOURCE) ? set_auxv(a3, a4) : -EPERM;
}

static long prctl_process(s32 option, u64 a2, u64 a3, u64 a4, u64 a5)
{
	struct task *t = current;
	struct process *p = t->proc;

	switch (option) {
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		p->dumpable = a2;
		return 0;
	case PR_SET_CHILD_SUBREAPER:
		p->is_child_subreaper = !!a2;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user(p->is_child_subreaper, u32, a2);
	case PR_SET_NO_NEW_PRIVS:
		if (a2 != 1 || a3 || a4 || a5)
			return -EINVAL;
		t->cred.no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return a2 || a3 || a4 || a5 ? -EINVAL : t->cred.no_new_privs;
	case MMK_PR_SET_MM:
		return prctl_set_mm(a2, a3, a4, a5);
	default:
		return mmk_sys_prctl(&t->mmk, option, (unsigned long[]){a2, a3, a4, a5});
	}
}

/* What more there is to ask for needs memory with tags. */
static long tagged_addr_ctrl(s32 option, u64 a2, u64 a3, u64 a4, u64 a5)
{
	if (a3 || a4 || a5)
		return -EINVAL;
	if (option == PR_GET_TAGGED_ADDR_CTRL)
		return a2 ? -EINVAL : current->tagged_addr;
	if (a2 & ~(u64)PR_TAGGED_ADDR_ENABLE)
		return -EINVAL;
	current->tagged_addr = a2;
	return 0;
}

long sys_prctl(u64 option, u64 a2, u64 a3, u64 a4, u64 a5)
{
	struct task *t = current;

	switch ((s32)option) {
	case PR_SET_PDEATHSIG:
		if (a2 > NSIG)
			return -EINVAL;
		t->pdeath_sig = a2;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_user(t->pdeath_sig, s32, a2);
	case PR_SET_NAME:
		return set_name(a2);
	case PR_GET_NAME:
		return copy_to_user(a2, t->comm, sizeof(t->comm));
	case PR_GET_TIMING:
		return 0;
	case PR_SET_TIMING:
		return a2 ? -EINVAL : 0;
	case PR_SET_TIMERSLACK: /* timers here are as exact as the clock */
		t->timer_slack = a2 ? a2 : 50000;
		return 0;
	case PR_GET_TIMERSLACK:
		return t->timer_slack ? t->timer_slack : 50000;
	case PR_GET_TID_ADDRESS:
		return put_user(t->clear_child_tid, u64, a2);
	case PR_SET_TAGGED_ADDR_CTRL:
	case PR_GET_TAGGED_ADDR_CTRL:
		return tagged_addr_ctrl((s32)option, a2, a3, a4, a5);
	case PR_GET_KEEPCAPS:
	case PR_SET_KEEPCAPS:
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_GET_SECUREBITS:
	case PR_SET_SECUREBITS:
	case PR_CAP_AMBIENT:
		return prctl_caps((s32)option, a2, a3);
	default:
		return prctl_process((s32)option, a2, a3, a4, a5);
	}
}

#define PER_QUERY 0xffffffffu

long sys_personality(u64 persona)
{
	u32 old = current->mmk.personality;

	if ((u32)persona != PER_QUERY)
		current->mmk.personality = (u32)persona;
	return old;
}
