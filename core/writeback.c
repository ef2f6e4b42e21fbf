// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Write-back: four machines that each take a run of neighbouring dirty blocks of one set, read them from the
 * cache, write them to the origin in as few writes as there are gaps, and leave them WRITTEN, on hold until an
 * origin FLUSH.
 *
 *	START -> PICK (shard by shard) -> READ -> [READ again what is bad] -> WRITE -> PICK ... -> idle
 *
 * What is picked, in this order: blocks that a parked request needs clean; sets short of slots; then, as
 * core->wb_want says, nothing, blocks dirty for too long, or everything. The age alone hurries nobody: an origin that
 * requests use gives such blocks a share of it (hs_wb_may_age), and they may grow older until the share of dirty slots says
 * that they must go. Foreground writes do not wait for a write-back: they take a new slot, and the old one is skipped or
 * simply freed afterwards.
 */
#include "core/internal.h"

enum { B_START, B_PICK, B_READ, B_WRITE, B_IDLE };

#define WB_BACKOFF_MIN	HS_SECOND
#define WB_TRIES	4u
#define WB_BACKOFF_MAX	(30 * HS_SECOND)

static struct hs_wb *hs_wb_of(struct hs_req *req)
{
	return container_of(req, struct hs_wb, req);
}

static enum hs_step_result hs_wb_go(struct hs_wb *w, u8 state, s32 domain)
{
	w->req.state = state;
	w->req.domain = domain;
	return HS_AGAIN;
}

/* ---- picking ------------------------------------------------------------------------------------------ */

/* Does a slot in this state, older than the block's data, have to lose its name before those are written back? */
static bool hs_wb_barred(u16 s, bool failed)
{
	if (hs_dur(s) == HS_D_NONE && !(s & HS_S_IN_TX))
		return false;
	if (!failed)
		return true;
	/* Whatever the transaction that failed says of it, it is not that it is clean. */
	if (s & HS_S_SPENT)
		return false;
	return hs_dur(s) < HS_D_DIRTY || (s & HS_S_IN_TX);
}

/*
 * The block's dirty way, if it can be written back now. Two write-backs of a block never overlap. And while the
 * durable map names an older slot of the block, or a transaction may be changing that, a commit has to come
 * first: under a clean name the origin must not change (R2); and a dirty one would bring the older data back
 * after this write-back had made a FLUSH believe that nothing is owed. On a failed cache no commit comes: there what
 * passes a dirty name is counted, and FLUSH fails for it until the cache is abandoned (hs_slot_passes).
 */
static u16 hs_wb_ready(struct hs_core *core, const struct hs_set *st, u64 block,
		       struct hs_out *out)
{
	u16 way = hs_set_find_any(core, st, block, HS_NIL), found = HS_NIL;
	bool commit_first = false, failed = hs_peek(core->failed);

	for (; way != HS_NIL; way = hs_set_find_any(core, st, block, way)) {
		u16 s = st->way[way].state;

		if (s & HS_S_WB)
			return HS_NIL;
		if (hs_cur(s) == HS_DIRTY && !(s & HS_S_LOST))
			found = way;
		else
			commit_first |= hs_wb_barred(s, failed);
	}
	if (found == HS_NIL || !commit_first || hs_peek(core->abandoned))
		return found;
	hs_poke(core->wb_blocked, 1);
	out->kick |= HS_KICK_COMMIT;
	return HS_NIL;
}

static u32 hs_wb_limit(const struct hs_core *core)
{
	u32 blocks = HS_WB_BYTES >> core->geo.block_shift;

	return (u32)hs_max(1, hs_min(blocks, HS_WB_RUN));
}

static void hs_wb_take(struct hs_core *core, struct hs_shard *sh, struct hs_wb *w, u16 way)
{
	struct hs_set *st = hs_set_at(core, w->set);

	w->way[w->nr] = way;
	w->skip[w->nr++] = false;
	hs_slot_wb_take(core, st, way);
}

/* Collects the run around block; false if the block itself is not ready. */
static bool hs_wb_run(struct hs_core *core, struct hs_shard *sh, struct hs_wb *w, u32 set, u64 block,
		      struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, set);
	u64 group = hs_block_group(&core->geo, block), next;
	u32 limit = hs_wb_limit(core), nr = 0;
	u16 before[HS_WB_RUN / 2], first = hs_wb_ready(core, st, block, out), way;

	if (first == HS_NIL)
		return false;
	for (next = block; nr < limit / 2 && next && hs_block_group(&core->geo, next - 1) == group; next--) {
		way = hs_wb_ready(core, st, next - 1, out);
		if (way == HS_NIL)
			break;
		before[nr++] = way;
	}
	w->set = set;
	w->block = block - nr;
	w->nr = 0;
	while (nr)
		hs_wb_take(core, sh, w, before[--nr]);
	hs_wb_take(core, sh, w, first);
	for (next = block + 1; w->nr < limit && hs_block_group(&core->geo, next) == group; next++) {
		way = hs_wb_ready(core, st, next, out);
		if (way == HS_NIL)
			break;
		hs_wb_take(core, sh, w, way);
	}
	return true;
}

