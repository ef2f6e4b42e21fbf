// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes, discards and zeroings that go straight to the origin (R2): only once no durable map names their
 * blocks and nothing writes them back.
 *
 *	START -> [BASE: write-through, in part: the old copy is read] -> CLEAR -> IO -> done
 *	                                                                   |
 *	     a clean name is dropped by a commit; a dirty block is written back and cleaned first (a discard
 *	     drops it instead); the request parks until that is so
 *
 * In write-through the new copy goes into a fresh slot beside the origin's write, and is named after an
 * origin FLUSH (R3).
 */
#include "core/internal.h"

enum { D_START = HS_DIRECT_START, D_BASE, D_CLEAR, D_IO };
enum { G_START, G_CLEAR, G_IO };

/* A direct write is acknowledged: a FLUSH owes an origin FLUSH from now on, and copies of it wait for one. */
static void hs_direct_done(struct hs_shard *sh, bool doubtful)
{
	hs_poke(sh->directs, sh->directs + 1);
	hs_poke(sh->origin_writes, sh->origin_writes + 1);
	if (doubtful)
		hs_poke(sh->doubts, sh->doubts + 1);
	hs_barrier();	/* before the phase is looked at: see hs_oflush_needed */
}

/*
 * An origin FLUSH failed since the request began its I/O there. What it wrote may be lost though it ended well,
 * and the next FLUSH, which must say so, would not bring it back.
 */
static bool hs_direct_doubtful(const struct hs_core *core, const struct hs_req *req)
{
	return hs_peek(core->oflush_failures) != req->unit;
}

/*
 * A discard retired what was flushed here, and then the cache failed: the name stays, and what it names may be
 * nowhere else. Whoever meets it, that discard or a later request, fails as with any dirty data on a failed cache.
 */
static bool hs_clear_overtaken(const struct hs_core *core, const struct hs_set *st, u64 block, u16 s)
{
	return (s & HS_S_STALE) && hs_dur(s) != HS_D_NONE && !hs_peek(core->abandoned) &&
	       hs_set_find(core, st, block) == HS_NIL;
}

/* Moves the names of one block out of the way as far as that goes now. */
static enum hs_clear hs_clear_block(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
				    u64 block, bool drop_dirty, struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, req->set);
	enum hs_clear ret = HS_CLEAR_DONE;
	bool failed = hs_peek(core->failed);
	u16 way = hs_set_find_any(core, st, block, HS_NIL), next;

	for (; way != HS_NIL; way = next) {
		u16 s = st->way[way].state;

		next = hs_set_find_any(core, st, block, way);	/* way may be freed below */
		/* Under write-back too: nobody may come by once that has ended. */
		if (failed && hs_clear_overtaken(core, st, block, s)) {
			hs_slot_revive(core, sh, req->set, way);
			return HS_CLEAR_FAILED;
		}
		if (s & HS_S_WB) {
			ret = HS_CLEAR_WAIT;
			req->flags |= HS_P_WANT_CLEAN;
			continue;
		}
		if (hs_cur_dirty(hs_cur(s)) && (!drop_dirty || failed)) {
			if (failed)
				return HS_CLEAR_FAILED;
			if (s & HS_S_LOST) {
				ret = HS_CLEAR_LOST;
				continue;
			}
			req->flags |= HS_P_WANT_CLEAN;
			/* Write-back passes it over while an older name is durable. */
			out->kick |= hs_cur(s) == HS_WRITTEN ? HS_KICK_OFLUSH | HS_KICK_COMMIT :
				     hs_dur(s) == HS_D_NONE  ? HS_KICK_WRITEBACK | HS_KICK_COMMIT :
							       HS_KICK_WRITEBACK;
			ret = HS_CLEAR_WAIT;
			continue;
		}
		if (hs_cur_named(hs_cur(s)))
			hs_slot_retire(core, sh, req->set, way);
		if ((hs_dur(s) != HS_D_NONE || (s & HS_S_IN_TX)) && !hs_peek(core->abandoned)) {
			out->kick |= HS_KICK_COMMIT;
			ret = HS_CLEAR_WAIT;
		}
	}
	return ret;
}

enum hs_clear hs_direct_clear(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
			      bool drop_dirty, struct hs_out *out)
{
	enum hs_clear ret = HS_CLEAR_DONE;
	u64 block;

	req->flags &= ~HS_P_WANT_CLEAN;
	for (block = req->first; block <= req->last; block++) {
		enum hs_clear one = hs_clear_block(core, sh, req, block, drop_dirty, out);

		if (one > ret)
			ret = one;
	}
	return ret;
}

