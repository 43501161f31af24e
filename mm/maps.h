/* SPDX-License-Identifier: MIT */
/* What the text files about VMAs share (maps.c, smaps.c, numa_maps.c). */
#ifndef MM_MAPS_H
#define MM_MAPS_H

#include "mm/internal.h"
#include "mm/text.h"

/* One VMA as text; path is a page to build names in. mmap_lock is held for reading. */
typedef void vma_text_fn(struct text *t, struct vm_area_struct *vma, char *path,
                         const struct mmk_task *task);

/*
 * Whole pieces of text, one for each VMA that ends above *pos, which moves on to the first one not
 * shown. Bytes; 0 at the end; -ENOMEM; -EOVERFLOW where not even one piece fits.
 */
long stream_vmas(const struct mmk_task *task, struct mm_struct *mm, uint64_t *pos, char *buf,
                 size_t size, vma_text_fn *show);

/* fn for each page that the VMA maps and that counts, under the lock of its table. */
typedef void mapped_page_fn(void *arg, const struct page *page, pte_t pte, int32_t mapcount);
void each_mapped_page(const struct vm_area_struct *vma, mapped_page_fn *fn, void *arg);

/* The line of maps. */
void maps_line(struct text *t, struct vm_area_struct *vma, char *path, const struct mmk_task *task);
/* Its beginning, up to the inode number. */
void maps_range(struct text *t, unsigned long start, unsigned long end, uint64_t vm_flags);
/* The column where names begin. */
void maps_pad(struct text *t);
/* A file's path; characters of `escape`, which would break the format, as \ooo. */
void maps_path(struct text *t, const struct vm_area_struct *vma, char *path, const char *escape);
/* What stands behind the inode number: a path, [heap], [anon:...], or nothing. */
void maps_name(struct text *t, struct vm_area_struct *vma, char *path, const char *escape);
/* Device and inode of its file; zeros without one. */
void vma_file_id(const struct vm_area_struct *vma, uint32_t *major, uint32_t *minor, uint64_t *ino);
/* Shared memory without a file that has a name of the embedder's. */
bool vma_is_shmem_zero(const struct vm_area_struct *vma);
bool vma_is_heap(const struct vm_area_struct *vma), vma_is_stack(const struct vm_area_struct *vma);

#endif
