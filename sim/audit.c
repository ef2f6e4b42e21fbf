// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The durable map, looked at directly: a cut is imagined at this very moment, a second core opens what it would
 * leave (reads only, nothing of the world is touched), and every sector is compared with the truth:
 *
 *	named clean	the slot holds what the origin durably holds, whatever that cut takes of the origin (R2, R3)
 *	named dirty	the last flushed value or a later one (R1, R4)
 *	not named	the origin holds that
 *
 * The same eyes look at the cache that was just opened for service, and at the origin after its last stop.
 */
#include <stdlib.h>

#include "sim/sim.h"

#define NO_SLOT		0xffffffffu

/* A map and the disks under it. */
struct look {
	struct sim_world *w;
	struct hs_core *core;
	const struct sim_cut *cut[2];	/* NULL: the disk as it is */
	u64 claims;
	const char *how;
	u32 *slot;			/* of each block */
};

static struct sim_content look_at(const struct look *l, enum hs_io_dev dev, u64 sector)
{
	return sim_disk_after(&l->w->disk[dev], l->cut[dev], sector);
}

static void look_unit_at(const struct look *l, u64 slot, u32 unit, struct sim_content c[HS_UNIT_SECTORS])
{
	u32 i;

	for (i = 0; i < HS_UNIT_SECTORS; i++)
		c[i] = look_at(l, HS_CACHE, slot + unit * HS_UNIT_SECTORS + i);
}

/* ---- a second core ------------------------------------------------------------------------------------- */

/* The memory of a core, used again from world to world; its content is undefined. */
void *sim_core_memory(struct sim_memory *m, size_t bytes)
{
	if (bytes > m->room) {
		free(m->mem);
		m->room = hs_round_up(bytes, HS_MIB);
		m->mem = aligned_alloc(HS_PAGE, m->room);
		if (!m->mem)
			abort();
	}
	return m->mem;
}

static void audit_io(const struct look *l, struct hs_io *h)
{
	struct sim_content c[HS_UNIT_SECTORS];
	u32 i;

	if (h->op != HS_IO_READ || h->dev != HS_CACHE)
		sim_fail(l->w, "opening writes, before it is claimed");
	h->error = 0;
	if (!h->csum) {
		sim_disk_read_after(&l->w->disk[HS_CACHE], l->cut[HS_CACHE], h->sector, h->sectors,
				    (u8 *)h->mem + h->buf_off);
		return;
	}
	/* Of what users store only the sums are asked for. */
	for (i = 0; i < h->csum_units; i++) {
		look_unit_at(l, h->sector, i, c);
		h->csum[i] = sim_unit_crc(l->core, h->csum_first + i, c);
	}
}

static s32 audit_open(const struct look *l)
{
	struct hs_req *req = hs_core_open(l->core);
	enum hs_step_result ret;
	struct hs_out out;
	u32 i;

	hs_out_init(&out);
	while ((ret = hs_step(l->core, req, &out)) != HS_DONE)
		for (i = 0; ret == HS_IO && i < req->nr_io; i++)
			audit_io(l, &req->io[i]);
	return req->error;
}

int sim_superblock(struct sim_world *w, const struct sim_cut *cut, struct hs_sb *sb, unsigned int *bad)
{
	u8 page[2][HS_PAGE];
	u32 i;

	for (i = 0; i < 2; i++)
		sim_disk_read_after(&w->disk[HS_CACHE], cut, HS_SB_OFFSET(i) >> HS_SECTOR_SHIFT,
				    HS_PAGE_SECTORS, page[i]);
	return hs_sb_pick(page[0], page[1], sb, bad);
}

/* ---- sectors --------------------------------------------------------------------------------------------- */

static void look_map(struct look *l)
{
	const struct hs_geometry *geo = &l->w->plan.geo;
	struct hs_slot_view view;
	u32 slot;

	memset(l->slot, 0xff, geo->nr_blocks * sizeof(*l->slot));
	for (slot = 0; slot < geo->nr_slots; slot++) {
		hs_slot_look(l->core, slot, &view);
		if (!view.named)
			continue;
		if (l->slot[view.block] != NO_SLOT)
			sim_fail(l->w, "%s: block %llu is in two slots", l->how,
				 (unsigned long long)view.block);
		l->slot[view.block] = slot;
	}
}

static void look_value(const struct look *l, u64 sector, const struct sim_content *c)
{
	u32 value = sim_content_value(c, sector);

	if (!sim_oracle_survives(l->w, sector, value, l->claims))
		sim_oracle_complain(l->w, sector, value, l->claims, l->how);
}

