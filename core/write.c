// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * WRITE in write-back mode: the data go to a new slot, which then takes over (R1). What the request does not
 * cover of the block is merged in first, from the old slot or from the origin.
 *
 *	START -> LOCKED --whole----------------------------> STORE -> [FUA] -> done
 *	            |--hit--> MERGE --ok-------------------->  ^
 *	            |            `-bad-> AGAIN (unit by unit) -|   bad units of a clean slot: FETCH
 *	            |--miss-> FETCH -------------------------> '
 *	            |--never named, nothing reads it--> INPLACE -> [FUA] -> done
 *	            |--no slot--> parked
 *	            `--other modes, or the cache cannot--> direct.c
 */
#include "core/internal.h"

enum { W_START, W_LOCKED = HS_WRITE_LOCKED, W_MERGE, W_AGAIN, W_FETCH, W_STORE, W_INPLACE, W_FUA };

static u16 hs_src_state(const struct hs_core *core, const struct hs_req *req)
{
	return hs_set_at(core, req->set)->way[req->src].state;
}

static void hs_write_count(struct hs_shard *sh, struct hs_req *req)
{
	if (req->flags & HS_P_COUNTED)
		return;
	req->flags |= HS_P_COUNTED;
	if (req->src != HS_NIL)
		sh->n.write_hits++;
	else
		sh->n.write_misses++;
}

/* ---- what the request leaves of its block, from the old slot or the origin ------------------------- */

static enum hs_step_result hs_write_fetch(struct hs_core *core, struct hs_req *req)
{
	req->flags &= ~HS_P_KEEP;
	req->nr_io = 0;
	hs_io_origin(core, req, HS_IO_READ, hs_block_first_sector(core, req->first),
		     hs_block_valid(&core->geo, req->first), HS_BUF_BLOCK, 0);
	req->state = W_FETCH;
	return HS_IO;
}

static enum hs_step_result hs_write_merge(struct hs_core *core, struct hs_req *req)
{
	req->flags |= HS_P_KEEP;
	req->nr_io = 0;
	hs_io_cache(core, req, HS_IO_READ, req->src, 0, hs_block_units(&core->geo, req->first), HS_BUF_BLOCK);
	req->state = W_MERGE;
	return HS_IO;
}

/*
 * Where nothing verifies the data, a transaction waits until they are durable: if a FLUSH for it is to follow at once
 * anyway, a write with FUA is one operation of the device less.
 */
static u8 hs_write_io_flags(struct hs_core *core, const struct hs_req *req)
{
	u32 left = hs_peek(core->fua_left);

	if (req->flags & HS_REQ_FUA)
		return core->data_fua ? HS_IO_FUA : 0;
	if (!left)
		return 0;
	hs_poke(core->fua_left, left - 1);
	return HS_IO_FUA;
}

/* Writes the new slot. Units that are copied, not written, keep their CRC: a copy never launders rot. */
static enum hs_step_result hs_write_store(struct hs_core *core, struct hs_req *req)
{
	u32 units = hs_block_units(&core->geo, req->first);
	struct hs_span span;

	hs_req_span(core, req, &span);
	req->nr_io = 0;
	if (span.whole && span.exact) {
		hs_io_cache(core, req, HS_IO_WRITE, req->dst, 0, units, HS_BUF_CALLER);
	} else {
		hs_io_cache(core, req, HS_IO_WRITE, req->dst, 0, units, HS_BUF_BLOCK);
		req->io[0].flags |= HS_IO_OVERLAY;
		if ((req->flags & HS_P_KEEP) && core->geo.checksums) {
			req->io[0].csum = req->csum + span.unit;
			req->io[0].csum_units = span.units;
			req->io[0].csum_skip = span.unit * HS_UNIT_BYTES;
			req->io[0].csum_first += span.unit;
		}
	}
	req->io[0].flags |= hs_write_io_flags(core, req);
	req->state = W_STORE;
	return HS_IO;
}

