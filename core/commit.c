// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The commit machine: makes the durable map follow the current one, one transaction at a time.
 *
 *	START -> GATHER (shard by shard, set by set) -> SEAL -> SUM -> [data FLUSH] -> write -> FLUSH
 *	    ^                                                                `---- or at once ----'|
 *	    |                  END <- CONFIRM (unflushed) <- APPLIED <- APPLY (shard by shard) <--'
 *	    `-------------------'
 *
 * A *round* passes once over all sets that had something to commit when it came by, in as many transactions
 * as it takes. A block has one record in it: a new name and the drop of the name that it replaces become durable
 * together or not at all.
 *
 * One FLUSH covers data and transaction because recovery checks the data of the last transaction against its
 * checksums, so that it does not matter which of them gets there first; without checksums the data are flushed first.
 * Where the cache device makes a single write durable by itself (FUA), the transaction needs no FLUSH: that of the data
 * goes beside it, or has gone before.
 */
#include "core/internal.h"

enum {
	C_START, C_GATHER, C_SEAL, C_SUM, C_DATA_FLUSHED, C_WRITTEN, C_FLUSHED, C_APPLY, C_APPLIED,
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
	core->commit.req.domain = hs_journal_domain(core);
	return HS_IO;
}

/* ---- gather ------------------------------------------------------------------------------------------- */

/* LATER: not with this transaction, since it has an older version of the block. */
enum hs_gather { HS_G_OK, HS_G_LATER, HS_G_FULL, HS_G_PARK };

static void hs_commit_reset(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;

	c->bytes = HS_TX_HEADER;
	c->last_record = c->max_bytes - core->name_bytes;
	c->records = 0;
	c->names_left = (u32)(HS_TX_DATA_MAX >> core->geo.block_shift);
	c->flush_first = !core->geo.checksums;
}

