// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/format.c: what is written is read back, and nothing else is taken for it. */
#include "tests/lib/corebox.h"

static struct hs_sb sb;
static u8 page[2][HS_PAGE];

static int make_sb(void **state)
{
	struct hs_geometry_wish w;
	const char *why;

	memset(&sb, 0, sizeof(sb));
	box_geometry(&w, 8192, 2);
	assert_int_equal(hs_geometry_choose(&w, &sb.geo, &why), 0);
	sb.sb_seq = 7;
	sb.version = HS_VERSION;
	sb.compat = 5;
	sb.incompat = HS_INCOMPAT_CHECKSUMS;
	sb.state = HS_SB_CLEAN;
	memset(sb.uuid, 0x11, sizeof(sb.uuid));
	sb.mode = HS_MODE_WRITETHROUGH;
	sb.incarnation = 3;
	sb.inc_seq = 20;
	sb.tail = (struct hs_jpos){ 15, 4, 0xdeadbeef };
	sb.end = (struct hs_jpos){ 22, 9, 0xcafe };
	sb.fingerprint = 0x1122334455667788ull;
	hs_sb_encode(&sb, page[0]);
	return 0;
}

static void a_superblock_reads_back(void **state)
{
	struct hs_sb back;

	assert_int_equal(hs_sb_decode(page[0], &back), 0);
	assert_memory_equal(back.uuid, sb.uuid, 16);
	assert_int_equal(back.sb_seq, 7);
	assert_int_equal(back.compat, 5);
	assert_int_equal(back.state, HS_SB_CLEAN);
	assert_int_equal(back.mode, HS_MODE_WRITETHROUGH);
	assert_int_equal(back.incarnation, 3);
	assert_int_equal(back.inc_seq, 20);
	assert_int_equal(back.tail.seq, 15);
	assert_int_equal(back.tail.page, 4);
	assert_int_equal(back.tail.prev_crc, 0xdeadbeef);
	assert_int_equal(back.end.seq, 22);
	assert_int_equal(back.fingerprint, sb.fingerprint);
	/* INVARIANTS 10: the whole geometry follows from it. */
	assert_int_equal(back.geo.data_offset, sb.geo.data_offset);
	assert_int_equal(back.geo.nr_slots, sb.geo.nr_slots);
	assert_true(back.geo.checksums);
}

static void every_flipped_bit_of_a_superblock_shows(void **state)
{
	struct hs_sb back;
	u32 bit;

	for (bit = 0; bit < HS_PAGE * 8; bit++) {
		page[0][bit / 8] ^= 1u << bit % 8;
		assert_true(hs_sb_decode(page[0], &back) < 0);
		page[0][bit / 8] ^= 1u << bit % 8;
	}
	assert_int_equal(hs_sb_decode(page[0], &back), 0);
}

static void foreign_damaged_and_newer_are_told_apart(void **state)
{
	struct hs_sb back, other = sb;

	memset(page[1], 0, HS_PAGE);
	assert_int_equal(hs_sb_decode(page[1], &back), HS_E_FOREIGN);
	page[0][1000] ^= 1;
	assert_int_equal(hs_sb_decode(page[0], &back), HS_E_DAMAGED);
	other.version = HS_VERSION + 1;
	hs_sb_encode(&other, page[1]);
	assert_int_equal(hs_sb_decode(page[1], &back), HS_E_NEWER);
	other = sb;
	other.incompat |= 1u << 30;
	hs_sb_encode(&other, page[1]);
	assert_int_equal(hs_sb_decode(page[1], &back), HS_E_NEWER);
}

/* A CRC that matches does not make nonsense sense. */
static void nonsense_under_a_good_crc_is_refused(void **state)
{
	struct hs_sb back, other = sb;

	other.mode = HS_MODE_COUNT;
	hs_sb_encode(&other, page[1]);
	assert_int_equal(hs_sb_decode(page[1], &back), HS_E_DAMAGED);
	other = sb;
	other.geo.nsets = 1u << 30;
	hs_sb_encode(&other, page[1]);
	assert_int_equal(hs_sb_decode(page[1], &back), HS_E_DAMAGED);
	other = sb;
	other.tail.page = other.geo.journal_pages;
	hs_sb_encode(&other, page[1]);
	assert_int_equal(hs_sb_decode(page[1], &back), HS_E_DAMAGED);
	other = sb;
	other.end.seq = other.tail.seq - 1;
	hs_sb_encode(&other, page[1]);
	assert_int_equal(hs_sb_decode(page[1], &back), HS_E_DAMAGED);
}