/*
 * On a failed cache device names go away only by hs_core_abandon, and while write-back of these blocks fails they do
 * not become clean: that has a time limit. The way to hs_core_abandon may be long; there the limit counts from the
 * last step forward.
 */
static enum hs_step_result hs_direct_park(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
					  struct hs_out *out)
{
	bool failed = hs_peek(core->failed) && !hs_peek(core->abandoned);
	u64 now = hs_peek(core->now), wait = hs_peek(core->tun.slot_wait_ns);

	if (failed)
		hs_poke(core->want_abandon, 1);
	/* Who waits for a commit alone was told by the write-back of another block of the set: it does not matter here. */
	if (!(req->flags & HS_P_WANT_CLEAN))
		req->flags &= ~HS_P_WB_FAILED;
	/* With many bad blocks and a long back-off the turn of ours may be far off. */
	if ((req->flags & HS_P_WANT_CLEAN) && hs_peek(core->wb_failing))
		req->flags |= HS_P_WB_FAILED;
	if (!failed && !(req->flags & HS_P_WB_FAILED))
		req->deadline = 0;
	else if (!req->deadline)
		req->deadline = now + wait;
	else if (now > req->deadline && (!failed || now > hs_peek(core->sole_moved) + wait))
		return hs_req_end(core, sh, req, -EIO, out);
	return hs_wait(sh, req);
}

/* ---- writes ------------------------------------------------------------------------------------------ */

/* Does a write-through copy replace the one there is? */
static bool hs_direct_keeps_copy(const struct hs_core *core, const struct hs_req *req)
{
	return hs_peek(core->mode) == HS_MODE_WRITETHROUGH && req->src != HS_NIL &&
	       !hs_peek(core->failed) && !(req->flags & HS_P_NO_CACHE);
}

static enum hs_step_result hs_direct_write(struct hs_core *core, struct hs_shard *sh,
					   struct hs_req *req, struct hs_out *out)
{
	struct hs_span span;

	hs_req_span(core, req, &span);
	req->nr_io = 0;
	hs_io_origin(core, req, HS_IO_WRITE, req->sector.nr, req->sectors, HS_BUF_CALLER, 0);
	if (req->flags & HS_REQ_FUA)
		req->io[0].flags |= HS_IO_FUA;
	req->dst = HS_NIL;
	if (req->flags & HS_P_COPY)
		req->dst = hs_slot_alloc(core, sh, req->set, req->first, true, out);
	if (req->dst != HS_NIL) {
		bool lent = span.whole && span.exact;

		hs_io_cache(core, req, HS_IO_WRITE, req->dst, 0, hs_block_units(&core->geo, req->first),
			    lent ? HS_BUF_CALLER : HS_BUF_BLOCK);
		if (!lent)
			req->io[1].flags |= HS_IO_OVERLAY;
	} else if (req->flags & HS_P_COPY) {
		sh->n.not_cached[HS_WHY_NO_SLOT]++;
	}
	req->unit = hs_peek(core->oflush_failures);
	req->state = D_IO;
	return HS_IO;
}

static enum hs_step_result hs_direct_try(struct hs_core *core, struct hs_shard *sh,
					 struct hs_req *req, struct hs_out *out)
{
	req->state = D_CLEAR;
	switch (hs_direct_clear(core, sh, req, false, out)) {
	case HS_CLEAR_DONE:
		return hs_direct_write(core, sh, req, out);
	case HS_CLEAR_WAIT:
		return hs_direct_park(core, sh, req, out);
	case HS_CLEAR_LOST:
		/* Only the cache can heal it. */
		req->state = HS_WRITE_LOCKED;
		return HS_AGAIN;
	default:
		return hs_req_end(core, sh, req, -EIO, out);
	}
}

static enum hs_step_result hs_direct_start(struct hs_core *core, struct hs_shard *sh,
					   struct hs_req *req, struct hs_out *out)
{
	struct hs_span span;

	hs_req_span(core, req, &span);
	if (hs_direct_keeps_copy(core, req)) {
		req->flags |= HS_P_COPY;
		if (!span.whole) {
			req->nr_io = 0;
			hs_io_cache(core, req, HS_IO_READ, req->src, 0,
				    hs_block_units(&core->geo, req->first), HS_BUF_BLOCK);
			req->state = D_BASE;
			return HS_IO;
		}
	}
	hs_req_use(core, sh, req, HS_NIL);
	return hs_direct_try(core, sh, req, out);
}

