// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/queue.c: queues of sets, todo lists. */
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
	assert_int_equal(hs_held_pop(b.core, sh), HS_NOSET);
	hs_held_push(b.core, sh, hs_set_at(b.core, 2), 2);
	hs_held_push(b.core, sh, hs_set_at(b.core, 0), 0);
	hs_held_push(b.core, sh, hs_set_at(b.core, 3), 3);
	assert_int_equal(sh->queue[HS_Q_HELD].count, 3);
	assert_int_equal(hs_held_pop(b.core, sh), 2);
	assert_int_equal(hs_held_pop(b.core, sh), 0);
	hs_held_push(b.core, sh, hs_set_at(b.core, 2), 2);
	assert_int_equal(hs_held_pop(b.core, sh), 3);
	assert_int_equal(hs_held_pop(b.core, sh), 2);
	assert_int_equal(hs_held_pop(b.core, sh), HS_NOSET);
	assert_int_equal(sh->queue[HS_Q_HELD].count, 0);
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
	hs_urgent_push(b.core, sh, hs_set_at(b.core, 1), 1);
	hs_held_push(b.core, sh, hs_set_at(b.core, 1), 1);
	assert_int_equal(hs_urgent_pop(b.core, sh), 1);
	assert_int_equal(sh->queue[HS_Q_HELD].count, 1);
}

static struct hs_way *todo_push(u32 set, u16 way)
{
	struct hs_set *st = hs_set_at(b.core, set);

	hs_todo_push(b.core, sh, st, set, way);
	return &st->way[way];
}

static void slots_come_off_the_list_in_the_order_they_went_on(void **state)
{
	struct hs_way *first = todo_push(1, 5), *second = todo_push(0, 2);

	assert_true(hs_todo_any(sh));
	assert_true(first->state & HS_S_TODO);
	assert_int_equal(sh->todo.count, 2);
	assert_int_equal(hs_todo_first(&sh->todo), hs_slot_of(b.core, 1, 5).nr);
	hs_todo_pop(&sh->todo, first);
	assert_false(first->state & HS_S_TODO);
	assert_int_equal(hs_todo_first(&sh->todo), hs_slot_of(b.core, 0, 2).nr);
	hs_todo_pop(&sh->todo, second);
	assert_false(hs_todo_any(sh));
}

static void what_finds_no_room_is_spilled(void **state)
{
	u32 room = sh->todo.mask + 1, i, at_once;

	/* Twice round, so that the list has also passed its end. */
	for (at_once = room; at_once <= room + 1; at_once++) {
		for (i = 0; i < at_once; i++)
			todo_push(i >> b.sb.geo.assoc_shift, (u16)(i & (b.core->ways - 1)));
		assert_int_equal(sh->todo.count, room);
		assert_int_equal(sh->todo.spilled, at_once > room);
		for (i = 0; i < room; i++) {
			u32 slot = hs_todo_first(&sh->todo);

			assert_int_equal(slot, i);
			hs_todo_pop(&sh->todo, &hs_set_at(b.core, slot >> b.sb.geo.assoc_shift)->way[slot & (b.core->ways - 1)]);
		}
	}
	assert_false(hs_set_at(b.core, room >> b.sb.geo.assoc_shift)->way[room & (b.core->ways - 1)].state & HS_S_TODO);
	assert_true(hs_todo_any(sh));
	sh->todo.spilled = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sets_come_out_in_the_order_they_went_in, setup, teardown),
		cmocka_unit_test_setup_teardown(a_set_is_on_a_queue_once, setup, teardown),
		cmocka_unit_test_setup_teardown(the_queues_are_independent, setup, teardown),
		cmocka_unit_test_setup_teardown(slots_come_off_the_list_in_the_order_they_went_on, setup, teardown),
		cmocka_unit_test_setup_teardown(what_finds_no_room_is_spilled, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
