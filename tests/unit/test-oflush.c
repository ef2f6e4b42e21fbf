// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/oflush.c: R3. */
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

/* A fill's name: INVARIANTS 5. */
static void a_fill_is_named_after_a_flush_begun_later(void **state)
{
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	box_expect(&b, 0, 8, 0);
	box_ticks(&b, 3, 1000);
	assert_true(box_find(&b, HS_ORIGIN, HS_IO_FLUSH) >= 0);
	box_expect(&b, 8, 8, 0);	/* too late for that one */
	box_end_one(&b, HS_ORIGIN, HS_IO_FLUSH);
	box_run(&b);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_CLEAN);
	assert_int_equal(hs_dur(box_state(&b, 1)), HS_D_NONE);
	box_let(&b);
	box_ticks(&b, 3, 1000);
	assert_int_equal(hs_dur(box_state(&b, 1)), HS_D_CLEAN);
}

static void the_background_flushes_once_a_second_at_most(void **state)
{
	u64 before = b.count[HS_ORIGIN][HS_IO_FLUSH], i;

	for (i = 0; i < 20; i++) {
		box_read_error(&b, i * 8, 8);
		box_write(&b, 500 - i, 1, 1, HS_REQ_SEQUENTIAL);
		box_ticks(&b, 1, 100);
	}
	assert_true(b.count[HS_ORIGIN][HS_IO_FLUSH] - before <= 3);
}

static void nothing_is_flushed_that_needs_no_flush(void **state)
{
	u64 before;

	box_expect(&b, 0, 8, 0);
	box_ticks(&b, 3, 1000);
	before = b.count[HS_ORIGIN][HS_IO_FLUSH];
	box_expect(&b, 8, 8, 0);
	box_ticks(&b, 3, 1000);
	assert_int_equal(hs_dur(box_state(&b, 1)), HS_D_CLEAN);
	assert_int_equal(b.count[HS_ORIGIN][HS_IO_FLUSH], before);
}

static void dirty_block(u64 block, u64 value)
{
	box_write(&b, block * 8, 8, value, 0);
	box_flush(&b);
}

/* INVARIANTS 5, 17. */
static void a_block_written_back_stays_dirty_until_the_flush(void **state)
{
	dirty_block(0, 1);
	b.core->tun.dirty_percent = 0;
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	box_ticks(&b, 5, 1000);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_WRITTEN);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_DIRTY);
	box_let(&b);
	box_ticks(&b, 3, 1000);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_CLEAN);
}

/* INVARIANTS 39. */
static void after_a_failed_flush_it_is_dirty_again_and_written_again(void **state)
{
	b.lossy = true;
	dirty_block(0, 1);
	b.core->tun.dirty_percent = 0;
	box_fault(&b, HS_ORIGIN, HS_IO_FLUSH, 0, 0, 2);
	box_ticks(&b, 2, 1000);
	assert_int_not_equal(hs_dur(box_state(&b, 0)), HS_D_CLEAN);
	box_ticks(&b, 20, 1000);
	assert_int_equal(hs_dur(box_state(&b, 0)), HS_D_CLEAN);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].durable, 0), 1);
}

static void after_a_failed_flush_a_fill_is_dropped(void **state)
{
	box_expect(&b, 0, 8, 0);
	box_fault(&b, HS_ORIGIN, HS_IO_FLUSH, 0, 0, 1);
	box_ticks(&b, 2, 1000);
	assert_int_equal(box_slot(&b, 0), -1);
}

static void end_origin_flush(s32 error)
{
	int at = box_find(&b, HS_ORIGIN, HS_IO_FLUSH);

	assert_true(at >= 0);
	box_fail(&b, (u32)at, error);
	box_run(&b);
}

/* A FLUSH that cannot flip the phases, since the verdict on the other one is still to be applied, and fails:
 * what waits in the current phase is lost too, and the next FLUSH would not bring it back. */
static void a_failed_flush_spoils_the_current_phase_too(void **state)
{
	b.lossy = true;
	b.core->tun.dirty_percent = 0;
	box_flush(&b);
	box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
	dirty_block(0, 1);
	box_ticks(&b, 3, 1000);
	assert_true(b.core->oflush.flipped);
	dirty_block(16, 3);
	box_ticks(&b, 2, 100);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_WRITTEN);
	assert_int_equal(hs_cur(box_state(&b, 16)), HS_WRITTEN);
	assert_int_not_equal(box_state(&b, 0) & HS_S_PHASE, box_state(&b, 16) & HS_S_PHASE);
	/* The commit machine is busy, so the first verdict is not applied at once. */
	b.core->tun.writeback = false;
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_write(&b, 24 * 8, 8, 4, 0);
	box_tick(&b, 1000);
	box_run(&b);
	end_origin_flush(0);
	/* The next one, which the clock has asked for meanwhile, is under way. */
	assert_false(b.core->oflush.flipped);
	end_origin_flush(-EIO);
	box_let(&b);
	box_run(&b);
	b.core->tun.writeback = true;
	box_ticks(&b, 20, 1000);
	assert_int_equal(hs_dur(box_state(&b, 16)), HS_D_CLEAN);
	assert_int_equal(box_value(b.dev[HS_ORIGIN].durable + 16 * 4096, 16 * 8), 3);
}

/*
 * Written back, and its copy cannot be read: the origin has it. But a FLUSH is under way that will fail, and the device
 * has lost it already: nobody can tell until that has ended.
 */
static void what_is_read_while_a_flush_is_under_way_waits_for_it(void **state)
{
	static const s32 errors[] = { 0, -EIO };
	static const u32 sectors[] = { 8, 8, 3 };
	u32 e, kind;

	for (e = 0; e < 2; e++) {
		for (kind = 0; kind < 3; kind++) {	/* a read, a whole write, one that has the rest from there */
			struct box_req q;

			teardown(state);
			setup(state);
			dirty_block(0, 1);
			b.core->tun.dirty_percent = 0;
			box_hold(&b, HS_ORIGIN, HS_IO_FLUSH);
			box_ticks(&b, 5, 1000);
			assert_int_equal(hs_cur(box_state(&b, 0)), HS_WRITTEN);
			assert_true(box_find(&b, HS_ORIGIN, HS_IO_FLUSH) >= 0);
			box_fault(&b, HS_CACHE, HS_IO_READ, 0, 0, -1);
			if (kind)
				box_begin_write(&b, &q, 0, sectors[kind], 2, 0);
			else
				box_begin(&b, &q, HS_OP_READ, 0, 8, 0);
			box_run(&b);
			assert_int_equal(q.done, kind == 1);
			box_ticks(&b, 3, 100);
			assert_int_equal(q.done, kind == 1);
			end_origin_flush(errors[e]);
			box_let(&b);
			box_no_faults(&b);
			box_ticks(&b, 1, 100);
			assert_true(q.done);
			assert_int_equal(q.r.error, kind == 1 ? 0 : errors[e]);
			box_drop(&q);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_fill_is_named_after_a_flush_begun_later, setup, teardown),
		cmocka_unit_test_setup_teardown(the_background_flushes_once_a_second_at_most, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_flushed_that_needs_no_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(a_block_written_back_stays_dirty_until_the_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_failed_flush_it_is_dirty_again_and_written_again, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_read_while_a_flush_is_under_way_waits_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_failed_flush_a_fill_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_flush_spoils_the_current_phase_too, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
