/* SPDX-License-Identifier: MIT */
/*
 * From the end of the boot to the first program, and to the power switch.
 *
 * With a link to a host (see drivers/hostlink.h) PID 1 is a task of the kernel that runs the one
 * program that the host names, as PID 2. Without it PID 1 is init, as on any Linux machine.
 */
#include "kernel/arch/memory.h"
#include "kernel/arch/psci.h"
#include "kernel/arch/stack.h"
#include "kernel/boot.h"
#include "kernel/drivers/hostlink.h"
#include "kernel/drivers/virtio.h"
#include "kernel/exec/exec.h"
#include "kernel/fs/fs.h"
#include "kernel/init.h"
#include "kernel/irq.h"
#include "kernel/kworker.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/sched/oom.h"
#include "kernel/sched/grace.h"
#include "kernel/sched/sched.h"
#include "kernel/smp.h"

#define MAX_WORDS 256

/* The calling task leads a session and a group of its own. */
static void lead_session(void)
{
	struct process *p = current->proc;

	spin_lock_irq(&proc_lock);
	p->sid = p->tgid;
	p->pgid = p->tgid;
	spin_unlock_irq(&proc_lock);
}

/* ------------------------------------------------------------------ a program for the host */

struct link_job {
	const char *path;
	const char *cwd;
	const char **argv; /* max_argc words and a NULL */
	const char *envp[MAX_WORDS + 1];
	const char *mounts[16];
	u32 argc, max_argc, envc, nr_mounts;
	u32 tty_mask;
	bool report;
	char failure[256];
};

static struct link_job job;
static bool link_up; /* the host waits for a status */

static int add_word(const char **list, u32 *n, u32 max, const char *word)
{
	if (*n >= max)
		return -E2BIG;
	list[(*n)++] = word;
	return 0;
}

static int parse_config_word(const char *w)
{
	switch (*w) {
	case 'p':
		job.path = w + 1;
		return 0;
	case 'a':
		return add_word(job.argv, &job.argc, job.max_argc, w + 1);
	case 'v':
		return add_word(job.envp, &job.envc, MAX_WORDS, w + 1);
	case 'd':
		job.cwd = w + 1;
		return 0;
	case 't':
		for (w++; *w; w++)
			if (*w >= '0' && *w <= '2')
				job.tty_mask |= 1u << (*w - '0');
		return 0;
	case 'r':
		job.report = true;
		return 0;
	case 'm':
		return add_word(job.mounts, &job.nr_mounts, ARRAY_SIZE(job.mounts), w + 1);
	default:
		return -EINVAL;
	}
}

/* Room for every argument that the configuration has. */
static int alloc_argv(const char *config, size_t len)
{
	size_t i;

	job.max_argc = *config == 'a';
	for (i = 1; i < len; i++)
		job.max_argc += config[i] == 'a' && !config[i - 1];
	job.argv = kpages_alloc((job.max_argc + 1) * sizeof(*job.argv) / PAGE_SIZE + 1);
	if (!job.argv)
		return -ENOMEM;
	job.argv[job.max_argc] = NULL;
	return 0;
}

static int parse_config(void)
{
	size_t len, n;
	const char *c = hostlink_config(&len);
	int err = len ? alloc_argv(c, len) : -EINVAL;

	if (err)
		return err;
	for (; len; c += n, len -= n) {
		n = strnlen(c, len) + 1;
		if (n > len)
			return -EINVAL;
		err = parse_config_word(c);
		if (err)
			return err;
	}
	return job.path ? 0 : -EINVAL;
}

static int mount_all(void)
{
	char tag[64];
	const char *eq;
	u32 i;
	int err;

	for (i = 0; i < job.nr_mounts; i++) {
		eq = strchr(job.mounts[i], '=');
		if (!eq || (size_t)(eq - job.mounts[i]) >= sizeof(tag))
			return -EINVAL;
		memcpy(tag, job.mounts[i], eq - job.mounts[i]);
		tag[eq - job.mounts[i]] = '\0';
		err = vfs_mount_9p(tag, eq + 1);
		if (err) {
			snprintf(job.failure, sizeof(job.failure),
			         "cannot mount %s at %s: error %d", tag, eq + 1, -err);
			return err;
		}
	}
	return 0;
}

