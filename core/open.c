// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Opening: load the table, replay the journal, build the map; then claim the device.
 *
 *	CONFIRM -> UNITS (both copies, the newer wins) -> HEAD -> BODY -> HEAD -> ... -> end of the journal
 *	        -> [SCAN for transactions behind the end] -> [VERIFY the last one's data] -> BUILD -> done
 *	claim:  FLUSH -> superblock with a new incarnation and this end -> FLUSH -> the other copy -> FLUSH
 *
 * A transaction is applied once it is proven: by a later one, a confirm record, a table unit that has seen
 * it, or the superblock. Only the last may lack proof: its data, which may not have been flushed, are then
 * compared with its checksums, and it is dropped whole if any differ, for it was never acknowledged. Data that
 * cannot be read say nothing.
 * Everything that was proven must be there: a gap means damage, and is refused.
 */
#include "core/internal.h"

enum {
	L_CONFIRM, L_CONFIRMED, L_UNITS, L_UNITS_READ, L_HEAD, L_HEAD_READ, L_BODY_READ, L_SCAN,
	L_SCAN_READ, L_VERIFY, L_VERIFY_READ, L_BUILD,
	K_FLUSH, K_WRITE, K_WRITTEN, K_FLUSHED,
};

#define L_RUN_UNITS	(HS_META_BYTES / 2 / HS_PAGE)
#define L_SCAN_PAGES	(HS_WB_BYTES / HS_PAGE)

static enum hs_step_result hs_open_go(struct hs_core *core, u8 state)
{
	core->open.req.state = state;
	return HS_AGAIN;
}

static enum hs_step_result hs_open_io(struct hs_core *core, u8 state)
{
	core->open.req.state = state;
	return HS_IO;
}

static enum hs_step_result hs_open_end(struct hs_core *core, s32 error, const char *why)
{
	core->open.req.error = error;
	core->open.why = why;
	return HS_DONE;
}

static u8 *hs_open_buf(struct hs_core *core, u32 which)
{
	return which ? core->meta.buf : core->commit.buf;
}

/* ---- confirm records ------------------------------------------------------------------------------------- */

static enum hs_step_result hs_open_confirm(struct hs_core *core)
{
	u32 i;

	core->open.req.nr_io = 0;
	for (i = 0; i < 2; i++)
		hs_io_page(&core->open.req, HS_IO_READ, HS_CONFIRM_OFFSET(i),
			   core->meta.buf + (size_t)i * HS_PAGE, HS_PAGE);
	return hs_open_io(core, L_CONFIRMED);
}

static enum hs_step_result hs_open_confirmed(struct hs_core *core)
{
	struct hs_open *o = &core->open;
	u32 i;

	o->proven = core->sb.end.seq - 1;
	/* An unreadable confirm record proves nothing, and need not. */
	for (i = 0; i < 2; i++)
		if (!o->req.io[i].error)
			o->proven = hs_max(o->proven,
					   hs_confirm_decode(core->meta.buf + (size_t)i * HS_PAGE,
							     &core->sb));
	return hs_open_go(core, L_UNITS);
}

/* ---- table ------------------------------------------------------------------------------------------------- */

static enum hs_step_result hs_open_units(struct hs_core *core)
{
	struct hs_open *o = &core->open;
	u32 copy;

	if (o->unit == core->geo.table_units) {
		o->pos = core->sb.tail;
		o->pages_left = core->geo.journal_pages;
		return hs_open_go(core, L_HEAD);
	}
	o->run = o->unit < o->single ? 1 : (u32)hs_min(L_RUN_UNITS, core->geo.table_units - o->unit);
	o->req.nr_io = 0;
	for (copy = 0; copy < 2; copy++)
		hs_io_page(&o->req, HS_IO_READ,
			   core->geo.table_offset[copy] + (u64)o->unit * HS_PAGE,
			   core->meta.buf + (size_t)copy * L_RUN_UNITS * HS_PAGE,
			   o->run * HS_PAGE);
	return hs_open_io(core, L_UNITS_READ);
}

/* A slot's name as read from the device, before the index is built: state and tag only. */
static void hs_raw_put(struct hs_core *core, u32 slot, enum hs_dstate dur, u64 block, const u8 *crcs)
{
	struct hs_set *st = hs_set_at(core, slot >> core->geo.assoc_shift);
	u16 way = (u16)(slot & (hs_assoc(&core->geo) - 1));
	u32 i;

	st->way[way].state = hs_with_dur(0, dur);
	st->way[way].tag_lo = (u32)block;
	hs_tag_hi(core, st)[way] = (u8)(block >> 32);
	if (crcs)
		for (i = 0; i < core->geo.units_per_block; i++)
			hs_slot_crcs(core, st, way)[i] = (u32)hs_get(crcs + 4 * i, 4);
}

static bool hs_open_unit_load(struct hs_core *core, u8 *page, u32 unit)
{
	const struct hs_geometry *geo = &core->geo;
	u32 slot = unit * geo->entries_per_unit;
	u32 n = (u32)hs_min(geo->entries_per_unit, geo->nr_slots - slot), i;

	for (i = 0; i < n; i++) {
		const u8 *e = hs_unit_entry(page, geo, i);
		u64 block;

		if (e[0] == HS_D_NONE)
			continue;
		block = hs_get_block(e + 1);
		if (e[0] >= HS_D_COUNT || block >= geo->nr_blocks)
			return false;
		hs_raw_put(core, slot + i, (enum hs_dstate)e[0], block,
			   geo->checksums ? e + HS_ENTRY_BYTES : NULL);
	}
	return true;
}

/* The newer valid copy; a lone one serves, that is what the mirror is for. */
static u8 *hs_open_unit_pick(struct hs_core *core, u32 i)
{
	struct hs_open *o = &core->open;
	u8 *page[2], *best = NULL;
	struct hs_unit_info info;
	u64 seq = 0;
	u32 copy;

	for (copy = 0; copy < 2; copy++) {
		page[copy] = core->meta.buf + (size_t)(copy * L_RUN_UNITS + i) * HS_PAGE;
		if (o->req.io[copy].error ||
		    hs_unit_open(page[copy], &core->sb, o->unit + i, copy, &info)) {
			o->report.unit_copies_bad++;
			hs_bit_set(core->udirty, o->unit + i);
			core->meta.first |= copy;
			continue;
		}
		o->proven = hs_max(o->proven, info.newest);
		/* The next checkpoint mends a bad or older copy before it gives up the journal for it. */
		if (best && info.seq != seq)
			hs_bit_set(core->udirty, o->unit + i);
		if (best && info.seq <= seq)
			continue;
		best = page[copy];
		seq = info.seq;
	}
	core->unit_seq[o->unit + i] = seq;
	return best;
}

static enum hs_step_result hs_open_units_read(struct hs_core *core)
{
	struct hs_open *o = &core->open;
	u32 i;

	/* Which of them cannot be read? The others' mirrors should not be all that is left of them. */
	if (hs_io_error(&o->req) && o->run > 1) {
		o->single = o->unit + o->run;
		return hs_open_go(core, L_UNITS);
	}
	for (i = 0; i < o->run; i++) {
		u8 *page = hs_open_unit_pick(core, i);

		/* One that cannot be read may be good, and readable another time. */
		if (!page && hs_io_error(&o->req))
			return hs_open_end(core, -EIO, "no good copy of a slot table unit can be read");
		if (!page)
			return hs_open_end(core, -EUCLEAN,
					   "both copies of a slot table unit are damaged");
		if (!hs_open_unit_load(core, page, o->unit + i))
			return hs_open_end(core, -EUCLEAN, "a slot table entry is out of range");
	}
	o->unit += o->run;
	return hs_open_go(core, L_UNITS);
}

/* ---- journal ------------------------------------------------------------------------------------------------ */

/* Has the slot's table unit this transaction in it already? If not, the unit is dirty now. */
static bool hs_open_is_news(struct hs_core *core, const struct hs_tx_info *tx, u32 slot)
{
	u32 unit = slot / core->geo.entries_per_unit;

	if (tx->seq <= core->unit_seq[unit])
		return false;
	hs_bit_set(core->udirty, unit);
	return true;
}

static void hs_raw_state(struct hs_core *core, u32 slot, enum hs_dstate dur)
{
	struct hs_set *st = hs_set_at(core, slot >> core->geo.assoc_shift);

	st->way[slot & (hs_assoc(&core->geo) - 1)].state = hs_with_dur(0, dur);
}

static void hs_open_apply(struct hs_core *core, const u8 *buf, const struct hs_tx_info *tx)
{
	u32 off = HS_TX_HEADER, i;
	struct hs_record rec;

	for (i = 0; i < tx->records; i++) {
		off += hs_record_get(buf + off, tx->bytes - off, &core->geo, &rec);
		if (rec.prev != HS_REC_NO_PREV && hs_open_is_news(core, tx, hs_record_prev(&core->geo, &rec)))
			hs_raw_state(core, hs_record_prev(&core->geo, &rec), HS_D_NONE);
		if (!hs_open_is_news(core, tx, rec.slot))
			continue;
		if (rec.kind == HS_REC_NAME)
			hs_raw_put(core, rec.slot, (enum hs_dstate)rec.state, rec.block, rec.crcs);
		else
			hs_raw_state(core, rec.slot, (enum hs_dstate)rec.state);
	}
	core->open.report.transactions++;
}

static bool hs_open_well_formed(struct hs_core *core, const u8 *buf, const struct hs_tx_info *tx)
{
	u32 off = HS_TX_HEADER, i;
	struct hs_record rec;

	for (i = 0; i < tx->records; i++) {
		u32 bytes = hs_record_get(buf + off, tx->bytes - off, &core->geo, &rec);

		if (!bytes)
			return false;
		off += bytes;
	}
	return off == tx->bytes;
}

static enum hs_step_result hs_open_head(struct hs_core *core)
{
	struct hs_open *o = &core->open;

	if (!o->pages_left)
		return hs_open_go(core, L_SCAN);
	o->req.nr_io = 0;
	hs_io_ring(core, &o->req, HS_IO_READ, o->pos.page, hs_open_buf(core, o->cur), 1);
	return hs_open_io(core, L_HEAD_READ);
}

/* Does this header continue the chain? */
static bool hs_open_continues(const struct hs_core *core, const struct hs_tx_info *tx)
{
	const struct hs_open *o = &core->open;

	if (tx->seq != o->pos.seq || tx->prev_crc != o->pos.prev_crc)
		return false;
	if (tx->seq >= core->sb.inc_seq)
		return tx->incarnation == core->sb.incarnation;
	return tx->incarnation < core->sb.incarnation;
}

static enum hs_step_result hs_open_journal_end(struct hs_core *core)
{
	struct hs_open *o = &core->open;

	if (o->pos.seq <= o->proven)
		return hs_open_end(core, -EUCLEAN, "a durable transaction is missing from the journal");
	o->page = hs_ring_add(core, o->pos.page, 1);
	return hs_open_go(core, L_SCAN);
}

static enum hs_step_result hs_open_body_read(struct hs_core *core)
{
	struct hs_open *o = &core->open;
	struct hs_tx_info *tx = &o->tx[o->cur];
	u8 *buf = hs_open_buf(core, o->cur);
	u32 pages = hs_tx_pages(tx->bytes);

	if (hs_io_error(&o->req))
		return hs_open_end(core, -EIO, "the journal cannot be read");
	if (!hs_tx_valid(buf, tx) || !hs_open_well_formed(core, buf, tx)) {
		o->report.torn_tail = true;
		return hs_open_journal_end(core);
	}
	if (o->held)
		hs_open_apply(core, hs_open_buf(core, o->cur ^ 1), &o->tx[o->cur ^ 1]);
	o->held = true;
	o->held_pos = o->pos;
	o->pos.seq++;
	o->pos.page = hs_ring_add(core, o->pos.page, pages);
	o->pos.prev_crc = tx->crc;
	o->pages_left -= pages;
	o->cur ^= 1;
	return hs_open_go(core, L_HEAD);
}

static enum hs_step_result hs_open_head_read(struct hs_core *core)
{
	struct hs_open *o = &core->open;
	struct hs_tx_info *tx = &o->tx[o->cur];
	u8 *buf = hs_open_buf(core, o->cur);
	u32 pages;

	if (hs_io_error(&o->req))
		return hs_open_end(core, -EIO, "the journal cannot be read");
	if (hs_tx_peek(buf, &core->sb, tx))
		return hs_open_journal_end(core);
	/* The superblock that began that incarnation was durable before it, and is lost. */
	if (tx->incarnation > core->sb.incarnation)
		return hs_open_end(core, -EUCLEAN, "the newest superblock is damaged");
	if (!hs_open_continues(core, tx))
		return hs_open_journal_end(core);
	pages = hs_tx_pages(tx->bytes);
	if (pages > o->pages_left || pages > HS_TX_PAGES_MAX)
		return hs_open_journal_end(core);
	if (pages == 1)
		return hs_open_body_read(core);
	o->req.nr_io = 0;
	hs_io_ring(core, &o->req, HS_IO_READ, hs_ring_add(core, o->pos.page, 1), buf + HS_PAGE,
		   pages - 1);
	return hs_open_io(core, L_BODY_READ);
}

/* Behind the end only older things may lie: a later transaction was begun only after this was durable. */
static enum hs_step_result hs_open_scan(struct hs_core *core)
{
	struct hs_open *o = &core->open;

	if (o->pages_left <= 1 || o->report.clean_stop)
		return hs_open_go(core, L_VERIFY);
	o->run = (u32)hs_min(L_SCAN_PAGES, hs_min(o->pages_left - 1,
						  core->geo.journal_pages - o->page));
	o->req.nr_io = 0;
	hs_io_ring(core, &o->req, HS_IO_READ, o->page, core->wb[0].buf, o->run);
	return hs_open_io(core, L_SCAN_READ);
}

static enum hs_step_result hs_open_scan_read(struct hs_core *core)
{
	struct hs_open *o = &core->open;
	struct hs_tx_info tx;
	u32 i;

	if (hs_io_error(&o->req))
		return hs_open_end(core, -EIO, "the journal cannot be read");
	for (i = 0; i < o->run; i++)
		if (!hs_tx_peek(core->wb[0].buf + (size_t)i * HS_PAGE, &core->sb, &tx) &&
		    tx.incarnation == core->sb.incarnation && tx.seq > o->pos.seq)
			return hs_open_end(core, -EUCLEAN,
					   "valid transactions lie behind a gap in the journal");
	o->page = hs_ring_add(core, o->page, o->run);
	o->pages_left -= o->run;
	return hs_open_go(core, L_SCAN);
}

/* ---- the last transaction ---------------------------------------------------------------------------------- */

static enum hs_step_result hs_open_settle(struct hs_core *core, bool keep)
{
	struct hs_open *o = &core->open;

	if (keep) {
		hs_open_apply(core, hs_open_buf(core, o->cur ^ 1), &o->tx[o->cur ^ 1]);
	} else {
		o->pos = o->held_pos;
		o->report.dropped_last = true;
	}
	o->held = false;
	o->set = 0;
	return hs_open_go(core, L_BUILD);
}

/* Reads the data of the next NAME record, if any is left. */
static enum hs_step_result hs_open_verify(struct hs_core *core)
{
	struct hs_open *o = &core->open;
	const struct hs_tx_info *tx = &o->tx[o->cur ^ 1];
	const u8 *buf = hs_open_buf(core, o->cur ^ 1);

	if (!o->held)
		return hs_open_go(core, L_BUILD);
	if (tx->seq <= o->proven || !core->geo.checksums)
		return hs_open_settle(core, true);
	if (!o->off) {
		o->off = HS_TX_HEADER;
		o->left = tx->records;
	}
	while (o->left) {
		o->off += hs_record_get(buf + o->off, tx->bytes - o->off, &core->geo, &o->rec);
		o->left--;
		if (o->rec.kind != HS_REC_NAME || o->rec.state == HS_D_LOST)
			continue;
		o->req.set = o->rec.slot >> core->geo.assoc_shift;
		o->req.first = o->rec.block;
		o->req.csum = core->wb[0].csum;
		o->req.nr_io = 0;
		hs_io_cache(core, &o->req, HS_IO_READ,
			    (u16)(o->rec.slot & (hs_assoc(&core->geo) - 1)), 0,
			    hs_block_units(&core->geo, o->rec.block), HS_BUF_MEM);
		o->req.io[0].mem = core->wb[0].buf;
		return hs_open_io(core, L_VERIFY_READ);
	}
	return hs_open_settle(core, true);
}

static enum hs_step_result hs_open_verify_read(struct hs_core *core)
{
	struct hs_open *o = &core->open;
	u32 i;

	/*
	 * An error proves nothing: the transaction may have been acknowledged. What was never flushed with it shows in
	 * the other data, or fails its checksum later, which costs that block alone.
	 */
	if (hs_io_error(&o->req))
		return hs_open_go(core, L_VERIFY);
	for (i = 0; i < o->req.io[0].csum_units; i++)
		if (o->req.csum[i] != (u32)hs_get(o->rec.crcs + 4 * i, 4))
			return hs_open_settle(core, false);
	return hs_open_go(core, L_VERIFY);
}

/* ---- the map -------------------------------------------------------------------------------------------------- */

static void hs_open_build_set(struct hs_core *core, u32 set)
{
	struct hs_shard *sh = &core->shards[hs_set_shard(core, set)];
	struct hs_set *st = hs_set_at(core, set);
	u32 i;

	st->free_head = HS_NIL;
	for (i = hs_assoc(&core->geo); i-- > 0;) {
		u16 way = (u16)i;
		enum hs_dstate dur = hs_dur(st->way[way].state);
		u64 block = hs_tag(core, st, way);

		if (dur != HS_D_NONE && (hs_block_set(&core->geo, block) != set ||
					 hs_set_find_any(core, st, block, HS_NIL) != HS_NIL)) {
			core->open.report.map_conflicts++;
			dur = HS_D_NONE;
		}
		if (dur == HS_D_NONE) {
			st->way[way].state = HS_FREE;
			st->way[way].next = st->free_head;
			st->free_head = way;
			continue;
		}
		hs_set_index(core, st, way, block);
		hs_slot_load(core, sh, set, way, dur);
	}
}

static enum hs_step_result hs_open_build(struct hs_core *core)
{
	struct hs_open *o = &core->open;
	u32 budget = core->step_budget;

	for (; o->set < core->geo.nsets && budget; o->set++, budget--)
		hs_open_build_set(core, o->set);
	if (o->set < core->geo.nsets)
		return HS_AGAIN;
	core->sb.end = o->pos;
	hs_journal_init(core);
	core->journal.heal = o->report.unit_copies_bad;
	hs_poke(core->durable_seq, o->pos.seq - 1);
	return hs_open_end(core, 0, NULL);
}

/* ---- claim ------------------------------------------------------------------------------------------------------ */

static enum hs_step_result hs_claim_flush(struct hs_core *core, u8 then)
{
	core->open.req.nr_io = 0;
	hs_io_flush(&core->open.req, HS_CACHE);
	return hs_open_io(core, then);
}

/* The older copy first, then the other: afterwards either serves alone. */
static enum hs_step_result hs_claim_write(struct hs_core *core)
{
	struct hs_open *o = &core->open;

	if (hs_io_error(&o->req))
		return hs_open_end(core, -EIO, "the cache device cannot be flushed");
	o->sb.sb_seq++;
	hs_sb_encode(&o->sb, core->meta.buf);
	o->req.nr_io = 0;
	hs_io_page(&o->req, HS_IO_WRITE, HS_SB_OFFSET(o->sb.sb_seq & 1), core->meta.buf, HS_PAGE);
	return hs_open_io(core, K_WRITTEN);
}

static enum hs_step_result hs_claim_step(struct hs_core *core)
{
	struct hs_open *o = &core->open;

	switch (o->req.state) {
	case K_FLUSH:
		if (o->report.map_conflicts)
			return hs_open_end(core, -EUCLEAN, "the map contradicts itself");
		o->sb = core->sb;
		o->sb.state = 0;
		o->sb.fingerprint = 0;
		o->sb.incarnation++;
		o->sb.inc_seq = o->sb.end.seq;
		return hs_claim_flush(core, K_WRITE);
	case K_WRITE:
		return hs_claim_write(core);
	case K_WRITTEN:
		if (hs_io_error(&o->req))
			return hs_open_end(core, -EIO, "the superblock cannot be written");
		return hs_claim_flush(core, K_FLUSHED);
	default:
		if (hs_io_error(&o->req) || o->sb.sb_seq - core->sb.sb_seq < 2)
			return hs_claim_write(core);
		core->sb = o->sb;
		return hs_open_end(core, 0, NULL);
	}
}

enum hs_step_result hs_open_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	switch (req->state) {
	case L_CONFIRM:
		return hs_open_confirm(core);
	case L_CONFIRMED:
		return hs_open_confirmed(core);
	case L_UNITS:
		return hs_open_units(core);
	case L_UNITS_READ:
		return hs_open_units_read(core);
	case L_HEAD:
		return hs_open_head(core);
	case L_HEAD_READ:
		return hs_open_head_read(core);
	case L_BODY_READ:
		return hs_open_body_read(core);
	case L_SCAN:
		return hs_open_scan(core);
	case L_SCAN_READ:
		return hs_open_scan_read(core);
	case L_VERIFY:
		return hs_open_verify(core);
	case L_VERIFY_READ:
		return hs_open_verify_read(core);
	case L_BUILD:
		return hs_open_build(core);
	default:
		return hs_claim_step(core);
	}
}

struct hs_req *hs_core_open(struct hs_core *core)
{
	struct hs_open *o = &core->open;

	o->req.state = L_CONFIRM;
	o->req.domain = HS_DOMAIN_NONE;
	o->report.clean_stop = core->sb.state & HS_SB_CLEAN;
	return &o->req;
}

struct hs_req *hs_core_claim(struct hs_core *core)
{
	core->open.req.state = K_FLUSH;
	return &core->open.req;
}

const char *hs_core_open_why(const struct hs_core *core)
{
	return core->open.why;
}

const struct hs_open_report *hs_core_report(const struct hs_core *core)
{
	return &core->open.report;
}
