// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counters, settings, and the two things that take their time: cleaning, and changing the mode. */
#include <stdlib.h>
#include <time.h>

#include "engine/dev.h"

#define HS_POLL_NS		5000000u	/* between looks at a drain */
#define HS_PROGRESS_POLLS	20u		/* looks a call of progress */
#define HS_STUCK_NS		10000000000u	/* errors, and not one block less: no use */

/* ---- counters -------------------------------------------------------------------------------- */

void hs_dev_count(struct hs_dev *dev, struct hs_counters *sum)
{
	s32 domain;

	memset(sum, 0, sizeof(*sum));
	for (domain = 0; domain <= (s32)dev->run.journal; domain++) {
		hs_domain_lock(&dev->run, domain);
		hs_core_count(dev->run.x.core, domain, sum);
		hs_domain_unlock(&dev->run, domain);
	}
}

u64 hs_dev_dirty(struct hs_dev *dev)
{
	struct hs_counters sum;

	hs_dev_count(dev, &sum);
	return sum.dirty > sum.lost ? sum.dirty - sum.lost : 0;
}

static void hs_stats_counters(struct hs_stats *s, const struct hs_counters *c)
{
	s->reads = c->reads;
	s->writes = c->writes;
	s->flushes = c->flushes;
	s->discards = c->discards;
	s->zeroes = c->zeroes;
	s->read_hits = c->read_hits;
	s->read_misses = c->read_misses;
	s->write_hits = c->write_hits;
	s->write_misses = c->write_misses;
	s->inserts = c->inserts;
	s->replacements = c->replacements;
	s->write_backs = c->write_backs;
	s->write_back_errors = c->write_back_errors;
	memcpy(s->not_cached, c->not_cached, sizeof(s->not_cached));
	s->commits = c->commits;
	s->checkpoints = c->checkpoints;
	s->cache_flushes = c->cache_flushes;
	s->origin_flushes = c->origin_flushes;
	s->journal_bytes = c->journal_bytes;
	s->table_bytes = c->table_bytes;
	s->checksum_errors = c->checksum_errors;
	s->repairs = c->repairs;
	s->cache_errors = c->cache_errors;
	s->origin_errors = c->origin_errors;
	s->slot_waits = c->slot_waits;
	s->used = c->used;
	s->dirty = c->dirty;
	s->free = c->free;
	s->retired = c->retired;
	s->lost = c->lost;
}

static void hs_stats_device(struct hs_stats *s, struct hs_dev *dev)
{
	struct hs_core *core = dev->run.x.core;
	const struct hs_geometry *geo = hs_core_geometry(core);
	const struct hs_open_report *report = hs_core_report(core);

	s->slots = geo->nr_slots;
	s->origin_size = dev->size;
	s->cache_size = geo->cache_bytes;
	s->block_size = hs_block_bytes(geo);
	s->assoc = hs_assoc(geo);
	s->ram_bytes = dev->run.x.mem_bytes;
	s->mode = hs_core_mode(core);
	s->mode_durable = hs_core_mode_durable(core);
	s->failed = hs_core_failed(core);
	s->recovery_ns = dev->recovery_ns;
	s->recovered_transactions = report->transactions;
	s->clean_start = report->clean_stop;
}

void hs_dev_stats(struct hs_dev *dev, struct hs_stats *stats)
{
	struct hs_counters sum;

	hs_dev_count(dev, &sum);
	memset(stats, 0, sizeof(*stats));
	hs_stats_counters(stats, &sum);
	hs_stats_device(stats, dev);
}

/* ---- waiting for write-back ------------------------------------------------------------------ */

/* Watches dirty blocks become fewer. */
struct hs_watch {
	struct hs_dev *dev;
	u64 total, least;	/* dirty blocks: at first, at best */
	u64 since;		/* ns: when least was reached */
	u64 errors;		/* of write-back, then */
	u32 polls;
	hs_progress_fn progress;
	void *arg;
};

static u64 hs_watch_look(struct hs_watch *w)
{
	struct hs_counters sum;
	u64 left;

	hs_dev_count(w->dev, &sum);
	left = sum.dirty > sum.lost ? sum.dirty - sum.lost : 0;
	if (left < w->least) {
		w->least = left;
		w->since = hs_now();
		w->errors = sum.write_back_errors;
	} else if (sum.write_back_errors == w->errors && !hs_core_failed(w->dev->run.x.core)) {
		w->since = hs_now();
	}
	return left;
}

static void hs_watch_start(struct hs_watch *w, struct hs_dev *dev, hs_progress_fn progress, void *arg)
{
	memset(w, 0, sizeof(*w));
	w->dev = dev;
	w->progress = progress;
	w->arg = arg;
	w->least = ~0ull;
	w->total = hs_watch_look(w);
}

