// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/read.c */
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

static void origin_has(u64 sector, u32 sectors, u64 value)
{
	box_pattern(b.dev[HS_ORIGIN].now + (sector << 9), sector, sectors, value);
	box_pattern(b.dev[HS_ORIGIN].durable + (sector << 9), sector, sectors, value);
}

static struct hs_counters *counters(void)
{
	static struct hs_counters n;

	box_counters(&b, &n);
	return &n;
}

static void a_miss_fetches_the_block_and_a_hit_is_one_read(void **state)
{
	u64 before;

	origin_has(32, 32, 5);
	box_expect(&b, 40, 3, 5);
	assert_int_equal(counters()->read_misses, 1);
	assert_int_equal(counters()->inserts, 1);
	before = b.count[HS_CACHE][HS_IO_READ];
	origin_has(32, 32, 6);		/* the cache must not ask there */
	box_expect(&b, 48, 8, 5);
	assert_int_equal(b.count[HS_CACHE][HS_IO_READ], before + 1);
	assert_int_equal(counters()->read_hits, 1);
}

static void a_miss_is_answered_before_it_is_stored(void **state)
{
	struct box_req r;

	box_hold(&b, HS_CACHE, HS_IO_WRITE);
	box_begin(&b, &r, HS_OP_READ, 0, 8, 0);
	box_run(&b);
	assert_true(r.answered && !r.done);
	box_let(&b);
	box_run(&b);
	assert_true(r.done);
	box_drop(&r);
}

static void requests_for_a_block_being_fetched_wait_for_it(void **state)
{
	struct box_req r[2];

	box_begin(&b, &r[0], HS_OP_READ, 0, 8, 0);
	box_begin(&b, &r[1], HS_OP_READ, 8, 8, 0);
	assert_int_equal(b.nr_io, 1);
	box_run(&b);
	assert_true(r[0].done && r[1].done);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_READ], 1);
	box_drop(&r[0]);
	box_drop(&r[1]);
}

/* INVARIANTS 32. */
static void a_sequential_miss_reads_just_its_range(void **state)
{
	struct box_req r;

	box_begin(&b, &r, HS_OP_READ, 3, 5, HS_REQ_SEQUENTIAL);
	assert_int_equal(r.r.io[0].dev, HS_ORIGIN);
	assert_int_equal(r.r.io[0].sectors, 5);
	box_run(&b);
	assert_int_equal(box_slot(&b, 0), -1);
	assert_int_equal(counters()->not_cached[HS_WHY_SEQUENTIAL], 1);
	box_drop(&r);
}

static void rot_in_a_clean_block_is_served_from_the_origin_and_mended(void **state)
{
	origin_has(0, 32, 9);
	box_expect(&b, 0, 32, 9);
	box_rot(&b, HS_CACHE, (u64)(box_slot_data(&b, (u32)box_slot(&b, 0)) - b.dev[HS_CACHE].now) + 5000);
	box_expect(&b, 0, 32, 9);
	assert_int_equal(counters()->checksum_errors, 1);
	assert_int_equal(counters()->repairs, 1);
	box_expect(&b, 0, 32, 9);
	assert_int_equal(counters()->checksum_errors, 1);
	assert_int_equal(counters()->inserts, 2);
}

/* A caller may change its buffer in flight: only a second read, into a private one, counts. */
static void one_bad_read_is_not_rot(void **state)
{
	struct box_req r;

	box_expect(&b, 0, 32, 0);
	box_begin(&b, &r, HS_OP_READ, 0, 8, 0);
	r.r.ios[0].csum_first++;	/* as if something else had been read */
	box_run(&b);
	assert_int_equal(r.r.error, 0);
	assert_int_equal(counters()->checksum_errors, 0);
	box_drop(&r);
}

