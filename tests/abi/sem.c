/* SPDX-License-Identifier: MIT */
/* System V semaphores: operations all at once, waiting, undoing, and what semctl tells and sets. */
#include "abi.h"

#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

static int new_set(int nsems)
{
	return abi_must("semget", semget(IPC_PRIVATE, nsems, IPC_CREAT | 0600));
}

static long value(int id, int num)
{
	return semctl(id, num, GETVAL);
}

static long op(int id, int num, int add, int flags)
{
	struct sembuf b = {.sem_num = num, .sem_op = add, .sem_flg = flags};

	return semop(id, &b, 1);
}

static const char *pid_word(long pid)
{
	return pid == getpid() ? "own" : pid == getppid() ? "parent" : pid ? "other" : "0";
}

static void until_waiting(int id, int num, int cmd)
{
	while (semctl(id, num, cmd) < 1)
		usleep(1000);
}

static void on_signal(int sig)
{
}

BEHAVIOUR(semaphore_counts, "semop")
{
	int id = new_set(3);

	abi_say("at first %ld %ld %ld", value(id, 0), value(id, 1), value(id, 2));
	TRY(op(id, 1, 5, 0));
	TRY(op(id, 1, -2, 0));
	abi_say("then %ld %ld %ld", value(id, 0), value(id, 1), value(id, 2));
	abi_say("pids %s %s", pid_word(semctl(id, 0, GETPID)), pid_word(semctl(id, 1, GETPID)));
	TRY(op(id, 0, 0, 0));
	abi_say("pid of one that was found zero %s", pid_word(semctl(id, 0, GETPID)));
	TRY(semctl(id, 0, IPC_RMID));
	TRY(semctl(id, 0, GETVAL));
}

BEHAVIOUR(semaphore_would_wait, "semop EAGAIN")
{
	int id = new_set(2);
	struct timespec none = {0}, some = {.tv_nsec = 20000000}, bad = {.tv_nsec = 1000000000};
	struct sembuf down = {.sem_op = -1};

	TRY(op(id, 0, -1, IPC_NOWAIT));
	TRY(op(id, 0, 1, 0));
	TRY(op(id, 0, 0, IPC_NOWAIT));
	TRY(op(id, 0, -2, IPC_NOWAIT));
	TRY(op(id, 0, -1, IPC_NOWAIT));
	TRY(semtimedop(id, &down, 1, &none));
	TRY(semtimedop(id, &down, 1, &some));
	TRY(semtimedop(id, &down, 1, &bad));
	TRY(semctl(id, 0, IPC_RMID));
}

BEHAVIOUR(semaphore_operations_all_or_none, "semop several at once")
{
	int id = new_set(3);
	struct sembuf both[] = {{0, 3, 0}, {1, -1, IPC_NOWAIT}, {2, 1, 0}};
	struct sembuf same[] = {{0, 2, 0}, {0, -1, 0}, {0, -1, 0}, {0, 0, 0}};

	TRY(semop(id, both, 3));
	abi_say("untouched %ld %ld %ld", value(id, 0), value(id, 1), value(id, 2));
	TRY(op(id, 1, 1, 0));
	TRY(semop(id, both, 3));
	abi_say("all %ld %ld %ld", value(id, 0), value(id, 1), value(id, 2));
	TRY(op(id, 0, -3, 0));
	TRY(semop(id, same, 4));
	abi_say("one after the other %ld", value(id, 0));
	TRY(semctl(id, 0, IPC_RMID));
}

BEHAVIOUR(semaphore_refusals, "semop errors")
{
	static struct sembuf many[501];
	int id = new_set(2);
	struct sembuf b = {.sem_op = 1};

	TRY(semop(id, &b, 0));
	TRY(semop(-1, &b, 1));
	TRY(semop(id, many, 501));
	TRY(semop(id, many, 500));
	TRY(op(id, 2, 1, 0));
	TRY(semop(id, NULL, 1));
	TRY(op(id, 0, 32767, 0));
	TRY(op(id, 0, 1, 0));
	TRY(op(id, 1, -32768, IPC_NOWAIT));
	TRY(op(id, 1, 1, SEM_UNDO));
	TRY(op(id, 1, 32766, SEM_UNDO));
	TRY(op(id, 1, -32767, 0));
	TRY(op(id, 1, 2, SEM_UNDO));
	abi_say("left %ld %ld", value(id, 0), value(id, 1));
	TRY(semctl(id, 0, IPC_RMID));
	TRY(op(id, 0, 1, 0));
}

