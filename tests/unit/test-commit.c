// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/commit.c */
#include "tests/lib/corebox.h"

static struct box b;

static int setup(void **state)
{
	box_start(&b, 4096, 4, HS_MODE_WRITEBACK);
	return 0;
}

static int teardown(void **state)
{
	box_destroy(&b);
	return 0;
}

static struct hs_counters *counters(void)
{
	static struct hs_counters n;

	box_counters(&b, &n);
	return &n;
}

/* Writes without FLUSH, then holds the transaction's flush. */
static void start_commit(void)
{
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_tick(&b, 1000);
	box_run(&b);
	assert_true(box_find(&b, HS_CACHE, HS_IO_FLUSH) >= 0);
}

static void one_transaction_is_on_the_media_at_a_time(void **state)
{
	struct box_req f[3];
	u32 i;

	box_flush(&b);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	for (i = 0; i < 3; i++) {
		box_write(&b, i * 8, 8, 1, 0);
		box_begin(&b, &f[i], HS_OP_FLUSH, 0, 0, 0);
		box_run(&b);
		assert_int_equal(b.nr_io, 1);
	}
	box_let(&b);
	box_run(&b);
	for (i = 0; i < 3; i++) {
		assert_true(f[i].done);
		box_drop(&f[i]);
	}
}

/* A new name and the drop of the old one are durable together, or not at all. */
static void name_and_drop_travel_in_one_transaction(void **state)
{
	u32 keep, lives;

	for (lives = 0; lives < 40; lives++) {
		keep = lives * 5 % 101;
		box_write(&b, 0, 8, lives + 1, 0);
		assert_int_equal(box_flush(&b), 0);
		box_write(&b, 0, 8, 1000 + lives, 0);
		start_commit();
		box_reopen(&b, keep);
		assert_int_equal(hs_core_report(b.core)->map_conflicts, 0);
		assert_true(box_slot(&b, 0) >= 0);
		box_check(&b);
	}
}

/* Overwritten after the transaction took it: two names of one block must not share a transaction. */
static void a_block_is_named_once_in_a_transaction(void **state)
{
	struct hs_record rec;
	struct box_req f;
	u32 i, off, bytes, names = 0;

	box_flush(&b);
	for (i = 0; i < 64; i++)
		box_write(&b, i * 8, 8, 1, 0);
	/* Stop the gather in the midst: as a write in place would. */
	b.core->commit.max_bytes = HS_TX_HEADER + 4 * (HS_REC_NAME_BYTES + 4);
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	for (i = 0; i < 64 && !f.done; i++) {
		box_write(&b, i * 8, 8, 2, 0);
		if (b.nr_io)
			box_end(&b, 0);
		for (off = HS_TX_HEADER, names = 0; off < b.core->commit.bytes; off += bytes) {
			bytes = hs_record_get(b.core->commit.buf + off, 4096, &b.sb.geo, &rec);
			if (!bytes)
				break;
			names += rec.kind == HS_REC_NAME;
		}
		assert_true(names <= 4);
	}
	box_run(&b);
	assert_true(f.done);
	box_drop(&f);
	box_reopen(&b, 50);
	assert_int_equal(hs_core_report(b.core)->map_conflicts, 0);
}

static void in_tx_ways_keep_their_block_out_of_that_transaction(void **state)
{
	int slot;
	u16 *s;

	box_write(&b, 0, 8, 1, 0);
	slot = box_slot(&b, 0);
	s = &hs_set_at(b.core, (u32)slot / 16)->way[slot % 16].state;
	hs_slot_change(b.core, &b.core->shards[hs_slot_domain(b.core, (u32)slot)],
		       hs_set_at(b.core, (u32)slot / 16), (u32)slot / 16,
		       (u16)(slot % 16), *s | HS_S_IN_TX);
	box_write(&b, 0, 8, 2, 0);
	box_ticks(&b, 3, 1000);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_NONE);
	hs_slot_change(b.core, &b.core->shards[hs_slot_domain(b.core, (u32)slot)],
		       hs_set_at(b.core, (u32)slot / 16), (u32)slot / 16,
		       (u16)(slot % 16), (u16)(*s & ~HS_S_IN_TX));
	box_ticks(&b, 3, 1000);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_DIRTY);
}