static bool hs_wb_pick_parked(struct hs_core *core, struct hs_shard *sh, struct hs_wb *w,
			      struct hs_out *out)
{
	struct hs_list *l;

	hs_list_for_each(l, &sh->waiters) {
		struct hs_req *r = hs_list_entry(l, struct hs_req, link);
		u64 block;

		if (!(r->flags & HS_P_WANT_CLEAN))
			continue;
		for (block = r->first; block <= r->last; block++)
			if (hs_wb_run(core, sh, w, r->set, block, out))
				return true;
	}
	return false;
}

/* The oldest, or the next few if it cannot be taken now. */
static bool hs_wb_pick_oldest(struct hs_core *core, struct hs_shard *sh, struct hs_wb *w, u32 set,
			      bool aged_only, struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 way = core->policy->oldest_dirty(core, st);
	bool failed = hs_peek(core->failed);
	u32 age, tries;

	for (tries = 0; tries < WB_TRIES && way != HS_NIL; tries++) {
		u16 newer;

		age = (st->way[way].state & HS_S_AGE) >> HS_S_AGE_SHIFT;
		if (aged_only && ((hs_peek(core->age_gen) - age) & 3) < 2)
			return false;
		if (hs_wb_run(core, sh, w, set, hs_tag(core, st, way), out))
			return true;
		newer = core->policy->newer_dirty(core, st, way);
		if (failed) {
			/* No commit will ever make it ready: let it not stand before the others. */
			core->policy->remove(core, st, way, true);
			core->policy->insert(core, st, way, true);
		}
		way = newer;
	}
	return false;
}

static bool hs_wb_pick_urgent(struct hs_core *core, struct hs_shard *sh, struct hs_wb *w,
			      struct hs_out *out)
{
	u32 tries, set;

	/* A set that is popped in vain comes back with the next request that finds it short. */
	for (tries = 0; tries < WB_TRIES; tries++) {
		set = hs_urgent_pop(core, sh);
		if (set == HS_NOSET)
			break;
		if (hs_wb_pick_oldest(core, sh, w, set, false, out))
			return true;
	}
	return false;
}

/* A bounded piece of a pass over the shard's sets. */
static bool hs_wb_pick_scan(struct hs_core *core, struct hs_shard *sh, struct hs_wb *w, u32 want,
			    struct hs_out *out)
{
	u32 budget;

	for (budget = core->step_budget; budget && w->scanned < sh->nsets; budget--, w->scanned++) {
		u32 set = sh->first_set + sh->scan;

		if (hs_wb_pick_oldest(core, sh, w, set, want == HS_WANT_AGED, out)) {
			w->scanned = 0;
			return true;
		}
		if (++sh->scan == sh->nsets)
			sh->scan = 0;
	}
	return false;
}

static enum hs_step_result hs_wb_read(struct hs_core *core, struct hs_wb *w)
{
	u32 i, units = core->geo.units_per_block;

	w->req.nr_io = 0;
	w->req.set = w->set;
	for (i = 0; i < w->nr; i++) {
		struct hs_io *io;

		w->req.first = w->block + i;
		hs_io_cache(core, &w->req, HS_IO_READ, w->way[i], 0, units, HS_BUF_MEM);
		io = &w->io[i];
		io->mem = w->buf + ((size_t)i << core->geo.block_shift);
		io->csum = core->geo.checksums ? w->csum + (size_t)i * units : NULL;
	}
	w->req.state = B_READ;
	return HS_IO;
}

/*
 * What is merely old has time. As long as no request has gone to the origin since the last such run was picked, the origin
 * is idle but for us: on with the next. Else one machine has its share, and rests until the next tick.
 */
static bool hs_wb_may_age(struct hs_core *core, struct hs_wb *w)
{
	if (w != core->wb)
		return false;
	if (w->share_gen != hs_peek(core->tick_gen)) {
		w->share_gen = hs_peek(core->tick_gen);
		w->share = hs_peek(core->wb_share);
	}
	if (w->share || w->asked == hs_sum_asked(core))
		return true;
	hs_poke(core->wb_resting, 1);
	return false;
}

