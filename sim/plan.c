// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a seed decides before its world begins: the cache, the disks, the users, the kinds of faults. */
#include <stdio.h>

#include "sim/sim.h"

/* As a person would ask for it: the chooser finds the rest. */
static void wish_draw(struct sim_plan *p, struct hs_geometry_wish *wish, struct sim_rng *r)
{
	static const u32 shifts[] = { 12, 12, 12, 12, 12, 12, 13, 14, 14, 16 };
	u32 shift, nsets;
	bool small;
	u64 blocks;

	p->wide = sim_one_in(r, 16) && !p->storm;
	small = p->wide && sim_one_in(r, 2);
	shift = p->storm ? 14 : small ? 12 : p->wide ? 15 : shifts[sim_below(r, 10)];
	wish->block_size = 1u << shift;
	wish->assoc = p->wide || sim_one_in(r, 6) ? 32 : 16;
	wish->consecutive = 1u << sim_below(r, wish->assoc == 32 ? 4 : 3);
	wish->no_checksums = sim_one_in(r, small ? 2 : 6);
	nsets = p->wide ? sim_between(r, 8, 14) : sim_between(r, 1, shift == 12 ? 5 : 2);
	wish->max_slots = (u64)nsets * wish->assoc;
	wish->journal_bytes = HS_PAGE * (u64)(sim_one_in(r, 4) ? sim_between(r, 64, 100) : 64);
	/* The metadata take less than a MiB; sometimes there is room to spare. */
	wish->cache_bytes = HS_MIB + ((u64)nsets * wish->assoc << shift) + HS_PAGE * (u64)sim_below(r, 3);
	blocks = hs_max(wish->max_slots * sim_between(r, 1, p->wide ? 1 : shift == 12 ? 8 : 4) / 2, 4);
	wish->origin_bytes = blocks << shift;
	if (sim_one_in(r, 2))	/* a short last block */
		wish->origin_bytes -= (u64)sim_below(r, 1u << (shift - HS_SECTOR_SHIFT)) << HS_SECTOR_SHIFT;
}

static void plan_geometry(struct sim_plan *p, struct sim_rng *r)
{
	struct hs_geometry_wish wish = { 0 };
	const char *why;
	u32 i;

	wish_draw(p, &wish, r);
	hs_assert(!hs_geometry_choose(&wish, &p->geo, &why));
	for (i = 0; i < HS_UUID_BYTES; i++)
		p->uuid[i] = (u8)sim_random(r);
}

static void plan_disks(struct sim_plan *p, struct sim_rng *r)
{
	static const struct sim_latency kinds[] = {
		{ 20, 200, 0, 0 },		/* SSD */
		{ 50, 400, 2, 20000 },		/* SSD that collects garbage */
		{ 1000, 20000, 0, 0 },		/* disk */
		{ 500, 8000, 5, 300000 },	/* network */
		{ 1, 100000, 0, 0 },		/* anything */
		{ 10, 10, 0, 0 },		/* always the same */
	};
	u32 i;

	for (i = 0; i < 2; i++) {
		p->latency[i] = kinds[sim_below(r, 6)];
		p->native_fua[i] = sim_one_in(r, 2);
	}
	p->stall_percent = sim_one_in(r, 2) ? sim_between(r, 1, 20) : 0;
	p->stall = sim_spread(r, 10 * SIM_US, 100 * SIM_MS);
	p->early_percent = sim_one_in(r, 3) ? 0 : sim_between(r, 20, 90);
	p->discard_percent = sim_below(r, 3) * 50;
	p->table_slow = sim_one_in(r, 10) ? sim_between(r, 10, 1000) : 1;
}