static enum hs_step_result hs_write_unit(struct hs_core *core, struct hs_req *req)
{
	req->nr_io = 0;
	hs_io_cache(core, req, HS_IO_READ, req->src, req->unit, 1, HS_BUF_BLOCK);
	req->state = W_AGAIN;
	return HS_IO;
}

static bool hs_unit_bad(const struct hs_core *core, const struct hs_req *req, u32 unit)
{
	return !hs_csum_match(core, req, req->src, unit, 1);
}

/* Is the unit overwritten fully, or only in part? */
static bool hs_unit_covered(const struct hs_core *core, const struct hs_req *req, u32 unit)
{
	u32 start = unit * HS_UNIT_SECTORS;
	u32 end = (u32)hs_min(start + HS_UNIT_SECTORS, hs_block_valid(&core->geo, req->first));
	struct hs_span span;

	hs_req_span(core, req, &span);
	return span.first <= start && span.first + span.sectors >= end;
}

static enum hs_step_result hs_write_give_up(struct hs_core *core, struct hs_shard *sh,
					    struct hs_req *req, struct hs_out *out)
{
	if (req->dst != HS_NIL)
		hs_slot_retire(core, sh, req->set, req->dst);
	req->dst = HS_NIL;
	return hs_req_end(core, sh, req, -EIO, out);
}

/* The old slot cannot be read, but the origin has the same. */
static enum hs_step_result hs_write_refetch(struct hs_core *core, struct hs_shard *sh,
					    struct hs_req *req, struct hs_out *out)
{
	if (hs_cur(hs_src_state(core, req)) == HS_WRITTEN)
		req->flags |= HS_P_WRITTEN;
	if (hs_written_lost(core, req))
		return hs_write_give_up(core, sh, req, out);
	sh->n.repairs++;
	return hs_write_fetch(core, req);
}

/* All units of the old slot were read twice where needed; some are bad. */
static enum hs_step_result hs_write_merge_bad(struct hs_core *core, struct hs_shard *sh,
					      struct hs_req *req, struct hs_out *out)
{
	u16 s = hs_src_state(core, req);
	u32 units = hs_block_units(&core->geo, req->first), unit;
	struct hs_span span;

	if (hs_cur(s) != HS_DIRTY)
		return hs_write_refetch(core, sh, req, out);
	if (!(s & HS_S_LOST))
		hs_slot_change(core, sh, hs_set_at(core, req->set), req->set, req->src, s | HS_S_LOST);
	/* What could not be read now may be readable later: the only copy is not given up for a partial write. */
	if (req->flags & HS_P_UNREAD)
		return hs_write_give_up(core, sh, req, out);
	hs_req_span(core, req, &span);
	for (unit = span.unit; unit < span.unit + span.units && unit < units; unit++)
		if (hs_unit_bad(core, req, unit) && !hs_unit_covered(core, req, unit))
			return hs_write_give_up(core, sh, req, out);
	return hs_write_store(core, req);
}

static enum hs_step_result hs_write_merged(struct hs_core *core, struct hs_shard *sh,
					   struct hs_req *req, struct hs_out *out)
{
	if (!req->io[0].error && hs_csum_match(core, req, req->src, 0, hs_block_units(&core->geo, req->first)))
		return hs_write_store(core, req);
	/* Read again unit by unit, to know exactly which are bad. */
	req->unit = 0;
	return hs_write_unit(core, req);
}

static enum hs_step_result hs_write_again(struct hs_core *core, struct hs_shard *sh,
					  struct hs_req *req, struct hs_out *out)
{
	const u32 *crcs = hs_slot_crcs(core, hs_set_at(core, req->set), req->src);
	u32 units = hs_block_units(&core->geo, req->first), unit;

