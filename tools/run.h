/* SPDX-License-Identifier: MIT */
/*
 * The launcher behind `./mmkit run`: what its parts share.
 *
 *   options.c    the command line                      -> struct run_config
 *   program.c    which file PROGRAM means, and where the guest sees it
 *   elfcheck.c   would a kernel be able to start that file at all?
 *   rootwalk.c   path lookup as the guest would do it, inside a directory
 *   machine.c    QEMU's command line, and the process
 *   link.c       the frames that travel between host and guest
 *   session.c    the loop that carries bytes until the machine ends
 *   terminal.c   raw mode and the way back
 */
#ifndef MMKIT_TOOLS_RUN_H
#define MMKIT_TOOLS_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Exit statuses of our own; every other one is the guest program's. */
enum {
	EXIT_IO = 1,         /* standard output could not be written */
	EXIT_BAD_CALL = 2,   /* the user's call is at fault: one line says how */
	EXIT_MACHINE = 125,  /* the machine could not be started, or died */
	EXIT_SIGNALED = 128, /* + the signal that ended us */
};

#define RUN_MAX_SHARES 6

/* A host directory that the guest mounts at @guest_path. */
struct share {
	const char *tag;
	char *host_dir;
	const char *guest_path;
};

struct run_config {
	const char *kernel; /* the Image */
	const char *tree;   /* the default root: Debian's busybox */
	const char *tour;   /* the program of the tour */
	const char *root;   /* --root, or NULL for the tree */
	const char *cpu;
	const char *append; /* --append, or "" */
	const char *initrd; /* --initrd, or NULL */
	unsigned long mem_mib;
	unsigned int smp;
	bool icount;
	bool report;

	char **argv;         /* PROGRAM and its arguments, NULL-terminated */
	char *guest_program; /* path of PROGRAM as the guest sees it */
	const char *guest_cwd;
	const char *guest_path; /* the guest's PATH */
	struct share shares[RUN_MAX_SHARES];
	unsigned int nr_shares;
};

/* main.c: one line on standard error, then the end. */
void die(int status, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));
void *xrealloc(void *old, size_t size);
char *xprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* options.c: dies with EXIT_BAD_CALL, so returns only a sound configuration. */
void options_parse(struct run_config *cfg, int argc, char **argv);

/* program.c: fills guest_program, guest_cwd and the shares; dies with EXIT_BAD_CALL. */
void program_place(struct run_config *cfg);
void run_add_share(struct run_config *cfg, const char *tag, const char *host_dir,
                   const char *guest_path);

/*
 * elfcheck.c: NULL if the file at host path @file can be started as an arm64 program, else why not,
 * as the rest of a sentence that begins with the file's name. *@interp receives the interpreter
 * that it asks for (of a script or a dynamic program), or NULL.
 */
char *elfcheck(const char *file, char **interp);

/*
 * rootwalk.c: the host path of guest path @path, each symbolic link followed as the guest would:
 * absolute ones begin at @root again, ".." never leaves it. NULL and errno if there is no such
 * file.
 */
char *rootwalk(const char *root, const char *path);

/* machine.c: our ends of what connects us to QEMU. */
struct machine {
	pid_t pid;
	int link;    /* hostlink frames; -1 with --initrd */
	int console; /* the PL011 */
	int errors;  /* QEMU's own standard error */
};

void machine_start(struct machine *m, const struct run_config *cfg);
void machine_kill(struct machine *m);

/* session.c: the whole life of one guest; returns the exit status. */
int session_run(const struct run_config *cfg);

/* terminal.c */
void terminal_raw(void);
void terminal_restore(void);
bool terminal_size(uint16_t *rows, uint16_t *columns);

#endif