static void a_big_round_takes_several_transactions(void **state)
{
	u64 i, before;

	box_flush(&b);
	before = counters()->commits;
	b.core->commit.max_bytes = HS_TX_HEADER + 5 * (HS_REC_NAME_BYTES + 4);
	for (i = 0; i < 40; i++)
		box_write(&b, i * 8, 8, i + 1, 0);
	assert_int_equal(box_flush(&b), 0);
	assert_true(counters()->commits >= before + 8);
	box_reopen(&b, 0);
	for (i = 0; i < 40; i++)
		box_expect(&b, i * 8, 8, i + 1);
}

static void a_cut_between_the_transactions_of_a_round_is_survived(void **state)
{
	struct box_req f;
	u64 i;

	box_flush(&b);
	b.core->commit.max_bytes = HS_TX_HEADER + 5 * (HS_REC_NAME_BYTES + 4);
	for (i = 0; i < 20; i++)
		box_write(&b, i * 8, 8, i + 1, 0);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	box_run(&b);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	box_run(&b);
	assert_false(f.done);
	box_drop(&f);
	box_reopen(&b, 0);
	assert_int_equal(hs_core_report(b.core)->transactions, 1);
	assert_int_equal(counters()->dirty, 5);
}

static void a_commit_runs_each_second_while_there_is_something(void **state)
{
	u64 before;

	box_write(&b, 0, 8, 1, 0);
	box_ticks(&b, 2, 1000);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_DIRTY);
	before = counters()->commits;
	box_ticks(&b, 20, 1000);
	assert_int_equal(counters()->commits, before);
}

/* INVARIANTS 8, 39: once its outcome is unknown both maps count, and nothing is claimed any more. */
static void a_failed_transaction_ends_all_claims(void **state)
{
	u64 sb = b.core->sb.sb_seq;
	int old;

	box_write(&b, 0, 8, 1, 0);
	box_flush(&b);
	old = box_slot(&b, 0);
	box_write(&b, 0, 8, 2, 0);
	box_fault(&b, HS_CACHE, HS_IO_FLUSH, 0, 0, 1);
	assert_int_equal(box_flush(&b), -EIO);
	box_ticks(&b, 10, 1000);
	assert_int_equal(b.core->sb.sb_seq, sb);
	/* The old slot is in one of the two maps: it is not used again. */
	assert_int_not_equal(hs_cur(hs_set_at(b.core, (u32)old / 16)->way[old % 16].state), HS_FREE);
	box_expect(&b, 0, 8, 2);
	assert_int_equal(counters()->cache_errors, 1);
}

static void a_failed_write_of_it_does_too(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	box_fault(&b, HS_CACHE, HS_IO_WRITE, HS_JOURNAL_OFFSET >> 9, 512, 1);
	assert_int_equal(box_flush(&b), -EIO);
	assert_true(hs_core_failed(b.core));
	box_expect(&b, 0, 8, 1);
}

/* What was read with one failed sequence number must not be repeated with it. */
static void after_a_failure_a_cut_leaves_one_of_the_two_maps(void **state)
{
	u32 keep;

	for (keep = 0; keep <= 100; keep += 25) {
		box_write(&b, 0, 8, 1, 0);
		box_flush(&b);
		box_write(&b, 0, 8, 2, 0);
		box_fault(&b, HS_CACHE, HS_IO_FLUSH, 0, 0, 1);
		box_flush(&b);
		box_reopen(&b, keep);
		if (box_value(box_slot_data(&b, (u32)box_slot(&b, 0)), 0) == 2)
			box_expect(&b, 0, 8, 2);
		else
			box_expect(&b, 0, 8, 1);
	}
}

/* ---- the todo list while blocks are rewritten --------------------------------------------------------------- */

/* One shard, small transactions. */
static void start_small(u32 block, u32 assoc)
{
	box_destroy(&b);
	memset(&b, 0, sizeof(b));
	box_start(&b, block, assoc, HS_MODE_WRITEBACK);
	box_close(&b);
	b.shards = 1;
	box_must_open(&b);
	box_flush(&b);
}

