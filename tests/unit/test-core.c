// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * core/core.c, and the core as a whole: random requests whose I/Os end in random order, power cuts at any
 * moment, recovery; every sector must then hold a value that a disk could hold. HS_SEED=n starts with that
 * seed, HS_WORLDS=n runs so many worlds instead of ten seconds' worth.
 */
#include <stdlib.h>
#include <time.h>

#include "tests/lib/corebox.h"

/* ---- the oracle: what may stand in a sector ---------------------------------------------------------- */

#define HISTORY		24
#define FOR_EVER	~0ull
#define WILD		0xffffffffu	/* after a discard: anything */

struct entry {
	u32 value;
	bool ok, durable;
	bool doubtful;		/* a FLUSH failed: no later one promises anything for it */
	u64 begin, end;
};

struct sector {
	struct entry e[HISTORY];
	u32 n;
};

struct world {
	struct box box;
	struct sector *sectors;
	u64 clock, seed;
	u32 value;
	bool faults;
	struct op {
		struct box_req q;
		bool used;
		u64 begin;
		u32 value;
	} op[12];
	u64 ops, cuts;
};

/* Was e replaced for certain by a write that began after it ended? */
static bool replaced(const struct sector *s, const struct entry *e, u64 before, bool durably)
{
	u32 i;

	for (i = 0; i < s->n; i++) {
		const struct entry *w = &s->e[i];

		if (w->ok && w->begin > e->end && w->end < before && (w->durable || !durably))
			return true;
	}
	return false;
}

static void prune(struct world *w, struct sector *s)
{
	u32 i, left = 0;
	struct sector old = *s;

	for (i = 0; i < old.n; i++)
		if (!replaced(&old, &old.e[i], w->clock, true))
			s->e[left++] = old.e[i];
	s->n = left;
}

static bool room(struct world *w, u64 sector, u32 sectors)
{
	u32 i;

	for (i = 0; i < sectors; i++) {
		struct sector *s = &w->sectors[sector + i];

		if (s->n + 2 >= HISTORY)
			prune(w, s);
		if (s->n + 2 >= HISTORY)
			return false;
	}
	return true;
}

static void note_begin(struct world *w, u64 sector, u32 sectors, u32 value, u64 begin)
{
	u32 i;

	for (i = 0; i < sectors; i++) {
		struct sector *s = &w->sectors[sector + i];

		s->e[s->n++] = (struct entry){ .value = value, .begin = begin, .end = FOR_EVER };
	}
}

static void note_end(struct world *w, const struct op *op, bool ok)
{
	u64 i, k;

	for (i = op->q.r.sector.nr; i < op->q.r.sector.nr + op->q.r.sectors; i++)
		for (k = 0; k < w->sectors[i].n; k++) {
			struct entry *e = &w->sectors[i].e[k];

			if (e->begin != op->begin)
				continue;
			e->end = w->clock;
			e->ok = ok;
			e->durable = ok && (op->q.r.flags & HS_REQ_FUA);
		}
}

static void note_flushed(struct world *w, u64 begin, bool failed)
{
	u64 i, k;

	for (i = 0; i < w->box.sb.geo.origin_sectors; i++)
		for (k = 0; k < w->sectors[i].n; k++) {
			struct entry *e = &w->sectors[i].e[k];

			if (e->ok && failed)
				e->doubtful = true;
			else if (e->ok && e->end < begin && !e->doubtful)
				e->durable = true;
		}
}

static void complain(struct world *w, u64 sector, u64 value, const char *when)
{
	const struct sector *s = &w->sectors[sector];
	u32 i;

	print_message("%s sector %llu (block %llu) reads %llu at %llu; it had:\n", when,
		      (unsigned long long)sector,
		      (unsigned long long)(sector / hs_block_sectors(&w->box.sb.geo)),
		      (unsigned long long)value, (unsigned long long)w->clock);
	for (i = 0; i < s->n; i++)
		print_message("  %u from %llu to %lld %s%s\n", s->e[i].value,
			      (unsigned long long)s->e[i].begin, (long long)s->e[i].end,
			      s->e[i].ok ? "ok" : "not acknowledged", s->e[i].durable ? ", flushed" : "");
	fail();
}