/* A slot on hold: has the origin FLUSH that it waits for come, and how did it end? */
static void hs_gather_hold(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u32 ov)
{
	u16 s = st->way[way].state;

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

/* A transaction takes the slot up. */
static inline void hs_gather_take(struct hs_set *st, u16 way)
{
	st->way[way].state |= HS_S_IN_TX;
}

/* Looks at all ways of the block. False: a transaction has one of them already, or a write in place is under way. */
static bool hs_gather_names(const struct hs_core *core, const struct hs_set *st, u64 block,
					     struct hs_names *names, enum hs_gather *ret)
{
	u16 w = hs_set_find_any(core, st, block, HS_NIL);

	names->now = HS_NIL;
	names->durable = HS_NIL;
	for (; w != HS_NIL; w = hs_set_find_any(core, st, block, w)) {
		u16 s = st->way[w].state;

		if (unlikely((s & HS_S_IN_TX) || hs_cur(s) == HS_INPLACE)) {
			*ret = s & HS_S_IN_TX ? HS_G_LATER : HS_G_PARK;
			return false;
		}
		if (hs_cur_named(hs_cur(s)))
			names->now = w;
		if (hs_dur(s) != HS_D_NONE)
			names->durable = w;
	}
	return true;
}

/*
 * Both put a record at `at` and return its end. The way, whose slot is given, gets its block's name, and takes it from
 * `durable`, if there is one ...
 */
static hs_always_inline u8 *hs_gather_name(struct hs_core *core, u8 *at, struct hs_set *st, u32 slot, u16 way,
					   u16 durable, u32 want)
{
	at = hs_record_put_name(at, want, slot, durable, st->way[way].tag_lo, hs_tag_hi(core, st)[way]);
	if (core->geo.checksums)
		at = hs_record_put_crcs(at, hs_slot_crcs(core, st, way), core->geo.units_per_block);
	hs_gather_take(st, way);
	if (durable != HS_NIL)
		hs_gather_take(st, durable);
	return at;
}

/* ... or it keeps its name in another state, or loses it. */
static hs_always_inline u8 *hs_gather_state(u8 *at, struct hs_set *st, u32 slot, u16 way, u32 want)
{
	hs_gather_take(st, way);
	return at + hs_record_put_state(at, want, slot);
}

/* One record, for the block of a way that wants one. */
static enum hs_gather hs_gather_block(struct hs_core *core, struct hs_set *st, u32 set, u16 way)
{
	struct hs_commit *c = &core->commit;
	enum hs_dstate want = HS_D_NONE;
	u8 *at = c->buf + c->bytes;
	struct hs_names names;
	enum hs_gather ret;

	if (!hs_gather_names(core, st, hs_tag(core, st, way), &names, &ret))
		return ret;
	if (c->bytes > c->last_record || !c->names_left)
		return HS_G_FULL;
	if (names.now != HS_NIL)
		want = hs_slot_desired(st->way[names.now].state);
	c->flush_first |= want == HS_D_LOST && names.now != names.durable;
	if (want == HS_D_NONE || names.now == names.durable) {
		at = hs_gather_state(at, st, hs_slot_of(core, set, names.durable).nr, names.durable, want);
	} else {
		at = hs_gather_name(core, at, st, hs_slot_of(core, set, names.now).nr, names.now, names.durable, want);
		c->names_left--;
	}
	c->records++;
	c->bytes = (u32)(at - c->buf);
	return HS_G_OK;
}

static hs_always_inline bool hs_gather_same(const struct hs_core *core, const struct hs_set *st, u16 a, u16 b)
{
	return st->way[a].tag_lo == st->way[b].tag_lo && hs_tag_hi(core, st)[a] == hs_tag_hi(core, st)[b];
}

/* The only way of its block? */
static bool hs_gather_alone(const struct hs_core *core, const struct hs_set *st, u16 way)
{
	u16 w = hs_bucket(core, st)[hs_index_hash(core, hs_tag(core, st, way))];

	for (; w != HS_NIL; w = st->way[w].chain)
		if (w != way && hs_gather_same(core, st, w, way))
			return false;
	return true;
}

/*
 * The short ways, for what is commonest; NULL: not so simple. Older versions of a block stand behind it in the index, newer
 * ones (without name: they are being filled) before it. *names counts NAME records.
 */
static hs_always_inline u8 *hs_gather_quick(struct hs_core *core, u8 *at, struct hs_set *st, u32 slot, u16 way,
					    u32 *names)
{
	struct hs_way *w = &st->way[way];
	u32 s = w->state & ~(HS_S_AGE | HS_S_WB | HS_S_LISTED);
	u16 durable = HS_NIL, older;

	if (s == HS_DIRTY || s == HS_CLEAN) {
		/* The newest data of its block, without a name. */
		for (older = w->chain; older != HS_NIL; older = st->way[older].chain) {
			if (!hs_gather_same(core, st, older, way))
				continue;
			if (st->way[older].state & HS_S_IN_TX)
				return NULL;
			if (st->way[older].state & HS_S_DUR)
				durable = older;
		}
		(*names)++;
		return hs_gather_name(core, at, st, slot, way, durable, s == HS_DIRTY ? HS_D_DIRTY : HS_D_CLEAN);
	}
	if (s == (HS_CLEAN | HS_D_DIRTY << HS_S_DUR_SHIFT))
		return hs_gather_state(at, st, slot, way, HS_D_CLEAN);
	if ((s & ~(HS_S_STALE | HS_S_SPENT | HS_S_DUR)) == HS_RETIRED && (s & HS_S_DUR) && hs_gather_alone(core, st, way))
		return hs_gather_state(at, st, slot, way, HS_D_NONE);
	return NULL;
}

/* The first slots of the list, at most `most`, as long as the short ways serve. Returns how many. */
static hs_noinline u32 hs_gather_run(struct hs_core *core, struct hs_todo *t, u32 most)
{
	struct hs_commit *c = &core->commit;
	u8 *at = c->buf + c->bytes, *last = c->buf + c->last_record;
	u32 head = t->head, names = 0, n;

	most = (u32)hs_min(most, c->names_left);
	for (n = 0; n < most && at <= last; n++) {
		u32 slot = t->ring[head];
		struct hs_set *st = hs_set_at(core, slot >> core->geo.assoc_shift);
		u16 way = (u16)(slot & (core->ways - 1));
		u8 *end = hs_gather_quick(core, at, st, slot, way, &names);

		if (!end)
			break;
		st->way[way].state &= (u16)~HS_S_TODO;
		at = end;
		head = (head + 1) & t->mask;
	}
	c->bytes = (u32)(at - c->buf);
	c->records += n;
	c->names_left -= names;
	t->head = head;
	hs_poke(t->count, t->count - n);
	return n;
}

/* After a verdict: the slots on hold of the set at work. True when it is done. */
static bool hs_gather_held_set(struct hs_core *core, struct hs_shard *sh, u32 *budget)
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
			if (hs_peek(core->failed) || !(st->way[way].state & HS_S_IN_TX))
				hs_gather_hold(core, sh, st, c->set, way, ov);
		}
		if (bits) {
			c->way += (u32)__builtin_ctzll(bits);
			return false;
		}
	}
	return c->way >= ways;
}

