/* SPDX-License-Identifier: MIT */
/* The tables of System V IPC: numbers, keys, and who may. */
#include "kernel/ipc/object.h"

#include "kernel/lib/errno.h"
#include "kernel/sched/task.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"

#define SEQ_MAX (0x7fffffffu / IPC_SLOTS)

s64 ipc_now(void)
{
	return (s64)(realtime_ns() / 1000000000u);
}

void ipc_object_init(struct ipc_object *o, s32 key, u64 size, u32 flags)
{
	const struct cred *c = &current->cred;

	o->key = key;
	o->size = size;
	o->mode = flags & 0777;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->ctime = ipc_now();
}

/* ------------------------------------------------------------------ finding */

static struct ipc_object *find_index(const struct ipc_table *t, u32 index)
{
	struct ipc_object *o;

	list_for_each_entry (o, &t->objects, node)
		if ((u32)o->id % IPC_SLOTS == index)
			return o;
	return NULL;
}

struct ipc_object *ipc_find(const struct ipc_table *t, s32 id)
{
	struct ipc_object *o = id < 0 ? NULL : find_index(t, (u32)id % IPC_SLOTS);

	return o && o->id == id ? o : NULL;
}

static struct ipc_object *find_key(const struct ipc_table *t, s32 key)
{
	struct ipc_object *o;

	list_for_each_entry (o, &t->objects, node)
		if (o->key == key && key != IPC_PRIVATE)
			return o;
	return NULL;
}

int ipc_find_lock(struct ipc_table *t, s32 id, u32 wanted, struct ipc_object **o)
{
	int err;

	spin_lock(&t->lock);
	*o = ipc_find(t, id);
	err = *o ? ipc_permission(*o, wanted) : -EINVAL;
	if (err)
		spin_unlock(&t->lock);
	return err;
}

s32 ipc_last_index(const struct ipc_table *t)
{
	if (list_empty(&t->objects))
		return 0;
	return list_last_entry(&t->objects, struct ipc_object, node)->id % (s32)IPC_SLOTS;
}

/* ------------------------------------------------------------------ coming and going */

/* The next free index after the last one given, and where in the list it belongs. */
static bool find_slot(struct ipc_table *t, u32 *index, struct list_head **before)
{
	u32 tries, at = (t->last_index + 1) % IPC_SLOTS;

	for (tries = 0; tries < IPC_SLOTS && find_index(t, at); tries++)
		at = (at + 1) % IPC_SLOTS;
	if (tries == IPC_SLOTS)
		return false;
	*before = t->objects.next;
	while (*before != &t->objects &&
	       (u32)list_entry(*before, struct ipc_object, node)->id % IPC_SLOTS < at)
		*before = (*before)->next;
	*index = at;
	return true;
}

int ipc_add(struct ipc_table *t, struct ipc_object *o, u32 max)
{
	struct list_head *before;
	u32 index;

	if (find_key(t, o->key))
		return -EEXIST;
	if (t->count >= min(max, IPC_SLOTS) || !find_slot(t, &index, &before))
		return -ENOSPC;
	if (index <= t->last_index)
		t->sequence = t->sequence < SEQ_MAX ? t->sequence + 1 : 0;
	t->last_index = index;
	o->id = (s32)(t->sequence * IPC_SLOTS + index);
	list_add_tail(&o->node, before);
	t->count++;
	return 0;
}

void ipc_remove(struct ipc_table *t, struct ipc_object *o)
{
	list_del(&o->node);
	t->count--;
}

/* ------------------------------------------------------------------ who may */

bool ipc_is_owner(const struct ipc_object *o)
{
	u32 euid = current->cred.euid;

	return euid == o->uid || euid == o->cuid;
}

int ipc_permission(const struct ipc_object *o, u32 wanted)
{
	u32 granted = o->mode;

	wanted |= wanted >> 6 | wanted >> 3;
	if (ipc_is_owner(o))
		granted >>= 6;
	else if (in_group(o->gid) || in_group(o->cgid))
		granted >>= 3;
	if ((wanted & ~granted & 7) && !capable(CAP_IPC_OWNER))
		return -EACCES;
	return 0;
}

/* ------------------------------------------------------------------ sleeping */

void ipc_waiting_init(struct ipc_waiting *w)
{
	wait_queue_init(&w->wq);
	w->refs = 1;
}

void ipc_changed(struct ipc_waiting *w)
{
	WRITE_ONCE(w->changes, w->changes + 1);
	if (w->refs > 1)
		wake_up_all(&w->wq);
}

bool ipc_waiting_put(struct ipc_waiting *w)
{
	return !--w->refs;
}

