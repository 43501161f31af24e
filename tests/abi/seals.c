/* SPDX-License-Identifier: MIT */
/* File seals: what each takes away, what mappings stand in its way, what stays possible. */
#include "abi.h"

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#endif

static int sealable(off_t size)
{
	return abi_memfd(size, MFD_ALLOW_SEALING);
}

static void say_seals(int fd)
{
	abi_say("seals %#x", fcntl(fd, F_GET_SEALS));
}

BEHAVIOUR(seals_of_what_cannot_be_sealed, "F_ADD_SEALS EPERM")
{
	int fd = abi_memfd(page, 0), file = abi_file(page), p[2];

	say_seals(fd);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(fcntl(file, F_GET_SEALS));
	TRY(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
	abi_must("pipe", pipe(p));
	TRY(fcntl(p[1], F_GET_SEALS));
	TRY(fcntl(p[1], F_ADD_SEALS, 0));
	TRY(fcntl(open("/dev/null", O_RDWR), F_GET_SEALS));
}

BEHAVIOUR(seals_need_a_writable_descriptor, "F_ADD_SEALS EPERM")
{
	int fd = sealable(page), ro;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY);
	TRY(fcntl(ro, F_ADD_SEALS, F_SEAL_GROW));
	TRY(fcntl(ro, F_GET_SEALS));
	TRY(fcntl(ro, F_ADD_SEALS, 0x1000));
}

BEHAVIOUR(seals_unknown, "F_ADD_SEALS EINVAL")
{
	int fd = sealable(page);

	TRY(fcntl(fd, F_ADD_SEALS, 0x40));
	TRY(fcntl(fd, F_ADD_SEALS, -1));
	TRY(fcntl(fd, F_ADD_SEALS, 0));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | 0x80));
	say_seals(fd);
}

BEHAVIOUR(seals_add_up_and_end, "F_SEAL_SEAL")
{
	int fd = sealable(page);

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	say_seals(fd);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	TRY(fcntl(fd, F_ADD_SEALS, 0));
	say_seals(fd);
}

BEHAVIOUR(seal_shrink, "F_SEAL_SHRINK")
{
	int fd = sealable(2 * page);

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	TRY(ftruncate(fd, page));
	TRY(ftruncate(fd, 2 * page));
	TRY(ftruncate(fd, 3 * page));
	TRY(ftruncate(fd, 2 * page));
	TRY(write(fd, "x", 1));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, page));
}

BEHAVIOUR(seal_grow, "F_SEAL_GROW")
{
	int fd = sealable(2 * page);

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	TRY(ftruncate(fd, 3 * page));
	TRY(pwrite(fd, "abcd", 4, 2 * page));
	TRY(pwrite(fd, "abcd", 4, 2 * page - 2));
	TRY(pwrite(fd, "abcd", 4, 2 * page - 4));
	TRY(fallocate(fd, 0, 0, 2 * page));
	TRY(fallocate(fd, 0, page, 2 * page));
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, page, 2 * page));
	TRY(ftruncate(fd, page));
	TRY(ftruncate(fd, 2 * page));
}

BEHAVIOUR(seal_write, "F_SEAL_WRITE")
{
	int fd = sealable(2 * page);
	char *w = abi_window(8);

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(write(fd, "x", 1));
	TRY(pwrite(fd, "x", 1, 5 * page));
	TRY(write(fd, "x", 0));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, page));
	TRY(fallocate(fd, 0, 0, page));
	TRY(fallocate(fd, 0, 0, 4 * page));
	TRY(ftruncate(fd, 3 * page));
	TRY(ftruncate(fd, page));
	abi_ptr("shared rw", mmap(w, page, RW, MAP_SHARED | MAP_FIXED, fd, 0));
	abi_ptr("shared r", mmap(w, page, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	TRY(mprotect(w, page, RW));
	abi_vmflags("shared r", w);
	abi_ptr("private rw", mmap(w + page, page, RW, MAP_PRIVATE | MAP_FIXED, fd, 0));
	abi_store("private", w + page, 1);
}

BEHAVIOUR(seal_write_with_a_writable_mapping, "F_SEAL_WRITE EBUSY")
{
	int fd = sealable(2 * page);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(mprotect(p, page, PROT_READ));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
	say_seals(fd);
	munmap(p, page);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	say_seals(fd);
}

BEHAVIOUR(seal_write_with_a_readable_mapping, "F_SEAL_WRITE EBUSY")
{
	int fd = sealable(2 * page), ro;
	char path[64], *p;

	p = abi_map_with(1, PROT_READ, MAP_SHARED, fd, 0);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	munmap(p, page);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY);
	p = abi_map_with(1, PROT_READ, MAP_SHARED, ro, 0);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	say_seals(fd);
}

