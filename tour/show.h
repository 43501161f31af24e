/* SPDX-License-Identifier: MIT */
/* How the tour shows memory: VMAs, page table entries and frames as the kernel tells them. */
#ifndef MMKIT_TOUR_SHOW_H
#define MMKIT_TOUR_SHOW_H

#include <stdbool.h>
#include <stddef.h>

void show_begin(void);
int show_end(void); /* the exit status */

void chapter(int number, const char *title, const char *gist);
void step(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void explain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The mappings in @pages pages from @at, each page's PTE, and with @fd >= 0 the file by read(2). */
void show(const char *at, unsigned int pages, int fd);

/* What /proc/self/pagemap says of a page. */
bool is_present(const char *at);
bool is_file(const char *at);
unsigned long frame_of(const char *at);

/* Says whether what was claimed came true, and remembers it if not. */
void expect(bool came_true, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
unsigned int surprises(void);

/* The tour cannot go on: says what failed, with errno. */
void stop(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
