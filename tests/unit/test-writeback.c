// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/writeback.c */
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

static void dirty_blocks(u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		box_write(&b, i * 8, 8, i + 1, 0);
	box_flush(&b);
}

static void neighbours_go_to_the_origin_in_one_write(void **state)
{
	dirty_blocks(4);
	box_drain(&b, true);
	box_run(&b);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 1);
	assert_int_equal(counters()->write_backs, 4);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now + 3 * 4096, 24), 4);
}

static void what_is_old_is_written_what_is_young_is_not(void **state)
{
	dirty_blocks(1);
	box_ticks(&b, 10, 1000);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 0);
	box_ticks(&b, 50, 1000);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 1);
	assert_int_equal(counters()->dirty, 0);
}

/* One run a tick while the origin is asked meanwhile, however old the rest becomes; at once what is left when it is not. */
static void what_is_old_yields_to_requests_at_the_origin(void **state)
{
	u64 i;

	for (i = 0; i < 12; i++)
		box_write(&b, i * 16, 8, i + 1, 0);
	box_flush(&b);
	b.core->tun.writeback = false;
	box_ticks(&b, 40, 1000);
	b.core->tun.writeback = true;
	box_expect(&b, 40 * 8, 8, 0);
	for (i = 1; i < 10; i++) {
		box_hold(&b, HS_ORIGIN, HS_IO_WRITE);
		box_ticks(&b, 1, i == 2 ? 100 : 5000);
		box_expect(&b, (40 + i) * 8, 8, 0);
		box_let(&b);
		box_run(&b);
		assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], i);
	}
	box_ticks(&b, 1, 100);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 12);
}

/* Blocks that are rewritten all the time do not keep others from becoming old. */
static void what_is_rewritten_is_not_old_for_ever(void **state)
{
	u64 cold = 20, i;

	while (hs_block_set(&b.core->geo, cold) == hs_block_set(&b.core->geo, 0))
		cold++;
	box_write(&b, 0, 8, 1, 0);
	box_flush(&b);
	b.core->tun.writeback = false;
	box_ticks(&b, 40, 1000);
	b.core->tun.writeback = true;
	box_write(&b, cold * 8, 8, 2, 0);
	box_flush(&b);
	for (i = 0; i < 2000 && hs_cur(box_state(&b, cold)) == HS_DIRTY; i++) {
		box_hold(&b, HS_ORIGIN, HS_IO_WRITE);
		box_ticks(&b, 1, 100);
		box_read_error(&b, (cold + 1 + i % (b.core->geo.nr_blocks - cold - 2)) * 8, 8);
		box_write(&b, 0, 8, 100 + i, 0);
		box_flush(&b);
		box_let(&b);
		box_run(&b);
	}
	assert_in_range(i, 100, 700);
}

/* Whatever the clock says when the cache is opened: what was dirty before counts as dirty since then. */
static void age_begins_anew_at_opening(void **state)
{
	u64 at;

	dirty_blocks(1);
	for (at = 0; at < 120; at += 10) {
		assert_int_equal(box_stop(&b), 0);
		b.now = at * HS_SECOND;
		box_must_open(&b);
		box_ticks(&b, 10, 1000);
		assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 0);
	}
	box_ticks(&b, 50, 1000);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 1);
}

static void a_high_dirty_share_starts_it(void **state)
{
	dirty_blocks(17);
	box_ticks(&b, 5, 100);
	assert_true(b.count[HS_ORIGIN][HS_IO_WRITE] > 0);
}

static void it_can_be_switched_off_but_not_against_drain(void **state)
{
	b.core->tun.writeback = false;
	dirty_blocks(17);
	box_ticks(&b, 100, 1000);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 0);
	box_drain(&b, true);
	box_ticks(&b, 20, 100);
	assert_int_equal(counters()->dirty, 0);
}

/* A foreground write never waits for it, and what it wrote of the old data is not taken for the new. */
static void a_write_during_write_back_stays_dirty(void **state)
{
	dirty_blocks(1);
	box_hold(&b, HS_ORIGIN, HS_IO_WRITE);
	box_drain(&b, true);
	box_run(&b);
	assert_true(box_find(&b, HS_ORIGIN, HS_IO_WRITE) >= 0);
	assert_int_equal(box_write(&b, 0, 8, 9, 0), 0);
	box_let(&b);
	b.core->drain = 0;
	b.core->wb_want = HS_WANT_NONE;
	box_run(&b);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_DIRTY);
	box_drain(&b, true);
	box_ticks(&b, 20, 1000);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].durable, 0), 9);
}

