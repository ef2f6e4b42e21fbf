// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/journal.c: the ring. */
#include "tests/lib/corebox.h"

static struct box b;

static int setup(void **state)
{
	box_start(&b, 4096, 4, HS_MODE_WRITEBACK);
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

static void each_commit(u64 n, u64 base)
{
	u64 i;

	for (i = 0; i < n; i++) {
		box_write(&b, (i % 40) * 8, 8, base + i, 0);
		assert_int_equal(box_flush(&b), 0);
	}
}

static void the_ring_wraps_many_times(void **state)
{
	u64 i;

	each_commit(1000, 1);
	assert_true(counters()->commits >= 1000);
	assert_true(counters()->checkpoints >= 1000 / 64);
	assert_true(hs_journal_used(b.core) < b.sb.geo.journal_pages);
	box_reopen(&b, 0);
	for (i = 0; i < 40; i++)
		box_expect(&b, i * 8, 8, 961 + i);
}

/* Each page of the ring as the end: the scan, the wrap and the replay meet all of them. */
static void it_can_be_cut_at_every_place(void **state)
{
	u64 i;

	for (i = 0; i < 200; i++) {
		box_write(&b, 0, 8, i + 1, 0);
		assert_int_equal(box_flush(&b), 0);
		if (i % 3 == 0)
			box_reopen(&b, (u32)(i % 101));
		box_expect(&b, 0, 8, i + 1);
	}
}

/* All I/O goes on but the checkpoint's. */
static void end_all_but_the_checkpoint(void)
{
	u32 at = 0;

	while (at < b.nr_io) {
		if (b.io[at].req == &b.core->meta.req) {
			at++;
			continue;
		}
		box_end(&b, at);
		at = 0;
	}
}

static void a_full_ring_holds_commits_until_the_checkpoint(void **state)
{
	struct box_req f, q;
	u64 i;

	b.core->meta.req.domain = 0;
	each_commit(30, 1);
	/* The table cannot be written for a while. */
	box_hold(&b, HS_CACHE, HS_IO_WRITE);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	for (i = 0; !b.core->journal.commit_space_wait; i++) {
		assert_true(i < 500);
		box_begin_write(&b, &q, i % 40 * 8, 8, 100 + i, 0);
		end_all_but_the_checkpoint();
		assert_true(q.done);
		box_drop(&q);
		box_tick(&b, 1000);
		end_all_but_the_checkpoint();
	}
	assert_true(b.core->journal.meta_running);
	assert_true(hs_journal_used(b.core) >= b.sb.geo.journal_pages - 2);
	box_begin(&b, &f, HS_OP_FLUSH, 0, 0, 0);
	box_run(&b);
	assert_false(f.done);
	/* Reads and cached writes go on. */
	box_expect(&b, 20 * 8, 1, box_value(box_slot_data(&b, (u32)box_slot(&b, 20)), 20 * 8));
	box_let(&b);
	box_run(&b);
	assert_true(f.done);
	assert_int_equal(f.r.error, 0);
	box_drop(&f);
}

static void transactions_of_several_pages_wrap_too(void **state)
{
	struct hs_geometry_wish w;
	u64 round, i;

	box_destroy(&b);
	box_geometry(&w, 16384, 32);
	box_init(&b, &w, HS_MODE_WRITEBACK);
	box_must_open(&b);
	for (round = 1; round < 12; round++) {
		for (i = 0; i < 300; i++)
			box_write(&b, i * 32, 32, round * 1000 + i, 0);
		assert_int_equal(box_flush(&b), 0);
		if (round % 2)
			box_reopen(&b, 30);
		for (i = 0; i < 300; i++)
			box_expect(&b, i * 32, 32, round * 1000 + i);
	}
	assert_true(counters()->journal_bytes >= counters()->commits * HS_PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_ring_wraps_many_times, setup, teardown),
		cmocka_unit_test_setup_teardown(it_can_be_cut_at_every_place, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_ring_holds_commits_until_the_checkpoint, setup, teardown),
		cmocka_unit_test_setup_teardown(transactions_of_several_pages_wrap_too, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
