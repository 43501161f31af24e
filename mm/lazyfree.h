/* SPDX-License-Identifier: MIT */
/* Pages that may be taken from their program: madvise(MADV_FREE), MAP_DROPPABLE. See lazyfree.c. */
#ifndef MM_LAZYFREE_H
#define MM_LAZYFREE_H

#include "mm/internal.h"

/*
 * What a program gives up from now on: the private anonymous pages there, in tables that are its own.
 * mmap_lock held.
 */
void lazyfree_range(struct vm_area_struct *vma, unsigned long start, unsigned long end);
/* They are to stay after all (mlock). mmap_lock held. */
void lazyfree_keep(struct mm_struct *mm, unsigned long start, unsigned long end);
/* Take those there at once (MADV_PAGEOUT); how many. mmap_lock held. */
uint64_t lazyfree_take_range(struct vm_area_struct *vma, unsigned long start, unsigned long end);
/*
 * Take up to `want` of them from any program; how many. No spinlock held; mmap_locks may be. Does
 * not sleep.
 */
uint64_t lazyfree_reclaim(struct mmk_system *sys, uint64_t want);
/* The table, whose lock is held, gets entries of another one that had lazily freed pages. */
void lazyfree_hint(struct mm_struct *mm, struct page *table);
/* The mm gets a mapping whose pages are droppable. */
void mm_note_droppable(struct mm_struct *mm);

#endif
