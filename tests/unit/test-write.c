// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/write.c: writes in write-back mode. */
#include "tests/lib/corebox.h"

static struct box b;

static int setup(void **state)
{
	box_start(&b, 16384, 2, HS_MODE_WRITEBACK);
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

static u64 data_at(u64 block)
{
	return (u64)(box_slot_data(&b, (u32)box_slot(&b, block)) - b.dev[HS_CACHE].now);
}

/* INVARIANTS 3: no dirty name reaches the media before its data. */
static void a_write_is_lost_or_whole_until_flushed(void **state)
{
	box_write(&b, 0, 32, 1, 0);
	box_reopen(&b, 0);
	box_expect(&b, 0, 32, 0);
	box_write(&b, 0, 32, 2, 0);
	assert_int_equal(box_flush(&b), 0);
	box_reopen(&b, 0);
	box_expect(&b, 0, 32, 2);
}

static void a_whole_write_reads_nothing(void **state)
{
	box_write(&b, 0, 32, 1, 0);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_READ], 0);
	assert_int_equal(b.count[HS_CACHE][HS_IO_WRITE] > 0, 1);
	assert_int_equal(counters()->write_misses, 1);
}

static void a_partial_miss_is_merged_with_the_origin(void **state)
{
	box_pattern(b.dev[HS_ORIGIN].now, 0, 32, 7);
	box_write(&b, 5, 2, 1, 0);
	box_expect(&b, 5, 2, 1);
	box_expect(&b, 0, 5, 7);
	box_expect(&b, 7, 25, 7);
}

/* INVARIANTS 18. */
static void partial_writes_to_a_dirty_block_add_up(void **state)
{
	u32 i;

	for (i = 0; i < 32; i++) {
		box_write(&b, i, 1, i + 1, 0);
		if (i % 5 == 0)
			box_flush(&b);
	}
	for (i = 0; i < 32; i++)
		box_expect(&b, i, 1, i + 1);
	box_flush(&b);
	box_reopen(&b, 0);
	for (i = 0; i < 32; i++)
		box_expect(&b, i, 1, i + 1);
}

/* R1: once named a slot's data do not change; before that they may. */
static void an_unnamed_slot_is_written_in_place_a_named_one_never(void **state)
{
	int slot;

	box_write(&b, 0, 32, 1, 0);
	slot = box_slot(&b, 0);
	box_write(&b, 8, 8, 2, 0);
	assert_int_equal(box_slot(&b, 0), slot);
	box_flush(&b);
	box_write(&b, 8, 8, 3, 0);
	assert_int_not_equal(box_slot(&b, 0), slot);
	box_expect(&b, 0, 8, 1);
	box_expect(&b, 8, 8, 3);
}

static void nothing_is_written_in_place_while_a_commit_takes_it(void **state)
{
	struct box_req w;
	int slot;

	box_write(&b, 0, 32, 1, 0);
	slot = box_slot(&b, 0);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_tick(&b, 1000);
	box_run(&b);
	assert_true(box_state(&b, 0) & HS_S_IN_TX);
	box_begin_write(&b, &w, 8, 8, 2, 0);
	box_run(&b);
	assert_true(w.done);
	assert_int_not_equal(box_slot(&b, 0), slot);
	box_let(&b);
	box_run(&b);
	box_drop(&w);
	box_expect(&b, 8, 8, 2);
}

static void a_commit_waits_for_a_write_in_place(void **state)
{
	struct box_req w, f;

	box_flush(&b);
	box_write(&b, 0, 32, 1, 0);
	box_begin_write(&b, &w, 8, 8, 2, 0);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_INPLACE);
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	assert_int_equal(b.nr_io, 1);
	box_run(&b);
	assert_true(w.done && f.done);
	assert_int_equal(f.r.error, 0);
	box_drop(&w);
	box_drop(&f);
	box_reopen(&b, 0);
	box_expect(&b, 8, 8, 2);
}

/* R4, INVARIANTS 6. */
static void fua_ends_when_the_name_is_durable(void **state)
{
	struct box_req w;

	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_begin_write(&b, &w, 0, 32, 1, HS_REQ_FUA);
	box_run(&b);
	assert_false(w.done);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	assert_true(w.done);
	assert_int_equal(w.r.error, 0);
	box_drop(&w);
	box_reopen(&b, 0);
	box_expect(&b, 0, 32, 1);
}