/* Is that what the origin durably holds, whatever a cut takes? */
static void look_origin_agrees(const struct look *l, u64 sector, const struct sim_content *c)
{
	const struct sim_disk *d = &l->w->disk[HS_ORIGIN];
	const struct sim_version *v = d->sector[sector].newest;
	u32 value = sim_content_value(c, sector);
	bool durable = false;

	for (; v && !durable; v = v->older) {
		durable = v->durable;
		if (!v->doomed && !sim_content_same(&v->content, c))
			sim_fail(l->w, "%s: sector %llu is %lld in its clean slot, %lld on the origin", l->how,
				 (unsigned long long)sector, (long long)value,
				 (long long)sim_content_value(&v->content, sector));
	}
	if (!durable && value != d->untouched)
		sim_fail(l->w, "%s: sector %llu is %lld in its clean slot, the origin's is not durable", l->how,
			 (unsigned long long)sector, (long long)value);
}

static bool unit_matches(const struct look *l, const struct hs_slot_view *view, u32 unit,
			 const struct sim_content c[HS_UNIT_SECTORS])
{
	u64 nr = (view->block << (l->w->plan.geo.block_shift - HS_UNIT_SHIFT)) + unit;

	return !view->crcs || sim_unit_crc(l->core, nr, c) == view->crcs[unit];
}

/* One unit of a named slot, or its place on the origin. slot: its first sector, or 0. */
static void look_unit(const struct look *l, const struct hs_slot_view *view, u64 slot, u32 unit, u64 first,
		      u32 sectors)
{
	struct sim_content c[HS_UNIT_SECTORS];
	bool named = slot, bad;
	u32 i;

	if (named) {
		look_unit_at(l, slot, unit, c);
		bad = !unit_matches(l, view, unit, c);
		if (bad && !l->w->damaged && !view->lost && l->claims == SIM_FOREVER)
			sim_fail(l->w, "%s: slot data of sector %llu do not match their checksum", l->how,
				 (unsigned long long)first);
		if ((bad || (view->lost && !view->crcs)) && view->dirty)
			return;		/* lost */
		named = !bad;
	}
	for (i = 0; !named && i < sectors; i++)
		c[i] = look_at(l, HS_ORIGIN, first + i);
	for (i = 0; i < sectors; i++) {
		look_value(l, first + i, &c[i]);
		if (named && !view->dirty && !l->w->rolled_back && l->claims == SIM_FOREVER &&
		    !sim_oracle_doubtful(l->w, first + i))
			look_origin_agrees(l, first + i, &c[i]);
	}
}

/* Never written, not cached: nothing to see. */
static bool unit_untouched(const struct sim_world *w, u64 first, u32 sectors)
{
	u32 i;

	if (sim_oracle_written(w, first) < first + sectors)
		return false;
	for (i = 0; i < sectors; i++)
		if (w->disk[HS_ORIGIN].sector[first + i].newest)
			return false;
	return true;
}

static void count_named(const struct hs_slot_view *view)
{
	sim_count(view->lost ? SIM_C_AUDIT_LOST : view->dirty ? SIM_C_AUDIT_DIRTY : SIM_C_AUDIT_CLEAN);
}

static void look_block(const struct look *l, u64 block)
{
	const struct hs_geometry *geo = &l->w->plan.geo;
	u64 first = block << (geo->block_shift - HS_SECTOR_SHIFT), slot = 0;
	u32 valid = hs_block_valid(geo, block), at;
	struct hs_slot_view view = { 0 };

	if (l->slot[block] != NO_SLOT) {
		hs_slot_look(l->core, l->slot[block], &view);
		slot = hs_slot_sector(l->core, l->slot[block]);
		count_named(&view);
	}
	for (at = 0; at < valid; at += HS_UNIT_SECTORS) {
		u32 n = (u32)hs_min(HS_UNIT_SECTORS, valid - at);

		if (slot || !unit_untouched(l->w, first + at, n))
			look_unit(l, &view, slot, at / HS_UNIT_SECTORS, first + at, n);
	}
}

static void look_all(struct look *l)
{
	static u32 slots[SIM_BLOCKS_MAX];
	u64 block;

	l->slot = slots;
	hs_assert(l->w->plan.geo.nr_blocks <= SIM_BLOCKS_MAX);
	look_map(l);
	for (block = 0; block < l->w->plan.geo.nr_blocks; block++)
		look_block(l, block);
}

/* ---- the audits -------------------------------------------------------------------------------------------- */

u64 sim_audit_claims(const struct sim_world *w, const struct hs_core *core)
{
	u64 seq = hs_core_sb(core)->end.seq;
	const struct sim_tx *tx = &w->tx[seq % SIM_TXS];

	if (!w->hit_cache || tx->seq != seq || tx->clock < w->restart)
		return SIM_FOREVER;
	return tx->clock;
}

