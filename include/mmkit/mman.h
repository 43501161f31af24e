/* SPDX-License-Identifier: MIT */
/* The numbers of the Linux arm64 memory ABI (man 2 mmap, mprotect, madvise, ...), with a prefix. */
#ifndef MMKIT_MMAN_H
#define MMKIT_MMAN_H

#define MMK_PROT_NONE	   0x0ul
#define MMK_PROT_READ	   0x1ul
#define MMK_PROT_WRITE	   0x2ul
#define MMK_PROT_EXEC	   0x4ul
#define MMK_PROT_SEM	   0x8ul
#define MMK_PROT_BTI	   0x10ul
#define MMK_PROT_MTE	   0x20ul
#define MMK_PROT_GROWSDOWN 0x01000000ul
#define MMK_PROT_GROWSUP   0x02000000ul

#define MMK_MAP_SHARED		0x01ul
#define MMK_MAP_PRIVATE		0x02ul
#define MMK_MAP_SHARED_VALIDATE 0x03ul
#define MMK_MAP_DROPPABLE	0x08ul
#define MMK_MAP_TYPE		0x0ful
#define MMK_MAP_FIXED		0x10ul
#define MMK_MAP_ANONYMOUS	0x20ul
#define MMK_MAP_GROWSDOWN	0x0100ul
#define MMK_MAP_DENYWRITE	0x0800ul
#define MMK_MAP_EXECUTABLE	0x1000ul
#define MMK_MAP_LOCKED		0x2000ul
#define MMK_MAP_NORESERVE	0x4000ul
#define MMK_MAP_POPULATE	0x8000ul
#define MMK_MAP_NONBLOCK	0x10000ul
#define MMK_MAP_STACK		0x20000ul
#define MMK_MAP_HUGETLB		0x40000ul
#define MMK_MAP_SYNC		0x80000ul
#define MMK_MAP_FIXED_NOREPLACE 0x100000ul

/* Memory policies: modes, flags within the mode, flags of get_mempolicy, of mbind. */
#define MMK_MPOL_DEFAULT             0u
#define MMK_MPOL_PREFERRED           1u
#define MMK_MPOL_BIND                2u
#define MMK_MPOL_INTERLEAVE          3u
#define MMK_MPOL_LOCAL               4u
#define MMK_MPOL_PREFERRED_MANY      5u
#define MMK_MPOL_WEIGHTED_INTERLEAVE 6u
#define MMK_MPOL_F_NUMA_BALANCING    0x2000u
#define MMK_MPOL_F_RELATIVE_NODES    0x4000u
#define MMK_MPOL_F_STATIC_NODES	     0x8000u
#define MMK_MPOL_MODE_FLAGS	     0xe000u
#define MMK_MPOL_F_NODE		     1ul
#define MMK_MPOL_F_ADDR		     2ul
#define MMK_MPOL_F_MEMS_ALLOWED	     4ul
#define MMK_MPOL_MF_STRICT	     1u
#define MMK_MPOL_MF_MOVE	     2u
#define MMK_MPOL_MF_MOVE_ALL	     4u

/* Rights that a protection key may lack: access, write, execute, read. */
#define MMK_PKEY_ACCESS_MASK 0xful

#define MMK_MREMAP_MAYMOVE   1ul
#define MMK_MREMAP_FIXED     2ul
#define MMK_MREMAP_DONTUNMAP 4ul

#define MMK_MS_ASYNC	  1
#define MMK_MS_INVALIDATE 2
#define MMK_MS_SYNC	  4

#define MMK_MCL_CURRENT	  1
#define MMK_MCL_FUTURE	  2
#define MMK_MCL_ONFAULT	  4
#define MMK_MLOCK_ONFAULT 1

