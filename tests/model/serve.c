/* SPDX-License-Identifier: MIT */
/*
 * A program with one back end that runs sequences as standard input tells it:
 *
 *	run SEED FIRST COUNT STEPS BLOCK	random sequences
 *	all FIRST COUNT BLOCK			of the exhaustive set
 *	show MODE, steps, "end"			one sequence, in words
 *	inject HOW				failures from here on (enum inject)
 *	quit
 *
 * `run` and `all` answer "d FIRST DIGEST" for each block of sequences, all commands "done" at the
 *end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/model/model.h"

static struct run *run;

/* A line of standard input without its end; false: no more. One byte at a time: nobody waits for
 * it. */
static bool read_line(char *line, size_t size)
{
	size_t n = 0;
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c == '\n' || c == '\r') {
			if (!n)
				continue;
			line[n] = 0;
			return true;
		}
		if (n + 1 < size)
			line[n++] = c;
	}
	return false;
}

static void write_out(const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, text, n);

		if (done <= 0)
			exit(1);
		text += done;
		n -= (size_t)done;
	}
}

static void say(const char *text)
{
	write_out(text, strlen(text));
}

static bool run_one(const struct sequence *q, bool tell, bool last_only)
{
	run->digest = 0x6d6d6b6974ull;
	run->next = 0;
	run->used = 0;
	run->tell = tell;
	run->last_only = last_only;
	return be_sequence(run, q);
}

static bool nth_sequence(bool all, const unsigned long long *arg, uint64_t index,
                         struct sequence *q)
{
	if (all)
		return sequence_exhaustive(index, q);
	sequence_random(arg[0], index, (unsigned)arg[3], q);
	return true;
}

static void run_block(bool all, const unsigned long long *arg, uint64_t first, uint64_t end)
{
	static struct sequence q;
	uint64_t digest = 0;
	char line[80];

	for (uint64_t i = first; i < end; i++) {
		if (!nth_sequence(all, arg, i, &q))
			break;
		if (!run_one(&q, false, all))
			run->digest = 0;
		digest = (digest ^ run->digest) * 0x9fb21c651e98df25ull;
		digest ^= digest >> 29;
	}
	snprintf(line, sizeof(line), "d %llu %016llx\n", (unsigned long long)first,
	         (unsigned long long)digest);
	say(line);
}

static void command_run(const char *text)
{
	unsigned long long arg[5] = {0};
	bool all = text[0] == 'a';
	uint64_t first, end, block;

	if (all)
		sscanf(text, "all %llu %llu %llu", &arg[1], &arg[2], &arg[4]);
	else
		sscanf(text, "run %llu %llu %llu %llu %llu", &arg[0], &arg[1], &arg[2], &arg[3],
		       &arg[4]);
	block = arg[4] ? arg[4] : 1;
	end = arg[1] + arg[2];
	for (first = arg[1]; first < end; first += block)
		run_block(all, arg, first, first + block < end ? first + block : end);
}

static void command_show(const char *text)
{
	static struct sequence q;
	char line[200];

	q.mode = (unsigned)strtoul(text + 4, NULL, 10);
	q.nr = 0;
	while (read_line(line, sizeof(line)) && strcmp(line, "end")) {
		if (q.nr == MAX_STEPS || !step_parse(line, &q.step[q.nr])) {
			say("not a step: ");
			say(line);
			say("\n");
			return;
		}
		q.nr++;
	}
	if (!run_one(&q, true, false))
		say("the program broke\n");
	write_out(run->text, run->used);
}

int main(void)
{
	char line[200];

	if (!be_start(&run))
		return 1;
	say("model ready\n");
	while (read_line(line, sizeof(line)) && strcmp(line, "quit")) {
		if (!strncmp(line, "run ", 4) || !strncmp(line, "all ", 4))
			command_run(line);
		else if (!strncmp(line, "inject ", 7))
			be_inject((enum inject)strtoul(line + 7, NULL, 10));
		else if (!strncmp(line, "show", 4))
			command_show(line);
		say("done\n");
	}
	be_end();
	return 0;
}
