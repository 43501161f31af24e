/* SPDX-License-Identifier: MIT */
/*
 * futex(2): sleeping on a word of user memory; and the same for words of the kernel, which is what
 * the memory system's port->wait and port->wake are.
 *
 * A waiter is found by its word. Private futexes are (mm, address). Shared ones are known both by
 * (mm, address) and by the physical address behind it: the first finds the waiters of the same
 * program even if fork's copy-on-write has given the page a new frame meanwhile, the second those
 * in other programs that map the same page. Both agree in the offset within the page, and that
 * alone chooses the hash chain.
 *
 * A waiter checks the word's value under the chain's lock, so a wake between check and sleep is not
 * lost. The word is read without faults there; when its page is not there, the lock is dropped and
 * the page brought in.
 */
#include "kernel/arch/uaccess.h"
#include "kernel/clock.h"
#include "kernel/lib/printk.h"
#include "kernel/mm.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"

#define FUTEX_WAIT             0
#define FUTEX_WAKE             1
#define FUTEX_REQUEUE          3
#define FUTEX_CMP_REQUEUE      4
#define FUTEX_WAKE_OP          5
#define FUTEX_WAIT_BITSET      9
#define FUTEX_WAKE_BITSET      10
#define FUTEX_PRIVATE_FLAG     128
#define FUTEX_CLOCK_REALTIME   256
#define FUTEX_BITSET_MATCH_ANY 0xffffffffu

#define FUTEX_WAITERS    0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK   0x3fffffffu

#define FUTEX_CHAINS 256

struct futex_key {
	struct mmk_mm *mm; /* NULL: a word of the kernel */
	u64 addr;
	u64 phys; /* shared: physical address; 0 otherwise */
	bool shared;
};

struct futex_waiter {
	struct list_head node; /* its chain's lock; off the chain: woken */
	struct futex_key key;
	u32 bitset;
	struct task *task;
	struct futex_chain *chain; /* under the lock of the chain that it names; NULL: woken */
};

struct futex_chain {
	struct spinlock lock;
	struct list_head waiters;
};

static struct futex_chain chains[FUTEX_CHAINS];

void futex_init(void)
{
	unsigned i;

	for (i = 0; i < FUTEX_CHAINS; i++)
		list_init(&chains[i].waiters);
}

static struct futex_chain *chain_of(const struct futex_key *key)
{
	return &chains[(key->addr & (PAGE_SIZE - 1)) / 4 % FUTEX_CHAINS];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	if (a->shared != b->shared)
		return false;
	if (a->mm == b->mm && a->addr == b->addr)
		return true;
	return a->shared && a->phys && a->phys == b->phys;
}

/* ------------------------------------------------------------------ keys */

/* The physical address behind a user address that the tables have; 0 when they do not. */
static u64 translate(u64 addr)
{
	unsigned long irq = local_irq_save();
	u64 par;

	__asm__ volatile("at s1e0r, %1\n\tisb\n\tmrs %0, par_el1"
	                 : "=r"(par)
	                 : "r"(addr)
	                 : "memory");
	local_irq_restore(irq);
	if (par & 1)
		return 0;
	return (par & 0x000ffffffffff000ull) | (addr & (PAGE_SIZE - 1));
}

static int make_key(struct futex_key *key, u64 addr, u32 op)
{
	u32 value;

	if (addr & 3)
		return -EINVAL;
	key->mm = current->mmk.mm;
	key->addr = untagged_addr(addr);
	key->shared = !(op & FUTEX_PRIVATE_FLAG);
	key->phys = 0;
	if (!key->shared)
		return addr < TASK_SIZE || key->addr < TASK_SIZE ? 0 : -EFAULT;
	/* Touching it brings the page in. */
	if (get_user_u32(&value, (const u32 __user *)addr))
		return -EFAULT;
	key->phys = translate(key->addr);
	return 0;
}

/* ------------------------------------------------------------------ waking */

/* The chain's lock. The waiter may return and be gone as soon as its chain is NULL and the lock
 * free. */
static void wake_waiter(struct futex_waiter *w)
{
	struct task *t = w->task;

	task_get(t);
	list_del_init(&w->node);
	__atomic_store_n(&w->chain, NULL, __ATOMIC_RELEASE);
	wake_up_task(t);
	task_put(t);
}

static u32 wake_key(const struct futex_key *key, u32 n, u32 bitset)
{
	struct futex_chain *c = chain_of(key);
	struct futex_waiter *w, *next;
	u32 woken = 0;
	unsigned long irq = spin_lock_irqsave(&c->lock);

	list_for_each_entry_safe (w, next, &c->waiters, node) {
		if (woken >= n)
			break;
		if (!(w->bitset & bitset) || !same_key(&w->key, key))
			continue;
		wake_waiter(w);
		woken++;
	}
	spin_unlock_irqrestore(&c->lock, irq);
	return woken;
}

