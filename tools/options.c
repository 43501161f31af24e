/* SPDX-License-Identifier: MIT */
/* The options of `./mmkit run`. Each can be wrong in its own way, and says so in one line. */
#define _GNU_SOURCE
#include "run.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEM_MIN_MIB 32
#define MEM_MAX_MIB (64 * 1024)
#define SMP_MAX     8

enum {
	OPT_ROOT = 256,
	OPT_MEM,
	OPT_SMP,
	OPT_CPU,
	OPT_ICOUNT,
	OPT_INITRD,
	OPT_APPEND,
	OPT_REPORT,
	OPT_KERNEL,
	OPT_TREE,
	OPT_TOUR,
};

static const struct option options[] = {
    {"root", required_argument, NULL, OPT_ROOT},
    {"mem", required_argument, NULL, OPT_MEM},
    {"smp", required_argument, NULL, OPT_SMP},
    {"cpu", required_argument, NULL, OPT_CPU},
    {"icount", no_argument, NULL, OPT_ICOUNT},
    {"initrd", required_argument, NULL, OPT_INITRD},
    {"append", required_argument, NULL, OPT_APPEND},
    {"report", no_argument, NULL, OPT_REPORT},
    /* what ./mmkit itself passes */
    {"kernel", required_argument, NULL, OPT_KERNEL},
    {"tree", required_argument, NULL, OPT_TREE},
    {"tour", required_argument, NULL, OPT_TOUR},
    {NULL, 0, NULL, 0},
};

/* The CPUs of QEMU's virt machine that have 4 KiB pages and 48-bit addresses. */
static const char *const cpus[] = {
    "cortex-a35", "cortex-a53", "cortex-a57",  "cortex-a72",
    "cortex-a76", "a64fx",      "neoverse-n1", "max",
};

static unsigned long parse_mem(const char *text)
{
	char *end;
	unsigned long value, mib;

	errno = 0;
	value = strtoul(text, &end, 10);
	mib = *end == 'G' || *end == 'g'   ? value * 1024
	      : *end == 'K' || *end == 'k' ? value / 1024
	                                   : value;
	if (*end && strchr("MmGgKk", *end))
		end++;
	if (!isdigit((unsigned char)text[0]) || *end || errno)
		die(EXIT_BAD_CALL,
		    "--mem %s: not a size; write a number and M or G, as in --mem 512M", text);
	if (mib < MEM_MIN_MIB)
		die(EXIT_BAD_CALL, "--mem %s: too little; the machine needs at least %dM", text,
		    MEM_MIN_MIB);
	if (value > MEM_MAX_MIB * 1024UL || mib > MEM_MAX_MIB)
		die(EXIT_BAD_CALL, "--mem %s: too much; the machine takes at most %dG", text,
		    MEM_MAX_MIB / 1024);
	return mib;
}

static unsigned int parse_smp(const char *text)
{
	if (!isdigit((unsigned char)text[0]) || text[1] || text[0] < '1' || text[0] > '0' + SMP_MAX)
		die(EXIT_BAD_CALL, "--smp %s: not a number of CPUs from 1 to %d", text, SMP_MAX);
	return text[0] - '0';
}

static const char *parse_cpu(const char *text)
{
	unsigned int i;

	for (i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++)
		if (!strcmp(text, cpus[i]))
			return text;
	die(EXIT_BAD_CALL,
	    "--cpu %s: unknown CPU; take cortex-a35, cortex-a53, cortex-a57, cortex-a72, "
	    "cortex-a76, a64fx, neoverse-n1 or max",
	    text);
}

static const char *parse_root(const char *text)
{
	char *path = realpath(text, NULL);
	struct stat st;

	if (!path || stat(path, &st))
		die(EXIT_BAD_CALL, "--root %s: %s; name a directory that holds the guest's files",
		    text, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		die(EXIT_BAD_CALL,
		    "--root %s: not a directory; name one that holds the guest's files", text);
	if (access(path, R_OK | X_OK))
		die(EXIT_BAD_CALL, "--root %s: cannot be read: %s", text, strerror(errno));
	return path;
}

static const char *parse_initrd(const char *text)
{
	struct stat st;

	if (stat(text, &st))
		die(EXIT_BAD_CALL, "--initrd %s: %s; name a newc cpio archive", text,
		    strerror(errno));
	if (!S_ISREG(st.st_mode))
		die(EXIT_BAD_CALL, "--initrd %s: not a file; name a newc cpio archive", text);
	if (access(text, R_OK))
		die(EXIT_BAD_CALL, "--initrd %s: cannot be read: %s", text, strerror(errno));
	return text;
}

static void parse_one(struct run_config *cfg, int option)
{
	switch (option) {
	case OPT_ROOT:
		cfg->root = parse_root(optarg);
		break;
	case OPT_MEM:
		cfg->mem_mib = parse_mem(optarg);
		break;
	case OPT_SMP:
		cfg->smp = parse_smp(optarg);
		break;
	case OPT_CPU:
		cfg->cpu = parse_cpu(optarg);
		break;
	case OPT_ICOUNT:
		cfg->icount = true;
		break;
	case OPT_INITRD:
		cfg->initrd = parse_initrd(optarg);
		break;
	case OPT_APPEND:
		cfg->append = optarg;
		break;
	case OPT_REPORT:
		cfg->report = true;
		break;
	case OPT_KERNEL:
		cfg->kernel = optarg;
		break;
	case OPT_TREE:
		cfg->tree = optarg;
		break;
	case OPT_TOUR:
		cfg->tour = optarg;
		break;
	}
}

/* getopt's own messages name no remedy, so it stays silent and this speaks. */
static void refuse(int verdict, char **argv, int at)
{
	const char *word = argv[at];

	if (!strcmp(word, "--trace") || !strncmp(word, "--trace=", 8))
		die(EXIT_BAD_CALL, "--trace is not there yet");
	if (verdict == ':')
		die(EXIT_BAD_CALL, "%s needs a value; ./mmkit help lists the options", word);
	if (strchr(word, '=') && !strncmp(word, "--", 2))
		die(EXIT_BAD_CALL,
		    "%s: no such option, or it takes no value; ./mmkit help lists them", word);
	die(EXIT_BAD_CALL,
	    "%s: no such option; ./mmkit help lists them (write -- before a PROGRAM that begins "
	    "with -)",
	    word);
}

static void check_combination(const struct run_config *cfg, bool has_program)
{
	if (!cfg->initrd)
		return;
	if (has_program)
		die(EXIT_BAD_CALL,
		    "--initrd runs the archive's own /init and takes no PROGRAM; words "
		    "for it go into --append '-- WORD...'");
	if (cfg->root)
		die(EXIT_BAD_CALL,
		    "--initrd and --root exclude each other: the archive is the root");
	if (cfg->report)
		die(EXIT_BAD_CALL, "--report needs a PROGRAM; a machine booted from --initrd ends "
		                   "without one");
}

void options_parse(struct run_config *cfg, int argc, char **argv)
{
	*cfg = (struct run_config){.cpu = "cortex-a72", .append = "", .mem_mib = 512, .smp = 1};
	opterr = 0;
	for (;;) {
		int at = optind;
		int option = getopt_long(argc, argv, "+:", options, NULL);

		if (option == -1)
			break;
		if (option == '?' || option == ':')
			refuse(option, argv, at);
		parse_one(cfg, option);
	}
	cfg->argv = argv + optind;
	check_combination(cfg, cfg->argv[0]);
}