static void what_was_overwritten_meanwhile_is_skipped(void **state)
{
	dirty_blocks(3);
	box_hold(&b, HS_CACHE, HS_IO_READ);
	box_drain(&b, true);
	box_write(&b, 8, 8, 9, 0);
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	b.held &= ~(1u << (8 * HS_CACHE + HS_IO_READ));
	box_hold(&b, HS_ORIGIN, HS_IO_WRITE);
	box_run(&b);
	assert_int_equal(b.nr_io, 2);	/* blocks 0 and 2 apart */
	box_let(&b);
	b.core->wb_want = HS_WANT_NONE;
	box_run(&b);
	assert_int_equal(hs_cur(box_state(&b, 1)), HS_DIRTY);
}

/* R2: a clean older name first goes, durably. */
static void the_origin_does_not_change_under_a_clean_name(void **state)
{
	box_expect(&b, 0, 8, 0);
	box_ticks(&b, 4, 1000);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_CLEAN);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_write(&b, 0, 8, 5, 0);
	box_drain(&b, true);
	box_ticks(&b, 10, 300);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 0);
	box_let(&b);
	box_ticks(&b, 10, 300);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_WRITE], 1);
}

static void errors_are_retried_with_back_off(void **state)
{
	dirty_blocks(1);
	box_fault(&b, HS_ORIGIN, HS_IO_WRITE, 0, 0, -1);
	box_drain(&b, true);
	box_ticks(&b, 100, 100);
	assert_in_range(counters()->write_back_errors, 3, 5);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_DIRTY);
	box_expect(&b, 0, 8, 1);
	box_no_faults(&b);
	box_ticks(&b, 400, 100);
	assert_int_equal(counters()->dirty, 0);
}

/* A request that waits during the back-off neither spins nor sleeps for ever. */
static void waiting_through_the_back_off_costs_nothing(void **state)
{
	struct box_req w;

	dirty_blocks(1);
	b.core->mode = HS_MODE_WRITEAROUND;
	box_fault(&b, HS_ORIGIN, HS_IO_WRITE, 0, 0, 1);
	box_begin_write(&b, &w, 0, 8, 9, 0);
	box_run(&b);
	box_ticks(&b, 5, 100);
	assert_false(w.done);
	box_ticks(&b, 30, 100);
	assert_true(w.done);
	box_drop(&w);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 9);
}

static void rot_is_not_written_back(void **state)
{
	dirty_blocks(2);
	box_rot(&b, HS_CACHE, (u64)(box_slot_data(&b, (u32)box_slot(&b, 0)) - b.dev[HS_CACHE].now));
	box_drain(&b, true);
	box_ticks(&b, 5, 1000);
	assert_true(box_state(&b, 0) & HS_S_LOST);
	assert_int_equal(counters()->lost, 1);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now, 0), 0);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].now + 4096, 8), 2);
}

static void a_block_rewritten_for_ever_is_written_back_all_the_same(void **state)
{
	u64 i;

	for (i = 1; i < 70; i++) {
		box_write(&b, 0, 8, i, 0);
		box_ticks(&b, 1, 1000);
	}
	assert_in_range(b.count[HS_ORIGIN][HS_IO_WRITE], 1, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(neighbours_go_to_the_origin_in_one_write, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_old_is_written_what_is_young_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_old_yields_to_requests_at_the_origin, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_rewritten_is_not_old_for_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(age_begins_anew_at_opening, setup, teardown),
		cmocka_unit_test_setup_teardown(a_high_dirty_share_starts_it, setup, teardown),
		cmocka_unit_test_setup_teardown(it_can_be_switched_off_but_not_against_drain, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_during_write_back_stays_dirty, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_overwritten_meanwhile_is_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(the_origin_does_not_change_under_a_clean_name, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_are_retried_with_back_off, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_through_the_back_off_costs_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(rot_is_not_written_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_block_rewritten_for_ever_is_written_back_all_the_same, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
