// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The journal's bookkeeping: ring space, starting the machines, waking those who wait for them.
 *
 *	       tail                applied == head (but while a transaction is under way)
 *	  ......|#### transactions ####|........................   ring of pages
 *
 * Everything here is under the journal's domain.
 */
#include "core/internal.h"

void hs_journal_init(struct hs_core *core)
{
	struct hs_journal *j = &core->journal;

	memset(j, 0, sizeof(*j));
	hs_list_init(&j->flushers);
	j->tail = core->sb.tail;
	j->head = core->sb.end;
	j->applied = core->sb.end;
	j->age_began = hs_peek(core->now);
}

u32 hs_journal_used(const struct hs_core *core)
{
	u32 head = core->journal.head.page, tail = core->journal.tail.page;

	return head >= tail ? head - tail : head + core->geo.journal_pages - tail;
}

void hs_flushers_wake(struct hs_core *core, struct hs_out *out)
{
	hs_list_splice_tail(&out->run, &core->journal.flushers);
}

void hs_io_ring(const struct hs_core *core, struct hs_req *req, enum hs_io_op op, u32 page, u8 *mem,
		u32 pages)
{
	u32 first = (u32)hs_min(pages, core->geo.journal_pages - page);

	hs_io_page(req, op, HS_JOURNAL_OFFSET + (u64)page * HS_PAGE, mem, first * HS_PAGE);
	if (first < pages)
		hs_io_page(req, op, HS_JOURNAL_OFFSET, mem + (size_t)first * HS_PAGE,
			   (pages - first) * HS_PAGE);
}

/* Of a word that every shard has. */
#define HS_SUM(name, word) \
u64 hs_sum_##name(const struct hs_core *core) \
{ \
	u64 sum = 0; \
	u32 i; \
\
	for (i = 0; i < core->nr_shards; i++) \
		sum += hs_peek(core->shards[i].word); \
	return sum; \
}
HS_SUM(unnamed, unnamed)
HS_SUM(sole, sole)
HS_SUM(passed, passed)
HS_SUM(origin_writes, origin_writes)
HS_SUM(directs, directs)
HS_SUM(doubts, doubts)
HS_SUM(plain, plain)
HS_SUM(asked, asked)
#undef HS_SUM

u64 hs_sum_dirty(const struct hs_core *core)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < core->nr_shards; i++)
		sum += hs_shard_dirty(&core->shards[i]);
	return sum;
}

u64 hs_sum_hold(const struct hs_core *core, u32 phase)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < core->nr_shards; i++)
		sum += hs_peek(core->shards[i].hold[phase]);
	return sum;
}

bool hs_any_todo(const struct hs_core *core)
{
	u32 i;

	for (i = 0; i < core->nr_shards; i++)
		if (hs_todo_any(&core->shards[i]))
			return true;
	return false;
}

/* ---- starting machines -------------------------------------------------------------------------------- */

void hs_run(struct hs_req *req, u8 state, s32 domain, struct hs_out *out)
{
	req->state = state;
	req->domain = domain;
	hs_list_add_tail(&out->run, &req->link);
}

void hs_commit_want(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	/* A round that is under way may have passed by what the caller wants committed. */
	j->want_round = hs_max(j->want_round, j->round + 1);
	if (j->commit_running)
		return;
	j->commit_running = true;
	hs_run(&core->commit.req, 0, hs_journal_domain(core), out);
}

void hs_oflush_want(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	j->want_oflush = true;
	if (j->oflush_running)
		return;
	j->oflush_running = true;
	hs_run(&core->oflush.req, 0, hs_journal_domain(core), out);
}

void hs_meta_want(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	if (j->meta_running)
		return;
	j->meta_running = true;
	hs_run(&core->meta.req, 0, hs_journal_domain(core), out);
}

void hs_wb_want(struct hs_core *core, u32 machines, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	u32 i;

	for (i = 0; i < machines; i++) {
		if (j->wb_running & (1u << i))
			continue;
		j->wb_running |= 1u << i;
		core->wb[i].visited = 0;
		hs_run(&core->wb[i].req, 0, hs_journal_domain(core), out);
	}
}

void hs_kick(struct hs_core *core, u32 kick, struct hs_out *out)
{
	if (hs_peek(core->stopping))
		return;
	if (kick & HS_KICK_COMMIT)
		hs_commit_want(core, out);
	if (kick & HS_KICK_OFLUSH)
		hs_oflush_want(core, out);
	if (kick & HS_KICK_META)
		hs_meta_want(core, out);
	if (kick & HS_KICK_WRITEBACK)
		hs_wb_want(core, HS_WB_MACHINES, out);
}

