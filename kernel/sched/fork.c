/* SPDX-License-Identifier: MIT */
/*
 * New threads, processes and kernel tasks: clone(2).
 *
 * All that can fail is done on objects that nobody sees yet; the child gets its number and goes
 * into the tables in one step under proc_lock, after which nothing fails any more.
 */
#include "kernel/fs/fs.h"
#include "kernel/fs/pidfd.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/percpu.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/clone.h"
#include "kernel/sys/uaccess.h"

/* ------------------------------------------------------------------ what is shared or copied */

static int copy_mm(struct task *t, u64 flags)
{
	int err;

	if (task_is_kernel(current))
		return 0;
	if (flags & CLONE_VM) {
		t->mmk.mm = mmk_mm_get(current->mmk.mm);
		return 0;
	}
	err = mmk_mm_dup(&current->mmk, &t->mmk.mm);
	if (err)
		t->mmk.mm = NULL;
	return err == -EINTR ? -ERESTARTNOINTR : err;
}

static int copy_files(struct task *t, u64 flags)
{
	struct task *me = current;

	if (me->files)
		t->files = flags & CLONE_FILES ? files_get(me->files) : files_dup(me->files);
	if (me->fs)
		t->fs = flags & CLONE_FS ? fs_get(me->fs) : fs_dup(me->fs);
	return (me->files && !t->files) || (me->fs && !t->fs) ? -ENOMEM : 0;
}

static int copy_sighand(struct process *p, u64 flags)
{
	struct sighand *mine = current->proc->sighand;

	if (flags & CLONE_SIGHAND) {
		__atomic_fetch_add(&mine->refs, 1, __ATOMIC_RELAXED);
		p->sighand = mine;
		return 0;
	}
	p->sighand = sighand_dup(mine);
	if (!p->sighand)
		return -ENOMEM;
	if (flags & CLONE_CLEAR_SIGHAND)
		sighand_flush(p->sighand);
	return 0;
}

/* A new process in the image of the caller's. */
static struct process *copy_process(const struct clone_args *args)
{
	struct process *mine = current->proc, *p = process_alloc();

	if (!p)
		return NULL;
	if (copy_sighand(p, args->flags)) {
		process_put(p);
		return NULL;
	}
	memcpy(p->rlim, mine->rlim, sizeof(p->rlim));
	p->kernel = mine->kernel;
	p->exit_signal = args->exit_signal;
	p->dumpable = mine->dumpable;
	p->coredump_filter = mine->coredump_filter;
	memcpy(p->auxv, mine->auxv, sizeof(p->auxv));
	p->oom_score_adj = mine->oom_score_adj;
	p->oom_score_adj_min = mine->oom_score_adj_min;
	p->nice = mine->nice;
	p->mm_shared = (args->flags & CLONE_VM) && !(args->flags & CLONE_THREAD);
	if (p->mm_shared)
		mine->mm_shared = true;
	p->sigreturn_tramp = mine->sigreturn_tramp;
	p->membarrier = READ_ONCE(mine->membarrier);
	p->exe = exe_get(mine->exe);
	return p;
}