	if (req->io[0].error) {
		sh->n.cache_errors++;
		/* Without checksums nothing could tell the copy from good data. */
		if (!core->geo.checksums && hs_cur(hs_src_state(core, req)) == HS_DIRTY)
			return hs_write_give_up(core, sh, req, out);
		if (!core->geo.checksums)
			return hs_write_refetch(core, sh, req, out);
		req->csum[req->unit] = ~crcs[req->unit];
		if (!hs_unit_covered(core, req, req->unit))
			req->flags |= HS_P_UNREAD;
	} else if (hs_unit_bad(core, req, req->unit)) {
		sh->n.checksum_errors++;
	}
	if (++req->unit < units)
		return hs_write_unit(core, req);
	for (unit = 0; unit < units; unit++)
		if (hs_unit_bad(core, req, unit))
			return hs_write_merge_bad(core, sh, req, out);
	return hs_write_store(core, req);
}

static enum hs_step_result hs_write_fetched(struct hs_core *core, struct hs_shard *sh,
					    struct hs_req *req, struct hs_out *out)
{
	if (hs_written_unsure(core, req))
		return hs_wait(sh, req);
	if (!req->io[0].error)
		return hs_written_lost(core, req) ? hs_write_give_up(core, sh, req, out) : hs_write_store(core, req);
	/* The rest of the block cannot be read, the caller's part may still be writable over there. */
	sh->n.origin_errors++;
	sh->n.not_cached[HS_WHY_ERROR]++;
	hs_slot_retire(core, sh, req->set, req->dst);
	req->dst = HS_NIL;
	req->flags |= HS_P_NO_CACHE;
	req->state = HS_DIRECT_START;
	return HS_AGAIN;
}

/* ---- the new slot -------------------------------------------------------------------------------------- */

static enum hs_step_result hs_write_named(struct hs_core *core, struct hs_shard *sh,
					  struct hs_req *req, u16 way, struct hs_out *out)
{
	if (!(req->flags & HS_REQ_FUA))
		return hs_req_end(core, sh, req, 0, out);
	req->dst = way;
	out->kick |= HS_KICK_COMMIT;
	req->state = W_FUA;
	return hs_wait(sh, req);
}

/* Copies the CRCs that the copied units keep; true if some of those units are bad (and stay so). */
static bool hs_write_keep(struct hs_core *core, struct hs_req *req, u32 *crcs)
{
	const u32 *old = hs_slot_crcs(core, hs_set_at(core, req->set), req->src);
	u32 units = hs_block_units(&core->geo, req->first), unit;
	struct hs_span span;
	bool bad = false;

	hs_req_span(core, req, &span);
	for (unit = 0; unit < units; unit++) {
		if (unit >= span.unit && unit < span.unit + span.units)
			continue;
		bad |= req->csum[unit] != old[unit];
		crcs[unit] = old[unit];
	}
	return bad;
}

static enum hs_step_result hs_write_store_failed(struct hs_core *core, struct hs_shard *sh,
						 struct hs_req *req, struct hs_out *out)
{
	sh->n.cache_errors++;
	sh->n.not_cached[HS_WHY_ERROR]++;
	hs_slot_retire(core, sh, req->set, req->dst);
	req->dst = HS_NIL;
	if (req->src != HS_NIL && hs_cur_dirty(hs_cur(hs_src_state(core, req))))
		return hs_req_end(core, sh, req, -EIO, out);
	req->flags |= HS_P_NO_CACHE;
	req->state = HS_DIRECT_START;
	return HS_AGAIN;
}

static enum hs_step_result hs_write_stored(struct hs_core *core, struct hs_shard *sh,
					   struct hs_req *req, struct hs_out *out)
{
	u16 way = req->dst, old = req->src;
	u32 *crcs = hs_slot_crcs(core, hs_set_at(core, req->set), way);
	bool lost = false;

