// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/geometry.c */
#include "tests/lib/corebox.h"

static int choose(struct hs_geometry_wish *w, struct hs_geometry *geo)
{
	const char *why = NULL;
	int err = hs_geometry_choose(w, geo, &why);

	/* A refusal says why; success has nothing to say. */
	assert_int_equal(!!err, !!why);
	return err;
}

static struct hs_geometry_wish plain(void)
{
	return (struct hs_geometry_wish){ .origin_bytes = 1ull << 30, .cache_bytes = 64ull << 20 };
}

static void defaults_are_as_documented(void **state)
{
	struct hs_geometry_wish w = plain();
	struct hs_geometry geo;

	assert_int_equal(choose(&w, &geo), 0);
	assert_int_equal(hs_block_bytes(&geo), 4096);
	assert_int_equal(hs_assoc(&geo), 512);
	assert_int_equal(1u << geo.consecutive_shift, 64);
	assert_true(geo.checksums);
	assert_true(geo.journal_pages >= 64);
	assert_int_equal(geo.data_offset % HS_MIB, 0);
}

static void parts_do_not_overlap_and_fit(void **state)
{
	u32 shift, assoc;

	for (shift = 12; shift <= 20; shift++)
		for (assoc = 16; assoc <= 1024; assoc *= 4) {
			struct hs_geometry_wish w = plain();
			struct hs_geometry g;

			w.block_size = 1u << shift;
			w.assoc = assoc;
			w.consecutive = 4;
			w.cache_bytes = (2ull << 20) + (u64)assoc * 3 * w.block_size;
			assert_int_equal(choose(&w, &g), 0);
			assert_true(g.nsets >= 1);
			assert_true(HS_JOURNAL_OFFSET + (u64)g.journal_pages * HS_PAGE <= g.table_offset[0]);
			assert_true(g.table_offset[0] + (u64)g.table_units * HS_PAGE <= g.table_offset[1]);
			assert_true(g.table_offset[1] + (u64)g.table_units * HS_PAGE <= g.data_offset);
			assert_true(g.data_offset + ((u64)g.nr_slots << shift) <= w.cache_bytes);
			assert_true((u64)g.table_units * g.entries_per_unit >= g.nr_slots);
		}
}

/* One set more would not have fitted. */
static void as_many_sets_as_fit(void **state)
{
	struct hs_geometry_wish w = plain();
	struct hs_geometry geo;

	assert_int_equal(choose(&w, &geo), 0);
	geo.nsets++;
	assert_int_equal(hs_geometry_derive(&geo), -EINVAL);
}

static void a_small_cache_gets_smaller_sets(void **state)
{
	struct hs_geometry_wish w = plain();
	struct hs_geometry geo;

	w.cache_bytes = HS_MIB + 100 * 4096;
	assert_int_equal(choose(&w, &geo), 0);
	assert_int_equal(hs_assoc(&geo), 64);
	assert_int_equal(1u << geo.consecutive_shift, 16);
	w.assoc = 512;
	assert_int_equal(choose(&w, &geo), -ENOSPC);
}

static void refuse(void (*spoil)(struct hs_geometry_wish *), int want)
{
	struct hs_geometry_wish w = plain();
	struct hs_geometry geo;

	spoil(&w);
	assert_int_equal(choose(&w, &geo), want);
}

static void odd_block(struct hs_geometry_wish *w) { w->block_size = 5000; }
static void small_block(struct hs_geometry_wish *w) { w->block_size = 2048; }
static void large_block(struct hs_geometry_wish *w) { w->block_size = 2 * HS_MIB; }
static void odd_assoc(struct hs_geometry_wish *w) { w->assoc = 100; }
static void small_assoc(struct hs_geometry_wish *w) { w->assoc = 8; }
static void large_assoc(struct hs_geometry_wish *w) { w->assoc = 65536; }
static void odd_consecutive(struct hs_geometry_wish *w) { w->consecutive = 3; }
static void consecutive_over_a_quarter(struct hs_geometry_wish *w) { w->assoc = 16; w->consecutive = 8; }
static void empty_origin(struct hs_geometry_wish *w) { w->origin_bytes = 100; }
static void huge_origin(struct hs_geometry_wish *w) { w->origin_bytes = 1ull << 61; }
static void too_many_blocks(struct hs_geometry_wish *w) { w->origin_bytes = 1ull << 53; }
static void tiny_cache(struct hs_geometry_wish *w) { w->cache_bytes = HS_MIB; }
static void small_journal(struct hs_geometry_wish *w) { w->journal_bytes = 128 * HS_KIB; }
static void large_journal(struct hs_geometry_wish *w) { w->journal_bytes = 2ull << 30; }

