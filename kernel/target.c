// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Constructor, destructor, suspend, resume.
 *
 * The constructor only reads: while a new table is being loaded the old one may still serve the same cache. The map
 * is read, or a new cache made, at the first resume; by then the old table is suspended, and hands the cache over by
 * a clean stop (hs_dm_yield). A table that is suspended and resumed keeps its map.
 */
#include <linux/blkdev.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "kernel/dm.h"

/* All there are, so that no cache device is served twice. */
static DEFINE_MUTEX(hs_all_lock);
static LIST_HEAD(hs_all);

static struct mapped_device *hs_dm_md(const struct hs_dm *dm)
{
	return dm_table_get_md(dm->ti->table);
}

/* ---- one cache, one owner ----------------------------------------------------------------------------------- */

/* Another device's, live or suspended, on the same cache device. */
static struct hs_dm *hs_all_find(const struct hs_dm *dm, bool same_md)
{
	struct hs_dm *other;

	list_for_each_entry(other, &hs_all, list)
		if (other != dm && other->bdev[HS_CACHE] == dm->bdev[HS_CACHE] &&
		    (other->state == HS_DM_LIVE || other->state == HS_DM_STOPPED) &&
		    (hs_dm_md(other) == hs_dm_md(dm)) == same_md)
			return other;
	return NULL;
}

static bool hs_dm_in_use(const struct hs_dm *dm)
{
	bool ret;

	mutex_lock(&hs_all_lock);
	ret = hs_all_find(dm, false);
	mutex_unlock(&hs_all_lock);
	return ret;
}

/* The new table of a live device, on the same two disks. */
static bool hs_dm_same_origin(const struct hs_dm *dm)
{
	struct hs_dm *other;
	bool ret;

	mutex_lock(&hs_all_lock);
	other = hs_all_find(dm, true);
	ret = other && other->bdev[HS_ORIGIN] == dm->bdev[HS_ORIGIN];
	mutex_unlock(&hs_all_lock);
	return ret;
}

/* The last deed on the media of a stopped device. */
static void hs_dm_yield(struct hs_dm *dm)
{
	int ret;

	if (dm->state != HS_DM_STOPPED)
		return;
	ret = hs_dm_mark_clean(dm);
	if (ret)
		DMERR("%pg: not stopped cleanly: error %d", dm->bdev[HS_CACHE], ret);
	dm->state = HS_DM_GONE;
}

/* ---- constructor --------------------------------------------------------------------------------------------- */

static int hs_ctr_fail(struct dm_target *ti, int ret, char *why)
{
	ti->error = why;
	return ret;
}

static int hs_ctr_device(struct dm_target *ti, struct hs_dm *dm, enum hs_io_dev which, const char *path, char *why)
{
	int ret = dm_get_device(ti, path, dm_table_get_mode(ti->table), &dm->dev[which]);

	if (ret) {
		DMERR("%s: error %d", path, ret);
		return hs_ctr_fail(ti, ret, why);
	}
	dm->bdev[which] = dm->dev[which]->bdev;
	return 0;
}

static int hs_ctr_devices(struct dm_target *ti, struct hs_dm *dm, char **argv)
{
	int ret = hs_ctr_device(ti, dm, HS_ORIGIN, argv[0], "Origin device lookup failed: is it there, and not in use?");

	if (!ret)
		ret = hs_ctr_device(ti, dm, HS_CACHE, argv[1], "Cache device lookup failed: is it there, and not in use?");
	if (ret)
		return ret;
	if (dm->bdev[HS_CACHE] == dm->bdev[HS_ORIGIN])
		return hs_ctr_fail(ti, -EINVAL, "Origin and cache device are the same: give two");
	if (bdev_nr_sectors(dm->bdev[HS_ORIGIN]) < ti->len)
		return hs_ctr_fail(ti, -EINVAL, "The origin is smaller than the target: give the origin's size as the length");
	if (hs_dm_in_use(dm))
		return hs_ctr_fail(ti, -EBUSY, "The cache device is in use by another hotset device");
	return 0;
}