static void hs_wb_aged(const struct hs_core *core, struct hs_wb *w)
{
	u64 asked = hs_sum_asked(core);

	w->share -= w->share && asked != w->asked;
	w->asked = asked;
}

static enum hs_step_result hs_wb_next_shard(struct hs_core *core, struct hs_wb *w)
{
	w->scanned = 0;
	if (++w->visited >= core->nr_shards)
		return hs_wb_go(w, B_IDLE, hs_journal_domain(core));
	if (++w->shard >= core->nr_shards)
		w->shard = 0;
	return hs_wb_go(w, B_PICK, (s32)w->shard);
}

static enum hs_step_result hs_wb_pick(struct hs_core *core, struct hs_wb *w, struct hs_out *out)
{
	struct hs_shard *sh = &core->shards[w->shard];
	u32 want = hs_peek(core->wb_want);

	/* Parked requests look at their deadlines when we first pass by after a tick. Not more often: they ask
	 * for a write-back again, and we would run each other for ever. */
	if (sh->tick_gen != hs_peek(core->tick_gen)) {
		sh->tick_gen = hs_peek(core->tick_gen);
		sh->wake |= !hs_list_empty(&sh->waiters);
	}
	if (hs_peek(core->stopping) || hs_peek(core->now) < hs_peek(core->wb_retry_at))
		return hs_wb_next_shard(core, w);
	w->again = false;
	if (hs_wb_pick_parked(core, sh, w, out) || hs_wb_pick_urgent(core, sh, w, out))
		return hs_wb_read(core, w);
	if (want == HS_WANT_NONE || !hs_shard_dirty(sh) || (want == HS_WANT_AGED && !hs_wb_may_age(core, w)))
		return hs_wb_next_shard(core, w);
	if (hs_wb_pick_scan(core, sh, w, want, out)) {
		if (want == HS_WANT_AGED)
			hs_wb_aged(core, w);
		return hs_wb_read(core, w);
	}
	if (w->scanned < sh->nsets)
		return HS_AGAIN;
	return hs_wb_next_shard(core, w);
}

/* ---- reading and writing ---------------------------------------------------------------------------------- */

static bool hs_wb_good(const struct hs_core *core, const struct hs_wb *w, u32 i)
{
	const u32 *crcs = hs_slot_crcs(core, hs_set_at(core, w->set), w->way[i]);

	return !w->io[i].error &&
	       (!core->geo.checksums ||
		!memcmp(w->csum + (size_t)i * core->geo.units_per_block, crcs,
			4 * (size_t)hs_block_units(&core->geo, w->block + i)));
}

/* Unreadable twice: the block stays dirty, flagged, until it is overwritten or forgotten. */
static void hs_wb_lose(struct hs_core *core, struct hs_shard *sh, struct hs_wb *w, u32 i)
{
	u16 s = hs_set_at(core, w->set)->way[w->way[i]].state;

	if (w->io[i].error)
		sh->n.cache_errors++;
	else
		sh->n.checksum_errors++;
	if (hs_cur(s) == HS_DIRTY && !(s & HS_S_LOST))
		hs_slot_change(core, sh, hs_set_at(core, w->set), w->set, w->way[i], s | HS_S_LOST);
	w->skip[i] = true;
}

/* Blocks in one I/O: those from i on that are not skipped. */
static u32 hs_wb_piece(const struct hs_wb *w, u32 i)
{
	u32 n = 0;

	while (i + n < w->nr && !w->skip[i + n])
		n++;
	return n;
}

static u32 hs_wb_sectors(const struct hs_core *core, u64 block, u32 n)
{
	return (n - 1) * hs_block_sectors(&core->geo) + hs_block_valid(&core->geo, block + n - 1);
}

static enum hs_step_result hs_wb_write(struct hs_core *core, struct hs_wb *w)
{
	u32 i, n;

	w->req.nr_io = 0;
	for (i = 0; i < w->nr; i += n) {
		n = hs_wb_piece(w, i);
		if (!n) {
			n = 1;
			continue;
		}
		hs_io_origin(core, &w->req, HS_IO_WRITE, hs_block_first_sector(core, w->block + i),
			     hs_wb_sectors(core, w->block + i, n), HS_BUF_MEM, 0);
		w->io[w->req.nr_io - 1].mem = w->buf + ((size_t)i << core->geo.block_shift);
	}
	w->failures = hs_peek(core->oflush_failures);
	w->req.state = B_WRITE;
	if (!w->req.nr_io)
		return HS_AGAIN;
	return HS_IO;
}

