/* SPDX-License-Identifier: MIT */
/*
 * User and group IDs, supplementary groups and capabilities of a thread. As in Linux they belong to
 * the thread; the C library makes all threads of a process change together.
 */
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/uaccess.h"

#define NO_ID                  0xffffffffu
#define GROUPS_MAX             65536
#define SECBIT_NO_SETUID_FIXUP 4u

bool capable(int cap)
{
	return current->cred.cap_effective >> cap & 1;
}

bool in_group(u32 gid)
{
	const struct cred *c = &current->cred;
	u32 i;

	if (gid == c->fsgid)
		return true;
	for (i = 0; c->groups && i < c->groups->n; i++)
		if (c->groups->gid[i] == gid)
			return true;
	return false;
}

void group_list_put(struct group_list *g)
{
	if (g && __atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(g);
}

/* ------------------------------------------------------------------ users */

/* capabilities(7): what becomes of them when the user IDs change. */
static void fix_caps(struct cred *c, const struct cred *old)
{
	bool had_root = !old->uid || !old->euid || !old->suid;
	bool has_root = !c->uid || !c->euid || !c->suid;

	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (had_root && !has_root) {
		if (!c->keepcaps) {
			c->cap_permitted = 0;
			c->cap_effective = 0;
		}
		c->cap_ambient = 0;
	}
	if (!old->euid && c->euid)
		c->cap_effective = 0;
	if (old->euid && !c->euid)
		c->cap_effective = c->cap_permitted;
}

static void set_users(u32 uid, u32 euid, u32 suid)
{
	struct cred *c = &current->cred, old = *c;

	c->uid = uid;
	c->euid = euid;
	c->suid = suid;
	c->fsuid = euid;
	fix_caps(c, &old);
}

static void set_gids(u32 gid, u32 egid, u32 sgid)
{
	struct cred *c = &current->cred;

	c->gid = gid;
	c->egid = egid;
	c->sgid = sgid;
	c->fsgid = egid;
}

long sys_getuid(void)
{
	return current->cred.uid;
}

long sys_geteuid(void)
{
	return current->cred.euid;
}

long sys_getgid(void)
{
	return current->cred.gid;
}

long sys_getegid(void)
{
	return current->cred.egid;
}

long sys_setuid(u64 id)
{
	const struct cred *c = &current->cred;
	u32 uid = (u32)id;

	if (uid == NO_ID)
		return -EINVAL;
	if (capable(CAP_SETUID))
		set_users(uid, uid, uid);
	else if (uid == c->uid || uid == c->suid)
		set_users(c->uid, uid, c->suid);
	else
		return -EPERM;
	return 0;
}

long sys_setgid(u64 id)
{
	const struct cred *c = &current->cred;
	u32 gid = (u32)id;

	if (gid == NO_ID)
		return -EINVAL;
	if (capable(CAP_SETGID))
		set_gids(gid, gid, gid);
	else if (gid == c->gid || gid == c->sgid)
		set_gids(c->gid, gid, c->sgid);
	else
		return -EPERM;
	return 0;
}

long sys_setreuid(u64 ur, u64 ue)
{
	const struct cred *c = &current->cred;
	u32 r = (u32)ur == NO_ID ? c->uid : (u32)ur, e = (u32)ue == NO_ID ? c->euid : (u32)ue;
	bool priv = capable(CAP_SETUID);

	if (!priv && r != c->uid && r != c->euid)
		return -EPERM;
	if (!priv && e != c->uid && e != c->euid && e != c->suid)
		return -EPERM;
	set_users(r, e, (u32)ur != NO_ID || ((u32)ue != NO_ID && e != c->uid) ? e : c->suid);
	return 0;
}

long sys_setregid(u64 ur, u64 ue)
{
	const struct cred *c = &current->cred;
	u32 r = (u32)ur == NO_ID ? c->gid : (u32)ur, e = (u32)ue == NO_ID ? c->egid : (u32)ue;
	bool priv = capable(CAP_SETGID);

	if (!priv && r != c->gid && r != c->egid)
		return -EPERM;
	if (!priv && e != c->gid && e != c->egid && e != c->sgid)
		return -EPERM;
	set_gids(r, e, (u32)ur != NO_ID || ((u32)ue != NO_ID && e != c->gid) ? e : c->sgid);
	return 0;
}

static bool one_of(u32 id, u32 a, u32 b, u32 c)
{
	return id == NO_ID || id == a || id == b || id == c;
}

static u32 keep_or(u32 id, u32 old)
{
	return id == NO_ID ? old : id;
}

long sys_setresuid(u64 r, u64 e, u64 s)
{
	const struct cred *c = &current->cred;

	if (!capable(CAP_SETUID) &&
	    !(one_of(r, c->uid, c->euid, c->suid) && one_of(e, c->uid, c->euid, c->suid) &&
	      one_of(s, c->uid, c->euid, c->suid)))
		return -EPERM;
	set_users(keep_or(r, c->uid), keep_or(e, c->euid), keep_or(s, c->suid));
	return 0;
}

long sys_setresgid(u64 r, u64 e, u64 s)
{
	const struct cred *c = &current->cred;

	if (!capable(CAP_SETGID) &&
	    !(one_of(r, c->gid, c->egid, c->sgid) && one_of(e, c->gid, c->egid, c->sgid) &&
	      one_of(s, c->gid, c->egid, c->sgid)))
		return -EPERM;
	set_gids(keep_or(r, c->gid), keep_or(e, c->egid), keep_or(s, c->sgid));
	return 0;
}

static long put_three(u64 ua, u32 a, u64 ub, u32 b, u64 uc, u32 c)
{
	return put_user(a, u32, ua) || put_user(b, u32, ub) || put_user(c, u32, uc) ? -EFAULT : 0;
}

long sys_getresuid(u64 r, u64 e, u64 s)
{
	const struct cred *c = &current->cred;

	return put_three(r, c->uid, e, c->euid, s, c->suid);
}

long sys_getresgid(u64 r, u64 e, u64 s)
{
	const struct cred *c = &current->cred;

	return put_three(r, c->gid, e, c->egid, s, c->sgid);
}

/* These answer the old ID whether they changed it or not. */
long sys_setfsuid(u64 id)
{
	struct cred *c = &current->cred;
	u32 old = c->fsuid, uid = (u32)id;

	if (uid != NO_ID && (uid == c->uid || uid == c->euid || uid == c->suid || uid == old ||
	                     capable(CAP_SETUID)))
		c->fsuid = uid;
	return old;
}

long sys_setfsgid(u64 id)
{
	struct cred *c = &current->cred;
	u32 old = c->fsgid, gid = (u32)id;

	if (gid != NO_ID && (gid == c->gid || gid == c->egid || gid == c->sgid || gid == old ||
	                     capable(CAP_SETGID)))
		c->fsgid = gid;
	return old;
}

/* ------------------------------------------------------------------ groups */

long sys_getgroups(u64 n, u64 list)
{
	const struct group_list *g = current->cred.groups;
	u32 have = g ? g->n : 0;

	if ((s32)n < 0)
		return -EINVAL;
	if (!(s32)n)
		return have;
	if ((u32)n < have)
		return -EINVAL;
	if (have && copy_to_user(list, g->gid, have * sizeof(u32)))
		return -EFAULT;
	return have;
}

long sys_setgroups(u64 n, u64 list)
{
	struct cred *c = &current->cred;
	struct group_list *g = NULL;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if ((u32)n > GROUPS_MAX)
		return -EINVAL;
	if ((u32)n) {
		/* The allocator's largest piece holds half of Linux's limit; nobody comes near it.
		 */
		g = kmalloc(sizeof(*g) + (u32)n * sizeof(u32));
		if (!g)
			return -ENOMEM;
		if (copy_from_user(g->gid, list, (u32)n * sizeof(u32))) {
			kfree(g);
			return -EFAULT;
		}
		g->refs = 1;
		g->n = (u32)n;
	}
	group_list_put(c->groups);
	c->groups = g;
	return 0;
}

/* ------------------------------------------------------------------ capabilities */

#define CAP_VERSION_1 0x19980330u
#define CAP_VERSION_2 0x20071026u
#define CAP_VERSION_3 0x20080522u

struct cap_header {
	u32 version;
	s32 pid;
};

struct cap_words {
	u32 effective, permitted, inheritable;
};

/* Number of 32-bit words of each set, 0 for an unknown version, which is told the one to use. */
static int cap_version(u64 uheader, struct cap_header *h, unsigned *words)
{
	if (copy_from_user(h, uheader, sizeof(*h)))
		return -EFAULT;
	switch (h->version) {
	case CAP_VERSION_1:
		*words = 1;
		return 0;
	case CAP_VERSION_2:
	case CAP_VERSION_3:
		*words = 2;
		return 0;
	default:
		*words = 0;
		return put_user(CAP_VERSION_3, u32, uheader) ? -EFAULT : -EINVAL;
	}
}

long sys_capget(u64 uheader, u64 udata)
{
	struct cap_words out[2];
	struct cap_header h;
	struct task *t = current;
	unsigned words, i;
	int err = cap_version(uheader, &h, &words);

	if (err)
		return err == -EINVAL && !udata ? 0 : err;
	if (h.pid < 0)
		return -EINVAL;
	if (h.pid && !(t = find_task(h.pid)))
		return -ESRCH;
	for (i = 0; i < 2; i++) {
		out[i].effective = t->cred.cap_effective >> 32 * i;
		out[i].permitted = t->cred.cap_permitted >> 32 * i;
		out[i].inheritable = t->cred.cap_inheritable >> 32 * i;
	}
	if (h.pid)
		task_put(t);
	return udata ? copy_to_user(udata, out, words * sizeof(out[0])) : 0;
}

long sys_capset(u64 uheader, u64 udata)
{
	struct cap_words in[2] = {0};
	struct cred *c = &current->cred;
	u64 eff, perm, inh;
	struct cap_header h;
	unsigned words;
	int err = cap_version(uheader, &h, &words);

	if (err)
		return err;
	if (h.pid && h.pid != current->pid)
		return -EPERM;
	if (copy_from_user(in, udata, words * sizeof(in[0])))
		return -EFAULT;
	eff = (in[0].effective | (u64)in[1].effective << 32) & CAP_FULL_SET;
	perm = (in[0].permitted | (u64)in[1].permitted << 32) & CAP_FULL_SET;
	inh = (in[0].inheritable | (u64)in[1].inheritable << 32) & CAP_FULL_SET;
	if (!capable(CAP_SETPCAP) && (inh & ~(c->cap_inheritable | c->cap_permitted)))
		return -EPERM;
	if (inh & ~(c->cap_inheritable | c->cap_bset))
		return -EPERM;
	if ((perm & ~c->cap_permitted) || (eff & ~perm))
		return -EPERM;
	c->cap_effective = eff;
	c->cap_permitted = perm;
	c->cap_inheritable = inh;
	c->cap_ambient &= perm & inh;
	return 0;
}
