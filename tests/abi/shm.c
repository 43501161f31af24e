/* SPDX-License-Identifier: MIT */
/* System V shared memory: segments, who may attach them where, and when they
 * end. */
#include "abi.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

static int segment(size_t pages)
{
	return abi_must("shmget", shmget(IPC_PRIVATE, pages * page, IPC_CREAT | 0600));
}

/* As shmget's number is any number, only that it is one is told. */
#define ID(call)                                                                                   \
	({                                                                                         \
		long id_ = (call);                                                                 \
		abi_ret(#call " < 0", id_ < 0 ? -1 : 0);                                           \
		id_;                                                                               \
	})

static void say_stat(const char *what, int id)
{
	struct shmid_ds d;

	if (shmctl(id, IPC_STAT, &d)) {
		abi_ret(what, -1);
		return;
	}
	abi_say("%s: key %#x mode %#o uid %u gid %u cuid %u size %lu nattch %lu cpid "
	        "%s lpid %s "
	        "atime %s dtime %s",
	        what, d.shm_perm.__key, d.shm_perm.mode, d.shm_perm.uid, d.shm_perm.gid,
	        d.shm_perm.cuid, (unsigned long)d.shm_segsz, (unsigned long)d.shm_nattch,
	        d.shm_cpid == getpid() ? "own"
	        : d.shm_cpid           ? "other"
	                               : "0",
	        d.shm_lpid == getpid() ? "own"
	        : d.shm_lpid           ? "other"
	                               : "0",
	        d.shm_atime ? "set" : "0", d.shm_dtime ? "set" : "0");
}

static unsigned long nattch(int id)
{
	struct shmid_ds d;

	return shmctl(id, IPC_STAT, &d) ? -1ul : d.shm_nattch;
}

BEHAVIOUR(shm_attached_shows_in_maps, "shmat")
{
	int id = segment(3);
	char *w = abi_window(8), *p = shmat(id, w, 0);

	abi_ptr("shmat", p);
	abi_maps(w, 4);
	abi_pages("pages", p, 3);
	abi_store("page", p, 5);
	say_stat("attached", id);
	TRY(shmdt(p));
	abi_maps(w, 4);
	say_stat("detached", id);
	TRY(shmctl(id, IPC_RMID, NULL));
	TRY(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0);
}

BEHAVIOUR(shm_key_shows_in_maps, "shmat key")
{
	int id = ID(shmget(0x1234abcd, page, IPC_CREAT | IPC_EXCL | 0640));
	char *w = abi_window(8);

	abi_ptr("shmat", shmat(id, w, 0));
	abi_maps(w, 1);
	say_stat("made", id);
	shmctl(id, IPC_RMID, NULL);
	abi_maps(w, 1);
	say_stat("removed", id);
}

BEHAVIOUR(shm_content_outlives_attachment, "shmdt")
{
	int id = segment(2);
	char *w = abi_window(8), *p = shmat(id, w, 0);

	abi_fill(p, 2, 7);
	shmdt(p);
	p = shmat(id, w + 4 * page, 0);
	abi_pages("again", p, 2);
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_two_attachments_are_one_memory, "shmat twice")
{
	int id = segment(2);
	char *w = abi_window(16), *p = shmat(id, w, 0), *q = shmat(id, w + 2 * page, 0);

	abi_fill(p, 2, 7);
	abi_pages("second", q, 2);
	abi_maps(w, 4);
	abi_say("nattch %lu", nattch(id));
	TRY(shmdt(q));
	abi_maps(w, 4);
	abi_say("nattch %lu", nattch(id));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shmget_finds_and_excludes, "shmget key")
{
	int id = ID(shmget(0x77, 2 * page, IPC_CREAT | 0600));

	abi_say("found %d", shmget(0x77, 2 * page, 0) == id);
	abi_say("smaller %d", shmget(0x77, page, 0) == id);
	abi_say("size 0 %d", shmget(0x77, 0, 0) == id);
	abi_say("creat %d", shmget(0x77, page, IPC_CREAT | 0600) == id);
	TRY(shmget(0x77, 2 * page + 1, 0));
	TRY(shmget(0x77, 3 * page, IPC_CREAT));
	TRY(shmget(0x77, page, IPC_CREAT | IPC_EXCL));
	TRY(shmget(0x77, 3 * page, IPC_CREAT | IPC_EXCL));
	TRY(shmget(0x78, page, 0));
	TRY(shmget(0x78, page, IPC_EXCL));
	shmctl(id, IPC_RMID, NULL);
	TRY(shmget(0x77, page, 0));
}

BEHAVIOUR(shmget_sizes, "shmget EINVAL")
{
	int id;

	TRY(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600));
	TRY(shmget(IPC_PRIVATE, -1ul, IPC_CREAT | 0600));
	TRY(shmget(IPC_PRIVATE, -page, IPC_CREAT | 0600));
	id = ID(shmget(IPC_PRIVATE, 1, 0600));
	say_stat("one byte", id);
	shmctl(id, IPC_RMID, NULL);
	id = ID(shmget(IPC_PRIVATE, page + 1, 0));
	say_stat("no mode", id);
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_limits, "shmget limits")
{
	int id;

	abi_knob("/proc/sys/kernel/shmmax", "8192");
	TRY(shmget(IPC_PRIVATE, 8193, 0600));
	id = ID(shmget(IPC_PRIVATE, 8192, 0600));
	shmctl(id, IPC_RMID, NULL);
	abi_knob("/proc/sys/kernel/shmall", "1");
	TRY(shmget(IPC_PRIVATE, 8192, 0600));
	id = ID(shmget(IPC_PRIVATE, 4096, 0600));
	TRY(shmget(IPC_PRIVATE, 1, 0600));
	shmctl(id, IPC_RMID, NULL);
	abi_knob("/proc/sys/kernel/shmmni", "1");
	id = ID(shmget(IPC_PRIVATE, 4096, 0600));
	TRY(shmget(IPC_PRIVATE, 1, 0600));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shmat_read_only, "shmat SHM_RDONLY")
{
	int id = segment(1);
	char *w = abi_window(8), *p = shmat(id, w, SHM_RDONLY);

	abi_ptr("shmat", p);
	abi_maps(w, 1);
	abi_store("store", p, 1);
	TRY(mprotect(p, page, RW));
	abi_maps(w, 1);
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shmat_executable, "shmat SHM_EXEC")
{
	int id = segment(1);
	char *w = abi_window(8), *p = shmat(id, w, SHM_EXEC);

	abi_ptr("shmat", p);
	abi_maps(w, 1);
	shmctl(id, IPC_RMID, NULL);
	id = abi_must("shmget", shmget(IPC_PRIVATE, page, 0700));
	p = shmat(id, w + 2 * page, SHM_EXEC);
	abi_ptr("shmat", p);
	abi_maps(w, 3);
	abi_ptr("shmat", shmat(id, w + 4 * page, SHM_EXEC | SHM_RDONLY));
	abi_maps(w + 4 * page, 1);
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shmat_addresses, "shmat EINVAL")
{
	int id = segment(2);
	char *w = abi_window(16);

	abi_ptr("odd", shmat(id, w + 1, 0));
	abi_ptr("rounded", shmat(id, w + page + 1, SHM_RND));
	abi_ptr("over another", shmat(id, w + 2 * page, 0));
	abi_ptr("remapped", shmat(id, w + 2 * page, SHM_REMAP));
	abi_maps(w, 8);
	abi_ptr("remap nowhere", shmat(id, NULL, SHM_REMAP));
	abi_ptr("remap rounded to nowhere", shmat(id, (void *)1, SHM_REMAP | SHM_RND));
	abi_ptr("kernel", shmat(id, (void *)0xffff000000000000, 0));
	abi_ptr("low", shmat(id, (void *)0x1000, 0));
	abi_ptr("unknown flags", shmat(id, w + 8 * page, 0x100000));
	abi_maps(w, 16);
	shmctl(id, IPC_RMID, NULL);
	TRY(shmat(-1, NULL, 0) == (void *)-1 ? -1 : 0);
	TRY(shmat(0x7fffffff, NULL, 0) == (void *)-1 ? -1 : 0);
}

