// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Opening and closing. Opening goes from what can be refused without a trace to what writes:
 * superblock, identity of the origin, map, a sample of its blocks; only then the core makes the
 * device ours.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/abandon.h"
#include "engine/dev.h"
#include "engine/load.h"

#define HS_THREADS_DEFAULT	4u
#define HS_THREADS_MAX		256u
#define HS_WINDOW_BYTES		(4 * HS_MIB)
#define HS_WINDOW_MIN		4u
#define HS_WINDOW_MAX		256u

void hs_dev_log(struct hs_dev *dev, const char *fmt, ...)
{
	char line[512];
	va_list args;

	if (!dev->log)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	dev->log(dev->log_arg, line);
}

/*
 * From now on writes may pass by names that stand on the cache device: it is never to be used again
 * as it is.
 */
static void hs_dev_abandon(struct hs_dev *dev)
{
	struct hs_run *run = &dev->run;
	const char *name = run->x.target[HS_CACHE]->name;
	int ret = hs_abandon_record(hs_core_sb(run->x.core)->uuid, name);
	struct hs_out out;

	if (ret) {
		if (!dev->abandon_logged)
			hs_dev_log(dev, "%s: cannot record that it must not be used again (%s): "
				   "writes to blocks that it names fail", name, strerror(-ret));
		dev->abandon_logged = true;
		return;
	}
	dev->abandoned = true;
	hs_out_init(&out);
	hs_domain_lock(run, (s32)run->journal);
	hs_core_abandon(run->x.core, &out);
	hs_domain_unlock(run, (s32)run->journal);
	hs_run_dispatch(run, &out, NULL);
}

static void hs_dev_on_tick(void *arg)
{
	struct hs_dev *dev = arg;

	if (dev->abandoned || !hs_core_failed(dev->run.x.core))
		return;
	if (!dev->failure_logged)
		hs_dev_log(dev, "%s failed and is out of service: the origin serves; what was "
			   "dirty fails with an I/O error (see hotset lost)",
			   dev->run.x.target[HS_CACHE]->name);
	if (hs_core_abandon_due(dev->run.x.core))
		hs_dev_abandon(dev);
	dev->failure_logged = true;
}

/* ---- open ------------------------------------------------------------------------------------ */

static struct hs_dev *hs_dev_new(const struct hs_open_opts *opts)
{
	struct hs_dev *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return NULL;
	hs_exec_init(&dev->run.x);
	pthread_mutex_init(&dev->control, NULL);
	dev->log = opts->log;
	dev->log_arg = opts->log_arg;
	return dev;
}

static void hs_dev_free(struct hs_dev *dev)
{
	struct hs_target *cache = dev->run.x.target[HS_CACHE],
			 *origin = dev->run.x.target[HS_ORIGIN];

	hs_exec_destroy(&dev->run.x);
	if (origin)
		hs_target_close(origin);
	if (cache)
		hs_target_close(cache);
	pthread_mutex_destroy(&dev->control);
	free(dev);
}

/* Both devices open, the superblock read, the origin the right one as far as that shows. */
static int hs_dev_open_targets(struct hs_dev *dev, const struct hs_open_opts *opts,
			       struct hs_sb *sb, struct hs_error *err)
{
	struct hs_exec *x = &dev->run.x;
	unsigned int bad;
	int ret;

	ret = hs_target_open(opts->cache, HS_TARGET_WRITE | HS_TARGET_CACHE, &x->target[HS_CACHE],
			     err);
	if (!ret)
		ret = hs_load_sb(x->target[HS_CACHE], sb, &bad, err);
	if (ret)
		return ret;
	if (!opts->accept_changed_origin)
		ret = hs_abandon_check(sb->uuid, opts->cache, err);
	if (ret)
		return ret;
	if (bad)
		hs_dev_log(dev, "%s: one superblock copy is damaged, the other serves",
			   opts->cache);
	ret = hs_target_open(opts->origin, HS_TARGET_WRITE, &x->target[HS_ORIGIN], err);
	if (!ret)
		ret = hs_identity_size(sb, x, err);
	if (!ret && !opts->accept_changed_origin)
		ret = hs_identity_fingerprint(sb, x, err);
	return ret;
}

/* With many processors more locks than the core's default, lest they meet too often. */
static u32 hs_dev_shards(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	u32 shards = HS_SHARDS_DEFAULT;

	while (shards < HS_SHARDS_MAX && (long)shards < 2 * cpus)
		shards *= 2;
	return shards;
}

/*
 * The user says that the origin may have changed: no clean block is to be trusted. Dirty ones
 * belong to the old content, so none may exist; then nothing is left to keep, and the map starts
 * anew.
 */
