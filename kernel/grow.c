// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The origin has grown. Names and places stay as they are: blocks keep their sets whatever the origin's size. But a
 * short last block is not the last any more, and what the origin has behind its old end is not in the cache: its
 * name must have left the durable map before the superblock says the new size.
 */
#include "kernel/dm.h"

/* Before the cache is claimed nothing else runs: no lock. */
static bool hs_grow_find(struct hs_dm *dm, u64 block, u32 *slot, struct hs_slot_view *view)
{
	for (*slot = 0; *slot < dm->sb.geo.nr_slots; ++*slot) {
		hs_slot_look(dm->core, *slot, view);
		if (view->named && view->block == block)
			return true;
		if (!(*slot & 0xffff))
			cond_resched();
	}
	return false;
}

static int hs_grow_drop(struct hs_dm *dm, u32 slot)
{
	char *why;
	int ret = hs_load_alone(dm, hs_core_claim(dm->core));

	if (ret)
		return ret;
	hs_dm_drop_slot(dm, slot);
	ret = hs_dm_stop(dm);
	if (ret)
		return ret;
	ret = hs_load_sb(dm, &dm->sb, &why);
	if (ret)
		DMERR("%pg: %s", dm->bdev[HS_CACHE], why);
	return ret;
}

static int hs_grow_last(struct hs_dm *dm)
{
	struct hs_slot_view view;
	u32 slot;
	int ret = hs_load_map(dm);

	if (ret || !hs_grow_find(dm, dm->sb.geo.nr_blocks - 1, &slot, &view))
		return ret;
	if (!view.dirty)
		return hs_grow_drop(dm, slot);
	DMERR("%pg: the last block of the origin as it was is short and dirty: load the cache with the old length, send it the message flush, then let it grow",
	      dm->bdev[HS_CACHE]);
	return -EBUSY;
}

int hs_load_grow(struct hs_dm *dm)
{
	u64 was = dm->sb.geo.origin_sectors, now = dm->ti->len;
	int ret = 0;

	if (was == now)
		return 0;
	if (was & (dm->block_sectors - 1))
		ret = hs_grow_last(dm);
	if (ret)
		return ret;
	DMINFO("%pg: the origin has grown from %llu to %llu sectors", dm->bdev[HS_CACHE], was, now);
	dm->sb.geo.origin_sectors = now;
	return hs_geometry_derive(&dm->sb.geo);
}
