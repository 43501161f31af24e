/* SPDX-License-Identifier: MIT */
/*
 * Which file does PROGRAM mean, and under which path will the guest see it?
 *
 *   with a '/'     --root DIR has it (absolute names only): that one, as the guest names it;
 *                  else a file of the host, brought in by a 9p share
 *   without one    looked up in DIR's usual directories, then among mmkit's own busybox tree
 *
 * The host's current directory is the guest's too (under /host) unless --root says what the guest
 * shall see. Over some directories of its root the guest has file systems of its own; what the host
 * has there is brought in as any file of the host.
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CWD_MOUNT   "/host"
#define PROG_MOUNT  "/.mmkit-prog"
#define TOOLS_MOUNT "/.mmkit-tools"
#define GUEST_PATH  "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

static const char *const search_dirs[] = {
    "/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin",
};

void run_add_share(struct run_config *cfg, const char *tag, const char *host_dir,
                   const char *guest_path)
{
	if (cfg->nr_shares == RUN_MAX_SHARES)
		abort();
	cfg->shares[cfg->nr_shares++] = (struct share){tag, xprintf("%s", host_dir), guest_path};
}

static const char *root_of(const struct run_config *cfg)
{
	return cfg->root ? cfg->root : cfg->tree;
}

/* If absolute path @path lies in directory @dir: the rest, beginning with '/'. */
static const char *below(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	if (!strcmp(dir, "/"))
		return path;
	return !strncmp(dir, path, len) && path[len] == '/' ? path + len : NULL;
}

/* Does the guest mount a file system of its own over this path of its root? kernel/fs/init.c does. */
static bool covered(const char *guest_path)
{
	static const char *const mounts[] = {"/tmp", "/dev", "/proc", "/sys"};
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (below(mounts[i], guest_path))
			return true;
	return false;
}

/* The file at @host is what will be started; @shown is the name that the user knows it by. */
static void check_startable(const struct run_config *cfg, const char *host, const char *shown)
{
	char *interp, *found;
	char *why = elfcheck(host, &interp);

	if (why)
		die(EXIT_BAD_CALL, "%s %s", shown, why);
	if (!interp)
		return;
	found = rootwalk(root_of(cfg), interp);
	if (!found)
		die(EXIT_BAD_CALL,
		    "%s needs %s, which the guest's root does not have: link it with -static, or "
		    "name a --root that has it",
		    shown, interp);
	free(found);
	free(interp);
}

/* A program of the root or of the tools: @guest_path in @dir. True if there is such a file. */
static bool try_guest_file(struct run_config *cfg, const char *dir, const char *path)
{
	char *host = rootwalk(dir, path);
	struct stat st;

	if (!host)
		return false;
	if (stat(host, &st) || S_ISDIR(st.st_mode)) {
		free(host);
		return false;
	}
	check_startable(cfg, host, path);
	free(host);
	return true;
}

static void place_host_file(struct run_config *cfg, const char *name, const char *cwd)
{
	const char *rest;
	char *real = realpath(name, NULL), *slash;

	if (!real)
		die(EXIT_BAD_CALL, "%s: %s; give the path of an arm64 program", name,
		    strerror(errno));
	check_startable(cfg, real, name);
	rest = below(root_of(cfg), real);
	if (rest && !covered(rest)) {
		cfg->guest_program = xprintf("%s", rest);
	} else if (!cfg->root && (rest = below(cwd, real))) {
		cfg->guest_program = xprintf(CWD_MOUNT "%s", rest);
	} else {
		slash = strrchr(real, '/');
		cfg->guest_program = xprintf(PROG_MOUNT "%s", slash);
		*slash = '\0';
		run_add_share(cfg, "prog", *real ? real : "/", PROG_MOUNT);
	}
	free(real);
}

static bool find_in(struct run_config *cfg, const char *dir, const char *prefix)
{
	unsigned int i;

	for (i = 0; i < sizeof(search_dirs) / sizeof(search_dirs[0]); i++) {
		char *path = xprintf("%s/%s", search_dirs[i], cfg->argv[0]);

		if (try_guest_file(cfg, dir, path)) {
			cfg->guest_program = xprintf("%s%s", prefix, path);
			free(path);
			return true;
		}
		free(path);
	}
	return false;
}

static void place_by_name(struct run_config *cfg)
{
	const char *name = cfg->argv[0];

	if (!*name)
		die(EXIT_BAD_CALL, "PROGRAM is an empty word; give the name or path of a program");
	if (find_in(cfg, root_of(cfg), ""))
		return;
	if (cfg->root && find_in(cfg, cfg->tree, TOOLS_MOUNT)) {
		run_add_share(cfg, "tools", cfg->tree, TOOLS_MOUNT);
		return;
	}
	if (!access(name, F_OK))
		die(EXIT_BAD_CALL,
		    "%s: the guest has no such program; for the file of this directory "
		    "write ./%s",
		    name, name);
	die(EXIT_BAD_CALL,
	    "%s: the guest has no such program; for a file of yours give a path, as in "
	    "./%s",
	    name, name);
}

void program_place(struct run_config *cfg)
{
	char *cwd = getcwd(NULL, 0);
	const char *name = cfg->argv[0];
	bool in_root = cfg->root && name[0] == '/';
	char *hidden = in_root && covered(name) ? rootwalk(cfg->root, name) : NULL;

	cfg->guest_path = GUEST_PATH;
	cfg->guest_cwd = "/";
	run_add_share(cfg, "root", root_of(cfg), "/");
	if (!cfg->root && cwd) {
		run_add_share(cfg, "cwd", cwd, CWD_MOUNT);
		cfg->guest_cwd = CWD_MOUNT;
	}
	if (hidden)
		place_host_file(cfg, hidden, cwd ? cwd : "/nowhere");
	else if (in_root && try_guest_file(cfg, cfg->root, name))
		cfg->guest_program = xprintf("%s", name);
	else if (strchr(name, '/'))
		place_host_file(cfg, name, cwd ? cwd : "/nowhere");
	else
		place_by_name(cfg);
	free(hidden);
	free(cwd);
}