/* What the new thread has of its own from the start. */
static void copy_thread_state(struct task *t, const struct clone_args *args)
{
	struct task *me = current;
	struct pt_regs *regs = task_regs(t);

	t->mmk.personality = me->mmk.personality;
	t->mmk.mempolicy = me->mmk.mempolicy;
	t->blocked = me->blocked;
	t->cred = me->cred;
	if (t->cred.groups)
		__atomic_fetch_add(&t->cred.groups->refs, 1, __ATOMIC_RELAXED);
	memcpy(t->comm, me->comm, sizeof(t->comm));
	t->cpus_allowed = READ_ONCE(me->cpus_allowed);
	if (!(args->flags & CLONE_VM) || (args->flags & CLONE_VFORK))
		t->altstack = me->altstack;
	if (!(args->flags & CLONE_VM)) {
		t->rseq = me->rseq;
		/* It may start on another CPU than the one that is written there. */
		if (t->rseq.area)
			task_set_work(t, WORK_RSEQ);
	}
	if (args->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = args->child_tid;
	if (task_is_kernel(me))
		return;
	fpsimd_save(&me->fpsimd);
	t->fpsimd = me->fpsimd;
	t->tagged_addr = me->tagged_addr;
	*regs = *task_regs(me);
	regs->x[0] = 0;
	if (args->stack)
		regs->sp = args->stack;
	t->tls = args->flags & CLONE_SETTLS ? args->tls : user_tls_get();
}

/* Undo what task_alloc and the copies made, of a child that never came to be. */
static void abandon(struct task *t, struct process *fresh)
{
	if (t->mmk.mm)
		mmk_mm_put(t->mmk.mm);
	files_put(t->files);
	if (t->fs)
		fs_put(t->fs);
	task_put(t);
	if (fresh) {
		sighand_put(fresh->sighand);
		exe_put(fresh->exe);
		process_put(fresh);
	}
}

/* ------------------------------------------------------------------ the commit */

/* proc_lock. */
static void attach_process(struct process *p, struct task *t, u64 flags)
{
	struct process *mine = current->proc;

	p->tgid = t->pid;
	p->maker = current->pid;
	p->leader = t;
	p->pgid = mine->pgid;
	p->sid = mine->sid;
	p->tty = mine->tty;
	p->parent = flags & CLONE_PARENT ? mine->parent : mine;
	if (flags & CLONE_PARENT)
		p->exit_signal = mine->exit_signal;
	if (p->parent)
		list_add_tail(&p->sibling, &p->parent->children);
	process_insert(p);
}

/* proc_lock. 0, -EAGAIN, or -ERESTARTNOINTR when a signal should come first (as fork must be one
 * step for it). */
static int attach(struct task *t, struct process *fresh, const struct clone_args *args)
{
	u64 flags = args->flags;
	struct process *p = t->proc;
	s32 pid;

	if (current->killed || (!(flags & CLONE_THREAD) && signal_pending(current)))
		return -ERESTARTNOINTR;
	pid = pid_alloc_locked();
	if (pid < 0)
		return pid;
	t->pid = pid;
	t->mmk.pid = pid;
	if (fresh)
		attach_process(fresh, t, flags);
	list_add_tail(&t->thread_node, &p->threads);
	p->nr_threads++;
	p->nr_live++;
	pid_table_add(t);
	/* A group stop that has begun meanwhile is for the new thread too. */
	if (p->stop_sig)
		task_set_work(t, WORK_SIGNAL);
	trace_fork(t, flags, args->exit_signal);
	return 0;
}

static int check_flags(const struct clone_args *args)
{
	u64 f = args->flags;

	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_NEWNS) && (f & CLONE_FS))
		return -EINVAL;
	/* No namespaces, as a kernel built without them. */
	if (f & CLONE_NAMESPACES)
		return -EINVAL;
	/* Nobody could wait for a sibling of PID 1. */
	if ((f & CLONE_PARENT) && current->proc->tgid == 1)
		return -EINVAL;
	/* A pidfd is a process's. */
	if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	if (f & CLONE_INTO_CGROUP)
		return -EINVAL;
	return 0;
}

static int limit_processes(void)
{
	struct process *p = current->proc;
	u32 n = task_count();

	if (n >= PID_MAX - 1000)
		return -EAGAIN;
	if (current->cred.uid && n >= p->rlim[RLIMIT_NPROC].cur && !capable(CAP_SYS_RESOURCE) &&
	    !capable(CAP_SYS_ADMIN))
		return -EAGAIN;
	return 0;
}

/* CLONE_PIDFD: a descriptor of the child, which the parent's table gets once there is a child. */
struct pidfd {
	int fd;
	struct file *file; /* NULL: not asked for */
};

static void pidfd_abandon(struct pidfd *d)
{
	if (!d->file)
		return;
	fd_release(d->fd);
	fput(d->file);
}

static int pidfd_prepare(struct pidfd *d, struct process *p, const struct clone_args *args)
{
	int err;

	if (!(args->flags & CLONE_PIDFD))
		return 0;
	d->fd = fd_alloc(0, true);
	if (d->fd < 0)
		return d->fd;
	err = pidfd_file(p, 0, &d->file);
	if (err) {
		d->file = NULL;
		fd_release(d->fd);
		return err;
	}
	return put_user((u32)d->fd, u32, args->pidfd) ? -EFAULT : 0;
}

/* A complete child, in the tables but not yet running; or an errno in *err. */
static struct task *make_child(const struct clone_args *args, int *err)
{
	bool thread = args->flags & CLONE_THREAD;
	struct process *fresh = thread ? NULL : copy_process(args);
	struct process *p = thread ? current->proc : fresh;
	struct pidfd pidfd = {0};
	unsigned long irq;
	struct task *t;

