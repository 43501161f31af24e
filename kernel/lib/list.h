/* SPDX-License-Identifier: MIT */
/*
 * Intrusive doubly linked list: a ring through a head. An element is off every list exactly when it
 * points to itself, so an element must be initialised before list_empty() is asked of it.
 */
#ifndef KERNEL_LIB_LIST_H
#define KERNEL_LIB_LIST_H

#include "kernel/lib/types.h"

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)                                                                       \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void list_init(struct list_head *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list_head *l)
{
	return l->next == l;
}

static inline void list_insert_between(struct list_head *n, struct list_head *prev,
                                       struct list_head *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

/* Puts @n right behind @head: the list as a stack. */
static inline void list_add(struct list_head *n, struct list_head *head)
{
	list_insert_between(n, head, head->next);
}

/* Puts @n at the end: the list as a queue. */
static inline void list_add_tail(struct list_head *n, struct list_head *head)
{
	list_insert_between(n, head->prev, head);
}

/* Takes @n off its list and leaves it on none. */
static inline void list_del_init(struct list_head *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

static inline void list_del(struct list_head *n)
{
	list_del_init(n);
}

/* Moves everything on @from to the end of @to; @from is then empty. */
static inline void list_splice_tail_init(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(ptr, type, member)   container_of(ptr, type, member)
#define list_first_entry(head, type, m) list_entry((head)->next, type, m)
#define list_last_entry(head, type, m)  list_entry((head)->prev, type, m)
#define list_next_entry(pos, m)         list_entry((pos)->m.next, __typeof__(*(pos)), m)
#define list_first_entry_or_null(head, type, m)                                                    \
	(list_empty(head) ? NULL : list_first_entry(head, type, m))

#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_entry(pos, head, m)                                                          \
	for (pos = list_first_entry(head, __typeof__(*pos), m); &pos->m != (head);                 \
	     pos = list_next_entry(pos, m))
/* The body may remove @pos (and only @pos). */
#define list_for_each_entry_safe(pos, tmp, head, m)                                                \
	for (pos = list_first_entry(head, __typeof__(*pos), m), tmp = list_next_entry(pos, m);     \
	     &pos->m != (head); pos = tmp, tmp = list_next_entry(tmp, m))

#endif
