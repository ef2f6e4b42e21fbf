// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * INFO, fixed fields first, then key=value pairs:
 *
 *	<block size, sectors> <slots> <used> <dirty> <reads> <writes> <cache hits> <hits, per cent> <replacements>
 *	<write-backs of replaced blocks> <flushed dirty blocks> <mode> <state> ...
 *
 * The ancestor counted write-backs when a dirty block was replaced and flushes when the device went away; here all
 * happen in the background, so both of its fields say how many blocks have been written back.
 */
#include <linux/math64.h>

#include "kernel/dm.h"

static const char *hs_state_text(struct hs_dm *dm)
{
	if (dm->state == HS_DM_NEW)
		return "new";
	if (dm->state == HS_DM_GONE)
		return "gone";
	if (hs_core_failed(dm->core))
		return "failed";
	return dm->state == HS_DM_LIVE ? "ok" : "suspended";
}

/* struct hs_counters is made of u64 only; the gauges at its end are never reset. */
static void hs_counters_since(struct hs_counters *n, const struct hs_counters *base)
{
	u64 *to = (u64 *)n;
	const u64 *from = (const u64 *)base;
	size_t i;

	for (i = 0; i < offsetof(struct hs_counters, used) / sizeof(u64); i++)
		to[i] -= from[i];
}

static unsigned int hs_info_pairs(struct hs_dm *dm, const struct hs_counters *n, char *result, unsigned int maxlen,
				  unsigned int sz)
{
	DMEMIT(" mode_durable=%s read_hits=%llu read_misses=%llu write_hits=%llu write_misses=%llu inserts=%llu",
	       hs_mode_text(hs_core_mode_durable(dm->core)), n->read_hits, n->read_misses, n->write_hits,
	       n->write_misses, n->inserts);
	DMEMIT(" flushes=%llu discards=%llu zeroes=%llu free=%llu retired=%llu lost=%llu write_back_errors=%llu",
	       n->flushes, n->discards, n->zeroes, n->free, n->retired, n->lost, n->write_back_errors);
	DMEMIT(" not_cached_mode=%llu not_cached_sequential=%llu not_cached_no_slot=%llu not_cached_discard=%llu",
	       n->not_cached[HS_WHY_MODE], n->not_cached[HS_WHY_SEQUENTIAL], n->not_cached[HS_WHY_NO_SLOT],
	       n->not_cached[HS_WHY_DISCARD]);
	DMEMIT(" not_cached_error=%llu not_cached_failed=%llu commits=%llu checkpoints=%llu cache_flushes=%llu",
	       n->not_cached[HS_WHY_ERROR], n->not_cached[HS_WHY_FAILED], n->commits, n->checkpoints,
	       n->cache_flushes);
	DMEMIT(" origin_flushes=%llu checksum_errors=%llu repairs=%llu cache_errors=%llu origin_errors=%llu slot_waits=%llu",
	       n->origin_flushes, n->checksum_errors, n->repairs, n->cache_errors, n->origin_errors, n->slot_waits);
	return sz;
}

/* What `hotset stats` shows beside the counters. */
static unsigned int hs_info_device(struct hs_dm *dm, const struct hs_counters *n, char *result, unsigned int maxlen,
				   unsigned int sz)
{
	const struct hs_geometry *geo = hs_core_geometry(dm->core);
	const struct hs_open_report *report = hs_core_report(dm->core);

	DMEMIT(" journal_bytes=%llu table_bytes=%llu origin_size=%llu cache_size=%llu assoc=%u ram_bytes=%llu",
	       n->journal_bytes, n->table_bytes, geo->origin_sectors << SECTOR_SHIFT, geo->cache_bytes, hs_assoc(geo),
	       dm->mem_bytes);
	DMEMIT(" recovery_ns=%llu recovered_transactions=%llu clean_start=%u abandon_due=%u", dm->open_ns,
	       report->transactions, report->clean_stop, hs_core_abandon_due(dm->core));
	return sz;
}

static void hs_info_show(struct hs_dm *dm, char *result, unsigned int maxlen)
{
	struct hs_counters n = { 0 };
	enum hs_mode mode = dm->sb.mode;
	u64 hits, all, percent;
	unsigned int sz = 0;

	if (dm->state == HS_DM_LIVE || dm->state == HS_DM_STOPPED) {
		hs_dm_count(dm, &n);
		hs_counters_since(&n, &dm->base);
		mode = hs_core_mode(dm->core);
	}
	hits = n.read_hits + n.write_hits;
	all = n.reads + n.writes;
	percent = all ? div64_u64(100 * hits, all) : 0;
	DMEMIT("%u %u %llu %llu %llu %llu %llu %llu %llu %llu %llu %s %s", dm->block_sectors, dm->sb.geo.nr_slots,
	       n.used, n.dirty, n.reads, n.writes, hits, percent, n.replacements, n.write_backs, n.write_backs,
	       hs_mode_text(mode), hs_state_text(dm));
	if (dm->state == HS_DM_LIVE || dm->state == HS_DM_STOPPED) {
		sz = hs_info_pairs(dm, &n, result, maxlen, sz);
		hs_info_device(dm, &n, result, maxlen, sz);
	}
}

static void hs_ima_show(struct hs_dm *dm, char *result, unsigned int maxlen)
{
	const struct hs_geometry *geo = &dm->sb.geo;
	unsigned int sz = 0;

	DMEMIT_TARGET_NAME_VERSION(dm->ti->type);
	DMEMIT(",origin_device_name=%s,cache_device_name=%s,block_size=%u,slots=%u,associativity=%u,mode=%s,checksums=%c;",
	       dm->dev[HS_ORIGIN]->name, dm->dev[HS_CACHE]->name, dm->block_sectors, geo->nr_slots, hs_assoc(geo),
	       hs_mode_text(dm->sb.mode), geo->checksums ? 'y' : 'n');
}

void hs_status(struct dm_target *ti, status_type_t type, unsigned int flags, char *result, unsigned int maxlen)
{
	struct hs_dm *dm = ti->private;

	switch (type) {
	case STATUSTYPE_INFO:
		hs_info_show(dm, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		hs_table_show(dm, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		hs_ima_show(dm, result, maxlen);
		break;
	}
}