/* persistence 1: geometry from the device. */
static int hs_ctr_load(struct dm_target *ti, struct hs_dm *dm)
{
	char *why;
	int ret = hs_load_sb(dm, &dm->sb, &why);

	if (ret)
		return hs_ctr_fail(ti, ret, why);
	if (dm->sb.geo.origin_sectors == ti->len ||
	    (dm->sb.geo.origin_sectors < ti->len && (dm->opts.grow || hs_dm_same_origin(dm))))
		return 0;
	DMERR("%pg was made for an origin of %llu sectors, the table says %llu", dm->bdev[HS_CACHE],
	      dm->sb.geo.origin_sectors, (u64)ti->len);
	return hs_ctr_fail(ti, -ESTALE, "The cache was made for an origin of another size: give the right one, or make a cache for this one; if it has grown, give the feature grow");
}

/* A hotset cache with dirty data is not overwritten. */
static int hs_ctr_look(struct dm_target *ti, struct hs_dm *dm)
{
	struct hs_sb sb;
	u64 dirty;
	char *why;
	int ret = hs_load_sb(dm, &sb, &why);

	if (ret == -EMEDIUMTYPE || dm->opts.force)
		return 0;
	if (!ret)
		ret = hs_load_dirty(dm, &sb, &dirty);
	if (ret)
		return hs_ctr_fail(ti, -EEXIST, "The cache device holds a hotset cache that cannot be read and may hold dirty data: the feature force overwrites it");
	if (!dirty)
		return 0;
	DMERR("%pg holds %llu dirty blocks", dm->bdev[HS_CACHE], dirty);
	return hs_ctr_fail(ti, -EEXIST, "The cache device holds a hotset cache with dirty data: load it with persistence 1, or lose them with the feature force");
}

/* persistence 0: geometry from the table line. */
static int hs_ctr_new(struct dm_target *ti, struct hs_dm *dm)
{
	struct hs_geometry_wish *wish = &dm->opts.wish;
	struct hs_sb *sb = &dm->sb;
	const char *why = NULL;
	int ret;

	wish->origin_bytes = (u64)ti->len << SECTOR_SHIFT;
	wish->cache_bytes = bdev_nr_bytes(dm->bdev[HS_CACHE]);
	ret = hs_geometry_choose(wish, &sb->geo, &why);
	if (ret == -ENOSPC || (!ret && dm->opts.exact_slots && sb->geo.nr_slots + hs_assoc(&sb->geo) <= wish->max_slots))
		return hs_ctr_fail(ti, -ENOSPC, "Data and metadata do not fit the cache device: give a smaller cache size, or a larger device");
	if (ret)
		return hs_ctr_fail(ti, ret, (char *)why);
	sb->mode = (u8)dm->opts.mode;
	sb->incompat = wish->no_checksums ? 0 : HS_INCOMPAT_CHECKSUMS;
	return hs_ctr_look(ti, dm);
}

static int hs_ctr_memory(struct hs_dm *dm)
{
	struct hs_core_opts opts = { .mode = -1 };
	const struct hs_geometry *geo = &dm->sb.geo;
	u32 i;
	int ret;

	dm->block_sectors = hs_block_sectors(geo);
	dm->csum_bytes = geo->units_per_block > 1 ? 4 * geo->units_per_block : 0;
	dm->hit_bytes = geo->units_per_block > 1 ? 0 : HS_UNIT_BYTES;
	dm->checksums = geo->checksums;
	ret = hs_bounces_init(dm);
	if (ret)
		return ret;
	dm->domains = kcalloc(HS_SHARDS_DEFAULT + 1, sizeof(*dm->domains), GFP_KERNEL);
	dm->mem_bytes = hs_core_size(geo, &opts);
	dm->mem = vmalloc(dm->mem_bytes);
	if (!dm->domains || !dm->mem)
		return -ENOMEM;
	for (i = 0; i <= HS_SHARDS_DEFAULT; i++) {
		spin_lock_init(&dm->domains[i].lock);
		hs_out_init(&dm->domains[i].out);
	}
	return 0;
}

