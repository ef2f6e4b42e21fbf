// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The metadata machine: checkpoints the journal into the slot table, and writes superblocks.
 *
 *	START -> [DRAIN: is a mode switch complete?] -> COLLECT: which units have changed
 *	      -> for copy A, then B: { BUILD -> SEAL -> write } FLUSH -> superblock, one copy, then the other: { write -> FLUSH } -> END
 *
 * A unit is built from the slots' durable states only, under their shards' domains, while commits go on; its
 * stamp is the last transaction that was complete in RAM when the checkpoint began, and replay repeats any
 * later ones over it. A copy that was found damaged at open is written first, so that the good one is never
 * the one at risk. The journal's tail moves only when both copies of every unit are durable.
 */
#include "core/internal.h"

enum {
	M_START, M_DRAIN, M_BEGIN, M_COLLECT, M_UNITS, M_BUILD, M_SEAL, M_WRITTEN, M_FLUSHED, M_SB, M_SB_WRITTEN,
	M_SB_FLUSHED,
};

#define M_RUN_UNITS	(HS_META_BYTES / 2 / HS_PAGE)

static enum hs_step_result hs_meta_go(struct hs_core *core, u8 state, s32 domain)
{
	core->meta.req.state = state;
	core->meta.req.domain = domain;
	return HS_AGAIN;
}

static enum hs_step_result hs_meta_io(struct hs_core *core, u8 state)
{
	core->meta.req.state = state;
	core->meta.req.domain = hs_journal_domain(core);
	return HS_IO;
}

static enum hs_step_result hs_meta_flush(struct hs_core *core, u8 state)
{
	core->meta.req.nr_io = 0;
	hs_io_flush(&core->meta.req, HS_CACHE);
	hs_poke(core->meta.flushing, 1);
	return hs_meta_io(core, state);
}

/* A FLUSH ended. Not before no commit is in its own, which may fail and take from us: see hs_commit_flush. */
static bool hs_meta_settled(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	core->journal.n.cache_flushes += hs_peek(core->meta.flushing);
	hs_poke(core->meta.flushing, 0);
	if (hs_io_error(&core->meta.req))
		hs_poke(core->failed, 1);
	if (j->commit_flush_wait) {
		j->commit_flush_wait = false;
		hs_list_add_tail(&out->run, &core->commit.req.link);
	}
	j->meta_flush_wait = hs_peek(core->commit.flushing);
	return !j->meta_flush_wait;
}

static enum hs_step_result hs_meta_end(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	j->meta_running = false;
	hs_flushers_wake(core, out);
	if (j->commit_space_wait) {
		j->commit_space_wait = false;
		hs_list_add_tail(&out->run, &core->commit.req.link);
	}
	return HS_WAIT;
}

static enum hs_step_result hs_meta_failed(struct hs_core *core, struct hs_out *out)
{
	core->journal.n.cache_errors++;
	core->journal.failure_counted = true;
	hs_poke(core->failed, 1);
	/* Parked requests must see it; the commit machine passes by all of them. */
	hs_commit_want(core, out);
	return hs_meta_end(core, out);
}

/* ---- the table ---------------------------------------------------------------------------------------- */

static u32 hs_unit_words(const struct hs_core *core)
{
	return (core->geo.table_units + 63) / 64;
}

/* The first unit of the checkpoint from `unit` on, or table_units. */
static u32 hs_unit_next(const struct hs_core *core, u32 unit)
{
	while (unit < core->geo.table_units) {
		u64 left = core->uckpt[unit >> 6] >> (unit & 63);

		if (!left)
			unit = (unit | 63) + 1;
		else if (left & 1)
			return unit;
		else
			unit++;
	}
	return core->geo.table_units;
}

/*
 * The entries of neighbouring ways of a set, on one page that was zeroed. Eight bytes are put down for six: what follows is
 * put down later, or is zero too, and the page ends later. units: CRCs in an entry.
 */
static hs_always_inline void hs_entries_put(const struct hs_core *core, u8 *e, u32 slot, u32 nr, u32 units)
{
	const struct hs_set *st = hs_set_at(core, slot >> core->geo.assoc_shift);
	u32 way = slot & (core->ways - 1), bytes = HS_ENTRY_BYTES + 4 * units;
	const u32 *crcs = hs_crc(core, st) + (size_t)way * units;
	const struct hs_way *w = &st->way[way], *end = w + nr;
	const u8 *hi = hs_tag_hi(core, st) + way;

	for (; w < end; w++, hi++, e += bytes, crcs += units) {
		u32 dur = w->state & HS_S_DUR;

		if (!dur)
			continue;
		hs_put(e, dur >> HS_S_DUR_SHIFT | (u64)w->tag_lo << 8 | (u64)*hi << 40, 8);
		if (units)
			hs_record_put_crcs(e + HS_ENTRY_BYTES, crcs, units);
	}
}

