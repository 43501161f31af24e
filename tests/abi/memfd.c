/* SPDX-License-Identifier: MIT */
/* memfd_create and memfd_secret: names, flags, the rule about executables, what a secret keeps. */
#include "abi.h"

static int memfd(const char *name, unsigned int flags)
{
	return syscall(SYS_memfd_create, name, flags);
}

static void say_link(int fd)
{
	char path[64], text[512];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = 0;
	abi_say("link %s", text);
}

static void say_file(const char *what, int fd)
{
	struct stat st;

	fstat(fd, &st);
	abi_say("%s: mode %#o size %ld nlink %ld uid %u flags %#x fd flags %#x seals %#x", what,
	        st.st_mode, (long)st.st_size, (long)st.st_nlink, st.st_uid,
	        fcntl(fd, F_GETFL) & ~O_LARGEFILE & ~0400000, fcntl(fd, F_GETFD),
	        fcntl(fd, F_GET_SEALS));
}

BEHAVIOUR(memfd_plain, "memfd_create")
{
	int fd = memfd("name", 0);

	say_link(fd);
	say_file("plain", fd);
	TRY(write(fd, "abc", 3));
	TRY(ftruncate(fd, 2 * page));
	say_file("grown", fd);
}

BEHAVIOUR(memfd_flags, "memfd_create flags")
{
	static const unsigned int flags[] = {MFD_CLOEXEC,
	                                     MFD_ALLOW_SEALING,
	                                     MFD_EXEC,
	                                     MFD_NOEXEC_SEAL,
	                                     MFD_NOEXEC_SEAL | MFD_ALLOW_SEALING | MFD_CLOEXEC,
	                                     MFD_EXEC | MFD_ALLOW_SEALING};

	for (unsigned int i = 0; i < 6; i++) {
		int fd = memfd("n", flags[i]);
		char what[32];

		snprintf(what, sizeof(what), "%#x", flags[i]);
		say_file(what, fd);
		close(fd);
	}
}

BEHAVIOUR(memfd_refuses_flags, "memfd_create EINVAL")
{
	TRY(memfd("n", MFD_EXEC | MFD_NOEXEC_SEAL));
	TRY(memfd("n", 0x20));
	TRY(memfd("n", -1));
	TRY(memfd("n", 1u << 26));
	TRY(memfd("n", 0x80000000));
}

BEHAVIOUR(memfd_names, "memfd_create name")
{
	char name[300];
	int fd;

	memset(name, 'x', sizeof(name));
	name[249] = 0;
	fd = memfd(name, 0);
	abi_ret("249", fd < 0 ? -1 : 0);
	name[249] = 'x';
	name[250] = 0;
	TRY(memfd(name, 0));
	fd = memfd("", 0);
	say_link(fd);
	fd = memfd("a/b c", 0);
	say_link(fd);
	TRY(memfd(NULL, 0));
	TRY(memfd((char *)0xffff000000000000, 0));
	abi_say("the same name twice %d", memfd("n", 0) >= 0 && memfd("n", 0) >= 0);
}

BEHAVIOUR(memfd_noexec_sysctl_one, "memfd_create vm.memfd_noexec")
{
	int fd;

	abi_knob("/proc/sys/vm/memfd_noexec", "1");
	fd = memfd("n", 0);
	say_file("neither", fd);
	fd = memfd("n", MFD_EXEC);
	say_file("exec", fd);
	fd = memfd("n", MFD_NOEXEC_SEAL);
	say_file("noexec", fd);
}

BEHAVIOUR(memfd_noexec_sysctl_values, "memfd_create vm.memfd_noexec")
{
	int fd;
	char buf[16] = "";

	fd = open("/proc/sys/vm/memfd_noexec", O_RDWR);
	TRY(write(fd, "3", 1));
	TRY(write(fd, "-1", 2));
	TRY(write(fd, "0", 1));
	lseek(fd, 0, SEEK_SET);
	TRY(read(fd, buf, 15));
	abi_say("%s", buf);
}

BEHAVIOUR(memfd_noexec_sysctl_two, "memfd_create vm.memfd_noexec EACCES")
{
	int fd;

	abi_knob("/proc/sys/vm/memfd_noexec", "2");
	syscall(SYS_syslog, 6, NULL, 0); /* what it says to the console is no part of this */
	TRY(memfd("n", 0));
	TRY(memfd("n", MFD_EXEC));
	TRY(memfd("n", MFD_EXEC | 0x20));
	fd = memfd("n", MFD_NOEXEC_SEAL);
	say_file("noexec", fd);
	syscall(SYS_syslog, 7, NULL, 0);
}

BEHAVIOUR(memfd_executable_bits_sealed, "memfd_create MFD_NOEXEC_SEAL")
{
	int fd = memfd("n", MFD_NOEXEC_SEAL);

	TRY(fchmod(fd, 0777));
	TRY(fchmod(fd, 0600));
	TRY(fchmod(fd, 0611));
	say_file("after", fd);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	say_file("sealed", fd);
	abi_ptr("mapped to execute", mmap(abi_window(2), page, RX, MAP_SHARED | MAP_FIXED, fd, 0));
}

BEHAVIOUR(memfd_executes, "memfd_create fexecve")
{
	int self = open("/proc/self/exe", O_RDONLY), fd = memfd("prog", 0), no, n;
	static char buf[65536];
	char *argv[] = {(char *)"x", (char *)"-l", NULL}, *envp[] = {NULL};
	pid_t pid;

	no = memfd("prog", MFD_NOEXEC_SEAL);
	while ((n = read(self, buf, sizeof(buf))) > 0)
		if (write(fd, buf, n) != n || write(no, buf, n) != n)
			abi_fail("write");
	pid = abi_fork();
	if (!pid) {
		close(1);
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(errno);
	}
	abi_wait(pid);
	TRY(syscall(SYS_execveat, no, "", argv, envp, AT_EMPTY_PATH));
}

BEHAVIOUR(memfd_private_mapping_and_reopen, "memfd_create reopen")
{
	int fd = abi_memfd(page, 0), ro;
	char path[64], *p, *w = abi_window(4);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY);
	TRY(ro < 0 ? -1 : 0);
	TRY(write(ro, "x", 1));
	abi_ptr("shared write", mmap(w, page, RW, MAP_SHARED | MAP_FIXED, ro, 0));
	p = mmap(w, page, RW, MAP_PRIVATE | MAP_FIXED, ro, 0);
	abi_store("private", p, 3);
	abi_file_bytes("the file", fd, 0, 2);
	TRY(link(path, "here"));
	TRY(linkat(AT_FDCWD, path, AT_FDCWD, "here", AT_SYMLINK_FOLLOW));
}

BEHAVIOUR(memfd_of_huge_pages, "memfd_create MFD_HUGETLB")
{
	TRY(memfd("n", MFD_HUGETLB) < 0 ? -1 : 0);
	TRY(memfd("n", MFD_HUGETLB | MFD_ALLOW_SEALING) < 0 ? -1 : 0);
	TRY(memfd("n", MFD_HUGETLB | 0x20));
}
