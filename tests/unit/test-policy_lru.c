// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/policy_lru.c */
#include "tests/lib/corebox.h"

static struct box b;
static struct hs_set *st;
static const struct hs_policy *lru = &hs_policy_lru;

static int setup(void **state)
{
	u16 way;

	box_start(&b, 4096, 1, HS_MODE_WRITEBACK);
	st = hs_set_at(b.core, 0);
	lru->init(b.core, st);
	for (way = 0; way < 4; way++)
		lru->insert(b.core, st, way, false);
	for (way = 4; way < 8; way++)
		lru->insert(b.core, st, way, true);
	return 0;
}

static int teardown(void **state)
{
	hs_set_init(b.core, st);
	box_destroy(&b);
	return 0;
}

static void expect_victims(const u16 *want, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		assert_int_equal(lru->victim(b.core, st), want[i]);
		lru->remove(b.core, st, want[i], false);
	}
	assert_int_equal(lru->victim(b.core, st), HS_NIL);
}

static void the_least_recently_used_clean_way_goes_first(void **state)
{
	expect_victims((const u16[]){ 0, 1, 2, 3 }, 4);
}

static void a_hit_makes_a_way_young(void **state)
{
	lru->hit(b.core, st, 0, false);
	lru->hit(b.core, st, 2, false);
	lru->hit(b.core, st, 2, false);
	expect_victims((const u16[]){ 1, 3, 0, 2 }, 4);
}

static void a_middle_way_can_leave(void **state)
{
	lru->remove(b.core, st, 2, false);
	lru->remove(b.core, st, 0, false);
	expect_victims((const u16[]){ 1, 3 }, 2);
}

static void dirty_ways_are_never_victims_and_keep_their_order(void **state)
{
	lru->hit(b.core, st, 4, true);
	assert_int_equal(lru->oldest_dirty(b.core, st), 4);
	expect_victims((const u16[]){ 0, 1, 2, 3 }, 4);
}

/* A block rewritten for ever still reaches the origin in bounded time. */
static void a_rewritten_block_keeps_its_age(void **state)
{
	lru->replace(b.core, st, 4, 9);
	assert_int_equal(lru->oldest_dirty(b.core, st), 9);
	lru->replace(b.core, st, 6, 10);
	lru->replace(b.core, st, 7, 11);
	lru->remove(b.core, st, 9, true);
	assert_int_equal(lru->oldest_dirty(b.core, st), 5);
	lru->remove(b.core, st, 5, true);
	assert_int_equal(lru->oldest_dirty(b.core, st), 10);
	lru->remove(b.core, st, 10, true);
	assert_int_equal(lru->oldest_dirty(b.core, st), 11);
	lru->remove(b.core, st, 11, true);
	assert_int_equal(lru->oldest_dirty(b.core, st), HS_NIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_least_recently_used_clean_way_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hit_makes_a_way_young, setup, teardown),
		cmocka_unit_test_setup_teardown(a_middle_way_can_leave, setup, teardown),
		cmocka_unit_test_setup_teardown(dirty_ways_are_never_victims_and_keep_their_order, setup, teardown),
		cmocka_unit_test_setup_teardown(a_rewritten_block_keeps_its_age, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