BEHAVIOUR(shmdt_refuses, "shmdt EINVAL")
{
	int id = segment(3);
	char *w = abi_window(16), *p = shmat(id, w, 0);
	char *a = abi_map(2, RW);

	TRY(shmdt(p + page));
	TRY(shmdt(p + 1));
	TRY(shmdt(a));
	TRY(shmdt(NULL));
	TRY(shmdt(w + 8 * page));
	abi_maps(w, 4);
	TRY(shmdt(p));
	TRY(shmdt(p));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shmdt_after_partial_munmap, "shmdt pieces")
{
	int id = segment(4);
	char *w = abi_window(8), *p = shmat(id, w, 0);

	TRY(munmap(p + page, page));
	abi_say("nattch %lu", nattch(id));
	abi_maps(w, 4);
	TRY(shmdt(p));
	abi_maps(w, 4);
	abi_say("nattch %lu", nattch(id));
	p = shmat(id, w, 0);
	TRY(munmap(p, page));
	TRY(shmdt(p));
	abi_say("nattch %lu", nattch(id));
	TRY(munmap(p, 4 * page));
	abi_say("nattch %lu", nattch(id));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shmdt_takes_only_its_own, "shmdt pieces")
{
	int id = segment(3), other = segment(1);
	char *w = abi_window(8), *p = shmat(id, w, 0);

	shmat(other, p + page, SHM_REMAP);
	abi_maps(w, 3);
	abi_say("nattch %lu and %lu", nattch(id), nattch(other));
	TRY(shmdt(p));
	abi_maps(w, 3);
	abi_say("nattch %lu and %lu", nattch(id), nattch(other));
	shmctl(id, IPC_RMID, NULL);
	shmctl(other, IPC_RMID, NULL);
}

