// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The users: each asks, waits for the answer, thinks, asks again. A request is drawn from its number alone, so
 * that one can be left out and the others stay what they were.
 */
#include "sim/sim.h"

#define PARTS_MAX	10u

/* ---- what the next request is -------------------------------------------------------------------------- */

struct wish {
	enum sim_work work;
	u64 sector;
	u64 sectors;
	u32 flags;
};

static enum sim_work draw_work(const struct sim_plan *p, struct sim_rng *r)
{
	u32 total = 0, i, at;

	for (i = 0; i < SIM_WORKS; i++)
		total += p->weight[i];
	at = sim_below(r, total);
	for (i = 0; at >= p->weight[i]; i++)
		at -= p->weight[i];
	return (enum sim_work)i;
}

/* A whole block, a few, or a ragged piece of one or two. */
static void draw_range(const struct sim_world *w, struct sim_rng *r, struct wish *wish)
{
	const struct sim_plan *p = &w->plan;
	u32 block = hs_block_sectors(&p->geo), blocks = 1;
	u64 nr = sim_below(r, (u32)(sim_percent(r, p->hot_percent) ? p->hot_blocks : p->geo.nr_blocks));

	if (sim_one_in(r, 4) || p->wide || wish->work >= SIM_W_DISCARD)
		blocks = p->wide ? sim_between(r, 6, PARTS_MAX) : sim_between(r, 1, block > 32 ? 3 : 6);
	wish->sector = nr * block;
	wish->sectors = (u64)blocks * block;
	/* A stream: neighbours go on where the request before them ended. */
	if (p->seq_cutoff && sim_one_in(r, 2)) {
		wish->sector = (u64)w->ops * 8 % p->geo.origin_sectors;
		wish->sectors = 8;
	} else if (sim_percent(r, p->ragged_percent)) {
		u32 unit = sim_one_in(r, 2) && block > 8 ? 8 : 1;
		u32 skip = sim_below(r, block / unit) * unit;

		wish->sector += skip;
		wish->sectors = unit * (u64)sim_between(r, 1, (u32)(wish->sectors - skip) / unit);
	}
	if (wish->sector >= p->geo.origin_sectors)
		wish->sector = p->geo.origin_sectors - 1;
	wish->sectors = hs_min(wish->sectors, p->geo.origin_sectors - wish->sector);
}

static void draw_wish(const struct sim_world *w, u32 nr, struct wish *wish)
{
	struct sim_rng r = { sim_hash2(w->seed ^ 0x776f726b, nr) };

	*wish = (struct wish){ .work = draw_work(&w->plan, &r) };
	if (wish->work == SIM_W_FLUSH)
		return;
	draw_range(w, &r, wish);
	if (wish->work != SIM_W_READ && sim_percent(&r, w->plan.fua_percent))
		wish->flags |= HS_REQ_FUA;
	if (sim_percent(&r, w->plan.sequential_percent))
		wish->flags |= HS_REQ_SEQUENTIAL;
}

/* ---- submission ---------------------------------------------------------------------------------------- */

static void req_stamp(const struct sim_world *w, struct sim_req *q)
{
	u8 *p = q->data;
	u64 sector;

	for (sector = q->r.sector.nr; sector < q->r.sector.nr + q->r.sectors; sector++, p += SIM_SECTOR) {
		struct sim_content c = sim_content_stamp(sector, q->r.flags & HS_REQ_ZEROES ?
							 SIM_ZERO : sim_oracle_value(q->op));

		sim_short_put(p, &c);
	}
}