BEHAVIOUR(semget_by_key, "semget")
{
	key_t key = 0x4d4b0000 + getpid();
	int id = semget(key, 2, IPC_CREAT | IPC_EXCL | 0640), again;

	abi_needs_own_machine();
	abi_ret("made", id < 0 ? -1 : 0);
	again = semget(key, 0, 0);
	abi_say("found: %s", again == id ? "the same" : "another");
	TRY(semget(key, 3, 0));
	TRY(semget(key, 2, IPC_CREAT | IPC_EXCL));
	TRY(semget(key, 3, IPC_CREAT | IPC_EXCL));
	TRY(semget(key + 1, 2, 0));
	TRY(semget(IPC_PRIVATE, 0, IPC_CREAT));
	TRY(semget(IPC_PRIVATE, -1, IPC_CREAT));
	TRY(semget(IPC_PRIVATE, 32001, IPC_CREAT));
	TRY(semctl(id, 0, IPC_RMID));
	TRY(semget(key, 2, 0));
}

BEHAVIOUR(semop_waits_until_it_can, "semop waits")
{
	int id = new_set(1);
	pid_t child = abi_fork();

	if (!child) {
		TRY(op(id, 0, -3, 0));
		_exit(0);
	}
	until_waiting(id, 0, GETNCNT);
	abi_say("waiting for more %d, for zero %d", semctl(id, 0, GETNCNT), semctl(id, 0, GETZCNT));
	TRY(op(id, 0, 2, 0));
	abi_say("not enough: %ld, waiting %d", value(id, 0), semctl(id, 0, GETNCNT));
	abi_must("semop", op(id, 0, 2, 0));
	abi_wait(child);
	abi_say("left %ld, waiting %d", value(id, 0), semctl(id, 0, GETNCNT));
	abi_say("pid of the last is %s", semctl(id, 0, GETPID) == child ? "the child's" : "another");
	child = abi_fork();
	if (!child) {
		TRY(op(id, 0, 0, 0));
		_exit(0);
	}
	until_waiting(id, 0, GETZCNT);
	abi_say("waiting for more %d, for zero %d", semctl(id, 0, GETNCNT), semctl(id, 0, GETZCNT));
	abi_must("semctl", semctl(id, 0, SETVAL, 0));
	abi_wait(child);
	TRY(semctl(id, 0, IPC_RMID));
}

BEHAVIOUR(semop_wait_is_ended, "semop EIDRM EINTR")
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	int id = new_set(2);
	pid_t child = abi_fork();

	if (!child) {
		sigaction(SIGUSR1, &sa, NULL);
		TRY(op(id, 0, 1, 0));
		TRY(op(id, 0, -2, 0));
		TRY(op(id, 1, -3, 0));
		_exit(0);
	}
	until_waiting(id, 0, GETNCNT);
	abi_must("kill", kill(child, SIGUSR1));
	until_waiting(id, 1, GETNCNT);
	abi_must("remove", semctl(id, 0, IPC_RMID));
	abi_wait(child);
}

BEHAVIOUR(semaphore_undo_at_exit, "semop SEM_UNDO")
{
	int id = new_set(3);
	pid_t child;

	TRY(op(id, 0, 5, 0));
	child = abi_fork();
	if (!child) {
		TRY(op(id, 0, -2, SEM_UNDO));
		TRY(op(id, 0, -1, 0));
		TRY(op(id, 1, 4, SEM_UNDO));
		TRY(op(id, 2, 4, SEM_UNDO));
		abi_say("in the child %ld %ld %ld", value(id, 0), value(id, 1), value(id, 2));
		TRY(op(id, 1, -3, 0));
		TRY(semctl(id, 2, SETVAL, 7));
		_exit(0);
	}
	abi_wait(child);
	abi_say("after it %ld %ld %ld", value(id, 0), value(id, 1), value(id, 2));
	abi_say("pid of what was undone is %s",
	        semctl(id, 0, GETPID) == child ? "the child's" : "another");
	child = abi_fork();
	if (!child) {
		TRY(op(id, 0, -1, SEM_UNDO));
		if (!abi_fork())
			_exit(0);
		wait(NULL);
		abi_say("a child's end undoes nothing of its parent's: %ld", value(id, 0));
		raise(SIGKILL);
	}
	abi_wait(child);
	abi_say("killed, and undone %ld", value(id, 0));
	TRY(semctl(id, 0, IPC_RMID));
}

BEHAVIOUR(semctl_of_all, "semctl GETALL SETALL")
{
	unsigned short v[3] = {1, 2, 32767}, got[3] = {9, 9, 9}, bad[3] = {1, 32768, 1};
	int id = new_set(3);

	TRY(semctl(id, 0, SETALL, v));
	TRY(semctl(id, 0, GETALL, got));
	abi_say("got %d %d %d", got[0], got[1], got[2]);
	TRY(semctl(id, 0, SETALL, bad));
	TRY(semctl(id, 0, SETALL, NULL));
	TRY(semctl(id, 0, GETALL, NULL));
	TRY(semctl(id, 9, GETALL, got));
	abi_say("pid %s", pid_word(semctl(id, 2, GETPID)));
	TRY(semctl(id, 1, SETVAL, 32768));
	TRY(semctl(id, 1, SETVAL, -1));
	TRY(semctl(id, 3, SETVAL, 1));
	TRY(semctl(id, 3, GETVAL));
	TRY(semctl(id, -1, GETVAL));
	TRY(semctl(-1, 0, GETVAL));
	TRY(semctl(id, 0, 99));
	TRY(semctl(id, 0, IPC_RMID));
	TRY(semctl(id, 0, GETALL, got));
	TRY(semctl(id, 0, IPC_RMID));
}

