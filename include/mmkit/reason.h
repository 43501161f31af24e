/* SPDX-License-Identifier: MIT */
/*
 * Why a call was refused: one code for each distinct refusal, in mmk_task.reason right after the
 * call and in words from mmk_reason_text(). Comments say what the values a and b hold, where they
 * hold something. Numbers may change between releases; names do not.
 */
#ifndef MMKIT_REASON_H
#define MMKIT_REASON_H

enum mmk_reason_code {
	MMK_REASON_NONE,
	/* any call */
	MMK_REASON_KILLED,         /* while waiting for mmap_lock */
	MMK_REASON_ADDR_UNALIGNED, /* a: address */
	MMK_REASON_LENGTH_ZERO,
	MMK_REASON_LENGTH_WRAPS,     /* a: length */
	MMK_REASON_RANGE_WRAPS,      /* a: address, b: length */
	MMK_REASON_BEYOND_TASK_SIZE, /* a: address, b: length */
	MMK_REASON_NOT_MAPPED,       /* a: address */
	MMK_REASON_MAP_COUNT,        /* a: mappings, b: limit */
	MMK_REASON_SPLIT_MAP_COUNT,  /* a: address, b: limit */
	MMK_REASON_NO_MEMORY_VMA,
	MMK_REASON_NO_MEMORY_TABLES,
	MMK_REASON_RLIMIT_AS,       /* a: pages wanted in all, b: limit in pages */
	MMK_REASON_RLIMIT_DATA,     /* same */
	MMK_REASON_RLIMIT_STACK,    /* a: bytes wanted, b: limit */
	MMK_REASON_OVERCOMMIT,      /* a: pages wanted, b: limit in pages */
	MMK_REASON_SECURITY_MEMORY, /* a: pages, b: the hook's errno */
	MMK_REASON_MEMLOCK_ZERO,
	MMK_REASON_MEMLOCK_LIMIT, /* a: pages wanted in all, b: limit in pages */
	/* mmap, in the order of its steps */
	MMK_REASON_OFFSET_UNALIGNED, /* a: offset */
	MMK_REASON_BAD_FD,           /* a: descriptor */
	MMK_REASON_HUGETLB_FILE,     /* a: descriptor */
	MMK_REASON_HUGETLB_NONE,
	MMK_REASON_SECURITY_MMAP,    /* a: the hook's errno */
	MMK_REASON_PGOFF_WRAPS,      /* a: page offset, b: pages */
	MMK_REASON_LENGTH_TASK_SIZE, /* a: length */
	MMK_REASON_FIXED_UNALIGNED,  /* a: address */
	MMK_REASON_BELOW_MIN_ADDR,   /* a: address, b: mmap_min_addr */
	MMK_REASON_NOREPLACE,        /* a: address asked for, b: start of what is there */
	MMK_REASON_NO_GAP,           /* a: length */
	MMK_REASON_FILE_AREA,        /* a: the file's errno */
	MMK_REASON_FLAGS_VALIDATE,   /* a: the unknown flags */
	MMK_REASON_FILE_NOT_WRITABLE,
	MMK_REASON_FILE_APPEND_ONLY,
	MMK_REASON_MANDATORY_LOCK,
	MMK_REASON_FILE_NOT_READABLE,
	MMK_REASON_NOEXEC,
	MMK_REASON_FILE_NO_MMAP,
	MMK_REASON_GROWS_FILE,
	MMK_REASON_MAP_TYPE, /* a: flags */
	MMK_REASON_GROWS_SHARED,
	MMK_REASON_DROPPABLE_LOCKED,
	MMK_REASON_FILE_BUSY,
	MMK_REASON_SEALED,
	MMK_REASON_DRIVER, /* a: the driver's errno */
	MMK_REASON_NO_MEMORY_SHMEM,
	/* mprotect */
	MMK_REASON_PROT_BITS, /* a: the unknown bits */
	MMK_REASON_GROWS_BOTH,
	MMK_REASON_GROWS_NOT,  /* a: address of the mapping */
	MMK_REASON_PROT_NEVER, /* a: address of the mapping, b: prot */
	MMK_REASON_PKEY_FLAGS, /* a: flags, b: rights */
	MMK_REASON_PKEY_NONE,
	MMK_REASON_PKEY_NOT, /* a: key */
	/* mremap */
	MMK_REASON_MREMAP_FLAGS, /* a: the unknown flags */
	MMK_REASON_MREMAP_MAYMOVE,
	MMK_REASON_MREMAP_DONTUNMAP_LENGTH, /* a: old length, b: new length */
	MMK_REASON_MREMAP_DONTUNMAP_KIND,
	MMK_REASON_MREMAP_NEW_UNALIGNED, /* a: new address */
	MMK_REASON_MREMAP_OVERLAP,       /* a: old address, b: new address */
	MMK_REASON_MREMAP_PRIVATE,
	MMK_REASON_MREMAP_ACROSS, /* a: address, b: length */
	MMK_REASON_MREMAP_DONTEXPAND,
	MMK_REASON_MREMAP_IN_PLACE, /* a: address, b: new length */
	/* remap_file_pages */
	MMK_REASON_REMAP_PROT,   /* a: prot */
	MMK_REASON_REMAP_SHARED, /* a: address */
	MMK_REASON_REMAP_ACROSS, /* a: address where the mapping ends */
	/* msync, mincore, madvise, mlock */
	MMK_REASON_MSYNC_FLAGS,     /* a: flags */
	MMK_REASON_MSYNC_LOCKED,    /* a: address */
	MMK_REASON_MSYNC_SECRET,    /* a: address */
	MMK_REASON_WRITEBACK,       /* a: errno */
	MMK_REASON_VEC,             /* a: address */
	MMK_REASON_ADVICE,          /* a: advice */
	MMK_REASON_ADVICE_LOCKED,   /* a: address */
	MMK_REASON_ADVICE_SPECIAL,  /* a: address, b: advice */
	MMK_REASON_ADVICE_NOT_ANON, /* a: address */
	MMK_REASON_ADVICE_NO_FILE,  /* a: address */
	MMK_REASON_ADVICE_NOT_SHARED, /* a: address */
	MMK_REASON_ADVICE_DROPPABLE,  /* a: address, b: advice */
	MMK_REASON_REMOVE_FAILED,   /* a: errno */
	MMK_REASON_GUARD_NO_MEMORY, /* a: address */
	MMK_REASON_POPULATE_PROT,   /* a: address */
	MMK_REASON_POPULATE_FAULT,  /* a: address, b: errno */
	MMK_REASON_MLOCK_FLAGS,     /* a: flags */
	/* mseal, and what a seal forbids */
	MMK_REASON_MSEAL_FLAGS, /* a: flags */
	MMK_REASON_VMA_SEALED,  /* a: address of the mapping */
	/* memory policies */
	MMK_REASON_NODES,        /* a: the count of nodes, or a word of the mask */
	MMK_REASON_POLICY_MODE,  /* a: mode */
	MMK_REASON_POLICY_NODES, /* a: mode, b: nodes */
	MMK_REASON_POLICY_FLAGS, /* a: flags */
	MMK_REASON_POLICY_NO_NEXT, /* a: mode */
	MMK_REASON_POLICY_NONE,  /* a: address */
	MMK_REASON_MOVE_ALL,
	MMK_REASON_NOT_ATTACHED, /* a: address */
	/* brk, the stack */
	MMK_REASON_BRK_LOW,        /* a: asked for, b: start of the heap */
	MMK_REASON_BRK_IN_THE_WAY, /* a: asked for, b: start of what is there */
	MMK_REASON_BRK_NO_HEAP,    /* a: asked for */
	MMK_REASON_STACK_NOT,      /* a: address */
	MMK_REASON_STACK_GUARD,    /* a: address, b: end of what lies below */
	MMK_REASON_STACK_LOW,      /* a: address */
	/* prctl */
	MMK_REASON_PRCTL_ARG,    /* a: the argument */
	MMK_REASON_NAME_ADDRESS, /* a: address */
	MMK_REASON_NAME_LONG,    /* a: characters that a name may have */
	MMK_REASON_NAME_CHAR,    /* a: the character */
	MMK_REASON_NAME_FILE,    /* a: address of the mapping */
	MMK_REASON_MDWE,         /* a: protection */
	MMK_REASON_MDWE_SET,     /* a: bits in force */
	MMK_REASON_SET_MM_PRIVILEGE,
	MMK_REASON_BOUND, /* a: address */
	MMK_REASON_BOUNDS_ORDER,
	MMK_NR_REASONS
};

#endif