BEHAVIOUR(shm_mprotect_and_merges, "shmat mprotect")
{
	int id = segment(3);
	char *w = abi_window(8), *p = shmat(id, w, 0);

	TRY(mprotect(p + page, page, PROT_READ));
	abi_maps(w, 3);
	abi_say("nattch %lu", nattch(id));
	TRY(mprotect(p + page, page, RW));
	abi_maps(w, 3);
	abi_say("nattch %lu", nattch(id));
	TRY(shmdt(p));
	abi_maps(w, 3);
	abi_say("nattch %lu", nattch(id));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_mremap, "shmat mremap")
{
	int id = segment(3);
	char *w = abi_window(24), *p = shmat(id, w, 0);

	abi_fill(p, 3, 1);
	abi_ptr("grow", mremap(p, 3 * page, 4 * page, MREMAP_MAYMOVE));
	abi_ptr("move", mremap(p, 3 * page, 3 * page, MREMAP_MAYMOVE | MREMAP_FIXED, w + 8 * page));
	abi_pages("moved", w + 8 * page, 3);
	abi_say("nattch %lu", nattch(id));
	abi_ptr("copy",
	        mremap(w + 8 * page, 0, 3 * page, MREMAP_MAYMOVE | MREMAP_FIXED, w + 16 * page));
	abi_say("nattch %lu", nattch(id));
	abi_maps(w + 8 * page, 12);
	TRY(shmdt(w + 8 * page));
	TRY(shmdt(w + 16 * page));
	abi_say("nattch %lu", nattch(id));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_grows_within_the_segment, "shmat mremap")
{
	int id = segment(3);
	char *w = abi_window(8), *p = shmat(id, w, 0);

	abi_ptr("shrink", mremap(p, 3 * page, page, 0));
	abi_ptr("grow back", mremap(p, page, 2 * page, 0));
	abi_maps(w, 4);
	abi_ptr("grow past", mremap(p, 2 * page, 4 * page, 0));
	abi_maps(w, 4);
	abi_pages("pages", p, 4);
	abi_say("nattch %lu", nattch(id));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_fork_and_exit_count, "shmat fork")
{
	int id = segment(1);
	char *w = abi_window(8), *p = shmat(id, w, 0);
	pid_t pid;

	pid = abi_fork();
	if (!pid) {
		p[0] = 9;
		abi_say("in the child: nattch %lu", nattch(id));
		_exit(0);
	}
	abi_wait(pid);
	abi_load("page", p);
	abi_say("after: nattch %lu", nattch(id));
	say_stat("after", id);
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_execve_detaches, "shmat execve")
{
	int id = segment(1);
	char *w = abi_window(8);
	pid_t pid = abi_fork();

	if (!pid) {
		abi_ptr("shmat", shmat(id, w, 0));
		fflush(stdout);
		close(1);
		execl("/proc/self/exe", "x", "-l", (char *)NULL);
		_exit(9);
	}
	waitpid(pid, NULL, 0);
	abi_say("nattch %lu", nattch(id));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_removed_while_attached, "shmctl IPC_RMID")
{
	int id = abi_must("shmget", shmget(0x4242, page, IPC_CREAT | IPC_EXCL | 0600)), again;
	char *w = abi_window(8), *p = shmat(id, w, 0);

	p[0] = 3;
	TRY(shmctl(id, IPC_RMID, NULL));
	say_stat("removed", id);
	TRY(shmget(0x4242, page, 0));
	again = ID(shmget(0x4242, page, IPC_CREAT | IPC_EXCL | 0600));
	abi_load("still there", p);
	abi_ptr("attached once more", shmat(id, w + 2 * page, 0));
	abi_load("the same", w + 2 * page);
	TRY(shmctl(id, IPC_RMID, NULL));
	TRY(shmdt(p));
	TRY(shmdt(w + 2 * page));
	say_stat("gone", id);
	TRY(shmctl(id, IPC_RMID, NULL));
	shmctl(again, IPC_RMID, NULL);
}

