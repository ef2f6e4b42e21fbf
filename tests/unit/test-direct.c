// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/direct.c: R2. */
#include "tests/lib/corebox.h"

static struct box b;

static int setup(void **state)
{
	box_start(&b, 4096, 2, HS_MODE_WRITEAROUND);
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

static void go_mode(enum hs_mode mode)
{
	struct hs_out out;

	hs_out_init(&out);
	hs_core_set_mode(b.core, mode, &out);
	box_control(&b, &out);
	box_ticks(&b, 5, 1000);
}

/* Cached clean, named durably. */
static void named_clean(u64 block)
{
	box_read_error(&b, block * 8, 8);
	box_ticks(&b, 4, 1000);
	assert_int_equal(hs_dur(box_state(&b, block)), HS_D_CLEAN);
}

/* R2, INVARIANTS 20. */
static void a_clean_name_is_dropped_durably_first(void **state)
{
	struct box_req w;

	named_clean(0);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_begin_write(&b, &w, 0, 8, 5, 0);
	box_run(&b);
	assert_false(w.done);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 0);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	assert_true(box_find(&b, HS_ORIGIN, HS_IO_WRITE) >= 0);
	box_let(&b);
	box_run(&b);
	assert_true(w.done);
	assert_int_equal(box_slot(&b, 0), -1);
	box_drop(&w);
}

static void one_commit_serves_all_who_wait(void **state)
{
	struct box_req w[6];
	u64 commits;
	u32 i;

	for (i = 0; i < 6; i++)
		named_clean(i);
	commits = counters()->commits;
	box_hold(&b, HS_CACHE, HS_IO_WRITE);
	for (i = 0; i < 6; i++)
		box_begin_write(&b, &w[i], i * 8, 8, 5, 0);
	box_let(&b);
	box_run(&b);
	for (i = 0; i < 6; i++) {
		assert_true(w[i].done);
		box_drop(&w[i]);
	}
	assert_true(counters()->commits <= commits + 2);
}

/* R2, the other way round, and INVARIANTS 17. */
static void a_dirty_block_is_written_back_first(void **state)
{
	struct box_req w;
	int at;

	go_mode(HS_MODE_WRITEBACK);
	box_write(&b, 0, 8, 5, 0);
	box_flush(&b);
	b.core->mode = HS_MODE_WRITEAROUND;
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	box_begin_write(&b, &w, 2, 1, 6, 0);
	box_run(&b);
	assert_false(w.done);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now + 512, 1), 5);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_DIRTY);
	at = box_find(&b, HS_ORIGIN, HS_IO_FLUSH);
	assert_true(at >= 0);
	box_let(&b);
	box_run(&b);
	assert_true(w.done);
	assert_int_equal(w.r.error, 0);
	box_drop(&w);
	box_expect(&b, 0, 2, 5);
	box_expect(&b, 2, 1, 6);
}

/* INVARIANTS 15. */
static void a_write_and_a_fill_of_its_block_take_turns(void **state)
{
	struct box_req r, w;

	box_begin(&b, &r, HS_OP_READ, 0, 8, 0);
	box_begin_write(&b, &w, 0, 8, 5, 0);
	assert_int_equal(b.nr_io, 1);
	box_run(&b);
	assert_true(r.done && w.done);
	box_expect(&b, 0, 8, 5);
	box_drop(&r);
	box_drop(&w);
}

/* INVARIANTS 16: a write-through write reaches both copies. */
static void write_through_keeps_the_copy_in_step(void **state)
{
	go_mode(HS_MODE_WRITETHROUGH);
	named_clean(0);
	assert_int_equal(box_write(&b, 0, 8, 5, 0), 0);
	assert_int_equal(box_write(&b, 3, 2, 6, 0), 0);
	assert_true(box_slot(&b, 0) >= 0);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now + 3 * 512, 3), 6);
	box_expect(&b, 0, 3, 5);
	box_expect(&b, 3, 2, 6);
	assert_true(counters()->read_hits >= 2);
	assert_int_equal(counters()->dirty, 0);
}

