/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A circular doubly linked list, links embedded. An element that is on no list points to itself. */
#ifndef HS_LIST_H
#define HS_LIST_H

#include "core/platform.h"

struct hs_list {
	struct hs_list *next, *prev;
};

static inline void hs_list_init(struct hs_list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool hs_list_empty(const struct hs_list *l)
{
	return l->next == l;
}

static inline void hs_list_add_tail(struct hs_list *head, struct hs_list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void hs_list_add_only(struct hs_list *head, struct hs_list *l)	/* to an empty list */
{
	l->prev = head;
	l->next = head;
	head->prev = l;
	head->next = l;
}

static inline void hs_list_del(struct hs_list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	hs_list_init(l);
}

/* Moves all of from to the end of to. */
static inline void hs_list_splice_tail(struct hs_list *to, struct hs_list *from)
{
	if (hs_list_empty(from))
		return;
	from->next->prev = to->prev;
	from->prev->next = to;
	to->prev->next = from->next;
	to->prev = from->prev;
	hs_list_init(from);
}

#define hs_list_entry(ptr, type, member)	container_of(ptr, type, member)

#define hs_list_for_each(pos, head) \
	for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

#define hs_list_for_each_safe(pos, tmp, head) \
	for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head); \
	     (pos) = (tmp), (tmp) = (pos)->next)

#endif
