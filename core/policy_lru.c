// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Least recently used within the set, clean before dirty, as the ancestor chose.
 *
 *	policy[0] clean, most recent  <-> ... <-> policy[1] least recent: the victim
 *	policy[2] dirty, newest       <-> ... <-> policy[3] dirty for longest: written back first
 *
 * The dirty list is in order of first dirtying, not of use: a block that is rewritten for ever keeps its
 * place (replace) and so reaches the origin in bounded time.
 */
#include "core/internal.h"

static void hs_lru_init(const struct hs_core *core, struct hs_set *set)
{
	u32 i;

	for (i = 0; i < 4; i++)
		set->policy[i] = HS_NIL;
}

static u16 hs_lru_victim(const struct hs_core *core, const struct hs_set *set)
{
	return set->policy[1];
}

static u16 hs_lru_oldest_dirty(const struct hs_core *core, const struct hs_set *set)
{
	return set->policy[3];
}

static u16 hs_lru_newer_dirty(const struct hs_core *core, const struct hs_set *set, u16 way)
{
	return set->way[way].prev;
}

const struct hs_policy hs_policy_lru = {
	.name = "lru",
	.init = hs_lru_init,
	.insert = hs_lru_insert,
	.remove = hs_lru_remove,
	.hit = hs_lru_hit,
	.replace = hs_lru_replace,
	.victim = hs_lru_victim,
	.oldest_dirty = hs_lru_oldest_dirty,
	.newer_dirty = hs_lru_newer_dirty,
};
