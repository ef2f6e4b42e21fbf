// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/meta.c: checkpoints, superblocks, the durable mode. */
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

static void checkpoint(void)
{
	struct hs_out out;

	hs_out_init(&out);
	b.core->journal.want_checkpoint = true;
	hs_meta_want(b.core, &out);
	box_control(&b, &out);
}

static void set_mode(enum hs_mode mode)
{
	struct hs_out out;

	hs_out_init(&out);
	hs_core_set_mode(b.core, mode, &out);
	box_control(&b, &out);
}

static void some_blocks(u64 n, u64 value)
{
	u64 i;

	for (i = 0; i < n; i++)
		box_write(&b, i * 8, 8, value + i, 0);
	box_flush(&b);
}

static void a_checkpoint_empties_the_ring_and_recovery_reads_the_table(void **state)
{
	u64 i;

	some_blocks(20, 1);
	checkpoint();
	box_run(&b);
	assert_int_equal(hs_journal_used(b.core), 0);
	assert_int_equal(counters()->checkpoints, 1);
	box_reopen(&b, 0);
	assert_int_equal(hs_core_report(b.core)->transactions, 0);
	for (i = 0; i < 20; i++)
		box_expect(&b, i * 8, 8, 1 + i);
}

/* Copy A, FLUSH, copy B, FLUSH, then the tail: a cut at any I/O of it is survived. */
static void a_checkpoint_can_be_cut_at_every_step(void **state)
{
	u64 i, step;

	for (step = 0; step < 12; step++) {
		u64 k;

		some_blocks(10, 1 + step * 20);
		box_reopen(&b, 0);
		some_blocks(5, 10 + step * 20);
		checkpoint();
		for (k = 0; k < step && b.nr_io; k++)
			box_end(&b, 0);
		box_reopen(&b, (u32)(step * 37 % 101));
		for (i = 0; i < 5; i++)
			box_expect(&b, i * 8, 8, 10 + step * 20 + i);
		for (; i < 10; i++)
			box_expect(&b, i * 8, 8, 1 + step * 20 + i);
	}
}

/* INVARIANTS 37: units are built from durable states only. */
static void a_unit_shows_only_what_is_committed(void **state)
{
	some_blocks(1, 1);
	box_write(&b, 0, 8, 2, 0);
	box_write(&b, 8, 8, 3, 0);
	checkpoint();
	box_run(&b);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 1);
	box_expect(&b, 8, 8, 0);
}

static void commits_go_on_during_a_checkpoint(void **state)
{
	u64 i;

	some_blocks(5, 1);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	checkpoint();
	box_run(&b);
	for (i = 0; i < 5; i++)
		box_write(&b, i * 8, 8, 100 + i, 0);
	box_let(&b);
	assert_int_equal(box_flush(&b), 0);
	box_run(&b);
	box_reopen(&b, 0);
	for (i = 0; i < 5; i++)
		box_expect(&b, i * 8, 8, 100 + i);
}

/* INVARIANTS 8. */
static void after_a_failed_table_write_no_superblock_follows(void **state)
{
	u64 seq = b.core->sb.sb_seq;

	some_blocks(3, 1);
	box_fault(&b, HS_CACHE, HS_IO_WRITE, b.sb.geo.table_offset[1] >> 9, 8, 1);
	checkpoint();
	box_run(&b);
	assert_true(hs_core_failed(b.core));
	checkpoint();
	box_run(&b);
	assert_int_equal(b.core->sb.sb_seq, seq);
	assert_int_not_equal(box_stop(&b), 0);
	box_must_open(&b);
	box_expect(&b, 0, 8, 1);
}