static void hs_watch_pause(void)
{
	const struct timespec ts = { .tv_nsec = HS_POLL_NS };

	nanosleep(&ts, NULL);
}

/* 0: look again. -EIO: no use. -EINTR: the caller wants no more. */
static int hs_watch_wait(struct hs_watch *w, u64 left, struct hs_error *err)
{
	struct hs_exec *x = &w->dev->run.x;

	if (w->progress && w->polls++ % HS_PROGRESS_POLLS == 0 &&
	    !w->progress(w->arg, left, left > w->total ? left : w->total))
		return hs_error_set(err, -EINTR, "interrupted: %llu blocks are still dirty",
				    (unsigned long long)left);
	if (hs_now() - w->since > HS_STUCK_NS)
		return hs_error_set(err, -EIO,
				    "%s: write-back fails: %llu blocks are still dirty, and "
				    "stay in the cache",
				    x->target[HS_ORIGIN]->name, (unsigned long long)left);
	hs_watch_pause();
	return 0;
}

static void hs_dev_drain(struct hs_dev *dev, bool on)
{
	struct hs_run *run = &dev->run;
	struct hs_out out;

	hs_out_init(&out);
	hs_domain_lock(run, (s32)run->journal);
	hs_core_drain(run->x.core, on, &out);
	hs_domain_unlock(run, (s32)run->journal);
	hs_run_dispatch(run, &out, NULL);
}

static int hs_dev_await_clean(struct hs_watch *w, struct hs_error *err)
{
	for (;;) {
		u64 left = hs_watch_look(w);
		int ret;

		if (!left && w->progress)
			w->progress(w->arg, 0, w->total);
		if (!left)
			return 0;
		ret = hs_watch_wait(w, left, err);
		if (ret)
			return ret;
	}
}

/* Lost blocks stay dirty until they are overwritten or forgotten, and that must not go unsaid. */
static int hs_dev_clean_left(struct hs_dev *dev, struct hs_error *err)
{
	struct hs_counters sum;

	hs_dev_count(dev, &sum);
	if (!sum.lost)
		return 0;
	return hs_error_set(err, -EIO, "%s: %llu blocks cannot be read in full and stay dirty: "
			    "see hotset lost, and give up with --forget what is beyond help",
			    dev->run.x.target[HS_CACHE]->name, (unsigned long long)sum.lost);
}

int hs_dev_clean(struct hs_dev *dev, hs_progress_fn progress, void *arg, struct hs_error *err)
{
	struct hs_watch w;
	int ret;

	pthread_mutex_lock(&dev->control);
	hs_watch_start(&w, dev, progress, arg);
	hs_dev_drain(dev, true);
	ret = hs_dev_await_clean(&w, err);
	hs_dev_drain(dev, false);
	pthread_mutex_unlock(&dev->control);
	if (ret)
		return ret;
	/* Durably so. */
	ret = hs_dev_flush(dev);
	if (ret)
		return hs_error_set(err, ret, "flush: %s", strerror(-ret));
	return hs_dev_clean_left(dev, err);
}

/* ---- mode ------------------------------------------------------------------------------------ */

/* Lost blocks stay dirty until someone decides: a switch away from write-back cannot end before. */
static int hs_dev_mode_blocked(struct hs_dev *dev, enum hs_mode mode, struct hs_error *err)
{
	struct hs_stats stats;

	hs_dev_stats(dev, &stats);
	if (mode == HS_MODE_WRITEBACK || !stats.lost || stats.dirty > stats.lost)
		return 0;
	return hs_error_set(err, -EIO,
			    "%llu dirty blocks cannot be read, so they cannot leave the cache: "
			    "see hotset lost, overwrite or forget them; until then the mode is in "
			    "force but not stored", (unsigned long long)stats.lost);
}

static int hs_dev_await_mode(struct hs_watch *w, enum hs_mode mode, struct hs_error *err)
{
	struct hs_dev *dev = w->dev;
	struct hs_core *core = dev->run.x.core;
	int ret = 0;

	while (!ret && hs_core_mode_durable(core) != mode) {
		if (hs_core_failed(core))
			return hs_error_set(err, -EIO,
					    "%s is out of service: the mode cannot be stored",
					    dev->run.x.target[HS_CACHE]->name);
		ret = hs_dev_mode_blocked(dev, mode, err);
		if (!ret)
			ret = hs_watch_wait(w, hs_watch_look(w), err);
	}
	if (ret == -EINTR)
		hs_error_set(err, ret, "interrupted: the mode is in force but not stored, %llu blocks are still dirty",
			     (unsigned long long)w->least);
	return ret;
}