static void a_copy_keeps_the_checksums_of_what_it_copies(void **state)
{
	box_write(&b, 0, 32, 1, 0);
	box_flush(&b);
	box_rot(&b, HS_CACHE, data_at(0) + 3 * 4096);
	/* The rot is copied along, not laundered. */
	box_write(&b, 0, 8, 2, 0);
	box_expect(&b, 0, 8, 2);
	box_expect(&b, 8, 16, 1);
	assert_int_equal(box_read_error(&b, 24, 8), -EIO);
	assert_true(box_state(&b, 0) & HS_S_LOST);
}

static void a_partial_write_over_lost_data_fails_a_whole_one_heals(void **state)
{
	box_write(&b, 0, 32, 1, 0);
	box_flush(&b);
	box_rot(&b, HS_CACHE, data_at(0) + 4096 + 9);
	assert_int_equal(box_write(&b, 9, 1, 2, 0), -EIO);
	assert_int_equal(counters()->lost, 1);
	assert_int_equal(box_write(&b, 0, 32, 3, 0), 0);
	assert_int_equal(counters()->lost, 0);
	box_expect(&b, 0, 32, 3);
}

static void a_write_over_the_whole_lost_unit_heals_it(void **state)
{
	box_write(&b, 0, 32, 1, 0);
	box_flush(&b);
	box_rot(&b, HS_CACHE, data_at(0) + 4096 + 9);
	assert_int_equal(box_read_error(&b, 8, 8), -EIO);
	assert_int_equal(box_write(&b, 8, 8, 2, 0), 0);
	assert_int_equal(counters()->lost, 0);
	box_expect(&b, 8, 8, 2);
	box_expect(&b, 0, 8, 1);
}

static void rot_in_a_clean_block_does_not_hinder_a_partial_write(void **state)
{
	box_pattern(b.dev[HS_ORIGIN].now, 0, 32, 7);
	box_expect(&b, 0, 32, 7);
	box_rot(&b, HS_CACHE, data_at(0) + 9);
	assert_int_equal(box_write(&b, 2, 1, 2, 0), 0);
	box_expect(&b, 2, 1, 2);
	box_expect(&b, 3, 29, 7);
}

static void a_cache_write_error_on_a_miss_goes_to_the_origin(void **state)
{
	box_fault(&b, HS_CACHE, HS_IO_WRITE, 0, 0, 1);
	assert_int_equal(box_write(&b, 0, 32, 4, 0), 0);
	assert_int_equal(box_slot(&b, 0), -1);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 4);
	assert_int_equal(counters()->not_cached[HS_WHY_ERROR], 1);
}

static void a_cache_write_error_on_a_dirty_block_is_an_error_and_loses_nothing(void **state)
{
	box_write(&b, 0, 32, 1, 0);
	box_flush(&b);
	box_fault(&b, HS_CACHE, HS_IO_WRITE, 0, 0, 1);
	assert_int_equal(box_write(&b, 0, 32, 4, 0), -EIO);
	box_expect(&b, 0, 32, 1);
}

/* A unit that may be torn must not make recovery doubt the whole transaction. */
static void an_error_in_place_does_not_cost_other_blocks_their_flush(void **state)
{
	box_write(&b, 0, 32, 1, 0);
	box_write(&b, 32, 32, 5, 0);
	box_fault(&b, HS_CACHE, HS_IO_WRITE, 0, 0, 1);
	assert_int_equal(box_write(&b, 8, 8, 2, 0), -EIO);
	assert_int_equal(box_flush(&b), 0);
	memset(b.dev[HS_CACHE].durable + data_at(0) + 4096, 0x33, 4096);
	box_reopen(&b, 0);	/* and the confirm record is lost */
	assert_false(hs_core_report(b.core)->dropped_last);
	box_expect(&b, 32, 32, 5);
	assert_int_equal(box_read_error(&b, 8, 8), -EIO);
	box_expect(&b, 0, 8, 1);
}

static void a_sequential_miss_goes_to_the_origin(void **state)
{
	assert_int_equal(box_write(&b, 0, 32, 4, HS_REQ_SEQUENTIAL), 0);
	assert_int_equal(counters()->not_cached[HS_WHY_SEQUENTIAL], 1);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 4);
	box_write(&b, 0, 32, 5, 0);
	box_write(&b, 0, 32, 6, HS_REQ_SEQUENTIAL);
	box_expect(&b, 0, 32, 6);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 4);
}

