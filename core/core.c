// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The cache as a whole: laying out its memory, and the shell's questions and settings.
 *
 *	struct hs_core | shards | unit bitmaps, unit_seq | transaction, confirm, metadata, write-back buffers
 *	| sets ...
 */
#include "core/internal.h"

/* Hands out pieces of the memory, or with base NULL only adds them up. */
struct hs_arena {
	u8 *base;
	u64 used;
};

static void *hs_take(struct hs_arena *a, u64 bytes, u32 align)
{
	void *p;

	a->used = hs_round_up(a->used, align);
	p = a->base ? a->base + a->used : NULL;
	a->used += bytes;
	return p;
}

static u32 hs_pick_shards(const struct hs_geometry *geo, u32 wished, u32 *shift)
{
	u32 most = wished ? (u32)hs_min(wished, HS_SHARDS_MAX) : HS_SHARDS_DEFAULT;

	*shift = 0;
	while (((geo->nsets - 1) >> *shift) + 1 > most)
		(*shift)++;
	return ((geo->nsets - 1) >> *shift) + 1;
}

static u32 hs_tx_max_pages(const struct hs_geometry *geo)
{
	return (u32)hs_min(geo->journal_pages / 4, HS_TX_PAGES_MAX);
}

static u32 hs_wb_bytes(const struct hs_geometry *geo)
{
	return (u32)hs_max(HS_WB_BYTES, hs_block_bytes(geo));
}

/* The map: what grows with the number of slots. */
static void hs_take_map(struct hs_core *core, struct hs_arena *a)
{
	u64 words = (core->geo.table_units + 63) / 64;

	core->shards = hs_take(a, (u64)core->nr_shards * sizeof(struct hs_shard), 64);
	core->udirty = hs_take(a, 8 * words, 8);
	core->uckpt = hs_take(a, 8 * words, 8);
	core->unit_seq = hs_take(a, 8 * (u64)core->geo.table_units, 8);
	core->rings = hs_take(a, 4 * (u64)core->nr_shards * hs_queues_room(core), 4);
	core->sets = hs_take(a, (u64)core->geo.nsets * core->off.bytes, 64);
}

static void hs_take_buffers(struct hs_core *core, struct hs_arena *a)
{
	u32 i, wb = hs_wb_bytes(&core->geo);

	core->commit.buf = hs_take(a, (u64)HS_TX_PAGES_MAX * HS_PAGE, HS_PAGE);
	core->commit.confirm = hs_take(a, HS_PAGE, HS_PAGE);
	core->meta.buf = hs_take(a, HS_META_BYTES, HS_PAGE);
	for (i = 0; i < HS_WB_MACHINES; i++) {
		core->wb[i].buf = hs_take(a, wb, HS_PAGE);
		core->wb[i].csum = hs_take(a, wb / HS_UNIT_BYTES * 4, 8);
	}
}

static void hs_layout(struct hs_core *core, const struct hs_geometry *geo,
		      const struct hs_core_opts *opts, struct hs_arena *a)
{
	core->geo = *geo;
	hs_set_layout(geo, &core->off);
	core->nr_shards = hs_pick_shards(geo, opts->shards, &core->shard_shift);
	core->shard_mask = (1u << core->shard_shift) - 1;
	core->todo_room = hs_todo_room(geo, core->shard_shift, opts->todo_room);
	core->step_budget = opts->step_budget ? opts->step_budget : HS_STEP_BUDGET;
	hs_take_map(core, a);
	hs_take_buffers(core, a);
}

u64 hs_core_size(const struct hs_geometry *geo, const struct hs_core_opts *opts)
{
	return hs_core_map_size(geo, opts) + (u64)(HS_TX_PAGES_MAX + 2) * HS_PAGE + HS_META_BYTES +
	       HS_WB_MACHINES * (hs_wb_bytes(geo) + hs_wb_bytes(geo) / HS_UNIT_BYTES * 4 +
				 2 * (u64)HS_PAGE);
}

