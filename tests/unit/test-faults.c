// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The blocking API over disks that lie (the simulator's: its fault model stands in sim/disk.c): which errors reach
 * the caller, and that nothing else does. Power cuts with many threads: test-model.c.
 *
 * INVARIANTS: 1, 2, 21.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/abandon.h"
#include "engine/dev.h"
#include "tests/lib/fixture.h"
#include "tests/lib/model.h"
#include "tests/lib/simdev.h"

#define BLOCK		4096u
#define SECTORS		(BLOCK / SECTOR)
#define ORIGIN_BLOCKS	256u	/* there is a slot for each */
#define FIRST		1u	/* stamp of what the origin holds at first */

struct state {
	struct fixture f;
	struct simdev disk[2];		/* by enum hs_io_dev */
	u8 uuid[HS_UUID_BYTES];
};

/* ---- set-up ---------------------------------------------------------------------------------------- */

static void open_dev(struct state *s)
{
	fixture_open(&s->f, -1, 2);
	memcpy(s->uuid, hs_core_sb(s->f.dev->run.x.core)->uuid, HS_UUID_BYTES);
}

static int setup(void **state, enum hs_mode mode)
{
	struct hs_format_opts opts = { .size = fixture_cache_size(2 * ORIGIN_BLOCKS, BLOCK), .mode = mode };
	struct state *s = calloc(1, sizeof(*s));
	u64 seed = random_main_seed();

	assert_non_null(s);
	fixture_init(&s->f);
	setenv("HOTSET_STATEDIR", s->f.dir, 1);
	simdev_init(&s->disk[HS_ORIGIN], s->f.origin, (u64)ORIGIN_BLOCKS * BLOCK, seed);
	simdev_init(&s->disk[HS_CACHE], s->f.cache, opts.size, seed + 1);
	fixture_origin(&s->f, (u64)ORIGIN_BLOCKS * BLOCK, model_fill_first, NULL);
	fixture_format(&s->f, &opts);
	open_dev(s);
	*state = s;
	return 0;
}

static int setup_writeback(void **state)
{
	return setup(state, HS_MODE_WRITEBACK);
}

static int setup_writethrough(void **state)
{
	return setup(state, HS_MODE_WRITETHROUGH);
}

static int teardown(void **state)
{
	struct state *s = *state;

	if (s->f.dev)
		fixture_close(&s->f, HS_CLOSE_CRASH);
	hs_abandon_forget(s->uuid);
	fixture_destroy(&s->f);
	simdev_destroy(&s->disk[HS_ORIGIN]);
	simdev_destroy(&s->disk[HS_CACHE]);
	free(s);
	return 0;
}

static void calm(struct state *s)
{
	hs_workers_calm(&s->f.dev->run.workers);
}

/* The process is killed, and both disks lose all that was not flushed. */
static void cut_all(struct state *s)
{
	static const struct sim_cut nothing = { .keep = SIM_KEEP_NONE };

	fixture_close(&s->f, HS_CLOSE_CRASH);
	simdev_cut(&s->disk[HS_CACHE], &nothing);
	simdev_cut(&s->disk[HS_ORIGIN], &nothing);
	simdev_heal(&s->disk[HS_CACHE]);
	simdev_heal(&s->disk[HS_ORIGIN]);
}

/* ---- requests -------------------------------------------------------------------------------------- */

static int write_blocks(struct state *s, u64 block, u32 n, u32 stamp, u32 flags)
{
	u8 *buf = malloc((size_t)n * BLOCK);
	u32 i;
	int ret;

	for (i = 0; i < n * SECTORS; i++)
		model_fill(block * SECTORS + i, stamp, buf + (size_t)i * SECTOR);
	ret = hs_dev_pwrite(s->f.dev, buf, (size_t)n * BLOCK, block * BLOCK, flags);
	free(buf);
	return ret;
}

static bool sector_is(const u8 *data, u64 sector, u32 stamp)
{
	u8 want[SECTOR];

	model_fill(sector, stamp, want);
	return !memcmp(data, want, SECTOR);
}

static int read_blocks(struct state *s, u64 block, u32 n)
{
	u8 *buf = malloc((size_t)n * BLOCK);
	int ret = hs_dev_pread(s->f.dev, buf, (size_t)n * BLOCK, block * BLOCK, 0);

	free(buf);
	return ret;
}

