/* SPDX-License-Identifier: MIT */
/* Branch target identification: PROT_BTI makes guarded pages, in which indirect branches need a
 * landing pad. */
#define ABI_CPU "max" /* where behaviours of this family run: a CPU that has it */
#include "abi.h"

#include <elf.h>

#ifdef __aarch64__

#define GUARDED    (PROT_READ | PROT_EXEC | PROT_BTI)
#define INSN_BTI_C 0xd503245f
#define INSN_RET   0xd65f03c0
#define INSN_NOP   0xd503201f

/* Two functions: with a landing pad at @p, and without one at @p + 16. */
static void functions(char *p)
{
	uint32_t code[] = {INSN_BTI_C, INSN_RET, INSN_NOP, INSN_NOP, INSN_NOP, INSN_RET};

	memcpy(p, code, sizeof(code));
	__builtin___clear_cache(p, p + sizeof(code));
}

static void call_both(char *p)
{
	abi_call("with a landing pad", p);
	abi_call("without", p + 16);
}

/* Each page is called with one protection only: QEMU goes on with what it has translated. */
BEHAVIOUR(guarded_by_mprotect, "mprotect PROT_BTI")
{
	char *p = abi_map(2, RW);

	functions(p);
	functions(p + page);
	TRY(mprotect(p, 2 * page, GUARDED));
	abi_vmflags("guarded", p);
	call_both(p);
	TRY(mprotect(p + page, page, RX));
	abi_vmflags("not guarded", p + page);
	call_both(p + page);
}

BEHAVIOUR(guarded_by_mmap, "mmap PROT_BTI")
{
	int fd = abi_memfd(page, 0);
	char *p;

	p = abi_map_with(1, RW, MAP_SHARED, fd, 0);
	functions(p);
	p = abi_map_with(1, GUARDED, MAP_PRIVATE, fd, 0);
	abi_vmflags("private", p);
	call_both(p);
	p = abi_map_with(1, GUARDED, MAP_SHARED, fd, 0);
	abi_vmflags("shared", p);
	call_both(p);
}

BEHAVIOUR(guarded_writable_anonymous, "mmap PROT_BTI")
{
	char *p = abi_map(1, RWX | PROT_BTI);

	functions(p);
	call_both(p);
	functions(p);
	call_both(p);
}

BEHAVIOUR(guarded_but_not_executable, "mmap PROT_BTI")
{
	char *p = abi_map(1, RW | PROT_BTI);

	abi_vmflags("guarded", p);
	abi_store("store", p, 1);
	TRY(mprotect(p, page, PROT_BTI));
	abi_vmflags("guarded, no access", p);
	abi_load("load", p);
	TRY(mprotect(p, page, RW));
	abi_load("load", p);
}

BEHAVIOUR(guarded_and_not_do_not_merge, "mmap PROT_BTI merges")
{
	char *p = abi_map(4, RX);

	TRY(mprotect(p + page, page, GUARDED));
	abi_maps(p, 4);
	TRY(mprotect(p + 2 * page, page, GUARDED));
	abi_maps(p, 4);
	TRY(mprotect(p, 4 * page, RX));
	abi_maps(p, 4);
}

BEHAVIOUR(guarded_through_fork, "fork PROT_BTI")
{
	char *p = abi_map(1, RW);
	pid_t pid;

	functions(p);
	TRY(mprotect(p, page, GUARDED));
	pid = abi_fork();
	if (!pid) {
		call_both(p);
		_exit(0);
	}
	abi_wait(pid);
}

BEHAVIOUR(guarded_moved, "mremap PROT_BTI")
{
	char *p = abi_map(1, RW), *q = abi_window(1);

	functions(p);
	TRY(mprotect(p, page, GUARDED));
	abi_ptr("mremap", mremap(p, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, q));
	abi_vmflags("moved", q);
	call_both(q);
}

BEHAVIOUR(unknown_bits_beside_bti, "mprotect EINVAL PROT_BTI")
{
	char *p = abi_map(1, RW);

	TRY(mprotect(p, page, PROT_READ | PROT_BTI | 0x40));
	TRY(mprotect(p, page, PROT_READ | PROT_MTE));
	TRY(mprotect(p + 1, page, PROT_READ | PROT_BTI));
	abi_vmflags("as it was", p);
}

BEHAVIOUR(signal_of_a_missing_pad, "fault SIGILL ILL_ILLOPC")
{
	char *p = abi_map(1, RW);

	functions(p);
	mprotect(p, page, GUARDED);
	signal(SIGILL, SIG_DFL);
	((void (*)(void))(p + 16))();
}

/* ---- programs ---- */

struct program {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint32_t type, size, value, pad;
	} note;
	uint32_t code[5];
};

/* A program that calls a function without landing pad, which ends it with status 42. */
static void write_program(uint32_t features)
{
	static const uint32_t code[] = {
	    0x10000043, /* adr x3, . + 8 */
	    0xd63f0060, /* blr x3 */
	    0xd2800ba8, /* mov x8, #93 */
	    0xd2800540, /* mov x0, #42 */
	    0xd4000001, /* svc #0 */
	};
	struct program p = {
	    .eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	           .e_type = ET_EXEC,
	           .e_machine = EM_AARCH64,
	           .e_version = EV_CURRENT,
	           .e_entry = 0x400000 + offsetof(struct program, code),
	           .e_phoff = offsetof(struct program, ph),
	           .e_ehsize = sizeof(Elf64_Ehdr),
	           .e_phentsize = sizeof(Elf64_Phdr),
	           .e_phnum = 2},
	    .ph = {{.p_type = PT_LOAD,
	            .p_flags = PF_R | PF_X,
	            .p_vaddr = 0x400000,
	            .p_filesz = sizeof(p),
	            .p_memsz = sizeof(p),
	            .p_align = 0x10000},
	           {.p_type = PT_GNU_PROPERTY,
	            .p_flags = PF_R,
	            .p_offset = offsetof(struct program, note),
	            .p_vaddr = 0x400000 + offsetof(struct program, note),
	            .p_filesz = sizeof(p.note),
	            .p_memsz = sizeof(p.note),
	            .p_align = 8}},
	    .note = {.head = {.n_namesz = 4, .n_descsz = 16, .n_type = NT_GNU_PROPERTY_TYPE_0},
	             .name = "GNU",
	             .type = GNU_PROPERTY_AARCH64_FEATURE_1_AND,
	             .size = 4,
	             .value = features},
	};
	int fd = abi_must("open", open("program", O_WRONLY | O_CREAT | O_TRUNC, 0755));

	memcpy(p.code, code, sizeof(code));
	abi_must("write", write(fd, &p, sizeof(p)));
	close(fd);
}

static void run_program(uint32_t features)
{
	char *argv[] = {"program", NULL};
	pid_t pid;

	write_program(features);
	pid = abi_fork();
	if (!pid) {
		execv("program", argv);
		_exit(9);
	}
	abi_wait(pid);
}

BEHAVIOUR(program_that_says_it_has_landing_pads, "execve PT_GNU_PROPERTY")
{
	run_program(GNU_PROPERTY_AARCH64_FEATURE_1_BTI);
}

BEHAVIOUR(program_that_does_not, "execve PT_GNU_PROPERTY")
{
	run_program(0);
	run_program(GNU_PROPERTY_AARCH64_FEATURE_1_PAC);
}

#endif