static void write_at_once(u64 sector, u32 sectors, u32 value)
{
	struct box_req q;

	box_begin_write(&b, &q, sector, sectors, value, 0);
	box_run(&b);
	assert_true(q.done);
	box_drop(&q);
}

/* A gather in which `writes` random blocks of `hot` dirty ones are overwritten between any two steps. Returns its steps. */
static u32 steps_of_gather(u32 hot, u32 writes)
{
	struct hs_out out;
	struct random rnd;
	struct box_req f;
	u32 i, n;

	start_small(4096, 512);
	random_seed(&rnd, hot + writes);
	for (i = 0; i < hot; i++)
		box_write(&b, i * 8, 8, 1, 0);
	hs_out_init(&out);
	hs_kick(b.core, HS_KICK_COMMIT, &out);
	hs_list_del(&b.core->commit.req.link);
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	for (n = 0; n < 1000; n++) {
		hs_out_init(&out);
		assert_int_equal(hs_step(b.core, &b.core->commit.req, &out), HS_AGAIN);
		if (b.core->commit.req.domain != 0 && n)
			break;
		for (i = 0; i < writes; i++)
			box_write(&b, random_below(&rnd, hot) * 8, 8, 2 + n, 0);
	}
	assert_int_equal(b.core->commit.records, hot);
	/* On with what was taken out of the box's hands. */
	hs_out_init(&out);
	hs_list_add_tail(&out.run, &b.core->commit.req.link);
	box_control(&b, &out);
	box_run(&b);
	assert_true(f.done);
	box_drop(&f);
	box_check(&b);
	return n;
}

static void a_gather_ends_however_fast_blocks_are_rewritten(void **state)
{
	assert_true(steps_of_gather(100, 1) < 10);
	assert_true(steps_of_gather(100, 16) < 10);
	assert_true(steps_of_gather(200, 16) < 20);
	assert_true(steps_of_gather(200, 64) < 20);
}

static void a_flush_ends_though_blocks_are_rewritten_between_transactions(void **state)
{
	struct box_req f;
	u32 i, n, t;

	start_small(4096, 32);
	b.core->commit.max_bytes = HS_TX_HEADER + 8 * b.core->name_bytes;
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	for (i = 0; i < 30; i++)
		write_at_once(i * 8, 8, 1);
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	for (n = 0; n < 30 && !f.done; n++) {
		box_run(&b);
		for (t = 0; t < 12; t++)
			write_at_once((n * 12 + t) % 30 * 8, 8, 2 + n);
		if (!f.done && box_find(&b, HS_CACHE, HS_IO_FLUSH) >= 0)
			box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	}
	assert_true(f.done);
	assert_int_equal(f.r.error, 0);
	box_drop(&f);
	box_let(&b);
	box_run(&b);
	box_check(&b);
}

/*
 * A dirty block that was spilled and lies before the scan's cursor, which is in the middle of its set, while the FLUSH's round
 * scans; or 0.
 */
static u64 spilled_block(const struct box_req *f)
{
	const struct hs_commit *c = &b.core->commit;
	u64 block;

	if (c->todo_left || c->scan == HS_NOSET || b.core->journal.round != f->r.target[0])
		return 0;
	for (block = 79; block; block--) {
		u16 s = box_state(&b, block);

		if (!(s & (HS_S_TODO | HS_S_IN_TX | HS_S_DUR)) && hs_cur(s) == HS_DIRTY &&
		    (u32)box_slot(&b, block) > c->scan && (u32)box_slot(&b, block) / 16 == (c->scan - 1) / 16)
			break;
	}
	return block;
}