BEHAVIOUR(shm_ids_are_not_used_again_at_once, "shmget sequence")
{
	int a = segment(1), b;

	shmctl(a, IPC_RMID, NULL);
	b = segment(1);
	abi_say("the same %d", a == b);
	shmctl(b, IPC_RMID, NULL);
}

BEHAVIOUR(shmctl_set, "shmctl IPC_SET")
{
	int id = segment(1);
	struct shmid_ds d;

	abi_must("stat", shmctl(id, IPC_STAT, &d));
	d.shm_perm.mode = 07640;
	d.shm_perm.uid = 1000;
	d.shm_perm.gid = 1001;
	d.shm_segsz = 99;
	TRY(shmctl(id, IPC_SET, &d));
	say_stat("set", id);
	d.shm_perm.uid = -1;
	TRY(shmctl(id, IPC_SET, &d));
	shmctl(id, IPC_RMID, NULL);
	TRY(shmctl(id, IPC_SET, &d));
}

BEHAVIOUR(shm_permissions, "shmat EACCES")
{
	int r = abi_must("shmget", shmget(0x501, page, IPC_CREAT | 0604));
	int n = abi_must("shmget", shmget(0x502, page, IPC_CREAT | 0600));
	struct shmid_ds d;
	char *w = abi_window(16);

	abi_nobody();
	abi_say("found %d", shmget(0x501, page, 0) == r);
	abi_say("found to read %d", shmget(0x501, page, 0004) == r);
	TRY(shmget(0x501, page, 0006));
	TRY(shmget(0x501, page, 0600));
	abi_say("found unreadable %d", shmget(0x502, page, 0) == n);
	abi_ptr("to write", shmat(r, w, 0));
	abi_ptr("to read", shmat(r, w, SHM_RDONLY));
	abi_ptr("unreadable", shmat(n, w + 2 * page, SHM_RDONLY));
	TRY(shmctl(r, IPC_STAT, &d));
	TRY(shmctl(n, IPC_STAT, &d));
	TRY(shmctl(r, IPC_SET, &d));
	TRY(shmctl(r, IPC_RMID, NULL));
	TRY(shmctl(r, SHM_LOCK, NULL));
	TRY(shmctl(r, SHM_UNLOCK, NULL));
}