static bool hs_gather_holds(const struct hs_commit *c)
{
	return c->held_left || c->set != HS_NOSET;
}

/*
 * Until there is enough to do without; but some of it each time, for what is on the list may have to wait for the next
 * transaction. What stays on hold awaits the next origin FLUSH.
 */
static void hs_gather_held(struct hs_core *core, struct hs_shard *sh, u32 *budget, struct hs_out *out)
{
	struct hs_commit *c = &core->commit;
	/* No more than there is room for. */
	u32 portion = (u32)hs_min(*budget, hs_max(1, sh->todo.mask + 1 - sh->todo.count));

	*budget -= portion;
	do {
		struct hs_set *st;

		if (c->set == HS_NOSET) {
			c->held_left--;
			c->set = hs_held_pop(core, sh);
			c->way = 0;
		}
		if (!hs_gather_held_set(core, sh, &portion))
			break;
		st = hs_set_at(core, c->set);
		if (st->nheld)
			hs_held_push(core, sh, st, c->set);
		hs_set_reserve(core, sh, st, c->set, out);
		c->set = HS_NOSET;
		portion -= !!portion;
	} while (portion && hs_gather_holds(c));
	*budget += portion;
}

/* The slot at the head of the todo list. */
static enum hs_gather hs_gather_first(struct hs_core *core, struct hs_shard *sh)
{
	u32 slot = hs_todo_first(&sh->todo), set = slot >> core->geo.assoc_shift;
	struct hs_set *st = hs_set_at(core, set);
	u16 way = (u16)(slot & (core->ways - 1));
	enum hs_gather ret = HS_G_OK;

	if (hs_slot_wants(st->way[way].state))
		ret = hs_gather_block(core, st, set, way);
	if (ret > HS_G_LATER)
		return ret;
	hs_todo_pop(&sh->todo, &st->way[way]);
	if (ret == HS_G_LATER)
		hs_todo_push(core, sh, st, set, way);
	return HS_G_OK;
}

/* The slots of the todo list that are this round's. */
static enum hs_gather hs_gather_todo(struct hs_core *core, struct hs_shard *sh, u32 *budget)
{
	struct hs_commit *c = &core->commit;
	enum hs_gather ret = HS_G_OK;

	while (ret == HS_G_OK && c->todo_left && *budget) {
		u32 n = hs_gather_run(core, &sh->todo, (u32)hs_min(c->todo_left, *budget));

		if (n < c->todo_left && n < *budget) {
			ret = hs_gather_first(core, sh);
			n += ret == HS_G_OK;
		}
		c->todo_left -= n;
		*budget -= n;
	}
	return ret;
}