static void req_count(const struct sim_world *w, const struct sim_req *q)
{
	static const enum sim_count by_op[] = {
		[HS_OP_READ] = SIM_C_REQ_READ, [HS_OP_WRITE] = SIM_C_REQ_WRITE,
		[HS_OP_DISCARD] = SIM_C_REQ_DISCARD, [HS_OP_ZERO] = SIM_C_REQ_ZERO,
		[HS_OP_FLUSH] = SIM_C_REQ_FLUSH,
	};
	const struct hs_geometry *geo = &w->plan.geo;
	u32 shift = geo->block_shift - HS_SECTOR_SHIFT;

	sim_count(by_op[q->r.op]);
	if (q->r.op == HS_OP_FLUSH)
		return;
	if (q->r.flags & HS_REQ_FUA)
		sim_count(SIM_C_REQ_FUA);
	if (q->r.flags & HS_REQ_ZEROES)
		sim_count(SIM_C_REQ_ZERO_WRITE);
	if (q->r.flags & HS_REQ_SEQUENTIAL)
		sim_count(SIM_C_REQ_SEQUENTIAL);
	if ((q->r.sector.nr | q->r.sectors) % HS_UNIT_SECTORS)
		sim_count(SIM_C_REQ_RAGGED);
	if (hs_block_valid(geo, q->r.sector.nr >> shift) < hs_block_sectors(geo))
		sim_count(SIM_C_REQ_SHORT_BLOCK);
}

static bool op_writes(u32 op)
{
	return op != HS_OP_READ && op != HS_OP_FLUSH;
}

/* One part. False: it cannot be taken now. */
static bool part_submit(struct sim_world *w, struct sim_call *call, u8 op, u64 sector, u32 sectors, u32 flags)
{
	struct sim_req *q;

	if (op_writes(op) && !sim_oracle_room(w, sector, sectors))
		return false;
	q = sim_req_new(w);
	if (!q)
		return false;
	q->r.op = op;
	q->r.flags = flags;
	q->r.sector.nr = sector;
	q->r.sectors = sectors;
	q->nr = w->ops;
	q->call = call;
	q->begin = ++w->clock;
	if (op_writes(op)) {
		bool zero = op == HS_OP_ZERO || (flags & HS_REQ_ZEROES);

		q->op = sim_oracle_begin(w, sector, sectors, zero, op == HS_OP_DISCARD);
	}
	if (op == HS_OP_WRITE)
		req_stamp(w, q);
	req_count(w, q);
	call->parts++;
	sim_req_submit(w, q);
	return true;
}

static struct sim_call *call_new(struct sim_world *w)
{
	u32 i;

	for (i = 0; i < SIM_REQS; i++)
		if (!w->call[i].used)
			break;
	if (i == SIM_REQS)
		return NULL;
	w->call[i] = (struct sim_call){ .used = true };
	return &w->call[i];
}

static u32 part_size(const struct sim_world *w, u8 op, u64 sector, u64 sectors)
{
	if (op == HS_OP_DISCARD || op == HS_OP_ZERO)
		return (u32)hs_range_limit(w->core, sector, sectors);
	return hs_block_limit(w->core, sector, sectors);
}

static void range_submit(struct sim_world *w, struct sim_call *call, u8 op, u64 sector, u64 end, u32 flags)
{
	u32 parts = 0;

	while (sector < end && parts++ < PARTS_MAX) {
		u32 n = part_size(w, op, sector, end - sector);

		if (!part_submit(w, call, op, sector, n, flags))
			break;
		sector += n;
	}
	if (parts > 1)
		sim_count(SIM_C_REQ_SPLIT);
}

/* Discards and zeroings: whole blocks go in one piece; the ragged ends of a zeroing are written. */
static void wish_ranges(struct sim_world *w, struct sim_call *call, const struct wish *wish)
{
	u64 block = hs_block_sectors(&w->plan.geo), end = wish->sector + wish->sectors;
	u64 whole = hs_min(hs_round_up(wish->sector, block), end);
	u64 after = end == w->plan.geo.origin_sectors ? end : end & ~(block - 1);

	after = hs_max(after, whole);
	if (wish->work == SIM_W_DISCARD) {
		range_submit(w, call, HS_OP_DISCARD, whole, after, wish->flags);
		return;
	}
	range_submit(w, call, HS_OP_WRITE, wish->sector, whole, wish->flags | HS_REQ_ZEROES);
	range_submit(w, call, HS_OP_ZERO, whole, after, wish->flags);
	range_submit(w, call, HS_OP_WRITE, after, end, wish->flags | HS_REQ_ZEROES);
}

