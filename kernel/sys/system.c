/* SPDX-License-Identifier: MIT */
/* The machine as a whole: its name, its figures, its end. */
#include "kernel/arch/psci.h"
#include "kernel/clock.h"
#include "kernel/fs/fs.h"
#include "kernel/init.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/mm.h"
#include "kernel/arch/sysreg.h"
#include "kernel/percpu.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/syscall.h"
#include "kernel/sys/uaccess.h"

#define UTS_LEN 65

const char uts_release[] = "6.12.0-mmkit";
const char uts_version[] = "#1 mmkit";

static struct spinlock uts_lock = SPINLOCK_INIT;
static char hostname[UTS_LEN] = "mmkit";
static char domainname[UTS_LEN] = "(none)";

struct abi_utsname {
	char sysname[UTS_LEN], nodename[UTS_LEN], release[UTS_LEN], version[UTS_LEN],
	    machine[UTS_LEN], domainname[UTS_LEN];
};

void uts_hostname(char *buf, size_t size)
{
	unsigned long irq = spin_lock_irqsave(&uts_lock);

	strlcpy(buf, hostname, size);
	spin_unlock_irqrestore(&uts_lock, irq);
}

#define PER_MASK    0xffu
#define PER_LINUX32 8u
#define UNAME26     0x0020000u

long sys_uname(u64 addr)
{
	struct abi_utsname u = {.sysname = "Linux", .machine = "aarch64"};

	strlcpy(u.release, uts_release, sizeof(u.release));
	strlcpy(u.version, uts_version, sizeof(u.version));
	if (current->mmk.personality & UNAME26)
		strlcpy(u.release, "2.6.72-mmkit", sizeof(u.release));
	spin_lock_irq(&uts_lock);
	memcpy(u.nodename, hostname, sizeof(hostname));
	memcpy(u.domainname, domainname, sizeof(domainname));
	spin_unlock_irq(&uts_lock);
	return copy_to_user(addr, &u, sizeof(u));
}

static long set_name(char *name, u64 addr, u64 len)
{
	char tmp[UTS_LEN] = {0};

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((s32)len < 0 || (s32)len >= UTS_LEN)
		return -EINVAL;
	if (copy_from_user(tmp, addr, (s32)len))
		return -EFAULT;
	spin_lock_irq(&uts_lock);
	memcpy(name, tmp, UTS_LEN);
	spin_unlock_irq(&uts_lock);
	return 0;
}

long sys_sethostname(u64 addr, u64 len)
{
	return set_name(hostname, addr, len);
}

long sys_setdomainname(u64 addr, u64 len)
{
	return set_name(domainname, addr, len);
}

struct abi_sysinfo {
	s64 uptime;
	u64 loads[3];
	u64 totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u64 totalhigh, freehigh;
	u32 mem_unit;
};
_Static_assert(sizeof(struct abi_sysinfo) == 112, "struct sysinfo");

long sys_sysinfo(u64 addr)
{
	struct abi_sysinfo info = {.mem_unit = 1};
	struct sched_stats s;
	struct mmk_stats m;

	sched_stats(&s);
	mmk_stats(mm_sys, &m);
	info.uptime = clock_ns() / NSEC_PER_SEC;
	memcpy(info.loads, s.load, sizeof(info.loads));
	info.totalram = m.frames_total * PAGE_SIZE;
	info.freeram = m.frames_free * PAGE_SIZE;
	info.sharedram = m.frames_shmem * PAGE_SIZE;
	info.procs = min(s.threads, 65535u);
	return copy_to_user(addr, &info, sizeof(info));
}

/* ------------------------------------------------------------------ the end */

#define REBOOT_MAGIC1  0xfee1deadu
#define REBOOT_MAGIC2  672274793u
#define REBOOT_MAGIC2A 85072278u
#define REBOOT_MAGIC2B 369367448u
#define REBOOT_MAGIC2C 537993216u

#define RB_RESTART   0x01234567u
#define RB_HALT      0xcdef0123u
#define RB_CAD_ON    0x89abcdefu
#define RB_CAD_OFF   0x00000000u
#define RB_POWER_OFF 0x4321fedcu
#define RB_RESTART2  0xa1b2c3d4u

static bool magic_ok(u32 magic, u32 magic2)
{
	return magic == REBOOT_MAGIC1 && (magic2 == REBOOT_MAGIC2 || magic2 == REBOOT_MAGIC2A ||
	                                  magic2 == REBOOT_MAGIC2B || magic2 == REBOOT_MAGIC2C);
}

long sys_reboot(u64 magic, u64 magic2, u64 cmd, u64 arg)
{
	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (!magic_ok((u32)magic, (u32)magic2))
		return -EINVAL;
	switch ((u32)cmd) {
	case RB_CAD_ON: /* nobody can press Ctrl-Alt-Del here */
	case RB_CAD_OFF:
		return 0;
	case RB_HALT:
	case RB_POWER_OFF:
		printk("reboot: Power down\n");
		power_off();
	case RB_RESTART:
	case RB_RESTART2:
		vfs_sync_all();
		printk("reboot: Restarting system\n");
		machine_restart();
	default:
		return -EINVAL;
	}
}

/* ------------------------------------------------------------------ small ones */

/* The log cannot be read from here; it is on the console. */
long sys_syslog(u64 type, u64 buf, u64 len)
{
	switch ((s32)type) {
	case 0: /* close, open */
	case 1:
		return 0;
	case 6: /* console off, on */
	case 7:
		return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	case 9:  /* bytes unread */
	case 10: /* size of the buffer */
		return 0;
	default:
		return (s32)type < 0 || (s32)type > 10 ? -EINVAL : -EPERM;
	}
}

long sys_getcpu(u64 cpu, u64 node, u64 unused)
{
	if (cpu && put_user(cpu_id(), u32, cpu))
		return -EFAULT;
	if (node && put_user(0, u32, node))
		return -EFAULT;
	return 0;
}
