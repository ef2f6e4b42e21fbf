// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The origin-flush machine (R3, R4), and the two phases in which slots wait for it.
 *
 * A slot on hold remembers, in one bit, the phase in which its data were complete. Beginning a FLUSH flips the
 * current phase, so that all slots of the other phase are those it covers:
 *
 *	phase      0 0 0 0|1 1 1 1 1 1 1|0 0 0
 *	FLUSH             [=====OK=====][==...      slots of phase 0 may now be named clean
 *
 * It flips only when no slot of the other phase is left on hold; else it merely flushes, and what waits in the
 * current phase waits for the next. Commits apply the verdict (core->ov) to the slots they pass.
 */
#include "core/internal.h"

enum { O_START, O_DONE };

static void hs_oflush_flip(struct hs_core *core)
{
	u32 ov = hs_peek(core->ov), other = !(ov & HS_OV_PHASE);

	core->oflush.flipped = !hs_sum_hold(core, other);
	if (core->oflush.flipped)
		hs_poke(core->ov, other | HS_OV_PENDING);
}

static void hs_oflush_verdict(struct hs_core *core, bool failed)
{
	u32 phase = hs_peek(core->ov) & HS_OV_PHASE;
	struct hs_oflush *of = &core->oflush;

	if (of->flipped) {
		hs_poke(core->ov, phase | (failed || of->spoiled ? HS_OV_FAILED : HS_OV_OK));
		of->spoiled = false;
	}
	/* The next FLUSH would not bring back what this one lost of the slots in the current phase. */
	of->spoiled |= failed;
	hs_poke(core->held_gen, core->held_gen + 1);
}

static enum hs_step_result hs_oflush_end(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	struct hs_oflush *of = &core->oflush;

	of->done = of->begun;
	hs_flushers_wake(core, out);
	if (hs_sum_hold(core, 0) + hs_sum_hold(core, 1))
		hs_commit_want(core, out);
	if (j->want_oflush) {
		of->req.state = O_START;
		return HS_AGAIN;
	}
	j->oflush_running = false;
	return HS_WAIT;
}

/*
 * A write to the origin counts up its shard's word, then looks at the phase; we flip the phase, then look at the
 * words. With a barrier on both sides at least one sees the other: what is on hold in the old phase is in the sums.
 */
static bool hs_oflush_needed(struct hs_core *core)
{
	struct hs_oflush *of = &core->oflush;
	u64 writes, directs;
	bool needed;

	hs_barrier();
	writes = hs_sum_origin_writes(core);
	directs = hs_sum_directs(core);
	needed = of->again || writes != of->writes;
	of->covers = of->again || directs != of->directs;
	of->writes = writes;
	of->directs = directs;
	of->again = false;
	return needed;
}

static enum hs_step_result hs_oflush_start(struct hs_core *core, struct hs_out *out)
{
	struct hs_oflush *of = &core->oflush;

	core->journal.want_oflush = false;
	of->begun++;
	of->last_begin = hs_peek(core->now);
	hs_oflush_flip(core);
	if (!hs_oflush_needed(core)) {
		/* Nothing was written there since the last FLUSH began: it covers these slots too. */
		hs_oflush_verdict(core, false);
		return hs_oflush_end(core, out);
	}
	core->journal.n.origin_flushes++;
	hs_poke(core->oflushing, 1);
	hs_barrier();	/* before the device sees it */
	of->req.nr_io = 0;
	hs_io_flush(&of->req, HS_ORIGIN);
	of->req.state = O_DONE;
	return HS_IO;
}

enum hs_step_result hs_oflush_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_oflush *of = &core->oflush;
	bool failed;

	if (req->state == O_START)
		return hs_oflush_start(core, out);
	failed = hs_io_error(req);
	if (failed) {
		/* Not only what it covered: a write acknowledged since it began may be lost too. */
		of->losses += of->covers || hs_sum_directs(core) != of->directs;
		hs_poke(core->oflush_failures, core->oflush_failures + 1);
		of->again = true;
		core->journal.n.origin_errors++;
	}
	hs_barrier();
	hs_poke(core->oflushing, 0);
	hs_oflush_verdict(core, failed);
	return hs_oflush_end(core, out);
}
