/* SPDX-License-Identifier: MIT */
/*
 * execve(2), in three steps: find out what the file is (exec.c, script.c), build the new address
 * space beside the old one (elf.c, stack.c), and only then become it (commit in exec.c), which
 * cannot fail.
 */
#ifndef KERNEL_EXEC_EXEC_H
#define KERNEL_EXEC_EXEC_H

#include <mmkit/mmkit.h>

#include "kernel/lib/types.h"
#include "kernel/sched/task.h"

struct file;

#define EXEC_HEAD_SIZE 256 /* bytes of the file that decide what it is */
#define EXEC_MAX_DEPTH 5   /* scripts of scripts */
#define EXEC_PATH_MAX  4096
#define MAX_ARG_STRLEN 131072

/* Strings one behind the other, with their NULs, in pages. */
struct arg_store {
	char **page;
	u32 max_pages;
	u64 len;
	u32 count;
};

struct exec {
	struct mmk_task loader; /* the caller's, with the new mm */
	struct file *file;      /* the program; its writers are denied */
	char *filename;         /* as the caller gave it: AT_EXECFN, comm */
	char *interp_path;      /* the file of the innermost script: NULL without */
	char head[EXEC_HEAD_SIZE];
	u32 head_len;
	bool path_inaccessible; /* opened by a close-on-exec descriptor: a script cannot be read
	                           again */

	struct arg_store prefix; /* what scripts put before argv[1] */
	struct arg_store args;   /* argv of the caller */
	struct arg_store env;
	bool drop_argv0; /* prefix replaces it */

	/* elf.c */
	bool exec_stack;
	u64 entry;      /* where the first instruction is */
	u64 prog_entry; /* AT_ENTRY */
	u64 phdr;       /* AT_PHDR */
	u16 phnum;
	u64 interp_base; /* AT_BASE */
	struct mmk_mm_bounds bounds;
	unsigned long stack_top;

	/* stack.c */
	u64 sp;
	u64 auxv[AUXV_MAX];

	u64 vdso;       /* AT_SYSINFO_EHDR */
	u64 tramp;      /* of rt_sigreturn, in it */
	u32 euid, egid; /* after set-user-ID */
	bool secure;
};

/* args.c */
int arg_store_init(struct arg_store *s, u64 max_bytes);
void arg_store_free(struct arg_store *s);
/* A string of the kernel or of the user: 0, -E2BIG, -EFAULT, -ENOMEM. */
int arg_store_add(struct arg_store *s, const char *str);
int arg_store_add_user(struct arg_store *s, u64 addr);
/* All strings of a NULL-terminated array of user pointers. */
int arg_store_add_vector(struct arg_store *s, u64 uvec);
void arg_store_read(const struct arg_store *s, u64 pos, void *buf, size_t n);
/* Position behind the NUL of the string at pos. */
u64 arg_store_next(const struct arg_store *s, u64 pos);

/* script.c: `e` is a #! script: make it the execution of its interpreter. */
bool exec_is_script(const struct exec *e);
int exec_script(struct exec *e);

/* elf.c: map the program, and its interpreter, into e->loader.mm. -ENOEXEC: no ELF for this
 * machine. */
int exec_load_elf(struct exec *e);

/* stack.c: the stack with its strings, vectors and auxv. */
int exec_setup_stack(struct exec *e);

/* Execute a program in the place of the calling (kernel) task, from kernel strings. Does not return
 * on success but to user mode. */
int kernel_execve(const char *path, const char *const *argv, const char *const *envp);

#endif
