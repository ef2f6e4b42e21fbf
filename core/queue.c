// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A shard's queues of sets. A set stands on each at most once (a flag in its header says so), so a ring with room
 * for all sets of the shard never overflows:
 *
 *	ready	has slots that a commit can take, or look at
 *	held	has slots that await an origin FLUSH; ready again when one has ended
 *	urgent	has too few slots that are not dirty: write-back comes here first
 */
#include "core/internal.h"

u32 hs_queues_room(const struct hs_core *core)
{
	return HS_QUEUES << core->shard_shift;
}

void hs_queues_init(const struct hs_core *core, struct hs_shard *sh)
{
	u32 i;

	for (i = 0; i < HS_QUEUES; i++) {
		sh->queue[i].ring = core->rings + (size_t)sh->index * hs_queues_room(core) +
				    ((size_t)i << core->shard_shift);
		sh->queue[i].head = 0;
		sh->queue[i].count = 0;
	}
}

static u32 hs_q_pop(const struct hs_core *core, struct hs_shard *sh, enum hs_q which)
{
	struct hs_setq *q = &sh->queue[which];
	u32 set;

	if (!q->count)
		return HS_NOSET;
	set = q->ring[q->head];
	q->head = (q->head + 1) & core->shard_mask;
	hs_poke(q->count, q->count - 1);
	hs_set_at(core, set)->queued &= (u8)~(1u << which);
	return set;
}

u32 hs_ready_pop(const struct hs_core *core, struct hs_shard *sh)
{
	return hs_q_pop(core, sh, HS_Q_READY);
}

u32 hs_held_release(const struct hs_core *core, struct hs_shard *sh, u32 most)
{
	u32 nr;

	for (nr = 0; nr < most; nr++) {
		u32 set = hs_q_pop(core, sh, HS_Q_HELD);

		if (set == HS_NOSET)
			break;
		hs_ready_push(core, sh, hs_set_at(core, set), set);
	}
	return nr;
}

u32 hs_urgent_pop(const struct hs_core *core, struct hs_shard *sh)
{
	return hs_q_pop(core, sh, HS_Q_URGENT);
}
