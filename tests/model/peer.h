/* SPDX-License-Identifier: MIT */
/* Programs of serve.c, as compare.c has them. */
#ifndef MODEL_PEER_H
#define MODEL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct peer {
	const char *name, *command; /* the command is for sh */
	pid_t pid;
	int to, from;
	bool alive;
	size_t used;
	char buf[4096];
};

/* Waits until it is ready. */
bool peer_start(struct peer *p);
void peer_end(struct peer *p);
void peer_say(struct peer *p, const char *text);
/* A line without its end; false: it has ended, or does not answer. */
bool peer_line(struct peer *p, char *line, size_t size);

#endif