static void check_value(struct world *w, u64 sector, u64 value, u64 since, bool after_cut)
{
	const struct sector *s = &w->sectors[sector];
	u32 i;

	for (i = 0; i < s->n; i++)
		if ((s->e[i].value == value || s->e[i].value == WILD) &&
		    !replaced(s, &s->e[i], since, after_cut))
			return;
	complain(w, sector, value, after_cut ? "recovered" : "read");
}

/* ---- one world ------------------------------------------------------------------------------------------ */

static u32 below(struct world *w, u32 n)
{
	return (u32)random_below(&w->box.rnd, n);
}

static void op_ended(struct world *w, struct op *op)
{
	const struct hs_req *r = &op->q.r;
	u32 i;

	w->clock++;
	op->used = false;
	if (r->error && !(w->faults && r->error == -EIO) &&
	    !(r->op == HS_OP_ZERO && r->error == -EAGAIN))
		fail_msg("request %u failed: %d, HS_SEED=%llu", r->op, r->error,
			 (unsigned long long)w->seed);
	if (r->op == HS_OP_FLUSH)
		note_flushed(w, op->begin, r->error);
	else if (r->op == HS_OP_READ && !r->error)
		for (i = 0; i < r->sectors; i++)
			check_value(w, r->sector.nr + i,
				    box_value(op->q.data + ((size_t)i << HS_SECTOR_SHIFT),
					      r->sector.nr + i), op->begin, false);
	else if (r->op != HS_OP_READ && r->op != HS_OP_FLUSH)
		note_end(w, op, !r->error);
	box_drop(&op->q);
}

static void reap(struct world *w)
{
	u32 i;

	for (i = 0; i < 12; i++)
		if (w->op[i].used && w->op[i].q.done)
			op_ended(w, &w->op[i]);
}

/* Mostly near the start, so that blocks meet. */
static void pick_range(struct world *w, enum hs_op kind, u64 *sector, u32 *sectors)
{
	const struct hs_geometry *geo = &w->box.sb.geo;
	u32 block = hs_block_sectors(geo);
	u64 hot = hs_min(geo->nr_blocks, below(w, 3) ? 12 : geo->nr_blocks);
	u64 nr = below(w, (u32)hot);

	*sector = nr * block;
	*sectors = hs_block_valid(geo, nr);
	if (kind == HS_OP_DISCARD || kind == HS_OP_ZERO) {
		*sectors = (u32)hs_range_limit(w->box.core, *sector,
					       hs_min(geo->origin_sectors - *sector,
						      (u64)block * (1 + below(w, 4))));
		return;
	}
	if (below(w, 2)) {
		u32 from = below(w, *sectors);

		*sectors = 1 + below(w, *sectors - from);
		*sector += from;
	}
	if (below(w, 2) && *sectors > 16) {
		*sector = (*sector + 7) & ~7ull;
		*sectors = 8;
	}
}

static enum hs_op pick_kind(struct world *w)
{
	static const enum hs_op kinds[] = {
		HS_OP_READ, HS_OP_READ, HS_OP_READ, HS_OP_WRITE, HS_OP_WRITE, HS_OP_WRITE, HS_OP_WRITE,
		HS_OP_WRITE, HS_OP_FLUSH, HS_OP_READ,
	};

	if (!below(w, 25))
		return below(w, 2) ? HS_OP_DISCARD : HS_OP_ZERO;
	return kinds[below(w, 10)];
}

static void begin_op(struct world *w)
{
	enum hs_op kind = pick_kind(w);
	struct op *op = w->op;
	u64 sector = 0;
	u32 sectors = 0, flags = 0;

	while (op < w->op + 12 && op->used)
		op++;
	if (op == w->op + 12)
		return;
	if (kind != HS_OP_FLUSH)
		pick_range(w, kind, &sector, &sectors);
	if (kind != HS_OP_READ && kind != HS_OP_FLUSH && !room(w, sector, sectors))
		return;
	if (kind == HS_OP_WRITE && !below(w, 8))
		flags |= HS_REQ_FUA;
	if (!below(w, 16))
		flags |= HS_REQ_SEQUENTIAL;
	op->begin = ++w->clock;
	op->used = true;
	op->value = kind == HS_OP_WRITE ? ++w->value : kind == HS_OP_DISCARD ? WILD : 0;
	if (kind == HS_OP_WRITE || kind == HS_OP_DISCARD || kind == HS_OP_ZERO)
		note_begin(w, sector, sectors, op->value, op->begin);
	if (kind == HS_OP_WRITE)
		box_begin_write(&w->box, &op->q, sector, sectors, op->value, flags);
	else
		box_begin(&w->box, &op->q, kind, sector, sectors, flags);
	w->ops++;
}

