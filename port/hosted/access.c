/* SPDX-License-Identifier: MIT */
/*
 * Loads, stores and fetches: translate, move the bytes, or take the abort to the core and try
 * again, as an instruction does. Also the core's own copies to and from a program's memory.
 */
#include <sched.h>
#include <string.h>
#include "port/hosted/internal.h"

/* ESR_ELx (Arm ARM D17.2.37): exception class, and the bits of an abort's syndrome. */
#define ESR_EC_FETCH_EL0 ((uint64_t)0x20 << 26)
#define ESR_EC_DATA_EL0  ((uint64_t)0x24 << 26)
#define ESR_EC_DATA_EL1  ((uint64_t)0x25 << 26)
#define ESR_IL           ((uint64_t)1 << 25)
#define ESR_WNR          ((uint64_t)1 << 6)

/* An access that faults so often, with nobody else at work, will never go through. */
#define TRIES_ALONE 64
#define TRIES       100000

struct access {
	struct mmk_task *task;
	unsigned long va;
	void *buf;
	size_t n;
	enum access_kind kind;
	bool user; /* code at EL0; else the core on its behalf */
};

/* A CPU runs the program's code: its address space is the task's. */
static void enter(struct hosted *h, unsigned cpu, struct mmk_mm *mm)
{
	if (h->cpus[cpu].mm == mm)
		return;
	mmk_mm_activate(mm, cpu);
	h->cpus[cpu].mm = mm;
}

static uint64_t syndrome(const struct access *a, unsigned fault)
{
	uint64_t esr = ESR_IL | fault;

	if (a->kind == ACCESS_FETCH)
		return esr | ESR_EC_FETCH_EL0;
	if (a->kind == ACCESS_STORE)
		esr |= ESR_WNR;
	return esr | (a->user ? ESR_EC_DATA_EL0 : ESR_EC_DATA_EL1);
}

/*
 * Aligned pieces of 1, 2, 4, 8 bytes move whole, as the architecture promises (B2.2.1). A program
 * may race with others for its own bytes, and with the core that truncates its file: no fault of
 * ours.
 */
__attribute__((no_sanitize("thread"))) static void move_whole(void *to, const void *from, size_t n)
{
	switch (n) {
	case 1:
		__atomic_store_n((uint8_t *)to,
		                 __atomic_load_n((const uint8_t *)from, __ATOMIC_RELAXED),
		                 __ATOMIC_RELAXED);
		break;
	case 2:
		__atomic_store_n((uint16_t *)to,
		                 __atomic_load_n((const uint16_t *)from, __ATOMIC_RELAXED),
		                 __ATOMIC_RELAXED);
		break;
	case 4:
		__atomic_store_n((uint32_t *)to,
		                 __atomic_load_n((const uint32_t *)from, __ATOMIC_RELAXED),
		                 __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n((uint64_t *)to,
		                 __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED),
		                 __ATOMIC_RELAXED);
	}
}

static void move(void *to, const void *from, size_t n)
{
	uintptr_t both = (uintptr_t)to | (uintptr_t)from;

	if ((n == 1 || n == 2 || n == 4 || n == 8) && !(both & (n - 1)))
		move_whole(to, from, n);
	else
		memcpy(to, from, n);
}

static void move_bytes(struct hosted *h, const struct access *a, uint64_t pa)
{
	void *memory = hosted_phys(h, pa);

	if (!memory)
		return; /* outside of the RAM: reported by the walk */
	if (a->kind == ACCESS_STORE) {
		move(memory, a->buf, a->n);
		hosted_icache_store(h, pa, a->n);
		return;
	}
	if (a->kind == ACCESS_FETCH)
		hosted_icache_fetch(h, a->va, pa, a->n);
	move(a->buf, memory, a->n);
}

/* One try within one page. The fault status code; 0: done. */
static unsigned try_access(struct hosted *h, const struct access *a)
{
	unsigned cpu = hosted_this_cpu();
	struct translation t;

	pthread_mutex_lock(&h->mmu_lock);
	if (a->user)
		h->cpus[cpu].epoch++;
	hosted_translate(h, cpu, a->va, a->kind, &t);
	if (!t.fault)
		move_bytes(h, a, t.page + (a->va & (H_PAGE - 1)));
	pthread_mutex_unlock(&h->mmu_lock);
	return t.fault;
}

static int no_progress(struct hosted *h, const struct access *a, unsigned status,
                       struct mmk_fault *f)
{
	pthread_mutex_lock(&h->mmu_lock);
	hosted_violation(h, HOSTED_BARRIER,
	                 "the access to %#lx faults for ever with status %#x though the core says "
	                 "that it is handled: "
	                 "a store or an invalidation never reached the walker",
	                 a->va, status);
	pthread_mutex_unlock(&h->mmu_lock);
	*f = (struct mmk_fault){.signo = 9, .addr = a->va};
	return f->signo;
}

/* An access within one page, to its end: 0 or a signal. */
static int access_page(struct hosted *h, const struct access *a, struct mmk_fault *f)
{
	unsigned limit = h->config.nr_cpus > 1 ? TRIES : TRIES_ALONE;
	unsigned status = 0;

	for (unsigned i = 0; i < limit; i++) {
		enter(h, hosted_this_cpu(), a->task->mm);
		status = try_access(h, a);
		if (!status)
			return 0;
		if (mmk_arm64_abort(a->task, syndrome(a, status), a->va, a->user, f))
			return f->signo;
		if (i > TRIES_ALONE)
			sched_yield();
	}
	return no_progress(h, a, status, f);
}

static int access_range(struct hosted *h, struct access a, struct mmk_fault *fault)
{
	struct mmk_fault f = {0};
	size_t left = a.n;
	int signo = 0;

	while (left && !signo) {
		size_t room = H_PAGE - (a.va & (H_PAGE - 1));

		a.n = room < left ? room : left;
		signo = access_page(h, &a, &f);
		a.va += a.n;
		a.buf = (char *)a.buf + a.n;
		left -= a.n;
	}
	if (fault)
		*fault = f;
	return signo;
}

int hosted_load(struct hosted *h, struct mmk_task *task, unsigned long va, void *buf, size_t n,
                struct mmk_fault *fault)
{
	return access_range(h, (struct access){task, va, buf, n, ACCESS_LOAD, true}, fault);
}

int hosted_store(struct hosted *h, struct mmk_task *task, unsigned long va, const void *buf,
                 size_t n, struct mmk_fault *fault)
{
	return access_range(h, (struct access){task, va, (void *)buf, n, ACCESS_STORE, true},
	                    fault);
}

int hosted_fetch(struct hosted *h, struct mmk_task *task, unsigned long va, void *buf, size_t n,
                 struct mmk_fault *fault)
{
	return access_range(h, (struct access){task, va, buf, n, ACCESS_FETCH, true}, fault);
}

int hosted_copy_to_user(void *ctx, struct mmk_task *task, unsigned long dst, const void *src,
                        size_t n)
{
	struct access a = {task, dst, (void *)src, n, ACCESS_STORE, false};

	return access_range(ctx, a, NULL) ? -MMK_EFAULT : 0;
}

int hosted_copy_from_user(void *ctx, struct mmk_task *task, void *dst, unsigned long src, size_t n)
{
	struct access a = {task, src, dst, n, ACCESS_LOAD, false};

	return access_range(ctx, a, NULL) ? -MMK_EFAULT : 0;
}