static void plan_work(struct sim_plan *p, struct sim_rng *r)
{
	p->users = sim_between(r, 1, 12);
	p->think = sim_spread(r, 10 * SIM_US, sim_one_in(r, 4) ? 300 * SIM_MS : 20 * SIM_MS);
	p->weight[SIM_W_READ] = sim_between(r, 5, 60);
	p->weight[SIM_W_WRITE] = sim_between(r, 10, 80);
	p->weight[SIM_W_FLUSH] = sim_one_in(r, 8) ? 0 : sim_between(r, 1, 20);
	p->weight[SIM_W_DISCARD] = sim_one_in(r, 2) ? 0 : sim_between(r, 1, 8);
	p->weight[SIM_W_ZERO] = sim_one_in(r, 2) ? 0 : sim_between(r, 1, 8);
	p->fua_percent = sim_one_in(r, 2) ? 0 : sim_between(r, 1, 40);
	p->sequential_percent = sim_one_in(r, 3) ? sim_between(r, 1, 30) : 0;
	p->seq_cutoff = sim_one_in(r, 3) ? sim_between(r, 8, 64) : 0;
	p->ragged_percent = sim_one_in(r, 4) ? 0 : sim_between(r, 5, 90);
	p->hot_percent = sim_between(r, 0, 95);
	p->hot_blocks = hs_min(p->geo.nr_blocks, sim_between(r, 1, 24));
	if (p->wide) {		/* large transactions */
		p->weight[SIM_W_WRITE] = 100;
		p->weight[SIM_W_FLUSH] = sim_between(r, 2, 6);
		p->weight[SIM_W_READ] = 5;
		p->users = 12;
		p->fua_percent = p->hot_percent = p->ragged_percent = 0;
		p->think = sim_spread(r, 10 * SIM_US, SIM_MS);
	}
	p->control_every = sim_one_in(r, 2) ? sim_between(r, 10, 80) : ~0u;
}

static void plan_tunables(struct sim_plan *p, struct sim_rng *r)
{
	p->tun.dirty_age_ns = sim_one_in(r, 2) ? 30 * SIM_S : sim_spread(r, 100 * SIM_MS, 4 * SIM_S);
	p->tun.dirty_percent = sim_one_in(r, 3) ? sim_below(r, 101) : 50;
	p->tun.writeback = !sim_one_in(r, 6);
	p->tun.slot_wait_ns = sim_one_in(r, 2) ? 30 * SIM_S : sim_spread(r, SIM_S / 2, 8 * SIM_S);
}

static bool fault_is_silent(u32 fault)
{
	return fault >= SIM_F_ROT_DATA;
}

/* Half of the worlds have honest disks, the others a few ways to go wrong. */
static void plan_faults(struct sim_plan *p, struct sim_rng *r)
{
	u32 kinds = sim_between(r, 1, 3);

	p->faults = 0;
	p->fault_every = (u32)sim_spread(r, 8, 100);
	if (sim_one_in(r, 2))
		return;
	while (kinds--) {
		u32 fault = sim_below(r, SIM_F_COUNT);

		/* Without checksums nobody could notice. */
		if (p->geo.checksums || !fault_is_silent(fault))
			p->faults |= 1u << fault;
	}
}

/*
 * Blocks of several units that are written in place, and as a whole, while a commit goes by small steps over all slots for what
 * was spilled, and FLUSHes wait for it.
 */
static void plan_storm(struct sim_plan *p, struct sim_rng *r)
{
	p->mode = HS_MODE_WRITEBACK;
	p->todo_room = 1u << sim_below(r, 2);
	p->step_budget = 1;
	p->stall_percent = sim_between(r, 30, 80);
	p->stall = sim_spread(r, 20 * SIM_US, SIM_MS);
	p->weight[SIM_W_WRITE] = 80;
	p->weight[SIM_W_FLUSH] = sim_between(r, 4, 20);
	p->weight[SIM_W_READ] = 0;
	p->users = 12;
	p->hot_percent = 95;
	p->hot_blocks = hs_min(p->geo.nr_blocks, sim_between(r, 2, 12));
	p->think = sim_spread(r, 10 * SIM_US, 200 * SIM_US);
	p->ragged_percent = sim_between(r, 30, 90);
	p->seq_cutoff = p->fua_percent = 0;
	p->latency[HS_CACHE] = (struct sim_latency){ 20, 200, 0, 0 };
	p->flush_audit_percent = 100;
	p->tun.writeback = true;
	p->tun.dirty_percent = 50;
}

