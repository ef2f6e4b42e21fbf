// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/queue.c: queues of sets. */
#include "tests/lib/corebox.h"

static struct box b;
static struct hs_shard *sh;

static int setup(void **state)
{
	b.shards = 0;
	box_start(&b, 4096, 4, HS_MODE_WRITEBACK);
	box_close(&b);
	b.shards = 1;
	box_must_open(&b);
	sh = &b.core->shards[0];
	return 0;
}

static int teardown(void **state)
{
	box_destroy(&b);
	return 0;
}

static void sets_come_out_in_the_order_they_went_in(void **state)
{
	assert_int_equal(hs_ready_pop(b.core, sh), HS_NOSET);
	hs_ready_push(b.core, sh, hs_set_at(b.core, 2), 2);
	hs_ready_push(b.core, sh, hs_set_at(b.core, 0), 0);
	hs_ready_push(b.core, sh, hs_set_at(b.core, 3), 3);
	assert_int_equal(sh->queue[HS_Q_READY].count, 3);
	assert_int_equal(hs_ready_pop(b.core, sh), 2);
	assert_int_equal(hs_ready_pop(b.core, sh), 0);
	hs_ready_push(b.core, sh, hs_set_at(b.core, 2), 2);
	assert_int_equal(hs_ready_pop(b.core, sh), 3);
	assert_int_equal(hs_ready_pop(b.core, sh), 2);
	assert_int_equal(hs_ready_pop(b.core, sh), HS_NOSET);
	assert_int_equal(sh->queue[HS_Q_READY].count, 0);
}

static void a_set_is_on_a_queue_once(void **state)
{
	hs_urgent_push(b.core, sh, hs_set_at(b.core, 1), 1);
	hs_urgent_push(b.core, sh, hs_set_at(b.core, 1), 1);
	assert_int_equal(sh->queue[HS_Q_URGENT].count, 1);
	assert_int_equal(hs_urgent_pop(b.core, sh), 1);
	assert_int_equal(hs_urgent_pop(b.core, sh), HS_NOSET);
}

static void the_queues_are_independent(void **state)
{
	hs_ready_push(b.core, sh, hs_set_at(b.core, 1), 1);
	hs_urgent_push(b.core, sh, hs_set_at(b.core, 1), 1);
	hs_held_push(b.core, sh, hs_set_at(b.core, 1), 1);
	assert_int_equal(hs_urgent_pop(b.core, sh), 1);
	assert_int_equal(sh->queue[HS_Q_READY].count, 1);
	assert_int_equal(sh->queue[HS_Q_HELD].count, 1);
}

static void release_makes_held_sets_ready_as_many_as_asked_for(void **state)
{
	hs_held_push(b.core, sh, hs_set_at(b.core, 0), 0);
	hs_held_push(b.core, sh, hs_set_at(b.core, 3), 3);
	hs_ready_push(b.core, sh, hs_set_at(b.core, 3), 3);
	assert_int_equal(hs_held_release(b.core, sh, 1), 1);
	assert_int_equal(sh->queue[HS_Q_HELD].count, 1);
	assert_int_equal(hs_held_release(b.core, sh, 64), 1);
	assert_int_equal(sh->queue[HS_Q_HELD].count, 0);
	assert_int_equal(sh->queue[HS_Q_READY].count, 2);
	assert_int_equal(hs_held_release(b.core, sh, 64), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sets_come_out_in_the_order_they_went_in, setup, teardown),
		cmocka_unit_test_setup_teardown(a_set_is_on_a_queue_once, setup, teardown),
		cmocka_unit_test_setup_teardown(the_queues_are_independent, setup, teardown),
		cmocka_unit_test_setup_teardown(release_makes_held_sets_ready_as_many_as_asked_for, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