static const char *error_text(int err)
{
	switch (err) {
	case -ENOENT:
		return "No such file or directory";
	case -EACCES:
		return "Permission denied";
	case -ENOEXEC:
		return "Exec format error: not a program for arm64 Linux";
	case -ENOMEM:
		return "Cannot allocate memory";
	case -ELOOP:
		return "Too many levels of symbolic links";
	case -ENOTDIR:
		return "Not a directory";
	case -EISDIR:
		return "Is a directory";
	case -E2BIG:
		return "Argument list too long";
	case -ELIBBAD:
		return "Accessing a corrupted shared library";
	case -ETXTBSY:
		return "Text file busy";
	case -EIO:
		return "Input/output error";
	default:
		return NULL;
	}
}

static s32 start_failed(const char *what, const char *path, int err)
{
	const char *text = error_text(err);

	if (text)
		snprintf(job.failure, sizeof(job.failure), "%s%s: %s", what, path, text);
	else
		snprintf(job.failure, sizeof(job.failure), "%s%s: error %d", what, path, -err);
	return err == -ENOENT ? 127 : 126;
}

/* PID 2. */
static s32 program_main(void *arg)
{
	int err;

	lead_session();
	err = job.cwd ? fs_chdir(job.cwd) : 0;
	if (err)
		return start_failed("working directory ", job.cwd, err);
	err = fs_open_hostlink(job.tty_mask);
	if (err)
		return start_failed("standard input and output of ", job.path, err);
	err = kernel_execve(job.path, job.argv, job.envp);
	return err ? start_failed("", job.path, err) : 0;
}

/* The program has ended: everything else goes with it. */
static void end_the_rest(void)
{
	struct process *p;
	bool left;
	u32 status;

	do {
		left = false;
		spin_lock_irq(&proc_lock);
		for_each_process (p) {
			if (p->kernel)
				continue;
			left = true;
			send_locked(NULL, p, SIGKILL, NULL);
		}
		spin_unlock_irq(&proc_lock);
	} while (left && kernel_wait(&status) > 0);
}

static void report_out(const char *text, size_t n)
{
	hostlink_send(HOSTLINK_REPORT, text, n);
}

/* status: as wait4 has it. Does not return. */
static void __noreturn link_end(u32 status)
{
	u8 out[4] = {status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff};

	vfs_sync_all();
	if (*job.failure)
		hostlink_send(HOSTLINK_FAILED, job.failure, strlen(job.failure));
	hostlink_send(HOSTLINK_STATUS, out, sizeof(out));
	if (job.report)
		mm_report(report_out);
	hostlink_flush();
	machine_power_off();
}

void power_off(void)
{
	if (link_up)
		link_end(0);
	vfs_sync_all();
	machine_power_off();
}

static void __noreturn link_fail(const char *why, int err)
{
	if (!*job.failure)
		snprintf(job.failure, sizeof(job.failure), "%s: error %d", why, -err);
	link_end(126 << 8);
}

static void __noreturn link_main(void)
{
	u32 status = 126 << 8;
	s32 pid, got;
	int err = hostlink_init();

	if (err)
		panic("the host link does not answer: error %d", err);
	link_up = true;
	err = parse_config();
	if (err)
		link_fail("the host's configuration makes no sense", err);
	err = mount_all();
	if (err)
		link_fail("mount", err);
	pid = program_task_create("program", program_main, NULL);
	if (pid < 0)
		link_fail("the program's task", pid);
	do {
		got = kernel_wait(&status);
	} while (got > 0 && got != pid);
	end_the_rest();
	link_end(status);
}

/* ------------------------------------------------------------------ init */

static const char *init_argv[MAX_WORDS + 2];
static const char *init_envp[MAX_WORDS + 3] = {"HOME=/", "TERM=linux"};

