// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Requests that wait for a slot, a commit or a write-back park on their shard's one list. When anything
 * changed there that they may wait for (sh->wake) all are run again and look for themselves: they are few,
 * and none can miss its event.
 */
#include "core/internal.h"

enum hs_step_result hs_wait(struct hs_shard *sh, struct hs_req *req)
{
	hs_list_add_tail(&sh->waiters, &req->link);
	hs_poke(sh->parked, sh->parked + 1);
	return HS_WAIT;
}

void hs_wake_waiters(struct hs_shard *sh, struct hs_out *out)
{
	hs_list_splice_tail(&out->run, &sh->waiters);
	hs_poke(sh->parked, 0);
}