static void wish_submit(struct sim_world *w, struct sim_call *call, const struct wish *wish)
{
	switch (wish->work) {
	case SIM_W_FLUSH:
		part_submit(w, call, HS_OP_FLUSH, 0, 0, 0);
		break;
	case SIM_W_READ:
		range_submit(w, call, HS_OP_READ, wish->sector, wish->sector + wish->sectors, wish->flags);
		break;
	case SIM_W_WRITE:
		range_submit(w, call, HS_OP_WRITE, wish->sector, wish->sector + wish->sectors, wish->flags);
		break;
	default:
		wish_ranges(w, call, wish);
		break;
	}
}

/* ---- users --------------------------------------------------------------------------------------------- */

static bool left_out(const struct sim_world *w, u32 nr)
{
	u32 i;

	if (nr >= w->limits->ops)
		return true;
	for (i = 0; i < w->limits->nr_skip; i++)
		if (nr >= w->limits->skip[i].first && nr < w->limits->skip[i].end)
			return true;
	return false;
}

static void some_control(struct sim_world *w, struct sim_rng *r)
{
	static const enum sim_count switches[HS_MODE_COUNT][HS_MODE_COUNT] = {
		{ SIM_COUNTS, SIM_C_MODE_WB_WT, SIM_C_MODE_WB_WA, SIM_C_MODE_WB_BY },
		{ SIM_C_MODE_WT_WB, SIM_COUNTS, SIM_C_MODE_WT_WA, SIM_C_MODE_WT_BY },
		{ SIM_C_MODE_WA_WB, SIM_C_MODE_WA_WT, SIM_COUNTS, SIM_C_MODE_WA_BY },
		{ SIM_C_MODE_BY_WB, SIM_C_MODE_BY_WT, SIM_C_MODE_BY_WA, SIM_COUNTS },
	};
	struct hs_out out;

	hs_out_init(&out);
	if (sim_one_in(r, 4)) {
		bool on = sim_one_in(r, 2);

		hs_core_drain(w->core, on, &out);
		sim_count(SIM_C_DRAIN);
		sim_say(w, "%sdrain %llu", "", on, 0, 0, 0);
	} else {
		enum hs_mode to = (enum hs_mode)sim_below(r, HS_MODE_COUNT);
		enum hs_mode from = hs_core_mode_wanted(w->core);

		if (switches[from][to] != SIM_COUNTS)
			sim_count(switches[from][to]);
		hs_core_set_mode(w->core, to, &out);
		sim_say(w, "%smode %llu to %llu", "", from, to, 0, 0);
	}
	sim_shell_out(w, &out);
}

/* What comes along with the requests: controls, faults, audits. */
static void beside(struct sim_world *w)
{
	struct sim_rng r = { sim_hash2(w->seed ^ 0x62657369, w->ops) };

	if (w->plan.control_every != ~0u && sim_one_in(&r, w->plan.control_every))
		some_control(w, &r);
	if (w->plan.faults && sim_one_in(&r, w->plan.fault_every))
		sim_fault_inject(w);
	if (!w->limits->no_audit && !w->abandoned && sim_one_in(&r, w->plan.audit_every))
		sim_audit(w, false);
}

static u64 think_time(struct sim_world *w)
{
	u64 t = sim_random(&w->rng) % (2 * w->plan.think);

	/* Now and then long enough for the background to catch up. */
	return sim_one_in(&w->rng, 100) ? t + sim_below(&w->rng, 3000) * SIM_MS : t;
}

static void user_again(struct sim_world *w)
{
	if (w->life_ops)
		sim_event_add(w, think_time(w), SIM_EV_USER, NULL, 0);
}