/* Small lists spill; small steps, put off now and then, let more happen between those of a machine. */
static void plan_machines(struct sim_plan *p, u64 seed)
{
	struct sim_rng r = { sim_hash2(seed, 4) };

	if (p->storm) {
		plan_storm(p, &r);
		return;
	}
	p->todo_room = sim_one_in(&r, 2) ? 0 : 1u << sim_below(&r, 3);
	p->step_budget = sim_one_in(&r, 2) ? 0 : 1u << sim_below(&r, 4);
	if (sim_below(&r, 6) < (p->todo_room ? 2 : 5))
		return;
	p->step_budget = 1u << sim_below(&r, 2);
	p->stall_percent = sim_between(&r, 10, 60);
	p->stall = hs_min(p->stall, 2 * SIM_MS);
	if (sim_one_in(&r, 2))
		return;
	/* Blocks that are rewritten all the time, while FLUSHes wait for them. */
	p->mode = HS_MODE_WRITEBACK;
	p->weight[SIM_W_WRITE] = 80;
	p->weight[SIM_W_FLUSH] = sim_between(&r, 1, 12);
	p->weight[SIM_W_READ] = 5;
	p->users = 12;
	p->hot_percent = 90;
	p->hot_blocks = hs_min(p->geo.nr_blocks, sim_between(&r, 2, 26));
	p->think = SIM_MS / 10;
	p->ragged_percent = sim_one_in(&r, 2) ? 90 : 30;
	p->seq_cutoff = 0;
	p->fua_percent = 0;
	p->flush_audit_percent = 100;
	p->tun.writeback = true;
	p->tun.dirty_percent = sim_one_in(&r, 2) ? 0 : 50;
}

void sim_plan_draw(struct sim_plan *p, u64 seed)
{
	struct sim_rng r = { sim_hash2(seed, 1) };

	memset(p, 0, sizeof(*p));
	p->storm = !(sim_hash2(seed, 7) % 16);
	plan_geometry(p, &r);
	p->mode = sim_one_in(&r, 2) || p->wide ? HS_MODE_WRITEBACK : (enum hs_mode)sim_below(&r, HS_MODE_COUNT);
	p->shards = 1u << sim_below(&r, 4);
	p->lives = sim_between(&r, 2, 6);
	p->ops = (u32)sim_spread(&r, 10, 250);
	p->audit_every = (u32)sim_spread(&r, 8, 100);
	if (p->wide)
		p->ops = sim_between(&r, 40, 120);
	plan_disks(p, &r);
	p->hits = sim_hash2(seed, 6) % 2;
	plan_work(p, &r);
	plan_tunables(p, &r);
	plan_faults(p, &r);
	plan_machines(p, seed);
}

u64 sim_latency_draw(const struct sim_latency *l, struct sim_rng *r)
{
	u64 us = sim_spread(r, l->least, l->most);

	if (l->slow_percent && sim_percent(r, l->slow_percent))
		us += sim_below(r, l->slow_us);
	return us * SIM_US + sim_below(r, 1000);
}

void sim_plan_print(const struct sim_plan *p)
{
	const struct hs_geometry *geo = &p->geo;

	printf("block %u, %u sets of %u, consecutive %u, %s, journal %u pages, origin %llu sectors "
	       "(%llu blocks), %u shards wished, todo lists of %u, steps of %u (0: as chosen)%s\n",
	       hs_block_bytes(geo), geo->nsets, hs_assoc(geo), 1u << geo->consecutive_shift,
	       geo->checksums ? "checksums" : "no checksums", geo->journal_pages,
	       (unsigned long long)geo->origin_sectors, (unsigned long long)geo->nr_blocks, p->shards,
	       p->todo_room, p->step_budget, p->native_fua[HS_CACHE] ? ", transactions with FUA" : "");
	printf("mode %d, %u lives of up to %u requests by %u users, faults %#x about every %u requests\n",
	       p->mode, p->lives, p->ops, p->users, p->faults, p->fault_every);
}