BEHAVIOUR(seal_write_with_a_private_mapping, "F_SEAL_WRITE private")
{
	int fd = sealable(2 * page);
	char *p = abi_map_with(1, RW, MAP_PRIVATE, fd, 0);

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	abi_store("private", p, 1);
	say_seals(fd);
}

BEHAVIOUR(seal_write_with_a_childs_mapping, "F_SEAL_WRITE fork")
{
	int fd = sealable(page), go[2];
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0), c;
	pid_t pid;

	abi_must("pipe", pipe(go));
	pid = abi_fork();
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], &c, 1) != 0);
	}
	munmap(p, page);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	close(go[1]);
	abi_wait(pid);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

BEHAVIOUR(seal_future_write, "F_SEAL_FUTURE_WRITE")
{
	int fd = sealable(2 * page);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0), *w = abi_window(8);

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	abi_store("mapped before", p, 5);
	TRY(write(fd, "x", 1));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, page));
	TRY(ftruncate(fd, 3 * page));
	abi_ptr("shared rw", mmap(w, page, RW, MAP_SHARED | MAP_FIXED, fd, 0));
	abi_ptr("shared r", mmap(w, page, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	abi_load("shared r", w);
	TRY(mprotect(w, page, RW));
	TRY(mprotect(p, page, PROT_READ));
	TRY(mprotect(p, page, RW));
	abi_store("mapped before", p, 6);
	abi_ptr("private rw", mmap(w + page, page, RW, MAP_PRIVATE | MAP_FIXED, fd, 0));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	munmap(p, page);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	say_seals(fd);
}

BEHAVIOUR(seal_future_write_moves_with_mremap, "F_SEAL_FUTURE_WRITE mremap")
{
	int fd = sealable(4 * page);
	char *w = abi_window(16), *p = mmap(w, page, RW, MAP_SHARED | MAP_FIXED, fd, 0);

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	abi_ptr("grow", mremap(p, page, 2 * page, 0));
	abi_ptr("move", mremap(p, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, w + 8 * page));
	abi_store("moved", w + 9 * page, 1);
	abi_ptr("copy", mremap(w + 8 * page, 0, page, MREMAP_MAYMOVE | MREMAP_FIXED, w));
	abi_store("copy", w, 1);
	TRY(remap_file_pages(w, page, 0, 1, 0));
}

BEHAVIOUR(seal_exec, "F_SEAL_EXEC")
{
	int fd = sealable(page), x = abi_memfd(page, MFD_ALLOW_SEALING);
	struct stat st;

	TRY(fchmod(fd, 0600));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC));
	say_seals(fd);
	TRY(fchmod(fd, 0700));
	TRY(fchmod(fd, 0640));
	TRY(fchmod(x, 0755));
	TRY(fcntl(x, F_ADD_SEALS, F_SEAL_EXEC));
	say_seals(x);
	TRY(fchmod(x, 0644));
	TRY(fchmod(x, 0711));
	TRY(write(x, "x", 1));
	fstat(x, &st);
	abi_say("mode %#o", st.st_mode);
}

BEHAVIOUR(seal_exec_of_mapped_executable, "F_SEAL_EXEC EBUSY")
{
	int fd = sealable(page);
	char *p = abi_map_with(1, RW, MAP_SHARED, fd, 0);

	TRY(fchmod(fd, 0700));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC));
	say_seals(fd);
	(void)p;
}

BEHAVIOUR(seals_survive_and_are_shared, "F_GET_SEALS")
{
	int fd = sealable(page), other;
	char path[64];

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDWR);
	say_seals(other);
	TRY(ftruncate(other, 0));
	TRY(open(path, O_RDWR | O_TRUNC));
}

BEHAVIOUR(seals_and_madvise_remove, "F_SEAL_WRITE MADV_REMOVE")
{
	int fd = sealable(2 * page);
	char *p = abi_map_with(2, RW, MAP_SHARED, fd, 0);

	abi_fill(p, 2, 1);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	TRY(madvise(p, page, MADV_REMOVE));
	abi_pages("pages", p, 2);
}

BEHAVIOUR(seals_and_writing_from_others, "F_SEAL_WRITE process_vm_writev")
{
	int fd = sealable(page);
	char *p, b = 1;
	struct iovec l = {&b, 1}, r;

	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	p = abi_map_with(1, PROT_READ, MAP_SHARED, fd, 0);
	r = (struct iovec){p, 1};
	TRY(process_vm_writev(getpid(), &l, 1, &r, 1, 0));
	TRY(pwrite(open("/proc/self/mem", O_RDWR), "x", 1, (off_t)p));
	abi_load("page", p);
}
