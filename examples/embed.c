/* SPDX-License-Identifier: MIT */
/* An embedder's view: a file of the host mapped into a program that exists only in this process. */
#include <fcntl.h>
#include <stdio.h>
#include <mmkit/hosted.h>

int main(void)
{
	struct hosted *machine = hosted_create(NULL);
	struct mmk_task task = {.pid = 1};
	struct mmk_fault fault;
	char text[6] = "", why[128];
	int fd = hosted_open(machine, "embed.txt", O_RDWR | O_CREAT | O_TRUNC, 0644);

	hosted_spawn(machine, &task);
	hosted_pwrite(machine, fd, 0, "Hello, page", 11);

	/* Load and store as user code does: pages come by faults, through arm64's own tables. */
	unsigned long prot = MMK_PROT_READ | MMK_PROT_WRITE;
	long at = mmk_sys_mmap(&task, 0, 8192, prot, MMK_MAP_SHARED, fd, 0);
	hosted_load(machine, &task, at, text, 5, &fault);
	hosted_store(machine, &task, at, "J", 1, &fault);
	mmk_sys_msync(&task, at, 4096, MMK_MS_SYNC); /* now embed.txt begins with a J */
	printf("read \"%s\"\n", text);

	/* Signals are results. */
	hosted_load(machine, &task, at + 4096, text, 1, &fault);
	printf("beyond the file: signal %d\n", fault.signo); /* SIGBUS */
	mmk_sys_munmap(&task, at, 8192);
	hosted_load(machine, &task, at, text, 1, &fault);
	printf("unmapped: signal %d\n", fault.signo); /* SIGSEGV */

	/* Refusals say why. */
	long err = mmk_sys_mmap(&task, 0, 4096, MMK_PROT_READ, MMK_MAP_PRIVATE, fd, 0x1234);
	mmk_reason_text(&task, why, sizeof(why));
	printf("error %ld: %s\n", -err, why);

	hosted_exit(machine, &task);
	return hosted_destroy(machine) != 0; /* frames that were lost */
}
