// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Forgetting what is cached clean, a slot at a time: asked for by a person, or because the origin's end moves. */
#include "core/internal.h"

bool hs_slot_drop(struct hs_core *core, u32 slot, struct hs_out *out)
{
	u32 set = slot >> core->geo.assoc_shift;
	u16 way = (u16)(slot & (core->ways - 1));
	struct hs_shard *sh = &core->shards[hs_set_shard(core, set)];

	/* As eviction does: who reads it now keeps it until the read has ended. */
	if (hs_cur(hs_set_at(core, set)->way[way].state) != HS_CLEAN)
		return false;
	hs_slot_retire(core, sh, set, way);
	out->kick |= HS_KICK_COMMIT;
	if (sh->wake)
		hs_wake_all(sh, out);
	return true;
}