/* A FLUSH while something happens to such a block. Returns which; then the power has been cut. */
static u64 flush_of_a_spilled_block(void (*happens)(u64 block))
{
	struct box_req f;
	u64 block = 0;
	u32 i, n;

	start_small(8192, 32);
	b.core->commit.max_bytes = HS_TX_HEADER + 8 * b.core->name_bytes;
	b.core->step_budget = 5;
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	for (i = 0; i < 80; i++)
		write_at_once(i * 16, 16, 1);
	/* The first way of each set is the next that is taken: the cursor has passed it by. */
	for (i = 0; i < 80; i++)
		if (box_slot(&b, i) % 16 == 0)
			write_at_once(i * 16, 16, 1);
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	for (n = 0; n < 1000 && !f.done; n++) {
		box_run(&b);
		if (!block && (block = spilled_block(&f)))
			happens(block);
		if (!f.done && box_find(&b, HS_CACHE, HS_IO_FLUSH) >= 0)
			box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	}
	assert_true(block && f.done);
	assert_int_equal(f.r.error, 0);
	box_drop(&f);
	box_cut(&b, 0);
	box_let(&b);
	box_must_open(&b);
	return block;
}

/* Its first half: by now there is room on the list. */
static void write_in_place(u64 block)
{
	write_at_once(block * 16, 8, 2);
}

static void a_flush_covers_what_was_spilled_and_written_in_place(void **state)
{
	u64 block = flush_of_a_spilled_block(write_in_place);

	box_expect(&b, block * 16 + 8, 8, 1);
}

static void write_in_place_and_anew(u64 block)
{
	write_in_place(block);
	write_at_once(block * 16, 16, 3);
}

static void a_flush_covers_what_takes_the_place_of_that(void **state)
{
	u64 block = flush_of_a_spilled_block(write_in_place_and_anew);

	box_expect(&b, block * 16, 16, 3);
}

/* ---- with FUA --------------------------------------------------------------------------------------------- */

static int setup_fua(void **state)
{
	setup(state);
	b.cache_fua = true;
	box_write(&b, 0, 8, 1, 0);
	assert_int_equal(box_flush(&b), 0);
	box_stop(&b);
	box_must_open(&b);
	return 0;
}

/* A FLUSH of one overwritten block, with the commit's I/Os on their way. */
static void start_fua(struct box_req *f)
{
	box_write(&b, 0, 8, 2, 0);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_hold(&b, HS_CACHE, HS_IO_WRITE);
	box_begin(&b, f, HS_OP_FLUSH, 0, 0, 0);
	box_run(&b);
	assert_false(f->done);
}

static void with_fua_transaction_and_flush_go_side_by_side(void **state)
{
	static const u8 ops[] = { HS_IO_WRITE, HS_IO_FLUSH };
	u64 flushes;
	u32 first;

	for (first = 0; first < 2; first++) {
		struct box_req f;
		int i;

		start_fua(&f);
		flushes = counters()->cache_flushes;
		assert_int_equal(b.nr_io, 2);
		i = box_find(&b, HS_CACHE, HS_IO_WRITE);
		assert_true(i >= 0 && b.io[i].req->io[b.io[i].index].flags & HS_IO_FUA);
		assert_true(box_find(&b, HS_CACHE, HS_IO_FLUSH) >= 0);
		box_end_one(&b, HS_CACHE, ops[first]);
		box_run(&b);
		assert_false(f.done);
		assert_int_equal(b.nr_io, 1);
		box_end_one(&b, HS_CACHE, ops[!first]);
		box_run(&b);
		assert_true(f.done);
		assert_int_equal(f.r.error, 0);
		assert_int_equal(counters()->cache_flushes, flushes + 1);
		/* The confirm record is not in the way. */
		assert_int_equal(b.nr_io, 1);
		box_drop(&f);
		box_reopen(&b, 0);
		box_expect(&b, 0, 8, 2);
		box_let(&b);
		box_run(&b);
	}
}

static void with_fua_a_transaction_without_its_data_is_dropped(void **state)
{
	struct box_req f;

	start_fua(&f);
	box_end_one(&b, HS_CACHE, HS_IO_WRITE);
	box_drop(&f);
	box_reopen(&b, 0);
	assert_true(hs_core_report(b.core)->dropped_last);
	box_let(&b);
	box_expect(&b, 0, 8, 1);
	box_check(&b);
}