u64 hs_core_map_size(const struct hs_geometry *geo, const struct hs_core_opts *opts)
{
	struct hs_set_offsets off;
	u32 shift, shards = hs_pick_shards(geo, opts->shards, &shift);

	hs_set_layout(geo, &off);
	return hs_round_up(sizeof(struct hs_core), 64) + 256 + shards * sizeof(struct hs_shard) +
	       4 * (u64)shards * ((HS_QUEUES << shift) + hs_todo_room(geo, shift, opts->todo_room)) +
	       2 * 8 * (u64)((geo->table_units + 63) / 64) + 8 * (u64)geo->table_units +
	       (u64)geo->nsets * off.bytes;
}

static void hs_shard_init(struct hs_core *core, u32 index)
{
	struct hs_shard *sh = &core->shards[index];
	u32 i;

	memset(sh, 0, sizeof(*sh));
	sh->index = index;
	sh->first_set = index << core->shard_shift;
	sh->nsets = (u32)hs_min(1u << core->shard_shift, core->geo.nsets - sh->first_set);
	hs_queues_init(core, sh);
	sh->gauges[1] = ((u64)sh->nsets << core->geo.assoc_shift) * hs_weights[HS_FREE].gauges[1];
	hs_list_init(&sh->waiters);
	for (i = 0; i < HS_BUCKETS; i++)
		hs_list_init(&sh->buckets[i]);
}

static void hs_machine_init(struct hs_req *req, u8 op)
{
	req->op = op;
	req->io = req->ios;
	req->step = hs_step_any;
	hs_list_init(&req->link);
	hs_list_init(&req->bucket);
}

static void hs_machines_init(struct hs_core *core)
{
	u32 i;

	hs_machine_init(&core->commit.req, HS_OP_COMMIT);
	hs_machine_init(&core->oflush.req, HS_OP_OFLUSH);
	hs_machine_init(&core->meta.req, HS_OP_META);
	hs_machine_init(&core->open.req, HS_OP_OPEN);
	hs_machine_init(&core->stop.req, HS_OP_STOP);
	core->commit.req.io = core->commit.io;
	core->commit.max_bytes = hs_tx_max_pages(&core->geo) * HS_PAGE;
	for (i = 0; i < HS_WB_MACHINES; i++) {
		hs_machine_init(&core->wb[i].req, HS_OP_WRITEBACK);
		core->wb[i].req.io = core->wb[i].io;
		core->wb[i].req.csum = core->wb[i].csum;
		core->wb[i].shard = i * core->nr_shards / HS_WB_MACHINES;
	}
}

/* The clock seeds of all unit checksums: a slot's data verify only in the cache that wrote them. */
static u32 hs_seed(const struct hs_sb *sb)
{
	return hs_crc32c(~0u, sb->uuid, HS_UUID_BYTES);
}

static void hs_mode_init(struct hs_core *core, s32 wished)
{
	u32 stored = core->sb.mode, target = wished < 0 ? stored : (u32)wished;

	core->mode_durable = stored;
	core->mode_target = target;
	core->mode = target;
	if (target == stored)
		return;
	if (target == HS_MODE_WRITEBACK)
		core->mode = stored;
	else
		core->drain_mode = 1;
	if (target == HS_MODE_BYPASS)
		core->mode = HS_MODE_WRITEAROUND;
}

struct hs_core *hs_core_init(void *mem, const struct hs_sb *sb, const struct hs_core_opts *opts)
{
	struct hs_arena a = { .base = mem };
	struct hs_core *core = hs_take(&a, sizeof(*core), 64);
	u32 i;

