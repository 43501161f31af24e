/* SPDX-License-Identifier: MIT */
/* Loads, stores and calls that may raise a signal. */
#include "harness.h"

#include <setjmp.h>

static sigjmp_buf retreat;
static volatile bool trying;
static volatile struct caught caught;
static char signal_stack[32768] __attribute__((aligned(16)));

static void on_signal(int sig, siginfo_t *info, void *context)
{
	if (!trying) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	caught.sig = sig;
	caught.code = info->si_code;
	caught.addr = info->si_addr;
	siglongjmp(retreat, 1);
}

void catch_signals(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL};
	stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
	struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	size_t i;

	sigaltstack(&stack, NULL);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &act, NULL);
}

struct access {
	volatile unsigned char *at;
	unsigned char byte;
};

static void do_load(struct access *a)
{
	a->byte = *a->at;
}

static void do_store(struct access *a)
{
	*a->at = a->byte;
}

static void do_call(struct access *a)
{
	((void (*)(void))(uintptr_t)a->at)();
}

static struct caught try(void (*fn)(struct access *), struct access *a)
{
	caught.sig = 0;
	if (!sigsetjmp(retreat, 1)) {
		trying = true;
		fn(a);
	}
	trying = false;
	return *(struct caught *)&caught;
}

struct caught try_load(const volatile void *p, unsigned char *byte)
{
	struct access a = {(volatile unsigned char *)p, 0};
	struct caught c = try(do_load, &a);

	*byte = a.byte;
	return c;
}

static const char *code_name(int sig, int code)
{
	static char number[32];

	if (code == SI_USER || code == SI_KERNEL || code == SI_TKILL)
		return code == SI_USER ? "SI_USER" : code == SI_KERNEL ? "SI_KERNEL" : "SI_TKILL";
	if (sig == SIGSEGV && (code == SEGV_MAPERR || code == SEGV_ACCERR))
		return code == SEGV_MAPERR ? "SEGV_MAPERR" : "SEGV_ACCERR";
	if (sig == SIGBUS && (code == BUS_ADRERR || code == BUS_ADRALN))
		return code == BUS_ADRERR ? "BUS_ADRERR" : "BUS_ADRALN";
	snprintf(number, sizeof(number), "code %d", code);
	return number;
}

void describe_caught(char *text, size_t size, const struct caught *c)
{
	snprintf(text, size, "%s %s %s", signal_name(c->sig), code_name(c->sig, c->code),
	         abi_where(c->addr));
}

static bool tell(const char *what, const struct caught *c, const char *good)
{
	char text[128];

	if (!c->sig) {
		abi_say("%s = %s", what, good);
		return true;
	}
	describe_caught(text, sizeof(text), c);
	abi_say("%s = %s", what, text);
	return false;
}

bool abi_load(const char *what, const volatile void *p)
{
	unsigned char byte;
	struct caught c = try_load(p, &byte);
	char value[8];

	snprintf(value, sizeof(value), "0x%02x", byte);
	return tell(what, &c, value);
}

bool abi_store(const char *what, volatile void *p, int byte)
{
	struct access a = {p, byte};
	struct caught c = try(do_store, &a);

	return tell(what, &c, "stored");
}

bool abi_call(const char *what, void *p)
{
	struct access a = {p, 0};
	struct caught c = try(do_call, &a);

	return tell(what, &c, "returned");
}

#ifdef __aarch64__
static const unsigned char ret_code[] = {0xc0, 0x03, 0x5f, 0xd6};
#else
static const unsigned char ret_code[] = {0xc3};
#endif

void abi_code(void *p)
{
	memcpy(p, ret_code, sizeof(ret_code));
	__builtin___clear_cache(p, (char *)p + sizeof(ret_code));
}

bool abi_readable(const volatile void *p)
{
	unsigned char byte;

	return !try_load(p, &byte).sig;
}

bool abi_writable(volatile void *p)
{
	struct access a = {p, 0};

	if (try(do_load, &a).sig)
		return false;
	return !try(do_store, &a).sig;
}