/* Words of the command line that are ours, so not init's. */
static bool kernel_parameter(const char *key)
{
	static const char *const known[] = {
	    "audit",        "cgroup_disable",
	    "console",      "debug",
	    "earlycon",     "earlyprintk",
	    "init",         "init_on_alloc",
	    "init_on_free", "initrd",
	    "ip",           "kpti",
	    "loglevel",     "maxcpus",
	    "mem",          "mitigations",
	    "nokaslr",      "norandmaps",
	    "nosmp",        "panic",
	    "quiet",        "randomize_kstack_offset",
	    "rdinit",       "ro",
	    "root",         "rootdelay",
	    "rootflags",    "rootfstype",
	    "rootwait",     "rw",
	    "swiotlb",      "transparent_hugepage",
	    "vt",
	};
	unsigned i;

	/* With a dot it is a module's. */
	if (strchr(key, '.'))
		return true;
	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(key, known[i]))
			return true;
	return false;
}

/* "key=value" in memory of its own. */
static const char *join(const struct boot_param *p)
{
	size_t n = strlen(p->key) + strlen(p->value) + 2;
	char *s = kmalloc(n);

	if (s)
		snprintf(s, n, "%s=%s", p->key, p->value);
	return s;
}

static void collect_words(void)
{
	u32 argc = 1, envc = 2, i;

	for (i = 0; i < nr_boot_params; i++) {
		const struct boot_param *p = &boot_params[i];

		if (kernel_parameter(p->key))
			continue;
		if (!p->value)
			add_word(init_argv, &argc, MAX_WORDS, p->key);
		else if (!strcmp(p->key, "HOME") || !strcmp(p->key, "TERM"))
			init_envp[*p->key == 'T'] = join(p);
		else
			add_word(init_envp, &envc, MAX_WORDS, join(p));
	}
	for (i = 0; i < nr_boot_init_args; i++)
		add_word(init_argv, &argc, MAX_WORDS, boot_init_args[i]);
}

static int try_init(const char *path)
{
	int err;

	init_argv[0] = path;
	printk("Run %s as init process\n", path);
	err = kernel_execve(path, init_argv, init_envp);
	if (err && err != -ENOENT)
		pr_err("Starting init: %s exists but couldn't execute it (error %d)\n", path, err);
	return err;
}

static s32 start_init(void)
{
	static const char *const usual[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
	const char *rdinit = cmdline_get("rdinit"), *init = cmdline_get("init");
	unsigned i;
	int err;

	lead_session();
	err = fs_open_console(true);
	if (err)
		pr_warn("unable to open an initial console: error %d\n", err);
	collect_words();
	if (boot_info.initrd_end > boot_info.initrd_start) {
		if (!try_init(rdinit && *rdinit ? rdinit : "/init"))
			return 0;
	}
	if (init && *init) {
		err = try_init(init);
		if (!err)
			return 0;
		panic("Requested init %s failed (error %d).", init, err);
	}
	for (i = 0; i < ARRAY_SIZE(usual); i++)
		if (!try_init(usual[i]))
			return 0;
	panic("No working init found. Try passing init= option to kernel.");
}

/* ------------------------------------------------------------------ PID 1 */

/* What PID 1 was made with knew no root yet. */
static int enter_root(void)
{
	struct fs *old = current->fs, *fs = fs_new();

	if (!fs)
		return -ENOMEM;
	current->fs = fs;
	fs_put(old);
	return 0;
}

static s32 init_main(void *arg)
{
	int err;

	drivers_may_sleep = true;
	kworker_start();
	oom_start();
	kstack_test();
	err = vfs_init();
	if (!err)
		err = vfs_mount_root();
	if (!err)
		err = enter_root();
	if (err)
		panic("Unable to mount root fs: error %d", err);
	if (hostlink_present())
		link_main();
	return start_init();
}

void kernel_init(void)
{
	s32 pid;

	sched_init();
	futex_init();
	smp_start_cpus();
	grace_init();
	local_irq_enable();
	pid = program_task_create("init", init_main, NULL);
	if (pid < 0)
		panic("no memory for the first task");
	schedule();
	sched_idle();
}
