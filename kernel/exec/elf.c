/* SPDX-License-Identifier: MIT */
/*
 * ELF programs: ET_EXEC where it says, ET_DYN at a base of our choice, with the dynamic linker of
 * PT_INTERP beside it. Everything goes into a new mm that nobody runs in yet.
 */
#include "kernel/exec/elf.h"
#include "kernel/exec/exec.h"

#include "kernel/fs/abi.h"
#include "kernel/fs/fs.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"

/* Programs with an interpreter go to two thirds of the address space, away from mmap's areas. */
#define ELF_ET_DYN_BASE (TASK_SIZE / 3 * 2)
#define ELF_MIN_ALIGN   PAGE_SIZE

/* One ELF file on its way into memory. */
struct image {
	struct file *file;
	struct elf64_ehdr eh;
	struct elf64_phdr *ph;
	u64 bias;         /* address in memory minus address in the file */
	u64 start, total; /* of all PT_LOAD, in the file's addresses, whole pages */
	u64 align;
	bool placed;
	unsigned long exec_prot; /* what its code gets beside PROT_EXEC */
};

/* ------------------------------------------------------------------ reading */

static int read_all(struct file *file, void *buf, size_t n, u64 pos)
{
	ssize_t got = file_kread(file, buf, n, pos);

	if (got < 0)
		return got;
	return (size_t)got == n ? 0 : -ENOEXEC;
}

static bool header_ok(const struct elf64_ehdr *eh)
{
	return !memcmp(eh->ident, ELF_IDENT_LE64, ELF_IDENT_LEN) && eh->machine == EM_AARCH64 &&
	       (eh->type == ET_EXEC || eh->type == ET_DYN) &&
	       eh->phentsize == sizeof(struct elf64_phdr) && eh->phnum > 0 &&
	       eh->phnum <= 65536 / sizeof(struct elf64_phdr);
}

/* Bounds of the loadable segments; what makes no sense is refused before anything is mapped. */
static int measure(struct image *im)
{
	u64 lo = ~(u64)0, hi = 0;
	const struct elf64_phdr *ph;

	im->align = ELF_MIN_ALIGN;
	for (ph = im->ph; ph < im->ph + im->eh.phnum; ph++) {
		if (ph->type != PT_LOAD)
			continue;
		if (ph->filesz > ph->memsz || ph->memsz > TASK_SIZE ||
		    ph->vaddr > TASK_SIZE - ph->memsz || (ph->vaddr - ph->offset) % PAGE_SIZE ||
		    ph->offset + ph->filesz < ph->offset)
			return -ENOEXEC;
		lo = min(lo, ALIGN_DOWN(ph->vaddr, PAGE_SIZE));
		hi = max(hi, ALIGN_UP(ph->vaddr + ph->memsz, PAGE_SIZE));
		if (ph->align > im->align && !(ph->align & (ph->align - 1)))
			im->align = ph->align;
	}
	if (lo >= hi)
		return -ENOEXEC;
	im->start = lo;
	im->total = hi - lo;
	return 0;
}

static int image_open(struct image *im, struct file *file)
{
	int err;

	memset(im, 0, sizeof(*im));
	im->file = file;
	err = read_all(file, &im->eh, sizeof(im->eh), 0);
	if (err)
		return err;
	if (!header_ok(&im->eh))
		return -ENOEXEC;
	im->ph = kmalloc(im->eh.phnum * sizeof(*im->ph));
	if (!im->ph)
		return -ENOMEM;
	err = read_all(file, im->ph, im->eh.phnum * sizeof(*im->ph), im->eh.phoff);
	return err ? err : measure(im);
}

static const struct elf64_phdr *find_phdr(const struct image *im, u32 type)
{
	unsigned i;

	for (i = 0; i < im->eh.phnum; i++)
		if (im->ph[i].type == type)
			return &im->ph[i];
	return NULL;
}

/* ------------------------------------------------------------------ properties */

/* Does a list of properties say that all of the code has landing pads? -ENOEXEC: it is no list. */
static int properties_bti(const u8 *list, size_t n)
{
	struct elf_property p;
	size_t at, step;

	for (at = 0; at < n; at += step) {
		if (n - at < 8)
			return -ENOEXEC;
		memset(&p, 0, sizeof(p));
		memcpy(&p, list + at, min(n - at, sizeof(p)));
		if (p.size > n - at - 8)
			return -ENOEXEC;
		if (p.type == GNU_PROPERTY_AARCH64_FEATURE_1_AND)
			return p.size == 4 ? !!(p.value & GNU_PROPERTY_AARCH64_FEATURE_1_BTI)
			                   : -ENOEXEC;
		step = 8 + ALIGN_UP((u64)p.size, 8);
	}
	return 0;
}

static int parse_properties(const u8 *buf, size_t n)
{
	struct elf_property_note note;

	if (n < sizeof(note))
		return -ENOEXEC;
	memcpy(&note, buf, sizeof(note));
	if (note.type != NT_GNU_PROPERTY_TYPE_0 || note.namesz != 4 || memcmp(note.name, "GNU", 4) ||
	    note.descsz > n - sizeof(note))
		return -ENOEXEC;
	return properties_bti(buf + sizeof(note), note.descsz);
}