	if (req->io[0].error)
		return hs_write_store_failed(core, sh, req, out);
	hs_data_arrived(sh, req->io[0].flags);
	if (core->geo.checksums) {
		bool keep = (req->flags & HS_P_KEEP) && old != HS_NIL;
		struct hs_span span;

		hs_req_span(core, req, &span);
		if (keep)
			lost = hs_write_keep(core, req, crcs);
		else
			memcpy(crcs, req->csum, hs_req_csum_bytes(core));
		if (keep)
			memcpy(crcs + span.unit, req->csum + span.unit, 4 * (size_t)span.units);
	}
	/* Write-back may have cleaned the old slot, and eviction retired it, while we copied. */
	if (old != HS_NIL && !hs_cur_named(hs_cur(hs_src_state(core, req))))
		old = HS_NIL;
	hs_slot_arrive(core, sh, hs_set_at(core, req->set), req->set, way, old, lost);
	hs_req_use(core, sh, req, HS_NIL);
	hs_set_reserve(core, sh, hs_set_at(core, req->set), req->set, out);
	return hs_write_named(core, sh, req, way, out);
}

static enum hs_step_result hs_write_inplace(struct hs_core *core, struct hs_shard *sh,
					    struct hs_req *req)
{
	struct hs_span span;

	hs_req_span(core, req, &span);
	hs_slot_change(core, sh, hs_set_at(core, req->set), req->set, req->src, hs_with_cur(hs_src_state(core, req), HS_INPLACE));
	req->nr_io = 0;
	hs_io_cache(core, req, HS_IO_WRITE, req->src, span.unit, span.units, HS_BUF_CALLER);
	req->io[0].flags |= hs_write_io_flags(core, req);
	req->state = W_INPLACE;
	return HS_IO;
}

static enum hs_step_result hs_write_inplaced(struct hs_core *core, struct hs_shard *sh,
					     struct hs_req *req, struct hs_out *out)
{
	s32 err = req->io[0].error;
	u16 way = req->src, lost = 0;
	struct hs_span span;

	hs_req_span(core, req, &span);
	hs_data_arrived(sh, err ? 0 : req->io[0].flags);
	if (err) {
		/* Old CRCs stay: what was torn will show. Recovery must not judge a transaction by it. */
		sh->n.cache_errors++;
		lost = core->geo.checksums ? HS_S_LOST : 0;
	} else if (core->geo.checksums) {
		memcpy(hs_slot_crcs(core, hs_set_at(core, req->set), way) + span.unit,
		       req->csum + span.unit, 4 * (size_t)span.units);
	}
	hs_slot_change(core, sh, hs_set_at(core, req->set), req->set, way,
		       (u16)(hs_with_cur(hs_src_state(core, req), HS_DIRTY) | lost));
	if (err)
		return hs_req_end(core, sh, req, -EIO, out);
	hs_req_use(core, sh, req, HS_NIL);
	return hs_write_named(core, sh, req, way, out);
}

/* FUA: the name must be durable, unless the block has meanwhile reached the origin durably. */
static enum hs_step_result hs_write_fua(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
					struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, req->set);
	u16 s = st->way[req->dst].state;

	if (hs_tag(core, st, req->dst) != req->first || !hs_cur_dirty(hs_cur(s)) ||
	    hs_dur(s) != HS_D_NONE) {
		/* On a failed cache that may have been past an older name, which recovery would bring back. */
		bool passed = hs_peek(core->failed) && sh->passed && !hs_peek(core->abandoned);

		return hs_req_end(core, sh, req, passed ? -EIO : 0, out);
	}
	if (hs_peek(core->failed))
		return hs_req_end(core, sh, req, -EIO, out);
	out->kick |= HS_KICK_COMMIT;
	return hs_wait(sh, req);
}

/* ---- the way in ------------------------------------------------------------------------------------------ */

static bool hs_write_may_inplace(const struct hs_core *core, const struct hs_shard *sh,
				 const struct hs_req *req)
{
	struct hs_span span;
	u16 s;

	if (core->geo.units_per_block == 1 || req->src == HS_NIL || sh->no_inplace)
		return false;
	hs_req_span(core, req, &span);
	s = hs_src_state(core, req);
	return span.exact && !span.whole && hs_cur(s) == HS_DIRTY && hs_dur(s) == HS_D_NONE &&
	       !(s & (HS_S_IN_TX | HS_S_WB | HS_S_LOST));
}

