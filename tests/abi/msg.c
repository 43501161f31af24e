/* SPDX-License-Identifier: MIT */
/* System V message queues: messages by type, waiting for room and for messages, and msgctl. */
#include "abi.h"

#include <sys/ipc.h>
#include <sys/msg.h>

#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

struct text {
	long type;
	char text[9000];
};

static int new_queue(void)
{
	return abi_must("msgget", msgget(IPC_PRIVATE, IPC_CREAT | 0600));
}

static long send(int id, long type, const char *text)
{
	struct text m = {.type = type};

	strcpy(m.text, text);
	return msgsnd(id, &m, strlen(text), IPC_NOWAIT);
}

/* "WHAT = 3 type 7 abc" or the error */
static void receive(const char *what, int id, long type, size_t size, int flags)
{
	struct text m = {0};
	long n = msgrcv(id, &m, size, type, flags);

	if (n < 0)
		abi_ret(what, n);
	else
		abi_say("%s = %ld type %ld %.*s", what, n, m.type, (int)n, m.text);
}

static unsigned long queued(int id)
{
	struct msqid_ds d;

	return msgctl(id, IPC_STAT, &d) ? -1ul : d.msg_qnum;
}

static void on_signal(int sig)
{
}

BEHAVIOUR(messages_in_order, "msgrcv")
{
	int id = new_queue();

	TRY(send(id, 3, "three"));
	TRY(send(id, 1, "one"));
	TRY(send(id, 2, ""));
	receive("first", id, 0, 100, 0);
	receive("second", id, 0, 100, 0);
	receive("third", id, 0, 100, 0);
	receive("none", id, 0, 100, IPC_NOWAIT);
	TRY(msgctl(id, IPC_RMID, NULL));
	receive("gone", id, 0, 100, 0);
}

BEHAVIOUR(messages_by_type, "msgrcv type")
{
	int id = new_queue();

	TRY(send(id, 5, "five"));
	TRY(send(id, 3, "three"));
	TRY(send(id, 5, "five again"));
	TRY(send(id, 2, "two"));
	TRY(send(id, 3, "three again"));
	receive("of type 3", id, 3, 100, 0);
	receive("of type 4", id, 4, 100, IPC_NOWAIT);
	receive("but type 5", id, 5, 100, MSG_EXCEPT);
	receive("up to 4", id, -4, 100, 0);
	receive("up to 4 again", id, -4, 100, IPC_NOWAIT);
	receive("the lowest", id, 1L << 63, 100, 0);
	receive("all types but none", id, 0, 100, MSG_EXCEPT);
	abi_say("left %lu", queued(id));
	TRY(msgctl(id, IPC_RMID, NULL));
}

BEHAVIOUR(messages_too_long, "msgrcv E2BIG")
{
	int id = new_queue();

	TRY(send(id, 1, "a longer text"));
	receive("too long", id, 0, 4, 0);
	receive("cut", id, 0, 4, MSG_NOERROR);
	abi_say("left %lu", queued(id));
	TRY(send(id, 1, "text"));
	receive("nothing of it", id, 0, 0, MSG_NOERROR);
	TRY(msgctl(id, IPC_RMID, NULL));
}

BEHAVIOUR(message_refusals, "msgsnd errors")
{
	static struct text m = {.type = 1};
	int id = new_queue();

	TRY(msgsnd(id, &m, 8192, IPC_NOWAIT));
	TRY(msgsnd(id, &m, 8193, IPC_NOWAIT));
	TRY(msgsnd(id, &m, -1, IPC_NOWAIT));
	TRY(msgsnd(-1, &m, 1, IPC_NOWAIT));
	TRY(msgsnd(id, NULL, 1, IPC_NOWAIT));
	m.type = 0;
	TRY(msgsnd(id, &m, 1, IPC_NOWAIT));
	m.type = -1;
	TRY(msgsnd(id, &m, 1, IPC_NOWAIT));
	TRY(msgrcv(-1, &m, 1, 0, IPC_NOWAIT));
	TRY(msgrcv(id, &m, -1, 0, IPC_NOWAIT));
	TRY(msgrcv(id, NULL, 9000, 0, IPC_NOWAIT));
	abi_say("a message that could not be stored is lost: %lu left", queued(id));
	TRY(msgget(0x4d4b1111, 0));
	TRY(msgctl(id, 99, NULL));
	TRY(msgctl(id, -1, NULL));
	TRY(msgctl(-1, IPC_RMID, NULL));
	TRY(msgctl(id, IPC_RMID, NULL));
	TRY(msgctl(id, IPC_RMID, NULL));
	TRY(msgsnd(id, &m, 1, IPC_NOWAIT));
}

