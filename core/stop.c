// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Clean stop: first everything comes to rest and is committed, and what is on hold gets its origin FLUSH, so that the
 * cache is as warm afterwards as it was; then, asked for apart, the clean mark.
 *
 *	QUIET -> COMMIT -> [origin FLUSH -> QUIET -> COMMIT] ... -> done		MARK -> done
 */
#include "core/internal.h"

enum { S_QUIET, S_COMMIT, S_MARK };

static enum hs_step_result hs_stop_park(struct hs_core *core, struct hs_req *req)
{
	hs_list_add_tail(&core->journal.flushers, &req->link);
	return HS_WAIT;
}

static enum hs_step_result hs_stop_done(struct hs_req *req, s32 error)
{
	req->error = error;
	return HS_DONE;
}

/* A FLUSH of the origin that failed has told only us. (One before we began is for the next FLUSH that is asked for.) */
static bool hs_origin_failed(const struct hs_core *core)
{
	return hs_peek(core->oflush_failures) != core->stop.failures;
}

/*
 * A commit leaves on hold what it took up for another reason, and then the next FLUSH does not flip the phase; it leaves on
 * the list a block of which it took up an older version. What has still not come to rest after so many tries will be read
 * from the origin again.
 */
#define STOP_TRIES	4u

static bool hs_stop_again(struct hs_core *core, struct hs_out *out)
{
	bool hold = hs_sum_hold(core, 0) + hs_sum_hold(core, 1);

	if (hs_peek(core->failed) || hs_origin_failed(core) || core->stop.tries == STOP_TRIES)
		return false;
	if (hold)
		hs_oflush_want(core, out);
	return hold || hs_any_todo(core);
}

static enum hs_step_result hs_stop_mark(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	if (j->meta_running)
		return hs_stop_park(core, req);
	/* Whatever a shell makes of a stop that failed, it is not clean. */
	if (hs_peek(core->failed) || core->stop.error)
		return hs_stop_done(req, -EIO);
	if (j->clean_done)
		return hs_stop_done(req, 0);
	core->meta.fingerprint = core->stop.fingerprint;
	j->want_clean = true;
	hs_meta_want(core, out);
	return hs_stop_park(core, req);
}

enum hs_step_result hs_stop_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	switch (req->state) {
	case S_QUIET:
		if (j->wb_running || j->oflush_running)
			return hs_stop_park(core, req);
		hs_commit_want(core, out);
		core->stop.round = j->want_round;
		req->state = S_COMMIT;
		fallthrough;
	case S_COMMIT:
		if (j->done_round < core->stop.round || j->commit_running || j->meta_running)
			return hs_stop_park(core, req);
		if (hs_stop_again(core, out)) {
			core->stop.tries++;
			req->state = S_QUIET;
			return HS_AGAIN;
		}
		if (!hs_peek(core->failed) && !hs_origin_failed(core) && !hs_sum_unnamed(core))
			core->stop.error = 0;
		return hs_stop_done(req, core->stop.error);
	default:
		return hs_stop_mark(core, req, out);
	}
}

static struct hs_req *hs_stop_run(struct hs_core *core, u8 state, struct hs_out *out)
{
	hs_run(&core->stop.req, state, hs_journal_domain(core), out);
	return &core->stop.req;
}

struct hs_req *hs_core_stop(struct hs_core *core, struct hs_out *out)
{
	hs_poke(core->stopping, 1);
	core->stop.tries = 0;
	core->stop.error = -EIO;
	core->stop.failures = hs_peek(core->oflush_failures);
	return hs_stop_run(core, S_QUIET, out);
}

struct hs_req *hs_core_mark_clean(struct hs_core *core, u64 fingerprint, struct hs_out *out)
{
	core->stop.fingerprint = fingerprint;
	return hs_stop_run(core, S_MARK, out);
}

void hs_core_resume(struct hs_core *core)
{
	hs_poke(core->stopping, 0);
}
