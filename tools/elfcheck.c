/* SPDX-License-Identifier: MIT */
/*
 * Would the guest be able to start this file? The questions that execve asks, asked on the host
 * before a machine is booted, so that the answer can say what to do about it.
 */
#define _GNU_SOURCE
#include "run.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *say(const char *why)
{
	return xprintf("%s", why);
}

static const char *machine_name(unsigned int machine)
{
	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_386:
		return "32-bit x86";
	case EM_ARM:
		return "32-bit ARM";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "PowerPC";
	case EM_S390:
		return "S/390";
	case EM_MIPS:
		return "MIPS";
	default:
		return "another architecture";
	}
}

/* What can be told from the first 64 bytes. */
static char *check_header(const Elf64_Ehdr *h)
{
	if (h->e_machine != EM_AARCH64 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB)
		return xprintf("is a program for %s; the guest runs arm64 ones: compile it with "
		               "aarch64-linux-gnu-gcc -static",
		               h->e_ident[EI_DATA] != ELFDATA2LSB ? "a big-endian machine"
		                                                  : machine_name(h->e_machine));
	if (h->e_type == ET_REL)
		return say("is an object file, not a program: link it");
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return xprintf("is an ELF file of type %u, not a program", h->e_type);
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum)
		return say(
		    "has no program headers of the right size: it is damaged, build it again");
	if (!h->e_entry)
		return say("has no entry point: it is a shared library, not a program");
	return NULL;
}

static char *cut_off(off_t size, uint64_t need)
{
	return xprintf("is cut off: it has %lld bytes, its headers speak of %llu; copy or build it "
	               "again",
	               (long long)size, (unsigned long long)need);
}

static char *check_interp(int fd, const Elf64_Phdr *p, char **interp)
{
	char name[PATH_MAX];

	if (p->p_filesz < 2 || p->p_filesz > sizeof(name) ||
	    pread(fd, name, p->p_filesz, p->p_offset) != (ssize_t)p->p_filesz ||
	    name[p->p_filesz - 1])
		return say("names its dynamic linker badly: it is damaged, build it again");
	free(*interp);
	*interp = xprintf("%s", name);
	return NULL;
}

static char *check_segment(int fd, off_t size, const Elf64_Phdr *p, char **interp)
{
	uint64_t end = p->p_offset + p->p_filesz;

	if (p->p_type != PT_LOAD && p->p_type != PT_INTERP)
		return NULL;
	if (end < p->p_offset)
		return say("has a segment of impossible size: it is damaged, build it again");
	if (end > (uint64_t)size)
		return cut_off(size, end);
	if (p->p_type == PT_LOAD && p->p_memsz < p->p_filesz)
		return say(
		    "has a segment smaller than its contents: it is damaged, build it again");
	return p->p_type == PT_INTERP ? check_interp(fd, p, interp) : NULL;
}

static char *check_elf(int fd, off_t size, char **interp)
{
	Elf64_Ehdr h;
	Elf64_Phdr p;
	unsigned int i;
	uint64_t end;
	char *why;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h))
		return cut_off(size, sizeof(h));
	why = check_header(&h);
	if (why)
		return why;
	end = h.e_phoff + (uint64_t)h.e_phnum * sizeof(p);
	if (end < h.e_phoff || end > (uint64_t)size)
		return cut_off(size, end);
	for (i = 0; i < h.e_phnum && !why; i++) {
		if (pread(fd, &p, sizeof(p), h.e_phoff + i * sizeof(p)) != sizeof(p))
			return cut_off(size, end);
		why = check_segment(fd, size, &p, interp);
	}
	return why;
}

/* "#! /bin/sh -e": @line is what follows the "#!". */
static char *check_script(char *line, char **interp)
{
	line[strcspn(line, "\n")] = '\0';
	line += strspn(line, " \t");
	line[strcspn(line, " \t")] = '\0';
	if (!*line)
		return say("is a script whose first line names no interpreter after #!");
	*interp = xprintf("%s", line);
	return NULL;
}

static char *check_contents(int fd, off_t size, char **interp)
{
	char head[256] = "";
	ssize_t got = pread(fd, head, sizeof(head) - 1, 0);

	if (got < 0)
		return xprintf("cannot be read: %s", strerror(errno));
	if (got == 0)
		return say("is empty: it is neither an arm64 program nor a script");
	if (got >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG))
		return check_elf(fd, size, interp);
	if (!memcmp(head, "#!", 2))
		return check_script(head + 2, interp);
	return say("is neither an arm64 ELF program nor a script that begins with #!");
}

static char *check_open(int fd, char **interp)
{
	struct stat st;

	if (fstat(fd, &st))
		return xprintf("cannot be examined: %s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return say("is a directory, not a program");
	if (!S_ISREG(st.st_mode))
		return say("is not a regular file");
	if (!(st.st_mode & 0111))
		return say("is not executable: chmod +x it");
	return check_contents(fd, st.st_size, interp);
}

char *elfcheck(const char *file, char **interp)
{
	/* O_NONBLOCK: a FIFO must not hold us up */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *why;

	*interp = NULL;
	if (fd < 0)
		return xprintf("cannot be read: %s", strerror(errno));
	why = check_open(fd, interp);
	close(fd);
	return why;
}