/* Every sector of the blocks is of one of the two stamps. */
static void expect_either(struct state *s, u64 block, u32 n, u32 stamp, u32 other)
{
	u8 *buf = malloc((size_t)n * BLOCK);
	u32 i;

	assert_int_equal(hs_dev_pread(s->f.dev, buf, (size_t)n * BLOCK, block * BLOCK, 0), 0);
	for (i = 0; i < n * SECTORS; i++) {
		u64 sector = block * SECTORS + i;

		if (!sector_is(buf + i * SECTOR, sector, stamp) && !sector_is(buf + i * SECTOR, sector, other))
			fail_msg("sector %llu is of neither stamp %u nor %u", (unsigned long long)sector, stamp, other);
	}
	free(buf);
}

static void expect(struct state *s, u64 block, u32 n, u32 stamp)
{
	expect_either(s, block, n, stamp, stamp);
}

static void expect_on_origin(struct state *s, u64 block, u32 n, u32 stamp)
{
	u8 data[SECTOR];
	u64 i;

	for (i = block * SECTORS; i < (block + n) * SECTORS; i++) {
		simdev_peek(&s->disk[HS_ORIGIN], data, SECTOR, i * SECTOR);
		assert_true(sector_is(data, i, stamp));
	}
}

/* Where the block is in the cache: the first sector of its slot. */
static u64 slot_sector(struct state *s, u64 block)
{
	const struct hs_core *core = s->f.dev->run.x.core;
	struct hs_slot_view view;
	u32 slot;

	calm(s);
	for (slot = 0; slot < hs_core_geometry(core)->nr_slots; slot++) {
		hs_slot_look(core, slot, &view);
		if (view.named && view.block == block)
			return hs_slot_sector(core, slot);
	}
	fail_msg("block %llu is not cached", (unsigned long long)block);
	return 0;
}

static void fail_blocks(struct state *s, enum hs_io_dev dev, u32 ops, u64 block, u32 n)
{
	u64 first = dev == HS_CACHE ? slot_sector(s, block) : block * SECTORS;

	simdev_fail(&s->disk[dev], ops, first, first + n * SECTORS, ~0u);
}

static struct hs_stats stats_of(struct state *s)
{
	struct hs_stats stats;

	hs_dev_stats(s->f.dev, &stats);
	return stats;
}

/* ---- errors of the origin -------------------------------------------------------------------------- */

static void test_origin_read_errors(void **state)
{
	struct state *s = *state;

	expect(s, 0, 1, FIRST);
	calm(s);
	fail_blocks(s, HS_ORIGIN, SIM_IO(READ), 0, 2);
	expect(s, 0, 1, FIRST);		/* cached */
	assert_int_equal(read_blocks(s, 1, 1), -EIO);
	assert_int_equal(read_blocks(s, 0, 8), -EIO);
	expect(s, 2, 6, FIRST);
	assert_true(stats_of(s).origin_errors > 0);
	simdev_heal(&s->disk[HS_ORIGIN]);
	expect(s, 0, 8, FIRST);
}

static void test_origin_write_errors_writethrough(void **state)
{
	struct state *s = *state;

	fail_blocks(s, HS_ORIGIN, SIM_IO(WRITE), 1, 1);
	assert_int_equal(write_blocks(s, 0, 1, 2, 0), 0);
	assert_int_equal(write_blocks(s, 1, 1, 3, 0), -EIO);
	assert_int_equal(write_blocks(s, 2, 1, 4, 0), 0);
	expect(s, 0, 1, 2);
	expect_either(s, 1, 1, FIRST, 3);
	expect(s, 2, 1, 4);
	simdev_heal(&s->disk[HS_ORIGIN]);
	assert_int_equal(write_blocks(s, 1, 1, 5, 0), 0);
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
	cut_all(s);
	open_dev(s);
	expect(s, 0, 1, 2);
	expect(s, 1, 1, 5);
	expect(s, 2, 1, 4);
}

