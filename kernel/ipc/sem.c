/* SPDX-License-Identifier: MIT */
/*
 * System V semaphores. A semop's operations are done all at once or not at all: tried one after the
 * other, and taken back when one has to wait. Who waits tries again whenever the set has changed.
 *
 * SEM_UNDO: what a process would have to add to each semaphore so that its operations had never
 * been. That belongs to the process as a whole, and is done when its last thread ends.
 */
#include "kernel/fs/pseudo.h"
#include "kernel/ipc/ipc.h"
#include "kernel/ipc/object.h"
#include "kernel/lib/errno.h"
#include "kernel/mm.h"
#include "kernel/sched/task.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"

enum {
	GETPID = 11,
	GETVAL = 12,
	GETALL = 13,
	GETNCNT = 14,
	GETZCNT = 15,
	SETVAL = 16,
	SETALL = 17,
	SEM_STAT = 18,
	SEM_INFO = 19
};

#define SEM_UNDO 0x1000

#define SEMMNI 32000u /* sets */
#define SEMMSL 32000u /* semaphores of a set */
#define SEMMNS (SEMMNI * SEMMSL)
#define SEMOPM 500u  /* operations of a call */
#define SEMVMX 32767 /* a value */

/* As arm64 programs see them. */
struct abi_sembuf {
	u16 num;
	s16 op, flags;
};
struct abi_semid_ds {
	struct abi_ipc_perm perm;
	s64 otime, ctime;
	u64 nsems, unused[2];
};
struct abi_seminfo {
	s32 semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
};
_Static_assert(sizeof(struct abi_sembuf) == 6 && sizeof(struct abi_semid_ds) == 88, "ABI");

/* All under the table's lock. */
struct undo {
	struct list_head node;
	s32 tgid;  /* [I] */
	s16 add[]; /* to each semaphore */
};

struct sleeper {
	struct list_head node;
	u32 num;   /* the semaphore that it waits for */
	bool zero; /* to be zero; else to grow */
};

struct sem_set {
	struct ipc_object ipc;
	struct ipc_waiting waiting;
	s64 otime;
	struct list_head undos, sleepers;
	struct {
		s32 value, pid;
	} sems[];
};

/* One call: the set it works on, what it does. */
struct call {
	struct sem_set *set;
	struct abi_sembuf *ops;
	u32 n;
	u32 max; /* the highest number of a semaphore */
	bool alters, undoes;
	struct undo *undo; /* NULL: the process has none there */
};

static struct ipc_table sem_table = IPC_TABLE_INIT(sem_table);
static u32 total_sems; /* sem_table.lock */

/* ------------------------------------------------------------------ sets */

static struct sem_set *find_set(s32 id)
{
	return (struct sem_set *)ipc_find(&sem_table, id);
}

static void free_undos(struct list_head *undos)
{
	struct undo *u, *next;

	list_for_each_entry_safe (u, next, undos, node)
		kfree(u);
}

/* The caller's reference goes; the lock is held, and given back. */
static void put_unlock(struct sem_set *set)
{
	bool last = ipc_waiting_put(&set->waiting);

	spin_unlock(&sem_table.lock);
	if (!last)
		return;
	free_undos(&set->undos);
	kfree(set);
}

static long make_set(s32 key, u64 nsems, u32 flags)
{
	struct sem_set *set;
	long id;

	if (!nsems)
		return -EINVAL;
	set = kzalloc(sizeof(*set) + nsems * sizeof(set->sems[0]));
	if (!set)
		return -ENOMEM;
	ipc_object_init(&set->ipc, key, nsems, flags);
	ipc_waiting_init(&set->waiting);
	list_init(&set->undos);
	list_init(&set->sleepers);
	spin_lock(&sem_table.lock);
	id = nsems > SEMMNS - total_sems ? -ENOSPC : ipc_add(&sem_table, &set->ipc, SEMMNI);
	if (!id) {
		total_sems += (u32)nsems;
		id = set->ipc.id;
		set = NULL;
	}
	spin_unlock(&sem_table.lock);
	kfree(set);
	return id;
}

/* ------------------------------------------------------------------ semop */

