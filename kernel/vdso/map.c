/* SPDX-License-Identifier: MIT */
/* See vdso.h. All programs share the two frames. */
#include "kernel/vdso/vdso.h"

#include <mmkit/mmkit.h>

#include "kernel/clock.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/spinlock.h"
#include "kernel/vdso/data.h"

/* vdso_image.S, from what the build has linked */
extern const char vdso_start[], vdso_end[];
extern const u32 vdso_sigreturn_offset;

static struct spinlock data_lock = SPINLOCK_INIT; /* one writer at a time */
static struct vdso_data *data;                    /* [vvar]; NULL before the first program */
static void *code;

void vdso_set_realtime(u64 boot_ns)
{
	unsigned long irq = spin_lock_irqsave(&data_lock);

	realtime_boot_ns = boot_ns;
	if (data) {
		WRITE_ONCE(data->seq, data->seq + 1);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		WRITE_ONCE(data->mult, clock_mult());
		WRITE_ONCE(data->realtime_boot_ns, boot_ns);
		__atomic_store_n(&data->seq, data->seq + 1, __ATOMIC_RELEASE);
	}
	spin_unlock_irqrestore(&data_lock, irq);
}

/* By the first program, PID 1, when there is no other. */
static int make_pages(void)
{
	if (!data)
		data = mmk_alloc_frames(mm_sys, 0, true);
	if (!code)
		code = mmk_alloc_frames(mm_sys, 0, true);
	if (!data || !code)
		return -ENOMEM;
	memcpy(code, vdso_start, (size_t)(vdso_end - vdso_start));
	vdso_set_realtime(realtime_boot_ns);
	return 0;
}

int vdso_map(struct mmk_task *loader, u64 *base, u64 *sigreturn)
{
	int err = data && code ? 0 : make_pages();
	long at;

	if (err)
		return err;
	at = mmk_install_special_pair(loader, loader->mm, data, "[vvar]", code, "[vdso]");
	if (at < 0)
		return (int)at;
	*base = (u64)at;
	*sigreturn = (u64)at + vdso_sigreturn_offset;
	return 0;
}
