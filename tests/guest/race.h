/* SPDX-License-Identifier: MIT */
/* What the parts of the race share: its regions, what is in them, and one access that may fault. */
#ifndef MMKIT_TESTS_GUEST_RACE_H
#define MMKIT_TESTS_GUEST_RACE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE       4096ul
#define TABLE_SPAN (512 * PAGE)
#define STRETCH    8
#define STRETCHES  40
#define PAGES      (STRETCH * STRETCHES) /* of a region: two tables map them */
#define GAP        64
#define WORDS      3 /* of a page that are looked at */
#define THREADS    8

#define TAG_MAGIC 0x4d4bul
#define CHILD     0x80 /* in a tag's writer */

enum {
	OWN_ANON,
	WILD_ANON,
	NR_ANON,
	OWN_SHMEM = NR_ANON,
	OWN_FILE,
	OWN_COPY,
	WILD_SHMEM,
	WILD_FILE,
	WILD_COPY,
	NR_REGIONS
};
enum { NO_FILE = -1, FILE_SHMEM, FILE_OWNED, FILE_BASE, FILE_WILD_SHMEM, FILE_WILD, NR_FILES };
enum count_kind {
	COUNT_ACCESS,
	COUNT_SEGV,
	COUNT_BUS,
	COUNT_OWNED,
	COUNT_WILD,
	COUNT_FORK,
	NR_COUNTS
};

struct region {
	const char *name;
	char *base;
	int file;
	bool owned, private;
	pthread_mutex_t lock[STRETCHES];
	uint64_t value[PAGES]; /* what all words of a page hold; its stretch's lock */
};

struct racer {
	pthread_t thread;
	int nr; /* from 1 */
	uint64_t rng, seq;
	char *scratch; /* room for two regions, nobody else's */
};

extern struct region regions[NR_REGIONS];
extern int files[NR_FILES];
extern bool i_am_child;

void fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void count(enum count_kind kind);
uint32_t random_below(struct racer *me, uint32_t n);

/* An access that may fault: the signal, or 0. */
int load(const volatile uint64_t *at, uint64_t *value);
int store(volatile uint64_t *at, uint64_t value);
/* A word of page @page_nr of what is at @base. */
size_t word_offset(int page_nr, int which);
volatile uint64_t *word_at(char *base, int page_nr, int which);
uint64_t tag(int region, int page_nr, int writer, uint64_t seq);
/* Looks at one word of a region at any time: a fault or what may stand there. */
void peek(int r, int page_nr, int which);

/* Maps pages of a region as they were at first. */
void map_range(int r, int first, int pages);

/* The stretch that begins at @first, mapped at @base + @first pages, holds what it must. */
void verify(int r, int first, char *base, const char *when);
void change_owned(struct racer *me);
void change_wild(struct racer *me);
void fork_wild(struct racer *me);

#endif