static void what_is_out_of_range_is_refused(void **state)
{
	refuse(odd_block, -EINVAL);
	refuse(small_block, -EINVAL);
	refuse(large_block, -EINVAL);
	refuse(odd_assoc, -EINVAL);
	refuse(small_assoc, -EINVAL);
	refuse(large_assoc, -EINVAL);
	refuse(odd_consecutive, -EINVAL);
	refuse(consecutive_over_a_quarter, -EINVAL);
	refuse(empty_origin, -EINVAL);
	refuse(huge_origin, -EFBIG);
	refuse(too_many_blocks, -EFBIG);
	refuse(tiny_cache, -ENOSPC);
	refuse(small_journal, -EINVAL);
	refuse(large_journal, -EINVAL);
}

/* INVARIANTS 25: origins and caches beyond 2 TiB. */
static void large_devices_are_counted_in_64_bits(void **state)
{
	struct hs_geometry_wish w = { .origin_bytes = 1ull << 45, .cache_bytes = 3ull << 40 };
	struct hs_geometry geo;

	assert_int_equal(choose(&w, &geo), 0);
	assert_int_equal(geo.nr_blocks, 1ull << 33);
	assert_true((u64)geo.nr_slots << geo.block_shift > 2ull << 40);
	assert_true(geo.data_offset + ((u64)geo.nr_slots << geo.block_shift) <= w.cache_bytes);
	w.cache_bytes = 1ull << 50;
	assert_int_equal(choose(&w, &geo), 0);
	assert_true(geo.nr_slots <= HS_SLOTS_MAX);
}

/* INVARIANTS 24. */
static void the_last_block_may_be_short(void **state)
{
	struct hs_geometry_wish w = plain();
	struct hs_geometry geo;

	w.origin_bytes = 10 * 4096 + 3 * 512 + 17;
	assert_int_equal(choose(&w, &geo), 0);
	assert_int_equal(geo.nr_blocks, 11);
	assert_int_equal(hs_block_valid(&geo, 9), 8);
	assert_int_equal(hs_block_valid(&geo, 10), 3);
}

static void neighbours_share_a_set_and_groups_spread(void **state)
{
	struct hs_geometry_wish w = plain();
	struct hs_geometry geo;
	u32 count[64] = { 0 }, i;
	u64 block;

	w.max_slots = 64 * 512;
	w.cache_bytes = 1ull << 30;
	assert_int_equal(choose(&w, &geo), 0);
	assert_int_equal(geo.nsets, 64);
	for (block = 0; block < geo.nr_blocks; block++) {
		u32 set = hs_block_set(&geo, block);

		assert_true(set < geo.nsets);
		assert_int_equal(set, hs_block_set(&geo, block & ~63ull));
		count[set]++;
	}
	for (i = 0; i < 64; i++)
		assert_in_range(count[i], geo.nr_blocks / 64 / 2, geo.nr_blocks / 64 * 2);
}

static void derive_refuses_nonsense(void **state)
{
	struct hs_geometry_wish w = plain();
	struct hs_geometry geo, bad;

	assert_int_equal(choose(&w, &geo), 0);
	bad = geo;
	bad.block_shift = 60;
	assert_int_equal(hs_geometry_derive(&bad), -EINVAL);
	bad = geo;
	bad.nsets = 0;
	assert_int_equal(hs_geometry_derive(&bad), -EINVAL);
	bad = geo;
	bad.nsets = 0xffffffff;
	assert_int_equal(hs_geometry_derive(&bad), -EINVAL);
	bad = geo;
	bad.journal_pages = 1;
	assert_int_equal(hs_geometry_derive(&bad), -EINVAL);
	bad = geo;
	bad.origin_sectors = 0;
	assert_int_equal(hs_geometry_derive(&bad), -EINVAL);
	bad = geo;
	bad.consecutive_shift = 40;
	assert_int_equal(hs_geometry_derive(&bad), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_as_documented),
		cmocka_unit_test(parts_do_not_overlap_and_fit),
		cmocka_unit_test(as_many_sets_as_fit),
		cmocka_unit_test(a_small_cache_gets_smaller_sets),
		cmocka_unit_test(what_is_out_of_range_is_refused),
		cmocka_unit_test(large_devices_are_counted_in_64_bits),
		cmocka_unit_test(the_last_block_may_be_short),
		cmocka_unit_test(neighbours_share_a_set_and_groups_spread),
		cmocka_unit_test(derive_refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