/* INVARIANTS 9: two copies; the newer valid one counts. */
static void the_newer_valid_copy_is_picked(void **state)
{
	struct hs_sb back, other = sb;
	unsigned int bad;

	other.sb_seq = 8;
	hs_sb_encode(&other, page[1]);
	assert_int_equal(hs_sb_pick(page[0], page[1], &back, &bad), 0);
	assert_int_equal(back.sb_seq, 8);
	assert_int_equal(bad, 0);
	page[1][77] ^= 1;
	assert_int_equal(hs_sb_pick(page[0], page[1], &back, &bad), 0);
	assert_int_equal(back.sb_seq, 7);
	assert_int_equal(bad, 2);
	page[0][77] ^= 1;
	assert_int_equal(hs_sb_pick(page[0], page[1], &back, &bad), HS_E_DAMAGED);
	other.version++;
	hs_sb_encode(&other, page[1]);
	assert_int_equal(hs_sb_pick(page[0], page[1], &back, &bad), HS_E_NEWER);
	memset(page, 0, sizeof(page));
	assert_int_equal(hs_sb_pick(page[0], page[1], &back, &bad), HS_E_FOREIGN);
}

static void a_unit_is_good_only_at_its_place(void **state)
{
	struct hs_unit_info info = { .seq = 5, .newest = 6, .index = 3, .copy = 1 }, back;
	struct hs_sb other = sb;

	memset(page[1], 0, HS_PAGE);
	hs_unit_seal(page[1], &sb, &info);
	assert_int_equal(hs_unit_open(page[1], &sb, 3, 1, &back), 0);
	assert_int_equal(back.seq, 5);
	assert_int_equal(back.newest, 6);
	assert_int_equal(hs_unit_open(page[1], &sb, 2, 1, &back), HS_E_DAMAGED);
	assert_int_equal(hs_unit_open(page[1], &sb, 3, 0, &back), HS_E_DAMAGED);
	/* INVARIANTS 38. */
	other.uuid[0] ^= 1;
	assert_int_equal(hs_unit_open(page[1], &other, 3, 1, &back), HS_E_DAMAGED);
	page[1][4095] ^= 0x80;
	assert_int_equal(hs_unit_open(page[1], &sb, 3, 1, &back), HS_E_DAMAGED);
}

static u32 record_put(u8 *at, const struct hs_geometry *geo, const struct hs_record *rec, const u32 *crcs)
{
	u8 *end;

	if (rec->kind == HS_REC_STATE)
		return hs_record_put_state(at, rec->state, rec->slot);
	end = hs_record_put_name(at, rec->state, rec->slot, rec->prev, (u32)rec->block, (u8)(rec->block >> 32));
	return (u32)(hs_record_put_crcs(end, crcs, geo->units_per_block) - at);
}

static void records_read_back(void **state)
{
	struct hs_record rec = { .kind = HS_REC_NAME, .slot = 31, .state = HS_D_DIRTY, .prev = 3,
				 .block = sb.geo.nr_blocks - 1 }, back;
	u32 crcs[2] = { 0x01020304, 0xa0b0c0d0 }, n;
	u8 buf[64];

	n = record_put(buf, &sb.geo, &rec, crcs);
	assert_int_equal(n, HS_REC_NAME_BYTES + 8);
	assert_int_equal(hs_record_get(buf, n, &sb.geo, &back), n);
	assert_int_equal(back.block, rec.block);
	assert_int_equal(back.slot, 31);
	assert_int_equal(back.prev, 3);
	assert_int_equal(hs_record_prev(&sb.geo, &back), (31 & ~(hs_assoc(&sb.geo) - 1)) + 3);
	assert_int_equal(hs_get(back.crcs + 4, 4), crcs[1]);
	assert_int_equal(hs_record_get(buf, n - 1, &sb.geo, &back), 0);
	rec.kind = HS_REC_STATE;
	rec.state = HS_D_NONE;
	assert_int_equal(record_put(buf, &sb.geo, &rec, NULL), HS_REC_STATE_BYTES);
	assert_int_equal(hs_record_get(buf, 64, &sb.geo, &back), HS_REC_STATE_BYTES);
	assert_int_equal(back.prev, HS_REC_NO_PREV);
	assert_int_equal(hs_record_get(buf, HS_REC_STATE_BYTES - 1, &sb.geo, &back), 0);
}