/* All slots of the shard: those that want a commit and found no room on the list are among them. */
static enum hs_gather hs_gather_spilled(struct hs_core *core, struct hs_shard *sh, u32 *budget)
{
	struct hs_commit *c = &core->commit;
	u32 end = sh->nsets << core->geo.assoc_shift;

	for (; c->scan < end && *budget; c->scan++, (*budget)--) {
		u32 set = sh->first_set + (c->scan >> core->geo.assoc_shift);
		u16 way = (u16)(c->scan & (core->ways - 1));
		struct hs_set *st = hs_set_at(core, set);
		u16 s = st->way[way].state;
		enum hs_gather ret;

		/* Those on the list too: then they need not wait for the next round. */
		if (hs_cur(s) == HS_FREE || hs_cur(s) == HS_FILL || !hs_slot_wants(s))
			continue;
		ret = hs_gather_block(core, st, set, way);
		if (ret > HS_G_LATER)
			return ret;
		if (ret == HS_G_LATER && !(s & HS_S_TODO))
			hs_todo_push(core, sh, st, set, way);
	}
	if (c->scan >= end)
		c->scan = HS_NOSET;
	return HS_G_OK;
}

/*
 * What is on the list now, and was spilled up to now, is this round's: all of it came since the last time we were here,
 * and so is of the generation that becomes the older one.
 */
static void hs_gather_count(struct hs_core *core, struct hs_shard *sh)
{
	struct hs_commit *c = &core->commit;

	c->todo_left = sh->todo.count;
	c->scan = HS_NOSET;
	sh->gather_gen ^= HS_S_GEN;
	if (sh->todo.spilled) {
		c->scan = 0;
		hs_poke(sh->todo.spilled, 0);
	}
}

static void hs_gather_enter(struct hs_core *core, struct hs_shard *sh)
{
	struct hs_commit *c = &core->commit;

	sh->gathering = true;
	c->held_left = 0;
	c->set = HS_NOSET;
	if (sh->held_gen != hs_peek(core->held_gen)) {
		sh->held_gen = hs_peek(core->held_gen);
		c->held_left = sh->queue[HS_Q_HELD].count;
	}
	/* First what comes off hold, unless the list is rather full. */
	c->todo_left = 0;
	c->scan = HS_NOSET;
	if (!c->held_left || sh->todo.count > sh->todo.mask / 2)
		hs_gather_count(core, sh);
}

/* One bounded piece of a shard. True when the shard is done. */
static bool hs_gather_shard(struct hs_core *core, struct hs_shard *sh, enum hs_gather *ret, struct hs_out *out)
{
	struct hs_commit *c = &core->commit;
	u32 budget = core->step_budget;

	*ret = HS_G_OK;
	sh->no_inplace = false;
	if (!sh->gathering)
		hs_gather_enter(core, sh);
	if (unlikely(hs_gather_holds(c)) && !c->todo_left && c->scan == HS_NOSET) {
		hs_gather_held(core, sh, &budget, out);
		hs_gather_count(core, sh);
	}
	if (unlikely(hs_peek(core->failed))) {
		sh->gathering = hs_gather_holds(c);
		c->todo_left = 0;
		c->scan = HS_NOSET;
		return !sh->gathering;
	}
	*ret = hs_gather_todo(core, sh, &budget);
	if (*ret == HS_G_OK && unlikely(c->scan != HS_NOSET) && !c->todo_left)
		*ret = hs_gather_spilled(core, sh, &budget);
	if (*ret != HS_G_OK || c->todo_left || c->scan != HS_NOSET || hs_gather_holds(c))
		return false;
	sh->gathering = false;
	return true;
}

