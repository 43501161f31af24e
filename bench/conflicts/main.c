/* SPDX-License-Identifier: MIT */
/*
 * ./mmkit bench --conflicts: for pairs of calls that commute, the cache lines that one of them
 * writes and the other touches. Each call is made on a machine of its own that has been prepared
 * exactly alike: the first of a pair by CPU 0, the second by CPU 1. What is recorded is the core's
 * memory; the port's (its MMU, its files' reference counts) is the embedder's affair.
 */
#include "bench/conflicts/owners.h"
#include "bench/conflicts/recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE  4096ul
#define MIB   (1ul << 20)
#define BASE  (1ul << 32)
#define RW    (MMK_PROT_READ | MMK_PROT_WRITE)
#define ANON  (MMK_MAP_PRIVATE | MMK_MAP_ANONYMOUS)
#define RANGE (16 * PAGE)
#define WARM  (4 * PAGE) /* few, so that the CPU keeps their frames */

/* Where the second call of a pair works, seen from the first. */
enum place { SAME_PAGE, SAME_TABLE, SAME_VMA, OTHER_VMA, OTHER_MM, NR_PLACES };
static const char *const place_names[] = {"same page", "same table", "same VMA, 2 MiB apart",
                                          "another VMA", "another mm"};

/* ---- the machine ---- */

struct scene {
	struct hosted *h;
	struct mmk_task task[2]; /* the thread on each CPU */
	int fd;
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "conflicts: %s failed\n", what);
	exit(1);
}

static void map(struct mmk_task *t, unsigned long at, size_t len, unsigned long flags, int fd,
                uint64_t off)
{
	long got = mmk_sys_mmap(t, at, len, RW, flags | MMK_MAP_FIXED, fd, off);

	must(got == (long)at, "mmap");
}

static void touch(struct scene *s, struct mmk_task *t, unsigned long at)
{
	char byte = 1;

	must(!hosted_store(s->h, t, at, &byte, 1, NULL), "store");
}

/* For faults: 4 MiB of anonymous, private and shared file memory each, and a VMA 2 MiB behind. */
enum area { AREA_ANON, AREA_PRIVATE, AREA_SHARED, NR_AREAS };

static unsigned long area_base(enum area area)
{
	return BASE + area * 32 * MIB;
}

static unsigned long fault_address(enum area area, unsigned slot, enum place place)
{
	static const unsigned long where[NR_PLACES] = {
	    [SAME_TABLE] = 128 * PAGE,
	    [SAME_VMA] = 2 * MIB,
	    [OTHER_VMA] = 6 * MIB,
	    [OTHER_MM] = 2 * MIB,
	};

	return area_base(area) + 64 * PAGE + (slot ? where[place] : 0);
}

static void make_area(struct scene *s, struct mmk_task *t, enum area area)
{
	unsigned long at = area_base(area);
	unsigned long flags = area == AREA_ANON      ? ANON
	                      : area == AREA_PRIVATE ? MMK_MAP_PRIVATE
	                                             : MMK_MAP_SHARED;

	map(t, at, 4 * MIB, flags, s->fd, 0);
	map(t, at + 6 * MIB, 2 * MIB, flags, s->fd, area == AREA_ANON ? 0 : 6 * MIB);
	touch(s, t, at);
	touch(s, t, at + 2 * MIB);
	touch(s, t, at + 6 * MIB);
}

/* For calls on ranges: 16 touched pages for each kind of call and slot, 2 MiB apart. */
enum range {
	RANGE_MMAP,
	RANGE_MUNMAP,
	RANGE_PROTECT,
	RANGE_SPLIT,
	RANGE_DROP,
	RANGE_LOOK,
	NR_RANGES
};

static unsigned long range_base(enum range range, unsigned slot)
{
	return BASE + 128 * MIB + range * 16 * MIB + slot * 2 * MIB;
}

static void make_ranges(struct scene *s, struct mmk_task *t, unsigned slot)
{
	for (enum range range = RANGE_MUNMAP; range < NR_RANGES; range++) {
		unsigned long at = range_base(range, slot);

		map(t, at, RANGE, ANON, -1, 0);
		for (unsigned long off = 0; off < RANGE; off += PAGE)
			touch(s, t, at + off);
	}
}