BEHAVIOUR(message_queue_is_full, "msgsnd EAGAIN")
{
	static struct text m = {.type = 1};
	int id = new_queue(), n = 0;
	struct msqid_ds d;

	TRY(msgsnd(id, &m, 8192, IPC_NOWAIT));
	TRY(msgsnd(id, &m, 8192, IPC_NOWAIT));
	TRY(msgsnd(id, &m, 1, IPC_NOWAIT));
	TRY(msgsnd(id, &m, 0, IPC_NOWAIT));
	abi_must("stat", msgctl(id, IPC_STAT, &d));
	abi_say("%lu messages, %lu of %lu bytes", d.msg_qnum, d.__msg_cbytes, d.msg_qbytes);
	d.msg_qbytes = 3;
	TRY(msgctl(id, IPC_SET, &d));
	receive("one", id, 0, 0, MSG_NOERROR);
	receive("two", id, 0, 0, MSG_NOERROR);
	receive("three", id, 0, 0, MSG_NOERROR);
	TRY(msgsnd(id, &m, 4, IPC_NOWAIT));
	while (!msgsnd(id, &m, 0, IPC_NOWAIT))
		n++;
	abi_say("of no bytes: %d", n);
	TRY(msgctl(id, IPC_RMID, NULL));
}

BEHAVIOUR(msgrcv_waits_for_its_type, "msgrcv waits")
{
	int id = new_queue();
	pid_t child = abi_fork();

	if (!child) {
		receive("in the child", id, 7, 100, 0);
		_exit(0);
	}
	TRY(send(id, 6, "for another"));
	usleep(100000);
	abi_must("send", send(id, 7, "for the child"));
	abi_wait(child);
	abi_say("left %lu", queued(id));
	TRY(msgctl(id, IPC_RMID, NULL));
}

BEHAVIOUR(msgsnd_waits_for_room, "msgsnd waits")
{
	static struct text m = {.type = 1};
	int id = new_queue();
	pid_t child;

	TRY(msgsnd(id, &m, 8192, 0));
	TRY(msgsnd(id, &m, 8192, 0));
	child = abi_fork();
	if (!child) {
		m.type = 2;
		TRY(msgsnd(id, &m, 100, 0));
		_exit(0);
	}
	usleep(100000);
	abi_say("queued %lu", queued(id));
	abi_must("receive", msgrcv(id, &m, 0, 1, MSG_NOERROR));
	abi_wait(child);
	abi_say("queued %lu", queued(id));
	TRY(msgctl(id, IPC_RMID, NULL));
}

/* The child has said so, and sleeps. */
static void until_ready(int id, pid_t child)
{
	char path[64], text[512] = "";
	struct text m;

	abi_must("receive", msgrcv(id, &m, sizeof(m.text), 9, 0));
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	while (!strstr(text, ") S")) {
		usleep(1000);
		abi_read_text(path, text, sizeof(text));
	}
}

BEHAVIOUR(message_waits_are_ended, "msgrcv EIDRM EINTR")
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	int id = new_queue();
	pid_t child = abi_fork();

	if (!child) {
		sigaction(SIGUSR1, &sa, NULL);
		abi_must("send", send(id, 9, "ready"));
		receive("interrupted", id, 1, 100, 0);
		abi_must("send", send(id, 9, "ready"));
		receive("removed", id, 1, 100, 0);
		_exit(0);
	}
	until_ready(id, child);
	abi_must("kill", kill(child, SIGUSR1));
	until_ready(id, child);
	abi_must("remove", msgctl(id, IPC_RMID, NULL));
	abi_wait(child);
}

static const char *pid_word(pid_t pid)
{
	return pid == getpid() ? "own" : pid ? "other" : "0";
}

static void say_stat(const char *what, int id)
{
	struct msqid_ds d;

	if (msgctl(id, IPC_STAT, &d)) {
		abi_ret(what, -1);
		return;
	}
	abi_say("%s: key %#x mode %#o uid %u gid %u cuid %u qnum %lu cbytes %lu qbytes %lu lspid %s "
	        "lrpid %s stime %s rtime %s ctime %s",
	        what, d.msg_perm.__key, d.msg_perm.mode, d.msg_perm.uid, d.msg_perm.gid,
	        d.msg_perm.cuid, d.msg_qnum, d.__msg_cbytes, d.msg_qbytes, pid_word(d.msg_lspid),
	        pid_word(d.msg_lrpid), d.msg_stime ? "set" : "0", d.msg_rtime ? "set" : "0",
	        d.msg_ctime ? "set" : "0");
}