/*
 * The code of a program without interpreter, or of the interpreter, is guarded if it says that it
 * is made for that; the interpreter sees to what else it loads.
 */
static int read_properties(struct image *im)
{
	const struct elf64_phdr *ph = find_phdr(im, PT_GNU_PROPERTY);
	u8 *buf;
	int err;

	if (!ph)
		return 0;
	if (ph->filesz > ELF_PROPERTIES_MAX)
		return -ENOEXEC;
	buf = kmalloc(ELF_PROPERTIES_MAX);
	if (!buf)
		return -ENOMEM;
	err = read_all(im->file, buf, ph->filesz, ph->offset);
	if (!err)
		err = parse_properties(buf, ph->filesz);
	kfree(buf);
	if (err > 0)
		im->exec_prot = MMK_PROT_BTI;
	return min(err, 0);
}

/* ------------------------------------------------------------------ mapping */

static unsigned long prot_of(const struct image *im, const struct elf64_phdr *ph)
{
	return (ph->flags & PF_R ? MMK_PROT_READ : 0) | (ph->flags & PF_W ? MMK_PROT_WRITE : 0) |
	       (ph->flags & PF_X ? MMK_PROT_EXEC | im->exec_prot : 0);
}

static int zero_memory(struct exec *e, u64 addr, u64 n)
{
	static const u8 zeros[512];
	size_t part;

	for (; n; n -= part, addr += part) {
		part = min_t(u64, n, sizeof(zeros));
		if (mmk_access_vm(&e->loader, e->loader.mm, addr, (void *)zeros, part,
		                  MMK_ACCESS_WRITE) != part)
			return -EFAULT;
	}
	return 0;
}

/*
 * The part of a segment that is in the file. The first one of a file with a base of its own takes
 * room for all of them, so that nothing else comes between.
 */
static int map_file_part(struct exec *e, struct image *im, const struct elf64_phdr *ph,
                         unsigned long hint, unsigned long fixed)
{
	u64 off = ph->vaddr % PAGE_SIZE;
	u64 addr = im->bias + ph->vaddr - off, len = ALIGN_UP(ph->filesz + off, PAGE_SIZE);
	bool whole = !im->placed && im->eh.type == ET_DYN;
	long at;

	if (whole) {
		addr = hint;
		len = im->total;
	}
	at = mmk_vm_mmap(&e->loader, file_to_mmk(im->file), addr, len, prot_of(im, ph),
	                 MMK_MAP_PRIVATE | fixed, ph->offset - off);
	if (at < 0)
		return at == -EINVAL ? -ENOEXEC : (int)at;
	if (whole) {
		u64 keep = ALIGN_UP(ph->filesz + off, PAGE_SIZE);

		im->bias = at - (ph->vaddr - off);
		if (len > keep)
			(void)mmk_sys_munmap(&e->loader, at + keep, len - keep);
	}
	im->placed = true;
	return 0;
}

/*
 * What lies behind the file part: zeros, to the end of its last page (the dynamic linker takes
 * memory from there) and of the segment.
 */
static int map_bss(struct exec *e, struct image *im, const struct elf64_phdr *ph)
{
	u64 file_end = im->bias + ph->vaddr + ph->filesz, end = im->bias + ph->vaddr + ph->memsz;
	u64 page_end = ALIGN_UP(file_end, PAGE_SIZE);
	int err;

	if (ph->memsz == ph->filesz)
		return 0;
	if (!ph->filesz)
		page_end = ALIGN_DOWN(file_end, PAGE_SIZE);
	else if (ph->flags & PF_W) {
		err = zero_memory(e, file_end, page_end - file_end);
		if (err)
			return err;
	}
	end = ALIGN_UP(end, PAGE_SIZE);
	if (end <= page_end)
		return 0;
	return mmk_vm_brk(&e->loader, page_end, end - page_end, ph->flags & PF_X);
}

/* hint: where an ET_DYN is to go (0: wherever mmap puts it). */
static int map_segments(struct exec *e, struct image *im, unsigned long hint)
{
	bool first = true;
	unsigned i;
	int err;

	for (i = 0; i < im->eh.phnum; i++) {
		const struct elf64_phdr *ph = &im->ph[i];
		unsigned long fixed = MMK_MAP_FIXED_NOREPLACE;

		if (ph->type != PT_LOAD || !ph->memsz)
			continue;
		if (im->eh.type == ET_DYN)
			fixed = !first ? MMK_MAP_FIXED : hint ? MMK_MAP_FIXED_NOREPLACE : 0;
		if (ph->filesz || (first && im->eh.type == ET_DYN)) {
			err = map_file_part(e, im, ph, hint, fixed);
			if (err)
				return err;
		}
		err = map_bss(e, im, ph);
		if (err)
			return err;
		first = false;
	}
	return 0;
}

/* ------------------------------------------------------------------ the program */

