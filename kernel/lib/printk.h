/* SPDX-License-Identifier: MIT */
/*
 * Messages to the console, formatted printing, and the end of the road. What is printed before the
 * console is found in the device tree is kept and appears once it is there.
 */
#ifndef KERNEL_LIB_PRINTK_H
#define KERNEL_LIB_PRINTK_H

#include <stdarg.h>

#include "kernel/lib/types.h"

enum log_level { LOG_EMERG = 0, LOG_ERR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

/*
 * Understands %c %s %p %d %i %u %x %X %o %%, the sizes hh h l ll z t j, widths and precisions (also
 * '*'), and the flags '-', '0', '+', ' ', '#'. Returns the length that the whole text has, as C99's
 * does.
 */
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
/* As above, but returns what was stored (without the NUL): safe to add up. */
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

void log_printf(enum log_level level, const char *fmt, ...) __printf(2, 3);
void log_vprintf(enum log_level level, const char *fmt, va_list ap) __printf(2, 0);

/* Messages of a less urgent level than this stay off the console ("quiet", "loglevel=N"). */
void log_set_level(enum log_level below);
/* The console's byte sink, once there is one; what was kept so far is written to it. */
void log_set_sink(void (*putc)(char c));

/* Plain messages: hidden by "quiet". */
#define printk(...)   log_printf(LOG_INFO, __VA_ARGS__)
#define pr_info(...)  log_printf(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) log_printf(LOG_DEBUG, __VA_ARGS__)
/* Shown even when quiet. */
#define pr_warn(...) log_printf(LOG_WARN, __VA_ARGS__)
#define pr_err(...)  log_printf(LOG_ERR, __VA_ARGS__)

struct pt_regs;

/* Prints the message and where it came from, and powers the machine off. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;
/* The same with the registers of an exception. */
void panic_regs(const struct pt_regs *regs, const char *fmt, ...) __printf(2, 3) __noreturn;
void show_regs(const struct pt_regs *regs);
void dump_stack(void);

#define BUG() panic("BUG at %s:%d", __FILE__, __LINE__)
#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			panic("BUG at %s:%d: %s", __FILE__, __LINE__, #cond);                      \
	} while (0)
/* True (and told, with a backtrace) when @cond holds. */
#define WARN_ON(cond)                                                                              \
	({                                                                                         \
		bool _warn = !!(cond);                                                             \
		if (unlikely(_warn)) {                                                             \
			pr_err("WARNING at %s:%d: %s\n", __FILE__, __LINE__, #cond);               \
			dump_stack();                                                              \
		}                                                                                  \
		unlikely(_warn);                                                                   \
	})

#endif
