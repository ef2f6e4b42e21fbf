// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What goes wrong, and when; and whether an error that reached a user is one that a fault allows. */
#include "sim/sim.h"

#define IO(op)	(1u << HS_IO_##op)

static u64 data_first(const struct sim_world *w)
{
	return w->plan.geo.data_offset >> HS_SECTOR_SHIFT;
}

/* ---- errors -------------------------------------------------------------------------------------------- */

/* For ever, for a while, or a few times. */
static void fail_range(struct sim_world *w, enum hs_io_dev dev, u32 ops, u64 first, u64 end)
{
	u64 until = SIM_FOREVER;
	u32 times = ~0u;

	switch (sim_below(&w->fate, 6)) {
	case 0:
		sim_count(SIM_C_F_PERMANENT);
		break;
	case 1:
	case 2:
		until = w->now + sim_spread(&w->fate, SIM_MS, 20 * SIM_S);
		break;
	default:
		times = sim_between(&w->fate, 1, 3);
		break;
	}
	sim_disk_fail_range(&w->disk[dev], ops, first, end, until, times);
	sim_say(w, dev == HS_CACHE ? "%s*** errors on the cache, ops %llx, %llu to %llu, times %llu" :
				     "%s*** errors on the origin, ops %llx, %llu to %llu, times %llu",
		"", ops, first, end, times);
}

static void fail_some(struct sim_world *w, enum hs_io_dev dev, u32 ops, u64 first, u64 end)
{
	u64 n = hs_min(end - first, sim_spread(&w->fate, 1, 4 * hs_block_sectors(&w->plan.geo)));

	if (sim_one_in(&w->fate, 3)) {
		fail_range(w, dev, ops, first, end);
		return;
	}
	first += sim_random(&w->fate) % (end - first - n + 1);
	fail_range(w, dev, ops, first, first + n);
}

static void fail_meta(struct sim_world *w, u32 ops)
{
	const struct hs_geometry *geo = &w->plan.geo;
	const u64 parts[] = { 0, HS_JOURNAL_OFFSET, geo->table_offset[0], geo->data_offset };
	u32 part = sim_below(&w->fate, 3);

	fail_range(w, HS_CACHE, ops, parts[part] >> HS_SECTOR_SHIFT, parts[part + 1] >> HS_SECTOR_SHIFT);
}

static void fail_flush(struct sim_world *w, enum hs_io_dev dev)
{
	sim_disk_fail_range(&w->disk[dev], IO(FLUSH), 0, 0, SIM_FOREVER, sim_between(&w->fate, 1, 2));
	sim_say(w, dev == HS_CACHE ? "%s*** the cache's next FLUSH fails" : "%s*** the origin's next FLUSH fails",
		"", 0, 0, 0, 0);
}

static void disk_gone(struct sim_world *w, enum hs_io_dev dev)
{
	struct sim_disk *d = &w->disk[dev];

	d->gone_until = w->now + sim_spread(&w->fate, SIM_MS, 30 * SIM_S);
	if (dev == HS_CACHE && sim_one_in(&w->fate, 3))
		d->gone_until = SIM_FOREVER;
	sim_say(w, dev == HS_CACHE ? "%s*** the cache is gone until %llu us" : "%s*** the origin is gone until %llu us",
		"", d->gone_until / SIM_US, 0, 0, 0);
}

static u32 slot_at(const struct sim_world *w, u64 sector)
{
	return (u32)((sector - data_first(w)) >> (w->plan.geo.block_shift - HS_SECTOR_SHIFT));
}

/* What the slots there hold may be lost to the cache: see forget_abandoned. */
static void blocks_hit(struct sim_world *w, u64 sector, u32 sectors)
{
	struct hs_slot_view view;
	u32 slot;

	if (!w->serving || sector < data_first(w))
		return;
	for (slot = slot_at(w, sector); slot <= slot_at(w, sector + sectors - 1); slot++) {
		if (slot >= w->plan.geo.nr_slots)
			break;
		hs_slot_look(w->core, slot, &view);
		w->unreadable[view.block / 8] |= (u8)(1u << view.block % 8);
	}
}

