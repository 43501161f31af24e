/* SPDX-License-Identifier: MIT */
/*
 * mmkit beside Linux. Sequences are run in blocks on both, or on mmkit alone against what a Linux
 *was seen to do before; only where the digests of a block differ does anybody look closer: for the
 *first sequence, then for the fewest steps that still differ, printed as a test that can be kept.
 *
 *	compare [OPTION...] [FILE...]
 *		--mmkit COMMAND, --linux COMMAND	the two programs (for sh)
 *		--records FILE	Linux's digests; --linux is started only where they differ
 *		--record FILE	write them, with Linux alone
 *		--seed N --steps N	random steps; --length N of them make a sequence
 *		--inject HOW	failures in mmkit (enum inject): it has to live, and after failed
 *transfers be as Linux without any
 *		--exhaustive	every sequence of the alphabet
 *		--minutes N	random steps with one seed after the other, for so long
 *		FILE...		sequences in words, with what Linux did (--record: written anew)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/model/model.h"
#include "tests/model/peer.h"

#define TEXT_BYTES (2u << 20)
#define CHUNK      8 /* blocks for which a program is asked at once */

static struct peer mmkit = {.name = "mmkit"}, linux_peer = {.name = "Linux"};
static const char *records_path, *record_path;
static FILE *record_file;
static unsigned nr_good, nr_bad;
static unsigned injected;
static const char *const injections[] = {"", ", each allocation failed in turn",
                                         ", each transfer failed in turn",
                                         ", allocations failed at random"};

/* A stretch of sequences to compare. */
struct work {
	bool exhaustive;
	uint64_t seed, nr; /* sequences */
	unsigned length, block;
	uint64_t (*recorded)[2]; /* first sequence of a block, digest */
	size_t nr_recorded;
};

static void good(const char *name)
{
	printf("ok model: %s\n", name);
	fflush(stdout);
	nr_good++;
}

static void bad(const char *name, const char *why)
{
	printf("not ok model: %s: %s\n", name, why);
	nr_bad++;
}

static bool have_linux(void)
{
	if (linux_peer.alive)
		return true;
	return linux_peer.command && peer_start(&linux_peer);
}

static bool have_mmkit(void)
{
	char text[40], line[80];

	if (mmkit.alive)
		return true;
	peer_end(&mmkit);
	if (!peer_start(&mmkit))
		return false;
	snprintf(text, sizeof(text), "inject %u\n", injected);
	peer_say(&mmkit, text);
	return peer_line(&mmkit, line, sizeof(line)) && !strcmp(line, "done");
}

/* ---- one sequence in words ---- */

static void say_sequence(struct peer *p, const struct sequence *q)
{
	char text[200];

	snprintf(text, sizeof(text), "show %u\n", q->mode);
	peer_say(p, text);
	for (unsigned i = 0; i < q->nr; i++) {
		size_t n = step_text(&q->step[i], text, sizeof(text) - 2);

		text[n] = '\n';
		text[n + 1] = 0;
		peer_say(p, text);
	}
	peer_say(p, "end\n");
}

/* What it prints, into text. false: the program broke on it. */
static bool hear(struct peer *p, char *text)
{
	char line[300];
	size_t used = 0;

	while (peer_line(p, line, sizeof(line)) && strcmp(line, "done"))
		used += (size_t)snprintf(text + used, TEXT_BYTES - used, "%s\n", line);
	text[used] = 0;
	return p->alive;
}

/* Both run it. true: they differ, or mmkit broke. */
static bool differs(const struct sequence *q, char *ours, char *theirs)
{
	bool broke;

	if (!have_mmkit() || !have_linux())
		return false;
	say_sequence(&mmkit, q);
	say_sequence(&linux_peer, q);
	broke = !hear(&mmkit, ours);
	hear(&linux_peer, theirs);
	return broke || strcmp(ours, theirs);
}

/* Steps that both have done alike. */
static unsigned equal_steps(const char *ours, const char *theirs)
{
	unsigned steps = 0;

	for (; *ours && *ours == *theirs; ours++, theirs++)
		if (*ours == '>' && (ours[-1] == '\n' || !steps))
			steps++;
	return steps;
}

static void remove_step(const struct sequence *q, unsigned at, unsigned n, struct sequence *out)
{
	*out = *q;
	memmove(&out->step[at], &q->step[at + n], (q->nr - at - n) * sizeof(q->step[0]));
	out->nr -= n;
}

