// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/hit.c */
#include "tests/lib/corebox.h"

static struct box b;

static int setup(void **state)
{
	box_start(&b, 4096, 2, HS_MODE_WRITEBACK);
	box_write(&b, 8, 8, 1, 0);
	assert_int_equal(box_flush(&b), 0);
	return 0;
}

static int teardown(void **state)
{
	box_destroy(&b);
	return 0;
}

/* Its memory is spoiled before: nothing of it need be set. */
static u64 begin(struct hs_req *r, u64 sector)
{
	memset(r, 0xa5, sizeof(*r));
	hs_hit_init(b.core, r, sector);
	return hs_hit_begin(b.core, r);
}

static u32 crc_at(u64 at, u64 unit)
{
	return hs_unit_crc(b.core, unit, b.dev[HS_CACHE].now + (at << HS_SECTOR_SHIFT));
}

/* As an ordinary request from there on. */
static void leave(struct hs_req *r, s32 error, u32 crc)
{
	hs_hit_leave(b.core, r);
	r->io[0].error = error;
	*r->io[0].csum = crc;
}

static u64 hits(void)
{
	struct hs_counters n;

	box_counters(&b, &n);
	return n.read_hits;
}

static void a_hit_is_read_and_ends(void **state)
{
	u64 before = hits(), at;
	struct hs_req r;

	at = begin(&r, 8);
	assert_int_equal(at, hs_slot_sector(b.core, (u32)box_slot(&b, 1)));
	assert_int_equal(box_value(b.dev[HS_CACHE].now + (at << HS_SECTOR_SHIFT), 8), 1);
	assert_true(hs_hit_end(b.core, &r, crc_at(at, 1)));
	assert_int_equal(hits(), before + 1);
	box_check(&b);
}

static void what_is_not_there_is_no_hit(void **state)
{
	struct hs_req r;

	assert_int_equal(begin(&r, 80), 0);
	box_write(&b, 80, 8, 5, 0);
	assert_true(begin(&r, 80));
	assert_true(hs_hit_end(b.core, &r, crc_at(hs_slot_sector(b.core, (u32)box_slot(&b, 10)), 10)));
}

static void where_others_are_at_work_it_is_none(void **state)
{
	struct box_req w;
	struct hs_req r;

	box_hold(&b, HS_CACHE, HS_IO_WRITE);
	box_begin_write(&b, &w, 8, 8, 2, 0);
	assert_int_equal(begin(&r, 8), 0);
	box_let(&b);
	box_run(&b);
	assert_true(w.done);
	box_drop(&w);
	assert_true(begin(&r, 8));
	assert_true(hs_hit_end(b.core, &r, crc_at(hs_slot_sector(b.core, (u32)box_slot(&b, 1)), 1)));
}

static void a_writer_waits_for_it(void **state)
{
	struct hs_out out;
	struct box_req w;
	struct hs_req r;
	u64 at = begin(&r, 8);

	assert_true(at);
	box_begin_write(&b, &w, 8, 8, 2, 0);
	box_run(&b);
	assert_false(w.done);
	assert_false(hs_hit_end(b.core, &r, crc_at(at, 1)));
	leave(&r, 0, crc_at(at, 1));
	hs_out_init(&out);
	assert_int_equal(hs_step(b.core, &r, &out), HS_DONE);
	assert_int_equal(r.error, 0);
	box_control(&b, &out);
	box_run(&b);
	assert_true(w.done);
	box_drop(&w);
	box_expect(&b, 8, 8, 2);
	box_check(&b);
}

/* Of the next one to read the block; runs it until it has ended. */
static void end_as_ordinary(struct hs_req *r, u64 at, s32 error, u32 crc)
{
	enum hs_step_result said;
	struct hs_out out;

	leave(r, error, crc);
	hs_out_init(&out);
	said = hs_step(b.core, r, &out);
	/* Only a second read into a private buffer counts. */
	assert_int_equal(said, HS_IO);
	assert_int_equal(r->nr_io, 1);
	assert_int_equal(r->io[0].buf, HS_BUF_BLOCK);
	assert_int_equal(r->io[0].sector, at);
	assert_true(r->flags & HS_REQ_COPYOUT);
	r->io[0].error = 0;
	*r->io[0].csum = crc_at(at, 1);
	assert_int_equal(hs_step(b.core, r, &out), HS_DONE);
	assert_int_equal(r->error, 0);
	box_control(&b, &out);
	box_check(&b);
}

static void data_that_do_not_match_are_read_again(void **state)
{
	struct hs_req r;
	u64 at = begin(&r, 8);

	assert_false(hs_hit_end(b.core, &r, crc_at(at, 1) ^ 1));
	end_as_ordinary(&r, at, 0, crc_at(at, 1) ^ 1);
}

static void so_are_those_that_gave_an_error(void **state)
{
	struct hs_req r;
	u64 at = begin(&r, 8), before = hits();

	end_as_ordinary(&r, at, -EIO, 0);
	assert_int_equal(hits(), before);
}

/* R1: as long as it is read the slot is not used again; and then it is. */
static void its_slot_stays_until_it_has_ended(void **state)
{
	struct hs_counters n = { 0 };
	struct hs_out out;
	struct hs_req r;
	u64 at = begin(&r, 8);
	u32 slot = (u32)box_slot(&b, 1);

	/* Clean by now: it may go. */
	hs_out_init(&out);
	box_ticks(&b, 4, 1000);
	hs_slot_retire(b.core, &b.core->shards[r.domain], r.set, (u16)(slot & (b.core->ways - 1)));
	box_control(&b, &out);
	box_ticks(&b, 4, 1000);
	box_counters(&b, &n);
	assert_int_equal(n.retired, 1);
	assert_false(hs_hit_end(b.core, &r, crc_at(at, 1)));
	leave(&r, 0, crc_at(at, 1));
	hs_out_init(&out);
	assert_int_equal(hs_step(b.core, &r, &out), HS_DONE);
	box_control(&b, &out);
	memset(&n, 0, sizeof(n));
	box_counters(&b, &n);
	assert_int_equal(n.retired, 0);
	box_check(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_hit_is_read_and_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_no_hit, setup, teardown),
		cmocka_unit_test_setup_teardown(where_others_are_at_work_it_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(a_writer_waits_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(data_that_do_not_match_are_read_again, setup, teardown),
		cmocka_unit_test_setup_teardown(so_are_those_that_gave_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(its_slot_stays_until_it_has_ended, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
