/* SPDX-License-Identifier: MIT */
/*
 * The console log. Lines go out at once when there is a sink; what comes before is kept (its first
 * few kilobytes) together with its level, since "quiet" is not known yet either.
 */
#include "kernel/lib/panic.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/spinlock.h"

#define LINE_MAX_LEN 512
#define EARLY_SIZE   4096

static struct spinlock log_lock;
static void (*log_sink)(char c);             /* log_lock */
static enum log_level log_below = LOG_DEBUG; /* less urgent stays hidden; log_lock */
static char early_log[EARLY_SIZE];           /* log_lock: level byte, text, NUL; repeated */
static size_t early_len;                     /* log_lock */

static void sink_text(const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			log_sink('\r');
		log_sink(*s);
	}
}

static void keep_early(enum log_level level, const char *text)
{
	size_t n = strlen(text) + 1;

	if (early_len + 1 + n > sizeof(early_log))
		return;
	early_log[early_len++] = (char)level;
	memcpy(early_log + early_len, text, n);
	early_len += n;
}

void log_vprintf(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_LEN];
	unsigned long flags;

	vsnprintf(line, sizeof(line), fmt, ap);
	flags = spin_lock_irqsave(&log_lock);
	if (!log_sink)
		keep_early(level, line);
	else if (level < log_below)
		sink_text(line);
	spin_unlock_irqrestore(&log_lock, flags);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprintf(level, fmt, ap);
	va_end(ap);
}

void log_set_level(enum log_level below)
{
	log_below = below;
}

void log_set_sink(void (*putc)(char c))
{
	unsigned long flags = spin_lock_irqsave(&log_lock);
	size_t i = 0;

	log_sink = putc;
	while (i < early_len) {
		enum log_level level = (enum log_level)early_log[i++];

		if (level < log_below)
			sink_text(early_log + i);
		i += strlen(early_log + i) + 1;
	}
	early_len = 0;
	spin_unlock_irqrestore(&log_lock, flags);
}

/* A dying machine does not wait for a lock whose holder may be the one that dies. */
void log_break_lock(void)
{
	spin_init(&log_lock);
}