static void with_fua_an_error_of_either_ends_all_claims(void **state)
{
	static const u8 ops[] = { HS_IO_WRITE, HS_IO_FLUSH };
	u32 bad, first;

	for (bad = 0; bad < 2; bad++) {
		for (first = 0; first < 2; first++) {
			struct box_req f;

			teardown(state);
			memset(&b, 0, sizeof(b));
			setup_fua(state);
			start_fua(&f);
			box_fault(&b, HS_CACHE, ops[bad], 0, 0, 1);
			box_end_one(&b, HS_CACHE, ops[first]);
			box_end_one(&b, HS_CACHE, ops[!first]);
			box_let(&b);
			box_run(&b);
			assert_true(f.done);
			assert_int_equal(f.r.error, -EIO);
			assert_true(hs_core_failed(b.core));
			box_drop(&f);
			box_check(&b);
		}
	}
}

static int setup_unverified(void **state)
{
	struct hs_geometry_wish wish;

	memset(&b, 0, sizeof(b));
	box_geometry(&wish, 4096, 4);
	wish.no_checksums = true;
	box_init(&b, &wish, HS_MODE_WRITEBACK);
	b.cache_fua = true;
	box_must_open(&b);
	return 0;
}

/* What recovery cannot verify is durable before a transaction names it; that one needs no FLUSH behind it then. */
static void with_fua_and_no_checksums_the_data_are_flushed_first(void **state)
{
	struct box_req f;

	start_fua(&f);
	assert_int_equal(b.nr_io, 1);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	box_run(&b);
	assert_false(f.done);
	assert_int_equal(b.nr_io, 1);
	box_end_one(&b, HS_CACHE, HS_IO_WRITE);
	box_run(&b);
	assert_true(f.done);
	assert_int_equal(f.r.error, 0);
	box_drop(&f);
	box_reopen(&b, 0);
	box_let(&b);
	box_expect(&b, 0, 8, 2);
}

/* The request's one I/O, to be found among those in flight. */
static u32 io_of(const struct box_req *q)
{
	u32 i;

	for (i = 0; i < b.nr_io; i++)
		if (b.io[i].req == &q->r)
			return i;
	fail_msg("it has no I/O in flight");
	return 0;
}

/* Writes a block, and returns the flags of its I/O. */
static u8 flags_of_write(u64 block, u64 value, u32 flags)
{
	struct box_req w;
	u8 seen;

	box_hold(&b, HS_CACHE, HS_IO_WRITE);
	box_begin_write(&b, &w, block * 8, 8, value, flags);
	box_run(&b);
	seen = w.r.io->flags;
	assert_int_equal(w.r.nr_io, 1);
	io_of(&w);
	box_let(&b);
	box_run(&b);
	assert_true(w.done);
	assert_int_equal(w.r.error, 0);
	box_drop(&w);
	return seen;
}

static u64 flushes_of_a_flush(void)
{
	u64 before = counters()->cache_flushes;

	assert_int_equal(box_flush(&b), 0);
	return counters()->cache_flushes - before;
}

/* From the second on their data are durable by themselves, and the transaction need not wait for a FLUSH of theirs. */
static void writes_that_are_flushed_one_by_one_go_out_with_fua(void **state)
{
	u32 i;

	assert_false(flags_of_write(0, 1, 0) & HS_IO_FUA);
	assert_int_equal(flushes_of_a_flush(), 1);
	for (i = 1; i < 4; i++) {
		assert_true(flags_of_write(i % 2, i + 1, 0) & HS_IO_FUA);
		assert_int_equal(flushes_of_a_flush(), 0);
	}
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 3);
	box_expect(&b, 8, 8, 4);
	box_check(&b);
}

static void a_write_with_fua_needs_no_flush(void **state)
{
	u64 flushes = counters()->cache_flushes;

	assert_true(flags_of_write(0, 1, HS_REQ_FUA) & HS_IO_FUA);
	assert_int_equal(counters()->cache_flushes, flushes);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 1);
}