static void test_origin_write_errors_writeback(void **state)
{
	struct state *s = *state;
	struct hs_error err = { "" };

	assert_int_equal(hs_dev_set(s->f.dev, "writeback", "off", NULL, NULL, NULL), 0);
	assert_int_equal(write_blocks(s, 0, 4, 2, 0), 0);
	fail_blocks(s, HS_ORIGIN, SIM_IO(WRITE), 1, 1);
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
	assert_int_equal(hs_dev_clean(s->f.dev, NULL, NULL, &err), -EIO);
	assert_true(stats_of(s).write_back_errors > 0);
	expect(s, 0, 4, 2);
	simdev_heal(&s->disk[HS_ORIGIN]);
	assert_int_equal(hs_dev_clean(s->f.dev, NULL, NULL, &err), 0);
	assert_int_equal(stats_of(s).dirty, 0);
	expect_on_origin(s, 0, 4, 2);
}

static void test_origin_gone_and_back(void **state)
{
	struct state *s = *state;

	expect(s, 0, 1, FIRST);
	calm(s);
	simdev_gone(&s->disk[HS_ORIGIN]);
	expect(s, 0, 1, FIRST);
	assert_int_equal(read_blocks(s, 9, 1), -EIO);
	assert_int_equal(write_blocks(s, 10, 1, 2, HS_FUA), 0);
	expect(s, 10, 1, 2);
	simdev_heal(&s->disk[HS_ORIGIN]);
	expect(s, 9, 1, FIRST);
	fixture_close(&s->f, HS_CLOSE_WRITEBACK);
	expect_on_origin(s, 10, 1, 2);
}

/* The news comes once; what was lost may read as before or after, until it is written again. */
static void test_origin_flush_fails(void **state)
{
	struct state *s = *state;
	int vanish;

	for (vanish = 0; vanish < 2; vanish++) {
		u32 stamp = 10 * (u32)(vanish + 1), before = vanish ? 11 : FIRST;

		s->disk[HS_ORIGIN].vanish = vanish;
		assert_int_equal(write_blocks(s, 0, 16, stamp, 0), 0);
		simdev_fail(&s->disk[HS_ORIGIN], SIM_IO(FLUSH), 0, 0, 1);
		assert_int_equal(hs_dev_flush(s->f.dev), -EIO);
		assert_int_equal(hs_dev_flush(s->f.dev), 0);
		expect_either(s, 0, 16, before, stamp);
		expect(s, 16, 16, FIRST);
		assert_int_equal(write_blocks(s, 0, 16, stamp + 1, 0), 0);
		assert_int_equal(hs_dev_flush(s->f.dev), 0);
		cut_all(s);
		open_dev(s);
		expect(s, 0, 16, stamp + 1);
	}
}

/* A write-back whose FLUSH fails is not taken for done. */
static void test_origin_flush_fails_under_writeback(void **state)
{
	struct state *s = *state;
	struct hs_error err = { "" };

	assert_int_equal(write_blocks(s, 0, 16, 2, 0), 0);
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
	s->disk[HS_ORIGIN].vanish = true;
	simdev_fail(&s->disk[HS_ORIGIN], SIM_IO(FLUSH), 0, 0, 2);
	hs_dev_clean(s->f.dev, NULL, NULL, &err);	/* may have tried again, and succeeded */
	expect(s, 0, 16, 2);
	cut_all(s);
	open_dev(s);
	expect(s, 0, 16, 2);
	fixture_close(&s->f, HS_CLOSE_WRITEBACK);
	expect_on_origin(s, 0, 16, 2);
}

/* ---- errors of the cache --------------------------------------------------------------------------- */

/* What is clean costs nobody an error; of what is dirty only those who ask for it hear. */
static void test_cache_read_errors(void **state)
{
	struct state *s = *state;

	expect(s, 0, 2, FIRST);
	assert_int_equal(write_blocks(s, 4, 2, 2, 0), 0);
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
	fail_blocks(s, HS_CACHE, SIM_IO(READ), 0, 1);
	fail_blocks(s, HS_CACHE, SIM_IO(READ), 4, 1);
	expect(s, 0, 2, FIRST);
	assert_int_equal(read_blocks(s, 4, 1), -EIO);
	expect(s, 5, 1, 2);
	assert_true(stats_of(s).cache_errors >= 2);
	simdev_heal(&s->disk[HS_CACHE]);
	expect(s, 4, 2, 2);
	cut_all(s);
	open_dev(s);
	expect(s, 0, 2, FIRST);
	expect(s, 4, 2, 2);
}