static void some_control(struct world *w)
{
	struct hs_out out;

	hs_out_init(&out);
	if (below(w, 2))
		hs_core_drain(w->box.core, below(w, 2), &out);
	else
		hs_core_set_mode(w->box.core, (enum hs_mode)below(w, HS_MODE_COUNT), &out);
	box_control(&w->box, &out);
}

static void some_fault(struct world *w)
{
	static const u8 kinds[][2] = {
		{ HS_CACHE, HS_IO_READ }, { HS_CACHE, HS_IO_WRITE }, { HS_CACHE, HS_IO_FLUSH },
		{ HS_ORIGIN, HS_IO_READ }, { HS_ORIGIN, HS_IO_WRITE }, { HS_ORIGIN, HS_IO_FLUSH },
	};
	u32 k = below(w, 6);

	box_no_faults(&w->box);
	box_fault(&w->box, kinds[k][0], kinds[k][1], 0, 0, 1 + (s32)below(w, 2));
}

static void live(struct world *w, u32 steps)
{
	while (steps--) {
		u32 what = below(w, 100);

		if (what < 30)
			begin_op(w);
		else if (what < 94 && w->box.nr_io)
			box_end(&w->box, below(w, w->box.nr_io));
		else if (what < 98)
			box_tick(&w->box, 50 + below(w, 400));
		else if (!below(w, 10))
			some_control(w);
		else if (w->faults && !below(w, 6))
			some_fault(w);
		reap(w);
	}
}

/* Everything comes to its end, unless the cache device has failed: then some may wait for ever. */
static void come_to_rest(struct world *w)
{
	u32 i, k;

	box_no_faults(&w->box);
	box_run(&w->box);
	for (k = 0; k < 700; k++) {
		bool busy = false;

		reap(w);
		for (i = 0; i < 12; i++)
			busy |= w->op[i].used;
		if (!busy || hs_core_failed(w->box.core))
			return;
		box_ticks(&w->box, 1, 100);
	}
	for (i = 0; i < 12; i++)
		if (w->op[i].used)
			fail_msg("request %u (flags %x, state %u) at %llu hangs, HS_SEED=%llu",
				 w->op[i].q.r.op, w->op[i].q.r.flags, w->op[i].q.r.state,
				 (unsigned long long)w->op[i].q.r.sector.nr, (unsigned long long)w->seed);
}

static void forget_ops(struct world *w)
{
	u32 i;

	for (i = 0; i < 12; i++) {
		if (!w->op[i].used)
			continue;
		if (w->op[i].q.r.op != HS_OP_READ && w->op[i].q.r.op != HS_OP_FLUSH)
			note_end(w, &w->op[i], false);
		w->op[i].used = false;
		box_drop(&w->op[i].q);
	}
}

/* "What the origin durably holds if clean": the one sentence of the design. */
static void check_clean_slots(struct world *w)
{
	struct box *b = &w->box;
	u32 slot, i;

	for (slot = 0; slot < b->sb.geo.nr_slots; slot++) {
		struct hs_slot_view v;
		u64 first;

		hs_slot_look(b->core, slot, &v);
		first = hs_block_first_sector(b->core, v.block);
		for (i = 0; v.durable == HS_D_CLEAN && i < hs_block_valid(&b->sb.geo, v.block); i++) {
			u64 c = box_value(box_slot_data(b, slot) + 512 * (u64)i, first + i);
			u64 o = box_value(b->dev[HS_ORIGIN].durable + 512 * (first + i), first + i);

			if (c != o)
				fail_msg("clean slot %u, sector %llu: %lld, on the origin %lld, HS_SEED=%llu",
					 slot, (unsigned long long)(first + i), (long long)c,
					 (long long)o, (unsigned long long)w->seed);
		}
	}
}

/* A range that was flagged lost, after errors, may fail, and hold anything. */
static void pin_lost(struct world *w, u64 block, u64 first, u32 n)
{
	u32 i;

	if (!w->faults || box_slot(&w->box, block) < 0 || !(box_state(&w->box, block) & HS_S_LOST))
		fail_msg("block %llu cannot be read, HS_SEED=%llu", (unsigned long long)block,
			 (unsigned long long)w->seed);
	for (i = 0; i < n; i++) {
		w->sectors[first + i].n = 1;
		w->sectors[first + i].e[0] = (struct entry){ WILD, true, true, false, w->clock, w->clock };
	}
}

