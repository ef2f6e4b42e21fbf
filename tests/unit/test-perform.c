// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* engine/perform.c, run.c, rw.c: which transfers a request costs, and whose errors are whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/dev.h"
#include "tests/lib/fixture.h"
#include "tests/lib/model.h"
#include "tests/lib/simdev.h"

#define BLOCK	4096u
#define SIZE	(8u << 20)

/* A target that counts and delays, over a simulated disk, which fails as told. */
struct counted {
	struct hs_target t;
	struct hs_target *under;
	_Atomic unsigned int reads, writes, flushes, discards, zeroes;
	unsigned int write_delay_us;
};

struct state {
	struct fixture f;
	struct simdev disk[2];	/* by enum hs_io_dev */
	struct counted dev[2];
};

static struct counted *of(struct hs_target *t)
{
	return (struct counted *)t;
}

static void count(_Atomic unsigned int *n)
{
	(*n)++;
}

static int counted_pread(struct hs_target *t, void *buf, size_t bytes, uint64_t offset)
{
	struct counted *c = of(t);

	count(&c->reads);
	return c->under->ops->pread(c->under, buf, bytes, offset);
}

static int counted_pwrite(struct hs_target *t, const void *buf, size_t bytes, uint64_t offset, bool fua)
{
	struct counted *c = of(t);

	count(&c->writes);
	if (c->write_delay_us)
		usleep(c->write_delay_us);
	return c->under->ops->pwrite(c->under, buf, bytes, offset, fua);
}

static int counted_flush(struct hs_target *t)
{
	struct counted *c = of(t);

	count(&c->flushes);
	return c->under->ops->flush(c->under);
}

static int counted_discard(struct hs_target *t, uint64_t bytes, uint64_t offset)
{
	count(&of(t)->discards);
	return of(t)->under->ops->discard(of(t)->under, bytes, offset);
}

static int counted_zero(struct hs_target *t, uint64_t bytes, uint64_t offset, bool fua)
{
	count(&of(t)->zeroes);
	return of(t)->under->ops->zero(of(t)->under, bytes, offset, fua);
}

static void counted_close(struct hs_target *t)
{
	hs_target_close(of(t)->under);
}

static const struct hs_target_ops counted_ops = {
	.pread = counted_pread,
	.pwrite = counted_pwrite,
	.flush = counted_flush,
	.discard = counted_discard,
	.zero = counted_zero,
	.close = counted_close,
};

static void forget_counts(struct state *s)
{
	int i;

	/* Orphans and commits of what came before. */
	hs_workers_calm(&s->f.dev->run.workers);
	for (i = 0; i < 2; i++) {
		struct counted *c = &s->dev[i];

		c->reads = c->writes = c->flushes = c->discards = c->zeroes = 0;
	}
}

static int open_counted(void **state, enum hs_mode mode)
{
	struct hs_format_opts opts = { .size = fixture_cache_size(4096, BLOCK), .mode = mode };
	struct state *s = calloc(1, sizeof(*s));
	int i;

	fixture_init(&s->f);
	simdev_init(&s->disk[HS_ORIGIN], s->f.origin, SIZE, 1);
	simdev_init(&s->disk[HS_CACHE], s->f.cache, opts.size, 2);
	fixture_origin(&s->f, SIZE, model_fill_first, NULL);
	fixture_format(&s->f, &opts);
	fixture_open(&s->f, -1, 2);
	hs_workers_stop_ticker(&s->f.dev->run.workers);
	hs_workers_calm(&s->f.dev->run.workers);
	for (i = 0; i < 2; i++) {
		struct hs_target **target = &s->f.dev->run.x.target[i];

		s->dev[i].t = **target;
		s->dev[i].t.ops = &counted_ops;
		s->dev[i].under = *target;
		*target = &s->dev[i].t;
	}
	*state = s;
	return 0;
}

static int open_writeback(void **state)
{
	return open_counted(state, HS_MODE_WRITEBACK);
}

static int open_writethrough(void **state)
{
	return open_counted(state, HS_MODE_WRITETHROUGH);
}

static int close_counted(void **state)
{
	struct state *s = *state;

	fixture_destroy(&s->f);
	simdev_destroy(&s->disk[HS_ORIGIN]);
	simdev_destroy(&s->disk[HS_CACHE]);
	free(s);
	return 0;
}

static void read_ok(struct state *s, size_t bytes, uint64_t offset)
{
	uint8_t *buf = malloc(bytes), want[SECTOR];
	size_t i;

	assert_int_equal(hs_dev_pread(s->f.dev, buf, bytes, offset, 0), 0);
	for (i = 0; i < bytes; i += SECTOR) {
		model_fill((offset + i) / SECTOR, 1, want);
		assert_memory_equal(buf + i, want, SECTOR);
	}
	free(buf);
}

/* ---- tests --------------------------------------------------------------------------------------- */

static void test_hit_is_one_pread(void **state)
{
	struct state *s = *state;

	read_ok(s, BLOCK, 0);
	forget_counts(s);
	read_ok(s, BLOCK, 0);
	assert_int_equal(s->dev[HS_CACHE].reads, 1);
	assert_int_equal(s->dev[HS_CACHE].writes + s->dev[HS_CACHE].flushes, 0);
	assert_int_equal(s->dev[HS_ORIGIN].reads + s->dev[HS_ORIGIN].flushes, 0);
}