static long futex_wake(u64 addr, u32 op, u32 n, u32 bitset)
{
	struct futex_key key;
	int err = make_key(&key, addr, op);

	if (err)
		return err;
	if (!bitset)
		return -EINVAL;
	/* Linux wakes one even when asked for none, or less. */
	return wake_key(&key, (s32)n > 0 ? n : 1, bitset);
}

void futex_wake_addr(u64 addr, u32 n)
{
	(void)futex_wake(addr, 0, n, FUTEX_BITSET_MATCH_ANY);
}

/* ------------------------------------------------------------------ waiting */

/* On the chain, if the word still has that value. 0, -EAGAIN (another value) or -EFAULT. */
static int enqueue_waiter(struct futex_waiter *w, u64 addr, u32 val)
{
	struct futex_chain *c = chain_of(&w->key);
	unsigned long irq;
	u32 seen;
	int err;

	for (;;) {
		irq = spin_lock_irqsave(&c->lock);
		/* With interrupts off this fails rather than to bring a page in. */
		err = get_user_u32(&seen, (const u32 __user *)addr);
		if (!err)
			break;
		spin_unlock_irqrestore(&c->lock, irq);
		if (get_user_u32(&seen, (const u32 __user *)addr))
			return -EFAULT;
	}
	if (seen == val) {
		w->chain = c;
		list_add_tail(&w->node, &c->waiters);
	}
	spin_unlock_irqrestore(&c->lock, irq);
	return seen == val ? 0 : -EAGAIN;
}

/* Off its chain, which a requeue may change. True when nobody had woken it. */
static bool dequeue_waiter(struct futex_waiter *w)
{
	struct futex_chain *c;
	unsigned long irq;

	while ((c = __atomic_load_n(&w->chain, __ATOMIC_ACQUIRE))) {
		irq = spin_lock_irqsave(&c->lock);
		if (w->chain == c) {
			list_del_init(&w->node);
			w->chain = NULL;
			spin_unlock_irqrestore(&c->lock, irq);
			return true;
		}
		spin_unlock_irqrestore(&c->lock, irq);
	}
	return false;
}

static void waiter_init(struct futex_waiter *w, u32 bitset)
{
	list_init(&w->node);
	w->bitset = bitset;
	w->task = current;
	w->chain = NULL;
}

/* Sleep until woken: 0, -ETIMEDOUT or -ERESTARTSYS. */
static long sleep_on(struct futex_waiter *w, u64 deadline, int state)
{
	for (;;) {
		set_current_state(state);
		if (!__atomic_load_n(&w->chain, __ATOMIC_ACQUIRE))
			break;
		if (signal_pending_state(state)) {
			set_current_state(TASK_RUNNING);
			return dequeue_waiter(w) ? -ERESTARTSYS : 0;
		}
		if (!schedule_deadline(deadline) && dequeue_waiter(w))
			return -ETIMEDOUT;
	}
	set_current_state(TASK_RUNNING);
	return 0;
}

static long futex_wait(u64 addr, u32 op, u32 val, u64 deadline, u32 bitset)
{
	struct futex_waiter w;
	int err;

	if (!bitset)
		return -EINVAL;
	waiter_init(&w, bitset);
	err = make_key(&w.key, addr, op);
	if (!err)
		err = enqueue_waiter(&w, addr, val);
	if (err)
		return err;
	return sleep_on(&w, deadline, TASK_INTERRUPTIBLE);
}

static u64 restart_wait(struct task *t)
{
	u64 *a = t->restart_arg;
	long ret = futex_wait(a[0], a[1], a[2], a[3], a[4]);

	return ret == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : ret;
}

/* A wait with a time limit goes on, after a signal without a handler, to the same moment. */
static long futex_wait_call(u64 addr, u32 op, u32 val, u64 deadline, u32 bitset)
{
	long ret = futex_wait(addr, op, val, deadline, bitset);
	struct task *t = current;

	if (ret != -ERESTARTSYS || deadline == NO_DEADLINE)
		return ret;
	t->restart_fn = restart_wait;
	t->restart_arg[0] = addr;
	t->restart_arg[1] = op;
	t->restart_arg[2] = val;
	t->restart_arg[3] = deadline;
	t->restart_arg[4] = bitset;
	return -ERESTART_RESTARTBLOCK;
}

/* ------------------------------------------------------------------ requeue */