/* R3: named only after an origin FLUSH begun later. */
static void a_write_through_copy_is_named_after_an_origin_flush(void **state)
{
	go_mode(HS_MODE_WRITETHROUGH);
	named_clean(0);
	box_write(&b, 0, 8, 5, 0);
	assert_true(box_state(&b, 0) & HS_S_HOLD);
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	box_ticks(&b, 5, 1000);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_NONE);
	box_let(&b);
	box_ticks(&b, 5, 1000);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_CLEAN);
}

static void a_write_through_write_that_the_origin_refuses_leaves_no_copy(void **state)
{
	go_mode(HS_MODE_WRITETHROUGH);
	named_clean(0);
	box_fault(&b, HS_ORIGIN, HS_IO_WRITE, 0, 0, 1);
	assert_int_equal(box_write(&b, 0, 8, 5, 0), -EIO);
	assert_int_equal(box_slot(&b, 0), -1);
	box_expect(&b, 0, 8, 0);
}

static void a_damaged_base_costs_only_the_copy(void **state)
{
	go_mode(HS_MODE_WRITETHROUGH);
	named_clean(0);
	box_fault(&b, HS_CACHE, HS_IO_READ, 0, 0, 1);
	assert_int_equal(box_write(&b, 3, 2, 6, 0), 0);
	assert_int_equal(box_slot(&b, 0), -1);
	box_expect(&b, 3, 2, 6);
}

static void fua_is_passed_on(void **state)
{
	assert_int_equal(box_write(&b, 0, 8, 5, HS_REQ_FUA), 0);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 5);
}

static void a_discard_drops_clean_and_dirty_names_first(void **state)
{
	struct box_req d;

	go_mode(HS_MODE_WRITEBACK);
	named_clean(0);
	box_write(&b, 8, 8, 5, 0);
	box_flush(&b);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_begin(&b, &d, HS_OP_DISCARD, 0, 32, 0);
	box_run(&b);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_DISCARD], 0);
	box_let(&b);
	box_run(&b);
	assert_true(d.done);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_DISCARD], 1);
	assert_int_equal(counters()->dirty, 0);
	assert_int_equal(counters()->not_cached[HS_WHY_DISCARD], 1);
	box_drop(&d);
}

/* A slot written back, on hold, its set set aside: the drop must still find its commit. */
static void a_discard_of_a_block_just_written_back_ends(void **state)
{
	go_mode(HS_MODE_WRITEBACK);
	box_write(&b, 0, 8, 5, 0);
	box_flush(&b);
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	box_drain(&b, true);
	box_run(&b);
	box_write(&b, 8, 8, 5, 0);
	box_ticks(&b, 2, 1000);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_WRITTEN);
	assert_int_equal(box_op(&b, HS_OP_DISCARD, 0, 8, 0), 0);
}

/* INVARIANTS 23. */
static void zeroing_over_dirty_blocks_is_left_to_writes(void **state)
{
	box_write(&b, 0, 8, 4, 0);
	assert_int_equal(box_op(&b, HS_OP_ZERO, 0, 8, 0), 0);
	box_expect(&b, 0, 8, 0);
	go_mode(HS_MODE_WRITEBACK);
	box_write(&b, 0, 8, 5, 0);
	assert_int_equal(box_op(&b, HS_OP_ZERO, 0, 8, 0), -EAGAIN);
	assert_int_equal(box_op(&b, HS_OP_WRITE, 2, 3, HS_REQ_ZEROES), 0);
	box_expect(&b, 0, 2, 5);
	box_expect(&b, 2, 3, 0);
	box_expect(&b, 5, 3, 5);
}

