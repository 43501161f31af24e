/* SPDX-License-Identifier: MIT */
/*
 * Runs the test programs named on its command line, in order, or those beside /init if it is PID 1
 * of an initramfs; then the machine is switched off. One boot thus runs them all.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const all[] = {"/tests/kinds", "/tests/calls", "/tests/fault", "/tests/process",
                            "/tests/code",  "/tests/smp",   "/tests/events"};

static void run_program(char *path)
{
	char *argv[] = {path, NULL};
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		execv(path, argv);
		printf("not ok %s: cannot be started: %m\n", path);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		printf("not ok %s: no process\n", path);
	else if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		printf("not ok %s: ended with wait status 0x%x\n", path, status);
}

static void be_init(void)
{
	size_t i;

	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 01777);
	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/dev", "devtmpfs", 0, NULL);
	mount("none", "/tmp", "tmpfs", 0, NULL);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		run_program(all[i]);
	printf("suite ended\n");
	sync();
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	int i;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (getpid() == 1)
		be_init();
	for (i = 1; i < argc; i++)
		run_program(argv[i]);
	printf("suite ended\n");
	return 0;
}