static void rot_in_a_dirty_block_costs_just_that_range(void **state)
{
	u8 *data;

	box_write(&b, 0, 32, 3, 0);
	box_flush(&b);
	data = box_slot_data(&b, (u32)box_slot(&b, 0));
	box_rot(&b, HS_CACHE, (u64)(data - b.dev[HS_CACHE].now) + 4096 + 7);
	assert_int_equal(box_read_error(&b, 8, 8), -EIO);
	assert_int_equal(counters()->lost, 1);
	box_expect(&b, 0, 8, 3);
	box_expect(&b, 16, 16, 3);
	/* Flagged durably. */
	box_ticks(&b, 2, 1000);
	box_reopen(&b, 0);
	assert_true(box_state(&b, 0) & HS_S_LOST);
	assert_int_equal(box_read_error(&b, 8, 8), -EIO);
	box_expect(&b, 16, 16, 3);
}

static void a_cache_that_cannot_be_read_costs_nothing_clean(void **state)
{
	origin_has(0, 32, 4);
	box_expect(&b, 0, 32, 4);
	box_fault(&b, HS_CACHE, HS_IO_READ, 0, 0, -1);
	box_expect(&b, 0, 32, 4);
	box_expect(&b, 0, 32, 4);
	assert_true(counters()->cache_errors > 0);
}

static void an_origin_error_reaches_the_request_whose_range_it_is(void **state)
{
	origin_has(0, 32, 4);
	box_fault(&b, HS_ORIGIN, HS_IO_READ, 9, 1, -1);
	assert_int_equal(box_read_error(&b, 8, 8), -EIO);
	box_expect(&b, 16, 8, 4);
	assert_int_equal(box_slot(&b, 0), -1);
}

static void a_failed_store_is_not_the_readers_business(void **state)
{
	origin_has(0, 32, 4);
	box_fault(&b, HS_CACHE, HS_IO_WRITE, 0, 0, 1);
	box_expect(&b, 0, 32, 4);
	assert_int_equal(box_slot(&b, 0), -1);
	assert_int_equal(counters()->not_cached[HS_WHY_ERROR], 1);
}

/* INVARIANTS 24. */
static void the_short_last_block_is_served_whole(void **state)
{
	struct hs_geometry_wish w;
	u64 last;

	box_destroy(&b);
	box_geometry(&w, 16384, 2);
	w.origin_bytes -= 16384 - 3 * 512;
	box_init(&b, &w, HS_MODE_WRITEBACK);
	box_must_open(&b);
	last = b.sb.geo.origin_sectors - 3;
	origin_has(last, 3, 8);
	box_expect(&b, last, 3, 8);
	box_expect(&b, last + 2, 1, 8);
	assert_int_equal(counters()->read_hits, 1);
	box_write(&b, last + 1, 1, 9, 0);
	box_flush(&b);
	box_reopen(&b, 0);
	box_expect(&b, last, 1, 8);
	box_expect(&b, last + 1, 1, 9);
	box_ticks(&b, 80, 1000);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now + ((last + 1) << 9), last + 1), 9);
}

static void bypass_reads_the_origin(void **state)
{
	struct hs_out out;

	box_expect(&b, 0, 32, 0);
	hs_out_init(&out);
	hs_core_set_mode(b.core, HS_MODE_BYPASS, &out);
	box_control(&b, &out);
	box_ticks(&b, 5, 1000);
	assert_int_equal(hs_core_mode(b.core), HS_MODE_BYPASS);
	origin_has(0, 32, 7);
	box_expect(&b, 0, 32, 7);
	assert_int_equal(counters()->not_cached[HS_WHY_MODE], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_miss_fetches_the_block_and_a_hit_is_one_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_miss_is_answered_before_it_is_stored, setup, teardown),
		cmocka_unit_test_setup_teardown(requests_for_a_block_being_fetched_wait_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sequential_miss_reads_just_its_range, setup, teardown),
		cmocka_unit_test_setup_teardown(rot_in_a_clean_block_is_served_from_the_origin_and_mended, setup, teardown),
		cmocka_unit_test_setup_teardown(one_bad_read_is_not_rot, setup, teardown),
		cmocka_unit_test_setup_teardown(rot_in_a_dirty_block_costs_just_that_range, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cache_that_cannot_be_read_costs_nothing_clean, setup, teardown),
		cmocka_unit_test_setup_teardown(an_origin_error_reaches_the_request_whose_range_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_store_is_not_the_readers_business, setup, teardown),
		cmocka_unit_test_setup_teardown(the_short_last_block_is_served_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(bypass_reads_the_origin, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