/* Requests that are in flight may fail by it. */
static void note_failed(struct sim_world *w, const struct hs_io *h)
{
	struct sim_failed_io *f = &w->failed_io[w->nr_failed_io++ % SIM_FAILED_IOS];

	*f = (struct sim_failed_io){ ++w->clock, h->sector, SIM_FOREVER, h->sectors, h->dev, h->op };
	if (w->serving && h->dev == HS_CACHE && h->op != HS_IO_FLUSH && h->sector >= data_first(w)) {
		struct hs_slot_view view;

		hs_slot_look(w->core, slot_at(w, h->sector), &view);
		f->block = view.block;
		blocks_hit(w, h->sector, h->sectors);
	}
}

/* ---- silent damage --------------------------------------------------------------------------------------- */

/* A page of metadata, likelier one that counts. */
static u64 meta_sector(struct sim_world *w)
{
	const struct hs_geometry *geo = &w->plan.geo;
	u64 at;

	switch (sim_below(&w->fate, 6)) {
	case 0:
		at = HS_SB_OFFSET(sim_below(&w->fate, 2));
		break;
	case 1:
		at = HS_CONFIRM_OFFSET(sim_below(&w->fate, 2));
		break;
	case 2:
		at = geo->table_offset[sim_below(&w->fate, 2)] +
		     (u64)sim_below(&w->fate, geo->table_units) * HS_PAGE;
		break;
	case 3:		/* what a recovery would read */
		at = HS_JOURNAL_OFFSET + (u64)((w->ring_page + geo->journal_pages - sim_below(&w->fate, 6)) %
					       geo->journal_pages) * HS_PAGE;
		break;
	default:
		at = HS_JOURNAL_OFFSET + (u64)sim_below(&w->fate, geo->journal_pages) * HS_PAGE;
		break;
	}
	return (at >> HS_SECTOR_SHIFT) + sim_below(&w->fate, 2) * sim_below(&w->fate, HS_PAGE_SECTORS);
}

static void rot(struct sim_world *w, bool meta)
{
	struct sim_disk *d = &w->disk[HS_CACHE];
	u64 sector = data_first(w) + sim_random(&w->fate) % (d->sectors - data_first(w));

	if (meta && w->hit_meta)
		return;
	if (meta)
		sector = meta_sector(w);
	w->hit_meta |= meta;
	w->hit_cache = w->damaged = true;
	sim_disk_rot(d, sector, &w->fate);
	blocks_hit(w, sector, 1);
	sim_say(w, "%s*** sector %llu of the cache rots", "", sector, 0, 0, 0);
	sim_count(meta ? SIM_C_F_ROT_META : SIM_C_F_ROT_DATA);
}

/* What has a second copy of metadata: where that is; else the same place. */
static u64 twin_of(const struct sim_world *w, u64 sector)
{
	const struct hs_geometry *geo = &w->plan.geo;
	u32 i;

	for (i = 0; i < 2; i++) {
		u64 sb = HS_SB_OFFSET(i) >> HS_SECTOR_SHIFT, table = geo->table_offset[i] >> HS_SECTOR_SHIFT;

		if (sector - sb < HS_PAGE_SECTORS)
			return sector - sb + (HS_SB_OFFSET(!i) >> HS_SECTOR_SHIFT);
		if (sector - table < (u64)geo->table_units * HS_PAGE_SECTORS)
			return sector - table + (geo->table_offset[!i] >> HS_SECTOR_SHIFT);
	}
	return sector;
}

/* Where a write lands that goes astray: in its own part of the device, but not on its twin, which would be two hits: nowhere. */
static u64 astray_place(struct sim_world *w, const struct hs_io *h)
{
	u64 first = 0, end = data_first(w), to, twin;

	if (h->sector >= end) {
		first = end;
		end = w->disk[HS_CACHE].sectors;
	}
	to = first + sim_random(&w->fate) % (end - first - h->sectors + 1);
	to &= ~(u64)(HS_PAGE_SECTORS - 1);
	twin = twin_of(w, h->sector);
	return twin != h->sector && to < twin + h->sectors && twin < to + h->sectors ? SIM_FOREVER : to;
}