static void lock_two(struct futex_chain *a, struct futex_chain *b)
{
	if (a > b) {
		struct futex_chain *t = a;

		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock(&b->lock);
}

static void unlock_two(struct futex_chain *a, struct futex_chain *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* Both locks. Wake n, let `move` others wait on `to` instead. */
static u32 move_waiters(struct futex_key *from, struct futex_key *to, u32 n, u32 move)
{
	struct futex_chain *c = chain_of(from), *c2 = chain_of(to);
	struct futex_waiter *w, *next;
	u32 done = 0;

	list_for_each_entry_safe (w, next, &c->waiters, node) {
		if (!same_key(&w->key, from))
			continue;
		if (done >= n + move)
			break;
		if (done++ < n) {
			wake_waiter(w);
			continue;
		}
		list_del_init(&w->node);
		w->key = *to;
		w->chain = c2;
		list_add_tail(&w->node, &c2->waiters);
	}
	return done;
}

static long futex_requeue(u64 addr, u64 addr2, u32 op, u32 n, u32 move, bool compare, u32 val)
{
	struct futex_key from, to;
	struct futex_chain *a, *b;
	long ret = make_key(&from, addr, op);
	u32 seen;

	if (!ret)
		ret = make_key(&to, addr2, op);
	if (ret)
		return ret;
	if ((s32)n < 0 || (s32)move < 0)
		return -EINVAL;
	if (same_key(&from, &to))
		return wake_key(&from, n, FUTEX_BITSET_MATCH_ANY);
	a = chain_of(&from);
	b = chain_of(&to);
	for (;;) {
		local_irq_disable();
		lock_two(a, b);
		if (!compare || !get_user_u32(&seen, (const u32 __user *)addr))
			break;
		unlock_two(a, b);
		local_irq_enable();
		if (get_user_u32(&seen, (const u32 __user *)addr))
			return -EFAULT;
	}
	ret = compare && seen != val ? -EAGAIN : (long)move_waiters(&from, &to, n, move);
	unlock_two(a, b);
	local_irq_enable();
	return ret;
}

/* ------------------------------------------------------------------ FUTEX_WAKE_OP */

static int apply_op(u32 insn, u32 old, u32 *val)
{
	u32 op = insn >> 28 & 7, arg = (u32)((s32)(insn << 8) >> 20);

	if (insn >> 31)
		arg = 1u << (arg & 31);
	switch (op) {
	case 0:
		*val = arg;
		return 0;
	case 1:
		*val = old + arg;
		return 0;
	case 2:
		*val = old | arg;
		return 0;
	case 3:
		*val = old & ~arg;
		return 0;
	case 4:
		*val = old ^ arg;
		return 0;
	default:
		return -ENOSYS;
	}
}

static int compare_op(u32 insn, u32 old)
{
	s32 arg = (s32)(insn << 20) >> 20, v = (s32)old;

	switch (insn >> 24 & 15) {
	case 0:
		return v == arg;
	case 1:
		return v != arg;
	case 2:
		return v < arg;
	case 3:
		return v <= arg;
	case 4:
		return v > arg;
	case 5:
		return v >= arg;
	default:
		return -ENOSYS;
	}
}

static long futex_wake_op(u64 addr, u64 addr2, u32 op, u32 n, u32 n2, u32 insn)
{
	struct futex_key key, key2;
	u32 old, val, seen;
	long ret = make_key(&key, addr, op);
	int hit;

	if (!ret)
		ret = make_key(&key2, addr2, op);
	if (ret)
		return ret;
	do {
		if (get_user_u32(&old, (const u32 __user *)addr2))
			return -EFAULT;
		ret = apply_op(insn, old, &val);
		if (ret)
			return ret;
		if (cmpxchg_user_u32((u32 __user *)addr2, old, val, &seen))
			return -EFAULT;
	} while (seen != old);
	ret = wake_key(&key, (s32)n > 0 ? n : 1, FUTEX_BITSET_MATCH_ANY);
	hit = compare_op(insn, old);
	if (hit < 0)
		return hit;
	if (hit)
		ret += wake_key(&key2, (s32)n2 > 0 ? n2 : 1, FUTEX_BITSET_MATCH_ANY);
	return ret;
}

/* ------------------------------------------------------------------ the call */

/* WAIT's limit is relative, WAIT_BITSET's absolute, on CLOCK_MONOTONIC or CLOCK_REALTIME. */
static int futex_deadline(u32 op, u64 utime, u64 *deadline)
{
	u64 ns, boot = op & FUTEX_CLOCK_REALTIME ? realtime_ns() - clock_ns() : 0;
	int err;

	*deadline = NO_DEADLINE;
	if (!utime)
		return 0;
	err = get_user_timespec(&ns, utime);
	if (err)
		return err;
	if ((op & 127) == FUTEX_WAIT)
		*deadline = deadline_after(ns);
	else
		*deadline = ns > boot ? ns - boot : 0;
	return 0;
}

long sys_futex(u64 addr, u64 op64, u64 val, u64 utime, u64 addr2, u64 val3)
{
	u32 op = (u32)op64, cmd = op & 127;
	u64 deadline = NO_DEADLINE;
	int err;

	if ((op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT)
		return -ENOSYS;
	if (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET) {
		err = futex_deadline(op, utime, &deadline);
		if (err)
			return err;
	}
	switch (cmd) {
	case FUTEX_WAIT:
		return futex_wait_call(addr, op, val, deadline, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return futex_wait_call(addr, op, val, deadline, val3);
	case FUTEX_WAKE:
		return futex_wake(addr, op, val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, op, val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, addr2, op, val, utime, false, 0);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, addr2, op, val, utime, true, val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, addr2, op, val, utime, val3);
	default:
		return -ENOSYS;
	}
}

/* ------------------------------------------------------------------ robust lists */

#define ROBUST_LIST_LIMIT 2048
#define ROBUST_HEAD_SIZE  24

/* A lock that its dead owner held: say so in the word and wake one who waits for it. */
static bool handle_robust(u64 addr, bool pi)
{
	u32 word, seen, val;

	if (addr & 3)
		return false;
	if (get_user_u32(&word, (const u32 __user *)addr))
		return false;
	for (;;) {
		if ((word & FUTEX_TID_MASK) != (u32)current->pid)
			return true;
		val = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (cmpxchg_user_u32((u32 __user *)addr, word, val, &seen))
			return false;
		if (seen == word)
			break;
		word = seen;
	}
	if (!pi && (word & FUTEX_WAITERS))
		futex_wake_addr(addr, 1);
	return true;
}

void exit_robust_list(struct task *t)
{
	u64 head = t->robust.head, entry, next, offset, pending;
	unsigned n;

	if (!head)
		return;
	t->robust.head = 0;
	if (get_user(entry, head) || get_user(offset, head + 8) || get_user(pending, head + 16))
		return;
	for (n = 0; (entry & ~1ull) != head && n < ROBUST_LIST_LIMIT; n++) {
		/* The word may be gone once its owner is known to be dead: read on first. */
		bool last = get_user(next, entry & ~1ull);

		if (entry != pending && !handle_robust((entry & ~1ull) + offset, entry & 1))
			return;
		if (last)
			return;
		entry = next;
	}
	if (pending & ~1ull)
		(void)handle_robust((pending & ~1ull) + offset, pending & 1);
}

long sys_set_robust_list(u64 head, u64 len)
{
	if (len != ROBUST_HEAD_SIZE)
		return -EINVAL;
	current->robust.head = head;
	current->robust.len = len;
	return 0;
}

long sys_get_robust_list(u64 pid, u64 uhead, u64 ulen)
{
	struct task *t = current;
	u64 head;

	if ((s32)pid) {
		t = find_task((s32)pid);
		if (!t)
			return -ESRCH;
	} else {
		task_get(t);
	}
	head = t->robust.head;
	task_put(t);
	if (put_user(ROBUST_HEAD_SIZE, u64, ulen) || put_user(head, u64, uhead))
		return -EFAULT;
	return 0;
}

/* ------------------------------------------------------------------ words of the kernel: the
 * core's port */

int port_wait(void *ctx, const u32 *word, u32 seen, unsigned flags)
{
	int state = flags & MMK_WAIT_KILLABLE ? TASK_KILLABLE : TASK_UNINTERRUPTIBLE;
	struct futex_waiter w = {.key = {.addr = (u64)word}};
	struct futex_chain *c = chain_of(&w.key);
	unsigned long irq;
	bool sleep;

	waiter_init(&w, FUTEX_BITSET_MATCH_ANY);
	irq = spin_lock_irqsave(&c->lock);
	sleep = __atomic_load_n(word, __ATOMIC_ACQUIRE) == seen;
	if (sleep) {
		w.chain = c;
		list_add_tail(&w.node, &c->waiters);
	}
	spin_unlock_irqrestore(&c->lock, irq);
	if (!sleep)
		return 0;
	return sleep_on(&w, NO_DEADLINE, state) ? -EINTR : 0;
}

void port_wake(void *ctx, const u32 *word)
{
	struct futex_key key = {.addr = (u64)word};

	(void)wake_key(&key, ~0u, FUTEX_BITSET_MATCH_ANY);
}
