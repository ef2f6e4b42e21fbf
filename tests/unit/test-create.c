// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/create.c: nothing takes the device for a cache until it is one, nor for the one it was. */
#include <stdlib.h>

#include "tests/lib/corebox.h"

static struct box b;
static u8 buffer[HS_FORMAT_BUFFER];

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

/* Formats again, up to I/O number `stop`; what came since the last FLUSH is lost then. True: to the end. */
static bool format(u32 stop, u8 uuid)
{
	struct hs_format_job job;
	struct hs_sb sb = b.sb;
	u8 *now = b.dev[HS_CACHE].now, *durable = b.dev[HS_CACHE].durable;
	enum hs_step_result ret;
	u32 i, n = 0;

	memset(sb.uuid, uuid, sizeof(sb.uuid));
	hs_format_start(&job, &sb, buffer);
	while ((ret = hs_format_step(&job)) != HS_DONE)
		for (i = 0; ret == HS_IO && i < job.req.nr_io; i++) {
			struct hs_io *io = &job.req.io[i];

			io->error = 0;
			if (n++ == stop)
				return false;
			if (io->op == HS_IO_FLUSH)
				memcpy(durable, now, b.dev[HS_CACHE].bytes);
			else
				memcpy(now + (io->sector << 9), (u8 *)io->mem + io->buf_off,
				       (size_t)io->sectors << 9);
		}
	assert_int_equal(job.req.error, 0);
	return true;
}

static void a_new_cache_is_empty(void **state)
{
	struct hs_counters n;

	box_counters(&b, &n);
	assert_int_equal(n.free, b.sb.geo.nr_slots);
	assert_int_equal(n.used, 0);
	assert_int_equal(hs_core_report(b.core)->unit_copies_bad, 0);
	box_expect(&b, 0, 8, 0);
}

/* INVARIANTS 38. */
static void records_of_the_format_before_are_not_replayed(void **state)
{
	u64 i;

	for (i = 0; i < 10; i++) {
		box_write(&b, 0, 8, i + 1, 0);
		box_flush(&b);
	}
	box_cut(&b, 0);
	assert_true(format(~0u, 0x77));
	memcpy(b.dev[HS_CACHE].durable, b.dev[HS_CACHE].now, b.dev[HS_CACHE].bytes);
	box_must_open(&b);
	assert_int_equal(hs_core_report(b.core)->transactions, 0);
	assert_int_equal(box_slot(&b, 0), -1);
	box_expect(&b, 0, 8, 0);
}

static void a_format_that_is_cut_short_leaves_the_old_cache_or_none(void **state)
{
	u32 stop;
	bool whole = false;

	box_write(&b, 0, 8, 7, 0);
	box_flush(&b);
	box_cut(&b, 0);
	for (stop = 0; !whole; stop++) {
		u8 *saved = malloc(b.dev[HS_CACHE].bytes);
		int err;

		memcpy(saved, b.dev[HS_CACHE].durable, b.dev[HS_CACHE].bytes);
		whole = format(stop, 0x77);
		box_cut(&b, 0);
		err = box_load(&b, -1);
		if (!err && b.core->sb.uuid[0] == 0x77)
			assert_true(whole);
		else
			assert_true(!err || err == HS_E_FOREIGN);
		box_close(&b);
		memcpy(b.dev[HS_CACHE].durable, saved, b.dev[HS_CACHE].bytes);
		memcpy(b.dev[HS_CACHE].now, saved, b.dev[HS_CACHE].bytes);
		free(saved);
	}
	assert_in_range(stop, 8, 40);
	box_must_open(&b);
	box_expect(&b, 0, 8, 7);
}

static void an_io_error_ends_it(void **state)
{
	struct hs_format_job job;

	hs_format_start(&job, &b.sb, buffer);
	assert_int_equal(hs_format_step(&job), HS_IO);
	job.req.io[1].error = -ENOSPC;
	assert_int_equal(hs_format_step(&job), HS_DONE);
	assert_int_equal(job.req.error, -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_cache_is_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(records_of_the_format_before_are_not_replayed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_format_that_is_cut_short_leaves_the_old_cache_or_none, setup, teardown),
		cmocka_unit_test_setup_teardown(an_io_error_ends_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
