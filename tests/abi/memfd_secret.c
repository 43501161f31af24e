/* SPDX-License-Identifier: MIT */
/* memfd_secret: memory that only its mappings reach. */
#include "abi.h"

static int secret(size_t pages)
{
	int fd = abi_must("memfd_secret", syscall(SYS_memfd_secret, 0));

	abi_must("ftruncate", ftruncate(fd, pages * page));
	return fd;
}

BEHAVIOUR(secret_descriptor, "memfd_secret")
{
	int fd = TRY(syscall(SYS_memfd_secret, 0) < 0 ? -1 : 0), n;
	char path[64], text[64] = "", b;
	struct stat st;

	fd = syscall(SYS_memfd_secret, O_CLOEXEC);
	abi_say("close on exec %d", fcntl(fd, F_GETFD));
	abi_say("flags %#x", fcntl(fd, F_GETFL) & ~O_LARGEFILE & ~0400000);
	fstat(fd, &st);
	abi_say("mode %#o size %ld nlink %ld", st.st_mode, (long)st.st_size, (long)st.st_nlink);
	TRY(read(fd, &b, 1));
	TRY(write(fd, "x", 1));
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(fallocate(fd, 0, 0, page));
	TRY(lseek(fd, 0, SEEK_END));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, text, sizeof(text) - 1);
	abi_say("link %.*s", n, text);
}

BEHAVIOUR(secret_flags, "memfd_secret EINVAL")
{
	TRY(syscall(SYS_memfd_secret, 1));
	TRY(syscall(SYS_memfd_secret, -1));
	TRY(syscall(SYS_memfd_secret, O_NONBLOCK));
}

BEHAVIOUR(secret_size_is_set_once, "memfd_secret ftruncate")
{
	int fd = abi_must("memfd_secret", syscall(SYS_memfd_secret, 0));

	TRY(ftruncate(fd, 0));
	TRY(ftruncate(fd, 2 * page));
	TRY(ftruncate(fd, 3 * page));
	TRY(ftruncate(fd, 2 * page));
	TRY(ftruncate(fd, 0));
	TRY(fchmod(fd, 0600));
}

BEHAVIOUR(secret_mapping, "memfd_secret mmap")
{
	int fd = secret(2);
	char *w = abi_window(8), *p = mmap(w, 2 * page, RW, MAP_SHARED | MAP_FIXED, fd, 0);

	abi_ptr("mmap", p);
	abi_maps(w, 2);
	abi_vmflags("secret", p);
	abi_status("VmLck");
	abi_store("page", p, 7);
	abi_load("page", p);
	abi_load("fresh", p + page);
	abi_ptr("private", mmap(w + 4 * page, page, RW, MAP_PRIVATE | MAP_FIXED, fd, 0));
	abi_ptr("read only", mmap(w + 4 * page, page, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	abi_load("the same", w + 4 * page);
	TRY(mprotect(w + 4 * page, page, RW));
	abi_ptr("too much", mmap(w + 4 * page, 4 * page, RW, MAP_SHARED | MAP_FIXED, fd, 0));
	abi_load("beyond", w + 6 * page);
}

BEHAVIOUR(secret_is_locked, "memfd_secret locked")
{
	int fd = secret(4);
	char *w = abi_window(8), *p;

	abi_limit(RLIMIT_MEMLOCK, 2 * page);
	abi_nobody();
	abi_ptr("too much", mmap(w, 3 * page, RW, MAP_SHARED | MAP_FIXED, fd, 0));
	p = mmap(w, 2 * page, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	abi_ptr("enough", p);
	abi_status("VmLck");
	TRY(munlock(p, page));
	abi_status("VmLck");
	abi_maps(w, 2);
	TRY(munlockall());
	abi_status("VmLck");
	TRY(madvise(p, page, MADV_DONTNEED));
	TRY(munmap(p, page));
	abi_status("VmLck");
}

BEHAVIOUR(secret_is_kept_from_others, "memfd_secret EFAULT")
{
	int fd = secret(1), pair[2], mem = open("/proc/self/mem", O_RDWR);
	char *w = abi_window(8), *p = mmap(w, page, RW, MAP_SHARED | MAP_FIXED, fd, 0), b = 1;
	struct iovec l = {&b, 1}, r = {p, 1};

	p[0] = 5;
	TRY(process_vm_readv(getpid(), &l, 1, &r, 1, 0));
	TRY(process_vm_writev(getpid(), &l, 1, &r, 1, 0));
	TRY(process_vm_readv(getpid(), &r, 1, &l, 1, 0));
	TRY(pread(mem, &b, 1, (off_t)p));
	TRY(pwrite(mem, &b, 1, (off_t)p));
	abi_must("pipe", pipe(pair));
	TRY(write(pair[1], p, 1));
	TRY(read(pair[0], p, 1));
	abi_load("page", p);
}

BEHAVIOUR(secret_is_inherited, "memfd_secret fork")
{
	int fd = secret(1);
	char *p = mmap(abi_window(8), page, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	pid_t pid;

	p[0] = 5;
	pid = abi_fork();
	if (!pid) {
		abi_load("in the child", p);
		abi_status("VmLck");
		p[0] = 6;
		_exit(0);
	}
	abi_wait(pid);
	abi_load("afterwards", p);
}

BEHAVIOUR(secret_moves, "memfd_secret mremap")
{
	int fd = secret(2);
	char *w = abi_window(16), *p = mmap(w, 2 * page, RW, MAP_SHARED | MAP_FIXED, fd, 0);

	abi_fill(p, 2, 1);
	abi_ptr("move", mremap(p, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, w + 8 * page));
	abi_pages("moved", w + 8 * page, 2);
	abi_ptr("shrink", mremap(w + 8 * page, 2 * page, page, 0));
	abi_ptr("grow", mremap(w + 8 * page, page, 2 * page, 0));
	abi_status("VmLck");
	TRY(msync(w + 8 * page, page, MS_SYNC));
	TRY(mlock(w + 8 * page, page));
	TRY(madvise(w + 8 * page, page, MADV_DODUMP));
	abi_vmflags("moved", w + 8 * page);
}
