// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The one file here that knows more of the core than its contract says: for counting, never for judging. */
#include "core/internal.h"
#include "sim/sim.h"

bool sim_inside_space_wait(const struct hs_core *core)
{
	return core->journal.commit_space_wait;
}

bool sim_inside_scan(const struct hs_core *core, const struct hs_req *req)
{
	const struct hs_commit *c = &core->commit;

	return req == &c->req && c->shard < core->nr_shards && core->shards[c->shard].gathering && c->scan != HS_NOSET;
}
