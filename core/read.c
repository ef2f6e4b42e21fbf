// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * READ.
 *
 *	START -> LOCKED --hit--> HIT --ok--> done
 *	            |             `-bad-> AGAIN (unit by unit, private buffer) --ok--> done
 *	            |                       |-- clean: retire the slot, START again (fills anew)
 *	            |                       |-- written back already: DIRECT
 *	            |                       `-- dirty: lost, EIO
 *	            |--miss--> FETCH (whole block) --> answer, STORE -> done
 *	            `--not to be inserted--> DIRECT (just the range) -> done
 */
#include "core/internal.h"

enum { R_START, R_LOCKED, R_HIT, R_AGAIN, R_FETCH, R_STORE, R_DIRECT };

/* Why a miss is not inserted; HS_WHY_COUNT: it is. */
static enum hs_reason hs_read_reason(const struct hs_core *core, const struct hs_req *req)
{
	if (hs_peek(core->failed))
		return HS_WHY_FAILED;
	if (hs_peek(core->mode) == HS_MODE_BYPASS)
		return HS_WHY_MODE;
	if (req->flags & HS_REQ_SEQUENTIAL)
		return HS_WHY_SEQUENTIAL;
	return HS_WHY_COUNT;
}

/* Bypass reads the cache only where the origin is out of date. */
static bool hs_read_from_cache(const struct hs_core *core, const struct hs_req *req, u16 way)
{
	if (way == HS_NIL)
		return false;
	return likely(hs_peek(core->mode) != HS_MODE_BYPASS) ||
	       hs_cur_dirty(hs_cur(hs_set_at(core, req->set)->way[way].state));
}

static enum hs_step_result hs_read_direct(struct hs_core *core, struct hs_req *req)
{
	req->nr_io = 0;
	req->flags &= ~HS_REQ_COPYOUT;
	hs_io_origin(core, req, HS_IO_READ, req->sector.nr, req->sectors, HS_BUF_CALLER, 0);
	req->state = R_DIRECT;
	return HS_IO;
}

static enum hs_step_result hs_read_hit(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
				       u16 way)
{
	struct hs_set *st = hs_set_at(core, req->set);
	u32 unit, units;
	bool exact = hs_req_units(core, req, &unit, &units);

	if (!(req->flags & HS_P_COUNTED))
		sh->n.read_hits++;
	req->flags |= HS_P_COUNTED;
	hs_policy_hit(core, st, way, hs_cur(st->way[way].state) != HS_CLEAN);
	req->src = way;
	req->nr_io = 0;
	if (!exact)
		req->flags |= HS_REQ_COPYOUT;
	hs_io_cache(core, req, HS_IO_READ, way, unit, units, exact ? HS_BUF_CALLER : HS_BUF_BLOCK);
	req->state = R_HIT;
	return HS_IO;
}

static enum hs_step_result hs_read_fetch(struct hs_core *core, struct hs_req *req)
{
	req->nr_io = 0;
	hs_io_origin(core, req, HS_IO_READ, hs_block_first_sector(core, req->first),
		     hs_block_valid(&core->geo, req->first), HS_BUF_BLOCK, 0);
	req->unit = hs_peek(core->oflush_failures);
	req->state = R_FETCH;
	return HS_IO;
}

static enum hs_step_result hs_read_miss(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
					struct hs_out *out)
{
	enum hs_reason why = hs_read_reason(core, req);

	/* The mode may have left bypass since the copy was passed over: it is still there, and good. */
	if (why == HS_WHY_COUNT && hs_set_find(core, hs_set_at(core, req->set), req->first) != HS_NIL)
		why = HS_WHY_MODE;
	if (why == HS_WHY_COUNT && req->lock_mode == HS_LOCK_SHARED) {
		hs_lock_leave(sh, core, req, out);
		if (!hs_lock_enter(sh, core, req, HS_LOCK_EXCLUSIVE))
			return HS_WAIT;
	}
	if (!(req->flags & HS_P_COUNTED))
		sh->n.read_misses++;
	req->flags |= HS_P_COUNTED;
	if (why == HS_WHY_COUNT) {
		req->dst = hs_slot_alloc(core, sh, req->set, req->first, true, out);
		if (req->dst != HS_NIL)
			return hs_read_fetch(core, req);
		why = HS_WHY_NO_SLOT;
	}
	sh->n.not_cached[why]++;
	return hs_read_direct(core, req);
}

static enum hs_step_result hs_read_locked(struct hs_core *core, struct hs_shard *sh,
					  struct hs_req *req, struct hs_out *out)
{
	u16 way = hs_set_find(core, hs_set_at(core, req->set), req->first);

	if (hs_read_from_cache(core, req, way))
		return hs_read_hit(core, sh, req, way);
	return hs_read_miss(core, sh, req, out);
}

static enum hs_step_result hs_read_start(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
					 struct hs_out *out)
{
	u16 way = hs_set_find(core, hs_set_at(core, req->set), req->first);
	bool hit = hs_read_from_cache(core, req, way);
	u8 mode = HS_LOCK_SHARED;

	if (!hit && hs_read_reason(core, req) == HS_WHY_COUNT)
		mode = HS_LOCK_EXCLUSIVE;
	req->state = R_LOCKED;
	if (!hs_lock_enter(sh, core, req, mode))
		return HS_WAIT;
	return hit ? hs_read_hit(core, sh, req, way) : hs_read_miss(core, sh, req, out);
}

static enum hs_step_result hs_read_unit(struct hs_core *core, struct hs_req *req)
{
	req->nr_io = 0;
	hs_io_cache(core, req, HS_IO_READ, req->src, req->unit, 1, HS_BUF_BLOCK);
	req->state = R_AGAIN;
	return HS_IO;
}

static enum hs_step_result hs_read_hit_end(struct hs_core *core, struct hs_shard *sh,
					   struct hs_req *req, struct hs_out *out)
{
	s32 err = req->io[0].error;
	u32 unit, units;

	hs_req_units(core, req, &unit, &units);
	if (likely(!err && hs_csum_match(core, req, req->src, unit, units)))
		return hs_req_end(core, sh, req, 0, out);
	/* The caller may have changed its buffer under us: only a private second read counts. */
	req->flags |= HS_REQ_COPYOUT;
	req->unit = unit;
	return hs_read_unit(core, req);
}

/* A unit is bad, twice. */
static enum hs_step_result hs_read_bad(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
				       struct hs_out *out)
{
	u16 way = req->src, s = hs_set_at(core, req->set)->way[way].state;

	if (req->io[0].error)
		sh->n.cache_errors++;
	else
		sh->n.checksum_errors++;
	if (hs_cur(s) == HS_DIRTY) {
		if (!(s & HS_S_LOST))
			hs_slot_change(core, sh, hs_set_at(core, req->set), req->set, way, s | HS_S_LOST);
		return hs_req_end(core, sh, req, -EIO, out);
	}
	if (hs_cur(s) == HS_WRITTEN) {
		req->flags |= HS_P_WRITTEN;
		if (hs_written_lost(core, req))
			return hs_req_end(core, sh, req, -EIO, out);
		return hs_read_direct(core, req);
	}
	sh->n.repairs++;
	if (hs_cur(s) == HS_CLEAN)
		hs_slot_retire(core, sh, req->set, way);
	hs_req_use(core, sh, req, HS_NIL);
	hs_lock_leave(sh, core, req, out);
	req->flags &= ~HS_REQ_COPYOUT;
	return hs_read_start(core, sh, req, out);
}

static enum hs_step_result hs_read_again_end(struct hs_core *core, struct hs_shard *sh,
					     struct hs_req *req, struct hs_out *out)
{
	struct hs_span span;

	if (req->io[0].error || !hs_csum_match(core, req, req->src, req->unit, 1))
		return hs_read_bad(core, sh, req, out);
	hs_req_span(core, req, &span);
	if (++req->unit < span.unit + span.units)
		return hs_read_unit(core, req);
	return hs_req_end(core, sh, req, 0, out);
}

static enum hs_step_result hs_read_fetched(struct hs_core *core, struct hs_shard *sh,
					   struct hs_req *req, struct hs_out *out)
{
	u32 units = hs_block_units(&core->geo, req->first);
	u16 dst = req->dst;

	if (req->io[0].error) {
		/* The error may lie outside the caller's range: ask for just that. */
		sh->n.origin_errors++;
		sh->n.not_cached[HS_WHY_ERROR]++;
		req->dst = HS_NIL;
		hs_slot_retire(core, sh, req->set, dst);
		return hs_read_direct(core, req);
	}
	req->flags |= HS_REQ_COPYOUT | HS_REQ_ANSWER;
	req->nr_io = 0;
	hs_io_cache(core, req, HS_IO_WRITE, dst, 0, units, HS_BUF_BLOCK);
	req->state = R_STORE;
	return HS_IO;
}

static enum hs_step_result hs_read_stored(struct hs_core *core, struct hs_shard *sh,
					  struct hs_req *req, struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, req->set);
	/* What was fetched may have been lost over there since: no later FLUSH would make it durable (R3). */
	bool doubtful = hs_peek(core->oflush_failures) != req->unit;

	if (req->io[0].error || doubtful) {
		sh->n.cache_errors += !!req->io[0].error;
		sh->n.not_cached[HS_WHY_ERROR]++;
		hs_slot_retire(core, sh, req->set, req->dst);
	} else {
		if (core->geo.checksums)
			memcpy(hs_slot_crcs(core, st, req->dst), req->csum, hs_req_csum_bytes(core));
		sh->n.inserts++;
		hs_slot_filled(core, sh, st, req->set, req->dst);
	}
	return hs_req_end(core, sh, req, 0, out);
}

enum hs_step_result hs_read_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_shard *sh = hs_req_shard(core, req);

	switch (req->state) {
	case R_START:
			return hs_read_start(core, sh, req, out);
	case R_LOCKED:
		return hs_read_locked(core, sh, req, out);
	case R_HIT:
		return hs_read_hit_end(core, sh, req, out);
	case R_AGAIN:
		return hs_read_again_end(core, sh, req, out);
	case R_FETCH:
		return hs_read_fetched(core, sh, req, out);
	case R_STORE:
		return hs_read_stored(core, sh, req, out);
	default:
		if (hs_written_unsure(core, req))
			return hs_wait(sh, req);
		if (req->io[0].error)
			sh->n.origin_errors++;
		else if (hs_written_lost(core, req))
			return hs_req_end(core, sh, req, -EIO, out);
		return hs_req_end(core, sh, req, req->io[0].error, out);
	}
}

/* ---- the short way ------------------------------------------------------------------------------------ */

/*
 * All steps of an ordinary hit (whole units, at most one checksum) and of an ordinary fill, with nobody else at work near
 * by and nothing wrong. They do what the long way does, but for what is not there to be done. (A shorter one yet: hit.c.)
 */
static hs_noinline enum hs_step_result hs_read_quick_miss(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_shard *sh = hs_req_shard(core, req);
	struct hs_set *st = hs_set_at(core, req->set);
	struct hs_list *bucket = hs_lock_bucket(sh, core, req->first);
	struct hs_io *io = &req->ios[0];

	if (req->flags || !hs_list_empty(bucket) || hs_peek(core->mode) == HS_MODE_BYPASS || hs_peek(core->failed) ||
	    hs_nfree(st) <= core->reserve / 2)
		return hs_step_any(core, req, out);
	hs_list_add_only(bucket, &req->bucket);
	req->lock_mode = HS_LOCK_EXCLUSIVE;
	req->granted = HS_GRANTED;
	req->flags = HS_P_COUNTED;
	sh->n.read_misses++;
	hs_poke(sh->asked, sh->asked + 1);
	req->dst = st->free_head;
	hs_slot_pop(core, sh, st, req->dst, req->first);
	hs_set_reserve(core, sh, st, req->set, out);
	*io = (struct hs_io){
		.dev = HS_ORIGIN,
		.op = HS_IO_READ,
		.buf = HS_BUF_BLOCK,
		.sector = hs_block_first_sector(core, req->first),
		.sectors = hs_block_valid(&core->geo, req->first),
	};
	req->nr_io = 1;
	req->unit = hs_peek(core->oflush_failures);
	req->state = R_FETCH;
	req->step = hs_read_quick_fetched;
	if (unlikely(sh->wake))
		hs_wake_all(sh, out);
	return HS_IO;
}

enum hs_step_result hs_read_quick_start(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_shard *sh = hs_req_shard(core, req);
	struct hs_set *st = hs_set_at(core, req->set);
	u16 way = hs_set_find_any(core, st, req->first, HS_NIL);
	struct hs_list *bucket = hs_lock_bucket(sh, core, req->first);
	u32 first = (u32)req->sector.nr & core->block_mask;
	enum hs_cur cur;

	if (way == HS_NIL)
		return hs_read_quick_miss(core, req, out);
	if (!hs_list_empty(bucket) || ((first | req->sectors) % HS_UNIT_SECTORS) || hs_peek(core->mode) == HS_MODE_BYPASS)
		return hs_step_any(core, req, out);
	cur = hs_cur(st->way[way].state);
	if (unlikely(cur != HS_CLEAN) && cur == HS_RETIRED)
		return hs_step_any(core, req, out);
	hs_list_add_only(bucket, &req->bucket);
	req->step = hs_read_quick_end;
	req->granted = HS_GRANTED;
	req->src = way;
	sh->n.read_hits++;
	hs_io_cache_only(core, req, HS_IO_READ, way, first, req->sectors, HS_BUF_CALLER);
	if (likely(cur == HS_CLEAN))
		hs_policy_hit(core, st, way, false);
	else
		hs_policy_hit(core, st, way, true);
	return HS_IO;
}

static bool hs_read_is_good(const struct hs_core *core, const struct hs_req *req)
{
	return !req->io->error &&
	       (!core->geo.checksums ||
		(core->geo.units_per_block == 1 &&
		 req->io->csum[0] == hs_crc(core, hs_set_at(core, req->set))[req->src]));
}

enum hs_step_result hs_read_quick_end(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_list *others = req->bucket.next;

	if (others != req->bucket.prev || req->granted != HS_GRANTED || !hs_read_is_good(core, req)) {
		req->flags |= HS_P_COUNTED;
		req->state = R_HIT;
		return hs_step_any(core, req, out);
	}
	hs_list_init(others);
	req->src = HS_NIL;
	return HS_DONE;
}

enum hs_step_result hs_read_quick_fetched(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	if (req->io->error)
		return hs_step_any(core, req, out);
	req->flags |= HS_REQ_COPYOUT | HS_REQ_ANSWER;
	req->state = R_STORE;
	req->step = hs_read_quick_stored;
	hs_io_cache_only(core, req, HS_IO_WRITE, req->dst, 0,
			 hs_block_units(&core->geo, req->first) * HS_UNIT_SECTORS, HS_BUF_BLOCK);
	return HS_IO;
}

enum hs_step_result hs_read_quick_stored(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_shard *sh = hs_req_shard(core, req);
	struct hs_set *st = hs_set_at(core, req->set);
	struct hs_list *others = req->bucket.next;

	if (others != req->bucket.prev || req->io->error || req->src != HS_NIL ||
	    hs_peek(core->oflush_failures) != req->unit)
		return hs_step_any(core, req, out);
	if (core->geo.checksums)
		memcpy(hs_slot_crcs(core, st, req->dst), req->csum, hs_req_csum_bytes(core));
	sh->n.inserts++;
	hs_slot_filled(core, sh, st, req->set, req->dst);
	hs_list_init(others);
	if (unlikely(sh->wake))
		hs_wake_all(sh, out);
	return HS_DONE;
}