/* The CPU has this mm, and frames at hand. */
static void warm(struct scene *s, unsigned cpu)
{
	unsigned long at = BASE - 16 * MIB + cpu * 4 * MIB;

	hosted_set_cpu(cpu);
	map(&s->task[cpu], at, WARM, ANON, -1, 0);
	for (unsigned long off = 0; off < WARM; off += PAGE)
		touch(s, &s->task[cpu], at + off);
	must(!mmk_sys_munmap(&s->task[cpu], at, WARM), "munmap");
}

static void fill_file(struct scene *s)
{
	static const char bytes[64 << 10] = {1};

	s->fd = hosted_memfd(s->h, "conflicts", 8 * MIB);
	must(s->fd >= 0, "memfd");
	for (uint64_t pos = 0; pos < 8 * MIB; pos += sizeof(bytes))
		must(hosted_pwrite(s->h, s->fd, pos, bytes, sizeof(bytes)) == sizeof(bytes),
		     "write");
}

static void begin(struct scene *s, bool two_mms)
{
	struct hosted_config config = {.nr_cpus = 2, .seed = 1, .keep_freed = true};

	*s = (struct scene){.h = hosted_create(&config), .task = {{.pid = 1}, {.pid = 2}}};
	must(s->h, "the machine");
	hosted_set_cpu(0);
	fill_file(s);
	must(!hosted_spawn(s->h, &s->task[0]), "spawn");
	s->task[1].mm = s->task[0].mm;
	if (two_mms)
		must(!hosted_spawn(s->h, &s->task[1]), "spawn");
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		hosted_set_cpu(cpu);
		for (enum area area = 0; area < NR_AREAS && (!cpu || two_mms); area++)
			make_area(s, &s->task[cpu], area);
		make_ranges(s, &s->task[cpu], cpu);
	}
	warm(s, 0);
	warm(s, 1);
	owners_watch(hosted_system(s->h), hosted_file(s->h, s->fd)->f_mapping);
}

static void end(struct scene *s)
{
	if (s->task[1].mm != s->task[0].mm)
		hosted_exit(s->h, &s->task[1]);
	hosted_set_cpu(0);
	hosted_exit(s->h, &s->task[0]);
	hosted_destroy(s->h);
}

/* ---- the calls ---- */

static void fault(struct mmk_task *t, enum area area, unsigned slot, enum place place, unsigned how)
{
	struct mmk_fault f;

	must(!mmk_handle_fault(t, fault_address(area, slot, place), MMK_FAULT_USER | how, &f),
	     "fault");
}

static void read_anon(struct mmk_task *t, unsigned slot, enum place place)
{
	fault(t, AREA_ANON, slot, place, 0);
}

static void write_anon(struct mmk_task *t, unsigned slot, enum place place)
{
	fault(t, AREA_ANON, slot, place, MMK_FAULT_WRITE);
}

static void read_file(struct mmk_task *t, unsigned slot, enum place place)
{
	fault(t, AREA_PRIVATE, slot, place, 0);
}

static void write_private(struct mmk_task *t, unsigned slot, enum place place)
{
	fault(t, AREA_PRIVATE, slot, place, MMK_FAULT_WRITE);
}

static void write_shared(struct mmk_task *t, unsigned slot, enum place place)
{
	fault(t, AREA_SHARED, slot, place, MMK_FAULT_WRITE);
}

static void do_mmap(struct mmk_task *t, unsigned slot, enum place place)
{
	map(t, range_base(RANGE_MMAP, slot), RANGE, ANON, -1, 0);
}

static void do_munmap(struct mmk_task *t, unsigned slot, enum place place)
{
	must(!mmk_sys_munmap(t, range_base(RANGE_MUNMAP, slot), RANGE), "munmap");
}

static void do_mprotect(struct mmk_task *t, unsigned slot, enum place place)
{
	must(!mmk_sys_mprotect(t, range_base(RANGE_PROTECT, slot), RANGE, MMK_PROT_READ),
	     "mprotect");
}