static int hs_dev_void(struct hs_dev *dev, struct hs_sb *sb, const struct hs_core_opts *core_opts,
		       struct hs_error *err)
{
	struct hs_exec *x = &dev->run.x;
	struct hs_target *cache = x->target[HS_CACHE];
	u64 dirty = hs_map_dirty(x);
	unsigned int bad;
	int ret;

	if (dirty)
		return hs_error_set(err, -ESTALE,
				    "%s holds %llu dirty blocks, which belong to the origin as "
				    "it was: write them back to it first (hotset writeback)",
				    cache->name, (unsigned long long)dirty);
	ret = hs_format_target(cache, sb);
	if (ret)
		return hs_error_set(err, ret, "%s: cannot empty it: %s", cache->name,
				    strerror(-ret));
	hs_dev_log(dev, "%s: every clean block was dropped", cache->name);
	hs_exec_detach(x);
	ret = hs_load_sb(cache, sb, &bad, err);
	return ret ? ret : hs_load_map(x, sb, core_opts, err);
}

static int hs_dev_load(struct hs_dev *dev, const struct hs_open_opts *opts, struct hs_sb *sb,
		       struct hs_error *err)
{
	struct hs_core_opts core_opts = { .mode = opts->mode, .now = hs_now(), .shards = hs_dev_shards() };
	struct hs_exec *x = &dev->run.x;
	int ret;

	ret = hs_load_map(x, sb, &core_opts, err);
	if (ret)
		return ret;
	if (opts->accept_changed_origin)
		ret = hs_dev_void(dev, sb, &core_opts, err);
	else
		ret = hs_identity_sample(x, err);
	dev->size = sb->geo.origin_sectors << HS_SECTOR_SHIFT;
	dev->window = HS_WINDOW_BYTES / x->block_bytes;
	dev->window = (u32)hs_min(HS_WINDOW_MAX, hs_max(HS_WINDOW_MIN, dev->window));
	return ret;
}

static void hs_dev_log_recovery(struct hs_dev *dev)
{
	const struct hs_open_report *report = hs_core_report(dev->run.x.core);
	const char *name = dev->run.x.target[HS_CACHE]->name;

	/* The claim of a new cache is its second incarnation: nothing was there to recover. */
	if (!report->clean_stop && hs_core_sb(dev->run.x.core)->incarnation > 2)
		hs_dev_log(dev,
			   "%s was not stopped cleanly: recovered %llu transactions in %llu ms",
			   name, (unsigned long long)report->transactions,
			   (unsigned long long)dev->recovery_ns / 1000000);
	if (report->dropped_last)
		hs_dev_log(dev,
			   "%s: the last transaction was never acknowledged and its data are not "
			   "all there: dropped",
			   name);
	if (report->torn_tail)
		hs_dev_log(dev, "%s: an incomplete transaction at the journal's end was dropped",
			   name);
	if (report->unit_copies_bad)
		hs_dev_log(dev, "%s: %llu pages of the map were damaged, their mirrors serve", name,
			   (unsigned long long)report->unit_copies_bad);
	if (report->map_conflicts)
		hs_dev_log(dev, "%s: the map contradicted itself in %llu places: run hotset check",
			   name, (unsigned long long)report->map_conflicts);
}

/* The first writes. */
static int hs_dev_claim(struct hs_dev *dev, struct hs_error *err)
{
	struct hs_exec *x = &dev->run.x;
	int ret = hs_exec_alone(x, hs_core_claim(x->core));

	if (ret)
		hs_error_set(err, ret, "%s: cannot write its superblock: %s",
			     x->target[HS_CACHE]->name, strerror(-ret));
	return ret;
}

static int hs_dev_start(struct hs_dev *dev, unsigned int threads, struct hs_error *err)
{
	int ret;

	threads = threads ? threads : HS_THREADS_DEFAULT;
	dev->run.workers.on_tick = hs_dev_on_tick;
	dev->run.workers.on_tick_arg = dev;
	ret = hs_run_start(&dev->run, threads < HS_THREADS_MAX ? threads : HS_THREADS_MAX);
	if (ret)
		return hs_error_set(err, ret, "cannot start threads: %s", strerror(-ret));
	/* To write-back takes a superblock; the other way the blocks drain while we serve. */
	if (hs_core_mode_wanted(dev->run.x.core) == HS_MODE_WRITEBACK)
		ret = hs_dev_set_mode(dev, HS_MODE_WRITEBACK, NULL, NULL, err);
	if (ret)
		hs_run_stop(&dev->run, false);
	return ret;
}

static int hs_dev_bring_up(struct hs_dev *dev, const struct hs_open_opts *opts,
			   struct hs_error *err)
{
	struct hs_sb sb;
	u64 begun;
	int ret;

