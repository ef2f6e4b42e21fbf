// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The model test: random requests through the blocking API, on tiny caches of every block size and
 * in every mode, one thread or several, through clean stops, write-back stops and crashes, checked
 * all the while against a model that knows each sector's content. Half of the worlds stand on files,
 * half on simulated disks, which lose their power when the process crashes.
 *
 * HS_SEED=n repeats a run as far as threads allow; HS_MODEL_SECONDS=n (30) is how long it takes in
 * all.
 *
 * INVARIANTS: 1, 2, 13-16, 18-24, 26, 31.
 */
#define _GNU_SOURCE
#include <pthread.h>
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

#define THREADS_MAX	8u
#define REQUEST_MAX	(1u << 20)	/* bytes */
#define ORIGIN_MAX	(64ull << 20)
#define SIMULATED_MAX	(8ull << 20)

/* One cache and its life. */
struct world {
	struct fixture f;
	struct simdev disk[2];	/* by enum hs_io_dev */
	bool simulated;
	struct model m;
	struct random r;
	uint64_t seed;
	unsigned int threads;
	uint32_t stripe;	/* sectors; stripe i belongs to thread i % threads */
	uint32_t block;		/* sectors */
	uint64_t hot;		/* where most requests go: sectors from the start */
	int life;
	bool stop;		/* atomic */
	char config[256];
	char failure[512];
	bool failed;		/* atomic; failure is set */
};

struct worker {
	struct world *w;
	unsigned int nr;
	struct random r;
	uint8_t *buf;
	pthread_t thread;
};

static void world_fail(struct world *w, const char *what, const char *why)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	if (!w->failed)
		snprintf(w->failure, sizeof(w->failure), "%s: %s", what, why);
	__atomic_store_n(&w->failed, true, __ATOMIC_RELAXED);
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&lock);
}

static bool world_ok(struct world *w, const char *what, int ret)
{
	if (ret)
		world_fail(w, what, strerror(-ret));
	return !ret;
}