/* On to the next shard with work from c->shard on, or to the end of the round. */
static enum hs_step_result hs_gather_next(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;

	while (c->shard < core->nr_shards && !c->all_shards && !hs_todo_any(&core->shards[c->shard]))
		c->shard++;
	if (c->shard < core->nr_shards)
		return hs_commit_go(core, C_GATHER, (s32)c->shard);
	c->more = false;
	return hs_commit_go(core, C_SEAL, hs_journal_domain(core));
}

static hs_noinline enum hs_step_result hs_commit_gather(struct hs_core *core, struct hs_out *out)
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
	core->shards[c->shard].gathering = false;
	if (c->set != HS_NOSET && hs_set_shard(core, c->set) == c->shard) {
		/* The round broke off in the middle of this set. */
		hs_held_push(core, &core->shards[c->shard], hs_set_at(core, c->set), c->set);
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
 * the same: who has flushed goes on when no other FLUSH is under way, and none has failed. (Nor does a write with FUA
 * lean on the device keeping the two apart.)
 */
static enum hs_step_result hs_commit_await(struct hs_core *core, u8 state)
{
	hs_poke(core->commit.flushing, 1);
	return hs_commit_io(core, state);
}

static enum hs_step_result hs_commit_flush(struct hs_core *core, u8 state)
{
	core->commit.req.nr_io = 0;
	hs_io_flush(&core->commit.req, HS_CACHE);
	return hs_commit_await(core, state);
}

/* Has all that was ever written to slots been flushed, or written with FUA? What ends from here on is not in this transaction. */
static bool hs_commit_data_durable(struct hs_core *core)
{
	core->commit.plain = hs_sum_plain(core);
	return core->commit.plain == core->commit.plain_flushed;
}

static enum hs_step_result hs_commit_write(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;
	u32 i;

	c->req.nr_io = 0;
	hs_io_ring(core, &c->req, HS_IO_WRITE, core->journal.head.page, c->buf, c->pages);
	if (!core->cache_fua)
		return hs_commit_io(core, C_WRITTEN);
	for (i = 0; i < c->req.nr_io; i++)
		c->req.io[i].flags |= HS_IO_FUA;
	if (!c->flush_first)
		hs_io_flush(&c->req, HS_CACHE);
	return hs_commit_await(core, C_FLUSHED);
}

static enum hs_step_result hs_commit_sum(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;

	hs_tx_seal(c->buf, &core->sb, &c->info);
	c->data_durable = core->data_fua && hs_commit_data_durable(core);
	if (!c->flush_first || c->data_durable)
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
	if (was == C_DATA_FLUSHED) {
		c->plain_flushed = c->plain;
		return hs_commit_write(core);
	}
	hs_poke(core->durable_seq, c->info.seq);
	c->off = HS_TX_HEADER;
	return hs_commit_go(core, C_APPLY, hs_slot_domain(core, hs_record_slot(c->buf + c->off)));
}

/* ---- apply ------------------------------------------------------------------------------------------------ */

#define A_MASK	(HS_S_CUR | HS_S_DUR | HS_S_LOST | HS_S_HOLD | HS_S_IN_TX)
#define A_GONE	(HS_S_CUR | HS_S_WB | HS_S_IN_TX)

/* A slot that a record takes the name from: is it free now? It is if the short way serves; else all is left to others. */
static hs_always_inline bool hs_apply_drop(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u16 way,
					   u16 behind, u64 block)
{
	u16 s = st->way[way].state;

	if ((s & A_GONE) != (HS_RETIRED | HS_S_IN_TX) || !hs_list_empty(hs_lock_bucket(sh, core, block)))
		return false;
	if (s & HS_S_STALE)
		hs_poke(sh->sole, sh->sole - 1);
	st->changed |= 1ull << (way >> core->changed_shift);
	hs_slot_free(core, sh, st, way, behind);
	return true;
}

/* The way gets a name, or keeps it in another state, as it is to be by now. False: it is not, or not so simple. */
static hs_always_inline bool hs_apply_keep(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u16 way,
					   enum hs_dstate dur)
{
	struct hs_way *w = &st->way[way];
	u32 s = w->state & A_MASK;

	if (dur == HS_D_DIRTY && s == (HS_DIRTY | HS_S_IN_TX)) {
		hs_poke(sh->unnamed, sh->unnamed - 1);
		hs_poke(sh->sole, sh->sole + 1);
	} else if (dur != HS_D_CLEAN || (s & ~HS_S_DUR) != (HS_CLEAN | HS_S_IN_TX)) {
		return false;
	}
	w->state = (u16)(hs_with_dur(w->state, dur) & ~HS_S_IN_TX);
	st->changed |= 1ull << (way >> core->changed_shift);
	return true;
}

/* A record, at buf. Returns its bytes. */
static hs_always_inline u32 hs_apply_record(struct hs_core *core, struct hs_shard *sh, const u8 *buf, u32 slot)
{
	u32 set = slot >> core->geo.assoc_shift;
	struct hs_set *st = hs_set_at(core, set);
	u16 way = (u16)(slot & (core->ways - 1)), prev;
	enum hs_dstate dur = (enum hs_dstate)buf[1];

	if (dur == HS_D_NONE) {
		if (!hs_apply_drop(core, sh, st, way, HS_NIL, hs_tag(core, st, way)))
			hs_slot_committed(core, sh, st, set, way, HS_NIL, dur);
		return HS_REC_STATE_BYTES;
	}
	if (!hs_apply_keep(core, sh, st, way, dur))
		hs_slot_committed(core, sh, st, set, way, HS_NIL, dur);
	if (buf[0] != HS_REC_NAME)
		return HS_REC_STATE_BYTES;
	prev = (u16)hs_get(buf + 6, 2);
	if (prev != HS_REC_NO_PREV && !hs_apply_drop(core, sh, st, prev, way, hs_get_block(buf + 8)))
		hs_slot_committed(core, sh, st, set, prev, way, HS_D_NONE);
	return core->name_bytes;
}

static hs_noinline enum hs_step_result hs_commit_apply(struct hs_core *core)
{
	struct hs_commit *c = &core->commit;
	struct hs_shard *sh = &core->shards[c->req.domain];
	const u8 *buf = c->buf + c->off, *end = c->buf + c->bytes;
	u32 budget = core->step_budget;
	s32 domain = c->req.domain;

	sh->wake = true;
	for (; buf < end && budget; budget--) {
		u32 slot = hs_record_slot(buf);

		domain = (s32)hs_set_shard(core, slot >> core->geo.assoc_shift);
		if (domain != c->req.domain)
			break;
		buf += hs_apply_record(core, sh, buf, slot);
	}
	c->off = (u32)(buf - c->buf);
	if (buf < end)
		return hs_commit_go(core, C_APPLY, domain);
	return hs_commit_go(core, C_APPLIED, hs_journal_domain(core));
}

static void hs_commit_advance(struct hs_core *core)
{
	struct hs_journal *j = &core->journal;
	struct hs_commit *c = &core->commit;

	j->head.seq++;
	j->head.page = hs_ring_add(core, j->head.page, c->pages);
	j->head.prev_crc = c->info.crc;
	j->applied = j->head;
	j->n.commits++;
	if (!c->data_durable)
		j->n.cache_flushes += c->flush_first && !core->cache_fua ? 2 : 1;
	hs_poke(core->fua_left, core->data_fua && c->records <= HS_FUA_NAMES && !hs_list_empty(&j->flushers) ? HS_FUA_NAMES : 0);
	j->n.journal_bytes += (u64)c->pages * HS_PAGE;
}

static enum hs_step_result hs_commit_applied(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	struct hs_commit *c = &core->commit;

	hs_commit_advance(core);
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
	c->set = HS_NOSET;
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
	case C_APPLIED:
		return hs_commit_applied(core, out);
	case C_CONFIRMED:
		return hs_commit_confirmed(core, out);
	default:
		return hs_commit_fail_wake(core, out);
	}
}