/* Slots that cannot be written: nobody hears of it, the origin takes what they do not. */
static void test_cache_write_errors(void **state)
{
	struct state *s = *state;
	u64 data = hs_core_geometry(s->f.dev->run.x.core)->data_offset / SECTOR;

	simdev_fail(&s->disk[HS_CACHE], SIM_IO(WRITE), data, s->disk[HS_CACHE].d.sectors, ~0u);
	expect(s, 0, 8, FIRST);
	assert_int_equal(write_blocks(s, 0, 8, 2, 0), 0);
	expect(s, 0, 8, 2);
	assert_true(stats_of(s).cache_errors > 0);
	assert_false(stats_of(s).failed);
	simdev_heal(&s->disk[HS_CACHE]);
	assert_int_equal(write_blocks(s, 0, 8, 3, 0), 0);
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
	cut_all(s);
	open_dev(s);
	expect(s, 0, 8, 3);
}

/*
 * FLUSH says that it failed until what was acknowledged is durable elsewhere. Whichever commit meets the failure first, a
 * tick's or the FLUSH's: it takes a tick after it to get that far.
 */
static void test_cache_flush_fails(void **state)
{
	struct state *s = *state;
	u64 begun = hs_now();
	int err;

	simdev_fail(&s->disk[HS_CACHE], SIM_IO(FLUSH), 0, 0, 1);
	assert_int_equal(write_blocks(s, 0, 16, 2, 0), 0);
	err = hs_dev_flush(s->f.dev);
	assert_true(err == -EIO || (!err && hs_now() - begun > 50000000));
	assert_true(stats_of(s).failed);
	expect(s, 0, 16, 2);
	while (hs_dev_flush(s->f.dev)) {
		assert_true(hs_now() - begun < 60000000000ull);
		usleep(10000);
	}
	expect_on_origin(s, 0, 16, 2);
	cut_all(s);
	open_dev(s);
	expect(s, 0, 16, 2);
}

/*
 * Nothing dirty: the origin serves. A write passes by the name that the durable map has for its block, once it is
 * recorded that this cache must not be used again.
 */
static void test_cache_gone(void **state)
{
	struct hs_open_opts opts = { .mode = -1 };
	struct state *s = *state;
	struct hs_error err = { "" };

	assert_int_equal(write_blocks(s, 0, 8, 2, HS_FUA), 0);
	assert_int_equal(hs_dev_clean(s->f.dev, NULL, NULL, &err), 0);
	calm(s);
	simdev_gone(&s->disk[HS_CACHE]);
	expect(s, 0, 8, 2);
	expect(s, 8, 8, FIRST);
	assert_int_equal(write_blocks(s, 0, 4, 3, 0), 0);
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
	assert_true(stats_of(s).failed);
	expect(s, 0, 4, 3);
	expect(s, 4, 4, 2);
	expect(s, 8, 8, FIRST);
	cut_all(s);
	expect_on_origin(s, 0, 4, 3);
	expect_on_origin(s, 4, 4, 2);
	assert_int_equal(fixture_try_open(&s->f, &opts, &err), -ESTALE);
	assert_non_null(strstr(err.msg, "hotset format --force"));
}

/* ---- damage ---------------------------------------------------------------------------------------- */

static void test_clean_data_rot(void **state)
{
	struct state *s = *state;

	expect(s, 0, 2, FIRST);
	simdev_rot(&s->disk[HS_CACHE], slot_sector(s, 0) + 3);
	expect(s, 0, 2, FIRST);
	assert_int_equal(stats_of(s).checksum_errors, 1);
	calm(s);
	expect(s, 0, 2, FIRST);
	assert_int_equal(stats_of(s).checksum_errors, 1);
}

static int lost_range(void *arg, uint64_t offset, uint64_t count)
{
	uint64_t *range = arg;

	assert_int_equal(range[1], 0);
	range[0] = offset;
	range[1] = count;
	return 0;
}