/* Is there a slot that time alone will free? Not if all are lost, say. */
static bool hs_set_has_hope(const struct hs_core *core, u32 set)
{
	const struct hs_set *st = hs_set_at(core, set);

	return hs_nretired(st) || core->policy->victim(core, st) != HS_NIL ||
	       core->policy->oldest_dirty(core, st) != HS_NIL;
}

static enum hs_step_result hs_write_no_slot(struct hs_core *core, struct hs_shard *sh,
					    struct hs_req *req, struct hs_out *out)
{
	bool dirty = req->src != HS_NIL && hs_cur_dirty(hs_cur(hs_src_state(core, req)));
	u64 now = hs_peek(core->now);

	/* What is not dirty can go to the origin. A retired slot only waits for a commit. */
	if (!dirty && hs_peek(core->wb_failing) &&
	    !hs_nretired(hs_set_at(core, req->set))) {
		sh->n.not_cached[HS_WHY_NO_SLOT]++;
		req->state = HS_DIRECT_START;
		return HS_AGAIN;
	}
	sh->n.slot_waits += !req->deadline;
	if (!req->deadline || (hs_set_has_hope(core, req->set) && !hs_peek(core->wb_failing) &&
			       !(req->flags & HS_P_WB_FAILED))) {
		req->deadline = now + hs_peek(core->tun.slot_wait_ns);
	} else if (now > req->deadline) {
		if (dirty)
			return hs_req_end(core, sh, req, -EIO, out);
		sh->n.not_cached[HS_WHY_NO_SLOT]++;
		req->state = HS_DIRECT_START;
		return HS_AGAIN;
	}
	hs_req_use(core, sh, req, HS_NIL);
	out->kick |= HS_KICK_COMMIT | HS_KICK_WRITEBACK;
	return hs_wait(sh, req);
}

static enum hs_step_result hs_write_cached(struct hs_core *core, struct hs_shard *sh,
					   struct hs_req *req, struct hs_out *out)
{
	struct hs_span span;

	if (!(req->flags & HS_P_WRITING)) {
		req->flags |= HS_P_WRITING;
		sh->writing++;
	}
	if (hs_write_may_inplace(core, sh, req))
		return hs_write_inplace(core, sh, req);
	req->dst = hs_slot_alloc(core, sh, req->set, req->first, false, out);
	if (req->dst == HS_NIL)
		return hs_write_no_slot(core, sh, req, out);
	hs_req_span(core, req, &span);
	if (span.whole)
		return hs_write_store(core, req);
	return req->src == HS_NIL ? hs_write_fetch(core, req) : hs_write_merge(core, req);
}

static enum hs_step_result hs_write_locked(struct hs_core *core, struct hs_shard *sh,
					   struct hs_req *req, struct hs_out *out)
{
	bool wb = hs_peek(core->mode) == HS_MODE_WRITEBACK && !(req->flags & HS_P_NO_CACHE);
	bool dirty = false;
	u16 way = hs_set_find(core, hs_set_at(core, req->set), req->first);

	hs_req_use(core, sh, req, way);
	if (way != HS_NIL) {
		u16 s = hs_src_state(core, req);

		dirty = hs_cur_dirty(hs_cur(s));
		/* A lost block cannot be written back first: only the cache can heal it. */
		wb |= dirty && (s & HS_S_LOST);
	}
	hs_write_count(sh, req);
	if (hs_peek(core->failed)) {
		if (dirty)
			return hs_req_end(core, sh, req, -EIO, out);
		sh->n.not_cached[HS_WHY_FAILED]++;
	} else if (wb && !(way == HS_NIL && (req->flags & HS_REQ_SEQUENTIAL))) {
		return hs_write_cached(core, sh, req, out);
	} else if (wb) {
		sh->n.not_cached[HS_WHY_SEQUENTIAL]++;
	} else if (way == HS_NIL || hs_peek(core->mode) != HS_MODE_WRITETHROUGH) {
		sh->n.not_cached[HS_WHY_MODE]++;
	}
	req->state = HS_DIRECT_START;
	return hs_direct_step(core, req, out);
}

