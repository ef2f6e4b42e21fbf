// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The one file here that knows more of the core than its contract says: for counting; and for one judgement, of what would
 * show only much later and by chance.
 */
#include "core/internal.h"
#include "sim/inside.h"

bool sim_inside_owes(const struct hs_req *req)
{
	return req->granted == HS_GRANTED_RECLAIM;
}

bool sim_inside_space_wait(const struct hs_core *core)
{
	return core->journal.commit_space_wait;
}

bool sim_inside_scan(const struct hs_core *core, const struct hs_req *req)
{
	const struct hs_commit *c = &core->commit;

	return req == &c->req && c->shard < core->nr_shards && core->shards[c->shard].gathering && c->scan != HS_NOSET;
}

static bool block_is_known(const struct hs_core *core, const struct hs_set *st, u64 block)
{
	u16 w = hs_set_find_any(core, st, block, HS_NIL);

	for (; w != HS_NIL; w = hs_set_find_any(core, st, block, w))
		if (st->way[w].state & (HS_S_TODO | HS_S_IN_TX))
			return true;
	return false;
}

/* A commit comes to a block by any of its ways, or again when the transaction that has one is through. */
u32 sim_inside_forgotten(const struct hs_core *core)
{
	u32 slot;

	for (slot = 0; slot < core->geo.nr_slots; slot++) {
		u32 set = slot >> core->geo.assoc_shift;
		const struct hs_shard *sh = &core->shards[hs_set_shard(core, set)];
		struct hs_set *st = hs_set_at(core, set);
		u16 way = (u16)(slot & (core->ways - 1)), s = st->way[way].state;

		/* A gather leaves behind what came since it began, nothing older: a FLUSH may wait for that. */
		if (!sh->gathering && hs_slot_due(sh, s))
			return slot;
		if (hs_cur(s) == HS_FREE || hs_cur(s) == HS_FILL || !hs_slot_wants(s) || sh->todo.spilled ||
		    (sh->gathering && core->commit.scan != HS_NOSET))
			continue;
		if (!block_is_known(core, st, hs_tag(core, st, way)))
			return slot;
	}
	return HS_NOSET;
}