static void test_dirty_data_rot(void **state)
{
	struct state *s = *state;
	struct hs_error err = { "" };
	uint64_t range[2] = { 0 };

	assert_int_equal(write_blocks(s, 0, 4, 2, HS_FUA), 0);
	simdev_rot(&s->disk[HS_CACHE], slot_sector(s, 1) + 7);
	assert_int_equal(read_blocks(s, 1, 1), -EIO);
	assert_int_equal(read_blocks(s, 0, 4), -EIO);
	expect(s, 0, 1, 2);
	expect(s, 2, 2, 2);
	assert_int_equal(hs_dev_lost(s->f.dev, lost_range, range), 0);
	assert_int_equal(range[0], BLOCK);
	assert_int_equal(range[1], BLOCK);
	assert_int_equal(hs_dev_forget(s->f.dev, BLOCK, BLOCK, &err), 0);
	expect(s, 1, 1, FIRST);
	expect(s, 0, 1, 2);
}

/* One copy of each metadata page may rot; both of the superblock's end it, and nothing is written then. */
static void test_metadata_rot(void **state)
{
	struct state *s = *state;
	struct hs_open_opts opts = { .mode = -1 };
	struct hs_error err = { "" };
	struct hs_geometry geo = *hs_core_geometry(s->f.dev->run.x.core);
	u32 i, writes;

	assert_int_equal(write_blocks(s, 0, 64, 2, 0), 0);
	fixture_close(&s->f, HS_CLOSE_CLEAN);
	for (i = 0; i < geo.table_units; i++)
		simdev_rot(&s->disk[HS_CACHE], (geo.table_offset[i % 2] + (u64)i * HS_PAGE) / SECTOR + i % 8);
	simdev_rot(&s->disk[HS_CACHE], HS_SB_OFFSET(0) / SECTOR);
	open_dev(s);
	expect(s, 0, 64, 2);
	expect(s, 64, 64, FIRST);
	fixture_close(&s->f, HS_CLOSE_CLEAN);
	simdev_rot(&s->disk[HS_CACHE], HS_SB_OFFSET(0) / SECTOR);
	simdev_rot(&s->disk[HS_CACHE], HS_SB_OFFSET(1) / SECTOR);
	writes = s->disk[HS_CACHE].d.writes;
	assert_int_equal(fixture_try_open(&s->f, &opts, &err), -EUCLEAN);
	assert_int_equal(s->disk[HS_CACHE].d.writes, writes);
}

/* ---- power cuts ------------------------------------------------------------------------------------ */

/* Of what was flushed nothing is missing, whatever the disks kept of the rest. */
static void test_power_cuts(void **state)
{
	struct state *s = *state;
	u32 stamp = 2, keep, i;

	for (i = 0; i < 4; i++)
		for (keep = 0; keep < SIM_KEEP_COUNT; keep++, stamp += 2) {
			struct sim_cut cut = { (enum sim_keep)keep, stamp, 50, 0 };

			assert_int_equal(write_blocks(s, 0, 32, stamp, 0), 0);
			assert_int_equal(write_blocks(s, 64, 8, stamp, HS_FUA), 0);
			assert_int_equal(hs_dev_flush(s->f.dev), 0);
			assert_int_equal(write_blocks(s, 0, 16, stamp + 1, 0), 0);
			fixture_close(&s->f, HS_CLOSE_CRASH);
			cut.before = s->disk[HS_CACHE].d.writes - 8;
			simdev_cut(&s->disk[HS_CACHE], &cut);
			cut.before = s->disk[HS_ORIGIN].d.writes - 8;
			simdev_cut(&s->disk[HS_ORIGIN], &cut);
			open_dev(s);
			expect_either(s, 0, 16, stamp, stamp + 1);
			expect(s, 16, 16, stamp);
			expect(s, 64, 8, stamp);
		}
	fixture_close(&s->f, HS_CLOSE_WRITEBACK);
	expect_on_origin(s, 16, 16, stamp - 2);
}

#define test(name, mode)	cmocka_unit_test_setup_teardown(name, setup_##mode, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_origin_read_errors, writeback),
		test(test_origin_write_errors_writethrough, writethrough),
		test(test_origin_write_errors_writeback, writeback),
		test(test_origin_gone_and_back, writeback),
		test(test_origin_flush_fails, writethrough),
		test(test_origin_flush_fails_under_writeback, writeback),
		test(test_cache_read_errors, writeback),
		test(test_cache_write_errors, writeback),
		test(test_cache_flush_fails, writeback),
		test(test_cache_gone, writeback),
		test(test_clean_data_rot, writeback),
		test(test_dirty_data_rot, writeback),
		test(test_metadata_rot, writeback),
		test(test_power_cuts, writeback),
		test(test_power_cuts, writethrough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