/* 0, or what kept the second core from opening. */
static s32 audit_load(struct look *l)
{
	const struct sim_plan *plan = &l->w->plan;
	struct hs_core_opts opts = {
		.shards = plan->shards, .todo_room = plan->todo_room, .step_budget = plan->step_budget, .mode = -1,
	};
	static struct sim_memory memory;
	unsigned int bad;
	struct hs_sb sb;
	s32 err = sim_superblock(l->w, l->cut[HS_CACHE], &sb, &bad);

	if (err)
		return err;
	l->core = hs_core_init(sim_core_memory(&memory, hs_core_size(&sb.geo, &opts)), &sb, &opts);
	err = audit_open(l);
	if (!err && hs_core_report(l->core)->map_conflicts)
		sim_fail(l->w, "%s: the map contradicts itself", l->how);
	return err;
}

static void audit_refused(const struct look *l, s32 err)
{
	if (!l->w->hit_meta)
		sim_fail(l->w, "%s: it cannot be opened: %d, %s", l->how, err,
			 l->core ? hs_core_open_why(l->core) : "superblock");
	sim_count(SIM_C_AUDIT_REFUSED);
}

/* A copy of the superblock is about to be written: the older one, and not before the other is durable. */
void sim_audit_superblock(struct sim_world *w, u32 copy)
{
	static const struct sim_cut worst = { .keep = SIM_KEEP_NONE };
	u64 other = HS_SB_OFFSET(!copy) >> HS_SECTOR_SHIFT;
	const struct sim_disk *d = &w->disk[HS_CACHE];
	u8 now[2][HS_PAGE], durable[HS_PAGE];
	struct hs_sb mine, its;
	int err;

	/* A copy that could not be read when the cache was opened counts as the older. */
	if (w->format || w->hit_meta || d->errors_seen)
		return;
	sim_disk_read_after(d, NULL, HS_SB_OFFSET(copy) >> HS_SECTOR_SHIFT, HS_PAGE_SECTORS, now[0]);
	sim_disk_read_after(d, NULL, other, HS_PAGE_SECTORS, now[1]);
	sim_disk_read_after(d, &worst, other, HS_PAGE_SECTORS, durable);
	err = hs_sb_decode(now[0], &mine);
	if (hs_sb_decode(now[1], &its)) {
		if (!err)
			sim_fail(w, "the only good superblock is overwritten");
		return;
	}
	if (!err && mine.sb_seq > its.sb_seq)
		sim_fail(w, "the newer superblock is overwritten");
	if (memcmp(now[1], durable, HS_PAGE))
		sim_fail(w, "a superblock is written while the other is not durable");
}

void sim_audit(struct sim_world *w, bool worst)
{
	struct sim_rng r = { sim_hash2(w->seed ^ 0x6175646974, w->events) };
	struct sim_cut cut[2];
	struct look l = { .w = w, .cut = { &cut[0], &cut[1] }, .how = "audit" };
	u32 forgotten = hs_core_failed(w->core) ? ~0u : sim_inside_forgotten(w->core);
	s32 err;

	if (forgotten != ~0u)
		sim_fail(w, "slot %u has to change its name, but no commit will come to it", forgotten);
	sim_cut_draw(&cut[0], &w->disk[0], &r);
	sim_cut_draw(&cut[1], &w->disk[1], &r);
	if (worst)
		cut[0].keep = cut[1].keep = SIM_KEEP_NONE;
	sim_count(SIM_C_AUDIT);
	err = audit_load(&l);
	if (err) {
		audit_refused(&l, err);
		return;
	}
	if (hs_core_report(l.core)->dropped_last)
		sim_count(SIM_C_AUDIT_DROPPED);
	if (hs_core_report(l.core)->torn_tail)
		sim_count(SIM_C_AUDIT_TORN);
	l.claims = sim_audit_claims(w, l.core);
	look_all(&l);
}

void sim_audit_half_formatted(struct sim_world *w)
{
	struct look l = { .w = w, .how = "half formatted" };
	s32 err = audit_load(&l);

	if (!err)
		return;
	if (l.core)
		audit_refused(&l, err);
	else
		sim_count(SIM_C_OPEN_FORMAT_CUT);
}

/* What an error may hide is not pinned. */
static bool pin_readable(const struct look *l, const struct hs_slot_view *view, u64 slot, u32 unit)
{
	struct sim_content c[HS_UNIT_SECTORS];

	if (view->lost)
		return false;
	if (!l->w->damaged)
		return true;
	look_unit_at(l, slot, unit, c);
	return unit_matches(l, view, unit, c);
}

