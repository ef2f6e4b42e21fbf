// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/open.c: every branch of recovery. */
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

static void flushed(u64 block, u64 value)
{
	box_write(&b, block * 8, 8, value, 0);
	assert_int_equal(box_flush(&b), 0);
}

static u64 data_at(u64 block)
{
	return (u64)(box_slot_data(&b, (u32)box_slot(&b, block)) - b.dev[HS_CACHE].now);
}

/* Where the transaction with that number begins. */
static u64 tx_at(u64 seq)
{
	u64 page;

	for (page = 0; page < b.sb.geo.journal_pages; page++) {
		u64 at = HS_JOURNAL_OFFSET + page * HS_PAGE;
		struct hs_tx_info tx;

		if (!hs_tx_peek(b.dev[HS_CACHE].now + at, &b.sb, &tx) && tx.seq == seq)
			return at;
	}
	fail_msg("no transaction %llu", (unsigned long long)seq);
	return 0;
}

static const struct hs_open_report *report(void)
{
	return hs_core_report(b.core);
}

static void transactions_are_replayed(void **state)
{
	flushed(0, 1);
	flushed(1, 2);
	flushed(0, 3);
	box_reopen(&b, 0);
	assert_int_equal(report()->transactions, 3);
	assert_false(report()->torn_tail || report()->dropped_last);
	box_expect(&b, 0, 8, 3);
	box_expect(&b, 8, 8, 2);
}

/* The last one may lack its data: it is dropped whole, and the map before it holds. */
static void the_last_unproven_transaction_is_dropped_if_its_data_are_bad(void **state)
{
	u64 at;

	flushed(0, 1);
	flushed(0, 2);
	at = data_at(0);
	box_cut(&b, 0);		/* its confirm record too */
	box_rot(&b, HS_CACHE, at);
	box_must_open(&b);
	assert_true(report()->dropped_last);
	box_expect(&b, 0, 8, 1);
}

/* A read error proves nothing: it may have been acknowledged, as here. */
static void the_last_transaction_stays_if_its_data_cannot_be_read(void **state)
{
	u64 at;

	flushed(0, 1);
	flushed(0, 2);
	at = data_at(0) >> HS_SECTOR_SHIFT;
	box_cut(&b, 0);
	box_fault(&b, HS_CACHE, HS_IO_READ, at, 8, 1);
	box_must_open(&b);
	assert_false(report()->dropped_last);
	box_expect(&b, 0, 8, 2);
}

/* ... nor does it hide that other data of the transaction are bad. */
static void bad_data_beside_unreadable_ones_drop_the_last_transaction(void **state)
{
	u64 unread, bad;

	flushed(0, 1);
	flushed(1, 1);
	box_write(&b, 0, 8, 2, 0);
	flushed(1, 2);
	unread = data_at(0) >> HS_SECTOR_SHIFT;
	bad = data_at(1);
	box_cut(&b, 0);
	box_rot(&b, HS_CACHE, bad);
	box_fault(&b, HS_CACHE, HS_IO_READ, unread, 8, 1);
	box_must_open(&b);
	assert_true(report()->dropped_last);
	box_expect(&b, 0, 8, 1);
	box_expect(&b, 8, 8, 1);
}

/* Never flushed and unreadable at first: the checksum shows it later, and costs that block alone. */
static void unreadable_data_that_were_lost_cost_their_block_alone(void **state)
{
	u64 at;

	flushed(0, 1);
	box_write(&b, 0, 8, 2, 0);
	flushed(1, 2);
	at = data_at(0);
	box_cut(&b, 0);
	box_rot(&b, HS_CACHE, at);
	box_fault(&b, HS_CACHE, HS_IO_READ, at >> HS_SECTOR_SHIFT, 8, 1);
	box_must_open(&b);
	assert_false(report()->dropped_last);
	assert_int_equal(box_read_error(&b, 0, 8), -EIO);
	box_expect(&b, 8, 8, 2);
}

/* INVARIANTS 36. */
static void a_confirmed_transaction_is_never_dropped(void **state)
{
	u64 at;

	flushed(0, 1);
	flushed(0, 2);
	at = data_at(0);
	box_cut(&b, 100);
	box_rot(&b, HS_CACHE, at);
	box_must_open(&b);
	assert_false(report()->dropped_last);
	assert_int_equal(box_read_error(&b, 0, 8), -EIO);
}