static void many_writes_to_a_flush_go_out_without(void **state)
{
	u32 i;

	box_write(&b, 0, 8, 1, 0);
	flushes_of_a_flush();
	for (i = 0; i <= HS_FUA_NAMES; i++)
		assert_int_equal(!!(flags_of_write(i, 2, 0) & HS_IO_FUA), i < HS_FUA_NAMES);
	assert_int_equal(flushes_of_a_flush(), 1);
	assert_false(flags_of_write(0, 3, 0) & HS_IO_FUA);
}

/* Nor do those that no FLUSH is behind: the commit that comes once a second finds out. */
static void so_do_writes_that_are_not_flushed(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	flushes_of_a_flush();
	assert_true(flags_of_write(0, 2, 0) & HS_IO_FUA);
	box_ticks(&b, 3, 1000);
	assert_false(flags_of_write(0, 3, 0) & HS_IO_FUA);
}

static void what_a_fill_put_there_is_flushed(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	flushes_of_a_flush();
	box_expect(&b, 64, 8, 0);
	assert_true(flags_of_write(0, 2, 0) & HS_IO_FUA);
	assert_int_equal(flushes_of_a_flush(), 1);
	assert_true(flags_of_write(0, 3, 0) & HS_IO_FUA);
	assert_int_equal(flushes_of_a_flush(), 0);
}

/* A plain write that was on its way as the last FLUSH began ended too late for it, and another is needed. */
static void a_flush_covers_what_had_ended_before_it(void **state)
{
	struct box_req late, w, f;

	box_hold(&b, HS_CACHE, HS_IO_WRITE);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_begin_write(&b, &late, 0, 8, 1, 0);
	box_begin_write(&b, &w, 8, 8, 2, 0);
	box_run(&b);
	box_end(&b, io_of(&w));
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	box_run(&b);
	assert_true(box_find(&b, HS_CACHE, HS_IO_FLUSH) >= 0);
	box_end(&b, io_of(&late));
	box_let(&b);
	box_run(&b);
	assert_true(late.done && w.done && f.done);
	box_drop(&late);
	box_drop(&w);
	box_drop(&f);
	assert_int_equal(flushes_of_a_flush(), 1);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 1);
	box_expect(&b, 8, 8, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_transaction_is_on_the_media_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(name_and_drop_travel_in_one_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(a_block_is_named_once_in_a_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(in_tx_ways_keep_their_block_out_of_that_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(a_big_round_takes_several_transactions, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cut_between_the_transactions_of_a_round_is_survived, setup, teardown),
		cmocka_unit_test_setup_teardown(a_commit_runs_each_second_while_there_is_something, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_transaction_ends_all_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_write_of_it_does_too, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_failure_a_cut_leaves_one_of_the_two_maps, setup, teardown),
		cmocka_unit_test_setup_teardown(a_gather_ends_however_fast_blocks_are_rewritten, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flush_ends_though_blocks_are_rewritten_between_transactions, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_flush_covers_what_was_spilled_and_written_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flush_covers_what_takes_the_place_of_that, setup, teardown),
		cmocka_unit_test_setup_teardown(with_fua_transaction_and_flush_go_side_by_side, setup_fua, teardown),
		cmocka_unit_test_setup_teardown(with_fua_a_transaction_without_its_data_is_dropped, setup_fua, teardown),
		cmocka_unit_test_setup_teardown(with_fua_an_error_of_either_ends_all_claims, setup_fua, teardown),
		cmocka_unit_test_setup_teardown(with_fua_and_no_checksums_the_data_are_flushed_first, setup_unverified, teardown),
		cmocka_unit_test_setup_teardown(writes_that_are_flushed_one_by_one_go_out_with_fua, setup_unverified, teardown),
		cmocka_unit_test_setup_teardown(a_write_with_fua_needs_no_flush, setup_unverified, teardown),
		cmocka_unit_test_setup_teardown(many_writes_to_a_flush_go_out_without, setup_unverified, teardown),
		cmocka_unit_test_setup_teardown(so_do_writes_that_are_not_flushed, setup_unverified, teardown),
		cmocka_unit_test_setup_teardown(what_a_fill_put_there_is_flushed, setup_unverified, teardown),
		cmocka_unit_test_setup_teardown(a_flush_covers_what_had_ended_before_it, setup_unverified, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