static unsigned long choose_base(const struct exec *e, const struct image *im)
{
	u64 base = ELF_ET_DYN_BASE, bits = 18;

	if (!(e->loader.personality & MMK_ADDR_NO_RANDOMIZE)) {
		(void)mmk_sysctl_get(mm_sys, "mmap_rnd_bits", &bits);
		base += (random_u64() & ((1ull << min_t(u64, bits, 33)) - 1)) << PAGE_SHIFT;
	}
	return ALIGN_DOWN(base, im->align) + im->start % im->align;
}

/* The figures of /proc/PID/stat, and where the heap begins. */
static void set_bounds(struct exec *e, const struct image *im, bool has_interp)
{
	struct mmk_mm_bounds *b = &e->bounds;
	const struct elf64_phdr *ph;
	u64 brk = 0;

	b->start_code = ~0ul;
	for (ph = im->ph; ph < im->ph + im->eh.phnum; ph++) {
		u64 lo = im->bias + ph->vaddr, file_end = lo + ph->filesz;

		if (ph->type != PT_LOAD)
			continue;
		if ((ph->flags & PF_X) && lo < b->start_code)
			b->start_code = lo;
		if ((ph->flags & PF_X) && file_end > b->end_code)
			b->end_code = file_end;
		b->start_data = max_t(u64, b->start_data, lo);
		b->end_data = max_t(u64, b->end_data, file_end);
		brk = max(brk, lo + ph->memsz);
	}
	if (b->start_code == ~0ul)
		b->start_code = im->bias + im->start;
	/* A program that is its own loader lies among the mmap areas: its heap goes elsewhere. */
	if (im->eh.type == ET_DYN && !has_interp &&
	    !(e->loader.personality & MMK_ADDR_NO_RANDOMIZE))
		brk = ELF_ET_DYN_BASE;
	b->start_brk = mmk_mm_brk_base(&e->loader, ALIGN_UP(brk, PAGE_SIZE));
	b->brk = b->start_brk;
}

/* Where the program finds its own headers: in the segment that holds them. */
static u64 phdr_address(const struct image *im)
{
	const struct elf64_phdr *ph;

	for (ph = im->ph; ph < im->ph + im->eh.phnum; ph++)
		if (ph->type == PT_LOAD && im->eh.phoff >= ph->offset &&
		    im->eh.phoff < ph->offset + ph->filesz)
			return im->bias + ph->vaddr + (im->eh.phoff - ph->offset);
	return 0;
}

/* ------------------------------------------------------------------ the interpreter */

static int open_interpreter(struct exec *e, const struct image *im, struct file **out)
{
	const struct elf64_phdr *ph = find_phdr(im, PT_INTERP);
	struct file *file;
	char *path;
	int err;

	*out = NULL;
	if (!ph)
		return 0;
	if (ph->filesz < 2 || ph->filesz > EXEC_PATH_MAX)
		return -ENOEXEC;
	path = kmalloc(ph->filesz);
	if (!path)
		return -ENOMEM;
	err = read_all(im->file, path, ph->filesz, ph->offset);
	if (!err && path[ph->filesz - 1])
		err = -ENOEXEC;
	if (!err)
		err = file_open_exec(AT_FDCWD, path, 0, &file);
	if (!err)
		*out = file;
	kfree(path);
	return err;
}

static int load_interpreter(struct exec *e, struct file *file)
{
	struct image im;
	int err = image_open(&im, file);

	if (err == -ENOEXEC)
		err = -ELIBBAD;
	if (!err)
		err = read_properties(&im);
	if (!err)
		err = map_segments(e, &im, 0);
	if (!err) {
		e->interp_base = im.bias;
		e->entry = im.bias + im.eh.entry;
		if (e->entry >= TASK_SIZE)
			err = -EINVAL;
	}
	kfree(im.ph);
	return err;
}

static int load_program(struct exec *e, struct image *im, struct file *interp)
{
	unsigned long hint = im->eh.type == ET_DYN && interp ? choose_base(e, im) : 0;
	int err = interp ? 0 : read_properties(im);

	if (!err)
		err = map_segments(e, im, hint);
	if (err)
		return err;
	e->prog_entry = im->bias + im->eh.entry;
	e->entry = e->prog_entry;
	e->phdr = phdr_address(im);
	e->phnum = im->eh.phnum;
	set_bounds(e, im, interp);
	return interp ? load_interpreter(e, interp) : 0;
}

int exec_load_elf(struct exec *e)
{
	const struct elf64_phdr *stack;
	struct file *interp = NULL;
	struct image im;
	int err = image_open(&im, e->file);

	if (!err)
		err = open_interpreter(e, &im, &interp);
	if (!err) {
		stack = find_phdr(&im, PT_GNU_STACK);
		e->exec_stack = stack && (stack->flags & PF_X);
		e->stack_top = mmk_mm_layout(&e->loader, e->loader.mm);
		err = load_program(e, &im, interp);
	}
	if (interp)
		file_close_exec(interp);
	kfree(im.ph);
	return err;
}
