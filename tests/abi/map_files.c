/* SPDX-License-Identifier: MIT */
/* /proc/PID/map_files: a link for each mapping of a file. */
#include "abi.h"

#include <dirent.h>

static void *map_named(const char *name, size_t pages, int prot, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	abi_must("open", fd);
	abi_must("ftruncate", ftruncate(fd, pages * page));
	abi_must("pwrite", pwrite(fd, "content", 7, 0));
	return abi_map_with(pages, prot, flags, fd, 0);
}

/* The entries in a window, with where they lead. */
static void list(const char *base, size_t pages)
{
	DIR *d = opendir("/proc/self/map_files");
	struct dirent *e;
	int n = 0;

	if (!d) {
		abi_ret("opendir", -1);
		return;
	}
	while ((e = readdir(d))) {
		char path[320], to[256] = "";
		unsigned long from, end;
		struct stat st;

		if (sscanf(e->d_name, "%lx-%lx", &from, &end) != 2 || from < (unsigned long)base ||
		    from >= (unsigned long)base + pages * page)
			continue;
		snprintf(path, sizeof(path), "/proc/self/map_files/%s", e->d_name);
		if (readlink(path, to, sizeof(to) - 1) < 0 || lstat(path, &st))
			strcpy(to, "?");
		abi_say("%lu-%lu %o %s", (from - (unsigned long)base) / page,
		        (end - (unsigned long)base) / page, st.st_mode, to);
		n++;
	}
	closedir(d);
	abi_say("%d entries", n);
}

static const char *link_name(const void *from, const void *to)
{
	static char path[128];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)from,
	         (unsigned long)to);
	return path;
}

BEHAVIOUR(mappings_of_files_have_links, "map_files")
{
	char *p;

	abi_must("chdir", chdir("/tmp"));
	p = map_named("map-files", 4, PROT_READ, MAP_SHARED);
	list(p, 4);
	abi_must("munmap", munmap(p + page, page));
	list(p, 4);
	abi_must("unlink", unlink("map-files"));
	list(p, 4);
}

BEHAVIOUR(anonymous_mappings_have_none, "map_files")
{
	char *p = abi_map(4, RW);

	list(p, 4);
}

BEHAVIOUR(links_lead_to_the_file, "map_files open")
{
	char *p, text[16];
	int fd;

	abi_must("chdir", chdir("/tmp"));
	p = map_named("map-files", 2, RW, MAP_PRIVATE);
	fd = open(link_name(p, p + 2 * page), O_RDONLY);
	TRY(read(fd, text, 7));
	abi_bytes("text", text, 7);
	unlink("map-files");
	fd = open(link_name(p, p + 2 * page), O_RDONLY);
	abi_say("opens though it is gone: %d", fd >= 0);
}

BEHAVIOUR(names_must_be_exact, "map_files ENOENT")
{
	char *p, path[128];

	abi_must("chdir", chdir("/tmp"));
	p = map_named("map-files", 2, PROT_READ, MAP_SHARED);
	TRY(access(link_name(p, p + 2 * page), F_OK));
	TRY(access(link_name(p, p + page), F_OK));
	TRY(access(link_name(p + page, p + 2 * page), F_OK));
	snprintf(path, sizeof(path), "/proc/self/map_files/0%lx-%lx", (unsigned long)p,
	         (unsigned long)p + 2 * page);
	TRY(access(path, F_OK));
	snprintf(path, sizeof(path), "/proc/self/map_files/%lX-%lX", (unsigned long)p,
	         (unsigned long)p + 2 * page);
	abi_say("upper case found: %d", !access(path, F_OK) && strpbrk(path + 21, "ABCDEF"));
	TRY(access("/proc/self/map_files/x", F_OK));
	TRY(access("/proc/self/map_files/1", F_OK));
	TRY(access("/proc/self/map_files/1-", F_OK));
}
