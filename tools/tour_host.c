/* SPDX-License-Identifier: MIT */
/*
 * The host's half of the tour: lays out two files, lets the guest map and change them, and after
 * the machine has gone looks at their bytes. The shared one must have changed exactly where the
 * guest stored, the private one not at all.
 */
#define _GNU_SOURCE
#include "tour_host.h"

#include "tour/tour.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUEST_DIR "/tour"

static void expected_bytes(const char *name, bool changed, char bytes[TOUR_FILE_SIZE])
{
	unsigned long i;

	for (i = 0; i < TOUR_FILE_SIZE; i++)
		bytes[i] = tour_byte(name, i);
	if (!changed)
		return;
	memcpy(bytes + TOUR_CHANGE_AT, TOUR_CHANGE, sizeof(TOUR_CHANGE) - 1);
	memcpy(bytes + TOUR_TAIL_AT, TOUR_TAIL, sizeof(TOUR_TAIL) - 1);
}

static void make_file(const char *dir, const char *name)
{
	char bytes[TOUR_FILE_SIZE], *path = xprintf("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	expected_bytes(name, false, bytes);
	if (fd < 0 || write(fd, bytes, sizeof(bytes)) != sizeof(bytes) || close(fd))
		die(EXIT_IO, "cannot write %s: %s", path, strerror(errno));
	free(path);
}

static bool judge_file(const char *dir, const char *name, bool changed)
{
	char want[TOUR_FILE_SIZE], got[TOUR_FILE_SIZE + 1];
	char *path = xprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	size_t len = f ? fread(got, 1, sizeof(got), f) : 0;
	bool good;

	expected_bytes(name, changed, want);
	good = f && len == sizeof(want) && !memcmp(got, want, len);
	printf("  %-12s %s: %zu bytes, %s\n", name, good ? "as it should be" : "WRONG", len,
	       changed ? "changed where the guest wrote through its shared mapping, nowhere else"
	               : "untouched by what the guest wrote through its private mapping");
	if (f)
		fclose(f);
	free(path);
	return good;
}

static char *tour_dir;

/* At exit, however that comes. */
static void remove_files(void)
{
	static const char *const names[] = {TOUR_PRIVATE, TOUR_SHARED};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		char *path = xprintf("%s/%s", tour_dir, names[i]);

		unlink(path);
		free(path);
	}
	rmdir(tour_dir);
	free(tour_dir);
}

static int run_guest_half(const struct run_config *base, const char *dir)
{
	static char *argv[] = {"tour", GUEST_DIR, NULL};
	struct run_config cfg = *base;
	char *path[] = {xprintf("%s", base->tour), NULL};

	cfg.argv = path;
	program_place(&cfg);
	run_add_share(&cfg, "tour", dir, GUEST_DIR);
	cfg.argv = argv;
	return session_run(&cfg);
}

/* 0 if the guest's half found all in order and so do we. */
static int verdict(int status, const char *dir)
{
	bool good;

	if (status == EXIT_MACHINE || status >= EXIT_SIGNALED)
		return status;
	printf("\n==== the host looks at the files ====\n");
	good = judge_file(dir, TOUR_PRIVATE, false);
	good &= judge_file(dir, TOUR_SHARED, true);
	printf("\nThe tour %s.\n", good && !status ? "went as it should" : "FAILED");
	fflush(stdout);
	return status ? status : !good;
}

static int shell(const struct run_config *base)
{
	static char *argv[] = {"sh", NULL};
	struct run_config cfg = *base;

	printf("\nNow a shell on this kernel; your directory is /host, Ctrl-D leaves.\n\n");
	fflush(stdout);
	cfg.argv = argv;
	program_place(&cfg);
	return session_run(&cfg);
}

int tour_run(struct run_config *cfg)
{
	const char *tmp = getenv("TMPDIR");
	int status;

	if (!cfg->tour)
		die(EXIT_BAD_CALL, "no PROGRAM; ./mmkit help says what may be given");
	tour_dir = xprintf("%s/mmkit-tour-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(tour_dir))
		die(EXIT_IO, "no temporary directory %s: %s", tour_dir, strerror(errno));
	atexit(remove_files);
	make_file(tour_dir, TOUR_PRIVATE);
	make_file(tour_dir, TOUR_SHARED);
	status = verdict(run_guest_half(cfg, tour_dir), tour_dir);
	if (!status && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return shell(cfg);
	return status;
}