BEHAVIOUR(shm_segments_go_with_root, "shmctl cleanup")
{
	/* What the one before left behind. */
	TRY(shmctl(shmget(0x501, 0, 0), IPC_RMID, NULL));
	TRY(shmctl(shmget(0x502, 0, 0), IPC_RMID, NULL));
	TRY(shmget(0x501, 0, 0));
}

BEHAVIOUR(shmctl_info, "shmctl IPC_INFO")
{
	struct shminfo i;
	struct shm_info s, t;
	int id, n = shmctl(0, IPC_INFO, (struct shmid_ds *)&i);

	abi_say("%s: shmmax %lx shmmin %lu shmmni %lu shmseg %lu shmall %lx",
	        n < 0 ? "bad" : "good", i.shmmax, i.shmmin, i.shmmni, i.shmseg, i.shmall);
	shmctl(0, SHM_INFO, (struct shmid_ds *)&s);
	id = segment(3);
	abi_fill(shmat(id, NULL, 0), 2, 1);
	n = shmctl(0, SHM_INFO, (struct shmid_ds *)&t);
	abi_say("%s: used_ids %d shm_tot %lu shm_rss %lu shm_swp %lu", n < 0 ? "bad" : "good",
	        t.used_ids - s.used_ids, t.shm_tot - s.shm_tot, t.shm_rss - s.shm_rss, t.shm_swp);
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shmctl_stat_by_index, "shmctl SHM_STAT")
{
	struct shm_info s;
	struct shmid_ds d;
	int id = segment(5), n = shmctl(0, SHM_INFO, (struct shmid_ds *)&s), found = -1;

	for (int i = 0; i <= n; i++)
		if (shmctl(i, SHM_STAT, &d) == id)
			found = i;
	abi_must("stat", shmctl(found, SHM_STAT, &d));
	abi_say("found %d, its size %lu", found >= 0, (unsigned long)d.shm_segsz);
	abi_say("any %d", shmctl(found, SHM_STAT_ANY, &d) == id);
	TRY(shmctl(-1, SHM_STAT, &d));
	TRY(shmctl(32000, SHM_STAT, &d));
	shmctl(id, IPC_RMID, NULL);
	TRY(shmctl(found, SHM_STAT, &d));
}