static void hs_entries_build(const struct hs_core *core, u8 *e, u32 slot, u32 nr)
{
	u32 units = core->geo.checksums ? core->geo.units_per_block : 0;

	if (units == 0)
		hs_entries_put(core, e, slot, nr, 0);
	else if (units == 1)
		hs_entries_put(core, e, slot, nr, 1);
	else
		hs_entries_put(core, e, slot, nr, units);
}

/* Fills in the entries of a bounded number of slots of one shard. */
static enum hs_step_result hs_meta_build(struct hs_core *core)
{
	struct hs_meta *m = &core->meta;
	const struct hs_geometry *geo = &core->geo;
	u32 end = (u32)hs_min((u64)(m->unit + m->run) * geo->entries_per_unit, geo->nr_slots);
	u32 budget = core->step_budget;

	while (m->slot < end && budget) {
		u32 unit = m->slot / geo->entries_per_unit;
		s32 domain = hs_slot_domain(core, m->slot);
		u32 in_unit = m->slot - unit * geo->entries_per_unit;
		u32 in_set = m->slot & (hs_assoc(geo) - 1);
		u32 nr = (u32)hs_min(hs_min(geo->entries_per_unit - in_unit, hs_assoc(geo) - in_set),
				     hs_min(end - m->slot, budget));

		if (domain != m->req.domain)
			return hs_meta_go(core, M_BUILD, domain);
		hs_entries_build(core, hs_unit_entry(m->buf + (size_t)(unit - m->unit) * HS_PAGE, geo, in_unit),
				 m->slot, nr);
		m->slot += nr;
		budget -= nr;
	}
	if (m->slot < end)
		return HS_AGAIN;
	return hs_meta_go(core, M_SEAL, HS_DOMAIN_NONE);
}

static enum hs_step_result hs_meta_seal(struct hs_core *core)
{
	struct hs_meta *m = &core->meta;
	struct hs_unit_info info = { .seq = m->stamp, .copy = m->copy };
	u32 i;

	info.newest = hs_peek(core->durable_seq);
	for (i = 0; i < m->run; i++) {
		info.index = m->unit + i;
		hs_unit_seal(m->buf + (size_t)i * HS_PAGE, &core->sb, &info);
	}
	m->req.nr_io = 0;
	hs_io_page(&m->req, HS_IO_WRITE, core->geo.table_offset[m->copy] + (u64)m->unit * HS_PAGE,
		   m->buf, m->run * HS_PAGE);
	return hs_meta_io(core, M_WRITTEN);
}

/* The next run of units, or the FLUSH that ends this copy. */
static enum hs_step_result hs_meta_units(struct hs_core *core)
{
	struct hs_meta *m = &core->meta;

	m->unit = hs_unit_next(core, m->unit + m->run);
	if (m->unit == core->geo.table_units) {
		return hs_meta_flush(core, M_FLUSHED);
	}
	m->run = 1;
	while (m->run < M_RUN_UNITS && m->unit + m->run < core->geo.table_units &&
	       hs_bit(core->uckpt, m->unit + m->run))
		m->run++;
	memset(m->buf, 0, (size_t)m->run * HS_PAGE);
	m->slot = m->unit * core->geo.entries_per_unit;
	return hs_meta_go(core, M_BUILD, HS_DOMAIN_NONE);
}

static enum hs_step_result hs_meta_copy(struct hs_core *core, u32 copy)
{
	core->meta.copy = copy;
	core->meta.unit = 0;
	core->meta.run = 0;
	return hs_meta_go(core, M_UNITS, HS_DOMAIN_NONE);
}

static enum hs_step_result hs_meta_checkpoint(struct hs_core *core)
{
	struct hs_journal *j = &core->journal;
	struct hs_meta *m = &core->meta;