/* INVARIANTS 36. */
static void a_superseded_transaction_is_never_dropped(void **state)
{
	u64 at;

	flushed(0, 1);
	at = data_at(0);
	flushed(1, 2);
	box_cut(&b, 0);
	box_rot(&b, HS_CACHE, at);
	box_must_open(&b);
	assert_false(report()->dropped_last);
	assert_int_equal(box_read_error(&b, 0, 8), -EIO);
	box_expect(&b, 8, 8, 2);
}

static void a_torn_tail_is_passed_over(void **state)
{
	u64 at;

	flushed(0, 1);
	flushed(1, 2);
	at = tx_at(2);
	box_cut(&b, 0);
	box_rot(&b, HS_CACHE, at + 70);
	box_must_open(&b);
	assert_true(report()->torn_tail);
	box_expect(&b, 0, 8, 1);
	box_expect(&b, 8, 8, 0);
}

/* INVARIANTS 34. */
static void a_dropped_tail_never_comes_back(void **state)
{
	u8 saved[HS_PAGE];
	u64 at;

	flushed(0, 1);
	flushed(0, 2);
	at = tx_at(2);
	memcpy(saved, b.dev[HS_CACHE].now + at, HS_PAGE);
	box_cut(&b, 0);
	box_rot(&b, HS_CACHE, at + 70);
	box_must_open(&b);
	box_expect(&b, 0, 8, 1);
	/* The page heals, or was only late: it is of an earlier incarnation now. */
	box_cut(&b, 0);
	memcpy(b.dev[HS_CACHE].durable + at, saved, HS_PAGE);
	memcpy(b.dev[HS_CACHE].now + at, saved, HS_PAGE);
	box_must_open(&b);
	box_expect(&b, 0, 8, 1);
	flushed(0, 3);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 3);
}

static void a_gap_in_the_journal_is_refused(void **state)
{
	u64 at;
	u32 i;

	flushed(0, 1);
	flushed(1, 2);
	flushed(2, 3);
	at = tx_at(2);
	box_cut(&b, 0);
	box_rot(&b, HS_CACHE, at + 70);
	/* Without the confirm records only the third one tells of the second. */
	for (i = 0; i < 2; i++)
		box_rot(&b, HS_CACHE, HS_CONFIRM_OFFSET(i) + 33);
	assert_int_equal(box_open(&b, -1), -EUCLEAN);
	assert_non_null(hs_core_open_why(b.core));
	box_close(&b);
	box_rot(&b, HS_CACHE, at + 70);
	box_must_open(&b);
}

static void a_missing_confirmed_transaction_is_refused(void **state)
{
	u64 at;

	flushed(0, 1);
	flushed(1, 2);
	at = tx_at(2);
	box_cut(&b, 100);
	box_rot(&b, HS_CACHE, at);
	assert_int_equal(box_open(&b, -1), -EUCLEAN);
	box_close(&b);
	box_rot(&b, HS_CACHE, at);
	box_must_open(&b);
}

static void a_bad_table_unit_is_taken_from_its_mirror_and_mended(void **state)
{
	u32 copy;

	flushed(0, 1);
	assert_int_equal(box_stop(&b), 0);
	for (copy = 0; copy < 2; copy++) {
		box_rot(&b, HS_CACHE, b.sb.geo.table_offset[copy] + 60);
		box_must_open(&b);
		assert_int_equal(report()->unit_copies_bad, 1);
		box_expect(&b, 0, 8, copy + 1);
		flushed(0, copy + 2);
		b.core->journal.want_checkpoint = true;
		assert_int_equal(box_op(&b, HS_OP_DISCARD, 80, 8, 0), 0);
		{
			struct hs_out out;

			hs_out_init(&out);
			hs_meta_want(b.core, &out);
			box_control(&b, &out);
			box_run(&b);
		}
		box_reopen(&b, 0);
		assert_int_equal(report()->unit_copies_bad, 0);
		assert_int_equal(box_stop(&b), 0);
	}
	box_must_open(&b);
}

static void two_bad_copies_of_a_unit_are_refused(void **state)
{
	flushed(0, 1);
	box_cut(&b, 0);
	box_rot(&b, HS_CACHE, b.sb.geo.table_offset[0] + 60);
	box_rot(&b, HS_CACHE, b.sb.geo.table_offset[1] + 60);
	assert_int_equal(box_open(&b, -1), -EUCLEAN);
	box_close(&b);
	box_rot(&b, HS_CACHE, b.sb.geo.table_offset[0] + 60);
	box_must_open(&b);
	box_expect(&b, 0, 8, 1);
}