/* A dirty block that turns out unreadable while a direct write waits for it: heal, or fail, but end. */
static void a_write_over_a_block_that_gets_lost_ends(void **state)
{
	u64 at;

	go_mode(HS_MODE_WRITEBACK);
	box_write(&b, 0, 8, 5, 0);
	box_flush(&b);
	b.core->mode = HS_MODE_WRITEAROUND;
	at = (u64)(box_slot_data(&b, (u32)box_slot(&b, 0)) - b.dev[HS_CACHE].now);
	box_rot(&b, HS_CACHE, at);
	assert_int_equal(box_write(&b, 2, 1, 6, 0), -EIO);
	assert_int_equal(box_write(&b, 0, 8, 7, 0), 0);
	box_expect(&b, 0, 8, 7);
}

static void writes_are_counted_as_not_cached(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	assert_int_equal(counters()->not_cached[HS_WHY_MODE], 1);
}

/* A failed cache: a write to a block named clean waits until the cache is given up for good. */
static void writes_to_named_blocks_wait_for_abandon_when_the_cache_has_failed(void **state)
{
	struct box_req w, other;
	struct hs_out out;

	named_clean(0);
	box_fault(&b, HS_CACHE, HS_IO_FLUSH, 0, 0, 1);
	box_begin_write(&b, &w, 0, 8, 5, 0);
	box_run(&b);
	assert_true(hs_core_failed(b.core));
	box_begin_write(&b, &other, 8, 8, 6, 0);
	box_run(&b);
	assert_true(other.done);
	box_ticks(&b, 5, 1000);
	assert_false(w.done);
	hs_out_init(&out);
	hs_core_abandon(b.core, &out);
	box_control(&b, &out);
	box_ticks(&b, 2, 100);
	assert_true(w.done);
	assert_int_equal(w.r.error, 0);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 5);
	box_drop(&w);
	box_drop(&other);
}

static void abandon(void)
{
	struct hs_out out;

	hs_out_init(&out);
	hs_core_abandon(b.core, &out);
	box_control(&b, &out);
	box_ticks(&b, 2, 100);
}

/* Block 0 is dirty and flushed with value 1, block 1 is named clean. */
static void flushed_and_named(void)
{
	go_mode(HS_MODE_WRITEBACK);
	hs_core_tunables(b.core)->writeback = false;
	assert_int_equal(box_write(&b, 0, 8, 1, 0), 0);
	assert_int_equal(box_flush(&b), 0);
	named_clean(1);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_DIRTY);
}

static void fail_cache(void)
{
	box_fault(&b, HS_CACHE, HS_IO_FLUSH, 0, 0, 1);
	assert_int_equal(box_flush(&b), -EIO);
	assert_true(hs_core_failed(b.core));
}

/* What was flushed and since overwritten: the newer data are written back past the name that stays. */
static void a_failed_cache_writes_back_what_is_newer_than_a_dirty_name(void **state)
{
	struct box_req w;

	flushed_and_named();
	assert_int_equal(box_write(&b, 0, 8, 2, 0), 0);
	fail_cache();
	box_begin_write(&b, &w, 8, 8, 3, 0);
	box_run(&b);
	assert_false(hs_core_abandon_due(b.core));
	box_ticks(&b, 5, 1000);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 2);
	box_expect(&b, 0, 8, 2);
	assert_true(hs_core_abandon_due(b.core));
	/* Recovery would bring the older data back: until the cache is given up a FLUSH must not succeed. */
	assert_int_equal(box_flush(&b), -EIO);
	assert_false(w.done);
	abandon();
	assert_true(w.done);
	assert_int_equal(w.r.error, 0);
	assert_int_equal(box_flush(&b), 0);
	box_expect(&b, 0, 8, 2);
	box_drop(&w);
}

/* ... and without that the map is what it was. */
static void a_failed_cache_that_is_not_abandoned_recovers(void **state)
{
	flushed_and_named();
	assert_int_equal(box_write(&b, 0, 8, 2, 0), 0);
	fail_cache();
	box_ticks(&b, 5, 1000);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 2);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 1);
}

