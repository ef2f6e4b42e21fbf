// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <uuid/uuid.h>

#include "engine/load.h"

/* A copy that cannot be read is a copy that is not there. */
static int hs_load_page(struct hs_target *cache, unsigned int copy, u8 *page)
{
	int ret = -ERANGE;

	if (cache->size >= HS_SB_OFFSET(copy) + HS_PAGE)
		ret = cache->ops->pread(cache, page, HS_PAGE, HS_SB_OFFSET(copy));
	if (ret)
		memset(page, 0, HS_PAGE);
	return ret;
}

static int hs_load_refusal(const char *name, int code, struct hs_error *err)
{
	switch (code) {
	case HS_E_NEWER:
		return hs_error_set(err, -EPROTONOSUPPORT,
				    "%s: made by a newer version of hotset: use that version",
				    name);
	case HS_E_DAMAGED:
		return hs_error_set(err, -EUCLEAN,
				    "%s: both superblocks are damaged: what it holds cannot be "
				    "found; to start anew: hotset format --force", name);
	}
	return hs_error_set(err, -EMEDIUMTYPE,
			    "%s: not a hotset cache: make it one with hotset format", name);
}

static int hs_load_pages(struct hs_target *cache, u8 *pages, struct hs_sb *sb, unsigned int *bad,
			 struct hs_error *err)
{
	int error[2], ret;

	error[0] = hs_load_page(cache, 0, pages);
	error[1] = hs_load_page(cache, 1, pages + HS_PAGE);
	ret = hs_sb_pick(pages, pages + HS_PAGE, sb, bad);
	if (ret == HS_E_FOREIGN && error[0] && error[0] != -ERANGE)
		return hs_error_set(err, -EIO, "%s: cannot read it: %s", cache->name,
				    strerror(-error[0]));
	if (ret)
		return hs_load_refusal(cache->name, ret, err);
	if (cache->size < sb->geo.cache_bytes)
		return hs_error_set(err, -EUCLEAN,
				    "%s: has %llu bytes but was formatted with %llu: "
				    "bring back its missing end, or format anew",
				    cache->name, (unsigned long long)cache->size,
				    (unsigned long long)sb->geo.cache_bytes);
	return 0;
}

int hs_load_sb(struct hs_target *cache, struct hs_sb *sb, unsigned int *bad, struct hs_error *err)
{
	u8 *pages = hs_buffer_new(2 * HS_PAGE);
	int ret;

	if (!pages)
		return hs_error_set(err, -ENOMEM, "out of memory");
	ret = hs_load_pages(cache, pages, sb, bad, err);
	hs_buffer_free(pages);
	return ret;
}

static int hs_load_failed(struct hs_exec *x, int code, struct hs_error *err)
{
	const char *name = x->target[HS_CACHE]->name, *why = hs_core_open_why(x->core);

	why = why ? why : strerror(-code);
	if (code == -EUCLEAN)
		return hs_error_set(err, code, "%s: %s: see hotset check", name, why);
	return hs_error_set(err, code, "%s: cannot read the map: %s", name, why);
}

int hs_load_map(struct hs_exec *x, const struct hs_sb *sb, const struct hs_core_opts *opts,
		struct hs_error *err)
{
	int ret = hs_exec_attach(x, sb, opts);

	if (ret)
		return hs_error_set(err, ret, "%s: its map takes %llu MiB of memory: not available",
				    x->target[HS_CACHE]->name,
				    (unsigned long long)hs_core_size(&sb->geo, opts) >> 20);
	ret = hs_exec_alone(x, hs_core_open(x->core));
	return ret ? hs_load_failed(x, ret, err) : 0;
}

void hs_layout_fill(struct hs_layout *layout, const struct hs_sb *sb)
{
	const struct hs_geometry *geo = &sb->geo;
	struct hs_core_opts opts = { .mode = -1 };

	memset(layout, 0, sizeof(*layout));
	layout->origin_size = geo->origin_sectors << HS_SECTOR_SHIFT;
	layout->cache_size = geo->cache_bytes;
	layout->slots = geo->nr_slots;
	layout->sets = geo->nsets;
	layout->block_size = hs_block_bytes(geo);
	layout->assoc = hs_assoc(geo);
	layout->consecutive = 1u << geo->consecutive_shift;
	layout->checksums = geo->checksums;
	layout->journal_size = (u64)geo->journal_pages * HS_PAGE;
	layout->table_size = 2 * (u64)geo->table_units * HS_PAGE;
	layout->data_offset = geo->data_offset;
	layout->ram_bytes = hs_core_size(geo, &opts);
	uuid_unparse_lower(sb->uuid, layout->uuid);
}

u64 hs_map_dirty(struct hs_exec *x)
{
	struct hs_counters sum = { 0 };
	u32 domain;

	for (domain = 0; domain < hs_core_shards(x->core); domain++)
		hs_core_count(x->core, (s32)domain, &sum);
	return sum.dirty;
}

/* ---- a slot's data --------------------------------------------------------------------------- */

u32 hs_slot_units(const struct hs_exec *x, u64 block)
{
	const struct hs_geometry *geo = hs_core_geometry(x->core);

	return hs_block_units(geo, block);
}

static int hs_slot_read(struct hs_exec *x, u32 slot, u8 *buffer, u32 unit, u32 units)
{
	struct hs_target *cache = x->target[HS_CACHE];
	u64 offset = hs_slot_sector(x->core, slot) << HS_SECTOR_SHIFT;

	return cache->ops->pread(cache, buffer + (size_t)unit * HS_UNIT_BYTES,
				 (size_t)units * HS_UNIT_BYTES, offset + (u64)unit * HS_UNIT_BYTES);
}

void hs_slot_verify(struct hs_exec *x, u32 slot, const struct hs_slot_view *view, u8 *buffer,
		    bool *bad)
{
	u32 i, units = hs_slot_units(x, view->block);
	u64 first = view->block * (x->block_bytes / HS_UNIT_BYTES);
	bool whole = hs_slot_read(x, slot, buffer, 0, units) == 0;

	for (i = 0; i < units; i++) {
		bad[i] = !whole && hs_slot_read(x, slot, buffer, i, 1) != 0;
		if (!bad[i] && view->crcs)
			bad[i] = hs_unit_crc(x->core, first + i,
					     buffer + (size_t)i * HS_UNIT_BYTES) != view->crcs[i];
	}
}
