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
 * Slots that a commit has to look at stand on the todo list (HS_S_TODO), in the order in which they came:
 *
 *	head -> [slot][slot][slot] ...		count, at most mask + 1
 *
 * An entry is a hint, the slot's state is the truth: a slot that changes again, or is freed and filled anew, stays where it
 * stands. There is room for a sixteenth of the shard's slots. What finds none is *spilled*: it has no flag, and
 * the next commit finds it by a scan of the shard. That is slow, and rare: a half-full list asks for a commit.
 *
 * A gather works off what was there when it began, the older generation (HS_S_GEN), while more comes in at the end. What
 * takes the place of a slot of the older generation stands in for it, at the front: a FLUSH may wait for that. So the
 * older generation only becomes smaller, and the gather ends however fast blocks are rewritten.
 */
#include "core/internal.h"

u32 hs_todo_room(const struct hs_geometry *geo, u32 shard_shift, u32 wished)
{
	if (wished)
		return wished;
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

/*
 * It may stand on the list already, from an earlier life of the slot: twice does no harm. Where the list is full the last
 * one gives way.
 */
void hs_todo_inherit(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way)
{
	struct hs_commit *c = &core->commit;
	struct hs_todo *t = &sh->todo;
	u16 *state = &st->way[way].state;

	if (t->count > t->mask) {
		u32 last = t->ring[(t->head + t->count - 1) & t->mask];

		hs_set_at(core, last >> core->geo.assoc_shift)->way[last & (core->ways - 1)].state &= (u16)~HS_S_TODO;
		if (t->count == c->todo_left) {
			/* All are of the older generation: this gather has to scan for it. */
			c->todo_left--;
			c->scan = 0;
		} else {
			hs_poke(t->spilled, 1);
		}
		hs_poke(t->count, t->count - 1);
	}
	*state = (u16)((*state & ~HS_S_GEN) | HS_S_TODO | (sh->gather_gen ^ HS_S_GEN));
	t->head = (t->head - 1) & t->mask;
	t->ring[t->head] = hs_slot_of(core, set, way).nr;
	hs_poke(t->count, t->count + 1);
	c->todo_left++;
}
