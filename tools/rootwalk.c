/* SPDX-License-Identifier: MIT */
/*
 * Path lookup inside a directory that will be a guest's root. The host's own lookup would be wrong:
 * for it, a tree's /bin/sh -> /bin/busybox is a link out of the tree.
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40

struct walk {
	char done[PATH_MAX]; /* resolved part below the root: "" or "/a/b" */
	char todo[PATH_MAX]; /* what is left */
	unsigned int links;
};

static void step_up(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

	if (slash)
		*slash = '\0';
}

/* Takes the first component off @todo; false if there is none left. */
static bool next_component(struct walk *w, char name[NAME_MAX + 1])
{
	size_t skip = strspn(w->todo, "/");
	size_t len = strcspn(w->todo + skip, "/");

	if (!len)
		return false;
	snprintf(name, NAME_MAX + 1, "%.*s", (int)len, w->todo + skip);
	memmove(w->todo, w->todo + skip + len, strlen(w->todo + skip + len) + 1);
	return true;
}

/* @host is a symbolic link: what it says goes in front of what is left. */
static int follow(struct walk *w, const char *host)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t len = readlink(host, target, sizeof(target) - 1);

	if (len < 0)
		return -1;
	target[len] = '\0';
	if (++w->links > MAX_LINKS) {
		errno = ELOOP;
		return -1;
	}
	step_up(w);
	if (target[0] == '/')
		w->done[0] = '\0';
	memcpy(rest, w->todo, sizeof(rest));
	if (snprintf(w->todo, sizeof(w->todo), "%s/%s", target, rest) >= (int)sizeof(w->todo)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static int walk_step(struct walk *w, const char *root, const char *name)
{
	char host[2 * PATH_MAX];
	struct stat st;

	if (!strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		step_up(w);
		return 0;
	}
	if (strlen(w->done) + strlen(name) + 2 > sizeof(w->done)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcat(strcat(w->done, "/"), name);
	snprintf(host, sizeof(host), "%s%s", root, w->done);
	if (lstat(host, &st))
		return -1;
	return S_ISLNK(st.st_mode) ? follow(w, host) : 0;
}

char *rootwalk(const char *root, const char *path)
{
	struct walk w = {.links = 0};
	char name[NAME_MAX + 1];

	if (strlen(path) >= sizeof(w.todo)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	strcpy(w.todo, path);
	while (next_component(&w, name))
		if (walk_step(&w, root, name))
			return NULL;
	return xprintf("%s%s", root, w.done);
}