/* One that cannot be read may be good. */
static void a_unit_whose_copies_cannot_be_read_may_be_readable_later(void **state)
{
	u64 at[2] = { b.sb.geo.table_offset[0] >> HS_SECTOR_SHIFT, b.sb.geo.table_offset[1] >> HS_SECTOR_SHIFT };
	u32 bad;

	flushed(0, 1);
	for (bad = 0; bad < 2; bad++) {
		box_cut(&b, 0);
		box_fault(&b, HS_CACHE, HS_IO_READ, at[0], 8, -1);
		if (bad)
			box_rot(&b, HS_CACHE, b.sb.geo.table_offset[1] + 60);
		else
			box_fault(&b, HS_CACHE, HS_IO_READ, at[1], 8, -1);
		assert_int_equal(box_open(&b, -1), -EIO);
		assert_non_null(hs_core_open_why(b.core));
		box_close(&b);
		box_no_faults(&b);
		box_must_open(&b);
		box_expect(&b, 0, 8, 1);
	}
}

/* Units are read many at a time, but each that can be read counts. */
static void a_unit_that_cannot_be_read_costs_no_other_its_copy(void **state)
{
	const struct hs_geometry *geo;

	box_destroy(&b);
	box_start(&b, 4096, 64, HS_MODE_WRITEBACK);
	geo = &b.sb.geo;
	assert_true(geo->table_units > 2);
	flushed(0, 1);
	assert_int_equal(box_stop(&b), 0);
	box_fault(&b, HS_CACHE, HS_IO_READ, geo->table_offset[0] >> HS_SECTOR_SHIFT, 8, -1);
	box_fault(&b, HS_CACHE, HS_IO_READ, (geo->table_offset[1] + HS_PAGE) >> HS_SECTOR_SHIFT, 8, -1);
	box_must_open(&b);
	assert_int_equal(report()->unit_copies_bad, 2);
	box_expect(&b, 0, 8, 1);
	box_no_faults(&b);
}

/* An older mirror must not outlive the journal that makes up for it. */
static void a_stale_mirror_is_never_believed_later(void **state)
{
	struct hs_out out;
	u32 i;

	for (i = 0; i < 3; i++)
		flushed(i, i + 1);
	/* The cut comes between copy A and copy B. */
	hs_out_init(&out);
	b.core->journal.want_checkpoint = true;
	hs_meta_want(b.core, &out);
	box_control(&b, &out);
	box_end_one(&b, HS_CACHE, HS_IO_WRITE);
	box_end_one(&b, HS_CACHE, HS_IO_FLUSH);
	box_reopen(&b, 0);
	box_ticks(&b, 3, 1000);
	hs_out_init(&out);
	b.core->journal.want_checkpoint = true;
	hs_meta_want(b.core, &out);
	box_control(&b, &out);
	box_run(&b);
	box_cut(&b, 0);
	box_rot(&b, HS_CACHE, b.sb.geo.table_offset[0] + 60);
	box_must_open(&b);
	for (i = 0; i < 3; i++)
		box_expect(&b, i * 8, 8, i + 1);
}

/* Either copy of the superblock serves alone, and none of what was flushed is missing. */
static void a_bad_superblock_copy_costs_nothing_or_is_refused(void **state)
{
	u32 copy, i;

	for (copy = 0; copy < 2; copy++) {
		int err;

		flushed(0, 10 + copy);
		for (i = 0; i < 3; i++)
			flushed(1, i + 1);
		box_cut(&b, 100);
		box_rot(&b, HS_CACHE, HS_SB_OFFSET(copy) + 100);
		err = box_open(&b, -1);
		assert_true(!err || err == -EUCLEAN);
		if (err) {
			box_close(&b);
			box_rot(&b, HS_CACHE, HS_SB_OFFSET(copy) + 100);
			box_must_open(&b);
		}
		box_expect(&b, 0, 8, 10 + copy);
		box_expect(&b, 8, 8, 3);
	}
}

static void both_superblocks_bad_is_damaged(void **state)
{
	box_cut(&b, 0);
	box_rot(&b, HS_CACHE, HS_SB_OFFSET(0) + 100);
	box_rot(&b, HS_CACHE, HS_SB_OFFSET(1) + 100);
	assert_int_equal(box_load(&b, -1), HS_E_DAMAGED);
	box_rot(&b, HS_CACHE, HS_SB_OFFSET(0) + 100);
	box_must_open(&b);
}