/* Leave out what is not needed for a difference: halves, quarters, ... single steps. */
static void shrink(struct sequence *q, char *ours, char *theirs)
{
	static struct sequence shorter;
	unsigned n = q->nr / 2;
	bool shrunk;

	while (n) {
		shrunk = false;
		for (unsigned at = 0; at + n <= q->nr;) {
			remove_step(q, at, n, &shorter);
			if (differs(&shorter, ours, theirs)) {
				*q = shorter;
				shrunk = true;
			} else {
				at += n;
			}
		}
		if (n > 1 || !shrunk)
			n = n > q->nr ? q->nr / 2 : n / 2;
	}
	shorter = *q;
	shorter.mode = 0;
	if (differs(&shorter, ours, theirs))
		*q = shorter;
}

static void print_lines(const char *mark, const char *text)
{
	while (*text) {
		const char *end = strchrnul(text, '\n');

		printf("%s%.*s\n", mark, (int)(end - text), text);
		text = *end ? end + 1 : end;
	}
}

/* From the last step that is alike on. */
static const char *tail(const char *text, unsigned steps)
{
	const char *at = text;

	for (; steps > 1 && at; steps--)
		at = strstr(at + 1, "\n> ");
	return at ? at + (*at == '\n') : text;
}

/* Shows the difference; the sequence is shrunk first. */
static void explain(struct sequence *q, char *ours, char *theirs)
{
	unsigned steps = equal_steps(ours, theirs);
	char text[200];

	if (steps < q->nr)
		q->nr = steps;
	shrink(q, ours, theirs);
	differs(q, ours, theirs);
	steps = equal_steps(ours, theirs);
	printf("# the shortest sequence, as a test for tests/model/named:\nmode %u\n", q->mode);
	for (unsigned i = 0; i < q->nr; i++) {
		step_text(&q->step[i], text, sizeof(text));
		printf("> %s\n", text);
	}
	printf("# Linux:\n");
	print_lines("#   ", tail(theirs, steps));
	printf("# mmkit:\n");
	print_lines("#   ", mmkit.alive ? tail(ours, steps) : "broke");
}

/* ---- blocks ---- */

static void ask(struct peer *p, const struct work *w, uint64_t first, uint64_t n, unsigned block)
{
	char text[160];

	if (w->exhaustive)
		snprintf(text, sizeof(text), "all %" PRIu64 " %" PRIu64 " %u\n", first, n, block);
	else
		snprintf(text, sizeof(text), "run %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u\n",
		         w->seed, first, n, w->length, block);
	peer_say(p, text);
}

/* The digest of the next block; 0 at the end of the command. */
static uint64_t answer(struct peer *p)
{
	uint64_t first, digest;
	char line[300];

	while (peer_line(p, line, sizeof(line))) {
		if (!strcmp(line, "done"))
			return 0;
		if (sscanf(line, "d %" SCNu64 " %" SCNx64, &first, &digest) == 2)
			return digest;
	}
	return 0;
}

static bool nth_sequence(const struct work *w, uint64_t index, struct sequence *q)
{
	if (w->exhaustive)
		return sequence_exhaustive(index, q);
	sequence_random(w->seed, index, w->length, q);
	return true;
}

/* The first sequence of the block that differs when it is shown. */
static bool find_difference(const struct work *w, uint64_t first, uint64_t end)
{
	static struct sequence q;
	char *ours = malloc(TEXT_BYTES), *theirs = malloc(TEXT_BYTES);
	bool found = false;

	for (; ours && theirs && first < end && !found; first++) {
		if (!nth_sequence(w, first, &q) || !differs(&q, ours, theirs))
			continue;
		found = true;
		printf("# %s, sequence %" PRIu64 ":\n", w->exhaustive ? "exhaustive" : "random",
		       first);
		explain(&q, ours, theirs);
	}
	free(ours);
	free(theirs);
	return found;
}

static void block_differs(const struct work *w, const char *name, uint64_t first, uint64_t end)
{
	char why[200];

	snprintf(why, sizeof(why), "sequences %" PRIu64 " to %" PRIu64 " are not as on Linux",
	         first, end - 1);
	if (!have_linux())
		snprintf(why + strlen(why), sizeof(why) - strlen(why),
		         "; there is no Linux to look closer");
	else if (!find_difference(w, first, end))
		snprintf(why + strlen(why), sizeof(why) - strlen(why),
		         ", though none differs by itself");
	bad(name, why);
	fflush(stdout);
}

static uint64_t recorded(const struct work *w, uint64_t first)
{
	for (size_t i = 0; i < w->nr_recorded; i++)
		if (w->recorded[i][0] == first)
			return w->recorded[i][1];
	return 0;
}

