/* SPDX-License-Identifier: MIT */
/*
 * mapfile FILE: stores through a private and a shared mapping of FILE. The host then looks which
 * stores are in it: SHARED at 5000 and at the last bytes, and nothing else.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = open(argv[1], O_RDWR);
	struct stat st;
	char *p, *s;

	if (fd < 0 || fstat(fd, &st)) {
		perror(argv[1]);
		return 1;
	}
	p = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	s = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || s == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	memset(p, 'P', st.st_size);
	memcpy(s + 5000, "SHARED", 6);
	memcpy(s + st.st_size - 6, "SHARED", 6);
	memset(s + st.st_size, 'T', -st.st_size & 4095);
	return p[0] == 'P' && p[5000] == 'P' ? 0 : 2;
}