	j->want_checkpoint = false;
	m->checkpointing = j->applied.seq != j->tail.seq || j->heal;
	j->heal = false;
	if (!m->checkpointing)
		return hs_meta_go(core, M_SB, hs_journal_domain(core));
	m->tail = j->applied;
	m->stamp = j->applied.seq - 1;
	memcpy(core->uckpt, core->udirty, 8 * (size_t)hs_unit_words(core));
	memset(core->udirty, 0, 8 * (size_t)hs_unit_words(core));
	m->set = 0;
	return hs_meta_go(core, M_COLLECT, 0);
}

/* Notes the table units of the ways that have changed, while the budget lasts. True when all are noted. */
static bool hs_meta_collect_set(struct hs_core *core, u32 set, u32 *budget)
{
	struct hs_set *st = hs_set_at(core, set);
	u32 first = set << core->geo.assoc_shift, ways = 1u << core->changed_shift, unit, last;

	for (; st->changed && *budget; st->changed &= st->changed - 1) {
		u32 slot = first + ((u32)__builtin_ctzll(st->changed) << core->changed_shift);

		unit = slot / core->geo.entries_per_unit;
		last = (slot + ways - 1) / core->geo.entries_per_unit;
		*budget -= (u32)hs_min(*budget, last - unit + 1);
		for (; unit <= last; unit++)
			hs_bit_set(core->uckpt, unit);
	}
	return !st->changed;
}

/*
 * All that is in RAM as of m->tail is marked. A commit may be at work: what it changes after we have passed by is
 * marked again, and so written again by the next checkpoint.
 */
static enum hs_step_result hs_meta_collect(struct hs_core *core)
{
	struct hs_meta *m = &core->meta;
	u32 budget = 4 * core->step_budget;

	for (; m->set < core->geo.nsets && budget; m->set++, budget -= !!budget) {
		s32 domain = (s32)hs_set_shard(core, m->set);

		if (domain != m->req.domain)
			return hs_meta_go(core, M_COLLECT, domain);
		if (!hs_meta_collect_set(core, m->set, &budget))
			break;
	}
	return m->set < core->geo.nsets ? HS_AGAIN : hs_meta_copy(core, m->first);
}

static enum hs_step_result hs_meta_written(struct hs_core *core, struct hs_out *out)
{
	struct hs_meta *m = &core->meta;

	if (hs_io_error(&m->req))
		return hs_meta_failed(core, out);
	core->journal.n.table_bytes += (u64)m->run * HS_PAGE;
	return hs_meta_go(core, M_UNITS, HS_DOMAIN_NONE);
}

static enum hs_step_result hs_meta_flushed(struct hs_core *core, struct hs_out *out)
{
	if (!hs_meta_settled(core, out))
		return HS_WAIT;
	if (hs_peek(core->failed))
		return hs_meta_failed(core, out);
	if (core->meta.copy == core->meta.first)
		return hs_meta_copy(core, !core->meta.first);
	core->meta.first = 0;
	return hs_meta_go(core, M_SB, hs_journal_domain(core));
}

/* ---- the superblock -------------------------------------------------------------------------------------- */

static bool hs_mode_switching(const struct hs_core *core)
{
	return hs_peek(core->mode_target) != hs_peek(core->mode_durable);
}

/*
 * A mode without write-back is made durable only when nothing is dirty, nor can become so: a discard may have retired what
 * is still named dirty, and comes back if the cache fails.
 */
static enum hs_step_result hs_meta_drain(struct hs_core *core)
{
	struct hs_meta *m = &core->meta;
	const struct hs_shard *sh = &core->shards[m->shard];

	m->drained &= !sh->writing && !hs_shard_dirty(sh) && !sh->sole;
	if (m->drained && ++m->shard < core->nr_shards)
		return hs_meta_go(core, M_DRAIN, (s32)m->shard);
	return hs_meta_go(core, M_BEGIN, hs_journal_domain(core));
}

static enum hs_step_result hs_meta_begin(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;

	if (hs_peek(core->failed))
		return hs_meta_end(core, out);
	if (j->want_checkpoint)
		return hs_meta_checkpoint(core);
	core->meta.checkpointing = false;
	if (j->want_clean || (j->want_sb && (!hs_mode_switching(core) || core->meta.drained)))
		return hs_meta_go(core, M_SB, hs_journal_domain(core));
	j->want_sb = false;
	return hs_meta_end(core, out);
}

static enum hs_step_result hs_meta_start(struct hs_core *core, struct hs_out *out)
{
	struct hs_meta *m = &core->meta;

