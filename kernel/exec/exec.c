/* SPDX-License-Identifier: MIT */
/*
 * execve(2): see exec.h for its steps. Until commit() nothing of the calling program has changed,
 * so every failure is an errno to it.
 */
#include "kernel/exec/exec.h"

#include "kernel/fs/abi.h"
#include "kernel/fs/fs.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/percpu.h"
#include "kernel/sched/ptimer.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/uaccess.h"
#include "kernel/vdso/vdso.h"

#define ARG_LIMIT_MAX (6ull << 20)
#define ARG_LIMIT_MIN 131072ull

/* ------------------------------------------------------------------ the program file */

struct file *exe_get(struct file *exe)
{
	return exe ? file_get_exec(exe) : NULL;
}

void exe_put(struct file *exe)
{
	if (exe)
		file_close_exec(exe);
}

/* ------------------------------------------------------------------ preparing */

/* Room for arguments and environment: a quarter of the stack's limit, within bounds, as in Linux.
 */
static u64 arg_limit(void)
{
	u64 limit = current->proc->rlim[RLIMIT_STACK].cur / 4;

	return max(min(limit, ARG_LIMIT_MAX), ARG_LIMIT_MIN);
}

static void exec_free(struct exec *e)
{
	arg_store_free(&e->prefix);
	arg_store_free(&e->args);
	arg_store_free(&e->env);
	if (e->loader.mm)
		mmk_mm_put(e->loader.mm);
	exe_put(e->file);
	kfree(e->interp_path);
	kfree(e->filename);
	kfree(e);
}

static struct exec *exec_alloc(void)
{
	struct exec *e = kzalloc(sizeof(*e));

	if (!e)
		return NULL;
	if (arg_store_init(&e->args, arg_limit()) || arg_store_init(&e->env, arg_limit())) {
		exec_free(e);
		return NULL;
	}
	return e;
}

static int read_head(struct exec *e)
{
	ssize_t n;

	memset(e->head, 0, sizeof(e->head));
	n = file_kread(e->file, e->head, sizeof(e->head), 0);
	if (n < 0)
		return n;
	e->head_len = n;
	return 0;
}

/* Find the program itself, through scripts. */
static int resolve(struct exec *e)
{
	int depth, err;

	for (depth = 0; depth <= EXEC_MAX_DEPTH; depth++) {
		err = read_head(e);
		if (err)
			return err;
		if (!exec_is_script(e))
			return 0;
		err = exec_script(e);
		if (err)
			return err;
	}
	return -ELOOP;
}

/* Who traces the caller would have the power of the program's owner. */
static bool trace_by_unprivileged(void)
{
	bool yes;

	spin_lock_irq(&proc_lock);
	yes = current->trace.tracer &&
	      !(current->trace.tracer->cred.cap_effective & 1ull << CAP_SYS_PTRACE);
	spin_unlock_irq(&proc_lock);
	return yes;
}

static bool nosuid(const struct file *f)
{
	return f->path.mnt && (f->path.mnt->flags & MNT_NOSUID);
}

/* Set-user-ID and set-group-ID, where the mount allows it. */
static void choose_ids(struct exec *e)
{
	const struct cred *c = &current->cred;
	u32 mode, uid, gid;

	e->euid = c->euid;
	e->egid = c->egid;
	file_owner(e->file, &mode, &uid, &gid);
	if (!c->no_new_privs && !trace_by_unprivileged() && !nosuid(e->file)) {
		if (mode & S_ISUID)
			e->euid = uid;
		if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
			e->egid = gid;
	}
	e->secure = e->euid != c->uid || e->egid != c->gid;
}

/* The new address space, whole. */
static int build(struct exec *e)
{
	int err;

	e->loader = current->mmk;
	e->loader.personality &= ~MMK_READ_IMPLIES_EXEC; /* an arm64 ELF says what executes */
	e->loader.mm = mmk_mm_create(mm_sys);
	if (!e->loader.mm)
		return -ENOMEM;
	if (current->mmk.mm)
		mmk_mm_inherit(e->loader.mm, current->mmk.mm);
	choose_ids(e);
	if (e->secure)
		e->loader.personality &= ~(MMK_READ_IMPLIES_EXEC | MMK_ADDR_NO_RANDOMIZE |
		                           MMK_ADDR_COMPAT_LAYOUT | MMK_MMAP_PAGE_ZERO);
	err = exec_load_elf(e);
	if (!err)
		err = vdso_map(&e->loader, &e->vdso, &e->tramp);
	if (!err)
		err = exec_setup_stack(e);
	if (!err && (e->loader.personality & MMK_MMAP_PAGE_ZERO))
		(void)mmk_vm_mmap(&e->loader, NULL, 0, PAGE_SIZE, MMK_PROT_READ | MMK_PROT_EXEC,
		                  MMK_MAP_PRIVATE | MMK_MAP_FIXED | MMK_MAP_ANONYMOUS, 0);
	if (!err)
		mmk_mm_set_bounds(e->loader.mm, &e->bounds);
	return err;
}