static void loading_writes_nothing(void **state)
{
	u64 writes;

	flushed(0, 1);
	box_cut(&b, 50);
	writes = b.count[HS_CACHE][HS_IO_WRITE] + b.count[HS_CACHE][HS_IO_FLUSH];
	assert_int_equal(box_load(&b, -1), 0);
	assert_int_equal(b.count[HS_CACHE][HS_IO_WRITE] + b.count[HS_CACHE][HS_IO_FLUSH], writes);
}

/* INVARIANTS 35: what recovery read is made durable before it is built upon. */
static void claiming_flushes_first_and_then_begins_an_incarnation(void **state)
{
	u64 incarnation = b.core->sb.incarnation;
	struct hs_sb sb;
	unsigned int bad;

	box_write(&b, 0, 8, 1, 0);
	box_hold(&b, HS_CACHE, HS_IO_FLUSH);
	box_tick(&b, 1000);
	box_run(&b);
	box_close(&b);		/* a kill: data and transaction are there, not durable */
	box_must_open(&b);
	assert_int_equal(hs_core_report(b.core)->transactions, 1);
	box_reopen(&b, 0);
	box_expect(&b, 0, 8, 1);
	assert_int_equal(b.core->sb.incarnation, incarnation + 2);
	assert_int_equal(hs_sb_pick(b.dev[HS_CACHE].durable, b.dev[HS_CACHE].durable + HS_SB_OFFSET(1),
				    &sb, &bad), 0);
	assert_int_equal(sb.incarnation, incarnation + 2);
	assert_int_equal(sb.inc_seq, sb.end.seq);
}

static void a_claim_that_fails_is_an_error(void **state)
{
	box_cut(&b, 0);
	box_fault(&b, HS_CACHE, HS_IO_FLUSH, 0, 0, 1);
	assert_int_equal(box_open(&b, -1), -EIO);
	box_close(&b);
	box_fault(&b, HS_CACHE, HS_IO_WRITE, 0, 0, 1);
	assert_int_equal(box_open(&b, -1), -EIO);
	box_close(&b);
	box_must_open(&b);
}

static void unreadable_metadata_is_an_io_error(void **state)
{
	flushed(0, 1);
	box_cut(&b, 0);
	box_fault(&b, HS_CACHE, HS_IO_READ, HS_JOURNAL_OFFSET >> 9, 8, 1);
	assert_int_equal(box_open(&b, -1), -EIO);
	box_close(&b);
	box_must_open(&b);
	box_expect(&b, 0, 8, 1);
}

/* INVARIANTS 13, 14. */
static void clean_and_dirty_names_come_back_as_they_were(void **state)
{
	struct hs_counters n;

	box_expect(&b, 0, 8, 0);
	box_expect(&b, 8, 8, 0);
	flushed(2, 3);
	box_ticks(&b, 3, 1000);
	box_reopen(&b, 0);
	box_counters(&b, &n);
	assert_int_equal(n.used, 3);
	assert_int_equal(n.dirty, 1);
	assert_int_equal(hs_cur(box_state(&b, 0)), HS_CLEAN);
	assert_int_equal(hs_cur(box_state(&b, 2)), HS_DIRTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(transactions_are_replayed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_unproven_transaction_is_dropped_if_its_data_are_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_transaction_stays_if_its_data_cannot_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_data_beside_unreadable_ones_drop_the_last_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(unreadable_data_that_were_lost_cost_their_block_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_confirmed_transaction_is_never_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_superseded_transaction_is_never_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_torn_tail_is_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dropped_tail_never_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_gap_in_the_journal_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_confirmed_transaction_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_table_unit_is_taken_from_its_mirror_and_mended, setup, teardown),
		cmocka_unit_test_setup_teardown(two_bad_copies_of_a_unit_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unit_that_cannot_be_read_costs_no_other_its_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unit_whose_copies_cannot_be_read_may_be_readable_later, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stale_mirror_is_never_believed_later, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_superblock_copy_costs_nothing_or_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(both_superblocks_bad_is_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(loading_writes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(claiming_flushes_first_and_then_begins_an_incarnation, setup, teardown),
		cmocka_unit_test_setup_teardown(a_claim_that_fails_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(unreadable_metadata_is_an_io_error, setup, teardown),
		cmocka_unit_test_setup_teardown(clean_and_dirty_names_come_back_as_they_were, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