static void world_must_be_fine(struct world *w)
{
	if (w->failed)
		fail_msg("HS_SEED=%llu (%s, life %d): %s", (unsigned long long)w->seed, w->config,
			 w->life, w->failure);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The stripe of the worker's that a random sector falls near to: [*first, *end). */
static void pick_stripe(struct worker *t, uint64_t span, uint64_t *first, uint64_t *end)
{
	struct world *w = t->w;
	uint64_t stripe = random_below(&t->r, span) / w->stripe;

	stripe += t->nr - stripe % w->threads;
	if (stripe * w->stripe >= w->m.sectors)
		stripe = t->nr;
	*first = stripe * w->stripe;
	*end = hs_min(*first + w->stripe, w->m.sectors);
}

/* A range in the worker's own sectors. */
static void pick_range(struct worker *t, uint64_t *sector, uint64_t *sectors)
{
	struct world *w = t->w;
	uint64_t span = random_below(&t->r, 4) ? w->hot : w->m.sectors, first, end, limit;

	limit = random_below(&t->r, 8) ? 1 + random_below(&t->r, 24) :
		1 + random_below(&t->r, REQUEST_MAX / SECTOR);
	pick_stripe(t, span, &first, &end);
	*sector = first + random_below(&t->r, hs_min(span, end - first));
	if (!random_below(&t->r, 4))		/* aligned ones take other paths */
		*sector = hs_max(*sector & ~7ull, first);
	*sectors = hs_min(limit, end - *sector);
	if (!random_below(&t->r, 4) && *sectors > 8)
		*sectors &= ~7ull;
}

static void do_read(struct worker *t)
{
	struct world *w = t->w;
	uint64_t sector, sectors;
	const char *why;

	pick_range(t, &sector, &sectors);
	memset(t->buf, 0xa5, sectors * SECTOR);
	if (!world_ok(w, "read", hs_dev_pread(w->f.dev, t->buf, sectors * SECTOR, sector * SECTOR,
					      random_below(&t->r, 16) ? 0 : HS_NO_INSERT)))
		return;
	why = model_check(&w->m, sector, sectors, t->buf);
	if (why)
		world_fail(w, "read", why);
}

/* Anybody's sectors: nothing can be checked, but the requests meet others'. */
static void do_read_any(struct worker *t)
{
	struct world *w = t->w;
	uint64_t sector = random_below(&t->r, random_below(&t->r, 2) ? w->hot : w->m.sectors);
	uint64_t sectors = 1 + random_below(&t->r, hs_min(64, w->m.sectors - sector));

	world_ok(w, "read any",
		 hs_dev_pread(w->f.dev, t->buf, sectors * SECTOR, sector * SECTOR, 0));
}

static void do_write(struct worker *t)
{
	struct world *w = t->w;
	uint32_t stamp = model_stamp(&w->m), flags = random_below(&t->r, 8) ? 0 : HS_FUA;
	uint64_t sector, sectors, i;

	pick_range(t, &sector, &sectors);
	for (i = 0; i < sectors; i++)
		model_fill(sector + i, stamp, t->buf + i * SECTOR);
	if (!world_ok(w, "write",
		      hs_dev_pwrite(w->f.dev, t->buf, sectors * SECTOR, sector * SECTOR, flags)))
		return;
	memset(t->buf, 0x5a, sectors * SECTOR);	/* it is ours again */
	model_wrote(&w->m, sector, sectors, stamp);
	if (flags)
		model_flushed(&w->m, sector, sectors);
}

static void do_zero(struct worker *t)
{
	struct world *w = t->w;
	uint32_t flags = random_below(&t->r, 8) ? 0 : HS_FUA;
	uint64_t sector, sectors;

	pick_range(t, &sector, &sectors);
	if (!world_ok(w, "zero", hs_dev_zero(w->f.dev, sectors * SECTOR, sector * SECTOR, flags)))
		return;
	model_wrote(&w->m, sector, sectors, 0);
	if (flags)
		model_flushed(&w->m, sector, sectors);
}

static void do_discard(struct worker *t)
{
	struct world *w = t->w;
	uint64_t sector, sectors, first, end;

	pick_range(t, &sector, &sectors);
	if (!world_ok(w, "discard", hs_dev_discard(w->f.dev, sectors * SECTOR, sector * SECTOR, 0)))
		return;
	first = hs_round_up(sector, w->block);
	end = sector + sectors;
	if (end != w->m.sectors)
		end &= ~(uint64_t)(w->block - 1);
	if (end > first)
		model_discarded(&w->m, first, end - first);
}

static void do_flush(struct worker *t)
{
	struct world *w = t->w;
	uint64_t stripe;

	if (!world_ok(w, "flush", hs_dev_flush(w->f.dev)))
		return;
	for (stripe = t->nr; stripe * w->stripe < w->m.sectors; stripe += w->threads)
		model_flushed(&w->m, stripe * w->stripe,
			      hs_min(w->stripe, w->m.sectors - stripe * w->stripe));
}

static void do_one(struct worker *t)
{
	uint64_t dice = random_below(&t->r, 100);

	if (dice < 40)
		do_read(t);
	else if (dice < 80)
		do_write(t);
	else if (dice < 87)
		do_read_any(t);
	else if (dice < 93)
		do_zero(t);
	else if (dice < 96)
		do_discard(t);
	else
		do_flush(t);
}

static void *worker_run(void *arg)
{
	struct worker *t = arg;

	while (!__atomic_load_n(&t->w->stop, __ATOMIC_RELAXED))
		do_one(t);
	return NULL;
}

/* ---- while they run -------------------------------------------------------------------------- */

static int ignore_lost(void *arg, uint64_t offset, uint64_t count)
{
	world_fail(arg, "lost", "nothing can be lost");
	(void)offset;
	(void)count;
	return 0;
}

static void control_one(struct world *w)
{
	struct hs_error err = { "" };
	struct hs_stats stats;
	const char *why;
	int ret = 0;

	switch (random_below(&w->r, 8)) {
	case 0:
	case 1:
		ret = hs_dev_set_mode(w->f.dev, (enum hs_mode)random_below(&w->r, HS_MODE_COUNT),
				      NULL, NULL, &err);
		break;
	case 2:
		ret = hs_dev_set(w->f.dev, "writeback", random_below(&w->r, 2) ? "on" : "off",
				 NULL, NULL, &err);
		break;
	case 3:
		ret = hs_dev_set(w->f.dev, "seq_cutoff", random_below(&w->r, 2) ? "0" : "64k",
				 NULL, NULL, &err);
		break;
	case 4:
		ret = hs_dev_lost(w->f.dev, ignore_lost, w);
		break;
	default:
		hs_dev_stats(w->f.dev, &stats);
		why = fixture_gauges(&w->f);
		if (why)
			world_fail(w, "gauges", why);
	}
	if (ret)
		world_fail(w, "control", err.msg[0] ? err.msg : strerror(-ret));
}

static void control_run(struct world *w, uint64_t ns)
{
	uint64_t end = hs_now() + ns;

	while (hs_now() < end && !__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		usleep((unsigned int)random_below(&w->r, 20000));
		control_one(w);
	}
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
}

static void world_run_threads(struct world *w, uint64_t ns)
{
	struct worker t[THREADS_MAX];
	unsigned int i;

	w->stop = false;
	for (i = 0; i < w->threads; i++) {
		t[i] = (struct worker){ .w = w, .nr = i };
		random_seed(&t[i].r, random_next(&w->r));
		t[i].buf = malloc(REQUEST_MAX + 512);
		assert_non_null(t[i].buf);
		assert_int_equal(pthread_create(&t[i].thread, NULL, worker_run, &t[i]), 0);
	}
	control_run(w, ns);
	for (i = 0; i < w->threads; i++) {
		pthread_join(t[i].thread, NULL);
		free(t[i].buf);
	}
}

/* ---- lives ----------------------------------------------------------------------------------- */

static void world_check_all(struct world *w, bool crashed)
{
	uint64_t sector, piece = REQUEST_MAX / SECTOR;
	uint8_t *buf = malloc(REQUEST_MAX);

	assert_non_null(buf);
	for (sector = 0; sector < w->m.sectors && !w->failed; sector += piece) {
		uint64_t sectors = hs_min(piece, w->m.sectors - sector);
		const char *why;

		if (!world_ok(w, "read all",
			      hs_dev_pread(w->f.dev, buf, sectors * SECTOR, sector * SECTOR, 0)))
			break;
		why = crashed ? model_crashed(&w->m, sector, sectors, buf) :
				model_check(&w->m, sector, sectors, buf);
		if (why)
			world_fail(w, crashed ? "after a crash" : "after a stop", why);
	}
	free(buf);
}

/* After a stop with write-back the origin alone is the device. */
static void world_check_origin(struct world *w)
{
	uint8_t *buf = malloc(w->f.origin_size);
	const char *why;

	assert_non_null(buf);
	fixture_file_read(w->f.origin, buf, w->f.origin_size, 0);
	why = model_check(&w->m, 0, w->m.sectors, buf);
	if (why)
		world_fail(w, "origin", why);
	free(buf);
}

static void check_problem(void *arg, enum hs_problem_kind kind, const char *line)
{
	if (kind != HS_PROBLEM_JOURNAL)
		world_fail(arg, "check", line);
}

static void world_check_cache(struct world *w, enum hs_close_how how)
{
	struct hs_check_opts opts = {
		.cache = w->f.cache, .data = true, .problem = check_problem, .arg = w};
	struct hs_check_result res;
	struct hs_error err = { "" };

	if (hs_check(&opts, &res, &err)) {
		world_fail(w, "check", err.msg);
		return;
	}
	if (res.clean_stop != (how != HS_CLOSE_CRASH))
		world_fail(w, "check", res.clean_stop ? "claims a clean stop" : "no clean stop");
	if (how == HS_CLOSE_WRITEBACK && res.dirty)
		world_fail(w, "check", "dirty blocks after a stop with write-back");
}

static void world_open(struct world *w)
{
	fixture_open(&w->f, random_below(&w->r, 2) ? -1 : (int)random_below(&w->r, HS_MODE_COUNT),
		     1 + (unsigned int)random_below(&w->r, 4));
	if (random_below(&w->r, 2))
		fixture_jitter(&w->f, 200);
	hs_dev_set(w->f.dev, "dirty_age", random_below(&w->r, 2) ? "0" : "30", NULL, NULL, NULL);
	hs_dev_set(w->f.dev, "dirty_limit", random_below(&w->r, 2) ? "10" : "60", NULL, NULL, NULL);
}

static void world_cut(struct world *w)
{
	simdev_cut(&w->disk[HS_CACHE], NULL);
	simdev_cut(&w->disk[HS_ORIGIN], NULL);
}

static void world_live(struct world *w, enum hs_close_how before, enum hs_close_how how)
{
	world_open(w);
	world_check_all(w, before == HS_CLOSE_CRASH);
	if (!w->failed)
		world_run_threads(w, 100000000 + random_below(&w->r, 200000000));
	world_must_be_fine(w);
	hs_dev_set(w->f.dev, "writeback", "on", NULL, NULL, NULL);
	fixture_close(&w->f, how);
	if (how != HS_CLOSE_CRASH)
		model_flushed(&w->m, 0, w->m.sectors);
	else if (w->simulated)
		world_cut(w);
	world_check_cache(w, how);
	if (how == HS_CLOSE_WRITEBACK)
		world_check_origin(w);
	world_must_be_fine(w);
}

/* ---- worlds ---------------------------------------------------------------------------------- */

static void world_choose(struct world *w, struct hs_format_opts *opts)
{
	static const uint32_t blocks[] = { 4096, 4096, 16384, 65536, 1 << 20 };
	static const uint32_t assocs[] = { 0, 16, 16, 32, 64, 256 };
	static const uint32_t stripes[] = { 1, 3, 8, 9, 40, 129, 1000, 4096 };
	uint32_t block = blocks[random_below(&w->r, w->simulated ? 4 : 5)];
	uint64_t slots = 16u << random_below(&w->r, 9), size, most = w->simulated ? SIMULATED_MAX : ORIGIN_MAX;

	while (slots > 16 && slots * block > most / 4)
		slots /= 2;
	size = slots * block / 2 + random_below(&w->r, 4 * slots * block);
	size = hs_min(hs_max(size / SECTOR * SECTOR, 64 * 1024), most);
	if (!random_below(&w->r, 4))
		size = size / block * block + block;
	opts->block_size = block;
	opts->assoc = assocs[random_below(&w->r, 6)];
	while (opts->assoc > slots)
		opts->assoc /= 2;
	opts->mode = (enum hs_mode)random_below(&w->r, HS_MODE_COUNT);
	opts->no_checksums = !random_below(&w->r, 4);
	opts->size = fixture_cache_size(slots, block);
	w->f.origin_size = size;
	w->block = block / SECTOR;
	w->stripe = stripes[random_below(&w->r, 8)];
	while (w->stripe * w->threads > size / SECTOR)
		w->stripe /= 2;
	if (w->threads == 1)
		w->stripe = (uint32_t)(size / SECTOR);
	w->hot = hs_max(1, hs_min(size / SECTOR, slots * w->block / 2));
}

static void world_make(struct world *w, uint64_t seed, unsigned int threads)
{
	struct hs_format_opts opts = { 0 };

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->threads = threads;
	random_seed(&w->r, seed);
	fixture_init(&w->f);
	w->f.log = getenv("HS_LOG") != NULL;
	w->simulated = random_below(&w->r, 2);
	world_choose(w, &opts);
	if (w->simulated) {
		simdev_init(&w->disk[HS_ORIGIN], w->f.origin, w->f.origin_size, seed);
		simdev_init(&w->disk[HS_CACHE], w->f.cache, opts.size, seed + 1);
	}
	model_init(&w->m, w->f.origin_size / SECTOR);
	fixture_origin(&w->f, w->f.origin_size, model_fill_first, NULL);
	fixture_format(&w->f, &opts);
	snprintf(w->config, sizeof(w->config),
		 "%s, block %u, slots %llu, assoc %u, origin %llu, %s%s, %u threads, "
		 "stripe %u", w->simulated ? "simulated" : "files",
		 opts.block_size, (unsigned long long)w->f.layout.slots, w->f.layout.assoc,
		 (unsigned long long)w->f.origin_size, hs_mode_name(opts.mode),
		 opts.no_checksums ? ", no checksums" : "", threads, w->stripe);
	if (w->f.log)
		fprintf(stderr, "world %llu: %s\n", (unsigned long long)seed, w->config);
}

static void world_run(uint64_t seed, unsigned int threads)
{
	enum hs_close_how before = HS_CLOSE_CLEAN, how;
	struct world *w = calloc(1, sizeof(*w));
	int lives;

	assert_non_null(w);
	world_make(w, seed, threads);
	lives = 2 + (int)random_below(&w->r, 3);
	for (w->life = 0; w->life < lives; w->life++, before = how) {
		how = (enum hs_close_how)random_below(&w->r, 3);
		if (w->life == lives - 1)
			how = HS_CLOSE_WRITEBACK;
		world_live(w, before, how);
	}
	fixture_destroy(&w->f);
	if (w->simulated) {
		simdev_destroy(&w->disk[HS_ORIGIN]);
		simdev_destroy(&w->disk[HS_CACHE]);
	}
	model_destroy(&w->m);
	free(w);
}

static void run_worlds(unsigned int threads_min, unsigned int threads_max)
{
	const char *env = getenv("HS_MODEL_SECONDS");
	uint64_t end = hs_now() + (env ? strtoull(env, NULL, 0) : 30) * 1000000000ull / 2;
	uint64_t seed = random_main_seed();
	unsigned int worlds = 0;

	do {
		struct random r;

		random_seed(&r, seed);
		world_run(seed, threads_min + (unsigned int)random_below(
						      &r, threads_max - threads_min + 1));
		seed++;
		worlds++;
	} while (hs_now() < end);
	print_message("%u worlds\n", worlds);
}

static void test_one_thread(void **state)
{
	(void)state;
	run_worlds(1, 1);
}

static void test_many_threads(void **state)
{
	(void)state;
	run_worlds(2, THREADS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_thread),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