/* Reads all and pins what it read: after a cut it may not change any more, not even by another cut. */
static void read_all(struct world *w, bool cut)
{
	struct box *b = &w->box;
	u64 block, i;

	for (block = 0; block < b->sb.geo.nr_blocks; block++) {
		u64 first = hs_block_first_sector(b->core, block);
		u32 n = hs_block_valid(&b->sb.geo, block);
		struct box_req q;

		box_begin(b, &q, HS_OP_READ, first, n, HS_REQ_SEQUENTIAL);
		box_run(b);
		assert_true(q.done);
		if (q.r.error)
			pin_lost(w, block, first, n);
		for (i = 0; !q.r.error && i < n; i++) {
			struct sector *s = &w->sectors[first + i];
			u64 v = box_value(q.data + (i << HS_SECTOR_SHIFT), first + i);

			check_value(w, first + i, v, FOR_EVER, true);
			if (cut)
				s->n = 0;
			else
				prune(w, s);
			assert_true(s->n < HISTORY);
			s->e[s->n++] = (struct entry){ (u32)v, true, cut, false, w->clock, w->clock };
		}
		box_drop(&q);
	}
}

static void crash(struct world *w)
{
	struct box *b = &w->box;
	/* Without a cut a failed FLUSH stays hidden: what it lost can still be read. */
	bool cut = w->faults || below(w, 5), again;
	static const u32 keeps[] = { 0, 100, 50, 90, 10 };

	w->clock++;
	box_check(b);
	box_no_faults(b);
	if (cut)
		box_cut(b, keeps[below(w, 5)]);
	else
		box_close(b);
	forget_ops(w);
	/* Recovery may be cut short, any number of times. */
	while ((again = !below(w, 3))) {
		if (cut && below(w, 2))
			box_fault(b, HS_CACHE, below(w, 2) ? HS_IO_FLUSH : HS_IO_WRITE, 0, 0, 1);
		box_open(b, -1);
		box_no_faults(b);
		if (cut)
			box_cut(b, keeps[below(w, 5)]);
		else
			box_close(b);
	}
	if (box_open(b, -1))
		fail_msg("open: %s, HS_SEED=%llu", hs_core_open_why(b->core), (unsigned long long)w->seed);
	box_check(b);
	check_clean_slots(w);
	w->clock++;
	read_all(w, cut);
	w->clock++;
	w->cuts++;
}

static void rest(struct world *w)
{
	struct box *b = &w->box;

	come_to_rest(w);
	box_check(b);
	if (hs_core_failed(b->core) || below(w, 2))
		return;
	forget_ops(w);
	if (box_stop(b))
		fail_msg("stop failed, HS_SEED=%llu", (unsigned long long)w->seed);
	box_must_open(b);
	assert_true(hs_core_report(b->core)->clean_stop);
}

static void world_init(struct world *w, u64 seed)
{
	static const u32 sizes[] = { 4096, 4096, 16384, 32768 };
	struct hs_geometry_wish wish;
	struct random rnd;
	u64 i;

	random_seed(&rnd, seed);
	memset(w, 0, sizeof(*w));
	box_geometry(&wish, sizes[random_below(&rnd, 4)], 1 + (u32)random_below(&rnd, 3));
	wish.consecutive = 1u << random_below(&rnd, 3);
	wish.origin_bytes = wish.origin_bytes / 2 - 512 * random_below(&rnd, 9);
	wish.no_checksums = !random_below(&rnd, 4);
	box_init(&w->box, &wish, (enum hs_mode)(random_below(&rnd, 2) * random_below(&rnd, 3)));
	w->box.rnd = rnd;
	w->box.shards = 1u << random_below(&rnd, 3);
	w->seed = seed;
	w->faults = !random_below(&rnd, 3);
	w->clock = 1;
	w->sectors = calloc(w->box.sb.geo.origin_sectors, sizeof(*w->sectors));
	for (i = 0; i < w->box.sb.geo.origin_sectors; i++) {
		w->sectors[i].n = 1;
		w->sectors[i].e[0] = (struct entry){ .ok = true, .durable = true };
	}
	box_must_open(&w->box);
}

static u64 running;		/* the world's seed; 0: none */

