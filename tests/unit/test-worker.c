// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* engine/worker.c: who has its turn when every worker is busy with the origin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/dev.h"
#include "tests/lib/fixture.h"
#include "tests/lib/simdev.h"

#define BLOCK	4096u
#define SIZE	(16u << 20)
#define DIRTY	200u		/* blocks, none beside another */
#define THREADS	2u
#define MACHINES	4u	/* that write back */

/* An origin at whose gate writes stand until they are let through, one by one. */
struct gated {
	struct hs_target t;
	struct hs_target *under;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool closed;
	unsigned int passes;		/* to be let through */
	unsigned int waiting, writes, flushes;
};

struct state {
	struct fixture f;
	struct simdev disk[2];		/* by enum hs_io_dev */
	struct gated origin;
};

static struct gated *of(struct hs_target *t)
{
	return (struct gated *)t;
}

static int gated_pread(struct hs_target *t, void *buf, size_t count, uint64_t offset)
{
	return of(t)->under->ops->pread(of(t)->under, buf, count, offset);
}

static int gated_pwrite(struct hs_target *t, const void *buf, size_t count, uint64_t offset, bool fua)
{
	struct gated *g = of(t);

	pthread_mutex_lock(&g->lock);
	g->waiting++;
	pthread_cond_broadcast(&g->moved);
	while (g->closed && !g->passes)
		pthread_cond_wait(&g->moved, &g->lock);
	g->passes -= g->closed;
	g->waiting--;
	g->writes++;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
	return g->under->ops->pwrite(g->under, buf, count, offset, fua);
}

static int gated_flush(struct hs_target *t)
{
	struct gated *g = of(t);

	pthread_mutex_lock(&g->lock);
	g->flushes++;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
	return g->under->ops->flush(g->under);
}

static int gated_discard(struct hs_target *t, uint64_t count, uint64_t offset)
{
	return of(t)->under->ops->discard(of(t)->under, count, offset);
}

static int gated_zero(struct hs_target *t, uint64_t count, uint64_t offset, bool fua)
{
	return of(t)->under->ops->zero(of(t)->under, count, offset, fua);
}

static void gated_close(struct hs_target *t)
{
	hs_target_close(of(t)->under);
}

static const struct hs_target_ops gated_ops = {
	.pread = gated_pread,
	.pwrite = gated_pwrite,
	.flush = gated_flush,
	.discard = gated_discard,
	.zero = gated_zero,
	.close = gated_close,
};

static void gate_set(struct gated *g, bool closed)
{
	pthread_mutex_lock(&g->lock);
	g->closed = closed;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
}

