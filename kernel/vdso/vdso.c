/* SPDX-License-Identifier: MIT */
/*
 * The vDSO: code of the kernel's that programs run in user mode, an ELF object of one page that the
 * kernel maps into each of them and announces by AT_SYSINFO_EHDR. It reads the clocks from the
 * counter and the data page before it; what it does not know it asks the kernel for.
 *
 * It is linked apart from the kernel, and must need no relocation.
 */
#include "kernel/sys/nr.h"
#include "kernel/vdso/clock.h"
#include "kernel/vdso/data.h"

#define NSEC_PER_SEC 1000000000ull

extern const struct vdso_data vdso_data __attribute__((visibility("hidden")));

struct times {
	s64 sec, frac; /* struct timespec, struct timeval */
};

int __kernel_clock_gettime(s32 clock, struct times *ts);
int __kernel_clock_getres(s32 clock, struct times *ts);
int __kernel_gettimeofday(struct times *tv, s32 *tz);

static long call(long nr, long a, long b)
{
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x8 __asm__("x8") = nr;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x8) : "memory");
	return x0;
}

static u64 counter(void)
{
	u64 v;

	/* Not before what precedes it in the program. */
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v) : : "memory");
	return v;
}

/* CLOCK_MONOTONIC, and what CLOCK_REALTIME is ahead of it, by data that did not change
 * meanwhile. */
static u64 now(u64 *ahead)
{
	const volatile struct vdso_data *d = &vdso_data;
	u32 seq;
	u64 ns;

	do {
		while ((seq = __atomic_load_n(&d->seq, __ATOMIC_ACQUIRE)) & 1)
			;
		*ahead = d->realtime_boot_ns;
		ns = (u64)((u128)counter() * d->mult >> 32);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (d->seq != seq);
	return ns;
}

int __kernel_clock_gettime(s32 clock, struct times *ts)
{
	u64 ahead, ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI:
		ns = now(&ahead);
		ns += ahead;
		break;
	case CLOCK_REALTIME_COARSE:
		ns = now(&ahead);
		ns = ns - ns % COARSE_NS + ahead;
		break;
	case CLOCK_MONOTONIC_COARSE:
		ns = now(&ahead);
		ns -= ns % COARSE_NS;
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		ns = now(&ahead);
		break;
	default:
		return (int)call(NR_clock_gettime, clock, (long)ts);
	}
	ts->sec = (s64)(ns / NSEC_PER_SEC);
	ts->frac = (s64)(ns % NSEC_PER_SEC);
	return 0;
}

int __kernel_gettimeofday(struct times *tv, s32 *tz)
{
	u64 ahead, ns;

	if (tv) {
		ns = now(&ahead);
		ns += ahead;
		tv->sec = (s64)(ns / NSEC_PER_SEC);
		tv->frac = (s64)(ns % NSEC_PER_SEC / 1000);
	}
	if (tz)
		tz[0] = tz[1] = 0;
	return 0;
}

/* The kernel knows which clocks there are. */
int __kernel_clock_getres(s32 clock, struct times *ts)
{
	return (int)call(NR_clock_getres, clock, (long)ts);
}
