/* SPDX-License-Identifier: MIT */
/* process_vm_readv and process_vm_writev: what comes over before a page that cannot be had, and who
 * may. */
#include "abi.h"

static long readv_of(pid_t pid, void *local, size_t n, void *remote, size_t m)
{
	struct iovec l = {local, n}, r = {remote, m};

	return process_vm_readv(pid, &l, 1, &r, 1, 0);
}

static long writev_of(pid_t pid, void *local, size_t n, void *remote, size_t m)
{
	struct iovec l = {local, n}, r = {remote, m};

	return process_vm_writev(pid, &l, 1, &r, 1, 0);
}

/* A child that waits until it is told to end. */
static pid_t sleeper(int *end)
{
	int fd[2];
	pid_t pid;
	char c;

	abi_must("pipe", pipe(fd));
	pid = abi_fork();
	if (!pid) {
		close(fd[1]);
		if (read(fd[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(fd[0]);
	*end = fd[1];
	return pid;
}

static void wake(pid_t pid, int end)
{
	close(end);
	abi_wait(pid);
}

BEHAVIOUR(process_vm_readv_of_a_child, "process_vm_readv")
{
	char *p = abi_map(3, RW), *q = abi_map(3, RW);
	int end;
	pid_t pid;

	abi_fill(p, 3, 1);
	pid = sleeper(&end);
	abi_fill(p, 3, 0x11);
	TRY(readv_of(pid, q, 3 * page, p, 3 * page));
	abi_pages("copied", q, 3);
	TRY(readv_of(pid, q, 10, p + page - 5, 10));
	abi_bytes("across pages", q, 10);
	wake(pid, end);
}

BEHAVIOUR(process_vm_writev_breaks_copy_on_write, "process_vm_writev copy-on-write")
{
	char *p = abi_map(2, RW), *q = abi_map(2, RW);
	int end;
	pid_t pid;

	abi_fill(p, 2, 1);
	pid = sleeper(&end);
	abi_fill(q, 2, 0x21);
	TRY(writev_of(pid, q, 2 * page, p, 2 * page));
	abi_pages("own", p, 2);
	TRY(readv_of(pid, q, 2 * page, p, 2 * page));
	abi_pages("the child's", q, 2);
	wake(pid, end);
}

BEHAVIOUR(process_vm_transfers_stop_at_a_hole, "process_vm_readv hole")
{
	char *p = abi_map(4, RW), *q = abi_map(4, RW);

	abi_fill(p, 4, 1);
	munmap(p + 2 * page, page);
	TRY(readv_of(getpid(), q, 4 * page, p, 4 * page));
	abi_pages("copied", q, 4);
	TRY(readv_of(getpid(), q, 4 * page, p + page + 100, 3 * page));
	TRY(readv_of(getpid(), q, page, p + 2 * page, page));
	TRY(writev_of(getpid(), q, 4 * page, p, 4 * page));
	TRY(writev_of(getpid(), q, page, p + 2 * page, page));
}

BEHAVIOUR(process_vm_vectors_stop_at_a_hole, "process_vm_readv hole")
{
	char *p = abi_map(4, RW), *q = abi_map(4, RW);
	struct iovec l = {q, 4 * page};
	struct iovec r[3] = {{p, page}, {p + 2 * page, page}, {p + 3 * page, page}};

	abi_fill(p, 4, 1);
	munmap(p + 2 * page, page);
	TRY(process_vm_readv(getpid(), &l, 1, r, 3, 0));
	abi_pages("copied", q, 4);
	r[0] = r[1];
	TRY(process_vm_readv(getpid(), &l, 1, r, 3, 0));
}

BEHAVIOUR(process_vm_vectors_need_not_match, "process_vm_readv vectors")
{
	char *p = abi_map(2, RW), *q = abi_map(2, RW);
	struct iovec l[3] = {{q, 3}, {q + 10, 0}, {q + 20, 5}};
	struct iovec r[3] = {{p, 1}, {p + 10, 4}, {p + 20, 10}};

	for (int i = 0; i < 40; i++)
		p[i] = i + 1;
	TRY(process_vm_readv(getpid(), l, 3, r, 3, 0));
	abi_bytes("copied", q, 28);
	TRY(process_vm_readv(getpid(), l, 3, r, 2, 0));
	TRY(process_vm_readv(getpid(), l, 1, r, 3, 0));
	TRY(process_vm_readv(getpid(), l, 2, r, 0, 0));
	TRY(process_vm_readv(getpid(), l, 0, r, 3, 0));
	TRY(process_vm_readv(getpid(), l, 0, NULL, 0, 0));
}

BEHAVIOUR(process_vm_local_fault_is_partial, "process_vm_readv EFAULT")
{
	char *p = abi_map(3, RW), *q = abi_map(3, RW);

	abi_fill(p, 3, 1);
	munmap(q + page, page);
	TRY(readv_of(getpid(), q, 3 * page, p, 3 * page));
	TRY(readv_of(getpid(), q + page - 10, 100, p, 100));
	TRY(readv_of(getpid(), q + page, 100, p, 100));
	TRY(writev_of(getpid(), q + page - 10, 100, p, 100));
	TRY(writev_of(getpid(), q + page, 100, p, 100));
	mprotect(q, page, PROT_READ);
	TRY(readv_of(getpid(), q, 100, p, 100));
}

BEHAVIOUR(process_vm_refuses_flags_and_counts, "process_vm_readv EINVAL")
{
	char *p = abi_map(1, RW);
	struct iovec v[2] = {{p, 8}, {p + 8, 8}};
	static struct iovec many[1025];

	TRY(process_vm_readv(getpid(), v, 1, v + 1, 1, 1));
	TRY(process_vm_readv(getpid(), v, 1, v + 1, 1, ~0ul));
	for (int i = 0; i < 1025; i++)
		many[i] = v[0];
	TRY(process_vm_readv(getpid(), many, 1025, v, 1, 0));
	TRY(process_vm_readv(getpid(), v, 1, many, 1025, 0));
	TRY(process_vm_readv(getpid(), many, 1024, many, 1024, 0));
	TRY(process_vm_readv(getpid(), v, -1ul, v, 1, 0));
	TRY(process_vm_readv(getpid(), v, 1, v, -1ul, 0));
	v[0].iov_len = -1ul;
	TRY(process_vm_readv(getpid(), v, 1, v + 1, 1, 0));
	TRY(process_vm_readv(getpid(), v + 1, 1, v, 1, 0));
	v[0].iov_len = 1ul << 63;
	TRY(process_vm_readv(getpid(), v, 1, v + 1, 1, 0));
	TRY(process_vm_readv(0x7fffffff, v + 1, 1, v, 1, 0));
}

BEHAVIOUR(process_vm_bad_vectors, "process_vm_readv EFAULT")
{
	char *p = abi_map(2, RW);
	struct iovec v = {p, 8}, k = {(void *)0xffff000000000000, 8};

	munmap(p + page, page);
	TRY(process_vm_readv(getpid(), (void *)(p + page), 1, &v, 1, 0));
	TRY(process_vm_readv(getpid(), &v, 1, (void *)(p + page), 1, 0));
	TRY(process_vm_readv(getpid(), (void *)(p + page), 0, &v, 1, 0));
	TRY(process_vm_readv(getpid(), &v, 1, (void *)(p + page), 0, 0));
	TRY(process_vm_readv(getpid(), &k, 1, &v, 1, 0));
	TRY(process_vm_readv(getpid(), &v, 1, &k, 1, 0));
	TRY(process_vm_writev(getpid(), &k, 1, &v, 1, 0));
	TRY(process_vm_writev(getpid(), &v, 1, &k, 1, 0));
}

BEHAVIOUR(process_vm_of_nobody, "process_vm_readv ESRCH")
{
	char *p = abi_map(1, RW);
	pid_t pid = abi_fork();
	siginfo_t info;

	if (!pid)
		_exit(0);
	abi_must("waitid", waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	TRY(readv_of(pid, p, 8, p + 8, 8));
	abi_wait(pid);
	TRY(readv_of(pid, p, 8, p + 8, 8));
	TRY(readv_of(pid, p, 0, p + 8, 8));
	TRY(readv_of(pid, p, 8, p + 8, 0));
	TRY(readv_of(0, p, 8, p + 8, 8));
	TRY(readv_of(-1, p, 8, p + 8, 8));
}

BEHAVIOUR(process_vm_of_another_user, "process_vm_readv EPERM")
{
	char *p = abi_map(1, RW);
	int end;
	pid_t pid = sleeper(&end);

	TRY(readv_of(pid, p, 8, p, 8));
	abi_nobody();
	TRY(readv_of(pid, p, 8, p, 8));
	TRY(writev_of(pid, p, 8, p, 8));
	TRY(readv_of(getpid(), p, 8, p + 8, 8));
	wake(pid, end);
}

BEHAVIOUR(process_vm_minds_protection, "process_vm_writev EFAULT")
{
	char *p = abi_map(4, RW), *q = abi_map(1, RW);

	abi_fill(p, 4, 1);
	mprotect(p, page, PROT_READ);
	mprotect(p + page, page, PROT_NONE);
	mprotect(p + 2 * page, page, PROT_EXEC);
	TRY(readv_of(getpid(), q, 8, p, 8));
	TRY(writev_of(getpid(), q, 8, p, 8));
	TRY(readv_of(getpid(), q, 8, p + page, 8));
	TRY(writev_of(getpid(), q, 8, p + page, 8));
	TRY(readv_of(getpid(), q, 8, p + 2 * page, 8));
	mprotect(p + 3 * page, page, PROT_WRITE);
	TRY(writev_of(getpid(), q, 8, p + 3 * page, 8));
	TRY(readv_of(getpid(), q, 8, p + 3 * page, 8));
}

BEHAVIOUR(process_vm_of_files, "process_vm_writev files")
{
	int fd = abi_file(2 * page + 100);
	char *s = abi_map_with(4, RW, MAP_SHARED, fd, 0), *q = abi_map(4, RW);
	char *t = abi_map_with(1, RW, MAP_PRIVATE, fd, 0);

	TRY(readv_of(getpid(), q, 4 * page, s, 4 * page));
	q[0] = 0x55;
	TRY(writev_of(getpid(), q, 1, s, 1));
	abi_file_bytes("the file", fd, 0, 1);
	q[0] = 0x66;
	TRY(writev_of(getpid(), q, 1, t, 1));
	abi_load("private", t);
	abi_file_bytes("the file", fd, 0, 1);
	TRY(readv_of(getpid(), q, 8, s + 3 * page, 8));
}

BEHAVIOUR(process_vm_does_not_grow_a_stack, "process_vm_readv stack")
{
	char *w = abi_window(16), *q = abi_map(1, RW);
	char *p = mmap(w + 8 * page, page, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	TRY(readv_of(getpid(), q, 8, p - page, 8));
	abi_maps(w, 16);
}

BEHAVIOUR(process_vm_of_a_locked_and_unread_page, "process_vm_readv populates")
{
	char *p = abi_map(2, RW), *q = abi_map(2, RW);

	abi_mincore(p, 2);
	TRY(readv_of(getpid(), q, 8, p, 8));
	abi_mincore(p, 2);
	TRY(writev_of(getpid(), q, 8, p + page, 8));
	abi_mincore(p, 2);
}