static void world_run(u64 seed, u64 *ops, u64 *cuts)
{
	static struct world w;
	u32 lives;

	running = seed;
	world_init(&w, seed);
	for (lives = 4; lives; lives--) {
		live(&w, 100 + below(&w, 900));
		if (below(&w, 3))
			crash(&w);
		else
			rest(&w);
	}
	crash(&w);
	*ops += w.ops;
	*cuts += w.cuts;
	box_destroy(&w.box);
	free(w.sectors);
	running = 0;
}

/* Also when an assertion ended it that knows nothing of worlds. */
static int name_the_world(void **state)
{
	if (running)
		print_message("replay: HS_SEED=%llu HS_WORLDS=1\n", (unsigned long long)running);
	return 0;
}

static void every_sector_holds_an_allowed_value(void **state)
{
	const char *worlds = getenv("HS_WORLDS");
	u64 seed = random_main_seed(), ops = 0, cuts = 0, n = 0;
	time_t end = time(NULL) + 10;

	while (worlds ? n < strtoull(worlds, NULL, 0) : time(NULL) < end)
		world_run(seed + n++, &ops, &cuts);
	print_message("%llu worlds, %llu requests, %llu cuts\n", (unsigned long long)n,
		      (unsigned long long)ops, (unsigned long long)cuts);
}

/* ---- core.c itself -------------------------------------------------------------------------------------- */

/* hs_core_init asserts that it got by with what hs_core_size said. */
static void the_size_covers_every_geometry(void **state)
{
	u32 shift, assoc, shards;

	for (shift = 12; shift <= 20; shift += 4)
		for (assoc = 16; assoc <= 1024; assoc *= 8)
			for (shards = 0; shards <= 64; shards = shards ? shards * 4 : 1) {
				struct hs_geometry_wish w = { .origin_bytes = 1ull << 34, .assoc = assoc,
							      .cache_bytes = 3ull << 30 };
				struct hs_core_opts opts = { .shards = shards, .mode = -1 };
				struct hs_sb sb = { .mode = HS_MODE_WRITEBACK };
				const char *why;
				void *mem;

				w.block_size = 1u << shift;
				assert_int_equal(hs_geometry_choose(&w, &sb.geo, &why), 0);
				mem = malloc(hs_core_size(&sb.geo, &opts));
				assert_true(hs_core_shards(hs_core_init(mem, &sb, &opts)) <= HS_SHARDS_MAX);
				free(mem);
			}
}

static void a_slot_can_be_looked_at(void **state)
{
	struct hs_slot_view v;
	struct box b;
	int slot;

	box_start(&b, 16384, 2, HS_MODE_WRITEBACK);
	box_write(&b, 32, 32, 1, 0);
	slot = box_slot(&b, 1);
	hs_slot_look(b.core, (u32)slot, &v);
	assert_true(v.named && v.dirty && !v.lost && !v.busy);
	assert_int_equal(v.block, 1);
	assert_int_equal(v.durable, HS_D_NONE);
	assert_int_equal(v.crcs[2], hs_unit_crc(b.core, 6, box_slot_data(&b, (u32)slot) + 8192));
	assert_int_equal(hs_slot_sector(b.core, (u32)slot) << HS_SECTOR_SHIFT,
			 box_slot_data(&b, (u32)slot) - b.dev[HS_CACHE].now);
	box_flush(&b);
	hs_slot_look(b.core, (u32)slot, &v);
	assert_int_equal(v.durable, HS_D_DIRTY);
	box_destroy(&b);
}

/* A unit's checksum depends on where it belongs, and on the cache. */
static void a_checksum_knows_its_place(void **state)
{
	static const u8 data[HS_UNIT_BYTES];
	struct box b;
	u32 crc;

	box_start(&b, 4096, 1, HS_MODE_WRITEBACK);
	crc = hs_unit_crc(b.core, 1, data);
	assert_int_not_equal(crc, hs_unit_crc(b.core, 2, data));
	assert_int_not_equal(crc, hs_unit_crc(b.core, 1 + (1ull << 32), data));
	b.core->crc_seed ^= 1;
	assert_int_not_equal(crc, hs_unit_crc(b.core, 1, data));
	box_destroy(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_sector_holds_an_allowed_value, name_the_world),
		cmocka_unit_test(the_size_covers_every_geometry),
		cmocka_unit_test(a_slot_can_be_looked_at),
		cmocka_unit_test(a_checksum_knows_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
