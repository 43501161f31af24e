/* SPDX-License-Identifier: MIT */
/* What the kernel tells of memory: maps, smaps, status, mincore. */
#include "harness.h"

static char text[1 << 18]; /* a whole file of procfs; not from malloc, which would change it */

static char *read_proc(const char *path)
{
	if (!abi_read_text(path, text, sizeof(text)))
		abi_fail("%s cannot be read", path);
	return text;
}

/* The line at *@at, ended by a NUL; *@at moves on to the next. NULL at the end. */
static char *next_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return line;
}

struct line {
	unsigned long start, end, offset;
	char perms[8];
	char name[300];
};

static bool parse_line(const char *line, struct line *l)
{
	int name_at = 0;

	if (sscanf(line, "%lx-%lx %7s %lx %*x:%*x %*u%n", &l->start, &l->end, l->perms, &l->offset,
	           &name_at) != 4)
		return false;
	line += name_at + strspn(line + name_at, " ");
	snprintf(l->name, sizeof(l->name), "%s", line);
	return true;
}

/* What of a name is the same in every run. */
static const char *name_class(const char *name)
{
	const char *slash;

	if (!*name)
		return "anon";
	if (*name != '/' || !strncmp(name, "/memfd:", 7) || !strncmp(name, "/dev/", 5))
		return strncmp(name, "/dev/shm/abi.", 13) ? name : strrchr(name, '/') + 1;
	slash = strrchr(name, '/');
	return slash + 1;
}

static void say_hole(unsigned long from, unsigned long to)
{
	if (from < to)
		abi_say("maps 0x%lx-0x%lx hole", from, to);
}

void abi_maps(const void *base, size_t pages)
{
	unsigned long origin = (unsigned long)base, stop = pages * page, told = 0;
	char *at = read_proc("/proc/self/maps"), *line;
	struct line l;

	while ((line = next_line(&at))) {
		if (!parse_line(line, &l))
			abi_fail("no line of a maps file: %s", line);
		if (l.end <= origin || l.start >= origin + stop)
			continue;
		if (l.start < origin) {
			l.offset += l.offset || l.name[0] == '/' ? origin - l.start : 0;
			l.start = origin;
		}
		l.start -= origin;
		l.end = l.end - origin < stop ? l.end - origin : stop;
		say_hole(told, l.start);
		abi_say("maps 0x%lx-0x%lx %s %08lx %s", l.start, l.end, l.perms, l.offset,
		        name_class(l.name));
		told = l.end;
	}
	say_hole(told, stop);
}

/* ---- smaps ---- */

/* The line of the entry that holds @p and begins with @field and a colon; what follows the colon.
 */
static char *smaps_line(const void *p, const char *field)
{
	char *at = read_proc("/proc/self/smaps"), *line;
	size_t len = strlen(field);
	bool inside = false;
	struct line l;

	while ((line = next_line(&at))) {
		if (parse_line(line, &l))
			inside = l.start <= (unsigned long)p && (unsigned long)p < l.end;
		else if (inside && !strncmp(line, field, len) && line[len] == ':')
			return line + len + 1;
	}
	return NULL;
}

long abi_smaps_field(const void *p, const char *field)
{
	char *value = smaps_line(p, field);

	return value ? strtol(value, NULL, 10) : -1;
}

void abi_smaps(const void *p, const char *field)
{
	abi_say("smaps %s = %ld kB", field, abi_smaps_field(p, field));
}

void abi_vmflags(const char *what, const void *p)
{
	char *value = smaps_line(p, "VmFlags");
	size_t len;

	if (!value) {
		abi_say("vmflags %s: none", what);
		return;
	}
	value += strspn(value, " ");
	len = strlen(value);
	while (len && value[len - 1] == ' ')
		value[--len] = '\0';
	abi_say("vmflags %s = %s", what, value);
}

/* ---- status ---- */

long abi_status_field(const char *field)
{
	char *at = read_proc("/proc/self/status"), *line;
	size_t len = strlen(field);

	while ((line = next_line(&at))) {
		if (!strncmp(line, field, len) && line[len] == ':')
			return strtol(line + len + 1, NULL, 10);
	}
	return -1;
}

void abi_status(const char *field)
{
	abi_say("status %s = %ld kB", field, abi_status_field(field));
}

void abi_mincore(const void *p, size_t pages)
{
	unsigned char vec[256];
	char digits[257] = "";
	size_t i;

	if (pages > sizeof(vec))
		abi_fail("mincore of too many pages");
	if (mincore((void *)p, pages * page, vec)) {
		abi_ret("mincore", -1);
		return;
	}
	for (i = 0; i < pages; i++)
		digits[i] = '0' + (vec[i] & 1);
	abi_say("mincore = %s", digits);
}