/* R2: under a clean name the origin stays as it is, on a failed cache too. */
static void a_failed_cache_writes_nothing_back_past_a_clean_name(void **state)
{
	struct box_req w;

	flushed_and_named();
	named_clean(2);
	assert_int_equal(box_write(&b, 16, 8, 2, 0), 0);
	fail_cache();
	box_begin_write(&b, &w, 8, 8, 3, 0);
	box_ticks(&b, 5, 1000);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now + 16 * 512, 16), 0);
	assert_true(hs_core_abandon_due(b.core));
	abandon();
	box_ticks(&b, 5, 1000);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now + 16 * 512, 16), 2);
	assert_int_equal(box_flush(&b), 0);
	box_drop(&w);
}

/* Its name stays; so does what it names, which may be nowhere else. */
static void a_discard_that_a_failure_overtakes_is_undone(void **state)
{
	struct box_req d, w;

	flushed_and_named();
	box_fault(&b, HS_CACHE, HS_IO_FLUSH, 0, 0, 1);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_begin(&b, &d, HS_OP_DISCARD, 0, 8, 0);
	box_run(&b);
	assert_false(d.done);
	assert_int_equal(box_slot(&b, 0), -1);
	box_let(&b);
	box_run(&b);
	assert_true(hs_core_failed(b.core));
	assert_true(d.done);
	assert_int_equal(d.r.error, -EIO);
	box_expect(&b, 0, 8, 1);
	box_begin_write(&b, &w, 8, 8, 3, 0);
	box_ticks(&b, 5, 1000);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 1);
	assert_true(hs_core_abandon_due(b.core));
	abandon();
	assert_true(w.done);
	assert_int_equal(w.r.error, 0);
	box_check(&b);
	box_drop(&d);
	box_drop(&w);
}

/* ... also where write-back reads what was retired: nobody comes by once that has ended. */
static void a_discard_of_several_blocks_that_a_failure_overtakes_is_undone(void **state)
{
	struct box_req d, w;

	go_mode(HS_MODE_WRITEBACK);
	hs_core_tunables(b.core)->writeback = false;
	assert_int_equal(box_write(&b, 8, 8, 2, 0), 0);
	assert_int_equal(box_flush(&b), 0);
	box_hold(&b, HS_ORIGIN, HS_IO_WRITE);
	box_drain(&b, true);
	box_ticks(&b, 1, 1000);
	box_drain(&b, false);
	assert_true(box_state(&b, 1) & HS_S_WB);
	assert_int_equal(box_write(&b, 0, 8, 1, 0), 0);
	assert_int_equal(box_flush(&b), 0);
	assert_int_equal(box_write(&b, 8, 8, 3, 0), 0);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_begin(&b, &d, HS_OP_DISCARD, 0, 16, 0);
	box_run(&b);
	assert_false(d.done);
	assert_int_equal(box_slot(&b, 1), -1);
	box_fault(&b, HS_CACHE, HS_IO_FLUSH, 0, 0, 1);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	box_run(&b);
	assert_true(hs_core_failed(b.core));
	assert_true(d.done);
	assert_int_equal(d.r.error, -EIO);
	box_let(&b);
	box_begin_write(&b, &w, 16, 8, 4, 0);
	box_ticks(&b, 5, 1000);
	box_expect(&b, 0, 8, 1);
	box_expect(&b, 8, 8, 2);
	assert_true(w.done || hs_core_abandon_due(b.core));
	assert_int_equal(hs_sum_sole(b.core), 0);
	box_check(&b);
	box_drop(&d);
	box_drop(&w);
}