static void ask_both(const struct work *w, uint64_t first)
{
	uint64_t n = (uint64_t)CHUNK * w->block;

	if (first >= w->nr)
		return;
	n = n < w->nr - first ? n : w->nr - first;
	if (!record_file)
		ask(&mmkit, w, first, n, w->block);
	if (!w->recorded)
		ask(&linux_peer, w, first, n, w->block);
}

/* One block's two digests have come, or are known. false: a difference. */
static bool take_block(const struct work *w, uint64_t first)
{
	uint64_t ours = record_file ? 0 : answer(&mmkit);
	uint64_t theirs = w->recorded ? recorded(w, first) : answer(&linux_peer);

	if (record_file) {
		fprintf(record_file, "%" PRIu64 " %016" PRIx64 "\n", first, theirs);
		return linux_peer.alive;
	}
	if (injected == INJECT_ALLOC || injected == INJECT_DICE)
		return ours != 0; /* pages are missing, and a part of a write is a success */
	return ours && ours == theirs;
}

static void end_chunk(const struct work *w)
{
	if (!record_file)
		answer(&mmkit);
	if (!w->recorded)
		answer(&linux_peer);
}

/* true: no difference. The next chunk is asked for before this one's answers are read. */
static bool compare(const struct work *w, const char *name)
{
	uint64_t chunk = (uint64_t)CHUNK * w->block, end;

	ask_both(w, 0);
	for (uint64_t first = 0; first < w->nr; first = end) {
		if (first % chunk == 0)
			ask_both(w, first + chunk);
		end = first + w->block < w->nr ? first + w->block : w->nr;
		if (!take_block(w, first)) {
			peer_end(&mmkit);
			if (!w->recorded)
				peer_end(&linux_peer);
			block_differs(w, name, first, end);
			return false;
		}
		if (end % chunk == 0 || end == w->nr)
			end_chunk(w);
	}
	return true;
}

/* ---- records ---- */

static void work_name(const struct work *w, char *buf, size_t size)
{
	if (w->exhaustive)
		snprintf(buf, size, "exhaustive %" PRIu64 " %u", w->nr, w->block);
	else
		snprintf(buf, size, "random %" PRIu64 " %" PRIu64 " %u %u", w->seed, w->nr,
		         w->length, w->block);
}

/* The section of the records that is of this work. */
static void find_records(struct work *w)
{
	FILE *f = records_path && !record_file ? fopen(records_path, "r") : NULL;
	char line[120], name[100];
	bool here = false;

	work_name(w, name, sizeof(name));
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] >= 'a' && line[0] <= 'z') {
			here = !strcmp(line, name);
			continue;
		}
		if (!here || line[0] == '#')
			continue;
		w->recorded = realloc(w->recorded, (w->nr_recorded + 1) * sizeof(*w->recorded));
		if (!w->recorded)
			exit(1);
		if (sscanf(line, "%" SCNu64 " %" SCNx64, &w->recorded[w->nr_recorded][0],
		           &w->recorded[w->nr_recorded][1]) == 2)
			w->nr_recorded++;
	}
	if (f)
		fclose(f);
}

static bool do_work(struct work *w, const char *name)
{
	bool fine;

	find_records(w);
	if (!record_file && !have_mmkit()) {
		bad(name, "mmkit does not start");
		return false;
	}
	if (!w->recorded && !have_linux()) {
		bad(name, "Linux does not start");
		return false;
	}
	if (record_file) {
		char text[100];

		work_name(w, text, sizeof(text));
		fprintf(record_file, "%s\n", text);
	}
	fine = compare(w, name);
	if (fine)
		good(name);
	free(w->recorded);
	return fine;
}

static bool do_random(uint64_t seed, uint64_t steps, unsigned length)
{
	struct work w = {
	    .seed = seed, .nr = (steps + length - 1) / length, .length = length, .block = 20};
	char name[100];

	snprintf(name, sizeof(name), "%" PRIu64 " random steps, seed %" PRIu64 "%s", steps, seed,
	         injections[injected]);
	return do_work(&w, name);
}

static bool do_exhaustive(void)
{
	static struct sequence q;
	struct work w = {.exhaustive = true, .block = 500};

	while (sequence_exhaustive(w.nr, &q))
		w.nr += w.nr % 1000 ? 1 : sequence_exhaustive(w.nr + 999, &q) ? 1000 : 1;
	return do_work(&w, "every sequence of three calls over five pages");
}

