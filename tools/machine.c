/* SPDX-License-Identifier: MIT */
/*
 * The machine: QEMU's command line, and the process. QEMU gets a session of its own, so that keys
 * meant for the guest never signal it, and it dies with us however we die.
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct words {
	char **word;
	size_t nr;
};

static void add(struct words *w, char *word)
{
	w->word = xrealloc(w->word, (w->nr + 2) * sizeof(*w->word));
	w->word[w->nr++] = word;
	w->word[w->nr] = NULL;
}

static void add2(struct words *w, const char *option, char *value)
{
	add(w, xprintf("%s", option));
	add(w, value);
}

/* In QEMU's comma-separated values a comma is written twice. */
static char *escape_commas(const char *text)
{
	char *out = xrealloc(NULL, 2 * strlen(text) + 1), *p = out;

	for (; *text; text++) {
		*p++ = *text;
		if (*text == ',')
			*p++ = ',';
	}
	*p = '\0';
	return out;
}

static void add_hardware(struct words *w, const struct run_config *cfg)
{
	add2(w, "-M", xprintf("virt,gic-version=3"));
	add2(w, "-cpu", xprintf("%s", cfg->cpu));
	add2(w, "-m", xprintf("%luM", cfg->mem_mib));
	add2(w, "-smp", xprintf("%u", cfg->smp));
	add(w, xprintf("-nodefaults"));
	add(w, xprintf("-no-reboot"));
	add2(w, "-display", xprintf("none"));
	add2(w, "-device", xprintf("virtio-rng-device"));
	if (cfg->icount) {
		add2(w, "-icount", xprintf("shift=0,sleep=off"));
		add2(w, "-seed", xprintf("42"));
		add2(w, "-rtc", xprintf("base=2020-01-01T00:00:00,clock=vm"));
	}
}

static void add_shares(struct words *w, const struct run_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->nr_shares; i++) {
		const struct share *s = &cfg->shares[i];
		char *dir = escape_commas(s->host_dir);

		add2(w, "-fsdev",
		     xprintf("local,id=fs%u,path=%s,security_model=none,multidevs=remap", i, dir));
		add2(w, "-device", xprintf("virtio-9p-device,fsdev=fs%u,mount_tag=%s", i, s->tag));
		free(dir);
	}
}

/*
 * A virtserialport and not a virtconsole: QEMU drops a console's output when we are slow to take
 * it, but holds back the guest of a port.
 */
static void add_wires(struct words *w, int console, int link)
{
	add2(w, "-chardev", xprintf("socket,id=console,fd=%d", console));
	add2(w, "-serial", xprintf("chardev:console"));
	if (link < 0)
		return;
	add2(w, "-chardev", xprintf("socket,id=link,fd=%d", link));
	add2(w, "-device", xprintf("virtio-serial-device,max_ports=2"));
	add2(w, "-device", xprintf("virtserialport,nr=1,chardev=link,name=mmkit.link"));
}

static void add_boot(struct words *w, const struct run_config *cfg)
{
	add2(w, "-kernel", xprintf("%s", cfg->kernel));
	if (cfg->initrd) {
		add2(w, "-initrd", xprintf("%s", cfg->initrd));
		add2(w, "-append", xprintf("console=ttyAMA0 quiet %s", cfg->append));
	} else {
		add2(w, "-append", xprintf("root=root rootfstype=9p quiet %s", cfg->append));
	}
}

static char **machine_words(const struct run_config *cfg, int console, int link)
{
	const char *qemu = getenv("MMKIT_QEMU");
	struct words w = {NULL, 0};

	add(&w, xprintf("%s", qemu && *qemu ? qemu : "qemu-system-aarch64"));
	add_hardware(&w, cfg);
	add_shares(&w, cfg);
	add_wires(&w, console, link);
	add_boot(&w, cfg);
	return w.word;
}

static void make_pair(int ours_theirs[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ours_theirs))
		die(EXIT_MACHINE, "no socket to connect QEMU with: %s", strerror(errno));
	fcntl(ours_theirs[0], F_SETFD, FD_CLOEXEC);
}

/* In the child: becomes QEMU. */
static void __attribute__((noreturn)) become_qemu(char **words, int errors)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, STDIN_FILENO);
	dup2(errors, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	close(null);
	close(errors);
	execvp(words[0], words);
	fprintf(stderr, "%s: %s%s\n", words[0], strerror(errno),
	        errno == ENOENT ? "; install Debian's qemu-system-arm, or run ./mmkit setup" : "");
	_exit(127);
}

static void free_words(char **words)
{
	size_t i;

	for (i = 0; words[i]; i++)
		free(words[i]);
	free(words);
}

void machine_start(struct machine *m, const struct run_config *cfg)
{
	int console[2], link[2] = {-1, -1}, errors[2];
	char **words;

	make_pair(console);
	make_pair(errors);
	if (!cfg->initrd)
		make_pair(link);
	words = machine_words(cfg, console[1], link[1]);
	m->pid = fork();
	if (m->pid < 0)
		die(EXIT_MACHINE, "no process for QEMU: %s", strerror(errno));
	if (!m->pid)
		become_qemu(words, errors[1]);
	free_words(words);
	close(console[1]);
	close(errors[1]);
	if (link[1] >= 0)
		close(link[1]);
	m->console = console[0];
	m->errors = errors[0];
	m->link = link[0];
}

void machine_kill(struct machine *m)
{
	if (m->pid <= 0)
		return;
	kill(m->pid, SIGKILL);
	while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
		;
	m->pid = 0;
}