/* One operation. 0, -EAGAIN: it has to wait, -ERANGE. */
static int do_op(struct call *c, const struct abi_sembuf *op)
{
	s32 *value = &c->set->sems[op->num].value, after = *value + op->op, add;

	if ((!op->op && *value) || after < 0)
		return -EAGAIN;
	if (after > SEMVMX)
		return -ERANGE;
	if (op->flags & SEM_UNDO) {
		add = c->undo->add[op->num] - op->op;
		if (add < -SEMVMX - 1 || add > SEMVMX)
			return -ERANGE;
		c->undo->add[op->num] = (s16)add;
	}
	*value = after;
	return 0;
}

static void take_back(struct call *c, const struct abi_sembuf *op)
{
	c->set->sems[op->num].value -= op->op;
	if (op->flags & SEM_UNDO)
		c->undo->add[op->num] = (s16)(c->undo->add[op->num] + op->op);
}

/* All, or none: then *stuck is the one that stands in the way. */
static int try_ops(struct call *c, const struct abi_sembuf **stuck)
{
	u32 i, n;
	int err;

	for (n = 0; n < c->n; n++) {
		err = do_op(c, &c->ops[n]);
		if (!err)
			continue;
		*stuck = &c->ops[n];
		while (n--)
			take_back(c, &c->ops[n]);
		return err;
	}
	for (i = 0; i < n; i++)
		c->set->sems[c->ops[i].num].pid = current->proc->tgid;
	c->set->otime = ipc_now();
	if (c->alters)
		ipc_changed(&c->set->waiting);
	return 0;
}

