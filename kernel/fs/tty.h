/* SPDX-License-Identifier: MIT */
/* Terminals: what the line discipline, the ioctls and the two consoles share. */
#ifndef KERNEL_FS_TTY_H
#define KERNEL_FS_TTY_H

#include "kernel/fs/vfs.h"

/* termios flags, Linux's values */
#define T_BRKINT  0x0002u
#define T_ISTRIP  0x0020u
#define T_INLCR   0x0040u
#define T_IGNCR   0x0080u
#define T_ICRNL   0x0100u
#define T_IXON    0x0400u
#define T_IXANY   0x0800u
#define T_OPOST   0x0001u
#define T_ONLCR   0x0004u
#define T_OCRNL   0x0008u
#define T_ONLRET  0x0020u
#define T_ISIG    0x0001u
#define T_ICANON  0x0002u
#define T_ECHO    0x0008u
#define T_ECHOE   0x0010u
#define T_ECHOK   0x0020u
#define T_ECHONL  0x0040u
#define T_NOFLSH  0x0080u
#define T_TOSTOP  0x0100u
#define T_ECHOCTL 0x0200u
#define T_ECHOKE  0x0800u
#define T_IEXTEN  0x8000u

enum {
	VINTR,
	VQUIT,
	VERASE,
	VKILL,
	VEOF,
	VTIME,
	VMIN,
	VSWTC,
	VSTART,
	VSTOP,
	VSUSP,
	VEOL,
	VREPRINT,
	VDISCARD,
	VWERASE,
	VLNEXT,
	VEOL2
};

#define TTY_BUF 4096u /* of input, a power of two */

struct tty_backend {
	/* Send bytes; may sleep. */
	void (*write)(const char *buf, size_t n);
	bool (*winsize)(u16 *rows, u16 *cols); /* false: not known; may be NULL */
	void (*room)(void);                    /* input has been read; may be NULL */
};

struct tty {
	const char *name;                  /* [I] */
	u32 rdev;                          /* [I] */
	const struct tty_backend *backend; /* [I] */

	/* What the interrupt has received. */
	struct spinlock raw_lock; /* taken with interrupts off */
	u32 raw_head, raw_tail;   /* raw_lock */
	u8 raw[256];              /* raw_lock */
	struct wait_queue raw_wq; /* the terminal's task waits here */

	struct mutex lock; /* of what follows */
	struct abi_termios t;
	struct abi_winsize ws;
	/*
	 * Input: [tail, done) can be read (a canonical reader sees whole lines only), [done, head)
	 * is the line being edited. Counters of bytes, modulo 2^32.
	 */
	u32 tail, done, head;
	u8 buf[TTY_BUF];
	u8 ends[TTY_BUF]; /* 0; LINE_END after a delimiter; LINE_EOF: not part of the text */
	bool literal;     /* ^V was typed */
	bool stopped;     /* ^S */
	bool hung_up;     /* no more input will come */
	u32 hangups;      /* files opened before the last one are cut off */
	struct wait_queue rd, wr;

	struct mutex out_lock; /* one write at a time */

	s32 session, pgrp; /* proc_lock; 0: none */
};
#define LINE_END 1
#define LINE_EOF 2

extern struct tty console_tty, link_tty;
extern const struct file_ops tty_file_ops;

/* tty.c */
void tty_setup(struct tty *tty, const char *name, u32 rdev, const struct tty_backend *backend);
struct tty *tty_of(struct file *f);
/* The terminal has been hung up since f was opened: f reads nothing more, and can do nothing else.
 */
bool tty_cut_off(const struct file *f);
/* Bytes through output processing to the backend. */
void tty_output(struct tty *tty, const char *buf, size_t n);

/* tty_ldisc.c */
void tty_input(struct tty *tty, const u8 *buf, size_t n); /* received; may sleep */
bool tty_has_room(const struct tty *tty);
ssize_t tty_read_input(struct file *f, struct tty *tty, char *buf, size_t n);
bool tty_readable(const struct tty *tty);
u32 tty_available(struct tty *tty);
void tty_flush_input(struct tty *tty);
void tty_hangup_input(struct tty *tty);
void tty_cut_files(struct tty *tty); /* all that are open now, /dev/console excepted */

/* tty_ioctl.c */
long tty_ioctl(struct file *f, u32 cmd, u64 arg);
/* May the caller read (SIGTTIN), write or change (SIGTTOU) its terminal? 0, -EIO, -ERESTARTSYS. */
int tty_job_control(struct tty *tty, int sig);
void tty_signal(struct tty *tty, int sig); /* to the foreground group */
void tty_set_winsize(struct tty *tty, u16 rows, u16 cols);
/* The calling session leader gets it as controlling terminal, if both have none. */
void tty_acquire(struct tty *tty);

/* console.c */
int console_init(void);
int link_tty_start(void);

#endif