/* A discard of flushed dirty blocks on a failed cache fails, and holds nothing up. */
static void a_discard_of_dirty_blocks_does_not_hold_up_a_failed_cache(void **state)
{
	struct box_req w;

	flushed_and_named();
	assert_int_equal(box_write(&b, 16, 8, 2, 0), 0);
	fail_cache();
	assert_int_equal(box_op(&b, HS_OP_DISCARD, 0, 8, 0), -EIO);
	assert_int_equal(box_op(&b, HS_OP_DISCARD, 16, 8, 0), -EIO);
	box_begin_write(&b, &w, 8, 8, 3, 0);
	box_ticks(&b, 5, 1000);
	assert_true(hs_core_abandon_due(b.core));
	abandon();
	assert_true(w.done);
	assert_int_equal(w.r.error, 0);
	box_drop(&w);
}

/* Write-back of a neighbour fails: that is nothing to who waits for a commit alone, be that ever so slow. */
static void who_waits_for_a_commit_has_no_limit(void **state)
{
	struct box_req z;

	flushed_and_named();
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_begin(&b, &z, HS_OP_ZERO, 8, 8, 0);
	box_run(&b);
	assert_false(z.done);
	box_fault(&b, HS_ORIGIN, HS_IO_WRITE, 0, 0, -1);
	box_drain(&b, true);
	box_ticks(&b, 50, 1000);
	assert_true(counters()->write_back_errors > 0);
	assert_false(z.done);
	box_let(&b);
	box_ticks(&b, 2, 100);
	assert_true(z.done);
	assert_int_equal(z.r.error, 0);
	box_drop(&z);
}

/* Writing everything back may take longer than a write waits otherwise. */
static void a_write_waits_for_abandon_as_long_as_that_comes_nearer(void **state)
{
	struct box_req w;
	u32 i;

	flushed_and_named();
	/* Far apart: a write-back each. */
	for (i = 1; i < 4; i++)
		assert_int_equal(box_write(&b, i * 64, 8, 1, 0), 0);
	assert_int_equal(box_flush(&b), 0);
	assert_int_equal(box_write(&b, 16, 8, 2, 0), 0);
	fail_cache();
	box_begin_write(&b, &w, 8, 8, 3, 0);
	box_hold(&b, HS_ORIGIN, HS_IO_WRITE);
	for (i = 0; i < 4; i++) {
		box_ticks(&b, 20, 1000);
		assert_false(w.done);
		box_end_one(&b, HS_ORIGIN, HS_IO_WRITE);
		box_ticks(&b, 3, 1000);
	}
	assert_false(w.done);
	/* No record is made: that is no progress. */
	box_ticks(&b, 35, 1000);
	assert_true(w.done);
	assert_int_equal(w.r.error, -EIO);
	box_drop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_clean_name_is_dropped_durably_first, setup, teardown),
		cmocka_unit_test_setup_teardown(one_commit_serves_all_who_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dirty_block_is_written_back_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_and_a_fill_of_its_block_take_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(write_through_keeps_the_copy_in_step, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_through_copy_is_named_after_an_origin_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_through_write_that_the_origin_refuses_leaves_no_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_base_costs_only_the_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(fua_is_passed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(a_discard_drops_clean_and_dirty_names_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_discard_of_a_block_just_written_back_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(zeroing_over_dirty_blocks_is_left_to_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_over_a_block_that_gets_lost_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_are_counted_as_not_cached, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_to_named_blocks_wait_for_abandon_when_the_cache_has_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_cache_writes_back_what_is_newer_than_a_dirty_name, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_cache_that_is_not_abandoned_recovers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_cache_writes_nothing_back_past_a_clean_name, setup, teardown),
		cmocka_unit_test_setup_teardown(a_discard_that_a_failure_overtakes_is_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_discard_of_several_blocks_that_a_failure_overtakes_is_undone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_discard_of_dirty_blocks_does_not_hold_up_a_failed_cache, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_waits_for_abandon_as_long_as_that_comes_nearer, setup, teardown),
		cmocka_unit_test_setup_teardown(who_waits_for_a_commit_has_no_limit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