/* INVARIANTS 9: the current copy is never the one that is written. */
static void superblock_copies_alternate(void **state)
{
	struct hs_sb first, second;
	unsigned int bad;

	some_blocks(1, 1);
	assert_int_equal(hs_sb_pick(b.dev[HS_CACHE].now, b.dev[HS_CACHE].now + HS_SB_OFFSET(1), &first, &bad), 0);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	checkpoint();
	box_run(&b);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	box_run(&b);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	box_run(&b);
	memset(b.dev[HS_CACHE].now + HS_SB_OFFSET((first.sb_seq + 1) & 1), 0x44, HS_PAGE);
	assert_int_equal(hs_sb_pick(b.dev[HS_CACHE].now, b.dev[HS_CACHE].now + HS_SB_OFFSET(1), &second, &bad), 0);
	assert_int_equal(second.sb_seq, first.sb_seq);
	box_let(&b);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 1);
}

/* INVARIANTS 20, 28. */
static void a_mode_is_durable_only_when_nothing_is_dirty(void **state)
{
	some_blocks(5, 1);
	box_hold(&b, HS_ORIGIN, HS_IO_WRITE);
	set_mode(HS_MODE_BYPASS);
	box_ticks(&b, 3, 1000);
	assert_int_equal(hs_core_mode(b.core), HS_MODE_WRITEAROUND);
	assert_int_equal(hs_core_mode_durable(b.core), HS_MODE_WRITEBACK);
	box_let(&b);
	box_ticks(&b, 6, 1000);
	assert_int_equal(hs_core_mode(b.core), HS_MODE_BYPASS);
	assert_int_equal(hs_core_mode_durable(b.core), HS_MODE_BYPASS);
	assert_int_equal(counters()->dirty, 0);
	box_reopen(&b, 0);
	assert_int_equal(hs_core_mode(b.core), HS_MODE_BYPASS);
	box_expect(&b, 8, 8, 2);
}

/* ... nor named dirty: if the cache fails before its drop is durable, a discarded block is dirty again. */
static void a_mode_is_durable_only_when_nothing_is_named_dirty(void **state)
{
	struct box_req d;

	some_blocks(1, 1);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_begin(&b, &d, HS_OP_DISCARD, 0, 8, 0);
	box_run(&b);
	assert_int_equal(counters()->dirty, 0);
	set_mode(HS_MODE_WRITETHROUGH);
	box_ticks(&b, 3, 1000);
	assert_int_equal(box_find(&b, HS_CACHE, HS_IO_WRITE), -1);
	assert_int_equal(hs_core_mode_durable(b.core), HS_MODE_WRITEBACK);
	assert_false(b.core->meta.mode_writing);
	box_let(&b);
	box_ticks(&b, 3, 1000);
	assert_true(d.done);
	assert_int_equal(d.r.error, 0);
	assert_int_equal(hs_core_mode_durable(b.core), HS_MODE_WRITETHROUGH);
	box_drop(&d);
}

static void write_back_begins_when_that_is_durable(void **state)
{
	set_mode(HS_MODE_WRITETHROUGH);
	assert_int_equal(hs_core_mode(b.core), HS_MODE_WRITETHROUGH);
	box_ticks(&b, 3, 1000);
	assert_int_equal(hs_core_mode_durable(b.core), HS_MODE_WRITETHROUGH);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	set_mode(HS_MODE_WRITEBACK);
	box_run(&b);
	assert_int_equal(hs_core_mode(b.core), HS_MODE_WRITETHROUGH);
	box_let(&b);
	box_run(&b);
	assert_int_equal(hs_core_mode(b.core), HS_MODE_WRITEBACK);
}

static void a_mode_that_is_asked_for_at_open_is_switched_to(void **state)
{
	some_blocks(3, 1);
	box_cut(&b, 0);
	assert_int_equal(box_open(&b, HS_MODE_WRITEAROUND), 0);
	assert_int_equal(hs_core_mode(b.core), HS_MODE_WRITEAROUND);
	box_ticks(&b, 6, 1000);
	assert_int_equal(hs_core_mode_durable(b.core), HS_MODE_WRITEAROUND);
	assert_int_equal(counters()->dirty, 0);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].durable, 0), 1);
}