/*
 * What lies there changes under a reader, who may find that it does not match before, and yet we find later that it does:
 * zeroes are the same everywhere.
 */
static void astray_note(struct sim_world *w, u64 sector, u32 sectors)
{
	struct hs_io page = { .dev = HS_CACHE, .op = HS_IO_WRITE, .sector = sector, .sectors = HS_PAGE_SECTORS };

	blocks_hit(w, sector, sectors);
	for (; page.sector < sector + sectors; page.sector += HS_PAGE_SECTORS)
		note_failed(w, &page);
}

void sim_fault_write(struct sim_world *w, struct sim_io *io, const struct hs_io *h)
{
	bool meta = h->sector < data_first(w);
	u32 lost = 1u << (meta ? SIM_F_LOST_META : SIM_F_LOST_DATA);
	u32 astray = 1u << (meta ? SIM_F_ASTRAY_META : SIM_F_ASTRAY_DATA);
	u64 page = h->sector / HS_PAGE_SECTORS - HS_JOURNAL_OFFSET / HS_PAGE;

	if (h->dev == HS_CACHE && page < w->plan.geo.journal_pages)
		w->ring_page = (u32)page;
	if (h->dev != HS_CACHE || !(w->armed & (lost | astray)) || w->format || (meta && w->hit_meta))
		return;
	if (w->armed & lost) {
		io->lost = true;
		sim_count(meta ? SIM_C_F_LOST_META : SIM_C_F_LOST_DATA);
	} else {
		io->astray = astray_place(w, h);
		io->lost = io->astray == SIM_FOREVER;
		sim_count(meta ? SIM_C_F_ASTRAY_META : SIM_C_F_ASTRAY_DATA);
	}
	sim_say(w, "%s*** the write at %llu + %llu is not done, or at %lld", "", h->sector, h->sectors,
		io->astray, 0);
	w->armed &= ~(lost | astray);
	blocks_hit(w, h->sector, h->sectors);
	if (io->astray != SIM_FOREVER)
		astray_note(w, io->astray, h->sectors);
	w->hit_meta |= meta;
	w->hit_cache = w->damaged = true;
}

/* ---- choosing ---------------------------------------------------------------------------------------------- */

static void inject(struct sim_world *w, enum sim_fault fault)
{
	u64 origin = w->disk[HS_ORIGIN].sectors, cache = w->disk[HS_CACHE].sectors;

	switch (fault) {
	case SIM_F_ORIGIN_READ:
		fail_some(w, HS_ORIGIN, IO(READ), 0, origin);
		break;
	case SIM_F_ORIGIN_WRITE:
		fail_some(w, HS_ORIGIN, IO(WRITE) | IO(DISCARD) | IO(ZERO), 0, origin);
		break;
	case SIM_F_ORIGIN_FLUSH:
		fail_flush(w, HS_ORIGIN);
		break;
	case SIM_F_ORIGIN_GONE:
		disk_gone(w, HS_ORIGIN);
		break;
	case SIM_F_CACHE_READ:
		fail_some(w, HS_CACHE, IO(READ), data_first(w), cache);
		break;
	case SIM_F_CACHE_WRITE:
		fail_some(w, HS_CACHE, IO(WRITE), data_first(w), cache);
		break;
	case SIM_F_META_READ:
		fail_meta(w, IO(READ));
		break;
	case SIM_F_META_WRITE:
		fail_meta(w, IO(WRITE));
		break;
	case SIM_F_CACHE_FLUSH:
		fail_flush(w, HS_CACHE);
		break;
	case SIM_F_CACHE_GONE:
		disk_gone(w, HS_CACHE);
		break;
	case SIM_F_ROT_DATA:
	case SIM_F_ROT_META:
		rot(w, fault == SIM_F_ROT_META);
		break;
	default:
		w->armed |= 1u << fault;
		break;
	}
}