long ipc_sleep(struct ipc_table *t, struct ipc_waiting *w, u64 deadline)
{
	u32 seen = w->changes;
	long err;

	spin_unlock(&t->lock);
	err = wait_event_interruptible_timeout(&w->wq, READ_ONCE(w->changes) != seen, deadline);
	spin_lock(&t->lock);
	return w->removed ? -EIDRM : err;
}

/* ------------------------------------------------------------------ the get calls */

static long get_existing(const struct ipc_object *o, u64 size, u32 flags)
{
	long err;

	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return -EEXIST;
	err = size > o->size ? -EINVAL : ipc_permission(o, flags);
	return err ? err : o->id;
}

long ipc_get(const struct ipc_kind *k, s32 key, u64 size, u32 flags)
{
	const struct ipc_object *o;
	long id;

	do { /* again, where another made one with that key in between */
		id = -ENOENT;
		spin_lock(&k->table->lock);
		o = find_key(k->table, key);
		if (o)
			id = get_existing(o, size, flags);
		spin_unlock(&k->table->lock);
		if (o || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
			return id;
		id = k->make(key, size, flags);
	} while (id == -EEXIST);
	return id;
}

/* ------------------------------------------------------------------ the control calls */

static void fill_perm(const struct ipc_object *o, struct abi_ipc_perm *p)
{
	*p = (struct abi_ipc_perm){
	    .key = o->key,
	    .uid = o->uid,
	    .gid = o->gid,
	    .cuid = o->cuid,
	    .cgid = o->cgid,
	    .mode = o->mode,
	    .seq = (u16)((u32)o->id / IPC_SLOTS),
	};
}

int ipc_set_perm(struct ipc_object *o, const struct abi_ipc_perm *p)
{
	if (p->uid == ~0u || p->gid == ~0u)
		return -EINVAL;
	o->uid = p->uid;
	o->gid = p->gid;
	o->mode = (o->mode & ~0777u) | (p->mode & 0777);
	o->ctime = ipc_now();
	return 0;
}

/* By id, or, with the other two commands, by index: these tell the id. */
static long stat_object(const struct ipc_kind *k, s32 id, s32 cmd, u64 ubuf)
{
	u64 ds[IPC_DS_MAX / 8] = {0};
	const struct ipc_object *o;
	long r = -EINVAL;

	spin_lock(&k->table->lock);
	o = cmd == IPC_STAT ? ipc_find(k->table, id) : find_index(k->table, (u32)id);
	if (o)
		r = cmd == k->cmd_stat + 2 ? 0 : ipc_permission(o, IPC_R);
	if (!r) {
		r = cmd == IPC_STAT ? 0 : o->id;
		fill_perm(o, (struct abi_ipc_perm *)ds);
		k->fill(o, ds);
	}
	spin_unlock(&k->table->lock);
	return r >= 0 && copy_to_user(ubuf, ds, k->ds_size) ? -EFAULT : r;
}

/* Found, the caller may change it, and the lock held; or -errno and not held. */
static int find_own_lock(struct ipc_table *t, s32 id, struct ipc_object **o)
{
	int err = ipc_find_lock(t, id, 0, o);

	if (err || ipc_is_owner(*o) || capable(CAP_SYS_ADMIN))
		return err;
	spin_unlock(&t->lock);
	return -EPERM;
}

static long set_object(const struct ipc_kind *k, s32 id, u64 ubuf)
{
	u64 ds[IPC_DS_MAX / 8];
	struct ipc_object *o;
	int err;

	if (copy_from_user(ds, ubuf, k->ds_size))
		return -EFAULT;
	err = find_own_lock(k->table, id, &o);
	if (err)
		return err;
	err = k->set ? k->set(o, ds) : ipc_set_perm(o, (struct abi_ipc_perm *)ds);
	spin_unlock(&k->table->lock);
	return err;
}

static long remove_object(const struct ipc_kind *k, s32 id)
{
	struct ipc_object *o;
	int err = find_own_lock(k->table, id, &o);

	if (!err)
		k->remove_unlock(o);
	return err;
}

long ipc_ctl(const struct ipc_kind *k, s32 id, s32 cmd, u64 ubuf)
{
	switch (cmd) {
	case IPC_SET:
		return set_object(k, id, ubuf);
	case IPC_RMID:
		return remove_object(k, id);
	default:
		if (cmd != IPC_STAT && cmd != k->cmd_stat && cmd != k->cmd_stat + 2)
			return -EINVAL;
		return stat_object(k, id, cmd, ubuf);
	}
}