/* ------------------------------------------------------------------ becoming the only thread */

/* proc_lock. The thread that executes takes the place, and the number, of the leader. */
static void become_leader(struct process *p, struct task *t)
{
	struct task *old = p->leader;

	if (old == t)
		return;
	trace_unlink(old);
	pid_table_del(old);
	list_del_init(&old->thread_node);
	flush_pending(p, &old->pending);
	pid_table_del(t);
	t->pid = p->tgid;
	t->mmk.pid = p->tgid;
	pid_table_add(t);
	p->leader = t;
	task_put(old);
}

/* Ends all other threads. -EAGAIN: another one was first, or we are to end ourselves. */
static int kill_siblings(void)
{
	struct task *t = current;
	struct process *p = t->proc;
	long err;

	spin_lock_irq(&proc_lock);
	if (p->exiting || p->exec_task) {
		spin_unlock_irq(&proc_lock);
		return -EAGAIN;
	}
	p->exec_task = t;
	kill_other_threads();
	spin_unlock_irq(&proc_lock);

	err = wait_event_killable(&p->wait_group, READ_ONCE(p->nr_threads) == 1);

	spin_lock_irq(&proc_lock);
	p->exec_task = NULL;
	if (!err)
		become_leader(p, t);
	spin_unlock_irq(&proc_lock);
	return err ? -EAGAIN : 0;
}

/* What is shared with other processes by CLONE_FILES, CLONE_FS or CLONE_SIGHAND becomes our own. 0
 * or -ENOMEM. */
static int unshare_tables(void)
{
	struct task *t = current;
	struct sighand *mine = t->proc->sighand, *s;
	struct files *files = NULL, *old;

	if (__atomic_load_n(&t->files->refs, __ATOMIC_ACQUIRE) > 1) {
		files = files_dup(t->files);
		if (!files)
			return -ENOMEM;
	}
	if (__atomic_load_n(&mine->refs, __ATOMIC_ACQUIRE) > 1) {
		s = sighand_dup(mine);
		if (!s) {
			files_put(files);
			return -ENOMEM;
		}
		spin_lock_irq(&proc_lock);
		t->proc->sighand = s;
		spin_unlock_irq(&proc_lock);
		sighand_put(mine);
	}
	if (files) {
		spin_lock_irq(&proc_lock);
		old = t->files;
		t->files = files;
		spin_unlock_irq(&proc_lock);
		files_put(old);
	}
	return 0;
}

/* ------------------------------------------------------------------ the commit */

static void set_comm(struct task *t, const char *path)
{
	const char *slash = strrchr(path, '/');

	strlcpy(t->comm, slash ? slash + 1 : path, sizeof(t->comm));
}

static void commit_creds(const struct exec *e)
{
	struct cred *c = &current->cred;

	if (e->secure)
		current->pdeath_sig = 0;
	c->euid = c->suid = c->fsuid = e->euid;
	c->egid = c->sgid = c->fsgid = e->egid;
	c->keepcaps = false;
	if (c->euid == 0 || c->uid == 0) {
		c->cap_permitted = c->cap_bset | c->cap_inheritable;
		c->cap_effective = c->euid == 0 ? c->cap_permitted : 0;
	} else {
		c->cap_permitted = c->cap_ambient;
		c->cap_effective = c->cap_ambient;
	}
}

/* Registers of a program that starts: all zero but pc and sp. */
static void reset_registers(const struct exec *e)
{
	struct task *t = current;
	struct pt_regs *regs = task_regs(t);

	memset(regs, 0, sizeof(*regs));
	regs->pc = e->entry;
	regs->sp = e->sp;
	regs->syscallno = (u64)NO_SYSCALL;
	regs->pstate = PSTATE_MODE_EL0;
	memset(&t->fpsimd, 0, sizeof(t->fpsimd));
	fpsimd_load(&t->fpsimd);
	t->tls = 0;
	user_tls_set(0);
}

static void reset_thread(void)
{
	struct task *t = current;

	t->altstack = (struct sigaltstack){.flags = SS_DISABLE};
	t->robust.head = 0;
	t->rseq.area = 0;
	t->clear_child_tid = 0;
	t->restart_fn = NULL;
	t->fault_addr = 0;
	t->fault_esr = 0;
}

/* The old mm is left as an exiting thread leaves it: whoever shares it may wait for us. */
static void leave_old_mm(struct task *t)
{
	if (!t->mmk.mm)
		return;
	exit_robust_list(t);
	if (t->clear_child_tid && t->proc->mm_shared) {
		(void)put_user(0u, u32, t->clear_child_tid);
		futex_wake_addr(t->clear_child_tid, 1);
	}
}