static void do_split(struct mmk_task *t, unsigned slot, enum place place)
{
	unsigned long at = range_base(RANGE_SPLIT, slot) + 4 * PAGE;

	must(!mmk_sys_mprotect(t, at, PAGE, MMK_PROT_READ), "mprotect");
}

static void do_dontneed(struct mmk_task *t, unsigned slot, enum place place)
{
	must(!mmk_sys_madvise(t, range_base(RANGE_DROP, slot), RANGE, MMK_MADV_DONTNEED),
	     "madvise");
}

/* The vector lies in the range itself. */
static void do_mincore(struct mmk_task *t, unsigned slot, enum place place)
{
	unsigned long at = range_base(RANGE_LOOK, slot);

	must(!mmk_sys_mincore(t, at, RANGE, at), "mincore");
}

static void do_maps(struct mmk_task *t, unsigned slot, enum place place)
{
	static char text[16 << 10];
	uint64_t pos = 0;

	while (mmk_proc_maps(t, t->mm, &pos, text, sizeof(text)) > 0)
		;
}

static const struct call {
	const char *name;
	void (*make)(struct mmk_task *t, unsigned slot, enum place place);
	bool faults;
} calls[] = {
    {"fault: read anonymous", read_anon, true},
    {"fault: write anonymous", write_anon, true},
    {"fault: read file", read_file, true},
    {"fault: write private file", write_private, true},
    {"fault: write shared file", write_shared, true},
    {"mmap", do_mmap},
    {"munmap", do_munmap},
    {"mprotect", do_mprotect},
    {"mprotect, split", do_split},
    {"madvise DONTNEED", do_dontneed},
    {"mincore", do_mincore},
    {"/proc/PID/maps", do_maps},
};
#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

/* ---- pairs ---- */

#define MAX_OWNERS 40
struct owners {
	unsigned nr;
	char name[MAX_OWNERS][OWNER_NAME];
	unsigned times[MAX_OWNERS];
};
struct pair {
	unsigned lines;
	struct owners owners;
};
static struct recording first[2][NR_CALLS]; /* [another mm] */
static struct pair pairs[NR_PLACES][NR_CALLS][NR_CALLS];

static void add_owner(struct owners *o, const char *name)
{
	unsigned i = 0;

	while (i < o->nr && strcmp(o->name[i], name))
		i++;
	if (i == MAX_OWNERS)
		return;
	if (i == o->nr)
		strcpy(o->name[o->nr++], name);
	o->times[i]++;
}

/* Names of all bytes that both touch and one writes; of all written ones where there is none. */
static void name_line(struct mmk_system *sys, const struct touched_line *a,
                      const struct touched_line *b, struct owners *owners)
{
	uint64_t both = (a->written & (b->read | b->written)) | (b->written & a->read);
	uint64_t bytes = both ? both : a->written | b->written;
	char name[OWNER_NAME], last[OWNER_NAME] = "";

	for (unsigned i = 0; i < LINE_SIZE; i++) {
		if (!(bytes >> i & 1))
			continue;
		owner_name(sys, a->offset + i, name);
		if (!both)
			strncat(name, " (beside)", OWNER_NAME - 1 - strlen(name));
		if (strcmp(name, last))
			add_owner(owners, name);
		strcpy(last, name);
	}
}

static void intersect(struct mmk_system *sys, const struct recording *a, const struct recording *b,
                      struct pair *pair)
{
	size_t i = 0, j = 0;

	while (i < a->nr && j < b->nr) {
		const struct touched_line *x = &a->lines[i], *y = &b->lines[j];

		if (x->offset == y->offset && (x->written || y->written)) {
			pair->lines++;
			name_line(sys, x, y, &pair->owners);
		}
		i += x->offset <= y->offset;
		j += y->offset <= x->offset;
	}
}

static void record(struct scene *s, const struct call *call, unsigned cpu, enum place place,
                   struct recording *r)
{
	hosted_set_cpu(cpu);
	recorder_begin(r);
	call->make(&s->task[cpu], cpu, place);
	recorder_end();
}

