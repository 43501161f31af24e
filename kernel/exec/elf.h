/* SPDX-License-Identifier: MIT */
/* ELF-64 and the auxiliary vector: the parts that a loader needs (System V gABI, ch. 4 and 5). */
#ifndef KERNEL_EXEC_ELF_H
#define KERNEL_EXEC_ELF_H

#include "kernel/lib/types.h"

#define ELF_IDENT_LE64 "\177ELF\2\1\1" /* 64 bits, little endian, version 1 */
#define ELF_IDENT_LEN  7

#define ET_EXEC    2
#define ET_DYN     3
#define EM_AARCH64 183

#define PT_LOAD         1u
#define PT_INTERP       3u
#define PT_GNU_STACK    0x6474e551u
#define PT_GNU_PROPERTY 0x6474e553u

#define PF_X 1u
#define PF_W 2u
#define PF_R 4u

struct elf64_ehdr {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf64_ehdr) == 64, "Elf64_Ehdr");

struct elf64_phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf64_phdr) == 56, "Elf64_Phdr");

/* The one note of PT_GNU_PROPERTY: this, then properties, each padded to 8 bytes. */
struct elf_property_note {
	u32 namesz, descsz, type;
	u8 name[4];
};
struct elf_property {
	u32 type, size;
	u32 value; /* of those that have 4 bytes */
};
#define NT_GNU_PROPERTY_TYPE_0             5
#define GNU_PROPERTY_AARCH64_FEATURE_1_AND 0xc0000000u
#define GNU_PROPERTY_AARCH64_FEATURE_1_BTI 1u
#define ELF_PROPERTIES_MAX                 1024

#define AT_NULL              0
#define AT_PHDR              3
#define AT_PHENT             4
#define AT_PHNUM             5
#define AT_PAGESZ            6
#define AT_BASE              7
#define AT_FLAGS             8
#define AT_ENTRY             9
#define AT_UID               11
#define AT_EUID              12
#define AT_GID               13
#define AT_EGID              14
#define AT_PLATFORM          15
#define AT_HWCAP             16
#define AT_CLKTCK            17
#define AT_SECURE            23
#define AT_RANDOM            25
#define AT_HWCAP2            26
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN        28
#define AT_EXECFN            31
#define AT_SYSINFO_EHDR      33
#define AT_MINSIGSTKSZ       51

#endif
