// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The commit machine: makes the durable map follow the current one, one transaction at a time.
 *
 *	START -> GATHER (shard by shard, set by set) -> SEAL -> SUM -> [data FLUSH] -> write -> FLUSH
 *	    ^                                                                                     |
 *	    |        END <- CONFIRM (unflushed) <- MARK (table units) <- APPLY (shard by shard) <-'
 *	    `---------'
 *
 * A *round* passes once over all sets that had something to commit when it came by, in as many transactions
 * as it takes. A block has one record in it: a new name and the drop of the name that it replaces become durable
 * together or not at all.
 *
 * One FLUSH covers data and transaction because recovery checks the data of the last transaction against its
 * checksums; without checksums the data are flushed first.
 */
#include "core/internal.h"

enum {
	C_START, C_GATHER, C_SEAL, C_SUM, C_DATA_FLUSHED, C_WRITTEN, C_FLUSHED, C_APPLY, C_MARK,
	C_CONFIRMED, C_FAIL_WAKE,
};

static enum hs_step_result hs_commit_go(struct hs_core *core, u8 state, s32 domain)
{
	core->commit.req.state = state;
	core->commit.req.domain = domain;
	return HS_AGAIN;
}

static enum hs_step_result hs_commit_io(struct hs_core *core, u8 state)
{
	core->commit.req.state = state;
	core->commit.req.domain = HS_DOMAIN_NONE;
	return HS_IO;
}

/* ---- gather ------------------------------------------------------------------------------------------- */

enum hs_gather { HS_G_OK, HS_G_FULL, HS_G_PARK };

static void hs_commit_reset(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;

	c->bytes = HS_TX_HEADER;
	c->last_record = c->max_bytes - hs_record_name_bytes(&core->geo);
	c->records = 0;
	c->names_left = (u32)(HS_TX_DATA_MAX >> core->geo.block_shift);
	c->flush_first = !core->geo.checksums;
}

/* A slot on hold: has the origin FLUSH that it waits for come, and how did it end? */
static void hs_gather_hold(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u32 ov)
{
	u16 s = hs_state(core, st)[way];

	if (!!(s & HS_S_PHASE) == (ov & HS_OV_PHASE))
		return;
	if ((ov & HS_OV_VERDICT) == HS_OV_OK) {
		if (unlikely(hs_peek(core->failed)) && hs_cur(s) == HS_WRITTEN)
			hs_slot_passes(core, sh, st, set, way);
		hs_slot_cleaned(core, sh, st, set, way);
	} else if ((ov & HS_OV_VERDICT) == HS_OV_FAILED) {
		/* What the origin was told may be gone (R3): dirty again, or dropped. */
		if (hs_cur(s) == HS_WRITTEN)
			hs_slot_change(core, sh, st, set, way,
				       hs_with_cur((u16)(s & ~(HS_S_HOLD | HS_S_PHASE)), HS_DIRTY));
		else
			hs_slot_retire(core, sh, set, way);
	}
}

/* The ways of a block that matter to a commit. */
struct hs_names {
	u16 now;		/* holds its current data, or HS_NIL */
	u16 durable;		/* what the durable map names, or HS_NIL: the block has one name at most */
};

/* Looks at all ways of the block. False: a transaction has one of them already, or a write in place is under way. */
static hs_always_inline bool hs_gather_names(const struct hs_core *core, const struct hs_set *st, u64 block,
					     struct hs_names *names, enum hs_gather *ret)
{
	const u16 *state = hs_state(core, st);
	u16 w = hs_set_find_any(core, st, block, HS_NIL);

	names->now = HS_NIL;
	names->durable = HS_NIL;
	for (; w != HS_NIL; w = hs_set_find_any(core, st, block, w)) {
		u16 s = state[w];

		if (unlikely((s & HS_S_IN_TX) || hs_cur(s) == HS_INPLACE)) {
			*ret = s & HS_S_IN_TX ? HS_G_OK : HS_G_PARK;
			return false;
		}
		if (hs_cur_named(hs_cur(s)))
			names->now = w;
		if (hs_dur(s) != HS_D_NONE)
			names->durable = w;
	}
	return true;
}

/* The block's new name takes the place of the old one. */
static hs_always_inline void hs_gather_name(struct hs_core *core, struct hs_set *st, u32 set, u64 block,
					    const struct hs_names *names, enum hs_dstate want)
{
	struct hs_commit *c = &core->commit;
	struct hs_record rec = {
		.kind = HS_REC_NAME,
		.state = (u8)want,
		.prev = names->durable,
		.slot = hs_slot_of(core, set, names->now).nr,
		.block = block,
	};

	c->names_left--;
	c->flush_first |= want == HS_D_LOST;
	c->bytes += hs_record_put(c->buf + c->bytes, &core->geo, &rec, hs_slot_crcs(core, st, names->now));
	hs_slot_take(core, st, names->now);
}

/* The slot that has the block's name keeps it in another state, or loses it. */
static void hs_gather_state(struct hs_core *core, u32 set, const struct hs_names *names, enum hs_dstate want)
{
	struct hs_commit *c = &core->commit;
	struct hs_record rec = {
		.kind = HS_REC_STATE,
		.state = (u8)want,
		.slot = hs_slot_of(core, set, names->durable).nr,
	};

	c->bytes += hs_record_put(c->buf + c->bytes, &core->geo, &rec, NULL);
}

/* One record, for the block of a pending way. */
static hs_always_inline enum hs_gather hs_gather_block(struct hs_core *core, struct hs_shard *sh, struct hs_set *st,
						       u32 set, u16 way)
{
	struct hs_commit *c = &core->commit;
	u64 block = hs_tag(core, st, way);
	enum hs_dstate want = HS_D_NONE;
	enum hs_gather ret;
	struct hs_names names;

	if (!hs_gather_names(core, st, block, &names, &ret)) {
		/* Changed since this transaction took it: the rest goes into the next, with its drop. */
		if (ret == HS_G_OK && !hs_peek(core->failed))
			hs_ready_push(core, sh, st, set);
		return ret;
	}
	if (hs_peek(core->failed))
		return HS_G_OK;
	if (c->bytes > c->last_record || !c->names_left)
		return HS_G_FULL;
	if (names.now != HS_NIL)
		want = hs_slot_desired(hs_state(core, st)[names.now]);
	if (want != HS_D_NONE && names.now != names.durable)
		hs_gather_name(core, st, set, block, &names, want);
	else
		hs_gather_state(core, set, &names, want);
	if (names.durable != HS_NIL)
		hs_slot_take(core, st, names.durable);
	c->records++;
	return HS_G_OK;
}

/* After a verdict: the set's slots on hold from c->way on; then the pending ones, from the first. */
static void hs_gather_held(struct hs_core *core, struct hs_shard *sh, u32 *budget)
{
	struct hs_commit *c = &core->commit;
	struct hs_set *st = hs_set_at(core, c->set);
	u32 ways = core->ways, ov = hs_peek(core->ov);
	u64 *held = hs_held(core, st);

	for (; c->way < ways && *budget; c->way = (c->way | 63) + 1) {
		u64 bits = held[c->way >> 6] >> (c->way & 63);

		for (; bits && *budget; bits &= bits - 1, (*budget)--) {
			u16 way = (u16)(c->way + (u32)__builtin_ctzll(bits));

			/* What a transaction that failed took stays taken: the origin may have it all the same. */
			if (hs_peek(core->failed) || !(hs_state(core, st)[way] & HS_S_IN_TX))
				hs_gather_hold(core, sh, st, c->set, way, ov);
		}
		if (bits) {
			c->way += (u32)__builtin_ctzll(bits);
			return;
		}
	}
	if (c->way < ways)
		return;
	c->look_held = false;
	c->way = 0;
}

/* Goes on with the set at c->way; *budget counts slots looked at. */
static enum hs_gather hs_gather_set(struct hs_core *core, struct hs_shard *sh, u32 *budget)
{
	struct hs_commit *c = &core->commit;
	struct hs_set *st = hs_set_at(core, c->set);

	if (c->look_held)
		hs_gather_held(core, sh, budget);
	for (; !c->look_held && *budget; c->way++, (*budget)--) {
		enum hs_gather ret;

		c->way = hs_pending_next(core, st, c->way);
		if (c->way == core->ways)
			break;
		ret = hs_gather_block(core, sh, st, c->set, (u16)c->way);
		if (ret != HS_G_OK)
			return ret;
	}
	return HS_G_OK;
}

/* What stays on hold awaits an origin FLUSH. */
static void hs_gather_set_done(struct hs_core *core, struct hs_shard *sh, struct hs_out *out)
{
	struct hs_commit *c = &core->commit;
	struct hs_set *st = hs_set_at(core, c->set);

	/* A FLUSH may wait for what was there when the scan began: look again where it may have gone. */
	if (st->overtaken) {
		st->overtaken = false;
		c->way = 0;
		return;
	}
	st->held_gen = sh->held_gen;
	if (st->nheld)
		hs_held_push(core, sh, st, c->set);
	hs_set_reserve(core, sh, st, c->set, out);
	c->set = HS_NOSET;
	c->sets_left--;
}

/* One bounded piece of a shard. True when the shard is done. */
static bool hs_gather_piece(struct hs_core *core, struct hs_shard *sh, enum hs_gather *ret,
			    struct hs_out *out)
{
	struct hs_commit *c = &core->commit;
	u32 budget = HS_STEP_BUDGET;

	*ret = HS_G_OK;
	sh->no_inplace = false;
	if (!c->in_shard) {
		c->in_shard = true;
		c->entering = true;
		c->held_left = 0;
		if (sh->held_gen != hs_peek(core->held_gen)) {
			sh->held_gen = hs_peek(core->held_gen);
			c->held_left = sh->queue[HS_Q_HELD].count;
		}
		c->set = HS_NOSET;
	}
	if (c->held_left) {
		c->held_left -= hs_held_release(core, sh, (u32)hs_min(c->held_left, budget));
		return false;
	}
	if (c->entering)
		c->sets_left = sh->queue[HS_Q_READY].count;
	c->entering = false;
	while (c->set != HS_NOSET || c->sets_left) {
		if (!budget)
			return false;
		if (c->set == HS_NOSET) {
			budget--;
			c->set = hs_ready_pop(core, sh);
			c->way = 0;
			if (c->set == HS_NOSET)
				break;
			c->look_held = hs_set_at(core, c->set)->held_gen != sh->held_gen;
		}
		*ret = hs_gather_set(core, sh, &budget);
		if (*ret != HS_G_OK)
			return false;
		if (!c->look_held && c->way >= core->ways)
			hs_gather_set_done(core, sh, out);
	}
	c->in_shard = false;
	return true;
}

static bool hs_gather_shard(struct hs_core *core, struct hs_shard *sh, enum hs_gather *ret,
			    struct hs_out *out)
{
	struct hs_commit *c = &core->commit;
	bool done;

	if (c->in_shard && c->set != HS_NOSET)
		hs_set_at(core, c->set)->scan_way = 0;
	done = hs_gather_piece(core, sh, ret, out);
	if (!done && c->set != HS_NOSET)
		hs_set_at(core, c->set)->scan_way = c->look_held ? 0 : (u16)c->way;
	return done;
}

/* On to the next shard with work from c->shard on, or to the end of the round. */
static enum hs_step_result hs_gather_next(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;

	while (c->shard < core->nr_shards && !c->all_shards && !hs_peek(core->shards[c->shard].queue[HS_Q_READY].count))
		c->shard++;
	if (c->shard < core->nr_shards)
		return hs_commit_go(core, C_GATHER, (s32)c->shard);
	c->more = false;
	return hs_commit_go(core, C_SEAL, hs_journal_domain(core));
}

static enum hs_step_result hs_commit_gather(struct hs_core *core, struct hs_out *out)
{
	struct hs_commit *c = &core->commit;
	struct hs_shard *sh = &core->shards[c->shard];
	enum hs_gather ret;

	if (hs_gather_shard(core, sh, &ret, out)) {
		c->shard++;
		return hs_gather_next(core);
	}
	if (ret == HS_G_PARK) {
		sh->no_inplace = true;
		return hs_wait(sh, &c->req);
	}
	if (ret == HS_G_FULL) {
		c->more = true;
		return hs_commit_go(core, C_SEAL, hs_journal_domain(core));
	}
	return HS_AGAIN;
}

/* ---- write ---------------------------------------------------------------------------------------------- */

/* Write-back comes at once, or a block that is rewritten all the time would never be ready for it. */
static void hs_commit_unblock(struct hs_core *core, struct hs_out *out)
{
	if (!hs_peek(core->wb_blocked) || hs_peek(core->failed) || hs_peek(core->stopping))
		return;
	hs_poke(core->wb_blocked, 0);
	hs_poke(core->wb_want, hs_max(hs_peek(core->wb_want), HS_WANT_AGED));
	hs_wb_want(core, 1, out);
}

static enum hs_step_result hs_commit_end(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	j->done_round = j->round;
	hs_flushers_wake(core, out);
	hs_commit_unblock(core, out);
	if (j->want_round > j->round)
		return hs_commit_go(core, C_START, hs_journal_domain(core));
	j->commit_running = false;
	return HS_WAIT;
}

/* The map can no longer be changed: everyone who waits for that must look again. */
static enum hs_step_result hs_commit_failed(struct hs_core *core)
{
	core->commit.shard = 0;
	return hs_commit_go(core, C_FAIL_WAKE, 0);
}

static enum hs_step_result hs_commit_fail_wake(struct hs_core *core, struct hs_out *out)
{
	struct hs_commit *c = &core->commit;

	if (c->req.domain == hs_journal_domain(core))
		return hs_commit_end(core, out);
	core->shards[c->shard].wake = true;
	if (c->in_shard && c->set != HS_NOSET && hs_set_shard(core, c->set) == c->shard) {
		/* The round broke off in the middle of this set. */
		hs_set_at(core, c->set)->scan_way = 0;
		hs_ready_push(core, &core->shards[c->shard], hs_set_at(core, c->set), c->set);
		c->set = HS_NOSET;
	}
	if (++c->shard == core->nr_shards)
		return hs_commit_go(core, C_FAIL_WAKE, hs_journal_domain(core));
	return hs_commit_go(core, C_FAIL_WAKE, (s32)c->shard);
}

static enum hs_step_result hs_commit_seal(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	struct hs_commit *c = &core->commit;

	if (hs_peek(core->failed)) {
		j->n.cache_errors += !j->failure_counted;
		j->failure_counted = true;
		/* Once: whoever looks after that sees the failure, and may ask for a commit again. */
		if (j->failure_told)
			return hs_commit_end(core, out);
		j->failure_told = true;
		return hs_commit_failed(core);
	}
	j->n.cache_errors += c->unconfirmed;
	c->unconfirmed = false;
	if (!c->records)
		return hs_commit_end(core, out);
	c->pages = hs_tx_pages(c->bytes);
	if (hs_journal_used(core) + c->pages >= core->geo.journal_pages) {
		j->commit_space_wait = true;
		j->want_checkpoint = true;
		hs_meta_want(core, out);
		return HS_WAIT;
	}
	c->info.incarnation = core->sb.incarnation;
	c->info.seq = j->head.seq;
	c->info.prev_crc = j->head.prev_crc;
	c->info.bytes = c->bytes;
	c->info.records = c->records;
	return hs_commit_go(core, C_SUM, HS_DOMAIN_NONE);
}

/*
 * Another FLUSH of the cache device that fails may take with it what ours was to make durable, and ours end well all
 * the same: who has flushed goes on when no other FLUSH is under way, and none has failed.
 */
static enum hs_step_result hs_commit_flush(struct hs_core *core, u8 state)
{
	struct hs_commit *c = &core->commit;

	c->req.nr_io = 0;
	hs_io_flush(&c->req, HS_CACHE);
	hs_poke(c->flushing, 1);
	c->req.state = state;
	c->req.domain = hs_journal_domain(core);
	return HS_IO;
}

static enum hs_step_result hs_commit_write(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;

	c->req.nr_io = 0;
	hs_io_ring(core, &c->req, HS_IO_WRITE, core->journal.head.page, c->buf, c->pages);
	return hs_commit_io(core, C_WRITTEN);
}

static enum hs_step_result hs_commit_sum(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;

	hs_tx_seal(c->buf, &core->sb, &c->info);
	if (!c->flush_first)
		return hs_commit_write(core);
	return hs_commit_flush(core, C_DATA_FLUSHED);
}

/* An I/O of the transaction failed. Its outcome is unknown: both maps count from then on. */
static enum hs_step_result hs_commit_broken(struct hs_core *core)
{
	hs_poke(core->failed, 1);
	return hs_commit_go(core, C_SEAL, hs_journal_domain(core));
}

static enum hs_step_result hs_commit_written(struct hs_core *core)
{
	if (hs_io_error(&core->commit.req))
		return hs_commit_broken(core);
	return hs_commit_flush(core, C_FLUSHED);
}

static enum hs_step_result hs_commit_flushed(struct hs_core *core, u8 was, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	struct hs_commit *c = &core->commit;

	hs_poke(c->flushing, 0);
	if (hs_io_error(&c->req))
		hs_poke(core->failed, 1);
	if (j->meta_flush_wait) {
		j->meta_flush_wait = false;
		hs_list_add_tail(&out->run, &core->meta.req.link);
	}
	if (hs_peek(core->meta.flushing)) {
		j->commit_flush_wait = true;
		return HS_WAIT;
	}
	if (hs_peek(core->failed))
		return hs_commit_broken(core);
	if (was == C_DATA_FLUSHED)
		return hs_commit_write(core);
	hs_poke(core->durable_seq, c->info.seq);
	c->off = HS_TX_HEADER;
	c->left = c->records;
	return hs_commit_go(core, C_APPLY, HS_DOMAIN_NONE);
}

/* ---- apply ------------------------------------------------------------------------------------------------ */

static u32 hs_apply_record(struct hs_core *core, struct hs_shard *sh, const u8 *buf)
{
	struct hs_record rec;
	u32 bytes = hs_record_peek(buf, &core->geo, &rec), set = rec.slot >> core->geo.assoc_shift;
	struct hs_set *st = hs_set_at(core, set);

	hs_slot_committed(core, sh, st, set, (u16)(rec.slot & (core->ways - 1)), (enum hs_dstate)rec.state);
	if (rec.prev != HS_NIL)
		hs_slot_committed(core, sh, st, set, rec.prev, HS_D_NONE);
	return bytes;
}

static enum hs_step_result hs_commit_apply(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;
	u32 budget = HS_STEP_BUDGET;

	for (; c->left && budget; budget--, c->left--) {
		u32 slot = hs_record_slot(c->buf + c->off), shard = hs_set_shard(core, slot >> core->geo.assoc_shift);

		if ((s32)shard != c->req.domain)
			return hs_commit_go(core, C_APPLY, (s32)shard);
		core->shards[shard].wake = true;
		c->off += hs_apply_record(core, &core->shards[shard], c->buf + c->off);
	}
	if (c->left)
		return HS_AGAIN;
	c->off = HS_TX_HEADER;
	c->left = c->records;
	return hs_commit_go(core, C_MARK, hs_journal_domain(core));
}

static void hs_commit_applied(struct hs_core *core)
{
	struct hs_journal *j = &core->journal;
	struct hs_commit *c = &core->commit;

	j->head.seq++;
	j->head.page = hs_ring_add(core, j->head.page, c->pages);
	j->head.prev_crc = c->info.crc;
	j->applied = j->head;
	j->n.commits++;
	j->n.cache_flushes += c->flush_first ? 2 : 1;
	j->n.journal_bytes += (u64)c->pages * HS_PAGE;
}

static enum hs_step_result hs_commit_mark(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	struct hs_commit *c = &core->commit;
	u32 budget = 8 * HS_STEP_BUDGET;

	for (; c->left && budget; budget--, c->left--) {
		struct hs_record rec;

		c->off += hs_record_peek(c->buf + c->off, &core->geo, &rec);
		hs_bit_set(core->udirty, rec.slot / core->geo.entries_per_unit);
		if (rec.prev != HS_NIL)
			hs_bit_set(core->udirty, hs_record_prev(&core->geo, &rec) / core->geo.entries_per_unit);
	}
	if (c->left)
		return HS_AGAIN;
	hs_commit_applied(core);
	if (hs_journal_used(core) >= core->checkpoint_at) {
		j->want_checkpoint = true;
		hs_meta_want(core, out);
	}
	if (!c->more) {
		j->done_round = j->round;
		hs_flushers_wake(core, out);
	}
	hs_confirm_encode(c->confirm, &core->sb, c->info.incarnation, c->info.seq);
	c->req.nr_io = 0;
	hs_io_page(&c->req, HS_IO_WRITE, HS_CONFIRM_OFFSET(c->info.seq & 1), c->confirm, HS_PAGE);
	return hs_commit_io(core, C_CONFIRMED);
}

static enum hs_step_result hs_commit_confirmed(struct hs_core *core, struct hs_out *out)
{
	struct hs_commit *c = &core->commit;

	/* Without it the next transaction, or the data, will have to prove this one: nothing is lost. */
	c->unconfirmed = hs_io_error(&c->req);
	hs_commit_reset(core);
	if (c->more && !hs_peek(core->failed))
		return hs_commit_go(core, C_GATHER, (s32)c->shard);
	return hs_commit_go(core, C_SEAL, hs_journal_domain(core));
}

static enum hs_step_result hs_commit_start(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;
	u32 held_gen = hs_peek(core->held_gen);

	core->journal.round++;
	c->shard = 0;
	c->in_shard = false;
	/* After an origin FLUSH those with slots on hold have work too. */
	c->all_shards = c->held_gen != held_gen;
	c->held_gen = held_gen;
	hs_commit_reset(core);
	return hs_gather_next(core);
}

enum hs_step_result hs_commit_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	switch (req->state) {
	case C_START:
		return hs_commit_start(core);
	case C_GATHER:
		return hs_commit_gather(core, out);
	case C_SEAL:
		return hs_commit_seal(core, out);
	case C_SUM:
		return hs_commit_sum(core);
	case C_WRITTEN:
		return hs_commit_written(core);
	case C_DATA_FLUSHED:
	case C_FLUSHED:
		return hs_commit_flushed(core, req->state, out);
	case C_APPLY:
		return hs_commit_apply(core);
	case C_MARK:
		return hs_commit_mark(core, out);
	case C_CONFIRMED:
		return hs_commit_confirmed(core, out);
	default:
		return hs_commit_fail_wake(core, out);
	}
}