/* ---- the clock ------------------------------------------------------------------------------------------ */

static bool hs_draining(const struct hs_core *core)
{
	return hs_peek(core->drain) || hs_peek(core->drain_mode);
}

/* How much of an origin that requests use goes to what is merely old: a sixteenth, and one run a tick. */
static void hs_tick_share(struct hs_core *core)
{
	u64 asked = hs_sum_asked(core);

	hs_poke(core->wb_share, 1 + (u32)((asked - core->journal.asked) / HS_WB_SHARE));
	core->journal.asked = asked;
}

static void hs_tick_writeback(struct hs_core *core, u64 now, bool second, struct hs_out *out)
{
	u64 retry_at = hs_peek(core->wb_retry_at);
	u64 dirty = hs_sum_dirty(core);
	u64 limit = (u64)core->geo.nr_slots * hs_peek(core->tun.dirty_percent);
	u32 want = HS_WANT_NONE, i;
	bool visit = false;

	if (dirty && now >= retry_at) {
		/* On a failed cache device: whatever can still be read, while it can. */
		if (hs_draining(core) || hs_peek(core->failed) ||
		    (hs_peek(core->tun.writeback) && dirty * 100 > limit))
			want = HS_WANT_ALL;
		else if (hs_peek(core->tun.writeback) &&
			 (second || hs_peek(core->wb_resting) ||
			  (core->journal.wb_running && hs_peek(core->wb_want) == HS_WANT_AGED)))
			want = HS_WANT_AGED;
	}
	hs_poke(core->wb_resting, 0);
	hs_poke(core->wb_want, want);
	for (i = 0; i < core->nr_shards; i++)
		visit |= hs_peek(core->shards[i].queue[HS_Q_URGENT].count) || hs_peek(core->shards[i].parked);
	/* Parked requests look at their deadlines when a machine passes by. */
	if ((want == HS_WANT_ALL && hs_draining(core)) || (visit && now >= retry_at))
		hs_wb_want(core, HS_WB_MACHINES, out);
	else if (want != HS_WANT_NONE || visit)
		hs_wb_want(core, 1, out);
}

/*
 * A generation of dirty slots is half the age at which they are written back; it begins now, or at opening. While old ones are
 * left that could not be written back yet it lasts four times as long: generations are few, and those would seem young again;
 * but what is young has to become old some time.
 */
static void hs_tick_age(struct hs_core *core, u64 now)
{
	struct hs_journal *j = &core->journal;

	if (now - j->age_began < hs_max(HS_SECOND, hs_peek(core->tun.dirty_age_ns) / 2) * (hs_peek(core->wb_resting) ? 4 : 1))
		return;
	j->age_began = now;
	hs_poke(core->age_gen, (core->age_gen + 1) & 3);
}

/* Who waits until a failed cache can be given up does so while that comes nearer. */
static void hs_tick_failed(struct hs_core *core, u64 now)
{
	u64 sole = hs_sum_sole(core);

	if (!core->sole_moved || sole != core->journal.sole)
		hs_poke(core->sole_moved, now);
	core->journal.sole = sole;
}

void hs_tick(struct hs_core *core, u64 now, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	bool second = now - j->last_second >= HS_SECOND;
	u64 hold = hs_sum_hold(core, 0) + hs_sum_hold(core, 1);

	hs_poke(core->now, now);
	hs_poke(core->tick_gen, core->tick_gen + 1);
	if (hs_peek(core->stopping))
		return;
	if (second)
		j->last_second = now;
	hs_tick_age(core, now);
	if (hs_peek(core->failed))
		hs_tick_failed(core, now);
	if (second && hs_any_todo(core))
		hs_commit_want(core, out);
	if (j->heal) {
		j->want_checkpoint = true;
		hs_meta_want(core, out);
	}
	if (hold && (hs_draining(core) || now - core->oflush.last_begin >= HS_SECOND))
		hs_oflush_want(core, out);
	hs_tick_share(core);
	hs_tick_writeback(core, now, second, out);
	if (hs_peek(core->mode_target) != hs_peek(core->mode_durable) && !hs_peek(core->failed)) {
		j->want_sb = true;
		hs_meta_want(core, out);
	}
}