int hs_dev_set_mode(struct hs_dev *dev, enum hs_mode mode, hs_progress_fn progress, void *arg,
		    struct hs_error *err)
{
	struct hs_run *run = &dev->run;
	struct hs_watch w;
	struct hs_out out;
	int ret;

	if ((unsigned int)mode >= HS_MODE_COUNT)
		return hs_error_set(err, -EINVAL, "no such mode: %d", mode);
	pthread_mutex_lock(&dev->control);
	hs_out_init(&out);
	hs_domain_lock(run, (s32)run->journal);
	hs_core_set_mode(run->x.core, mode, &out);
	hs_domain_unlock(run, (s32)run->journal);
	hs_run_dispatch(run, &out, NULL);
	hs_watch_start(&w, dev, progress, arg);
	ret = hs_dev_await_mode(&w, mode, err);
	pthread_mutex_unlock(&dev->control);
	return ret;
}

/* ---- settings by name ------------------------------------------------------------------------ */

static int hs_set_invalid(struct hs_error *err, const char *key, const char *value,
			  const char *want)
{
	return hs_error_set(err, -EINVAL, "%s=%s: want %s", key, value, want);
}

/* A number with an optional k, M, G or T. */
static bool hs_parse_size(const char *s, u64 *size)
{
	static const char units[] = "kMGT";
	char *end;
	u32 i, shift = 0;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*size = strtoull(s, &end, 10);
	for (i = 0; units[i]; i++)
		if (*end == units[i] || (units[i] == 'k' && *end == 'K'))
			shift = 10 * (i + 1);
	end += shift != 0;
	if (errno || *end || *size > ~0ull >> shift)
		return false;
	*size <<= shift;
	return true;
}

static int hs_set_mode_by_name(struct hs_dev *dev, const char *value, hs_progress_fn progress, void *arg,
			       struct hs_error *err)
{
	int mode = hs_mode_parse(value);

	if (mode < 0)
		return hs_set_invalid(err, "mode", value,
				      "writeback, writethrough, writearound or bypass");
	return hs_dev_set_mode(dev, (enum hs_mode)mode, progress, arg, err);
}

static int hs_set_seq_cutoff(struct hs_dev *dev, const char *value, struct hs_error *err)
{
	u64 size;

	if (!hs_parse_size(value, &size))
		return hs_set_invalid(err, "seq_cutoff", value, "a size such as 4M, or 0 for off");
	hs_poke(dev->seq_cutoff, (size + 511) >> HS_SECTOR_SHIFT);
	return 0;
}

static int hs_set_dirty_age(struct hs_dev *dev, const char *value, struct hs_error *err)
{
	u64 seconds;

	if (!hs_parse_size(value, &seconds) || seconds > ~0u)
		return hs_set_invalid(err, "dirty_age", value, "seconds");
	hs_poke(hs_core_tunables(dev->run.x.core)->dirty_age_ns, seconds * 1000000000u);
	return 0;
}

static int hs_set_dirty_limit(struct hs_dev *dev, const char *value, struct hs_error *err)
{
	u64 percent;

	if (!hs_parse_size(value, &percent) || percent > 100)
		return hs_set_invalid(err, "dirty_limit", value, "percent of the slots, 0 to 100");
	hs_poke(hs_core_tunables(dev->run.x.core)->dirty_percent, (u32)percent);
	return 0;
}

static int hs_set_writeback(struct hs_dev *dev, const char *value, struct hs_error *err)
{
	bool on = !strcmp(value, "on");

	if (!on && strcmp(value, "off") != 0)
		return hs_set_invalid(err, "writeback", value, "on or off");
	hs_poke(hs_core_tunables(dev->run.x.core)->writeback, on);
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct hs_dev *dev, const char *value, struct hs_error *err);
} hs_settings[] = {
	{ "seq_cutoff", hs_set_seq_cutoff },
	{ "dirty_age", hs_set_dirty_age },
	{ "dirty_limit", hs_set_dirty_limit },
	{ "writeback", hs_set_writeback },
};

int hs_dev_set(struct hs_dev *dev, const char *key, const char *value, hs_progress_fn progress, void *arg,
	       struct hs_error *err)
{
	size_t i;

	/* The one that takes its time. */
	if (!strcmp(key, "mode"))
		return hs_set_mode_by_name(dev, value, progress, arg, err);
	for (i = 0; i < sizeof(hs_settings) / sizeof(hs_settings[0]); i++)
		if (!strcmp(key, hs_settings[i].key))
			return hs_settings[i].set(dev, value, err);
	return hs_error_set(err, -ENOENT, "no setting %s: there are mode, seq_cutoff, dirty_age, "
			    "dirty_limit, writeback", key);
}