static void await_writers(struct gated *g, unsigned int n)
{
	pthread_mutex_lock(&g->lock);
	while (g->waiting < n)
		pthread_cond_wait(&g->moved, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

/* One write goes on; returns when the next one, or a FLUSH, has come. Returns how many FLUSHes there have been. */
static unsigned int let_one_through(struct gated *g)
{
	unsigned int writes, flushes;

	pthread_mutex_lock(&g->lock);
	writes = g->writes;
	flushes = g->flushes;
	g->passes++;
	pthread_cond_broadcast(&g->moved);
	while (g->writes == writes || (g->waiting < THREADS && g->flushes == flushes))
		pthread_cond_wait(&g->moved, &g->lock);
	flushes = g->flushes;
	pthread_mutex_unlock(&g->lock);
	return flushes;
}

static int setup(void **state)
{
	const struct hs_format_opts opts = { .size = fixture_cache_size(1024, BLOCK), .assoc = 64 };
	struct state *s = calloc(1, sizeof(*s));
	struct gated *g = &s->origin;
	struct hs_target **at;

	fixture_init(&s->f);
	simdev_init(&s->disk[HS_CACHE], s->f.cache, opts.size, 1);
	simdev_init(&s->disk[HS_ORIGIN], s->f.origin, SIZE, 2);
	fixture_origin(&s->f, SIZE, NULL, NULL);
	fixture_format(&s->f, &opts);
	fixture_open(&s->f, HS_MODE_WRITEBACK, THREADS);
	assert_int_equal(hs_dev_set(s->f.dev, "writeback", "off", NULL, NULL, NULL), 0);
	hs_workers_stop_ticker(&s->f.dev->run.workers);
	hs_workers_calm(&s->f.dev->run.workers);
	at = &s->f.dev->run.x.target[HS_ORIGIN];
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->moved, NULL);
	g->t = **at;
	g->t.ops = &gated_ops;
	g->under = *at;
	*at = &g->t;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	gate_set(&s->origin, false);
	fixture_destroy(&s->f);
	simdev_destroy(&s->disk[HS_CACHE]);
	simdev_destroy(&s->disk[HS_ORIGIN]);
	free(s);
	return 0;
}

static void *clean(void *arg)
{
	return (void *)(intptr_t)hs_dev_clean(arg, NULL, NULL, NULL);
}

static void *flush(void *arg)
{
	return (void *)(intptr_t)hs_dev_flush(arg);
}

/* The ticker has been stopped, so that every FLUSH of the origin is one that somebody waits for. */
static void ends_well(struct state *s, pthread_t thread)
{
	void *ret;

	while (pthread_tryjoin_np(thread, &ret)) {
		hs_run_tick(&s->f.dev->run);
		usleep(1000);
	}
	assert_ptr_equal(ret, NULL);
}

static void write_block(struct state *s, unsigned int nr)
{
	static uint8_t buf[BLOCK];

	memset(buf, (int)nr, sizeof(buf));
	assert_int_equal(hs_dev_pwrite(s->f.dev, buf, BLOCK, (uint64_t)nr * BLOCK, 0), 0);
}

static bool flush_is_queued(struct hs_workers *w)
{
	bool queued = false;
	struct hs_list *l;

	pthread_mutex_lock(&w->lock);
	hs_list_for_each(l, &w->origin_io)
		queued |= hs_list_entry(l, struct hs_req, link)->io[0].op == HS_IO_FLUSH;
	pthread_mutex_unlock(&w->lock);
	return queued;
}

/*
 * All workers write back, which goes on until nothing is dirty. A FLUSH of the origin that a client waits for has its
 * turn when the transfers that are under way have ended, not when everything has been written back.
 */
static void a_flush_does_not_wait_until_nothing_is_dirty(void **state)
{
	struct state *s = *state;
	struct gated *g = &s->origin;
	unsigned int i, flushes;
	pthread_t cleaner, flusher;

	for (i = 0; i < DIRTY; i++)
		write_block(s, 16 + i * 8);
	assert_int_equal(hs_dev_flush(s->f.dev), 0);
	/* A write past the cache, for which a FLUSH will be owed. */
	assert_int_equal(hs_dev_set(s->f.dev, "seq_cutoff", "4k", NULL, NULL, NULL), 0);
	for (i = 0; i < 4; i++)
		write_block(s, i);
	assert_true(g->writes);
	assert_int_equal(hs_dev_set(s->f.dev, "seq_cutoff", "0", NULL, NULL, NULL), 0);

	gate_set(g, true);
	assert_int_equal(pthread_create(&cleaner, NULL, clean, s->f.dev), 0);
	await_writers(g, THREADS);
	/* A commit is owed too: the client's thread runs that, and leaves the FLUSH to the workers. */
	write_block(s, 8);
	flushes = g->flushes;
	assert_int_equal(pthread_create(&flusher, NULL, flush, s->f.dev), 0);
	while (!flush_is_queued(&s->f.dev->run.workers))
		usleep(1000);
	/* Those under way, and one of each machine that was there before. */
	for (i = 1; let_one_through(g) == flushes; i++)
		assert_true(i < THREADS + MACHINES);
	print_message("after %u writes of %u\n", i, DIRTY);
	gate_set(g, false);
	ends_well(s, flusher);
	ends_well(s, cleaner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_flush_does_not_wait_until_nothing_is_dirty, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