static void test_long_miss_is_few_origin_reads(void **state)
{
	struct state *s = *state;

	forget_counts(s);
	read_ok(s, 1 << 20, 0);
	assert_int_equal(s->dev[HS_ORIGIN].reads, 1);
	forget_counts(s);
	read_ok(s, 1 << 20, 0);
	assert_int_equal(s->dev[HS_ORIGIN].reads, 0);
	print_message("a long hit of 256 blocks: %u reads of the cache\n", s->dev[HS_CACHE].reads);
}

static void test_unaligned_long_miss(void **state)
{
	struct state *s = *state;

	forget_counts(s);
	read_ok(s, (1 << 20) - 1024, 512);
	assert_int_equal(s->dev[HS_ORIGIN].reads, 1);
	read_ok(s, (1 << 20) - 1024, 512);
}

static void test_error_of_one_part_is_its_own(void **state)
{
	struct state *s = *state;
	uint8_t *buf = malloc(1 << 20);

	forget_counts(s);
	simdev_fail(&s->disk[HS_ORIGIN], SIM_IO(READ), 600, 601, ~0u);
	assert_int_equal(hs_dev_pread(s->f.dev, buf, 1 << 20, 0, 0), -EIO);
	free(buf);
	/* All other parts were read, and are hits now. */
	hs_workers_calm(&s->f.dev->run.workers);
	forget_counts(s);
	read_ok(s, 300 * 1024, 0);
	read_ok(s, (1 << 20) - 304 * 1024, 304 * 1024);
	assert_int_equal(s->dev[HS_ORIGIN].reads, 0);
	/* And within the bad block, the sectors that are not. */
	read_ok(s, 512, 300 * 1024 + 512);
}

static void test_answer_does_not_wait_for_the_fill(void **state)
{
	struct state *s = *state;
	uint64_t begun;

	s->dev[HS_CACHE].write_delay_us = 300000;
	begun = hs_now();
	read_ok(s, BLOCK, 0);
	assert_true(hs_now() - begun < 200000000);
	hs_workers_calm(&s->f.dev->run.workers);
	assert_true(hs_now() - begun > 200000000);
}

static void test_long_direct_write_is_few_origin_writes(void **state)
{
	struct state *s = *state;
	uint8_t *buf = calloc(1, 1 << 20);

	forget_counts(s);
	assert_int_equal(hs_dev_pwrite(s->f.dev, buf, 1 << 20, 0, 0), 0);
	assert_int_equal(s->dev[HS_ORIGIN].writes, 1);
	forget_counts(s);
	assert_int_equal(hs_dev_discard(s->f.dev, 1 << 20, 0, 0), 0);
	assert_int_equal(s->dev[HS_ORIGIN].discards, 1);
	assert_int_equal(hs_dev_zero(s->f.dev, 1 << 20, 0, 0), 0);
	assert_int_equal(s->dev[HS_ORIGIN].zeroes, 1);
	free(buf);
}

static void test_flush_error_is_not_retried(void **state)
{
	struct state *s = *state;
	uint8_t buf[BLOCK] = { 1 };

	assert_int_equal(hs_dev_pwrite(s->f.dev, buf, BLOCK, 0, 0), 0);
	forget_counts(s);
	simdev_fail(&s->disk[HS_ORIGIN], SIM_IO(FLUSH), 0, 0, 1);
	assert_int_equal(hs_dev_flush(s->f.dev), -EIO);
	assert_int_equal(s->dev[HS_ORIGIN].flushes, 1);
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
}

static void test_flush_costs_one_write_and_one_flush(void **state)
{
	struct state *s = *state;
	uint8_t buf[BLOCK] = { 1 };

	/* The first after opening flushes the origin too: who knows what wrote there before. */
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
	assert_int_equal(hs_dev_pwrite(s->f.dev, buf, BLOCK, 0, 0), 0);
	forget_counts(s);
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
	assert_int_equal(s->dev[HS_CACHE].flushes, 1);
	assert_int_equal(s->dev[HS_ORIGIN].flushes, 0);
	assert_true(s->dev[HS_CACHE].writes <= 2);	/* transaction, and the confirm record */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hit_is_one_pread, open_writeback, close_counted),
		cmocka_unit_test_setup_teardown(test_long_miss_is_few_origin_reads, open_writeback, close_counted),
		cmocka_unit_test_setup_teardown(test_unaligned_long_miss, open_writeback, close_counted),
		cmocka_unit_test_setup_teardown(test_error_of_one_part_is_its_own, open_writeback, close_counted),
		cmocka_unit_test_setup_teardown(test_answer_does_not_wait_for_the_fill, open_writeback,
						close_counted),
		cmocka_unit_test_setup_teardown(test_long_direct_write_is_few_origin_writes, open_writethrough,
						close_counted),
		cmocka_unit_test_setup_teardown(test_flush_error_is_not_retried, open_writethrough, close_counted),
		cmocka_unit_test_setup_teardown(test_flush_costs_one_write_and_one_flush, open_writeback,
						close_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
