// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/drop.c: what is clean is forgotten, what is dirty is not. */
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

static bool drop(u32 slot)
{
	struct hs_out out;
	bool ret;

	hs_out_init(&out);
	ret = hs_slot_drop(b.core, slot, &out);
	box_control(&b, &out);
	return ret;
}

static void a_clean_block_is_forgotten_durably(void **state)
{
	int slot;

	box_expect(&b, 0, 8, 0);
	slot = box_slot(&b, 0);
	box_ticks(&b, 5, 1000);
	assert_true(drop((u32)slot));
	assert_int_equal(box_slot(&b, 0), -1);
	box_check(&b);
	box_run(&b);
	box_ticks(&b, 2, 1000);
	assert_int_equal(hs_cur(hs_set_at(b.core, 0)->way[slot].state), HS_FREE);
	box_reopen(&b, 0);
	assert_int_equal(box_slot(&b, 0), -1);
	box_expect(&b, 0, 8, 0);
}

static void nothing_else_is_dropped(void **state)
{
	u32 slot, dirty;

	box_write(&b, 0, 8, 1, 0);
	dirty = (u32)box_slot(&b, 0);
	for (slot = 0; slot < hs_assoc(&b.sb.geo); slot++)
		assert_false(drop(slot));
	assert_int_equal(box_slot(&b, 0), dirty);
	box_expect(&b, 0, 8, 1);
	box_check(&b);
}

static void who_reads_it_keeps_it(void **state)
{
	struct box_req r;
	int slot;

	box_expect(&b, 0, 8, 0);
	slot = box_slot(&b, 0);
	box_hold(&b, HS_CACHE, HS_IO_READ);
	box_begin(&b, &r, HS_OP_READ, 0, 8, 0);
	assert_true(drop((u32)slot));
	box_ticks(&b, 5, 1000);
	assert_int_equal(hs_cur(hs_set_at(b.core, 0)->way[slot].state), HS_RETIRED);
	box_let(&b);
	box_run(&b);
	assert_true(r.done);
	assert_int_equal(r.r.error, 0);
	box_drop(&r);
	box_ticks(&b, 2, 1000);
	assert_int_equal(hs_cur(hs_set_at(b.core, 0)->way[slot].state), HS_FREE);
	box_check(&b);
}

static void a_second_request_in_the_bucket_is_seen(void **state)
{
	struct box_req first, second;

	box_hold(&b, HS_ORIGIN, HS_IO_READ);
	box_begin(&b, &first, HS_OP_READ, 0, 8, 0);
	assert_true(hs_req_alone(&first.r));
	box_begin(&b, &second, HS_OP_READ, 0, 8, 0);
	assert_false(hs_req_alone(&first.r));
	box_let(&b);
	box_run(&b);
	assert_true(first.done && second.done);
	box_drop(&first);
	box_drop(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_clean_block_is_forgotten_durably, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_else_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(who_reads_it_keeps_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_second_request_in_the_bucket_is_seen, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
