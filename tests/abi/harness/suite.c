/* SPDX-License-Identifier: MIT */
/*
 * Runs programs of behaviours, one boot for all: those named on its command line, or, as PID 1 of
 * an initramfs, all in /abi; it then switches the machine off. $ABI_PASSES says how often each.
 *
 * Prints "# Linux RELEASE MACHINE", then for each program "## NAME", what it prints, "## end NAME",
 * and at last "# end".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_program(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *argv[] = {(char *)path, NULL};
	int status = 0;
	pid_t pid;

	printf("## %s\n", name);
	pid = fork();
	if (!pid) {
		execv(path, argv);
		printf("cannot be started: %m\n");
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		printf("## %s failed: wait status 0x%x\n", name, status);
	else
		printf("## end %s\n", name);
}

static void mount_all(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 01777);
	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/sys", "sysfs", 0, NULL);
	mount("none", "/dev", "devtmpfs", 0, NULL);
	mkdir("/dev/shm", 01777);
	mount("none", "/dev/shm", "tmpfs", 0, NULL);
	mount("none", "/tmp", "tmpfs", 0, NULL);
}

static int not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static void be_init(int passes)
{
	struct dirent **found;
	int i, pass, n = scandir("/abi", &found, not_hidden, alphasort);
	char path[300];

	for (pass = 0; pass < passes; pass++) {
		for (i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "/abi/%s", found[i]->d_name);
			run_program(path);
		}
	}
	printf("# end\n");
	sync();
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	const char *passes = getenv("ABI_PASSES");
	struct utsname u;
	int i;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (getpid() == 1)
		mount_all();
	uname(&u);
	printf("# Linux %s %s\n", u.release, u.machine);
	if (getpid() == 1)
		be_init(passes ? atoi(passes) : 1);
	for (i = 1; i < argc; i++)
		run_program(argv[i]);
	printf("# end\n");
	return 0;
}
