// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/set.c: the index of a set. */
#include <stdlib.h>

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

/* The set is filled by hand: given back as it was, for teardown looks at it. */
static struct hs_set *blank(void)
{
	struct hs_set *st = hs_set_at(b.core, 0);

	hs_set_init(b.core, st);
	return st;
}

static void every_block_is_found_and_no_other(void **state)
{
	struct hs_set *st = blank();
	u64 step = (1ull << 32) + 7;
	u16 way;

	for (way = 0; way < 16; way++)
		hs_set_index(b.core, st, way, way * step);
	for (way = 0; way < 16; way++) {
		st->way[way].state = HS_CLEAN;
		assert_int_equal(hs_set_find(b.core, st, way * step), way);
		assert_int_equal(hs_tag(b.core, st, way), way * step);
		/* INVARIANTS 25: numbers that differ above 32 bits only. */
		assert_int_equal(hs_set_find(b.core, st, way * step + (1ull << 36)), HS_NIL);
	}
	blank();
}

/* INVARIANTS 13. */
static void block_0_is_a_block(void **state)
{
	struct hs_set *st = blank();

	assert_int_equal(hs_set_find(b.core, st, 0), HS_NIL);
	hs_set_index(b.core, st, 5, 0);
	st->way[5].state = HS_CLEAN;
	assert_int_equal(hs_set_find(b.core, st, 0), 5);
	blank();
}

static void retired_ways_stay_indexed_but_are_not_current(void **state)
{
	struct hs_set *st = blank();

	hs_set_index(b.core, st, 1, 9);
	st->way[1].state = HS_RETIRED;
	assert_int_equal(hs_set_find(b.core, st, 9), HS_NIL);
	hs_set_index(b.core, st, 2, 9);
	st->way[2].state = HS_FILL;
	assert_int_equal(hs_set_find(b.core, st, 9), 2);
	assert_int_equal(hs_set_find_any(b.core, st, 9, HS_NIL), 2);
	assert_int_equal(hs_set_find_any(b.core, st, 9, 2), 1);
	assert_int_equal(hs_set_find_any(b.core, st, 9, 1), HS_NIL);
	blank();
}

static void unindexing_takes_out_just_that_way(void **state)
{
	struct hs_set *st = blank();
	u16 way;

	for (way = 0; way < 16; way++) {
		hs_set_index(b.core, st, way, 100 + way / 2);
		st->way[way].state = HS_CLEAN;
	}
	for (way = 0; way < 16; way += 2)
		hs_set_unindex(b.core, st, way);
	for (way = 1; way < 16; way += 2)
		assert_int_equal(hs_set_find(b.core, st, 100 + way / 2), way);
	for (way = 1; way < 16; way += 2)
		hs_set_unindex(b.core, st, way);
	for (way = 0; way < 8; way++)
		assert_int_equal(hs_set_find(b.core, st, 100 + way), HS_NIL);
	blank();
}

static void arrays_do_not_overlap(void **state)
{
	struct hs_geometry geo = b.sb.geo;
	struct hs_set_offsets off;
	u32 ways;

	for (geo.assoc_shift = 4; geo.assoc_shift <= 15; geo.assoc_shift++) {
		ways = 1u << geo.assoc_shift;
		hs_set_layout(&geo, &off);
		assert_true(off.held >= sizeof(struct hs_set) + ways * sizeof(struct hs_way));
		assert_int_equal(off.held % 8, 0);
		assert_true(off.crc >= off.held + (ways + 63) / 64 * 8);
		assert_true(off.bucket >= off.crc + 4 * ways * geo.units_per_block);
		assert_true(off.tag_hi >= off.bucket + 2 * ways);
		assert_true(off.bytes >= off.tag_hi + ways);
		assert_int_equal(off.bytes % 64, 0);
	}
}

/* The budget: 20 bytes of RAM a 4 KiB slot, all in. */
static void a_slot_costs_no_more_than_20_bytes(void **state)
{
	struct hs_geometry_wish w = { .origin_bytes = 1ull << 40, .cache_bytes = 4ull << 30 };
	struct hs_core_opts opts = { 0 };
	struct hs_geometry geo;
	const char *why;

	assert_int_equal(hs_geometry_choose(&w, &geo, &why), 0);
	assert_true(hs_core_map_size(&geo, &opts) <= 20 * (u64)geo.nr_slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_block_is_found_and_no_other, setup, teardown),
		cmocka_unit_test_setup_teardown(block_0_is_a_block, setup, teardown),
		cmocka_unit_test_setup_teardown(retired_ways_stay_indexed_but_are_not_current, setup, teardown),
		cmocka_unit_test_setup_teardown(unindexing_takes_out_just_that_way, setup, teardown),
		cmocka_unit_test_setup_teardown(arrays_do_not_overlap, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slot_costs_no_more_than_20_bytes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
