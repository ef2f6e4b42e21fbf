// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/stop.c */
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

/* INVARIANTS 14. */
static void a_clean_stop_keeps_dirty_blocks_and_says_so(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	assert_int_equal(box_stop(&b), 0);
	box_must_open(&b);
	assert_true(hs_core_report(b.core)->clean_stop);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_DIRTY);
	box_expect(&b, 0, 8, 1);
}

static void a_clean_stop_is_durable(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	assert_int_equal(box_stop(&b), 0);
	box_cut(&b, 0);
	assert_int_equal(box_load(&b, -1), 0);
	assert_true(hs_core_report(b.core)->clean_stop);
	assert_int_equal(b.core->sb.fingerprint, 0x1234);
}

/* The mark is gone, durably, before anything is served. */
static void opening_takes_the_mark_away(void **state)
{
	assert_int_equal(box_stop(&b), 0);
	box_must_open(&b);
	box_reopen(&b, 0);
	assert_false(hs_core_report(b.core)->clean_stop);
	assert_int_equal(b.core->sb.fingerprint, 0);
}

/* INVARIANTS 30. */
static void a_failed_commit_prevents_it(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	box_fault(&b, HS_CACHE, HS_IO_FLUSH, 0, 0, 1);
	assert_int_equal(box_stop(&b), -EIO);
	box_no_faults(&b);
	box_must_open(&b);
	assert_false(hs_core_report(b.core)->clean_stop);
}

static void a_failed_mark_prevents_it(void **state)
{
	box_fault(&b, HS_CACHE, HS_IO_WRITE, 0, 256, -1);
	assert_int_equal(box_stop(&b), -EIO);
	box_no_faults(&b);
	box_must_open(&b);
	assert_false(hs_core_report(b.core)->clean_stop);
}

/* INVARIANTS 33. */
static void it_waits_for_the_background_and_ends(void **state)
{
	u64 i;

	for (i = 0; i < 20; i++)
		box_write(&b, i * 8, 8, 1, 0);
	box_drain(&b, true);
	assert_true(b.nr_io > 0);
	assert_int_equal(box_stop(&b), 0);
	box_must_open(&b);
	for (i = 0; i < 20; i++)
		box_expect(&b, i * 8, 8, 1);
}

/* A device that is suspended and resumed. */
static void a_stop_can_be_taken_back(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	assert_int_equal(box_stop_half(&b, false), 0);
	hs_core_resume(b.core);
	box_write(&b, 8, 8, 2, 0);
	assert_int_equal(box_flush(&b), 0);
	box_drain(&b, true);
	box_ticks(&b, 30, 100);
	assert_int_equal(hs_sum_dirty(b.core), 0);
	box_drain(&b, false);
	box_run(&b);
	assert_int_equal(box_stop(&b), 0);
	box_must_open(&b);
	assert_true(hs_core_report(b.core)->clean_stop);
	box_expect(&b, 0, 8, 1);
	box_expect(&b, 8, 8, 2);
}

/* What was read, and what was written back, just before. */
static void what_is_on_hold_comes_back_clean(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	box_flush(&b);
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	box_drain(&b, true);
	box_run(&b);
	box_let(&b);
	box_drain(&b, false);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_WRITTEN);
	box_expect(&b, 8, 8, 0);
	assert_true(box_state(&b, 1) & HS_S_HOLD);
	assert_int_equal(box_stop(&b), 0);
	box_cut(&b, 0);
	box_must_open(&b);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_CLEAN);
	assert_int_equal(hs_dur(box_state(&b, 1)), HS_D_CLEAN);
	box_expect(&b, 0, 8, 1);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].durable, 0), 1);
}

/* INVARIANTS 30: the shell's own FLUSH may succeed then, and nobody would know. */
static void an_origin_flush_that_fails_prevents_it(void **state)
{
	box_write(&b, 0, 8, 1, 0);
	box_flush(&b);
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	box_drain(&b, true);
	box_run(&b);
	box_let(&b);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_WRITTEN);
	box_fault(&b, HS_ORIGIN, HS_IO_FLUSH, 0, 0, 1);
	assert_int_equal(box_stop_half(&b, false), -EIO);
	assert_int_equal(box_stop_half(&b, true), -EIO);
	box_close(&b);
	box_no_faults(&b);
	box_must_open(&b);
	assert_false(hs_core_report(b.core)->clean_stop);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_DIRTY);
	box_expect(&b, 0, 8, 1);
}

/*
 * No write-back, no fill: a write to the origin that a FLUSH in the background may have lost, with nobody who has asked
 * since. A stop asks for no more than that what is there now is durable; it must not fail for that, let alone for ever.
 */
static void one_that_failed_before_is_told_to_who_asks(void **state)
{
	teardown(state);
	box_start(&b, 4096, 2, HS_MODE_WRITEAROUND);
	box_expect(&b, 64, 8, 0);
	box_write(&b, 0, 8, 1, 0);
	box_fault(&b, HS_ORIGIN, HS_IO_FLUSH, 0, 0, 1);
	box_ticks(&b, 3, 1000);
	box_no_faults(&b);
	assert_int_equal(b.core->oflush.losses, 1);
	assert_int_equal(box_stop_half(&b, false), 0);
	hs_core_resume(b.core);
	assert_int_equal(box_flush(&b), -EIO);
	assert_int_equal(box_flush(&b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_clean_stop_keeps_dirty_blocks_and_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clean_stop_is_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(opening_takes_the_mark_away, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_commit_prevents_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_mark_prevents_it, setup, teardown),
		cmocka_unit_test_setup_teardown(it_waits_for_the_background_and_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stop_can_be_taken_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_on_hold_comes_back_clean, setup, teardown),
		cmocka_unit_test_setup_teardown(an_origin_flush_that_fails_prevents_it, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_failed_before_is_told_to_who_asks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