static void fill_set(u64 *extra)
{
	u64 block, set = hs_block_set(&b.sb.geo, 0), n = 0;

	for (block = 0; block < b.sb.geo.nr_blocks && n < 16; block++)
		if (hs_block_set(&b.sb.geo, block) == set) {
			assert_int_equal(box_write(&b, block * 32, 32, block + 1, 0), 0);
			n++;
		}
	while (hs_block_set(&b.sb.geo, block) != set)
		block++;
	*extra = block;
}

/* INVARIANTS 26. */
static void a_full_dirty_set_slows_writers_only(void **state)
{
	u64 block, extra;

	fill_set(&extra);
	assert_int_equal(box_write(&b, extra * 32, 32, 99, 0), 0);
	box_expect(&b, extra * 32, 32, 99);
	for (block = 0; block < b.sb.geo.nr_blocks; block++)
		assert_int_equal(box_write(&b, block * 32, 32, block + 1, 0), 0);
	for (block = 0; block < b.sb.geo.nr_blocks; block++)
		box_expect(&b, block * 32, 32, block + 1);
}

static void without_a_slot_and_write_back_a_new_block_goes_to_the_origin(void **state)
{
	u64 extra, block, n = 0;

	box_fault(&b, HS_ORIGIN, HS_IO_WRITE, 0, 8 * 32, -1);
	for (block = 0; n < 16 && block < 8; block++)
		box_write(&b, block * 32, 32, block + 1, 0);
	b.core->tun.writeback = false;
	hs_poke(b.core->wb_failing, 1);
	box_no_faults(&b);
	box_fault(&b, HS_ORIGIN, HS_IO_WRITE, 0, b.sb.geo.origin_sectors - 32, -1);
	extra = b.sb.geo.nr_blocks - 1;
	for (block = 8; hs_nfree(hs_set_at(b.core, hs_block_set(&b.sb.geo, extra))) && block < extra; block++)
		if (hs_block_set(&b.sb.geo, block) == hs_block_set(&b.sb.geo, extra))
			box_write(&b, block * 32, 32, 3, 0);
	assert_int_equal(box_write(&b, extra * 32, 32, 99, 0), 0);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now + extra * 16384, extra * 32), 99);
	assert_true(counters()->not_cached[HS_WHY_NO_SLOT] > 0);
}

static void an_overwrite_without_a_slot_fails_after_its_time_not_before(void **state)
{
	u64 block, set = hs_block_set(&b.sb.geo, 0), start;
	struct box_req w;

	box_fault(&b, HS_ORIGIN, HS_IO_WRITE, 0, 0, -1);
	for (block = 0; hs_nfree(hs_set_at(b.core, (u32)set)); block++)
		if (hs_block_set(&b.sb.geo, block) == set)
			box_write(&b, block * 32, 32, 1, 0);
	box_ticks(&b, 20, 500);
	assert_true(b.core->wb_failing);
	box_begin_write(&b, &w, 0, 32, 2, 0);
	box_run(&b);
	start = b.now;
	while (!w.done) {
		box_ticks(&b, 1, 500);
		assert_true(b.now - start < 120 * HS_SECOND);
	}
	assert_int_equal(w.r.error, -EIO);
	assert_true(b.now - start >= 30 * HS_SECOND);
	box_drop(&w);
	box_expect(&b, 0, 32, 1);
	box_no_faults(&b);
	box_ticks(&b, 100, 1000);
	assert_int_equal(box_write(&b, 0, 32, 2, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_write_is_lost_or_whole_until_flushed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_whole_write_reads_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_partial_miss_is_merged_with_the_origin, setup, teardown),
		cmocka_unit_test_setup_teardown(partial_writes_to_a_dirty_block_add_up, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unnamed_slot_is_written_in_place_a_named_one_never, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_written_in_place_while_a_commit_takes_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_commit_waits_for_a_write_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(fua_ends_when_the_name_is_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(a_copy_keeps_the_checksums_of_what_it_copies, setup, teardown),
		cmocka_unit_test_setup_teardown(a_partial_write_over_lost_data_fails_a_whole_one_heals, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_over_the_whole_lost_unit_heals_it, setup, teardown),
		cmocka_unit_test_setup_teardown(rot_in_a_clean_block_does_not_hinder_a_partial_write, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cache_write_error_on_a_miss_goes_to_the_origin, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cache_write_error_on_a_dirty_block_is_an_error_and_loses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(an_error_in_place_does_not_cost_other_blocks_their_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sequential_miss_goes_to_the_origin, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_dirty_set_slows_writers_only, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_slot_and_write_back_a_new_block_goes_to_the_origin, setup, teardown),
		cmocka_unit_test_setup_teardown(an_overwrite_without_a_slot_fails_after_its_time_not_before, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
