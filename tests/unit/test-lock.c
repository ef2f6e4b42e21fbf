// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/lock.c: first come, first served, block by block. */
#include "tests/lib/corebox.h"

static struct box b;
static struct hs_shard *sh;
static struct hs_req req[5];
static struct hs_out out;

static int setup(void **state)
{
	u32 i;

	box_start(&b, 4096, 2, HS_MODE_WRITEBACK);
	memset(req, 0, sizeof(req));
	for (i = 0; i < 5; i++) {
		req[i].src = HS_NIL;
		hs_list_init(&req[i].link);
	}
	sh = &b.core->shards[hs_set_shard(b.core, hs_block_set(&b.sb.geo, 0))];
	hs_out_init(&out);
	return 0;
}

static int teardown(void **state)
{
	box_destroy(&b);
	return 0;
}

static bool enter(u32 i, u64 first, u64 last, u8 mode)
{
	req[i].first = first;
	req[i].last = last;
	req[i].set = hs_block_set(&b.sb.geo, first);
	return hs_lock_enter(sh, b.core, &req[i], mode);
}

/* Who was woken, as a bit each. */
static u32 leave(u32 i)
{
	u32 woken = 0;

	hs_lock_leave(sh, b.core, &req[i], &out);
	while (!hs_list_empty(&out.run)) {
		struct hs_req *r = hs_list_entry(out.run.next, struct hs_req, link);

		assert_true(r->granted);
		hs_list_del(&r->link);
		woken |= 1u << (r - req);
	}
	return woken;
}

static void readers_go_side_by_side(void **state)
{
	assert_true(enter(0, 1, 1, HS_LOCK_SHARED));
	assert_true(enter(1, 1, 1, HS_LOCK_SHARED));
	assert_int_equal(leave(0), 0);
	assert_int_equal(leave(1), 0);
}

static void a_writer_waits_for_all_readers_before_it(void **state)
{
	enter(0, 1, 1, HS_LOCK_SHARED);
	enter(1, 1, 1, HS_LOCK_SHARED);
	assert_false(enter(2, 1, 1, HS_LOCK_EXCLUSIVE));
	assert_int_equal(leave(0), 0);
	assert_int_equal(leave(1), 1 << 2);
	leave(2);
}

static void a_reader_does_not_overtake_a_waiting_writer(void **state)
{
	enter(0, 1, 1, HS_LOCK_SHARED);
	assert_false(enter(1, 1, 1, HS_LOCK_EXCLUSIVE));
	assert_false(enter(2, 1, 1, HS_LOCK_SHARED));
	assert_false(enter(3, 1, 1, HS_LOCK_SHARED));
	assert_int_equal(leave(0), 1 << 1);
	assert_int_equal(leave(1), 1 << 2 | 1 << 3);
	leave(2);
	leave(3);
}

static void other_blocks_of_the_group_do_not_wait(void **state)
{
	assert_true(enter(0, 0, 0, HS_LOCK_EXCLUSIVE));
	assert_true(enter(1, 1, 1, HS_LOCK_EXCLUSIVE));
	leave(0);
	leave(1);
}

static void a_range_waits_for_each_of_its_blocks(void **state)
{
	enter(0, 0, 0, HS_LOCK_SHARED);
	enter(1, 2, 2, HS_LOCK_EXCLUSIVE);
	assert_false(enter(2, 0, 3, HS_LOCK_EXCLUSIVE));
	assert_false(enter(3, 3, 3, HS_LOCK_SHARED));
	assert_int_equal(leave(0), 0);
	assert_int_equal(leave(1), 1 << 2);
	assert_int_equal(leave(2), 1 << 3);
	leave(3);
}

/* INVARIANTS 19. */
static void a_slot_is_used_while_a_granted_request_reads_it(void **state)
{
	u32 set = hs_block_set(&b.sb.geo, 1);

	enter(0, 1, 1, HS_LOCK_SHARED);
	req[0].src = 4;
	assert_true(hs_lock_slot_used(sh, b.core, 1, set, 4));
	assert_false(hs_lock_slot_used(sh, b.core, 1, set, 5));
	assert_false(hs_lock_slot_used(sh, b.core, 1, set ^ 1, 4));
	leave(0);
	assert_false(hs_lock_slot_used(sh, b.core, 1, set, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(readers_go_side_by_side, setup, teardown),
		cmocka_unit_test_setup_teardown(a_writer_waits_for_all_readers_before_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reader_does_not_overtake_a_waiting_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(other_blocks_of_the_group_do_not_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(a_range_waits_for_each_of_its_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slot_is_used_while_a_granted_request_reads_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
