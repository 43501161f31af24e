/* SPDX-License-Identifier: MIT */
/*
 * System V message queues. Who has to wait, for room or for a message of its type, tries again
 * whenever the queue has changed. A message is made and copied outside of the lock.
 */
#include "kernel/fs/pseudo.h"
#include "kernel/ipc/ipc.h"
#include "kernel/ipc/object.h"
#include "kernel/lib/errno.h"
#include "kernel/mm.h"
#include "kernel/sched/task.h"
#include "kernel/sys/uaccess.h"

enum { MSG_STAT = 11, MSG_INFO = 12 };

#define MSG_NOERROR 010000u
#define MSG_EXCEPT  020000u
#define MSG_COPY    040000u

u32 msg_max = 8192, msg_mnb = 16384, msg_mni = 32000;

/* As arm64 programs see them. */
struct abi_msqid_ds {
	struct abi_ipc_perm perm;
	s64 stime, rtime, ctime;
	u64 cbytes, qnum, qbytes;
	s32 lspid, lrpid;
	u64 unused[2];
};
struct abi_msginfo {
	s32 msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
	u16 msgseg;
};
_Static_assert(sizeof(struct abi_msqid_ds) == 120 && sizeof(struct abi_msginfo) == 32, "ABI");

struct message {
	struct list_head node;
	s64 type;
	u64 size;
	char text[];
};

/* All under the table's lock. */
struct queue {
	struct ipc_object ipc;
	struct ipc_waiting waiting;
	struct list_head messages;
	u64 cbytes, qnum, qbytes;
	s64 stime, rtime;
	s32 lspid, lrpid;
};

static struct ipc_table msg_table = IPC_TABLE_INIT(msg_table);

/* ------------------------------------------------------------------ queues */

/* The caller's reference goes; the lock is held, and given back. */
static void put_unlock(struct queue *q)
{
	bool last = ipc_waiting_put(&q->waiting);
	struct message *m, *next;

	spin_unlock(&msg_table.lock);
	if (!last)
		return;
	list_for_each_entry_safe (m, next, &q->messages, node)
		kfree(m);
	kfree(q);
}

static long make_queue(s32 key, u64 size, u32 flags)
{
	struct queue *q = kzalloc(sizeof(*q));
	long id;

	if (!q)
		return -ENOMEM;
	ipc_object_init(&q->ipc, key, 0, flags);
	ipc_waiting_init(&q->waiting);
	list_init(&q->messages);
	q->qbytes = msg_mnb;
	spin_lock(&msg_table.lock);
	id = ipc_add(&msg_table, &q->ipc, msg_mni);
	if (!id) {
		id = q->ipc.id;
		q = NULL;
	}
	spin_unlock(&msg_table.lock);
	kfree(q);
	return id;
}

/* Found and allowed, with a reference and the lock held; or -errno and not held. */
static int find_lock(s32 id, u32 wanted, struct queue **q)
{
	int err = ipc_find_lock(&msg_table, id, wanted, (struct ipc_object **)q);

	if (!err)
		(*q)->waiting.refs++;
	return err;
}

/* ------------------------------------------------------------------ msgsnd */

static bool has_room(const struct queue *q, u64 size)
{
	return q->cbytes + size <= q->qbytes && q->qnum + 1 <= q->qbytes;
}

static void put_message(struct queue *q, struct message *m)
{
	list_add_tail(&m->node, &q->messages);
	q->cbytes += m->size;
	q->qnum++;
	q->stime = ipc_now();
	q->lspid = current->proc->tgid;
	ipc_changed(&q->waiting);
}

/* On success the queue has the message. */
static long send(s32 id, struct message *m, u32 flags)
{
	struct queue *q;
	long err = find_lock(id, IPC_W, &q);

	if (err)
		return err;
	while (!err && !has_room(q, m->size))
		err =
		    flags & IPC_NOWAIT ? -EAGAIN : ipc_sleep(&msg_table, &q->waiting, NO_DEADLINE);
	if (!err)
		put_message(q, m);
	put_unlock(q);
	return err == -ERESTARTSYS ? -ERESTARTNOHAND : err;
}

long sys_msgsnd(u64 id, u64 umsg, u64 size, u64 flags)
{
	struct message *m;
	long err;
	s64 type;

	if (get_user(type, umsg))
		return -EFAULT;
	if (size > msg_max || (s32)id < 0 || type < 1)
		return -EINVAL;
	m = kmalloc(sizeof(*m) + size);
	if (!m)
		return -ENOMEM;
	m->type = type;
	m->size = size;
	err = copy_from_user(m->text, umsg + sizeof(type), size);
	if (!err)
		err = send((s32)id, m, (u32)flags);
	if (err)
		kfree(m);
	return err;
}

/* ------------------------------------------------------------------ msgrcv */

static bool matches(const struct message *m, s64 type, bool except)
{
	if (type < 0)
		return m->type <= -(type + (type == (s64)(1ull << 63)));
	return !type || (m->type == type) != except;
}

/* The first of those that match; with a negative type the first of the lowest. */
static struct message *find_message(const struct queue *q, s64 type, bool except)
{
	struct message *m, *best = NULL;

	list_for_each_entry (m, &q->messages, node) {
		if (!matches(m, type, except))
			continue;
		if (type >= 0)
			return m;
		if (!best || m->type < best->type)
			best = m;
	}
	return best;
}

static void take_message(struct queue *q, struct message *m)
{
	list_del(&m->node);
	q->cbytes -= m->size;
	q->qnum--;
	q->rtime = ipc_now();
	q->lrpid = current->proc->tgid;
	ipc_changed(&q->waiting);
}

