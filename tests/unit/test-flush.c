// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/flush.c: R4. */
#include "tests/lib/corebox.h"

static struct box b;

static int setup(void **state)
{
	box_start(&b, 4096, 2, HS_MODE_WRITEBACK);
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

static void an_idle_flush_costs_nothing(void **state)
{
	u64 cache, origin;

	box_flush(&b);
	cache = b.count[HS_CACHE][HS_IO_FLUSH];
	origin = b.count[HS_ORIGIN][HS_IO_FLUSH];
	assert_int_equal(box_flush(&b), 0);
	assert_int_equal(b.count[HS_CACHE][HS_IO_FLUSH], cache);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_FLUSH], origin);
}

/* INVARIANTS 35: after a kill the origin may hold unflushed writes of ours. */
static void the_first_flush_after_opening_reaches_the_origin(void **state)
{
	box_flush(&b);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_FLUSH], 1);
}

static void cached_writes_owe_the_cache_alone(void **state)
{
	u64 origin, cache;

	box_flush(&b);
	origin = b.count[HS_ORIGIN][HS_IO_FLUSH];
	cache = b.count[HS_CACHE][HS_IO_FLUSH];
	box_write(&b, 0, 8, 1, 0);
	assert_int_equal(box_flush(&b), 0);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_FLUSH], origin);
	/* Data and transaction in one. */
	assert_int_equal(b.count[HS_CACHE][HS_IO_FLUSH], cache + 1);
}

/* INVARIANTS 7. */
static void direct_writes_owe_the_origin(void **state)
{
	u64 before;

	box_flush(&b);
	before = b.count[HS_ORIGIN][HS_IO_FLUSH];
	box_write(&b, 0, 8, 1, HS_REQ_SEQUENTIAL);
	assert_int_equal(box_flush(&b), 0);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_FLUSH], before + 1);
	box_op(&b, HS_OP_DISCARD, 0, 8, 0);
	assert_int_equal(box_flush(&b), 0);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_FLUSH], before + 2);
	box_flush(&b);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_FLUSH], before + 2);
}

static void write_back_alone_does_not_oblige_the_origin(void **state)
{
	struct box_req f;

	box_flush(&b);
	box_write(&b, 0, 8, 1, 0);
	box_flush(&b);
	b.core->tun.dirty_percent = 0;
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	box_tick(&b, 100);
	box_run(&b);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 1);
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	assert_true(f.done);
	box_drop(&f);
}

static void many_flushes_share_one_round(void **state)
{
	struct box_req f[8];
	u32 i;

	box_flush(&b);
	box_write(&b, 0, 8, 1, 0);
	box_hold(&b, HS_CACHE, HS_IO_WRITE);
	for (i = 0; i < 8; i++)
		box_begin(&b, &f[i], HS_OP_FLUSH, 0, 0, 0);
	box_let(&b);
	box_run(&b);
	for (i = 0; i < 8; i++) {
		assert_true(f[i].done);
		box_drop(&f[i]);
	}
	assert_true(counters()->commits <= 2);
}

/* A round under way may have passed by the write. */
static void a_flush_waits_for_a_round_that_begins_later(void **state)
{
	struct box_req f;

	box_flush(&b);
	box_write(&b, 0, 8, 1, 0);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_tick(&b, 1000);
	box_run(&b);
	box_write(&b, 8, 8, 2, 0);
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	box_run(&b);
	assert_false(f.done);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	assert_true(f.done);
	box_drop(&f);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 1);
	box_expect(&b, 8, 8, 2);
}

/* INVARIANTS 39. */
static void a_failed_cache_flush_fails_it_now_and_from_then_on(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	box_fault(&b, HS_CACHE, HS_IO_FLUSH, 0, 0, 1);
	assert_int_equal(box_flush(&b), -EIO);
	assert_true(hs_core_failed(b.core));
	assert_int_equal(box_flush(&b), -EIO);
	box_expect(&b, 0, 8, 1);
	/* Written back, nothing is owed any more. */
	box_ticks(&b, 100, 1000);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 1);
	assert_int_equal(box_flush(&b), 0);
}

static void a_failed_origin_flush_fails_those_who_wait_for_it(void **state)
{
	box_write(&b, 0, 8, 1, HS_REQ_SEQUENTIAL);
	box_fault(&b, HS_ORIGIN, HS_IO_FLUSH, 0, 0, 1);
	assert_int_equal(box_flush(&b), -EIO);
	assert_int_equal(box_flush(&b), 0);
}

/* INVARIANTS 21, 39: what a FLUSH of the core's own lost, the next FLUSH must tell. */
static void an_origin_flush_that_failed_unseen_is_told_once(void **state)
{
	box_flush(&b);
	box_expect(&b, 64, 8, 0);
	box_write(&b, 0, 8, 1, HS_REQ_SEQUENTIAL);
	box_fault(&b, HS_ORIGIN, HS_IO_FLUSH, 0, 0, 1);
	box_ticks(&b, 3, 1000);
	assert_int_equal(counters()->origin_errors, 1);
	assert_int_equal(box_flush(&b), -EIO);
	assert_int_equal(box_flush(&b), 0);
}

static void without_checksums_data_are_flushed_before_their_names(void **state)
{
	struct hs_geometry_wish w;
	u64 before;

	box_destroy(&b);
	box_geometry(&w, 4096, 2);
	w.no_checksums = true;
	box_init(&b, &w, HS_MODE_WRITEBACK);
	box_must_open(&b);
	before = b.count[HS_CACHE][HS_IO_FLUSH];
	box_write(&b, 0, 8, 1, 0);
	box_flush(&b);
	assert_int_equal(b.count[HS_CACHE][HS_IO_FLUSH], before + 2);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 1);
}

/*
 * The older name of a block is dirty and durable; the new data are written back before they have a name. A
 * FLUSH must not take that for durable while a cut would bring the older data back.
 */
static void written_back_but_unnamed_data_are_not_forgotten(void **state)
{
	u32 i;

	box_write(&b, 0, 8, 1, 0);
	box_flush(&b);
	box_write(&b, 0, 8, 2, 0);
	b.core->tun.dirty_percent = 0;
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	for (i = 0; i < 5; i++)
		box_ticks(&b, 1, 100);
	box_let(&b);
	box_flush(&b);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_idle_flush_costs_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_flush_after_opening_reaches_the_origin, setup, teardown),
		cmocka_unit_test_setup_teardown(cached_writes_owe_the_cache_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(direct_writes_owe_the_origin, setup, teardown),
		cmocka_unit_test_setup_teardown(write_back_alone_does_not_oblige_the_origin, setup, teardown),
		cmocka_unit_test_setup_teardown(many_flushes_share_one_round, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flush_waits_for_a_round_that_begins_later, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_cache_flush_fails_it_now_and_from_then_on, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_origin_flush_fails_those_who_wait_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(an_origin_flush_that_failed_unseen_is_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(without_checksums_data_are_flushed_before_their_names, setup, teardown),
		cmocka_unit_test_setup_teardown(written_back_but_unnamed_data_are_not_forgotten, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