static void say_stat(const char *what, int id)
{
	struct semid_ds d;

	if (semctl(id, 0, IPC_STAT, &d)) {
		abi_ret(what, -1);
		return;
	}
	abi_say("%s: key %#x mode %#o uid %u gid %u cuid %u nsems %lu otime %s ctime %s", what,
	        d.sem_perm.__key, d.sem_perm.mode, d.sem_perm.uid, d.sem_perm.gid, d.sem_perm.cuid,
	        (unsigned long)d.sem_nsems, d.sem_otime ? "set" : "0", d.sem_ctime ? "set" : "0");
}

BEHAVIOUR(semctl_stat_and_set, "semctl IPC_STAT IPC_SET")
{
	int id = new_set(4);
	struct semid_ds d = {.sem_perm = {.uid = 12, .gid = 34, .mode = 07421}};

	abi_needs_own_machine();
	say_stat("new", id);
	TRY(op(id, 0, 1, 0));
	say_stat("used", id);
	TRY(semctl(id, 0, IPC_SET, &d));
	say_stat("set", id);
	d.sem_perm.uid = -1;
	TRY(semctl(id, 0, IPC_SET, &d));
	TRY(semctl(id, 0, IPC_SET, NULL));
	TRY(semctl(id, 0, IPC_STAT, NULL));
	TRY(semctl(id, 0, IPC_RMID));
	TRY(semctl(id, 0, IPC_STAT, &d));
}

BEHAVIOUR(semctl_info, "semctl IPC_INFO")
{
	struct seminfo i = {0};
	struct semid_ds d;
	int id, last;

	abi_needs_own_machine();
	id = new_set(4);
	last = semctl(0, 0, IPC_INFO, &i);
	abi_say("semmap %d semmni %d semmns %d semmnu %d semmsl %d semopm %d semume %d semusz %d "
	        "semvmx %d semaem %d",
	        i.semmap, i.semmni, i.semmns, i.semmnu, i.semmsl, i.semopm, i.semume, i.semusz,
	        i.semvmx, i.semaem);
	abi_say("by index: %s", semctl(last, 0, SEM_STAT, &d) == id ? "it" : "another");
	abi_say("by index, any: %s", semctl(last, 0, SEM_STAT_ANY, &d) == id ? "it" : "another");
	TRY(semctl(last + 1, 0, SEM_STAT, &d));
	abi_say("in use: %s", semctl(0, 0, SEM_INFO, &i) == last && i.semusz >= 1 &&
	                              i.semaem >= 4 ? "some" : "none");
	TRY(semctl(id, 0, IPC_RMID));
}

BEHAVIOUR(semaphores_of_others, "semop EACCES")
{
	int id = new_set(1), readable;
	struct semid_ds d = {0};

	abi_needs_own_machine();
	readable = abi_must("semget", semget(IPC_PRIVATE, 1, IPC_CREAT | 0644));
	if (!abi_fork()) {
		abi_nobody();
		TRY(op(id, 0, 1, 0));
		TRY(op(id, 0, 0, 0));
		TRY(op(id, 1, 0, 0));
		TRY(semctl(id, 0, GETVAL));
		TRY(semctl(id, 0, IPC_STAT, &d));
		TRY(semctl(id, 0, IPC_RMID));
		TRY(semctl(id, 0, IPC_SET, &d));
		TRY(op(readable, 0, 0, 0));
		TRY(op(readable, 0, 1, 0));
		TRY(semctl(readable, 0, GETVAL));
		TRY(semctl(readable, 0, SETVAL, 1));
		TRY(semctl(readable, 0, IPC_STAT, &d));
		_exit(0);
	}
	wait(NULL);
	TRY(semctl(id, 0, IPC_RMID));
	TRY(semctl(readable, 0, IPC_RMID));
}

BEHAVIOUR(sysvipc_sem_lists, "/proc/sysvipc/sem")
{
	char text[4096], *line;
	unsigned nsems = 0, mode = 0;
	int id;

	abi_needs_own_machine();
	id = new_set(5);
	if (!abi_read_text("/proc/sysvipc/sem", text, sizeof(text)))
		abi_fail("cannot be read");
	line = strchr(text, '\n');
	*line++ = '\0';
	abi_say("%s", text);
	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (atoi(line + 10) == id)
			sscanf(line, "%*d %*d %o %u", &mode, &nsems);
	abi_say("mode %o nsems %u", mode, nsems);
	TRY(semctl(id, 0, IPC_RMID));
}
