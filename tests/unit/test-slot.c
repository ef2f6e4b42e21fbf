// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/slot.c: R1, the set's reserve, the gauges. */
#include "tests/lib/corebox.h"

static struct box b;

static int setup(void **state)
{
	box_start(&b, 4096, 1, HS_MODE_WRITEBACK);
	return 0;
}

static int teardown(void **state)
{
	box_destroy(&b);
	return 0;
}

static struct hs_set *set0(void)
{
	return hs_set_at(b.core, 0);
}

/* R1, INVARIANTS 4: overwritten, a named slot is free only once its drop is durable. */
static void a_retired_slot_waits_for_the_durable_drop(void **state)
{
	int old;

	box_write(&b, 0, 8, 1, 0);
	box_flush(&b);
	old = box_slot(&b, 0);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_write(&b, 0, 8, 2, 0);
	assert_int_equal(hs_cur(set0()->way[old].state), HS_RETIRED);
	box_tick(&b, 1000);
	box_run(&b);
	/* Its drop is written, not durable. */
	assert_true(set0()->way[old].state & HS_S_IN_TX);
	assert_int_equal(hs_cur(set0()->way[old].state), HS_RETIRED);
	box_let(&b);
	box_run(&b);
	assert_int_equal(hs_cur(set0()->way[old].state), HS_FREE);
}

/* INVARIANTS 19. */
static void a_retired_slot_waits_for_its_readers(void **state)
{
	struct box_req r;
	int slot;

	box_expect(&b, 0, 8, 0);
	slot = box_slot(&b, 0);
	box_hold(&b, HS_CACHE, HS_IO_READ);
	box_begin(&b, &r, HS_OP_READ, 0, 8, 0);
	hs_slot_retire(b.core, &b.core->shards[0], 0, (u16)slot);
	box_ticks(&b, 5, 1000);
	assert_int_equal(hs_cur(set0()->way[slot].state), HS_RETIRED);
	box_let(&b);
	box_run(&b);
	assert_true(r.done);
	assert_int_equal(hs_cur(set0()->way[slot].state), HS_FREE);
	box_drop(&r);
}

static void an_unnamed_slot_is_free_at_once(void **state)
{
	int old;

	box_write(&b, 0, 8, 1, 0);
	old = box_slot(&b, 0);
	box_write(&b, 0, 8, 2, 0);
	assert_int_equal(hs_cur(set0()->way[old].state), HS_FREE);
}

static void clean_slots_make_room_before_dirty_ones(void **state)
{
	struct hs_counters n;
	u64 block;

	for (block = 0; block < 4; block++)
		box_write(&b, block * 8, 8, 1, 0);
	for (block = 4; block < 40; block++)
		box_expect(&b, block * 8, 8, 0);
	box_counters(&b, &n);
	assert_int_equal(n.dirty, 4);
	assert_true(n.replacements >= 20);
	for (block = 0; block < 4; block++)
		assert_true(box_slot(&b, block) >= 0);
}

static void a_set_keeps_its_reserve(void **state)
{
	u64 block;

	for (block = 0; block < 60; block++) {
		box_expect(&b, block * 8, 8, 0);
		box_ticks(&b, 1, 100);
		assert_true(hs_nfree(set0()) + hs_nretired(set0()) >= b.core->reserve);
	}
}

static void fills_leave_the_last_of_the_reserve_to_writes(void **state)
{
	struct hs_out out;
	u64 block;

	hs_out_init(&out);
	for (block = 0; hs_nfree(set0()) > b.core->reserve / 2; block++)
		assert_int_not_equal(hs_slot_alloc(b.core, &b.core->shards[0], 0, 1000 + block, false, &out),
				     HS_NIL);
	assert_int_equal(hs_slot_alloc(b.core, &b.core->shards[0], 0, 2000, true, &out), HS_NIL);
	assert_int_not_equal(hs_slot_alloc(b.core, &b.core->shards[0], 0, 2000, false, &out), HS_NIL);
}

/* INVARIANTS 31. */
static void gauges_follow_every_change(void **state)
{
	u64 i;

	for (i = 0; i < 300; i++) {
		u64 block = random_below(&b.rnd, 30);

		if (random_below(&b.rnd, 2))
			box_write(&b, block * 8, 8, i + 1, 0);
		else
			box_read_error(&b, block * 8, 8);
		box_tick(&b, random_below(&b.rnd, 700));
		box_check(&b);
		box_run(&b);
		box_check(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_retired_slot_waits_for_the_durable_drop, setup, teardown),
		cmocka_unit_test_setup_teardown(a_retired_slot_waits_for_its_readers, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unnamed_slot_is_free_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(clean_slots_make_room_before_dirty_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(a_set_keeps_its_reserve, setup, teardown),
		cmocka_unit_test_setup_teardown(fills_leave_the_last_of_the_reserve_to_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(gauges_follow_every_change, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