/* With a reference of the caller's. */
static long do_ops(struct call *c, u64 deadline)
{
	const struct abi_sembuf *stuck;
	struct sleeper me;
	long err;

	while ((err = try_ops(c, &stuck)) == -EAGAIN && !(stuck->flags & IPC_NOWAIT)) {
		me.num = stuck->num;
		me.zero = !stuck->op;
		list_add_tail(&me.node, &c->set->sleepers);
		err = ipc_sleep(&sem_table, &c->set->waiting, deadline);
		list_del(&me.node);
		if (err)
			break;
	}
	if (err == -ERESTARTSYS)
		return -EINTR;
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static struct undo *find_undo(const struct sem_set *set)
{
	struct undo *u;

	list_for_each_entry (u, &set->undos, node)
		if (u->tgid == current->proc->tgid)
			return u;
	return NULL;
}

/* The lock is held, but not throughout; the caller has a reference. */
static int need_undo(struct call *c)
{
	struct undo *fresh;

	c->undo = find_undo(c->set);
	if (c->undo)
		return 0;
	spin_unlock(&sem_table.lock);
	fresh = kzalloc(sizeof(*fresh) + c->set->ipc.size * sizeof(fresh->add[0]));
	spin_lock(&sem_table.lock);
	c->undo = find_undo(c->set); /* another thread may have been quicker */
	if (!fresh || c->undo || c->set->waiting.removed) {
		kfree(fresh);
		return c->set->waiting.removed ? -EIDRM : c->undo ? 0 : -ENOMEM;
	}
	fresh->tgid = current->proc->tgid;
	list_add_tail(&fresh->node, &c->set->undos);
	c->undo = fresh;
	return 0;
}

static void survey(struct call *c)
{
	u32 i;

	for (i = 0; i < c->n; i++) {
		c->max = max_t(u32, c->max, c->ops[i].num);
		c->alters |= c->ops[i].op != 0;
		c->undoes |= (c->ops[i].flags & SEM_UNDO) != 0;
	}
}

static long run_call(struct call *c, s32 id, u64 deadline)
{
	long err;

	survey(c);
	spin_lock(&sem_table.lock);
	c->set = find_set(id);
	err = c->set ? 0 : -EINVAL;
	if (!err && c->max >= c->set->ipc.size)
		err = -EFBIG;
	if (!err)
		err = ipc_permission(&c->set->ipc, c->alters ? IPC_W : IPC_R);
	if (err) {
		spin_unlock(&sem_table.lock);
		return err;
	}
	c->set->waiting.refs++;
	if (c->undoes)
		err = need_undo(c);
	if (!err)
		err = do_ops(c, deadline);
	put_unlock(c->set);
	return err;
}

long sys_semtimedop(u64 id, u64 uops, u64 nops, u64 utimeout)
{
	struct call c = {.n = (u32)nops};
	u64 deadline = NO_DEADLINE;
	long err = 0;

	if (!c.n || (s32)id < 0)
		return -EINVAL;
	if (c.n > SEMOPM)
		return -E2BIG;
	if (utimeout) {
		err = get_user_timespec(&deadline, utimeout);
		if (err)
			return err;
		deadline = deadline_after(deadline);
	}
	c.ops = kmalloc(c.n * sizeof(*c.ops));
	if (!c.ops)
		return -ENOMEM;
	err = copy_from_user(c.ops, uops, c.n * sizeof(*c.ops));
	if (!err)
		err = run_call(&c, (s32)id, deadline);
	kfree(c.ops);
	return err;
}

long sys_semop(u64 id, u64 uops, u64 nops)
{
	return sys_semtimedop(id, uops, nops, 0);
}

/* ------------------------------------------------------------------ the end of a process */

/* Its undo of the set is off the list: what it says is done, as far as a value can go. */
static void apply(struct sem_set *set, const struct undo *u)
{
	u32 i;

	for (i = 0; i < set->ipc.size; i++) {
		if (!u->add[i])
			continue;
		set->sems[i].value = min(max(set->sems[i].value + u->add[i], 0), SEMVMX);
		set->sems[i].pid = u->tgid;
	}
	ipc_changed(&set->waiting);
}

void sem_process_exit(s32 tgid)
{
	LIST_HEAD(done);
	struct undo *u, *next;
	struct sem_set *set;

	if (!READ_ONCE(sem_table.count))
		return;
	spin_lock(&sem_table.lock);
	list_for_each_entry (set, &sem_table.objects, ipc.node)
		list_for_each_entry_safe (u, next, &set->undos, node)
			if (u->tgid == tgid) {
				list_del(&u->node);
				apply(set, u);
				list_add_tail(&u->node, &done);
			}
	spin_unlock(&sem_table.lock);
	free_undos(&done);
}

/* ------------------------------------------------------------------ semctl: looking */

static void fill_set(const struct ipc_object *o, void *ds)
{
	struct abi_semid_ds *d = ds;

	d->otime = ((const struct sem_set *)o)->otime;
	d->ctime = o->ctime;
	d->nsems = o->size;
}

static long ctl_info(s32 cmd, u64 ubuf)
{
	struct abi_seminfo i = {.semmap = (s32)SEMMNS,
	                        .semmni = SEMMNI,
	                        .semmns = (s32)SEMMNS,
	                        .semmnu = (s32)SEMMNS,
	                        .semmsl = SEMMSL,
	                        .semopm = SEMOPM,
	                        .semume = SEMOPM,
	                        .semusz = 20,
	                        .semvmx = SEMVMX,
	                        .semaem = SEMVMX};
	s32 last;

	spin_lock(&sem_table.lock);
	if (cmd == SEM_INFO) {
		i.semusz = (s32)sem_table.count;
		i.semaem = (s32)total_sems;
	}
	last = ipc_last_index(&sem_table);
	spin_unlock(&sem_table.lock);
	return copy_to_user(ubuf, &i, sizeof(i)) ? -EFAULT : last;
}

static s32 count_sleepers(const struct sem_set *set, u32 num, bool zero)
{
	const struct sleeper *s;
	s32 n = 0;

	list_for_each_entry (s, &set->sleepers, node)
		n += s->num == num && s->zero == zero;
	return n;
}

static s32 look(const struct sem_set *set, u32 num, s32 cmd)
{
	switch (cmd) {
	case GETVAL:
		return set->sems[num].value;
	case GETPID:
		return set->sems[num].pid;
	default:
		return count_sleepers(set, num, cmd == GETZCNT);
	}
}

/* ------------------------------------------------------------------ semctl: changing */

static void set_value(struct sem_set *set, u32 num, s32 value)
{
	struct undo *u;

	list_for_each_entry (u, &set->undos, node)
		u->add[num] = 0;
	set->sems[num].value = value;
	set->sems[num].pid = current->proc->tgid;
	set->ipc.ctime = ipc_now();
}

static long ctl_one(s32 id, u32 num, s32 cmd, s32 value)
{
	struct sem_set *set;
	long r = -EINVAL;

	if (cmd == SETVAL && (value < 0 || value > SEMVMX))
		return -ERANGE;
	spin_lock(&sem_table.lock);
	set = find_set(id);
	if (set && (cmd != SETVAL || num < set->ipc.size))
		r = ipc_permission(&set->ipc, cmd == SETVAL ? IPC_W : IPC_R);
	if (!r && num >= set->ipc.size)
		r = -EINVAL;
	if (!r && cmd == SETVAL) {
		set_value(set, num, value);
		ipc_changed(&set->waiting);
	} else if (!r) {
		r = look(set, num, cmd);
	}
	spin_unlock(&sem_table.lock);
	return r;
}

static long exchange_all(struct sem_set *set, bool change, u16 *values, u64 uvalues)
{
	u32 i, n = (u32)set->ipc.size;

	if (change && copy_from_user(values, uvalues, n * sizeof(*values)))
		return -EFAULT;
	for (i = 0; change && i < n; i++)
		if (values[i] > SEMVMX)
			return -ERANGE;
	spin_lock(&sem_table.lock);
	for (i = 0; i < n; i++)
		if (change)
			set_value(set, i, values[i]);
		else
			values[i] = (u16)set->sems[i].value;
	if (change)
		ipc_changed(&set->waiting);
	spin_unlock(&sem_table.lock);
	if (set->waiting.removed)
		return -EIDRM;
	return change ? 0 : copy_to_user(uvalues, values, n * sizeof(*values));
}

static long ctl_all(s32 id, bool change, u64 uvalues)
{
	struct ipc_object *o;
	struct sem_set *set;
	u16 *values;
	long err = ipc_find_lock(&sem_table, id, change ? IPC_W : IPC_R, &o);

	if (err)
		return err;
	set = (struct sem_set *)o;
	set->waiting.refs++;
	spin_unlock(&sem_table.lock);
	values = kmalloc(set->ipc.size * sizeof(*values));
	err = values ? exchange_all(set, change, values, uvalues) : -ENOMEM;
	kfree(values);
	spin_lock(&sem_table.lock);
	put_unlock(set);
	return err;
}

static void remove_set_unlock(struct ipc_object *o)
{
	struct sem_set *set = (struct sem_set *)o;

	ipc_remove(&sem_table, o);
	total_sems -= (u32)o->size;
	set->waiting.removed = true;
	ipc_changed(&set->waiting);
	put_unlock(set);
}

static const struct ipc_kind sets = {
    .table = &sem_table,
    .ds_size = sizeof(struct abi_semid_ds),
    .cmd_stat = SEM_STAT,
    .make = make_set,
    .fill = fill_set,
    .remove_unlock = remove_set_unlock,
};
_Static_assert(sizeof(struct abi_semid_ds) <= IPC_DS_MAX, "struct semid_ds");

/* ------------------------------------------------------------------ the calls */

long sys_semget(u64 key, u64 nsems, u64 flags)
{
	if ((u32)nsems > SEMMSL)
		return -EINVAL;
	return ipc_get(&sets, (s32)key, (u32)nsems, (u32)flags);
}

long sys_semctl(u64 uid, u64 num, u64 ucmd, u64 arg)
{
	s32 id = (s32)uid, cmd = (s32)ucmd;

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		return ctl_info(cmd, arg);
	case GETALL:
	case SETALL:
		return ctl_all(id, cmd == SETALL, arg);
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
	case SETVAL:
		return ctl_one(id, (u32)num, cmd, (s32)arg);
	default:
		return ipc_ctl(&sets, id, cmd, arg);
	}
}

/* ------------------------------------------------------------------ /proc/sysvipc/sem */

int sem_proc_show(const struct pseudo_ctx *c, struct seq *s)
{
	const struct sem_set *set;

	seq_puts(s, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime"
	            "      ctime\n");
	spin_lock(&sem_table.lock);
	list_for_each_entry (set, &sem_table.objects, ipc.node)
		seq_printf(s, "%10d %10d  %4o %10llu %5u %5u %5u %5u %10llu %10llu\n", set->ipc.key,
		           set->ipc.id, set->ipc.mode, (unsigned long long)set->ipc.size,
		           set->ipc.uid, set->ipc.gid, set->ipc.cuid, set->ipc.cgid,
		           (unsigned long long)set->otime, (unsigned long long)set->ipc.ctime);
	spin_unlock(&sem_table.lock);
	return 0;
}