	m->drained = hs_mode_switching(core);
	m->mode_gen = core->mode_gen;
	m->target = (u8)hs_peek(core->mode_target);
	m->shard = 0;
	if (m->drained && m->target != HS_MODE_WRITEBACK)
		return hs_meta_go(core, M_DRAIN, 0);
	return hs_meta_begin(core, out);
}

/* The older copy first, then the other: afterwards either serves alone, and only then does the tail move. */
static enum hs_step_result hs_meta_sb_copy(struct hs_core *core)
{
	struct hs_meta *m = &core->meta;

	m->sb.sb_seq++;
	hs_sb_encode(&m->sb, m->buf);
	m->req.nr_io = 0;
	hs_io_page(&m->req, HS_IO_WRITE, HS_SB_OFFSET(m->sb.sb_seq & 1), m->buf, HS_PAGE);
	return hs_meta_io(core, M_SB_WRITTEN);
}

static enum hs_step_result hs_meta_sb(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	struct hs_meta *m = &core->meta;

	/* Never after a metadata write that failed: it would claim what may not be there. */
	if (hs_peek(core->failed))
		return hs_meta_end(core, out);
	/* To and fro meanwhile: blocks may be dirty again. */
	m->drained &= m->mode_gen == core->mode_gen;
	m->sb = core->sb;
	m->sb.tail = m->checkpointing ? m->tail : j->tail;
	m->sb.end = j->applied;
	if (m->drained)
		m->sb.mode = m->target;
	m->mode_writing = m->sb.mode != core->sb.mode;
	m->writing_clean = j->want_clean;
	m->sb.state = m->writing_clean ? HS_SB_CLEAN : 0;
	m->sb.fingerprint = m->writing_clean ? m->fingerprint : 0;
	return hs_meta_sb_copy(core);
}

static enum hs_step_result hs_meta_sb_written(struct hs_core *core, struct hs_out *out)
{
	struct hs_meta *m = &core->meta;

	if (hs_io_error(&m->req))
		return hs_meta_failed(core, out);
	return hs_meta_flush(core, M_SB_FLUSHED);
}

/* Field by field: the commit machine reads the UUID, under no lock. */
static void hs_meta_adopt(struct hs_core *core)
{
	const struct hs_sb *sb = &core->meta.sb;

	core->sb.sb_seq = sb->sb_seq;
	core->sb.tail = sb->tail;
	core->sb.end = sb->end;
	core->sb.mode = sb->mode;
	core->sb.state = sb->state;
	core->sb.fingerprint = sb->fingerprint;
}

static enum hs_step_result hs_meta_done(struct hs_core *core, struct hs_out *out)
{
	struct hs_journal *j = &core->journal;
	struct hs_meta *m = &core->meta;

	if (!hs_meta_settled(core, out))
		return HS_WAIT;
	if (hs_peek(core->failed))
		return hs_meta_failed(core, out);
	if (m->sb.sb_seq - core->sb.sb_seq < 2)
		return hs_meta_sb_copy(core);
	hs_meta_adopt(core);
	m->mode_writing = false;
	j->tail = m->sb.tail;
	j->n.checkpoints += m->checkpointing;
	j->clean_done |= m->writing_clean;
	j->want_sb = false;
	if (m->drained) {
		hs_poke(core->mode_durable, m->sb.mode);
		if (hs_peek(core->mode_target) == m->sb.mode) {
			hs_poke(core->mode, m->sb.mode);
			hs_poke(core->drain_mode, 0);
		}
	}
	if (j->want_checkpoint)
		return hs_meta_go(core, M_START, hs_journal_domain(core));
	return hs_meta_end(core, out);
}

enum hs_step_result hs_meta_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	switch (req->state) {
	case M_START:
		return hs_meta_start(core, out);
	case M_DRAIN:
		return hs_meta_drain(core);
	case M_BEGIN:
		return hs_meta_begin(core, out);
	case M_COLLECT:
		return hs_meta_collect(core);
	case M_UNITS:
		return hs_meta_units(core);
	case M_BUILD:
		return hs_meta_build(core);
	case M_SEAL:
		return hs_meta_seal(core);
	case M_WRITTEN:
		return hs_meta_written(core, out);
	case M_FLUSHED:
		return hs_meta_flushed(core, out);
	case M_SB:
		return hs_meta_sb(core, out);
	case M_SB_WRITTEN:
		return hs_meta_sb_written(core, out);
	default:
		return hs_meta_done(core, out);
	}
}