static void hs_ctr_limits(struct dm_target *ti, const struct hs_dm *dm)
{
	ti->per_io_data_size = sizeof(struct hs_call) + dm->csum_bytes;
	ti->num_flush_bios = 1;
	/* Acknowledged writes may only be in our memory, whatever caches the devices have. */
	ti->flush_supported = true;
	/* The cache device need not know discards: its own blocks are forgotten, and only the origin's discarded. */
	if (bdev_max_discard_sectors(dm->bdev[HS_ORIGIN])) {
		ti->num_discard_bios = 1;
		ti->discards_supported = true;
	}
	/* Not secure erase: copies on the cache device, current and retired, would survive it. */
	if (bdev_write_zeroes_sectors(dm->bdev[HS_ORIGIN]))
		ti->num_write_zeroes_bios = 1;
	ti->limit_swap_bios = true;
}

static int hs_ctr_all(struct dm_target *ti, struct hs_dm *dm, unsigned int argc, char **argv)
{
	char *why = NULL;
	int ret = hs_flights_init(dm);

	if (!ret)
		ret = hs_workers_init(dm);
	if (ret)
		return hs_ctr_fail(ti, ret, "Out of memory");
	ret = hs_ctr_devices(ti, dm, argv);
	if (ret)
		return ret;
	ret = hs_table_parse(&dm->opts, argc - 2, argv + 2, &why);
	if (ret)
		return hs_ctr_fail(ti, ret, why);
	ret = dm->opts.load ? hs_ctr_load(ti, dm) : hs_ctr_new(ti, dm);
	if (ret)
		return ret;
	if (hs_ctr_memory(dm))
		return hs_ctr_fail(ti, -ENOMEM, "Out of memory for the map: use larger blocks, or a smaller cache");
	ret = dm_set_target_max_io_len(ti, dm->block_sectors);
	if (ret)
		return hs_ctr_fail(ti, ret, "Block size not supported");
	hs_ctr_limits(ti, dm);
	return 0;
}

static void hs_dm_free(struct hs_dm *dm)
{
	u32 i;

	hs_workers_exit(dm);
	if (mempool_initialized(&dm->bounces))
		hs_bounces_exit(dm);
	hs_flights_exit(dm);
	vfree(dm->mem);
	kfree(dm->domains);
	for (i = 0; i < 2; i++)
		if (dm->dev[i])
			dm_put_device(dm->ti, dm->dev[i]);
	kfree(dm);
}

static void hs_dm_tell(const struct hs_dm *dm)
{
	const struct hs_geometry *geo = &dm->sb.geo;

	DMINFO("%s: %u slots of %u sectors in %u sets of %u on %pg, origin %pg of %llu sectors, checksums %s, %llu KiB of memory",
	       dm_table_device_name(dm->ti->table), geo->nr_slots, dm->block_sectors, geo->nsets, hs_assoc(geo),
	       dm->bdev[HS_CACHE], dm->bdev[HS_ORIGIN], geo->origin_sectors, geo->checksums ? "on" : "off",
	       dm->mem_bytes >> 10);
}

static int hs_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct hs_dm *dm;
	int ret;

	if (argc < 2)
		return hs_ctr_fail(ti, -EINVAL, "Two arguments are needed at least: origin device and cache device");
	dm = kzalloc(sizeof(*dm), GFP_KERNEL);
	if (!dm)
		return hs_ctr_fail(ti, -ENOMEM, "Out of memory");
	dm->ti = ti;
	spin_lock_init(&dm->streams_lock);
	mutex_init(&dm->control);
	init_completion(&dm->ended);
	ret = hs_ctr_all(ti, dm, argc, argv);
	if (ret) {
		hs_dm_free(dm);
		return ret;
	}
	ti->private = dm;
	mutex_lock(&hs_all_lock);
	list_add(&dm->list, &hs_all);
	mutex_unlock(&hs_all_lock);
	hs_dm_tell(dm);
	return 0;
}

static void hs_dtr(struct dm_target *ti)
{
	struct hs_dm *dm = ti->private;

	mutex_lock(&hs_all_lock);
	hs_dm_yield(dm);
	list_del(&dm->list);
	mutex_unlock(&hs_all_lock);
	hs_dm_free(dm);
}

/* ---- resume, suspend ----------------------------------------------------------------------------------------- */

/* The superblock as it stands now; the constructor's may be older. */
static int hs_dm_reread(struct hs_dm *dm)
{
	struct hs_sb sb;
	char *why;
	int ret = hs_load_sb(dm, &sb, &why);

	if (ret) {
		DMERR("%pg: %s", dm->bdev[HS_CACHE], why);
		return ret;
	}
	if (memcmp(&sb.geo, &dm->sb.geo, sizeof(sb.geo))) {
		DMERR("%pg was formatted anew since the table was loaded: load it again", dm->bdev[HS_CACHE]);
		return -ESTALE;
	}
	dm->sb = sb;
	return 0;
}