static long receive(s32 id, u64 size, s64 type, u32 flags, struct message **m)
{
	struct queue *q;
	long err = find_lock(id, IPC_R, &q);

	if (err)
		return err;
	while (!err && !(*m = find_message(q, type, flags & MSG_EXCEPT)))
		err =
		    flags & IPC_NOWAIT ? -ENOMSG : ipc_sleep(&msg_table, &q->waiting, NO_DEADLINE);
	if (!err && (*m)->size > size && !(flags & MSG_NOERROR))
		err = -E2BIG;
	if (!err)
		take_message(q, *m);
	put_unlock(q);
	return err == -ERESTARTSYS ? -ERESTARTNOHAND : err;
}

long sys_msgrcv(u64 id, u64 umsg, u64 size, u64 type, u64 uflags)
{
	u32 flags = (u32)uflags;
	struct message *m;
	long r;

	if ((s32)id < 0 || (s64)size < 0)
		return -EINVAL;
	if (flags & MSG_COPY) /* as where checkpoints are not built in */
		return (flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT) ? -EINVAL : -ENOSYS;
	r = receive((s32)id, size, (s64)type, flags, &m);
	if (r)
		return r;
	size = min(size, m->size);
	r = (long)size;
	if (put_user(m->type, s64, umsg) || copy_to_user(umsg + sizeof(s64), m->text, size))
		r = -EFAULT;
	kfree(m);
	return r;
}

/* ------------------------------------------------------------------ msgget, msgctl */

static void fill_queue(const struct ipc_object *o, void *ds)
{
	const struct queue *q = (const struct queue *)o;
	struct abi_msqid_ds *d = ds;

	d->stime = q->stime;
	d->rtime = q->rtime;
	d->ctime = o->ctime;
	d->cbytes = q->cbytes;
	d->qnum = q->qnum;
	d->qbytes = q->qbytes;
	d->lspid = q->lspid;
	d->lrpid = q->lrpid;
}

static long ctl_info(s32 cmd, u64 ubuf)
{
	struct abi_msginfo i = {.msgpool = (s32)(msg_mni * (msg_mnb / 1024)),
	                        .msgmap = (s32)msg_mnb,
	                        .msgmax = (s32)msg_max,
	                        .msgmnb = (s32)msg_mnb,
	                        .msgmni = (s32)msg_mni,
	                        .msgssz = 16,
	                        .msgtql = (s32)msg_mnb,
	                        .msgseg = 0xffff};
	const struct queue *q;
	s32 last;

	spin_lock(&msg_table.lock);
	if (cmd == MSG_INFO) {
		i.msgpool = (s32)msg_table.count;
		i.msgmap = i.msgtql = 0;
		list_for_each_entry (q, &msg_table.objects, ipc.node) {
			i.msgmap += (s32)q->qnum;
			i.msgtql += (s32)q->cbytes;
		}
	}
	last = ipc_last_index(&msg_table);
	spin_unlock(&msg_table.lock);
	return copy_to_user(ubuf, &i, sizeof(i)) ? -EFAULT : last;
}

static int set_queue(struct ipc_object *o, const void *ds)
{
	struct queue *q = (struct queue *)o;
	const struct abi_msqid_ds *d = ds;
	int err;

	if (d->qbytes > msg_mnb && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	err = ipc_set_perm(o, &d->perm);
	if (err)
		return err;
	q->qbytes = d->qbytes;
	ipc_changed(&q->waiting);
	return 0;
}

static void remove_queue_unlock(struct ipc_object *o)
{
	struct queue *q = (struct queue *)o;

	ipc_remove(&msg_table, o);
	q->waiting.removed = true;
	ipc_changed(&q->waiting);
	put_unlock(q);
}

static const struct ipc_kind queues = {
    .table = &msg_table,
    .ds_size = sizeof(struct abi_msqid_ds),
    .cmd_stat = MSG_STAT,
    .make = make_queue,
    .fill = fill_queue,
    .set = set_queue,
    .remove_unlock = remove_queue_unlock,
};
_Static_assert(sizeof(struct abi_msqid_ds) <= IPC_DS_MAX, "struct msqid_ds");

long sys_msgget(u64 key, u64 flags)
{
	return ipc_get(&queues, (s32)key, 0, (u32)flags);
}

long sys_msgctl(u64 uid, u64 ucmd, u64 ubuf)
{
	s32 id = (s32)uid, cmd = (s32)ucmd;

	if (id < 0)
		return -EINVAL;
	if (cmd == IPC_INFO || cmd == MSG_INFO)
		return ctl_info(cmd, ubuf);
	return ipc_ctl(&queues, id, cmd, ubuf);
}

/* ------------------------------------------------------------------ /proc/sysvipc/msg */

int msg_proc_show(const struct pseudo_ctx *c, struct seq *s)
{
	typedef unsigned long long ull;
	const struct queue *q;

	seq_puts(s, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid"
	            "  cuid  cgid      stime      rtime      ctime\n");
	spin_lock(&msg_table.lock);
	list_for_each_entry (q, &msg_table.objects, ipc.node)
		seq_printf(s,
		           "%10d %10d  %4o  %10llu %10llu %5u %5u %5u %5u %5u %5u %10llu %10llu"
		           " %10llu\n",
		           q->ipc.key, q->ipc.id, q->ipc.mode, (ull)q->cbytes, (ull)q->qnum,
		           (u32)q->lspid, (u32)q->lrpid, q->ipc.uid, q->ipc.gid, q->ipc.cuid,
		           q->ipc.cgid, (ull)q->stime, (ull)q->rtime, (ull)q->ipc.ctime);
	spin_unlock(&msg_table.lock);
	return 0;
}