static enum hs_step_result hs_direct_base(struct hs_core *core, struct hs_shard *sh,
					  struct hs_req *req, struct hs_out *out)
{
	if (req->io[0].error ||
	    !hs_csum_match(core, req, req->src, 0, hs_block_units(&core->geo, req->first))) {
		/* The copy is damaged: do without one. */
		sh->n.checksum_errors += !req->io[0].error;
		sh->n.cache_errors += !!req->io[0].error;
		sh->n.not_cached[HS_WHY_ERROR]++;
		req->flags &= ~HS_P_COPY;
	}
	hs_req_use(core, sh, req, HS_NIL);
	return hs_direct_try(core, sh, req, out);
}

static enum hs_step_result hs_direct_end(struct hs_core *core, struct hs_shard *sh,
					 struct hs_req *req, struct hs_out *out)
{
	bool doubtful = hs_direct_doubtful(core, req);
	s32 err = req->io[0].error;
	u16 dst = req->dst;

	/* Even a failed write may have changed the origin. */
	hs_direct_done(sh, doubtful);
	sh->n.origin_errors += !!err;
	if (dst != HS_NIL && (err || req->io[1].error || doubtful)) {
		sh->n.cache_errors += !!req->io[1].error;
		sh->n.not_cached[HS_WHY_ERROR]++;
		hs_slot_retire(core, sh, req->set, dst);
	} else if (dst != HS_NIL) {
		if (core->geo.checksums)
			memcpy(hs_slot_crcs(core, hs_set_at(core, req->set), dst), req->csum,
			       hs_req_csum_bytes(core));
		hs_slot_filled(core, sh, hs_set_at(core, req->set), req->set, dst);
	}
	return hs_req_end(core, sh, req, err, out);
}

enum hs_step_result hs_direct_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_shard *sh = hs_req_shard(core, req);

	switch (req->state) {
	case D_START:
		return hs_direct_start(core, sh, req, out);
	case D_BASE:
		return hs_direct_base(core, sh, req, out);
	case D_CLEAR:
		return hs_direct_try(core, sh, req, out);
	default:
		return hs_direct_end(core, sh, req, out);
	}
}

/* ---- ranges: DISCARD and ZERO -------------------------------------------------------------------------- */

static bool hs_range_dirty(struct hs_core *core, struct hs_req *req)
{
	struct hs_set *st = hs_set_at(core, req->set);
	u64 block;

	for (block = req->first; block <= req->last; block++) {
		u16 way = hs_set_find(core, st, block);

		if (way != HS_NIL && hs_cur_dirty(hs_cur(st->way[way].state)))
			return true;
	}
	return false;
}

static enum hs_step_result hs_range_try(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
					struct hs_out *out)
{
	bool discard = req->op == HS_OP_DISCARD;

	req->state = G_CLEAR;
	if (!discard && hs_range_dirty(core, req))
		return hs_req_end(core, sh, req, -EAGAIN, out);
	switch (hs_direct_clear(core, sh, req, discard, out)) {
	case HS_CLEAR_WAIT:
		return hs_direct_park(core, sh, req, out);
	case HS_CLEAR_FAILED:
		return hs_req_end(core, sh, req, -EIO, out);
	default:
		break;
	}
	sh->n.not_cached[HS_WHY_DISCARD]++;
	req->nr_io = 0;
	hs_io_origin(core, req, discard ? HS_IO_DISCARD : HS_IO_ZERO, req->sector.nr, req->sectors,
		     HS_BUF_NONE, 0);
	if (req->flags & HS_REQ_FUA)
		req->io[0].flags |= HS_IO_FUA;
	req->unit = hs_peek(core->oflush_failures);
	req->state = G_IO;
	return HS_IO;
}

enum hs_step_result hs_range_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_shard *sh = hs_req_shard(core, req);

	switch (req->state) {
	case G_START:
		if (req->op == HS_OP_DISCARD)
			sh->n.discards++;
		else
			sh->n.zeroes++;
		req->state = G_CLEAR;
		if (!hs_lock_enter(sh, core, req, HS_LOCK_EXCLUSIVE))
			return HS_WAIT;
		fallthrough;
	case G_CLEAR:
		return hs_range_try(core, sh, req, out);
	default:
		hs_direct_done(sh, hs_direct_doubtful(core, req));
		sh->n.origin_errors += !!req->io[0].error;
		return hs_req_end(core, sh, req, req->io[0].error, out);
	}
}