BEHAVIOUR(msgctl_stat_and_set, "msgctl IPC_STAT IPC_SET")
{
	int id = new_queue();
	struct msqid_ds d = {.msg_perm = {.uid = 12, .gid = 34, .mode = 07421}, .msg_qbytes = 77};

	abi_needs_own_machine();
	say_stat("new", id);
	TRY(send(id, 1, "abc"));
	TRY(send(id, 1, "de"));
	receive("one", id, 0, 100, 0);
	say_stat("used", id);
	TRY(msgctl(id, IPC_SET, &d));
	say_stat("set", id);
	d.msg_perm.uid = -1;
	TRY(msgctl(id, IPC_SET, &d));
	TRY(msgctl(id, IPC_SET, NULL));
	TRY(msgctl(id, IPC_STAT, NULL));
	TRY(msgctl(id, IPC_RMID, NULL));
}

BEHAVIOUR(msgget_by_key, "msgget")
{
	key_t key = 0x4d4b0000 + getpid();
	int id = msgget(key, IPC_CREAT | IPC_EXCL | 0640);

	abi_needs_own_machine();
	abi_ret("made", id < 0 ? -1 : 0);
	abi_say("found: %s", msgget(key, 0) == id ? "the same" : "another");
	TRY(msgget(key, IPC_CREAT | IPC_EXCL));
	TRY(msgget(key + 1, 0));
	TRY(msgctl(id, IPC_RMID, NULL));
	TRY(msgget(key, 0));
}

BEHAVIOUR(msgctl_info, "msgctl IPC_INFO")
{
	struct msginfo i = {0};
	struct msqid_ds d;
	int id, last;

	abi_needs_own_machine();
	id = new_queue();
	last = msgctl(0, IPC_INFO, (struct msqid_ds *)&i);
	abi_say("msgmax %d msgmnb %d msgssz %d msgtql %d msgseg %d", i.msgmax, i.msgmnb, i.msgssz,
	        i.msgtql, i.msgseg);
	abi_say("by index: %s", msgctl(last, MSG_STAT, &d) == id ? "it" : "another");
	abi_say("by index, any: %s", msgctl(last, MSG_STAT_ANY, &d) == id ? "it" : "another");
	TRY(msgctl(last + 1, MSG_STAT, &d));
	TRY(send(id, 1, "abc"));
	abi_say("in use: %s", msgctl(0, MSG_INFO, (struct msqid_ds *)&i) == last &&
	                              i.msgpool >= 1 && i.msgmap >= 1 && i.msgtql >= 3
	                          ? "some" : "none");
	TRY(msgctl(id, IPC_RMID, NULL));
}

BEHAVIOUR(queues_of_others, "msgsnd EACCES")
{
	int id = new_queue(), open;
	struct msqid_ds d;

	abi_needs_own_machine();
	open = abi_must("msgget", msgget(IPC_PRIVATE, IPC_CREAT | 0622));
	abi_must("stat", msgctl(open, IPC_STAT, &d));
	if (!abi_fork()) {
		abi_nobody();
		TRY(send(id, 1, "a"));
		receive("receive", id, 0, 100, IPC_NOWAIT);
		TRY(msgctl(id, IPC_STAT, &d));
		TRY(msgctl(id, IPC_RMID, NULL));
		TRY(send(open, 1, "a"));
		receive("receive what may be written", open, 0, 100, IPC_NOWAIT);
		TRY(msgctl(open, IPC_SET, &d));
		_exit(0);
	}
	wait(NULL);
	abi_say("left %lu", queued(open));
	TRY(msgctl(id, IPC_RMID, NULL));
	TRY(msgctl(open, IPC_RMID, NULL));
}

BEHAVIOUR(sysvipc_msg_lists, "/proc/sysvipc/msg")
{
	char text[4096], *line;
	unsigned cbytes = 0, mode = 0, qnum = 0;
	int id;

	abi_needs_own_machine();
	id = new_queue();
	TRY(send(id, 1, "abc"));
	if (!abi_read_text("/proc/sysvipc/msg", text, sizeof(text)))
		abi_fail("cannot be read");
	line = strchr(text, '\n');
	*line++ = '\0';
	abi_say("%s", text);
	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (atoi(line + 10) == id)
			sscanf(line, "%*d %*d %o %u %u", &mode, &cbytes, &qnum);
	abi_say("mode %o cbytes %u qnum %u", mode, cbytes, qnum);
	TRY(msgctl(id, IPC_RMID, NULL));
}