/* The cache is ours from here on; what held it before is stopped clean. */
static int hs_dm_take_over(struct hs_dm *dm)
{
	struct hs_dm *old = hs_all_find(dm, true);
	struct hs_counters n = { 0 };

	if (hs_all_find(dm, false)) {
		DMERR("%pg is in use by another hotset device", dm->bdev[HS_CACHE]);
		return -EBUSY;
	}
	if (!old)
		return 0;
	/* There was none when the constructor looked. */
	if (!dm->opts.load && !dm->opts.force)
		hs_dm_count(old, &n);
	if (n.dirty) {
		DMERR("%pg holds %llu dirty blocks: load it with persistence 1", dm->bdev[HS_CACHE], n.dirty);
		return -EEXIST;
	}
	hs_dm_yield(old);
	return 0;
}

static int hs_dm_open(struct hs_dm *dm)
{
	int ret = hs_dm_take_over(dm);

	if (!ret && !dm->opts.load)
		ret = hs_load_format(dm);
	if (!ret)
		ret = hs_dm_reread(dm);
	if (!ret)
		ret = hs_load_open(dm);
	if (ret)
		return ret;
	/* A failed start later on must not make a new cache of this one. */
	dm->opts.load = true;
	dm->opts.grow = false;
	hs_dm_start(dm);
	return 0;
}

/* Memory must not be waited for by writing to this very device: it is suspended, here and below. */
static int hs_preresume(struct dm_target *ti)
{
	unsigned int noio = memalloc_noio_save();
	struct hs_dm *dm = ti->private;
	int ret = 0;

	mutex_lock(&hs_all_lock);
	switch (dm->state) {
	case HS_DM_NEW:
		ret = hs_dm_open(dm);
		if (!ret)
			dm->state = HS_DM_LIVE;
		break;
	case HS_DM_STOPPED:
		hs_dm_resume(dm);
		dm->state = HS_DM_LIVE;
		break;
	case HS_DM_LIVE:
		break;
	case HS_DM_GONE:
		ret = -ESTALE;
		break;
	}
	mutex_unlock(&hs_all_lock);
	memalloc_noio_restore(noio);
	return ret;
}

/* No bio is under way. */
static void hs_postsuspend(struct dm_target *ti)
{
	unsigned int noio = memalloc_noio_save();
	struct hs_dm *dm = ti->private;
	int ret;

	mutex_lock(&hs_all_lock);
	if (dm->state == HS_DM_LIVE) {
		ret = hs_dm_stop(dm);
		if (ret)
			DMERR("%s: not all could be committed: error %d", dm_table_device_name(ti->table), ret);
		dm->state = HS_DM_STOPPED;
	}
	mutex_unlock(&hs_all_lock);
	memalloc_noio_restore(noio);
}

/* ---- devices, limits ------------------------------------------------------------------------------------------ */

static int hs_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct hs_dm *dm = ti->private;
	int ret = fn(ti, dm->dev[HS_CACHE], 0, bdev_nr_sectors(dm->bdev[HS_CACHE]), data);

	return ret ? ret : fn(ti, dm->dev[HS_ORIGIN], 0, ti->len, data);
}

static void hs_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct hs_dm *dm = ti->private;
	u32 bytes = dm->block_sectors << SECTOR_SHIFT;

	limits->io_opt = max(limits->io_opt, bytes);
	if (ti->num_discard_bios)
		limits->discard_granularity = max(limits->discard_granularity, bytes);
}

struct target_type hs_target = {
	.name = "hotset",
	.version = { 0, 1, 0 },
	.features = DM_TARGET_ALWAYS_WRITEABLE | DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = hs_ctr,
	.dtr = hs_dtr,
	.map = hs_map,
	.end_io = hs_end_io,
	.preresume = hs_preresume,
	.postsuspend = hs_postsuspend,
	.status = hs_status,
	.message = hs_message,
	.iterate_devices = hs_iterate_devices,
	.io_hints = hs_io_hints,
};