	*err = -ENOMEM;
	if (!p)
		return NULL;
	t = task_alloc(p);
	if (!t) {
		if (fresh) {
			sighand_put(fresh->sighand);
			exe_put(fresh->exe);
			process_put(fresh);
		}
		return NULL;
	}
	*err = copy_mm(t, args->flags);
	if (!*err)
		*err = copy_files(t, args->flags);
	if (!*err)
		*err = pidfd_prepare(&pidfd, p, args);
	if (!*err) {
		copy_thread_state(t, args);
		irq = spin_lock_irqsave(&proc_lock);
		*err = attach(t, fresh, args);
		spin_unlock_irqrestore(&proc_lock, irq);
	}
	if (*err) {
		pidfd_abandon(&pidfd);
		abandon(t, fresh);
		return NULL;
	}
	if (pidfd.file)
		fd_set_file(pidfd.fd, pidfd.file);
	if (fresh)
		process_put(fresh); /* the task has one */
	return t;
}

/* ------------------------------------------------------------------ vfork */

void vfork_complete(struct task *t)
{
	unsigned long irq = spin_lock_irqsave(&proc_lock);
	bool pending = t->vfork_pending;

	t->vfork_pending = false;
	if (pending)
		wake_up_all(&t->vfork_done);
	spin_unlock_irqrestore(&proc_lock, irq);
}

/* The child has our memory until it executes a program or ends. Only death ends the wait early. */
static void vfork_wait(struct task *t, s32 pid)
{
	int killed = wait_event_killable(&t->vfork_done, !READ_ONCE(t->vfork_pending));

	if (!killed && unlikely(trace_wants(PTRACE_EVENT_VFORK_DONE)))
		trace_event(PTRACE_EVENT_VFORK_DONE, (u64)pid);
}