enum hs_step_result hs_write_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_shard *sh = hs_req_shard(core, req);

	switch (req->state) {
	case W_START:
		req->state = W_LOCKED;
		if (!hs_lock_enter(sh, core, req, HS_LOCK_EXCLUSIVE))
			return HS_WAIT;
		fallthrough;
	case W_LOCKED:
		return hs_write_locked(core, sh, req, out);
	case W_MERGE:
		return hs_write_merged(core, sh, req, out);
	case W_AGAIN:
		return hs_write_again(core, sh, req, out);
	case W_FETCH:
		return hs_write_fetched(core, sh, req, out);
	case W_STORE:
		return hs_write_stored(core, sh, req, out);
	case W_INPLACE:
		return hs_write_inplaced(core, sh, req, out);
	case W_FUA:
		return hs_write_fua(core, sh, req, out);
	default:
		return hs_direct_step(core, req, out);
	}
}

/* ---- the short way ------------------------------------------------------------------------------------ */

/*
 * Both steps of an ordinary write: one whole block, in write-back mode, nobody else at work near by, a slot free.
 * They do what the long way does, but for what is not there to be done.
 */
#define W_QUICK		(HS_P_COUNTED | HS_P_WRITING)

enum hs_step_result hs_write_quick_start(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_shard *sh = hs_req_shard(core, req);
	struct hs_set *st = hs_set_at(core, req->set);
	struct hs_list *bucket = hs_lock_bucket(sh, core, req->first);
	u16 old = hs_set_find_any(core, st, req->first, HS_NIL), way = st->free_head;

	/* Not a whole block, not write-back, FUA, someone else is here, no slot. */
	if (unlikely((req->flags | (req->sectors - 1 - core->block_mask) |
		      (hs_peek(core->mode) ^ HS_MODE_WRITEBACK) | hs_peek(core->failed) | hs_peek(core->fua_left)) ||
		     !hs_list_empty(bucket) || way == HS_NIL))
		return hs_step_any(core, req, out);
	if (old != HS_NIL) {
		u16 s = st->way[old].state;

		if (unlikely(!hs_cur_named(hs_cur(s)) || (s & HS_S_LOST)))
			return hs_step_any(core, req, out);
		sh->n.write_hits++;
	} else {
		sh->n.write_misses++;
	}
	sh->writing++;
	req->flags = W_QUICK;
	hs_list_add_only(bucket, &req->bucket);
	req->lock_mode = HS_LOCK_EXCLUSIVE;
	req->granted = HS_GRANTED;
	req->src = old;
	req->dst = way;
	hs_slot_pop(core, sh, st, way, req->first);
	req->state = W_STORE;
	req->step = hs_write_quick_end;
	hs_io_cache_only(core, req, HS_IO_WRITE, way, 0, req->sectors, HS_BUF_CALLER);
	return HS_IO;
}

enum hs_step_result hs_write_quick_end(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_shard *sh = hs_req_shard(core, req);
	struct hs_set *st = hs_set_at(core, req->set);
	struct hs_list *others = req->bucket.next;
	u16 old = req->src, way = req->dst, was = old == HS_NIL ? HS_CLEAN : st->way[old].state;

	if (unlikely(req->flags != W_QUICK || others != req->bucket.prev || req->io->error || !hs_cur_named(hs_cur(was))))
		return hs_step_any(core, req, out);
	hs_list_init(others);
	req->src = HS_NIL;
	sh->writing--;
	hs_data_arrived(sh, 0);
	if (core->geo.checksums)
		memcpy(hs_slot_crcs(core, st, way), req->csum, hs_req_csum_bytes(core));
	if (likely(old != HS_NIL && hs_slot_supersedable(was)))
		hs_slot_supersede(core, sh, st, req->set, way, old);
	else
		hs_slot_arrive(core, sh, st, req->set, way, old, false);
	hs_set_reserve(core, sh, st, req->set, out);
	if (unlikely(sh->wake))
		hs_wake_all(sh, out);
	return HS_DONE;
}