	ret = hs_dev_open_targets(dev, opts, &sb, err);
	if (ret)
		return ret;
	begun = hs_now();
	ret = hs_dev_load(dev, opts, &sb, err);
	if (!ret)
		ret = hs_dev_claim(dev, err);
	if (ret)
		return ret;
	dev->recovery_ns = hs_now() - begun;
	hs_dev_log_recovery(dev);
	return hs_dev_start(dev, opts->threads, err);
}

int hs_dev_open(const struct hs_open_opts *opts, struct hs_dev **out, struct hs_error *err)
{
	struct hs_dev *dev;
	int ret;

	if (opts->mode < -1 || opts->mode >= HS_MODE_COUNT)
		return hs_error_set(err, -EINVAL, "no such mode: %d", opts->mode);
	dev = hs_dev_new(opts);
	if (!dev)
		return hs_error_set(err, -ENOMEM, "out of memory");
	ret = hs_dev_bring_up(dev, opts, err);
	if (ret) {
		hs_dev_free(dev);
		return ret;
	}
	*out = dev;
	return 0;
}

int hs_probe(const struct hs_open_opts *opts, struct hs_layout *layout, enum hs_mode *mode, struct hs_error *err)
{
	struct hs_dev *dev = hs_dev_new(opts);
	struct hs_sb sb;
	int ret;

	if (!dev)
		return hs_error_set(err, -ENOMEM, "out of memory");
	ret = hs_dev_open_targets(dev, opts, &sb, err);
	if (!ret) {
		hs_layout_fill(layout, &sb);
		*mode = sb.mode;
	}
	hs_dev_free(dev);
	return ret;
}

/* ---- close ----------------------------------------------------------------------------------- */

/*
 * One of the core's two stop requests was started: waits for its end, and until all else has ended
 * or parked.
 */
static int hs_dev_stop_step(struct hs_dev *dev, struct hs_out *out)
{
	struct hs_run *run = &dev->run;
	int ret;

	hs_run_dispatch(run, out, NULL);
	ret = hs_workers_await_stop(&run->workers);
	hs_workers_calm(&run->workers);
	return ret;
}

static int hs_dev_commit_last(struct hs_dev *dev)
{
	struct hs_run *run = &dev->run;
	struct hs_out out;

	hs_workers_await_orphans(&run->workers);
	hs_workers_stop_ticker(&run->workers);
	hs_out_init(&out);
	hs_domain_lock(run, (s32)run->journal);
	hs_core_stop(run->x.core, &out);
	hs_domain_unlock(run, (s32)run->journal);
	return hs_dev_stop_step(dev, &out);
}

static int hs_dev_mark_clean(struct hs_dev *dev, u64 fingerprint)
{
	struct hs_run *run = &dev->run;
	struct hs_out out;

	hs_out_init(&out);
	hs_domain_lock(run, (s32)run->journal);
	hs_core_mark_clean(run->x.core, fingerprint, &out);
	hs_domain_unlock(run, (s32)run->journal);
	return hs_dev_stop_step(dev, &out);
}

static int hs_dev_not_clean(int code, const char *what, struct hs_error *err)
{
	return hs_error_set(err, code, "not stopped cleanly: %s: %s", what, strerror(-code));
}

static int hs_dev_stop_clean(struct hs_dev *dev, struct hs_error *err)
{
	struct hs_target **target = dev->run.x.target, *origin = target[HS_ORIGIN];
	u64 fingerprint;
	int ret, flushed = hs_dev_flush(dev);

	ret = hs_dev_commit_last(dev);
	if (flushed || ret)
		return hs_dev_not_clean(flushed ? flushed : ret, "a flush failed", err);
	/* Nothing writes to the origin any more: what the fingerprint sees is what stays. */
	ret = origin->ops->flush(origin);
	if (!ret)
		ret = hs_target_fingerprint(origin, &fingerprint);
	if (ret)
		return hs_dev_not_clean(ret, origin->name, err);
	ret = hs_dev_mark_clean(dev, fingerprint);
	return ret ? hs_dev_not_clean(ret, target[HS_CACHE]->name, err) : 0;
}

int hs_dev_close(struct hs_dev *dev, enum hs_close_how how, struct hs_error *err)
{
	int cleaned = 0, ret = 0;

	if (how == HS_CLOSE_WRITEBACK)
		cleaned = hs_dev_clean(dev, NULL, NULL, err);
	if (how != HS_CLOSE_CRASH)
		ret = hs_dev_stop_clean(dev, cleaned ? NULL : err);
	hs_run_stop(&dev->run, how == HS_CLOSE_CRASH);
	hs_dev_free(dev);
	return cleaned ? cleaned : ret;
}