static void pin_sector(struct sim_world *w, const struct look *l, u32 op, u64 sector)
{
	const struct hs_geometry *geo = &w->plan.geo;
	u32 shift = geo->block_shift - HS_SECTOR_SHIFT, slot = l->slot[sector >> shift];
	u32 in_block = (u32)sector & ((1u << shift) - 1);
	struct sim_content c;

	if (sim_oracle_doubtful(w, sector))
		return;
	if (slot == NO_SLOT) {
		const struct sim_version *v = w->disk[HS_ORIGIN].sector[sector].newest;

		/* Still to be read, but lost: no FLUSH will bring it back. */
		if (v && v->doomed)
			return;
		c = look_at(l, HS_ORIGIN, sector);
	} else {
		u64 first = hs_slot_sector(l->core, slot);
		struct hs_slot_view view;

		hs_slot_look(l->core, slot, &view);
		if (!pin_readable(l, &view, first, in_block / HS_UNIT_SECTORS))
			return;
		c = look_at(l, HS_CACHE, first + in_block);
	}
	sim_oracle_pin(w, op, sector, sim_content_value(&c, sector));
}

void sim_audit_served(struct sim_world *w, u64 claims, bool pin)
{
	struct look l = { .w = w, .core = w->core, .claims = claims, .how = "recovered" };
	u64 sector;
	u32 op;

	look_all(&l);
	if (!pin || w->rolled_back)
		return;
	op = sim_oracle_pin_begin(w);
	for (sector = sim_oracle_written(w, 0); sector != SIM_FOREVER; sector = sim_oracle_written(w, sector + 1))
		pin_sector(w, &l, op, sector);
	w->clock++;
}

void sim_audit_counters(struct sim_world *w)
{
	struct hs_counters sum = { 0 }, scan = { 0 };
	u32 i;

	for (i = 0; i < hs_core_shards(w->core); i++) {
		hs_core_count(w->core, (s32)i, &sum);
		hs_core_recount(w->core, (s32)i, &scan);
	}
	if (sum.used != scan.used || sum.dirty != scan.dirty || sum.free != scan.free ||
	    sum.retired != scan.retired || sum.lost != scan.lost)
		sim_fail(w, "counters differ from a scan: used %llu %llu, dirty %llu %llu, free %llu %llu",
			 (unsigned long long)sum.used, (unsigned long long)scan.used,
			 (unsigned long long)sum.dirty, (unsigned long long)scan.dirty,
			 (unsigned long long)sum.free, (unsigned long long)scan.free);
	if (sum.retired)
		sim_count(SIM_C_RETIRED);
}

/*
 * After the first half of a stop. What was evicted by the last commit of all keeps its name, and will be there again; no other
 * slot is retired. What is clean is named so.
 */
void sim_audit_rested(struct sim_world *w)
{
	struct hs_slot_view view;
	u32 slot;

	for (slot = 0; slot < w->plan.geo.nr_slots; slot++) {
		hs_slot_look(w->core, slot, &view);
		if (view.busy && view.durable == HS_D_NONE)
			sim_fail(w, "slot %u is retired and does not become free", slot);
		if (view.named && !view.dirty && view.durable == HS_D_NONE)
			sim_fail(w, "slot %u is clean, and has no name after a stop", slot);
	}
}

void sim_audit_lost(struct sim_world *w, u8 *lost)
{
	struct hs_slot_view view;
	u32 slot;

	memset(lost, 0, w->plan.geo.nr_blocks);
	for (slot = 0; slot < w->plan.geo.nr_slots; slot++) {
		hs_slot_look(w->core, slot, &view);
		if (view.named && view.dirty && view.lost)
			lost[view.block] = 1;
	}
}

void sim_audit_origin(struct sim_world *w, const u8 *lost)
{
	static const struct sim_cut nothing = { .keep = SIM_KEEP_NONE };
	u32 shift = w->plan.geo.block_shift - HS_SECTOR_SHIFT;
	u64 sector;

	w->clock++;
	for (sector = 0; sector < w->plan.geo.origin_sectors; sector++) {
		struct sim_content c = sim_disk_after(&w->disk[HS_ORIGIN], &nothing, sector);

		if (lost[sector >> shift] || w->rolled_back)
			continue;
		sim_oracle_read(w, sector, sim_content_value(&c, sector), w->clock,
				"the origin alone, after the last stop");
	}
}

u64 sim_origin_fingerprint(const struct sim_world *w)
{
	const struct sim_disk *d = &w->disk[HS_ORIGIN];
	u64 sector, sum = 0;

	for (sector = 0; sector < d->sectors; sector++) {
		const struct sim_version *v = d->sector[sector].newest;

		if (v && v->content.value != d->untouched)
			sum = sim_hash2(sum ^ sector, v->content.value);
	}
	return sum;
}