BEHAVIOUR(shmctl_refuses, "shmctl EINVAL")
{
	int id = segment(1);
	struct shmid_ds d;

	TRY(shmctl(id, 99, &d));
	TRY(shmctl(id, -1, &d));
	TRY(shmctl(-1, IPC_STAT, &d));
	TRY(shmctl(id + 1, IPC_STAT, &d));
	TRY(shmctl(-1, IPC_RMID, &d));
	TRY(shmctl(id, IPC_STAT, (void *)8));
	TRY(shmctl(id, IPC_SET, (void *)8));
	TRY(shmctl(-1, IPC_SET, (void *)8));
	TRY(shmctl(-1, SHM_LOCK, NULL));
	TRY(shmctl(0, IPC_INFO, (void *)8) < 0 ? -1 : 0);
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shmctl_locks_a_segment, "shmctl SHM_LOCK")
{
	int id = segment(2);
	struct shmid_ds d;
	char *w = abi_window(4), *p = shmat(id, w, 0);

	TRY(shmctl(id, SHM_LOCK, NULL));
	shmctl(id, IPC_STAT, &d);
	abi_say("mode %#o", d.shm_perm.mode);
	abi_mincore(p, 2);
	abi_status("VmLck");
	TRY(shmctl(id, SHM_LOCK, NULL));
	TRY(shmctl(id, SHM_UNLOCK, NULL));
	shmctl(id, IPC_STAT, &d);
	abi_say("mode %#o", d.shm_perm.mode);
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shmctl_lock_and_the_limit, "shmctl SHM_LOCK ENOMEM")
{
	int id;

	abi_limit(RLIMIT_MEMLOCK, 2 * page);
	abi_nobody();
	id = segment(2);
	TRY(shmctl(id, SHM_LOCK, NULL));
	shmctl(id, IPC_RMID, NULL);
	id = segment(3);
	TRY(shmctl(id, SHM_LOCK, NULL));
	abi_limit(RLIMIT_MEMLOCK, 0);
	TRY(shmctl(id, SHM_LOCK, NULL));
	TRY(shmctl(id, SHM_UNLOCK, NULL));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_proc_lists_segments, "shm /proc/sysvipc/shm")
{
	char buf[4096], want[32], *line;
	int id = abi_must("shmget", shmget(0x99887766, 3 * page, IPC_CREAT | 0640));
	char *p = shmat(id, NULL, 0);

	p[0] = 1;
	abi_must("read", abi_read_text("/proc/sysvipc/shm", buf, sizeof(buf)) - 1);
	line = strchr(buf, '\n');
	*line++ = 0;
	abi_say("%s", buf);
	snprintf(want, sizeof(want), "%d", id);
	line = strstr(line, want);
	abi_say("listed %d", line != NULL);
	if (line) {
		unsigned perms, pid, lpid, uid, gid, cuid, cgid;
		unsigned long size, n, rss, swap;

		sscanf(line + strlen(want), "%o %lu %u %u %lu %u %u %u %u %*u %*u %*u %lu %lu",
		       &perms, &size, &pid, &lpid, &n, &uid, &gid, &cuid, &cgid, &rss, &swap);
		abi_say("perms %o size %lu own %d %d nattch %lu uid %u rss %lu swap %lu", perms,
		        size, pid == (unsigned)getpid(), lpid == (unsigned)getpid(), n, uid, rss,
		        swap);
	}
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_rmid_forced, "shm kernel.shm_rmid_forced")
{
	int id = segment(1), other = segment(1);
	char *w = abi_window(4), *p = shmat(id, w, 0);

	abi_knob("/proc/sys/kernel/shm_rmid_forced", "1");
	say_stat("never attached", other);
	TRY(shmdt(p));
	say_stat("detached", id);
	shmctl(other, IPC_RMID, NULL);
}

BEHAVIOUR(shm_noreserve_and_commit, "shmget SHM_NORESERVE")
{
	int id = ID(shmget(IPC_PRIVATE, page, SHM_NORESERVE | 0600));
	char *w = abi_window(4), *p = shmat(id, w, 0);

	abi_store("page", p, 1);
	abi_maps(w, 1);
	shmctl(id, IPC_RMID, NULL);
	id = ID(shmget(IPC_PRIVATE, page, 0x100000 | 0600));
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_without_huge_pages, "shmget SHM_HUGETLB")
{
	TRY(shmget(IPC_PRIVATE, page, IPC_CREAT | SHM_HUGETLB | 0600));
}

BEHAVIOUR(shm_madvise_and_msync, "shmat madvise")
{
	int id = segment(3);
	char *w = abi_window(4), *p = shmat(id, w, 0);

	abi_fill(p, 3, 1);
	TRY(madvise(p, page, MADV_DONTNEED));
	abi_pages("after DONTNEED", p, 3);
	TRY(msync(p, 3 * page, MS_SYNC));
	TRY(mlock(p, page));
	abi_status("VmLck");
	shmctl(id, IPC_RMID, NULL);
}

BEHAVIOUR(shm_remap_file_pages, "shmat remap_file_pages")
{
	int id = segment(3);
	char *w = abi_window(4), *p = shmat(id, w, 0);

	abi_fill(p, 3, 1);
	TRY(remap_file_pages(p, page, 0, 2, 0));
	abi_pages("pages", p, 3);
	abi_maps(w, 3);
	abi_say("nattch %lu", nattch(id));
	TRY(shmdt(p));
	abi_maps(w, 3);
	abi_say("nattch %lu", nattch(id));
	TRY(munmap(w, 3 * page));
	abi_say("nattch %lu", nattch(id));
	shmctl(id, IPC_RMID, NULL);
}
