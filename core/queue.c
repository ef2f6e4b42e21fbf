// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What there is to do in a shard.
 *
 * Sets stand on queues, on each at most once (a flag in their header says so), so a ring with room for all sets of the
 * shard never overflows:
 *
 *	held	has slots that await an origin FLUSH; looked at when one has ended
 *	urgent	has too few slots that are not dirty: write-back comes here first
 *
 * Slots that a commit has to look at stand on the todo list, at most once (HS_S_TODO), in the order in which they came:
 *
 *	head -> [slot][slot][slot] ...		count, at most mask + 1
 *
 * An entry is a hint, the slot's state is the truth: a slot that changes again, or is freed and filled anew, stays where it
 * stands. There is room for a sixteenth of the shard's slots. What finds none is *spilled*: it has no flag, and
 * the next commit finds it by a scan of the shard. That is slow, and rare: a half-full list asks for a commit.
 */
#include "core/internal.h"

u32 hs_todo_room(const struct hs_geometry *geo, u32 shard_shift)
{
	return 1u << (u32)hs_max(5, (u64)shard_shift + geo->assoc_shift - 4);
}

u32 hs_queues_room(const struct hs_core *core)
{
	return (HS_QUEUES << core->shard_shift) + core->todo_room;
}

void hs_queues_init(const struct hs_core *core, struct hs_shard *sh)
{
	u32 *ring = core->rings + (size_t)sh->index * hs_queues_room(core), i;

	for (i = 0; i < HS_QUEUES; i++, ring += (size_t)1 << core->shard_shift) {
		sh->queue[i].ring = ring;
		sh->queue[i].head = 0;
		sh->queue[i].count = 0;
	}
	sh->todo = (struct hs_todo){ .ring = ring, .mask = core->todo_room - 1 };
}
