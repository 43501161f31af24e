/* SPDX-License-Identifier: MIT */
/*
 * What the two halves of the tour agree on: the guest's program, which maps the files, and the
 * host's part, which makes them and looks at them again afterwards.
 */
#ifndef MMKIT_TOUR_H
#define MMKIT_TOUR_H

#define TOUR_PRIVATE "private.txt"
#define TOUR_SHARED  "shared.txt"

/* One page and a bit, so that there is a last page with a tail, and something past it. */
#define TOUR_FILE_SIZE (4096 + 100)

/* The byte at @at of file @name as the host writes it: a line of text, then dots. */
static inline unsigned char tour_byte(const char *name, unsigned long at)
{
	static const char head[] = "This is ";
	static const char tail[] = ", as the host wrote it.\n";
	unsigned long n = 0;

	while (name[n])
		n++;
	if (at < sizeof(head) - 1)
		return head[at];
	at -= sizeof(head) - 1;
	if (at < n)
		return name[at];
	at -= n;
	return at < sizeof(tail) - 1 ? tail[at] : '.';
}

/* What the guest stores through its mappings, and where. */
#define TOUR_CHANGE_AT 8
#define TOUR_CHANGE    "CHANGED"
#define TOUR_TAIL_AT   (TOUR_FILE_SIZE - 10)
#define TOUR_TAIL      "THE-END."

#endif
