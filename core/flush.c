// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * FLUSH (R4): every write acknowledged before it is durable when it ends. Two things may be owed, and both are
 * fetched at once:
 *	a commit round that begins later, if acknowledged dirty slots have no durable name;
 *	an origin FLUSH that begins later, if a direct write was acknowledged since the last one began.
 * Many FLUSHes share one round (group commit). Under the journal's domain throughout.
 */
#include "core/internal.h"

enum { F_START, F_WAIT };

static enum hs_step_result hs_flush_park(struct hs_core *core, struct hs_req *req)
{
	req->state = F_WAIT;
	hs_list_add_tail(&core->journal.flushers, &req->link);
	return HS_WAIT;
}

/* How often the origin may have lost what had been acknowledged. */
static u64 hs_flush_losses(const struct hs_core *core)
{
	return core->oflush.losses + hs_sum_doubts(core);
}

static void hs_flush_start(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	struct hs_oflush *of = &core->oflush;

	req->target[0] = 0;
	req->target[1] = 0;
	req->target[2] = of->told;
	if (hs_sum_unnamed(core)) {
		hs_commit_want(core, out);
		req->target[0] = j->want_round;
	}
	if (of->again || hs_sum_directs(core) != of->directs) {
		req->target[1] = of->begun + 1;
		hs_oflush_want(core, out);
	} else if (of->begun != of->done && of->covers) {
		req->target[1] = of->begun;
	}
}

/*
 * Each loss is told by a FLUSH before one succeeds: all those under way fail, and those that begin before the first
 * of them has ended.
 */
static s32 hs_flush_verdict(struct hs_core *core, const struct hs_req *req)
{
	u64 losses = hs_flush_losses(core);

	if (losses == req->target[2])
		return 0;
	core->oflush.told = losses;
	return -EIO;
}

/* On a failed cache: would recovery not bring back what has been acknowledged? */
static bool hs_flush_undone(const struct hs_core *core)
{
	return hs_sum_unnamed(core) || (hs_sum_passed(core) && !hs_peek(core->abandoned));
}

static enum hs_step_result hs_flush_done(struct hs_req *req, s32 error)
{
	req->error = error;
	return HS_DONE;
}

enum hs_step_result hs_flush_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	if (req->state == F_START) {
		j->n.flushes++;
		hs_flush_start(core, req, out);
	}
	if (j->done_round < req->target[0] || core->oflush.done < req->target[1])
		return hs_flush_park(core, req);
	if (hs_peek(core->failed) && hs_flush_undone(core))
		return hs_flush_done(req, -EIO);
	return hs_flush_done(req, hs_flush_verdict(core, req));
}