s32 do_clone(const struct clone_args *args)
{
	bool vfork = args->flags & CLONE_VFORK;
	struct task *t;
	s32 pid;
	int err = check_flags(args);

	if (!err)
		err = limit_processes();
	if (err)
		return err;
	t = make_child(args, &err);
	if (!t)
		return err;
	pid = t->pid;
	/* Linux too ignores a bad address here. The child's memory is written by the child: see
	 * child_start. */
	if (args->flags & CLONE_PARENT_SETTID)
		(void)put_user((u32)pid, u32, args->parent_tid);
	if (args->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = args->child_tid;
	if (t->set_child_tid) {
		t->context.x19 = (u64)child_start;
		t->context.x20 = (u64)t;
	}
	t->vfork_pending = vfork;
	if (vfork)
		task_get(t);
	sched_enqueue_new(t);
	if (unlikely(current->trace.tracer) && !(args->flags & CLONE_UNTRACED))
		trace_event(trace_fork_event(args->flags, args->exit_signal), (u64)pid);
	if (vfork) {
		vfork_wait(t, pid);
		task_put(t);
	}
	return pid;
}

void child_start(struct task *t)
{
	(void)put_user((u32)t->pid, u32, t->set_child_tid);
}

/* ------------------------------------------------------------------ system calls */

long sys_clone(u64 flags, u64 stack, u64 parent_tid, u64 tls, u64 child_tid)
{
	struct clone_args args = {
	    .flags = (u32)flags & ~(u64)CSIGNAL,
	    .exit_signal = flags & CSIGNAL,
	    .stack = stack,
	    .parent_tid = parent_tid,
	    .child_tid = child_tid,
	    .tls = tls,
	};

	if (args.exit_signal > NSIG)
		return -EINVAL;
	if ((args.flags & CLONE_PIDFD) && (args.flags & CLONE_PARENT_SETTID))
		return -EINVAL; /* both would go to parent_tid */
	args.pidfd = parent_tid;
	return do_clone(&args);
}

/* struct clone_args of clone3(2), version 0 to 2. */
struct abi_clone_args {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	u64 set_tid, set_tid_size, cgroup;
};
#define CLONE_ARGS_SIZE_VER0 64

/* Bytes that we do not know must be zero. */
static int read_clone_args(struct abi_clone_args *a, u64 uargs, u64 size)
{
	u64 i;
	u8 b;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	for (i = sizeof(*a); i < size; i++) {
		if (get_user(b, uargs + i))
			return -EFAULT;
		if (b)
			return -E2BIG;
	}
	return copy_from_user(a, uargs, min_t(u64, size, sizeof(*a)));
}

long sys_clone3(u64 uargs, u64 size)
{
	struct abi_clone_args a;
	struct clone_args args;
	int err = read_clone_args(&a, uargs, size);

	if (err)
		return err;
	if (a.flags & (CSIGNAL | CLONE_DETACHED) & ~CLONE_NEWTIME)
		return -EINVAL;
	if (a.exit_signal > NSIG || (a.exit_signal && (a.flags & (CLONE_THREAD | CLONE_PARENT))))
		return -EINVAL;
	if (!a.stack != !a.stack_size || a.set_tid || a.set_tid_size)
		return -EINVAL;
	args = (struct clone_args){
	    .flags = a.flags,
	    .exit_signal = a.exit_signal,
	    .stack = a.stack + a.stack_size,
	    .parent_tid = a.parent_tid,
	    .child_tid = a.child_tid,
	    .tls = a.tls,
	    .pidfd = a.pidfd,
	};
	if ((args.flags & CLONE_PIDFD) && (args.flags & CLONE_PARENT_SETTID) &&
	    args.pidfd == args.parent_tid)
		return -EINVAL;
	return do_clone(&args);
}

long sys_set_tid_address(u64 addr)
{
	current->clear_child_tid = addr;
	return current->pid;
}

/* ------------------------------------------------------------------ kernel tasks */

/* It may have become a program meanwhile (kernel_execve): then this returns, to user mode. */
static void kthread_main(struct task *t)
{
	s32 status = t->kthread_fn(t->kthread_arg);

	if (task_is_kernel(t))
		do_exit((u32)(status & 0xff) << 8);
}

static struct process *kernel_process(void)
{
	struct process *p = process_alloc();
	unsigned i;

	if (!p)
		return NULL;
	p->sighand = kzalloc(sizeof(*p->sighand));
	if (!p->sighand) {
		process_put(p);
		return NULL;
	}
	p->sighand->refs = 1;
	p->kernel = true;
	p->exit_signal = SIGCHLD;
	for (i = 0; i < MMK_RLIM_NLIMITS; i++)
		p->rlim[i] = (struct mmk_rlimit){MMK_RLIM_INFINITY, MMK_RLIM_INFINITY};
	rlimits_init(p->rlim);
	return p;
}

/*
 * Who becomes a program gets the next number, and PID 1 for its parent. The kernel's own service
 * tasks are nobody's children, and count down from the top, so that they stay out of the way.
 */
static int attach_kernel(struct process *p, struct task *t, bool service)
{
	s32 pid = service ? pid_alloc_top_locked() : pid_alloc_locked();

	if (pid < 0)
		return pid;
	p->parent = service ? NULL : find_process_locked(1);
	t->pid = pid;
	t->mmk.pid = pid;
	p->tgid = pid;
	p->leader = t;
	if (p->parent)
		list_add_tail(&p->sibling, &p->parent->children);
	process_insert(p);
	list_add_tail(&t->thread_node, &p->threads);
	p->nr_threads = 1;
	p->nr_live = 1;
	pid_table_add(t);
	return 0;
}

static struct task *make_kthread(void)
{
	struct process *p = kernel_process();
	struct task *t = p ? task_alloc(p) : NULL;

	if (!t && p) {
		sighand_put(p->sighand);
		process_put(p);
	}
	if (!t)
		return NULL;
	process_put(p);
	t->cred.cap_effective = CAP_FULL_SET;
	t->cred.cap_permitted = CAP_FULL_SET;
	t->cred.cap_bset = CAP_FULL_SET;
	t->files = files_new();
	t->fs = fs_new();
	return t;
}

static s32 create(const char *name, s32 (*fn)(void *), void *arg, bool service)
{
	struct task *t = make_kthread();
	struct process *p;
	unsigned long irq;
	s32 pid;

	if (!t)
		return -ENOMEM;
	p = t->proc;
	irq = spin_lock_irqsave(&proc_lock);
	pid = t->files && t->fs ? attach_kernel(p, t, service) : -ENOMEM;
	spin_unlock_irqrestore(&proc_lock, irq);
	if (pid < 0) {
		process_get(p);
		abandon(t, p);
		return pid;
	}
	strlcpy(t->comm, name, sizeof(t->comm));
	t->kthread_fn = fn;
	t->kthread_arg = arg;
	t->context.x19 = (u64)kthread_main;
	t->context.x20 = (u64)t;
	pid = t->pid;
	sched_enqueue_new(t);
	return pid;
}

s32 kthread_create(const char *name, s32 (*fn)(void *), void *arg)
{
	return create(name, fn, arg, true);
}

s32 program_task_create(const char *name, s32 (*fn)(void *), void *arg)
{
	return create(name, fn, arg, false);
}