void sim_fault_inject(struct sim_world *w)
{
	u32 fault = sim_below(&w->fate, SIM_F_COUNT), i;

	for (i = 0; i < SIM_F_COUNT; i++, fault = (fault + 1) % SIM_F_COUNT)
		if (w->plan.faults >> fault & 1)
			break;
	if (i == SIM_F_COUNT)
		return;
	if (fault < SIM_F_ROT_DATA)
		sim_count(SIM_C_F_ORIGIN_READ + fault);
	inject(w, (enum sim_fault)fault);
}

void sim_faults_heal(struct sim_world *w)
{
	sim_disk_heal(&w->disk[HS_CACHE], w->now);
	sim_disk_heal(&w->disk[HS_ORIGIN], w->now);
	w->armed = 0;
}

/* Is something wrong that will pass? What lasts for ever must not keep anyone waiting. */
bool sim_faults_now(const struct sim_world *w)
{
	u32 dev, i;

	for (dev = 0; dev < 2; dev++) {
		const struct sim_disk *d = &w->disk[dev];

		if (d->gone_until > w->now && d->gone_until != SIM_FOREVER)
			return true;
		for (i = 0; i < SIM_ERRORS; i++)
			if (d->error[i].ops && d->error[i].until != SIM_FOREVER &&
			    d->error[i].until > w->now)
				return true;
	}
	return false;
}

/* ---- judging ------------------------------------------------------------------------------------------------- */

void sim_fault_note(struct sim_world *w, const struct hs_io *h)
{
	note_failed(w, h);
	if (h->dev == HS_ORIGIN && (h->op == HS_IO_FLUSH || (h->flags & HS_IO_FUA)))
		w->flush_failed = w->clock;
	/* What recovery cannot read it cannot verify: it is named all the same, torn or not. */
	w->damaged |= !w->serving && h->dev == HS_CACHE && h->op == HS_IO_READ && h->sector >= data_first(w);
	w->last_error = w->now;
	if (!w->disk[h->dev].for_ever)
		w->last_fault = w->now;
	w->damaged |= h->dev == HS_CACHE && h->op != HS_IO_READ;
}

/* Does the failed I/O touch what the request asks for? A write may need the rest of its block. */
static bool failed_touches(struct sim_world *w, const struct sim_failed_io *f, const struct hs_req *r)
{
	const struct hs_geometry *geo = &w->plan.geo;
	u32 shift = geo->block_shift - HS_SECTOR_SHIFT;
	u64 first = r->sector.nr, end = first + r->sectors;

	if (f->op == HS_IO_FLUSH)
		return r->flags & HS_REQ_FUA;
	if (r->op != HS_OP_READ) {
		first = first >> shift << shift;
		end = hs_round_up(end, 1u << shift);
	}
	if (f->dev == HS_CACHE)
		return f->block >= first >> shift && f->block <= (end - 1) >> shift;
	return f->sector < end && first < f->sector + f->sectors;
}

static bool failed_since(struct sim_world *w, const struct sim_req *q)
{
	u32 i, n = (u32)hs_min(w->nr_failed_io, SIM_FAILED_IOS);

	for (i = 0; i < n; i++)
		if (w->failed_io[i].clock > q->begin && failed_touches(w, &w->failed_io[i], &q->r))
			return true;
	return w->nr_failed_io > SIM_FAILED_IOS && w->failed_io[0].clock > q->begin;
}

/* Does one of these units of the slot not match its checksum? Damage goes along when a block is copied. */
static bool slot_units_bad(struct sim_world *w, u32 slot, const struct hs_slot_view *view, u32 unit, u32 end)
{
	u64 first = view->block << (w->plan.geo.block_shift - HS_UNIT_SHIFT);
	u8 data[HS_UNIT_BYTES];

	for (; unit < end; unit++) {
		sim_disk_read(&w->disk[HS_CACHE], hs_slot_sector(w->core, slot) + unit * HS_UNIT_SECTORS,
			      HS_UNIT_SECTORS, data);
		if (hs_unit_crc(w->core, first + unit, data) != view->crcs[unit])
			return true;
	}
	return false;
}