	memset(core, 0, sizeof(*core));
	hs_layout(core, &sb->geo, opts, &a);
	hs_assert(a.used <= hs_core_size(&sb->geo, opts));
	core->sb = *sb;
	core->policy = &hs_policy_lru;
	core->slot_shift = core->geo.block_shift - HS_SECTOR_SHIFT;
	core->index_shift = 32 - core->geo.assoc_shift;
	core->name_bytes = hs_record_name_bytes(&core->geo);
	core->block_mask = hs_block_sectors(&core->geo) - 1;
	core->data_sector = core->geo.data_offset >> HS_SECTOR_SHIFT;
	/* What is left holds the commits of the time that it takes: an eighth, but in small rings more. */
	core->checkpoint_at = core->geo.journal_pages -
			      (u32)hs_max(core->geo.journal_pages / 8, hs_min(core->geo.journal_pages / 2, 512));
	core->ways = hs_assoc(&core->geo);
	core->reserve = (u32)hs_max(2, hs_assoc(&core->geo) / 16);
	core->reserve_low = core->reserve - core->reserve / 4;
	core->changed_shift = core->geo.assoc_shift > 6 ? core->geo.assoc_shift - 6 : 0;
	core->dirty_high = hs_assoc(&core->geo) - hs_assoc(&core->geo) / 4;
	core->crc_seed = hs_seed(sb);
	core->now = opts->now;
	core->cache_fua = opts->cache_fua;
	core->data_fua = opts->cache_fua && !core->geo.checksums;
	/* After a process was killed, what it wrote to the origin need not be durable. */
	core->oflush.again = true;
	core->tun.dirty_age_ns = 30 * HS_SECOND;
	core->tun.dirty_percent = 50;
	core->tun.writeback = true;
	core->tun.slot_wait_ns = 30 * HS_SECOND;
	memset(core->udirty, 0, 8 * (size_t)((core->geo.table_units + 63) / 64));
	for (i = 0; i < core->nr_shards; i++)
		hs_shard_init(core, i);
	for (i = 0; i < core->geo.nsets; i++)
		hs_set_init(core, hs_set_at(core, i));
	memset(core->commit.confirm, 0, HS_PAGE);
	hs_machines_init(core);
	hs_mode_init(core, opts->mode);
	return core;
}

/* ---- questions -------------------------------------------------------------------------------------------- */

u32 hs_unit_seed(const struct hs_core *core, u64 unit)
{
	return core->crc_seed ^ (u32)(unit * 0x9e3779b1u) ^ (u32)(unit >> 32);
}

u32 hs_unit_crc(const struct hs_core *core, u64 unit, const void *data)
{
	return ~hs_crc32c(hs_unit_seed(core, unit), data, HS_UNIT_BYTES);
}

u32 hs_core_shards(const struct hs_core *core)
{
	return core->nr_shards;
}

const struct hs_geometry *hs_core_geometry(const struct hs_core *core)
{
	return &core->geo;
}

const struct hs_sb *hs_core_sb(const struct hs_core *core)
{
	return &core->sb;
}

struct hs_tunables *hs_core_tunables(struct hs_core *core)
{
	return &core->tun;
}

enum hs_mode hs_core_mode(const struct hs_core *core)
{
	return (enum hs_mode)hs_peek(core->mode);
}

enum hs_mode hs_core_mode_durable(const struct hs_core *core)
{
	return (enum hs_mode)hs_peek(core->mode_durable);
}

enum hs_mode hs_core_mode_wanted(const struct hs_core *core)
{
	return (enum hs_mode)hs_peek(core->mode_target);
}

bool hs_core_failed(const struct hs_core *core)
{
	return hs_peek(core->failed);
}

bool hs_core_abandon_due(const struct hs_core *core)
{
	return hs_peek(core->failed) && !hs_peek(core->abandoned) && hs_peek(core->want_abandon) &&
	       !hs_sum_sole(core);
}

s32 hs_slot_domain(const struct hs_core *core, u32 slot)
{
	return (s32)hs_set_shard(core, slot >> core->geo.assoc_shift);
}

u64 hs_slot_sector(const struct hs_core *core, u32 slot)
{
	return hs_slot_first_sector(core, (hs_slot_t){ slot });
}