static void malformed_records_are_refused(void **state)
{
	struct hs_record rec = { .kind = HS_REC_NAME, .slot = 32, .state = HS_D_DIRTY, .prev = HS_REC_NO_PREV }, back;
	u32 crcs[2] = { 0 };
	u8 buf[64];

	record_put(buf, &sb.geo, &rec, crcs);	/* no such slot */
	assert_int_equal(hs_record_get(buf, 64, &sb.geo, &back), 0);
	rec.slot = 0;
	rec.block = sb.geo.nr_blocks;
	record_put(buf, &sb.geo, &rec, crcs);
	assert_int_equal(hs_record_get(buf, 64, &sb.geo, &back), 0);
	rec.block = 0;
	rec.state = HS_D_COUNT;
	record_put(buf, &sb.geo, &rec, crcs);
	assert_int_equal(hs_record_get(buf, 64, &sb.geo, &back), 0);
	rec.state = HS_D_NONE;
	record_put(buf, &sb.geo, &rec, crcs);
	assert_int_equal(hs_record_get(buf, 64, &sb.geo, &back), 0);
	rec.state = HS_D_CLEAN;
	rec.prev = (u16)hs_assoc(&sb.geo);	/* no such way */
	record_put(buf, &sb.geo, &rec, crcs);
	assert_int_equal(hs_record_get(buf, 64, &sb.geo, &back), 0);
	rec.prev = 0;				/* itself */
	record_put(buf, &sb.geo, &rec, crcs);
	assert_int_equal(hs_record_get(buf, 64, &sb.geo, &back), 0);
	rec.prev = 1;
	record_put(buf, &sb.geo, &rec, crcs);
	assert_true(hs_record_get(buf, 64, &sb.geo, &back) > 0);
	buf[0] = 9;
	assert_int_equal(hs_record_get(buf, 64, &sb.geo, &back), 0);
}

static void a_transaction_is_valid_whole_or_not_at_all(void **state)
{
	struct hs_tx_info tx = { .incarnation = 3, .seq = 22, .prev_crc = 9, .bytes = 5000, .records = 1 };
	struct hs_tx_info back;
	struct hs_sb other = sb;
	u8 buf[2 * HS_PAGE];

	memset(buf, 0x77, sizeof(buf));
	hs_tx_seal(buf, &sb, &tx);
	assert_int_equal(hs_tx_peek(buf, &sb, &back), 0);
	assert_int_equal(back.seq, 22);
	assert_int_equal(back.incarnation, 3);
	assert_int_equal(back.prev_crc, 9);
	assert_int_equal(back.crc, tx.crc);
	assert_true(hs_tx_valid(buf, &back));
	buf[4999] ^= 1;
	assert_false(hs_tx_valid(buf, &back));
	other.uuid[15] ^= 1;
	assert_int_equal(hs_tx_peek(buf, &other, &back), HS_E_DAMAGED);
	/* Longer than a quarter of the ring: no such thing was ever written. */
	hs_put(buf + 44, sb.geo.journal_pages / 4 * HS_PAGE + 1, 4);
	assert_int_equal(hs_tx_peek(buf, &sb, &back), HS_E_DAMAGED);
}

/* INVARIANTS 34: a record of an earlier incarnation may name a transaction that was dropped since. */
static void a_confirm_record_counts_for_its_incarnation(void **state)
{
	struct hs_sb other = sb;

	hs_confirm_encode(page[1], &sb, 3, 25);
	assert_int_equal(hs_confirm_decode(page[1], &sb), 25);
	hs_confirm_encode(page[1], &sb, 2, 25);
	assert_int_equal(hs_confirm_decode(page[1], &sb), 0);
	hs_confirm_encode(page[1], &sb, 2, 19);
	assert_int_equal(hs_confirm_decode(page[1], &sb), 19);
	page[1][33] ^= 1;
	assert_int_equal(hs_confirm_decode(page[1], &sb), 0);
	hs_confirm_encode(page[1], &sb, 3, 25);
	other.uuid[3] ^= 1;
	assert_int_equal(hs_confirm_decode(page[1], &other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_superblock_reads_back, make_sb),
		cmocka_unit_test_setup(every_flipped_bit_of_a_superblock_shows, make_sb),
		cmocka_unit_test_setup(foreign_damaged_and_newer_are_told_apart, make_sb),
		cmocka_unit_test_setup(nonsense_under_a_good_crc_is_refused, make_sb),
		cmocka_unit_test_setup(the_newer_valid_copy_is_picked, make_sb),
		cmocka_unit_test_setup(a_unit_is_good_only_at_its_place, make_sb),
		cmocka_unit_test_setup(records_read_back, make_sb),
		cmocka_unit_test_setup(malformed_records_are_refused, make_sb),
		cmocka_unit_test_setup(a_transaction_is_valid_whole_or_not_at_all, make_sb),
		cmocka_unit_test_setup(a_confirm_record_counts_for_its_incarnation, make_sb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
