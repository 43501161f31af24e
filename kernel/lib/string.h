/* SPDX-License-Identifier: MIT */
/*
 * The part of <string.h> that a freestanding kernel needs. The compiler may emit calls to the mem*
 * functions on its own; those are in memory.S, the rest in string.c.
 */
#ifndef KERNEL_LIB_STRING_H
#define KERNEL_LIB_STRING_H

#include "kernel/lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strchrnul(const char *s, int c);
char *strcpy(char *dst, const char *src);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);
unsigned long strtoul(const char *s, char **end, int base);

/*
 * Copies at most size - 1 bytes and always terminates (when size > 0).
 * Returns strlen(src): the copy was cut when that is >= size.
 */
size_t strlcpy(char *dst, const char *src, size_t size);

/* Zeroes one 4 KiB-aligned multiple of 64 bytes with DC ZVA where the CPU allows it. */
void clear_pages(void *dst, size_t n);

#endif