void hs_slot_look(const struct hs_core *core, u32 slot, struct hs_slot_view *view)
{
	const struct hs_set *st = hs_set_at(core, slot >> core->geo.assoc_shift);
	u16 way = (u16)(slot & (hs_assoc(&core->geo) - 1));
	u16 s = st->way[way].state;

	memset(view, 0, sizeof(*view));
	view->durable = hs_dur(s);
	if (hs_cur(s) == HS_FREE)
		return;
	view->block = hs_tag(core, st, way);
	view->named = hs_cur_named(hs_cur(s));
	view->dirty = hs_cur_dirty(hs_cur(s));
	view->lost = s & HS_S_LOST;
	view->busy = !view->named || hs_cur(s) == HS_INPLACE;
	view->crcs = core->geo.checksums ? hs_slot_crcs(core, st, way) : NULL;
}

/* struct hs_counters is made of u64 only. */
static void hs_counters_add(struct hs_counters *sum, const struct hs_counters *n)
{
	u64 *to = (u64 *)sum;
	const u64 *from = (const u64 *)n;
	u32 i;

	for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		to[i] += from[i];
}

void hs_core_count(struct hs_core *core, s32 domain, struct hs_counters *sum)
{
	const struct hs_shard *sh = &core->shards[domain];

	if (domain == hs_journal_domain(core)) {
		hs_counters_add(sum, &core->journal.n);
		return;
	}
	hs_counters_add(sum, &sh->n);
	sum->reads += sh->n.read_hits + sh->n.read_misses;
	sum->writes += sh->n.write_hits + sh->n.write_misses;
	sum->used += (u32)sh->gauges[0];
	sum->retired += sh->gauges[0] >> 32;
	sum->free += (u32)sh->gauges[1];
	sum->dirty += sh->gauges[1] >> 32;
	sum->lost += sh->lost;
}

void hs_core_recount(struct hs_core *core, s32 domain, struct hs_counters *sum)
{
	const struct hs_shard *sh = &core->shards[domain];
	u32 set, i;

	for (set = sh->first_set; set < sh->first_set + sh->nsets; set++) {
		for (i = 0; i < hs_assoc(&core->geo); i++) {
			u16 s = hs_set_at(core, set)->way[i].state;

			sum->free += hs_cur(s) == HS_FREE;
			sum->retired += hs_cur(s) == HS_RETIRED;
			sum->used += hs_cur_named(hs_cur(s));
			sum->dirty += hs_cur_dirty(hs_cur(s));
			sum->lost += hs_cur_dirty(hs_cur(s)) && (s & HS_S_LOST);
		}
	}
}

/* ---- settings ---------------------------------------------------------------------------------------------- */

void hs_core_set_mode(struct hs_core *core, enum hs_mode mode, struct hs_out *out)
{
	/* What is on its way may be durable before this: then not even the mode that is durable now is to be had at once. */
	bool stored = hs_peek(core->mode_durable) == mode && !core->meta.mode_writing;

	core->mode_gen++;
	hs_poke(core->mode_target, mode);
	hs_poke(core->drain_mode, !stored && mode != HS_MODE_WRITEBACK);
	/* To write-back once that is durable, to bypass once nothing is dirty and that is durable. */
	if (stored || (mode != HS_MODE_WRITEBACK && mode != HS_MODE_BYPASS))
		hs_poke(core->mode, mode);
	else if (mode == HS_MODE_BYPASS)
		hs_poke(core->mode, HS_MODE_WRITEAROUND);
	core->journal.want_sb = !stored;
	hs_kick(core, HS_KICK_META | HS_KICK_WRITEBACK, out);
}

void hs_core_drain(struct hs_core *core, bool on, struct hs_out *out)
{
	hs_poke(core->drain, on);
	if (on)
		hs_poke(core->wb_want, HS_WANT_ALL);
	hs_kick(core, HS_KICK_WRITEBACK, out);
}

void hs_core_abandon(struct hs_core *core, struct hs_out *out)
{
	hs_poke(core->abandoned, 1);
	hs_kick(core, HS_KICK_WRITEBACK, out);
}