static void do_minutes(unsigned minutes, uint64_t seed, unsigned length)
{
	time_t end = time(NULL) + (time_t)minutes * 60;

	while (time(NULL) < end && do_random(seed++, 20000, length))
		fflush(stdout);
}

/* ---- named tests ---- */

/* The steps in the file; *want: all of it below its first lines. */
static bool read_named(const char *path, struct sequence *q, char *want)
{
	FILE *f = fopen(path, "r");
	char line[300];
	size_t used = 0;
	bool fine = f != NULL;

	q->nr = q->mode = 0;
	want[0] = 0;
	while (f && fine && fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		if (sscanf(line, "mode %u", &q->mode) == 1)
			continue;
		used += (size_t)snprintf(want + used, TEXT_BYTES - used, "%s", line);
		if (line[0] == '>' && strcmp(line, "> the end\n") &&
		    strcmp(line, "> exit (at the end)\n"))
			fine = q->nr < MAX_STEPS && step_parse(line + 1, &q->step[q->nr++]);
	}
	if (f)
		fclose(f);
	return fine;
}

/* The comment and mode stay, what Linux printed is new. */
static void write_named(const char *path, const struct sequence *q, const char *theirs)
{
	char *comment = NULL, line[300];
	size_t size;
	FILE *f = fopen(path, "r"), *out = open_memstream(&comment, &size);

	while (f && fgets(line, sizeof(line), f))
		if (line[0] == '#')
			fputs(line, out);
	if (f)
		fclose(f);
	fclose(out);
	f = fopen(path, "w");
	if (f) {
		fprintf(f, "%smode %u\n%s", comment, q->mode, theirs);
		fclose(f);
	}
	free(comment);
}

static void do_named(const char *path)
{
	static struct sequence q;
	char *got = malloc(TEXT_BYTES), *want = malloc(TEXT_BYTES);
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct peer *p = record_file || !records_path ? &linux_peer : &mmkit;

	if (!got || !want)
		exit(1);
	if (!read_named(path, &q, want)) {
		bad(name, "cannot be read");
	} else if (p == &mmkit ? !have_mmkit() : !have_linux()) {
		bad(name, "its program does not start");
	} else {
		say_sequence(p, &q);
		if (!hear(p, got))
			bad(name, "mmkit broke");
		else if (record_file)
			write_named(path, &q, got);
		else if (strcmp(got, want)) {
			unsigned steps = equal_steps(got, want);

			bad(name, "not as Linux did it");
			printf("# recorded:\n");
			print_lines("#   ", tail(want, steps));
			printf("# %s:\n", p->name);
			print_lines("#   ", tail(got, steps));
		} else {
			good(name);
		}
	}
	free(got);
	free(want);
}

/* ---- options ---- */

static const struct option options[] = {{"mmkit", 1, 0, 'm'},
                                        {"linux", 1, 0, 'l'},
                                        {"records", 1, 0, 'r'},
                                        {"record", 1, 0, 'R'},
                                        {"inject", 1, 0, 'i'},
                                        {"seed", 1, 0, 's'},
                                        {"steps", 1, 0, 'n'},
                                        {"length", 1, 0, 'L'},
                                        {"exhaustive", 0, 0, 'x'},
                                        {"minutes", 1, 0, 't'},
                                        {0}};

int main(int argc, char **argv)
{
	uint64_t seed = 1, steps = 0;
	unsigned length = 100, minutes = 0;
	bool exhaustive = false;
	int c;

	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			injected = (unsigned)strtoul(optarg, NULL, 0) % 4;
			break;
		case 'm':
			mmkit.command = optarg;
			break;
		case 'l':
			linux_peer.command = optarg;
			break;
		case 'r':
			records_path = optarg;
			break;
		case 'R':
			record_path = optarg;
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			steps = strtoull(optarg, NULL, 0);
			break;
		case 'L':
			length = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'x':
			exhaustive = true;
			break;
		case 't':
			minutes = (unsigned)strtoul(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}
	if (record_path && !(record_file = fopen(record_path, "w"))) {
		perror(record_path);
		return 1;
	}
	for (; optind < argc; optind++)
		do_named(argv[optind]);
	if (exhaustive)
		do_exhaustive();
	if (steps)
		do_random(seed, steps, length);
	if (minutes)
		do_minutes(minutes, seed, length);
	if (record_file)
		fclose(record_file);
	peer_end(&mmkit);
	peer_end(&linux_peer);
	return nr_bad != 0;
}