#define MMK_MADV_NORMAL	      0
#define MMK_MADV_RANDOM	      1
#define MMK_MADV_SEQUENTIAL   2
#define MMK_MADV_WILLNEED     3
#define MMK_MADV_DONTNEED     4
#define MMK_MADV_FREE	      8
#define MMK_MADV_REMOVE	      9
#define MMK_MADV_DONTFORK     10
#define MMK_MADV_DOFORK	      11
#define MMK_MADV_DONTDUMP     16
#define MMK_MADV_DODUMP	      17
#define MMK_MADV_WIPEONFORK   18
#define MMK_MADV_KEEPONFORK   19
#define MMK_MADV_COLD	      20
#define MMK_MADV_PAGEOUT      21
#define MMK_MADV_POPULATE_READ	22
#define MMK_MADV_POPULATE_WRITE 23
#define MMK_MADV_DONTNEED_LOCKED 24
#define MMK_MADV_COLLAPSE     25
#define MMK_MADV_GUARD_INSTALL 102
#define MMK_MADV_GUARD_REMOVE  103

#define MMK_ADDR_NO_RANDOMIZE  0x0040000u
#define MMK_MMAP_PAGE_ZERO     0x0100000u
#define MMK_ADDR_COMPAT_LAYOUT 0x0200000u
#define MMK_READ_IMPLIES_EXEC  0x0400000u

#define MMK_PR_SET_MM		      35
#define MMK_PR_SET_MM_START_CODE      1
#define MMK_PR_SET_MM_START_STACK     5
#define MMK_PR_SET_MM_ARG_START	      8
#define MMK_PR_SET_MM_ENV_END	      11
#define MMK_PR_SET_THP_DISABLE	      41
#define MMK_PR_GET_THP_DISABLE	      42
#define MMK_PR_SET_MDWE		      65
#define MMK_PR_GET_MDWE		      66
#define MMK_PR_MDWE_REFUSE_EXEC_GAIN  1u
#define MMK_PR_MDWE_NO_INHERIT	      2u
#define MMK_PR_SET_VMA		      0x53564d41
#define MMK_PR_SET_VMA_ANON_NAME      0

/* vm_flags of a VMA; the first eight are Linux's values, shown by smaps and checked by drivers. */
#define MMK_VM_READ	  0x00000001ull
#define MMK_VM_WRITE	  0x00000002ull
#define MMK_VM_EXEC	  0x00000004ull
#define MMK_VM_SHARED	  0x00000008ull
#define MMK_VM_MAYREAD	  0x00000010ull
#define MMK_VM_MAYWRITE	  0x00000020ull
#define MMK_VM_MAYEXEC	  0x00000040ull
#define MMK_VM_MAYSHARE	  0x00000080ull
#define MMK_VM_GROWSDOWN  0x00000100ull
#define MMK_VM_PFNMAP	  0x00000400ull /* frames without a struct page of ours */
#define MMK_VM_DENYWRITE  0x00000800ull
#define MMK_VM_LOCKED	  0x00002000ull
#define MMK_VM_IO	  0x00004000ull
#define MMK_VM_SEQ_READ	  0x00008000ull
#define MMK_VM_RAND_READ  0x00010000ull
#define MMK_VM_DONTCOPY	  0x00020000ull
#define MMK_VM_DONTEXPAND 0x00040000ull
#define MMK_VM_LOCKONFAULT 0x00080000ull
#define MMK_VM_ACCOUNT	  0x00100000ull
#define MMK_VM_NORESERVE  0x00200000ull
#define MMK_VM_ARM64_BTI  0x01000000ull /* guarded pages: indirect branches need a landing pad */
#define MMK_VM_SYNC	  0x00800000ull
#define MMK_VM_WIPEONFORK 0x02000000ull
#define MMK_VM_DONTDUMP	  0x04000000ull
#define MMK_VM_SOFTDIRTY  0x08000000ull
#define MMK_VM_MIXEDMAP	  0x10000000ull
#define MMK_VM_NOHUGEPAGE 0x40000000ull
#define MMK_VM_MTE_ALLOWED (1ull << 36) /* heap and stack: may be tagged, on a CPU that can */
#define MMK_VM_DROPPABLE  (1ull << 40) /* its pages may be taken at any time */
#define MMK_VM_SEALED	  (1ull << 63) /* mseal(2) */

#endif
