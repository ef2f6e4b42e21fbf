// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A shard's queues of sets, singly linked through the set headers, each with links of its own:
 *	ready	has slots that a commit can take, or look at
 *	held	has slots that await an origin FLUSH; ready again when one has ended
 *	urgent	has too few slots that are not dirty: write-back comes here first
 */
#include "core/internal.h"

void hs_setq_init(struct hs_setq *q)
{
	q->head = HS_NOSET;
	q->tail = HS_NOSET;
	q->count = 0;
}

/* One body for the three queues; `which` names link, flag and queue. */
static void hs_q_push(const struct hs_core *core, struct hs_setq *q, enum hs_q which, u32 set)
{
	struct hs_set *st = hs_set_at(core, set);

	if (st->queued & (1u << which))
		return;
	st->queued |= (u8)(1u << which);
	st->qnext[which] = HS_NOSET;
	if (q->head == HS_NOSET)
		q->head = set;
	else
		hs_set_at(core, q->tail)->qnext[which] = set;
	q->tail = set;
	q->count++;
}

static u32 hs_q_pop(const struct hs_core *core, struct hs_setq *q, enum hs_q which)
{
	u32 set = q->head;

	if (set == HS_NOSET)
		return set;
	q->head = hs_set_at(core, set)->qnext[which];
	hs_set_at(core, set)->queued &= (u8)~(1u << which);
	q->count--;
	return set;
}

void hs_ready_add(const struct hs_core *core, struct hs_shard *sh, u32 set)
{
	hs_q_push(core, &sh->ready, HS_Q_READY, set);
	hs_poke(sh->ready_sets, sh->ready.count);
}

u32 hs_ready_pop(const struct hs_core *core, struct hs_shard *sh)
{
	u32 set = hs_q_pop(core, &sh->ready, HS_Q_READY);

	hs_poke(sh->ready_sets, sh->ready.count);
	return set;
}

void hs_held_push(const struct hs_core *core, struct hs_shard *sh, u32 set)
{
	hs_q_push(core, &sh->held, HS_Q_HELD, set);
}

u32 hs_held_release(const struct hs_core *core, struct hs_shard *sh, u32 most)
{
	u32 set, nr;

	for (nr = 0; nr < most; nr++) {
		set = hs_q_pop(core, &sh->held, HS_Q_HELD);
		if (set == HS_NOSET)
			break;
		hs_ready_push(core, sh, hs_set_at(core, set), set);
	}
	return nr;
}

void hs_urgent_push(const struct hs_core *core, struct hs_shard *sh, u32 set)
{
	hs_q_push(core, &sh->urgent, HS_Q_URGENT, set);
	hs_poke(sh->urgent_sets, sh->urgent.count);
}

u32 hs_urgent_pop(const struct hs_core *core, struct hs_shard *sh)
{
	u32 set = hs_q_pop(core, &sh->urgent, HS_Q_URGENT);

	hs_poke(sh->urgent_sets, sh->urgent.count);
	return set;
}