/* Is what the request needs in a dirty slot that is damaged? A write may need the whole block. */
static bool slot_damaged(struct sim_world *w, const struct sim_req *q)
{
	const struct hs_geometry *geo = &w->plan.geo;
	u32 slot, shift = geo->block_shift - HS_SECTOR_SHIFT;
	u32 from = (u32)q->r.sector.nr & ((1u << shift) - 1), end = from + q->r.sectors;
	struct hs_slot_view view;

	if (!w->damaged)
		return false;
	from = q->r.op == HS_OP_READ ? from / HS_UNIT_SECTORS : 0;
	end = q->r.op == HS_OP_READ ? (end + HS_UNIT_SECTORS - 1) / HS_UNIT_SECTORS :
				      hs_block_units(geo, q->r.sector.nr >> shift);
	for (slot = 0; slot < geo->nr_slots; slot++) {
		hs_slot_look(w->core, slot, &view);
		if (view.named && view.dirty && view.block == q->r.sector.nr >> shift)
			return view.crcs && slot_units_bad(w, slot, &view, from, end);
	}
	return false;
}

static bool block_dirty(const struct sim_world *w, u64 block)
{
	struct hs_slot_view view;
	u32 slot;

	for (slot = 0; slot < w->plan.geo.nr_slots; slot++) {
		hs_slot_look(w->core, slot, &view);
		if (view.named && view.dirty && view.block == block)
			return true;
	}
	return false;
}

/*
 * Write-back fails, or blocks are lost: whoever waits for a slot for a dirty block, or for a clean block, may be sent away in
 * the end. What is not dirty can go to the origin.
 */
static bool may_tire(struct sim_world *w, const struct sim_req *q)
{
	struct hs_counters sum = { 0 };
	u32 i;

	/* The core's clock may be a tick behind. */
	if (q->r.op != HS_OP_WRITE || w->now - q->since + 300 * SIM_MS < w->plan.tun.slot_wait_ns ||
	    !block_dirty(w, q->r.first))
		return false;
	for (i = 0; i < hs_core_shards(w->core); i++)
		hs_core_count(w->core, (s32)i, &sum);
	return sum.lost || w->last_error + w->plan.tun.slot_wait_ns + 70 * SIM_S > w->now;
}

/*
 * A failed cache keeps no write waiting in vain: with an origin that takes everything, and nothing lost, all gets
 * written back, and then the cache can be abandoned.
 */
static bool failed_allows(struct sim_world *w, const struct sim_req *q)
{
	u64 wait = w->plan.tun.slot_wait_ns, error = w->disk[HS_ORIGIN].last_error;
	struct hs_counters sum = { 0 };
	u32 i;

	if (q->r.op == HS_OP_READ || !hs_core_failed(w->core))
		return false;
	if (q->r.op != HS_OP_WRITE || w->abandoned || hs_core_abandon_due(w->core) || wait < 30 * SIM_S ||
	    w->now - q->since < wait || (error && error + wait + 70 * SIM_S > w->now) || block_dirty(w, q->r.first))
		return true;
	for (i = 0; i < hs_core_shards(w->core); i++)
		hs_core_count(w->core, (s32)i, &sum);
	return sum.lost;
}

void sim_fault_judge(struct sim_world *w, const struct sim_req *q)
{
	bool allowed;

	if (q->r.error != -EIO)
		sim_fail(w, "%s #%u ended with %d", sim_op_name(q->r.op), q->nr, q->r.error);
	if (q->r.op == HS_OP_FLUSH)
		allowed = hs_core_failed(w->core) || w->flush_failed > q->flushed;
	else
		allowed = hs_core_failed(w->core) && q->r.op != HS_OP_READ ? failed_allows(w, q) :
			  failed_since(w, q) || slot_damaged(w, q) || may_tire(w, q);
	if (!allowed)
		sim_fail(w, "%s #%u at %llu + %u failed, but no fault touches it", sim_op_name(q->r.op), q->nr,
			 (unsigned long long)q->r.sector.nr, q->r.sectors);
}