static void record_first(bool two_mms, size_t i)
{
	struct scene s;

	begin(&s, two_mms);
	record(&s, &calls[i], 0, OTHER_VMA, &first[two_mms][i]);
	end(&s);
}

/* The call as the second of every pair; places near are for faults of the same kind of memory. */
static void record_second(enum place place, size_t j)
{
	bool far = place >= OTHER_VMA;
	struct recording r = {0};
	struct scene s;

	begin(&s, place == OTHER_MM);
	record(&s, &calls[j], 1, place, &r);
	for (size_t i = far ? 0 : j; i <= j; i++)
		intersect(hosted_system(s.h), &first[place == OTHER_MM][i], &r,
		          &pairs[place][i][j]);
	recording_free(&r);
	end(&s);
}

/* ---- what is printed ---- */

static void print_near(void)
{
	printf("Two faults of one kind\n%-28s", "");
	for (enum place p = 0; p < NR_PLACES; p++)
		printf("%s%s", p ? " | " : "", place_names[p]);
	printf("\n");
	for (size_t i = 0; calls[i].faults; i++) {
		printf("%-28s", calls[i].name);
		for (enum place p = 0; p < NR_PLACES; p++)
			printf("%s%*u", p ? " | " : "", (int)strlen(place_names[p]),
			       pairs[p][i][i].lines);
		printf("\n");
	}
}

static void print_matrix(enum place place, const char *title)
{
	printf("\n%s\n%-28s", title, "");
	for (size_t j = 0; j < NR_CALLS; j++)
		printf(" %3zu", j + 1);
	printf("\n");
	for (size_t i = 0; i < NR_CALLS; i++) {
		printf("%2zu %-25s", i + 1, calls[i].name);
		for (size_t j = 0; j < NR_CALLS; j++)
			if (j < i)
				printf("    ");
			else
				printf(" %3u", pairs[place][i][j].lines);
		printf("\n");
	}
}

/* In how many pairs each owner has a part. */
static void print_owners(enum place place)
{
	static struct owners sum;
	unsigned free = 0, all = 0;

	memset(&sum, 0, sizeof(sum));
	for (size_t i = 0; i < NR_CALLS; i++)
		for (size_t j = i; j < NR_CALLS; j++) {
			const struct pair *pair = &pairs[place][i][j];

			all++;
			free += !pair->lines;
			for (unsigned k = 0; k < pair->owners.nr; k++)
				add_owner(&sum, pair->owners.name[k]);
		}
	printf("%u of %u pairs are free of conflicts; in the others:\n", free, all);
	for (unsigned most = all; most; most--)
		for (unsigned k = 0; k < sum.nr; k++)
			if (sum.times[k] == most)
				printf("%5u %s\n", most, sum.name[k]);
}

static void print_pairs(void)
{
	printf("\nPair by pair (\"beside\": only their line is the same)\n");
	for (enum place p = 0; p < NR_PLACES; p++)
		for (size_t i = 0; i < NR_CALLS; i++)
			for (size_t j = i; j < NR_CALLS; j++) {
				const struct pair *pair = &pairs[p][i][j];

				if (p < OTHER_VMA && (i != j || !calls[i].faults))
					continue;
				printf("%s; %s; %s: %u", place_names[p], calls[i].name,
				       calls[j].name, pair->lines);
				for (unsigned k = 0; k < pair->owners.nr; k++)
					printf("%s%s", k ? ", " : ": ", pair->owners.name[k]);
				printf("\n");
			}
}

int main(void)
{
	for (size_t i = 0; i < NR_CALLS; i++) {
		record_first(false, i);
		record_first(true, i);
	}
	for (enum place place = 0; place < NR_PLACES; place++)
		for (size_t j = 0; j < NR_CALLS; j++)
			if (place >= OTHER_VMA || calls[j].faults)
				record_second(place, j);
	print_near();
	print_matrix(OTHER_VMA, "One mm, other VMAs, 2 MiB apart");
	print_owners(OTHER_VMA);
	print_matrix(OTHER_MM, "Different mms");
	print_owners(OTHER_MM);
	print_pairs();
	return 0;
}
