/* SPDX-License-Identifier: MIT */
/* The tables of System V IPC: numbers, keys, and who may. */
#include "kernel/ipc/object.h"

#include "kernel/lib/errno.h"
#include "kernel/sched/task.h"
#include "kernel/sys/syscall.h"

#define SEQ_MAX (0x7fffffffu / IPC_SLOTS)

s64 ipc_now(void)
{
	return (s64)(realtime_ns() / 1000000000u);
}

void ipc_object_init(struct ipc_object *o, s32 key, u32 flags)
{
	const struct cred *c = &current->cred;

	o->key = key;
	o->mode = flags & 0777;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->ctime = ipc_now();
}

/* ------------------------------------------------------------------ finding */

struct ipc_object *ipc_find_index(const struct ipc_table *t, u32 index)
{
	struct ipc_object *o;

	list_for_each_entry (o, &t->objects, node)
		if ((u32)o->id % IPC_SLOTS == index)
			return o;
	return NULL;
}

struct ipc_object *ipc_find(const struct ipc_table *t, s32 id)
{
	struct ipc_object *o = id < 0 ? NULL : ipc_find_index(t, (u32)id % IPC_SLOTS);

	return o && o->id == id ? o : NULL;
}

struct ipc_object *ipc_find_key(const struct ipc_table *t, s32 key)
{
	struct ipc_object *o;

	list_for_each_entry (o, &t->objects, node)
		if (o->key == key && key != IPC_PRIVATE)
			return o;
	return NULL;
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

	for (tries = 0; tries < IPC_SLOTS && ipc_find_index(t, at); tries++)
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

	if (ipc_find_key(t, o->key))
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

int ipc_may_change(const struct ipc_object *o)
{
	return ipc_is_owner(o) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

int ipc_may_get(const struct ipc_object *o, u32 flags)
{
	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return -EEXIST;
	return ipc_permission(o, flags);
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

/* ------------------------------------------------------------------ shown and set */

void ipc_fill_perm(const struct ipc_object *o, struct abi_ipc_perm *p)
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