static enum hs_step_result hs_wb_was_read(struct hs_core *core, struct hs_wb *w)
{
	struct hs_shard *sh = &core->shards[w->shard];
	struct hs_set *st = hs_set_at(core, w->set);
	bool bad = false;
	u32 i;

	for (i = 0; i < w->nr; i++) {
		if (hs_cur(st->way[w->way[i]].state) != HS_DIRTY) {
			w->skip[i] = true;	/* overwritten meanwhile */
			continue;
		}
		if (hs_wb_good(core, w, i))
			continue;
		bad = true;
		if (w->again)
			hs_wb_lose(core, sh, w, i);
	}
	if (bad && !w->again) {
		w->again = true;
		return hs_wb_read(core, w);
	}
	return hs_wb_write(core, w);
}

static void hs_wb_backoff(struct hs_core *core)
{
	u64 delay = hs_peek(core->wb_backoff);

	delay = delay ? hs_min(2 * delay, WB_BACKOFF_MAX) : WB_BACKOFF_MIN;
	hs_poke(core->wb_backoff, delay);
	hs_poke(core->wb_retry_at, hs_peek(core->now) + delay);
	hs_poke(core->wb_failing, 1);
}

static void hs_wb_slot_done(struct hs_core *core, struct hs_shard *sh, struct hs_wb *w, u32 i, bool written)
{
	sh->n.write_backs += written;
	hs_slot_wb_leave(core, sh, hs_set_at(core, w->set), w->set, w->way[i], written);
}

/* Those who wait for one of these blocks, or for a slot of their set, do so no longer than a set time from now. */
static void hs_wb_tell(struct hs_shard *sh, const struct hs_wb *w)
{
	struct hs_list *l;

	hs_list_for_each(l, &sh->waiters) {
		struct hs_req *r = hs_list_entry(l, struct hs_req, link);

		if (r->op >= HS_OP_COUNT || r->set != w->set)
			continue;
		if (!(r->flags & HS_P_WANT_CLEAN) || (r->first < w->block + w->nr && w->block <= r->last))
			r->flags |= HS_P_WB_FAILED;
	}
}

static enum hs_step_result hs_wb_written(struct hs_core *core, struct hs_wb *w, struct hs_out *out)
{
	struct hs_shard *sh = &core->shards[w->shard];
	/* An origin FLUSH failed meanwhile, and may have lost what we wrote: it stays dirty. */
	bool doubtful = hs_peek(core->oflush_failures) != w->failures;
	u32 i, n, k, io = 0;
	bool failed = false;

	hs_poke(sh->origin_writes, sh->origin_writes + 1);
	hs_barrier();	/* before the phase is looked at: see hs_oflush_needed */
	for (i = 0; i < w->nr; i += n) {
		n = hs_wb_piece(w, i);
		if (!n) {
			n = 1;
			hs_wb_slot_done(core, sh, w, i, false);
			continue;
		}
		failed |= w->io[io].error;
		sh->n.write_back_errors += !!w->io[io].error;
		for (k = i; k < i + n; k++)
			hs_wb_slot_done(core, sh, w, k, !w->io[io].error && !doubtful);
		io++;
	}
	if (failed) {
		hs_wb_tell(sh, w);
		hs_wb_backoff(core);
	} else if (io) {
		hs_poke(core->wb_failing, 0);
		hs_poke(core->wb_backoff, 0);
	}
	hs_set_reserve(core, sh, hs_set_at(core, w->set), w->set, out);
	if (!hs_list_empty(&sh->waiters) ||
	    hs_nfree(hs_set_at(core, w->set)) < core->reserve / 2)
		out->kick |= HS_KICK_OFLUSH;
	return hs_wb_go(w, B_PICK, (s32)w->shard);
}

static enum hs_step_result hs_wb_idle(struct hs_core *core, struct hs_wb *w, struct hs_out *out)
{
	core->journal.wb_running &= ~(1u << (w - core->wb));
	if (hs_peek(core->stopping))
		hs_flushers_wake(core, out);
	return HS_WAIT;
}

enum hs_step_result hs_wb_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	struct hs_wb *w = hs_wb_of(req);

	switch (req->state) {
	case B_START:
		w->visited = 0;
		w->scanned = 0;
		return hs_wb_go(w, B_PICK, (s32)w->shard);
	case B_PICK:
		return hs_wb_pick(core, w, out);
	case B_READ:
		return hs_wb_was_read(core, w);
	case B_WRITE:
		return hs_wb_written(core, w, out);
	default:
		return hs_wb_idle(core, w, out);
	}
}