void sim_users_start(struct sim_world *w)
{
	u32 i;

	for (i = 0; i < w->plan.users; i++)
		user_again(w);
}

void sim_user_event(struct sim_world *w, u32 user)
{
	struct sim_call *call;
	struct wish wish;

	if (!w->life_ops)
		return;
	w->life_ops--;
	w->ops++;
	beside(w);
	call = left_out(w, w->ops) ? NULL : call_new(w);
	if (!call) {
		user_again(w);
		return;
	}
	draw_wish(w, w->ops, &wish);
	if (wish.sectors && hs_streams_note(&w->streams, wish.sector, wish.sectors, w->plan.seq_cutoff))
		wish.flags |= HS_REQ_SEQUENTIAL;
	wish_submit(w, call, &wish);
	if (!call->parts) {
		call->used = false;
		user_again(w);
	}
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static void read_check(struct sim_world *w, const struct sim_req *q)
{
	u32 i;

	w->clock++;
	for (i = 0; i < q->r.sectors; i++) {
		u64 sector = q->r.sector.nr + i;
		struct sim_content c = sim_short_get(q->data + ((size_t)i << HS_SECTOR_SHIFT));
		u32 value = sim_content_value(&c, sector);

		w->digest = w->digest * 31 + value;
		sim_oracle_read(w, sector, value, q->begin, "read");
	}
}

void sim_req_answered(struct sim_world *w, struct sim_req *q)
{
	if (q->r.error && !(q->r.op == HS_OP_ZERO && q->r.error == -EAGAIN)) {
		sim_fault_judge(w, q);
		sim_count(SIM_C_REQ_ERROR);
	} else if (q->r.op == HS_OP_READ) {
		read_check(w, q);
	}
}

/* A zeroing that found a dirty block: as writes of zeroes. */
static void zero_again(struct sim_world *w, const struct sim_req *q, struct sim_call *call)
{
	u32 flags = (q->r.flags & (HS_REQ_FUA | HS_REQ_SEQUENTIAL)) | HS_REQ_ZEROES;

	sim_count(SIM_C_REQ_ZERO_AGAIN);
	range_submit(w, call, HS_OP_WRITE, q->r.sector.nr, q->r.sector.nr + q->r.sectors, flags);
}

void sim_req_ended(struct sim_world *w, struct sim_req *q)
{
	struct sim_call *call = q->call;

	if (q->r.op == HS_OP_FLUSH && w->flushes[HS_ORIGIN] != q->flushes[HS_ORIGIN])
		sim_count(SIM_C_FLUSH_ORIGIN);
	else if (q->r.op == HS_OP_FLUSH && w->flushes[HS_CACHE] == q->flushes[HS_CACHE])
		sim_count(SIM_C_FLUSH_FREE);
	if (q->r.op == HS_OP_FLUSH && !q->r.error)
		sim_oracle_flushed(w, q->begin);
	else if (q->r.op == HS_OP_FLUSH)
		sim_oracle_flush_failed(w);
	else if (op_writes(q->r.op))
		sim_oracle_end(w, q->op, !q->r.error, q->r.flags & HS_REQ_FUA);
	if (q->r.op == HS_OP_FLUSH && !q->r.error && !w->limits->no_audit && !w->abandoned &&
	    sim_hash2(w->seed ^ 0x666c757368, w->clock) % 100 < w->plan.flush_audit_percent)
		sim_audit(w, true);
	/* It may be lost with what a FLUSH lost meanwhile: one that begins from now on may say so. */
	if (op_writes(q->r.op) && w->flush_failed > q->begin)
		w->flush_failed = w->clock;
	if (!call)
		return;
	if (q->r.op == HS_OP_ZERO && q->r.error == -EAGAIN)
		zero_again(w, q, call);
	if (--call->parts)
		return;
	call->used = false;
	user_again(w);
}
