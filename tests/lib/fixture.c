// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/dev.h"
#include "tests/lib/fixture.h"
#include "tests/lib/simdev.h"

/* ---- random numbers -------------------------------------------------------------------------- */

void random_seed(struct random *r, uint64_t seed)
{
	r->state = seed * 0x9e3779b97f4a7c15ull + 0xd1b54a32d192ed03ull;
	if (!r->state)
		r->state = 1;
}

uint64_t random_next(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

uint64_t random_below(struct random *r, uint64_t limit)
{
	return (random_next(r) >> 11) % limit;
}

uint64_t random_main_seed(void)
{
	const char *env = getenv("HS_SEED");
	uint64_t seed = env ? strtoull(env, NULL, 0) : hs_now();

	print_message("HS_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

void fixture_file_read(const char *path, void *buf, size_t count, uint64_t offset)
{
	struct simdev *s = simdev_at(path);
	int fd;

	if (s) {
		simdev_peek(s, buf, count, offset);
		return;
	}
	fd = file_open(path, O_RDONLY);
	if (pread(fd, buf, count, (off_t)offset) != (ssize_t)count)
		fail_msg("%s: cannot read %zu bytes at %llu", path, count,
			 (unsigned long long)offset);
	close(fd);
}

void fixture_file_write(const char *path, const void *buf, size_t count, uint64_t offset)
{
	struct simdev *s = simdev_at(path);
	int fd;

	if (s) {
		simdev_poke(s, buf, count, offset);
		return;
	}
	fd = file_open(path, O_WRONLY);
	if (pwrite(fd, buf, count, (off_t)offset) != (ssize_t)count)
		fail_msg("%s: cannot write %zu bytes at %llu", path, count,
			 (unsigned long long)offset);
	close(fd);
}

void fixture_init(struct fixture *f)
{
	const char *tmp = getenv("HS_TMP");

	memset(f, 0, sizeof(*f));
	if (!tmp)
		tmp = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	snprintf(f->dir, sizeof(f->dir), "%s/hotset-test.XXXXXX", tmp);
	if (!mkdtemp(f->dir))
		fail_msg("%s: %s", f->dir, strerror(errno));
	snprintf(f->origin, sizeof(f->origin), "%s/origin", f->dir);
	snprintf(f->cache, sizeof(f->cache), "%s/cache", f->dir);
}

void fixture_destroy(struct fixture *f)
{
	if (f->dev)
		fixture_close(f, HS_CLOSE_CRASH);
	unlink(f->origin);
	unlink(f->cache);
	rmdir(f->dir);
}

void fixture_origin(struct fixture *f, uint64_t size,
		    void (*fill)(void *arg, uint64_t sector, uint8_t *data), void *arg)
{
	int fd = file_open(f->origin, O_RDWR | O_CREAT | O_TRUNC);
	uint8_t *data = malloc(size);
	uint64_t sector;

	assert_non_null(data);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	f->origin_size = size;
	if (fill) {
		for (sector = 0; sector < size / 512; sector++)
			fill(arg, sector, data + sector * 512);
		fixture_file_write(f->origin, data, size, 0);
	}
	free(data);
	close(fd);
}

/* ---- the cache ------------------------------------------------------------------------------- */

uint64_t fixture_cache_size(uint64_t slots, uint32_t block_size)
{
	uint64_t table = slots * (6 + 4 * (uint64_t)(block_size / 4096));

	return hs_round_up(384 * 1024 + 3 * table + 64 * 1024, 1 << 20) + slots * block_size;
}

void fixture_format(struct fixture *f, const struct hs_format_opts *opts)
{
	struct hs_format_opts mine = { 0 };
	struct hs_error err = { "" };

	if (opts)
		mine = *opts;
	mine.origin = f->origin;
	mine.cache = f->cache;
	mine.size = mine.size ? mine.size : 16 << 20;
	mine.force = true;
	unlink(f->cache);
	if (hs_format(&mine, &f->layout, &err))
		fail_msg("format: %s", err.msg);
}

static void fixture_log(void *arg, const char *line)
{
	struct fixture *f = arg;

	if (f->log)
		fprintf(stderr, "log: %s\n", line);
}

int fixture_try_open(struct fixture *f, const struct hs_open_opts *opts, struct hs_error *err)
{
	struct hs_open_opts mine = *opts;

	mine.origin = mine.origin ? mine.origin : f->origin;
	mine.cache = mine.cache ? mine.cache : f->cache;
	mine.log = fixture_log;
	mine.log_arg = f;
	return hs_dev_open(&mine, &f->dev, err);
}

void fixture_open(struct fixture *f, int mode, unsigned int threads)
{
	struct hs_open_opts opts = { .mode = mode, .threads = threads };
	struct hs_error err = { "" };
	int ret = fixture_try_open(f, &opts, &err);

	if (ret)
		fail_msg("open: %d: %s", ret, err.msg);
}

void fixture_close(struct fixture *f, enum hs_close_how how)
{
	struct hs_error err = { "" };
	int ret = hs_dev_close(f->dev, how, &err);

	f->dev = NULL;
	if (ret)
		fail_msg("close: %d: %s", ret, err.msg);
}

static bool gauges_equal(const struct hs_counters *a, const struct hs_counters *b)
{
	return a->used == b->used && a->dirty == b->dirty && a->free == b->free &&
	       a->retired == b->retired && a->lost == b->lost;
}

const char *fixture_gauges(struct fixture *f)
{
	static __thread char why[256];
	struct hs_run *run = &f->dev->run;
	s32 domain;

	for (domain = 0; domain < (s32)run->journal; domain++) {
		struct hs_counters now = { 0 }, real = { 0 };

		hs_domain_lock(run, domain);
		hs_core_count(run->x.core, domain, &now);
		hs_core_recount(run->x.core, domain, &real);
		hs_domain_unlock(run, domain);
		if (gauges_equal(&now, &real))
			continue;
		snprintf(why, sizeof(why),
			 "shard %d: used %llu, %llu counted; dirty %llu, %llu; free %llu, "
			 "%llu; retired %llu, %llu; lost %llu, %llu",
			 domain, (unsigned long long)now.used, (unsigned long long)real.used,
			 (unsigned long long)now.dirty, (unsigned long long)real.dirty,
			 (unsigned long long)now.free, (unsigned long long)real.free,
			 (unsigned long long)now.retired, (unsigned long long)real.retired,
			 (unsigned long long)now.lost, (unsigned long long)real.lost);
		return why;
	}
	return NULL;
}

/* ---- jitter: a target over another ----------------------------------------------------------- */

struct shaky {
	struct hs_target t;
	struct hs_target *under;
	unsigned int max_us;
};

static struct hs_target *shake(struct hs_target *t)
{
	static __thread struct random r;
	struct shaky *s = (struct shaky *)t;

	if (!r.state)
		random_seed(&r, (uintptr_t)&r ^ hs_now());
	if (s->max_us && !random_below(&r, 4))
		usleep((unsigned int)random_below(&r, s->max_us));
	return s->under;
}

static int shaky_pread(struct hs_target *t, void *buf, size_t count, uint64_t offset)
{
	struct hs_target *under = shake(t);

	return under->ops->pread(under, buf, count, offset);
}

static int shaky_pwrite(struct hs_target *t, const void *buf, size_t count, uint64_t offset,
			bool fua)
{
	struct hs_target *under = shake(t);

	return under->ops->pwrite(under, buf, count, offset, fua);
}

static int shaky_flush(struct hs_target *t)
{
	struct hs_target *under = shake(t);

	return under->ops->flush(under);
}

static int shaky_discard(struct hs_target *t, uint64_t count, uint64_t offset)
{
	struct hs_target *under = shake(t);

	return under->ops->discard(under, count, offset);
}

static int shaky_zero(struct hs_target *t, uint64_t count, uint64_t offset, bool fua)
{
	struct hs_target *under = shake(t);

	return under->ops->zero(under, count, offset, fua);
}

static void shaky_close(struct hs_target *t)
{
	struct shaky *s = (struct shaky *)t;

	hs_target_close(s->under);
	free(s);
}

static const struct hs_target_ops shaky_ops = {
	.pread = shaky_pread,
	.pwrite = shaky_pwrite,
	.flush = shaky_flush,
	.discard = shaky_discard,
	.zero = shaky_zero,
	.close = shaky_close,
};

void fixture_jitter(struct fixture *f, unsigned int max_us)
{
	struct hs_target **target = f->dev->run.x.target;
	struct hs_workers *w = &f->dev->run.workers;
	int i;

	/* Between the transfers of background machines. */
	pthread_mutex_lock(&w->lock);
	while (w->busy || !hs_list_empty(&w->machines_step) || !hs_list_empty(&w->machines_io) ||
	       !hs_list_empty(&w->origin_io))
		pthread_cond_wait(&w->calm, &w->lock);
	for (i = 0; i < 2; i++) {
		struct shaky *s = calloc(1, sizeof(*s));

		assert_non_null(s);
		s->t = *target[i];
		s->t.ops = &shaky_ops;
		s->under = target[i];
		s->max_us = max_us;
		target[i] = &s->t;
	}
	pthread_mutex_unlock(&w->lock);
}