/* Back to write-back while the superblock of another mode is on its way: nothing may be dirty when that is durable. */
static void a_switch_to_and_fro_leaves_nothing_dirty_behind(void **state)
{
	struct hs_out out;

	hs_out_init(&out);
	box_hold(&b, HS_CACHE, HS_IO_WRITE);
	hs_core_set_mode(b.core, HS_MODE_WRITEAROUND, &out);
	box_control(&b, &out);
	box_run(&b);
	assert_true(box_find(&b, HS_CACHE, HS_IO_WRITE) >= 0);
	hs_core_set_mode(b.core, HS_MODE_WRITEBACK, &out);
	box_control(&b, &out);
	assert_int_equal(box_write(&b, 0, 8, 1, 0), 0);
	assert_int_equal(counters()->dirty, 0);
	hs_core_set_mode(b.core, HS_MODE_WRITEAROUND, &out);
	box_control(&b, &out);
	box_let(&b);
	box_run(&b);
	assert_int_equal(hs_core_mode_durable(b.core), HS_MODE_WRITEAROUND);
	assert_int_equal(counters()->dirty, 0);
	hs_core_set_mode(b.core, HS_MODE_WRITEBACK, &out);
	box_control(&b, &out);
	box_ticks(&b, 5, 1000);
	assert_int_equal(hs_core_mode(b.core), HS_MODE_WRITEBACK);
}

/* Commits of all sizes go on while the checkpoint's writes come last of all: the ring fills up, and empties again. */
static void fill_the_ring(u32 pages, u32 block_size)
{
	struct hs_geometry_wish wish;
	struct box box;
	struct box_req f;
	u32 n, i;
	u64 at;

	box_geometry(&wish, block_size, 8);
	wish.journal_bytes = (u64)pages * HS_PAGE;
	wish.assoc = 64;
	wish.max_slots = 512;
	wish.cache_bytes = 4 * HS_MIB + wish.journal_bytes + 512 * (u64)block_size;
	wish.origin_bytes = 300 * (u64)block_size;
	box_init(&box, &wish, HS_MODE_WRITEBACK);
	box_must_open(&box);
	for (n = 0; n < 2 * pages; n++) {
		for (i = 0; i < (pages < 200 ? 40 : 3); i++) {
			at = (n * 7 + i) % 300 * (block_size / 512);
			box_write(&box, at, block_size / 512, n + 1, 0);
		}
		box_begin(&box, &f, HS_OP_FLUSH, 0, 0, 0);
		while (!f.done) {
			assert_true(box.nr_io);
			for (i = 0; i + 1 < box.nr_io && box.io[i].req->op == HS_OP_META; i++)
				;
			box_end(&box, i);
		}
		assert_int_equal(f.r.error, 0);
		box_drop(&f);
	}
	box_check(&box);
	box_reopen(&box, 0);
	assert_int_equal(hs_core_report(box.core)->map_conflicts, 0);
	box_destroy(&box);
}

static void no_ring_sticks(void **state)
{
	static const u32 pages[] = { 64, 65, 100, 1024, 1025, 2049 };
	u32 i;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		fill_the_ring(pages[i], 4096);
	fill_the_ring(64, 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_checkpoint_empties_the_ring_and_recovery_reads_the_table, setup, teardown),
		cmocka_unit_test_setup_teardown(a_checkpoint_can_be_cut_at_every_step, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unit_shows_only_what_is_committed, setup, teardown),
		cmocka_unit_test_setup_teardown(commits_go_on_during_a_checkpoint, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_failed_table_write_no_superblock_follows, setup, teardown),
		cmocka_unit_test_setup_teardown(superblock_copies_alternate, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mode_is_durable_only_when_nothing_is_dirty, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mode_is_durable_only_when_nothing_is_named_dirty, setup, teardown),
		cmocka_unit_test_setup_teardown(write_back_begins_when_that_is_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(a_switch_to_and_fro_leaves_nothing_dirty_behind, setup, teardown),
		cmocka_unit_test(no_ring_sticks),
		cmocka_unit_test_setup_teardown(a_mode_that_is_asked_for_at_open_is_switched_to, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