static void commit(struct exec *e)
{
	struct task *t = current;
	struct process *p = t->proc;
	struct file *old_exe;
	struct mmk_mm *old;

	leave_old_mm(t);
	old = switch_task_mm(e->loader.mm);
	t->mmk.personality = e->loader.personality;
	t->tagged_addr = false;
	e->loader.mm = NULL;
	vfork_complete(t);

	spin_lock_irq(&proc_lock);
	old_exe = p->exe;
	p->exe = e->file;
	e->file = NULL;
	p->kernel = false;
	p->execed = true;
	p->mm_shared = false;
	p->membarrier = 0;
	p->exit_signal = SIGCHLD;
	p->dumpable = !e->secure;
	memcpy(p->auxv, e->auxv, sizeof(p->auxv));
	sighand_flush(p->sighand);
	spin_unlock_irq(&proc_lock);

	ptimers_delete_all(p);
	p->sigreturn_tramp = e->tramp;
	commit_creds(e);
	set_comm(t, e->filename);
	files_close_on_exec(t->files);
	reset_thread();
	reset_registers(e);
	exe_put(old_exe);
	if (old)
		mmk_mm_put(old);
}

/* With the strings in place. */
static int run(struct exec *e)
{
	s32 pid = current->pid;
	int err;

	if (!e->args.count && !e->args.len) {
		err = arg_store_add(&e->args, "");
		if (err)
			return err;
	}
	err = resolve(e);
	if (!err)
		err = build(e);
	if (!err)
		err = kill_siblings();
	if (!err)
		err = unshare_tables();
	if (!err) {
		commit(e);
		trace_exec(pid);
	}
	return err;
}

/* ------------------------------------------------------------------ the calls */

static char *copy_path(u64 upath)
{
	char *path = kmalloc(EXEC_PATH_MAX);
	long n;

	if (!path)
		return (char *)-ENOMEM;
	n = strncpy_from_user(path, upath, EXEC_PATH_MAX);
	if (n < 0) {
		kfree(path);
		return (char *)n;
	}
	return path;
}

/* How a program that was opened by descriptor is called: /dev/fd/N[/path]. */
static char *fd_name(int dfd, const char *path)
{
	char *name = kmalloc(EXEC_PATH_MAX);

	if (name)
		snprintf(name, EXEC_PATH_MAX, "/dev/fd/%d%s%s", dfd, *path ? "/" : "", path);
	return name;
}

static bool fd_is_cloexec(int fd)
{
	struct files *files = current->files;
	unsigned long irq = spin_lock_irqsave(&files->lock);
	bool yes = (u32)fd < files->size && files->cloexec[fd];

	spin_unlock_irqrestore(&files->lock, irq);
	return yes;
}

/* Takes path over. */
static int open_program(struct exec *e, int dfd, char *path, u32 flags)
{
	struct file *file;
	int err;

	if (!*path && !(flags & AT_EMPTY_PATH)) {
		e->filename = path;
		return -ENOENT;
	}
	err = file_open_exec(dfd, path, flags, &file);
	if (!err)
		e->file = file;
	if (err || dfd == AT_FDCWD || *path == '/') {
		e->filename = path;
		return err;
	}
	e->filename = fd_name(dfd, path);
	kfree(path);
	if (!e->filename)
		return -ENOMEM;
	e->path_inaccessible = fd_is_cloexec(dfd);
	return 0;
}

static long do_execveat(int dfd, u64 upath, u64 uargv, u64 uenvp, u32 flags)
{
	struct exec *e;
	char *path;
	long err;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	path = copy_path(upath);
	if ((s64)path < 0 && (s64)path >= -4095)
		return (long)path;
	e = exec_alloc();
	if (!e) {
		kfree(path);
		return -ENOMEM;
	}
	err = open_program(e, dfd, path, flags);
	if (!err)
		err = arg_store_add_vector(&e->args, uargv);
	if (!err)
		err = arg_store_add_vector(&e->env, uenvp);
	if (!err)
		err = run(e);
	exec_free(e);
	return err;
}

long sys_execve(u64 path, u64 argv, u64 envp)
{
	return do_execveat(AT_FDCWD, path, argv, envp, 0);
}

long sys_execveat(u64 dfd, u64 path, u64 argv, u64 envp, u64 flags)
{
	return do_execveat((s32)dfd, path, argv, envp, (u32)flags);
}

int kernel_execve(const char *path, const char *const *argv, const char *const *envp)
{
	struct exec *e = exec_alloc();
	char *name = kmalloc(strlen(path) + 1);
	int err = -ENOMEM;

	if (e && name) {
		strcpy(name, path);
		err = open_program(e, AT_FDCWD, name, 0);
		for (; !err && *argv; argv++)
			err = arg_store_add(&e->args, *argv);
		for (; !err && *envp; envp++)
			err = arg_store_add(&e->env, *envp);
		if (!err)
			err = run(e);
	} else {
		kfree(name);
	}
	if (e)
		exec_free(e);
	return err;
}
