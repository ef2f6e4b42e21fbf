// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/request.c, and with it core/io.c and core/wait.c. */
#include "tests/lib/corebox.h"

static struct box b;

static int setup(void **state)
{
	box_start(&b, 16384, 2, HS_MODE_WRITEBACK);
	return 0;
}

static int teardown(void **state)
{
	box_destroy(&b);
	return 0;
}

static void limits_end_at_blocks_and_groups(void **state)
{
	assert_int_equal(hs_block_limit(b.core, 0, 100), 32);
	assert_int_equal(hs_block_limit(b.core, 31, 100), 1);
	assert_int_equal(hs_block_limit(b.core, 33, 4), 4);
	/* Groups of four blocks. */
	assert_int_equal(hs_range_limit(b.core, 0, 1000), 128);
	assert_int_equal(hs_range_limit(b.core, 130, 1000), 126);
	assert_int_equal(hs_range_limit(b.core, 130, 5), 5);
}

static void span_of(u64 sector, u32 sectors, struct hs_span *span)
{
	struct hs_req r = { .op = HS_OP_READ, .sector = { sector }, .sectors = sectors };
	u32 csum[4];

	hs_req_init(b.core, &r, csum);
	hs_req_span(b.core, &r, span);
}

static void a_span_says_what_a_request_covers(void **state)
{
	struct hs_span s;

	span_of(32, 32, &s);
	assert_true(s.whole && s.exact && s.aligned);
	assert_int_equal(s.units, 4);
	span_of(32 + 8, 8, &s);
	assert_true(!s.whole && s.exact);
	assert_int_equal(s.unit, 1);
	assert_int_equal(s.units, 1);
	span_of(32 + 7, 2, &s);
	assert_true(!s.exact && !s.aligned);
	assert_int_equal(s.unit, 0);
	assert_int_equal(s.units, 2);
}

/* INVARIANTS 22: FLUSH has no address, 25: numbers in 64 bits. */
static void a_flush_belongs_to_the_journal(void **state)
{
	struct hs_req r = { .op = HS_OP_FLUSH, .sector = { ~0ull }, .sectors = ~0u };

	hs_req_init(b.core, &r, NULL);
	assert_int_equal(r.domain, hs_journal_domain(b.core));
}

static void the_first_error_counts(void **state)
{
	struct hs_req r = { 0 };

	r.io = r.ios;
	hs_io_next(&r);
	hs_io_next(&r);
	assert_int_equal(hs_io_error(&r), 0);
	r.ios[1].error = -ENOSPC;
	assert_int_equal(hs_io_error(&r), -ENOSPC);
	r.ios[0].error = -EIO;
	assert_int_equal(hs_io_error(&r), -EIO);
}

static void parked_requests_are_woken_together(void **state)
{
	struct hs_shard *sh = &b.core->shards[0];
	struct hs_req r[3];
	struct hs_out out;
	u32 i;

	hs_out_init(&out);
	for (i = 0; i < 3; i++)
		assert_int_equal(hs_wait(sh, &r[i]), HS_WAIT);
	assert_int_equal(sh->parked, 3);
	hs_wake_all(sh, &out);
	assert_int_equal(sh->parked, 0);
	assert_ptr_equal(out.run.next, &r[0].link);
	assert_ptr_equal(out.run.prev, &r[2].link);
}

/* What the kernel does when a bio is answered before its request has ended. */
static void a_request_moves_while_its_io_is_not_under_way(void **state)
{
	struct hs_req from = { .op = HS_OP_WRITE, .sector = { 32 }, .sectors = 32 }, to;
	struct hs_req next = { .op = HS_OP_WRITE, .sector = { 32 }, .sectors = 32 };
	u32 csum[3][4] = { { 0 } };
	struct hs_out out;

	hs_out_init(&out);
	hs_req_init(b.core, &from, csum[0]);
	hs_req_init(b.core, &next, csum[2]);
	assert_int_equal(hs_step(b.core, &from, &out), HS_IO);
	assert_int_equal(hs_step(b.core, &next, &out), HS_WAIT);
	csum[0][3] = 77;
	hs_req_move(&to, &from, csum[1], sizeof(csum[1]));
	memset(&from, 0xee, sizeof(from));
	assert_ptr_equal(to.io, to.ios);
	assert_ptr_equal(to.io[0].csum, csum[1]);
	assert_int_equal(csum[1][3], 77);
	to.io[0].error = 0;
	assert_int_equal(hs_step(b.core, &to, &out), HS_DONE);
	assert_ptr_equal(out.run.next, &next.link);
	hs_list_del(&next.link);
	assert_int_equal(hs_step(b.core, &next, &out), HS_IO);
	next.io[0].error = 0;
	assert_int_equal(hs_step(b.core, &next, &out), HS_DONE);
	box_check(&b);
}

static void a_sum_in_pieces_is_the_sum(void **state)
{
	static u8 data[HS_UNIT_BYTES];
	u32 crc = hs_unit_seed(b.core, 5);

	memset(data, 0x5a, sizeof(data));
	data[600] = 1;
	crc = hs_crc32c(crc, data, 601);
	crc = hs_crc32c(crc, data + 601, sizeof(data) - 601);
	assert_int_equal(~crc, hs_unit_crc(b.core, 5, data));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(limits_end_at_blocks_and_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(a_span_says_what_a_request_covers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flush_belongs_to_the_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_error_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(parked_requests_are_woken_together, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_moves_while_its_io_is_not_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sum_in_pieces_is_the_sum, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
